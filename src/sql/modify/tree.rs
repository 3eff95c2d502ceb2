//! The tree of INSERT, UPDATE, DELETE and MERGE: PostgreSQL's grammar of the statement itself, sqlparser's of what stands in it.
//! Must not know: how it is parsed, what of it is allowed.
//!
//! sqlparser's own trees of these statements have fields for a dozen dialects and none for some of PostgreSQL's clauses. In
//! this one everything means something, so nothing can be left out unseen.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    Cte, CteAsMaterialized, Expr, Ident, ObjectName, Query, SelectItem, TableAlias, TableWithJoins, Visit, VisitMut,
    Visitor, VisitorMut, With,
};

/// A whole statement that writes: itself, in its WITH, or both.
#[derive(Debug, Clone)]
pub struct Writing {
    /// WITH.
    pub(in crate::sql) with: Option<Clause>,
    /// What stands behind it.
    pub(in crate::sql) body: Body,
}

/// WITH of a whole statement: no other has queries that write.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Clause {
    pub(in crate::sql) with_token: AttachedToken,
    pub(in crate::sql) recursive: bool,
    pub(in crate::sql) queries: Vec<WithItem>,
}

/// A query of WITH.
#[derive(Debug, Clone)]
pub(in crate::sql) enum WithItem {
    /// It reads.
    Query(Box<Cte>),
    /// It writes.
    Modify(Box<Writer>),
}

/// A query of WITH that writes.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Writer {
    pub(in crate::sql) alias: TableAlias,
    pub(in crate::sql) materialized: Option<CteAsMaterialized>,
    pub(in crate::sql) modify: Modify,
}

/// What is a query or writes.
#[derive(Debug, Clone)]
pub(in crate::sql) enum Body {
    Query(Box<Query>),
    Modify(Box<Modify>),
}

/// One INSERT, UPDATE, DELETE or MERGE.
#[derive(Debug, Clone)]
pub struct Modify {
    /// Its own WITH, which only reads. (That of a whole statement is [`Writing`]'s.)
    pub(in crate::sql) with: Option<With>,
    /// The target as written.
    pub(in crate::sql) name: ObjectName,
    /// Its alias.
    pub(in crate::sql) alias: Option<Ident>,
    /// What is done to it.
    pub(in crate::sql) action: Action,
    /// RETURNING.
    pub(in crate::sql) returning: Vec<SelectItem>,
}

/// What is done to the target.
#[derive(Debug, Clone)]
pub(in crate::sql) enum Action {
    Insert(Box<Insert>),
    Update(Update),
    Delete(Delete),
    Merge(Box<Merge>),
}

/// INSERT.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Insert {
    /// Empty if there is no list.
    pub(in crate::sql) columns: Vec<Place>,
    pub(in crate::sql) overriding: Option<Overriding>,
    /// None is DEFAULT VALUES.
    pub(in crate::sql) source: Option<Box<Query>>,
    pub(in crate::sql) conflict: Option<Conflict>,
}

/// OVERRIDING ... VALUE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) enum Overriding {
    System,
    User,
}

/// ON CONFLICT.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Conflict {
    pub(in crate::sql) arbiter: Option<Arbiter>,
    /// None is DO NOTHING.
    pub(in crate::sql) update: Option<Change>,
}

/// Which conflict.
#[derive(Debug, Clone)]
pub(in crate::sql) enum Arbiter {
    Index { keys: Vec<Key>, filter: Option<Box<Expr>> },
    Constraint(Ident),
}

/// A column or expression of an index.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Key {
    pub(in crate::sql) expr: Expr,
    /// Its operator class, or an order, which may not stand there.
    pub(in crate::sql) class: Option<Ident>,
}

/// SET ... WHERE.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Change {
    pub(in crate::sql) assignments: Vec<Assignment>,
    pub(in crate::sql) filter: Option<Expr>,
}

/// `a = x`, `(a, b) = (x, y)`.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Assignment {
    pub(in crate::sql) places: Vec<Place>,
    /// The places are in parentheses.
    pub(in crate::sql) many: bool,
    pub(in crate::sql) value: Expr,
}

/// A column that is written, or a part of it.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Place {
    pub(in crate::sql) column: Ident,
    pub(in crate::sql) path: Vec<Step>,
}

/// A part of a column.
#[derive(Debug, Clone)]
pub(in crate::sql) enum Step {
    Field(Ident),
    Index(Box<Expr>),
    Slice(Option<Box<Expr>>, Option<Box<Expr>>),
}

/// UPDATE.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Update {
    pub(in crate::sql) assignments: Vec<Assignment>,
    pub(in crate::sql) from: Vec<TableWithJoins>,
    pub(in crate::sql) filter: Option<Filter>,
}

