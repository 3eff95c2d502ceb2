//! The harness: servers that tests need, started on free ports and stopped when they go out of scope; data that they hold.
//! Must not know: what is tested.

pub mod daemon;
pub mod data;
pub mod federation;
pub mod postgres;
