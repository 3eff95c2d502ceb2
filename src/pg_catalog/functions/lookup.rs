//! What the catalog functions answer.
//! Must not know: how the engine calls them.

use super::row_function::Cell;
use crate::catalog::{TableSchema, Viewer};
use crate::pg_catalog::OWNER;
use crate::pg_catalog::tables::{role_oid, virtual_oid};
use crate::types::PgType;

fn table(viewer: &Viewer, oid: i64) -> Option<&TableSchema> {
    viewer.world.tables().find(|table| i64::from(table.oid) == oid).map(AsRef::as_ref)
}

/// Whether a relation is found by its bare name: it stands in the path, and no schema before it has the name.
pub(super) fn table_is_visible(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let Some(oid) = arguments.first().and_then(Cell::int) else { return Cell::Bool(None) };
    let place = match table(viewer, oid) {
        Some(table) => Some((table.name.schema.clone(), table.name.table.clone())),
        None => {
            let system = viewer
                .world
                .virtuals
                .iter()
                .find(|table| i64::from(virtual_oid(table.schema_name(), table.name())) == oid);
            system.map(|table| (table.schema_name().to_owned(), table.name().to_owned()))
        }
    };
    let Some((schema, name)) = place else {
        // PostgreSQL's own relations, by their own oids, stand in pg_catalog, which is always searched.
        return Cell::Bool((oid < 13000).then_some(true));
    };
    let first = viewer.search_path.iter().find(|schema| {
        viewer.world.table(schema, &name).is_some() || viewer.world.virtuals.get(schema, &name).is_some()
    });
    Cell::Bool(Some(first == Some(&schema)))
}

pub(super) fn user_by_id(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let Some(oid) = arguments.first().and_then(Cell::int) else { return Cell::Text(None) };
    if oid == i64::from(OWNER) {
        return Cell::Text(Some("tusk".into()));
    }
    let mut names = std::iter::once(&viewer.user).chain(&viewer.roles);
    let name = names.find(|name| i64::from(role_oid(name)) == oid).cloned();
    Cell::Text(Some(name.unwrap_or_else(|| format!("unknown (OID={oid})"))))
}

pub(super) fn format_type(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let Some(oid) = arguments.first().and_then(Cell::int) else { return Cell::Text(None) };
    let typmod = arguments.get(1).and_then(Cell::int).and_then(|typmod| i32::try_from(typmod).ok()).unwrap_or(-1);
    let Ok(oid) = u32::try_from(oid) else { return Cell::Text(Some("???".into())) };
    let text = match oid {
        0 => "-".to_owned(),
        oid => {
            let ty = PgType { oid, typmod };
            ty.row().map_or_else(|| "???".to_owned(), |_| ty.display_name().to_string())
        }
    };
    Cell::Text(Some(text))
}

/// Defaults are kept as text already.
pub(super) fn expression(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    Cell::Text(arguments.first().and_then(Cell::text).map(str::to_owned))
}

pub(super) fn encoding_to_char(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    Cell::Text(arguments.first().and_then(Cell::int).map(|encoding| {
        let name = match encoding {
            0 => "SQL_ASCII",
            6 => "UTF8",
            _ => "",
        };
        name.to_owned()
    }))
}

pub(super) fn object_description(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let (Some(oid), Some("pg_class")) = (arguments.first().and_then(Cell::int), arguments.get(1).and_then(Cell::text))
    else {
        return Cell::Text(None);
    };
    if let Some(table) = table(viewer, oid) {
        return Cell::Text(table.remote.comment.clone());
    }
    let view = viewer
        .world
        .virtuals
        .iter()
        .find(|view| view.schema_name() == "tusk" && i64::from(virtual_oid("tusk", view.name())) == oid);
    Cell::Text(view.map(|view| view.comment().to_owned()))
}

pub(super) fn column_description(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let (Some(oid), Some(number)) = (arguments.first().and_then(Cell::int), arguments.get(1).and_then(Cell::int))
    else {
        return Cell::Text(None);
    };
    let comment = table(viewer, oid).and_then(|table| {
        let at = table.columns.get(usize::try_from(number).ok()?.checked_sub(1)?)?;
        table.remote.columns.get(*at)?.comment.clone()
    });
    Cell::Text(comment)
}

/// Of objects that there are none of: indexes, constraints, view texts, extended statistics, shared comments.
pub(super) fn nothing(_viewer: &Viewer, _arguments: &[Cell]) -> Cell {
    Cell::Text(None)
}

pub(super) fn no(_viewer: &Viewer, _arguments: &[Cell]) -> Cell {
    Cell::Bool(Some(false))
}

pub(super) fn zero(_viewer: &Viewer, _arguments: &[Cell]) -> Cell {
    Cell::Int(Some(0))
}
