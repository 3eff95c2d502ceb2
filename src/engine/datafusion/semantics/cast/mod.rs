//! Coercions: a bound value in another type, and unknown literals and parameters in the type their surroundings want.
//! Must not know: SQL syntax.

mod convert;
mod jsonb;
mod modifier;
mod text_io;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::metadata::FieldMetadata;
use datafusion::logical_expr::expr::{Alias, Placeholder};
use datafusion::logical_expr::{Expr, ScalarUDF};
use datafusion::scalar::ScalarValue;

pub(super) use self::modifier::padded;
pub(super) use self::text_io::{array_text, bool_letter, json, json_held, parse, to_text};
use super::coerce::{AtPosition, can_coerce};
use super::facts::SessionFacts;
use super::pg::CastContext;
use super::sets::{field_at, row};
use super::value::{Bound, Unknown, collation_in, collation_of, type_name};
use super::{numeric, own, rows};
use crate::error::{Error, Result, SqlState};
use crate::types::{META_OID, META_TYPMOD, PgType, field, storage};

/// The facts of the session, and the types of the parameters as far as they are known.
pub(super) struct Typing {
    /// The session's facts.
    pub(super) facts: Arc<SessionFacts>,
    params: Vec<Option<PgType>>,
    /// Parameters where nothing gives them a type, with the place of each.
    untyped: Vec<(usize, Option<u32>)>,
    /// The session's own functions: those that turn names into oids and back.
    functions: Arc<Functions>,
}

/// Functions of a session by their full name.
pub(super) type Functions = HashMap<String, Arc<ScalarUDF>>;

impl Typing {
    /// With the types of parameters that were given.
    pub(super) fn new(facts: Arc<SessionFacts>, given: &[Option<PgType>]) -> Typing {
        // 0 and unknown are how clients say that they do not know.
        let known = |pg: &Option<PgType>| pg.filter(|pg| pg.oid != 0 && pg.oid != 705 && pg.own_kind().is_none());
        Typing { facts, params: given.iter().map(known).collect(), untyped: Vec::new(), functions: Arc::default() }
    }

    /// With functions of a session.
    pub(super) fn with_functions(self, functions: Arc<Functions>) -> Typing {
        Typing { functions, ..self }
    }

    /// The types of all parameters.
    ///
    /// # Errors
    /// `42P18` for one whose type nothing settles; `42P08` for one that has a type, and had none where it was used before.
    pub(super) fn parameters(&self) -> Result<Vec<PgType>> {
        let typed = |(number, _): &&(usize, Option<u32>)| self.params.get(number - 1).is_some_and(Option::is_some);
        if let Some((number, position)) = self.untyped.iter().find(typed) {
            let message = format!("could not determine data type of parameter ${number}");
            return Err(Error::client(SqlState::AMBIGUOUS_PARAMETER, message).with_position_if(*position));
        }
        let settled = |(at, pg): (usize, &Option<PgType>)| {
            pg.map(PgType::told).ok_or_else(|| {
                Error::client(
                    SqlState::INDETERMINATE_DATATYPE,
                    format!("could not determine data type of parameter ${}", at + 1),
                )
            })
        };
        self.params.iter().enumerate().map(settled).collect()
    }

    /// A parameter, counted from 1, in its type if that is known.
    pub(super) fn parameter(&mut self, number: usize) -> Bound {
        if self.params.len() < number {
            self.params.resize(number, None);
        }
        match self.params.get(number - 1).copied().flatten() {
            // That its values can be read was found when it got its type.
            Some(pg) => placeholder(number, pg).unwrap_or_else(|_| Bound::unknown(Unknown::Param(number))),
            None => Bound::unknown(Unknown::Param(number)),
        }
    }

    /// A parameter that has got its type since the expression was bound has it here.
    pub(super) fn refresh(&mut self, value: Bound) -> Bound {
        match value.unknown {
            Some(Unknown::Param(number)) => self.parameter(number).at(value.position),
            _ => value,
        }
    }

    /// A value of unknown type becomes text.
    pub(super) fn settle(&mut self, value: Bound) -> Result<Bound> {
        let value = self.refresh(value);
        if value.unknown.is_some() { self.coerce(value, PgType::TEXT, CastContext::Implicit) } else { Ok(value) }
    }

