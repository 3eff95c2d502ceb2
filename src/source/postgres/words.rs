//! What a PostgreSQL source says of a client's own statement, as the client may read it: its SQLSTATE, its words, at places of the client's text.
//! Must not know: what the statement says.

use super::complaint::Complaint;
use super::errors;
use super::line::Taken;
use crate::error::{About, Error, Notice, Notices, SqlState};
use crate::source::Words;

/// The error of a statement of which the server says this, and whether the connection is still good. `shift`: characters of ours before what was
/// printed.
pub(super) fn complained(source: &str, complaint: Complaint, (words, shift): (&Words, u32)) -> (Error, bool) {
    let said = if words.ours { None } else { said(source, &complaint, words, shift) };
    let (mapped, healthy) = errors::complaint(source, complaint);
    (said.unwrap_or(mapped), healthy)
}

/// Hands on what the source has said beside its answer, as far as the client may read that.
pub(super) fn hear(taken: &mut Taken, words: &Words, notices: &Notices) {
    let said = taken.notices();
    if words.open {
        said.iter().filter_map(|body| notice(body, words)).for_each(|notice| notices.push(notice));
    }
}

/// A NoticeResponse as the client reads it. Where in a function the source was is not told.
fn notice(body: &[u8], words: &Words) -> Option<Notice> {
    let said = Complaint::parse(body)?;
    let class = if said.severity == "WARNING" { SqlState::WARNING } else { SqlState::SUCCESSFUL_COMPLETION };
    let seen = |text: String| words.seen(&text);
    Some(Notice {
        severity: said.severity,
        state: SqlState::any(&said.code).unwrap_or(class),
        message: seen(said.message),
        detail: said.detail.map(seen),
        hint: said.hint.map(seen),
    })
}

/// Messages that tell of nothing.
const FIXED: &[&str] = &[
    "bigint out of range",
    "could not serialize access due to concurrent delete",
    "could not serialize access due to concurrent update",
    "could not serialize access due to read/write dependencies among transactions",
    "deadlock detected",
    "canceling statement due to lock timeout",
    "division by zero",
    "integer out of range",
    "numeric field overflow",
    "smallint out of range",
];

/// In the source's words, where they are about the statement or its data.
pub(super) fn said(source: &str, db: &Complaint, words: &Words, shift: u32) -> Option<Error> {
    if let Some(refused) = refused_row(db, words) {
        return Some(refused);
    }
    let code = db.code.as_str();
    let state = state(code)?;
    if let Some(own) = on_its_own(db, words) {
        return Some(own);
    }
    let here = db.position.and_then(|position| position.checked_sub(shift));
    let position = here.and_then(|here| words.place(here));
    // Every table and column that we wrote is one that the source had: if it is missing, and not by a name of the client's, it has changed. What
    // is missing at no place of the statement, a function or a trigger has named.
    let changed = match code {
        _ if db.position.is_none() => false,
        "42703" => !here.is_some_and(|here| words.is_theirs(here)) && !db.message.contains("USING"),
        "42P01" => !db.message.contains("FROM-clause entry") && !db.message.contains("not found in FROM clause"),
        _ => false,
    };
    if changed {
        return None;
    }
    let neutral = || format!("source \"{source}\" refused the statement");
    // What is not about the client's text may be about anything.
    if words.hidden && position.is_none() {
        let message =
            FIXED.iter().find(|fixed| **fixed == db.message).map_or_else(neutral, |fixed| (*fixed).to_owned());
        return Some(Error::client(state, message));
    }
    // Data may look like names.
    let data = code.starts_with("22") || code.starts_with("21");
    let tell = |text: &str| if data { Some(words.seen(text)) } else { words.told(text) };
    let mut error = Error::client(state, tell(&db.message).unwrap_or_else(neutral));
    if let Some(detail) = db.detail.as_deref().and_then(tell) {
        error = error.with_detail(detail);
    }
    // The source looks for a name like the one that is missing, in columns that are hidden too.
    let hides = words.target.as_ref().is_some_and(|target| !target.whole);
    if let Some(hint) = db.hint.as_deref().filter(|_| !hides).and_then(|hint| words.told(hint)) {
        error = error.with_hint(hint);
    }
    Some(match position {
        Some(position) => error.with_position(position),
        None => error,
    })
}

/// What is said at no place of the statement, by what it sets off or of what it comes upon, to who may read all of that.
fn on_its_own(db: &Complaint, words: &Words) -> Option<Error> {
    let state = state(&db.code)?;
    let may = words.open && db.position.is_none();
    may.then(|| {
        let told = Error::client(state, words.seen(&words.renamed(&db.message)));
        with_more(told, (db.detail.as_deref(), db.hint.as_deref()), words)
    })
}

