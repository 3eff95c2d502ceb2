//! All sessions at once: who they are, what they do, and the keys to cancel them.
//! Must not know: what statements do.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::SystemTime;

use parking_lot::Mutex;
use rand::TryRngCore;
use rand::rngs::OsRng;
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;

use super::notify::{Hub, Mailbox};
use super::{Objects, Room, TransactionStatus};
use crate::error::{Error, Result};

/// Bytes of a statement that other sessions may see; the history has it whole.
const SHOWN_BYTES: usize = 4_096;

/// The secret of a session, as BackendKeyData hands it out: 4 bytes in protocol 3.0, 32 from 3.2 on.
#[derive(Clone, PartialEq, Eq)]
pub struct CancelKey(Vec<u8>);

impl CancelKey {
    fn random(bytes: usize) -> Result<Self> {
        let mut key = vec![0; bytes];
        OsRng
            .try_fill_bytes(&mut key)
            .map_err(|error| Error::internal("no random bytes from the system").with_cause(error))?;
        Ok(CancelKey(key))
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for CancelKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CancelKey(..)")
    }
}

/// Who comes in.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The login name.
    pub user: String,
    /// The database.
    pub database: String,
    /// Where the client is; `None`: a socket in the file system.
    pub client: Option<(IpAddr, u16)>,
    /// The end of that connection that is ours.
    pub server: Option<(IpAddr, u16)>,
    /// Bytes of its cancel key.
    pub key_bytes: usize,
}

/// What a session is doing, as `pg_stat_activity.state` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// A statement runs.
    Active,
    /// It waits for the client.
    Idle,
    /// It waits for the client, in a block.
    IdleInTransaction,
    /// It waits for the client, in a block that failed.
    IdleInFailedTransaction,
}

impl Activity {
    /// As `pg_stat_activity.state` says it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Activity::Active => "active",
            Activity::Idle => "idle",
            Activity::IdleInTransaction => "idle in transaction",
            Activity::IdleInFailedTransaction => "idle in transaction (aborted)",
        }
    }
}

/// What other sessions may see of a session.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Its process id.
    pub pid: i32,
    /// The login name.
    pub user: String,
    /// The database.
    pub database: String,
    /// Where the client is; `None`: a socket in the file system.
    pub client: Option<(IpAddr, u16)>,
    /// `application_name`.
    pub application_name: String,
    /// When it logged in.
    pub started_at: SystemTime,
    /// When its transaction began.
    pub transaction_started_at: Option<SystemTime>,
    /// What it is doing.
    pub activity: Activity,
    /// Since when.
    pub activity_changed_at: SystemTime,
    /// Its latest statement, as it was sent; at most its first 4 KiB.
    pub query: Arc<str>,
    /// When that began.
    pub query_started_at: Option<SystemTime>,
}

#[derive(Debug)]
struct Now {
    application_name: String,
    transaction_started_at: Option<SystemTime>,
    activity: Activity,
    activity_changed_at: SystemTime,
    query: Arc<str>,
    query_started_at: Option<SystemTime>,
    /// Of the statement that runs now. Gone with it, so that a late cancel finds nothing.
    cancel: Option<CancellationToken>,
}

/// The shared side of a session.
#[derive(Debug)]
pub struct SessionEntry {
    pid: i32,
    who: NewSession,
    key: CancelKey,
    started_at: SystemTime,
    terminated: CancellationToken,
    mailbox: Arc<Mailbox>,
    now: Mutex<Now>,
    pub(super) objects: Arc<Objects>,
}

impl SessionEntry {
    fn new(pid: i32, who: NewSession, key: CancelKey) -> Self {
        let started_at = SystemTime::now();
        let now = Now {
            application_name: String::new(),
            transaction_started_at: None,
            activity: Activity::Idle,
            activity_changed_at: started_at,
            query: "".into(),
            query_started_at: None,
            cancel: None,
        };
        SessionEntry {
            pid,
            who,
            key,
            started_at,
            terminated: CancellationToken::new(),
            mailbox: Arc::default(),
            now: Mutex::new(now),
            objects: Arc::default(),
        }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The login name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.who.user
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.who.database
    }

