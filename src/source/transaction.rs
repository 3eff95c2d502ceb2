//! Transactions at a source: one connection, from the first statement to the last; all of it or nothing.
//! Must not know: whose transaction it is, how statements are printed.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Argument, BatchStream, Described, Load, LoadQuery, RemoteQuery, RowStream, WholeStatement, Words};
use crate::error::Result;

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

    /// Starts a statement that reads and whose rows are taken in parts, with other statements in between: it sees what there is now.
    ///
    /// # Errors
    /// Whatever the source says before the first row.
    async fn open(
        &self,
        statement: WholeStatement,
        described: Arc<Described>,
        arguments: Vec<Argument>,
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

    /// Has all constraints that may be deferred checked at the end, or at once, which checks what was deferred.
    ///
    /// # Errors
    /// What they say.
    async fn set_constraints(&self, deferred: bool) -> Result<()>;

    /// Makes everything last.
    ///
    /// # Errors
    /// What deferred constraints say: it is rolled back then. `08007` where the source did not say what happened.
    async fn commit(&self) -> Result<()>;

    /// Undoes everything, and waits a moment for the source to do it. (It will, whether or not that is seen.)
    async fn roll_back(&self);
}
