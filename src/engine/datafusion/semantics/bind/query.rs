//! A query: WITH, its body, ORDER BY, LIMIT.
//! Must not know: what stands inside a SELECT.

use crate::sql::ast::{Expr as Ast, LimitClause, OrderByExpr, OrderByKind, Query, SetExpr, Value};
use arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::common::metadata::FieldMetadata;
use datafusion::logical_expr::expr::Alias;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SortExpr, lit};
use datafusion::scalar::ScalarValue;

use super::super::coerce::AtPosition;
use super::super::errors::from_datafusion;
use super::super::kernel::failing;
use super::super::limits::{Rows, waits_for_parameters};
use super::super::pg::CastContext;
use super::super::value::Bound;
use super::super::windows::ranked;
use super::from::ident;
use super::{Binder, Clause, Relation, Scope, refuse};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

/// LIMIT and OFFSET, bound.
#[derive(Debug, Clone, Default)]
pub(super) struct Limits {
    pub(super) skip: Option<Expr>,
    pub(super) fetch: Option<Expr>,
    /// Rows that are equal in the order to the last one come too.
    pub(super) ties: bool,
    /// The error of a constant that is no number of rows: PostgreSQL raises it when it runs.
    wrong: Option<Error>,
    /// One of them that names a column, which it may not, and the error that tells so.
    naming: Option<(Ast, &'static str, Error)>,
}

impl Binder<'_> {
    /// Binds a query. `settle`: literals of unknown type become text (not in the arms of a UNION).
    pub(super) fn ordered_query(&mut self, query: &Query, settle: bool) -> Result<Relation> {
        refuse_odd_clauses(query)?;
        let before = self.ctes.len();
        if let Some(with) = &query.with {
            self.with_clause(with, query)?;
        }
        let result = self.query_body(query, settle);
        self.ctes.truncate(before);
        result
    }

    fn query_body(&mut self, query: &Query, settle: bool) -> Result<Relation> {
        let order: &[OrderByExpr] = match query.order_by.as_ref().map(|order| &order.kind) {
            None => &[],
            Some(OrderByKind::Expressions(items)) => items,
            Some(OrderByKind::All(_)) => return refuse("ORDER BY ALL"),
        };
        let limits = self.limits(query)?;
        match &*query.body {
            SetExpr::Select(select) => self.select(select, order, &limits, settle),
            // A parenthesised query: its own ORDER BY and LIMIT are inside.
            other => {
                self.ranges.enter();
                let relation = self.set_expr(other, settle && order.is_empty());
                let relation = relation.and_then(|relation| {
                    let relation = self.order_output(relation, order)?;
                    self.check_naming(&limits, Some(&relation))?;
                    Ok(relation)
                });
                self.ranges.leave();
                let relation = relation?;
                let relation = if settle { self.settle(relation)? } else { relation };
                if limits.ties {
                    return refuse("WITH TIES over a set operation");
                }
                apply_limits(relation, &limits)
            }
        }
    }

    fn limits(&mut self, query: &Query) -> Result<Limits> {
        let mut limits = Limits::default();
        let (limit, offset) = match &query.limit_clause {
            None => (None, None),
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) => {
                if !limit_by.is_empty() {
                    return refuse("LIMIT BY");
                }
                (limit.as_ref(), offset.as_ref().map(|offset| &offset.value))
            }
            Some(LimitClause::OffsetCommaLimit { .. }) => {
                return Err(Error::client(SqlState::SYNTAX_ERROR, "LIMIT #,# syntax is not supported")
                    .with_hint("Use separate LIMIT and OFFSET clauses."));
            }
        };
        let fetch = match &query.fetch {
            None => None,
            Some(fetch) if fetch.percent => return refuse("FETCH ... PERCENT"),
            Some(fetch) => {
                limits.ties = fetch.with_ties;
                Some(fetch.quantity.clone().unwrap_or_else(one))
            }
        };
        if let Some(limit) = limit.or(fetch.as_ref()) {
            limits.fetch = self.limit(limit, Clause::Limit, &mut limits)?;
        }
        if let Some(offset) = offset {
            limits.skip = self.limit(offset, Clause::Offset, &mut limits)?;
        }
        Ok(limits)
    }

    fn limit(&mut self, ast: &Ast, clause: Clause, limits: &mut Limits) -> Result<Option<Expr>> {
        let what = if matches!(clause, Clause::Limit) { Rows::Limit } else { Rows::Offset };
        let word = what.word();
        self.scopes.push(Scope::default());
        let bound = self.within(clause, |binder| binder.expr(ast));
        self.scopes.pop();
        let bound = match bound {
            Err(error) if matches!(error.state(), SqlState::UNDEFINED_COLUMN | SqlState::UNDEFINED_TABLE) => {
                let message = format!("argument of {word} must not contain variables");
                let naming = Error::client(SqlState::INVALID_COLUMN_REFERENCE, message);
                limits.naming.get_or_insert_with(|| (ast.clone(), word, naming.with_position_if(error.position())));
                return Ok(None);
            }
            bound => bound?,
        };
        if !super::super::coerce::can_coerce(bound.pg.oid, PgType::INT8.oid, CastContext::Assignment) {
            return Err(mistyped(word, &bound).with_position_if(self.position(ast)));
        }
        let bound = self.typing.coerce(bound, PgType::INT8, CastContext::Assignment)?;
        let expr = self.typing.fold(bound)?.expr;
        match expr {
            Expr::Literal(ScalarValue::Int64(None), _) => Ok(None),
            Expr::Literal(ScalarValue::Int64(Some(rows)), _) if rows < 0 => {
                limits.wrong.get_or_insert_with(|| what.negative());
                Ok(None)
            }
            other @ Expr::Literal(..) => Ok(Some(other)),
            // Known when the parameters are.
            other if waits_for_parameters(&other) => Ok(Some(other)),
            _ => refuse(&format!("{word} with an expression that is not a constant")),
        }
    }
}

