//! Functions with a syntax of their own: EXTRACT, SUBSTRING, TRIM, POSITION, OVERLAY, CEIL, AT TIME ZONE, COLLATE.
//! Must not know: how they are computed; each is a call of a function by its plain name.

use crate::sql::ast::{CeilFloorKind, DateTimeField, Expr as Ast, TrimWhereField};

use super::super::coerce::category;
use super::super::value::Bound;
use super::from::{ident, parts};
use super::{Binder, refuse};
use crate::error::{Error, Result, SqlState};

impl Binder<'_> {
    /// Binds a function with a syntax of its own.
    pub(super) fn special(&mut self, ast: &Ast) -> Result<Bound> {
        match ast {
            Ast::Extract { field, expr, .. } => {
                let field = self.literal_text(field_name(field))?;
                let value = self.expr(expr)?;
                self.call("extract", vec![field, value], None)
            }
            Ast::Substring { expr, substring_from, substring_for, .. } => {
                let mut args = vec![self.expr(expr)?];
                match (substring_from, substring_for) {
                    (Some(from), Some(length)) => args.extend([self.expr(from)?, self.expr(length)?]),
                    (Some(from), None) => args.push(self.expr(from)?),
                    (None, Some(length)) => {
                        args.push(Bound::literal(
                            datafusion::scalar::ScalarValue::Int32(Some(1)),
                            crate::types::PgType::INT4,
                        ));
                        args.push(self.expr(length)?);
                    }
                    (None, None) => return refuse("SUBSTRING without a position"),
                }
                self.call("substring", args, None)
            }
            Ast::Trim { trim_where, trim_what, expr, trim_characters } => {
                let name = match trim_where {
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                    Some(TrimWhereField::Both) | None => "btrim",
                };
                let mut args = vec![self.expr(expr)?];
                if let Some(what) = trim_what {
                    args.push(self.expr(what)?);
                }
                for characters in trim_characters.iter().flatten() {
                    args.push(self.expr(characters)?);
                }
                self.call(name, args, None)
            }
            Ast::Position { expr, r#in } => {
                let (what, text) = (self.expr(expr)?, self.expr(r#in)?);
                self.call("position", vec![text, what], None)
            }
            Ast::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                let mut args = vec![self.expr(expr)?, self.expr(overlay_what)?, self.expr(overlay_from)?];
                if let Some(length) = overlay_for {
                    args.push(self.expr(length)?);
                }
                self.call("overlay", args, None)
            }
            Ast::Ceil { expr, field } => self.rounded("ceil", expr, field),
            Ast::Floor { expr, field } => self.rounded("floor", expr, field),
            Ast::AtTimeZone { timestamp, time_zone } => {
                let (value, zone) = (self.expr(timestamp)?, self.expr(time_zone)?);
                self.call("timezone", vec![zone, value], None)
            }
            Ast::Collate { expr, collation } => {
                let names = parts(collation)?;
                let name = names.last().map_or("", String::as_str);
                let value = self.expr(expr)?;
                let value = self.typing.settle(value)?;
                if category(value.pg.oid) != 'S' {
                    return Err(Error::client(
                        SqlState::DATATYPE_MISMATCH,
                        format!("collations are not supported by type {}", value.type_name()),
                    ));
                }
                match name {
                    "C" | "POSIX" | "default" | "ucs_basic" => Ok(value),
                    _ => refuse(&format!("collation \"{name}\"")),
                }
            }
            _ => refuse("this form of expression"),
        }
    }

    fn rounded(&mut self, name: &str, value: &Ast, field: &CeilFloorKind) -> Result<Bound> {
        if !matches!(field, CeilFloorKind::DateTimeField(DateTimeField::NoDateTime)) {
            return refuse(&format!("{name} with a field"));
        }
        let value = self.expr(value)?;
        self.call(name, vec![value], None)
    }

    fn literal_text(&mut self, text: String) -> Result<Bound> {
        self.typing.settle(Self::unknown_text(text))
    }
}

/// The field of EXTRACT as PostgreSQL looks it up.
fn field_name(field: &DateTimeField) -> String {
    match field {
        DateTimeField::Custom(name) => ident(name),
        other => other.to_string().to_ascii_lowercase(),
    }
}
