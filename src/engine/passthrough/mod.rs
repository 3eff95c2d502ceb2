//! Statements that belong to one PostgreSQL: printed anew, described and run there.
//! Must not know: sessions, how a route is chosen, how statements are authorised (it runs only what is).

mod arguments;
mod candidate;
mod explain;
mod rows;
mod upstream;

use std::fmt;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::Field;
use futures::StreamExt;

pub use candidate::{CannotPass, can_pass};
pub use explain::Asked;
pub use upstream::{Savepoint, Upstream};

use super::datafusion::StatementContext;
use crate::catalog::{Relation, SchemaCache, TableKind, TableSchema};
use crate::error::{Error, Notices, Result, SqlState};
use crate::metrics::Metrics;
use crate::policy::Authorized;
use crate::rows::{Answer, ColumnShape, Part, PartStream, RowShape, Rows, WireRows};
use crate::source::{Body, Described, StatementRunner, Target, WholeStatement, Words};
pub use crate::source::{Spot, Stand};
use crate::sql::print::{
    ModifyRequest, OwnValues, PrintRequest, PrintedQuery, RemoteTable, SourceFunction, print_modify, print_query,
};
use crate::sql::{Statement, StatementKind, TableRef, Writing};
use crate::types::{self, PgType};

/// The engine room of the sources' own engines. One for the daemon.
pub struct Passthrough {
    sources: Arc<SchemaCache>,
    metrics: Metrics,
}

/// What is to be passed through.
pub struct PassRequest<'a> {
    /// A statement that reads or writes.
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
    /// Whether the source's table of this name may be seen.
    pub sees: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    /// Whether all tables and columns of the source may be seen.
    pub everything: bool,
    /// Whether how the source runs it may be told to an asker who sees all of that.
    pub explains: bool,
    /// It runs as soon as it is planned, and errors of its constants may be told then.
    pub at_once: bool,
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
    /// How their values come, and whether the source knows them by the same type.
    taken_as: Vec<(Field, bool)>,
    /// The tables that it reads.
    pub tables: Vec<Arc<TableSchema>>,
    /// It writes: the word of its tag.
    pub writes: Option<&'static str>,
    /// It writes, and returns no rows.
    pub silent: bool,
    /// It locks the rows that it reads, as this command.
    pub locks: Option<&'static str>,
    /// Cursors whose rows it means, as the client calls them, and where their names stand in what is sent.
    cursors: Vec<(usize, String)>,
    /// All tables and columns of the source could be seen when it was printed: what may be told of it depends on that.
    pub everything: bool,
    /// Whether the client may read how the source runs it: that tells of views, partitions and rules, and so of any column.
    pub may_be_explained: bool,
}

/// How the rows of a plan are wanted.
#[derive(Debug, Clone)]
pub enum Form {
    /// As batches.
    Batches,
    /// As messages for a client, where they can be had so: columns in binary or not, none, one for all, or one for each.
    Wire(Vec<bool>),
}

/// Where a plan runs, and how its rows are taken.
#[derive(Clone, Copy)]
pub enum Place<'a> {
    /// On a connection of its own.
    Alone,
    /// In a transaction.
    In {
        /// The transaction, at the plan's source.
        upstream: &'a Upstream,
        /// Other statements of it may run before all rows are taken; what is told where they stand.
        parts: Option<&'a Arc<Stand>>,
        /// What the source calls the cursors of [`PassPlan::cursors`], in their order.
        cursors: &'a [String],
    },
}

/// A plan that has been started.
pub struct Started {
    /// Its rows; `None`: it returns none.
    pub rows: Option<Answer>,
    /// Rows that it wrote, where it has done so already and returns none.
    pub written: Option<u64>,
    /// Its rows may be read before they are asked for: nothing else waits for the connection meanwhile.
    pub ahead: bool,
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

