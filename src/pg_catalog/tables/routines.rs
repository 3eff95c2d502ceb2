//! Procedures in the standard's views.
//! Must not know: how a procedure runs.

use super::information_schema::data_type;
use crate::pg_catalog::PG_CATALOG;
use crate::pg_catalog::facts::{self, Procedure};
use crate::pg_catalog::relation::{Looking, Rows, Value};
use crate::types::PgType;

fn schema(procedure: &Procedure) -> &'static str {
    if procedure.namespace == PG_CATALOG { "pg_catalog" } else { "information_schema" }
}

/// Aggregates and window functions are no routines.
fn routines_of() -> impl Iterator<Item = &'static Procedure> {
    facts::listed_procedures().filter(|procedure| matches!(procedure.kind, "f" | "p"))
}

fn named(looking: &Looking<'_>, procedure: &Procedure) -> Vec<(&'static str, Value)> {
    vec![
        ("specific_catalog", looking.viewer.database.as_str().into()),
        ("specific_schema", schema(procedure).into()),
        ("specific_name", format!("{}_{}", procedure.name, procedure.oid).into()),
    ]
}

pub(super) fn routines(looking: &Looking<'_>, rows: &mut Rows) {
    for procedure in routines_of() {
        let returns = PgType::new(procedure.returns);
        let mut row = named(looking, procedure);
        row.extend([
            ("routine_catalog", looking.viewer.database.as_str().into()),
            ("routine_schema", schema(procedure).into()),
            ("routine_name", procedure.name.into()),
            ("routine_type", if procedure.kind == "p" { "PROCEDURE" } else { "FUNCTION" }.into()),
            ("data_type", data_type(returns).into()),
            ("type_udt_catalog", looking.viewer.database.as_str().into()),
            ("type_udt_schema", "pg_catalog".into()),
            ("type_udt_name", returns.name().into()),
            ("dtd_identifier", "0".into()),
            ("routine_body", "EXTERNAL".into()),
            ("external_name", procedure.name.into()),
            ("external_language", "INTERNAL".into()),
            ("parameter_style", "GENERAL".into()),
            ("is_deterministic", if procedure.volatility == "i" { "YES" } else { "NO" }.into()),
            ("sql_data_access", "MODIFIES".into()),
            ("is_null_call", if procedure.strict { "YES" } else { "NO" }.into()),
            ("schema_level_routine", "YES".into()),
            ("max_dynamic_result_sets", 0i64.into()),
            ("security_type", "INVOKER".into()),
            ("as_locator", "NO".into()),
            ("is_udt_dependent", "NO".into()),
        ]);
        rows.push(&row);
    }
}

pub(super) fn parameters(looking: &Looking<'_>, rows: &mut Rows) {
    for procedure in routines_of() {
        for (place, ty) in (1i64..).zip(&procedure.arguments) {
            let ty = PgType::new(*ty);
            let mut row = named(looking, procedure);
            row.extend([
                ("ordinal_position", place.into()),
                ("parameter_mode", "IN".into()),
                ("is_result", "NO".into()),
                ("as_locator", "NO".into()),
                ("data_type", data_type(ty).into()),
                ("udt_catalog", looking.viewer.database.as_str().into()),
                ("udt_schema", "pg_catalog".into()),
                ("udt_name", ty.name().into()),
                ("dtd_identifier", place.to_string().into()),
            ]);
            rows.push(&row);
        }
    }
}
