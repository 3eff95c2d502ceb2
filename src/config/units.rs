//! Units in values: `"30s"`, `"64MiB"`, `"60%"`.
//! Must not know: which key a value belongs to.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use super::Size;

/// What a duration looks like, for messages.
const DURATION_FORM: &str = "a duration such as \"250ms\", \"30s\", \"5m\", \"24h\" or \"30d\"";

/// What a size looks like, for messages.
const SIZE_FORM: &str = "a size such as \"64KiB\", \"512MiB\" or \"4GiB\"";

/// Parses a duration: a whole number and one of `ms s m h d`.
///
/// # Errors
/// A message for the config's author.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("invalid duration \"{text}\": expected {DURATION_FORM}");
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    // A bound that no timer overflows on: some 285 years.
    number
        .checked_mul(milliseconds)
        .filter(|total| *total <= 9_000_000_000_000)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("duration \"{text}\" is too long"))
}

/// Parses a size in bytes: a whole number and one of `B KiB MiB GiB TiB`; `"0"` needs no unit.
///
/// # Errors
/// A message for the config's author.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("invalid size \"{text}\": expected {SIZE_FORM}");
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let factor: u64 = match unit {
        "B" => 1,
        "" if number == 0 => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(wrong()),
    };
    // i64 is what the counters and the views hold.
    number
        .checked_mul(factor)
        .filter(|total| i64::try_from(*total).is_ok())
        .ok_or_else(|| format!("size \"{text}\" is too large"))
}

/// Parses a size in bytes or per cent of memory.
///
/// # Errors
/// A message for the config's author.
pub(super) fn size(text: &str) -> Result<Size, String> {
    let Some(percent) = text.strip_suffix('%') else {
        return bytes(text)
            .map(Size::Bytes)
            .map_err(|message| format!("{message}, or a share of memory such as \"60%\""));
    };
    match percent.parse::<u8>() {
        Ok(share @ 1..=100) if percent.bytes().all(|b| b.is_ascii_digit()) => Ok(Size::Percent(share)),
        _ => Err(format!("invalid size \"{text}\": a share of memory is \"1%\" to \"100%\"")),
    }
}

/// A duration as people read it: `30s`, `250ms`, `5m`.
pub(super) fn show_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    for (unit, factor) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if ms >= factor && ms.is_multiple_of(factor) {
            return format!("{}{unit}", ms / factor);
        }
    }
    if ms == 0 { "0s".to_owned() } else { format!("{ms}ms") }
}

/// A size as people read it: `64MiB`, `1000B`.
pub(super) fn show_bytes(bytes: u64) -> String {
    for (unit, shift) in [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)] {
        if bytes >= 1 << shift && bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    format!("{bytes}B")
}

/// The leading digits and what follows them.
fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// Reads a string and parses it, with the parser's message at the value's place in the file.
struct Parsed<T> {
    expected: &'static str,
    parse: fn(&str) -> Result<T, String>,
}

impl<T> Visitor<'_> for Parsed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(E::custom)
    }
}

macro_rules! unit_value {
    ($(#[$doc:meta])* $name:ident($inner:ty), $form:expr, $parse:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub(super) struct $name(pub(super) $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Parsed { expected: $form, parse: $parse }).map($name)
            }
        }
    };
}

unit_value!(
    /// A duration in the file.
    RawDuration(Duration), DURATION_FORM, duration
);
unit_value!(
    /// Bytes in the file.
    RawBytes(u64), SIZE_FORM, bytes
);
unit_value!(
    /// Bytes or per cent in the file.
    RawSize(Size), "a size such as \"4GiB\" or \"60%\"", size
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for bad in ["", "30", "s", "1.5s", "-1s", "30 s", "30S", "5min", "99999999999999999999s", "999999999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes("64KiB"), Ok(65_536));
        assert_eq!(bytes("0"), Ok(0));
        assert_eq!(size("60%"), Ok(Size::Percent(60)));
        assert_eq!(size("4GiB"), Ok(Size::Bytes(4 << 30)));
        for bad in ["", "64", "64KB", "64kib", "0%", "101%", "+5%", "1.5GiB", "9999999999TiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn shown_as_written() {
        for text in ["30s", "250ms", "5m", "24h", "30d", "0s"] {
            let shown = show_duration(duration(text).unwrap());
            assert_eq!(duration(&shown), duration(text));
        }
        assert_eq!(show_duration(Duration::from_secs(90)), "90s");
        assert_eq!(show_bytes(64 << 20), "64MiB");
        assert_eq!(show_bytes(1000), "1000B");
        assert_eq!(show_bytes(0), "0B");
    }
}
