//! Random statements over every kind of source give what PostgreSQL gives (`tests/random/statements.py` makes and compares them).
//! Must not know: what a statement may be made of.

use std::process::Command;

use crate::harness::daemon::{Daemon, Setup};
use crate::harness::federation::READER;
use crate::harness::postgres::TestPostgres;

/// Statements of one run; more by TUSK_TEST_STATEMENTS.
const STATEMENTS: &str = "250";

/// The seed of a run; another by TUSK_TEST_SEED.
const SEED: &str = "20261126";

fn script(arguments: &[&str]) {
    let python = std::env::var("TUSK_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/random/statements.py");
    let output = Command::new(python).arg(path).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_statements_answer_as_postgresql() {
    let postgres = TestPostgres::start();
    postgres.exec("create database oracle").await;
    let files = tempfile::tempdir().unwrap();
    let port = postgres.port();
    let conninfo = |database: &str| format!("host=127.0.0.1 port={port} user=postgres dbname={database}");
    script(&["prepare", &conninfo("postgres"), &conninfo("oracle"), files.path().to_str().unwrap()]);
    let config = format!(
        r#"
[[source]]
name = "pgs"
type = "postgres"
url = "postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable"
schemas = {{ pgs = "pgs" }}

[[source]]
name = "lake"
type = "files"
path = "{folder}/lake"

[[source]]
name = "lite"
type = "sqlite"
path = "{folder}/lite.db"

{READER}
"#,
        folder = files.path().display()
    );
    let tusk = Daemon::start(&Setup::trusting(config));
    let ours = format!("host=127.0.0.1 port={} user=ana dbname=tusk", tusk.port());
    let set = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let (seed, count) = (set("TUSK_TEST_SEED", SEED), set("TUSK_TEST_STATEMENTS", STATEMENTS));
    script(&["compare", &ours, &conninfo("oracle"), &seed, &count]);
}
