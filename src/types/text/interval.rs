//! The text of intervals in the four IntervalStyles.
//! Must not know: Arrow arrays, dates.

use bytes::BytesMut;

use super::line::Line;
use crate::types::format::IntervalStyle;

/// An interval in PostgreSQL's three parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Interval {
    pub(crate) months: i32,
    pub(crate) days: i32,
    pub(crate) usecs: i64,
}

/// Long enough for every interval.
type Text = Line<160>;

/// The parts as they are written: all of one interval's time has one sign.
struct Fields {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
}

impl Fields {
    fn of(value: Interval) -> Fields {
        let seconds = value.usecs / 1_000_000;
        Fields {
            year: i64::from(value.months / 12),
            month: i64::from(value.months % 12),
            day: i64::from(value.days),
            hour: seconds / 3600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
            micros: value.usecs % 1_000_000,
        }
    }

    fn time_is_negative(&self) -> bool {
        self.hour < 0 || self.minute < 0 || self.second < 0 || self.micros < 0
    }

    fn has_time(&self) -> bool {
        self.hour != 0 || self.minute != 0 || self.second != 0 || self.micros != 0
    }

    /// Seconds and their fraction, without sign.
    fn seconds(&self, line: &mut Text, width: usize) {
        line.padded(self.second.unsigned_abs(), width);
        line.fraction(self.micros.unsigned_abs() as u32);
    }

    /// `hh:mm:ss.ffffff` without sign.
    fn time(&self, line: &mut Text, hour_width: usize) {
        line.padded(self.hour.unsigned_abs(), hour_width);
        line.push(b':');
        line.padded(self.minute.unsigned_abs(), 2);
        line.push(b':');
        self.seconds(line, 2);
    }
}

/// The text of an interval.
pub(crate) fn write_interval(value: Interval, style: IntervalStyle, out: &mut BytesMut) {
    let fields = Fields::of(value);
    let mut line = Text::new();
    match style {
        IntervalStyle::Postgres => postgres(&fields, &mut line),
        IntervalStyle::PostgresVerbose => verbose(&fields, &mut line),
        IntervalStyle::SqlStandard => sql_standard(&fields, &mut line),
        IntervalStyle::Iso8601 => iso_8601(&fields, &mut line),
    }
    line.flush(out);
}

fn postgres(fields: &Fields, line: &mut Text) {
    let mut empty = true;
    // A positive part after a negative one needs its sign.
    let mut after_negative = false;
    for (value, unit) in [(fields.year, "year"), (fields.month, "mon"), (fields.day, "day")] {
        if value == 0 {
            continue;
        }
        if !empty {
            line.push(b' ');
        }
        if after_negative && value > 0 {
            line.push(b'+');
        }
        line.int(value);
        line.push(b' ');
        line.str(unit);
        if value != 1 {
            line.push(b's');
        }
        after_negative = value < 0;
        empty = false;
    }
    if empty || fields.has_time() {
        if !empty {
            line.push(b' ');
        }
        if fields.time_is_negative() {
            line.push(b'-');
        } else if after_negative {
            line.push(b'+');
        }
        fields.time(line, 2);
    }
}

fn verbose(fields: &Fields, line: &mut Text) {
    line.push(b'@');
    let mut empty = true;
    // The first part's sign is that of the whole: `ago`.
    let mut ago = false;
    for (value, unit) in [
        (fields.year, "year"),
        (fields.month, "mon"),
        (fields.day, "day"),
        (fields.hour, "hour"),
        (fields.minute, "min"),
    ] {
        if value == 0 {
            continue;
        }
        let mut shown = value;
        if empty {
            ago = value < 0;
            shown = value.abs();
        } else if ago {
            shown = -value;
        }
        line.push(b' ');
        line.int(shown);
        line.push(b' ');
        line.str(unit);
        if shown != 1 {
            line.push(b's');
        }
        empty = false;
    }
    if fields.second != 0 || fields.micros != 0 {
        line.push(b' ');
        if fields.second < 0 || fields.micros < 0 {
            if empty {
                ago = true;
            } else if !ago {
                line.push(b'-');
            }
        } else if ago {
            line.push(b'-');
        }
        fields.seconds(line, 1);
        line.str(if fields.second.abs() != 1 || fields.micros != 0 { " secs" } else { " sec" });
        empty = false;
    }
    if empty {
        line.str(" 0");
    }
    if ago {
        line.str(" ago");
    }
}

