//! The order in which parts of expressions are evaluated, as far as errors show it: constants while planning, what can fail behind
//! what decides whether it is reached.
//! Must not know: SQL, how functions are resolved.
//!
//! PostgreSQL evaluates AND, OR and CASE from left to right and stops where the result is known, and the conditions of a WHERE by
//! their cost. DataFusion evaluates arrays: both sides over all rows, wherever its rules have put them. Only what can raise an error
//! is treated here ([`fallible`]); all else keeps DataFusion's ways.
//!
//! * While a plan is analysed, AND, OR, CASE and FILTER in expressions become one function of the columns they read, if a part behind
//!   the first can fail ([`conditional`], [`lazy`]). The conditions of a WHERE, HAVING or ON stay apart, so that they find their places.
//! * When conditions have been pushed down, those at one place that can fail are put behind those that cannot ([`conjuncts`]). They
//!   carry these conditions with them, so that no later rule separates them.

mod conditional;
mod conjuncts;
mod constants;
mod fallible;
mod lazy;
mod lists;
mod pushdown;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::{AnalyzerRule, Optimizer, OptimizerRule};

use crate::engine::datafusion::stop;

/// The rule of the analysis.
#[derive(Debug, Default)]
pub(super) struct EvaluationOrder;

impl AnalyzerRule for EvaluationOrder {
    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        in_order(stop::planning(|| constants::folded(plan))?)
    }

    fn name(&self) -> &str {
        "evaluation_order"
    }
}

/// DataFusion's rules of the optimizer, with those of this room among them.
pub(in crate::engine::datafusion) fn optimizer_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = Vec::new();
    for rule in Optimizer::new().rules {
        if rule.name() == "push_down_filter" {
            rules.push(Arc::new(pushdown::CarefulPushDown::default()));
            rules.push(Arc::new(conjuncts::OrderedConjuncts));
        } else if rule.name() == "simplify_expressions" {
            rules.push(Arc::new(lists::CarefulSimplify::default()));
        } else {
            rules.push(rule);
        }
    }
    rules
}

fn in_order(plan: LogicalPlan) -> Result<LogicalPlan> {
    let made = plan.transform_up_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        let filters = matches!(&node, LogicalPlan::Filter(_) | LogicalPlan::Join(_));
        let changed = node.map_expressions(|expr| {
            if !fallible::can_fail(&expr) || matches!(expr, Expr::GroupingSet(_)) {
                return Ok(Transformed::no(expr));
            }
            let name = names.save(&expr);
            let made =
                if filters { conditional::condition(expr.clone()) } else { conditional::in_order(expr.clone()) }?;
            Ok(if made == expr { Transformed::no(expr) } else { Transformed::yes(name.restore(made)) })
        })?;
        if changed.transformed { changed.map_data(LogicalPlan::recompute_schema) } else { Ok(changed) }
    })?;
    Ok(made.data)
}