    /// Where the client is; `None`: a socket in the file system.
    #[must_use]
    pub fn client(&self) -> Option<(IpAddr, u16)> {
        self.who.client
    }

    /// The end of its connection that is ours; `None`: a socket in the file system.
    #[must_use]
    pub fn server(&self) -> Option<(IpAddr, u16)> {
        self.who.server
    }

    /// The secret that cancels it.
    #[must_use]
    pub fn key(&self) -> &CancelKey {
        &self.key
    }

    /// What other sessions have told it and its client has not heard.
    #[must_use]
    pub fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// A statement is received: it is what the session does now.
    pub fn active(&self, query: &str) {
        let at = SystemTime::now();
        let mut now = self.now.lock();
        now.activity = Activity::Active;
        now.activity_changed_at = at;
        now.query = shortened(query).into();
        now.query_started_at = Some(at);
    }

    /// It waits for the client. No statement can be cancelled from now on.
    pub fn idle(&self, status: TransactionStatus) {
        let mut now = self.now.lock();
        now.activity = match status {
            TransactionStatus::Idle => Activity::Idle,
            TransactionStatus::InBlock => Activity::IdleInTransaction,
            TransactionStatus::Failed => Activity::IdleInFailedTransaction,
        };
        now.activity_changed_at = SystemTime::now();
        now.cancel = None;
    }

    /// A token for a statement that begins; cancel requests find it until the statement ends or another begins.
    #[must_use]
    pub fn begin_statement(&self) -> CancellationToken {
        let token = CancellationToken::new();
        self.now.lock().cancel = Some(token.clone());
        token
    }

    /// A suspended statement goes on: cancel requests find its token again.
    pub fn resume_statement(&self, token: &CancellationToken) {
        self.now.lock().cancel = Some(token.clone());
    }

    /// The statement has ended: a cancel request that comes now finds nothing.
    pub fn end_statement(&self) {
        self.now.lock().cancel = None;
    }

    /// Sets `application_name`.
    pub fn set_application_name(&self, name: &str) {
        name.clone_into(&mut self.now.lock().application_name);
    }

    /// Its `application_name`.
    #[must_use]
    pub fn application_name(&self) -> String {
        self.now.lock().application_name.clone()
    }

    pub(super) fn transaction_began(&self, at: SystemTime) {
        self.now.lock().transaction_started_at = Some(at);
    }

    pub(super) fn transaction_ended(&self) {
        self.now.lock().transaction_started_at = None;
    }

    /// Resolves when an administrator ends the session.
    pub async fn terminated(&self) {
        self.terminated.cancelled().await;
    }

    /// Whether an administrator has ended the session.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.terminated.is_cancelled()
    }

    fn cancel(&self) {
        // Cancelled under the lock: the statement cannot end, and the next begin, in between.
        if let Some(token) = &self.now.lock().cancel {
            token.cancel();
        }
    }

    fn row(&self) -> SessionRow {
        let now = self.now.lock();
        SessionRow {
            pid: self.pid,
            user: self.who.user.clone(),
            database: self.who.database.clone(),
            client: self.who.client,
            application_name: now.application_name.clone(),
            started_at: self.started_at,
            transaction_started_at: now.transaction_started_at,
            activity: now.activity,
            activity_changed_at: now.activity_changed_at,
            query: Arc::clone(&now.query),
            query_started_at: now.query_started_at,
        }
    }
}

/// The start of a text, of a length that may be kept for every session.
fn shortened(query: &str) -> &str {
    let mut end = SHOWN_BYTES.min(query.len());
    while !query.is_char_boundary(end) {
        end -= 1;
    }
    query.get(..end).unwrap_or(query)
}

#[derive(Debug, Default)]
struct Sessions {
    by_pid: HashMap<i32, Arc<SessionEntry>>,
    last_pid: i32,
}

/// All sessions. A clone is the same registry.
#[derive(Debug, Clone, Default)]
pub struct SessionRegistry {
    sessions: Arc<Mutex<Sessions>>,
    hub: Hub,
    room: Room,
}

/// A session's place in the registry; given up when dropped.
#[derive(Debug)]
pub struct SessionGuard {
    entry: Arc<SessionEntry>,
    registry: SessionRegistry,
}

impl Deref for SessionGuard {
    type Target = SessionEntry;

