//! A scalar function with PostgreSQL's semantics as DataFusion sees it: a name, a result type, a body.
//! Must not know: SQL, how functions are resolved.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use crate::engine::datafusion::stop;
use crate::error::Error;

/// The body: arrays of equal length in, one array of that length out.
pub(super) type Body = Arc<dyn Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync>;

/// One scalar function. Two with the same name, result type and volatility are the same function.
pub(super) struct Kernel {
    name: String,
    returns: DataType,
    signature: Signature,
    body: Body,
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)
    }
}

impl PartialEq for Kernel {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.returns == other.returns
    }
}

impl Eq for Kernel {}

impl Hash for Kernel {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.returns.hash(state);
    }
}

impl ScalarUDFImpl for Kernel {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        // What may be another on every row is computed for every row.
        let constant = self.signature.volatility != Volatility::Volatile
            && !args.args.is_empty()
            && args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let arrays = args.args.into_iter().map(|arg| arg.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let result = (self.body)(&arrays)?;
        if constant && stop::is_planning() {
            small(&arrays, &result).map_err(external)?;
        }
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
        }
        Ok(ColumnarValue::Array(result))
    }
}

/// Bytes that a constant may have, whatever it is made of.
const SMALL: usize = 64 << 10;

/// A constant that is computed while planning does not become a text of the plan that is much larger than those it is made of.
fn small(args: &[ArrayRef], result: &ArrayRef) -> Result<(), Error> {
    let made = result.get_array_memory_size();
    let given: usize = args.iter().map(|array| array.get_array_memory_size()).sum();
    if made > SMALL.max(given.saturating_mul(8)) {
        return Err(stop::too_much());
    }
    stop::check(made as u64 / 16)
}

/// A call of a function that gives the same result for the same arguments.
///
/// The name must tell everything that the body was made from, except the types of the arguments.
pub(super) fn call<F>(name: impl Into<String>, args: Vec<Expr>, returns: DataType, body: F) -> Expr
where
    F: Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync + 'static,
{
    make(name.into(), args, returns, Volatility::Immutable, Arc::new(body))
}

/// A call of a function that may give another result on every row; it takes at least one argument for the number of rows.
pub(super) fn call_volatile<F>(name: impl Into<String>, args: Vec<Expr>, returns: DataType, body: F) -> Expr
where
    F: Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync + 'static,
{
    make(name.into(), args, returns, Volatility::Volatile, Arc::new(body))
}

/// An error that PostgreSQL meets when it runs, not while it plans; NULL where an argument is.
pub(super) fn failing(args: Vec<Expr>, returns: DataType, error: Error) -> Expr {
    let form = returns.clone();
    let args = if args.is_empty() { vec![datafusion::logical_expr::lit(0_i64)] } else { args };
    call_volatile(format!("raise({})", error.message()), args, returns, move |args| {
        let rows = args.first().map_or(0, |array| array.len());
        let null = |row: usize| args.iter().any(|array| array.is_null(row));
        if (0..rows).all(null) { Ok(arrow::array::new_null_array(&form, rows)) } else { Err(external(error.clone())) }
    })
}

fn make(name: String, args: Vec<Expr>, returns: DataType, volatility: Volatility, body: Body) -> Expr {
    let signature =
        if args.is_empty() { Signature::nullary(volatility) } else { Signature::any(args.len(), volatility) };
    let kernel = Kernel { name, returns, signature, body };
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::new_from_impl(kernel)), args))
}

/// An error of ours on its way through DataFusion; `from_datafusion` takes it out again.
pub(super) fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// An argument that has not the Arrow type the function was planned for.
pub(super) fn wrong_type(function: &str) -> DataFusionError {
    DataFusionError::Internal(format!("{function} was called with an array of another type than planned"))
}
