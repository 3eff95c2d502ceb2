//! Sources: where rows come from. A [`Connector`] introspects, answers a ping and reads.
//! Must not know: who asks, what they may see, how SQL for a source is written (it is handed over, printed by `sql/print`).

mod declared;
pub mod files;
mod keys;
mod lineage;
pub mod postgres;
mod sizes;
pub mod sqlite;
mod transaction;
mod whole;
mod written;

use std::any::Any;
use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::catalog::TableProvider;
use futures::Stream;

pub use declared::{Declared, DeclaredKind, DeclaredType, Domain};
pub use keys::{ConstraintKind, IndexPart, Origin, References, RemoteConstraint, RemoteIndex};
pub use lineage::{Lineage, Partitioning, RemoteSequence, SequenceOwner};
pub use sizes::{DiskSize, DiskSizes};
pub use transaction::{Failed, Opening, RemoteTransaction, Savepoint, Spot, Stand};
pub use whole::{
    Argument, Body, Described, DescribedColumn, RowStream, SESSION_SETTINGS, StatementRunner, Target, WholeStatement,
    Words,
};
pub use written::Written;

use crate::config::SourceKind;
use crate::error::{Error, Notices, Result, SqlState};
use crate::types::{self, Own, PgType};

/// Batches on their way out of a source. Dropping it stops the work at the source and gives up the connection.
pub type BatchStream = Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>>;

/// One source, connected lazily. Errors name the source and never a secret, a path outside it or its URL.
#[async_trait]
pub trait Connector: Debug + Send + Sync {
    /// The source's name in the config.
    fn name(&self) -> &str;

    /// What it is.
    fn kind(&self) -> SourceKind;

    /// Reads the whole schema of the source. Bounded in time by the source's own settings.
    ///
    /// # Errors
    /// `08001` where the source cannot be reached; whatever its files or catalogs are wrong with.
    async fn introspect(&self) -> Result<RemoteSchema>;

    /// Answers whether the source is there, bounded in time.
    ///
    /// # Errors
    /// `08001` where it is not.
    async fn ping(&self) -> Result<()>;

    /// How its rows are read.
    fn access(&self) -> Access<'_>;

    /// Whether statements may write to its tables.
    fn writable(&self) -> bool {
        false
    }

    /// Whether all that it has is mounted: no configuration leaves tables out.
    fn mounts_everything(&self) -> bool {
        true
    }

    /// How it runs whole statements; `None`: it does not.
    fn runner(&self) -> Option<&dyn StatementRunner> {
        None
    }

    /// Connections, for metrics and views: (in use, idle, maximum). Sources without a pool: `None`.
    fn pool(&self) -> Option<PoolStatus> {
        None
    }
}

/// A pool as views show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolStatus {
    /// Connections that a statement uses.
    pub in_use: usize,
    /// Connections that wait for work.
    pub idle: usize,
    /// Connections at most.
    pub maximum: usize,
    /// Statements that wait for a connection.
    pub waiting: usize,
    /// Connections that have been made.
    pub opened: u64,
    /// Attempts to connect that have failed.
    pub failed: u64,
    /// Why nobody tries to connect at this moment: the last attempt failed just now.
    pub broken: Option<String>,
}

