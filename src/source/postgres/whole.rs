//! Whole statements at a PostgreSQL source, in the extended protocol: one statement, its parameters apart, its rows in binary.
//! Must not know: how a statement was printed.

use std::error::Error as StdError;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::BytesMut;
use futures::stream;
use tokio::time::timeout;
use tokio_postgres::types::{Format, IsNull, Kind, ToSql, Type};
use tokio_postgres::{Client, RowStream, Statement};

use super::errors;
use super::kept::Key;
use super::pool::{Lease, Pool};
use super::rows::{On, Open, Running, failed};
use crate::error::{Error, Result, SqlState};
use crate::source::{Argument, BatchStream, Described, DescribedColumn, WholeStatement};
use crate::types::{PgType, binary_readable};

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
    match describe_on(&mut lease, whole).await? {
        Ok(described) => {
            lease.finish();
            described
        }
        Err(error) => Err(failed(On::Lease(Box::new(lease)), pool.source(), error, whole, 0)),
    }
}

/// Has a statement described on this connection. What the source refuses is told apart from what we do.
pub(super) async fn describe_on(lease: &mut Lease, whole: &WholeStatement) -> Result<Said<Result<Described>>> {
    let statement = match prepared(lease, &whole.session, &whole.sql, &whole.parameters).await? {
        Ok(statement) => statement,
        Err(error) => return Ok(Err(error)),
    };
    // It will be run with the types that were found out.
    let types: Vec<u32> = statement.params().iter().map(Type::oid).collect();
    lease.keep(&Key { session: &whole.session, sql: &whole.sql, parameters: &types }, &statement);
    Ok(Ok(described(whole, &statement)))
}

/// What the source did, or said instead.
pub(super) type Said<T> = std::result::Result<T, tokio_postgres::Error>;

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

/// The statement as the connection has it prepared, or gets it prepared now.
async fn prepared(lease: &mut Lease, session: &Arc<str>, sql: &str, parameters: &[u32]) -> Result<Said<Statement>> {
    let key = Key { session, sql, parameters };
    if let Some(statement) = lease.kept(&key) {
        return Ok(Ok(statement));
    }
    let found = parsed(lease, sql, parameters).await?;
    Ok(found.inspect(|statement| lease.keep(&key, statement)))
}

async fn parsed(lease: &mut Lease, sql: &str, parameters: &[u32]) -> Result<Said<Statement>> {
    let types: Vec<Type> = parameters.iter().map(|oid| Type::from_oid(*oid).unwrap_or(Type::UNKNOWN)).collect();
    Ok(lease.client()?.prepare_typed(sql, &types).await)
}

/// Why a statement did not start.
pub(super) enum Refused {
    /// The source says so.
    Said(tokio_postgres::Error),
    /// Its columns are not those that were described.
    Changed,
}

