//! Where a column stands that GROUP BY does not name: looked for only when there is one.
//! Must not know: how groups are made.

use std::ops::ControlFlow;

use crate::sql::ast::{Expr as Ast, OrderByExpr, Select, SelectItem, Visit, Visitor};
use datafusion::common::Column;
use datafusion::logical_expr::Expr;

use super::super::coerce::AtPosition;
use super::super::pg;
use super::Binder;
use super::from::parts;
use crate::error::{Error, SqlState};

/// A column that is not grouped, and what is.
#[derive(Debug, Clone)]
pub(super) struct Ungrouped {
    pub(super) column: Column,
    pub(super) keys: Vec<Expr>,
}

impl Binder<'_> {
    /// The error at the place of the ungrouped column: PostgreSQL looks through the select list first, then HAVING.
    pub(super) fn at_ungrouped(&mut self, error: Error, select: &Select, order: &[OrderByExpr]) -> Error {
        let Some(wrong) = self.ungrouped.take() else { return error };
        if error.state() != SqlState::GROUPING_ERROR || error.position().is_some() {
            return error;
        }
        let place = self.place_of(&wrong, select, order);
        error.with_position_if(place)
    }

    fn place_of(&mut self, wrong: &Ungrouped, select: &Select, order: &[OrderByExpr]) -> Option<u32> {
        for item in &select.projection {
            let found = match item {
                SelectItem::UnnamedExpr(ast) | SelectItem::ExprWithAlias { expr: ast, .. } => self.place_in(wrong, ast),
                SelectItem::Wildcard(_) => self.position(item).filter(|_| self.starred(wrong, None)),
                SelectItem::QualifiedWildcard(kind, _) => {
                    let name = kind.to_string();
                    self.position(item).filter(|_| self.starred(wrong, Some(name.trim_end_matches(".*"))))
                }
                _ => None,
            };
            if found.is_some() {
                return found;
            }
        }
        let sorts = order.iter().map(|item| &item.expr);
        sorts.chain(&select.having).find_map(|ast| self.place_in(wrong, ast))
    }

    /// Whether a star in the select list stands for the column.
    fn starred(&self, wrong: &Ungrouped, table: Option<&str>) -> bool {
        let Ok(scope) = self.scope() else { return false };
        let wanted = Expr::Column(wrong.column.clone());
        let named = |known: &str| table.is_none_or(|table| table.trim_matches('"').eq_ignore_ascii_case(known));
        scope
            .tables
            .iter()
            .filter(|known| named(&known.name))
            .any(|known| known.columns.iter().any(|column| column.value.expr == wanted))
    }

    fn place_in(&mut self, wrong: &Ungrouped, ast: &Ast) -> Option<u32> {
        let mut finder = Finder { binder: self, wrong, passed: 0 };
        match ast.visit(&mut finder) {
            ControlFlow::Break(place) => place,
            ControlFlow::Continue(()) => None,
        }
    }
}

/// Looks for the column outside of aggregates and of what is grouped.
struct Finder<'f, 'b, 'a> {
    binder: &'f mut Binder<'b>,
    wrong: &'a Ungrouped,
    /// How deep it is inside of an expression that is passed over.
    passed: usize,
}

impl Visitor for Finder<'_, '_, '_> {
    type Break = Option<u32>;

    fn pre_visit_expr(&mut self, ast: &Ast) -> ControlFlow<Option<u32>> {
        if self.passed > 0 || is_aggregate(ast) {
            self.passed += 1;
            return ControlFlow::Continue(());
        }
        let Ok(bound) = self.binder.expr(ast) else { return ControlFlow::Continue(()) };
        if self.wrong.keys.contains(&bound.expr) {
            self.passed += 1;
        } else if bound.expr == Expr::Column(self.wrong.column.clone()) {
            return ControlFlow::Break(bound.position);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _ast: &Ast) -> ControlFlow<Option<u32>> {
        self.passed = self.passed.saturating_sub(1);
        ControlFlow::Continue(())
    }
}

fn is_aggregate(ast: &Ast) -> bool {
    let Ast::Function(function) = ast else { return matches!(ast, Ast::Subquery(_) | Ast::Exists { .. }) };
    let name = parts(&function.name).ok().and_then(|mut names| names.pop()).unwrap_or_default();
    function.over.is_none() && pg::functions(&name).iter().any(|function| function.kind == b'a')
}
