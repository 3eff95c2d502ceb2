//! Statements that read no data: SET, SHOW, transactions, and the cleaning up of connection pools.
//! Must not know: engines, sources, sockets.

mod maintenance;
mod settings;

use std::sync::Arc;

pub(super) use maintenance::maintain;

use super::{Notice, Outcome};
use crate::error::{Error, Result, SqlState};
use crate::policy::Identity;
use crate::rows::{CommandTag, RowShape};
use crate::session::{CommitOutcome, Scope, Session, TransactionStatus};
use crate::sql::{Discard, Statement, StatementKind, TransactionModes};

/// What the rows of a utility statement look like; `None`: it has none.
///
/// # Errors
/// `42704`: SHOW of a variable that does not exist.
pub(super) fn shape(session: &Session, statement: &Statement) -> Result<Option<Arc<RowShape>>> {
    match &statement.kind {
        StatementKind::Show(name) => settings::show_shape(session, name).map(Some),
        StatementKind::ShowAll => Ok(Some(settings::show_all_shape())),
        _ => Ok(session.shape_of_named(statement)),
    }
}

/// Runs a utility statement.
///
/// # Errors
/// As PostgreSQL; `0A000` for statements that Tusk does not have yet.
pub(super) fn run(session: &mut Session, _identity: &Arc<Identity>, statement: &Statement) -> Result<Outcome> {
    let done = |notices| Outcome { rows: None, tag: CommandTag::Plain(statement.tag()), notices };
    match &statement.kind {
        StatementKind::Set(assignments) => settings::set(session, assignments).map(done),
        StatementKind::Reset(name) => settings::reset(session, name).map(done),
        StatementKind::ResetAll => {
            session.vars.reset_all();
            Ok(done(Vec::new()))
        }
        StatementKind::Show(name) => {
            let rows = settings::show(session, name)?;
            Ok(Outcome { rows: Some(rows), ..done(Vec::new()) })
        }
        StatementKind::ShowAll => {
            let rows = settings::show_all(session)?;
            Ok(Outcome { rows: Some(rows), ..done(Vec::new()) })
        }
        StatementKind::Begin { modes, .. } => begin(session, *modes).map(done),
        StatementKind::Commit { chain } => commit(session, *chain, statement.tag()),
        StatementKind::Rollback { chain } => {
            let block = session.rollback(*chain)?;
            Ok(done(if block { Vec::new() } else { vec![no_transaction()] }))
        }
        StatementKind::Savepoint(name) => session.savepoint(name).map(|()| done(Vec::new())),
        StatementKind::ReleaseSavepoint(name) => session.release_savepoint(name).map(|()| done(Vec::new())),
        StatementKind::RollbackToSavepoint(name) => session.rollback_to_savepoint(name).map(|()| done(Vec::new())),
        StatementKind::Discard(what) => discard(session, *what).map(|()| done(Vec::new())),
        StatementKind::Deallocate(name) => deallocate(session, name.as_deref()).map(|()| done(Vec::new())),
        StatementKind::ClosePortal(name) => close(session, name.as_deref()).map(|()| done(Vec::new())),
        StatementKind::Listen(channel) => session.listen(channel).map(|()| done(Vec::new())),
        StatementKind::Unlisten(channel) => {
            session.unlisten(channel.as_deref());
            Ok(done(Vec::new()))
        }
        StatementKind::Notify { channel, payload } => session.notify(channel, payload).map(|()| done(Vec::new())),
        StatementKind::PrepareTransaction => prepare_transaction(session),
        StatementKind::FinishPrepared { identifier, .. } => {
            if session.transaction.is_block() {
                let message = format!("{} cannot run inside a transaction block", statement.tag());
                return Err(Error::client(SqlState::ACTIVE_SQL_TRANSACTION, message));
            }
            let message = format!("prepared transaction with identifier \"{identifier}\" does not exist");
            Err(Error::client(SqlState::UNDEFINED_OBJECT, message))
        }
        StatementKind::SetConstraints(names) => constraints(session, names).map(done),
        _ => Err(unsupported(statement)),
    }
}

