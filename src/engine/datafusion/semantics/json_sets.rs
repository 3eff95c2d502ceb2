//! Rows out of JSON without columns of the statement's own: keys, elements, and keys beside values.
//! Must not know: SQL, how a function was resolved.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StringViewBuilder, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::logical_expr::Expr;

use super::kernel::{call, external, wrong_type};
use crate::engine::datafusion::stop;
use crate::error::{Error, Result, SqlState};
use crate::types::{JsonPart, PgType, field, json_elements, json_kind, json_part, json_scalar};

/// Bytes that the rows of one batch of arguments may have.
const MOST: usize = 256 << 20;

/// Bytes that a value has besides its text.
const VALUE: usize = 16;

/// What the rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    Keys,
    Elements,
    Pairs,
}

/// A function that gives such rows.
#[derive(Debug, Clone, Copy)]
struct Function {
    name: &'static str,
    rows: Rows,
    /// Whether values are texts: strings without quotes, null as NULL.
    text: bool,
    binary: bool,
}

const fn function(name: &'static str, rows: Rows, text: bool, binary: bool) -> Function {
    Function { name, rows, text, binary }
}

const FUNCTIONS: [Function; 10] = [
    function("json_object_keys", Rows::Keys, true, false),
    function("jsonb_object_keys", Rows::Keys, true, true),
    function("json_array_elements", Rows::Elements, false, false),
    function("jsonb_array_elements", Rows::Elements, false, true),
    function("json_array_elements_text", Rows::Elements, true, false),
    function("jsonb_array_elements_text", Rows::Elements, true, true),
    function("json_each", Rows::Pairs, false, false),
    function("jsonb_each", Rows::Pairs, false, true),
    function("json_each_text", Rows::Pairs, true, false),
    function("jsonb_each_text", Rows::Pairs, true, true),
];

fn known(source: &str) -> Option<Function> {
    FUNCTIONS.into_iter().find(|function| function.name == source)
}

/// Whether this makes rows of JSON.
pub(super) fn is_set_of_json(source: &str) -> bool {
    known(source).is_some()
}

/// What the function calls the column of its rows, if it does and they have one.
pub(super) fn column_of_set(source: &str) -> Option<&'static str> {
    if source == "pg_partition_ancestors" {
        return Some("relid");
    }
    known(source).filter(|function| function.rows == Rows::Elements).map(|_| "value")
}

/// The rows that a function makes of JSON's text: lists of them, their form, and what each is. None for other functions.
pub(super) fn set_of_json(source: &str, document: Expr) -> Option<(Expr, DataType, PgType)> {
    let function = known(source)?;
    let value = match function {
        Function { text: true, .. } => PgType::TEXT,
        Function { binary: true, .. } => PgType::JSONB,
        _ => PgType::JSON,
    };
    let fields: Fields = vec![field("key", PgType::TEXT, true), field("value", value, true)].into();
    let pairs = function.rows == Rows::Pairs;
    let row = if pairs { DataType::Struct(fields.clone()) } else { DataType::Utf8View };
    let item = Arc::new(Field::new_list_field(row, true));
    let returns = DataType::List(Arc::clone(&item));
    let expr = call(function.name, vec![document], returns.clone(), move |args| {
        let [documents] = args else { return Err(wrong_type(function.name)) };
        let documents = documents.as_string_view_opt().ok_or_else(|| wrong_type(function.name))?;
        let mut made = Made::new(function);
        let mut lengths = Vec::with_capacity(documents.len());
        for document in documents {
            let before = made.count;
            document.map_or(Ok(()), |document| made.add(document)).map_err(external)?;
            lengths.push(made.count - before);
        }
        let offsets = OffsetBuffer::from_lengths(lengths);
        let values: ArrayRef = Arc::new(made.values.finish());
        let rows = if pairs {
            let keys: ArrayRef = Arc::new(made.keys.finish());
            Arc::new(StructArray::try_new(fields.clone(), vec![keys, values], None::<NullBuffer>)?)
        } else {
            values
        };
        Ok(Arc::new(ListArray::try_new(Arc::clone(&item), offsets, rows, None)?))
    });
    Some((expr, returns, if pairs { PgType::RECORD } else { value }))
}

/// Rows in the making.
struct Made {
    function: Function,
    keys: StringViewBuilder,
    values: StringViewBuilder,
    count: usize,
    bytes: usize,
}

