//! The engines that run a statement: DataFusion, over live sources, files and virtual tables; and a PostgreSQL source itself.
//! Must not know: sockets, sessions, how a route is chosen.

pub mod datafusion;
pub mod passthrough;
