//! jsonb as a number or a truth value, where it is one.
//! Must not know: how numbers are converted further.

use arrow::datatypes::DataType;
use datafusion::logical_expr::Expr;

use super::super::lift::{text_map, truth_rows};
use super::super::value::{Bound, type_name};
use crate::error::{Error, SqlState};
use crate::types::{PgType, json_kind};

/// The number that jsonb is, as numeric. `to`: the type that was asked for.
pub(super) fn number(document: Expr, to: PgType) -> Bound {
    let text = text_map(&format!("jsonb_{}", to.name()), document, move |text| match json_kind(text) {
        "number" => Ok(text.to_owned()),
        kind => Err(no_cast(kind, to)),
    });
    Bound::with_arrow(text, PgType::NUMERIC, DataType::Utf8View)
}

/// The truth value that jsonb is.
pub(super) fn truth(document: Expr) -> Expr {
    truth_rows("jsonb_bool", vec![document], |row| match (row.text(0)?, json_kind(row.text(0)?)) {
        (text, "boolean") => Ok(text == "true"),
        (_, kind) => Err(no_cast(kind, PgType::BOOL)),
    })
}

fn no_cast(kind: &str, to: PgType) -> Error {
    let kind = if kind == "number" { "numeric" } else { kind };
    let message = format!("cannot cast jsonb {kind} to type {}", type_name(to.oid));
    Error::client(SqlState::INVALID_PARAMETER_VALUE, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_as_postgresql_has_them() {
        assert_eq!(no_cast("number", PgType::BOOL).message(), "cannot cast jsonb numeric to type boolean");
        assert_eq!(no_cast("string", PgType::INT4).message(), "cannot cast jsonb string to type integer");
        assert_eq!(no_cast("null", PgType::FLOAT8).state(), SqlState::INVALID_PARAMETER_VALUE);
    }
}
