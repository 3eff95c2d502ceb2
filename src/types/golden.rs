//! Holds the types against golden data that a real PostgreSQL 15 wrote: both text directions, both binary directions.
//! Must not know: how the data was made (tests/golden/types.sh).

use arrow::array::ArrayRef;
use bytes::{Buf, BytesMut};

use super::*;
use crate::error::Error;

const TYPES: &str = include_str!("../../tests/golden/types.tsv");
const NUMERIC: &str = include_str!("../../tests/golden/numeric.tsv");

/// A field of COPY's text format.
fn unescape(text: &str) -> Option<String> {
    if text == "\\N" {
        return None;
    }
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('t') => out.push('\t'),
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('b') => out.push('\x08'),
                Some('f') => out.push('\x0c'),
                Some('v') => out.push('\x0b'),
                Some(other) => out.push(other),
                None => {}
            },
            _ => out.push(c),
        }
    }
    Some(out)
}

/// The four sets of settings of the golden file.
fn settings() -> [FormatOptions; 4] {
    let make = |style: &str, intervals: &str, zone: &str, bytes: &str, digits: i32| FormatOptions {
        date_style: DateStyle::parse(style, DateStyle::default()).unwrap(),
        interval_style: IntervalStyle::parse(intervals).unwrap(),
        time_zone: TimeZone::parse(zone).unwrap(),
        bytea_output: ByteaOutput::parse(bytes).unwrap(),
        extra_float_digits: digits,
    };
    [
        make("ISO, MDY", "postgres", "UTC", "hex", 1),
        make("SQL, DMY", "postgres_verbose", "America/New_York", "escape", 0),
        make("Postgres, MDY", "sql_standard", "Asia/Kolkata", "hex", -3),
        make("German, DMY", "iso_8601", "Europe/Berlin", "escape", 3),
    ]
}

/// Values PostgreSQL has and the storage here refuses, as it must: NaN as a decimal, times beyond the ends of
/// Arrow's types.
fn cannot_be_held(pg: PgType, shown: &str, error: &Error) -> bool {
    match error.state().code() {
        "22003" => shown == "NaN" && pg.precision_scale().is_some(),
        "22008" => shown.starts_with("29427") || shown.starts_with("29424") || pg.oid == PgType::INTERVAL.oid,
        _ => false,
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

fn shown(error: &Error) -> String {
    let (detail, hint) = (error.detail().unwrap_or_default(), error.hint().unwrap_or_default());
    format!("{}|{}|{detail}|{hint}", error.state(), error.message())
}

struct Check<'a> {
    pg: PgType,
    input: String,
    expected: Vec<Option<String>>,
    failures: &'a mut Vec<String>,
}

impl Check<'_> {
    fn same(&mut self, what: &str, ours: &str, theirs: &str) {
        if ours != theirs {
            self.failures.push(format!(
                "{} {:?}: {what}: ours {ours:?}, PostgreSQL's {theirs:?}",
                self.pg.display_name(),
                self.input
            ));
        }
    }

    fn run(&mut self) {
        let mut builder = ColumnBuilder::new(self.pg, 1);
        let read = builder.append_text(Some(&self.input), &FormatOptions::default());
        let refused = self.expected[5].clone();
        match (read, refused) {
            (Err(error), Some(theirs)) => self.same("error", &shown(&error), &theirs),
            (Err(error), None) => {
                let text = self.expected[0].clone().unwrap_or_default();
                if !cannot_be_held(self.pg, &text, &error) {
                    self.same("error", &shown(&error), &text);
                }
            }
            (Ok(()), Some(theirs)) => {
                let made = row_text(&field("c", self.pg, true), &builder.finish(), 0, &FormatOptions::default());
                self.same("no error", &made.unwrap().unwrap_or_default(), &theirs);
            }
            (Ok(()), None) => self.values(&builder.finish()),
        }
    }

    fn values(&mut self, array: &ArrayRef) {
        let made = field("c", self.pg, true);
        for (at, options) in settings().iter().enumerate() {
            let ours = match row_text(&made, array, 0, options) {
                Ok(text) => text.unwrap_or_default(),
                Err(error) => error.to_string(),
            };
            let theirs = self.expected[at].clone().unwrap_or_default();
            self.same(&format!("text {at}"), &ours, &theirs);
        }
        let theirs = self.expected[4].clone().unwrap_or_default();
        let ours = binary_encoder(&made).and_then(|mut encoder| {
            encoder.bind(array)?;
            let mut out = BytesMut::new();
            encoder.encode(0, &mut out)?;
            assert_eq!(out.get_i32() as usize, out.len());
            Ok(out)
        });
        match ours {
            Ok(bytes) => {
                let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                self.same("binary", &text, &theirs);
            }
            Err(error) => self.same("binary", &error.to_string(), &theirs),
        }
        if binary_readable(self.pg.oid) {
            let mut builder = ColumnBuilder::new(self.pg, 1);
            match builder.append_binary(Some(&hex(&theirs))) {
                Ok(()) => {
                    let back = row_text(&made, &builder.finish(), 0, &FormatOptions::default());
                    let text = self.expected[0].clone().unwrap_or_default();
                    self.same("read from binary", &back.unwrap().unwrap_or_default(), &text);
                }
                Err(error) => self.same("read from binary", &error.to_string(), &theirs),
            }
        }
    }
}

