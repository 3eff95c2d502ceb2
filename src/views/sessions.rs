//! `tusk.sessions`: who is connected, and what they do.
//! Must not know: sockets.

use std::sync::Arc;

use arrow::array::{Int32Array, StringViewArray};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::{batch, columns, times};
use crate::catalog::{Viewer, VirtualTable};
use crate::error::Result;
use crate::session::{SessionRegistry, SessionRow};
use crate::types::PgType;

/// The view.
#[derive(Debug)]
pub(super) struct Sessions {
    registry: Arc<SessionRegistry>,
    schema: SchemaRef,
}

impl Sessions {
    pub(super) fn new(registry: Arc<SessionRegistry>) -> Self {
        let schema = columns(&[
            ("session_id", PgType::INT4),
            ("user_name", PgType::TEXT),
            ("database_name", PgType::TEXT),
            ("application_name", PgType::TEXT),
            ("client_address", PgType::TEXT),
            ("client_port", PgType::INT4),
            ("started_at", PgType::TIMESTAMPTZ),
            ("transaction_started_at", PgType::TIMESTAMPTZ),
            ("state", PgType::TEXT),
            ("state_changed_at", PgType::TIMESTAMPTZ),
            ("query_started_at", PgType::TIMESTAMPTZ),
            ("query", PgType::TEXT),
        ]);
        Sessions { registry, schema }
    }
}

impl VirtualTable for Sessions {
    fn schema_name(&self) -> &'static str {
        "tusk"
    }

    fn name(&self) -> &'static str {
        "sessions"
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn comment(&self) -> &'static str {
        "Your sessions, or everybody's for an administrator."
    }

    fn rows(&self, viewer: &Viewer) -> Result<RecordBatch> {
        let sessions: Vec<SessionRow> =
            self.registry.list().into_iter().filter(|session| viewer.admin || session.user == viewer.user).collect();
        let text = |pick: &dyn Fn(&SessionRow) -> String| {
            Arc::new(StringViewArray::from_iter_values(sessions.iter().map(pick)))
        };
        batch(
            &self.schema,
            vec![
                Arc::new(sessions.iter().map(|session| Some(session.pid)).collect::<Int32Array>()),
                text(&|session| session.user.clone()),
                text(&|session| session.database.clone()),
                text(&|session| session.application_name.clone()),
                Arc::new(
                    sessions
                        .iter()
                        .map(|session| session.client.map(|(address, _)| address.to_string()))
                        .collect::<StringViewArray>(),
                ),
                Arc::new(
                    sessions
                        .iter()
                        .map(|session| session.client.map(|(_, port)| i32::from(port)))
                        .collect::<Int32Array>(),
                ),
                times(sessions.iter().map(|session| Some(session.started_at))),
                times(sessions.iter().map(|session| session.transaction_started_at)),
                text(&|session| session.activity.name().to_owned()),
                times(sessions.iter().map(|session| Some(session.activity_changed_at))),
                times(sessions.iter().map(|session| session.query_started_at)),
                text(&|session| session.query.to_string()),
            ],
        )
    }
}
