//! How a narrowed table is read: by SQL that `sql/print` writes, or by the engine where it is files.
//! Must not know: why columns are missing from the table.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;

use super::pushdown;
use super::remote::{RemoteScan, RemoteScanSpec};
use crate::catalog::{Mounted, SchemaCache, TableSchema};
use crate::config::SourceKind;
use crate::error::{Error, SqlState};
use crate::metrics::{Counter, Metrics};
use crate::source::{Access, RemoteColumn};
use crate::sql::print::{CastType, Dialect, Expr as Sql, Output, Select, Table, copy_binary};
use crate::types;

/// Reads tables of sources.
pub(super) struct Scanner {
    sources: Arc<SchemaCache>,
    metrics: Metrics,
}

impl fmt::Debug for Scanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scanner")
    }
}

impl Scanner {
    pub(super) fn new(sources: Arc<SchemaCache>, metrics: Metrics) -> Self {
        Scanner { sources, metrics }
    }

    fn source(&self, table: &TableSchema) -> Result<&Mounted> {
        // The name comes from a snapshot of these very sources.
        self.sources.source(&table.source).ok_or_else(|| {
            let message = format!("could not connect to source \"{}\"", table.source);
            DataFusionError::External(Box::new(Error::source_fault(SqlState::CONNECT_FAILED, message)))
        })
    }

    /// Whether the source of a table may apply a leak-proof predicate itself.
    pub(super) fn supports(&self, table: &TableSchema, filter: &Expr) -> TableProviderFilterPushDown {
        let Ok(source) = self.source(table) else { return TableProviderFilterPushDown::Unsupported };
        match source.connector.access() {
            Access::Sql(_)
                if pushdown::predicate(table, filter).is_some_and(|sql| sql.to_sql(dialect(table.kind)).is_ok()) =>
            {
                TableProviderFilterPushDown::Exact
            }
            Access::Sql(_) => TableProviderFilterPushDown::Unsupported,
            Access::Files(reader) => {
                let provider = reader.provider(&table.remote);
                let answer = provider.ok().and_then(|provider| provider.supports_filters_pushdown(&[filter]).ok());
                answer.and_then(|answer| answer.into_iter().next()).unwrap_or(TableProviderFilterPushDown::Unsupported)
            }
        }
    }

    /// Plans the read of some of a table's columns (positions in the narrowed table).
    pub(super) async fn scan(
        &self,
        state: &dyn Session,
        table: &TableSchema,
        columns: &[usize],
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let source = self.source(table)?;
        let remote: Vec<usize> = columns.iter().filter_map(|at| table.columns.get(*at).copied()).collect();
        match source.connector.access() {
            Access::Files(reader) => {
                let provider =
                    reader.provider(&table.remote).map_err(|error| DataFusionError::External(Box::new(error)))?;
                provider.scan(state, Some(&remote), filters, limit).await
            }
            Access::Sql(_) => {
                let fields = columns.iter().filter_map(|at| table.arrow.fields().get(*at).cloned());
                let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
                let select = Reading { table, remote: &remote, schema, filters, limit };
                Ok(Arc::new(RemoteScan::new(select.spec(source, &self.metrics.source_rows(&source.name))?)))
            }
        }
    }
}

/// A read by SQL, before it is printed.
struct Reading<'a> {
    table: &'a TableSchema,
    remote: &'a [usize],
    schema: SchemaRef,
    filters: &'a [Expr],
    limit: Option<usize>,
}

impl Reading<'_> {
    fn columns(&self) -> impl Iterator<Item = &RemoteColumn> {
        self.remote.iter().filter_map(|at| self.table.remote.columns.get(*at))
    }

    fn spec(&self, source: &Mounted, rows_read: &Counter) -> Result<RemoteScanSpec> {
        let schema = Arc::clone(&self.schema);
        let as_text: Vec<bool> =
            self.columns().map(|column| self.table.kind == SourceKind::Postgres && !readable(column)).collect();
        let (sql, described_by) = self.sql(&as_text).map_err(|error| DataFusionError::External(Box::new(error)))?;
        let (name, connector) = RemoteScanSpec::connector_of(source);
        let estimated_rows = self.table.remote.estimated_rows.filter(|_| self.filters.is_empty());
        let rows_read = rows_read.clone();
        Ok(RemoteScanSpec { source: name, connector, sql, described_by, schema, as_text, rows_read, estimated_rows })
    }

    /// The statement as it is sent, and the SELECT in it where that is another.
    fn sql(&self, as_text: &[bool]) -> crate::error::Result<(String, Option<String>)> {
        let outputs = self.columns().zip(as_text).map(|(column, as_text)| {
            let plain = Sql::column(&column.name);
            let expr = if *as_text { Sql::Cast { expr: Box::new(plain), to: CastType::Text } } else { plain };
            Output { expr }
        });
        let predicates = self.filters.iter().map(|filter| {
            // The planner asked first (`supports`): a filter that has no form here would be a lost one.
            pushdown::predicate(self.table, filter)
                .ok_or_else(|| Error::internal("a filter was pushed that has no SQL"))
        });
        let predicates = predicates.collect::<crate::error::Result<Vec<_>>>()?;
        let schema = (self.table.kind == SourceKind::Postgres).then(|| self.table.remote.schema.clone());
        let select = Select {
            columns: outputs.collect(),
            from: Table { schema, name: self.table.remote.name.clone() },
            predicate: (!predicates.is_empty()).then_some(Sql::And(predicates)),
            order: Vec::new(),
            limit: self.limit.map(|limit| limit as u64),
        };
        match self.table.kind {
            SourceKind::Postgres => Ok((copy_binary(&select)?, Some(select.to_sql(Dialect::Postgres)?))),
            _ => Ok((select.to_sql(Dialect::Sqlite)?, None)),
        }
    }
}

/// Whether we read the binary form of a column's values. Types of the source's own (composites, arrays of enums or domains) have
/// binary forms that name what only the source knows: they come as text.
fn readable(column: &RemoteColumn) -> bool {
    column.remote_type.is_empty() && types::binary_readable(column.ty.oid)
}

fn dialect(kind: SourceKind) -> Dialect {
    match kind {
        SourceKind::Sqlite => Dialect::Sqlite,
        _ => Dialect::Postgres,
    }
}
