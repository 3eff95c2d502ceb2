//! Rows of typed columns out of JSON: `json_to_record`, `json_to_recordset` and their kin.
//! Must not know: SQL, how a function was resolved.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, ListArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::logical_expr::Expr;

use super::arrays::array_text;
use super::kernel::{call, external, wrong_type};
use crate::engine::datafusion::stop;
use crate::error::{Error, Result, SqlState};
use crate::types::{ColumnBuilder, Dimension, FormatOptions, JsonPart, PgType, field, json_part, json_string};

/// Bytes that the rows of one batch of arguments may have: `[{},{}]` is short, and each `{}` has every column.
const MOST: usize = 256 << 20;

/// Bytes that a value has besides its text.
const VALUE: usize = 16;

/// Dimensions that an array may have.
const DIMENSIONS: usize = 6;

/// The rows that a function makes of JSON's text, with these columns. Its name says whether it is one row.
pub(super) fn rows_of_json(
    function: &'static str,
    value: Expr,
    columns: Vec<(String, PgType)>,
    format: &FormatOptions,
) -> (Expr, DataType) {
    let options = format.clone();
    let fields: Fields = columns.iter().map(|(name, pg)| field(name.as_str(), *pg, true)).collect();
    let item = Arc::new(Field::new_list_field(DataType::Struct(fields.clone()), true));
    let returns = DataType::List(Arc::clone(&item));
    let label = format!("{function}({columns:?},{options:?})");
    let expr = call(label, vec![value], returns.clone(), move |args| {
        let [texts] = args else { return Err(wrong_type(function)) };
        let texts = texts.as_string_view_opt().ok_or_else(|| wrong_type(function))?;
        let mut made = Made::new(function, &columns, &options);
        let mut lengths = Vec::new();
        for text in texts {
            let before = made.rows;
            made.add(text).map_err(external)?;
            lengths.push(made.rows - before);
        }
        let records = StructArray::try_new(fields.clone(), made.finish(), None::<NullBuffer>)?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(Arc::new(ListArray::try_new(Arc::clone(&item), offsets, Arc::new(records), None)?))
    });
    (expr, returns)
}

/// Rows in the making.
struct Made<'m> {
    function: &'static str,
    columns: &'m [(String, PgType)],
    builders: Vec<ColumnBuilder>,
    options: &'m FormatOptions,
    rows: usize,
    bytes: usize,
}

