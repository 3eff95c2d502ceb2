//! PostgreSQL's send format of numeric: digits to the base of 10000, their weight, sign and display scale.
//! Must not know: Arrow arrays.

use arrow::datatypes::i256;
use bytes::{BufMut, BytesMut};

use super::input::{Input, invalid, missing};
use crate::error::{Error, Result};
use crate::types::numeric::Numeric;
use crate::types::text::decimal::{digits_128, digits_256, magnitude};
use crate::types::text::line::{Line, digits_before};

const POSITIVE: u16 = 0;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEG_INFINITY: u16 = 0xf000;
/// The most digits behind the point that the format can say.
const MAX_SCALE: u16 = 0x3fff;
/// What PostgreSQL sends for an infinity's scale.
const INFINITY_SCALE: u16 = 0x20;

#[inline]
fn heading(count: u16, weight: i16, sign: u16, scale: u16) -> [u8; 8] {
    let words = [count, weight as u16, sign, scale].map(u16::to_be_bytes);
    let mut bytes = [0u8; 8];
    bytes.chunks_exact_mut(2).zip(words).for_each(|(place, word)| place.copy_from_slice(&word));
    bytes
}

fn header(out: &mut BytesMut, count: u16, weight: i16, sign: u16, scale: u16) {
    out.extend_from_slice(&heading(count, weight, sign, scale));
}

/// Long enough for every 128-bit decimal as it is sent, with a length before it.
pub(crate) type Short = Line<128>;

/// A 128-bit decimal in a line, as it is sent. Most fit 64 bits, and a few groups.
#[inline]
pub(crate) fn line_128(value: i128, scale: i32, line: &mut Short) {
    let small = u64::try_from(value.unsigned_abs()).ok().filter(|_| (0..=16).contains(&scale));
    let behind = scale.unsigned_abs().div_ceil(4);
    let aligned = small.and_then(|small| small.checked_mul(10u64.pow((behind * 4).saturating_sub(scale as u32) % 4)));
    let Some(mut rest) = aligned else {
        let mut long = BytesMut::new();
        send_128(value, scale, &mut long);
        return line.slice(&long);
    };
    // What fits 64 bits has five groups at most. The last stands first.
    let mut groups = [0u16; 5];
    let (mut count, mut zeros) = (0, 0);
    for group in &mut groups {
        if rest == 0 {
            break;
        }
        *group = (rest % 10_000) as u16;
        rest /= 10_000;
        count += 1;
        // Zeros at the end are not sent.
        zeros += usize::from(*group == 0 && zeros + 1 == count);
    }
    let weight = if count == 0 { 0 } else { count as i16 - behind as i16 - 1 };
    let sign = if value < 0 { NEGATIVE } else { POSITIVE };
    line.slice(&heading((count - zeros) as u16, weight, sign, scale as u16));
    for group in groups[zeros..count].iter().rev() {
        line.slice(&group.to_be_bytes());
    }
}

/// Sends a 128-bit decimal.
pub(crate) fn send_128(value: i128, scale: i32, out: &mut BytesMut) {
    // Aligned to groups of four, a scale beyond this could need more than 128 bits.
    if !(0..=34).contains(&scale) {
        return send_wide(value < 0, value.unsigned_abs(), scale, out);
    }
    let sign = if value < 0 { NEGATIVE } else { POSITIVE };
    let divisor = 10u128.pow(scale as u32);
    let magnitude = value.unsigned_abs();
    let (whole, rest) = match (u64::try_from(magnitude), u64::try_from(divisor)) {
        (Ok(small), Ok(divisor)) => (u128::from(small / divisor), u128::from(small % divisor)),
        _ => (magnitude / divisor, magnitude % divisor),
    };
    let groups_behind = (scale as usize).div_ceil(4);
    let fraction = rest * 10u128.pow((groups_behind * 4 - scale as usize) as u32);
    // At most 10 groups before the point and 9 behind it.
    let mut groups = [0u16; 20];
    fill(&mut groups[20 - groups_behind..], fraction);
    let before = 20 - groups_behind;
    fill(&mut groups[..before], whole);
    let first = groups.iter().position(|g| *g != 0).unwrap_or(20);
    let last = groups.iter().rposition(|g| *g != 0).map_or(first, |at| at + 1);
    let weight = if first == 20 { 0 } else { before as i16 - first as i16 - 1 };
    header(out, (last - first) as u16, weight, sign_of(sign, first == 20), scale as u16);
    for group in &groups[first..last] {
        out.put_u16(*group);
    }
}

/// Zero has no sign.
const fn sign_of(sign: u16, zero: bool) -> u16 {
    if zero { POSITIVE } else { sign }
}

