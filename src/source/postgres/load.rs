//! `COPY ... FROM STDIN` at a PostgreSQL source, in a transaction.
//! Must not know: where the data come from, who may add what.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::SinkExt;
use tokio_postgres::CopyInSink;
use tokio_postgres::error::DbError;

use super::block::Turn;
use super::{errors, words};
use crate::error::{Error, Result, SqlState};
use crate::source::{Load, LoadQuery, Words};

/// Bytes of one message to the source: what a client sends in one piece is not held in one piece here.
const PIECE: usize = 64 << 10;

/// Begins to load, in a transaction that has begun.
pub(super) async fn load(mut turn: Turn, source: &str, query: LoadQuery) -> Result<Box<dyn Load>> {
    let errors = turn.lease()?.errors();
    let opened = turn.lease()?.client()?.copy_in(query.sql.as_str()).await;
    let (source, words) = (source.to_owned(), query.words);
    match opened {
        Ok(sink) => Ok(Box::new(Loading { sink: Some(Box::pin(sink)), turn, errors, source, words })),
        Err(error) => Err(told(error, &mut turn, (&source, &words))),
    }
}

struct Loading {
    /// `None`: it has ended, well or not.
    sink: Option<Pin<Box<CopyInSink<Bytes>>>>,
    turn: Turn,
    /// Errors of this connection before.
    errors: u64,
    source: String,
    words: Arc<Words>,
}

impl fmt::Debug for Loading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loading").field("source", &self.source).finish_non_exhaustive()
    }
}

#[async_trait]
impl Load for Loading {
    async fn write(&mut self, mut data: Bytes) -> Result<()> {
        while !data.is_empty() {
            if self.turn.lease()?.errors() != self.errors {
                // The source has refused what it got: it would take everything else and forget it.
                self.finish().await?;
                return Err(errors::lost(&self.source, self.turn.end()));
            }
            let piece = data.split_to(data.len().min(PIECE));
            let Some(sink) = &mut self.sink else { return Err(errors::lost(&self.source, self.turn.end())) };
            if let Err(error) = sink.feed(piece).await {
                return Err(told(error, &mut self.turn, (&self.source, &self.words)));
            }
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<u64> {
        let Some(mut sink) = self.sink.take() else {
            return Err(errors::lost(&self.source, self.turn.end()));
        };
        match sink.as_mut().finish().await {
            Ok(rows) => {
                self.turn.settle();
                Ok(rows)
            }
            Err(error) => Err(told(error, &mut self.turn, (&self.source, &self.words))),
        }
    }
}

/// What is said of a load that failed. Errors of the data are the client's to mend, so it reads what the source says; nobody reads where in a
/// trigger the source was. Everything else is said as for reading.
fn told(error: tokio_postgres::Error, turn: &mut Turn, (source, words): (&str, &Words)) -> Error {
    let Some(db) = error.as_db_error() else { return errors::statement(source, error, turn.end()).0 };
    turn.settle();
    let Some(mut told) = words::refused_row(db, words).or_else(|| data(db, words)) else {
        return errors::statement(source, error, turn.end()).0;
    };
    if let Some(place) = db.where_().and_then(outermost) {
        told = told.with_context(words.seen(place));
    }
    told.with_cause(error)
}

/// The data are not what the table takes.
fn data(db: &DbError, words: &Words) -> Option<Error> {
    let code = db.code().code();
    let state = match code {
        "42809" | "55000" | "428C9" => SqlState::from_code(code)?,
        _ if code.starts_with("22") => SqlState::from_code(code).unwrap_or(SqlState::DATA_EXCEPTION),
        _ => return None,
    };
    let mut told = Error::source_fault(state, words.seen(db.message()));
    if words.target.as_ref().is_some_and(|target| target.whole) {
        if let Some(detail) = db.detail() {
            told = told.with_detail(words.seen(detail));
        }
        if let Some(hint) = db.hint() {
            told = told.with_hint(words.seen(hint));
        }
    }
    Some(told)
}

/// Where in the data the source was: what it says last, behind where in a trigger it was.
fn outermost(context: &str) -> Option<&str> {
    if context.starts_with("COPY ") {
        return Some(context);
    }
    context.rfind("\nCOPY ").and_then(|at| context.get(at + 1..))
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
}
