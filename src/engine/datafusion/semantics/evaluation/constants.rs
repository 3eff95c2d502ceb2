//! Constant folding as PostgreSQL's planner does it: what is constant is computed while planning, and its error comes then, before
//! any row is described; what can never be reached is left alone.
//! Must not know: when a statement is planned.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, JoinType, Result};
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, Subquery, Volatility, lit};
use datafusion::scalar::ScalarValue;

use super::super::errors::from_datafusion;
use super::super::fold::evaluate;
use super::super::kernel::external;
use crate::error::Fault;

/// The plan with its constant expressions computed.
///
/// # Errors
/// What the constant expressions raise that PostgreSQL computes while it plans.
pub(super) fn folded(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(fold_plan(plan, &Used::All)?.plan)
}

/// Which of a plan's columns are read above it: PostgreSQL drops the others before it plans.
#[derive(Debug, Clone)]
enum Used {
    All,
    Some(HashSet<usize>),
}

impl Used {
    fn reads(&self, at: usize) -> bool {
        match self {
            Used::All => true,
            Used::Some(read) => read.contains(&at),
        }
    }

    fn and(&self, more: impl IntoIterator<Item = usize>) -> Used {
        match self {
            Used::All => Used::All,
            Used::Some(read) => Used::Some(read.iter().copied().chain(more).collect()),
        }
    }

    /// Of the columns from `first` on, `count` of them.
    fn part(&self, first: usize, count: usize) -> Used {
        match self {
            Used::All => Used::All,
            Used::Some(read) => {
                let inside = |at: &usize| (first..first + count).contains(at);
                Used::Some(read.iter().filter(|at| inside(at)).map(|at| at - first).collect())
            }
        }
    }
}

/// The constants among a plan's columns, as far as PostgreSQL sees them: where it pulls a subquery up.
type Constants = Vec<Option<ScalarValue>>;

/// A folded plan.
struct Folded {
    plan: LogicalPlan,
    constants: Constants,
    changed: bool,
}

fn fold_plan(plan: LogicalPlan, used: &Used) -> Result<Folded> {
    let wanted = used_of_inputs(&plan, used);
    let mut below: Vec<Constants> = Vec::new();
    let mut changed = false;
    let plan = plan
        .map_children(|input| {
            let used = wanted.get(below.len()).unwrap_or(&Used::All);
            let folded = fold_plan(input, used)?;
            below.push(folded.constants);
            changed |= folded.changed;
            Ok(Transformed::new_transformed(folded.plan, folded.changed))
        })?
        .data;
    let known = match &plan {
        LogicalPlan::Projection(projection) => known_columns(projection.input.schema(), &below),
        LogicalPlan::Filter(filter) => known_columns(filter.input.schema(), &below),
        _ => HashMap::new(),
    };
    let names = NamePreserver::new(&plan);
    let projects = matches!(&plan, LogicalPlan::Projection(_));
    let mut at = 0;
    let made = plan.map_expressions(|expr| {
        let skipped = projects && !used.reads(at);
        at += 1;
        if skipped || matches!(expr, Expr::Column(_)) {
            return Ok(Transformed::no(expr));
        }
        let name = names.save(&expr);
        let made = fold_expr(expr.clone(), &known)?;
        Ok(if made == expr { Transformed::no(expr) } else { Transformed::yes(name.restore(made)) })
    })?;
    changed |= made.transformed;
    let plan = if changed { made.data.recompute_schema()? } else { made.data };
    let constants = constants_of(&plan, below);
    Ok(Folded { plan, constants, changed })
}

