//! The target of a statement that writes, where a role may not see all of its columns: nothing in the statement may reach the others.
//! Must not know: how a statement is printed.
//!
//! What reads can be a sub-query of the columns that may be seen; what is written cannot. So each name that could mean a column of the
//! target is looked at: where the target is in scope (SET, WHERE, ON CONFLICT, RETURNING, MERGE, and the sub-queries in them) a name
//! that is hidden, or of the system, is missing as on a table without it; and whatever takes a whole row is refused. It is not asked
//! whether a name inside a sub-query belongs to a nearer relation: that would have to be known of every relation. Behind the name of
//! another relation it passes.

use super::super::super::allow::plain_values;
use super::super::super::ast::{
    Expr, Ident, JoinConstraint, JoinOperator, ObjectName, Query, SelectItem, SelectItemQualifiedWildcardKind,
    TableFactor, TableWithJoins,
};
use super::super::super::modify::tree::Place;
use super::super::super::modify::{Modify, ModifyVerb, width};
use super::super::super::position;
use super::super::super::scope::{folded, parts};
use super::{Printer, RemoteTable, refuse};
use crate::error::{Error, Result, SqlState};

/// Columns that every table has and no list shows.
const SYSTEM: &[&str] = &["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid", "oid"];

/// A target of which not all columns may be seen.
#[derive(Debug, Clone)]
pub(super) struct Narrowed {
    /// What the statement calls it.
    label: String,
    /// Its name as the client sees it.
    table: String,
    /// The columns that may be seen, in order.
    visible: Vec<String>,
    /// The others.
    hidden: Vec<String>,
    /// It is in scope where the printer is.
    active: bool,
    /// What else is a row of it there.
    rows: Vec<String>,
    /// Nothing but it is in scope there.
    alone: bool,
}

impl Narrowed {
    fn sees(&self, column: &str) -> bool {
        self.visible.iter().any(|visible| visible == column)
    }

    fn is_row(&self, name: &str) -> bool {
        name == self.label || self.rows.iter().any(|row| row == name)
    }

    fn hides(&self, name: &str) -> bool {
        self.hidden.iter().any(|hidden| hidden == name) || SYSTEM.contains(&name)
    }
}

/// A target, if not all of its columns may be seen; `all`: those that it has at the source.
pub(super) fn narrowed(modify: &Modify, target: &RemoteTable, all: &[String]) -> Option<Narrowed> {
    let visible = target.columns.as_ref()?;
    Some(Narrowed {
        label: modify.label(),
        table: target.seen.1.clone(),
        visible: visible.clone(),
        hidden: all.iter().filter(|column| !visible.contains(column)).cloned().collect(),
        active: false,
        rows: rows_of(modify),
        alone: modify.sources().is_empty(),
    })
}

/// Names that mean rows of the target beside its own: `excluded` of INSERT, and `old` and `new`, which RETURNING has since PostgreSQL 18
/// where nothing else in FROM is called so.
fn rows_of(modify: &Modify) -> Vec<String> {
    let others: Vec<String> = modify.sources().iter().filter_map(|source| labels(source).ok()).flatten().collect();
    let mut rows: Vec<String> = ["old", "new"].map(str::to_owned).to_vec();
    rows.retain(|row| !others.contains(row));
    if modify.verb() == ModifyVerb::Insert {
        rows.push("excluded".to_owned());
    }
    rows
}

fn missing(message: String, ident: &Ident) -> Error {
    let error = Error::client(SqlState::UNDEFINED_COLUMN, message);
    match position(ident.span) {
        Some(position) => error.with_position(position),
        None => error,
    }
}

fn whole_row(ident: &Ident) -> Error {
    let error = refuse("a whole row of a table with hidden columns");
    match position(ident.span) {
        Some(position) => error.with_position(position),
        None => error,
    }
}

