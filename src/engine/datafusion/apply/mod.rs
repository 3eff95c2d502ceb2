//! Correlated subqueries that DataFusion does not turn into the right joins: they run once for each distinct set of the outer values they
//! use, over rows of sources that are read once.
//! Must not know: what the subqueries ask for.

mod certified;
mod correlation;
mod function;
mod held;
mod held_rows;
mod together;

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, JoinType, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::{SetComparison, SetQuantifier};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{conjunction, merge_schema, split_conjunction_owned};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, binary_expr};
use datafusion::physical_plan::ExecutionPlan;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::{in_memory as rules, semantics, stop};
use crate::error::Error;
use certified::{Asked, certified, is_subquery};
pub(super) use correlation::in_memory;
use correlation::{holds_outer_columns, marker, outer_columns, reaches_out, substituted, taken_around, with_held_rows};
use function::{Answer, Apply, Names};
use held::{HeldTable, held_tables};
pub(super) use held::{held_anew, held_once, is_volatile};
use held_rows::{HoldExec, Part};

/// Which subqueries are to be run row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// Those that DataFusion has no form for.
    Needed,
    /// All that refer to the outside.
    Correlated,
}

/// Where a subquery stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The columns around it.
    schema: &'a DFSchema,
    /// In the condition of an outer join, which nothing takes it out of.
    in_join: bool,
    /// In a condition that rows are filtered by: there alone DataFusion knows IN and its kin.
    in_filter: bool,
}

/// The physical plan of a statement.
///
/// # Errors
/// What DataFusion says of a plan that it cannot run.
pub(super) async fn physical(plan: &LogicalPlan, state: &SessionState) -> Result<Arc<dyn ExecutionPlan>> {
    let plan = held_anew(plan.clone(), &Ok)?;
    let (plan, held) = optimized(plan, state)?;
    let mut parts = Vec::new();
    hold_parts(held, state, &mut parts).await?;
    let physical = state.query_planner().create_physical_plan(&plan, state).await?;
    Ok(if parts.is_empty() { physical } else { Arc::new(HoldExec::new(physical, parts)) })
}

/// What a plan wants to have been held, each after what it reads itself.
fn hold_parts<'a>(
    tables: Vec<HeldTable>,
    state: &'a SessionState,
    parts: &'a mut Vec<Part>,
) -> BoxFuture<'a, Result<()>> {
    async move {
        for held in tables {
            let name = held.name();
            if parts.iter().any(|part| part.name == name) {
                continue;
            }
            let (plan, read) = if held.planned {
                (held.plan.clone(), held_tables(&held.plan)?)
            } else {
                optimized(held.plan.clone(), state)?
            };
            hold_parts(read, state, parts).await?;
            let plan = state.query_planner().create_physical_plan(&plan, state).await?;
            parts.push(Part { name, plan, schema: held.columns(), rows: Arc::clone(held.rows()) });
        }
        Ok(())
    }
    .boxed()
}

/// The optimised plan without a correlated subquery, and what it reads that is to be held: that is looked for before, as what is evaluated
/// for some rows only is not seen in the plan any more.
fn optimized(plan: LogicalPlan, state: &SessionState) -> Result<(LogicalPlan, Vec<HeldTable>)> {
    let plan = rewrite(conditions_above_joins(plan)?, state, Which::Needed)?.data;
    let mut held = held_tables(&plan)?;
    let first = stop::planning(|| state.optimize(&plan));
    let again = |first: LogicalPlan| stop::planning(|| rules::finished(first, state));
    if first.as_ref().is_ok_and(|plan| !holds_outer_columns(plan)) {
        let plan = first.and_then(again)?;
        held.extend(held_tables(&plan)?);
        return Ok((plan, held));
    }
    let second = rewrite(plan, state, Which::Correlated)?;
    held.extend(held_tables(&second.data)?);
    let last = if second.transformed { stop::planning(|| state.optimize(&second.data)) } else { first };
    let last = last.and_then(again)?;
    if holds_outer_columns(&last) {
        Err(unsupported("this form of correlated subquery is not supported"))
    } else {
        held.extend(held_tables(&last)?);
        Ok((last, held))
    }
}

fn unsupported(what: &str) -> DataFusionError {
    DataFusionError::External(Box::new(Error::unsupported(what)))
}

