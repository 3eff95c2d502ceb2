//! Literals and identifiers: the only texts from outside that get into SQL.
//! Must not know: expressions.

use std::fmt::Write;

use crate::error::Result;

use super::{Dialect, Print, refuse};

/// A constant. What is given as text is checked to be of its kind before it is printed.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// NULL.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer of up to 64 bits.
    Int(i64),
    /// An exact number as text: sign, digits, at most one point.
    Decimal(String),
    /// A floating-point number; NaN and infinity are refused.
    Float(f64),
    /// Text without NUL.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// `YYYY-MM-DD`, years 1 to 9999.
    Date(String),
    /// `HH:MM:SS` with up to six decimals.
    Time(String),
    /// `YYYY-MM-DD HH:MM:SS` with up to six decimals.
    Timestamp(String),
    /// The same in UTC; printed with `+00`.
    TimestampTz(String),
    /// A UUID, hyphenated.
    Uuid(String),
}

/// A name in double quotes.
///
/// # Errors
/// `0A000` if it is empty or has a NUL.
pub fn quote_identifier(name: &str) -> Result<String> {
    if name.is_empty() || name.contains('\0') {
        return Err(refuse("an empty name or one with a NUL"));
    }
    Ok(crate::names::quote(name))
}

/// Text as a literal of the dialect.
///
/// # Errors
/// `0A000` if it has a NUL.
pub fn quote_literal(dialect: Dialect, text: &str) -> Result<String> {
    if text.contains('\0') {
        return Err(refuse("text with a NUL"));
    }
    let mut out = String::with_capacity(text.len() + 3);
    // E'..' reads the same whatever standard_conforming_strings says. The others know no backslash escapes.
    let escapes = dialect == Dialect::Postgres;
    out.push_str(if escapes { "E'" } else { "'" });
    for c in text.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' if escapes => out.push_str("\\\\"),
            c => out.push(c),
        }
    }
    out.push('\'');
    Ok(out)
}

/// Does `text` look like `pattern`, where `9` stands for a digit and the rest for itself?
fn fits(text: &str, pattern: &str) -> bool {
    text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(b, p)| if p == b'9' { b.is_ascii_digit() } else { b == p })
}

/// `fits`, with up to six decimals behind.
fn fits_with_fraction(text: &str, pattern: &str) -> bool {
    match text.split_once('.') {
        None => fits(text, pattern),
        Some((whole, fraction)) => {
            fits(whole, pattern) && (1..=6).contains(&fraction.len()) && fraction.bytes().all(|b| b.is_ascii_digit())
        }
    }
}

/// Sign, digits, at most one point with digits around it.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.len() <= 200 && all_digits(whole) && all_digits(fraction)
}

/// A date within a calendar, days not counted by month.
fn is_date(text: &str) -> bool {
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|digits| digits.parse::<u32>().ok());
    fits(text, "9999-99-99")
        && number(0..4).is_some_and(|year| year > 0)
        && number(5..7).is_some_and(|month| (1..=12).contains(&month))
        && number(8..10).is_some_and(|day| (1..=31).contains(&day))
}

fn is_time(text: &str) -> bool {
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|digits| digits.parse::<u32>().ok());
    fits_with_fraction(text, "99:99:99")
        && number(0..2).is_some_and(|hour| hour < 24)
        && number(3..5).is_some_and(|minute| minute < 60)
        && number(6..8).is_some_and(|second| second < 60)
}

fn is_timestamp(text: &str) -> bool {
    text.split_once(' ').is_some_and(|(date, time)| is_date(date) && is_time(time))
}

