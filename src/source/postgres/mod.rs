//! A live PostgreSQL database as a source: `dial` connects, `pool` shares connections, `introspect` reads its catalogs, `read` streams
//! a statement's rows as Arrow batches. Must not know: who asks, how the SQL it runs came about.

mod ask;
mod block;
mod complaint;
mod copy;
mod cursor;
mod declared;
mod dial;
mod errors;
mod flow;
mod forward;
mod frames;
mod inbox;
mod introspect;
mod kept;
mod keys;
mod lease;
mod line;
mod lineage;
mod load;
mod pool;
mod read;
mod relay;
mod rows;
mod scan;
mod sizes;
mod skeletons;
mod socket;
mod talk;
mod tls;
mod trouble;
mod turn;
mod views;
mod whole;
mod words;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;

pub use self::ask::{Answer, ask};
use self::introspect::Failed;
pub use self::lease::Lease;
use self::pool::Pool;
use super::{
    Access, Argument, BatchStream, Connector, Described, Opening, PoolStatus, RemoteQuery, RemoteSchema,
    RemoteTransaction, RowStream, SqlReader, StatementRunner, WholeStatement,
};
use crate::config::{Patterns, PostgresSettings, SourceKind};
use crate::error::Result;

/// Time for each query of an introspection where the source has no `statement_timeout`.
const INTROSPECTION_TIME: Duration = Duration::from_secs(30);

/// One PostgreSQL source. Connects when it is first needed.
pub struct PostgresConnector {
    pool: Arc<Pool>,
    /// Remote schemas that are mounted; `None`: all.
    schemas: Option<Vec<String>>,
    tables: Patterns,
    introspection_time: Duration,
    writable: bool,
    /// Functions that statements may call beside PostgreSQL's own.
    functions: Vec<String>,
}

impl PostgresConnector {
    /// A connector of this name; it connects to nothing yet.
    ///
    /// # Errors
    /// `F0000` where the CA file cannot be read or holds no certificate.
    pub fn new(name: &str, settings: &PostgresSettings, tables: &Patterns) -> Result<Self> {
        let statement_timeout = settings.statement_timeout;
        Ok(PostgresConnector {
            pool: Pool::new(name, settings)?,
            schemas: settings.schemas.as_ref().map(|schemas| schemas.keys().cloned().collect()),
            tables: tables.clone(),
            writable: settings.writable,
            functions: settings.allow_functions.clone(),
            introspection_time: if statement_timeout.is_zero() { INTROSPECTION_TIME } else { statement_timeout },
        })
    }

    /// A connection for one statement after another, set up as every connection of this source: UTC, read-only, empty search path. `query_id` names the statement at the source.
    ///
    /// # Errors
    /// `08001` where no connection is to be had within the connect timeout.
    pub async fn lease(&self, query_id: &str) -> Result<Lease> {
        self.pool.lease(query_id).await
    }
}

impl fmt::Debug for PostgresConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConnector").field("name", &self.pool.source()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Connector for PostgresConnector {
    fn name(&self) -> &str {
        self.pool.source()
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Postgres
    }

    fn mounts_everything(&self) -> bool {
        self.schemas.is_none() && self.tables.is_all()
    }

    async fn introspect(&self) -> Result<RemoteSchema> {
        let mut lease = self.pool.lease_beside("introspection").await?;
        let each = self.introspection_time;
        let found = match introspect::read(lease.client()?, self.schemas.clone(), &self.tables, each).await {
            Err(Failed::Silent) => return Err(errors::silent(self.name(), each)),
            Err(Failed::Said(error)) => Err(error),
            Ok(found) => Ok(found),
        };
        let found = errors::checked(self.name(), found, lease.end())?;
        lease.finish();
        Ok(found)
    }

    async fn ping(&self) -> Result<()> {
        let mut lease = self.pool.lease_beside("ping").await?;
        let Ok(answer) = timeout(self.pool.timeout(), lease.client()?.batch_execute("SELECT 1")).await else {
            return Err(errors::silent(self.name(), self.pool.timeout()));
        };
        errors::checked(self.name(), answer, lease.end())?;
        lease.finish();
        Ok(())
    }

    fn access(&self) -> Access<'_> {
        Access::Sql(self)
    }

    fn writable(&self) -> bool {
        self.writable
    }

    fn runner(&self) -> Option<&dyn StatementRunner> {
        Some(self)
    }

    fn pool(&self) -> Option<PoolStatus> {
        Some(self.pool.status())
    }
}

#[async_trait]
impl StatementRunner for PostgresConnector {
    async fn describe(&self, statement: &WholeStatement) -> Result<Described> {
        whole::describe(&self.pool, statement).await
    }

    async fn run(
        &self,
        statement: WholeStatement,
        described: Arc<Described>,
        arguments: Vec<Argument>,
    ) -> Result<BatchStream> {
        forward::run_batches(&self.pool, statement, &described, &arguments).await
    }

    async fn relay(
        &self,
        statement: WholeStatement,
        described: Arc<Described>,
        (arguments, formats): (Vec<Argument>, Vec<bool>),
    ) -> Result<RowStream> {
        forward::run(&self.pool, statement, &described, (&arguments, &formats)).await
    }

    fn functions(&self) -> &[String] {
        &self.functions
    }

    async fn begin(&self, opening: Opening) -> Result<Arc<dyn RemoteTransaction>> {
        block::begin(&self.pool, opening).await
    }
}

impl SqlReader for PostgresConnector {
    fn read(&self, query: RemoteQuery) -> BatchStream {
        read::read(Arc::clone(&self.pool), query)
    }
}