/// Conditions of inner joins that hold a subquery, or read a query around, stand above them: there DataFusion knows them.
fn conditions_above_joins(plan: LogicalPlan) -> Result<LogicalPlan> {
    let apart =
        |expr: &Expr| expr.exists(|expr| Ok(is_subquery(expr) || matches!(expr, Expr::OuterReferenceColumn(..))));
    let moved = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Join(mut join) = node else { return Ok(Transformed::no(node)) };
        let Some(filter) =
            join.filter.take_if(|filter| join.join_type == JoinType::Inner && apart(filter).unwrap_or(false))
        else {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        };
        let mut above = Vec::new();
        let mut within = Vec::new();
        for condition in split_conjunction_owned(filter) {
            if apart(&condition)? { above.push(condition) } else { within.push(condition) }
        }
        join.filter = conjunction(within);
        let mut plan = LogicalPlanBuilder::from(LogicalPlan::Join(join));
        if let Some(condition) = conjunction(above) {
            plan = plan.filter(condition)?;
        }
        plan.build().map(Transformed::yes)
    })?;
    Ok(moved.data)
}

fn rewrite(plan: LogicalPlan, state: &SessionState, which: Which) -> Result<Transformed<LogicalPlan>> {
    plan.transform_down_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        let inputs = node.inputs();
        if inputs.is_empty() {
            return Ok(Transformed::no(node));
        }
        let schema = merge_schema(&inputs);
        let place = Place {
            schema: &schema,
            in_join: matches!(node, LogicalPlan::Join(_)),
            in_filter: matches!(node, LogicalPlan::Filter(_)),
        };
        let changed = node.map_expressions(|expr| {
            let name = names.save(&expr);
            let changed = expr.transform_down(|expr| apply(expr, place, state, which))?;
            let restore = changed.transformed;
            Ok(changed.update_data(|expr| if restore { name.restore(expr) } else { expr }))
        })?;
        if changed.transformed { changed.map_data(LogicalPlan::recompute_schema) } else { Ok(changed) }
    })
}

/// Whether a subquery is to run for each set of outer values.
fn wanted(subquery: &Subquery, asked: Asked, place: Place<'_>, which: Which) -> Result<bool> {
    let plan = &*subquery.subquery;
    let correlated = outer_columns(plan)?.iter().any(|(_, column)| place.schema.has_column(column));
    let as_it_is = || -> Result<bool> {
        Ok(!marker(plan)? && !reaches_out(plan, place.schema)? && certified(plan, asked, place.schema)?)
    };
    let needed = semantics::gathered(plan).is_some()
        || (place.in_join && (correlated || asked == Asked::Rows))
        || (asked == Asked::Rows && !place.in_filter)
        || (correlated && !as_it_is()?);
    Ok(needed || (correlated && which == Which::Correlated))
}

/// A subquery as a function of the outer values it uses, if it is one of those.
fn apply(expr: Expr, place: Place<'_>, state: &SessionState, which: Which) -> Result<Transformed<Expr>> {
    let wanted = |subquery: &Subquery, asked: Asked| wanted(subquery, asked, place, which);
    let schema = place.schema;
    Ok(match expr {
        Expr::ScalarSubquery(subquery) if wanted(&subquery, Asked::Value)? => {
            let plan = &*subquery.subquery;
            let (plan, answer) = match semantics::gathered(plan) {
                Some(inside) => (gathered_column(plan, inside)?, Answer::Gathered),
                None => (plan.clone(), Answer::Value),
            };
            Transformed::yes(called(plan, (Names::new(), None), answer, schema, state)?)
        }
        Expr::Exists(exists) if wanted(&exists.subquery, Asked::Rows)? => {
            let call =
                called((*exists.subquery.subquery).clone(), (Names::new(), None), Answer::Exists, schema, state)?;
            Transformed::yes(if exists.negated { !call } else { call })
        }
        Expr::InSubquery(inside) if wanted(&inside.subquery, Asked::Rows)? => {
            let call = compared(&inside.subquery, *inside.expr, Operator::Eq, Answer::Any, schema, state)?;
            Transformed::yes(if inside.negated { !call } else { call })
        }
        Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) if wanted(&subquery, Asked::Rows)? => {
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
    schema: &DFSchema,
    state: &SessionState,
) -> Result<Expr> {
    let plan = (*subquery.subquery).clone();
    let column = plan.schema().columns().into_iter().next();
    let column = column.ok_or_else(|| DataFusionError::Internal("a subquery of no columns".into()))?;
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
    schema: &DFSchema,
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
