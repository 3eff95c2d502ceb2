//! What the catalog functions say of objects: names, definitions, comments.
//! Must not know: how the engine calls them.

use super::registered;
use super::row_function::Cell;
use crate::catalog::Viewer;
use crate::names::quote_if_needed;
use crate::pg_catalog::facts::Procedure;
use crate::pg_catalog::objects::{Objects, What, roles};
use crate::pg_catalog::tables::class::{PG_CLASS, comment};
use crate::pg_catalog::{definitions, facts, renamed};
use crate::types::PgType;

fn oid(arguments: &[Cell]) -> Option<u32> {
    arguments.first().and_then(Cell::oid)
}

fn number(arguments: &[Cell], at: usize) -> Option<i64> {
    arguments.get(at).and_then(Cell::int)
}

fn truth(arguments: &[Cell], at: usize) -> bool {
    arguments.get(at).and_then(Cell::truth).unwrap_or(false)
}

pub(super) fn user_by_id(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let Some(wanted) = oid(arguments) else { return Cell::Text(None) };
    let name = roles(viewer).into_iter().find(|(oid, ..)| *oid == wanted).map(|(_, name, _)| name);
    Cell::Text(Some(name.unwrap_or_else(|| format!("unknown (OID={wanted})"))))
}

pub(super) fn format_type(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let Some(oid) = number(arguments, 0) else { return Cell::Text(None) };
    let modifier = number(arguments, 1).and_then(|typmod| i32::try_from(typmod).ok());
    let Ok(oid) = u32::try_from(oid) else { return Cell::Text(Some("???".into())) };
    let text = match (oid, modifier) {
        (0, _) => "-".to_owned(),
        // Without any modifier, not with an unknown one.
        (1042, None) => "character".to_owned(),
        (1560, None) => "bit".to_owned(),
        (1014, None) => "character[]".to_owned(),
        (1561, None) => "bit[]".to_owned(),
        (oid, modifier) => {
            let ty = PgType { oid, typmod: modifier.unwrap_or(-1) };
            match ty.row() {
                Some(_) => ty.display_name(),
                None => Objects::of(viewer).type_name(viewer, oid).unwrap_or_else(|| "???".to_owned()),
            }
        }
    };
    Cell::Text(Some(text))
}

/// `pg_get_expr`: expressions are kept as text already, in the plain form.
pub(super) fn expression(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let (Some(text), Some(relation)) = (arguments.first().and_then(Cell::text), number(arguments, 1)) else {
        return Cell::Text(None);
    };
    if arguments.iter().any(Cell::is_null) {
        return Cell::Text(None);
    }
    let objects = Objects::of(viewer);
    let Ok(relation) = u32::try_from(relation) else { return Cell::Text(None) };
    // What is over a relation that is gone, or was never there, is told to nobody.
    if relation != 0 && objects.class(relation).is_none() {
        return Cell::Text(None);
    }
    Cell::Text(Some(if truth(arguments, 2) { pretty(viewer, &objects, relation, text) } else { text.to_owned() }))
}

/// The form for people of an expression over a relation.
fn pretty(viewer: &Viewer, objects: &Objects, relation: u32, text: &str) -> String {
    if let Some(known) = objects.pretty(relation, text, || definitions::expressions(objects)) {
        return known.to_owned();
    }
    let default = match objects.class(relation).map(|class| &class.what) {
        Some(What::Table(table)) => renamed::defaults(viewer, objects, table).find(|default| default.plain == text),
        _ => None,
    };
    default.map_or_else(|| text.to_owned(), |default| default.pretty)
}

pub(super) fn object_description(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let (Some(oid), Some(catalog)) = (oid(arguments), arguments.get(1).and_then(Cell::text)) else {
        return Cell::Text(None);
    };
    if catalog == "pg_class" {
        return Cell::Text(Objects::of(viewer).class(oid).and_then(|class| comment(class, 0)));
    }
    if catalog == "pg_type"
        && let Some((one, false)) = Objects::of(viewer).types.by_oid(oid)
    {
        return Cell::Text(one.declared.comment.clone());
    }
    let of = facts::relations().iter().find(|listed| listed.schema == "pg_catalog" && listed.name == catalog);
    Cell::Text(of.and_then(|of| facts::description(of.oid, oid)).map(str::to_owned))
}

/// Without a catalog: whatever has the oid.
pub(super) fn any_description(viewer: &Viewer, oid: u32) -> Option<String> {
    let found = Objects::of(viewer).class(oid).and_then(|class| comment(class, 0));
    let catalogs =
        || facts::relations().iter().filter(|listed| listed.schema == "pg_catalog" && listed.oid != PG_CLASS);
    found.or_else(|| catalogs().find_map(|of| facts::description(of.oid, oid)).map(str::to_owned))
}

pub(super) fn description(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    if arguments.len() > 1 {
        return object_description(viewer, arguments);
    }
    Cell::Text(oid(arguments).and_then(|oid| any_description(viewer, oid)))
}

pub(super) fn column_description(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let (Some(oid), Some(column)) = (oid(arguments), number(arguments, 1)) else { return Cell::Text(None) };
    let Ok(column) = usize::try_from(column) else { return Cell::Text(None) };
    Cell::Text(Objects::of(viewer).class(oid).filter(|_| column > 0).and_then(|class| comment(class, column)))
}

