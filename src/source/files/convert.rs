//! Arrow arrays as files hold them, made into the arrays that the column's PostgreSQL type is stored in. Nothing is rounded or cut.
//! Must not know: files, plans.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, IntervalMonthDayNanoArray, PrimitiveArray, StringViewBuilder,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date64Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    Field, IntervalDayTimeType, IntervalMonthDayNano, IntervalUnit, IntervalYearMonthType, Time64MicrosecondType,
    Time64NanosecondType, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType,
};
use bytes::BytesMut;

use crate::error::{Error, Result, SqlState};
use crate::types::{self, FormatOptions, PgType};

/// The extension types of Arrow that PostgreSQL has too.
const EXTENSION_NAME: &str = "ARROW:extension:name";

/// How a column gets from the file's type to its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Conversion {
    /// It has it already.
    Same,
    /// Arrow's cast keeps every value (or is an error).
    Cast,
    /// Nanoseconds, whole microseconds only.
    Nanoseconds,
    /// Milliseconds of `Date64`.
    Milliseconds,
    /// Durations and the shorter intervals.
    Interval,
    /// 16 bytes as a uuid's text.
    Uuid,
    /// The value's text form: arrays, structs and maps as JSON, odd decimals.
    Text,
}

/// The PostgreSQL type of a file's column; `None` where there is none.
pub(super) fn pg_type(field: &Field) -> Option<PgType> {
    let bare = Field::new(field.name(), without_metadata(field.data_type()), true);
    match field.metadata().get(EXTENSION_NAME).map(String::as_str) {
        Some("arrow.uuid") if *field.data_type() == DataType::FixedSizeBinary(16) => return Some(PgType::UUID),
        Some("arrow.json") if is_text(field.data_type()) => return Some(PgType::JSON),
        _ => {}
    }
    by_type(&bare)
}

fn by_type(field: &Field) -> Option<PgType> {
    match field.data_type() {
        DataType::Union(..) => None,
        DataType::Dictionary(_, value) => by_type(&Field::new(field.name(), (**value).clone(), true)),
        DataType::RunEndEncoded(_, value) => by_type(value),
        DataType::UInt64 => Some(PgType::numeric(20, 0)),
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => {
            let sound = *s >= 0 && s.unsigned_abs() <= *p;
            Some(if sound { PgType::numeric(u16::from(*p), i16::from(*s)) } else { PgType::NUMERIC })
        }
        _ => Some(types::pg_type_of(field)),
    }
}

