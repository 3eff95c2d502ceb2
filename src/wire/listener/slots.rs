//! Who has come in: connections that wait for their login, and sessions.
//! Must not know: sockets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// Of the configured connections, those that only administrators get.
const ADMIN_SLOTS: usize = 3;

/// Connections that may wait for their login beyond the number of sessions.
const WAITING_BEYOND: usize = 256;

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Slots {
    sessions: Arc<AtomicUsize>,
    waiting: Arc<Mutex<Queue>>,
}

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    tokens: BTreeMap<u64, CancellationToken>,
}

/// A connection that waits for its login; it has left when this is dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    queue: Arc<Mutex<Queue>>,
    number: u64,
    token: CancellationToken,
}

/// A session's place; it is free when this is dropped.
#[derive(Debug)]
pub(super) struct Slot(Arc<AtomicUsize>);

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// There is none.
    All,
    /// There are only those of administrators.
    ForOthers,
}

impl Slots {
    pub(super) fn sessions(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.lock().tokens.len()
    }

    /// Lets a connection wait. Where too many do, the one that has waited longest must go: a login takes a moment, and
    /// who only holds sockets open shall not keep others out.
    pub(super) fn wait(&self, max_connections: usize) -> Waiting {
        let token = CancellationToken::new();
        let mut queue = self.waiting.lock();
        while queue.tokens.len() >= max_connections.saturating_add(WAITING_BEYOND) {
            match queue.tokens.pop_first() {
                Some((_, oldest)) => oldest.cancel(),
                None => break,
            }
        }
        let number = queue.next;
        queue.next += 1;
        queue.tokens.insert(number, token.clone());
        Waiting { queue: Arc::clone(&self.waiting), number, token }
    }

    /// Whether a session could begin now: for a quick refusal before the login.
    pub(super) fn full(&self, max_connections: usize) -> bool {
        self.sessions() >= max_connections
    }

    /// Takes a place for a session.
    pub(super) fn take(&self, max_connections: usize, admin: bool) -> Result<Slot, Full> {
        let kept = if admin || max_connections <= ADMIN_SLOTS { 0 } else { ADMIN_SLOTS };
        let most = max_connections - kept;
        let taken = self
            .sessions
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |sessions| (sessions < most).then_some(sessions + 1));
        match taken {
            Ok(_) => Ok(Slot(Arc::clone(&self.sessions))),
            Err(sessions) if sessions < max_connections => Err(Full::ForOthers),
            Err(_) => Err(Full::All),
        }
    }
}

impl Waiting {
    /// Resolves when this connection must make room.
    pub(super) async fn must_leave(&self) {
        self.token.cancelled().await;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.queue.lock().tokens.remove(&self.number);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_places_for_administrators() {
        let slots = Slots::default();
        let mut held: Vec<_> = (0..7).map(|_| slots.take(10, false).unwrap()).collect();
        assert_eq!(slots.take(10, false).unwrap_err(), Full::ForOthers);
        held.extend((0..3).map(|_| slots.take(10, true).unwrap()));
        assert!(slots.full(10));
        assert_eq!(slots.take(10, true).unwrap_err(), Full::All);
        drop(held);
        assert_eq!(slots.sessions(), 0);
        assert!(slots.take(2, false).is_ok());
    }

    #[test]
    fn the_longest_waiting_makes_room() {
        let slots = Slots::default();
        let held: Vec<_> = (0..WAITING_BEYOND + 1).map(|_| slots.wait(1)).collect();
        assert!(!held[0].token.is_cancelled());
        let newest = slots.wait(1);
        assert!(held[0].token.is_cancelled() && !held[1].token.is_cancelled() && !newest.token.is_cancelled());
        drop((held, newest));
        assert_eq!(slots.waiting(), 0);
    }
}
