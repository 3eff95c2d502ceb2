//! Which correlated subqueries DataFusion turns into joins with SQL's answer.
//! Must not know: what becomes of the others.
//!
//! Its rules drop an OFFSET, know no row of an aggregate over nothing under EXISTS and IN, and part the groups of an aggregate by the columns
//! it is correlated by. What is not listed here runs for each set of outer values.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Distinct, Expr, ExprSchemable, LogicalPlan, Operator};

use super::correlation::outer_columns;

/// What is asked of a subquery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Its rows: EXISTS, IN, ANY, ALL.
    Rows,
    /// Its only value.
    Value,
}

/// Whether a correlated subquery may be left to DataFusion. No subquery within it reads the outside.
pub(super) fn certified(plan: &LogicalPlan, asked: Asked, outside: &DFSchema) -> Result<bool> {
    let reader = Reader { outside };
    match asked {
        Asked::Rows => reader.rows(plan),
        Asked::Value => reader.value(plan),
    }
}

/// What reads columns of the query around.
struct Reader<'a> {
    outside: &'a DFSchema,
}

impl Reader<'_> {
    fn in_plan(&self, plan: &LogicalPlan) -> Result<bool> {
        Ok(outer_columns(plan)?.iter().any(|(_, column)| self.outside.has_column(column)))
    }

    fn in_expr(&self, expr: &Expr) -> Result<bool> {
        expr.exists(|expr| Ok(matches!(expr, Expr::OuterReferenceColumn(_, column) if self.outside.has_column(column))))
    }

    fn in_any(&self, exprs: &[Expr]) -> Result<bool> {
        for expr in exprs {
            if self.in_expr(expr)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Rows of a plain SELECT that conditions of WHERE choose.
    fn rows(&self, plan: &LogicalPlan) -> Result<bool> {
        if !self.in_plan(plan)? {
            return Ok(true);
        }
        match plan {
            LogicalPlan::Projection(node) => Ok(!self.in_any(&node.expr)? && self.rows(&node.input)?),
            LogicalPlan::Distinct(Distinct::All(input)) => self.rows(input),
            LogicalPlan::Filter(node) => {
                Ok(self.conditions(&node.predicate, |condition| Ok(!is_idle(condition)))? && self.rows(&node.input)?)
            }
            _ => Ok(false),
        }
    }

    /// The value of an aggregate over all rows that equal the outside in some columns.
    fn value(&self, plan: &LogicalPlan) -> Result<bool> {
        match plan {
            LogicalPlan::Projection(node) => Ok(!self.in_any(&node.expr)? && self.value(&node.input)?),
            LogicalPlan::Aggregate(node) => {
                Ok(node.group_expr.is_empty() && !self.in_any(&node.aggr_expr)? && self.aggregated(&node.input)?)
            }
            _ => Ok(false),
        }
    }

    fn aggregated(&self, plan: &LogicalPlan) -> Result<bool> {
        if !self.in_plan(plan)? {
            return Ok(true);
        }
        match plan {
            LogicalPlan::Projection(node) => Ok(!self.in_any(&node.expr)? && self.aggregated(&node.input)?),
            LogicalPlan::Filter(node) => {
                let schema = node.input.schema();
                Ok(self.conditions(&node.predicate, |condition| keys(condition, schema))?
                    && self.aggregated(&node.input)?)
            }
            _ => Ok(false),
        }
    }

    /// Whether all conjuncts that read the outside are of this kind, and hold no subquery.
    fn conditions(&self, predicate: &Expr, kind: impl Fn(&Expr) -> Result<bool>) -> Result<bool> {
        for condition in split_conjunction(predicate) {
            if self.in_expr(condition)? && (condition.exists(|expr| Ok(is_subquery(expr)))? || !kind(condition)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether an expression holds a query.
pub(super) fn is_subquery(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_))
}

/// `x = x`, which DataFusion drops though it is NULL where x is.
fn is_idle(condition: &Expr) -> bool {
    matches!(condition, Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) if left == right)
}

/// A column of the inside is equal to a value of the outside, and only equal values of it are: rows that are in one group by the column are.
fn keys(condition: &Expr, inside: &DFSchema) -> Result<bool> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = condition else { return Ok(false) };
    Ok((is_key(left, inside)? && !right.any_column_refs()) || (is_key(right, inside)? && !left.any_column_refs()))
}

fn is_key(expr: &Expr, inside: &DFSchema) -> Result<bool> {
    match expr {
        Expr::Column(_) => Ok(!expr.get_type(inside)?.is_floating()),
        Expr::Cast(cast) if matches!(&*cast.expr, Expr::Column(_)) => {
            let (from, to) = (cast.expr.get_type(inside)?, expr.get_type(inside)?);
            let exact = to.is_integer() || matches!(to, DataType::Decimal128(..) | DataType::Decimal256(..));
            Ok(from.is_integer() && exact)
        }
        _ => Ok(false),
    }
}
