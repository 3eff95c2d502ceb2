//! Texts and bytes in other forms: `encode`, `decode`, digests, quoting, `format`, `string_to_array`, `parse_ident`.
//! Must not know: SQL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, StringViewBuilder};
use arrow::datatypes::{DataType, Int32Type};
use base64::Engine;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::Expr;
use sha2::Digest;

use super::super::arrays::array_of_texts;
use super::super::cast::{Typing, to_text};
use super::super::kernel::{call, external, wrong_type};
use super::super::lift::{Row, text_rows};
use super::super::text;
use super::super::value::Bound;
use super::exprs;
use super::strings::bounded;
use crate::error::{Error, Result, SqlState};
use crate::sql::quote_ident;
use crate::types::PgType;

/// A function of forms.
pub(super) fn implement(source: &str, args: &[Bound], returns: PgType, typing: &mut Typing) -> Result<Option<Bound>> {
    let all = exprs(args);
    let made = |expr: Expr| Ok(Some(Bound::new(expr, returns)));
    match (source, args) {
        ("binary_encode", [_, _]) => made(text_rows(source, all, |row| encode(row.bytes(0)?, row.text(1)?).map(Some))),
        ("binary_decode", [_, _]) => made(bytes_rows(source, all, |row| decode(row.text(0)?, row.text(1)?))),
        ("pg_convert_from", [_, _]) => made(text_rows(source, all, |row| {
            utf8(row.text(1)?)?;
            match std::str::from_utf8(row.bytes(0)?) {
                Ok(text) if !text.contains('\0') => Ok(Some(text.to_owned())),
                _ => Err(Error::client(
                    SqlState::CHARACTER_NOT_IN_REPERTOIRE,
                    "invalid byte sequence for encoding \"UTF8\"",
                )),
            }
        })),
        ("pg_convert_to", [_, _]) => made(bytes_rows(source, all, |row| {
            utf8(row.text(1)?)?;
            Ok(row.text(0)?.as_bytes().to_vec())
        })),
        ("sha224_bytea", [_]) => made(bytes_rows(source, all, |row| Ok(sha2::Sha224::digest(row.bytes(0)?).to_vec()))),
        ("sha256_bytea", [_]) => made(bytes_rows(source, all, |row| Ok(sha2::Sha256::digest(row.bytes(0)?).to_vec()))),
        ("sha384_bytea", [_]) => made(bytes_rows(source, all, |row| Ok(sha2::Sha384::digest(row.bytes(0)?).to_vec()))),
        ("sha512_bytea", [_]) => made(bytes_rows(source, all, |row| Ok(sha2::Sha512::digest(row.bytes(0)?).to_vec()))),
        ("bytea_substr" | "bytea_substr_no_len", _) => made(bytes_rows(source, all, |row| part_of_bytes(&row))),
        ("byteacat", [_, _]) => made(bytes_rows(source, all, |row| {
            bounded(row.bytes(0)?.len() + row.bytes(1)?.len())?;
            Ok([row.bytes(0)?, row.bytes(1)?].concat())
        })),
        ("quote_ident", [_]) => made(text_rows(source, all, |row| Ok(Some(quote_ident(row.text(0)?))))),
        ("quote_nullable", [value]) if value.pg.oid == 25 => made(or_null(all)),
        ("unistr", [_]) => made(text_rows(source, all, |row| unistr(row.text(0)?).map(Some))),
        ("text_to_array" | "text_to_array_null", _) => made(split(source, all)),
        ("parse_ident", [_] | [_, _]) => made(text_rows(source, all, |row| parse_ident(row.text(0)?).map(Some))),
        ("text_format_nv", [_]) => made(text_rows(source, all, |row| formatted(row.text(0)?, &[]).map(Some))),
        ("text_format", [_, ..]) => format(args, typing).map(|expr| Some(Bound::new(expr, returns))),
        _ => Ok(None),
    }
}

