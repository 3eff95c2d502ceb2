//! Keys: what stands for a value where values are sorted, grouped or compared, if the stored form will not do.
//! Must not know: SQL.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, make_comparator};
use arrow::compute::{SortOptions, interleave};
use arrow::datatypes::{DataType, Float32Type, Float64Type, IntervalMonthDayNanoType};
use datafusion::logical_expr::Expr;

use super::kernel::{call, wrong_type};
use super::lift::{map, text_map};
use super::value::Bound;
use super::{numeric, own};
use crate::error::{Error, Result, SqlState};
use crate::types::{Comparable, comparable};

/// Whether PostgreSQL has no operator class for a type, so that it can tell no equal values: json, xml, shapes, snapshots and the like.
fn has_no_equality(oid: u32) -> bool {
    matches!(oid, 114 | 142 | 600..=604 | 628 | 718 | 1790 | 2970 | 3642 | 4072 | 4600 | 4601 | 5038)
}

/// Whether it cannot sort them: the former, and what it has a hash for alone (xid, cid, aclitem).
pub(super) fn has_no_order(oid: u32) -> bool {
    has_no_equality(oid) || matches!(oid, 28 | 29 | 1033)
}

/// An expression whose order is PostgreSQL's order of the values.
///
/// # Errors
/// `42883` for types without an order, `0A000` for types whose order is not supported.
pub(super) fn sort_key(value: &Bound) -> Result<Expr> {
    match value.pg.oid {
        oid if has_no_order(oid) => Err(Error::client(
            SqlState::UNDEFINED_FUNCTION,
            format!("could not identify an ordering operator for type {}", value.type_name()),
        )
        .with_hint("Use an explicit ordering operator or modify the query.")),
        16 | 17 | 20 | 21 | 23 | 26 | 25 | 1043 | 19 | 18 | 1082 | 1083 | 1114 | 1184 => Ok(value.expr.clone()),
        _ if value.arrow == DataType::UInt32 => Ok(value.expr.clone()),
        _ if own::is_enum(value.pg) => own::place(value),
        _ if own::is_opaque(value.pg) => Err(own::refused(&format!("sorting by type {}", value.type_name()))),
        _ => match own_key(value, true)? {
            Some(key) => Ok(key),
            None if decimal(value) => Ok(value.expr.clone()),
            None if comparable(value.pg) == Comparable::Total => Ok(value.expr.clone()),
            None => Err(Error::unsupported(format!("sorting by type {} is not supported", value.type_name()))),
        },
    }
}

/// An expression that is equal where PostgreSQL's values are equal; none where the value itself will do.
///
/// # Errors
/// `42883` for types without equality, `0A000` for types whose equality is not supported.
pub(super) fn group_key(value: &Bound) -> Result<Option<Expr>> {
    match value.pg.oid {
        oid if has_no_equality(oid) => Err(Error::client(
            SqlState::UNDEFINED_FUNCTION,
            format!("could not identify an equality operator for type {}", value.type_name()),
        )),
        16 | 17 | 20 | 21 | 23 | 26 | 25 | 1043 | 19 | 18 | 1082 | 1083 | 1114 | 1184 => Ok(None),
        _ if value.arrow == DataType::UInt32 => Ok(None),
        _ if own::is_opaque(value.pg) => Err(own::refused(&format!("grouping by type {}", value.type_name()))),
        _ => match own_key(value, false)? {
            Some(key) => Ok(Some(key)),
            None if decimal(value) || value.pg.oid == 1042 || comparable(value.pg) >= Comparable::Equality => Ok(None),
            None => Err(Error::unsupported(format!("grouping by type {} is not supported", value.type_name()))),
        },
    }
}

fn decimal(value: &Bound) -> bool {
    matches!(value.arrow, DataType::Decimal128(..) | DataType::Decimal256(..))
}

/// The key of a type whose stored form is not its own key.
fn own_key(value: &Bound, ordered: bool) -> Result<Option<Expr>> {
    Ok(match value.pg.oid {
        1700 if decimal(value) => return Ok(None),
        1700 => Some(numeric_key(value.expr.clone())),
        700 => Some(map::<Float32Type, Float32Type>("float4_key", value.expr.clone(), DataType::Float32, |v| {
            Ok(if v.is_nan() { f32::NAN } else { v + 0.0 })
        })),
        701 => Some(float_key(value.expr.clone())),
        // Of one declared length, so padded to one length: equal as they stand. Their order is not that of the padded text.
        1042 if !ordered && value.pg.declared_length().is_some() => return Ok(None),
        1042 => Some(blank_trimmed(value.expr.clone())),
        1186 => Some(interval_key(value.expr.clone())),
        _ => None,
    })
}

