//! The extended protocol: Parse, Bind, Describe, Execute.
//! Must not know: how statements are planned, how rows are sent.

use std::sync::Arc;

use arrow::array::ArrayRef;
use bytes::Bytes;
use parking_lot::Mutex;

use super::connection::Connection;
use super::encode::{self, Formats};
use super::io::Stop;
use super::respond;
use crate::error::{Error, Result, SqlState};
use crate::query::{Outcome, RunningStatement};
use crate::rows::CommandTag;
use crate::session::{Portal, PortalState, Prepared, PreparedStatement, RowCursor};
use crate::types;

/// The parameters of a Bind message, as they came.
pub(super) struct Values {
    /// None, one for all, or one for each.
    pub(super) formats: Vec<i16>,
    /// `None`: NULL.
    pub(super) values: Vec<Option<Bytes>>,
}

/// Failures name the statement that they are about.
type Run<T> = Result<T, (Stop, Option<RunningStatement>)>;

fn plain(stop: impl Into<Stop>) -> (Stop, Option<RunningStatement>) {
    (stop.into(), None)
}

/// Text is 0, binary is 1.
fn binary(format: i16) -> Result<bool> {
    match format {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(Error::client(SqlState::INVALID_PARAMETER_VALUE, format!("unsupported format code: {other}"))),
    }
}

/// Says of which parameter an error speaks, as PostgreSQL does where `log_parameter_max_length_on_error` is 0: that there was a
/// text, not what it was.
fn in_parameter(error: Error, portal: &str, param: &types::Param<'_>) -> Error {
    let place = if portal.is_empty() { "unnamed portal".to_owned() } else { format!("portal \"{portal}\"") };
    // What is no text at all has failed before.
    let text = if error.state() == SqlState::CHARACTER_NOT_IN_REPERTOIRE { None } else { param.value };
    let shown = match (param.format, text) {
        (0, Some([])) => " = ''",
        (0, Some(_)) => " = '...'",
        _ => "",
    };
    let number = param.number;
    let inner = error.context().map(|context| format!("{context}\n")).unwrap_or_default();
    error.with_context(format!("{inner}{place} parameter ${number}{shown}"))
}

impl Connection {
    /// Parse.
    pub(super) async fn parse(&mut self, name: &str, text: &str, types: &[u32]) -> Run<()> {
        if name.is_empty() {
            self.session.prepared.remove("");
        }
        self.begun = None;
        self.session.start_statement(false);
        let prepared = if text.trim().is_empty() {
            Prepared::Empty
        } else {
            self.refresh_identity().map_err(plain)?;
            let running = self.shared.service.begin(&self.session, &self.identity, text);
            match self.prepare_one(&running, name, text, types).await {
                Ok(prepared) => {
                    if let Prepared::Statement(statement) = &prepared {
                        self.begun = Some((Arc::clone(statement), running));
                    }
                    prepared
                }
                Err(stop) => return Err((stop, Some(running))),
            }
        };
        self.io.entry.end_statement();
        self.session.prepared.insert(name, prepared).map_err(plain)?;
        self.io.out.parse_complete();
        Ok(())
    }

    async fn prepare_one(
        &mut self,
        running: &RunningStatement,
        name: &str,
        text: &str,
        types: &[u32],
    ) -> Result<Prepared, Stop> {
        let parsing = self.shared.service.parse(running, text);
        let mut statements = self.io.watch(running.bounds(), parsing).await?;
        if statements.len() > 1 {
            return Err(Error::client(
                SqlState::SYNTAX_ERROR,
                "cannot insert multiple commands into a prepared statement",
            )
            .into());
        }
        let Some(statement) = statements.pop() else { return Ok(Prepared::Empty) };
        self.session.check_may_run(&statement)?;
        self.session.prepared.check_new(name)?;
        let preparing = self.shared.service.prepare(&self.session, &self.identity, running, statement, types);
        let mut prepared = self.io.watch(running.bounds(), preparing).await?;
        prepared.planned_in(&self.session);
        name.clone_into(&mut prepared.name);
        Ok(Prepared::Statement(Arc::new(prepared)))
    }

