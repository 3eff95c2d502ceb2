//! What functions of a running statement do to their session (`set_config`, `pg_notify`): noted while it runs on threads of its own, taken
//! over by the session when it has ended, forgotten where it failed.
//! Must not know: engines, how functions are called.

use parking_lot::Mutex;

use super::notify::{Hub, Note};
use super::vars::{Scope, SessionVars};
use crate::error::{Error, Result, SqlState};

/// What a function did.
#[derive(Debug)]
pub(super) enum Act {
    /// Set a variable; `None`: to its default.
    Set(String, Option<String>, Scope),
    /// Said something on a channel.
    Notify(Note),
}

/// Bytes of what one statement does that are kept until it ends.
const MAX_BYTES: usize = 8 << 20;

/// The acts of a session's statements. Shared with the functions of its running statement.
#[derive(Debug, Default)]
pub struct Acts(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The variables as the running statement sees them, its own changes included.
    vars: Option<SessionVars>,
    done: Vec<Act>,
    /// What `done` takes.
    bytes: usize,
    hub: Hub,
    listening: Vec<String>,
    /// The transaction's number, and how many savepoints it has.
    transaction: (u64, usize),
}

impl Acts {
    pub(super) fn of(hub: Hub) -> Self {
        Acts(Mutex::new(State { hub, ..State::default() }))
    }

    /// A statement with acting functions begins.
    pub(super) fn arm(&self, vars: SessionVars, listening: Vec<String>, transaction: (u64, usize)) {
        let mut state = self.0.lock();
        state.vars = Some(vars);
        state.listening = listening;
        state.transaction = transaction;
    }

    /// What was done since it was last asked.
    pub(super) fn take(&self) -> Vec<Act> {
        let mut state = self.0.lock();
        state.bytes = 0;
        std::mem::take(&mut state.done)
    }

    /// Cursors of statements with acting functions may read on: they see the variables as they are now.
    pub(super) fn refresh(&self, vars: impl FnOnce() -> SessionVars) {
        if let Some(seen) = &mut self.0.lock().vars {
            *seen = vars();
        }
    }

    /// The statement failed.
    pub(super) fn forget(&self) {
        self.take();
    }

    fn note(state: &mut State, act: Act) -> Result<()> {
        // The same again changes nothing, so a call for each of many rows costs nothing.
        if state.done.last().is_some_and(|last| last.repeats(&act)) {
            return Ok(());
        }
        state.bytes += size_of::<Act>() + act.text();
        if state.bytes > MAX_BYTES {
            return Err(Error::resource(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!("what a statement does to its session may take {} MiB", MAX_BYTES >> 20),
            ));
        }
        state.done.push(act);
        Ok(())
    }

    /// `set_config`: sets a variable and answers its new value as SHOW writes it.
    ///
    /// # Errors
    /// As SET.
    pub fn set_config(&self, name: &str, value: Option<&str>, local: bool) -> Result<String> {
        let state = &mut *self.0.lock();
        let vars = state.vars.as_mut().ok_or_else(not_armed)?;
        if let Some(value) = value {
            // It is part of a query.
            vars.check_of_transaction(name, value, state.transaction.1, true)?;
        }
        let scope = if local { Scope::Local } else { Scope::Session };
        match value {
            Some(value) => vars.set(name, value, scope)?,
            None => vars.reset(name, scope)?,
        }
        let shown = match vars.show(name) {
            Err(_) if value.is_none() => String::new(),
            shown => shown?,
        };
        Self::note(state, Act::Set(name.to_owned(), value.map(str::to_owned), scope))?;
        Ok(shown)
    }

    /// `current_setting`: a variable as the running statement sees it.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<String> {
        self.0.lock().vars.as_ref()?.show(name).ok()
    }

    /// `pg_notify`.
    ///
    /// # Errors
    /// `22023` for a channel or payload that PostgreSQL refuses.
    pub fn notify(&self, channel: &str, payload: &str) -> Result<()> {
        Self::note(&mut self.0.lock(), Act::Notify(Note::new(channel, payload)?))
    }

    /// `pg_listening_channels()`, in the order of their names.
    #[must_use]
    pub fn listening(&self) -> Vec<String> {
        self.0.lock().listening.clone()
    }

    /// `pg_notification_queue_usage()`.
    #[must_use]
    pub fn queue_usage(&self) -> f64 {
        self.0.lock().hub.usage()
    }

    /// `txid_current()`: a number that no other transaction of this daemon's has.
    #[must_use]
    pub fn transaction(&self) -> u64 {
        self.0.lock().transaction.0
    }
}

impl Act {
    fn repeats(&self, other: &Act) -> bool {
        match (self, other) {
            (Act::Set(a, x, s), Act::Set(b, y, t)) => a == b && x == y && s == t,
            (Act::Notify(a), Act::Notify(b)) => a == b,
            _ => false,
        }
    }

    /// Bytes of its texts.
    fn text(&self) -> usize {
        match self {
            Act::Set(name, value, _) => name.len() + value.as_ref().map_or(0, String::len),
            Act::Notify(note) => note.channel.len() + note.payload.len(),
        }
    }
}

fn not_armed() -> Error {
    Error::internal("a function that acts on its session ran outside a statement")
}
