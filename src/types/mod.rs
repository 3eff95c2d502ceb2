//! PostgreSQL types and Arrow: the text and the binary form of every value.
//! Must not know: rooms on higher floors.
