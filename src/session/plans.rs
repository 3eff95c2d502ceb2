//! Plans of statements that a session has run and may run again, word for word: kept although nobody asked for it.
//! Must not know: how statements are planned, whether a plan still holds.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::PreparedStatement;

/// Plans that one session keeps at most.
const MOST: usize = 64;
/// A longer text is not kept: it would hardly come again.
const LONGEST: usize = 16 << 10;

/// How many plans all sessions together may still keep.
pub type Room = Arc<AtomicUsize>;

/// Plans by the text of their message and the types that came with it; the one used last is the last. A plan is kept when its text comes the
/// second time: a session that does one thing keeps nothing.
pub struct Plans {
    kept: Vec<Entry>,
    room: Room,
    /// Hashes of texts that came once, the latest last.
    seen: Vec<u64>,
    hasher: RandomState,
}

struct Entry {
    text: String,
    types: Vec<u32>,
    prepared: Arc<PreparedStatement>,
}

impl Entry {
    fn is(&self, text: &str, types: &[u32]) -> bool {
        self.text == text && self.types == types
    }
}

impl fmt::Debug for Plans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plans").field("kept", &self.kept.len()).finish_non_exhaustive()
    }
}

impl Plans {
    /// No plans; as many as there is room for.
    pub(super) fn new(room: Room) -> Self {
        Plans { kept: Vec::new(), room, seen: Vec::new(), hasher: RandomState::new() }
    }

    /// Whether there is a statement of this text.
    #[must_use]
    pub fn has(&self, text: &str, types: &[u32]) -> bool {
        self.kept.iter().any(|entry| entry.is(text, types))
    }

    /// The statement of this text. It is no longer kept: who finds that it still holds keeps it again.
    pub fn take(&mut self, text: &str, types: &[u32]) -> Option<Arc<PreparedStatement>> {
        let at = self.kept.iter().rposition(|entry| entry.is(text, types))?;
        self.room.fetch_add(1, Ordering::Relaxed);
        Some(self.kept.remove(at).prepared)
    }

    /// Keeps a statement. The one that was not used for longest goes where there is no room for both.
    pub fn keep(&mut self, text: &str, types: &[u32], prepared: Arc<PreparedStatement>) {
        if text.len() > LONGEST || self.is_new(text, types) {
            return;
        }
        let taken = self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| room.checked_sub(1)).is_ok();
        if (!taken || self.kept.len() >= MOST) && !self.kept.is_empty() {
            self.kept.remove(0);
            if taken {
                self.room.fetch_add(1, Ordering::Relaxed);
            }
        } else if !taken {
            return;
        }
        self.kept.push(Entry { text: text.to_owned(), types: types.to_vec(), prepared });
    }

    /// Whether a text did not come before; from now on it did.
    fn is_new(&mut self, text: &str, types: &[u32]) -> bool {
        let hash = self.hasher.hash_one((text, types));
        if self.seen.contains(&hash) {
            return false;
        }
        if self.seen.len() >= 2 * MOST {
            self.seen.remove(0);
        }
        self.seen.push(hash);
        true
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.room.fetch_add(self.kept.len(), Ordering::Relaxed);
        self.kept.clear();
    }
}

impl Drop for Plans {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(text: &str) -> Arc<PreparedStatement> {
        let statement = crate::sql::parse(text).unwrap().pop().unwrap();
        Arc::new(PreparedStatement::utility(statement, None))
    }

    #[test]
    fn as_many_as_there_is_room_for() {
        let room: Room = Arc::new(AtomicUsize::new(3));
        let (mut a, mut b) = (Plans::new(Arc::clone(&room)), Plans::new(Arc::clone(&room)));
        for text in ["select 1", "select 2", "select 3", "select 4"] {
            a.keep(text, &[], prepared(text));
            assert!(!a.has(text, &[]), "it came once");
            a.keep(text, &[], prepared(text));
        }
        b.keep("select 1", &[], prepared("select 1"));
        assert!(a.take("select 1", &[]).is_none(), "the oldest has gone");
        b.keep("select 1", &[], prepared("select 1"));
        assert!(b.take("select 1", &[]).is_none(), "there is no room");
        assert!(a.take("select 2", &[23]).is_none() && a.take("select 2", &[]).is_some());
        b.keep("select 1", &[], prepared("select 1"));
        assert!(b.take("select 1", &[]).is_some());
        a.keep(&"x".repeat(LONGEST + 1), &[], prepared("select 1"));
        drop(a);
        assert_eq!(room.load(Ordering::Relaxed), 3);
        room.store(1000, Ordering::Relaxed);
        for number in 0..200 {
            b.keep(&number.to_string(), &[], prepared("select 1"));
            b.keep(&number.to_string(), &[], prepared("select 1"));
        }
        assert_eq!(room.load(Ordering::Relaxed), 1000 - MOST);
    }
}
