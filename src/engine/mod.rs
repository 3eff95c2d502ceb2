//! The engines that run a statement. Today: DataFusion, over live sources, files and virtual tables.
//! Must not know: sockets, sessions, how a route is chosen.

pub mod datafusion;
