//! Arithmetic of integers: PostgreSQL's result types, and an error where a result does not fit.
//! Must not know: SQL.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, PrimitiveArray};
use arrow::compute::kernels::numeric as kernels;
use arrow::datatypes::{ArrowNativeTypeOp, ArrowPrimitiveType, DataType, Int16Type, Int32Type, Int64Type};
use arrow::error::ArrowError;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::logical_expr::Expr;

use super::super::cast::native;
use super::super::kernel::{call, external, wrong_type};
use super::super::lift::{map, zip};
use super::super::value::Bound;
use super::exprs;
use crate::error::{Error, SqlState};
use crate::types::{PgType, storage};

/// `22012`.
pub(super) fn division_by_zero() -> Error {
    Error::client(SqlState::DIVISION_BY_ZERO, "division by zero")
}

/// `22003`.
pub(super) fn overflow(returns: PgType) -> Error {
    let name = super::super::value::type_name(returns.oid);
    Error::client(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{name} out of range"))
}

/// An operator or a function over integers.
pub(super) fn implement(source: &str, args: &[Bound], returns: PgType) -> Option<Bound> {
    const TYPES: [&str; 9] = ["int24", "int42", "int28", "int82", "int48", "int84", "int2", "int4", "int8"];
    let types = TYPES.iter().find(|types| source.starts_with(**types))?;
    let operation = source.strip_prefix(types)?;
    let expr = match operation {
        "pl" | "mi" | "mul" | "div" | "mod" => arithmetic(operation, args, returns)?,
        "and" | "or" | "xor" => bits(operation, args, returns)?,
        "um" | "abs" | "up" | "not" => unary(source, operation, args, returns)?,
        "shl" | "shr" => shifted(operation == "shl", args, returns)?,
        _ => return None,
    };
    Some(Bound::new(expr, returns))
}

fn arithmetic(operation: &str, args: &[Bound], returns: PgType) -> Option<Expr> {
    let wide = storage(returns);
    let widened: Vec<Expr> =
        args.iter().map(|arg| if arg.arrow == wide { arg.expr.clone() } else { widened(arg, &wide) }).collect();
    let function: fn(&ArrayRef, &ArrayRef) -> Result<ArrayRef, ArrowError> = match operation {
        "pl" => |a, b| kernels::add(a, b),
        "mi" => |a, b| kernels::sub(a, b),
        "mul" => |a, b| kernels::mul(a, b),
        "div" => |a, b| kernels::div(a, b),
        _ => return Some(remainder(widened, wide)),
    };
    Some(call(format!("{}{operation}", returns.name()), widened, wide, move |args| {
        let [a, b] = args else { return Err(wrong_type("an integer operator")) };
        function(a, b).map_err(|error| match error {
            ArrowError::DivideByZero => external(division_by_zero()),
            ArrowError::ArithmeticOverflow(_) => external(overflow(returns)),
            other => DataFusionError::from(other),
        })
    }))
}

fn widened(arg: &Bound, wide: &DataType) -> Expr {
    match arg.constant().and_then(|constant| constant.cast_to(wide).ok()) {
        Some(constant) => Expr::Literal(constant, None),
        None => native(arg.expr.clone(), wide.clone()),
    }
}

/// The remainder has the sign of the dividend; the smallest integer by -1 leaves 0.
fn remainder(args: Vec<Expr>, wide: DataType) -> Expr {
    fn rem<T: ArrowPrimitiveType>(args: &[ArrayRef]) -> DfResult<ArrayRef> {
        let [a, b] = args else { return Err(wrong_type("an integer operator")) };
        let (Some(a), Some(b)) = (a.as_primitive_opt::<T>(), b.as_primitive_opt::<T>()) else {
            return Err(wrong_type("an integer operator"));
        };
        let result: PrimitiveArray<T> = arrow::compute::kernels::arity::try_binary(a, b, |x, y| {
            if y.is_zero() { Err(ArrowError::DivideByZero) } else { Ok(x.mod_wrapping(y)) }
        })
        .map_err(|error| match error {
            ArrowError::DivideByZero => external(division_by_zero()),
            other => DataFusionError::from(other),
        })?;
        Ok(Arc::new(result))
    }
    let body = match wide {
        DataType::Int16 => rem::<Int16Type>,
        DataType::Int32 => rem::<Int32Type>,
        _ => rem::<Int64Type>,
    };
    call("intmod", args, wide, body)
}

fn bits(operation: &str, args: &[Bound], returns: PgType) -> Option<Expr> {
    let [a, b] = args else { return None };
    let wide = storage(returns);
    let pair = [a.expr.clone(), b.expr.clone()];
    let name = format!("{}{operation}", returns.name());
    macro_rules! zip_bits {
        ($type:ty) => {
            match operation {
                "and" => zip::<$type, $type, $type>(&name, pair, wide, |x, y| Ok(x & y)),
                "or" => zip::<$type, $type, $type>(&name, pair, wide, |x, y| Ok(x | y)),
                _ => zip::<$type, $type, $type>(&name, pair, wide, |x, y| Ok(x ^ y)),
            }
        };
    }
    match wide {
        DataType::Int16 => Some(zip_bits!(Int16Type)),
        DataType::Int32 => Some(zip_bits!(Int32Type)),
        DataType::Int64 => Some(zip_bits!(Int64Type)),
        _ => None,
    }
}

/// The count is taken modulo the width, as the processors that PostgreSQL runs on take it.
fn shifted(left: bool, args: &[Bound], returns: PgType) -> Option<Expr> {
    let [a, b] = args else { return None };
    let pair = [a.expr.clone(), b.expr.clone()];
    let name = format!("{}{}", returns.name(), if left { "shl" } else { "shr" });
    let wide = storage(returns);
    match wide {
        DataType::Int32 => Some(zip::<Int32Type, Int32Type, Int32Type>(&name, pair, wide, move |x, n| {
            Ok(if left { x.wrapping_shl(n as u32) } else { x.wrapping_shr(n as u32) })
        })),
        DataType::Int64 => Some(zip::<Int64Type, Int32Type, Int64Type>(&name, pair, wide, move |x, n| {
            Ok(if left { x.wrapping_shl(n as u32) } else { x.wrapping_shr(n as u32) })
        })),
        _ => None,
    }
}

fn unary(source: &str, operation: &str, args: &[Bound], returns: PgType) -> Option<Expr> {
    let arg = exprs(args).into_iter().next()?;
    let wide = storage(returns);
    macro_rules! map_one {
        ($type:ty) => {
            match operation {
                "um" => {
                    map::<$type, $type>(source, arg, wide, move |v| v.checked_neg().ok_or_else(|| overflow(returns)))
                }
                "abs" => {
                    map::<$type, $type>(source, arg, wide, move |v| v.checked_abs().ok_or_else(|| overflow(returns)))
                }
                "not" => map::<$type, $type>(source, arg, wide, |v| Ok(!v)),
                _ => arg,
            }
        };
    }
    match wide {
        DataType::Int16 => Some(map_one!(Int16Type)),
        DataType::Int32 => Some(map_one!(Int32Type)),
        DataType::Int64 => Some(map_one!(Int64Type)),
        _ => None,
    }
}
