//! Comparisons: left to DataFusion where its order is PostgreSQL's, made over keys where it is not.
//! Must not know: SQL.

use arrow::datatypes::{DataType, Date32Type, TimestampMicrosecondType};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use datafusion::scalar::ScalarValue;

use super::super::cast::native;
use super::super::datetime;
use super::super::fold::fold;
use super::super::keys::{blank_trimmed, float_key, interval_key, is_plain, is_plain_equality, numeric_key};
use super::super::lift::map;
use super::super::value::Bound;
use super::super::{numeric, own};
use crate::error::{Error, Result};
use crate::types::{PgType, TimeZone, storage};

/// What the last letters of a comparison's implementation say.
fn operator(source: &str) -> Option<(&str, Operator)> {
    const TIMES: [&str; 9] = [
        "date",
        "timestamp",
        "timestamptz",
        "time",
        "interval",
        "date_timestamp",
        "date_timestamptz",
        "timestamp_date",
        "timestamp_timestamptz",
    ];
    let plain = |suffix: &str| match suffix {
        "eq" => Some(Operator::Eq),
        "ne" => Some(Operator::NotEq),
        "lt" => Some(Operator::Lt),
        "le" => Some(Operator::LtEq),
        "gt" => Some(Operator::Gt),
        "ge" => Some(Operator::GtEq),
        _ => None,
    };
    // text_lt, date_eq_timestamp, timestamp_lt_date: the operator is a word of its own.
    for (left, rest) in source.match_indices('_').map(|(at, _)| (&source[..at], &source[at + 1..])) {
        let (word, right) = rest.split_once('_').unwrap_or((rest, ""));
        if let Some(op) = plain(word) {
            let known = ["text", "numeric", "uuid", "bpchar", "network", "bit", "varbit", "macaddr", "pg_lsn", "enum"];
            if known.contains(&left) || TIMES.contains(&left) {
                let _ = right;
                return Some((left, op));
            }
        }
    }
    // nameeqtext, texteqname.
    for (left, right) in [("name", "text"), ("text", "name")] {
        if let Some(op) = source.strip_prefix(left).and_then(|rest| rest.strip_suffix(right)).and_then(plain) {
            return Some((left, op));
        }
    }
    let (left, op) = source.split_at_checked(source.len().checked_sub(2)?)?;
    const RUN_TOGETHER: [&str; 24] = [
        "int2", "int4", "int8", "int24", "int42", "int28", "int82", "int48", "int84", "float4", "float8", "float48",
        "float84", "text", "bpchar", "name", "bool", "char", "oid", "bytea", "uuid", "nametext", "textname", "xid",
    ];
    (RUN_TOGETHER.contains(&left)).then(|| plain(op).map(|op| (left, op))).flatten()
}

/// A comparison by the name of its implementation.
pub(super) fn implement(source: &str, args: &[Bound], zone: &TimeZone) -> Result<Option<Bound>> {
    let Some((_, op)) = operator(source) else { return Ok(None) };
    let [left, right] = args else { return Ok(None) };
    compare(op, in_zone(left, right, zone), in_zone(right, left, zone)).map(Some)
}

/// A local time beside an instant: the instant that it is in the session's zone.
fn in_zone(value: &Bound, beside: &Bound, zone: &TimeZone) -> Bound {
    if beside.pg.oid != PgType::TIMESTAMPTZ.oid || !matches!(value.pg.oid, 1082 | 1114) {
        return value.clone();
    }
    // What lies beyond all instants comes before infinity.
    const LAST: i64 = i64::MAX - 1;
    let name = format!("instant_of({})[{}]", value.pg.name(), zone.name());
    let zone = zone.clone();
    let instant = move |local: i64| Ok(datetime::local_to_instant(local, &zone).unwrap_or(LAST));
    let (arg, out) = (value.expr.clone(), storage(PgType::TIMESTAMPTZ));
    let expr = match value.pg.oid {
        1082 => map::<Date32Type, TimestampMicrosecondType>(&name, arg, out, move |day| {
            instant(datetime::date_to_timestamp(day).unwrap_or(LAST))
        }),
        _ => map::<TimestampMicrosecondType, TimestampMicrosecondType>(&name, arg, out, instant),
    };
    Bound::new(expr, PgType::TIMESTAMPTZ)
}

