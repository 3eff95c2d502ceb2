//! Reads bytea, uuid and bit strings as PostgreSQL's input functions do.
//! Must not know: Arrow.

use super::number::invalid;
use crate::error::{Error, Result, SqlState};

fn hex_digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|d| d as u8)
}

/// Reads the text of a bytea, hex or escaped.
pub(crate) fn parse_bytea(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix("\\x") {
        Some(hex) => parse_hex(hex),
        None => parse_escaped(text.as_bytes()),
    }
}

fn parse_hex(hex: &str) -> Result<Vec<u8>> {
    let refuse = |message: String| Err(Error::client(SqlState::INVALID_PARAMETER_VALUE, message));
    let mut bytes = Vec::with_capacity(hex.len() / 2);
    let mut high = None;
    for c in hex.chars() {
        if matches!(c, ' ' | '\t' | '\n' | '\r') && high.is_none() {
            continue;
        }
        let Some(digit) = c.to_digit(16).map(|d| d as u8) else {
            return refuse(format!("invalid hexadecimal digit: \"{c}\""));
        };
        match high.take() {
            None => high = Some(digit),
            Some(tens) => bytes.push(tens << 4 | digit),
        }
    }
    if high.is_some() {
        return refuse("invalid hexadecimal data: odd number of digits".to_owned());
    }
    Ok(bytes)
}

fn parse_escaped(mut text: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    while let [first, rest @ ..] = text {
        text = match (first, rest) {
            (b'\\', [b'\\', tail @ ..]) => {
                bytes.push(b'\\');
                tail
            }
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                tail
            }
            (b'\\', _) => {
                let message = "invalid input syntax for type bytea";
                return Err(Error::client(SqlState::INVALID_TEXT_REPRESENTATION, message));
            }
            _ => {
                bytes.push(*first);
                rest
            }
        };
    }
    Ok(bytes)
}

/// Reads a uuid: 32 hex digits, braces around them, a dash after any group of four.
pub(crate) fn parse_uuid(text: &str) -> Result<[u8; 16]> {
    read_uuid(text.as_bytes()).ok_or_else(|| invalid("uuid", text))
}

fn read_uuid(text: &[u8]) -> Option<[u8; 16]> {
    let mut rest = match text {
        [b'{', inner @ .., b'}'] => inner,
        _ => text,
    };
    let mut bytes = [0u8; 16];
    for (at, place) in bytes.iter_mut().enumerate() {
        let [high, low, tail @ ..] = rest else { return None };
        *place = hex_digit(*high)? << 4 | hex_digit(*low)?;
        rest = match tail {
            [b'-', after @ ..] if at % 2 == 1 && at < 15 => after,
            _ => tail,
        };
    }
    rest.is_empty().then_some(bytes)
}

/// Reads a bit string (`101`, `b101`, `x1F`) as digits `0` and `1`.
pub(crate) fn parse_bits(text: &str) -> Result<String> {
    let refuse = |c: char, kind: &str| {
        let message = format!("\"{c}\" is not a valid {kind} digit");
        Err(Error::client(SqlState::INVALID_TEXT_REPRESENTATION, message))
    };
    if let Some(hex) = text.strip_prefix(['x', 'X']) {
        let mut bits = String::with_capacity(hex.len() * 4);
        for c in hex.chars() {
            let Some(digit) = c.to_digit(16) else { return refuse(c, "hexadecimal") };
            bits.extend((0..4).rev().map(|at| if digit >> at & 1 == 1 { '1' } else { '0' }));
        }
        return Ok(bits);
    }
    let digits = text.strip_prefix(['b', 'B']).unwrap_or(text);
    match digits.chars().find(|c| !matches!(c, '0' | '1')) {
        Some(c) => refuse(c, "binary"),
        None => Ok(digits.to_owned()),
    }
}

