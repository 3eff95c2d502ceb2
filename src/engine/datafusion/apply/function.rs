//! A subquery as a function: for each distinct set of outer values its plan runs once, with these values in it.
//! Must not know: how outer columns were found.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array, new_empty_array};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, UInt32Type};
use arrow::row::{RowConverter, SortField};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::expr::{Placeholder, ScalarFunction};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_plan::collect;
use datafusion::scalar::ScalarValue;

use super::super::{in_memory, stop};
use super::correlation::replaced;
use super::held::{HeldTable, held_tables, sources_held};
use super::together::lifted;
use crate::error::{Error, SqlState};

/// What the subquery's rows become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The value of its only row; NULL without one.
    Value,
    /// An array of all values.
    Gathered,
    /// Whether there is a row.
    Exists,
    /// Whether any comparison is true.
    Any,
    /// Whether all comparisons are true.
    All,
}

/// The start of the names of what subqueries take from outside; a statement's parameters are `$` and a number.
const TAKEN: &str = "$outer";

/// Names for what one subquery takes, that no other subquery has: one within another must not take its values for its own.
pub(super) struct Names(u64);

impl Names {
    pub(super) fn new() -> Names {
        Names(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Of an outer column.
    pub(super) fn outer(&self, at: usize) -> String {
        format!("{TAKEN}{}_{at}", self.0)
    }

    /// Of the value that is compared with the subquery's rows.
    pub(super) fn compared(&self) -> String {
        format!("{TAKEN}{}_compared", self.0)
    }
}

/// Whether a placeholder stands for something that a subquery takes.
pub(super) fn is_taken(name: &str) -> bool {
    name.starts_with(TAKEN)
}

/// So many sets are worth a plan of their own.
const TOGETHER: usize = 8;

/// A stack as deep as those that plan statements.
const STACK: usize = 16 << 20;

/// A placeholder of a type.
pub(super) fn placeholder(name: &str, data_type: &DataType) -> Expr {
    let field = Field::new(name, data_type.clone(), true);
    Expr::Placeholder(Placeholder::new_with_field(name.to_owned(), Some(Arc::new(field))))
}

/// The function.
pub(super) struct Apply {
    id: u64,
    plan: LogicalPlan,
    /// What it reads that is to be held before it runs.
    held: Vec<HeldTable>,
    names: Vec<String>,
    answer: Answer,
    returns: DataType,
    state: Box<SessionState>,
    signature: Signature,
}

static NEXT: AtomicU64 = AtomicU64::new(0);

impl Apply {
    /// A call over the values that placeholders of these names stand for.
    pub(super) fn call(
        plan: LogicalPlan,
        (names, args): (Vec<String>, Vec<Expr>),
        answer: Answer,
        state: &SessionState,
    ) -> Result<Expr> {
        // The catalogs are those of the statement: a default one would take the place of theirs.
        let config = state.config().clone().with_target_partitions(1).with_create_default_catalog_and_schema(false);
        let state = SessionStateBuilder::new_from_existing(state.clone()).with_config(config).build();
        let value = plan.schema().fields().first().map(|field| field.data_type().clone());
        let returns = match (answer, value) {
            (Answer::Value, Some(value)) => value,
            (Answer::Gathered, Some(value)) => DataType::new_list(value, true),
            _ => DataType::Boolean,
        };
        let (plan, mut held) = super::optimized(plan, &state)?;
        let plan = sources_held(plan)?;
        held.extend(held_tables(&plan)?);
        // What planning may compute must not read rows that are there only when the statement runs.
        let volatility = if held.is_empty() { Volatility::Stable } else { Volatility::Volatile };
        let signature = match args.len() {
            0 => Signature::nullary(volatility),
            count => Signature::any(count, volatility),
        };
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let state = Box::new(state);
        let apply = Apply { id, plan, held, names, answer, returns, state, signature };
        Ok(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::new_from_impl(apply)), args)))
    }

    /// What a function reads that is to be held before it runs, if it is one of these.
    pub(super) fn held_by(function: &ScalarUDF) -> &[HeldTable] {
        let inner: &dyn std::any::Any = function.inner().as_ref();
        inner.downcast_ref::<Apply>().map(|apply| &*apply.held).unwrap_or_default()
    }

    /// Each set of values its answer. The plan runs on a thread of its own, as the caller's must not wait inside of a task.
    fn answers(&self, sets: &[Vec<ScalarValue>], columns: &[DataType]) -> Result<Vec<ScalarValue>> {
        let failed = |what: std::io::Error| {
            let error = Error::resource(SqlState::INSUFFICIENT_RESOURCES, "could not start a thread").with_cause(what);
            DataFusionError::External(Box::new(error))
        };
        let stop = stop::current().unwrap_or_default();
        std::thread::scope(|scope| {
            let run = || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
                let all = async {
                    if sets.len() >= TOGETHER
                        && let Some(answers) = self.together(sets, columns).await?
                    {
                        return Ok(answers);
                    }
                    let mut answers = Vec::with_capacity(sets.len());
                    for set in sets {
                        stop::check(1).map_err(|error| DataFusionError::External(Box::new(error)))?;
                        answers.push(self.answer(set).await?);
                    }
                    Ok(answers)
                };
                // The thread works for the statement of the caller's.
                stop.during(|| runtime.block_on(all))
            };
            let builder = std::thread::Builder::new().name("subquery".to_owned()).stack_size(STACK);
            let thread = builder.spawn_scoped(scope, run).map_err(failed)?;
            thread.join().map_err(|_| DataFusionError::Internal("a subquery's thread failed".into()))?
        })
    }

    /// All sets in one run of a plan that is lifted over them; none where it cannot be.
    async fn together(&self, sets: &[Vec<ScalarValue>], columns: &[DataType]) -> Result<Option<Vec<ScalarValue>>> {
        let Some(plan) = lifted(&self.plan, &self.names, columns, sets)? else { return Ok(None) };
        let plan = in_memory::finished(self.state.optimize(&plan)?, &self.state)?;
        let physical = self.state.query_planner().create_physical_plan(&plan, self.state.as_ref()).await?;
        let batches = collect(physical, self.state.task_ctx()).await?;
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); sets.len()];
        let numbers = batches.iter().filter_map(|batch| batch.columns().first());
        let numbers = numbers.filter_map(|column| column.as_primitive_opt::<UInt32Type>());
        for (row, set) in (0..).zip(numbers.flat_map(|numbers| numbers.values().iter())) {
            if let Some(of_set) = rows.get_mut(*set as usize) {
                of_set.push(row);
            }
        }
        if self.answer == Answer::Exists {
            return Ok(Some(rows.iter().map(|rows| ScalarValue::Boolean(Some(!rows.is_empty()))).collect()));
        }
        let columns: Vec<&dyn Array> =
            batches.iter().filter_map(|batch| batch.columns().get(1)).map(AsRef::as_ref).collect();
        let values = if columns.is_empty() { None } else { Some(concat(&columns)?) };
        let of_set = |rows: &Vec<u32>| match &values {
            Some(values) if !rows.is_empty() => {
                self.summary(Some(take(values, &UInt32Array::from(rows.clone()), None)?))
            }
            _ => self.summary(None),
        };
        rows.iter().map(of_set).collect::<Result<Vec<_>>>().map(Some)
    }

    async fn answer(&self, set: &[ScalarValue]) -> Result<ScalarValue> {
        let plan = replaced(self.plan.clone(), |expr| {
            let Expr::Placeholder(found) = &expr else { return Ok(Transformed::no(expr)) };
            let value = self.names.iter().position(|name| *name == found.id).and_then(|at| set.get(at));
            Ok(match value {
                Some(value) => Transformed::yes(Expr::Literal(value.clone(), None)),
                None => Transformed::no(expr),
            })
        })?;
        let physical = self.state.query_planner().create_physical_plan(&plan, self.state.as_ref()).await?;
        let batches = collect(physical, self.state.task_ctx()).await?;
        let rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
        if self.answer == Answer::Exists {
            return Ok(ScalarValue::Boolean(Some(rows > 0)));
        }
        let columns: Vec<&dyn Array> =
            batches.iter().filter_map(|batch| batch.columns().first()).map(AsRef::as_ref).collect();
        let values = if columns.is_empty() { None } else { Some(concat(&columns)?) };
        self.summary(values)
    }

    fn summary(&self, values: Option<ArrayRef>) -> Result<ScalarValue> {
        match self.answer {
            Answer::Value => match values.as_ref().map_or(0, |values| values.len()) {
                0 => ScalarValue::try_from(&self.returns),
                1 => values.map_or(Ok(ScalarValue::Null), |values| ScalarValue::try_from_array(&values, 0)),
                _ => Err(DataFusionError::External(Box::new(Error::client(
                    SqlState::CARDINALITY_VIOLATION,
                    "more than one row returned by a subquery used as an expression",
                )))),
            },
            Answer::Gathered => {
                let DataType::List(item) = &self.returns else {
                    return Err(DataFusionError::Internal("an array that is no list".into()));
                };
                let values = values.unwrap_or_else(|| new_empty_array(item.data_type()));
                let offsets = arrow::buffer::OffsetBuffer::from_lengths([values.len()]);
                let list = arrow::array::ListArray::try_new(Arc::clone(item), offsets, values, None)?;
                Ok(ScalarValue::List(Arc::new(list)))
            }
            Answer::Exists | Answer::Any | Answer::All => {
                let any = self.answer == Answer::Any;
                let values = values.unwrap_or_else(|| new_empty_array(&DataType::Boolean));
                let truths = values
                    .as_boolean_opt()
                    .ok_or_else(|| DataFusionError::Internal("a comparison that is no truth value".into()))?;
                let decided = truths.iter().flatten().any(|truth| truth == any);
                let unknown = truths.null_count() > 0;
                Ok(ScalarValue::Boolean(if decided { Some(any) } else { (!unknown).then_some(!any) }))
            }
        }
    }
}

