//! What a server has said to the relay and nobody has taken yet, cut into messages.
//! Must not know: sockets, what messages are for.

use std::io;

use bytes::{Buf, Bytes, BytesMut};

/// Type and length of a message.
const HEADER: usize = 5;
/// Bytes of notices that are kept for who asks for them; more are forgotten.
const MOST_NOTICES: usize = 1 << 20;

/// What came.
pub(super) enum Heard {
    /// So many rows: DataRow messages, as they are.
    Rows(Bytes, u64),
    /// Another message: its type and its body.
    Message(u8, Bytes),
}

/// What was read and not taken.
#[derive(Default)]
pub(super) struct Inbox {
    bytes: BytesMut,
    /// Bodies of notices that nobody has asked for yet.
    notices: Vec<Bytes>,
    /// Bytes of those.
    noticed: usize,
}

impl Inbox {
    /// Where what is read goes, with room for at least so many bytes more; if there is less, room for `wanted` is made.
    pub(super) fn room(&mut self, least: usize, wanted: usize) -> &mut BytesMut {
        if self.bytes.capacity() - self.bytes.len() < least {
            self.bytes.reserve(wanted);
        }
        &mut self.bytes
    }

    /// Bytes that wait to be cut.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether everything was taken.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes the next message; rows as many as there are, if they have so many columns. `None`: more must come.
    ///
    /// # Errors
    /// Rows of another width; bytes that are no message.
    pub(super) fn cut(&mut self, width: Option<u16>) -> io::Result<Option<Heard>> {
        loop {
            let (mut end, mut rows) = (0, 0);
            while let Some((b'D', length)) = message(&self.bytes[end..])? {
                if width.is_some_and(|width| !is_row(&self.bytes[end + HEADER..end + length], width)) {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a malformed row"));
                }
                end += length;
                rows += 1;
            }
            if rows > 0 {
                return Ok(Some(Heard::Rows(self.bytes.split_to(end).freeze(), rows)));
            }
            if self.skim()? {
                continue;
            }
            let Some((kind, length)) = message(&self.bytes)? else { return Ok(None) };
            let mut body = self.bytes.split_to(length);
            body.advance(HEADER);
            return Ok(Some(Heard::Message(kind, body.freeze())));
        }
    }

    /// Passes over notifications and variables, which are for nobody here, and puts notices aside. Whether there were any.
    ///
    /// # Errors
    /// Bytes that are no message.
    pub(super) fn skim(&mut self) -> io::Result<bool> {
        let before = self.bytes.len();
        while let Some((kind @ (b'N' | b'A' | b'S'), length)) = message(&self.bytes)? {
            let said = self.bytes.split_to(length);
            if kind == b'N' && self.noticed + length <= MOST_NOTICES {
                self.noticed += length;
                // Of its own: it would hold everything that was read with it.
                self.notices.push(Bytes::copy_from_slice(&said[HEADER..]));
            }
        }
        Ok(self.bytes.len() < before)
    }

    /// Takes the notices.
    pub(super) fn notices(&mut self) -> Vec<Bytes> {
        self.noticed = 0;
        std::mem::take(&mut self.notices)
    }
}

/// Whether the body of a message is a row of so many columns.
fn is_row(body: &[u8], width: u16) -> bool {
    let Some((columns, mut values)) = body.split_first_chunk::<2>() else { return false };
    for _ in 0..u16::from_be_bytes(*columns) {
        let Some((length, rest)) = values.split_first_chunk::<4>() else { return false };
        let length = i32::from_be_bytes(*length);
        // NULL has a length of -1.
        let Ok(length) = usize::try_from(if length == -1 { 0 } else { length }) else { return false };
        let Some(rest) = rest.get(length..) else { return false };
        values = rest;
    }
    values.is_empty() && u16::from_be_bytes(*columns) == width
}

/// The type and the length of the message that bytes begin with, if all of it is there.
fn message(bytes: &[u8]) -> io::Result<Option<(u8, usize)>> {
    let Some((&[kind, a, b, c, d], _)) = bytes.split_first_chunk::<HEADER>() else { return Ok(None) };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if length < 4 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message without a length"));
    }
    Ok((bytes.len() > length).then_some((kind, length + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbox(bytes: &[u8]) -> Inbox {
        Inbox { bytes: bytes.into(), ..Inbox::default() }
    }

    #[test]
    fn messages_are_cut_where_they_end() {
        let row = [&b"D\0\0\0\x0b\0\x01\0\0\0\x01x"[..], &b"D\0\0\0\x0b\0\x01\0\0\0\x01y"[..]].concat();
        let mut heard = inbox(b"N\0\0\0\x05!");
        heard.bytes.extend_from_slice(&row[..15]);
        assert!(matches!(heard.cut(Some(1)), Ok(Some(Heard::Rows(bytes, 1))) if bytes.len() == 12));
        assert!(matches!(heard.cut(Some(1)), Ok(None)));
        heard.bytes.extend_from_slice(&row[15..]);
        heard.bytes.extend_from_slice(b"C\0\0\0\x0dSELECT 2\0Z\0\0\0\x05I");
        assert!(matches!(heard.cut(Some(1)), Ok(Some(Heard::Rows(_, 1)))));
        assert!(matches!(heard.cut(None), Ok(Some(Heard::Message(b'C', body))) if &body[..] == b"SELECT 2\0"));
        assert!(matches!(heard.cut(None), Ok(Some(Heard::Message(b'Z', _)))) && heard.is_empty());
        heard.bytes.extend_from_slice(&row);
        assert!(heard.cut(Some(2)).is_err(), "a row of another width");
        for bad in [
            &b"D\0\0\0\x0b\0\x01\0\0\0\x02x"[..],
            b"D\0\0\0\x0b\0\x01\xff\0\0\0x",
            b"D\0\0\0\x05\0",
            b"D\0\0\0\x0c\0\x01\0\0\0\x01xy",
        ] {
            assert!(inbox(bad).cut(Some(1)).is_err(), "{bad:?}");
        }
        assert!(message(b"C\0\0\0\x03").is_err() && matches!(message(b"C\0\0"), Ok(None)));
    }

    #[test]
    fn notices_are_put_aside_within_bounds() {
        let mut heard = inbox(b"N\0\0\0\x05!S\0\0\0\x05?N\0\0\0\x05.Z\0\0\0\x05I");
        assert!(matches!(heard.cut(None), Ok(Some(Heard::Message(b'Z', _)))));
        assert_eq!(heard.notices(), [&b"!"[..], b"."]);
        assert!(heard.notices().is_empty());
        let long = [&b"N\0\0\x10\0"[..], &[b'x'; 4092]].concat();
        for _ in 0..400 {
            heard.bytes.extend_from_slice(&long);
            assert!(heard.skim().unwrap());
        }
        assert!(heard.notices().len() < 300);
    }
}
