//! DataFusion as an engine: the only room of the engine that knows it.
//! Must not know: the wire, sessions.

pub mod semantics;
