//! The connection of a transaction at a PostgreSQL source, and who has it when: one statement after the other.
//! Must not know: whose transaction it is, what its statements are for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;

use super::cursor::Closing;
use super::errors;
use super::forward::{self, Forwarding};
use super::lease::Lease;
use super::pool::Pool;
use super::relay::{self, Ask};
use super::rows::{On, Running};
use super::talk::Before;
use super::trouble::Trouble;
use crate::error::{Error, Notices, Result, SqlState};
use crate::names;
use crate::source::{Argument, Described, Spot, Stand, WholeStatement, Words};

/// What a transaction and its cursors share.
pub(super) struct Shared {
    pub(super) pool: Arc<Pool>,
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
pub(super) struct Held {
    pub(super) lease: Lease,
    /// The settings that it has now; `None`: nobody knows.
    pub(super) session: Option<Arc<str>>,
    /// They were set in the transaction, so that it may take them back.
    pub(super) changed: bool,
    /// Errors of the connection before the statements that count.
    pub(super) errors: u64,
    /// A statement was cancelled: a request may come late, and must not meet somebody else's.
    cancelled: bool,
    /// How errors of what was written are told, those of the COMMIT too.
    pub(super) words: Option<Arc<Words>>,
}

impl Held {
    /// The transaction has ended: the connection may serve others.
    fn give_back(mut self) {
        if self.changed {
            self.lease.unsettled();
        }
        if !self.cancelled {
            self.lease.finish();
        }
    }

    /// A statement writes; what it hides, the COMMIT hides, too.
    pub(super) fn writes(&mut self, words: &Arc<Words>) {
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
    pub(super) settled: bool,
}

pub(super) fn lost(source: &str) -> Error {
    Error::source_fault(SqlState::CONNECTION_FAILURE, format!("the transaction at source \"{source}\" is lost"))
}

/// A cursor that nobody declared as SCROLL cannot go back there, though its rows were kept here.
fn forward_only() -> Error {
    Error::client(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "cursor can only scan forward")
        .with_hint("Declare it with SCROLL option to enable backward scan.")
}

impl Shared {
    /// A transaction that has begun on this connection, in these session settings.
    pub(super) fn new(pool: &Arc<Pool>, lease: Lease, session: Arc<str>) -> Self {
        let (session, errors) = (Some(session), lease.errors());
        let held = Held { lease, session, changed: false, cancelled: false, errors, words: None };
        Shared {
            pool: Arc::clone(pool),
            held: Arc::new(Mutex::new(Some(held))),
            closing: parking_lot::Mutex::default(),
            cursors: AtomicU64::new(0),
            given_up: AtomicBool::new(false),
            runtime: Handle::current(),
        }
    }

    /// The connection, as soon as the statement before has ended.
    pub(super) async fn turn(&self) -> Result<Turn> {
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
        names::cursor(self.cursors.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Cursors that nobody reads from any more.
    pub(super) fn closing(&self) -> &parking_lot::Mutex<Closing> {
        &self.closing
    }

    /// It is to be rolled back, whatever it does.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
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
    pub(super) async fn turn_for(&self, WholeStatement { session, words, .. }: &WholeStatement) -> Result<Turn> {
        let turn = match words.ours {
            true => self.turn_of(Arc::clone(&self.held).lock_owned().await)?,
            false => self.turn().await?,
        };
        self.turn_in(session, turn).await
    }

    /// The same turn, with these settings.
    pub(super) async fn turn_in(&self, session: &Arc<str>, mut turn: Turn) -> Result<Turn> {
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

    /// Runs a statement of ours that returns nothing. What the source says of it is told as `words` say, and beside its answer to `notices`.
    pub(super) async fn say(&self, sql: &str, (words, notices): (&Words, &Notices)) -> Result<()> {
        let mut turn = self.turn().await?;
        turn.settled = false;
        let said = relay::say(&mut turn.held()?.lease, sql, (words, notices)).await;
        turn.settled = true;
        let Err(trouble) = said else { return Ok(()) };
        let (error, healthy) = forward::told(self.pool.source(), trouble, (words, 0));
        turn.settled = healthy;
        Err(error)
    }

    /// Has a cursor stand there, in a statement of ours if it does not.
    pub(super) async fn place(&self, stand: &Stand, spot: Spot) -> Result<()> {
        let Some(name) = stand.name().filter(|_| stand.spot() != spot) else { return Ok(()) };
        let sql = match spot {
            Spot::Start => format!("MOVE ABSOLUTE 0 FROM {name}"),
            Spot::Row(row) => format!("MOVE ABSOLUTE {row} FROM {name}"),
            Spot::End => format!("MOVE FORWARD ALL FROM {name}"),
        };
        let said = self.say(&sql, (&Words { ours: true, ..Words::default() }, &Notices::default())).await;
        said.map_err(|error| match error.state() {
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE => forward_only().with_cause(error),
            _ => error,
        })?;
        stand.move_to(spot);
        Ok(())
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

    /// Ends the transaction with this statement, and gives the connection back. `None`: there was no answer in time.
    pub(super) async fn end(
        &self,
        mut turn: Turn,
        (sql, time): (&str, Duration),
        (words, notices): (&Words, &Notices),
    ) -> Option<std::result::Result<(), Trouble>> {
        let mut held = turn.guard.as_mut().and_then(|guard| guard.take())?;
        turn.settled = true;
        let ended = timeout(time, relay::say(&mut held.lease, sql, (words, notices))).await.ok();
        if matches!(ended, Some(Ok(()))) {
            held.give_back();
        }
        ended
    }

    /// Rolls the transaction back, whatever it does.
    pub(super) fn abandon(&self, time: Duration) {
        self.give_up();
        let held = Arc::clone(&self.held);
        self.runtime.spawn(async move {
            let Some(mut held) = held.lock().await.take() else { return };
            let Ok(client) = held.lease.client() else { return };
            if matches!(timeout(time, client.batch_execute("ROLLBACK")).await, Ok(Ok(()))) {
                held.changed = true;
                held.give_back();
            }
        });
    }
}

impl Turn {
    pub(super) fn held(&mut self) -> Result<&mut Held> {
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
