//! What a SQLite file holds: tables and views with their columns, keys and estimates.
//! Must not know: how rows are read.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rusqlite::Connection;

use super::keys::{self, Keyed};
use super::open::{Database, Opened};
use super::{collate, declared};
use crate::config::Patterns;
use crate::error::Result;
use crate::source::{Lineage, RemoteColumn, RemoteSchema, RemoteTable, TableKind, Written};
use crate::types::PgType;

/// A table as `sqlite_schema` and `table_list` name it.
struct Found {
    name: String,
    kind: TableKind,
    without_rowid: bool,
    sql: String,
}

/// Reads the schema. Tables of extensions (virtual tables) are not mounted: reading them runs code that the file chooses.
pub(super) fn introspect(database: &Database, patterns: &Patterns, stop: Arc<AtomicBool>) -> Result<RemoteSchema> {
    let opened = database.open(stop)?;
    let schema = read_schema(&opened.connection, patterns).map_err(|e| database.error(e))?;
    finish(database, &opened, schema)
}

fn finish(database: &Database, opened: &Opened, schema: RemoteSchema) -> Result<RemoteSchema> {
    opened.check_unchanged(database)?;
    Ok(schema)
}

fn read_schema(connection: &Connection, patterns: &Patterns) -> rusqlite::Result<RemoteSchema> {
    // One snapshot for all of it.
    connection.execute_batch("BEGIN")?;
    let mut schema = RemoteSchema::default();
    let found = find_tables(connection, patterns, &mut schema.problems)?;
    let encoding: String = connection.query_row("PRAGMA encoding", [], |row| row.get(0))?;
    // UTF-16 compares other bytes. A view hands down the collations of the tables below it.
    let bytes_are_utf8 = encoding == "UTF-8";
    let any_collation = any_collation(connection)?;
    let estimates = estimates(connection)?;
    for table in found {
        let named = match table.kind {
            TableKind::View => any_collation,
            _ => collate::names_collation(&table.sql),
        };
        let columns = match read_columns(connection, &table, bytes_are_utf8 && !named) {
            Ok(columns) => columns,
            // A view over something that is gone: the others are still good.
            Err(e) if table.kind == TableKind::View && is_sql_error(&e) => {
                schema.problems.push(format!("view \"{}\" cannot be read: {e}", table.name));
                continue;
            }
            Err(e) => return Err(e),
        };
        let estimated_rows = match estimates.get(&table.name) {
            Some(rows) => Some(*rows),
            None => last_rowid(connection, &table)?,
        };
        let keyed = Keyed { name: &table.name, columns: &columns.columns, primary_key: &columns.primary_key };
        let keys = if table.kind == TableKind::Table { keys::read(connection, &keyed)? } else { keys::Keys::default() };
        schema.tables.push(Arc::new(RemoteTable {
            schema: String::new(),
            name: table.name,
            kind: table.kind,
            columns: columns.columns,
            primary_key: columns.primary_key,
            constraints: keys.constraints,
            indexes: keys.indexes,
            comment: None,
            estimated_rows,
            // Which pages are whose only SQLite's optional tables tell.
            sizes: Arc::default(),
            definition: None,
            reads: Vec::new(),
            lineage: Lineage::default(),
            whole: false,
            oid: 0,
            row_types: (0, 0),
            handle: None,
        }));
    }
    connection.execute_batch("COMMIT")?;
    Ok(schema)
}

fn is_sql_error(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::Unknown)
}

fn find_tables(
    connection: &Connection,
    patterns: &Patterns,
    problems: &mut Vec<String>,
) -> rusqlite::Result<Vec<Found>> {
    let mut statement = connection.prepare(
        "SELECT l.name, l.type, l.wr, coalesce(s.sql, '') FROM pragma_table_list AS l \
         JOIN main.sqlite_schema AS s ON s.name = l.name AND s.type IN ('table', 'view') \
         WHERE l.schema = 'main' AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY l.name",
    )?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if !patterns.matches(&name) {
            continue;
        }
        let kind = match row.get_ref(1)?.as_str().unwrap_or_default() {
            "table" => TableKind::Table,
            "view" => TableKind::View,
            "virtual" => {
                problems.push(format!("table \"{name}\" is a virtual table and is not mounted"));
                continue;
            }
            // Shadow tables are the inside of a virtual table.
            _ => continue,
        };
        found.push(Found { name, kind, without_rowid: row.get(2)?, sql: row.get(3)? });
    }
    Ok(found)
}

