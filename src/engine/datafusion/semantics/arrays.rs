//! Arrays in their text form: taken apart, asked for an element, put together.
//! Must not know: SQL, how a function was resolved.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, ListArray, StringViewArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields, Int32Type, Int64Type};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::Expr;

use super::kernel::{call, external, wrong_type};
use crate::error::{Error, Result, SqlState};
use crate::types::{ArrayText, ColumnBuilder, Dimension, FormatOptions, PgType, parse_array, storage};

/// `int2vector` and `oidvector`: one dimension from 0, written without braces.
pub(super) fn is_vector(pg: PgType) -> bool {
    matches!(pg.oid, 22 | 30)
}

/// The dimensions and elements of an array's text.
///
/// # Errors
/// `22P02` for a text that is no array.
pub(super) fn take_apart(pg: PgType, text: &str) -> Result<ArrayText<'_>> {
    if is_vector(pg) {
        let elements: Vec<_> = text.split_ascii_whitespace().map(|word| Some(Cow::Borrowed(word))).collect();
        let length = i32::try_from(elements.len()).unwrap_or(i32::MAX);
        return Ok(ArrayText { dimensions: vec![Dimension { length, lower: 0 }], elements });
    }
    // Only boxes are parted by something else than a comma.
    parse_array(text, if pg.element().is_some_and(|element| element.oid == 603) { b';' } else { b',' })
}

/// A vector as the text of an array with the same elements.
pub(super) fn vector_as_array(text: &str) -> String {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    if words.is_empty() { "{}".to_owned() } else { format!("[0:{}]={{{}}}", words.len() - 1, words.join(",")) }
}

/// The numbers of a row behind its array; none where one is NULL.
fn numbers(columns: &[&Int32Array], row: usize) -> Option<Vec<i32>> {
    columns.iter().map(|column| column.is_valid(row).then(|| column.value(row))).collect()
}

fn split_subscripts(args: &[ArrayRef]) -> DfResult<(&StringViewArray, Vec<&Int32Array>)> {
    let wrong = || wrong_type("a subscript");
    let (arrays, numbers) = args.split_first().ok_or_else(wrong)?;
    let texts = arrays.as_string_view_opt().ok_or_else(wrong)?;
    let numbers = numbers.iter().map(|array| array.as_primitive_opt::<Int32Type>().ok_or_else(wrong));
    Ok((texts, numbers.collect::<DfResult<_>>()?))
}

/// `a[i][j]`, one value for each row; NULL where there is no such element.
pub(super) fn element_at(
    array: PgType,
    value: Expr,
    indexes: Vec<Expr>,
    format: &FormatOptions,
) -> Option<(Expr, PgType)> {
    let element = array.element()?.bare();
    let options = format.clone();
    let name = format!("element({},{options:?})", array.name());
    let args = std::iter::once(value).chain(indexes).collect();
    let expr = call(name, args, storage(element), move |args| {
        let (texts, indexes) = split_subscripts(args)?;
        let mut builder = ColumnBuilder::new(element, texts.len());
        for row in 0..texts.len() {
            let Some(wanted) = numbers(&indexes, row).filter(|_| texts.is_valid(row)) else {
                builder.append_text(None, &options).map_err(external)?;
                continue;
            };
            let parsed = take_apart(array, texts.value(row)).map_err(external)?;
            let found = place(&parsed.dimensions, &wanted).and_then(|at| parsed.elements.get(at));
            let found = found.and_then(|element| element.as_deref());
            builder.append_text(found, &options).map_err(external)?;
        }
        Ok(builder.finish())
    });
    Some((expr, element))
}

/// Where an element stands among all of an array; there is none where the array has another number of dimensions.
fn place(dimensions: &[Dimension], wanted: &[i32]) -> Option<usize> {
    if dimensions.len() != wanted.len() {
        return None;
    }
    let mut at = 0;
    for (dimension, index) in dimensions.iter().zip(wanted) {
        let inside = i64::from(*index) - i64::from(dimension.lower);
        if !(0..i64::from(dimension.length)).contains(&inside) {
            return None;
        }
        at = at * usize::try_from(dimension.length).ok()? + usize::try_from(inside).ok()?;
    }
    Some(at)
}