    /// A value where nothing asks for a type: a literal is text; a parameter that has no type by now gets none here.
    pub(super) fn untyped(&mut self, value: Bound) -> Result<Bound> {
        let value = self.refresh(value);
        let Some(Unknown::Param(number)) = value.unknown else { return self.settle(value) };
        self.untyped.push((number, value.position));
        Ok(Bound::literal(ScalarValue::Utf8View(None), PgType::UNKNOWN).at(value.position))
    }

    /// NULL of a type in an Arrow form.
    pub(super) fn null(&self, pg: PgType, arrow: &DataType) -> Expr {
        let value = ScalarValue::try_from(arrow).unwrap_or(ScalarValue::Null);
        let _ = pg;
        Expr::Literal(value, None)
    }

    /// A value in another type.
    ///
    /// # Errors
    /// `42846` or `42804` where PostgreSQL has no such coercion, `22P02` and its kin for literals, `0A000` for casts that are not supported.
    pub(super) fn coerce(&mut self, value: Bound, to: PgType, context: CastContext) -> Result<Bound> {
        let value = self.refresh(value);
        let position = value.position;
        let collation = collation_of(std::slice::from_ref(&value));
        if let Some(named) = self.registered(&value, to, context) {
            return Ok(named.at(position));
        }
        if value.unknown.is_some() && value.unknown != Some(Unknown::Null) && rows::is_of_rows(to) {
            // Its text would have to be read field by field.
            let of = type_name(to.oid);
            return Err(Error::unsupported(format!("a text as a value of type {of} is not supported"))
                .with_position_if(position));
        }
        let result = match value.unknown.clone() {
            Some(Unknown::Null) => {
                let arrow = rows::form_of(to).unwrap_or_else(|| storage(to));
                Ok(Bound::with_arrow(self.null(to, &arrow), to, arrow))
            }
            Some(Unknown::Text(text)) => self.literal(&text, to, context, position),
            Some(Unknown::Param(number)) => {
                let known = to.bare();
                let bound = placeholder(number, known).map_err(|error| error.with_position_if(position))?;
                if let Some(slot) = self.params.get_mut(number - 1) {
                    *slot = Some(known);
                }
                if to.typmod < 0 { Ok(bound) } else { self.coerce(bound, to, context) }
            }
            None => self.settled(value, to, context).map_err(|error| match (error.state(), context) {
                // Of a written cast the place is the cast's, which its caller knows.
                (SqlState::CANNOT_COERCE, CastContext::Implicit | CastContext::Assignment)
                | (SqlState::FEATURE_NOT_SUPPORTED, _) => error.with_position_if(position),
                _ => error,
            }),
        };
        result.map(|bound| Bound { collation: collation_in(to, collation), ..bound.at(position) })
    }

    /// Values of the `reg...` types: names become oids by the session's own functions, and oids names.
    fn registered(&mut self, value: &Bound, to: PgType, context: CastContext) -> Option<Bound> {
        let held = |pg: PgType, arrow: &DataType| pg.is_registered() && *arrow == DataType::UInt32;
        if held(value.pg, &value.arrow) {
            let textual = matches!(to.oid, 25 | 1042 | 1043 | 19) && can_coerce(value.pg.oid, to.oid, context);
            let function = self.functions.get(&format!("pg_{}_out", value.pg.name())).filter(|_| textual)?;
            let text = Bound::new(function.call(vec![value.expr.clone()]), PgType::TEXT);
            return self.coerce(text, to, context).ok();
        }
        if !to.is_registered() {
            return None;
        }
        let function = self.functions.get(&format!("pg_{}_in", to.name())).cloned()?;
        let oid = |name: Expr| Bound::with_arrow(function.call(vec![name]), to.bare(), DataType::UInt32);
        match &value.unknown {
            Some(Unknown::Text(text)) => Some(oid(Expr::Literal(ScalarValue::Utf8View(Some(text.clone())), None))),
            Some(Unknown::Null) => {
                Some(Bound::with_arrow(self.null(to, &DataType::UInt32), to.bare(), DataType::UInt32))
            }
            Some(Unknown::Param(number)) => {
                if let Some(slot) = self.params.get_mut(number - 1) {
                    *slot = Some(to.bare());
                }
                placeholder(*number, to.bare()).ok().map(|known| oid(known.expr))
            }
            // A parameter that the client has typed so, or text.
            None => {
                let named = match value.expr {
                    Expr::Placeholder(_) => value.pg.oid == to.oid,
                    _ => matches!(value.pg.oid, 25 | 1043) && can_coerce(value.pg.oid, to.oid, context),
                };
                (named && value.arrow == DataType::Utf8View).then(|| oid(value.expr.clone()))
            }
        }
    }

