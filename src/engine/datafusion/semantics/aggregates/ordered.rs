//! Aggregates over sorted values: percentiles and the mode, from the list of the values in their order.
//! Must not know: SQL.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, ListArray, StringViewBuilder, UInt32Array, make_comparator,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{SortOptions, sort_to_indices, take};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::Expr;

use super::super::kernel::{call, external, wrong_type};
use crate::error::{Error, SqlState};

fn lists(array: &ArrayRef) -> DfResult<&ListArray> {
    array.as_list_opt::<i32>().ok_or_else(|| wrong_type("an aggregate over sorted values"))
}

fn outside(fraction: f64) -> datafusion::error::DataFusionError {
    external(Error::client(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        format!("percentile value {fraction} is not between 0 and 1"),
    ))
}

/// The fraction of a row, if it is one between 0 and 1.
fn fraction(fractions: &ArrayRef, row: usize) -> DfResult<Option<f64>> {
    let values = fractions.as_primitive_opt::<Float64Type>().ok_or_else(|| wrong_type("a percentile"))?;
    if values.is_null(row) {
        return Ok(None);
    }
    let fraction = values.value(row);
    if !(0.0..=1.0).contains(&fraction) {
        return Err(outside(fraction));
    }
    Ok(Some(fraction))
}

/// `percentile_cont` over floats: between two values, in proportion.
pub(super) fn continuous(sorted: Expr, fractions: Expr) -> Expr {
    call("percentile_cont", vec![sorted, fractions], DataType::Float64, |args| {
        let [sorted, fractions] = args else { return Err(wrong_type("percentile_cont")) };
        let lists = lists(sorted)?;
        let mut found: Vec<Option<f64>> = Vec::with_capacity(lists.len());
        for row in 0..lists.len() {
            let fraction = fraction(fractions, row)?;
            let values = if lists.is_null(row) { None } else { Some(lists.value(row)) };
            found.push(match (fraction, values) {
                (Some(fraction), Some(values)) if !values.is_empty() => {
                    let values =
                        values.as_primitive_opt::<Float64Type>().ok_or_else(|| wrong_type("percentile_cont"))?;
                    let place = fraction * (values.len() - 1) as f64;
                    let (low, high) = (values.value(place.floor() as usize), values.value(place.ceil() as usize));
                    Some(if place.floor() == place.ceil() { low } else { low + (place - place.floor()) * (high - low) })
                }
                _ => None,
            });
        }
        Ok(Arc::new(Float64Array::from(found)) as ArrayRef)
    })
}

/// `percentile_disc`: the first value at or beyond the fraction.
pub(super) fn discrete(sorted: Expr, fractions: Expr, returns: DataType) -> Expr {
    call("percentile_disc", vec![sorted, fractions], returns, |args| {
        let [sorted, fractions] = args else { return Err(wrong_type("percentile_disc")) };
        picked(lists(sorted)?, |row, values| {
            let Some(fraction) = fraction(fractions, row)? else { return Ok(None) };
            let place = (fraction * values.len() as f64).ceil() as usize;
            Ok(Some(place.max(1) - 1))
        })
    })
}

/// `mode`: the most frequent value, the first of several.
pub(super) fn mode(sorted: Expr, returns: DataType) -> Expr {
    call("mode", vec![sorted], returns, |args| {
        let [sorted] = args else { return Err(wrong_type("mode")) };
        picked(lists(sorted)?, |_, values| {
            let same = make_comparator(values, values, SortOptions::default())?;
            let (mut best, mut most, mut start) = (0, 0, 0);
            for at in 1..=values.len() {
                if at == values.len() || same(start, at).is_ne() {
                    if at - start > most {
                        (best, most) = (start, at - start);
                    }
                    start = at;
                }
            }
            Ok(Some(best))
        })
    })
}

