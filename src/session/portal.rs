//! Portals: bound statements, and rows that wait for the client to ask for more.
//! Must not know: engines. A suspended portal keeps its stream, never its rows.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;
use futures::StreamExt;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::Prepared;
use crate::error::{Error, Result, SqlState};
use crate::rows::{BatchStream, CommandTag, RowShape, Rows};

/// Portals that one session may have open at once.
const MAX_PORTALS: usize = 10_000;

/// Rows, read to a certain row of a certain batch.
pub struct RowCursor {
    shape: Arc<RowShape>,
    /// Behind a lock that is never taken, only seen through: a session is shared across threads, a stream is not.
    batches: Mutex<BatchStream>,
    batch: Option<RecordBatch>,
    offset: usize,
    ended: bool,
    /// What the tag says.
    pub tag: CommandTag,
    /// Cancels the statement that the rows come from.
    pub cancel: CancellationToken,
    /// Kept as long as the rows: the statement counts as running.
    pub running: Box<dyn Any + Send + Sync>,
}

impl fmt::Debug for RowCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowCursor").field("shape", &self.shape).field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl RowCursor {
    /// Before the first row. `running` lives as long as the rows are not read to their end.
    #[must_use]
    pub fn new(rows: Rows, tag: CommandTag, cancel: CancellationToken, running: Box<dyn Any + Send + Sync>) -> Self {
        RowCursor {
            shape: rows.shape,
            batches: Mutex::new(rows.batches),
            batch: None,
            offset: 0,
            ended: false,
            tag,
            cancel,
            running,
        }
    }

    /// The columns.
    #[must_use]
    pub fn shape(&self) -> &Arc<RowShape> {
        &self.shape
    }

    /// The batch that is read now and the first of its rows not read yet; `None`: the end. Waits for the next batch if need be.
    /// Dropping the wait loses nothing.
    ///
    /// # Errors
    /// What the stream says; it has ended then.
    pub async fn batch(&mut self) -> Result<Option<(RecordBatch, usize)>> {
        while !self.ended && self.batch.as_ref().is_none_or(|batch| self.offset >= batch.num_rows()) {
            match self.batches.get_mut().next().await.transpose() {
                Ok(Some(batch)) => {
                    self.batch = Some(batch);
                    self.offset = 0;
                }
                Ok(None) => self.end(),
                Err(error) => {
                    self.end();
                    return Err(error);
                }
            }
        }
        Ok(self.batch.clone().map(|batch| (batch, self.offset)))
    }

    fn end(&mut self) {
        self.ended = true;
        self.batch = None;
        *self.batches.get_mut() = Box::pin(futures::stream::empty());
    }

    /// So many rows of the batch have been read.
    pub fn advance(&mut self, rows: usize) {
        self.offset += rows;
    }

    /// Whether every row of the batch has been read, so that the next read may wait.
    #[must_use]
    pub fn batch_done(&self) -> bool {
        self.batch.as_ref().is_none_or(|batch| self.offset >= batch.num_rows())
    }
}

/// How far a portal has come.
#[derive(Debug)]
pub enum PortalState {
    /// Nothing has run.
    Bound,
    /// Some rows have been read. The lock is never contended: it is there because a stream alone may not be looked at by two threads,
    /// and a session may.
    Suspended(Box<Mutex<RowCursor>>),
    /// It has run to its end.
    Done,
}

/// A statement with its parameters.
#[derive(Debug)]
pub struct Portal {
    /// The statement.
    pub prepared: Prepared,
    /// One array of one row for each parameter.
    pub parameters: Vec<ArrayRef>,
    /// The formats asked for: none, one for all columns, or one for each; true: binary.
    pub result_formats: Vec<bool>,
    /// How far it has come.
    pub state: PortalState,
    /// Savepoints that stood when it was made.
    pub depth: usize,
}

/// The portals of one session.
#[derive(Debug, Default)]
pub struct Portals {
    by_name: HashMap<String, Portal>,
}

impl Portals {
    /// Keeps a portal; the unnamed one is replaced.
    ///
    /// # Errors
    /// `42P03` for a name that is taken, `53400` beyond 10,000.
    pub fn insert(&mut self, name: &str, portal: Portal) -> Result<()> {
        if !name.is_empty() && self.by_name.contains_key(name) {
            return Err(Error::client(SqlState::DUPLICATE_CURSOR, format!("cursor \"{name}\" already exists")));
        }
        if self.by_name.len() >= MAX_PORTALS {
            return Err(Error::resource(
                SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                format!("too many portals: a session may have {MAX_PORTALS}"),
            ));
        }
        self.by_name.insert(name.to_owned(), portal);
        Ok(())
    }

    /// The portal of this name.
    ///
    /// # Errors
    /// `34000`.
    pub fn get(&self, name: &str) -> Result<&Portal> {
        self.by_name.get(name).ok_or_else(|| missing(name))
    }

    /// Takes a portal out, to run it.
    ///
    /// # Errors
    /// `34000`.
    pub fn take(&mut self, name: &str) -> Result<Portal> {
        self.by_name.remove(name).ok_or_else(|| missing(name))
    }

    /// Puts back what [`Portals::take`] gave.
    pub fn put_back(&mut self, name: &str, portal: Portal) {
        self.by_name.insert(name.to_owned(), portal);
    }

    /// Closes a portal; false: there was none.
    pub fn close(&mut self, name: &str) -> bool {
        self.by_name.remove(name).is_some()
    }

    /// Closes all: rows that wait are dropped, and with them the work behind them.
    pub fn clear(&mut self) {
        self.by_name.clear();
    }

    /// Closes those made above so many savepoints.
    pub(super) fn drop_above(&mut self, depth: usize) {
        self.by_name.retain(|_, portal| portal.depth <= depth);
    }

    /// Those made above so many savepoints now belong to that level.
    pub(super) fn lift(&mut self, depth: usize) {
        for portal in self.by_name.values_mut() {
            portal.depth = portal.depth.min(depth);
        }
    }
}

fn missing(name: &str) -> Error {
    Error::client(SqlState::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
}
