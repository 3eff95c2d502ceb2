//! What a whole statement is at a PostgreSQL source: its parameters, its columns, and how they come.
//! Must not know: how a statement was printed, how it runs.

use std::sync::Arc;

use tokio::time::timeout;
use tokio_postgres::types::{Kind, Type};

use super::complaint::Complaint;
use super::forward;
use super::kept::Key;
use super::lease::Lease;
use super::pool::Pool;
use super::relay::{self, Own};
use super::talk::Before;
use super::trouble::Trouble;
use crate::error::{Error, Fault, Result, SqlState};
use crate::source::{Body, Described, DescribedColumn, WholeStatement};
use crate::types::{PgType, binary_readable};

/// Types that users make have oids from here on.
pub(super) const FIRST_USER_OID: u32 = 16384;

/// Types whose input looks names up: a parameter of one could ask for any name.
const LOOKING: [u32; 12] = [24, 1033, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191];

/// Has a statement described: on an idle connection, if it answers, in one round trip; in none, if another of its skeleton was.
pub(super) async fn describe(pool: &Arc<Pool>, whole: &WholeStatement) -> Result<Described> {
    let Some(skeleton) = &whole.skeleton else { return ask(pool, whole).await };
    let epoch = pool.epoch();
    if let Some(known) = pool.skeletons.get(epoch, &whole.session, skeleton) {
        let known = Described::clone(&known);
        return Ok(complete(whole, known.parameters, known.columns));
    }
    let described = ask(pool, whole).await?;
    pool.skeletons.put(epoch, &whole.session, skeleton, &described);
    Ok(described)
}

async fn ask(pool: &Arc<Pool>, whole: &WholeStatement) -> Result<Described> {
    if let Some(mut lease) = pool.lease_idle() {
        let before = lease.before(&whole.query_id, &whole.session);
        match describe_on(&mut lease, whole, &before).await? {
            // Another connection may do.
            Err(Trouble::Silent) => {}
            told => return describe_end(lease, (whole, pool.source()), told, &before),
        }
    }
    let mut lease = pool.lease_in(&whole.query_id, &whole.session).await?;
    let told = describe_on(&mut lease, whole, &Before::Nothing).await?;
    describe_end(lease, (whole, pool.source()), told, &Before::Nothing)
}

/// A statement has been described or refused, after its connection was told what stands before it.
fn describe_end(
    mut lease: Lease,
    (whole, source): (&WholeStatement, &str),
    told: std::result::Result<Result<Described>, Trouble>,
    before: &Before,
) -> Result<Described> {
    let (described, healthy) = match told {
        Ok(described) => (described, true),
        Err(trouble) => {
            let (error, healthy) = forward::told(source, trouble, (&whole.words, 0));
            // What is missing that the client did not name was there when the schema was read.
            let gone = [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN].contains(&error.state());
            let outdated = error.fault() == Fault::Source && gone;
            (Err(if outdated { error.unrun() } else { error }), healthy)
        }
    };
    if healthy {
        lease.settled(before, described.is_err(), (&whole.query_id, &whole.session));
        lease.finish();
    }
    described
}

/// Has a statement described on this connection. What the source refuses is told apart from what we do. The protocol library is asked where
/// types are the source's own: it looks up what they are.
pub(super) async fn describe_on(
    lease: &mut Lease,
    whole: &WholeStatement,
    before: &Before,
) -> Result<std::result::Result<Result<Described>, Trouble>> {
    let asked = match relay::describe(lease, whole, before).await? {
        Ok(asked) => asked,
        Err(trouble) => return Ok(Err(trouble)),
    };
    let unknown = |column: &relay::Column| column.oid >= FIRST_USER_OID && column.own.is_none();
    if !asked.columns.iter().any(unknown) {
        return Ok(Ok(described(whole, &asked.parameters, &asked.columns)));
    }
    let columns = match looked_up(lease, whole, &asked).await? {
        Ok(columns) => columns,
        Err(trouble) => return Ok(Err(trouble)),
    };
    let key = Key { session: &whole.session, sql: &whole.sql, parameters: &asked.parameters };
    if let Some(named) = lease.named(&key) {
        lease.name(&key, named.with_columns(Arc::clone(&columns)));
    }
    Ok(Ok(described(whole, &asked.parameters, &columns)))
}

