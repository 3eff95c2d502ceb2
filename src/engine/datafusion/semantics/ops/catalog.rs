//! Functions that tools call beside catalogs: sizes in words, encodings, ages of transactions.
//! Must not know: SQL, catalogs.

use arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion::logical_expr::Expr;

use super::super::cast::Typing;
use super::super::lift::{number_rows, text_rows};
use super::super::value::Bound;
use super::exprs;
use crate::error::Result;
use crate::types::PgType;

/// A function of this family.
pub(super) fn implement(source: &str, args: &[Bound], returns: PgType, typing: &mut Typing) -> Result<Option<Bound>> {
    let all = exprs(args);
    let made = |expr: Expr| Ok(Some(Bound::new(expr, returns)));
    match (source, args) {
        ("pg_size_pretty", [_]) => {
            made(text_rows(source, all, |row| Ok(Some(pretty(i128::from(row.number::<Int64Type>(0)?))))))
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
    }
}
