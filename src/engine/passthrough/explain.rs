//! What a source says of how it runs a statement.
//! Must not know: options of EXPLAIN, how it is shown.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;

use super::{PassPlan, Passthrough, Place, arguments};
use crate::engine::datafusion::StatementContext;
use crate::error::{Error, Result};
use crate::policy::Authorized;
use crate::source::{BatchStream, Described, WholeStatement};

/// How a plan is to be explained.
#[derive(Debug, Clone)]
pub struct Asked {
    /// EXPLAIN's options, in parentheses.
    pub options: String,
    /// ANALYZE is among them: the statement is run.
    pub runs: bool,
}

impl Passthrough {
    /// What the source says of how it would run a plan, or how it ran it: the values of its answer. To be told only where
    /// [`PassPlan::may_be_explained`].
    ///
    /// # Errors
    /// What the source says of the statement; `08001` where it cannot be reached.
    pub async fn explain(
        &self,
        plan: &Authorized<Arc<PassPlan>>,
        parameters: &[ArrayRef],
        context: StatementContext,
        (place, asked): (Place<'_>, &Asked),
    ) -> Result<Vec<String>> {
        let plan = plan.value();
        let arguments = arguments::of(&plan.taken_as, parameters)?;
        let StatementContext { query_id, meter, notices, .. } = context;
        let head = format!("EXPLAIN {} ", asked.options);
        let (pointing, sent) = plan.pointing(place);
        let whole = WholeStatement {
            sql: format!("{head}{}", sent.sql).into(),
            parameters: plan.described.parameters.iter().map(|(_, oid)| *oid).collect(),
            skeleton: None,
            query_id,
            meter,
            notices,
            ..pointing
        };
        let renamed = whole.words.renamed.clone();
        let shift = |described: Described| {
            let head = u32::try_from(head.chars().count()).unwrap_or(u32::MAX);
            Arc::new(Described { shift: plan.described.shift.saturating_add(head), ..described })
        };
        let answer: BatchStream = match place {
            Place::Alone => {
                let runner = self.runner(&plan.source)?;
                let described = shift(runner.describe(&whole).await?);
                runner.run(whole, described, arguments).await?
            }
            Place::In { upstream, .. } => {
                if asked.runs && plan.writes.is_some() {
                    upstream.writes();
                    upstream.remote().writes(&whole.words).await?;
                }
                let described = shift(upstream.remote().describe(&whole).await?);
                upstream.remote().run(whole, described, arguments).await?
            }
        };
        let batches: Vec<RecordBatch> = answer.try_collect().await?;
        let mut values = Vec::new();
        for batch in &batches {
            let column = batch.columns().first().and_then(|column| column.as_string_view_opt());
            let column = column.ok_or_else(|| Error::internal("a plan of a source that is no text"))?;
            values.extend(column.iter().flatten().map(str::to_owned));
        }
        // Names that only what is sent has.
        let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        for (ours, theirs) in renamed.iter().filter(|(_, theirs)| plain(theirs)) {
            values.iter_mut().for_each(|value| *value = value.replace(ours.as_str(), theirs));
        }
        Ok(values)
    }
}
