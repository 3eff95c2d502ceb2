//! The types whose values are oids of something with a name: name to oid, oid to name, as the viewer may see them.
//! Must not know: how the engine calls functions.

use std::sync::LazyLock;

use super::row_function::Cell;
use crate::catalog::Viewer;
use crate::error::{Error, Result, SqlState};
use crate::names::{fold, quote_if_needed};
use crate::pg_catalog::OWNER;
use crate::pg_catalog::tables::{namespace_oid, role_oid, schemas, virtual_oid};
use crate::pg_catalog::{fixed_rows, listed};
use crate::types::PgType;

/// Schema, name and oid of PostgreSQL's own relations.
static SYSTEM: LazyLock<Vec<(&'static str, &'static str, u32)>> =
    LazyLock::new(|| listed().into_iter().map(|relation| (relation.schema, relation.name, relation.oid)).collect());

/// Oid and name of the collations.
static COLLATIONS: LazyLock<Vec<(u32, &'static str)>> = LazyLock::new(|| {
    let rows = fixed_rows().remove("pg_collation").unwrap_or_default();
    let known = |row: &&'static str| {
        let mut fields = row.split('\t');
        Some((fields.next()?.parse().ok()?, fields.next()?))
    };
    rows.iter().filter_map(known).collect()
});

/// The parts of a dotted name as it is written in SQL; `42602` where it is none.
fn parts(text: &str) -> Result<Vec<String>> {
    let invalid = || {
        let state = SqlState::from_code("42602").unwrap_or(SqlState::INVALID_PARAMETER_VALUE);
        Error::client(state, "invalid name syntax")
    };
    let mut names = Vec::new();
    let mut rest = text.trim();
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut name = String::new();
            let mut chars = quoted.char_indices().peekable();
            let end = loop {
                match chars.next() {
                    Some((_, '"')) if chars.next_if(|(_, c)| *c == '"').is_some() => name.push('"'),
                    Some((at, '"')) => break at,
                    Some((_, c)) => name.push(c),
                    None => return Err(invalid()),
                }
            };
            names.push(name);
            rest = quoted.get(end + 1..).unwrap_or_default().trim_start();
        } else {
            let end = rest.find(|c: char| c == '.' || c == '"' || c.is_ascii_whitespace()).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            names.push(fold(name));
            rest = after.trim_start();
        }
        if names.last().is_none_or(String::is_empty) {
            return Err(invalid());
        }
        match rest.strip_prefix('.') {
            Some(more) => rest = more.trim_start(),
            None if rest.is_empty() => return Ok(names),
            None => return Err(invalid()),
        }
    }
}

fn relation_in(viewer: &Viewer, schema: &str, name: &str) -> Option<u32> {
    if let Some(table) = viewer.world.table(schema, name) {
        return Some(table.oid);
    }
    if let Some((_, _, oid)) = SYSTEM.iter().find(|(of, known, _)| *of == schema && *known == name) {
        return Some(*oid);
    }
    viewer.world.virtuals.get(schema, name).map(|_| virtual_oid(schema, name))
}

/// The schemas that bare names are looked for in.
fn path(viewer: &Viewer) -> impl Iterator<Item = &str> {
    let named = viewer.search_path.iter().any(|schema| schema == "pg_catalog");
    (!named).then_some("pg_catalog").into_iter().chain(viewer.search_path.iter().map(String::as_str))
}

fn relation(viewer: &Viewer, text: &str) -> Result<Option<u32>> {
    let mut names = parts(text)?;
    let name = names.pop().unwrap_or_default();
    Ok(match (names.pop(), names.pop()) {
        (None, _) => path(viewer).find_map(|schema| relation_in(viewer, schema, &name)),
        (Some(_), Some(database)) if database != viewer.database => None,
        (Some(schema), _) => relation_in(viewer, &schema, &name),
    })
}

fn relation_name(viewer: &Viewer, oid: u32) -> Option<String> {
    let table = viewer.world.tables().find(|table| table.oid == oid);
    let of_tusk = || {
        let mut own = viewer.world.virtuals.iter().filter(|table| table.schema_name() == "tusk");
        own.find(|table| virtual_oid("tusk", table.name()) == oid).map(|table| ("tusk", table.name()))
    };
    let (schema, name) = match table {
        Some(table) => (table.name.schema.as_str(), table.name.table.as_str()),
        None => match SYSTEM.iter().find(|(_, _, known)| *known == oid) {
            Some((schema, name, _)) => (*schema, *name),
            None => of_tusk()?,
        },
    };
    let visible = path(viewer).find_map(|schema| relation_in(viewer, schema, name)) == Some(oid);
    let bare = quote_if_needed(name);
    Some(if visible { bare } else { format!("{}.{bare}", quote_if_needed(schema)) })
}

fn roles(viewer: &Viewer) -> impl Iterator<Item = (u32, &str)> {
    let own = std::iter::once(&viewer.user).chain(&viewer.roles);
    std::iter::once((OWNER, "tusk")).chain(own.map(|name| (role_oid(name), name.as_str())))
}

/// The only part of a name that has no schema.
fn single(text: &str) -> Result<String> {
    let mut names = parts(text)?;
    match names.pop() {
        Some(name) if names.is_empty() => Ok(name),
        _ => Err(Error::client(
            SqlState::from_code("42602").unwrap_or(SqlState::INVALID_PARAMETER_VALUE),
            "invalid name syntax",
        )),
    }
}

