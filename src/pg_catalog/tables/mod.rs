//! What the relations hold: one file per subject, each function adds a relation's rows for who looks.
//! Must not know: layouts of columns (`relation` does).

pub(super) mod attribute;
pub(super) mod class;
mod cluster;
mod depend;
mod information_schema;
mod keys;
mod partitions;
mod privileges;
mod routines;
mod sequences;
mod servers;
mod settings;
mod stats;
pub(super) mod types;

use std::collections::HashMap;

use super::relation::{Fill, Looking, Rows};

/// What adds a relation's rows.
type Add = fn(&Looking<'_>, &mut Rows);

/// What names things as bare as the search path lets it.
const BY_PATH: &[(&str, &str, Add)] = &[
    ("information_schema", "columns", information_schema::columns),
    ("pg_catalog", "pg_attrdef", attribute::pg_attrdef),
];

/// Who fills which relation.
pub(super) fn fills() -> HashMap<(&'static str, &'static str), Fill> {
    const CATALOG: &[(&str, Add)] = &[
        ("pg_attribute", attribute::pg_attribute),
        ("pg_auth_members", cluster::pg_auth_members),
        ("pg_authid", cluster::pg_roles),
        ("pg_class", class::pg_class),
        ("pg_constraint", keys::constraints),
        ("pg_database", cluster::pg_database),
        ("pg_depend", depend::pg_depend),
        ("pg_description", class::pg_description),
        ("pg_enum", types::pg_enum),
        ("pg_foreign_data_wrapper", servers::pg_foreign_data_wrapper),
        ("pg_foreign_server", servers::pg_foreign_server),
        ("pg_group", cluster::pg_group),
        ("pg_index", keys::pg_index),
        ("pg_indexes", keys::pg_indexes),
        ("pg_inherits", partitions::pg_inherits),
        ("pg_matviews", class::pg_matviews),
        ("pg_namespace", class::pg_namespace),
        ("pg_partitioned_table", partitions::pg_partitioned_table),
        ("pg_rewrite", depend::pg_rewrite),
        ("pg_roles", cluster::pg_roles),
        ("pg_sequence", sequences::pg_sequence),
        ("pg_sequences", sequences::pg_sequences),
        ("pg_stat_all_indexes", stats::pg_stat_indexes),
        ("pg_stat_all_tables", stats::pg_stat_all_tables),
        ("pg_stat_database", stats::pg_stat_database),
        ("pg_stat_user_indexes", stats::pg_stat_indexes),
        ("pg_stat_user_tables", stats::pg_stat_user_tables),
        ("pg_statio_all_tables", stats::pg_statio_all_tables),
        ("pg_statio_all_sequences", stats::pg_statio_sequences),
        ("pg_statio_user_indexes", stats::pg_stat_indexes),
        ("pg_statio_user_sequences", stats::pg_statio_sequences),
        ("pg_statio_user_tables", stats::pg_statio_user_tables),
        ("pg_tables", class::pg_tables),
        ("pg_type", types::pg_type),
        ("pg_user", cluster::pg_user),
        ("pg_views", class::pg_views),
    ];
    const SCHEMA: &[(&str, Add)] = &[
        ("applicable_roles", privileges::applicable_roles),
        ("character_sets", information_schema::character_sets),
        ("check_constraints", keys::check_constraints),
        ("collation_character_set_applicability", information_schema::collation_applicability),
        ("collations", information_schema::collations),
        ("column_privileges", privileges::column_privileges),
        ("column_domain_usage", types::column_domain_usage),
        ("constraint_column_usage", keys::constraint_column_usage),
        ("constraint_table_usage", keys::constraint_table_usage),
        ("domain_constraints", types::domain_constraints),
        ("domains", types::domains),
        ("element_types", information_schema::element_types),
        ("enabled_roles", privileges::enabled_roles),
        ("foreign_data_wrappers", servers::foreign_data_wrappers),
        ("foreign_servers", servers::foreign_servers),
        ("information_schema_catalog_name", information_schema::catalog_name),
        ("key_column_usage", keys::key_column_usage),
        ("parameters", routines::parameters),
        ("referential_constraints", keys::referential_constraints),
        ("role_column_grants", privileges::column_privileges),
        ("role_table_grants", privileges::table_privileges),
        ("routines", routines::routines),
        ("schemata", information_schema::schemata),
        ("sequences", sequences::sequences),
        ("table_constraints", keys::table_constraints),
        ("table_privileges", privileges::table_privileges),
        ("tables", information_schema::tables),
        ("usage_privileges", privileges::usage_privileges),
        ("view_column_usage", depend::view_column_usage),
        ("view_table_usage", depend::view_table_usage),
        ("views", information_schema::views),
    ];
    // What is another for each session of a user, at each moment.
    const OF_SESSION: &[(&str, Add)] = &[("pg_settings", settings::pg_settings)];
    let of = |schema: &'static str, all: &'static [(&'static str, Add)], kept: bool| {
        all.iter().map(move |(name, add)| ((schema, *name), Fill { add: *add, kept, by_path: false }))
    };
    let kept = of("pg_catalog", CATALOG, true).chain(of("information_schema", SCHEMA, true));
    let by_path =
        BY_PATH.iter().map(|(schema, name, add)| ((*schema, *name), Fill { add: *add, kept: true, by_path: true }));
    kept.chain(by_path).chain(of("pg_catalog", OF_SESSION, false)).collect()
}
