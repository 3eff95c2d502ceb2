//! The send format of ranges.
//! Must not know: what the bounds are.

use bytes::{BufMut, BytesMut};

use super::bad_binary;
use crate::error::Result;
use crate::types::encoder::field_length;
use crate::types::forms::{Receive, Send};
use crate::types::input::range::{
    EMPTY, LOWER_INCLUSIVE, LOWER_INFINITE, UPPER_INCLUSIVE, UPPER_INFINITE, parse_range, write_bound,
};

/// Sends a range that is held as its text.
pub(crate) fn send_text(text: &str, send: Send, out: &mut BytesMut) -> Result<()> {
    let range = parse_range(text)?;
    out.put_u8(range.flags);
    for bound in [range.lower, range.upper].into_iter().flatten() {
        let start = out.len();
        out.put_i32(0);
        send(&bound, out)?;
        let length = field_length(out.len() - start - 4)?;
        if let Some(place) = out.get_mut(start..start + 4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }
    Ok(())
}

/// Appends the text of a range as it was sent.
pub(crate) fn receive_text(bytes: &[u8], receive: Receive, out: &mut BytesMut) -> Result<()> {
    let (flags, mut rest) = bytes.split_first().ok_or_else(|| bad_binary("range"))?;
    if flags & !0x1f != 0 {
        return Err(bad_binary("range"));
    }
    if flags & EMPTY != 0 {
        out.extend_from_slice(b"empty");
        return if rest.is_empty() { Ok(()) } else { Err(bad_binary("range")) };
    }
    out.put_u8(if flags & LOWER_INCLUSIVE != 0 { b'[' } else { b'(' });
    for (infinite, end) in [(LOWER_INFINITE, b','), (UPPER_INFINITE, b')')] {
        if flags & infinite == 0 {
            let (length, tail) = rest.split_at_checked(4).ok_or_else(|| bad_binary("range"))?;
            let length = i32::from_be_bytes(super::scalar::exact(length, "range")?);
            let length = usize::try_from(length).map_err(|_| bad_binary("range"))?;
            let (bound, tail) = tail.split_at_checked(length).ok_or_else(|| bad_binary("range"))?;
            let mut text = BytesMut::new();
            receive(bound, &mut text)?;
            write_bound(&text, out);
            rest = tail;
        }
        out.put_u8(if end == b')' && flags & UPPER_INCLUSIVE != 0 { b']' } else { end });
    }
    if rest.is_empty() { Ok(()) } else { Err(bad_binary("range")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::forms::{receiver, sender};
    use crate::types::pg_type::PgType;

    #[test]
    fn ranges() {
        for (pg, text) in [
            (PgType::INT4RANGE, "[1,5)"),
            (PgType::INT4RANGE, "(,5)"),
            (PgType::INT4RANGE, "empty"),
            (PgType::NUMRANGE, "[1.0,2]"),
            (PgType::TSRANGE, "[\"2020-01-01 00:00:00\",)"),
            (PgType::DATERANGE, "(,)"),
        ] {
            let (mut sent, mut out) = (BytesMut::new(), BytesMut::new());
            sender(pg).unwrap()(text, &mut sent).unwrap();
            receiver(pg).unwrap()(&sent, &mut out).unwrap();
            assert_eq!(out, text);
        }
        assert!(receiver(PgType::INT4RANGE).unwrap()(&[2, 0, 0, 0, 9], &mut BytesMut::new()).is_err());
    }
}