/// Starts a statement on this connection. `keep`: it may come again.
pub(super) async fn start_on(
    lease: &mut Lease,
    whole: &WholeStatement,
    described: &Described,
    (arguments, keep): (&[Argument], bool),
) -> Result<std::result::Result<Pin<Box<RowStream>>, Refused>> {
    let types: Vec<u32> = described.parameters.iter().map(|(_, oid)| *oid).collect();
    let found = match keep {
        true => prepared(lease, &whole.session, &described.sql, &types).await?,
        false => parsed(lease, &described.sql, &types).await?,
    };
    let statement = match found {
        Ok(statement) => statement,
        Err(error) => return Ok(Err(Refused::Said(error))),
    };
    if !same_columns(&statement, described) {
        return Ok(Err(Refused::Changed));
    }
    let opened = lease.client()?.query_raw(&statement, arguments).await;
    Ok(opened.map(Box::pin).map_err(Refused::Said))
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
        let open = match self.at_once().await? {
            Some(open) => open,
            None => self.in_steps().await?,
        };
        let Waiting { pool, whole, described, .. } = self;
        Ok(Running::new(open, pool.source(), whole, &described))
    }

    /// On an idle connection that has the statement prepared: everything is sent at once, and costs one round trip. `None`: there is none,
    /// or it turned out to be lost before it said anything, or does not have the statement any more.
    async fn at_once(&self) -> Result<Option<Open>> {
        let types: Vec<u32> = self.described.parameters.iter().map(|(_, oid)| *oid).collect();
        let Some((mut lease, first)) = self.pool.lease_idle(&self.whole.query_id, &self.whole.session) else {
            return Ok(None);
        };
        let key = Key { session: &self.whole.session, sql: &self.described.sql, parameters: &types };
        let Some(statement) = lease.kept(&key) else { return Ok(None) };
        if !same_columns(&statement, &self.described) {
            return Ok(None);
        }
        let (set, opened) = self.both(lease.client()?, &first, &statement).await;
        match set {
            Some(Ok(())) => lease.settled(&self.whole.session),
            Some(Err(error)) if error.as_db_error().is_some() => {
                return Err(errors::setting(self.pool.source(), error));
            }
            // Nothing came back: another connection may do.
            Some(Err(_)) | None => return Ok(None),
        }
        let Some(opened) = opened else { return Ok(None) };
        match opened {
            Ok(rows) => Ok(Some((Box::pin(rows), On::Lease(Box::new(lease))))),
            Err(error) if is_stale(&error) => {
                self.pool.forget_prepared();
                lease.finish();
                Ok(None)
            }
            Err(error) => Err(self.failed(lease, error)),
        }
    }

    /// Sends what is to be said before a statement and the statement, both at once. A connection that answers neither is not waited for:
    /// what was said before it is `None` then.
    async fn both(
        &self,
        client: &Client,
        first: &str,
        statement: &Statement,
    ) -> (Option<Said<()>>, Option<Said<RowStream>>) {
        let mut set = pin!(timeout(self.pool.timeout() / 2, client.batch_execute(first)));
        let mut opened = pin!(client.query_raw(statement, &self.arguments));
        let mut early = None;
        let set = loop {
            tokio::select! {
                biased;
                set = &mut set => break set.ok(),
                rows = &mut opened, if early.is_none() => early = Some(rows),
            }
        };
        match (&set, early) {
            (Some(Ok(())), None) => (set, Some(opened.await)),
            (_, early) => (set, early),
        }
    }

    async fn in_steps(&self) -> Result<Open> {
        let mut lease = self.pool.lease_in(&self.whole.query_id, &self.whole.session).await?;
        let mut again = true;
        loop {
            match start_on(&mut lease, &self.whole, &self.described, (&self.arguments, true)).await? {
                Ok(rows) => return Ok((rows, On::Lease(Box::new(lease)))),
                Err(Refused::Said(error)) if is_stale(&error) && std::mem::take(&mut again) => {
                    self.pool.forget_prepared();
                }
                Err(Refused::Said(error)) => return Err(self.failed(lease, error)),
                Err(Refused::Changed) => {
                    self.pool.forget_prepared();
                    lease.finish();
                    return Err(changed(self.pool.source()));
                }
            }
        }
    }

    fn failed(&self, lease: Lease, error: tokio_postgres::Error) -> Error {
        failed(On::Lease(Box::new(lease)), self.pool.source(), error, &self.whole, self.described.shift)
    }
}

/// What a connection has prepared is gone, or does not fit its tables any more.
pub(super) fn is_stale(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| matches!(code.code(), "26000" | "0A000"))
}

fn same_columns(statement: &Statement, described: &Described) -> bool {
    let columns = statement.columns();
    columns.len() == described.columns.len()
        && columns.iter().zip(&described.columns).all(|(now, then)| {
            let typmod = then.oid >= FIRST_USER_OID || now.type_modifier() == then.ty.typmod;
            then.as_text || (now.type_().oid() == then.oid && typmod)
        })
}

pub(super) fn changed(source: &str) -> Error {
    Error::source_fault(SqlState::FEATURE_NOT_SUPPORTED, "cached plan must not change result type")
        .with_detail(format!("The columns of a table of source \"{source}\" have changed."))
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
