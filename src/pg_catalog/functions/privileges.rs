//! What the viewer may do. Nobody may write or create; everything that is there may be read.
//! Must not know: grants; what is in the viewer's world may be read.

use super::registered;
use super::row_function::Cell;
use crate::catalog::Viewer;
use crate::error::{Error, SqlState};
use crate::pg_catalog::objects::{Objects, role_oid, roles};

/// What privileges an object of a kind has, and which of them are held by everybody who sees it.
struct Rights {
    known: &'static [&'static str],
    held: &'static [&'static str],
}

const TABLE: Rights = Rights {
    known: &["select", "insert", "update", "delete", "truncate", "references", "trigger", "rule"],
    held: &["select"],
};
const COLUMN: Rights = Rights { known: &["select", "insert", "update", "references"], held: &["select"] };
const SCHEMA: Rights = Rights { known: &["usage", "create"], held: &["usage"] };
const DATABASE: Rights = Rights { known: &["connect", "create", "temporary", "temp"], held: &["connect"] };
const FUNCTION: Rights = Rights { known: &["execute"], held: &["execute"] };
const USAGE: Rights = Rights { known: &["usage"], held: &["usage"] };
const CREATE: Rights = Rights { known: &["create"], held: &[] };
const SEQUENCE: Rights = Rights { known: &["usage", "select", "update"], held: &[] };

/// Whether one of the privileges of a list is held; those WITH GRANT OPTION nobody holds.
fn holds(list: &str, rights: &Rights) -> Result<bool, Box<Error>> {
    let mut any = false;
    for word in list.split(',') {
        let word = word.trim().to_ascii_lowercase();
        let (plain, grant) = match word.strip_suffix(" with grant option") {
            Some(plain) => (plain.trim(), true),
            None => (word.as_str(), false),
        };
        if !rights.known.contains(&plain) {
            let message = format!("unrecognized privilege type: \"{}\"", list.trim());
            return Err(Box::new(Error::client(SqlState::INVALID_PARAMETER_VALUE, message)));
        }
        any |= !grant && rights.held.contains(&plain);
    }
    Ok(any)
}

/// Whether a role is one that the viewer is or has. `42704` for one that is not there.
fn is_own(viewer: &Viewer, role: &Cell) -> Result<bool, Box<Error>> {
    let missing = |text: String| Box::new(Error::client(SqlState::UNDEFINED_OBJECT, text));
    let known = roles(viewer);
    match role {
        Cell::Text(Some(name)) if name == "public" => Ok(true),
        Cell::Text(Some(name)) if known.iter().any(|(_, role, _)| role == name) => Ok(true),
        Cell::Text(Some(name)) => Err(missing(format!("role \"{name}\" does not exist"))),
        Cell::Int(Some(oid)) if known.iter().any(|(role, ..)| i64::from(*role) == *oid) => Ok(true),
        Cell::Int(Some(oid)) => Err(missing(format!("role with OID {oid} does not exist"))),
        _ => Ok(false),
    }
}

/// The arguments without the role in front, which is left out for the viewer itself; what it says is the same.
fn object<'a>(viewer: &Viewer, arguments: &'a [Cell], parts: usize) -> Result<Option<&'a [Cell]>, Box<Error>> {
    if arguments.iter().any(Cell::is_null) {
        return Ok(None);
    }
    if arguments.len() > parts {
        let (role, rest) = arguments.split_at(1);
        is_own(viewer, &role[0])?;
        return Ok(Some(rest));
    }
    Ok(Some(arguments))
}

fn answer(result: Result<Option<bool>, Box<Error>>) -> Cell {
    match result {
        Ok(truth) => Cell::Bool(truth),
        Err(error) => Cell::Fault(error),
    }
}

/// A relation by oid (none: not there), or by name (`42P01`).
fn relation(viewer: &Viewer, cell: &Cell) -> Result<Option<u32>, Box<Error>> {
    match cell {
        Cell::Text(Some(name)) => match registered::relation(viewer, name)? {
            Some(oid) => Ok(Some(oid)),
            None => {
                let message = format!("relation \"{name}\" does not exist");
                Err(Box::new(Error::client(SqlState::UNDEFINED_TABLE, message)))
            }
        },
        other => Ok(other.oid().filter(|oid| Objects::of(viewer).class(*oid).is_some())),
    }
}

fn on_relation(viewer: &Viewer, arguments: &[Cell], rights: &Rights) -> Result<Option<bool>, Box<Error>> {
    let Some([object, privilege]) = object(viewer, arguments, 2)? else { return Ok(None) };
    let held = holds(privilege.text().unwrap_or_default(), rights)?;
    Ok(relation(viewer, object)?.map(|_| held))
}

pub(super) fn on_table(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    answer(on_relation(viewer, arguments, &TABLE))
}

pub(super) fn on_any_column(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    answer(on_relation(viewer, arguments, &COLUMN))
}

