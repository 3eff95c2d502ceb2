//! The send formats of dates, times, intervals and other values of fixed shape.
//! Must not know: Arrow arrays.

use bytes::{BufMut, BytesMut};

use super::input::{Input, invalid, missing};
use crate::error::{Error, Result, SqlState};
use crate::types::calendar::{
    DATE_INFINITY, DATE_NEG_INFINITY, MAX_DATE, MIN_DATE, PG_EPOCH_DAYS, PG_EPOCH_USECS, TS_INFINITY, TS_NEG_INFINITY,
    USECS_PER_DAY,
};
use crate::types::input::datetime::MIN_TIMESTAMP;
use crate::types::text::interval::Interval;

/// Bits of the longest bit string.
const MAX_BITS: i32 = i32::MAX - 7;

fn out_of_range(what: &str) -> Error {
    Error::client(SqlState::DATETIME_FIELD_OVERFLOW, format!("{what} out of range"))
}

/// Sends a date.
pub(crate) fn send_date(days: i32, out: &mut BytesMut) -> Result<()> {
    out.put_i32(sent_date(days)?);
    Ok(())
}

/// A date as it is sent: days since 2000.
#[inline]
pub(crate) fn sent_date(days: i32) -> Result<i32> {
    match days {
        DATE_INFINITY | DATE_NEG_INFINITY => Ok(days),
        _ => days.checked_sub(PG_EPOCH_DAYS).filter(|d| *d != i32::MIN).ok_or_else(|| out_of_range("date")),
    }
}

/// Days since 1970 of a date as it was sent.
#[inline]
pub(crate) fn date(sent: i32) -> Result<i32> {
    if sent == DATE_INFINITY || sent == DATE_NEG_INFINITY {
        return Ok(sent);
    }
    let days = i64::from(sent) + i64::from(PG_EPOCH_DAYS);
    if !(MIN_DATE..=MAX_DATE).contains(&days) {
        return Err(out_of_range("date"));
    }
    Ok(days as i32)
}

/// Sends a timestamp.
pub(crate) fn send_timestamp(usecs: i64, out: &mut BytesMut) -> Result<()> {
    out.put_i64(sent_timestamp(usecs)?);
    Ok(())
}

/// A timestamp as it is sent: microseconds since 2000.
#[inline]
pub(crate) fn sent_timestamp(usecs: i64) -> Result<i64> {
    match usecs {
        TS_INFINITY | TS_NEG_INFINITY => Ok(usecs),
        _ => usecs.checked_sub(PG_EPOCH_USECS).filter(|us| *us != i64::MIN).ok_or_else(|| out_of_range("timestamp")),
    }
}

/// Microseconds since 1970 of a timestamp as it was sent. What does not fit (after the year 294246) is refused.
#[inline]
pub(crate) fn timestamp(sent: i64) -> Result<i64> {
    if sent == TS_INFINITY || sent == TS_NEG_INFINITY {
        return Ok(sent);
    }
    sent.checked_add(PG_EPOCH_USECS)
        .filter(|usecs| (MIN_TIMESTAMP..TS_INFINITY).contains(usecs))
        .ok_or_else(|| out_of_range("timestamp"))
}

/// Microseconds since midnight of a time as it was sent.
#[inline]
pub(crate) fn time(usecs: i64) -> Result<i64> {
    if !(0..=USECS_PER_DAY).contains(&usecs) {
        return Err(out_of_range("time"));
    }
    Ok(usecs)
}

/// Sends a time with time zone: microseconds, and seconds west of UTC.
pub(crate) fn send_timetz(usecs: i64, east: i32, out: &mut BytesMut) {
    out.put_i64(usecs);
    out.put_i32(-east);
}

/// Microseconds and seconds east of UTC of a time with time zone as it was sent.
pub(crate) fn receive_timetz(input: &mut Input<'_>) -> Result<(i64, i32)> {
    let usecs = time(input.i64()?)?;
    let west = input.i32()?;
    if west.unsigned_abs() >= 16 * 3600 {
        return Err(Error::client(SqlState::INVALID_TIME_ZONE_DISPLACEMENT, "time zone displacement out of range"));
    }
    Ok((usecs, -west))
}

/// Sends an interval.
pub(crate) fn send_interval(value: Interval, out: &mut BytesMut) {
    out.extend_from_slice(&interval_bytes(value));
}

/// An interval as it is sent: microseconds, days, months.
#[inline]
pub(crate) fn interval_bytes(value: Interval) -> [u8; 16] {
    let mut bytes = [0u8; 16];
    bytes[..8].copy_from_slice(&value.usecs.to_be_bytes());
    bytes[8..12].copy_from_slice(&value.days.to_be_bytes());
    bytes[12..].copy_from_slice(&value.months.to_be_bytes());
    bytes
}

/// An interval as it was sent.
pub(crate) fn receive_interval(input: &mut Input<'_>) -> Result<Interval> {
    Ok(Interval { usecs: input.i64()?, days: input.i32()?, months: input.i32()? })
}

/// Sends a bit string of digits `0` and `1`: the number of bits, then the bits.
pub(crate) fn send_bits(digits: &str, out: &mut BytesMut) {
    out.put_i32(digits.len() as i32);
    for chunk in digits.as_bytes().chunks(8) {
        let byte = chunk.iter().enumerate().fold(0u8, |byte, (at, d)| byte | (d & 1) << (7 - at));
        out.put_u8(byte);
    }
}

/// Appends the digits of a bit string as it was sent. Bits behind its end count for nothing.
pub(crate) fn receive_bits(input: &mut Input<'_>, out: &mut BytesMut) -> Result<()> {
    let length = input.i32()?;
    let count = usize::try_from(length).ok().filter(|_| length <= MAX_BITS);
    let count = count.ok_or_else(|| invalid("invalid length in external bit string"))?;
    let packed = input.take(count.div_ceil(8))?;
    out.reserve(count);
    for at in 0..count {
        let byte = packed.get(at / 8).copied().ok_or_else(missing)?;
        out.put_u8(b'0' + (byte >> (7 - at % 8) & 1));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_the_ranges() {
        let mut out = BytesMut::new();
        for days in [i32::MAX, i32::MIN, 0, -2_440_588, 2_145_042_905] {
            out.clear();
            send_date(days, &mut out).unwrap();
            assert_eq!(date(Input::new(&out).i32().unwrap()).unwrap(), days);
        }
        for usecs in [i64::MAX, i64::MIN, 0, MIN_TIMESTAMP, i64::MAX - 1] {
            out.clear();
            send_timestamp(usecs, &mut out).unwrap();
            assert_eq!(timestamp(Input::new(&out).i64().unwrap()).unwrap(), usecs);
        }
        // 294276-12-31 is a timestamp of PostgreSQL, but not one that is held here.
        assert!(timestamp(9_223_371_331_199_999_999).is_err());
        assert!(time(-1).is_err() && receive_interval(&mut Input::new(&[0; 15])).is_err());
        assert!(receive_timetz(&mut Input::new(&[0; 8])).is_err());
        out.clear();
        send_bits("10101010101", &mut out);
        assert_eq!(&out[..], [0, 0, 0, 11, 0xaa, 0xa0]);
        let bytes = out.split();
        receive_bits(&mut Input::new(&bytes), &mut out).unwrap();
        assert_eq!(out, "10101010101");
        for bytes in [&[0xff; 4][..], &[0, 0, 0, 9, 1], &[0x7f, 0xff, 0xff, 0xff]] {
            assert!(receive_bits(&mut Input::new(bytes), &mut out).is_err());
        }
    }
}
