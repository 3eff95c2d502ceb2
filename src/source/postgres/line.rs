//! The socket of a connection, in two hands: the protocol library's, and the relay's, which takes it while nothing of the library's is under way.
//! Must not know: what messages say, beyond where they end and which of them are answered with ReadyForQuery.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio_postgres::tls::{ChannelBinding, TlsStream};
use tokio_util::io::poll_read_buf;

use super::frames::{Frames, Seen};
use super::inbox::Inbox;
use super::socket::Socket;

pub(super) use super::inbox::Heard;

/// Room for what is read at once: little at first, as most answers are short.
const SMALL: usize = 4 << 10;
/// The same, once a server sends more.
const LARGE: usize = 64 << 10;
/// What is heard while something is to be sent may pile up to this.
const MOST_HEARD: usize = 1 << 20;
/// Type and length of a message.
const HEADER: usize = 5;

/// A socket, plain or encrypted.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {
    /// What binds a login to it.
    fn channel_binding(&self) -> ChannelBinding;
}

impl Duplex for Frames<Socket> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

/// A socket inside TLS.
pub(super) struct Encrypted<S>(pub(super) Frames<S>);

impl<S: TlsStream + Send + Unpin> Duplex for Encrypted<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.0.channel_binding()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A socket that two share. Clones are the same.
#[derive(Clone)]
pub(super) struct Line(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    seen: Arc<Seen>,
    /// The library may have come to rest.
    rested: Notify,
}

struct State {
    stream: Box<dyn Duplex>,
    /// The relay has it.
    taken: bool,
    /// The library's task: one hand at a time can be told that there is something to read.
    library: Option<Waker>,
    /// The library waits to send something.
    waits: bool,
    sent: Sent,
    /// ReadyForQuery messages that the relay has asked for.
    asked: u64,
    /// What the relay has to send. It stays here where a wait for that is given up: half a message must not be followed by another.
    unsent: BytesMut,
    /// What ends what the relay has begun, if it is given up.
    last: Option<Bytes>,
    /// What the relay has read and not taken.
    heard: Inbox,
    /// Room for the next read, in bytes. A server that has filled it once goes on sending: it stays large until the statement's end.
    room: usize,
}

/// What the library has sent since the login.
#[derive(Default)]
struct Sent {
    header: [u8; HEADER],
    /// Bytes of a header that have come.
    got: usize,
    /// Bytes of a message that are to come.
    left: usize,
    /// A message was sent, and nothing after it that is answered with ReadyForQuery.
    open: bool,
    /// Messages that are.
    asked: u64,
}

impl Sent {
    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let take = self.left.min(bytes.len());
                self.left -= take;
                bytes = &bytes[take..];
                continue;
            }
            let take = (HEADER - self.got).min(bytes.len());
            self.header[self.got..self.got + take].copy_from_slice(&bytes[..take]);
            self.got += take;
            bytes = &bytes[take..];
            if self.got == HEADER {
                self.got = 0;
                let [kind, length @ ..] = self.header;
                self.left = (u32::from_be_bytes(length) as usize).saturating_sub(4);
                // Sync and Query.
                self.open = !matches!(kind, b'S' | b'Q');
                self.asked += u64::from(!self.open);
            }
        }
    }

    /// Whether everything that was begun is said.
    fn is_whole(&self) -> bool {
        self.got == 0 && self.left == 0 && !self.open
    }
}

/// The library's hand.
pub(super) struct LibraryEnd(Line);

impl Line {
    /// A socket, and the library's hand on it.
    pub(super) fn over(stream: Box<dyn Duplex>, seen: Arc<Seen>) -> (Line, LibraryEnd) {
        let state = State {
            stream,
            taken: false,
            library: None,
            waits: false,
            sent: Sent::default(),
            asked: 0,
            unsent: BytesMut::new(),
            last: None,
            heard: Inbox::default(),
            room: SMALL,
        };
        let line = Line(Arc::new(Shared { state: Mutex::new(state), seen, rested: Notify::new() }));
        (line.clone(), LibraryEnd(line))
    }

    /// What the server has sent.
    pub(super) fn seen(&self) -> &Arc<Seen> {
        &self.0.seen
    }

    /// Takes the socket, as soon as what the library has asked is answered.
    pub(super) async fn take(&self) -> Taken {
        loop {
            let rested = self.0.rested.notified();
            if self.0.try_take() {
                return Taken(self.clone());
            }
            rested.await;
        }
    }

    /// Reads over what is still said to a relay that was given up, and gives the socket back to the library.
    ///
    /// # Errors
    /// The connection's.
    pub(super) async fn drain(&self) -> io::Result<()> {
        if !self.0.state.lock().taken {
            return Ok(());
        }
        let mut taken = Taken(self.clone());
        let last = self.0.state.lock().last.take();
        taken.send(&last.unwrap_or_default(), 0).await?;
        while !taken.is_over() {
            taken.next(None).await?;
        }
        Ok(())
    }
}

impl Shared {
    fn try_take(&self) -> bool {
        let mut state = self.state.lock();
        // The login is answered, too, and nobody asked for that.
        let answered = self.seen.ready() == 1 + state.sent.asked + state.asked;
        let rests = answered && !self.seen.is_midway() && state.sent.is_whole();
        let free = rests && !state.taken;
        state.taken |= free;
        free
    }
}

/// The relay's hand, while it has the socket. Dropped when everything is answered, it gives the socket back; dropped before, somebody must
/// [`Line::drain`] it.
pub(super) struct Taken(Line);