pub(super) fn on_sequence(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    answer(on_relation(viewer, arguments, &SEQUENCE))
}

pub(super) fn on_column(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    answer(column(viewer, arguments))
}

fn column(viewer: &Viewer, arguments: &[Cell]) -> Result<Option<bool>, Box<Error>> {
    let Some([table, column, privilege]) = object(viewer, arguments, 3)? else { return Ok(None) };
    let held = holds(privilege.text().unwrap_or_default(), &COLUMN)?;
    let Some(oid) = relation(viewer, table)? else { return Ok(None) };
    let objects = Objects::of(viewer);
    let looking = crate::pg_catalog::relation::Looking { viewer, objects: &objects };
    let Some(class) = objects.class(oid) else { return Ok(None) };
    let columns = crate::pg_catalog::tables::attribute::columns(&looking, class);
    match column {
        Cell::Text(Some(name)) if columns.iter().any(|column| column.name == *name) => Ok(Some(held)),
        Cell::Text(Some(name)) => {
            let message = format!("column \"{name}\" of relation \"{}\" does not exist", class.name);
            Err(Box::new(Error::client(SqlState::UNDEFINED_COLUMN, message)))
        }
        other => Ok(columns.iter().any(|column| Some(column.number) == other.int()).then_some(held)),
    }
}

pub(super) fn on_schema(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    answer(schema(viewer, arguments))
}

fn schema(viewer: &Viewer, arguments: &[Cell]) -> Result<Option<bool>, Box<Error>> {
    let Some([object, privilege]) = object(viewer, arguments, 2)? else { return Ok(None) };
    let held = holds(privilege.text().unwrap_or_default(), &SCHEMA)?;
    let objects = Objects::of(viewer);
    match object {
        Cell::Text(Some(name)) if objects.namespaces.iter().any(|(_, known)| known == name) => Ok(Some(held)),
        Cell::Text(Some(name)) => {
            let message = format!("schema \"{name}\" does not exist");
            Err(Box::new(Error::client(SqlState::INVALID_SCHEMA_NAME, message)))
        }
        other => Ok(other.oid().filter(|oid| objects.namespaces.iter().any(|(known, _)| known == oid)).map(|_| held)),
    }
}

fn plain(viewer: &Viewer, arguments: &[Cell], rights: &Rights) -> Result<Option<bool>, Box<Error>> {
    let Some([_, privilege]) = object(viewer, arguments, 2)? else { return Ok(None) };
    holds(privilege.text().unwrap_or_default(), rights).map(Some)
}

pub(super) fn on_database(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    answer(database(viewer, arguments))
}

fn database(viewer: &Viewer, arguments: &[Cell]) -> Result<Option<bool>, Box<Error>> {
    let Some([object, privilege]) = object(viewer, arguments, 2)? else { return Ok(None) };
    let held = holds(privilege.text().unwrap_or_default(), &DATABASE)?;
    match object {
        Cell::Text(Some(name)) if *name != viewer.database => {
            let message = format!("database \"{name}\" does not exist");
            Err(Box::new(Error::client(SqlState::INVALID_CATALOG_NAME, message)))
        }
        Cell::Int(Some(oid)) if *oid != i64::from(crate::pg_catalog::objects::database_oid(&viewer.database)) => {
            Ok(None)
        }
        _ => Ok(Some(held)),
    }
}

pub(super) fn on_function(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    answer(plain(viewer, arguments, &FUNCTION))
}

/// Languages, types, foreign servers and wrappers.
pub(super) fn on_usage(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    answer(plain(viewer, arguments, &USAGE))
}

pub(super) fn on_tablespace(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    answer(plain(viewer, arguments, &CREATE))
}

/// Membership: a user has the user itself and the user's roles.
pub(super) fn has_role(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    answer(member(viewer, arguments))
}

fn member(viewer: &Viewer, arguments: &[Cell]) -> Result<Option<bool>, Box<Error>> {
    let Some([role, privilege]) = object(viewer, arguments, 2)? else { return Ok(None) };
    let list = privilege.text().unwrap_or_default();
    let known = ["usage", "member", "usage with admin option", "member with admin option"];
    if !known.contains(&list.trim().to_ascii_lowercase().as_str()) {
        let message = format!("unrecognized privilege type: \"{list}\"");
        return Err(Box::new(Error::client(SqlState::INVALID_PARAMETER_VALUE, message)));
    }
    is_own(viewer, role)?;
    let owner = match role {
        Cell::Text(Some(name)) => name == crate::pg_catalog::OWNER_NAME,
        other => other.oid() == Some(role_oid(crate::pg_catalog::OWNER_NAME)),
    };
    Ok(Some(!owner && !list.to_ascii_lowercase().contains("admin")))
}

/// Nobody can write: whatever the relation, nothing can be done to it.
pub(super) fn updatable(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    if arguments.iter().any(Cell::is_null) {
        return Cell::Int(None);
    }
    Cell::Int(Some(0))
}
