//! What a query names: relations, functions, parameters.
//! Must not know: which of the names exist, who may use them.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, Ident, ObjectName, ObjectNamePart, Query, TableFactor, Value, ValueWithSpan, Visit, Visitor, With,
};

use super::marks;
use super::modify::tree::{Body, WithItem};
use super::modify::{Modify, Writing};
use super::position;
use super::statement::{CopyWhat, Maintenance, MaintenanceTarget, Statement, StatementKind};

/// A relation in FROM that is no common table expression. Names are folded as PostgreSQL folds them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableRef {
    /// The database, if written.
    pub catalog: Option<String>,
    /// The schema, if written.
    pub schema: Option<String>,
    /// The table.
    pub table: String,
    /// Where it stands: characters of the message, from 1.
    pub position: u32,
}

/// A function that is called, as PostgreSQL names it (`EXTRACT` is `extract`, `AT TIME ZONE` is `timezone`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FunctionRef {
    /// The schema, if written.
    pub schema: Option<String>,
    /// The function.
    pub name: String,
    /// Where it stands: characters of the message, from 1; 0 if unknown.
    pub position: u32,
}

/// What a query names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Relations, in the order of the text, each mention.
    pub relations: Vec<TableRef>,
    /// Functions, in the order of the text, each mention.
    pub functions: Vec<FunctionRef>,
    /// The highest `$n`.
    pub parameters: u16,
    /// It casts to a type whose values are names of objects (`regclass`), so that any relation may be looked up.
    pub names_objects: bool,
}

impl Scope {
    /// What a query names, sub-queries included; what its WITH clauses define is left out where it is visible.
    #[must_use]
    pub fn of(query: &Query) -> Scope {
        let mut finder = Finder { scope: Scope::default(), frames: Vec::new() };
        let _ = query.visit(&mut finder);
        finder.scope
    }

    /// What a statement that writes names: the targets first, as many and in the order of [`Writing::writers`], then as [`Scope::of`].
    #[must_use]
    pub fn of_writing(writing: &Writing) -> Scope {
        let scope = Scope { relations: writing.writers().map(Modify::target).collect(), ..Scope::default() };
        let mut finder = Finder { scope, frames: Vec::new() };
        let _ = finder.writing(writing);
        finder.scope
    }

    /// What a lone expression names.
    #[must_use]
    pub fn of_expression(expression: &Expr) -> Scope {
        let mut finder = Finder { scope: Scope::default(), frames: Vec::new() };
        let _ = expression.visit(&mut finder);
        finder.scope
    }

    /// What a statement names: its query, or that of what it holds (EXPLAIN, PREPARE, DECLARE, COPY) and its arguments.
    #[must_use]
    pub fn of_statement(statement: &Statement) -> Scope {
        let mut scope = match &statement.kind {
            StatementKind::Query(query) => Scope::of(query),
            StatementKind::Modify(writing) => Scope::of_writing(writing),
            StatementKind::Explain { statement, .. } | StatementKind::Prepare { statement, .. } => {
                Scope::of_statement(statement)
            }
            StatementKind::DeclareCursor(declare) => Scope::of_statement(&declare.statement),
            StatementKind::Copy(copy) => match &copy.what {
                CopyWhat::Query(statement) => Scope::of_statement(statement),
                CopyWhat::Table { table, .. } => Scope { relations: vec![table.clone()], ..Scope::default() },
            },
            StatementKind::Execute { arguments, .. } => {
                let mut all = Scope::default();
                for scope in arguments.iter().map(Scope::of_expression) {
                    all.relations.extend(scope.relations);
                    all.functions.extend(scope.functions);
                }
                all
            }
            StatementKind::Lock { tables, .. } => Scope { relations: tables.clone(), ..Scope::default() },
            StatementKind::Maintain(Maintenance { target: MaintenanceTarget::Tables(tables), .. }) => {
                Scope { relations: tables.clone(), ..Scope::default() }
            }
            _ => Scope::default(),
        };
        scope.parameters = scope.parameters.max(statement.parameter_count());
        scope
    }
}

/// A WITH clause around the place that is visited.
struct Frame {
    /// The query it belongs to; null: none, and it stays until it is taken away.
    query: *const Query,
    recursive: bool,
    /// Names and queries, in order; null: one that writes.
    ctes: Vec<(String, *const Query)>,
    /// So many of them are visible.
    visible: usize,
}

impl Frame {
    fn of(with: &With, query: *const Query) -> Frame {
        let ctes = with.cte_tables.iter().map(|cte| (folded(&cte.alias.name), &raw const *cte.query)).collect();
        Frame { query, recursive: with.recursive, ctes, visible: 0 }
    }

    /// From the query with this number on, so many can be seen: in it those before it, or with RECURSIVE all.
    fn seen(&mut self, from: usize) {
        self.visible = if self.recursive { self.ctes.len() } else { from };
    }
}

struct Finder {
    scope: Scope,
    frames: Vec<Frame>,
}

/// An identifier as PostgreSQL folds it.
pub(super) fn folded(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_ascii_lowercase() }
}

/// The parts of a name, folded.
pub(super) fn parts(name: &ObjectName) -> Vec<String> {
    name.0.iter().filter_map(ObjectNamePart::as_ident).map(folded).collect()
}

