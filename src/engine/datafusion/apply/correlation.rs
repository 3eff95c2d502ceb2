//! What a subquery's plan takes from outside: finds it, puts placeholders in its place.
//! Must not know: how the subquery runs.

use std::sync::Arc;

use arrow::datatypes::FieldRef;
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::functions_table::generate_series::GenerateSeriesTable;
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery};

use super::super::semantics;
use super::super::tables::downcast;
use super::super::virtual_scan::VirtualProvider;
use super::function::{Names, is_taken, placeholder};
use super::held::HeldTable;

/// The columns of queries around that a plan reads, also deep inside of its own subqueries, each once.
pub(super) fn outer_columns(plan: &LogicalPlan) -> Result<Vec<(FieldRef, Column)>> {
    let mut found: Vec<(FieldRef, Column)> = Vec::new();
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::OuterReferenceColumn(field, column) = expr
                    && !found.iter().any(|(_, known)| known == column)
                {
                    found.push((Arc::clone(field), column.clone()));
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

/// Whether anything in a plan still reads a column of a query around.
pub(super) fn holds_outer_columns(plan: &LogicalPlan) -> bool {
    outer_columns(plan).map_or(true, |columns| !columns.is_empty())
}

/// Whether a plan has what DataFusion takes for no part of a correlated subquery: rows made of lists.
pub(super) fn marker(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= semantics::spreads(node);
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// Whether all that a plan reads is made in memory.
pub(in super::super) fn in_memory(plan: &LogicalPlan) -> Result<bool> {
    let mut memory = true;
    plan.apply_with_subqueries(|node| {
        memory &= match node {
            LogicalPlan::TableScan(scan) => {
                let provider = source_as_provider(&scan.source)?;
                downcast::<VirtualProvider>(&provider).is_some()
                    || downcast::<GenerateSeriesTable>(&provider).is_some()
                    || downcast::<CteWorkTable>(&provider).is_some()
                    || downcast::<HeldTable>(&provider).is_some()
            }
            LogicalPlan::Extension(_) => semantics::spreads(node),
            _ => true,
        };
        Ok(if memory { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(memory)
}

/// The placeholders of values that subqueries around a plan take, each once.
pub(super) fn taken_around(plan: &LogicalPlan, own: &[String]) -> Result<Vec<Placeholder>> {
    let mut found: Vec<Placeholder> = Vec::new();
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::Placeholder(placeholder) = expr
                    && is_taken(&placeholder.id)
                    && !own.contains(&placeholder.id)
                    && !found.iter().any(|known| known.id == placeholder.id)
                {
                    found.push(placeholder.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

/// Whether a subquery within a plan reads a column of a query around the plan itself: DataFusion would look for it one level out.
pub(super) fn reaches_out(plan: &LogicalPlan, outside: &DFSchema) -> Result<bool> {
    let mut found = false;
    let mut look = |subquery: &Subquery| -> Result<()> {
        found |= outer_columns(&subquery.subquery)?.iter().any(|(_, column)| outside.has_column(column));
        Ok(())
    };
    plan.apply(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                match expr {
                    Expr::ScalarSubquery(subquery) => look(subquery)?,
                    Expr::Exists(exists) => look(&exists.subquery)?,
                    Expr::InSubquery(inside) => look(&inside.subquery)?,
                    Expr::SetComparison(comparison) => look(&comparison.subquery)?,
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

/// The plan with a placeholder for each of these outer columns.
pub(super) fn substituted(plan: LogicalPlan, columns: &[Column], names: &Names) -> Result<LogicalPlan> {
    let place = |column: &Column| columns.iter().position(|known| known == column);
    let forget = |mut subquery: Subquery| {
        subquery
            .outer_ref_columns
            .retain(|expr| !matches!(expr, Expr::OuterReferenceColumn(_, column) if place(column).is_some()));
        subquery
    };
    replaced(plan, |expr| {
        Ok(match expr {
            Expr::OuterReferenceColumn(field, column) => match place(&column) {
                Some(at) => Transformed::yes(placeholder(&names.outer(at), field.data_type())),
                None => Transformed::no(Expr::OuterReferenceColumn(field, column)),
            },
            Expr::ScalarSubquery(subquery) => Transformed::yes(Expr::ScalarSubquery(forget(subquery))),
            Expr::Exists(mut exists) => {
                exists.subquery = forget(exists.subquery);
                Transformed::yes(Expr::Exists(exists))
            }
            Expr::InSubquery(mut inside) => {
                inside.subquery = forget(inside.subquery);
                Transformed::yes(Expr::InSubquery(inside))
            }
            Expr::SetComparison(mut comparison) => {
                comparison.subquery = forget(comparison.subquery);
                Transformed::yes(Expr::SetComparison(comparison))
            }
            other => Transformed::no(other),
        })
    })
}

/// The plan, its subqueries included, with its expressions changed and its columns' names kept.
pub(super) fn replaced(
    plan: LogicalPlan,
    mut change: impl FnMut(Expr) -> Result<Transformed<Expr>>,
) -> Result<LogicalPlan> {
    let changed = plan.transform_up_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        let changed = node.map_expressions(|expr| {
            let name = names.save(&expr);
            let changed = expr.transform_up(&mut change)?;
            let restore = changed.transformed;
            Ok(changed.update_data(|expr| if restore { name.restore(expr) } else { expr }))
        })?;
        // Also where only an input changed: its columns' nullability may have.
        changed.map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(changed.data)
}

/// The plan over virtual tables that make their rows once, however often it runs.
pub(super) fn with_held_rows(plan: LogicalPlan) -> Result<LogicalPlan> {
    let changed = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(mut scan) = node else { return Ok(Transformed::no(node)) };
        let provider = source_as_provider(&scan.source)?;
        let Some(virtual_table) = downcast::<VirtualProvider>(&provider) else {
            return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
        };
        scan.source = provider_as_source(Arc::new(virtual_table.held()));
        Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
    })?;
    Ok(changed.data)
}
