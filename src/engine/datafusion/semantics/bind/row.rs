//! `ROW(...)`: rows as values.
//! Must not know: how records are written.

use std::sync::Arc;

use arrow::array::{ArrayRef, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{Expr, lit};
use datafusion::scalar::ScalarValue;

use super::super::coerce::AtPosition;
use super::super::kernel::call;
use super::super::own;
use super::super::sets::{field_at, record};
use super::super::value::{Bound, Unknown};
use super::from::{ident, parts};
use super::scope::Table;
use super::{Binder, refuse};
use crate::error::{Error, Result, SqlState};
use crate::sql::ast::{Expr as Ast, Ident, ObjectName};
use crate::types::PgType;

impl Binder<'_> {
    /// A record of these expressions.
    pub(super) fn row<'e>(&mut self, fields: impl Iterator<Item = &'e Ast>) -> Result<Bound> {
        let values = fields
            .map(|ast| {
                let value = self.expr(ast)?;
                match self.typing.refresh(value) {
                    value if matches!(value.unknown, Some(Unknown::Param(_))) => self.typing.untyped(value),
                    value => Ok(in_row(value)),
                }
            })
            .collect::<Result<Vec<_>>>()?;
        if values.is_empty() {
            return refuse("a row without fields");
        }
        let fields: Fields = values.iter().enumerate().map(|(at, value)| named(at, value)).collect();
        let types: Vec<String> = values.iter().map(|value| format!("{}:{}", value.pg.oid, value.pg.typmod)).collect();
        let arrow = DataType::Struct(fields.clone());
        let args = values.into_iter().map(|value| value.expr).collect();
        let made = call(format!("row({})", types.join(",")), args, arrow.clone(), move |arrays| {
            let record = StructArray::try_new(fields.clone(), arrays.to_vec(), None);
            let record = record.map_err(|error| DataFusionError::ArrowError(Box::new(error), None))?;
            Ok(Arc::new(record) as ArrayRef)
        });
        Ok(Bound::with_arrow(made, PgType::RECORD, arrow))
    }
}

