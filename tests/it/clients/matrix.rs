//! The matrix of `docs/clients.md`: which client does what. Written from a run, read back to hold the next run against it.
//! Must not know: how clients are run.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::harness::daemon::repository;

const BEGIN: &str = "<!-- made by tests/matrix.sh: do not edit between these marks -->";
const END: &str = "<!-- end -->";
/// Groups of steps: what comes before the first slash of a step's name, and the column's title.
const COLUMNS: &[(&str, &str)] = &[
    ("connect", "connect"),
    ("introspect", "introspect"),
    ("query", "query"),
    ("parameters", "parameters"),
    ("cursor", "cursor"),
    ("copy", "COPY"),
    ("cancel", "cancel"),
    ("error", "errors"),
];

/// A client and its steps.
pub(super) struct Row {
    pub(super) client: String,
    pub(super) version: String,
    pub(super) outcomes: Vec<Outcome>,
}

/// A step, and why it fails if it does.
pub(super) struct Outcome {
    pub(super) step: String,
    pub(super) failure: Option<String>,
}

/// All rows.
pub(super) struct Matrix {
    pub(super) rows: Vec<Row>,
}

/// What a matrix says, without versions and reasons, which may differ from machine to machine.
pub(super) struct Recorded {
    /// A client, then its cells.
    cells: Vec<Vec<String>>,
    /// `client: step`.
    failing: Vec<String>,
}

fn path() -> PathBuf {
    repository("docs/clients.md")
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let cell = |group: &str| {
            let of = self.outcomes.iter().filter(|outcome| outcome.step.split('/').next() == Some(group));
            let (all, good) = of.fold((0, 0), |(all, good), one| (all + 1, good + usize::from(one.failure.is_none())));
            match (all, good) {
                (0, _) => "–".to_owned(),
                (all, good) if all == good => format!("{all} ok"),
                (all, good) => format!("**{good} of {all}**"),
            }
        };
        COLUMNS.iter().map(|(group, _)| cell(group)).collect()
    }
}

impl Matrix {
    /// The recorded one.
    pub(super) fn recorded() -> Recorded {
        let text = std::fs::read_to_string(path()).unwrap_or_default();
        let block = text.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END)).map_or("", |(block, _)| block);
        let table = block.lines().filter(|line| line.starts_with("| ")).skip(1);
        let cells = table.map(|line| {
            let mut cells: Vec<String> = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
            cells.remove(1);
            cells
        });
        let failing = block.lines().filter_map(|line| line.strip_prefix("* ")?.split_once("` ").map(|(head, _)| head));
        Recorded { cells: cells.collect(), failing: failing.map(|head| head.replace('`', "")).collect() }
    }

    fn failing(&self) -> Vec<(String, &str)> {
        let of = |row: &'_ Row| row.client.clone();
        self.rows
            .iter()
            .flat_map(|row| row.outcomes.iter().map(move |one| (of(row), one)))
            .filter_map(|(client, one)| Some((format!("{client}: {}", one.step), one.failure.as_deref()?)))
            .collect()
    }

    /// What this run says otherwise than the record, of the clients that ran.
    pub(super) fn differences(&self, recorded: &Recorded) -> Vec<String> {
        let mut out = Vec::new();
        let failing = self.failing();
        for (step, reason) in &failing {
            if !recorded.failing.contains(step) {
                out.push(format!("fails now: {step}: {reason}"));
            }
        }
        let ran = |line: &str| self.rows.iter().any(|row| line.starts_with(&format!("{}: ", row.client)));
        for step in recorded.failing.iter().filter(|step| ran(step)) {
            if failing.iter().all(|(now, _)| now != step) {
                out.push(format!("is mended: {step}"));
            }
        }
        for row in &self.rows {
            let cells = [vec![row.client.clone()], row.cells()].concat();
            if !recorded.cells.contains(&cells) {
                out.push(format!("row: {}", cells.join(" | ")));
            }
        }
        out
    }

    /// Writes it into the page.
    pub(super) fn write(&self) {
        let mut block = String::new();
        let titles: Vec<&str> = COLUMNS.iter().map(|(_, title)| *title).collect();
        writeln!(block, "{BEGIN}\n\n| client | version | {} |", titles.join(" | ")).unwrap();
        writeln!(block, "|---|---|{}", "---|".repeat(titles.len())).unwrap();
        for row in &self.rows {
            writeln!(block, "| {} | {} | {} |", row.client, row.version, row.cells().join(" | ")).unwrap();
        }
        let failing = self.failing();
        let steps: usize = self.rows.iter().map(|row| row.outcomes.len()).sum();
        writeln!(block, "\n{} of {steps} steps succeed and bring what PostgreSQL brings.", steps - failing.len())
            .unwrap();
        if !failing.is_empty() {
            writeln!(block, "\nWhat fails, and how:\n").unwrap();
        }
        for (step, reason) in failing {
            // A reason is data: nothing in it is to be taken for markup.
            writeln!(block, "* `{step}` `{}`", reason.replace('`', "'")).unwrap();
        }
        writeln!(block, "\n{END}").unwrap();
        let text = std::fs::read_to_string(path()).unwrap();
        let (head, rest) = text.split_once(BEGIN).expect("the mark");
        let (_, tail) = rest.split_once(END).expect("the end mark");
        std::fs::write(path(), format!("{head}{}{tail}", block.trim_end())).unwrap();
    }
}
