//! sqlparser's PostgreSQL grammar with its mistakes mended, and a bound on the work it may do.
//! Must not know: statements, messages.

use std::any::TypeId;
use std::cell::Cell;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName,
    TypedString, UnaryOperator,
};
use datafusion::sql::sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::keywords::{is_bare_label, is_name, is_reserved};

/// sqlparser's precedence of COLLATE: only subscripts and casts bind more strongly.
const COLLATE_PRECEDENCE: u8 = 120;

/// PostgreSQL's dialect, counting. sqlparser tries some forms one after the other, so a wrong text can cost it time
/// exponential in its nesting; here that time is counted in operands looked at.
#[derive(Debug)]
pub(super) struct Postgres {
    base: PostgreSqlDialect,
    left: Cell<u64>,
}

impl Postgres {
    /// The dialect for so many tokens.
    pub(super) fn new(tokens: usize) -> Self {
        Postgres { base: PostgreSqlDialect {}, left: Cell::new(tokens as u64 * 16 + 4096) }
    }

    /// Did the parser look at more operands than it was granted?
    pub(super) fn exhausted(&self) -> bool {
        self.left.get() == 0
    }

    fn spend(&self) -> Result<(), ParserError> {
        match self.left.get().saturating_sub(1) {
            0 => {
                self.left.set(0);
                // The one error that no attempt swallows.
                Err(ParserError::RecursionLimitExceeded)
            }
            left => {
                self.left.set(left);
                Ok(())
            }
        }
    }

    /// Operators in front. In PostgreSQL a sign binds before `^`, and `@`, `~` and their kin after arithmetic; sqlparser
    /// has it the other way round.
    fn sign(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        let (op, precedence) = match parser.peek_token_ref().token {
            Token::Minus => (UnaryOperator::Minus, COLLATE_PRECEDENCE),
            Token::Plus => (UnaryOperator::Plus, COLLATE_PRECEDENCE),
            Token::Tilde => (UnaryOperator::BitwiseNot, self.prec_value(Precedence::PgOther)),
            Token::AtSign => (UnaryOperator::PGAbs, self.prec_value(Precedence::PgOther)),
            Token::PGSquareRoot => (UnaryOperator::PGSquareRoot, self.prec_value(Precedence::PgOther)),
            Token::PGCubeRoot => (UnaryOperator::PGCubeRoot, self.prec_value(Precedence::PgOther)),
            Token::DoubleExclamationMark => (UnaryOperator::PGPrefixFactorial, self.prec_value(Precedence::PgOther)),
            _ => return None,
        };
        parser.next_token();
        Some(parser.parse_subexpr(precedence).map(|expr| Expr::UnaryOp { op, expr: Box::new(expr) }))
    }

    /// `a IS [NOT] DISTINCT FROM b`: sqlparser takes AND and OR behind it for a part of `b`.
    fn distinct_from(&self, parser: &mut Parser, left: &Expr) -> Option<Result<Expr, ParserError>> {
        let word = |n: usize| match &parser.peek_nth_token_ref(n).token {
            Token::Word(word) => word.keyword,
            _ => Keyword::NoKeyword,
        };
        let negated = word(1) == Keyword::NOT;
        let at = 1 + usize::from(negated);
        if word(0) != Keyword::IS || word(at) != Keyword::DISTINCT || word(at + 1) != Keyword::FROM {
            return None;
        }
        for _ in 0..at + 2 {
            parser.next_token();
        }
        let left = Box::new(left.clone());
        Some(parser.parse_subexpr(self.prec_value(Precedence::Is)).map(|right| {
            let right = Box::new(right);
            if negated { Expr::IsNotDistinctFrom(left, right) } else { Expr::IsDistinctFrom(left, right) }
        }))
    }
}

