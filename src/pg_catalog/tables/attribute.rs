//! Columns: `pg_attribute`, `pg_attrdef`.
//! Must not know: relations beyond their columns.

use super::{System, virtual_oid};
use crate::catalog::Viewer;
use crate::pg_catalog::relation::Row;
use crate::types::{self, PgType};

struct Column<'a> {
    relation: u32,
    number: i64,
    name: &'a str,
    ty: PgType,
    not_null: bool,
    has_default: bool,
}

pub(super) fn pg_attribute(system: &[System], viewer: &Viewer) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in viewer.world.tables() {
        for (number, column) in table.columns.iter().filter_map(|at| table.remote.columns.get(*at)).enumerate() {
            rows.push(row(&Column {
                relation: table.oid,
                number: number as i64 + 1,
                name: &column.name,
                ty: column.ty,
                not_null: column.not_null,
                has_default: column.default.is_some(),
            }));
        }
    }
    for relation in system {
        for (number, (name, ty)) in relation.columns.iter().enumerate() {
            let (relation, number, ty) = (relation.oid, number as i64 + 1, *ty);
            rows.push(row(&Column { relation, number, name, ty, not_null: false, has_default: false }));
        }
    }
    for table in viewer.world.virtuals.iter().filter(|table| table.schema_name() == "tusk") {
        for (number, field) in table.schema().fields().iter().enumerate() {
            let (relation, ty) = (virtual_oid("tusk", table.name()), types::pg_type_of(field));
            let (name, number) = (field.name().as_str(), number as i64 + 1);
            rows.push(row(&Column { relation, number, name, ty, not_null: false, has_default: false }));
        }
    }
    rows
}

fn row(column: &Column<'_>) -> Row {
    // Text of any kind has the default collation; name has "C".
    let collation: u32 = match column.ty.oid {
        19 => 950,
        25 | 1042 | 1043 => 100,
        _ => 0,
    };
    vec![
        ("attrelid", column.relation.into()),
        ("attname", column.name.into()),
        ("atttypid", column.ty.oid.into()),
        ("attstattarget", (-1i64).into()),
        ("attlen", i64::from(column.ty.typlen()).into()),
        ("attnum", column.number.into()),
        ("attcacheoff", (-1i64).into()),
        ("atttypmod", i64::from(column.ty.typmod).into()),
        ("attbyval", false.into()),
        ("attalign", "i".into()),
        ("attstorage", if column.ty.typlen() < 0 { "x" } else { "p" }.into()),
        ("attcompression", "".into()),
        ("attnotnull", column.not_null.into()),
        ("atthasdef", column.has_default.into()),
        ("attidentity", "".into()),
        ("attgenerated", "".into()),
        ("attislocal", true.into()),
        ("attcollation", collation.into()),
    ]
}

pub(super) fn pg_attrdef(_system: &[System], viewer: &Viewer) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in viewer.world.tables() {
        for (number, column) in table.columns.iter().filter_map(|at| table.remote.columns.get(*at)).enumerate() {
            if let Some(default) = &column.default {
                let oid = crate::catalog::stable_oid("attrdef", &format!("{}.{}", table.name, column.name), |_| false);
                let number = number as i64 + 1;
                rows.push(vec![
                    ("oid", oid.into()),
                    ("adrelid", table.oid.into()),
                    ("adnum", number.into()),
                    ("adbin", default.as_str().into()),
                ]);
            }
        }
    }
    rows
}