/// `ARRAY[a, b]` of arrays: an array of one dimension more.
pub(super) fn stacked(array: PgType, arrays: Vec<Expr>) -> Expr {
    as_text(&format!("stacked({})", array.name()), arrays, move |texts| {
        let wrong = || {
            let state = SqlState::from_code("2202E").unwrap_or(SqlState::INVALID_PARAMETER_VALUE);
            Error::client(state, "multidimensional arrays must have array expressions with matching dimensions")
        };
        let parsed = texts
            .iter()
            .map(|text| text.map_or_else(|| Ok(ArrayText::default()), |text| take_apart(array, text)))
            .collect::<Result<Vec<_>>>()?;
        // Arrays of nothing make an array of nothing.
        if parsed.iter().all(|array| array.elements.is_empty()) {
            return Ok(Some("{}".to_owned()));
        }
        let Some(first) = parsed.first() else { return Ok(None) };
        if parsed.iter().any(|array| array.dimensions != first.dimensions || array.elements.is_empty()) {
            return Err(wrong());
        }
        let length = i32::try_from(parsed.len()).unwrap_or(i32::MAX);
        let dimensions: Vec<Dimension> =
            std::iter::once(Dimension { length, lower: 1 }).chain(first.dimensions.iter().copied()).collect();
        let elements = parsed.iter().flat_map(|array| array.elements.iter().map(|element| element.as_deref()));
        Ok(Some(array_text(&dimensions, elements)))
    })
}

/// The elements of an array in text form as Arrow's list, in row-major order.
pub(super) fn elements_list(array: PgType, value: Expr, format: &FormatOptions) -> Option<(Expr, PgType)> {
    let element = array.element()?.bare();
    let options = format.clone();
    let item = Arc::new(Field::new_list_field(storage(element), true));
    let returns = DataType::List(Arc::clone(&item));
    let name = format!("elements({},{options:?})", array.name());
    let expr = call(name, vec![value], returns, move |args| {
        let [arrays] = args else { return Err(wrong_type("unnest")) };
        let texts = arrays.as_string_view_opt().ok_or_else(|| wrong_type("unnest"))?;
        let mut builder = ColumnBuilder::new(element, texts.len());
        let mut lengths = Vec::with_capacity(texts.len());
        for text in texts {
            let parsed = text.map(|text| take_apart(array, text)).transpose().map_err(external)?.unwrap_or_default();
            for found in &parsed.elements {
                builder.append_text(found.as_deref(), &options).map_err(external)?;
            }
            lengths.push(parsed.elements.len());
        }
        list_of(&item, builder.finish(), lengths, texts.nulls().cloned())
    });
    Some((expr, element))
}

fn list_of(item: &Arc<Field>, values: ArrayRef, lengths: Vec<usize>, nulls: Option<NullBuffer>) -> DfResult<ArrayRef> {
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets, values, nulls)?))
}

/// `generate_series` over 64-bit integers: for each row the bounds and the step of its series, of which `spread` makes rows.
pub(super) fn series(args: Vec<Expr>) -> Expr {
    let fields: Fields =
        ["start", "stop", "step"].iter().map(|name| Field::new(*name, DataType::Int64, true)).collect();
    call("series", args, DataType::Struct(fields.clone()), move |args| {
        let rows = args.first().map_or(0, |arg| arg.len());
        let mut columns = args.to_vec();
        if columns.len() == 2 {
            columns.push(Arc::new(Int64Array::from(vec![1; rows])));
        }
        let steps = columns.get(2).and_then(|steps| steps.as_primitive_opt::<Int64Type>());
        let steps = steps.ok_or_else(|| wrong_type("generate_series"))?;
        let bounded = |row: usize| columns.iter().all(|column| column.is_valid(row));
        if (0..rows).any(|row| bounded(row) && steps.value(row) == 0) {
            return Err(external(Error::client(SqlState::INVALID_PARAMETER_VALUE, "step size cannot equal zero")));
        }
        Ok(Arc::new(StructArray::try_new(fields.clone(), columns, None)?))
    })
}