/// The distinct values of each list in an order.
pub(super) fn distinct(list: Expr, ascending: bool, nulls_first: bool, returns: DataType) -> Expr {
    let name = format!("distinct_sorted({ascending},{nulls_first})");
    let DataType::List(item) = returns.clone() else { return list };
    call(name, vec![list], returns, move |args| {
        let [array] = args else { return Err(wrong_type("DISTINCT")) };
        let lists = lists(array)?;
        let options = SortOptions { descending: !ascending, nulls_first };
        let (mut places, mut lengths) = (Vec::new(), Vec::with_capacity(lists.len()));
        for row in 0..lists.len() {
            let start = lists.value_offsets().get(row).copied().unwrap_or(0).unsigned_abs();
            let before = places.len();
            if !lists.is_null(row) {
                let values = lists.value(row);
                let order = sort_to_indices(&values, Some(options), None)?;
                let same = make_comparator(&values, &values, SortOptions::default())?;
                let mut last: Option<usize> = None;
                for at in order.values().iter().map(|at| *at as usize) {
                    if last.is_none_or(|last| same(last, at).is_ne()) {
                        places.push(start + at as u32);
                    }
                    last = Some(at);
                }
            }
            lengths.push(places.len() - before);
        }
        let values = take(lists.values(), &UInt32Array::from(places), None)?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(Arc::new(ListArray::try_new(Arc::clone(&item), offsets, values, lists.nulls().cloned())?) as ArrayRef)
    })
}

/// The texts of each list with a delimiter between them; NULL for none.
pub(super) fn joined(list: Expr, delimiter: String) -> Expr {
    let name = format!("joined({delimiter:?})");
    call(name, vec![list], DataType::Utf8View, move |args| {
        let [array] = args else { return Err(wrong_type("string_agg")) };
        let lists = lists(array)?;
        let mut builder = StringViewBuilder::with_capacity(lists.len());
        for row in 0..lists.len() {
            let values = if lists.is_null(row) { None } else { Some(lists.value(row)) };
            let texts =
                values.as_ref().map(|values| values.as_string_view_opt().ok_or_else(|| wrong_type("string_agg")));
            let texts: Vec<&str> = texts.transpose()?.map(|texts| texts.iter().flatten().collect()).unwrap_or_default();
            if texts.is_empty() {
                builder.append_null();
            } else {
                builder.append_value(texts.join(&delimiter));
            }
        }
        Ok(Arc::new(builder.finish()) as ArrayRef)
    })
}

/// The texts of each list, each but the first behind its delimiter in the other; NULL for none.
pub(super) fn joined_by_each(lists: [Expr; 2]) -> Expr {
    call("joined_by_each", lists.to_vec(), DataType::Utf8View, |args| {
        let [texts, delimiters] = args else { return Err(wrong_type("string_agg")) };
        let (texts, delimiters) = (lists_of_text(texts)?, lists_of_text(delimiters)?);
        let mut builder = StringViewBuilder::with_capacity(texts.len());
        for (texts, delimiters) in texts.into_iter().zip(delimiters) {
            let mut joined: Option<String> = None;
            for (text, delimiter) in texts
                .iter()
                .flat_map(|texts| texts.as_string_view().iter())
                .zip(delimiters.iter().flat_map(|delimiters| delimiters.as_string_view().iter()))
            {
                let Some(text) = text else { continue };
                joined = Some(match joined {
                    None => text.to_owned(),
                    Some(before) => before + delimiter.unwrap_or_default() + text,
                });
            }
            builder.append_option(joined);
        }
        Ok(Arc::new(builder.finish()) as ArrayRef)
    })
}

/// The texts of each row's list, if it has one.
fn lists_of_text(array: &ArrayRef) -> DfResult<Vec<Option<ArrayRef>>> {
    let lists = lists(array)?;
    if lists.values().as_string_view_opt().is_none() {
        return Err(wrong_type("string_agg"));
    }
    Ok((0..lists.len()).map(|row| lists.is_valid(row).then(|| lists.value(row))).collect())
}

/// One value of each list, which is not empty where one is asked for.
fn picked(lists: &ListArray, place: impl Fn(usize, &ArrayRef) -> DfResult<Option<usize>>) -> DfResult<ArrayRef> {
    let mut places: Vec<Option<u32>> = Vec::with_capacity(lists.len());
    for row in 0..lists.len() {
        let values = lists.value(row);
        let found = if lists.is_null(row) || values.is_empty() { None } else { place(row, &values)? };
        let start = lists.value_offsets().get(row).copied().unwrap_or(0);
        places.push(found.and_then(|at| u32::try_from(at).ok()).map(|at| at + start.unsigned_abs()));
    }
    Ok(take(lists.values(), &UInt32Array::from(places), None)?)
}
