//! `tusk.events`: what happened that people should know of.
//! Must not know: what makes events.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, StringViewArray};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::{batch, columns, times};
use crate::catalog::{Viewer, VirtualTable};
use crate::error::Result;
use crate::history::{Event, Events as Kept};
use crate::types::PgType;

/// The view.
#[derive(Debug)]
pub(super) struct Events {
    events: Kept,
    schema: SchemaRef,
}

impl Events {
    pub(super) fn new(events: Kept) -> Self {
        let schema = columns(&[
            ("happened_at", PgType::TIMESTAMPTZ),
            ("kind", PgType::TEXT),
            ("user_name", PgType::TEXT),
            ("session_id", PgType::INT4),
            ("query_id", PgType::TEXT),
            ("sqlstate", PgType::TEXT),
            ("message", PgType::TEXT),
            ("query", PgType::TEXT),
        ]);
        Events { events, schema }
    }
}

impl VirtualTable for Events {
    fn schema_name(&self) -> &'static str {
        "tusk"
    }

    fn name(&self) -> &'static str {
        "events"
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn comment(&self) -> &'static str {
        "What happened to you of late, or to anybody for an administrator: catalog queries that failed."
    }

    fn rows(&self, viewer: &Viewer) -> Result<RecordBatch> {
        let mine = |event: &Event| viewer.admin || event.user_name.as_ref() == Some(&viewer.user);
        let events: Vec<Event> = self.events.list().into_iter().filter(mine).collect();
        let text = |pick: fn(&Event) -> Option<&str>| -> ArrayRef {
            Arc::new(events.iter().map(pick).collect::<StringViewArray>())
        };
        batch(
            &self.schema,
            vec![
                times(events.iter().map(|event| Some(event.happened_at))),
                text(|event| Some(event.kind)),
                text(|event| event.user_name.as_deref()),
                Arc::new(events.iter().map(|event| event.session_id).collect::<Int32Array>()),
                text(|event| event.query_id.as_deref()),
                text(|event| event.sqlstate.as_deref()),
                text(|event| Some(&event.message)),
                text(|event| event.query.as_deref()),
            ],
        )
    }
}
