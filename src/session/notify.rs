//! LISTEN and NOTIFY within one daemon: who listens to what, what is said at commit, what waits for each listener.
//! Must not know: messages, sockets. It carries only what clients say.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::error::{Error, Result, SqlState};
use crate::names::MAX_IDENTIFIER_BYTES;

/// A payload has fewer bytes than this (PostgreSQL's `NOTIFY_PAYLOAD_MAX_LENGTH`, with a block of 8192 bytes).
const PAYLOAD_BYTES: usize = 8_000;

/// What may wait for one listener, and what one transaction may say, in bytes.
const WAITING_BYTES: usize = 8 * 1024 * 1024;

/// What may wait in the whole daemon, in bytes.
const QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// What a notification costs beside its texts, and what each listener adds, in bytes.
const OVERHEAD: usize = 160;
const SHARE: usize = 16;

/// Channels that one session may listen to.
const MAX_CHANNELS: usize = 10_000;

/// One thing that was said on a channel.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Note {
    /// Where.
    pub channel: String,
    /// What; may be empty.
    pub payload: String,
}

impl Note {
    /// A note that keeps PostgreSQL's limits.
    ///
    /// # Errors
    /// `22023`: no channel, a channel's name or a payload that is too long.
    pub fn new(channel: &str, payload: &str) -> Result<Note> {
        let invalid = |message| Err(Error::client(SqlState::INVALID_PARAMETER_VALUE, message));
        if channel.is_empty() {
            return invalid("channel name cannot be empty");
        }
        if channel.len() > MAX_IDENTIFIER_BYTES {
            return invalid("channel name too long");
        }
        if payload.len() >= PAYLOAD_BYTES {
            return invalid("payload string too long");
        }
        Ok(Note { channel: channel.to_owned(), payload: payload.to_owned() })
    }

    fn cost(&self) -> usize {
        self.channel.len() + self.payload.len() + OVERHEAD
    }
}

/// A note on its way, with the session that it comes from. Its bytes count until the last listener has it.
#[derive(Debug)]
pub struct Notification {
    /// The session that said it.
    pub pid: i32,
    /// What it said.
    pub note: Arc<Note>,
    cost: usize,
    held: Arc<AtomicUsize>,
}

impl Drop for Notification {
    fn drop(&mut self) {
        self.held.fetch_sub(self.cost, Ordering::Relaxed);
    }
}

/// What waits for one session.
#[derive(Debug, Default)]
pub struct Mailbox {
    waiting: Mutex<Waiting>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    notifications: VecDeque<Arc<Notification>>,
    bytes: usize,
}

impl Mailbox {
    /// Resolves when something waits. May be dropped while it waits.
    pub async fn arrived(&self) {
        loop {
            let news = self.news.notified();
            if !self.waiting.lock().notifications.is_empty() {
                return;
            }
            news.await;
        }
    }

    /// The next notification, if one waits.
    #[must_use]
    pub fn take(&self) -> Option<Arc<Notification>> {
        let mut waiting = self.waiting.lock();
        let next = waiting.notifications.pop_front();
        if let Some(next) = &next {
            waiting.bytes -= next.note.cost();
        }
        if waiting.notifications.is_empty() && waiting.notifications.capacity() > 64 {
            waiting.notifications = VecDeque::new();
        }
        next
    }
}

/// Who listens to a channel, by process id.
type Listeners = BTreeMap<i32, Arc<Mailbox>>;

/// Who listens to what. A clone is the same hub.
#[derive(Debug, Clone, Default)]
pub(super) struct Hub {
    channels: Arc<Mutex<HashMap<String, Listeners>>>,
    held: Arc<AtomicUsize>,
}

impl Hub {
    fn listen(&self, channel: &str, pid: i32, mailbox: &Arc<Mailbox>) {
        let mut channels = self.channels.lock();
        channels.entry(channel.to_owned()).or_default().insert(pid, Arc::clone(mailbox));
    }

