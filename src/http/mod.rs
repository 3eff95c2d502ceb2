//! Metrics and health over HTTP.
//! Must not know: rooms on higher floors.
