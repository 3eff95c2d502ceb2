//! PostgreSQL types and Arrow: the text and the binary form of every value.
//! Must not know: rooms on higher floors.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field};

/// A PostgreSQL type: its oid and its modifier (-1: none).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PgType {
    /// The oid in `pg_type`.
    pub oid: u32,
    /// The modifier, as in `pg_attribute.atttypmod`.
    pub typmod: i32,
}

/// How a type is stored in Arrow.
#[must_use]
pub fn storage(ty: PgType) -> DataType {
    match ty.oid {
        16 => DataType::Boolean,
        20 => DataType::Int64,
        23 => DataType::Int32,
        _ => DataType::Utf8View,
    }
}

/// An Arrow field of this type, with the type in its metadata.
#[must_use]
pub fn field(name: &str, ty: PgType, nullable: bool) -> Field {
    let metadata =
        HashMap::from([("pg.oid".to_owned(), ty.oid.to_string()), ("pg.typmod".to_owned(), ty.typmod.to_string())]);
    Field::new(name, storage(ty), nullable).with_metadata(metadata)
}

/// The PostgreSQL type of a field.
#[must_use]
pub fn pg_type_of(field: &Field) -> PgType {
    let get = |key: &str| field.metadata().get(key).and_then(|text| text.parse::<i64>().ok());
    PgType { oid: get("pg.oid").map_or(25, |oid| oid as u32), typmod: get("pg.typmod").map_or(-1, |m| m as i32) }
}
