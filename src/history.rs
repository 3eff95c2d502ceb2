//! Running statements, as `tusk.queries` shows them, and [`Events`]. What is remembered of finished ones comes with the history's own issue.
//! Must not know: who may look at which entry, engines, sockets.

mod events;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use parking_lot::{Mutex, RwLock};

pub use events::{Event, Events};

use crate::error::Error;

/// What is known of a statement when it begins.
#[derive(Debug, Clone)]
pub struct Begun {
    /// Unique; also the name of the statement at its sources.
    pub query_id: String,
    /// The session's process id.
    pub session_id: i32,
    /// The login name.
    pub user_name: String,
    /// Its roles.
    pub role_names: Vec<String>,
    /// `application_name` at the time.
    pub application_name: String,
    /// The client's address; empty for a socket in the file system.
    pub client_address: String,
    /// The statement as it was sent.
    pub query: String,
}

/// What becomes known while a statement runs.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// `planning`, `running`.
    pub state: &'static str,
    /// Where it runs: `utility`, `catalog`, `federated`.
    pub route: &'static str,
    /// Why there.
    pub route_reason: String,
    /// Sources that it reads.
    pub sources: Vec<String>,
    /// Tables that it names.
    pub tables: Vec<String>,
    /// SQL sent to sources.
    pub remote_sql: Vec<String>,
    /// Whether it asks PostgreSQL's catalogs.
    pub asks_catalogs: bool,
    /// From its begin to the end of its planning.
    pub plan_ms: f64,
}

/// One running statement.
#[derive(Debug)]
pub struct Entry {
    /// What was known when it began.
    pub begun: Begun,
    /// When it began, for people.
    pub started_at: SystemTime,
    /// When it began, for durations.
    pub started: Instant,
    progress: Mutex<Progress>,
    ended: Mutex<Option<Result<(), Error>>>,
}

impl Entry {
    /// What is known by now.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.lock().clone()
    }

    /// Adds what became known.
    pub fn update(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock());
    }

    /// Says how it ended; the first word counts.
    pub fn ended(&self, how: Result<(), Error>) {
        self.ended.lock().get_or_insert(how);
    }

    /// How it ended, if that was said.
    #[must_use]
    pub fn outcome(&self) -> Option<Result<(), Error>> {
        self.ended.lock().clone()
    }
}

/// All running statements.
#[derive(Debug, Default, Clone)]
pub struct Running {
    entries: Arc<RwLock<HashMap<String, Arc<Entry>>>>,
}

impl Running {
    /// Enters a statement.
    #[must_use]
    pub fn begin(&self, begun: Begun) -> Arc<Entry> {
        let entry = Arc::new(Entry {
            begun,
            started_at: SystemTime::now(),
            started: Instant::now(),
            progress: Mutex::new(Progress { state: "planning", ..Progress::default() }),
            ended: Mutex::new(None),
        });
        self.entries.write().insert(entry.begun.query_id.clone(), Arc::clone(&entry));
        entry
    }

    /// Takes a statement out.
    pub fn end(&self, query_id: &str) {
        self.entries.write().remove(query_id);
    }

    /// All of them, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Entry>> {
        let mut all: Vec<_> = self.entries.read().values().cloned().collect();
        all.sort_by_key(|entry| entry.started);
        all
    }
}
