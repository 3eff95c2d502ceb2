//! Arithmetic on [`Numeric`] with PostgreSQL's result scales and its rules for NaN and the infinities.
//! Must not know: Arrow, text.

use std::borrow::Cow;

use bigdecimal::num_bigint::BigInt;
use bigdecimal::num_traits::{Signed, Zero};

use super::{MAX_SCALE, Numeric, digit_count, divide_rounding, ten_to};
use crate::error::{Error, Result, SqlState};

/// Significant digits that a quotient has at least, and the most digits behind its point.
const MIN_SIGNIFICANT_DIGITS: i64 = 16;
const MAX_DISPLAY_SCALE: i64 = 1000;
/// PostgreSQL's limit of round() and trunc().
const MAX_RESULT_SCALE: i64 = 2000;
/// Decimal digits of one of PostgreSQL's base-10000 digits: its estimates are made in these.
const DEC_DIGITS: i64 = 4;

fn division_by_zero() -> Error {
    Error::client(SqlState::DIVISION_BY_ZERO, "division by zero")
}

/// Both numbers over the larger of their scales.
fn aligned<'a>(a: &'a BigInt, s: u32, b: &'a BigInt, t: u32) -> (Cow<'a, BigInt>, Cow<'a, BigInt>, u32) {
    let scale = s.max(t);
    let raised = |value: &'a BigInt, own: u32| match scale - own {
        0 => Cow::Borrowed(value),
        missing => Cow::Owned(value * ten_to(missing)),
    };
    (raised(a, s), raised(b, t), scale)
}

/// Weight (in base-10000 digits) and first base-10000 digit of a number, as PostgreSQL's estimates see them; zero is
/// (0, 0).
fn weight_and_first_digit(unscaled: &BigInt, scale: u32) -> (i64, i64) {
    if unscaled.is_zero() {
        return (0, 0);
    }
    let digits = digit_count(unscaled);
    // Digits before the point; at or below zero the number starts behind it.
    let before = digits - i64::from(scale);
    let weight = (before + DEC_DIGITS - 1).div_euclid(DEC_DIGITS) - 1;
    // How many of the leading decimal digits fall into the first base-10000 digit.
    let leading = before - weight * DEC_DIGITS;
    let magnitude = unscaled.abs();
    let first = if digits >= leading {
        magnitude / ten_to((digits - leading) as u32)
    } else {
        magnitude * ten_to((leading - digits) as u32)
    };
    (weight, i64::try_from(first).unwrap_or(0))
}

/// The scale of a quotient.
fn division_scale(a: &BigInt, s: u32, b: &BigInt, t: u32) -> u32 {
    let (weight_a, first_a) = weight_and_first_digit(a, s);
    let (weight_b, first_b) = weight_and_first_digit(b, t);
    let mut weight = weight_a - weight_b;
    if first_a <= first_b {
        weight -= 1;
    }
    let scale = (MIN_SIGNIFICANT_DIGITS - weight * DEC_DIGITS).max(i64::from(s)).max(i64::from(t)).max(0);
    scale.min(MAX_DISPLAY_SCALE) as u32
}

impl Numeric {
    /// `self + other`.
    ///
    /// # Errors
    /// `22003` when the sum has too many digits.
    pub fn add(&self, other: &Numeric) -> Result<Numeric> {
        match (self, other) {
            (Numeric::Finite { unscaled: a, scale: s }, Numeric::Finite { unscaled: b, scale: t }) => {
                let (a, b, scale) = aligned(a, *s, b, *t);
                Numeric::from_unscaled(a.as_ref() + b.as_ref(), i64::from(scale))
            }
            (Numeric::NaN, _) | (_, Numeric::NaN) => Ok(Numeric::NaN),
            (Numeric::Infinity, Numeric::NegInfinity) | (Numeric::NegInfinity, Numeric::Infinity) => Ok(Numeric::NaN),
            (Numeric::Finite { .. }, infinite) | (infinite, _) => Ok(infinite.clone()),
        }
    }

    /// `self - other`.
    ///
    /// # Errors
    /// `22003` when the difference has too many digits.
    pub fn sub(&self, other: &Numeric) -> Result<Numeric> {
        self.add(&other.neg())
    }

