//! PostgreSQL's grammar of INSERT, UPDATE, DELETE and MERGE, over sqlparser's of expressions and queries.
//! Must not know: what of it is allowed.

use datafusion::sql::sqlparser::ast::{
    Cte, CteAsMaterialized, Expr, Ident, ObjectName, Query, SelectItem, TableAlias, TableAliasColumnDef,
    TableWithJoins, With,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::super::keywords::is_name;
use super::super::marks;
use super::tree::{
    Action, Arbiter, Assignment, Body, Change, Clause, Conflict, Delete, Filter, Insert, Key, Merge, Modify,
    Overriding, Place, Step, Then, Update, When, WithItem, Writer, Writing,
};

type Parsed<T> = Result<T, ParserError>;

/// Is the n-th token from here (0 is the next) this word, without quotes?
fn sees(parser: &Parser<'_>, n: usize, word: &str) -> bool {
    matches!(&parser.peek_nth_token_ref(n).token, Token::Word(found) if found.quote_style.is_none() && found.value == word)
}

/// Takes these words if all of them come next.
fn eat(parser: &mut Parser<'_>, words: &[&str]) -> bool {
    let all = words.iter().enumerate().all(|(n, word)| sees(parser, n, word));
    if all {
        words.iter().for_each(|_| {
            parser.next_token();
        });
    }
    all
}

fn expect(parser: &mut Parser<'_>, words: &[&str]) -> Parsed<()> {
    for word in words {
        if !eat(parser, &[word]) {
            return parser.expected_ref(word, parser.peek_token_ref());
        }
    }
    Ok(())
}

fn parenthesized<T>(parser: &mut Parser<'_>, each: impl FnMut(&mut Parser<'_>) -> Parsed<T>) -> Parsed<Vec<T>> {
    parser.expect_token(&Token::LParen)?;
    let list = parser.parse_comma_separated(each)?;
    parser.expect_token(&Token::RParen)?;
    Ok(list)
}

/// The whole statement, WITH first. Queries of that may write.
pub(in crate::sql) fn statement(parser: &mut Parser<'_>) -> Parsed<Writing> {
    let with = clause(parser)?;
    if with.is_some() && sees(parser, 0, "with") {
        return parser.expected_ref("a statement", parser.peek_token_ref());
    }
    Ok(Writing { with, body: body(parser, None)? })
}

fn clause(parser: &mut Parser<'_>) -> Parsed<Option<Clause>> {
    if !parser.parse_keyword(Keyword::WITH) {
        return Ok(None);
    }
    let with_token = parser.get_current_token().clone().into();
    let recursive = parser.parse_keyword(Keyword::RECURSIVE);
    let queries = parser.parse_comma_separated(with_item)?;
    Ok(Some(Clause { with_token, recursive, queries }))
}

/// A query of the whole statement's WITH.
fn with_item(parser: &mut Parser<'_>) -> Parsed<WithItem> {
    let name = parser.parse_identifier()?;
    let columns = if parser.peek_token_ref().token == Token::LParen {
        parenthesized(parser, |parser| {
            parser.parse_identifier().map(|name| TableAliasColumnDef { name, data_type: None })
        })?
    } else {
        Vec::new()
    };
    expect(parser, &["as"])?;
    let materialized = match () {
        () if eat(parser, &["materialized"]) => Some(CteAsMaterialized::Materialized),
        () if eat(parser, &["not", "materialized"]) => Some(CteAsMaterialized::NotMaterialized),
        () => None,
    };
    parser.expect_token(&Token::LParen)?;
    let with = with(parser)?;
    if with.is_some() && sees(parser, 0, "with") {
        return parser.expected_ref("a query", parser.peek_token_ref());
    }
    let body = body(parser, with)?;
    let closing_paren_token = parser.expect_token(&Token::RParen)?.into();
    let from = match marks::are_clauses(parser.peek_token_ref().span) {
        true if matches!(body, Body::Query(_)) => Some(parser.parse_identifier()?),
        _ => None,
    };
    let alias = TableAlias { explicit: false, name, columns, at: None };
    Ok(match body {
        Body::Query(query) => WithItem::Query(Box::new(Cte { alias, query, from, materialized, closing_paren_token })),
        Body::Modify(modify) => WithItem::Modify(Box::new(Writer { alias, materialized, modify: *modify })),
    })
}

/// What stands behind a WITH.
fn body(parser: &mut Parser<'_>, with: Option<With>) -> Parsed<Body> {
    let modify = if eat(parser, &["insert"]) {
        expect(parser, &["into"])?;
        insert(parser, with)?
    } else if eat(parser, &["update"]) {
        update(parser, with)?
    } else if eat(parser, &["delete"]) {
        expect(parser, &["from"])?;
        delete(parser, with)?
    } else if eat(parser, &["merge"]) {
        expect(parser, &["into"])?;
        merge(parser, with)?
    } else {
        let mut query = parser.parse_query()?;
        if with.is_some() {
            query.with = with;
        }
        return Ok(Body::Query(query));
    };
    Ok(Body::Modify(Box::new(modify)))
}

