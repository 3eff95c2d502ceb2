//! Tests of the room: every answer in `*.txt` was written by a real PostgreSQL 15 over the tables in `tables.txt`.
//!
//! A file has for each statement its text (`Q`), the names and types of its columns (`T`) and its rows (`R`, NULL as ∅), or the
//! SQLSTATE and the message (`E`). A statement that we refuse (`0A000`) where PostgreSQL answers counts as refused, not as wrong: the
//! number of those is bounded, another answer never is.

mod stopping;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::Schema;
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider};
use datafusion::datasource::MemTable;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;

use super::*;
use crate::engine::datafusion::apply::physical;
use crate::error::Error;
use crate::sql;
use crate::types::{ColumnBuilder, FormatOptions, PgType, field, row_text};

fn facts() -> SessionFacts {
    SessionFacts {
        now_micros: 1_600_000_000_000_000,
        format: FormatOptions::default(),
        user: "ann".to_owned(),
        database: "tusk".to_owned(),
        search_path: vec!["shop".to_owned()],
        transaction: 3,
        started_micros: 0,
        client: None,
        server: None,
        pid: 42,
        setting: Arc::new(|name| (name == "timezone").then(|| "UTC".to_owned())),
        settings_change: false,
        acts: Arc::new(facts::Nowhere),
        notices: Default::default(),
    }
}

fn table(columns: &[(String, PgType)], rows: &[Vec<String>]) -> MemTable {
    let fields: Vec<_> = columns.iter().map(|(name, pg)| field(name, *pg, true)).collect();
    let arrays: Vec<ArrayRef> = columns
        .iter()
        .enumerate()
        .map(|(at, (_, pg))| {
            let mut builder = ColumnBuilder::new(*pg, rows.len());
            for row in rows {
                let text = Some(row[at].as_str()).filter(|text| *text != "\\N");
                builder.append_text(text, &FormatOptions::default()).unwrap();
            }
            builder.finish()
        })
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(schema.clone(), arrays).unwrap();
    MemTable::try_new(schema, vec![vec![batch]]).unwrap()
}

/// A table's name, its columns, its rows.
type Written = (String, Vec<(String, PgType)>, Vec<Vec<String>>);

fn tables() -> Vec<(String, MemTable)> {
    let mut found: Vec<Written> = Vec::new();
    for line in include_str!("tables.txt").lines() {
        match line.split_once(' ').filter(|(_, rest)| rest.contains(':') && !line.contains('|')) {
            Some((name, columns)) => {
                let columns = columns
                    .split(' ')
                    .map(|column| {
                        let (name, pg) = column.split_once(':').unwrap();
                        (name.to_owned(), PgType::from_name(pg).unwrap())
                    })
                    .collect();
                found.push((name.to_owned(), columns, Vec::new()));
            }
            None => found.last_mut().unwrap().2.push(line.split('|').map(str::to_owned).collect()),
        }
    }
    found.into_iter().map(|(name, columns, rows)| (name, table(&columns, &rows))).collect()
}

pub(super) fn state() -> SessionState {
    let config = SessionConfig::new().with_target_partitions(2).with_default_catalog_and_schema("tusk", "shop");
    let builder = install(SessionStateBuilder::new().with_config(with_facts(config, facts())).with_default_features());
    let state = builder.build();
    let schema = Arc::new(MemorySchemaProvider::new());
    for (name, table) in tables() {
        schema.register_table(name, Arc::new(table)).unwrap();
    }
    let catalog = Arc::new(MemoryCatalogProvider::new());
    catalog.register_schema("shop", schema).unwrap();
    state.catalog_list().register_catalog("tusk".to_owned(), catalog);
    state
}

/// A statement's columns (`name:type`) and rows as the test files have them.
type Answer = (String, Vec<String>);

async fn answer(text: &str, state: &SessionState) -> Result<Answer, Error> {
    let statement = sql::parse(text)?.remove(0);
    let bound = plan(&statement, state, &[]).await?;
    let names: Vec<String> = bound.names.unwrap().into_iter().flatten().collect();
    let fields = bound.logical.schema().fields().clone();
    let columns: Vec<String> = names
        .iter()
        .zip(&fields)
        .map(|(name, field)| format!("{name}:{}", crate::types::pg_type_of(field).display_name()))
        .collect();
    let physical = physical(&bound.logical, state).await.map_err(from_datafusion)?;
    let batches = datafusion::physical_plan::collect(physical, state.task_ctx()).await.map_err(from_datafusion)?;
    let mut rows = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let cells: Result<Vec<String>, Error> = batch
                .columns()
                .iter()
                .zip(&fields)
                .map(|(array, field)| {
                    let field = field.as_ref().clone().with_data_type(array.data_type().clone());
                    Ok(row_text(&field, array, row, &FormatOptions::default())?.unwrap_or_else(|| "∅".to_owned()))
                })
                .collect();
            rows.push(cells?.join("|").replace('\n', "\\n"));
        }
    }
    Ok((columns.join("|"), rows))
}

