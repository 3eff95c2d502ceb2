//! SQL's own prepared statements: PREPARE, EXECUTE, EXPLAIN EXECUTE.
//! Must not know: where prepared statements are kept, messages.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use futures::StreamExt;

use super::execute::{Execution, Pace, Produced, admit, execute as run_prepared, read};
use super::fresh::still_true;
use super::prepare::{self, Prepared as Planned};
use super::{Outcome, explain as explaining};
use crate::engine::datafusion::semantics;
use crate::error::{Error, Result, SqlState};
use crate::rows::{Answer, CommandTag};
use crate::session::{Prepared, PreparedStatement};
use crate::sql::{self, Argument, Literal, Statement, StatementKind, ast};
use crate::types::{self, PgType};

/// PREPARE.
pub(super) async fn prepare(run: &mut Execution<'_>, statement: &Statement) -> Result<Produced> {
    let StatementKind::Prepare { name, types, statement: inner } = &statement.kind else {
        return Err(Error::internal("no PREPARE"));
    };
    let types = types.iter().map(|(written, position)| type_of(written, *position)).collect::<Result<Vec<_>>>()?;
    let preparing = prepare::prepare(run.query, run.session, run.identity, run.running, (**inner).clone(), &types);
    let mut prepared = preparing.await?;
    prepared.planned_in(run.session);
    name.clone_into(&mut prepared.name);
    prepared.prepared_by = Some(statement.text.clone());
    run.session.prepared.insert(name, Prepared::Statement(Arc::new(prepared)))?;
    Ok(Outcome { rows: None, tag: CommandTag::Plain("PREPARE") }.into())
}

