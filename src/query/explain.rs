//! EXPLAIN: the route, its reason, the plan, and the SQL that each source is sent, in any of PostgreSQL's forms.
//! Must not know: how plans are printed (the engine prints its own).

mod document;
mod told;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, StringViewArray};
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use futures::StreamExt;
use tokio_util::task::AbortOnDropHandle;

use super::execute::relay;
use super::permission::permitted;
use super::plan::Planned;
use super::prepare::Prepared;
use super::upstream;
use super::{Query, RunningStatement, Target, current};
use crate::engine::datafusion::{Explained, Plan, RemoteRead, StatementContext};
use crate::engine::passthrough::{Asked, Form, PassPlan, Place, Upstream};
use crate::error::{Error, Result, SqlState};
use crate::rows::{Answer, RowShape, Rows};
use crate::session::{Session, Source};
use crate::sql::ExplainOption;
use crate::types::{self, PgType};
use told::{Estimate, Moved, Ran, Theirs, Told};

/// How EXPLAIN writes what it has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    Xml,
    Json,
    Yaml,
}

/// What EXPLAIN was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Explain {
    /// Run the statement and tell what happened.
    analyze: bool,
    verbose: bool,
    costs: bool,
    settings: bool,
    timing: bool,
    summary: bool,
    buffers: bool,
    wal: bool,
    format: Format,
}

impl Explain {
    /// Reads the options in their order; the last of a name counts. BUFFERS and WAL are a source's: Tusk has none.
    ///
    /// # Errors
    /// `42601` for an option that there is not, or a value that is no switch; `22023` for an unknown form, and for options that only
    /// make sense with ANALYZE.
    pub(super) fn read(options: &[ExplainOption]) -> Result<Explain> {
        let (mut analyze, mut verbose, mut settings) = (false, false, false);
        let (mut buffers, mut wal) = (false, false);
        let (mut timing, mut summary, mut format, mut costs) = (None, None, Format::Text, true);
        for option in options {
            match option.name.as_str() {
                "analyze" | "analyse" => analyze = option.is_on()?,
                "verbose" => verbose = option.is_on()?,
                "settings" => settings = option.is_on()?,
                "wal" => wal = option.is_on()?,
                "timing" => timing = Some(option.is_on()?),
                "summary" => summary = Some(option.is_on()?),
                "costs" => costs = option.is_on()?,
                "buffers" => buffers = option.is_on()?,
                "format" => format = read_format(option)?,
                name => {
                    return Err(Error::client(
                        SqlState::SYNTAX_ERROR,
                        format!("unrecognized EXPLAIN option \"{name}\""),
                    )
                    .with_position(option.position));
                }
            }
        }
        let requires = |name| {
            let message = format!("EXPLAIN option {name} requires ANALYZE");
            Err(Error::client(SqlState::INVALID_PARAMETER_VALUE, message))
        };
        match (analyze, wal, timing) {
            (false, true, _) => requires("WAL"),
            (false, _, Some(true)) => requires("TIMING"),
            _ => Ok(Explain {
                analyze,
                verbose,
                costs,
                settings,
                timing: timing.unwrap_or(true),
                summary: summary.unwrap_or(analyze),
                buffers,
                wal,
                format,
            }),
        }
    }

    fn schema(self) -> Arc<Schema> {
        let ty = match self.format {
            Format::Text | Format::Yaml => PgType::TEXT,
            Format::Json => PgType::JSON,
            Format::Xml => PgType::XML,
        };
        Arc::new(Schema::new(vec![types::field("QUERY PLAN", ty, false)]))
    }

    /// What a source is asked, for the same: how long it took is told here.
    fn asked(self) -> Asked {
        let switch = |on| if on { "on" } else { "off" };
        let form = if self.format == Format::Text { "TEXT" } else { "JSON" };
        let mut options = format!("(FORMAT {form}, COSTS {}, SUMMARY off", switch(self.costs));
        if self.analyze {
            options.push_str(", ANALYZE on, TIMING ");
            options.push_str(switch(self.timing));
        }
        for (name, on) in [("VERBOSE", self.verbose), ("BUFFERS", self.buffers), ("WAL", self.wal)] {
            if on {
                options.push_str(", ");
                options.push_str(name);
                options.push_str(" on");
            }
        }
        options.push(')');
        Asked { options, runs: self.analyze }
    }

