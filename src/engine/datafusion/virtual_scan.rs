//! A virtual table as the planner sees it: its rows are made for the viewer when the statement runs.
//! Must not know: what the table shows.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
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
}

impl VirtualProvider {
    pub(super) fn new(table: Arc<dyn VirtualTable>, viewer: Arc<Viewer>) -> Self {
        VirtualProvider { table, viewer }
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
        let batch = self.table.rows(&self.viewer).map_err(|error| DataFusionError::External(Box::new(error)))?;
        let plan = MemorySourceConfig::try_new_exec(&[vec![batch]], self.table.schema(), projection.cloned())?;
        Ok(plan)
    }
}