fn with(parser: &mut Parser<'_>) -> Parsed<Option<With>> {
    if !parser.parse_keyword(Keyword::WITH) {
        return Ok(None);
    }
    let with_token = parser.get_current_token().clone().into();
    let recursive = parser.parse_keyword(Keyword::RECURSIVE);
    let cte_tables = parser.parse_comma_separated(Parser::parse_cte)?;
    Ok(Some(With { with_token, recursive, cte_tables }))
}

/// `[AS] name`. SET is no alias here, though it is a name elsewhere.
fn alias(parser: &mut Parser<'_>) -> Parsed<Option<Ident>> {
    if parser.parse_keyword(Keyword::AS) {
        return parser.parse_identifier().map(Some);
    }
    let named = match &parser.peek_token_ref().token {
        Token::Word(word) => word.quote_style.is_some() || (is_name(&word.value) && word.value != "set"),
        _ => false,
    };
    if named { parser.parse_identifier().map(Some) } else { Ok(None) }
}

/// The target: `t`, `t *`, which is the same, or `ONLY t`.
fn target(parser: &mut Parser<'_>) -> Parsed<ObjectName> {
    let name = parser.parse_object_name(false)?;
    if !marks::only(&name) {
        let _ = parser.consume_token(&Token::Mul);
    }
    Ok(name)
}

fn returning(parser: &mut Parser<'_>) -> Parsed<Vec<SelectItem>> {
    if eat(parser, &["returning"]) { parser.parse_comma_separated(Parser::parse_select_item) } else { Ok(Vec::new()) }
}

fn insert(parser: &mut Parser<'_>, with: Option<With>) -> Parsed<Modify> {
    if sees(parser, 0, "only") {
        return parser.expected_ref("a table", parser.peek_token_ref());
    }
    let name = parser.parse_object_name(false)?;
    let alias = if parser.parse_keyword(Keyword::AS) { Some(parser.parse_identifier()?) } else { None };
    let columns = columns(parser)?;
    let overriding = overriding(parser)?;
    let bare = columns.is_empty() && overriding.is_none();
    let source = if bare && eat(parser, &["default", "values"]) { None } else { Some(query(parser)?) };
    let conflict =
        if sees(parser, 1, "conflict") && eat(parser, &["on", "conflict"]) { Some(conflict(parser)?) } else { None };
    let action = Action::Insert(Box::new(Insert { columns, overriding, source, conflict }));
    Ok(Modify { with, name, alias, action, returning: returning(parser)? })
}

/// What INSERT takes its rows from. sqlparser would take another INSERT.
fn query(parser: &mut Parser<'_>) -> Parsed<Box<Query>> {
    let starts = parser.peek_token_ref().token == Token::LParen
        || ["select", "values", "with"].iter().any(|word| sees(parser, 0, word));
    if starts { parser.parse_query() } else { parser.expected_ref("a query", parser.peek_token_ref()) }
}

/// `(a, b[1])`, where no query begins.
fn columns(parser: &mut Parser<'_>) -> Parsed<Vec<Place>> {
    let query = ["select", "values", "with"].iter().any(|word| sees(parser, 1, word))
        || parser.peek_nth_token_ref(1).token == Token::LParen;
    if parser.peek_token_ref().token != Token::LParen || query {
        return Ok(Vec::new());
    }
    parenthesized(parser, place)
}

fn overriding(parser: &mut Parser<'_>) -> Parsed<Option<Overriding>> {
    if !eat(parser, &["overriding"]) {
        return Ok(None);
    }
    let overriding = if eat(parser, &["system"]) { Overriding::System } else { Overriding::User };
    if overriding == Overriding::User {
        expect(parser, &["user"])?;
    }
    expect(parser, &["value"])?;
    Ok(Some(overriding))
}

/// `a`, `a.f`, `a[1]`, `a[1:2]`.
fn place(parser: &mut Parser<'_>) -> Parsed<Place> {
    let column = parser.parse_identifier()?;
    let mut path = Vec::new();
    loop {
        if parser.consume_token(&Token::Period) {
            path.push(Step::Field(parser.parse_identifier()?));
        } else if parser.consume_token(&Token::LBracket) {
            path.push(step(parser)?);
        } else {
            return Ok(Place { column, path });
        }
    }
}

fn step(parser: &mut Parser<'_>) -> Parsed<Step> {
    let bound = |parser: &mut Parser<'_>, end: &Token| {
        if parser.peek_token_ref().token == *end {
            Ok(None)
        } else {
            parser.parse_expr().map(|bound| Some(Box::new(bound)))
        }
    };
    let lower = bound(parser, &Token::Colon)?;
    let step = if parser.consume_token(&Token::Colon) {
        Step::Slice(lower, bound(parser, &Token::RBracket)?)
    } else {
        match lower {
            Some(index) => Step::Index(index),
            None => return parser.expected_ref("a subscript", parser.peek_token_ref()),
        }
    };
    parser.expect_token(&Token::RBracket)?;
    Ok(step)
}

