//! What several grants on one table come to.
//! Must not know: identities; how filters and masks are run.

use std::collections::{BTreeMap, BTreeSet};

use super::Privilege;
use crate::config::GrantSettings;

/// Columns of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Columns {
    /// All, those added later too.
    All,
    /// These.
    Only(BTreeSet<String>),
}

impl Columns {
    /// Whether a column is among them.
    #[must_use]
    pub fn contains(&self, column: &str) -> bool {
        match self {
            Columns::All => true,
            Columns::Only(columns) => columns.contains(column),
        }
    }

    fn union(self, other: &Columns) -> Columns {
        match (self, other) {
            (Columns::Only(mut a), Columns::Only(b)) => {
                a.extend(b.iter().cloned());
                Columns::Only(a)
            }
            _ => Columns::All,
        }
    }

    /// Whether all of `other` are among them.
    fn covers(&self, other: &Columns) -> bool {
        match (self, other) {
            (Columns::All, _) => true,
            (Columns::Only(_), Columns::All) => false,
            (Columns::Only(a), Columns::Only(b)) => b.is_subset(a),
        }
    }
}

/// Which rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowFilter {
    /// No filter: all rows.
    None,
    /// The rows for which at least one of these expressions is true.
    AnyOf(Vec<String>),
}

impl RowFilter {
    /// The filter of several grants: one without a filter lifts it.
    fn any<'g>(filters: impl Iterator<Item = Option<&'g String>>) -> Self {
        let mut expressions: Vec<String> = Vec::new();
        for filter in filters {
            match filter {
                None => return RowFilter::None,
                Some(expression) if !expressions.contains(expression) => expressions.push(expression.clone()),
                Some(_) => {}
            }
        }
        RowFilter::AnyOf(expressions)
    }
}

/// One grant, as far as one privilege on one table goes.
#[derive(Debug, Clone)]
pub(super) struct Part {
    columns: Columns,
    row_filter: Option<String>,
    mask: BTreeMap<String, String>,
}

impl Part {
    pub(super) fn of(grant: &GrantSettings) -> Self {
        let columns = grant.columns.as_ref().map_or(Columns::All, |list| Columns::Only(list.iter().cloned().collect()));
        Part { columns, row_filter: grant.row_filter.clone(), mask: grant.mask.clone() }
    }
}

/// The union of all grants of an identity on one table, for one privilege.
#[derive(Debug, Clone)]
pub struct TableAccess {
    /// The columns.
    pub columns: Columns,
    /// The rows.
    pub row_filter: RowFilter,
    /// Columns that every grant which gives them masks, and the first such expression.
    pub masks: BTreeMap<String, String>,
    /// Every privilege that some grant gives on the table.
    pub privileges: BTreeSet<Privilege>,
    parts: Vec<Part>,
}

impl TableAccess {
    /// The union; `None` if there is no grant.
    pub(super) fn union(parts: Vec<Part>, privileges: BTreeSet<Privilege>) -> Option<Self> {
        let columns = parts.iter().map(|part| &part.columns).fold(None, |sum: Option<Columns>, columns| {
            Some(sum.map_or_else(|| columns.clone(), |sum| sum.union(columns)))
        })?;
        let row_filter = RowFilter::any(parts.iter().map(|part| part.row_filter.as_ref()));
        let mut masks = BTreeMap::new();
        for (column, expression) in parts.iter().flat_map(|part| &part.mask) {
            let mut giving = parts.iter().filter(|part| part.columns.contains(column));
            if giving.all(|part| part.mask.contains_key(column)) {
                masks.entry(column.clone()).or_insert_with(|| expression.clone());
            }
        }
        Some(TableAccess { columns, row_filter, masks, privileges, parts })
    }

    /// Every row and column, to read.
    pub(super) fn read_all() -> Self {
        TableAccess {
            columns: Columns::All,
            row_filter: RowFilter::None,
            masks: BTreeMap::new(),
            privileges: BTreeSet::from([Privilege::Select]),
            parts: Vec::new(),
        }
    }

    /// Whether a column may be named.
    #[must_use]
    pub fn allows(&self, column: &str) -> bool {
        self.columns.contains(column)
    }

    /// The rows in which a column's value may be seen; in the others it is NULL.
    ///
    /// `row_filter` is the OR of all grants. Where they give different columns, a column must not be seen in the rows of
    /// a grant that does not give it, or two narrow grants together would give more than each of them does.
    #[must_use]
    pub fn visible_where(&self, column: &str) -> RowFilter {
        let giving: Vec<&Part> = self.parts.iter().filter(|part| part.columns.contains(column)).collect();
        let filter = RowFilter::any(giving.iter().map(|part| part.row_filter.as_ref()));
        // The rows that are seen at all are cut to the same condition already.
        if filter == self.row_filter { RowFilter::None } else { filter }
    }

    /// Whether serving it needs a row filter or a mask, here or in some column.
    #[must_use]
    pub fn needs_enforcement(&self) -> bool {
        if self.row_filter != RowFilter::None || !self.masks.is_empty() {
            return true;
        }
        // The filter is lifted: for every column, or only for those of the unfiltered grants?
        let unfiltered = self
            .parts
            .iter()
            .filter(|part| part.row_filter.is_none())
            .fold(Columns::Only(BTreeSet::new()), |sum, part| sum.union(&part.columns));
        !self.parts.is_empty() && !unfiltered.covers(&self.columns)
    }
}
