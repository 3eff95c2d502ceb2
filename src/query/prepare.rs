//! Steps 6 to 10 of the path: parse, resolve, authorise, route, plan.
//! Must not know: how rows are produced.

use std::sync::Arc;

use super::execute::{ACTING, calls};
use super::explain::Explain;
use super::facts::facts;
use super::fresh::Depends;
use super::pass::{Choice, Passed};
use super::permission::Permission;
use super::plan::Planned;
use super::probes::asks_catalogs;
use super::upstream::Wants;
use super::{Query, Route, RunningStatement, Target, route, utility};
use crate::catalog::{Needed, Relation, Setting, Settings, TableSchema, Viewer, World, existing, resolve};
use crate::engine::datafusion::{PlanRequest, SessionFacts};
use crate::engine::passthrough::PassPlan;
use crate::error::{Error, Result, SqlState};
use crate::names::TableName;
use crate::policy::{self, Identity, Privilege};
use crate::rows::RowShape;
use crate::session::{Kind, PreparedStatement, Session, Shown};
use crate::sql::{ExplainOption, Modify, Scope, Statement, StatementKind, TableRef, WriteAction, Written};
use crate::types::PgType;

/// A statement that reads, planned for one identity.
pub(super) struct Prepared {
    /// The plan, with the permit to run it if there is one.
    pub(super) plan: Permission,
    /// Where it runs, and why.
    pub(super) route: Route,
    /// EXPLAIN of it is wanted, not its rows.
    pub(super) explain: Option<Explain>,
    /// What it was planned from, to plan it again when the catalog changed.
    pub(super) scope: Arc<Scope>,
    /// The relations it means.
    pub(super) relations: Vec<Relation>,
    /// Where it found them.
    pub(super) world: Arc<World>,
    /// What its functions tell of.
    pub(super) depends: Depends,
    /// It asks what there is.
    pub(super) catalogs: bool,
    /// Who was authorised: a reload of the policy makes another.
    pub(super) identity: Arc<Identity>,
}

impl Prepared {
    /// What it wants of the source that runs it whole.
    pub(super) fn wants(&self, plan: &PassPlan) -> Wants<'_> {
        plan.refused_as().map_or(Wants::Read(self), Wants::Write)
    }

    /// Whether who asks may write to some table of a source.
    pub(super) fn may_write_at(&self, source: &str) -> bool {
        let privileges = [Privilege::Insert, Privilege::Update, Privilege::Delete];
        let may = |name: &TableName| privileges.iter().any(|asked| self.identity.access_for(name, *asked).is_some());
        self.world.tables().any(|table| *table.source == *source && may(&table.name))
    }
}

/// The statement whose rows are meant, and the options of the EXPLAIN around it.
pub(super) fn inner(statement: &Statement) -> Result<(&Statement, Option<&[ExplainOption]>)> {
    match &statement.kind {
        StatementKind::Explain { options, statement } => {
            let (inner, _) = inner(statement)?;
            Ok((inner, Some(options)))
        }
        StatementKind::DeclareCursor(declare) => Ok((&declare.statement, None)),
        _ => Ok((statement, None)),
    }
}

/// Prepares a statement of any kind.
pub(super) async fn prepare(
    query: &Query,
    session: &Session,
    identity: &Arc<Identity>,
    running: &RunningStatement,
    statement: Statement,
    parameter_types: &[u32],
) -> Result<PreparedStatement> {
    session.check_may_run(&statement)?;
    match statement.refusal() {
        Some(_) if statement.is_refused_when_run() => return unplanned(statement, None, parameter_types),
        Some(refusal) => return Err(refusal),
        None => {}
    }
    let (read, explain) = inner(&statement)?;
    if let (Some(options), StatementKind::Execute { .. }) = (explain, &read.kind) {
        let shape = Explain::read(options)?.shape();
        return unplanned(statement, Some(shape), parameter_types);
    }
    if !matches!(read.kind, StatementKind::Query(_) | StatementKind::Modify(_)) {
        if explain.is_some() {
            return Err(Error::unsupported(format!("EXPLAIN of {} is not supported", read.verb())));
        }
        running.entry().update(|progress| progress.route = Target::Utility.name());
        let shape = utility::shape(session, &statement)?;
        return unplanned(statement, shape, parameter_types);
    }
    let parameters = given(parameter_types)?;
    let planned = match plan(query, session, identity, running, &statement, &parameters).await {
        Err(error) if error.state() == SqlState::INDETERMINATE_DATATYPE => {
            determined(&statement, &parameters)?;
            return Err(error);
        }
        planned => planned?,
    };
    let shape = match planned.explain {
        Some(explain) => explain.shape(),
        None => Arc::clone(planned.plan.value().shape()),
    };
    let types = planned.plan.value().parameters().to_vec();
    let declares = matches!(statement.kind, StatementKind::DeclareCursor(_));
    let silent = declares || (explain.is_none() && planned.plan.value().is_silent());
    let mut prepared = PreparedStatement::planned(statement, types, shape, Arc::new(planned));
    if silent {
        // It returns nothing.
        prepared.shape = None;
    }
    Ok(prepared)
}

