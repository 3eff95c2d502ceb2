//! The text of dates, times and timestamps in the four styles.
//! Must not know: Arrow arrays, intervals.

use bytes::BytesMut;

use super::line::Line;
use crate::types::calendar::{
    Civil, DATE_INFINITY, DATE_NEG_INFINITY, DAYS, MONTHS, TS_INFINITY, TS_NEG_INFINITY, USECS_PER_DAY, civil, clock,
    weekday,
};
use crate::types::format::{DateFormat, DateOrder, DateStyle};
use crate::types::zone::TimeZone;

/// Long enough for every date and time.
pub(crate) type Text = Line<80>;

/// The text of a date (days since 1970).
pub(crate) fn write_date(days: i32, style: DateStyle, out: &mut BytesMut) {
    let mut line = Text::new();
    date_line(days, style, &mut line);
    line.flush(out);
}

/// The same in a line.
#[inline]
pub(crate) fn date_line(days: i32, style: DateStyle, line: &mut Text) {
    if days == DATE_INFINITY {
        return line.str("infinity");
    }
    if days == DATE_NEG_INFINITY {
        return line.str("-infinity");
    }
    let date = civil(i64::from(days));
    let separator = match style.format {
        DateFormat::Iso => {
            iso_date(line, date);
            return era(line, date);
        }
        DateFormat::Sql => b'/',
        DateFormat::German => b'.',
        DateFormat::Postgres => b'-',
    };
    short_date(line, date, style, separator);
    era(line, date);
}

fn iso_date<const N: usize>(line: &mut Line<N>, date: Civil) {
    line.padded(date.era().0, 4);
    line.push(b'-');
    line.two(date.month);
    line.push(b'-');
    line.two(date.day);
}

fn short_date<const N: usize>(line: &mut Line<N>, date: Civil, style: DateStyle, separator: u8) {
    let day_first = style.format == DateFormat::German || style.order == DateOrder::Dmy;
    let (first, second) = if day_first { (date.day, date.month) } else { (date.month, date.day) };
    line.two(first);
    line.push(separator);
    line.two(second);
    line.push(separator);
    line.padded(date.era().0, 4);
}

fn era<const N: usize>(line: &mut Line<N>, date: Civil) {
    if date.era().1 {
        line.str(" BC");
    }
}

fn time<const N: usize>(line: &mut Line<N>, usecs: i64) {
    let (h, m, s, micros) = clock(usecs);
    line.two(h);
    line.push(b':');
    line.two(m);
    line.push(b':');
    line.two(s);
    line.fraction(micros);
}

/// The text of a time (microseconds since midnight, up to 24:00:00).
pub(crate) fn write_time(usecs: i64, out: &mut BytesMut) {
    let mut line = Text::new();
    time(&mut line, usecs);
    line.flush(out);
}

/// The same in a line.
#[inline]
pub(crate) fn time_line(usecs: i64, line: &mut Text) {
    time(line, usecs);
}

/// An offset from UTC as PostgreSQL writes it: `+02`, `+05:30`, `-04:56:02`.
pub(crate) fn write_offset<const N: usize>(line: &mut Line<N>, east: i32, always_minutes: bool) {
    line.push(if east < 0 { b'-' } else { b'+' });
    let seconds = east.unsigned_abs();
    line.padded(u64::from(seconds / 3600), 2);
    if !seconds.is_multiple_of(3600) || always_minutes {
        line.push(b':');
        line.two(seconds / 60 % 60);
    }
    if !seconds.is_multiple_of(60) {
        line.push(b':');
        line.two(seconds % 60);
    }
}

