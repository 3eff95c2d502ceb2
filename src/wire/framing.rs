//! Cuts a peer's bytes into exact frames: type allowed now, length in bounds, memory only for what arrived.
//! Must not know: what a message means.

use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::error::{Error, Result, SqlState};
use crate::wire::stream::{ReadHalf, WriteHalf};

/// The longest start-up packet in bytes, its length included (PostgreSQL's `MAX_STARTUP_PACKET_LENGTH`).
pub const MAX_STARTUP_BYTES: usize = 10_000;

/// The longest SASL message in bytes (PostgreSQL's `PG_MAX_SASL_MESSAGE_LENGTH`).
pub const MAX_SASL_BYTES: usize = 1_024;

/// Bodies of messages that carry no statement and no values (PostgreSQL's `PQ_SMALL_MESSAGE_LIMIT`), in bytes.
const SMALL_MESSAGE_BYTES: usize = 10_000;

/// Bytes read ahead of a running statement; what is beyond stays in the kernel and slows the peer down.
const AHEAD_BYTES: usize = 64 * 1024;

/// Room for one read before the login, in bytes.
const LOGIN_CHUNK: usize = 2 * 1024;

/// Room for one read after the login, in bytes.
const SESSION_CHUNK: usize = 8 * 1024;

/// Less room than this in the buffer is not worth a read, in bytes.
const SMALLEST_READ: usize = 256;

/// A buffer larger than this is given back once it is empty, in bytes.
const KEPT_BYTES: usize = 64 * 1024;

/// How often a peer is looked after while no more of its bytes are read.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Which messages may come now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// During the login: `p` and nothing else.
    Login,
    /// In a session: every message of the protocol but `p`.
    Session,
}

impl Allowed {
    /// The most bytes that the body of a message of this type may have.
    ///
    /// # Errors
    /// `08P01` where the type may not come now, in PostgreSQL's words.
    fn limit(self, kind: u8, limit: usize) -> Result<usize> {
        match (self, kind) {
            (Allowed::Login, b'p') => Ok(limit),
            (Allowed::Login, _) => Err(violation(format!("expected SASL response, got message type {kind}"))),
            (Allowed::Session, b'Q' | b'P' | b'B' | b'F' | b'd') => Ok(limit),
            (Allowed::Session, b'D' | b'E' | b'C' | b'H' | b'S' | b'X' | b'c' | b'f') => {
                Ok(limit.min(SMALL_MESSAGE_BYTES))
            }
            (Allowed::Session, _) => Err(violation(format!("invalid frontend message type {kind}"))),
        }
    }
}

/// A peer broke the protocol: `08P01`.
pub(crate) fn violation(message: impl Into<String>) -> Error {
    Error::client(SqlState::PROTOCOL_VIOLATION, message)
}

/// One message: its type and exactly its body.
#[derive(Debug)]
pub struct Frame {
    /// The type byte.
    pub kind: u8,
    /// The body, without type and length.
    pub body: BytesMut,
}

/// How a peer went away while a statement ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// It closed or reset the connection.
    Closed,
    /// It sent Terminate behind the running statement.
    Terminated,
}

/// Reads frames. Every method may be dropped while it waits and called again: no byte is lost.
#[derive(Debug)]
pub struct FrameReader {
    half: ReadHalf,
    buffer: BytesMut,
    chunk: usize,
    /// Bytes of whole frames at the start of the buffer that `peer_gone` has looked at.
    scanned: usize,
    closed: bool,
}

impl FrameReader {
    /// Reads frames from a half; `buffer` holds what was read beyond the start-up packet.
    #[must_use]
    pub fn new(half: ReadHalf, buffer: BytesMut) -> Self {
        FrameReader { half, buffer, chunk: LOGIN_CHUNK, scanned: 0, closed: false }
    }

    /// From now on reads are of a session's size.
    pub fn login_done(&mut self) {
        self.chunk = SESSION_CHUNK;
    }

