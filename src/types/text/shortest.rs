//! The shortest decimal that lies strictly nearer to a binary float than to its neighbours (Giulietti's Schubfach).
//! Must not know: how numbers are written.

use super::powers::{FIRST, POWERS};

/// `floor(log10(2^e))`, and of `3/4 * 2^e` where the lower neighbour is nearer.
const fn log10_of_power(exponent: i32, uneven: bool) -> i32 {
    (exponent * 1_262_611 - if uneven { 524_031 } else { 0 }) >> 22
}

/// `floor(log2(10^e))`.
const fn log2_of_ten(exponent: i32) -> i32 {
    (exponent * 1_741_647) >> 19
}

/// The upper 64 bits of the product of a power and a 64-bit number; the last bit says whether anything was cut off.
fn scaled(power: u128, value: u64) -> u64 {
    let (high, low) = ((power >> 64) as u64, power as u64);
    let carried = (u128::from(low) * u128::from(value)) >> 64;
    let product = u128::from(high) * u128::from(value) + carried;
    (product >> 64) as u64 | u64::from(product as u64 > 1)
}

/// Digits and power of ten of the shortest decimal that reads back as `mantissa * 2^exponent`; of several the nearest.
///
/// As in PostgreSQL the edges of the interval do not count: a decimal halfway between two floats is never taken,
/// although readers that
/// round to even would find the way back. `uneven` says that the lower neighbour is half as far as the upper one.
/// The mantissa is not 0.
pub(super) fn shortest_decimal(mantissa: u64, exponent: i32, uneven: bool) -> (u64, i32) {
    let k = log10_of_power(exponent, uneven);
    let shift = exponent + log2_of_ten(-k) + 1;
    let power = POWERS.get((-k - FIRST) as usize).copied().unwrap_or(u128::MAX);
    // In quarters of the last place: the float, and the middles to its neighbours.
    let quarters = 4 * mantissa;
    let value = scaled(power, quarters << shift);
    let lower = scaled(power, (quarters - 2 + u64::from(uneven)) << shift) + 1;
    let upper = scaled(power, (quarters + 2) << shift) - 1;
    let whole = value / 4;
    if whole >= 10 {
        // One digit less, rounded down or up, if exactly one of them is inside.
        let tens = whole / 10;
        let (down, up) = (lower <= 40 * tens, 40 * tens + 40 <= upper);
        if down != up {
            return (tens + u64::from(up), k + 1);
        }
    }
    let (down, up) = (lower <= 4 * whole, 4 * whole + 4 <= upper);
    if down != up {
        return (whole + u64::from(up), k);
    }
    // Both are inside (or neither): the nearer one, of two as near the even one.
    let middle = 4 * whole + 2;
    let round_up = value > middle || (value == middle && whole % 2 == 1);
    (whole + u64::from(round_up), k)
}

#[cfg(test)]
mod tests {
    use super::super::float::Float;
    use super::*;

    /// What the standard library finds, which takes the edges too.
    fn by_standard(text: &str) -> (u64, i32) {
        let (mantissa, exponent) = text.split_once('e').unwrap();
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: u64 = format!("{whole}{fraction}").parse().unwrap();
        trimmed(digits, exponent.parse::<i32>().unwrap() - fraction.len() as i32)
    }

    fn trimmed(mut digits: u64, mut power: i32) -> (u64, i32) {
        while digits.is_multiple_of(10) {
            (digits, power) = (digits / 10, power + 1);
        }
        (digits, power)
    }

    fn random() -> impl FnMut() -> u64 {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        }
    }

    #[test]
    fn doubles_as_the_standard_library_has_them() {
        let mut next = random();
        let mut edges = 0;
        for round in 0..200_000 {
            let bits = next();
            let value = match round % 4 {
                0 => f64::from_bits(bits >> 1),
                1 => (bits >> 20) as f64 / 1e6,
                2 => f64::from_bits(bits >> 12),
                _ => f64::from_bits(bits & 0x7ff0_0000_0000_0000 | u64::from(bits & 1 == 1)),
            };
            if !value.is_finite() || value == 0.0 {
                continue;
            }
            let (mantissa, exponent, uneven) = value.parts();
            let (digits, power) = shortest_decimal(mantissa, exponent, uneven);
            assert_eq!(format!("{digits}e{power}").parse::<f64>().unwrap(), value);
            if trimmed(digits, power) != by_standard(&format!("{value:e}")) {
                edges += 1;
            }
        }
        // Where two decimals are as near the library takes the upper one.
        assert!(edges < 100, "{edges}");
    }

    #[test]
    fn floats_as_the_standard_library_has_them() {
        let mut next = random();
        for _ in 0..200_000 {
            let value = f32::from_bits(next() as u32 >> 1);
            if !value.is_finite() || value == 0.0 {
                continue;
            }
            let (mantissa, exponent, uneven) = value.parts();
            let (digits, power) = shortest_decimal(mantissa, exponent, uneven);
            assert_eq!(format!("{digits}e{power}").parse::<f32>().unwrap(), value);
            let standard = format!("{value:e}");
            if trimmed(digits, power) != by_standard(&standard) {
                // It took the middle between two floats, which a double holds exactly, or the upper one of two as near.
                let taken: f64 = standard.parse().unwrap();
                let middle = |other: f32| (f64::from(value) + f64::from(other)) / 2.0;
                let edge = taken == middle(value.next_up()) || taken == middle(value.next_down());
                assert!(edge || by_standard(&standard) == (digits + 1, power), "{standard}");
            }
        }
    }
}
