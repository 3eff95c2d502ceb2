//! Rows on their way to a client: their shape, their stream, their tag, and the one pump that bounds them.
//! Must not know: engines, sources, sockets.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arrow::datatypes::{FieldRef, SchemaRef};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Notices, Result, SqlState};
use crate::types::{self, PgType};

/// Rows on their way, in parts. Dropping it stops whatever produces them.
pub type PartStream<T> = Pin<Box<dyn Stream<Item = Result<T>> + Send>>;

/// Batches on their way.
pub type BatchStream = PartStream<RecordBatch>;

/// Rows on their way as a client takes them: whole DataRow messages, and how many.
pub type WireStream = PartStream<(Bytes, u64)>;

/// What passes a [`pump`].
pub trait Part {
    /// How many rows are in it.
    fn rows(&self) -> u64;
    /// How many bytes it takes.
    fn bytes(&self) -> u64;
}

impl Part for RecordBatch {
    fn rows(&self) -> u64 {
        self.num_rows() as u64
    }

    fn bytes(&self) -> u64 {
        self.get_array_memory_size() as u64
    }
}

impl Part for (Bytes, u64) {
    fn rows(&self) -> u64 {
        self.1
    }

    fn bytes(&self) -> u64 {
        self.0.len() as u64
    }
}

/// One column of a result, as RowDescription tells it.
#[derive(Debug, Clone)]
pub struct ColumnShape {
    /// The output name, as PostgreSQL would give it.
    pub name: String,
    /// Its type.
    pub ty: PgType,
    /// The relation's oid where the column is a plain table column; otherwise 0.
    pub table_oid: u32,
    /// The column's number in that relation; otherwise 0.
    pub attnum: i16,
    /// How its values come in batches: the Arrow type, with PostgreSQL's type in the metadata.
    pub field: FieldRef,
}

/// The columns of a result.
#[derive(Debug, Clone, Default)]
pub struct RowShape {
    /// In order. May be empty: `SELECT FROM t` is legal.
    pub columns: Vec<ColumnShape>,
}

impl RowShape {
    /// The shape of batches with this schema, no column of which belongs to a table.
    #[must_use]
    pub fn of_schema(schema: &SchemaRef) -> Self {
        let columns = schema
            .fields()
            .iter()
            .map(|field| ColumnShape {
                name: field.name().clone(),
                ty: types::pg_type_of(field),
                table_oid: 0,
                attnum: 0,
                field: Arc::clone(field),
            })
            .collect();
        RowShape { columns }
    }

    /// Whether clients would see a difference: names, types and modifiers.
    #[must_use]
    pub fn same_for_clients(&self, other: &RowShape) -> bool {
        self.columns.len() == other.columns.len()
            && self.columns.iter().zip(&other.columns).all(|(a, b)| a.name == b.name && a.ty == b.ty)
    }
}

/// Rows of one statement.
pub struct Rows {
    /// What they look like.
    pub shape: Arc<RowShape>,
    /// The batches; their columns are the shape's fields, in order.
    pub batches: BatchStream,
}

impl Rows {
    /// One batch that is there already.
    #[must_use]
    pub fn from_batch(batch: RecordBatch) -> Self {
        let shape = Arc::new(RowShape::of_schema(&batch.schema()));
        Rows { shape, batches: Box::pin(futures::stream::once(async move { Ok(batch) })) }
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("shape", &self.shape).finish_non_exhaustive()
    }
}

/// What a statement returns.
#[derive(Debug)]
pub enum Answer {
    /// Rows to be encoded.
    Batches(Rows),
    /// Rows in the formats that were asked for.
    Wire(WireRows),
}

/// Rows that are encoded already.
pub struct WireRows {
    /// What they look like.
    pub shape: Arc<RowShape>,
    /// The messages.
    pub messages: WireStream,
}

impl Answer {
    /// What they look like.
    #[must_use]
    pub fn shape(&self) -> &Arc<RowShape> {
        match self {
            Answer::Batches(rows) => &rows.shape,
            Answer::Wire(rows) => &rows.shape,
        }
    }

    /// The rows of who asked for no formats.
    ///
    /// # Errors
    /// `XX000`: never, such rows are batches.
    pub fn into_rows(self) -> Result<Rows> {
        match self {
            Answer::Batches(rows) => Ok(rows),
            Answer::Wire(_) => Err(Error::internal("rows in a format that nobody asked for")),
        }
    }
}

impl fmt::Debug for WireRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireRows").field("shape", &self.shape).finish_non_exhaustive()
    }
}

/// Where rows are kept that have been read, to be read again: in memory, then in a file, within bounds.
#[async_trait]
pub trait RowStore: Send + Sync {
    /// Keeps a batch behind those that are kept.
    ///
    /// # Errors
    /// `53200` or `53100` where there is no room. What was kept before stays.
    async fn push(&mut self, batch: &RecordBatch) -> Result<()>;

    /// The batch that holds the row of this number, from 0, and the number of its own first row.
    ///
    /// # Errors
    /// `58030` where the file cannot be read; `XX000` for a row that is not kept.
    async fn at(&mut self, row: u64) -> Result<(RecordBatch, u64)>;

    /// From now on rows may go to a file where memory is not meant for more.
    fn allow_file(&mut self);
}

