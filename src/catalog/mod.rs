//! What can be named: schemas, tables, columns, and the cache that keeps them fresh.
//! Must not know: rooms on higher floors.