    /// What EXPLAIN returns: one column.
    pub(super) fn shape(self) -> Arc<RowShape> {
        Arc::new(RowShape::of_schema(&self.schema()))
    }
}

fn read_format(option: &ExplainOption) -> Result<Format> {
    match option.value.as_deref() {
        Some("text") => Ok(Format::Text),
        Some("xml") => Ok(Format::Xml),
        Some("json") => Ok(Format::Json),
        Some("yaml") => Ok(Format::Yaml),
        Some(other) => Err(Error::client(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("unrecognized value for EXPLAIN option \"format\": \"{other}\""),
        )
        .with_position(option.position)),
        None => Err(Error::client(SqlState::SYNTAX_ERROR, "format requires a parameter")),
    }
}

/// What was found out.
struct Found {
    explained: Explained,
    theirs: Option<Theirs>,
    planning: Option<Duration>,
    ran: Option<Ran>,
}

/// Explains a statement; with ANALYZE, runs it to its end first.
pub(super) async fn explain(
    query: &Query,
    session: &mut Session,
    running: &RunningStatement,
    (planned, wanted): (&Prepared, Explain),
    parameters: &[ArrayRef],
) -> Result<Rows> {
    let context = running.context();
    let analysis = Analysis { query, running, planned, wanted };
    let found = match planned.plan.value() {
        Planned::Federated(plan) => analysis.federated(session, plan, parameters, context).await?,
        Planned::Passthrough(plan) => analysis.passed(session, plan, parameters, context).await?,
    };
    let Found { explained, theirs, planning, ran } = found;
    let told = Told {
        estimate: wanted.costs.then(|| Estimate::of(planned.plan.value().shape(), &explained)),
        route: planned.route.target.name(),
        reason: planned.route.reason.clone(),
        explained,
        theirs,
        settings: wanted.settings.then(|| settings(session)),
        planning,
        ran,
    };
    let lines = match wanted.format {
        Format::Text => told.lines(),
        Format::Json => vec![document::json(&told.documents())],
        Format::Xml => vec![document::xml(&told.documents())],
        Format::Yaml => vec![document::yaml(&told.documents())],
    };
    let column: ArrayRef = Arc::new(StringViewArray::from_iter_values(lines));
    let batch = RecordBatch::try_new(wanted.schema(), vec![column])
        .map_err(|error| Error::internal("EXPLAIN could not be laid out").with_cause(error))?;
    Ok(Rows::from_batch(batch))
}

/// What ANALYZE runs, and how it is told.
struct Analysis<'a> {
    query: &'a Query,
    running: &'a RunningStatement,
    planned: &'a Prepared,
    wanted: Explain,
}