/// DELETE.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Delete {
    pub(in crate::sql) using: Vec<TableWithJoins>,
    pub(in crate::sql) filter: Option<Filter>,
}

/// WHERE.
#[derive(Debug, Clone)]
pub(in crate::sql) enum Filter {
    Where(Box<Expr>),
    /// WHERE CURRENT OF a cursor.
    CurrentOf(Ident),
}

/// MERGE.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Merge {
    pub(in crate::sql) source: TableWithJoins,
    pub(in crate::sql) on: Expr,
    pub(in crate::sql) whens: Vec<When>,
}

/// WHEN ... THEN ...
#[derive(Debug, Clone)]
pub(in crate::sql) struct When {
    pub(in crate::sql) matched: bool,
    /// BY SOURCE, BY TARGET: later than PostgreSQL 15.
    pub(in crate::sql) by: Option<Ident>,
    pub(in crate::sql) condition: Option<Expr>,
    pub(in crate::sql) then: Then,
}

/// What MERGE does.
#[derive(Debug, Clone)]
pub(in crate::sql) enum Then {
    Nothing,
    Delete,
    Update(Vec<Assignment>),
    Insert {
        columns: Vec<Place>,
        overriding: Option<Overriding>,
        /// None is DEFAULT VALUES.
        values: Option<Vec<Expr>>,
    },
}

impl WithItem {
    /// What it is called.
    pub(in crate::sql) fn alias(&self) -> &TableAlias {
        match self {
            WithItem::Query(cte) => &cte.alias,
            WithItem::Modify(writer) => &writer.alias,
        }
    }
}

impl Writing {
    /// The queries of WITH.
    pub(in crate::sql) fn queries(&self) -> &[WithItem] {
        self.with.as_ref().map_or(&[], |with| with.queries.as_slice())
    }

    /// What WITH clauses call their queries: its own, and those of what writes in it.
    pub(in crate::sql) fn aliases(&self) -> impl Iterator<Item = &TableAlias> {
        let inner = self.writers().filter_map(|modify| modify.with.as_ref()).flat_map(|with| &with.cte_tables);
        self.queries().iter().map(WithItem::alias).chain(inner.map(|cte| &cte.alias))
    }

    /// It as the query that it is, if nothing in it writes.
    pub(in crate::sql) fn into_query(self) -> Result<Box<Query>, Box<Writing>> {
        if self.writers().next().is_some() {
            return Err(Box::new(self));
        }
        match self {
            Writing { with: None, body: Body::Query(query) } => Ok(query),
            Writing { with: Some(Clause { with_token, recursive, queries }), body: Body::Query(mut query) } => {
                let reading = |query: WithItem| match query {
                    WithItem::Query(cte) => Some(*cte),
                    WithItem::Modify(_) => None,
                };
                let cte_tables = queries.into_iter().filter_map(reading).collect();
                query.with = Some(With { with_token, recursive, cte_tables });
                Ok(query)
            }
            writing => Err(Box::new(writing)),
        }
    }
}

impl Modify {
    /// The relations that are read beside the target, in FROM or USING.
    pub(in crate::sql) fn sources(&self) -> &[TableWithJoins] {
        match &self.action {
            Action::Insert(_) => &[],
            Action::Update(update) => &update.from,
            Action::Delete(delete) => &delete.using,
            Action::Merge(merge) => std::slice::from_ref(&merge.source),
        }
    }

    /// The lists of columns that are written, in the order of the text.
    pub(in crate::sql) fn places(&self) -> Vec<&Place> {
        fn of(assignments: &[Assignment]) -> impl Iterator<Item = &Place> {
            assignments.iter().flat_map(|assignment| &assignment.places)
        }
        match &self.action {
            Action::Insert(insert) => {
                let update = insert.conflict.iter().filter_map(|conflict| conflict.update.as_ref());
                insert.columns.iter().chain(update.flat_map(|change| of(&change.assignments))).collect()
            }
            Action::Update(update) => of(&update.assignments).collect(),
            Action::Delete(_) => Vec::new(),
            Action::Merge(merge) => merge
                .whens
                .iter()
                .flat_map(|when| match &when.then {
                    Then::Update(assignments) => of(assignments).collect(),
                    Then::Insert { columns, .. } => columns.iter().collect(),
                    Then::Nothing | Then::Delete => Vec::new(),
                })
                .collect(),
        }
    }

    /// Visits what stands behind WITH, where all of its queries are known.
    pub(in crate::sql) fn visit_body<V: Visitor>(&self, visitor: &mut V) -> ControlFlow<V::Break> {
        if let Action::Insert(insert) = &self.action {
            insert.columns.visit(visitor)?;
            insert.source.visit(visitor)?;
        }
        if let Action::Merge(_) = &self.action {
            self.sources().iter().try_for_each(|source| source.visit(visitor))?;
        }
        self.visit_seeing(visitor)
    }

