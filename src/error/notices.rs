//! What a client is told beside its rows.
//! Must not know: sockets, what `client_min_messages` lets pass.

use std::sync::Arc;

use parking_lot::Mutex;

use super::SqlState;

/// What a client is told beside its rows (WARNING, NOTICE).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// `WARNING`, `NOTICE`, `INFO`, `LOG`, `DEBUG`.
    pub severity: &'static str,
    /// Its SQLSTATE.
    pub state: SqlState,
    /// Its text.
    pub message: String,
    /// More about it: a sentence.
    pub detail: Option<String>,
    /// What to do about it: a sentence.
    pub hint: Option<String>,
}

/// The notices of a running statement that its client has not been told yet. They are told whether or not the statement fails.
#[derive(Debug, Clone, Default)]
pub struct Notices(Arc<Mutex<Vec<Notice>>>);

impl Notices {
    /// The most that wait for a client; more are forgotten.
    const MOST: usize = 10_000;

    /// Adds one.
    pub fn push(&self, notice: Notice) {
        let mut waiting = self.0.lock();
        if waiting.len() < Self::MOST {
            waiting.push(notice);
        }
    }

    /// Adds a WARNING.
    pub fn warn(&self, state: SqlState, message: impl Into<String>) {
        self.push(Notice { severity: "WARNING", state, message: message.into(), detail: None, hint: None });
    }

    /// Those that were added since it was last asked.
    #[must_use]
    pub fn take(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.0.lock())
    }
}