pub(super) fn index_definition(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let Some(oid) = oid(arguments) else { return Cell::Text(None) };
    let objects = Objects::of(viewer);
    let Some(index) = objects.index(oid) else { return Cell::Text(None) };
    let column = number(arguments, 1).unwrap_or(0);
    if arguments.iter().any(Cell::is_null) {
        return Cell::Text(None);
    }
    Cell::Text(match usize::try_from(column) {
        Ok(0) => definitions::index(viewer, &objects, index, truth(arguments, 2)),
        Ok(column) => Some(definitions::index_column(index, column, truth(arguments, 2)).unwrap_or_default()),
        Err(_) => Some(String::new()),
    })
}

pub(super) fn constraint_definition(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let objects = Objects::of(viewer);
    let Some(oid) = oid(arguments).filter(|_| !arguments.iter().any(Cell::is_null)) else { return Cell::Text(None) };
    let pretty = truth(arguments, 1);
    Cell::Text(match objects.constraint(oid) {
        Some(constraint) => definitions::constraint(viewer, &objects, constraint, pretty),
        None => objects.types.check(oid).map(|check| check.form(pretty).to_owned()),
    })
}

fn procedure(arguments: &[Cell]) -> Option<&'static Procedure> {
    oid(arguments).and_then(facts::procedure).filter(|procedure| procedure.listed)
}

pub(super) fn function_arguments(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    Cell::Text(procedure(arguments).map(|procedure| procedure.written_arguments.to_owned()))
}

pub(super) fn function_identity(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    Cell::Text(procedure(arguments).map(|procedure| procedure.identity_arguments.to_owned()))
}

pub(super) fn function_result(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    Cell::Text(
        procedure(arguments)
            .filter(|procedure| procedure.kind != "p")
            .map(|procedure| procedure.written_result.to_owned()),
    )
}

/// `CREATE FUNCTION` of a built-in function, in PostgreSQL's words.
pub(super) fn function_definition(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let Some(found) = procedure(arguments).filter(|procedure| procedure.kind != "a") else { return Cell::Text(None) };
    let schema = if found.namespace == super::super::PG_CATALOG { "pg_catalog" } else { "information_schema" };
    let mut traits = String::new();
    if found.kind == "w" {
        traits.push_str(" WINDOW");
    }
    traits.push_str(match found.volatility {
        "i" => " IMMUTABLE",
        "s" => " STABLE",
        _ => "",
    });
    traits.push_str(" PARALLEL SAFE");
    if found.strict {
        traits.push_str(" STRICT");
    }
    Cell::Text(Some(format!(
        "CREATE OR REPLACE FUNCTION {schema}.{}({})\n RETURNS {}\n LANGUAGE internal\n{traits}\nAS $function${}$function$\n",
        quote_if_needed(found.name),
        found.written_arguments,
        found.written_result,
        found.name
    )))
}

/// `pg_get_viewdef(view, pretty or width)`.
pub(super) fn view_definition(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    if arguments.get(1).is_some_and(Cell::is_null) {
        return Cell::Text(None);
    }
    let found = match registered::relation_of(viewer, arguments.first()) {
        Ok(found) => found,
        Err(error) => return Cell::fault(error),
    };
    // A width is one for people.
    let pretty = truth(arguments, 1) || number(arguments, 1).is_some();
    let objects = Objects::of(viewer);
    let definition = found.and_then(|oid| definitions::view(viewer, objects.class(oid)?));
    Cell::Text(definition.map(|view| if pretty { view.pretty.clone() } else { view.plain.clone() }))
}

/// Of objects that there are none of: triggers, rules, extended statistics, shared comments.
pub(super) fn nothing(_viewer: &Viewer, _arguments: &[Cell]) -> Cell {
    Cell::Text(None)
}

pub(super) fn no(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    Cell::Bool((!arguments.iter().any(Cell::is_null)).then_some(false))
}

pub(super) fn zero(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    Cell::Int((!arguments.iter().any(Cell::is_null)).then_some(0))
}

pub(super) fn empty_array(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    Cell::Text((!arguments.iter().any(Cell::is_null)).then(|| "{}".to_owned()))
}

/// Rows, as the source estimates them; 0 of what is none, or is not told.
pub(super) fn live_tuples(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let Some(oid) = oid(arguments) else { return Cell::Int(None) };
    let objects = Objects::of(viewer);
    let rows = match objects.class(oid).map(|class| &class.what) {
        Some(What::Table(table)) => table.estimated_rows(),
        _ => None,
    };
    Cell::Int(Some(rows.and_then(|rows| i64::try_from(rows).ok()).unwrap_or(0)))
}

/// `integer, text` of `23 25`.
pub(super) fn vector_types(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let Some(vector) = arguments.first().and_then(Cell::text) else { return Cell::Text(None) };
    let name = |oid: &str| match format_type(viewer, &[Cell::Int(oid.parse().ok()), Cell::Int(Some(-1))]) {
        Cell::Text(name) => name.unwrap_or_default(),
        _ => String::new(),
    };
    Cell::Text(Some(vector.split_ascii_whitespace().map(name).collect::<Vec<_>>().join(", ")))
}

/// How many multixacts ago, of which there are none yet; the farthest for none.
pub(super) fn multixact_age(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let Some(text) = arguments.first().and_then(Cell::text) else { return Cell::Int(None) };
    let age = match text.trim().parse::<u32>().unwrap_or(0) {
        0 => i32::MAX,
        then => 1_u32.wrapping_sub(then).cast_signed(),
    };
    Cell::Int(Some(i64::from(age)))
}
