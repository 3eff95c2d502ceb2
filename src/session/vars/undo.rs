//! What transactions and savepoints keep of the variables, and what they undo.
//! Must not know: which statement asks for it.

use std::sync::{Arc, LazyLock};

use super::{Saved, SessionVars, Slot, Source, VARIABLES, Value, Values, find, value};
use crate::error::{Error, Result, SqlState};

/// The variables that belong to the running transaction.
pub(super) const TRANSACTION: [&str; 3] = ["transaction_isolation", "transaction_read_only", "transaction_deferrable"];

/// Their places, each with the place of its default.
static TRANSACTION_PLACES: LazyLock<Vec<(usize, usize)>> = LazyLock::new(|| {
    let place = |name: &&str| Some((find(name)?, find(&format!("default_{name}"))?));
    TRANSACTION.iter().filter_map(place).collect()
});

impl Values {
    /// A name that a client made up stays, without its value, as PostgreSQL's placeholders do.
    pub(super) fn keep_names(&mut self, from: &Values) {
        if Arc::ptr_eq(&self.custom, &from.custom) {
            return;
        }
        let missing: Vec<String> =
            from.custom.keys().filter(|name| !self.custom.contains_key(*name)).cloned().collect();
        if !missing.is_empty() {
            let custom = Arc::make_mut(&mut self.custom);
            custom.extend(missing.into_iter().map(|name| (name, Slot::placeholder())));
        }
    }
}

impl Slot {
    /// A made-up variable that nobody has given a value.
    pub(super) fn placeholder() -> Self {
        Slot { value: Value::Text("".into()), source: Source::Default }
    }
}

/// Transactions: what they keep and what they undo.
impl SessionVars {
    /// Whether a variable of the running transaction may still get this value, so many savepoints deep, once it `queried` or before.
    ///
    /// # Errors
    /// `25001`, as PostgreSQL.
    pub fn check_of_transaction(&self, name: &str, text: &str, depth: usize, queried: bool) -> Result<()> {
        let Some(variable) = find(name).and_then(|index| VARIABLES.get(index)) else { return Ok(()) };
        let (Some(now), Ok(wanted)) = (self.value(name), value::parse(variable, name, text)) else { return Ok(()) };
        let deeper = depth > 0;
        let wrong = match variable.name {
            "transaction_isolation" if wanted == *now => None,
            "transaction_isolation" if queried => {
                Some("SET TRANSACTION ISOLATION LEVEL must be called before any query")
            }
            "transaction_isolation" if deeper => {
                Some("SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction")
            }
            "transaction_read_only" if wanted == Value::Bool(true) || *now == Value::Bool(false) => None,
            "transaction_read_only" if deeper => {
                Some("cannot set transaction read-write mode inside a read-only transaction")
            }
            "transaction_read_only" if queried => Some("transaction read-write mode must be set before any query"),
            "transaction_deferrable" if deeper => {
                Some("SET TRANSACTION [NOT] DEFERRABLE cannot be called within a subtransaction")
            }
            "transaction_deferrable" if queried => {
                Some("SET TRANSACTION [NOT] DEFERRABLE must be called before any query")
            }
            _ => None,
        };
        wrong.map_or(Ok(()), |message| Err(Error::client(SqlState::ACTIVE_SQL_TRANSACTION, message)))
    }

    fn save(&self) -> Saved {
        Saved { current: self.current.clone(), session: self.session.clone() }
    }

    /// A transaction begins: its own variables start at their defaults.
    pub(in crate::session) fn begin(&mut self) {
        self.saved.clear();
        self.kept = 0;
        self.saved.push(self.save());
        for &(own, default) in TRANSACTION_PLACES.iter() {
            let list = &self.current.builtin;
            let (Some(now), Some(from)) = (list.get(own), list.get(default)) else { continue };
            // Most often nothing differs, and nothing is copied.
            if now.value != from.value {
                let from = from.clone();
                if let Some(place) = Arc::make_mut(&mut self.current.builtin).get_mut(own) {
                    *place = from;
                }
            }
        }
    }

    /// It commits: SET LOCAL ends.
    pub(in crate::session) fn commit(&mut self) {
        self.saved.clear();
        self.go_to(self.session.clone());
    }

    /// It is rolled back: SET is undone too.
    pub(in crate::session) fn rollback(&mut self) {
        let first = self.saved.drain(..).next();
        if let Some(saved) = first {
            self.session = saved.session;
            self.go_to(saved.current);
        }
    }

    fn go_to(&mut self, mut values: Values) {
        values.keep_names(&self.current);
        self.session.keep_names(&self.current);
        let same =
            Arc::ptr_eq(&self.current.builtin, &values.builtin) && Arc::ptr_eq(&self.current.custom, &values.custom);
        if same {
            self.current = values;
        } else {
            self.become_current(values);
        }
    }

    /// A savepoint is set.
    pub(in crate::session) fn push(&mut self) {
        self.saved.push(self.save());
    }

    /// Savepoints are released down to this many.
    pub(in crate::session) fn release(&mut self, depth: usize) {
        self.saved.truncate(depth + 1);
    }

    /// Back to the savepoint at this depth (from 0), which stays.
    pub(in crate::session) fn rollback_to(&mut self, depth: usize) {
        self.saved.truncate(depth + 2);
        if let Some(saved) = self.saved.last().cloned() {
            self.session = saved.session;
            self.go_to(saved.current);
        }
    }
}