fn used_of_inputs(plan: &LogicalPlan, used: &Used) -> Vec<Used> {
    let places = |schema: &DFSchema, exprs: &[&Expr]| -> Vec<usize> {
        let read = exprs.iter().flat_map(|expr| expr.column_refs());
        read.filter_map(|column| schema.maybe_index_of_column(column)).collect()
    };
    match plan {
        LogicalPlan::Projection(projection) => {
            let read: Vec<&Expr> =
                projection.expr.iter().enumerate().filter(|(at, _)| used.reads(*at)).map(|(_, expr)| expr).collect();
            vec![Used::Some(places(projection.input.schema(), &read).into_iter().collect())]
        }
        LogicalPlan::Aggregate(aggregate) => {
            let read: Vec<&Expr> = aggregate.group_expr.iter().chain(&aggregate.aggr_expr).collect();
            vec![Used::Some(places(aggregate.input.schema(), &read).into_iter().collect())]
        }
        LogicalPlan::Filter(filter) => vec![used.and(places(filter.input.schema(), &[&filter.predicate]))],
        LogicalPlan::Sort(sort) => {
            let read: Vec<&Expr> = sort.expr.iter().map(|item| &item.expr).collect();
            vec![used.and(places(sort.input.schema(), &read))]
        }
        LogicalPlan::SubqueryAlias(_) | LogicalPlan::Limit(_) => vec![used.clone()],
        LogicalPlan::Union(union) => union.inputs.iter().map(|_| used.clone()).collect(),
        LogicalPlan::Join(join)
            if matches!(join.join_type, JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full) =>
        {
            let mut read: Vec<&Expr> = join.on.iter().flat_map(|(left, right)| [left, right]).collect();
            read.extend(&join.filter);
            let used = used.and(places(&join.schema, &read));
            let (left, right) = (join.left.schema().fields().len(), join.right.schema().fields().len());
            vec![used.part(0, left), used.part(left, right)]
        }
        _ => Vec::new(),
    }
}

fn known_columns(schema: &DFSchema, below: &[Constants]) -> HashMap<Column, ScalarValue> {
    let Some(constants) = below.first() else { return HashMap::new() };
    let columns = schema.columns();
    columns.into_iter().zip(constants).filter_map(|(column, value)| Some((column, value.clone()?))).collect()
}

fn constants_of(plan: &LogicalPlan, mut below: Vec<Constants>) -> Constants {
    let none = || vec![None; plan.schema().fields().len()];
    match plan {
        LogicalPlan::Projection(projection) => {
            let input = known_columns(projection.input.schema(), &below);
            let value = |expr: &Expr| match expr.clone().unalias() {
                Expr::Literal(value, _) => Some(value),
                Expr::Column(column) => input.get(&column).cloned(),
                _ => None,
            };
            projection.expr.iter().map(value).collect()
        }
        LogicalPlan::SubqueryAlias(_) | LogicalPlan::Filter(_) => below.pop().unwrap_or_else(none),
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => below.into_iter().flatten().collect(),
        LogicalPlan::Values(values) => match values.values.as_slice() {
            [row] => {
                row.iter().map(|cell| if let Expr::Literal(v, _) = cell { Some(v.clone()) } else { None }).collect()
            }
            _ => none(),
        },
        _ => none(),
    }
}

fn fold_expr(expr: Expr, known: &HashMap<Column, ScalarValue>) -> Result<Expr> {
    match expr {
        Expr::Column(column) => Ok(match known.get(&column) {
            Some(value) => Expr::Literal(value.clone(), None),
            None => Expr::Column(column),
        }),
        Expr::BinaryExpr(BinaryExpr { op: Operator::And, .. }) => logic(expr, Operator::And, known),
        Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }) => logic(expr, Operator::Or, known),
        Expr::Case(case) if case.expr.is_none() && case.else_expr.is_some() => chosen(case, known),
        Expr::ScalarSubquery(subquery) => Ok(Expr::ScalarSubquery(fold_subquery(subquery, &Used::All)?)),
        Expr::Exists(mut exists) => {
            exists.subquery = fold_subquery(exists.subquery, &Used::Some(HashSet::new()))?;
            Ok(Expr::Exists(exists))
        }
        Expr::InSubquery(mut inside) => {
            inside.subquery = fold_subquery(inside.subquery, &Used::All)?;
            *inside.expr = fold_expr(*inside.expr, known)?;
            Ok(Expr::InSubquery(inside))
        }
        Expr::SetComparison(mut comparison) => {
            comparison.subquery = fold_subquery(comparison.subquery, &Used::All)?;
            *comparison.expr = fold_expr(*comparison.expr, known)?;
            Ok(Expr::SetComparison(comparison))
        }
        // Their arguments are read by position and name; columns in them stay columns.
        Expr::AggregateFunction(_) | Expr::WindowFunction(_) => children(expr, &HashMap::new()),
        // Named after what stands in them.
        Expr::GroupingSet(_) => Ok(expr),
        other => computed(children(other, known)?),
    }
}