    /// Bind.
    pub(super) fn bind(&mut self, portal: &str, statement: &str, values: &Values, formats: &[i16]) -> Result<(), Stop> {
        self.session.start_statement(false);
        let prepared = self.session.prepared.get(statement)?.clone();
        if let Prepared::Statement(prepared) = &prepared {
            self.session.check_may_run(&prepared.statement)?;
        }
        let parameters = self.parameters(portal, statement, &prepared, values)?;
        let result_formats = formats.iter().map(|format| binary(*format)).collect::<Result<Vec<_>>>()?;
        if let Some(shape) = prepared.shape() {
            Formats::new(result_formats.clone()).check(shape.columns.len())?;
        }
        if portal.is_empty() {
            self.session.portals.close("");
        }
        let depth = self.session.transaction.depth();
        let bound = Portal { prepared, parameters, result_formats, state: PortalState::Bound, depth };
        self.session.portals.insert(portal, bound)?;
        self.io.out.bind_complete();
        Ok(())
    }

    fn parameters(&self, portal: &str, statement: &str, prepared: &Prepared, values: &Values) -> Result<Vec<ArrayRef>> {
        let wanted = prepared.parameters();
        if values.values.len() != wanted.len() {
            return Err(Error::client(
                SqlState::PROTOCOL_VIOLATION,
                format!(
                    "bind message supplies {} parameters, but prepared statement \"{statement}\" requires {}",
                    values.values.len(),
                    wanted.len()
                ),
            ));
        }
        let options = self.session.vars.format();
        let one = |(index, (ty, value)): (usize, (&types::PgType, &Option<Bytes>))| {
            let format = match values.formats.as_slice() {
                [] => 0,
                [all] => *all,
                each => each.get(index).copied().unwrap_or(0),
            };
            let param = types::Param { number: index + 1, format, value: value.as_deref() };
            types::decode_param(*ty, param, options).map_err(|error| in_parameter(error, portal, &param))
        };
        wanted.iter().zip(&values.values).enumerate().map(one).collect()
    }

    /// Describe of a statement.
    pub(super) fn describe_statement(&mut self, name: &str) -> Result<(), Stop> {
        self.session.start_statement(false);
        let prepared = self.session.prepared.get(name)?.clone();
        self.may_describe(&prepared)?;
        let oids: Vec<u32> = prepared.parameters().iter().map(|ty| ty.oid).collect();
        self.io.out.parameter_description(&oids)?;
        self.describe_rows(&prepared, &Formats::default())
    }

    /// Describe of a portal.
    pub(super) fn describe_portal(&mut self, name: &str) -> Result<(), Stop> {
        self.session.start_statement(false);
        let portal = self.session.portals.get(name)?;
        let (prepared, formats) = (portal.prepared.clone(), Formats::new(portal.result_formats.clone()));
        self.may_describe(&prepared)?;
        self.describe_rows(&prepared, &formats)
    }

    /// In a failed block only what has no rows may be described, as in PostgreSQL.
    fn may_describe(&self, prepared: &Prepared) -> Result<()> {
        self.session.transaction.admit(prepared.shape().is_none())
    }

    fn describe_rows(&mut self, prepared: &Prepared, formats: &Formats) -> Result<(), Stop> {
        match prepared.shape() {
            Some(shape) => encode::describe(&mut self.io.out, shape, formats)?,
            None => self.io.out.no_data(),
        }
        Ok(())
    }

