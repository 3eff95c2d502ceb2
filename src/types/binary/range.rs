//! The text and the send format of ranges.
//! Must not know: what the bounds are.

use bytes::{BufMut, BytesMut};

use super::bad_binary;
use crate::error::{Error, Result, SqlState};
use crate::types::encoder::field_length;
use crate::types::forms::{Receive, Send};

const EMPTY: u8 = 0x01;
const LOWER_INCLUSIVE: u8 = 0x02;
const UPPER_INCLUSIVE: u8 = 0x04;
const LOWER_INFINITE: u8 = 0x08;
const UPPER_INFINITE: u8 = 0x10;

/// A range's text taken apart; None for a bound that is infinite.
struct RangeText {
    flags: u8,
    lower: Option<String>,
    upper: Option<String>,
}

fn malformed(text: &str, detail: &str) -> Error {
    Error::client(SqlState::INVALID_TEXT_REPRESENTATION, format!("malformed range literal: \"{text}\""))
        .with_detail(detail)
}

fn parse(text: &str) -> Result<RangeText> {
    let body = text.trim();
    if body.eq_ignore_ascii_case("empty") {
        return Ok(RangeText { flags: EMPTY, lower: None, upper: None });
    }
    let mut chars = body.chars().peekable();
    let mut flags = match chars.next() {
        Some('[') => LOWER_INCLUSIVE,
        Some('(') => 0,
        _ => return Err(malformed(text, "Missing left parenthesis or bracket.")),
    };
    let mut bounds = [None, None];
    let mut last = None;
    for (at, slot) in bounds.iter_mut().enumerate() {
        let mut bound = String::new();
        let (mut quoted, mut inside) = (false, false);
        loop {
            match chars.next() {
                None => return Err(malformed(text, "Unexpected end of input.")),
                Some('\\') => bound.extend(chars.next()),
                Some('"') if inside && chars.peek() == Some(&'"') => {
                    chars.next();
                    bound.push('"');
                }
                Some('"') => (inside, quoted) = (!inside, true),
                Some(c @ (',' | ']' | ')')) if !inside => {
                    last = Some(c);
                    break;
                }
                Some(c) => bound.push(c),
            }
        }
        if (at == 0) != (last == Some(',')) {
            return Err(malformed(text, if at == 0 { "Missing comma after lower bound." } else { "Too many commas." }));
        }
        *slot = (quoted || !bound.is_empty()).then_some(bound);
    }
    if chars.next().is_some() {
        return Err(malformed(text, "Junk after right parenthesis or bracket."));
    }
    if last == Some(']') {
        flags |= UPPER_INCLUSIVE;
    }
    let [lower, upper] = bounds;
    // A bound that is not there is never inclusive.
    if lower.is_none() {
        flags = (flags & !LOWER_INCLUSIVE) | LOWER_INFINITE;
    }
    if upper.is_none() {
        flags = (flags & !UPPER_INCLUSIVE) | UPPER_INFINITE;
    }
    Ok(RangeText { flags, lower, upper })
}

/// Sends a range that is held as its text.
pub(crate) fn send_text(text: &str, send: Send, out: &mut BytesMut) -> Result<()> {
    let range = parse(text)?;
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

/// Appends a bound, in quotes where PostgreSQL puts them.
fn write_bound(text: &[u8], out: &mut BytesMut) {
    let special = |b: &u8| matches!(b, b'"' | b'\\' | b'(' | b')' | b'[' | b']' | b',') || b.is_ascii_whitespace();
    if !text.is_empty() && !text.iter().any(special) {
        return out.extend_from_slice(text);
    }
    out.put_u8(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(*byte);
        }
        out.put_u8(*byte);
    }
    out.put_u8(b'"');
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
