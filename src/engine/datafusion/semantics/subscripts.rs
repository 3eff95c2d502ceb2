//! Parts of arrays in their text form: elements by several subscripts, slices.
//! Must not know: SQL, how a subscript is written.

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::datatypes::{DataType, Int32Type};
use std::sync::Arc;

use datafusion::logical_expr::Expr;

use super::arrays::{push_element, take_apart};
use super::kernel::{call, external, wrong_type};
use crate::types::{ArrayText, PgType};

/// A subscript of one dimension.
#[derive(Debug, Clone)]
pub(super) enum Part {
    /// `[i]`.
    Index(Expr),
    /// `[lower:upper]`; a bound that is left out is the array's own.
    Slice(Option<Expr>, Option<Expr>),
}

fn number(array: &ArrayRef, row: usize) -> Option<i32> {
    array.as_primitive_opt::<Int32Type>().filter(|array| array.is_valid(row)).map(|array| array.value(row))
}

/// `a[1:2]`, `a[:2][3]`: an array whose dimensions start at 1. Beside a slice a plain index `n` means `1:n`.
pub(super) fn slice(array: PgType, value: Expr, parts: Vec<Part>) -> Expr {
    let mut args = vec![value];
    // For each part the arguments of its bounds.
    let mut bounds: Vec<(Option<usize>, Option<usize>)> = Vec::new();
    for part in parts {
        let mut add = |expr: Option<Expr>| {
            let expr = expr?;
            args.push(expr);
            Some(args.len() - 1)
        };
        bounds.push(match part {
            Part::Index(upper) => (add(Some(datafusion::logical_expr::lit(1_i32))), add(Some(upper))),
            Part::Slice(lower, upper) => (add(lower), add(upper)),
        });
    }
    call(format!("slice({},{bounds:?})", array.name()), args, DataType::Utf8View, move |args| {
        let texts = args.first().and_then(|array| array.as_string_view_opt()).ok_or_else(|| wrong_type("a slice"))?;
        let mut slices = Vec::with_capacity(texts.len());
        for row in 0..texts.len() {
            let null = args.iter().any(|arg| arg.is_null(row));
            let bound = |at: Option<usize>| at.and_then(|at| number(args.get(at)?, row));
            let wanted: Vec<(Option<i32>, Option<i32>)> =
                bounds.iter().map(|(lower, upper)| (bound(*lower), bound(*upper))).collect();
            slices.push(match null {
                true => None,
                false => Some(sliced(&take_apart(array, texts.value(row)).map_err(external)?, &wanted)),
            });
        }
        Ok(Arc::new(slices.into_iter().collect::<StringViewArray>()))
    })
}

/// The text of a part of an array.
fn sliced(whole: &ArrayText<'_>, wanted: &[(Option<i32>, Option<i32>)]) -> String {
    let empty = || "{}".to_owned();
    if wanted.len() > whole.dimensions.len() {
        return empty();
    }
    // Start and length in each dimension; those that are not named are whole.
    let mut ranges = Vec::new();
    for (at, dimension) in whole.dimensions.iter().enumerate() {
        let (lower, upper) = wanted.get(at).copied().unwrap_or_default();
        let (first, length) = (i64::from(dimension.lower), i64::from(dimension.length));
        let lower = lower.map_or(first, i64::from).max(first);
        let upper = upper.map_or(first + length - 1, i64::from).min(first + length - 1);
        match (usize::try_from(lower - first), usize::try_from(upper - lower + 1)) {
            (Ok(start), Ok(count)) if count > 0 => ranges.push((start, count, usize::try_from(length).unwrap_or(0))),
            _ => return empty(),
        }
    }
    if ranges.is_empty() {
        return empty();
    }
    let mut text = String::new();
    write(&whole.elements, &ranges, 0, &mut text);
    text
}

/// The elements in these ranges, from the one at `base` of the dimensions before them.
fn write(
    elements: &[Option<std::borrow::Cow<'_, str>>],
    ranges: &[(usize, usize, usize)],
    base: usize,
    into: &mut String,
) {
    let Some(((start, count, length), rest)) = ranges.split_first() else {
        match elements.get(base).and_then(|element| element.as_deref()) {
            Some(text) => push_element(text, into),
            None => into.push_str("NULL"),
        }
        return;
    };
    into.push('{');
    for step in 0..*count {
        if step > 0 {
            into.push(',');
        }
        write(elements, rest, base * length + start + step, into);
    }
    into.push('}');
}
