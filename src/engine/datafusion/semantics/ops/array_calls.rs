//! Functions of arrays that put elements in, take them out or look for them: over texts, as arrays are held.
//! Must not know: SQL.

use arrow::datatypes::DataType;
use datafusion::logical_expr::Expr;
use datafusion::scalar::ScalarValue;

use super::super::arrays::{array_text, as_text, take_apart};
use super::super::cast::{self, Typing, to_text};
use super::super::lift::truth_rows;
use super::super::value::{Bound, Unknown};
use crate::error::{Error, Result, SqlState};
use crate::types::{ArrayText, Comparable, Dimension, PgType, comparable};

type Element = Option<String>;

/// A function of arrays and their elements.
pub(super) fn implement(source: &str, args: &[Bound], typing: &mut Typing) -> Result<Option<Bound>> {
    let known = matches!(
        source,
        "array_append"
            | "array_prepend"
            | "array_remove"
            | "array_replace"
            | "array_position"
            | "array_positions"
            | "array_dims"
            | "trim_array"
            | "arraycontains"
            | "arraycontained"
            | "arrayoverlap"
    );
    let Some(array) = args.iter().map(|arg| arg.pg.bare()).find(|pg| pg.is_array()).filter(|_| known) else {
        return Ok(None);
    };
    // Elements are looked for by their text: only where one value has one text.
    let compares = !matches!(source, "array_append" | "array_prepend" | "array_dims" | "trim_array");
    if compares && comparable(array) < Comparable::Equality {
        return Ok(None);
    }
    let Some(element) = array.element() else { return Ok(None) };
    let mut texts = Vec::with_capacity(args.len());
    for arg in args {
        texts.push(text_of(arg, element, typing)?);
    }
    let name = format!("{source}({})", array.name());
    let made = |expr: Expr, pg: PgType| Ok(Some(Bound::new(expr, pg)));
    match source {
        "array_append" => made(as_text(&name, texts, move |values| added(array, values, false)), array),
        "array_prepend" => made(as_text(&name, texts, move |values| added(array, values, true)), array),
        "array_remove" => made(as_text(&name, texts, move |values| replaced(array, values, true)), array),
        "array_replace" => made(as_text(&name, texts, move |values| replaced(array, values, false)), array),
        "array_position" => {
            let expr = as_text(&name, texts, move |values| {
                let found = places(array, values)?;
                Ok(found.and_then(|found| found.first().map(ToString::to_string)))
            });
            let text = Bound::new(expr, PgType::TEXT);
            typing.coerce(text, PgType::INT4, super::super::pg::CastContext::Explicit).map(Some)
        }
        "array_positions" => made(
            as_text(&name, texts, move |values| {
                let found = places(array, values)?;
                let words = found.map(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
                Ok(words.map(|words| format!("{{{words}}}")))
            }),
            PgType::INT4_ARRAY,
        ),
        "array_dims" => made(
            as_text(&name, texts, move |values| {
                let [Some(text)] = values else { return Ok(None) };
                let found = take_apart(array, text)?;
                let bounds: String = found
                    .dimensions
                    .iter()
                    .map(|Dimension { length, lower }| format!("[{lower}:{}]", lower + length - 1))
                    .collect();
                Ok((!bounds.is_empty()).then_some(bounds))
            }),
            PgType::TEXT,
        ),
        "trim_array" => made(as_text(&name, texts, move |values| trimmed(array, values)), array),
        _ => {
            let (contains, swap) = (source != "arrayoverlap", source == "arraycontained");
            let expr = truth_rows(&name, texts, move |row| {
                let (a, b) = if swap { (row.text(1)?, row.text(0)?) } else { (row.text(0)?, row.text(1)?) };
                let (a, b) = (take_apart(array, a)?, take_apart(array, b)?);
                let has = |wanted: &Option<std::borrow::Cow<'_, str>>| wanted.is_some() && a.elements.contains(wanted);
                Ok(if contains { b.elements.iter().all(has) } else { b.elements.iter().any(has) })
            });
            made(expr, PgType::BOOL)
        }
    }
}

/// An argument as its text: arrays in their own form, elements as the output function of the arrays' elements writes them.
fn text_of(arg: &Bound, element: PgType, typing: &mut Typing) -> Result<Expr> {
    if arg.pg.is_array() {
        return match &arg.arrow {
            DataType::List(_) => Ok(cast::array_text(arg.clone(), &typing.facts.format)?.expr),
            _ => Ok(arg.expr.clone()),
        };
    }
    // A literal of unknown type has become a text on its way; here it is an element.
    let literal = match arg.constant() {
        Some(ScalarValue::Utf8View(None)) => Some(Bound::unknown(Unknown::Null)),
        Some(ScalarValue::Utf8View(Some(text))) if arg.pg == PgType::TEXT => {
            Some(Bound::unknown(Unknown::Text(text.clone())).at(arg.position))
        }
        _ => None,
    };
    let value = literal.unwrap_or_else(|| arg.clone());
    let value = typing.coerce(value, element, super::super::pg::CastContext::Implicit)?;
    if value.pg.oid == 16 {
        return Ok(super::super::cast::bool_letter(value.expr));
    }
    Ok(to_text(value, PgType::TEXT, &typing.facts.format)?.expr)
}

fn flat(array: PgType, text: &str, what: &str) -> Result<(Vec<Element>, i32)> {
    let found: ArrayText<'_> = take_apart(array, text)?;
    if found.dimensions.len() > 1 {
        return Err(Error::client(SqlState::FEATURE_NOT_SUPPORTED, what.to_owned()));
    }
    let lower = found.dimensions.first().map_or(1, |dimension| dimension.lower);
    Ok((found.elements.into_iter().map(|element| element.map(|text| text.into_owned())).collect(), lower))
}

fn written(elements: &[Element], lower: i32) -> String {
    let length = i32::try_from(elements.len()).unwrap_or(i32::MAX);
    array_text(&[Dimension { length, lower }], elements.iter().map(Option::as_deref))
}

const ONE_DIMENSION: &str = "searching for elements in multidimensional arrays is not supported";

fn added(array: PgType, values: &[Option<&str>], first: bool) -> Result<Option<String>> {
    let (text, element) = match values {
        [element, text] if first => (text, element),
        [text, element] => (text, element),
        _ => return Ok(None),
    };
    let (mut elements, lower) = match text {
        Some(text) => flat(array, text, "argument must be empty or one-dimensional array")?,
        None => (Vec::new(), 1),
    };
    let element = element.map(str::to_owned);
    if first {
        elements.insert(0, element);
        return Ok(Some(written(&elements, lower)));
    }
    elements.push(element);
    Ok(Some(written(&elements, lower)))
}

fn replaced(array: PgType, values: &[Option<&str>], removes: bool) -> Result<Option<String>> {
    let [Some(text), wanted, ..] = values else { return Ok(None) };
    let what = if removes {
        "removing elements from multidimensional arrays is not supported"
    } else {
        "replacing elements of multidimensional arrays is not supported"
    };
    let (elements, lower) = flat(array, text, what)?;
    let wanted = wanted.map(str::to_owned);
    let new = values.get(2).copied().flatten().map(str::to_owned);
    let changed = elements.into_iter().filter_map(|element| match (element == wanted, removes) {
        (false, _) => Some(element),
        (true, true) => None,
        (true, false) => Some(new.clone()),
    });
    Ok(Some(written(&changed.collect::<Vec<_>>(), lower)))
}

/// Where an element stands; none for a NULL array.
fn places(array: PgType, values: &[Option<&str>]) -> Result<Option<Vec<i32>>> {
    let [Some(text), wanted, ..] = values else { return Ok(None) };
    let (elements, lower) = flat(array, text, ONE_DIMENSION)?;
    let wanted = wanted.map(str::to_owned);
    let found = (lower..).zip(&elements).filter(|(_, element)| **element == wanted).map(|(at, _)| at);
    Ok(Some(found.collect()))
}

fn trimmed(array: PgType, values: &[Option<&str>]) -> Result<Option<String>> {
    let [Some(text), Some(count)] = values else { return Ok(None) };
    let (mut elements, _) = flat(array, text, "trimming multidimensional arrays is not supported")?;
    let wrong = || {
        Error::client(
            SqlState::from_code("2202E").unwrap_or(SqlState::INVALID_PARAMETER_VALUE),
            format!("number of elements to trim must be between 0 and {}", elements.len()),
        )
    };
    let count = count.parse::<usize>().ok().filter(|count| *count <= elements.len()).ok_or_else(wrong)?;
    elements.truncate(elements.len() - count);
    // What is left is a slice, and a slice begins at 1.
    Ok(Some(written(&elements, 1)))
}