/// A statement that is not planned. It may be given parameters, and uses none.
fn unplanned(statement: Statement, shape: Option<Arc<RowShape>>, parameter_types: &[u32]) -> Result<PreparedStatement> {
    let parameters = given(parameter_types)?;
    determined(&statement, &parameters)?;
    let mut prepared = PreparedStatement::utility(statement, shape);
    prepared.parameters = parameters.into_iter().flatten().collect();
    Ok(prepared)
}

/// Parameters that a statement does not use must be given a type: nothing else tells it.
fn determined(statement: &Statement, parameters: &[Option<PgType>]) -> Result<()> {
    let unused = parameters.iter().enumerate().skip(usize::from(statement.parameter_count()));
    match unused.filter(|(_, ty)| ty.is_none()).map(|(at, _)| at + 1).next() {
        Some(number) => {
            let message = format!("could not determine data type of parameter ${number}");
            Err(Error::client(SqlState::INDETERMINATE_DATATYPE, message))
        }
        None => Ok(()),
    }
}

/// Resolves, authorises, routes and plans a statement that reads. Once more, where its source turns out to be another than it was when its
/// schema was read.
pub(super) async fn plan(
    query: &Query,
    session: &Session,
    identity: &Arc<Identity>,
    running: &RunningStatement,
    statement: &Statement,
    parameters: &[Option<PgType>],
) -> Result<Prepared> {
    match plan_once(query, session, identity, running, statement, parameters).await {
        Err(error) if error.is_unrun() => plan_once(query, session, identity, running, statement, parameters).await,
        planned => planned,
    }
}

async fn plan_once(
    query: &Query,
    session: &Session,
    identity: &Arc<Identity>,
    running: &RunningStatement,
    statement: &Statement,
    parameters: &[Option<PgType>],
) -> Result<Prepared> {
    let (read, explain) = inner(statement)?;
    let scope = Arc::new(Scope::of_statement(read));
    let catalogs = asks_catalogs(&scope, &query.parts.virtuals);
    running.entry().update(|progress| progress.asks_catalogs = catalogs);
    let world = world_for(query, session, identity, running, &scope).await?;
    let relations = relations(query, session, &world, &scope)?;
    let route = route(relations.iter());
    note_route(running, &route, &relations);
    let viewer = Arc::new(viewer(query, session, identity, &world));
    if calls(&scope, &ACTING) {
        session.arm_acts();
    }
    let facts = facts(session, &viewer, (&scope, running), query.started);
    let named: Vec<(TableRef, Relation)> = scope.relations.iter().cloned().zip(relations.iter().cloned()).collect();
    let depends = Depends::of(&scope);
    let steady = explain.is_none() && depends.is_steady(&statement.text);
    let at_once = running.is_at_once();
    let (named, last_resort) = (&named, false);
    let choice = Choice { query, session, running, statement: read, named, parameters, steady, last_resort, at_once };
    let (planned, route) = choose(choice, viewer, facts, route).await?;
    note_route(running, &route, &relations);
    let wanted = planned.tables().iter().map(|table| {
        let columns: Vec<String> = table.arrow.fields().iter().map(|field| field.name().clone()).collect();
        (table.name.clone(), columns, Privilege::Select)
    });
    let plan = policy::authorize(identity, wanted, planned.clone())?;
    let written = writes(read, planned.tables());
    let written = written.and_then(|writes| policy::authorize_writes(identity, writes, plan.clone()));
    let plan = Permission::new(plan, written)?;
    // As in PostgreSQL, what is wrong with the statement itself is told before what is wrong with an option.
    let explain = explain.map(Explain::read).transpose()?;
    Ok(Prepared { plan, route, explain, scope, relations, world, depends, catalogs, identity: Arc::clone(identity) })
}