fn conflict(parser: &mut Parser<'_>) -> Parsed<Conflict> {
    let arbiter = if parser.peek_token_ref().token == Token::LParen {
        let keys = parenthesized(parser, key)?;
        Some(Arbiter::Index { keys, filter: condition(parser)?.map(Box::new) })
    } else if eat(parser, &["on"]) {
        expect(parser, &["constraint"])?;
        Some(Arbiter::Constraint(parser.parse_identifier()?))
    } else {
        None
    };
    expect(parser, &["do"])?;
    if eat(parser, &["nothing"]) {
        return Ok(Conflict { arbiter, update: None });
    }
    expect(parser, &["update", "set"])?;
    let assignments = parser.parse_comma_separated(assignment)?;
    Ok(Conflict { arbiter, update: Some(Change { assignments, filter: condition(parser)? }) })
}

fn key(parser: &mut Parser<'_>) -> Parsed<Key> {
    let expr = parser.parse_expr()?;
    let mut class = None;
    while matches!(parser.peek_token_ref().token, Token::Word(_)) {
        class = parser.parse_object_name(false)?.0.pop().and_then(|part| part.as_ident().cloned()).or(class);
    }
    Ok(Key { expr, class })
}

fn condition(parser: &mut Parser<'_>) -> Parsed<Option<Expr>> {
    if parser.parse_keyword(Keyword::WHERE) { parser.parse_expr().map(Some) } else { Ok(None) }
}

fn assignment(parser: &mut Parser<'_>) -> Parsed<Assignment> {
    let many = parser.peek_token_ref().token == Token::LParen;
    let places = if many { parenthesized(parser, place)? } else { vec![place(parser)?] };
    parser.expect_token(&Token::Eq)?;
    Ok(Assignment { places, many, value: parser.parse_expr()? })
}

fn filter(parser: &mut Parser<'_>) -> Parsed<Option<Filter>> {
    if !parser.parse_keyword(Keyword::WHERE) {
        return Ok(None);
    }
    if sees(parser, 1, "of") && eat(parser, &["current", "of"]) {
        return parser.parse_identifier().map(|cursor| Some(Filter::CurrentOf(cursor)));
    }
    parser.parse_expr().map(|condition| Some(Filter::Where(Box::new(condition))))
}

fn relations(parser: &mut Parser<'_>, word: &str) -> Parsed<Vec<TableWithJoins>> {
    if eat(parser, &[word]) { parser.parse_comma_separated(Parser::parse_table_and_joins) } else { Ok(Vec::new()) }
}

fn update(parser: &mut Parser<'_>, with: Option<With>) -> Parsed<Modify> {
    let name = target(parser)?;
    let alias = alias(parser)?;
    expect(parser, &["set"])?;
    let assignments = parser.parse_comma_separated(assignment)?;
    let from = relations(parser, "from")?;
    let action = Action::Update(Update { assignments, from, filter: filter(parser)? });
    Ok(Modify { with, name, alias, action, returning: returning(parser)? })
}

fn delete(parser: &mut Parser<'_>, with: Option<With>) -> Parsed<Modify> {
    let name = target(parser)?;
    let alias = alias(parser)?;
    let using = relations(parser, "using")?;
    let action = Action::Delete(Delete { using, filter: filter(parser)? });
    Ok(Modify { with, name, alias, action, returning: returning(parser)? })
}

fn merge(parser: &mut Parser<'_>, with: Option<With>) -> Parsed<Modify> {
    let name = target(parser)?;
    let alias = alias(parser)?;
    expect(parser, &["using"])?;
    let source = parser.parse_table_and_joins()?;
    expect(parser, &["on"])?;
    let on = parser.parse_expr()?;
    let mut whens = vec![when(parser)?];
    while sees(parser, 0, "when") {
        whens.push(when(parser)?);
    }
    let action = Action::Merge(Box::new(Merge { source, on, whens }));
    Ok(Modify { with, name, alias, action, returning: returning(parser)? })
}

fn when(parser: &mut Parser<'_>) -> Parsed<When> {
    expect(parser, &["when"])?;
    let matched = !eat(parser, &["not"]);
    expect(parser, &["matched"])?;
    let by = if eat(parser, &["by"]) { Some(parser.parse_identifier()?) } else { None };
    let condition = if eat(parser, &["and"]) { Some(parser.parse_expr()?) } else { None };
    expect(parser, &["then"])?;
    let then = match () {
        () if eat(parser, &["do"]) => expect(parser, &["nothing"]).map(|()| Then::Nothing)?,
        () if matched && eat(parser, &["delete"]) => Then::Delete,
        () if matched && eat(parser, &["update"]) => {
            expect(parser, &["set"])?;
            Then::Update(parser.parse_comma_separated(assignment)?)
        }
        () if !matched && eat(parser, &["insert"]) => {
            let columns = columns(parser)?;
            let overriding = overriding(parser)?;
            let bare = columns.is_empty() && overriding.is_none();
            let values = if bare && eat(parser, &["default", "values"]) {
                None
            } else {
                expect(parser, &["values"])?;
                Some(parenthesized(parser, |parser| parser.parse_expr())?)
            };
            Then::Insert { columns, overriding, values }
        }
        () => return parser.expected_ref("an action", parser.peek_token_ref()),
    };
    Ok(When { matched, by, condition, then })
}
