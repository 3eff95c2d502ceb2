//! The engines that run a statement.
//! Must not know: rooms on higher floors.
