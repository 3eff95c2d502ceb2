//! The casts themselves: from one type to another, modifiers aside.
//! Must not know: which casts are allowed where; it is asked for allowed ones only.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType, UInt32Type,
};
use datafusion::logical_expr::Expr;
use datafusion::scalar::ScalarValue;

use super::super::arrays::vector_as_array;
use super::super::datetime;
use super::super::facts::SessionFacts;
use super::super::kernel::{call, external, wrong_type};
use super::super::lift::{map, number_rows, test, text_map};
use super::super::value::{Bound, type_name};
use super::super::{numeric, own};
use super::{jsonb, native, text_io};
use crate::error::{Error, Result, SqlState};
use crate::names::cut;
use crate::types::Numeric;
use crate::types::{PgType, storage};

/// `22003` with PostgreSQL's words for an integer type.
pub(crate) fn out_of_range(pg: PgType) -> Error {
    Error::client(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{} out of range", type_name(pg.oid)))
}

/// A value of another type.
pub(super) fn convert(value: Bound, to: PgType, facts: &SessionFacts) -> Result<Bound> {
    let (from, to) = (value.pg.oid, to.bare());
    let plain = |expr: Expr| Ok(Bound::new(expr, to));
    let wide = storage(to);
    match (from, to.oid) {
        (21, 23 | 20) | (23, 20) | (21 | 23 | 20, 700 | 701) | (700, 701) => {
            let expr = match value.constant().and_then(|constant| constant.cast_to(&wide).ok()) {
                Some(constant) => Expr::Literal(constant, None),
                None => native(value.expr, wide),
            };
            plain(expr)
        }
        (23 | 20, 21 | 23) => plain(narrow(value, to)),
        (21 | 23 | 20, 1700) => Ok(int_to_numeric(value)),
        (1700, 21 | 23 | 20) => Ok(numeric_to_int(value, to)),
        (1700, 701) => plain(numeric_to_float(value)),
        (1700, 700) => plain(numeric_to_real(value)),
        (701, 700) => plain(narrow_float(value.expr)),
        (700 | 701, 21 | 23 | 20) => plain(float_to_int(value, to)),
        (700 | 701, 1700) => Ok(float_to_numeric(value)),
        (16, 23) => plain(native(value.expr, DataType::Int32)),
        (23, 16) => plain(test::<Int32Type>("int4_bool", value.expr, |v| v != 0)),
        (21 | 23, 26) => {
            let wide = native(value.expr, DataType::Int64);
            plain(map::<Int64Type, UInt32Type>("int4_oid", wide, DataType::UInt32, |v| Ok(v as u32)))
        }
        (20, 26) => plain(map::<Int64Type, UInt32Type>("int8_oid", value.expr, DataType::UInt32, |v| {
            u32::try_from(v).map_err(|_| Error::client(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "OID out of range"))
        })),
        (25 | 1043 | 19, 25 | 1043) => Ok(Bound { pg: to, ..value }),
        (1042, 25 | 1043 | 19) => {
            plain(text_map("rtrim1", value.expr, |text| Ok(text.trim_end_matches(' ').to_owned())))
        }
        (25 | 1043, 1042) => Ok(Bound { pg: to, ..value }),
        (25 | 1043, 19) => plain(text_map("text_name", value.expr, |text| Ok(cut(text).to_owned()))),
        (1082 | 1083 | 1114 | 1184 | 1186, 1082 | 1083 | 1114 | 1184 | 1186) => times(value, to, facts),
        (26, _) if to.is_registered() => Ok(Bound { pg: to, ..value }),
        (20 | 21 | 23, _) if to.is_registered() => {
            let oid = convert(value, PgType::OID, facts)?;
            Ok(Bound { pg: to, ..oid })
        }
        (_, _) if to.is_registered() && value.pg.is_registered() => Ok(Bound { pg: to, ..value }),
        // A name's oid, as the casts to the `reg...` types make it.
        (_, 26) if value.arrow == DataType::UInt32 => Ok(Bound { pg: to, ..value }),
        (_, 20) if value.arrow == DataType::UInt32 => plain(native(value.expr, DataType::Int64)),
        (_, 23) if value.arrow == DataType::UInt32 => {
            plain(map::<UInt32Type, Int32Type>("oid_int4", value.expr, DataType::Int32, |v| Ok(v as i32)))
        }
        _ if value.arrow == DataType::UInt32 && from != 26 => unsupported(from, to),
        // One byte, and a number in a byte.
        (_, 18) | (18, 23) if from != to.oid => unsupported(from, to),
        (869, 25 | 1042 | 1043) => {
            let host = |text: &str| if text.contains(':') { 128 } else { 32 };
            let masked = text_map("inet_text", value.expr, move |text| {
                Ok(if text.contains('/') { text.to_owned() } else { format!("{text}/{}", host(text)) })
            });
            Ok(Bound::new(masked, to))
        }
        _ if own::base_of(value.pg) == Some(to) => Ok(Bound { pg: to, ..value }),
        _ if to.own_kind().is_some() && text_io::is_text(value.pg) => own::read(value.expr, to),
        _ if to.own_kind().is_some() => unsupported(from, to),
        (22 | 30, _) if to.is_array() => {
            let text = text_map("vector_array", value.expr, |text| Ok(vector_as_array(text)));
            text_io::from_text(Bound::new(text, PgType::TEXT), to, &facts.format)
        }
        _ if text_io::is_text(to) => text_io::to_text(value, to, &facts.format),
        _ if text_io::is_text(value.pg) => text_io::from_text(value, to, &facts.format),
        // jsonb prints in a canonical form that the json text need not have.
        (3802, 114) => Ok(Bound { pg: to, ..value }),
        (114, 3802) => {
            let text = text_io::json_held(&value, &facts.format)?;
            text_io::from_text(Bound::new(text, PgType::TEXT), to, &facts.format)
        }
        (3802, 16) => plain(jsonb::truth(text_io::json_held(&value, &facts.format)?)),
        (3802, 1700) => Ok(jsonb::number(text_io::json_held(&value, &facts.format)?, to)),
        (3802, 20 | 21 | 23 | 700 | 701) => {
            let number = jsonb::number(text_io::json_held(&value, &facts.format)?, to);
            convert(number, to, facts)
        }
        (3904..=3913 | 3926 | 3927, _) | (_, 790) | (790, _) => unsupported(from, to),
        _ if value.pg.is_array() && to.is_array() => array(value, to, facts),
        _ => unsupported(from, to),
    }
}

fn unsupported(from: u32, to: PgType) -> Result<Bound> {
    Err(Error::unsupported(format!("a cast from type {} to {} is not supported", type_name(from), type_name(to.oid))))
}

/// Arrays whose elements are binary coercible keep their text; others would need every element cast.
fn array(value: Bound, to: PgType, facts: &SessionFacts) -> Result<Bound> {
    let text = |pg: PgType| pg.element().is_some_and(|element| matches!(element.oid, 25 | 1043));
    if text(value.pg) && text(to) {
        return Ok(Bound { pg: to, ..value });
    }
    if value.arrow == DataType::Utf8View && by_text(value.pg, to) {
        return text_io::from_text(Bound { pg: PgType::TEXT, ..value }, to, &facts.format);
    }
    unsupported(value.pg.oid, to)
}

/// Whether the text of each element reads as what its cast makes of it.
fn by_text(from: PgType, to: PgType) -> bool {
    let (Some(from), Some(to)) = (from.element(), to.element()) else { return false };
    match (from.oid, to.oid) {
        // Casts that round, and texts that are another than the output.
        (700 | 701 | 1700, 20 | 21 | 23) | (700 | 701, 1700) | (700, 701) => false,
        (16 | 18 | 650 | 869 | 1042, 25 | 1042 | 1043) => false,
        (16, 23) | (23, 16) => false,
        _ => true,
    }
}

fn narrow(value: Bound, to: PgType) -> Expr {
    let name = format!("{}_{}", value.pg.name(), to.name());
    let returns = storage(to);
    match (value.pg.oid, to.oid) {
        (23, 21) => map::<Int32Type, Int16Type>(&name, value.expr, returns, |v| {
            i16::try_from(v).map_err(|_| out_of_range(PgType::INT2))
        }),
        (20, 21) => map::<Int64Type, Int16Type>(&name, value.expr, returns, |v| {
            i16::try_from(v).map_err(|_| out_of_range(PgType::INT2))
        }),
        _ => {
            let wide = native(value.expr, DataType::Int64);
            map::<Int64Type, Int32Type>(&name, wide, returns, |v| {
                i32::try_from(v).map_err(|_| out_of_range(PgType::INT4))
            })
        }
    }
}

fn int_to_numeric(value: Bound) -> Bound {
    if let Some(constant) = value.constant().filter(|constant| !constant.is_null())
        && let Ok(number) = Numeric::parse(&constant.to_string())
    {
        return numeric::constant(&number).at(value.position);
    }
    let digits = match value.pg.oid {
        21 => 5,
        23 => 10,
        _ => 19,
    };
    let form = DataType::Decimal128(digits, 0);
    Bound::with_arrow(native(value.expr, form.clone()), PgType::NUMERIC, form)
}

fn numeric_to_int(value: Bound, to: PgType) -> Bound {
    let name = format!("numeric_{}", to.name());
    let returns = storage(to);
    let expr = call(name, vec![value.expr], DataType::Int64, move |args| {
        let [array] = args else { return Err(wrong_type("numeric_int8")) };
        let values = numeric::reader(array)?;
        let whole = (0..array.len())
            .map(|row| values.get(row)?.map(|number| to_integer(&number, to)).transpose().map_err(external))
            .collect::<datafusion::error::Result<Vec<_>>>()?;
        Ok(std::sync::Arc::new(arrow::array::Int64Array::from(whole)) as arrow::array::ArrayRef)
    });
    let expr = if returns == DataType::Int64 { expr } else { native(expr, returns) };
    Bound::new(expr, to)
}

fn to_integer(number: &Numeric, to: PgType) -> Result<i64> {
    if number.scale().is_none() {
        let what = if number.is_nan() { "NaN" } else { "infinity" };
        return Err(Error::unsupported(format!("cannot convert {what} to {}", type_name(to.oid))));
    }
    let whole = number.to_i64().map_err(|_| out_of_range(to))?;
    let fits = match to.oid {
        21 => i16::try_from(whole).is_ok(),
        23 => i32::try_from(whole).is_ok(),
        _ => true,
    };
    if fits { Ok(whole) } else { Err(out_of_range(to)) }
}

fn numeric_to_float(value: Bound) -> Expr {
    call("numeric_float8", vec![value.expr], DataType::Float64, |args| {
        let [array] = args else { return Err(wrong_type("numeric_float8")) };
        let result: arrow::array::Float64Array = match array.data_type() {
            DataType::Decimal128(_, scale) if (0..=22).contains(scale) => {
                let by = 10_f64.powi(i32::from(*scale));
                let scale = u32::from(scale.unsigned_abs());
                array.as_primitive::<Decimal128Type>().try_unary(|v| {
                    // Both exact: one correctly rounded division. Else by the digits, as PostgreSQL does.
                    if v.unsigned_abs() <= 1 << 53 {
                        return Ok(v as f64 / by);
                    }
                    Numeric::from_i128(v, scale).to_f64().map_err(external)
                })?
            }
            _ => {
                let values = numeric::reader(array)?;
                (0..array.len())
                    .map(|row| values.get(row)?.map(|number| number.to_f64()).transpose().map_err(external))
                    .collect::<datafusion::error::Result<Vec<_>>>()?
                    .into()
            }
        };
        Ok(std::sync::Arc::new(result) as arrow::array::ArrayRef)
    })
}

fn numeric_to_real(value: Bound) -> Expr {
    call("numeric_float4", vec![value.expr], DataType::Float32, |args| {
        let [array] = args else { return Err(wrong_type("numeric_float4")) };
        let values = numeric::reader(array)?;
        let result = (0..array.len())
            .map(|row| values.get(row)?.map(|number| number.to_f32()).transpose().map_err(external))
            .collect::<datafusion::error::Result<arrow::array::Float32Array>>()?;
        Ok(std::sync::Arc::new(result) as arrow::array::ArrayRef)
    })
}

fn narrow_float(value: Expr) -> Expr {
    map::<Float64Type, Float32Type>("float8_float4", value, DataType::Float32, |v| {
        let narrow = v as f32;
        if narrow.is_infinite() && !v.is_infinite() {
            return Err(Error::client(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow"));
        }
        if narrow == 0.0 && v != 0.0 {
            return Err(Error::client(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow"));
        }
        Ok(narrow)
    })
}

/// Half to even, as rint() does, then checked.
fn float_to_int(value: Bound, to: PgType) -> Expr {
    let wide = if value.pg.oid == 700 { native(value.expr, DataType::Float64) } else { value.expr };
    let check = move |v: f64| -> Result<i64> {
        let whole = v.round_ties_even();
        let (low, high) = match to.oid {
            21 => (-32768.0, 32768.0),
            23 => (-2_147_483_648.0, 2_147_483_648.0),
            _ => (-9_223_372_036_854_775_808.0, 9_223_372_036_854_775_808.0),
        };
        if whole.is_nan() || whole < low || whole >= high { Err(out_of_range(to)) } else { Ok(whole as i64) }
    };
    let name = format!("float8_{}", to.name());
    let whole = map::<Float64Type, Int64Type>(&name, wide, DataType::Int64, check);
    if to.oid == 20 { whole } else { native(whole, storage(to)) }
}

fn float_to_numeric(value: Bound) -> Bound {
    let single = value.pg.oid == 700;
    let name = if single { "float4_numeric" } else { "float8_numeric" };
    let expr = call(name, vec![value.expr], DataType::Utf8View, move |args| {
        let [array] = args else { return Err(wrong_type(name)) };
        if let Some(floats) = array.as_primitive_opt::<Float32Type>() {
            return numeric::texts(array.len(), |row| {
                Ok((!floats.is_null(row)).then(|| Numeric::from_f32(floats.value(row))))
            });
        }
        let floats = array.as_primitive_opt::<Float64Type>().ok_or_else(|| wrong_type(name))?;
        numeric::texts(array.len(), |row| Ok((!floats.is_null(row)).then(|| Numeric::from_f64(floats.value(row)))))
    });
    Bound::with_arrow(expr, PgType::NUMERIC, DataType::Utf8View)
}

/// The first 63 bytes, whole characters.
fn times(value: Bound, to: PgType, facts: &SessionFacts) -> Result<Bound> {
    let zone = facts.format.time_zone.clone();
    let label = |what: &str| format!("{what}[{}]", zone.name());
    let returns = storage(to);
    let from = value.pg.oid;
    let expr = match (from, to.oid) {
        (1082, 1114) => match value.constant() {
            Some(ScalarValue::Date32(Some(day))) => {
                let micros = datetime::date_to_timestamp(*day)?;
                Expr::Literal(ScalarValue::TimestampMicrosecond(Some(micros), None), None)
            }
            _ => map::<Date32Type, TimestampMicrosecondType>(
                "date_timestamp",
                value.expr,
                returns,
                datetime::date_to_timestamp,
            ),
        },
        (1082, 1184) => map::<Date32Type, TimestampMicrosecondType>(&label("date_timestamptz"), value.expr, returns, {
            let zone = zone.clone();
            move |day| datetime::local_to_instant(datetime::date_to_timestamp(day)?, &zone)
        }),
        (1114, 1184) => map::<TimestampMicrosecondType, TimestampMicrosecondType>(
            &label("timestamp_timestamptz"),
            value.expr,
            returns,
            {
                let zone = zone.clone();
                move |local| datetime::local_to_instant(local, &zone)
            },
        ),
        (1184, 1114) => map::<TimestampMicrosecondType, TimestampMicrosecondType>(
            &label("timestamptz_timestamp"),
            value.expr,
            returns,
            {
                let zone = zone.clone();
                move |instant| datetime::instant_to_local(instant, &zone)
            },
        ),
        (1114, 1082) => map::<TimestampMicrosecondType, Date32Type>(
            "timestamp_date",
            value.expr,
            returns,
            datetime::timestamp_to_date,
        ),
        (1184, 1082) => map::<TimestampMicrosecondType, Date32Type>(&label("timestamptz_date"), value.expr, returns, {
            let zone = zone.clone();
            move |instant| datetime::timestamp_to_date(datetime::instant_to_local(instant, &zone)?)
        }),
        // An infinite timestamp has no time of day: NULL in PostgreSQL, an error here would be another answer.
        (1114 | 1184, 1083) => return unsupported(from, to),
        (1083, 1186) => number_rows::<IntervalMonthDayNanoType>("time_interval", vec![value.expr], returns, |row| {
            let micros = row.number::<Time64MicrosecondType>(0)?;
            Ok(arrow::datatypes::IntervalMonthDayNano::new(0, 0, micros * 1000))
        }),
        (1186, 1083) => number_rows::<Time64MicrosecondType>("interval_time", vec![value.expr], returns, |row| {
            let interval = row.number::<IntervalMonthDayNanoType>(0)?;
            Ok((interval.nanoseconds / 1000).rem_euclid(86_400_000_000))
        }),
        _ => return unsupported(from, to),
    };
    Ok(Bound::new(expr, to))
}
