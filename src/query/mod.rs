//! The path of a query, from its text to its rows.
//! Must not know: sockets, messages, wire formats.

mod copy;
mod current;
mod cursors;
mod decisions;
mod execute;
mod explain;
mod facts;
#[cfg(test)]
pub(crate) mod fake;
mod fresh;
mod pass;
mod permission;
mod plan;
mod prepare;
mod prepared;
mod probes;
mod route;
mod running;
mod upstream;
mod utility;
mod world;

use std::sync::Arc;
use std::time::SystemTime;

use arrow::array::ArrayRef;
use async_trait::async_trait;
use tokio::runtime::Handle;

pub use copy::{CopyFormat, CopyIn, CopyOut, Copying};
pub use cursors::{Opened, next_part, statement_of};
pub use route::{Route, Target, route};
pub use running::RunningStatement;

use crate::catalog::{SchemaCache, Virtuals};
use crate::engine::datafusion::{Federated, ScanMeter};
use crate::engine::passthrough::Passthrough;
use crate::error::{Error, Notices, Result};
use crate::history::{Begun, Events, Running};
use crate::metrics::Metrics;
use crate::names::cut;
use crate::policy::{Admission, Identity};
use crate::rows::{Answer, Bounds, CommandTag, deadline_after};
use crate::session::{Open, PreparedStatement, Session};
use crate::sql::{Statement, StatementKind};
use decisions::Decisions;
use execute::{Execution, Pace};
use world::Worlds;

/// What an execution gives.
#[derive(Debug)]
pub struct Outcome {
    /// Rows, where the statement returns any; bounded and accounted already.
    pub rows: Option<Answer>,
    /// What CommandComplete says after them.
    pub tag: CommandTag,
}

/// What the wire asks of the rest of the house. One implementation serves; tests put failing ones in its place.
#[async_trait]
pub trait Service: Send + Sync {
    /// Begins a statement: it is seen in `tusk.queries`, can be cancelled and times out from now on.
    fn begin(&self, session: &Session, identity: &Arc<Identity>, text: &str) -> RunningStatement;

    /// Parses a message; a long one away from the sockets.
    ///
    /// # Errors
    /// `42601` with the position; `54000`, `54001`, `54011` for what is too large, too deep or too wide.
    async fn parse(&self, running: &RunningStatement, text: &str) -> Result<Vec<Statement>>;

    /// Resolves, authorises, routes and plans a statement, for these parameter types (0: find out).
    ///
    /// # Errors
    /// Everything that PostgreSQL says of a statement before it runs, with positions.
    async fn prepare(
        &self,
        session: &Session,
        identity: &Arc<Identity>,
        running: &RunningStatement,
        statement: Statement,
        parameter_types: &[u32],
    ) -> Result<PreparedStatement>;

    /// A statement of this message's text that the session has run before, if its plan still holds.
    ///
    /// # Errors
    /// `57014`: cancelled while it waited for what there is now.
    async fn reuse(
        &self,
        session: &Session,
        identity: &Arc<Identity>,
        running: &RunningStatement,
        prepared: &PreparedStatement,
    ) -> Result<bool>;

    /// A statement of this message's text that another session of the same user has run, if its plan holds for this one.
    ///
    /// # Errors
    /// `57014`: cancelled while it waited for what there is now.
    async fn recall(
        &self,
        _session: &Session,
        (_identity, _running): (&Arc<Identity>, &RunningStatement),
        (_text, _types): (&str, &[u32]),
    ) -> Result<Option<PreparedStatement>> {
        Ok(None)
    }

    /// Keeps a statement of this message's text for [`Service::recall`], where it is one for other sessions.
    async fn share(
        &self,
        _session: &Session,
        _identity: &Arc<Identity>,
        (_text, _types): (&str, &[u32]),
        _prepared: &PreparedStatement,
    ) {
    }

    /// Whether a statement's plan may serve when the same text comes again.
    fn is_lasting(&self, prepared: &PreparedStatement) -> bool;

    /// Whether a statement may be bound: of a query that locks rows PostgreSQL tells then, and not later, that it may not run.
    ///
    /// # Errors
    /// `25006`, `42501`.
    fn check_bound(&self, _session: &Session, _prepared: &PreparedStatement) -> Result<()> {
        Ok(())
    }

    /// Runs a prepared statement. `parameters` has one array of one row for each of its parameters, of their types' storage. `formats`: its
    /// rows go to the client in these (binary or not: none, one for all, or one for each column), and may come so; without, they are batches.
    ///
    /// # Errors
    /// Whatever is known before the first row; later errors come with the rows.
    async fn execute(
        &self,
        session: &mut Session,
        identity: &Arc<Identity>,
        running: &RunningStatement,
        prepared: &Arc<PreparedStatement>,
        (parameters, formats): (Vec<ArrayRef>, Option<Vec<bool>>),
    ) -> Result<Outcome>;

