//! Holds the types against golden data that a real PostgreSQL 15 wrote.
//! Must not know: how the data was made (tests/golden/types.sh).
