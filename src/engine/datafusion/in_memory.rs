//! How statements are planned that read virtual tables alone: their tables are small, and their planning takes longer than they run.
//! Must not know: which tables those are.
//!
//! DataFusion runs its rules over a plan again and again until nothing changes, and has many that only pay where much is read. Here each
//! rule runs once, with those left out that have nothing to work on.

use std::any::Any;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinType, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::OptimizerRule;
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::prelude::SessionConfig;

use super::{semantics, yielding};

/// Rules of the physical plan that spare work where much is read, or part it among threads.
const LEFT_OUT: &[&str] = &[
    "aggregate_statistics",
    // `LeadingFirst` stands in its place.
    "join_selection",
    "FilterPushdown",
    "FilterPushdown(Post)",
    "HashJoinBuffering",
    "LimitAggregation",
    "LimitPushPastWindows",
    "PushdownSort",
    "TopKRepartition",
    "WindowTopN",
];

/// The settings. Rows lie in an order that people know: to part them among threads costs more than it brings, and shuffles them. Filters
/// that are found while a plan runs would stay in one that is kept.
pub(super) fn settings(config: SessionConfig) -> SessionConfig {
    let mut config = config.with_target_partitions(1);
    let optimizer = &mut config.options_mut().optimizer;
    optimizer.max_passes = 1;
    optimizer.enable_dynamic_filter_pushdown = false;
    optimizer.enable_join_dynamic_filter_pushdown = false;
    optimizer.enable_topk_dynamic_filter_pushdown = false;
    optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    config
}

/// The rules of the logical plan.
pub(super) fn rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = Vec::new();
    for rule in semantics::optimizer_rules() {
        let pushes = rule.name() == "push_down_filter";
        rules.push(rule);
        if pushes {
            // A condition that has come down to its join may be an equality, which a second run would find.
            rules.push(Arc::new(ExtractEquijoinPredicate::new()));
        }
    }
    rules
}

/// Keeps rows in the order of the relation that a query names first: a hash join gives them in that of its right side. What asks for
/// columns without ORDER BY finds each table's by number then, as PostgreSQL's plans bring them.
#[derive(Debug)]
struct LeadingFirst;

impl PhysicalOptimizerRule for LeadingFirst {
    fn name(&self) -> &'static str {
        "leading_first"
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let swapped = plan.transform_up(|plan| {
            let any: &dyn Any = plan.as_ref();
            match any.downcast_ref::<HashJoinExec>() {
                Some(join) if matches!(join.join_type(), JoinType::Inner | JoinType::Left) => {
                    Ok(Transformed::yes(join.swap_inputs(PartitionMode::CollectLeft)?))
                }
                _ => Ok(Transformed::no(plan)),
            }
        })?;
        Ok(swapped.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The rules of the physical plan.
pub(super) fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut projections = 0;
    let needed = |rule: &Arc<dyn PhysicalOptimizerRule + Send + Sync>| {
        projections += usize::from(rule.name() == "ProjectionPushdown");
        // It comes twice: once for what lies between.
        !LEFT_OUT.contains(&rule.name()) && (rule.name() != "ProjectionPushdown" || projections > 1)
    };
    let leading: Arc<dyn PhysicalOptimizerRule + Send + Sync> = Arc::new(LeadingFirst);
    std::iter::once(leading).chain(yielding::rules().into_iter().filter(needed)).collect()
}

/// An optimised plan, whatever its state is for. Where a run has left a subquery that wants to be a join, there is another.
///
/// # Errors
/// What the rules say.
pub(super) fn finished(mut plan: LogicalPlan, state: &SessionState) -> Result<LogicalPlan> {
    for _ in state.config().options().optimizer.max_passes..MOST_RUNS {
        if !holds_subquery(&plan)? {
            break;
        }
        plan = state.optimizer().optimize(plan, state, |_, _| {})?;
    }
    Ok(plan)
}

/// As many as DataFusion makes.
const MOST_RUNS: usize = 3;

fn holds_subquery(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            found |= expr.exists(|expr| {
                Ok(match expr {
                    Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) => true,
                    Expr::ScalarSubquery(subquery) => !subquery.outer_ref_columns.is_empty(),
                    _ => false,
                })
            })?;
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })
    })?;
    Ok(found)
}
