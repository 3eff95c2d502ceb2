//! SQLite sources through the library: schema, values, locks, damage, and that the file never changes.
//! Must not know: the wire.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::datatypes::Schema;
use arrow::util::display::array_value_to_string;
use futures::StreamExt;
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use tusk::config::{Patterns, SqliteSettings};
use tusk::error::{Error, SqlState};
use tusk::source::sqlite::SqliteConnector;
use tusk::source::{Access, Connector, RemoteQuery, RemoteSchema, ScanMeter, TableKind};
use tusk::types::{self, PgType};

fn database(folder: &Path, sql: &str) -> PathBuf {
    let path = folder.join("shop.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(sql).unwrap();
    connection.close().unwrap();
    path
}

fn connector(path: &Path) -> SqliteConnector {
    SqliteConnector::new("crm", &SqliteSettings { path: path.to_owned() }, &Patterns::new(&["*".to_owned()]))
}

fn query(sql: &str, columns: &[(&str, PgType)]) -> RemoteQuery {
    let fields: Vec<_> = columns.iter().map(|(name, ty)| types::field(*name, *ty, true)).collect();
    RemoteQuery {
        sql: sql.to_owned(),
        described_by: None,
        as_text: vec![false; fields.len()],
        schema: Arc::new(Schema::new(fields)),
        query_id: "test".to_owned(),
        meter: Arc::new(ScanMeter::default()),
    }
}

async fn rows(connector: &SqliteConnector, query: RemoteQuery) -> Result<Vec<String>, Error> {
    let Access::Sql(reader) = connector.access() else { panic!("SQLite takes SQL") };
    let mut stream = reader.read(query);
    let mut rows = Vec::new();
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            let values: Vec<String> =
                batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap()).collect();
            rows.push(values.join("|"));
        }
    }
    Ok(rows)
}

async fn state_of(connector: &SqliteConnector, sql: &str, columns: &[(&str, PgType)]) -> (SqlState, Error) {
    let error = rows(connector, query(sql, columns)).await.unwrap_err();
    (error.state(), error)
}

fn hashes(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), Sha256::digest(std::fs::read(&path).unwrap()).to_vec())).collect()
}

const SCHEMA: &str = "
    CREATE TABLE customer (
        id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL, balance DECIMAL(10,2), rate NUMERIC, born DATE, seen DATETIME,
        member BOOLEAN DEFAULT 0, score REAL, photo BLOB, extra JSON, loose, small TINYINT);
    INSERT INTO customer VALUES
        (1, 'Ada', 12.5, '0.1', '1990-02-28', '2024-01-31 10:20:30.5', 1, 1.5, x'00ff', '{\"a\":1}', 7, 3),
        (2, 'Zoë', -3, 2, NULL, '2024-01-31T10:20:30Z', 0, 3, NULL, NULL, 'x', NULL);
    CREATE TABLE tag (word TEXT COLLATE NOCASE, n INT, PRIMARY KEY (word, n)) WITHOUT ROWID;
    CREATE VIEW rich AS SELECT name, balance FROM customer WHERE balance > 0;
    CREATE VIRTUAL TABLE hidden USING fts5(body);";

fn table<'s>(schema: &'s RemoteSchema, name: &str) -> &'s tusk::source::RemoteTable {
    schema.tables.iter().find(|table| table.name == name).unwrap()
}

#[tokio::test]
async fn introspects_tables_views_and_types() {
    let folder = tempfile::tempdir().unwrap();
    let path = database(folder.path(), SCHEMA);
    let schema = connector(&path).introspect().await.unwrap();
    let names: Vec<&str> = schema.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["customer", "rich", "tag"]);
    assert!(schema.problems.iter().any(|problem| problem.contains("hidden")), "{:?}", schema.problems);
    let customer = table(&schema, "customer");
    let types: Vec<PgType> = customer.columns.iter().map(|column| column.ty).collect();
    assert_eq!(
        types,
        [
            PgType::INT8,
            PgType::TEXT,
            PgType::numeric(10, 2),
            PgType::NUMERIC,
            PgType::DATE,
            PgType::TIMESTAMP,
            PgType::BOOL,
            PgType::FLOAT8,
            PgType::BYTEA,
            PgType::JSON,
            PgType::TEXT,
            PgType::INT8
        ]
    );
    assert_eq!(customer.primary_key, [0]);
    assert!(customer.columns[0].not_null && customer.columns[1].not_null && !customer.columns[2].not_null);
    assert!(customer.columns.iter().all(|column| column.bytewise));
    assert_eq!(customer.columns[6].default.as_deref(), Some("0"));
    assert_eq!(customer.estimated_rows, Some(2));
    let tag = table(&schema, "tag");
    assert_eq!(tag.primary_key, [0, 1]);
    assert!(tag.columns[0].not_null && !tag.columns[0].bytewise && tag.columns[1].bytewise);
    assert_eq!(table(&schema, "rich").kind, TableKind::View);
    let only = SqliteConnector::new("crm", &SqliteSettings { path }, &Patterns::new(&["t*".to_owned()]));
    assert_eq!(only.introspect().await.unwrap().tables.len(), 1);
}