    fn unlisten(&self, channel: &str, pid: i32) {
        let mut channels = self.channels.lock();
        if let Some(listeners) = channels.get_mut(channel) {
            listeners.remove(&pid);
            if listeners.is_empty() {
                channels.remove(channel);
            }
        }
    }

    /// The part of the queue that is full, from 0 to 1.
    #[must_use]
    pub(super) fn usage(&self) -> f64 {
        self.held.load(Ordering::Relaxed) as f64 / QUEUE_BYTES as f64
    }

    /// Hands notes to everybody who listens: all of them or none. All sessions hear them in the same order.
    ///
    /// # Errors
    /// `54000`: a listener, or the whole daemon, has too much waiting already.
    fn send(&self, pid: i32, notes: &[Arc<Note>], assured: bool) -> Result<()> {
        let channels = self.channels.lock();
        if !assured {
            self.room(&channels, notes)?;
        }
        let mut due: BTreeMap<i32, &Arc<Mailbox>> = BTreeMap::new();
        for note in notes {
            let Some(listeners) = channels.get(&note.channel) else { continue };
            let cost = note.cost() + SHARE * listeners.len();
            self.held.fetch_add(cost, Ordering::Relaxed);
            let sent = Arc::new(Notification { pid, note: Arc::clone(note), cost, held: Arc::clone(&self.held) });
            for (listener, mailbox) in listeners {
                let mut waiting = mailbox.waiting.lock();
                waiting.notifications.push_back(Arc::clone(&sent));
                waiting.bytes += note.cost();
                due.insert(*listener, mailbox);
            }
        }
        for mailbox in due.values() {
            mailbox.news.notify_one();
        }
        Ok(())
    }

    /// Whether there is room for notes.
    fn room(&self, channels: &HashMap<String, Listeners>, notes: &[Arc<Note>]) -> Result<()> {
        let mut due: BTreeMap<i32, (&Arc<Mailbox>, usize)> = BTreeMap::new();
        let mut total = 0;
        for note in notes {
            let Some(listeners) = channels.get(&note.channel) else { continue };
            total += note.cost() + SHARE * listeners.len();
            for (listener, mailbox) in listeners {
                due.entry(*listener).or_insert((mailbox, 0)).1 += note.cost();
            }
        }
        let full = || Error::resource(SqlState::PROGRAM_LIMIT_EXCEEDED, "too many notifications in the NOTIFY queue");
        if self.held.load(Ordering::Relaxed) + total > QUEUE_BYTES {
            return Err(full());
        }
        if due.values().any(|(mailbox, bytes)| mailbox.waiting.lock().bytes + bytes > WAITING_BYTES) {
            return Err(full());
        }
        Ok(())
    }
}

/// What a transaction does to the channels when it commits.
#[derive(Debug, Clone)]
enum Action {
    Listen(String),
    Unlisten(String),
    UnlistenAll,
}

/// The channels of one session, and what its transaction will do to them.
#[derive(Debug)]
pub(super) struct Channels {
    hub: Hub,
    pid: i32,
    mailbox: Arc<Mailbox>,
    listening: BTreeSet<String>,
    /// With the number of savepoints that stood when it was asked for.
    actions: Vec<(usize, Action)>,
    /// Likewise.
    pending: Vec<(usize, Arc<Note>)>,
    /// The notes of `pending`: what is said twice in a transaction is heard once.
    said: HashSet<Arc<Note>>,
    bytes: usize,
    /// What it says has found room, and goes out whatever comes.
    assured: bool,
}

impl Channels {
    pub(super) fn new(hub: Hub, pid: i32, mailbox: Arc<Mailbox>) -> Self {
        Channels {
            hub,
            pid,
            mailbox,
            listening: BTreeSet::new(),
            actions: Vec::new(),
            pending: Vec::new(),
            said: HashSet::new(),
            bytes: 0,
            assured: false,
        }
    }

