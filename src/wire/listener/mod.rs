//! Accepts connections, sees each through its login, and hands it to the session room.
//! Must not know: statements.

mod bind;
mod login;
mod slots;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::FutureExt;
use parking_lot::RwLock;
use sha2::{Digest, Sha256};

use crate::config::ServerSettings;
use crate::error::{Error, Result};
use crate::shutdown::Shutdown;
use crate::wire::auth::{Accounts, Authenticator};
use crate::wire::framing::FrameReader;
use crate::wire::messages::BackendWriter;
use crate::wire::startup::Startup;
use crate::wire::stream::{Stream, WriteHalf};
use crate::wire::throttle::Throttle;
use crate::wire::tls::Tls;

pub use bind::Listener;
use slots::{Slots, Waiting};

/// Cancel requests with a wrong key that one address may send a second; more are not looked at.
const WRONG_CANCELS: u32 = 10;

/// A pause of the accept loop after an error, so that it does not spin while file descriptors are short.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// One log line of failed accepts in this time.
const ACCEPT_LOG_EVERY: Duration = Duration::from_secs(1);

/// A client that has proven who it is.
///
/// AuthenticationOk lies in `writer`, not yet sent: the first flush carries it together with ParameterStatus,
/// BackendKeyData and ReadyForQuery.
#[derive(Debug)]
pub struct Login {
    /// What the client says.
    pub reader: FrameReader,
    /// What it is told.
    pub writer: BackendWriter,
    /// Where `writer` is flushed to.
    pub stream: WriteHalf,
    /// How the session begins.
    pub startup: Startup,
    /// The proven user.
    pub user: String,
    /// Where it comes from; `None`: a Unix socket.
    pub peer: Option<SocketAddr>,
    /// Whether TLS is used.
    pub tls: bool,
    /// The common name of its certificate, where it showed one.
    pub client_cn: Option<String>,
}

/// Takes over what has logged in.
#[async_trait]
pub trait Serve: Send + Sync {
    /// Serves one client until it leaves; its connection slot is free when this returns. A panic in here ends this
    /// connection only.
    async fn serve(&self, login: Login);

    /// Cancels the running statement of the session with this process id, if the key is its key (compared in constant
    /// time). True: it was, whether or not a statement ran. The client is told nothing either way.
    fn cancel(&self, pid: i32, key: &[u8]) -> bool;

    /// A login was refused (to be counted; it is logged already). `user` is what the client claimed, if it got so far.
    fn refused(&self, user: Option<&str>, peer: Option<SocketAddr>, error: &Error) {
        let _ = (user, peer, error);
    }
}

/// What the configuration says of connections, loaded as a whole.
pub struct Terms {
    server: ServerSettings,
    tls: Option<Arc<Tls>>,
}

impl Terms {
    /// Loads certificates and keys.
    ///
    /// # Errors
    /// `F0000`: TLS is asked for and cannot be had.
    pub fn load(server: &ServerSettings) -> Result<Terms> {
        let tls = server.tls.as_ref().map(Tls::load).transpose()?;
        Ok(Terms { server: server.clone(), tls: tls.map(Arc::new) })
    }
}

/// Everything that connections share.
pub struct Wire {
    terms: RwLock<Arc<Terms>>,
    authenticator: Authenticator,
    accounts: Arc<dyn Accounts>,
    serve: Arc<dyn Serve>,
    slots: Slots,
    wrong_cancels: Throttle,
    shutdown: Shutdown,
}

impl Wire {
    /// Puts the room together. Listeners are [bound](Listener::bind) and [run](Listener::run) by the caller.
    #[must_use]
    pub fn new(terms: Terms, accounts: Arc<dyn Accounts>, serve: Arc<dyn Serve>, shutdown: Shutdown) -> Arc<Wire> {
        Arc::new(Wire {
            authenticator: Authenticator::new(mock_secret(&terms.server)),
            terms: RwLock::new(Arc::new(terms)),
            accounts,
            serve,
            slots: Slots::default(),
            wrong_cancels: Throttle::new(Duration::from_secs(1), WRONG_CANCELS),
            shutdown,
        })
    }

    /// From now on new connections are taken on these terms; those that are there keep theirs. Addresses are not
    /// re-bound.
    pub fn adopt(&self, terms: Terms) {
        *self.terms.write() = Arc::new(terms);
    }

    /// Sessions that are open.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.slots.sessions()
    }

    /// Connections that have not logged in yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.slots.waiting()
    }

    fn terms(&self) -> Arc<Terms> {
        Arc::clone(&self.terms.read())
    }

    /// Begins a connection: a task of its own, which no panic leaves.
    fn admit(self: &Arc<Self>, stream: Stream, peer: Option<SocketAddr>) {
        let wire = Arc::clone(self);
        let waiting = self.slots.wait(self.terms().server.max_connections);
        self.shutdown.tasks().spawn(async move {
            let connection = AssertUnwindSafe(wire.connection(stream, peer, waiting));
            if connection.catch_unwind().await.is_err() {
                tracing::error!(?peer, "a connection ended by a panic; others are not touched");
            }
        });
    }

    fn cancel(&self, pid: i32, key: &[u8], peer: Option<IpAddr>) {
        let now = Instant::now();
        if self.wrong_cancels.exhausted(peer, now) {
            return;
        }
        if !self.serve.cancel(pid, key) {
            self.wrong_cancels.failed(peer, now);
        }
    }

    fn report(&self, user: Option<&str>, peer: Option<SocketAddr>, error: &Error) {
        // What a peer without a login sends must not forge lines of the log.
        let reason = error.chain().replace(char::is_control, "?");
        tracing::info!(?user, ?peer, sqlstate = error.state().code(), "login refused: {reason}");
        self.serve.refused(user, peer, error);
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").field("slots", &self.slots).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Terms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terms").field("server", &self.server).finish_non_exhaustive()
    }
}

/// What salts of unknown users are made of: with TLS from the private key, so that they outlive a restart and are the
/// same in two instances; else at random.
fn mock_secret(server: &ServerSettings) -> [u8; 32] {
    match server.tls.as_ref().map(|tls| std::fs::read(&tls.private_key)) {
        Some(Ok(key)) => Sha256::new().chain_update(b"tusk mock salts\0").chain_update(key).finalize().into(),
        _ => rand::random(),
    }
}

impl Listener {
    /// Accepts until the drain begins; then the address is free at once. No error ends it.
    pub async fn run(self, wire: Arc<Wire>) {
        let mut logged: Option<Instant> = None;
        loop {
            let accepted = tokio::select! {
                biased;
                () = wire.shutdown.drain_begun() => return,
                accepted = self.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => wire.admit(stream, peer),
                // A peer that left before it was accepted is no reason to pause.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    if logged.is_none_or(|at| at.elapsed() >= ACCEPT_LOG_EVERY) {
                        tracing::warn!(address = %self, %error, "could not accept a connection");
                        logged = Some(Instant::now());
                    }
                    tokio::select! {
                        () = wire.shutdown.drain_begun() => return,
                        () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