    /// PostgreSQL reads a literal while it analyses, at its place; what a length makes of it comes later, at none.
    fn literal(&mut self, text: &str, to: PgType, context: CastContext, position: Option<u32>) -> Result<Bound> {
        if to.own_kind().is_some() {
            return own::literal(text, to).map_err(|error| error.with_position_if(position));
        }
        if to.oid == PgType::NUMERIC.oid {
            let number = numeric::literal(text).map_err(|error| error.with_position_if(position))?;
            return modifier::apply(number, to, context);
        }
        let base = if modifier::is_length(to) { to.bare() } else { to };
        let bound = parse(text, base, &self.facts.format).map_err(|error| error.with_position_if(position))?;
        modifier::apply(bound, to, context)
    }

    fn settled(&mut self, value: Bound, to: PgType, context: CastContext) -> Result<Bound> {
        let from = value.pg;
        if from.oid != to.oid {
            if own::is_loose(from) && super::coerce::category(to.oid) == 'S' && to.typmod < 0 {
                // Whatever it is called, its collation stays.
                return Ok(value);
            }
            if !can_coerce(from.oid, to.oid, context) {
                if own::is_opaque(from) || own::is_opaque(to) {
                    let (from, to) = (type_name(from.oid), type_name(to.oid));
                    return Err(own::refused(&format!("a cast from type {from} to {to}")));
                }
                return Err(Error::client(
                    SqlState::CANNOT_COERCE,
                    format!("cannot cast type {} to {}", type_name(from.oid), type_name(to.oid)),
                ));
            }
            if to.is_record() && from.is_record() {
                return self.record(value, to, context);
            }
            let converted = convert::convert(value, to, &self.facts)?;
            return modifier::apply(converted, to, context);
        }
        if to.typmod < 0 || to.typmod == from.typmod {
            // A value with a modifier is a value of the type without.
            return Ok(Bound { pg: if to.typmod < 0 { from } else { to }, ..value });
        }
        modifier::apply(value, to, context)
    }

    /// A record as another: one of a table's rows has its fields, each in the type of the column.
    fn record(&mut self, value: Bound, to: PgType, context: CastContext) -> Result<Bound> {
        let Some(wanted) = rows::fields_of(to) else { return Ok(Bound { pg: to, ..value }) };
        let DataType::Struct(fields) = value.arrow.clone() else {
            return Err(Error::unsupported(format!("a value of type {} is not supported", type_name(to.oid))));
        };
        if fields.len() != wanted.len() {
            let (from, to) = (type_name(value.pg.oid), type_name(to.oid));
            let many = if fields.len() > wanted.len() { "many" } else { "few" };
            return Err(Error::client(SqlState::CANNOT_COERCE, format!("cannot cast type {from} to {to}"))
                .with_detail(format!("Input has too {many} columns.")));
        }
        let mut parts = Vec::with_capacity(wanted.len());
        for (at, (field, wanted)) in fields.iter().zip(&wanted).enumerate() {
            let (expr, form) = field_at(value.expr.clone(), &fields, at)
                .ok_or_else(|| Error::internal("a record without one of its fields"))?;
            let ty = own::type_of(field);
            let part = match (&expr, ty) {
                // A literal in a row is still one.
                (Expr::Literal(ScalarValue::Utf8View(text), _), PgType::UNKNOWN) => {
                    Bound::unknown(text.clone().map_or(Unknown::Null, Unknown::Text))
                }
                _ => Bound::with_arrow(expr, ty, form),
            };
            parts.push(self.coerce(part, own::type_of(wanted), context)?);
        }
        let fields =
            parts.iter().zip(&wanted).map(|(part, wanted)| own::field(wanted.name(), part.pg, part.arrow.clone()));
        let fields = fields.collect();
        let (expr, arrow) = row(parts.into_iter().map(|part| part.expr).collect(), fields);
        Ok(Bound::with_arrow(expr, to, arrow))
    }