/// A row or a value that a rule of a table, a trigger or a function does not take. The rules may be about any column and name any table, so
/// who does not see all of that reads our words.
pub(super) fn refused_row(db: &Complaint, words: &Words) -> Option<Error> {
    let code = db.code.as_str();
    let class = match code.get(..2)? {
        "23" => SqlState::INTEGRITY_CONSTRAINT_VIOLATION,
        "44" => SqlState::WITH_CHECK_OPTION_VIOLATION,
        "P0" => SqlState::RAISE_EXCEPTION,
        class if is_made_up(class) => SqlState::RAISE_EXCEPTION,
        _ => return None,
    };
    let state = SqlState::any(code).unwrap_or(class);
    let told = || Error::source_fault(state, words.seen(&db.message)).with_about(about(db, words));
    let Some(target) = &words.target else {
        return words.open.then(|| with_more(told(), (db.detail.as_deref(), db.hint.as_deref()), words));
    };
    // A rule of another table may be broken by what follows from the statement: a foreign key's action, a trigger.
    let is =
        |(schema, table): &(String, String)| db.schema.as_ref() == Some(schema) && db.table.as_ref() == Some(table);
    let own = target.tables.iter().any(is);
    if !target.whole || !(own || target.everything) {
        return Some(Error::source_fault(state, broken_rule(code)));
    }
    let leads_away = state == SqlState::FOREIGN_KEY_VIOLATION && !target.everything;
    // Which table a key leads to stands in the message, in the server's language.
    let sees = |text: &str| tables(text).count() == 1 && tables(text).all(|table| (target.sees)(table));
    let detail = db.detail.as_deref().filter(|detail| !leads_away || sees(detail));
    Some(with_more(told(), (detail, db.hint.as_deref()), words))
}

/// Whether functions may make up codes of a class: the standard leaves it to others, and PostgreSQL does not use it.
fn is_made_up(class: &str) -> bool {
    let free = class.starts_with(|first: char| matches!(first, '5'..='9' | 'I'..='Z'));
    free && !["53", "54", "55", "57", "58", "72", "P0", "XX"].contains(&class)
}

/// An error with its detail and its hint, in schemas as clients know them.
pub(super) fn with_more(mut told: Error, (detail, hint): (Option<&str>, Option<&str>), words: &Words) -> Error {
    if let Some(detail) = detail {
        told = told.with_detail(words.seen(detail));
    }
    if let Some(hint) = hint {
        told = told.with_hint(words.seen(hint));
    }
    told
}

/// What a row is refused for, by name, as clients know it.
fn about(db: &Complaint, words: &Words) -> About {
    let seen = |schema: &String| words.schemas.iter().find(|(there, _)| there == schema).map(|(_, here)| here.clone());
    About {
        schema: db.schema.as_ref().and_then(seen),
        table: db.table.clone(),
        column: db.column.clone(),
        datatype: db.datatype.clone(),
        constraint: db.constraint.clone(),
    }
}

/// The tables that a message names.
fn tables(message: &str) -> impl Iterator<Item = &str> {
    message.split("table \"").skip(1).filter_map(|rest| rest.split('"').next())
}

/// What is said of a rule of the table that a row breaks.
fn broken_rule(code: &str) -> &'static str {
    match code {
        "23502" => "null value violates a not-null constraint",
        "23503" => "row violates a foreign key constraint",
        "23505" => "duplicate key value violates a unique constraint",
        "23514" => "row violates a check constraint",
        _ if !code.starts_with("23") && !code.starts_with("44") => "the source refused the row",
        _ => "row violates a constraint",
    }
}

/// The SQLSTATE of an error that the client's statement can have; one without a name here becomes its class's.
fn state(code: &str) -> Option<SqlState> {
    let class = match code.get(..2)? {
        "21" => SqlState::CARDINALITY_VIOLATION,
        "22" => SqlState::DATA_EXCEPTION,
        // What is not granted there is no fault of the statement.
        "42" if code != "42501" => SqlState::SYNTAX_ERROR,
        "0A" | "24" | "34" | "40" | "54" => SqlState::from_code(code)?,
        "09" | "0L" | "0P" | "0Z" | "20" | "27" | "2B" | "2F" | "38" | "39" | "3B" | "3F" | "55" => {
            SqlState::any(code)?
        }
        _ => return None,
    };
    Some(SqlState::any(code).unwrap_or(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_a_message() {
        let message = "update or delete on table \"a\" violates foreign key constraint \"c\" on table \"b\"";
        assert_eq!(tables(message).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(tables("null value in column \"x\" of relation \"t\"").count(), 0);
    }

    #[test]
    fn rules_are_told_in_our_words() {
        assert_eq!(broken_rule("23505"), "duplicate key value violates a unique constraint");
        assert_eq!(
            (broken_rule("23P01"), broken_rule("P0001")),
            ("row violates a constraint", "the source refused the row")
        );
        assert!(is_made_up("MY") && is_made_up("99") && !is_made_up("57") && !is_made_up("42") && !is_made_up("XX"));
    }
}