impl Printer<'_> {
    /// Prints where the target is in scope.
    pub(super) fn seeing(&mut self, print: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        self.in_scope(true, |target| &mut target.active, print)
    }

    fn in_scope(
        &mut self,
        now: bool,
        flag: impl Fn(&mut Narrowed) -> &mut bool,
        print: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let before = self.narrowed.as_mut().map(|target| std::mem::replace(flag(target), now));
        let result = print(self);
        if let (Some(target), Some(before)) = (self.narrowed.as_mut(), before) {
            *flag(target) = before;
        }
        result
    }

    /// What is printed is a query: names in it may belong to its own relations.
    pub(super) fn within_query(&mut self, print: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        self.in_scope(false, |target| &mut target.alone, print)
    }

    fn narrowed(&self) -> Option<&Narrowed> {
        self.narrowed.as_ref().filter(|target| target.active)
    }

    /// Looks at a name without a table in front.
    ///
    /// # Errors
    /// `42703` for a hidden column, `0A000` for a whole row.
    pub(super) fn reads_name(&self, ident: &Ident) -> Result<()> {
        let Some(target) = self.narrowed() else { return Ok(()) };
        let name = folded(ident);
        if target.sees(&name) {
            return Ok(());
        }
        if !target.hides(&name) && target.is_row(&name) {
            return Err(whole_row(ident));
        }
        if target.hides(&name) || target.alone {
            return Err(missing(format!("column \"{name}\" does not exist"), ident));
        }
        Ok(())
    }

    /// Looks at a column behind the name of a table.
    ///
    /// # Errors
    /// `42703` for what is no visible column of the target: `t.f` can be a call too.
    pub(super) fn reads_column(&self, table: &Ident, column: &Ident) -> Result<()> {
        let Some(target) = self.narrowed() else { return Ok(()) };
        let (table_name, name) = (folded(table), folded(column));
        if !target.is_row(&table_name) || target.sees(&name) {
            return Ok(());
        }
        Err(missing(format!("column {table_name}.{name} does not exist"), table))
    }

    /// Looks at `name.*`, where it is not written out.
    ///
    /// # Errors
    /// `0A000` for the target's.
    pub(super) fn reads_row(&self, table: &Ident) -> Result<()> {
        match self.narrowed() {
            Some(target) if target.is_row(&folded(table)) => Err(whole_row(table)),
            _ => Ok(()),
        }
    }

    /// Looks at a column that is written.
    ///
    /// # Errors
    /// `42703` for a hidden one.
    pub(super) fn writes_to(&self, column: &Ident) -> Result<()> {
        let name = folded(column);
        match &self.narrowed {
            Some(target) if !target.sees(&name) => {
                let message = format!("column \"{name}\" of relation \"{}\" does not exist", target.table);
                Err(missing(message, column))
            }
            _ => Ok(()),
        }
    }

    /// A constraint may be of hidden columns.
    ///
    /// # Errors
    /// `0A000` where some are hidden.
    pub(super) fn names_constraint(&self) -> Result<()> {
        if self.narrowed.is_some() {
            return Err(refuse("ON CONFLICT ON CONSTRAINT on a table with hidden columns"));
        }
        Ok(())
    }

    /// The list of columns of INSERT: that of the client, or as many of those that may be seen as there are values.
    pub(super) fn columns(&mut self, places: &[Place], source: Option<&Query>) -> Result<()> {
        let Some(source) = source else { return Ok(()) };
        if !places.is_empty() || self.narrowed.is_none() {
            return self.listed(places, None);
        }
        match plain_values(source) {
            Some(rows) => self.listed(places, rows.into_iter().max_by_key(|row| row.len())),
            None => match width(source) {
                Some(columns) => self.visible_columns(columns, None),
                None => Err(refuse("INSERT without a list of columns, of an unknown number of columns,")
                    .with_hint("Write the list of columns.")),
            },
        }
    }

    /// The list of columns for a row of values.
    pub(super) fn listed(&mut self, places: &[Place], values: Option<&[Expr]>) -> Result<()> {
        if !places.is_empty() {
            self.put(" ");
            return self.place_list(places);
        }
        match values {
            Some(values) if self.narrowed.is_some() => self.visible_columns(values.len(), Some(values)),
            _ => Ok(()),
        }
    }

    fn visible_columns(&mut self, count: usize, values: Option<&[Expr]>) -> Result<()> {
        let Some(target) = &self.narrowed else { return Ok(()) };
        let Some(columns) = target.visible.get(..count) else {
            let error = Error::client(SqlState::SYNTAX_ERROR, "INSERT has more expressions than target columns");
            let extra = values.and_then(|values| values.get(target.visible.len())).and_then(super::expression::start);
            return Err(match extra {
                Some(position) => error.with_position(position),
                None => error,
            });
        };
        if columns.is_empty() {
            return Err(refuse("INSERT of a row without columns"));
        }
        let columns = columns.to_vec();
        self.put(" (");
        self.separated(&columns, ", ", |printer, column| printer.name(column))?;
        self.put(")");
        Ok(())
    }

    /// An item of RETURNING, stars written out.
    pub(super) fn returned(&mut self, item: &SelectItem, sources: &[TableWithJoins]) -> Result<()> {
        let own = |printer: &Self, name: &ObjectName| {
            let target = printer.narrowed.as_ref();
            target.is_some_and(|target| parts(name).pop().is_some_and(|name| name == target.label))
        };
        match item {
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) if own(self, name) => {
                let idents: Vec<Ident> = name.0.iter().filter_map(|part| part.as_ident()).cloned().collect();
                self.unqualified(&idents)?;
                self.visible_items()
            }
            SelectItem::Wildcard(_) if self.narrowed.is_some() => {
                self.visible_items()?;
                sources.iter().try_for_each(|source| self.source_items(source))
            }
            item => self.item(item),
        }
    }

    fn visible_items(&mut self) -> Result<()> {
        let Some(target) = self.narrowed.clone() else { return Ok(()) };
        if target.visible.is_empty() {
            return Err(refuse("RETURNING no column"));
        }
        self.separated(&target.visible, ", ", |printer, column| {
            printer.name(&target.label)?;
            printer.put(".");
            printer.name(column)
        })
    }

    /// All columns of a relation beside the target, behind others.
    fn source_items(&mut self, source: &TableWithJoins) -> Result<()> {
        for label in labels(source)? {
            self.put(", ");
            self.name(&label)?;
            self.put(".*");
        }
        Ok(())
    }
}

