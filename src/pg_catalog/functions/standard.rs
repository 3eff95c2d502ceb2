//! What the standard's views ask of a type and its modifier: the functions of `information_schema`, as PostgreSQL has written them.
//! Must not know: relations, who asks.

use super::row_function::Cell;
use crate::catalog::Viewer;
use crate::pg_catalog::objects::Objects;
use crate::types::PgType;

/// An oid of a type and a modifier; none where one of them is NULL.
fn both(arguments: &[Cell]) -> Option<(i64, i64)> {
    Some((arguments.first()?.int()?, arguments.get(1)?.int()?))
}

pub(super) fn character_length(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    Cell::Int(both(arguments).and_then(|(of, modifier)| characters(of, modifier)))
}

fn characters(of: i64, modifier: i64) -> Option<i64> {
    match of {
        _ if modifier == -1 => None,
        1042 | 1043 => Some(modifier - 4),
        1560 | 1562 => Some(modifier),
        _ => None,
    }
}

pub(super) fn octet_length(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    Cell::Int(both(arguments).and_then(|(of, modifier)| match of {
        25 | 1042 | 1043 if modifier == -1 => Some(1 << 30),
        // A character of UTF-8 has four bytes at most.
        1042 | 1043 => Some((modifier - 4) * 4),
        _ => None,
    }))
}

pub(super) fn precision(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    Cell::Int(both(arguments).and_then(|(of, modifier)| match of {
        21 => Some(16),
        23 => Some(32),
        20 => Some(64),
        1700 => (modifier != -1).then_some(((modifier - 4) >> 16) & 0xffff),
        700 => Some(24),
        701 => Some(53),
        _ => None,
    }))
}

pub(super) fn radix(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    Cell::Int(both(arguments).and_then(|(of, _)| match of {
        20 | 21 | 23 | 700 | 701 => Some(2),
        1700 => Some(10),
        _ => None,
    }))
}

pub(super) fn scale(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    Cell::Int(both(arguments).and_then(|(of, modifier)| match of {
        20 | 21 | 23 => Some(0),
        1700 => (modifier != -1).then_some((modifier - 4) & 0xffff),
        _ => None,
    }))
}

/// The fields of an interval: `DAY TO SECOND`; none where it has all of them.
pub(super) fn interval_type(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let fields = both(arguments).filter(|(of, _)| *of == 1186).and_then(|(_, modifier)| {
        let typmod = i32::try_from(modifier).ok()?;
        let written = PgType { oid: 1186, typmod }.display_name();
        let behind =
            written.strip_prefix("interval")?.trim_start_matches(|c: char| c.is_ascii_digit() || "()".contains(c));
        behind.strip_prefix(' ').map(str::to_uppercase)
    });
    Cell::Text(fields)
}

/// Which of an index's columns, from 1, a table's column is.
pub(super) fn index_position(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let objects = Objects::of(viewer);
    let place = both(arguments).and_then(|(index, column)| {
        let index = objects.index(u32::try_from(index).ok()?)?;
        index.numbers.iter().position(|number| *number == column)
    });
    Cell::Int(place.map(|place| place as i64 + 1))
}

pub(super) fn time_precision(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    Cell::Int(both(arguments).and_then(|(of, modifier)| match of {
        1082 => Some(0),
        1083 | 1114 | 1184 | 1266 => Some(if modifier < 0 { 6 } else { modifier }),
        1186 => Some(if modifier < 0 || modifier & 0xffff == 0xffff { 6 } else { modifier & 0xffff }),
        _ => None,
    }))
}
