//! Constant folding: expressions without rows are computed while planning.
//! Must not know: types; a value keeps the type it was bound with.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Schema};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{ColumnarValue, Expr, Volatility};
use datafusion::physical_expr::create_physical_expr;
use datafusion::scalar::ScalarValue;

use super::value::Bound;

/// The constant that an expression is, if it needs no row and fails nowhere; else the expression as it was.
pub(super) fn fold(value: Bound) -> Bound {
    if value.unknown.is_some() || matches!(value.expr, Expr::Literal(..)) || !is_constant(&value.expr) {
        return value;
    }
    match evaluate(&value.expr) {
        Some(Ok((constant, _))) if constant.data_type() == value.arrow => {
            Bound { expr: Expr::Literal(constant, None), ..value }
        }
        _ => value,
    }
}

fn is_constant(expr: &Expr) -> bool {
    let mut constant = true;
    let _ = expr.apply(|node| {
        let fine = match node {
            Expr::Literal(..)
            | Expr::BinaryExpr(_)
            | Expr::Not(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNotFalse(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotUnknown(_)
            | Expr::Cast(_)
            | Expr::InList(_)
            | Expr::Case(_) => true,
            Expr::ScalarFunction(function) => function.func.signature().volatility != Volatility::Volatile,
            _ => false,
        };
        constant &= fine;
        Ok(if fine { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    constant
}

/// The value of an expression over constants, and the type that it was planned for; none if it cannot be computed by itself.
pub(super) fn evaluate(expr: &Expr) -> Option<Result<(ScalarValue, DataType)>> {
    let physical =
        create_physical_expr(expr, &DFSchema::empty(), &ExecutionProps::new(), &PhysicalPlanningContext::default())
            .ok()?;
    let compute = || {
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        let schema = Arc::new(Schema::empty());
        let planned = physical.data_type(&schema)?;
        let row = RecordBatch::try_new_with_options(schema, Vec::new(), &options)?;
        let value = match physical.evaluate(&row)? {
            ColumnarValue::Scalar(value) => value,
            ColumnarValue::Array(array) => ScalarValue::try_from_array(&array, 0)?,
        };
        Ok((value, planned))
    };
    Some(compute())
}