/// What a name of a type `reg...` stands for, none if there is nothing.
fn find(viewer: &Viewer, kind: u32, text: &str) -> Result<Option<u32>> {
    Ok(match kind {
        2205 => relation(viewer, text)?,
        2206 => PgType::from_name(text).map(|found| found.oid),
        4089 => {
            let name = single(text)?;
            schemas(viewer).into_iter().find(|known| *known == name).map(|known| namespace_oid(&known))
        }
        4096 => {
            let name = single(text)?;
            roles(viewer).find(|(_, known)| *known == name).map(|(oid, _)| oid)
        }
        4191 => {
            let name = parts(text)?.pop().unwrap_or_default();
            COLLATIONS.iter().find(|(_, known)| *known == name).map(|(oid, _)| *oid)
        }
        _ => None,
    })
}

fn missing(kind: u32, text: &str) -> Error {
    let (state, message) = match kind {
        2205 => (SqlState::UNDEFINED_TABLE, format!("relation \"{text}\" does not exist")),
        4089 => (SqlState::INVALID_SCHEMA_NAME, format!("schema \"{text}\" does not exist")),
        4096 => (SqlState::UNDEFINED_OBJECT, format!("role \"{text}\" does not exist")),
        4191 => (SqlState::UNDEFINED_OBJECT, format!("collation \"{text}\" for encoding \"UTF8\" does not exist")),
        24 | 2202 => (SqlState::UNDEFINED_FUNCTION, format!("function \"{text}\" does not exist")),
        2203 | 2204 => (SqlState::UNDEFINED_FUNCTION, format!("operator does not exist: {text}")),
        3734 => (SqlState::UNDEFINED_OBJECT, format!("text search configuration \"{text}\" does not exist")),
        3769 => (SqlState::UNDEFINED_OBJECT, format!("text search dictionary \"{text}\" does not exist")),
        _ => (SqlState::UNDEFINED_OBJECT, format!("type \"{text}\" does not exist")),
    };
    Error::client(state, message)
}

fn input(viewer: &Viewer, kind: u32, arguments: &[Cell], must: bool) -> Cell {
    let Some(text) = arguments.first().and_then(Cell::text) else { return Cell::Int(None) };
    if text == "-" || (matches!(kind, 2203 | 2204) && text == "0") {
        return Cell::Int(Some(0));
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse::<u32>() {
            Ok(oid) => Cell::Int(Some(i64::from(oid))),
            Err(_) => Cell::fault(Error::client(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                format!("value \"{text}\" is out of range for type oid"),
            )),
        };
    }
    match find(viewer, kind, text) {
        Ok(Some(oid)) => Cell::Int(Some(i64::from(oid))),
        Ok(None) if must => Cell::fault(missing(kind, text)),
        Ok(None) => Cell::Int(None),
        Err(error) => Cell::fault(error),
    }
}

fn output(viewer: &Viewer, kind: u32, arguments: &[Cell]) -> Cell {
    let Some(oid) = arguments.first().and_then(Cell::int).and_then(|oid| u32::try_from(oid).ok()) else {
        return Cell::Text(None);
    };
    if oid == 0 {
        return Cell::Text(Some(if matches!(kind, 2203 | 2204) { "0" } else { "-" }.to_owned()));
    }
    let name = match kind {
        2205 => relation_name(viewer, oid),
        2206 => Some(PgType::new(oid)).filter(|ty| ty.row().is_some()).map(|ty| match oid {
            // Without a modifier, which a bare type does not have.
            1042 => "character".to_owned(),
            1560 => "bit".to_owned(),
            _ => ty.display_name().to_string(),
        }),
        4089 => schemas(viewer).into_iter().find(|name| namespace_oid(name) == oid).map(|name| quote_if_needed(&name)),
        4096 => roles(viewer).find(|(known, _)| *known == oid).map(|(_, name)| quote_if_needed(name)),
        4191 => COLLATIONS.iter().find(|(known, _)| *known == oid).map(|(_, name)| quote_if_needed(name)),
        _ => None,
    };
    Cell::Text(Some(name.unwrap_or_else(|| oid.to_string())))
}

/// Text to the oid of what it names; `$kind` is the type's oid.
macro_rules! pair {
    ($input:ident, $output:ident, $kind:literal) => {
        pub(super) fn $input(viewer: &Viewer, arguments: &[Cell]) -> Cell {
            input(viewer, $kind, arguments, true)
        }

        pub(super) fn $output(viewer: &Viewer, arguments: &[Cell]) -> Cell {
            output(viewer, $kind, arguments)
        }
    };
}

pair!(regproc_in, regproc_out, 24);
pair!(regprocedure_in, regprocedure_out, 2202);
pair!(regoper_in, regoper_out, 2203);
pair!(regoperator_in, regoperator_out, 2204);
pair!(regclass_in, regclass_out, 2205);
pair!(regtype_in, regtype_out, 2206);
pair!(regconfig_in, regconfig_out, 3734);
pair!(regdictionary_in, regdictionary_out, 3769);
pair!(regnamespace_in, regnamespace_out, 4089);
pair!(regrole_in, regrole_out, 4096);
pair!(regcollation_in, regcollation_out, 4191);

pub(super) fn to_regclass(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    input(viewer, 2205, arguments, false)
}

pub(super) fn to_regtype(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    input(viewer, 2206, arguments, false)
}

pub(super) fn to_regnamespace(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    input(viewer, 4089, arguments, false)
}

pub(super) fn to_regrole(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    input(viewer, 4096, arguments, false)
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn names_are_taken_apart_as_sql_writes_them() {
        let of = |text: &str| parts(text).ok();
        let some = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(of("Orders"), some(&["orders"]));
        assert_eq!(of("shop.\"Ord\"\"ers.x\""), some(&["shop", "Ord\"ers.x"]));
        assert_eq!(of("a . b"), some(&["a", "b"]));
        assert_eq!(of("a."), None);
        assert_eq!(of("\"a"), None);
        assert_eq!(of(""), None);
        assert_eq!(of("a b"), None);
    }
}