    /// Runs a COPY up to its first byte of data. It is resolved, authorised and planned now, as PostgreSQL does.
    ///
    /// # Errors
    /// Whatever is known before the data; later errors come with them.
    async fn copy(
        &self,
        session: &mut Session,
        identity: &Arc<Identity>,
        running: &RunningStatement,
        prepared: &PreparedStatement,
    ) -> Result<Copying>;

    /// Runs a prepared statement whose rows are taken part by part: neither its deadline nor its limits are laid on the stream; each
    /// part that is fetched brings its own deadline, and the limits hold over all of them.
    ///
    /// # Errors
    /// As [`Service::execute`].
    async fn open(
        &self,
        session: &mut Session,
        identity: &Arc<Identity>,
        running: &RunningStatement,
        prepared: &Arc<PreparedStatement>,
        parameters: Vec<ArrayRef>,
    ) -> Result<Opened>;

    /// Whether an open portal may go on: who asks must still be granted what it reads.
    ///
    /// # Errors
    /// The error of a statement that reads what is not granted.
    fn check_open(&self, identity: &Arc<Identity>, open: &Open) -> Result<()>;

    /// Holds the cursors WITH HOLD of a transaction that is about to commit: their rows are read to the end and kept.
    ///
    /// # Errors
    /// What their statements say; `53100` and `53200` where there is no room. The transaction must fail then.
    async fn hold(&self, session: &mut Session, identity: &Arc<Identity>, running: &RunningStatement) -> Result<()>;

    /// Commits at its source what a transaction has done there, if it has. It must not be dropped before it is done: nobody would know
    /// whether it had happened. `notices`: what is said beside, by triggers that were deferred.
    ///
    /// # Errors
    /// What deferred constraints say; `08007` where the source did not say what happened. The transaction must fail then.
    async fn commit(&self, session: &Session, notices: &Notices) -> Result<()>;
}

/// The runtimes of statements.
#[derive(Debug, Clone)]
pub struct Threads {
    /// Plans everything, on threads that may wait and that nothing else holds. They have deep stacks.
    pub planners: Handle,
    /// Executes what reads sources.
    pub queries: Handle,
    /// Executes what is answered from memory, so that it waits for no statement that reads.
    pub memory: Handle,
}

impl Threads {
    fn of(&self, target: Target) -> &Handle {
        match target {
            Target::Federated | Target::Passthrough => &self.queries,
            Target::Catalog | Target::Utility => &self.memory,
        }
    }
}

/// The parts that the path of a query runs through.
pub struct Parts {
    /// What can be named.
    pub catalog: Arc<SchemaCache>,
    /// The relations that Tusk fills itself.
    pub virtuals: Arc<Virtuals>,
    /// The federated engine.
    pub engine: Arc<Federated>,
    /// The sources' own engines.
    pub passthrough: Arc<Passthrough>,
    /// Who may run how much at once.
    pub admission: Arc<Admission>,
    /// The running statements.
    pub running: Running,
    /// What people should know of.
    pub events: Events,
    /// Counters.
    pub metrics: Metrics,
    /// Where statements are planned and run.
    pub threads: Threads,
    /// The one database.
    pub database: String,
}

/// Bytes of a statement that cannot be so deep that the stack of a socket's thread would not do: it is parsed and printed where it came in.
const SHORT: usize = 256;

/// The path of a query. One for the daemon.
pub struct Query {
    parts: Parts,
    worlds: Worlds,
    decisions: Decisions,
    started: SystemTime,
}

impl Query {
    /// The path through these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let worlds = Worlds::new(Arc::clone(&parts.catalog), Arc::clone(&parts.virtuals));
        Query { parts, worlds, decisions: Decisions::new(), started: SystemTime::now() }
    }

    /// Runs work that needs a deep stack (the guards of `sql` keep statements within it), unless the statement ends before. What
    /// does not wait in it looks now and then at whether the statement has ended.
    async fn deep<T: Send + 'static>(
        &self,
        running: &RunningStatement,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let runtime = self.parts.threads.queries.clone();
        let stop = running.stop().clone();
        let task = self.parts.threads.planners.spawn_blocking(move || stop.during(|| runtime.block_on(work)));
        running.bounds().guard(async { task.await.map_err(died)? }).await
    }
}

/// The roles of an identity, by name.
fn role_names(identity: &Identity) -> Vec<String> {
    identity.roles().iter().map(|role| role.name.clone()).collect()
}

/// A task of ours that panicked: the panic is in the log, the statement fails, the session goes on.
fn died(error: tokio::task::JoinError) -> Error {
    Error::internal("a task of a statement ended early").with_cause(error)
}

