//! Counts failures by address over a window of time, to slow down those who guess.
//! Must not know: users, passwords, keys.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Addresses remembered at most.
const MOST_ADDRESSES: usize = 10_000;

/// Failures by address. Peers without one (Unix sockets) are not counted.
#[derive(Debug)]
pub(crate) struct Throttle {
    window: Duration,
    free: u32,
    known: Mutex<HashMap<IpAddr, Failures>>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    since: Instant,
    count: u32,
}

impl Throttle {
    /// Within `window`, `free` failures cost nothing.
    pub(crate) fn new(window: Duration, free: u32) -> Self {
        Throttle { window, free, known: Mutex::default() }
    }

    /// Whether an address has used up what is free.
    pub(crate) fn exhausted(&self, address: Option<IpAddr>, now: Instant) -> bool {
        let known = self.known.lock();
        address
            .and_then(|address| known.get(&address))
            .is_some_and(|failures| failures.count >= self.free && now.duration_since(failures.since) < self.window)
    }

    /// Counts a failure. True: it was one too many.
    pub(crate) fn failed(&self, address: Option<IpAddr>, now: Instant) -> bool {
        let Some(address) = address else {
            return false;
        };
        let mut known = self.known.lock();
        if known.len() >= MOST_ADDRESSES && !known.contains_key(&address) {
            known.retain(|_, failures| now.duration_since(failures.since) < self.window);
            if known.len() >= MOST_ADDRESSES {
                // So many at once is an attack from many addresses: none is trusted by one more.
                return true;
            }
        }
        let failures = known.entry(address).or_insert(Failures { since: now, count: 0 });
        if now.duration_since(failures.since) >= self.window {
            *failures = Failures { since: now, count: 0 };
        }
        failures.count = failures.count.saturating_add(1);
        failures.count > self.free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_address_and_forgets() {
        let window = Duration::from_secs(10);
        let throttle = Throttle::new(window, 20);
        let (guesser, other) = (Some(IpAddr::from([10, 0, 0, 1])), Some(IpAddr::from([10, 0, 0, 2])));
        let start = Instant::now();
        for _ in 0..20 {
            assert!(!throttle.exhausted(guesser, start));
            assert!(!throttle.failed(guesser, start));
        }
        assert!(throttle.exhausted(guesser, start));
        assert!(throttle.failed(guesser, start));
        assert!(!throttle.failed(other, start));
        assert!(!throttle.exhausted(guesser, start + window));
        assert!(!throttle.failed(guesser, start + window));
        assert!(!throttle.failed(None, start));
    }

    #[test]
    fn stays_small() {
        let window = Duration::from_secs(10);
        let throttle = Throttle::new(window, 1);
        let start = Instant::now();
        for number in 0..2 * MOST_ADDRESSES as u32 {
            throttle.failed(Some(IpAddr::from(number.to_be_bytes())), start);
        }
        assert!(throttle.known.lock().len() <= MOST_ADDRESSES);
        assert!(!throttle.failed(Some(IpAddr::from([255, 0, 0, 1])), start + window));
    }
}
