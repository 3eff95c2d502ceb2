//! The settings that decide how values look: DateStyle, IntervalStyle, TimeZone, bytea_output, extra_float_digits.
//! Must not know: sessions, Arrow.

use std::fmt;

use super::zone::TimeZone;
use crate::error::{Error, Result, SqlState};

/// How dates are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DateFormat {
    /// `1997-12-17 07:37:16-08`.
    #[default]
    Iso,
    /// `12/17/1997 07:37:16.00 PST`.
    Sql,
    /// `Wed Dec 17 07:37:16 1997 PST`.
    Postgres,
    /// `17.12.1997 07:37:16.00 PST`.
    German,
}

/// In which order the parts of a date come, where the style leaves it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DateOrder {
    /// Month, day, year.
    #[default]
    Mdy,
    /// Day, month, year.
    Dmy,
    /// Year, month, day.
    Ymd,
}

/// `DateStyle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DateStyle {
    /// How dates are written.
    pub format: DateFormat,
    /// The order of their parts.
    pub order: DateOrder,
}

/// `IntervalStyle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IntervalStyle {
    /// `1 year 2 mons 3 days 04:05:06`.
    #[default]
    Postgres,
    /// `@ 1 year 2 mons 3 days 4 hours 5 mins 6 secs`.
    PostgresVerbose,
    /// `+1-2 +3 +4:05:06`.
    SqlStandard,
    /// `P1Y2M3DT4H5M6S`.
    Iso8601,
}

/// `bytea_output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ByteaOutput {
    /// `\x6162`.
    #[default]
    Hex,
    /// `ab\001`.
    Escape,
}

/// The settings of a session that decide how values look. The default is PostgreSQL's, in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatOptions {
    /// `DateStyle`.
    pub date_style: DateStyle,
    /// `IntervalStyle`.
    pub interval_style: IntervalStyle,
    /// `TimeZone`.
    pub time_zone: TimeZone,
    /// `bytea_output`.
    pub bytea_output: ByteaOutput,
    /// `extra_float_digits`, -15 to 3; above 0: the shortest text that reads back exactly.
    pub extra_float_digits: i32,
}

impl Default for FormatOptions {
    fn default() -> Self {
        FormatOptions {
            date_style: DateStyle::default(),
            interval_style: IntervalStyle::default(),
            time_zone: TimeZone::default(),
            bytea_output: ByteaOutput::default(),
            extra_float_digits: 1,
        }
    }
}

fn invalid(parameter: &str, text: &str) -> Error {
    Error::client(SqlState::INVALID_PARAMETER_VALUE, format!("invalid value for parameter \"{parameter}\": \"{text}\""))
}

/// A word of a DateStyle list.
enum StyleWord {
    Format(DateFormat),
    Order(DateOrder),
    Default,
}

fn style_word(word: &str) -> Option<StyleWord> {
    Some(match word {
        "iso" => StyleWord::Format(DateFormat::Iso),
        "sql" => StyleWord::Format(DateFormat::Sql),
        "german" => StyleWord::Format(DateFormat::German),
        "ymd" => StyleWord::Order(DateOrder::Ymd),
        "dmy" => StyleWord::Order(DateOrder::Dmy),
        "mdy" | "us" => StyleWord::Order(DateOrder::Mdy),
        "default" => StyleWord::Default,
        _ if word.starts_with("postgres") => StyleWord::Format(DateFormat::Postgres),
        _ if word.starts_with("euro") => StyleWord::Order(DateOrder::Dmy),
        _ if word.starts_with("noneuro") => StyleWord::Order(DateOrder::Mdy),
        _ => return None,
    })
}

impl DateStyle {
    /// What `SET DateStyle = text` makes of the current style: a list names a format, an order, or both; what it
    /// leaves out stays.
    /// `default` stands for the boot value, `ISO, MDY`.
    ///
    /// # Errors
    /// `22023` in PostgreSQL's words.
    pub fn parse(text: &str, current: DateStyle) -> Result<DateStyle> {
        let (mut format, mut order) = (None, None);
        let mut german_order = None;
        if text.trim().is_empty() {
            return Ok(current);
        }
        for word in text.split(',') {
            let word = word.trim().trim_matches('"').to_ascii_lowercase();
            if word.is_empty() {
                return Err(invalid("DateStyle", text).with_detail("List syntax is invalid."));
            }
            let conflict = match style_word(&word) {
                Some(StyleWord::Format(new)) => {
                    if new == DateFormat::German && order.is_none() {
                        german_order = Some(DateOrder::Dmy);
                    }
                    format.replace(new).is_some_and(|old| old != new)
                }
                Some(StyleWord::Order(new)) => order.replace(new).is_some_and(|old| old != new),
                Some(StyleWord::Default) => {
                    format.get_or_insert(DateFormat::Iso);
                    order.get_or_insert(DateOrder::Mdy);
                    false
                }
                None => {
                    let detail = format!("Unrecognized key word: \"{word}\".");
                    return Err(invalid("DateStyle", text).with_detail(detail));
                }
            };
            if conflict {
                return Err(invalid("DateStyle", text).with_detail("Conflicting \"datestyle\" specifications."));
            }
        }
        Ok(DateStyle {
            format: format.unwrap_or(current.format),
            order: order.or(german_order).unwrap_or(current.order),
        })
    }
}

