//! Watches what a server sends, before the protocol library sees it: message types, lengths, what it asks at the login.
//! Must not know: what the messages are for. Nothing is decoded or buffered here beyond a login message.

use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsStream};

/// Bytes of one message before the login is over; PostgreSQL's own are far shorter.
const LOGIN_MESSAGE: usize = 64 << 10;
/// Bytes of all messages before the login is over: notices are kept until then.
const LOGIN_TOTAL: usize = 1 << 20;
/// Bytes of one row. A row is held in memory whole, so this bounds what a source can make us hold.
pub(super) const ROW_BYTES: usize = 128 << 20;
/// Bytes of any other message.
const OTHER_MESSAGE: usize = 16 << 20;
/// Iterations of SCRAM: they run on our processor (PostgreSQL's default is 4096).
const SCRAM_ITERATIONS: u64 = 1_000_000;

/// What a server must not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breach {
    /// A length that cannot be, or a message that may not come now.
    Malformed,
    /// A row of more than [`ROW_BYTES`].
    RowTooLarge,
    /// A login that sends more than any login needs.
    LoginTooLarge,
    /// The password was demanded in clear text over a connection that is not encrypted.
    ClearText,
    /// So many SCRAM iterations that they would only cost time.
    Iterations,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Breach::Malformed => "malformed or unexpected message",
            Breach::RowTooLarge => "row too large",
            Breach::LoginTooLarge => "too many bytes before the login was over",
            Breach::ClearText => "password demanded in clear text over an unencrypted connection",
            Breach::Iterations => "too many SCRAM iterations demanded",
        })
    }
}

impl Error for Breach {}

impl Breach {
    /// The breach that an error is made of, if it is.
    pub(super) fn find(error: &(dyn Error + 'static)) -> Option<Breach> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(breach) = error.downcast_ref::<Breach>() {
                return Some(*breach);
            }
            // An `io::Error` gives its inner error's source as its own, not the inner error itself.
            let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            if let Some(breach) = inner.and_then(|inner| inner.downcast_ref::<Breach>()) {
                return Some(*breach);
            }
            next = error.source();
        }
        None
    }
}

/// Where the next byte stands.
enum At {
    /// The one byte that answers a request for TLS.
    Answer,
    /// TLS from here on: another watcher sits above it.
    Encrypted,
    /// In the five bytes of a message's type and length.
    Header { bytes: [u8; 5], seen: usize },
    /// In a message's body; login messages are kept.
    Body { left: usize, kept: Option<Vec<u8>> },
    /// Beyond a breach: nothing passes any more.
    Broken(Breach),
}

const HEADER: At = At::Header { bytes: [0; 5], seen: 0 };

/// What a server has sent so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Errors since the login.
    errors: AtomicU64,
    /// ReadyForQuery messages, that of the login among them.
    ready: AtomicU64,
    /// The last byte was in the midst of a message.
    midway: AtomicBool,
}

impl Seen {
    /// Errors since the login.
    pub(super) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Acquire)
    }

    /// ReadyForQuery messages, that of the login among them.
    pub(super) fn ready(&self) -> u64 {
        self.ready.load(Ordering::Acquire)
    }

    /// Whether more of a message must come.
    pub(super) fn is_midway(&self) -> bool {
        self.midway.load(Ordering::Acquire)
    }
}

/// The part that does not read: fed with bytes, it objects or does not.
struct Watch {
    at: At,
    seen: Arc<Seen>,
    login: bool,
    login_bytes: usize,
    encrypted: bool,
}

impl Watch {
    fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Breach> {
        if self.login {
            self.login_bytes += bytes.len();
            if self.login_bytes > LOGIN_TOTAL && !matches!(self.at, At::Encrypted) {
                return self.fail(Breach::LoginTooLarge);
            }
        }
        while !bytes.is_empty() {
            let used = match self.step(bytes) {
                Ok(used) => used,
                Err(breach) => return self.fail(breach),
            };
            bytes = &bytes[used..];
        }
        self.seen.midway.store(!matches!(self.at, At::Header { seen: 0, .. }), Ordering::Release);
        Ok(())
    }