/// What the relations of a FROM are called, where `*` is the columns of one after the other.
fn labels(source: &TableWithJoins) -> Result<Vec<String>> {
    use JoinOperator as Join;
    let mut found = labels_of(&source.relation)?;
    for join in &source.joins {
        let plain = match &join.join_operator {
            Join::Join(c) | Join::Inner(c) | Join::Left(c) | Join::LeftOuter(c) => matches!(c, JoinConstraint::On(_)),
            Join::Right(c) | Join::RightOuter(c) | Join::FullOuter(c) => matches!(c, JoinConstraint::On(_)),
            Join::CrossJoin(JoinConstraint::None) => true,
            _ => false,
        };
        if !plain {
            return Err(refuse("RETURNING * of a join with USING"));
        }
        found.extend(labels_of(&join.relation)?);
    }
    Ok(found)
}

fn labels_of(factor: &TableFactor) -> Result<Vec<String>> {
    use TableFactor as Factor;
    match factor {
        Factor::NestedJoin { alias: None, table_with_joins } => labels(table_with_joins),
        Factor::Table { alias: Some(alias), .. }
        | Factor::Derived { alias: Some(alias), .. }
        | Factor::Function { alias: Some(alias), .. }
        | Factor::UNNEST { alias: Some(alias), .. }
        | Factor::NestedJoin { alias: Some(alias), .. } => Ok(vec![folded(&alias.name)]),
        Factor::Table { name, .. } | Factor::Function { name, .. } => Ok(parts(name).pop().into_iter().collect()),
        Factor::UNNEST { .. } => Ok(vec!["unnest".to_owned()]),
        _ => Err(refuse("RETURNING * of this form of table")),
    }
}
