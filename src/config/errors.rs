//! Mistakes of a configuration: each with its line, all at once.
//! Must not know: what the keys mean.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1; 0 where the file itself is the mistake (it cannot be read, say).
    pub line: u32,
    /// What is wrong. Never holds a secret's text.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path.display(), self.message),
            line => write!(f, "{}:{line}: {}", self.path.display(), self.message),
        }
    }
}

impl std::error::Error for ConfigError {}

/// All mistakes of a file, in line order. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl ConfigErrors {
    /// The one mistake that the file as a whole is.
    pub(super) fn whole_file(path: &Path, message: String) -> Self {
        ConfigErrors(vec![ConfigError { path: path.to_owned(), line: 0, message }])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// A place in the file's text, in bytes.
pub(super) type Span = Range<usize>;

/// Collects mistakes while a file is read.
pub(super) struct Mistakes<'a> {
    path: &'a Path,
    text: &'a str,
    /// Line, byte and message; sorted at the end.
    found: Vec<(u32, usize, String)>,
    /// Keys that were taken out because their value is wrong: where their table is, and their name.
    removed: Vec<(Span, String)>,
}

impl<'a> Mistakes<'a> {
    /// None yet.
    pub(super) fn new(path: &'a Path, text: &'a str) -> Self {
        Mistakes { path, text, found: Vec::new(), removed: Vec::new() }
    }

    /// Adds a mistake at a place.
    pub(super) fn add(&mut self, at: &Span, message: impl Into<String>) {
        let start = at.start.min(self.text.len());
        let line = self.text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
        self.found.push((u32::try_from(line).unwrap_or(u32::MAX), start, message.into()));
    }

    /// Remembers a key that was taken out of the table at `table`, so that it is not called missing.
    pub(super) fn removed(&mut self, table: Span, key: String) {
        self.removed.push((table, key));
    }

    /// Adds "missing key", unless the key is there with a wrong value.
    pub(super) fn missing(&mut self, table: &Span, key: &str, what: &str) {
        if !self.removed.iter().any(|(span, name)| span == table && name == key) {
            self.add(table, format!("{what} needs the key \"{key}\""));
        }
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All mistakes in the order of the file.
    pub(super) fn into_errors(mut self) -> ConfigErrors {
        self.found.sort();
        self.found.dedup();
        let path = self.path;
        ConfigErrors(
            self.found
                .into_iter()
                .map(|(line, _, message)| ConfigError { path: path.to_owned(), line, message })
                .collect(),
        )
    }
}

/// The candidate that a mistyped name most likely means: at most a third of its letters differ.
pub(super) fn closest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    candidates
        .into_iter()
        .map(|candidate| {
            // A beginning of some length is meant as the whole word: "scram" for "scram-sha-256".
            let begins = name.len() >= 3 && candidate.starts_with(name);
            (if begins { 0 } else { distance(&name.to_lowercase(), candidate) }, candidate)
        })
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(name.chars().count()).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// ` (did you mean "x"?)`, or nothing.
pub(super) fn did_you_mean<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
    closest(name, candidates).map(|c| format!(" (did you mean \"{c}\"?)")).unwrap_or_default()
}

/// Edit distance with neighbouring letters swapped as one edit (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    // Longer names are no typing errors; the bound keeps the table small whatever the file holds.
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_typing_errors_only() {
        let keys = ["listen", "database", "auth", "max_connections"];
        assert_eq!(closest("lisetn", keys), Some("listen"));
        assert_eq!(closest("max_conections", keys), Some("max_connections"));
        assert_eq!(closest("colour", keys), None);
    }

    #[test]
    fn lines_count_from_one_and_are_sorted() {
        let mut mistakes = Mistakes::new(Path::new("x.toml"), "a\nb\nc\n");
        mistakes.add(&(4..5), "third");
        mistakes.add(&(0..1), "first");
        let errors = mistakes.into_errors();
        assert_eq!(errors.to_string(), "x.toml:1: first\nx.toml:3: third");
    }
}
