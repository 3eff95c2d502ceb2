//! For each type that may be held as text: how that text is sent.
//! Must not know: Arrow arrays.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};

use super::binary::{array, geometry, numeric, range, scalar, search};
use super::format::{FormatOptions, IntervalStyle};
use super::input::network::{Inet, parse_mac, parse_mac8};
use super::input::number::{parse_bool, parse_f32, parse_f64, parse_i16, parse_i32, parse_i64, parse_oid, trim};
use super::input::{bits, datetime, interval};
use super::pg_type::PgType;
use super::text::datetime::{write_offset, write_time};
use super::text::line::Line;
use crate::error::{Error, Result};

/// Appends the send format of a value from its text.
pub(crate) type Send<'a> = &'a dyn Fn(&str, &mut BytesMut) -> Result<()>;
/// A sender that can be kept.
pub(crate) type OwnedSend = Arc<dyn Fn(&str, &mut BytesMut) -> Result<()> + std::marker::Send + Sync>;

fn defaults() -> FormatOptions {
    FormatOptions::default()
}

/// The type of a range's bounds.
pub(crate) fn range_bound(oid: u32) -> Option<PgType> {
    Some(match oid {
        3904 => PgType::INT4,
        3906 => PgType::NUMERIC,
        3908 => PgType::TIMESTAMP,
        3910 => PgType::TIMESTAMPTZ,
        3912 => PgType::DATE,
        3926 => PgType::INT8,
        _ => return None,
    })
}

/// The type of a multirange's ranges.
pub(crate) fn multirange_of(oid: u32) -> Option<PgType> {
    Some(match oid {
        4451 => PgType::INT4RANGE,
        4532 => PgType::NUMRANGE,
        4533 => PgType::TSRANGE,
        4534 => PgType::TSTZRANGE,
        4535 => PgType::DATERANGE,
        4536 => PgType::INT8RANGE,
        _ => return None,
    })
}

/// Whether the binary form of a type is its text.
pub(crate) const fn is_sent_as_text(pg: PgType) -> bool {
    matches!(pg.oid, 19 | 25 | 114 | 142 | 705 | 1042 | 1043 | 1790 | 2275)
}

/// How the text of a type is sent; None where the type has no binary form here.
pub(crate) fn sender(pg: PgType) -> Option<OwnedSend> {
    if let Some(element) = pg.element() {
        let send = sender(element)?;
        return Some(match pg.oid {
            22 | 30 => Arc::new(move |text, out| array::send_vector(text, element, &*send, out)),
            _ => Arc::new(move |text, out| array::send_text(text, element, &*send, out)),
        });
    }
    if let Some(bound) = range_bound(pg.oid) {
        let send = sender(bound)?;
        return Some(Arc::new(move |text, out| range::send_text(text, &*send, out)));
    }
    if let Some(bound) = multirange_of(pg.oid).and_then(|of| range_bound(of.oid)) {
        let send = sender(bound)?;
        return Some(Arc::new(move |text, out| range::send_multirange(text, &*send, out)));
    }
    let oid = pg.oid;
    if matches!(oid, 600..=604 | 628 | 718) {
        return Some(Arc::new(move |text, out| geometry::send_text(oid, text, out)));
    }
    let send: fn(&str, &mut BytesMut) -> Result<()> = match pg.oid {
        16 => |t, out| parse_bool(t).map(|v| out.put_u8(u8::from(v))),
        17 => |t, out| bits::parse_bytea(t).map(|v| out.extend_from_slice(&v)),
        18 => send_char,
        _ if is_sent_as_text(pg) => |t, out| {
            out.extend_from_slice(t.as_bytes());
            Ok(())
        },
        // void is sent as nothing.
        2278 => |_, _| Ok(()),
        20 => |t, out| parse_i64(t).map(|v| out.put_i64(v)),
        21 => |t, out| parse_i16(t).map(|v| out.put_i16(v)),
        23 => |t, out| parse_i32(t).map(|v| out.put_i32(v)),
        26 | 28 | 29 => |t, out| parse_oid(t, "oid").map(|v| out.put_u32(v)),
        24 | 2202..=2206 | 3734 | 3769 | 4089 | 4096 | 4191 => send_registered,
        27 => send_tid,
        3802 | 4072 => |t, out| {
            out.put_u8(1);
            out.extend_from_slice(t.as_bytes());
            Ok(())
        },
        650 => |t, out| Inet::parse(t, true).map(|v| v.send(out)),
        869 => |t, out| Inet::parse(t, false).map(|v| v.send(out)),
        700 => |t, out| parse_f32(t).map(|v| out.put_f32(v)),
        701 => |t, out| parse_f64(t).map(|v| out.put_f64(v)),
        774 => |t, out| parse_mac8(t).map(|v| out.extend_from_slice(&v)),
        829 => |t, out| parse_mac(t).map(|v| out.extend_from_slice(&v)),
        1082 => |t, out| scalar::send_date(datetime::parse_date(t, &defaults())?, out),
        1083 => |t, out| datetime::parse_time(t, &defaults(), -1).map(|v| out.put_i64(v)),
        1114 => |t, out| scalar::send_timestamp(datetime::parse_timestamp(t, &defaults(), -1)?, out),
        1184 => |t, out| scalar::send_timestamp(datetime::parse_timestamptz(t, &defaults(), -1)?, out),
        1186 => {
            |t, out| interval::parse_interval(t, IntervalStyle::Postgres, -1).map(|v| scalar::send_interval(v, out))
        }
        1266 => |t, out| {
            datetime::parse_timetz(t, &defaults(), -1).map(|(usecs, east)| scalar::send_timetz(usecs, east, out))
        },
        1560 | 1562 => |t, out| bits::parse_bits(t).map(|v| scalar::send_bits(&v, out)),
        1700 => numeric::send_text,
        2950 => |t, out| bits::parse_uuid(t).map(|v| out.extend_from_slice(&v)),
        3220 => |t, out| parse_lsn(t).map(|v| out.put_u64(v)),
        3614 => search::send_vector,
        3615 => search::send_query,
        5069 => |t, out| match trim(t).parse::<u64>() {
            Ok(v) => {
                out.put_u64(v);
                Ok(())
            }
            Err(_) => Err(super::input::number::invalid("xid8", t)),
        },
        _ => return None,
    };
    Some(Arc::new(send))
}

