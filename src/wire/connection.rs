//! One session on the wire: a machine of three states that takes message after message.
//! Must not know: how statements are planned, how values are encoded.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::framing::{Allowed, Frame};
use super::io::{CHUNK, Ended, Io, Stop, administrator};
use super::messages::{FrontendMessage, Severity, decode};
use super::respond;
use super::server::Shared;
use super::stream::Liveness;
use crate::error::{Error, SqlState};
use crate::policy::Identity;
use crate::query::RunningStatement;
use crate::rows::{transaction_timed_out, until};
use crate::session::{PreparedStatement, Session, TransactionStatus};

/// What the next message may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Any.
    Ready,
    /// An extended message failed: everything up to Sync is skipped.
    Drain,
    /// None: the session ends.
    Done,
}

/// One session on the wire.
pub(super) struct Connection {
    pub(super) io: Io,
    pub(super) session: Session,
    pub(super) shared: Arc<Shared>,
    pub(super) identity: Arc<Identity>,
    state: State,
    /// Extended messages have come since the last ReadyForQuery.
    batch: bool,
    /// How the socket is set up.
    liveness: Liveness,
    /// What Parse has begun and Execute goes on with, if both come in one batch: one statement with one clock, as in PostgreSQL.
    pub(super) begun: Option<(Arc<PreparedStatement>, RunningStatement)>,
}

impl Connection {
    pub(super) fn new(io: Io, session: Session, shared: Arc<Shared>, identity: Arc<Identity>) -> Self {
        Connection {
            io,
            session,
            shared,
            identity,
            state: State::Ready,
            batch: false,
            liveness: Liveness::DEFAULT,
            begun: None,
        }
    }

    /// The session, from its first ReadyForQuery to its end.
    pub(super) async fn run(mut self) {
        let ended = self.serve().await;
        let Connection { mut io, session, begun, .. } = self;
        // Rows that wait and statements end before the farewell, which may take its time.
        drop((session, begun));
        if let Ended::Fatal(error) = ended {
            io.farewell(&error).await;
        }
    }

    async fn serve(&mut self) -> Ended {
        let pid = self.session.pid();
        self.tell_changes();
        self.io.out.backend_key_data(pid, self.io.entry.key().bytes());
        if let Err(ended) = self.ready().await {
            return ended;
        }
        while self.state != State::Done {
            let frame = match self.next_frame().await {
                Ok(frame) => frame,
                Err(ended) => return ended,
            };
            if let Err(ended) = self.frame(frame).await {
                return ended;
            }
        }
        Ended::Goodbye
    }

    /// Waits for the client, no longer than it may be idle.
    async fn next_frame(&mut self) -> Result<Frame, Ended> {
        let limit = self.shared.settings.max_message_size;
        // What is there already is not waited for; but a drain comes first.
        if !self.io.shutdown.draining()
            && let Some(frame) = self.io.reader.cut(Allowed::Session, limit).map_err(Ended::Fatal)?
        {
            return Ok(frame);
        }
        let idle = std::pin::pin!(self.idle_end());
        self.wait(idle, limit).await
    }

    /// Waits for a frame; meanwhile what other sessions say is told, where no transaction is open.
    async fn wait(&mut self, mut idle: Pin<&mut impl Future<Output = Error>>, limit: usize) -> Result<Frame, Ended> {
        loop {
            let may_hear = self.may_hear();
            let Io { reader, entry, shutdown, .. } = &mut self.io;
            tokio::select! {
                biased;
                () = shutdown.drain_begun() => return Err(Ended::Fatal(administrator())),
                () = entry.terminated() => return Err(Ended::Fatal(administrator())),
                frame = reader.next(Allowed::Session, limit) => return match frame {
                    Ok(Some(frame)) => Ok(frame),
                    Ok(None) => Err(Ended::Gone),
                    Err(error) => Err(Ended::Fatal(error)),
                },
                error = &mut idle => return Err(Ended::Fatal(error)),
                () = entry.mailbox().arrived(), if may_hear => {}
            }
            self.tell_notifications().await?;
            self.io.flush().await?;
            self.io.rest();
        }
    }

