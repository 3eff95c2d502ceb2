//! Runs a statement and sends its rows: the next batch is pulled when the socket has taken the last.
//! Must not know: which protocol asked for them.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use futures::FutureExt;

use super::connection::Connection;
use super::encode::{EncodeRows, Formats, RowEncoder};
use super::io::{CHUNK, Stop};
use super::messages::BackendWriter;
use super::respond;
use crate::error::Error;
use crate::query::{Outcome, RunningStatement};
use crate::rows::{Bounds, WireRows};
use crate::session::{PreparedStatement, RowCursor, StatementKind, TransactionStatus};

/// How long rows that wait in the buffer may wait for more, so that a small result is sent at once, not twice.
const GATHER: Duration = Duration::from_millis(1);

/// Bytes that are encoded already wait for so many. What a source sends at once is often a little less than a [`CHUNK`].
const FORWARDED: usize = CHUNK / 2;

/// What was sent.
pub(super) struct Delivered {
    /// Rows of this execution.
    pub(super) rows: u64,
    /// The limit was reached, so there may be more.
    pub(super) suspended: bool,
}

/// Rows that come in parts.
trait Parts: Send {
    /// What comes at once.
    type Part: Send;

    /// The next; `None`: the end.
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Self::Part>, Error>>;
}

impl Parts for RowCursor {
    type Part = (RecordBatch, usize);

    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Self::Part>, Error>> {
        // Dropping the wait loses nothing.
        pin!(self.batch()).poll(cx)
    }
}

impl Parts for WireRows {
    type Part = (Bytes, u64);

    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Self::Part>, Error>> {
        self.messages.as_mut().poll_next(cx).map(Option::transpose)
    }
}

impl Connection {
    /// Runs a statement up to its first row. `formats`: as [`crate::query::Service::execute`] has them.
    pub(super) async fn start(
        &mut self,
        running: &RunningStatement,
        prepared: &Arc<PreparedStatement>,
        (parameters, formats): (Vec<ArrayRef>, Option<Vec<bool>>),
    ) -> Result<Outcome, Stop> {
        if prepared.is_planned() {
            self.session.transaction.note_query();
        }
        let service = Arc::clone(&self.shared.service);
        let commits = match prepared.statement.kind {
            // Outside a block it is an error, and what was done before is undone.
            StatementKind::Commit { chain } => {
                self.session.transaction.status() != TransactionStatus::Failed
                    && (!chain || self.session.transaction.goes_on())
            }
            _ => false,
        };
        if commits && let Err(stop) = self.before_commit(running).await {
            // A commit that fails, is cancelled or takes too long has ended its block.
            self.session.rollback(false)?;
            return Err(stop);
        }
        let work = service.execute(&mut self.session, &self.identity, running, prepared, (parameters, formats));
        // What the source has committed is committed, whatever comes now; and a block can always be left (the source has its time for that).
        let ends = commits || matches!(prepared.statement.kind, StatementKind::Rollback { .. });
        let outcome = if ends { work.await? } else { self.io.watch(running.bounds(), work).await? };
        if outcome.rows.is_none() {
            self.tell(running.bounds());
        }
        Ok(outcome)
    }

    /// Tells what is to be told beside the rows.
    pub(super) fn tell(&mut self, bounds: &Bounds) {
        respond::notices(&mut self.io.out, &bounds.notices, &self.session.vars);
    }

    /// Sends rows, at most `limit`, in the formats asked for.
    pub(super) async fn deliver(
        &mut self,
        cursor: &mut RowCursor,
        formats: &Formats,
        bounds: &Bounds,
        limit: Option<u64>,
    ) -> Result<Delivered, Stop> {
        let mut encoder = RowEncoder::new(cursor.shape(), formats, self.session.vars.format())?;
        self.pour(cursor, &mut encoder, bounds, limit).await
    }

    /// Sends rows, at most `limit`, as the encoder writes them.
    pub(super) async fn pour(
        &mut self,
        cursor: &mut RowCursor,
        encoder: &mut (impl EncodeRows + Send),
        bounds: &Bounds,
        limit: Option<u64>,
    ) -> Result<Delivered, Stop> {
        let mut sent = 0;
        loop {
            let left = limit.map_or(u64::MAX, |limit| limit - sent);
            if left == 0 {
                return Ok(Delivered { rows: sent, suspended: true });
            }
            let next = self.next_part(cursor, bounds).await?;
            self.tell(bounds);
            let Some((batch, first)) = next else {
                return Ok(Delivered { rows: sent, suspended: false });
            };
            encoder.bind(&batch)?;
            let end =
                usize::try_from(left).map_or(batch.num_rows(), |left| batch.num_rows().min(first.saturating_add(left)));
            let mut at = first;
            while at < end {
                let next = encoder.rows(&mut self.io.out, at..end, CHUNK)?;
                cursor.advance(next - at);
                sent += (next - at) as u64;
                at = next;
                if self.io.out.len() >= CHUNK {
                    self.io.push(bounds).await?;
                    // A client that takes everything at once must not keep others waiting.
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Sends rows that are encoded already, as `write` lays their messages out: how many.
    pub(super) async fn forward(
        &mut self,
        mut rows: WireRows,
        bounds: &Bounds,
        mut write: impl FnMut(Bytes, &mut BackendWriter) -> Result<(), Error> + Send,
    ) -> Result<u64, Stop> {
        let mut sent = 0;
        loop {
            let next = self.next_part(&mut rows, bounds).await?;
            self.tell(bounds);
            let Some((messages, count)) = next else { return Ok(sent) };
            write(messages, &mut self.io.out)?;
            sent += count;
            if self.io.out.len() >= FORWARDED {
                self.io.push(bounds).await?;
            }
        }
    }

    /// The next rows. What is written already leaves before a long wait for them.
    async fn next_part<P: Parts>(&mut self, parts: &mut P, bounds: &Bounds) -> Result<Option<P::Part>, Stop> {
        let mut next = poll_fn(|cx| parts.poll_part(cx));
        if let Some(ready) = (&mut next).now_or_never() {
            return Ok(ready?);
        }
        if !self.io.out.is_empty() {
            if let Ok(ready) = tokio::time::timeout(GATHER, &mut next).await {
                return Ok(ready?);
            }
            self.io.push(bounds).await?;
        }
        self.io.watch(bounds, next).await
    }
}
