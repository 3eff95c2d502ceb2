//! The binary form of every value: what PostgreSQL's send functions write.
//! Must not know: the wire, text options (the binary form has none).

pub(crate) mod array;
pub(crate) mod geometry;
pub(crate) mod input;
pub(crate) mod numeric;
pub(crate) mod range;
pub(crate) mod scalar;
pub(crate) mod search;

use std::sync::Arc;

use ::bytes::{BufMut, BytesMut};
use arrow::array::{
    BooleanArray, Date32Array, Decimal128Array, Decimal256Array, Float32Array, Float64Array, Int16Array, Int32Array,
    Int64Array, IntervalMonthDayNanoArray, Time64MicrosecondArray, TimestampMicrosecondArray, UInt32Array,
};
use arrow::datatypes::{DataType, Field};

use super::canonical::{canonical, is_oid_kind};
use super::encoder::{
    ByteValues, ColumnEncoder, Converted, TextValues, casting, exact_leaf, fixed, leaf, shared, short, verbatim,
};
use super::format::FormatOptions;
use super::forms::{is_sent_as_text, sender};
use super::pg_type::PgType;
use super::record::{oid_or_name, record_binary};
use super::storage::pg_type_of;
use super::text::{is_nested, json, no_form, retyped, to_interval};
use crate::error::{Error, Result, SqlState};

/// The encoder that writes a column's binary form.
///
/// # Errors
/// `42883` for a type without a binary form, `0A000` for one whose binary form is not known here (it is never sent as
/// text instead), `XX000` when its array cannot be
/// what its field says.
pub fn binary_encoder(field: &Field) -> Result<Box<dyn ColumnEncoder>> {
    let pg = pg_type_of(field);
    if matches!(pg.oid, 114 | 3802) && is_nested(field.data_type()) {
        return json_text(field, pg);
    }
    let plan = canonical(pg, field.data_type());
    let inner = match &plan.arrow {
        DataType::List(item) => list_encoder(pg, item)?,
        DataType::Struct(_) if is_oid_kind(pg) => oid_or_name(false, &FormatOptions::default())?,
        DataType::Struct(fields) if pg.is_record() => record_binary(fields)?,
        DataType::Struct(_) | DataType::Map(..) => return json_text(field, pg),
        other => scalar_encoder(pg, other)?,
    };
    plan.before(pg, field.data_type(), inner)
}

/// The error for a type that has no binary form: PostgreSQL's where it has none either.
#[cold]
pub(crate) fn no_output(pg: PgType) -> Error {
    let message = format!("no binary output function available for type {}", pg.bare().display_name());
    if pg.row().is_some_and(|row| !row.has_send) {
        return Error::client(SqlState::UNDEFINED_FUNCTION, message);
    }
    Error::unsupported(message)
}

/// Structs and the like are JSON, whose binary form is its text (with a version before it for jsonb).
fn json_text(field: &Field, pg: PgType) -> Result<Box<dyn ColumnEncoder>> {
    let inner = json::json_encoder(field, &FormatOptions::default())?;
    if pg.oid == PgType::JSONB.oid {
        return Ok(Box::new(Versioned { inner }));
    }
    Ok(inner)
}

/// jsonb's version byte before the text.
struct Versioned {
    inner: Box<dyn ColumnEncoder>,
}

impl ColumnEncoder for Versioned {
    fn bind(&mut self, array: &arrow::array::ArrayRef) -> Result<()> {
        self.inner.bind(array)
    }
    fn is_null(&self, row: usize) -> bool {
        self.inner.is_null(row)
    }
    fn write(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_u8(1);
        self.inner.write(row, out)
    }
}

fn list_encoder(pg: PgType, item: &Arc<Field>) -> Result<Box<dyn ColumnEncoder>> {
    let element = pg.element().unwrap_or_else(|| {
        let own = pg_type_of(item);
        own.element().unwrap_or(own)
    });
    let found = DataType::List(item.clone());
    let plain = plain_lists(&found);
    let (mut depth, mut innermost) = (0, Arc::new(Field::new("item", plain.clone(), true)));
    while let DataType::List(inner) = innermost.data_type() {
        innermost = inner.clone();
        depth += 1;
    }
    let inner = binary_encoder(&retyped(&innermost, element))?;
    let encoder: Box<dyn ColumnEncoder> = Box::new(array::ListBinary::new(element, depth, inner)?);
    if found == plain { Ok(encoder) } else { casting(&found, plain, pg, encoder) }
}

