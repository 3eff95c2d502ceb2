//! Brings the many Arrow types that stand for one PostgreSQL type to the few that the encoders know.
//! Must not know: text and binary forms.

use arrow::array::{
    Array, ArrayRef, AsArray, Date64Array, IntervalMonthDayNanoArray, PrimitiveArray, TimestampMicrosecondArray,
    new_null_array,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date64Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, IntervalMonthDayNano, IntervalUnit, TimeUnit, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};

use super::encoder::{ColumnEncoder, Converted, casting, shared, strict_cast, unexpected};
use super::pg_type::PgType;
use super::storage::storage;
use crate::error::{Error, Result, SqlState};

/// What stands between the array of a batch and an encoder that knows only the canonical types.
pub(super) struct Canonical {
    /// The type the encoder inside sees.
    pub(super) arrow: DataType,
    steps: Vec<Step>,
}

enum Step {
    Cast(DataType),
    Micros,
    Duration,
    Nulls,
}

/// The canonical Arrow type for a column, and the steps to it.
///
/// Canonical: Boolean, Int16/32/64, UInt32 (oids), Float32/64, Decimal128/256, text and bytes in every layout,
/// Date32, Time64(us),
/// Timestamp(us), Interval(MonthDayNano), List, Struct, Map.
pub(super) fn canonical(pg: PgType, arrow: &DataType) -> Canonical {
    let mut plan = Canonical { arrow: arrow.clone(), steps: Vec::new() };
    while let Some(step) = next_step(pg, &plan.arrow) {
        plan.arrow = match &step {
            Step::Cast(to) => to.clone(),
            Step::Micros => DataType::Timestamp(TimeUnit::Microsecond, zone_of(&plan.arrow)),
            Step::Duration => DataType::Interval(IntervalUnit::MonthDayNano),
            Step::Nulls => DataType::Utf8View,
        };
        plan.steps.push(step);
    }
    plan
}

fn zone_of(arrow: &DataType) -> Option<std::sync::Arc<str>> {
    match arrow {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    }
}

fn next_step(pg: PgType, arrow: &DataType) -> Option<Step> {
    let oid_like = storage(pg) == DataType::UInt32 || is_oid_kind(pg);
    Some(match arrow {
        DataType::Null => Step::Nulls,
        DataType::Dictionary(_, value) => Step::Cast((**value).clone()),
        DataType::RunEndEncoded(_, value) => Step::Cast(value.data_type().clone()),
        DataType::Int8 | DataType::UInt8 => Step::Cast(DataType::Int16),
        DataType::UInt16 => Step::Cast(DataType::Int32),
        DataType::UInt32 if !oid_like => Step::Cast(DataType::Int64),
        DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt64 if oid_like => {
            Step::Cast(DataType::UInt32)
        }
        DataType::UInt64 => Step::Cast(DataType::Decimal128(20, 0)),
        DataType::Float16 => Step::Cast(DataType::Float32),
        DataType::Decimal32(p, s) | DataType::Decimal64(p, s) => Step::Cast(DataType::Decimal128(*p, *s)),
        DataType::Date64 => Step::Micros,
        DataType::Timestamp(unit, _) if *unit != TimeUnit::Microsecond => Step::Micros,
        DataType::Time32(_) | DataType::Time64(TimeUnit::Nanosecond) => {
            Step::Cast(DataType::Time64(TimeUnit::Microsecond))
        }
        DataType::Duration(_) => Step::Duration,
        DataType::Interval(unit) if *unit != IntervalUnit::MonthDayNano => {
            Step::Cast(DataType::Interval(IntervalUnit::MonthDayNano))
        }
        DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => Step::Cast(DataType::List(item.clone())),
        other => return to_storage(pg, other),
    })
}

