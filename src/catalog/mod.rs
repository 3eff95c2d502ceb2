//! What can be named: schemas, tables, columns, and the cache that keeps them fresh.
//! Must not know: roles, statements, engines.

mod model;
mod virtual_table;

pub use model::*;
pub use virtual_table::{Viewer, VirtualTable};
