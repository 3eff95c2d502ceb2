//! SET, SHOW and RESET.
//! Must not know: which settings exist.

use crate::error::{Error, Result, SqlState};

use super::super::cursor::Cursor;
use super::super::statement::{Assignment, Refusal, SetArgument, SetScope, SetValue, StatementKind, TransactionModes};
use super::transaction;

pub(super) fn set(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    if cursor.eat("constraints") {
        return super::maintenance::constraints(cursor);
    }
    if cursor.eat("session characteristics as transaction") {
        return Ok(StatementKind::Set(characteristics(modes(cursor)?, SetScope::Session, "default_transaction")));
    }
    let scope = if cursor.eat("local") {
        SetScope::Local
    } else {
        // `SET session = 1` sets something called session; `SET SESSION AUTHORIZATION x` is its own form.
        if cursor.sees(0, "session") && !next_is_value(cursor) {
            cursor.next();
        }
        SetScope::Session
    };
    if cursor.sees(0, "transaction") && !next_is_value(cursor) {
        cursor.next();
        if cursor.eat("snapshot") {
            return Ok(StatementKind::Refused { tag: "SET TRANSACTION SNAPSHOT", why: Refusal::Unsupported });
        }
        return Ok(StatementKind::Set(characteristics(modes(cursor)?, SetScope::Local, "transaction")));
    }
    let (name, value) = special(cursor)?.map_or_else(|| plain(cursor), Ok)?;
    Ok(StatementKind::Set(vec![Assignment { scope, name, value }]))
}

fn next_is_value(cursor: &Cursor<'_>) -> bool {
    let mut ahead = *cursor;
    ahead.next();
    ahead.sees_symbol("=") || ahead.sees_symbol(".") || ahead.sees(0, "to")
}

/// At least one mode must be there.
fn modes(cursor: &mut Cursor<'_>) -> Result<TransactionModes> {
    if cursor.is_done() { Err(cursor.error()) } else { transaction::modes(cursor) }
}

fn characteristics(modes: TransactionModes, scope: SetScope, prefix: &str) -> Vec<Assignment> {
    let on_off = |on: bool| if on { "on" } else { "off" };
    [
        ("isolation", modes.isolation),
        ("read_only", modes.read_only.map(on_off)),
        ("deferrable", modes.deferrable.map(on_off)),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| (name, value)))
    .map(|(name, value)| Assignment {
        scope,
        name: format!("{prefix}_{name}"),
        value: SetValue::List(vec![SetArgument::Text(value.to_owned())]),
    })
    .collect()
}

/// The forms with words of their own.
fn special(cursor: &mut Cursor<'_>) -> Result<Option<(String, SetValue)>> {
    let text = |name: &str, text: String| Some((name.to_owned(), SetValue::List(vec![SetArgument::Text(text)])));
    if cursor.eat("time zone") {
        return Ok(Some(("timezone".to_owned(), time_zone(cursor)?)));
    }
    if cursor.sees(0, "names") && !next_is_value(cursor) {
        cursor.next();
        let default = cursor.is_done() || cursor.eat("default");
        return Ok(match (default, cursor.text()) {
            (true, _) => Some(("client_encoding".to_owned(), SetValue::Default)),
            (false, Some(encoding)) => text("client_encoding", encoding),
            (false, None) => return Err(cursor.error()),
        });
    }
    if cursor.sees(0, "schema") && !next_is_value(cursor) {
        cursor.next();
        return match cursor.text() {
            Some(schema) => Ok(text("search_path", schema)),
            None => Err(cursor.error()),
        };
    }
    if cursor.sees(0, "authorization") || (cursor.sees(0, "role") && !next_is_value(cursor)) {
        let name = if cursor.sees(0, "role") { "role" } else { "session_authorization" };
        cursor.next();
        if cursor.eat("default") {
            return Ok(Some((name.to_owned(), SetValue::Default)));
        }
        return Ok(match cursor.text() {
            Some(role) => text(name, role),
            None => text(name, cursor.label()?),
        });
    }
    if cursor.sees(0, "xml") {
        cursor.expect("xml option")?;
        let option = ["document", "content"].into_iter().find(|option| cursor.eat(option));
        return option.map(|option| text("xmloption", option.to_owned())).ok_or_else(|| cursor.error());
    }
    Ok(None)
}

