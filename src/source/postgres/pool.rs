//! The connections of one source: at most so many, waited for in turn, given out clean. A [`Lease`] that is dropped in the middle of a
//! statement cancels it at the source and never comes back here.
//! Must not know: what statements say.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use super::dial::{Connection, DEFAULT_SESSION, Dialer, application_name};
use super::errors;
use super::lease::Lease;
use super::skeletons::Skeletons;
use crate::config::PostgresSettings;
use crate::error::{Error, Result};
use crate::source::PoolStatus;

/// For so long a failure to connect answers everybody at once: no storm of logins on a server that refuses them.
const BREAKER_TIME: Duration = Duration::from_secs(1);
/// How long a statement may go on after a request to cancel it, before the request is made again.
const CANCEL_AGAIN: Duration = Duration::from_millis(200);
/// How long it may go on after the first, before its connection is cut.
const CANCEL_TIME: Duration = Duration::from_secs(2);
/// A connection is not used for longer than this: names move, backends grow.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// The pool of one source.
pub(super) struct Pool {
    source: String,
    dialer: Dialer,
    maximum: usize,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
    breaker: Mutex<Option<(Instant, Error)>>,
    /// Counts how often tables of the source turned out to have changed: what was prepared before does not count.
    epoch: AtomicU64,
    pub(super) skeletons: Skeletons,
    /// After a failure one at a time tries.
    trying: tokio::sync::Mutex<()>,
    waiting: AtomicUsize,
    opened: AtomicU64,
    failed: AtomicU64,
}

