//! Footers of Parquet files: schema, row groups, statistics. Damage is found out here, not in the middle of a result.
//! Must not know: plans.

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, SchemaRef};
use bytes::Bytes;
use datafusion::common::Statistics;
use datafusion::parquet::arrow::parquet_to_arrow_schema;
use datafusion::parquet::basic::{LogicalType, Type as PhysicalType};
use datafusion::parquet::errors::{ParquetError, Result as ParquetResult};
use datafusion::parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use datafusion::parquet::file::page_index::column_index::ColumnIndexMetaData;
use datafusion::parquet::file::reader::{ChunkReader, Length};
use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::source::files::convert;
use crate::source::files::open::{Cursor, SameFile};
use crate::source::files::shape::{Shape, ShapeColumn, ShapeType};

/// The metadata of a file, with page indexes once they were needed.
#[derive(Debug)]
pub(crate) struct Footer {
    pub(crate) schema: SchemaRef,
    metadata: Mutex<Loaded>,
    /// Statistics for columns of a table, as they were last computed.
    statistics: Mutex<Option<(SchemaRef, Arc<Statistics>)>>,
}

#[derive(Debug, Clone)]
struct Loaded {
    metadata: Arc<ParquetMetaData>,
    with_pages: bool,
}

impl Footer {
    /// The metadata without page indexes being asked for.
    pub(crate) fn metadata(&self) -> Arc<ParquetMetaData> {
        Arc::clone(&self.metadata.lock().metadata)
    }

    /// Statistics for these columns; computed at the first call.
    pub(crate) fn statistics(&self, columns: &SchemaRef, compute: impl FnOnce() -> Statistics) -> Arc<Statistics> {
        if let Some((known, statistics)) = &*self.statistics.lock()
            && known == columns
        {
            return Arc::clone(statistics);
        }
        let statistics = Arc::new(compute());
        *self.statistics.lock() = Some((Arc::clone(columns), Arc::clone(&statistics)));
        statistics
    }

    /// The metadata with page indexes (where the file has them), read at the first call.
    pub(crate) fn with_pages(&self, file: &SameFile) -> Result<Arc<ParquetMetaData>> {
        let loaded = self.metadata.lock().clone();
        if loaded.with_pages {
            return Ok(loaded.metadata);
        }
        let metadata = guarded(file, || {
            let mut reader = ParquetMetaDataReader::new_with_metadata((*loaded.metadata).clone())
                .with_page_index_policy(PageIndexPolicy::Optional);
            reader.read_page_indexes(&Chunks(file.clone()))?;
            without_float_statistics(reader.finish()?)
        })?;
        let metadata = Arc::new(metadata);
        *self.metadata.lock() = Loaded { metadata: Arc::clone(&metadata), with_pages: true };
        Ok(metadata)
    }
}

/// Reads a footer and the columns it names.
///
/// # Errors
/// `XX001` where it is not sound.
pub(crate) fn shape(file: &SameFile) -> Result<Shape> {
    let metadata = guarded(file, || {
        let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Skip);
        without_float_statistics(reader.parse_and_finish(&Chunks(file.clone()))?)
    })?;
    let rows = check(file, &metadata)?;
    let schema = guarded(file, || {
        let file_metadata = metadata.file_metadata();
        parquet_to_arrow_schema(file_metadata.schema_descr(), file_metadata.key_value_metadata())
    })?;
    let uuids = uuid_columns(&metadata);
    let columns = schema
        .fields()
        .iter()
        .map(|field| {
            let known =
                if uuids.contains(field.name()) { convert::pg_type(&as_uuid(field)) } else { convert::pg_type(field) };
            ShapeColumn {
                name: field.name().clone(),
                ty: known.map_or(ShapeType::Refused, ShapeType::Known),
                not_null: !field.is_nullable(),
            }
        })
        .collect();
    let loaded = Loaded { metadata: Arc::new(metadata), with_pages: false };
    let footer = Footer { schema: Arc::new(schema), metadata: Mutex::new(loaded), statistics: Mutex::default() };
    Ok(Shape { columns, rows, footer: Some(Arc::new(footer)) })
}

/// Top-level columns whose logical type is UUID; Arrow holds them as 16 bytes.
fn uuid_columns(metadata: &ParquetMetaData) -> Vec<String> {
    let root = metadata.file_metadata().schema_descr().root_schema();
    root.get_fields()
        .iter()
        .filter(|column| column.get_basic_info().logical_type_ref() == Some(&LogicalType::Uuid))
        .map(|column| column.name().to_owned())
        .collect()
}

