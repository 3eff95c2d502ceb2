//! DataFusion's Parquet scan, with a guard around the decoder: what it makes of a damaged file is an error that names the file.
//! Must not know: tables, filters. It hands everything else through.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileOpenFuture, FileOpener, FileScanConfig, FileSource, ParquetSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::object_store::ObjectStore;
use datafusion::parquet::errors::ParquetError;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalSortExpr};
use datafusion::physical_expr_common::physical_expr::PhysicalExpr;
use datafusion::physical_plan::filter_pushdown::FilterPushdownPropagation;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, SortOrderPushdownResult};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};

use super::reader::ParquetHandle;
use crate::error::Error;
use crate::source::files::open::Located;
use crate::source::files::plan_error;

type Batches = BoxStream<'static, Result<RecordBatch>>;

/// A [`ParquetSource`] with a guard.
#[derive(Clone)]
pub(crate) struct Guarded(Arc<dyn FileSource>);

impl Guarded {
    pub(crate) fn new(inner: ParquetSource) -> Self {
        Guarded(Arc::new(inner))
    }

    fn again(inner: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(Guarded(inner))
    }
}

impl FileSource for Guarded {
    fn create_file_opener(
        &self,
        object_store: Arc<dyn ObjectStore>,
        base_config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        let inner = self.0.create_morselizer(object_store, base_config, partition)?;
        let inner = Arc::new(inner);
        // The traits of the pieces cannot be named from here, so a closure holds them.
        let open = move |file: PartitionedFile| -> BoxFuture<'static, Result<Batches>> {
            let inner = Arc::clone(&inner);
            async move {
                let mut planners = vec![inner.plan_file(file)?];
                let mut streams: Vec<Batches> = Vec::new();
                while let Some(planner) = planners.pop() {
                    let Some(mut plan) = planner.plan()? else { continue };
                    streams.extend(plan.take_morsels().into_iter().map(|morsel| morsel.into_stream()));
                    planners.extend(plan.take_ready_planners());
                    if let Some(pending) = plan.take_pending_planner() {
                        planners.push(pending.await?);
                    }
                }
                Ok(futures::stream::iter(streams).flatten().boxed())
            }
            .boxed()
        };
        Ok(Arc::new(GuardedOpener { open: Box::new(open) }))
    }

    fn table_schema(&self) -> &TableSchema {
        self.0.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Guarded::again(self.0.with_batch_size(batch_size))
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.0.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.0.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.0.metrics()
    }

    fn file_type(&self) -> &str {
        self.0.file_type()
    }

    fn fmt_extra(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_extra(t, f)
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let mut result = self.0.try_pushdown_filters(filters, config)?;
        result.updated_node = result.updated_node.map(Guarded::again);
        Ok(result)
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        eq_properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        Ok(match self.0.try_pushdown_sort(order, eq_properties)? {
            SortOrderPushdownResult::Exact { inner } => SortOrderPushdownResult::Exact { inner: Guarded::again(inner) },
            SortOrderPushdownResult::Inexact { inner } => {
                SortOrderPushdownResult::Inexact { inner: Guarded::again(inner) }
            }
            SortOrderPushdownResult::Unsupported => SortOrderPushdownResult::Unsupported,
        })
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.0.reorder_files(files)
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        Ok(self.0.try_pushdown_projection(projection)?.map(Guarded::again))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.0.apply_expressions(f)
    }
}

type Open = dyn Fn(PartitionedFile) -> BoxFuture<'static, Result<Batches>> + Send + Sync;

struct GuardedOpener {
    open: Box<Open>,
}

impl FileOpener for GuardedOpener {
    fn open(&self, file: PartitionedFile) -> Result<FileOpenFuture> {
        let located = match file.extension::<ParquetHandle>() {
            Some(handle) => handle.located.clone(),
            None => return Err(plan_error(Error::internal("a Parquet scan met a file that is not its own"))),
        };
        let opening = AssertUnwindSafe((self.open)(file)).catch_unwind();
        Ok(async move {
            match opening.await {
                Ok(Ok(batches)) => Ok(guard(batches, located)),
                Ok(Err(error)) => Err(told(error, &located)),
                Err(_) => Err(plan_error(located.corrupt("its contents cannot be decoded"))),
            }
        }
        .boxed())
    }
}

/// The batches of a file; after an error or a panic there are no more.
fn guard(batches: Batches, located: Located) -> Batches {
    let caught = AssertUnwindSafe(batches).catch_unwind();
    caught
        .map(move |item| match item {
            Ok(Ok(batch)) => Ok(batch),
            Ok(Err(error)) => Err(told(error, &located)),
            Err(_) => Err(plan_error(located.corrupt("its contents cannot be decoded"))),
        })
        .boxed()
}

/// Errors of the decoder become errors that name the file; our own and those of expressions pass as they are.
fn told(error: DataFusionError, located: &Located) -> DataFusionError {
    match error {
        DataFusionError::ParquetError(cause) => from_parquet(*cause, located),
        DataFusionError::ArrowError(cause, context) => match *cause {
            ArrowError::ParquetError(message) => plan_error(located.corrupt(message)),
            ArrowError::ExternalError(cause) => match cause.downcast::<ParquetError>() {
                Ok(cause) => from_parquet(*cause, located),
                Err(cause) => match cause.downcast::<Error>() {
                    Ok(own) => plan_error(*own),
                    Err(cause) => DataFusionError::ArrowError(Box::new(ArrowError::ExternalError(cause)), context),
                },
            },
            // Arrow refuses arrays that contradict themselves.
            cause @ ArrowError::InvalidArgumentError(_) => plan_error(located.corrupt(&cause).with_cause(cause)),
            cause => DataFusionError::ArrowError(Box::new(cause), context),
        },
        DataFusionError::Context(_, inner) => told(*inner, located),
        other => other,
    }
}

fn from_parquet(cause: ParquetError, located: &Located) -> DataFusionError {
    plan_error(match cause {
        ParquetError::External(inner) => match inner.downcast::<Error>() {
            Ok(own) => *own,
            Err(inner) => located.corrupt(inner),
        },
        other => located.corrupt(&other).with_cause(other),
    })
}