/// `regclass 'x'`: any type name may stand before a string; sqlparser knows the SQL types only.
fn typed_string(parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
    let named = match &parser.peek_token_ref().token {
        Token::Word(word) => {
            word.quote_style.is_some() || (!is_reserved(&word.value) && word.keyword != Keyword::INTERVAL)
        }
        _ => false,
    };
    if !named || !matches!(parser.peek_nth_token_ref(1).token, Token::SingleQuotedString(_)) {
        return None;
    }
    let data_type = match parser.parse_data_type() {
        Ok(data_type) => data_type,
        Err(error) => return Some(Err(error)),
    };
    Some(parser.parse_value().map(|value| Expr::TypedString(TypedString { data_type, value, uses_odbc_syntax: false })))
}

/// `a::text COLLATE "C"`: sqlparser knows COLLATE behind a plain operand only.
fn collate(parser: &mut Parser, left: &Expr) -> Option<Result<Expr, ParserError>> {
    let left = match &parser.peek_token_ref().token {
        Token::Word(word) if word.keyword == Keyword::COLLATE => Box::new(left.clone()),
        _ => return None,
    };
    parser.next_token();
    Some(parser.parse_object_name(false).map(|collation| Expr::Collate { expr: left, collation }))
}

/// `(VALUES (1), (2))` as an operand: sqlparser takes it for a call of a function.
fn values(parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
    let starts = matches!(&parser.peek_token_ref().token, Token::Word(word) if word.keyword == Keyword::VALUES);
    starts.then(|| parser.parse_query().map(Expr::Subquery))
}

/// A keyword as a folded word.
fn word_of(keyword: Keyword) -> String {
    format!("{keyword:?}").to_ascii_lowercase()
}

/// A reserved word where an operand must start: sqlparser would take it for a name.
fn misplaced(parser: &Parser) -> Option<ParserError> {
    const STARTS: &[&str] = &[
        "all",
        "any",
        "array",
        "case",
        "cast",
        "current_catalog",
        "current_date",
        "current_role",
        "current_time",
        "current_timestamp",
        "current_user",
        "default",
        "false",
        "localtime",
        "localtimestamp",
        "not",
        "null",
        "select",
        "session_user",
        "some",
        "table",
        "true",
        "user",
        "variadic",
        "with",
    ];
    let token = parser.peek_token_ref();
    let Token::Word(word) = &token.token else { return None };
    let next = parser.peek_nth_token_ref(1);
    if word.keyword == Keyword::INTERVAL
        && let Token::Word(second) = &next.token
        && second.keyword == Keyword::INTERVAL
    {
        // sqlparser would look for an operand behind each, on ever more stack.
        return Some(unexpected(next));
    }
    let wrong = word.quote_style.is_none() && is_reserved(&word.value) && !STARTS.contains(&word.value.as_str());
    wrong.then(|| unexpected(token))
}

fn unexpected(token: &TokenWithSpan) -> ParserError {
    let (found, column) = (&token.token, token.span.start.column);
    ParserError::ParserError(format!("Expected: an expression, found: {found} at Line: 1, Column: {column}"))
}

/// `TRIM([LEADING | TRAILING | BOTH] [a] [FROM] b, ...)`: a call of ltrim, rtrim or btrim, as in PostgreSQL. sqlparser
/// forgets the side before a comma, and does not know FROM behind it.
fn trim(parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
    let (keyword, span) = match &parser.peek_token_ref().token {
        Token::Word(word) => (word.keyword, parser.peek_token_ref().span),
        _ => return None,
    };
    if keyword != Keyword::TRIM || parser.peek_nth_token_ref(1).token != Token::LParen {
        return None;
    }
    parser.next_token();
    parser.next_token();
    Some(trim_arguments(parser).map(|(name, arguments)| {
        let mut ident = Ident::new(name);
        ident.span = span;
        function(ident, arguments)
    }))
}

