//! What a statement's functions may know of its session: the time, the user, the settings.
//! Must not know: the functions.

use std::sync::Arc;
use std::time::SystemTime;

use super::RunningStatement;
use crate::catalog::Viewer;
use crate::engine::datafusion::{SessionActs, SessionFacts};
use crate::error::Result;
use crate::session::{Acts, Session};
use crate::sql::Scope;

/// The facts of this moment. Constant through one statement, and `now()` through one transaction.
pub(super) fn facts(
    session: &Session,
    viewer: &Viewer,
    (scope, running): (&Scope, &RunningStatement),
    server_started: SystemTime,
) -> SessionFacts {
    let started = session.transaction_started_at().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let since = server_started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let vars = session.vars.snapshot();
    SessionFacts {
        now_micros: i64::try_from(started.as_micros()).unwrap_or(i64::MAX),
        started_micros: i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        transaction: viewer.world.transaction(),
        format: session.vars.format().clone(),
        user: viewer.user.clone(),
        database: viewer.database.clone(),
        search_path: viewer.search_path.clone(),
        client: session.client(),
        server: session.server(),
        pid: session.pid(),
        setting: Arc::new(move |name| vars.shown(name).ok().map(|shown| shown.setting)),
        settings_change: scope.functions.iter().any(|function| function.name == "set_config"),
        notices: running.bounds().notices.clone(),
        acts: Arc::clone(session.acts()) as Arc<dyn SessionActs>,
    }
}

impl SessionActs for Acts {
    fn set_config(&self, name: &str, value: Option<&str>, local: bool) -> Result<String> {
        Acts::set_config(self, name, value, local)
    }

    fn setting(&self, name: &str) -> Option<String> {
        Acts::setting(self, name)
    }

    fn notify(&self, channel: &str, payload: &str) -> Result<()> {
        Acts::notify(self, channel, payload)
    }

    fn listening(&self) -> Vec<String> {
        Acts::listening(self)
    }

    fn queue_usage(&self) -> f64 {
        Acts::queue_usage(self)
    }

    fn transaction(&self) -> u64 {
        Acts::transaction(self)
    }
}
