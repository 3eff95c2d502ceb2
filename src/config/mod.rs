//! The configuration: a file, then settings that every part can trust.
//! Must not know: rooms on higher floors.