/// Bytes for rows none of whose arguments is NULL.
fn bytes_rows(name: &str, args: Vec<Expr>, f: impl Fn(Row<'_>) -> Result<Vec<u8>> + Send + Sync + 'static) -> Expr {
    call(name, args, DataType::Binary, move |args| {
        let rows = args.first().map_or(0, |array| array.len());
        let mut builder = BinaryBuilder::new();
        for row in 0..rows {
            if args.iter().any(|array| array.is_null(row)) {
                builder.append_null();
            } else {
                builder.append_value(f(Row::new(args, row)).map_err(external)?);
            }
        }
        Ok(Arc::new(builder.finish()) as ArrayRef)
    })
}

fn utf8(encoding: &str) -> Result<()> {
    let plain: String = encoding.chars().filter(char::is_ascii_alphanumeric).collect();
    match plain.to_ascii_lowercase().as_str() {
        "utf8" | "unicode" => Ok(()),
        _ => Err(Error::unsupported(format!("conversion from and to encoding \"{encoding}\" is not supported"))),
    }
}

fn part_of_bytes(row: &Row<'_>) -> Result<Vec<u8>> {
    let bytes = row.bytes(0)?;
    let start = i64::from(row.number::<Int32Type>(1)?);
    let end = match row.count() {
        2 => i64::MAX,
        _ => {
            let length = i64::from(row.number::<Int32Type>(2)?);
            if length < 0 {
                return Err(Error::client(SqlState::SUBSTRING_ERROR, "negative substring length not allowed"));
            }
            start + length
        }
    };
    let place = |at: i64| usize::try_from(at.max(1) - 1).unwrap_or(usize::MAX).min(bytes.len());
    Ok(bytes.get(place(start)..place(end).max(place(start))).unwrap_or_default().to_vec())
}

fn unknown_encoding(name: &str) -> Error {
    Error::client(SqlState::INVALID_PARAMETER_VALUE, format!("unrecognized encoding: \"{name}\""))
}

fn encode(bytes: &[u8], form: &str) -> Result<String> {
    bounded(bytes.len().saturating_mul(4))?;
    match form.to_ascii_lowercase().as_str() {
        "hex" => Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        "base64" => {
            // A newline behind every line of 76 that is full of bytes, also behind the last.
            let flat = base64::engine::general_purpose::STANDARD.encode(bytes);
            let mut made = String::with_capacity(flat.len() + flat.len() / 76);
            for (at, c) in flat.chars().enumerate() {
                made.push(c);
                if at % 76 == 75 && (at + 1) / 4 * 3 <= bytes.len() {
                    made.push('\n');
                }
            }
            Ok(made)
        }
        "escape" => {
            let mut made = String::new();
            for byte in bytes {
                match byte {
                    b'\\' => made.push_str("\\\\"),
                    0 | 0x80.. => made.push_str(&format!("\\{byte:03o}")),
                    plain => made.push(char::from(*plain)),
                }
            }
            Ok(made)
        }
        _ => Err(unknown_encoding(form)),
    }
}

fn decode(text: &str, form: &str) -> Result<Vec<u8>> {
    let wrong = |message: String| Error::client(SqlState::INVALID_PARAMETER_VALUE, message);
    match form.to_ascii_lowercase().as_str() {
        "hex" => {
            let digits: Vec<char> = text.chars().filter(|c| !matches!(c, ' ' | '\n' | '\t' | '\r')).collect();
            let value = |c: &char| c.to_digit(16).ok_or_else(|| wrong(format!("invalid hexadecimal digit: \"{c}\"")));
            let values = digits.iter().map(value).collect::<Result<Vec<u32>>>()?;
            if values.len() % 2 == 1 {
                return Err(wrong("invalid hexadecimal data: odd number of digits".to_owned()));
            }
            Ok(values.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect())
        }
        "base64" => {
            let flat: String = text.chars().filter(|c| !matches!(c, ' ' | '\n' | '\t' | '\r')).collect();
            if let Some(c) = flat.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='))) {
                return Err(wrong(format!("invalid symbol \"{c}\" found while decoding base64 sequence")));
            }
            base64::engine::general_purpose::STANDARD.decode(&flat).map_err(|_| {
                wrong("invalid base64 end sequence".to_owned())
                    .with_hint("Input data is missing padding, is truncated, or is otherwise corrupted.")
            })
        }
        "escape" => unescape(text),
        _ => Err(unknown_encoding(form)),
    }
}

