//! The scan of text and Arrow files: partitions take blocks of records from one queue, so that one large file keeps all of them busy.
//! Must not know: how records are written.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result as PlanResult, Statistics};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_expr_common::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::{BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, StatisticsArgs,
};
use parking_lot::Mutex;

use super::rows::{self, Failure, FilePlan, Kind, Plan, Source};
use super::table::{FileTable, LiveFile};
use super::text::{Block, BlockReader};
use super::{adapt, ipc, plan_error};
use crate::config::FileFormat;
use crate::error::{Error, Result};

/// Reads files of one table. Rows come in no particular order.
#[derive(Debug, Clone)]
pub(super) struct FilesExec {
    work: Arc<Work>,
    limit: Option<usize>,
    rows: Option<u64>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
    runs: Arc<Mutex<Runs>>,
}

/// What is read, whoever runs it and how often.
#[derive(Debug)]
struct Work {
    table: Arc<FileTable>,
    plan: Plan,
    files: Vec<(LiveFile, FilePlan)>,
}

/// Executions of the plan. Each partition's n-th call belongs to the n-th run; the runs do not share their rows.
#[derive(Debug, Default)]
struct Runs {
    calls: Vec<usize>,
    queues: Vec<Arc<Queue>>,
}

impl FilesExec {
    /// A scan of these files; `projection` has positions in the table's columns.
    pub(super) fn new(
        table: &Arc<FileTable>,
        files: Vec<LiveFile>,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
        partitions: usize,
    ) -> Result<FilesExec> {
        let all: Vec<usize> = (0..table.columns.len()).collect();
        let wanted = projection.unwrap_or(&all);
        let schema: SchemaRef = Arc::new(
            table
                .schema
                .project(wanted)
                .map_err(|e| Error::internal("a projection is not of its table").with_cause(e))?,
        );
        let rows = (table.reading.format != FileFormat::Arrow).then(|| files.iter().map(|file| file.shape.rows).sum());
        let files: Vec<(LiveFile, FilePlan)> = files
            .into_iter()
            .map(|file| (file_plan(table, &file, wanted), file))
            .map(|(plan, file)| (file, plan))
            .collect();
        let bytes: u64 = files.iter().map(|(file, _)| file.identity.size).sum();
        // Small files are not worth a thread each; Arrow files are read whole by one.
        let useful = match table.reading.format {
            FileFormat::Arrow => files.len(),
            _ => usize::try_from(bytes / (512 * 1024)).unwrap_or(usize::MAX).max(1),
        };
        let partitions = if limit.is_some() { 1 } else { partitions.min(useful).max(1) };
        let kind = match table.reading.format {
            FileFormat::Json | FileFormat::Ndjson => Kind::Json,
            _ => Kind::Csv(table.reading.layout.clone()),
        };
        let plan = Plan { schema: Arc::clone(&schema), options: crate::types::FormatOptions::default(), kind };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(FilesExec {
            work: Arc::new(Work { table: Arc::clone(table), plan, files }),
            limit,
            rows,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
            runs: Arc::default(),
        })
    }

    fn queue(&self, partition: usize) -> Arc<Queue> {
        let mut runs = self.runs.lock();
        let partitions = self.properties.partitioning.partition_count();
        runs.calls.resize(partitions, 0);
        let run = runs.calls.get(partition).copied().unwrap_or(0);
        if let Some(calls) = runs.calls.get_mut(partition) {
            *calls += 1;
        }
        while runs.queues.len() <= run {
            runs.queues.push(Arc::new(Queue::new(self.work.files.len())));
        }
        Arc::clone(&runs.queues[run])
    }

    fn statistics(&self) -> Statistics {
        let mut statistics = Statistics::new_unknown(&self.work.plan.schema);
        if let Some(rows) = self.rows.and_then(|rows| usize::try_from(rows).ok()) {
            let rows = self.limit.map_or(rows, |limit| rows.min(limit));
            statistics.num_rows = Precision::Inexact(rows);
        }
        statistics
    }
}