/// The text of a timestamp (microseconds since 1970), with what stands behind it: nothing, an offset or a zone's name.
fn timestamp(line: &mut Text, usecs: i64, style: DateStyle, zone: &Behind<'_>) {
    let days = usecs.div_euclid(USECS_PER_DAY);
    let date = civil(days);
    let of_day = usecs.rem_euclid(USECS_PER_DAY);
    match style.format {
        DateFormat::Iso => {
            iso_date(line, date);
            line.push(if matches!(zone, Behind::Xsd(_)) { b'T' } else { b' ' });
            time(line, of_day);
        }
        DateFormat::Sql | DateFormat::German => {
            let separator = if style.format == DateFormat::Sql { b'/' } else { b'.' };
            short_date(line, date, style, separator);
            line.push(b' ');
            time(line, of_day);
        }
        DateFormat::Postgres => {
            line.str(DAYS[weekday(days)]);
            line.push(b' ');
            let month = MONTHS[date.month as usize - 1];
            if style.order == DateOrder::Dmy {
                line.two(date.day);
                line.push(b' ');
                line.str(month);
            } else {
                line.str(month);
                line.push(b' ');
                line.two(date.day);
            }
            line.push(b' ');
            time(line, of_day);
            line.push(b' ');
            line.padded(date.era().0, 4);
        }
    }
    match zone {
        Behind::Nothing | Behind::Xsd(None) => {}
        Behind::Offset(east) => write_offset(line, *east, false),
        Behind::Xsd(Some(east)) => write_offset(line, *east, true),
        Behind::Name(name) => {
            line.push(b' ');
            // PostgreSQL's MAXTZLEN.
            line.slice(name.as_bytes().get(..10).unwrap_or(name.as_bytes()));
        }
    }
    era(line, date);
}

/// What stands behind a timestamp.
enum Behind<'a> {
    Nothing,
    Offset(i32),
    Name(&'a str),
    /// As in JSON: `T` between date and time, minutes always.
    Xsd(Option<i32>),
}

fn special(usecs: i64, line: &mut Text) -> bool {
    match usecs {
        TS_INFINITY => line.str("infinity"),
        TS_NEG_INFINITY => line.str("-infinity"),
        _ => return false,
    }
    true
}

/// The text of a timestamp without time zone (microseconds since 1970).
pub(crate) fn write_timestamp(usecs: i64, style: DateStyle, out: &mut BytesMut) {
    let mut line = Text::new();
    timestamp_line(usecs, style, &mut line);
    line.flush(out);
}

/// The same in a line.
#[inline]
pub(crate) fn timestamp_line(usecs: i64, style: DateStyle, line: &mut Text) {
    if !special(usecs, line) {
        timestamp(line, usecs, style, &Behind::Nothing);
    }
}

/// The text of a timestamp in JSON; with a zone, it is one with time zone.
pub(crate) fn write_json_timestamp(usecs: i64, zone: Option<&mut ZoneClock>, out: &mut BytesMut) {
    let mut line = Text::new();
    if !special(usecs, &mut line) {
        let east = zone.map(|zone| zone.offset(usecs.div_euclid(1_000_000)));
        let local = shifted(usecs, east.unwrap_or(0));
        timestamp(&mut line, local, DateStyle::default(), &Behind::Xsd(east));
    }
    line.flush(out);
}

/// The wall clock's reading; at the very ends of the range it stays within it.
fn shifted(usecs: i64, east: i32) -> i64 {
    usecs.saturating_add(i64::from(east) * 1_000_000)
}

/// Offsets of a zone, remembered for the hours around the last instant that was asked for.
pub(crate) struct ZoneClock {
    zone: TimeZone,
    block: i64,
    east: i32,
    abbreviation: Option<String>,
}

/// The hours for which an offset is remembered. No zone changed its clock twice within them.
const BLOCK_SECONDS: i64 = 6 * 3600;

impl ZoneClock {
    pub(crate) fn new(zone: TimeZone) -> ZoneClock {
        ZoneClock { zone, block: i64::MIN, east: 0, abbreviation: None }
    }

