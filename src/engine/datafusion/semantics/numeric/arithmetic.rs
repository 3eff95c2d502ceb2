//! `+ - * / %` over numeric: decimals while they fit, text where the scale depends on the values.
//! Must not know: how operators are resolved.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal256Array};
use arrow::compute::kernels::numeric as kernels;
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, Int64Type, i256};
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::logical_expr::Expr;

use super::super::kernel::{call, external, wrong_type};
use super::super::value::Bound;
use super::forms::{collect, decimal_type, parts, reader, texts};
use crate::types::Numeric;
use crate::types::PgType;

/// An operation whose result has a scale that the operands' scales decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Add,
    Subtract,
    Multiply,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Operation::Add => "numeric_add",
            Operation::Subtract => "numeric_sub",
            Operation::Multiply => "numeric_mul",
        }
    }

    fn result_type(self, a: &DataType, b: &DataType) -> Option<DataType> {
        let ((p1, s1), (p2, s2)) = (parts(a)?, parts(b)?);
        let (p1, s1, p2, s2) = (u32::from(p1), u32::from(s1), u32::from(p2), u32::from(s2));
        match self {
            Operation::Multiply => decimal_type(p1 + p2, s1 + s2),
            _ => {
                let scale = s1.max(s2);
                let whole = p1.saturating_sub(s1).max(p2.saturating_sub(s2));
                decimal_type(whole + scale + 1, scale)
            }
        }
    }

    fn numbers(self, a: &Numeric, b: &Numeric) -> crate::error::Result<Numeric> {
        match self {
            Operation::Add => a.add(b),
            Operation::Subtract => a.sub(b),
            Operation::Multiply => a.mul(b),
        }
    }
}

/// `a + b`, `a - b`, `a * b`.
pub(crate) fn binary(source: &str, a: Bound, b: Bound) -> Option<Bound> {
    let operation = match source {
        "numeric_add" => Operation::Add,
        "numeric_sub" => Operation::Subtract,
        "numeric_mul" => Operation::Multiply,
        _ => return None,
    };
    let returns = operation.result_type(&a.arrow, &b.arrow).unwrap_or(DataType::Utf8View);
    let form = returns.clone();
    let expr =
        call(operation.name(), vec![a.expr, b.expr], returns.clone(), move |args| compute(operation, args, &form));
    Some(Bound::with_arrow(expr, PgType::NUMERIC, returns))
}

fn compute(operation: Operation, args: &[ArrayRef], form: &DataType) -> DfResult<ArrayRef> {
    let [a, b] = args else { return Err(wrong_type(operation.name())) };
    match (form, a.data_type(), b.data_type()) {
        (DataType::Decimal128(p, s), DataType::Decimal128(..), DataType::Decimal128(..)) => {
            let result = arrow_compute(operation, a, b)?;
            Ok(Arc::new(result.as_primitive::<Decimal128Type>().clone().with_precision_and_scale(*p, *s)?))
        }
        (DataType::Decimal256(p, s), DataType::Decimal128(..), DataType::Decimal128(..))
            if operation == Operation::Multiply =>
        {
            let product: Decimal256Array = arrow::compute::kernels::arity::binary(
                a.as_primitive::<Decimal128Type>(),
                b.as_primitive::<Decimal128Type>(),
                |x, y| match x.checked_mul(y) {
                    Some(product) => i256::from_i128(product),
                    None => i256::from_i128(x).wrapping_mul(i256::from_i128(y)),
                },
            )?;
            Ok(Arc::new(product.with_precision_and_scale(*p, *s)?))
        }
        (DataType::Decimal256(p, s), DataType::Decimal128(..) | DataType::Decimal256(..), _)
            if parts(b.data_type()).is_some() =>
        {
            let (a, b) = (widened(a)?, widened(b)?);
            let result = arrow_compute(operation, &a, &b)?;
            Ok(Arc::new(result.as_primitive::<Decimal256Type>().clone().with_precision_and_scale(*p, *s)?))
        }
        _ => {
            let (x, y) = (reader(a)?, reader(b)?);
            collect(form, a.len(), |row| match (x.get(row)?, y.get(row)?) {
                (Some(x), Some(y)) => operation.numbers(&x, &y).map(Some).map_err(external),
                _ => Ok(None),
            })
        }
    }
}