    /// The command that a read-only transaction refuses; none: it only reads.
    #[must_use]
    pub fn refused_as(&self) -> Option<&'static str> {
        // Of a query PostgreSQL tells that it locks before it tells that its WITH writes.
        match self.writes {
            Some("SELECT") | None => self.locks.or(self.writes),
            written => written,
        }
    }

    /// The cursors whose rows it means, as the client calls them.
    pub fn cursors(&self) -> impl Iterator<Item = &str> {
        self.cursors.iter().map(|(_, name)| name.as_str())
    }

    /// The statement with the names in it that the source knows cursors by.
    fn pointing(&self, place: Place<'_>) -> (WholeStatement, Arc<Described>) {
        let names: &[String] = match place {
            Place::In { cursors, .. } => cursors,
            Place::Alone => &[],
        };
        if names.is_empty() {
            return (self.whole.clone(), Arc::clone(&self.described));
        }
        let mut sql = self.described.sql.to_string();
        let mut words = (*self.whole.words).clone();
        for ((at, name), there) in self.cursors.iter().zip(names) {
            if sql.is_char_boundary(*at) && sql.is_char_boundary(at + there.len()) {
                sql.replace_range(*at..at + there.len(), there);
            }
            words.renamed.push((there.clone(), name.clone()));
        }
        let sql: Arc<str> = sql.into();
        let described = Described { sql: Arc::clone(&sql), ..(*self.described).clone() };
        (WholeStatement { sql, words: Arc::new(words), ..self.whole.clone() }, Arc::new(described))
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
    writes: Option<&'static str>,
    silent: bool,
    locks: Option<&'static str>,
    cursors: Vec<(usize, String)>,
    /// It takes a whole row of a table of which not all columns may be seen.
    narrowed: bool,
    everything: bool,
    may_be_explained: bool,
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
    /// `0A000` for what cannot be passed through, in words that say why: another route may do. Of what writes, too: a column that may not
    /// be seen is missing (`42703`).
    pub fn print(request: &PassRequest<'_>) -> Result<Printed> {
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
        let writing = match &request.statement.kind {
            StatementKind::Modify(writing) => Some(&**writing),
            _ => None,
        };
        let targets = tables.get(..writing.map_or(0, |writing| writing.writers().count()));
        let targets = targets.ok_or_else(|| Error::internal("a target without a table"))?;
        let printed = printed(request, &relations, targets)?;
        let skeleton = (request.at_once && writing.is_none()).then(|| printed.skeleton().into());
        let PrintedQuery { sql, places, renamed, cursors, body, calls, rows, .. } = printed;
        let target = writing.map(|_| Target {
            tables: targets.iter().map(|table| (table.remote.schema.clone(), table.remote.name.clone())).collect(),
            whole: targets.iter().all(|table| table.is_complete()),
            everything: request.everything,
            sees: Arc::clone(&request.sees),
        });
        // What is written may set off, a view is made of, and a function of the source reads what no relation of the statement tells of.
        let view = |table: &Arc<TableSchema>| matches!(table.remote.kind, TableKind::View | TableKind::Foreign);
        let sets_off = target.as_ref().is_some_and(|target| !target.whole || !request.everything);
        let hidden = sets_off || (!request.everything && (calls || tables.iter().any(view)));
        let open = !hidden && tables.iter().all(|table| table.is_complete());
        let text = request.statement.text.to_lowercase();
        let whole = WholeStatement {
            sql: sql.into(),
            body: writing.map(|writing| Body { at: body, reads: writing.verb().is_none() }),
            parameters: request.parameters.iter().map(|ty| ty.map_or(0, |ty| ty.oid)).collect(),
            skeleton,
            session: Arc::clone(&request.session),
            query_id: request.query_id.to_owned(),
            words: Arc::new(Words { text, places, renamed, schemas, known, target, open, hidden, ours: false }),
            meter: Arc::default(),
            notices: Notices::default(),
        };
        Ok(Printed {
            source: Arc::clone(&request.source),
            whole,
            tables,
            writes: writing.map(Writing::tag),
            silent: writing.is_some_and(|writing| !writing.returns_rows()),
            locks: request.statement.locks(),
            cursors,
            narrowed: rows,
            everything: request.everything,
            may_be_explained: request.everything && request.explains,
        })
    }

    /// Has the source describe a statement: in the transaction that is held there, if one is, which fails if that fails.
    ///
    /// # Errors
    /// What the source says of it; `08001` where it cannot be reached; `0A000` where a column has no form here.
    pub async fn plan(&self, printed: Printed, upstream: Option<&Upstream>) -> Result<PassPlan> {
        let Printed { source, whole, tables, writes, silent, locks, cursors, narrowed, everything, may_be_explained } =
            printed;
        let mut described = match upstream.filter(|upstream| *upstream.source() == *source) {
            Some(upstream) => upstream.remote().describe(&whole).await?,
            None => self.runner(&source)?.describe(&whole).await?,
        };
        if !cursors.is_empty() && described.shift > 0 {
            // The names of its cursors stand elsewhere now.
            return Err(Error::unsupported("a column of this type cannot be returned by WHERE CURRENT OF"));
        }
        for column in &mut described.columns {
            rows::settle(column, &tables);
        }
        if described.columns.iter().any(|column| rows::is_array_of_rows(column.ty)) {
            // Their binary form has the source's number of the type in it.
            return Err(Error::unsupported("an array of rows of a table cannot be returned"));
        }
        if narrowed && described.columns.iter().any(|column| rows::is_record(column.ty)) {
            // At the source they are rows of a query.
            return Err(Error::unsupported("a whole row of this table cannot be returned as it is"));
        }
        let described = Arc::new(described);
        let columns = described.columns.iter().map(|column| {
            let field = Arc::new(types::field(&column.name, column.ty, true));
            let (table_oid, attnum) = column.origin.and_then(|origin| seen_origin(&tables, origin)).unwrap_or((0, 0));
            ColumnShape { name: column.name.clone(), ty: column.ty, table_oid, attnum, field }
        });
        let shape = Arc::new(RowShape { columns: columns.collect() });
        let parameters = described.parameters.iter().map(|(ty, _)| *ty).collect();
        let taken_as =
            described.parameters.iter().map(|(ty, oid)| (types::field("", *ty, true), ty.oid == *oid)).collect();
        Ok(PassPlan {
            source,
            whole,
            described,
            shape,
            parameters,
            taken_as,
            tables,
            writes,
            silent,
            locks,
            cursors,
            everything,
            may_be_explained,
        })
    }

    /// Starts a plan with these parameters (arrays of one row, of the parameters' types). Dropping the rows stops it.
    ///
    /// # Errors
    /// A parameter that has no form at the source, and what the source says before it runs the statement; later errors come with the rows.
    pub async fn start(
        &self,
        plan: &Authorized<Arc<PassPlan>>,
        parameters: &[ArrayRef],
        context: StatementContext,
        (place, form): (Place<'_>, Form),
    ) -> Result<Started> {
        let plan = plan.value();
        let arguments = arguments::of(&plan.taken_as, parameters)?;
        let StatementContext { query_id, meter, notices, .. } = context;
        let (whole, described) = plan.pointing(place);
        let whole = WholeStatement { query_id, meter, notices, ..whole };
        if plan.writes.is_some() {
            let Place::In { upstream, .. } = place else {
                return Err(Error::internal("a statement that writes needs a transaction"));
            };
            upstream.writes();
            upstream.remote().writes(&whole.words).await?;
            if plan.silent {
                let written = Some(upstream.remote().modify(whole, described, arguments).await?);
                return Ok(Started { rows: None, written, ahead: true });
            }
        }
        let ahead = plan.writes.is_some() || !matches!(place, Place::In { parts: Some(_), .. });
        let relayed = match &form {
            Form::Wire(formats) if ahead => described.relayed(&whole.sql, formats),
            Form::Wire(_) | Form::Batches => None,
        };
        let rows = match (form, relayed) {
            (Form::Wire(formats), Some(described)) => {
                let arguments = (arguments, formats);
                let messages = match place {
                    Place::Alone => self.runner(&plan.source)?.relay(whole, described, arguments).await?,
                    Place::In { upstream, .. } => upstream.remote().relay(whole, described, arguments).await?,
                };
                let messages = self.counted(plan, messages);
                Answer::Wire(WireRows { shape: Arc::clone(&plan.shape), messages })
            }
            (Form::Batches | Form::Wire(_), _) => {
                let batches = match place {
                    Place::Alone => self.runner(&plan.source)?.run(whole, described, arguments).await?,
                    Place::In { upstream, parts: Some(stand), .. } if !ahead => {
                        upstream.remote().open(whole, described, (arguments, Arc::clone(stand))).await?
                    }
                    Place::In { upstream, .. } => upstream.remote().run(whole, described, arguments).await?,
                };
                let batches = self.counted(plan, batches);
                Answer::Batches(Rows { shape: Arc::clone(&plan.shape), batches })
            }
        };
        Ok(Started { rows: Some(rows), written: None, ahead })
    }

    /// Counts the rows that come from a plan's source.
    fn counted<T: Part + 'static>(&self, plan: &PassPlan, rows: PartStream<T>) -> PartStream<T> {
        let read = self.metrics.source_rows(&plan.source);
        Box::pin(rows.inspect(move |part| {
            if let Ok(part) = part {
                read.inc_by(part.rows());
            }
        }))
    }

    /// The functions that a source's configuration allows: `function` of PostgreSQL's own, or `schema.function`.
    #[must_use]
    pub fn functions(&self, source: &str) -> Vec<SourceFunction> {
        let Some(mounted) = self.sources.source(source) else { return Vec::new() };
        let names = mounted.connector.runner().map(StatementRunner::functions).unwrap_or_default();
        let function = |name: &String| {
            let (schema, name) = name.rsplit_once('.').unwrap_or(("pg_catalog", name));
            let seen = mounted.seen_as(schema);
            SourceFunction { schema: schema.to_owned(), seen, name: name.to_owned() }
        };
        names.iter().map(function).collect()
    }

    fn runner(&self, source: &str) -> Result<&dyn StatementRunner> {
        let mounted = self.sources.source(source);
        mounted.and_then(|mounted| mounted.connector.runner()).ok_or_else(|| {
            Error::source_fault(SqlState::CONNECT_FAILED, format!("could not connect to source \"{source}\""))
        })
    }
}

