//! A statement at a PostgreSQL source as a stream of Arrow batches, pulled one by one.
//! Must not know: how the statement was written.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use futures::{FutureExt, StreamExt, stream};
use tokio::time::timeout;
use tokio_postgres::CopyOutStream;

use super::copy::{Decoder, Want};
use super::errors;
use super::pool::{Lease, Pool};
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
    /// `None`: the COPY is over and the connection given back.
    open: Option<Open>,
    decoder: Decoder,
    source: String,
    meter: Arc<ScanMeter>,
}

/// A COPY that runs.
struct Open {
    copy: Pin<Box<CopyOutStream>>,
    lease: Lease,
}

impl Reading {
    async fn start(pool: Arc<Pool>, query: RemoteQuery) -> Result<Self> {
        let mut lease = pool.lease(&query.query_id).await?;
        let source = pool.source().to_owned();
        if let Some(select) = &query.described_by {
            match lease.client()?.prepare(select).await {
                Ok(statement) if as_expected(&statement, &query) => {}
                Ok(_) => {
                    lease.finish();
                    return Err(Error::source_fault(
                        SqlState::FEATURE_NOT_SUPPORTED,
                        "cached plan must not change result type",
                    )
                    .with_detail(format!("The columns of a table of source \"{source}\" have changed."))
                    .unrun());
                }
                Err(error) => {
                    // What is missing was there when the schema was read.
                    let gone = [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN];
                    let error = failed(lease, &source, error);
                    return Err(if gone.contains(&error.state()) { error.unrun() } else { error });
                }
            }
        }
        let opened = lease.client()?.copy_out(query.sql.as_str()).await;
        let copy = match opened {
            Ok(copy) => Box::pin(copy),
            Err(error) => return Err(failed(lease, &source, error)),
        };
        let decoder = Decoder::new(&source, &query.schema, &query.as_text);
        Ok(Reading { open: Some(Open { copy, lease }), decoder, source, meter: query.meter })
    }

    /// The next batch; `None` after the last. The connection is back in the pool as soon as the source has sent everything.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if self.decoder.decode()? == Want::Taking {
                return self.take();
            }
            let Some(Open { copy, .. }) = &mut self.open else {
                return if self.decoder.rows() > 0 { self.take() } else { Ok(None) };
            };
            let chunk = match copy.next().now_or_never() {
                Some(chunk) => chunk,
                None if self.decoder.rows() == 0 => copy.next().await,
                None => match timeout(FLUSH_TIME, copy.next()).await {
                    Ok(chunk) => chunk,
                    Err(_) => return self.take(),
                },
            };
            match chunk {
                Some(Ok(chunk)) => self.decoder.push(chunk)?,
                Some(Err(error)) => {
                    return Err(match self.open.take() {
                        Some(open) => failed(open.lease, &self.source, error),
                        None => errors::lost(&self.source, Some(&error)),
                    });
                }
                None => {
                    self.decoder.end()?;
                    if let Some(mut open) = self.open.take() {
                        open.lease.finish();
                    }
                }
            }
        }
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        let (batch, bytes) = self.decoder.take()?;
        self.meter.add(batch.num_rows() as u64, bytes as u64);
        Ok(Some(batch))
    }
}

/// Whether a statement's columns are of the types and modifiers that its rows will be read as.
fn as_expected(statement: &tokio_postgres::Statement, query: &RemoteQuery) -> bool {
    let columns = statement.columns();
    let fields = query.schema.fields();
    // A statement without columns of ours has one of its own, a NULL.
    fields.is_empty()
        || columns.len() == fields.len()
            && columns.iter().zip(fields).zip(&query.as_text).all(|((column, field), as_text)| {
                let ty = types::pg_type_of(field);
                *as_text || (column.type_().oid() == ty.oid && column.type_modifier() == ty.typmod)
            })
}

/// The error of a statement; the connection may serve again where only the statement failed.
fn failed(mut lease: Lease, source: &str, error: tokio_postgres::Error) -> Error {
    let (error, healthy) = errors::statement(source, error, lease.end());
    if healthy {
        lease.finish();
    }
    error
}
