//! LOCK TABLE, VACUUM and its kin: what PostgreSQL tells a reader who owns nothing.
//! Must not know: engines; nothing is locked, and nothing is put in order.

use std::sync::Arc;

use crate::catalog::{Needed, Relation, World, existing, resolve};
use crate::error::{Error, Notices, Result, SqlState};
use crate::policy::Identity;
use crate::query::prepare::world_for;
use crate::query::{Outcome, Query, RunningStatement};
use crate::rows::CommandTag;
use crate::session::Session;
use crate::sql::{Maintenance, MaintenanceTarget, MaintenanceVerb, Scope, Statement, StatementKind, TableRef};

/// Answers one of these statements.
///
/// # Errors
/// As PostgreSQL: `25P01` and `25001` for where it stands, `42P01` and `3F000` for what there is not, `42501` for what only an owner may.
pub(in crate::query) async fn maintain(
    query: &Query,
    session: &Session,
    identity: &Arc<Identity>,
    running: &RunningStatement,
    statement: &Statement,
) -> Result<Outcome> {
    let block = session.transaction.is_block();
    let needs_all = match &statement.kind {
        StatementKind::Lock { .. } if !block => {
            let message = "LOCK TABLE can only be used in transaction blocks";
            return Err(Error::client(SqlState::NO_ACTIVE_SQL_TRANSACTION, message));
        }
        StatementKind::Maintain(maintenance) => {
            outside_blocks(maintenance, block)?;
            !matches!(maintenance.target, MaintenanceTarget::Tables(_))
        }
        _ => false,
    };
    let world = if needs_all {
        running.bounds().guard(async { Ok(query.worlds.of(identity, &Needed::All).await) }).await?
    } else {
        world_for(query, session, identity, running, &Scope::of_statement(statement)).await?
    };
    let names = Names { database: &query.parts.database, path: session.search_path(), world: &world };
    match &statement.kind {
        StatementKind::Lock { tables, shared } => lock(&names, tables, *shared)?,
        StatementKind::Maintain(maintenance) => owners_only(&names, maintenance, &running.bounds().notices)?,
        _ => return Err(Error::internal("a statement that maintains nothing")),
    }
    Ok(Outcome { rows: None, tag: CommandTag::Plain(statement.tag()) })
}

/// What may not run in a transaction block.
fn outside_blocks(maintenance: &Maintenance, block: bool) -> Result<()> {
    use MaintenanceTarget as Target;
    let what = match (maintenance.verb, &maintenance.target) {
        (MaintenanceVerb::Vacuum, _) => "VACUUM",
        (MaintenanceVerb::Cluster, Target::All) => "CLUSTER",
        (MaintenanceVerb::Reindex, _) if maintenance.concurrently => "REINDEX CONCURRENTLY",
        (MaintenanceVerb::Reindex, Target::Schema(_)) => "REINDEX SCHEMA",
        (MaintenanceVerb::Reindex, Target::Database("SYSTEM", _)) => "REINDEX SYSTEM",
        (MaintenanceVerb::Reindex, Target::Database(..)) => "REINDEX DATABASE",
        _ => return Ok(()),
    };
    if !block {
        return Ok(());
    }
    Err(Error::client(SqlState::ACTIVE_SQL_TRANSACTION, format!("{what} cannot run inside a transaction block")))
}

/// Where names are looked for.
struct Names<'a> {
    database: &'a str,
    path: Vec<String>,
    world: &'a Arc<World>,
}

impl Names<'_> {
    /// The relation of a name; as in PostgreSQL, errors of these statements have no position, and a schema may be missing by itself.
    fn find(&self, table: &TableRef) -> Result<Relation> {
        if let Some(schema) = &table.schema
            && existing(self.world, std::slice::from_ref(schema)).is_empty()
        {
            return Err(missing_schema(schema));
        }
        resolve(self.world, self.database, &self.path, table).map_err(Error::without_position)
    }
}

fn missing_schema(schema: &str) -> Error {
    Error::client(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{schema}\" does not exist"))
}

fn denied(message: String) -> Error {
    Error::policy(SqlState::INSUFFICIENT_PRIVILEGE, message)
}

/// Who may read may lock against nobody; nothing that Tusk reads is changed by its other clients.
fn lock(names: &Names<'_>, tables: &[TableRef], shared: bool) -> Result<()> {
    for table in tables {
        names.find(table)?;
        if !shared {
            return Err(denied(format!("permission denied for table {}", table.table)));
        }
    }
    Ok(())
}

fn owners_only(names: &Names<'_>, maintenance: &Maintenance, notices: &Notices) -> Result<()> {
    let skipped = match maintenance.verb {
        MaintenanceVerb::Vacuum => "vacuum",
        MaintenanceVerb::Analyze => "analyze",
        MaintenanceVerb::Cluster | MaintenanceVerb::Reindex => return owned(names, &maintenance.target),
    };
    let skip = |name: &str, owner: &str| {
        let message = format!("skipping \"{name}\" --- only {owner} or database owner can {skipped} it");
        notices.warn(SqlState::WARNING, message);
    };
    match &maintenance.target {
        MaintenanceTarget::Tables(tables) => {
            for table in tables {
                let system =
                    matches!(names.find(table)?, Relation::Virtual(found) if found.schema_name() == "pg_catalog");
                skip(&table.table, if system { "superuser" } else { "table" });
            }
        }
        _ => names.world.tables().for_each(|table| skip(&table.name.table, "table")),
    }
    Ok(())
}

/// CLUSTER and REINDEX.
fn owned(names: &Names<'_>, target: &MaintenanceTarget) -> Result<()> {
    match target {
        // Only what somebody owns is gone through: nothing.
        MaintenanceTarget::All => Ok(()),
        MaintenanceTarget::Tables(tables) => match tables.first() {
            Some(table) => {
                names.find(table)?;
                Err(denied(format!("must be owner of table {}", table.table)))
            }
            None => Ok(()),
        },
        MaintenanceTarget::Schema(schema) if existing(names.world, std::slice::from_ref(schema)).is_empty() => {
            Err(missing_schema(schema))
        }
        MaintenanceTarget::Schema(schema) => Err(denied(format!("must be owner of schema {schema}"))),
        MaintenanceTarget::Database(_, database) if database != names.database => {
            Err(Error::unsupported("can only reindex the currently open database"))
        }
        MaintenanceTarget::Database(_, database) => Err(denied(format!("must be owner of database {database}"))),
    }
}
