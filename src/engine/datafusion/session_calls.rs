//! The functions of PostgreSQL that act on the session that calls them, or wait: `set_config`, `pg_notify`, `pg_sleep` and their kin.
//! Must not know: sessions; it is handed what to call.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, IntervalMonthDayNanoArray, StringViewArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use async_trait::async_trait;
use datafusion::common::{DataFusionError, Result as PlanResult};
use datafusion::logical_expr::async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::semantics::{SessionActs, SessionFacts, no_setting};
use crate::error::{Error, Result, SqlState};

/// The longest sleep: PostgreSQL's own has no end either.
const FOR_EVER: Duration = Duration::from_secs(86_400 * 365 * 100);

/// The functions, for the session of these facts.
pub(super) fn functions(facts: &SessionFacts) -> Vec<Arc<ScalarUDF>> {
    let acts = &facts.acts;
    // Columns are computed one after the other, each for many rows: between two rows nothing can be seen to change.
    let current_setting = if facts.settings_change { changing_setting } else { current_setting };
    let texts = |count: usize| vec![DataType::Utf8View; count];
    let call = |name: &'static str, arguments: Vec<DataType>, returns: DataType, body: Body| {
        let signature = signature(arguments.len());
        let acts = Arc::clone(acts);
        Arc::new(ScalarUDF::new_from_impl(Call { name, signature, arguments, returns, body, acts }))
    };
    let mut config = texts(2);
    config.push(DataType::Boolean);
    let mut all = vec![
        call("set_config", config, DataType::Utf8View, set_config),
        call("current_setting", vec![DataType::Utf8View, DataType::Boolean], DataType::Utf8View, current_setting),
        call("pg_notify", texts(2), DataType::Utf8View, notify),
        call("pg_notification_queue_usage", Vec::new(), DataType::Float64, |acts, _, rows| {
            Ok(Arc::new(Float64Array::from(vec![acts.queue_usage(); rows])))
        }),
        call("txid_current", Vec::new(), DataType::Int64, |acts, _, rows| {
            Ok(Arc::new(Int64Array::from(vec![i64::try_from(acts.transaction()).unwrap_or(i64::MAX); rows])))
        }),
        call("pg_current_xact_id", Vec::new(), DataType::Utf8View, |acts, _, rows| {
            Ok(Arc::new(StringViewArray::from(vec![acts.transaction().to_string(); rows])))
        }),
        // Nothing is ever written, so no transaction is given a number of its own accord.
        call("txid_current_if_assigned", Vec::new(), DataType::Int64, |_, _, rows| {
            Ok(new_null_array(&DataType::Int64, rows))
        }),
        call("pg_current_xact_id_if_assigned", Vec::new(), DataType::Utf8View, |_, _, rows| {
            Ok(new_null_array(&DataType::Utf8View, rows))
        }),
        // No advisory lock can be taken, so none is left to give back; no statistics are kept to be forgotten.
        call("pg_advisory_unlock_all", Vec::new(), DataType::Utf8View, |_, _, rows| Ok(void(rows))),
        call("pg_stat_clear_snapshot", Vec::new(), DataType::Utf8View, |_, _, rows| Ok(void(rows))),
    ];
    let timestamp = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    for (name, argument) in [
        ("pg_sleep", DataType::Float64),
        ("pg_sleep_for", DataType::Interval(IntervalUnit::MonthDayNano)),
        ("pg_sleep_until", timestamp),
    ] {
        let sleep = Sleep { name, signature: signature(1), argument };
        all.push(Arc::new(AsyncScalarUDF::new(Arc::new(sleep)).into_scalar_udf()));
    }
    all
}

/// Any arguments: the binder has chosen the function by PostgreSQL's rules.
fn signature(arguments: usize) -> Signature {
    let kind = match arguments {
        0 => datafusion::logical_expr::TypeSignature::Nullary,
        _ => datafusion::logical_expr::TypeSignature::VariadicAny,
    };
    Signature::new(kind, Volatility::Volatile)
}

/// Values of `void`.
fn void(rows: usize) -> ArrayRef {
    Arc::new(StringViewArray::from(vec![""; rows]))
}

type Body = fn(&dyn SessionActs, &[ArrayRef], usize) -> Result<ArrayRef>;

