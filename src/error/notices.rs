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
pub struct Notices(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    notices: Vec<Notice>,
    bytes: usize,
}

impl Notices {
    /// Bytes of those that wait for a client at most; more are forgotten.
    const MOST: usize = 1 << 20;

    /// Adds one.
    pub fn push(&self, notice: Notice) {
        let texts = [Some(&notice.message), notice.detail.as_ref(), notice.hint.as_ref()];
        let bytes = size_of::<Notice>() + texts.into_iter().flatten().map(String::len).sum::<usize>();
        let mut waiting = self.0.lock();
        if waiting.bytes + bytes <= Self::MOST {
            waiting.bytes += bytes;
            waiting.notices.push(notice);
        }
    }

    /// Adds those that another statement was told.
    pub fn take_over(&self, others: &Notices) {
        if !Arc::ptr_eq(&self.0, &others.0) {
            others.take().into_iter().for_each(|notice| self.push(notice));
        }
    }

    /// Adds a WARNING.
    pub fn warn(&self, state: SqlState, message: impl Into<String>) {
        self.push(Notice { severity: "WARNING", state, message: message.into(), detail: None, hint: None });
    }

    /// Adds that a name was cut.
    pub fn cut(&self, name: &str, short: &str) {
        let message = format!("identifier \"{name}\" will be truncated to \"{short}\"");
        let state = SqlState::NAME_TOO_LONG;
        self.push(Notice { severity: "NOTICE", state, message, detail: None, hint: None });
    }

    /// Those that were added since it was last asked.
    #[must_use]
    pub fn take(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.0.lock()).notices
    }
}
