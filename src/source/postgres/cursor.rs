//! A cursor at a PostgreSQL source: its rows come by FETCH, each a statement of its own, so that others may run in between.
//! Must not know: who takes the rows.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use futures::stream;

use super::errors;
use super::rows::Running;
use super::turn::Shared;
use crate::error::Result;
use crate::source::{Argument, BatchStream, Described, Spot, Stand, WholeStatement};

/// A FETCH cannot ask for more, but for all.
const MOST: u64 = i32::MAX as u64;

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

/// Has a cursor closed, when it is dropped.
struct Closer {
    block: Arc<Shared>,
    name: String,
    /// [`Closing::age`] when it was declared.
    age: u64,
}

impl Drop for Closer {
    fn drop(&mut self) {
        let mut closing = self.block.closing().lock();
        if closing.age == self.age {
            closing.statements.push(format!("CLOSE {}", self.name));
        }
    }
}

/// A cursor of a transaction.
pub(super) struct Cursor {
    block: Arc<Shared>,
    name: String,
    whole: WholeStatement,
    described: Arc<Described>,
    stand: Arc<Stand>,
}

impl Cursor {
    /// Declares it. It shows what there is at this moment. `stand`: how it may move, and what is told where it stands.
    ///
    /// # Errors
    /// Whatever the source says.
    pub(super) async fn declare(
        block: Arc<Shared>,
        (whole, described): (WholeStatement, Arc<Described>),
        arguments: &[Argument],
        stand: Arc<Stand>,
    ) -> Result<Cursor> {
        let (name, age) = (block.new_cursor(), block.closing().lock().age);
        let scroll = match stand.scroll() {
            Some(true) => " SCROLL",
            Some(false) => " NO SCROLL",
            None => "",
        };
        let head = format!("DECLARE {name}{scroll} CURSOR FOR ");
        let shift = described.shift.saturating_add(u32::try_from(head.len()).unwrap_or(u32::MAX));
        let sql: Arc<str> = format!("{head}{}", described.sql).into();
        let declare = Described { sql, columns: Vec::new(), shift, parameters: described.parameters.clone() };
        block.started(whole.clone(), &declare, (arguments, &[], false)).await?.next().await?;
        stand.named(&name, Closer { block: Arc::clone(&block), name: name.clone(), age });
        Ok(Cursor { block, name, whole, described, stand })
    }

    /// Has the next rows fetched; `None`: all that are left. They are to be read to the end, or dropped with the cursor.
    pub(super) async fn fetch(&self, rows: Option<u64>) -> Result<Running> {
        // Somebody may have meant another row.
        self.block.place(&self.stand, self.stand.front()).await?;
        let rows = rows.map_or_else(|| "ALL".to_owned(), |rows| format!("FORWARD {}", rows.min(MOST)));
        let sql: Arc<str> = format!("FETCH {rows} FROM {}", self.name).into();
        let columns = self.described.columns.clone();
        let fetch = Described { sql, shift: 0, parameters: Vec::new(), columns };
        self.block.batches(self.whole.clone(), &fetch, (&[], false)).await
    }

    /// Its batches: as many rows as are wanted are fetched together, handed on as they come, and nothing else is said until the last.
    pub(super) fn into_stream(self) -> BatchStream {
        let reading = Reading { cursor: self, running: None, left: None, ended: false };
        Box::pin(stream::try_unfold(reading, |mut reading| async move {
            let batch = reading.next().await?;
            Ok(batch.map(|batch| (batch, reading)))
        }))
    }
}

/// A cursor whose rows are handed on as they come.
struct Reading {
    cursor: Cursor,
    /// The FETCH that has not ended.
    running: Option<Running>,
    /// Rows of it that are to come; `None`: all that there are.
    left: Option<u64>,
    ended: bool,
}

impl Reading {
    /// The next batch; `None` after the last.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        if self.ended {
            return Ok(None);
        }
        let running = match &mut self.running {
            Some(running) => running,
            None => {
                self.left = self.cursor.stand.wanted();
                self.running.insert(self.cursor.fetch(self.left).await?)
            }
        };
        let Some(batch) = running.next().await? else {
            self.running = None;
            self.ended = true;
            self.cursor.stand.move_to(Spot::End);
            return Ok(None);
        };
        let rows = batch.num_rows() as u64;
        self.cursor.stand.add(rows);
        self.left = self.left.map(|left| left.saturating_sub(rows));
        if self.left == Some(0) {
            // Until its end is heard, nobody else can be.
            if running.next().await?.is_some() {
                return Err(errors::protocol(self.cursor.block.pool.source(), "more rows than were fetched"));
            }
            self.running = None;
        }
        Ok(Some(batch))
    }
}
