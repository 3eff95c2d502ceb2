//! Relations that Tusk fills itself: system views, PostgreSQL's catalogs.
//! Must not know: who implements them, the engine that scans them.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::World;
use crate::error::Result;

/// Who looks: decides what a virtual table shows.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// The login name.
    pub user: String,
    /// The user's roles.
    pub roles: Vec<String>,
    /// Whether a role is an administrator's.
    pub admin: bool,
    /// The session's process id, as clients know it.
    pub pid: i32,
    /// The database's name.
    pub database: String,
    /// The session's `search_path`, resolved to schemas that exist for this role.
    pub search_path: Vec<String>,
    /// The tables this role may name.
    pub world: Arc<World>,
}

/// A relation that Tusk fills itself.
pub trait VirtualTable: Debug + Send + Sync {
    /// The schema it stands in: `tusk`, `pg_catalog`, `information_schema`.
    fn schema_name(&self) -> &str;

    /// Its name.
    fn name(&self) -> &str;

    /// Its oid: the same in every session.
    fn oid(&self) -> u32 {
        super::stable_oid("virtual", &format!("{}.{}", self.schema_name(), self.name()), |_| false)
    }

    /// Its columns, with PostgreSQL's types in the fields' metadata (`types::field`).
    fn schema(&self) -> SchemaRef;

    /// Its rows for this viewer, at this moment.
    ///
    /// # Errors
    /// What building the batch meets; never waits.
    fn rows(&self, viewer: &Viewer) -> Result<RecordBatch>;

    /// What it is for, in a sentence.
    fn comment(&self) -> &str;

    /// Whether it is a view to clients, not a table.
    fn is_view(&self) -> bool {
        true
    }
}
