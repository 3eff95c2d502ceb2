//! `round`, `trunc`, `ceil`, `floor`, `sign` over numeric.
//! Must not know: how functions are resolved.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Int32Type};
use datafusion::error::Result as DfResult;
use datafusion::scalar::ScalarValue;

use super::super::kernel::{call, external, wrong_type};
use super::super::value::Bound;
use super::forms::{collect, decimal_type, parts, reader, texts};
use crate::error::Result;
use crate::types::Numeric;
use crate::types::PgType;

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// Half away from zero.
    Nearest,
    /// Towards zero.
    Cut,
    /// Up.
    Ceiling,
    /// Down.
    Floor,
}

impl Rounding {
    fn name(self) -> &'static str {
        match self {
            Rounding::Nearest => "numeric_round",
            Rounding::Cut => "numeric_trunc",
            Rounding::Ceiling => "numeric_ceil",
            Rounding::Floor => "numeric_floor",
        }
    }

    fn number(self, number: &Numeric, places: i64) -> Result<Numeric> {
        match self {
            Rounding::Nearest => number.round(places),
            Rounding::Cut => number.trunc(places),
            Rounding::Ceiling | Rounding::Floor => {
                let cut = number.trunc(0)?;
                let up = self == Rounding::Ceiling;
                let beyond = if up { cut < *number } else { cut > *number };
                if !beyond {
                    return Ok(cut);
                }
                let one = Numeric::from_i128(1, 0);
                if up { cut.add(&one) } else { cut.sub(&one) }
            }
        }
    }

    /// The same over an unscaled decimal; `by` is 10 to the number of digits that go.
    fn unscaled(self, value: i128, by: i128) -> i128 {
        let (whole, rest) = (value / by, value % by);
        match self {
            Rounding::Cut => whole,
            Rounding::Nearest if rest.abs() >= by - rest.abs() && rest != 0 => whole + value.signum(),
            Rounding::Nearest => whole,
            Rounding::Ceiling => whole + i128::from(rest > 0),
            Rounding::Floor => whole - i128::from(rest < 0),
        }
    }
}

/// A number rounded to places behind the point (an int4; none: 0).
pub(crate) fn round_to(rounding: Rounding, value: Bound, places: Option<Bound>) -> Bound {
    let constant = match &places {
        None => Some(0),
        Some(places) => match places.constant() {
            Some(ScalarValue::Int32(Some(places))) => Some(i64::from(*places)),
            _ => None,
        },
    };
    if let Some(places) = constant {
        return by_constant(rounding, value, places.clamp(-2000, 2000));
    }
    let args = std::iter::once(value.expr).chain(places.map(|places| places.expr)).collect();
    let expr = call(rounding.name(), args, DataType::Utf8View, move |args| {
        let [array, places] = args else { return Err(wrong_type("numeric_round")) };
        let values = reader(array)?;
        let places = places.as_primitive_opt::<Int32Type>().ok_or_else(|| wrong_type("numeric_round"))?;
        texts(array.len(), |row| match values.get(row)? {
            Some(number) if !places.is_null(row) => {
                rounding.number(&number, i64::from(places.value(row))).map(Some).map_err(external)
            }
            _ => Ok(None),
        })
    });
    Bound::with_arrow(expr, PgType::NUMERIC, DataType::Utf8View)
}

fn by_constant(rounding: Rounding, value: Bound, places: i64) -> Bound {
    let form = parts(&value.arrow)
        .and_then(|(p, s)| {
            let shown = u32::try_from(places.max(0)).ok()?;
            // One digit more before the point: 9.9 rounds to 10.
            decimal_type(u32::from(p).saturating_sub(u32::from(s)) + 1 + shown, shown)
        })
        .unwrap_or(DataType::Utf8View);
    let returns = form.clone();
    let name = format!("{}({places})", rounding.name());
    let expr = call(name, vec![value.expr], form.clone(), move |args| {
        let [array] = args else { return Err(wrong_type("numeric_round")) };
        if let Some(fast) = small(rounding, array, places, &returns)? {
            return Ok(fast);
        }
        let values = reader(array)?;
        collect(&returns, array.len(), |row| {
            values.get(row)?.map(|number| rounding.number(&number, places)).transpose().map_err(external)
        })
    });
    Bound::with_arrow(expr, PgType::NUMERIC, form)
}

/// The quick way over 128-bit decimals that lose digits behind the point.
fn small(rounding: Rounding, array: &ArrayRef, places: i64, form: &DataType) -> DfResult<Option<ArrayRef>> {
    let (DataType::Decimal128(_, from), DataType::Decimal128(..)) = (array.data_type(), form) else { return Ok(None) };
    let gone = i64::from(*from) - places;
    if places < 0 || !(0..=37).contains(&gone) {
        return Ok(None);
    }
    let by = 10_i128.pow(gone as u32);
    let result = array.as_primitive::<Decimal128Type>().unary::<_, Decimal128Type>(|v| rounding.unscaled(v, by));
    Ok(Some(Arc::new(result.with_data_type(form.clone()))))
}
