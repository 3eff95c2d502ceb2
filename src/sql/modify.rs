//! INSERT, UPDATE, DELETE and MERGE, by themselves or in WITH: what they do to which columns, and whether they read.
//! Must not know: what exists, who may, how they are printed.

pub(super) mod grammar;
pub(super) mod tree;

pub use tree::{Modify, Writing};

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArgExpr, Ident, ObjectName, ObjectNamePart, Query, SelectItem, SelectItemQualifiedWildcardKind,
    SetExpr, Visitor,
};

use super::position;
use super::scope::{TableRef, folded, is_call, parts};
use tree::{Action, Arbiter, Body, Insert, Place, Then, WithItem};

/// What a [`Modify`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModifyVerb {
    /// INSERT.
    Insert,
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
    /// MERGE.
    Merge,
}

impl ModifyVerb {
    /// PostgreSQL's command tag, without the number of rows.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            ModifyVerb::Insert => "INSERT",
            ModifyVerb::Update => "UPDATE",
            ModifyVerb::Delete => "DELETE",
            ModifyVerb::Merge => "MERGE",
        }
    }
}

/// A privilege to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WriteAction {
    /// Rows are added.
    Insert,
    /// Rows are changed.
    Update,
    /// Rows are removed.
    Delete,
}

/// A privilege that a statement needs on its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Which.
    pub action: WriteAction,
    /// The columns that are written, folded, each once. None: an INSERT without a list, which writes as many of the columns as it has
    /// values (see [`Modify::insert_width`]), from the first on; and always for DELETE. Empty for INSERT ... DEFAULT VALUES.
    pub columns: Option<Vec<String>>,
}

impl Writing {
    /// What in it writes, in the order of the text: queries of WITH, then the statement itself, unless that is a query.
    pub fn writers(&self) -> impl Iterator<Item = &Modify> {
        let within = self.queries().iter().filter_map(|query| match query {
            WithItem::Query(_) => None,
            WithItem::Modify(writer) => Some(&writer.modify),
        });
        within.chain(self.own())
    }

    /// The statement itself, unless it is a query.
    fn own(&self) -> Option<&Modify> {
        match &self.body {
            Body::Query(_) => None,
            Body::Modify(modify) => Some(modify),
        }
    }

    /// Which of those that write the statement itself is; none: a query.
    #[must_use]
    pub fn verb(&self) -> Option<ModifyVerb> {
        self.own().map(Modify::verb)
    }

    /// PostgreSQL's command tag, without the number of rows: `INSERT` is sent as `INSERT 0 n`.
    #[must_use]
    pub fn tag(&self) -> &'static str {
        self.verb().map_or("SELECT", ModifyVerb::tag)
    }

    /// Whether it returns rows: those of its query, or of its RETURNING.
    #[must_use]
    pub fn returns_rows(&self) -> bool {
        self.own().is_none_or(Modify::returns_rows)
    }
}

impl Modify {
    /// Which of them it is.
    #[must_use]
    pub fn verb(&self) -> ModifyVerb {
        match &self.action {
            Action::Insert(_) => ModifyVerb::Insert,
            Action::Update(_) => ModifyVerb::Update,
            Action::Delete(_) => ModifyVerb::Delete,
            Action::Merge(_) => ModifyVerb::Merge,
        }
    }

    /// The table that is written. No query of WITH is one, whatever it is called.
    #[must_use]
    pub fn target(&self) -> TableRef {
        let mut names = parts(&self.name);
        let (table, schema, catalog) = (names.pop().unwrap_or_default(), names.pop(), names.pop());
        let first = self.name.0.first().and_then(ObjectNamePart::as_ident).and_then(|ident| position(ident.span));
        TableRef { catalog, schema, table, position: first.unwrap_or(1) }
    }

    /// What it calls its target: its alias, or its name.
    #[must_use]
    pub fn label(&self) -> String {
        self.alias.as_ref().map_or_else(|| parts(&self.name).pop().unwrap_or_default(), folded)
    }

    /// Whether it has RETURNING.
    #[must_use]
    pub fn returns_rows(&self) -> bool {
        !self.returning.is_empty()
    }

