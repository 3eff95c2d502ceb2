//! Arrow IPC: the file format (with a footer) and the stream format (without one).
//! Must not know: plans.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use arrow::record_batch::RecordBatch;

use super::convert;
use super::open::{Cursor, SameFile};
use super::shape::{Shape, ShapeColumn, ShapeType};
use crate::error::{Error, Result};

/// What an Arrow file begins with; a stream begins with the length of its schema.
const MAGIC: &[u8] = b"ARROW1";

/// Batches of an Arrow file, one after the other.
pub(super) struct Batches {
    file: SameFile,
    reader: Kind,
}

enum Kind {
    File(Box<FileReader<BufReader<Cursor>>>),
    Stream(Box<StreamReader<BufReader<Cursor>>>),
}

impl Batches {
    /// Opens it; nothing but the schema is read.
    ///
    /// # Errors
    /// `XX001` where it is not Arrow IPC.
    pub(super) fn open(file: &SameFile) -> Result<Batches> {
        let mut start = [0_u8; 8];
        let mut cursor = file.reader();
        let magic = cursor.read(&mut start).map_err(|e| file.located().io_error(e))?;
        cursor.seek(SeekFrom::Start(0)).map_err(|e| file.located().io_error(e))?;
        let is_file = start[..magic].starts_with(MAGIC);
        let reader = guarded(file, move || {
            let input = BufReader::with_capacity(256 * 1024, cursor);
            Ok(if is_file {
                Kind::File(Box::new(FileReader::try_new(input, None)?))
            } else {
                Kind::Stream(Box::new(StreamReader::try_new(input, None)?))
            })
        })?;
        Ok(Batches { file: file.clone(), reader })
    }

    pub(super) fn schema(&self) -> SchemaRef {
        match &self.reader {
            Kind::File(reader) => reader.schema(),
            Kind::Stream(reader) => reader.schema(),
        }
    }

    /// The next batch, from the version of the file that was opened.
    pub(super) fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let reader = &mut self.reader;
        let next = guarded(&self.file, || {
            match reader {
                Kind::File(reader) => reader.next(),
                Kind::Stream(reader) => reader.next(),
            }
            .transpose()
        });
        self.file.check()?;
        next
    }
}

/// The columns of an Arrow file. Its rows are counted from the batches' headers only where that is cheap: not at all.
///
/// # Errors
/// `XX001` where it is not Arrow IPC.
pub(super) fn shape(file: &SameFile) -> Result<Shape> {
    let schema = Batches::open(file)?.schema();
    let columns = schema
        .fields()
        .iter()
        .map(|field| ShapeColumn {
            name: field.name().clone(),
            ty: convert::pg_type(field).map_or(ShapeType::Refused, ShapeType::Known),
            not_null: !field.is_nullable(),
        })
        .collect();
    // An estimate for the planner: 64 bytes a row.
    Ok(Shape { columns, rows: file.size() / 64, footer: None })
}

fn guarded<T>(file: &SameFile, work: impl FnOnce() -> std::result::Result<T, ArrowError>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(ArrowError::IoError(_, cause))) if cause.raw_os_error().is_some() => Err(file.located().io_error(cause)),
        Ok(Err(error)) => {
            file.check()?;
            Err(file.located().corrupt(&error).with_cause(error))
        }
        Err(_) => Err(Error::clone(&file.located().corrupt("its contents cannot be decoded"))),
    }
}

/// Keeps the shared pointer in the public shape of the schema.
const _: fn(&SchemaRef) -> SchemaRef = Arc::clone;
