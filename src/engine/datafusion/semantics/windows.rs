//! Window functions: DataFusion's, in PostgreSQL's types.
//! Must not know: SQL.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::functions_window::cume_dist::cume_dist_udwf;
use datafusion::functions_window::lead_lag::{lag_udwf, lead_udwf};
use datafusion::functions_window::nth_value::{first_value_udwf, last_value_udwf, nth_value_udwf};
use datafusion::functions_window::ntile::ntile_udwf;
use datafusion::functions_window::rank::{dense_rank_udwf, percent_rank_udwf, rank_udwf};
use datafusion::functions_window::row_number::row_number_udwf;
use datafusion::logical_expr::expr::{WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{AggregateUDF, Expr, SortExpr, WindowFrame, WindowFunctionDefinition, WindowUDF, lit};
use datafusion::scalar::ScalarValue;

use super::aggregates::{Calls, plain};
use super::cast::native;
use super::fold::fold;
use super::value::Bound;
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

/// A call over a window, bound.
#[derive(Debug, Clone)]
pub(super) struct Window {
    pub(super) args: Vec<Bound>,
    pub(super) partition: Vec<Expr>,
    pub(super) order: Vec<SortExpr>,
    pub(super) frame: WindowFrame,
    pub(super) filter: Option<Box<Expr>>,
}

impl Window {
    fn over(&self, fun: WindowFunctionDefinition, args: Vec<Expr>) -> Expr {
        let params = WindowFunctionParams {
            args,
            partition_by: self.partition.clone(),
            order_by: self.order.clone(),
            window_frame: self.frame.clone(),
            filter: self.filter.clone(),
            null_treatment: None,
            distinct: false,
        };
        Expr::WindowFunction(Box::new(WindowFunction { fun, params }))
    }

    fn udwf(&self, function: Arc<WindowUDF>, args: Vec<Expr>) -> Expr {
        self.over(WindowFunctionDefinition::WindowUDF(function), args)
    }
}

impl Calls for Window {
    fn call(&self, function: Arc<AggregateUDF>, args: Vec<Expr>) -> Expr {
        self.over(WindowFunctionDefinition::AggregateUDF(function), args)
    }

    fn distinct(&self) -> bool {
        false
    }

    fn slides(&self) -> bool {
        !self.frame.start_bound.is_unbounded()
    }
}

fn ranking(function: Arc<WindowUDF>, partition: Vec<Expr>, order: Vec<SortExpr>) -> Expr {
    let frame = WindowFrame::new((!order.is_empty()).then_some(false));
    Window { args: Vec::new(), partition, order, frame, filter: None }.udwf(function, Vec::new())
}

/// Numbers the rows of each group of equal values.
pub(super) fn numbered(values: Vec<Expr>) -> Expr {
    ranking(row_number_udwf(), values, Vec::new())
}

/// The rank of each row in an order.
pub(super) fn ranked(order: Vec<SortExpr>) -> Expr {
    ranking(rank_udwf(), Vec::new(), order)
}

/// A window function or an aggregate over a window; none if it is not offered.
pub(super) fn build(source: &str, window: Window, returns: PgType) -> Result<Option<Bound>> {
    if window.filter.is_some() && source.starts_with("window_") {
        return Err(Error::unsupported("FILTER is not implemented for non-aggregate window functions"));
    }
    let counted = |function: Arc<WindowUDF>| {
        Ok(Some(Bound::new(native(window.udwf(function, Vec::new()), DataType::Int64), returns)))
    };
    match source {
        "window_row_number" => counted(row_number_udwf()),
        "window_rank" => counted(rank_udwf()),
        "window_dense_rank" => counted(dense_rank_udwf()),
        "window_percent_rank" => Ok(Some(Bound::new(window.udwf(percent_rank_udwf(), Vec::new()), returns))),
        "window_cume_dist" => Ok(Some(Bound::new(window.udwf(cume_dist_udwf(), Vec::new()), returns))),
        "window_ntile" => ntile(&window, returns),
        "window_first_value" => valued(&window, first_value_udwf()),
        "window_last_value" => valued(&window, last_value_udwf()),
        "window_nth_value" => nth(&window),
        _ if source.starts_with("window_lag") => shifted(&window, lag_udwf()),
        _ if source.starts_with("window_lead") => shifted(&window, lead_udwf()),
        _ => plain(source, &window.args.clone(), &window, returns),
    }
}

fn constant(value: Option<&Bound>, what: &str) -> Result<i64> {
    let folded = value.map(|value| fold(value.clone()));
    match folded.as_ref().and_then(Bound::constant) {
        Some(ScalarValue::Int32(Some(n))) => Ok(i64::from(*n)),
        _ => Err(Error::unsupported(format!("{what} that is not a constant is not supported"))),
    }
}

fn ntile(window: &Window, returns: PgType) -> Result<Option<Bound>> {
    let buckets = constant(window.args.first(), "an argument of ntile")?;
    if buckets <= 0 {
        let state = SqlState::from_code("22014").unwrap_or(SqlState::INVALID_PARAMETER_VALUE);
        return Err(Error::client(state, "argument of ntile must be greater than zero"));
    }
    Ok(Some(Bound::new(native(window.udwf(ntile_udwf(), vec![lit(buckets)]), DataType::Int32), returns)))
}

fn valued(window: &Window, function: Arc<WindowUDF>) -> Result<Option<Bound>> {
    let [value] = window.args.as_slice() else { return Ok(None) };
    let expr = window.udwf(function, vec![value.expr.clone()]);
    Ok(Some(Bound::with_arrow(expr, value.pg, value.arrow.clone())))
}

fn nth(window: &Window) -> Result<Option<Bound>> {
    let [value, n] = window.args.as_slice() else { return Ok(None) };
    let n = constant(Some(n), "an argument of nth_value")?;
    if n <= 0 {
        let state = SqlState::from_code("22016").unwrap_or(SqlState::INVALID_PARAMETER_VALUE);
        return Err(Error::client(state, "argument of nth_value must be greater than zero"));
    }
    let expr = window.udwf(nth_value_udwf(), vec![value.expr.clone(), lit(n)]);
    Ok(Some(Bound::with_arrow(expr, value.pg, value.arrow.clone())))
}

fn shifted(window: &Window, function: Arc<WindowUDF>) -> Result<Option<Bound>> {
    let Some(value) = window.args.first() else { return Ok(None) };
    let mut args = vec![value.expr.clone()];
    if window.args.len() > 1 {
        args.push(lit(constant(window.args.get(1), "an offset of lag or lead")?));
    }
    if let Some(default) = window.args.get(2) {
        let default = super::numeric::as_form(fold(default.clone()), &value.arrow);
        let constant = default.constant().filter(|constant| constant.data_type() == value.arrow);
        let Some(constant) = constant else {
            return Err(Error::unsupported(
                "a default of lag or lead that is not a constant of the column's type is not supported",
            ));
        };
        args.push(Expr::Literal(constant.clone(), None));
    }
    Ok(Some(Bound::with_arrow(window.udwf(function, args), value.pg, value.arrow.clone())))
}
