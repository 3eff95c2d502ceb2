//! One catalog relation: PostgreSQL's columns, rows from whatever fills it.
//! Must not know: what the relations mean (`tables` does).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::array::{
    ArrayRef, BooleanBuilder, Float32Builder, Float64Builder, Int16Builder, Int32Builder, Int64Builder,
    StringViewBuilder, TimestampMicrosecondBuilder, UInt32Builder, new_null_array,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use super::objects::Objects;
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
    /// Any integer type, oids, times in microseconds.
    Int(i64),
    /// float4, float8.
    Float(f64),
    /// Everything that is stored in its text form; arrays as PostgreSQL writes them.
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

/// Columns of a relation as Arrow has them.
pub(super) fn layout(columns: &[(String, PgType)]) -> SchemaRef {
    let field = |(name, ty): &(String, PgType)| {
        let field = types::field(name, *ty, true);
        if ty.is_registered() { field.with_data_type(DataType::UInt32) } else { field }
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// A column in the making.
enum Column {
    Bool(BooleanBuilder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Oid(UInt32Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Text(StringViewBuilder),
    Time(TimestampMicrosecondBuilder),
    /// Of a form that nothing is filled in.
    Empty(DataType, usize),
}

impl Column {
    fn new(form: &DataType) -> Column {
        match form {
            DataType::Boolean => Column::Bool(BooleanBuilder::new()),
            DataType::Int16 => Column::Int16(Int16Builder::new()),
            DataType::Int32 => Column::Int32(Int32Builder::new()),
            DataType::Int64 => Column::Int64(Int64Builder::new()),
            DataType::UInt32 => Column::Oid(UInt32Builder::new()),
            DataType::Float32 => Column::Float32(Float32Builder::new()),
            DataType::Float64 => Column::Float64(Float64Builder::new()),
            DataType::Utf8View => Column::Text(StringViewBuilder::new()),
            DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, _) => {
                Column::Time(TimestampMicrosecondBuilder::new().with_data_type(form.clone()))
            }
            other => Column::Empty(other.clone(), 0),
        }
    }

    fn push(&mut self, value: &Value) {
        let int = if let Value::Int(n) = value { Some(*n) } else { None };
        let float = if let Value::Float(n) = value { Some(*n) } else { None };
        match self {
            Column::Bool(column) => column.append_option(if let Value::Bool(b) = value { Some(*b) } else { None }),
            Column::Int16(column) => column.append_option(int.and_then(|n| i16::try_from(n).ok())),
            Column::Int32(column) => column.append_option(int.and_then(|n| i32::try_from(n).ok())),
            Column::Int64(column) => column.append_option(int),
            Column::Oid(column) => column.append_option(int.and_then(|n| u32::try_from(n).ok())),
            Column::Float32(column) => column.append_option(float.map(|n| n as f32)),
            Column::Float64(column) => column.append_option(float),
            Column::Text(column) => column.append_option(if let Value::Text(t) = value { Some(t) } else { None }),
            Column::Time(column) => column.append_option(int),
            Column::Empty(_, rows) => *rows += 1,
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Column::Bool(mut column) => Arc::new(column.finish()),
            Column::Int16(mut column) => Arc::new(column.finish()),
            Column::Int32(mut column) => Arc::new(column.finish()),
            Column::Int64(mut column) => Arc::new(column.finish()),
            Column::Oid(mut column) => Arc::new(column.finish()),
            Column::Float32(mut column) => Arc::new(column.finish()),
            Column::Float64(mut column) => Arc::new(column.finish()),
            Column::Text(mut column) => Arc::new(column.finish()),
            Column::Time(mut column) => Arc::new(column.finish()),
            Column::Empty(form, rows) => new_null_array(&form, rows),
        }
    }
}

/// The rows of a relation in the making.
pub(super) struct Rows {
    schema: SchemaRef,
    places: HashMap<String, usize>,
    columns: Vec<Column>,
    defaults: Vec<Value>,
    rows: usize,
    /// The names of the last row in their order, and the columns that they are: most rows are made alike.
    order: Vec<(String, Option<usize>)>,
    /// For each column the value of the row at hand.
    set: Vec<Option<usize>>,
}

impl Rows {
    /// None yet. `zeros`: columns that nobody sets hold their type's zero (as catalogs do), not NULL (as views do).
    pub(super) fn new(schema: &SchemaRef, zeros: bool) -> Rows {
        let default = |form: &DataType| match form {
            _ if !zeros => Value::Null,
            DataType::Boolean => Value::Bool(false),
            DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt32 => Value::Int(0),
            DataType::Float32 | DataType::Float64 => Value::Float(0.0),
            _ => Value::Null,
        };
        let fields = schema.fields();
        Rows {
            schema: Arc::clone(schema),
            places: fields.iter().enumerate().map(|(at, field)| (field.name().clone(), at)).collect(),
            columns: fields.iter().map(|field| Column::new(field.data_type())).collect(),
            defaults: fields.iter().map(|field| default(field.data_type())).collect(),
            rows: 0,
            order: Vec::new(),
            set: Vec::new(),
        }
    }

    /// The column of a name that stands at a place of a row.
    fn place(&mut self, at: usize, name: &str) -> Option<usize> {
        if let Some((_, place)) = self.order.get(at).filter(|(known, _)| known == name) {
            return *place;
        }
        let place = self.places.get(name).copied();
        self.order.truncate(at);
        self.order.push((name.to_owned(), place));
        place
    }

    /// Adds a row: the columns that are set, the rest at its default. A name that is no column of the relation is left out.
    pub(super) fn push(&mut self, row: &[(&str, Value)]) {
        self.set.clear();
        self.set.resize(self.columns.len(), None);
        for (at, (name, _)) in row.iter().enumerate() {
            let place = self.place(at, name);
            if let Some(slot) = place.and_then(|place| self.set.get_mut(place)) {
                *slot = Some(at);
            }
        }
        for ((column, at), default) in self.columns.iter_mut().zip(&self.set).zip(&self.defaults) {
            let value = at.and_then(|at| row.get(at)).map_or(default, |(_, value)| value);
            column.push(value);
        }
        self.rows += 1;
    }

    /// Adds a row in the text form of PostgreSQL's COPY.
    fn push_text(&mut self, line: &str) {
        let fields = self.schema.fields().iter().map(|field| field.data_type());
        let values: Vec<Value> = line.split('\t').zip(fields).map(|(text, form)| parse(form, text)).collect();
        for (at, column) in self.columns.iter_mut().enumerate() {
            column.push(values.get(at).unwrap_or(&Value::Null));
        }
        self.rows += 1;
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    pub(super) fn finish(self) -> Result<RecordBatch> {
        let arrays = self.columns.into_iter().map(Column::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(self.schema, arrays, &options)
            .map_err(|error| Error::internal("a catalog relation could not be laid out").with_cause(error))
    }
}

/// A value from the text form of PostgreSQL's COPY.
fn parse(form: &DataType, text: &str) -> Value {
    if text == "\\N" {
        return Value::Null;
    }
    match form {
        DataType::Boolean => Value::Bool(text == "t"),
        DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt32 => {
            text.parse().map_or(Value::Null, Value::Int)
        }
        DataType::Float32 | DataType::Float64 => text.parse().map_or(Value::Null, Value::Float),
        _ => Value::Text(text.to_owned()),
    }
}

/// Who looks, and what there is for them.
pub(super) struct Looking<'a> {
    pub(super) viewer: &'a Viewer,
    pub(super) objects: &'a Objects,
}

/// What adds a relation's rows for somebody.
#[derive(Clone, Copy)]
pub(super) struct Fill {
    pub(super) add: fn(&Looking<'_>, &mut Rows),
    /// The rows follow from the viewer's world alone, so that they can be kept with it.
    pub(super) kept: bool,
    /// And from the search path, under which they are kept then.
    pub(super) by_path: bool,
}

/// One relation.
pub(super) struct Relation {
    schema_name: &'static str,
    name: &'static str,
    oid: u32,
    columns: SchemaRef,
    lines: Vec<&'static str>,
    fixed: OnceLock<RecordBatch>,
    fill: Option<Fill>,
    view: bool,
}

impl Relation {
    /// A relation with PostgreSQL's columns, rows that are the same for everybody, and rows that are not.
    pub(super) fn new(listed: &super::Listed, lines: Vec<&'static str>, fill: Option<Fill>) -> Self {
        Relation {
            schema_name: listed.schema,
            name: listed.name,
            oid: listed.oid,
            columns: layout(&listed.columns),
            lines,
            fixed: OnceLock::new(),
            fill,
            view: !listed.is_table(),
        }
    }

    fn empty(&self) -> Rows {
        Rows::new(&self.columns, self.schema_name == "pg_catalog" && self.name.starts_with("pg_"))
    }

    fn fixed(&self) -> Result<RecordBatch> {
        if let Some(batch) = self.fixed.get() {
            return Ok(batch.clone());
        }
        let mut rows = self.empty();
        self.lines.iter().for_each(|line| rows.push_text(line));
        let batch = rows.finish()?;
        Ok(self.fixed.get_or_init(|| batch).clone())
    }

    fn filled(&self, viewer: &Viewer, objects: &Objects, fill: Fill) -> Result<RecordBatch> {
        let mut rows = self.empty();
        (fill.add)(&Looking { viewer, objects }, &mut rows);
        let filled = rows.finish()?;
        if self.lines.is_empty() {
            return Ok(filled);
        }
        concat_batches(&self.columns, [&self.fixed()?, &filled])
            .map_err(|error| Error::internal("a catalog relation could not be put together").with_cause(error))
    }
}

impl fmt::Debug for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema_name, self.name)
    }
}

impl VirtualTable for Relation {
    fn schema_name(&self) -> &str {
        self.schema_name
    }

    fn name(&self) -> &str {
        self.name
    }

    fn oid(&self) -> u32 {
        self.oid
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

    fn is_steady(&self) -> bool {
        self.fill.is_none_or(|fill| fill.kept)
    }

    fn rows(&self, viewer: &Viewer) -> Result<RecordBatch> {
        let Some(fill) = self.fill else { return self.fixed() };
        let objects = Objects::of(viewer);
        let make = || self.filled(viewer, &objects, fill);
        let path: &[String] = if fill.by_path { &viewer.search_path } else { &[] };
        if fill.kept { objects.kept(self.oid, path, make) } else { make() }
    }
}
