//! Aggregate functions: DataFusion's where they agree with PostgreSQL's, put together from them or our own where not.
//! Must not know: SQL.

mod groups;
mod numeric_state;
mod ordered;
mod spread;
mod statistics;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Float64Type, Int64Type};
use datafusion::functions_aggregate::array_agg::array_agg_udaf;
use datafusion::functions_aggregate::bit_and_or_xor::{bit_and_udaf, bit_or_udaf, bit_xor_udaf};
use datafusion::functions_aggregate::bool_and_or::{bool_and_udaf, bool_or_udaf};
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::functions_aggregate::string_agg::string_agg_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{AggregateUDF, Expr, SortExpr, lit};
use datafusion::scalar::ScalarValue;

use self::numeric_state::{Folding, numeric_udaf};
use self::spread::{Spread, spread_udaf};
use self::statistics::{Statistic, statistic_udaf};
use super::cast::{native, padded};
use super::keys::{blank_trimmed, group_key, sort_key};
use super::lift::map;
use super::value::Bound;
use super::{numeric, own};
use crate::error::{Error, Result};
use crate::types::PgType;

/// A call of an aggregate, bound.
#[derive(Debug, Clone)]
pub(super) struct Aggregate {
    pub(super) args: Vec<Bound>,
    pub(super) distinct: bool,
    pub(super) order: Vec<SortExpr>,
    pub(super) filter: Option<Box<Expr>>,
}

/// How a function of DataFusion is called: as an aggregate, or over a window.
pub(super) trait Calls {
    /// A call over these arguments.
    fn call(&self, function: Arc<AggregateUDF>, args: Vec<Expr>) -> Expr;
    /// Whether DISTINCT is asked for.
    fn distinct(&self) -> bool;
    /// Whether the frame moves away from its start, so that values leave it again.
    fn slides(&self) -> bool;
}

impl Calls for Aggregate {
    fn call(&self, function: Arc<AggregateUDF>, args: Vec<Expr>) -> Expr {
        let filter = self.filter.clone();
        Expr::AggregateFunction(AggregateFunction::new_udf(function, args, self.distinct, filter, Vec::new(), None))
    }

    fn distinct(&self) -> bool {
        self.distinct
    }

    fn slides(&self) -> bool {
        false
    }
}

/// Any one of a group's values.
pub(super) fn any_value(value: Expr) -> Expr {
    first_value(value, Vec::new())
}

/// The first of a group's values in an order.
pub(super) fn first_value(value: Expr, order: Vec<SortExpr>) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(first_value_udaf(), vec![value], false, None, order, None))
}

/// An aggregate by name; none if it is not offered for these types.
pub(super) fn build(name: &str, aggregate: Aggregate, returns: PgType) -> Result<Option<Bound>> {
    match name {
        "array_agg" => array_agg(&aggregate, returns),
        "string_agg" => string_agg(&aggregate, returns),
        _ => {
            let args = aggregate.args.clone();
            plain(name, &args, &aggregate, returns)
        }
    }
}

