//! sqllogictest files of `tests/slt`, through the wire; those named `pg_*` hold for a real PostgreSQL with the same tables too.
//! Must not know: how statements are answered.
//!
//! Lines under `skipif Tusk` are what Tusk refuses so far. `REWRITE=1` writes the results of `pg_*` files anew, from PostgreSQL.

use std::fmt;
use std::path::PathBuf;

use sqllogictest::{DB, DBOutput, DefaultColumnType, Runner, default_validator, strict_column_validator};

use crate::harness::daemon::repository;
use crate::harness::federation::Federation;
use crate::harness::raw::Raw;

/// A session, as sqllogictest wants it.
struct Session(Raw);

/// A statement failed.
#[derive(Debug)]
struct Refusal {
    code: String,
    message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Refusal {}

impl DB for Session {
    type Error = Refusal;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Refusal> {
        let answer = self.0.ask(sql);
        if let Some(error) = answer.iter().find(|message| message.tag == b'E') {
            let fields = error.fields();
            return Err(Refusal { code: fields[&'C'].clone(), message: fields[&'M'].clone() });
        }
        let Some(described) = answer.iter().find(|message| message.tag == b'T') else {
            return Ok(DBOutput::StatementComplete(0));
        };
        let types = described.columns().iter().map(|column| kind(column.oid)).collect();
        let rows = answer.iter().filter(|message| message.tag == b'D');
        let rows = rows.map(|row| row.values().into_iter().map(shown).collect()).collect();
        Ok(DBOutput::Rows { types, rows })
    }

    fn engine_name(&self) -> &str {
        "postgres"
    }

    fn error_sql_state(error: &Refusal) -> Option<String> {
        Some(error.code.clone())
    }
}

fn kind(oid: u32) -> DefaultColumnType {
    match oid {
        20 | 21 | 23 | 26 => DefaultColumnType::Integer,
        700 | 701 | 1700 => DefaultColumnType::FloatingPoint,
        _ => DefaultColumnType::Text,
    }
}

fn shown(value: Option<Vec<u8>>) -> String {
    match value.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()) {
        None => "NULL".into(),
        Some(text) if text.is_empty() => "(empty)".into(),
        Some(text) => text.replace('\n', "\\n"),
    }
}

/// Files and whether PostgreSQL is asked too.
fn files() -> Vec<(PathBuf, bool)> {
    let entries = std::fs::read_dir(repository("tests/slt")).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "slt"));
    files.sort();
    let of_postgres = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("pg_");
    files.into_iter().map(|path| (path.clone(), of_postgres(&path))).collect()
}

#[expect(clippy::ptr_arg, reason = "the type that sqllogictest asks for")]
fn normalize(text: &String) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_hold_for_tusk_and_for_postgresql() {
    let rewrite = std::env::var_os("REWRITE").is_some();
    let federation = Federation::start().await;
    let places = [
        ("PostgreSQL", federation.postgres.port(), "postgres", "oracle"),
        ("Tusk", federation.tusk.port(), "ana", "tusk"),
    ];
    let mut wrong = Vec::new();
    let files = files();
    for (path, of_postgres) in &files {
        for (whose, port, user, database) in places {
            if whose == "PostgreSQL" && !of_postgres {
                continue;
            }
            let mut runner = Runner::new(|| async move { Ok(Session(Raw::login(port, user, database))) });
            runner.with_normalizer(normalize);
            // `skipif Tusk` in a file: what Tusk refuses so far.
            runner.add_label(whose);
            runner.with_column_validator(strict_column_validator);
            if whose == "PostgreSQL" && rewrite {
                let written =
                    runner.update_test_file(path, " ", default_validator, normalize, strict_column_validator).await;
                written.unwrap();
            }
            if let Err(error) = runner.run_file_async(path).await {
                wrong.push(format!("{whose}: {}", error.display(false)));
            }
        }
    }
    eprintln!("{} files", files.len());
    assert!(!files.is_empty() && wrong.is_empty(), "{}", wrong.join("\n"));
}
