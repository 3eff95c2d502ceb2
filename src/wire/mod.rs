//! PostgreSQL's protocol: sockets, login, messages.
//! Must not know: rooms on higher floors.
