//! What a PostgreSQL source says of a client's own statement, as the client may read it: its SQLSTATE, its words, at places of the client's text.
//! Must not know: what the statement says.

use tokio_postgres::error::{DbError, ErrorPosition};

use super::errors;
use crate::error::{Error, SqlState};
use crate::source::Words;

/// The error of a statement, and whether the connection is still good. `shift`: characters of ours before what was printed.
pub(super) fn told(
    source: &str,
    error: tokio_postgres::Error,
    why: Option<&tokio_postgres::Error>,
    (words, shift): (&Words, u32),
) -> (Error, bool) {
    let said = error.as_db_error().and_then(|db| said(source, db, words, shift));
    let (mapped, healthy) = errors::statement(source, error, why);
    (said.unwrap_or(mapped), healthy)
}

/// In the source's words, where they are about the statement or its data.
fn said(source: &str, db: &DbError, words: &Words, shift: u32) -> Option<Error> {
    let code = db.code().code();
    let state = state(code)?;
    let here = match db.position() {
        Some(ErrorPosition::Original(position)) => position.checked_sub(shift),
        _ => None,
    };
    let position = here.and_then(|here| words.place(here));
    // Every table and column that we wrote is one that the source had: if it is missing, and not by a name of the client's, it has changed.
    let changed = match code {
        "42703" => !here.is_some_and(|here| words.is_theirs(here)) && !db.message().contains("USING"),
        "42P01" => !db.message().contains("FROM-clause entry"),
        _ => false,
    };
    if changed {
        return None;
    }
    // Data may look like names.
    let data = code.starts_with("22") || code.starts_with("21");
    let tell = |text: &str| if data { Some(words.seen(text)) } else { words.told(text) };
    let neutral = || format!("source \"{source}\" refused the statement");
    let mut error = Error::client(state, tell(db.message()).unwrap_or_else(neutral));
    if let Some(detail) = db.detail().and_then(tell) {
        error = error.with_detail(detail);
    }
    if let Some(hint) = db.hint().and_then(|hint| words.told(hint)) {
        error = error.with_hint(hint);
    }
    Some(match position {
        Some(position) => error.with_position(position),
        None => error,
    })
}

/// The SQLSTATE of an error that the client's statement can have; one without a name here becomes its class's.
fn state(code: &str) -> Option<SqlState> {
    let class = match code.get(..2)? {
        "21" => SqlState::CARDINALITY_VIOLATION,
        "22" => SqlState::DATA_EXCEPTION,
        // What is not granted there is no fault of the statement.
        "42" if code != "42501" => SqlState::SYNTAX_ERROR,
        "0A" | "54" => SqlState::from_code(code)?,
        _ => return None,
    };
    Some(SqlState::from_code(code).unwrap_or(class))
}