fn trim_arguments(parser: &mut Parser) -> Result<(&'static str, Vec<Expr>), ParserError> {
    let name = match parser.parse_one_of_keywords(&[Keyword::BOTH, Keyword::LEADING, Keyword::TRAILING]) {
        Some(Keyword::LEADING) => "ltrim",
        Some(Keyword::TRAILING) => "rtrim",
        _ => "btrim",
    };
    let mut characters = None;
    if !parser.parse_keyword(Keyword::FROM) {
        let first = parser.parse_expr()?;
        if parser.parse_keyword(Keyword::FROM) {
            characters = Some(first);
        } else {
            let mut arguments = vec![first];
            while parser.consume_token(&Token::Comma) {
                arguments.push(parser.parse_expr()?);
            }
            parser.expect_token(&Token::RParen)?;
            return Ok((name, arguments));
        }
    }
    let mut arguments = parser.parse_comma_separated(Parser::parse_expr)?;
    arguments.extend(characters);
    parser.expect_token(&Token::RParen)?;
    Ok((name, arguments))
}

/// A plain call.
fn function(name: Ident, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![name]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

impl Dialect for Postgres {
    fn dialect(&self) -> TypeId {
        self.base.dialect()
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        if let Err(error) = self.spend() {
            return Some(Err(error));
        }
        if let Some(error) = misplaced(parser) {
            return Some(Err(error));
        }
        self.sign(parser).or_else(|| values(parser)).or_else(|| trim(parser)).or_else(|| typed_string(parser))
    }

    fn parse_infix(&self, parser: &mut Parser, expr: &Expr, _precedence: u8) -> Option<Result<Expr, ParserError>> {
        collate(parser, expr).or_else(|| self.distinct_from(parser, expr))
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        match &parser.peek_token_ref().token {
            // Operators of other databases; here they are names, so an alias at most.
            Token::Word(word)
                if matches!(
                    word.keyword,
                    Keyword::XOR | Keyword::REGEXP | Keyword::RLIKE | Keyword::DIV | Keyword::MEMBER | Keyword::MATCH
                ) =>
            {
                Some(Ok(self.prec_unknown()))
            }
            // In PostgreSQL all operators but arithmetic and comparison bind alike.
            Token::Tilde
            | Token::TildeAsterisk
            | Token::ExclamationMarkTilde
            | Token::ExclamationMarkTildeAsterisk
            | Token::DoubleTilde
            | Token::DoubleTildeAsterisk
            | Token::ExclamationMarkDoubleTilde
            | Token::ExclamationMarkDoubleTildeAsterisk => Some(Ok(self.prec_value(Precedence::PgOther))),
            Token::Word(word) if word.keyword == Keyword::OPERATOR => Some(Ok(self.prec_value(Precedence::PgOther))),
            Token::Assignment | Token::RArrow => Some(Ok(self.prec_unknown())),
            _ => self.base.get_next_precedence(parser),
        }
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        self.base.is_delimited_identifier_start(ch)
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        self.base.identifier_quote_style(identifier)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        self.base.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        self.base.is_identifier_part(ch)
    }

    fn is_custom_operator_part(&self, ch: char) -> bool {
        self.base.is_custom_operator_part(ch)
    }

    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        // Words that PostgreSQL reserves are no second chance for a broken CASE or CAST.
        matches!(
            keyword,
            Keyword::CASE
                | Keyword::CAST
                | Keyword::NOT
                | Keyword::ARRAY
                | Keyword::NULL
                | Keyword::TRUE
                | Keyword::FALSE
        ) || self.base.is_reserved_for_identifier(keyword)
    }

    fn is_column_alias(&self, keyword: &Keyword, _: &mut Parser) -> bool {
        is_bare_label(&word_of(*keyword))
    }

    fn is_table_alias(&self, keyword: &Keyword, _: &mut Parser) -> bool {
        is_name(&word_of(*keyword))
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        self.base.prec_value(precedence)
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn allow_extract_single_quotes(&self) -> bool {
        true
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }

    fn supports_named_fn_args_with_assignment_operator(&self) -> bool {
        true
    }

    fn supports_empty_projections(&self) -> bool {
        true
    }

    fn supports_array_typedef_with_brackets(&self) -> bool {
        true
    }

    fn supports_interval_options(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn supports_dollar_placeholder(&self) -> bool {
        true
    }
}