/// A last cast where a field says one type and holds another one (an int8 array declared int4): to the declared
/// type's own storage.
fn to_storage(pg: PgType, arrow: &DataType) -> Option<Step> {
    let wanted = storage(pg);
    let same = match (&wanted, arrow) {
        (DataType::Utf8View, _) => true,
        (DataType::Binary, DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_)) => true,
        (DataType::Decimal128(..) | DataType::Decimal256(..), other) => {
            matches!(other, DataType::Decimal128(..) | DataType::Decimal256(..))
                || matches!(other, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
        }
        (DataType::Timestamp(..), DataType::Timestamp(..)) => true,
        (wanted, other) => wanted == other,
    };
    if same {
        // Integers declared numeric without precision are held as their digits.
        let int_as_numeric = pg.oid == PgType::NUMERIC.oid && arrow.is_integer();
        return int_as_numeric.then_some(Step::Cast(DataType::Decimal128(20, 0)));
    }
    Some(Step::Cast(wanted))
}

/// Types whose binary form is an oid: the reg* types, xid, cid.
pub(super) fn is_oid_kind(pg: PgType) -> bool {
    matches!(pg.oid, 24 | 26 | 28 | 29 | 2202..=2206 | 3734 | 3769 | 4089 | 4096 | 4191)
}

impl Canonical {
    /// Puts the steps before an encoder. `arrow` is the type of the batches' arrays.
    pub(super) fn before(
        self,
        pg: PgType,
        arrow: &DataType,
        inner: Box<dyn ColumnEncoder>,
    ) -> Result<Box<dyn ColumnEncoder>> {
        let mut steps = self.steps;
        match (steps.len(), steps.pop()) {
            (_, None) => Ok(inner),
            (1, Some(Step::Cast(to))) => casting(arrow, to, pg, inner),
            (_, Some(last)) => {
                steps.push(last);
                let convert =
                    move |array: &ArrayRef| steps.iter().try_fold(array.clone(), |array, step| apply(step, &array, pg));
                Ok(Box::new(Converted { convert: Box::new(convert), inner }))
            }
        }
    }
}

fn apply(step: &Step, array: &ArrayRef, pg: PgType) -> Result<ArrayRef> {
    match step {
        Step::Cast(to) => strict_cast(array, to, pg),
        Step::Micros => to_micros(array),
        Step::Duration => duration_to_interval(array),
        Step::Nulls => Ok(new_null_array(&DataType::Utf8View, array.len())),
    }
}

/// Timestamps of any unit in microseconds. Nanoseconds are cut downwards; what does not fit is refused, never changed.
fn to_micros(array: &ArrayRef) -> Result<ArrayRef> {
    let zone = zone_of(array.data_type());
    let micros: TimestampMicrosecondArray = match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => scaled::<TimestampSecondType>(array, 1_000_000)?,
        DataType::Timestamp(TimeUnit::Millisecond, _) => scaled::<TimestampMillisecondType>(array, 1000)?,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            array.as_primitive::<TimestampNanosecondType>().unary(|ns| ns.div_euclid(1000))
        }
        DataType::Date64 => scaled::<Date64Type>(array, 1000)?,
        DataType::Timestamp(TimeUnit::Microsecond, _) => return Ok(array.clone()),
        other => return Err(unexpected(other)),
    };
    Ok(shared(micros.with_timezone_opt(zone)))
}

