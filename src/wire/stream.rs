//! The socket of one client: plain TCP, TLS over TCP, or a Unix socket, in two halves that live apart.
//! Must not know: messages.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use parking_lot::Mutex;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

/// A client's socket.
#[derive(Debug)]
pub enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
    /// A Unix socket.
    Unix(UnixStream),
    /// A pipe in memory.
    #[cfg(test)]
    Memory(tokio::io::DuplexStream),
}

/// When a silent peer is asked whether it lives, and when it is taken for dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Liveness {
    /// It is asked after so long a silence,
    pub idle: Duration,
    /// again so often,
    pub interval: Duration,
    /// and so many times.
    pub retries: u32,
    /// How long sent bytes may stay unacknowledged.
    pub unacknowledged: Duration,
}

impl Liveness {
    /// What holds where the session says nothing else.
    pub const DEFAULT: Liveness = Liveness {
        idle: Duration::from_secs(60),
        interval: Duration::from_secs(10),
        retries: 6,
        unacknowledged: Duration::from_secs(60),
    };

    /// Sets up a TCP socket.
    ///
    /// # Errors
    /// The system takes these values for no socket.
    pub fn apply(&self, socket: &SockRef<'_>) -> io::Result<()> {
        let keepalive =
            TcpKeepalive::new().with_time(self.idle).with_interval(self.interval).with_retries(self.retries);
        socket.set_tcp_keepalive(&keepalive)?;
        socket.set_tcp_user_timeout(Some(self.unacknowledged))
    }
}

macro_rules! each {
    ($self:ident, $method:ident($($argument:expr),*)) => {
        match $self.get_mut() {
            Stream::Tcp(io) => Pin::new(io).$method($($argument),*),
            Stream::Tls(io) => Pin::new(io.as_mut()).$method($($argument),*),
            Stream::Unix(io) => Pin::new(io).$method($($argument),*),
            #[cfg(test)]
            Stream::Memory(io) => Pin::new(io).$method($($argument),*),
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(self, poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, poll_shutdown(cx))
    }
}

impl Stream {
    /// Two halves, to read and to write at the same time. Each waits on its own; neither blocks the other.
    #[must_use]
    pub fn split(self) -> (ReadHalf, WriteHalf) {
        let shared = Arc::new(Mutex::new(self));
        (ReadHalf(Arc::clone(&shared)), WriteHalf(shared))
    }

    /// Whether the peer is known to have closed or reset, even where bytes are still to be read. Never waits.
    fn peer_closed(&self) -> bool {
        let ready = match self {
            Stream::Tcp(io) => io.ready(Interest::READABLE).now_or_never(),
            Stream::Tls(io) => io.get_ref().0.ready(Interest::READABLE).now_or_never(),
            Stream::Unix(io) => io.ready(Interest::READABLE).now_or_never(),
            #[cfg(test)]
            Stream::Memory(_) => None,
        };
        match ready {
            Some(Ok(ready)) => Ready::is_read_closed(ready),
            Some(Err(_)) => true,
            None => false,
        }
    }
}

/// The half that reads.
#[derive(Debug)]
pub struct ReadHalf(Arc<Mutex<Stream>>);

/// The half that writes.
#[derive(Debug)]
pub struct WriteHalf(Arc<Mutex<Stream>>);

impl ReadHalf {
    /// Whether the peer is known to have closed or reset, even where bytes are still to be read. Never waits.
    #[must_use]
    pub fn peer_closed(&self) -> bool {
        self.0.lock().peer_closed()
    }
}

impl WriteHalf {
    /// Our end of the connection; `None`: it is no TCP.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &*self.0.lock() {
            Stream::Tcp(io) => io.local_addr().ok(),
            Stream::Tls(io) => io.get_ref().0.local_addr().ok(),
            _ => None,
        }
    }

    /// Sets when the peer is taken for dead. Nothing happens where it is reached by other means than TCP.
    ///
    /// # Errors
    /// The system does not take the values.
    pub fn set_liveness(&self, liveness: &Liveness) -> io::Result<()> {
        match &*self.0.lock() {
            Stream::Tcp(io) => liveness.apply(&SockRef::from(io)),
            Stream::Tls(io) => liveness.apply(&SockRef::from(io.get_ref().0)),
            _ => Ok(()),
        }
    }
}

impl AsyncRead for ReadHalf {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_read(cx, buf)
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.lock()).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_shutdown(cx)
    }
}
