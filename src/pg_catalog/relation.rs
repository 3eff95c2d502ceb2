//! One catalog relation: PostgreSQL's columns, rows from whatever fills it.
//! Must not know: what the relations mean (`tables` does).

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int16Array, Int32Array, Int64Array, StringViewArray,
    UInt32Array, new_null_array,
};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use crate::catalog::{Viewer, VirtualTable};
use crate::error::{Error, Result};
use crate::types::{self, PgType};

/// A value of a catalog column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// NULL, also where the column has another default.
    Null,
    /// A boolean.
    Bool(bool),
    /// Any integer type, and oid.
    Int(i64),
    /// float4, float8.
    Float(f64),
    /// Everything that is stored in its text form.
    Text(String),
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Value::Int(i64::from(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::Text(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// A row: the columns that are set. The others take their type's zero in catalogs (whose columns are NOT NULL as a rule), NULL in views.
pub(super) type Row = Vec<(&'static str, Value)>;

/// What fills a relation for a viewer.
pub(super) type Fill = Arc<dyn Fn(&Viewer) -> Vec<Row> + Send + Sync>;

/// One relation.
pub(super) struct Relation {
    schema_name: String,
    name: String,
    columns: SchemaRef,
    fixed: Vec<Vec<Value>>,
    fill: Option<Fill>,
    view: bool,
}

impl Relation {
    /// A relation with PostgreSQL's columns, rows that are the same for everybody, and rows that are not.
    pub(super) fn new(
        schema_name: &str,
        name: &str,
        columns: &[(String, PgType)],
        fixed: Vec<Vec<Value>>,
        fill: Option<Fill>,
    ) -> Self {
        let fields: Vec<_> = columns.iter().map(|(name, ty)| types::field(name, *ty, true)).collect();
        Relation {
            schema_name: schema_name.to_owned(),
            name: name.to_owned(),
            columns: Arc::new(Schema::new(fields)),
            fixed,
            fill,
            view: true,
        }
    }

    /// The same as a table, where it is one in PostgreSQL.
    pub(super) fn with_table(self, table: bool) -> Self {
        Relation { view: !table, ..self }
    }

    /// What a column holds where nobody set it.
    fn default_of(&self, data_type: &DataType) -> Value {
        if self.schema_name != "pg_catalog" || !self.name.starts_with("pg_") {
            return Value::Null;
        }
        match data_type {
            DataType::Boolean => Value::Bool(false),
            DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt32 => Value::Int(0),
            DataType::Float32 | DataType::Float64 => Value::Float(0.0),
            _ => Value::Null,
        }
    }

    fn batch(&self, rows: &[Row]) -> Result<RecordBatch> {
        let index: Vec<HashMap<&str, &Value>> =
            rows.iter().map(|row| row.iter().map(|(name, value)| (*name, value)).collect()).collect();
        let arrays = self
            .columns
            .fields()
            .iter()
            .enumerate()
            .map(|(at, field)| {
                let default = self.default_of(field.data_type());
                let fixed = self.fixed.iter().map(|row| row.get(at).unwrap_or(&Value::Null));
                let filled = index.iter().map(|row| row.get(field.name().as_str()).copied().unwrap_or(&default));
                array(field.data_type(), &fixed.chain(filled).collect::<Vec<_>>())
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.fixed.len() + rows.len()));
        RecordBatch::try_new_with_options(Arc::clone(&self.columns), arrays, &options)
            .map_err(|error| Error::internal(format!("{} could not be laid out", self.name)).with_cause(error))
    }
}

fn array(data_type: &DataType, values: &[&Value]) -> ArrayRef {
    let ints = || values.iter().map(|value| if let Value::Int(n) = value { Some(*n) } else { None });
    let floats = || values.iter().map(|value| if let Value::Float(n) = value { Some(*n) } else { None });
    match data_type {
        DataType::Boolean => Arc::new(
            values
                .iter()
                .map(|value| if let Value::Bool(b) = value { Some(*b) } else { None })
                .collect::<BooleanArray>(),
        ),
        DataType::Int16 => Arc::new(ints().map(|n| n.and_then(|n| i16::try_from(n).ok())).collect::<Int16Array>()),
        DataType::Int32 => Arc::new(ints().map(|n| n.and_then(|n| i32::try_from(n).ok())).collect::<Int32Array>()),
        DataType::Int64 => Arc::new(ints().collect::<Int64Array>()),
        DataType::UInt32 => Arc::new(ints().map(|n| n.and_then(|n| u32::try_from(n).ok())).collect::<UInt32Array>()),
        DataType::Float32 => Arc::new(floats().map(|n| n.map(|n| n as f32)).collect::<Float32Array>()),
        DataType::Float64 => Arc::new(floats().collect::<Float64Array>()),
        DataType::Utf8View => Arc::new(
            values
                .iter()
                .map(|value| if let Value::Text(text) = value { Some(text.as_str()) } else { None })
                .collect::<StringViewArray>(),
        ),
        other => new_null_array(other, values.len()),
    }
}

/// A value from the text form of PostgreSQL's COPY.
pub(super) fn parse(ty: PgType, text: &str) -> Value {
    if text == "\\N" {
        return Value::Null;
    }
    match types::storage(ty) {
        DataType::Boolean => Value::Bool(text == "t"),
        DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt32 => {
            text.parse().map_or(Value::Null, Value::Int)
        }
        DataType::Float32 | DataType::Float64 => text.parse().map_or(Value::Null, Value::Float),
        _ => Value::Text(text.to_owned()),
    }
}

impl fmt::Debug for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema_name, self.name)
    }
}

impl VirtualTable for Relation {
    fn schema_name(&self) -> &str {
        &self.schema_name
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.columns)
    }

    fn comment(&self) -> &'static str {
        "As in PostgreSQL, with what you may see."
    }

    fn is_view(&self) -> bool {
        self.view
    }

    fn rows(&self, viewer: &Viewer) -> Result<RecordBatch> {
        match &self.fill {
            Some(fill) => self.batch(&fill(viewer)),
            None => self.batch(&[]),
        }
    }
}
