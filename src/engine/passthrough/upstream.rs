//! A session's transaction at one source.
//! Must not know: sessions, statements.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Passthrough;
use crate::error::{Notices, Result};
use crate::source::{Load, LoadQuery, Opening, RemoteTransaction, Spot, Stand};

pub use crate::source::Savepoint;

/// A transaction that a session holds at a source. Dropped before it is committed, it is rolled back there.
#[derive(Debug)]
pub struct Upstream {
    remote: Arc<dyn RemoteTransaction>,
    wrote: AtomicBool,
}

impl Upstream {
    /// The source's name.
    #[must_use]
    pub fn source(&self) -> &str {
        self.remote.source()
    }

    /// Whether a statement of it may have written.
    #[must_use]
    pub fn wrote(&self) -> bool {
        self.wrote.load(Ordering::Acquire)
    }

    /// A statement writes now.
    pub fn writes(&self) {
        self.wrote.store(true, Ordering::Release);
    }

    /// Begins to load rows.
    ///
    /// # Errors
    /// Whatever the source says.
    pub async fn load(&self, query: LoadQuery) -> Result<Box<dyn Load>> {
        self.remote.load(query).await
    }

    /// Has a cursor of it stand there.
    ///
    /// # Errors
    /// `55000` where it cannot go back.
    pub async fn place(&self, stand: &Stand, spot: Spot) -> Result<()> {
        self.remote.place(stand, spot).await
    }

    /// Sets a mark, forgets it, or goes back to it.
    ///
    /// # Errors
    /// `08006` where the connection is lost.
    pub async fn savepoint(&self, savepoint: Savepoint) -> Result<()> {
        self.remote.savepoint(savepoint).await
    }

    /// SET CONSTRAINTS ALL. `notices`: what is said beside.
    ///
    /// # Errors
    /// What the constraints say that were deferred.
    pub async fn set_constraints(&self, deferred: bool, notices: &Notices) -> Result<()> {
        self.remote.set_constraints(deferred, notices).await
    }

    /// Makes everything last. `notices`: what is said beside.
    ///
    /// # Errors
    /// What deferred constraints say; `08007` where the source did not say what happened.
    pub async fn commit(&self, notices: &Notices) -> Result<()> {
        self.remote.commit(notices).await
    }

    /// Undoes everything.
    pub async fn roll_back(&self) {
        self.remote.roll_back().await;
    }

    /// The transaction, for reads of another engine in it.
    #[must_use]
    pub fn shared(&self) -> Arc<dyn RemoteTransaction> {
        Arc::clone(&self.remote)
    }

    pub(super) fn remote(&self) -> &dyn RemoteTransaction {
        &*self.remote
    }
}

impl Passthrough {
    /// Begins a transaction at a source: with this statement, and so many savepoints at once.
    ///
    /// # Errors
    /// `08001` where there is no connection.
    pub async fn begin(
        &self,
        source: &str,
        begin: String,
        savepoints: usize,
        (session, query_id): (Arc<str>, &str),
    ) -> Result<Upstream> {
        let opening = Opening { begin, savepoints, session, query_id: query_id.to_owned() };
        let remote = self.runner(source)?.begin(opening).await?;
        Ok(Upstream { remote, wrote: AtomicBool::new(false) })
    }
}