#[tokio::test]
async fn reads_values_of_every_type() {
    let folder = tempfile::tempdir().unwrap();
    let connector = connector(&database(folder.path(), SCHEMA));
    let schema = connector.introspect().await.unwrap();
    let columns: Vec<(&str, PgType)> =
        table(&schema, "customer").columns.iter().map(|column| (column.name.as_str(), column.ty)).collect();
    let read = rows(&connector, query("SELECT * FROM customer ORDER BY id", &columns)).await.unwrap();
    assert_eq!(
        read,
        [
            "1|Ada|12.50|0.1|1990-02-28|2024-01-31T10:20:30.500|true|1.5|00ff|{\"a\":1}|7|3",
            "2|Zoë|-3.00|2||2024-01-31T10:20:30|false|3.0|||x|"
        ]
    );
    let meter = Arc::new(ScanMeter::default());
    let mut counted = query("SELECT id FROM customer", &[("id", PgType::INT8)]);
    counted.meter = Arc::clone(&meter);
    rows(&connector, counted).await.unwrap();
    assert_eq!(meter.rows(), 2);
    let none: [(&str, PgType); 0] = [];
    let mut stream = match connector.access() {
        Access::Sql(reader) => reader.read(query("SELECT 1 FROM customer", &none)),
        Access::Files(_) => panic!("SQLite takes SQL"),
    };
    assert_eq!(stream.next().await.unwrap().unwrap().num_rows(), 2);
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn values_that_do_not_fit_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = database(
        folder.path(),
        "CREATE TABLE odd (i INTEGER, d DATE, b BLOB, m DECIMAL(6,2), t TEXT, f BOOLEAN);
         INSERT INTO odd VALUES ('x', 17000, 'text', 1.234, x'ff', 2);
         INSERT INTO odd (i, d, t) VALUES (1.5, 'yesterday', CAST(x'c328' AS TEXT));",
    );
    let connector = connector(&path);
    for (sql, ty, state) in [
        ("SELECT i FROM odd LIMIT 1", PgType::INT8, SqlState::INVALID_TEXT_REPRESENTATION),
        ("SELECT i FROM odd LIMIT 1 OFFSET 1", PgType::INT8, SqlState::INVALID_TEXT_REPRESENTATION),
        ("SELECT d FROM odd LIMIT 1", PgType::DATE, SqlState::INVALID_DATETIME_FORMAT),
        ("SELECT d FROM odd LIMIT 1 OFFSET 1", PgType::DATE, SqlState::INVALID_DATETIME_FORMAT),
        ("SELECT b FROM odd LIMIT 1", PgType::BYTEA, SqlState::INVALID_TEXT_REPRESENTATION),
        ("SELECT m FROM odd LIMIT 1", PgType::numeric(6, 2), SqlState::INVALID_TEXT_REPRESENTATION),
        ("SELECT t FROM odd LIMIT 1", PgType::TEXT, SqlState::INVALID_TEXT_REPRESENTATION),
        ("SELECT t FROM odd LIMIT 1 OFFSET 1", PgType::TEXT, SqlState::CHARACTER_NOT_IN_REPERTOIRE),
        ("SELECT f FROM odd LIMIT 1", PgType::BOOL, SqlState::INVALID_TEXT_REPRESENTATION),
        ("SELECT 40000", PgType::INT2, SqlState::NUMERIC_VALUE_OUT_OF_RANGE),
    ] {
        let (found, error) = state_of(&connector, sql, &[("c", ty)]).await;
        assert_eq!(found, state, "{sql}: {error}");
        assert!(error.context().unwrap().contains("source \"crm\", column \"c\""), "{error}");
        if sql.contains("odd") {
            assert!(error.context().unwrap().contains("of \"odd\""), "{:?}", error.context());
        }
    }
}

#[tokio::test]
async fn only_reading_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let path = database(folder.path(), SCHEMA);
    let before = hashes(folder.path());
    let connector = connector(&path);
    for sql in [
        "DELETE FROM customer",
        "ATTACH DATABASE '/tmp/tusk-attached.db' AS x",
        "PRAGMA journal_mode = WAL",
        "PRAGMA query_only = 0",
        "SELECT load_extension('x')",
        "CREATE TEMP TABLE t (a)",
        "VACUUM INTO '/tmp/tusk-vacuumed.db'",
        "SELECT * FROM pragma_database_list",
    ] {
        assert!(rows(&connector, query(sql, &[("a", PgType::TEXT)])).await.is_err(), "{sql}");
    }
    connector.introspect().await.unwrap();
    connector.ping().await.unwrap();
    assert_eq!(hashes(folder.path()), before);
}

