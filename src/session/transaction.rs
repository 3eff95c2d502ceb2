//! Transactions as clients see them: blocks, failed blocks, savepoints, and the implicit one around each message.
//! Must not know: what statements do, where they run.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use super::Session;
use crate::error::{Error, Result, SqlState};

/// What ReadyForQuery says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Outside a block.
    Idle,
    /// In a block.
    InBlock,
    /// In a block that failed: everything is refused until it ends.
    Failed,
}

/// What COMMIT did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitOutcome {
    /// The block is committed.
    Committed,
    /// The block had failed and is rolled back.
    RolledBack,
    /// There was no block.
    NoBlock,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Between messages.
    #[default]
    None,
    /// Around one message; `several`: of several statements.
    Implicit {
        several: bool,
    },
    Block,
    Failed,
}

/// Savepoints that may stand at once.
const MAX_SAVEPOINTS: usize = 16_384;

/// The last number that a transaction was given, or a change of what there is. The first is the first that PostgreSQL gives to anybody.
pub static LAST_ID: AtomicU64 = AtomicU64::new(2);

/// The transaction of a session.
#[derive(Debug, Default)]
pub struct Transaction {
    state: State,
    /// Names of savepoints, the oldest first; the newest of equal names counts.
    savepoints: Vec<String>,
    started_at: Option<SystemTime>,
    /// The same moment on a clock that nobody sets.
    begun: Option<Instant>,
    /// A number that no other transaction of the daemon has.
    id: u64,
    /// Whether a statement read data, after which isolation is settled.
    queried: bool,
    /// Changes with each transaction.
    serial: u64,
    /// SET CONSTRAINTS ALL said DEFERRED, or not.
    constraints: Option<bool>,
    /// What it holds at a source, whatever the query path wants to find again; undone there if it is dropped.
    remote: Option<Arc<dyn Any + Send + Sync>>,
}

impl Transaction {
    /// What ReadyForQuery says.
    #[must_use]
    pub fn status(&self) -> TransactionStatus {
        match self.state {
            State::None | State::Implicit { .. } => TransactionStatus::Idle,
            State::Block => TransactionStatus::InBlock,
            State::Failed => TransactionStatus::Failed,
        }
    }

    /// When it began; `None` between transactions.
    #[must_use]
    pub fn started_at(&self) -> Option<SystemTime> {
        self.started_at
    }

    /// When it began, for timeouts; `None` between transactions.
    #[must_use]
    pub fn begun(&self) -> Option<Instant> {
        self.begun
    }