/// The two ways to read.
pub enum Access<'a> {
    /// The source takes SQL.
    Sql(&'a dyn SqlReader),
    /// The source is files, read by the engine.
    Files(&'a dyn FileReader),
}

/// A source that takes SQL.
pub trait SqlReader: Send + Sync {
    /// Starts reading when the stream is first polled. The stream owns its connection; dropping it cancels the statement at the
    /// source within a second and never leaves a connection in an unknown state in the pool.
    fn read(&self, query: RemoteQuery) -> BatchStream;
}

/// Rows on their way into a source, in a transaction. Dropped before [`Load::finish`], the statement has failed.
#[async_trait]
pub trait Load: Debug + Send + Sync {
    /// Hands over more of the data, as it came. Waits until the source takes it.
    ///
    /// # Errors
    /// The source is lost, or has refused what it got so far.
    async fn write(&mut self, data: Bytes) -> Result<()>;

    /// The data are complete: how many rows the source took.
    ///
    /// # Errors
    /// What is wrong with the data, in the source's words.
    async fn finish(&mut self) -> Result<u64>;

    /// There will be no more data, and nothing is taken.
    ///
    /// # Errors
    /// `57014` in the client's words, with where in the data the source was; or what was wrong with the data before.
    async fn give_up(&mut self, why: &str) -> Result<Infallible>;
}

/// A statement that takes rows.
#[derive(Debug)]
pub struct LoadQuery {
    /// The statement, as it is sent. For PostgreSQL: `COPY … FROM STDIN`.
    pub sql: String,
    /// The settings of the session that decide how text is read.
    pub session: Arc<str>,
    /// How its errors are told.
    pub words: Arc<Words>,
    /// Takes what the source says beside its answer.
    pub notices: Notices,
}

/// A source of files.
pub trait FileReader: Send + Sync {
    /// A table of this source as the engine scans it: its schema is `RemoteTable::arrow_schema`, exactly.
    ///
    /// # Errors
    /// `58P01` where the files are gone; `XX001` where they are corrupt.
    fn provider(&self, table: &RemoteTable) -> Result<Arc<dyn TableProvider>>;
}

/// A statement for a source.
#[derive(Debug, Clone)]
pub struct RemoteQuery {
    /// The SQL, as it is sent. For PostgreSQL: `COPY (SELECT …) TO STDOUT (FORMAT binary)`.
    pub sql: String,
    /// What comes back, in order: names as the engine wants them, Arrow types as `types::storage` has them.
    pub schema: SchemaRef,
    /// A statement whose columns, as the source describes them, must be of the schema's types still: a binary form tells no types, so
    /// that a column that changed would be read as another. `None`: nothing to hold it against.
    pub described_by: Option<String>,
    /// For each column: the source was asked for its text form (`::text`), as its binary form is not known to us.
    pub as_text: Vec<bool>,
    /// Names the statement at the source (`application_name`), so that people there can find it.
    pub query_id: String,
    /// Counts what was read.
    pub meter: Arc<ScanMeter>,
}

/// Rows and bytes that a statement reads from its sources, and how many rows it may.
#[derive(Debug, Default)]
pub struct ScanMeter {
    rows: AtomicU64,
    bytes: AtomicU64,
    max_rows: Option<u64>,
}

impl ScanMeter {
    /// Of a statement that may read so many rows.
    #[must_use]
    pub fn new(max_rows: Option<u64>) -> Self {
        ScanMeter { max_rows, ..ScanMeter::default() }
    }

    /// Adds rows that have come.
    ///
    /// # Errors
    /// `54000` once the limit is passed.
    pub fn add(&self, rows: u64, bytes: u64) -> Result<()> {
        let rows = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        match self.max_rows {
            Some(limit) if rows > limit => {
                let message = format!("statement reads more than max_rows_read of {limit}");
                let error = Error::resource(SqlState::PROGRAM_LIMIT_EXCEEDED, message);
                Err(error.with_detail("The limit belongs to a role of this user."))
            }
            _ => Ok(()),
        }
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Bytes so far: on the wire where the source is remote, in memory otherwise.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// What a source holds, as one introspection found it.
#[derive(Debug, Clone, Default)]
pub struct RemoteSchema {
    /// Its tables, ordered by schema and name.
    pub tables: Vec<Arc<RemoteTable>>,
    /// Its sequences, ordered by schema and name.
    pub sequences: Vec<Arc<RemoteSequence>>,
    /// What could not be mounted and why (a file that is corrupt, a column type that is refused): for the log and `tusk.events`.
    pub problems: Vec<String>,
    /// Tables that are known but cannot be read: remote schema, name, and what a statement that names them is told.
    pub broken: Vec<(String, String, Error)>,
}

/// What kind of relation it is at its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableKind {
    /// A table (or a file).
    Table,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// A partitioned table.
    Partitioned,
    /// A foreign table.
    Foreign,
}

/// A table of a source.
#[derive(Debug, Clone)]
pub struct RemoteTable {
    /// The schema at the source; empty for files.
    pub schema: String,
    /// Its exact name at the source.
    pub name: String,
    /// What it is there.
    pub kind: TableKind,
    /// Its columns in order.
    pub columns: Vec<RemoteColumn>,
    /// Positions of the primary key's columns, in key order.
    pub primary_key: Vec<usize>,
    /// Its constraints, by name.
    pub constraints: Vec<RemoteConstraint>,
    /// Its indexes, by name.
    pub indexes: Vec<RemoteIndex>,
    /// The comment on it.
    pub comment: Option<String>,
    /// Rows, as the source estimates them.
    pub estimated_rows: Option<u64>,
    /// What it takes on disk, as the source says.
    pub sizes: Arc<DiskSizes>,
    /// What a view is made of, where the source says.
    pub definition: Option<Arc<Written>>,
    /// The columns that a view reads, where the source says.
    pub reads: Vec<ColumnRead>,
    /// What it descends from, and what it is divided by.
    pub lineage: Lineage,
    /// Its columns here are all that it has there, in the same order: a whole statement may read it as it stands.
    pub whole: bool,
    /// Its number at the source, where that numbers tables; 0 otherwise.
    pub oid: u32,
    /// The numbers there of the type of its rows and of that of their arrays; 0 otherwise.
    pub row_types: (u32, u32),
    /// What the connector needs to read it (its files, say); nobody else looks inside.
    pub handle: Option<Arc<dyn Any + Send + Sync>>,
}

/// A column that a view of the same source reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnRead {
    /// The schema of the column's relation at the source.
    pub schema: String,
    /// The relation's name there.
    pub relation: String,
    /// The column as the source numbers it; 0: the relation as a whole.
    pub number: i16,
}

/// A column of a source's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteColumn {
    /// Its exact name.
    pub name: String,
    /// Its type towards clients.
    pub ty: PgType,
    /// NULL is impossible.
    pub not_null: bool,
    /// The type's quoted, qualified name at the source, for casts of literals (enums, say); empty where `ty` says it all.
    pub remote_type: String,
    /// What its values are where they are of a type of the source's own, which they have only their text for here.
    pub own: Option<Own>,
    /// Comparing and ordering this column's text at the source agrees with bytewise comparison (collation C or POSIX), or it is no text.
    pub bytewise: bool,
    /// Its default, as the source prints it; what a generated column is generated from.
    pub default: Option<Written>,
    /// The source computes it from other columns, as its default says: COPY leaves it out.
    pub generated: bool,
    /// `attidentity`: a always, d by default.
    pub identity: Option<char>,
    /// The comment on it.
    pub comment: Option<String>,
    /// The enum or domain it is declared with.
    pub declared: Option<Declared>,
    /// Its values mean at the source what they mean here, so that expressions over it may be evaluated there: its type is one of
    /// PostgreSQL's own that looks nothing up, or an enum.
    pub plain: bool,
    /// Its number at the source, where that numbers columns; 0 otherwise.
    pub number: i16,
    /// `attinhcount`: how many of the tables that its table inherits from have it.
    pub inherited: i16,
    /// Its table was made with it, whatever that inherits.
    pub local: bool,
    /// The collation by the number that it has at the source; 0 where there is none, or nothing is known of it.
    pub collation: u32,
}

