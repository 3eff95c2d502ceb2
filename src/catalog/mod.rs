//! What can be named: schemas, tables, columns, and the cache that keeps them fresh.
//! Must not know: roles, statements, engines.

mod lineage;
mod model;
mod mount;
mod resolve;
mod schema_cache;
mod virtual_table;

pub use lineage::SequenceSchema;
pub use model::*;
pub use mount::Mounts;
pub use resolve::{Relation, column_missing, existing, resolve};
pub use schema_cache::{Mounted, Needed, SchemaCache, SourceStatus};
pub use virtual_table::{Setting, Settings, Viewer, VirtualTable};

pub use crate::config::SourceKind;
pub use crate::source::{
    Connector, ConstraintKind, DeclaredKind, DeclaredType, DiskSize, Domain, IndexPart, Lineage, Load, LoadQuery,
    Partitioning, PoolStatus, References, RemoteColumn, RemoteConstraint, RemoteIndex, RemoteSequence, SequenceOwner,
    TableKind, Target, Words, Written,
};
