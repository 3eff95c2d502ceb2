//! Steps 11 to 15 of the path: admit, execute, stream, account.
//! Must not know: how rows are encoded.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;
use futures::{Stream, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::cursors::Grounds;
use super::plan::Planned;
use super::prepare::{self, Prepared};
use super::{Outcome, Query, RunningStatement, Target, cursors, died, explain, prepared, probes, utility};
use crate::catalog::{Relation, World};
use crate::engine::datafusion::StatementContext;
use crate::error::{Error, Fault, Result, SqlState};
use crate::history::{Entry, Events};
use crate::metrics::Metrics;
use crate::policy::{Authorized, Identity, Ticket};
use crate::rows::{BatchStream, Bounds, CommandTag, Rows, pump};
use crate::session::{PreparedStatement, Session};
use crate::sql::{Scope, StatementKind};

/// How the rows of a statement are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// At once, to the end: the statement's deadline and limits hold over them.
    Whole,
    /// Part by part, with waits of any length in between: who takes them keeps deadlines and limits.
    Parts,
}

/// One execution: by whom, and how.
pub(super) struct Execution<'a> {
    pub(super) query: &'a Query,
    pub(super) session: &'a mut Session,
    pub(super) identity: &'a Arc<Identity>,
    pub(super) running: &'a RunningStatement,
    pub(super) pace: Pace,
    /// Statements around it: see [`Execution::deeper`].
    pub(super) depth: u32,
}

/// EXECUTEs and FETCHes within each other: only Parse and Bind messages can make them, and nobody needs more than one. Each takes its
/// share of a stack that is no deeper than a socket's task needs.
const MAX_DEPTH: u32 = 3;

