//! A virtual table as the planner sees it: its rows are made for the viewer when the statement runs.
//! Must not know: what the table shows.

use std::sync::{Arc, OnceLock};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use crate::catalog::{Viewer, VirtualTable};

/// One virtual table, for one viewer.
#[derive(Debug)]
pub(super) struct VirtualProvider {
    table: Arc<dyn VirtualTable>,
    viewer: Arc<Viewer>,
    /// The rows once they were made, where they are made only once.
    held: Option<Arc<OnceLock<RecordBatch>>>,
}

impl VirtualProvider {
    pub(super) fn new(table: Arc<dyn VirtualTable>, viewer: Arc<Viewer>) -> Self {
        VirtualProvider { table, viewer, held: None }
    }

    /// The same table, whose rows are made once and kept.
    pub(super) fn held(&self) -> Self {
        let held = self.held.clone().unwrap_or_default();
        VirtualProvider { table: Arc::clone(&self.table), viewer: Arc::clone(&self.viewer), held: Some(held) }
    }

    fn rows(&self) -> Result<RecordBatch> {
        if let Some(batch) = self.held.as_ref().and_then(|held| held.get()) {
            return Ok(batch.clone());
        }
        let batch = self.table.rows(&self.viewer).map_err(|error| DataFusionError::External(Box::new(error)))?;
        if let Some(held) = &self.held {
            return Ok(held.get_or_init(|| batch).clone());
        }
        Ok(batch)
    }
}

#[async_trait]
impl TableProvider for VirtualProvider {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let batch = self.rows()?;
        let plan = MemorySourceConfig::try_new_exec(&[vec![batch]], self.table.schema(), projection.cloned())?;
        Ok(plan)
    }
}
