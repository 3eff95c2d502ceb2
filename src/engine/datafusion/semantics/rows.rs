//! Types of the rows of tables as a statement meets them: what they are called, what is in a row.
//! Must not know: SQL, where rows come from.

use std::cell::RefCell;

use arrow::datatypes::{DataType, Fields};

use super::own::emptied;
use crate::catalog::row_type;
use crate::names::{TableName, quote_if_needed};
use crate::types::PgType;

/// A type that a statement has met.
struct Known {
    ty: PgType,
    relation: TableName,
    fields: Fields,
}

thread_local! {
    /// The types that the statement which is bound on this thread has met.
    static KNOWN: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
}

/// Binds a statement on this thread: it meets no types of others.
pub(super) fn during<T>(bind: impl FnOnce() -> T) -> T {
    emptied(&KNOWN, bind)
}

/// The type of a relation's rows, which the statement knows from then on. `fields`: the columns that the role sees, as the relation calls them.
pub(super) fn meet(relation: &TableName, fields: impl FnOnce() -> Fields) -> PgType {
    let ty = row_type(&relation.schema, &relation.table);
    KNOWN.with_borrow_mut(|known| {
        if known.iter().all(|one| one.ty != ty) {
            known.push(Known { ty, relation: relation.clone(), fields: fields() });
        }
    });
    ty
}

fn with<T>(ty: PgType, read: impl FnOnce(&Known, &[Known]) -> T) -> Option<T> {
    let of = ty.element().unwrap_or(ty).bare();
    KNOWN.with_borrow(|all| all.iter().find(|known| known.ty == of).map(|known| read(known, all)))
}

/// Whether values of a type are rows of a table, or arrays of them.
pub(super) fn is_of_rows(ty: PgType) -> bool {
    ty.is_row() || ty.element().is_some_and(PgType::is_row)
}

/// The type of the rows of a table that a statement names, where the statement reads it.
pub(super) fn named(schema: Option<&str>, name: &str) -> Option<PgType> {
    KNOWN.with_borrow(|all| {
        let fits = |known: &&Known| {
            known.relation.table == name && schema.is_none_or(|schema| known.relation.schema == schema)
        };
        let mut found = all.iter().filter(fits);
        match (found.next(), found.next()) {
            (Some(one), None) => Some(one.ty),
            _ => None,
        }
    })
}

/// Its name in messages: bare where that says which is meant.
pub(super) fn name_of(ty: PgType) -> Option<String> {
    with(ty, |known, all| {
        let name = &known.relation.table;
        let other = all.iter().any(|one| one.relation.table == *name && one.ty != known.ty);
        let name = if other { known.relation.to_string() } else { quote_if_needed(name) };
        if ty.is_array() { format!("{name}[]") } else { name }
    })
}

/// Its bare name, as a column is called that is cast to it.
pub(super) fn bare_name(ty: PgType) -> Option<String> {
    with(ty, |known, _| known.relation.table.clone())
}

/// The fields of a row.
pub(super) fn fields_of(ty: PgType) -> Option<Fields> {
    if ty.is_row() { with(ty, |known, _| known.fields.clone()) } else { None }
}

/// How rows are held.
pub(super) fn form_of(ty: PgType) -> Option<DataType> {
    fields_of(ty).map(DataType::Struct)
}