/// A statement's columns, with what their types are: the protocol library looks that up.
async fn looked_up(
    lease: &mut Lease,
    whole: &WholeStatement,
    asked: &relay::Said,
) -> Result<std::result::Result<Arc<[relay::Column]>, Trouble>> {
    let types: Vec<Type> = asked.parameters.iter().map(|oid| Type::from_oid(*oid).unwrap_or(Type::UNKNOWN)).collect();
    let time = lease.timeout();
    let statement = match timeout(time, lease.client()?.prepare_typed(&whole.sql, &types)).await {
        Ok(Ok(statement)) => statement,
        Ok(Err(error)) => {
            let said = error.as_db_error().map(Complaint::of);
            return Ok(Err(said.map_or(Trouble::Silent, Trouble::Refused)));
        }
        Err(_) => return Ok(Err(Trouble::Silent)),
    };
    let own = |at: usize| {
        Some(match statement.columns().get(at)?.type_().kind() {
            Kind::Enum(_) => Own::Enum,
            Kind::Array(_) => Own::Array,
            Kind::Composite(_) => Own::Composite,
            _ => Own::Other,
        })
    };
    let column = |(at, column): (usize, &relay::Column)| relay::Column { own: own(at), ..column.clone() };
    Ok(Ok(asked.columns.iter().enumerate().map(column).collect()))
}

/// What a statement is, with columns of types that are read as text cast to it.
fn described(whole: &WholeStatement, parameters: &[u32], columns: &[relay::Column]) -> Result<Described> {
    let parameters = parameters.iter().copied().map(parameter).collect::<Result<Vec<_>>>()?;
    let one = |column: &relay::Column| {
        let (ty, as_text) = column_type(column);
        let sent_as_is = matches!(ty.bare(), PgType::MONEY | PgType::MONEY_ARRAY);
        DescribedColumn { name: column.name.clone(), ty, oid: column.oid, origin: column.origin, as_text, sent_as_is }
    };
    let columns = columns.iter().map(one).collect();
    Ok(complete(whole, parameters, columns))
}

/// The same, with the text that is run.
fn complete(whole: &WholeStatement, parameters: Vec<(PgType, u32)>, columns: Vec<DescribedColumn>) -> Described {
    if !columns.iter().any(|column| column.as_text) {
        return Described { parameters, columns, sql: Arc::clone(&whole.sql), shift: 0 };
    }
    let item = |(at, column): (usize, &DescribedColumn)| {
        if column.as_text { format!("\"c{at}\"::pg_catalog.text") } else { format!("\"c{at}\"") }
    };
    let items: Vec<String> = columns.iter().enumerate().map(item).collect();
    let names: Vec<String> = (0..columns.len()).map(|at| format!("\"c{at}\"")).collect();
    let (sql, shift) = around(whole, &items.join(", "), &names.join(", "));
    Described { parameters, columns, sql: sql.into(), shift }
}

/// A query of these items over a statement's columns, called so; and the characters before the statement in it.
fn around(whole: &WholeStatement, items: &str, names: &str) -> (String, u32) {
    let Some(Body { at, reads }) = whole.body else {
        let head = format!("SELECT {items} FROM (");
        let shift = u32::try_from(head.chars().count()).unwrap_or(u32::MAX);
        return (format!("{head}{}) AS \"q\" ({names})", whole.sql), shift);
    };
    let (with, body) = whole.sql.split_at_checked(at).unwrap_or(("", &whole.sql));
    let sql = if reads {
        format!("{with}SELECT {items} FROM ({body}) AS \"q\" ({names})")
    } else {
        let with = if with.is_empty() { "WITH ".to_owned() } else { format!("{}, ", with.trim_end()) };
        format!("{with}\"tusk_q\" ({names}) AS ({body}) SELECT {items} FROM \"tusk_q\" AS \"q\"")
    };
    // Parts of it have moved by more than others: no place of it is told.
    (sql, u32::MAX)
}

/// A parameter's type towards the client: what is not PostgreSQL's own is text, and money, whose values only the source can read.
fn parameter(oid: u32) -> Result<(PgType, u32)> {
    if LOOKING.contains(&oid) {
        return Err(Error::unsupported("a parameter of this type cannot be sent to a source"));
    }
    let pg = PgType::new(oid);
    let text_alone = matches!(pg, PgType::RECORD | PgType::MONEY | PgType::MONEY_ARRAY);
    let known = oid < FIRST_USER_OID && pg.row().is_some() && !text_alone;
    Ok((if known { pg } else { PgType::TEXT }, oid))
}

/// A column's type towards the client, and whether it comes as text.
fn column_type(column: &relay::Column) -> (PgType, bool) {
    let pg = PgType::with_typmod(column.oid, column.typmod);
    if column.oid < FIRST_USER_OID {
        return match pg.row() {
            Some(_) => (pg, !binary_readable(column.oid) || LOOKING.contains(&column.oid)),
            None => (PgType::TEXT, true),
        };
    }
    match column.own {
        // The binary form of an enum's value is its label.
        Some(Own::Enum) => (PgType::TEXT, false),
        Some(Own::Array) => (PgType::TEXT_ARRAY, true),
        Some(Own::Composite) => (PgType::RECORD, true),
        Some(Own::Other) | None => (PgType::TEXT, true),
    }
}

pub(super) fn changed(source: &str) -> Error {
    Error::source_fault(SqlState::FEATURE_NOT_SUPPORTED, "cached plan must not change result type")
        .with_detail(format!("The columns of a table of source \"{source}\" have changed."))
}
