//! What a plan's rows look like to a client: names, types, and the table columns they come from.
//! Must not know: how the plan runs.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::Column;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan};

use super::secured::SecuredTable;
use super::semantics::{NAMED_OID, RECORD};
use super::tables::downcast;
use super::virtual_scan::VirtualProvider;
use crate::catalog::TableSchema;
use crate::rows::{ColumnShape, RowShape};
use crate::types;

/// The shape of a plan's rows. `names` overrides the plan's names where the planner had to make them unique.
pub(super) fn shape_of(plan: &LogicalPlan, names: Option<&[Option<String>]>) -> RowShape {
    let schema = plan.schema();
    let columns = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(i, field)| {
            let name = names.and_then(|names| names.get(i).cloned().flatten()).unwrap_or_else(|| field.name().clone());
            let ty = types::pg_type_of(field);
            let found = if ty.is_row() { row_origin(plan, i).map(|table| (table, 0)) } else { origin(plan, i) };
            let (table_oid, attnum) = found.unwrap_or((0, 0));
            ColumnShape { name, ty, table_oid, attnum, field: Arc::clone(field) }
        })
        .collect();
    RowShape { columns }
}

/// The shape with the Arrow types that the batches really have (the physical plan may pick another text or dictionary layout).
pub(super) fn with_layout(shape: &RowShape, layout: &[DataType]) -> RowShape {
    let columns = shape
        .columns
        .iter()
        .zip(layout)
        .map(|(column, data_type)| {
            let field =
                Field::new(column.field.name(), data_type.clone(), true).with_metadata(column.field.metadata().clone());
            ColumnShape { field: Arc::new(field), ..column.clone() }
        })
        .collect();
    RowShape { columns }
}

/// The table column that an output column is, if it is one unchanged, as PostgreSQL tracks it.
fn origin(plan: &LogicalPlan, index: usize) -> Option<(u32, i16)> {
    match plan {
        // What a table's columns are made of for plans stands column by column over its scan.
        LogicalPlan::Projection(projection) if matches!(&*projection.input, LogicalPlan::TableScan(_)) => {
            origin(&projection.input, index)
        }
        LogicalPlan::Projection(projection) => {
            let column = column_of(projection.expr.get(index)?)?;
            origin(&projection.input, projection.input.schema().maybe_index_of_column(column)?)
        }
        LogicalPlan::TableScan(scan) => scan_origin(scan, index),
        LogicalPlan::SubqueryAlias(alias) => origin(&alias.input, index),
        LogicalPlan::Filter(filter) => origin(&filter.input, index),
        LogicalPlan::Sort(sort) => origin(&sort.input, index),
        LogicalPlan::Limit(limit) => origin(&limit.input, index),
        LogicalPlan::Join(join) => {
            let left = join.left.schema().fields().len();
            if index < left { origin(&join.left, index) } else { origin(&join.right, index - left) }
        }
        _ => None,
    }
}

/// The table whose whole row an output column is.
fn row_origin(plan: &LogicalPlan, index: usize) -> Option<u32> {
    match plan {
        LogicalPlan::Projection(projection) => {
            let mut expr = projection.expr.get(index)?;
            while let Expr::Alias(alias) = expr {
                expr = &alias.expr;
            }
            let at = |column: &Column| projection.input.schema().maybe_index_of_column(column);
            match expr {
                Expr::Column(column) => row_origin(&projection.input, at(column)?),
                Expr::ScalarFunction(made) if made.name().starts_with(RECORD) => {
                    origin(&projection.input, at(column_of(made.args.first()?)?)?).map(|(table, _)| table)
                }
                _ => None,
            }
        }
        LogicalPlan::SubqueryAlias(alias) => row_origin(&alias.input, index),
        LogicalPlan::Filter(filter) => row_origin(&filter.input, index),
        LogicalPlan::Sort(sort) => row_origin(&sort.input, index),
        LogicalPlan::Limit(limit) => row_origin(&limit.input, index),
        _ => None,
    }
}

/// The column that an expression passes on: an oid with its name is still the oid.
fn column_of(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Alias(alias) => column_of(&alias.expr),
        Expr::Column(column) => Some(column),
        Expr::ScalarFunction(call) if call.name() == NAMED_OID => column_of(call.args.first()?),
        _ => None,
    }
}

fn scan_origin(scan: &TableScan, index: usize) -> Option<(u32, i16)> {
    let position = match &scan.projection {
        Some(projection) => *projection.get(index)?,
        None => index,
    };
    let provider = source_as_provider(&scan.source).ok()?;
    if let Some(seen) = downcast::<VirtualProvider>(&provider) {
        return seen.origin(position);
    }
    let table = table_of(scan)?;
    // Columns are numbered as this role sees them: a gap would tell of a hidden one.
    Some((table.oid, i16::try_from(position + 1).ok()?))
}

/// The table that a scan reads, where it is a source's.
pub(super) fn table_of(scan: &TableScan) -> Option<Arc<TableSchema>> {
    let provider = source_as_provider(&scan.source).ok()?;
    downcast::<SecuredTable>(&provider).map(|secured| Arc::clone(secured.table()))
}
