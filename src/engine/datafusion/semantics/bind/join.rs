//! Joins: ON, USING, NATURAL, and what each makes visible.
//! Must not know: what the joined relations are.

use crate::sql::ast::{Expr as Ast, Join, JoinConstraint, JoinOperator, ObjectName, TableWithJoins, Value};
use datafusion::logical_expr::{Expr, JoinType, LogicalPlanBuilder, lit};

use super::super::coerce::{AtPosition, common_type};
use super::super::errors::from_datafusion;
use super::super::held::constants_held;
use super::super::pg::CastContext;
use super::super::value::Bound;
use super::from::{Source, parts};
use super::scope::{Col, Scope};
use super::set_function::{CallItem, Factor};
use super::{Binder, Clause, refuse};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

/// Every pair of rows.
pub(super) fn cross(left: Source, right: Source) -> Result<Source> {
    let plan = LogicalPlanBuilder::from(left.plan)
        .cross_join(right.plan)
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)?;
    Ok(Source { plan, scope: left.scope.join(right.scope)? })
}

/// Whether joins only add to what stands on their left.
pub(super) fn keep_left(joins: &[Join]) -> bool {
    joins.iter().all(|join| {
        matches!(
            join.join_operator,
            JoinOperator::CrossJoin(JoinConstraint::None)
                | JoinOperator::Join(JoinConstraint::On(_))
                | JoinOperator::Inner(JoinConstraint::On(_))
                | JoinOperator::Left(JoinConstraint::On(_))
                | JoinOperator::LeftOuter(JoinConstraint::On(_))
        )
    })
}

impl Binder<'_> {
    /// A table and the joins that follow it.
    pub(super) fn table_with_joins(&mut self, item: &TableWithJoins, left: Option<&Scope>) -> Result<Source> {
        match self.table_factor(&item.relation, left)? {
            Factor::Source(first) => self.joined(first, &item.joins),
            Factor::Call(_) => refuse("a function over other items of FROM in this kind of join"),
        }
    }

    /// A source and the joins that follow it.
    pub(super) fn joined(&mut self, first: Source, joins: &[Join]) -> Result<Source> {
        let mut result = first;
        for join in joins {
            result = match self.table_factor(&join.relation, Some(&result.scope))? {
                Factor::Source(right) => self.join(result, right, join)?,
                Factor::Call(call) => self.join_rows(result, call, join)?,
            };
        }
        Ok(result)
    }

    /// A join with the rows that a function gives for each row to its left.
    fn join_rows(&mut self, left: Source, call: CallItem, join: &Join) -> Result<Source> {
        let (outer, constraint) = match &join.join_operator {
            JoinOperator::CrossJoin(JoinConstraint::None) => return self.beside(left, call, false),
            JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => (false, constraint),
            JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => (true, constraint),
            _ => return refuse("a function over the other side of this kind of join"),
        };
        let JoinConstraint::On(condition) = constraint else {
            return refuse("a function over the other side of a join with USING");
        };
        let always = matches!(condition, Ast::Value(value) if value.value == Value::Boolean(true));
        if outer && !always {
            // A row without any that fit stays, beside NULLs: what fits is chosen before.
            return match self.filtered(&join.relation, condition, &left.scope)? {
                Factor::Call(call) => self.beside(left, call, true),
                Factor::Source(_) => refuse("LEFT JOIN with a function and a condition"),
            };
        }
        let source = self.beside(left, call, outer)?;
        self.scopes.push(source.scope.clone());
        let bound = self.within(Clause::Join, |binder| binder.condition(condition, "JOIN/ON"));
        self.scopes.pop();
        let bound = bound?;
        if bound == lit(true) {
            return Ok(source);
        }
        let plan = LogicalPlanBuilder::from(source.plan)
            .filter(bound)
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?;
        Ok(Source { plan, scope: source.scope })
    }

    fn join(&mut self, left: Source, right: Source, join: &Join) -> Result<Source> {
        let (kind, constraint) = match &join.join_operator {
            JoinOperator::CrossJoin(JoinConstraint::None) => return cross(left, right),
            JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => (JoinType::Inner, constraint),
            JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => (JoinType::Left, constraint),
            JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => (JoinType::Right, constraint),
            JoinOperator::FullOuter(constraint) => (JoinType::Full, constraint),
            _ => return refuse("this kind of join"),
        };
        let (left, right) = (maybe_missing(left, kind, JoinType::Right)?, maybe_missing(right, kind, JoinType::Left)?);
        match constraint {
            JoinConstraint::On(condition) => {
                let scope = joined_scope(&left, &right, kind)?;
                self.scopes.push(scope.clone());
                let bound = self.within(Clause::Join, |binder| binder.condition(condition, "JOIN/ON"));
                self.scopes.pop();
                let plan = LogicalPlanBuilder::from(left.plan)
                    .join_on(right.plan, kind, Some(bound?))
                    .and_then(LogicalPlanBuilder::build)
                    .map_err(from_datafusion)?;
                Ok(Source { plan, scope })
            }
            JoinConstraint::Using(columns) => {
                let names = columns.iter().map(using_name).collect::<Result<Vec<_>>>()?;
                self.join_using(left, right, kind, &names)
            }
            JoinConstraint::Natural => {
                let names = shared_names(&left.scope, &right.scope);
                if names.is_empty() && kind == JoinType::Inner {
                    return cross(left, right);
                }
                self.join_using(left, right, kind, &names)
            }
            JoinConstraint::None => {
                Err(Error::client(SqlState::SYNTAX_ERROR, "syntax error: a join needs ON or USING")
                    .with_position_if(self.position(&join.relation)))
            }
        }
    }

    fn join_using(&mut self, left: Source, right: Source, kind: JoinType, names: &[String]) -> Result<Source> {
        let mut conditions = Vec::new();
        let mut merged = Vec::new();
        for name in names {
            let l = using_column(&left.scope, name, "left")?;
            let r = using_column(&right.scope, name, "right")?;
            let equal = self.operator("=", l.clone(), r.clone())?;
            conditions.push(equal.expr);
            merged.push(Col { name: name.clone(), value: self.merged(l, r, kind)? });
        }
        let rest = |scope: &Scope| -> Vec<Col> {
            scope.columns.iter().filter(|col| !names.contains(&col.name)).cloned().collect()
        };
        let mut columns = merged;
        columns.extend(rest(&left.scope));
        columns.extend(rest(&right.scope));
        let mut scope = joined_scope(&left, &right, kind)?;
        scope.columns = columns;
        let condition = conditions.into_iter().reduce(Expr::and);
        let plan = LogicalPlanBuilder::from(left.plan)
            .join_on(right.plan, kind, condition)
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?;
        Ok(Source { plan, scope })
    }

    /// The one column that USING makes of two: the side that cannot be missing, or whichever is there.
    fn merged(&mut self, l: Bound, r: Bound, kind: JoinType) -> Result<Bound> {
        let common = common_type([&l, &r], "JOIN/USING")?;
        let l = self.typing.coerce(l, common, CastContext::Implicit)?;
        let r = self.typing.coerce(r, common, CastContext::Implicit)?;
        match kind {
            JoinType::Inner | JoinType::Left => Ok(l),
            JoinType::Right => Ok(r),
            _ => self.coalesced(vec![l, r], common),
        }
    }

    /// A condition: boolean, or `42804`. `what` is the clause's name.
    pub(super) fn condition(&mut self, ast: &crate::sql::ast::Expr, what: &str) -> Result<Expr> {
        let bound = self.expr(ast)?;
        let bound = self.boolean(bound, what)?;
        Ok(bound.expr)
    }

    /// Takes a value for a boolean one.
    pub(super) fn boolean(&mut self, bound: Bound, what: &str) -> Result<Bound> {
        if bound.pg != PgType::BOOL && bound.unknown.is_none() {
            return Err(Error::client(
                SqlState::DATATYPE_MISMATCH,
                format!("argument of {what} must be type boolean, not type {}", bound.type_name()),
            )
            .with_position_if(bound.position));
        }
        self.typing.coerce(bound, PgType::BOOL, CastContext::Implicit)
    }
}

