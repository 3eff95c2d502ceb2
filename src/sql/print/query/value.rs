//! Constants: literals, parameters, intervals, and the words of the calendar.
//! Must not know: what they are operands of.

use super::super::super::ast::{DateTimeField, Expr, Interval, Value, ValueWithSpan};
use super::super::super::scope::folded;
use super::{Constant, Printer, refuse};
use crate::error::Result;

impl Printer<'_> {
    pub(super) fn value(&mut self, value: &ValueWithSpan) -> Result<()> {
        self.mark_span(value.span);
        let start = self.out.len();
        match &value.value {
            Value::Null => self.put("NULL"),
            Value::Boolean(true) => self.put("TRUE"),
            Value::Boolean(false) => self.put("FALSE"),
            Value::SingleQuotedString(text) => {
                self.text(text)?;
                self.constant(start, Constant::Text);
            }
            Value::Number(digits, false) if is_number(digits) => {
                self.put(digits);
                self.constant(start, number(digits));
            }
            Value::SingleQuotedByteStringLiteral(bits) if bits.bytes().all(|b| matches!(b, b'0' | b'1')) => {
                self.put(&format!("B'{bits}'"));
            }
            Value::HexStringLiteral(digits) if digits.bytes().all(|b| b.is_ascii_hexdigit()) => {
                self.put(&format!("X'{digits}'"));
            }
            Value::Placeholder(name) => {
                let number = name.strip_prefix('$').and_then(|digits| digits.parse::<u16>().ok());
                self.put(&format!("${}", number.filter(|n| *n > 0).ok_or_else(|| refuse("this parameter"))?));
            }
            _ => return Err(refuse("this literal")),
        }
        Ok(())
    }

    pub(super) fn interval(&mut self, interval: &Interval) -> Result<()> {
        let Expr::Value(value) = &*interval.value else { return Err(refuse("this form of interval")) };
        if !matches!(value.value, Value::SingleQuotedString(_)) || interval.leading_precision.is_some() {
            return Err(refuse("this form of interval"));
        }
        self.put("INTERVAL ");
        self.value(value)?;
        for (word, field) in [(" ", &interval.leading_field), (" TO ", &interval.last_field)] {
            if let Some(field) = field {
                self.put(word);
                self.put(interval_field(field)?);
            }
        }
        if let Some(precision) = interval.fractional_seconds_precision {
            self.put(&format!("({precision})"));
        }
        Ok(())
    }
}

/// Digits with at most a point and an exponent. (No other form: a word behind would be a part of it.)
fn is_number(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && digits(exponent)
        && !exponent.is_empty()
}

/// What PostgreSQL takes a number for.
fn number(digits: &str) -> Constant {
    if digits.parse::<i32>().is_ok() {
        Constant::Int4
    } else if digits.parse::<i64>().is_ok() {
        Constant::Int8
    } else {
        Constant::Numeric
    }
}

/// The field of EXTRACT, as PostgreSQL reads it: any word, of which it knows some.
pub(super) fn field_name(field: &DateTimeField) -> Result<String> {
    use DateTimeField as Field;
    let name = match field {
        Field::Year | Field::Years => "year",
        Field::Month | Field::Months => "month",
        Field::Week(None) | Field::Weeks => "week",
        Field::Day | Field::Days => "day",
        Field::Hour | Field::Hours => "hour",
        Field::Minute | Field::Minutes => "minute",
        Field::Second | Field::Seconds => "second",
        Field::Century => "century",
        Field::Decade => "decade",
        Field::Dow => "dow",
        Field::Doy => "doy",
        Field::Epoch => "epoch",
        Field::Isodow => "isodow",
        Field::Isoyear => "isoyear",
        Field::Julian => "julian",
        Field::Microsecond | Field::Microseconds => "microseconds",
        Field::Millenium | Field::Millennium => "millennium",
        Field::Millisecond | Field::Milliseconds => "milliseconds",
        Field::Quarter => "quarter",
        Field::Timezone => "timezone",
        Field::TimezoneHour => "timezone_hour",
        Field::TimezoneMinute => "timezone_minute",
        Field::Custom(ident) => return Ok(folded(ident)),
        _ => return Err(refuse("this field")),
    };
    Ok(name.to_owned())
}

fn interval_field(field: &DateTimeField) -> Result<&'static str> {
    Ok(match field {
        DateTimeField::Year => "YEAR",
        DateTimeField::Month => "MONTH",
        DateTimeField::Day => "DAY",
        DateTimeField::Hour => "HOUR",
        DateTimeField::Minute => "MINUTE",
        DateTimeField::Second => "SECOND",
        _ => return Err(refuse("this form of interval")),
    })
}