fn type_of(written: &str, position: u32) -> Result<u32> {
    PgType::from_name(written).map(|ty| ty.oid).ok_or_else(|| {
        let name = written.split(['(', '[']).next().unwrap_or(written).trim_matches('"');
        Error::client(SqlState::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist")).with_position(position)
    })
}

/// The statement that EXECUTE names, with its arguments' values.
async fn bound(run: &mut Execution<'_>, name: &str, arguments: &[ast::Expr]) -> Result<(Prepared, Vec<ArrayRef>)> {
    let prepared = run.session.prepared.get(name)?;
    let types = prepared.parameters();
    // As PostgreSQL: a statement without parameters takes no notice of arguments.
    if types.is_empty() {
        return Ok((prepared, Vec::new()));
    }
    if arguments.len() != types.len() {
        let message = format!("wrong number of parameters for prepared statement \"{name}\"");
        return Err(Error::client(SqlState::SYNTAX_ERROR, message).with_detail(format!(
            "Expected {} parameters but got {}.",
            types.len(),
            arguments.len()
        )));
    }
    let types = types.to_vec();
    let values = values(run, arguments, &types).await?;
    Ok((prepared, values))
}

/// EXECUTE.
pub(super) async fn execute(run: &mut Execution<'_>, name: &str, arguments: &[ast::Expr]) -> Result<Produced> {
    let (prepared, values) = bound(run, name, arguments).await?;
    let Prepared::Statement(prepared) = prepared else {
        return Ok(Outcome { rows: None, tag: CommandTag::Plain("") }.into());
    };
    if prepared.is_planned() {
        run.session.transaction.note_query();
    }
    run.deeper()?;
    let produced = Box::pin(run_prepared(run, &prepared, values)).await;
    run.depth -= 1;
    produced
}

/// EXPLAIN EXECUTE.
pub(super) async fn explain(run: &mut Execution<'_>, statement: &Statement) -> Result<Produced> {
    let (inner, wanted) = prepare::inner(statement)?;
    let (StatementKind::Execute { name, arguments }, Some(wanted)) = (&inner.kind, wanted) else {
        return Err(Error::unsupported(format!("EXPLAIN of {} is not supported", inner.verb())));
    };
    let (prepared, values) = bound(run, name, arguments).await?;
    let planned = match &prepared {
        Prepared::Statement(prepared) => prepared.plan::<Planned>(),
        Prepared::Empty(_) => None,
    };
    let (Prepared::Statement(prepared), Some(planned)) = (&prepared, planned) else {
        return Err(Error::unsupported("EXPLAIN of a utility statement is not supported"));
    };
    let (fresh, _) = still_true(run.query, run.session, run.identity, run.running, (prepared, &planned, false)).await?;
    let planned = fresh.as_deref().unwrap_or(&planned);
    let wanted = explaining::Explain::read(wanted)?;
    let _ticket = admit(run.query, run.identity, run.running, planned).await?;
    let rows = explaining::explain(run.query, run.session, run.running, (planned, wanted), &values).await?;
    Ok(Outcome { rows: Some(Answer::Batches(rows)), tag: CommandTag::Plain("EXPLAIN") }.into())
}

/// The arguments' values, as the parameters' types.
async fn values(run: &mut Execution<'_>, expressions: &[ast::Expr], types: &[PgType]) -> Result<Vec<ArrayRef>> {
    let arguments = sql::arguments(expressions)?;
    let options = run.session.vars.format();
    let plain: Option<Vec<ArrayRef>> =
        arguments.iter().zip(types).map(|(argument, ty)| plain(argument, *ty, options)).collect::<Result<_>>()?;
    match plain {
        Some(values) => Ok(values),
        None => computed(run, expressions, &arguments, types).await,
    }
}

/// The value of an argument that is written as one and needs no cast; `None`: it is to be computed.
fn plain(argument: &Argument, ty: PgType, options: &types::FormatOptions) -> Result<Option<ArrayRef>> {
    let text = match &argument.literal {
        Some(Literal::Null) => None,
        Some(Literal::Text(text)) => Some(text.clone()),
        Some(Literal::Whole(number)) if holds(ty, *number) => Some(number.to_string()),
        _ => return Ok(None),
    };
    let param = types::Param { number: 1, format: 0, value: text.as_deref().map(str::as_bytes) };
    types::decode_param(ty, param, options).map(Some).map_err(|error| at(error, argument))
}

fn at(error: Error, argument: &Argument) -> Error {
    match argument.position {
        Some(position) if error.position().is_none() => error.with_position(position),
        _ => error,
    }
}

/// Whether a whole number is of a type as it stands.
fn holds(ty: PgType, number: i64) -> bool {
    match ty {
        PgType::INT2 => i16::try_from(number).is_ok(),
        PgType::INT4 => i32::try_from(number).is_ok(),
        PgType::INT8 | PgType::NUMERIC => true,
        _ => false,
    }
}

/// Computes arguments as PostgreSQL assigns them: what may be assigned is cast.
async fn computed(
    run: &mut Execution<'_>,
    expressions: &[ast::Expr],
    arguments: &[Argument],
    types: &[PgType],
) -> Result<Vec<ArrayRef>> {
    let as_written = prepare_row(run, sql::row_of(expressions, None)?).await?;
    let shape = as_written.shape.as_ref().ok_or_else(|| Error::internal("arguments without columns"))?;
    for (number, ((column, argument), wanted)) in shape.columns.iter().zip(arguments).zip(types).enumerate() {
        let settled = !matches!(argument.literal, Some(Literal::Null | Literal::Text(_)));
        if settled && !semantics::can_assign(column.ty, *wanted) {
            let message = format!(
                "parameter ${} of type {} cannot be coerced to the expected type {}",
                number + 1,
                semantics::name_of(column.ty),
                semantics::name_of(*wanted)
            );
            let error = Error::client(SqlState::DATATYPE_MISMATCH, message)
                .with_hint("You will need to rewrite or cast the expression.");
            return Err(at(error, argument));
        }
    }
    let names: Vec<&str> = types.iter().map(|ty| ty.name()).collect();
    let cast = Arc::new(prepare_row(run, sql::row_of(expressions, Some(&names))?).await?);
    let planned = cast.plan::<Planned>();
    let planned = planned.ok_or_else(|| Error::internal("arguments without a plan"))?;
    let pace = std::mem::replace(&mut run.pace, Pace::parts());
    let produced = read(run, &cast, &planned, Vec::new()).await;
    run.pace = pace;
    let rows = produced?.outcome.rows.ok_or_else(|| Error::internal("arguments without a row"))?.into_rows()?;
    let mut batches = rows.batches;
    let row = loop {
        match run.running.bounds().guard(async { batches.next().await.transpose() }).await? {
            Some(batch) if batch.num_rows() == 0 => {}
            Some(batch) => break batch,
            None => return Err(Error::internal("arguments without a row")),
        }
    };
    Ok(row.columns().iter().map(|column| column.slice(0, 1)).collect())
}

async fn prepare_row(run: &Execution<'_>, row: Statement) -> Result<PreparedStatement> {
    let prepared = prepare::prepare(run.query, run.session, run.identity, run.running, row, &[]).await?;
    prepared.planned_in(run.session);
    Ok(prepared)
}