fn unescape(text: &str) -> Result<Vec<u8>> {
    let bytes = text.as_bytes();
    let (mut made, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        if *byte != b'\\' {
            made.push(*byte);
            at += 1;
        } else if bytes.get(at + 1) == Some(&b'\\') {
            made.push(b'\\');
            at += 2;
        } else {
            let value = match bytes.get(at + 1..at + 4) {
                Some([a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7']) => {
                    Some((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'))
                }
                _ => None,
            };
            let wrong = || Error::client(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type bytea");
            made.push(value.ok_or_else(wrong)?);
            at += 4;
        }
    }
    Ok(made)
}

fn or_null(args: Vec<Expr>) -> Expr {
    call("quote_nullable", args, DataType::Utf8View, |args| {
        let [array] = args else { return Err(wrong_type("quote_nullable")) };
        let texts = array.as_string_view_opt().ok_or_else(|| wrong_type("quote_nullable"))?;
        let mut builder = StringViewBuilder::with_capacity(texts.len());
        for text in texts {
            builder.append_value(text.map_or_else(|| "NULL".to_owned(), text::quote_literal));
        }
        Ok(Arc::new(builder.finish()) as ArrayRef)
    })
}

fn unistr(text: &str) -> Result<String> {
    let syntax = |message: &str| Error::client(SqlState::SYNTAX_ERROR, message);
    let unpaired = || syntax("invalid Unicode surrogate pair");
    let mut made = String::with_capacity(text.len());
    // The first half of a pair, which the second must follow at once.
    let mut half: Option<u32> = None;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let escape = rest.strip_prefix('\\').filter(|rest| !rest.starts_with('\\'));
        let Some(escape) = escape else {
            if half.is_some() {
                return Err(unpaired());
            }
            made.push(c);
            rest = &rest[c.len_utf8() * if c == '\\' { 2 } else { 1 }..];
            continue;
        };
        let (skip, digits) = match escape.chars().next() {
            Some('u') => (1, 4),
            Some('U') => (1, 8),
            Some('+') => (1, 6),
            _ => (0, 4),
        };
        let code = escape.get(skip..skip + digits).and_then(hexadecimal).ok_or_else(|| {
            syntax("invalid Unicode escape")
                .with_hint("Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.")
        })?;
        rest = escape.get(skip + digits..).unwrap_or("");
        if code == 0 || code > u32::from(char::MAX) {
            let message = format!("invalid Unicode code point: {code:04X}");
            return Err(Error::client(SqlState::INVALID_PARAMETER_VALUE, message));
        }
        let code = match (half.take(), code) {
            (None, 0xD800..=0xDBFF) => {
                half = Some(code);
                continue;
            }
            (Some(first), 0xDC00..=0xDFFF) => 0x10000 + ((first - 0xD800) << 10) + (code - 0xDC00),
            (None, code) => code,
            (Some(_), _) => return Err(unpaired()),
        };
        made.push(char::from_u32(code).ok_or_else(unpaired)?);
    }
    if half.is_some() { Err(unpaired()) } else { Ok(made) }
}

/// A number of hexadecimal digits and nothing else.
fn hexadecimal(digits: &str) -> Option<u32> {
    u32::from_str_radix(digits, 16).ok().filter(|_| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

/// `string_to_array`: a NULL separator parts every character, an empty one nothing; the third argument is what becomes NULL.
fn split(name: &str, args: Vec<Expr>) -> Expr {
    call(name, args, DataType::Utf8View, |args| {
        let texts = args
            .iter()
            .map(|array| array.as_string_view_opt().ok_or_else(|| wrong_type("string_to_array")))
            .collect::<DfResult<Vec<_>>>()?;
        let (Some(inputs), Some(separators)) = (texts.first(), texts.get(1)) else {
            return Err(wrong_type("string_to_array"));
        };
        let mut builder = StringViewBuilder::with_capacity(inputs.len());
        for row in 0..inputs.len() {
            if inputs.is_null(row) {
                builder.append_null();
                continue;
            }
            let null = texts.get(2).filter(|nulls| nulls.is_valid(row)).map(|nulls| nulls.value(row));
            let separator = separators.is_valid(row).then(|| separators.value(row));
            let input = inputs.value(row);
            let characters: Vec<String>;
            let pieces: Vec<&str> = match separator {
                _ if input.is_empty() => Vec::new(),
                None => {
                    characters = input.chars().map(String::from).collect();
                    characters.iter().map(String::as_str).collect()
                }
                Some("") => vec![input],
                Some(separator) => input.split(separator).collect(),
            };
            builder
                .append_value(array_of_texts(pieces.into_iter().map(|piece| (Some(piece) != null).then_some(piece))));
        }
        Ok(Arc::new(builder.finish()) as ArrayRef)
    })
}

fn parse_ident(text: &str) -> Result<String> {
    let wrong = |detail: Option<&str>| {
        let error =
            Error::client(SqlState::INVALID_PARAMETER_VALUE, format!("string is not a valid identifier: \"{text}\""));
        detail.map_or(error.clone(), |detail| error.with_detail(detail))
    };
    let mut parts: Vec<String> = Vec::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut name = String::new();
            let mut chars = quoted.char_indices().peekable();
            let end = loop {
                match chars.next() {
                    Some((_, '"')) if chars.peek().is_some_and(|(_, c)| *c == '"') => {
                        chars.next();
                        name.push('"');
                    }
                    Some((at, '"')) => break at + 1,
                    Some((_, c)) => name.push(c),
                    None => return Err(wrong(Some("String has unclosed double quotes."))),
                }
            };
            if name.is_empty() {
                return Err(wrong(Some("Quoted identifier must not be empty.")));
            }
            parts.push(name);
            rest = &quoted[end..];
        } else {
            let starts = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
            let length = rest.find(|c: char| !(starts(c) || c.is_ascii_digit() || c == '$')).unwrap_or(rest.len());
            let name = &rest[..length];
            if !name.starts_with(starts) {
                return Err(wrong(None));
            }
            parts.push(name.to_ascii_lowercase());
            rest = &rest[length..];
        }
        rest = rest.trim_start();
        match rest.strip_prefix('.') {
            Some(after) => rest = after.trim_start(),
            None if rest.is_empty() => return Ok(array_of_texts(parts.iter().map(|part| Some(part.as_str())))),
            None => return Err(wrong(None)),
        }
    }
}

/// `format` over arguments of any type, each by its output function.
fn format(args: &[Bound], typing: &mut Typing) -> Result<Expr> {
    let mut texts = Vec::with_capacity(args.len());
    for arg in args {
        let value = typing.settle(arg.clone())?;
        texts.push(if value.pg.oid == 16 {
            super::super::cast::bool_letter(value.expr)
        } else {
            to_text(value, PgType::TEXT, &typing.facts.format)?.expr
        });
    }
    Ok(call("format", texts, DataType::Utf8View, |args| {
        let texts = args
            .iter()
            .map(|array| array.as_string_view_opt().ok_or_else(|| wrong_type("format")))
            .collect::<DfResult<Vec<_>>>()?;
        let Some((patterns, values)) = texts.split_first() else { return Err(wrong_type("format")) };
        let mut builder = StringViewBuilder::with_capacity(patterns.len());
        for row in 0..patterns.len() {
            if patterns.is_null(row) {
                builder.append_null();
                continue;
            }
            let values: Vec<Option<&str>> =
                values.iter().map(|value| value.is_valid(row).then(|| value.value(row))).collect();
            builder.append_value(formatted(patterns.value(row), &values).map_err(external)?);
        }
        Ok(Arc::new(builder.finish()) as ArrayRef)
    }))
}

/// What stands between the percent sign and the letter of a place in a format.
#[derive(Default)]
struct Place {
    argument: Option<usize>,
    left: bool,
    width: Option<i64>,
}

fn formatted(pattern: &str, values: &[Option<&str>]) -> Result<String> {
    let wrong = |text: &str| Error::client(SqlState::INVALID_PARAMETER_VALUE, text.to_owned());
    let unfinished = || wrong("unterminated format() type specifier").with_hint("For a single \"%\" use \"%%\".");
    let mut made = String::new();
    let mut chars = pattern.chars().peekable();
    let mut next = 0;
    while let Some(c) = chars.next() {
        if c != '%' {
            made.push(c);
            continue;
        }
        if chars.next_if_eq(&'%').is_some() {
            made.push('%');
            continue;
        }
        let place = place(&mut chars, values, &mut next)?;
        let kind = chars.next().ok_or_else(unfinished)?;
        if !matches!(kind, 's' | 'I' | 'L') {
            return Err(wrong(&format!("unrecognized format() type specifier \"{kind}\""))
                .with_hint("For a single \"%\" use \"%%\"."));
        }
        let at = place.argument.unwrap_or(next);
        next = at + 1;
        let value = values.get(at).ok_or_else(|| wrong("too few arguments for format()"))?;
        let text = match (kind, value) {
            ('s', value) => value.unwrap_or("").to_owned(),
            ('L', None) => "NULL".to_owned(),
            ('L', Some(value)) => text::quote_literal(value),
            (_, None) => {
                return Err(Error::client(
                    SqlState::from_code("22004").unwrap_or(SqlState::INVALID_PARAMETER_VALUE),
                    "null values cannot be formatted as an SQL identifier",
                ));
            }
            (_, Some(value)) => quote_ident(value),
        };
        let width = place.width.unwrap_or(0);
        let left = place.left || width < 0;
        let width = usize::try_from(width.unsigned_abs()).unwrap_or(usize::MAX);
        bounded(width.saturating_add(made.len()))?;
        let blanks = " ".repeat(width.saturating_sub(text.chars().count()));
        if left {
            made.push_str(&text);
            made.push_str(&blanks);
        } else {
            made.push_str(&blanks);
            made.push_str(&text);
        }
        bounded(made.len())?;
    }
    Ok(made)
}

fn place(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    values: &[Option<&str>],
    next: &mut usize,
) -> Result<Place> {
    let wrong = |text: &str| Error::client(SqlState::INVALID_PARAMETER_VALUE, text.to_owned());
    let mut place = Place::default();
    let number = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| -> Result<Option<i64>> {
        let mut digits = String::new();
        while let Some(digit) = chars.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        if digits.is_empty() {
            return Ok(None);
        }
        digits
            .parse::<i32>()
            .map(|n| Some(i64::from(n)))
            .map_err(|_| Error::client(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "number is out of range"))
    };
    let position = |n: i64| {
        usize::try_from(n - 1).map_err(|_| wrong("format specifies argument 0, but arguments are numbered from 1"))
    };
    let first = number(chars)?;
    if let Some(n) = first {
        if chars.next_if_eq(&'$').is_none() {
            place.width = Some(n);
            return Ok(place);
        }
        place.argument = Some(position(n)?);
    }
    while chars.next_if_eq(&'-').is_some() {
        place.left = true;
    }
    if chars.next_if_eq(&'*').is_some() {
        let at = match number(chars)? {
            Some(n) => {
                if chars.next_if_eq(&'$').is_none() {
                    return Err(wrong("width argument position must be ended by \"$\""));
                }
                position(n)?
            }
            None => {
                *next += 1;
                *next - 1
            }
        };
        let width = values.get(at).ok_or_else(|| wrong("too few arguments for format()"))?;
        place.width = width.map(|width| width.parse().map_err(|_| wrong("a width must be an integer"))).transpose()?;
    } else {
        place.width = number(chars)?;
    }
    Ok(place)
}
