//! Column builders: Arrow arrays from PostgreSQL's binary form (a source's COPY, a binary parameter) and from text.
//! Must not know: where the bytes come from.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Decimal256Builder, Float32Builder,
    Float64Builder, Int16Builder, Int32Builder, Int64Builder, IntervalMonthDayNanoBuilder, StringViewBuilder,
    Time64MicrosecondBuilder, TimestampMicrosecondBuilder, UInt32Builder,
};
use arrow::datatypes::{DataType, IntervalMonthDayNano};
use bytes::BytesMut;

use super::binary::input::{Input, exact, no_data};
use super::binary::scalar;
use super::format::FormatOptions;
use super::held_text::write_canonical;
use super::input::number::{parse_bool, parse_f32, parse_f64, parse_i16, parse_i32, parse_i64, parse_oid};
use super::input::{bits, datetime, interval};
use super::numeric::Numeric;
use super::pg_type::PgType;
use super::read_decimal::{decimal128_from_binary, decimal128_from_text, decimal256_from_binary};
use super::receive::{OwnedReceive, receiver, utf8};
use super::storage::storage;
use super::text::interval::Interval;
use crate::error::{Error, Result, SqlState};

/// Whether values of a type can be read from PostgreSQL's binary form. Where not, a source must cast the column to
/// text.
#[must_use]
pub fn binary_readable(oid: u32) -> bool {
    let pg = PgType::new(oid);
    storage(pg) != DataType::Utf8View || receiver(pg).is_some()
}

/// How bytes become the text that a text column holds.
enum FromBinary {
    /// They are the text.
    Utf8,
    Through(OwnedReceive),
    Unknown,
}

