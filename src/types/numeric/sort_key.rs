//! Bytes whose order is the order of numbers: equal numbers have equal bytes, whatever their scales.
//! Must not know: Arrow.

use super::{Numeric, digits_of};

/// First bytes, in order of value.
const NEG_INFINITY: u8 = 1;
const NEGATIVE: u8 = 2;
const ZERO: u8 = 3;
const POSITIVE: u8 = 4;
const INFINITY: u8 = 5;
const NAN: u8 = 6;

impl Numeric {
    /// A key whose order as bytes is the order of the numbers; equal numbers give equal keys.
    ///
    /// A class byte, then for a number other than zero its decimal exponent and its digits two to a byte (1 to 100,
    /// ended by 0); all
    /// of that inverted for a negative number.
    #[must_use]
    pub fn sort_key(&self) -> Vec<u8> {
        let (unscaled, scale) = match self {
            Numeric::NaN => return vec![NAN],
            Numeric::Infinity => return vec![INFINITY],
            Numeric::NegInfinity => return vec![NEG_INFINITY],
            Numeric::Finite { .. } if self.is_zero() => return vec![ZERO],
            Numeric::Finite { unscaled, scale } => (unscaled, *scale),
        };
        let negative = self.is_negative();
        let mut buffer = [0u8; 40];
        let digits = digits_of(unscaled, &mut buffer);
        // Where the first digit stands: 1 for 1 to 9.99.
        let exponent = digits.len() as i64 - i64::from(scale);
        let significant = digits.trim_end_matches('0').as_bytes();
        let mut key = Vec::with_capacity(significant.len() / 2 + 7);
        key.push(if negative { NEGATIVE } else { POSITIVE });
        key.extend_from_slice(&((exponent + (1 << 31)) as u32).to_be_bytes());
        for pair in significant.chunks(2) {
            let tens = pair.first().map_or(0, |d| d - b'0');
            let ones = pair.get(1).map_or(0, |d| d - b'0');
            key.push(tens * 10 + ones + 1);
        }
        key.push(0);
        if negative {
            key.iter_mut().skip(1).for_each(|byte| *byte = !*byte);
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_order() {
        let sorted = [
            "-inf", "-1e100", "-123.5", "-123.4", "-100", "-99.99", "-1", "-0.5", "-0.05", "-1e-50", "0", "1e-50",
            "0.05", "0.5", "1", "1.001", "1.01", "1.1", "9", "10", "11", "99.99", "100", "123", "123.4", "1e100",
            "inf", "NaN",
        ];
        let keys: Vec<_> = sorted.iter().map(|text| Numeric::parse(text).unwrap().sort_key()).collect();
        assert!(keys.is_sorted_by(|a, b| a < b));
        assert_eq!(Numeric::parse("1.500").unwrap().sort_key(), Numeric::parse("1.5").unwrap().sort_key());
        assert_eq!(Numeric::parse("-0.00").unwrap().sort_key(), Numeric::parse("0").unwrap().sort_key());
    }
}
