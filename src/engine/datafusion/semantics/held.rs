//! Constants of rows that may be missing: below an outer join, or a GROUPING SETS, a constant is none for who reads it above.
//! Must not know: which plans want that.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

/// A constant that the planner does not take for one: it would go on taking it for one where it is NULL, and leave out sorts.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Held {
    value: ScalarValue,
    name: String,
    signature: Signature,
}

impl ScalarUDFImpl for Held {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.value.data_type())
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(self.value.clone()))
    }
}

fn held(value: ScalarValue) -> Expr {
    let name = format!("held({value:?})");
    let signature = Signature::nullary(Volatility::Volatile);
    Expr::ScalarFunction(ScalarFunction::new_udf(
        Arc::new(ScalarUDF::new_from_impl(Held { value, name, signature })),
        Vec::new(),
    ))
}

/// The plan with the constants of its select lists held.
pub(super) fn constants_held(plan: LogicalPlan) -> Result<LogicalPlan> {
    let held = plan.transform_up(|node| {
        let lists = matches!(&node, LogicalPlan::Projection(_))
            || matches!(&node, LogicalPlan::Values(values) if values.values.len() == 1);
        if !lists {
            return Ok(Transformed::no(node));
        }
        let changed = node.map_expressions(|expr| {
            Ok(match expr {
                Expr::Literal(value, _) => {
                    let name = Expr::Literal(value.clone(), None).schema_name().to_string();
                    Transformed::yes(held(value).alias(name))
                }
                Expr::Alias(mut alias) => match *alias.expr {
                    Expr::Literal(value, _) => {
                        *alias.expr = held(value);
                        Transformed::yes(Expr::Alias(alias))
                    }
                    _ => Transformed::no(Expr::Alias(alias)),
                },
                other => Transformed::no(other),
            })
        })?;
        if changed.transformed { changed.map_data(LogicalPlan::recompute_schema) } else { Ok(changed) }
    })?;
    Ok(held.data)
}
