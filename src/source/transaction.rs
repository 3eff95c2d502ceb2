//! Transactions at a source: one connection, from the first statement to the last; all of it or nothing.
//! Must not know: whose transaction it is, how statements are printed.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;

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

/// Where a cursor at a source stands: the name that it has there, and how many rows of it have come.
#[derive(Debug, Default)]
pub struct Stand {
    name: OnceLock<String>,
    came: AtomicU64,
    wanted: AtomicU64,
}

impl Stand {
    /// The name that the source knows the cursor by; `None`: the rows are no cursor's.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.get().map(String::as_str)
    }

    /// Rows that have come: the source's cursor stands on the last of them.
    #[must_use]
    pub fn came(&self) -> u64 {
        self.came.load(Ordering::Acquire)
    }

    /// So many rows are wanted, and no more for now; 0: as many as seem good.
    pub fn want(&self, rows: u64) {
        self.wanted.store(rows, Ordering::Release);
    }

    /// It has a name now.
    pub fn named(&self, name: &str) {
        self.name.get_or_init(|| name.to_owned());
    }

    /// How many rows to fetch, of as many as seem good.
    #[must_use]
    pub fn next(&self, good: usize) -> usize {
        match self.wanted.load(Ordering::Acquire) {
            0 => good,
            wanted => good.min(usize::try_from(wanted).unwrap_or(usize::MAX)),
        }
    }

    /// So many rows have come.
    pub fn add(&self, rows: u64) {
        self.came.fetch_add(rows, Ordering::AcqRel);
        self.wanted.store(self.wanted.load(Ordering::Acquire).saturating_sub(rows), Ordering::Release);
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

    /// Reads as [`super::SqlReader::read`] does, but what the transaction sees. Several may be read at once, and other statements may run
    /// in between. Dropping the stream before its end cancels nothing unless the statement has `failed`: the transaction goes on.
    fn read(&self, query: RemoteQuery, failed: Failed) -> BatchStream;

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
