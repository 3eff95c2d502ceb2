//! The text form of every value: what PostgreSQL's output functions write.
//! Must not know: the wire, sessions beyond their format options.

pub(crate) mod bytes;
pub(crate) mod datetime;
pub(crate) mod decimal;
pub(crate) mod float;
pub(crate) mod interval;
pub(crate) mod json;
pub(crate) mod line;
pub(crate) mod list;
mod powers;
mod shortest;

use ::bytes::{BufMut, BytesMut};
use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Decimal256Array, Float32Array, Float64Array, Int16Array,
    Int32Array, Int64Array, IntervalMonthDayNanoArray, Time64MicrosecondArray, TimestampMicrosecondArray, UInt32Array,
};
use arrow::datatypes::{DataType, Field, IntervalMonthDayNano};

use self::datetime::ZoneClock;
use self::interval::Interval;
use self::line::write_int;
use super::canonical::{canonical, is_oid_kind};
use super::encoder::{ByteValues, ColumnEncoder, TextValues, exact_leaf, fixed, leaf, short, unexpected, verbatim};
use super::format::FormatOptions;
use super::held_text::restyled;
use super::pg_type::PgType;
use super::record::{oid_or_name, record_text};
use super::storage::pg_type_of;
use crate::error::{Error, Result};

/// The encoder that writes a column's text form under these options.
///
/// # Errors
/// `0A000` when the column's Arrow type has no PostgreSQL form, `XX000` when its array cannot be what its field says.
pub fn text_encoder(field: &Field, options: &FormatOptions) -> Result<Box<dyn ColumnEncoder>> {
    let pg = pg_type_of(field);
    if matches!(pg.oid, 114 | 3802) && is_nested(field.data_type()) {
        return json::json_encoder(field, options);
    }
    let plan = canonical(pg, field.data_type());
    let inner = match &plan.arrow {
        DataType::List(item) => list_encoder(pg, item, options)?,
        DataType::Struct(_) if is_oid_kind(pg) => oid_or_name(true, options)?,
        DataType::Struct(fields) if pg.is_record() => record_text(fields, options)?,
        DataType::Struct(_) | DataType::Map(..) => return json::json_encoder(field, options),
        other => scalar_encoder(pg, other, options)?,
    };
    plan.before(pg, field.data_type(), inner)
}

/// Whether an Arrow type has parts.
pub(crate) fn is_nested(arrow: &DataType) -> bool {
    matches!(
        arrow,
        DataType::Struct(_)
            | DataType::Map(..)
            | DataType::List(_)
            | DataType::LargeList(_)
            | DataType::FixedSizeList(..)
            | DataType::ListView(_)
            | DataType::LargeListView(_)
    )
}

/// The text of one value; None for NULL. For COPY, EXPLAIN and messages: a result's rows have an encoder of their own.
///
/// # Errors
/// Those of [`text_encoder`] and of the encoder.
pub fn row_text(field: &Field, array: &ArrayRef, row: usize, options: &FormatOptions) -> Result<Option<String>> {
    let mut encoder = text_encoder(field, options)?;
    encoder.bind(array)?;
    if encoder.is_null(row) {
        return Ok(None);
    }
    let mut out = BytesMut::new();
    encoder.write(row, &mut out)?;
    String::from_utf8(out.to_vec()).map(Some).map_err(|_| Error::internal("an encoder wrote text that is not UTF-8"))
}

fn list_encoder(pg: PgType, item: &Field, options: &FormatOptions) -> Result<Box<dyn ColumnEncoder>> {
    let nested = is_nested(item.data_type()) && !matches!(item.data_type(), DataType::Struct(_) | DataType::Map(..));
    let element = if nested { pg } else { pg.element().unwrap_or_else(|| pg_type_of(item)) };
    let typed = retyped(item, element);
    // Numbers and booleans never need quotes; nor do lists within lists.
    let bare = nested || matches!(element.oid, 16 | 20 | 21 | 23 | 26 | 700 | 701 | 1700 | 1082);
    let bare = bare && (element.oid != 1082 || options.date_style.format == super::format::DateFormat::Iso);
    let delimiter = element.row().map_or(b',', |row| row.delimiter);
    // A date before Christ has a blank in it.
    let bare = bare && element.oid != 1082;
    Ok(Box::new(list::ListText::new(text_encoder(&typed, options)?, bare, delimiter)))
}

/// The field of a list's items with the type that the list's own type gives them.
pub(crate) fn retyped(item: &Field, element: PgType) -> Field {
    let mut metadata = item.metadata().clone();
    metadata.insert(super::storage::META_OID.to_owned(), element.oid.to_string());
    metadata.insert(super::storage::META_TYPMOD.to_owned(), element.typmod.to_string());
    item.clone().with_metadata(metadata)
}

