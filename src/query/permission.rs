//! What was planned, and whether its asker may run it: PostgreSQL lets anybody describe what only some may run.
//! Must not know: what is granted to whom.

use super::Query;
use super::plan::Planned;
use super::prepare::Prepared;
use super::upstream::{self, Wants};
use crate::error::{Error, Result, SqlState};
use crate::policy::Authorized;
use crate::session::Session;

/// A plan that its asker may know of. Only [`Permission::permit`] gives what can be run.
pub(super) struct Permission {
    plan: Authorized<Planned>,
    /// Why it may not be run.
    refusal: Option<Error>,
}

impl Permission {
    /// Of a plan that may be read, and what was said of what it writes.
    ///
    /// # Errors
    /// Anything but `42501`: it may not even be known.
    pub(super) fn new(plan: Authorized<Planned>, writes: Result<Authorized<Planned>>) -> Result<Self> {
        match writes {
            Ok(plan) => Ok(Permission { plan, refusal: None }),
            Err(refusal) if refusal.state() == SqlState::INSUFFICIENT_PRIVILEGE => {
                Ok(Permission { plan, refusal: Some(refusal) })
            }
            Err(error) => Err(error),
        }
    }

    /// What it is.
    pub(super) fn value(&self) -> &Planned {
        self.plan.value()
    }

    /// What can be run.
    ///
    /// # Errors
    /// `42501`.
    pub(super) fn permit(&self) -> Result<Authorized<Planned>> {
        match &self.refusal {
            None => Ok(self.plan.clone()),
            Some(refusal) => Err(refusal.clone()),
        }
    }
}

/// What can be run of a plan, in this transaction.
///
/// # Errors
/// As PostgreSQL, `25006` before `42501`.
pub(super) fn permitted(query: &Query, session: &Session, planned: &Prepared) -> Result<Authorized<Planned>> {
    if let Planned::Passthrough(plan) = planned.plan.value()
        && let Wants::Write(tag) = planned.wants(plan)
    {
        upstream::may_write(query, session, plan.source(), tag)?;
    }
    planned.plan.permit()
}