/// `left op right` over values that PostgreSQL compares with each other.
pub(super) fn compare(op: Operator, left: Bound, right: Bound) -> Result<Bound> {
    let (left, right) = (fold(left), fold(right));
    let (l, r) = match (left.pg.oid, right.pg.oid) {
        (1700, _) | (_, 1700) => return Ok(numbers(op, left, right)),
        (700 | 701, _) | (_, 700 | 701) => return Ok(floats(op, left, right)),
        (1042, _) | (_, 1042) => blank_padded(op, left, right),
        _ if own::is_enum(left.pg) && left.pg == right.pg && !matches!(op, Operator::Eq | Operator::NotEq) => (
            fold(Bound::new(own::place(&left)?, PgType::INT4)).expr,
            fold(Bound::new(own::place(&right)?, PgType::INT4)).expr,
        ),
        (1186, 1186) => (interval_key(left.expr), interval_key(right.expr)),
        (1082, 1114) | (1114, 1082) => return dates(op, left, right),
        (a, b) if whole(a) && whole(b) => integers(left, right),
        (1082 | 1114, 1184) | (1184, 1082 | 1114) => {
            return Err(Error::unsupported("comparing timestamps with and without time zone is not supported"));
        }
        _ => {
            let equality = matches!(op, Operator::Eq | Operator::NotEq);
            let fine = |value: &Bound| is_plain(value) || (equality && is_plain_equality(value));
            if !fine(&left) || !fine(&right) || left.arrow != right.arrow {
                return Err(Error::unsupported(format!(
                    "comparing types {} and {} is not supported",
                    left.type_name(),
                    right.type_name()
                )));
            }
            (left.expr, right.expr)
        }
    };
    Ok(truth(l, op, r))
}

fn truth(left: Expr, op: Operator, right: Expr) -> Bound {
    Bound::new(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))), PgType::BOOL)
}

fn whole(oid: u32) -> bool {
    matches!(oid, 20 | 21 | 23)
}

/// `character(n)`: blanks at the end do not count. Values of one declared length are equal as they stand, and a constant is padded
/// to that length, so that the column itself is compared.
fn blank_padded(op: Operator, left: Bound, right: Bound) -> (Expr, Expr) {
    if matches!(op, Operator::Eq | Operator::NotEq) {
        let lengths = (left.pg.declared_length(), right.pg.declared_length());
        if lengths.0.is_some() && lengths.0 == lengths.1 && left.pg.oid == right.pg.oid {
            return (left.expr, right.expr);
        }
        let padded = |value: &Bound, length: Option<i32>| match (value.constant(), length) {
            (Some(ScalarValue::Utf8View(Some(text))), Some(length)) => {
                let text = text.trim_end_matches(' ');
                let missing = usize::try_from(length).unwrap_or(0).saturating_sub(text.chars().count());
                Some(Expr::Literal(ScalarValue::Utf8View(Some(format!("{text}{}", " ".repeat(missing)))), None))
            }
            _ => None,
        };
        if let Some(constant) = padded(&right, lengths.0).filter(|_| left.pg.oid == 1042) {
            return (left.expr, constant);
        }
        if let Some(constant) = padded(&left, lengths.1).filter(|_| right.pg.oid == 1042) {
            return (constant, right.expr);
        }
    }
    (trimmed(left), trimmed(right))
}

fn trimmed(value: Bound) -> Expr {
    match value.constant() {
        Some(ScalarValue::Utf8View(Some(text))) => {
            Expr::Literal(ScalarValue::Utf8View(Some(text.trim_end_matches(' ').to_owned())), None)
        }
        _ if value.pg.oid == 1042 || value.pg.oid == 25 => blank_trimmed(value.expr),
        _ => value.expr,
    }
}

/// Integers of two widths: a constant takes the column's width if it fits, else the narrow side is widened.
fn integers(left: Bound, right: Bound) -> (Expr, Expr) {
    if left.arrow == right.arrow {
        return (left.expr, right.expr);
    }
    let fitted = |value: &Bound, to: &DataType| -> Option<Expr> {
        let constant = value.constant()?;
        let same = constant.cast_to(to).ok()?;
        // Back and forth: the value must survive.
        (same.cast_to(&constant.data_type()).ok().as_ref() == Some(constant)).then(|| Expr::Literal(same, None))
    };
    if let Some(expr) = fitted(&right, &left.arrow) {
        return (left.expr, expr);
    }
    if let Some(expr) = fitted(&left, &right.arrow) {
        return (expr, right.expr);
    }
    let wide =
        |value: Bound| if value.arrow == DataType::Int64 { value.expr } else { native(value.expr, DataType::Int64) };
    (wide(left), wide(right))
}

