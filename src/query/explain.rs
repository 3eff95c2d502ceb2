//! EXPLAIN: the route, its reason, the plan, and the SQL that each source is sent, in any of PostgreSQL's forms.
//! Must not know: how plans are printed (the engine prints its own).

mod document;

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, StringViewArray};
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use futures::StreamExt;

use super::execute::relay;
use super::plan::Planned;
use super::prepare::Prepared;
use super::upstream::{self, Wants};
use super::{Query, RunningStatement, Target};
use crate::engine::datafusion::{Explained, RemoteRead, ScanMeter, StatementContext};
use crate::engine::passthrough::{Form, Place};
use crate::error::{Error, Result, SqlState};
use crate::rows::{Answer, RowShape, Rows};
use crate::session::{Session, Source};
use crate::sql::ExplainOption;
use crate::types::{self, PgType};
use document::Part;

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
    format: Format,
}

impl Explain {
    /// Reads the options in their order; the last of a name counts. BUFFERS and WAL are known and tell nothing: there are none.
    ///
    /// # Errors
    /// `42601` for an option that there is not, or a value that is no switch; `22023` for an unknown form, and for options that only
    /// make sense with ANALYZE.
    pub(super) fn read(options: &[ExplainOption]) -> Result<Explain> {
        let (mut analyze, mut verbose, mut settings, mut wal) = (false, false, false, false);
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
                "buffers" => {
                    option.is_on()?;
                }
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

/// What there is to tell.
struct Told {
    route: &'static str,
    reason: String,
    explained: Explained,
    estimate: Option<Estimate>,
    /// Names and values of variables that this session has set and that decide how statements run.
    settings: Option<Vec<(String, String)>>,
    planning: Option<Duration>,
    ran: Option<Ran>,
}

/// What the whole is thought to cost, as far as that can be known before it runs.
struct Estimate {
    rows: usize,
    width: i64,
}

/// Rows of a plan of which nobody knows how many it gives: PostgreSQL's guess for a function.
const UNKNOWN_ROWS: usize = 1000;

/// The width of a value whose size varies, in bytes: PostgreSQL's guess.
const UNKNOWN_WIDTH: i64 = 32;

impl Estimate {
    fn of(shape: &RowShape, explained: &Explained) -> Self {
        let width = |ty: PgType| ty.row().map(|row| i64::from(row.typlen)).filter(|length| *length > 0);
        Estimate {
            rows: explained.rows.unwrap_or(UNKNOWN_ROWS),
            width: shape.columns.iter().map(|column| width(column.ty).unwrap_or(UNKNOWN_WIDTH)).sum(),
        }
    }

    /// A row costs what PostgreSQL's `cpu_tuple_cost` says; clients that compare plans (postgres_fdw) compare rows.
    fn cost(&self) -> String {
        format!("{:.2}", self.rows as f64 * 0.01)
    }
}

/// What happened.
struct Ran {
    took: Option<Duration>,
    rows: u64,
    read_rows: u64,
    read_bytes: u64,
}

/// Explains a statement; with ANALYZE, runs it to its end first.
pub(super) async fn explain(
    query: &Query,
    session: &mut Session,
    running: &RunningStatement,
    (planned, wanted): (&Prepared, Explain),
    parameters: &[ArrayRef],
) -> Result<Rows> {
    let context = StatementContext::new(running.remote_name(), running.stop().clone());
    let meter = Arc::clone(&context.meter);
    let analysis = Analysis { query, running, planned, wanted, meter };
    let (explained, planning, ran) = match planned.plan.value() {
        Planned::Federated(plan) => {
            let (engine, parameters) = (Arc::clone(&query.parts.engine), parameters.to_vec());
            let plan = planned.plan.clone().with(Arc::clone(plan));
            let ready = query.deep(running, async move { engine.ready(&plan, &parameters, context).await }).await?;
            let planning = analysis.planning();
            if wanted.analyze && planned.route.target == Target::Federated {
                upstream::may_read_outside(session)?;
                session.transaction.note_outside();
            }
            let again = ready.clone();
            let ran = analysis.run(async move { again.start().map(Answer::Batches) }).await?;
            let timed = wanted.analyze && wanted.timing;
            (query.parts.engine.explain(&ready, timed, wanted.verbose), planning, ran)
        }
        Planned::Passthrough(plan) => {
            let remote = RemoteRead { source: plan.source().to_owned(), sql: plan.sql().to_owned() };
            let lines = vec![format!("Passthrough: source={}", plan.source())];
            let (engine, parameters) = (Arc::clone(&query.parts.passthrough), parameters.to_vec());
            let wants = plan.refused_as().map_or(Wants::Read, Wants::Write);
            let source = plan.source().to_owned();
            let plan = planned.plan.clone().with(Arc::clone(plan));
            let planning = analysis.planning();
            let held = match wanted.analyze {
                true => upstream::of_statement(query, session, running, (&source, wants)).await?,
                false => None,
            };
            let shape = Arc::clone(planned.plan.value().shape());
            let ran = analysis
                .run(async move {
                    let place = match &held {
                        Some(upstream) => Place::In { upstream, parts: false },
                        None => Place::Alone,
                    };
                    let started = engine.start(&plan, &parameters, context, (place, Form::Batches)).await?;
                    let none = || Answer::Batches(Rows { shape, batches: Box::pin(futures::stream::empty()) });
                    Ok(started.rows.unwrap_or_else(none))
                })
                .await?;
            (Explained { lines, remote: vec![remote], rows: None }, planning, ran)
        }
    };
    let told = Told {
        estimate: wanted.costs.then(|| Estimate::of(planned.plan.value().shape(), &explained)),
        route: planned.route.target.name(),
        reason: planned.route.reason.clone(),
        explained,
        settings: wanted.settings.then(|| settings(session)),
        planning,
        ran,
    };
    let lines = match wanted.format {
        Format::Text => told.lines(),
        Format::Json => vec![document::json(&told.document())],
        Format::Xml => vec![document::xml(&told.document())],
        Format::Yaml => vec![document::yaml(&told.document())],
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
    meter: Arc<ScanMeter>,
}

impl Analysis<'_> {
    /// How long planning took, where that is to be told.
    fn planning(&self) -> Option<Duration> {
        self.wanted.summary.then(|| self.running.entry().started.elapsed())
    }

    /// With ANALYZE, runs the statement to its end.
    async fn run(&self, start: impl Future<Output = Result<Answer>> + Send + 'static) -> Result<Option<Ran>> {
        if !self.wanted.analyze {
            return Ok(None);
        }
        let (running, begun) = (self.running, std::time::Instant::now());
        let runtime = self.query.parts.threads.of(self.planned.route.target);
        let started = runtime.spawn(start);
        let rows = running.bounds().guard(async { started.await.map_err(super::died)? }).await?;
        let mut rows = relay(runtime, running, running.bounds().clone(), rows.into_rows()?, None).batches;
        while let Some(batch) = rows.next().await {
            batch?;
        }
        Ok(Some(Ran {
            took: self.wanted.summary.then(|| begun.elapsed()),
            rows: running.bounds().passed.rows(),
            read_rows: self.meter.rows(),
            read_bytes: self.meter.bytes(),
        }))
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

fn millis(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1e3)
}

impl Told {
    fn lines(&self) -> Vec<String> {
        let cost = self.estimate.as_ref().map_or(String::new(), |estimate| {
            format!("  (cost=0.00..{} rows={} width={})", estimate.cost(), estimate.rows, estimate.width)
        });
        let mut lines = vec![format!("Route: {} ({}){cost}", self.route, self.reason)];
        lines.extend(self.explained.lines.iter().map(|line| format!("  {line}")));
        for read in &self.explained.remote {
            lines.push(format!("Sent to {}: {}", read.source, read.sql));
        }
        if let Some(settings) = self.settings.as_ref().filter(|settings| !settings.is_empty()) {
            let each: Vec<_> = settings.iter().map(|(name, value)| format!("{name} = '{value}'")).collect();
            lines.push(format!("Settings: {}", each.join(", ")));
        }
        if let Some(planning) = self.planning {
            lines.push(format!("Planning Time: {} ms", millis(planning)));
        }
        if let Some(ran) = &self.ran {
            lines.push(format!("Rows: {}", ran.rows));
            lines.push(format!("Read from sources: {} rows, {} bytes", ran.read_rows, ran.read_bytes));
            if let Some(took) = ran.took {
                lines.push(format!("Execution Time: {} ms", millis(took)));
            }
        }
        lines
    }

    fn document(&self) -> Part {
        let text = |text: &str| Part::Text(text.to_owned());
        let mut nodes = self.explained.lines.iter().map(String::as_str).peekable();
        let mut plan = node(&mut nodes).unwrap_or_else(|| Part::Object(Vec::new()));
        if let (Part::Object(parts), Some(estimate)) = (&mut plan, &self.estimate) {
            let number = |name, text: String| (name, Part::Number(text));
            let estimated = [
                number("Startup Cost", "0.00".to_owned()),
                number("Total Cost", estimate.cost()),
                number("Plan Rows", estimate.rows.to_string()),
                number("Plan Width", estimate.width.to_string()),
            ];
            let below = parts.iter().position(|(name, _)| *name == "Plans").unwrap_or(parts.len());
            parts.splice(below..below, estimated);
        }
        let mut parts = vec![("Plan", plan), ("Route", text(self.route)), ("Route Reason", text(&self.reason))];
        if !self.explained.remote.is_empty() {
            let sent = |source: &str, sql: &str| Part::Object(vec![("Source", text(source)), ("SQL", text(sql))]);
            let all = self.explained.remote.iter().map(|read| sent(&read.source, &read.sql)).collect();
            parts.push(("Sent", Part::List("Read", all)));
        }
        if let Some(settings) = &self.settings {
            let each =
                |(name, value): &(String, String)| Part::Object(vec![("Name", text(name)), ("Setting", text(value))]);
            parts.push(("Settings", Part::List("Variable", settings.iter().map(each).collect())));
        }
        if let Some(planning) = self.planning {
            parts.push(("Planning Time", Part::Number(millis(planning))));
        }
        if let Some(ran) = &self.ran {
            parts.push(("Rows", Part::Number(ran.rows.to_string())));
            parts.push(("Rows Read", Part::Number(ran.read_rows.to_string())));
            parts.push(("Bytes Read", Part::Number(ran.read_bytes.to_string())));
            if let Some(took) = ran.took {
                parts.push(("Execution Time", Part::Number(millis(took))));
            }
        }
        Part::Object(parts)
    }
}

fn depth(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The node at the next line, with those below it: they are indented further.
fn node<'l>(lines: &mut std::iter::Peekable<impl Iterator<Item = &'l str>>) -> Option<Part> {
    let line = lines.next()?;
    let own = depth(line);
    let (name, details) = line.trim().split_once(": ").unwrap_or((line.trim(), ""));
    let mut parts = vec![("Node Type", Part::Text(name.to_owned()))];
    if !details.is_empty() {
        parts.push(("Details", Part::Text(details.to_owned())));
    }
    let mut below = Vec::new();
    while lines.peek().is_some_and(|next| depth(next) > own) {
        below.extend(node(lines));
    }
    if !below.is_empty() {
        parts.push(("Plans", Part::List("Plan", below)));
    }
    Some(Part::Object(parts))
}