    /// A number that no other transaction of the daemon has.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// A number that no other transaction of this session has.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// How many savepoints stand.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.savepoints.len()
    }

    /// Whether it is a block, or several statements in one message: then SET LOCAL and its kin have an effect.
    #[must_use]
    pub fn is_block(&self) -> bool {
        !matches!(self.state, State::None | State::Implicit { several: false })
    }

    /// Whether a statement of it has read data.
    #[must_use]
    pub fn queried(&self) -> bool {
        self.queried
    }

    /// A statement reads data: from now on isolation cannot change.
    pub fn note_query(&mut self) {
        self.queried = true;
    }

    /// What it holds at a source.
    #[must_use]
    pub fn remote<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        Arc::clone(self.remote.as_ref()?).downcast().ok()
    }

    /// Whether it holds something at a source.
    #[must_use]
    pub fn holds_remote(&self) -> bool {
        self.remote.is_some()
    }

    /// SET CONSTRAINTS ALL: deferred or not.
    pub fn set_constraints(&mut self, deferred: bool) {
        self.constraints = Some(deferred);
    }

    /// What SET CONSTRAINTS ALL said last.
    #[must_use]
    pub fn constraints(&self) -> Option<bool> {
        self.constraints
    }

    /// From now on it holds something at a source: whoever ends it must have that committed before.
    pub fn hold_remote(&mut self, remote: Arc<dyn Any + Send + Sync>) {
        self.remote = Some(remote);
    }

    /// It holds nothing at a source any more: whoever says so has had that rolled back.
    pub fn let_go(&mut self) {
        self.remote = None;
    }

    /// Whether it is that of one statement, and holds nothing at a source.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        !self.is_block() && !self.holds_remote()
    }

    /// Whether it goes on after this message.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        matches!(self.state, State::Block | State::Failed)
    }

    /// The number of the savepoint of this name, from 0; `None`: there is none.
    #[must_use]
    pub fn savepoint(&self, name: &str) -> Option<usize> {
        self.place(name).ok()
    }

    /// Refuses what may not run in a failed block.
    ///
    /// # Errors
    /// `25P02`.
    pub fn admit(&self, ends_block: bool) -> Result<()> {
        if self.state == State::Failed && !ends_block {
            return Err(Error::client(
                SqlState::IN_FAILED_SQL_TRANSACTION,
                "current transaction is aborted, commands ignored until end of transaction block",
            ));
        }
        Ok(())
    }

    fn place(&self, name: &str) -> Result<usize> {
        self.savepoints
            .iter()
            .rposition(|savepoint| savepoint == name)
            .ok_or_else(|| Error::client(SqlState::INVALID_SAVEPOINT, format!("savepoint \"{name}\" does not exist")))
    }

    fn require_block(&self, what: &str) -> Result<()> {
        match self.state {
            State::Block | State::Failed => Ok(()),
            _ => Err(Error::client(
                SqlState::NO_ACTIVE_SQL_TRANSACTION,
                format!("{what} can only be used in transaction blocks"),
            )),
        }
    }
}

impl Session {
    /// A statement comes: outside a block it gets a transaction of its own, shared by the statements of one message.
    ///
    /// # Errors
    /// `54000`: functions of the statements so far have said more than one transaction may.
    pub fn start_statement(&mut self, several: bool) -> Result<()> {
        if self.transaction.state == State::None {
            self.open(State::Implicit { several });
        }
        self.settle_acts()
    }

    /// Whether the end of this message commits, and cursors WITH HOLD must be held before.
    #[must_use]
    pub fn must_hold(&self) -> bool {
        matches!(self.transaction.state, State::Implicit { .. }) && !self.portals.to_hold().is_empty()
    }

    /// A message (or everything up to a Sync) has ended well: its implicit transaction commits.
    ///
    /// # Errors
    /// `54000`: what it says on its channels finds no room. The transaction is rolled back.
    pub fn finish_message(&mut self) -> Result<()> {
        self.settle_acts()?;
        match self.transaction.state {
            State::Implicit { .. } => self.close(true),
            _ => Ok(()),
        }
    }

    /// A statement failed: an implicit transaction is rolled back, a block fails.
    pub fn fail(&mut self) {
        self.acts.forget();
        match self.transaction.state {
            State::None | State::Implicit { .. } => self.end(false),
            State::Block => {
                self.transaction.state = State::Failed;
                // What a savepoint was made after goes on behind it.
                self.portals.fail(self.transaction.depth());
            }
            State::Failed => {}
        }
    }

    fn open(&mut self, state: State) {
        self.vars.begin();
        self.transaction.state = state;
        self.transaction.savepoints.clear();
        self.transaction.queried = false;
        self.transaction.constraints = None;
        self.transaction.serial += 1;
        let now = SystemTime::now();
        self.transaction.started_at = Some(now);
        self.transaction.begun = Some(Instant::now());
        self.transaction.id = LAST_ID.fetch_add(1, Ordering::Relaxed) + 1;
        self.entry.transaction_began(now);
    }

    fn close(&mut self, commit: bool) -> Result<()> {
        let said = if commit { self.channels.commit() } else { Ok(()) };
        self.end(commit && said.is_ok());
        said
    }

    fn end(&mut self, commit: bool) {
        if commit {
            self.vars.commit();
        } else {
            self.vars.rollback();
        }
        self.channels.forget();
        self.portals.end_transaction();
        self.transaction.state = State::None;
        self.transaction.savepoints.clear();
        self.transaction.started_at = None;
        self.transaction.begun = None;
        self.transaction.remote = None;
        self.transaction.serial += 1;
        self.entry.transaction_ended();
    }

