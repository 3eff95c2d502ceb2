//! What of PostgreSQL's functions is offered here, found out by asking for each of them.
//! Must not know: who wants to know.

use std::sync::Arc;

use datafusion::logical_expr::{Expr, SortExpr};

use super::aggregates::{Aggregate, build};
use super::cast::Typing;
use super::facts::{Nowhere, SessionFacts};
use super::json_sets::is_set_of_json;
use super::ops::implement;
use super::pg::{self, Function};
use super::session_functions;
use super::value::Bound;
use crate::types::{FormatOptions, PgType};

/// The functions of any kind that are offered, those that a session registers aside: name and argument types as PostgreSQL declares them.
#[must_use]
pub fn offered() -> Vec<(String, Vec<u32>)> {
    let facts = SessionFacts {
        now_micros: 0,
        format: FormatOptions::default(),
        user: String::new(),
        database: String::new(),
        search_path: Vec::new(),
        client: None,
        server: None,
        transaction: 0,
        started_micros: 0,
        pid: 0,
        setting: Arc::new(|_| None),
        settings_change: false,
        acts: Arc::new(Nowhere),
        notices: Default::default(),
    };
    let mut typing = Typing::new(Arc::new(facts), &[]);
    let functions = pg::all_functions().filter(|function| has_function(function, &mut typing));
    functions.map(|function| (function.name.to_owned(), function.args.clone())).collect()
}

/// A type that a declared one may stand for.
fn concrete(declared: u32) -> PgType {
    match declared {
        2276 | 2283 | 2776 | 5077 | 5079 => PgType::INT4,
        2277 | 5078 => PgType::INT4_ARRAY,
        other => PgType::new(other),
    }
}

fn value_of(declared: u32, place: usize) -> Bound {
    Bound::new(Expr::Column(datafusion::common::Column::from_name(format!("argument{place}"))), concrete(declared))
}

fn arguments(declared: impl IntoIterator<Item = u32>) -> Vec<Bound> {
    declared.into_iter().enumerate().map(|(place, oid)| value_of(oid, place)).collect()
}

fn has_function(function: &Function, typing: &mut Typing) -> bool {
    // Only PostgreSQL's own code can call these.
    if function.args.contains(&2281) || function.returns == 2281 {
        return false;
    }
    let args = arguments(function.args.iter().copied());
    if session_functions::NAMES.contains(&function.name)
        || matches!(function.source, "json_to_record" | "jsonb_to_record")
    {
        return true;
    }
    if function.set {
        return matches!(
            function.source,
            "array_unnest"
                | "generate_subscripts"
                | "generate_subscripts_nodir"
                | "generate_series_int4"
                | "generate_series_step_int4"
                | "generate_series_int8"
                | "generate_series_step_int8"
                | "json_to_recordset"
                | "jsonb_to_recordset"
        ) || function.name == "_pg_expandarray"
            || is_set_of_json(function.source);
    }
    let returns = concrete(function.returns);
    match function.kind {
        b'w' => true,
        b'a' => {
            let json = matches!(function.source, "json_agg" | "jsonb_agg" | "json_object_agg" | "jsonb_object_agg");
            let aggregate = Aggregate { args, distinct: false, order: Vec::<SortExpr>::new(), filter: None };
            json || build(function.source, aggregate, returns).is_ok_and(|found| found.is_some())
        }
        b'f' => implement(function.source, args, returns, typing).is_ok_and(|found| found.is_some()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_is_offered_and_nothing_else() {
        let offered = offered();
        let has = |name: &str, args: &[u32]| offered.iter().any(|(known, types)| known == name && types == args);
        assert!(has("lower", &[25]) && has("count", &[2276]) && has("row_number", &[]) && has("now", &[]));
        assert!(!has("pg_read_file", &[25]) && !has("lo_import", &[25]) && !has("pg_reload_conf", &[]));
        assert!(offered.len() > 300, "{offered:?}");
    }
}
