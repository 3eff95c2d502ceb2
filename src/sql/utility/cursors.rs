//! DECLARE, FETCH and MOVE.
//! Must not know: portals.

use crate::error::{Error, Result, SqlState};

use super::super::cursor::Cursor;
use super::super::statement::{Declare, Direction, Fetch, Refusal, StatementKind};
use super::embedded;

pub(super) fn declare(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    let name = cursor.name()?;
    let (mut binary, mut scroll, mut sensitive) = (false, None, None);
    loop {
        if cursor.eat("binary") {
            binary = true;
        } else if cursor.eat("no scroll") {
            scroll = not_both(scroll, false, "SCROLL and NO SCROLL")?;
        } else if cursor.eat("scroll") {
            scroll = not_both(scroll, true, "SCROLL and NO SCROLL")?;
        } else if cursor.eat("insensitive") {
            // Every cursor is: it reads what was there when it was declared.
            sensitive = not_both(sensitive, false, "ASENSITIVE and INSENSITIVE")?;
        } else if cursor.eat("asensitive") {
            sensitive = not_both(sensitive, true, "ASENSITIVE and INSENSITIVE")?;
        } else {
            break;
        }
    }
    cursor.expect("cursor")?;
    let hold = cursor.eat("with hold");
    if !hold {
        cursor.eat("without hold");
    }
    cursor.expect("for")?;
    let allowed = |kind: &StatementKind| match kind {
        StatementKind::Query(_) | StatementKind::Refused { .. } => true,
        StatementKind::Modify(writing) => writing.verb().is_none(),
        _ => false,
    };
    let statement = *embedded(cursor, allowed)?;
    match statement.kind {
        // DECLARE ... FOR SELECT ... INTO: refused as what it would do.
        StatementKind::Refused { .. } => return Ok(statement.kind),
        StatementKind::Modify(_) => {
            let why = Refusal::Form("DECLARE CURSOR must not contain data-modifying statements in WITH");
            return Ok(StatementKind::Refused { tag: "DECLARE CURSOR", why });
        }
        _ => {}
    }
    if let Some(lock) = statement.locks() {
        read_only(lock.trim_start_matches("SELECT "), hold, scroll, sensitive)?;
    }
    Ok(StatementKind::DeclareCursor(Box::new(Declare { name, binary, scroll, hold, statement })))
}

/// PostgreSQL's errors for a cursor that locks rows and would have to keep them.
fn read_only(lock: &str, hold: bool, scroll: Option<bool>, sensitive: Option<bool>) -> Result<()> {
    let (message, kind) = match (hold, scroll, sensitive) {
        (true, _, _) => (format!("DECLARE CURSOR WITH HOLD ... {lock} is not supported"), "Holdable"),
        (_, Some(true), _) => (format!("DECLARE SCROLL CURSOR ... {lock} is not supported"), "Scrollable"),
        (_, _, Some(false)) => (format!("DECLARE INSENSITIVE CURSOR ... {lock} is not valid"), "Insensitive"),
        _ => return Ok(()),
    };
    let error = match kind {
        "Insensitive" => Error::client(SqlState::INVALID_CURSOR_DEFINITION, message),
        _ => Error::unsupported(message),
    };
    Err(error.with_detail(format!("{kind} cursors must be READ ONLY.")))
}

fn not_both(before: Option<bool>, now: bool, what: &str) -> Result<Option<bool>> {
    if before == Some(!now) {
        return Err(Error::client(SqlState::INVALID_CURSOR_DEFINITION, format!("cannot specify both {what}")));
    }
    Ok(Some(now))
}

/// What follows FETCH or MOVE.
pub(super) fn fetch(cursor: &mut Cursor<'_>) -> Result<Fetch> {
    let direction = direction(cursor)?;
    if !cursor.eat("from") {
        cursor.eat("in");
    }
    Ok(Fetch { cursor: cursor.name()?, direction })
}

fn direction(cursor: &mut Cursor<'_>) -> Result<Direction> {
    // `FETCH next` fetches from a cursor called next.
    let alone = cursor.rest().len() == 1;
    let words: [(&str, Direction); 6] = [
        ("next", Direction::Forward(1)),
        ("prior", Direction::Backward(1)),
        ("first", Direction::Absolute(1)),
        ("last", Direction::Absolute(-1)),
        ("all", Direction::Forward(i64::MAX)),
        ("forward all", Direction::Forward(i64::MAX)),
    ];
    if alone {
        return Ok(Direction::Forward(1));
    }
    for (word, direction) in words {
        if cursor.eat(word) {
            return Ok(direction);
        }
    }
    if cursor.eat("backward all") {
        return Ok(Direction::Backward(i64::MAX));
    }
    if cursor.eat("absolute") {
        return count(cursor).map(Direction::Absolute);
    }
    if cursor.eat("relative") {
        return count(cursor).map(Direction::Relative);
    }
    if cursor.eat("forward") {
        return optional_count(cursor).map(Direction::Forward);
    }
    if cursor.eat("backward") {
        return optional_count(cursor).map(Direction::Backward);
    }
    optional_count(cursor).map(Direction::Forward)
}

fn optional_count(cursor: &mut Cursor<'_>) -> Result<i64> {
    let mut ahead = *cursor;
    if ahead.number().is_some() { count(cursor) } else { Ok(1) }
}

/// A signed 32-bit number, as in PostgreSQL's grammar.
fn count(cursor: &mut Cursor<'_>) -> Result<i64> {
    // A sign is part of the number; the error is at its digits.
    let mut digits = *cursor;
    if digits.sees_symbol("-") || digits.sees_symbol("+") {
        digits.next();
    }
    let error = digits.error();
    match cursor.number().map(|number| number.parse::<i32>()) {
        Some(Ok(number)) => Ok(i64::from(number)),
        _ => Err(error),
    }
}
