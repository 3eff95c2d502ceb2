//! SET, SHOW and RESET.
//! Must not know: what the variables do.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringViewArray};
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;

use super::warning;
use crate::error::{Error, Result, SqlState};
use crate::query::Notice;
use crate::rows::{RowShape, Rows};
use crate::session::{Check, Kind, Scope, Session, VARIABLES, Variable, find_variable};
use crate::sql::{Assignment, SetScope, SetValue};
use crate::types::{self, PgType};

/// SET, in all its forms.
pub(super) fn set(session: &mut Session, assignments: &[Assignment]) -> Result<Vec<Notice>> {
    let mut notices = Vec::new();
    for assignment in assignments {
        let scope = scope(session, assignment, &mut notices);
        let text = text(assignment)?;
        if let Some(text) = &text {
            check_transaction_setting(session, &assignment.name, text)?;
        }
        match text {
            Some(text) => session.vars.set(&assignment.name, &text, scope)?,
            None => session.vars.reset(&assignment.name, scope)?,
        }
    }
    notices.truncate(1);
    Ok(notices)
}

/// SET LOCAL and SET TRANSACTION do nothing outside a block, and PostgreSQL says so.
fn scope(session: &Session, assignment: &Assignment, notices: &mut Vec<Notice>) -> Scope {
    match assignment.scope {
        SetScope::Session => Scope::Session,
        SetScope::Local => {
            if !session.transaction.is_block() {
                let what = if assignment.name.starts_with("transaction_") { "SET TRANSACTION" } else { "SET LOCAL" };
                let message = format!("{what} can only be used in transaction blocks");
                notices.push(warning(SqlState::NO_ACTIVE_SQL_TRANSACTION, &message));
            }
            Scope::Local
        }
    }
}

fn variable(name: &str) -> Option<&'static Variable> {
    find_variable(name).and_then(|index| VARIABLES.get(index))
}

/// The one text of a value; `None`: DEFAULT.
fn text(assignment: &Assignment) -> Result<Option<String>> {
    let SetValue::List(values) = &assignment.value else { return Ok(None) };
    let kind = variable(&assignment.name).map(|variable| variable.kind);
    let names = matches!(kind, Some(Kind::Text(Check::Identifiers)));
    let list = names || matches!(kind, Some(Kind::Text(Check::DateStyle)));
    if values.len() > 1 && !list {
        return Err(Error::client(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("SET {} takes only one argument", assignment.name),
        ));
    }
    Ok(assignment.value.text(names))
}

/// What of a transaction may still change.
pub(super) fn check_transaction_setting(session: &Session, name: &str, value: &str) -> Result<()> {
    let transaction = &session.transaction;
    if !transaction.is_block() {
        return Ok(());
    }
    let refuse = |message| Err(Error::client(SqlState::ACTIVE_SQL_TRANSACTION, message));
    let changes = !session.vars.text(name).eq_ignore_ascii_case(value);
    match name {
        "transaction_isolation" if changes && transaction.queried() => {
            refuse("SET TRANSACTION ISOLATION LEVEL must be called before any query")
        }
        "transaction_isolation" if changes && transaction.depth() > 0 => {
            refuse("SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction")
        }
        "transaction_read_only" if session.vars.is_on(name) && matches!(value, "off" | "false" | "0" | "no") => {
            if transaction.depth() > 0 {
                return refuse("cannot set transaction read-write mode inside a read-only transaction");
            }
            if transaction.queried() {
                return refuse("transaction read-write mode must be set before any query");
            }
            Ok(())
        }
        "transaction_deferrable" if transaction.depth() > 0 => {
            refuse("SET TRANSACTION [NOT] DEFERRABLE cannot be called within a subtransaction")
        }
        "transaction_deferrable" if transaction.queried() => {
            refuse("SET TRANSACTION [NOT] DEFERRABLE must be called before any query")
        }
        _ => Ok(()),
    }
}

/// RESET of one variable.
pub(super) fn reset(session: &mut Session, name: &str) -> Result<Vec<Notice>> {
    let mut notices = Vec::new();
    if name.starts_with("transaction_") && variable(name).is_some() && !session.transaction.is_block() {
        let message = "RESET TRANSACTION can only be used in transaction blocks";
        notices.push(warning(SqlState::NO_ACTIVE_SQL_TRANSACTION, message));
    }
    session.vars.reset(name, Scope::Session)?;
    Ok(notices)
}

fn schema(columns: &[&str]) -> Arc<Schema> {
    Arc::new(Schema::new(columns.iter().map(|name| types::field(*name, PgType::TEXT, false)).collect::<Vec<_>>()))
}

fn rows(columns: &[&str], values: Vec<Vec<String>>) -> Result<Rows> {
    let arrays: Vec<ArrayRef> =
        values.into_iter().map(|column| Arc::new(StringViewArray::from_iter_values(column)) as ArrayRef).collect();
    let batch = RecordBatch::try_new(schema(columns), arrays)
        .map_err(|error| Error::internal("SHOW could not be laid out").with_cause(error))?;
    Ok(Rows::from_batch(batch))
}

/// SHOW names its column as the variable is spelled, whatever the client wrote.
pub(super) fn show_shape(session: &Session, name: &str) -> Result<Arc<RowShape>> {
    let shown = session.vars.shown(name)?;
    Ok(Arc::new(RowShape::of_schema(&schema(&[&shown.name]))))
}

pub(super) fn show(session: &Session, name: &str) -> Result<Rows> {
    let shown = session.vars.shown(name)?;
    rows(&[&shown.name], vec![vec![shown.setting]])
}

const SHOW_ALL: [&str; 3] = ["name", "setting", "description"];

pub(super) fn show_all_shape() -> Arc<RowShape> {
    Arc::new(RowShape::of_schema(&schema(&SHOW_ALL)))
}

pub(super) fn show_all(session: &Session) -> Result<Rows> {
    let all = session.vars.show_all();
    let describe = |variable: Option<&Variable>| variable.map_or("", |variable| variable.description).to_owned();
    let values = vec![
        all.iter().map(|shown| shown.name.clone()).collect(),
        all.iter().map(|shown| shown.setting.clone()).collect(),
        all.iter().map(|shown| describe(shown.variable)).collect(),
    ];
    rows(&SHOW_ALL, values)
}
