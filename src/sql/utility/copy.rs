//! COPY: TO STDOUT and FROM STDIN; files and programs of the server are refused.
//! Must not know: how rows are written, what the options mean together.

use crate::error::{Error, Result, SqlState};

use super::super::copy_options::{CopyOption, OptionValue};
use super::super::cursor::Cursor;
use super::super::modify::{ModifyVerb, Writing};
use super::super::parse;
use super::super::scope::TableRef;
use super::super::statement::{Copy, CopyWhat, Refusal, Statement, StatementKind};

const TO_FILE: &str = "must be superuser or have privileges of the pg_write_server_files role to COPY to a file";
const FROM_FILE: &str = "must be superuser or have privileges of the pg_read_server_files role to COPY from a file";
const PROGRAM: &str =
    "must be superuser or have privileges of the pg_execute_server_program role to COPY to or from an external program";

pub(super) fn copy(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    if cursor.sees_symbol("(") { copy_query(cursor) } else { copy_table(cursor) }
}

fn copy_query(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    let query = subquery(cursor)?;
    let to = at(cursor);
    cursor.expect("to")?;
    if let Some(refused) = peer(cursor, false, Some(to))? {
        return Ok(refused);
    }
    let mut options = Vec::new();
    with_options(cursor, &mut options)?;
    cursor.finish()?;
    if matches!(query.kind, StatementKind::Refused { .. }) {
        return Ok(query.kind);
    }
    if let StatementKind::Modify(writing) = &query.kind
        && let Some(why) = no_rows(writing)
    {
        return Ok(StatementKind::Refused { tag: "COPY", why: Refusal::Form(why) });
    }
    let copy = Copy { what: CopyWhat::Query(query), from: false, options, filtered: false };
    Ok(StatementKind::Copy(Box::new(copy)))
}

fn copy_table(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    let mut options = Vec::new();
    let position = at(cursor);
    if cursor.eat("binary") {
        options.push(said("format", "binary", position));
    }
    let what = table(cursor)?;
    let from = cursor.eat("from");
    if !from {
        cursor.expect("to")?;
    }
    if let Some(refused) = peer(cursor, from, None)? {
        return Ok(refused);
    }
    let position = at(cursor);
    let using = cursor.eat("using");
    if cursor.eat("delimiters") {
        options.push(text_option("delimiter", position, cursor)?);
    } else if using {
        return Err(cursor.error());
    }
    with_options(cursor, &mut options)?;
    let filtered = filter(cursor, from)?;
    Ok(StatementKind::Copy(Box::new(Copy { what, from, options, filtered })))
}

/// Why what writes has no rows to copy.
fn no_rows(writing: &Writing) -> Option<&'static str> {
    match writing.verb() {
        Some(ModifyVerb::Merge) => Some("MERGE not supported in COPY"),
        _ if writing.returns_rows() => None,
        _ => Some("COPY query must have a RETURNING clause"),
    }
}

/// STDIN and STDOUT, each in either direction, as PostgreSQL takes them. What needs a privilege of PostgreSQL's is refused.
fn peer(cursor: &mut Cursor<'_>, from: bool, position: Option<u32>) -> Result<Option<StatementKind>> {
    let program = cursor.eat("program");
    if cursor.text().is_some() {
        let why = match (program, from) {
            (true, _) => PROGRAM,
            (false, true) => FROM_FILE,
            (false, false) => TO_FILE,
        };
        return Ok(Some(StatementKind::Refused { tag: "COPY", why: Refusal::Privilege(why) }));
    }
    if !(cursor.eat("stdout") || cursor.eat("stdin")) {
        return Err(cursor.error());
    }
    if program {
        let error = Error::client(SqlState::SYNTAX_ERROR, "STDIN/STDOUT not allowed with PROGRAM");
        return Err(match position {
            Some(position) => error.with_position(position),
            None => error,
        });
    }
    Ok(None)
}

/// WHERE, for FROM alone.
fn filter(cursor: &mut Cursor<'_>, from: bool) -> Result<bool> {
    let position = at(cursor);
    if !cursor.eat("where") {
        return Ok(false);
    }
    if !from {
        return Err(
            Error::client(SqlState::SYNTAX_ERROR, "WHERE clause not allowed with COPY TO").with_position(position)
        );
    }
    if cursor.is_done() {
        return Err(cursor.error());
    }
    parse::expressions(cursor)?;
    while cursor.next().is_some() {}
    Ok(true)
}

/// `(query)`.
fn subquery(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let rest = cursor.rest();
    let mut depth = 0i32;
    let close = rest.iter().position(|lexeme| {
        // Only symbols: a name in quotes or a string may look like one.
        depth += i32::from(cursor.lexed.is_symbol(lexeme, "(")) - i32::from(cursor.lexed.is_symbol(lexeme, ")"));
        depth == 0
    });
    let Some((inner, close)) = close.and_then(|close| Some((rest.get(1..close)?, rest.get(close)?))) else {
        while cursor.next().is_some() {}
        return Err(cursor.error());
    };
    let inside = Cursor::new(cursor.lexed, inner, Some(close));
    let writes = ["insert", "update", "delete", "merge"].iter().any(|word| inside.sees(0, word));
    if inside.is_done() || !(parse::starts_query(&inside) || writes) {
        return Err(inside.error());
    }
    let statement = parse::statement(inside)?;
    for _ in 0..inner.len() + 2 {
        cursor.next();
    }
    Ok(statement)
}

