//! AND, OR, CASE and FILTER in expressions: what is evaluated only for some rows must not fail for the others.
//! Must not know: where in a plan an expression stands.

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr::{AggregateFunctionParams, Case, InSubquery, SetComparison, WindowFunctionParams};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, lit};

use super::fallible::{can_fail, stands_alone};
use super::lazy;

/// The expression with every part that can fail behind the parts that decide whether it is evaluated.
///
/// # Errors
/// None of its own.
pub(super) fn in_order(expr: Expr) -> Result<Expr> {
    ordered(expr, false)
}

/// A condition that rows are filtered by: its conjuncts stay apart.
///
/// # Errors
/// None of its own.
pub(super) fn condition(expr: Expr) -> Result<Expr> {
    let parts = split_conjunction_owned(expr).into_iter().map(in_order).collect::<Result<Vec<_>>>()?;
    Ok(conjunction(parts).unwrap_or_else(|| lit(true)))
}

/// A value that is computed only where all conditions are true, and NULL elsewhere.
///
/// # Errors
/// None of its own.
pub(super) fn where_true(conditions: Vec<Expr>, value: Expr) -> Result<Expr> {
    let Some(when) = conjunction(conditions.clone()) else { return Ok(value) };
    let arms = vec![(Box::new(inside(when)?), Box::new(inside(value)?))];
    lazy::case(Expr::Case(Case { expr: None, when_then_expr: arms, else_expr: None }), conditions)
}

/// Conditions that rows are filtered by, one after the other; `given` come first.
///
/// # Errors
/// None of its own.
pub(super) fn one_after_the_other(given: Vec<Expr>, conditions: Vec<Expr>) -> Result<Expr> {
    let first = conjunction(given.clone());
    let mut chain: Option<Expr> = None;
    for condition in first.into_iter().chain(conditions).collect::<Vec<_>>().into_iter().rev() {
        let condition = inside(condition)?;
        chain = Some(match chain {
            None => condition,
            Some(then) => Expr::Case(Case {
                expr: None,
                when_then_expr: vec![(Box::new(condition), Box::new(then))],
                else_expr: Some(Box::new(lit(false))),
            }),
        });
    }
    lazy::case(chain.unwrap_or_else(|| lit(true)), given)
}

/// What stands inside of a lazily evaluated expression, where a CASE is lazy as it is.
fn inside(expr: Expr) -> Result<Expr> {
    ordered(expr, true)
}

fn ordered(expr: Expr, lazily: bool) -> Result<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { op: op @ (Operator::And | Operator::Or), .. }) => logic(expr, op, lazily),
        Expr::Case(case) => chosen(case, lazily),
        Expr::AggregateFunction(mut call) => {
            let AggregateFunctionParams { args, filter, order_by, .. } = &mut call.params;
            if let Some(filter) = filter.as_deref() {
                let filter = [filter.clone()];
                for value in args.iter_mut().chain(order_by.iter_mut().map(|item| &mut item.expr)) {
                    *value = behind(std::mem::take(value), &filter)?;
                }
            }
            children(Expr::AggregateFunction(call), lazily)
        }
        Expr::WindowFunction(mut call) => {
            let WindowFunctionParams { args, filter, .. } = &mut call.params;
            if let Some(filter) = filter.as_deref() {
                let filter = [filter.clone()];
                for value in args.iter_mut() {
                    *value = behind(std::mem::take(value), &filter)?;
                }
            }
            children(Expr::WindowFunction(call), lazily)
        }
        other => children(other, lazily),
    }
}

fn children(expr: Expr, lazily: bool) -> Result<Expr> {
    Ok(expr.map_children(|child| ordered(child, lazily).map(Transformed::yes))?.data)
}

/// A value behind conditions, where it can fail and they may stand twice.
fn behind(value: Expr, conditions: &[Expr]) -> Result<Expr> {
    if can_fail(&value) && !conditions.iter().any(stands_alone) {
        where_true(conditions.to_vec(), value)
    } else {
        Ok(value)
    }
}

