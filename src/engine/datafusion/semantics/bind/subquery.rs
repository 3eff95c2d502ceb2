//! Subqueries in expressions: scalar, EXISTS, IN, ANY, ALL.
//! Must not know: how the query inside is bound.

use std::sync::Arc;

use crate::sql::ast::{BinaryOperator, Expr as Ast, Query};
use arrow::datatypes::DataType;
use datafusion::common::Spans;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, Exists, SetComparison, SetQuantifier};
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, lit};

use super::super::coerce::AtPosition;
use super::super::errors::from_datafusion;
use super::super::kernel::{call, wrong_type};
use super::super::value::Bound;
use super::expr::{operator_name, written_row};
use super::{Binder, Clause, Relation, refuse};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

/// Levels of subqueries in expressions. DataFusion's checks of a plan take twice as long for each.
const DEEPEST: usize = 16;

impl Binder<'_> {
    /// `EXISTS (SELECT ...)`.
    pub(super) fn exists(&mut self, query: &Query, negated: bool) -> Result<Bound> {
        let relation = self.inner_query(query)?;
        if relation.plan.all_out_ref_exprs().is_empty() {
            // One answer for all rows, known after one row.
            let plan = LogicalPlanBuilder::from(relation.plan).limit(0, Some(1));
            return counted(plan.and_then(LogicalPlanBuilder::build).map_err(from_datafusion)?, negated);
        }
        if !matches!(self.clause, Clause::Where | Clause::Having | Clause::Join) {
            return counted(relation.plan, negated);
        }
        let exists = Exists { subquery: subquery(relation.plan), negated };
        Ok(Bound::new(Expr::Exists(exists), PgType::BOOL))
    }

    /// The query of a subquery. Its columns get names that no column has: what decorrelation adds beside them keeps its own.
    pub(super) fn inner_query(&mut self, query: &Query) -> Result<Relation> {
        self.inner(query, |binder| binder.query(query, true))
    }

    /// The same, bound in a way of its own.
    pub(super) fn inner(
        &mut self,
        query: &Query,
        bind: impl FnOnce(&mut Self) -> Result<Relation>,
    ) -> Result<Relation> {
        if self.subqueries >= DEEPEST {
            let message = "subqueries are nested too deeply";
            return Err(Error::resource(SqlState::STATEMENT_TOO_COMPLEX, message)
                .with_hint(format!("In expressions they may stand within each other {DEEPEST} deep."))
                .with_position_if(self.parenthesis(query)));
        }
        self.subqueries += 1;
        let result = bind(self);
        self.subqueries -= 1;
        result
    }

    /// A subquery as a value.
    pub(super) fn scalar_subquery(&mut self, query: &Query) -> Result<Bound> {
        let relation = self.inner_query(query)?;
        let value = self.only_column(&relation, self.parenthesis(query), "subquery must return only one column")?;
        let expr = value_of(relation.plan, value.arrow.clone());
        Ok(Bound::with_arrow(expr, value.pg, value.arrow).at(self.parenthesis(query)))
    }

    /// The one column that a subquery has to give.
    pub(super) fn only_column(&self, relation: &Relation, place: Option<u32>, message: &str) -> Result<Bound> {
        match relation.columns.as_slice() {
            [only] => Ok(only.value.clone()),
            _ => Err(Error::client(SqlState::SYNTAX_ERROR, message).with_position_if(place)),
        }
    }

    /// `x IN (SELECT ...)`.
    pub(super) fn in_subquery(&mut self, value: &Ast, query: &Query, negated: bool) -> Result<Bound> {
        let place = self.keyword_place("in", self.position(query));
        self.in_query(value, query, negated, place)
    }

    fn in_query(&mut self, value: &Ast, query: &Query, negated: bool, place: Option<u32>) -> Result<Bound> {
        if let Some(Ast::Tuple(row)) = &written_row(value) {
            return self.row_in(row, query, negated, place);
        }
        let value = self.expr(value)?;
        let relation = self.inner_query(query)?;
        let column = match relation.columns.as_slice() {
            [only] => only.value.clone(),
            [] | [_, _, ..] => {
                let message = if relation.columns.is_empty() {
                    "subquery has too few columns"
                } else {
                    "subquery has too many columns"
                };
                return Err(Error::client(SqlState::SYNTAX_ERROR, message).with_position_if(place));
            }
        };
        let compared = self.operator("=", value, column).map_err(|error| self.placed(error, |_| place))?;
        let (l, r) = plain_sides(compared.expr, Operator::Eq)?;
        let plan = one_column(relation.plan, r)?;
        Ok(self.plain_in_subquery(l, subquery(plan), negated))
    }

    /// `x op ANY (...)` and `x op ALL (...)`.
    pub(super) fn quantified(&mut self, value: &Ast, op: &BinaryOperator, right: &Ast, any: bool) -> Result<Bound> {
        let name = operator_name(op)?;
        let query = match right {
            Ast::Subquery(query) => query,
            Ast::Nested(inner) => return self.quantified(value, op, inner, any),
            _ => {
                let value = self.expr(value)?;
                let array = self.expr(right)?;
                return self.quantified_array(&name, value, array, any).map_err(|error| {
                    let unplaced = error.position().is_none();
                    if unplaced { error.with_position_if(self.operator_place(&name, right)) } else { error }
                });
            }
        };
        if name == "=" && any {
            let place = self.places.last_before(self.position(&**query).unwrap_or(0), &["="], 0);
            return self.in_query(value, query, false, place);
        }
        if name == "<>" && !any {
            let place = self.places.last_before(self.position(&**query).unwrap_or(0), &["<>", "!="], 0);
            return self.in_query(value, query, true, place);
        }
        let value = self.expr(value)?;
        let relation = self.inner_query(query)?;
        let place = self.places.last_before(self.position(&**query).unwrap_or(0), &[&name], 0);
        let column = self.only_column(&relation, place, "subquery has too many columns")?;
        let compared = self.operator(&name, value, column).map_err(|error| self.placed(error, |_| place))?;
        let Expr::BinaryExpr(BinaryExpr { op, .. }) = &compared.expr else {
            return refuse(&format!("operator {name} ANY/ALL over this type"));
        };
        let op = *op;
        let (l, r) = plain_sides(compared.expr, op)?;
        let plan = one_column(relation.plan, r)?;
        let quantifier = if any { SetQuantifier::Any } else { SetQuantifier::All };
        let comparison = SetComparison::new(Box::new(l), subquery(plan), op, quantifier);
        Ok(Bound::new(Expr::SetComparison(comparison), PgType::BOOL))
    }
}

