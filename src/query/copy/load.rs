//! COPY ... FROM STDIN: who may, into which source, and the statement that it becomes there.
//! Must not know: sockets, messages, what the data look like.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio_util::task::AbortOnDropHandle;

use super::super::{Query, RunningStatement, died};
use super::Table;
use crate::catalog::{Connector, Load, LoadQuery, Relation, TableSchema};
use crate::error::{Error, Result, SqlState};
use crate::policy::{self, Authorized, Columns, Identity, Ticket};
use crate::session::Session;
use crate::sql::print::{self, begin_copy_from, copy_from};
use crate::sql::{Copy, CopyFormat, CopyOptions, ForceColumns};

/// Rows on their way into a source. Nobody sees them before [`CopyIn::commit`]; dropping it undoes it.
pub struct CopyIn {
    load: Box<dyn Load>,
    /// Columns of each row.
    pub columns: usize,
    /// The data are in the binary format.
    pub binary: bool,
    _ticket: Ticket,
}

impl fmt::Debug for CopyIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyIn").field("load", &self.load).finish_non_exhaustive()
    }
}

impl CopyIn {
    /// Hands over more of the data, as it came. Waits until the source takes it.
    ///
    /// # Errors
    /// The source is lost, or has refused what it got so far.
    pub async fn write(&mut self, data: Bytes) -> Result<()> {
        self.load.write(data).await
    }

    /// The data are complete: how many rows the source took.
    ///
    /// # Errors
    /// What is wrong with the data, in the source's words.
    pub async fn finish(&mut self) -> Result<u64> {
        self.load.finish().await
    }

    /// Makes the rows last.
    ///
    /// # Errors
    /// What a deferred constraint says; `08007` where nobody knows whether they do.
    pub async fn commit(self) -> Result<()> {
        self.load.commit().await
    }
}

/// Begins a COPY FROM at its source.
pub(super) async fn load(
    query: &Query,
    session: &Session,
    identity: &Arc<Identity>,
    running: &RunningStatement,
    copy: &Copy,
    table: &Table,
) -> Result<CopyIn> {
    let Relation::Table(schema) = &table.relation else { return Err(read_only()) };
    let connector = match query.parts.catalog.source(&schema.source) {
        Some(source) if source.connector.loader().is_some() => Arc::clone(&source.connector),
        _ => return Err(read_only()),
    };
    if session.vars.is_on("transaction_read_only") {
        return Err(read_only());
    }
    let columns = table.names();
    let permitted = policy::authorize_insert(identity, &schema.name, &columns, ())?;
    let options = super::options(copy)?;
    check(session, copy, table, &options)?;
    let mut load = load_query(session, schema, &columns, &options)?;
    running.query_id().clone_into(&mut load.query_id);
    load.tells_rows = identity.access(&schema.name).is_some_and(|access| access.columns == Columns::All);
    load.tells_references = table.references_seen;
    let load = permitted.with(load);
    running.entry().update(|progress| {
        progress.route = "passthrough";
        progress.route_reason = format!("loads into one source: {}", schema.source);
        progress.sources = vec![schema.source.to_string()];
        progress.tables = vec![schema.name.to_string()];
        progress.remote_sql = vec![format!("{}: {}", schema.source, load.value().sql)];
    });
    let ticket = query.parts.admission.admit(identity, &running.bounds().cancel).await?;
    running.entry().update(|progress| progress.state = "running");
    let load = start(query, running, connector, load).await?;
    Ok(CopyIn { load, columns: columns.len(), binary: options.format == CopyFormat::Binary, _ticket: ticket })
}

fn read_only() -> Error {
    Error::client(SqlState::READ_ONLY_SQL_TRANSACTION, "cannot execute COPY FROM in a read-only transaction")
}

/// What cannot be kept is refused before anything is written.
fn check(session: &Session, copy: &Copy, table: &Table, options: &CopyOptions) -> Result<()> {
    if session.transaction.is_block() {
        return Err(Error::unsupported("COPY FROM inside a transaction block is not supported")
            .with_hint("Send it in a message of its own, outside of BEGIN and COMMIT: it commits by itself."));
    }
    if copy.filtered {
        return Err(Error::unsupported("COPY FROM with WHERE is not supported"));
    }
    for (option, columns) in [("FORCE_NOT_NULL", &options.force_not_null), ("FORCE_NULL", &options.force_null)] {
        if let ForceColumns::Named(names) = columns {
            table.forced(option, names)?;
        }
    }
    Ok(())
}

/// The statement for the source.
fn load_query(session: &Session, table: &TableSchema, columns: &[String], options: &CopyOptions) -> Result<LoadQuery> {
    let target = print::Table { schema: Some(table.remote.schema.clone()), name: table.remote.name.clone() };
    // What decides how text is read: the source must read it as this session's client means it.
    let setting = |name| (name, session.vars.text(name));
    let settings = [setting("DateStyle"), setting("IntervalStyle"), setting("TimeZone")];
    Ok(LoadQuery {
        begin: begin_copy_from(session.vars.text("transaction_isolation"), &settings)?,
        sql: copy_from(&target, columns, options)?,
        query_id: String::new(),
        names: (
            format!("{}.{}", table.remote.schema, table.remote.name),
            format!("{}.{}", table.name.schema, table.name.table),
        ),
        tells_rows: false,
        tells_references: false,
    })
}

/// Sends the statement, from the runtime of statements: the connection belongs there.
async fn start(
    query: &Query,
    running: &RunningStatement,
    connector: Arc<dyn Connector>,
    load: Authorized<LoadQuery>,
) -> Result<Box<dyn Load>> {
    let loading = query.parts.threads.queries.spawn(async move {
        match connector.loader() {
            Some(loader) => loader.load(load.into_parts().0).await,
            None => Err(read_only()),
        }
    });
    let loading = AbortOnDropHandle::new(loading);
    running.bounds().guard(async { loading.await.map_err(died)? }).await
}
