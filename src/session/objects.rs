//! What a session has prepared and declared, for other threads to see: `pg_prepared_statements` and `pg_cursors`.
//! Must not know: how any of it runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::prepared::Named;
use super::{CursorRow, PreparedStatement, SessionEntry, SessionRegistry};

/// What a session has prepared and declared, as its own `pg_prepared_statements` and `pg_cursors` show it.
#[derive(Debug, Default)]
pub struct Objects {
    statements: Arc<Mutex<Named>>,
    pub(super) cursors: Mutex<BTreeMap<String, CursorRow>>,
}

impl Objects {
    pub(super) fn statements(&self) -> Arc<Mutex<Named>> {
        Arc::clone(&self.statements)
    }

    /// The named statements, by name.
    #[must_use]
    pub fn prepared(&self) -> Vec<Arc<PreparedStatement>> {
        self.statements.lock().list()
    }

    /// The portals, by name.
    #[must_use]
    pub fn cursors(&self) -> Vec<(String, CursorRow)> {
        self.cursors.lock().iter().map(|(name, row)| (name.clone(), row.clone())).collect()
    }
}

impl SessionEntry {
    /// What it has prepared and declared.
    #[must_use]
    pub fn objects(&self) -> Arc<Objects> {
        Arc::clone(&self.objects)
    }
}

impl SessionRegistry {
    /// What a session has prepared and declared.
    #[must_use]
    pub fn objects(&self, pid: i32) -> Option<Arc<Objects>> {
        self.find(pid).map(|entry| entry.objects())
    }
}