    /// Whether the client may be told now of what other sessions said: as in PostgreSQL, outside transactions only.
    fn may_hear(&self) -> bool {
        !self.batch && self.session.transaction.status() == TransactionStatus::Idle
    }

    /// Tells what other sessions have said so far.
    async fn tell_notifications(&mut self) -> Result<(), Ended> {
        while let Some(told) = self.io.entry.mailbox().take() {
            self.io.out.notification_response(told.pid, &told.note.channel, &told.note.payload);
            if self.io.out.len() >= CHUNK {
                self.io.flush().await?;
            }
        }
        Ok(())
    }

    /// Resolves when the session has been idle for too long, with PostgreSQL's words.
    fn idle_end(&self) -> impl Future<Output = Error> + use<> {
        let settings = &self.shared.settings;
        let vars = &self.session.vars;
        let transaction = self.session.transaction.begun().and_then(|_| self.session.transaction_deadline());
        let in_transaction = self.batch || self.session.transaction.status() != TransactionStatus::Idle;
        let (limits, error) = if in_transaction {
            let limits = [vars.idle_in_transaction_timeout(), Some(settings.idle_in_transaction_timeout)];
            let error = (
                SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
                "terminating connection due to idle-in-transaction timeout",
            );
            (limits, error)
        } else {
            let limits = [vars.idle_session_timeout(), Some(settings.idle_timeout)];
            (limits, (SqlState::IDLE_SESSION_TIMEOUT, "terminating connection due to idle-session timeout"))
        };
        let limit = limits.into_iter().flatten().filter(|limit| !limit.is_zero()).min();
        async move {
            let idle = async {
                match limit {
                    Some(limit) => tokio::time::sleep(limit.min(Duration::from_secs(86_400 * 365))).await,
                    None => pending().await,
                }
                Error::resource(error.0, error.1)
            };
            tokio::select! {
                biased;
                () = until(transaction) => transaction_timed_out(),
                error = idle => error,
            }
        }
    }

    /// One message, whatever the state.
    async fn frame(&mut self, frame: Frame) -> Result<(), Ended> {
        let kind = frame.kind;
        if self.state == State::Drain && !matches!(kind, b'S' | b'X') {
            return Ok(());
        }
        // A Sync ends the skipping even if it is malformed.
        if kind == b'S' {
            self.state = State::Ready;
        }
        let extended = matches!(kind, b'P' | b'B' | b'D' | b'E' | b'C' | b'H');
        let done = match decode(frame) {
            Ok(message) => self.message(message).await,
            Err(error) => Err((Stop::Failed(error), None)),
        };
        match done {
            Ok(()) => Ok(()),
            Err((Stop::Ended(ended), running)) => {
                if let (Some(running), Ended::Gone) = (&running, &ended) {
                    let lost = Error::client(SqlState::CONNECTION_FAILURE, "connection to client lost");
                    running.failed(&lost);
                }
                Err(ended)
            }
            Err((Stop::Failed(error), running)) => {
                self.failed(&error, running.as_ref());
                // The statement has ended, however long the client takes to read that.
                drop(running);
                if extended {
                    self.state = State::Drain;
                    // What the client waits for may be this very answer: errors leave at once, as in PostgreSQL.
                    return self.io.flush().await;
                }
                self.ready().await
            }
        }
    }

    /// A statement or message failed: the client is told, the transaction fails.
    fn failed(&mut self, error: &Error, running: Option<&RunningStatement>) {
        self.io.entry.end_statement();
        self.begun = None;
        if let Some(running) = running {
            self.tell(running.bounds());
        }
        respond::error(&mut self.io.out, error, Severity::Error, running);
        self.session.fail();
    }