/// The privileges that a statement needs beside those to read, with the columns: on the tables that it writes, which are the first of its
/// tables, and on the others if it locks rows.
fn writes(statement: &Statement, tables: &[Arc<TableSchema>]) -> Result<Vec<(TableName, Vec<String>, Privilege)>> {
    let writers: Vec<&Modify> = match &statement.kind {
        StatementKind::Modify(writing) => writing.writers().collect(),
        _ => Vec::new(),
    };
    let Some((targets, others)) = tables.split_at_checked(writers.len()) else {
        return Err(Error::internal("a target without a table"));
    };
    let locked = others.iter().filter(|_| statement.locks().is_some());
    if let Some(partition) = targets.iter().chain(locked).find(|table| table.is_partition()) {
        return Err(no_writes(partition));
    }
    let mut needed: Vec<_> =
        writers.into_iter().zip(targets).flat_map(|(modify, target)| written_by(modify, target)).collect();
    // As in PostgreSQL, who locks rows must be one who may change them.
    if statement.locks().is_some() {
        needed.extend(others.iter().map(|table| (table.name.clone(), Vec::new(), Privilege::Update)));
    }
    Ok(needed)
}

/// Rows of a partition are changed through the table that it is a part of, whose grants say what may be.
pub(super) fn no_writes(partition: &TableSchema) -> Error {
    let message = format!("permission denied for table {}", partition.name.table);
    Error::policy(SqlState::INSUFFICIENT_PRIVILEGE, message)
}

fn written_by(modify: &Modify, target: &TableSchema) -> Vec<(TableName, Vec<String>, Privilege)> {
    let columns = |written: Written| match (written.columns, written.action) {
        (Some(columns), _) => columns,
        (None, WriteAction::Delete) => Vec::new(),
        // As many of those that it may see as it has values.
        (None, _) => {
            let seen = target.arrow.fields().iter().map(|field| field.name().clone());
            seen.take(modify.insert_width().unwrap_or(usize::MAX)).collect()
        }
    };
    let privilege = |action| match action {
        WriteAction::Insert => Privilege::Insert,
        WriteAction::Update => Privilege::Update,
        WriteAction::Delete => Privilege::Delete,
    };
    let each = modify.writes().into_iter();
    each.map(|written| {
        let privilege = privilege(written.action);
        (target.name.clone(), columns(written), privilege)
    })
    .collect()
}

