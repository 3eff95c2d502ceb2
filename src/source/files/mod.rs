//! Sources of files: Parquet, CSV, TSV, JSON, NDJSON and Arrow below one folder or pattern, each file or folder a table.
//! Must not know: who asks. Paths outside the configured ones are never opened.

mod adapt;
mod convert;
mod find;
mod format;
mod guess;
mod ipc;
mod open;
mod parquet;
mod provider;
mod rows;
mod scan;
mod shape;
mod table;
mod text;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;

use super::{Access, Connector, DiskSize, DiskSizes, FileReader, Lineage, RemoteSchema, RemoteTable, TableKind};
use crate::config::{FilesSettings, Patterns, SourceKind};
use crate::error::{Error, Result, SqlState};
use find::{Candidate, Finds};
use provider::FilesProvider;
use shape::Shapes;
use table::FileTable;

/// A ping looks at one folder; longer means that the disk below hangs.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// Files as a source.
#[derive(Debug)]
pub struct FilesConnector {
    name: Arc<str>,
    settings: FilesSettings,
    tables: Patterns,
    shapes: Arc<Shapes>,
    round: AtomicU64,
}

impl FilesConnector {
    /// A source with this name; `tables` says which of the tables found are mounted (those of the config always are).
    #[must_use]
    pub fn new(name: &str, settings: &FilesSettings, tables: &Patterns) -> Self {
        FilesConnector {
            name: Arc::from(name),
            settings: settings.clone(),
            tables: tables.clone(),
            shapes: Arc::default(),
            round: AtomicU64::new(0),
        }
    }
}

#[async_trait]
impl Connector for FilesConnector {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Files
    }

    async fn introspect(&self) -> Result<RemoteSchema> {
        let round = self.round.fetch_add(1, Ordering::Relaxed) + 1;
        let work = Introspection {
            source: Arc::clone(&self.name),
            settings: self.settings.clone(),
            tables: self.tables.clone(),
            shapes: Arc::clone(&self.shapes),
            round,
        };
        let stop = StopOnDrop::default();
        let flag = Arc::clone(&stop.0);
        tokio::task::spawn_blocking(move || work.run(&flag))
            .await
            .map_err(|e| Error::internal("the introspection of files panicked").with_cause(e))?
    }

    async fn ping(&self) -> Result<()> {
        let (source, settings) = (Arc::clone(&self.name), self.settings.clone());
        let unreachable = |detail: String| {
            Error::source_fault(SqlState::CONNECT_FAILED, format!("source \"{}\" cannot be reached", self.name))
                .with_detail(detail)
        };
        let probe = tokio::task::spawn_blocking(move || probe(&source, &settings));
        match tokio::time::timeout(PING_TIMEOUT, probe).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => Err(unreachable(format!("{error}.")).with_cause(error)),
            Ok(Err(join)) => Err(Error::internal("the ping of files panicked").with_cause(join)),
            Err(_) => Err(unreachable(format!("It did not answer within {} seconds.", PING_TIMEOUT.as_secs()))),
        }
    }

    fn access(&self) -> Access<'_> {
        Access::Files(self)
    }
}

impl FileReader for FilesConnector {
    fn provider(&self, table: &RemoteTable) -> Result<Arc<dyn TableProvider>> {
        let handle =
            table.handle.clone().and_then(|handle| handle.downcast::<FileTable>().ok()).ok_or_else(|| {
                Error::internal(format!("table \"{}\" is not of source \"{}\"", table.name, self.name))
            })?;
        Ok(Arc::new(FilesProvider::new(handle)))
    }
}

/// Errors of ours inside a plan: `DataFusionError::External` with an [`Error`] in it, which the engine takes out again.
fn plan_error(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

fn probe(source: &Arc<str>, settings: &FilesSettings) -> Result<()> {
    match &settings.path {
        Some(path) => find::find_root(source, path, &Patterns::default(), &mut Finds::default()),
        None => match settings.tables.first() {
            Some(table) => find::find_table(source, table).map(|_| ()),
            None => Ok(()),
        },
    }
}

/// Tells the thread of an introspection that nobody waits for it any more.
#[derive(Default)]
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One look at everything that the source has.
struct Introspection {
    source: Arc<str>,
    settings: FilesSettings,
    tables: Patterns,
    shapes: Arc<Shapes>,
    round: u64,
}

impl Introspection {
    fn run(&self, stop: &AtomicBool) -> Result<RemoteSchema> {
        let mut finds = Finds::default();
        if let Some(path) = &self.settings.path {
            find::find_root(&self.source, path, &self.tables, &mut finds)?;
        }
        for table in &self.settings.tables {
            // What the config says of a name counts, whatever else has that name.
            finds.candidates.retain(|candidate| candidate.name != table.name);
            finds.broken.retain(|(name, _)| *name != table.name);
            match find::find_table(&self.source, table) {
                Ok(candidate) => finds.candidates.push(candidate),
                Err(error) => finds.broken.push((table.name.clone(), error)),
            }
        }
        let mut schema = RemoteSchema { problems: finds.problems, ..RemoteSchema::default() };
        let mut broken = finds.broken;
        for candidate in finds.candidates {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::canceled());
            }
            let name = candidate.name.clone();
            match self.table(candidate, stop) {
                Ok(table) => schema.tables.push(Arc::new(table)),
                Err(error) if error.state() == SqlState::QUERY_CANCELED => return Err(error),
                Err(error) => broken.push((name, error)),
            }
        }
        for (name, error) in broken {
            let context = error.context().map_or_else(String::new, |context| format!(" ({context})"));
            schema.problems.push(format!("table \"{name}\": {error}{context}"));
            schema.broken.push((String::new(), name, error));
        }
        schema.tables.sort_by(|a, b| a.name.cmp(&b.name));
        schema.broken.sort_by(|a, b| a.1.cmp(&b.1));
        self.shapes.forget_before(self.round);
        Ok(schema)
    }

    fn table(&self, candidate: Candidate, stop: &AtomicBool) -> Result<RemoteTable> {
        let (table, rows) = FileTable::open(candidate, Arc::clone(&self.shapes), self.round, stop)?;
        Ok(RemoteTable {
            schema: String::new(),
            name: table.candidate.name.clone(),
            kind: TableKind::Table,
            columns: table.columns.clone(),
            primary_key: Vec::new(),
            constraints: Vec::new(),
            indexes: Vec::new(),
            comment: None,
            estimated_rows: Some(rows),
            sizes: Arc::new(DiskSizes::new(Some(DiskSize::of_rows(table.bytes)), Vec::new())),
            definition: None,
            reads: Vec::new(),
            lineage: Lineage::default(),
            whole: false,
            oid: 0,
            row_types: (0, 0),
            handle: Some(Arc::new(table)),
        })
    }
}
