//! A transaction at a PostgreSQL source: one connection, one statement after the other.
//! Must not know: whose transaction it is, how statements are printed.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;

use super::cursor::{Closing, Cursor};
use super::forward::{self, Forwarding};
use super::lease::Lease;
use super::pool::Pool;
use super::relay::{self, Ask};
use super::rows::{On, Running};
use super::talk::Before;
use super::whole::describe_on;
use super::{errors, load, scan, words};
use crate::error::{Error, Result, SqlState};
use crate::source::{
    Argument, BatchStream, Described, Failed, Load, LoadQuery, Opening, RemoteQuery, RemoteTransaction, RowStream,
    Savepoint, WholeStatement, Words,
};

/// How long a COMMIT may take. It is not cancelled with its statement: nobody would know whether it had happened.
const COMMIT_TIME: Duration = Duration::from_secs(60);
/// How long a statement may go on after it was cancelled, or a ROLLBACK may take, before its connection is cut.
const ROLLBACK_TIME: Duration = Duration::from_secs(2);

/// A transaction. Dropped, it is rolled back.
struct Block(Arc<Shared>);

/// What a transaction and its cursors share.
pub(super) struct Shared {
    pool: Arc<Pool>,
    /// `None`: the transaction is over, or its connection lost.
    held: Arc<Mutex<Option<Held>>>,
    /// Cursors that nobody reads from any more; they are closed before the next statement.
    closing: parking_lot::Mutex<Closing>,
    /// Cursors so far.
    cursors: AtomicU64,
    /// It is to be rolled back, whatever it does.
    given_up: AtomicBool,
    runtime: Handle,
}

/// The connection of a transaction. Its lease counts as in the middle of a statement until the transaction is over, so that the
/// connection is cut if it is dropped before.
struct Held {
    lease: Lease,
    /// The settings that it has now; `None`: nobody knows.
    session: Option<Arc<str>>,
    /// They were set in the transaction, so that it may take them back.
    changed: bool,
    /// Errors of the connection before the statements that count.
    errors: u64,
    /// A statement was cancelled: a request may come late, and must not meet somebody else's.
    cancelled: bool,
    /// How errors of what was written are told, those of the COMMIT too.
    words: Option<Arc<Words>>,
}

impl Held {
    /// A statement writes; what it hides, the COMMIT hides, too.
    fn writes(&mut self, words: &Arc<Words>) {
        let whole = |words: &Words| words.target.as_ref().is_some_and(|target| target.whole);
        if self.words.as_ref().is_none_or(|known| whole(known)) {
            self.words = Some(Arc::clone(words));
        }
    }
}

/// A transaction's connection, for one statement. Dropped in the midst of it, the statement is cancelled, and the next one waits for that.
pub(super) struct Turn {
    guard: Option<OwnedMutexGuard<Option<Held>>>,
    pool: Arc<Pool>,
    runtime: Handle,
    settled: bool,
}

/// Begins a transaction on a connection of the pool.
pub(super) async fn begin(pool: &Arc<Pool>, opening: Opening) -> Result<Arc<dyn RemoteTransaction>> {
    let lease = match at_once(pool, &opening).await? {
        Some(lease) => lease,
        None => {
            let mut lease = pool.lease_in(&opening.query_id, &opening.session).await?;
            let begun = lease.client()?.batch_execute(&opening.begin).await;
            errors::checked(pool.source(), begun, lease.end())?;
            lease
        }
    };
    let errors = lease.errors();
    let held = Held {
        lease,
        session: Some(Arc::clone(&opening.session)),
        changed: false,
        cancelled: false,
        errors,
        words: None,
    };
    let held = Arc::new(Mutex::new(Some(held)));
    let block = Block(Arc::new(Shared {
        pool: Arc::clone(pool),
        held,
        closing: parking_lot::Mutex::default(),
        cursors: AtomicU64::new(0),
        given_up: AtomicBool::new(false),
        runtime: Handle::current(),
    }));
    for number in 0..opening.savepoints {
        block.savepoint(Savepoint::Set(number)).await?;
    }
    Ok(Arc::new(block))
}