fn unsupported(statement: &Statement) -> Error {
    statement.refusal().unwrap_or_else(|| Error::unsupported(format!("{} is not supported", statement.tag())))
}

fn warning(state: SqlState, message: &str) -> Notice {
    Notice { severity: "WARNING", state, message: message.to_owned() }
}

/// What PostgreSQL says where `max_prepared_transactions` is 0: the transaction is over either way.
fn prepare_transaction(session: &mut Session) -> Result<Outcome> {
    let status = session.transaction.status();
    session.rollback(false)?;
    let notices = match status {
        TransactionStatus::InBlock => {
            return Err(Error::client(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                "prepared transactions are disabled",
            )
            .with_hint("Set max_prepared_transactions to a nonzero value."));
        }
        TransactionStatus::Failed => Vec::new(),
        TransactionStatus::Idle => vec![no_transaction()],
    };
    Ok(Outcome { rows: None, tag: CommandTag::Plain("ROLLBACK"), notices })
}

/// There is no constraint that could be deferred.
fn constraints(session: &Session, names: &[String]) -> Result<Vec<Notice>> {
    if let Some(name) = names.first() {
        return Err(Error::client(SqlState::UNDEFINED_OBJECT, format!("constraint \"{name}\" does not exist")));
    }
    if session.transaction.is_block() {
        return Ok(Vec::new());
    }
    let message = "SET CONSTRAINTS can only be used in transaction blocks";
    Ok(vec![warning(SqlState::NO_ACTIVE_SQL_TRANSACTION, message)])
}

fn no_transaction() -> Notice {
    warning(SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress")
}

fn begin(session: &mut Session, modes: TransactionModes) -> Result<Vec<Notice>> {
    let begun = session.begin();
    let on_off = |on: bool| if on { "on" } else { "off" };
    let settings = [
        ("transaction_isolation", modes.isolation),
        ("transaction_read_only", modes.read_only.map(on_off)),
        ("transaction_deferrable", modes.deferrable.map(on_off)),
    ];
    for (name, value) in settings {
        if let Some(value) = value {
            settings::check_transaction_setting(session, name, value)?;
            session.vars.set(name, value, Scope::Local)?;
        }
    }
    if begun {
        return Ok(Vec::new());
    }
    Ok(vec![warning(SqlState::ACTIVE_SQL_TRANSACTION, "there is already a transaction in progress")])
}

fn commit(session: &mut Session, chain: bool, tag: &'static str) -> Result<Outcome> {
    let (tag, notices) = match session.commit(chain)? {
        CommitOutcome::Committed => (tag, Vec::new()),
        CommitOutcome::RolledBack => ("ROLLBACK", Vec::new()),
        CommitOutcome::NoBlock => (tag, vec![no_transaction()]),
    };
    Ok(Outcome { rows: None, tag: CommandTag::Plain(tag), notices })
}

fn discard(session: &mut Session, what: Discard) -> Result<()> {
    // Plans are made anew when the catalog changes; there are no sequences and no temporary tables.
    if what != Discard::All {
        return Ok(());
    }
    if session.transaction.is_block() {
        return Err(Error::client(
            SqlState::ACTIVE_SQL_TRANSACTION,
            "DISCARD ALL cannot run inside a transaction block",
        ));
    }
    session.discard_all();
    Ok(())
}

fn deallocate(session: &mut Session, name: Option<&str>) -> Result<()> {
    match name {
        None => session.prepared.clear(),
        Some(name) => {
            session.prepared.get(name)?;
            session.prepared.remove(name);
        }
    }
    Ok(())
}

fn close(session: &mut Session, name: Option<&str>) -> Result<()> {
    match name {
        None => session.portals.clear(),
        Some(name) => session.portals.close_cursor(name)?,
    }
    Ok(())
}
