//! What indexes and their access methods can, as functions tell it.
//! Must not know: how the engine calls them.

use super::row_function::Cell;
use crate::catalog::Viewer;
use crate::pg_catalog::facts;
use crate::pg_catalog::objects::{Index, Objects};

/// The access methods of PostgreSQL's own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Btree,
    Hash,
    Gist,
    Gin,
    Spgist,
    Brin,
}

impl Method {
    fn named(name: &str) -> Option<Method> {
        Some(match name {
            "btree" => Method::Btree,
            "hash" => Method::Hash,
            "gist" => Method::Gist,
            "gin" => Method::Gin,
            "spgist" => Method::Spgist,
            "brin" => Method::Brin,
            _ => return None,
        })
    }

    fn by_oid(oid: u32) -> Option<Method> {
        let names = ["btree", "hash", "gist", "gin", "spgist", "brin"];
        names.into_iter().find(|name| facts::access_method(name) == oid).and_then(Method::named)
    }
}

fn asked(arguments: &[Cell], at: usize) -> Option<String> {
    Some(arguments.get(at)?.text()?.to_ascii_lowercase())
}

/// `pg_indexam_has_property`.
pub(super) fn of_method(_viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let method = arguments.first().and_then(Cell::oid).and_then(Method::by_oid);
    let (Some(method), Some(property)) = (method, asked(arguments, 1)) else { return Cell::Bool(None) };
    Cell::Bool(match property.as_str() {
        "can_order" | "can_unique" => Some(method == Method::Btree),
        "can_multi_col" => Some(!matches!(method, Method::Hash | Method::Spgist)),
        "can_exclude" => Some(!matches!(method, Method::Gin | Method::Brin)),
        "can_include" => Some(matches!(method, Method::Btree | Method::Gist | Method::Spgist)),
        _ => None,
    })
}

fn method_of(index: &Index) -> Option<Method> {
    Method::named(&index.remote()?.method)
}

/// `pg_index_has_property`.
pub(super) fn of_index(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let objects = Objects::of(viewer);
    let index = arguments.first().and_then(Cell::oid).and_then(|oid| objects.index(oid));
    let (Some(method), Some(property)) = (index.and_then(method_of), asked(arguments, 1)) else {
        return Cell::Bool(None);
    };
    Cell::Bool(match property.as_str() {
        "clusterable" => Some(matches!(method, Method::Btree | Method::Gist)),
        "index_scan" => Some(!matches!(method, Method::Gin | Method::Brin)),
        "bitmap_scan" => Some(true),
        "backward_scan" => Some(matches!(method, Method::Btree | Method::Hash)),
        _ => None,
    })
}

/// `pg_index_column_has_property`, of the columns of the key.
pub(super) fn of_column(viewer: &Viewer, arguments: &[Cell]) -> Cell {
    let objects = Objects::of(viewer);
    let index = arguments.first().and_then(Cell::oid).and_then(|oid| objects.index(oid));
    let (Some(index), Some(property)) = (index, asked(arguments, 2)) else { return Cell::Bool(None) };
    let at = arguments.get(1).and_then(Cell::int).and_then(|number| usize::try_from(number.checked_sub(1)?).ok());
    let (Some(remote), Some(method)) = (index.remote(), method_of(index)) else { return Cell::Bool(None) };
    let Some(part) = at.filter(|at| *at < remote.keys).and_then(|at| remote.parts.get(at)) else {
        return Cell::Bool(None);
    };
    let ordered = method == Method::Btree;
    Cell::Bool(match property.as_str() {
        "asc" => Some(ordered && !part.descending),
        "desc" => Some(ordered && part.descending),
        "nulls_first" => Some(ordered && part.nulls_first),
        "nulls_last" => Some(ordered && !part.nulls_first),
        "orderable" | "search_array" => Some(ordered),
        "search_nulls" => Some(!matches!(method, Method::Hash | Method::Gin)),
        // Whether these can is a matter of the operator class.
        "distance_orderable" if matches!(method, Method::Gist | Method::Spgist) => None,
        "distance_orderable" => Some(false),
        "returnable" if matches!(method, Method::Gist | Method::Spgist) => None,
        "returnable" => Some(ordered),
        _ => None,
    })
}
