//! Mathematical functions that are exact, and the volatile ones.
//! Must not know: SQL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array};
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion::logical_expr::lit;

use super::super::kernel::{call_volatile, wrong_type};
use super::super::lift::zip;
use super::super::value::Bound;
use super::ints::overflow;
use crate::types::PgType;

/// A mathematical function.
pub(super) fn implement(source: &str, args: &[Bound], returns: PgType) -> Option<Bound> {
    match (source, args) {
        ("drandom", []) => {
            let expr = call_volatile("random", vec![lit(0_i64)], DataType::Float64, |args| {
                let [rows] = args else { return Err(wrong_type("random")) };
                let values: Float64Array = (0..rows.len()).map(|_| Some(rand::random::<f64>())).collect();
                Ok(Arc::new(values) as ArrayRef)
            });
            Some(Bound::new(expr, returns))
        }
        ("dpi", []) => {
            let value = datafusion::scalar::ScalarValue::Float64(Some(std::f64::consts::PI));
            Some(Bound::literal(value, returns))
        }
        ("int4gcd", [a, b]) => Some(Bound::new(
            zip::<Int32Type, Int32Type, Int32Type>(
                source,
                [a.expr.clone(), b.expr.clone()],
                DataType::Int32,
                move |x, y| i32::try_from(gcd(i64::from(x), i64::from(y))).map_err(|_| overflow(returns)),
            ),
            returns,
        )),
        ("int8gcd", [a, b]) => Some(Bound::new(
            zip::<Int64Type, Int64Type, Int64Type>(
                source,
                [a.expr.clone(), b.expr.clone()],
                DataType::Int64,
                move |x, y| i64::try_from(gcd_wide(i128::from(x), i128::from(y))).map_err(|_| overflow(returns)),
            ),
            returns,
        )),
        _ => None,
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}

fn gcd_wide(a: i128, b: i128) -> i128 {
    if b == 0 { a.abs() } else { gcd_wide(b, a % b) }
}