struct Expected {
    query: String,
    columns: String,
    rows: Vec<String>,
    error: Option<(String, String)>,
}

fn expected(file: &str) -> Vec<Expected> {
    let mut all: Vec<Expected> = Vec::new();
    for line in file.lines() {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        match kind {
            "Q" => all.push(Expected { query: rest.to_owned(), columns: String::new(), rows: vec![], error: None }),
            "T" => all.last_mut().unwrap().columns = rest.to_owned(),
            "R" => all.last_mut().unwrap().rows.push(rest.to_owned()),
            "E" => {
                let (code, message) = rest.split_once(' ').unwrap();
                all.last_mut().unwrap().error = Some((code.to_owned(), message.to_owned()));
            }
            _ => {}
        }
    }
    all
}

/// What differs, and what is refused.
async fn differences(file: &str) -> (Vec<String>, Vec<String>) {
    let state = state();
    let (mut wrong, mut refused) = (Vec::new(), Vec::new());
    for expected in expected(file) {
        let got = answer(&expected.query, &state).await;
        let query = &expected.query;
        match (&expected.error, got) {
            (None, Ok((columns, mut rows))) => {
                let mut wanted = expected.rows.clone();
                if !query.contains("order by") {
                    rows.sort();
                    wanted.sort();
                }
                if columns != expected.columns || rows != wanted {
                    wrong.push(format!(
                        "{query}\n   want {} {:?}\n   got  {columns} {rows:?}",
                        expected.columns, wanted
                    ));
                }
            }
            (None, Err(error)) if error.state().code() == "0A000" => {
                refused.push(format!("{query}: {}", error.message()));
            }
            (None, Err(error)) => {
                wrong.push(format!("{query}\n   want {:?}\n   got  error {}", expected.rows, error.chain()));
            }
            (Some((code, message)), Err(error)) => {
                if error.state().code() == "0A000" && code != "0A000" {
                    refused.push(format!("{query}: {}", error.message()));
                } else if error.state().code() != code || error.message() != message {
                    wrong.push(format!("{query}\n   want {code} {message}\n   got  {}", error.chain()));
                }
            }
            (Some((code, message)), Ok(got)) => {
                wrong.push(format!("{query}\n   want error {code} {message}\n   got  {got:?}"));
            }
        }
    }
    (wrong, refused)
}

async fn check(file: &str, most_refused: usize) {
    let (wrong, refused) = differences(file).await;
    if std::env::var_os("SHOW_REFUSED").is_some() {
        eprintln!("REFUSED {}\n{}", refused.len(), refused.join("\n"));
    }
    assert!(wrong.is_empty(), "{} differ from PostgreSQL:\n{}", wrong.len(), wrong.join("\n"));
    assert!(refused.len() <= most_refused, "{} refused:\n{}", refused.len(), refused.join("\n"));
}

#[tokio::test]
async fn expressions_answer_as_postgresql_does() {
    check(include_str!("expressions.txt"), 400).await;
}

#[tokio::test]
async fn functions_answer_as_postgresql_does() {
    check(include_str!("functions.txt"), 0).await;
}

#[tokio::test]
async fn rows_of_lists_and_json_answer_as_postgresql_does() {
    check(include_str!("sets.txt"), 0).await;
}

#[tokio::test]
async fn queries_answer_as_postgresql_does() {
    check(include_str!("queries.txt"), 400).await;
}

#[tokio::test]
async fn the_session_answers_from_its_facts() {
    let state = state();
    let cases = HashMap::from([
        ("select now()", "2020-09-13 12:26:40+00"),
        ("select current_date", "2020-09-13"),
        ("select current_user", "ann"),
        ("select current_database()", "tusk"),
        ("select current_schemas(true)", "{pg_catalog,shop}"),
        ("select current_setting('TimeZone')", "UTC"),
        ("select pg_backend_pid()", "42"),
    ]);
    for (query, expected) in cases {
        assert_eq!(answer(query, &state).await.unwrap().1, [expected], "{query}");
    }
    let error = answer("select current_setting('nope')", &state).await.unwrap_err();
    assert_eq!(error.message(), "unrecognized configuration parameter \"nope\"");
}

