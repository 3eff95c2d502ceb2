//! The send format of ranges and multiranges.
//! Must not know: what the bounds are.

use bytes::{BufMut, BytesMut};

use super::input::Input;
use crate::error::Result;
use crate::types::encoder::field_length;
use crate::types::format::FormatOptions;
use crate::types::forms::Send;
use crate::types::input::multirange;
use crate::types::input::range::{
    self, EMPTY, LOWER_INCLUSIVE, LOWER_INFINITE, UPPER_INCLUSIVE, UPPER_INFINITE, parse_range, write_bound,
};
use crate::types::pg_type::PgType;
use crate::types::receive::Receive;

/// Appends what `send` writes, its length before it.
fn sized(out: &mut BytesMut, send: impl FnOnce(&mut BytesMut) -> Result<()>) -> Result<()> {
    let start = out.len();
    out.put_i32(0);
    send(out)?;
    let length = field_length(out.len() - start - 4)?;
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

/// Sends a range that is held as its text.
pub(crate) fn send_text(text: &str, send: Send, out: &mut BytesMut) -> Result<()> {
    let range = parse_range(text)?;
    out.put_u8(range.flags);
    for bound in [range.lower, range.upper].into_iter().flatten() {
        sized(out, |out| send(&bound, out))?;
    }
    Ok(())
}

/// Sends a multirange that is held as its text.
pub(crate) fn send_multirange(text: &str, send: Send, out: &mut BytesMut) -> Result<()> {
    let ranges = multirange::split(text)?;
    out.put_i32(field_length(ranges.len())?);
    for range in ranges {
        sized(out, |out| send_text(range, send, out))?;
    }
    Ok(())
}

/// Appends the text of a range as it was sent, in the form PostgreSQL holds.
pub(crate) fn receive_text(input: &mut Input<'_>, bound: PgType, receive: Receive, out: &mut BytesMut) -> Result<()> {
    let mut text = BytesMut::new();
    raw_text(input, receive, &mut text)?;
    range::write_canonical(bound, &String::from_utf8_lossy(&text), &FormatOptions::default(), out)
}

/// Appends the text of a multirange as it was sent, in the form PostgreSQL holds.
pub(crate) fn receive_multirange(
    input: &mut Input<'_>,
    bound: PgType,
    receive: Receive,
    out: &mut BytesMut,
) -> Result<()> {
    let count = input.i32()?;
    let mut text = BytesMut::new();
    text.put_u8(b'{');
    for at in 0..count {
        if at > 0 {
            text.put_u8(b',');
        }
        receive_text(&mut input.sized()?, bound, receive, &mut text)?;
    }
    text.put_u8(b'}');
    input.end_of_message()?;
    multirange::write_canonical(bound, &String::from_utf8_lossy(&text), &FormatOptions::default(), out)
}

/// Appends the text of a range with its bounds as they were sent.
fn raw_text(input: &mut Input<'_>, receive: Receive, out: &mut BytesMut) -> Result<()> {
    let flags = input.u8()?;
    let mut bound = |infinite: u8, out: &mut BytesMut| -> Result<()> {
        if flags & (infinite | EMPTY) != 0 {
            return Ok(());
        }
        let mut text = BytesMut::new();
        // PostgreSQL does not look at what is behind a bound's value.
        receive(&mut input.sized()?, &mut text)?;
        write_bound(&text, out);
        Ok(())
    };
    let start = out.len();
    out.put_u8(if flags & LOWER_INCLUSIVE != 0 { b'[' } else { b'(' });
    bound(LOWER_INFINITE, out)?;
    out.put_u8(b',');
    bound(UPPER_INFINITE, out)?;
    out.put_u8(if flags & UPPER_INCLUSIVE != 0 { b']' } else { b')' });
    if flags & EMPTY != 0 {
        out.truncate(start);
        out.extend_from_slice(b"empty");
    }
    input.end_of_message()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::forms::sender;
    use crate::types::receive::receiver;

    fn there_and_back(pg: PgType, text: &str) -> String {
        let (mut sent, mut out) = (BytesMut::new(), BytesMut::new());
        sender(pg).unwrap()(text, &mut sent).unwrap();
        receiver(pg).unwrap()(&mut Input::new(&sent), &mut out).unwrap();
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn ranges() {
        for (pg, text) in [
            (PgType::INT4RANGE, "[1,5)"),
            (PgType::INT4RANGE, "(,5)"),
            (PgType::INT4RANGE, "empty"),
            (PgType::NUMRANGE, "[1.0,2]"),
            (PgType::TSRANGE, "[\"2020-01-01 00:00:00\",)"),
            (PgType::DATERANGE, "(,)"),
            (PgType::new(4451), "{}"),
            (PgType::new(4451), "{[1,2),[4,)}"),
            (PgType::new(4533), "{[\"2020-01-01 00:00:00\",infinity]}"),
        ] {
            assert_eq!(there_and_back(pg, text), text);
        }
    }

    #[test]
    fn what_is_sent_is_brought_to_the_form_that_is_held() {
        let received = |pg: PgType, bytes: &[u8]| {
            let mut out = BytesMut::new();
            receiver(pg).unwrap()(&mut Input::new(bytes), &mut out).map(|()| String::from_utf8(out.to_vec()).unwrap())
        };
        // [1,1] with a flag that has no meaning.
        let one = [&[0x86][..], &[0, 0, 0, 4, 0, 0, 0, 1].repeat(2)].concat();
        assert_eq!(received(PgType::INT4RANGE, &one).unwrap(), "[1,2)");
        let two = [&[0, 0, 0, 2][..], &[&[0, 0, 0, 17][..], &one].concat().repeat(2)].concat();
        assert_eq!(received(PgType::new(4451), &two).unwrap(), "{[1,2)}");
        for bytes in [&[2, 0, 0, 0, 9][..], &[], &[1, 0], &[2, 0xff, 0xff, 0xff, 0xff]] {
            assert!(received(PgType::INT4RANGE, bytes).is_err(), "{bytes:?}");
        }
        assert!(received(PgType::new(4451), &[0x7f, 0xff, 0xff, 0xff]).is_err());
    }
}
