//! Operators that sqlparser binds wrongly are parsed as custom ones and put right afterwards.
//! Must not know: statements.
//!
//! `a IS DISTINCT FROM b AND c`: sqlparser takes `b AND c` for the right side. `a::text COLLATE "C"`: it knows COLLATE
//! behind a plain operand only. As a custom operator each gets the precedence that PostgreSQL gives it. The marks hold
//! letters, so no operator that anyone writes is one.
//!
//! `ONLY t`: sqlparser's trees have no place for it, so the name of the table carries it, in the end of its span. So do the names behind
//! the OF of a lock: see [`super::locks`]; and what stands for the two words of `ROWS FROM (f(), g())`, as if that were a function;
//! and what stands for SEARCH and CYCLE.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, Expr, Ident, ObjectName, ObjectNamePart, Select, SelectItem,
    SelectItemQualifiedWildcardKind, Spanned, Value, VisitMut, VisitorMut, WildcardAdditionalOptions,
};

use datafusion::sql::sqlparser::tokenizer::Span;

use super::position;

/// `COLLATE`.
pub(super) const COLLATE: &str = "collate";
/// `IS DISTINCT FROM`.
pub(super) const DISTINCT: &str = "is distinct from";
/// `IS NOT DISTINCT FROM`.
pub(super) const NOT_DISTINCT: &str = "is not distinct from";

/// The `*` of `(record).*`, which sqlparser knows behind names only: it comes as the name of a field. No name holds this character.
pub(super) const STAR: &str = "\0*";

/// Every span has line 1; that of a name behind ONLY ends in this one.
const ONLY_LINE: u64 = 2;

/// That of a name that is the strength of a lock.
const STRENGTH_LINE: u64 = 3;
/// That of a further name in the list of a lock.
const ANOTHER_LINE: u64 = 4;

/// That of what stands for `ROWS FROM`.
const ROWS_LINE: u64 = 5;

/// What stands for the words `ROWS FROM`, as a name.
pub(super) const ROWS_FROM: &str = "rows from";

/// Marks what is at this span as the words `ROWS FROM`.
pub(super) fn set_rows_from(span: &mut Span) {
    span.end.line = ROWS_LINE;
}

/// Whether this is no name, but stands for `ROWS FROM`.
pub(super) fn rows_from(name: &ObjectName) -> bool {
    name.0.first().and_then(ObjectNamePart::as_ident).is_some_and(|ident| ident.span.end.line == ROWS_LINE)
}

/// That of what stands for the clauses behind a query of WITH.
const CLAUSES_LINE: u64 = 6;

/// What stands for the clauses behind a query of WITH, as a name: see [`super::cycle`].
pub(super) const CLAUSES: &str = "search or cycle";

/// Marks what is at this span as the clauses behind a query of WITH.
pub(super) fn set_clauses(span: &mut Span) {
    span.end.line = CLAUSES_LINE;
}

/// Whether at this span there is no name, but the clauses behind a query of WITH.
pub(super) fn are_clauses(span: Span) -> bool {
    span.end.line == CLAUSES_LINE
}

/// That of VARIADIC before an argument, as if it were the argument's name.
const VARIADIC_LINE: u64 = 7;
/// That of what a frame leaves out, as if that were the last key of the window's order.
const EXCLUSION_LINE: u64 = 8;

/// What stands for VARIADIC, as a name.
pub(super) const VARIADIC: &str = "variadic";

/// Marks what is at this span as VARIADIC.
pub(super) fn set_variadic(span: &mut Span) {
    span.end.line = VARIADIC_LINE;
}

/// Whether this is VARIADIC, and no argument's name.
pub(super) fn is_variadic(ident: &Ident) -> bool {
    ident.span.end.line == VARIADIC_LINE
}

/// Marks what is at this span as what a frame leaves out.
pub(super) fn set_exclusion(span: &mut Span) {
    span.end.line = EXCLUSION_LINE;
}

/// What a frame leaves out, if this stands for that.
pub(super) fn exclusion(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(ident) if ident.span.end.line == EXCLUSION_LINE => Some(ident),
        _ => None,
    }
}