    /// The transaction is about to commit elsewhere, too: what it says must find room now or not at all. (So much may wait for a listener
    /// more than is meant for it, as transactions commit at once.)
    ///
    /// # Errors
    /// `54000`: the queue is full.
    pub(super) fn assure(&mut self) -> Result<()> {
        let notes: Vec<_> = self.pending.iter().map(|(_, note)| Arc::clone(note)).collect();
        self.hub.room(&self.hub.channels.lock(), &notes)?;
        self.assured = true;
        Ok(())
    }

    pub(super) fn listen(&mut self, depth: usize, channel: &str) -> Result<()> {
        if self.listening.len() + self.actions.len() >= MAX_CHANNELS && !self.listening.contains(channel) {
            return Err(Error::resource(
                SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                format!("a session cannot listen to more than {MAX_CHANNELS} channels"),
            ));
        }
        self.act(depth, Action::Listen(channel.to_owned()));
        Ok(())
    }

    pub(super) fn unlisten(&mut self, depth: usize, channel: &str) {
        // Where nothing is listened to or about to be, PostgreSQL too does nothing.
        if !self.listening.is_empty() || !self.actions.is_empty() {
            self.act(depth, Action::Unlisten(channel.to_owned()));
        }
    }

    pub(super) fn unlisten_all(&mut self, depth: usize) {
        if !self.listening.is_empty() || !self.actions.is_empty() {
            self.act(depth, Action::UnlistenAll);
        }
    }

    /// What repeats the last action adds nothing, so that a loop over UNLISTEN in one transaction does not grow.
    fn act(&mut self, depth: usize, action: Action) {
        let same = |last: &Action| match (last, &action) {
            (Action::UnlistenAll, Action::UnlistenAll) => true,
            (Action::Listen(a), Action::Listen(b)) | (Action::Unlisten(a), Action::Unlisten(b)) => a == b,
            _ => false,
        };
        if !self.actions.last().is_some_and(|(at, last)| *at == depth && same(last)) {
            self.actions.push((depth, action));
        }
    }

    /// Says something when the transaction commits.
    pub(super) fn notify(&mut self, depth: usize, note: Note) -> Result<()> {
        let cost = note.cost();
        let note = Arc::new(note);
        if self.said.contains(&note) {
            return Ok(());
        }
        if self.bytes + cost > WAITING_BYTES {
            return Err(Error::resource(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                "too many notifications in the NOTIFY queue",
            ));
        }
        self.bytes += cost;
        self.said.insert(Arc::clone(&note));
        self.pending.push((depth, note));
        Ok(())
    }

    /// The channels that are listened to, by name.
    pub(super) fn listening(&self) -> Vec<String> {
        self.listening.iter().cloned().collect()
    }

    /// The transaction commits. LISTEN holds before what the transaction itself says goes out, UNLISTEN after.
    ///
    /// # Errors
    /// `54000`: the queue is full. Nothing is said then, and the transaction must be rolled back.
    pub(super) fn commit(&mut self) -> Result<()> {
        if self.actions.is_empty() && self.pending.is_empty() {
            return Ok(());
        }
        let actions = std::mem::take(&mut self.actions);
        let mut after = self.listening.clone();
        for (_, action) in actions {
            match action {
                Action::Listen(channel) => {
                    after.insert(channel);
                }
                Action::Unlisten(channel) => {
                    after.remove(&channel);
                }
                Action::UnlistenAll => after.clear(),
            }
        }
        let new: Vec<_> = after.difference(&self.listening).cloned().collect();
        for channel in &new {
            self.hub.listen(channel, self.pid, &self.mailbox);
        }
        let notes: Vec<_> = std::mem::take(&mut self.pending).into_iter().map(|(_, note)| note).collect();
        let assured = self.assured;
        self.forget();
        if let Err(error) = self.hub.send(self.pid, &notes, assured) {
            for channel in &new {
                self.hub.unlisten(channel, self.pid);
            }
            return Err(error);
        }
        for channel in self.listening.difference(&after) {
            self.hub.unlisten(channel, self.pid);
        }
        self.listening = after;
        Ok(())
    }