/// A byte, which stands in octal where it is no character of its own.
fn send_char(text: &str, out: &mut BytesMut) -> Result<()> {
    out.put_u8(match text.as_bytes() {
        [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7'] => (a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'),
        [byte, ..] => *byte,
        [] => 0,
    });
    Ok(())
}

/// A reg* value as its oid. Of names only those of built-in types are known here.
fn send_registered(text: &str, out: &mut BytesMut) -> Result<()> {
    let oid = match text {
        "-" => Some(0),
        _ if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        _ => PgType::from_name(text).map(|found| found.oid),
    };
    out.put_u32(oid.ok_or_else(|| Error::unsupported("the oid of a name that comes from a source is not known"))?);
    Ok(())
}

/// As PostgreSQL reads it: two numbers, one behind the first parenthesis or comma, one behind the next comma and up to
/// a parenthesis.
fn send_tid(text: &str, out: &mut BytesMut) -> Result<()> {
    let number = |text: &str, end: char| {
        let (digits, _) = text.split_once(end)?;
        let digits = digits.trim_start_matches(|c: char| c.is_ascii_whitespace());
        // C's strtoul() makes 0 of nothing.
        if digits.is_empty() { Some(0) } else { digits.strip_prefix('+').unwrap_or(digits).parse::<u64>().ok() }
    };
    let inside = text.find(['(', ',']).and_then(|at| text.get(at + 1..));
    let parsed = inside.and_then(|inside| {
        let (_, behind) = inside.split_once(',')?;
        let block = u32::try_from(number(inside, ',')?).ok()?;
        Some((block, u16::try_from(number(behind, ')')?).ok()?))
    });
    let (block, offset) = parsed.ok_or_else(|| super::input::number::invalid("tid", text))?;
    out.put_u32(block);
    out.put_u16(offset);
    Ok(())
}

fn parse_lsn(text: &str) -> Result<u64> {
    let part = |t: &str| u32::from_str_radix(t, 16).ok().filter(|_| !t.starts_with('+')).map(u64::from);
    text.split_once('/')
        .and_then(|(high, low)| Some(part(high)? << 32 | part(low)?))
        .ok_or_else(|| super::input::number::invalid("pg_lsn", text))
}

pub(crate) fn write_timetz(usecs: i64, east: i32, out: &mut BytesMut) {
    write_time(usecs, out);
    let mut line = Line::<16>::new();
    write_offset(&mut line, east, false);
    line.flush(out);
}
