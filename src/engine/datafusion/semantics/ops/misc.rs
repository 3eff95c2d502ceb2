//! What belongs to no family: booleans, uuid, pg_typeof.
//! Must not know: SQL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion::logical_expr::lit;

use super::super::cast::Typing;
use super::super::fold::fold;
use super::super::kernel::{call, call_volatile, wrong_type};
use super::super::value::Bound;
use crate::error::Result;
use crate::types::PgType;

/// `pg_column_size`: of what always takes the same room, and of texts that are written in the statement. How a source holds its texts nobody knows.
fn column_size(value: &Bound, typing: &mut Typing) -> Result<Option<Bound>> {
    let value = typing.settle(value.clone())?;
    let fixed = i32::from(value.pg.typlen());
    let text = matches!(value.pg.oid, 25 | 114 | 1042 | 1043);
    if fixed < 0 && !(text && fold(value.clone()).constant().is_some()) {
        return Ok(None);
    }
    let expr = call(format!("pg_column_size({fixed})"), vec![value.expr], DataType::Int32, move |args| {
        let [values] = args else { return Err(wrong_type("pg_column_size")) };
        let texts = values.as_string_view_opt();
        let size = |row: usize| match texts {
            // Four bytes say how long it is.
            Some(texts) if fixed < 0 => i32::try_from(texts.value(row).len() + 4).unwrap_or(i32::MAX),
            _ => fixed,
        };
        let sizes = (0..values.len()).map(|row| values.is_valid(row).then(|| size(row)));
        Ok(Arc::new(sizes.collect::<Int32Array>()) as ArrayRef)
    });
    Ok(Some(Bound::new(expr, PgType::INT4)))
}

/// A function of no family.
pub(super) fn implement(source: &str, args: &[Bound], returns: PgType, typing: &mut Typing) -> Result<Option<Bound>> {
    match (source, args) {
        ("gen_random_uuid", []) => {
            let expr = call_volatile("gen_random_uuid", vec![lit(0_i64)], DataType::Utf8View, |args| {
                let [rows] = args else { return Err(wrong_type("gen_random_uuid")) };
                let mut builder = StringViewBuilder::with_capacity(rows.len());
                for _ in 0..rows.len() {
                    builder.append_value(uuid::Uuid::new_v4().to_string());
                }
                Ok(Arc::new(builder.finish()) as ArrayRef)
            });
            Ok(Some(Bound::new(expr, returns)))
        }
        ("pg_column_size", [value]) => column_size(value, typing),
        ("md5_text", [a]) => {
            // DataFusion's digest is the same; its input is the same text.
            let call = datafusion::functions::crypto::md5().call(vec![a.expr.clone()]);
            Ok(Some(Bound::new(super::super::cast::native(call, DataType::Utf8View), PgType::TEXT)))
        }
        _ => Ok(None),
    }
}