fn as_uuid(field: &Field) -> Field {
    let metadata = std::collections::HashMap::from([("ARROW:extension:name".to_owned(), "arrow.uuid".to_owned())]);
    Field::new(field.name(), DataType::FixedSizeBinary(16), true).with_metadata(metadata)
}

/// Counts the rows, making sure that the parts agree with the whole and lie inside the file.
fn check(file: &SameFile, metadata: &ParquetMetaData) -> Result<u64> {
    let mut rows: i64 = 0;
    for group in metadata.row_groups() {
        rows = (group.num_rows() >= 0)
            .then(|| rows.checked_add(group.num_rows()))
            .flatten()
            .ok_or_else(|| file.located().corrupt("a row group has an impossible number of rows"))?;
        for column in group.columns() {
            let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
            let end = start.checked_add(column.compressed_size());
            let inside =
                start >= 0 && column.compressed_size() >= 0 && end.is_some_and(|end| end as u64 <= file.size());
            if !inside {
                return Err(file.located().corrupt("a column lies outside the file"));
            }
        }
    }
    if rows != metadata.file_metadata().num_rows() {
        return Err(file.located().corrupt("its row groups do not have as many rows as the file"));
    }
    Ok(rows.unsigned_abs())
}

/// Writers leave NaN out of the statistics of floats, where PostgreSQL has it as the largest value; and bloom filters tell 0 from -0.
/// So row groups and pages must not be skipped because of a float.
fn without_float_statistics(metadata: ParquetMetaData) -> ParquetResult<ParquetMetaData> {
    let is_float = |kind: PhysicalType| matches!(kind, PhysicalType::FLOAT | PhysicalType::DOUBLE);
    let floats = |group: &RowGroupMetaData| {
        group.columns().iter().any(|column| is_float(column.column_type()) || is_half(column.column_descr()))
    };
    if !metadata.row_groups().iter().any(floats) {
        return Ok(metadata);
    }
    let mut builder = metadata.into_builder();
    let mut groups = Vec::new();
    for group in builder.take_row_groups() {
        let mut group = group.into_builder();
        let mut columns = Vec::new();
        for column in group.take_columns() {
            let strip = is_float(column.column_type()) || is_half(column.column_descr());
            columns.push(if strip {
                column.into_builder().clear_statistics().set_bloom_filter_offset(None).build()?
            } else {
                column
            });
        }
        groups.push(group.set_column_metadata(columns).build()?);
    }
    let strip: Vec<Vec<bool>> = groups
        .iter()
        .map(|group| group.columns().iter().map(|c| is_float(c.column_type()) || is_half(c.column_descr())).collect())
        .collect();
    let index = builder.take_column_index().map(|mut index| {
        for (group, strip) in index.iter_mut().zip(&strip) {
            for (column, strip) in group.iter_mut().zip(strip) {
                if *strip {
                    *column = ColumnIndexMetaData::NONE;
                }
            }
        }
        index
    });
    Ok(builder.set_row_groups(groups).set_column_index(index).build())
}

fn is_half(column: &datafusion::parquet::schema::types::ColumnDescriptor) -> bool {
    column.logical_type_ref() == Some(&LogicalType::Float16)
}

/// Runs a parser over bytes that nobody vouches for: its errors and its panics mean a corrupt file.
pub(crate) fn guarded<T>(file: &SameFile, work: impl FnOnce() -> ParquetResult<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(own_error(file, error)),
        Err(_) => Err(file.located().corrupt("its metadata cannot be decoded")),
    }
}

/// Our own error if the parser met one, else a corrupt file.
pub(crate) fn own_error(file: &SameFile, error: ParquetError) -> Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<Error>() {
            Ok(own) => *own,
            Err(cause) => file.located().corrupt(cause),
        },
        other => file.located().corrupt(&other).with_cause(other),
    }
}

/// The file as the metadata reader wants it.
struct Chunks(SameFile);

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.0.size()
    }
}

impl ChunkReader for Chunks {
    type T = Cursor;

    fn get_read(&self, start: u64) -> ParquetResult<Cursor> {
        let mut cursor = self.0.reader();
        std::io::Seek::seek(&mut cursor, std::io::SeekFrom::Start(start))?;
        Ok(cursor)
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.0.read_range(start, length).map(Bytes::from).map_err(|e| ParquetError::External(Box::new(e)))
    }
}

/// Keeps the reader's trait in scope for [`Cursor`].
const _: fn(&mut Cursor, &mut [u8]) -> std::io::Result<usize> = <Cursor as Read>::read;