impl<'m> Made<'m> {
    fn new(function: &'static str, columns: &'m [(String, PgType)], options: &'m FormatOptions) -> Made<'m> {
        let builders = columns.iter().map(|(_, pg)| ColumnBuilder::new(*pg, 0)).collect();
        Made { function, columns, builders, options, rows: 0, bytes: 0 }
    }

    /// The rows of one argument. NULL is a record of NULLs, and a set without rows.
    fn add(&mut self, text: Option<&str>) -> Result<()> {
        let one = self.function.ends_with("_record");
        let Some(text) = text else {
            return if one { self.row(&[]) } else { Ok(()) };
        };
        match (json_part(text)?, one) {
            (JsonPart::Object(members), true) => self.row(&members),
            // PostgreSQL names the function that it has behind the four.
            (JsonPart::Array(_), true) => Err(wrong("cannot call populate_composite on an array")),
            (_, true) => Err(wrong("cannot call populate_composite on a scalar")),
            (JsonPart::Array(elements), false) => elements.into_iter().try_for_each(|element| self.element(element)),
            (other, false) => Err(self.no_array(&other)),
        }
    }

    fn element(&mut self, text: &str) -> Result<()> {
        stop::check(1)?;
        match json_part(text)? {
            JsonPart::Object(members) => self.row(&members),
            _ => Err(wrong(format!("argument of {} must be an array of objects", self.function))),
        }
    }

    fn no_array(&self, found: &JsonPart<'_>) -> Error {
        let what = match found {
            _ if self.function.starts_with("jsonb") => "a non-array",
            JsonPart::Object(_) => "an object",
            _ => "a scalar",
        };
        wrong(format!("cannot call {} on {what}", self.function))
    }

    /// An object's row: a column whose name is no key of it is NULL. Of equal keys the last counts.
    fn row(&mut self, members: &[(String, &str)]) -> Result<()> {
        let by_key: HashMap<&str, &str> = members.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        for ((name, pg), builder) in self.columns.iter().zip(&mut self.builders) {
            let value = by_key.get(name.as_str());
            let text = value.map(|value| text_of(name, value, *pg)).transpose()?.flatten();
            self.bytes = self.bytes.saturating_add(VALUE + text.as_ref().map_or(0, String::len));
            builder.append_text(text.as_deref(), self.options)?;
        }
        self.rows += 1;
        if self.bytes > MOST {
            let message = format!("the rows of {} have more than {} MiB", self.function, MOST >> 20);
            return Err(Error::resource(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        Ok(())
    }

    fn finish(mut self) -> Vec<ArrayRef> {
        self.builders.iter_mut().map(ColumnBuilder::finish).collect()
    }
}

fn wrong(message: impl Into<String>) -> Error {
    Error::client(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn malformed(message: &str) -> Error {
    Error::client(SqlState::INVALID_TEXT_REPRESENTATION, message)
}

/// What the input function of a type is given for a JSON value; none for NULL.
fn text_of(key: &str, value: &str, pg: PgType) -> Result<Option<String>> {
    match (json_part(value)?, pg.element()) {
        (JsonPart::Null, _) => Ok(None),
        // JSON's own types keep what it is a string of; every other type reads its text.
        (JsonPart::Text(text), _) if matches!(pg.oid, 114 | 3802) => json_string(&text).map(Some),
        (JsonPart::Text(text), _) => Ok(Some(text)),
        (JsonPart::Array(_), Some(element)) => array_of(key, value, element).map(Some),
        (_, Some(_)) => Err(expected_array(key, &[])),
        (_, None) => Ok(Some(value.to_owned())),
    }
}

/// The text of an array out of a JSON array; arrays in it are its dimensions.
fn array_of(key: &str, value: &str, element: PgType) -> Result<String> {
    // The first element that is none, or that is empty, says how many there are.
    let depth = value.bytes().filter(|byte| !byte.is_ascii_whitespace()).take_while(|byte| *byte == b'[').count();
    if depth > DIMENSIONS {
        let message = format!("number of array dimensions ({depth}) exceeds the maximum allowed ({DIMENSIONS})");
        return Err(Error::client(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
    }
    let mut made = Elements { key, element, lengths: vec![None; depth], counts: vec![0; depth], texts: Vec::new() };
    made.gather(value, 0)?;
    if made.texts.is_empty() {
        return Ok("{}".to_owned());
    }
    let dimension = |length: &Option<usize>| {
        let length = length.and_then(|length| i32::try_from(length).ok()).unwrap_or(i32::MAX);
        Dimension { length, lower: 1 }
    };
    let dimensions: Vec<Dimension> = made.lengths.iter().map(dimension).collect();
    Ok(array_text(&dimensions, made.texts.iter().map(Option::as_deref)))
}

/// An array in the making.
struct Elements<'k> {
    key: &'k str,
    element: PgType,
    /// For each dimension its length, once one array of it has ended.
    lengths: Vec<Option<usize>>,
    /// For each dimension how many elements of its array have been read.
    counts: Vec<usize>,
    texts: Vec<Option<String>>,
}

impl Elements<'_> {
    /// Reads an array of the dimension `at`.
    fn gather(&mut self, value: &str, at: usize) -> Result<()> {
        let JsonPart::Array(elements) = json_part(value)? else {
            return Err(expected_array(self.key, self.counts.get(..at).unwrap_or_default()));
        };
        for element in elements {
            if at + 1 < self.counts.len() {
                self.gather(element, at + 1)?;
            } else {
                self.texts.push(text_of(self.key, element, self.element)?);
            }
            if let Some(count) = self.counts.get_mut(at) {
                *count += 1;
            }
        }
        let count = self.counts.get_mut(at).map(std::mem::take).unwrap_or_default();
        match self.lengths.get_mut(at) {
            Some(length) if length.is_none_or(|known| known == count) => {
                *length = Some(count);
                Ok(())
            }
            _ => Err(malformed("malformed JSON array")
                .with_detail("Multidimensional arrays must have sub-arrays with matching dimensions.")),
        }
    }
}

/// The error for what should have been an array: the value of a key, or an element in its array.
fn expected_array(key: &str, places: &[usize]) -> Error {
    let hint = if places.is_empty() {
        format!("See the value of key \"{key}\".")
    } else {
        let places: String = places.iter().map(|place| format!("[{place}]")).collect();
        format!("See the array element {places} of key \"{key}\".")
    };
    malformed("expected JSON array").with_hint(hint)
}