impl Binder<'_> {
    /// LIMIT and OFFSET may name no column: what tells so, or that there is none of that name. `of`: what a set operation gives.
    pub(super) fn check_naming(&mut self, limits: &Limits, of: Option<&Relation>) -> Result<()> {
        let Some((ast, word, error)) = &limits.naming else { return Ok(()) };
        match (of, ast) {
            (None, _) => {
                let bound = self.within(Clause::Limit, |binder| binder.expr(ast))?;
                if !super::super::coerce::can_coerce(bound.pg.oid, PgType::INT8.oid, CastContext::Assignment) {
                    return Err(mistyped(word, &bound).with_position_if(self.position(ast)));
                }
            }
            (Some(relation), Ast::Identifier(name))
                if !relation.columns.iter().any(|output| output.name == ident(name)) =>
            {
                return Err(self.missing_column(&ident(name)).with_position_if(error.position()));
            }
            (Some(_), _) => {}
        }
        Err(error.clone())
    }
}

/// The rows of a sorted plan whose rank is within LIMIT and OFFSET together.
pub(super) fn with_ties(plan: LogicalPlan, order: &[SortExpr], limits: &mut Limits) -> Result<LogicalPlan> {
    if !std::mem::take(&mut limits.ties) {
        return Ok(plan);
    }
    if order.is_empty() {
        return Err(Error::client(SqlState::SYNTAX_ERROR, "WITH TIES cannot be specified without ORDER BY clause"));
    }
    let rows = |expr: &Option<Expr>| match expr {
        None => Some(None),
        Some(Expr::Literal(ScalarValue::Int64(rows), _)) => Some(*rows),
        Some(_) => None,
    };
    let (Some(fetch), Some(skip)) = (rows(&limits.fetch), rows(&limits.skip)) else {
        return refuse("WITH TIES with a number of rows that is not a constant");
    };
    let Some(fetch) = fetch else { return Ok(plan) };
    limits.fetch = None;
    let columns: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
    let rank = ranked(order.to_vec());
    let last = lit(u64::try_from(fetch).unwrap_or(0).saturating_add(u64::try_from(skip.unwrap_or(0)).unwrap_or(0)));
    let within = Expr::Column(Column::new_unqualified(rank.schema_name().to_string())).lt_eq(last);
    // With no row asked for there is none to be equal to.
    let within = if fetch == 0 { lit(false) } else { within };
    LogicalPlanBuilder::window_plan(plan, vec![rank])
        .and_then(|plan| LogicalPlanBuilder::from(plan).filter(within)?.project(columns)?.sort(order.to_vec())?.build())
        .map_err(from_datafusion)
}

/// `42804` for what can be no number of rows.
fn mistyped(word: &str, bound: &Bound) -> Error {
    let message = format!("argument of {word} must be type bigint, not type {}", bound.type_name());
    Error::client(SqlState::DATATYPE_MISMATCH, message)
}

fn one() -> Ast {
    Ast::Value(Value::Number("1".to_owned(), false).into())
}

/// Puts LIMIT and OFFSET on a relation: which rows they leave follows from its order.
pub(super) fn apply_limits(relation: Relation, limits: &Limits) -> Result<Relation> {
    if let Some(error) = &limits.wrong {
        return Ok(Relation { plan: failing_plan(&relation.plan, error)?, ..relation });
    }
    if limits.skip.is_none() && limits.fetch.is_none() {
        return Ok(relation);
    }
    let relation = relation.in_order()?;
    let skip = limits.skip.clone().or_else(|| Some(lit(0_i64)));
    let plan = LogicalPlanBuilder::from(relation.plan)
        .limit_by_expr(skip, limits.fetch.clone())
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)?;
    Ok(Relation { plan, ..relation })
}

/// A plan of the same columns that fails as soon as it runs.
fn failing_plan(plan: &LogicalPlan, error: &Error) -> Result<LogicalPlan> {
    let fails = failing(Vec::new(), DataType::Boolean, error.clone());
    let mut columns = Vec::new();
    for (relation, field) in plan.schema().iter() {
        let null = ScalarValue::try_from(field.data_type()).map_err(from_datafusion)?;
        columns.push(Expr::Alias(Alias {
            expr: Box::new(lit(null)),
            relation: relation.cloned(),
            name: field.name().clone(),
            metadata: Some(FieldMetadata::from(field.as_ref())),
        }));
    }
    LogicalPlanBuilder::empty(true)
        .filter(fails)
        .and_then(|builder| builder.project(columns))
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)
}

fn refuse_odd_clauses(query: &Query) -> Result<()> {
    if !query.locks.is_empty() {
        return refuse("SELECT FOR UPDATE/SHARE");
    }
    if query.for_clause.is_some()
        || query.settings.is_some()
        || query.format_clause.is_some()
        || !query.pipe_operators.is_empty()
    {
        return Err(Error::client(SqlState::SYNTAX_ERROR, "syntax error in the clauses after SELECT"));
    }
    Ok(())
}
