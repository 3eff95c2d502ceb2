//! A client that bears everything: it writes to a server that is gone, and tells silence from a closed connection.
//! Must not know: what is tested.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::raw::Message;

/// A connection.
pub(crate) struct Peer {
    stream: TcpStream,
    buffer: Vec<u8>,
    closed: bool,
}

/// What came.
pub(crate) enum Came {
    Message(Message),
    /// The server has closed the connection.
    Closed,
    /// Nothing came for as long as was waited.
    Silence,
}

impl Peer {
    /// A connection on which nothing was said yet.
    pub(crate) fn open(port: u16, patience: Duration) -> Peer {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(patience)).unwrap();
        stream.set_write_timeout(Some(patience)).unwrap();
        stream.set_nodelay(true).unwrap();
        Peer { stream, buffer: Vec::new(), closed: false }
    }

    /// How long silence may last from now on.
    pub(crate) fn patience(&self, patience: Duration) {
        self.stream.set_read_timeout(Some(patience)).unwrap();
    }

    /// Logs in as `ana` with these parameters beside user and database; what came up to ReadyForQuery or the end.
    pub(crate) fn login(&mut self, parameters: &[(String, String)]) -> Vec<Message> {
        let mut body = 196_608_i32.to_be_bytes().to_vec();
        body.extend_from_slice(b"user\0ana\0database\0tusk\0");
        for (name, value) in parameters {
            body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
        }
        body.push(0);
        self.send(&[&((body.len() + 4) as i32).to_be_bytes()[..], &body].concat());
        let mut came = Vec::new();
        while let Came::Message(message) = self.next() {
            let last = message.tag == b'Z';
            came.push(message);
            if last {
                break;
            }
        }
        came
    }

    /// Sends; a server that has closed already is seen when its answer is read. Whether all was taken.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends no more.
    pub(crate) fn leave(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Goes away with a reset.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// The one byte that answers a request for encryption; what came instead of it stays to be read.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(1) if byte == *b"E" => {
                self.buffer.push(byte[0]);
                None
            }
            Ok(1) => Some(byte[0]),
            _ => None,
        }
    }

    /// The next message.
    pub(crate) fn next(&mut self) -> Came {
        loop {
            if let Some(message) = self.cut() {
                return Came::Message(message);
            }
            if self.closed {
                return Came::Closed;
            }
            let mut chunk = [0; 65_536];
            match self.stream.read(&mut chunk) {
                Ok(0) => self.closed = true,
                Ok(read) => self.buffer.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Came::Silence;
                }
                Err(_) => self.closed = true,
            }
        }
    }

    fn cut(&mut self) -> Option<Message> {
        let length = u32::from_be_bytes(self.buffer.get(1..5)?.try_into().unwrap()) as usize;
        if self.buffer.len() <= length {
            return None;
        }
        let rest = self.buffer.split_off(length + 1);
        let whole = std::mem::replace(&mut self.buffer, rest);
        Some(Message { tag: whole[0], body: whole[5..].to_vec() })
    }
}
