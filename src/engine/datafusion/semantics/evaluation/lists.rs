//! DataFusion's rule that simplifies expressions, kept from making one IN list of two: `a in (1) and a in (2)` is NULL where `a` is, not false.
//! Must not know: how expressions are simplified.

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::Alias;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// What disguised values are called.
const DISGUISE: &str = "?in list?";

/// DataFusion's rule. The values of lists that it might put together are disguised from it.
#[derive(Debug, Default)]
pub(super) struct CarefulSimplify {
    rule: SimplifyExpressions,
}

impl OptimizerRule for CarefulSimplify {
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
        if !is_risky(&plan)? {
            return self.rule.rewrite(plan, config);
        }
        let names = NamePreserver::new(&plan);
        let mut saved = Vec::new();
        plan.apply_expressions(|expr| {
            saved.push(names.save(expr));
            Ok(TreeNodeRecursion::Continue)
        })?;
        let mut lists = 0;
        let disguised = plan.map_expressions(|expr| disguised(expr, &mut lists))?.data;
        let simplified = self.rule.rewrite(disguised, config)?;
        let mut saved = saved.into_iter();
        let shown = simplified.data.map_expressions(|expr| {
            let shown = shown(expr)?;
            Ok(match saved.next() {
                Some(name) => shown.update_data(|expr| name.restore(expr)),
                None => shown,
            })
        })?;
        shown.data.recompute_schema().map(Transformed::yes)
    }
}

/// Whether an expression of a plan has two lists whose values could be taken for false instead of NULL, and that makes a difference.
fn is_risky(plan: &LogicalPlan) -> Result<bool> {
    let mut risky = false;
    plan.apply_expressions(|expr| {
        // Rows are let through by what is true alone.
        let parts = if matches!(plan, LogicalPlan::Filter(_)) { split_conjunction(expr) } else { vec![expr] };
        for part in parts {
            risky |= lists(part)? > 1;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(risky)
}

fn lists(expr: &Expr) -> Result<usize> {
    let mut lists = 0;
    expr.apply(|expr| {
        lists += usize::from(matches!(expr, Expr::InList(_)));
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(lists)
}

/// Each list over a value of another name.
fn disguised(expr: Expr, number: &mut usize) -> Result<Transformed<Expr>> {
    expr.transform_up(|expr| {
        let Expr::InList(mut list) = expr else { return Ok(Transformed::no(expr)) };
        *number += 1;
        let name = format!("{DISGUISE}{number}");
        *list.expr = Expr::Alias(Alias::new(*list.expr, None::<&str>, name));
        Ok(Transformed::yes(Expr::InList(list)))
    })
}

fn shown(expr: Expr) -> Result<Transformed<Expr>> {
    expr.transform_up(|expr| match expr {
        Expr::Alias(alias) if alias.name.starts_with(DISGUISE) => Ok(Transformed::yes(*alias.expr)),
        other => Ok(Transformed::no(other)),
    })
}
