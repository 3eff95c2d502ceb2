//! Structs, maps and lists of the engine as JSON, and JSON's strings.
//! Must not know: how JSON is read.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray};
use arrow::datatypes::{DataType, Field};
use bytes::{BufMut, BytesMut};

use super::datetime::{ZoneClock, write_json_timestamp};
use super::list::range;
use crate::error::{Error, Result};
use crate::types::canonical::canonical;
use crate::types::encoder::{ColumnEncoder, TextValues, leaf, unexpected};
use crate::types::format::{DateStyle, FormatOptions};
use crate::types::pg_type::PgType;
use crate::types::storage::pg_type_of;

/// Nesting beyond this is refused rather than followed.
const MAX_DEPTH: usize = 64;

/// An encoder that writes each value of a field as JSON. Dates are in ISO's form in JSON, whatever the session's style.
pub(crate) fn json_encoder(field: &Field, options: &FormatOptions) -> Result<Box<dyn ColumnEncoder>> {
    nested(field, &FormatOptions { date_style: DateStyle::default(), ..options.clone() }, 0)
}

fn nested(field: &Field, options: &FormatOptions, depth: usize) -> Result<Box<dyn ColumnEncoder>> {
    if depth > MAX_DEPTH {
        return Err(Error::unsupported("nested types deeper than 64 levels are not supported"));
    }
    let pg = pg_type_of(field);
    let plan = canonical(pg, field.data_type());
    let inner: Box<dyn ColumnEncoder> = match &plan.arrow {
        DataType::Struct(fields) => {
            let names = fields.iter().map(|f| quoted(f.name())).collect();
            let values = fields.iter().map(|f| nested(f, options, depth + 1)).collect::<Result<_>>()?;
            Box::new(StructJson { array: None, names, values })
        }
        DataType::Map(entries, _) => Box::new(MapJson::new(entries, options, depth)?),
        DataType::List(item) => Box::new(ListJson { array: None, element: nested(item, options, depth + 1)? }),
        DataType::Timestamp(_, zone) => {
            let mut clock =
                (zone.is_some() || pg == PgType::TIMESTAMPTZ).then(|| ZoneClock::new(options.time_zone.clone()));
            leaf::<arrow::array::TimestampMicrosecondArray, _>(move |usecs, out| {
                out.put_u8(b'"');
                write_json_timestamp(usecs, clock.as_mut(), out);
                out.put_u8(b'"');
                Ok(())
            })
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View if pg.category() == 'S' || is_json(pg) => {
            match pg.oid {
                // JSON within JSON stays JSON.
                114 | 3802 => leaf::<TextValues, _>(|text, out| {
                    out.extend_from_slice(text.as_bytes());
                    Ok(())
                }),
                _ => leaf::<TextValues, _>(|text, out| {
                    write_string(text.as_bytes(), out);
                    Ok(())
                }),
            }
        }
        _ => Box::new(ScalarJson::new(super::text_encoder(field, options)?, pg)),
    };
    // A scalar's own encoder brings its own conversion.
    match &plan.arrow {
        DataType::Struct(_) | DataType::Map(..) | DataType::List(_) | DataType::Timestamp(..) => {
            plan.before(pg, field.data_type(), inner)
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View if pg.category() == 'S' || is_json(pg) => {
            plan.before(pg, field.data_type(), inner)
        }
        _ => Ok(inner),
    }
}

fn is_json(pg: PgType) -> bool {
    matches!(pg.oid, 114 | 3802)
}

fn quoted(text: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    write_string(text.as_bytes(), &mut out);
    out.to_vec()
}

/// Appends text as a JSON string, escaped as PostgreSQL does it.
pub(crate) fn write_string(text: &[u8], out: &mut BytesMut) {
    out.reserve(text.len() + 2);
    out.put_u8(b'"');
    for byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0..=0x1f => {
                out.extend_from_slice(b"\\u00");
                super::bytes::write_hex(&[*byte], out);
            }
            _ => out.put_u8(*byte),
        }
    }
    out.put_u8(b'"');
}

/// A scalar: numbers and booleans as they are, everything else as a string of its text.
struct ScalarJson {
    inner: Box<dyn ColumnEncoder>,
    number: bool,
    boolean: bool,
    scratch: BytesMut,
}

impl ScalarJson {
    fn new(inner: Box<dyn ColumnEncoder>, pg: PgType) -> ScalarJson {
        ScalarJson {
            inner,
            number: matches!(pg.oid, 20 | 21 | 23 | 700 | 701 | 1700),
            boolean: pg == PgType::BOOL,
            scratch: BytesMut::new(),
        }
    }
}

