//! Transactions at a source: one connection, from the first statement to the last; all of it or nothing.
//! Must not know: whose transaction it is, how statements are printed.

use std::any::Any;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use datafusion::execution::memory_pool::MemoryReservation;
use parking_lot::Mutex;

use super::{Argument, BatchStream, Described, Load, LoadQuery, RemoteQuery, RowStream, WholeStatement, Words};
use crate::error::{Notices, Result};

/// What a transaction begins with.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The statement that opens it.
    pub begin: String,
    /// Savepoints that follow it at once, as many as the client had before.
    pub savepoints: usize,
    /// The settings of the session that decide what statements say.
    pub session: Arc<str>,
    /// Names the transaction at the source.
    pub query_id: String,
}

/// Whether the statement that reads has failed: what it has under way is to be cancelled, whatever becomes of the transaction.
pub type Failed = Arc<dyn Fn() -> bool + Send + Sync>;

/// A place among the rows of a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// Before the first row.
    Start,
    /// On the row of this number, from 1.
    Row(u64),
    /// After the last row.
    End,
}

/// A cursor at a source, as its reader and those who mean the row it stands on share it. The source has it until the last of them lets go.
#[derive(Debug)]
pub struct Stand {
    scroll: Option<bool>,
    there: OnceLock<There>,
    came: AtomicU64,
    wanted: AtomicU64,
    spot: Mutex<Spot>,
}

/// What the source calls a cursor, and what closes it there when it is dropped.
#[derive(Debug)]
struct There {
    name: String,
    _closer: Box<dyn Any + Send + Sync>,
}

/// As many rows as there are.
const ALL: u64 = u64::MAX;

impl Stand {
    /// Of a cursor that is not declared yet: as SCROLL, as NO SCROLL, or as neither.
    #[must_use]
    pub fn new(scroll: Option<bool>) -> Self {
        Stand {
            scroll,
            there: OnceLock::new(),
            came: AtomicU64::new(0),
            wanted: AtomicU64::new(1),
            spot: Mutex::new(Spot::Start),
        }
    }

    /// What its declaration says of scrolling.
    #[must_use]
    pub fn scroll(&self) -> Option<bool> {
        self.scroll
    }

    /// The name that the source knows the cursor by; `None`: the rows are no cursor's.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.there.get().map(|there| there.name.as_str())
    }

    /// It is declared, under this name; `closer` is dropped with it.
    pub fn named(&self, name: &str, closer: impl Any + Send + Sync) {
        self.there.get_or_init(|| There { name: name.to_owned(), _closer: Box::new(closer) });
    }

    /// Rows that have come.
    #[must_use]
    pub fn came(&self) -> u64 {
        self.came.load(Ordering::Acquire)
    }

    /// So many more rows are wanted for now; `None`: all that there are.
    pub fn want(&self, rows: Option<u64>) {
        self.wanted.store(rows.unwrap_or(ALL), Ordering::Release);
    }

    /// How many rows to fetch now: one, where nobody said more; `None`: all that there are.
    #[must_use]
    pub fn wanted(&self) -> Option<u64> {
        // Who reads wants a row.
        Some(self.wanted.load(Ordering::Acquire)).filter(|wanted| *wanted != ALL).map(|wanted| wanted.max(1))
    }

    /// So many rows have come: the source's cursor stands on the last of them.
    pub fn add(&self, rows: u64) {
        let came = self.came.fetch_add(rows, Ordering::AcqRel) + rows;
        self.move_to(Spot::Row(came));
    }

    /// Where the source's cursor stands.
    #[must_use]
    pub fn spot(&self) -> Spot {
        *self.spot.lock()
    }

    /// The source's cursor stands there now.
    pub fn move_to(&self, spot: Spot) {
        *self.spot.lock() = spot;
    }

    /// Where the source's cursor must stand for the next row to be the first that has not come.
    #[must_use]
    pub fn front(&self) -> Spot {
        match self.came() {
            0 => Spot::Start,
            rows => Spot::Row(rows),
        }
    }
}

