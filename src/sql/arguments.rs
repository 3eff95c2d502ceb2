//! EXECUTE's arguments: expressions without tables, made a query that computes them.
//! Must not know: types' rules, prepared statements.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Query, SelectItem, SetExpr, Spanned, UnaryOperator, Value, Visit, Visitor,
};

use super::functions::{Class, class_of};
use super::statement::{Statement, StatementKind};
use super::{parse, position};
use crate::error::{Error, Result, SqlState};

/// An argument that is written as a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// NULL: of any type.
    Null,
    /// A string: of the type that it is needed in.
    Text(String),
    /// A whole number that fits 64 bits.
    Whole(i64),
}

/// One argument of EXECUTE.
#[derive(Debug, Clone)]
pub struct Argument {
    /// Its value, if it is written as one.
    pub literal: Option<Literal>,
    /// Where it stands: characters of the message, from 1.
    pub position: Option<u32>,
}

/// What the arguments of EXECUTE are.
///
/// # Errors
/// What PostgreSQL does not allow there: `0A000` for subqueries and functions that return rows, `42803` for aggregates, `42P20` for
/// window functions, `42P02` for parameters.
pub fn arguments(expressions: &[Expr]) -> Result<Vec<Argument>> {
    expressions
        .iter()
        .map(|expr| match expr.visit(&mut Checker) {
            ControlFlow::Break(error) => Err(*error),
            ControlFlow::Continue(()) => Ok(Argument { literal: literal(expr), position: position(expr.span()) }),
        })
        .collect()
}

/// The query that computes these expressions as a row; each as the type of the given name, if names are given.
///
/// # Errors
/// None for names of types.
pub fn row_of(expressions: &[Expr], types: Option<&[&str]>) -> Result<Statement> {
    let targets: Vec<String> = match types {
        None => vec!["NULL".to_owned(); expressions.len()],
        Some(types) => types.iter().map(|ty| format!("NULL::pg_catalog.{}", crate::names::quote(ty))).collect(),
    };
    let mut statement =
        parse(&format!("SELECT {}", targets.join(", ")))?.pop().ok_or_else(|| Error::internal("no arguments"))?;
    let StatementKind::Query(query) = &mut statement.kind else { return Err(Error::internal("no row of arguments")) };
    let SetExpr::Select(select) = query.body.as_mut() else { return Err(Error::internal("no row of arguments")) };
    for (item, expr) in select.projection.iter_mut().zip(expressions) {
        match item {
            SelectItem::UnnamedExpr(Expr::Cast { expr: inner, .. }) => **inner = expr.clone(),
            SelectItem::UnnamedExpr(whole) => *whole = expr.clone(),
            _ => return Err(Error::internal("no row of arguments")),
        }
    }
    Ok(statement)
}

fn literal(expr: &Expr) -> Option<Literal> {
    match expr {
        Expr::Nested(inner) => literal(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match literal(expr)? {
            Literal::Whole(number) => number.checked_neg().map(Literal::Whole),
            _ => None,
        },
        Expr::Value(value) => match &value.value {
            Value::Null => Some(Literal::Null),
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(Literal::Text(text.clone())),
            Value::Number(digits, _) => digits.parse().ok().map(Literal::Whole),
            _ => None,
        },
        _ => None,
    }
}

struct Checker;

fn not_allowed(what: &str, state: SqlState) -> Error {
    Error::client(state, format!("{what} are not allowed in EXECUTE parameters"))
}

fn at(error: Error, expr: &Expr) -> ControlFlow<Box<Error>> {
    ControlFlow::Break(Box::new(match position(expr.span()) {
        Some(position) => error.with_position(position),
        None => error,
    }))
}

impl Visitor for Checker {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Box<Error>> {
        let error = Error::client(SqlState::FEATURE_NOT_SUPPORTED, "cannot use subquery in EXECUTE parameter");
        // The place is the parenthesis around.
        ControlFlow::Break(Box::new(match position(query.span()).filter(|at| *at > 1) {
            Some(inside) => error.with_position(inside - 1),
            None => error,
        }))
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Box<Error>> {
        match expr {
            Expr::Value(value) => match &value.value {
                Value::Placeholder(name) => {
                    at(Error::client(SqlState::UNDEFINED_PARAMETER, format!("there is no parameter {name}")), expr)
                }
                _ => ControlFlow::Continue(()),
            },
            Expr::Function(function) => match class_of(function) {
                None => ControlFlow::Continue(()),
                Some(Class::Aggregate) => at(not_allowed("aggregate functions", SqlState::GROUPING_ERROR), expr),
                Some(Class::Window) => at(not_allowed("window functions", SqlState::WINDOWING_ERROR), expr),
                Some(Class::Rows) => at(not_allowed("set-returning functions", SqlState::FEATURE_NOT_SUPPORTED), expr),
            },
            _ => ControlFlow::Continue(()),
        }
    }
}