/// Marks the name at this span as the strength of a lock.
pub(super) fn set_strength(span: &mut Span) {
    span.end.line = STRENGTH_LINE;
}

/// Whether this is the strength of a lock.
pub(super) fn is_strength(ident: &Ident) -> bool {
    ident.span.end.line == STRENGTH_LINE
}

/// Marks the name at this span as a further one in the list of a lock.
pub(super) fn set_another(span: &mut Span) {
    span.end.line = ANOTHER_LINE;
}

/// Whether this is a further name in the list of a lock.
pub(super) fn is_another(ident: &Ident) -> bool {
    ident.span.end.line == ANOTHER_LINE
}

/// Marks the name at this span as one behind ONLY.
pub(super) fn set_only(span: &mut Span) {
    span.end.line = ONLY_LINE;
}

/// Whether this is a name behind ONLY.
pub(super) fn is_only(ident: &Ident) -> bool {
    ident.span.end.line == ONLY_LINE
}

/// Whether ONLY stands before this table: its children are not meant.
pub(super) fn only(table: &ObjectName) -> bool {
    table.0.first().and_then(ObjectNamePart::as_ident).is_some_and(is_only)
}

/// Puts the marked operators of a tree right. `Err` has the position of what is no collation.
pub(super) fn resolve<T: VisitMut>(tree: &mut T) -> Result<(), u32> {
    match tree.visit(&mut Resolver) {
        ControlFlow::Break(position) => Err(position),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Resolver;

impl VisitorMut for Resolver {
    type Break = u32;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<u32> {
        select.projection.iter_mut().for_each(starred);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<u32> {
        if let Expr::CompoundFieldAccess { access_chain, .. } = expr
            && let Some(star) = access_chain.iter().find_map(star)
        {
            // All fields of a record are no value.
            return ControlFlow::Break(position(star.span).unwrap_or(1));
        }
        let Expr::BinaryOp { left, op: BinaryOperator::Custom(mark), right } = expr else {
            return ControlFlow::Continue(());
        };
        let resolved = match mark.as_str() {
            DISTINCT => Expr::IsDistinctFrom(take(left), take(right)),
            NOT_DISTINCT => Expr::IsNotDistinctFrom(take(left), take(right)),
            COLLATE => match collation(right) {
                Some(collation) => Expr::Collate { expr: take(left), collation },
                None => return ControlFlow::Break(position(right.span()).unwrap_or(1)),
            },
            _ => return ControlFlow::Continue(()),
        };
        *expr = resolved;
        ControlFlow::Continue(())
    }
}

/// The mark, if it stands here.
fn star(access: &AccessExpr) -> Option<&Ident> {
    match access {
        AccessExpr::Dot(Expr::Identifier(ident)) if ident.value == STAR => Some(ident),
        _ => None,
    }
}

/// `(record).*` where a select list may have it.
fn starred(item: &mut SelectItem) {
    let SelectItem::UnnamedExpr(Expr::CompoundFieldAccess { root, access_chain }) = item else { return };
    if access_chain.last().and_then(star).is_none() {
        return;
    }
    access_chain.pop();
    let root = take(root);
    let record = match std::mem::take(access_chain) {
        chain if chain.is_empty() => *root,
        access_chain => Expr::CompoundFieldAccess { root, access_chain },
    };
    let kind = SelectItemQualifiedWildcardKind::Expr(record);
    *item = SelectItem::QualifiedWildcard(kind, WildcardAdditionalOptions::default());
}

fn take(expr: &mut Expr) -> Box<Expr> {
    Box::new(std::mem::replace(expr, Expr::Value(Value::Null.into())))
}

fn collation(expr: &Expr) -> Option<ObjectName> {
    let idents: Vec<Ident> = match expr {
        Expr::Identifier(ident) => vec![ident.clone()],
        Expr::CompoundIdentifier(idents) => idents.clone(),
        _ => return None,
    };
    Some(ObjectName::from(idents))
}
