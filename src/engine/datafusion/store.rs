//! Rows of cursors that are read again: the first in memory, the others in a file of the spill directory, within the engine's limits.
//! Must not know: cursors, sessions.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use async_trait::async_trait;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SpillFile, SpillWriter};
use parking_lot::Mutex;

use super::Federated;
use crate::error::{Error, Fault, Result, SqlState};
use crate::rows::RowStore;

/// Bytes that one store keeps in memory.
const IN_MEMORY: usize = 4 << 20;

/// Where a batch is.
enum Place {
    Memory(RecordBatch),
    File { offset: u64, length: usize },
}

/// A batch, and the number of its first row.
struct Part {
    first: u64,
    place: Place,
}

/// The file of one store; gone when dropped.
struct Spilled {
    file: Arc<dyn SpillFile>,
    writer: Mutex<Box<dyn SpillWriter>>,
    written: u64,
}

struct Store {
    runtime: Arc<RuntimeEnv>,
    reservation: MemoryReservation,
    parts: Vec<Part>,
    rows: u64,
    may_spill: bool,
    spilled: Option<Spilled>,
    /// The batch that was read from the file last: the next row asked for is probably in it.
    recent: Option<(usize, RecordBatch)>,
}

impl Federated {
    /// A store for rows. `file`: what memory is not meant for may go to a file.
    #[must_use]
    pub fn row_store(&self, file: bool) -> Box<dyn RowStore> {
        let runtime = Arc::clone(self.template.runtime_env());
        let reservation = MemoryConsumer::new("cursor").register(&runtime.memory_pool);
        Box::new(Store {
            runtime,
            reservation,
            parts: Vec::new(),
            rows: 0,
            may_spill: file,
            spilled: None,
            recent: None,
        })
    }
}

#[async_trait]
impl RowStore for Store {
    async fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let size = batch.get_array_memory_size();
        let fits = self.reservation.size().saturating_add(size) <= IN_MEMORY;
        let place = if fits && self.reservation.try_grow(size).is_ok() {
            Place::Memory(batch.clone())
        } else if self.may_spill {
            self.write(batch.clone()).await?
        } else {
            return Err(Error::resource(SqlState::OUT_OF_MEMORY, "a cursor has read more rows than it can keep"));
        };
        self.parts.push(Part { first: self.rows, place });
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    async fn at(&mut self, row: u64) -> Result<(RecordBatch, u64)> {
        let index = self.parts.partition_point(|part| part.first <= row).checked_sub(1);
        let Some((index, part)) = index.and_then(|index| Some((index, self.parts.get(index)?))) else {
            return Err(Error::internal("a row that is not kept"));
        };
        let first = part.first;
        let batch = match &part.place {
            Place::Memory(batch) => batch.clone(),
            Place::File { offset, length } => match &self.recent {
                Some((recent, batch)) if *recent == index => batch.clone(),
                _ => {
                    let batch = self.read(*offset, *length).await?;
                    self.recent = Some((index, batch.clone()));
                    batch
                }
            },
        };
        if row >= first + batch.num_rows() as u64 {
            return Err(Error::internal("a row that is not kept"));
        }
        Ok((batch, first))
    }

    fn allow_file(&mut self) {
        self.may_spill = true;
    }
}

impl Store {
    /// Writes a batch behind what the file has.
    async fn write(&mut self, batch: RecordBatch) -> Result<Place> {
        let mut spilled = match self.spilled.take() {
            Some(spilled) => spilled,
            None => {
                let file = self.runtime.disk_manager.create_tmp_file("rows of a cursor").map_err(full)?;
                let writer = Mutex::new(file.open_writer().map_err(full)?);
                Spilled { file, writer, written: 0 }
            }
        };
        let offset = spilled.written;
        let writing = tokio::task::spawn_blocking(move || {
            let length = encode(&batch).and_then(|bytes| {
                let writer = spilled.writer.get_mut();
                writer.write_all(&bytes).and_then(|()| writer.flush()).map_err(full)?;
                spilled.written += bytes.len() as u64;
                Ok(bytes.len())
            });
            (spilled, length)
        });
        let (spilled, length) = writing.await.map_err(|error| failed("written").with_cause(error))?;
        self.spilled = Some(spilled);
        Ok(Place::File { offset, length: length? })
    }

    async fn read(&self, offset: u64, length: usize) -> Result<RecordBatch> {
        let path = self.spilled.as_ref().and_then(|spilled| spilled.file.path()).map(PathBuf::from);
        let Some(path) = path else { return Err(Error::internal("a spilled row without a file")) };
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; length];
            File::open(path)
                .and_then(|mut file| {
                    file.seek(SeekFrom::Start(offset))?;
                    file.read_exact(&mut bytes)
                })
                .map_err(|error| failed("read").with_cause(error))?;
            decode(&bytes)
        });
        read.await.map_err(|error| failed("read").with_cause(error))?
    }
}