fn time_zone(cursor: &mut Cursor<'_>) -> Result<SetValue> {
    if cursor.eat("local") || cursor.eat("default") {
        return Ok(SetValue::Default);
    }
    if cursor.sees(0, "interval") {
        return zone_interval(cursor);
    }
    argument(cursor).map(|argument| SetValue::List(vec![argument]))
}

/// `INTERVAL '...' [HOUR [TO MINUTE]]` or `INTERVAL(p) '...'`: a number alone counts what its last word says.
fn zone_interval(cursor: &mut Cursor<'_>) -> Result<SetValue> {
    cursor.next();
    let precision = cursor.eat_symbol("(");
    if precision {
        if cursor.number().is_none() {
            return Err(cursor.error());
        }
        cursor.expect_symbol(")")?;
    }
    let Some(mut offset) = cursor.text() else { return Err(cursor.error()) };
    if !precision && !cursor.is_done() {
        let allowed = [("hour to minute", "minutes"), ("hour", "hours")];
        let Some((_, unit)) = allowed.into_iter().find(|(words, _)| cursor.eat(words)) else {
            let fields = ["year", "month", "day", "minute", "second"];
            if fields.iter().any(|field| cursor.sees(0, field)) || cursor.sees(0, "to") {
                let message = "time zone interval must be HOUR or HOUR TO MINUTE";
                return Err(Error::client(SqlState::SYNTAX_ERROR, message));
            }
            return Err(cursor.error());
        };
        if offset.trim().parse::<i64>().is_ok() {
            offset = format!("{} {unit}", offset.trim());
        }
    }
    Ok(SetValue::List(vec![SetArgument::Text(format!("INTERVAL '{offset}'"))]))
}

fn plain(cursor: &mut Cursor<'_>) -> Result<(String, SetValue)> {
    let name = setting(cursor)?;
    if cursor.eat("from") {
        cursor.expect("current")?;
        return Err(Error::unsupported("SET ... FROM CURRENT is not supported"));
    }
    if !cursor.eat("to") {
        cursor.expect_symbol("=")?;
    }
    if cursor.eat("default") {
        return Ok((name, SetValue::Default));
    }
    let mut arguments = vec![argument(cursor)?];
    while cursor.eat_symbol(",") {
        arguments.push(argument(cursor)?);
    }
    Ok((name, SetValue::List(arguments)))
}

/// A setting's name, in lower case; a class may stand before it.
fn setting(cursor: &mut Cursor<'_>) -> Result<String> {
    let mut name = cursor.name()?;
    while cursor.eat_symbol(".") {
        name.push('.');
        name.push_str(&cursor.name()?);
    }
    Ok(name.to_ascii_lowercase())
}

fn argument(cursor: &mut Cursor<'_>) -> Result<SetArgument> {
    if let Some(text) = cursor.text() {
        return Ok(SetArgument::Text(text));
    }
    if let Some(number) = cursor.number() {
        return Ok(SetArgument::Number(number));
    }
    match cursor.word() {
        Some(word @ ("true" | "false" | "on")) => {
            let word = word.to_owned();
            cursor.next();
            Ok(SetArgument::Word(word))
        }
        _ => cursor.name().map(SetArgument::Word),
    }
}

/// The name that SHOW and RESET give a setting.
fn named(cursor: &mut Cursor<'_>) -> Result<String> {
    for (words, name) in [
        ("time zone", "timezone"),
        ("transaction isolation level", "transaction_isolation"),
        ("session authorization", "session_authorization"),
    ] {
        if cursor.eat(words) {
            return Ok(name.to_owned());
        }
    }
    setting(cursor)
}

pub(super) fn show(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    if cursor.eat("all") { Ok(StatementKind::ShowAll) } else { named(cursor).map(StatementKind::Show) }
}

pub(super) fn reset(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    if cursor.eat("all") { Ok(StatementKind::ResetAll) } else { named(cursor).map(StatementKind::Reset) }
}
