//! The forms of numeric values and the ways between them.
//! Must not know: arithmetic.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Decimal256Array, StringViewArray, StringViewBuilder};
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, i256};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::Expr;
use datafusion::scalar::ScalarValue;

use super::super::kernel::{call, external, wrong_type};
use super::super::value::{Bound, Collation};
use crate::error::Result;
use crate::types::Numeric;
use crate::types::PgType;

/// The values of a numeric array, whatever its form.
pub(crate) enum Reader {
    Small(Decimal128Array, u32),
    Large(Decimal256Array, u32),
    Text(StringViewArray),
}

impl Reader {
    /// The value of a row; none for NULL.
    pub(crate) fn get(&self, row: usize) -> DfResult<Option<Numeric>> {
        match self {
            Reader::Small(array, _) if array.is_null(row) => Ok(None),
            Reader::Large(array, _) if array.is_null(row) => Ok(None),
            Reader::Text(array) if array.is_null(row) => Ok(None),
            Reader::Small(array, scale) => Ok(Some(Numeric::from_i128(array.value(row), *scale))),
            Reader::Large(array, scale) => Ok(Some(Numeric::from_i256(array.value(row), *scale))),
            Reader::Text(array) => Numeric::parse(array.value(row)).map(Some).map_err(external),
        }
    }
}

impl Reader {
    /// The value of a row and its scale, where it is a small decimal and no NULL.
    pub(crate) fn small(&self, row: usize) -> Option<(i128, u32)> {
        match self {
            Reader::Small(array, scale) if array.is_valid(row) => Some((array.value(row), *scale)),
            _ => None,
        }
    }
}

/// Reads a numeric array.
pub(crate) fn reader(array: &ArrayRef) -> DfResult<Reader> {
    match array.data_type() {
        DataType::Decimal128(_, scale) => {
            Ok(Reader::Small(array.as_primitive::<Decimal128Type>().clone(), u32::from(scale.unsigned_abs())))
        }
        DataType::Decimal256(_, scale) => {
            Ok(Reader::Large(array.as_primitive::<Decimal256Type>().clone(), u32::from(scale.unsigned_abs())))
        }
        DataType::Utf8View => Ok(Reader::Text(array.as_string_view().clone())),
        _ => Err(wrong_type("numeric")),
    }
}

/// The text form of values.
pub(crate) fn texts(rows: usize, value: impl Fn(usize) -> DfResult<Option<Numeric>>) -> DfResult<ArrayRef> {
    let mut builder = StringViewBuilder::with_capacity(rows);
    for row in 0..rows {
        builder.append_option(value(row)?.map(|number| number.to_string()));
    }
    Ok(Arc::new(builder.finish()))
}

/// A numeric literal in the form that holds it exactly.
pub(crate) fn literal(digits: &str) -> Result<Bound> {
    Ok(constant(&Numeric::parse(digits)?))
}

/// A numeric constant.
pub(crate) fn constant(number: &Numeric) -> Bound {
    let value = number.scale().and_then(|scale| decimal(number, scale));
    let value = value.unwrap_or_else(|| ScalarValue::Utf8View(Some(number.to_string())));
    Bound::literal(value, PgType::NUMERIC)
}

fn decimal(number: &Numeric, scale: u32) -> Option<ScalarValue> {
    let digits = number.to_string().bytes().filter(u8::is_ascii_digit).count();
    let shown = i16::try_from(scale).ok()?;
    let precision = u16::try_from(digits.max(1)).ok()?.max(scale as u16).max(1);
    match precision {
        1..=38 => number
            .to_decimal128(precision, shown)
            .ok()
            .map(|value| ScalarValue::Decimal128(Some(value), precision as u8, scale as i8)),
        39..=76 => number
            .to_decimal256(precision, shown)
            .ok()
            .map(|value| ScalarValue::Decimal256(Some(value), precision as u8, scale as i8)),
        _ => None,
    }
}

/// Precision and scale of a decimal form.
pub(crate) fn parts(arrow: &DataType) -> Option<(u8, u8)> {
    match arrow {
        DataType::Decimal128(p, s) | DataType::Decimal256(p, s) => u8::try_from(*s).ok().map(|s| (*p, s)),
        _ => None,
    }
}

/// The decimal form with room for so many digits; none beyond 76.
pub(crate) fn decimal_type(precision: u32, scale: u32) -> Option<DataType> {
    let precision = precision.max(scale).max(1);
    let scale = i8::try_from(scale).ok()?;
    match precision {
        1..=38 => Some(DataType::Decimal128(precision as u8, scale)),
        39..=76 => Some(DataType::Decimal256(precision as u8, scale)),
        _ => None,
    }
}

/// The decimal form that holds the values of both forms; none where one is text or it would be too wide.
pub(crate) fn common_decimal(a: &DataType, b: &DataType) -> Option<DataType> {
    let ((p1, s1), (p2, s2)) = (parts(a)?, parts(b)?);
    let scale = s1.max(s2);
    let whole = (p1 - s1.min(p1)).max(p2 - s2.min(p2));
    decimal_type(u32::from(whole) + u32::from(scale), u32::from(scale))
}

