//! The types whose values are oids of something with a name: name to oid, oid to name, as the viewer may see them.
//! Must not know: how the engine calls functions.

use super::row_function::Cell;
use crate::catalog::Viewer;
use crate::error::{Error, Result, SqlState};
use crate::names::{fold, quote, quote_if_needed};
use crate::pg_catalog::facts::{self, Procedure};
use crate::pg_catalog::objects::{Objects, path, roles};
use crate::pg_catalog::{INFORMATION_SCHEMA, PG_CATALOG};
use crate::types::PgType;

/// The parts of a dotted name as it is written in SQL; `42602` where it is none.
pub(in crate::pg_catalog) fn parts(text: &str) -> Result<Vec<String>> {
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

/// The relation that a name means, as SQL would find it.
pub(in crate::pg_catalog) fn relation(viewer: &Viewer, text: &str) -> Result<Option<u32>> {
    let mut names = parts(text)?;
    let name = names.pop().unwrap_or_default();
    let objects = Objects::of(viewer);
    let found = match (names.pop(), names.pop()) {
        (None, _) => path(viewer).find_map(|schema| objects.class_named(schema, &name)),
        (Some(_), Some(database)) if database != viewer.database => None,
        (Some(schema), _) => objects.class_named(&schema, &name),
    };
    Ok(found.map(|class| class.oid))
}

/// The relation that an argument means: an oid, or a name as SQL would find it. An oid need not be any relation's.
///
/// # Errors
/// `42P01` for a name that is none's.
pub(super) fn relation_of(viewer: &Viewer, argument: Option<&Cell>) -> Result<Option<u32>> {
    let Some(Cell::Text(Some(name))) = argument else { return Ok(argument.and_then(Cell::oid)) };
    match relation(viewer, name)? {
        Some(oid) => Ok(Some(oid)),
        None => Err(Error::client(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))),
    }
}

pub(in crate::pg_catalog) fn relation_name(viewer: &Viewer, oid: u32) -> Option<String> {
    let objects = Objects::of(viewer);
    let class = objects.class(oid)?;
    let bare = quote_if_needed(&class.name);
    Some(if objects.is_visible(viewer, class) { bare } else { format!("{}.{bare}", quote_if_needed(&class.schema)) })
}

fn namespace(viewer: &Viewer, name: &str) -> Option<u32> {
    Objects::of(viewer).namespaces.iter().find(|(_, known)| known == name).map(|(oid, _)| *oid)
}

fn namespace_name(viewer: &Viewer, oid: u32) -> Option<String> {
    Objects::of(viewer).namespaces.iter().find(|(known, _)| *known == oid).map(|(_, name)| quote_if_needed(name))
}

/// Whether a procedure stands in a schema, or where bare names are found.
fn stands_in(viewer: &Viewer, procedure: &Procedure, schema: Option<&str>) -> bool {
    match schema {
        Some("pg_catalog") => procedure.namespace == PG_CATALOG,
        Some("information_schema") => procedure.namespace == INFORMATION_SCHEMA,
        Some(_) => false,
        None => procedure.namespace == PG_CATALOG || path(viewer).any(|schema| schema == "information_schema"),
    }
}

/// A procedure by its name alone: an error where several have it.
fn procedure(viewer: &Viewer, text: &str) -> Result<Option<u32>> {
    let mut names = parts(text)?;
    let name = names.pop().unwrap_or_default();
    let schema = names.pop();
    let mut found = facts::procedures(&name).filter(|procedure| stands_in(viewer, procedure, schema.as_deref()));
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => {
            Err(Error::client(SqlState::AMBIGUOUS_FUNCTION, format!("more than one function named \"{text}\"")))
        }
        (first, _) => Ok(first.map(|procedure| procedure.oid)),
    }
}

/// `name(type, type)` to the name and the types.
fn signature(text: &str) -> Result<Option<(&str, Vec<u32>)>> {
    let invalid = |what: &str| Error::client(SqlState::INVALID_TEXT_REPRESENTATION, what);
    let Some((name, rest)) = text.split_once('(') else { return Err(invalid("expected a left parenthesis")) };
    let Some(inside) = rest.trim_end().strip_suffix(')') else {
        return Err(invalid("expected a right parenthesis"));
    };
    if inside.trim().is_empty() {
        return Ok(Some((name, Vec::new())));
    }
    let types = inside.split(',').map(|word| match word.trim() {
        word if word.eq_ignore_ascii_case("none") => Some(0),
        word => PgType::from_name(word).map(|found| found.oid),
    });
    Ok(types.collect::<Option<Vec<_>>>().map(|types| (name, types)))
}

fn procedure_with_types(viewer: &Viewer, text: &str) -> Result<Option<u32>> {
    let Some((name, types)) = signature(text)? else { return Ok(None) };
    let mut names = parts(name)?;
    let name = names.pop().unwrap_or_default();
    let schema = names.pop();
    let mut here = facts::procedures(&name).filter(|procedure| stands_in(viewer, procedure, schema.as_deref()));
    Ok(here.find(|procedure| procedure.arguments == types).map(|procedure| procedure.oid))
}