/// Fills groups from the right with a number's digits to the base of 10000.
fn fill(groups: &mut [u16], value: u128) {
    let mut places = groups.iter_mut().rev();
    let mut wide = value;
    while wide > u128::from(u64::MAX) {
        if let Some(place) = places.next() {
            *place = (wide % 10_000) as u16;
        }
        wide /= 10_000;
    }
    let mut value = wide as u64;
    while value > 0 {
        if let Some(place) = places.next() {
            *place = (value % 10_000) as u16;
        }
        value /= 10_000;
    }
}

fn send_wide(negative: bool, magnitude: u128, scale: i32, out: &mut BytesMut) {
    let mut buffer = [0u8; 40];
    let start = digits_128(&mut buffer, magnitude);
    send_digits(negative, &buffer[start..], scale, out);
}

/// Sends a 256-bit decimal.
pub(crate) fn send_256(value: i256, scale: i32, out: &mut BytesMut) {
    if let Some(narrow) = value.to_i128() {
        return send_128(narrow, scale, out);
    }
    let mut buffer = [0u8; 80];
    let start = digits_256(&mut buffer, magnitude(value));
    send_digits(value.is_negative(), &buffer[start..], scale, out);
}

/// Sends digits (ASCII) of which the last `scale` stand behind the point; a negative scale appends zeros.
fn send_digits(negative: bool, digits: &[u8], scale: i32, out: &mut BytesMut) {
    if scale < 0 {
        let mut long = digits.to_vec();
        long.extend(std::iter::repeat_n(b'0', scale.unsigned_abs() as usize));
        return send_parts(negative, &long, b"", out);
    }
    let places = scale as usize;
    if digits.len() >= places {
        let (whole, fraction) = digits.split_at(digits.len() - places);
        return send_parts(negative, whole, fraction, out);
    }
    let mut fraction = vec![b'0'; places - digits.len()];
    fraction.extend_from_slice(digits);
    send_parts(negative, b"", &fraction, out);
}

/// Sends digits before and behind the point.
fn send_parts(negative: bool, whole: &[u8], fraction: &[u8], out: &mut BytesMut) {
    let start = out.len();
    let leading = whole.iter().position(|d| *d != b'0').unwrap_or(whole.len());
    let whole = &whole[leading..];
    header(out, 0, 0, POSITIVE, fraction.len() as u16);
    let first_digit = out.len();
    let number = |group: &[u8]| group.iter().fold(0u16, |n, d| n * 10 + u16::from(d - b'0'));
    let (head, groups) = whole.split_at(whole.len() % 4);
    if !head.is_empty() {
        out.put_u16(number(head));
    }
    groups.chunks(4).for_each(|group| out.put_u16(number(group)));
    let mut weight = whole.len().div_ceil(4) as i32 - 1;
    for group in fraction.chunks(4) {
        let value = number(group) * 10u16.pow(4 - group.len() as u32);
        // Leading zeros are not digits, they only lower the weight.
        if value == 0 && out.len() == first_digit {
            weight -= 1;
        } else {
            out.put_u16(value);
        }
    }
    while out.len() > first_digit && out.ends_with(&[0, 0]) {
        out.truncate(out.len() - 2);
    }
    let count = (out.len() - first_digit) / 2;
    let (weight, sign) = match count {
        0 => (0, POSITIVE),
        _ => (weight as i16, if negative { NEGATIVE } else { POSITIVE }),
    };
    if let Some(place) = out.get_mut(start..start + 8) {
        place.copy_from_slice(&heading(count as u16, weight, sign, fraction.len() as u16));
    }
}

/// Sends a numeric that is held as its text.
pub(crate) fn send_text(text: &str, out: &mut BytesMut) -> Result<()> {
    let (negative, body) = match text.strip_prefix('-') {
        Some(body) => (true, body),
        None => (false, text),
    };
    let (whole, fraction) = body.split_once('.').unwrap_or((body, ""));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let fits = whole.len() <= 131_072 && fraction.len() <= usize::from(MAX_SCALE);
    if plain(whole) && plain(fraction) && fits && !(whole.is_empty() && fraction.is_empty()) {
        send_parts(negative, whole.as_bytes(), fraction.as_bytes(), out);
        return Ok(());
    }
    // Anything that is not PostgreSQL's own text.
    let number = Numeric::parse(text)?;
    match (&number, number.parts()) {
        (_, Some((negative, digits, scale))) => send_digits(negative, digits.as_bytes(), scale as i32, out),
        (Numeric::NaN, _) => header(out, 0, 0, NAN, 0),
        (Numeric::Infinity, _) => header(out, 0, 0, INFINITY, INFINITY_SCALE),
        _ => header(out, 0, 0, NEG_INFINITY, INFINITY_SCALE),
    }
    Ok(())
}

