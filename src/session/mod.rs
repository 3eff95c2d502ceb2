//! One client's session: who it is, its variables, statements, portals and transaction.
//! Must not know: sockets, messages, engines, policies.

mod acts;
mod notify;
mod objects;
mod plans;
mod portal;
mod prepared;
mod registry;
mod scroll;
mod transaction;
mod vars;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio_util::sync::CancellationToken;

pub use acts::Acts;
pub use notify::{Mailbox, Note, Notification};
pub use objects::Objects;
pub use plans::{Plans, Room};
pub use portal::{CursorRow, Declared, Open, Portal, PortalState, Portals, RowCursor};
pub use prepared::{Prepared, PreparedStatement, PreparedStatements};
pub use registry::{Activity, CancelKey, NewSession, SessionEntry, SessionGuard, SessionRegistry, SessionRow};
pub use scroll::{Cursor, Scroll};
pub use transaction::{CommitOutcome, LAST_ID, Transaction, TransactionStatus};
pub use vars::{
    Check, Context, Kind, Planning, Scope, SessionVars, Shown, Source, Unit, VARIABLES, Value, Variable,
    find as find_variable, is_cut, is_encoding, join_identifiers, quoted_name, split_identifiers,
};

use crate::error::Result;
use crate::rows::RowShape;
pub use crate::sql::{Statement, StatementKind};
use acts::Act;
use notify::Channels;

/// A moment of a session's life: as long as it is the same, `now()` and every variable are too; as long as `planning` is, every variable
/// that plans depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moment {
    transaction: u64,
    variables: u64,
    planning: u64,
}

/// The state of one client, from its login to its end.
#[derive(Debug)]
pub struct Session {
    /// Its variables.
    pub vars: SessionVars,
    /// Its transaction.
    pub transaction: Transaction,
    /// Its prepared statements.
    pub prepared: PreparedStatements,
    /// Plans of what it has run.
    pub plans: Plans,
    /// Its portals.
    pub portals: Portals,
    /// What other sessions may see of it, and how it is cancelled. Out of the registry when dropped.
    pub entry: SessionGuard,
    acts: Arc<Acts>,
    channels: Channels,
}

impl Session {
    /// A session that has logged in. `vars` has the session defaults.
    #[must_use]
    pub fn new(entry: SessionGuard, mut vars: SessionVars) -> Self {
        // Nobody but the user itself is a legal value, so this cannot fail.
        let _ = vars.set_default("session_authorization", entry.user(), Source::ConfigurationFile);
        entry.set_application_name(vars.text("application_name"));
        let hub = entry.hub();
        let acts = Arc::new(Acts::of(hub.clone()));
        let channels = Channels::new(hub, entry.pid(), Arc::clone(entry.mailbox()));
        Session {
            vars,
            transaction: Transaction::default(),
            prepared: PreparedStatements::new(entry.objects().statements()),
            plans: Plans::new(entry.room()),
            portals: Portals::new(entry.objects()),
            entry,
            acts,
            channels,
        }
    }

