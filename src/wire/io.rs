//! The two directions of a session's socket, and the waits on them: every one has an end.
//! Must not know: messages' meaning.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;

use super::framing::{FrameReader, hang_up};
use super::messages::{BackendWriter, Severity};
use super::stream::WriteHalf;
use crate::error::{Error, Fault, Result, SqlState};
use crate::rows::Bounds;
use crate::session::SessionEntry;
use crate::shutdown::Shutdown;

/// Bytes of rows that are written before the socket must take them.
pub(super) const CHUNK: usize = 64 * 1024;

/// What the buffer of an idle session may hold, in bytes.
const RESTING: usize = 16 * 1024;

/// How long a client may leave answers unread that no running statement waits with.
const UNREAD: Duration = Duration::from_secs(60);

/// How long a client may take to read why its session ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why a session ends.
#[derive(Debug)]
pub(super) enum Ended {
    /// The peer is gone, or takes nothing more: there is nobody to tell.
    Gone,
    /// The client said goodbye.
    Goodbye,
    /// The client is told why.
    Fatal(Error),
}

/// Why a message was not carried out.
#[derive(Debug)]
pub(super) enum Stop {
    /// The statement failed; the session goes on.
    Failed(Error),
    /// The session ends.
    Ended(Ended),
}

impl From<Error> for Stop {
    /// A transaction that timed out takes its session along; other errors end a statement.
    fn from(error: Error) -> Self {
        match error.state() {
            SqlState::TRANSACTION_TIMEOUT if error.fault() == Fault::Resource => Stop::Ended(Ended::Fatal(error)),
            _ => Stop::Failed(error),
        }
    }
}

impl From<Ended> for Stop {
    fn from(ended: Ended) -> Self {
        Stop::Ended(ended)
    }
}

/// `57P01`, in PostgreSQL's words.
pub(super) fn administrator() -> Error {
    Error::resource(SqlState::ADMIN_SHUTDOWN, "terminating connection due to administrator command")
}

/// A session's socket.
pub(super) struct Io {
    pub(super) reader: FrameReader,
    pub(super) out: BackendWriter,
    pub(super) stream: WriteHalf,
    pub(super) entry: Arc<SessionEntry>,
    pub(super) shutdown: Shutdown,
}

impl Io {
    /// Waits for the work of a statement within its bounds, while the socket is watched: a client that leaves ends the work.
    pub(super) async fn watch<T>(&mut self, bounds: &Bounds, work: impl Future<Output = Result<T>>) -> Result<T, Stop> {
        let ended = tokio::select! {
            biased;
            done = bounds.guard(work) => return done.map_err(Stop::from),
            _ = self.reader.peer_gone() => Ended::Gone,
            () = self.entry.terminated() => Ended::Fatal(administrator()),
            () = self.shutdown.stopped() => Ended::Fatal(administrator()),
        };
        bounds.cancel.cancel();
        Err(Stop::Ended(ended))
    }

    /// Sends rows of a running statement. The socket decides how long that takes; the statement's bounds hold meanwhile.
    pub(super) async fn push(&mut self, bounds: &Bounds) -> Result<(), Stop> {
        let Io { reader, out, stream, entry, shutdown } = self;
        let ended = tokio::select! {
            biased;
            sent = bounds.guard(async { Ok(out.flush(stream).await) }) => match sent.map_err(Stop::from)? {
                Ok(()) => return Ok(()),
                Err(_) => Ended::Gone,
            },
            _ = reader.peer_gone() => Ended::Gone,
            () = entry.terminated() => Ended::Fatal(administrator()),
            () = shutdown.stopped() => Ended::Fatal(administrator()),
        };
        bounds.cancel.cancel();
        Err(Stop::Ended(ended))
    }

    /// Sends everything that waits, where no statement runs.
    pub(super) async fn flush(&mut self) -> Result<(), Ended> {
        if self.out.is_empty() {
            return Ok(());
        }
        match tokio::time::timeout(UNREAD, self.out.flush(&mut self.stream)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ended::Gone),
            Err(_) => {
                tracing::info!(pid = self.entry.pid(), "a client read nothing for too long; its connection is closed");
                Err(Ended::Gone)
            }
        }
    }

    /// Gives back the memory of a large answer: an idle session is small.
    pub(super) fn rest(&mut self) {
        let buffer = self.out.buffer();
        if buffer.is_empty() && buffer.capacity() > RESTING {
            *buffer = BytesMut::new();
        }
    }

    /// Says why the session ends, and closes so that it can be read.
    pub(super) async fn farewell(&mut self, why: &Error) {
        refuse(&mut self.reader, &mut self.out, &mut self.stream, why).await;
    }
}

/// Says a FATAL error, and closes so that it can be read.
pub(super) async fn refuse(reader: &mut FrameReader, out: &mut BackendWriter, stream: &mut WriteHalf, why: &Error) {
    super::respond::error(out, why, Severity::Fatal, None);
    if let Ok(Ok(())) = tokio::time::timeout(FAREWELL, out.flush(stream)).await {
        hang_up(reader, stream).await;
    }
}
