//! An expression whose parts are evaluated on the rows that the parts before let through, as one function of the columns it reads:
//! no rule of the optimizer can see into it, take a part out of it or evaluate it elsewhere.
//! Must not know: which expressions need it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow::compute::{and_kleene, or_kleene};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DataFusionError, Result};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use datafusion::scalar::ScalarValue;

use super::fallible::{can_fail, holds};

/// What is evaluated. Its columns are the function's arguments, by their number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Template {
    /// AND of these, from left to right.
    All(Vec<Expr>),
    /// OR of these, from left to right.
    Any(Vec<Expr>),
    /// A CASE, which evaluates its parts where they are reached.
    Case(Expr),
}

/// The function.
pub(super) struct Lazy {
    name: String,
    template: Template,
    /// What holds for each row whose value is asked for.
    given: Vec<Expr>,
    signature: Signature,
    compiled: OnceLock<(Vec<DataType>, Body)>,
}

#[derive(Clone)]
enum Body {
    Logic { all: bool, operands: Vec<(Arc<dyn PhysicalExpr>, bool)> },
    Case(Arc<dyn PhysicalExpr>),
}

/// AND of these, each evaluated where those before it are not false.
pub(super) fn all_of(operands: Vec<Expr>) -> Result<Expr> {
    call(Template::All, operands, Vec::new())
}

/// OR of these, each evaluated where those before it are not true.
pub(super) fn any_of(operands: Vec<Expr>) -> Result<Expr> {
    call(Template::Any, operands, Vec::new())
}

/// A CASE. `given`: conditions that it tests first itself.
pub(super) fn case(case: Expr, given: Vec<Expr>) -> Result<Expr> {
    let make = |mut parts: Vec<Expr>| Template::Case(parts.pop().unwrap_or_default());
    call(make, vec![case], given)
}

/// Whether a call tests this condition itself, before all else.
pub(super) fn tests(expr: &Expr, condition: &Expr) -> bool {
    let Expr::ScalarFunction(function) = expr else { return false };
    let any: &dyn std::any::Any = function.func.inner().as_ref();
    let Some(lazy) = any.downcast_ref::<Lazy>() else { return false };
    lazy.given.iter().any(|given| instantiated(given.clone(), &function.args).is_ok_and(|given| given == *condition))
}

fn call(make: impl FnOnce(Vec<Expr>) -> Template, parts: Vec<Expr>, given: Vec<Expr>) -> Result<Expr> {
    let mut args = Vec::new();
    let parts = parts.into_iter().map(|part| separated(part, &mut args)).collect::<Result<Vec<_>>>()?;
    let given = given.into_iter().map(|part| separated(part, &mut args)).collect::<Result<Vec<_>>>()?;
    let volatility = parts.iter().map(volatility).max_by_key(|found| rank(*found)).unwrap_or(Volatility::Immutable);
    let signature = match args.len() {
        0 => Signature::nullary(volatility),
        count => Signature::any(count, volatility),
    };
    let name = format!("lazily[{}]", parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    let lazy = Lazy { name, template: make(parts), given, signature, compiled: OnceLock::new() };
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::new_from_impl(lazy)), args)))
}

fn rank(volatility: Volatility) -> u8 {
    match volatility {
        Volatility::Immutable => 0,
        Volatility::Stable => 1,
        Volatility::Volatile => 2,
    }
}

fn volatility(expr: &Expr) -> Volatility {
    let of = |wanted: Volatility| {
        holds(expr, |node| matches!(node, Expr::ScalarFunction(f) if f.func.signature().volatility == wanted))
    };
    if of(Volatility::Volatile) {
        Volatility::Volatile
    } else if of(Volatility::Stable) {
        Volatility::Stable
    } else {
        Volatility::Immutable
    }
}

fn place(at: usize) -> String {
    format!("#{at}")
}

/// The expression over the function's arguments; what it reads from outside is added to them.
fn separated(expr: Expr, args: &mut Vec<Expr>) -> Result<Expr> {
    let made = expr.transform_down(|node| {
        if !from_outside(&node) {
            return Ok(Transformed::no(node));
        }
        let at = args.iter().position(|known| *known == node).unwrap_or_else(|| {
            args.push(node);
            args.len() - 1
        });
        Ok(Transformed::new(Expr::Column(Column::new_unqualified(place(at))), true, TreeNodeRecursion::Jump))
    })?;
    Ok(made.data)
}

