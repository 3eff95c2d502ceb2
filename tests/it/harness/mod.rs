//! The harness: servers that tests need, started on free ports and stopped when they go out of scope; data that they hold.
//! Must not know: what is tested.

pub(crate) mod daemon;
pub(crate) mod data;
pub(crate) mod federation;
pub(crate) mod peer;
pub(crate) mod postgres;
pub(crate) mod raw;
pub(crate) mod routes;
pub(crate) mod tls;