/// The plan of one of the engines.
async fn choose(
    choice: Choice<'_>,
    viewer: Arc<Viewer>,
    facts: SessionFacts,
    route: Route,
) -> Result<(Planned, Route)> {
    let why = match choice.passed(&viewer, &facts, &route).await? {
        Passed::Yes(plan, route) => return Ok((Planned::Passthrough(plan), route)),
        Passed::No(why) => why,
    };
    let engine = Arc::clone(&choice.query.parts.engine);
    let (statement, parameters) = (choice.statement.clone(), choice.parameters.to_vec());
    let relations = choice.named.to_vec();
    let (seen, known, steady) = (Arc::clone(&viewer), facts.clone(), choice.steady);
    let planning = async move {
        let request = PlanRequest { statement: &statement, relations, viewer, facts, parameters: &parameters, steady };
        engine.plan(request).await.map(Arc::new)
    };
    match choice.query.deep(choice.running, planning).await {
        Ok(plan) => Ok((Planned::Federated(plan), route.because(why.as_deref()))),
        Err(error) if choice.is_for_sources(&error) => {
            // What Tusk does not have a PostgreSQL may; if none has it either, ours is the better word.
            match (Choice { last_resort: true, ..choice }).passed(&seen, &known, &route).await {
                Ok(Passed::Yes(plan, route)) => Ok((Planned::Passthrough(plan), route)),
                Ok(Passed::No(_)) | Err(_) => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// The world that a statement of this scope is resolved in.
pub(super) async fn world_for(
    query: &Query,
    session: &Session,
    identity: &Arc<Identity>,
    running: &RunningStatement,
    scope: &Scope,
) -> Result<Arc<World>> {
    let needed = needed(query, session, scope);
    running.bounds().guard(async { Ok(query.worlds.of(identity, &needed).await) }).await
}

/// The sources whose schema a statement needs: those that may mount a schema it names; all, where it names none or looks at catalogs.
fn needed(query: &Query, session: &Session, scope: &Scope) -> Needed {
    // What looks names up by itself may mean any relation.
    if scope.names_objects || Depends::looks_up(scope) {
        return Needed::All;
    }
    let mut schemas = Vec::new();
    for table in &scope.relations {
        match &table.schema {
            Some(schema) if query.parts.virtuals.has_schema(schema) => return Needed::All,
            Some(schema) => schemas.push(schema.clone()),
            None if query.parts.virtuals.get("pg_catalog", &table.table).is_some() => return Needed::All,
            None => schemas.extend(session.search_path()),
        }
    }
    Needed::Schemas(schemas)
}

/// The relations that a scope means, in its order.
pub(super) fn relations(query: &Query, session: &Session, world: &World, scope: &Scope) -> Result<Vec<Relation>> {
    let path = session.search_path();
    scope.relations.iter().map(|table| resolve(world, &query.parts.database, &path, table)).collect()
}

/// The session's variables, to be looked at if a statement does.
fn settings(session: &Session) -> Settings {
    let vars = session.vars.snapshot();
    Settings::new(move || vars.show_all().into_iter().map(setting).collect())
}

/// A row of `pg_settings`.
fn setting(shown: Shown) -> Setting {
    let mut row = Setting { name: shown.name, setting: shown.raw, reset_val: shown.reset, ..Setting::default() };
    row.source = shown.source.name();
    let Some(variable) = shown.variable else {
        (row.category, row.context, row.vartype) = ("Customized Options", "user", "string");
        row.boot_val = String::new();
        return row;
    };
    (row.category, row.context, row.short_desc) = (variable.category, variable.context.name(), variable.description);
    variable.default.clone_into(&mut row.boot_val);
    match variable.kind {
        Kind::Bool => row.vartype = "bool",
        Kind::Int { unit, min, max } => {
            row.vartype = "integer";
            row.unit = unit.name();
            row.bounds = Some((min.to_string(), max.to_string()));
        }
        Kind::Real { unit, min, max } => {
            row.vartype = "real";
            row.unit = unit.name();
            let shown = |number: f64| if number == f64::MAX { "1.79769e+308".to_owned() } else { number.to_string() };
            row.bounds = Some((shown(min), shown(max)));
        }
        Kind::Enum(words) => {
            row.vartype = "enum";
            row.words = Some(words);
        }
        Kind::Text(_) => row.vartype = "string",
    }
    row
}

fn viewer(query: &Query, session: &Session, identity: &Identity, world: &Arc<World>) -> Viewer {
    Viewer {
        user: identity.user().to_owned(),
        roles: super::role_names(identity),
        admin: identity.admin(),
        pid: session.pid(),
        database: query.parts.database.clone(),
        search_path: existing(world, &session.search_path()),
        world: Arc::clone(world),
        settings: settings(session),
    }
}

fn tables(relations: &[Relation]) -> Vec<String> {
    let mut names: Vec<String> = relations
        .iter()
        .map(|relation| match relation {
            Relation::Table(table) => table.name.to_string(),
            Relation::Virtual(table) => format!("{}.{}", table.schema_name(), table.name()),
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

fn note_route(running: &RunningStatement, route: &Route, relations: &[Relation]) {
    running.entry().update(|progress| {
        progress.route = route.target.name();
        progress.route_reason.clone_from(&route.reason);
        progress.sources.clone_from(&route.sources);
        progress.tables = tables(relations);
    });
}

/// Notes what a plan does, in the history of the statement that runs it.
pub(super) fn note(running: &RunningStatement, planned: &Prepared) {
    running.entry().update(|progress| progress.asks_catalogs = planned.catalogs);
    note_route(running, &planned.route, &planned.relations);
}

fn given(parameter_types: &[u32]) -> Result<Vec<Option<PgType>>> {
    parameter_types
        .iter()
        .map(|oid| match oid {
            // 705 is "unknown": as good as not given.
            0 | 705 => Ok(None),
            oid => PgType::new(*oid).row().map(|_| Some(PgType::new(*oid))).ok_or_else(|| {
                Error::client(SqlState::UNDEFINED_OBJECT, format!("type with OID {oid} does not exist"))
            }),
        })
        .collect()
}
