//! The engine: what plans and runs a federated statement.
//! Must not know: the wire, sessions.

pub mod datafusion;
