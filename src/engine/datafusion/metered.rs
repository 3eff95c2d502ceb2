//! Counts what a statement reads of files, as other sources count what they are asked for: a counter on each scan of them.
//! Must not know: which files, whose statement.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, Statistics};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildStats, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, StatisticsArgs,
};
use futures::StreamExt;

use super::StatementContext;

/// The rule that puts the counters on. It comes last: no other rule has to know of them.
#[derive(Debug)]
pub(super) struct Metering;

impl PhysicalOptimizerRule for Metering {
    fn name(&self) -> &'static str {
        "metered_files"
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let metered = plan.transform_up(|plan| {
            if reads_files(plan.as_ref()) {
                return Ok(Transformed::yes(Arc::new(MeteredExec(plan)) as Arc<dyn ExecutionPlan>));
            }
            Ok(Transformed::no(plan))
        })?;
        Ok(metered.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn reads_files(plan: &(dyn ExecutionPlan + 'static)) -> bool {
    if plan.name() == "FilesExec" {
        return true;
    }
    let any: &dyn Any = plan;
    any.downcast_ref::<DataSourceExec>().is_some_and(|scan| {
        let source: &dyn Any = scan.data_source().as_ref();
        source.is::<FileScanConfig>()
    })
}

/// A scan whose rows are counted. EXPLAIN does not show it.
#[derive(Debug)]
pub(super) struct MeteredExec(Arc<dyn ExecutionPlan>);

impl MeteredExec {
    /// What a node stands for where plans are shown.
    pub(super) fn shown<'a>(plan: &'a (dyn ExecutionPlan + 'static)) -> &'a (dyn ExecutionPlan + 'static) {
        let any: &dyn Any = plan;
        any.downcast_ref::<MeteredExec>().map_or(plan, |metered| metered.0.as_ref())
    }
}

impl DisplayAs for MeteredExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MeteredExec")
    }
}

impl ExecutionPlan for MeteredExec {
    fn name(&self) -> &'static str {
        "MeteredExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.0.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.0]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let scan = children.into_iter().next();
        let scan = scan.ok_or_else(|| DataFusionError::Internal("a counter without a scan".into()))?;
        Ok(Arc::new(MeteredExec(scan)))
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let statement = context.session_config().get_extension::<StatementContext>();
        let stream = self.0.execute(partition, context)?;
        let Some(statement) = statement else { return Ok(stream) };
        let metered = stream.map(move |batch| {
            let batch = batch?;
            let read = statement.meter.add(batch.num_rows() as u64, batch.get_array_memory_size() as u64);
            read.map_err(|error| DataFusionError::External(Box::new(error)))?;
            Ok(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), metered)))
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], _args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let scanned = inputs.first().map(Arc::clone);
        scanned.ok_or_else(|| DataFusionError::Internal("a counter without a scan".into()))
    }
}