/// The type with lists of every layout, at every depth, as plain lists.
fn plain_lists(arrow: &DataType) -> DataType {
    match arrow {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => {
            let inner = plain_lists(item.data_type());
            DataType::List(Arc::new(item.as_ref().clone().with_data_type(inner)))
        }
        other => other.clone(),
    }
}

fn scalar_encoder(pg: PgType, arrow: &DataType) -> Result<Box<dyn ColumnEncoder>> {
    Ok(match arrow {
        DataType::Boolean => fixed::<BooleanArray, 1, _>(|v| Ok([u8::from(v)])),
        DataType::Int16 => fixed::<Int16Array, 2, _>(|v| Ok(v.to_be_bytes())),
        DataType::Int32 => fixed::<Int32Array, 4, _>(|v| Ok(v.to_be_bytes())),
        DataType::Int64 => fixed::<Int64Array, 8, _>(|v| Ok(v.to_be_bytes())),
        DataType::UInt32 => fixed::<UInt32Array, 4, _>(|v| Ok(v.to_be_bytes())),
        DataType::Float32 => fixed::<Float32Array, 4, _>(|v| Ok(v.to_be_bytes())),
        DataType::Float64 => fixed::<Float64Array, 8, _>(|v| Ok(v.to_be_bytes())),
        DataType::Decimal128(_, scale) => {
            let scale = i32::from(*scale);
            short::<Decimal128Array, 128, _>(Some(arrow), move |v, line| {
                numeric::line_128(v, scale, line);
            })
        }
        DataType::Decimal256(_, scale) => {
            let scale = i32::from(*scale);
            exact_leaf::<Decimal256Array, _>(arrow, move |v, out| {
                numeric::send_256(v, scale, out);
                Ok(())
            })
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View if is_sent_as_text(pg) => verbatim(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let send = sender(pg).ok_or_else(|| no_output(pg))?;
            leaf::<TextValues, _>(move |v, out| send(v, out))
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            leaf::<ByteValues, _>(|v, out| {
                out.extend_from_slice(v);
                Ok(())
            })
        }
        DataType::Date32 => fixed::<Date32Array, 4, _>(|v| scalar::sent_date(v).map(i32::to_be_bytes)),
        DataType::Time64(_) => fixed::<Time64MicrosecondArray, 8, _>(|v| Ok(v.to_be_bytes())),
        DataType::Timestamp(..) => {
            fixed::<TimestampMicrosecondArray, 8, _>(|v| scalar::sent_timestamp(v).map(i64::to_be_bytes))
        }
        DataType::Interval(_) => {
            fixed::<IntervalMonthDayNanoArray, 16, _>(|v| Ok(scalar::interval_bytes(to_interval(v))))
        }
        other => return Err(no_form(other)),
    })
    .and_then(|encoder| as_declared(pg, arrow, encoder))
}

/// Values whose Arrow type is not the one the declared type is held in: text types get their text, the rest is
/// refused, so that the
/// bytes always are what the row description says.
fn as_declared(pg: PgType, arrow: &DataType, encoder: Box<dyn ColumnEncoder>) -> Result<Box<dyn ColumnEncoder>> {
    let own = match arrow {
        DataType::UInt32 => is_oid_kind(pg),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::FixedSizeBinary(16) if pg.oid == PgType::UUID.oid => true,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            pg.oid == PgType::BYTEA.oid
        }
        _ => super::storage::storage(pg) != DataType::Utf8View || pg.oid == PgType::NUMERIC.oid,
    };
    if own {
        return Ok(encoder);
    }
    if !pg.is_textual() {
        return Err(no_output(pg));
    }
    // A column declared text whose array is of another kind: its text, as in the text form.
    let text = super::text::text_encoder(&Field::new("", arrow.clone(), true), &FormatOptions::default())?;
    Ok(Box::new(Converted { convert: Box::new(|array| Ok(shared(array.clone()))), inner: text }))
}
