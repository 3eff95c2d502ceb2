//! From a parsed statement to a logical plan: finds the tables, binds, names the result.
//! Must not know: who may see which table; the session's catalogs hold what its role may see.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::datasource::{TableProvider, provider_as_source};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{ObjectName, Query, Statement, visit_relations};

use super::bind::{Binder, FoundTable, FoundTables, Surroundings, schema_and_table};
use super::errors::from_datafusion;
use super::facts::SessionFacts;
use crate::error::{Error, Result};
use crate::types::PgType;

/// A column of a result as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultColumn {
    /// Its name; several columns may have one name.
    pub name: String,
    /// Its type, with modifier.
    pub pg: PgType,
}

/// A planned statement.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The plan, unoptimised, every expression in PostgreSQL's types. Its own field names are unique and may differ from the result's.
    /// Parameters are placeholders `$1` to be replaced by `LogicalPlan::with_param_values`, in the storage of their type.
    pub plan: LogicalPlan,
    /// The types of the parameters, in order.
    pub parameters: Vec<PgType>,
    /// The columns of the result, in order.
    pub columns: Vec<ResultColumn>,
}

/// Plans a query. `sql` is the text that was parsed (positions in errors count in it), `given` the types of parameters that the
/// client named. The session's facts are an extension of the state's configuration.
///
/// # Errors
/// What PostgreSQL's analysis finds wrong, with its SQLSTATE and position; `0A000` for what is not supported; what the catalog says
/// when it is asked for a table.
pub async fn plan(
    statement: &Statement,
    sql: &str,
    state: &SessionState,
    given: &[Option<PgType>],
) -> Result<Planned> {
    let Statement::Query(query) = statement else {
        return Err(Error::unsupported("only queries can be planned"));
    };
    let facts = state
        .config()
        .get_extension::<SessionFacts>()
        .ok_or_else(|| Error::internal("a session's state has no facts"))?;
    let tables = find_tables(query, state, &facts).await?;
    let registered = state.scalar_functions().iter().map(|(name, udf)| (name.clone(), udf.clone())).collect();
    let around = Surroundings { tables: &tables, registered, state, sql };
    let mut binder = Binder::new(facts, around, given);
    let relation = binder.statement(query)?;
    let columns = relation
        .columns
        .into_iter()
        .map(|output| ResultColumn { name: output.name, pg: output.value.pg })
        .collect();
    Ok(Planned { plan: relation.plan, parameters: binder.typing.parameters()?, columns })
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
            None => {
                let mut path = facts.search_path.clone();
                if !path.iter().any(|schema| schema == "pg_catalog") {
                    path.insert(0, "pg_catalog".to_owned());
                }
                path
            }
        };
        for schema in schemas {
            if let Some(provider) = lookup(state, &schema, &table).await? {
                let source = provider_as_source(provider);
                found.insert(key.clone(), FoundTable { schema, name: table.clone(), source });
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
