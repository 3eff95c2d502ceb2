//! Cuts the text of a date, time or interval into fields, as PostgreSQL's ParseDateTime does.
//! Must not know: what the fields mean.

use super::number::is_space;

/// What a field looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Digits, perhaps with a fraction.
    Number,
    /// Parts with `-`, `/` or `.` between, or a name with such signs in it (`America/New_York`).
    Date,
    /// Digits with `:` between.
    Time,
    /// A sign and digits.
    Signed,
    /// A word.
    Word,
    /// A sign and a word (`-infinity`).
    Special,
}

/// A field: what it looks like and its text in lower case.
#[derive(Debug, Clone)]
pub(crate) struct FieldText {
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

/// No sensible date has more.
const MAX_FIELDS: usize = 25;
/// Nor is any longer.
const MAX_LENGTH: usize = 256;

struct Cutter<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cutter<'_> {
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn take_while(&mut self, into: &mut String, wanted: impl Fn(u8) -> bool) {
        while let Some(byte) = self.bytes.get(self.at).filter(|b| wanted(**b)) {
            into.push(byte.to_ascii_lowercase() as char);
            self.at += 1;
        }
    }

    fn take(&mut self, into: &mut String) {
        if let Some(byte) = self.bytes.get(self.at) {
            into.push(byte.to_ascii_lowercase() as char);
            self.at += 1;
        }
    }
}

/// The fields of a text; None when it cannot be a date, a time or an interval. `unit` tells the short words that a
/// number may follow
/// directly (`1h30m`).
pub(crate) fn cut(text: &str, unit: impl Fn(&str) -> bool) -> Option<Vec<FieldText>> {
    if text.len() > MAX_LENGTH || !text.is_ascii() {
        return None;
    }
    let mut cutter = Cutter { bytes: text.as_bytes(), at: 0 };
    let mut fields = Vec::new();
    while cutter.at < cutter.bytes.len() {
        if is_space(cutter.peek()) {
            cutter.at += 1;
            continue;
        }
        let mut field = String::new();
        let kind = match cutter.peek() {
            b'0'..=b'9' => number(&mut cutter, &mut field),
            b'.' => {
                cutter.take(&mut field);
                cutter.take_while(&mut field, |b| b.is_ascii_digit());
                Kind::Number
            }
            b if b.is_ascii_alphabetic() => word(&mut cutter, &mut field, &unit),
            b'+' | b'-' => signed(&mut cutter, &mut field)?,
            b if b.is_ascii_punctuation() => {
                cutter.at += 1;
                continue;
            }
            _ => return None,
        };
        fields.push(FieldText { kind, text: field });
        if fields.len() > MAX_FIELDS {
            return None;
        }
    }
    Some(fields)
}

fn number(cutter: &mut Cutter<'_>, field: &mut String) -> Kind {
    cutter.take_while(field, |b| b.is_ascii_digit());
    match cutter.peek() {
        b':' => {
            cutter.take_while(field, |b| b.is_ascii_digit() || matches!(b, b':' | b'.'));
            Kind::Time
        }
        delimiter @ (b'-' | b'/' | b'.') => {
            cutter.take(field);
            if cutter.peek().is_ascii_digit() {
                let kind = if delimiter == b'.' { Kind::Number } else { Kind::Date };
                cutter.take_while(field, |b| b.is_ascii_digit());
                if cutter.peek() == delimiter {
                    cutter.take(field);
                    cutter.take_while(field, |b| b.is_ascii_digit() || b == delimiter);
                    return Kind::Date;
                }
                return kind;
            }
            // A month's name within a date.
            cutter.take_while(field, |b| b.is_ascii_alphanumeric() || b == delimiter);
            if delimiter == b'.' && field.ends_with('.') { Kind::Number } else { Kind::Date }
        }
        _ => Kind::Number,
    }
}

fn word(cutter: &mut Cutter<'_>, field: &mut String, unit: &impl Fn(&str) -> bool) -> Kind {
    cutter.take_while(field, |b| b.is_ascii_alphabetic());
    let joined = match cutter.peek() {
        b'-' | b'/' | b'.' => true,
        b'+' | b'0'..=b'9' => !unit(field),
        _ => false,
    };
    if !joined {
        return Kind::Word;
    }
    cutter.take_while(field, |b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'/' | b'_' | b'.' | b':'));
    Kind::Date
}

fn signed(cutter: &mut Cutter<'_>, field: &mut String) -> Option<Kind> {
    cutter.take(field);
    while is_space(cutter.peek()) {
        cutter.at += 1;
    }
    match cutter.peek() {
        b'0'..=b'9' => {
            cutter.take_while(field, |b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'-'));
            Some(Kind::Signed)
        }
        b if b.is_ascii_alphabetic() => {
            cutter.take_while(field, |b| b.is_ascii_alphabetic());
            Some(Kind::Special)
        }
        _ => None,
    }
}

/// The microseconds of digits behind a point, rounded half to even as C's rint does; may be a whole second.
pub(crate) fn micros(fraction: &str) -> Option<i64> {
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut value = 0i64;
    for at in 0..6 {
        value = value * 10 + fraction.as_bytes().get(at).map_or(0, |d| i64::from(d - b'0'));
    }
    let rest = fraction.get(6..).unwrap_or_default().trim_end_matches('0');
    let up = match rest.as_bytes() {
        [b'5'] => value % 2 == 1,
        [first, ..] => *first >= b'5',
        [] => false,
    };
    Some(value + i64::from(up))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_usual_texts() {
        let kinds = |text: &str| -> Vec<(Kind, String)> {
            cut(text, |w| matches!(w, "h" | "t")).unwrap().into_iter().map(|f| (f.kind, f.text)).collect()
        };
        let field = |kind, text: &str| (kind, text.to_owned());
        assert_eq!(
            kinds("2020-01-01 10:30:15.5-03:30 BC"),
            [
                field(Kind::Date, "2020-01-01"),
                field(Kind::Time, "10:30:15.5"),
                field(Kind::Signed, "-03:30"),
                field(Kind::Word, "bc")
            ]
        );
        assert_eq!(kinds("20200101T103015").len(), 3);
        assert_eq!(kinds("1h30m").len(), 4);
        assert_eq!(kinds("10:00 America/New_York")[1], field(Kind::Date, "america/new_york"));
        assert_eq!(kinds("-infinity"), [field(Kind::Special, "-infinity")]);
        assert!(cut("ü", |_| false).is_none());
        assert_eq!(micros("1234565"), Some(123_456));
        assert_eq!(micros("9999999"), Some(1_000_000));
    }
}
