//! Rows that are held: what makes them before a plan runs, and what reads them in it.
//! Must not know: logical plans.

use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, execute_stream,
};
use futures::{StreamExt, TryStreamExt};
use tokio::sync::OnceCell;

use super::super::stop;

/// Rows, and the memory that they take of the statement's.
#[derive(Debug)]
pub(super) struct Rows {
    batches: Vec<RecordBatch>,
    _memory: MemoryReservation,
}

/// Reads held rows.
#[derive(Debug)]
pub(super) struct HeldExec {
    name: String,
    columns: Vec<usize>,
    rows: Arc<OnceLock<Rows>>,
    properties: Arc<PlanProperties>,
}

impl HeldExec {
    /// These columns of rows of a schema.
    pub(super) fn try_new(
        name: String,
        schema: &SchemaRef,
        columns: Vec<usize>,
        rows: Arc<OnceLock<Rows>>,
    ) -> Result<HeldExec> {
        let schema = Arc::new(schema.project(&columns)?);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(HeldExec { name, columns, rows, properties: Arc::new(properties) })
    }
}

impl DisplayAs for HeldExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeldExec")
    }
}

impl ExecutionPlan for HeldExec {
    fn name(&self) -> &'static str {
        "HeldExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { Err(DataFusionError::Internal("held rows have no children".into())) }
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, _partition: usize, _context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let missing = || DataFusionError::Internal(format!("{} is read before it is there", self.name));
        let batches = &self.rows.get().ok_or_else(missing)?.batches;
        let projected = batches.iter().map(|batch| batch.project(&self.columns)).collect::<Result<Vec<_>, _>>()?;
        // As long as they are read, they count as held.
        let rows = Arc::clone(&self.rows);
        let stream = futures::stream::iter(projected).map(move |batch| {
            let _held = &rows;
            Ok(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream)))
    }
}

/// What makes the rows of one relation.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// The relation.
    pub(super) name: String,
    /// The plan.
    pub(super) plan: Arc<dyn ExecutionPlan>,
    /// The columns of the rows.
    pub(super) schema: SchemaRef,
    /// Where they go.
    pub(super) rows: Arc<OnceLock<Rows>>,
}

impl Part {
    async fn make(&self, context: &Arc<TaskContext>) -> Result<()> {
        let memory = MemoryConsumer::new("held rows").register(context.memory_pool());
        let mut stream = execute_stream(Arc::clone(&self.plan), Arc::clone(context))?;
        let mut batches = Vec::new();
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            stop::check(batch.num_rows() as u64).map_err(|error| DataFusionError::External(Box::new(error)))?;
            memory.try_grow(batch.get_array_memory_size())?;
            batches.push(self.renamed(&batch)?);
        }
        let _ = self.rows.set(Rows { batches, _memory: memory });
        Ok(())
    }

    fn renamed(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns = columns.map(|(column, field)| {
            if column.data_type() == field.data_type() {
                Ok(Arc::clone(column))
            } else {
                cast(column, field.data_type())
            }
        });
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

/// A plan, and what has to be held before it runs; what a part reads stands before it.
#[derive(Debug)]
pub(super) struct HoldExec {
    plan: Arc<dyn ExecutionPlan>,
    parts: Arc<Vec<Part>>,
    made: Arc<OnceCell<()>>,
    children: Vec<Arc<dyn ExecutionPlan>>,
}

impl HoldExec {
    /// The plan after its parts.
    pub(super) fn new(plan: Arc<dyn ExecutionPlan>, parts: Vec<Part>) -> HoldExec {
        let children = std::iter::once(&plan).chain(parts.iter().map(|part| &part.plan)).map(Arc::clone).collect();
        HoldExec { plan, parts: Arc::new(parts), made: Arc::default(), children }
    }
}

impl DisplayAs for HoldExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HoldExec: held={}", self.parts.len())
    }
}

impl ExecutionPlan for HoldExec {
    fn name(&self) -> &'static str {
        "HoldExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.plan.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.children.iter().collect()
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let mut children = children.into_iter();
        let wrong = || DataFusionError::Internal("held rows of another plan".into());
        let plan = children.next().ok_or_else(wrong)?;
        let parts: Vec<Part> =
            self.parts.iter().zip(children).map(|(part, plan)| Part { plan, ..part.clone() }).collect();
        if parts.len() != self.parts.len() {
            return Err(wrong());
        }
        Ok(Arc::new(HoldExec::new(plan, parts)))
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (plan, parts, made) = (Arc::clone(&self.plan), Arc::clone(&self.parts), Arc::clone(&self.made));
        let stream = futures::stream::once(async move {
            let make = || async {
                for part in parts.iter() {
                    part.make(&context).await?;
                }
                Ok::<(), DataFusionError>(())
            };
            made.get_or_try_init(make).await?;
            plan.execute(partition, Arc::clone(&context))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream.try_flatten())))
    }
}
