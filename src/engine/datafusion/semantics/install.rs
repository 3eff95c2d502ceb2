//! A session's state under PostgreSQL's semantics: settings, and nothing of DataFusion's own that a name could reach.
//! Must not know: catalogs, policy.

use std::sync::Arc;

use datafusion::execution::SessionStateBuilder;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::first_last::{first_value_udaf, last_value_udaf};
use datafusion::optimizer::AnalyzerRule;
use datafusion::optimizer::analyzer::resolve_grouping_function::ResolveGroupingFunction;
use datafusion::prelude::SessionConfig;

use super::evaluation::{self, EvaluationOrder};
use super::membership::Membership;
use super::spread::Planner;

/// Puts the semantics on a session's state: no functions by name (the binder resolves PostgreSQL's own), no rules that coerce types
/// (every expression comes with its casts), settings of the SQL parts.
///
/// Functions that are added to the state afterwards (`with_scalar_functions`) can be called by their name: `tusk.refresh` with its
/// schema, `pg_get_userbyid` in place of PostgreSQL's own of that name.
#[must_use]
pub fn install(mut builder: SessionStateBuilder) -> SessionStateBuilder {
    let config = builder.config().take().unwrap_or_default();
    let rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> =
        vec![Arc::new(ResolveGroupingFunction::new()), Arc::new(Membership), Arc::new(EvaluationOrder)];
    builder
        .with_config(configured(config))
        .with_analyzer_rules(rules)
        .with_optimizer_rules(evaluation::optimizer_rules())
        .with_query_planner(Arc::new(Planner))
        .with_expr_planners(Vec::new())
        .with_scalar_functions(Vec::new())
        // DataFusion's optimizer looks these up by name; the binder does not.
        .with_aggregate_functions(vec![first_value_udaf(), last_value_udaf(), count_udaf()])
        .with_window_functions(Vec::new())
        .with_table_function_list(Vec::new())
}

fn configured(mut config: SessionConfig) -> SessionConfig {
    let options = config.options_mut();
    options.sql_parser.parse_float_as_decimal = true;
    options.sql_parser.enable_ident_normalization = true;
    options.sql_parser.map_string_types_to_utf8view = true;
    options.sql_parser.collect_spans = true;
    "nulls_max".clone_into(&mut options.sql_parser.default_null_ordering);
    options.execution.time_zone = Some("+00:00".to_owned());
    options.optimizer.expand_views_at_output = false;
    // It passes over aggregates whose argument is no column, and then keeps rows from them that they need.
    options.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    // `x IS TRUE` is never NULL, and DataFusion's physical form of it says it may be: no reason to refuse the statement.
    options.execution.skip_physical_aggregate_schema_check = true;
    config
}
