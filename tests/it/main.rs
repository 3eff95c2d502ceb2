//! Integration tests: one binary, everything through public doors.
//! Must not know: how anything is done inside.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "each test uses a part of the harness")]
mod harness;

mod source_files;
mod source_sqlite;