/// A numeric as it was sent, checked.
pub(crate) enum Received<'a> {
    NaN,
    Infinity,
    NegInfinity,
    Finite { negative: bool, weight: i32, scale: u16, digits: &'a [u8] },
}

fn wrong(what: &str) -> Error {
    invalid(format!("invalid {what} in external \"numeric\" value"))
}

/// Reads a numeric and checks it. Digits behind the scale that it announces are for the caller to leave out.
#[inline]
pub(crate) fn receive<'a>(input: &mut Input<'a>) -> Result<Received<'a>> {
    let (count, weight, sign) = (usize::from(input.u16()?), i32::from(input.i16()?), input.u16()?);
    if !matches!(sign, POSITIVE | NEGATIVE | NAN | INFINITY | NEG_INFINITY) {
        return Err(wrong("sign"));
    }
    let scale = input.u16()?;
    if scale > MAX_SCALE {
        return Err(wrong("scale"));
    }
    let digits = input.take((count * 2).min(input.left()))?;
    if digits.chunks_exact(2).any(|pair| u16::from_be_bytes([pair[0], pair[1]]) > 9999) {
        return Err(wrong("digit"));
    }
    if digits.len() < count * 2 {
        return Err(missing());
    }
    Ok(match sign {
        NAN => Received::NaN,
        INFINITY => Received::Infinity,
        NEG_INFINITY => Received::NegInfinity,
        _ => Received::Finite { negative: sign == NEGATIVE, weight, scale, digits },
    })
}

/// The 128-bit decimal of a received numeric, rounded half away from zero to `scale`; None when it has more digits
/// than fit.
pub(crate) fn to_i128(negative: bool, weight: i32, digits: &[u8], scale: i32) -> Option<i128> {
    let mut value = 0u128;
    // The power of ten of the current group's last digit, seen from the last digit that is kept.
    let mut power = weight * 4 + scale;
    let mut groups = digits.chunks_exact(2).map(|pair| u128::from(u16::from_be_bytes([pair[0], pair[1]])));
    let mut kept = 0;
    for group in groups.by_ref() {
        if power >= 0 {
            value = value.checked_mul(10_000)?.checked_add(group)?;
            kept = power;
            power -= 4;
            continue;
        }
        // The group in which the kept digits end: what is cut off decides the rounding.
        let cut = -power;
        if cut >= 5 {
            kept = 0;
            break;
        }
        let divisor = 10u128.pow(cut as u32);
        // Beyond the last kept group, `kept` is the power that the value still has.
        value = value.checked_mul(10u128.pow((4 - cut) as u32))?.checked_add(group / divisor)?;
        if group % divisor * 2 >= divisor {
            value = value.checked_add(1)?;
        }
        kept = 0;
        break;
    }
    // A received value may stop before the point.
    if kept > 0 && value != 0 {
        value = value.checked_mul(10u128.checked_pow(kept as u32)?)?;
    }
    let value = i128::try_from(value).ok()?;
    Some(if negative { -value } else { value })
}

/// Appends the text of a received numeric.
pub(crate) fn write_text(received: &Received<'_>, out: &mut BytesMut) {
    let (negative, weight, scale, digits) = match received {
        Received::NaN => return out.extend_from_slice(b"NaN"),
        Received::Infinity => return out.extend_from_slice(b"Infinity"),
        Received::NegInfinity => return out.extend_from_slice(b"-Infinity"),
        Received::Finite { negative, weight, scale, digits } => (*negative, *weight, usize::from(*scale), *digits),
    };
    let group = |index: i32| -> u64 {
        let at = usize::try_from(weight - index).ok().map(|at| at * 2);
        at.and_then(|at| digits.get(at..at + 2)).map_or(0, |pair| u64::from(u16::from_be_bytes([pair[0], pair[1]])))
    };
    let mark = out.len();
    if negative {
        out.put_u8(b'-');
    }
    let mut leading = true;
    for index in (0..=weight.max(0)).rev() {
        let value = group(index);
        if leading && value == 0 && index > 0 {
            continue;
        }
        let mut line = Line::<8>::new();
        line.padded(value, if leading { 1 } else { 4 });
        line.flush(out);
        leading = false;
    }
    if scale > 0 {
        write_fraction(&group, scale, out);
    }
    // Zero has no sign, whatever the digits behind its scale are.
    if negative && !out[mark..].iter().any(|byte| matches!(byte, b'1'..=b'9')) {
        let unsigned = out.split_off(mark).split_off(1);
        out.extend_from_slice(&unsigned);
    }
}

