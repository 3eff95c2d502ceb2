//! Functions and operators over arrays; arrays that the engine made are taken in their text form.
//! Must not know: SQL.

use datafusion::logical_expr::Expr;

use super::super::arrays::{as_number, as_text, take_apart};
use super::super::cast::{Typing, array_text};
use super::super::value::Bound;
use crate::error::{Error, Result};
use crate::types::{ArrayText, Comparable, Dimension, PgType, comparable};

/// A function of arrays.
pub(super) fn implement(source: &str, args: &[Bound], returns: PgType, typing: &mut Typing) -> Result<Option<Bound>> {
    let known = matches!(
        source,
        "array_to_text"
            | "array_to_text_null"
            | "array_upper"
            | "array_lower"
            | "array_length"
            | "array_cardinality"
            | "array_ndims"
            | "array_eq"
            | "array_ne"
            | "array_cat"
    );
    let Some(array) = args.first().map(|arg| arg.pg.bare()).filter(|_| known) else { return Ok(None) };
    let texts = args.iter().map(|arg| text_form(arg, typing)).collect::<Result<Vec<Expr>>>()?;
    let made = |expr: Expr| Ok(Some(Bound::new(expr, returns)));
    let dimension = |array: &ArrayText<'_>, number: i32| -> Option<Dimension> {
        array.dimensions.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
    };
    match source {
        "array_to_text" | "array_to_text_null" => {
            let label = format!("{source}({})", array.name());
            made(as_text(&label, texts, move |values| joined(array, values)))
        }
        "array_upper" => {
            made(as_number(source, array, texts, move |a, n| dimension(a, n).map(|d| d.lower + d.length - 1)))
        }
        "array_lower" => made(as_number(source, array, texts, move |a, n| dimension(a, n).map(|d| d.lower))),
        "array_length" => made(as_number(source, array, texts, move |a, n| dimension(a, n).map(|d| d.length))),
        "array_cardinality" => made(as_number(source, array, texts, |a, _| i32::try_from(a.elements.len()).ok())),
        "array_ndims" => made(as_number(source, array, texts, |a, _| {
            i32::try_from(a.dimensions.len()).ok().filter(|dimensions| *dimensions > 0)
        })),
        "array_eq" | "array_ne" => compared(source == "array_eq", array, texts),
        _ => {
            let pg = args.iter().map(|arg| arg.pg.bare()).find(|pg| pg.is_array()).unwrap_or(returns);
            let label = format!("array_cat({})", pg.name());
            let expr = as_text(&label, texts, move |values| concatenated(pg, values));
            Ok(Some(Bound::new(expr, pg)))
        }
    }
}

/// The text form of an array; anything else as it is.
fn text_form(value: &Bound, typing: &Typing) -> Result<Expr> {
    if value.pg.is_array() && matches!(value.arrow, arrow::datatypes::DataType::List(_)) {
        return Ok(array_text(value.clone(), &typing.facts.format)?.expr);
    }
    Ok(value.expr.clone())
}

/// The elements with a separator between; NULLs are left out, or stand as the third argument has it.
fn joined(array: PgType, values: &[Option<&str>]) -> Result<Option<String>> {
    let (Some(Some(text)), Some(Some(separator))) = (values.first(), values.get(1)) else { return Ok(None) };
    let null = values.get(2).copied().flatten();
    let parsed = take_apart(array, text)?;
    let words: Vec<&str> = parsed.elements.iter().filter_map(|element| element.as_deref().or(null)).collect();
    Ok(Some(words.join(separator)))
}

/// Arrays are equal where their texts are, if each of their elements has one text.
fn compared(equal: bool, array: PgType, texts: Vec<Expr>) -> Result<Option<Bound>> {
    if comparable(array) < Comparable::Equality {
        return Ok(None);
    }
    let mut texts = texts.into_iter();
    let (Some(a), Some(b)) = (texts.next(), texts.next()) else { return Ok(None) };
    Ok(Some(Bound::new(if equal { a.eq(b) } else { a.not_eq(b) }, PgType::BOOL)))
}

/// `a || b`; NULL is nothing there.
fn concatenated(array: PgType, values: &[Option<&str>]) -> Result<Option<String>> {
    let (a, b) = match values {
        [Some(a), Some(b)] => (*a, *b),
        [one, other] => return Ok(one.or(*other).map(str::to_owned)),
        _ => return Err(Error::internal("array_cat has two arguments")),
    };
    let (left, right) = (take_apart(array, a)?, take_apart(array, b)?);
    if left.elements.is_empty() {
        return Ok(Some(b.to_owned()));
    }
    if right.elements.is_empty() {
        return Ok(Some(a.to_owned()));
    }
    let plain = |array: &ArrayText<'_>, text: &str| {
        matches!(array.dimensions.as_slice(), [Dimension { lower: 1, .. }]) && text.starts_with('{')
    };
    match (a.strip_suffix('}'), b.strip_prefix('{')) {
        (Some(front), Some(back)) if plain(&left, a) && plain(&right, b) => Ok(Some(format!("{front},{back}"))),
        _ => Err(Error::unsupported("concatenating arrays of more than one dimension is not supported")),
    }
}
