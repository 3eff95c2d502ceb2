//! The path of a query, from its text to its rows.
//! Must not know: rooms on higher floors.