    #[inline]
    fn offset(&mut self, unix_seconds: i64) -> i32 {
        let block = unix_seconds.div_euclid(BLOCK_SECONDS);
        if block == self.block {
            return self.east;
        }
        self.abbreviation = None;
        let first = self.zone.offset_at(block * BLOCK_SECONDS);
        if first == self.zone.offset_at(block * BLOCK_SECONDS + BLOCK_SECONDS - 1) {
            self.block = block;
            self.east = first;
            return first;
        }
        self.block = i64::MIN;
        self.zone.offset_at(unix_seconds)
    }

    /// Whether the time has one name in the hours that are remembered: a zone may change the name alone.
    fn has_one_name(&self) -> bool {
        let first = self.block.saturating_mul(BLOCK_SECONDS);
        self.block != i64::MIN
            && self.zone.abbreviation_at(first) == self.zone.abbreviation_at(first + BLOCK_SECONDS - 1)
    }

    /// The text of a timestamp with time zone (microseconds since 1970, UTC) in this zone.
    pub(crate) fn write(&mut self, usecs: i64, style: DateStyle, out: &mut BytesMut) {
        let mut line = Text::new();
        self.line(usecs, style, &mut line);
        line.flush(out);
    }

    /// The same in a line.
    #[inline]
    pub(crate) fn line(&mut self, usecs: i64, style: DateStyle, line: &mut Text) {
        if special(usecs, line) {
            return;
        }
        let seconds = usecs.div_euclid(1_000_000);
        let east = self.offset(seconds);
        let local = shifted(usecs, east);
        if style.format == DateFormat::Iso {
            timestamp(line, local, style, &Behind::Offset(east));
        } else {
            let known = self.abbreviation.take();
            let stays = known.is_some() || self.has_one_name();
            let name = known.unwrap_or_else(|| self.zone.abbreviation_at(seconds));
            timestamp(line, local, style, &Behind::Name(&name));
            self.abbreviation = stays.then_some(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::calendar::days_from_civil;

    fn zoned(usecs: i64, zone: &str, style: &str) -> String {
        let mut out = BytesMut::new();
        let style = DateStyle::parse(style, DateStyle::default()).unwrap();
        ZoneClock::new(TimeZone::parse(zone).unwrap()).write(usecs, style, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn styles_and_zones() {
        let at = days_from_civil(2020, 6, 1) * USECS_PER_DAY + 16 * 3_600_000_000;
        for (style, expected) in [
            ("iso", "2020-06-01 12:00:00-04"),
            ("sql", "06/01/2020 12:00:00 EDT"),
            ("sql,dmy", "01/06/2020 12:00:00 EDT"),
            ("german", "01.06.2020 12:00:00 EDT"),
            ("german,ymd", "01.06.2020 12:00:00 EDT"),
            ("postgres,dmy", "Mon 01 Jun 12:00:00 2020 EDT"),
            ("postgres", "Mon Jun 01 12:00:00 2020 EDT"),
        ] {
            assert_eq!(zoned(at, "America/New_York", style), expected);
        }
        assert_eq!(zoned(at, "America/Sao_Paulo", "sql"), "06/01/2020 13:00:00 -03");
        assert_eq!(zoned(at, "+05:30", "postgres"), "Mon Jun 01 10:30:00 2020 ");
        let long_ago = days_from_civil(-43, 3, 15) * USECS_PER_DAY;
        assert_eq!(zoned(long_ago, "America/New_York", "iso"), "0044-03-14 19:03:58-04:56:02 BC");
        assert_eq!(zoned(i64::MIN, "UTC", "iso"), "-infinity");
    }

    #[test]
    fn the_ends_of_the_range() {
        let mut out = BytesMut::new();
        write_date(2_145_042_905, DateStyle::default(), &mut out);
        assert_eq!(out, "5874897-12-31");
        out.clear();
        write_date(-2_440_588, DateStyle::default(), &mut out);
        assert_eq!(out, "4714-11-24 BC");
        out.clear();
        write_time(USECS_PER_DAY, &mut out);
        assert_eq!(out, "24:00:00");
    }
}
