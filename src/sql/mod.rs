//! Statements: guarded, parsed, looked at; and the one place that writes SQL for a source.
//! Must not know: rooms on higher floors.
