//! A table that a transaction reads for another engine: through a cursor, so that several are read at once and other statements run in between.
//! Must not know: how the statement was written, who takes the rows.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::execution::memory_pool::MemoryReservation;
use futures::stream;
use tokio::time::timeout;

use super::cursor::Cursor;
use super::dial::DEFAULT_SESSION;
use super::rows::BATCH_BYTES;
use super::turn::Shared;
use crate::error::{Error, Notices, Result};
use crate::source::{BatchStream, Described, DescribedColumn, Failed, RemoteQuery, Stand, WholeStatement, Words};
use crate::types::{self, PgType};

/// Rows of the first FETCH.
const FIRST_ROWS: usize = 64;
/// Rows of any FETCH at most.
const MOST_ROWS: usize = 4096;
/// How often it is looked whether the statement has failed for which a FETCH runs.
const LOOK: Duration = Duration::from_millis(100);

/// Reads when polled.
pub(super) fn read(block: Arc<Shared>, query: RemoteQuery, held: MemoryReservation, failed: Failed) -> BatchStream {
    let scan = Scan { block, schema: Arc::clone(&query.schema), at: At::Begin(Box::new(query), held), failed };
    Box::pin(stream::try_unfold(scan, |mut scan| async move {
        let batch = scan.next().await?;
        Ok(batch.map(|batch| (batch, scan)))
    }))
}

struct Scan {
    block: Arc<Shared>,
    schema: SchemaRef,
    at: At,
    failed: Failed,
}

enum At {
    Begin(Box<RemoteQuery>, MemoryReservation),
    Open(Box<Held>),
    End,
}

/// A cursor each FETCH of which is held until its rows are taken: whoever waits for them may wait for those of another cursor first.
struct Held {
    cursor: Cursor,
    /// Batches of the last FETCH, the first of them last.
    ready: Vec<RecordBatch>,
    /// What they take of the statement's memory.
    memory: MemoryReservation,
    /// Rows of the next FETCH.
    rows: usize,
    /// What a row seems to take: rows that were large may come again.
    row_bytes: usize,
    ended: bool,
}

impl Held {
    fn new(cursor: Cursor, memory: MemoryReservation) -> Held {
        Held { cursor, ready: Vec::new(), memory, rows: FIRST_ROWS, row_bytes: 0, ended: false }
    }

    /// A batch that is there already.
    fn at_once(&mut self) -> Option<RecordBatch> {
        let batch = self.ready.pop()?;
        self.memory.shrink(batch.get_array_memory_size());
        Some(batch)
    }

    /// The next batch; `None` after the last.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        if self.ready.is_empty() && !self.ended {
            self.fetch().await?;
        }
        Ok(self.at_once())
    }

    async fn fetch(&mut self) -> Result<()> {
        let mut running = self.cursor.fetch(Some(self.rows as u64)).await?;
        let (mut rows, mut bytes) = (0, 0);
        while let Some(batch) = running.next().await? {
            let size = batch.get_array_memory_size();
            self.memory.try_grow(size).map_err(|full| Error::out_of_memory().with_cause(full))?;
            rows += batch.num_rows();
            bytes += size;
            self.ready.push(batch);
        }
        self.ready.reverse();
        self.ended = rows < self.rows;
        self.row_bytes = (bytes / rows.max(1)).max(self.row_bytes / 2).max(1);
        self.rows = (self.rows * 8).min(MOST_ROWS).min(BATCH_BYTES / self.row_bytes).max(1);
        Ok(())
    }
}

impl Scan {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let at = std::mem::replace(&mut self.at, At::End);
        if let At::End = at {
            return Ok(None);
        }
        if let At::Open(mut cursor) = at {
            if let Some(batch) = cursor.at_once() {
                self.at = At::Open(cursor);
                return self.batch(batch).map(Some);
            }
            return self.fetched(At::Open(cursor)).await;
        }
        self.fetched(at).await
    }

    /// Has the next rows fetched. A FETCH that was begun is brought to its end although nobody may wait for it any more: to cancel it would
    /// end the transaction.
    async fn fetched(&mut self, at: At) -> Result<Option<RecordBatch>> {
        let (block, failed) = (Arc::clone(&self.block), Arc::clone(&self.failed));
        let task = self.block.runtime().spawn(async move {
            let given_up = || failed() || block.is_given_up();
            let fetching = async {
                let mut cursor = match at {
                    At::Begin(query, memory) => Box::new(Held::new(declare(&block, *query).await?, memory)),
                    At::Open(cursor) => cursor,
                    At::End => return Ok(None),
                };
                let batch = cursor.next().await?;
                Ok(batch.map(|batch| (batch, cursor)))
            };
            unless(fetching, given_up).await
        });
        let fetched = task.await.map_err(|error| Error::internal("a read ended early").with_cause(error))?;
        let Some((batch, cursor)) = fetched? else { return Ok(None) };
        self.at = At::Open(cursor);
        self.batch(batch).map(Some)
    }

    /// The batch as it was asked for.
    fn batch(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = if self.schema.fields().is_empty() { Vec::new() } else { batch.columns().to_vec() };
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| Error::internal("columns of a source do not fit their schema").with_cause(error))
    }
}

async fn unless<T>(work: impl Future<Output = Result<T>>, given_up: impl Fn() -> bool) -> Result<T> {
    let mut work = std::pin::pin!(work);
    loop {
        if given_up() {
            return Err(Error::canceled());
        }
        if let Ok(done) = timeout(LOOK, &mut work).await {
            return done;
        }
    }
}

async fn declare(block: &Arc<Shared>, query: RemoteQuery) -> Result<Cursor> {
    let sql: Arc<str> = match query.described_by {
        Some(select) => select.into(),
        None => return Err(Error::internal("a read that is no SELECT")),
    };
    let each = query.schema.fields().iter().zip(query.as_text);
    let mut columns: Vec<DescribedColumn> =
        each.map(|(field, as_text)| column(field.name(), types::pg_type_of(field), as_text)).collect();
    if columns.is_empty() {
        // A statement without columns of ours has one of its own, a NULL.
        columns.push(column("", PgType::TEXT, true));
    }
    let described = Described { parameters: Vec::new(), columns, sql: Arc::clone(&sql), shift: 0 };
    let whole = WholeStatement {
        sql,
        body: None,
        parameters: Vec::new(),
        skeleton: None,
        session: Arc::clone(&DEFAULT_SESSION),
        query_id: query.query_id,
        words: Arc::new(Words { ours: true, ..Words::default() }),
        meter: query.meter,
        notices: Notices::default(),
    };
    let stand = Arc::new(Stand::new(Some(false)));
    Cursor::declare(Arc::clone(block), (whole, Arc::new(described)), &[], stand).await
}

fn column(name: &str, ty: PgType, as_text: bool) -> DescribedColumn {
    DescribedColumn { name: name.to_owned(), ty, oid: ty.oid, origin: None, as_text, sent_as_is: false }
}