impl fmt::Display for DateStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = match self.format {
            DateFormat::Iso => "ISO",
            DateFormat::Sql => "SQL",
            DateFormat::Postgres => "Postgres",
            DateFormat::German => "German",
        };
        let order = match self.order {
            DateOrder::Mdy => "MDY",
            DateOrder::Dmy => "DMY",
            DateOrder::Ymd => "YMD",
        };
        write!(f, "{format}, {order}")
    }
}

impl IntervalStyle {
    /// The style a setting's text means.
    ///
    /// # Errors
    /// `22023` in PostgreSQL's words.
    pub fn parse(text: &str) -> Result<IntervalStyle> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "postgres" => IntervalStyle::Postgres,
            "postgres_verbose" => IntervalStyle::PostgresVerbose,
            "sql_standard" => IntervalStyle::SqlStandard,
            "iso_8601" => IntervalStyle::Iso8601,
            _ => {
                return Err(invalid("IntervalStyle", text)
                    .with_hint("Available values: postgres, postgres_verbose, sql_standard, iso_8601."));
            }
        })
    }
}

impl fmt::Display for IntervalStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IntervalStyle::Postgres => "postgres",
            IntervalStyle::PostgresVerbose => "postgres_verbose",
            IntervalStyle::SqlStandard => "sql_standard",
            IntervalStyle::Iso8601 => "iso_8601",
        })
    }
}

impl ByteaOutput {
    /// The form a setting's text means.
    ///
    /// # Errors
    /// `22023` in PostgreSQL's words.
    pub fn parse(text: &str) -> Result<ByteaOutput> {
        match text.to_ascii_lowercase().as_str() {
            "hex" => Ok(ByteaOutput::Hex),
            "escape" => Ok(ByteaOutput::Escape),
            _ => Err(invalid("bytea_output", text).with_hint("Available values: escape, hex.")),
        }
    }
}

impl fmt::Display for ByteaOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ByteaOutput::Hex => "hex",
            ByteaOutput::Escape => "escape",
        })
    }
}

/// What `SET extra_float_digits = text` means.
///
/// # Errors
/// `22023` in PostgreSQL's words.
pub fn parse_extra_float_digits(text: &str) -> Result<i32> {
    let number = text.trim();
    let rounded = number
        .parse::<i64>()
        .ok()
        .or_else(|| number.parse::<f64>().ok().filter(|f| f.is_finite()).map(|f| f.round_ties_even() as i64))
        .ok_or_else(|| invalid("extra_float_digits", text))?;
    i32::try_from(rounded).ok().filter(|digits| (-15..=3).contains(digits)).ok_or_else(|| {
        let message = format!("{rounded} is outside the valid range for parameter \"extra_float_digits\" (-15 .. 3)");
        Error::client(SqlState::INVALID_PARAMETER_VALUE, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_styles_as_postgresql_takes_them() {
        let mut style = DateStyle::default();
        for (text, shown) in [
            ("german", "German, DMY"),
            ("dmy", "German, DMY"),
            ("iso,mdy", "ISO, MDY"),
            ("European,sql", "SQL, DMY"),
            ("default", "ISO, MDY"),
            ("postgresql", "Postgres, MDY"),
            ("ymd", "Postgres, YMD"),
            ("german", "German, DMY"),
            (" ISO , YMD ", "ISO, YMD"),
            ("german, mdy", "German, MDY"),
            ("", "German, MDY"),
        ] {
            style = DateStyle::parse(text, style).unwrap();
            assert_eq!(style.to_string(), shown, "{text}");
        }
        for (text, detail) in [
            ("foo", "Unrecognized key word: \"foo\"."),
            ("iso,sql", "Conflicting \"datestyle\" specifications."),
            ("iso ,", "List syntax is invalid."),
        ] {
            assert_eq!(DateStyle::parse(text, style).unwrap_err().detail(), Some(detail));
        }
    }

    #[test]
    fn the_other_settings() {
        assert_eq!(IntervalStyle::parse("ISO_8601").unwrap().to_string(), "iso_8601");
        assert_eq!(ByteaOutput::parse("HEX").unwrap().to_string(), "hex");
        assert_eq!(parse_extra_float_digits("1.4").unwrap(), 1);
        assert_eq!(
            parse_extra_float_digits("4").unwrap_err().message(),
            "4 is outside the valid range for parameter \"extra_float_digits\" (-15 .. 3)"
        );
        assert!(parse_extra_float_digits("x").is_err());
    }
}
