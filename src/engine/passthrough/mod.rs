//! Statements that belong to one PostgreSQL: printed anew, described and run there.
//! Must not know: sessions, how a route is chosen, how statements are authorised (it runs only what is).

mod arguments;
mod candidate;

use std::fmt;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::Field;
use futures::StreamExt;

pub use candidate::{CannotPass, can_pass};

use super::datafusion::StatementContext;
use crate::catalog::{Relation, SchemaCache, TableSchema};
use crate::error::{Error, Result, SqlState};
use crate::metrics::Metrics;
use crate::policy::Authorized;
use crate::rows::{ColumnShape, RowShape, Rows};
use crate::source::{Described, StatementRunner, WholeStatement, Words};
use crate::sql::print::{OwnValues, PrintRequest, PrintedQuery, RemoteTable, print_query};
use crate::sql::{Statement, StatementKind, TableRef};
use crate::types::{self, PgType};

/// The engine room of the sources' own engines. One for the daemon.
pub struct Passthrough {
    sources: Arc<SchemaCache>,
    metrics: Metrics,
}

/// What is to be passed through.
pub struct PassRequest<'a> {
    /// A statement that reads.
    pub statement: &'a Statement,
    /// Its relations, in the order of its scope: all of one source.
    pub relations: &'a [(TableRef, Relation)],
    /// That source.
    pub source: Arc<str>,
    /// What Tusk answers itself.
    pub own: OwnValues,
    /// Statements that set what of the session decides what a statement says.
    pub session: Arc<str>,
    /// Types that the client gave its parameters.
    pub parameters: &'a [Option<PgType>],
    /// Names the statement at the source.
    pub query_id: &'a str,
}

/// A statement as its source understood it.
pub struct PassPlan {
    source: Arc<str>,
    whole: WholeStatement,
    described: Arc<Described>,
    /// What its rows look like.
    pub shape: Arc<RowShape>,
    /// The types of its parameters.
    pub parameters: Vec<PgType>,
    /// The tables that it reads.
    pub tables: Vec<Arc<TableSchema>>,
}

impl fmt::Debug for PassPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PassPlan").field("source", &self.source).finish_non_exhaustive()
    }
}

impl PassPlan {
    /// The source that runs it.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The statement, as it is sent.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.described.sql
    }
}

/// A statement of ours, not described yet.
pub struct Printed {
    source: Arc<str>,
    whole: WholeStatement,
    tables: Vec<Arc<TableSchema>>,
}

impl Passthrough {
    /// The engine over these sources.
    #[must_use]
    pub fn new(sources: Arc<SchemaCache>, metrics: Metrics) -> Self {
        Passthrough { sources, metrics }
    }

    /// Prints a statement for its source. Deep statements need a deep stack: call it where there is one.
    ///
    /// # Errors
    /// `0A000` for what cannot be passed through, in words that say why: another route may do.
    pub fn print(request: &PassRequest<'_>) -> Result<Printed> {
        let StatementKind::Query(query) = &request.statement.kind else {
            return Err(Error::unsupported("only queries are passed through"));
        };
        let mut tables = Vec::new();
        let mut relations = Vec::new();
        let (mut known, mut schemas) = (Vec::new(), Vec::new());
        for (reference, relation) in request.relations {
            let Relation::Table(table) = relation else {
                return Err(Error::unsupported("a system view cannot be sent to a source"));
            };
            known.extend(table.arrow.fields().iter().map(|field| field.name().clone()));
            schemas.push((table.remote.schema.clone(), table.name.schema.clone()));
            relations.push((reference.clone(), remote(table)));
            tables.push(Arc::clone(table));
        }
        let printing = PrintRequest { statement: request.statement, query, relations: &relations, own: &request.own };
        let PrintedQuery { sql, places, renamed } = print_query(&printing)?;
        let text = request.statement.text.to_lowercase();
        let whole = WholeStatement {
            sql: sql.into(),
            parameters: request.parameters.iter().map(|ty| ty.map_or(0, |ty| ty.oid)).collect(),
            session: Arc::clone(&request.session),
            query_id: request.query_id.to_owned(),
            words: Arc::new(Words { text, places, renamed, schemas, known }),
            meter: Arc::default(),
        };
        Ok(Printed { source: Arc::clone(&request.source), whole, tables })
    }

