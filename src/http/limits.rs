//! Bounds on HTTP peers: how many at once, how long each. (hyper bounds the header: 100 fields, some 400 KB.)
//! Must not know: pages.
//!
//! The pages are small and made at once, so a connection answers one request and has one deadline for all of it. A peer
//! that sends its header a byte at a time, or never reads, is gone when it passes.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

/// Connections at once; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 64;

/// From accept to the last byte of the answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// The pause after an accept that failed (no file descriptors, say): no spinning, and the loop never ends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener whose connections are bounded.
pub(super) struct Bounded {
    listener: TcpListener,
    room: Arc<Semaphore>,
    deadline: Duration,
}

impl Bounded {
    pub(super) fn new(listener: TcpListener) -> Self {
        Bounded { listener, room: Arc::new(Semaphore::new(MAX_CONNECTIONS)), deadline: DEADLINE }
    }
}

impl axum::serve::Listener for Bounded {
    type Io = Timed;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Timed, SocketAddr) {
        // The semaphore is never closed; were it, unbounded would still be better than deaf.
        let room = Arc::clone(&self.room).acquire_owned().await.ok();
        loop {
            match self.listener.accept().await {
                Ok((socket, peer)) => return (Timed::new(socket, room, self.deadline), peer),
                Err(error) => {
                    tracing::warn!(%error, "an HTTP connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A socket that fails once its time is over, and holds its place until it is dropped.
pub(super) struct Timed {
    socket: TcpStream,
    over: Pin<Box<Sleep>>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Timed {
    fn new(socket: TcpStream, room: Option<OwnedSemaphorePermit>, deadline: Duration) -> Self {
        Timed { socket, over: Box::pin(sleep(deadline)), _room: room }
    }

    /// The socket, unless its time is over. Polling the clock here wakes a task that waits for its peer.
    fn in_time(&mut self, cx: &mut Context<'_>) -> io::Result<Pin<&mut TcpStream>> {
        match self.over.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::Error::from(io::ErrorKind::TimedOut)),
            Poll::Pending => Ok(Pin::new(&mut self.socket)),
        }
    }
}

impl AsyncRead for Timed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.in_time(cx) {
            Ok(socket) => socket.poll_read(cx, buffer),
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl AsyncWrite for Timed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.in_time(cx) {
            Ok(socket) => socket.poll_write(cx, bytes),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.in_time(cx) {
            Ok(socket) => socket.poll_flush(cx),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.in_time(cx) {
            Ok(socket) => socket.poll_shutdown(cx),
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::serve::Listener as _;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_silent_peer_is_dropped_and_frees_its_place() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut bounded = Bounded { listener, room: Arc::new(Semaphore::new(1)), deadline: Duration::from_millis(50) };
        let room = Arc::clone(&bounded.room);
        let mut silent = TcpStream::connect(address).await.unwrap();
        let (mut accepted, _) = bounded.accept().await;
        assert_eq!(room.available_permits(), 0);
        let error = accepted.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(accepted.write_all(b"x").await.is_err());
        drop(accepted);
        assert_eq!(room.available_permits(), 1);
        assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
    }
}
