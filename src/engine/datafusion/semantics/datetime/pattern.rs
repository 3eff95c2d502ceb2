//! `to_char` of timestamps: the patterns whose meaning is certain.
//! Must not know: arrays, SQL, time zones.

use super::extract::{Unit, from_timestamp, iso_week};
use super::{DAY, civil};

/// A part of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Field(&'static str),
}

/// The fields that are offered, longer ones before those they begin with.
const FIELDS: [&str; 36] = [
    "SSSSS", "YYYY", "IYYY", "MONTH", "Month", "month", "HH24", "HH12", "SSSS", "DAY", "Day", "day", "DDD", "MON",
    "Mon", "mon", "DY", "Dy", "dy", "YY", "MM", "DD", "HH", "MI", "SS", "MS", "US", "IW", "WW", "AM", "PM", "am", "pm",
    "ID", "Q", "D",
];

/// Numbers may be written in lower case, too.
const NUMBERS: [(&str, &str); 18] = [
    ("sssss", "SSSSS"),
    ("yyyy", "YYYY"),
    ("iyyy", "IYYY"),
    ("hh24", "HH24"),
    ("hh12", "HH12"),
    ("ssss", "SSSS"),
    ("ddd", "DDD"),
    ("yy", "YY"),
    ("mm", "MM"),
    ("dd", "DD"),
    ("hh", "HH"),
    ("mi", "MI"),
    ("ss", "SS"),
    ("ms", "MS"),
    ("us", "US"),
    ("iw", "IW"),
    ("ww", "WW"),
    ("q", "Q"),
];

/// Fields that others begin with and that are not offered.
const OTHERS: [&str; 8] = ["IDDD", "iddd", "IYY", "iyy", "YYY", "yyy", "Y,YYY", "y,yyy"];

/// The field that a format begins with, and the format behind it.
fn field(format: &str) -> Option<(&'static str, &str)> {
    let four = ["YYYY", "yyyy", "IYYY", "iyyy"].iter().any(|field| format.starts_with(field));
    if !four && OTHERS.iter().any(|other| format.starts_with(other)) {
        return None;
    }
    let named = FIELDS.iter().map(|field| (*field, *field));
    let numbers = NUMBERS.iter().copied();
    let (written, field) = named.chain(numbers).find(|(written, _)| format.starts_with(written))?;
    Some((field, format.get(written.len()..)?))
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// The parts of a format; none if it has anything but the offered fields, quoted text and punctuation.
pub(crate) fn pattern(format: &str) -> Option<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut rest = format;
    let text = |pieces: &mut Vec<Piece>, c: char| match pieces.last_mut() {
        Some(Piece::Text(text)) => text.push(c),
        _ => pieces.push(Piece::Text(c.to_string())),
    };
    // FM drops the blanks and zeros that pad the next field.
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("FM") {
            let (field, after) = field(after)?;
            let bare = match field {
                "Month" => "FMMonth",
                "MONTH" => "FMMONTH",
                "month" => "FMmonth",
                "Day" => "FMDay",
                "DAY" => "FMDAY",
                "day" => "FMday",
                "MM" => "FMMM",
                "DD" => "FMDD",
                "HH24" => "FMHH24",
                _ => return None,
            };
            pieces.push(Piece::Field(bare));
            rest = after;
        } else if let Some((field, after)) = field(rest) {
            rest = after;
            // A suffix makes an ordinal or something spelled: not offered.
            if ["TH", "th", "SP"].iter().any(|suffix| rest.starts_with(suffix)) {
                return None;
            }
            pieces.push(Piece::Field(field));
        } else if first == '"' {
            let (quoted, after) = rest.get(1..)?.split_once('"')?;
            if quoted.contains('\\') {
                return None;
            }
            quoted.chars().for_each(|c| text(&mut pieces, c));
            rest = after;
        } else if first.is_ascii() && !first.is_ascii_alphanumeric() && first != '\\' {
            text(&mut pieces, first);
            rest = rest.get(1..)?;
        } else {
            return None;
        }
    }
    Some(pieces)
}

/// A local time in a format.
pub(crate) fn formatted(pieces: &[Piece], local: i64) -> String {
    let mut out = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Field(field) => out.push_str(&shown(field, local)),
        }
    }
    out
}

fn shown(field: &str, local: i64) -> String {
    let (day, time) = (local.div_euclid(DAY), local.rem_euclid(DAY));
    let (year, month, of_month) = civil(day);
    let shown_year = if year > 0 { year } else { 1 - year };
    let (hour, minute, second) = (time / 3_600_000_000, time / 60_000_000 % 60, time / 1_000_000 % 60);
    let number = |unit| from_timestamp(unit, local, local).map_or(0, |(value, _)| value);
    let month_name = MONTHS.get(month as usize - 1).copied().unwrap_or("");
    let day_name = DAYS.get(number(Unit::DayOfWeek) as usize).copied().unwrap_or("");
    let short = |name: &str| name.get(..3).unwrap_or(name).to_owned();
    let noon = if hour >= 12 { "PM" } else { "AM" };
    match field {
        "YYYY" => format!("{shown_year:04}"),
        "YY" => format!("{:02}", shown_year % 100),
        "IYYY" => format!("{:04}", iso_week(day).0),
        "IW" => format!("{:02}", iso_week(day).1),
        "WW" => format!("{:02}", (number(Unit::DayOfYear) - 1) / 7 + 1),
        "MM" => format!("{month:02}"),
        "FMMM" => month.to_string(),
        "DD" => format!("{of_month:02}"),
        "FMDD" => of_month.to_string(),
        "DDD" => format!("{:03}", number(Unit::DayOfYear)),
        "HH24" => format!("{hour:02}"),
        "FMHH24" => hour.to_string(),
        "HH" | "HH12" => format!("{:02}", (hour + 11) % 12 + 1),
        "MI" => format!("{minute:02}"),
        "SS" => format!("{second:02}"),
        "SSSS" | "SSSSS" => (time / 1_000_000).to_string(),
        "MS" => format!("{:03}", time / 1000 % 1000),
        "US" => format!("{:06}", time % 1_000_000),
        "Q" => number(Unit::Quarter).to_string(),
        "D" => (number(Unit::DayOfWeek) + 1).to_string(),
        "ID" => number(Unit::IsoDayOfWeek).to_string(),
        "AM" | "PM" => noon.to_owned(),
        "am" | "pm" => noon.to_ascii_lowercase(),
        "Month" => format!("{month_name:<9}"),
        "MONTH" => format!("{:<9}", month_name.to_ascii_uppercase()),
        "month" => format!("{:<9}", month_name.to_ascii_lowercase()),
        "FMMonth" => month_name.to_owned(),
        "FMMONTH" => month_name.to_ascii_uppercase(),
        "FMmonth" => month_name.to_ascii_lowercase(),
        "Mon" => short(month_name),
        "MON" => short(month_name).to_ascii_uppercase(),
        "mon" => short(month_name).to_ascii_lowercase(),
        "Day" => format!("{day_name:<9}"),
        "DAY" => format!("{:<9}", day_name.to_ascii_uppercase()),
        "day" => format!("{:<9}", day_name.to_ascii_lowercase()),
        "FMDay" => day_name.to_owned(),
        "FMDAY" => day_name.to_ascii_uppercase(),
        "FMday" => day_name.to_ascii_lowercase(),
        "Dy" => short(day_name),
        "DY" => short(day_name).to_ascii_uppercase(),
        _ => short(day_name).to_ascii_lowercase(),
    }
}
