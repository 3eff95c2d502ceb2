//! A cursor at a PostgreSQL source: its rows come by FETCH, each a statement of its own, so that others may run in between.
//! Must not know: who takes the rows.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use futures::stream;

use super::rows::{BATCH_BYTES, Running};
use super::turn::Shared;
use crate::error::Result;
use crate::source::{Argument, BatchStream, Described, Stand, WholeStatement};

/// Rows of one FETCH at most.
const MOST_ROWS: usize = 4096;

/// Cursors of a transaction that nobody reads from any more, as statements that close them.
#[derive(Default)]
pub(super) struct Closing {
    statements: Vec<String>,
    /// How often the transaction went back: cursors from before that may be gone, and end with it if they are not.
    age: u64,
}

impl Closing {
    /// What closes them, once.
    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.statements)
    }

    /// The transaction went back to a mark: those that were made behind it are gone.
    pub(super) fn forget(&mut self) {
        self.statements.clear();
        self.age += 1;
    }
}

/// A cursor of a transaction.
pub(super) struct Cursor {
    block: Arc<Shared>,
    name: String,
    /// [`Closing::age`] when it was declared.
    age: u64,
    whole: WholeStatement,
    described: Arc<Described>,
    /// Rows of the next FETCH: as many as its bytes seem to allow, as they are held until they are taken.
    rows: usize,
    stand: Arc<Stand>,
    /// Batches of the last FETCH, the first of them last.
    ready: Vec<RecordBatch>,
    ended: bool,
}

impl Cursor {
    /// Declares it. It shows what there is at this moment. `rows`: how many the first FETCH takes; `stand`: what is told where it stands.
    ///
    /// # Errors
    /// Whatever the source says.
    pub(super) async fn declare(
        block: Arc<Shared>,
        (whole, described): (WholeStatement, Arc<Described>),
        arguments: &[Argument],
        (rows, stand): (usize, Arc<Stand>),
    ) -> Result<Cursor> {
        let (name, age) = (block.new_cursor(), block.closing().lock().age);
        let head = format!("DECLARE {name} NO SCROLL CURSOR FOR ");
        let shift = described.shift.saturating_add(u32::try_from(head.len()).unwrap_or(u32::MAX));
        let sql: Arc<str> = format!("{head}{}", described.sql).into();
        let declare = Described { sql, columns: Vec::new(), shift, parameters: described.parameters.clone() };
        block.started(whole.clone(), &declare, (arguments, &[], false)).await?.next().await?;
        stand.named(&name);
        Ok(Cursor { block, name, age, whole, described, rows, stand, ready: Vec::new(), ended: false })
    }

    /// Its batches.
    pub(super) fn into_stream(self) -> BatchStream {
        Box::pin(stream::try_unfold(self, |mut cursor| async move {
            let batch = cursor.next().await?;
            Ok(batch.map(|batch| (batch, cursor)))
        }))
    }

    /// Nothing more is read from it.
    fn end(&mut self) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let mut closing = self.block.closing().lock();
        if closing.age == self.age {
            closing.statements.push(format!("CLOSE {}", self.name));
        }
    }

    /// A batch that is there already.
    pub(super) fn at_once(&mut self) -> Option<RecordBatch> {
        self.ready.pop()
    }

    /// The next batch; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        if self.ready.is_empty() && !self.ended {
            self.fetch().await?;
        }
        Ok(self.ready.pop())
    }

    async fn fetch(&mut self) -> Result<()> {
        let wanted = self.stand.next(self.rows);
        let sql: Arc<str> = format!("FETCH FORWARD {wanted} FROM {}", self.name).into();
        let columns = self.described.columns.clone();
        let fetch = Described { sql, shift: 0, parameters: Vec::new(), columns };
        let mut running: Running = self.block.batches(self.whole.clone(), &fetch, (&[], false)).await?;
        let (mut rows, mut bytes) = (0, 1);
        while let Some(batch) = running.next().await? {
            rows += batch.num_rows();
            bytes += batch.get_array_memory_size();
            self.ready.push(batch);
        }
        self.ready.reverse();
        self.stand.add(rows as u64);
        if rows < wanted {
            self.end();
        }
        let affordable = (BATCH_BYTES / (bytes / rows.max(1)).max(1)).max(1);
        self.rows = (self.rows * 8).min(MOST_ROWS).min(affordable);
        Ok(())
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        self.end();
    }
}