    /// The number that `pg_backend_pid()` and cancel requests name it by.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.entry.pid()
    }

    /// The login name.
    #[must_use]
    pub fn user(&self) -> &str {
        self.entry.user()
    }

    /// The database that it is connected to.
    #[must_use]
    pub fn database(&self) -> &str {
        self.entry.database()
    }

    /// `application_name`.
    #[must_use]
    pub fn application_name(&self) -> String {
        self.vars.text("application_name").to_owned()
    }

    /// The client's address; empty for a socket in the file system.
    #[must_use]
    pub fn client_address(&self) -> String {
        self.entry.client().map(|(address, _)| address.to_string()).unwrap_or_default()
    }

    /// The client's end of its connection; `None`: a socket in the file system.
    #[must_use]
    pub fn client(&self) -> Option<(IpAddr, u16)> {
        self.entry.client()
    }

    /// The server's end of it.
    #[must_use]
    pub fn server(&self) -> Option<(IpAddr, u16)> {
        self.entry.server()
    }

    /// The text of a variable, by its name in any case; empty for an unknown one.
    #[must_use]
    pub fn setting(&self, name: &str) -> String {
        self.vars.shown(name).map(|shown| shown.setting).unwrap_or_default()
    }

    /// The schemas in which unqualified names are looked for, in order.
    #[must_use]
    pub fn search_path(&self) -> Vec<String> {
        let mut path = self.vars.search_path();
        path.iter_mut().filter(|schema| schema.as_str() == "$user").for_each(|schema| self.user().clone_into(schema));
        path
    }

    /// How long a statement may take: the stricter of `statement_timeout` and a ceiling. `None`: for ever.
    #[must_use]
    pub fn statement_timeout(&self, ceiling: Option<Duration>) -> Option<Duration> {
        let ceiling = ceiling.filter(|ceiling| !ceiling.is_zero());
        [self.vars.statement_timeout(), ceiling].into_iter().flatten().min()
    }

    /// A statement begins: other sessions see it, and cancel requests find the token until it ends.
    #[must_use]
    pub fn begin_statement(&self, text: &str) -> CancellationToken {
        self.entry.active(text);
        self.entry.begin_statement()
    }

    /// Refuses what may not run in the state that the transaction is in.
    ///
    /// # Errors
    /// `25P02` in a failed block, for everything that does not end it.
    pub fn check_may_run(&self, statement: &Statement) -> Result<()> {
        self.transaction.admit(statement.runs_in_failed_transaction())
    }

    /// The columns of what a statement would return that another names: of FETCH those of the cursor, of EXECUTE those of the statement.
    /// `None`: there is none, or it has none.
    #[must_use]
    pub fn shape_of_named(&self, statement: &Statement) -> Option<Arc<RowShape>> {
        match &statement.kind {
            StatementKind::Fetch(fetch) => self.portals.shape(&fetch.cursor),
            StatementKind::Execute { name, .. } => self.prepared.get(name).ok()?.shape().cloned(),
            _ => None,
        }
    }

    /// A statement as it is at this moment: see [`Session::shape_of_named`].
    #[must_use]
    pub fn refreshed(&self, prepared: Prepared) -> Prepared {
        match &prepared {
            Prepared::Statement(named)
                if matches!(named.statement.kind, StatementKind::Fetch(_) | StatementKind::Execute { .. }) =>
            {
                let mut now = PreparedStatement::clone(named);
                now.shape = self.shape_of_named(&named.statement);
                Prepared::Statement(Arc::new(now))
            }
            _ => prepared,
        }
    }

    /// Whether a statement is a FETCH from a BINARY cursor, whose rows the simple protocol sends in binary.
    #[must_use]
    pub fn fetches_binary(&self, statement: &Statement) -> bool {
        matches!(&statement.kind, StatementKind::Fetch(fetch) if self.portals.is_binary(&fetch.cursor))
    }

    fn moment(&self) -> Moment {
        let (variables, planning) = self.vars.generations();
        Moment { transaction: self.transaction.serial(), variables, planning }
    }

    /// When its transaction began, which is what `now()` says; the present moment outside one.
    #[must_use]
    pub fn transaction_started_at(&self) -> SystemTime {
        self.transaction.started_at().unwrap_or_else(SystemTime::now)
    }

    /// When the transaction must have ended: `transaction_timeout` after its begin. `None`: never.
    #[must_use]
    pub fn transaction_deadline(&self) -> Option<Instant> {
        let limit = self.vars.transaction_timeout()?;
        self.transaction.begun().unwrap_or_else(Instant::now).checked_add(limit)
    }

    /// What functions do to this session.
    #[must_use]
    pub fn acts(&self) -> &Arc<Acts> {
        &self.acts
    }

    /// A statement runs that has functions which act on the session.
    pub fn arm_acts(&self) {
        let transaction = (self.transaction.id(), self.transaction.depth());
        self.acts.arm(self.vars.snapshot(), self.channels.listening(), transaction);
    }

    /// Takes over what functions of the statements so far have done.
    fn settle_acts(&mut self) -> Result<()> {
        for act in self.acts.take() {
            match act {
                // Checked against a copy of these variables when it was noted.
                Act::Set(name, Some(value), scope) => self.vars.set(&name, &value, scope)?,
                Act::Set(name, None, scope) => self.vars.reset(&name, scope)?,
                Act::Notify(note) => self.channels.notify(self.transaction.depth(), note)?,
            }
        }
        self.acts.refresh(|| self.vars.snapshot());
        Ok(())
    }

    /// What a transaction holds at a source is about to be committed: from now on nothing of the session's own may keep it from that.
    ///
    /// # Errors
    /// `54000`: what it says on its channels finds no room.
    pub fn assure_commit(&mut self) -> Result<()> {
        if !self.transaction.holds_remote() {
            return Ok(());
        }
        self.settle_acts()?;
        self.channels.assure()
    }

    /// LISTEN.
    ///
    /// # Errors
    /// `53400`: it listens to too many channels.
    pub fn listen(&mut self, channel: &str) -> Result<()> {
        self.channels.listen(self.transaction.depth(), channel)
    }

    /// UNLISTEN; `None`: of all channels.
    pub fn unlisten(&mut self, channel: Option<&str>) {
        let depth = self.transaction.depth();
        match channel {
            Some(channel) => self.channels.unlisten(depth, channel),
            None => self.channels.unlisten_all(depth),
        }
    }

    /// NOTIFY: heard when the transaction commits.
    ///
    /// # Errors
    /// `22023` for a payload that is too long, `54000` where the transaction has said too much.
    pub fn notify(&mut self, channel: &str, payload: &str) -> Result<()> {
        self.channels.notify(self.transaction.depth(), Note::new(channel, payload)?)
    }

    /// DISCARD ALL, as far as the session goes.
    pub fn discard_all(&mut self) {
        self.unlisten(None);
        self.portals.clear();
        self.prepared.clear();
        self.plans.clear();
        self.vars.reset_all();
    }
}
