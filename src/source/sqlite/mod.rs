//! SQLite sources: one file, opened read-only for each statement; its bytes never change.
//! Must not know: SQL of users, catalogs, engines. The one place that knows `rusqlite`.

mod collate;
mod declared;
mod introspect;
mod keys;
mod open;
mod read;
mod value;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;

use super::{Access, BatchStream, Connector, RemoteQuery, RemoteSchema, SqlReader};
use crate::config::{Patterns, SourceKind, SqliteSettings};
use crate::error::{Error, Fault, Result, SqlState};
use open::Database;

/// A ping that takes longer means that the disk below hangs.
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// An introspection reads the schema table only; longer means locks or a disk that hangs.
const INTROSPECT_TIMEOUT: Duration = Duration::from_secs(30);

/// A SQLite file as a source. Cheap to make: nothing is opened before it is used.
#[derive(Debug)]
pub struct SqliteConnector {
    database: Database,
    tables: Patterns,
}

impl SqliteConnector {
    /// A source with this name; `tables` says which of its tables are mounted.
    #[must_use]
    pub fn new(name: &str, settings: &SqliteSettings, tables: &Patterns) -> Self {
        let path: PathBuf = settings.path.clone();
        SqliteConnector { database: Database::new(Arc::from(name), path), tables: tables.clone() }
    }
}

#[async_trait]
impl Connector for SqliteConnector {
    fn name(&self) -> &str {
        self.database.source()
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Sqlite
    }

    async fn introspect(&self) -> Result<RemoteSchema> {
        let database = self.database.clone();
        let patterns = self.tables.clone();
        blocking(self.name(), INTROSPECT_TIMEOUT, move |stop| introspect::introspect(&database, &patterns, stop)).await
    }

    async fn ping(&self) -> Result<()> {
        let database = self.database.clone();
        blocking(self.name(), PING_TIMEOUT, move |_| database.probe()).await.map_err(|cause| {
            Error::source_fault(SqlState::CONNECT_FAILED, format!("source \"{}\" cannot be reached", self.name()))
                .with_detail(format!("{cause}."))
                .with_cause(cause)
        })
    }

    fn access(&self) -> Access<'_> {
        Access::Sql(self)
    }
}

impl SqlReader for SqliteConnector {
    fn read(&self, query: RemoteQuery) -> BatchStream {
        read::read(self.database.clone(), query)
    }
}

/// Runs work on a thread of its own, bounded in time. When time is up (or the future is dropped) the flag tells the work to end.
async fn blocking<T, F>(source: &str, timeout: Duration, work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce(Arc<AtomicBool>) -> Result<T> + Send + 'static,
{
    let stop = read::StopOnDrop::default();
    let flag = stop.flag();
    match tokio::time::timeout(timeout, tokio::task::spawn_blocking(move || work(flag))).await {
        Ok(Ok(result)) => result,
        Ok(Err(join)) => Err(Error::internal(format!("reading source \"{source}\" panicked")).with_cause(join)),
        Err(_) => Err(Error::new(
            SqlState::CONNECT_FAILED,
            Fault::Source,
            format!("source \"{source}\" did not answer within {} seconds", timeout.as_secs()),
        )),
    }
}
