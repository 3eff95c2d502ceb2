//! Predicates with syntax of their own: IS, BETWEEN, IN, LIKE.
//! Must not know: how a comparison is computed.

use crate::sql::ast::{Expr as Ast, Value, ValueWithSpan};
use arrow::datatypes::DataType;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::InSubquery;

use super::super::coerce::{can_coerce, category, common_type};
use super::super::ops::implement;
use super::super::own;
use super::super::pg::CastContext;
use super::super::sets::all_fields;
use super::super::value::{Bound, Unknown};
use super::{Binder, refuse};
use crate::error::{Result, SqlState};
use crate::types::PgType;

impl Binder<'_> {
    /// Binds a predicate.
    pub(super) fn predicate(&mut self, ast: &Ast) -> Result<Bound> {
        let truth = |expr: Expr| Ok(Bound::new(expr, PgType::BOOL));
        match ast {
            Ast::IsNull(inner) => truth(self.tested(inner, true)?),
            Ast::IsNotNull(inner) => truth(self.tested(inner, false)?),
            Ast::IsTrue(inner) => truth(Expr::IsTrue(Box::new(self.truth(inner, "IS TRUE")?))),
            Ast::IsNotTrue(inner) => truth(Expr::IsNotTrue(Box::new(self.truth(inner, "IS NOT TRUE")?))),
            Ast::IsFalse(inner) => truth(Expr::IsFalse(Box::new(self.truth(inner, "IS FALSE")?))),
            Ast::IsNotFalse(inner) => truth(Expr::IsNotFalse(Box::new(self.truth(inner, "IS NOT FALSE")?))),
            Ast::IsUnknown(inner) => truth(Expr::IsUnknown(Box::new(self.truth(inner, "IS UNKNOWN")?))),
            Ast::IsNotUnknown(inner) => truth(Expr::IsNotUnknown(Box::new(self.truth(inner, "IS NOT UNKNOWN")?))),
            Ast::IsDistinctFrom(l, r) => self.distinct_from(l, r, true),
            Ast::IsNotDistinctFrom(l, r) => self.distinct_from(l, r, false),
            Ast::Between { expr, negated, low, high } => self.between(expr, low, high, *negated),
            Ast::InList { expr, list, negated } => self.in_list(expr, list, *negated),
            Ast::Like { negated, any: false, expr, pattern, escape_char } => {
                self.like(if *negated { "!~~" } else { "~~" }, expr, pattern, escape_char.as_ref())
            }
            Ast::ILike { negated, any: false, expr, pattern, escape_char } => {
                self.like(if *negated { "!~~*" } else { "~~*" }, expr, pattern, escape_char.as_ref())
            }
            Ast::SimilarTo { negated, expr, pattern, escape_char } => {
                self.similar(expr, pattern, escape_char.as_ref(), *negated)
            }
            Ast::Tuple(fields) => self.row(fields.iter()),
            Ast::CompoundFieldAccess { root, access_chain } => self.subscript(root, access_chain),
            _ => refuse("this form of expression"),
        }
    }

    /// IS NULL and IS NOT NULL. Of a record they ask of all its fields, so that it can be neither.
    fn tested(&mut self, ast: &Ast, null: bool) -> Result<Expr> {
        let bound = self.expr(ast)?;
        let value = self.typing.untyped(bound)?;
        Ok(match value.arrow {
            DataType::Struct(_) => all_fields(value.expr, null),
            _ if own::is_composite(value.pg) => own::all_fields(value.expr, null),
            _ if null => Expr::IsNull(Box::new(value.expr)),
            _ => Expr::IsNotNull(Box::new(value.expr)),
        })
    }

    fn truth(&mut self, ast: &Ast, what: &str) -> Result<Expr> {
        let bound = self.expr(ast)?;
        Ok(self.boolean(bound, what)?.expr)
    }

    fn distinct_from(&mut self, left: &Ast, right: &Ast, distinct: bool) -> Result<Bound> {
        // A side that is written NULL makes it a test of the other as a whole: of a record too.
        let tested = if is_null(right) { Some(left) } else { is_null(left).then_some(right) };
        if let Some(tested) = tested {
            let value = self.expr(tested)?;
            let value = Box::new(self.typing.untyped(value)?.expr);
            return Ok(Bound::new(if distinct { Expr::IsNotNull(value) } else { Expr::IsNull(value) }, PgType::BOOL));
        }
        let (l, r) = (self.expr(left)?, self.expr(right)?);
        // Both sides NULL, or one of them, decides before the operator does.
        let equal = self
            .operator("=", l.clone(), r.clone())
            .map_err(|error| self.placed(error, |b| b.keyword_place("is", b.position(right))))?
            .expr;
        let (l, r) = (self.typing.settle(l)?.expr, self.typing.settle(r)?.expr);
        let same = (Expr::IsNull(Box::new(l)).and(Expr::IsNull(Box::new(r)))).or(Expr::IsTrue(Box::new(equal)));
        Ok(Bound::new(if distinct { !same } else { same }, PgType::BOOL))
    }

    fn between(&mut self, value: &Ast, low: &Ast, high: &Ast, negated: bool) -> Result<Bound> {
        let value = self.expr(value)?;
        let place = self.position(low);
        let place = move |binder: &Self| binder.keyword_place("between", place);
        let (low, high) = (self.expr(low)?, self.expr(high)?);
        let (above, below) = if negated { ("<", ">") } else { (">=", "<=") };
        let above = self.operator(above, value.clone(), low).map_err(|error| self.placed(error, place))?.expr;
        let below = self.operator(below, value, high).map_err(|error| self.placed(error, place))?.expr;
        Ok(Bound::new(if negated { above.or(below) } else { above.and(below) }, PgType::BOOL))
    }

    /// IN: one common type for the list if there is one, else a chain of comparisons.
    fn in_list(&mut self, value: &Ast, list: &[Ast], negated: bool) -> Result<Bound> {
        if let Some(row) = super::expr::written_row(value) {
            return self.row_in_list(&row, list, negated);
        }
        let value = self.expr(value)?;
        let items = list.iter().map(|item| self.expr(item)).collect::<Result<Vec<_>>>()?;
        let items = self.of_one_type(&value, items);
        let first = list.first().and_then(|item| self.position(item));
        let place = move |binder: &Self| binder.keyword_place("in", first);
        let joined = self.joined_list(&value, &items, negated).map_err(|error| match negated {
            // The chain below names the operator that PostgreSQL looks for.
            true => error,
            false => self.placed(error, place),
        });
        let joined = match joined {
            Err(error) if error.state() == SqlState::UNDEFINED_FUNCTION => None,
            other => other?,
        };
        if let Some(joined) = joined {
            return Ok(joined);
        }
        let name = if negated { "<>" } else { "=" };
        let mut result: Option<Expr> = None;
        for item in items {
            let compared = self.operator(name, value.clone(), item).map_err(|error| self.placed(error, place))?.expr;
            result = Some(match result {
                None => compared,
                Some(before) if negated => before.and(compared),
                Some(before) => before.or(compared),
            });
        }
        match result {
            Some(expr) => Ok(Bound::new(expr, PgType::BOOL)),
            None => refuse("an empty IN list"),
        }
    }

    /// The items of a list as PostgreSQL compares them: several that read no column are of one type, if there is one for them and the value.
    fn of_one_type(&mut self, value: &Bound, items: Vec<Bound>) -> Vec<Bound> {
        let constant = |item: &&Bound| !item.expr.any_column_refs() && !item.expr.contains_outer();
        let constants: Vec<&Bound> = items.iter().filter(constant).collect();
        if constants.len() < 2 {
            return items;
        }
        let Ok(common) = common_type([value].into_iter().chain(constants), "IN") else { return items };
        let one = |item: Bound| match constant(&&item) {
            true => self.typing.coerce(item.clone(), common.bare(), CastContext::Implicit).unwrap_or(item),
            false => item,
        };
        items.into_iter().map(one).collect()
    }

    /// The list as one IN of DataFusion: where every comparison is a plain one of two values in the same form.
    fn joined_list(&mut self, value: &Bound, items: &[Bound], negated: bool) -> Result<Option<Bound>> {
        let mut left: Option<Expr> = None;
        let mut list = Vec::new();
        for item in items {
            let compared = self.operator("=", value.clone(), item.clone())?;
            let Expr::BinaryExpr(binary) = compared.expr else { return Ok(None) };
            if binary.op != datafusion::logical_expr::Operator::Eq || !matches!(*binary.right, Expr::Literal(..)) {
                return Ok(None);
            }
            if left.as_ref().is_some_and(|known| *known != *binary.left) {
                return Ok(None);
            }
            left = Some(*binary.left);
            list.push(*binary.right);
        }
        Ok(left.map(|left| Bound::new(left.in_list(list, negated), PgType::BOOL)))
    }

    fn row_in_list(&mut self, value: &Ast, list: &[Ast], negated: bool) -> Result<Bound> {
        let mut result: Option<Expr> = None;
        let place = self.keyword_place("in", list.first().and_then(|item| self.position(item)));
        for item in list {
            let item = super::expr::written_row(item).unwrap_or_else(|| item.clone());
            let equal = self.rows(value, &crate::sql::ast::BinaryOperator::Eq, &item, place)?.expr;
            result = Some(match result {
                None => equal,
                Some(before) => before.or(equal),
            });
        }
        match result {
            Some(expr) => Ok(Bound::new(if negated { !expr } else { expr }, PgType::BOOL)),
            None => refuse("an empty IN list"),
        }
    }

    fn like(&mut self, name: &str, value: &Ast, pattern: &Ast, escape: Option<&ValueWithSpan>) -> Result<Bound> {
        let place = self.position(pattern);
        let word = if name.ends_with('*') { "ilike" } else { "like" };
        let value = self.expr(value)?;
        let mut pattern = self.expr(pattern)?;
        if let Some(escape) = escape {
            let escape = self.value(escape)?;
            let escape = self.typing.settle(escape)?;
            pattern = self.typing.settle(pattern)?;
            if category(pattern.pg.oid) != 'S' || !can_coerce(pattern.pg.oid, 25, CastContext::Implicit) {
                return refuse("LIKE ... ESCAPE over this type");
            }
            pattern = self.typing.coerce(pattern, PgType::TEXT, CastContext::Implicit)?;
            let made = implement("like_escape", vec![pattern, escape], PgType::TEXT, &mut self.typing)?;
            let Some(made) = made else { return refuse("LIKE ... ESCAPE") };
            pattern = made;
        }
        self.operator(name, value, pattern).map_err(|error| self.placed(error, |b| b.keyword_place(word, place)))
    }

    fn similar(&mut self, value: &Ast, pattern: &Ast, escape: Option<&ValueWithSpan>, negated: bool) -> Result<Bound> {
        let place = self.keyword_place("similar", self.position(pattern));
        let value = self.expr(value)?;
        let mut args = vec![self.expr(pattern)?];
        if let Some(escape) = escape {
            args.push(self.value(escape)?);
        }
        let pattern = self.call("similar_to_escape", args, place)?;
        let name = if negated { "!~" } else { "~" };
        self.operator(name, value, pattern).map_err(|error| self.placed(error, |_| place))
    }

    /// `x IN (SELECT ...)` over values that compare plainly.
    pub(super) fn plain_in_subquery(
        &mut self,
        value: Expr,
        subquery: datafusion::logical_expr::Subquery,
        negated: bool,
    ) -> Bound {
        let inside = InSubquery { expr: Box::new(value), subquery, negated };
        Bound::new(Expr::InSubquery(inside), PgType::BOOL)
    }

    /// A literal of unknown type with this text.
    pub(super) fn unknown_text(text: impl Into<String>) -> Bound {
        Bound::unknown(Unknown::Text(text.into()))
    }
}

/// Whether NULL is written here.
fn is_null(ast: &Ast) -> bool {
    match ast {
        Ast::Nested(inner) => is_null(inner),
        Ast::Value(value) => value.value == Value::Null,
        _ => false,
    }
}
