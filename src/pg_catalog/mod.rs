//! PostgreSQL's own catalogs, as this role may see them: every relation of PostgreSQL 15 is there with its columns; those that Tusk
//! has something for are filled, the others are empty.
//! Must not know: sources, statements, how the engine scans.

mod definitions;
mod facts;
mod functions;
mod inheritance;
mod objects;
mod own;
mod own_types;
mod relation;
mod renamed;
mod rights;
mod row_types;
mod tables;

use std::sync::{Arc, OnceLock};

pub use functions::{all as functions, names as function_names};

use crate::catalog::VirtualTable;
use crate::session::SessionRegistry;
use crate::types::PgType;
use own::OwnView;
use relation::Relation;

/// The oid of `pg_catalog`.
const PG_CATALOG: u32 = 11;

/// The oid of `information_schema`, as a freshly initialised PostgreSQL 15 has it.
const INFORMATION_SCHEMA: u32 = 13183;

/// The oid of the one role that owns everything.
const OWNER: u32 = 10;

/// The name of that role.
const OWNER_NAME: &str = "tusk";

/// A relation of PostgreSQL's catalogs: its columns in order.
struct Listed {
    schema: &'static str,
    name: &'static str,
    oid: u32,
    columns: Vec<(String, PgType)>,
    /// For each column whether it is NOT NULL.
    not_null: Vec<bool>,
}

impl Listed {
    /// A table in PostgreSQL: its oid is fixed, as views' are not.
    fn is_table(&self) -> bool {
        self.schema == "pg_catalog" && self.oid < 10_000
    }
}

/// Name and argument types of the functions, aggregates and window functions that the engine can run: decides which procedures are
/// listed. Types, operators and casts are all listed: what the engine does not have of them, a PostgreSQL source runs.
static OFFERED: OnceLock<Vec<(String, Vec<u32>)>> = OnceLock::new();

/// All relations of `pg_catalog` and `information_schema`. `offered`: the functions that the engine can run; `registry` has what sessions have
/// prepared and declared.
#[must_use]
pub fn all(offered: Vec<(String, Vec<u32>)>, registry: &Arc<SessionRegistry>) -> Vec<Arc<dyn VirtualTable>> {
    // One engine for the daemon: what was said first holds.
    let _ = OFFERED.set(offered);
    let fills = tables::fills();
    facts::relations()
        .iter()
        .map(|listed| {
            let lines = if listed.schema == "pg_catalog" { facts::lines(listed.name) } else { Vec::new() };
            let fill = fills.get(&(listed.schema, listed.name)).copied();
            OwnView::over(Relation::new(listed, lines, fill), registry)
        })
        .collect()
}