/// The disk, or what the engine may take of it, is full.
fn full(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::resource(SqlState::DISK_FULL, "no room for the rows of a cursor")
        .with_hint("The spill directory is full, or spill_limit is reached.")
        .with_cause(error)
}

fn failed(what: &str) -> Error {
    Error::new(SqlState::IO_ERROR, Fault::Resource, format!("the rows of a cursor could not be {what}"))
}

fn encode(batch: &RecordBatch) -> Result<Vec<u8>> {
    let laid_out = |error| Error::internal("rows could not be laid out for a file").with_cause(error);
    let batch = trimmed(batch).map_err(laid_out)?;
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema()).map_err(laid_out)?;
    writer.write(&batch).and_then(|()| writer.finish()).map_err(laid_out)?;
    drop(writer);
    Ok(bytes)
}

/// Views point into buffers that many batches share; what is written holds its own bytes only.
fn trimmed(batch: &RecordBatch) -> std::result::Result<RecordBatch, arrow::error::ArrowError> {
    let columns = batch.columns().iter().map(|column| match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()) as ArrayRef,
        DataType::BinaryView => Arc::new(column.as_binary_view().gc()) as ArrayRef,
        _ => Arc::clone(column),
    });
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), columns.collect(), &options)
}

fn decode(bytes: &[u8]) -> Result<RecordBatch> {
    let broken = || failed("read");
    let mut reader = StreamReader::try_new(bytes, None).map_err(|error| broken().with_cause(error))?;
    reader.next().ok_or_else(broken)?.map_err(|error| broken().with_cause(error))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringViewArray};
    use arrow::datatypes::{Field, Schema};
    use datafusion::execution::disk_manager::DiskManagerBuilder;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;

    use super::*;

    fn store(limit: u64, may_spill: bool) -> Store {
        let disk = DiskManagerBuilder::default().with_max_temp_directory_size(limit);
        let runtime = RuntimeEnvBuilder::new().with_disk_manager_builder(disk).build_arc().unwrap();
        let reservation = MemoryConsumer::new("cursor").register(&runtime.memory_pool);
        Store { runtime, reservation, parts: Vec::new(), rows: 0, may_spill, spilled: None, recent: None }
    }

    /// A thousand rows, a kilobyte each.
    fn batch(from: i64) -> RecordBatch {
        let schema =
            Schema::new(vec![Field::new("n", DataType::Int64, true), Field::new("t", DataType::Utf8View, true)]);
        let numbers = Int64Array::from_iter_values(from..from + 1000);
        let texts = StringViewArray::from_iter_values((from..from + 1000).map(|n| format!("{n:01000}")));
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(numbers), Arc::new(texts)]).unwrap()
    }

    #[tokio::test]
    async fn rows_come_back_from_memory_and_from_the_file() {
        let mut store = store(1 << 30, true);
        for from in (0..20_000).step_by(1000) {
            store.push(&batch(from)).await.unwrap();
        }
        assert!(store.reservation.size() <= IN_MEMORY && store.runtime.disk_manager.used_disk_space() > 10 << 20);
        for row in [19_999, 0, 4_500, 12_345, 12_346, 1] {
            let (batch, first) = store.at(row).await.unwrap();
            let number = batch.column(0).as_primitive::<arrow::datatypes::Int64Type>().value((row - first) as usize);
            assert_eq!((number as u64, batch), (row, self::batch(first as i64)));
        }
        assert!(store.at(20_000).await.is_err());
        let disk = Arc::clone(&store.runtime.disk_manager);
        drop(store);
        assert_eq!(disk.used_disk_space(), 0);
    }

    #[tokio::test]
    async fn bounds_are_kept() {
        let mut small = store(5 << 20, true);
        let mut kept = 0;
        let error = loop {
            match small.push(&batch(kept)).await {
                Ok(()) => kept += 1000,
                Err(error) => break error,
            }
        };
        assert_eq!(error.state(), SqlState::DISK_FULL);
        assert!(kept >= 7_000 && small.at(kept as u64 - 1).await.is_ok());
        let mut memory = store(1 << 30, false);
        let mut pushed = 0;
        while memory.push(&batch(0)).await.is_ok() {
            pushed += 1;
        }
        assert!((1..10).contains(&pushed) && memory.spilled.is_none());
    }
}
