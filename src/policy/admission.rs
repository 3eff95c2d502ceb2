//! Who may start now: statements and connections of each role, counted; a queue in order of arrival.
//! Must not know: what a statement does, how long it may run.
//!
//! Limits are a role's, shared by all who have it. A statement needs room in every role of its user at once. The limits
//! come with the identity, the counts stay here, so a reload changes limits without losing count.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Identity, Role};
use crate::error::{Error, Result, SqlState};
use crate::metrics::Metrics;

/// How long a statement waits where no role says: nothing waits for ever.
const DEFAULT_QUEUE_TIMEOUT: Duration = Duration::from_secs(10);

const MINUTE: Duration = Duration::from_secs(60);

/// Counts statements and connections of roles. One for the daemon; cloning shares it.
#[derive(Clone)]
pub struct Admission(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Told when the queue was gone through and somebody is held back by a rate: when to look again has changed.
    held_by_rate: Notify,
    /// The minute of `statements_per_minute`; shorter in tests.
    minute: Duration,
    metrics: Metrics,
}

#[derive(Default)]
struct State {
    roles: HashMap<String, Counts>,
    queue: VecDeque<Waiter>,
    next_waiter: u64,
}

#[derive(Default)]
struct Counts {
    running: usize,
    waiting: usize,
    connections: usize,
    /// When the statements of the last minute started; kept only for roles with a rate.
    starts: VecDeque<Instant>,
}

struct Waiter {
    id: u64,
    roles: Vec<Arc<Role>>,
    granted: oneshot::Sender<Ticket>,
}

/// Room for one statement, given back when dropped.
#[must_use = "dropping the ticket gives the room back"]
pub struct Ticket {
    shared: Arc<Shared>,
    roles: Vec<Arc<Role>>,
}

/// Room for one connection, given back when dropped.
#[must_use = "dropping the ticket gives the room back"]
pub struct ConnectionTicket {
    shared: Arc<Shared>,
    roles: Vec<Arc<Role>>,
}

/// Why a statement cannot start yet.
enum Obstacle {
    Concurrency { role: String, limit: usize },
    Rate { role: String, limit: u32, free_at: Instant },
}