    /// Execute: runs a portal, or goes on with it. `max_rows` of zero or less means all.
    pub(super) async fn execute(&mut self, name: &str, max_rows: i32) -> Run<()> {
        self.nothing_loaded().map_err(plain)?;
        let mut portal = self.session.portals.take(name).map_err(plain)?;
        self.session.start_statement(false);
        let transaction = self.session.transaction.serial();
        let limit = u64::try_from(max_rows).ok().filter(|rows| *rows > 0);
        self.run_portal(name, &mut portal, limit).await?;
        self.io.entry.end_statement();
        // A statement that ended its transaction ended its portals, itself included.
        if self.session.transaction.serial() == transaction {
            self.session.portals.put_back(name, portal);
        }
        Ok(())
    }

    async fn run_portal(&mut self, name: &str, portal: &mut Portal, limit: Option<u64>) -> Run<()> {
        let Prepared::Statement(prepared) = portal.prepared.clone() else {
            self.io.out.empty_query_response();
            return Ok(());
        };
        self.session.check_may_run(&prepared.statement).map_err(plain)?;
        let formats = Formats::new(portal.result_formats.clone());
        match std::mem::replace(&mut portal.state, PortalState::Done) {
            PortalState::Done => self.run_again(name, &prepared).map_err(plain),
            PortalState::Suspended(cursor) => {
                let cursor = cursor.into_inner();
                self.io.entry.active(&prepared.statement.text);
                self.io.entry.resume_statement(&cursor.cancel);
                self.send(portal, cursor, &formats, limit).await
            }
            PortalState::Bound => {
                self.refresh_identity().map_err(plain)?;
                let running = self.begin(&prepared);
                if prepared.statement.is_copy() {
                    return self.copy(&running, &prepared, false).await.map_err(|stop| (stop, Some(running)));
                }
                let parameters = std::mem::take(&mut portal.parameters);
                let outcome = self.start(&running, &prepared, parameters).await;
                let Outcome { rows, tag, notices } = outcome.map_err(|stop| (stop, Some(running.clone())))?;
                respond::notices(&mut self.io.out, &notices, &self.session.vars);
                let Some(rows) = rows else {
                    self.io.out.command_complete(&tag.text(0));
                    return Ok(());
                };
                let cancel = running.bounds().cancel.clone();
                let cursor = RowCursor::new(rows, tag, cancel, Box::new(running));
                self.send(portal, cursor, &formats, limit).await
            }
        }
    }

    /// The running statement of a portal: the one that Parse began, if that was in this batch, or a new one.
    fn begin(&mut self, prepared: &Arc<PreparedStatement>) -> RunningStatement {
        match self.begun.take() {
            Some((parsed, running)) if Arc::ptr_eq(&parsed, prepared) => {
                self.io.entry.resume_statement(&running.bounds().cancel);
                running
            }
            _ => self.shared.service.begin(&self.session, &self.identity, &prepared.statement.text),
        }
    }

    /// Sends the rows that are due, and keeps the cursor where there may be more.
    async fn send(
        &mut self,
        portal: &mut Portal,
        mut cursor: RowCursor,
        formats: &Formats,
        limit: Option<u64>,
    ) -> Run<()> {
        let Some(running) = cursor.running.downcast_ref::<RunningStatement>().cloned() else {
            return Err(plain(Error::internal("a portal without its statement")));
        };
        let delivered = self.deliver(&mut cursor, formats, running.bounds(), limit).await;
        let delivered = delivered.map_err(|stop| (stop, Some(running)))?;
        if delivered.suspended {
            portal.state = PortalState::Suspended(Box::new(Mutex::new(cursor)));
            self.io.out.portal_suspended();
        } else {
            self.io.out.command_complete(&cursor.tag.text(delivered.rows));
        }
        Ok(())
    }

    /// A portal that has run to its end gives no more rows; a command cannot be run twice.
    fn run_again(&mut self, name: &str, prepared: &PreparedStatement) -> Result<(), Stop> {
        if prepared.shape.is_none() {
            return Err(Error::client(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("portal \"{name}\" cannot be run"),
            )
            .into());
        }
        self.io.out.command_complete(&CommandTag::Select.text(0));
        Ok(())
    }
}