#[async_trait]
impl Service for Query {
    fn begin(&self, session: &Session, identity: &Arc<Identity>, text: &str) -> RunningStatement {
        let limits = identity.limits();
        let bounds = Bounds {
            cancel: session.begin_statement(text),
            deadline: deadline_after(session.statement_timeout(limits.statement_timeout)),
            transaction_deadline: session.transaction_deadline(),
            max_rows: limits.max_rows,
            max_bytes: limits.max_bytes,
            passed: Arc::default(),
            notices: Notices::default(),
        };
        let entry = self.parts.running.begin(Begun {
            query_id: uuid::Uuid::now_v7().simple().to_string(),
            session_id: session.pid(),
            user_name: identity.user().to_owned(),
            role_names: role_names(identity),
            application_name: session.application_name(),
            client_address: session.client_address(),
            query: text.to_owned(),
        });
        let (metrics, events) = (self.parts.metrics.clone(), self.parts.events.clone());
        metrics.queries_running().inc();
        let meter = ScanMeter::new(limits.max_rows_read);
        RunningStatement::new((bounds, meter), entry, self.parts.running.clone(), move |entry, bounds| {
            execute::account((&metrics, &events), entry, bounds)
        })
    }

    async fn parse(&self, running: &RunningStatement, text: &str) -> Result<Vec<Statement>> {
        let statements = if text.len() <= SHORT {
            crate::sql::parse(text)?
        } else {
            let text = text.to_owned();
            self.deep(running, async move { crate::sql::parse(&text) }).await?
        };
        for name in statements.iter().flat_map(|statement| &statement.shortened) {
            running.bounds().notices.cut(name, cut(name));
        }
        Ok(statements)
    }

    async fn prepare(
        &self,
        session: &Session,
        identity: &Arc<Identity>,
        running: &RunningStatement,
        statement: Statement,
        parameter_types: &[u32],
    ) -> Result<PreparedStatement> {
        prepare::prepare(self, session, identity, running, statement, parameter_types)
            .await
            .inspect_err(|error| running.failed(error))
    }

    async fn reuse(
        &self,
        session: &Session,
        identity: &Arc<Identity>,
        running: &RunningStatement,
        prepared: &PreparedStatement,
    ) -> Result<bool> {
        fresh::reusable(self, session, identity, running, prepared).await
    }

    async fn recall(
        &self,
        session: &Session,
        who: (&Arc<Identity>, &RunningStatement),
        what: (&str, &[u32]),
    ) -> Result<Option<PreparedStatement>> {
        self.decisions.find(self, session, who, what).await
    }

    async fn share(
        &self,
        session: &Session,
        identity: &Arc<Identity>,
        what: (&str, &[u32]),
        prepared: &PreparedStatement,
    ) {
        self.decisions.keep(session, identity, what, prepared).await;
    }

    fn is_lasting(&self, prepared: &PreparedStatement) -> bool {
        let planned = prepared.plan::<prepare::Prepared>();
        let silent = prepared.statement.shortened.is_empty();
        silent && planned.is_some_and(|planned| fresh::is_lasting(&planned, &prepared.statement.text))
    }

    fn check_bound(&self, session: &Session, prepared: &PreparedStatement) -> Result<()> {
        let locks = matches!(prepared.statement.kind, StatementKind::Query(_)) && prepared.statement.locks().is_some();
        match prepared.plan::<prepare::Prepared>() {
            Some(planned) if locks => permission::permitted(self, session, &planned).map(drop),
            _ => Ok(()),
        }
    }

    async fn execute(
        &self,
        session: &mut Session,
        identity: &Arc<Identity>,
        running: &RunningStatement,
        prepared: &Arc<PreparedStatement>,
        (parameters, formats): (Vec<ArrayRef>, Option<Vec<bool>>),
    ) -> Result<Outcome> {
        let pace = formats.map_or(Pace::Whole, Pace::Sent);
        let mut run = Execution { query: self, session, identity, running, pace, depth: 0 };
        let produced = execute::execute(&mut run, prepared, parameters).await;
        // Of what has not run, whoever asked may have it planned anew.
        let failed = |error: &Error| {
            if !error.is_unrun() {
                running.failed(error)
            }
        };
        produced.map(|produced| produced.outcome).inspect_err(failed)
    }

    async fn open(
        &self,
        session: &mut Session,
        identity: &Arc<Identity>,
        running: &RunningStatement,
        prepared: &Arc<PreparedStatement>,
        parameters: Vec<ArrayRef>,
    ) -> Result<Opened> {
        let mut run = Execution { query: self, session, identity, running, pace: Pace::parts(), depth: 0 };
        cursors::open(&mut run, prepared, parameters).await.inspect_err(|error| running.failed(error))
    }

    fn check_open(&self, identity: &Arc<Identity>, open: &Open) -> Result<()> {
        cursors::check(identity, open)
    }

    async fn hold(&self, session: &mut Session, identity: &Arc<Identity>, running: &RunningStatement) -> Result<()> {
        cursors::hold(self, session, identity, running).await.inspect_err(|error| running.failed(error))
    }

    async fn copy(
        &self,
        session: &mut Session,
        identity: &Arc<Identity>,
        running: &RunningStatement,
        prepared: &PreparedStatement,
    ) -> Result<Copying> {
        copy::copy(self, session, identity, running, &prepared.statement)
            .await
            .inspect_err(|error| running.failed(error))
    }

    async fn commit(&self, session: &Session, notices: &Notices) -> Result<()> {
        upstream::commit(session, notices).await
    }
}
