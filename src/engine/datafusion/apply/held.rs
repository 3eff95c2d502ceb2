//! Relations whose rows are made once in an execution, however often they are read, and held until its end.
//! Must not know: why one is held, how it runs.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result, TableReference};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableSource, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::super::tables::downcast;
use super::correlation::{holds_outer_columns, in_memory, taken_around};
use super::function::Apply;
use super::held_rows::{HeldExec, Rows};

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A relation that is held. Copies of one plan share its rows.
#[derive(Clone)]
pub(in super::super) struct HeldTable {
    id: u64,
    /// What makes the rows.
    pub(super) plan: LogicalPlan,
    /// Whether the plan is optimised.
    pub(super) planned: bool,
    schema: SchemaRef,
    rows: Arc<OnceLock<Rows>>,
}

impl HeldTable {
    /// Its name in plans.
    pub(super) fn name(&self) -> String {
        format!("held{}", self.id)
    }

    /// The columns of its rows.
    pub(super) fn columns(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Where its rows are, once they are made; in the columns of [`TableProvider::schema`].
    pub(super) fn rows(&self) -> &Arc<OnceLock<Rows>> {
        &self.rows
    }
}

impl fmt::Debug for HeldTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name())
    }
}

#[async_trait]
impl TableProvider for HeldTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let columns = projection.cloned().unwrap_or(all);
        Ok(Arc::new(HeldExec::try_new(self.name(), &self.schema, columns, Arc::clone(&self.rows))?))
    }
}

/// The plan with its rows held, under the same columns.
///
/// # Errors
/// None that a statement can cause.
pub(super) fn hold(plan: LogicalPlan, planned: bool) -> Result<LogicalPlan> {
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let given = Arc::clone(plan.schema());
    let named = |at: usize| format!("held{id}_{at}");
    let fields: Vec<_> =
        given.fields().iter().enumerate().map(|(at, field)| field.as_ref().clone().with_name(named(at))).collect();
    let table = HeldTable { id, plan, planned, schema: Arc::new(Schema::new(fields)), rows: Arc::default() };
    let name = TableReference::bare(table.name());
    let scan = LogicalPlanBuilder::scan(name.clone(), provider_as_source(Arc::new(table)), None)?;
    if given.fields().is_empty() {
        return scan.build();
    }
    let exprs: Vec<Expr> = given
        .iter()
        .enumerate()
        .map(|(at, (qualifier, field))| {
            Expr::Column(Column::new(Some(name.clone()), named(at))).alias_qualified(qualifier.cloned(), field.name())
        })
        .collect();
    scan.project(exprs)?.build()
}

/// The plan of a name of WITH that is evaluated once, with its rows held; what belongs to the rows of a query around is left as it is.
///
/// # Errors
/// None that a statement can cause.
pub(in super::super) fn held_once(plan: LogicalPlan) -> Result<LogicalPlan> {
    if holds_outer_columns(&plan) || works(&plan)? { Ok(plan) } else { hold(plan, false) }
}

/// Whether what a plan gives may differ each time it runs.
pub(in super::super) fn is_volatile(plan: &LogicalPlan) -> bool {
    let mut found = false;
    let looked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            found |= expr.is_volatile();
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })
    });
    found || looked.is_err()
}

/// The plan of a subquery with all held that it reads of sources and that is the same for all outer values.
pub(super) fn sources_held(plan: LogicalPlan) -> Result<LogicalPlan> {
    let held = plan.transform_down_with_subqueries(|node| {
        if in_memory(&node)? {
            return Ok(Transformed::new(node, false, TreeNodeRecursion::Jump));
        }
        if !taken_around(&node, &[])?.is_empty() || holds_outer_columns(&node) || works(&node)? {
            return Ok(Transformed::no(node));
        }
        Ok(Transformed::new(hold(node, true)?, true, TreeNodeRecursion::Jump))
    })?;
    Ok(held.data)
}

/// Whether a plan reads what the last step of a recursion around it gave.
fn works(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::RecursiveQuery(_) => return Ok(TreeNodeRecursion::Jump),
            LogicalPlan::TableScan(scan) => {
                found |= downcast::<CteWorkTable>(&source_as_provider(&scan.source)?).is_some();
            }
            _ => {}
        }
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// The plan for an execution of its own: what it holds is not made yet, by plans that were changed.
///
/// # Errors
/// What the change says.
pub(in super::super) fn held_anew(
    plan: LogicalPlan,
    change: &dyn Fn(LogicalPlan) -> Result<LogicalPlan>,
) -> Result<LogicalPlan> {
    anew(plan, change, &mut HashMap::new())
}

fn anew(
    plan: LogicalPlan,
    change: &dyn Fn(LogicalPlan) -> Result<LogicalPlan>,
    made: &mut HashMap<u64, Arc<dyn TableSource>>,
) -> Result<LogicalPlan> {
    let changed = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(mut scan) = node else { return Ok(Transformed::no(node)) };
        let provider = source_as_provider(&scan.source)?;
        let Some(held) = downcast::<HeldTable>(&provider) else {
            return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
        };
        scan.source = match made.get(&held.id) {
            Some(source) => Arc::clone(source),
            None => {
                let plan = change(anew(held.plan.clone(), change, made)?)?;
                let table = HeldTable { plan, rows: Arc::default(), ..held.clone() };
                let source = provider_as_source(Arc::new(table));
                made.insert(held.id, Arc::clone(&source));
                source
            }
        };
        Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
    })?;
    Ok(changed.data)
}

/// The held relations that a plan reads itself, also in subqueries that run for each set of outer values.
pub(super) fn held_tables(plan: &LogicalPlan) -> Result<Vec<HeldTable>> {
    let mut found = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let provider = source_as_provider(&scan.source)?;
            found.extend(downcast::<HeldTable>(&provider).cloned());
        }
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::ScalarFunction(call) = expr {
                    found.extend(Apply::held_by(&call.func).iter().cloned());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}
