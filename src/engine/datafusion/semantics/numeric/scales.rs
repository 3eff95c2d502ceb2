//! Numeric values that show different scales, as decimals beside the scale that each shows: sums need no text then.
//! Must not know: SQL.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int32Type};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::Case;
use datafusion::scalar::ScalarValue;

use super::super::kernel::{call, external, wrong_type};
use super::super::value::{Bound, Scaled};
use super::forms::{as_form, common_decimal, parts, reader, texts};
use crate::types::PgType;

/// The values of a CASE as decimals with their scales: `conditions` and one value more (ELSE). None if a value is text already, or
/// the decimals would be too wide.
pub(crate) fn chosen(conditions: &[Expr], values: &[Bound]) -> Option<Box<Scaled>> {
    let all = values.iter().map(parts_of).collect::<Option<Vec<_>>>()?;
    let mut form: Option<DataType> = None;
    for this in all.iter().flatten() {
        form = Some(match form {
            None => this.form.clone(),
            Some(known) => common_decimal(&known, &this.form)?,
        });
    }
    let form = form?;
    let null = |arrow: &DataType| ScalarValue::try_from(arrow).map(|value| Expr::Literal(value, None)).ok();
    let mut decimals = Vec::new();
    let mut scales = Vec::new();
    for this in all {
        match this {
            None => {
                decimals.push(null(&form)?);
                scales.push(null(&DataType::Int32)?);
            }
            Some(Scaled { value, form: own, scale }) => {
                decimals.push(as_form(Bound::with_arrow(value, PgType::NUMERIC, own), &form).expr);
                scales.push(scale);
            }
        }
    }
    let value = case(conditions, decimals)?;
    Some(Box::new(Scaled { value, form, scale: case(conditions, scales)? }))
}

/// A value's decimals and scales; an inner none for NULL.
fn parts_of(value: &Bound) -> Option<Option<Scaled>> {
    if value.constant().is_some_and(ScalarValue::is_null) {
        return Some(None);
    }
    if let Some(scaled) = &value.scaled {
        return Some(Some((**scaled).clone()));
    }
    let (_, scale) = parts(&value.arrow)?;
    let scale = Expr::Literal(ScalarValue::Int32(Some(i32::from(scale))), None);
    Some(Some(Scaled { value: value.expr.clone(), form: value.arrow.clone(), scale }))
}

fn case(conditions: &[Expr], mut values: Vec<Expr>) -> Option<Expr> {
    let other = values.pop()?;
    let arms = conditions.iter().cloned().zip(values).map(|(when, then)| (Box::new(when), Box::new(then))).collect();
    Some(Expr::Case(Case { expr: None, when_then_expr: arms, else_expr: Some(Box::new(other)) }))
}

/// A decimal with only so many digits behind the point (an int4); what is cut are zeros.
pub(crate) fn shown_at(value: Expr, scale: Expr) -> Expr {
    call("numeric_shown", vec![value, scale], DataType::Utf8View, |args| {
        let [values, scales] = args else { return Err(wrong_type("numeric_shown")) };
        let numbers = reader(values)?;
        let scales = scales.as_primitive_opt::<Int32Type>().ok_or_else(|| wrong_type("numeric_shown"))?;
        texts(values.len(), |row| match numbers.get(row)? {
            Some(number) if !scales.is_null(row) => {
                number.trunc(i64::from(scales.value(row))).map(Some).map_err(external)
            }
            other => Ok(other),
        })
    })
}
