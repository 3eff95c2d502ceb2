//! Functions that a session has registered besides PostgreSQL's own: of the system schema, of the catalog.
//! Must not know: what they do.

use std::sync::Arc;

use arrow::array::{ArrayRef, StructArray};
use arrow::datatypes::DataType;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, ScalarUDF, TypeSignature};

use super::super::cast::{Functions, native};
use super::super::coerce::{AtPosition, can_coerce, category};
use super::super::errors::from_datafusion;
use super::super::fold::evaluate;
use super::super::kernel::{call, wrong_type};
use super::super::pg::CastContext;
use super::super::value::{Bound, Unknown};
use super::setop::project;
use super::{Binder, Relation};
use crate::error::{Error, Result, SqlState};
use crate::types::{PgType, named_oid, pg_type_of};

/// What makes a pair of an oid and its name.
pub(crate) const NAMED_OID: &str = "named_oid";

/// Registered functions by their full name (`tusk.refresh`, `pg_get_userbyid`).
pub(super) type Registered = Functions;

impl Binder<'_> {
    /// A registered function of a schema of Tusk's, if it takes these arguments. One without a schema is called as PostgreSQL's catalog
    /// declares it, or not at all; apart from those that casts are written as.
    pub(super) fn registered(&mut self, name: &str, args: &[Bound]) -> Result<Option<Bound>> {
        let Some(function) = self.registered.get(name).cloned() else { return Ok(None) };
        if !name.contains('.') {
            return self.named_cast(name, &function, args);
        }
        let TypeSignature::Exact(forms) = &function.signature().type_signature else { return Ok(None) };
        let declared: Vec<PgType> = forms.iter().map(declared).collect();
        let fits = |(arg, to): (&Bound, &PgType)| can_coerce(arg.pg.oid, to.oid, CastContext::Implicit);
        if declared.len() != args.len() || !args.iter().zip(&declared).all(fits) {
            return Ok(None);
        }
        let coerced = args.iter().zip(&declared).map(|(arg, to)| self.argument(arg.clone(), to.oid));
        let coerced = coerced.collect::<Result<Vec<_>>>()?;
        Ok(Some(called(&function, &coerced, None)))
    }

    /// `x::regclass` comes as `pg_regclass_in(x)`, and a cast of that to text as `pg_regclass_out` of it.
    fn named_cast(&mut self, name: &str, function: &Arc<ScalarUDF>, args: &[Bound]) -> Result<Option<Bound>> {
        let Some(form) = name.strip_prefix("pg_reg") else { return Ok(None) };
        let ([arg], true) = (args, form.ends_with("_in") || form.ends_with("_out")) else { return Ok(None) };
        let (literal, place) = (matches!(arg.unknown, Some(Unknown::Text(_))), arg.position);
        let arg = self.typing.settle(arg.clone())?;
        let castable = matches!(arg.pg.oid, 20 | 21 | 23 | 26) || arg.pg.is_registered() || category(arg.pg.oid) == 'S';
        match form.strip_suffix("_in") {
            Some(form) if !castable => {
                let message = format!("cannot cast type {} to reg{form}", arg.type_name());
                let behind = |at: u32| self.places.first_from(at, &["::"], 0);
                let place =
                    arg.position.and_then(|at| behind(at).or_else(|| self.places.last_before(at, &["cast"], 0)));
                Err(Error::client(SqlState::CANNOT_COERCE, message).with_position_if(place))
            }
            _ => {
                let made = called(function, &[arg], None);
                // As every literal of a known type, it is read when it is met.
                if literal && let Some(Err(error)) = evaluate(&made.expr) {
                    return Err(from_datafusion(error).with_position_if(place));
                }
                Ok(Some(made))
            }
        }
    }

    /// The output of a statement with the names of the oids that its `reg...` columns hold.
    pub(super) fn names_of_oids(&mut self, mut relation: Relation) -> Result<Relation> {
        let held = |value: &Bound| value.arrow == DataType::UInt32 && value.pg.name().starts_with("reg");
        if !relation.columns.iter().any(|output| held(&output.value)) {
            return Ok(relation);
        }
        let names: Vec<String> = relation.plan.schema().fields().iter().map(|field| field.name().clone()).collect();
        for output in &mut relation.columns {
            let value = &output.value;
            if !held(value) {
                continue;
            }
            let Some(function) = self.registered.get(&format!("pg_{}_out", value.pg.name())) else { continue };
            output.value = named(function, value);
        }
        relation.plan = project(relation.plan, relation.columns.iter().map(|output| &output.value), &names)?;
        Ok(relation)
    }

    /// A registered function in place of one that PostgreSQL's catalog declares, over coerced arguments.
    pub(super) fn registered_resolved(&mut self, name: &str, args: &[Bound], returns: PgType) -> Option<Bound> {
        let function = self.registered.get(name)?;
        Some(called(function, args, Some(returns)))
    }

    /// The same of one that gives rows: the list of them.
    pub(super) fn registered_rows(&self, name: &str, args: &[Bound]) -> Option<Bound> {
        self.registered.get(name).map(|function| called(function, args, None))
    }
}

/// An oid and its name: which of them is sent depends on the format that is asked for.
fn named(function: &Arc<ScalarUDF>, oid: &Bound) -> Bound {
    let name = called(function, std::slice::from_ref(oid), Some(PgType::TEXT));
    let form = named_oid();
    let args = vec![oid.expr.clone(), native(name.expr, DataType::Utf8View)];
    let returns = form.clone();
    let pair = call(NAMED_OID, args, form.clone(), move |arrays| {
        let DataType::Struct(fields) = &returns else { return Err(wrong_type(NAMED_OID)) };
        let pair = StructArray::try_new(fields.clone(), arrays.to_vec(), None);
        pair.map(|pair| Arc::new(pair) as ArrayRef).map_err(|error| DataFusionError::ArrowError(Box::new(error), None))
    });
    Bound::with_arrow(pair, oid.pg, form)
}

/// The type that an argument of this form is declared with.
fn declared(form: &DataType) -> PgType {
    if *form == DataType::Int32 { PgType::INT4 } else { PgType::TEXT }
}

fn called(function: &Arc<ScalarUDF>, args: &[Bound], returns: Option<PgType>) -> Bound {
    use datafusion::common::DFSchema;
    use datafusion::logical_expr::ExprSchemable;
    let exprs: Vec<Expr> = args.iter().map(|arg| arg.expr.clone()).collect();
    let expr = function.call(exprs);
    // The arguments' own types, as a schema without columns cannot tell those of columns.
    let fields = args
        .iter()
        .map(|arg| Arc::new(arrow::datatypes::Field::new("argument", arg.arrow.clone(), true)))
        .collect::<Vec<_>>();
    let scalars = vec![None; fields.len()];
    let found = function.return_field_from_args(datafusion::logical_expr::ReturnFieldArgs {
        arg_fields: &fields,
        scalar_arguments: &scalars,
    });
    let field = found.ok().or_else(|| expr.to_field(&DFSchema::empty()).ok().map(|(_, field)| field));
    match field {
        Some(field) => {
            let pg = returns.unwrap_or_else(|| pg_type_of(&field));
            Bound::with_arrow(expr, pg, field.data_type().clone())
        }
        None => Bound::new(expr, returns.unwrap_or(PgType::TEXT)),
    }
}
