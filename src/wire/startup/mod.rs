//! From the first byte to a [`Greeting`] or a cancel request: encryption is negotiated, at most once of each kind.
//! Must not know: who may log in.

mod options;
mod packet;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::error::{Error, Result, SqlState};
use crate::wire::framing::{MAX_STARTUP_BYTES, violation};
use crate::wire::stream::Stream;
use crate::wire::tls::{Tls, TlsPeer};

use packet::Packet;
pub use packet::{Greeting, Startup};

/// Room for the first read of a peer, in bytes.
const FIRST_READ: usize = 1024;

/// The first byte of a TLS handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

/// What a connection is for, and the stream it goes on with.
#[derive(Debug)]
pub struct Opened {
    /// The stream, encrypted where the client wanted it.
    pub stream: Stream,
    /// Bytes that were read beyond the packet.
    pub buffer: BytesMut,
    /// What the client wants.
    pub opening: Opening,
    /// What TLS told, where it is used.
    pub tls: Option<TlsPeer>,
}

/// What a client wants.
#[derive(Debug)]
pub enum Opening {
    /// A session.
    Session(Greeting),
    /// A running statement cancelled; it is never answered.
    Cancel {
        /// The session's process id.
        pid: i32,
        /// Its key: 4 to 256 bytes.
        key: Bytes,
    },
}

/// A peer that is sent away.
#[derive(Debug)]
pub struct Refused {
    /// Why: sent as FATAL.
    pub error: Error,
    /// The stream to say it on; `None`: there is none left (TLS failed).
    pub stream: Option<Stream>,
}

/// Reads what a connection begins with. `tls`: what is offered to it.
///
/// The caller bounds the time. At most 12 KiB are held. `None`: the peer left, or sent a cancel request of no sense,
/// and is owed no answer.
///
/// # Errors
/// The peer is to be refused with the error as FATAL.
pub async fn open(stream: Stream, tls: Option<Arc<Tls>>) -> Result<Option<Opened>, Refused> {
    let (opener, direct) = match (stream, tls) {
        (Stream::Tcp(tcp), Some(tls)) => match is_tls(&tcp).await {
            None => return Ok(None),
            Some(true) => (accept_direct(tcp, &tls).await?, true),
            Some(false) => (Opener::new(Stream::Tcp(tcp), Some(tls)), false),
        },
        (stream, _) => (Opener::new(stream, None), false),
    };
    opener.run(direct).await
}

/// Whether the first byte begins TLS; `None`: the peer left.
async fn is_tls(tcp: &TcpStream) -> Option<bool> {
    let mut first = [0];
    match tcp.peek(&mut first).await {
        Ok(1) => Some(first == [TLS_HANDSHAKE]),
        _ => None,
    }
}

/// TLS from the first byte on: only with ALPN, so that no other protocol's client is led here.
async fn accept_direct(tcp: TcpStream, tls: &Tls) -> Result<Opener, Refused> {
    let (stream, peer) = tls.accept(tcp).await.map_err(|error| Refused { error, stream: None })?;
    let alpn = peer.alpn;
    let mut opener = Opener::new(stream, None);
    opener.peer = Some(peer);
    if alpn {
        return Ok(opener);
    }
    Err(opener.refuse(violation("received direct SSL connection request without ALPN protocol negotiation extension")))
}

/// The negotiation of one connection.
struct Opener {
    stream: Stream,
    buffer: BytesMut,
    /// What can still be offered.
    tls: Option<Arc<Tls>>,
    peer: Option<TlsPeer>,
}

impl Opener {
    fn new(stream: Stream, tls: Option<Arc<Tls>>) -> Self {
        Opener { stream, buffer: BytesMut::with_capacity(FIRST_READ), tls, peer: None }
    }

    fn refuse(self, error: Error) -> Refused {
        Refused { error, stream: Some(self.stream) }
    }

