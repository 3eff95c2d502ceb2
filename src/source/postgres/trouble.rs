//! Why a statement did not start at a PostgreSQL source, as far as that decides what is done next.
//! Must not know: which statement it is, what clients read of it.

use std::io;

use super::complaint::Complaint;

/// Why a statement did not start.
pub(super) enum Trouble {
    /// The server refuses it; the connection has nothing under way.
    Refused(Complaint),
    /// The server refuses to run what it had prepared.
    Stale(Complaint),
    /// The server refuses what was to be said before it.
    Setting(Complaint),
    /// Its columns are not those that were described.
    Changed,
    /// The connection failed before it said anything, or did not answer in time.
    Silent,
    /// The connection failed.
    Lost(io::Error),
}

impl Trouble {
    /// What the connection has prepared is gone, or does not fit its tables any more.
    pub(super) fn is_stale(&self) -> bool {
        matches!(self, Trouble::Stale(_))
    }

    /// What the statement was described over has changed, and nothing of it has run.
    pub(super) fn is_outdated(&self) -> bool {
        match self {
            Trouble::Refused(complaint) => MISFITS.contains(&complaint.code.as_str()),
            Trouble::Stale(_) | Trouble::Changed => true,
            Trouble::Setting(_) | Trouble::Silent | Trouble::Lost(_) => false,
        }
    }
}

/// What is said of a statement that was described, and does not fit its tables any more: a table, a column or a function is missing, or of another
/// type.
const MISFITS: [&str; 6] = ["42P01", "42703", "42725", "42804", "42846", "42883"];

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Trouble::Lost(error)
    }
}