fn iso_8601(fields: &Fields, line: &mut Text) {
    line.push(b'P');
    let date = [(fields.year, b'Y'), (fields.month, b'M'), (fields.day, b'D')];
    if date.iter().all(|(value, _)| *value == 0) && !fields.has_time() {
        return line.str("T0S");
    }
    let part = |line: &mut Text, value: i64, unit: u8| {
        if value != 0 {
            line.int(value);
            line.push(unit);
        }
    };
    for (value, unit) in date {
        part(line, value, unit);
    }
    if fields.has_time() {
        line.push(b'T');
        part(line, fields.hour, b'H');
        part(line, fields.minute, b'M');
        if fields.second != 0 || fields.micros != 0 {
            if fields.second < 0 || fields.micros < 0 {
                line.push(b'-');
            }
            fields.seconds(line, 1);
            line.push(b'S');
        }
    }
}

fn sql_standard(fields: &Fields, line: &mut Text) {
    let months_negative = fields.year < 0 || fields.month < 0;
    let has_months = fields.year != 0 || fields.month != 0;
    let negative = months_negative || fields.day < 0 || fields.time_is_negative();
    let positive = fields.year > 0
        || fields.month > 0
        || fields.day > 0
        || fields.hour > 0
        || fields.minute > 0
        || fields.second > 0
        || fields.micros > 0;
    if !negative && !positive {
        return line.push(b'0');
    }
    let has_day_time = fields.day != 0 || fields.has_time();
    let months = |line: &mut Text| {
        line.padded(fields.year.unsigned_abs(), 1);
        line.push(b'-');
        line.padded(fields.month.unsigned_abs(), 1);
    };
    if (negative && positive) || (has_months && has_day_time) {
        // The standard has no such interval: every part gets its sign.
        let sign = |negative: bool| if negative { b'-' } else { b'+' };
        line.push(sign(months_negative));
        months(line);
        line.push(b' ');
        line.push(sign(fields.day < 0));
        line.padded(fields.day.unsigned_abs(), 1);
        line.push(b' ');
        line.push(sign(fields.time_is_negative()));
        return fields.time(line, 1);
    }
    if negative {
        line.push(b'-');
    }
    if has_months {
        return months(line);
    }
    if fields.day != 0 {
        line.padded(fields.day.unsigned_abs(), 1);
        line.push(b' ');
    }
    fields.time(line, 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(months: i32, days: i32, usecs: i64) -> [String; 4] {
        [IntervalStyle::Postgres, IntervalStyle::PostgresVerbose, IntervalStyle::SqlStandard, IntervalStyle::Iso8601]
            .map(|style| {
                let mut out = BytesMut::new();
                write_interval(Interval { months, days, usecs }, style, &mut out);
                String::from_utf8(out.to_vec()).unwrap()
            })
    }

    #[test]
    fn four_styles() {
        assert_eq!(all(0, 0, 0), ["00:00:00", "@ 0", "0", "PT0S"]);
        assert_eq!(
            all(14, 3, 14_706_700_000),
            [
                "1 year 2 mons 3 days 04:05:06.7",
                "@ 1 year 2 mons 3 days 4 hours 5 mins 6.7 secs",
                "+1-2 +3 +4:05:06.7",
                "P1Y2M3DT4H5M6.7S"
            ]
        );
        assert_eq!(
            all(-14, 3, -14_706_000_000),
            [
                "-1 years -2 mons +3 days -04:05:06",
                "@ 1 year 2 mons -3 days 4 hours 5 mins 6 secs ago",
                "-1-2 +3 -4:05:06",
                "P-1Y-2M3DT-4H-5M-6S"
            ]
        );
    }
}