fn children(expr: Expr, known: &HashMap<Column, ScalarValue>) -> Result<Expr> {
    Ok(expr.map_children(|child| fold_expr(child, known).map(Transformed::yes))?.data)
}

fn fold_subquery(subquery: Subquery, used: &Used) -> Result<Subquery> {
    let plan = fold_plan(Arc::unwrap_or_clone(subquery.subquery.clone()), used)?.plan;
    Ok(subquery.with_plan(Arc::new(plan)))
}

fn truth(expr: &Expr) -> Option<Option<bool>> {
    match expr {
        Expr::Literal(ScalarValue::Boolean(value), _) => Some(*value),
        _ => None,
    }
}

/// From left to right, until one decides.
fn logic(expr: Expr, op: Operator, known: &HashMap<Column, ScalarValue>) -> Result<Expr> {
    let decides = op == Operator::Or;
    let mut kept: Option<Expr> = None;
    for operand in super::conditional::operands(expr, op) {
        let operand = fold_expr(operand, known)?;
        match truth(&operand) {
            Some(Some(value)) if value == decides => return Ok(lit(decides)),
            Some(Some(_)) => {}
            _ => {
                kept = Some(match kept {
                    None => operand,
                    Some(before) => Expr::BinaryExpr(BinaryExpr::new(Box::new(before), op, Box::new(operand))),
                });
            }
        }
    }
    Ok(kept.unwrap_or_else(|| lit(!decides)))
}

fn chosen(case: Case, known: &HashMap<Column, ScalarValue>) -> Result<Expr> {
    let Case { when_then_expr: arms, else_expr, .. } = case;
    let mut made = Vec::with_capacity(arms.len());
    let mut other = else_expr;
    for (when, then) in arms {
        let when = fold_expr(*when, known)?;
        match truth(&when) {
            Some(Some(true)) => {
                other = Some(then);
                break;
            }
            Some(_) => {}
            None => made.push((Box::new(when), Box::new(fold_expr(*then, known)?))),
        }
    }
    let other = other.map(|other| fold_expr(*other, known)).transpose()?;
    match other {
        Some(other) if made.is_empty() => Ok(other),
        other => Ok(Expr::Case(Case { expr: None, when_then_expr: made, else_expr: other.map(Box::new) })),
    }
}

/// The constant that an expression over constants is.
fn computed(expr: Expr) -> Result<Expr> {
    let constant = |expr: &Expr| matches!(expr, Expr::Literal(..));
    let ready = match &expr {
        Expr::ScalarFunction(function) => {
            function.func.signature().volatility == Volatility::Immutable && function.args.iter().all(constant)
        }
        Expr::BinaryExpr(binary) => constant(&binary.left) && constant(&binary.right),
        Expr::Not(inner)
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::IsTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsUnknown(inner)
        | Expr::IsNotUnknown(inner)
        | Expr::Negative(inner) => constant(inner),
        Expr::Cast(cast) => constant(&cast.expr),
        Expr::Like(like) => constant(&like.expr) && constant(&like.pattern),
        Expr::InList(list) => constant(&list.expr) && list.list.iter().all(constant),
        _ => false,
    };
    if !ready {
        return Ok(expr);
    }
    match evaluate(&expr) {
        None => Ok(expr),
        Some(Ok((value, planned))) if value.data_type() == planned => Ok(Expr::Literal(value, None)),
        Some(Ok(_)) => Ok(expr),
        Some(Err(error)) => {
            let error = from_datafusion(error);
            // What is no mistake of the client's is left to the execution.
            if error.fault() == Fault::Client { Err(external(error)) } else { Ok(expr) }
        }
    }
}
