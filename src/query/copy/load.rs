//! COPY ... FROM STDIN: who may, into which source, and the statement that it becomes there.
//! Must not know: sockets, messages, what the data look like.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::super::pass::{sees, sees_everything, settings};
use super::super::upstream::{self, Wants};
use super::super::{Query, RunningStatement};
use super::Table;
use crate::catalog::{Load, LoadQuery, Relation, TableSchema, Target, Words};
use crate::error::{Error, Result, SqlState};
use crate::policy::{self, Columns, Identity, Ticket};
use crate::session::Session;
use crate::sql::print::{self, copy_from};
use crate::sql::{Copy, CopyFormat, CopyOptions, ForceColumns};

/// Rows on their way into a source, in the session's transaction. Dropped before its end, the transaction must fail.
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

    /// The client gives up: there will be no more data, and nothing is taken.
    ///
    /// # Errors
    /// `57014` in the client's words; or what was wrong with the data before.
    pub async fn give_up(&mut self, why: &str) -> Result<Infallible> {
        self.load.give_up(why).await
    }
}

/// Begins a COPY FROM at its source.
pub(super) async fn load(
    query: &Query,
    session: &mut Session,
    identity: &Arc<Identity>,
    running: &RunningStatement,
    copy: &Copy,
    table: &Table,
) -> Result<CopyIn> {
    let Relation::Table(schema) = &table.relation else { return Err(read_only()) };
    upstream::may_write(query, session, &schema.source, "COPY FROM")?;
    if schema.is_partition() {
        return Err(crate::query::prepare::no_writes(schema));
    }
    let columns = table.names();
    let permitted = policy::authorize_insert(identity, &schema.name, &columns, ())?;
    let options = super::options(copy)?;
    check(copy, table, &options)?;
    let whole = identity.access(&schema.name).is_some_and(|access| access.columns == Columns::All);
    let target = Target {
        tables: vec![(schema.remote.schema.clone(), schema.remote.name.clone())],
        whole,
        everything: sees_everything(query, &table.world, &schema.source),
        sees: sees(&table.world, &schema.source),
    };
    let load = load_query((&*session, running), schema, (&columns, target), &options)?;
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
    let wants = (&*schema.source, Wants::Write("COPY FROM"));
    let upstream = upstream::of_statement(query, session, running, wants).await?;
    let upstream = upstream.ok_or_else(|| Error::internal("a COPY FROM without a transaction"))?;
    upstream.writes();
    let load = running.bounds().guard(upstream.load(load.into_parts().0)).await?;
    Ok(CopyIn { load, columns: columns.len(), binary: options.format == CopyFormat::Binary, _ticket: ticket })
}

fn read_only() -> Error {
    Error::client(SqlState::READ_ONLY_SQL_TRANSACTION, "cannot execute COPY FROM in a read-only transaction")
}

/// What cannot be kept is refused before anything is written.
fn check(copy: &Copy, table: &Table, options: &CopyOptions) -> Result<()> {
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
fn load_query(
    (session, running): (&Session, &RunningStatement),
    table: &TableSchema,
    (columns, target): (&[String], Target),
    options: &CopyOptions,
) -> Result<LoadQuery> {
    let remote = print::Table { schema: Some(table.remote.schema.clone()), name: table.remote.name.clone() };
    let schemas = vec![(table.remote.schema.clone(), table.name.schema.clone())];
    Ok(LoadQuery {
        sql: copy_from(&remote, columns, options)?,
        // What decides how text is read: the source must read it as this session's client means it.
        session: settings(session)?.into(),
        words: Arc::new(Words {
            schemas,
            open: target.whole && target.everything,
            hidden: !target.whole || !target.everything,
            target: Some(target),
            ..Words::default()
        }),
        notices: running.bounds().notices.clone(),
    })
}
