//! Values of several parts: records, and oids together with their names.
//! Must not know: how the parts look, or where they come from.

use arrow::array::{Array, ArrayRef, AsArray, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use bytes::{BufMut, BytesMut};

use super::binary::binary_encoder;
use super::encoder::{ColumnEncoder, unexpected};
use super::format::FormatOptions;
use super::pg_type::PgType;
use super::storage::{field, pg_type_of};
use super::text::text_encoder;
use crate::error::{Error, Result};

/// The encoders of a record's fields.
struct Parts {
    array: Option<StructArray>,
    fields: Vec<Box<dyn ColumnEncoder>>,
}

impl Parts {
    fn new(fields: &Fields, encoder: impl Fn(&Field) -> Result<Box<dyn ColumnEncoder>>) -> Result<Parts> {
        Ok(Parts { array: None, fields: fields.iter().map(|field| encoder(field)).collect::<Result<_>>()? })
    }

    fn bind(&mut self, array: &ArrayRef) -> Result<()> {
        let record = array.as_struct_opt().ok_or_else(|| unexpected(array.data_type()))?.clone();
        if record.num_columns() != self.fields.len() {
            return Err(Error::internal("a record of another number of fields than it was planned with"));
        }
        self.fields.iter_mut().zip(record.columns()).try_for_each(|(field, column)| field.bind(column))?;
        self.array = Some(record);
        Ok(())
    }

    fn is_null(&self, row: usize) -> bool {
        self.array.as_ref().is_none_or(|array| row >= array.len() || array.is_null(row))
    }
}

/// The encoder of records as text: `(1,"a b",)`.
pub(super) fn record_text(fields: &Fields, options: &FormatOptions) -> Result<Box<dyn ColumnEncoder>> {
    let parts = Parts::new(fields, |field| text_encoder(field, options))?;
    Ok(Box::new(RecordText { parts, scratch: BytesMut::new() }))
}

struct RecordText {
    parts: Parts,
    scratch: BytesMut,
}

impl ColumnEncoder for RecordText {
    fn bind(&mut self, array: &ArrayRef) -> Result<()> {
        self.parts.bind(array)
    }

    fn is_null(&self, row: usize) -> bool {
        self.parts.is_null(row)
    }

    fn write(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_u8(b'(');
        for (at, field) in self.parts.fields.iter_mut().enumerate() {
            if at > 0 {
                out.put_u8(b',');
            }
            if !field.is_null(row) {
                self.scratch.clear();
                field.write(row, &mut self.scratch)?;
                write_field(&self.scratch, out);
            }
        }
        out.put_u8(b')');
        Ok(())
    }
}

/// Appends a field, in quotes where PostgreSQL puts them.
fn write_field(text: &[u8], out: &mut BytesMut) {
    let special = |b: &u8| matches!(b, b'"' | b'\\' | b'(' | b')' | b',' | b'\t'..=b'\r' | b' ');
    if !text.is_empty() && !text.iter().any(special) {
        return out.extend_from_slice(text);
    }
    out.put_u8(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(*byte);
        }
        out.put_u8(*byte);
    }
    out.put_u8(b'"');
}

/// The encoder of records in their send format: the number of fields, then the type, the length and the bytes of each.
pub(super) fn record_binary(fields: &Fields) -> Result<Box<dyn ColumnEncoder>> {
    let types = fields.iter().map(|field| pg_type_of(field)).collect();
    Ok(Box::new(RecordBinary { parts: Parts::new(fields, binary_encoder)?, types }))
}

struct RecordBinary {
    parts: Parts,
    types: Vec<PgType>,
}

impl ColumnEncoder for RecordBinary {
    fn bind(&mut self, array: &ArrayRef) -> Result<()> {
        self.parts.bind(array)
    }

    fn is_null(&self, row: usize) -> bool {
        self.parts.is_null(row)
    }

    fn write(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_i32(self.types.len() as i32);
        for (field, ty) in self.parts.fields.iter_mut().zip(&self.types) {
            out.put_u32(ty.oid);
            field.encode(row, out)?;
        }
        Ok(())
    }
}

/// The form of a `reg...` value in a result: its oid, which is its binary form, and its name, which is its text.
#[must_use]
pub fn named_oid() -> DataType {
    let fields = vec![Field::new("oid", DataType::UInt32, true), Field::new("name", DataType::Utf8View, true)];
    DataType::Struct(fields.into())
}

/// The encoder of one part of values of that form.
pub(super) fn oid_or_name(name: bool, options: &FormatOptions) -> Result<Box<dyn ColumnEncoder>> {
    let inner = if name {
        text_encoder(&field("name", PgType::TEXT, true), options)?
    } else {
        binary_encoder(&field("oid", PgType::OID, true))?
    };
    Ok(Box::new(Part { at: usize::from(name), inner }))
}

/// Writes one field of a struct.
struct Part {
    at: usize,
    inner: Box<dyn ColumnEncoder>,
}

impl ColumnEncoder for Part {
    fn bind(&mut self, array: &ArrayRef) -> Result<()> {
        let parts = array.as_struct_opt().and_then(|parts| parts.columns().get(self.at));
        self.inner.bind(parts.ok_or_else(|| unexpected(array.data_type()))?)
    }

    fn is_null(&self, row: usize) -> bool {
        self.inner.is_null(row)
    }

    fn write(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.inner.write(row, out)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int32Array, StringViewArray, UInt32Array};

    use super::*;
    use crate::types::row_text;

    #[test]
    fn records() {
        let fields = Fields::from(vec![field("a", PgType::INT4, true), field("b", PgType::TEXT, true)]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from(vec![Some(1), None])),
            Arc::new(StringViewArray::from(vec![Some("a \"\\b"), Some("")])),
        ];
        let array: ArrayRef = Arc::new(StructArray::new(fields.clone(), columns, None));
        let made = field("r", PgType::RECORD, true).with_data_type(DataType::Struct(fields));
        let text = |row| row_text(&made, &array, row, &FormatOptions::default()).unwrap().unwrap();
        assert_eq!([text(0), text(1)], ["(1,\"a \"\"\\\\b\")", "(,\"\")"]);
        let mut encoder = binary_encoder(&made).unwrap();
        encoder.bind(&array).unwrap();
        let mut out = BytesMut::new();
        encoder.write(1, &mut out).unwrap();
        assert_eq!(out, [2, 23, -1, 25, 0].map(|word: i32| word.to_be_bytes()).concat().as_slice());
    }

    #[test]
    fn names_as_text_and_oids_in_binary() {
        let DataType::Struct(fields) = named_oid() else { panic!("a struct") };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from(vec![Some(1259), None])),
            Arc::new(StringViewArray::from(vec![Some("pg_class"), None])),
        ];
        let array: ArrayRef = Arc::new(StructArray::new(fields, columns, None));
        let made = field("r", PgType::REGCLASS, true).with_data_type(named_oid());
        let text = |row| row_text(&made, &array, row, &FormatOptions::default()).unwrap();
        assert_eq!([text(0).as_deref(), text(1).as_deref()], [Some("pg_class"), None]);
        let mut encoder = binary_encoder(&made).unwrap();
        encoder.bind(&array).unwrap();
        let mut out = BytesMut::new();
        encoder.write(0, &mut out).unwrap();
        assert_eq!(out, 1259u32.to_be_bytes().as_slice());
    }
}