/// The operands of a chain of one operator, in order.
pub(super) fn operands(expr: Expr, op: Operator) -> Vec<Expr> {
    let mut found = Vec::new();
    let mut open = vec![expr];
    while let Some(next) = open.pop() {
        match next {
            Expr::BinaryExpr(BinaryExpr { left, op: this, right }) if this == op => {
                open.push(*right);
                open.push(*left);
            }
            other => found.push(other),
        }
    }
    found
}

fn logic(expr: Expr, op: Operator, lazily: bool) -> Result<Expr> {
    let all = op == Operator::And;
    let found = operands(expr, op);
    let careful = found.iter().skip(1).any(can_fail);
    let mut made: Vec<Expr> = Vec::with_capacity(found.len());
    for operand in found {
        let operand = if careful && !made.is_empty() && can_fail(&operand) {
            let undecided = |before: &Expr| {
                let before = Box::new(before.clone());
                if all { Expr::IsNotFalse(before) } else { Expr::IsNotTrue(before) }
            };
            shielded(operand, &made.iter().map(undecided).collect::<Vec<_>>())?
        } else {
            operand
        };
        made.push(ordered(operand, lazily || careful)?);
    }
    if careful {
        return if all { lazy::all_of(made) } else { lazy::any_of(made) };
    }
    let joined = |l: Expr, r: Expr| Expr::BinaryExpr(BinaryExpr::new(Box::new(l), op, Box::new(r)));
    Ok(made.into_iter().reduce(joined).unwrap_or_else(|| lit(all)))
}

fn chosen(case: Case, lazily: bool) -> Result<Expr> {
    let Case { expr: operand, when_then_expr: arms, else_expr } = case;
    let later = arms.iter().enumerate().any(|(at, (when, then))| (at > 0 && can_fail(when)) || can_fail(then));
    let careful = later || else_expr.as_deref().is_some_and(can_fail);
    let inner = lazily || careful;
    let (mut made, mut passed) = (Vec::with_capacity(arms.len()), Vec::new());
    for (when, then) in arms {
        // Without an operand, which PostgreSQL's CASE here never has, conditions can stand in a shield.
        let known = operand.is_none();
        let shield: &[Expr] = if known { &passed } else { &[] };
        let when = shielded(*when, shield)?;
        let reached = Expr::IsTrue(Box::new(when.clone()));
        let then = if known { shielded(*then, std::slice::from_ref(&reached))? } else { *then };
        passed.push(Expr::IsNotTrue(Box::new(when.clone())));
        made.push((Box::new(ordered(when, inner)?), Box::new(ordered(then, inner)?)));
    }
    let shield: &[Expr] = if operand.is_none() { &passed } else { &[] };
    let other = else_expr.map(|other| ordered(shielded(*other, shield)?, inner).map(Box::new)).transpose()?;
    let operand = operand.map(|operand| ordered(*operand, inner).map(Box::new)).transpose()?;
    let case = Expr::Case(Case { expr: operand, when_then_expr: made, else_expr: other });
    if careful && !lazily { lazy::case(case, Vec::new()) } else { Ok(case) }
}

/// Values that are compared with subqueries are computed for all rows, wherever the comparison stands: NULL where the conditions
/// do not let a row through.
fn shielded(expr: Expr, conditions: &[Expr]) -> Result<Expr> {
    if !can_fail(&expr) {
        return Ok(expr);
    }
    let made = expr.transform_up(|node| {
        Ok(match node {
            Expr::InSubquery(InSubquery { expr, subquery, negated }) if can_fail(&expr) => {
                let expr = Box::new(behind(*expr, conditions)?);
                Transformed::yes(Expr::InSubquery(InSubquery { expr, subquery, negated }))
            }
            Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) if can_fail(&expr) => {
                let expr = Box::new(behind(*expr, conditions)?);
                Transformed::yes(Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }))
            }
            other => Transformed::no(other),
        })
    })?;
    Ok(made.data)
}
