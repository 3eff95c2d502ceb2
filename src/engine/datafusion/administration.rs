//! The functions that act: `tusk.refresh`, `pg_cancel_backend`, `pg_terminate_backend`. Only what the viewer may do is done.
//! Must not know: sessions, caches (it is handed what to call).

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, Int32Array, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result as PlanResult};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::catalog::Viewer;
use crate::error::{Error, Notices, Result, SqlState};

/// Tells a source's schema to be read again; false: no such source.
pub type Refresh = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Cancels or ends a session; the user limits it to sessions of that user. False: no such session.
pub type OnSession = Arc<dyn Fn(i32, Option<&str>) -> bool + Send + Sync>;

/// What the functions call.
#[derive(Clone)]
pub struct Administration {
    /// `tusk.refresh(source)`.
    pub refresh: Refresh,
    /// `pg_cancel_backend(pid)`.
    pub cancel: OnSession,
    /// `pg_terminate_backend(pid)`.
    pub terminate: OnSession,
}

impl Administration {
    /// The functions, for this viewer and this statement's notices.
    pub(super) fn functions(&self, viewer: &Arc<Viewer>, notices: &Notices) -> Vec<Arc<ScalarUDF>> {
        let refresh = Arc::clone(&self.refresh);
        let by_name = move |viewer: &Viewer, source: &str| {
            let known = viewer.world.tables().any(|table| &*table.source == source)
                || viewer.world.unavailable.iter().any(|unavailable| &*unavailable.source == source);
            if (viewer.admin || known) && refresh(source) {
                return Ok(true);
            }
            // A source that may not be known is one that does not exist.
            Err(Error::client(SqlState::UNDEFINED_OBJECT, format!("source \"{source}\" does not exist")))
        };
        let on_session = |act: &OnSession| {
            let (act, notices) = (Arc::clone(act), notices.clone());
            move |viewer: &Viewer, pid: i32| {
                let found = act(pid, (!viewer.admin).then_some(viewer.user.as_str()));
                if !found {
                    notices.warn(SqlState::WARNING, format!("PID {pid} is not a PostgreSQL backend process"));
                }
                Ok(found)
            }
        };
        let call = |name: &'static str, body: Body| {
            let argument = match &body {
                Body::Text(_) => DataType::Utf8View,
                Body::Int(_) => DataType::Int32,
            };
            let signature = Signature::exact(vec![argument], Volatility::Volatile);
            Arc::new(ScalarUDF::new_from_impl(Act { name, signature, body, viewer: Arc::clone(viewer) }))
        };
        vec![
            call("tusk.refresh", Body::Text(Arc::new(by_name))),
            call("pg_cancel_backend", Body::Int(Arc::new(on_session(&self.cancel)))),
            call("pg_terminate_backend", Body::Int(Arc::new(on_session(&self.terminate)))),
        ]
    }
}

type OnText = dyn Fn(&Viewer, &str) -> Result<bool> + Send + Sync;
type OnNumber = dyn Fn(&Viewer, i32) -> Result<bool> + Send + Sync;

#[derive(Clone)]
enum Body {
    Text(Arc<OnText>),
    Int(Arc<OnNumber>),
}

/// One acting function, bound to who calls it. Volatile: it is never folded away or called at planning.
struct Act {
    name: &'static str,
    signature: Signature,
    body: Body,
    viewer: Arc<Viewer>,
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Act {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Act {}

impl Hash for Act {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Act {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> PlanResult<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        let Some(argument) = args.args.first() else {
            return Err(DataFusionError::Internal("a function without its argument".into()));
        };
        let argument = argument.clone().into_array(args.number_rows)?;
        let failed = |error: Error| DataFusionError::External(Box::new(error));
        let done: BooleanArray = match &self.body {
            Body::Text(act) => {
                let texts = cast(&argument, &DataType::Utf8View)?;
                let texts = downcast::<StringViewArray>(&texts)?;
                texts
                    .iter()
                    .map(|text| text.map(|text| act(&self.viewer, text)).transpose())
                    .collect::<Result<_>>()
                    .map_err(failed)?
            }
            Body::Int(act) => {
                let pids = cast(&argument, &DataType::Int32)?;
                let pids = downcast::<Int32Array>(&pids)?;
                pids.iter()
                    .map(|pid| pid.map(|pid| act(&self.viewer, pid)).transpose())
                    .collect::<Result<_>>()
                    .map_err(failed)?
            }
        };
        Ok(ColumnarValue::Array(Arc::new(done)))
    }
}

fn downcast<T: Any>(array: &dyn Array) -> PlanResult<&T> {
    array.as_any().downcast_ref::<T>().ok_or_else(|| DataFusionError::Internal("an argument of another type".into()))
}
