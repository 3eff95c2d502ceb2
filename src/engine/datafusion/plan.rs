//! From a statement whose relations are resolved to a logical plan, its parameters and its shape.
//! Must not know: how the plan runs, who asked.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::LogicalPlan;

use super::Federated;
use super::kept::{Kept, Physical};
use super::secured::SecuredTable;
use super::semantics::{self, SessionFacts};
use super::session_calls;
use super::shape::shape_of;
use super::tables::{SEARCH_PATH, StatementCatalogs, StatementTables};
use super::virtual_scan::VirtualProvider;
use crate::catalog::{Relation, TableSchema, Viewer};
use crate::error::Result;
use crate::rows::RowShape;
use crate::sql::{Statement, TableRef};
use crate::types::PgType;

/// What is to be planned.
pub struct PlanRequest<'a> {
    /// A statement that reads.
    pub statement: &'a Statement,
    /// Its relations, in the order of its scope.
    pub relations: Vec<(TableRef, Relation)>,
    /// Who asks.
    pub viewer: Arc<Viewer>,
    /// The session as functions see it.
    pub facts: SessionFacts,
    /// Types that the client gave its parameters.
    pub parameters: &'a [Option<PgType>],
    /// It tells nothing of the moment: its rows are the same as long as what it reads is, and the session that it knows.
    pub steady: bool,
}

/// A statement, bound and typed.
pub struct Plan {
    pub(super) logical: LogicalPlan,
    pub(super) state: SessionState,
    /// Where its physical plan is kept; `None`: it is made for each execution.
    pub(super) kept: Option<Kept>,
    /// What its rows look like.
    pub shape: Arc<RowShape>,
    /// The types of its parameters.
    pub parameters: Vec<PgType>,
    /// The tables of sources that it reads.
    pub tables: Vec<Arc<TableSchema>>,
    /// Whether it reads virtual tables.
    pub reads_virtual: bool,
    /// Virtual tables are all that it reads, and what it tells follows from the viewer's world alone.
    pub steady: bool,
}

impl Plan {
    /// A copy of its physical plan, if that is kept, and what its rows look like.
    pub(super) fn copy(&self) -> Result<Option<Physical>> {
        match &self.kept {
            Some(kept) => kept.copy().map_err(semantics::from_datafusion),
            None => Ok(None),
        }
    }
}

impl Federated {
    /// Binds a statement. Deep statements need a deep stack: call it where there is one.
    ///
    /// # Errors
    /// What PostgreSQL says of a statement that does not bind.
    pub async fn plan(&self, request: PlanRequest<'_>) -> Result<Plan> {
        let mut tables = Vec::new();
        let mut reads_virtual = false;
        let mut steady = request.steady;
        let mut providers: HashMap<(Option<String>, String), Arc<dyn TableProvider>> = HashMap::new();
        for (reference, relation) in request.relations {
            let provider: Arc<dyn TableProvider> = match relation {
                Relation::Table(table) => {
                    tables.push(Arc::clone(&table));
                    Arc::new(SecuredTable::new(table, Arc::clone(&self.scanner)))
                }
                Relation::Virtual(table) => {
                    reads_virtual = true;
                    steady &= table.is_steady();
                    Arc::new(VirtualProvider::new(table, Arc::clone(&request.viewer)))
                }
            };
            providers.insert((reference.schema, reference.table), provider);
        }
        let memory = reads_virtual && tables.is_empty();
        let state = self.state_for(StatementTables::new(providers), request.facts, &request.viewer, memory)?;
        let bound = semantics::plan(request.statement, &state, request.parameters).await?;
        let shape = Arc::new(shape_of(&bound.logical, bound.names.as_deref()));
        let steady = memory && steady;
        let kept = (steady && bound.parameters.is_empty()).then(Kept::default);
        let parameters = bound.parameters;
        Ok(Plan { logical: bound.logical, state, kept, shape, parameters, tables, reads_virtual, steady })
    }

    /// `memory`: virtual tables are all that is read.
    fn state_for(
        &self,
        tables: StatementTables,
        facts: SessionFacts,
        viewer: &Arc<Viewer>,
        memory: bool,
    ) -> Result<SessionState> {
        let acting = session_calls::functions(&facts);
        let administration = self.administration.functions(viewer, &facts.notices);
        let template = if memory { &self.memory } else { &self.template };
        let config = template.config().clone().with_default_catalog_and_schema(&viewer.database, SEARCH_PATH);
        let mut state = SessionStateBuilder::new_from_existing(template.clone())
            .with_config(semantics::with_facts(config, facts))
            .with_catalog_list(Arc::new(StatementCatalogs(Arc::new(tables))))
            .build();
        for function in administration.into_iter().chain((self.functions)(viewer)).chain(acting) {
            state.register_udf(function).map_err(semantics::from_datafusion)?;
        }
        Ok(state)
    }
}
