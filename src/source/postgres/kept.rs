//! The prepared statements of one connection: so many, those that were used last.
//! Must not know: what they say, how they are prepared.

use std::sync::Arc;

use super::relay::Named;

/// Statements that one connection keeps.
const KEPT: usize = 100;
/// A longer text is not kept: it would not come again.
const LONGEST: usize = 64 << 10;

/// Prepared statements by their text and the types of their parameters; the one used last is the last.
#[derive(Default)]
pub(super) struct Kept(Vec<Entry>);

struct Entry {
    /// When it was prepared: what the source's tables are may have changed since.
    epoch: u64,
    /// The session settings that it was prepared in: literals were read by them.
    session: Arc<str>,
    sql: String,
    parameters: Vec<u32>,
    statement: Named,
}

/// Whether a literal may mean the moment at which it is read, as `'now'` does: such a statement is read anew each time. (A name that only
/// looks like it costs that, too.)
fn tells_time(sql: &str) -> bool {
    let text = sql.to_ascii_lowercase();
    let now = text.match_indices("now").any(|(at, word)| !text[at + word.len()..].starts_with('('));
    now || ["today", "tomorrow", "yesterday"].iter().any(|word| text.contains(word))
}

/// What a statement is found by.
#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    /// The session settings, as they are set.
    pub(super) session: &'a Arc<str>,
    /// Its text.
    pub(super) sql: &'a str,
    /// The types of its parameters.
    pub(super) parameters: &'a [u32],
}

impl Key<'_> {
    /// Whether a statement may come again, and mean the same.
    pub(super) fn may_be_kept(&self) -> bool {
        self.sql.len() <= LONGEST && !tells_time(self.sql)
    }

    fn is(&self, entry: &Entry) -> bool {
        entry.sql == self.sql && entry.parameters == self.parameters && entry.session == *self.session
    }
}

impl Kept {
    /// The statement, if it is there, of these session settings and of this epoch.
    pub(super) fn get(&mut self, epoch: u64, key: &Key<'_>) -> Option<Named> {
        let at = self.0.iter().rposition(|entry| key.is(entry))?;
        self.0[at..].rotate_left(1);
        self.0.last().filter(|entry| entry.epoch == epoch).map(|entry| entry.statement.clone())
    }

    /// Keeps a statement. Those that go for it come back: the one that was not used for longest, and what it replaces.
    pub(super) fn put(&mut self, epoch: u64, key: &Key<'_>, statement: Named) -> Vec<Named> {
        let mut gone: Vec<Named> = self.0.extract_if(.., |entry| key.is(entry)).map(|entry| entry.statement).collect();
        if self.0.len() >= KEPT {
            gone.push(self.0.remove(0).statement);
        }
        let (sql, parameters) = (key.sql.to_owned(), key.parameters.to_vec());
        self.0.push(Entry { epoch, session: Arc::clone(key.session), sql, parameters, statement });
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_that_mean_a_moment() {
        for sql in ["SELECT E'now'::pg_catalog.\"date\"", "E'{TODAY}'", "\"d\" > E'yesterday'", "E'[today,tomorrow)'"] {
            assert!(tells_time(sql), "{sql}");
        }
        assert!(!tells_time("SELECT pg_catalog.now(), \"a\" FROM \"t\""));
    }
}