    /// Has the source describe a statement.
    ///
    /// # Errors
    /// What the source says of it; `08001` where it cannot be reached; `0A000` where a column has no form here.
    pub async fn plan(&self, printed: Printed) -> Result<PassPlan> {
        let Printed { source, whole, tables } = printed;
        let described = Arc::new(self.runner(&source)?.describe(&whole).await?);
        let columns = described.columns.iter().map(|column| {
            let field = Arc::new(types::field(&column.name, column.ty, true));
            let (table_oid, attnum) = column.origin.and_then(|origin| seen_origin(&tables, origin)).unwrap_or((0, 0));
            ColumnShape { name: column.name.clone(), ty: column.ty, table_oid, attnum, field }
        });
        let shape = Arc::new(RowShape { columns: columns.collect() });
        let parameters = described.parameters.iter().map(|(ty, _)| *ty).collect();
        Ok(PassPlan { source, whole, described, shape, parameters, tables })
    }

    /// Starts a plan with these parameters (arrays of one row, of the parameters' types). Dropping the rows stops it.
    ///
    /// # Errors
    /// A parameter that has no form at the source; later errors come with the rows.
    pub fn start(
        &self,
        plan: &Authorized<Arc<PassPlan>>,
        parameters: &[ArrayRef],
        context: StatementContext,
    ) -> Result<Rows> {
        let plan = plan.value();
        let fields: Vec<Field> = plan.parameters.iter().map(|ty| types::field("", *ty, true)).collect();
        let own: Vec<bool> = plan.described.parameters.iter().map(|(ty, oid)| ty.oid == *oid).collect();
        let arguments = arguments::of(&fields, &own, parameters)?;
        let StatementContext { query_id, meter, .. } = context;
        let whole = WholeStatement { query_id, meter, ..plan.whole.clone() };
        let batches = self.runner(&plan.source)?.run(whole, Arc::clone(&plan.described), arguments);
        let read = self.metrics.source_rows(&plan.source);
        let counted = batches.inspect(move |batch| {
            if let Ok(batch) = batch {
                read.inc_by(batch.num_rows() as u64);
            }
        });
        Ok(Rows { shape: Arc::clone(&plan.shape), batches: Box::pin(counted) })
    }

    fn runner(&self, source: &str) -> Result<&dyn StatementRunner> {
        let mounted = self.sources.source(source);
        mounted.and_then(|mounted| mounted.connector.runner()).ok_or_else(|| {
            Error::source_fault(SqlState::CONNECT_FAILED, format!("could not connect to source \"{source}\""))
        })
    }
}

/// Table and column as this role numbers them.
fn seen_origin(tables: &[Arc<TableSchema>], (oid, number): (u32, i16)) -> Option<(u32, i16)> {
    let table = tables.iter().find(|table| table.remote.oid == oid)?;
    let is_it = |at: &usize| table.remote.columns.get(*at).is_some_and(|column| column.number == number);
    let position = table.columns.iter().position(is_it)?;
    Some((table.oid, i16::try_from(position + 1).ok()?))
}

/// What stands for a table at its source: itself, where all of it may be seen.
fn remote(table: &TableSchema) -> RemoteTable {
    let all = table.remote.whole && table.columns.len() == table.remote.columns.len();
    let names = table.columns.iter().filter_map(|at| table.remote.columns.get(*at)).map(|column| column.name.clone());
    RemoteTable {
        schema: table.remote.schema.clone(),
        name: table.remote.name.clone(),
        columns: (!all).then(|| names.collect()),
        seen: (table.name.schema.clone(), table.name.table.clone()),
    }
}
