//! A TCP socket that is watched while little comes, and looked at by the clock while much does.
//! Must not know: what comes.
//!
//! PostgreSQL sends eight kilobytes at a time. Woken for each, who reads them spends more on waking than on reading, and the server on
//! waking it: a look every millisecond finds hundreds of kilobytes, and costs neither of them anything in between.

use std::future::Future;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep};

/// So many bytes are much.
const MUCH: usize = 1 << 20;
/// Fewer bytes between two looks are little.
const LITTLE: usize = 32 << 10;
/// The time between two looks. The clock has ticks of a millisecond.
const PAUSE: Duration = Duration::from_micros(500);

/// A connected socket.
pub(super) struct Flow {
    at: At,
    /// Bytes since it is watched, or since the last look.
    bytes: usize,
    /// Watches it.
    runtime: Handle,
}

enum At {
    Watched(TcpStream),
    /// The socket, the time of the next look, and who waits for it.
    Looked(std::net::TcpStream, Pin<Box<Sleep>>, Option<Waker>),
    /// It could not be watched again.
    Lost,
}

impl Flow {
    /// A socket, watched by the runtime that this runs in.
    pub(super) fn new(stream: TcpStream) -> Self {
        Flow { at: At::Watched(stream), bytes: 0, runtime: Handle::current() }
    }

    /// From now on it is looked at.
    fn look(&mut self) -> io::Result<()> {
        if let At::Watched(stream) = std::mem::replace(&mut self.at, At::Lost) {
            let _runtime = self.runtime.enter();
            self.at = At::Looked(stream.into_std()?, Box::pin(sleep(PAUSE)), None);
            self.bytes = LITTLE;
        }
        Ok(())
    }

    /// The socket, watched from now on.
    fn watched(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.at = match std::mem::replace(&mut self.at, At::Lost) {
            At::Looked(stream, _, reader) => {
                let _runtime = self.runtime.enter();
                self.bytes = 0;
                // Who waits to read waits for a look that will not be: it is to ask again.
                reader.into_iter().for_each(Waker::wake);
                TcpStream::from_std(stream).map_or(At::Lost, At::Watched)
            }
            at => at,
        };
        match &mut self.at {
            At::Watched(stream) => Ok(Pin::new(stream)),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl AsyncRead for Flow {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let flow = self.get_mut();
        loop {
            let At::Looked(stream, pause, reader) = &mut flow.at else {
                let before = buf.filled().len();
                let read = flow.watched()?.poll_read(cx, buf);
                flow.bytes += buf.filled().len() - before;
                if read.is_pending() && flow.bytes >= MUCH {
                    flow.look()?;
                    continue;
                }
                return read;
            };
            // Who asks for nothing wants to be woken.
            let read = match buf.remaining() {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                _ => stream.read(buf.initialize_unfilled()),
            };
            match read {
                Ok(read) => {
                    buf.advance(read);
                    flow.bytes += read;
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Poll::Ready(Err(error)),
                Err(_) if buf.remaining() == 0 || flow.bytes < LITTLE => {
                    flow.watched()?;
                }
                Err(_) if pause.as_mut().poll(cx).is_pending() => {
                    *reader = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                Err(_) => {
                    pause.as_mut().reset(Instant::now() + PAUSE);
                    flow.bytes = 0;
                }
            }
        }
    }
}

impl AsyncWrite for Flow {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let flow = self.get_mut();
        // What is asked anew may be answered in few words.
        flow.bytes = 0;
        flow.watched()?.poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().watched()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().watched()?.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;

    async fn pair() -> (Flow, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Flow::new(stream), listener.accept().await.unwrap().0)
    }

    /// Reads to the point at which nothing more is there, and looks from then on.
    async fn read_all(flow: &mut Flow, sent: usize) {
        let mut bytes = vec![0; 64 << 10];
        let mut read = 0;
        while read < sent {
            read += flow.read(&mut bytes).await.unwrap();
        }
        assert_eq!(read, sent);
        flow.watched().unwrap();
        flow.look().unwrap();
    }

    fn reads(flow: &mut Flow, cx: &mut Context<'_>) -> Poll<usize> {
        let mut bytes = [0; 16];
        let mut buf = ReadBuf::new(&mut bytes);
        Pin::new(flow).poll_read(cx, &mut buf).map(|read| read.map(|()| buf.filled().len()).unwrap())
    }

    #[tokio::test]
    async fn what_comes_late_is_heard_whoever_asked_meanwhile() {
        let (mut flow, mut peer) = pair().await;
        let serving = tokio::spawn(async move {
            peer.write_all(&vec![7; 3 * MUCH]).await.unwrap();
            let mut asked = [0; 3];
            // The answer comes when everything rests.
            peer.read_exact(&mut asked).await.unwrap();
            peer.write_all(b"answer").await.unwrap();
            peer
        });
        read_all(&mut flow, 3 * MUCH).await;
        // Nothing is there, and it is waited for: by the clock, and then, as something is asked, by events again.
        let (mut looked, mut asked) = (false, false);
        let answer = poll_fn(|cx| {
            let read = reads(&mut flow, cx);
            if read.is_pending() && !asked {
                looked |= matches!(flow.at, At::Looked(..));
                asked = matches!(Pin::new(&mut flow).poll_write(cx, b"ask"), Poll::Ready(Ok(3)));
                assert!(matches!(flow.at, At::Watched(_)));
            }
            read
        });
        assert_eq!(timeout(Duration::from_secs(20), answer).await.unwrap(), 6);
        assert!(looked);
        // Where nothing comes between two looks it is watched again; and it still ends.
        drop(serving.await.unwrap());
        assert_eq!(timeout(Duration::from_secs(20), poll_fn(|cx| reads(&mut flow, cx))).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_quiet_socket_is_watched_again() {
        let (mut flow, mut peer) = pair().await;
        let sending = tokio::spawn(async move {
            peer.write_all(&vec![7; 2 * MUCH]).await.unwrap();
            peer
        });
        read_all(&mut flow, 2 * MUCH).await;
        let mut peer = sending.await.unwrap();
        let mut looks = 0;
        let read = poll_fn(|cx| {
            let read = reads(&mut flow, cx);
            if read.is_pending() && matches!(flow.at, At::Looked(..)) {
                looks += 1;
            } else if read.is_pending() {
                assert!(looks > 0);
                assert!(matches!(Pin::new(&mut peer).poll_write(cx, b"!"), Poll::Ready(Ok(1))));
            }
            read
        });
        assert_eq!(timeout(Duration::from_secs(20), read).await.unwrap(), 1);
    }
}
