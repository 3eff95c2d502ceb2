//! Functions that tools call beside catalogs: sizes in words, encodings, ages of transactions.
//! Must not know: SQL, catalogs.

use arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion::logical_expr::Expr;

use super::super::cast::Typing;
use super::super::lift::{number_rows, text_rows};
use super::super::pg::CastContext;
use super::super::value::Bound;
use super::exprs;
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

/// A function of this family.
pub(super) fn implement(source: &str, args: &[Bound], returns: PgType, typing: &mut Typing) -> Result<Option<Bound>> {
    let all = exprs(args);
    let made = |expr: Expr| Ok(Some(Bound::new(expr, returns)));
    match (source, args) {
        ("pg_size_pretty", [_]) => {
            made(text_rows(source, all, |row| Ok(Some(pretty(i128::from(row.number::<Int64Type>(0)?))))))
        }
        ("pg_size_pretty_numeric", [size]) => {
            let text = typing.coerce(size.clone(), PgType::TEXT, CastContext::Explicit)?;
            made(text_rows(source, vec![text.expr], |row| pretty_numeric(row.text(0)?).map(Some)))
        }
        ("pg_size_bytes", [_]) => {
            made(number_rows::<Int64Type>(source, all, DataType::Int64, |row| size_bytes(row.text(0)?)))
        }
        ("PG_encoding_to_char", [_]) => {
            made(text_rows(source, all, |row| Ok(Some(encoding_name(row.number::<Int32Type>(0)?).to_owned()))))
        }
        ("PG_char_to_encoding", [_]) => {
            made(number_rows::<Int32Type>(source, all, DataType::Int32, |row| Ok(encoding_number(row.text(0)?))))
        }
        ("xid_age", [_]) => {
            let now = typing.facts.transaction;
            made(number_rows::<Int32Type>(&format!("xid_age({now})"), all, DataType::Int32, move |row| {
                let then: u64 = row.text(0)?.trim().parse().unwrap_or(now);
                Ok(i32::try_from(now.saturating_sub(then)).unwrap_or(i32::MAX))
            }))
        }
        _ => Ok(None),
    }
}

/// A size as `pg_size_pretty` says it: the largest unit in which it has at least 10, rounded half away from zero.
fn pretty(size: i128) -> String {
    let mut left = size;
    let mut units = ["bytes", "kB", "MB", "GB", "TB", "PB"].into_iter().peekable();
    let mut half = false;
    while let Some(unit) = units.next() {
        let limit = if unit == "bytes" { 10 * 1024 } else { 20 * 1024 - 1 };
        let last = units.peek().is_none();
        if last || left.abs() < limit {
            let shown = if half { (left + left.signum()) / 2 } else { left };
            return format!("{shown} {unit}");
        }
        // One bit more than the unit is kept, to round by.
        left /= if half { 1024 } else { 512 };
        half = true;
    }
    size.to_string()
}

/// The same of a numeric, as text: a fraction is told of bytes only.
fn pretty_numeric(size: &str) -> Result<String> {
    let whole = size.split('.').next().unwrap_or(size);
    if !whole.bytes().any(|byte| byte.is_ascii_digit()) {
        return Ok(format!("{size} PB"));
    }
    match whole.parse::<i128>() {
        Ok(number) if number.abs() < 10 * 1024 => Ok(format!("{size} bytes")),
        Ok(number) => Ok(pretty(number)),
        Err(_) => Err(Error::unsupported("pg_size_pretty of a number of this size is not supported")),
    }
}

/// The units of `pg_size_bytes`, and how many bits each shifts by.
const UNITS: [(&str, u32); 6] = [("bytes", 0), ("kb", 10), ("mb", 20), ("gb", 30), ("tb", 40), ("pb", 50)];

