//! Integration tests: one binary, everything through public doors.
//! Must not know: how anything is done inside.

#[allow(dead_code, reason = "each test uses a part of the harness")]
mod harness;

mod source_files;
mod source_sqlite;
