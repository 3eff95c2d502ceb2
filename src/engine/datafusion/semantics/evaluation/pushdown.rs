//! DataFusion's rule that pushes conditions down, kept from making new conditions that can fail.
//! Must not know: how conditions are pushed.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{Expr, Filter, Join, LogicalPlan};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::fallible::can_fail;

/// DataFusion's rule. What it infers for the other side of a join (`a.x = b.y and 10 / a.x > 1`, so `10 / b.y > 1`) can fail for rows
/// that no row of the first side meets: conditions of that kind infer nothing here.
#[derive(Debug, Default)]
pub(super) struct CarefulPushDown {
    rule: PushDownFilter,
}

impl OptimizerRule for CarefulPushDown {
    fn name(&self) -> &str {
        self.rule.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.rule.apply_order()
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match disguised(plan)? {
            (plan, true) => {
                let pushed = self.rule.rewrite(plan, config)?;
                pushed.map_data(|plan| with_join(plan, &mut |join| Ok(keys(join, shown))).map(|(plan, _)| plan))
            }
            (plan, false) => self.rule.rewrite(plan, config),
        }
    }
}

/// The plan with the keys of its join hidden from inference, if a condition at the join can fail.
fn disguised(plan: LogicalPlan) -> Result<(LogicalPlan, bool)> {
    let above = matches!(&plan, LogicalPlan::Filter(filter) if can_fail(&filter.predicate));
    let join = match &plan {
        LogicalPlan::Join(join) => Some(join),
        LogicalPlan::Filter(filter) => match filter.input.as_ref() {
            LogicalPlan::Join(join) => Some(join),
            _ => None,
        },
        _ => None,
    };
    let risky = join.is_some_and(|join| above || join.filter.as_ref().is_some_and(can_fail));
    if !risky {
        return Ok((plan, false));
    }
    with_join(plan, &mut |join| Ok(keys(join, hidden)))
}

/// Changes the join at the top of a plan, or under the filter there.
fn with_join(plan: LogicalPlan, change: &mut impl FnMut(Join) -> Result<Join>) -> Result<(LogicalPlan, bool)> {
    Ok(match plan {
        LogicalPlan::Join(join) => (LogicalPlan::Join(change(join)?), true),
        LogicalPlan::Filter(filter) => {
            let (input, changed) = with_join(Arc::unwrap_or_clone(filter.input), change)?;
            (LogicalPlan::Filter(Filter::try_new(filter.predicate, Arc::new(input))?), changed)
        }
        other => (other, false),
    })
}

fn keys(mut join: Join, change: fn(Expr) -> Expr) -> Join {
    join.on = join.on.into_iter().map(|(left, right)| (change(left), change(right))).collect();
    join
}

/// A name that marks what was hidden.
const MARK: &str = "\0key";

fn hidden(key: Expr) -> Expr {
    match key {
        Expr::Column(column) => Expr::Column(column).alias(MARK),
        other => other,
    }
}

fn shown(key: Expr) -> Expr {
    match key {
        Expr::Alias(alias) if alias.name == MARK => *alias.expr,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::common::Column;

    use super::*;

    #[test]
    fn hidden_keys_are_shown_again() {
        let key = Expr::Column(Column::new_unqualified("a"));
        assert_ne!(hidden(key.clone()), key);
        assert_eq!(shown(hidden(key.clone())), key);
    }
}
