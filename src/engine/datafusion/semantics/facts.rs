//! What a statement may know of its session: the time, the user, the settings.
//! Must not know: sessions themselves; it is given the facts.

use std::fmt;
use std::sync::Arc;

use crate::types::FormatOptions;

/// Looks up a setting by its lower-case name.
pub type SettingLookup = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The facts of a session that an expression may ask for. Constant through one statement.
///
/// Handed to the planner as an extension of the session's configuration:
/// `SessionConfig::with_extension(Arc::new(facts))`.
#[derive(Clone)]
pub struct SessionFacts {
    /// The start of the transaction: microseconds since 1970-01-01 00:00:00 UTC.
    pub now_micros: i64,
    /// The forms of values: `DateStyle`, `TimeZone`, `IntervalStyle`, `bytea_output`, `extra_float_digits`.
    pub format: FormatOptions,
    /// The authenticated user.
    pub user: String,
    /// The database's name.
    pub database: String,
    /// The schemas that unqualified names are looked for in, in order.
    pub search_path: Vec<String>,
    /// The transaction that the catalogs are of, as `xmin` and `txid_current()` tell it.
    pub transaction: u64,
    /// When the server started: microseconds since 1970-01-01 00:00:00 UTC.
    pub started_micros: i64,
    /// What `pg_backend_pid()` answers.
    pub pid: i32,
    /// Looks up a setting (`current_setting`), by lower-case name.
    pub setting: SettingLookup,
}

impl fmt::Debug for SessionFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionFacts")
            .field("now_micros", &self.now_micros)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("search_path", &self.search_path)
            .field("pid", &self.pid)
            .finish_non_exhaustive()
    }
}
