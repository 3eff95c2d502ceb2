//! Text files (CSV, TSV, JSON, NDJSON): whole records in blocks, so that several threads can parse one file strictly.
//! Must not know: tables, queries.

mod blocks;
pub(super) mod csv;
pub(super) mod infer;
pub(super) mod json;
mod members;
mod split;

pub(super) use blocks::{Block, BlockReader};
pub(super) use split::Splitter;

use crate::error::{Error, Fault, SqlState};

/// The longest record in bytes.
pub(super) const MAX_RECORD_BYTES: usize = 16 * 1024 * 1024;

/// A record that cannot be read: what is wrong, and where.
#[derive(Debug, Clone)]
pub(super) struct BadRecord {
    pub(super) state: SqlState,
    pub(super) message: String,
    /// The line on which the record (or, for bad bytes, the byte) stands, from 1.
    pub(super) line: u64,
    /// The column, where one is to blame.
    pub(super) column: Option<String>,
}

impl BadRecord {
    pub(super) fn new(state: SqlState, line: u64, message: impl Into<String>) -> Self {
        BadRecord { state, message: message.into(), line, column: None }
    }

    pub(super) fn in_column(mut self, column: impl Into<String>) -> Self {
        self.column = Some(column.into());
        self
    }

    /// The error a client reads: PostgreSQL's words for COPY, with file, line and column as its context.
    pub(super) fn into_error(self, source: &str, file: &str) -> Error {
        let fault = if self.state == SqlState::PROGRAM_LIMIT_EXCEEDED { Fault::Resource } else { Fault::Source };
        let column = self.column.map_or_else(String::new, |column| format!(", column \"{column}\""));
        Error::new(self.state, fault, self.message)
            .with_context(format!("file \"{file}\" of source \"{source}\", line {}{column}", self.line))
    }
}
