//! `ARRAY(SELECT ...)`: a mark in the plan; who runs the subquery for each row gathers its rows in their order.
//! Must not know: how subqueries run.

use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Expr, LogicalPlan, Signature, Volatility};

use super::kernel::external;
use crate::error::Error;

/// The mark: an aggregate of one column to an array, in the order in which its rows come.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Gather {
    signature: Signature,
}

impl Gather {
    /// The mark.
    pub(super) fn new() -> Self {
        Gather { signature: Signature::any(1, Volatility::Immutable) }
    }
}

/// Its name, which no statement can write.
const NAME: &str = "array(subquery)";

impl AggregateUDFImpl for Gather {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let item = types.first().ok_or_else(|| DataFusionError::Internal("an array of nothing".into()))?;
        Ok(DataType::new_list(item.clone(), true))
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        // An aggregate does not see its rows in the subquery's order.
        Err(external(Error::unsupported("ARRAY(subquery) over tables of sources is not supported")))
    }
}

/// The subquery under the mark, if a plan is one.
#[must_use]
pub fn gathered(plan: &LogicalPlan) -> Option<&LogicalPlan> {
    let LogicalPlan::Aggregate(aggregate) = plan else { return None };
    let marked = |expr: &Expr| match expr {
        Expr::Alias(alias) => is_mark(&alias.expr),
        other => is_mark(other),
    };
    aggregate.aggr_expr.iter().any(marked).then_some(&*aggregate.input)
}

fn is_mark(expr: &Expr) -> bool {
    matches!(expr, Expr::AggregateFunction(function) if function.func.name() == NAME)
}
