//! LIMIT and OFFSET: their numbers of rows, once the parameters are known.
//! Must not know: how they are written.

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, Limit, LogicalPlan};
use datafusion::scalar::ScalarValue;

use super::fold::evaluate;
use super::kernel::external;
use crate::error::{Error, SqlState};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    Limit,
    Offset,
}

impl Rows {
    /// As it is written.
    pub(super) fn word(self) -> &'static str {
        match self {
            Rows::Limit => "LIMIT",
            Rows::Offset => "OFFSET",
        }
    }

    /// The error for a number below 0.
    pub(super) fn negative(self) -> Error {
        let state = match self {
            Rows::Limit => SqlState::INVALID_ROW_COUNT_IN_LIMIT,
            Rows::Offset => SqlState::INVALID_ROW_COUNT_IN_OFFSET,
        };
        Error::client(state, format!("{} must not be negative", self.word()))
    }

    /// The number that an expression of parameters' values is.
    fn settle(self, expr: Expr) -> Result<Box<Expr>> {
        let value = match expr {
            Expr::Literal(value, _) => value,
            other => match evaluate(&other) {
                Some(value) => value?.0,
                None => return Err(external(Error::internal(format!("{} could not be computed", self.word())))),
            },
        };
        match value {
            ScalarValue::Int64(Some(rows)) if rows < 0 => Err(external(self.negative())),
            value => Ok(Box::new(Expr::Literal(value, None))),
        }
    }
}

/// Whether an expression with parameters has one value for a whole statement.
pub(super) fn waits_for_parameters(expr: &Expr) -> bool {
    let (mut waits, mut settled) = (false, true);
    let _ = expr.apply(|node| {
        waits |= matches!(node, Expr::Placeholder(_));
        settled &= !node.is_volatile_node()
            && !matches!(
                node,
                Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)
            );
        Ok(TreeNodeRecursion::Continue)
    });
    waits && settled
}

/// The plan of a statement whose parameters have their values: every LIMIT and OFFSET is a constant.
///
/// # Errors
/// `2201W` and `2201X` for numbers below 0; what their expressions raise.
pub(super) fn settle(plan: LogicalPlan) -> Result<LogicalPlan> {
    let settled = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Limit(Limit { skip, fetch, input }) => {
            let fetch = fetch.map(|expr| Rows::Limit.settle(*expr)).transpose()?;
            let skip = skip.map(|expr| Rows::Offset.settle(*expr)).transpose()?;
            Ok(Transformed::yes(LogicalPlan::Limit(Limit { skip, fetch, input })))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(settled.data)
}
