//! What the viewer may do, as functions tell it. Nobody may create; everything that is there may be read.
//! Must not know: grants; `rights` says what may be written.

use super::registered;
use super::row_function::Cell;
use crate::catalog::Viewer;
use crate::error::{Error, SqlState};
use crate::pg_catalog::objects::{Class, Objects, What, role_oid, roles};
use crate::pg_catalog::rights;
use crate::pg_catalog::tables::attribute::Column;

/// What privileges an object of a kind has, and which of them are held by everybody who sees it.
struct Rights {
    known: &'static [&'static str],
    held: &'static [&'static str],
}

/// What privileges tables and columns have; which of them are held is a matter of each.
const TABLE: &[&str] = &["select", "insert", "update", "delete", "truncate", "references", "trigger", "rule"];
const COLUMN: &[&str] = &["select", "insert", "update", "references"];
const SCHEMA: Rights = Rights { known: &["usage", "create"], held: &["usage"] };
const DATABASE: Rights = Rights { known: &["connect", "create", "temporary", "temp"], held: &["connect"] };
const FUNCTION: Rights = Rights { known: &["execute"], held: &["execute"] };
const USAGE: Rights = Rights { known: &["usage"], held: &["usage"] };
const CREATE: Rights = Rights { known: &["create"], held: &[] };
const SEQUENCE: &[&str] = &["usage", "select", "update"];

/// Whether one of the privileges of a list is held; those WITH GRANT OPTION nobody holds.
fn holds(list: &str, rights: &Rights) -> Result<bool, Box<Error>> {
    Ok(asked(list, rights.known)?.iter().any(|word| rights.held.contains(&word.as_str())))
}

/// The privileges of a list that somebody could hold: in small letters, each one that is known.
fn asked(list: &str, known: &[&str]) -> Result<Vec<String>, Box<Error>> {
    let mut all = Vec::new();
    for word in list.split(',') {
        let word = word.trim().to_ascii_lowercase();
        let (plain, grant) = match word.strip_suffix(" with grant option") {
            Some(plain) => (plain.trim(), true),
            None => (word.as_str(), false),
        };
        if !known.contains(&plain) {
            let message = format!("unrecognized privilege type: \"{}\"", list.trim());
            return Err(Box::new(Error::client(SqlState::INVALID_PARAMETER_VALUE, message)));
        }
        if !grant {
            all.push(plain.to_owned());
        }
    }
    Ok(all)
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

/// How a privilege on a relation is looked up.
type OnRelation = fn(&Viewer, &Class, &str) -> bool;

fn on_relation(
    viewer: &Viewer,
    arguments: &[Cell],
    known: &[&str],
    held: OnRelation,
) -> Result<Option<bool>, Box<Error>> {
    let Some([object, privilege]) = object(viewer, arguments, 2)? else { return Ok(None) };
    let asked = asked(privilege.text().unwrap_or_default(), known)?;
    let Some(oid) = relation(viewer, object)? else { return Ok(None) };
    let objects = Objects::of(viewer);
    Ok(objects.class(oid).map(|class| asked.iter().any(|privilege| held(viewer, class, privilege))))
}

pub(super) fn on_table(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    answer(on_relation(viewer, arguments, TABLE, rights::on_relation))
}

pub(super) fn on_any_column(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    answer(on_relation(viewer, arguments, COLUMN, rights::on_any_column))
}

/// Nobody may do anything with a sequence.
pub(super) fn on_sequence(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    answer(sequence(viewer, arguments))
}

fn sequence(viewer: &Viewer, arguments: &[Cell]) -> Result<Option<bool>, Box<Error>> {
    let Some([object, privilege]) = object(viewer, arguments, 2)? else { return Ok(None) };
    asked(privilege.text().unwrap_or_default(), SEQUENCE)?;
    let Some(oid) = relation(viewer, object)? else { return Ok(None) };
    let objects = Objects::of(viewer);
    match objects.class(oid) {
        Some(Class { what: What::Sequence(_), .. }) => Ok(Some(false)),
        Some(class) => {
            let name = object.text().unwrap_or(&class.name);
            let message = format!("\"{name}\" is not a sequence");
            Err(Box::new(Error::client(SqlState::WRONG_OBJECT_TYPE, message)))
        }
        None => Ok(None),
    }
}

pub(super) fn on_column(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    answer(column(viewer, arguments))
}

fn column(viewer: &Viewer, arguments: &[Cell]) -> Result<Option<bool>, Box<Error>> {
    let Some([table, column, privilege]) = object(viewer, arguments, 3)? else { return Ok(None) };
    let asked = asked(privilege.text().unwrap_or_default(), COLUMN)?;
    let Some(oid) = relation(viewer, table)? else { return Ok(None) };
    let objects = Objects::of(viewer);
    let looking = crate::pg_catalog::relation::Looking { viewer, objects: &objects };
    let Some(class) = objects.class(oid) else { return Ok(None) };
    let columns = crate::pg_catalog::tables::attribute::columns(&looking, class);
    let held = |number: i64| asked.iter().any(|privilege| rights::on_column(viewer, class, number, privilege));
    let number = |wanted: &dyn Fn(&Column<'_>) -> bool| columns.iter().find(|column| wanted(column)).map(|c| c.number);
    match column {
        Cell::Text(Some(name)) => match number(&|column| column.name == *name) {
            Some(number) => Ok(Some(held(number))),
            None => {
                let message = format!("column \"{name}\" of relation \"{}\" does not exist", class.name);
                Err(Box::new(Error::client(SqlState::UNDEFINED_COLUMN, message)))
            }
        },
        other => Ok(number(&|column| Some(column.number) == other.int()).map(held)),
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

/// `pg_relation_is_updatable`: bits for UPDATE, INSERT and DELETE. PostgreSQL tells what the relation takes from anybody; what it takes from
/// nobody here is what the viewer may not do.
pub(super) fn updatable(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let Some(oid) = arguments.first().and_then(Cell::oid).filter(|_| !arguments.iter().any(Cell::is_null)) else {
        return Cell::Int(None);
    };
    let objects = Objects::of(viewer);
    let Some(class) = objects.class(oid) else { return Cell::Int(Some(0)) };
    let bits = [("update", 4), ("insert", 8), ("delete", 16)].into_iter().filter(|(privilege, _)| {
        rights::on_relation(viewer, class, privilege) || rights::on_any_column(viewer, class, privilege)
    });
    Cell::Int(Some(bits.map(|(_, bit)| bit).sum()))
}

/// `pg_column_is_updatable`.
pub(super) fn column_updatable(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let (Some(oid), Some(number)) = (arguments.first().and_then(Cell::oid), arguments.get(1).and_then(Cell::int))
    else {
        return Cell::Bool(None);
    };
    if arguments.iter().any(Cell::is_null) {
        return Cell::Bool(None);
    }
    let objects = Objects::of(viewer);
    Cell::Bool(Some(objects.class(oid).is_some_and(|class| rights::on_column(viewer, class, number, "update"))))
}

/// `acldefault("char", oid)`.
pub(super) fn default_acl(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let (Some(kind), Some(owner)) = (arguments.first().and_then(Cell::text), arguments.get(1).and_then(Cell::oid))
    else {
        return Cell::Text(None);
    };
    match rights::default_acl(viewer, kind, owner) {
        Some(list) => Cell::Text(Some(list)),
        None => {
            let message = format!("unrecognized object type abbreviation: {kind}");
            Cell::fault(Error::client(SqlState::INVALID_PARAMETER_VALUE, message))
        }
    }
}
