//! COPY, resolved, authorised and planned at each execution: TO gives rows and how they are written, FROM a way into a source.
//! Must not know: sockets, messages, what a row looks like.

mod load;

use std::sync::Arc;

use super::execute::Pace;
use super::prepare;
use super::{Query, RunningStatement, execute};
use crate::catalog::{Relation, TableKind, World, existing};
use crate::error::{Error, Result, SqlState};
use crate::names::{means, quote};
use crate::policy::Identity;
use crate::rows::{Answer, RowShape};
use crate::session::{Session, is_encoding};
use crate::sql::{Copy, CopyOptions, CopyWhat, ForceColumns, Scope, Statement, StatementKind, TableRef};
use crate::types::Encoding;

pub use self::load::CopyIn;
pub use crate::sql::CopyFormat;

/// A COPY that has begun.
#[derive(Debug)]
pub enum Copying {
    /// TO STDOUT.
    Out(Box<CopyOut>),
    /// FROM STDIN.
    In(Box<CopyIn>),
}

/// The rows of COPY ... TO STDOUT, and how they are written.
#[derive(Debug)]
pub struct CopyOut {
    /// The rows; bounded and accounted already.
    pub rows: Answer,
    /// The options, checked.
    pub options: CopyOptions,
    /// What text is converted to (not in the binary format).
    pub encoding: Encoding,
    /// For each column: CSV always quotes it.
    pub quoted: Vec<bool>,
}

impl CopyOut {
    /// Whether the first line has the names of the columns.
    #[must_use]
    pub fn has_header(&self) -> bool {
        self.options.header != crate::sql::Header::Off
    }
}

/// Runs a COPY up to its first byte of data.
pub(super) async fn copy(
    query: &Query,
    session: &mut Session,
    identity: &Arc<Identity>,
    running: &RunningStatement,
    statement: &Statement,
) -> Result<Copying> {
    let StatementKind::Copy(copy) = &statement.kind else {
        return Err(Error::internal("a statement that is no COPY was run as one"));
    };
    let scope = Scope::of_statement(statement);
    let world = prepare::world_for(query, session, identity, running, &scope).await?;
    let (read, options, columns) = match &copy.what {
        CopyWhat::Table { table, columns } => {
            let table = Table::find(query, session, &world, table, columns)?;
            if copy.from {
                let loading = load::load(query, session, identity, running, copy, &table);
                return loading.await.map(|load| Copying::In(Box::new(load)));
            }
            table.readable()?;
            let options = options(copy)?;
            (table.select()?, options, Some(table))
        }
        CopyWhat::Query(statement) => {
            let options = options(copy)?;
            if statement.parameter_count() > 0 {
                return Err(statement.unbound_parameter());
            }
            (statement.clone(), options, None)
        }
    };
    let planned = prepare::plan(query, session, identity, running, &read, &[]).await;
    // The names of a table do not stand in a query of the client's.
    let planned = if columns.is_some() { planned.map_err(Error::without_position)? } else { planned? };
    let shape = Arc::clone(planned.plan.value().shape());
    let quoted = quoted(&options, &shape, columns.as_ref())?;
    let encoding = encoding(&options)?;
    execute::warn_of_stale(&world, &planned, running);
    let pace = Pace::Sent(vec![options.format == CopyFormat::Binary]);
    let how = (running, running.bounds().clone(), pace);
    let rows = execute::rows(query, session, identity, how, &planned, Vec::new()).await?.rows;
    let rows = rows.ok_or_else(|| Error::internal("a statement that reads has no rows"))?;
    Ok(Copying::Out(Box::new(CopyOut { rows, options, encoding, quoted })))
}

fn options(copy: &Copy) -> Result<CopyOptions> {
    CopyOptions::of(&copy.options, copy.from, &is_encoding)
}

/// What text is converted to. The binary format has an encoding of its own: the client's.
fn encoding(options: &CopyOptions) -> Result<Encoding> {
    match &options.encoding {
        Some(name) if options.format != CopyFormat::Binary => Encoding::named(name).ok_or_else(|| {
            Error::unsupported(format!("conversion between {} and UTF8 is not supported", name.to_ascii_uppercase()))
        }),
        _ => Ok(Encoding::Utf8),
    }
}