/// Digits that count, which SQLite keeps as a double: 15 of them survive.
fn significant_digits(text: &str) -> usize {
    text.trim_start_matches(['-', '0', '.']).bytes().filter(u8::is_ascii_digit).count()
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// A number, in parentheses if negative: `- -1` must not become a comment.
fn number(text: &str, out: &mut String) {
    if text.starts_with('-') {
        out.push('(');
        out.push_str(text);
        out.push(')');
    } else {
        out.push_str(text);
    }
}

fn bytes(dialect: Dialect, bytes: &[u8], out: &mut String) {
    let (start, each, end) = match dialect {
        Dialect::Postgres => ("CAST(E'\\\\x", "", "' AS bytea)"),
        Dialect::Sqlite => ("X'", "", "'"),
        Dialect::DuckDb => ("CAST('", "\\x", "' AS BLOB)"),
    };
    out.push_str(start);
    for byte in bytes {
        out.push_str(each);
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02X}");
    }
    out.push_str(end);
}

impl Literal {
    /// A text of a checked form, with its type around it. SQLite has no such types: it compares the text.
    fn typed(dialect: Dialect, text: &str, type_name: &str, out: &mut String) -> Result<()> {
        let quoted = quote_literal(dialect, text)?;
        if dialect == Dialect::Sqlite {
            out.push_str(&quoted);
        } else {
            let _ = write!(out, "CAST({quoted} AS {type_name})");
        }
        Ok(())
    }

    fn checked(good: bool, what: &str) -> Result<()> {
        if good { Ok(()) } else { Err(refuse(what)) }
    }
}

impl Print for Literal {
    fn print(&self, dialect: Dialect, out: &mut String) -> Result<()> {
        match self {
            Literal::Null => out.push_str("NULL"),
            Literal::Bool(value) => out.push_str(match (dialect, value) {
                (Dialect::Sqlite, true) => "1",
                (Dialect::Sqlite, false) => "0",
                (_, true) => "TRUE",
                (_, false) => "FALSE",
            }),
            // The lowest integer is a minus before a number that fits no bigint.
            Literal::Int(i64::MIN) => out.push_str("(-9223372036854775807 - 1)"),
            Literal::Int(value) => number(&value.to_string(), out),
            Literal::Decimal(text) => {
                Literal::checked(is_decimal(text), "a malformed number")?;
                let exact = dialect != Dialect::Sqlite || significant_digits(text) <= 15;
                Literal::checked(exact, "a number with more than 15 digits")?;
                number(text, out);
            }
            Literal::Float(value) => {
                Literal::checked(value.is_finite(), "NaN or infinity")?;
                float(dialect, *value, out);
            }
            Literal::Text(text) => out.push_str(&quote_literal(dialect, text)?),
            Literal::Bytes(value) => bytes(dialect, value, out),
            Literal::Date(text) => {
                Literal::checked(is_date(text), "a malformed date")?;
                Literal::typed(dialect, text, "date", out)?;
            }
            Literal::Time(text) => {
                Literal::checked(is_time(text), "a malformed time")?;
                Literal::typed(dialect, text, "time", out)?;
            }
            Literal::Timestamp(text) => {
                Literal::checked(is_timestamp(text), "a malformed timestamp")?;
                Literal::typed(dialect, text, "timestamp", out)?;
            }
            Literal::TimestampTz(text) => {
                Literal::checked(is_timestamp(text), "a malformed timestamp")?;
                Literal::typed(dialect, &format!("{text}+00"), "timestamptz", out)?;
            }
            Literal::Uuid(text) => {
                Literal::checked(is_uuid(text), "a malformed uuid")?;
                Literal::typed(dialect, text, "uuid", out)?;
            }
        }
        Ok(())
    }
}

/// A finite number such that it is read back with the same bits.
fn float(dialect: Dialect, value: f64, out: &mut String) {
    // Rust prints the shortest digits that read back; the exponent makes it a floating-point literal.
    let text = format!("{value:e}");
    match dialect {
        Dialect::Sqlite => number(&text, out),
        Dialect::Postgres => {
            let _ = write!(out, "CAST('{text}' AS float8)");
        }
        Dialect::DuckDb => {
            let _ = write!(out, "CAST('{text}' AS DOUBLE)");
        }
    }
}
