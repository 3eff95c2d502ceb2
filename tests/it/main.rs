//! Integration tests: one binary, everything through public doors.
//! Must not know: how anything is done inside.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "each test uses a part of the harness")]
mod harness;

mod auth;
mod catalog;
mod clients;
mod config;
mod ctype;
mod cursors;
mod demo;
mod errors;
mod evaluation;
mod explain;
mod federated;
mod hostile;
mod json_values;
mod limits;
mod observe;
mod ordering;
mod own_types;
mod passthrough;
mod random;
mod regression;
mod roles;
mod rows_read;
mod schema_cache;
mod semantics;
mod slt;
mod source_files;
mod source_postgres;
mod source_sqlite;
mod sources_down;
mod streaming;
mod subqueries;
mod tidy;
mod transcripts;
mod types_matrix;
mod types_roundtrip;
mod wire;
