//! Whole statements at a PostgreSQL source, in the extended protocol: one statement, its parameters apart, its rows in binary.
//! Must not know: how a statement was printed.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::ArrayRef;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use bytes::BytesMut;
use futures::{FutureExt, StreamExt, stream};
use tokio::time::timeout;
use tokio_postgres::types::{Format, FromSql, IsNull, Kind, ToSql, Type};
use tokio_postgres::{Row, RowStream, Statement};

use super::errors;
use super::kept::Key;
use super::pool::{Lease, Pool};
use super::words;
use crate::error::{Error, Result, SqlState};
use crate::source::{Argument, BatchStream, Described, DescribedColumn, WholeStatement};
use crate::types::{self, ColumnBuilder, PgType, binary_readable};

/// Rows of the first batch: few, so that the first row leaves early.
const FIRST_ROWS: usize = 128;
/// Rows of every other batch.
const BATCH_ROWS: usize = 8192;
/// A batch ends after so many bytes: wide rows must not pile up.
const BATCH_BYTES: usize = 4 << 20;
/// Rows wait at most so long for others to fill their batch.
const FLUSH_TIME: Duration = Duration::from_millis(50);

/// Types that users make have oids from here on.
const FIRST_USER_OID: u32 = 16384;

/// Types whose input looks names up: a parameter of one could ask for any name.
const LOOKING: [u32; 12] = [24, 1033, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191];

/// Has a statement described.
pub(super) async fn describe(pool: &Arc<Pool>, whole: &WholeStatement) -> Result<Described> {
    // What a connection has prepared has been described.
    let idle = pool.lease_idle(&whole.query_id, &whole.session);
    let key = Key { session: &whole.session, sql: &whole.sql, parameters: &whole.parameters };
    if let Some(statement) = idle.and_then(|(lease, _)| lease.kept(&key)) {
        return described(whole, &statement);
    }
    let mut lease = pool.lease_in(&whole.query_id, &whole.session).await?;
    let statement = prepared(&mut lease, pool.source(), whole, (&whole.sql, 0), &whole.parameters).await?;
    let described = described(whole, &statement);
    lease.finish();
    // It will be run with the types that were found out.
    let types: Vec<u32> = statement.params().iter().map(Type::oid).collect();
    lease.keep(&Key { parameters: &types, ..key }, &statement);
    described
}

fn described(whole: &WholeStatement, statement: &Statement) -> Result<Described> {
    let parameters = statement.params().iter().map(parameter).collect::<Result<Vec<_>>>()?;
    let columns: Vec<DescribedColumn> = statement
        .columns()
        .iter()
        .map(|column| {
            let (ty, as_text) = column_type(column.type_(), column.type_modifier());
            let origin = column.table_oid().zip(column.column_id());
            DescribedColumn { name: column.name().to_owned(), ty, oid: column.type_().oid(), origin, as_text }
        })
        .collect();
    if !columns.iter().any(|column| column.as_text) {
        return Ok(Described { parameters, columns, sql: Arc::clone(&whole.sql), shift: 0 });
    }
    let item = |(at, column): (usize, &DescribedColumn)| {
        if column.as_text { format!("\"c{at}\"::pg_catalog.text") } else { format!("\"c{at}\"") }
    };
    let items: Vec<String> = columns.iter().enumerate().map(item).collect();
    let names: Vec<String> = (0..columns.len()).map(|at| format!("\"c{at}\"")).collect();
    let head = format!("SELECT {} FROM (", items.join(", "));
    let shift = u32::try_from(head.chars().count()).unwrap_or(u32::MAX);
    let sql = format!("{head}{}) AS \"q\" ({})", whole.sql, names.join(", "));
    Ok(Described { parameters, columns, sql: sql.into(), shift })
}

/// A parameter's type towards the client: what is not PostgreSQL's own is text.
fn parameter(ty: &Type) -> Result<(PgType, u32)> {
    if LOOKING.contains(&ty.oid()) {
        return Err(Error::unsupported("a parameter of this type cannot be sent to a source"));
    }
    let pg = PgType::new(ty.oid());
    let known = ty.oid() < FIRST_USER_OID && pg.row().is_some() && pg != PgType::RECORD;
    Ok((if known { pg } else { PgType::TEXT }, ty.oid()))
}

