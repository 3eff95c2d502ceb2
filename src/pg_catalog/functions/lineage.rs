//! What tables are divided by and descend from, and the sequences of their columns, as functions tell it.
//! Must not know: how the engine calls them.

use super::registered;
use super::row_function::Cell;
use crate::catalog::{TableSchema, Viewer};
use crate::error::{Error, SqlState};
use crate::names::quote_if_needed;
use crate::pg_catalog::definitions::column_name;
use crate::pg_catalog::inheritance::partitioning;
use crate::pg_catalog::objects::{Objects, What};
use crate::pg_catalog::relation::Rows;

fn oid(arguments: &[Cell]) -> Option<u32> {
    arguments.first().and_then(Cell::oid)
}

/// `pg_get_partkeydef`.
pub(super) fn partition_key(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let objects = Objects::of(viewer);
    let key = oid(arguments).and_then(|oid| objects.class(oid)).and_then(|class| match &class.what {
        What::Table(table) => partitioning(table).map(|(by, _)| by.key.clone()),
        _ => None,
    });
    Cell::Text(key)
}

/// `pg_get_partition_constraintdef`. It names columns: who does not see them all is not told.
pub(super) fn partition_condition(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let objects = Objects::of(viewer);
    let whole = |table: &TableSchema| table.columns.len() == table.remote.columns.len();
    let condition = oid(arguments).and_then(|oid| objects.class(oid)).and_then(|class| match &class.what {
        What::Table(table) if whole(table) => table.remote.lineage.condition.clone(),
        _ => None,
    });
    Cell::Text(condition)
}

/// Whether a relation is divided or a part of another.
fn is_divided(objects: &Objects, oid: u32) -> bool {
    let divided = match objects.class(oid).map(|class| &class.what) {
        Some(What::Table(table)) => partitioning(table).is_some(),
        Some(What::Index(at)) => objects.indexes.get(*at).is_some_and(|index| partitioning(&index.table).is_some()),
        _ => false,
    };
    divided || objects.inheritance.is_partition(oid)
}

/// `pg_partition_root`.
pub(super) fn root(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let objects = Objects::of(viewer);
    match registered::relation_of(viewer, arguments.first()) {
        Ok(found) => {
            let divided = found.filter(|oid| is_divided(&objects, *oid));
            let root = divided.and_then(|oid| objects.inheritance.ancestors(oid).last().copied());
            Cell::Int(root.map(i64::from))
        }
        Err(error) => Cell::fault(error),
    }
}

/// The relation that a set function is asked of, if it is divided or a part of another.
fn divided(viewer: &Viewer, objects: &Objects, arguments: &[Cell]) -> Option<u32> {
    let found = registered::relation_of(viewer, arguments.first()).ok().flatten();
    found.filter(|oid| is_divided(objects, *oid))
}

/// `pg_partition_ancestors`: itself first.
pub(super) fn ancestors(viewer: &Viewer, arguments: &[Cell], rows: &mut Rows) {
    let objects = Objects::of(viewer);
    let Some(oid) = divided(viewer, &objects, arguments) else { return };
    objects.inheritance.ancestors(oid).into_iter().for_each(|oid| rows.push(&[("relid", oid.into())]));
}

/// `pg_partition_tree`: itself first.
pub(super) fn tree(viewer: &Viewer, arguments: &[Cell], rows: &mut Rows) {
    let objects = Objects::of(viewer);
    let Some(oid) = divided(viewer, &objects, arguments) else { return };
    for (relation, level) in objects.inheritance.tree(oid) {
        let parent = objects.inheritance.parents(relation).first().copied();
        let parent = parent.filter(|_| objects.inheritance.is_partition(relation));
        let leaf = match objects.class(relation).map(|class| &class.what) {
            Some(What::Table(table)) => partitioning(table).is_none(),
            Some(What::Index(at)) => objects.indexes.get(*at).is_none_or(|index| partitioning(&index.table).is_none()),
            _ => true,
        };
        rows.push(&[
            ("relid", relation.into()),
            ("parentrelid", parent.into()),
            ("isleaf", leaf.into()),
            ("level", level.into()),
        ]);
    }
}

/// `pg_get_serial_sequence(table, column)`: the name of a table is read as SQL reads it, that of a column as it stands.
pub(super) fn serial_sequence(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let Some(column) = arguments.get(1).and_then(Cell::text).filter(|_| !arguments.iter().any(Cell::is_null)) else {
        return Cell::Text(None);
    };
    let found = match registered::relation_of(viewer, arguments.first()) {
        Ok(found) => found,
        Err(error) => return Cell::fault(error),
    };
    let objects = Objects::of(viewer);
    let Some(class) = found.and_then(|oid| objects.class(oid)) else { return Cell::Text(None) };
    let numbered = match &class.what {
        What::Table(table) => {
            (1..=table.columns.len() as i64).find(|number| column_name(table, *number) == Some(column))
        }
        _ => None,
    };
    let Some(number) = numbered else {
        let message = format!("column \"{column}\" of relation \"{}\" does not exist", class.name);
        return Cell::fault(Error::client(SqlState::UNDEFINED_COLUMN, message));
    };
    let sequence = objects.owned_by(class.oid, number).map(|sequence| &sequence.name);
    Cell::Text(sequence.map(|name| format!("{}.{}", quote_if_needed(&name.schema), quote_if_needed(&name.table))))
}

/// `pg_sequence_last_value`: nobody may read a sequence.
pub(super) fn last_value(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let found = match registered::relation_of(viewer, arguments.first()) {
        Ok(found) => found,
        Err(error) => return Cell::fault(error),
    };
    let objects = Objects::of(viewer);
    match found.and_then(|oid| objects.class(oid)) {
        Some(class) => {
            let message = format!("permission denied for sequence {}", class.name);
            Cell::fault(Error::policy(SqlState::INSUFFICIENT_PRIVILEGE, message))
        }
        None => Cell::Int(None),
    }
}
