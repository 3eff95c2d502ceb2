//! Statements that read no data: SET, SHOW, transactions, and the cleaning up of connection pools.
//! Must not know: engines, sources, sockets.

mod maintenance;
mod settings;

use std::sync::Arc;

pub(super) use maintenance::maintain;

use super::{Outcome, RunningStatement};
use crate::error::{Error, Notices, Result, SqlState};
use crate::rows::{Answer, CommandTag, RowShape};
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
pub(super) fn run(session: &mut Session, running: &RunningStatement, statement: &Statement) -> Result<Outcome> {
    let notices = &running.bounds().notices;
    let mut outcome = Outcome { rows: None, tag: CommandTag::Plain(statement.tag()) };
    match &statement.kind {
        StatementKind::Set(assignments) => settings::set(session, assignments, notices)?,
        StatementKind::Reset(name) => settings::reset(session, name, notices)?,
        StatementKind::ResetAll => session.vars.reset_all(),
        StatementKind::Show(name) => outcome.rows = Some(Answer::Batches(settings::show(session, name)?)),
        StatementKind::ShowAll => outcome.rows = Some(Answer::Batches(settings::show_all(session)?)),
        StatementKind::Begin { modes, .. } => begin(session, *modes, notices)?,
        StatementKind::Commit { chain } => match session.commit(*chain)? {
            CommitOutcome::Committed => {}
            CommitOutcome::RolledBack => outcome.tag = CommandTag::Plain("ROLLBACK"),
            CommitOutcome::NoBlock => no_transaction(notices),
        },
        StatementKind::Rollback { chain } => {
            if !session.rollback(*chain)? {
                no_transaction(notices);
            }
        }
        StatementKind::Savepoint(name) => session.savepoint(name)?,
        StatementKind::ReleaseSavepoint(name) => session.release_savepoint(name)?,
        StatementKind::RollbackToSavepoint(name) => session.rollback_to_savepoint(name)?,
        StatementKind::Discard(what) => discard(session, *what)?,
        StatementKind::Deallocate(name) => deallocate(session, name.as_deref())?,
        StatementKind::ClosePortal(name) => close(session, name.as_deref())?,
        StatementKind::Listen(channel) => session.listen(channel)?,
        StatementKind::Unlisten(channel) => session.unlisten(channel.as_deref()),
        StatementKind::Notify { channel, payload } => session.notify(channel, payload)?,
        StatementKind::PrepareTransaction => {
            prepare_transaction(session, notices)?;
            outcome.tag = CommandTag::Plain("ROLLBACK");
        }
        StatementKind::FinishPrepared { identifier, .. } => {
            if session.transaction.is_block() {
                let message = format!("{} cannot run inside a transaction block", statement.tag());
                return Err(Error::client(SqlState::ACTIVE_SQL_TRANSACTION, message));
            }
            let message = format!("prepared transaction with identifier \"{identifier}\" does not exist");
            return Err(Error::client(SqlState::UNDEFINED_OBJECT, message));
        }
        StatementKind::SetConstraints { names, deferred } => constraints(session, names, *deferred, notices)?,
        _ => return Err(unsupported(statement)),
    }
    Ok(outcome)
}

fn unsupported(statement: &Statement) -> Error {
    statement.refusal().unwrap_or_else(|| Error::unsupported(format!("{} is not supported", statement.tag())))
}

/// What PostgreSQL says where `max_prepared_transactions` is 0: the transaction is over either way.
fn prepare_transaction(session: &mut Session, notices: &Notices) -> Result<()> {
    let status = session.transaction.status();
    session.rollback(false)?;
    match status {
        TransactionStatus::InBlock => {
            return Err(Error::client(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                "prepared transactions are disabled",
            )
            .with_hint("Set max_prepared_transactions to a nonzero value."));
        }
        TransactionStatus::Failed => {}
        TransactionStatus::Idle => no_transaction(notices),
    }
    Ok(())
}

/// Constraints are those of the source that the block writes to: which it is may not be known yet.
fn constraints(session: &mut Session, names: &[String], deferred: bool, notices: &Notices) -> Result<()> {
    if let Some(name) = names.first() {
        return Err(Error::client(SqlState::UNDEFINED_OBJECT, format!("constraint \"{name}\" does not exist")));
    }
    if !session.transaction.is_block() {
        let message = "SET CONSTRAINTS can only be used in transaction blocks";
        notices.warn(SqlState::NO_ACTIVE_SQL_TRANSACTION, message);
    }
    session.transaction.set_constraints(deferred);
    Ok(())
}

fn no_transaction(notices: &Notices) {
    notices.warn(SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress");
}

fn begin(session: &mut Session, modes: TransactionModes, notices: &Notices) -> Result<()> {
    if !session.begin() {
        notices.warn(SqlState::ACTIVE_SQL_TRANSACTION, "there is already a transaction in progress");
    }
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
    Ok(())
}

fn discard(session: &mut Session, what: Discard) -> Result<()> {
    if what == Discard::Plans {
        session.plans.clear();
    }
    // There are no sequences and no temporary tables.
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