impl RemoteColumn {
    fn field(&self) -> Field {
        match &self.own {
            Some(own) => own.field(&self.name, !self.not_null),
            None => types::field(&self.name, self.ty, !self.not_null),
        }
    }
}

impl RemoteSchema {
    /// This schema as news of an older one: what is as it was stays the very same, so that what was made of it still holds. Only the sizes of
    /// tables are news in it too.
    #[must_use]
    pub fn renews(mut self, old: &Arc<RemoteSchema>) -> Arc<RemoteSchema> {
        let known: HashMap<(&str, &str), &Arc<RemoteTable>> =
            old.tables.iter().map(|table| ((table.schema.as_str(), table.name.as_str()), table)).collect();
        for table in &mut self.tables {
            if let Some(before) = known.get(&(table.schema.as_str(), table.name.as_str()))
                && before.is(table)
            {
                before.sizes.renew(&table.sizes);
                *table = Arc::clone(before);
            }
        }
        let same = self.tables.len() == old.tables.len()
            && self.tables.iter().zip(&old.tables).all(|(new, before)| Arc::ptr_eq(new, before))
            && self.sequences == old.sequences
            && self.problems == old.problems
            && self.broken.is_empty()
            && old.broken.is_empty();
        if same { Arc::clone(old) } else { Arc::new(self) }
    }
}

impl RemoteTable {
    /// Whether it is the same in everything that is known of it, its size aside. What a connector keeps with it nobody can compare;
    /// a definition that could not be read is none that has changed.
    #[must_use]
    pub fn is(&self, other: &RemoteTable) -> bool {
        self.handle.is_none()
            && other.handle.is_none()
            && (&self.schema, &self.name) == (&other.schema, &other.name)
            && self.kind == other.kind
            && self.primary_key == other.primary_key
            && self.estimated_rows == other.estimated_rows
            && self.whole == other.whole
            && self.comment == other.comment
            && self.lineage == other.lineage
            && (other.definition.is_none() || (&self.definition, &self.reads) == (&other.definition, &other.reads))
            && self.columns == other.columns
            && self.constraints == other.constraints
            && self.indexes == other.indexes
    }

    /// The table's columns as Arrow has them, with PostgreSQL's types in the fields' metadata.
    #[must_use]
    pub fn arrow_schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.columns.iter().map(RemoteColumn::field).collect::<Vec<_>>()))
    }

    /// A number that changes when names, types (the labels of an enum, too) or order of the columns change: guards prepared statements.
    #[must_use]
    pub fn shape(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        for column in &self.columns {
            (&column.name, column.ty.oid, column.ty.typmod, &column.remote_type, &column.own).hash(&mut hasher);
        }
        hasher.finish()
    }
}
