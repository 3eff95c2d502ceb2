//! The simple protocol: a text of any number of statements, answered in text.
//! Must not know: how statements are planned, how rows are sent.

use std::sync::Arc;

use super::connection::Connection;
use super::encode::{self, Formats};
use super::io::Stop;
use crate::query::{Outcome, RunningStatement};
use crate::session::{PreparedStatement, RowCursor};

impl Connection {
    /// Query: its statements one after the other, in one implicit transaction, until one fails.
    ///
    /// # Errors
    /// What the client is told, and the statement that it is about.
    pub(super) async fn query(&mut self, text: &str) -> Result<(), (Stop, Option<RunningStatement>)> {
        self.nothing_loaded().map_err(|error| (error.into(), None))?;
        // As PostgreSQL: a Query is the end of the unnamed statement.
        self.session.prepared.remove("");
        self.session.portals.close("");
        if text.bytes().all(|byte| byte.is_ascii_whitespace() || byte == b';') {
            self.io.out.empty_query_response();
            return self.end_query().await;
        }
        self.refresh_identity().map_err(|ended| (ended.into(), None))?;
        let mut running = self.shared.service.begin(&self.session, &self.identity, text);
        let parsing = self.shared.service.parse(&running, text);
        let statements = match self.io.watch(running.bounds(), parsing).await {
            Ok(statements) => statements,
            Err(stop) => return Err((stop, Some(running))),
        };
        let several = statements.len() > 1;
        if statements.is_empty() {
            self.io.out.empty_query_response();
        }
        let count = statements.len();
        for (index, statement) in statements.into_iter().enumerate() {
            if several {
                // Each has its own time and its own entry.
                running = self.shared.service.begin(&self.session, &self.identity, &statement.text);
            }
            if let Err(error) = self.session.start_statement(several) {
                return Err((error.into(), Some(running)));
            }
            let done = match self.prepare_simple(&running, statement).await {
                Ok(prepared) => self.run_simple(&running, &prepared, index + 1 == count).await,
                Err(stop) => Err(stop),
            };
            if let Err(stop) = done {
                return Err((stop, Some(running)));
            }
            self.io.entry.end_statement();
        }
        drop(running);
        self.end_query().await
    }

    async fn end_query(&mut self) -> Result<(), (Stop, Option<RunningStatement>)> {
        self.session.finish_message().map_err(|error| (error.into(), None))?;
        self.ready().await.map_err(|ended| (ended.into(), None))
    }

    async fn prepare_simple(
        &mut self,
        running: &RunningStatement,
        statement: crate::session::Statement,
    ) -> Result<Arc<PreparedStatement>, Stop> {
        self.session.check_may_run(&statement)?;
        let preparing = self.shared.service.prepare(&self.session, &self.identity, running, statement, &[]);
        let prepared = self.io.watch(running.bounds(), preparing).await?;
        prepared.planned_in(&self.session);
        if !prepared.parameters.is_empty() {
            return Err(prepared.statement.unbound_parameter().into());
        }
        Ok(Arc::new(prepared))
    }

    /// Runs one statement; the `last` of its message commits what the message did before it is told that it is complete.
    async fn run_simple(
        &mut self,
        running: &RunningStatement,
        prepared: &Arc<PreparedStatement>,
        last: bool,
    ) -> Result<(), Stop> {
        if prepared.statement.is_copy() {
            self.copy(running, prepared, true).await?;
            return if last { self.hold_cursors(running).await } else { Ok(()) };
        }
        let binary = self.session.fetches_binary(&prepared.statement);
        let Outcome { rows, tag } = self.start(running, prepared, Vec::new()).await?;
        let mut sent = 0;
        if let Some(rows) = rows {
            let formats = if binary { Formats::new(vec![true]) } else { Formats::default() };
            let bounds = running.bounds();
            let mut cursor = RowCursor::new(rows);
            if !prepared.is_planned() {
                // PostgreSQL collects what FETCH and EXECUTE return: their errors come without a description.
                self.io.watch(bounds, cursor.batch()).await?;
            }
            encode::describe(&mut self.io.out, cursor.shape(), &formats)?;
            sent = self.deliver(&mut cursor, &formats, bounds, None).await?.rows;
        }
        if last {
            self.hold_cursors(running).await?;
            self.session.finish_message()?;
        }
        self.io.out.command_complete(&tag.text(sent));
        Ok(())
    }
}