/// On an idle connection, in one round trip. `None`: there is none, or it turned out to be lost.
async fn at_once(pool: &Arc<Pool>, opening: &Opening) -> Result<Option<Lease>> {
    let Some(mut lease) = pool.lease_idle() else { return Ok(None) };
    let before = lease.settings(&opening.query_id, &opening.session);
    let Before::Settings(first, _) = &before else { return Ok(None) };
    let client = lease.client()?;
    let both = async { tokio::join!(client.batch_execute(first), client.batch_execute(&opening.begin)) };
    match timeout(pool.timeout() / 2, both).await {
        Ok((Ok(()), Ok(()))) => {
            lease.settled(&before, false, (&opening.query_id, &opening.session));
            Ok(Some(lease))
        }
        Ok((Err(error), _)) if error.as_db_error().is_some() => Err(errors::setting(pool.source(), error)),
        Ok((Ok(()), Err(error))) if error.as_db_error().is_some() => {
            Err(errors::statement(pool.source(), error, lease.end()).0)
        }
        Ok(_) | Err(_) => Ok(None),
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block").field("source", &self.0.pool.source()).finish_non_exhaustive()
    }
}

fn lost(source: &str) -> Error {
    Error::source_fault(SqlState::CONNECTION_FAILURE, format!("the transaction at source \"{source}\" is lost"))
}

impl Shared {
    /// The connection, as soon as the statement before has ended.
    async fn turn(&self) -> Result<Turn> {
        let next = Arc::clone(&self.held).lock_owned();
        let guard = timeout(self.pool.timeout(), next).await;
        self.turn_of(guard.map_err(|_| errors::silent(self.pool.source(), self.pool.timeout()))?)
    }

    fn turn_of(&self, guard: OwnedMutexGuard<Option<Held>>) -> Result<Turn> {
        let mut turn =
            Turn { guard: Some(guard), pool: Arc::clone(&self.pool), runtime: self.runtime.clone(), settled: true };
        turn.held()?;
        Ok(turn)
    }

    /// A name that no cursor of the transaction has had.
    pub(super) fn new_cursor(&self) -> String {
        format!("tusk_{}", self.cursors.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Cursors that nobody reads from any more.
    pub(super) fn closing(&self) -> &parking_lot::Mutex<Closing> {
        &self.closing
    }

    /// Whether it is to be rolled back, whatever it does.
    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire)
    }

    /// Where its work runs that outlives who asked for it.
    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// The connection for a statement, in its session settings, and without cursors that are not read any more. Reads of ours wait for each
    /// other as long as they take.
    async fn turn_for(&self, WholeStatement { session, words, .. }: &WholeStatement) -> Result<Turn> {
        let turn = match words.ours {
            true => self.turn_of(Arc::clone(&self.held).lock_owned().await)?,
            false => self.turn().await?,
        };
        self.turn_in(session, turn).await
    }

    /// The same turn, with these settings.
    async fn turn_in(&self, session: &Arc<str>, mut turn: Turn) -> Result<Turn> {
        let mut first = self.closing.lock().take();
        let held = turn.held()?;
        if held.session.as_ref().is_none_or(|has| has != session) {
            held.changed = true;
            held.session = None;
            first.push(session.to_string());
        }
        if first.is_empty() {
            return Ok(turn);
        }
        turn.settled = false;
        let set = turn.held()?.lease.client()?.batch_execute(&first.join("; ")).await;
        match set {
            Ok(()) => {
                turn.settled = true;
                turn.held()?.session = Some(Arc::clone(session));
                Ok(turn)
            }
            Err(error) => {
                turn.settled = error.as_db_error().is_some();
                Err(errors::setting(self.pool.source(), error))
            }
        }
    }

    /// Runs a statement of ours that returns nothing. `words`: how its errors are told, where they are about what the client wrote.
    async fn say(&self, sql: &str, words: Option<&Words>) -> Result<()> {
        let mut turn = self.turn().await?;
        turn.settled = false;
        let said = turn.held()?.lease.client()?.batch_execute(sql).await;
        match said {
            Ok(()) => {
                turn.settled = true;
                Ok(())
            }
            Err(error) => {
                let source = self.pool.source();
                let (error, healthy) = match words {
                    Some(words) => words::told(source, error, turn.end(), (words, 0)),
                    None => errors::statement(source, error, turn.end()),
                };
                turn.settled = healthy;
                Err(error)
            }
        }
    }

