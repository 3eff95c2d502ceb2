//! Running and finished statements, and what is remembered of them.
//! Must not know: rooms on higher floors.