impl Analysis<'_> {
    async fn federated(
        &self,
        session: &mut Session,
        plan: &Arc<Plan>,
        parameters: &[ArrayRef],
        context: StatementContext,
    ) -> Result<Found> {
        let Analysis { query, running, planned, wanted, .. } = self;
        let (engine, parameters) = (Arc::clone(&query.parts.engine), parameters.to_vec());
        let plan = planned.plan.permit()?.with(Arc::clone(plan));
        let inside = match wanted.analyze && planned.route.target == Target::Federated {
            true => upstream::of_reads(query, session, running, planned).await?,
            false => None,
        };
        let context = context.within(inside.map(|upstream| upstream::within(&upstream, running)));
        let ready = query.deep(running, async move { engine.ready(&plan, &parameters, context).await }).await?;
        let planning = self.planning();
        let again = ready.clone();
        let ran = self.run(async move { again.start().map(Answer::Batches) }).await?;
        let timed = wanted.analyze && wanted.timing;
        let explained = query.parts.engine.explain(&ready, timed, wanted.verbose);
        Ok(Found { explained, theirs: None, planning, ran })
    }

    async fn passed(
        &self,
        session: &mut Session,
        plan: &Arc<PassPlan>,
        parameters: &[ArrayRef],
        context: StatementContext,
    ) -> Result<Found> {
        let Analysis { query, running, planned, wanted, .. } = self;
        let remote = RemoteRead { source: plan.source().to_owned(), sql: plan.sql().to_owned() };
        let lines = vec![format!("Passthrough: source={}", plan.source())];
        let explained = Explained { lines, remote: vec![remote], rows: None };
        let wants = planned.wants(plan);
        let planning = self.planning();
        let permitted = if wanted.analyze { permitted(query, session, planned) } else { planned.plan.permit() }?;
        let held = match wanted.analyze {
            true => upstream::of_statement(query, session, running, (plan.source(), wants)).await?,
            false => session.transaction.remote::<Upstream>().filter(|held| held.source() == plan.source()),
        };
        let told = plan.may_be_explained;
        let cursors = match wanted.analyze {
            true => running.bounds().guard(current::cursors(session, plan, held.as_deref())).await?,
            false => Vec::new(),
        };
        let (engine, parameters) = (Arc::clone(&query.parts.passthrough), parameters.to_vec());
        let plan = permitted.with(Arc::clone(plan));
        if told {
            let (asked, begun) = (wanted.asked(), Instant::now());
            let asking = query.parts.threads.of(planned.route.target).spawn(async move {
                engine.explain(&plan, &parameters, context, (place(held.as_ref(), &cursors), &asked)).await
            });
            let asking = AbortOnDropHandle::new(asking);
            let said = running.bounds().guard(async { asking.await.map_err(super::died)? }).await?;
            let ran = || Ran { took: wanted.summary.then(|| begun.elapsed()), moved: None };
            let theirs = Theirs::read(said, wanted.format);
            return Ok(Found { explained, theirs, planning, ran: wanted.analyze.then(ran) });
        }
        let shape = Arc::clone(planned.plan.value().shape());
        let started = async move {
            let started =
                engine.start(&plan, &parameters, context, (place(held.as_ref(), &cursors), Form::Batches)).await?;
            let none = || Answer::Batches(Rows { shape, batches: Box::pin(futures::stream::empty()) });
            Ok(started.rows.unwrap_or_else(none))
        };
        let ran = self.run(started).await?;
        Ok(Found { explained, theirs: None, planning, ran })
    }

    /// How long planning took, where that is to be told.
    fn planning(&self) -> Option<Duration> {
        self.wanted.summary.then(|| self.running.entry().started.elapsed())
    }

    /// With ANALYZE, runs the statement to its end.
    async fn run(&self, start: impl Future<Output = Result<Answer>> + Send + 'static) -> Result<Option<Ran>> {
        if !self.wanted.analyze {
            return Ok(None);
        }
        let (running, begun) = (self.running, Instant::now());
        let runtime = self.query.parts.threads.of(self.planned.route.target);
        let started = runtime.spawn(start);
        let rows = running.bounds().guard(async { started.await.map_err(super::died)? }).await?;
        let mut rows = relay(runtime, running, running.bounds().clone(), rows.into_rows()?, None).batches;
        while let Some(batch) = rows.next().await {
            batch?;
        }
        let moved = Moved {
            rows: running.bounds().passed.rows(),
            read_rows: running.meter().rows(),
            read_bytes: running.meter().bytes(),
        };
        Ok(Some(Ran { took: self.wanted.summary.then(|| begun.elapsed()), moved: Some(moved) }))
    }
}

/// Where a statement runs whose transaction holds this.
fn place<'a>(held: Option<&'a Arc<Upstream>>, cursors: &'a [String]) -> Place<'a> {
    match held {
        Some(upstream) => Place::In { upstream, parts: None, cursors },
        None => Place::Alone,
    }
}

/// What of the settings decides how statements run, as far as somebody has set it.
fn settings(session: &Session) -> Vec<(String, String)> {
    let decides = |category: &str, name: &str| {
        category.starts_with("Query Tuning") || category == "Tusk" || matches!(name, "search_path" | "work_mem")
    };
    let set = session.vars.show_all().into_iter().filter(|shown| {
        let known = shown.variable.is_some_and(|variable| decides(variable.category, variable.name));
        known && shown.source > Source::ConfigurationFile
    });
    set.map(|shown| (shown.name, shown.setting)).collect()
}
