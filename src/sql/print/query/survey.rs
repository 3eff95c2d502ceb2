//! What a query calls its relations and outputs, before it is printed: a name is used above the place where it is given.
//! Must not know: how anything is printed.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use super::super::super::ast::{ObjectName, Query, SelectItem, TableAlias, TableFactor, Visit, Visitor};
use super::super::super::modify::Writing;
use super::super::super::scope::{TableRef, folded, parts};
use super::{RemoteTable, refuse};
use crate::error::Result;

/// The names of a query.
#[derive(Default)]
pub(super) struct Survey {
    /// Tables that are called by their own name, and their schema as the client sees it.
    bare: HashMap<String, String>,
    /// Everything else that a table can be called: aliases and common table expressions.
    aliases: HashSet<String>,
    /// Columns of tables, and labels of outputs.
    columns: HashSet<String>,
    /// What tables are called of which not all columns may be seen.
    narrowed: HashSet<String>,
}

impl Survey {
    /// Looks at a query.
    ///
    /// # Errors
    /// `0A000` where two tables of one name and different schemas are told apart by their schema only.
    pub(super) fn of(query: &Query, relations: &[(TableRef, RemoteTable)]) -> Result<Survey> {
        Survey::default().with(query, relations)
    }

    /// Looks at a statement that writes.
    ///
    /// # Errors
    /// As [`Survey::of`].
    pub(super) fn of_writing(writing: &Writing, relations: &[(TableRef, RemoteTable)]) -> Result<Survey> {
        let mut survey = Survey::default();
        for (modify, (_, target)) in writing.writers().zip(relations) {
            if modify.alias.is_some() {
                survey.aliases.insert(modify.label());
            } else if !survey.calls_bare(modify.label(), &target.seen.0) {
                return Err(refuse("tables of one name in two schemas"));
            }
            survey.labels(&modify.returning);
        }
        for alias in writing.aliases() {
            survey.alias(Some(alias));
        }
        survey.with(writing, relations)
    }

    /// A table is called by its own name. `false`: so is one of another schema.
    fn calls_bare(&mut self, table: String, schema: &str) -> bool {
        *self.bare.entry(table).or_insert_with(|| schema.to_owned()) == *schema
    }

    fn alias(&mut self, alias: Option<&TableAlias>) {
        if let Some(alias) = alias {
            self.aliases.insert(folded(&alias.name));
            self.columns.extend(alias.columns.iter().map(|column| folded(&column.name)));
        }
    }

    fn labels(&mut self, items: &[SelectItem]) {
        let label = |item: &SelectItem| match item {
            SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
            _ => None,
        };
        self.columns.extend(items.iter().filter_map(label));
    }

    fn with<T: Visit>(self, tree: &T, relations: &[(TableRef, RemoteTable)]) -> Result<Survey> {
        let mut survey = self;
        let by_place: HashMap<u32, &RemoteTable> =
            relations.iter().map(|(table, remote)| (table.position, remote)).collect();
        for (_, remote) in relations {
            survey.columns.extend(remote.columns.iter().flatten().cloned());
        }
        let mut finder = Finder { survey, by_place, twice: false };
        let _ = tree.visit(&mut finder);
        if finder.twice { Err(refuse("tables of one name in two schemas")) } else { Ok(finder.survey) }
    }

    /// Whether `schema.table` as a qualifier can only mean the table that is called by its own name.
    pub(super) fn is_bare(&self, schema: &str, table: &str) -> bool {
        self.bare.get(table).is_some_and(|known| known == schema) && !self.aliases.contains(table)
    }

    /// Whether a table of which not all columns may be seen is called so.
    pub(super) fn is_narrowed(&self, name: &str) -> bool {
        self.narrowed.contains(name)
    }

    /// Whether some column or output has this name.
    pub(super) fn has_column(&self, name: &str) -> bool {
        self.columns.contains(name)
    }
}

struct Finder<'a> {
    survey: Survey,
    by_place: HashMap<u32, &'a RemoteTable>,
    twice: bool,
}

impl<'a> Finder<'a> {
    /// What stands for the relation of this name, if it is one.
    fn relation(&self, name: &ObjectName) -> Option<&'a RemoteTable> {
        let place = name.0.first().and_then(|part| part.as_ident()).and_then(|i| super::position(i.span))?;
        self.by_place.get(&place).copied()
    }
}

impl Visitor for Finder<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        query.with.iter().flat_map(|with| &with.cte_tables).for_each(|cte| self.survey.alias(Some(&cte.alias)));
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &super::super::super::ast::Select) -> ControlFlow<()> {
        self.survey.labels(&select.projection);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, alias, args: None, .. } = factor
            && self.relation(name).is_some_and(|remote| remote.columns.is_some())
        {
            let table = alias.as_ref().map(|alias| folded(&alias.name));
            self.survey.narrowed.insert(table.unwrap_or_else(|| parts(name).pop().unwrap_or_default()));
        }
        match factor {
            TableFactor::Table { name, alias: None, args: None, .. } => {
                let table = parts(name).pop().unwrap_or_default();
                match self.relation(name) {
                    Some(remote) => self.twice |= !self.survey.calls_bare(table, &remote.seen.0),
                    None => {
                        self.survey.aliases.insert(table);
                    }
                }
            }
            TableFactor::Table { alias, .. }
            | TableFactor::Derived { alias, .. }
            | TableFactor::Function { alias, .. }
            | TableFactor::UNNEST { alias, .. }
            | TableFactor::NestedJoin { alias, .. } => self.survey.alias(alias.as_ref()),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
