//! From a parsed statement to a logical plan: finds the tables, binds, names the result.
//! Must not know: who may see which table; the session's catalogs hold what its role may see.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::sql::ast::{ObjectName, Query, visit_relations};
use datafusion::datasource::{TableProvider, provider_as_source};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionConfig;
use datafusion::scalar::ScalarValue;

use super::bind::{Binder, FoundTable, FoundTables, Surroundings, schema_and_table};
use super::errors::from_datafusion;
use super::facts::SessionFacts;
use super::{limits, own, rows};
use crate::engine::datafusion::apply::held_anew;
use crate::engine::datafusion::secured::SecuredTable;
use crate::engine::datafusion::stop;
use crate::engine::datafusion::tables::downcast;
use crate::engine::datafusion::virtual_scan::VirtualProvider;
use crate::error::{Error, Result, SqlState};
use crate::names::TableName;
use crate::sql::{self, Statement, StatementKind};
use crate::types::PgType;

/// A bound statement.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The plan, unoptimised, every expression in PostgreSQL's types (also in the metadata of the fields). Its own field names are
    /// unique and may differ from the result's. Parameters are placeholders `$n`, see [`bind_parameters`].
    pub logical: LogicalPlan,
    /// The names of the result's columns as clients see them, in order. There is always a list, and each has a name.
    pub names: Option<Vec<Option<String>>>,
    /// The types of the parameters, in order.
    pub parameters: Vec<PgType>,
}

/// The configuration of a session with its facts.
#[must_use]
pub fn with_facts(config: SessionConfig, facts: SessionFacts) -> SessionConfig {
    config.with_extension(Arc::new(facts))
}

/// Binds a query. `given`: the types of parameters that the client named. The state's configuration has the facts ([`with_facts`]).
///
/// # Errors
/// What PostgreSQL's analysis finds wrong, with its SQLSTATE and position; `0A000` for what is not supported; what the catalog says
/// when it is asked for a table.
pub async fn plan(statement: &Statement, state: &SessionState, given: &[Option<PgType>]) -> Result<Bound> {
    let StatementKind::Query(query) = &statement.kind else {
        return Err(Error::unsupported("only queries can be planned"));
    };
    let facts = state
        .config()
        .get_extension::<SessionFacts>()
        .ok_or_else(|| Error::internal("a session's state has no facts"))?;
    let query = sql::rewrite(query.clone())?.query;
    let tables = find_tables(&query, state, &facts).await?;
    let registered = Arc::new(state.scalar_functions().iter().map(|(name, udf)| (name.clone(), udf.clone())).collect());
    let around = Surroundings { tables: &tables, registered, state, places: sql::Places::of(statement) };
    let mut binder = Binder::new(facts, around, given);
    own::during(|| {
        rows::during(|| {
            let relation = stop::planning(|| binder.statement(&query))?;
            let names = relation.columns.into_iter().map(|output| Some(output.name)).collect();
            Ok(Bound { logical: relation.plan, names: Some(names), parameters: binder.typing.parameters()? })
        })
    })
}

/// The plan with its parameters' values, in the storage of their types.
///
/// # Errors
/// `08P01` for another number of values than of parameters; what LIMIT and OFFSET say of their values.
pub fn bind_parameters(plan: &LogicalPlan, types: &[PgType], values: &[ScalarValue]) -> Result<LogicalPlan> {
    if types.len() != values.len() {
        return Err(Error::client(
            SqlState::PROTOCOL_VIOLATION,
            format!("bind message supplies {} parameters, but the statement requires {}", values.len(), types.len()),
        ));
    }
    if values.is_empty() {
        return Ok(plan.clone());
    }
    let settled = |plan: LogicalPlan| limits::settle(plan.with_param_values(values.to_vec())?);
    held_anew(plan.clone(), &settled).and_then(settled).map_err(from_datafusion)
}

/// The tables that a query names, each looked up once. Names that are not there are left out: they may be of WITH.
async fn find_tables(query: &Query, state: &SessionState, facts: &SessionFacts) -> Result<FoundTables> {
    let mut names: Vec<ObjectName> = Vec::new();
    let _ = visit_relations(query, |name| {
        if !names.contains(name) {
            names.push(name.clone());
        }
        ControlFlow::<()>::Continue(())
    });
    let mut found = FoundTables::new();
    for name in &names {
        // A name that cannot be one is complained about where it stands.
        let Ok((schema, table)) = schema_and_table(name, &facts.database) else { continue };
        let key = (schema.clone(), table.clone());
        if found.contains_key(&key) {
            continue;
        }
        let schemas = match schema {
            Some(schema) => vec![schema],
            // The statement's own catalog may have resolved the search path already, in its default schema.
            None => {
                let own = state.config().options().catalog.default_schema.clone();
                let implied = ["pg_catalog".to_owned(), own];
                implied.into_iter().chain(facts.search_path.iter().cloned()).collect()
            }
        };
        for schema in schemas {
            if let Some(provider) = lookup(state, &schema, &table).await? {
                let relation = relation_of(&provider);
                let source = provider_as_source(provider);
                found.insert(key.clone(), FoundTable { schema, name: table.clone(), source, relation });
                break;
            }
        }
    }
    Ok(found)
}

async fn lookup(state: &SessionState, schema: &str, table: &str) -> Result<Option<Arc<dyn TableProvider>>> {
    let catalog = &state.config().options().catalog.default_catalog;
    let Some(schema) = state.catalog_list().catalog(catalog).and_then(|catalog| catalog.schema(schema)) else {
        return Ok(None);
    };
    schema.table(table).await.map_err(from_datafusion)
}

/// The relation behind a provider, if its rows are of a type of their own that clients can look up.
fn relation_of(provider: &Arc<dyn TableProvider>) -> Option<TableName> {
    if let Some(secured) = downcast::<SecuredTable>(provider) {
        return Some(secured.table().name.clone());
    }
    downcast::<VirtualProvider>(provider).and_then(VirtualProvider::relation)
}
