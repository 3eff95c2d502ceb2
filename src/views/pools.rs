//! `tusk.pools`: the connections to sources, for administrators.
//! Must not know: how connections are made.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringViewArray};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::{batch, columns};
use crate::catalog::{PoolStatus, SchemaCache, Viewer, VirtualTable};
use crate::error::Result;
use crate::types::PgType;

/// The view.
pub(super) struct Pools {
    catalog: Arc<SchemaCache>,
    schema: SchemaRef,
}

impl std::fmt::Debug for Pools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pools")
    }
}

impl Pools {
    pub(super) fn new(catalog: Arc<SchemaCache>) -> Self {
        let schema = columns(&[
            ("source_name", PgType::TEXT),
            ("connections_in_use", PgType::INT8),
            ("connections_idle", PgType::INT8),
            ("connections_maximum", PgType::INT8),
            ("statements_waiting", PgType::INT8),
            ("connections_opened", PgType::INT8),
            ("connections_failed", PgType::INT8),
            ("breaker", PgType::TEXT),
            ("error", PgType::TEXT),
        ]);
        Pools { catalog, schema }
    }
}

impl VirtualTable for Pools {
    fn schema_name(&self) -> &'static str {
        "tusk"
    }

    fn name(&self) -> &'static str {
        "pools"
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn comment(&self) -> &'static str {
        "The connections to sources, for administrators: breaker is open while nobody tries to connect, as the last attempt has just failed."
    }

    fn rows(&self, viewer: &Viewer) -> Result<RecordBatch> {
        let sources = self.catalog.sources().iter().filter(|_| viewer.admin);
        let pools: Vec<(&str, PoolStatus)> =
            sources.filter_map(|source| Some((&*source.name, source.connector.pool()?))).collect();
        let number = |pick: fn(&PoolStatus) -> u64| -> ArrayRef {
            Arc::new(pools.iter().map(|(_, pool)| i64::try_from(pick(pool)).ok()).collect::<Int64Array>())
        };
        let breaker = pools.iter().map(|(_, pool)| if pool.broken.is_some() { "open" } else { "closed" });
        batch(
            &self.schema,
            vec![
                Arc::new(StringViewArray::from_iter_values(pools.iter().map(|(name, _)| *name))),
                number(|pool| pool.in_use as u64),
                number(|pool| pool.idle as u64),
                number(|pool| pool.maximum as u64),
                number(|pool| pool.waiting as u64),
                number(|pool| pool.opened),
                number(|pool| pool.failed),
                Arc::new(StringViewArray::from_iter_values(breaker)),
                Arc::new(pools.iter().map(|(_, pool)| pool.broken.clone()).collect::<StringViewArray>()),
            ],
        )
    }
}
