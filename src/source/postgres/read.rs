//! A statement at a PostgreSQL source as a stream of Arrow batches, pulled one by one.
//! Must not know: how the statement was written.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use futures::{FutureExt, stream};
use tokio::time::timeout;

use super::copy::{Decoder, Want};
use super::dial::DEFAULT_SESSION;
use super::lease::Lease;
use super::line::{Heard, Taken};
use super::pool::Pool;
use super::relay::{self, Column, Scan};
use super::rows::On;
use super::talk::{self, Before};
use super::trouble::Trouble;
use super::{errors, forward, whole};
use crate::error::{Error, Result, SqlState};
use crate::source::{BatchStream, RemoteQuery, ScanMeter};
use crate::types;

/// Rows wait at most so long for others to fill their batch: a slow source's rows leave all the same.
const FLUSH_TIME: Duration = Duration::from_millis(50);

/// Reads when polled. Dropping the stream before its end cancels the statement at the source.
pub(super) fn read(pool: Arc<Pool>, query: RemoteQuery) -> BatchStream {
    let start = State::Waiting(pool, query);
    Box::pin(stream::try_unfold(start, |state| async move {
        let mut reading = match state {
            State::Waiting(pool, query) => Box::new(Reading::start(pool, query).await?),
            State::Reading(reading) => reading,
        };
        let batch = reading.next().await?;
        Ok(batch.map(|batch| (batch, State::Reading(reading))))
    }))
}

enum State {
    Waiting(Arc<Pool>, RemoteQuery),
    Reading(Box<Reading>),
}

struct Reading {
    /// The socket, and the connection that it belongs to; `None`: the COPY is over and the connection given back.
    open: Option<(Taken, On)>,
    decoder: Decoder,
    source: String,
    meter: Arc<ScanMeter>,
}

impl Reading {
    async fn start(pool: Arc<Pool>, query: RemoteQuery) -> Result<Self> {
        let open = start(&pool, &query).await?;
        let source = pool.source().to_owned();
        let decoder = Decoder::new(&source, &query.schema, &query.as_text);
        Ok(Reading { open: Some(open), decoder, source, meter: query.meter })
    }

    /// The next batch; `None` after the last.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if self.decoder.decode()? == Want::Taking {
                return self.take();
            }
            let Some((taken, _)) = &mut self.open else {
                return if self.decoder.rows() > 0 { self.take() } else { Ok(None) };
            };
            let heard = match taken.next(None).now_or_never() {
                Some(heard) => heard,
                None if self.decoder.rows() == 0 => taken.next(None).await,
                None => match timeout(FLUSH_TIME, taken.next(None)).await {
                    Ok(heard) => heard,
                    Err(_) => return self.take(),
                },
            };
            self.message(heard).await?;
        }
    }

    async fn message(&mut self, heard: io::Result<Heard>) -> Result<()> {
        match heard {
            Ok(Heard::Message(b'd', rows)) => self.decoder.push(rows),
            Ok(Heard::Message(b'c' | b'C', _)) => Ok(()),
            Ok(Heard::Message(b'Z', _)) => {
                self.decoder.end()?;
                if let Some((taken, on)) = self.open.take() {
                    forward::settle(taken, on, true);
                }
                Ok(())
            }
            Ok(Heard::Message(b'E', body)) => Err(self.refused(&body).await),
            Ok(_) => Err(self.lost(&talk::unexpected())),
            Err(error) => Err(self.lost(&error)),
        }
    }

    async fn refused(&mut self, body: &Bytes) -> Error {
        let Some((mut taken, mut on)) = self.open.take() else { return self.lost(&talk::unexpected()) };
        match talk::rest(&mut taken, body).await {
            Ok(complaint) => {
                on.unnamed();
                let (error, healthy) = errors::complaint(&self.source, complaint);
                forward::settle(taken, on, healthy);
                error
            }
            Err(error) => self.lost(&error),
        }
    }

    fn lost(&mut self, error: &io::Error) -> Error {
        self.open = None;
        errors::lost_by(&self.source, Some(error))
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        let (batch, bytes) = self.decoder.take()?;
        self.meter.add(batch.num_rows() as u64, bytes as u64)?;
        Ok(Some(batch))
    }
}

/// Starts the COPY on a connection of its own: on an idle one, if it answers, in one round trip.
async fn start(pool: &Arc<Pool>, query: &RemoteQuery) -> Result<(Taken, On)> {
    if let Some(mut lease) = pool.lease_idle() {
        let before = lease.before(&query.query_id, &DEFAULT_SESSION);
        let started = ask(&mut lease, query, &before).await?;
        // What was refused came behind the settings; of anything else nobody knows whether they were said.
        if matches!(started, Ok(_) | Err(Trouble::Refused(_))) {
            lease.settled(&before, started.is_err(), (&query.query_id, &DEFAULT_SESSION));
        }
        match started {
            Ok(taken) => return Ok((taken, On::Lease(Box::new(lease)))),
            // Another connection may do.
            Err(Trouble::Silent) => {}
            Err(trouble) => return Err(given_up(pool.source(), lease, trouble)),
        }
    }
    let mut lease = pool.lease(&query.query_id).await?;
    match ask(&mut lease, query, &Before::Nothing).await? {
        Ok(taken) => Ok((taken, On::Lease(Box::new(lease)))),
        Err(trouble) => Err(given_up(pool.source(), lease, trouble)),
    }
}

async fn ask(lease: &mut Lease, query: &RemoteQuery, before: &Before) -> Result<std::result::Result<Taken, Trouble>> {
    let Some(select) = &query.described_by else {
        return Err(Error::internal("a COPY of columns that nobody can describe"));
    };
    relay::copy(lease, Scan { copy: &query.sql, select }, |columns| as_expected(columns, query), before).await
}

/// Whether a statement's columns are of the types and modifiers that its rows will be read as.
fn as_expected(columns: &[Column], query: &RemoteQuery) -> bool {
    let fields = query.schema.fields();
    // A statement without columns of ours has one of its own, a NULL.
    fields.is_empty()
        || columns.len() == fields.len()
            && columns.iter().zip(fields).zip(&query.as_text).all(|((column, field), as_text)| {
                let ty = types::pg_type_of(field);
                *as_text || (column.oid == ty.oid && column.typmod == ty.typmod)
            })
}

/// Why the COPY did not start. Its connection may serve again, if only the statement is at fault.
fn given_up(source: &str, mut lease: Lease, trouble: Trouble) -> Error {
    match trouble {
        Trouble::Refused(complaint) | Trouble::Stale(complaint) => {
            let (error, healthy) = errors::complaint(source, complaint);
            if healthy {
                lease.finish();
            }
            // What is missing was there when the schema was read.
            let gone = [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN].contains(&error.state());
            if gone { error.unrun() } else { error }
        }
        Trouble::Setting(complaint) => errors::refused_setting(source, complaint),
        Trouble::Changed => whole::changed(source).unrun(),
        Trouble::Silent => errors::lost(source, None),
        Trouble::Lost(error) => errors::lost_by(source, Some(&error)),
    }
}
