//! The command line.
//! Must not know: rooms on higher floors.
