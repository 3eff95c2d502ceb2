//! Functions with a syntax of their own: EXTRACT, SUBSTRING, TRIM, POSITION, OVERLAY, CEIL, AT TIME ZONE, COLLATE.
//! Must not know: how they are computed; each is a call of a function by its plain name.

use crate::sql::ast::{CeilFloorKind, DateTimeField, Expr as Ast, ObjectName, TrimWhereField};

use super::super::cast::to_text;
use super::super::coerce::{AtPosition, category};
use super::super::own;
use super::super::value::{Bound, Collation};
use super::from::{ident, parts};
use super::{Binder, refuse};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

impl Binder<'_> {
    /// Binds a function with a syntax of its own.
    pub(super) fn special(&mut self, ast: &Ast) -> Result<Bound> {
        match ast {
            Ast::Extract { field, expr, .. } => {
                let field = Self::unknown_text(field_name(field));
                let value = self.expr(expr)?;
                self.special_call("extract", vec![field, value], self.word("extract", expr))
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
                self.special_call("substring", args, self.word("substring", expr))
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
                let start = trim_what.as_deref().filter(|_| trim_characters.is_none()).unwrap_or(expr);
                self.special_call(name, args, self.word("trim", start))
            }
            Ast::IsNormalized { expr, form, negated } => {
                let form = form.map_or_else(|| "NFC".to_owned(), |form| form.to_string());
                let place = self.places.first_from(self.position(&**expr).unwrap_or(0), &["is"], 0);
                let args = vec![self.expr(expr)?, Self::unknown_text(form)];
                let found = self.special_call("is_normalized", args, place)?;
                Ok(if *negated { Bound { expr: !found.expr.clone(), ..found } } else { found })
            }
            Ast::Position { expr, r#in } => {
                let (what, text) = (self.expr(expr)?, self.expr(r#in)?);
                self.special_call("position", vec![text, what], self.word("position", expr))
            }
            Ast::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                let mut args = vec![self.expr(expr)?, self.expr(overlay_what)?, self.expr(overlay_from)?];
                if let Some(length) = overlay_for {
                    args.push(self.expr(length)?);
                }
                self.special_call("overlay", args, self.word("overlay", expr))
            }
            Ast::Ceil { expr, field } => self.rounded("ceil", expr, field),
            Ast::Floor { expr, field } => self.rounded("floor", expr, field),
            Ast::AtTimeZone { timestamp, time_zone } => {
                let (value, zone) = (self.expr(timestamp)?, self.expr(time_zone)?);
                self.special_call("timezone", vec![zone, value], self.keyword_place("at", self.position(&**time_zone)))
            }
            Ast::Collate { expr, collation } => self.collated(expr, collation),
            _ => refuse("this form of expression"),
        }
    }

    /// `COLLATE`.
    fn collated(&mut self, expr: &Ast, collation: &ObjectName) -> Result<Bound> {
        let names = parts(collation)?;
        let name = names.last().map_or("", String::as_str);
        let place = self.places.first_from(self.position(expr).unwrap_or(0), &["collate"], 0);
        let value = self.expr(expr)?;
        let value = self.typing.settle(value)?;
        let loose = own::is_loose(value.pg) && !value.pg.is_array();
        let value = if loose { to_text(value, PgType::TEXT, &self.typing.facts.format)? } else { value };
        if category(value.pg.oid) != 'S' {
            return Err(Error::client(
                SqlState::DATATYPE_MISMATCH,
                format!("collations are not supported by type {}", value.type_name()),
            )
            .with_position_if(place));
        }
        match name {
            "C" | "POSIX" | "ucs_basic" => Ok(Bound { collation: Collation::AskedC, ..value }),
            "default" | "C.UTF-8" | "C.utf8" => Ok(Bound { collation: Collation::AskedDefault, ..value }),
            _ => Err(Error::client(
                SqlState::UNDEFINED_OBJECT,
                format!("collation \"{name}\" for encoding \"UTF8\" does not exist"),
            )
            .with_position_if(place)),
        }
    }

    fn rounded(&mut self, name: &str, value: &Ast, field: &CeilFloorKind) -> Result<Bound> {
        if !matches!(field, CeilFloorKind::DateTimeField(DateTimeField::NoDateTime)) {
            return refuse(&format!("{name} with a field"));
        }
        let position = self.word(name, value);
        let value = self.expr(value)?;
        self.call(name, vec![value], position)
    }

    /// The place of the word that a form begins with.
    fn word(&self, word: &str, operand: &Ast) -> Option<u32> {
        self.places.last_before(self.position(operand)?, &[word], 0)
    }

    /// A call that the grammar itself writes: of the catalog's function, whatever else has its name.
    fn special_call(&mut self, name: &str, args: Vec<Bound>, position: Option<u32>) -> Result<Bound> {
        self.call(name, args, position).map_err(|error| super::call::in_catalog(error, name, None))
    }
}

/// The form in `normalize(text, NFD)`: a word of the grammar, of which the function is told as a text.
pub(super) fn normal_form(name: &str, args: &[&Ast]) -> Option<&'static str> {
    let form = match (name, args) {
        ("normalize", [_]) => return Some("NFC"),
        ("normalize", [_, Ast::Identifier(form)]) if form.quote_style.is_none() => form,
        _ => return None,
    };
    ["NFC", "NFD", "NFKC", "NFKD"].into_iter().find(|known| known.eq_ignore_ascii_case(&form.value))
}

/// The field of EXTRACT as PostgreSQL looks it up.
fn field_name(field: &DateTimeField) -> String {
    match field {
        DateTimeField::Custom(name) => ident(name),
        other => other.to_string().to_ascii_lowercase(),
    }
}
