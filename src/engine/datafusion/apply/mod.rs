//! Correlated subqueries that DataFusion cannot turn into joins: over virtual tables they run once for each distinct set of the
//! outer values they use.
//! Must not know: what the subqueries ask for.

mod correlation;
mod function;
mod together;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::{SetComparison, SetQuantifier};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, binary_expr};
use datafusion::physical_plan::ExecutionPlan;

use super::{in_memory as rules, semantics, stop};
pub(super) use correlation::in_memory;
use correlation::{holds_outer_columns, marker, outer_columns, reaches_out, substituted, taken_around, with_held_rows};
use function::{Answer, Apply, Names};

/// Which subqueries are to be run row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// Those that DataFusion has no form for.
    Needed,
    /// All that refer to the outside.
    Correlated,
}

/// The physical plan of a statement.
///
/// # Errors
/// What DataFusion says of a plan that it cannot run.
pub(super) async fn physical(plan: &LogicalPlan, state: &SessionState) -> Result<Arc<dyn ExecutionPlan>> {
    let plan = optimized(plan.clone(), state)?;
    state.query_planner().create_physical_plan(&plan, state).await
}

/// The optimised plan without a correlated subquery, as far as that can be had.
fn optimized(plan: LogicalPlan, state: &SessionState) -> Result<LogicalPlan> {
    let plan = rewrite(plan, state, Which::Needed)?.data;
    let first = stop::planning(|| state.optimize(&plan));
    let again = |first: LogicalPlan| stop::planning(|| rules::finished(first, state));
    if first.as_ref().is_ok_and(|plan| !holds_outer_columns(plan)) {
        return first.and_then(again);
    }
    let second = rewrite(plan, state, Which::Correlated)?;
    if second.transformed {
        return stop::planning(|| state.optimize(&second.data)).and_then(again);
    }
    first.and_then(again)
}

fn rewrite(plan: LogicalPlan, state: &SessionState, which: Which) -> Result<Transformed<LogicalPlan>> {
    plan.transform_down_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        let inputs = node.inputs();
        if inputs.is_empty() {
            return Ok(Transformed::no(node));
        }
        let schema = merge_schema(&inputs);
        let changed = node.map_expressions(|expr| {
            let name = names.save(&expr);
            let changed = expr.transform_down(|expr| apply(expr, &schema, state, which))?;
            let restore = changed.transformed;
            Ok(changed.update_data(|expr| if restore { name.restore(expr) } else { expr }))
        })?;
        if changed.transformed { changed.map_data(LogicalPlan::recompute_schema) } else { Ok(changed) }
    })
}

/// A subquery as a function of the outer values it uses, if it is one of those.
fn apply(
    expr: Expr,
    schema: &datafusion::common::DFSchema,
    state: &SessionState,
    which: Which,
) -> Result<Transformed<Expr>> {
    let wanted = |subquery: &Subquery| {
        let plan = &*subquery.subquery;
        let outer = outer_columns(plan)?;
        let correlated = outer.iter().any(|(_, column)| schema.has_column(column));
        let needed =
            semantics::gathered(plan).is_some() || (correlated && (marker(plan)? || reaches_out(plan, schema)?));
        Ok::<bool, datafusion::common::DataFusionError>(
            (needed || (correlated && which == Which::Correlated)) && in_memory(plan)?,
        )
    };
    Ok(match expr {
        Expr::ScalarSubquery(subquery) if wanted(&subquery)? => {
            let plan = &*subquery.subquery;
            let (plan, answer) = match semantics::gathered(plan) {
                Some(inside) => (gathered_column(plan, inside)?, Answer::Gathered),
                None => (plan.clone(), Answer::Value),
            };
            Transformed::yes(called(plan, (Names::new(), None), answer, schema, state)?)
        }
        Expr::Exists(exists) if wanted(&exists.subquery)? => {
            let call =
                called((*exists.subquery.subquery).clone(), (Names::new(), None), Answer::Exists, schema, state)?;
            Transformed::yes(if exists.negated { !call } else { call })
        }
        Expr::InSubquery(inside) if wanted(&inside.subquery)? => {
            let call = compared(&inside.subquery, *inside.expr, Operator::Eq, Answer::Any, schema, state)?;
            Transformed::yes(if inside.negated { !call } else { call })
        }
        Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) if wanted(&subquery)? => {
            let answer = if quantifier == SetQuantifier::Any { Answer::Any } else { Answer::All };
            Transformed::yes(compared(&subquery, *expr, op, answer, schema, state)?)
        }
        other => Transformed::no(other),
    })
}

/// The values that `ARRAY(subquery)` gathers, as the only column of the subquery.
fn gathered_column(plan: &LogicalPlan, inside: &LogicalPlan) -> Result<LogicalPlan> {
    let mut value = None;
    plan.apply_expressions(|expr| {
        expr.apply(|expr| {
            if let Expr::AggregateFunction(function) = expr {
                value = function.params.args.first().cloned();
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    match value {
        Some(value) => LogicalPlanBuilder::from(inside.clone()).project(vec![value])?.build(),
        None => Ok(inside.clone()),
    }
}

/// `value op ANY (subquery)` and its kin: the subquery gives what each comparison gives.
fn compared(
    subquery: &Subquery,
    value: Expr,
    op: Operator,
    answer: Answer,
    schema: &datafusion::common::DFSchema,
    state: &SessionState,
) -> Result<Expr> {
    let plan = (*subquery.subquery).clone();
    let column = plan.schema().columns().into_iter().next();
    let column =
        column.ok_or_else(|| datafusion::common::DataFusionError::Internal("a subquery of no columns".into()))?;
    let field = value.get_type(schema)?;
    let names = Names::new();
    let compared = binary_expr(function::placeholder(&names.compared(), &field), op, Expr::Column(column));
    let plan = LogicalPlanBuilder::from(plan).project(vec![compared.alias("compared")])?.build()?;
    called(plan, (names, Some(value)), answer, schema, state)
}

fn called(
    plan: LogicalPlan,
    (names, value): (Names, Option<Expr>),
    answer: Answer,
    schema: &datafusion::common::DFSchema,
    state: &SessionState,
) -> Result<Expr> {
    let outer: Vec<_> = outer_columns(&plan)?.into_iter().filter(|(_, column)| schema.has_column(column)).collect();
    let columns: Vec<_> = outer.iter().map(|(_, column)| column.clone()).collect();
    let plan = with_held_rows(substituted(plan, &columns, &names)?)?;
    let mut taken: Vec<String> = (0..columns.len()).map(|at| names.outer(at)).collect();
    let mut args: Vec<Expr> = columns.into_iter().map(Expr::Column).collect();
    if let Some(value) = value {
        taken.push(names.compared());
        args.push(value);
    }
    // What a subquery around this one takes comes through it.
    for around in taken_around(&plan, &taken)? {
        taken.push(around.id.clone());
        args.push(Expr::Placeholder(around));
    }
    Apply::call(plan, (taken, args), answer, state)
}
