//! One client's session: variables, statements, portals, transaction.
//! Must not know: rooms on higher floors.