fn arrow_compute(operation: Operation, a: &ArrayRef, b: &ArrayRef) -> DfResult<ArrayRef> {
    let result = match operation {
        Operation::Add => kernels::add(a, b),
        Operation::Subtract => kernels::sub(a, b),
        Operation::Multiply => kernels::mul(a, b),
    };
    result.map_err(DataFusionError::from)
}

fn widened(array: &ArrayRef) -> DfResult<ArrayRef> {
    match array.data_type() {
        DataType::Decimal128(_, s) => {
            let wide: Decimal256Array =
                arrow::compute::kernels::arity::unary(array.as_primitive::<Decimal128Type>(), i256::from_i128);
            Ok(Arc::new(wide.with_precision_and_scale(76, *s)?))
        }
        DataType::Decimal256(_, s) => {
            Ok(Arc::new(array.as_primitive::<Decimal256Type>().clone().with_precision_and_scale(76, *s)?))
        }
        _ => Err(wrong_type("numeric")),
    }
}

/// `a / b`, with the digits that PostgreSQL chooses from the values.
pub(crate) fn divide(a: Bound, b: Bound) -> Bound {
    row_by_row("numeric_div", a, b, Numeric::div)
}

/// `a % b`.
pub(crate) fn remainder(a: Bound, b: Bound) -> Bound {
    row_by_row("numeric_mod", a, b, Numeric::rem)
}

fn row_by_row(
    name: &'static str,
    a: Bound,
    b: Bound,
    operation: fn(&Numeric, &Numeric) -> crate::error::Result<Numeric>,
) -> Bound {
    let expr = call(name, vec![a.expr, b.expr], DataType::Utf8View, move |args| {
        let [a, b] = args else { return Err(wrong_type(name)) };
        let (x, y) = (reader(a)?, reader(b)?);
        texts(a.len(), |row| match (x.get(row)?, y.get(row)?) {
            (Some(x), Some(y)) => operation(&x, &y).map(Some).map_err(external),
            _ => Ok(None),
        })
    });
    Bound::with_arrow(expr, PgType::NUMERIC, DataType::Utf8View)
}

/// The average: a sum over a count (bigint). NULL for a NULL sum, whatever the count.
pub(crate) fn divide_by_count(sum: Expr, count: Expr) -> Expr {
    call("numeric_avg", vec![sum, count], DataType::Utf8View, |args| {
        let [sum, count] = args else { return Err(wrong_type("numeric_avg")) };
        let sums = reader(sum)?;
        let counts = count.as_primitive_opt::<Int64Type>().ok_or_else(|| wrong_type("numeric_avg"))?;
        texts(sum.len(), |row| match sums.get(row)? {
            Some(total) => total.avg(counts.value(row)).map(Some).map_err(external),
            None => Ok(None),
        })
    })
}

/// `-a` and `abs(a)`.
pub(crate) fn negate(a: Bound, absolute: bool) -> Bound {
    let form = a.arrow.clone();
    let name = if absolute { "numeric_abs" } else { "numeric_uminus" };
    let returns = form.clone();
    let expr = call(name, vec![a.expr], form.clone(), move |args| {
        let [array] = args else { return Err(wrong_type(name)) };
        if let Some(small) = array.as_primitive_opt::<Decimal128Type>() {
            let result = small.unary::<_, Decimal128Type>(|v| if absolute { v.abs() } else { -v });
            return Ok(Arc::new(result.with_data_type(returns.clone())) as ArrayRef);
        }
        let values = reader(array)?;
        collect(&returns, array.len(), |row| {
            Ok(values.get(row)?.map(|number| if absolute { number.abs() } else { number.neg() }))
        })
    });
    Bound::with_arrow(expr, PgType::NUMERIC, form)
}
