//! COPY: only TO STDOUT runs; files and programs of the server, and COPY FROM, are refused.
//! Must not know: how rows are written.

use crate::error::{Error, Result, SqlState};
use crate::names::quote;

use super::super::copy_options::{CopyFormat, ForceQuote, Raw, finish};
use super::super::cursor::Cursor;
use super::super::lexer::Lexeme;
use super::super::parse;
use super::super::statement::{Copy, Refusal, Statement, StatementKind};

const TO_FILE: &str = "must be superuser or have privileges of the pg_write_server_files role to COPY to a file";
const TO_PROGRAM: &str =
    "must be superuser or have privileges of the pg_execute_server_program role to COPY to or from an external program";

pub(super) fn copy(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    let mut raw = Raw::default();
    if cursor.eat("binary") {
        raw.format = Some(CopyFormat::Binary);
    }
    let query = if cursor.sees_symbol("(") { subquery(cursor)? } else { table(cursor)? };
    if cursor.eat("from") {
        return Ok(StatementKind::Refused { tag: "COPY FROM", why: Refusal::ReadOnly });
    }
    cursor.expect("to")?;
    if cursor.eat("program") {
        return Ok(StatementKind::Refused { tag: "COPY", why: Refusal::Privilege(TO_PROGRAM) });
    }
    if cursor.text().is_some() {
        return Ok(StatementKind::Refused { tag: "COPY", why: Refusal::Privilege(TO_FILE) });
    }
    // PostgreSQL takes either word in either direction.
    if !(cursor.eat("stdout") || cursor.eat("stdin")) {
        return Err(cursor.error());
    }
    let delimiters = cursor.eat("using");
    if delimiters {
        cursor.expect("delimiters")?;
        raw.delimiter = Some(text(cursor)?);
    }
    cursor.eat("with");
    if cursor.eat_symbol("(") {
        options(cursor, &mut raw)?
    } else {
        old_options(cursor, &mut raw)?
    }
    if cursor.sees(0, "where") {
        return Err(Error::client(SqlState::SYNTAX_ERROR, "WHERE clause not allowed with COPY TO"));
    }
    if matches!(query.kind, StatementKind::Refused { .. }) {
        return Ok(query.kind);
    }
    Ok(StatementKind::Copy(Box::new(Copy { query, options: finish(raw)? })))
}