impl ColumnEncoder for ScalarJson {
    fn bind(&mut self, array: &ArrayRef) -> Result<()> {
        self.inner.bind(array)
    }
    fn is_null(&self, row: usize) -> bool {
        self.inner.is_null(row)
    }
    fn write(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.scratch.clear();
        self.inner.write(row, &mut self.scratch)?;
        if self.boolean {
            out.extend_from_slice(if self.scratch.starts_with(b"t") { b"true" } else { b"false" });
        } else if self.number && self.scratch.last().is_some_and(u8::is_ascii_digit) {
            out.extend_from_slice(&self.scratch);
        } else {
            write_string(&self.scratch, out);
        }
        Ok(())
    }
}

fn write_or_null(encoder: &mut dyn ColumnEncoder, row: usize, out: &mut BytesMut) -> Result<()> {
    if encoder.is_null(row) {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    encoder.write(row, out)
}

fn unbound() -> Error {
    Error::internal("an encoder was asked for a row before it had a batch")
}

struct StructJson {
    array: Option<StructArray>,
    names: Vec<Vec<u8>>,
    values: Vec<Box<dyn ColumnEncoder>>,
}

impl ColumnEncoder for StructJson {
    fn bind(&mut self, array: &ArrayRef) -> Result<()> {
        let found = array.as_struct_opt().ok_or_else(|| unexpected(array.data_type()))?;
        for (encoder, column) in self.values.iter_mut().zip(found.columns()) {
            encoder.bind(column)?;
        }
        self.array = Some(found.clone());
        Ok(())
    }
    fn is_null(&self, row: usize) -> bool {
        self.array.as_ref().is_none_or(|array| row >= array.len() || array.is_null(row))
    }
    fn write(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_u8(b'{');
        for (at, (name, encoder)) in self.names.iter().zip(&mut self.values).enumerate() {
            if at > 0 {
                out.put_u8(b',');
            }
            out.extend_from_slice(name);
            out.put_u8(b':');
            write_or_null(encoder.as_mut(), row, out)?;
        }
        out.put_u8(b'}');
        Ok(())
    }
}

struct ListJson {
    array: Option<ListArray>,
    element: Box<dyn ColumnEncoder>,
}

impl ColumnEncoder for ListJson {
    fn bind(&mut self, array: &ArrayRef) -> Result<()> {
        let list = array.as_list_opt::<i32>().ok_or_else(|| unexpected(array.data_type()))?.clone();
        self.element.bind(list.values())?;
        self.array = Some(list);
        Ok(())
    }
    fn is_null(&self, row: usize) -> bool {
        self.array.as_ref().is_none_or(|array| row >= array.len() || array.is_null(row))
    }
    fn write(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        let (start, end) = range(self.array.as_ref().ok_or_else(unbound)?, row);
        out.put_u8(b'[');
        for at in start..end {
            if at > start {
                out.put_u8(b',');
            }
            write_or_null(self.element.as_mut(), at, out)?;
        }
        out.put_u8(b']');
        Ok(())
    }
}

struct MapJson {
    array: Option<MapArray>,
    key: Box<dyn ColumnEncoder>,
    value: Box<dyn ColumnEncoder>,
    scratch: BytesMut,
}

impl MapJson {
    fn new(entries: &Arc<Field>, options: &FormatOptions, depth: usize) -> Result<MapJson> {
        let DataType::Struct(fields) = entries.data_type() else { return Err(unexpected(entries.data_type())) };
        let [key, value] = &fields[..] else { return Err(unexpected(entries.data_type())) };
        Ok(MapJson {
            array: None,
            // Keys of JSON are strings, whatever they were.
            key: super::text_encoder(key, options)?,
            value: nested(value, options, depth + 1)?,
            scratch: BytesMut::new(),
        })
    }
}

impl ColumnEncoder for MapJson {
    fn bind(&mut self, array: &ArrayRef) -> Result<()> {
        let map = array.as_map_opt().ok_or_else(|| unexpected(array.data_type()))?.clone();
        self.key.bind(map.keys())?;
        self.value.bind(map.values())?;
        self.array = Some(map);
        Ok(())
    }
    fn is_null(&self, row: usize) -> bool {
        self.array.as_ref().is_none_or(|array| row >= array.len() || array.is_null(row))
    }
    fn write(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        let offsets = self.array.as_ref().ok_or_else(unbound)?.value_offsets();
        let at = |index: usize| offsets.get(index).map_or(0, |offset| *offset as usize);
        let (start, end) = (at(row), at(row + 1));
        out.put_u8(b'{');
        for entry in start..end {
            if entry > start {
                out.put_u8(b',');
            }
            self.scratch.clear();
            self.key.write(entry, &mut self.scratch)?;
            write_string(&self.scratch, out);
            out.put_u8(b':');
            write_or_null(self.value.as_mut(), entry, out)?;
        }
        out.put_u8(b'}');
        Ok(())
    }
}
