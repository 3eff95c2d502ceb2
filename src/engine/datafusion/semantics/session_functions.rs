//! Functions that answer from the session's facts: constants of one statement.
//! Must not know: sessions; the facts are given.

use arrow::datatypes::{DataType, Field};
use datafusion::logical_expr::utils::find_aggregate_exprs;
use datafusion::logical_expr::{Expr, when};
use datafusion::scalar::ScalarValue;
use std::net::IpAddr;
use std::sync::Arc;

use super::datetime::{instant_to_local, timestamp_to_date};
use super::errors::from_datafusion;
use super::facts::SessionFacts;
use super::fold::fold;
use super::kernel::failing;
use super::value::{Bound, Unknown};
use crate::error::{Error, Result, SqlState};
use crate::names;
use crate::types::PgType;

/// The oid of `inet`.
const INET: u32 = 869;

fn text(value: &str, pg: PgType) -> Bound {
    Bound::literal(ScalarValue::Utf8View(Some(value.to_owned())), pg)
}

fn instant(micros: i64) -> Bound {
    Bound::literal(ScalarValue::TimestampMicrosecond(Some(micros), Some("+00:00".into())), PgType::TIMESTAMPTZ)
}

/// Cuts microseconds to so many digits of a second, half up.
fn to_precision(micros: i64, digits: Option<i32>) -> i64 {
    let unit = 10_i64.pow(6 - digits.unwrap_or(6).clamp(0, 6) as u32);
    (micros + unit / 2).div_euclid(unit) * unit
}

/// `current_date` and its kin, with the precision some of them take.
pub(super) fn keyword(name: &str, precision: Option<i32>, facts: &SessionFacts) -> Result<Option<Bound>> {
    let now = to_precision(facts.now_micros, precision);
    let local = || instant_to_local(now, &facts.format.time_zone);
    Ok(Some(match name {
        "current_date" => Bound::literal(ScalarValue::Date32(Some(timestamp_to_date(local()?)?)), PgType::DATE),
        "current_timestamp" => instant(now),
        "localtimestamp" => Bound::literal(ScalarValue::TimestampMicrosecond(Some(local()?), None), PgType::TIMESTAMP),
        "localtime" => {
            let time = local()?.rem_euclid(super::datetime::DAY);
            Bound::literal(ScalarValue::Time64Microsecond(Some(time)), PgType::TIME)
        }
        "current_user" | "session_user" | "user" | "current_role" => text(&facts.user, PgType::NAME),
        "current_catalog" => text(&facts.database, PgType::NAME),
        "current_schema" => schema(facts),
        _ => return Ok(None),
    }))
}

fn schema(facts: &SessionFacts) -> Bound {
    match facts.search_path.first() {
        Some(first) => text(first, PgType::NAME),
        None => Bound::literal(ScalarValue::Utf8View(None), PgType::NAME),
    }
}

/// The functions that answer from the facts.
pub(super) const NAMES: &[&str] = &[
    "current_database",
    "current_schema",
    "current_schemas",
    "current_setting",
    "getdatabaseencoding",
    "inet_client_addr",
    "inet_client_port",
    "inet_server_addr",
    "inet_server_port",
    "now",
    "pg_backend_pid",
    "pg_client_encoding",
    "pg_conf_load_time",
    "pg_is_in_recovery",
    "pg_postmaster_start_time",
    "pg_typeof",
    "statement_timestamp",
    "transaction_timestamp",
    "version",
];