    /// Starts a statement, with its rows in these formats. `keep`: it may come again.
    pub(super) async fn started(
        &self,
        whole: WholeStatement,
        described: &Described,
        (arguments, formats, keep): (&[Argument], &[bool], bool),
    ) -> Result<Forwarding> {
        let mut turn = self.turn_for(&whole).await?;
        turn.settled = false;
        let ask = Ask { whole: &whole, described, arguments, formats, keep };
        let started = relay::start(&mut turn.held()?.lease, ask, &Before::Nothing).await?;
        let source = self.pool.source();
        match started {
            Ok(taken) => Ok(Forwarding::new((taken, On::Turn(turn)), source, whole, described)),
            Err(trouble) => {
                let (error, healthy) = forward::refused(&self.pool, trouble, (&whole, described.shift));
                turn.settled = healthy;
                Err(error)
            }
        }
    }

    /// The same, with the rows made into batches.
    pub(super) async fn batches(
        &self,
        whole: WholeStatement,
        described: &Described,
        (arguments, keep): (&[Argument], bool),
    ) -> Result<Running> {
        let rows = self.started(whole, described, (arguments, &[true], keep)).await?;
        Ok(Running::new(rows, self.pool.source(), described))
    }

    /// Ends the transaction with this statement, and gives the connection back.
    async fn end(
        &self,
        mut turn: Turn,
        sql: &str,
        time: Duration,
    ) -> Option<std::result::Result<(), tokio_postgres::Error>> {
        let mut held = turn.guard.as_mut().and_then(|guard| guard.take())?;
        turn.settled = true;
        let ended = match held.lease.client() {
            Ok(client) => timeout(time, client.batch_execute(sql)).await.ok(),
            Err(_) => None,
        };
        if matches!(ended, Some(Ok(()))) {
            if held.changed {
                held.lease.unsettled();
            }
            if !held.cancelled {
                held.lease.finish();
            }
        }
        ended
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.0.given_up.store(true, Ordering::Release);
        let held = Arc::clone(&self.0.held);
        self.0.runtime.spawn(async move {
            let Some(mut held) = held.lock().await.take() else { return };
            let Ok(client) = held.lease.client() else { return };
            if matches!(timeout(ROLLBACK_TIME, client.batch_execute("ROLLBACK")).await, Ok(Ok(()))) {
                held.lease.unsettled();
                if !held.cancelled {
                    held.lease.finish();
                }
            }
        });
    }
}

impl Turn {
    fn held(&mut self) -> Result<&mut Held> {
        let source = self.pool.source();
        self.guard.as_mut().and_then(|guard| guard.as_mut()).ok_or_else(|| lost(source))
    }

    /// The connection.
    ///
    /// # Errors
    /// `08006` where it is lost.
    pub(super) fn lease(&mut self) -> Result<&mut Lease> {
        Ok(&mut self.held()?.lease)
    }

    /// Why the connection ended, if it did.
    pub(super) fn end(&self) -> Option<&tokio_postgres::Error> {
        self.guard.as_ref().and_then(|guard| guard.as_ref()).and_then(|held| held.lease.end())
    }

    /// The statement has ended, well or not: the connection may serve the next.
    pub(super) fn settle(&mut self) {
        self.settled = true;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(mut guard) = self.guard.take().filter(|_| !self.settled) else { return };
        self.runtime.spawn(async move {
            let quiet = match &mut *guard {
                Some(held) => {
                    held.cancelled = true;
                    held.lease.quiet().await
                }
                None => return,
            };
            if !quiet {
                *guard = None;
            }
        });
    }
}

#[async_trait]
impl RemoteTransaction for Block {
    fn source(&self) -> &str {
        self.0.pool.source()
    }

    async fn describe(&self, statement: &WholeStatement) -> Result<Described> {
        let mut turn = self.0.turn_for(statement).await?;
        turn.settled = false;
        let told = describe_on(&mut turn.held()?.lease, statement, &Before::Nothing).await?;
        let (described, healthy) = match told {
            Ok(described) => (described, true),
            Err(trouble) => {
                let (error, healthy) = forward::told(self.0.pool.source(), trouble, statement, 0);
                (Err(error), healthy)
            }
        };
        turn.settled = healthy;
        described
    }

    async fn run(
        &self,
        statement: WholeStatement,
        described: Arc<Described>,
        arguments: Vec<Argument>,
    ) -> Result<BatchStream> {
        Ok(self.0.batches(statement, &described, (&arguments, true)).await?.into_stream())
    }

