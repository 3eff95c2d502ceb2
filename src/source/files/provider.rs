//! A table of files as DataFusion scans it: partitions and statistics decide which files and row groups are read at all.
//! Must not know: SQL, users.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, DFSchema, Result as PlanResult, ScalarValue, Statistics};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use super::adapt::Faithful;
use super::convert::{self, Conversion};
use super::parquet::{Guarded, ParquetHandle, ReaderFactory};
use super::plan_error;
use super::scan::FilesExec;
use super::table::{FileTable, LiveFile};
use crate::config::FileFormat;
use crate::error::{Error, Result};
use crate::types::{self, ColumnBuilder, FormatOptions};

/// A table of files.
#[derive(Debug)]
pub(super) struct FilesProvider {
    table: Arc<FileTable>,
}

impl FilesProvider {
    pub(super) fn new(table: Arc<FileTable>) -> Self {
        FilesProvider { table }
    }

    /// The files whose partition values may satisfy the filters, in their present versions.
    ///
    /// Planning has a thread of its own, which may wait: one of those that scans hold might never be free.
    fn files(&self, state: &dyn Session, filters: &[Expr]) -> PlanResult<Vec<LiveFile>> {
        let live = self.table.live_files().map_err(plan_error)?;
        self.prune(state, live, filters)
    }

    /// Leaves out files by their partition values: the filters over those columns alone are tried on one row for each file.
    fn prune(&self, state: &dyn Session, live: Vec<LiveFile>, filters: &[Expr]) -> PlanResult<Vec<LiveFile>> {
        let fields = &self.table.schema.fields()[self.table.file_columns()..];
        let names: HashSet<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        let usable = |filter: &&Expr| {
            let columns = filter.column_refs();
            !columns.is_empty() && !filter.is_volatile() && columns.iter().all(|column| names.contains(column.name()))
        };
        let usable: Vec<Expr> = filters.iter().filter(usable).map(unqualified).collect::<PlanResult<_>>()?;
        let Some(filter) = conjunction(usable) else { return Ok(live) };
        let schema = Arc::new(Schema::new(fields.to_vec()));
        let batch = partition_batch(&schema, &live).map_err(plan_error)?;
        let expr = state.create_physical_expr(filter, &DFSchema::try_from(Schema::clone(&schema))?)?;
        let keep = expr.evaluate(&batch)?.into_array(live.len())?;
        let Some(keep) = keep.as_boolean_opt() else { return Ok(live) };
        // NULL is not true: such a row would not pass the filter above either.
        Ok(live.into_iter().zip(keep.iter()).filter(|(_, keep)| *keep == Some(true)).map(|(file, _)| file).collect())
    }

