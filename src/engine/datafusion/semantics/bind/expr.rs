//! Expressions: which part of the binder takes which form, names of columns, operators.
//! Must not know: how an operator is computed.

use datafusion::common::Column;

use crate::sql::ast::{BinaryOperator, Expr as Ast, FunctionArg, FunctionArgExpr, Ident, UnaryOperator};

use super::super::coerce::AtPosition;
use super::super::ops::implement;
use super::super::own;
use super::super::pg::CastContext;
use super::super::resolve::{Resolved, binary_operator, prefix_operator};
use super::super::value::{Bound, type_name};
use super::from::ident;
use super::scope::{Scope, as_outer};
use super::{Binder, refuse};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

/// The hint PostgreSQL gives with an operator that does not exist.
const NO_OPERATOR: &str =
    "No operator matches the given name and argument types. You might need to add explicit type casts.";

impl Binder<'_> {
    /// Binds an expression.
    pub(super) fn expr(&mut self, ast: &Ast) -> Result<Bound> {
        match ast {
            Ast::Value(value) => self.value(value),
            Ast::Identifier(name) => self.column(name),
            Ast::CompoundIdentifier(names) => self.qualified(names),
            Ast::Nested(inner) => self.expr(inner),
            Ast::BinaryOp { left, op, right } => {
                let bound = self.binary(left, op, right)?;
                Ok(bound.at(self.position(ast)))
            }
            Ast::UnaryOp { op, expr } => self.unary(*op, expr),
            Ast::Cast { expr, data_type, kind, array: false, format: None } => self.written_cast(expr, data_type, kind),
            Ast::TypedString(typed) => self.typed_string(typed),
            Ast::Interval(interval) => self.interval(interval),
            Ast::Case { operand, conditions, else_result, .. } => {
                self.without_sets("CASE", |b| b.case(operand.as_deref(), conditions, else_result.as_deref()))
            }
            Ast::Function(function) => self.function(function),
            Ast::QualifiedWildcard(name, _) => self.starred_row(name),
            Ast::Exists { subquery, negated } => self.exists(subquery, *negated),
            Ast::Subquery(query) => self.scalar_subquery(query),
            Ast::InSubquery { expr, subquery, negated } => self.in_subquery(expr, subquery, *negated),
            Ast::AnyOp { left, compare_op, right, .. } => self.quantified(left, compare_op, right, true),
            Ast::AllOp { left, compare_op, right } => self.quantified(left, compare_op, right, false),
            Ast::Extract { .. }
            | Ast::Substring { .. }
            | Ast::Trim { .. }
            | Ast::Position { .. }
            | Ast::Overlay { .. }
            | Ast::Ceil { .. }
            | Ast::Floor { .. }
            | Ast::AtTimeZone { .. }
            | Ast::Collate { .. }
            | Ast::IsNormalized { .. } => self.special(ast),
            Ast::Array(array) => self.array(&array.elem),
            other => self.predicate(other),
        }
    }

    fn column(&mut self, name: &Ident) -> Result<Bound> {
        let position = crate::sql::position(name.span);
        let name = ident(name);
        for (out, scope) in self.scopes.iter().rev().enumerate() {
            if let Some(found) = scope.column(&name).map_err(|e| e.with_position_if(position))? {
                let found = if out == 0 { found } else { self.outer_value(found)? };
                return Ok(found.at(position));
            }
        }
        for (out, scope) in self.scopes.iter().rev().enumerate() {
            if let Some(table) = scope.table(None, &name).map_err(|e| e.with_position_if(position))? {
                let row = self.whole_row(table, out > 0)?;
                return Ok(row.at(position));
            }
        }
        Err(self.missing_column(&name).with_position_if(position))
    }

    /// `42703` for a name that no column here has.
    pub(super) fn missing_column(&self, name: &str) -> Error {
        let error = Error::client(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist"));
        self.hinting(error, None, name)
    }

    /// An error about a column with what PostgreSQL would suggest.
    fn hinting(&self, error: Error, table: Option<&str>, column: &str) -> Error {
        match self.ranges.column_hint(table, column) {
            Some(hint) if error.state() == SqlState::UNDEFINED_COLUMN => error.with_hint(hint),
            _ => error,
        }
    }

    /// A value of a query around, as the query inside sees it.
    pub(super) fn outer_value(&self, value: Bound) -> Result<Bound> {
        let known = |column: &Column| self.scopes.iter().rev().find_map(|scope| scope.form(column));
        as_outer(value, |column| known(column).or_else(|| self.forms.get(column).cloned()))
    }

    fn qualified(&mut self, names: &[Ident]) -> Result<Bound> {
        let position = names.first().and_then(|name| crate::sql::position(name.span));
        let mut parts: Vec<String> = names.iter().map(ident).collect();
        if parts.len() == 4 && parts.first() != Some(&self.typing.facts.database) {
            let whole = parts.join(".");
            return Err(Error::unsupported(format!("cross-database references are not implemented: {whole}"))
                .with_position_if(position));
        }
        let column = parts.pop().unwrap_or_default();
        let table = parts.pop().unwrap_or_default();
        let schema = parts.pop();
        for (out, scope) in self.scopes.iter().rev().enumerate() {
            if let Some(found) = scope.table(schema.as_deref(), &table).map_err(|e| e.with_position_if(position))? {
                let found = found.column(&column).map_err(|e| self.hinting(e, Some(&table), &column));
                let found = found.map_err(|e| e.with_position_if(position))?;
                let found = if out == 0 { found } else { self.outer_value(found)? };
                return Ok(found.at(position));
            }
        }
        Err(self.missing_table(schema.as_deref(), &table).with_position_if(position))
    }

    /// `42P01` for a qualifier that no table has that can be reached from here.
    pub(super) fn missing_table(&self, schema: Option<&str>, table: &str) -> Error {
        let path = &self.typing.facts.search_path;
        let own = |of: Option<&str>, name: &str| match (of, schema) {
            (Some(of), Some(schema)) => of == schema,
            // Found by its bare name, wherever that was.
            (Some(of), None) if of.starts_with('\0') => !self.names_cte(name),
            (Some(of), None) => !self.names_cte(name) && (of == "pg_catalog" || path.iter().any(|known| known == of)),
            (None, schema) => schema.is_none(),
        };
        let Some(range) = self.ranges.unreached(table, own) else {
            let message = format!("missing FROM-clause entry for table \"{table}\"");
            return Error::client(SqlState::UNDEFINED_TABLE, message);
        };
        let (alias, hides) = range.alias();
        let reached = |scope: &Scope| scope.tables.iter().any(|known| range.is(known));
        let hint = if hides && alias != table && self.scopes.iter().any(reached) {
            format!("Perhaps you meant to reference the table alias \"{alias}\".")
        } else {
            format!("There is an entry for table \"{alias}\", but it cannot be referenced from this part of the query.")
        };
        let message = format!("invalid reference to FROM-clause entry for table \"{table}\"");
        Error::client(SqlState::UNDEFINED_TABLE, message).with_hint(hint)
    }

    fn binary(&mut self, left: &Ast, op: &BinaryOperator, right: &Ast) -> Result<Bound> {
        if let (Some(left), Some(right)) = (written_row(left), written_row(right)) {
            return self.rows(&left, op, &right, None);
        }
        if let (Some(Ast::Tuple(row)), BinaryOperator::Eq, Ast::Subquery(query)) = (written_row(left), op, right) {
            return self.row_equals(&row, query);
        }
        match op {
            BinaryOperator::And | BinaryOperator::Or => {
                let what = if *op == BinaryOperator::And { "AND" } else { "OR" };
                let l = self.expr(left)?;
                let l = self.boolean(l, what)?;
                let r = self.expr(right)?;
                let r = self.boolean(r, what)?;
                let expr = if *op == BinaryOperator::And { l.expr.and(r.expr) } else { l.expr.or(r.expr) };
                Ok(Bound::new(expr, PgType::BOOL))
            }
            _ => {
                let name = operator_name(op)?;
                let l = self.expr(left)?;
                let r = self.expr(right)?;
                self.operator(&name, l, r).map_err(|e| self.placed(e, |b| b.operator_place(&name, right)))
            }
        }
    }

    /// A binary operator over two values.
    pub(super) fn operator(&mut self, name: &str, l: Bound, r: Bound) -> Result<Bound> {
        let (l, r) = (self.typing.refresh(l), self.typing.refresh(r));
        let position = l.position;
        let (left, right) = (l.pg.oid, r.pg.oid);
        if own::is_opaque(l.pg) || own::is_opaque(r.pg) {
            return Err(own::refused(&format!("operator {} {name} {}", type_name(left), type_name(right))));
        }
        match binary_operator(name, left, right) {
            Resolved::One(op) => {
                let sides = self.arguments(vec![l, r], &[op.left, op.right])?;
                let returns = PgType::new(op.returns);
                match implement(op.source, sides, returns, &mut self.typing)? {
                    Some(bound) => Ok(bound.at(position)),
                    None => Err(Error::unsupported(format!(
                        "operator {} {name} {} is not supported",
                        type_name(left),
                        type_name(right)
                    ))),
                }
            }
            Resolved::Missing => Err(Error::client(
                SqlState::UNDEFINED_FUNCTION,
                format!("operator does not exist: {} {name} {}", type_name(left), type_name(right)),
            )
            .with_hint(NO_OPERATOR)),
            Resolved::Ambiguous => Err(Error::client(
                SqlState::AMBIGUOUS_FUNCTION,
                format!("operator is not unique: {} {name} {}", type_name(left), type_name(right)),
            )
            .with_hint("Could not choose a best candidate operator. You might need to add explicit type casts.")),
        }
    }

    fn unary(&mut self, op: UnaryOperator, operand: &Ast) -> Result<Bound> {
        let position = self.sign_place(op, operand);
        let name = match op {
            UnaryOperator::Not => {
                let bound = self.expr(operand)?;
                let bound = self.boolean(bound, "NOT")?;
                return Ok(Bound::new(!bound.expr, PgType::BOOL).at(position));
            }
            UnaryOperator::Minus => {
                if let Some(literal) = self.negated_number(operand, position)? {
                    return Ok(literal);
                }
                "-"
            }
            UnaryOperator::Plus => "+",
            UnaryOperator::BitwiseNot => "~",
            UnaryOperator::PGAbs => "@",
            UnaryOperator::PGSquareRoot => "|/",
            UnaryOperator::PGCubeRoot => "||/",
            _ => return refuse(&format!("operator {op}")),
        };
        let bound = self.expr(operand)?;
        let of = bound.pg.oid;
        if own::is_opaque(bound.pg) {
            return Err(own::refused(&format!("operator {name} {}", type_name(of))).with_position_if(position));
        }
        match prefix_operator(name, of) {
            Resolved::One(op) => {
                let bound = self.typing.coerce(bound, PgType::new(op.right), CastContext::Implicit)?;
                match implement(op.source, vec![bound], PgType::new(op.returns), &mut self.typing)? {
                    Some(bound) => Ok(bound.at(position)),
                    None => refuse(&format!("operator {name} {}", type_name(of))),
                }
            }
            Resolved::Missing => Err(Error::client(
                SqlState::UNDEFINED_FUNCTION,
                format!("operator does not exist: {name} {}", type_name(of)),
            )
            .with_hint(
                "No operator matches the given name and argument type. You might need to add an explicit type cast.",
            )
            .with_position_if(position)),
            Resolved::Ambiguous => Err(Error::client(
                SqlState::AMBIGUOUS_FUNCTION,
                format!("operator is not unique: {name} {}", type_name(of)),
            )
            .with_hint("Could not choose a best candidate operator. You might need to add explicit type casts.")
            .with_position_if(position)),
        }
    }

    /// Row comparisons: equality is equality of all fields; order looks at the first fields that differ.
    /// `at`: where it stands, if no operator is written.
    pub(super) fn rows(&mut self, left: &Ast, op: &BinaryOperator, right: &Ast, at: Option<u32>) -> Result<Bound> {
        let name = operator_name(op)?;
        let place = |binder: &Self| at.or_else(|| binder.operator_place(&name, right));
        let (Ast::Tuple(left), Ast::Tuple(right)) = (left, right) else { return refuse("a row comparison") };
        if left.len() != right.len() {
            return Err(Error::client(SqlState::SYNTAX_ERROR, "unequal number of entries in row expressions")
                .with_position_if(place(self)));
        }
        let mut fields = Vec::new();
        for (l, r) in left.iter().zip(right) {
            fields.push((self.expr(l)?, self.expr(r)?));
        }
        let strict = match name.as_str() {
            "=" | "<>" => name.clone(),
            "<" | "<=" => "<".to_owned(),
            ">" | ">=" => ">".to_owned(),
            _ => return refuse(&format!("operator {name} over rows")),
        };
        let mut result: Option<datafusion::logical_expr::Expr> = None;
        let last = fields.len();
        for (at, (l, r)) in fields.into_iter().enumerate().rev() {
            let this = if at + 1 == last { &name } else { &strict };
            let compared = self.operator(this, l.clone(), r.clone()).map_err(|error| self.placed(error, place))?.expr;
            result = Some(match (result, name.as_str()) {
                (None, _) => compared,
                (Some(rest), "=") => compared.and(rest),
                (Some(rest), "<>") => compared.or(rest),
                (Some(rest), _) => {
                    let equal = self.operator("=", l, r)?.expr;
                    compared.or(equal.and(rest))
                }
            });
        }
        result
            .map(|expr| Bound::new(expr, PgType::BOOL))
            .ok_or_else(|| Error::client(SqlState::FEATURE_NOT_SUPPORTED, "cannot compare rows of zero length"))
    }
}