/// `current_role` and `current_schema` are calls without parentheses.
pub(super) fn is_call(ident: &Ident) -> bool {
    ident.quote_style.is_none() && matches!(ident.value.as_str(), "current_role" | "current_schema")
}

fn position_of(name: &ObjectName) -> u32 {
    name.0.first().and_then(ObjectNamePart::as_ident).and_then(|ident| position(ident.span)).unwrap_or(0)
}

impl Finder {
    fn is_cte(&self, name: &str) -> bool {
        self.frames.iter().rev().any(|frame| frame.ctes.iter().take(frame.visible).any(|(cte, _)| cte == name))
    }

    /// A whole statement. The names of its WITH stay to the end.
    fn writing(&mut self, writing: &Writing) -> ControlFlow<()> {
        if let Some(with) = &writing.with {
            let query = |item: &WithItem| match item {
                WithItem::Query(cte) => &raw const *cte.query,
                WithItem::Modify(_) => std::ptr::null(),
            };
            let ctes = with.queries.iter().map(|item| (folded(&item.alias().name), query(item))).collect();
            self.frames.push(Frame { query: std::ptr::null(), recursive: with.recursive, ctes, visible: 0 });
        }
        for (index, item) in writing.queries().iter().enumerate() {
            match item {
                WithItem::Query(cte) => cte.visit(self)?,
                WithItem::Modify(writer) => {
                    self.frames.iter_mut().for_each(|frame| frame.seen(index));
                    self.modify(&writer.modify)?;
                    self.frames.iter_mut().for_each(|frame| frame.seen(index + 1));
                }
            }
        }
        match &writing.body {
            Body::Query(query) => query.visit(self),
            Body::Modify(modify) => self.modify(modify),
        }
    }

    fn modify(&mut self, modify: &Modify) -> ControlFlow<()> {
        let around = self.frames.len();
        if let Some(with) = &modify.with {
            self.frames.push(Frame::of(with, std::ptr::null()));
            with.visit(self)?;
        }
        modify.visit_body(self)?;
        self.frames.truncate(around);
        ControlFlow::Continue(())
    }

    fn relation(&mut self, name: &ObjectName) {
        let mut parts = parts(name);
        let position = position_of(name);
        let Some(table) = parts.pop() else { return };
        let schema = parts.pop();
        let catalog = parts.pop();
        if schema.is_none() && self.is_cte(&table) {
            return;
        }
        self.scope.relations.push(TableRef { catalog, schema, table, position });
    }

    fn function(&mut self, name: &ObjectName) {
        if marks::rows_from(name) {
            return;
        }
        let mut parts = parts(name);
        let position = position_of(name);
        let Some(name) = parts.pop() else { return };
        self.scope.functions.push(FunctionRef { schema: parts.pop(), name, position });
    }

    fn special(&mut self, name: &str, expr: &Expr) {
        use datafusion::sql::sqlparser::ast::Spanned;
        let position = position(expr.span()).unwrap_or(0);
        self.scope.functions.push(FunctionRef { schema: None, name: name.to_owned(), position });
    }
}

impl Visitor for Finder {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        // The query of a common table expression sees those before it; with RECURSIVE all, itself too.
        if let Some(frame) = self.frames.last_mut()
            && let Some(index) = frame.ctes.iter().position(|(_, cte)| std::ptr::eq(*cte, query))
        {
            frame.seen(index);
        }
        if let Some(with) = &query.with {
            self.frames.push(Frame::of(with, query));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if self.frames.last().is_some_and(|frame| std::ptr::eq(frame.query, query)) {
            self.frames.pop();
        }
        if let Some(frame) = self.frames.last_mut()
            && let Some(index) = frame.ctes.iter().position(|(_, cte)| std::ptr::eq(*cte, query))
        {
            frame.seen(index + 1);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { name, args: None, .. } => self.relation(name),
            TableFactor::Table { name, .. } | TableFactor::Function { name, .. } => self.function(name),
            TableFactor::UNNEST { .. } => {
                self.scope.functions.push(FunctionRef { schema: None, name: "unnest".to_owned(), position: 0 });
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(Function { name, .. }) => self.function(name),
            Expr::Extract { .. } => self.special("extract", expr),
            Expr::Position { .. } => self.special("position", expr),
            Expr::Substring { .. } => self.special("substring", expr),
            Expr::Overlay { .. } => self.special("overlay", expr),
            Expr::Ceil { .. } => self.special("ceil", expr),
            Expr::Floor { .. } => self.special("floor", expr),
            Expr::AtTimeZone { .. } => self.special("timezone", expr),
            Expr::IsNormalized { .. } => self.special("is_normalized", expr),
            Expr::Cast { data_type, .. } => {
                self.scope.names_objects |= data_type.to_string().to_lowercase().contains("reg")
            }
            Expr::TypedString(typed) => {
                self.scope.names_objects |= typed.data_type.to_string().to_lowercase().contains("reg");
            }
            Expr::Identifier(ident) if is_call(ident) => {
                self.function(&ObjectName::from(vec![ident.clone()]));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<()> {
        if let Value::Placeholder(name) = &value.value
            && let Some(number) = name.strip_prefix('$').and_then(|digits| digits.parse::<u16>().ok())
        {
            self.scope.parameters = self.scope.parameters.max(number);
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests;
