//! What EXPLAIN has to say, and how it says that.
//! Must not know: how it was found out.

use std::borrow::Cow;
use std::time::Duration;

use super::Format;
use super::document::Part;
use crate::engine::datafusion::Explained;
use crate::rows::RowShape;
use crate::types::PgType;

/// What there is to tell.
pub(super) struct Told {
    pub(super) route: &'static str,
    pub(super) reason: String,
    pub(super) explained: Explained,
    /// What the one source that runs it says.
    pub(super) theirs: Option<Theirs>,
    pub(super) estimate: Option<Estimate>,
    /// Names and values of variables that this session has set and that decide how statements run.
    pub(super) settings: Option<Vec<(String, String)>>,
    pub(super) planning: Option<Duration>,
    pub(super) ran: Option<Ran>,
}

/// What the whole is thought to cost, as far as that can be known before it runs.
pub(super) struct Estimate {
    pub(super) rows: usize,
    pub(super) width: i64,
}

/// Rows of a plan of which nobody knows how many it gives: PostgreSQL's guess for a function.
const UNKNOWN_ROWS: usize = 1000;

/// The width of a value whose size varies, in bytes: PostgreSQL's guess.
const UNKNOWN_WIDTH: i64 = 32;

impl Estimate {
    pub(super) fn of(shape: &RowShape, explained: &Explained) -> Self {
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
pub(super) struct Ran {
    pub(super) took: Option<Duration>,
    /// `None`: the source tells that.
    pub(super) moved: Option<Moved>,
}

/// Rows that went through.
pub(super) struct Moved {
    pub(super) rows: u64,
    pub(super) read_rows: u64,
    pub(super) read_bytes: u64,
}

/// What a source says of its plan.
pub(super) enum Theirs {
    /// As lines of text.
    Lines(Vec<String>),
    /// As the parts of a document, of each statement that a rule has made of it; at least one.
    Parts(Vec<Vec<(Cow<'static, str>, Part)>>),
}

impl Theirs {
    /// The values of its answer. `None`: it is not what was asked for.
    pub(super) fn read(values: Vec<String>, format: Format) -> Option<Self> {
        if format == Format::Text {
            return Some(Theirs::Lines(values));
        }
        let Part::List(_, queries) = serde_json::from_str(values.first()?).ok()? else { return None };
        let each = queries.into_iter().map(|query| match query {
            Part::Object(parts) => Some(parts),
            _ => None,
        });
        each.collect::<Option<Vec<_>>>().filter(|queries| !queries.is_empty()).map(Theirs::Parts)
    }

    /// What the first node is thought to cost, as PostgreSQL writes it.
    fn cost(&self) -> Option<&str> {
        let Theirs::Lines(lines) = self else { return None };
        let first = lines.first()?;
        let cost = first.get(first.find("(cost=")?..)?;
        cost.split_inclusive(')').next()
    }
}

fn millis(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1e3)
}

impl Told {
    pub(super) fn lines(&self) -> Vec<String> {
        let theirs = self.theirs.as_ref().and_then(Theirs::cost);
        let cost = self.estimate.as_ref().map_or(String::new(), |estimate| match theirs {
            Some(cost) => format!("  {cost}"),
            None => format!("  (cost=0.00..{} rows={} width={})", estimate.cost(), estimate.rows, estimate.width),
        });
        let mut lines = vec![format!("Route: {} ({}){cost}", self.route, self.reason)];
        let plan = match &self.theirs {
            Some(Theirs::Lines(lines)) => lines,
            _ => &self.explained.lines,
        };
        lines.extend(plan.iter().map(|line| format!("  {line}")));
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
            if let Some(moved) = &ran.moved {
                lines.push(format!("Rows: {}", moved.rows));
                lines.push(format!("Read from sources: {} rows, {} bytes", moved.read_rows, moved.read_bytes));
            }
            if let Some(took) = ran.took {
                lines.push(format!("Execution Time: {} ms", millis(took)));
            }
        }
        lines
    }

    /// The documents, one for each statement; what Tusk has to say stands in the first.
    pub(super) fn documents(&self) -> Vec<Part> {
        let theirs = match &self.theirs {
            Some(Theirs::Parts(theirs)) => theirs.as_slice(),
            _ => &[],
        };
        let first = theirs.first().cloned().unwrap_or_else(|| vec![("Plan".into(), self.plan())]);
        let others = theirs.iter().skip(1).cloned().map(Part::Object);
        std::iter::once(self.document(first)).chain(others).collect()
    }

    fn document(&self, mut parts: Vec<(Cow<'static, str>, Part)>) -> Part {
        let text = |text: &str| Part::Text(text.to_owned());
        parts.extend([("Route".into(), text(self.route)), ("Route Reason".into(), text(&self.reason))]);
        if !self.explained.remote.is_empty() {
            let sent = |source: &str, sql: &str| {
                Part::Object(vec![("Source".into(), text(source)), ("SQL".into(), text(sql))])
            };
            let all = self.explained.remote.iter().map(|read| sent(&read.source, &read.sql)).collect();
            parts.push(("Sent".into(), Part::List("Read", all)));
        }
        if let Some(settings) = &self.settings {
            let each = |(name, value): &(String, String)| {
                Part::Object(vec![("Name".into(), text(name)), ("Setting".into(), text(value))])
            };
            parts.push(("Settings".into(), Part::List("Variable", settings.iter().map(each).collect())));
        }
        let mut number = |name: &'static str, text: String| parts.push((name.into(), Part::Number(text)));
        if let Some(planning) = self.planning {
            number("Planning Time", millis(planning));
        }
        if let Some(ran) = &self.ran {
            if let Some(moved) = &ran.moved {
                number("Rows", moved.rows.to_string());
                number("Rows Read", moved.read_rows.to_string());
                number("Bytes Read", moved.read_bytes.to_string());
            }
            if let Some(took) = ran.took {
                number("Execution Time", millis(took));
            }
        }
        Part::Object(parts)
    }

    /// The plan, as far as Tusk knows it.
    fn plan(&self) -> Part {
        let mut nodes = self.explained.lines.iter().map(String::as_str).peekable();
        let mut plan = node(&mut nodes).unwrap_or_else(|| Part::Object(Vec::new()));
        if let (Part::Object(parts), Some(estimate)) = (&mut plan, &self.estimate) {
            let number = |name: &'static str, text: String| (Cow::Borrowed(name), Part::Number(text));
            let estimated = [
                number("Startup Cost", "0.00".to_owned()),
                number("Total Cost", estimate.cost()),
                number("Plan Rows", estimate.rows.to_string()),
                number("Plan Width", estimate.width.to_string()),
            ];
            let below = parts.iter().position(|(name, _)| name == "Plans").unwrap_or(parts.len());
            parts.splice(below..below, estimated);
        }
        plan
    }
}

fn depth(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The node at the next line, with those below it: they are indented further.
fn node<'l>(lines: &mut std::iter::Peekable<impl Iterator<Item = &'l str>>) -> Option<Part> {
    let line = lines.next()?;
    let own = depth(line);
    // What stands behind the name is its details, and in ANALYZE what it did.
    let line = line.trim();
    let end = line.find([':', ',']).unwrap_or(line.len());
    let (name, details) = (&line[..end], line[end..].trim_start_matches([':', ',', ' ']));
    let mut parts = vec![(Cow::Borrowed("Node Type"), Part::Text(name.to_owned()))];
    if !details.is_empty() {
        parts.push(("Details".into(), Part::Text(details.to_owned())));
    }
    let mut below = Vec::new();
    while lines.peek().is_some_and(|next| depth(next) > own) {
        below.extend(node(lines));
    }
    if !below.is_empty() {
        parts.push(("Plans".into(), Part::List("Plan", below)));
    }
    Some(Part::Object(parts))
}
