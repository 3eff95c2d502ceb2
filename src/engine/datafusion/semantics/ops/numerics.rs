//! Operators and functions of numeric by their implementations' names.
//! Must not know: how they are computed (`numeric`).

use arrow::array::Array;
use arrow::datatypes::DataType;
use datafusion::error::Result as DfResult;

use super::super::kernel::{call, external, wrong_type};
use super::super::numeric::{self, Rounding};
use super::super::value::Bound;
use crate::error::Result;
use crate::types::Numeric;
use crate::types::PgType;

/// An operator or a function over numeric.
pub(super) fn implement(source: &str, args: &[Bound], returns: PgType) -> Result<Option<Bound>> {
    let bound = match (source, args) {
        ("numeric_add" | "numeric_sub" | "numeric_mul", [a, b]) => numeric::binary(source, a.clone(), b.clone()),
        ("numeric_div", [a, b]) => Some(numeric::divide(a.clone(), b.clone())),
        ("numeric_mod", [a, b]) => Some(numeric::remainder(a.clone(), b.clone())),
        ("numeric_uminus", [a]) => Some(numeric::negate(a.clone(), false)),
        ("numeric_abs", [a]) => Some(numeric::negate(a.clone(), true)),
        ("numeric_uplus", [a]) => Some(a.clone()),
        ("numeric_round", [a, places]) => Some(numeric::round_to(Rounding::Nearest, a.clone(), Some(places.clone()))),
        ("round", [a]) if a.pg.oid == 1700 => Some(numeric::round_to(Rounding::Nearest, a.clone(), None)),
        ("numeric_trunc", [a, places]) => Some(numeric::round_to(Rounding::Cut, a.clone(), Some(places.clone()))),
        ("trunc", [a]) if a.pg.oid == 1700 => Some(numeric::round_to(Rounding::Cut, a.clone(), None)),
        ("numeric_ceil", [a]) => Some(numeric::round_to(Rounding::Ceiling, a.clone(), None)),
        ("numeric_floor", [a]) => Some(numeric::round_to(Rounding::Floor, a.clone(), None)),
        ("numeric_sign", [a]) => Some(sign(a)),
        ("numeric_div_trunc", [a, b]) => Some(whole_quotient(a, b)),
        _ => None,
    };
    Ok(bound.map(|bound| Bound { pg: returns, ..bound }))
}

fn sign(a: &Bound) -> Bound {
    let expr = call("numeric_sign", vec![a.expr.clone()], DataType::Utf8View, |args| {
        let [array] = args else { return Err(wrong_type("numeric_sign")) };
        let values = numeric::reader(array)?;
        numeric::texts(array.len(), |row| {
            Ok(values.get(row)?.map(|number| match () {
                () if number.is_nan() => number,
                () if number.is_zero() => Numeric::zero(),
                () => Numeric::from_i128(if number.is_negative() { -1 } else { 1 }, 0),
            }))
        })
    });
    Bound::with_arrow(expr, PgType::NUMERIC, DataType::Utf8View)
}

/// `div(a, b)`: the quotient cut to a whole number.
fn whole_quotient(a: &Bound, b: &Bound) -> Bound {
    let expr = call("numeric_div_trunc", vec![a.expr.clone(), b.expr.clone()], DataType::Utf8View, |args| {
        let [a, b] = args else { return Err(wrong_type("div")) };
        let (x, y) = (numeric::reader(a)?, numeric::reader(b)?);
        let quotient = |row: usize| -> DfResult<Option<Numeric>> {
            let (Some(x), Some(y)) = (x.get(row)?, y.get(row)?) else { return Ok(None) };
            if x.scale().is_none() || y.scale().is_none() {
                return x.div(&y).and_then(|q| q.trunc(0)).map(Some).map_err(external);
            }
            let rest = x.rem(&y).map_err(external)?;
            let whole = x.sub(&rest).and_then(|whole| whole.div(&y)).and_then(|q| q.trunc(0)).map_err(external)?;
            Ok(Some(whole))
        };
        numeric::texts(a.len(), quotient)
    });
    Bound::with_arrow(expr, PgType::NUMERIC, DataType::Utf8View)
}
