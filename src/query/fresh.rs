//! Whether a plan that was made before still holds: the catalog, the policy and the session are what they were.
//! Must not know: how plans are made, how they run.

use std::sync::Arc;

use super::pass::sees_everything;
use super::plan::Planned;
use super::prepare::{self, Prepared};
use super::{Query, RunningStatement, Target};
use crate::catalog::{Relation, World};
use crate::error::{Error, Result, SqlState};
use crate::policy::Identity;
use crate::session::{PreparedStatement, Session};
use crate::sql::Scope;

/// Checks a plan against the catalog and the policy of this moment. `None`: it still holds. A statement whose tables or grants changed, or
/// whose functions tell of this moment, is planned again, and keeps that plan; if clients would see another result type, PostgreSQL's error
/// says so. `anew`: it is known not to hold.
pub(super) async fn still_true(
    query: &Query,
    session: &Session,
    identity: &Arc<Identity>,
    running: &RunningStatement,
    (prepared, planned, anew): (&PreparedStatement, &Prepared, bool),
) -> Result<(Option<Arc<Prepared>>, Arc<World>)> {
    let (holds, world) = holds(query, session, identity, running, (prepared, planned)).await?;
    if holds && !anew {
        return Ok((None, world));
    }
    let types: Vec<_> = prepared.parameters.iter().copied().map(Some).collect();
    let again = prepare::plan(query, session, identity, running, &prepared.statement, &types).await?;
    if planned.explain.is_none() && !again.plan.value().shape().same_for_clients(planned.plan.value().shape()) {
        return Err(Error::unsupported("cached plan must not change result type").unrun());
    }
    let again = Arc::new(again);
    prepared.replanned(session, Arc::clone(&again) as _);
    Ok((Some(again), world))
}

/// Whether a statement that nobody prepared may be answered by the plan that it had the last time.
pub(super) async fn reusable(
    query: &Query,
    session: &Session,
    identity: &Arc<Identity>,
    running: &RunningStatement,
    prepared: &PreparedStatement,
) -> Result<bool> {
    let Some(planned) = prepared.plan::<Prepared>() else { return Ok(false) };
    let (holds, world) = match holds(query, session, identity, running, (prepared, &planned)).await {
        Ok(found) => found,
        Err(error) if error.state() == SqlState::QUERY_CANCELED => return Err(error),
        // What is wrong with it now is told where it is planned.
        Err(_) => return Ok(false),
    };
    // A source that comes or goes may change what is said of it.
    Ok(holds && (planned.route.target != Target::Catalog || Arc::ptr_eq(&planned.world, &world)))
}

/// Whether the plan of a statement that nobody prepared is worth keeping: it does not depend on the moment.
pub(super) fn is_lasting(planned: &Prepared, text: &str) -> bool {
    planned.explain.is_none() && planned.depends.is_steady(text)
}

async fn holds(
    query: &Query,
    session: &Session,
    identity: &Arc<Identity>,
    running: &RunningStatement,
    (prepared, planned): (&PreparedStatement, &Prepared),
) -> Result<(bool, Arc<World>)> {
    let world = prepare::world_for(query, session, identity, running, &planned.scope).await?;
    let virtual_tables = planned.plan.value().reads_virtual();
    if !prepared.is_fresh(session, virtual_tables, planned.depends.time) || !Arc::ptr_eq(&planned.identity, identity) {
        return Ok((false, world));
    }
    if Arc::ptr_eq(&planned.world, &world) {
        // The search path is the same, too: every name means what it meant.
        return Ok((true, world));
    }
    let now = prepare::relations(query, session, &world, &planned.scope)?;
    let same =
        now.len() == planned.relations.len() && now.iter().zip(&planned.relations).all(|(a, b)| same_relation(a, b));
    // What may be told of a statement that a source runs depends on all of that source's tables.
    let told = match planned.plan.value() {
        Planned::Passthrough(plan) => plan.everything == sees_everything(query, &world, plan.source()),
        Planned::Federated(_) => true,
    };
    // What virtual tables and their functions tell is the world's, which the plan holds.
    Ok((same && told && !virtual_tables && !planned.depends.world, world))
}

/// What the functions of a statement tell of, beside their arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Depends {
    /// The moment or the daemon's state.
    time: bool,
    /// What there is, and who may see it.
    world: bool,
}

