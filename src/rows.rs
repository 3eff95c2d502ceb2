//! Rows on their way to a client: their shape, their stream, their tag.
//! Must not know: rooms on higher floors.
