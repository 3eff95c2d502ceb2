//! Values of variables: read with their units, written with the unit that people read best.
//! Must not know: which variables there are.

use std::sync::Arc;

use super::{Kind, Unit, Variable};
use crate::error::{Error, Result, SqlState};

/// A variable's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A switch.
    Bool(bool),
    /// A whole number, in the variable's unit.
    Int(i32),
    /// A number, in the variable's unit.
    Real(f64),
    /// One of the variable's words.
    Word(&'static str),
    /// Text.
    Text(Arc<str>),
}

/// Units of time with their milliseconds, and of memory with their bytes; the largest first.
const TIME: [(&str, f64); 6] =
    [("d", 86_400_000.0), ("h", 3_600_000.0), ("min", 60_000.0), ("s", 1_000.0), ("ms", 1.0), ("us", 0.001)];
const MEMORY: [(&str, f64); 5] =
    [("TB", 1_099_511_627_776.0), ("GB", 1_073_741_824.0), ("MB", 1_048_576.0), ("kB", 1_024.0), ("B", 1.0)];

const TIME_HINT: &str = "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".";
const MEMORY_HINT: &str = "Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".";

/// Units that may be written, one of the variable's unit in the smallest of them, and what to say of another.
type Family = (&'static [(&'static str, f64)], f64, &'static str);

impl Unit {
    fn family(self) -> Option<Family> {
        match self {
            Unit::None => None,
            Unit::Millis => Some((&TIME, 1.0, TIME_HINT)),
            Unit::Seconds => Some((&TIME, 1_000.0, TIME_HINT)),
            Unit::Bytes => Some((&MEMORY, 1.0, MEMORY_HINT)),
            Unit::Kib => Some((&MEMORY, 1_024.0, MEMORY_HINT)),
            Unit::Blocks => Some((&MEMORY, 8_192.0, MEMORY_HINT)),
        }
    }
}

/// Reads a value. `name` is the variable as the client wrote it, for messages.
pub(super) fn parse(variable: &Variable, name: &str, text: &str) -> Result<Value> {
    match variable.kind {
        Kind::Bool => parse_bool(text).map(Value::Bool).ok_or_else(|| {
            Error::client(SqlState::INVALID_PARAMETER_VALUE, format!("parameter \"{name}\" requires a Boolean value"))
        }),
        Kind::Int { unit, min, max } => {
            let number = number(name, text, unit)?.round_ties_even();
            if number > f64::from(i32::MAX) || number < f64::from(i32::MIN) {
                return Err(invalid(name, text).with_hint("Value exceeds integer range."));
            }
            let number = number as i32;
            if number < min || number > max {
                let suffix = unit.name().map(|unit| format!(" {unit}")).unwrap_or_default();
                return Err(outside(variable.name, &format!("{number}{suffix}"), &min.to_string(), &max.to_string()));
            }
            Ok(Value::Int(number))
        }
        Kind::Real { unit, min, max } => {
            let number = number(name, text, unit)?;
            if number < min || number > max {
                let suffix = unit.name().map(|unit| format!(" {unit}")).unwrap_or_default();
                return Err(outside(variable.name, &format!("{number}{suffix}"), &short(min), &short(max)));
            }
            Ok(Value::Real(number))
        }
        Kind::Enum(words) => words
            .iter()
            .find(|word| word.eq_ignore_ascii_case(text))
            .map(|word| Value::Word(word))
            .or_else(|| alias(words, text))
            .ok_or_else(|| invalid(name, text).with_hint(format!("Available values: {}.", words.join(", ")))),
        Kind::Text(_) => Ok(Value::Text(text.into())),
    }
}

/// Words that PostgreSQL takes beside those that it lists.
fn alias(words: &'static [&'static str], text: &str) -> Option<Value> {
    let has = |word: &str| words.iter().find(|known| **known == word).map(|known| Value::Word(known));
    if words.contains(&"debug1") {
        return match text.to_ascii_lowercase().as_str() {
            "debug" => has("debug2"),
            "info" => Some(Value::Word("info")),
            _ => None,
        };
    }
    // Enumerations with on and off also take the other spellings of a switch.
    parse_bool(text).and_then(|on| has(if on { "on" } else { "off" }))
}

