//! Whether relations are such that a whole statement over them may run at their source.
//! Must not know: statements.

use std::sync::Arc;

use crate::catalog::{Relation, TableSchema, World};
use crate::config::SourceKind;

/// Why a statement cannot be passed through, for people: the rest of a sentence that begins with "It".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CannotPass(pub String);

/// The one PostgreSQL source of all relations; of none, the first of the search path that is up.
///
/// # Errors
/// Why there is none.
pub fn can_pass<'a>(
    relations: impl Iterator<Item = &'a Relation>,
    world: &World,
    search_path: &[String],
) -> Result<Arc<str>, CannotPass> {
    let mut found: Option<Arc<str>> = None;
    for relation in relations {
        let Relation::Table(table) = relation else { return Err(CannotPass("reads system views".to_owned())) };
        plain(table)?;
        match &found {
            Some(source) if *source != table.source => {
                return Err(CannotPass(format!("reads {source} and {}", table.source)));
            }
            _ => found = Some(Arc::clone(&table.source)),
        }
    }
    found
        .or_else(|| first(world, search_path))
        .ok_or_else(|| CannotPass("has no PostgreSQL source to run at".to_owned()))
}

/// Whether expressions over a table mean at its source what they mean here.
fn plain(table: &TableSchema) -> Result<(), CannotPass> {
    if table.kind != SourceKind::Postgres {
        return Err(CannotPass(format!("reads {}, which is no PostgreSQL", table.source)));
    }
    let odd = table.columns.iter().filter_map(|at| table.remote.columns.get(*at)).find(|column| !column.plain);
    match odd {
        // With operators of its own, which are not in pg_catalog.
        Some(column) => Err(CannotPass(format!("reads column \"{}\", whose type is the source's own", column.name))),
        None => Ok(()),
    }
}

fn first(world: &World, search_path: &[String]) -> Option<Arc<str>> {
    let tables = search_path.iter().filter_map(|schema| world.schemas.get(schema));
    let mut sources = tables.filter_map(|tables| tables.values().next());
    sources
        .find(|table| table.kind == SourceKind::Postgres && !world.stale.contains(&table.source))
        .map(|t| Arc::clone(&t.source))
}
