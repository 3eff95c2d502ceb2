//! What happened that people should know of, as `tusk.events` shows it: the last so many, oldest first.
//! Must not know: who may look at which of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Event {
    /// When.
    pub happened_at: SystemTime,
    /// What kind of thing: `catalog_error`.
    pub kind: &'static str,
    /// The login name of whom it happened to; none where it happened to nobody.
    pub user_name: Option<String>,
    /// The session's process id.
    pub session_id: Option<i32>,
    /// The statement's id.
    pub query_id: Option<String>,
    /// The code of the error.
    pub sqlstate: Option<String>,
    /// What happened, in words.
    pub message: String,
    /// The statement, as far as it is kept.
    pub query: Option<String>,
}

/// The last events. Clones share them.
#[derive(Debug, Default, Clone)]
pub struct Events(Arc<Mutex<VecDeque<Event>>>);

impl Events {
    /// How many are kept.
    pub const KEPT: usize = 1000;

    /// How much of a statement is kept, in bytes.
    pub const QUERY_BYTES: usize = 4096;

    /// Adds one; the oldest makes room.
    pub fn add(&self, mut event: Event) {
        if let Some(query) = &mut event.query {
            query.truncate(query.floor_char_boundary(Self::QUERY_BYTES));
        }
        let mut events = self.0.lock();
        if events.len() >= Self::KEPT {
            events.pop_front();
        }
        events.push_back(event);
    }

    /// All that are kept, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<Event> {
        self.0.lock().iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(message: &str, query: &str) -> Event {
        Event {
            happened_at: SystemTime::UNIX_EPOCH,
            kind: "catalog_error",
            user_name: None,
            session_id: None,
            query_id: None,
            sqlstate: None,
            message: message.to_owned(),
            query: Some(query.to_owned()),
        }
    }

    #[test]
    fn the_oldest_make_room_and_long_statements_are_cut() {
        let events = Events::default();
        for number in 0..=Events::KEPT {
            events.add(event(&number.to_string(), &"é".repeat(Events::QUERY_BYTES)));
        }
        let all = events.list();
        assert_eq!(all.len(), Events::KEPT);
        assert_eq!(all.first().unwrap().message, "1");
        assert!(all.iter().all(|event| event.query.as_ref().unwrap().len() <= Events::QUERY_BYTES));
    }
}