/// `ROW(...)` as the list of its fields.
pub(super) fn written_row(ast: &Ast) -> Option<Ast> {
    let Ast::Function(function) = ast else { return matches!(ast, Ast::Tuple(_)).then(|| ast.clone()) };
    let crate::sql::ast::FunctionArguments::List(list) = &function.args else { return None };
    if !matches!(function.name.0.as_slice(), [only] if only.as_ident().is_some_and(|name| ident(name) == "row")) {
        return None;
    }
    let field = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(ast)) => Some(ast.clone()),
        _ => None,
    };
    list.args.iter().map(field).collect::<Option<Vec<_>>>().map(Ast::Tuple)
}

/// The name of an operator as PostgreSQL knows it.
pub(super) fn operator_name(op: &BinaryOperator) -> Result<String> {
    Ok(match op {
        BinaryOperator::NotEq => "<>".to_owned(),
        BinaryOperator::PGExp => "^".to_owned(),
        BinaryOperator::BitwiseXor | BinaryOperator::PGBitwiseXor => "#".to_owned(),
        BinaryOperator::PGCustomBinaryOperator(names) => names.last().cloned().unwrap_or_default(),
        BinaryOperator::Custom(name) => name.clone(),
        BinaryOperator::Xor
        | BinaryOperator::Spaceship
        | BinaryOperator::DuckIntegerDivide
        | BinaryOperator::MyIntegerDivide
        | BinaryOperator::Match
        | BinaryOperator::Regexp
        | BinaryOperator::Assignment => {
            return Err(Error::client(SqlState::SYNTAX_ERROR, format!("syntax error at or near \"{op}\"")));
        }
        other => other.to_string(),
    })
}