    fn deref(&self) -> &SessionEntry {
        &self.entry
    }
}

impl SessionGuard {
    /// The shared side, to be kept elsewhere.
    #[must_use]
    pub fn shared(&self) -> Arc<SessionEntry> {
        Arc::clone(&self.entry)
    }

    /// Where the daemon's sessions talk to each other.
    pub(super) fn hub(&self) -> Hub {
        self.registry.hub.clone()
    }

    pub(super) fn room(&self) -> Room {
        Arc::clone(&self.registry.room)
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        self.registry.sessions.lock().by_pid.remove(&self.entry.pid);
    }
}

impl SessionRegistry {
    /// No session yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// No session yet; together they keep at most so many plans.
    #[must_use]
    pub fn keeping(plans: usize) -> Self {
        SessionRegistry { room: Arc::new(AtomicUsize::new(plans)), ..Self::default() }
    }

    /// Enters a session, with a process id and a key of its own.
    ///
    /// # Errors
    /// `XX000` if the system has no random bytes.
    pub fn register(&self, who: NewSession) -> Result<SessionGuard> {
        let key = CancelKey::random(who.key_bytes)?;
        let start = CancelKey::random(4)?;
        let mut sessions = self.sessions.lock();
        if sessions.last_pid == 0 {
            // Ids of an earlier run mean nothing to this one.
            let random = start.bytes().iter().fold(0_i32, |id, byte| (id << 8) | i32::from(*byte));
            sessions.last_pid = random & 0x000f_ffff;
        }
        let mut pid = sessions.last_pid;
        loop {
            pid = pid.checked_add(1).unwrap_or(1);
            if !sessions.by_pid.contains_key(&pid) {
                break;
            }
        }
        sessions.last_pid = pid;
        let entry = Arc::new(SessionEntry::new(pid, who, key));
        sessions.by_pid.insert(pid, Arc::clone(&entry));
        Ok(SessionGuard { entry, registry: self.clone() })
    }

    pub(super) fn find(&self, pid: i32) -> Option<Arc<SessionEntry>> {
        self.sessions.lock().by_pid.get(&pid).cloned()
    }

    /// A CancelRequest: cancels the running statement, if any, of the session with this id and key. False: there is no such session, or
    /// the key is another's. The client is told nothing either way.
    #[must_use]
    pub fn cancel(&self, pid: i32, key: &[u8]) -> bool {
        match self.find(pid) {
            Some(entry) if bool::from(entry.key.bytes().ct_eq(key)) => {
                entry.cancel();
                true
            }
            _ => false,
        }
    }

    /// The session with this id, if it belongs to `owner`; `None` owns all.
    fn owned(&self, pid: i32, owner: Option<&str>) -> Option<Arc<SessionEntry>> {
        self.find(pid).filter(|entry| owner.is_none_or(|owner| owner == entry.user()))
    }

    /// `pg_cancel_backend`: false if there is no such session of `owner`'s (`None`: of anybody's). One that runs nothing is left alone.
    #[must_use]
    pub fn cancel_pid(&self, pid: i32, owner: Option<&str>) -> bool {
        self.owned(pid, owner).map(|entry| entry.cancel()).is_some()
    }

    /// `pg_terminate_backend`: false if there is no such session of `owner`'s (`None`: of anybody's).
    #[must_use]
    pub fn terminate(&self, pid: i32, owner: Option<&str>) -> bool {
        self.owned(pid, owner).map(|entry| entry.terminated.cancel()).is_some()
    }

    /// All sessions, ordered by id.
    #[must_use]
    pub fn list(&self) -> Vec<SessionRow> {
        let entries: Vec<_> = self.sessions.lock().by_pid.values().cloned().collect();
        let mut rows: Vec<_> = entries.iter().map(|entry| entry.row()).collect();
        rows.sort_by_key(|row| row.pid);
        rows
    }

    /// One session.
    #[must_use]
    pub fn get(&self, pid: i32) -> Option<SessionRow> {
        self.find(pid).map(|entry| entry.row())
    }

    /// How many sessions a user has.
    #[must_use]
    pub fn count_of(&self, user: &str) -> usize {
        self.sessions.lock().by_pid.values().filter(|entry| entry.user() == user).count()
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.lock().by_pid.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