    /// The transaction is rolled back.
    pub(super) fn forget(&mut self) {
        self.actions.clear();
        self.pending.clear();
        self.said.clear();
        self.bytes = 0;
    }

    /// Savepoints are released down to this many.
    pub(super) fn release(&mut self, depth: usize) {
        let made = self.actions.iter_mut().map(|(at, _)| at).chain(self.pending.iter_mut().map(|(at, _)| at));
        made.for_each(|at| *at = (*at).min(depth));
    }

    /// Back to the savepoint at this depth (from 0), which stays.
    pub(super) fn rollback_to(&mut self, depth: usize) {
        self.actions.retain(|(at, _)| *at <= depth);
        self.pending.retain(|(at, _)| *at <= depth);
        self.said = self.pending.iter().map(|(_, note)| Arc::clone(note)).collect();
        self.bytes = self.said.iter().map(|note| note.cost()).sum();
    }
}

impl Drop for Channels {
    fn drop(&mut self) {
        for channel in &self.listening {
            self.hub.unlisten(channel, self.pid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(hub: &Hub, pid: i32) -> Channels {
        Channels::new(hub.clone(), pid, Arc::default())
    }

    fn heard(channels: &Channels) -> Vec<String> {
        std::iter::from_fn(|| channels.mailbox.take())
            .map(|notification| format!("{}:{}", notification.note.channel, notification.note.payload))
            .collect()
    }

    fn say(channels: &mut Channels, depth: usize, channel: &str, payload: &str) {
        channels.notify(depth, Note::new(channel, payload).unwrap()).unwrap();
    }

    #[test]
    fn what_is_rolled_back_is_not_heard() {
        let hub = Hub::default();
        let (mut a, mut b) = (session(&hub, 1), session(&hub, 2));
        a.listen(0, "x").unwrap();
        say(&mut a, 0, "x", "own");
        a.commit().unwrap();
        say(&mut b, 0, "x", "1");
        say(&mut b, 0, "x", "1");
        say(&mut b, 1, "x", "lost");
        b.rollback_to(0);
        say(&mut b, 1, "x", "2");
        b.release(0);
        b.rollback_to(0);
        assert!(heard(&a) == ["x:own"] && heard(&b).is_empty());
        b.commit().unwrap();
        say(&mut b, 0, "x", "never");
        b.forget();
        b.commit().unwrap();
        assert_eq!(heard(&a), ["x:1", "x:2"]);
        assert_eq!(hub.usage(), 0.0);
    }

    #[test]
    fn a_full_queue_refuses_and_an_ended_session_frees_it() {
        let hub = Hub::default();
        let (mut listener, mut speaker) = (session(&hub, 1), session(&hub, 2));
        listener.listen(0, "x").unwrap();
        listener.commit().unwrap();
        let payload = |number: usize| format!("{number:06}").repeat(1300);
        let refused = (0..10_000).find(|number| {
            say(&mut speaker, 0, "x", &payload(*number));
            speaker.commit().is_err_and(|error| error.state() == SqlState::PROGRAM_LIMIT_EXCEEDED)
        });
        assert!(refused.is_some_and(|sent| sent > 500), "{refused:?}");
        assert!(hub.usage() > 0.1);
        drop(listener);
        assert_eq!(hub.usage(), 0.0);
        say(&mut speaker, 0, "x", "nobody listens");
        speaker.commit().unwrap();
        let limited = (0..10_000).find(|number| speaker.notify(0, Note::new("x", &payload(*number)).unwrap()).is_err());
        assert!(limited.is_some(), "one transaction may say any amount");
    }

    #[test]
    fn limits_of_a_note() {
        let message = |channel: &str, payload: &str| Note::new(channel, payload).unwrap_err().message().to_owned();
        assert_eq!(message("", "x"), "channel name cannot be empty");
        assert_eq!(message(&"a".repeat(64), "x"), "channel name too long");
        assert_eq!(message("a", &"x".repeat(8000)), "payload string too long");
        assert!(Note::new(&"a".repeat(63), &"x".repeat(7999)).is_ok());
    }
}