    /// Visits, in the order of the text, what can name columns of the target; and the relations beside it, which stand in the midst
    /// of that and cannot.
    fn visit_seeing<V: Visitor>(&self, visitor: &mut V) -> ControlFlow<V::Break> {
        match &self.action {
            Action::Insert(insert) => insert.conflict.visit(visitor)?,
            Action::Update(update) => {
                update.assignments.visit(visitor)?;
                update.from.visit(visitor)?;
                update.filter.visit(visitor)?;
            }
            Action::Delete(delete) => {
                delete.using.visit(visitor)?;
                delete.filter.visit(visitor)?;
            }
            Action::Merge(merge) => {
                merge.on.visit(visitor)?;
                merge.whens.visit(visitor)?;
            }
        }
        self.returning.visit(visitor)
    }

    /// Visits only what can name columns of the target.
    pub(in crate::sql) fn visit_reading<V: Visitor>(&self, visitor: &mut V) -> ControlFlow<V::Break> {
        match &self.action {
            Action::Update(update) => {
                update.assignments.visit(visitor)?;
                update.filter.visit(visitor)?;
                self.returning.visit(visitor)
            }
            Action::Delete(delete) => {
                delete.filter.visit(visitor)?;
                self.returning.visit(visitor)
            }
            Action::Insert(_) | Action::Merge(_) => self.visit_seeing(visitor),
        }
    }
}

/// Both ways to visit a tree, from one list of its parts.
macro_rules! visited {
    ($($part:ty { $($pattern:pat => [$($child:ident),*]),* $(,)? })*) => { $(
        impl Visit for $part {
            fn visit<V: Visitor>(&self, visitor: &mut V) -> ControlFlow<V::Break> {
                match self { $($pattern => { $($child.visit(visitor)?;)* })* }
                let _ = visitor;
                ControlFlow::Continue(())
            }
        }
        impl VisitMut for $part {
            fn visit<V: VisitorMut>(&mut self, visitor: &mut V) -> ControlFlow<V::Break> {
                match self { $($pattern => { $($child.visit(visitor)?;)* })* }
                let _ = visitor;
                ControlFlow::Continue(())
            }
        }
    )* };
}

visited! {
    Writing { Writing { with, body } => [with, body] }
    Clause { Clause { with_token: _, recursive: _, queries } => [queries] }
    WithItem { WithItem::Query(cte) => [cte], WithItem::Modify(writer) => [writer] }
    Writer { Writer { alias: _, materialized: _, modify } => [modify] }
    Body { Body::Query(query) => [query], Body::Modify(modify) => [modify] }
    Conflict { Conflict { arbiter, update } => [arbiter, update] }
    Arbiter { Arbiter::Index { keys, filter } => [keys, filter], Arbiter::Constraint(_) => [] }
    Key { Key { expr, class: _ } => [expr] }
    Change { Change { assignments, filter } => [assignments, filter] }
    Assignment { Assignment { places, many: _, value } => [places, value] }
    Place { Place { column: _, path } => [path] }
    Step {
        Step::Field(_) => [],
        Step::Index(index) => [index],
        Step::Slice(lower, upper) => [lower, upper],
    }
    Filter { Filter::Where(condition) => [condition], Filter::CurrentOf(_) => [] }
    When { When { matched: _, by: _, condition, then } => [condition, then] }
    Then {
        Then::Nothing | Then::Delete => [],
        Then::Update(assignments) => [assignments],
        Then::Insert { columns, overriding: _, values } => [columns, values],
    }
}

impl Visit for Modify {
    fn visit<V: Visitor>(&self, visitor: &mut V) -> ControlFlow<V::Break> {
        self.with.visit(visitor)?;
        self.visit_body(visitor)
    }
}

impl VisitMut for Modify {
    fn visit<V: VisitorMut>(&mut self, visitor: &mut V) -> ControlFlow<V::Break> {
        VisitMut::visit(&mut self.with, visitor)?;
        match &mut self.action {
            Action::Insert(insert) => {
                let Insert { columns, overriding: _, source, conflict } = &mut **insert;
                columns.visit(visitor)?;
                source.visit(visitor)?;
                conflict.visit(visitor)?;
            }
            Action::Update(Update { assignments, from, filter }) => {
                assignments.visit(visitor)?;
                from.visit(visitor)?;
                filter.visit(visitor)?;
            }
            Action::Delete(Delete { using, filter }) => {
                using.visit(visitor)?;
                filter.visit(visitor)?;
            }
            Action::Merge(merge) => {
                let Merge { source, on, whens } = &mut **merge;
                source.visit(visitor)?;
                on.visit(visitor)?;
                whens.visit(visitor)?;
            }
        }
        VisitMut::visit(&mut self.returning, visitor)
    }
}
