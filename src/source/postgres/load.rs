//! `COPY ... FROM STDIN` at a PostgreSQL source, in a transaction.
//! Must not know: where the data come from, who may add what.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use postgres_protocol::message::frontend::{self, CopyData};

use super::complaint::Complaint;
use super::line::{Heard, Taken};
use super::turn::Turn;
use super::{errors, forward, talk, words};
use crate::error::{Error, Notices, Result, SqlState};
use crate::source::{Load, LoadQuery, Words};

/// Bytes of one message to the source: what a client sends in one piece is not held in one piece here.
const PIECE: usize = 64 << 10;

/// Begins to load, in a transaction that has begun.
pub(super) async fn load(turn: Turn, source: &str, query: LoadQuery) -> Result<Box<dyn Load>> {
    let (source, words, notices) = (source.to_owned(), query.words, query.notices);
    let mut message = BytesMut::new();
    frontend::query(&query.sql, &mut message)
        .map_err(|error| Error::internal("a statement that is no message").with_cause(error))?;
    let mut loading = Loading { taken: None, turn, source, words, notices, rows: 0, refusal: None, given_up: None };
    let begun = async {
        let mut taken = loading.turn.lease().map_err(io::Error::other)?.take().await?;
        taken.send(&message, 1).await?;
        Ok(taken)
    };
    match begun.await {
        Ok(taken) => loading.taken = Some(taken),
        Err(error) => return Err(loading.lost(&error)),
    }
    // CopyInResponse, and the data may come.
    let (b'G', _) = loading.next().await? else { return Err(loading.lost(&talk::unexpected())) };
    // A server that waits for data takes no notice of a request to cancel.
    let mut fail = BytesMut::new();
    frontend::copy_fail("canceled", &mut fail)
        .map_err(|error| Error::internal("a word that is no message").with_cause(error))?;
    if let Some(taken) = &mut loading.taken {
        taken.ends_with(Some(fail.freeze()));
    }
    Ok(Box::new(loading))
}

struct Loading {
    /// `None`: it has ended, well or not.
    taken: Option<Taken>,
    turn: Turn,
    source: String,
    words: Arc<Words>,
    notices: Notices,
    rows: u64,
    /// The source has refused what it got, and was not heard to the end yet.
    refusal: Option<Bytes>,
    /// Why the client has given up.
    given_up: Option<String>,
}

impl fmt::Debug for Loading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loading").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Loading {
    fn lost(&mut self, error: &io::Error) -> Error {
        self.taken = None;
        errors::lost_by(&self.source, Some(error))
    }

    /// What the source says next.
    async fn next(&mut self) -> Result<(u8, Bytes)> {
        if let Some(body) = self.refusal.clone() {
            return Err(self.refused(&body).await);
        }
        let Some(taken) = &mut self.taken else { return Err(errors::lost(&self.source, None)) };
        let heard = taken.next(None).await;
        words::hear(taken, &self.words, &self.notices);
        match heard {
            Ok(Heard::Message(b'E', body)) => {
                // Who gives up this wait finds the error again.
                self.refusal = Some(body.clone());
                Err(self.refused(&body).await)
            }
            Ok(Heard::Message(kind, body)) => Ok((kind, body)),
            Ok(Heard::Rows(..)) => Err(self.lost(&talk::unexpected())),
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// The source takes no more.
    async fn refused(&mut self, body: &Bytes) -> Error {
        let Some(taken) = &mut self.taken else { return errors::lost(&self.source, None) };
        taken.ends_with(None);
        let rest = talk::rest(taken, body).await;
        (self.taken, self.refusal) = (None, None);
        match rest {
            Ok(complaint) => told(complaint, &mut self.turn, (&self.source, &self.words), self.given_up.as_deref()),
            Err(error) => errors::lost_by(&self.source, Some(&error)),
        }
    }

    async fn send(&mut self, message: &[u8]) -> Result<()> {
        let Some(taken) = &mut self.taken else { return Err(errors::lost(&self.source, None)) };
        match taken.send(message, 0).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.lost(&error)),
        }
    }
}

