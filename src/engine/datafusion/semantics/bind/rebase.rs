//! Lets expressions read the output of a step (aggregation, windows) in place of computing what the step has computed.
//! Must not know: what the step computes.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::Expr;

use super::super::errors::from_datafusion;
use super::scope::Scope;
use crate::error::{Error, Result, SqlState};

/// What to read instead of what.
#[derive(Debug, Clone)]
pub(super) struct Replacement {
    pub(super) from: Expr,
    pub(super) to: Expr,
}

/// The distinct aggregate calls in expressions, in order.
pub(super) fn find_aggregates<'e>(exprs: impl IntoIterator<Item = &'e Expr>) -> Vec<Expr> {
    find(exprs, |expr| matches!(expr, Expr::AggregateFunction(_)))
}

/// The distinct window calls in expressions, in order.
pub(super) fn find_windows<'e>(exprs: impl IntoIterator<Item = &'e Expr>) -> Vec<Expr> {
    find(exprs, |expr| matches!(expr, Expr::WindowFunction(_)))
}

fn find<'e>(exprs: impl IntoIterator<Item = &'e Expr>, wanted: fn(&Expr) -> bool) -> Vec<Expr> {
    let mut found: Vec<Expr> = Vec::new();
    for expr in exprs {
        let _ = expr.apply(|node| {
            if wanted(node) {
                if !found.contains(node) {
                    found.push(node.clone());
                }
                return Ok(TreeNodeRecursion::Jump);
            }
            Ok(TreeNodeRecursion::Continue)
        });
    }
    found
}

/// Replaces what a grouping has computed. Any column left over is one that GROUP BY does not name (`42803`).
pub(super) fn rebase(
    expr: Expr,
    replacements: &[Replacement],
    schema: &DFSchema,
    scope: &Scope,
) -> std::result::Result<Expr, (Option<Column>, Error)> {
    let replaced = replace(expr, replacements).map_err(|error| (None, error))?;
    let mut wrong: Option<Column> = None;
    let mut inside: Option<Column> = None;
    let _ = replaced.apply(|node| {
        match node {
            Expr::Column(column) if !schema.has_column(column) => wrong = Some(column.clone()),
            Expr::ScalarSubquery(subquery) => check_outer(&subquery.outer_ref_columns, schema, &mut inside),
            Expr::Exists(exists) => check_outer(&exists.subquery.outer_ref_columns, schema, &mut inside),
            Expr::InSubquery(query) => check_outer(&query.subquery.outer_ref_columns, schema, &mut inside),
            _ => {}
        }
        Ok(if wrong.is_some() || inside.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    match (wrong, inside) {
        (None, None) => Ok(replaced),
        (Some(column), _) => {
            let name = visible_name(&column, scope);
            let text =
                format!("column \"{name}\" must appear in the GROUP BY clause or be used in an aggregate function");
            Err((Some(column), Error::client(SqlState::GROUPING_ERROR, text)))
        }
        (None, Some(column)) => {
            let name = visible_name(&column, scope);
            let text = format!("subquery uses ungrouped column \"{name}\" from outer query");
            Err((None, Error::client(SqlState::GROUPING_ERROR, text)))
        }
    }
}

fn check_outer(outer: &[Expr], schema: &DFSchema, wrong: &mut Option<Column>) {
    for expr in outer {
        if let Expr::OuterReferenceColumn(_, column) = expr
            && !schema.has_column(column)
        {
            *wrong = Some(column.clone());
        }
    }
}

/// Replaces what a step has computed.
pub(super) fn replace(expr: Expr, replacements: &[Replacement]) -> Result<Expr> {
    let replaced = expr.transform_down(|node| {
        if matches!(node, Expr::Literal(..)) {
            return Ok(Transformed::no(node));
        }
        match replacements.iter().find(|replacement| replacement.from == node) {
            Some(found) => Ok(Transformed::new(found.to.clone(), true, TreeNodeRecursion::Jump)),
            None => Ok(Transformed::no(node)),
        }
    });
    Ok(replaced.map_err(from_datafusion)?.data)
}

fn visible_name(column: &Column, scope: &Scope) -> String {
    let wanted = Expr::Column(column.clone());
    scope
        .tables
        .iter()
        .flat_map(|table| table.columns.iter().map(move |col| (table, col)))
        .find(|(_, col)| col.value.expr == wanted)
        .map_or_else(|| column.flat_name(), |(table, col)| format!("{}.{}", table.name, col.name))
}
