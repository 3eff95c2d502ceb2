//! What the relations hold: one file per subject, each a function from a viewer to rows.
//! Must not know: layouts of columns (`relation` does).

mod attribute;
mod class;
mod cluster;
mod information_schema;

use std::collections::HashMap;
use std::sync::Arc;

use super::Listed;
use super::relation::{Fill, Row};
use crate::catalog::{Viewer, stable_oid};

/// Who fills which relation.
pub(super) fn fills(listed: &[Listed]) -> HashMap<(&'static str, &'static str), Fill> {
    let system: Arc<[System]> = listed
        .iter()
        .map(|relation| System {
            schema: relation.schema,
            name: relation.name,
            oid: relation.oid,
            columns: relation.columns.clone().into(),
        })
        .collect();
    let mut fills: HashMap<(&'static str, &'static str), Fill> = HashMap::new();
    let mut put = |schema, name, fill: fn(&[System], &Viewer) -> Vec<Row>| {
        let system = Arc::clone(&system);
        fills.insert((schema, name), Arc::new(move |viewer: &Viewer| fill(&system, viewer)));
    };
    put("pg_catalog", "pg_class", class::pg_class);
    put("pg_catalog", "pg_namespace", class::pg_namespace);
    put("pg_catalog", "pg_tables", class::pg_tables);
    put("pg_catalog", "pg_views", class::pg_views);
    put("pg_catalog", "pg_description", class::pg_description);
    put("pg_catalog", "pg_attribute", attribute::pg_attribute);
    put("pg_catalog", "pg_attrdef", attribute::pg_attrdef);
    put("pg_catalog", "pg_database", cluster::pg_database);
    put("pg_catalog", "pg_roles", cluster::pg_roles);
    put("pg_catalog", "pg_authid", cluster::pg_roles);
    put("pg_catalog", "pg_user", cluster::pg_user);
    put("pg_catalog", "pg_auth_members", cluster::pg_auth_members);
    put("information_schema", "schemata", information_schema::schemata);
    put("information_schema", "tables", information_schema::tables);
    put("information_schema", "columns", information_schema::columns);
    put("information_schema", "views", information_schema::views);
    fills
}

/// A relation of PostgreSQL's catalogs, as `pg_class` lists it.
pub(super) struct System {
    pub(super) schema: &'static str,
    pub(super) name: &'static str,
    pub(super) oid: u32,
    pub(super) columns: Arc<[(String, crate::types::PgType)]>,
}

/// The oid of a schema.
pub(super) fn namespace_oid(schema: &str) -> u32 {
    match schema {
        "pg_catalog" => super::PG_CATALOG,
        "information_schema" => 13183,
        "public" => 2200,
        name => stable_oid("namespace", name, |_| false),
    }
}

/// The oid of a role.
pub(super) fn role_oid(role: &str) -> u32 {
    stable_oid("role", role, |_| false)
}

/// The oid of a virtual table that PostgreSQL does not have.
pub(super) fn virtual_oid(schema: &str, name: &str) -> u32 {
    stable_oid("virtual", &format!("{schema}.{name}"), |_| false)
}

/// The schemas that a viewer sees, with those that hold virtual tables.
pub(super) fn schemas(viewer: &Viewer) -> Vec<String> {
    let mut names = viewer.world.order.clone();
    names.extend(viewer.world.virtuals.schemas().map(str::to_owned));
    names.sort();
    names.dedup();
    names
}
