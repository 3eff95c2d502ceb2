//! Who may see what, and how much they may take. Default deny; built once from the settings, replaced whole.
//! Must not know: sessions, catalogs, plans; who enforces it.

mod admission;
mod authorize;
mod grant;
mod quota;
mod report;
mod role;

pub use admission::{Admission, ConnectionTicket, Ticket};
pub use authorize::{Authorized, Permit, authorize, authorize_insert, authorize_writes};
pub use grant::{Columns, RowFilter, TableAccess};
pub use quota::Quota;
pub use report::report;
#[cfg(test)]
pub(crate) use role::tests::identity as identity_for_tests;
pub use role::{Identity, Policy, Role};

pub use crate::config::Privilege;

/// Schemas that every identity may read: what they show is already cut to the identity.
#[must_use]
pub fn is_system_schema(schema: &str) -> bool {
    matches!(schema, "tusk" | "pg_catalog" | "information_schema")
}
