//! The extended protocol: Parse, Describe, Execute.
//! Must not know: how statements are planned, how rows are sent.

use std::sync::Arc;

use super::connection::Connection;
use super::encode::{self, Formats};
use super::io::Stop;
use super::respond;
use crate::error::{Error, Result, SqlState};
use crate::query::{Opened, Outcome, RunningStatement};
use crate::rows::{Answer, CommandTag};
use crate::session::{Portal, PortalState, Prepared, PreparedStatement, RowCursor};
use crate::types::PgType;

/// Failures name the statement that they are about.
pub(super) type Run<T> = Result<T, (Stop, Option<RunningStatement>)>;

pub(super) fn plain(stop: impl Into<Stop>) -> (Stop, Option<RunningStatement>) {
    (stop.into(), None)
}

/// A text without a statement, with the types that its parameters were given.
fn empty(types: &[u32]) -> Prepared {
    Prepared::Empty(types.iter().map(|oid| PgType::new(*oid)).collect())
}

impl Connection {
    /// Parse.
    pub(super) async fn parse(&mut self, name: &str, text: &str, types: &[u32]) -> Run<()> {
        if name.is_empty() {
            self.session.prepared.remove("");
        }
        self.begun = None;
        self.session.start_statement(false).map_err(plain)?;
        let prepared = if text.trim().is_empty() {
            empty(types)
        } else {
            self.refresh_identity().map_err(plain)?;
            let running = self.shared.service.begin(&self.session, &self.identity, text);
            match self.prepare_one(&running, name, text, types).await {
                Ok(prepared) => {
                    // What reading it has to tell comes before it is said to be read.
                    respond::notices(&mut self.io.out, &running.bounds().notices, &self.session.vars);
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
        if let Some(kept) = self.kept(running, text, types).await? {
            self.session.prepared.check_new(name)?;
            self.session.plans.keep(text, types, Arc::clone(&kept));
            return Ok(Prepared::Statement(Arc::new(kept.named(name))));
        }
        if let Some(recalled) = self.recalled(running, text, types).await? {
            self.session.prepared.check_new(name)?;
            let recalled = Arc::new(recalled.named(name));
            self.session.plans.keep(text, types, Arc::clone(&recalled));
            return Ok(Prepared::Statement(recalled));
        }
        let parsing = self.shared.service.parse(running, text);
        let mut statements = self.io.watch(running.bounds(), parsing).await?;
        if statements.len() > 1 {
            return Err(Error::client(
                SqlState::SYNTAX_ERROR,
                "cannot insert multiple commands into a prepared statement",
            )
            .into());
        }
        let Some(statement) = statements.pop() else { return Ok(empty(types)) };
        self.session.check_may_run(&statement)?;
        let preparing = self.shared.service.prepare(&self.session, &self.identity, running, statement, types);
        let mut prepared = self.io.watch(running.bounds(), preparing).await?;
        prepared.planned_in(&self.session);
        name.clone_into(&mut prepared.name);
        let prepared = Arc::new(prepared);
        self.keep(text, types, &prepared).await;
        Ok(Prepared::Statement(prepared))
    }

    /// Describe of a statement.
    pub(super) fn describe_statement(&mut self, name: &str) -> Result<(), Stop> {
        self.session.start_statement(false)?;
        let prepared = self.session.prepared.get(name)?;
        self.may_describe(&prepared)?;
        let oids: Vec<u32> = prepared.parameters().iter().map(|ty| ty.oid).collect();
        self.io.out.parameter_description(&oids)?;
        self.describe_rows(&prepared, &Formats::default())
    }

    /// Describe of a portal.
    pub(super) fn describe_portal(&mut self, name: &str) -> Result<(), Stop> {
        self.session.start_statement(false)?;
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
        let mut portal = self.session.portals.take(name).map_err(plain)?;
        self.session.start_statement(false).map_err(plain)?;
        let transaction = self.session.transaction.serial();
        let limit = u64::try_from(max_rows).ok().filter(|rows| *rows > 0);
        let done = self.run_portal(name, &mut portal, limit).await;
        // A statement that ended its transaction ended its portals, itself included.
        if self.session.transaction.serial() == transaction {
            if done.is_err() {
                portal.state = PortalState::Failed;
            }
            self.session.portals.put_back(name, portal);
        }
        done?;
        self.io.entry.end_statement();
        Ok(())
    }

    async fn run_portal(&mut self, name: &str, portal: &mut Portal, limit: Option<u64>) -> Run<()> {
        let Prepared::Statement(prepared) = portal.prepared.clone() else {
            self.io.out.empty_query_response();
            return Ok(());
        };
        self.session.check_may_run(&prepared.statement).map_err(plain)?;
        match &portal.state {
            PortalState::Done(tag, _) if prepared.shape.is_some() => {
                let tag = tag.clone();
                self.nothing_more(&tag);
                Ok(())
            }
            // A command cannot be run twice.
            PortalState::Done(..) | PortalState::Failed | PortalState::Active => Err(plain(Error::client(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("portal \"{name}\" cannot be run"),
            ))),
            PortalState::Open(open) => {
                let open = open.clone();
                self.go_on(name, portal, open, limit).await
            }
            PortalState::Bound => {
                self.refresh_identity().map_err(plain)?;
                let running = self.begin(&prepared);
                if prepared.statement.is_copy() {
                    portal.state = PortalState::Done(CommandTag::Copy, 0);
                    let copied = self.copy(&running, &prepared).await.map_err(|stop| (stop, Some(running)))?;
                    self.io.out.command_complete(&CommandTag::Copy.text(copied));
                    return Ok(());
                }
                // What returns no rows has no parts.
                let done = match limit.filter(|_| prepared.shape.is_some()) {
                    None => self.run_whole(portal, &prepared, &running).await,
                    Some(_) => self.run_in_parts(name, portal, (&prepared, &running), limit).await,
                };
                done.map_err(|(stop, about)| (stop, about.or(Some(running))))
            }
        }
    }

    /// Runs a portal from its start to its end.
    async fn run_whole(
        &mut self,
        portal: &mut Portal,
        prepared: &Arc<PreparedStatement>,
        running: &RunningStatement,
    ) -> Run<()> {
        let parameters = std::mem::take(&mut portal.parameters);
        let wanted = Formats::new(portal.result_formats.clone()).known();
        let Outcome { rows, tag } = self.start(running, prepared, (parameters, wanted)).await.map_err(plain)?;
        let bounds = running.bounds();
        let sent = match rows {
            None => 0,
            Some(Answer::Wire(rows)) => self.forward(rows, bounds, encode::as_they_are).await.map_err(plain)?,
            Some(Answer::Batches(rows)) => {
                let formats = Formats::new(portal.result_formats.clone());
                let mut cursor = RowCursor::new(rows);
                self.deliver(&mut cursor, &formats, bounds, None).await.map_err(plain)?.rows
            }
        };
        self.io.out.command_complete(&tag.text(sent));
        portal.state = PortalState::Done(tag, sent);
        Ok(())
    }

    /// Begins a portal and sends its first part.
    async fn run_in_parts(
        &mut self,
        name: &str,
        portal: &mut Portal,
        (prepared, running): (&Arc<PreparedStatement>, &RunningStatement),
        limit: Option<u64>,
    ) -> Run<()> {
        let parameters = std::mem::take(&mut portal.parameters);
        let Opened { open, tag } = self.open(running, prepared, parameters).await.map_err(plain)?;
        match open {
            None => {
                self.io.out.command_complete(&tag.text(0));
                portal.state = PortalState::Done(tag, 0);
                Ok(())
            }
            Some(open) => {
                portal.state = PortalState::Open(open.clone());
                self.part((name, portal), &open, limit, (running, running.bounds())).await
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
}
