//! What a session has made for itself: `pg_prepared_statements` and `pg_cursors`. A viewer sees its own, as it is at this moment.
//! Must not know: how statements run.

use std::sync::Arc;
use std::time::SystemTime;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::relation::{Relation, Rows, Value};
use crate::catalog::{Viewer, VirtualTable};
use crate::error::Result;
use crate::session::{Objects, SessionRegistry};

/// What adds the rows of a view.
type Fill = fn(&Objects, &mut Rows);

/// One of the two views.
#[derive(Debug)]
pub(super) struct OwnView {
    relation: Relation,
    registry: Arc<SessionRegistry>,
    fill: Fill,
}

impl OwnView {
    /// The view of this name over a relation without rows; the relation itself, if it is none of them.
    pub(super) fn over(relation: Relation, registry: &Arc<SessionRegistry>) -> Arc<dyn VirtualTable> {
        let fill: Fill = match (relation.schema_name(), relation.name()) {
            ("pg_catalog", "pg_prepared_statements") => prepared_statements,
            ("pg_catalog", "pg_cursors") => cursors,
            _ => return Arc::new(relation),
        };
        Arc::new(OwnView { relation, registry: Arc::clone(registry), fill })
    }
}

impl VirtualTable for OwnView {
    fn schema_name(&self) -> &str {
        self.relation.schema_name()
    }

    fn name(&self) -> &str {
        self.relation.name()
    }

    fn oid(&self) -> u32 {
        self.relation.oid()
    }

    fn schema(&self) -> SchemaRef {
        self.relation.schema()
    }

    fn comment(&self) -> &str {
        self.relation.comment()
    }

    fn is_view(&self) -> bool {
        true
    }

    fn rows(&self, viewer: &Viewer) -> Result<RecordBatch> {
        let mut rows = Rows::new(&self.relation.schema(), false);
        if let Some(objects) = self.registry.objects(viewer.pid) {
            (self.fill)(&objects, &mut rows);
        }
        rows.finish()
    }
}

/// Microseconds since 1970, as timestamptz is stored.
fn moment(time: SystemTime) -> Value {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Value::Int(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn prepared_statements(objects: &Objects, rows: &mut Rows) {
    for prepared in objects.prepared() {
        let types: Vec<String> = prepared.parameters.iter().map(|ty| ty.display_name()).collect();
        let text = prepared.prepared_by.as_ref().unwrap_or(&prepared.statement.text);
        rows.push(&[
            ("name", prepared.name.as_str().into()),
            ("statement", text.as_str().into()),
            ("prepare_time", moment(prepared.created_at)),
            ("parameter_types", array(&types).into()),
            ("from_sql", prepared.prepared_by.is_some().into()),
            ("generic_plans", 0i64.into()),
            ("custom_plans", 0i64.into()),
        ]);
    }
}

fn cursors(objects: &Objects, rows: &mut Rows) {
    for (name, cursor) in objects.cursors() {
        let (holdable, binary, scrollable) = cursor.options();
        rows.push(&[
            ("name", name.into()),
            ("statement", cursor.statement().into()),
            ("is_holdable", holdable.into()),
            ("is_binary", binary.into()),
            ("is_scrollable", scrollable.into()),
            ("creation_time", moment(cursor.created_at)),
        ]);
    }
}

/// An array's text.
fn array(items: &[String]) -> String {
    let quoted = |item: &String| {
        if item.contains([' ', ',', '"', '{', '}']) { format!("\"{item}\"") } else { item.clone() }
    };
    format!("{{{}}}", items.iter().map(quoted).collect::<Vec<_>>().join(","))
}