fn file_plan(table: &FileTable, file: &LiveFile, wanted: &[usize]) -> FilePlan {
    let json = matches!(table.reading.format, FileFormat::Json | FileFormat::Ndjson);
    let names: Vec<String> = file.shape.columns.iter().map(|column| column.name.clone()).collect();
    let columns = wanted
        .iter()
        .map(|at| match at.checked_sub(table.file_columns()) {
            Some(partition) => Source::Constant(file.found.partition_values.get(partition).cloned().flatten()),
            None if json => Source::Member,
            None => match names.iter().position(|name| *name == table.columns[*at].name) {
                Some(position) => Source::Field(position),
                None => Source::Constant(None),
            },
        })
        .collect();
    FilePlan { names, columns }
}

impl DisplayAs for FilesExec {
    fn fmt_as(&self, _t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = &self.work.table;
        write!(
            f,
            "FilesExec: format={}, table={}, files={}",
            format!("{:?}", table.reading.format).to_lowercase(),
            table.candidate.name,
            self.work.files.len()
        )?;
        match self.limit {
            Some(limit) => write!(f, ", limit={limit}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for FilesExec {
    fn name(&self) -> &str {
        "FilesExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> PlanResult<TreeNodeRecursion>,
    ) -> PlanResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn reset_state(self: Arc<Self>) -> PlanResult<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(FilesExec { runs: Arc::default(), metrics: ExecutionPlanMetricsSet::new(), ..(*self).clone() }))
    }

    fn execute(&self, partition: usize, _context: Arc<TaskContext>) -> PlanResult<SendableRecordBatchStream> {
        let queue = self.queue(partition);
        let work = Arc::clone(&self.work);
        let limit = self.limit;
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let scanned = MetricBuilder::new(&self.metrics).counter("bytes_scanned", partition);
        let skipped = MetricBuilder::new(&self.metrics).counter("bad_rows_skipped", partition);
        let mut builder = RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.work.plan.schema), 1);
        let sender = builder.tx();
        let asked = builder.tx();
        builder.spawn_blocking(move || {
            let timer = metrics.elapsed_compute().timer();
            let mut left = limit.unwrap_or(usize::MAX);
            let mut sink = |batch: RecordBatch| {
                let batch = if batch.num_rows() > left { batch.slice(0, left) } else { batch };
                left -= batch.num_rows();
                metrics.record_output(batch.num_rows());
                sender.blocking_send(Ok(batch)).is_ok() && left > 0
            };
            // What a hostile file can do at most is to end its own scan.
            let done =
                catch_unwind(AssertUnwindSafe(|| run(&work, &queue, &scanned, &|| !asked.is_closed(), &mut sink)));
            timer.done();
            match done {
                Ok(Ok(count)) => {
                    skipped.add(usize::try_from(count).unwrap_or(usize::MAX));
                    Ok(())
                }
                Ok(Err(error)) => Err(plan_error(error)),
                Err(_) => Err(plan_error(Error::internal("the scan of a file panicked"))),
            }
        });
        Ok(builder.build())
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(
        &self,
        _inputs: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> PlanResult<Arc<Statistics>> {
        Ok(Arc::new(match args.partition() {
            None => self.statistics(),
            Some(_) => Statistics::new_unknown(&self.work.plan.schema),
        }))
    }
}

/// Files that are still to be read and the one that is being read.
struct Queue {
    state: Mutex<Reading>,
    skipped: AtomicU64,
}

struct Reading {
    waiting: VecDeque<usize>,
    current: Option<(usize, BlockReader)>,
    /// Another partition met an error: nobody needs more.
    failed: bool,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("waiting", &self.state.lock().waiting).finish_non_exhaustive()
    }
}

impl Queue {
    fn new(files: usize) -> Self {
        let state = Reading { waiting: (0..files).collect(), current: None, failed: false };
        Queue { state: Mutex::new(state), skipped: AtomicU64::new(0) }
    }

    /// The next block and the file it is of.
    fn next_block(&self, work: &Work) -> Result<Option<(usize, Block)>> {
        let mut state = self.state.lock();
        while !state.failed {
            if let Some((at, reader)) = &mut state.current {
                let at = *at;
                match reader.next_block() {
                    Ok(Some(block)) => return Ok(Some((at, block))),
                    Ok(None) => state.current = None,
                    Err(error) => {
                        state.failed = true;
                        return Err(error);
                    }
                }
                continue;
            }
            let Some(at) = state.waiting.pop_front() else { break };
            let file = &work.files[at].0;
            let open = file.found.located.open(file.identity)?;
            let reader = BlockReader::new(open, file.found.compression, work.table.reading.splitter())?;
            state.current = Some((at, reader));
        }
        Ok(None)
    }

