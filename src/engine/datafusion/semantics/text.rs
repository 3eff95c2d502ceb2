//! What PostgreSQL's text functions do to one text. Characters are counted, not bytes.
//! Must not know: arrays, DataFusion.

use unicode_normalization::{UnicodeNormalization, is_nfc, is_nfd, is_nfkc, is_nfkd};

use crate::error::{Error, Result, SqlState};

/// The longest text that a function makes: 64 MiB.
pub(super) const MAX_BYTES: usize = 64 * 1024 * 1024;

fn byte_at(text: &str, character: usize) -> usize {
    text.char_indices().nth(character).map_or(text.len(), |(at, _)| at)
}

/// `substring(text from start for length)`; characters from 1, positions before the text count.
pub(super) fn substring(text: &str, start: i32, length: Option<i32>) -> Result<String> {
    let start = i64::from(start);
    let end = match length {
        None => i64::MAX,
        Some(length) if length < 0 => {
            return Err(Error::client(SqlState::SUBSTRING_ERROR, "negative substring length not allowed"));
        }
        Some(length) => start + i64::from(length),
    };
    if end < 1 {
        return Ok(String::new());
    }
    let from = byte_at(text, usize::try_from(start.max(1) - 1).unwrap_or(usize::MAX));
    let to = if end == i64::MAX { text.len() } else { byte_at(text, usize::try_from(end - 1).unwrap_or(usize::MAX)) };
    Ok(text.get(from..to).unwrap_or("").to_owned())
}

/// `left(text, n)`: the first n characters, all but the last -n for a negative n.
pub(super) fn left(text: &str, n: i32) -> String {
    let keep = if n >= 0 { n as usize } else { text.chars().count().saturating_sub(n.unsigned_abs() as usize) };
    text.get(..byte_at(text, keep)).unwrap_or("").to_owned()
}

/// `right(text, n)`: the last n characters, all but the first -n for a negative n.
pub(super) fn right(text: &str, n: i32) -> String {
    let skip = if n >= 0 { text.chars().count().saturating_sub(n as usize) } else { n.unsigned_abs() as usize };
    text.get(byte_at(text, skip)..).unwrap_or("").to_owned()
}

/// `btrim`, `ltrim`, `rtrim`: without any of these characters at the ends.
pub(super) fn trim(text: &str, characters: &str, left: bool, right: bool) -> String {
    let wanted = |c: char| characters.contains(c);
    let text = if left { text.trim_start_matches(wanted) } else { text };
    let text = if right { text.trim_end_matches(wanted) } else { text };
    text.to_owned()
}

/// `lpad` and `rpad`: filled or cut to so many characters.
pub(super) fn pad(text: &str, length: i32, fill: &str, left: bool) -> Result<String> {
    let length = usize::try_from(length).unwrap_or(0);
    let has = text.chars().count();
    if has >= length || fill.is_empty() {
        return Ok(text.get(..byte_at(text, length)).unwrap_or("").to_owned());
    }
    if length.saturating_mul(4) > MAX_BYTES {
        return Err(Error::resource(SqlState::PROGRAM_LIMIT_EXCEEDED, "requested length too large"));
    }
    let filling: String = fill.chars().cycle().take(length - has).collect();
    Ok(if left { filling + text } else { format!("{text}{filling}") })
}

/// `position`: where a text first stands in another, in characters from 1; 0 for nowhere.
pub(super) fn position(text: &str, wanted: &str) -> i32 {
    text.find(wanted).and_then(|at| text.get(..at)).map_or(0, |before| before.chars().count() as i32 + 1)
}

/// `overlay(text placing new from start for length)`.
pub(super) fn overlay(text: &str, new: &str, start: i32, length: i32) -> Result<String> {
    if start <= 0 {
        return Err(Error::client(SqlState::SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let after = start
        .checked_add(length)
        .ok_or_else(|| Error::client(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))?;
    let head = substring(text, 1, Some(start - 1))?;
    let tail = substring(text, after, None)?;
    Ok([head.as_str(), new, tail.as_str()].concat())
}

/// `split_part`: the nth field from 1, from the end for a negative n.
pub(super) fn split_part(text: &str, separator: &str, n: i32) -> Result<String> {
    if n == 0 {
        return Err(Error::client(SqlState::INVALID_PARAMETER_VALUE, "field position must not be zero"));
    }
    if text.is_empty() {
        return Ok(String::new());
    }
    if separator.is_empty() {
        return Ok(if n == 1 || n == -1 { text.to_owned() } else { String::new() });
    }
    let at = n.unsigned_abs() as usize - 1;
    let found = if n > 0 { text.split(separator).nth(at) } else { text.rsplit(separator).nth(at) };
    // From the end, PostgreSQL still cuts the fields from the front: overlapping separators differ.
    if n < 0 {
        let fields: Vec<&str> = text.split(separator).collect();
        return Ok(fields.len().checked_sub(at + 1).and_then(|i| fields.get(i)).unwrap_or(&"").to_string());
    }
    Ok(found.unwrap_or("").to_owned())
}

/// `translate`: each character of `from` becomes the one at its place in `to`, or nothing.
pub(super) fn translate(text: &str, from: &str, to: &str) -> String {
    let to: Vec<char> = to.chars().collect();
    text.chars()
        .filter_map(|c| match from.chars().position(|f| f == c) {
            None => Some(c),
            Some(at) => to.get(at).copied(),
        })
        .collect()
}

fn no_form(form: &str) -> Error {
    Error::client(SqlState::INVALID_PARAMETER_VALUE, format!("invalid normalization form: {form}"))
}

/// `normalize`: a text in one of Unicode's normal forms.
pub(super) fn normalize(text: &str, form: &str) -> Result<String> {
    Ok(match form.to_ascii_lowercase().as_str() {
        "nfc" => text.nfc().collect(),
        "nfd" => text.nfd().collect(),
        "nfkc" => text.nfkc().collect(),
        "nfkd" => text.nfkd().collect(),
        _ => return Err(no_form(form)),
    })
}

/// `IS NORMALIZED`.
pub(super) fn is_normalized(text: &str, form: &str) -> Result<bool> {
    match form.to_ascii_lowercase().as_str() {
        "nfc" => Ok(is_nfc(text)),
        "nfd" => Ok(is_nfd(text)),
        "nfkc" => Ok(is_nfkc(text)),
        "nfkd" => Ok(is_nfkd(text)),
        _ => Err(no_form(form)),
    }
}

/// `chr`.
pub(super) fn chr(code: i32) -> Result<String> {
    let wrong = |text: &str| Err(Error::client(SqlState::PROGRAM_LIMIT_EXCEEDED, text));
    match u32::try_from(code) {
        Err(_) => wrong("character number must be positive"),
        Ok(0) => wrong("null character not permitted"),
        Ok(code) => match char::from_u32(code) {
            Some(c) => Ok(c.to_string()),
            None => wrong(&format!("requested character not valid for encoding: {code}")),
        },
    }
}

/// `quote_literal`.
pub(super) fn quote_literal(text: &str) -> String {
    let body = text.replace('\'', "''").replace('\\', "\\\\");
    if text.contains('\\') { format!("E'{body}'") } else { format!("'{body}'") }
}
