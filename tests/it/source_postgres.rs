//! PostgreSQL as a source, through the library's own door, against a real server.
//! Must not know: the wire, the engine.

mod catalogs;
mod failures;
mod streams;
mod tls;
mod values;

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;
use tokio_postgres::Client;
use tusk::config::{Patterns, PostgresSettings, Secret, SslMode};
use tusk::error::Result;
use tusk::source::postgres::PostgresConnector;
use tusk::source::{RemoteQuery, ScanMeter, SqlReader};
use tusk::types::{PgType, field};

use crate::harness::postgres::{TestPostgres, eventually};

/// A login with a password, and what it may see.
const ACCOUNT: &str = "create role tusk login password 'right'; grant pg_read_all_data to tusk;";

fn settings(postgres: &TestPostgres) -> PostgresSettings {
    PostgresSettings {
        hosts: vec![("127.0.0.1".into(), postgres.port())],
        user: "tusk".into(),
        database: "postgres".into(),
        sslmode: SslMode::Prefer,
        password: Some(Secret::new("right".into())),
        schemas: None,
        pool_size: 4,
        connect_timeout: Duration::from_secs(5),
        statement_timeout: Duration::ZERO,
        writable: false,
        tls_ca: None,
        allow_functions: Vec::new(),
    }
}

fn connector(settings: &PostgresSettings) -> PostgresConnector {
    PostgresConnector::new("shop", settings, &Patterns::new(&["*".into()])).expect("connector")
}

fn column(name: &str, oid: u32) -> Field {
    field(name, PgType { oid, typmod: -1 }, true)
}

fn schema(columns: &[(&str, u32)]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|(name, oid)| column(name, *oid)).collect::<Vec<_>>()))
}

/// What the builder of SQL would hand over.
fn query(select: &str, schema: &SchemaRef) -> RemoteQuery {
    RemoteQuery {
        sql: format!("COPY ({select}) TO STDOUT (FORMAT binary)"),
        schema: Arc::clone(schema),
        described_by: Some(select.to_owned()),
        as_text: vec![false; schema.fields().len()],
        query_id: "q1".into(),
        meter: Arc::new(ScanMeter::default()),
    }
}

async fn rows(connector: &PostgresConnector, select: &str, columns: &[(&str, u32)]) -> Result<Vec<RecordBatch>> {
    connector.read(query(select, &schema(columns))).try_collect().await
}

/// Statements of the account that run at the server now.
async fn active(watcher: &Client) -> i64 {
    let sql = "select count(*) from pg_stat_activity where usename = 'tusk' and state <> 'idle'";
    watcher.query_one(sql, &[]).await.expect("pg_stat_activity").get(0)
}

/// Connections of the account at the server now.
async fn connected(watcher: &Client) -> i64 {
    let sql = "select count(*) from pg_stat_activity where usename = 'tusk'";
    watcher.query_one(sql, &[]).await.expect("pg_stat_activity").get(0)
}
