//! Sources: where rows come from. A `Connector` introspects, answers a ping and reads.
//! Must not know: SQL text beyond what it is handed, roles, sessions.