impl Made {
    fn new(function: Function) -> Made {
        Made { function, keys: StringViewBuilder::new(), values: StringViewBuilder::new(), count: 0, bytes: 0 }
    }

    /// The rows of a document.
    fn add(&mut self, document: &str) -> Result<()> {
        let Function { rows, text, .. } = self.function;
        let kind = json_kind(document);
        if kind != "array" && kind != "object" {
            // Its escapes are read first.
            json_part(document)?;
            return Err(self.refused(kind));
        }
        if (kind == "array") != (rows == Rows::Elements) {
            return Err(self.refused(kind));
        }
        let part = if rows == Rows::Elements && !text { json_elements(document)? } else { json_part(document)? };
        match part {
            JsonPart::Array(elements) => elements.into_iter().try_for_each(|element| self.value(element)),
            JsonPart::Object(members) => members.into_iter().try_for_each(|(key, value)| match rows {
                Rows::Keys => self.row(&key),
                _ => {
                    self.keys.append_value(&key);
                    self.bytes = self.bytes.saturating_add(VALUE + key.len());
                    self.value(value)
                }
            }),
            _ => Err(self.refused(kind)),
        }
    }

    fn value(&mut self, value: &str) -> Result<()> {
        if !self.function.text {
            return self.row(value);
        }
        match json_scalar(value)? {
            Some(text) => self.row(&text),
            None => {
                self.values.append_null();
                self.counted(0)
            }
        }
    }

    fn row(&mut self, text: &str) -> Result<()> {
        self.values.append_value(text);
        self.counted(text.len())
    }

    fn counted(&mut self, bytes: usize) -> Result<()> {
        stop::check(1)?;
        self.count += 1;
        self.bytes = self.bytes.saturating_add(VALUE + bytes);
        if self.bytes > MOST {
            let message = format!("the rows of {} have more than {} MiB", self.function.name, MOST >> 20);
            return Err(Error::resource(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        Ok(())
    }

    /// PostgreSQL's words for a document of another kind.
    fn refused(&self, kind: &str) -> Error {
        let Function { name, rows, binary, .. } = self.function;
        let message = match (rows, binary, kind) {
            (Rows::Keys, _, "array") => format!("cannot call {name} on an array"),
            (Rows::Keys, ..) => format!("cannot call {name} on a scalar"),
            (Rows::Elements, false, "object") => format!("cannot call {name} on a non-array"),
            (Rows::Elements, false, _) => format!("cannot call {name} on a scalar"),
            (Rows::Elements, true, "object") => "cannot extract elements from an object".to_owned(),
            (Rows::Elements, true, _) => "cannot extract elements from a scalar".to_owned(),
            (Rows::Pairs, true, _) => format!("cannot call {name} on a non-object"),
            (Rows::Pairs, false, "array") => "cannot deconstruct an array as an object".to_owned(),
            (Rows::Pairs, false, _) => "cannot deconstruct a scalar".to_owned(),
        };
        Error::client(SqlState::INVALID_PARAMETER_VALUE, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(name: &str, document: &str) -> Result<Vec<Option<String>>> {
        let mut made = Made::new(known(name).unwrap());
        made.add(document)?;
        Ok(made.values.finish().iter().map(|value| value.map(str::to_owned)).collect())
    }

    #[test]
    fn rows_and_what_has_none() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(made("json_each_text", "{\"a\":null,\"b\":\"x\"}").unwrap(), [None, some("x")]);
        assert_eq!(made("json_array_elements", "[1 , \"\\u0000\"]").unwrap(), [some("1"), some("\"\\u0000\"")]);
        assert_eq!(made("json_object_keys", "{\"b\":1,\"a\":1,\"b\":2}").unwrap(), ["b", "a", "b"].map(some));
        assert!(made("json_array_elements_text", "[\"\\u0000\"]").is_err());
        let said = |name: &str, document: &str| made(name, document).unwrap_err().message().to_owned();
        assert_eq!(said("jsonb_each", "1"), "cannot call jsonb_each on a non-object");
        assert_eq!(said("json_object_keys", "[]"), "cannot call json_object_keys on an array");
    }

    #[test]
    fn columns_that_functions_name() {
        assert_eq!(column_of_set("json_array_elements_text"), Some("value"));
        assert_eq!(column_of_set("json_object_keys"), None);
        assert!(is_set_of_json("jsonb_each") && !is_set_of_json("unnest"));
    }
}
