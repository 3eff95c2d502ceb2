//! `COPY ... FROM STDIN` at a PostgreSQL source, in a transaction of its own: all of the rows or none.
//! Must not know: where the data come from, who may add what.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::SinkExt;
use tokio::time::timeout;
use tokio_postgres::CopyInSink;

use super::errors;
use super::pool::{Lease, Pool};
use crate::error::{Error, Result, SqlState};
use crate::source::{Load, LoadQuery};

/// Bytes of one message to the source: what a client sends in one piece is not held in one piece here.
const PIECE: usize = 64 << 10;

/// How long a COMMIT may take. It is not cancelled with its statement: nobody would know whether it had happened.
const COMMIT_TIME: Duration = Duration::from_secs(60);

/// Opens a transaction and begins to load.
pub(super) async fn load(pool: &Arc<Pool>, query: LoadQuery) -> Result<Box<dyn Load>> {
    let mut lease = pool.lease(&query.query_id).await?;
    let words = Words {
        source: pool.source().to_owned(),
        names: query.names,
        tells_rows: query.tells_rows,
        tells_references: query.tells_references,
    };
    // A lease that is dropped in the middle is cut, and its transaction with it.
    if let Err(error) = lease.client()?.batch_execute(&query.begin).await {
        return Err(words.of(error, &lease));
    }
    let errors = lease.errors();
    let opened = lease.client()?.copy_in(query.sql.as_str()).await;
    match opened {
        Ok(sink) => Ok(Box::new(Loading { sink: Box::pin(sink), lease, errors, words })),
        Err(error) => Err(words.of(error, &lease)),
    }
}

struct Loading {
    sink: Pin<Box<CopyInSink<Bytes>>>,
    lease: Lease,
    /// Errors of this connection before.
    errors: u64,
    words: Words,
}

impl fmt::Debug for Loading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loading").field("lease", &self.lease).finish_non_exhaustive()
    }
}

#[async_trait]
impl Load for Loading {
    async fn write(&mut self, mut data: Bytes) -> Result<()> {
        while !data.is_empty() {
            if self.lease.errors() != self.errors {
                // The source has refused what it got: it would take everything else and forget it.
                self.finish().await?;
                return Err(errors::lost(&self.words.source, self.lease.end()));
            }
            let piece = data.split_to(data.len().min(PIECE));
            if let Err(error) = self.sink.feed(piece).await {
                return Err(self.words.of(error, &self.lease));
            }
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<u64> {
        match self.sink.as_mut().finish().await {
            Ok(rows) => Ok(rows),
            Err(error) => Err(self.words.of(error, &self.lease)),
        }
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        match timeout(COMMIT_TIME, self.lease.client()?.batch_execute("COMMIT")).await {
            Ok(Ok(())) => {
                self.lease.finish();
                Ok(())
            }
            Ok(Err(error)) if error.as_db_error().is_some() => Err(self.words.of(error, &self.lease)),
            Ok(Err(_)) | Err(_) => Err(Error::source_fault(
                SqlState::TRANSACTION_RESOLUTION_UNKNOWN,
                format!("source \"{}\" did not say whether it committed", self.words.source),
            )),
        }
    }
}

/// What is said of a load that failed.
struct Words {
    source: String,
    names: (String, String),
    tells_rows: bool,
    tells_references: bool,
}

impl Words {
    /// Errors of the data and the table's rules are the client's to mend, so it reads what the source says, as far as that tells nothing
    /// that it may not read: who does not see the whole row reads our words of the table's rules, which may be about any column, and
    /// nobody reads where in a trigger the source was. Everything else is said as for reading.
    fn of(&self, error: tokio_postgres::Error, lease: &Lease) -> Error {
        let Some(db) = error.as_db_error() else { return errors::statement(&self.source, error, lease.end()).0 };
        let Some(state) = state(db.code().code()) else { return errors::statement(&self.source, error, lease.end()).0 };
        let message = broken_rule(db.code().code()).filter(|_| !self.tells_rows);
        let mut told = Error::source_fault(state, message.map_or_else(|| self.seen(db.message()), str::to_owned));
        if let Some(place) = db.where_().and_then(outermost) {
            told = told.with_context(self.seen(place));
        }
        let leads_away = state == SqlState::FOREIGN_KEY_VIOLATION && !self.tells_references;
        if self.tells_rows && !leads_away {
            if let Some(detail) = db.detail() {
                told = told.with_detail(self.seen(detail));
            }
            if let Some(hint) = db.hint() {
                told = told.with_hint(self.seen(hint));
            }
        }
        told.with_cause(error)
    }

    /// The table by the name that the client knows it by.
    fn seen(&self, text: &str) -> String {
        let (there, here) = &self.names;
        if there == here { text.to_owned() } else { text.replace(there.as_str(), here) }
    }
}

/// Where in the data the source was: what it says last, behind where in a trigger it was.
fn outermost(context: &str) -> Option<&str> {
    if context.starts_with("COPY ") {
        return Some(context);
    }
    context.rfind("\nCOPY ").and_then(|at| context.get(at + 1..))
}

/// What is said of a rule of the table that a row breaks, where the source's own words might name what the client may not see.
fn broken_rule(code: &str) -> Option<&'static str> {
    Some(match code {
        "23502" => "null value violates a not-null constraint",
        "23503" => "row violates a foreign key constraint",
        "23505" => "duplicate key value violates a unique constraint",
        "23514" => "row violates a check constraint",
        _ => match code.get(..2)? {
            "23" | "44" => "row violates a constraint",
            "P0" => "the source refused the row",
            _ => return None,
        },
    })
}

/// The SQLSTATE of an error that the client may read as it is; one without a name here becomes its class's.
fn state(code: &str) -> Option<SqlState> {
    let class = match code.get(..2)? {
        "22" => SqlState::DATA_EXCEPTION,
        "23" => SqlState::INTEGRITY_CONSTRAINT_VIOLATION,
        "44" => SqlState::WITH_CHECK_OPTION_VIOLATION,
        "P0" => SqlState::RAISE_EXCEPTION,
        _ => match code {
            "42809" | "55000" | "428C9" => return SqlState::from_code(code),
            _ => return None,
        },
    };
    Some(SqlState::from_code(code).unwrap_or(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_are_nowhere() {
        assert_eq!(outermost("COPY t, line 1: \"a\nb\""), Some("COPY t, line 1: \"a\nb\""));
        assert_eq!(outermost("SQL statement \"x\"\nPL/pgSQL function f()\nCOPY t, line 2"), Some("COPY t, line 2"));
        assert_eq!(outermost("PL/pgSQL function f()"), None);
    }

    #[test]
    fn errors_of_the_data_keep_their_code() {
        assert_eq!(state("23505"), Some(SqlState::UNIQUE_VIOLATION));
        assert_eq!(state("22P04"), Some(SqlState::BAD_COPY_FILE_FORMAT));
        assert_eq!(state("2200Z"), Some(SqlState::DATA_EXCEPTION));
        assert_eq!(state("P0004"), Some(SqlState::RAISE_EXCEPTION));
        assert_eq!((state("42501"), state("57014"), state("x")), (None, None, None));
    }
}
