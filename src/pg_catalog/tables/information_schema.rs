//! The views of `information_schema` that tools read first: schemata, tables, columns, views.
//! Must not know: `pg_catalog`'s layout.

use super::class::relkind;
use super::{System, schemas};
use crate::catalog::Viewer;
use crate::pg_catalog::relation::Row;
use crate::types::{self, PgType};

pub(super) fn schemata(_system: &[System], viewer: &Viewer) -> Vec<Row> {
    schemas(viewer)
        .into_iter()
        .map(|name| {
            vec![
                ("catalog_name", viewer.database.as_str().into()),
                ("schema_name", name.into()),
                ("schema_owner", "tusk".into()),
            ]
        })
        .collect()
}

pub(super) fn tables(_system: &[System], viewer: &Viewer) -> Vec<Row> {
    let row = |schema: &str, name: &str, kind: &'static str| -> Row {
        vec![
            ("table_catalog", viewer.database.as_str().into()),
            ("table_schema", schema.into()),
            ("table_name", name.into()),
            ("table_type", kind.into()),
            ("is_insertable_into", "NO".into()),
            ("is_typed", "NO".into()),
        ]
    };
    let own = viewer.world.tables().map(|table| {
        let kind = if relkind(table) == "v" { "VIEW" } else { "BASE TABLE" };
        row(&table.name.schema, &table.name.table, kind)
    });
    let system = viewer.world.virtuals.iter().map(|table| row(table.schema_name(), table.name(), "VIEW"));
    own.chain(system).collect()
}

pub(super) fn views(_system: &[System], viewer: &Viewer) -> Vec<Row> {
    let views = viewer.world.tables().filter(|table| relkind(table) == "v");
    views
        .map(|table| {
            vec![
                ("table_catalog", viewer.database.as_str().into()),
                ("table_schema", table.name.schema.as_str().into()),
                ("table_name", table.name.table.as_str().into()),
                ("check_option", "NONE".into()),
                ("is_updatable", "NO".into()),
                ("is_insertable_into", "NO".into()),
            ]
        })
        .collect()
}

struct Place<'a> {
    schema: &'a str,
    table: &'a str,
    number: usize,
}

pub(super) fn columns(_system: &[System], viewer: &Viewer) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in viewer.world.tables() {
        for (number, column) in table.columns.iter().filter_map(|at| table.remote.columns.get(*at)).enumerate() {
            let place = Place { schema: &table.name.schema, table: &table.name.table, number };
            let mut row = column_row(viewer, &place, &column.name, column.ty);
            row.push(("is_nullable", if column.not_null { "NO" } else { "YES" }.into()));
            row.push(("column_default", column.default.clone().into()));
            rows.push(row);
        }
    }
    for table in viewer.world.virtuals.iter() {
        for (number, field) in table.schema().fields().iter().enumerate() {
            let place = Place { schema: table.schema_name(), table: table.name(), number };
            let mut row = column_row(viewer, &place, field.name(), types::pg_type_of(field));
            row.push(("is_nullable", "YES".into()));
            rows.push(row);
        }
    }
    rows
}

fn column_row(viewer: &Viewer, place: &Place<'_>, name: &str, ty: PgType) -> Row {
    let without_modifier = PgType { oid: ty.oid, typmod: -1 };
    let data_type = if ty.element().is_some() { "ARRAY".to_owned() } else { without_modifier.display_name() };
    let modifier = i64::from(ty.typmod);
    let length = matches!(ty.oid, 1042 | 1043).then_some(modifier - 4).filter(|_| modifier >= 4);
    let numeric = (ty.oid == 1700 && modifier >= 4).then(|| ((modifier - 4) >> 16, (modifier - 4) & 0x7ff));
    let (precision, radix): (Option<i64>, Option<i64>) = match ty.oid {
        21 => (Some(16), Some(2)),
        23 => (Some(32), Some(2)),
        20 => (Some(64), Some(2)),
        700 => (Some(24), Some(2)),
        701 => (Some(53), Some(2)),
        1700 => (numeric.map(|(precision, _)| precision), Some(10)),
        _ => (None, None),
    };
    let scale: Option<i64> = if matches!(ty.oid, 20 | 21 | 23) { Some(0) } else { numeric.map(|(_, scale)| scale) };
    vec![
        ("table_catalog", viewer.database.as_str().into()),
        ("table_schema", place.schema.into()),
        ("table_name", place.table.into()),
        ("column_name", name.into()),
        ("ordinal_position", (place.number as i64 + 1).into()),
        ("data_type", data_type.into()),
        ("character_maximum_length", length.into()),
        ("numeric_precision", precision.into()),
        ("numeric_precision_radix", radix.into()),
        ("numeric_scale", scale.into()),
        ("udt_catalog", viewer.database.as_str().into()),
        ("udt_schema", "pg_catalog".into()),
        ("udt_name", ty.name().to_owned().into()),
        ("dtd_identifier", (place.number + 1).to_string().into()),
        ("is_self_referencing", "NO".into()),
        ("is_identity", "NO".into()),
        ("is_generated", "NEVER".into()),
        ("is_updatable", "NO".into()),
    ]
}