fn scaled<T: ArrowPrimitiveType<Native = i64>>(array: &ArrayRef, factor: i64) -> Result<TimestampMicrosecondArray> {
    let source: &PrimitiveArray<T> = array.as_primitive_opt::<T>().ok_or_else(|| unexpected(array.data_type()))?;
    source.try_unary(|value| {
        value
            .checked_mul(factor)
            .ok_or_else(|| Error::client(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range"))
    })
}

fn duration_to_interval(array: &ArrayRef) -> Result<ArrayRef> {
    let (nanos, factor) = match array.data_type() {
        DataType::Duration(TimeUnit::Second) => (values::<DurationSecondType>(array)?, 1_000_000_000),
        DataType::Duration(TimeUnit::Millisecond) => (values::<DurationMillisecondType>(array)?, 1_000_000),
        DataType::Duration(TimeUnit::Microsecond) => (values::<DurationMicrosecondType>(array)?, 1000),
        DataType::Duration(TimeUnit::Nanosecond) => (values::<DurationNanosecondType>(array)?, 1),
        other => return Err(unexpected(other)),
    };
    let made: IntervalMonthDayNanoArray = nanos.try_unary(|value| {
        let nanoseconds = value
            .checked_mul(factor)
            .ok_or_else(|| Error::client(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range"))?;
        Ok::<_, Error>(IntervalMonthDayNano::new(0, 0, nanoseconds))
    })?;
    Ok(shared(made))
}

/// The plain numbers of an array of 64-bit values.
fn values<T: ArrowPrimitiveType<Native = i64>>(array: &ArrayRef) -> Result<Date64Array> {
    let source = array.as_primitive_opt::<T>().ok_or_else(|| unexpected(array.data_type()))?;
    Ok(source.unary(|value| value))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::*;
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::{Field, Int8Type, Int32Type};
    use bytes::{Buf, BytesMut};

    use super::*;
    use crate::types::{FormatOptions, binary_encoder, field, row_text};

    fn texts(array: ArrayRef) -> Vec<Option<String>> {
        let made = Field::new("c", array.data_type().clone(), true);
        let options = FormatOptions::default();
        (0..array.len()).map(|row| row_text(&made, &array, row, &options).unwrap()).collect()
    }

    fn binary(made: &Field, array: &ArrayRef, row: usize) -> Result<Vec<u8>> {
        let mut encoder = binary_encoder(made)?;
        encoder.bind(array)?;
        let mut out = BytesMut::new();
        encoder.encode(row, &mut out)?;
        assert_eq!(out.get_i32(), out.len() as i32);
        Ok(out.to_vec())
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn arrow_types_of_the_engine() {
        assert_eq!(
            texts(Arc::new(UInt64Array::from(vec![Some(u64::MAX), None]))),
            [some("18446744073709551615"), None]
        );
        assert_eq!(texts(Arc::new(Int8Array::from(vec![-128]))), [some("-128")]);
        assert_eq!(texts(Arc::new(UInt32Array::from(vec![u32::MAX]))), [some("4294967295")]);
        let nanos = TimestampNanosecondArray::from(vec![-1, 1_500]);
        assert_eq!(texts(Arc::new(nanos)), [some("1969-12-31 23:59:59.999999"), some("1970-01-01 00:00:00.000001")]);
        assert_eq!(texts(Arc::new(TimestampSecondArray::from(vec![0]))), [some("1970-01-01 00:00:00")]);
        assert_eq!(texts(Arc::new(Date64Array::from(vec![86_400_000]))), [some("1970-01-02 00:00:00")]);
        assert_eq!(texts(Arc::new(Time32SecondArray::from(vec![3661]))), [some("01:01:01")]);
        assert_eq!(texts(Arc::new(DurationMillisecondArray::from(vec![-1500]))), [some("-00:00:01.5")]);
        assert_eq!(texts(Arc::new(NullArray::new(1))), [None]);
        let decimal = Decimal64Array::from(vec![150]).with_precision_and_scale(10, 2).unwrap();
        assert_eq!(texts(Arc::new(decimal)), [some("1.50")]);
        let words: DictionaryArray<Int8Type> = vec![Some("a"), None].into_iter().collect();
        assert_eq!(texts(Arc::new(words)), [some("a"), None]);
        let late: ArrayRef = Arc::new(TimestampSecondArray::from(vec![i64::MAX]));
        let made = Field::new("c", late.data_type().clone(), true);
        let error = row_text(&made, &late, 0, &FormatOptions::default()).unwrap_err();
        assert_eq!(error.state(), SqlState::DATETIME_FIELD_OVERFLOW);
    }

    #[test]
    fn a_declared_type_wins_over_the_array() {
        let wide: ArrayRef = Arc::new(Int64Array::from(vec![7, i64::MAX]));
        let declared = field("c", PgType::INT4, true).with_data_type(DataType::Int64);
        assert_eq!(binary(&declared, &wide.slice(0, 1), 0).unwrap(), 7i32.to_be_bytes());
        assert_eq!(binary(&declared, &wide, 0).unwrap_err().state(), SqlState::NUMERIC_VALUE_OUT_OF_RANGE);
        let declared = field("c", PgType::TEXT, true).with_data_type(DataType::Int64);
        assert_eq!(binary(&declared, &wide, 0).unwrap(), b"7");
        let declared = field("c", PgType::REGTYPE, true).with_data_type(DataType::UInt32);
        let oids: ArrayRef = Arc::new(UInt32Array::from(vec![23, 0]));
        assert_eq!(row_text(&declared, &oids, 0, &FormatOptions::default()).unwrap(), some("integer"));
        assert_eq!(binary(&declared, &oids, 0).unwrap(), 23u32.to_be_bytes());
        // Another scale than the field's would be another number.
        let cents: ArrayRef = Arc::new(Decimal128Array::from(vec![150]).with_precision_and_scale(15, 3).unwrap());
        assert!(binary(&field("c", PgType::numeric(15, 2), true), &cents, 0).is_err());
        let none = field("c", PgType::ACLITEM, true);
        let items: ArrayRef = Arc::new(StringViewArray::from(vec!["postgres=r/postgres"]));
        let error = binary(&none, &items, 0).unwrap_err();
        assert_eq!(error.message(), "no binary output function available for type aclitem");
        assert_eq!(error.state(), SqlState::UNDEFINED_FUNCTION);
    }

    #[test]
    fn lists_structs_and_maps() {
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
            Some(vec![Some(1), None]),
            None,
            Some(vec![]),
            Some(vec![Some(3)]),
        ]);
        let list: ArrayRef = Arc::new(list);
        assert_eq!(texts(list.clone()), [some("{1,NULL}"), None, some("{}"), some("{3}")]);
        let made = Field::new("c", list.data_type().clone(), true);
        let sent = [1, 1, 23, 2, 1, 4, 1, -1].map(|word: i32| word.to_be_bytes()).concat();
        assert_eq!(binary(&made, &list, 0).unwrap(), sent);
        assert_eq!(binary(&made, &list, 2).unwrap(), [0, 0, 23].map(|word: i32| word.to_be_bytes()).concat());

        let item = Arc::new(Field::new("item", list.data_type().clone(), true));
        let nested = |offsets: Vec<i32>, values: ArrayRef| -> ArrayRef {
            Arc::new(ListArray::new(item.clone(), OffsetBuffer::new(offsets.into()), values, None))
        };
        let square = nested(
            vec![0, 2],
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
                Some(vec![Some(1), Some(2)]),
                Some(vec![Some(3), Some(4)]),
            ])),
        );
        assert_eq!(texts(square.clone()), [some("{{1,2},{3,4}}")]);
        let made = Field::new("c", square.data_type().clone(), true);
        let sent = [2, 0, 23, 2, 1, 2, 1, 4, 1, 4, 2, 4, 3, 4, 4].map(|word: i32| word.to_be_bytes()).concat();
        assert_eq!(binary(&made, &square, 0).unwrap(), sent);
        let ragged = nested(vec![0, 4], list);
        assert_eq!(binary(&made, &ragged, 0).unwrap_err().state(), SqlState::ARRAY_SUBSCRIPT_ERROR);

        let words: ArrayRef = Arc::new(StringArray::from(vec![Some("a \"b\""), None]));
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![1.5, f64::NAN]));
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0, 1]).with_timezone("+00:00"));
        let record: ArrayRef = Arc::new(StructArray::from(vec![
            (Arc::new(Field::new("w", DataType::Utf8, true)), words),
            (Arc::new(Field::new("n", DataType::Float64, true)), numbers),
            (Arc::new(Field::new("t", times.data_type().clone(), true)), times),
        ]));
        assert_eq!(
            texts(record.clone()),
            [
                some(r#"{"w":"a \"b\"","n":1.5,"t":"1970-01-01T00:00:00+00:00"}"#),
                some(r#"{"w":null,"n":"NaN","t":"1970-01-01T00:00:00.000001+00:00"}"#),
            ]
        );
        let made = Field::new("c", record.data_type().clone(), true);
        assert!(binary(&made, &record, 0).unwrap().starts_with(b"{\"w\""));
        let declared = field("c", PgType::JSONB, true).with_data_type(record.data_type().clone());
        assert!(binary(&declared, &record, 0).unwrap().starts_with(b"\x01{\"w\""));

        let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        map.keys().append_value("k");
        map.values().append_value(1);
        map.append(true).unwrap();
        assert_eq!(texts(Arc::new(map.finish())), [some("{\"k\":1}")]);
    }
}
