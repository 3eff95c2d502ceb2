//! EXPLAIN: the route, its reason, the plan, and the SQL that each source is sent.
//! Must not know: how plans are printed (the engine prints its own).

use std::sync::Arc;

use arrow::array::{ArrayRef, StringViewArray};
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use futures::StreamExt;

use super::execute::relay;
use super::prepare::{Explain, Prepared};
use super::{Query, RunningStatement};
use crate::engine::datafusion::StatementContext;
use crate::error::{Error, Result};
use crate::rows::{RowShape, Rows};
use crate::types::{self, PgType};

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![types::field("QUERY PLAN", PgType::TEXT, false)]))
}

/// What EXPLAIN returns: one column of text.
pub(super) fn shape() -> Arc<RowShape> {
    Arc::new(RowShape::of_schema(&schema()))
}

/// Explains a statement; with ANALYZE, runs it to its end first.
pub(super) async fn explain(
    query: &Query,
    running: &RunningStatement,
    planned: &Prepared,
    wanted: Explain,
    parameters: &[ArrayRef],
) -> Result<Rows> {
    let (engine, plan, parameters) = (Arc::clone(&query.parts.engine), planned.plan.clone(), parameters.to_vec());
    let context = StatementContext::new(running.query_id());
    let meter = Arc::clone(&context.meter);
    let ready = query.deep(running, async move { engine.ready(&plan, &parameters, context).await }).await?;
    let mut lines = vec![format!("Route: {} ({})", planned.route.target.name(), planned.route.reason)];
    let mut ran = None;
    if wanted.analyze {
        let begun = std::time::Instant::now();
        let again = ready.clone();
        let runtime = query.parts.threads.of(planned.route.target);
        let started = runtime.spawn(async move { again.start() });
        let rows = running.bounds().guard(async { started.await.map_err(super::died)? }).await?;
        let mut rows = relay(runtime, running, running.bounds().clone(), rows, None).batches;
        while let Some(batch) = rows.next().await {
            batch?;
        }
        ran = Some(begun.elapsed());
    }
    let explained = query.parts.engine.explain(&ready, wanted.analyze);
    lines.extend(explained.lines.iter().map(|line| format!("  {line}")));
    for read in &explained.remote {
        lines.push(format!("Sent to {}: {}", read.source, read.sql));
    }
    if let Some(took) = ran {
        lines.push(format!("Rows: {}", running.bounds().passed.rows()));
        lines.push(format!("Read from sources: {} rows, {} bytes", meter.rows(), meter.bytes()));
        lines.push(format!("Execution Time: {:.3} ms", took.as_secs_f64() * 1e3));
    }
    let column: ArrayRef = Arc::new(StringViewArray::from_iter_values(lines));
    let batch = RecordBatch::try_new(schema(), vec![column])
        .map_err(|error| Error::internal("EXPLAIN could not be laid out").with_cause(error))?;
    Ok(Rows::from_batch(batch))
}