impl Binder<'_> {
    /// `t.*` where a value is wanted: the record of a table's columns.
    pub(super) fn starred_row(&mut self, name: &ObjectName) -> Result<Bound> {
        let position = self.position(name);
        let mut names = parts(name)?;
        let (table, schema) = (names.pop().unwrap_or_default(), names.pop());
        for (out, scope) in self.scopes.iter().rev().enumerate() {
            if let Some(found) = scope.table(schema.as_deref(), &table).map_err(|e| e.with_position_if(position))? {
                return Ok(self.whole_row(found, out > 0)?.at(position));
            }
        }
        Err(self.missing_table(schema.as_deref(), &table).with_position_if(position))
    }

    /// The type that a column is declared with, by the rows of `pg_attribute` and `pg_type` for it: of a domain, what it stands on.
    pub(super) fn true_type(&self, name: &str, args: &[Bound]) -> Option<Bound> {
        let (own, base, returns) = match name {
            "_pg_truetypid" => ("atttypid", "typbasetype", PgType::OID),
            "_pg_truetypmod" => ("atttypmod", "typtypmod", PgType::INT4),
            _ => return None,
        };
        let [attribute, ty] = args else { return None };
        let of = |row: &Bound, column: &str| {
            let DataType::Struct(fields) = &row.arrow else { return None };
            let at = fields.iter().position(|field| field.name() == column)?;
            field_at(row.expr.clone(), fields, at)
        };
        let ((own, arrow), (base, _), (kind, _)) = (of(attribute, own)?, of(ty, base)?, of(ty, "typtype")?);
        let domain = kind.clone().eq(lit(ScalarValue::Utf8View(Some("d".to_owned()))));
        let cases = vec![(Box::new(domain), Box::new(base)), (Box::new(kind.is_not_null()), Box::new(own))];
        Some(Bound::with_arrow(Expr::Case(Case::new(None, cases, None)), returns, arrow))
    }

    /// `(t).column`, where `t` is a table and no column: the column, as `t.column` is.
    pub(super) fn column_of_row(&self, root: &Ast, column: &Ident) -> Result<Option<Bound>> {
        let Ast::Nested(inner) = root else { return Ok(None) };
        let Ast::Identifier(table) = &**inner else { return Ok(None) };
        let (name, position) = (ident(table), crate::sql::position(table.span));
        for scope in &self.scopes {
            if scope.column(&name).map_err(|e| e.with_position_if(position))?.is_some() {
                return Ok(None);
            }
        }
        for (out, scope) in self.scopes.iter().rev().enumerate() {
            if let Some(found) = scope.table(None, &name).map_err(|e| e.with_position_if(position))? {
                let value = found.column(&ident(column)).map_err(|e| e.with_position_if(position))?;
                let value = if out == 0 { value } else { self.outer_value(value)? };
                return Ok(Some(value.at(position)));
            }
        }
        Ok(None)
    }

    /// `(record).*`: its fields under their names.
    pub(super) fn record_fields(&self, record: &Bound, position: Option<u32>) -> Result<Vec<(String, Bound)>> {
        let DataType::Struct(fields) = &record.arrow else {
            if own::is_composite(record.pg) || record.pg.is_record() {
                let what = format!("the fields of this value of type {}", record.type_name());
                return Err(Error::unsupported(format!("{what} is not supported")).with_position_if(position));
            }
            let message = format!("type {} is not composite", record.type_name());
            return Err(Error::client(SqlState::WRONG_OBJECT_TYPE, message).with_position_if(position));
        };
        let field = |(at, field): (usize, &arrow::datatypes::FieldRef)| {
            let (expr, form) = field_at(record.expr.clone(), fields, at)?;
            Some((field.name().clone(), Bound::with_arrow(expr, own::type_of(field), form).at(position)))
        };
        Ok(fields.iter().enumerate().filter_map(field).collect())
    }

    /// A table of FROM as the record of its columns. `outer`: it stands in a query around.
    pub(super) fn whole_row(&self, table: &Table, outer: bool) -> Result<Bound> {
        let seen = |value: &Bound| if outer { self.outer_value(value.clone()) } else { Ok(value.clone()) };
        let values = table.columns.iter().map(|col| seen(&col.value)).collect::<Result<Vec<_>>>()?;
        let fields: Fields = table
            .columns
            .iter()
            .zip(&values)
            .map(|(col, value)| own::field(&col.name, value.pg, value.arrow.clone()))
            .collect();
        let mut args: Vec<Expr> = values.into_iter().map(|value| value.expr).collect();
        if table.absent {
            // Of a row that is not there `tableoid` is NULL, and what is never NULL in one that is.
            let never = table.present.and_then(|at| table.columns.get(at));
            let Some(present) = table.system.iter().find(|col| col.name == "tableoid").or(never) else {
                return refuse("a reference to a whole row on the side of an outer join that may be missing");
            };
            args.push(seen(&present.value)?.expr);
        }
        let (expr, arrow) = record(args, fields, table.absent);
        Ok(Bound::with_arrow(expr, table.row, arrow))
    }
}

/// A literal in a row stays of unknown type, held as its text.
fn in_row(value: Bound) -> Bound {
    let text = |text: Option<String>| Bound::literal(ScalarValue::Utf8View(text), PgType::UNKNOWN);
    match value.unknown {
        Some(Unknown::Null) => text(None),
        Some(Unknown::Text(known)) => text(Some(known)),
        None | Some(Unknown::Param(_)) => value,
    }
}

/// The field of a value, under the name that PostgreSQL gives it.
fn named(at: usize, value: &Bound) -> Field {
    own::field(&format!("f{}", at + 1), value.pg, value.arrow.clone())
}
