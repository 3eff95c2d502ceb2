//! What belongs to no family: booleans, uuid, pg_typeof.
//! Must not know: SQL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion::logical_expr::lit;

use super::super::cast::Typing;
use super::super::kernel::{call_volatile, wrong_type};
use super::super::value::Bound;
use crate::error::Result;
use crate::types::PgType;

/// A function of no family.
pub(super) fn implement(source: &str, args: &[Bound], returns: PgType, typing: &mut Typing) -> Result<Option<Bound>> {
    let _ = typing;
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
        ("md5_text", [a]) => {
            // DataFusion's digest is the same; its input is the same text.
            let call = datafusion::functions::crypto::md5().call(vec![a.expr.clone()]);
            Ok(Some(Bound::new(super::super::cast::native(call, DataType::Utf8View), PgType::TEXT)))
        }
        _ => Ok(None),
    }
}
