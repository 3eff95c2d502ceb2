//! The system views: one file per `tusk.*` relation, each a [`VirtualTable`] over state that it is handed.
//! Must not know: how the engine scans them, who may look (the viewer says).

mod events;
mod pools;
mod queries;
mod sessions;
mod sources;

use std::sync::Arc;
use std::time::SystemTime;

use arrow::array::{ArrayRef, TimestampMicrosecondArray};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

use crate::catalog::{SchemaCache, VirtualTable};
use crate::error::{Error, Result};
use crate::history::{Events, Running};
use crate::session::SessionRegistry;
use crate::types::{self, PgType};

/// All views, in the order of their names.
#[must_use]
pub fn all(
    catalog: &Arc<SchemaCache>,
    registry: &Arc<SessionRegistry>,
    (running, events): (&Running, &Events),
) -> Vec<Arc<dyn VirtualTable>> {
    vec![
        Arc::new(events::Events::new(events.clone())),
        Arc::new(pools::Pools::new(Arc::clone(catalog))),
        Arc::new(queries::Queries::new(running.clone())),
        Arc::new(sessions::Sessions::new(Arc::clone(registry))),
        Arc::new(sources::Sources::new(Arc::clone(catalog))),
    ]
}

/// A view's columns: name and type.
fn columns(columns: &[(&str, PgType)]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|(name, ty)| types::field(*name, *ty, true)).collect::<Vec<_>>()))
}

fn batch(schema: &SchemaRef, arrays: Vec<ArrayRef>) -> Result<RecordBatch> {
    RecordBatch::try_new(Arc::clone(schema), arrays)
        .map_err(|error| Error::internal("a view could not be laid out").with_cause(error))
}

/// Times as timestamptz.
fn times(times: impl Iterator<Item = Option<SystemTime>>) -> ArrayRef {
    let micros = times.map(|time| {
        let since = time?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_micros()).ok()
    });
    Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("+00:00"))
}

/// Several words as one text, as people read them.
fn list(words: &[String]) -> String {
    words.join(", ")
}
