//! The harness: servers that tests need, started on free ports and stopped when they go out of scope.
//! Must not know: what is tested.

pub mod postgres;