enum Kind {
    Bool(BooleanBuilder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Oid(UInt32Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Decimal128(Decimal128Builder, u8, i8),
    Decimal256(Decimal256Builder, u8, i8),
    Bytes(BinaryBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Timestamptz(TimestampMicrosecondBuilder),
    Interval(IntervalMonthDayNanoBuilder),
    Text(StringViewBuilder, FromBinary),
}

/// Calls a method that all builders have.
macro_rules! each {
    ($kind:expr, $builder:ident => $call:expr) => {
        match $kind {
            Kind::Bool($builder) => $call,
            Kind::Int16($builder) => $call,
            Kind::Int32($builder) => $call,
            Kind::Int64($builder) => $call,
            Kind::Oid($builder) => $call,
            Kind::Float32($builder) => $call,
            Kind::Float64($builder) => $call,
            Kind::Decimal128($builder, ..) => $call,
            Kind::Decimal256($builder, ..) => $call,
            Kind::Bytes($builder) => $call,
            Kind::Date($builder) => $call,
            Kind::Time($builder) => $call,
            Kind::Timestamp($builder) | Kind::Timestamptz($builder) => $call,
            Kind::Interval($builder) => $call,
            Kind::Text($builder, _) => $call,
        }
    };
}

/// Builds one column in the storage of its type.
pub struct ColumnBuilder {
    pg: PgType,
    kind: Kind,
    len: usize,
    /// Bytes of text and bytea since the last `finish`.
    value_bytes: usize,
    scratch: BytesMut,
}

impl ColumnBuilder {
    /// A builder for a column of this type, with room for `capacity` rows.
    #[must_use]
    pub fn new(pg: PgType, capacity: usize) -> ColumnBuilder {
        ColumnBuilder { pg, kind: new_kind(pg, capacity), len: 0, value_bytes: 0, scratch: BytesMut::new() }
    }

    /// The type of the column.
    #[must_use]
    pub fn pg_type(&self) -> PgType {
        self.pg
    }

    /// Rows so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no rows yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of text and bytea so far (0 for other types): a batch of large values is better closed early.
    #[must_use]
    pub fn value_bytes(&self) -> usize {
        self.value_bytes
    }

    /// Counts a value's bytes; an array holds 2 GiB of them at most.
    #[inline]
    fn count(&mut self, bytes: usize) -> Result<()> {
        let total = self.value_bytes.saturating_add(bytes);
        if total > i32::MAX as usize {
            let message = "values of one batch exceed 2 GiB";
            return Err(Error::resource(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        self.value_bytes = total;
        Ok(())
    }

    /// Appends NULL.
    pub fn append_null(&mut self) {
        each!(&mut self.kind, builder => builder.append_null());
        self.len += 1;
    }

    /// Appends a value in PostgreSQL's send format, or NULL. After an error the column is as before.
    ///
    /// # Errors
    /// `22P03` for bytes that are no value of the type, `22021` for text that is not UTF-8, `22003` and `22008` for
    /// values that the
    /// storage cannot hold (NaN as a decimal, a timestamp after the year 294246), `0A000` for a type whose binary
    /// form is not known.
    #[inline]
    pub fn append_binary(&mut self, value: Option<&[u8]>) -> Result<()> {
        let Some(bytes) = value else {
            self.append_null();
            return Ok(());
        };
        if matches!(self.kind, Kind::Text(..) | Kind::Bytes(_)) {
            self.count(bytes.len())?;
        }
        match &mut self.kind {
            Kind::Int32(b) => b.append_value(i32::from_be_bytes(exact(bytes)?)),
            Kind::Int64(b) => b.append_value(i64::from_be_bytes(exact(bytes)?)),
            Kind::Float64(b) => b.append_value(f64::from_be_bytes(exact(bytes)?)),
            Kind::Decimal128(b, p, s) => b.append_value(decimal128_from_binary(bytes, *p, *s)?),
            Kind::Text(b, FromBinary::Utf8) => b.append_value(utf8(bytes)?),
            Kind::Date(b) => b.append_value(scalar::date(i32::from_be_bytes(exact(bytes)?))?),
            Kind::Timestamp(b) | Kind::Timestamptz(b) => {
                b.append_value(scalar::timestamp(i64::from_be_bytes(exact(bytes)?))?);
            }
            _ => self.append_other_binary(bytes)?,
        }
        self.len += 1;
        Ok(())
    }

    fn append_other_binary(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.kind {
            Kind::Bool(b) => match bytes {
                [] => return Err(no_data()),
                _ => b.append_value(exact::<1>(bytes)? != [0]),
            },
            Kind::Int16(b) => b.append_value(i16::from_be_bytes(exact(bytes)?)),
            Kind::Oid(b) => b.append_value(u32::from_be_bytes(exact(bytes)?)),
            Kind::Float32(b) => b.append_value(f32::from_be_bytes(exact(bytes)?)),
            Kind::Decimal256(b, p, s) => b.append_value(decimal256_from_binary(bytes, *p, *s)?),
            Kind::Bytes(b) => b.append_value(bytes),
            Kind::Time(b) => b.append_value(scalar::time(i64::from_be_bytes(exact(bytes)?))?),
            Kind::Interval(b) => {
                let sent: [u8; 16] = exact(bytes)?;
                let mut input = Input::new(&sent);
                b.append_value(to_arrow(scalar::receive_interval(&mut input)?)?);
            }
            Kind::Text(b, FromBinary::Through(receive)) => {
                self.scratch.clear();
                let mut input = Input::new(bytes);
                receive(&mut input, &mut self.scratch)?;
                input.end()?;
                b.append_value(utf8(&self.scratch)?);
            }
            _ => {
                let message = format!("no binary input function available for type {}", self.pg.display_name());
                return Err(Error::unsupported(message));
            }
        }
        Ok(())
    }

    /// Appends a text that a source of PostgreSQL's kind wrote under the default options, or NULL: text columns take it as
    /// it is.
    ///
    /// # Errors
    /// Those of [`ColumnBuilder::append_text`].
    pub fn append_held(&mut self, value: Option<&str>) -> Result<()> {
        match (&mut self.kind, value) {
            (Kind::Text(..), Some(text)) => {
                self.count(text.len())?;
                if let Kind::Text(builder, _) = &mut self.kind {
                    builder.append_value(text);
                }
                self.len += 1;
                Ok(())
            }
            _ => self.append_text(value, &FormatOptions::default()),
        }
    }

    /// Appends a value from its text, read as PostgreSQL's input function does, or NULL. The modifier of the type is
    /// applied (rounding,
    /// length, padding). After an error the column is as before.
    ///
    /// # Errors
    /// PostgreSQL's own: `22P02`, `22003`, `22007`, `22008`, `22001` and their kin; `0A000` for `now`, `today` and
    /// such.
    #[inline]
    pub fn append_text(&mut self, value: Option<&str>, options: &FormatOptions) -> Result<()> {
        let Some(text) = value else {
            self.append_null();
            return Ok(());
        };
        let pg = self.pg;
        if matches!(self.kind, Kind::Text(..) | Kind::Bytes(_)) {
            self.count(text.len())?;
        }
        match &mut self.kind {
            Kind::Bool(b) => b.append_value(parse_bool(text)?),
            Kind::Int16(b) => b.append_value(parse_i16(text)?),
            Kind::Int32(b) => b.append_value(parse_i32(text)?),
            Kind::Int64(b) => b.append_value(parse_i64(text)?),
            Kind::Oid(b) => b.append_value(parse_oid(text, "oid")?),
            Kind::Float32(b) => b.append_value(parse_f32(text)?),
            Kind::Float64(b) => b.append_value(parse_f64(text)?),
            Kind::Decimal128(b, p, s) => b.append_value(decimal128_from_text(text, *p, *s)?),
            Kind::Decimal256(b, p, s) => {
                b.append_value(Numeric::parse(text)?.to_decimal256(u16::from(*p), i16::from(*s))?);
            }
            Kind::Bytes(b) => b.append_value(bits::parse_bytea(text)?),
            Kind::Date(b) => b.append_value(datetime::parse_date(text, options)?),
            Kind::Time(b) => b.append_value(datetime::parse_time(text, options, pg.typmod)?),
            Kind::Timestamp(b) => b.append_value(datetime::parse_timestamp(text, options, pg.typmod)?),
            Kind::Timestamptz(b) => b.append_value(datetime::parse_timestamptz(text, options, pg.typmod)?),
            Kind::Interval(b) => {
                let value = interval::parse_interval(text, options.interval_style, pg.typmod)?;
                b.append_value(to_arrow(value)?);
            }
            Kind::Text(b, _) => match pg.oid {
                25 => b.append_value(text),
                _ => {
                    self.scratch.clear();
                    write_canonical(pg, text, options, &mut self.scratch)?;
                    b.append_value(utf8(&self.scratch)?);
                }
            },
        }
        self.len += 1;
        Ok(())
    }

    /// The column. The builder is empty afterwards and can be used again.
    #[must_use]
    pub fn finish(&mut self) -> ArrayRef {
        self.len = 0;
        self.value_bytes = 0;
        // `finish` keeps precision and time zone, which the builders were made with.
        each!(&mut self.kind, builder => Arc::new(builder.finish()))
    }
}

fn new_kind(pg: PgType, capacity: usize) -> Kind {
    match storage(pg) {
        DataType::Boolean => Kind::Bool(BooleanBuilder::with_capacity(capacity)),
        DataType::Int16 => Kind::Int16(Int16Builder::with_capacity(capacity)),
        DataType::Int32 => Kind::Int32(Int32Builder::with_capacity(capacity)),
        DataType::Int64 => Kind::Int64(Int64Builder::with_capacity(capacity)),
        DataType::UInt32 => Kind::Oid(UInt32Builder::with_capacity(capacity)),
        DataType::Float32 => Kind::Float32(Float32Builder::with_capacity(capacity)),
        DataType::Float64 => Kind::Float64(Float64Builder::with_capacity(capacity)),
        DataType::Decimal128(p, s) => {
            let builder = Decimal128Builder::with_capacity(capacity).with_data_type(DataType::Decimal128(p, s));
            Kind::Decimal128(builder, p, s)
        }
        DataType::Decimal256(p, s) => {
            let builder = Decimal256Builder::with_capacity(capacity).with_data_type(DataType::Decimal256(p, s));
            Kind::Decimal256(builder, p, s)
        }
        DataType::Binary => Kind::Bytes(BinaryBuilder::with_capacity(capacity, capacity * 16)),
        DataType::Date32 => Kind::Date(Date32Builder::with_capacity(capacity)),
        DataType::Time64(_) => Kind::Time(Time64MicrosecondBuilder::with_capacity(capacity)),
        DataType::Timestamp(_, None) => Kind::Timestamp(TimestampMicrosecondBuilder::with_capacity(capacity)),
        zoned @ DataType::Timestamp(_, Some(_)) => {
            Kind::Timestamptz(TimestampMicrosecondBuilder::with_capacity(capacity).with_data_type(zoned))
        }
        DataType::Interval(_) => Kind::Interval(IntervalMonthDayNanoBuilder::with_capacity(capacity)),
        _ => Kind::Text(StringViewBuilder::with_capacity(capacity), from_binary(pg)),
    }
}

fn from_binary(pg: PgType) -> FromBinary {
    match pg.oid {
        25 | 142 | 705 | 1042 | 1043 | 1790 | 2275 => FromBinary::Utf8,
        _ => receiver(pg).map_or(FromBinary::Unknown, FromBinary::Through),
    }
}

/// Arrow's interval; its nanoseconds reach 292 years, PostgreSQL's microseconds further.
fn to_arrow(value: Interval) -> Result<IntervalMonthDayNano> {
    let nanoseconds = value
        .usecs
        .checked_mul(1000)
        .ok_or_else(|| Error::client(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range"))?;
    Ok(IntervalMonthDayNano::new(value.months, value.days, nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::text::row_text;
    use crate::types::{binary_encoder, field};
    use bytes::Buf;

    fn all_types() -> Vec<(PgType, &'static str)> {
        vec![
            (PgType::BOOL, "t"),
            (PgType::INT2, "-32768"),
            (PgType::INT4, "2147483647"),
            (PgType::INT8, "-9223372036854775808"),
            (PgType::OID, "4294967295"),
            (PgType::FLOAT4, "1.5"),
            (PgType::FLOAT8, "-Infinity"),
            (PgType::numeric(15, 2), "-1234567890123.45"),
            (PgType::numeric(38, 38), "0.00000000000000000000000000000000000001"),
            (PgType::numeric(76, 10), "-123456789012345678901234567890123456789012345678901234567890.1234567890"),
            (PgType::NUMERIC, "1.50"),
            (PgType::NUMERIC, "NaN"),
            (PgType::TEXT, "ä \"x\""),
            (PgType::bpchar(5), "ab   "),
            (PgType::CHAR, "x"),
            (PgType::NAME, "n"),
            (PgType::BYTEA, "\\x00ff"),
            (PgType::DATE, "0044-03-15 BC"),
            (PgType::TIME, "24:00:00"),
            (PgType::TIMETZ, "04:05:06.5+05:30"),
            (PgType::TIMESTAMP, "infinity"),
            (PgType::TIMESTAMPTZ, "2020-01-01 10:30:15.123456+00"),
            (PgType::INTERVAL, "1 year 2 mons -3 days +04:05:06.7"),
            (PgType::UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
            (PgType::JSON, "{\"a\" : 1}"),
            (PgType::JSONB, "{\"a\": 1}"),
            (PgType::INET, "192.168.1.5/24"),
            (PgType::CIDR, "10.0.0.0/8"),
            (PgType::MACADDR, "08:00:2b:01:02:03"),
            (PgType::MACADDR8, "08:00:2b:ff:fe:01:02:03"),
            (PgType::BIT, "101"),
            (PgType::VARBIT, ""),
            (PgType::TID, "(1,2)"),
            (PgType::PG_LSN, "1/2"),
            (PgType::XID8, "18446744073709551615"),
            (PgType::POINT, "(1,2.5)"),
            (PgType::INT4_ARRAY, "{1,NULL,3}"),
            (PgType::TIMESTAMPTZ_ARRAY, "{\"2020-01-01 00:00:00+00\"}"),
            (PgType::INT4RANGE, "[1,5)"),
            (PgType::XML, "<a/>"),
        ]
    }

    #[test]
    fn text_to_array_to_binary_and_back() {
        for (pg, text) in all_types() {
            let options = FormatOptions::default();
            let made = field("c", pg, true);
            let mut builder = ColumnBuilder::new(pg, 2);
            builder.append_text(Some(text), &options).unwrap_or_else(|e| panic!("{text}: {e}"));
            builder.append_null();
            assert_eq!(builder.len(), 2);
            let array = builder.finish();
            assert_eq!(array.data_type(), made.data_type());
            assert_eq!(row_text(&made, &array, 0, &options).unwrap().as_deref(), Some(text));
            assert_eq!(row_text(&made, &array, 1, &options).unwrap(), None);
            let mut encoder = binary_encoder(&made).unwrap();
            encoder.bind(&array).unwrap();
            let mut out = BytesMut::new();
            encoder.encode(0, &mut out).unwrap();
            let length = out.get_i32();
            assert_eq!(length as usize, out.len());
            assert!(binary_readable(pg.oid));
            builder.append_binary(Some(&out)).unwrap_or_else(|e| panic!("{text}: {e}"));
            builder.append_binary(None).unwrap();
            assert_eq!(&builder.finish(), &array, "{text}");
        }
    }

    #[test]
    fn hostile_bytes_are_errors() {
        for (pg, _) in all_types() {
            let mut builder = ColumnBuilder::new(pg, 4);
            for length in 0..40usize {
                for fill in [0u8, 1, 0x7f, 0x80, 0xff] {
                    let before = builder.len();
                    let taken = builder.append_binary(Some(&vec![fill; length])).is_ok();
                    assert_eq!(builder.len(), before + usize::from(taken));
                }
            }
            let rows = builder.len();
            assert_eq!(builder.finish().len(), rows);
        }
    }

    #[test]
    fn errors_in_postgresqls_words() {
        let message = |pg: PgType, text: &str| {
            let error = ColumnBuilder::new(pg, 1).append_text(Some(text), &FormatOptions::default()).unwrap_err();
            format!("{} {}", error.state(), error.message())
        };
        assert_eq!(message(PgType::INT4, "abc"), "22P02 invalid input syntax for type integer: \"abc\"");
        assert_eq!(message(PgType::varchar(3), "abcd"), "22001 value too long for type character varying(3)");
        assert_eq!(message(PgType::numeric(5, 2), "12345.678"), "22003 numeric field overflow");
        assert_eq!(message(PgType::MONEY, "1"), "0A000 type money is not supported");
        assert_eq!(message(PgType::INT4_ARRAY, "{x}"), "22P02 invalid input syntax for type integer: \"x\"");
        assert!(!binary_readable(790) && !binary_readable(2206) && binary_readable(1007));
        let nan = ColumnBuilder::new(PgType::numeric(5, 2), 1).append_binary(Some(&[0, 0, 0, 0, 0xc0, 0, 0, 0]));
        assert_eq!(nan.unwrap_err().message(), "NaN cannot be held by numeric(5,2)");
        let bad = ColumnBuilder::new(PgType::TEXT, 1).append_binary(Some(b"a\xff"));
        assert_eq!(bad.unwrap_err().message(), "invalid byte sequence for encoding \"UTF8\": 0xff");
    }
}