fn any_collation(connection: &Connection) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare("SELECT sql FROM main.sqlite_schema WHERE sql IS NOT NULL")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if row.get_ref(0)?.as_str().map_or(true, collate::names_collation) {
            return Ok(true);
        }
    }
    Ok(false)
}

struct Columns {
    columns: Vec<RemoteColumn>,
    primary_key: Vec<usize>,
}

fn read_columns(connection: &Connection, table: &Found, bytewise: bool) -> rusqlite::Result<Columns> {
    let mut statement = connection
        .prepare("SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1) ORDER BY cid")?;
    let mut rows = statement.query([&table.name])?;
    let mut columns = Vec::new();
    let mut key: Vec<(i64, usize, String)> = Vec::new();
    while let Some(row) = rows.next()? {
        // 1: a hidden column of a virtual table. 2 and 3: generated columns, whose expression is not told.
        let hidden: i64 = row.get(5)?;
        if hidden == 1 {
            continue;
        }
        let name: String = row.get(0)?;
        let declared: String = row.get::<_, Option<String>>(1)?.unwrap_or_default();
        let position: i64 = row.get(4)?;
        if position > 0 {
            key.push((position, columns.len(), declared.clone()));
        }
        let ty = declared::pg_type(&declared);
        columns.push(RemoteColumn {
            name,
            ty,
            not_null: row.get(2)?,
            remote_type: String::new(),
            own: None,
            bytewise: bytewise || !is_text(ty),
            default: row.get::<_, Option<String>>(3)?.map(Written::once),
            generated: false,
            identity: None,
            comment: None,
            declared: None,
            plain: false,
            number: 0,
            inherited: 0,
            local: true,
            collation: 0,
        });
    }
    key.sort_by_key(|(position, ..)| *position);
    // SQLite lets NULL into primary keys, except for the rowid's own column and tables without rowid.
    let is_rowid = matches!(key.as_slice(), [(_, _, declared)] if declared.eq_ignore_ascii_case("INTEGER"));
    if is_rowid || table.without_rowid {
        for (_, at, _) in &key {
            columns[*at].not_null = true;
        }
    }
    Ok(Columns { columns, primary_key: key.into_iter().map(|(_, at, _)| at).collect() })
}

fn is_text(ty: PgType) -> bool {
    matches!(ty, PgType::TEXT | PgType::UUID | PgType::JSON | PgType::JSONB)
}

/// Rows as ANALYZE counted them: the first number of an index's statistics.
fn estimates(connection: &Connection) -> rusqlite::Result<HashMap<String, u64>> {
    let analyzed: bool = connection.query_row(
        "SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name = 'sqlite_stat1'",
        [],
        |row| row.get(0),
    )?;
    let mut estimates = HashMap::new();
    if !analyzed {
        return Ok(estimates);
    }
    let mut statement = connection.prepare("SELECT tbl, stat FROM main.sqlite_stat1")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (Ok(table), Ok(stat)) = (row.get_ref(0)?.as_str(), row.get_ref(1)?.as_str()) else { continue };
        let Some(count) = stat.split_ascii_whitespace().next().and_then(|count| count.parse().ok()) else { continue };
        let known: &mut u64 = estimates.entry(table.to_owned()).or_default();
        *known = (*known).max(count);
    }
    Ok(estimates)
}

/// The largest rowid: found at the right edge of the tree, and seldom far from the number of rows.
fn last_rowid(connection: &Connection, table: &Found) -> rusqlite::Result<Option<u64>> {
    if table.kind != TableKind::Table || table.without_rowid {
        return Ok(None);
    }
    let sql = format!("SELECT max(_rowid_) FROM main.{}", crate::names::quote(&table.name));
    match connection.query_row(&sql, [], |row| row.get::<_, Option<i64>>(0)) {
        Ok(last) => Ok(Some(last.and_then(|last| u64::try_from(last).ok()).unwrap_or(0))),
        // A column of that name hides the rowid and holds something else.
        Err(rusqlite::Error::InvalidColumnType(..)) => Ok(None),
        Err(e) if is_sql_error(&e) => Ok(None),
        Err(e) => Err(e),
    }
}