/// An aggregate whose result does not depend on the order of its input.
pub(super) fn plain(name: &str, args: &[Bound], calls: &dyn Calls, returns: PgType) -> Result<Option<Bound>> {
    let made = |expr: Expr| Ok(Some(Bound::new(expr, returns)));
    match (name, args) {
        ("count", []) => made(calls.call(count_udaf(), vec![lit(1_i64)])),
        ("count", [value]) => made(count(value, calls)?),
        ("sum", [value]) => sum(value, calls, returns),
        ("avg", [value]) => avg(value, calls, returns),
        ("min" | "max", [value]) => extreme(name == "max", value, calls, returns),
        ("bool_and" | "every", [value]) => made(calls.call(bool_and_udaf(), vec![value.expr.clone()])),
        ("bool_or", [value]) => made(calls.call(bool_or_udaf(), vec![value.expr.clone()])),
        ("bit_and" | "bit_or" | "bit_xor", [value]) if matches!(value.pg.oid, 20 | 21 | 23) => {
            let function = match name {
                "bit_and" => bit_and_udaf(),
                "bit_or" => bit_or_udaf(),
                _ => bit_xor_udaf(),
            };
            made(calls.call(function, vec![value.expr.clone()]))
        }
        _ if calls.slides() || calls.distinct() => Ok(None),
        (_, [value]) if matches!(value.pg.oid, 20 | 21 | 23 | 1700) => match Spread::named(name) {
            Some(spread) => {
                let number = match value.pg.oid {
                    1700 => value.expr.clone(),
                    _ => native(value.expr.clone(), DataType::Decimal128(19, 0)),
                };
                let expr = calls.call(spread_udaf(spread), vec![number]);
                Ok(Some(Bound::with_arrow(expr, returns, DataType::Utf8View)))
            }
            None => Ok(None),
        },
        (_, [_] | [_, _]) if args.iter().all(|arg| matches!(arg.pg.oid, 700 | 701)) => {
            match Statistic::named(name, args.len()) {
                Some(statistic) => {
                    let exprs = args.iter().map(|arg| arg.expr.clone()).collect();
                    made(calls.call(statistic_udaf(statistic, args.len()), exprs))
                }
                None => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

fn count(value: &Bound, calls: &dyn Calls) -> Result<Expr> {
    let counted =
        if calls.distinct() { group_key(value)?.unwrap_or_else(|| value.expr.clone()) } else { value.expr.clone() };
    Ok(calls.call(count_udaf(), vec![counted]))
}

/// The sum as PostgreSQL types it: bigint for small integers, numeric for bigint and numeric.
fn sum(value: &Bound, calls: &dyn Calls, returns: PgType) -> Result<Option<Bound>> {
    match value.pg.oid {
        21 | 23 => {
            let wide = native(value.expr.clone(), DataType::Int64);
            Ok(Some(Bound::new(calls.call(sum_udaf(), vec![wide]), returns)))
        }
        20 => {
            let wide = native(value.expr.clone(), DataType::Decimal128(19, 0));
            let expr = calls.call(sum_udaf(), vec![wide]);
            Ok(Some(Bound::with_arrow(expr, returns, DataType::Decimal128(29, 0))))
        }
        700 | 701 if !calls.slides() && !calls.distinct() => {
            let statistic = if value.pg.oid == 700 { Statistic::Sum4 } else { Statistic::Sum8 };
            Ok(Some(Bound::new(calls.call(statistic_udaf(statistic, 1), vec![value.expr.clone()]), returns)))
        }
        1700 => numeric_sum(value, calls).map(|sum| sum.map(|sum| Bound { pg: returns, ..sum })),
        _ => Ok(None),
    }
}

/// A sum of numeric. Decimals keep ten digits for the number of rows; what could need more than 76 is added as text.
fn numeric_sum(value: &Bound, calls: &dyn Calls) -> Result<Option<Bound>> {
    if let Some(scaled) = value.scaled.as_deref().filter(|_| !calls.distinct() && value.arrow == DataType::Utf8View) {
        // The sum shows the largest scale of its values.
        let decimals = Bound::with_arrow(scaled.value.clone(), PgType::NUMERIC, scaled.form.clone());
        let Some(sum) = numeric_sum(&decimals, calls)? else { return Ok(None) };
        let scale = calls.call(max_udaf(), vec![scaled.scale.clone()]);
        return Ok(Some(Bound::with_arrow(numeric::shown_at(sum.expr, scale), PgType::NUMERIC, DataType::Utf8View)));
    }
    let summed = match &value.arrow {
        DataType::Decimal128(p, s) if *p <= 28 => Some((value.expr.clone(), DataType::Decimal128(p + 10, *s))),
        DataType::Decimal128(p, s) => {
            Some((native(value.expr.clone(), DataType::Decimal256(*p, *s)), DataType::Decimal256(p + 10, *s)))
        }
        DataType::Decimal256(p, s) if *p <= 66 => Some((value.expr.clone(), DataType::Decimal256(p + 10, *s))),
        _ => None,
    };
    if let Some((expr, form)) = summed {
        return Ok(Some(Bound::with_arrow(calls.call(sum_udaf(), vec![expr]), PgType::NUMERIC, form)));
    }
    if calls.distinct() || calls.slides() {
        return Ok(None);
    }
    let text = numeric::to_text_form(value.clone());
    let expr = calls.call(numeric_udaf(Folding::Sum), vec![text.expr]);
    Ok(Some(Bound::with_arrow(expr, PgType::NUMERIC, DataType::Utf8View)))
}

/// The average: the exact sum over the count.
fn avg(value: &Bound, calls: &dyn Calls, returns: PgType) -> Result<Option<Bound>> {
    match value.pg.oid {
        20 | 21 | 23 | 1700 => {
            let total = if value.pg.oid == 1700 { PgType::NUMERIC } else { PgType::INT8 };
            let Some(sum) = sum(value, calls, total)? else { return Ok(None) };
            // The sum of small integers is a bigint; the division wants a numeric.
            let sum =
                if sum.arrow == DataType::Int64 { native(sum.expr, DataType::Decimal128(19, 0)) } else { sum.expr };
            let expr = numeric::divide_by_count(sum, count(value, calls)?);
            Ok(Some(Bound::with_arrow(expr, returns, DataType::Utf8View)))
        }
        700 | 701 if !calls.slides() && !calls.distinct() => {
            Ok(Some(Bound::new(calls.call(statistic_udaf(Statistic::Average, 1), vec![value.expr.clone()]), returns)))
        }
        _ => Ok(None),
    }
}

fn extreme(max: bool, value: &Bound, calls: &dyn Calls, returns: PgType) -> Result<Option<Bound>> {
    let function = || if max { max_udaf() } else { min_udaf() };
    if own::is_enum(value.pg) {
        return own::label(calls.call(function(), vec![own::place(value)?]), value.pg).map(Some);
    }
    match value.pg.oid {
        20 | 21 | 23 | 26 | 25 | 1082 | 1083 | 1114 | 1184 => {
            Ok(Some(Bound::new(calls.call(function(), vec![value.expr.clone()]), returns)))
        }
        1700 if value.arrow != DataType::Utf8View => {
            let expr = calls.call(function(), vec![value.expr.clone()]);
            Ok(Some(Bound::with_arrow(expr, returns, value.arrow.clone())))
        }
        1700 if !calls.slides() => {
            let folding = if max { Folding::Max } else { Folding::Min };
            let expr = calls.call(numeric_udaf(folding), vec![value.expr.clone()]);
            Ok(Some(Bound::with_arrow(expr, returns, DataType::Utf8View)))
        }
        1042 => {
            // By the text without its padding, which is put on again.
            let Some(length) = value.pg.declared_length() else { return Ok(None) };
            let extreme = calls.call(function(), vec![blank_trimmed(value.expr.clone())]);
            let bare = Bound::new(extreme, PgType::TEXT);
            Ok(Some(Bound { pg: returns, ..padded(bare, length) }))
        }
        700 | 701 => {
            let single = value.pg.oid == 700;
            let wide = if single { native(value.expr.clone(), DataType::Float64) } else { value.expr.clone() };
            let extreme = calls.call(function(), vec![ordered(wide)]);
            let expr = unordered(extreme);
            Ok(Some(Bound::new(if single { native(expr, DataType::Float32) } else { expr }, returns)))
        }
        _ => Ok(None),
    }
}

/// A float as an integer of the same order, NaN at the top: DataFusion's own order of floats depends on where the NaN stands.
fn ordered(value: Expr) -> Expr {
    map::<Float64Type, Int64Type>("float8_ordered", value, DataType::Int64, |v| {
        let bits = (if v.is_nan() { f64::NAN } else { v }).to_bits() as i64;
        Ok(bits ^ (((bits >> 63) as u64) >> 1) as i64)
    })
}

fn unordered(value: Expr) -> Expr {
    map::<Int64Type, Float64Type>("float8_unordered", value, DataType::Float64, |bits| {
        Ok(f64::from_bits((bits ^ (((bits >> 63) as u64) >> 1) as i64) as u64))
    })
}

fn sorted(function: Arc<AggregateUDF>, args: Vec<Expr>, aggregate: &Aggregate) -> Expr {
    let Aggregate { distinct, order, filter, .. } = aggregate.clone();
    Expr::AggregateFunction(AggregateFunction::new_udf(function, args, distinct, filter, order, None))
}

fn array_agg(aggregate: &Aggregate, returns: PgType) -> Result<Option<Bound>> {
    let [value] = aggregate.args.as_slice() else { return Ok(None) };
    if value.pg.is_array() || (aggregate.distinct && !sorts_itself(value)?) {
        return Ok(None);
    }
    let list = DataType::List(Arc::new(Field::new_list_field(value.arrow.clone(), true)));
    let expr = if aggregate.distinct {
        distinct_values(value, aggregate)?
    } else {
        sorted(array_agg_udaf(), vec![value.expr.clone()], aggregate)
    };
    Ok(Some(Bound::with_arrow(expr, returns, list)))
}

fn string_agg(aggregate: &Aggregate, returns: PgType) -> Result<Option<Bound>> {
    let [value, delimiter] = aggregate.args.as_slice() else { return Ok(None) };
    if value.pg.oid != 25 {
        return Ok(None);
    }
    let constant = match super::fold::fold(delimiter.clone()).constant() {
        Some(ScalarValue::Utf8View(text)) => Some(text.clone().unwrap_or_default()),
        _ => None,
    };
    let Some(delimiter) = constant else {
        if aggregate.distinct {
            let message = "string_agg of distinct values with a delimiter that is not a constant is not supported";
            return Err(Error::unsupported(message));
        }
        let lists = [value, delimiter].map(|value| sorted(array_agg_udaf(), vec![value.expr.clone()], aggregate));
        return Ok(Some(Bound::new(ordered::joined_by_each(lists), returns)));
    };
    if aggregate.distinct {
        let list = distinct_values(value, aggregate)?;
        return Ok(Some(Bound::new(ordered::joined(list, delimiter), returns)));
    }
    if !aggregate.order.is_empty() {
        // DataFusion's own refuses to stand beside one in another order.
        let list = sorted(array_agg_udaf(), vec![value.expr.clone()], aggregate);
        return Ok(Some(Bound::new(ordered::joined(list, delimiter), returns)));
    }
    let delimiter = lit(ScalarValue::Utf8View(Some(delimiter)));
    let expr = sorted(string_agg_udaf(), vec![value.expr.clone(), delimiter], aggregate);
    Ok(Some(Bound::new(native(expr, DataType::Utf8View), returns)))
}

/// An aggregate over the values in their order: `mode`, `percentile_cont`, `percentile_disc`. The last argument is what is sorted.
pub(super) fn over_sorted(name: &str, aggregate: &Aggregate, returns: PgType) -> Result<Option<Bound>> {
    let Some((value, direct)) = aggregate.args.split_last() else { return Ok(None) };
    let present = Expr::IsNotNull(Box::new(value.expr.clone()));
    let filter = match aggregate.filter.as_deref() {
        Some(filter) => filter.clone().and(present),
        None => present,
    };
    let values = Aggregate { distinct: false, filter: Some(Box::new(filter)), ..aggregate.clone() };
    let sorted = sorted(array_agg_udaf(), vec![value.expr.clone()], &values);
    let expr = match (name, direct) {
        ("mode", []) if group_key(value)?.is_none() => ordered::mode(sorted, value.arrow.clone()),
        ("percentile_cont", [fraction]) if fraction.pg.oid == 701 && value.pg.oid == 701 => {
            return Ok(Some(Bound::new(ordered::continuous(sorted, fraction.expr.clone()), returns)));
        }
        ("percentile_disc", [fraction]) if fraction.pg.oid == 701 => {
            ordered::discrete(sorted, fraction.expr.clone(), value.arrow.clone())
        }
        _ => return Ok(None),
    };
    Ok(Some(Bound::with_arrow(expr, value.pg, value.arrow.clone())))
}

/// Whether a type's values are their own sort key, and equal where they are equal.
fn sorts_itself(value: &Bound) -> Result<bool> {
    Ok(group_key(value)?.is_none() && sort_key(value)? == value.expr)
}

/// With DISTINCT, PostgreSQL sorts by the argument; without ORDER BY the order is its own (ascending).
fn distinct_values(value: &Bound, aggregate: &Aggregate) -> Result<Expr> {
    let first = aggregate.args.first().map(|value| &value.expr);
    if aggregate.order.iter().any(|item| Some(&item.expr) != first) {
        return Err(Error::client(
            crate::error::SqlState::INVALID_COLUMN_REFERENCE,
            "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list",
        ));
    }
    let (ascending, nulls_first) = aggregate.order.first().map_or((true, false), |item| (item.asc, item.nulls_first));
    let all = Aggregate { distinct: false, order: Vec::new(), ..aggregate.clone() };
    let list = sorted(array_agg_udaf(), vec![value.expr.clone()], &all);
    let returns = DataType::List(Arc::new(Field::new_list_field(value.arrow.clone(), true)));
    // Not DataFusion's DISTINCT: beside a call with the opposite order it takes that order.
    Ok(ordered::distinct(list, ascending, nulls_first, returns))
}