/// A function that answers from the facts; none if the name is none of them.
pub(super) fn call(name: &str, args: &[Bound], facts: &SessionFacts) -> Result<Option<Bound>> {
    let found = match (name, args) {
        ("now" | "transaction_timestamp" | "statement_timestamp", []) => instant(facts.now_micros),
        ("current_timestamp" | "localtimestamp" | "localtime", [precision]) => {
            let Some(ScalarValue::Int32(Some(digits))) = precision.constant() else { return Ok(None) };
            return keyword(name, Some(*digits), facts);
        }
        ("current_database", []) => text(&facts.database, PgType::NAME),
        ("current_schema", []) => schema(facts),
        ("current_schemas", [implicit]) => schemas(implicit, facts)?,
        ("version", []) => text(&names::version(), PgType::TEXT),
        ("pg_backend_pid", []) => Bound::literal(ScalarValue::Int32(Some(facts.pid)), PgType::INT4),
        ("pg_postmaster_start_time" | "pg_conf_load_time", []) => instant(facts.started_micros),
        ("getdatabaseencoding" | "pg_client_encoding", []) => text("UTF8", PgType::NAME),
        ("inet_client_addr", []) => address(facts.client),
        ("inet_client_port", []) => port(facts.client),
        ("inet_server_addr", []) => address(facts.server),
        ("inet_server_port", []) => port(facts.server),
        ("pg_is_in_recovery", []) => Bound::literal(ScalarValue::Boolean(Some(false)), PgType::BOOL),
        // What may change while the statement runs is looked up then.
        ("current_setting", _) if facts.settings_change => return Ok(None),
        ("current_setting", [name]) => return setting(name, false, facts),
        ("current_setting", [name, missing_ok]) => match fold(missing_ok.clone()).constant() {
            Some(ScalarValue::Boolean(Some(missing_ok))) => return setting(name, *missing_ok, facts),
            _ => return Ok(None),
        },
        // A literal that is of no type yet ends with a byte of its own.
        ("pg_column_size", [Bound { unknown: Some(Unknown::Text(text)), .. }]) => {
            let size = i32::try_from(text.len() + 1).unwrap_or(i32::MAX);
            Bound::literal(ScalarValue::Int32(Some(size)), PgType::INT4)
        }
        ("pg_typeof", [value]) => {
            let name = text(&super::value::type_name(value.pg.oid), PgType::REGTYPE);
            if find_aggregate_exprs([&value.expr]).is_empty() {
                return Ok(Some(name));
            }
            // Its value tells nothing, but that there is one row for a group.
            let either = when(value.expr.clone().is_null(), name.expr.clone()).otherwise(name.expr.clone());
            Bound { expr: either.map_err(from_datafusion)?, ..name }
        }
        _ => return Ok(None),
    };
    Ok(Some(found))
}

/// The address of one end of the connection.
fn address(end: Option<(IpAddr, u16)>) -> Bound {
    let address = end.map(|(address, _)| address.to_string());
    Bound::literal(ScalarValue::Utf8View(address), PgType::new(INET))
}

fn port(end: Option<(IpAddr, u16)>) -> Bound {
    Bound::literal(ScalarValue::Int32(end.map(|(_, port)| i32::from(port))), PgType::INT4)
}

fn schemas(implicit: &Bound, facts: &SessionFacts) -> Result<Bound> {
    let Some(ScalarValue::Boolean(Some(implicit))) = implicit.constant() else {
        return Err(Error::unsupported("current_schemas with an argument that is not a constant is not supported"));
    };
    let mut names: Vec<ScalarValue> = Vec::new();
    if *implicit && !facts.search_path.iter().any(|schema| schema == "pg_catalog") {
        names.push(ScalarValue::Utf8View(Some("pg_catalog".to_owned())));
    }
    names.extend(facts.search_path.iter().map(|schema| ScalarValue::Utf8View(Some(schema.clone()))));
    let list = ScalarValue::List(ScalarValue::new_list(&names, &DataType::Utf8View, true));
    let arrow = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8View, true)));
    Ok(Bound::with_arrow(Expr::Literal(list, None), PgType::NAME_ARRAY, arrow))
}

/// The value of a setting with a constant name; none for a name that is computed.
fn setting(name: &Bound, missing_ok: bool, facts: &SessionFacts) -> Result<Option<Bound>> {
    let name = match (&name.unknown, fold(name.clone()).constant()) {
        (Some(Unknown::Text(name)), _) => name.clone(),
        (_, Some(ScalarValue::Utf8View(Some(name)))) => name.clone(),
        (Some(Unknown::Null), _) | (_, Some(ScalarValue::Utf8View(None))) => {
            return Ok(Some(Bound::literal(ScalarValue::Utf8View(None), PgType::TEXT)));
        }
        _ => return Ok(None),
    };
    match (facts.setting)(&name.to_ascii_lowercase()) {
        Some(value) => Ok(Some(text(&value, PgType::TEXT))),
        None if missing_ok => Ok(Some(Bound::literal(ScalarValue::Utf8View(None), PgType::TEXT))),
        None => Ok(Some(Bound::new(failing(Vec::new(), DataType::Utf8View, no_setting(&name)), PgType::TEXT))),
    }
}

/// `42704`.
pub(in crate::engine::datafusion) fn no_setting(name: &str) -> Error {
    Error::client(SqlState::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""))
}
