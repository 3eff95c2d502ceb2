//! What a transaction holds at its source: when it begins there, what may run beside it, how it ends.
//! Must not know: statements, how a source does it.

use std::sync::Arc;

use super::prepare::Prepared;
use super::{Query, RunningStatement, died, pass};
use crate::engine::datafusion::Inside;
use crate::engine::passthrough::{Savepoint, Upstream};
use crate::error::{Error, Notices, Result, SqlState};
use crate::session::Session;
use crate::sql::print::begin_transaction;

/// What a statement wants of the source that runs it.
#[derive(Clone, Copy)]
pub(super) enum Wants<'a> {
    /// To read, as this plan.
    Read(&'a Prepared),
    /// To write: the command's tag.
    Write(&'static str),
}

/// The transaction that a statement of this source runs in; `None`: it runs alone. It begins with the first statement of a block, and with
/// the first that writes.
///
/// # Errors
/// `0A000` where the transaction is at another source, to which it has written or this one shall be; `25006` for what may not write.
pub(super) async fn of_statement(
    query: &Query,
    session: &mut Session,
    running: &RunningStatement,
    (source, wants): (&str, Wants<'_>),
) -> Result<Option<Arc<Upstream>>> {
    if let Wants::Write(tag) = wants {
        may_write(query, session, source, tag)?;
    }
    if let Some(upstream) = session.transaction.remote::<Upstream>() {
        if upstream.source() == source {
            return Ok(Some(upstream));
        }
        return match wants {
            Wants::Read(_) => may_read_beside(&upstream, source).map(|()| None),
            Wants::Write(_) => Err(Error::unsupported(format!(
                "a transaction at source \"{}\" cannot write to source \"{source}\"",
                upstream.source()
            ))
            .with_hint("One transaction writes to one source: no two of them commit together.")),
        };
    }
    let writer = match wants {
        Wants::Read(_) if !session.transaction.goes_on() && !keeps_snapshot(session) => return Ok(None),
        Wants::Read(planned) => planned.may_write_at(source),
        Wants::Write(_) => true,
    };
    begin(query, session, running, (source, writer)).await.map(Some)
}

/// The transaction that a statement of another engine runs in: what it reads of the transaction's own source it
/// reads inside. `None`: everything is read outside. Where later statements must see the same, the transaction begins now, at the
/// source that could still be written to, or the first.
///
/// # Errors
/// `0A000` where it would read beside what the transaction has written; `08001` where there is no connection.
pub(super) async fn of_reads(
    query: &Query,
    session: &mut Session,
    running: &RunningStatement,
    planned: &Prepared,
) -> Result<Option<Arc<Upstream>>> {
    let sources = &planned.route.sources;
    if let Some(upstream) = session.transaction.remote::<Upstream>() {
        if let Some(other) = sources.iter().find(|source| *source != upstream.source()) {
            may_read_beside(&upstream, other)?;
        }
        return Ok(sources.iter().any(|source| source == upstream.source()).then_some(upstream));
    }
    if !keeps_snapshot(session) {
        return Ok(None);
    }
    let connector = |source: &String| Some(&query.parts.catalog.source(source)?.connector);
    let mut runs = sources.iter().filter(|source| connector(source).is_some_and(|source| source.runner().is_some()));
    let writable = |source: &&String| connector(source).is_some_and(|source| source.writable());
    match runs.clone().find(writable).or_else(|| runs.next()) {
        Some(source) => begin(query, session, running, (source, planned.may_write_at(source))).await.map(Some),
        None => Ok(None),
    }
}

/// Whether a statement may write to a source, in this transaction.
///
/// # Errors
/// `25006`.
pub(super) fn may_write(query: &Query, session: &Session, source: &str, tag: &str) -> Result<()> {
    let writable = query.parts.catalog.source(source).is_some_and(|source| source.connector.writable());
    if writable && !session.vars.is_on("transaction_read_only") {
        return Ok(());
    }
    let message = format!("cannot execute {tag} in a read-only transaction");
    Err(Error::client(SqlState::READ_ONLY_SQL_TRANSACTION, message))
}

async fn begin(
    query: &Query,
    session: &mut Session,
    running: &RunningStatement,
    (source, writer): (&str, bool),
) -> Result<Arc<Upstream>> {
    let writable = query.parts.catalog.source(source).is_some_and(|source| source.connector.writable());
    // A function may write: for who may write to nothing there the source itself does not let it.
    let read_only = !writable || !writer || session.vars.is_on("transaction_read_only");
    let deferrable = session.vars.is_on("transaction_deferrable");
    let begin = begin_transaction(session.vars.text("transaction_isolation"), read_only, deferrable)?;
    let savepoints = session.transaction.depth();
    let settings: Arc<str> = pass::settings(session)?.into();
    let (engine, source, query_id) = (Arc::clone(&query.parts.passthrough), source.to_owned(), running.remote_name());
    // From the runtime of statements: the connection belongs there.
    let beginning = query
        .parts
        .threads
        .queries
        .spawn(async move { engine.begin(&source, begin, savepoints, (settings, &query_id)).await });
    let beginning = tokio_util::task::AbortOnDropHandle::new(beginning);
    let upstream = Arc::new(running.bounds().guard(async { beginning.await.map_err(died)? }).await?);
    if let Some(deferred) = session.transaction.constraints() {
        running.bounds().guard(upstream.set_constraints(deferred, &running.bounds().notices)).await?;
    }
    session.transaction.hold_remote(Arc::clone(&upstream) as _);
    Ok(upstream)
}

/// What a federated statement's reads need to know of the transaction that they are in.
pub(super) fn within(upstream: &Upstream, running: &RunningStatement) -> Inside {
    let entry = Arc::clone(running.entry());
    Inside { remote: upstream.shared(), failed: Arc::new(move || matches!(entry.outcome(), Some(Err(_)))) }
}

/// Whether the statements of the transaction see one snapshot, and there may be more than one of them.
fn keeps_snapshot(session: &Session) -> bool {
    let committed = matches!(session.vars.text("transaction_isolation"), "read committed" | "read uncommitted");
    session.transaction.is_block() && !committed
}

/// Whether a statement may read this source beside what its transaction holds at another. There is no snapshot of several sources; but what
/// has been written might be seen through the other one, too, and would be missing there.
///
/// # Errors
/// `0A000`.
fn may_read_beside(upstream: &Upstream, other: &str) -> Result<()> {
    if !upstream.wrote() {
        return Ok(());
    }
    let source = upstream.source();
    let message = format!("a transaction that has written to source \"{source}\" cannot read source \"{other}\"");
    Err(Error::unsupported(message)
        .with_detail("It would be read outside of the transaction, without what the transaction has written.")
        .with_hint("Run it in a transaction of its own."))
}

/// SET CONSTRAINTS ALL, at the source.
///
/// # Errors
/// What the constraints say that were deferred.
pub(super) async fn set_constraints(session: &Session, running: &RunningStatement, deferred: bool) -> Result<()> {
    match session.transaction.remote::<Upstream>() {
        Some(upstream) => running.bounds().guard(upstream.set_constraints(deferred, &running.bounds().notices)).await,
        None => Ok(()),
    }
}

/// Commits what the transaction holds at its source, if it holds anything.
///
/// # Errors
/// What deferred constraints say; `08006` where it is lost, `08007` where the source did not say what happened.
pub(super) async fn commit(session: &Session, notices: &Notices) -> Result<()> {
    match session.transaction.remote::<Upstream>() {
        Some(upstream) => upstream.commit(notices).await,
        None => Ok(()),
    }
}

/// Rolls back what the transaction holds at its source.
pub(super) async fn roll_back(session: &Session) {
    if let Some(upstream) = session.transaction.remote::<Upstream>() {
        upstream.roll_back().await;
    }
}

/// Rolls back what a transaction of one statement holds, of which nothing has run: it may begin anew.
pub(super) async fn let_go(session: &mut Session) {
    roll_back(session).await;
    session.transaction.let_go();
}

/// Does with a savepoint at the source what the session has done.
///
/// # Errors
/// `08006` where the transaction is lost.
pub(super) async fn savepoint(session: &Session, running: &RunningStatement, savepoint: Savepoint) -> Result<()> {
    match session.transaction.remote::<Upstream>() {
        Some(upstream) => running.bounds().guard(upstream.savepoint(savepoint)).await,
        None => Ok(()),
    }
}
