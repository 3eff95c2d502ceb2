//! Functions that a session has registered besides PostgreSQL's own: of the system schema, of the catalog.
//! Must not know: what they do.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::logical_expr::{Expr, ScalarUDF};

use super::super::value::Bound;
use super::Binder;
use crate::error::Result;
use crate::types::{PgType, pg_type_of};

/// Registered functions by their full name (`tusk.refresh`, `pg_get_userbyid`).
pub(super) type Registered = HashMap<String, Arc<ScalarUDF>>;

impl Binder<'_> {
    /// A registered function over arguments whose types nobody declares: literals become text.
    pub(super) fn registered(&mut self, name: &str, args: &[Bound]) -> Result<Option<Bound>> {
        let Some(function) = self.registered.get(name).cloned() else { return Ok(None) };
        let args = args.iter().map(|arg| self.typing.settle(arg.clone())).collect::<Result<Vec<_>>>()?;
        Ok(Some(called(&function, &args, None)))
    }

    /// A registered function in place of one that PostgreSQL's catalog declares, over coerced arguments.
    pub(super) fn registered_resolved(&mut self, name: &str, args: &[Bound], returns: PgType) -> Option<Bound> {
        let function = self.registered.get(name)?;
        Some(called(function, args, Some(returns)))
    }
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
