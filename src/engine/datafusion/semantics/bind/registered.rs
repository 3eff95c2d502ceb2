//! Functions that a session has registered besides PostgreSQL's own: of the system schema, of the catalog.
//! Must not know: what they do.

use std::sync::Arc;

use arrow::array::{ArrayRef, StructArray};
use arrow::datatypes::DataType;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, ScalarUDF};

use super::super::cast::{Functions, native};
use super::super::kernel::{call, wrong_type};
use super::super::value::Bound;
use super::setop::project;
use super::{Binder, Relation};
use crate::error::Result;
use crate::types::{PgType, named_oid, pg_type_of};

/// Registered functions by their full name (`tusk.refresh`, `pg_get_userbyid`).
pub(super) type Registered = Functions;

impl Binder<'_> {
    /// A registered function over arguments whose types nobody declares: literals become text.
    pub(super) fn registered(&mut self, name: &str, args: &[Bound]) -> Result<Option<Bound>> {
        let Some(function) = self.registered.get(name).cloned() else { return Ok(None) };
        let args = args.iter().map(|arg| self.typing.settle(arg.clone())).collect::<Result<Vec<_>>>()?;
        Ok(Some(called(&function, &args, None)))
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
}

/// An oid and its name: which of them is sent depends on the format that is asked for.
fn named(function: &Arc<ScalarUDF>, oid: &Bound) -> Bound {
    let name = called(function, std::slice::from_ref(oid), Some(PgType::TEXT));
    let form = named_oid();
    let args = vec![oid.expr.clone(), native(name.expr, DataType::Utf8View)];
    let returns = form.clone();
    let pair = call("named_oid", args, form.clone(), move |arrays| {
        let DataType::Struct(fields) = &returns else { return Err(wrong_type("named_oid")) };
        let pair = StructArray::try_new(fields.clone(), arrays.to_vec(), None);
        pair.map(|pair| Arc::new(pair) as ArrayRef).map_err(|error| DataFusionError::ArrowError(Box::new(error), None))
    });
    Bound::with_arrow(pair, oid.pg, form)
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
