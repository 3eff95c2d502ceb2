//! Steps 11 to 15 of the path: admit, execute, stream, account.
//! Must not know: how rows are encoded.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;
use futures::{FutureExt, Stream, StreamExt, stream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::cursors::Grounds;
use super::fresh::still_true;
use super::permission::permitted;
use super::plan::Planned;
use super::prepare::{self, Prepared};
use super::upstream;
use super::{Outcome, Query, RunningStatement, Target, current, cursors, died, explain, prepared, probes, utility};
use crate::catalog::{SchemaCache, World};
use crate::engine::passthrough::{Form, Place, Savepoint, Stand, Started};
use crate::error::{Error, Fault, Result, SqlState};
use crate::history::{Entry, Events};
use crate::metrics::Metrics;
use crate::policy::{Authorized, Identity, Ticket};
use crate::rows::{Answer, BatchStream, Bounds, CommandTag, PartStream, Rows, WireRows, pump};
use crate::session::{PreparedStatement, Session, TransactionStatus};
use crate::sql::{Scope, Statement, StatementKind};

/// How the rows of a statement are taken.
#[derive(Debug, Clone)]
pub(super) enum Pace {
    /// At once, to the end: the statement's deadline and limits hold over them.
    Whole,
    /// The same, by a client, in these formats (binary or not: none, one for all, or one for each): rows that are encoded already need
    /// not be encoded again.
    Sent(Vec<bool>),
    /// Part by part, with waits of any length in between: who takes them keeps deadlines and limits. Where they are a cursor's at the source, it is
    /// told where that stands.
    Parts(Arc<Stand>),
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

/// So long rows of a source are waited for before a task is made to carry them.
const AT_ONCE: Duration = Duration::from_millis(2);

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
            StatementKind::Commit { .. }
            | StatementKind::Rollback { .. }
            | StatementKind::Savepoint(_)
            | StatementKind::ReleaseSavepoint(_)
            | StatementKind::RollbackToSavepoint(_) => transact(run, &prepared.statement).await,
            StatementKind::SetConstraints { deferred, .. } => {
                let outcome = utility::run(run.session, run.running, &prepared.statement)?;
                upstream::set_constraints(run.session, run.running, *deferred).await?;
                Ok(outcome.into())
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

/// Runs a statement that ends a transaction or goes back in it: at its source, too, if it holds anything there.
async fn transact(run: &mut Execution<'_>, statement: &Statement) -> Result<Produced> {
    let named = match &statement.kind {
        StatementKind::ReleaseSavepoint(name) | StatementKind::RollbackToSavepoint(name) => {
            run.session.transaction.savepoint(name)
        }
        // What is committed has been before: see `Service::commit`.
        StatementKind::Commit { .. } if run.session.transaction.status() != TransactionStatus::Failed => None,
        StatementKind::Commit { .. } | StatementKind::Rollback { .. } => {
            upstream::roll_back(run.session).await;
            None
        }
        _ => None,
    };
    let outcome = utility::run(run.session, run.running, statement)?;
    let last = run.session.transaction.depth().checked_sub(1);
    let savepoint = match &statement.kind {
        StatementKind::Savepoint(_) => last.map(Savepoint::Set),
        StatementKind::ReleaseSavepoint(_) => named.map(Savepoint::Release),
        StatementKind::RollbackToSavepoint(_) => named.map(Savepoint::RollBackTo),
        _ => None,
    };
    if let Some(savepoint) = savepoint {
        upstream::savepoint(run.session, run.running, savepoint).await?;
    }
    Ok(outcome.into())
}

/// Runs a statement that reads or writes. What its source refuses before anything of it has run, as it is no longer what it was when the
/// statement was planned, is planned anew, once: not in a block, which has failed then, nor behind what else the transaction holds there.
pub(super) async fn read(
    run: &mut Execution<'_>,
    prepared: &Arc<PreparedStatement>,
    planned: &Prepared,
    parameters: Vec<ArrayRef>,
) -> Result<Produced> {
    let alone = run.session.transaction.is_alone();
    let done = read_once(run, prepared, (planned, false), parameters.clone()).await;
    if !alone || !matches!(&done, Err(error) if error.is_unrun()) {
        return done;
    }
    upstream::let_go(run.session).await;
    for source in &planned.route.sources {
        let _ = run.query.parts.catalog.refresh(source);
    }
    let done = read_once(run, prepared, (planned, true), parameters).await;
    if matches!(&done, Err(error) if error.is_unrun()) {
        upstream::let_go(run.session).await;
    }
    done
}

/// `anew`: its plan does not hold.
async fn read_once(
    run: &mut Execution<'_>,
    prepared: &Arc<PreparedStatement>,
    (planned, anew): (&Prepared, bool),
    parameters: Vec<ArrayRef>,
) -> Result<Produced> {
    let (query, identity, running) = (run.query, run.identity, run.running);
    let (fresh, world) = still_true(query, run.session, identity, running, (prepared, planned, anew)).await?;
    let planned = fresh.as_deref().unwrap_or(planned);
    prepare::note(running, planned);
    if calls(&planned.scope, &ACTING) {
        run.session.arm_acts();
    }
    warn_of_stale(&world, planned, running);
    match planned.explain {
        Some(wanted) => {
            let _ticket = admit(query, identity, running, planned).await?;
            let rows = explain::explain(query, run.session, running, (planned, wanted), &parameters).await?;
            Ok(Outcome { rows: Some(Answer::Batches(rows)), tag: CommandTag::Plain("EXPLAIN") }.into())
        }
        None => {
            let bounds = match run.pace {
                Pace::Whole | Pace::Sent(_) => running.bounds().clone(),
                Pace::Parts(_) => running.bounds().of_parts(),
            };
            let how = (running, bounds, run.pace.clone());
            let outcome = rows(query, run.session, identity, how, planned, parameters).await?;
            Ok(Produced { outcome, plan: Some(planned.plan.permit()?), grounds: None })
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
    session: &mut Session,
    identity: &Identity,
    (running, bounds, pace): (&RunningStatement, Bounds, Pace),
    planned: &Prepared,
    parameters: Vec<ArrayRef>,
) -> Result<Outcome> {
    let ticket = admit(query, identity, running, planned).await?;
    let runtime = query.parts.threads.of(planned.route.target);
    let begins = planned.route.target == Target::Federated && !matches!(pace, Pace::Parts(_));
    let started = start(query, session, (running, pace), planned, parameters).await;
    let Started { rows, written, ahead } =
        started.inspect_err(|error| drifted(&query.parts.catalog, &planned.route.sources, error))?;
    let tag = planned.plan.value().tag(written);
    let Some(rows) = rows else { return Ok(Outcome { rows: None, tag }) };
    let sources = planned.route.sources.clone();
    let catalog = Arc::clone(&query.parts.catalog);
    let rows = match rows {
        // Nothing is left to do with them: who reads them reads them from the source.
        Answer::Wire(WireRows { shape, messages }) => {
            let messages = messages.inspect(move |_| _ = &ticket).boxed();
            let messages = watched((catalog, sources), accounted(running, pump(messages, bounds)));
            Answer::Wire(WireRows { shape, messages })
        }
        Answer::Batches(rows) => {
            let Rows { shape, batches } = match planned.route.target {
                _ if !ahead => Rows { shape: rows.shape, batches: accounted(running, pump(rows.batches, bounds)) },
                Target::Passthrough => carry(runtime, running, bounds, rows, ticket),
                _ => relay(runtime, running, bounds, rows, ticket),
            };
            let batches = watched((catalog, sources), batches);
            let batches = if begins { begun(batches).await? } else { batches };
            Answer::Batches(Rows { shape, batches })
        }
    };
    Ok(Outcome { rows: Some(rows), tag })
}

/// Carries rows of a source. If all of them are there at once, as those of a look-up are, no task is needed for it.
fn carry(runtime: &Handle, running: &RunningStatement, bounds: Bounds, rows: Rows, ticket: Option<Ticket>) -> Rows {
    let Rows { shape, mut batches } = rows;
    let runtime = runtime.clone();
    let carried = stream::once(async move {
        let Ok(first) = tokio::time::timeout(AT_ONCE, batches.next()).await else {
            return relayed(&runtime, batches, ticket);
        };
        let rest = match batches.next().now_or_never() {
            Some(None) => stream::empty().boxed(),
            Some(Some(next)) => relayed(&runtime, stream::iter([next]).chain(batches).boxed(), ticket),
            None => relayed(&runtime, batches, ticket),
        };
        stream::iter(first).chain(rest).boxed()
    });
    Rows { shape, batches: accounted(running, pump(carried.flatten().boxed(), bounds)) }
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
async fn start(
    query: &Query,
    session: &mut Session,
    (running, pace): (&RunningStatement, Pace),
    planned: &Prepared,
    parameters: Vec<ArrayRef>,
) -> Result<Started> {
    let inside = match planned.route.target {
        Target::Federated => upstream::of_reads(query, session, running, planned).await?,
        _ => None,
    };
    let inside = inside.map(|upstream| upstream::within(&upstream, running));
    let begun = |sql: Vec<String>| {
        running.entry().update(|progress| {
            progress.remote_sql = sql;
            progress.state = "running";
            progress.plan_ms = running.entry().started.elapsed().as_secs_f64() * 1e3;
        });
    };
    let plan = match planned.plan.value() {
        Planned::Federated(plan) => planned.plan.permit()?.with(Arc::clone(plan)),
        Planned::Passthrough(plan) => {
            let wants = planned.wants(plan);
            let permitted = permitted(query, session, planned)?;
            let upstream = upstream::of_statement(query, session, running, (plan.source(), wants)).await?;
            begun(vec![format!("{}: {}", plan.source(), plan.sql())]);
            let placing = current::cursors(session, plan, upstream.as_deref());
            let cursors = running.bounds().guard(placing).await?;
            let parts = if let Pace::Parts(stand) = &pace { Some(Arc::clone(stand)) } else { None };
            let place = match &upstream {
                Some(upstream) => Place::In { upstream, parts: parts.as_ref(), cursors: &cursors },
                None => Place::Alone,
            };
            let plan = permitted.with(Arc::clone(plan));
            let form = match pace {
                Pace::Sent(formats) => Form::Wire(formats),
                Pace::Whole | Pace::Parts(_) => Form::Batches,
            };
            return query.parts.passthrough.start(&plan, &parameters, running.context(), (place, form)).await;
        }
    };
    let engine = Arc::clone(&query.parts.engine);
    let ready = match engine.ready_again(&plan, || running.context())? {
        Some(ready) => ready,
        None => {
            let context = running.context().within(inside);
            query.deep(running, async move { engine.ready(&plan, &parameters, context).await }).await?
        }
    };
    begun(ready.remote.iter().map(|read| format!("{}: {}", read.source, read.sql)).collect());
    let started = query.parts.threads.of(planned.route.target).spawn(async move { ready.start() });
    let rows = running.bounds().guard(async { started.await.map_err(died)? }).await?;
    Ok(Started { rows: Some(Answer::Batches(rows)), written: None, ahead: true })
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
    let Rows { shape, batches } = rows;
    Rows { shape, batches: accounted(running, pump(relayed(runtime, batches, ticket), bounds)) }
}

fn relayed(runtime: &Handle, mut batches: BatchStream, ticket: Option<Ticket>) -> BatchStream {
    let (sender, receiver) = mpsc::channel(1);
    let task = runtime.spawn(async move {
        let _ticket = ticket;
        while let Some(batch) = batches.next().await {
            let last = batch.is_err();
            if sender.send(batch).await.is_err() || last {
                break;
            }
        }
    });
    Box::pin(Relay { receiver, task: AbortOnDropHandle::new(task), ended: false })
}

/// Rows of a statement, which has failed if they do.
fn accounted<T: 'static>(running: &RunningStatement, rows: PartStream<T>) -> PartStream<T> {
    let running = running.clone();
    Box::pin(rows.inspect(move |part| {
        // Of what has not run, whoever asked may have it planned anew.
        if let Err(error) = part
            && !error.is_unrun()
        {
            running.failed(error);
        }
    }))
}

/// Waits for the first part of rows. Where nothing has run, that is told before they are begun.
async fn begun<T: Send + 'static>(mut rows: PartStream<T>) -> Result<PartStream<T>> {
    match rows.next().await {
        Some(Err(error)) if error.is_unrun() => Err(error),
        first => Ok(stream::iter(first).chain(rows).boxed()),
    }
}

/// A source whose tables are no longer what the catalog says is asked again by the next statement.
fn watched<T: 'static>((catalog, sources): (Arc<SchemaCache>, Vec<String>), rows: PartStream<T>) -> PartStream<T> {
    if sources.is_empty() {
        return rows;
    }
    Box::pin(rows.inspect(move |part| {
        if let Err(error) = part {
            drifted(&catalog, &sources, error);
        }
    }))
}

fn drifted(catalog: &SchemaCache, sources: &[String], error: &Error) {
    let drifted = [SqlState::FEATURE_NOT_SUPPORTED, SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN];
    if error.fault() == Fault::Source && drifted.contains(&error.state()) {
        for source in sources {
            let _ = catalog.refresh(source);
        }
    }
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
