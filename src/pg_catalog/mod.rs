//! PostgreSQL's own catalogs, as this role may see them: every relation of PostgreSQL 15 is there with its columns; those that Tusk
//! has something for are filled, the others are empty.
//! Must not know: sources, statements, how the engine scans.

mod functions;
mod relation;
mod tables;

use std::collections::HashMap;
use std::sync::Arc;

pub use functions::all as functions;

use crate::catalog::VirtualTable;
use crate::types::PgType;
use relation::{Relation, Value};

/// Schema, relation, its oid, column, the column's type: read off a PostgreSQL 15, domains as their base types.
const COLUMNS: &str = include_str!("data/columns.tsv");

/// Rows that are the same everywhere, read off the same server: `#relation` and its columns, then rows in COPY's text form.
const ROWS: &str = include_str!("data/rows.tsv");

/// The oid of `pg_catalog`.
const PG_CATALOG: u32 = 11;

/// The oid of the one role that owns everything.
const OWNER: u32 = 10;

/// A relation of PostgreSQL's catalogs: its columns in order.
struct Listed {
    schema: &'static str,
    name: &'static str,
    oid: u32,
    columns: Vec<(String, PgType)>,
}

impl Listed {
    /// A table in PostgreSQL: its oid is fixed, as views' are not.
    fn is_table(&self) -> bool {
        self.schema == "pg_catalog" && self.oid < 10_000
    }
}

fn listed() -> Vec<Listed> {
    let mut all: Vec<Listed> = Vec::new();
    for line in COLUMNS.lines() {
        let mut fields = line.split('\t');
        let (Some(schema), Some(name), Some(oid), Some(column), Some(ty)) =
            (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let ty = PgType { oid: ty.parse().unwrap_or(PgType::TEXT.oid), typmod: -1 };
        match all.last_mut().filter(|last| last.name == name && last.schema == schema) {
            Some(last) => last.columns.push((column.to_owned(), ty)),
            None => {
                all.push(Listed { schema, name, oid: oid.parse().unwrap_or(0), columns: vec![(column.to_owned(), ty)] })
            }
        }
    }
    all
}

/// Rows that are the same everywhere, by relation.
fn fixed_rows() -> HashMap<&'static str, Vec<&'static str>> {
    let mut rows: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut current = "";
    for line in ROWS.lines() {
        match line.strip_prefix('#') {
            Some(head) => current = head.split('\t').next().unwrap_or_default(),
            None => rows.entry(current).or_default().push(line),
        }
    }
    rows
}

/// All relations of `pg_catalog` and `information_schema`.
#[must_use]
pub fn all() -> Vec<Arc<dyn VirtualTable>> {
    let listed = listed();
    let fixed = fixed_rows();
    let mut fills = tables::fills(&listed);
    listed
        .iter()
        .map(|relation| {
            let rows = fixed
                .get(relation.name)
                .filter(|_| relation.schema == "pg_catalog")
                .map(|lines| lines.iter().map(|line| parse_row(relation, line)).collect::<Vec<_>>());
            let fill = fills.remove(&(relation.schema, relation.name));
            let made = Relation::new(relation.schema, relation.name, &relation.columns, rows.unwrap_or_default(), fill);
            Arc::new(made.with_table(relation.is_table())) as Arc<dyn VirtualTable>
        })
        .collect()
}

fn parse_row(relation: &Listed, line: &str) -> Vec<Value> {
    line.split('\t').zip(&relation.columns).map(|(text, (_, ty))| relation::parse(*ty, text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_relation_has_its_columns_and_rows_fit() {
        let listed = listed();
        assert!(listed.len() > 180, "{}", listed.len());
        let fixed = fixed_rows();
        for (name, rows) in &fixed {
            let relation = listed.iter().find(|relation| relation.name == *name).unwrap();
            for row in rows {
                assert_eq!(row.split('\t').count(), relation.columns.len(), "{name}: {row}");
            }
        }
        assert!(fixed["pg_type"].len() > 100);
    }
}
