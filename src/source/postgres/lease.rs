//! A connection in one statement's hands: what it is told before, what it has prepared, what becomes of it when it is put down.
//! Must not know: what statements say, how connections are made.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::Client;

use super::dial::{Connection, application_name};
use super::errors;
use super::kept::Key;
use super::line::Taken;
use super::pool::{Pool, Unsure};
use super::relay::{Named, Names};
use super::talk::Before;
use crate::error::{Error, Result};

/// A connection that was heard so lately is taken to be alive: it is not asked before a statement.
const ALIVE: Duration = Duration::from_secs(1);

/// A connection, for one statement at a time. Dropped after [`Lease::finish`] it goes back to the pool; dropped in the middle it is
/// cancelled at the source, then closed, and only then may another take its place.
pub struct Lease {
    pub(super) connection: Option<Connection>,
    pub(super) pool: Arc<Pool>,
    pub(super) permit: Option<OwnedSemaphorePermit>,
    pub(super) runtime: Handle,
    pub(super) clean: bool,
}

impl Lease {
    /// Gives the connection these session settings, unless it has them.
    pub(super) async fn settle(&mut self, session: &Arc<str>, deadline: Instant) -> Result<()> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        if connection.session.as_ref().is_some_and(|has| has == session) {
            return Ok(());
        }
        connection.session = None;
        self.clean = false;
        let source = self.pool.source();
        match timeout_at(deadline, connection.client.batch_execute(session)).await {
            Ok(Ok(())) => {
                connection.session = Some(Arc::clone(session));
                self.clean = true;
                Ok(())
            }
            Ok(Err(error)) => {
                self.clean = error.as_db_error().is_some();
                Err(errors::setting(source, error))
            }
            Err(_) => Err(errors::silent(source, self.pool.timeout())),
        }
    }

    /// What gives an idle connection this name and these session settings.
    pub(super) fn before(&self, query_id: &str, session: &Arc<str>) -> Before {
        let Some(connection) = &self.connection else { return Before::Nothing };
        let name = application_name(query_id);
        let named = connection.name == name;
        let settled = connection.session.as_ref().is_some_and(|has| has == session);
        if settled && connection.used.elapsed() < ALIVE {
            return if named { Before::Nothing } else { Before::Name(name) };
        }
        self.settings(query_id, session)
    }

    /// The same, as statements that are answered by themselves.
    pub(super) fn settings(&self, query_id: &str, session: &Arc<str>) -> Before {
        let mut first = vec![format!("SET application_name = '{}'", application_name(query_id))];
        let settled = self.connection.as_ref().and_then(|connection| connection.session.as_ref());
        if settled.is_none_or(|has| has != session) {
            first.push(session.to_string());
        }
        Before::Settings(first.join("; "), self.pool.timeout() / 2)
    }

    /// The connection has this name and these session settings now, if the statement behind them did not fail; if it did, it may have taken
    /// back what was said before it.
    pub(super) fn settled(&mut self, before: &Before, failed: bool, (query_id, session): (&str, &Arc<str>)) {
        if let (Some(connection), Before::Settings(..) | Before::Name(_)) = (&mut self.connection, before) {
            let taken_back = failed && matches!(before, Before::Name(_));
            connection.name = if taken_back { String::new() } else { application_name(query_id) };
            connection.session = Some(Arc::clone(session));
        }
    }

    /// A statement has failed: it may have taken back the name that was said before it.
    pub(super) fn unnamed(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.name.clear();
        }
    }

    /// Nobody knows which session settings the connection has now.
    pub(super) fn unsettled(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.session = None;
        }
    }

    /// Time for a connection.
    pub(super) fn timeout(&self) -> Duration {
        self.pool.timeout()
    }

    /// Cancels what runs on the connection: see [`Pool::quiet`].
    pub(super) async fn quiet(&self) -> bool {
        match &self.connection {
            Some(connection) => self.pool.quiet(connection).await,
            None => false,
        }
    }

    /// The connection's socket: from now on the connection counts as being in the middle of a statement.
    ///
    /// # Errors
    /// The connection is lost, or does not answer what it was asked before in time.
    pub(super) async fn take(&mut self) -> io::Result<Taken> {
        self.clean = false;
        match &self.connection {
            Some(connection) => Ok(timeout(self.pool.timeout(), connection.line.take()).await?),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The statements that the connection has under names of ours.
    pub(super) fn names(&mut self) -> Option<&mut Names> {
        self.connection.as_mut().map(|connection| &mut connection.named)
    }

    /// A statement that the connection has under a name of ours.
    pub(super) fn named(&mut self, key: &Key<'_>) -> Option<Named> {
        self.connection.as_mut()?.named.kept.get(self.pool.epoch(), key)
    }

    /// A name for a statement; empty: it is not kept.
    pub(super) fn new_name(&mut self, key: &Key<'_>) -> Arc<str> {
        match &mut self.connection {
            Some(connection) if key.may_be_kept() => connection.named.next(),
            _ => Arc::default(),
        }
    }

    /// The connection has a statement under this name.
    pub(super) fn name(&mut self, key: &Key<'_>, statement: Named) {
        let epoch = self.pool.epoch();
        if let Some(connection) = self.connection.as_mut().filter(|_| !statement.name().is_empty()) {
            let name = Arc::clone(statement.name());
            let gone = connection.named.kept.put(epoch, key, statement);
            let others = gone.iter().map(Named::name).filter(|gone| **gone != name);
            connection.named.gone.extend(others.cloned());
        }
    }

    /// A statement of this name is not used any more.
    pub(super) fn forget(&mut self, name: Arc<str>) {
        if let Some(connection) = self.connection.as_mut().filter(|_| !name.is_empty()) {
            connection.named.gone.push(name);
        }
    }

    /// Names of statements that are to be closed.
    pub(super) fn gone(&mut self) -> Vec<Arc<str>> {
        self.connection.as_mut().map(|connection| std::mem::take(&mut connection.named.gone)).unwrap_or_default()
    }

    /// The client, for the next statement: from now on the connection counts as being in the middle of it.
    ///
    /// # Errors
    /// `XX000`: never, a lease has its connection until it is dropped.
    pub fn client(&mut self) -> Result<&Client> {
        self.clean = false;
        match &self.connection {
            Some(connection) => Ok(&connection.client),
            None => Err(Error::internal("a lease without a connection")),
        }
    }

    /// The statement has ended, cleanly and completely: the connection may serve the next.
    pub fn finish(&mut self) {
        self.clean = true;
    }

    /// Errors that the server has sent on this connection: more of them than before a statement, and the statement has failed.
    pub(super) fn errors(&self) -> u64 {
        self.connection.as_ref().map_or(0, Connection::errors)
    }

    /// Why the connection ended, if it did.
    pub(super) fn end(&self) -> Option<&tokio_postgres::Error> {
        self.connection.as_ref().and_then(Connection::end)
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease").field("source", &self.pool.source()).finish_non_exhaustive()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if connection.client.is_closed() {
            return;
        }
        if self.clean && self.permit.is_some() {
            // Before the permit is given back, so that the next in turn finds it.
            self.pool.rest(connection);
            return;
        }
        if self.clean {
            return;
        }
        let pool = Arc::clone(&self.pool);
        let permit = self.permit.take();
        let unsure = Unsure(Some(connection));
        // Dropping happens anywhere, in aborted tasks too; the request to cancel is sent from where the statement was started.
        self.runtime.spawn(async move {
            if let Some(connection) = &unsure.0 {
                pool.quiet(connection).await;
            }
            drop(unsure);
            drop(permit);
        });
    }
}