fn scalar_encoder(pg: PgType, arrow: &DataType, options: &FormatOptions) -> Result<Box<dyn ColumnEncoder>> {
    let style = options.date_style;
    let digits = options.extra_float_digits;
    Ok(match arrow {
        DataType::Boolean => fixed::<BooleanArray, 1, _>(|v| Ok([if v { b't' } else { b'f' }])),
        DataType::Int16 => short::<Int16Array, 24, _>(None, |v, line| {
            line.int(i64::from(v));
        }),
        DataType::Int32 => short::<Int32Array, 24, _>(None, |v, line| {
            line.int(i64::from(v));
        }),
        DataType::Int64 => short::<Int64Array, 24, _>(None, |v, line| {
            line.int(v);
        }),
        DataType::UInt32 => oid_encoder(pg),
        DataType::Float32 => leaf::<Float32Array, _>(move |v, out| {
            float::write_float(v, digits, out);
            Ok(())
        }),
        DataType::Float64 => leaf::<Float64Array, _>(move |v, out| {
            float::write_float(v, digits, out);
            Ok(())
        }),
        DataType::Decimal128(_, scale) => {
            let scale = i32::from(*scale);
            short::<Decimal128Array, 96, _>(Some(arrow), move |v, line| {
                decimal::line_128(v, scale, line);
            })
        }
        DataType::Decimal256(_, scale) => {
            let scale = i32::from(*scale);
            exact_leaf::<Decimal256Array, _>(arrow, move |v, out| {
                decimal::write_256(v, scale, out);
                Ok(())
            })
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => string_encoder(pg, options),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            bytes_encoder(pg, options)
        }
        DataType::Date32 => short::<Date32Array, 80, _>(None, move |v, line| {
            datetime::date_line(v, style, line);
        }),
        DataType::Time64(_) => short::<Time64MicrosecondArray, 80, _>(None, |v, line| {
            datetime::time_line(v, line);
        }),
        DataType::Timestamp(_, zone) if pg == PgType::TIMESTAMPTZ.bare() || zoned(pg, zone.is_some()) => {
            let mut clock = ZoneClock::new(options.time_zone.clone());
            short::<TimestampMicrosecondArray, 80, _>(None, move |v, line| {
                clock.line(v, style, line);
            })
        }
        DataType::Timestamp(..) => short::<TimestampMicrosecondArray, 80, _>(None, move |v, line| {
            datetime::timestamp_line(v, style, line);
        }),
        DataType::Interval(_) => {
            let interval_style = options.interval_style;
            leaf::<IntervalMonthDayNanoArray, _>(move |v, out| {
                interval::write_interval(to_interval(v), interval_style, out);
                Ok(())
            })
        }
        other => return Err(no_form(other)),
    })
}

/// Whether a timestamp array is of the type with time zone: the declared type says so, and Arrow's only where there
/// is none.
pub(crate) fn zoned(pg: PgType, arrow_zone: bool) -> bool {
    pg.oid == PgType::TIMESTAMPTZ.oid || (arrow_zone && pg.oid != PgType::TIMESTAMP.oid)
}

/// The error for an Arrow type that stands for no PostgreSQL type.
pub(crate) fn no_form(arrow: &DataType) -> Error {
    match arrow {
        DataType::Union(..) => Error::unsupported(format!("values of Arrow type {arrow} are not supported")),
        other => unexpected(other),
    }
}

/// PostgreSQL's interval: Arrow's nanoseconds rounded to microseconds.
pub(crate) fn to_interval(value: IntervalMonthDayNano) -> Interval {
    let (whole, rest) = (value.nanoseconds / 1000, value.nanoseconds % 1000);
    let rounded = whole + if rest.abs() >= 500 { rest.signum() } else { 0 };
    Interval { months: value.months, days: value.days, usecs: rounded }
}

fn oid_encoder(pg: PgType) -> Box<dyn ColumnEncoder> {
    match pg.oid {
        2206 => leaf::<UInt32Array, _>(|v, out| {
            match PgType::new(v).display_name().as_str() {
                "???" => write_int(i64::from(v), out),
                name => out.extend_from_slice(name.as_bytes()),
            }
            Ok(())
        }),
        // Of the other reg* types only the oid is known here: PostgreSQL writes that too where there is no name.
        24 | 2202..=2205 | 3734 | 3769 | 4089 | 4096 | 4191 => leaf::<UInt32Array, _>(|v, out| {
            if v == 0 {
                out.put_u8(b'-');
            } else {
                write_int(i64::from(v), out);
            }
            Ok(())
        }),
        _ => leaf::<UInt32Array, _>(|v, out| {
            write_int(i64::from(v), out);
            Ok(())
        }),
    }
}

fn string_encoder(pg: PgType, options: &FormatOptions) -> Box<dyn ColumnEncoder> {
    match restyled(pg, options) {
        Some(mut restyle) => leaf::<TextValues, _>(move |v, out| restyle(v, out)),
        None => verbatim(),
    }
}

fn bytes_encoder(pg: PgType, options: &FormatOptions) -> Box<dyn ColumnEncoder> {
    if pg.oid == PgType::UUID.oid {
        return leaf::<ByteValues, _>(|v, out| {
            bytes::write_uuid(v, out);
            Ok(())
        });
    }
    let form = options.bytea_output;
    leaf::<ByteValues, _>(move |v, out| {
        bytes::write_bytea(v, form, out);
        Ok(())
    })
}
