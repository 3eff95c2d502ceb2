//! A read of one table of a source that takes SQL, as a leaf of a physical plan.
//! Must not know: roles, how the SQL was made (`scan` prints it through `sql/print`).

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, Statistics};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::StreamExt;

use super::StatementContext;
use crate::catalog::Mounted;
use crate::metrics::Counter;
use crate::source::{Access, Connector, RemoteQuery};

/// What a source is asked, fixed when the plan is made.
#[derive(Debug, Clone)]
pub(super) struct RemoteScanSpec {
    /// The source.
    pub(super) source: Arc<str>,
    /// How it is reached.
    pub(super) connector: Arc<dyn Connector>,
    /// The statement as it is sent.
    pub(super) sql: String,
    /// The SELECT in it, whose columns the source describes.
    pub(super) described_by: Option<String>,
    /// What comes back.
    pub(super) schema: SchemaRef,
    /// Columns that come in their text form.
    pub(super) as_text: Vec<bool>,
    /// Counts the rows that are read, for the source.
    pub(super) rows_read: Counter,
    /// Rows that may be expected.
    pub(super) estimated_rows: Option<u64>,
}

impl RemoteScanSpec {
    /// The parts that belong to the source.
    pub(super) fn connector_of(source: &Mounted) -> (Arc<str>, Arc<dyn Connector>) {
        (Arc::clone(&source.name), Arc::clone(&source.connector))
    }
}

/// The leaf.
#[derive(Debug)]
pub(super) struct RemoteScan {
    spec: RemoteScanSpec,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl RemoteScan {
    pub(super) fn new(spec: RemoteScanSpec) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&spec.schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        RemoteScan { spec, properties: Arc::new(properties), metrics: ExecutionPlanMetricsSet::new() }
    }

    /// The source that is asked.
    pub(super) fn source(&self) -> &str {
        &self.spec.source
    }

    /// What it is asked.
    pub(super) fn sql(&self) -> &str {
        &self.spec.sql
    }
}

impl DisplayAs for RemoteScan {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteScan: source={}, sql={}", self.spec.source, self.spec.sql)
    }
}

impl ExecutionPlan for RemoteScan {
    fn name(&self) -> &'static str {
        "RemoteScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() {
            Ok(self)
        } else {
            Err(DataFusionError::Internal("a remote scan has no children".into()))
        }
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let statement = context
            .session_config()
            .get_extension::<StatementContext>()
            .ok_or_else(|| DataFusionError::Internal("a remote scan outside a statement".into()))?;
        let Access::Sql(reader) = self.spec.connector.access() else {
            return Err(DataFusionError::Internal(format!("source {} takes no SQL", self.spec.source)));
        };
        let rows = MetricBuilder::new(&self.metrics).output_rows(partition);
        let query = RemoteQuery {
            sql: self.spec.sql.clone(),
            schema: Arc::clone(&self.spec.schema),
            described_by: self.spec.described_by.clone(),
            as_text: self.spec.as_text.clone(),
            query_id: statement.query_id.clone(),
            meter: Arc::clone(&statement.meter),
        };
        let stream = match &statement.inside {
            Some(inside) if inside.remote.source() == &*self.spec.source => {
                let held = MemoryConsumer::new("fetched rows").register(context.memory_pool());
                inside.remote.read(query, held, Arc::clone(&inside.failed))
            }
            _ => reader.read(query),
        };
        let read = self.spec.rows_read.clone();
        let counted = stream.map(move |batch| match batch {
            Ok(batch) => {
                read.inc_by(batch.num_rows() as u64);
                rows.add(RecordBatch::num_rows(&batch));
                Ok(batch)
            }
            Err(error) => Err(DataFusionError::External(Box::new(error))),
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.spec.schema), counted)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(&self, _inputs: &[Arc<Statistics>], _args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.spec.schema);
        if let Some(rows) = self.spec.estimated_rows {
            statistics.num_rows = Precision::Inexact(usize::try_from(rows).unwrap_or(usize::MAX));
        }
        Ok(Arc::new(statistics))
    }
}