impl Taken {
    /// Sends messages, so many of which are answered with ReadyForQuery.
    ///
    /// # Errors
    /// The connection's.
    pub(super) async fn send(&mut self, messages: &[u8], asked: u64) -> io::Result<()> {
        {
            let mut state = self.0.0.state.lock();
            state.asked += asked;
            state.unsent.extend_from_slice(messages);
        }
        poll_fn(|cx| self.0.0.state.lock().poll_send(cx)).await
    }

    /// What is to be sent if the relay is given up; `None`: nothing.
    pub(super) fn ends_with(&mut self, last: Option<Bytes>) {
        self.0.0.state.lock().last = last;
    }

    /// The next message; rows as many as there are, if they have so many columns. What the server says beside its answers is passed over; notices are [kept](Taken::notices).
    ///
    /// # Errors
    /// The connection's; rows of another width.
    pub(super) async fn next(&mut self, width: Option<u16>) -> io::Result<Heard> {
        poll_fn(|cx| {
            let mut state = self.0.0.state.lock();
            loop {
                if let Some(heard) = state.heard.cut(width)? {
                    return Poll::Ready(Ok(heard));
                }
                ready!(state.poll_hear(cx))?;
            }
        })
        .await
    }

    /// What is there already.
    ///
    /// # Errors
    /// Rows of another width.
    pub(super) fn at_once(&mut self, width: Option<u16>) -> io::Result<Option<Heard>> {
        self.0.0.state.lock().heard.cut(width)
    }

    /// What the server has said beside its answers since this was last asked: bodies of NoticeResponse messages.
    pub(super) fn notices(&mut self) -> Vec<Bytes> {
        self.0.0.state.lock().heard.notices()
    }

    /// Reads over what is there already. Whether everything that was asked is answered then.
    pub(super) fn is_over(&mut self) -> bool {
        while let Ok(Some(_)) = self.at_once(None) {}
        self.is_answered()
    }

    fn is_answered(&self) -> bool {
        let Shared { state, seen, .. } = &*self.0.0;
        let state = state.lock();
        let rests = state.unsent.is_empty() && state.heard.is_empty() && !seen.is_midway();
        rests && seen.ready() == 1 + state.sent.asked + state.asked
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if !self.is_over() {
            return;
        }
        let mut state = self.0.0.state.lock();
        state.taken = false;
        // An idle connection is small.
        state.heard = Inbox::default();
        state.room = SMALL;
        state.unsent = BytesMut::new();
        let library = state.library_to_wake();
        drop(state);
        self.0.0.rested.notify_waiters();
        if let Some(library) = library {
            library.wake();
        }
    }
}

impl State {
    /// The library, if there is something for it to do: otherwise it waits for what comes, as it did before, and need not run for that.
    fn library_to_wake(&mut self) -> Option<Waker> {
        let library = self.library.take()?;
        let nothing = &mut ReadBuf::new(&mut []);
        let waits = std::mem::take(&mut self.waits);
        let quiet = Pin::new(&mut self.stream).poll_read(&mut Context::from_waker(&library), nothing).is_pending();
        if waits || !quiet {
            return Some(library);
        }
        self.library = Some(library);
        None
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.unsent) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(sent)) => self.unsent.advance(sent),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    // A server that talks must be heard, or it would not listen.
                    while self.heard.len() < MOST_HEARD {
                        ready!(self.poll_hear(cx))?;
                        self.heard.skim()?;
                    }
                    return Poll::Pending;
                }
            }
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let heard = self.heard.room(SMALL, self.room);
        let room = heard.capacity() - heard.len();
        let read = ready!(poll_read_buf(Pin::new(&mut self.stream), cx, heard))?;
        if read == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        if read == room {
            self.room = LARGE;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for LibraryEnd {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Shared { state, rested, .. } = &*self.0.0;
        let mut state = state.lock();
        // Whoever has the socket next takes its place in the wait for what comes.
        state.library = Some(cx.waker().clone());
        if state.taken {
            return Poll::Pending;
        }
        let read = Pin::new(&mut state.stream).poll_read(cx, buf);
        drop(state);
        rested.notify_waiters();
        read
    }
}

impl AsyncWrite for LibraryEnd {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Shared { state, seen, .. } = &*self.0.0;
        let mut state = state.lock();
        if state.taken {
            state.library = Some(cx.waker().clone());
            state.waits = true;
            return Poll::Pending;
        }
        let sent = ready!(Pin::new(&mut state.stream).poll_write(cx, buf))?;
        // The login is no messages yet.
        if seen.ready() > 0 {
            state.sent.feed(&buf[..sent]);
        }
        Poll::Ready(Ok(sent))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.0.state.lock();
        if state.taken {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut state.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.0.state.lock().stream).poll_shutdown(cx)
    }
}

impl TlsStream for LibraryEnd {
    fn channel_binding(&self) -> ChannelBinding {
        self.0.0.state.lock().stream.channel_binding()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(kind: u8, body: usize) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend(u32::try_from(body + 4).unwrap().to_be_bytes());
        bytes.resize(HEADER + body, 0);
        bytes
    }

    #[test]
    fn what_the_library_has_under_way() {
        let bytes = [sent(b'P', 300), sent(b'S', 0), sent(b'Q', 7)].concat();
        for step in [1, 4, 5, 6, bytes.len()] {
            let mut all = Sent::default();
            for chunk in bytes.chunks(step) {
                all.feed(chunk);
            }
            assert!(all.is_whole() && all.asked == 2, "{step}");
        }
        let mut part = Sent::default();
        part.feed(&bytes[..3]);
        assert!(!part.is_whole(), "in a header");
        part.feed(&bytes[3..305]);
        assert!(!part.is_whole(), "no Sync yet");
        part.feed(&bytes[305..310]);
        assert!(part.is_whole());
        part.feed(&bytes[310..316]);
        assert!(!part.is_whole(), "in a body");
    }
}
