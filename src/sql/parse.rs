//! Text becomes statements: guarded, cut, recognised, parsed.
//! Must not know: what exists, who asks, what runs.

use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::error::{Error, Result, SqlState};

use super::allow::{self, Stop};
use super::cursor::Cursor;
use super::dialect::Postgres;
use super::guard::{self, Guard};
use super::lexer::{Kind, Lexed, Lexeme, lex};
use super::marks;
use super::modify::grammar;
use super::statement::{Refusal, Statement, StatementKind};
use super::tokens::tokens;
use super::utility;
use super::view_functions;

/// sqlparser's own limit. The guard stops earlier: a nesting costs it three or four of these, a sign or NOT one.
const RECURSION_LIMIT: usize = 2000;

/// Cuts a message into statements and parses each. Nothing but comments, space and semicolons gives none.
///
/// # Errors
/// As PostgreSQL, for the whole message before any of it runs: `42601` with the position (in characters of the message,
/// from 1), `54001` and `54011` for what is too long, deep or wide, `22021` for a NUL. A statement that is
/// understood and not executed is no error here: see [`Statement::refusal`].
pub fn parse(message: &str) -> Result<Vec<Statement>> {
    let mut guard = Guard::new(message)?;
    let lexed = lex(message, &mut |message, lexeme| guard.take(message, lexeme))?;
    let mut statements = Vec::new();
    let mut rest = lexed.lexemes.as_slice();
    while !rest.is_empty() {
        let length = rest.iter().position(|lexeme| lexed.is_symbol(lexeme, ";"));
        let (lexemes, after) = rest.split_at(length.unwrap_or(rest.len()));
        if !lexemes.is_empty() {
            statements.push(statement(Cursor::new(&lexed, lexemes, after.first()))?);
        }
        rest = after.get(1..).unwrap_or(&[]);
    }
    Ok(statements)
}

/// Parses one expression that stands alone (a row filter, a mask).
///
/// # Errors
/// As [`parse`].
pub fn parse_expression(text: &str) -> Result<ast::Expr> {
    let mut guard = Guard::new(text)?;
    let lexed = lex(text, &mut |message, lexeme| guard.take(message, lexeme))?;
    let cursor = Cursor::new(&lexed, &lexed.lexemes, None);
    let expression = with_parser(&cursor, |parser| parser.parse_expr())?;
    allow::expression(&expression).map_err(|stop| stopped(&cursor, stop))?;
    Ok(expression)
}

/// Parses the statement at the cursor, which ends where the cursor's lexemes end.
pub(super) fn statement(cursor: Cursor<'_>) -> Result<Statement> {
    let lexed = cursor.lexed;
    let lexemes = cursor.rest();
    let (Some(first), Some(last)) = (lexemes.first(), lexemes.last()) else { return Err(cursor.error()) };
    let parameters = parameters(lexed, lexemes)?;
    let kind = match () {
        () if starts_modify(&cursor) => modify(&cursor)?,
        () if starts_query(&cursor) => query(&cursor)?,
        () => utility::statement(cursor)?,
    };
    let text = lexed.source.get(first.start as usize..last.end as usize).unwrap_or("").to_owned();
    let shortened = lexed.shortened(first.start..last.end);
    Ok(Statement { text, offset: first.position - 1, kind, parameters, shortened })
}

/// Does a query start here?
pub(super) fn starts_query(cursor: &Cursor<'_>) -> bool {
    cursor.sees_symbol("(") || ["select", "values", "table", "with"].iter().any(|word| cursor.sees(0, word))
}

/// Does a statement that writes start here?
pub(super) fn starts_modify(cursor: &Cursor<'_>) -> bool {
    let first = |verb: &&str| cursor.sees(0, verb);
    if VERBS.iter().any(first) {
        // One word of two is the business of the list of all statements.
        return cursor.sees(0, "update") || cursor.sees(1, "into") || cursor.sees(1, "from");
    }
    cursor.sees(0, "with") && verb_behind_with(cursor).is_some()
}

const VERBS: [&str; 4] = ["insert", "update", "delete", "merge"];

