//! Arrays in their text form: taken apart, asked for an element, put together.
//! Must not know: SQL, how a function was resolved.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, ListArray, StringViewArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type};
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

/// `a[i]`, one value for each row; NULL where there is no such element.
pub(super) fn element_at(array: PgType, value: Expr, index: Expr, format: &FormatOptions) -> Option<(Expr, PgType)> {
    let element = array.element()?.bare();
    let options = format.clone();
    let name = format!("element({},{options:?})", array.name());
    let expr = call(name, vec![value, index], storage(element), move |args| {
        let [arrays, indexes] = args else { return Err(wrong_type("a subscript")) };
        let texts = arrays.as_string_view_opt().ok_or_else(|| wrong_type("a subscript"))?;
        let indexes = indexes.as_primitive_opt::<Int32Type>().ok_or_else(|| wrong_type("a subscript"))?;
        let mut builder = ColumnBuilder::new(element, texts.len());
        for row in 0..texts.len() {
            if texts.is_null(row) || indexes.is_null(row) {
                builder.append_text(None, &options).map_err(external)?;
                continue;
            }
            let parsed = take_apart(array, texts.value(row)).map_err(external)?;
            let found = match parsed.dimensions.as_slice() {
                // An array of more dimensions has no element at one index.
                [only] => usize::try_from(i64::from(indexes.value(row)) - i64::from(only.lower))
                    .ok()
                    .and_then(|at| parsed.elements.get(at))
                    .and_then(|element| element.as_deref()),
                _ => None,
            };
            builder.append_text(found, &options).map_err(external)?;
        }
        Ok(builder.finish())
    });
    Some((expr, element))
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

/// The longest series that is made at once.
const LONGEST_SERIES: i128 = 10_000_000;

/// `generate_series` over 64-bit integers as a list for each row, of `int4` if `narrow`.
pub(super) fn series_list(args: Vec<Expr>, narrow: bool) -> Expr {
    let form = if narrow { DataType::Int32 } else { DataType::Int64 };
    let item = Arc::new(Field::new_list_field(form.clone(), true));
    let returns = DataType::List(Arc::clone(&item));
    call("series", args, returns, move |args| {
        let numbers: Vec<_> = args.iter().map(|arg| arg.as_primitive_opt::<Int64Type>()).collect();
        let rows = args.first().map_or(0, |arg| arg.len());
        let (mut values, mut lengths) = (Vec::new(), Vec::with_capacity(rows));
        for row in 0..rows {
            let mut bounds = Vec::new();
            for column in &numbers {
                let column = column.ok_or_else(|| wrong_type("generate_series"))?;
                bounds.push(column.is_valid(row).then(|| column.value(row)));
            }
            let before = values.len();
            if let Some(bounds) = bounds.into_iter().collect::<Option<Vec<i64>>>() {
                append_series(&bounds, &mut values).map_err(external)?;
            }
            lengths.push(values.len() - before);
        }
        let values = arrow::compute::cast(&arrow::array::Int64Array::from(values), &form)?;
        list_of(&item, values, lengths, None)
    })
}

fn append_series(bounds: &[i64], values: &mut Vec<i64>) -> Result<()> {
    let (Some(start), Some(stop)) = (bounds.first().copied(), bounds.get(1).copied()) else { return Ok(()) };
    let step = bounds.get(2).copied().unwrap_or(1);
    if step == 0 {
        return Err(Error::client(SqlState::INVALID_PARAMETER_VALUE, "step size cannot equal zero"));
    }
    let count = (i128::from(stop) - i128::from(start)) / i128::from(step) + 1;
    if count > LONGEST_SERIES {
        return Err(Error::unsupported(format!(
            "a computed series of more than {LONGEST_SERIES} values is not supported"
        )));
    }
    let mut at = start;
    while (step > 0 && at <= stop) || (step < 0 && at >= stop) {
        values.push(at);
        match at.checked_add(step) {
            Some(next) => at = next,
            None => break,
        }
    }
    Ok(())
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
    let mut made = "{".to_owned();
    for (at, element) in elements.into_iter().enumerate() {
        if at > 0 {
            made.push(',');
        }
        match element {
            None => made.push_str("NULL"),
            Some(text) => push_element(text, &mut made),
        }
    }
    made.push('}');
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