impl Execution<'_> {
    /// A statement runs another.
    ///
    /// # Errors
    /// `54001` where that has no end.
    pub(super) fn deeper(&mut self) -> Result<()> {
        if self.depth >= MAX_DEPTH {
            return Err(Error::resource(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        self.depth += 1;
        Ok(())
    }
}

/// What an execution gives, and the plan behind its rows.
pub(super) struct Produced {
    pub(super) outcome: Outcome,
    /// What was authorised, where rows of tables come.
    pub(super) plan: Option<Authorized<Planned>>,
    /// What the cursor was authorised for whose rows these are.
    pub(super) grounds: Option<Arc<Grounds>>,
}

impl From<Outcome> for Produced {
    fn from(outcome: Outcome) -> Self {
        Produced { outcome, plan: None, grounds: None }
    }
}

/// Functions that act on the session, or look at what others of the same statement did.
pub(super) const ACTING: [&str; 6] = [
    "set_config",
    "current_setting",
    "pg_notify",
    "pg_listening_channels",
    "pg_notification_queue_usage",
    "txid_current",
];

/// Whether a statement calls one of these functions.
pub(super) fn calls(scope: &Scope, functions: &[&str]) -> bool {
    scope.functions.iter().any(|function| functions.contains(&function.name.as_str()))
}

/// Runs a prepared statement of any kind.
pub(super) async fn execute(
    run: &mut Execution<'_>,
    prepared: &Arc<PreparedStatement>,
    parameters: Vec<ArrayRef>,
) -> Result<Produced> {
    run.session.check_may_run(&prepared.statement)?;
    let Some(planned) = prepared.plan::<Prepared>() else {
        return match &prepared.statement.kind {
            StatementKind::Prepare { .. } => prepared::prepare(run, &prepared.statement).await,
            StatementKind::Execute { name, arguments } => prepared::execute(run, name, arguments).await,
            StatementKind::Explain { .. } => prepared::explain(run, &prepared.statement).await,
            StatementKind::Fetch(fetch) => cursors::fetch(run, fetch).await,
            StatementKind::Move(fetch) => cursors::advance(run, fetch).await,
            StatementKind::Commit { .. } => {
                cursors::before_commit(run).await?;
                utility::run(run.session, run.running, &prepared.statement).map(Produced::from)
            }
            StatementKind::Lock { .. } | StatementKind::Maintain(_) => {
                let (query, identity, running) = (run.query, run.identity, run.running);
                let done = utility::maintain(query, run.session, identity, running, &prepared.statement).await;
                done.map(Produced::from)
            }
            _ => utility::run(run.session, run.running, &prepared.statement).map(Produced::from),
        };
    };
    match &prepared.statement.kind {
        StatementKind::DeclareCursor(declare) => cursors::declare(run, declare, prepared, &planned, parameters).await,
        _ => read(run, prepared, &planned, parameters).await,
    }
}

/// Runs a statement that reads.
pub(super) async fn read(
    run: &mut Execution<'_>,
    prepared: &Arc<PreparedStatement>,
    planned: &Prepared,
    parameters: Vec<ArrayRef>,
) -> Result<Produced> {
    let (query, identity, running) = (run.query, run.identity, run.running);
    let (fresh, world) = still_true(query, run.session, identity, running, prepared, planned).await?;
    let planned = fresh.as_deref().unwrap_or(planned);
    running.entry().update(|progress| progress.route = planned.route.target.name());
    if calls(&planned.scope, &ACTING) {
        run.session.arm_acts();
    }
    warn_of_stale(&world, planned, running);
    let outcome = |rows, tag| Outcome { rows: Some(rows), tag };
    match planned.explain {
        Some(wanted) => {
            let _ticket = admit(query, identity, running, planned).await?;
            let rows = explain::explain(query, run.session, running, (planned, wanted), &parameters).await?;
            Ok(Produced::from(outcome(rows, CommandTag::Plain("EXPLAIN"))))
        }
        None => {
            let bounds = match run.pace {
                Pace::Whole => running.bounds().clone(),
                Pace::Parts => running.bounds().of_parts(),
            };
            let rows = rows(query, identity, (running, bounds), planned, parameters).await?;
            Ok(Produced { outcome: outcome(rows, CommandTag::Select), plan: Some(planned.plan.clone()), grounds: None })
        }
    }
}

/// Waits for a statement's turn. What is answered from memory never waits for a place.
pub(super) async fn admit(
    query: &Query,
    identity: &Identity,
    running: &RunningStatement,
    planned: &Prepared,
) -> Result<Option<Ticket>> {
    match planned.route.target {
        Target::Federated | Target::Passthrough => {
            query.parts.admission.admit(identity, &running.bounds().cancel).await.map(Some)
        }
        Target::Catalog | Target::Utility => Ok(None),
    }
}

/// Admits a planned statement and starts it: its rows, within these bounds, accounted and watched.
pub(super) async fn rows(
    query: &Query,
    identity: &Identity,
    (running, bounds): (&RunningStatement, Bounds),
    planned: &Prepared,
    parameters: Vec<ArrayRef>,
) -> Result<Rows> {
    let ticket = admit(query, identity, running, planned).await?;
    let runtime = query.parts.threads.of(planned.route.target);
    let rows = start(query, running, planned, parameters).await?;
    let mut rows = relay(runtime, running, bounds, rows, ticket);
    watch_for_drift(query, planned, &mut rows);
    Ok(rows)
}

/// Checks a plan against the catalog and the policy of this moment. `None`: it still holds. A statement whose tables or grants changed, or whose functions
/// tell of this moment, is planned again, and keeps that plan; if clients would see another result type, PostgreSQL's error says so.
pub(super) async fn still_true(
    query: &Query,
    session: &Session,
    identity: &Arc<Identity>,
    running: &RunningStatement,
    prepared: &PreparedStatement,
    planned: &Prepared,
) -> Result<(Option<Arc<Prepared>>, Arc<World>)> {
    let world = prepare::world_for(query, session, identity, running, &planned.scope).await?;
    let now = prepare::relations(query, session, &world, &planned.scope)?;
    let same = Arc::ptr_eq(&planned.identity, identity)
        && now.len() == planned.relations.len()
        && now.iter().zip(&planned.relations).all(|(a, b)| same_relation(a, b));
    // What virtual tables and their functions tell is the world's, which the plan holds.
    let virtual_tables = planned.plan.value().reads_virtual();
    let same_world = !virtual_tables || Arc::ptr_eq(&planned.world, &world);
    if same && same_world && prepared.is_fresh(session, virtual_tables, tells_time(&planned.scope)) {
        return Ok((None, world));
    }
    let types: Vec<_> = prepared.parameters.iter().copied().map(Some).collect();
    let again = prepare::plan(query, session, identity, running, &prepared.statement, &types).await?;
    if planned.explain.is_none() && !again.plan.value().shape().same_for_clients(planned.plan.value().shape()) {
        return Err(Error::unsupported("cached plan must not change result type"));
    }
    let again = Arc::new(again);
    prepared.replanned(session, Arc::clone(&again) as _);
    Ok((Some(again), world))
}

/// Whether a function may tell of this moment or of the daemon's state, so that its value must not be kept: by the start of its name, where
/// too many cost a planning and too few a wrong answer.
fn tells_time(scope: &Scope) -> bool {
    const STARTS: &[&str] = &[
        "now",
        "current_",
        "local",
        "clock_",
        "statement_",
        "transaction_",
        "timeofday",
        "age",
        "random",
        "gen_random",
        "uuid",
        "txid_",
        "pg_",
        "has_",
        "inet_",
        "set_config",
        "setseed",
        "nextval",
        "currval",
        "lastval",
        "version",
    ];
    scope.functions.iter().any(|function| {
        let known = function.schema.as_deref().is_none_or(|schema| schema == "pg_catalog");
        !known || STARTS.iter().any(|start| function.name.starts_with(start))
    })
}

fn same_relation(a: &Relation, b: &Relation) -> bool {
    match (a, b) {
        (Relation::Table(a), Relation::Table(b)) => {
            Arc::ptr_eq(&a.remote, &b.remote) && a.shape == b.shape && a.name == b.name
        }
        (Relation::Virtual(a), Relation::Virtual(b)) => Arc::ptr_eq(a, b),
        _ => false,
    }
}

/// Warns of each source that is served from its last good schema and of which the statement tells something.
pub(super) fn warn_of_stale(world: &World, planned: &Prepared, running: &RunningStatement) {
    let told =
        |name: &str| planned.plan.value().reads_virtual() || planned.route.sources.iter().any(|source| source == name);
    for name in world.stale.iter().filter(|name| told(name)) {
        let message = format!("source \"{name}\" is down: its schema is the last one known");
        running.bounds().notices.warn(SqlState::WARNING, message);
    }
}

/// Makes the plan ready and starts it on the runtime of its route.
pub(super) async fn start(
    query: &Query,
    running: &RunningStatement,
    planned: &Prepared,
    parameters: Vec<ArrayRef>,
) -> Result<Rows> {
    let context = StatementContext::new(running.query_id(), running.stop().clone());
    let begun = |sql: Vec<String>| {
        running.entry().update(|progress| {
            progress.remote_sql = sql;
            progress.state = "running";
            progress.plan_ms = running.entry().started.elapsed().as_secs_f64() * 1e3;
        });
    };
    let plan = match planned.plan.value() {
        Planned::Federated(plan) => planned.plan.clone().with(Arc::clone(plan)),
        Planned::Passthrough(plan) => {
            begun(vec![format!("{}: {}", plan.source(), plan.sql())]);
            let plan = planned.plan.clone().with(Arc::clone(plan));
            return query.parts.passthrough.start(&plan, &parameters, context);
        }
    };
    let engine = Arc::clone(&query.parts.engine);
    let ready = query.deep(running, async move { engine.ready(&plan, &parameters, context).await }).await?;
    begun(ready.remote.iter().map(|read| format!("{}: {}", read.source, read.sql)).collect());
    let started = query.parts.threads.of(planned.route.target).spawn(async move { ready.start() });
    running.bounds().guard(async { started.await.map_err(died)? }).await
}

/// Carries batches from the runtime that makes them to the one of sockets, one at a time, within these bounds. Dropping the
/// rows aborts the work, which tells the sources.
pub(super) fn relay(
    runtime: &Handle,
    running: &RunningStatement,
    bounds: Bounds,
    rows: Rows,
    ticket: Option<Ticket>,
) -> Rows {
    let (sender, receiver) = mpsc::channel(1);
    let Rows { shape, mut batches } = rows;
    let task = runtime.spawn(async move {
        let _ticket = ticket;
        while let Some(batch) = batches.next().await {
            let last = batch.is_err();
            if sender.send(batch).await.is_err() || last {
                break;
            }
        }
    });
    let inner: BatchStream = Box::pin(Relay { receiver, task: AbortOnDropHandle::new(task), ended: false });
    let bounded = pump(inner, bounds);
    let running = running.clone();
    let accounted = bounded.inspect(move |batch| {
        if let Err(error) = batch {
            running.failed(error);
        }
    });
    Rows { shape, batches: Box::pin(accounted) }
}

/// A source whose tables are no longer what the catalog says is asked again by the next statement.
fn watch_for_drift(query: &Query, planned: &Prepared, rows: &mut Rows) {
    let sources = planned.route.sources.clone();
    if sources.is_empty() {
        return;
    }
    let catalog = Arc::clone(&query.parts.catalog);
    let inner = std::mem::replace(&mut rows.batches, Box::pin(futures::stream::empty()));
    rows.batches = Box::pin(inner.inspect(move |batch| {
        let Err(error) = batch else { return };
        let drifted = [SqlState::FEATURE_NOT_SUPPORTED, SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN];
        if error.fault() == Fault::Source && drifted.contains(&error.state()) {
            for source in &sources {
                let _ = catalog.refresh(source);
            }
        }
    }));
}

struct Relay {
    receiver: mpsc::Receiver<Result<RecordBatch>>,
    task: AbortOnDropHandle<()>,
    ended: bool,
}

impl Stream for Relay {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match self.receiver.poll_recv(context) {
            Poll::Ready(None) => {
                // The sender is gone: the task has ended, well or in a panic. A panic must not look like the end of the rows.
                let finished = std::task::ready!(Pin::new(&mut self.task).poll(context));
                self.ended = true;
                Poll::Ready(finished.err().map(|error| Err(died(error))))
            }
            other => other,
        }
    }
}

/// Counts a statement that has ended, and logs what people should know of it.
pub(super) fn account((metrics, events): (&Metrics, &Events), entry: &Entry, bounds: &Bounds) {
    let progress = entry.progress();
    let outcome = entry.outcome();
    let status = match &outcome {
        None | Some(Ok(())) => "ok",
        Some(Err(error)) if error.state() == SqlState::QUERY_CANCELED => "canceled",
        Some(Err(_)) => "error",
    };
    let route = if progress.route.is_empty() { "none" } else { progress.route };
    metrics.queries_running().dec();
    metrics.queries(route, status).inc();
    metrics.query_seconds(route).observe(entry.started.elapsed().as_secs_f64());
    metrics.rows_returned().inc_by(bounds.passed.rows());
    metrics.bytes_returned().inc_by(bounds.passed.bytes());
    if let Some(Err(error)) = outcome {
        probes::failed(metrics, events, entry, &error);
        let id = &entry.begun.query_id;
        match error.fault() {
            Fault::Internal => {
                tracing::error!(query_id = %id, user = %entry.begun.user_name, error = %error.chain(), "statement failed")
            }
            Fault::Source => {
                tracing::warn!(query_id = %id, user = %entry.begun.user_name, error = %error.chain(), "statement failed")
            }
            Fault::Client | Fault::Policy | Fault::Resource => {
                tracing::debug!(query_id = %id, user = %entry.begun.user_name, sqlstate = %error.state(), "statement failed");
            }
        }
    }
}