/// `(query)`.
fn subquery(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let rest = cursor.rest();
    let mut depth = 0i32;
    let close = rest.iter().position(|lexeme| {
        depth += match cursor.lexed.raw(lexeme) {
            "(" => 1,
            ")" => -1,
            _ => 0,
        };
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

/// `t (a, b)`: becomes the query that reads it. Positions are kept, as the names' own lexemes are used.
fn table(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let start = cursor.rest();
    let mut table = vec![quote(&cursor.name()?)];
    while cursor.eat_symbol(".") {
        table.push(quote(&cursor.label()?));
    }
    let mut columns = Vec::new();
    if cursor.eat_symbol("(") {
        loop {
            columns.push(quote(&cursor.name()?));
            if !cursor.eat_symbol(",") {
                break;
            }
        }
        cursor.expect_symbol(")")?;
    }
    let columns = if columns.is_empty() { "*".to_owned() } else { columns.join(", ") };
    let text = format!("SELECT {columns} FROM {}", table.join("."));
    let position = start.first().map_or(1, |lexeme: &Lexeme| lexeme.position);
    let mut statements = parse::parse(&text)?;
    match statements.pop() {
        Some(mut statement) => {
            statement.offset = position - 1;
            Ok(statement)
        }
        None => Err(cursor.error()),
    }
}

fn text(cursor: &mut Cursor<'_>) -> Result<String> {
    cursor.text().ok_or_else(|| cursor.error())
}

fn redundant(position: Option<u32>) -> Error {
    let error = Error::client(SqlState::SYNTAX_ERROR, "conflicting or redundant options");
    match position {
        Some(position) => error.with_position(position),
        None => error,
    }
}

fn put<T>(slot: &mut Option<T>, value: T, position: Option<u32>) -> Result<()> {
    if slot.is_some() {
        return Err(redundant(position));
    }
    *slot = Some(value);
    Ok(())
}

/// `(FORMAT csv, HEADER, ...)`, the opening parenthesis already read.
fn options(cursor: &mut Cursor<'_>, raw: &mut Raw) -> Result<()> {
    loop {
        option(cursor, raw)?;
        if !cursor.eat_symbol(",") {
            return cursor.expect_symbol(")");
        }
    }
}

fn option(cursor: &mut Cursor<'_>, raw: &mut Raw) -> Result<()> {
    let at = cursor.peek().map(|lexeme| lexeme.position);
    let name = cursor.label()?;
    match name.as_str() {
        "format" => {
            let value_at = cursor.peek().map(|lexeme| lexeme.position);
            let value = super::value(cursor)?;
            let format = match value.as_str() {
                "text" => CopyFormat::Text,
                "csv" => CopyFormat::Csv,
                "binary" => CopyFormat::Binary,
                _ => {
                    let message = format!("COPY format \"{value}\" not recognized");
                    return Err(positioned(Error::client(SqlState::INVALID_PARAMETER_VALUE, message), at.or(value_at)));
                }
            };
            put(&mut raw.format, format, at)
        }
        "delimiter" => put(&mut raw.delimiter, super::value(cursor)?, at),
        "null" => put(&mut raw.null, super::value(cursor)?, at),
        "quote" => put(&mut raw.quote, super::value(cursor)?, at),
        "escape" => put(&mut raw.escape, super::value(cursor)?, at),
        "encoding" => put(&mut raw.encoding, super::value(cursor)?, at),
        "header" => {
            let value = boolean(cursor, "header")?;
            put(&mut raw.header, value, at)
        }
        "force_quote" => {
            let columns = force_quote(cursor)?;
            put(&mut raw.force_quote, columns, at)
        }
        "freeze" => boolean(cursor, "freeze").map(|_| ()),
        "force_not_null" | "force_null" => {
            Err(Error::unsupported(format!("COPY {} only available using COPY FROM", name.replace('_', " "))))
        }
        _ => {
            let error = Error::client(SqlState::SYNTAX_ERROR, format!("option \"{name}\" not recognized"));
            Err(positioned(error, at))
        }
    }
}

fn positioned(error: Error, position: Option<u32>) -> Error {
    match position {
        Some(position) => error.with_position(position),
        None => error,
    }
}

fn boolean(cursor: &mut Cursor<'_>, name: &str) -> Result<bool> {
    if cursor.sees_symbol(",") || cursor.sees_symbol(")") {
        return Ok(true);
    }
    let value = super::value(cursor)?;
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Ok(true),
        "false" | "off" | "0" => Ok(false),
        "match" if name == "header" => Err(Error::unsupported("cannot use \"match\" with HEADER in COPY TO")),
        _ if name == "header" => {
            Err(Error::client(SqlState::SYNTAX_ERROR, "header requires a Boolean value or \"match\""))
        }
        _ => Err(Error::client(SqlState::SYNTAX_ERROR, format!("{name} requires a Boolean value"))),
    }
}

/// `*` or `(a, b)`.
fn force_quote(cursor: &mut Cursor<'_>) -> Result<ForceQuote> {
    if cursor.eat_symbol("*") {
        return Ok(ForceQuote::All);
    }
    cursor.expect_symbol("(")?;
    let columns = names(cursor)?;
    cursor.expect_symbol(")")?;
    Ok(ForceQuote::Columns(columns))
}

fn names(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    let mut names = vec![cursor.name()?];
    while cursor.eat_symbol(",") {
        names.push(cursor.name()?);
    }
    Ok(names)
}

/// The syntax before PostgreSQL 9.0: `WITH CSV HEADER DELIMITER ','`.
fn old_options(cursor: &mut Cursor<'_>, raw: &mut Raw) -> Result<()> {
    while let Some(lexeme) = cursor.peek() {
        let at = Some(lexeme.position);
        if cursor.eat("binary") {
            put(&mut raw.format, CopyFormat::Binary, at)?;
        } else if cursor.eat("csv") {
            put(&mut raw.format, CopyFormat::Csv, at)?;
        } else if cursor.eat("header") {
            put(&mut raw.header, true, at)?;
        } else if cursor.eat("delimiter") {
            cursor.eat("as");
            put(&mut raw.delimiter, text(cursor)?, at)?;
        } else if cursor.eat("null") {
            cursor.eat("as");
            put(&mut raw.null, text(cursor)?, at)?;
        } else if cursor.eat("quote") {
            cursor.eat("as");
            put(&mut raw.quote, text(cursor)?, at)?;
        } else if cursor.eat("escape") {
            cursor.eat("as");
            put(&mut raw.escape, text(cursor)?, at)?;
        } else if cursor.eat("encoding") {
            put(&mut raw.encoding, text(cursor)?, at)?;
        } else if cursor.eat("force quote") {
            let columns = if cursor.eat_symbol("*") { ForceQuote::All } else { ForceQuote::Columns(names(cursor)?) };
            put(&mut raw.force_quote, columns, at)?;
        } else if cursor.sees(0, "where") {
            return Ok(());
        } else {
            return Err(cursor.error());
        }
    }
    Ok(())
}
