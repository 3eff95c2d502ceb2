//! Operators and functions of dates, times, timestamps and intervals.
//! Must not know: how they are computed (`datetime`).

use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, IntervalMonthDayNanoType, Time64MicrosecondType,
    TimestampMicrosecondType,
};
use datafusion::logical_expr::Expr;
use datafusion::scalar::ScalarValue;

use super::super::cast::Typing;
use super::super::datetime::{self, Part, Unit};
use super::super::kernel::failing;
use super::super::lift::{Row, map, number_rows, zip};
use super::super::value::{Bound, type_name};
use crate::error::{Error, Result};
use crate::types::{PgType, TimeZone, storage};

type Interval = IntervalMonthDayNanoType;
type Stamp = TimestampMicrosecondType;

/// A date's midnight.
pub(super) fn date_as_timestamp(date: Expr) -> Expr {
    map::<Date32Type, Stamp>("date_timestamp", date, storage(PgType::TIMESTAMP), datetime::date_to_timestamp)
}

/// An operator or a function over times.
pub(super) fn implement(source: &str, args: &[Bound], returns: PgType, typing: &mut Typing) -> Result<Option<Bound>> {
    let zone = typing.facts.format.time_zone.clone();
    if let [a, b] = args {
        if let Some(expr) = arithmetic(source, a, b, &zone, returns) {
            return Ok(Some(Bound::new(expr, returns)));
        }
        if let Some(of) = source.strip_prefix("extract_") {
            return part(of, a, b, &zone, false);
        }
        let of = match source {
            "date_part" => Some("date"),
            "timestamp_part" => Some("timestamp"),
            "timestamptz_part" => Some("timestamptz"),
            "interval_part" => Some("interval"),
            "time_part" => Some("time"),
            _ => None,
        };
        if let Some(of) = of {
            return part(of, a, b, &zone, true);
        }
        if let "timestamp_trunc" | "timestamptz_trunc" | "interval_trunc" = source {
            return truncated(source, a, b, &zone, returns);
        }
    }
    if let ("interval_um", [a]) = (source, args) {
        let expr = map::<Interval, Interval>(source, a.expr.clone(), storage(returns), datetime::negated);
        return Ok(Some(Bound::new(expr, returns)));
    }
    Ok(None)
}

fn arithmetic(source: &str, a: &Bound, b: &Bound, zone: &TimeZone, returns: PgType) -> Option<Expr> {
    let pair = || [a.expr.clone(), b.expr.clone()];
    let swapped = || [b.expr.clone(), a.expr.clone()];
    let out = storage(returns);
    let zoned = |name: &str| format!("{name}[{}]", zone.name());
    let add = |d: i32, i| datetime::add_interval(datetime::date_to_timestamp(d)?, i);
    Some(match source {
        "date_pli" => zip::<Date32Type, Int32Type, Date32Type>("date_pli", pair(), out, datetime::add_days),
        "integer_pl_date" => zip::<Date32Type, Int32Type, Date32Type>("date_pli", swapped(), out, datetime::add_days),
        "date_mii" => zip::<Date32Type, Int32Type, Date32Type>(source, pair(), out, |day, days| {
            days.checked_neg()
                .ok_or_else(|| datetime::out_of_range("date"))
                .and_then(|days| datetime::add_days(day, days))
        }),
        "date_mi" => zip::<Date32Type, Date32Type, Int32Type>(source, pair(), out, datetime::days_between),
        "date_pl_interval" => zip::<Date32Type, Interval, Stamp>(source, pair(), out, add),
        "interval_pl_date" => zip::<Date32Type, Interval, Stamp>("date_pl_interval", swapped(), out, add),
        "date_mi_interval" => {
            zip::<Date32Type, Interval, Stamp>(source, pair(), out, move |d, i| add(d, datetime::negated(i)?))
        }
        "timestamp_pl_interval" => zip::<Stamp, Interval, Stamp>(source, pair(), out, datetime::add_interval),
        "interval_pl_timestamp" => {
            zip::<Stamp, Interval, Stamp>("timestamp_pl_interval", swapped(), out, datetime::add_interval)
        }
        "timestamp_mi_interval" => {
            zip::<Stamp, Interval, Stamp>(source, pair(), out, |t, i| datetime::add_interval(t, datetime::negated(i)?))
        }
        "timestamptz_pl_interval" | "interval_pl_timestamptz" => {
            let args = if source.starts_with('i') { swapped() } else { pair() };
            let zone = zone.clone();
            let name = zoned("timestamptz_pl_interval");
            zip::<Stamp, Interval, Stamp>(&name, args, out, move |t, i| datetime::add_interval_in_zone(t, i, &zone))
        }
        "timestamptz_mi_interval" => {
            let zone_copy = zone.clone();
            zip::<Stamp, Interval, Stamp>(&zoned(source), pair(), out, move |t, i| {
                datetime::add_interval_in_zone(t, datetime::negated(i)?, &zone_copy)
            })
        }
        "timestamp_mi" | "timestamptz_mi" => {
            zip::<Stamp, Stamp, Interval>(source, pair(), out, datetime::between_timestamps)
        }
        "interval_pl" => zip::<Interval, Interval, Interval>(source, pair(), out, datetime::intervals_added),
        "interval_mi" => zip::<Interval, Interval, Interval>(source, pair(), out, |x, y| {
            datetime::intervals_added(x, datetime::negated(y)?)
        }),
        "interval_mul" => {
            zip::<Interval, Float64Type, Interval>(source, pair(), out, |i, f| datetime::scaled(i, f, false))
        }
        "mul_d_interval" => {
            zip::<Interval, Float64Type, Interval>("interval_mul", swapped(), out, |i, f| datetime::scaled(i, f, false))
        }
        "interval_div" => {
            zip::<Interval, Float64Type, Interval>(source, pair(), out, |i, f| datetime::scaled(i, f, true))
        }
        "time_pl_interval" => {
            zip::<Time64MicrosecondType, Interval, Time64MicrosecondType>(source, pair(), out, |t, i| {
                Ok((t + i.nanoseconds / 1000).rem_euclid(datetime::DAY))
            })
        }
        "time_mi_interval" => {
            zip::<Time64MicrosecondType, Interval, Time64MicrosecondType>(source, pair(), out, |t, i| {
                Ok((t - i.nanoseconds / 1000).rem_euclid(datetime::DAY))
            })
        }
        _ => return None,
    })
}