fn write_fraction(group: &dyn Fn(i32) -> u64, scale: usize, out: &mut BytesMut) {
    out.put_u8(b'.');
    let mut missing = scale;
    let mut index = -1;
    while missing > 0 {
        let mut four = [b'0'; 4];
        let mut buffer = [0u8; 20];
        let start = digits_before(&mut buffer, group(index));
        let width = (20 - start).min(4);
        four[4 - width..].copy_from_slice(&buffer[20 - width..]);
        out.extend_from_slice(&four[..missing.min(4)]);
        missing = missing.saturating_sub(4);
        index -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(text: &str) -> Vec<u8> {
        let mut out = BytesMut::new();
        send_text(text, &mut out).unwrap();
        out.to_vec()
    }

    #[test]
    fn there_and_back() {
        for text in [
            "0",
            "0.00",
            "1",
            "-1",
            "10000",
            "9999.9999",
            "0.0001",
            "0.00001",
            "-123456789.987654321",
            "1.50",
            "100000000",
            "0.000000000000000000000000000000000001",
            "NaN",
            "Infinity",
            "-Infinity",
            "99999999999999999999999999999999999999",
            "12345678901234567890123456789012345678901234567890.5",
        ] {
            let mut out = BytesMut::new();
            write_text(&receive(&mut Input::new(&sent(text))).unwrap(), &mut out);
            assert_eq!(out, text);
        }
        assert_eq!(sent("NaN"), [0, 0, 0, 0, 0xc0, 0, 0, 0]);
        assert_eq!(sent("Infinity"), [0, 0, 0, 0, 0xd0, 0, 0, 0x20]);
        assert_eq!(sent("-0.50"), [0, 1, 0xff, 0xff, 0x40, 0, 0, 2, 0x13, 0x88]);
    }

    #[test]
    fn decimals_send_what_their_text_sends() {
        let long =
            [u64::MAX.into(), i64::MAX.into(), i128::MAX, i128::MIN, 10i128.pow(37), 10i128.pow(19), 10i128.pow(16)];
        for value in [0i128, 1, -1, 5, 9999, 10_000, -50_000, 123_456_789_012_345].into_iter().chain(long) {
            for scale in [0, 1, 2, 3, 4, 5, 8, 19, 34, 35, 38] {
                let (mut text, mut narrow, mut wide) = (BytesMut::new(), BytesMut::new(), BytesMut::new());
                crate::types::text::decimal::write_128(value, scale, &mut text);
                send_128(value, scale, &mut narrow);
                let mut line = Short::new();
                line_128(value, scale, &mut line);
                assert_eq!(line.as_bytes(), &narrow[..], "{value} {scale}");
                send_256(i256::from_i128(value), scale, &mut wide);
                let text = std::str::from_utf8(&text).unwrap().to_owned();
                assert_eq!(narrow, sent(&text), "{text}");
                assert_eq!(wide, narrow);
                let received = receive(&mut Input::new(&narrow)).unwrap();
                if let Received::Finite { negative, weight, digits, .. } = received
                    && value != i128::MIN
                {
                    let back = to_i128(negative, weight, digits, scale);
                    // The very largest may not fit on the way.
                    assert!(back == Some(value) || (back.is_none() && value.unsigned_abs() > 10u128.pow(37)), "{text}");
                }
            }
        }
    }

    #[test]
    fn rounding_and_hostile_bytes() {
        let value = |text: &str, scale| match receive(&mut Input::new(&sent(text))).unwrap() {
            Received::Finite { negative, weight, digits, .. } => to_i128(negative, weight, digits, scale),
            _ => None,
        };
        assert_eq!(value("1.005", 2), Some(101));
        assert_eq!(value("-1.005", 2), Some(-101));
        assert_eq!(value("1.00499999", 2), Some(100));
        assert_eq!(value("0.5", 0), Some(1));
        assert_eq!(value("0.00005", 4), Some(1));
        assert_eq!(value("0.00000005", 4), Some(0));
        assert_eq!(value("1e30", 0), Some(10i128.pow(30)));
        assert_eq!(value("1e100", 0), None);
        assert_eq!(value("99999999999999999999999999999999999999", 0), Some(10i128.pow(38) - 1));
        for bytes in [
            &b""[..],
            b"\0\x01\0\0\0\0\0\0",
            b"\0\x01\0\0\0\0\0\0\x27\x10",
            b"\0\0\0\0\x12\x34\0\0",
            b"\0\0\0\0\0\0\xff\xff",
            b"\0\0\0\0\0\0\0\0\0",
        ] {
            let mut input = Input::new(bytes);
            assert!(receive(&mut input).and_then(|_| input.end()).is_err());
        }
    }
}