/// Functions that tell of what there is, and nothing else: names, or their starts before a `*`, their ends behind one.
const WORLD: &[&str] = &[
    "pg_get_*",
    "*_is_visible",
    "has_*",
    "to_reg*",
    "*obj_description",
    "col_description",
    "current_schema",
    "current_schemas",
    "format_type",
    "pg_column_is_updatable",
    "pg_describe_object",
    "pg_has_role",
    "pg_identify_object",
    "pg_index_column_has_property",
    "pg_index_has_property",
    "pg_indexam_has_property",
    "pg_relation_is_updatable",
    "pg_tablespace_location",
    "*_size",
];

/// Functions that tell of the session, which does not change in what they say, or of their arguments.
const STEADY: &[&str] = &[
    "current_catalog",
    "current_database",
    "current_role",
    "current_user",
    "pg_backend_pid",
    "pg_char_to_encoding",
    "pg_collation_for",
    "pg_encoding_to_char",
    "pg_is_other_temp_schema",
    "pg_my_temp_schema",
    "pg_options_to_table",
    "pg_size_bytes",
    "pg_size_pretty",
    "pg_typeof",
    "version",
];

/// Starts of the names of functions that may tell of the moment, if they are on no list above: too many cost a planning, too few a wrong
/// answer.
const MOMENT: &[&str] = &[
    "now",
    "current_",
    "local",
    "clock_",
    "statement_",
    "transaction_",
    "timeofday",
    "age",
    "random",
    "gen_random",
    "uuid",
    "txid_",
    "pg_",
    "inet_",
    "set_config",
    "setseed",
    "nextval",
    "currval",
    "lastval",
];

impl Depends {
    /// Whether functions of a statement look at what there is.
    pub(super) fn looks_up(scope: &Scope) -> bool {
        // What there is on the search path is told from memory: clients ask for it when they connect.
        let looks = |name: &str| !name.starts_with("current_") && WORLD.iter().any(|pattern| fits(pattern, name));
        scope.functions.iter().any(|function| looks(&function.name))
    }

    pub(super) fn of(scope: &Scope) -> Self {
        let mut depends = Depends { time: false, world: scope.names_objects };
        for function in &scope.functions {
            let name = function.name.as_str();
            if function.schema.as_deref().is_some_and(|schema| schema != "pg_catalog") {
                depends.time = true;
            } else if WORLD.iter().any(|pattern| fits(pattern, name)) {
                depends.world = true;
            } else if !STEADY.contains(&name) && MOMENT.iter().any(|start| name.starts_with(start)) {
                depends.time = true;
            }
        }
        depends
    }
}

impl Depends {
    /// Whether nothing in a statement of this text tells of the moment.
    pub(super) fn is_steady(self, text: &str) -> bool {
        !self.time && !is_moment(text)
    }
}

fn fits(pattern: &str, name: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => name.ends_with(end),
        (_, Some(start)) => name.starts_with(start),
        _ => name == pattern,
    }
}

/// Whether a literal of a text may mean the moment at which it is read, as `'now'` does. (A name that only looks like it costs a planning.)
fn is_moment(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["now", "today", "tomorrow", "yesterday", "\\", "u&'"].iter().any(|word| text.contains(word))
}

fn same_relation(a: &Relation, b: &Relation) -> bool {
    match (a, b) {
        (Relation::Table(a), Relation::Table(b)) => {
            Arc::ptr_eq(&a.remote, &b.remote) && a.shape == b.shape && a.name == b.name
        }
        (Relation::Virtual(a), Relation::Virtual(b)) => Arc::ptr_eq(a, b),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_functions_tell_of() {
        let depends = |sql: &str| {
            let statement = crate::sql::parse(sql).unwrap().pop().unwrap();
            let depends = Depends::of(&Scope::of_statement(&statement));
            (depends.time, depends.world)
        };
        assert_eq!(depends("select lower('x'), pg_backend_pid(), current_user, version()"), (false, false));
        assert_eq!(depends("select pg_get_indexdef(1), has_table_privilege('t', 'select')"), (false, true));
        assert_eq!(depends("select pg_catalog.pg_table_is_visible(1), current_schema()"), (false, true));
        assert_eq!(depends("select 't'::regclass, pg_table_size(1)"), (false, true));
        for sql in ["now()", "current_date", "pg_notify('a', 'b')", "current_setting('a')", "tusk.refresh('s')"] {
            assert!(depends(&format!("select {sql}")).0, "{sql}");
        }
        assert!(is_moment("select 'Now'::date") && is_moment(r"select e'\156ow'") && !is_moment("select 'then'"));
    }
}