fn invalid(name: &str, text: &str) -> Error {
    Error::client(SqlState::INVALID_PARAMETER_VALUE, format!("invalid value for parameter \"{name}\": \"{text}\""))
}

fn outside(name: &str, value: &str, min: &str, max: &str) -> Error {
    Error::client(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("{value} is outside the valid range for parameter \"{name}\" ({min} .. {max})"),
    )
}

fn short(number: f64) -> String {
    if number == f64::MAX { "1.79769e+308".to_owned() } else { number.to_string() }
}

/// Any prefix of true, false, yes, no that says which; on, off, of; 1, 0. In any case.
pub(super) fn parse_bool(text: &str) -> Option<bool> {
    let text = text.to_ascii_lowercase();
    let starts = |word: &str| !text.is_empty() && word.starts_with(&text);
    match text.as_str() {
        "1" | "on" => Some(true),
        "0" | "off" | "of" => Some(false),
        _ if starts("true") || starts("yes") => Some(true),
        _ if starts("false") || starts("no") => Some(false),
        _ => None,
    }
}

/// A number with or without a unit, in the variable's unit.
fn number(name: &str, text: &str, unit: Unit) -> Result<f64> {
    let trimmed = text.trim();
    let (number, rest) = leading_number(trimmed).ok_or_else(|| invalid(name, text))?;
    let written = rest.trim();
    if written.is_empty() {
        return Ok(number);
    }
    let Some((units, own, hint)) = unit.family() else { return Err(invalid(name, text)) };
    let (_, factor) =
        units.iter().find(|(unit, _)| *unit == written).ok_or_else(|| invalid(name, text).with_hint(hint))?;
    Ok(number * factor / own)
}

/// The number at the start, as C's strtol (base 0) and strtod read it, and what follows.
fn leading_number(text: &str) -> Option<(f64, &str)> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    if let Some(hex) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        let end = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
        let (digits, rest) = hex.split_at(end);
        return i64::from_str_radix(digits, 16).ok().map(|number| (sign * number as f64, rest));
    }
    let mut end = 0;
    let mut fraction = false;
    let bytes = unsigned.as_bytes();
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'0'..=b'9' => {}
            b'.' if !fraction => fraction = true,
            b'e' | b'E' if exponent(unsigned, end) > 0 => {
                fraction = true;
                end += exponent(unsigned, end);
                break;
            }
            _ => break,
        }
        end += 1;
    }
    let (digits, rest) = unsigned.split_at(end);
    let octal = !fraction && digits.len() > 1 && digits.starts_with('0');
    let number = if octal { i64::from_str_radix(digits, 8).ok()? as f64 } else { digits.parse::<f64>().ok()? };
    Some((sign * number, rest))
}

/// The length of an exponent that begins here; 0 if there is none.
fn exponent(text: &str, at: usize) -> usize {
    let rest = text.get(at + 1..).unwrap_or_default();
    let digits = rest.strip_prefix(['+', '-']).unwrap_or(rest);
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    if count == 0 { 0 } else { 1 + (rest.len() - digits.len()) + count }
}

/// As SHOW writes it: `33s`, `64MB`, `on`.
pub(super) fn show(variable: &Variable, value: &Value) -> String {
    let unit = match variable.kind {
        Kind::Int { unit, .. } | Kind::Real { unit, .. } => unit,
        _ => Unit::None,
    };
    match (value, unit.family()) {
        (Value::Int(number), Some(family)) if *number > 0 => with_unit(f64::from(*number), family),
        (Value::Real(number), Some(family)) if *number > 0.0 => with_unit(*number, family),
        _ => raw(value),
    }
}

/// In the largest unit that leaves a whole number.
fn with_unit(number: f64, (units, own, _): Family) -> String {
    let smallest = number * own;
    for (name, factor) in units {
        let count = smallest / factor;
        if count.fract() == 0.0 {
            return format!("{count}{name}");
        }
    }
    let last = units.last().map_or(("", 1.0), |last| *last);
    format!("{}{}", smallest / last.1, last.0)
}

/// In the variable's own unit, without naming it.
pub(super) fn raw(value: &Value) -> String {
    match value {
        Value::Bool(true) => "on".to_owned(),
        Value::Bool(false) => "off".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Real(number) => short(*number),
        Value::Word(word) => (*word).to_owned(),
        Value::Text(text) => text.to_string(),
    }
}