    /// The privileges that it needs on its target, each once, in the order of [`WriteAction`].
    #[must_use]
    pub fn writes(&self) -> Vec<Written> {
        let mut found: Vec<Written> = Vec::new();
        let mut add = |action, columns: Option<Vec<&Place>>| {
            let mut names: Option<Vec<String>> = columns.map(|places| {
                let names = places.iter().map(|place| folded(&place.column));
                names.fold(Vec::new(), |mut names, name| {
                    if !names.contains(&name) {
                        names.push(name);
                    }
                    names
                })
            });
            match found.iter_mut().find(|written| written.action == action) {
                None => found.push(Written { action, columns: names }),
                Some(written) => match (&mut written.columns, &mut names) {
                    (Some(known), Some(names)) => {
                        names.retain(|name| !known.contains(name));
                        known.append(names);
                    }
                    (known, _) => *known = None,
                },
            }
        };
        let listed = |columns: &'_ [Place], defaults: bool| !columns.is_empty() || defaults;
        match &self.action {
            Action::Insert(insert) => {
                let Insert { columns, source, conflict, .. } = &**insert;
                let list = listed(columns, source.is_none());
                add(WriteAction::Insert, list.then(|| columns.iter().collect()));
                if let Some(change) = conflict.as_ref().and_then(|conflict| conflict.update.as_ref()) {
                    let places = change.assignments.iter().flat_map(|assignment| &assignment.places);
                    add(WriteAction::Update, Some(places.collect()));
                }
            }
            Action::Update(_) => add(WriteAction::Update, Some(self.places())),
            Action::Delete(_) => add(WriteAction::Delete, None),
            Action::Merge(merge) => {
                for when in &merge.whens {
                    match &when.then {
                        Then::Nothing => {}
                        Then::Delete => add(WriteAction::Delete, None),
                        Then::Update(assignments) => {
                            let places = assignments.iter().flat_map(|assignment| &assignment.places);
                            add(WriteAction::Update, Some(places.collect()));
                        }
                        Then::Insert { columns, values, .. } => {
                            let list = listed(columns, values.is_none());
                            add(WriteAction::Insert, list.then(|| columns.iter().collect()));
                        }
                    }
                }
            }
        }
        found.sort_by_key(|written| written.action);
        found
    }

    /// How many values an INSERT without a list of columns has for each row, if its text tells; the most of them for MERGE.
    #[must_use]
    pub fn insert_width(&self) -> Option<usize> {
        match &self.action {
            Action::Insert(insert) => insert.source.as_ref().map_or(Some(0), |query| width(query)),
            Action::Merge(merge) => {
                let width = |then: &Then| match then {
                    Then::Insert { values, .. } => Some(values.as_ref().map_or(0, Vec::len)),
                    _ => None,
                };
                merge.whens.iter().filter_map(|when| width(&when.then)).max()
            }
            Action::Update(_) | Action::Delete(_) => None,
        }
    }

    /// Whether it may read columns of its target, for which PostgreSQL wants SELECT: in RETURNING, WHERE, ON CONFLICT, conditions of
    /// MERGE, or on the right of SET. A column without a table in front counts for one of the target.
    #[must_use]
    pub fn reads_target(&self) -> bool {
        if let Action::Insert(insert) = &self.action
            && insert.conflict.as_ref().is_some_and(|found| matches!(found.arbiter, Some(Arbiter::Index { .. })))
        {
            return true;
        }
        let items = self.returning.iter().any(|item| match item {
            SelectItem::Wildcard(_) => true,
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => self.means(name),
            _ => false,
        });
        items || self.visit_reading(&mut Reading { of: self, label: self.label() }).is_break()
    }

    /// Whether `name.*` may be of the target.
    fn means(&self, name: &ObjectName) -> bool {
        parts(name).pop().is_none_or(|name| name == self.label() || ROWS.contains(&name.as_str()))
    }
}

/// Names that mean rows of the target beside its own: those of ON CONFLICT, and of RETURNING since PostgreSQL 18.
const ROWS: &[&str] = &["excluded", "old", "new"];

/// How many columns a query has, if it is without a star.
pub(super) fn width(query: &Query) -> Option<usize> {
    let mut body = &query.body;
    loop {
        body = match body.as_ref() {
            SetExpr::SetOperation { left, .. } => left,
            SetExpr::Query(query) => &query.body,
            SetExpr::Values(values) => return values.rows.iter().map(|row| row.content.len()).max(),
            SetExpr::Select(select) => {
                let star =
                    |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
                return (!select.projection.iter().any(star)).then_some(select.projection.len());
            }
            _ => return None,
        }
    }
}

/// Finds what may be a column of the target.
struct Reading<'a> {
    of: &'a Modify,
    label: String,
}

impl Reading<'_> {
    fn column(&self, idents: &[Ident]) -> bool {
        match idents {
            [.., table, _] => {
                let table = folded(table);
                table == self.label || ROWS.contains(&table.as_str())
            }
            [one] => !is_call(one) && !is_default(one),
            [] => true,
        }
    }
}

impl Visitor for Reading<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let reads = match expr {
            Expr::Identifier(ident) => self.column(std::slice::from_ref(ident)),
            Expr::CompoundIdentifier(idents) => self.column(idents),
            Expr::QualifiedWildcard(name, _) => self.of.means(name),
            Expr::Function(function) => star_arguments(function).any(|name| self.of.means(name)),
            _ => false,
        };
        if reads { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// `f(t.*)`.
fn star_arguments(function: &datafusion::sql::sqlparser::ast::Function) -> impl Iterator<Item = &ObjectName> {
    use datafusion::sql::sqlparser::ast::{FunctionArg, FunctionArguments};
    let list = match &function.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        _ => &[],
    };
    list.iter().filter_map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(name)) => Some(name),
        _ => None,
    })
}

/// DEFAULT, which sqlparser takes for a name.
pub(super) fn is_default(ident: &Ident) -> bool {
    ident.quote_style.is_none() && ident.value == "default"
}

#[cfg(test)]
mod tests;
