//! [`Numeric`] from and to other numbers: integers, decimals of a precision, floats.
//! Must not know: Arrow arrays.

use arrow::datatypes::i256;
use bigdecimal::num_bigint::{BigInt, Sign};
use bigdecimal::num_traits::{Signed, ToPrimitive};

use super::{Numeric, divide_rounding, ten_to};
use crate::error::{Error, Result, SqlState};

fn out_of_range(message: &str) -> Error {
    Error::client(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
}

impl From<i64> for Numeric {
    fn from(value: i64) -> Numeric {
        Numeric::from_i128(i128::from(value), 0)
    }
}

impl Numeric {
    /// The nearest 64-bit integer, half away from zero.
    ///
    /// # Errors
    /// `22003` out of range, `0A000` for NaN and the infinities, in PostgreSQL's words.
    pub fn to_i64(&self) -> Result<i64> {
        let whole = match self {
            Numeric::NaN => return Err(Error::unsupported("cannot convert NaN to bigint")),
            Numeric::Infinity | Numeric::NegInfinity => {
                return Err(Error::unsupported("cannot convert infinity to bigint"));
            }
            Numeric::Finite { unscaled, scale } => divide_rounding(unscaled, &ten_to(*scale)),
        };
        whole.to_i64().ok_or_else(|| out_of_range("bigint out of range"))
    }

    /// The nearest double; numbers beyond its range are an error as in PostgreSQL.
    ///
    /// # Errors
    /// `22003` out of range.
    pub fn to_f64(&self) -> Result<f64> {
        match self {
            Numeric::NaN => Ok(f64::NAN),
            Numeric::Infinity => Ok(f64::INFINITY),
            Numeric::NegInfinity => Ok(f64::NEG_INFINITY),
            Numeric::Finite { .. } => {
                let text = self.to_string();
                let value: f64 = text.parse().unwrap_or(f64::NAN);
                if value.is_infinite() || (value == 0.0 && !self.is_zero()) {
                    return Err(out_of_range(&format!("\"{text}\" is out of range for type double precision")));
                }
                Ok(value)
            }
        }
    }

    /// The nearest float, from the digits: by way of a double some would be rounded twice.
    ///
    /// # Errors
    /// `22003` out of range.
    pub fn to_f32(&self) -> Result<f32> {
        match self {
            Numeric::NaN => Ok(f32::NAN),
            Numeric::Infinity => Ok(f32::INFINITY),
            Numeric::NegInfinity => Ok(f32::NEG_INFINITY),
            Numeric::Finite { .. } => {
                let text = self.to_string();
                let value: f32 = text.parse().unwrap_or(f32::NAN);
                if value.is_infinite() || (value == 0.0 && !self.is_zero()) {
                    return Err(out_of_range(&format!("\"{text}\" is out of range for type real")));
                }
                Ok(value)
            }
        }
    }

    /// A double as numeric: its 15 significant digits, as PostgreSQL casts it.
    #[must_use]
    pub fn from_f64(value: f64) -> Numeric {
        from_digits(value, &format!("{value:.14e}"))
    }

    /// A float as numeric: its 6 significant digits, as PostgreSQL casts it.
    #[must_use]
    pub fn from_f32(value: f32) -> Numeric {
        from_digits(f64::from(value), &format!("{value:.5e}"))
    }

    /// Rounds to `numeric(precision, scale)`. NaN stays NaN.
    ///
    /// # Errors
    /// `22003` `numeric field overflow` with PostgreSQL's detail.
    pub fn to_precision(&self, precision: u16, scale: i16) -> Result<Numeric> {
        let (unscaled, own_scale) = match self {
            Numeric::NaN => return Ok(Numeric::NaN),
            Numeric::Infinity | Numeric::NegInfinity => {
                return Err(out_of_range("numeric field overflow").with_detail(format!(
                    "A field with precision {precision}, scale {scale} cannot hold an infinite value."
                )));
            }
            Numeric::Finite { unscaled, scale } => (unscaled, *scale),
        };
        let rounded = self.cut_at(unscaled, own_scale, i64::from(scale), divide_rounding)?;
        let Numeric::Finite { unscaled, .. } = &rounded else { return Ok(rounded) };
        let digits = i64::from(precision) + i64::from(scale.min(0)).abs();
        if unscaled.abs() >= ten_to(digits as u32) {
            return Err(field_overflow(precision, scale));
        }
        Ok(rounded)
    }

    /// The value as a 128-bit decimal `numeric(precision, scale)`, rounded half away from zero. Precision is at most
    /// 38.
    ///
    /// # Errors
    /// `22003` when it does not fit, or is NaN or infinite, which a decimal cannot hold.
    pub fn to_decimal128(&self, precision: u16, scale: i16) -> Result<i128> {
        let rounded = self.to_precision(precision, scale)?;
        let Numeric::Finite { unscaled, .. } = &rounded else { return Err(not_held(self, precision, scale)) };
        unscaled.to_i128().ok_or_else(|| field_overflow(precision, scale))
    }

    /// The value as a 256-bit decimal `numeric(precision, scale)`, rounded half away from zero. Precision is at most
    /// 76.
    ///
    /// # Errors
    /// As [`Numeric::to_decimal128`].
    pub fn to_decimal256(&self, precision: u16, scale: i16) -> Result<i256> {
        let rounded = self.to_precision(precision, scale)?;
        let Numeric::Finite { unscaled, .. } = &rounded else { return Err(not_held(self, precision, scale)) };
        i256::from_string(&unscaled.to_string()).ok_or_else(|| field_overflow(precision, scale))
    }

    /// A 256-bit decimal: `value / 10^scale`.
    #[must_use]
    pub fn from_i256(value: i256, scale: u32) -> Numeric {
        Numeric::Finite { unscaled: BigInt::from_signed_bytes_le(&value.to_le_bytes()), scale }
    }
}

fn from_digits(value: f64, scientific: &str) -> Numeric {
    if value.is_nan() {
        return Numeric::NaN;
    }
    if value.is_infinite() {
        return if value > 0.0 { Numeric::Infinity } else { Numeric::NegInfinity };
    }
    // `%.15g` cuts trailing zeros, so the scale is that of the digits that are left.
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
    Numeric::parse(&format!("{mantissa}e{exponent}")).unwrap_or_else(|_| Numeric::zero())
}

/// PostgreSQL's error for a number that does not fit `numeric(precision, scale)`.
pub(crate) fn field_overflow(precision: u16, scale: i16) -> Error {
    let digits = i64::from(precision) - i64::from(scale);
    let bound = if digits == 0 { "1".to_owned() } else { format!("10^{digits}") };
    out_of_range("numeric field overflow").with_detail(format!(
        "A field with precision {precision}, scale {scale} must round to an absolute value less than {bound}."
    ))
}

/// The error for NaN or an infinity that should become a decimal.
pub(crate) fn not_held(value: &Numeric, precision: u16, scale: i16) -> Error {
    let message = format!("{value} cannot be held by numeric({precision},{scale})");
    out_of_range(&message).with_hint(
        "Numeric values with a precision are held as decimals; read the column as numeric without precision.",
    )
}

impl Numeric {
    /// Whether the number is negative, its digits as text and its scale; none for NaN and the infinities.
    pub(crate) fn parts(&self) -> Option<(bool, String, u32)> {
        match self {
            Numeric::Finite { unscaled, scale } => {
                Some((unscaled.sign() == Sign::Minus, unscaled.magnitude().to_string(), *scale))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Numeric {
        Numeric::parse(text).unwrap()
    }

    #[test]
    fn precision_and_overflow() {
        let detail = |text: &str, p, s| n(text).to_precision(p, s).unwrap_err().detail().unwrap().to_owned();
        assert_eq!(
            detail("12345.678", 5, 2),
            "A field with precision 5, scale 2 must round to an absolute value less than 10^3."
        );
        assert_eq!(
            detail("12345678", 5, -2),
            "A field with precision 5, scale -2 must round to an absolute value less than 10^7."
        );
        assert_eq!(
            detail("0.1", 3, 5),
            "A field with precision 3, scale 5 must round to an absolute value less than 10^-2."
        );
        assert_eq!(detail("1", 2, 2), "A field with precision 2, scale 2 must round to an absolute value less than 1.");
        assert_eq!(detail("inf", 5, 2), "A field with precision 5, scale 2 cannot hold an infinite value.");
        assert_eq!(n("1234567").to_precision(5, -2).unwrap().to_string(), "1234600");
        assert_eq!(n("0.00123").to_precision(3, 5).unwrap().to_string(), "0.00123");
        assert_eq!(n("1.005").to_decimal128(10, 2).unwrap(), 101);
        assert!(n("NaN").to_decimal128(10, 2).unwrap_err().message().contains("numeric(10,2)"));
        assert_eq!(n("-2.5").to_i64().unwrap(), -3);
        assert_eq!(n("9223372036854775807.5").to_i64().unwrap_err().message(), "bigint out of range");
    }

    #[test]
    fn floats() {
        assert_eq!(Numeric::from_f64(0.1).to_string(), "0.1");
        assert_eq!(Numeric::from_f64(1.0 / 3.0).to_string(), "0.333333333333333");
        assert_eq!(Numeric::from_f64(1e20).to_string(), "100000000000000000000");
        assert_eq!(Numeric::from_f32(1.0 / 3.0).to_string(), "0.333333");
        assert_eq!(n("1e400").to_f64().unwrap_err().state(), SqlState::NUMERIC_VALUE_OUT_OF_RANGE);
        let value = i256::from_string("-123456789012345678901234567890123456789012345678901234567890").unwrap();
        assert_eq!(Numeric::from_i256(value, 2).to_decimal256(70, 2).unwrap(), value);
    }
}