impl Admission {
    /// Nothing running, nobody waiting.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        Self::with_minute(metrics, MINUTE)
    }

    fn with_minute(metrics: Metrics, minute: Duration) -> Self {
        let state = Mutex::new(State::default());
        Admission(Arc::new(Shared { state, held_by_rate: Notify::new(), minute, metrics }))
    }

    /// Waits for room for one statement in every role of the identity.
    ///
    /// # Errors
    /// `53400` at once if a role's queue is full, or after the queue timeout; `57014` if `cancel` comes first.
    pub async fn admit(&self, identity: &Identity, cancel: &CancellationToken) -> Result<Ticket> {
        let mut waiting = match self.start_or_queue(identity)? {
            Entered::Started(ticket) => return Ok(ticket),
            Entered::Queued(waiting) => waiting,
        };
        let timeout = identity.limits().queue_timeout.unwrap_or(DEFAULT_QUEUE_TIMEOUT);
        let deadline = Instant::now() + timeout;
        loop {
            // Listens before it looks, so that no word is missed in between.
            let changed = self.0.held_by_rate.notified();
            let retry_at = match self.0.state.lock().obstacle(identity.roles(), self.0.minute) {
                Some(Obstacle::Rate { free_at, .. }) => free_at,
                _ => deadline,
            };
            tokio::select! {
                biased;
                ticket = &mut waiting.granted => {
                    return ticket.map_err(|_| Error::internal("the admission queue lost a waiter"));
                }
                () = cancel.cancelled() => return Err(Error::canceled()),
                () = sleep_until(deadline) => return Err(self.timed_out(identity, timeout)),
                () = sleep_until(retry_at) => Shared::dispatch(&self.0),
                () = changed => {}
            }
        }
    }

    /// Takes room for one connection in every role of the identity.
    ///
    /// # Errors
    /// `53300` if a role has no room, in PostgreSQL's words.
    pub fn connect(&self, identity: &Identity) -> Result<ConnectionTicket> {
        let mut state = self.0.state.lock();
        for role in identity.roles() {
            let open = state.roles.get(&role.name).map_or(0, |counts| counts.connections);
            if role.limits.max_connections.is_some_and(|limit| open >= limit) {
                self.0.metrics.limit_hits("max_connections").inc();
                let message = format!("too many connections for role \"{}\"", role.name);
                return Err(Error::resource(SqlState::TOO_MANY_CONNECTIONS, message));
            }
        }
        for role in identity.roles() {
            state.counts(role).connections += 1;
        }
        drop(state);
        Ok(ConnectionTicket { shared: Arc::clone(&self.0), roles: identity.roles().to_vec() })
    }

    fn start_or_queue(&self, identity: &Identity) -> Result<Entered> {
        let roles = identity.roles();
        let mut state = self.0.state.lock();
        // Whoever came first to one of these roles goes first.
        let behind = roles.iter().any(|role| state.roles.get(&role.name).is_some_and(|counts| counts.waiting > 0));
        if !behind && state.obstacle(roles, self.0.minute).is_none() {
            state.start(roles);
            drop(state);
            return Ok(Entered::Started(Ticket { shared: Arc::clone(&self.0), roles: roles.to_vec() }));
        }
        for role in roles {
            let waiting = state.counts(role).waiting;
            if let Some(limit) = role.limits.max_queued.filter(|limit| waiting >= *limit) {
                self.0.metrics.limit_hits("max_queued").inc();
                return Err(limit_error(&role.name)
                    .with_detail(format!("{limit} statements of the role wait already (max_queued).")));
            }
        }
        for role in roles {
            state.counts(role).waiting += 1;
        }
        let (sender, granted) = oneshot::channel();
        let id = state.next_waiter;
        state.next_waiter += 1;
        state.queue.push_back(Waiter { id, roles: roles.to_vec(), granted: sender });
        self.0.metrics.queries_queued().inc();
        drop(state);
        Ok(Entered::Queued(Waiting { id, shared: Arc::clone(&self.0), granted }))
    }

    fn timed_out(&self, identity: &Identity, timeout: Duration) -> Error {
        let obstacle = self.0.state.lock().obstacle(identity.roles(), self.0.minute);
        let waited = crate::config::show_duration(timeout);
        match obstacle {
            Some(Obstacle::Rate { role, limit, .. }) => {
                self.0.metrics.limit_hits("statements_per_minute").inc();
                limit_error(&role).with_detail(format!(
                    "The role may start {limit} statements a minute (statements_per_minute); \
                     it had no room within {waited}."
                ))
            }
            Some(Obstacle::Concurrency { role, limit }) => {
                self.0.metrics.limit_hits("max_concurrent").inc();
                limit_error(&role).with_detail(format!(
                    "The role may run {limit} statements at once (max_concurrent); it had no room within {waited}."
                ))
            }
            // Room, but others were before it all the time.
            None => {
                self.0.metrics.limit_hits("queue_timeout").inc();
                let role = identity.roles().first().map_or("", |role| role.name.as_str());
                limit_error(role)
                    .with_detail(format!("The statement's turn did not come within {waited} (queue_timeout)."))
            }
        }
    }
}

fn limit_error(role: &str) -> Error {
    Error::resource(SqlState::CONFIGURATION_LIMIT_EXCEEDED, format!("too many statements for role \"{role}\""))
}

enum Entered {
    Started(Ticket),
    Queued(Waiting),
}