/// The word of a field, which must be a constant here.
fn word(field: &Bound) -> Result<String> {
    match field.constant() {
        Some(ScalarValue::Utf8View(Some(text))) => Ok(text.clone()),
        _ => Err(Error::unsupported("a field name that is not a constant is not supported")),
    }
}

fn part(of: &str, field: &Bound, value: &Bound, zone: &TimeZone, float: bool) -> Result<Option<Bound>> {
    let word = word(field)?;
    let lower = word.to_ascii_lowercase();
    let refuse = || datetime::refuse_unit(&lower, &type_name(value.pg.oid));
    // What is read of a time zone is no constant to PostgreSQL: it fails when it runs.
    let wrong = |error: Error| {
        if of != "timestamptz" {
            return Err(error);
        }
        let args = vec![value.expr.clone()];
        Ok(Some(if float {
            Bound::new(failing(args, DataType::Float64, error), PgType::FLOAT8)
        } else {
            let form = DataType::Decimal128(20, 0);
            Bound::with_arrow(failing(args, form.clone(), error), PgType::NUMERIC, form)
        }))
    };
    let Some(unit) = datetime::unit(&lower) else { return wrong(refuse()) };
    let zone_name = zone.name().to_owned();
    let zone = zone.clone();
    let infinite = || Error::unsupported("extracting from an infinite date or timestamp is not supported");
    type Getter = Box<dyn Fn(&Row<'_>) -> Result<Option<Part>> + Send + Sync>;
    let getter: Getter = match of {
        "date" => Box::new(move |row| {
            let day = row.number::<Date32Type>(0)?;
            if day == i32::MAX || day == i32::MIN {
                Err(infinite())
            } else {
                Ok(datetime::from_date(unit, i64::from(day)))
            }
        }),
        "timestamp" => Box::new(move |row| {
            let t = row.number::<Stamp>(0)?;
            if datetime::infinite(t) { Err(infinite()) } else { Ok(datetime::from_timestamp(unit, t, t)) }
        }),
        "timestamptz" => Box::new(move |row| {
            let t = row.number::<Stamp>(0)?;
            if datetime::infinite(t) { Err(infinite()) } else { zoned_part(unit, t, &zone) }
        }),
        "interval" => Box::new(move |row| datetime::from_interval(unit, row.number::<Interval>(0)?)),
        "time" => Box::new(move |row| Ok(datetime::from_time(unit, row.number::<Time64MicrosecondType>(0)?))),
        _ => return Ok(None),
    };
    let Some(digits) = digits(of, unit) else { return wrong(refuse()) };
    let name = if of == "timestamptz" {
        format!("extract({of},{unit:?})[{zone_name}]")
    } else {
        format!("extract({of},{unit:?})")
    };
    let missing = move || Error::internal("a field was found while planning and is gone");
    if float {
        let by = 10_f64.powi(i32::from(digits));
        let expr = number_rows::<Float64Type>(
            &format!("{name}.float8"),
            vec![value.expr.clone()],
            DataType::Float64,
            move |row| {
                let (v, _) = getter(&row)?.ok_or_else(missing)?;
                Ok(v as f64 / by)
            },
        );
        return Ok(Some(Bound::new(expr, PgType::FLOAT8)));
    }
    let form = DataType::Decimal128(20, digits as i8);
    let expr = number_rows::<Decimal128Type>(&name, vec![value.expr.clone()], form.clone(), move |row| {
        let (v, _) = getter(&row)?.ok_or_else(missing)?;
        Ok(i128::from(v))
    });
    Ok(Some(Bound::with_arrow(expr, PgType::NUMERIC, form)))
}

fn zoned_part(unit: Unit, instant: i64, zone: &TimeZone) -> Result<Option<Part>> {
    let local = datetime::instant_to_local(instant, zone)?;
    let offset = (local - instant) / 1_000_000;
    Ok(match unit {
        Unit::Zone => Some((offset, 0)),
        Unit::ZoneHour => Some((offset / 3600, 0)),
        Unit::ZoneMinute => Some((offset / 60 % 60, 0)),
        _ => datetime::from_timestamp(unit, local, instant),
    })
}

/// How many digits a field shows behind the point; none for a field that the type has not.
fn digits(of: &str, unit: Unit) -> Option<u8> {
    let sample = match of {
        "date" => datetime::from_date(unit, 0),
        "timestamp" => datetime::from_timestamp(unit, 0, 0),
        "timestamptz" => match unit {
            Unit::Zone | Unit::ZoneHour | Unit::ZoneMinute => Some((0, 0)),
            _ => datetime::from_timestamp(unit, 0, 0),
        },
        "interval" => {
            datetime::from_interval(unit, arrow::datatypes::IntervalMonthDayNano::new(0, 0, 0)).ok().flatten()
        }
        _ => datetime::from_time(unit, 0),
    };
    sample.map(|(_, digits)| digits)
}

fn truncated(source: &str, field: &Bound, value: &Bound, zone: &TimeZone, returns: PgType) -> Result<Option<Bound>> {
    let word = word(field)?;
    let lower = word.to_ascii_lowercase();
    let name = type_name(value.pg.oid);
    let unit = datetime::unit(&lower).ok_or_else(|| datetime::refuse_unit(&lower, &name))?;
    let refused = {
        let lower = lower.clone();
        move || datetime::refuse_unit(&lower, &name)
    };
    let out = storage(returns);
    let label = format!("{source}({unit:?})");
    let expr = match source {
        "interval_trunc" => {
            let zero = arrow::datatypes::IntervalMonthDayNano::new(0, 0, 0);
            if datetime::truncate_interval(unit, zero).is_none() {
                return Err(refused());
            }
            map::<Interval, Interval>(&label, value.expr.clone(), out, move |i| {
                datetime::truncate_interval(unit, i).unwrap_or(Ok(i))
            })
        }
        _ if datetime::truncate(unit, 0).is_none() => return Err(refused()),
        "timestamp_trunc" => {
            map::<Stamp, Stamp>(&label, value.expr.clone(), out, move |t| datetime::truncate(unit, t).unwrap_or(Ok(t)))
        }
        _ => {
            let zone = zone.clone();
            let within_day = unit.is_within_day();
            map::<Stamp, Stamp>(&format!("{label}[{}]", zone.name()), value.expr.clone(), out, move |t| {
                if datetime::infinite(t) {
                    return Ok(t);
                }
                let local = datetime::instant_to_local(t, &zone)?;
                let truncated = datetime::truncate(unit, local).unwrap_or(Ok(local))?;
                // Within a day the offset stays: in an hour that comes twice, each is one of its own.
                if within_day { Ok(t - (local - truncated)) } else { datetime::local_to_instant(truncated, &zone) }
            })
        }
    };
    Ok(Some(Bound::new(expr, returns)))
}