/// The verb that stands behind the queries of WITH, if it is one that writes.
pub(super) fn verb_behind_with<'l>(cursor: &Cursor<'l>) -> Option<&'l Lexeme> {
    let lexed = cursor.lexed;
    let mut depth = 0i32;
    let mut closed = false;
    for lexeme in cursor.rest() {
        depth += i32::from(lexed.is_symbol(lexeme, "(")) - i32::from(lexed.is_symbol(lexeme, ")"));
        if closed && VERBS.iter().any(|verb| lexed.is_word(lexeme, verb)) {
            return Some(lexeme);
        }
        closed = depth == 0 && lexed.is_symbol(lexeme, ")");
    }
    None
}

fn parameters(lexed: &Lexed<'_>, lexemes: &[Lexeme]) -> Result<u16> {
    let mut highest = 0;
    for lexeme in lexemes.iter().filter(|lexeme| lexeme.kind == Kind::Parameter) {
        let raw = lexed.raw(lexeme);
        let number =
            raw.get(1..).and_then(|digits| digits.parse::<u16>().ok()).filter(|n| *n > 0).ok_or_else(|| {
                Error::client(SqlState::UNDEFINED_PARAMETER, format!("there is no parameter {raw}"))
                    .with_position(lexeme.position)
            })?;
        highest = highest.max(number);
    }
    Ok(highest)
}

/// Parses what is left at the cursor as a query.
pub(super) fn query(cursor: &Cursor<'_>) -> Result<StatementKind> {
    match limited_before_locked(cursor) {
        Some(reordered) => in_order(&Cursor::new(cursor.lexed, &reordered, cursor.end())),
        None => in_order(cursor),
    }
}

fn in_order(cursor: &Cursor<'_>) -> Result<StatementKind> {
    if let [only] = cursor.rest()
        && cursor.lexed.is_word(only, "select")
    {
        return nothing().map(StatementKind::Query).map_err(|_| cursor.error());
    }
    // Of WITH, our own grammar knows what sqlparser's does not.
    let verb =
        |lexeme: &Lexeme| VERBS.iter().chain(&["search", "cycle"]).any(|verb| cursor.lexed.is_word(lexeme, verb));
    if cursor.sees(0, "with") && cursor.rest().iter().any(verb) {
        return modify(cursor);
    }
    match with_parser(cursor, |parser| parser.parse_query()) {
        // sqlparser does not know all forms of what writes.
        Err(error) => Err(writes_below(cursor, -1).unwrap_or(error)),
        Ok(parsed) => reading(cursor, parsed),
    }
}

/// The query with what limits its rows before what locks them, where they stand the other way round: both ways are PostgreSQL's.
fn limited_before_locked(cursor: &Cursor<'_>) -> Option<Vec<Lexeme>> {
    let (lexed, rest) = (cursor.lexed, cursor.rest());
    let is_one = |lexeme: &Lexeme, words: &[&str]| words.iter().any(|word| lexed.is_word(lexeme, word));
    let (mut around, mut locks, mut limits) = (0, None, None);
    for (at, lexeme) in rest.iter().enumerate() {
        around += i32::from(lexed.is_symbol(lexeme, "(")) - i32::from(lexed.is_symbol(lexeme, ")"));
        let next = rest.get(at + 1).is_some_and(|next| is_one(next, &["update", "share", "no", "key"]));
        if around == 0 && locks.is_none() && next && lexed.is_word(lexeme, "for") {
            locks = Some(at);
        }
        if around == 0 && locks.is_some() && limits.is_none() && is_one(lexeme, &["limit", "offset", "fetch"]) {
            limits = Some(at);
        }
    }
    let (locks, limits) = (locks?, limits?);
    Some([&rest[..locks], &rest[limits..], &rest[locks..limits]].concat())
}

fn reading(cursor: &Cursor<'_>, mut query: Box<ast::Query>) -> Result<StatementKind> {
    view_functions::resolve(&mut query);
    Ok(match allow::query(&query).map_err(|stop| stopped(cursor, stop))? {
        Some("SELECT INTO") => StatementKind::Refused { tag: "SELECT INTO", why: Refusal::ReadOnly },
        Some(_) | None => StatementKind::Query(query),
    })
}