    /// BEGIN. False: there was a block already, which goes on.
    ///
    /// In a message of several statements those before it become part of the block, as in PostgreSQL.
    pub fn begin(&mut self) -> bool {
        match self.transaction.state {
            State::None => self.open(State::Block),
            State::Implicit { .. } => self.transaction.state = State::Block,
            State::Block | State::Failed => return false,
        }
        true
    }

    /// COMMIT; with `chain` a new block begins at once, with the same properties.
    ///
    /// # Errors
    /// `25P01` for AND CHAIN outside a block, `54000` where what it says finds no room; it is rolled back then.
    pub fn commit(&mut self, chain: bool) -> Result<CommitOutcome> {
        let outcome = match self.transaction.state {
            State::Block => CommitOutcome::Committed,
            State::Failed => CommitOutcome::RolledBack,
            State::None | State::Implicit { .. } => CommitOutcome::NoBlock,
        };
        self.end_block(outcome != CommitOutcome::RolledBack, chain, "COMMIT AND CHAIN")?;
        Ok(outcome)
    }

    /// ROLLBACK; with `chain` a new block begins at once, with the same properties. False: there was no block.
    ///
    /// # Errors
    /// `25P01` for AND CHAIN outside a block.
    pub fn rollback(&mut self, chain: bool) -> Result<bool> {
        let block = matches!(self.transaction.state, State::Block | State::Failed);
        self.end_block(false, chain, "ROLLBACK AND CHAIN")?;
        Ok(block)
    }

    fn end_block(&mut self, commit: bool, chain: bool, what: &str) -> Result<()> {
        if !chain {
            return self.close(commit);
        }
        self.transaction.require_block(what)?;
        let names = ["transaction_isolation", "transaction_read_only", "transaction_deferrable"];
        let kept: Vec<_> = names.iter().map(|name| (*name, self.vars.text(name).to_owned())).collect();
        self.close(commit)?;
        self.open(State::Block);
        for (name, text) in kept {
            self.vars.set(name, &text, super::Scope::Local)?;
        }
        Ok(())
    }

    /// SAVEPOINT.
    ///
    /// # Errors
    /// `25P01` outside a block, `54000` for one too many.
    pub fn savepoint(&mut self, name: &str) -> Result<()> {
        self.transaction.require_block("SAVEPOINT")?;
        if self.transaction.depth() >= MAX_SAVEPOINTS {
            return Err(Error::resource(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!("cannot have more than {MAX_SAVEPOINTS} subtransactions in a transaction"),
            ));
        }
        self.transaction.savepoints.push(name.to_owned());
        self.vars.push();
        Ok(())
    }

    /// RELEASE SAVEPOINT.
    ///
    /// # Errors
    /// `25P01` outside a block, `3B001` for an unknown name.
    pub fn release_savepoint(&mut self, name: &str) -> Result<()> {
        self.transaction.require_block("RELEASE SAVEPOINT")?;
        let place = self.transaction.place(name)?;
        self.transaction.savepoints.truncate(place);
        self.vars.release(place);
        self.channels.release(place);
        self.portals.lift(place);
        Ok(())
    }

    /// ROLLBACK TO SAVEPOINT: the savepoint stays, a failed block is well again.
    ///
    /// # Errors
    /// `25P01` outside a block, `3B001` for an unknown name.
    pub fn rollback_to_savepoint(&mut self, name: &str) -> Result<()> {
        self.transaction.require_block("ROLLBACK TO SAVEPOINT")?;
        let place = self.transaction.place(name)?;
        self.transaction.savepoints.truncate(place + 1);
        self.vars.rollback_to(place);
        self.channels.rollback_to(place);
        self.portals.drop_above(place);
        self.transaction.state = State::Block;
        Ok(())
    }
}
