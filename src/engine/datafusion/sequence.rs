//! Rows as PostgreSQL's plans bring them where no ORDER BY says otherwise: those of a UNION ALL arm by arm, those of a function one by one.
//! Must not know: SQL.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, PhysicalExpr};
use datafusion::physical_expr_common::sort_expr::OrderingRequirements;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
    replace_children_if_necessary,
};
use futures::{StreamExt, TryStreamExt};

/// What becomes of the order of an operator's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Nobody sees it.
    No,
    /// It is that of the result, or of what an aggregate gathers.
    Yes,
    /// It is that of an arm of a UNION ALL that is seen: its sort stays.
    OfArm,
}

/// Aggregates whose value tells the order of their rows.
const GATHER: &[&str] = &["array_agg", "string_agg"];

/// Whose order is seen below an operator.
fn below(plan: &dyn ExecutionPlan, seen: Seen) -> Vec<Seen> {
    let any: &dyn Any = plan;
    let children = plan.children().len();
    if let Some(aggregate) = any.downcast_ref::<AggregateExec>() {
        let gathers =
            aggregate.aggr_expr().iter().any(|call| call.order_bys().is_empty() && GATHER.contains(&call.fun().name()));
        return vec![if gathers { Seen::Yes } else { Seen::No }; children];
    }
    if any.is::<WindowAggExec>() || any.is::<BoundedWindowAggExec>() {
        let sorted = plan.required_input_ordering().iter().any(Option::is_some);
        return vec![if sorted { Seen::No } else { Seen::Yes }; children];
    }
    // These keep it as long as they have one partition to read.
    if any.is::<RepartitionExec>() || any.is::<CoalescePartitionsExec>() || plan.name() == "SpreadExec" {
        return vec![seen; children];
    }
    // A limit takes the first rows: whose they are is a matter of their order, whatever stands above.
    if any.is::<SequenceExec>() || any.is::<GlobalLimitExec>() || any.is::<LocalLimitExec>() {
        return vec![Seen::OfArm; children];
    }
    if any.is::<SortExec>() || any.is::<UnionExec>() || plan.name().ends_with("JoinExec") {
        return vec![Seen::No; children];
    }
    plan.maintains_input_order().into_iter().map(|kept| if kept { seen } else { Seen::No }).collect()
}

/// What is done to an operator and those below it.
type Rule = fn(Arc<dyn ExecutionPlan>, Seen) -> Result<Arc<dyn ExecutionPlan>>;

fn descend(plan: Arc<dyn ExecutionPlan>, seen: Seen, go: Rule) -> Result<Arc<dyn ExecutionPlan>> {
    let flags = below(plan.as_ref(), seen);
    let children = plan.children().into_iter().cloned().zip(flags);
    let children = children.map(|(child, seen)| go(child, seen)).collect::<Result<Vec<_>>>()?;
    replace_children_if_necessary(plan, children)
}

/// Puts the arms of a UNION ALL whose order is seen behind each other. Before DataFusion's rules: they keep the sorts that are asked for.
#[derive(Debug)]
pub(super) struct ArmByArm;

fn arm_by_arm(plan: Arc<dyn ExecutionPlan>, seen: Seen) -> Result<Arc<dyn ExecutionPlan>> {
    let any: &dyn Any = plan.as_ref();
    if seen != Seen::No && any.is::<UnionExec>() {
        let schema = plan.schema();
        let arms = plan.children().into_iter().cloned().map(|arm| arm_by_arm(arm, Seen::OfArm));
        return Ok(Arc::new(SequenceExec::new(arms.collect::<Result<_>>()?, schema, None)));
    }
    let order = any.downcast_ref::<SortExec>().filter(|_| seen == Seen::OfArm).map(|sort| sort.expr().clone());
    let limits = any.is::<GlobalLimitExec>();
    let plan = descend(plan, seen, arm_by_arm)?;
    if limits {
        return Ok(Arc::new(SequenceExec::closed(plan)));
    }
    if order.is_none() {
        return Ok(plan);
    }
    let schema = plan.schema();
    Ok(Arc::new(SequenceExec::new(vec![plan], schema, order)))
}