/// The error for what looks like a query of WITH that writes, deeper than so many parentheses; at its name, where that stands right before.
fn writes_below(cursor: &Cursor<'_>, depth: i32) -> Option<Error> {
    let (lexed, rest) = (cursor.lexed, cursor.rest());
    let mut around = 0;
    let found = rest.windows(3).position(|window| match window {
        [before, open, verb] => {
            let inside = around;
            around += i32::from(lexed.is_symbol(before, "(")) - i32::from(lexed.is_symbol(before, ")"));
            inside > depth
                && (lexed.is_word(before, "as") || lexed.is_word(before, "materialized"))
                && lexed.is_symbol(open, "(")
                && VERBS.iter().any(|known| lexed.is_word(verb, known))
        }
        _ => false,
    })?;
    let name = rest.get(..found).and_then(<[Lexeme]>::last);
    let name = name
        .filter(|name| rest.get(found).is_some_and(|word| lexed.is_word(word, "as")) && !lexed.is_symbol(name, ")"));
    Some(match name {
        Some(name) => allow::writes_below().with_position(name.position),
        None => allow::writes_below(),
    })
}

/// Parses what is left at the cursor as a statement that writes: INSERT, UPDATE, DELETE or MERGE, or any in the WITH of which one of them
/// stands. It may turn out to be a query.
pub(super) fn modify(cursor: &Cursor<'_>) -> Result<StatementKind> {
    let parsed = match with_parser(cursor, grammar::statement) {
        // sqlparser does not know all forms of what writes.
        Err(error) => return Err(writes_below(cursor, 0).unwrap_or(error)),
        Ok(parsed) => parsed,
    };
    let mut writing = match parsed.into_query() {
        Ok(query) => return reading(cursor, query),
        Err(writing) => writing,
    };
    view_functions::resolve(&mut *writing);
    let found = allow::writing(&writing).map_err(|stop| stopped(cursor, stop))?;
    Ok(match found {
        Some("SELECT INTO") if writing.verb().is_none() => {
            StatementKind::Refused { tag: "SELECT INTO", why: Refusal::ReadOnly }
        }
        Some("SELECT INTO") => StatementKind::Refused {
            tag: writing.tag(),
            why: Refusal::Form("a query that makes a table, in a data-modifying statement, is not supported"),
        },
        Some(_) | None => StatementKind::Modify(writing),
    })
}

/// `SELECT` alone: one row without columns. sqlparser wants a FROM behind it, which is taken away again.
fn nothing() -> Result<Box<ast::Query>, ParserError> {
    let words = ["select", "from", "nothing"].map(|word| TokenWithSpan::wrap(Token::make_word(word, None)));
    let dialect = Postgres::new(words.len());
    let mut query = Parser::new(&dialect).with_tokens_with_locations(words.to_vec()).parse_query()?;
    if let ast::SetExpr::Select(select) = &mut *query.body {
        select.from.clear();
    }
    Ok(query)
}

fn stopped(cursor: &Cursor<'_>, stop: Stop) -> Error {
    match stop {
        Stop::Error(error) => error,
        Stop::NoAlias(error, position) => {
            // The position is the first expression's; PostgreSQL points at the parenthesis around.
            let lexemes = cursor.rest();
            let inside = lexemes.iter().take_while(|lexeme| lexeme.position < position);
            let words = ["select", "values", "with"];
            let start =
                inside.enumerate().filter(|(_, l)| words.iter().any(|word| cursor.lexed.is_word(l, word))).last();
            let parenthesis = start.and_then(|(i, _)| i.checked_sub(1)).and_then(|i| lexemes.get(i));
            error.with_position(parenthesis.map_or(position, |lexeme| lexeme.position))
        }
        Stop::SyntaxAt(position) | Stop::SyntaxAfter(position) => error_at(cursor, position),
    }
}