fn numbers(op: Operator, left: Bound, right: Bound) -> Bound {
    let decimal = |value: Bound| match value.scaled {
        Some(scaled) => Bound::with_arrow(scaled.value, value.pg, scaled.form),
        None => value,
    };
    let (left, right) = (decimal(left), decimal(right));
    let fitted = |value: &Bound, to: &Bound| {
        let constant = value.constant()?;
        numeric::shrink_literal(constant, &to.arrow).map(|same| Expr::Literal(same, None))
    };
    if let Some(expr) = fitted(&right, &left) {
        return truth(left.expr, op, expr);
    }
    if let Some(expr) = fitted(&left, &right) {
        return truth(expr, op, right.expr);
    }
    match numeric::common_decimal(&left.arrow, &right.arrow) {
        Some(form) => truth(numeric::as_form(left, &form).expr, op, numeric::as_form(right, &form).expr),
        None => truth(numeric_key(left.expr), op, numeric_key(right.expr)),
    }
}

/// Floats: NaN is equal to itself and above everything, zero has no sign.
fn floats(op: Operator, left: Bound, right: Bound) -> Bound {
    let wide = |value: Bound| -> Bound {
        if value.pg.oid == 701 {
            value
        } else {
            fold(Bound::new(native(value.expr, DataType::Float64), PgType::FLOAT8))
        }
    };
    let (left, right) = (wide(left), wide(right));
    // Against a constant that is neither zero nor NaN the stored form of a column will do, so that files can be skipped by it. Only
    // a NaN with its sign bit set is out of place there: below everything.
    let steady =
        |value: &Bound| matches!(value.constant(), Some(ScalarValue::Float64(Some(v))) if *v != 0.0 && !v.is_nan());
    let lowest = || Expr::Literal(ScalarValue::Float64(Some(f64::NEG_INFINITY)), None);
    let (column, from_right) = match (steady(&left), steady(&right)) {
        (_, true) => (left.expr.clone(), false),
        (true, false) => (right.expr.clone(), true),
        _ => return truth(float_key(left.expr), op, float_key(right.expr)),
    };
    let below =
        matches!((op, from_right), (Operator::Lt | Operator::LtEq, false) | (Operator::Gt | Operator::GtEq, true));
    let above =
        matches!((op, from_right), (Operator::Gt | Operator::GtEq, false) | (Operator::Lt | Operator::LtEq, true));
    let plain = truth(left.expr, op, right.expr).expr;
    let expr = if below {
        plain.and(column.gt_eq(lowest()))
    } else if above {
        plain.or(column.lt(lowest()))
    } else {
        plain
    };
    Bound::new(expr, PgType::BOOL)
}

/// A date is its midnight. Against a constant the date stays a date where the constant is a midnight.
fn dates(op: Operator, left: Bound, right: Bound) -> Result<Bound> {
    const DAY: i64 = 86_400_000_000;
    let as_date = |value: &Bound| match value.constant() {
        Some(ScalarValue::TimestampMicrosecond(Some(t), None)) if t % DAY == 0 && *t != i64::MAX && *t != i64::MIN => {
            i32::try_from(t / DAY).ok().map(|day| Expr::Literal(ScalarValue::Date32(Some(day)), None))
        }
        _ => None,
    };
    if let Some(day) = as_date(&right).filter(|_| left.pg.oid == 1082) {
        return Ok(truth(left.expr, op, day));
    }
    if let Some(day) = as_date(&left).filter(|_| right.pg.oid == 1082) {
        return Ok(truth(day, op, right.expr));
    }
    let as_timestamp = |value: Bound| {
        if value.pg.oid == 1114 { value.expr } else { super::times::date_as_timestamp(value.expr) }
    };
    Ok(truth(as_timestamp(left), op, as_timestamp(right)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn implementations_are_recognised() {
        for (source, op) in [
            ("int4eq", Operator::Eq),
            ("int48lt", Operator::Lt),
            ("texteq", Operator::Eq),
            ("text_ge", Operator::GtEq),
            ("date_eq_timestamp", Operator::Eq),
            ("timestamp_lt_date", Operator::Lt),
            ("numeric_ne", Operator::NotEq),
            ("float84gt", Operator::Gt),
            ("booleq", Operator::Eq),
        ] {
            assert_eq!(operator(source).map(|(_, op)| op), Some(op), "{source}");
        }
        for source in ["int4pl", "textlike", "date_part", "array_eq", "jsonb_eq", "int4_accum"] {
            assert!(operator(source).is_none(), "{source}");
        }
    }
}