    async fn message(&mut self, message: FrontendMessage) -> Result<(), (Stop, Option<RunningStatement>)> {
        use super::messages::Target;
        let plain = |stop: Stop| (stop, None);
        match message {
            FrontendMessage::Query(text) => self.query(&text).await,
            FrontendMessage::Parse { name, sql, param_types } => {
                self.batch = true;
                self.parse(&name, &sql, &param_types).await
            }
            FrontendMessage::Bind { portal, statement, body } => {
                self.batch = true;
                self.bind(&portal, &statement, body).map_err(plain)
            }
            FrontendMessage::Describe { kind: Target::Statement, name } => {
                self.batch = true;
                self.describe_statement(&name).map_err(plain)
            }
            FrontendMessage::Describe { kind: Target::Portal, name } => {
                self.batch = true;
                self.describe_portal(&name).map_err(plain)
            }
            FrontendMessage::Execute { portal, max_rows } => {
                self.batch = true;
                self.execute(&portal, max_rows).await
            }
            FrontendMessage::Close { kind, name } => {
                self.batch = true;
                match kind {
                    Target::Statement => self.session.prepared.remove(&name),
                    Target::Portal => self.session.portals.close(&name),
                };
                self.io.out.close_complete();
                Ok(())
            }
            FrontendMessage::Flush => self.io.flush().await.map_err(|ended| plain(ended.into())),
            FrontendMessage::Sync => {
                self.state = State::Ready;
                self.sync().await?;
                self.ready().await.map_err(|ended| plain(ended.into()))
            }
            FrontendMessage::Terminate => {
                self.state = State::Done;
                Ok(())
            }
            FrontendMessage::FunctionCall => {
                Err(plain(Error::unsupported("fastpath function calls are not supported").into()))
            }
            // What is left of a COPY that failed or never was: ignored, as PostgreSQL does. Passwords are not let in here.
            FrontendMessage::CopyData(_)
            | FrontendMessage::CopyDone
            | FrontendMessage::CopyFail(_)
            | FrontendMessage::Password(_) => Ok(()),
        }?;
        // Answers of a long pipeline do not pile up.
        if self.io.out.len() >= CHUNK {
            return self.io.flush().await.map_err(|ended| plain(ended.into()));
        }
        Ok(())
    }

    /// Tells what variables have changed, and that the next message may come.
    pub(super) async fn ready(&mut self) -> Result<(), Ended> {
        self.batch = false;
        self.begun = None;
        self.tell_changes();
        if self.may_hear() {
            self.tell_notifications().await?;
        }
        let status = self.session.transaction.status();
        self.io.out.ready_for_query(match status {
            TransactionStatus::Idle => b'I',
            TransactionStatus::InBlock => b'T',
            TransactionStatus::Failed => b'E',
        });
        self.io.entry.idle(status);
        self.io.flush().await?;
        self.io.rest();
        Ok(())
    }

    fn tell_changes(&mut self) {
        if !self.session.vars.has_changed() {
            return;
        }
        self.watch_peer();
        for (name, value) in self.session.vars.take_changed() {
            if name == "application_name" {
                self.io.entry.set_application_name(&value);
            }
            self.io.out.parameter_status(name, &value);
        }
    }

    /// `tcp_keepalives_idle` and its kin are the socket's; zero is the default, as in PostgreSQL.
    fn watch_peer(&mut self) {
        let vars = &self.session.vars;
        let number = |name| u32::try_from(vars.number(name)).ok().filter(|number| *number > 0);
        let seconds = |name| number(name).map(|seconds| Duration::from_secs(u64::from(seconds)));
        let wanted = Liveness {
            idle: seconds("tcp_keepalives_idle").unwrap_or(Liveness::DEFAULT.idle),
            interval: seconds("tcp_keepalives_interval").unwrap_or(Liveness::DEFAULT.interval),
            retries: number("tcp_keepalives_count").unwrap_or(Liveness::DEFAULT.retries),
            unacknowledged: number("tcp_user_timeout")
                .map_or(Liveness::DEFAULT.unacknowledged, |millis| Duration::from_millis(u64::from(millis))),
        };
        if wanted != self.liveness {
            self.liveness = wanted;
            if let Err(error) = self.io.stream.set_liveness(&wanted) {
                tracing::debug!(%error, "could not set up a socket");
            }
        }
    }

    /// Who the client is at this moment: a reload may have changed it.
    ///
    /// # Errors
    /// The user is gone: `57P01`.
    pub(super) fn refresh_identity(&mut self) -> Result<(), Ended> {
        match self.shared.identity(self.session.user()) {
            Some(identity) => {
                self.identity = identity;
                Ok(())
            }
            None => Err(Ended::Fatal(administrator())),
        }
    }
}