/// Whether the text of a bit string fits a column `bit(n)` or `bit varying(n)`: its length counts before its digits do.
pub(crate) fn check_bit_length(text: &str, declared: i32, varying: bool) -> Result<()> {
    let length = match text.as_bytes() {
        [b'x' | b'X', hex @ ..] => hex.len() * 4,
        [b'b' | b'B', bits @ ..] => bits.len(),
        bits => bits.len(),
    };
    if varying && length > declared as usize {
        let message = format!("bit string too long for type bit varying({declared})");
        return Err(Error::client(SqlState::STRING_DATA_RIGHT_TRUNCATION, message));
    }
    if !varying && length != declared as usize {
        let message = format!("bit string length {length} does not match type bit({declared})");
        return Err(Error::client(SqlState::STRING_DATA_LENGTH_MISMATCH, message));
    }
    Ok(())
}

/// Text in a column `varchar(n)` or `char(n)`: what is too long may only be blanks; `char` is filled up with blanks.
pub(crate) fn fit_text(text: &str, declared: i32, pad: bool) -> Result<std::borrow::Cow<'_, str>> {
    use std::borrow::Cow;
    let declared = declared.max(0) as usize;
    // Bytes are never fewer than characters.
    if !pad && text.len() <= declared {
        return Ok(Cow::Borrowed(text));
    }
    match text.char_indices().nth(declared) {
        Some((at, _)) => {
            let (kept, rest) = text.split_at(at);
            if !rest.bytes().all(|b| b == b' ') {
                let name = if pad { "character" } else { "character varying" };
                let message = format!("value too long for type {name}({declared})");
                return Err(Error::client(SqlState::STRING_DATA_RIGHT_TRUNCATION, message));
            }
            Ok(Cow::Borrowed(kept))
        }
        None if pad => {
            let missing = declared - text.chars().count();
            if missing == 0 {
                return Ok(Cow::Borrowed(text));
            }
            let mut padded = String::with_capacity(text.len() + missing);
            padded.push_str(text);
            padded.extend(std::iter::repeat_n(' ', missing));
            Ok(Cow::Owned(padded))
        }
        None => Ok(Cow::Borrowed(text)),
    }
}

/// A name: at most 63 bytes, cut at a character.
pub(crate) fn fit_name(text: &str) -> &str {
    if text.len() < 64 {
        return text;
    }
    let mut end = 63;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes() {
        assert_eq!(parse_bytea("\\x 12 34").unwrap(), [0x12, 0x34]);
        assert_eq!(parse_bytea("a\\001\\\\").unwrap(), b"a\x01\\");
        assert_eq!(parse_bytea("\\xg").unwrap_err().message(), "invalid hexadecimal digit: \"g\"");
        assert_eq!(parse_bytea("\\x1").unwrap_err().message(), "invalid hexadecimal data: odd number of digits");
        assert_eq!(parse_bytea("\\08").unwrap_err().message(), "invalid input syntax for type bytea");
    }

    #[test]
    fn uuids() {
        let plain = parse_uuid("a0eebc999c0b4ef8bb6d6bb9bd380a11").unwrap();
        assert_eq!(parse_uuid("{A0EEBC99-9C0B4EF8-BB6D6BB9-BD380A11}").unwrap(), plain);
        assert_eq!(parse_uuid("a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11").unwrap(), plain);
        for bad in ["x", "", "a0eebc999c0b4ef8bb6d6bb9bd380a1", "{a0eebc999c0b4ef8bb6d6bb9bd380a11"] {
            assert_eq!(
                parse_uuid(bad).unwrap_err().message(),
                format!("invalid input syntax for type uuid: \"{bad}\"")
            );
        }
    }

    #[test]
    fn bits_and_lengths() {
        assert_eq!(parse_bits("x1F").unwrap(), "00011111");
        assert_eq!(parse_bits("10a0").unwrap_err().message(), "\"a\" is not a valid binary digit");
        assert_eq!(
            check_bit_length("1010", 3, false).unwrap_err().message(),
            "bit string length 4 does not match type bit(3)"
        );
        assert_eq!(fit_text("abc   ", 3, false).unwrap(), "abc");
        assert_eq!(fit_text("äb", 4, true).unwrap(), "äb  ");
        assert_eq!(fit_text("abcd", 3, false).unwrap_err().message(), "value too long for type character varying(3)");
        assert_eq!(fit_name(&"ä".repeat(40)).len(), 62);
    }
}