    /// `self * other`, with the digits of both behind the point.
    ///
    /// # Errors
    /// `22003` when the product has too many digits.
    pub fn mul(&self, other: &Numeric) -> Result<Numeric> {
        match (self, other) {
            (Numeric::Finite { unscaled: a, scale: s }, Numeric::Finite { unscaled: b, scale: t }) => {
                let (product, scale) = (a * b, i64::from(*s) + i64::from(*t));
                if scale > MAX_SCALE {
                    let cut = divide_rounding(&product, &ten_to((scale - MAX_SCALE) as u32));
                    return Numeric::from_unscaled(cut, MAX_SCALE);
                }
                Numeric::from_unscaled(product, scale)
            }
            (Numeric::NaN, _) | (_, Numeric::NaN) => Ok(Numeric::NaN),
            _ if self.is_zero() || other.is_zero() => Ok(Numeric::NaN),
            _ => Ok(infinity(self.is_negative() != other.is_negative())),
        }
    }

    /// `self / other`, with at least 16 significant digits, as PostgreSQL chooses them.
    ///
    /// # Errors
    /// `22012` for a zero divisor, `22003` when the quotient has too many digits.
    pub fn div(&self, other: &Numeric) -> Result<Numeric> {
        match (self, other) {
            (Numeric::NaN, _) | (_, Numeric::NaN) => Ok(Numeric::NaN),
            _ if other.is_zero() => Err(division_by_zero()),
            (Numeric::Finite { unscaled: a, scale: s }, Numeric::Finite { unscaled: b, scale: t }) => {
                let scale = division_scale(a, *s, b, *t);
                // a / 10^s / (b / 10^t) * 10^scale.
                let power = i64::from(scale) + i64::from(*t) - i64::from(*s);
                let quotient = if power >= 0 {
                    divide_rounding(&(a * ten_to(power as u32)), b)
                } else {
                    divide_rounding(a, &(b * ten_to((-power) as u32)))
                };
                Numeric::from_unscaled(quotient, i64::from(scale))
            }
            (Numeric::Finite { .. }, _) => Ok(Numeric::zero()),
            (_, Numeric::Finite { .. }) => Ok(infinity(self.is_negative() != other.is_negative())),
            _ => Ok(Numeric::NaN),
        }
    }

    /// The square root of a number that is not negative, rounded to so many digits behind the point.
    ///
    /// # Errors
    /// `22003` when it has too many digits.
    pub fn root(&self, places: u32) -> Result<Numeric> {
        let Numeric::Finite { unscaled, scale } = self else { return Ok(self.clone()) };
        // The root of unscaled / 10^scale * 10^(2 places), with all digits that count for the rounding.
        let power = 2 * i64::from(places) - i64::from(*scale);
        let wide = if power >= 0 { unscaled * ten_to(power as u32) } else { unscaled / ten_to((-power) as u32) };
        let root = wide.sqrt();
        // A half lies between the squares of two neighbours: whole numbers are on one side of it.
        let up = &wide - &root * &root > root;
        Numeric::from_unscaled(if up { root + 1u8 } else { root }, i64::from(places))
    }

    /// The remainder of `self / other`, with the sign of `self`.
    ///
    /// # Errors
    /// `22012` for a zero divisor.
    pub fn rem(&self, other: &Numeric) -> Result<Numeric> {
        match (self, other) {
            (Numeric::NaN, _) | (_, Numeric::NaN) => Ok(Numeric::NaN),
            _ if other.is_zero() => Err(division_by_zero()),
            (Numeric::Finite { unscaled: a, scale: s }, Numeric::Finite { unscaled: b, scale: t }) => {
                let (a, b, scale) = aligned(a, *s, b, *t);
                Ok(Numeric::Finite { unscaled: a.as_ref() % b.as_ref(), scale })
            }
            (Numeric::Finite { .. }, _) => Ok(self.clone()),
            _ => Ok(Numeric::NaN),
        }
    }