#[async_trait]
impl Load for Loading {
    async fn write(&mut self, mut data: Bytes) -> Result<()> {
        while !data.is_empty() {
            // The source says nothing until it is told that this was all, or refuses what it got: it would take everything else and forget it.
            if let Some(said) = self.next().now_or_never() {
                said?;
                return Err(self.lost(&talk::unexpected()));
            }
            if self.refusal.is_some() {
                self.next().await?;
            }
            let piece = data.split_to(data.len().min(PIECE));
            let mut message = BytesMut::with_capacity(piece.len() + 5);
            let data = CopyData::new(piece).map_err(|error| self.lost(&error))?;
            data.write(&mut message);
            self.send(&message).await?;
        }
        Ok(())
    }

    async fn give_up(&mut self, why: &str) -> Result<Infallible> {
        let mut message = BytesMut::new();
        frontend::copy_fail(why, &mut message)
            .map_err(|error| Error::internal("a word that is no message").with_cause(error))?;
        if let Some(taken) = &mut self.taken {
            taken.ends_with(None);
        }
        self.given_up = Some(why.to_owned());
        self.send(&message).await?;
        self.next().await?;
        Err(self.lost(&talk::unexpected()))
    }

    async fn finish(&mut self) -> Result<u64> {
        let mut message = BytesMut::new();
        frontend::copy_done(&mut message);
        if let Some(taken) = &mut self.taken {
            taken.ends_with(None);
        }
        self.send(&message).await?;
        loop {
            match self.next().await? {
                (b'C', body) => self.rows = forward::affected(&body),
                (b'Z', _) if self.taken.as_mut().is_some_and(Taken::is_over) => {
                    self.taken = None;
                    self.turn.settle();
                    return Ok(self.rows);
                }
                _ => return Err(self.lost(&talk::unexpected())),
            }
        }
    }
}

/// What is said of a load that failed. Errors of the data are the client's to mend, so it reads what the source says; nobody reads where in a
/// trigger the source was. Everything else is said as for reading.
fn told(said: Complaint, turn: &mut Turn, (source, words): (&str, &Words), given_up: Option<&str>) -> Error {
    let given_up = given_up
        .filter(|_| said.code == "57014")
        .map(|why| Error::client(SqlState::QUERY_CANCELED, format!("COPY from stdin failed: {why}")));
    // What a trigger says of itself is nothing of the table's.
    let set_off = said.context.as_deref().is_some_and(|context| !context.starts_with("COPY "));
    let of_its_own = || if set_off { words::said(source, &said, words, 0) } else { None };
    let told = given_up.or_else(|| words::refused_row(&said, words)).or_else(|| data(&said, words)).or_else(of_its_own);
    let Some(mut told) = told else {
        let (error, healthy) = errors::complaint(source, said);
        if healthy {
            turn.settle();
        }
        return error;
    };
    turn.settle();
    if let Some(place) = said.context.as_deref().and_then(outermost) {
        told = told.with_context(words.seen(place));
    }
    told.with_cause(said)
}

/// The data are not what the table takes.
fn data(db: &Complaint, words: &Words) -> Option<Error> {
    let code = db.code.as_str();
    let state = match code {
        "42809" | "55000" | "428C9" => SqlState::from_code(code)?,
        _ if code.starts_with("22") => SqlState::from_code(code).unwrap_or(SqlState::DATA_EXCEPTION),
        _ => return None,
    };
    let place = db.context.as_deref().unwrap_or_default();
    // The statement itself, a value that is none, or a line that is none; not what a rule or a trigger makes of it.
    let of_the_data = place.is_empty()
        || place.starts_with("COPY ") && (place.contains(", column ") || matches!(code, "22P04" | "22021"));
    if words.hidden && !of_the_data {
        return Some(Error::source_fault(state, "the source refused the row"));
    }
    let whole = words.target.as_ref().is_some_and(|target| target.whole);
    let more = if whole { (db.detail.as_deref(), db.hint.as_deref()) } else { (None, None) };
    Some(words::with_more(Error::source_fault(state, words.seen(&db.message)), more, words))
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
