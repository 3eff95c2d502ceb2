//! Sizes on disk: of tables that lie elsewhere nothing is known, which is 0 bytes here.
//! Must not know: how the engine calls functions.

use super::registered;
use super::row_function::Cell;
use crate::catalog::Viewer;
use crate::error::{Error, SqlState};
use crate::pg_catalog::objects::Objects;

/// Of a relation: NULL where there is none with this oid, `42P01` where there is none of this name.
pub(super) fn unknown(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let found = match arguments.first() {
        Some(Cell::Text(Some(name))) => match registered::relation(viewer, name) {
            Ok(Some(oid)) => Some(oid),
            Ok(None) => {
                let message = format!("relation \"{name}\" does not exist");
                return Cell::fault(Error::client(SqlState::UNDEFINED_TABLE, message));
            }
            Err(error) => return Cell::fault(error),
        },
        other => other.and_then(Cell::oid),
    };
    Cell::Int(found.filter(|oid| Objects::of(viewer).class(*oid).is_some()).map(|_| 0))
}

/// The tablespaces that there are lie in the data directory.
pub(super) fn location(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    Cell::Text(arguments.first().and_then(Cell::int).map(|_| String::new()))
}