    /// `-self`.
    #[must_use]
    pub fn neg(&self) -> Numeric {
        match self {
            Numeric::NaN => Numeric::NaN,
            Numeric::Infinity => Numeric::NegInfinity,
            Numeric::NegInfinity => Numeric::Infinity,
            Numeric::Finite { unscaled, scale } => Numeric::Finite { unscaled: -unscaled, scale: *scale },
        }
    }

    /// The absolute value.
    #[must_use]
    pub fn abs(&self) -> Numeric {
        if self.is_negative() { self.neg() } else { self.clone() }
    }

    /// Rounds half away from zero to `places` digits behind the point; negative places round before it.
    ///
    /// # Errors
    /// `22003` when rounding up makes too many digits.
    pub fn round(&self, places: i64) -> Result<Numeric> {
        self.cut(places, divide_rounding)
    }

    /// Cuts towards zero at `places` digits behind the point.
    ///
    /// # Errors
    /// `22003`, never in practice.
    pub fn trunc(&self, places: i64) -> Result<Numeric> {
        self.cut(places, |a, b| a / b)
    }

    fn cut(&self, places: i64, divide: fn(&BigInt, &BigInt) -> BigInt) -> Result<Numeric> {
        let Numeric::Finite { unscaled, scale } = self else { return Ok(self.clone()) };
        let places = places.clamp(-MAX_RESULT_SCALE, MAX_RESULT_SCALE);
        self.cut_at(unscaled, *scale, places, divide)
    }

    pub(super) fn cut_at(
        &self,
        unscaled: &BigInt,
        scale: u32,
        places: i64,
        divide: fn(&BigInt, &BigInt) -> BigInt,
    ) -> Result<Numeric> {
        let drop = i64::from(scale) - places;
        if drop <= 0 {
            return Numeric::from_unscaled(unscaled * ten_to((-drop) as u32), places);
        }
        let kept = divide(unscaled, &ten_to(drop as u32));
        Numeric::from_unscaled(kept, places)
    }

    /// The average of `count` numbers with this sum: PostgreSQL's `avg`.
    ///
    /// # Errors
    /// `22012` for no numbers.
    pub fn avg(&self, count: i64) -> Result<Numeric> {
        self.div(&Numeric::from_i128(i128::from(count), 0))
    }
}

fn infinity(negative: bool) -> Numeric {
    if negative { Numeric::NegInfinity } else { Numeric::Infinity }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Numeric {
        Numeric::parse(text).unwrap()
    }

    #[test]
    fn scales_of_quotients() {
        for (a, b, shown) in [
            ("1", "3", "0.33333333333333333333"),
            ("10", "3", "3.3333333333333333"),
            ("1.00", "4", "0.25000000000000000000"),
            ("-7", "2", "-3.5000000000000000"),
            ("0", "5", "0.00000000000000000000"),
            ("1", "inf", "0"),
            ("inf", "-2", "-Infinity"),
            ("inf", "inf", "NaN"),
            ("NaN", "0", "NaN"),
        ] {
            assert_eq!(n(a).div(&n(b)).unwrap().to_string(), shown, "{a} / {b}");
        }
        assert_eq!(n("1").div(&n("0")).unwrap_err().message(), "division by zero");
    }

    #[test]
    fn the_rest() {
        assert_eq!(n("1.5").add(&n("2.25")).unwrap().to_string(), "3.75");
        assert_eq!(n("1.5").mul(&n("-2.25")).unwrap().to_string(), "-3.375");
        assert_eq!(n("-7.5").rem(&n("2")).unwrap().to_string(), "-1.5");
        assert_eq!(n("2.5").round(0).unwrap().to_string(), "3");
        assert_eq!(n("-2.5").round(0).unwrap().to_string(), "-3");
        assert_eq!(n("1550").round(-2).unwrap().to_string(), "1600");
        assert_eq!(n("1.5").round(3).unwrap().to_string(), "1.500");
        assert_eq!(n("-2.59").trunc(1).unwrap().to_string(), "-2.5");
        assert_eq!(n("inf").add(&n("-inf")).unwrap().to_string(), "NaN");
        assert_eq!(n("0").mul(&n("inf")).unwrap().to_string(), "NaN");
    }
}
