//! The system views: one file per `tusk.*` relation.
//! Must not know: rooms on higher floors.
