//! Makes sense of the fields of a date or time, as PostgreSQL's DecodeDateTime does: any order, names, eras, zones.
//! Must not know: Arrow, what type the result is for.

use super::clock::{read_clock, read_offset, split_letters};
use super::fields::{FieldText, Kind, cut, micros};
use crate::types::calendar::{JULIAN_1970, civil, days_from_civil, days_in_month};
use crate::types::format::DateOrder;
use crate::types::zone::{TimeZone, abbreviation_offset};

/// Why a text is no date.
#[derive(Debug)]
pub(crate) enum Bad {
    /// It does not look like one.
    Format,
    /// A field is out of range.
    Field,
    /// Month or day is, perhaps because they are the other way round.
    MonthDay,
    /// The offset from UTC is.
    Displacement,
    /// A time zone that is not known.
    Zone(String),
    /// `now` and its kin, which are not a constant.
    Relative(String),
}

/// The time zone of a text.
#[derive(Debug, Clone)]
pub(crate) enum ZoneText {
    /// Seconds east of UTC.
    East(i32),
    /// A zone whose offset depends on the date.
    Named(TimeZone),
}

/// What a text says.
#[derive(Debug, Default)]
pub(crate) struct Moment {
    /// `infinity` is true, `-infinity` is false.
    pub(crate) infinite: Option<bool>,
    /// `epoch`.
    pub(crate) epoch: bool,
    /// Days since 1970.
    pub(crate) days: Option<i64>,
    /// Microseconds since midnight.
    pub(crate) time: Option<i64>,
    pub(crate) zone: Option<ZoneText>,
}

#[derive(Default)]
struct Decoder {
    order: DateOrder,
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    julian: Option<i64>,
    text_month: bool,
    two_digits: bool,
    bc: bool,
    era: bool,
    clock: Option<[i64; 4]>,
    /// PM is true.
    noon: Option<bool>,
    zone: Option<ZoneText>,
    special: Moment,
    seen_special: bool,
    /// A prefix that says what the next number is: `j` or `t`.
    prefix: Option<u8>,
    /// Something other than the parts of a date or a zone was read.
    other: bool,
    /// Only a time is wanted: bare numbers are one.
    time_only: bool,
}

const MONTH_NAMES: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const DAY_NAMES: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

fn month_by_name(word: &str) -> Option<i64> {
    let at = MONTH_NAMES.iter().position(|name| *name == word || (word.len() == 3 && name.starts_with(word)));
    at.map(|at| at as i64 + 1).or((word == "sept").then_some(9))
}

fn is_day_name(word: &str) -> bool {
    matches!(word, "tues" | "weds" | "wedn" | "thur" | "thurs")
        || DAY_NAMES.iter().any(|name| *name == word || (word.len() == 3 && name.starts_with(word)))
}

/// Words that a number may follow directly.
fn starts_number(word: &str) -> bool {
    matches!(
        word,
        "t" | "j" | "jd" | "d" | "h" | "m" | "mm" | "s" | "y" | "at" | "on" | "am" | "pm" | "ad" | "bc" | "dst"
    ) || month_by_name(word).is_some()
        || is_day_name(word)
}

/// Reads a date, a time, or both.
pub(crate) fn decode(text: &str, order: DateOrder, time_only: bool) -> Result<Moment, Bad> {
    let fields = cut(text, starts_number).filter(|fields| !fields.is_empty()).ok_or(Bad::Format)?;
    let mut decoder = Decoder { order, time_only, ..Decoder::default() };
    for field in &fields {
        decoder.field(field)?;
    }
    decoder.finish()
}

impl Decoder {
    fn has_date(&self) -> bool {
        self.julian.is_some()
            || (self.year.is_some() && (self.day_of_year.is_some() || (self.month.is_some() && self.day.is_some())))
    }

    fn field(&mut self, field: &FieldText) -> Result<(), Bad> {
        let text = field.text.as_str();
        match field.kind {
            Kind::Date if self.zone_is_next(text) => self.zone_or_time(text),
            Kind::Date => self.date(text),
            Kind::Time => self.clock_text(text),
            Kind::Signed => self.offset(text),
            Kind::Number => self.number_field(text),
            Kind::Word | Kind::Special => self.word(text),
        }
    }