/// A text for each array.
pub(super) fn as_text(
    name: &str,
    args: Vec<Expr>,
    body: impl Fn(&[Option<&str>]) -> Result<Option<String>> + Send + Sync + 'static,
) -> Expr {
    let label = name.to_owned();
    call(name, args, DataType::Utf8View, move |args| {
        let columns = args
            .iter()
            .map(|arg| arg.as_string_view_opt().ok_or_else(|| wrong_type(&label)))
            .collect::<DfResult<Vec<_>>>()?;
        let rows = args.first().map_or(0, |arg| arg.len());
        let mut texts = Vec::with_capacity(rows);
        for row in 0..rows {
            let values: Vec<Option<&str>> =
                columns.iter().map(|column| column.is_valid(row).then(|| column.value(row))).collect();
            texts.push(body(&values).map_err(external)?);
        }
        Ok(Arc::new(texts.into_iter().collect::<StringViewArray>()))
    })
}

/// A number for each array and dimension; NULL where there is none.
pub(super) fn as_number(
    name: &str,
    array: PgType,
    args: Vec<Expr>,
    body: impl Fn(&ArrayText<'_>, i32) -> Option<i32> + Send + Sync + 'static,
) -> Expr {
    let label = name.to_owned();
    call(format!("{name}({})", array.name()), args, DataType::Int32, move |args| {
        let [arrays, numbers @ ..] = args else { return Err(wrong_type(&label)) };
        let texts = arrays.as_string_view_opt().ok_or_else(|| wrong_type(&label))?;
        let numbers = numbers.first().map(|array| array.as_primitive::<Int32Type>());
        let mut results = Vec::with_capacity(texts.len());
        for row in 0..texts.len() {
            let null = texts.is_null(row) || numbers.is_some_and(|numbers| numbers.is_null(row));
            let number = numbers.map_or(1, |numbers| if null { 0 } else { numbers.value(row) });
            results.push(if null {
                None
            } else {
                body(&take_apart(array, texts.value(row)).map_err(external)?, number)
            });
        }
        Ok(Arc::new(Int32Array::from(results)))
    })
}

/// The text of an array of texts.
pub(super) fn array_of_texts<'t>(elements: impl IntoIterator<Item = Option<&'t str>>) -> String {
    let elements: Vec<Option<&str>> = elements.into_iter().collect();
    let length = i32::try_from(elements.len()).unwrap_or(i32::MAX);
    array_text(&[Dimension { length, lower: 1 }], elements)
}

/// The text of an array: its bounds where they do not begin at 1, and its elements.
pub(super) fn array_text<'t>(dimensions: &[Dimension], elements: impl IntoIterator<Item = Option<&'t str>>) -> String {
    if dimensions.iter().all(|dimension| dimension.length == 0) {
        return "{}".to_owned();
    }
    let mut made = String::new();
    if dimensions.iter().any(|dimension| dimension.lower != 1) {
        for Dimension { length, lower } in dimensions {
            made.push_str(&format!("[{lower}:{}]", lower + length - 1));
        }
        made.push('=');
    }
    // How many elements stand in one array of each dimension.
    let mut sizes: Vec<usize> =
        dimensions.iter().map(|dimension| usize::try_from(dimension.length).unwrap_or(1)).collect();
    for at in (0..sizes.len().saturating_sub(1)).rev() {
        sizes[at] *= sizes[at + 1];
    }
    let ends = |at: usize| sizes.iter().filter(|size| at.is_multiple_of(**size)).count();
    let mut count = 0;
    for (at, element) in elements.into_iter().enumerate() {
        if at > 0 {
            made.push_str(&"}".repeat(ends(at)));
            made.push(',');
        }
        made.push_str(&"{".repeat(ends(at)));
        match element {
            None => made.push_str("NULL"),
            Some(text) => push_element(text, &mut made),
        }
        count = at + 1;
    }
    made.push_str(&"}".repeat(ends(count)));
    made
}

/// An element as `array_out` writes it: in quotes where it could be read as something else.
pub(super) fn push_element(text: &str, into: &mut String) {
    let plain = !text.is_empty()
        && !text.eq_ignore_ascii_case("null")
        && !text
            .contains(|c: char| matches!(c, '{' | '}' | ',' | '"' | '\\') || (c.is_ascii_whitespace() || c == '\x0b'));
    if plain {
        into.push_str(text);
        return;
    }
    into.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            into.push('\\');
        }
        into.push(c);
    }
    into.push('"');
}
