//! INSERT, UPDATE, DELETE and MERGE, by themselves or in WITH, printed from their own tree.
//! Must not know: expressions, queries, which columns of the target are hidden.

use super::super::super::allow::{plain_values, row};
use super::super::super::ast::Expr;
use super::super::super::marks;
use super::super::super::modify::is_default;
use super::super::super::modify::tree::{
    Action, Arbiter, Assignment, Body, Change, Conflict, Filter, Insert, Key, Merge, Modify, Overriding, Place, Step,
    Then, WithItem, Writing,
};
use super::super::super::scope::folded;
use super::expression::bare;
use super::target::narrowed;
use super::{Printer, RemoteTable, refuse};
use crate::error::Result;
use crate::names;

impl Printer<'_> {
    /// The whole statement.
    pub(super) fn writing(&mut self, writing: &Writing) -> Result<()> {
        if let Some(with) = &writing.with {
            self.with_of(with.recursive, &with.queries, |printer, item| match item {
                WithItem::Query(cte) => printer.cte_definition(cte),
                WithItem::Modify(writer) => {
                    printer.cte_head(&writer.alias, writer.materialized)?;
                    printer.put("(");
                    printer.modify(&writer.modify)?;
                    printer.put(")");
                    Ok(())
                }
            })?;
        }
        self.body = self.out.len();
        match &writing.body {
            Body::Query(query) => self.query(query),
            Body::Modify(modify) => self.modify(modify),
        }
    }

    /// What writes, where its target is what it is held against, and no other is.
    fn modify(&mut self, modify: &Modify) -> Result<()> {
        let written = modify.target();
        let found = self.targets.get(&written.position).copied().filter(|((table, _), _)| *table == written);
        let Some(((_, target), all)) = found else { return Err(refuse("this table")) };
        let around = std::mem::replace(&mut self.narrowed, narrowed(modify, target, all));
        let result = self.statement(modify, target);
        self.narrowed = around;
        result
    }

    fn statement(&mut self, modify: &Modify, target: &RemoteTable) -> Result<()> {
        if let Some(with) = &modify.with {
            self.with(with)?;
        }
        let place = modify.name.0.first().and_then(|part| part.as_ident()).and_then(|name| super::position(name.span));
        self.put(match &modify.action {
            Action::Insert(_) => "INSERT INTO ",
            Action::Update(_) => "UPDATE ",
            Action::Delete(_) => "DELETE FROM ",
            Action::Merge(_) => "MERGE INTO ",
        });
        self.put(if marks::only(&modify.name) { "ONLY " } else { "" });
        self.mark(place);
        self.name(&target.schema)?;
        self.put(".");
        self.name(&target.name)?;
        self.put(" AS ");
        self.name(&modify.label())?;
        match &modify.action {
            Action::Insert(insert) => self.insert(insert, place)?,
            Action::Update(update) => {
                self.seeing(|printer| printer.set(&update.assignments))?;
                self.beside(" FROM ", modify)?;
                self.seeing(|printer| printer.filter(update.filter.as_ref()))?;
            }
            Action::Delete(delete) => {
                self.beside(" USING ", modify)?;
                self.seeing(|printer| printer.filter(delete.filter.as_ref()))?;
            }
            Action::Merge(merge) => {
                self.beside(" USING ", modify)?;
                self.seeing(|printer| printer.merge(merge))?;
            }
        }
        if modify.returning.is_empty() {
            return Ok(());
        }
        self.put(" RETURNING ");
        self.seeing(|printer| {
            printer.separated(&modify.returning, ", ", |printer, item| printer.returned(item, modify.sources()))
        })
    }

    /// The relations beside the target, which do not see it.
    fn beside(&mut self, word: &str, modify: &Modify) -> Result<()> {
        if modify.sources().is_empty() {
            return Ok(());
        }
        self.put(word);
        self.separated(modify.sources(), ", ", Self::table_with_joins)
    }

    fn insert(&mut self, insert: &Insert, place: Option<u32>) -> Result<()> {
        self.columns(&insert.columns, insert.source.as_deref())?;
        self.overriding(insert.overriding);
        match &insert.source {
            None => self.put(" DEFAULT VALUES"),
            Some(query) => {
                self.put(" ");
                match plain_values(query) {
                    Some(rows) => {
                        self.put("VALUES ");
                        self.separated(&rows, ", ", |printer, row| printer.value_row(row))?;
                    }
                    None => self.query(query)?,
                }
            }
        }
        match &insert.conflict {
            Some(conflict) => {
                let place = place.and_then(|place| self.places.sequence(place, &["on", "conflict"]));
                self.seeing(|printer| printer.conflict(conflict, place))
            }
            None => Ok(()),
        }
    }

    fn value_row(&mut self, row: &[Expr]) -> Result<()> {
        self.put("(");
        self.separated(row, ", ", Self::value_or_default)?;
        self.put(")");
        Ok(())
    }

    fn value_or_default(&mut self, expr: &Expr) -> Result<()> {
        match bare(expr) {
            Expr::Identifier(ident) if is_default(ident) => {
                self.mark_span(ident.span);
                self.put("DEFAULT");
                Ok(())
            }
            expr => self.expr(expr),
        }
    }

    pub(super) fn place_list(&mut self, places: &[Place]) -> Result<()> {
        self.put("(");
        self.separated(places, ", ", Self::place)?;
        self.put(")");
        Ok(())
    }

    fn place(&mut self, place: &Place) -> Result<()> {
        self.writes_to(&place.column)?;
        self.ident(&place.column)?;
        place.path.iter().try_for_each(|step| match step {
            Step::Field(field) => {
                self.put(".");
                self.ident(field)
            }
            Step::Index(index) => {
                self.put("[");
                self.expr(index)?;
                self.put("]");
                Ok(())
            }
            Step::Slice(lower, upper) => {
                self.put("[");
                lower.iter().try_for_each(|bound| self.operand(bound))?;
                self.put(" : ");
                upper.iter().try_for_each(|bound| self.operand(bound))?;
                self.put("]");
                Ok(())
            }
        })
    }

    fn overriding(&mut self, overriding: Option<Overriding>) {
        self.put(match overriding {
            None => "",
            Some(Overriding::System) => " OVERRIDING SYSTEM VALUE",
            Some(Overriding::User) => " OVERRIDING USER VALUE",
        });
    }

    fn conflict(&mut self, conflict: &Conflict, place: Option<u32>) -> Result<()> {
        self.put(" ");
        self.mark(place);
        self.put("ON CONFLICT ");
        match &conflict.arbiter {
            None => {}
            Some(Arbiter::Constraint(constraint)) => {
                self.names_constraint()?;
                self.put("ON CONSTRAINT ");
                self.ident(constraint)?;
                self.put(" ");
            }
            Some(Arbiter::Index { keys, filter }) => {
                self.put("(");
                self.separated(keys, ", ", Self::key)?;
                self.put(")");
                self.clause(" WHERE ", filter.as_deref())?;
                self.put(" ");
            }
        }
        match &conflict.update {
            None => {
                self.put("DO NOTHING");
                Ok(())
            }
            Some(Change { assignments, filter }) => {
                self.put("DO UPDATE");
                self.set(assignments)?;
                self.clause(" WHERE ", filter.as_ref())
            }
        }
    }

    fn key(&mut self, key: &Key) -> Result<()> {
        let (expr, collation) = match bare(&key.expr) {
            Expr::Collate { expr, collation } => (bare(expr), Some(collation)),
            expr => (expr, None),
        };
        match expr {
            Expr::Identifier(_) => self.expr(expr)?,
            expr => {
                self.put("(");
                self.expr(expr)?;
                self.put(")");
            }
        }
        match collation {
            None => Ok(()),
            Some(collation) => {
                self.put(" COLLATE ");
                self.collation(collation)
            }
        }
    }

    fn set(&mut self, assignments: &[Assignment]) -> Result<()> {
        self.put(" SET ");
        self.separated(assignments, ", ", Self::assignment)
    }

    fn assignment(&mut self, assignment: &Assignment) -> Result<()> {
        if !assignment.many {
            self.separated(&assignment.places, ", ", Self::place)?;
            self.put(" = ");
            return self.value_or_default(&assignment.value);
        }
        self.place_list(&assignment.places)?;
        self.put(" = ");
        let first = assignment.places.first().and_then(|place| super::position(place.column.span));
        let equals = first.and_then(|first| self.places.first_from(first, &["="], 0));
        self.mark(equals.and_then(|equals| self.places.next(equals)));
        match row(assignment) {
            Some(fields) => {
                self.put("ROW(");
                self.separated(&fields, ", ", |printer, field| printer.value_or_default(field))?;
                self.put(")");
                Ok(())
            }
            None => self.expr(&assignment.value),
        }
    }

    fn filter(&mut self, filter: Option<&Filter>) -> Result<()> {
        match filter {
            None => Ok(()),
            Some(Filter::Where(condition)) => self.clause(" WHERE ", Some(condition)),
            Some(Filter::CurrentOf(cursor)) => {
                self.put(" WHERE CURRENT OF ");
                self.mark_span(cursor.span);
                self.cursors.push((self.out.len(), folded(cursor)));
                self.put(&names::cursor(0));
                Ok(())
            }
        }
    }

    fn merge(&mut self, merge: &Merge) -> Result<()> {
        self.put(" ON ");
        self.operand(&merge.on)?;
        for when in &merge.whens {
            if when.by.is_some() {
                return Err(refuse("this form of MERGE"));
            }
            self.put(if when.matched { " WHEN MATCHED" } else { " WHEN NOT MATCHED" });
            if let Some(condition) = &when.condition {
                self.put(" AND ");
                self.operand(condition)?;
            }
            self.put(" THEN ");
            self.then(&when.then)?;
        }
        Ok(())
    }

    fn then(&mut self, then: &Then) -> Result<()> {
        match then {
            Then::Nothing => self.put("DO NOTHING"),
            Then::Delete => self.put("DELETE"),
            Then::Update(assignments) => {
                self.put("UPDATE");
                self.set(assignments)?;
            }
            Then::Insert { columns, overriding, values } => {
                self.put("INSERT");
                let first: Option<&[Expr]> = values.as_deref();
                self.listed(columns, first)?;
                self.overriding(*overriding);
                match values {
                    None => self.put(" DEFAULT VALUES"),
                    Some(row) => {
                        self.put(" VALUES ");
                        self.value_row(row)?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