/// A place in the queue, left when dropped: by then the statement has started, given up or gone away.
struct Waiting {
    id: u64,
    shared: Arc<Shared>,
    granted: oneshot::Receiver<Ticket>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        if let Some(place) = state.queue.iter().position(|waiter| waiter.id == self.id) {
            if let Some(waiter) = state.queue.remove(place) {
                state.leave_queue(&waiter.roles);
                self.shared.metrics.queries_queued().dec();
            }
            drop(state);
            // Those behind it may have waited for nothing but their turn.
            Shared::dispatch(&self.shared);
        }
    }
}

impl Shared {
    /// Starts what can start, in order of arrival. A waiter that must wait holds back later ones of the same roles.
    fn dispatch(this: &Arc<Self>) {
        let mut gone = Vec::new();
        let mut state = this.state.lock();
        let mut held: Vec<Arc<Role>> = Vec::new();
        let mut held_by_rate = false;
        for waiter in std::mem::take(&mut state.queue) {
            let behind = waiter.roles.iter().any(|role| held.iter().any(|other| other.name == role.name));
            let obstacle = if behind { None } else { state.obstacle(&waiter.roles, this.minute) };
            held_by_rate |= matches!(obstacle, Some(Obstacle::Rate { .. }));
            let must_wait = behind || obstacle.is_some();
            if must_wait {
                held.extend(waiter.roles.iter().cloned());
                state.queue.push_back(waiter);
                continue;
            }
            state.leave_queue(&waiter.roles);
            state.start(&waiter.roles);
            this.metrics.queries_queued().dec();
            let ticket = Ticket { shared: Arc::clone(this), roles: waiter.roles };
            gone.extend(waiter.granted.send(ticket).err());
        }
        drop(state);
        if held_by_rate {
            this.held_by_rate.notify_waiters();
        }
        // Tickets of waiters that went away meanwhile: dropping one takes the lock, and starts the next.
        drop(gone);
    }
}

impl State {
    fn counts(&mut self, role: &Role) -> &mut Counts {
        self.roles.entry(role.name.clone()).or_default()
    }

    fn start(&mut self, roles: &[Arc<Role>]) {
        let now = Instant::now();
        for role in roles {
            let counts = self.counts(role);
            counts.running += 1;
            if role.limits.statements_per_minute.is_some() {
                counts.starts.push_back(now);
            } else {
                counts.starts.clear();
            }
        }
    }

    fn leave_queue(&mut self, roles: &[Arc<Role>]) {
        for role in roles {
            let counts = self.counts(role);
            counts.waiting = counts.waiting.saturating_sub(1);
        }
    }

    /// The first role that has no room; `None` if all have.
    fn obstacle(&mut self, roles: &[Arc<Role>], minute: Duration) -> Option<Obstacle> {
        let now = Instant::now();
        for role in roles {
            let Some(counts) = self.roles.get_mut(&role.name) else { continue };
            if let Some(limit) = role.limits.max_concurrent.filter(|limit| counts.running >= *limit) {
                return Some(Obstacle::Concurrency { role: role.name.clone(), limit });
            }
            let Some(limit) = role.limits.statements_per_minute else { continue };
            while counts.starts.front().is_some_and(|start| *start + minute <= now) {
                counts.starts.pop_front();
            }
            // After a reload that lowered the limit there may be more starts than it allows.
            let excess = counts.starts.len().checked_sub(limit as usize);
            if let Some(start) = excess.and_then(|excess| counts.starts.get(excess)) {
                return Some(Obstacle::Rate { role: role.name.clone(), limit, free_at: *start + minute });
            }
        }
        None
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        for role in &self.roles {
            let counts = state.counts(role);
            counts.running = counts.running.saturating_sub(1);
        }
        let someone_waits = !state.queue.is_empty();
        drop(state);
        if someone_waits {
            Shared::dispatch(&self.shared);
        }
    }
}

impl Drop for ConnectionTicket {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        for role in &self.roles {
            let counts = state.counts(role);
            counts.connections = counts.connections.saturating_sub(1);
        }
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Admission")
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket")
    }
}

impl fmt::Debug for ConnectionTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionTicket")
    }
}
