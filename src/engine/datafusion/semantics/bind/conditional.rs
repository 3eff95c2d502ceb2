//! CASE, COALESCE, NULLIF, GREATEST, LEAST and ARRAY: forms whose parts share one type.
//! Must not know: how a comparison or a cast is computed.

use crate::sql::ast::{CaseWhen, Expr as Ast};
use datafusion::functions_nested::make_array::make_array_udf;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::{Case, ScalarFunction};

use super::super::coerce::{AtPosition, common_type};
use super::super::keys::sort_key;
use super::super::pg::CastContext;
use super::super::resolve::{Resolved, binary_operator};
use super::super::value::{Bound, Scaled, Unknown, type_name};
use super::super::{numeric, own};
use super::{Binder, refuse};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

impl Binder<'_> {
    /// CASE, with or without an operand.
    pub(super) fn case(&mut self, operand: Option<&Ast>, arms: &[CaseWhen], other: Option<&Ast>) -> Result<Bound> {
        let operand = operand.map(|ast| self.expr(ast)).transpose()?;
        let mut conditions = Vec::new();
        let mut values = Vec::new();
        for arm in arms {
            let condition = match &operand {
                None => {
                    let bound = self.expr(&arm.condition)?;
                    self.boolean(bound, "CASE/WHEN")?
                }
                Some(operand) => {
                    let value = self.expr(&arm.condition)?;
                    // PostgreSQL takes an operand of unknown type for text.
                    let operand = self.typing.settle(operand.clone())?;
                    self.operator("=", operand, value)
                        .map_err(|error| self.placed(error, |b| b.keyword_place("when", b.position(&arm.condition))))?
                }
            };
            conditions.push(condition.expr);
            values.push(self.expr(&arm.result)?);
        }
        let other = match other {
            Some(ast) => self.expr(ast)?,
            None => Bound::unknown(Unknown::Null),
        };
        // The ELSE value comes first where PostgreSQL looks for the common type.
        let common = common_type(std::iter::once(&other).chain(&values), "CASE")?;
        values.push(other);
        let scaled = self.scales(&conditions, &values, common)?;
        let mut values = self.all_as(values, common)?;
        let Some(other) = values.pop() else { return refuse("an empty CASE") };
        let arms = conditions.into_iter().zip(values).map(|(when, then)| (Box::new(when), Box::new(then.expr)));
        let expr =
            Expr::Case(Case { expr: None, when_then_expr: arms.collect(), else_expr: Some(Box::new(other.expr)) });
        Ok(Bound { scaled, ..Bound::with_arrow(expr, common, other.arrow) })
    }

    /// The values of a choice as decimals with their scales, where they show different ones.
    fn scales(&mut self, conditions: &[Expr], values: &[Bound], common: PgType) -> Result<Option<Box<Scaled>>> {
        if common.oid != PgType::NUMERIC.oid {
            return Ok(None);
        }
        let mut numbers = Vec::new();
        for value in values {
            numbers.push(self.typing.coerce(value.clone(), common, CastContext::Implicit)?);
        }
        Ok(numeric::chosen(conditions, &numbers))
    }

    /// Values of one PostgreSQL type in one Arrow type.
    pub(super) fn all_as(&mut self, values: Vec<Bound>, common: PgType) -> Result<Vec<Bound>> {
        let mut coerced = Vec::with_capacity(values.len());
        for value in values {
            coerced.push(self.typing.coerce(value, common, CastContext::Implicit)?);
        }
        self.typing.all_same_arrow(coerced)
    }

    /// COALESCE over values of this type.
    pub(super) fn coalesced(&mut self, values: Vec<Bound>, common: PgType) -> Result<Bound> {
        let scaled = self.coalesced_scales(&values, common)?;
        let mut values = self.all_as(values, common)?;
        let Some(last) = values.pop() else { return refuse("COALESCE without arguments") };
        let arrow = last.arrow.clone();
        if values.is_empty() {
            return Ok(last);
        }
        let arms = values
            .into_iter()
            .map(|value| (Box::new(Expr::IsNotNull(Box::new(value.expr.clone()))), Box::new(value.expr)))
            .collect();
        let expr = Expr::Case(Case { expr: None, when_then_expr: arms, else_expr: Some(Box::new(last.expr)) });
        Ok(Bound { scaled, ..Bound::with_arrow(expr, common, arrow) })
    }

    fn coalesced_scales(&mut self, values: &[Bound], common: PgType) -> Result<Option<Box<Scaled>>> {
        let Some((_, tested)) = values.split_last() else { return Ok(None) };
        let mut conditions = Vec::new();
        for value in tested {
            let value = self.typing.coerce(value.clone(), common, CastContext::Implicit)?;
            conditions.push(Expr::IsNotNull(Box::new(value.expr)));
        }
        self.scales(&conditions, values, common)
    }

    /// COALESCE, NULLIF, GREATEST and LEAST by name.
    pub(super) fn conditional(&mut self, name: &str, args: Vec<Bound>, position: Option<u32>) -> Result<Bound> {
        let wrong_count = || {
            Err(Error::client(SqlState::SYNTAX_ERROR, format!("wrong number of arguments of {}", name.to_uppercase())))
        };
        match name {
            "nullif" => {
                let mut args = args.into_iter();
                let (Some(l), Some(r), None) = (args.next(), args.next(), args.next()) else { return wrong_count() };
                self.null_if(l, r).map_err(|error| self.placed(error, |_| position))
            }
            _ if args.is_empty() => wrong_count(),
            "coalesce" => {
                let common = common_type(&args, "COALESCE")?;
                self.coalesced(args, common)
            }
            _ => {
                let common = common_type(&args, &name.to_uppercase())?;
                let values = self.all_as(args, common)?;
                self.extreme(name == "greatest", values, common)
            }
        }
    }

    fn null_if(&mut self, l: Bound, r: Bound) -> Result<Bound> {
        let equal = self.operator("=", l.clone(), r.clone())?.expr;
        let l = self.as_compared(l, &r)?;
        let null = self.typing.null(l.pg, &l.arrow);
        let expr = Expr::Case(Case {
            expr: None,
            when_then_expr: vec![(Box::new(equal), Box::new(null))],
            else_expr: Some(Box::new(l.expr)),
        });
        Ok(Bound::with_arrow(expr, l.pg, l.arrow))
    }

    /// The left side of a comparison in the type that its operator takes: that is the type of NULLIF.
    fn as_compared(&mut self, l: Bound, r: &Bound) -> Result<Bound> {
        /// Types that stand for others: an operator over them takes the value as it is.
        const POLYMORPHIC: &[u32] = &[2249, 2277, 2283, 3500, 3831, 4537];
        let Resolved::One(operator) = binary_operator("=", l.pg.oid, r.pg.oid) else {
            return self.typing.settle(l);
        };
        if operator.left == l.pg.oid || POLYMORPHIC.contains(&operator.left) {
            return self.typing.settle(l);
        }
        self.typing.coerce(l, PgType::new(operator.left), CastContext::Implicit)
    }

    /// GREATEST or LEAST: the values' keys decide, NULLs do not count.
    fn extreme(&mut self, greatest: bool, values: Vec<Bound>, common: PgType) -> Result<Bound> {
        let Some(arrow) = values.first().map(|value| value.arrow.clone()) else { return refuse("no arguments") };
        let keys = values.iter().map(sort_key).collect::<Result<Vec<_>>>()?;
        let args = values.into_iter().map(|value| value.expr).chain(keys).collect();
        let expr = super::super::keys::extreme(greatest, args, arrow.clone());
        Ok(Bound::with_arrow(expr, common, arrow))
    }

    /// `ARRAY[...]`.
    pub(super) fn array(&mut self, elements: &[Ast]) -> Result<Bound> {
        if elements.is_empty() {
            return Err(Error::client(SqlState::INDETERMINATE_DATATYPE, "cannot determine type of empty array")
                .with_hint("Explicitly cast to the desired type, for example ARRAY[]::integer[].")
                .with_position_if(self.places.sequence(0, &["array", "[", "]"])));
        }
        let values = elements.iter().map(|element| self.expr(element)).collect::<Result<Vec<_>>>()?;
        let common = common_type(&values, "ARRAY")?;
        if common.is_array() { self.stacked(values, common) } else { self.list(values, common) }
    }

    /// `ARRAY[...]::type[]`: the elements are cast one by one.
    pub(super) fn array_of(&mut self, elements: &[Ast], element: PgType) -> Result<Bound> {
        let values = elements
            .iter()
            .map(|ast| match ast {
                Ast::Array(array) => self.array_of(&array.elem, element),
                other => self.expr(other),
            })
            .collect::<Result<Vec<_>>>()?;
        // Arrays in it make it one of more dimensions, of the same type.
        let array = element.bare().array_of().filter(|_| values.iter().any(|value| value.pg.is_array()));
        let to = array.unwrap_or(element);
        let mut coerced = Vec::new();
        for value in values {
            coerced.push(self.typing.coerce(value, to, CastContext::Explicit)?);
        }
        match array {
            Some(array) => self.stacked(coerced, array),
            None => self.list(coerced, element),
        }
    }

    fn list(&mut self, values: Vec<Bound>, element: PgType) -> Result<Bound> {
        if own::is_opaque(element) {
            // How its elements are parted is the type's own matter, too.
            return Err(own::refused(&format!("an array of type {}", type_name(element.oid))));
        }
        let Some(array) = element.bare().array_of() else {
            return Err(Error::client(
                SqlState::UNDEFINED_OBJECT,
                format!("could not find array type for data type {}", element.display_name()),
            ));
        };
        let values = self.all_as(values, element)?;
        let inner = match values.first() {
            Some(first) => first.arrow.clone(),
            None => return super::super::cast::empty_array(array),
        };
        let list = arrow::datatypes::DataType::new_list(inner, true);
        let args = values.into_iter().map(|value| value.expr).collect();
        let expr = Expr::ScalarFunction(ScalarFunction::new_udf(make_array_udf(), args));
        Ok(Bound::with_arrow(expr, array, list))
    }
}
