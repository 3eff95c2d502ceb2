//! Schemas and relations: `pg_namespace`, `pg_class`, and the views and comments over them.
//! Must not know: columns (`attribute` does).

use super::System;
use super::{namespace_oid, schemas, virtual_oid};
use crate::catalog::{TableKind, TableSchema, Viewer};
use crate::pg_catalog::OWNER;
use crate::pg_catalog::relation::{Row, Value};

/// The oid of the heap access method.
const HEAP: u32 = 2;

pub(super) fn pg_namespace(_system: &[System], viewer: &Viewer) -> Vec<Row> {
    schemas(viewer)
        .into_iter()
        .map(|name| vec![("oid", namespace_oid(&name).into()), ("nspname", name.into()), ("nspowner", OWNER.into())])
        .collect()
}

/// `relkind` towards clients: a materialized view and a foreign table are read as tables are.
pub(super) fn relkind(table: &TableSchema) -> &'static str {
    match table.remote.kind {
        TableKind::View => "v",
        TableKind::MaterializedView => "m",
        TableKind::Table | TableKind::Partitioned | TableKind::Foreign => "r",
    }
}

pub(super) fn pg_class(system: &[System], viewer: &Viewer) -> Vec<Row> {
    let mut rows: Vec<Row> = viewer.world.tables().map(|table| table_row(table)).collect();
    for relation in system {
        let kind = if relation.schema == "pg_catalog" && relation.oid < 10000 { "r" } else { "v" };
        rows.push(class_row(relation.oid, relation.name, relation.schema, kind, relation.columns.len()));
    }
    for table in viewer.world.virtuals.iter().filter(|table| table.schema_name() == "tusk") {
        let columns = table.schema().fields().len();
        rows.push(class_row(virtual_oid("tusk", table.name()), table.name(), "tusk", "v", columns));
    }
    rows
}

fn table_row(table: &TableSchema) -> Row {
    let mut row = class_row(table.oid, &table.name.table, &table.name.schema, relkind(table), table.columns.len());
    // -1: never counted, as PostgreSQL says of a table that was not analysed.
    let estimate = table.remote.estimated_rows.map_or(-1.0, |rows| rows as f64);
    row.push(("reltuples", Value::Float(estimate)));
    row
}

fn class_row(oid: u32, name: &str, schema: &str, kind: &'static str, columns: usize) -> Row {
    vec![
        ("oid", oid.into()),
        ("relname", name.into()),
        ("relnamespace", namespace_oid(schema).into()),
        ("relowner", OWNER.into()),
        ("relam", if kind == "v" { 0 } else { HEAP }.into()),
        ("relpersistence", "p".into()),
        ("relkind", kind.into()),
        ("relnatts", (columns as i64).into()),
        ("relispopulated", true.into()),
        ("relreplident", "d".into()),
        ("relfrozenxid", "0".into()),
        ("relminmxid", "0".into()),
    ]
}

pub(super) fn pg_tables(_system: &[System], viewer: &Viewer) -> Vec<Row> {
    let tables = viewer.world.tables().filter(|table| relkind(table) == "r");
    tables
        .map(|table| {
            vec![
                ("schemaname", table.name.schema.as_str().into()),
                ("tablename", table.name.table.as_str().into()),
                ("tableowner", "tusk".into()),
                ("hasindexes", false.into()),
                ("hasrules", false.into()),
                ("hastriggers", false.into()),
                ("rowsecurity", false.into()),
            ]
        })
        .collect()
}

pub(super) fn pg_views(_system: &[System], viewer: &Viewer) -> Vec<Row> {
    let views = viewer
        .world
        .tables()
        .filter(|table| relkind(table) == "v")
        .map(|table| (&table.name.schema, &table.name.table));
    views
        .map(|(schema, name)| {
            vec![
                ("schemaname", schema.as_str().into()),
                ("viewname", name.as_str().into()),
                ("viewowner", "tusk".into()),
            ]
        })
        .collect()
}

pub(super) fn pg_description(_system: &[System], viewer: &Viewer) -> Vec<Row> {
    let row = |oid: u32, sub: i64, text: &str| -> Row {
        vec![
            ("objoid", oid.into()),
            ("classoid", 1259u32.into()),
            ("objsubid", sub.into()),
            ("description", text.into()),
        ]
    };
    let mut rows = Vec::new();
    for table in viewer.world.tables() {
        rows.extend(table.remote.comment.as_deref().map(|text| row(table.oid, 0, text)));
        for (number, at) in table.columns.iter().enumerate() {
            let comment = table.remote.columns.get(*at).and_then(|column| column.comment.as_deref());
            rows.extend(comment.map(|text| row(table.oid, number as i64 + 1, text)));
        }
    }
    for table in viewer.world.virtuals.iter().filter(|table| table.schema_name() == "tusk") {
        rows.push(row(virtual_oid("tusk", table.name()), 0, table.comment()));
    }
    rows
}