fn from_outside(node: &Expr) -> bool {
    matches!(
        node,
        Expr::Column(_)
            | Expr::OuterReferenceColumn(..)
            | Expr::Placeholder(_)
            | Expr::ScalarVariable(..)
            | Expr::ScalarSubquery(_)
            | Expr::Exists(_)
            | Expr::InSubquery(_)
            | Expr::SetComparison(_)
            | Expr::AggregateFunction(_)
            | Expr::WindowFunction(_)
            | Expr::Unnest(_)
    )
}

/// The expression with the arguments in the places of its columns.
fn instantiated(expr: Expr, args: &[Expr]) -> Result<Expr> {
    let made = expr.transform_down(|node| {
        let Expr::Column(column) = &node else { return Ok(Transformed::no(node)) };
        let at = column.name.strip_prefix('#').and_then(|at| at.parse::<usize>().ok());
        Ok(match at.and_then(|at| args.get(at)) {
            Some(arg) => Transformed::new(arg.clone(), true, TreeNodeRecursion::Jump),
            None => Transformed::no(node),
        })
    })?;
    Ok(made.data)
}

fn schema_of(types: &[DataType]) -> Schema {
    Schema::new(types.iter().enumerate().map(|(at, of)| Field::new(place(at), of.clone(), true)).collect::<Vec<_>>())
}

impl Lazy {
    fn compile(&self, types: &[DataType]) -> Result<Body> {
        let schema = DFSchema::try_from(schema_of(types))?;
        let physical = |expr: &Expr| {
            create_physical_expr(expr, &schema, &ExecutionProps::new(), &PhysicalPlanningContext::default())
        };
        let operands = |parts: &[Expr]| -> Result<Vec<_>> {
            parts.iter().map(|part| Ok((physical(part)?, can_fail(part) || part.is_volatile()))).collect()
        };
        Ok(match &self.template {
            Template::All(parts) => Body::Logic { all: true, operands: operands(parts)? },
            Template::Any(parts) => Body::Logic { all: false, operands: operands(parts)? },
            Template::Case(case) => Body::Case(physical(case)?),
        })
    }

    fn body(&self, types: &[DataType]) -> Result<Body> {
        match self.compiled.get() {
            Some((known, body)) if known == types => Ok(body.clone()),
            Some(_) => self.compile(types),
            None => {
                let body = self.compile(types)?;
                let _ = self.compiled.set((types.to_vec(), body.clone()));
                Ok(body)
            }
        }
    }
}

/// AND or OR, each operand that can fail evaluated on the rows that are still undecided.
fn logic(all: bool, operands: &[(Arc<dyn PhysicalExpr>, bool)], batch: &RecordBatch) -> Result<ArrayRef> {
    let rows = batch.num_rows();
    let mut so_far: Option<BooleanArray> = None;
    for (operand, careful) in operands {
        let value = match &so_far {
            Some(known) if *careful => {
                let open = (0..rows).map(|row| Some(known.is_null(row) || known.value(row) == all)).collect();
                operand.evaluate_selection(batch, &open)?
            }
            _ => operand.evaluate(batch)?,
        };
        let value = value.into_array(rows)?;
        let value = value
            .as_boolean_opt()
            .ok_or_else(|| DataFusionError::Internal("an operand of AND or OR is no truth value".into()))?;
        so_far = Some(match so_far {
            None => value.clone(),
            Some(known) if all => and_kleene(&known, value)?,
            Some(known) => or_kleene(&known, value)?,
        });
    }
    match so_far {
        Some(result) => Ok(Arc::new(result)),
        None => Err(DataFusionError::Internal("AND or OR of nothing".into())),
    }
}

impl fmt::Debug for Lazy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)
    }
}

impl PartialEq for Lazy {
    fn eq(&self, other: &Self) -> bool {
        self.template == other.template && self.given == other.given
    }
}

impl Eq for Lazy {}

impl Hash for Lazy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.template.hash(state);
    }
}

impl ScalarUDFImpl for Lazy {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match &self.template {
            Template::All(_) | Template::Any(_) => Ok(DataType::Boolean),
            Template::Case(case) => case.get_type(&DFSchema::try_from(schema_of(types))?),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = self.signature.volatility != Volatility::Volatile
            && args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        if args.number_rows == 0 && !constant {
            return Ok(ColumnarValue::Array(new_empty_array(args.return_type())));
        }
        let rows = if constant { 1 } else { args.number_rows };
        let arrays = args.args.into_iter().map(|arg| arg.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let types: Vec<DataType> = arrays.iter().map(|array| array.data_type().clone()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::new(schema_of(&types)), arrays, &options)?;
        let result = match self.body(&types)? {
            Body::Logic { all, operands } => logic(all, &operands, &batch)?,
            Body::Case(case) => case.evaluate(&batch)?.into_array(rows)?,
        };
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
        }
        Ok(ColumnarValue::Array(result))
    }
}
