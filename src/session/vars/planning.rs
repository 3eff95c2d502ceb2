//! Which variables plans depend on.
//! Must not know: what a plan is.

use std::sync::{Arc, LazyLock};

use super::{SessionVars, VARIABLES, Values};

/// Variables that no plan depends on: what is decided while a statement runs, and what only `current_setting` tells, whose plans are
/// not kept.
const UNPLANNED: &[&str] = &[
    "application_name",
    "client_min_messages",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "role",
    "session_authorization",
    "statement_timeout",
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_read_only",
    "transaction_timeout",
];

/// The places of all others.
static PLANNED: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let others = VARIABLES.iter().enumerate().filter(|(_, variable)| !UNPLANNED.contains(&variable.name));
    others.map(|(index, _)| index).collect()
});

/// What plans may depend on, at one moment of a session.
#[derive(Debug, Clone)]
pub struct Planning(Values);

impl SessionVars {
    /// What plans that are made now may depend on.
    #[must_use]
    pub fn planning(&self) -> Planning {
        Planning(self.current.clone())
    }

    /// Whether a statement would be planned alike with the variables of that moment, whichever session it was of.
    #[must_use]
    pub fn plans_like(&self, planning: &Planning) -> bool {
        !self.current.plans_otherwise(&planning.0)
    }
}

impl Values {
    /// Whether a statement might be planned otherwise with these values.
    pub(super) fn plans_otherwise(&self, other: &Values) -> bool {
        let differs = |index: &usize| match (self.builtin.get(*index), other.builtin.get(*index)) {
            (Some(a), Some(b)) => a.value != b.value,
            _ => true,
        };
        !Arc::ptr_eq(&self.builtin, &other.builtin) && PLANNED.iter().any(differs)
    }
}
