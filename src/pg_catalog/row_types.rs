//! The types of the rows of tables and views, each with the array over it.
//! Must not know: layouts of catalog relations, functions.

use std::collections::HashMap;

use super::objects::{Class, What, path};
use crate::catalog::{Viewer, row_type};
use crate::names::{cut, quote, quote_if_needed};
use crate::types::PgType;

/// The type of a relation's rows; none for what has no rows, and for PostgreSQL's own catalogs.
pub(super) fn of(class: &Class) -> Option<PgType> {
    match &class.what {
        What::Table(_) | What::View(_) => Some(row_type(&class.schema, &class.name)),
        What::Index(_) | What::Sequence(_) | What::System(_) => None,
    }
}

/// One of them, and the array over it.
pub(super) struct RowType {
    pub(super) oid: u32,
    pub(super) array_oid: u32,
    pub(super) schema: String,
    pub(super) name: String,
    /// The name of the array over it, as PostgreSQL makes it: no other type of the schema has it.
    pub(super) array_name: String,
    /// The relation.
    pub(super) class: u32,
}

/// All of a world's.
#[derive(Default)]
pub(super) struct RowTypes {
    all: Vec<RowType>,
    by_oid: HashMap<u32, usize>,
}

impl RowTypes {
    /// Those of these relations.
    pub(super) fn new(classes: &[Class]) -> RowTypes {
        let mut types = RowTypes::default();
        let names: HashMap<(&str, &str), ()> = classes
            .iter()
            .filter(|class| of(class).is_some())
            .map(|class| ((&*class.schema, &*class.name), ()))
            .collect();
        for class in classes {
            let Some((row, array)) = of(class).and_then(|row| Some((row, row.array_of()?))) else { continue };
            let mut array_name = cut(&format!("_{}", class.name)).to_owned();
            while names.contains_key(&(&*class.schema, &*array_name)) {
                array_name = cut(&format!("_{array_name}")).to_owned();
            }
            types.by_oid.extend([(row.oid, types.all.len()), (array.oid, types.all.len())]);
            types.all.push(RowType {
                oid: row.oid,
                array_oid: array.oid,
                schema: class.schema.clone(),
                name: class.name.clone(),
                array_name,
                class: class.oid,
            });
        }
        types
    }

    /// All of them, in the order of their relations.
    pub(super) fn all(&self) -> &[RowType] {
        &self.all
    }

    /// A type by its oid, and whether that is the one of its array.
    pub(super) fn by_oid(&self, oid: u32) -> Option<(&RowType, bool)> {
        let one = self.by_oid.get(&oid).and_then(|at| self.all.get(*at))?;
        Some((one, one.array_oid == oid))
    }

    /// A type by its name, as the viewer would find it; where a schema is named, there.
    pub(super) fn named(&self, viewer: &Viewer, schema: Option<&str>, name: &str) -> Option<u32> {
        let here = |schema: &str| {
            self.all.iter().filter(|one| one.schema == schema).find_map(|one| match name {
                _ if one.name == name => Some(one.oid),
                _ if one.array_name == name => Some(one.array_oid),
                _ => None,
            })
        };
        match schema {
            Some(schema) => here(schema),
            None => path(viewer).find_map(here),
        }
    }

    /// A type's name: bare where that finds it. Of an array, the element's with brackets.
    pub(super) fn name(&self, viewer: &Viewer, oid: u32) -> Option<String> {
        let (one, array) = self.by_oid(oid)?;
        let bare = quote_if_needed(&one.name);
        // A built-in type of this name is found before it.
        let hidden = PgType::from_name(&quote(&one.name)).is_some();
        let found = !hidden && self.named(viewer, None, &one.name) == Some(one.oid);
        let name = if found { bare } else { format!("{}.{bare}", quote_if_needed(&one.schema)) };
        Some(if array { format!("{name}[]") } else { name })
    }
}
