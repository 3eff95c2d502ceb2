//! Keeps filters from being pushed down by a name that stands for two columns.
//! Must not know: what is filtered.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

/// DataFusion's physical push-down of filters, for plans in which a name says which column is meant.
///
/// On its way through projections, repartitions and unions a filter finds its columns by name alone: over `a JOIN b` with a column `s` on
/// both sides, a comparison of `a.s` with `b.s` came out as one of `b.s` with itself, below the join. Filters that were planned
/// as such are pushed by the logical optimizer, which knows tables; what is left to this rule are the dynamic filters of joins and of
/// ORDER BY with LIMIT, which only save work.
#[derive(Debug)]
pub(super) struct NamedPushdown(pub(super) Arc<dyn PhysicalOptimizerRule + Send + Sync>);

impl PhysicalOptimizerRule for NamedPushdown {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if names_are_clear(&plan)? { self.0.optimize(plan, config) } else { Ok(plan) }
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

/// Whether no operator has two columns of one name, and every operator that passes its inputs on in their own order calls columns as
/// they do.
fn names_are_clear(plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    let mut clear = true;
    plan.apply(|node| {
        let schema = node.schema();
        let mut seen = HashSet::new();
        clear &= schema.fields().iter().all(|field| seen.insert(field.name().as_str()));
        if node.name() == "UnionExec" || node.name() == "InterleaveExec" {
            let names = |plan: &Arc<dyn ExecutionPlan>| {
                plan.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
            };
            let own = names(node);
            clear &= node.children().into_iter().all(|child| names(child) == own);
        }
        Ok(if clear { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(clear)
}
