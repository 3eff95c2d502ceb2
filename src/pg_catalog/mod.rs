//! PostgreSQL's own catalogs, as this role may see them.
//! Must not know: rooms on higher floors.