/// Types in a file's own metadata are not to be trusted: a list's item could claim any oid.
fn without_metadata(data_type: &DataType) -> DataType {
    let bare = |field: &Arc<Field>| {
        Arc::new(Field::new(field.name(), without_metadata(field.data_type()), field.is_nullable()))
    };
    match data_type {
        DataType::List(item) => DataType::List(bare(item)),
        DataType::LargeList(item) => DataType::LargeList(bare(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(bare(item), *size),
        other => other.clone(),
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// The way from a file's type to a PostgreSQL type; `None` where values would be changed or there is none.
pub(super) fn plan(from: &Field, to: PgType) -> Option<Conversion> {
    let stored = types::storage(to);
    let source = from.data_type();
    if *source == stored {
        return Some(Conversion::Same);
    }
    if let DataType::Dictionary(_, value) = source {
        let inner = plan(&Field::new(from.name(), (**value).clone(), true), to)?;
        return match inner {
            Conversion::Same | Conversion::Cast => Some(Conversion::Cast),
            _ => None,
        };
    }
    if is_lossless(source, &stored) {
        return Some(Conversion::Cast);
    }
    match (source, &stored) {
        (DataType::Timestamp(TimeUnit::Nanosecond, a), DataType::Timestamp(TimeUnit::Microsecond, b))
            if a.is_some() == b.is_some() =>
        {
            Some(Conversion::Nanoseconds)
        }
        (DataType::Time64(TimeUnit::Nanosecond), DataType::Time64(TimeUnit::Microsecond)) => {
            Some(Conversion::Nanoseconds)
        }
        (DataType::Date64, DataType::Timestamp(TimeUnit::Microsecond, None)) => Some(Conversion::Milliseconds),
        (DataType::Duration(_) | DataType::Interval(_), DataType::Interval(IntervalUnit::MonthDayNano)) => {
            Some(Conversion::Interval)
        }
        (DataType::FixedSizeBinary(16), DataType::Utf8View) if to.bare() == PgType::UUID => Some(Conversion::Uuid),
        // What a file's column is by itself may be shown as its text where the type is stored as text.
        (_, DataType::Utf8View) if pg_type(from).is_some_and(|own| own.bare() == to.bare()) => Some(Conversion::Text),
        _ => None,
    }
}

fn is_lossless(from: &DataType, to: &DataType) -> bool {
    use DataType::{
        Binary, BinaryView, Date32, Decimal32, Decimal64, Decimal128, Decimal256, FixedSizeBinary, Float16, Float32,
        Float64, Int8, Int16, Int32, Int64, LargeBinary, LargeUtf8, Null, Time32, Time64, Timestamp, UInt8, UInt16,
        UInt32, UInt64, Utf8, Utf8View,
    };
    match (from, to) {
        (Null, _) => true,
        (Int8 | UInt8, Int16 | Int32 | Int64) | (Int16 | UInt16, Int32 | Int64) | (Int32 | UInt32, Int64) => true,
        (Float16, Float32 | Float64) | (Float32, Float64) => true,
        (Utf8 | LargeUtf8 | Utf8View, Utf8View) => true,
        (Binary | LargeBinary | BinaryView | FixedSizeBinary(_), Binary) => true,
        (UInt64, Decimal128(p, 0) | Decimal256(p, 0)) => *p >= 20,
        (Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32, Decimal128(p, s) | Decimal256(p, s)) => {
            i16::from(*p) - i16::from(*s) >= 19
        }
        (
            Decimal32(p, s) | Decimal64(p, s) | Decimal128(p, s) | Decimal256(p, s),
            Decimal128(q, t) | Decimal256(q, t),
        ) => t >= s && i16::from(*q) - i16::from(*t) >= i16::from(*p) - i16::from(*s),
        // Seconds and milliseconds to microseconds: out of range is an error of the cast.
        (Timestamp(unit, a), Timestamp(TimeUnit::Microsecond, b)) => {
            *unit != TimeUnit::Nanosecond && a.is_some() == b.is_some()
        }
        (Date32, Timestamp(TimeUnit::Microsecond, None)) => true,
        (Time32(_), Time64(TimeUnit::Microsecond)) => true,
        _ => false,
    }
}

/// Converts an array.
///
/// # Errors
/// `22008` for a time that is finer than a microsecond or out of range, `22003` for a number out of range.
pub(super) fn convert(array: &ArrayRef, from: &Field, to: PgType, conversion: &Conversion) -> Result<ArrayRef> {
    let stored = types::storage(to);
    match conversion {
        Conversion::Same => Ok(Arc::clone(array)),
        Conversion::Cast => cast(array, &stored),
        Conversion::Nanoseconds => match array.data_type() {
            DataType::Time64(_) => whole_micros::<Time64NanosecondType, Time64MicrosecondType>(array)
                .map(|times| Arc::new(times) as ArrayRef),
            _ => {
                let micros = whole_micros::<TimestampNanosecondType, TimestampMicrosecondType>(array)?;
                Ok(Arc::new(micros.with_data_type(stored)))
            }
        },
        Conversion::Milliseconds => {
            let micros: PrimitiveArray<TimestampMicrosecondType> = primitive::<Date64Type>(array)?
                .try_unary(|millis| millis.checked_mul(1000).ok_or_else(out_of_range))?;
            Ok(Arc::new(micros))
        }
        Conversion::Interval => interval(array),
        Conversion::Uuid => uuid(array),
        Conversion::Text => text(array, from),
    }
}

fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, to, &options).map_err(|e| {
        let state = match to {
            DataType::Timestamp(..) | DataType::Time64(_) => SqlState::DATETIME_FIELD_OVERFLOW,
            _ => SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        };
        Error::source_fault(state, "a value of the file is out of range").with_cause(e)
    })
}

fn primitive<T: ArrowPrimitiveType>(array: &ArrayRef) -> Result<&PrimitiveArray<T>> {
    array.as_primitive_opt::<T>().ok_or_else(|| Error::internal("a file's array is not of the type of its schema"))
}

fn out_of_range() -> Error {
    Error::source_fault(SqlState::DATETIME_FIELD_OVERFLOW, "a date or time of the file is out of range")
}

fn whole_micros<F, T>(array: &ArrayRef) -> Result<PrimitiveArray<T>>
where
    F: ArrowPrimitiveType<Native = i64>,
    T: ArrowPrimitiveType<Native = i64>,
{
    primitive::<F>(array)?.try_unary(|nanos| {
        if nanos % 1000 == 0 {
            return Ok(nanos / 1000);
        }
        Err(Error::source_fault(SqlState::DATETIME_FIELD_OVERFLOW, "a time of the file is finer than a microsecond")
            .with_detail("PostgreSQL's times have microseconds; the value is refused rather than rounded."))
    })
}

fn interval(array: &ArrayRef) -> Result<ArrayRef> {
    let from_nanos =
        |nanos: Option<i64>| nanos.map(|nanos| IntervalMonthDayNano::new(0, 0, nanos)).ok_or_else(out_of_range);
    let intervals: IntervalMonthDayNanoArray = match array.data_type() {
        DataType::Duration(TimeUnit::Second) => {
            primitive::<DurationSecondType>(array)?.try_unary(|n| from_nanos(n.checked_mul(1_000_000_000)))?
        }
        DataType::Duration(TimeUnit::Millisecond) => {
            primitive::<DurationMillisecondType>(array)?.try_unary(|n| from_nanos(n.checked_mul(1_000_000)))?
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            primitive::<DurationMicrosecondType>(array)?.try_unary(|n| from_nanos(n.checked_mul(1000)))?
        }
        DataType::Duration(TimeUnit::Nanosecond) => {
            primitive::<DurationNanosecondType>(array)?.try_unary(|n| from_nanos((n % 1000 == 0).then_some(n)))?
        }
        DataType::Interval(IntervalUnit::YearMonth) => {
            primitive::<IntervalYearMonthType>(array)?.unary(|months| IntervalMonthDayNano::new(months, 0, 0))
        }
        _ => primitive::<IntervalDayTimeType>(array)?
            .unary(|value| IntervalMonthDayNano::new(0, value.days, i64::from(value.milliseconds) * 1_000_000)),
    };
    Ok(Arc::new(intervals))
}

fn uuid(array: &ArrayRef) -> Result<ArrayRef> {
    let bytes = array
        .as_fixed_size_binary_opt()
        .ok_or_else(|| Error::internal("a file's array is not of the type of its schema"))?;
    let mut builder = StringViewBuilder::with_capacity(bytes.len());
    for value in bytes {
        match value.map(uuid::Uuid::from_slice) {
            None => builder.append_null(),
            Some(Ok(uuid)) => builder.append_value(uuid.hyphenated().to_string()),
            Some(Err(e)) => return Err(Error::internal("a uuid has not 16 bytes").with_cause(e)),
        }
    }
    Ok(Arc::new(builder.finish()))
}

fn text(array: &ArrayRef, from: &Field) -> Result<ArrayRef> {
    let field = Field::new(from.name(), without_metadata(from.data_type()), true);
    let mut encoder = types::text_encoder(&field, &FormatOptions::default())?;
    encoder.bind(array)?;
    let mut builder = StringViewBuilder::with_capacity(array.len());
    let mut bytes = BytesMut::new();
    for row in 0..array.len() {
        if encoder.is_null(row) {
            builder.append_null();
            continue;
        }
        bytes.clear();
        encoder.write(row, &mut bytes)?;
        let text =
            std::str::from_utf8(&bytes).map_err(|e| Error::internal("a text form is not UTF-8").with_cause(e))?;
        builder.append_value(text);
    }
    Ok(Arc::new(builder.finish()))
}

/// The type that holds the values of both: the wider of two, or `None`.
pub(super) fn widen(a: PgType, b: PgType) -> Option<PgType> {
    const WHOLE: [PgType; 3] = [PgType::INT2, PgType::INT4, PgType::INT8];
    if a == b {
        return Some(a);
    }
    let whole = |ty: PgType| WHOLE.iter().position(|known| *known == ty);
    if let (Some(x), Some(y)) = (whole(a), whole(b)) {
        return WHOLE.get(x.max(y)).copied();
    }
    match (a.precision_scale(), b.precision_scale()) {
        (Some((p, s)), Some((q, t))) => {
            let scale = s.max(t);
            let before = (i32::from(p) - i32::from(s)).max(i32::from(q) - i32::from(t));
            let precision = u16::try_from(before + i32::from(scale)).ok().filter(|precision| *precision <= 76)?;
            Some(PgType::numeric(precision, scale))
        }
        _ if matches!((a, b), (PgType::FLOAT4, PgType::FLOAT8) | (PgType::FLOAT8, PgType::FLOAT4)) => {
            Some(PgType::FLOAT8)
        }
        _ => None,
    }
}