    /// Each kind of encryption may be asked for once; a loop, not a recursion. A second request of a kind is taken for
    /// a protocol version that does not exist, as PostgreSQL does.
    async fn run(mut self, direct: bool) -> Result<Option<Opened>, Refused> {
        let (mut ssl_done, mut gss_done) = (direct, direct);
        loop {
            let packet = match self.packet().await {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(None),
                Err(error) => return Err(self.refuse(error)),
            };
            match packet::parse(&packet, !ssl_done, !gss_done) {
                Ok(Packet::Ssl) => {
                    ssl_done = true;
                    let Some(next) = self.answer_ssl().await? else {
                        return Ok(None);
                    };
                    self = next;
                    gss_done |= self.peer.is_some();
                }
                Ok(Packet::Gss) => {
                    gss_done = true;
                    if self.stream.write_all(b"N").await.is_err() {
                        return Ok(None);
                    }
                    self = self.nothing_ahead("GSSAPI encryption request")?;
                }
                Ok(Packet::Cancel { pid, key }) => return Ok(Some(self.opened(Opening::Cancel { pid, key }))),
                Ok(Packet::BadCancel) => return Ok(None),
                Ok(Packet::Session(greeting)) => return Ok(Some(self.opened(Opening::Session(greeting)))),
                Err(error) => return Err(self.refuse(error)),
            }
        }
    }

    fn opened(self, opening: Opening) -> Opened {
        Opened { stream: self.stream, buffer: self.buffer, opening, tls: self.peer }
    }

    /// Answers an SSLRequest; `None`: the peer left.
    async fn answer_ssl(mut self) -> Result<Option<Opener>, Refused> {
        let offered = self.tls.take();
        let (mut tcp, tls) = match (self.stream, offered) {
            (Stream::Tcp(tcp), Some(tls)) => (tcp, tls),
            (stream, _) => {
                self.stream = stream;
                if self.stream.write_all(b"N").await.is_err() {
                    return Ok(None);
                }
                return self.nothing_ahead("SSL request").map(Some);
            }
        };
        if tcp.write_all(b"S").await.is_err() {
            return Ok(None);
        }
        // What came in the clear behind the request may be a man in the middle's. Like PostgreSQL we say so under TLS,
        // where he cannot change it; the bytes are never looked at.
        let (stream, peer) = tls.accept(tcp).await.map_err(|error| Refused { error, stream: None })?;
        let next = Opener { stream, buffer: self.buffer, tls: None, peer: Some(peer) };
        next.nothing_ahead("SSL request").map(Some)
    }

    /// Refuses a peer that sent more than the request.
    fn nothing_ahead(self, request: &str) -> Result<Opener, Refused> {
        if self.buffer.is_empty() {
            return Ok(self);
        }
        let error = violation(format!("received unencrypted data after {request}")).with_detail(
            "This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.",
        );
        Err(self.refuse(error))
    }

    /// One packet without its length; `None`: the peer left.
    async fn packet(&mut self) -> Result<Option<Bytes>> {
        let mut length = None;
        loop {
            if length.is_none() {
                length = declared(&self.buffer)?;
            }
            if let Some(length) = length.filter(|length| self.buffer.len() >= *length) {
                let mut packet = self.buffer.split_to(length).freeze();
                return Ok(Some(packet.split_off(4)));
            }
            if self.buffer.capacity() == self.buffer.len() {
                // Grown once, to what the longest packet needs.
                let mut larger = BytesMut::with_capacity(MAX_STARTUP_BYTES + FIRST_READ);
                larger.extend_from_slice(&self.buffer);
                self.buffer = larger;
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return Ok(None),
                Ok(_) => {}
            }
        }
    }
}

/// The length of a start-up packet, its own four bytes included, once it has arrived.
fn declared(buffer: &[u8]) -> Result<Option<usize>> {
    let Some(bytes) = buffer.get(..4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()) else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(bytes) as usize;
    if (8..=MAX_STARTUP_BYTES).contains(&length) {
        Ok(Some(length))
    } else {
        Err(violation("invalid length of startup packet"))
    }
}

/// The refusal of a plain connection where TLS is required.
pub(crate) fn tls_required() -> Error {
    Error::policy(SqlState::INVALID_AUTHORIZATION, "connections without TLS are not accepted")
        .with_hint("Connect with sslmode=require or stricter.")
}

#[cfg(test)]
mod tests;
