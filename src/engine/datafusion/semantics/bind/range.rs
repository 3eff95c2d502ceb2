//! What FROM holds so far, whether a name reaches it from here or not: the hints about names that are missing come from it.
//! Must not know: how relations are bound, what else a role might see: what is not in FROM is never suggested.

use super::scope::{Scope, Table};

/// As many characters as a name may be off what was meant.
const FARTHEST: usize = 3;

/// One relation of FROM.
#[derive(Debug, Clone)]
pub(super) struct Range {
    /// What the query calls it.
    name: String,
    /// Schema and own name of what an alias hides; a WITH query has no schema.
    hidden: Option<(Option<String>, String)>,
    columns: Vec<String>,
}

/// The relations of the queries around each other, those of the innermost last, each in the order in which they are read.
#[derive(Debug, Default)]
pub(super) struct Ranges(Vec<Vec<Range>>);

impl Ranges {
    /// Another query begins.
    pub(super) fn enter(&mut self) {
        self.0.push(Vec::new());
    }

    /// The innermost query ends.
    pub(super) fn leave(&mut self) {
        self.0.pop();
    }

    /// A relation of FROM has been read.
    pub(super) fn add(&mut self, scope: &Scope) {
        let range = |table: &Table| Range {
            name: table.name.clone(),
            hidden: table.hidden.clone(),
            columns: table.columns.iter().map(|col| col.name.clone()).collect(),
        };
        if let Some(innermost) = self.0.last_mut() {
            innermost.extend(scope.tables.last().map(range));
        }
    }

    /// An arm of a set operation has been read: PostgreSQL calls it so in its hints.
    pub(super) fn add_arm(&mut self, columns: Vec<String>) {
        if let Some(innermost) = self.0.last_mut() {
            let name = format!("*SELECT* {}", innermost.len() + 1);
            innermost.push(Range { name, hidden: None, columns });
        }
    }

    /// All of them, innermost first.
    fn all(&self) -> impl Iterator<Item = &Range> {
        self.0.iter().rev().flatten()
    }

    /// The hint that goes with a column that is not found: a column of that name out of reach, or at most two that are called nearly so.
    pub(super) fn column_hint(&self, table: Option<&str>, column: &str) -> Option<String> {
        let mut nearest = Nearest::default();
        for range in self.all() {
            let off = table.map_or(0, |table| distance(table, &range.name).min(FARTHEST + 1));
            for candidate in &range.columns {
                nearest.consider(range, candidate, (column, off));
            }
            if off == 0 && range.columns.iter().any(|known| known == column) {
                return Some(format!(
                    "There is a column named \"{column}\" in table \"{}\", but it cannot be referenced from this part of the query.",
                    range.name
                ));
            }
        }
        let named = |(range, column): &(&Range, &str)| format!("the column \"{}.{column}\"", range.name);
        match nearest.found.as_slice() {
            [one] => Some(format!("Perhaps you meant to reference {}.", named(one))),
            [one, other] => Some(format!("Perhaps you meant to reference {} or {}.", named(one), named(other))),
            _ => None,
        }
    }

    /// The relation that a qualifier means which reaches none. `own`: whether schema and name are those of what an alias hides.
    pub(super) fn unreached(&self, name: &str, own: impl Fn(Option<&str>, &str) -> bool) -> Option<&Range> {
        let hidden = |range: &&Range| {
            range.hidden.as_ref().is_some_and(|(schema, hidden)| hidden == name && own(schema.as_deref(), hidden))
        };
        self.all().find(|range| range.name == name || hidden(range))
    }
}

impl Range {
    /// What the query calls it, and whether that hides another name.
    pub(super) fn alias(&self) -> (&str, bool) {
        (&self.name, self.hidden.is_some())
    }

    /// Whether it is this table of a scope.
    pub(super) fn is(&self, table: &Table) -> bool {
        self.name == table.name && self.hidden == table.hidden
    }
}

/// The columns that are nearest to a name: two at most are told, of more none.
struct Nearest<'r> {
    distance: Option<usize>,
    found: Vec<(&'r Range, &'r str)>,
}

impl Default for Nearest<'_> {
    fn default() -> Self {
        Nearest { distance: Some(FARTHEST + 1), found: Vec::new() }
    }
}

impl<'r> Nearest<'r> {
    /// `off`: how far the relation is from the one that was named.
    fn consider(&mut self, range: &'r Range, candidate: &'r str, (wanted, off): (&str, usize)) {
        let Some(best) = self.distance.filter(|best| off <= *best) else { return };
        if candidate.len().abs_diff(wanted.len()) > 4 * (best + 1) {
            return;
        }
        let letters = distance(candidate, wanted);
        if letters > wanted.len() / 2 {
            return;
        }
        let far = letters + off;
        if far < best {
            self.distance = Some(far);
            self.found = vec![(range, candidate)];
        } else if far == best {
            match self.found.len() {
                0 if best > FARTHEST => {}
                0 | 1 => self.found.push((range, candidate)),
                // Too many: only what is nearer still counts.
                _ => {
                    self.found.clear();
                    self.distance = far.checked_sub(1);
                }
            }
        }
    }
}

/// How many characters are put in, left out or changed between two names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, other) in row.iter_mut().skip(1).zip(&b) {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = *cell;
            left = changed.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(tables: &[(&str, &[&str])]) -> Ranges {
        let range = |(name, columns): &(&str, &[&str])| Range {
            name: (*name).to_owned(),
            hidden: None,
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        };
        Ranges(vec![tables.iter().map(range).collect()])
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("émail", "email"), 1);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn at_most_two_columns_are_suggested() {
        let one = ranges(&[("t", &["amount", "id"])]);
        assert!(one.column_hint(None, "amont").is_some_and(|hint| hint.ends_with("the column \"t.amount\".")));
        assert_eq!(one.column_hint(None, "nothing"), None);
        let two = ranges(&[("t", &["aa1", "aa2"])]);
        assert!(two.column_hint(None, "aa3").is_some_and(|hint| hint.contains("\"t.aa1\" or the column \"t.aa2\"")));
        let three = ranges(&[("t", &["aa1", "aa2", "aa4"])]);
        assert_eq!(three.column_hint(None, "aa3"), None);
    }
}