/// NaN in one form, no negative zero.
pub(super) fn float_key(value: Expr) -> Expr {
    map::<Float64Type, Float64Type>("float8_key", value, DataType::Float64, |v| {
        Ok(if v.is_nan() { f64::NAN } else { v + 0.0 })
    })
}

/// Without the trailing blanks that do not count in `character(n)`.
pub(super) fn blank_trimmed(value: Expr) -> Expr {
    text_map("bpchar_key", value, |text| Ok(text.trim_end_matches(' ').to_owned()))
}

/// Bytes in the order of the numbers; equal numbers, equal bytes.
pub(super) fn numeric_key(value: Expr) -> Expr {
    call("numeric_key", vec![value], DataType::Binary, |args| {
        let [array] = args else { return Err(wrong_type("numeric_key")) };
        let values = numeric::reader(array)?;
        let mut builder = BinaryBuilder::with_capacity(array.len(), array.len() * 8);
        for row in 0..array.len() {
            builder.append_option(values.get(row)?.map(|number| number.sort_key()));
        }
        Ok(Arc::new(builder.finish()) as ArrayRef)
    })
}

/// An interval's length with 30 days to a month and 24 hours to a day, in microseconds: how PostgreSQL compares them.
pub(super) fn interval_key(value: Expr) -> Expr {
    call("interval_key", vec![value], DataType::Decimal128(38, 0), |args| {
        let [array] = args else { return Err(wrong_type("interval_key")) };
        let intervals =
            array.as_primitive_opt::<IntervalMonthDayNanoType>().ok_or_else(|| wrong_type("interval_key"))?;
        let lengths = intervals.unary::<_, arrow::datatypes::Decimal128Type>(|interval| {
            let days = i128::from(interval.months) * 30 + i128::from(interval.days);
            days * 86_400_000_000 + i128::from(interval.nanoseconds / 1000)
        });
        Ok(Arc::new(lengths.with_precision_and_scale(38, 0)?) as ArrayRef)
    })
}

/// GREATEST or LEAST: `args` are the values, then their keys. NULLs do not count; all NULL gives NULL.
pub(super) fn extreme(greatest: bool, args: Vec<Expr>, returns: DataType) -> Expr {
    let name = if greatest { "greatest" } else { "least" };
    call(name, args, returns, move |args| {
        let count = args.len() / 2;
        let (values, keys) = args.split_at(count);
        let rows = values.first().map_or(0, |array| array.len());
        // The place of the best so far in each row; the first value stands for "none" where all are NULL.
        let mut best = vec![0_usize; rows];
        for at in 1..count {
            let comparators = (0..at)
                .map(|other| match (keys.get(at), keys.get(other)) {
                    (Some(this), Some(that)) => make_comparator(this, that, SortOptions::default()),
                    _ => make_comparator(&args[0], &args[0], SortOptions::default()),
                })
                .collect::<std::result::Result<Vec<_>, _>>()?;
            for (row, best) in best.iter_mut().enumerate() {
                let null = |at: usize| values.get(at).is_none_or(|array| array.is_null(row));
                if null(at) {
                    continue;
                }
                let wanted = if greatest { Ordering::Greater } else { Ordering::Less };
                if null(*best) || comparators.get(*best).is_some_and(|compare| compare(row, row) == wanted) {
                    *best = at;
                }
            }
        }
        let arrays: Vec<&dyn Array> = values.iter().map(|array| array.as_ref()).collect();
        let places: Vec<(usize, usize)> = best.into_iter().enumerate().map(|(row, at)| (at, row)).collect();
        Ok(interleave(&arrays, &places)?)
    })
}

/// Whether values of the type in this form compare as DataFusion compares them.
pub(super) fn is_plain(value: &Bound) -> bool {
    match value.pg.oid {
        16 | 17 | 20 | 21 | 23 | 26 | 25 | 1043 | 19 | 18 | 1082 | 1083 | 1114 | 1184 => true,
        1700 => decimal(value),
        700 | 701 | 1042 | 1186 => false,
        _ => comparable(value.pg) == Comparable::Total,
    }
}

/// Whether equality of the stored form is equality of the values.
pub(super) fn is_plain_equality(value: &Bound) -> bool {
    is_plain(value)
        || (!matches!(value.pg.oid, 700 | 701 | 1042 | 1186 | 1700)
            && comparable(value.pg) >= Comparable::Equality
            && value.arrow == DataType::Utf8View)
}
