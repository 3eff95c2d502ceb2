//! Parts of dates and times in one piece: clocks, offsets from UTC, letters run together with digits.
//! Must not know: what they belong to.

use super::decode::Bad;
use super::fields::micros;

/// Cuts a part such as `08jan` where letters and digits meet.
pub(super) fn split_letters(part: &str) -> impl Iterator<Item = &str> {
    let mut rest = part;
    std::iter::from_fn(move || {
        let letters = rest.chars().next()?.is_ascii_alphabetic();
        let end = rest.find(|c: char| c.is_ascii_alphabetic() != letters).unwrap_or(rest.len());
        let (head, tail) = rest.split_at(end);
        rest = tail;
        Some(head)
    })
}

/// `hh:mm`, `hh:mm:ss`, `hh:mm:ss.f`, `mm:ss.f`. Bounds of the hour are the caller's.
pub(super) fn read_clock(text: &str) -> Result<[i64; 4], Bad> {
    let (clock, fraction) = match text.split_once('.') {
        Some((clock, fraction)) => (clock, Some(micros(fraction).ok_or(Bad::Format)?)),
        None => (text, None),
    };
    let mut parts = clock.split(':');
    let mut next = || -> Result<Option<i64>, Bad> {
        // PostgreSQL reads nothing as zero.
        let number = |part: &str| if part.is_empty() { Ok(0) } else { part.parse::<i64>().map_err(|_| Bad::Field) };
        parts.next().map(number).transpose()
    };
    let (first, second, third) = (next()?, next()?, next()?);
    if next()?.is_some() {
        return Err(Bad::Format);
    }
    let found = match (first, second, third, fraction) {
        (Some(hour), Some(minute), Some(second), fraction) => [hour, minute, second, fraction.unwrap_or(0)],
        (Some(hour), Some(minute), None, None) => [hour, minute, 0, 0],
        (Some(minute), Some(second), None, Some(fraction)) => [0, minute, second, fraction],
        _ => return Err(Bad::Format),
    };
    if found[1] > 59 || found[2] > 60 {
        return Err(Bad::Field);
    }
    Ok(found)
}

/// `+hh`, `+hhmm`, `+hh:mm`, `+hh:mm:ss` as seconds east of UTC.
pub(super) fn read_offset(text: &str) -> Result<i32, Bad> {
    let digits = text.get(1..).ok_or(Bad::Format)?;
    let mut parts = [0i64; 3];
    let mut rest = "";
    if digits.contains(':') {
        if digits.split(':').count() > 3 {
            return Err(Bad::Format);
        }
        for (place, part) in parts.iter_mut().zip(digits.split(':')) {
            *place = part.parse().map_err(|_| Bad::Format)?;
        }
    } else {
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let (number, tail) = digits.split_at(end);
        rest = tail;
        let number: i64 = number.parse().map_err(|_| Bad::Displacement)?;
        let together = digits.len() > 2 && rest.is_empty();
        (parts[0], parts[1]) = if together { (number / 100, number % 100) } else { (number, 0) };
    }
    let [hour, minute, second] = parts;
    if hour > 15 || minute > 59 || second > 59 {
        return Err(Bad::Displacement);
    }
    if !rest.is_empty() {
        return Err(Bad::Format);
    }
    let seconds = (hour * 3600 + minute * 60 + second) as i32;
    Ok(if text.starts_with('-') { -seconds } else { seconds })
}
