//! Reading: a thread owns the connection and sends batches over a channel of one; dropping the stream interrupts at once.
//! Must not know: what the statement means.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use arrow::record_batch::RecordBatch;
use futures::Stream;
use parking_lot::Mutex;
use rusqlite::InterruptHandle;
use tokio::sync::mpsc;

use super::open::{Database, Opened};
use super::value::{self, Column};
use crate::error::{Error, Result, SqlState};
use crate::source::{BatchStream, RemoteQuery};

/// Rows of the first batch: the first row should be seen soon.
const FIRST_BATCH_ROWS: usize = 512;
/// Rows of every other batch.
const BATCH_ROWS: usize = 8192;
/// Bytes of a batch, roughly, before it is sent whatever its rows.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Begins when the stream is first polled.
pub(super) fn read(database: Database, query: RemoteQuery) -> BatchStream {
    Box::pin(SqliteStream { state: State::Waiting(Box::new((database, query))), stop: StopOnDrop::default() })
}

/// Tells a thread to end: through SQLite's interrupt, and through a flag that the progress handler looks at.
#[derive(Default)]
pub(super) struct StopOnDrop {
    flag: Arc<AtomicBool>,
    interrupt: Arc<Mutex<Option<InterruptHandle>>>,
}

impl StopOnDrop {
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.flag.store(true, Ordering::Relaxed);
        if let Some(handle) = self.interrupt.lock().as_ref() {
            handle.interrupt();
        }
    }
}

enum State {
    Waiting(Box<(Database, RemoteQuery)>),
    Running(mpsc::Receiver<Result<RecordBatch>>),
    Done,
}

struct SqliteStream {
    state: State,
    stop: StopOnDrop,
}

impl Stream for SqliteStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let State::Waiting(_) = self.state {
            let State::Waiting(start) = std::mem::replace(&mut self.state, State::Done) else {
                return Poll::Ready(None);
            };
            let (sender, receiver) = mpsc::channel(1);
            let flag = self.stop.flag();
            let interrupt = Arc::clone(&self.stop.interrupt);
            tokio::task::spawn_blocking(move || {
                let (database, query) = *start;
                run(&database, &query, &sender, flag, &interrupt);
            });
            self.state = State::Running(receiver);
        }
        let State::Running(receiver) = &mut self.state else { return Poll::Ready(None) };
        let item = futures::ready!(receiver.poll_recv(context));
        match item {
            Some(Ok(batch)) if batch.num_columns() == 0 && batch.num_rows() == 0 => {
                // The thread's last word: all rows were sent.
                self.state = State::Done;
                Poll::Ready(None)
            }
            Some(Ok(batch)) => Poll::Ready(Some(Ok(batch))),
            Some(Err(error)) => {
                self.state = State::Done;
                Poll::Ready(Some(Err(error)))
            }
            None => {
                // Without a last word the thread panicked: a result that merely stops would look complete.
                self.state = State::Done;
                Poll::Ready(Some(Err(Error::internal("the thread that reads a SQLite source panicked"))))
            }
        }
    }
}

/// The last word of a thread that read everything.
fn end_marker() -> RecordBatch {
    RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty()))
}

fn run(
    database: &Database,
    query: &RemoteQuery,
    sender: &mpsc::Sender<Result<RecordBatch>>,
    flag: Arc<AtomicBool>,
    interrupt: &Mutex<Option<InterruptHandle>>,
) {
    let outcome = database.open(flag).and_then(|opened| {
        *interrupt.lock() = Some(opened.connection.get_interrupt_handle());
        let outcome = send_rows(database, &opened, query, sender);
        *interrupt.lock() = None;
        outcome
    });
    let last = match outcome {
        Ok(()) => Ok(end_marker()),
        Err(error) => Err(error),
    };
    // Nobody listens any more: nobody needs the last word.
    let _ = sender.blocking_send(last);
}

fn send_rows(
    database: &Database,
    opened: &Opened,
    query: &RemoteQuery,
    sender: &mpsc::Sender<Result<RecordBatch>>,
) -> Result<()> {
    opened.tables.lock().clear();
    let mut statement = opened.connection.prepare(&query.sql).map_err(|e| database.error(e))?;
    if !statement.readonly() || statement.column_count() < query.schema.fields().len() {
        return Err(Error::internal(format!(
            "a statement for source \"{}\" does not return the columns that were asked for",
            database.source()
        )));
    }
    let mut columns: Vec<Column> = query.schema.fields().iter().map(|field| Column::new(field)).collect();
    let mut rows = statement.query([]).map_err(|e| database.error(e))?;
    let (mut count, mut bytes, mut target) = (0_usize, 0_usize, FIRST_BATCH_ROWS);
    while let Some(row) = rows.next().map_err(|e| database.error(e))? {
        for (at, column) in columns.iter_mut().enumerate() {
            let value = row.get_ref(at).map_err(|e| database.error(e))?;
            bytes += column.append(value).map_err(|misfit| misfit_error(database, opened, column, misfit))?;
        }
        count += 1;
        if count >= target || bytes >= BATCH_BYTES {
            let batch = finish(database, query, &mut columns, count)?;
            send(database, opened, query, sender, batch)?;
            (count, bytes, target) = (0, 0, BATCH_ROWS);
        }
    }
    if count > 0 {
        let batch = finish(database, query, &mut columns, count)?;
        send(database, opened, query, sender, batch)?;
    }
    opened.check_unchanged(database)
}

fn send(
    database: &Database,
    opened: &Opened,
    query: &RemoteQuery,
    sender: &mpsc::Sender<Result<RecordBatch>>,
    batch: RecordBatch,
) -> Result<()> {
    opened.check_unchanged(database)?;
    query.meter.add(batch.num_rows() as u64, batch.get_array_memory_size() as u64)?;
    sender.blocking_send(Ok(batch)).map_err(|_| Error::canceled())
}

fn finish(database: &Database, query: &RemoteQuery, columns: &mut [Column], rows: usize) -> Result<RecordBatch> {
    let arrays = columns.iter_mut().map(Column::finish).collect::<Result<Vec<_>>>()?;
    let options = arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(&query.schema), arrays, &options).map_err(|e| {
        // A NULL in a column that SQLite's schema declares NOT NULL, say: a schema that was edited by hand.
        Error::source_fault(
            SqlState::DATA_CORRUPTED,
            format!("source \"{}\" returned rows that its schema rules out", database.source()),
        )
        .with_cause(e)
    })
}

/// A value that is not of its column's type, told with everything that helps to find it.
fn misfit_error(database: &Database, opened: &Opened, column: &Column, misfit: value::Misfit) -> Error {
    let tables = opened.tables.lock();
    let of = match tables.as_slice() {
        [] => String::new(),
        names => format!(" of {}", names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")),
    };
    let error = Error::source_fault(misfit.state, misfit.message)
        .with_detail(format!("The value is stored as {} in the SQLite file.", misfit.stored))
        .with_context(format!("source \"{}\", column \"{}\"{of}", database.source(), column.name()));
    match misfit.cause {
        Some(cause) => error.with_cause(cause),
        None => error,
    }
}
