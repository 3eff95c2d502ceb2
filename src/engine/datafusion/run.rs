//! Runs an authorised plan: parameters in, batches out. Also says, for EXPLAIN, what would run.
//! Must not know: wires, sessions.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::{ExecutionPlan, StatisticsArgs, StatisticsContext, execute_stream};
use futures::StreamExt;

use super::apply;
use super::metered::MeteredExec;
use super::plan::Plan;
use super::remote::RemoteScan;
use super::semantics;
use super::shape::with_layout;
use super::stop::Stop;
use super::{Federated, StatementContext};
use crate::error::{Error, Result};
use crate::policy::Authorized;
use crate::rows::{BatchStream, Rows};

/// One read of a source that a plan contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteRead {
    /// The source.
    pub source: String,
    /// The SQL, as it is sent.
    pub sql: String,
}

/// What EXPLAIN tells of a plan.
#[derive(Debug, Clone)]
pub struct Explained {
    /// The physical plan, a line a node, indented by two.
    pub lines: Vec<String>,
    /// What its sources are sent.
    pub remote: Vec<RemoteRead>,
    /// How many rows it is thought to give; `None`: nobody knows.
    pub rows: Option<usize>,
}

/// A plan that is ready to run.
#[derive(Clone)]
pub struct Ready {
    physical: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    stop: Stop,
    rows_shape: Arc<crate::rows::RowShape>,
    /// What its sources will be sent.
    pub remote: Vec<RemoteRead>,
}

impl Federated {
    /// Makes the physical plan with these parameters (arrays of one row, of the parameters' types). Needs a deep stack.
    ///
    /// # Errors
    /// What planning meets: constant expressions that fail, sources and files that are gone.
    pub async fn ready(
        &self,
        plan: &Authorized<Arc<Plan>>,
        parameters: &[ArrayRef],
        statement: StatementContext,
    ) -> Result<Ready> {
        let plan = plan.value();
        if let Some((physical, rows_shape)) = plan.copy()? {
            return Ok(ready(physical, rows_shape, plan, statement));
        }
        let logical = semantics::bind_parameters(&plan.logical, &plan.parameters, &scalars(parameters)?)?;
        let physical = apply::physical(&logical, &plan.state).await.map_err(semantics::from_datafusion)?;
        let layout: Vec<DataType> = physical.schema().fields().iter().map(|field| field.data_type().clone()).collect();
        if layout.len() != plan.shape.columns.len() {
            return Err(Error::internal("a physical plan has other columns than its logical plan"));
        }
        let rows_shape = Arc::new(with_layout(&plan.shape, &layout));
        let physical = match &plan.kept {
            Some(kept) => kept.keep(physical, &rows_shape).map_err(semantics::from_datafusion)?,
            None => physical,
        };
        Ok(ready(physical, rows_shape, plan, statement))
    }

    /// What [`Federated::ready`] gives where the statement's physical plan is kept: at once, on any stack.
    ///
    /// # Errors
    /// None that a statement can cause.
    pub fn ready_again(
        &self,
        plan: &Authorized<Arc<Plan>>,
        statement: impl FnOnce() -> StatementContext,
    ) -> Result<Option<Ready>> {
        let plan = plan.value();
        let kept = plan.copy()?;
        Ok(kept.map(|(physical, rows_shape)| ready(physical, rows_shape, plan, statement())))
    }

    /// What would run; after it has run (`analyzed`), with what each node did; `verbose`: with the columns of each node.
    #[must_use]
    pub fn explain(&self, ready: &Ready, analyzed: bool, verbose: bool) -> Explained {
        let plan = ready.physical.as_ref();
        let mut lines = Vec::new();
        node_lines(plan, (analyzed, verbose), 0, &mut lines);
        let statistics = StatisticsContext::new().compute(plan, &StatisticsArgs::new()).ok();
        let rows = statistics.and_then(|statistics| statistics.num_rows.get_value().copied());
        Explained { lines, remote: ready.remote.clone(), rows }
    }
}

impl Ready {
    /// Starts it. Must be called on the runtime that shall do the work; dropping the rows stops it.
    ///
    /// # Errors
    /// What starting meets; later errors come with the rows.
    pub fn start(self) -> Result<Rows> {
        let Ready { physical, context, stop, .. } = self;
        let mut stream = stop.during(|| execute_stream(physical, context)).map_err(semantics::from_datafusion)?;
        let stopping = futures::stream::poll_fn(move |task| stop.during(|| stream.poll_next_unpin(task)));
        let batches: BatchStream = Box::pin(stopping.map(|batch| batch.map_err(semantics::from_datafusion)));
        Ok(Rows { shape: self.rows_shape, batches })
    }
}

/// A node and those below it, a line each, whatever stands in their literals.
fn node_lines(
    plan: &(dyn ExecutionPlan + 'static),
    (analyzed, verbose): (bool, bool),
    depth: usize,
    lines: &mut Vec<String>,
) {
    let plan = MeteredExec::shown(plan);
    let display =
        if analyzed { DisplayableExecutionPlan::with_metrics(plan) } else { DisplayableExecutionPlan::new(plan) };
    let text = display.set_show_schema(verbose).one_line().to_string();
    lines.push(format!("{:1$}{2}", "", 2 * depth, text.trim_end().replace('\r', "\\r").replace('\n', "\\n")));
    plan.children().into_iter().for_each(|child| node_lines(child.as_ref(), (analyzed, verbose), depth + 1, lines));
}

/// The functions of the state are left out of the context: expressions hold theirs.
fn ready(
    physical: Arc<dyn ExecutionPlan>,
    rows_shape: Arc<crate::rows::RowShape>,
    plan: &Plan,
    statement: StatementContext,
) -> Ready {
    let stop = statement.stop.clone();
    let config = plan.state.config().clone().with_extension(Arc::new(statement));
    let context = TaskContext::new(
        None,
        plan.state.session_id().to_owned(),
        config,
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        Arc::clone(plan.state.runtime_env()),
    );
    let mut remote = Vec::new();
    collect_remote(&physical, &mut remote);
    Ready { physical, context: Arc::new(context), stop, rows_shape, remote }
}

fn scalars(parameters: &[ArrayRef]) -> Result<Vec<ScalarValue>> {
    parameters.iter().map(|array| ScalarValue::try_from_array(array, 0).map_err(semantics::from_datafusion)).collect()
}

fn collect_remote(plan: &Arc<dyn ExecutionPlan>, into: &mut Vec<RemoteRead>) {
    let any: &dyn std::any::Any = plan.as_ref();
    if let Some(scan) = any.downcast_ref::<RemoteScan>() {
        into.push(RemoteRead { source: scan.source().to_owned(), sql: scan.sql().to_owned() });
    }
    for child in plan.children() {
        collect_remote(child, into);
    }
}
