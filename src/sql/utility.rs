//! Utility statements, parsed from lexemes by hand: the first word says which.
//! Must not know: what exists, who asks, what runs.

mod copy;
mod cursors;
mod maintenance;
mod refused;
mod set;
mod transaction;

use crate::error::{Error, Result, SqlState};

use super::cursor::Cursor;
use super::lexer::Kind;
use super::parse;
use super::statement::{Discard, ExplainOption, MaintenanceVerb, Statement, StatementKind};

/// Parses the utility statement at the cursor.
///
/// # Errors
/// `42601` as PostgreSQL.
pub(super) fn statement(mut cursor: Cursor<'_>) -> Result<StatementKind> {
    let Some(word) = cursor.word() else { return Err(cursor.error()) };
    let start = cursor;
    cursor.next();
    let kind = match word {
        "explain" => explain(&mut cursor),
        "set" => set::set(&mut cursor),
        "show" => set::show(&mut cursor),
        "reset" => set::reset(&mut cursor),
        "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release" => {
            transaction::statement(word, &mut cursor)
        }
        "discard" => discard(&mut cursor),
        "prepare" if cursor.eat("transaction") => transaction::prepare(&mut cursor),
        "prepare" => prepare(&mut cursor),
        "execute" => execute(&mut cursor),
        "deallocate" => {
            cursor.eat("prepare");
            all_or_name(&mut cursor).map(StatementKind::Deallocate)
        }
        "declare" => cursors::declare(&mut cursor),
        "fetch" => cursors::fetch(&mut cursor).map(StatementKind::Fetch),
        "move" => cursors::fetch(&mut cursor).map(StatementKind::Move),
        "close" => all_or_name(&mut cursor).map(StatementKind::ClosePortal),
        "listen" => cursor.name().map(StatementKind::Listen),
        "unlisten" => {
            if cursor.eat_symbol("*") {
                Ok(StatementKind::Unlisten(None))
            } else {
                cursor.name().map(|name| StatementKind::Unlisten(Some(name)))
            }
        }
        "notify" => notify(&mut cursor),
        "copy" => copy::copy(&mut cursor),
        "lock" => maintenance::lock(&mut cursor),
        "vacuum" => maintenance::vacuum(MaintenanceVerb::Vacuum, &mut cursor),
        "analyze" | "analyse" => maintenance::vacuum(MaintenanceVerb::Analyze, &mut cursor),
        "cluster" => maintenance::cluster(&mut cursor),
        "reindex" => maintenance::reindex(&mut cursor),
        _ => return refused::refused(start),
    }?;
    if !matches!(kind, StatementKind::Refused { .. }) {
        cursor.finish()?;
    }
    Ok(kind)
}

/// What is left at the cursor, as a statement of one of the kinds that another statement may hold.
fn embedded(cursor: &mut Cursor<'_>, allowed: impl Fn(&StatementKind) -> bool) -> Result<Box<Statement>> {
    if cursor.is_done() || ["explain", "prepare", "copy"].iter().any(|word| cursor.sees(0, word)) {
        return Err(cursor.error());
    }
    let statement = parse::statement(*cursor)?;
    if !allowed(&statement.kind) {
        // Behind WITH, it is the verb that is wrong.
        return Err(match parse::verb_behind_with(cursor) {
            Some(verb) if cursor.sees(0, "with") => cursor.lexed.error_at(verb),
            _ => cursor.error(),
        });
    }
    while cursor.next().is_some() {}
    Ok(Box::new(statement))
}

fn explain(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    let mut options = Vec::new();
    let query_in_parentheses =
        ["select", "values", "table", "with"].iter().any(|word| cursor.sees(1, word)) || double_parenthesis(cursor);
    if cursor.sees_symbol("(") && !query_in_parentheses {
        cursor.next();
        options = option_list(cursor)?;
    } else {
        let mut plain = |words: &[&str], name: &str| {
            if words.iter().any(|word| cursor.eat(word)) {
                options.push(ExplainOption { name: name.to_owned(), value: None, position: 0 });
            }
        };
        plain(&["analyze", "analyse"], "analyze");
        plain(&["verbose"], "verbose");
    }
    let statement = embedded(cursor, |kind| {
        matches!(
            kind,
            StatementKind::Query(_)
                | StatementKind::Modify(_)
                | StatementKind::Execute { .. }
                | StatementKind::DeclareCursor(_)
                | StatementKind::Refused { .. }
        )
    })?;
    Ok(StatementKind::Explain { options, statement })
}

