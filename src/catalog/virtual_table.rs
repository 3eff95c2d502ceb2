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
    /// The session's variables.
    pub settings: Settings,
}

/// One variable of a session, as `pg_settings` tells it.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value in its own unit.
    pub setting: String,
    /// Its unit.
    pub unit: Option<&'static str>,
    /// The group it belongs to.
    pub category: &'static str,
    /// What it is for.
    pub short_desc: &'static str,
    /// Who may set it.
    pub context: &'static str,
    /// `bool`, `integer`, `real`, `string`, `enum`.
    pub vartype: &'static str,
    /// Where its value comes from.
    pub source: &'static str,
    /// The least and the most that it may be.
    pub bounds: Option<(String, String)>,
    /// The words that it may be.
    pub words: Option<&'static [&'static str]>,
    /// Its value where nobody sets another.
    pub boot_val: String,
    /// What RESET makes of it.
    pub reset_val: String,
}

/// A session's variables, read when somebody looks.
#[derive(Clone)]
pub struct Settings(Arc<dyn Fn() -> Vec<Setting> + Send + Sync>);

impl Settings {
    /// Read by this.
    #[must_use]
    pub fn new(read: impl Fn() -> Vec<Setting> + Send + Sync + 'static) -> Self {
        Settings(Arc::new(read))
    }

    /// All that SHOW ALL shows, ordered by name.
    #[must_use]
    pub fn all(&self) -> Vec<Setting> {
        (self.0)()
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Settings(..)")
    }
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

    /// Whether its rows follow from the viewer's world alone: they are the same as long as that is.
    fn is_steady(&self) -> bool {
        false
    }

    /// What it is for, in a sentence.
    fn comment(&self) -> &str;

    /// Whether it is a view to clients, not a table.
    fn is_view(&self) -> bool {
        true
    }
}