/// One more that waits.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn in_turn(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Waits(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pool {
    /// A pool without connections.
    ///
    /// # Errors
    /// `F0000` where the CA file cannot be read.
    pub(super) fn new(source: &str, settings: &PostgresSettings) -> Result<Arc<Self>> {
        let maximum = settings.pool_size.clamp(1, Semaphore::MAX_PERMITS);
        Ok(Arc::new(Pool {
            source: source.to_owned(),
            dialer: Dialer::new(source, settings)?,
            maximum,
            permits: Arc::new(Semaphore::new(maximum)),
            idle: Mutex::new(Vec::new()),
            breaker: Mutex::new(None),
            epoch: AtomicU64::new(0),
            skeletons: Skeletons::default(),
            trying: tokio::sync::Mutex::new(()),
            waiting: AtomicUsize::new(0),
            opened: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }))
    }

    /// The source's name.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Cancels what runs on a connection, until nothing does: a request that comes between two messages of one statement is forgotten by
    /// the server. Whether the connection answers after that; if not within two seconds, it will not.
    pub(super) async fn quiet(&self, connection: &Connection) -> bool {
        let quiet = async {
            // It is answered when everything before it has ended; whatever that still said has gone.
            let mut answered = std::pin::pin!(async {
                connection.line.drain().await.is_ok() && connection.client.batch_execute("").await.is_ok()
            });
            loop {
                self.dialer.cancel(connection.canceler()).await;
                if let Ok(answer) = timeout(CANCEL_AGAIN, &mut answered).await {
                    return answer;
                }
            }
        };
        timeout(CANCEL_TIME, quiet).await.unwrap_or(false)
    }

    /// Time for a connection.
    pub(super) fn timeout(&self) -> Duration {
        self.dialer.timeout()
    }

    /// Tables of the source have changed: nothing that is prepared is used any more.
    pub(super) fn forget_prepared(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Of what is prepared now.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// As views show it.
    pub(super) fn status(&self) -> PoolStatus {
        let idle = self.idle.lock().len();
        let broken = self.breaker.lock();
        let broken = broken.as_ref().filter(|(at, _)| at.elapsed() < BREAKER_TIME);
        PoolStatus {
            in_use: self.maximum.saturating_sub(self.permits.available_permits()),
            idle,
            maximum: self.maximum,
            waiting: self.waiting.load(Ordering::Relaxed),
            opened: self.opened.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            broken: broken.map(|(_, error)| error.message().to_owned()),
        }
    }

    /// A connection that was just seen alive, named after the statement. Waits for its turn and then for the connection, each for
    /// at most the connect timeout.
    ///
    /// # Errors
    /// `08001` where there is none in time.
    pub(super) async fn lease(self: &Arc<Self>, query_id: &str) -> Result<Lease> {
        self.lease_in(query_id, &DEFAULT_SESSION).await
    }

    /// A connection for what must not wait for statements, beyond the pool's size if need be: what clients hold must not keep the catalog
    /// from being read.
    ///
    /// # Errors
    /// As [`Pool::lease`].
    pub(super) async fn lease_beside(self: &Arc<Self>, query_id: &str) -> Result<Lease> {
        if self.permits.available_permits() > 0 {
            return self.lease(query_id).await;
        }
        let deadline = Instant::now() + self.timeout();
        let connection = self.connect(&application_name(query_id), deadline).await?;
        Ok(Lease {
            connection: Some(connection),
            pool: Arc::clone(self),
            permit: None,
            runtime: Handle::current(),
            clean: true,
        })
    }

    /// The same, with these session settings.
    ///
    /// # Errors
    /// As [`Pool::lease`]; `22023` for a setting that the source does not take.
    pub(super) async fn lease_in(self: &Arc<Self>, query_id: &str, session: &Arc<str>) -> Result<Lease> {
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => Ok(Ok(permit)),
            Err(_) => {
                let _waits = Waits::in_turn(&self.waiting);
                timeout_at(Instant::now() + self.timeout(), Arc::clone(&self.permits).acquire_owned()).await
            }
        };
        let Ok(Ok(permit)) = permit else { return Err(errors::busy(&self.source, self.maximum, self.timeout())) };
        let deadline = Instant::now() + self.timeout();
        let name = application_name(query_id);
        let connection = match self.reuse(&name, deadline).await {
            Some(connection) => connection,
            None => self.connect(&name, deadline).await?,
        };
        let mut lease = Lease {
            connection: Some(connection),
            pool: Arc::clone(self),
            permit: Some(permit),
            runtime: Handle::current(),
            clean: true,
        };
        lease.settle(session, deadline).await?;
        Ok(lease)
    }

    /// An idle connection as it is: it was not asked whether it answers, and [`Lease::before`] must be said on it before anything else. `None`:
    /// none is idle, or none of those that may be waits for work now.
    pub(super) fn lease_idle(self: &Arc<Self>) -> Option<Lease> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        let connection = self.take_idle()?;
        Some(Lease {
            connection: Some(connection),
            pool: Arc::clone(self),
            permit: Some(permit),
            runtime: Handle::current(),
            clean: true,
        })
    }

    /// The idle connection that was used last and still answers; those that do not are closed.
    async fn reuse(&self, name: &str, deadline: Instant) -> Option<Connection> {
        let set_name = format!("SET application_name = '{name}'");
        let half = Instant::now() + deadline.saturating_duration_since(Instant::now()) / 2;
        loop {
            let mut unsure = Unsure(Some(self.take_idle()?));
            let client = unsure.0.as_ref().map(|connection| &connection.client)?;
            match timeout_at(half, client.batch_execute(&set_name)).await {
                Ok(Ok(())) => {
                    let mut connection = unsure.0.take()?;
                    name.clone_into(&mut connection.name);
                    return Some(connection);
                }
                Ok(Err(error)) => tracing::debug!(source = self.source, %error, "an idle connection was lost"),
                Err(_) => {
                    // The network is gone, or the server hangs: the others would only cost as much again.
                    let others: Vec<Connection> = std::mem::take(&mut *self.idle.lock());
                    others.into_iter().for_each(Connection::kill);
                    return None;
                }
            }
        }
    }

    /// A connection comes to rest here.
    pub(super) fn rest(&self, mut connection: Connection) {
        connection.used = Instant::now();
        self.idle.lock().push(connection);
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock();
        while let Some(connection) = idle.pop() {
            if !connection.client.is_closed() && connection.born.elapsed() < LIFETIME {
                return Some(connection);
            }
        }
        None
    }

    async fn connect(&self, name: &str, deadline: Instant) -> Result<Connection> {
        let failed_before = match &*self.breaker.lock() {
            Some((at, error)) if at.elapsed() < BREAKER_TIME => return Err(error.clone()),
            Some(_) => true,
            None => false,
        };
        let _turn = if failed_before {
            let turn = timeout_at(deadline, self.trying.lock()).await;
            match &*self.breaker.lock() {
                Some((at, error)) if turn.is_err() || at.elapsed() < BREAKER_TIME => return Err(error.clone()),
                _ => turn.ok(),
            }
        } else {
            None
        };
        match self.dialer.connect(name, deadline).await {
            Ok(connection) => {
                *self.breaker.lock() = None;
                self.opened.fetch_add(1, Ordering::Relaxed);
                Ok(connection)
            }
            Err(failure) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                let error = failure.into_error(&self.source);
                *self.breaker.lock() = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }
}

/// A connection that is cut unless it is taken out.
pub(super) struct Unsure(pub(super) Option<Connection>);

impl Drop for Unsure {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            connection.kill();
        }
    }
}
