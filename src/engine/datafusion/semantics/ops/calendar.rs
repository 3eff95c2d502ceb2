//! `age`, `make_date`, `date + time`, AT TIME ZONE, `to_char` of times.
//! Must not know: how formats are written (`to_char`).

use arrow::datatypes::{
    Date32Type, Int32Type, IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType,
};
use datafusion::scalar::ScalarValue;

use super::super::cast::Typing;
use super::super::datetime;
use super::super::fold::fold;
use super::super::lift::{map, number_rows, text_rows, zip};
use super::super::value::{Bound, Unknown};
use super::exprs;
use crate::error::{Error, Result, SqlState};
use crate::types::{PgType, TimeZone, storage};

type Stamp = TimestampMicrosecondType;

/// A function of the calendar.
pub(super) fn implement(source: &str, args: &[Bound], returns: PgType, typing: &mut Typing) -> Result<Option<Bound>> {
    let out = storage(returns);
    let made = |expr| Ok(Some(Bound::new(expr, returns)));
    match (source, args) {
        ("timestamp_age", [a, b]) => made(zip::<Stamp, Stamp, IntervalMonthDayNanoType>(
            source,
            [a.expr.clone(), b.expr.clone()],
            out,
            datetime::age,
        )),
        ("timestamptz_age", [a, b]) => {
            let zone = typing.facts.format.time_zone.clone();
            let name = format!("{source}[{}]", zone.name());
            made(zip::<Stamp, Stamp, IntervalMonthDayNanoType>(
                &name,
                [a.expr.clone(), b.expr.clone()],
                out,
                move |a, b| datetime::age(datetime::instant_to_local(a, &zone)?, datetime::instant_to_local(b, &zone)?),
            ))
        }
        ("interval_justify_hours" | "interval_justify_days" | "interval_justify_interval", [value]) => {
            let justify = match source {
                "interval_justify_hours" => datetime::justify_hours,
                "interval_justify_days" => datetime::justify_days,
                _ => datetime::justify_interval,
            };
            made(map::<IntervalMonthDayNanoType, IntervalMonthDayNanoType>(source, value.expr.clone(), out, justify))
        }
        ("make_date", [_, _, _]) => made(number_rows::<Date32Type>(source, exprs(args), out, |row| {
            let part = |at| row.number::<Int32Type>(at);
            datetime::make_date(part(0)?, part(1)?, part(2)?)
        })),
        ("datetime_timestamp", [a, b]) => made(zip::<Date32Type, Time64MicrosecondType, Stamp>(
            source,
            [a.expr.clone(), b.expr.clone()],
            out,
            datetime::at_time,
        )),
        ("timestamp_zone" | "timestamptz_zone", [zone, value]) => {
            let zone = zone_of(zone)?;
            let name = format!("{source}[{}]", zone.name());
            let expr = if source == "timestamp_zone" {
                map::<Stamp, Stamp>(&name, value.expr.clone(), out, move |local| {
                    datetime::local_to_instant(local, &zone)
                })
            } else {
                map::<Stamp, Stamp>(&name, value.expr.clone(), out, move |t| datetime::instant_to_local(t, &zone))
            };
            made(expr)
        }
        ("timestamp_to_char" | "timestamptz_to_char", [value, format]) => to_char(source, value, format, typing),
        _ => Ok(None),
    }
}

fn constant(value: &Bound, what: &str) -> Result<String> {
    match (&value.unknown, fold(value.clone()).constant()) {
        (Some(Unknown::Text(text)), _) => Ok(text.clone()),
        (_, Some(ScalarValue::Utf8View(Some(text)))) => Ok(text.clone()),
        _ => Err(Error::unsupported(format!("{what} that is not a constant is not supported"))),
    }
}

fn zone_of(zone: &Bound) -> Result<TimeZone> {
    let name = constant(zone, "a time zone")?;
    TimeZone::of_name(&name)
        .ok_or_else(|| Error::client(SqlState::INVALID_PARAMETER_VALUE, format!("time zone \"{name}\" not recognized")))
}

fn to_char(source: &str, value: &Bound, format: &Bound, typing: &mut Typing) -> Result<Option<Bound>> {
    let format = constant(format, "a format")?;
    let pieces = datetime::pattern(&format)
        .ok_or_else(|| Error::unsupported(format!("to_char with the format \"{format}\" is not supported")))?;
    let zone = (source == "timestamptz_to_char").then(|| typing.facts.format.time_zone.clone());
    let label = format!("to_char({format:?})[{}]", zone.as_ref().map_or("", |zone| zone.name()));
    let expr = text_rows(&label, vec![value.expr.clone()], move |row| {
        let t = row.number::<Stamp>(0)?;
        // Infinite times have no text in any format: NULL.
        if datetime::infinite(t) || pieces.is_empty() {
            return Ok(None);
        }
        let local = match &zone {
            Some(zone) => datetime::instant_to_local(t, zone)?,
            None => t,
        };
        Ok(Some(datetime::formatted(&pieces, local)))
    });
    Ok(Some(Bound::new(expr, PgType::TEXT)))
}
