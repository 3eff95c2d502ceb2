//! Columns: `pg_attribute`, `pg_attrdef`.
//! Must not know: relations beyond their columns.

use crate::catalog::{RemoteColumn, TableSchema};
use crate::pg_catalog::objects::{Class, Index, What, default_oid};
use crate::pg_catalog::own_types::OwnType;
use crate::pg_catalog::relation::{Looking, Rows};
use crate::pg_catalog::{facts, renamed, rights};
use crate::types::{self, PgType};

/// A column as any relation has it.
pub(in crate::pg_catalog) struct Column<'a> {
    pub(in crate::pg_catalog) number: i64,
    pub(in crate::pg_catalog) name: String,
    pub(in crate::pg_catalog) ty: PgType,
    /// As the source has it, for a table's.
    pub(in crate::pg_catalog) remote: Option<&'a RemoteColumn>,
    /// The enum or domain that it is declared with, and whether it is an array of it.
    pub(in crate::pg_catalog) declared: Option<(&'a OwnType, bool)>,
    /// NULL is impossible.
    pub(in crate::pg_catalog) not_null: bool,
}

impl Column<'_> {
    /// The oid of the type it is declared with.
    pub(in crate::pg_catalog) fn type_oid(&self) -> u32 {
        match self.declared {
            Some((one, false)) => one.oid,
            Some((one, true)) => one.array_oid,
            None => self.ty.oid,
        }
    }

    /// How its type lies in memory: length, by value, alignment, storage.
    fn form(&self) -> (i64, bool, String, &'static str) {
        match self.declared {
            Some((one, false)) if one.domain().is_none() => (4, true, "i".to_owned(), "p"),
            _ => {
                let byval = self.ty.row().is_some_and(|row| row.byval);
                (i64::from(self.ty.typlen()), byval, align(self.ty), storage(self.ty))
            }
        }
    }

    /// The modifier of its type: a domain has its own.
    fn modifier(&self) -> i64 {
        if self.declared.is_some() { -1 } else { i64::from(self.ty.typmod) }
    }

    /// The collation of its type.
    pub(in crate::pg_catalog) fn collation(&self) -> u32 {
        let at_source = self.remote.map_or(0, |column| facts::known_collation(column.collation));
        if at_source != 0 {
            return at_source;
        }
        match self.declared {
            Some((one, _)) => one.domain().map_or(0, |domain| collation(domain.base)),
            None => collation(self.ty),
        }
    }
}

/// The columns of a relation, as the role numbers them.
pub(in crate::pg_catalog) fn columns<'a>(looking: &'a Looking<'_>, class: &'a Class) -> Vec<Column<'a>> {
    match &class.what {
        What::Table(table) => {
            let types = &looking.objects.types;
            let mut columns = of_table(table);
            columns.iter_mut().for_each(|column| {
                column.declared = column.remote.and_then(|remote| types.of(table, remote));
            });
            columns
        }
        What::Index(at) => looking.objects.indexes.get(*at).map(of_index).unwrap_or_default(),
        What::Sequence(_) => of_sequence(),
        What::System(listed) => {
            let numbered = (1..).zip(listed.columns.iter().zip(&listed.not_null));
            let column = |(number, ((name, ty), not_null)): (i64, (&(String, PgType), &bool))| Column {
                number,
                name: name.clone(),
                ty: *ty,
                remote: None,
                declared: None,
                not_null: *not_null,
            };
            numbered.map(column).collect()
        }
        What::View(view) => {
            let schema = view.schema();
            let numbered = (1..).zip(schema.fields());
            let column = |(number, field): (i64, &arrow::datatypes::FieldRef)| Column {
                number,
                name: field.name().clone(),
                ty: types::pg_type_of(field),
                remote: None,
                declared: None,
                not_null: false,
            };
            numbered.map(column).collect()
        }
    }
}

fn of_table(table: &TableSchema) -> Vec<Column<'_>> {
    let remote = table.columns.iter().filter_map(|at| table.remote.columns.get(*at));
    (1..)
        .zip(remote)
        .map(|(number, column)| Column {
            number,
            name: column.name.clone(),
            ty: column.ty,
            remote: Some(column),
            declared: None,
            not_null: column.not_null,
        })
        .collect()
}

/// An index's columns are called as those of its table; `expr` where they are none.
fn of_index(index: &Index) -> Vec<Column<'_>> {
    let named = |number: i64| {
        let at = usize::try_from(number - 1).ok()?;
        index.table.remote.columns.get(*index.table.columns.get(at)?)
    };
    let column = |(number, of): (i64, &i64)| {
        let computed = index.remote().and_then(|remote| remote.parts.get(number as usize - 1)?.computed.as_ref());
        let computed = computed.map_or(("expr", PgType::TEXT), |(name, ty)| (name.as_str(), *ty));
        let (name, ty) = named(*of).map_or(computed, |column| (column.name.as_str(), column.ty));
        Column { number, name: name.to_owned(), ty, remote: None, declared: None, not_null: false }
    };
    (1..).zip(&index.numbers).map(column).collect()
}