/// The statement for the source; `targets`: the tables that it writes.
fn printed(
    request: &PassRequest<'_>,
    relations: &[(TableRef, RemoteTable)],
    targets: &[Arc<TableSchema>],
) -> Result<PrintedQuery> {
    let (statement, own) = (request.statement, &request.own);
    match &statement.kind {
        StatementKind::Query(query) => print_query(&PrintRequest { statement, query, relations, own }),
        StatementKind::Modify(_) if targets.iter().any(|target| !target.remote.whole) => {
            // What of it is hidden could not be told from what is not there.
            Err(Error::unsupported("a table with columns that Tusk does not know cannot be written to"))
        }
        StatementKind::Modify(writing) => {
            let columns = |table: &Arc<TableSchema>| {
                table.remote.columns.iter().map(|column| column.name.clone()).collect::<Vec<String>>()
            };
            let all: Vec<Vec<String>> = targets.iter().map(columns).collect();
            print_modify(&ModifyRequest { statement, writing, relations, all: &all, own })
        }
        _ => Err(Error::unsupported("only queries and what writes rows are passed through")),
    }
}

/// Table and column as this role numbers them.
fn seen_origin(tables: &[Arc<TableSchema>], (oid, number): (u32, i16)) -> Option<(u32, i16)> {
    let table = tables.iter().find(|table| table.remote.oid == oid)?;
    // A whole row is of no column.
    if number == 0 {
        return Some((table.oid, 0));
    }
    let is_it = |at: &usize| table.remote.columns.get(*at).is_some_and(|column| column.number == number);
    let position = table.columns.iter().position(is_it)?;
    Some((table.oid, i16::try_from(position + 1).ok()?))
}

/// What stands for a table at its source: itself, where all of it may be seen.
fn remote(table: &TableSchema) -> RemoteTable {
    let all = table.is_complete();
    let names = table.columns.iter().filter_map(|at| table.remote.columns.get(*at)).map(|column| column.name.clone());
    RemoteTable {
        schema: table.remote.schema.clone(),
        name: table.remote.name.clone(),
        columns: (!all).then(|| names.collect()),
        seen: (table.name.schema.clone(), table.name.table.clone()),
    }
}