/// For each column, whether CSV always quotes it.
fn quoted(options: &CopyOptions, shape: &RowShape, table: Option<&Table>) -> Result<Vec<bool>> {
    let names = || shape.columns.iter().map(|column| column.name.as_str());
    let ForceColumns::Named(wanted) = &options.force_quote else {
        return Ok(vec![options.force_quote == ForceColumns::All; shape.columns.len()]);
    };
    let places = match table {
        Some(table) => table.forced("FORCE_QUOTE", wanted)?,
        None => once(wanted, |name| {
            names()
                .position(|column| means(name, column))
                .ok_or_else(|| Error::client(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist")))
        })?,
    };
    Ok((0..shape.columns.len()).map(|at| places.contains(&at)).collect())
}

/// The places of names, of which none may come twice.
fn once(names: &[String], place: impl Fn(&str) -> Result<usize>) -> Result<Vec<usize>> {
    let mut places = Vec::with_capacity(names.len());
    for name in names {
        let found = place(name)?;
        if places.contains(&found) {
            return Err(twice(name));
        }
        places.push(found);
    }
    Ok(places)
}

fn twice(name: &str) -> Error {
    Error::client(SqlState::DUPLICATE_COLUMN, format!("column \"{name}\" specified more than once"))
}

/// The table that COPY names, as this role sees it.
struct Table {
    relation: Relation,
    schema: String,
    name: String,
    /// Its columns, and whether the source computes them.
    columns: Vec<(String, bool)>,
    /// The columns that are copied, by their place.
    list: Vec<usize>,
    /// Where it was found.
    world: Arc<World>,
}

impl Table {
    /// Resolves a name, and the columns: those listed, or all that the source does not compute.
    fn find(
        query: &Query,
        session: &Session,
        world: &Arc<World>,
        table: &TableRef,
        columns: &[String],
    ) -> Result<Table> {
        if let Some(schema) = table.schema.as_ref().filter(|_| table.catalog.is_none())
            && existing(world, std::slice::from_ref(schema)).is_empty()
        {
            let message = format!("schema \"{schema}\" does not exist");
            return Err(Error::client(SqlState::INVALID_SCHEMA_NAME, message));
        }
        let scope = Scope { relations: vec![table.clone()], ..Scope::default() };
        let found = prepare::relations(query, session, world, &scope).map_err(Error::without_position)?;
        let Some(relation) = found.into_iter().next() else { return Err(Error::internal("a name without a relation")) };
        let (schema, name, all) = match &relation {
            Relation::Table(table) => {
                let columns = table.columns.iter().filter_map(|at| table.remote.columns.get(*at));
                let columns = columns.map(|column| (column.name.clone(), column.generated)).collect();
                (table.name.schema.clone(), table.name.table.clone(), columns)
            }
            Relation::Virtual(table) => {
                let columns = table.schema().fields().iter().map(|field| (field.name().clone(), false)).collect();
                (table.schema_name().to_owned(), table.name().to_owned(), columns)
            }
        };
        let mut table = Table { relation, schema, name, columns: all, list: Vec::new(), world: Arc::clone(world) };
        table.list = table.listed(columns)?;
        Ok(table)
    }

    fn listed(&self, columns: &[String]) -> Result<Vec<usize>> {
        if columns.is_empty() {
            return Ok((0..self.columns.len())
                .filter(|at| self.columns.get(*at).is_some_and(|(_, made)| !made))
                .collect());
        }
        once(columns, |name| {
            let place = self.place(name)?;
            if self.columns.get(place).is_some_and(|(_, made)| *made) {
                let message = format!("column \"{name}\" is a generated column");
                return Err(Error::client(SqlState::INVALID_COLUMN_REFERENCE, message)
                    .with_detail("Generated columns cannot be used in COPY."));
            }
            Ok(place)
        })
    }

    /// The places in the list of columns that an option names.
    fn forced(&self, option: &str, names: &[String]) -> Result<Vec<usize>> {
        let places = once(names, |name| self.place(name))?;
        let copied = |(place, name): (usize, &String)| {
            self.list.iter().position(|column| *column == place).ok_or_else(|| {
                let message = format!("{option} column \"{name}\" not referenced by COPY");
                Error::client(SqlState::INVALID_COLUMN_REFERENCE, message)
            })
        };
        places.into_iter().zip(names).map(copied).collect()
    }

    /// The names of the columns that are copied.
    fn names(&self) -> Vec<String> {
        self.list.iter().filter_map(|at| self.columns.get(*at)).map(|(name, _)| name.clone()).collect()
    }

    fn place(&self, name: &str) -> Result<usize> {
        self.columns.iter().position(|(column, _)| means(name, column)).ok_or_else(|| {
            let message = format!("column \"{name}\" of relation \"{}\" does not exist", self.name);
            Error::client(SqlState::UNDEFINED_COLUMN, message)
        })
    }

    /// PostgreSQL copies tables, of views their query must be written. (What clients are told is a table may be copied as one.)
    fn readable(&self) -> Result<()> {
        let kind = match &self.relation {
            Relation::Table(table) => match table.remote.kind {
                TableKind::View => "view",
                TableKind::MaterializedView => "materialized view",
                TableKind::Table | TableKind::Partitioned | TableKind::Foreign => return Ok(()),
            },
            Relation::Virtual(table) if table.is_view() => "view",
            Relation::Virtual(_) => return Ok(()),
        };
        Err(Error::client(SqlState::WRONG_OBJECT_TYPE, format!("cannot copy from {kind} \"{}\"", self.name))
            .with_hint("Try the COPY (SELECT ...) TO variant."))
    }

    /// The query that reads it.
    fn select(&self) -> Result<Statement> {
        let columns: Vec<String> = self.names().iter().map(|name| quote(name)).collect();
        let text = format!("SELECT {} FROM {}.{}", columns.join(", "), quote(&self.schema), quote(&self.name));
        crate::sql::parse(&text)?.pop().ok_or_else(|| Error::internal("the query of a COPY was lost"))
    }
}