/// `t (a, b)`.
fn table(cursor: &mut Cursor<'_>) -> Result<CopyWhat> {
    let position = at(cursor);
    let mut parts = vec![cursor.name()?];
    while cursor.eat_symbol(".") {
        parts.push(cursor.label()?);
    }
    let written = parts.join(".");
    let table = parts.pop().unwrap_or_default();
    let (schema, catalog) = (parts.pop(), parts.pop());
    if !parts.is_empty() {
        let message = format!("improper qualified name (too many dotted names): {written}");
        return Err(Error::client(SqlState::SYNTAX_ERROR, message).with_position(position));
    }
    let columns = if cursor.sees_symbol("(") { name_list(cursor)? } else { Vec::new() };
    Ok(CopyWhat::Table { table: TableRef { catalog, schema, table, position }, columns })
}

/// `(a, b)`.
fn name_list(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    cursor.expect_symbol("(")?;
    let names = names(cursor)?;
    cursor.expect_symbol(")")?;
    Ok(names)
}

fn names(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    let mut names = vec![cursor.name()?];
    while cursor.eat_symbol(",") {
        names.push(cursor.name()?);
    }
    Ok(names)
}

/// Where the next lexeme stands; 0 at the end, where nothing stands that an error could point at.
fn at(cursor: &Cursor<'_>) -> u32 {
    cursor.peek().map_or(0, |lexeme| lexeme.position)
}

fn said(name: &str, text: &str, position: u32) -> CopyOption {
    CopyOption { name: name.to_owned(), value: OptionValue::Text(text.to_owned()), position }
}

fn text_option(name: &str, position: u32, cursor: &mut Cursor<'_>) -> Result<CopyOption> {
    let text = cursor.text().ok_or_else(|| cursor.error())?;
    Ok(said(name, &text, position))
}

/// `[WITH]` and either list of options.
fn with_options(cursor: &mut Cursor<'_>, options: &mut Vec<CopyOption>) -> Result<()> {
    cursor.eat("with");
    if !cursor.eat_symbol("(") {
        return old_options(cursor, options);
    }
    loop {
        let position = at(cursor);
        let name = cursor.label()?;
        options.push(CopyOption { name, value: value(cursor)?, position });
        if !cursor.eat_symbol(",") {
            return cursor.expect_symbol(")");
        }
    }
}

/// What stands behind the name of an option in parentheses.
fn value(cursor: &mut Cursor<'_>) -> Result<OptionValue> {
    if cursor.sees_symbol(",") || cursor.sees_symbol(")") {
        return Ok(OptionValue::None);
    }
    if cursor.eat_symbol("*") {
        return Ok(OptionValue::Star);
    }
    if let Some(number) = cursor.number() {
        return Ok(OptionValue::Number(number));
    }
    if !cursor.eat_symbol("(") {
        return word(cursor).map(OptionValue::Text);
    }
    let mut list = vec![word(cursor)?];
    while cursor.eat_symbol(",") {
        list.push(word(cursor)?);
    }
    cursor.expect_symbol(")")?;
    Ok(OptionValue::List(list))
}

/// A string, a name, or one of the reserved words that mean yes and no.
fn word(cursor: &mut Cursor<'_>) -> Result<String> {
    if let Some(text) = cursor.text() {
        return Ok(text);
    }
    match cursor.word() {
        Some("true" | "false" | "on" | "binary" | "freeze") => cursor.label(),
        _ => cursor.name(),
    }
}

/// The syntax before PostgreSQL 9.0: `CSV HEADER DELIMITER ','`.
fn old_options(cursor: &mut Cursor<'_>, options: &mut Vec<CopyOption>) -> Result<()> {
    while !cursor.is_done() && !cursor.sees(0, "where") {
        let position = at(cursor);
        let option = if cursor.eat("binary") {
            said("format", "binary", position)
        } else if cursor.eat("csv") {
            said("format", "csv", position)
        } else if cursor.eat("freeze") {
            said("freeze", "true", position)
        } else if cursor.eat("header") {
            said("header", "true", position)
        } else if cursor.eat("encoding") {
            text_option("encoding", position, cursor)?
        } else if cursor.eat("force") {
            forced(cursor, position)?
        } else {
            let known = ["delimiter", "null", "quote", "escape"];
            let Some(name) = known.into_iter().find(|name| cursor.eat(name)) else { return Err(cursor.error()) };
            cursor.eat("as");
            text_option(name, position, cursor)?
        };
        options.push(option);
    }
    Ok(())
}

/// `FORCE QUOTE a, b`, `FORCE NOT NULL a`, `FORCE NULL a`.
fn forced(cursor: &mut Cursor<'_>, position: u32) -> Result<CopyOption> {
    let name = if cursor.eat("quote") {
        "force_quote"
    } else if cursor.eat("not null") {
        "force_not_null"
    } else if cursor.eat("null") {
        "force_null"
    } else {
        return Err(cursor.error());
    };
    let star = name == "force_quote" && cursor.eat_symbol("*");
    let value = if star { OptionValue::Star } else { OptionValue::List(names(cursor)?) };
    Ok(CopyOption { name: name.to_owned(), value, position })
}
