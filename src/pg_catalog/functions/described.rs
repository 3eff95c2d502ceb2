//! `pg_describe_object`: what an object is, in words.
//! Must not know: how the engine calls it.

use super::registered;
use super::row_function::Cell;
use crate::catalog::Viewer;
use crate::pg_catalog::facts;
use crate::pg_catalog::objects::{Class, Objects};
use crate::pg_catalog::relation::Looking;
use crate::pg_catalog::tables::attribute::columns;
use crate::pg_catalog::tables::class::{PG_CLASS, kind};

const PG_TYPE: u32 = 1247;
const PG_PROC: u32 = 1255;
const PG_ATTRDEF: u32 = 2604;
const PG_CONSTRAINT: u32 = 2606;
const PG_NAMESPACE: u32 = 2615;

/// An object in words, by the oid of its catalog, its own, and the number of a column (0: the whole).
pub(super) fn object(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let (Some(catalog), Some(object), Some(column)) = (
        arguments.first().and_then(Cell::oid),
        arguments.get(1).and_then(Cell::oid),
        arguments.get(2).and_then(Cell::int),
    ) else {
        return Cell::Text(None);
    };
    let objects = Objects::of(viewer);
    let named = |body: fn(&Viewer, &[Cell]) -> Cell| match body(viewer, &[Cell::Int(Some(i64::from(object)))]) {
        Cell::Text(name) => name,
        _ => None,
    };
    Cell::Text(match catalog {
        PG_CLASS => objects.class(object).and_then(|class| relation(viewer, &objects, class, column)),
        PG_TYPE => named(registered::regtype_out).map(|name| format!("type {name}")),
        PG_PROC => facts::procedure(object)
            .filter(|procedure| procedure.listed)
            .and_then(|_| Some(format!("function {}", named(registered::regprocedure_out)?))),
        PG_NAMESPACE => named(registered::regnamespace_out).map(|name| format!("schema {name}")),
        PG_CONSTRAINT => constraint(viewer, &objects, object),
        PG_ATTRDEF => objects.column_of_default(object).and_then(|(table, number)| {
            let column = relation(viewer, &objects, objects.class(table)?, number)?;
            Some(format!("default value for {column}"))
        }),
        _ => None,
    })
}

fn relation(viewer: &Viewer, objects: &Objects, class: &Class, column: i64) -> Option<String> {
    let what = match kind(class) {
        "v" => "view",
        "m" => "materialized view",
        "i" => "index",
        "S" => "sequence",
        _ => "table",
    };
    let whole = format!("{what} {}", registered::relation_name(viewer, class.oid)?);
    if column == 0 {
        return Some(whole);
    }
    let looking = Looking { viewer, objects };
    let name = columns(&looking, class).into_iter().find(|known| known.number == column)?.name;
    Some(format!("column {name} of {whole}"))
}

fn constraint(viewer: &Viewer, objects: &Objects, oid: u32) -> Option<String> {
    let Some(found) = objects.constraint(oid) else {
        return objects.types.check_name(oid).map(|name| format!("constraint {name}"));
    };
    let table = relation(viewer, objects, objects.class(found.table.oid)?, 0)?;
    Some(format!("constraint {} on {table}", found.remote()?.name))
}