/// A column's type towards the client, and whether it comes as text.
fn column_type(ty: &Type, typmod: i32) -> (PgType, bool) {
    let pg = PgType::with_typmod(ty.oid(), typmod);
    if ty.oid() < FIRST_USER_OID {
        return match pg.row() {
            Some(_) => (pg, !binary_readable(ty.oid()) || LOOKING.contains(&ty.oid())),
            None => (PgType::TEXT, true),
        };
    }
    match ty.kind() {
        // The binary form of an enum's value is its label.
        Kind::Enum(_) => (PgType::TEXT, false),
        Kind::Array(_) => (PgType::TEXT_ARRAY, true),
        Kind::Composite(_) => (PgType::RECORD, true),
        _ => (PgType::TEXT, true),
    }
}

/// The statement as the connection has it prepared, or gets it prepared now. `shift`: characters of ours before it.
async fn prepared(
    lease: &mut Lease,
    source: &str,
    whole: &WholeStatement,
    (sql, shift): (&str, u32),
    parameters: &[u32],
) -> Result<Statement> {
    let key = Key { session: &whole.session, sql, parameters };
    if let Some(statement) = lease.kept(&key) {
        return Ok(statement);
    }
    let types: Vec<Type> = parameters.iter().map(|oid| Type::from_oid(*oid).unwrap_or(Type::UNKNOWN)).collect();
    let found = lease.client()?.prepare_typed(sql, &types).await;
    match found {
        Ok(statement) => {
            lease.keep(&key, &statement);
            Ok(statement)
        }
        Err(error) => {
            let (error, healthy) = words::told(source, error, lease.end(), (&*whole.words, shift));
            if healthy {
                lease.finish();
            }
            Err(error)
        }
    }
}

/// Runs when polled. Dropping the stream before its end cancels the statement at the source.
pub(super) fn run(
    pool: Arc<Pool>,
    whole: WholeStatement,
    described: Arc<Described>,
    arguments: Vec<Argument>,
) -> BatchStream {
    let waiting = State::Waiting(Box::new(Waiting { pool, whole, described, arguments }));
    Box::pin(stream::try_unfold(waiting, |state| async move {
        let mut running = match state {
            State::Waiting(waiting) => Box::new(waiting.start().await?),
            State::Running(running) => running,
        };
        let batch = running.next().await?;
        Ok(batch.map(|batch| (batch, State::Running(running))))
    }))
}

enum State {
    Waiting(Box<Waiting>),
    Running(Box<Running>),
}

struct Waiting {
    pool: Arc<Pool>,
    whole: WholeStatement,
    described: Arc<Described>,
    arguments: Vec<Argument>,
}

impl Waiting {
    async fn start(self) -> Result<Running> {
        let types: Vec<u32> = self.described.parameters.iter().map(|(_, oid)| *oid).collect();
        let (rows, lease) = match self.at_once(&types).await? {
            Some(open) => open,
            None => self.in_steps(&types).await?,
        };
        let Waiting { pool, whole, described, .. } = self;
        let schema = schema_of(&described);
        let columns = described.columns.iter().map(Column::new).collect();
        let decoder = Decoder { source: pool.source().to_owned(), schema, columns, rows: 0, bytes: 0, first: true };
        Ok(Running { open: Some((rows, lease)), decoder, whole, shift: described.shift })
    }

    /// On an idle connection that has the statement prepared: everything is sent at once, and costs one round trip. `None`: there is none,
    /// or it turned out to be lost before it said anything, or does not have the statement any more.
    async fn at_once(&self, types: &[u32]) -> Result<Option<Open>> {
        let Some((mut lease, first)) = self.pool.lease_idle(&self.whole.query_id, &self.whole.session) else {
            return Ok(None);
        };
        let key = Key { session: &self.whole.session, sql: &self.described.sql, parameters: types };
        let Some(statement) = lease.kept(&key) else { return Ok(None) };
        if !same_columns(&statement, &self.described) {
            return Ok(None);
        }
        let client = lease.client()?;
        let patience = self.pool.timeout() / 2;
        let (set, opened) = tokio::join!(
            timeout(patience, client.batch_execute(&first)),
            client.query_raw(&statement, &self.arguments)
        );
        match set {
            Ok(Ok(())) => lease.settled(&self.whole.session),
            Ok(Err(error)) if error.as_db_error().is_some() => {
                return Err(errors::setting(self.pool.source(), error));
            }
            // Nothing came back: another connection may do.
            Ok(Err(_)) | Err(_) => return Ok(None),
        }
        match opened {
            Ok(rows) => Ok(Some((Box::pin(rows), lease))),
            Err(error) if is_stale(&error) => {
                self.pool.forget_prepared();
                lease.finish();
                Ok(None)
            }
            Err(error) => Err(self.failed(lease, error)),
        }
    }

