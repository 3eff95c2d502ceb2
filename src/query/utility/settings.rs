//! SET, SHOW and RESET.
//! Must not know: what the variables do.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringViewArray};
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;

use crate::error::{Error, Notices, Result, SqlState};
use crate::names::cut;
use crate::rows::{RowShape, Rows};
use crate::session::{Check, Kind, Scope, Session, VARIABLES, Variable, find_variable, is_cut};
use crate::sql::{Assignment, SetScope, SetValue};
use crate::types::{self, PgType};

/// SET, in all its forms.
pub(super) fn set(session: &mut Session, assignments: &[Assignment], notices: &Notices) -> Result<()> {
    for (at, assignment) in assignments.iter().enumerate() {
        let scope = scope(assignment);
        if at == 0 && scope == Scope::Local && !session.transaction.is_block() {
            // They do nothing then, and PostgreSQL says so.
            let what = if assignment.name.starts_with("transaction_") { "SET TRANSACTION" } else { "SET LOCAL" };
            let message = format!("{what} can only be used in transaction blocks");
            notices.warn(SqlState::NO_ACTIVE_SQL_TRANSACTION, message);
        }
        let text = text(assignment)?;
        if let Some(text) = &text {
            check_transaction_setting(session, &assignment.name, text)?;
        }
        match text {
            Some(text) => {
                if is_cut(&assignment.name, &text) {
                    notices.cut(&text, cut(&text));
                }
                session.vars.set(&assignment.name, &text, scope)?;
            }
            None => session.vars.reset(&assignment.name, scope)?,
        }
    }
    Ok(())
}

fn scope(assignment: &Assignment) -> Scope {
    match assignment.scope {
        SetScope::Session => Scope::Session,
        SetScope::Local => Scope::Local,
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
    session.vars.check_of_transaction(name, value, transaction.depth(), transaction.queried())
}

/// RESET of one variable.
pub(super) fn reset(session: &mut Session, name: &str, notices: &Notices) -> Result<()> {
    if name.starts_with("transaction_") && variable(name).is_some() && !session.transaction.is_block() {
        let message = "RESET TRANSACTION can only be used in transaction blocks";
        notices.warn(SqlState::NO_ACTIVE_SQL_TRANSACTION, message);
    }
    session.vars.reset(name, Scope::Session)
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