/// A constant without the zeros behind the point that a wider form does not need, for a form of this scale.
pub(crate) fn shrink_literal(value: &ScalarValue, to: &DataType) -> Option<ScalarValue> {
    let (precision, scale) = parts(to)?;
    let (unscaled, from) = match value {
        ScalarValue::Decimal128(Some(v), _, s) => (*v, u8::try_from(*s).ok()?),
        _ => return None,
    };
    let unscaled = if from <= scale {
        unscaled.checked_mul(10_i128.checked_pow(u32::from(scale - from))?)?
    } else {
        let by = 10_i128.checked_pow(u32::from(from - scale))?;
        if unscaled % by != 0 {
            return None;
        }
        unscaled / by
    };
    match to {
        DataType::Decimal128(..) => {
            let limit = 10_i128.checked_pow(u32::from(precision))?;
            (unscaled.abs() < limit).then_some(ScalarValue::Decimal128(Some(unscaled), precision, scale as i8))
        }
        _ => Some(ScalarValue::Decimal256(Some(i256::from_i128(unscaled)), precision, scale as i8)),
    }
}

/// Values in their text form.
pub(crate) fn to_text_form(value: Bound) -> Bound {
    if value.arrow == DataType::Utf8View {
        return value;
    }
    if let Some(number) = value.constant().and_then(scalar_text) {
        let expr = Expr::Literal(ScalarValue::Utf8View(Some(number)), None);
        return Bound { expr, arrow: DataType::Utf8View, ..value };
    }
    let expr = call("numeric_text", vec![value.expr], DataType::Utf8View, |args| {
        let [array] = args else { return Err(wrong_type("numeric_text")) };
        let values = reader(array)?;
        texts(array.len(), |row| values.get(row))
    });
    Bound { expr, arrow: DataType::Utf8View, unknown: None, ..value }
}

fn scalar_text(value: &ScalarValue) -> Option<String> {
    match value {
        ScalarValue::Decimal128(Some(v), _, s) => Some(Numeric::from_i128(*v, u32::try_from(*s).ok()?).to_string()),
        ScalarValue::Decimal256(Some(v), _, s) => Some(Numeric::from_i256(*v, u32::try_from(*s).ok()?).to_string()),
        _ => None,
    }
}

/// Values in another form that loses nothing: a decimal with at least as many digits on both sides, or text.
pub(crate) fn as_form(value: Bound, form: &DataType) -> Bound {
    if value.arrow == *form {
        return value;
    }
    if *form == DataType::Utf8View {
        return to_text_form(value);
    }
    if let Some(same) = value.constant().and_then(|constant| shrink_literal(constant, form)) {
        return Bound { expr: Expr::Literal(same, None), arrow: form.clone(), ..value };
    }
    let expr = super::super::cast::native(value.expr, form.clone());
    Bound { expr, arrow: form.clone(), unknown: None, ..value }
}

/// Values rounded to `numeric(p,s)`, in that type's storage.
pub(crate) fn with_modifier(value: Bound, to: PgType) -> Bound {
    let Some((precision, scale)) = to.precision_scale() else {
        return Bound { pg: to, ..value };
    };
    let form = crate::types::storage(to);
    // Decimals of this form have this precision; what is held as text may have any.
    if value.arrow == form && parts(&form).is_some() {
        return Bound { pg: to, ..value };
    }
    // A wider decimal needs no check.
    if let (Some((p, s)), Some((wide_p, wide_s))) = (parts(&value.arrow), parts(&form))
        && s <= wide_s
        && p - s.min(p) <= wide_p - wide_s.min(wide_p)
    {
        return Bound { pg: to, ..as_form(value, &form) };
    }
    let returns = form.clone();
    let name = format!("numeric({precision},{scale})");
    let expr = call(name, vec![value.expr], form.clone(), move |args| {
        let [array] = args else { return Err(wrong_type("numeric")) };
        let values = reader(array)?;
        let rounded = |row: usize| -> DfResult<Option<Numeric>> {
            values.get(row)?.map(|number| number.to_precision(precision, scale)).transpose().map_err(external)
        };
        collect(&returns, array.len(), rounded)
    });
    Bound {
        expr,
        pg: to,
        arrow: form,
        unknown: None,
        position: value.position,
        scaled: None,
        collation: Collation::Default,
    }
}

/// Values that fit a form, as an array of it.
pub(crate) fn collect(
    form: &DataType,
    rows: usize,
    value: impl Fn(usize) -> DfResult<Option<Numeric>>,
) -> DfResult<ArrayRef> {
    match form {
        DataType::Decimal128(p, s) => {
            let numbers = (0..rows)
                .map(|row| {
                    value(row)?.map(|n| n.to_decimal128(u16::from(*p), i16::from(*s))).transpose().map_err(external)
                })
                .collect::<DfResult<Vec<_>>>()?;
            Ok(Arc::new(Decimal128Array::from(numbers).with_precision_and_scale(*p, *s)?))
        }
        DataType::Decimal256(p, s) => {
            let numbers = (0..rows)
                .map(|row| {
                    value(row)?.map(|n| n.to_decimal256(u16::from(*p), i16::from(*s))).transpose().map_err(external)
                })
                .collect::<DfResult<Vec<_>>>()?;
            Ok(Arc::new(Decimal256Array::from(numbers).with_precision_and_scale(*p, *s)?))
        }
        _ => texts(rows, value),
    }
}
