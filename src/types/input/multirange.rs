//! Reads multiranges: the ranges in their text, and the form that PostgreSQL holds.
//! Must not know: Arrow, the send format.

use bytes::{BufMut, BytesMut};

use super::number::is_space;
use super::range::{Range, rewrite_range};
use crate::error::{Error, Result, SqlState};
use crate::types::format::FormatOptions;
use crate::types::pg_type::PgType;

fn malformed(text: &str, detail: &str) -> Error {
    Error::client(SqlState::INVALID_TEXT_REPRESENTATION, format!("malformed multirange literal: \"{text}\""))
        .with_detail(detail)
}

/// The texts of the ranges in `{[1,2),[4,5)}`, as they stand there.
pub(crate) fn split(text: &str) -> Result<Vec<&str>> {
    let mut ranges = Vec::new();
    each(text, |range| {
        ranges.push(range);
        Ok(())
    })?;
    Ok(ranges)
}

/// Calls for each range, before what follows it is looked at.
fn each<'a>(text: &'a str, mut found: impl FnMut(&'a str) -> Result<()>) -> Result<()> {
    let bytes = text.as_bytes();
    let blanks = |mut at: usize| {
        while bytes.get(at).copied().is_some_and(is_space) {
            at += 1;
        }
        at
    };
    let mut at = blanks(0);
    if bytes.get(at) != Some(&b'{') {
        return Err(malformed(text, "Missing left brace."));
    }
    at = blanks(at + 1);
    let mut first = true;
    while !(first && bytes.get(at) == Some(&b'}')) {
        first = false;
        let end = range_end(text, at)?;
        found(text.get(at..end).unwrap_or_default())?;
        at = blanks(end);
        match bytes.get(at) {
            Some(b',') => at = blanks(at + 1),
            Some(b'}') => break,
            None => return Err(malformed(text, "Unexpected end of input.")),
            Some(_) => return Err(malformed(text, "Expected comma or end of multirange.")),
        }
    }
    if blanks(at + 1) < bytes.len() {
        return Err(malformed(text, "Junk after closing right brace."));
    }
    Ok(())
}

/// Where a range ends that begins at `start`.
fn range_end(text: &str, start: usize) -> Result<usize> {
    let bytes = text.as_bytes();
    let rest = bytes.get(start..).unwrap_or_default();
    if rest.get(..5).is_some_and(|word| word.eq_ignore_ascii_case(b"empty")) {
        return Ok(start + 5);
    }
    match rest.first() {
        None => return Err(malformed(text, "Unexpected end of input.")),
        Some(b'[' | b'(') => {}
        Some(_) => return Err(malformed(text, "Expected range start.")),
    }
    let (mut at, mut quoted) = (start + 1, false);
    loop {
        match bytes.get(at) {
            None => return Err(malformed(text, "Unexpected end of input.")),
            Some(b'\\') => at += 1,
            Some(b'"') => quoted = !quoted,
            Some(b']' | b')') if !quoted => return Ok(at + 1),
            Some(_) => {}
        }
        at += 1;
    }
}

/// Appends the text PostgreSQL holds for a multirange: its ranges in order, those that touch as one, no empty ones.
pub(crate) fn write_canonical(bound: PgType, text: &str, options: &FormatOptions, out: &mut BytesMut) -> Result<()> {
    let mut ranges = Vec::new();
    each(text, |range| {
        ranges.extend(Range::parse(bound, range, options)?);
        Ok(())
    })?;
    ranges.sort_by(|a, b| a.begins(b).then(a.ends(b)));
    let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if last.reaches(&range) => last.extend(range),
            _ => merged.push(range),
        }
    }
    out.put_u8(b'{');
    for (at, range) in merged.iter().enumerate() {
        if at > 0 {
            out.put_u8(b',');
        }
        range.write(bound, out);
    }
    out.put_u8(b'}');
    Ok(())
}

/// Appends a multirange's text with each of its bounds written anew.
pub(crate) fn rewrite(
    text: &str,
    out: &mut BytesMut,
    mut write: impl FnMut(&str, &mut BytesMut) -> Result<()>,
) -> Result<()> {
    out.put_u8(b'{');
    for (at, range) in split(text)?.into_iter().enumerate() {
        if at > 0 {
            out.put_u8(b',');
        }
        rewrite_range(range, out, &mut write)?;
    }
    out.put_u8(b'}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiranges_as_postgresql_holds_them() {
        let shown = |bound: PgType, text: &str| {
            let mut out = BytesMut::new();
            let written = write_canonical(bound, text, &FormatOptions::default(), &mut out);
            written
                .map(|()| String::from_utf8(out.to_vec()).unwrap())
                .map_err(|error| error.detail().map(str::to_owned))
        };
        for (bound, text, expected) in [
            (PgType::INT4, " { } ", "{}"),
            (PgType::INT4, "{[5,6], (1,2] ,empty}", "{[2,3),[5,7)}"),
            (PgType::INT4, "{[1,2],[3,4]}", "{[1,5)}"),
            (PgType::INT4, "{[1,10),[2,3)}", "{[1,10)}"),
            (PgType::INT4, "{[1,),(,1)}", "{(,)}"),
            (PgType::NUMERIC, "{[1,2),(2,3)}", "{[1,2),(2,3)}"),
            (PgType::NUMERIC, "{[1,2],(2,3)}", "{[1,3)}"),
            (PgType::DATE, "{[2020-01-01,\"2020-01-05\"]}", "{[2020-01-01,2020-01-06)}"),
        ] {
            assert_eq!(shown(bound, text).as_deref(), Ok(expected), "{text}");
        }
        for (text, detail) in [
            ("[1,2)", "Missing left brace."),
            ("{1,2}", "Expected range start."),
            ("{[1,2)", "Unexpected end of input."),
            ("{[1,2)x}", "Expected comma or end of multirange."),
            ("{[1,2)}x", "Junk after closing right brace."),
        ] {
            assert_eq!(shown(PgType::INT4, text), Err(Some(detail.to_owned())), "{text}");
        }
    }
}