    fn fail(&mut self, breach: Breach) -> Result<(), Breach> {
        self.at = At::Broken(breach);
        Err(breach)
    }

    /// Takes some of the bytes (at least one) and says how many.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, Breach> {
        match &mut self.at {
            At::Broken(breach) => Err(*breach),
            At::Encrypted => Ok(bytes.len()),
            At::Answer => {
                self.at = if bytes[0] == b'S' { At::Encrypted } else { HEADER };
                Ok(1)
            }
            At::Header { bytes: header, seen } => {
                let take = (header.len() - *seen).min(bytes.len());
                header[*seen..*seen + take].copy_from_slice(&bytes[..take]);
                *seen += take;
                if *seen == header.len() {
                    let header = *header;
                    self.begin(header)?;
                }
                Ok(take)
            }
            At::Body { left, kept } => {
                let take = (*left).min(bytes.len());
                *left -= take;
                if let Some(kept) = kept {
                    kept.extend_from_slice(&bytes[..take]);
                }
                if *left == 0 {
                    let kept = kept.take();
                    self.at = HEADER;
                    if let Some(body) = kept {
                        self.login_message(&body)?;
                    }
                }
                Ok(take)
            }
        }
    }

    /// A message begins: its type must be allowed now and its length within the type's bound.
    fn begin(&mut self, header: [u8; 5]) -> Result<(), Breach> {
        let [kind, length @ ..] = header;
        let left = usize::try_from(i32::from_be_bytes(length))
            .ok()
            .and_then(|length| length.checked_sub(4))
            .ok_or(Breach::Malformed)?;
        if self.login {
            if !b"RSKNEZv".contains(&kind) {
                return Err(Breach::Malformed);
            }
            if left > LOGIN_MESSAGE {
                return Err(Breach::LoginTooLarge);
            }
        } else if matches!(kind, b'd' | b'D') {
            if left > ROW_BYTES {
                return Err(Breach::RowTooLarge);
            }
        } else if left > OTHER_MESSAGE {
            return Err(Breach::Malformed);
        }
        if kind == b'E' && !self.login {
            self.seen.errors.fetch_add(1, Ordering::Release);
        }
        let kept = (self.login && kind == b'R').then(Vec::new);
        if kind == b'Z' {
            self.login = false;
            self.seen.ready.fetch_add(1, Ordering::Release);
        }
        self.at = match left {
            0 => HEADER,
            left => At::Body { left, kept },
        };
        Ok(())
    }

    /// An authentication message: code, then what belongs to it.
    fn login_message(&self, body: &[u8]) -> Result<(), Breach> {
        let Some((code, rest)) = body.split_first_chunk::<4>() else { return Err(Breach::Malformed) };
        match u32::from_be_bytes(*code) {
            // AuthenticationCleartextPassword
            3 if !self.encrypted => Err(Breach::ClearText),
            // AuthenticationSASLContinue: r=…,s=…,i=iterations
            11 => {
                let iterations = rest.split(|byte| *byte == b',').find_map(|part| part.strip_prefix(b"i="));
                let iterations = iterations.and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u64>().ok());
                match iterations {
                    Some(1..=SCRAM_ITERATIONS) => Ok(()),
                    Some(_) => Err(Breach::Iterations),
                    None => Err(Breach::Malformed),
                }
            }
            _ => Ok(()),
        }
    }
}

/// A stream that ends with an error where the server does what it must not. Writes pass.
pub(super) struct Frames<S> {
    inner: S,
    watch: Watch,
}

impl<S> Frames<S> {
    /// Over a socket. `asks`: the first byte answers a request for TLS.
    pub(super) fn plain(inner: S, asks: bool, seen: Arc<Seen>) -> Self {
        let at = if asks { At::Answer } else { HEADER };
        Frames { inner, watch: Watch { at, seen, login: true, login_bytes: 0, encrypted: false } }
    }

