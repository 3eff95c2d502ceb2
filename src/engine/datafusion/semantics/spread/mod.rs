//! Rows for the values of lists: what functions that give rows do to the rows before them. A node of the plan.
//! Must not know: SQL, what a list is made of.

mod exec;

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, DFSchemaRef, Result, TableReference};
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};

use self::exec::SpreadExec;

/// A list for each row, and the column that its values become.
#[derive(Debug, Clone)]
pub(super) struct Spreading {
    pub(super) name: String,
    pub(super) list: Expr,
    /// The type of its values.
    pub(super) element: DataType,
}

/// Each row as often as its longest list is long, beside the values of its lists; what is shorter ends in NULLs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Spread {
    input: LogicalPlan,
    lists: Vec<Expr>,
    /// The columns besides those of the input.
    added: Vec<FieldRef>,
    how: How,
    schema: DFSchemaRef,
}

/// What else it does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct How {
    /// A row without values stays, beside NULLs.
    pub(super) outer: bool,
    /// The last column is the place of the value, from 1.
    pub(super) numbered: bool,
}

/// The plan of these lists' rows. `place`: the name of a column for the number of each value.
pub(super) fn spread(
    input: LogicalPlan,
    lists: Vec<Spreading>,
    place: Option<String>,
    outer: bool,
) -> Result<LogicalPlan> {
    let how = How { outer, numbered: place.is_some() };
    let (mut added, mut exprs) = (Vec::new(), Vec::new());
    for Spreading { name, list, element } in lists {
        added.push(Arc::new(Field::new(name, element, true)));
        exprs.push(list);
    }
    added.extend(place.map(|name| Arc::new(Field::new(name, DataType::Int64, true))));
    let node = Spread::new(input, exprs, added, how)?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}

/// Whether a node of a plan makes rows of lists.
pub(in crate::engine::datafusion) fn spreads(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Extension(extension) if extension.node.as_any().is::<Spread>())
}

impl Spread {
    fn new(input: LogicalPlan, lists: Vec<Expr>, added: Vec<FieldRef>, how: How) -> Result<Spread> {
        let own: Vec<(Option<TableReference>, FieldRef)> =
            input.schema().iter().map(|(table, field)| (table.cloned(), Arc::clone(field))).collect();
        let more = added.iter().map(|field| (None, Arc::clone(field)));
        let fields = own.into_iter().chain(more).collect();
        let schema = DFSchema::new_with_metadata(fields, input.schema().metadata().clone())?;
        Ok(Spread { input, lists, added, how, schema: Arc::new(schema) })
    }
}

impl PartialOrd for Spread {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for Spread {
    fn name(&self) -> &'static str {
        "Spread"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.lists.clone()
    }

    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        self.added.iter().map(|field| field.name().clone()).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists: Vec<String> = self.lists.iter().map(ToString::to_string).collect();
        write!(f, "Spread: {}", lists.join(", "))
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let input = inputs.pop().unwrap_or_else(|| self.input.clone());
        Spread::new(input, exprs, self.added.clone(), self.how)
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let input = self.input.schema();
        let mut needed: Vec<usize> = output_columns.iter().copied().filter(|at| *at < input.fields().len()).collect();
        for list in &self.lists {
            // What a subquery reads of these columns is not among those of the expression.
            let nested = list.exists(|expr| {
                Ok(matches!(
                    expr,
                    Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)
                ))
            });
            if nested.unwrap_or(true) {
                return None;
            }
            needed.extend(list.column_refs().into_iter().filter_map(|column| input.maybe_index_of_column(column)));
        }
        needed.sort_unstable();
        needed.dedup();
        Some(vec![needed])
    }
}

/// DataFusion's planner, with this node.
#[derive(Debug)]
pub(super) struct Planner;

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(Planner)]);
        planner.create_physical_plan(plan, session).await
    }
}

#[async_trait]
impl ExtensionPlanner for Planner {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical: &[&LogicalPlan],
        physical: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let (Some(spread), [input]) = (node.as_any().downcast_ref::<Spread>(), physical) else { return Ok(None) };
        let schema = spread.input.schema();
        let lists = spread
            .lists
            .iter()
            .map(|list| planner.create_physical_expr(list, schema, session, context))
            .collect::<Result<Vec<_>>>()?;
        let output = Arc::new(spread.schema.as_arrow().clone());
        Ok(Some(Arc::new(SpreadExec::new(Arc::clone(input), lists, output, spread.how))))
    }
}