impl PhysicalOptimizerRule for ArmByArm {
    fn name(&self) -> &'static str {
        "arm_by_arm"
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        arm_by_arm(plan, Seen::Yes)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Takes out what deals the rows of functions, of VALUES and of a sequence out to threads, where their order is seen.
#[derive(Debug)]
pub(super) struct OneByOne;

fn one_by_one(plan: Arc<dyn ExecutionPlan>, seen: Seen) -> Result<Arc<dyn ExecutionPlan>> {
    let any: &dyn Any = plan.as_ref();
    if let Some(dealt) = any.downcast_ref::<RepartitionExec>()
        && seen != Seen::No
        && matches!(dealt.partitioning(), Partitioning::RoundRobinBatch(_))
        && has_own_order(dealt.input())
    {
        return one_by_one(Arc::clone(dealt.input()), seen);
    }
    descend(plan, seen, one_by_one)
}

/// Whether rows come in an order that their statement tells.
fn has_own_order(plan: &Arc<dyn ExecutionPlan>) -> bool {
    if plan.output_partitioning().partition_count() != 1 {
        return false;
    }
    match (plan.name(), plan.children().as_slice()) {
        ("SequenceExec" | "SpreadExec" | "LazyMemoryExec" | "PlaceholderRowExec", _) => true,
        (_, [only]) => plan.maintains_input_order().first() == Some(&true) && has_own_order(only),
        _ => false,
    }
}

impl PhysicalOptimizerRule for OneByOne {
    fn name(&self) -> &'static str {
        "one_by_one"
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        one_by_one(plan, Seen::Yes)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The rows of several plans, one plan after the other, each in its order.
///
/// An arm is only begun when those before it have ended: what it would hold meanwhile (a connection) may be what they wait for. Arms of one
/// row end without anybody reading them, so they all run at once.
#[derive(Debug)]
struct SequenceExec {
    arms: Vec<Arc<dyn ExecutionPlan>>,
    schema: SchemaRef,
    /// Of a single arm: the order that its rows are to be in.
    order: Option<LexOrdering>,
    /// Its order is not to be known above: what is sorted there would be sorted below, and a limit there takes other rows then.
    closed: bool,
    properties: Arc<PlanProperties>,
}

impl SequenceExec {
    /// The rows of a limit.
    fn closed(limit: Arc<dyn ExecutionPlan>) -> SequenceExec {
        let schema = limit.schema();
        SequenceExec::with(vec![limit], schema, (None, true))
    }

    fn new(arms: Vec<Arc<dyn ExecutionPlan>>, schema: SchemaRef, order: Option<LexOrdering>) -> SequenceExec {
        SequenceExec::with(arms, schema, (order, false))
    }

    fn with(
        arms: Vec<Arc<dyn ExecutionPlan>>,
        schema: SchemaRef,
        (order, closed): (Option<LexOrdering>, bool),
    ) -> SequenceExec {
        let orders = match arms.as_slice() {
            [only] if !closed => only.equivalence_properties().clone(),
            _ => EquivalenceProperties::new(Arc::clone(&schema)),
        };
        let properties = PlanProperties::new(
            orders,
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        SequenceExec { arms, schema, order, closed, properties: Arc::new(properties) }
    }
}

impl DisplayAs for SequenceExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SequenceExec")
    }
}

impl ExecutionPlan for SequenceExec {
    fn name(&self) -> &'static str {
        "SequenceExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.arms.iter().collect()
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition; self.arms.len()]
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![self.order.clone().map(OrderingRequirements::from); self.arms.len()]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.arms.len()]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![self.arms.len() == 1 && !self.closed; self.arms.len()]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(SequenceExec::with(children, Arc::clone(&self.schema), (self.order.clone(), self.closed))))
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return Err(DataFusionError::Internal("a sequence has one partition".into()));
        }
        let mut streams: Vec<SendableRecordBatchStream> = Vec::with_capacity(self.arms.len());
        for arm in &self.arms {
            let stream = if self.arms.len() > 1 && gives_one_row(arm.as_ref()) {
                at_once(arm.execute(0, Arc::clone(&context))?)
            } else {
                when_read(Arc::clone(arm), Arc::clone(&context))
            };
            streams.push(stream);
        }
        let rows = futures::stream::iter(streams).flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows)))
    }
}

/// A group of all rows.
fn gives_one_row(plan: &dyn ExecutionPlan) -> bool {
    let any: &dyn Any = plan;
    match any.downcast_ref::<AggregateExec>() {
        Some(aggregate) => aggregate.group_expr().is_empty(),
        None => match (plan.name(), plan.children().as_slice()) {
            ("ProjectionExec", [only]) => gives_one_row(only.as_ref()),
            _ => false,
        },
    }
}

/// Runs whether it is read or not.
fn at_once(rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let task = SpawnedTask::spawn(rows.try_collect::<Vec<_>>());
    let batches = futures::stream::once(async move {
        let batches = task.join().await.map_err(|error| DataFusionError::External(Box::new(error)))??;
        Ok::<_, DataFusionError>(futures::stream::iter(batches.into_iter().map(Ok)))
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, batches.try_flatten()))
}

/// Begins when it is read.
fn when_read(arm: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> SendableRecordBatchStream {
    let schema = arm.schema();
    let rows = futures::stream::once(async move { arm.execute(0, context) });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows.try_flatten()))
}
