//! Statements that look at catalogs and fail: a tool's question that nobody answered is counted and listed.
//! Must not know: how catalogs are filled.

use std::time::SystemTime;

use crate::catalog::Virtuals;
use crate::error::{Error, SqlState};
use crate::history::{Entry, Event, Events};
use crate::metrics::Metrics;
use crate::sql::Scope;

/// Whether a statement asks PostgreSQL's catalogs, by what it names: also where nothing of the name is there.
pub(super) fn asks_catalogs(scope: &Scope, virtuals: &Virtuals) -> bool {
    let schema = |name: &str| matches!(name, "pg_catalog" | "information_schema");
    let relation = scope.relations.iter().any(|table| match &table.schema {
        Some(named) => schema(named),
        None => table.table.starts_with("pg_") || virtuals.get("pg_catalog", &table.table).is_some(),
    });
    relation
        || scope.functions.iter().any(|function| match &function.schema {
            Some(named) => named == "information_schema",
            None => function.name.starts_with("pg_get_") || function.name.starts_with("has_"),
        })
}

/// The same of a text that could not be read.
fn mentions_catalogs(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["pg_catalog.", "information_schema.", " pg_"].iter().any(|word| text.contains(word))
}

/// Counts and lists a statement that has failed, if it asked catalogs. What was cancelled or met a limit did not fail to be answered.
pub(super) fn failed(metrics: &Metrics, events: &Events, entry: &Entry, error: &Error) {
    let progress = entry.progress();
    let asked = progress.asks_catalogs || (progress.route.is_empty() && mentions_catalogs(&entry.begun.query));
    let ended = [SqlState::QUERY_CANCELED, SqlState::IN_FAILED_SQL_TRANSACTION].contains(&error.state());
    if !asked || ended {
        return;
    }
    metrics.catalog_errors().inc();
    events.add(Event {
        happened_at: SystemTime::now(),
        kind: "catalog_error",
        user_name: Some(entry.begun.user_name.clone()),
        session_id: Some(entry.begun.session_id),
        query_id: Some(entry.begun.query_id.clone()),
        sqlstate: Some(error.state().code().to_owned()),
        message: error.message().to_owned(),
        query: Some(entry.begun.query.clone()),
    });
}