/// EXISTS as a value: DataFusion knows it as a predicate only.
fn counted(plan: LogicalPlan, negated: bool) -> Result<Bound> {
    let rows = AggregateFunction::new_udf(count_udaf(), vec![lit(1_i64)], false, None, Vec::new(), None);
    let plan = LogicalPlanBuilder::from(plan)
        .aggregate(Vec::<Expr>::new(), vec![Expr::AggregateFunction(rows).alias("?rows?")])
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)?;
    let count = Expr::ScalarSubquery(subquery(plan));
    Ok(Bound::new(if negated { count.eq(lit(0_i64)) } else { count.gt(lit(0_i64)) }, PgType::BOOL))
}

/// Whether a plan gives exactly one row, whatever there is to read.
fn has_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(node) => has_one_row(&node.input),
        LogicalPlan::Aggregate(node) => node.group_expr.is_empty(),
        LogicalPlan::EmptyRelation(node) => node.produce_one_row,
        _ => false,
    }
}

/// A subquery's value, which is NULL without a row: DataFusion takes the value of a column without NULLs for one that is always there.
pub(super) fn value_of(plan: LogicalPlan, form: DataType) -> Expr {
    let certain = has_one_row(&plan) || plan.schema().fields().iter().all(|field| field.is_nullable());
    let value = Expr::ScalarSubquery(subquery(plan));
    if certain {
        return value;
    }
    call("value of a subquery", vec![value], form, |args| {
        args.first().cloned().ok_or_else(|| wrong_type("value of a subquery"))
    })
}

/// A plan as the inside of an expression, with the columns it needs from around it.
pub(super) fn subquery(plan: LogicalPlan) -> Subquery {
    let outer_ref_columns = plan.all_out_ref_exprs();
    Subquery { subquery: Arc::new(plan), outer_ref_columns, spans: Spans::new() }
}

/// Both sides of a comparison that DataFusion computes itself.
fn plain_sides(expr: Expr, wanted: Operator) -> Result<(Expr, Expr)> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if op == wanted => Ok((*left, *right)),
        _ => refuse("IN, ANY or ALL with a subquery over this type"),
    }
}

/// A plan that gives one value for each row of another.
fn one_column(plan: LogicalPlan, value: Expr) -> Result<LogicalPlan> {
    if let Expr::Column(_) = &value {
        return Ok(plan);
    }
    let expr = value.alias("?value?");
    LogicalPlanBuilder::from(plan).project(vec![expr]).and_then(LogicalPlanBuilder::build).map_err(from_datafusion)
}