    /// The next frame; `None`: the peer is gone (a frame that it did not finish is dropped).
    ///
    /// `limit` is the most bytes a body may have.
    ///
    /// # Errors
    /// Each is the end of the connection: answer it as FATAL, then [`hang_up`]. `08P01`: a type that may not come now,
    /// a length that no message has. `54000`: a message over `limit`.
    pub async fn next(&mut self, allowed: Allowed, limit: usize) -> Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.cut(allowed, limit)? {
                return Ok(Some(frame));
            }
            if !self.fill().await {
                return Ok(None);
            }
        }
    }

    /// A frame that has arrived in full already; never waits. Errors as [`FrameReader::next`].
    ///
    /// # Errors
    /// As [`FrameReader::next`].
    pub fn cut(&mut self, allowed: Allowed, limit: usize) -> Result<Option<Frame>> {
        let Some(&kind) = self.buffer.first() else {
            return Ok(None);
        };
        let most = allowed.limit(kind, limit)?;
        let Some(length) = declared(&self.buffer) else {
            return Ok(None);
        };
        let Some(body) = length.checked_sub(4) else {
            return Err(violation("invalid message length"));
        };
        if body > most {
            return Err(too_long(body, limit, allowed));
        }
        if self.buffer.len() < 1 + length {
            return Ok(None);
        }
        self.buffer.advance(5);
        self.scanned = self.scanned.saturating_sub(1 + length);
        Ok(Some(Frame { kind, body: self.buffer.split_to(body) }))
    }

    /// The next frame is this one again, which was the last.
    pub fn put_back(&mut self, frame: Frame) {
        let Frame { kind, body } = frame;
        let mut buffer = BytesMut::with_capacity(5 + body.len() + self.buffer.len());
        buffer.put_u8(kind);
        buffer.put_u32(u32::try_from(body.len() + 4).unwrap_or(u32::MAX));
        buffer.put_slice(&body);
        buffer.put_slice(&self.buffer);
        (self.buffer, self.scanned) = (buffer, 0);
    }

    /// Resolves when the peer has gone; to be raced against a running statement.
    ///
    /// Meanwhile up to 64 KiB that the peer sends ahead are kept for [`FrameReader::next`].
    pub async fn peer_gone(&mut self) -> Gone {
        loop {
            if self.terminate_ahead() {
                return Gone::Terminated;
            }
            if self.closed {
                return Gone::Closed;
            }
            if self.buffer.len() < AHEAD_BYTES {
                self.fill().await;
            } else {
                tokio::time::sleep(LOOK_EVERY).await;
                // The flag of the reader stays: what has arrived is still served.
                if self.half.peer_closed() {
                    return Gone::Closed;
                }
            }
        }
    }

    /// Bytes held that are not yet cut.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Whether a Terminate stands among the whole frames read ahead.
    fn terminate_ahead(&mut self) -> bool {
        while let Some(rest) = self.buffer.get(self.scanned..) {
            let (Some(&kind), Some(length)) = (rest.first(), declared(rest)) else {
                return false;
            };
            if kind == b'X' && length == 4 {
                return true;
            }
            if length < 4 || rest.len() < 1 + length {
                return false;
            }
            self.scanned += 1 + length;
        }
        false
    }

    /// Reads once. False: the peer is gone.
    async fn fill(&mut self) -> bool {
        if self.closed {
            return false;
        }
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT_BYTES {
            self.buffer = BytesMut::new();
        }
        if self.buffer.capacity() - self.buffer.len() < SMALLEST_READ {
            // At most twice what has arrived: a declared length alone costs nothing.
            self.buffer.reserve(self.chunk.max(self.buffer.len()));
        }
        match self.half.read_buf(&mut self.buffer).await {
            Ok(0) | Err(_) => {
                self.closed = true;
                false
            }
            Ok(_) => true,
        }
    }

    /// Reads and forgets until the peer closes.
    async fn discard(&mut self, most: usize) {
        let mut seen = 0;
        while seen < most {
            self.buffer.clear();
            if !self.fill().await {
                return;
            }
            seen += self.buffer.len();
        }
    }
}

/// The length that a frame declares (its own four bytes included), once it has arrived. Negative ones come out as huge.
fn declared(buffer: &[u8]) -> Option<usize> {
    let bytes: [u8; 4] = buffer.get(1..5)?.try_into().ok()?;
    Some(u32::from_be_bytes(bytes) as usize)
}

/// More than any message of its type has is nonsense; more than the configuration allows is a limit.
fn too_long(body: usize, limit: usize, allowed: Allowed) -> Error {
    if allowed == Allowed::Login || body <= limit || body > i32::MAX as usize {
        return violation("invalid message length");
    }
    Error::client(SqlState::PROGRAM_LIMIT_EXCEEDED, "invalid message length")
        .with_detail(format!("The message has {body} bytes; {limit} are allowed."))
}

