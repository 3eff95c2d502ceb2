//! `tusk.queries`: the statements that run at this moment.
//! Must not know: how they run.

use std::sync::Arc;

use arrow::array::{Float64Array, Int32Array, StringViewArray};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::{batch, columns, list, times};
use crate::catalog::{Viewer, VirtualTable};
use crate::error::Result;
use crate::history::{Entry, Progress, Running};
use crate::types::PgType;

/// The view.
#[derive(Debug)]
pub(super) struct Queries {
    running: Running,
    schema: SchemaRef,
}

impl Queries {
    pub(super) fn new(running: Running) -> Self {
        let schema = columns(&[
            ("query_id", PgType::TEXT),
            ("session_id", PgType::INT4),
            ("user_name", PgType::TEXT),
            ("role_names", PgType::TEXT),
            ("application_name", PgType::TEXT),
            ("client_address", PgType::TEXT),
            ("started_at", PgType::TIMESTAMPTZ),
            ("duration_ms", PgType::FLOAT8),
            ("plan_ms", PgType::FLOAT8),
            ("state", PgType::TEXT),
            ("route", PgType::TEXT),
            ("route_reason", PgType::TEXT),
            ("sources", PgType::TEXT),
            ("tables", PgType::TEXT),
            ("query", PgType::TEXT),
            ("remote_sql", PgType::TEXT),
        ]);
        Queries { running, schema }
    }
}

impl VirtualTable for Queries {
    fn schema_name(&self) -> &'static str {
        "tusk"
    }

    fn name(&self) -> &'static str {
        "queries"
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn comment(&self) -> &'static str {
        "The statements that run at this moment: yours, or all for an administrator."
    }

    fn rows(&self, viewer: &Viewer) -> Result<RecordBatch> {
        let entries: Vec<(Arc<Entry>, Progress)> = self
            .running
            .list()
            .into_iter()
            .filter(|entry| viewer.admin || entry.begun.user_name == viewer.user)
            .map(|entry| {
                let progress = entry.progress();
                (entry, progress)
            })
            .collect();
        let text = |pick: &dyn Fn(&Entry, &Progress) -> String| {
            Arc::new(StringViewArray::from_iter_values(entries.iter().map(|(entry, progress)| pick(entry, progress))))
        };
        batch(
            &self.schema,
            vec![
                text(&|entry, _| entry.begun.query_id.clone()),
                Arc::new(entries.iter().map(|(entry, _)| Some(entry.begun.session_id)).collect::<Int32Array>()),
                text(&|entry, _| entry.begun.user_name.clone()),
                text(&|entry, _| list(&entry.begun.role_names)),
                text(&|entry, _| entry.begun.application_name.clone()),
                text(&|entry, _| entry.begun.client_address.clone()),
                times(entries.iter().map(|(entry, _)| Some(entry.started_at))),
                Arc::new(
                    entries
                        .iter()
                        .map(|(entry, _)| Some(entry.started.elapsed().as_secs_f64() * 1e3))
                        .collect::<Float64Array>(),
                ),
                Arc::new(entries.iter().map(|(_, progress)| Some(progress.plan_ms)).collect::<Float64Array>()),
                text(&|_, progress| progress.state.to_owned()),
                text(&|_, progress| progress.route.to_owned()),
                text(&|_, progress| progress.route_reason.clone()),
                text(&|_, progress| list(&progress.sources)),
                text(&|_, progress| list(&progress.tables)),
                text(&|entry, _| entry.begun.query.clone()),
                // What sources are sent can hold the text of rules: for administrators.
                Arc::new(
                    entries
                        .iter()
                        .map(|(_, progress)| viewer.admin.then(|| progress.remote_sql.join("\n")))
                        .collect::<StringViewArray>(),
                ),
            ],
        )
    }
}
