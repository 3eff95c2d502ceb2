//! Joins that give way: a physical rule that lets every join stop now and then for others, and for its own cancel.
//! Must not know: what is joined.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;

use super::metered::Metering;
use super::named_pushdown::NamedPushdown;
use super::sequence::{ArmByArm, OneByOne};

/// DataFusion's rules, its push-down of filters within bounds, rules that keep rows in order, and behind them the rule of this file and the
/// counters.
pub(super) fn rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let bounded = |rule: Arc<dyn PhysicalOptimizerRule + Send + Sync>| {
        if rule.name().starts_with("FilterPushdown") { Arc::new(NamedPushdown(rule)) as Arc<_> } else { rule }
    };
    let ordered: Arc<dyn PhysicalOptimizerRule + Send + Sync> = Arc::new(ArmByArm);
    let mut rules: Vec<_> =
        std::iter::once(ordered).chain(PhysicalOptimizer::new().rules.into_iter().map(bounded)).collect();
    rules.push(Arc::new(OneByOne));
    rules.push(Arc::new(Yielding));
    rules.push(Arc::new(Metering));
    rules
}

/// Wraps joins. DataFusion's own rule wraps leaves only: a join that has read its inputs multiplies them for hours without
/// asking a leaf again, and holds its thread for as long.
#[derive(Debug)]
struct Yielding;

impl PhysicalOptimizerRule for Yielding {
    fn name(&self) -> &'static str {
        "yielding_joins"
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let wrapped = plan.transform_up(|plan| {
            if plan.name().ends_with("JoinExec") {
                return Ok(Transformed::yes(Arc::new(CooperativeExec::new(plan)) as Arc<dyn ExecutionPlan>));
            }
            Ok(Transformed::no(plan))
        })?;
        Ok(wrapped.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}
