//! How much an identity may take: the strictest of its roles' limits.
//! Must not know: how a limit is counted.

use std::time::Duration;

use crate::config::LimitSettings;

/// Limits; `None`: none. Zero never occurs: the config's zero means none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// Ceiling of `statement_timeout`.
    pub statement_timeout: Option<Duration>,
    /// Rows returned by one statement.
    pub max_rows: Option<u64>,
    /// Bytes returned by one statement.
    pub max_bytes: Option<u64>,
    /// Bytes of memory of one statement.
    pub max_memory: Option<u64>,
    /// Statements of the role at once.
    pub max_concurrent: Option<usize>,
    /// Statements of the role waiting.
    pub max_queued: Option<usize>,
    /// How long one may wait.
    pub queue_timeout: Option<Duration>,
    /// Statements of the role started a minute.
    pub statements_per_minute: Option<u32>,
    /// Connections of the role at once.
    pub max_connections: Option<usize>,
    /// Rows read from sources by one statement.
    pub max_rows_read: Option<u64>,
}

impl Quota {
    /// The limits of one role.
    #[must_use]
    pub fn of(limits: &LimitSettings) -> Self {
        Quota {
            statement_timeout: limits.statement_timeout.filter(|d| !d.is_zero()),
            max_rows: limits.max_rows.filter(|n| *n > 0),
            max_bytes: limits.max_bytes.filter(|n| *n > 0),
            max_memory: limits.max_memory.filter(|n| *n > 0),
            max_concurrent: limits.max_concurrent.filter(|n| *n > 0),
            max_queued: limits.max_queued.filter(|n| *n > 0),
            queue_timeout: limits.queue_timeout.filter(|d| !d.is_zero()),
            statements_per_minute: limits.statements_per_minute.filter(|n| *n > 0),
            max_connections: limits.max_connections.filter(|n| *n > 0),
            max_rows_read: limits.max_rows_read.filter(|n| *n > 0),
        }
    }

    /// The strictest of two.
    #[must_use]
    pub fn strictest(self, other: Quota) -> Self {
        Quota {
            statement_timeout: least(self.statement_timeout, other.statement_timeout),
            max_rows: least(self.max_rows, other.max_rows),
            max_bytes: least(self.max_bytes, other.max_bytes),
            max_memory: least(self.max_memory, other.max_memory),
            max_concurrent: least(self.max_concurrent, other.max_concurrent),
            max_queued: least(self.max_queued, other.max_queued),
            queue_timeout: least(self.queue_timeout, other.queue_timeout),
            statements_per_minute: least(self.statements_per_minute, other.statements_per_minute),
            max_connections: least(self.max_connections, other.max_connections),
            max_rows_read: least(self.max_rows_read, other.max_rows_read),
        }
    }

    /// The statement timeout that holds: the stricter of the session's (zero: none) and the ceiling.
    #[must_use]
    pub fn statement_timeout(&self, session: Duration) -> Option<Duration> {
        least(self.statement_timeout, Some(session).filter(|d| !d.is_zero()))
    }
}

/// The least of two limits, where no limit is the most.
fn least<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_holds() {
        let a = Quota { max_rows: Some(10), max_bytes: Some(5), ..Quota::default() };
        let b = Quota { max_rows: Some(3), max_memory: Some(7), ..Quota::default() };
        let both = a.strictest(b);
        assert_eq!(
            (both.max_rows, both.max_bytes, both.max_memory, both.max_rows_read),
            (Some(3), Some(5), Some(7), None)
        );
        let quota = Quota { statement_timeout: Some(Duration::from_secs(30)), ..Quota::default() };
        assert_eq!(quota.statement_timeout(Duration::ZERO), Some(Duration::from_secs(30)));
        assert_eq!(quota.statement_timeout(Duration::from_secs(5)), Some(Duration::from_secs(5)));
        assert_eq!(Quota::default().statement_timeout(Duration::ZERO), None);
    }
}