/// Parses what is left at the cursor as expressions parted by commas.
pub(super) fn expressions(cursor: &Cursor<'_>) -> Result<Vec<ast::Expr>> {
    let expressions = with_parser(cursor, |parser| parser.parse_comma_separated(Parser::parse_expr))?;
    expressions.iter().try_for_each(|expr| allow::expression(expr).map_err(|stop| stopped(cursor, stop)))?;
    Ok(expressions)
}

fn with_parser<T: ast::VisitMut>(
    cursor: &Cursor<'_>,
    run: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
) -> Result<T> {
    no_stray_string(cursor)?;
    let tokens: Vec<TokenWithSpan> = tokens(cursor.lexed, cursor.rest());
    let dialect = Postgres::new(tokens.len());
    let mut parser = Parser::new(&dialect).with_recursion_limit(RECURSION_LIMIT).with_tokens_with_locations(tokens);
    let result = run(&mut parser);
    if dialect.exhausted() {
        return Err(guard::too_deep());
    }
    match result {
        Ok(mut tree) => match super::position(parser.peek_token_ref().span) {
            None => marks::resolve(&mut tree).map(|()| tree).map_err(|position| error_at(cursor, position)),
            Some(position) => Err(error_at(cursor, position)),
        },
        Err(ParserError::RecursionLimitExceeded) => Err(guard::too_deep()),
        Err(ParserError::ParserError(message) | ParserError::TokenizerError(message)) => {
            Err(syntax_error(cursor, &message, &parser))
        }
    }
}

/// sqlparser takes a string for an alias; in PostgreSQL none may stand behind a value.
fn no_stray_string(cursor: &Cursor<'_>) -> Result<()> {
    let stray = cursor.rest().windows(2).find(|pair| {
        let value = matches!(pair[0].kind, Kind::Text | Kind::Number | Kind::Parameter | Kind::Bits | Kind::Hex);
        pair[1].kind == Kind::Text && (value || cursor.lexed.is_word(&pair[0], "as"))
    });
    stray.map_or(Ok(()), |pair| Err(cursor.lexed.error_at(&pair[1])))
}

/// PostgreSQL's words for sqlparser's error, which ends in `found: X at Line: 1, Column: N`.
fn syntax_error(cursor: &Cursor<'_>, message: &str, parser: &Parser<'_>) -> Error {
    let column = message.rsplit_once("Column: ").and_then(|(_, column)| column.trim().parse::<u32>().ok());
    if column.is_none() && !message.contains("found: EOF") {
        // Some of its errors have no place; where it stopped reading is near it.
        if let Some(position) = super::position(parser.peek_token_ref().span) {
            return error_at(cursor, position);
        }
    }
    match column {
        Some(position) => error_at(cursor, position),
        None => match cursor.end() {
            Some(semicolon) => cursor.lexed.error_at(semicolon),
            None => cursor.lexed.error_at_end(),
        },
    }
}

fn error_at(cursor: &Cursor<'_>, position: u32) -> Error {
    let lexemes = cursor.rest();
    let lexed = cursor.lexed;
    let mut at = lexemes.iter().position(|lexeme| lexeme.position >= position).unwrap_or(lexemes.len());
    let is = |at: usize, word: &str| lexemes.get(at).is_some_and(|lexeme| lexed.is_word(lexeme, word));
    if lexemes.get(at).is_some_and(|lexeme| lexed.is_symbol(lexeme, ","))
        && let Some(limit) = at.checked_sub(2).filter(|at| is(*at, "limit")).and_then(|at| lexemes.get(at))
    {
        return Error::client(SqlState::SYNTAX_ERROR, "LIMIT #,# syntax is not supported")
            .with_hint("Use separate LIMIT and OFFSET clauses.")
            .with_position(limit.position);
    }
    // sqlparser reads ORDER BY at once; PostgreSQL misses the BY behind the ORDER.
    if (is(at, "order") || is(at, "group")) && !is(at + 1, "by") {
        at += 1;
    }
    match lexemes.get(at).or(cursor.end()) {
        Some(lexeme) => lexed.error_at(lexeme),
        None => lexed.error_at_end(),
    }
}

#[cfg(test)]
mod tests;