/// An operator by its name alone, or with the types of its operands.
fn operator(text: &str, types: bool) -> Result<Option<u32>> {
    let (name, wanted) = match types {
        true => match signature(text)? {
            Some((name, types)) => (name, Some(types)),
            None => return Ok(None),
        },
        false => (text, None),
    };
    let name = name.trim().strip_prefix("pg_catalog.").unwrap_or(name.trim());
    let fits = |operator: &&facts::Operator| {
        operator.name == name && wanted.as_ref().is_none_or(|types| *types == [operator.left, operator.right])
    };
    let mut found = facts::operators().iter().filter(fits);
    match (found.next(), found.next()) {
        (Some(_), Some(_)) if !types => {
            Err(Error::client(SqlState::AMBIGUOUS_FUNCTION, format!("more than one operator named {text}")))
        }
        (first, _) => Ok(first.map(|operator| operator.oid)),
    }
}

fn type_word(oid: u32) -> String {
    match oid {
        0 => "NONE".to_owned(),
        1042 => "character".to_owned(),
        1560 => "bit".to_owned(),
        1014 => "character[]".to_owned(),
        1561 => "bit[]".to_owned(),
        other => PgType::new(other).display_name(),
    }
}

fn procedure_name(viewer: &Viewer, oid: u32, types: bool) -> Option<String> {
    let found = facts::procedure(oid)?;
    let mut name = quote_if_needed(found.name);
    if !stands_in(viewer, found, None) {
        name = format!("information_schema.{name}");
    }
    if types {
        let words: Vec<String> = found.arguments.iter().map(|oid| type_word(*oid)).collect();
        return Some(format!("{name}({})", words.join(",")));
    }
    // A name that another has too is told with its schema.
    let several = facts::procedures(found.name).nth(1).is_some() && found.namespace == PG_CATALOG;
    Some(if several { format!("pg_catalog.{name}") } else { name })
}

fn operator_name(oid: u32, types: bool) -> Option<String> {
    let found = facts::operators().iter().find(|operator| operator.oid == oid)?;
    if types {
        return Some(format!("{}({},{})", found.name, type_word(found.left), type_word(found.right)));
    }
    let several = facts::operators().iter().filter(|operator| operator.name == found.name).nth(1).is_some();
    Some(if several { format!("pg_catalog.{}", found.name) } else { found.name.to_owned() })
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

/// A type by its name, with its schema if that is written.
fn data_type(viewer: &Viewer, text: &str) -> Option<u32> {
    if let Some(found) = PgType::from_name(text) {
        return Some(found.oid);
    }
    let (name, array) = match text.trim().strip_suffix("[]") {
        Some(element) => (element, true),
        None => (text, false),
    };
    let names = parts(name).ok()?;
    if let [schema, name] = names.as_slice()
        && schema == "pg_catalog"
    {
        let found = PgType::from_name(&quote(name))?;
        return if array { found.array_of().map(|found| found.oid) } else { Some(found.oid) };
    }
    let (schema, name) = match names.as_slice() {
        [name] => (None, name),
        [schema, name] => (Some(schema.as_str()), name),
        _ => return None,
    };
    let objects = Objects::of(viewer);
    let found = objects.types.named(viewer, schema, name).or_else(|| objects.rows.named(viewer, schema, name))?;
    if !array {
        return Some(found);
    }
    let of_rows = || objects.rows.by_oid(found).map(|(one, _)| one.array_oid);
    objects.types.by_oid(found).map(|(one, _)| one.array_oid).or_else(of_rows)
}

/// What a name of a type `reg...` stands for, none if there is nothing.
fn find(viewer: &Viewer, kind: u32, text: &str) -> Result<Option<u32>> {
    Ok(match kind {
        24 => procedure(viewer, text)?,
        2202 => procedure_with_types(viewer, text)?,
        2203 => operator(text, false)?,
        2204 => operator(text, true)?,
        2205 => relation(viewer, text)?,
        2206 => data_type(viewer, text),
        4089 => namespace(viewer, &single(text)?),
        4096 => {
            let name = single(text)?;
            roles(viewer).into_iter().find(|(_, known, _)| *known == name).map(|(oid, ..)| oid)
        }
        4191 => {
            let name = parts(text)?.pop().unwrap_or_default();
            facts::collations().iter().find(|(_, known)| *known == name).map(|(oid, _)| *oid)
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
        24 => procedure_name(viewer, oid, false),
        2202 => procedure_name(viewer, oid, true),
        2203 => operator_name(oid, false),
        2204 => operator_name(oid, true),
        2205 => relation_name(viewer, oid),
        2206 => match PgType::new(oid).row() {
            Some(_) => Some(type_word(oid)),
            None => Objects::of(viewer).type_name(viewer, oid),
        },
        4089 => namespace_name(viewer, oid),
        4096 => roles(viewer).into_iter().find(|(known, ..)| *known == oid).map(|(_, name, _)| quote_if_needed(&name)),
        4191 => facts::collations().iter().find(|(known, _)| *known == oid).map(|(_, name)| quote_if_needed(name)),
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

pub(super) fn to_regproc(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    quietly(input(viewer, 24, arguments, false))
}

pub(super) fn to_regprocedure(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    input(viewer, 2202, arguments, false)
}

pub(super) fn to_regoper(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    quietly(input(viewer, 2203, arguments, false))
}

pub(super) fn to_regoperator(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    input(viewer, 2204, arguments, false)
}

pub(super) fn to_regcollation(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    input(viewer, 4191, arguments, false)
}

/// A name that several have is as good as none here.
fn quietly(cell: Cell) -> Cell {
    match cell {
        Cell::Fault(error) if error.state() == SqlState::AMBIGUOUS_FUNCTION => Cell::Int(None),
        other => other,
    }
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