/// A mark within a transaction, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Savepoint {
    /// SAVEPOINT.
    Set(usize),
    /// RELEASE.
    Release(usize),
    /// ROLLBACK TO.
    RollBackTo(usize),
}

/// A transaction at a source. Its statements run one after the other; the next one waits until the rows of the last have been read or
/// dropped. Dropped before [`RemoteTransaction::commit`], it is rolled back. After a statement has failed, all that helps is to roll back,
/// to a mark or to the begin.
#[async_trait]
pub trait RemoteTransaction: Debug + Send + Sync {
    /// The source's name.
    fn source(&self) -> &str;

    /// Has a statement parsed and described, without running it. If that fails, the transaction has failed.
    ///
    /// # Errors
    /// As [`super::StatementRunner::describe`].
    async fn describe(&self, statement: &WholeStatement) -> Result<Described>;

    /// Starts a statement; its rows are to be read to the end or dropped before the next one can start. Of one that writes the source has done
    /// everything before the first row.
    ///
    /// # Errors
    /// As [`super::StatementRunner::run`]; the transaction has failed then.
    async fn run(
        &self,
        statement: WholeStatement,
        described: Arc<Described>,
        arguments: Vec<Argument>,
    ) -> Result<BatchStream>;

    /// The same, with the rows as they come: see [`super::StatementRunner::relay`].
    ///
    /// # Errors
    /// The same.
    async fn relay(
        &self,
        statement: WholeStatement,
        described: Arc<Described>,
        arguments: (Vec<Argument>, Vec<bool>),
    ) -> Result<RowStream>;

    /// Starts a statement that reads and whose rows are taken in parts, with other statements in between: it sees what there is now. With the
    /// arguments comes what is told where it stands.
    ///
    /// # Errors
    /// Whatever the source says before the first row.
    async fn open(
        &self,
        statement: WholeStatement,
        described: Arc<Described>,
        arguments: (Vec<Argument>, Arc<Stand>),
    ) -> Result<BatchStream>;

    /// Has a cursor that was [opened](RemoteTransaction::open) stand there.
    ///
    /// # Errors
    /// `55000` where it cannot go back.
    async fn place(&self, stand: &Stand, spot: Spot) -> Result<()>;

    /// Reads as [`super::SqlReader::read`] does, but what the transaction sees. Several may be read at once, and other statements may run
    /// in between. What has come and is not taken yet counts as `held`. Dropping the stream before its end cancels nothing unless the
    /// statement has `failed`: the transaction goes on.
    fn read(&self, query: RemoteQuery, held: MemoryReservation, failed: Failed) -> BatchStream;

    /// A statement that writes comes next; what its errors hide, those of the COMMIT hide, too.
    ///
    /// # Errors
    /// `08006` where the connection is lost.
    async fn writes(&self, words: &Arc<Words>) -> Result<()>;

    /// Runs a statement that writes and returns no rows: as many as it wrote.
    ///
    /// # Errors
    /// Whatever the source says of it.
    async fn modify(
        &self,
        statement: WholeStatement,
        described: Arc<Described>,
        arguments: Vec<Argument>,
    ) -> Result<u64>;

    /// Begins to load rows.
    ///
    /// # Errors
    /// Whatever the source says of the statement.
    async fn load(&self, query: LoadQuery) -> Result<Box<dyn Load>>;

    /// Sets a mark, forgets it, or goes back to it.
    ///
    /// # Errors
    /// `08006` where the connection is lost: the transaction is rolled back then.
    async fn savepoint(&self, savepoint: Savepoint) -> Result<()>;

    /// Has all constraints that may be deferred checked at the end, or at once, which checks what was deferred. `notices`: what is said beside.
    ///
    /// # Errors
    /// What they say.
    async fn set_constraints(&self, deferred: bool, notices: &Notices) -> Result<()>;

    /// Makes everything last. `notices`: what is said beside.
    ///
    /// # Errors
    /// What deferred constraints say: it is rolled back then. `08007` where the source did not say what happened.
    async fn commit(&self, notices: &Notices) -> Result<()>;

    /// Undoes everything, and waits a moment for the source to do it. (It will, whether or not that is seen.)
    async fn roll_back(&self);
}