/// A function that acts at once. Volatile: it is never folded away or called at planning.
struct Call {
    name: &'static str,
    signature: Signature,
    arguments: Vec<DataType>,
    returns: DataType,
    body: Body,
    acts: Arc<dyn SessionActs>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Call {}

impl Hash for Call {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Call {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> PlanResult<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        let rows = args.number_rows;
        let arguments = arrays(&args, &self.arguments)?;
        let done = (self.body)(&*self.acts, &arguments, rows).map_err(failed)?;
        Ok(ColumnarValue::Array(done))
    }
}

fn failed(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

fn arrays(args: &ScalarFunctionArgs, types: &[DataType]) -> PlanResult<Vec<ArrayRef>> {
    let array = |(value, ty): (&ColumnarValue, &DataType)| Ok(cast(&value.clone().into_array(args.number_rows)?, ty)?);
    args.args.iter().zip(types).map(array).collect()
}

fn downcast<T: Any>(arrays: &[ArrayRef], at: usize) -> Result<&T> {
    let array = arrays.get(at).and_then(|array| {
        let any: &dyn Any = array.as_any();
        any.downcast_ref::<T>()
    });
    array.ok_or_else(|| Error::internal("an argument of another type"))
}

fn text(array: &StringViewArray, row: usize) -> Option<&str> {
    array.is_valid(row).then(|| array.value(row))
}

fn set_config(acts: &dyn SessionActs, arguments: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let (names, values) = (downcast::<StringViewArray>(arguments, 0)?, downcast::<StringViewArray>(arguments, 1)?);
    let local = downcast::<BooleanArray>(arguments, 2)?;
    let set = |row| {
        let Some(name) = text(names, row) else {
            return Err(Error::client(SqlState::NULL_VALUE_NOT_ALLOWED, "SET requires parameter name"));
        };
        acts.set_config(name, text(values, row), local.is_valid(row) && local.value(row)).map(Some)
    };
    Ok(Arc::new((0..rows).map(set).collect::<Result<StringViewArray>>()?))
}

fn current_setting(acts: &dyn SessionActs, arguments: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let names = downcast::<StringViewArray>(arguments, 0)?;
    let lenient = arguments.get(1).map(|_| downcast::<BooleanArray>(arguments, 1)).transpose()?;
    let get = |row| {
        let Some(name) = text(names, row) else { return Ok(None) };
        let lenient = match lenient {
            Some(lenient) if lenient.is_null(row) => return Ok(None),
            lenient => lenient.is_some_and(|lenient| lenient.value(row)),
        };
        match acts.setting(name) {
            None if !lenient => Err(no_setting(name)),
            found => Ok(found),
        }
    };
    Ok(Arc::new((0..rows).map(get).collect::<Result<StringViewArray>>()?))
}

/// `current_setting` beside `set_config`: sees what the columns before it did to the one row there is.
fn changing_setting(acts: &dyn SessionActs, arguments: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    if rows > 1 {
        return Err(Error::unsupported("current_setting beside set_config is not supported over several rows"));
    }
    current_setting(acts, arguments, rows)
}

/// NULLs are empty texts, as in PostgreSQL.
fn notify(acts: &dyn SessionActs, arguments: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let (channels, payloads) = (downcast::<StringViewArray>(arguments, 0)?, downcast::<StringViewArray>(arguments, 1)?);
    for row in 0..rows {
        acts.notify(text(channels, row).unwrap_or_default(), text(payloads, row).unwrap_or_default())?;
    }
    Ok(void(rows))
}

/// `pg_sleep` and its kin: they hold no thread while they wait, and end with the statement.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Sleep {
    name: &'static str,
    signature: Signature,
    argument: DataType,
}

impl Sleep {
    /// How long each row sleeps; `None`: NULL, which does not.
    fn durations(&self, argument: &ArrayRef, rows: usize) -> Result<Vec<Option<Duration>>> {
        let array = std::slice::from_ref(argument);
        let seconds = |seconds: f64| match seconds {
            none if none.is_nan() || none <= 0.0 => Duration::ZERO,
            some => Duration::try_from_secs_f64(some).unwrap_or(FOR_EVER).min(FOR_EVER),
        };
        (0..rows)
            .map(|row| {
                if argument.is_null(row) {
                    return Ok(None);
                }
                Ok(Some(seconds(match self.argument {
                    DataType::Float64 => downcast::<Float64Array>(array, 0)?.value(row),
                    DataType::Interval(_) => {
                        let interval = downcast::<IntervalMonthDayNanoArray>(array, 0)?.value(row);
                        let days = f64::from(interval.months) * 30.0 + f64::from(interval.days);
                        days * 86_400.0 + interval.nanoseconds as f64 / 1e9
                    }
                    _ => {
                        let until = downcast::<TimestampMicrosecondArray>(array, 0)?.value(row) as f64 / 1e6;
                        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                        until - now.as_secs_f64()
                    }
                })))
            })
            .collect()
    }
}

impl ScalarUDFImpl for Sleep {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> PlanResult<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        Err(failed(Error::unsupported(format!("{} is not supported in this place", self.name))))
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for Sleep {
    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        let arguments = arrays(&args, std::slice::from_ref(&self.argument))?;
        let Some(argument) = arguments.first() else {
            return Err(DataFusionError::Internal("a function without its argument".into()));
        };
        let durations = self.durations(argument, args.number_rows).map_err(failed)?;
        for duration in durations.iter().flatten() {
            tokio::time::sleep(*duration).await;
        }
        let void: StringViewArray = durations.iter().map(|duration| duration.map(|_| "")).collect();
        Ok(ColumnarValue::Array(Arc::new(void)))
    }
}
