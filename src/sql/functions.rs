//! Functions of PostgreSQL that are more than a value of their arguments: aggregates, window functions, functions that return rows.
//! Must not know: which functions exist here.

use datafusion::sql::sqlparser::ast::Function;

use super::scope::parts;

/// What a call is, where it is no plain function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// It takes many rows.
    Aggregate,
    /// It sees the rows around.
    Window,
    /// It returns rows.
    Rows,
}

/// Aggregates of PostgreSQL 15; `regr_*` are all.
const AGGREGATES: &[&str] = &[
    "any_value",
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "covar_pop",
    "covar_samp",
    "every",
    "json_agg",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_object_agg",
    "max",
    "min",
    "mode",
    "percentile_cont",
    "percentile_disc",
    "range_agg",
    "range_intersect_agg",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "string_agg",
    "sum",
    "var_pop",
    "var_samp",
    "variance",
    "xmlagg",
];

/// Functions that return rows.
const ROWS: &[&str] = &[
    "generate_series",
    "generate_subscripts",
    "json_array_elements",
    "json_array_elements_text",
    "json_each",
    "json_each_text",
    "json_object_keys",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
    "jsonb_each",
    "jsonb_each_text",
    "jsonb_object_keys",
    "jsonb_path_query",
    "regexp_matches",
    "regexp_split_to_table",
    "string_to_table",
    "unnest",
];

/// What a call is; none for a plain function.
pub(super) fn class_of(function: &Function) -> Option<Class> {
    if function.over.is_some() {
        return Some(Class::Window);
    }
    let mut parts = parts(&function.name);
    let name = parts.pop()?;
    if parts.pop().is_some_and(|schema| schema != "pg_catalog") {
        return None;
    }
    if AGGREGATES.contains(&name.as_str()) || name.starts_with("regr_") {
        return Some(Class::Aggregate);
    }
    ROWS.contains(&name.as_str()).then_some(Class::Rows)
}