    /// Once month and day are known, what looks like a date is a zone. Where only a time is wanted, a name always is.
    fn zone_is_next(&self, text: &str) -> bool {
        let known = self.julian.is_some() || self.day_of_year.is_some() || (self.month.is_some() && self.day.is_some());
        let name = text.starts_with(|c: char| c.is_ascii_alphabetic());
        known || (self.time_only && name && (self.clock.is_some() || text.contains('/')))
    }

    /// `America/New_York`, `PST8`, or `hhmmss-zz`.
    fn zone_or_time(&mut self, text: &str) -> Result<(), Bad> {
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            let at = text.find('-').filter(|_| self.clock.is_none()).ok_or(Bad::Format)?;
            let (time, offset) = text.split_at(at);
            self.offset(offset)?;
            return self.run_together_time(time);
        }
        if self.zone.is_some() {
            return Err(Bad::Format);
        }
        let zone = TimeZone::by_name(text).or_else(|| {
            text.starts_with(|c: char| c.is_ascii_alphabetic()).then(|| TimeZone::parse(text).ok()).flatten()
        });
        self.zone = Some(ZoneText::Named(zone.ok_or_else(|| Bad::Zone(text.to_owned()))?));
        Ok(())
    }

    /// A date in one piece: its text month first, as that is unambiguous, then the numbers in order.
    fn date(&mut self, text: &str) -> Result<(), Bad> {
        let parts: Vec<&str> = text
            .split(|c: char| !c.is_ascii_alphanumeric())
            .flat_map(split_letters)
            .filter(|part| !part.is_empty())
            .collect();
        if parts.len() > 3 || self.prefix == Some(b'j') {
            return Err(Bad::Format);
        }
        for word in parts.iter().filter(|part| part.starts_with(|c: char| c.is_ascii_alphabetic())) {
            if self.month.is_some() {
                return Err(Bad::Format);
            }
            self.month = Some(month_by_name(word).ok_or(Bad::Format)?);
            self.text_month = true;
        }
        for number in parts.iter().filter(|part| part.starts_with(|c: char| c.is_ascii_digit())) {
            self.number(number)?;
        }
        // PostgreSQL takes a date in one piece only where nothing but a zone came before it.
        if self.has_date() && (self.time_only || !self.other) { Ok(()) } else { Err(Bad::Format) }
    }

    fn set_year(&mut self, value: i64, digits: usize) {
        self.year = Some(value);
        self.two_digits = digits <= 2;
    }

    /// One number of a date: what it means depends on what is known already.
    fn number(&mut self, text: &str) -> Result<(), Bad> {
        let value: i64 = text.parse().map_err(|_| Bad::Field)?;
        let long = text.len() >= 3;
        let of_year = text.len() == 3 && (1..=366).contains(&value);
        if of_year && self.year.is_some() && self.month.is_none() && self.day.is_none() {
            self.day_of_year = Some(value);
            return Ok(());
        }
        if self.day_of_year.is_some() {
            return Err(Bad::Format);
        }
        match (self.year.is_some(), self.month.is_some(), self.day.is_some()) {
            (false, false, false) if long || self.order == DateOrder::Ymd => self.set_year(value, text.len()),
            (false, false, false) if self.order == DateOrder::Dmy => self.day = Some(value),
            (false, false, false) => self.month = Some(value),
            (true, false, false) => self.month = Some(value),
            (false, true, false) if self.text_month && (long || self.order == DateOrder::Ymd) => {
                self.set_year(value, text.len());
            }
            (false, true, false) => self.day = Some(value),
            (true, true, false) if self.text_month && long && self.two_digits => {
                // The first number was the day after all.
                self.day = self.year;
                self.set_year(value, text.len());
            }
            (true, true, false) => self.day = Some(value),
            (false, false, true) => self.month = Some(value),
            (false, true, true) => self.set_year(value, text.len()),
            (true, false, true) => self.month = Some(value),
            (true, true, true) => return Err(Bad::Format),
        }
        Ok(())
    }

    fn number_field(&mut self, text: &str) -> Result<(), Bad> {
        match self.prefix.take() {
            Some(b'j') => return self.julian_day(text),
            Some(b't') => return self.run_together_time(text),
            _ => {}
        }
        let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
        let has_point = text.contains('.');
        let dated = self.has_date() || self.time_only;
        if has_point && !dated && self.year.is_none() && self.month.is_none() && self.day.is_none() {
            return self.date(text);
        }
        if has_point && whole.len() > 2 {
            return self.run_together(text);
        }
        // Once a part of the date and the time are known, a long number is a year.
        let begun = dated || self.year.is_some() || self.month.is_some() || self.day.is_some();
        if whole.len() >= 6 && (!begun || self.clock.is_none()) {
            return self.run_together(text);
        }
        if dated && self.clock.is_none() && whole.len() == 4 {
            return self.run_together_time(text);
        }
        if has_point || dated {
            return Err(Bad::Format);
        }
        self.number(text)
    }

    fn julian_day(&mut self, text: &str) -> Result<(), Bad> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let day: i64 = whole.parse().map_err(|_| Bad::Field)?;
        if day > i64::from(i32::MAX) {
            return Err(Bad::Field);
        }
        if self.year.is_some() || self.month.is_some() || self.day.is_some() {
            return Err(Bad::Format);
        }
        self.julian = Some(day);
        if !fraction.is_empty() {
            let part: f64 = format!("0.{fraction}").parse().map_err(|_| Bad::Format)?;
            let usecs = (part * 86_400e6) as i64;
            self.clock =
                Some([usecs / 3_600_000_000, usecs / 60_000_000 % 60, usecs / 1_000_000 % 60, usecs % 1_000_000]);
        }
        Ok(())
    }

    /// `yyyymmdd`, `yymmdd`, then `hhmmss` or `hhmm`.
    fn run_together(&mut self, text: &str) -> Result<(), Bad> {
        if !text.contains('.') && !self.has_date() && !self.time_only && text.len() >= 6 {
            if self.year.is_some() || self.month.is_some() || self.day.is_some() {
                return Err(Bad::Format);
            }
            let (year, rest) = text.split_at(text.len() - 4);
            self.set_year(year.parse().map_err(|_| Bad::Field)?, year.len());
            self.month = rest.get(..2).and_then(|m| m.parse().ok());
            self.day = rest.get(2..).and_then(|d| d.parse().ok());
            return Ok(());
        }
        self.run_together_time(text)
    }

    fn run_together_time(&mut self, text: &str) -> Result<(), Bad> {
        let (digits, fraction) = text.split_once('.').unwrap_or((text, ""));
        let two = |at: usize| digits.get(at..at + 2).and_then(|d| d.parse::<i64>().ok());
        if self.clock.is_some() {
            return Err(Bad::Format);
        }
        let fraction = micros(fraction).ok_or(Bad::Format)?;
        let (hour, minute, second) = match digits.len() {
            6 => (two(0), two(2), two(4)),
            4 if !text.contains('.') => (two(0), two(2), Some(0)),
            _ => return Err(Bad::Format),
        };
        let (hour, minute, second) = (hour.ok_or(Bad::Format)?, minute.ok_or(Bad::Format)?, second.ok_or(Bad::Format)?);
        if self.time_only {
            return self.set_clock(hour, minute, second, fraction);
        }
        // Behind a date PostgreSQL does not look at the bounds.
        (self.clock, self.other) = (Some([hour, minute, second, fraction]), true);
        Ok(())
    }

    fn set_clock(&mut self, hour: i64, minute: i64, second: i64, fraction: i64) -> Result<(), Bad> {
        if minute > 59 || second > 60 || hour > 24 || (hour == 24 && (minute > 0 || second > 0 || fraction > 0)) {
            return Err(Bad::Field);
        }
        (self.clock, self.other) = (Some([hour, minute, second, fraction]), true);
        Ok(())
    }

    fn clock_text(&mut self, text: &str) -> Result<(), Bad> {
        // A `T` before it says no more than what it looks like.
        if self.clock.is_some() || self.prefix.take() == Some(b'j') {
            return Err(Bad::Format);
        }
        let [hour, minute, second, fraction] = read_clock(text)?;
        self.set_clock(hour, minute, second, fraction)
    }

    fn offset(&mut self, text: &str) -> Result<(), Bad> {
        let east = read_offset(text)?;
        if self.zone.is_some() {
            return Err(Bad::Format);
        }
        self.zone = Some(ZoneText::East(east));
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), Bad> {
        if let Some(month) = month_by_name(word) {
            if let Some(number) = self.month.filter(|_| !self.text_month && self.day.is_none()) {
                self.day = Some(number);
            } else if self.month.is_some() {
                return Err(Bad::Format);
            }
            self.month = Some(month);
            self.text_month = true;
            return Ok(());
        }
        match word {
            "infinity" | "+infinity" => self.special(Moment { infinite: Some(true), ..Moment::default() }),
            "-infinity" => self.special(Moment { infinite: Some(false), ..Moment::default() }),
            "epoch" => self.special(Moment { epoch: true, ..Moment::default() }),
            "now" | "today" | "tomorrow" | "yesterday" => Err(Bad::Relative(word.to_owned())),
            "allballs" => {
                self.zone = Some(ZoneText::East(0));
                self.set_clock(0, 0, 0, 0)
            }
            "am" | "pm" if self.noon.is_none() => {
                (self.noon, self.other) = (Some(word == "pm"), true);
                Ok(())
            }
            "ad" | "bc" if !self.era => {
                (self.bc, self.era, self.other) = (word == "bc", true, true);
                Ok(())
            }
            "j" | "jd" | "julian" => {
                self.prefix = Some(b'j');
                Ok(())
            }
            "t" if self.has_date() || self.time_only || self.year.is_some() => {
                self.prefix = Some(b't');
                Ok(())
            }
            "at" | "on" => Ok(()),
            _ if is_day_name(word) => {
                self.other = true;
                Ok(())
            }
            _ => self.zone_word(word),
        }
    }

    fn special(&mut self, moment: Moment) -> Result<(), Bad> {
        self.seen_special = true;
        self.special = moment;
        Ok(())
    }

    fn zone_word(&mut self, word: &str) -> Result<(), Bad> {
        if word == "dst"
            && let Some(ZoneText::East(east)) = &mut self.zone
        {
            *east += 3600;
            return Ok(());
        }
        if self.zone.is_some() {
            return Err(Bad::Format);
        }
        let zone =
            abbreviation_offset(word).map(ZoneText::East).or_else(|| TimeZone::by_name(word).map(ZoneText::Named));
        self.zone = Some(zone.ok_or(Bad::Format)?);
        Ok(())
    }

    fn finish(mut self) -> Result<Moment, Bad> {
        if self.seen_special {
            let alone = self.year.is_none() && self.month.is_none() && self.clock.is_none() && !self.era;
            return if alone { Ok(self.special) } else { Err(Bad::Format) };
        }
        if self.prefix.is_some() {
            return Err(Bad::Format);
        }
        let days = self.resolve_date()?;
        if let Some(pm) = self.noon.filter(|_| self.clock.is_some() || days.is_some()) {
            // A date with PM and no time is noon.
            let [hour, ..] = self.clock.get_or_insert_default();
            if *hour > 12 {
                return Err(Bad::Field);
            }
            *hour = *hour % 12 + if pm { 12 } else { 0 };
        }
        let time = self.clock.map(|[h, m, s, us]| ((h * 60 + m) * 60 + s) * 1_000_000 + us);
        Ok(Moment { days, time, zone: self.zone, ..Moment::default() })
    }

    fn resolve_date(&self) -> Result<Option<i64>, Bad> {
        if let Some(julian) = self.julian {
            return Ok(Some(julian - JULIAN_1970));
        }
        let outside = |value: Option<i64>, last| value.is_some_and(|value| !(1..=last).contains(&value));
        let wrong = outside(self.month, 12) || outside(self.day, 31);
        let Some(shown) = self.year else {
            if wrong {
                return Err(Bad::MonthDay);
            }
            let partial = self.month.is_some() || self.day.is_some() || self.era;
            return if partial { Err(Bad::Format) } else { Ok(None) };
        };
        let year = match shown {
            _ if self.bc && shown <= 0 => return Err(Bad::Field),
            _ if self.bc => 1 - shown,
            0..=69 if self.two_digits => shown + 2000,
            70..=99 if self.two_digits => shown + 1900,
            1..=9_999_999 => shown,
            // PostgreSQL's int would not hold it, or its calendar ends before.
            _ if shown > i64::from(i32::MAX) || shown <= 0 => return Err(Bad::Field),
            _ => return Ok(Some(i64::MAX)),
        };
        if let Some(day) = self.day_of_year {
            // PostgreSQL counts on into the next year.
            return Ok(Some(days_from_civil(year, 1, 1) + day - 1));
        }
        if wrong {
            return Err(Bad::MonthDay);
        }
        let (Some(month), Some(day)) = (self.month, self.day) else { return Err(Bad::Format) };
        if day > i64::from(days_in_month(year, month as u32)) {
            return Err(Bad::Field);
        }
        let days = days_from_civil(year, month as u32, day as u32);
        debug_assert_eq!(civil(days).day, day as u32);
        Ok(Some(days))
    }
}