/// Ends a connection so that the peer can read what was said last.
///
/// Closing a socket with unread bytes resets it, and the peer would lose the answer: so the writing side is closed
/// first, and what still comes is read and forgotten for a moment (one second, 1 MiB).
pub async fn hang_up(reader: &mut FrameReader, stream: &mut WriteHalf) {
    let farewell = async {
        let _ = stream.shutdown().await;
        reader.discard(1024 * 1024).await;
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), farewell).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::stream::Stream;
    use tokio::io::DuplexStream;

    fn pair() -> (DuplexStream, FrameReader) {
        let (client, server) = tokio::io::duplex(1 << 20);
        let (half, _) = Stream::Memory(server).split();
        (client, FrameReader::new(half, BytesMut::new()))
    }

    fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    #[tokio::test]
    async fn cuts_exactly() {
        let (mut client, mut reader) = pair();
        let mut bytes = frame(b'Q', b"select 1\0");
        bytes.extend(frame(b'S', b""));
        client.write_all(&bytes).await.unwrap();
        let first = reader.next(Allowed::Session, 1000).await.unwrap().unwrap();
        assert_eq!((first.kind, &first.body[..]), (b'Q', &b"select 1\0"[..]));
        reader.put_back(first);
        let again = reader.next(Allowed::Session, 1000).await.unwrap().unwrap();
        assert_eq!((again.kind, &again.body[..]), (b'Q', &b"select 1\0"[..]));
        let second = reader.next(Allowed::Session, 1000).await.unwrap().unwrap();
        assert_eq!((second.kind, second.body.len()), (b'S', 0));
        drop(client);
        assert!(reader.next(Allowed::Session, 1000).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_dropped_wait_loses_nothing() {
        let (mut client, mut reader) = pair();
        for byte in frame(b'Q', b"select 1\0") {
            client.write_all(&[byte]).await.unwrap();
            let wait = tokio::time::timeout(Duration::from_millis(1), reader.next(Allowed::Session, 1000));
            if let Ok(got) = wait.await {
                assert_eq!(&got.unwrap().unwrap().body[..], b"select 1\0");
                return;
            }
        }
        panic!("the frame never came");
    }

    #[tokio::test]
    async fn refuses_by_state_and_length() {
        for (allowed, bytes, state, text) in [
            (Allowed::Login, frame(b'Q', b"x\0"), "08P01", "expected SASL response, got message type 81"),
            (Allowed::Session, frame(b'p', b"x\0"), "08P01", "invalid frontend message type 112"),
            (Allowed::Session, vec![0xff], "08P01", "invalid frontend message type 255"),
            (Allowed::Session, vec![b'Q', 0, 0, 0, 3], "08P01", "invalid message length"),
            (Allowed::Session, vec![b'Q', 0xff, 0xff, 0xff, 0xff], "08P01", "invalid message length"),
            (Allowed::Session, vec![b'Q', 0x40, 0, 0, 0], "54000", "invalid message length"),
            (Allowed::Session, vec![b'S', 0, 1, 0, 0], "08P01", "invalid message length"),
            (Allowed::Login, vec![b'p', 0x40, 0, 0, 0], "08P01", "invalid message length"),
        ] {
            let (mut client, mut reader) = pair();
            client.write_all(&bytes).await.unwrap();
            let error = reader.next(allowed, 1 << 20).await.unwrap_err();
            assert_eq!((error.state().code(), error.message()), (state, text));
        }
    }

    #[tokio::test]
    async fn a_declared_length_costs_nothing() {
        let (mut client, mut reader) = pair();
        client.write_all(&[b'Q', 0x03, 0xff, 0xff, 0xff]).await.unwrap();
        let wait = tokio::time::timeout(Duration::from_millis(20), reader.next(Allowed::Session, 1 << 26));
        assert!(wait.await.is_err());
        assert!(reader.buffer.capacity() <= 2 * SESSION_CHUNK);
    }

    #[tokio::test]
    async fn sees_the_peer_leave_and_keeps_what_it_sent() {
        let (mut client, mut reader) = pair();
        client.write_all(&frame(b'Q', b"select 2\0")).await.unwrap();
        let wait = tokio::time::timeout(Duration::from_millis(20), reader.peer_gone());
        assert!(wait.await.is_err());
        drop(client);
        assert_eq!(reader.peer_gone().await, Gone::Closed);
        assert_eq!(&reader.next(Allowed::Session, 1000).await.unwrap().unwrap().body[..], b"select 2\0");
        assert!(reader.next(Allowed::Session, 1000).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn sees_terminate_behind_other_messages() {
        let (mut client, mut reader) = pair();
        let mut bytes = frame(b'S', b"");
        bytes.extend(frame(b'X', b""));
        client.write_all(&bytes).await.unwrap();
        assert_eq!(reader.peer_gone().await, Gone::Terminated);
        assert_eq!(reader.next(Allowed::Session, 10).await.unwrap().unwrap().kind, b'S');
        assert_eq!(reader.peer_gone().await, Gone::Terminated);
    }

    #[tokio::test]
    async fn reads_ahead_within_bounds() {
        let (mut client, mut reader) = pair();
        client.write_all(&frame(b'd', &vec![7; 600_000])).await.unwrap();
        let wait = tokio::time::timeout(Duration::from_millis(50), reader.peer_gone());
        assert!(wait.await.is_err());
        assert!(reader.buffered() <= 2 * AHEAD_BYTES, "{}", reader.buffered());
        assert_eq!(reader.next(Allowed::Session, 1 << 20).await.unwrap().unwrap().body.len(), 600_000);
    }
}
