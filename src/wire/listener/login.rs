//! One connection, from its first byte to the session room: every step bounded in time, every refusal said as FATAL.
//! Must not know: sessions, statements.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::{Instant, timeout_at};

use super::slots::{Full, Slot};
use super::{Login, Terms, Waiting, Wire};
use crate::error::{Error, Result, SqlState};
use crate::wire::auth::{Claim, Outcome, Talk};
use crate::wire::framing::{FrameReader, hang_up};
use crate::wire::messages::{BackendWriter, Severity};
use crate::wire::startup::{self, Greeting, Opened, Opening, Startup};
use crate::wire::stream::{Stream, WriteHalf};
use crate::wire::tls::TlsPeer;

/// The time for a login where the configuration says "none": a login always has an end.
const LONGEST_LOGIN: Duration = Duration::from_secs(60);

/// How long a peer may take to read why it is refused.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection that has said who it is.
struct Caller {
    reader: FrameReader,
    writer: BackendWriter,
    stream: WriteHalf,
    greeting: Greeting,
    peer: Option<SocketAddr>,
    tls: Option<TlsPeer>,
    plain_tcp: bool,
}

impl Wire {
    /// The life of a connection.
    pub(super) async fn connection(&self, stream: Stream, peer: Option<SocketAddr>, waiting: Waiting) {
        let terms = self.terms();
        let limit = terms.server.startup_timeout;
        let deadline = Instant::now() + if limit.is_zero() { LONGEST_LOGIN } else { limit };
        let opening = timeout_at(deadline, startup::open(stream, terms.tls.clone()));
        let opened = tokio::select! {
            opened = opening => opened,
            // Nothing was said yet that could be answered.
            () = waiting.must_leave() => return,
        };
        match opened {
            Err(_) | Ok(Ok(None)) => {}
            Ok(Err(refused)) => {
                self.report(None, peer, &refused.error);
                if let Some(stream) = refused.stream {
                    let (half, mut stream) = stream.split();
                    let mut reader = FrameReader::new(half, BytesMut::new());
                    farewell(&mut reader, &mut BackendWriter::new(), &mut stream, &refused.error).await;
                }
            }
            Ok(Ok(Some(Opened { stream, buffer, opening, tls }))) => match opening {
                Opening::Cancel { pid, key } => self.cancel(pid, &key, peer.map(|peer| peer.ip().to_canonical())),
                Opening::Session(greeting) => {
                    let plain_tcp = matches!(stream, Stream::Tcp(_));
                    let (half, stream) = stream.split();
                    let (reader, writer) = (FrameReader::new(half, buffer), BackendWriter::new());
                    let caller = Caller { reader, writer, stream, greeting, peer, tls, plain_tcp };
                    self.session(caller, &terms, deadline, waiting).await;
                }
            },
        }
    }

    /// Logs a caller in and hands it over, or refuses it.
    async fn session(&self, mut caller: Caller, terms: &Terms, deadline: Instant, waiting: Waiting) {
        let admitted = tokio::select! {
            admitted = self.admission(&mut caller, terms, deadline) => admitted,
            () = waiting.must_leave() => Err(too_many()),
            () = self.shutdown.drain_begun() => Err(shutting_down()),
        };
        match admitted {
            Ok(Some((slot, startup))) => {
                drop(waiting);
                caller.reader.login_done();
                let Caller { reader, writer, stream, peer, tls, .. } = caller;
                let (user, client_cn) = (startup.user.clone(), tls.as_ref().and_then(|tls| tls.common_name.clone()));
                let tls = tls.is_some();
                self.serve.serve(Login { reader, writer, stream, startup, user, peer, tls, client_cn }).await;
                drop(slot);
            }
            Ok(None) => {}
            Err(error) => {
                self.report(Some(&caller.greeting.user), caller.peer, &error);
                farewell(&mut caller.reader, &mut caller.writer, &mut caller.stream, &error).await;
                // Who lingers counts as waiting.
                drop(waiting);
            }
        }
    }

    /// The conditions of a session, in PostgreSQL's order; `None`: the peer left.
    async fn admission(
        &self,
        caller: &mut Caller,
        terms: &Terms,
        deadline: Instant,
    ) -> Result<Option<(Slot, Startup)>> {
        let server = &terms.server;
        if let Some((version, unknown)) = caller.greeting.negotiate() {
            caller.writer.negotiate_protocol_version(version, &unknown);
        }
        if self.shutdown.draining() {
            return Err(shutting_down());
        }
        if caller.plain_tcp && server.tls.as_ref().is_some_and(|tls| tls.required) {
            return Err(startup::tls_required());
        }
        if self.slots.full(server.max_connections) {
            return Err(too_many());
        }
        let claim = Claim { user: &caller.greeting.user, peer: caller.peer, tls: caller.tls.as_ref() };
        let mut talk = Talk { reader: &mut caller.reader, writer: &mut caller.writer, stream: &mut caller.stream };
        let proof = self.authenticator.prove(&mut talk, claim, server.auth, &*self.accounts);
        match timeout_at(deadline, proof).await {
            Err(_) => return Err(timed_out()),
            Ok(outcome) => {
                if outcome? == Outcome::Gone {
                    return Ok(None);
                }
            }
        }
        // What is wrong from now on is told to somebody who is who they say.
        caller.writer.authentication_ok();
        let Greeting { user, database, replication, .. } = &caller.greeting;
        if *replication {
            // No user of Tusk may: it has no changes to stream.
            let message = "must be superuser or replication role to start walsender";
            return Err(Error::policy(SqlState::INSUFFICIENT_PRIVILEGE, message));
        }
        if *database != server.database {
            let message = format!("database \"{database}\" does not exist");
            return Err(Error::client(SqlState::INVALID_CATALOG_NAME, message));
        }
        match self.slots.take(server.max_connections, self.accounts.is_admin(user)) {
            Ok(slot) => Ok(Some((slot, caller.greeting.clone().into_startup()?))),
            Err(Full::All) => Err(too_many()),
            Err(Full::ForOthers) => Err(Error::resource(
                SqlState::TOO_MANY_CONNECTIONS,
                "remaining connection slots are reserved for administrators",
            )),
        }
    }
}

fn too_many() -> Error {
    Error::resource(SqlState::TOO_MANY_CONNECTIONS, "sorry, too many clients already")
}

fn shutting_down() -> Error {
    Error::resource(SqlState::CANNOT_CONNECT_NOW, "the database system is shutting down")
}

fn timed_out() -> Error {
    Error::resource(SqlState::QUERY_CANCELED, "canceling authentication due to timeout")
}

/// Says why, and closes so that it can be read.
async fn farewell(reader: &mut FrameReader, writer: &mut BackendWriter, stream: &mut WriteHalf, error: &Error) {
    writer.error_response(error, Severity::Fatal, None);
    if let Ok(Ok(())) = tokio::time::timeout(FAREWELL, writer.flush(stream)).await {
        hang_up(reader, stream).await;
    }
}