    /// Over TLS.
    pub(super) fn encrypted(inner: S, seen: Arc<Seen>) -> Self {
        Frames { inner, watch: Watch { at: HEADER, seen, login: true, login_bytes: 0, encrypted: true } }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Frames<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let fresh = &buf.filled()[before..];
        Poll::Ready(self.watch.feed(fresh).map_err(|breach| io::Error::new(io::ErrorKind::InvalidData, breach)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Frames<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Frames<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.inner.channel_binding()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&i32::try_from(body.len() + 4).unwrap().to_be_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    fn feed(asks: bool, encrypted: bool, bytes: &[u8], step: usize) -> Result<(), Breach> {
        let seen = Arc::default();
        let mut frames = if encrypted { Frames::encrypted((), seen) } else { Frames::plain((), asks, seen) };
        bytes.chunks(step).try_for_each(|chunk| frames.watch.feed(chunk))
    }

    #[test]
    fn a_login_and_rows_pass_in_pieces_of_any_size() {
        let mut bytes = b"N".to_vec();
        bytes.extend(message(b'R', &[0, 0, 0, 0]));
        bytes.extend(message(b'Z', b"I"));
        bytes.extend(message(b'd', &[7; 100_000]));
        bytes.extend(message(b'c', b""));
        for step in [1, 3, 4096, bytes.len()] {
            assert_eq!(feed(true, false, &bytes, step), Ok(()));
        }
        assert_eq!(feed(true, false, b"S\x16\x03\x01 anything", 1), Ok(()));
    }

    #[test]
    fn errors_are_counted_after_the_login() {
        let seen = Arc::<Seen>::default();
        let mut frames = Frames::plain((), false, Arc::clone(&seen));
        let bytes = [message(b'E', b"no"), message(b'Z', b"I"), message(b'd', b"E"), message(b'E', b"no")].concat();
        let (last, before) = bytes.split_last().unwrap();
        before.chunks(3).try_for_each(|chunk| frames.watch.feed(chunk)).unwrap();
        assert!(seen.is_midway());
        frames.watch.feed(&[*last]).unwrap();
        assert_eq!((seen.errors(), seen.ready(), seen.is_midway()), (1, 1, false));
    }

    #[test]
    fn hostile_servers_are_refused() {
        let code = |code: u32, rest: &[u8]| message(b'R', &[&code.to_be_bytes()[..], rest].concat());
        assert_eq!(feed(false, false, &code(3, b""), 2), Err(Breach::ClearText));
        assert_eq!(feed(false, true, &code(3, b""), 2), Ok(()));
        assert_eq!(feed(false, false, &code(11, b"r=x,s=eA==,i=4096"), 5), Ok(()));
        assert_eq!(feed(false, false, &code(11, b"r=x,s=eA==,i=2147483647"), 5), Err(Breach::Iterations));
        assert_eq!(feed(false, false, b"R\x00\x00\x00\x03", 1), Err(Breach::Malformed));
        assert_eq!(feed(false, false, b"R\xff\xff\xff\xff", 9), Err(Breach::Malformed));
        assert_eq!(feed(false, false, b"D\x00\x00\x00\x08", 9), Err(Breach::Malformed));
        assert_eq!(feed(false, false, b"E\x00\x10\x00\x00", 9), Err(Breach::LoginTooLarge));
        let mut bytes = message(b'Z', b"I");
        bytes.extend(b"D\x40\x00\x00\x00");
        assert_eq!(feed(false, false, &bytes, 99), Err(Breach::RowTooLarge));
        let notices: Vec<u8> = message(b'N', &[b'x'; 1000]).repeat(2000);
        assert_eq!(feed(false, false, &notices, 8192), Err(Breach::LoginTooLarge));
    }

    #[test]
    fn a_breach_is_found_inside_other_errors() {
        let error = io::Error::new(io::ErrorKind::InvalidData, Breach::ClearText);
        assert_eq!(Breach::find(&error), Some(Breach::ClearText));
        assert_eq!(Breach::find(&io::Error::other("else")), None);
    }
}
