//! Literals: numbers, strings, typed strings, intervals, parameters, and casts as they are written.
//! Must not know: how text becomes a value.

use crate::sql::ast::{
    CastKind, DataType as AstType, Expr as Ast, Interval, TypedString, UnaryOperator, Value, ValueWithSpan,
};
use datafusion::scalar::ScalarValue;

use super::super::coerce::AtPosition;
use super::super::pg::CastContext;
use super::super::value::{Bound, Unknown};
use super::type_name::pg_type;
use super::{Binder, refuse};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

impl Binder<'_> {
    /// A literal or a parameter.
    pub(super) fn value(&mut self, value: &ValueWithSpan) -> Result<Bound> {
        let position = self.position(value);
        let bound = match &value.value {
            Value::Number(digits, _) => number(digits)?,
            Value::Boolean(truth) => Bound::literal(ScalarValue::Boolean(Some(*truth)), PgType::BOOL),
            Value::Null => Bound::unknown(Unknown::Null),
            Value::Placeholder(name) => self.parameter(name).map_err(|e| e.with_position_if(position))?,
            Value::HexStringLiteral(_) | Value::SingleQuotedByteStringLiteral(_) => return refuse("a bit string"),
            other => match text_of(other) {
                Some(text) => Bound::unknown(Unknown::Text(text)),
                None => return refuse("this form of literal"),
            },
        };
        Ok(bound.at(position))
    }

    fn parameter(&mut self, name: &str) -> Result<Bound> {
        let number = name.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok());
        match number {
            Some(number @ 1..=65_535) => Ok(self.typing.parameter(number)),
            _ => Err(Error::client(SqlState::UNDEFINED_PARAMETER, format!("there is no parameter {name}"))),
        }
    }

    /// `-` before a number is part of the number, so that the smallest integers can be written.
    pub(super) fn negated_number(&mut self, operand: &Ast, position: Option<u32>) -> Result<Option<Bound>> {
        match written_number(operand) {
            Some(digits) => Ok(Some(number(&negate(&digits))?.at(position))),
            None => Ok(None),
        }
    }

    /// `CAST(x AS type)` and `x::type`.
    pub(super) fn written_cast(&mut self, operand: &Ast, to: &AstType, kind: &CastKind) -> Result<Bound> {
        if !matches!(kind, CastKind::Cast | CastKind::DoubleColon) {
            return Err(Error::client(SqlState::SYNTAX_ERROR, "syntax error: PostgreSQL has no TRY_CAST"));
        }
        let written = to;
        let to = pg_type(written).map_err(|e| e.with_position_if(self.type_place(operand, kind, written)))?;
        if let (Ast::Array(array), Some(element)) = (operand, to.element()) {
            let made = self.array_of(&array.elem, element)?;
            // Its elements have the modifier already.
            return Ok(if made.pg.oid == to.oid { Bound { pg: to, ..made } } else { made });
        }
        let bound = self.expr(operand)?;
        self.typing.coerce(bound, to, CastContext::Explicit).map_err(|error| match error.state() {
            SqlState::CANNOT_COERCE => error.with_position_if(self.cast_place(operand, kind)),
            _ => error,
        })
    }

    /// `DATE '2020-01-01'`.
    pub(super) fn typed_string(&mut self, typed: &TypedString) -> Result<Bound> {
        let position = self.position(&typed.value);
        let to = pg_type(&typed.data_type).map_err(|error| match &typed.data_type {
            AstType::Custom(name, _) => error.with_position_if(self.position(name)),
            _ => error,
        })?;
        let Some(text) = text_of(&typed.value.value) else { return refuse("this form of literal") };
        let bound = Bound::unknown(Unknown::Text(text)).at(position);
        self.typing.coerce(bound, to, CastContext::Explicit)
    }

    /// `INTERVAL '1' DAY`.
    pub(super) fn interval(&mut self, interval: &Interval) -> Result<Bound> {
        let Ast::Value(value) = &*interval.value else { return refuse("INTERVAL with an expression") };
        let Some(text) = text_of(&value.value) else {
            return Err(Error::client(SqlState::SYNTAX_ERROR, "syntax error: INTERVAL takes a string"));
        };
        let mut name = "interval".to_owned();
        if let Some(first) = &interval.leading_field {
            name.push_str(&format!(" {first}"));
        }
        if let Some(last) = &interval.last_field {
            name.push_str(&format!(" to {last}"));
        }
        if let Some(digits) = interval.fractional_seconds_precision.or(interval.leading_precision) {
            name.push_str(&format!("({digits})"));
        }
        let position = self.position(value);
        let to = PgType::from_name(&name)
            .ok_or_else(|| Error::client(SqlState::SYNTAX_ERROR, "syntax error in the fields of an interval"))?;
        let bound = Bound::unknown(Unknown::Text(text)).at(position);
        self.typing.coerce(bound, to, CastContext::Explicit)
    }
}

/// The digits of a number, signs before it and parentheses around it included.
fn written_number(ast: &Ast) -> Option<String> {
    match ast {
        Ast::Value(value) => match &value.value {
            Value::Number(digits, _) => Some(digits.clone()),
            _ => None,
        },
        Ast::Nested(inner) => written_number(inner),
        Ast::UnaryOp { op: UnaryOperator::Minus, expr } => written_number(expr).map(|digits| negate(&digits)),
        _ => None,
    }
}

fn negate(digits: &str) -> String {
    digits.strip_prefix('-').map_or_else(|| format!("-{digits}"), str::to_owned)
}

/// The text of a string literal, in any of its notations.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::SingleQuotedString(text)
        | Value::EscapedStringLiteral(text)
        | Value::UnicodeStringLiteral(text)
        | Value::NationalStringLiteral(text) => Some(text.clone()),
        Value::DollarQuotedString(text) => Some(text.value.clone()),
        _ => None,
    }
}

/// A numeric literal: int4, int8 or numeric, whichever holds it.
fn number(digits: &str) -> Result<Bound> {
    if let Ok(value) = digits.parse::<i32>() {
        return Ok(Bound::literal(ScalarValue::Int32(Some(value)), PgType::INT4));
    }
    if let Ok(value) = digits.parse::<i64>() {
        return Ok(Bound::literal(ScalarValue::Int64(Some(value)), PgType::INT8));
    }
    super::super::numeric::literal(digits)
}