impl fmt::Debug for Apply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "subquery {}", self.id)
    }
}

impl PartialEq for Apply {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Apply {}

impl Hash for Apply {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl ScalarUDFImpl for Apply {
    fn name(&self) -> &str {
        "subquery"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let columns = args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<Vec<_>>>()?;
        if rows == 0 {
            return Ok(ColumnarValue::Array(new_empty_array(&self.returns)));
        }
        let (sets, places) = distinct(&columns, rows)?;
        let forms: Vec<DataType> = columns.iter().map(|column| column.data_type().clone()).collect();
        let answers = self.answers(&sets, &forms)?;
        let found = places.into_iter().filter_map(|at| answers.get(at).cloned());
        Ok(ColumnarValue::Array(ScalarValue::iter_to_array(found)?))
    }
}

/// The distinct rows, and for each row which of them it is.
fn distinct(columns: &[ArrayRef], rows: usize) -> Result<(Vec<Vec<ScalarValue>>, Vec<usize>)> {
    if columns.is_empty() {
        return Ok((vec![Vec::new()], vec![0; rows]));
    }
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let converted = RowConverter::new(fields)?.convert_columns(columns)?;
    let mut known: HashMap<Box<[u8]>, usize> = HashMap::new();
    let mut sets = Vec::new();
    let mut places = Vec::with_capacity(rows);
    for (row, key) in converted.iter().enumerate() {
        let at = match known.get(key.as_ref()) {
            Some(at) => *at,
            None => {
                let set = columns.iter().map(|column| ScalarValue::try_from_array(column, row));
                sets.push(set.collect::<Result<Vec<_>>>()?);
                known.insert(key.as_ref().into(), sets.len() - 1);
                sets.len() - 1
            }
        };
        places.push(at);
    }
    Ok((sets, places))
}
