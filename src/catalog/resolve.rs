//! From a name in a statement to the one relation that it means, in a role's world.
//! Must not know: why a name is not in the world (denied and missing are the same here).

use std::sync::Arc;

use super::{TableSchema, VirtualTable, World};
use crate::error::{Error, Result, SqlState};
use crate::names::{TableName, quote_if_needed};
use crate::sql::TableRef;

/// What a name means.
#[derive(Debug, Clone)]
pub enum Relation {
    /// A table of a source.
    Table(Arc<TableSchema>),
    /// A relation that Tusk fills.
    Virtual(Arc<dyn VirtualTable>),
}

/// Finds the relation that a reference means: `pg_catalog` first for unqualified names, then the search path in order.
///
/// # Errors
/// `42P01` with PostgreSQL's text and the position; `08001` where a source that may hold it has not been reached; `0A000` for
/// another database; whatever is wrong with a table that is known to be broken.
pub fn resolve(world: &World, database: &str, search_path: &[String], table: &TableRef) -> Result<Relation> {
    if let Some(catalog) = table.catalog.as_deref().filter(|catalog| *catalog != database) {
        let name = format!("{catalog}.{}.{}", table.schema.as_deref().unwrap_or_default(), table.table);
        return Err(Error::unsupported(format!("cross-database references are not implemented: \"{name}\""))
            .with_position(table.position));
    }
    let found = match &table.schema {
        Some(schema) => qualified(world, schema, &table.table)?,
        None => unqualified(world, search_path, &table.table)?,
    };
    found.map_or_else(|| Err(missing(world, search_path, table)), Ok)
}

fn qualified(world: &World, schema: &str, name: &str) -> Result<Option<Relation>> {
    if let Some(table) = world.virtuals.get(schema, name) {
        return Ok(Some(Relation::Virtual(Arc::clone(table))));
    }
    if let Some(table) = world.table(schema, name) {
        return Ok(Some(Relation::Table(Arc::clone(table))));
    }
    match world.broken.get(&TableName::new(schema, name)) {
        Some(error) => Err(error.clone()),
        None => Ok(None),
    }
}

fn unqualified(world: &World, search_path: &[String], name: &str) -> Result<Option<Relation>> {
    // PostgreSQL searches pg_catalog first, unless the path names it.
    let implicit = if search_path.iter().any(|schema| schema == "pg_catalog") { None } else { Some("pg_catalog") };
    for schema in implicit.into_iter().chain(search_path.iter().map(String::as_str)) {
        if let Some(relation) = qualified(world, schema, name)? {
            return Ok(Some(relation));
        }
    }
    Ok(None)
}

fn missing(world: &World, search_path: &[String], table: &TableRef) -> Error {
    let unreached = world.unavailable.iter().find(|source| match &table.schema {
        Some(schema) => source.mounts.may_mount(schema),
        None => search_path.iter().any(|schema| source.mounts.may_mount(schema)),
    });
    if let Some(source) = unreached {
        return source.error.clone().with_position(table.position);
    }
    if let Some(sequence) = sequence(world, search_path, table) {
        let message = format!("permission denied for sequence {}", sequence.table);
        return Error::policy(SqlState::INSUFFICIENT_PRIVILEGE, message);
    }
    let name = match &table.schema {
        Some(schema) => format!("{schema}.{}", table.table),
        None => table.table.clone(),
    };
    Error::client(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
        .with_position(table.position)
}

/// The sequence that a name means: it can be named, and nobody may read it.
fn sequence<'w>(world: &'w World, search_path: &[String], table: &TableRef) -> Option<&'w TableName> {
    let named = |schema: &str| {
        let mut names = world.sequences.iter().map(|sequence| &sequence.name);
        names.find(|name| name.schema == schema && name.table == table.table)
    };
    match &table.schema {
        Some(schema) => named(schema),
        None => search_path.iter().find_map(|schema| named(schema)),
    }
}

/// The schemas of a search path that exist in this world, in order.
#[must_use]
pub fn existing(world: &World, search_path: &[String]) -> Vec<String> {
    search_path
        .iter()
        .filter(|schema| {
            world.schemas.contains_key(*schema)
                || world.virtuals.has_schema(schema)
                || world.unavailable.iter().any(|source| source.mounts.may_mount(schema))
        })
        .cloned()
        .collect()
}

/// A column's name as PostgreSQL prints it in messages.
#[must_use]
pub fn column_missing(relation: Option<&str>, column: &str) -> Error {
    let text = match relation {
        Some(relation) => format!("column {}.{} does not exist", quote_if_needed(relation), quote_if_needed(column)),
        None => format!("column \"{column}\" does not exist"),
    };
    Error::client(SqlState::UNDEFINED_COLUMN, text)
}