    async fn in_steps(&self, types: &[u32]) -> Result<Open> {
        let source = self.pool.source();
        let sql = &*self.described.sql;
        let mut lease = self.pool.lease_in(&self.whole.query_id, &self.whole.session).await?;
        let mut again = true;
        loop {
            let statement = prepared(&mut lease, source, &self.whole, (sql, self.described.shift), types).await?;
            if !same_columns(&statement, &self.described) {
                self.pool.forget_prepared();
                lease.finish();
                return Err(changed(source));
            }
            let opened = lease.client()?.query_raw(&statement, &self.arguments).await;
            match opened {
                Ok(rows) => return Ok((Box::pin(rows), lease)),
                Err(error) if is_stale(&error) && std::mem::take(&mut again) => self.pool.forget_prepared(),
                Err(error) => return Err(self.failed(lease, error)),
            }
        }
    }

    fn failed(&self, mut lease: Lease, error: tokio_postgres::Error) -> Error {
        let words = (&*self.whole.words, self.described.shift);
        let (error, healthy) = words::told(self.pool.source(), error, lease.end(), words);
        if healthy {
            lease.finish();
        }
        error
    }
}

/// What a connection has prepared is gone, or does not fit its tables any more.
fn is_stale(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| matches!(code.code(), "26000" | "0A000"))
}

/// Rows that come, and the connection that they come on.
type Open = (Pin<Box<RowStream>>, Lease);

/// The schema of the batches.
fn schema_of(described: &Described) -> SchemaRef {
    let fields = described.columns.iter().map(|column| types::field(&column.name, column.ty, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn same_columns(statement: &Statement, described: &Described) -> bool {
    let columns = statement.columns();
    columns.len() == described.columns.len()
        && columns.iter().zip(&described.columns).all(|(now, then)| {
            let typmod = then.oid >= FIRST_USER_OID || now.type_modifier() == then.ty.typmod;
            then.as_text || (now.type_().oid() == then.oid && typmod)
        })
}

fn changed(source: &str) -> Error {
    Error::source_fault(SqlState::FEATURE_NOT_SUPPORTED, "cached plan must not change result type")
        .with_detail(format!("The columns of a table of source \"{source}\" have changed."))
}

/// A statement that runs.
struct Running {
    /// `None`: its rows are over and the connection given back.
    open: Option<Open>,
    decoder: Decoder,
    whole: WholeStatement,
    shift: u32,
}

impl Running {
    /// The next batch; `None` after the last. The connection is back in the pool as soon as the source has sent everything.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
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
                    if let Some((_, mut lease)) = self.open.take() {
                        lease.finish();
                    }
                }
            }
        }
    }

    fn failed(&mut self, error: tokio_postgres::Error) -> Error {
        let Some((_, mut lease)) = self.open.take() else {
            return errors::lost(&self.decoder.source, Some(&error));
        };
        let (error, healthy) = words::told(&self.decoder.source, error, lease.end(), (&*self.whole.words, self.shift));
        if healthy {
            lease.finish();
        }
        error
    }

    fn take(&mut self) -> Result<RecordBatch> {
        let (batch, bytes) = self.decoder.take()?;
        self.whole.meter.add(batch.num_rows() as u64, bytes as u64);
        Ok(batch)
    }
}

/// One column on its way.
struct Column {
    name: String,
    text: bool,
    builder: ColumnBuilder,
}

impl Column {
    fn new(column: &DescribedColumn) -> Self {
        let builder = ColumnBuilder::new(column.ty, FIRST_ROWS);
        Column { name: column.name.clone(), text: column.as_text, builder }
    }

    fn append(&mut self, value: Option<&[u8]>) -> Result<()> {
        if !self.text {
            return self.builder.append_binary(value);
        }
        let text = value.map(std::str::from_utf8).transpose().map_err(|_| {
            Error::source_fault(SqlState::CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\"")
        })?;
        self.builder.append_held(text)
    }
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

impl ToSql for Argument {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match &self.value {
            None => Ok(IsNull::Yes),
            Some(bytes) => {
                out.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        if self.binary { Format::Binary } else { Format::Text }
    }

    fn to_sql_checked(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn StdError + Sync + Send>> {
        self.to_sql(ty, out)
    }
}