#[tokio::test]
async fn a_write_ahead_log_is_read_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (a INT); INSERT INTO t VALUES (1);").unwrap();
    let connector = connector(&path);
    let one = || query("SELECT a FROM t", &[("a", PgType::INT8)]);
    let log = |folder: &Path| -> Vec<_> {
        hashes(folder).into_iter().filter(|(path, _)| !path.to_string_lossy().ends_with("-shm")).collect()
    };
    let before = log(folder.path());
    assert_eq!(rows(&connector, one()).await.unwrap(), ["1"]);
    assert_eq!(log(folder.path()), before);
    // After a clean end of the writer there is no log; reading must not bring its files back.
    writer.close().unwrap();
    let before = hashes(folder.path());
    assert_eq!(before.len(), 1);
    assert_eq!(rows(&connector, one()).await.unwrap(), ["1"]);
    assert_eq!(hashes(folder.path()), before);
    // A log that is needed, and a place for its index that cannot be had.
    std::fs::write(folder.path().join("shop.db-wal"), vec![7_u8; 4096]).unwrap();
    std::fs::create_dir(folder.path().join("shop.db-shm")).unwrap();
    let error = rows(&connector, one()).await.unwrap_err();
    assert_eq!(error.state(), SqlState::IO_ERROR, "{}", error.chain());
    assert!(error.hint().unwrap().contains("write-ahead log"));
}

#[tokio::test]
async fn a_lock_ends_in_55p03() {
    let folder = tempfile::tempdir().unwrap();
    let path = database(folder.path(), "CREATE TABLE t (a INT)");
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let begun = Instant::now();
    let (state, _) = state_of(&connector(&path), "SELECT a FROM t", &[("a", PgType::INT8)]).await;
    assert_eq!(state, SqlState::LOCK_NOT_AVAILABLE);
    assert!(begun.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn damage_and_absence_have_their_states() {
    let folder = tempfile::tempdir().unwrap();
    let path = database(
        folder.path(),
        "CREATE TABLE t (a TEXT); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO t SELECT 'row ' || i FROM n;",
    );
    let whole = std::fs::read(&path).unwrap();
    let connector = connector(&path);
    for length in [0, 8, 50, 99] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = connector.introspect().await.unwrap_err();
        assert_eq!(error.state(), SqlState::DATA_CORRUPTED, "cut to {length}: {error}");
        assert!(error.message().contains("shop.db"));
    }
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = rows(&connector, query("SELECT a FROM t", &[("a", PgType::TEXT)])).await.unwrap_err();
    assert_eq!(error.state(), SqlState::DATA_CORRUPTED, "{}", error.chain());
    std::fs::write(&path, b"not a database, but long enough to be taken for one").unwrap();
    assert_eq!(connector.introspect().await.unwrap_err().state(), SqlState::DATA_CORRUPTED);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(connector.introspect().await.unwrap_err().state(), SqlState::UNDEFINED_FILE);
    assert_eq!(connector.ping().await.unwrap_err().state(), SqlState::CONNECT_FAILED);
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let begun = Instant::now();
    assert_eq!(connector.introspect().await.unwrap_err().state(), SqlState::IO_ERROR);
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn dropping_the_stream_interrupts() {
    let folder = tempfile::tempdir().unwrap();
    let path = database(folder.path(), "CREATE TABLE t (a INT)");
    let connector = connector(&path);
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let Access::Sql(reader) = connector.access() else { panic!("SQLite takes SQL") };
    let query = query(endless, &[("count", PgType::INT8)]);
    let meter = Arc::downgrade(&query.meter);
    let mut stream = reader.read(query);
    let first = tokio::time::timeout(Duration::from_millis(300), stream.next()).await;
    assert!(first.is_err(), "an endless statement gave {first:?}");
    drop(stream);
    let begun = Instant::now();
    // The thread owns the query; when it is gone, so is the meter.
    while meter.upgrade().is_some() {
        assert!(begun.elapsed() < Duration::from_secs(1), "the statement went on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn large_results_stream_in_batches() {
    let folder = tempfile::tempdir().unwrap();
    let path = database(folder.path(), "CREATE TABLE t (a INT)");
    let connector = connector(&path);
    let Access::Sql(reader) = connector.access() else { panic!("SQLite takes SQL") };
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) SELECT i FROM n";
    let mut stream = reader.read(query(numbers, &[("i", PgType::INT8)]));
    let mut sizes = Vec::new();
    while let Some(batch) = stream.next().await {
        sizes.push(batch.unwrap().num_rows());
    }
    assert_eq!(sizes.iter().sum::<usize>(), 100_000);
    assert_eq!((sizes[0], sizes[1]), (512, 8192));
    // An error in the middle is an error, not an end.
    let late = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000) SELECT CASE WHEN i < 2500 THEN i ELSE abs(-9223372036854775807 - 1) END FROM n";
    let (state, error) = state_of(&connector, late, &[("i", PgType::INT8)]).await;
    assert_eq!(state, SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "{}", error.chain());
}
