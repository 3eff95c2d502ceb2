//! `generate_series` over integers in FROM.
//! Must not know: how rows are made.

use crate::sql::ast::TableAlias;
use arrow::datatypes::DataType;
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl};
use datafusion::datasource::provider_as_source;
use datafusion::functions_table::generate_series::GenerateSeriesFunc;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, lit};
use datafusion::scalar::ScalarValue;

use super::super::cast::native;
use super::super::coerce::AtPosition;
use super::super::errors::from_datafusion;
use super::super::fold::fold;
use super::super::resolve::{Resolved, function};
use super::super::value::Bound;
use super::call::{no_function, signature};
use super::from::{Source, ident};
use super::scope::column_expr;
use super::setop::project;
use super::targets::{Target, outputs};
use super::{Binder, Relation, refuse};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

impl Binder<'_> {
    /// `generate_series` in FROM over what stands on its own.
    pub(super) fn table_call(
        &mut self,
        function_name: &str,
        bound: Vec<Bound>,
        alias: Option<&TableAlias>,
        position: Option<u32>,
    ) -> Result<Source> {
        let types: Vec<u32> = bound.iter().map(|arg| arg.pg.oid).collect();
        match function(function_name, &types) {
            Resolved::One((declared, found)) if found.source.starts_with("generate_series_") => {
                let mut coerced = Vec::new();
                for (arg, to) in bound.into_iter().zip(&declared) {
                    coerced.push(fold(self.argument(arg, *to)?));
                }
                let relation = self.series(&coerced, PgType::new(found.returns), alias)?;
                self.aliased(relation, "generate_series", alias)
            }
            Resolved::One((_, found)) if found.source == "pg_listening_channels" => {
                let relation = self.listening_channels(alias)?;
                self.aliased(relation, "pg_listening_channels", alias)
            }
            Resolved::One(_) => Err(Error::unsupported(format!(
                "function {} in FROM is not supported",
                signature(function_name, &types)
            ))
            .with_position_if(position)),
            missing => {
                Err(no_function(function_name, &types, matches!(missing, Resolved::Ambiguous))
                    .with_position_if(position))
            }
        }
    }

    fn series(&mut self, args: &[Bound], pg: PgType, alias: Option<&TableAlias>) -> Result<Relation> {
        if !matches!(pg.oid, 20 | 23) {
            return refuse(&format!("generate_series over type {}", pg.display_name()));
        }
        let mut numbers: Vec<i64> = Vec::new();
        let mut null = false;
        for arg in args {
            match arg.constant() {
                Some(ScalarValue::Int32(Some(n))) => numbers.push(i64::from(*n)),
                Some(ScalarValue::Int64(Some(n))) => numbers.push(*n),
                Some(value) if value.is_null() => null = true,
                _ => return self.computed_series(args, pg, alias),
            }
        }
        if numbers.get(2) == Some(&0) {
            return Err(Error::client(SqlState::INVALID_PARAMETER_VALUE, "step size cannot equal zero"));
        }
        // DataFusion refuses a series that runs the other way; PostgreSQL's is empty.
        let (start, stop) = (numbers.first().copied().unwrap_or(1), numbers.get(1).copied().unwrap_or(0));
        let step = numbers.get(2).copied().unwrap_or(1);
        let empty = null || (step > 0 && start > stop) || (step < 0 && start < stop);
        let given: Vec<Expr> =
            if empty { vec![lit(0_i64), lit(0_i64), lit(1_i64)] } else { vec![lit(start), lit(stop), lit(step)] };
        let args = TableFunctionArgs::new(&given, self.state);
        let provider = GenerateSeriesFunc {}.call_with_args(args).map_err(from_datafusion)?;
        let mut builder =
            LogicalPlanBuilder::scan("generate_series", provider_as_source(provider), None).map_err(from_datafusion)?;
        if empty {
            builder = builder.filter(lit(false)).map_err(from_datafusion)?;
        }
        let plan = builder.build().map_err(from_datafusion)?;
        let value = match plan.schema().columns().into_iter().next() {
            Some(column) => Expr::Column(column),
            None => column_expr(None, "value"),
        };
        let value = if pg.oid == 23 { native(value, DataType::Int32) } else { value };
        let name = alias.map_or_else(|| "generate_series".to_owned(), |alias| ident(&alias.name));
        let targets = vec![Target { name: name.clone(), value: Bound::new(value, pg) }];
        let names = vec![name];
        let plan = project(plan, targets.iter().map(|target| &target.value), &names)?;
        Ok(Relation::of(plan, outputs(targets, &names)))
    }
}
