//! Rows of a statement as they arrive, in binary, made into batches; and the connection that they come on.
//! Must not know: which statement it is, whose connection it is.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::ArrayRef;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use futures::{FutureExt, StreamExt, stream};
use tokio::time::timeout;
use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Row, RowStream};

use super::block::Turn;
use super::copy::Column;
use super::errors;
use super::pool::Lease;
use super::words;
use crate::error::{Error, Result};
use crate::source::{BatchStream, Described, DescribedColumn, WholeStatement};
use crate::types::{self, ColumnBuilder};

/// Rows of the first batch: few, so that the first row leaves early.
const FIRST_ROWS: usize = 128;
/// Rows of every other batch.
const BATCH_ROWS: usize = 8192;
/// A batch ends after so many bytes: wide rows must not pile up.
pub(super) const BATCH_BYTES: usize = 4 << 20;
/// Rows wait at most so long for others to fill their batch.
const FLUSH_TIME: Duration = Duration::from_millis(50);

/// The connection that rows come on.
pub(super) enum On {
    /// One of the pool's, for this statement alone.
    Lease(Box<Lease>),
    /// That of a transaction.
    Turn(Turn),
}

impl On {
    /// Why it ended, if it did.
    pub(super) fn end(&self) -> Option<&tokio_postgres::Error> {
        match self {
            On::Lease(lease) => lease.end(),
            On::Turn(turn) => turn.end(),
        }
    }

    /// The statement has ended, cleanly and completely: the connection may serve the next.
    pub(super) fn finish(mut self) {
        match &mut self {
            On::Lease(lease) => lease.finish(),
            On::Turn(turn) => turn.settle(),
        }
    }
}

/// Rows that come, and the connection that they come on.
pub(super) type Open = (Pin<Box<RowStream>>, On);

/// The error of a statement on this connection, which may serve again where only the statement failed. `shift`: as [`words::told`].
pub(super) fn failed(on: On, source: &str, error: tokio_postgres::Error, whole: &WholeStatement, shift: u32) -> Error {
    let (error, healthy) = words::told(source, error, on.end(), (&*whole.words, shift));
    if healthy {
        on.finish();
    }
    error
}

/// The schema of the batches.
fn schema_of(described: &Described) -> SchemaRef {
    let fields = described.columns.iter().map(|column| types::field(&column.name, column.ty, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A statement that runs.
pub(super) struct Running {
    /// Rows that it wrote, as the source says at its end.
    affected: u64,
    /// `None`: its rows are over and the connection given back.
    open: Option<Open>,
    decoder: Decoder,
    whole: WholeStatement,
    shift: u32,
}

impl Running {
    /// What runs, and what its rows are.
    pub(super) fn new(open: Open, source: &str, whole: WholeStatement, described: &Described) -> Self {
        let columns = described.columns.iter().map(column).collect();
        let schema = schema_of(described);
        let decoder = Decoder { source: source.to_owned(), schema, columns, rows: 0, bytes: 0, first: true };
        Running { affected: 0, open: Some(open), decoder, whole, shift: described.shift }
    }

    /// Its batches. Dropping them before their end cancels the statement at the source.
    pub(super) fn into_stream(self) -> BatchStream {
        Box::pin(stream::try_unfold(self, |mut running| async move {
            let batch = running.next().await?;
            Ok(batch.map(|batch| (batch, running)))
        }))
    }

    /// The next batch; `None` after the last. The connection is back in the pool as soon as the source has sent everything.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if self.decoder.is_full() {
                return self.take().map(Some);
            }
            let Some((rows, _)) = &mut self.open else {
                return if self.decoder.rows > 0 { self.take().map(Some) } else { Ok(None) };
            };
            let row = match rows.next().now_or_never() {
                Some(row) => row,
                None if self.decoder.rows == 0 => rows.next().await,
                None => match timeout(FLUSH_TIME, rows.next()).await {
                    Ok(row) => row,
                    Err(_) => return self.take().map(Some),
                },
            };
            match row {
                Some(Ok(row)) => self.decoder.row(&row)?,
                Some(Err(error)) => return Err(self.failed(error)),
                None => {
                    if let Some((rows, on)) = self.open.take() {
                        self.affected = rows.rows_affected().unwrap_or(0);
                        on.finish();
                    }
                }
            }
        }
    }

    /// Rows that it wrote, once it has ended.
    pub(super) fn affected(&self) -> u64 {
        self.affected
    }

    fn failed(&mut self, error: tokio_postgres::Error) -> Error {
        match self.open.take() {
            Some((_, on)) => failed(on, &self.decoder.source, error, &self.whole, self.shift),
            None => errors::lost(&self.decoder.source, Some(&error)),
        }
    }

    fn take(&mut self) -> Result<RecordBatch> {
        let (batch, bytes) = self.decoder.take()?;
        self.whole.meter.add(batch.num_rows() as u64, bytes as u64);
        Ok(batch)
    }
}

fn column(described: &DescribedColumn) -> Column {
    let builder = ColumnBuilder::new(described.ty, FIRST_ROWS);
    Column { name: described.name.clone(), text: described.as_text, builder }
}

struct Decoder {
    source: String,
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
    bytes: usize,
    first: bool,
}

impl Decoder {
    fn is_full(&self) -> bool {
        self.rows >= if self.first { FIRST_ROWS } else { BATCH_ROWS } || (self.rows > 0 && self.bytes >= BATCH_BYTES)
    }

    fn row(&mut self, row: &Row) -> Result<()> {
        if row.len() != self.columns.len() {
            return Err(errors::changed(&self.source));
        }
        for (at, column) in self.columns.iter_mut().enumerate() {
            let value: Option<Bare<'_>> =
                row.try_get(at).map_err(|error| errors::protocol(&self.source, error.to_string()))?;
            let value = value.map(|value| value.0);
            self.bytes += value.map_or(4, |value| value.len() + 4);
            column.append(value).map_err(|error| errors::value(&self.source, &column.name, error))?;
        }
        self.rows += 1;
        Ok(())
    }

    fn take(&mut self) -> Result<(RecordBatch, usize)> {
        self.first = false;
        let rows = std::mem::take(&mut self.rows);
        let bytes = std::mem::take(&mut self.bytes);
        let arrays: Vec<ArrayRef> = self.columns.iter_mut().map(|column| column.builder.finish()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|error| Error::internal("columns of a source do not fit their schema").with_cause(error))?;
        Ok((batch, bytes))
    }
}

/// The bytes of a value, whatever its type.
struct Bare<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Bare<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> std::result::Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Bare(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
