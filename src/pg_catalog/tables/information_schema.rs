//! The views of `information_schema` about schemas, tables and columns.
//! Must not know: `pg_catalog`'s layout.

use super::attribute::{Column, columns as columns_of, default};
use super::class::{kind, plain_definition};
use crate::catalog::SequenceSchema;
use crate::pg_catalog::objects::Class;
use crate::pg_catalog::own_types::OwnType;
use crate::pg_catalog::relation::{Looking, Rows, Value};
use crate::pg_catalog::{OWNER_NAME, facts, rights};
use crate::types::PgType;

fn database(looking: &Looking<'_>) -> Value {
    looking.viewer.database.as_str().into()
}

pub(super) fn catalog_name(looking: &Looking<'_>, rows: &mut Rows) {
    rows.push(&[("catalog_name", database(looking))]);
}

pub(super) fn schemata(looking: &Looking<'_>, rows: &mut Rows) {
    for (_, name) in &looking.objects.namespaces {
        rows.push(&[
            ("catalog_name", database(looking)),
            ("schema_name", name.as_str().into()),
            ("schema_owner", OWNER_NAME.into()),
        ]);
    }
}

pub(super) fn character_sets(looking: &Looking<'_>, rows: &mut Rows) {
    rows.push(&[
        ("character_set_name", "UTF8".into()),
        ("character_repertoire", "UCS".into()),
        ("form_of_use", "UTF8".into()),
        ("default_collate_catalog", database(looking)),
        ("default_collate_schema", "pg_catalog".into()),
        ("default_collate_name", facts::LOCALE.into()),
    ]);
}

pub(super) fn collations(looking: &Looking<'_>, rows: &mut Rows) {
    for (_, name) in facts::collations() {
        rows.push(&[
            ("collation_catalog", database(looking)),
            ("collation_schema", "pg_catalog".into()),
            ("collation_name", (*name).into()),
            ("pad_attribute", "NO PAD".into()),
        ]);
    }
}

pub(super) fn collation_applicability(looking: &Looking<'_>, rows: &mut Rows) {
    for (_, name) in facts::collations() {
        rows.push(&[
            ("collation_catalog", database(looking)),
            ("collation_schema", "pg_catalog".into()),
            ("collation_name", (*name).into()),
            ("character_set_name", "UTF8".into()),
        ]);
    }
}

fn yes(truth: bool) -> Value {
    if truth { "YES" } else { "NO" }.into()
}

/// The standard knows tables and views only: indexes are none, nor are materialized views.
fn is_table(class: &Class) -> bool {
    matches!(kind(class), "r" | "p" | "v")
}

pub(super) fn tables(looking: &Looking<'_>, rows: &mut Rows) {
    for class in looking.objects.classes.iter().filter(|class| is_table(class)) {
        let kind = if kind(class) == "v" { "VIEW" } else { "BASE TABLE" };
        rows.push(&[
            ("table_catalog", database(looking)),
            ("table_schema", class.schema.as_str().into()),
            ("table_name", class.name.as_str().into()),
            ("table_type", kind.into()),
            ("is_insertable_into", yes(rights::on_any_column(looking.viewer, class, "insert"))),
            ("is_typed", "NO".into()),
        ]);
    }
}

pub(super) fn views(looking: &Looking<'_>, rows: &mut Rows) {
    for class in looking.objects.classes.iter().filter(|class| kind(class) == "v") {
        rows.push(&[
            ("table_catalog", database(looking)),
            ("table_schema", class.schema.as_str().into()),
            ("table_name", class.name.as_str().into()),
            ("view_definition", plain_definition(looking, class)),
            ("check_option", "NONE".into()),
            ("is_updatable", "NO".into()),
            ("is_insertable_into", "NO".into()),
            ("is_trigger_updatable", "NO".into()),
            ("is_trigger_deletable", "NO".into()),
            ("is_trigger_insertable_into", "NO".into()),
        ]);
    }
}

pub(super) fn columns(looking: &Looking<'_>, rows: &mut Rows) {
    for class in looking.objects.classes.iter().filter(|class| is_table(class)) {
        for column in columns_of(looking, class) {
            rows.push(&column_row(looking, class, &column));
        }
    }
}

/// What the standard says of a type: the columns of any view that describes values.
pub(super) fn type_columns(looking: &Looking<'_>, ty: PgType) -> Vec<(&'static str, Value)> {
    let modifier = i64::from(ty.typmod);
    let length = match ty.oid {
        1042 | 1043 => Some(modifier - 4).filter(|_| modifier >= 4),
        1560 | 1562 => Some(modifier).filter(|_| modifier >= 0),
        _ => None,
    };
    let octets = match ty.oid {
        25 => Some(1 << 30),
        1042 | 1043 => Some(length.map_or(1 << 30, |length| length * 4)),
        _ => None,
    };
    let numeric = ty.precision_scale();
    let (precision, radix): (Option<i64>, Option<i64>) = match ty.oid {
        21 => (Some(16), Some(2)),
        23 => (Some(32), Some(2)),
        20 => (Some(64), Some(2)),
        700 => (Some(24), Some(2)),
        701 => (Some(53), Some(2)),
        1700 => (numeric.map(|(precision, _)| i64::from(precision)), Some(10)),
        _ => (None, None),
    };
    let scale = if matches!(ty.oid, 20 | 21 | 23) { Some(0) } else { numeric.map(|(_, scale)| i64::from(scale)) };
    let fraction = match ty.oid {
        1082 => Some(0),
        1083 | 1114 | 1184 | 1266 => Some(if modifier >= 0 { modifier } else { 6 }),
        1186 => Some(if modifier >= 0 && modifier & 0xffff != 0xffff { modifier & 0xffff } else { 6 }),
        _ => None,
    };
    vec![
        ("character_maximum_length", length.into()),
        ("character_octet_length", octets.into()),
        ("numeric_precision", precision.into()),
        ("numeric_precision_radix", radix.into()),
        ("numeric_scale", scale.into()),
        ("datetime_precision", fraction.into()),
        ("udt_catalog", database(looking)),
        ("udt_schema", "pg_catalog".into()),
        ("udt_name", ty.name().into()),
    ]
}

