//! Arithmetic and functions of float4 and float8: overflow, underflow and division by zero are errors.
//! Must not know: SQL.

use arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion::logical_expr::Expr;

use super::super::cast::native;
use super::super::lift::{map, zip};
use super::super::value::Bound;
use super::ints::division_by_zero;
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

fn overflow() -> Error {
    Error::client(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

fn underflow() -> Error {
    Error::client(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow")
}

/// One NaN, without a sign.
fn clean(v: f64) -> f64 {
    if v.is_nan() { f64::NAN } else { v }
}

fn wide_arithmetic(operation: &str, x: f64, y: f64) -> Result<f64> {
    let result = match operation {
        "pl" => x + y,
        "mi" => x - y,
        "mul" => x * y,
        _ if y == 0.0 && !x.is_nan() => return Err(division_by_zero()),
        _ => x / y,
    };
    if result.is_infinite() && !x.is_infinite() && !y.is_infinite() {
        return Err(overflow());
    }
    let vanished = match operation {
        "mul" => x != 0.0 && y != 0.0,
        "div" => x != 0.0 && !y.is_infinite(),
        _ => false,
    };
    if result == 0.0 && vanished {
        return Err(underflow());
    }
    Ok(clean(result))
}

fn narrow_arithmetic(operation: &str, x: f32, y: f32) -> Result<f32> {
    let result = match operation {
        "pl" => x + y,
        "mi" => x - y,
        "mul" => x * y,
        _ if y == 0.0 && !x.is_nan() => return Err(division_by_zero()),
        _ => x / y,
    };
    if result.is_infinite() && !x.is_infinite() && !y.is_infinite() {
        return Err(overflow());
    }
    let vanished = match operation {
        "mul" => x != 0.0 && y != 0.0,
        "div" => x != 0.0 && !y.is_infinite(),
        _ => false,
    };
    if result == 0.0 && vanished {
        return Err(underflow());
    }
    Ok(if result.is_nan() { f32::NAN } else { result })
}

/// An operator or a function over floats.
pub(super) fn implement(source: &str, args: &[Bound], returns: PgType) -> Option<Bound> {
    if let [only] = args {
        return function(source, only, returns);
    }
    if let ("dpow", [a, b]) = (source, args) {
        let pair = [wide(a), wide(b)];
        let expr = zip::<Float64Type, Float64Type, Float64Type>(source, pair, DataType::Float64, power);
        return Some(Bound::new(expr, returns));
    }
    let operation = match source {
        "float4pl" | "float4mi" | "float4mul" | "float4div" => source.strip_prefix("float4")?,
        _ => {
            let rest = ["float84", "float48", "float8"].iter().find_map(|types| source.strip_prefix(types))?;
            if !matches!(rest, "pl" | "mi" | "mul" | "div") {
                return None;
            }
            rest
        }
    };
    let operation: &'static str = match operation {
        "pl" => "pl",
        "mi" => "mi",
        "mul" => "mul",
        _ => "div",
    };
    let [a, b] = args else { return None };
    let expr = if returns.oid == 700 {
        let pair = [a.expr.clone(), b.expr.clone()];
        zip::<Float32Type, Float32Type, Float32Type>(source, pair, DataType::Float32, move |x, y| {
            narrow_arithmetic(operation, x, y)
        })
    } else {
        let name = format!("float8{operation}");
        zip::<Float64Type, Float64Type, Float64Type>(&name, [wide(a), wide(b)], DataType::Float64, move |x, y| {
            wide_arithmetic(operation, x, y)
        })
    };
    Some(Bound::new(expr, returns))
}

fn wide(value: &Bound) -> Expr {
    if value.arrow == DataType::Float64 { value.expr.clone() } else { native(value.expr.clone(), DataType::Float64) }
}

fn function(source: &str, arg: &Bound, returns: PgType) -> Option<Bound> {
    let expr = arg.expr.clone();
    if let Some(operation) = source.strip_prefix("float4") {
        let made = match operation {
            "um" => map::<Float32Type, Float32Type>(source, expr, DataType::Float32, |v| Ok(-v)),
            "abs" => map::<Float32Type, Float32Type>(source, expr, DataType::Float32, |v| Ok(v.abs())),
            "up" => expr,
            _ => return None,
        };
        return Some(Bound::new(made, returns));
    }
    let f: fn(f64) -> f64 = match source {
        "float8um" => |v| -v,
        "float8abs" => f64::abs,
        "float8up" => return Some(arg.clone()),
        "dround" => |v: f64| v.round_ties_even(),
        "dtrunc" => f64::trunc,
        "dceil" => f64::ceil,
        "dfloor" => f64::floor,
        "dsign" => |v: f64| {
            if v > 0.0 {
                1.0
            } else if v < 0.0 {
                -1.0
            } else {
                0.0
            }
        },
        "dexp" => return checked(source, expr, exponential),
        "dlog1" => return checked(source, expr, |v| logarithm(v).map(|()| v.ln())),
        "dlog10" => return checked(source, expr, |v| logarithm(v).map(|()| v.log10())),
        "dsqrt" => {
            return checked(source, expr, |v| {
                if v < 0.0 {
                    let state = SqlState::from_code("2201F").unwrap_or(SqlState::NUMERIC_VALUE_OUT_OF_RANGE);
                    return Err(Error::client(state, "cannot take square root of a negative number"));
                }
                Ok(v.sqrt())
            });
        }
        _ => return None,
    };
    let made = map::<Float64Type, Float64Type>(source, expr, DataType::Float64, move |v| Ok(f(v)));
    Some(Bound::new(made, returns))
}

fn power(x: f64, y: f64) -> Result<f64> {
    let wrong = |text: &str| {
        Err(Error::client(SqlState::from_code("2201F").unwrap_or(SqlState::NUMERIC_VALUE_OUT_OF_RANGE), text))
    };
    if x.is_nan() {
        return Ok(if y == 0.0 { 1.0 } else { f64::NAN });
    }
    if y.is_nan() {
        return Ok(if x == 1.0 { 1.0 } else { f64::NAN });
    }
    if x == 0.0 && y < 0.0 {
        return wrong("zero raised to a negative power is undefined");
    }
    if x < 0.0 && y.is_finite() && y.floor() != y {
        return wrong("a negative number raised to a non-integer power yields a complex result");
    }
    let result = x.powf(y);
    if result.is_infinite() && x.is_finite() && y.is_finite() {
        return Err(overflow());
    }
    if result == 0.0 && x != 0.0 && x.is_finite() && y.is_finite() {
        return Err(underflow());
    }
    Ok(clean(result))
}

fn exponential(v: f64) -> Result<f64> {
    let result = v.exp();
    if result.is_infinite() && v.is_finite() {
        return Err(overflow());
    }
    if result == 0.0 && v.is_finite() {
        return Err(underflow());
    }
    Ok(clean(result))
}

fn logarithm(v: f64) -> Result<()> {
    let state = SqlState::from_code("2201E").unwrap_or(SqlState::NUMERIC_VALUE_OUT_OF_RANGE);
    if v == 0.0 {
        return Err(Error::client(state, "cannot take logarithm of zero"));
    }
    if v < 0.0 {
        return Err(Error::client(state, "cannot take logarithm of a negative number"));
    }
    Ok(())
}

fn checked(source: &str, expr: Expr, f: fn(f64) -> Result<f64>) -> Option<Bound> {
    Some(Bound::new(map::<Float64Type, Float64Type>(source, expr, DataType::Float64, f), PgType::FLOAT8))
}