    fn next_file(&self) -> Option<usize> {
        let mut state = self.state.lock();
        if state.failed { None } else { state.waiting.pop_front() }
    }

    fn fail(&self) {
        self.state.lock().failed = true;
    }
}

/// Whether somebody still waits for rows: blocks without any are no other way to notice.
type Wanted<'a> = dyn Fn() -> bool + 'a;

/// Reads until nothing is left or nobody wants more; returns how many bad records were passed over.
fn run(work: &Work, queue: &Queue, scanned: &Count, wanted: &Wanted<'_>, sink: &mut rows::Sink<'_>) -> Result<u64> {
    if work.table.reading.format == FileFormat::Arrow {
        return run_arrow(work, queue, scanned, sink).inspect_err(|_| queue.fail()).map(|()| 0);
    }
    let mut skipped = 0;
    while wanted()
        && let Some((at, block)) = queue.next_block(work)?
    {
        scanned.add(block.text.len());
        let (file, plan) = &work.files[at];
        let outcome = rows::parse(&work.plan, plan, &block, sink).map_err(|failure| {
            queue.fail();
            let located = &file.found.located;
            match failure {
                Failure::Record(bad) => bad.into_error(&located.source, &located.shown),
                Failure::Other(error) => error,
            }
        })?;
        skipped += outcome.skipped;
        if outcome.skipped > 0 {
            let before = queue.skipped.fetch_add(outcome.skipped, Ordering::Relaxed);
            warn_of_skipped(work, at, before, outcome.skipped);
        }
        if outcome.enough {
            break;
        }
    }
    Ok(skipped)
}

/// Bad rows that the config lets pass are told of when the first is met, and then each time their number has doubled.
fn warn_of_skipped(work: &Work, at: usize, before: u64, now: u64) {
    let total = before + now;
    if before == 0 || before.ilog2() != total.ilog2() {
        let located = &work.files[at].0.found.located;
        tracing::warn!(
            source = &*located.source,
            table = work.table.candidate.name,
            file = located.shown,
            skipped = total,
            "bad rows were skipped, as bad_rows = \"skip\" says"
        );
    }
}

fn run_arrow(work: &Work, queue: &Queue, scanned: &Count, sink: &mut rows::Sink<'_>) -> Result<()> {
    while let Some(at) = queue.next_file() {
        let (file, plan) = &work.files[at];
        let open = file.found.located.open(file.identity)?;
        let mut batches = ipc::Batches::open(&open)?;
        while let Some(batch) = batches.next_batch()? {
            scanned.add(batch.get_array_memory_size());
            if !sink(arrow_batch(work, plan, &batch)?) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The wanted columns of a batch, with those that the folders' names hold.
fn arrow_batch(work: &Work, plan: &FilePlan, batch: &RecordBatch) -> Result<RecordBatch> {
    let has_constants = plan.columns.iter().any(|source| matches!(source, Source::Constant(Some(_))));
    if !has_constants {
        return adapt::adapt_batch(batch, &work.plan.schema);
    }
    let mut fields = batch.schema().fields().to_vec();
    let mut arrays = batch.columns().to_vec();
    for (field, source) in work.plan.schema.fields().iter().zip(&plan.columns) {
        if let Source::Constant(value) = source {
            let mut builder = crate::types::ColumnBuilder::new(crate::types::pg_type_of(field), batch.num_rows());
            for _ in 0..batch.num_rows() {
                builder.append_text(value.as_deref(), &work.plan.options)?;
            }
            fields.push(Arc::clone(field));
            arrays.push(builder.finish());
        }
    }
    let whole = RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(fields)), arrays)
        .map_err(|e| Error::internal("partition columns do not fit a batch").with_cause(e))?;
    adapt::adapt_batch(&whole, &work.plan.schema)
}