/// A type's name as the standard's views have it.
pub(super) fn data_type(ty: PgType) -> String {
    if ty.is_array() && !matches!(ty.oid, 22 | 30) {
        return "ARRAY".to_owned();
    }
    match ty.oid {
        22 | 30 => "ARRAY".to_owned(),
        1042 => "character".to_owned(),
        1560 => "bit".to_owned(),
        _ => ty.bare().display_name(),
    }
}

fn column_row(looking: &Looking<'_>, class: &Class, column: &Column<'_>) -> Vec<(&'static str, Value)> {
    let remote = column.remote;
    let generated = remote.is_some_and(|column| column.generated);
    let default = default(looking, class, column);
    let identity = remote.and_then(|column| column.identity);
    let sequence = identity.and_then(|_| looking.objects.owned_by(class.oid, column.number));
    let of_enum = column.declared.filter(|(one, array)| !array && one.domain().is_none()).map(|(one, _)| one);
    let mut row = vec![
        ("table_catalog", database(looking)),
        ("table_schema", class.schema.as_str().into()),
        ("table_name", class.name.as_str().into()),
        ("column_name", column.name.as_str().into()),
        ("ordinal_position", column.number.into()),
        ("column_default", default.clone().filter(|_| !generated).into()),
        ("is_nullable", if column.not_null { "NO" } else { "YES" }.into()),
        ("data_type", if of_enum.is_some() { "USER-DEFINED".into() } else { data_type(column.ty).into() }),
        ("dtd_identifier", column.number.to_string().into()),
        ("is_self_referencing", "NO".into()),
        ("is_identity", if identity.is_some() { "YES" } else { "NO" }.into()),
        ("identity_generation", identity.map(|letter| if letter == 'a' { "ALWAYS" } else { "BY DEFAULT" }).into()),
        ("is_generated", if generated { "ALWAYS" } else { "NEVER" }.into()),
        ("generation_expression", default.filter(|_| generated).into()),
        ("is_updatable", yes(rights::on_column(looking.viewer, class, column.number, "update"))),
    ];
    row.extend(identity_columns(sequence));
    row.extend(collation_columns(looking, column.collation()));
    row.extend(match of_enum {
        Some(one) => udt(looking, one, one.declared.name.clone()),
        None => type_columns(looking, column.ty),
    });
    match column.declared {
        Some((one, true)) => row.extend(udt(looking, one, one.array_name())),
        Some((one, false)) if one.domain().is_some() => row.extend([
            ("domain_catalog", database(looking)),
            ("domain_schema", one.schema.as_str().into()),
            ("domain_name", one.declared.name.as_str().into()),
        ]),
        _ => {}
    }
    row
}

/// A collation that is not the default one.
fn collation_columns(looking: &Looking<'_>, oid: u32) -> Vec<(&'static str, Value)> {
    let named = facts::collations().iter().find(|(known, name)| *known == oid && *name != "default");
    named.map_or_else(Vec::new, |(_, name)| {
        vec![
            ("collation_catalog", database(looking)),
            ("collation_schema", "pg_catalog".into()),
            ("collation_name", (*name).into()),
        ]
    })
}

/// What the columns that are arrays hold.
pub(super) fn element_types(looking: &Looking<'_>, rows: &mut Rows) {
    for class in looking.objects.classes.iter().filter(|class| is_table(class)) {
        let what = if kind(class) == "v" { "VIEW" } else { "TABLE" };
        for column in columns_of(looking, class) {
            let Some(element) = column.ty.element().filter(|_| column.ty.is_array()) else { continue };
            let (data_type, schema, name) = match column.declared {
                Some((one, true)) => ("USER-DEFINED".to_owned(), one.schema.as_str(), one.declared.name.clone()),
                _ => (data_type(element), "pg_catalog", element.name().to_owned()),
            };
            rows.push(&[
                ("object_catalog", database(looking)),
                ("object_schema", class.schema.as_str().into()),
                ("object_name", class.name.as_str().into()),
                ("object_type", what.into()),
                ("collection_type_identifier", column.number.to_string().into()),
                ("data_type", data_type.into()),
                ("udt_catalog", database(looking)),
                ("udt_schema", schema.into()),
                ("udt_name", name.into()),
                ("dtd_identifier", format!("a{}", column.number).into()),
            ]);
        }
    }
}

/// What an identity takes its values from.
fn identity_columns(sequence: Option<&SequenceSchema>) -> Vec<(&'static str, Value)> {
    let Some(remote) = sequence.map(|sequence| &sequence.remote) else { return vec![("identity_cycle", "NO".into())] };
    vec![
        ("identity_start", remote.start.to_string().into()),
        ("identity_increment", remote.increment.to_string().into()),
        ("identity_maximum", remote.greatest.to_string().into()),
        ("identity_minimum", remote.least.to_string().into()),
        ("identity_cycle", yes(remote.cycle)),
    ]
}

/// A type of a source's own by its name. What comes later in a row holds.
fn udt(looking: &Looking<'_>, one: &OwnType, name: String) -> Vec<(&'static str, Value)> {
    vec![("udt_catalog", database(looking)), ("udt_schema", one.schema.as_str().into()), ("udt_name", name.into())]
}