    fn parquet_plan(
        &self,
        state: &dyn Session,
        files: Vec<LiveFile>,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let table = &self.table;
        let (file_fields, partition_fields) = table.schema.fields().split_at(table.file_columns());
        let file_schema: SchemaRef = Arc::new(Schema::new(file_fields.to_vec()));
        let table_schema =
            TableSchema::builder(Arc::clone(&file_schema)).with_table_partition_cols(partition_fields.to_vec()).build();
        let mut group = Vec::with_capacity(files.len());
        let mut all = Vec::with_capacity(files.len());
        for file in files {
            let part = partitioned_file(&file, &file_schema, partition_fields).map_err(plan_error)?;
            all.extend(part.statistics.clone());
            group.push(part);
        }
        let statistics = Statistics::try_merge_iter(all.iter().map(|statistics| &**statistics), &table.schema)?;
        let global = state.config_options().execution.parquet.clone();
        let mut options = TableParquetOptions { global, ..TableParquetOptions::default() };
        // Int96 has nanoseconds of few centuries; its writers mean microseconds at most.
        options.global.coerce_int96 = Some("us".to_owned());
        let source = ParquetSource::new(table_schema)
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(Arc::new(ReaderFactory::default()))
            .with_enable_page_index(true)
            .with_bloom_filter_on_read(true);
        let groups = FileGroup::new(group).split_files(state.config().target_partitions());
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(Guarded::new(source)))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_expr_adapter(Some(Arc::new(Faithful)))
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

#[async_trait]
impl TableProvider for FilesProvider {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.table.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> PlanResult<Vec<TableProviderFilterPushDown>> {
        let helps = self.table.reading.format == FileFormat::Parquet || !self.table.candidate.partitions.is_empty();
        let answer =
            if helps { TableProviderFilterPushDown::Inexact } else { TableProviderFilterPushDown::Unsupported };
        Ok(vec![answer; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let files = self.files(state, filters)?;
        if files.is_empty() {
            let schema = datafusion::physical_plan::project_schema(&self.table.schema, projection)?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        if self.table.reading.format == FileFormat::Parquet {
            return self.parquet_plan(state, files, projection, limit);
        }
        let partitions = state.config().target_partitions();
        let plan = FilesExec::new(&self.table, files, projection, limit, partitions).map_err(plan_error)?;
        Ok(Arc::new(plan))
    }

    fn statistics(&self) -> Option<Statistics> {
        None
    }
}

/// A filter without the names of tables: it is tried on a batch that has none.
fn unqualified(filter: &Expr) -> PlanResult<Expr> {
    use datafusion::common::Column;
    use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
    filter
        .clone()
        .transform(|expr| match expr {
            Expr::Column(column) => Ok(Transformed::yes(Expr::Column(Column::new_unqualified(column.name)))),
            other => Ok(Transformed::no(other)),
        })
        .data()
}

/// One row for each file with the values of its partition columns.
fn partition_batch(schema: &SchemaRef, files: &[LiveFile]) -> Result<RecordBatch> {
    let options = FormatOptions::default();
    let mut arrays = Vec::with_capacity(schema.fields().len());
    for (at, field) in schema.fields().iter().enumerate() {
        let mut builder = ColumnBuilder::new(types::pg_type_of(field), files.len());
        for file in files {
            builder.append_text(file.found.partition_values.get(at).and_then(Option::as_deref), &options)?;
        }
        arrays.push(builder.finish());
    }
    let row_count = RecordBatchOptions::new().with_row_count(Some(files.len()));
    RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &row_count)
        .map_err(|e| Error::internal("partition values do not make a batch").with_cause(e))
}

fn partitioned_file(
    file: &LiveFile,
    file_schema: &SchemaRef,
    partition_fields: &[Arc<Field>],
) -> Result<PartitionedFile> {
    let footer = file.shape.footer.clone().ok_or_else(|| Error::internal("a Parquet file without a footer"))?;
    let partition_schema = Arc::new(Schema::new(partition_fields.to_vec()));
    let row = partition_batch(&partition_schema, std::slice::from_ref(file))?;
    let values = row
        .columns()
        .iter()
        .map(|array| ScalarValue::try_from_array(array, 0))
        .collect::<PlanResult<Vec<_>>>()
        .map_err(|e| Error::internal("a partition value is no scalar").with_cause(e))?;
    let statistics = footer.statistics(file_schema, || statistics(&footer.metadata(), &footer.schema, file_schema));
    let handle =
        ParquetHandle { located: file.found.located.clone(), identity: file.identity, footer: Arc::clone(&footer) };
    Ok(PartitionedFile::new(file.found.located.shown.clone(), file.identity.size)
        .with_extension(handle)
        .with_partition_values(values)
        .with_statistics(statistics))
}

/// Row counts are exact. Smallest and largest values are estimates: a plan may be chosen by them, an answer may not be made of them.
fn statistics(
    metadata: &datafusion::parquet::file::metadata::ParquetMetaData,
    physical: &SchemaRef,
    file_schema: &SchemaRef,
) -> Statistics {
    let mut statistics = DFParquetMetadata::statistics_from_parquet_metadata(metadata, file_schema)
        .unwrap_or_else(|_| Statistics::new_unknown(file_schema));
    let rows: i64 =
        metadata.row_groups().iter().map(datafusion::parquet::file::metadata::RowGroupMetaData::num_rows).sum();
    statistics.num_rows = Precision::Exact(usize::try_from(rows).unwrap_or(0));
    for (field, column) in file_schema.fields().iter().zip(&mut statistics.column_statistics) {
        let plain = physical
            .field_with_name(field.name())
            .ok()
            .and_then(|from| convert::plan(from, types::pg_type_of(field)))
            .is_some_and(|conversion| conversion == Conversion::Same);
        let text = field.data_type().is_string();
        let known = std::mem::replace(column, ColumnStatistics::new_unknown());
        column.byte_size = known.byte_size.to_inexact();
        if plain || text {
            column.null_count = known.null_count.to_inexact();
            column.min_value = known.min_value.to_inexact();
            column.max_value = known.max_value.to_inexact();
        }
    }
    statistics
}
