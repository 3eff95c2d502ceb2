//! What a statement may know of its session: the time, the user, the settings.
//! Must not know: sessions themselves; it is given the facts.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::error::{Notices, Result};
use crate::types::FormatOptions;

/// Looks up a setting by its lower-case name.
pub type SettingLookup = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What functions do to their session, and what they see of it while they run.
pub trait SessionActs: Send + Sync {
    /// Sets a variable (`None`: to its default) and answers its new value as SHOW writes it.
    ///
    /// # Errors
    /// As SET.
    fn set_config(&self, name: &str, value: Option<&str>, local: bool) -> Result<String>;

    /// A variable, as what ran before in the same statement left it.
    fn setting(&self, name: &str) -> Option<String>;

    /// Says something on a channel when the transaction commits.
    ///
    /// # Errors
    /// `22023` for a channel or a payload that PostgreSQL refuses.
    fn notify(&self, channel: &str, payload: &str) -> Result<()>;

    /// The channels that the session listens to.
    fn listening(&self) -> Vec<String>;

    /// The part of the queue of notifications that is full.
    fn queue_usage(&self) -> f64;

    /// The number of the transaction.
    fn transaction(&self) -> u64;
}

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
    /// The transaction that the catalogs are of, as `xmin` tells it.
    pub transaction: u64,
    /// When the server started: microseconds since 1970-01-01 00:00:00 UTC.
    pub started_micros: i64,
    /// The client's end of the connection; none of a socket in the file system.
    pub client: Option<(IpAddr, u16)>,
    /// The server's end.
    pub server: Option<(IpAddr, u16)>,
    /// What `pg_backend_pid()` answers.
    pub pid: i32,
    /// Looks up a setting (`current_setting`), by lower-case name.
    pub setting: SettingLookup,
    /// Settings may change while the statement runs, as it calls `set_config`.
    pub settings_change: bool,
    /// Where functions act.
    pub acts: Arc<dyn SessionActs>,
    /// Where functions warn.
    pub notices: Notices,
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

/// A session on which nothing acts.
#[derive(Debug)]
pub(super) struct Nowhere;

impl SessionActs for Nowhere {
    fn set_config(&self, name: &str, _: Option<&str>, _: bool) -> Result<String> {
        Ok(name.to_owned())
    }

    fn setting(&self, _: &str) -> Option<String> {
        None
    }

    fn notify(&self, _: &str, _: &str) -> Result<()> {
        Ok(())
    }

    fn listening(&self) -> Vec<String> {
        Vec::new()
    }

    fn queue_usage(&self) -> f64 {
        0.0
    }

    fn transaction(&self) -> u64 {
        0
    }
}
