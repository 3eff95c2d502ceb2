//! Sizes on disk, as the sources say: of what a role sees whole. Of anything else nothing is told, which is 0 bytes.
//! Must not know: how the engine calls functions.

use super::registered;
use super::row_function::Cell;
use crate::catalog::{DiskSize, Viewer};
use crate::error::{Error, SqlState};
use crate::pg_catalog::objects::{Class, Objects, What, database_oid};

/// What PostgreSQL measures by.
const PAGE: u64 = 8192;

/// `pg_relation_size(relation, fork)`: the fork of the rows if none is named.
pub(super) fn of_fork(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    if arguments.get(1).is_some_and(Cell::is_null) {
        return Cell::Int(None);
    }
    let fork: fn(DiskSize) -> u64 = match arguments.get(1).and_then(Cell::text) {
        None | Some("main") => |size| size.main,
        Some("fsm") => |size| size.free_space,
        Some("vm") => |size| size.visibility,
        Some("init") => |_| 0,
        Some(_) => {
            // A relation that is not there comes first.
            return match measured(viewer, arguments, |size| size.main) {
                Cell::Int(Some(_)) => Cell::fault(
                    Error::client(SqlState::INVALID_PARAMETER_VALUE, "invalid fork name")
                        .with_hint("Valid fork names are \"main\", \"fsm\", \"vm\", and \"init\"."),
                ),
                other => other,
            };
        }
    };
    measured(viewer, arguments, fork)
}

/// `pg_table_size`: without indexes.
pub(super) fn of_table(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    measured(viewer, arguments, |size| size.whole)
}

/// `pg_indexes_size`.
pub(super) fn of_indexes(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    measured(viewer, arguments, |size| size.indexes)
}

/// `pg_total_relation_size`.
pub(super) fn of_all(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    measured(viewer, arguments, total)
}

fn total(size: DiskSize) -> u64 {
    size.whole.saturating_add(size.indexes)
}

fn bytes(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Of a relation: NULL where there is none with this oid, `42P01` where there is none of this name.
fn measured(viewer: &Viewer, arguments: &[Cell], part: fn(DiskSize) -> u64) -> Cell {
    let found = match registered::relation_of(viewer, arguments.first()) {
        Ok(found) => found,
        Err(error) => return Cell::fault(error),
    };
    let objects = Objects::of(viewer);
    let size = found.and_then(|oid| objects.class(oid)).map(|class| match &class.what {
        // What its partitions take is theirs, where they are seen.
        What::Table(_) | What::Index(_) if is_divided(&objects, class) => None,
        What::Table(table) => table.disk_size(),
        What::Index(at) => objects.indexes.get(*at).and_then(|index| index.disk_size()),
        What::System(listed) if listed.is_table() => held(viewer, class),
        What::Sequence(_) | What::System(_) | What::View(_) => None,
    });
    Cell::Int(size.map(|size| size.map_or(0, |size| bytes(part(size)))))
}

/// Whether a relation has partitions that the role sees.
fn is_divided(objects: &Objects, class: &Class) -> bool {
    let below = objects.inheritance.children(class.oid);
    below.iter().any(|child| objects.inheritance.is_partition(*child))
}

/// The pages that the rows of a catalog would fill: they are held in memory.
fn held(viewer: &Viewer, class: &Class) -> Option<DiskSize> {
    let rows = viewer.world.virtuals.get(&class.schema, &class.name)?.rows(viewer).ok()?;
    let bytes = u64::try_from(rows.get_array_memory_size()).unwrap_or(u64::MAX);
    Some(DiskSize::of_rows(bytes.div_ceil(PAGE).saturating_mul(PAGE)))
}

/// `pg_database_size`: of all that the role sees of the database. `3D000` where there is none of this name.
pub(super) fn of_database(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let here = match arguments.first() {
        Some(Cell::Text(Some(name))) if *name != viewer.database => {
            let message = format!("database \"{name}\" does not exist");
            return Cell::fault(Error::client(SqlState::INVALID_CATALOG_NAME, message));
        }
        Some(Cell::Text(name)) => name.is_some(),
        other => other.and_then(Cell::oid) == Some(database_oid(&viewer.database)),
    };
    let all = || {
        viewer
            .world
            .tables()
            .filter(|table| !table.is_partition())
            .filter_map(|table| table.disk_size())
            .map(total)
            .fold(0, u64::saturating_add)
    };
    Cell::Int(here.then(|| bytes(all())))
}

/// The tablespaces that there are: what lies where is not told.
const TABLESPACES: [(u32, &str); 2] = [(1663, "pg_default"), (1664, "pg_global")];

/// `pg_tablespace_size`. `42704` where there is none of this name.
pub(super) fn of_tablespace(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let known = match arguments.first() {
        Some(Cell::Text(Some(name))) => {
            let known = TABLESPACES.iter().any(|(_, known)| known == name);
            if !known {
                let message = format!("tablespace \"{name}\" does not exist");
                return Cell::fault(Error::client(SqlState::UNDEFINED_OBJECT, message));
            }
            known
        }
        other => other.and_then(Cell::oid).is_some_and(|oid| TABLESPACES.iter().any(|(known, _)| *known == oid)),
    };
    Cell::Int(known.then_some(0))
}

/// The tablespaces that there are lie in the data directory.
pub(super) fn location(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    Cell::Text(arguments.first().and_then(Cell::int).map(|_| String::new()))
}