/// A side of a join; `missing`: the join in which its rows may be missing (they may be in a full one, too).
fn maybe_missing(side: Source, kind: JoinType, missing: JoinType) -> Result<Source> {
    if kind != missing && kind != JoinType::Full {
        return Ok(side);
    }
    Ok(Source { plan: constants_held(side.plan).map_err(from_datafusion)?, scope: side.scope })
}

/// The names of both sides of a join.
fn joined_scope(left: &Source, right: &Source, kind: JoinType) -> Result<Scope> {
    let order = match kind {
        JoinType::Right => right.scope.order.clone(),
        JoinType::Full => Vec::new(),
        _ => left
            .scope
            .order
            .iter()
            .chain(right.scope.order.iter().filter(|_| !left.scope.order.is_empty()))
            .cloned()
            .collect(),
    };
    let left = left.scope.clone().maybe_absent(matches!(kind, JoinType::Right | JoinType::Full));
    let scope = left.join(right.scope.clone().maybe_absent(matches!(kind, JoinType::Left | JoinType::Full)))?;
    Ok(Scope { order, ..scope })
}

fn using_name(name: &ObjectName) -> Result<String> {
    let mut names = parts(name)?;
    match (names.pop(), names.is_empty()) {
        (Some(name), true) => Ok(name),
        _ => Err(Error::client(SqlState::SYNTAX_ERROR, "a column in USING has no table")),
    }
}

fn using_column(scope: &Scope, name: &str, side: &str) -> Result<Bound> {
    let mut found = scope.columns.iter().filter(|col| col.name == name);
    match (found.next(), found.next()) {
        (Some(col), None) => Ok(col.value.clone()),
        (Some(_), Some(_)) => Err(Error::client(
            SqlState::AMBIGUOUS_COLUMN,
            format!("common column name \"{name}\" appears more than once in {side} table"),
        )),
        (None, _) => Err(Error::client(
            SqlState::UNDEFINED_COLUMN,
            format!("column \"{name}\" specified in USING clause does not exist in {side} table"),
        )),
    }
}

fn shared_names(left: &Scope, right: &Scope) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for col in &left.columns {
        if right.columns.iter().any(|other| other.name == col.name) && !names.contains(&col.name) {
            names.push(col.name.clone());
        }
    }
    names
}
