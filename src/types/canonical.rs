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
