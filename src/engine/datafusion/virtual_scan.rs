//! A virtual table as the planner sees it: its rows are made for the viewer when the statement runs.
//! Must not know: what the table shows.

use std::sync::{Arc, LazyLock, OnceLock};

use arrow::array::{ArrayRef, BooleanArray, StringViewArray, UInt32Array};
use arrow::compute::kernels::cmp::eq;
use arrow::compute::{and, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use crate::catalog::{Viewer, VirtualTable};
use crate::names::TableName;
use crate::sql::stands_for_function;
use crate::types::{self, PgType};

/// The system columns that every relation has.
static SYSTEM: LazyLock<Vec<Arc<Field>>> = LazyLock::new(|| {
    let columns = [
        ("tableoid", PgType::OID),
        ("cmax", PgType::CID),
        ("xmax", PgType::XID),
        ("cmin", PgType::CID),
        ("xmin", PgType::XID),
        ("ctid", PgType::TID),
    ];
    columns.into_iter().map(|(name, ty)| Arc::new(types::system_column(types::field(name, ty, true)))).collect()
});

/// One virtual table, for one viewer.
#[derive(Debug)]
pub(super) struct VirtualProvider {
    table: Arc<dyn VirtualTable>,
    viewer: Arc<Viewer>,
    /// The table's columns, then the system columns that it has no column of the same name for.
    schema: SchemaRef,
    /// The rows once they were made, where they are made only once.
    held: Option<Arc<OnceLock<RecordBatch>>>,
}

impl VirtualProvider {
    pub(super) fn new(table: Arc<dyn VirtualTable>, viewer: Arc<Viewer>) -> Self {
        let own = table.schema();
        let mut fields: Vec<Arc<Field>> = own.fields().iter().cloned().collect();
        fields.extend(SYSTEM.iter().filter(|field| own.field_with_name(field.name()).is_err()).cloned());
        VirtualProvider { table, viewer, schema: Arc::new(Schema::new(fields)), held: None }
    }

    /// The same table, whose rows are made once and kept.
    pub(super) fn held(&self) -> Self {
        let held = self.held.clone().unwrap_or_default();
        VirtualProvider {
            table: Arc::clone(&self.table),
            viewer: Arc::clone(&self.viewer),
            schema: Arc::clone(&self.schema),
            held: Some(held),
        }
    }

    /// The relation, if it is one of Tusk's own: the types of rows of PostgreSQL's catalogs are not told.
    pub(super) fn relation(&self) -> Option<TableName> {
        let (schema, name) = (self.table.schema_name(), self.table.name());
        let theirs = matches!(schema, "pg_catalog" | "information_schema") || stands_for_function(name);
        (!theirs).then(|| TableName::new(schema, name))
    }

    /// The relation and the number in it of the column at a place; system columns have PostgreSQL's numbers.
    pub(super) fn origin(&self, place: usize) -> Option<(u32, i16)> {
        if stands_for_function(self.table.name()) {
            return None;
        }
        let field = self.schema.fields().get(place)?;
        let number = if types::is_system_column(field) {
            system_number(field.name())?
        } else {
            i16::try_from(place + 1).ok()?
        };
        Some((self.table.oid(), number))
    }

    fn rows(&self) -> Result<RecordBatch> {
        if let Some(batch) = self.held.as_ref().and_then(|held| held.get()) {
            return Ok(batch.clone());
        }
        let batch = self.table.rows(&self.viewer).map_err(|error| DataFusionError::External(Box::new(error)))?;
        if let Some(held) = &self.held {
            return Ok(held.get_or_init(|| batch).clone());
        }
        Ok(batch)
    }

    /// Which rows the conditions leave that [`picks`]; `None`: all.
    fn picked(&self, batch: &RecordBatch, filters: &[Expr]) -> Result<Option<BooleanArray>> {
        let mut picked: Option<BooleanArray> = None;
        for (name, value) in filters.iter().filter_map(picks) {
            let column = self.schema.index_of(name).ok().and_then(|at| batch.columns().get(at));
            let Some(column) = column.filter(|column| *column.data_type() == value.data_type()) else { continue };
            let equal = eq(column, &value.to_scalar()?)?;
            picked = Some(match picked {
                Some(before) => and(&before, &equal)?,
                None => equal,
            });
        }
        Ok(picked)
    }

    /// A system column. What a row was made by is the catalog's generation: it is another one when anything has changed.
    fn system(&self, name: &str, rows: usize) -> ArrayRef {
        let texts = |text: String| Arc::new(StringViewArray::from(vec![text.as_str(); rows])) as ArrayRef;
        match name {
            "tableoid" => Arc::new(UInt32Array::from(vec![self.table.oid(); rows])),
            "xmin" => texts(self.viewer.world.transaction().to_string()),
            "ctid" => Arc::new((1..=rows).map(|row| Some(format!("(0,{row})"))).collect::<StringViewArray>()),
            _ => texts("0".to_owned()),
        }
    }

    /// The columns at these places.
    fn projected(&self, batch: &RecordBatch, places: &[usize]) -> Result<RecordBatch> {
        let column = |at: &usize| match batch.columns().get(*at) {
            Some(column) => Arc::clone(column),
            None => self.system(self.schema.field(*at).name(), batch.num_rows()),
        };
        let schema = Arc::new(self.schema.project(places)?);
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(schema, places.iter().map(column).collect(), &options)?)
    }
}

/// `pg_attribute.attnum` of a system column.
fn system_number(name: &str) -> Option<i16> {
    Some(match name {
        "ctid" => -1,
        "xmin" => -2,
        "cmin" => -3,
        "xmax" => -4,
        "cmax" => -5,
        "tableoid" => -6,
        _ => return None,
    })
}

/// A condition that rows are picked by before they are read: a column is equal to a value.
fn picks(filter: &Expr) -> Option<(&str, &ScalarValue)> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = filter else { return None };
    let (column, value) = match (left.as_ref(), right.as_ref()) {
        (Expr::Column(column), Expr::Literal(value, _)) | (Expr::Literal(value, _), Expr::Column(column)) => {
            (column, value)
        }
        _ => return None,
    };
    let plain = matches!(
        value.data_type(),
        DataType::UInt32 | DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Utf8View
    );
    (plain && !value.is_null()).then_some((column.name(), value))
}

#[async_trait]
impl TableProvider for VirtualProvider {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    /// What looks for one object reads the rows of that object: a catalog has tens of thousands of others. The conditions stay where they
    /// are as well.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let picked = |filter: &&Expr| match picks(filter) {
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(picked).collect())
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let rows = self.rows()?;
        // A row's system columns tell of its place among all of them.
        let mut batch = self.projected(&rows, projection.unwrap_or(&all))?;
        if let Some(picked) = self.picked(&rows, filters)? {
            batch = filter_record_batch(&batch, &picked)?;
        }
        let schema = batch.schema();
        let plan = MemorySourceConfig::try_new_exec(&[vec![batch]], schema, None)?;
        Ok(plan)
    }
}
