//! Whether a bare name finds an object.
//! Must not know: how the engine calls functions.

use super::row_function::Cell;
use crate::catalog::Viewer;
use crate::names::quote;
use crate::pg_catalog::objects::{Objects, path};
use crate::pg_catalog::{INFORMATION_SCHEMA, PG_CATALOG, facts};
use crate::types::PgType;

pub(super) fn table(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let objects = Objects::of(viewer);
    let class = arguments.first().and_then(Cell::oid).and_then(|oid| objects.class(oid));
    Cell::Bool(class.map(|class| objects.is_visible(viewer, class)))
}

/// Whether what stands in a schema of PostgreSQL's is found: in `pg_catalog` always, in the other where the path has it.
fn in_schema(viewer: &Viewer, namespace: u32) -> bool {
    namespace == PG_CATALOG
        || (namespace == INFORMATION_SCHEMA && path(viewer).any(|schema| schema == "information_schema"))
}

pub(super) fn procedure(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let found = arguments.first().and_then(Cell::oid).and_then(facts::procedure).filter(|found| found.listed);
    Cell::Bool(found.map(|found| in_schema(viewer, found.namespace)))
}

pub(super) fn data_type(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let Some(oid) = arguments.first().and_then(Cell::oid) else { return Cell::Bool(None) };
    if PgType::new(oid).row().is_some() {
        return Cell::Bool(Some(true));
    }
    let objects = Objects::of(viewer);
    let own = objects.types.by_oid(oid).map(|(one, array)| {
        let name = if array { one.array_name() } else { one.declared.name.clone() };
        PgType::from_name(&quote(&name)).is_none() && objects.types.named(viewer, None, &name) == Some(oid)
    });
    let of_rows = || {
        let (one, array) = objects.rows.by_oid(oid)?;
        let name = if array { &one.array_name } else { &one.name };
        Some(PgType::from_name(&quote(name)).is_none() && objects.rows.named(viewer, None, name) == Some(oid))
    };
    Cell::Bool(own.or_else(of_rows))
}

/// Operators, operator classes and families, collations: all that there are stand in `pg_catalog`.
pub(super) fn in_catalog(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    Cell::Bool(arguments.first().and_then(Cell::oid).map(|_| true))
}

/// Conversions, text search, extended statistics: there are none.
pub(super) fn none(_viewer: &Viewer, _arguments: &[Cell]) -> Cell {
    Cell::Bool(None)
}
