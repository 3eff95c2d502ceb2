//! The simple protocol: a text of any number of statements, answered in text.
//! Must not know: how statements are planned, how rows are sent.

use std::sync::Arc;

use futures::{FutureExt, StreamExt, stream};

use super::connection::Connection;
use super::encode::{self, Formats};
use super::io::Stop;
use super::respond;
use crate::error::{Error, SqlState};
use crate::query::{Outcome, RunningStatement};
use crate::rows::{Answer, CommandTag};
use crate::session::{PreparedStatement, RowCursor, StatementKind};

/// A statement of a message.
enum Work {
    /// It came before, and its plan still holds.
    Kept(Arc<PreparedStatement>),
    /// It is to be planned.
    New(crate::session::Statement),
}

impl Connection {
    /// Query: its statements one after the other, in one implicit transaction, until one fails.
    ///
    /// # Errors
    /// What the client is told, and the statement that it is about.
    pub(super) async fn query(&mut self, text: &str) -> Result<(), (Stop, Option<RunningStatement>)> {
        // As PostgreSQL: a Query is the end of the unnamed statement.
        self.session.prepared.remove("");
        self.session.portals.close("");
        if text.bytes().all(|byte| byte.is_ascii_whitespace() || byte == b';') {
            self.io.out.empty_query_response();
            return self.end_query().await;
        }
        self.refresh_identity().map_err(|ended| (ended.into(), None))?;
        let mut running = self.shared.service.begin(&self.session, &self.identity, text);
        let work = match self.work(&running, text).await {
            Ok(work) => work,
            Err(stop) => return Err((stop, Some(running))),
        };
        let several = work.len() > 1;
        if work.is_empty() {
            self.io.out.empty_query_response();
        }
        let count = work.len();
        for (index, work) in work.into_iter().enumerate() {
            if let (true, Work::New(statement)) = (several, &work) {
                // Each has its own time and its own entry.
                running = self.shared.service.begin(&self.session, &self.identity, &statement.text);
            }
            if let Err(error) = self.session.start_statement(several) {
                return Err((error.into(), Some(running)));
            }
            let prepared = match work {
                // What is shared with other sessions is already.
                Work::Kept(prepared) => {
                    self.session.plans.keep(text, &[], Arc::clone(&prepared));
                    Ok(prepared)
                }
                Work::New(statement) => {
                    let prepared = self.prepare_simple(&running, statement).await;
                    if let (Ok(prepared), false) = (&prepared, several) {
                        self.keep(text, &[], prepared).await;
                    }
                    prepared
                }
            };
            let done = match prepared {
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

    /// What a message asks for: its statements, or the one that came before in the same words.
    async fn work(&mut self, running: &RunningStatement, text: &str) -> Result<Vec<Work>, Stop> {
        if self.session.plans.has(text, &[]) {
            self.session.start_statement(false)?;
            // What Parse kept may have parameters.
            if let Some(prepared) = self.kept(running, text, &[]).await?.filter(|kept| kept.parameters.is_empty()) {
                return Ok(vec![Work::Kept(prepared)]);
            }
        }
        // What Parse decided may have parameters.
        if let Some(recalled) = self.recalled(running, text, &[]).await?.filter(|known| known.parameters.is_empty()) {
            return Ok(vec![Work::Kept(Arc::new(recalled))]);
        }
        let parsing = self.shared.service.parse(running, text);
        let statements = self.io.watch(running.bounds(), parsing).await?;
        // What reading them has to tell comes before anything runs.
        respond::notices(&mut self.io.out, &running.bounds().notices, &self.session.vars);
        Ok(statements.into_iter().map(Work::New).collect())
    }

    /// Keeps a statement for the next message of the same words, of this session and of others.
    pub(super) async fn keep(&mut self, text: &str, types: &[u32], prepared: &Arc<PreparedStatement>) {
        if self.shared.service.is_lasting(prepared) {
            self.shared.service.share(&self.session, &self.identity, (text, types), prepared).await;
            self.session.plans.keep(text, types, Arc::clone(prepared));
        }
    }

    /// The statement of this text that another session has run, if its plan holds here.
    pub(super) async fn recalled(
        &mut self,
        running: &RunningStatement,
        text: &str,
        types: &[u32],
    ) -> Result<Option<PreparedStatement>, Stop> {
        let service = Arc::clone(&self.shared.service);
        let asked = service.recall(&self.session, (&self.identity, running), (text, types));
        let Some(recalled) = self.io.watch(running.bounds(), asked).await? else { return Ok(None) };
        self.session.check_may_run(&recalled.statement)?;
        Ok(Some(recalled))
    }

    /// The statement of this text that came before, if its plan still holds.
    pub(super) async fn kept(
        &mut self,
        running: &RunningStatement,
        text: &str,
        types: &[u32],
    ) -> Result<Option<Arc<PreparedStatement>>, Stop> {
        let Some(prepared) = self.session.plans.take(text, types) else { return Ok(None) };
        self.session.check_may_run(&prepared.statement)?;
        let service = Arc::clone(&self.shared.service);
        let asked = service.reuse(&self.session, &self.identity, running, &prepared);
        if !self.io.watch(running.bounds(), asked).await? {
            return Ok(None);
        }
        Ok(Some(prepared))
    }

    async fn end_query(&mut self) -> Result<(), (Stop, Option<RunningStatement>)> {
        self.finish_message().await.map_err(|error| (error.into(), None))?;
        self.ready().await.map_err(|ended| (ended.into(), None))
    }

    async fn prepare_simple(
        &mut self,
        running: &RunningStatement,
        statement: crate::session::Statement,
    ) -> Result<Arc<PreparedStatement>, Stop> {
        self.session.check_may_run(&statement)?;
        if matches!(statement.kind, StatementKind::Query(_)) {
            running.runs_at_once();
        }
        let unbound = (statement.parameter_count() > 0).then(|| statement.unbound_parameter());
        let preparing = self.shared.service.prepare(&self.session, &self.identity, running, statement, &[]);
        let prepared = match (self.io.watch(running.bounds(), preparing).await, unbound) {
            // There are no parameters here whose types could be found out.
            (Err(Stop::Failed(error)), Some(unbound)) if is_of_types(&error) => return Err(unbound.into()),
            (prepared, _) => prepared?,
        };
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
            let copied = self.copy(running, prepared).await?;
            return self.complete(running, &CommandTag::Copy.text(copied), last).await;
        }
        let binary = self.session.fetches_binary(&prepared.statement);
        // PostgreSQL collects what FETCH, EXECUTE and a statement that writes return: their errors come without a description.
        let collected = !prepared.is_planned();
        let writes = prepared.statement.writes();
        let wanted = (!collected).then(Vec::new);
        let started = match self.start(running, prepared, (Vec::new(), wanted.clone())).await {
            // Nobody was told of its columns: they may be others.
            Err(Stop::Failed(error)) if error.is_unrun() && !collected && self.session.transaction.is_alone() => {
                let again = self.prepare_simple(running, (*prepared.statement).clone()).await?;
                self.start(running, &again, (Vec::new(), wanted)).await
            }
            started => started,
        };
        if let (Err(Stop::Failed(error)), false, Some(shape)) = (&started, collected || writes, &prepared.shape)
            && error.state() == SqlState::QUERY_CANCELED
        {
            // It had begun: PostgreSQL has described its rows by then.
            encode::describe(&mut self.io.out, shape, &Formats::default())?;
        }
        let Outcome { rows, tag } = started?;
        let bounds = running.bounds();
        let sent = match rows {
            None => 0,
            Some(Answer::Wire(mut rows)) => {
                if writes {
                    let first = self.io.watch(bounds, rows.messages.next().map(Option::transpose)).await?;
                    rows.messages = stream::iter(first.map(Ok)).chain(rows.messages).boxed();
                }
                encode::describe(&mut self.io.out, &rows.shape, &Formats::default())?;
                self.forward(rows, bounds, encode::as_they_are).await?
            }
            Some(Answer::Batches(rows)) => {
                let formats = Formats::all(binary);
                let mut cursor = RowCursor::new(rows);
                if collected || writes {
                    self.io.watch(bounds, cursor.batch()).await?;
                }
                encode::describe(&mut self.io.out, cursor.shape(), &formats)?;
                self.deliver(&mut cursor, &formats, bounds, None).await?.rows
            }
        };
        self.complete(running, &tag.text(sent), last).await
    }

    /// Tells that a statement is complete; the `last` of its message commits what the message did before.
    async fn complete(&mut self, running: &RunningStatement, tag: &str, last: bool) -> Result<(), Stop> {
        if last {
            self.hold_cursors(running).await?;
            self.finish_message().await?;
        }
        self.io.out.command_complete(tag);
        Ok(())
    }
}

/// Whether the type of a parameter could not be found out.
fn is_of_types(error: &Error) -> bool {
    matches!(error.state(), SqlState::INDETERMINATE_DATATYPE | SqlState::AMBIGUOUS_PARAMETER)
}
