//! `(a, b) IN (SELECT ...)`: rows against the rows of a subquery.
//! Must not know: how the subquery is bound.

use arrow::datatypes::DataType;
use datafusion::logical_expr::expr::Exists;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use super::super::coerce::AtPosition;
use super::super::errors::from_datafusion;
use super::super::value::Bound;
use super::expr::written_row;
use super::rebase::find_aggregates;
use super::subquery::{subquery, value_of};
use super::{Binder, Relation, refuse};
use crate::error::{Error, Result, SqlState};
use crate::sql::ast::{BinaryOperator, Expr as Ast, Query};
use crate::types::PgType;

impl Binder<'_> {
    /// A row against a subquery as a value: true if some row of it is equal, else NULL if some comparison is.
    pub(super) fn row_in(&mut self, row: &[Ast], query: &Query, negated: bool, place: Option<u32>) -> Result<Bound> {
        let (plan, equal) = self.row_comparison(row, query, place)?;
        let plan = LogicalPlanBuilder::from(plan)
            .project(vec![equal.alias("?value?")])
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?;
        Ok(self.plain_in_subquery(lit(true), subquery(plan), negated))
    }

    /// A row against the only row of a subquery; NULL without one.
    pub(super) fn row_equals(&mut self, row: &[Ast], query: &Query) -> Result<Bound> {
        let place = self.parenthesis(query);
        let (plan, equal) = self.row_comparison(row, query, place)?;
        let plan = LogicalPlanBuilder::from(plan)
            .project(vec![equal.alias("?value?")])
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?;
        Ok(Bound::new(value_of(plan, DataType::Boolean), PgType::BOOL))
    }

    /// A condition of WHERE. Where only its truth counts, a row in a subquery is a row that exists, which can be joined.
    pub(super) fn where_condition(&mut self, ast: &Ast, what: &str) -> Result<Expr> {
        match ast {
            Ast::Nested(inner) if rows_in(inner) => self.where_condition(inner, what),
            Ast::BinaryOp { left, op: BinaryOperator::And, right } if rows_in(ast) => {
                Ok(self.where_condition(left, "AND")?.and(self.where_condition(right, "AND")?))
            }
            Ast::InSubquery { expr, subquery: query, negated: false } if rows_in(ast) => {
                let Some(Ast::Tuple(row)) = written_row(expr) else { return self.condition(ast, what) };
                let place = self.keyword_place("in", self.position(&**query));
                let (plan, equal) = self.row_comparison(&row, query, place)?;
                let plan = LogicalPlanBuilder::from(plan)
                    .filter(equal)
                    .and_then(LogicalPlanBuilder::build)
                    .map_err(from_datafusion)?;
                Ok(Expr::Exists(Exists { subquery: subquery(plan), negated: false }))
            }
            _ => self.condition(ast, what),
        }
    }

    /// The subquery's plan, and whether a row of it is equal to the row outside.
    fn row_comparison(&mut self, row: &[Ast], query: &Query, place: Option<u32>) -> Result<(LogicalPlan, Expr)> {
        let values = row.iter().map(|ast| self.expr(ast)).collect::<Result<Vec<_>>>()?;
        if !find_aggregates(values.iter().map(|value| &value.expr)).is_empty() {
            return refuse("an aggregate in a row that is compared with a subquery");
        }
        let Relation { plan, columns, .. } = self.inner_query(query)?;
        if columns.len() != row.len() {
            let what = if columns.len() < row.len() { "few" } else { "many" };
            let error = Error::client(SqlState::SYNTAX_ERROR, format!("subquery has too {what} columns"));
            return Err(error.with_position_if(place));
        }
        let mut equal: Option<Expr> = None;
        for (value, output) in values.into_iter().zip(columns) {
            let value = self.outer_value(value)?;
            let compared = self.operator("=", value, output.value).map_err(|error| self.placed(error, |_| place))?;
            let compared = self.boolean(compared, "IN")?.expr;
            equal = Some(match equal {
                None => compared,
                Some(before) => before.and(compared),
            });
        }
        match equal {
            Some(equal) => Ok((plan, equal)),
            None => refuse("an empty row in a subquery"),
        }
    }
}

/// Whether a conjunction has a row in a subquery among its parts.
fn rows_in(ast: &Ast) -> bool {
    match ast {
        Ast::Nested(inner) => rows_in(inner),
        Ast::BinaryOp { left, op: BinaryOperator::And, right } => rows_in(left) || rows_in(right),
        Ast::InSubquery { expr, negated: false, .. } => written_row(expr).is_some(),
        _ => false,
    }
}