fn double_parenthesis(cursor: &Cursor<'_>) -> bool {
    let mut ahead = *cursor;
    ahead.eat_symbol("(") && ahead.sees_symbol("(")
}

/// `name [value], ...)`: options in parentheses, the opening one already read. Names in lower case.
fn option_list(cursor: &mut Cursor<'_>) -> Result<Vec<ExplainOption>> {
    let mut options = Vec::new();
    loop {
        let position = cursor.peek().map_or(0, |lexeme| lexeme.position);
        let name = cursor.label()?.to_ascii_lowercase();
        let value = if cursor.sees_symbol(",") || cursor.sees_symbol(")") { None } else { Some(value(cursor)?) };
        options.push(ExplainOption { name, value, position });
        if !cursor.eat_symbol(",") {
            cursor.expect_symbol(")")?;
            return Ok(options);
        }
    }
}

/// A word, string or number.
fn value(cursor: &mut Cursor<'_>) -> Result<String> {
    if let Some(text) = cursor.text() {
        return Ok(text);
    }
    if let Some(number) = cursor.number() {
        return Ok(number);
    }
    cursor.label()
}

/// PostgreSQL's defGetBoolean: no value means true.
///
/// # Errors
/// `42601` for what is no switch.
pub(super) fn boolean(name: &str, value: Option<&str>) -> Result<bool> {
    let Some(value) = value else { return Ok(true) };
    let is = |words: [&str; 3]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
    if is(["true", "on", "1"]) {
        Ok(true)
    } else if is(["false", "off", "0"]) {
        Ok(false)
    } else {
        Err(Error::client(SqlState::SYNTAX_ERROR, format!("{name} requires a Boolean value")))
    }
}

fn all_or_name(cursor: &mut Cursor<'_>) -> Result<Option<String>> {
    if cursor.eat("all") { Ok(None) } else { cursor.name().map(Some) }
}

fn discard(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    let what = match cursor.word() {
        Some("all") => Discard::All,
        Some("plans") => Discard::Plans,
        Some("sequences") => Discard::Sequences,
        Some("temp" | "temporary") => Discard::Temp,
        _ => return Err(cursor.error()),
    };
    cursor.next();
    Ok(StatementKind::Discard(what))
}

fn prepare(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    let name = cursor.name()?;
    let mut types = Vec::new();
    if cursor.eat_symbol("(") {
        loop {
            let position = cursor.peek().map_or(0, |lexeme| lexeme.position);
            types.push((type_name(cursor)?, position));
            if !cursor.eat_symbol(",") {
                break;
            }
        }
        cursor.expect_symbol(")")?;
    }
    cursor.expect("as")?;
    let allowed = |kind: &StatementKind| {
        matches!(kind, StatementKind::Query(_) | StatementKind::Modify(_) | StatementKind::Refused { .. })
    };
    let statement = embedded(cursor, allowed)?;
    Ok(StatementKind::Prepare { name, types, statement })
}

/// A type as written, up to the comma or parenthesis that ends it; `numeric(10, 2)` holds both.
fn type_name(cursor: &mut Cursor<'_>) -> Result<String> {
    let mut text = String::new();
    let mut depth = 0;
    while let Some(lexeme) = cursor.peek() {
        let raw = cursor.lexed.raw(lexeme);
        match raw {
            "(" | "[" => depth += 1,
            ")" | "]" if depth > 0 => depth -= 1,
            "," | ")" if depth == 0 => break,
            _ => {}
        }
        let glued = lexeme.kind == Kind::Symbol || text.ends_with(['.', '(', '[', ',']) || text.is_empty();
        if !glued {
            text.push(' ');
        }
        text.push_str(raw);
        cursor.next();
    }
    if text.is_empty() { Err(cursor.error()) } else { Ok(text) }
}

fn execute(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    let name = cursor.name()?;
    let mut arguments = Vec::new();
    if cursor.eat_symbol("(") {
        let rest = cursor.rest();
        let Some((close, inner)) = rest.split_last().filter(|(last, _)| cursor.lexed.is_symbol(last, ")")) else {
            while cursor.next().is_some() {}
            return Err(cursor.error());
        };
        arguments = parse::expressions(&Cursor::new(cursor.lexed, inner, Some(close)))?;
        while cursor.next().is_some() {}
    }
    Ok(StatementKind::Execute { name, arguments })
}

fn notify(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    let channel = cursor.name()?;
    let payload = if cursor.eat_symbol(",") {
        match cursor.text() {
            Some(text) => text,
            None => return Err(cursor.error()),
        }
    } else {
        String::new()
    };
    Ok(StatementKind::Notify { channel, payload })
}
