//! `tusk.sources`: the sources of which the viewer may see something, and how they are.
//! Must not know: how they are reached.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringViewArray};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::{batch, columns, times};
use crate::catalog::{Mounted, SchemaCache, Viewer, VirtualTable};
use crate::error::Result;
use crate::types::PgType;

/// The view.
pub(super) struct Sources {
    catalog: Arc<SchemaCache>,
    schema: SchemaRef,
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sources")
    }
}

impl Sources {
    pub(super) fn new(catalog: Arc<SchemaCache>) -> Self {
        let schema = columns(&[
            ("source_name", PgType::TEXT),
            ("type", PgType::TEXT),
            ("up", PgType::BOOL),
            ("up_changed_at", PgType::TIMESTAMPTZ),
            ("tables", PgType::INT8),
            ("schema_read_at", PgType::TIMESTAMPTZ),
            ("schema_read_ms", PgType::FLOAT8),
            ("connections_in_use", PgType::INT8),
            ("connections_idle", PgType::INT8),
            ("connections_maximum", PgType::INT8),
            ("sqlstate", PgType::TEXT),
            ("error", PgType::TEXT),
        ]);
        Sources { catalog, schema }
    }

    /// An administrator sees all; others the sources of the tables they may name.
    fn visible(&self, viewer: &Viewer) -> Vec<&Mounted> {
        let named = |source: &Mounted| {
            viewer.world.tables().any(|table| table.source == source.name)
                || viewer.world.unavailable.iter().any(|unavailable| unavailable.source == source.name)
        };
        self.catalog.sources().iter().filter(|source| viewer.admin || named(source)).collect()
    }
}

impl VirtualTable for Sources {
    fn schema_name(&self) -> &'static str {
        "tusk"
    }

    fn name(&self) -> &'static str {
        "sources"
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn comment(&self) -> &'static str {
        "The sources whose tables you may name, and whether they answer."
    }

    fn rows(&self, viewer: &Viewer) -> Result<RecordBatch> {
        let sources = self.visible(viewer);
        let status: Vec<_> = sources.iter().map(|source| source.status()).collect();
        let pools: Vec<_> = sources.iter().map(|source| source.connector.pool()).collect();
        // How many tables there are is told only of what may be seen.
        let tables = sources.iter().zip(&status).map(|(source, status)| {
            if viewer.admin {
                return status.tables.map(|n| n as i64);
            }
            status.tables.map(|_| viewer.world.tables().filter(|table| table.source == source.name).count() as i64)
        });
        let pool = |pick: fn(&crate::catalog::PoolStatus) -> usize| -> ArrayRef {
            Arc::new(
                pools
                    .iter()
                    .map(|pool| pool.as_ref().filter(|_| viewer.admin).map(|pool| pick(pool) as i64))
                    .collect::<Int64Array>(),
            )
        };
        batch(
            &self.schema,
            vec![
                Arc::new(StringViewArray::from_iter_values(sources.iter().map(|source| &*source.name))),
                Arc::new(StringViewArray::from_iter_values(
                    sources.iter().map(|source| source.connector.kind().name()),
                )),
                Arc::new(status.iter().map(|status| status.up).collect::<BooleanArray>()),
                times(status.iter().map(|status| status.since)),
                Arc::new(tables.collect::<Int64Array>()),
                times(status.iter().map(|status| status.schema_read_at)),
                Arc::new(
                    status
                        .iter()
                        .map(|status| status.schema_read_took.map(|took| took.as_secs_f64() * 1e3))
                        .collect::<Float64Array>(),
                ),
                pool(|pool| pool.in_use),
                pool(|pool| pool.idle),
                pool(|pool| pool.maximum),
                Arc::new(
                    status
                        .iter()
                        .map(|status| status.error.as_ref().map(|error| error.state().code()))
                        .collect::<StringViewArray>(),
                ),
                Arc::new(
                    status
                        .iter()
                        .map(|status| status.error.as_ref().map(|error| error.message().to_owned()))
                        .collect::<StringViewArray>(),
                ),
            ],
        )
    }
}