/// What a sequence holds.
fn of_sequence() -> Vec<Column<'static>> {
    let held = [("last_value", PgType::INT8), ("log_cnt", PgType::INT8), ("is_called", PgType::BOOL)];
    let column = |(number, (name, ty)): (i64, (&str, PgType))| Column {
        number,
        name: name.to_owned(),
        ty,
        remote: None,
        declared: None,
        not_null: true,
    };
    (1..).zip(held).map(column).collect()
}

/// The collation of a type: text of any kind has the default one, name has "C".
pub(in crate::pg_catalog) fn collation(ty: PgType) -> u32 {
    let of = ty.element().unwrap_or(ty);
    match of.oid {
        19 => 950,
        25 | 1042 | 1043 => 100,
        _ => 0,
    }
}

/// `attstorage` as the type has it.
pub(super) fn storage(ty: PgType) -> &'static str {
    match ty.oid {
        1700 | 650 | 869 => "m",
        22 | 30 => "p",
        _ if ty.typlen() < 0 => "x",
        _ => "p",
    }
}

pub(super) fn align(ty: PgType) -> String {
    char::from(ty.row().map_or(b'i', |row| row.align)).to_string()
}

/// Whether a column of an index is no key of it.
fn is_stored(looking: &Looking<'_>, class: &Class, number: i64) -> bool {
    let What::Index(at) = &class.what else { return false };
    let keys = looking.objects.indexes.get(*at).and_then(|index| index.remote()).map(|index| index.keys);
    keys.is_some_and(|keys| usize::try_from(number).is_ok_and(|number| number > keys))
}

pub(super) fn pg_attribute(looking: &Looking<'_>, rows: &mut Rows) {
    for class in &looking.objects.classes {
        for column in columns(looking, class) {
            let (ty, remote) = (column.ty, column.remote);
            let (length, byval, align, storage) = column.form();
            let (type_oid, modifier) = (column.type_oid(), column.modifier());
            // What an index only stores has none.
            let collation = if is_stored(looking, class, column.number) { 0 } else { column.collation() };
            let default = default(looking, class, &column).is_some();
            let descends = !looking.objects.inheritance.parents(class.oid).is_empty();
            let inherited = remote.map_or(0, |column| column.inherited);
            rows.push(&[
                ("attrelid", class.oid.into()),
                ("attname", column.name.into()),
                ("atttypid", type_oid.into()),
                ("attstattarget", (-1i64).into()),
                ("attlen", length.into()),
                ("attnum", column.number.into()),
                ("attndims", i64::from(ty.is_array() && remote.is_some()).into()),
                ("attcacheoff", (-1i64).into()),
                ("atttypmod", modifier.into()),
                ("attbyval", byval.into()),
                ("attalign", align.into()),
                ("attstorage", storage.into()),
                ("attcompression", "".into()),
                ("attnotnull", column.not_null.into()),
                ("atthasdef", default.into()),
                ("attidentity", remote.and_then(|column| column.identity).map_or(String::new(), String::from).into()),
                ("attgenerated", if remote.is_some_and(|column| column.generated) { "s" } else { "" }.into()),
                ("attislocal", remote.is_none_or(|column| column.local || !descends).into()),
                ("attinhcount", i64::from(if descends { inherited } else { 0 }).into()),
                ("attcollation", collation.into()),
                ("attacl", rights::column_acl(looking.viewer, class, column.number).into()),
            ]);
        }
    }
}

/// A column's default, with all its parentheses.
pub(in crate::pg_catalog) fn default(looking: &Looking<'_>, class: &Class, column: &Column<'_>) -> Option<String> {
    let What::Table(table) = &class.what else { return None };
    renamed::default(looking.viewer, looking.objects, table, column.remote?).map(|default| default.plain)
}

pub(super) fn pg_attrdef(looking: &Looking<'_>, rows: &mut Rows) {
    for class in &looking.objects.classes {
        let What::Table(table) = &class.what else { continue };
        for column in columns(looking, class) {
            let Some(default) = default(looking, class, &column) else { continue };
            rows.push(&[
                ("oid", default_oid(table, &column.name).into()),
                ("adrelid", table.oid.into()),
                ("adnum", column.number.into()),
                ("adbin", default.into()),
            ]);
        }
    }
}