#[test]
fn types_as_postgresql_has_them() {
    let mut failures = Vec::new();
    let mut count = 0;
    for line in TYPES.lines() {
        let fields: Vec<Option<String>> = line.split('\t').map(unescape).collect();
        let name = fields[0].clone().unwrap();
        let pg = PgType::from_name(&name).unwrap_or_else(|| panic!("{name}"));
        let input = fields[1].clone().unwrap();
        // What depends on the moment is the engine's.
        if input == "now" {
            continue;
        }
        Check { pg, input, expected: fields[2..].to_vec(), failures: &mut failures }.run();
        count += 1;
    }
    assert!(count > 1000);
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

fn compute(op: &str, a: &str, b: &str) -> Result<String, Error> {
    let number = Numeric::parse;
    Ok(match op {
        "+" => number(a)?.add(&number(b)?)?.to_string(),
        "-" => number(a)?.sub(&number(b)?)?.to_string(),
        "*" => number(a)?.mul(&number(b)?)?.to_string(),
        "/" => number(a)?.div(&number(b)?)?.to_string(),
        "%" => number(a)?.rem(&number(b)?)?.to_string(),
        "cmp" => {
            let order = number(a)?.cmp(&number(b)?);
            assert_eq!(number(a)?.sort_key().cmp(&number(b)?.sort_key()), order, "sort keys of {a} and {b}");
            (order as i8).to_string()
        }
        "round" => number(a)?.round(b.parse().unwrap())?.to_string(),
        "trunc" => number(a)?.trunc(b.parse().unwrap())?.to_string(),
        "int8" => number(a)?.to_i64()?.to_string(),
        "float8" => Numeric::from_f64(a.parse().unwrap()).to_string(),
        "float4" => Numeric::from_f32(a.parse().unwrap()).to_string(),
        "fit" => {
            let (precision, scale) = b.split_once(',').unwrap();
            number(a)?.to_precision(precision.parse().unwrap(), scale.parse().unwrap())?.to_string()
        }
        other => panic!("{other}"),
    })
}

#[test]
fn numbers_as_postgresql_reckons_them() {
    let mut failures = Vec::new();
    for line in NUMERIC.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [op, a, b, theirs] = fields[..] else { panic!("{line}") };
        let ours = compute(op, a, b).unwrap_or_else(|error| format!("error:{}", error.state()));
        if ours != theirs {
            failures.push(format!("{a} {op} {b}: ours {ours}, PostgreSQL's {theirs}"));
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}