/// What CommandComplete says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandTag {
    /// `SELECT n`, with the rows that this execution sent.
    Select,
    /// `FETCH n`, likewise.
    Fetch,
    /// `MOVE n`, with the rows that were passed over: it sends none.
    Move(u64),
    /// `COPY n`, likewise.
    Copy,
    /// `UPDATE n`, `INSERT 0 n`: so many rows were written, or as many as this execution sent.
    Modified(&'static str, Option<u64>),
    /// A word or two without a count: `SET`, `BEGIN`, `EXPLAIN`.
    Plain(&'static str),
}

impl CommandTag {
    /// The text of the tag, for this many rows.
    #[must_use]
    pub fn text(&self, rows: u64) -> String {
        match self {
            CommandTag::Select => format!("SELECT {rows}"),
            CommandTag::Fetch => format!("FETCH {rows}"),
            CommandTag::Move(passed) => format!("MOVE {passed}"),
            CommandTag::Copy => format!("COPY {rows}"),
            CommandTag::Modified("INSERT", written) => format!("INSERT 0 {}", written.unwrap_or(rows)),
            CommandTag::Modified(verb, written) => format!("{verb} {}", written.unwrap_or(rows)),
            CommandTag::Plain(text) => (*text).to_owned(),
        }
    }
}

/// What passed a pump.
#[derive(Debug, Default)]
pub struct Passed {
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl Passed {
    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Bytes so far, as batches hold them.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// The bounds of one statement's rows. They hold on every route.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Cancelled by the user, by a lost client or by an administrator.
    pub cancel: CancellationToken,
    /// When the statement times out.
    pub deadline: Option<Instant>,
    /// When its transaction times out, which ends the session.
    pub transaction_deadline: Option<Instant>,
    /// Rows at most.
    pub max_rows: Option<u64>,
    /// Bytes at most.
    pub max_bytes: Option<u64>,
    /// Counts what passes.
    pub passed: Arc<Passed>,
    /// What is to be told beside the rows.
    pub notices: Notices,
}

impl Bounds {
    /// No bound but the token.
    #[must_use]
    pub fn cancelled_by(cancel: CancellationToken) -> Self {
        Bounds {
            cancel,
            deadline: None,
            transaction_deadline: None,
            max_rows: None,
            max_bytes: None,
            passed: Arc::default(),
            notices: Notices::default(),
        }
    }

    /// Waits for `work`, unless the statement is cancelled or times out first.
    ///
    /// # Errors
    /// `57014` for both; the work is dropped. `25P04` where its transaction times out: the session is to be ended.
    pub async fn guard<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::canceled()),
            () = until(self.transaction_deadline) => Err(transaction_timed_out()),
            () = until(self.deadline) => Err(Error::timed_out()),
            done = work => done,
        }
    }

    /// The bounds of a stream whose rows are taken in parts: it can be cancelled, and nothing more. Whoever takes a part lays its own
    /// deadline on that, and counts what it took with [`Bounds::take`].
    #[must_use]
    pub fn of_parts(&self) -> Bounds {
        Bounds { notices: self.notices.clone(), ..Bounds::cancelled_by(self.cancel.clone()) }
    }

    /// The same bounds with another deadline: of one part of a statement.
    #[must_use]
    pub fn until(&self, deadline: Option<Instant>) -> Bounds {
        Bounds { deadline, ..self.clone() }
    }

    /// Counts rows that pass.
    ///
    /// # Errors
    /// `54000` once a limit is passed.
    pub fn take(&self, rows: u64, size: u64) -> Result<()> {
        let rows = self.passed.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        let bytes = self.passed.bytes.fetch_add(size, Ordering::Relaxed) + size;
        if let Some(limit) = self.max_rows.filter(|limit| rows > *limit) {
            return Err(limit_hit("max_rows", &limit.to_string()));
        }
        if let Some(limit) = self.max_bytes.filter(|limit| bytes > *limit) {
            return Err(limit_hit("max_bytes", &limit.to_string()));
        }
        Ok(())
    }
}

fn limit_hit(name: &str, limit: &str) -> Error {
    Error::resource(SqlState::PROGRAM_LIMIT_EXCEEDED, format!("result exceeds {name} of {limit}"))
        .with_detail("The limit belongs to a role of this user.")
}

/// The end of a session whose transaction took too long, in PostgreSQL 17's words.
#[must_use]
pub fn transaction_timed_out() -> Error {
    Error::resource(SqlState::TRANSACTION_TIMEOUT, "terminating connection due to transaction timeout")
}

/// Waits for a moment; `None`: for ever.
pub async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// The pump: passes rows on until the statement is cancelled, times out or breaks a limit. On any of these the inner stream is
/// dropped before the error is handed out, so that the source is told at once.
#[must_use]
pub fn pump<T: Part + Send + 'static>(inner: PartStream<T>, bounds: Bounds) -> PartStream<T> {
    let pumped = futures::stream::unfold(Some((inner, bounds)), |state| async move {
        let (mut inner, bounds) = state?;
        let next = bounds.guard(async { inner.next().await.transpose() }).await;
        match next {
            Ok(None) => None,
            Ok(Some(part)) => match bounds.take(part.rows(), part.bytes()) {
                Ok(()) => Some((Ok(part), Some((inner, bounds)))),
                Err(error) => {
                    drop(inner);
                    Some((Err(error), None))
                }
            },
            Err(error) => {
                drop(inner);
                Some((Err(error), None))
            }
        }
    });
    // Asked again after its end, it is at its end.
    Box::pin(pumped.fuse())
}

/// How long a statement may take from now on; zero and `None`: for ever.
#[must_use]
pub fn deadline_after(timeout: Option<Duration>) -> Option<Instant> {
    timeout.filter(|timeout| !timeout.is_zero()).and_then(|timeout| Instant::now().checked_add(timeout))
}