    /// Both values, of one PostgreSQL type, in one Arrow type.
    pub(super) fn same_arrow(&mut self, a: Bound, b: Bound) -> Result<(Bound, Bound)> {
        let mut both = self.all_same_arrow(vec![a, b])?.into_iter();
        match (both.next(), both.next()) {
            (Some(a), Some(b)) => Ok((a, b)),
            _ => Err(Error::internal("two values became fewer")),
        }
    }

    /// Values of one PostgreSQL type in one Arrow type. Numeric stays decimal only where all have one scale.
    pub(super) fn all_same_arrow(&mut self, values: Vec<Bound>) -> Result<Vec<Bound>> {
        let typed_null = |value: &Bound| value.constant().is_some_and(ScalarValue::is_null);
        let mut form: Option<DataType> = None;
        for value in values.iter().filter(|value| !typed_null(value)) {
            form = Some(match form {
                None => value.arrow.clone(),
                Some(known) if known == value.arrow => known,
                Some(known) => shared_form(&known, value)?,
            });
        }
        let Some(form) = form else { return Ok(values) };
        let in_form = |value: Bound| {
            if value.arrow == form {
                return Ok(value);
            }
            if typed_null(&value) {
                return Ok(Bound { expr: self.null(value.pg, &form), arrow: form.clone(), ..value });
            }
            if value.pg.oid == PgType::NUMERIC.oid {
                return Ok(numeric::as_form(value, &form));
            }
            text_io::array_text(value, &self.facts.format)
        };
        values.into_iter().map(in_form).collect()
    }

    /// The value of a constant expression, if it can be computed without error; else the expression as it was.
    pub(super) fn fold(&mut self, value: Bound) -> Result<Bound> {
        Ok(super::fold::fold(value))
    }
}

/// The form that values of different forms share.
fn shared_form(known: &DataType, value: &Bound) -> Result<DataType> {
    if value.pg.oid == PgType::NUMERIC.oid {
        let same_scale = numeric::parts(known).map(|(_, s)| s) == numeric::parts(&value.arrow).map(|(_, s)| s);
        let common = if same_scale { numeric::common_decimal(known, &value.arrow) } else { None };
        return Ok(common.unwrap_or(DataType::Utf8View));
    }
    // Arrays: one made here and one from a source meet in the text form.
    if value.pg.is_array() {
        return Ok(DataType::Utf8View);
    }
    Err(Error::internal(format!("type {} is held as {known} and as {}", value.type_name(), value.arrow)))
}

/// A parameter; of a type of a source's own the text that the client sends, which is read.
fn placeholder(number: usize, pg: PgType) -> Result<Bound> {
    let known = field(format!("${number}"), pg, true);
    let arrow = known.data_type().clone();
    let expr = Expr::Placeholder(Placeholder::new_with_field(format!("${number}"), Some(Arc::new(known))));
    if pg.own_kind().is_some() { own::read(expr, pg) } else { Ok(Bound::with_arrow(expr, pg, arrow)) }
}

/// A cast that DataFusion computes as PostgreSQL would: widening ones only.
pub(super) fn native(expr: Expr, to: DataType) -> Expr {
    Expr::Cast(datafusion::logical_expr::Cast::new(Box::new(expr), to))
}

/// An expression under a name, its PostgreSQL type in the metadata of the field it makes.
pub(super) fn tagged(expr: Expr, pg: PgType, name: &str) -> Expr {
    let pg = pg.told();
    let metadata =
        HashMap::from([(META_OID.to_owned(), pg.oid.to_string()), (META_TYPMOD.to_owned(), pg.typmod.to_string())]);
    let metadata = Some(FieldMetadata::from(metadata));
    Expr::Alias(Alias { expr: Box::new(expr), relation: None, name: name.to_owned(), metadata })
}

/// `'{}'` as an array type.
pub(super) fn empty_array(array: PgType) -> Result<Bound> {
    Ok(Bound::literal(ScalarValue::Utf8View(Some("{}".to_owned())), array))
}
