//! Privileges and roles in the standard's views: what the viewer may do is granted to the viewer, by the owner.
//! Must not know: grants; `rights` says what may be done.

use super::attribute::columns;
use super::class::kind;
use crate::pg_catalog::objects::{Class, is_system, roles};
use crate::pg_catalog::relation::{Looking, Rows, Value};
use crate::pg_catalog::{OWNER_NAME, facts, rights};

/// Who holds a grant on a relation: what everybody sees is granted to PUBLIC.
fn grantee(looking: &Looking<'_>, schema: &str) -> String {
    if is_system(schema) { "PUBLIC".to_owned() } else { looking.viewer.user.clone() }
}

fn grant(looking: &Looking<'_>, class: &Class, privilege: &'static str) -> Vec<(&'static str, Value)> {
    let (schema, table) = (class.schema.as_str(), class.name.as_str());
    vec![
        ("grantor", OWNER_NAME.into()),
        ("grantee", grantee(looking, schema).into()),
        ("table_catalog", looking.viewer.database.as_str().into()),
        ("table_schema", schema.into()),
        ("table_name", table.into()),
        ("privilege_type", privilege.into()),
        ("is_grantable", "NO".into()),
    ]
}

pub(super) fn table_privileges(looking: &Looking<'_>, rows: &mut Rows) {
    for class in looking.objects.classes.iter().filter(|class| matches!(kind(class), "r" | "p" | "v")) {
        let held = |privilege: &&str| rights::on_relation(looking.viewer, class, privilege);
        for privilege in rights::ON_RELATIONS.into_iter().filter(held) {
            let mut row = grant(looking, class, privilege);
            row.push(("with_hierarchy", if privilege == "SELECT" { "YES" } else { "NO" }.into()));
            rows.push(&row);
        }
    }
}

pub(super) fn column_privileges(looking: &Looking<'_>, rows: &mut Rows) {
    for class in looking.objects.classes.iter().filter(|class| matches!(kind(class), "r" | "p" | "v")) {
        for column in columns(looking, class) {
            let held = |privilege: &&str| rights::on_column(looking.viewer, class, column.number, privilege);
            for privilege in rights::ON_COLUMNS.into_iter().filter(held) {
                let mut row = grant(looking, class, privilege);
                row.push(("column_name", column.name.as_str().into()));
                rows.push(&row);
            }
        }
    }
}

pub(super) fn usage_privileges(looking: &Looking<'_>, rows: &mut Rows) {
    let database = || Value::from(looking.viewer.database.as_str());
    for (_, name) in facts::collations() {
        rows.push(&[
            ("grantor", OWNER_NAME.into()),
            ("grantee", "PUBLIC".into()),
            ("object_catalog", database()),
            ("object_schema", "pg_catalog".into()),
            ("object_name", (*name).into()),
            ("object_type", "COLLATION".into()),
            ("privilege_type", "USAGE".into()),
            ("is_grantable", "NO".into()),
        ]);
    }
    for source in &looking.objects.sources {
        rows.push(&[
            ("grantor", OWNER_NAME.into()),
            ("grantee", looking.viewer.user.as_str().into()),
            ("object_catalog", database()),
            ("object_schema", "".into()),
            ("object_name", source.to_string().into()),
            ("object_type", "FOREIGN SERVER".into()),
            ("privilege_type", "USAGE".into()),
            ("is_grantable", "NO".into()),
        ]);
    }
}

pub(super) fn enabled_roles(looking: &Looking<'_>, rows: &mut Rows) {
    for (_, name, _) in roles(looking.viewer).into_iter().filter(|(_, name, _)| name != OWNER_NAME) {
        rows.push(&[("role_name", name.into())]);
    }
}

pub(super) fn applicable_roles(looking: &Looking<'_>, rows: &mut Rows) {
    for (_, name, _) in roles(looking.viewer).into_iter().filter(|(_, name, login)| !login && name != OWNER_NAME) {
        rows.push(&[
            ("grantee", looking.viewer.user.as_str().into()),
            ("role_name", name.into()),
            ("is_grantable", "NO".into()),
        ]);
    }
}
