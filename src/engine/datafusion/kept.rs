//! The physical plan of a statement that may come again: kept, so that it is not made anew for each execution.
//! Must not know: when a statement's plan still holds.

use std::sync::{Arc, OnceLock};

use datafusion::common::Result;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::reset_plan_states;

use crate::rows::RowShape;

/// Operators that run again as if they had never run, once their state is reset. Whatever else there is may share what one run has found
/// with all others (a subquery's value, the rows of a recursion), and two portals may run one statement at the same time.
const AGAIN: &[&str] = &[
    "AggregateExec",
    "BoundedWindowAggExec",
    "CoalesceBatchesExec",
    "CoalescePartitionsExec",
    "CooperativeExec",
    "CrossJoinExec",
    "DataSourceExec",
    "EmptyExec",
    "FilterExec",
    "GlobalLimitExec",
    "HashJoinExec",
    "LocalLimitExec",
    "NestedLoopJoinExec",
    "PlaceholderRowExec",
    "ProjectionExec",
    "SequenceExec",
    "SortExec",
    "SortPreservingMergeExec",
    "SpreadExec",
    "UnionExec",
    "WindowAggExec",
];

/// A deeper plan is not kept: it would need more than a usual thread's stack to be walked through.
const DEEPEST: usize = 100;

/// A physical plan, and what its rows look like.
pub(super) type Physical = (Arc<dyn ExecutionPlan>, Arc<RowShape>);

/// A place for a physical plan.
#[derive(Debug, Default)]
pub(super) struct Kept(OnceLock<Physical>);

impl Kept {
    /// Keeps a plan, if it can run again. It is never run itself, or it would keep what it has found: what runs is a copy.
    ///
    /// # Errors
    /// What an operator says that cannot be copied.
    pub(super) fn keep(&self, plan: Arc<dyn ExecutionPlan>, shape: &Arc<RowShape>) -> Result<Arc<dyn ExecutionPlan>> {
        if !can_run_again(&plan, DEEPEST) {
            return Ok(plan);
        }
        let copy = reset_plan_states(Arc::clone(&plan))?;
        let _ = self.0.set((plan, Arc::clone(shape)));
        Ok(copy)
    }

    /// A copy of the plan that was kept, and what its rows look like.
    ///
    /// # Errors
    /// What an operator says that cannot be copied.
    pub(super) fn copy(&self) -> Result<Option<Physical>> {
        let Some((plan, shape)) = self.0.get() else { return Ok(None) };
        Ok(Some((reset_plan_states(Arc::clone(plan))?, Arc::clone(shape))))
    }
}

fn can_run_again(plan: &Arc<dyn ExecutionPlan>, deepest: usize) -> bool {
    deepest > 0
        && AGAIN.contains(&plan.name())
        && plan.children().into_iter().all(|child| can_run_again(child, deepest - 1))
}