#[tokio::test]
async fn analytics_answer_as_postgresql_does() {
    check(include_str!("tpch.txt"), 0).await;
}

#[tokio::test]
async fn parameters_get_the_types_that_postgresql_gives_them() {
    let state = state();
    let cases: &[(&str, &[&str])] = &[
        ("select a from t where a > $1", &["integer"]),
        ("select a from t where i8 >= $1 limit $2", &["bigint", "bigint"]),
        ("select $1", &["text"]),
        ("select $1::int", &["integer"]),
        ("select $1 + 1", &["integer"]),
        ("select a from t where a = any($1)", &["integer[]"]),
        ("select a from t where b like $1", &["text"]),
        ("select a from t where c > $1 and d = $2 and ts < $3", &["numeric", "date", "timestamp without time zone"]),
        ("select a from t where a between $1 and $2", &["integer", "integer"]),
        ("select a from t where b in ($1, $2)", &["text", "text"]),
        ("select coalesce($1, 1)", &["integer"]),
        ("select case when $1 then 1 end", &["boolean"]),
        ("select a from t where $1", &["boolean"]),
        ("select d + $1::interval from t", &["interval"]),
        ("select $2::text, $1::date", &["date", "text"]),
        ("select upper($1)", &["text"]),
        ("select count(*) from t where s = $1", &["text"]),
    ];
    for (query, expected) in cases {
        let statement = sql::parse(query).unwrap().remove(0);
        let bound = plan(&statement, &state, &[]).await.unwrap_or_else(|error| panic!("{query}: {}", error.chain()));
        let types: Vec<String> = bound.parameters.iter().map(|pg| pg.display_name()).collect();
        assert_eq!(types, *expected, "{query}");
    }
    let statement = sql::parse("select $1 is null, $2::int").unwrap().remove(0);
    let bound = plan(&statement, &state, &[Some(PgType::DATE)]).await.unwrap();
    assert_eq!(bound.parameters, [PgType::DATE, PgType::INT4]);
}

async fn run(query: &str, values: &[(PgType, &str)]) -> Vec<String> {
    let state = state();
    let statement = sql::parse(query).unwrap().remove(0);
    let bound = plan(&statement, &state, &[]).await.unwrap();
    let scalars: Vec<_> = values
        .iter()
        .map(|(pg, text)| {
            let mut builder = ColumnBuilder::new(*pg, 1);
            builder.append_text(Some(text), &FormatOptions::default()).unwrap();
            datafusion::scalar::ScalarValue::try_from_array(&builder.finish(), 0).unwrap()
        })
        .collect();
    let logical = bind_parameters(&bound.logical, &bound.parameters, &scalars).unwrap();
    let physical = physical(&logical, &state).await.map_err(from_datafusion).unwrap();
    let batches = datafusion::physical_plan::collect(physical, state.task_ctx()).await.unwrap();
    let fields = logical.schema().fields().clone();
    let mut rows = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            rows.push(
                row_text(&fields[0], batch.column(0), row, &FormatOptions::default()).unwrap().unwrap_or_default(),
            );
        }
    }
    rows
}

#[tokio::test]
async fn parameters_carry_values() {
    let int = |text| (PgType::INT4, text);
    assert_eq!(run("select a from t where a > $1 order by a", &[int("3")]).await, ["4", "5"]);
    assert_eq!(run("select a from t order by a limit $1", &[(PgType::INT8, "2")]).await, ["1", "2"]);
    assert_eq!(run("select a from t where c > $1 order by a", &[(PgType::NUMERIC, "10.25")]).await, ["1", "2", "5"]);
    let list = (PgType::INT4_ARRAY, "{1,3,NULL}");
    assert_eq!(run("select a from t where a = any($1) order by a", &[list]).await, ["1", "3"]);
    assert_eq!(run("select a from t where b = $1 order by a", &[(PgType::TEXT, "two")]).await, ["2", "5"]);
    assert_eq!(run("select d - $1 from t where a = 1", &[(PgType::DATE, "1995-03-14")]).await, ["1"]);
}
