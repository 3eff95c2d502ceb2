//! Conditions that rows are filtered by, after they have found their place: those that cannot fail come first, the others are
//! evaluated on the rows that they let through, from left to right.
//! Must not know: how a condition came to its place.

use std::collections::HashSet;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, TableReference};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Filter, Join, LogicalPlan};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::conditional::{one_after_the_other, where_true};
use super::fallible::{can_fail, relations, stands_alone};
use super::lazy;

/// The rule. It follows the one that pushes conditions down, and comes after it each time.
#[derive(Debug)]
pub(super) struct OrderedConjuncts;

impl OptimizerRule for OrderedConjuncts {
    fn name(&self) -> &str {
        "ordered_conjuncts"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Filter(filter) if can_fail(&filter.predicate) => {
                let made = guarded(split_conjunction_owned(filter.predicate.clone()))?;
                let Some(predicate) = made.and_then(conjunction) else {
                    return Ok(Transformed::no(LogicalPlan::Filter(filter)));
                };
                Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(predicate, filter.input)?)))
            }
            LogicalPlan::Join(join) => joined(join),
            other => Ok(Transformed::no(other)),
        }
    }
}

fn joined(mut join: Join) -> Result<Transformed<LogicalPlan>> {
    let Some(filter) = join.filter.clone() else { return Ok(Transformed::no(LogicalPlan::Join(join))) };
    let conjuncts = split_conjunction_owned(filter);
    let mut changed = false;
    let facts: Vec<Expr> = conjuncts.iter().filter(|conjunct| is_fact(conjunct)).cloned().collect();
    for key in join.on.iter_mut().flat_map(|(left, right)| [left, right]) {
        // A key is computed for all rows of its side; without its conditions a row matches nothing anyway.
        let given = within(&facts, &relations(key));
        if can_fail(key) && given.iter().any(|fact| !lazy::tests(key, fact)) {
            *key = where_true(given, std::mem::take(key))?;
            changed = true;
        }
    }
    if let Some(made) = guarded(conjuncts)? {
        join.filter = conjunction(made);
        changed = true;
    }
    let join = LogicalPlan::Join(join);
    Ok(if changed { Transformed::yes(join) } else { Transformed::no(join) })
}

/// Whether a condition can be tested by others too.
fn is_fact(conjunct: &Expr) -> bool {
    !can_fail(conjunct) && !stands_alone(conjunct) && !matches!(conjunct, Expr::Literal(..))
}

type Relations = HashSet<Option<TableReference>>;

/// The conditions that read no other relations than these.
fn within(conditions: &[Expr], wanted: &Relations) -> Vec<Expr> {
    conditions.iter().filter(|condition| relations(condition).is_subset(wanted)).cloned().collect()
}

/// The conditions, those that can fail behind the others; none if they are so already.
///
/// A condition is put behind those of its own relations only, so that it can go where its relation is.
fn guarded(conjuncts: Vec<Expr>) -> Result<Option<Vec<Expr>>> {
    let (risky, mut made): (Vec<Expr>, Vec<Expr>) =
        conjuncts.into_iter().partition(|conjunct| can_fail(conjunct) && !stands_alone(conjunct));
    let facts: Vec<Expr> = made.iter().filter(|conjunct| is_fact(conjunct)).cloned().collect();
    let mut groups: Vec<(Relations, Vec<Expr>)> = Vec::new();
    for conjunct in risky {
        let read = relations(&conjunct);
        match groups.iter_mut().find(|(known, _)| *known == read) {
            Some((_, group)) => group.push(conjunct),
            None => groups.push((read, vec![conjunct])),
        }
    }
    groups.sort_by_key(|(read, _)| read.len());
    let mut changed = false;
    let mut before: Vec<Expr> = facts;
    for (read, mut group) in groups {
        let given = within(&before, &read);
        let done = match group.as_slice() {
            [only] => given.iter().all(|fact| lazy::tests(only, fact)),
            _ => false,
        };
        let condition = if done {
            group.remove(0)
        } else {
            changed = true;
            one_after_the_other(given, group)?
        };
        before.push(condition.clone());
        made.push(condition);
    }
    Ok(changed.then_some(made))
}
