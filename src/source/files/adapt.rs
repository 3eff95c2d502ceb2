//! Columns of a Parquet file as columns of its table: DataFusion asks for this once per file and filter.
//! Must not know: files, statistics.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::expressions::{CastExpr, Column, Literal};
use datafusion::physical_expr_adapter::{PhysicalExprAdapter, PhysicalExprAdapterFactory};
use datafusion::physical_expr_common::physical_expr::PhysicalExpr;

use super::convert::{self, Conversion};
use super::plan_error;
use crate::error::{Error, SqlState};
use crate::types;

/// Makes adapters that change no value.
#[derive(Debug)]
pub(super) struct Faithful;

impl PhysicalExprAdapterFactory for Faithful {
    fn create(&self, logical: SchemaRef, physical: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        Ok(Arc::new(Adapter { logical, physical }))
    }
}

#[derive(Debug)]
struct Adapter {
    logical: SchemaRef,
    physical: SchemaRef,
}

impl PhysicalExprAdapter for Adapter {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        expr.transform_down(|expr| match expr.downcast_ref::<Column>() {
            // What stands for a column must not be looked into again: it holds the file's column of the same name.
            Some(column) => {
                Ok(Transformed::new(self.column(column)?, true, datafusion::common::tree_node::TreeNodeRecursion::Jump))
            }
            None => Ok(Transformed::no(expr)),
        })
        .data()
    }
}

impl Adapter {
    fn column(&self, column: &Column) -> Result<Arc<dyn PhysicalExpr>> {
        let wanted = self.logical.field_with_name(column.name())?;
        let Ok(at) = self.physical.index_of(column.name()) else {
            if !wanted.is_nullable() {
                let message = format!("column \"{}\" is missing from a file", column.name());
                return Err(plan_error(Error::source_fault(SqlState::DATATYPE_MISMATCH, message)));
            }
            return Ok(Arc::new(Literal::new(ScalarValue::try_from(wanted.data_type())?)));
        };
        let from = self.physical.field(at);
        let inner: Arc<dyn PhysicalExpr> = Arc::new(Column::new(column.name(), at));
        let to = types::pg_type_of(wanted);
        Ok(match convert::plan(from, to) {
            // Metadata alone is no reason to compute anything: a bare column can be pruned by statistics and bloom filters.
            Some(Conversion::Same) => inner,
            Some(Conversion::Cast) => Arc::new(CastExpr::new_with_target_field(inner, Arc::new(wanted.clone()), None)),
            Some(conversion) => {
                Arc::new(Convert { inner, from: Arc::new(from.clone()), to: Arc::new(wanted.clone()), conversion })
            }
            None => {
                let message = format!(
                    "column \"{}\" of a file cannot be read as {} without changing values",
                    column.name(),
                    to.display_name()
                );
                return Err(plan_error(Error::source_fault(SqlState::DATATYPE_MISMATCH, message)));
            }
        })
    }
}

/// A conversion that Arrow's cast would do with loss, or not at all.
#[derive(Debug, Clone, Eq)]
struct Convert {
    inner: Arc<dyn PhysicalExpr>,
    from: FieldRef,
    to: FieldRef,
    conversion: Conversion,
}

impl PartialEq for Convert {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
            && self.from == other.from
            && self.to == other.to
            && self.conversion == other.conversion
    }
}

impl Hash for Convert {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
        self.to.hash(state);
        self.conversion.hash(state);
    }
}

impl fmt::Display for Convert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "convert({}, {})", self.inner, self.to.data_type())
    }
}

impl PhysicalExpr for Convert {
    fn data_type(&self, _schema: &Schema) -> Result<DataType> {
        Ok(self.to.data_type().clone())
    }

    fn nullable(&self, _schema: &Schema) -> Result<bool> {
        Ok(self.to.is_nullable())
    }

    fn return_field(&self, _schema: &Schema) -> Result<FieldRef> {
        Ok(Arc::clone(&self.to))
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let array = self.inner.evaluate(batch)?.into_array(batch.num_rows())?;
        let converted = convert::convert(&array, &self.from, types::pg_type_of(&self.to), &self.conversion)
            .map_err(|e| plan_error(e.with_context(format!("column \"{}\"", self.to.name()))))?;
        Ok(ColumnarValue::Array(converted))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        match <[Arc<dyn PhysicalExpr>; 1]>::try_from(children) {
            Ok([inner]) => Ok(Arc::new(Convert { inner, ..(*self).clone() })),
            Err(_) => Err(plan_error(Error::internal("a conversion has one input"))),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The columns of a whole batch as a table wants them, by name; for formats that DataFusion does not scan for us.
pub(super) fn adapt_batch(batch: &RecordBatch, wanted: &SchemaRef) -> crate::error::Result<RecordBatch> {
    let schema = batch.schema();
    let mut arrays = Vec::with_capacity(wanted.fields().len());
    for field in wanted.fields() {
        let to = types::pg_type_of(field);
        let array = match schema.index_of(field.name()) {
            Err(_) => arrow::array::new_null_array(field.data_type(), batch.num_rows()),
            Ok(at) => {
                let from: &Field = schema.field(at);
                let conversion = convert::plan(from, to).ok_or_else(|| {
                    Error::source_fault(
                        SqlState::DATATYPE_MISMATCH,
                        format!("column \"{}\" of a file cannot be read as {}", field.name(), to.display_name()),
                    )
                })?;
                convert::convert(batch.column(at), from, to, &conversion)
                    .map_err(|e| e.with_context(format!("column \"{}\"", field.name())))?
            }
        };
        arrays.push(array);
    }
    let options = arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(wanted), arrays, &options).map_err(|e| {
        Error::source_fault(SqlState::DATA_CORRUPTED, "a file has NULL in a column that its schema says has none")
            .with_cause(e)
    })
}