    async fn relay(
        &self,
        statement: WholeStatement,
        described: Arc<Described>,
        (arguments, formats): (Vec<Argument>, Vec<bool>),
    ) -> Result<RowStream> {
        Ok(self.0.started(statement, &described, (&arguments, &formats, true)).await?.into_stream())
    }

    async fn open(
        &self,
        statement: WholeStatement,
        described: Arc<Described>,
        arguments: Vec<Argument>,
    ) -> Result<BatchStream> {
        let cursor = Cursor::declare(Arc::clone(&self.0), (statement, described), &arguments, 1).await?;
        Ok(cursor.into_stream())
    }

    fn read(&self, query: RemoteQuery, failed: Failed) -> BatchStream {
        scan::read(Arc::clone(&self.0), query, failed)
    }

    async fn writes(&self, words: &Arc<Words>) -> Result<()> {
        self.0.turn().await?.held()?.writes(words);
        Ok(())
    }

    async fn modify(
        &self,
        statement: WholeStatement,
        described: Arc<Described>,
        arguments: Vec<Argument>,
    ) -> Result<u64> {
        let mut rows = self.0.started(statement, &described, (&arguments, &[], true)).await?;
        while rows.next().await?.is_some() {}
        Ok(rows.affected())
    }

    async fn load(&self, query: LoadQuery) -> Result<Box<dyn Load>> {
        let turn = self.0.turn().await?;
        let mut turn = self.0.turn_in(&query.session, turn).await?;
        turn.settled = false;
        turn.held()?.writes(&query.words);
        load::load(turn, self.0.pool.source(), query).await
    }

    async fn savepoint(&self, savepoint: Savepoint) -> Result<()> {
        let sql = match savepoint {
            Savepoint::Set(number) => format!("SAVEPOINT tusk_{number}"),
            Savepoint::Release(number) => format!("RELEASE SAVEPOINT tusk_{number}"),
            Savepoint::RollBackTo(number) => format!("ROLLBACK TO SAVEPOINT tusk_{number}"),
        };
        if let Err(error) = self.0.say(&sql, None).await {
            // A request to cancel the statement before may have come late.
            if error.state() != SqlState::QUERY_CANCELED {
                return Err(error);
            }
            self.0.say(&sql, None).await?;
        }
        if matches!(savepoint, Savepoint::RollBackTo(_)) {
            // Those that were made behind the mark are gone; the others end with the transaction.
            self.0.closing.lock().forget();
            let mut turn = self.0.turn().await?;
            let held = turn.held()?;
            held.errors = held.lease.errors();
            // It may have taken settings back.
            held.session = held.session.take().filter(|_| !held.changed);
        }
        Ok(())
    }

    async fn set_constraints(&self, deferred: bool) -> Result<()> {
        let sql = if deferred { "SET CONSTRAINTS ALL DEFERRED" } else { "SET CONSTRAINTS ALL IMMEDIATE" };
        let words = self.0.turn().await?.held()?.words.clone();
        self.0.say(sql, words.as_deref()).await
    }

    async fn commit(&self) -> Result<()> {
        let source = self.0.pool.source().to_owned();
        let mut turn = self.0.turn().await?;
        let held = turn.held()?;
        if held.lease.errors() != held.errors {
            // It was ended there, or has failed, and would answer with ROLLBACK as if that were a success.
            self.0.end(turn, "ROLLBACK", ROLLBACK_TIME).await;
            return Err(lost(&source));
        }
        let words = held.words.take().unwrap_or_default();
        match self.0.end(turn, "COMMIT", COMMIT_TIME).await {
            Some(Ok(())) => Ok(()),
            // An end of the server or of the connection is no answer.
            Some(Err(error)) if error.as_db_error().is_some_and(|db| !db.code().code().starts_with("57")) => {
                Err(words::told(&source, error, None, (&words, 0)).0)
            }
            _ => Err(Error::source_fault(
                SqlState::TRANSACTION_RESOLUTION_UNKNOWN,
                format!("source \"{source}\" did not say whether it committed"),
            )),
        }
    }

    async fn roll_back(&self) {
        self.0.given_up.store(true, Ordering::Release);
        if let Ok(turn) = self.0.turn().await {
            self.0.end(turn, "ROLLBACK", ROLLBACK_TIME).await;
        }
    }
}
