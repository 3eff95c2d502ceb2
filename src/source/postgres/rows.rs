//! Rows of a statement as they arrive, in binary, made into batches; and the connection that they come on.
//! Must not know: which statement it is, whose connection it is.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::ArrayRef;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use bytes::{Buf, Bytes};
use futures::{FutureExt, stream};
use tokio::time::timeout;

use super::copy::Column;
use super::errors;
use super::forward::Forwarding;
use super::lease::Lease;
use super::turn::Turn;
use crate::error::{Error, Result};
use crate::source::{BatchStream, Described, DescribedColumn};
use crate::types::{self, ColumnBuilder};

/// Rows of the first batch: few, so that the first row leaves early.
const FIRST_ROWS: usize = 128;
/// Rows of every other batch.
const BATCH_ROWS: usize = 8192;
/// A batch ends after so many bytes: wide rows must not pile up.
pub(super) const BATCH_BYTES: usize = 4 << 20;
/// Rows wait at most so long for others to fill their batch.
const FLUSH_TIME: Duration = Duration::from_millis(50);
/// Type, length and number of columns of a row's message.
const ROW_HEADER: usize = 7;

/// The connection that rows come on.
pub(super) enum On {
    /// One of the pool's, for this statement alone.
    Lease(Box<Lease>),
    /// That of a transaction.
    Turn(Turn),
}

impl On {
    /// The statement has failed: what was said before it does not hold.
    pub(super) fn unnamed(&mut self) {
        // A transaction has said its name before.
        if let On::Lease(lease) = self {
            lease.unnamed();
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

/// The schema of the batches.
fn schema_of(described: &Described) -> SchemaRef {
    let fields = described.columns.iter().map(|column| types::field(&column.name, column.ty, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A statement that runs, all of its columns in binary.
pub(super) struct Running {
    rows: Forwarding,
    /// Rows that have come and are not in a batch yet.
    came: Bytes,
    decoder: Decoder,
}

impl Running {
    /// What runs, and what its rows are.
    pub(super) fn new(rows: Forwarding, source: &str, described: &Described) -> Self {
        let columns = described.columns.iter().map(column).collect();
        let schema = schema_of(described);
        let decoder = Decoder { source: source.to_owned(), schema, columns, rows: 0, bytes: 0, first: true };
        Running { rows, came: Bytes::new(), decoder }
    }

    /// Its batches. Dropping them before their end cancels the statement at the source.
    pub(super) fn into_stream(self) -> BatchStream {
        Box::pin(stream::try_unfold(self, |mut running| async move {
            let batch = running.next().await?;
            Ok(batch.map(|batch| (batch, running)))
        }))
    }

    /// The next batch; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            while !self.came.is_empty() {
                if self.decoder.is_full() {
                    return self.decoder.take().map(Some);
                }
                self.decoder.row(&mut self.came)?;
            }
            let next = match self.rows.next().now_or_never() {
                Some(rows) => rows?,
                None if self.decoder.rows == 0 => self.rows.next().await?,
                None => match timeout(FLUSH_TIME, self.rows.next()).await {
                    Ok(rows) => rows?,
                    Err(_) => return self.decoder.take().map(Some),
                },
            };
            match next {
                Some((rows, _)) => self.came = rows,
                None if self.decoder.rows > 0 => return self.decoder.take().map(Some),
                None => return Ok(None),
            }
        }
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

    /// Takes the next row off what came.
    fn row(&mut self, came: &mut Bytes) -> Result<()> {
        let broken = |source: &str| errors::protocol(source, "a row that ends early");
        if came.len() < ROW_HEADER {
            return Err(broken(&self.source));
        }
        came.advance(ROW_HEADER);
        for column in &mut self.columns {
            let length = came.try_get_i32().map_err(|_| broken(&self.source))?;
            // NULL has a length of -1.
            let value = match usize::try_from(length) {
                Ok(length) if length > came.len() => return Err(broken(&self.source)),
                Ok(length) => Some(came.split_to(length)),
                Err(_) => None,
            };
            self.bytes += value.as_ref().map_or(4, |value| value.len() + 4);
            column.append(value.as_deref()).map_err(|error| errors::value(&self.source, &column.name, error))?;
        }
        self.rows += 1;
        Ok(())
    }

    fn take(&mut self) -> Result<RecordBatch> {
        self.first = false;
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        let arrays: Vec<ArrayRef> = self.columns.iter_mut().map(|column| column.builder.finish()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|error| Error::internal("columns of a source do not fit their schema").with_cause(error))
    }
}