/// `pg_size_bytes`: a number, perhaps with a fraction and an exponent, and a unit.
fn size_bytes(text: &str) -> Result<i64> {
    let invalid = || Error::client(SqlState::INVALID_PARAMETER_VALUE, format!("invalid size: \"{text}\""));
    let out_of_range = || Error::client(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range");
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let trimmed = text.trim_matches(|c: char| c.is_ascii_whitespace());
    let (negative, rest) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let (whole, rest) = rest.split_at(digits(rest));
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), |rest| rest.split_at(digits(rest)));
    if whole.is_empty() && fraction.is_empty() {
        return Err(invalid());
    }
    let (exponent, rest) = exponent(rest).unwrap_or((0, rest));
    let unit = rest.trim_start_matches(|c: char| c.is_ascii_whitespace());
    let known = UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name));
    let Some((_, bits)) = known.or(UNITS.first().filter(|_| unit.is_empty())) else {
        return Err(invalid()
            .with_detail(format!("Invalid size unit: \"{unit}\"."))
            .with_hint("Valid units are \"bytes\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\"."));
    };
    let number: i128 = format!("{whole}{fraction}").parse().map_err(|_| out_of_range())?;
    let scaled = number.checked_mul(1 << bits).ok_or_else(out_of_range)?;
    let shift = exponent.saturating_sub(i32::try_from(fraction.len()).unwrap_or(i32::MAX));
    let power = 10_i128.checked_pow(shift.unsigned_abs());
    let size = match power {
        Some(power) if shift >= 0 => scaled.checked_mul(power).ok_or_else(out_of_range)?,
        Some(power) => scaled / power + i128::from(scaled % power >= power - scaled % power),
        None if shift < 0 || scaled == 0 => 0,
        None => return Err(out_of_range()),
    };
    i64::try_from(if negative { -size } else { size }).map_err(|_| out_of_range())
}

/// An exponent at the beginning, and what follows it; without digits it is a unit.
fn exponent(text: &str) -> Option<(i32, &str)> {
    let rest = text.strip_prefix(['e', 'E'])?;
    let sign = usize::from(rest.starts_with(['+', '-']));
    let end = sign + rest.get(sign..)?.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = rest.split_at(end);
    if end == sign {
        return None;
    }
    // What is larger is out of any range.
    Some((number.parse().unwrap_or(if number.starts_with('-') { -100_000 } else { 100_000 }), rest))
}

/// The encodings by `pg_enc`, in order.
const ENCODINGS: [&str; 42] = [
    "SQL_ASCII",
    "EUC_JP",
    "EUC_CN",
    "EUC_KR",
    "EUC_TW",
    "EUC_JIS_2004",
    "UTF8",
    "MULE_INTERNAL",
    "LATIN1",
    "LATIN2",
    "LATIN3",
    "LATIN4",
    "LATIN5",
    "LATIN6",
    "LATIN7",
    "LATIN8",
    "LATIN9",
    "LATIN10",
    "WIN1256",
    "WIN1258",
    "WIN866",
    "WIN874",
    "KOI8R",
    "WIN1251",
    "WIN1252",
    "ISO_8859_5",
    "ISO_8859_6",
    "ISO_8859_7",
    "ISO_8859_8",
    "WIN1250",
    "WIN1253",
    "WIN1254",
    "WIN1255",
    "WIN1257",
    "KOI8U",
    "SJIS",
    "BIG5",
    "GBK",
    "UHC",
    "GB18030",
    "JOHAB",
    "SHIFT_JIS_2004",
];

fn encoding_name(number: i32) -> &'static str {
    usize::try_from(number).ok().and_then(|at| ENCODINGS.get(at)).copied().unwrap_or_default()
}

fn encoding_number(name: &str) -> i32 {
    let plain = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let wanted = match plain(name).as_str() {
        "unicode" => "utf8".to_owned(),
        other => other.to_owned(),
    };
    let found = ENCODINGS.iter().position(|known| plain(known) == wanted);
    found.and_then(|at| i32::try_from(at).ok()).unwrap_or(-1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_in_words() {
        for (size, said) in [
            (0, "0 bytes"),
            (10239, "10239 bytes"),
            (10240, "10 kB"),
            (1_000_000, "977 kB"),
            (-10_240, "-10 kB"),
            (20_480_000, "20 MB"),
            (1 << 40, "1024 GB"),
        ] {
            assert_eq!(pretty(size), said, "{size}");
        }
        for (size, said) in
            [("100.5", "100.5 bytes"), ("10240.7", "10 kB"), ("-12345678.5", "-12 MB"), ("NaN", "NaN PB")]
        {
            assert_eq!(pretty_numeric(size).ok().as_deref(), Some(said), "{size}");
        }
    }

    #[test]
    fn words_to_sizes() {
        for (text, size) in [
            ("1.5 kb", Some(1536)),
            (" -1e3MB ", Some(-1_048_576_000)),
            ("2.5", Some(3)),
            ("-0.5", Some(-1)),
            (".4", Some(0)),
            ("1 pB", Some(1_125_899_906_842_624)),
            ("1e-400 kB", Some(0)),
            ("9999999 PB", None),
            ("1e400 kB", None),
            ("1e", None),
            ("1 B", None),
            ("abc", None),
            ("", None),
        ] {
            assert_eq!(size_bytes(text).ok(), size, "{text}");
        }
    }
}
