//! Where in a statement stands what has no span of its own: operators, keywords, casts. Asked for by errors.
//! Must not know: what the operators mean.

use crate::sql::ast::{CastKind, DataType as AstType, Expr as Ast, Query, UnaryOperator};

use super::super::coerce::AtPosition;
use super::Binder;
use crate::error::{Error, SqlState};

impl Binder<'_> {
    /// The place of a binary operator: the nearest one before its right operand that is no sign of that operand.
    pub(super) fn operator_place(&self, name: &str, right: &Ast) -> Option<u32> {
        let written: &[&str] = if name == "<>" { &["<>", "!="] } else { &[name] };
        let signs = leading(right, |ast| matches!(ast, Ast::UnaryOp { op, .. } if written.contains(&sign(*op))));
        self.places.last_before(self.position(right)?, written, signs)
    }

    /// The place of a sign or a NOT, by its operand.
    pub(super) fn sign_place(&self, op: UnaryOperator, operand: &Ast) -> Option<u32> {
        let written = sign(op);
        let signs = leading(operand, |ast| matches!(ast, Ast::UnaryOp { op, .. } if sign(*op) == written));
        self.places.last_before(self.position(operand)?, &[written], signs)
    }

    /// The place of a keyword by the operand behind it; of the NOT before it, if there is one.
    pub(super) fn keyword_place(&self, word: &str, behind: Option<u32>) -> Option<u32> {
        let at = self.places.last_before(behind?, &[word], 0)?;
        Some(self.places.before_is(at, "not").unwrap_or(at))
    }

    /// The place of a cast: of its `::`, or of its `CAST`.
    pub(super) fn cast_place(&self, operand: &Ast, kind: &CastKind) -> Option<u32> {
        let start = self.position(operand)?;
        if *kind == CastKind::DoubleColon {
            return self.places.first_from(start, &["::"], casts(operand));
        }
        let inner = leading(operand, |ast| matches!(ast, Ast::Cast { kind: CastKind::Cast, .. }));
        self.places.last_before(start, &["cast"], inner)
    }

    /// The place of the type of a cast.
    pub(super) fn type_place(&self, operand: &Ast, kind: &CastKind, to: &AstType) -> Option<u32> {
        if let AstType::Custom(name, _) = to
            && let Some(named) = self.position(name)
        {
            return Some(named);
        }
        let cast = self.cast_place(operand, kind)?;
        match kind {
            CastKind::DoubleColon => self.places.next(cast),
            _ => self.places.next(self.places.first_from(cast, &["as"], 0)?),
        }
    }

    /// The place of the parenthesis around a subquery.
    pub(super) fn parenthesis(&self, query: &Query) -> Option<u32> {
        self.places.last_before(self.position(query)?, &["("], 0)
    }

    /// An error of resolving an operator or a function, at a place, if it has none.
    pub(super) fn placed(&self, error: Error, place: impl FnOnce(&Self) -> Option<u32>) -> Error {
        let resolving = [SqlState::UNDEFINED_FUNCTION, SqlState::AMBIGUOUS_FUNCTION, SqlState::FEATURE_NOT_SUPPORTED];
        if error.position().is_some() || !resolving.contains(&error.state()) {
            return error;
        }
        error.with_position_if(place(self))
    }
}

fn sign(op: UnaryOperator) -> &'static str {
    match op {
        UnaryOperator::Plus => "+",
        UnaryOperator::Minus => "-",
        UnaryOperator::Not => "not",
        UnaryOperator::BitwiseNot => "~",
        UnaryOperator::PGAbs => "@",
        UnaryOperator::PGSquareRoot => "|/",
        UnaryOperator::PGCubeRoot => "||/",
        _ => "",
    }
}

/// How many nodes fit on the way to the first operand of an expression.
fn leading(ast: &Ast, fits: impl Fn(&Ast) -> bool) -> usize {
    let mut count = 0;
    let mut next = Some(ast);
    while let Some(this) = next {
        count += usize::from(fits(this));
        next = first_operand(this);
    }
    count
}

/// The operand that an expression begins with, operators and keywords before it aside.
fn first_operand(ast: &Ast) -> Option<&Ast> {
    match ast {
        Ast::Nested(inner)
        | Ast::UnaryOp { expr: inner, .. }
        | Ast::BinaryOp { left: inner, .. }
        | Ast::Cast { expr: inner, .. }
        | Ast::Collate { expr: inner, .. }
        | Ast::AtTimeZone { timestamp: inner, .. }
        | Ast::CompoundFieldAccess { root: inner, .. }
        | Ast::AnyOp { left: inner, .. }
        | Ast::AllOp { left: inner, .. }
        | Ast::IsNull(inner)
        | Ast::IsNotNull(inner)
        | Ast::IsTrue(inner)
        | Ast::IsNotTrue(inner)
        | Ast::IsFalse(inner)
        | Ast::IsNotFalse(inner)
        | Ast::IsUnknown(inner)
        | Ast::IsNotUnknown(inner)
        | Ast::IsDistinctFrom(inner, _)
        | Ast::IsNotDistinctFrom(inner, _)
        | Ast::Between { expr: inner, .. }
        | Ast::InList { expr: inner, .. }
        | Ast::InSubquery { expr: inner, .. }
        | Ast::Like { expr: inner, .. }
        | Ast::ILike { expr: inner, .. } => Some(inner),
        Ast::Tuple(items) => items.first(),
        _ => None,
    }
}

/// How many `::` are written in an expression.
fn casts(ast: &Ast) -> usize {
    use crate::sql::ast::visit_expressions;
    use std::ops::ControlFlow;
    let mut count = 0;
    let _ = visit_expressions(ast, |node| {
        count += usize::from(matches!(node, Ast::Cast { kind: CastKind::DoubleColon, .. }));
        ControlFlow::<()>::Continue(())
    });
    count
}
