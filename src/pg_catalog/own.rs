//! What sessions have made and do: `pg_prepared_statements`, `pg_cursors` and `pg_stat_activity`. A viewer sees its own, an administrator
//! what everybody does, as it is at this moment.
//! Must not know: how statements run.

use std::sync::Arc;
use std::time::SystemTime;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::objects::{database_oid, role_oid};
use super::relation::{Relation, Rows, Value};
use crate::catalog::{Viewer, VirtualTable};
use crate::error::Result;
use crate::session::{Objects, SessionRegistry, SessionRow};

/// What adds the rows of a view.
#[derive(Debug, Clone, Copy)]
enum Fill {
    /// Of what the viewer's session has made.
    Made(fn(&Objects, &mut Rows)),
    /// Of the sessions that the viewer may see.
    Sessions(fn(&Viewer, &SessionRow, &mut Rows)),
}

/// One of these views.
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
            ("pg_catalog", "pg_prepared_statements") => Fill::Made(prepared_statements),
            ("pg_catalog", "pg_cursors") => Fill::Made(cursors),
            ("pg_catalog", "pg_stat_activity") => Fill::Sessions(activity),
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
        match self.fill {
            Fill::Made(fill) => {
                if let Some(objects) = self.registry.objects(viewer.pid) {
                    fill(&objects, &mut rows);
                }
            }
            Fill::Sessions(fill) => {
                let seen = |session: &SessionRow| viewer.admin || session.user == viewer.user;
                self.registry
                    .list()
                    .iter()
                    .filter(|session| seen(session))
                    .for_each(|session| fill(viewer, session, &mut rows));
            }
        }
        rows.finish()
    }
}

/// Microseconds since 1970, as timestamptz is stored.
fn moment(time: SystemTime) -> Value {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Value::Int(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn activity(viewer: &Viewer, session: &SessionRow, rows: &mut Rows) {
    // A socket in the file system has no address, and the port -1.
    let port = session.client.map_or(-1, |(_, port)| i64::from(port));
    rows.push(&[
        ("datid", database_oid(&viewer.database).into()),
        ("datname", session.database.as_str().into()),
        ("pid", i64::from(session.pid).into()),
        ("usesysid", role_oid(&session.user).into()),
        ("usename", session.user.as_str().into()),
        ("application_name", session.application_name.as_str().into()),
        ("client_addr", session.client.map(|(address, _)| address.to_string()).into()),
        ("client_port", port.into()),
        ("backend_start", moment(session.started_at)),
        ("xact_start", session.transaction_started_at.map(moment).unwrap_or(Value::Null)),
        ("query_start", session.query_started_at.map(moment).unwrap_or(Value::Null)),
        ("state_change", moment(session.activity_changed_at)),
        ("state", session.activity.name().into()),
        ("query", (*session.query).into()),
        ("backend_type", "client backend".into()),
    ]);
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
