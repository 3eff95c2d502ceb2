//! The functions over the catalogs, bound to who asks: what a viewer may not name, they do not know.
//! Must not know: statements.

mod described;
mod lineage;
mod lookup;
mod privileges;
mod properties;
mod registered;
mod row_function;
mod sets;
mod sizes;
mod standard;
mod visible;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

pub(in crate::pg_catalog) use registered::{parts, relation, relation_name};

use crate::catalog::Viewer;
use row_function::{Argument, Body, Head, RowFunction};

const fn head(name: &'static str, arguments: &'static [Argument], least: usize, returns: Argument) -> Head {
    Head { name, arguments, least, returns }
}

/// Of objects: names, definitions, comments.
const OBJECTS: &[(Head, Body)] = {
    use Argument::{Bool, Int, Int4, Oid, Text};
    &[
        (head("pg_get_userbyid", &[Int], 1, Text), lookup::user_by_id),
        (head("format_type", &[Int, Int], 2, Text), lookup::format_type),
        (head("pg_get_expr", &[Text, Int, Bool], 2, Text), lookup::expression),
        (head("obj_description", &[Int, Text], 1, Text), lookup::description),
        (head("col_description", &[Int, Int], 2, Text), lookup::column_description),
        (head("shobj_description", &[Int, Text], 2, Text), lookup::nothing),
        (head("pg_describe_object", &[Int, Int, Int4], 3, Text), described::object),
        (head("pg_get_indexdef", &[Int, Int, Bool], 1, Text), lookup::index_definition),
        (head("pg_get_constraintdef", &[Int, Bool], 1, Text), lookup::constraint_definition),
        (head("pg_get_function_arguments", &[Int], 1, Text), lookup::function_arguments),
        (head("pg_get_function_identity_arguments", &[Int], 1, Text), lookup::function_identity),
        (head("pg_get_function_result", &[Int], 1, Text), lookup::function_result),
        (head("pg_get_functiondef", &[Int], 1, Text), lookup::function_definition),
        (head("pg_get_function_sqlbody", &[Int], 1, Text), lookup::nothing),
        (head("pg_get_viewdef", &[Argument::Any, Argument::Any], 1, Text), lookup::view_definition),
        (head("pg_get_triggerdef", &[Int, Bool], 1, Text), lookup::nothing),
        (head("pg_get_ruledef", &[Int, Bool], 1, Text), lookup::nothing),
        (head("pg_get_partkeydef", &[Int], 1, Text), lineage::partition_key),
        (head("pg_get_partition_constraintdef", &[Int], 1, Text), lineage::partition_condition),
        (head("pg_get_statisticsobjdef", &[Int], 1, Text), lookup::nothing),
        (head("pg_get_statisticsobjdef_columns", &[Int], 1, Text), lookup::nothing),
        (head("pg_get_serial_sequence", &[Text, Text], 2, Text), lineage::serial_sequence),
        (head("pg_indexam_has_property", &[Int, Text], 2, Bool), properties::of_method),
        (head("pg_index_has_property", &[Argument::Any, Text], 2, Bool), properties::of_index),
        (head("pg_index_column_has_property", &[Argument::Any, Int4, Text], 3, Bool), properties::of_column),
        (head("pg_sequence_last_value", &[Argument::Any], 1, Int), lineage::last_value),
        (head("pg_relation_is_publishable", &[Argument::Any], 1, Bool), lookup::no),
        (head("pg_is_other_temp_schema", &[Int], 1, Bool), lookup::no),
        (head("pg_my_temp_schema", &[], 0, Oid), lookup::zero),
        (head("pg_relation_filenode", &[Argument::Any], 1, Oid), lookup::zero),
        (head("pg_is_wal_replay_paused", &[], 0, Bool), lookup::no),
        (head("pg_tablespace_location", &[Int], 1, Text), sizes::location),
        (head("pg_relation_size", &[Argument::Any, Text], 1, Int), sizes::of_fork),
        (head("pg_table_size", &[Argument::Any], 1, Int), sizes::of_table),
        (head("pg_indexes_size", &[Argument::Any], 1, Int), sizes::of_indexes),
        (head("pg_total_relation_size", &[Argument::Any], 1, Int), sizes::of_all),
        (head("pg_database_size", &[Argument::Any], 1, Int), sizes::of_database),
        (head("pg_tablespace_size", &[Argument::Any], 1, Int), sizes::of_tablespace),
        (head("pg_stat_get_numscans", &[Int], 1, Int), lookup::zero),
        (head("pg_stat_get_live_tuples", &[Int], 1, Int), lookup::live_tuples),
        (head("pg_stat_get_dead_tuples", &[Int], 1, Int), lookup::zero),
        (head("pg_partition_root", &[Argument::Any], 1, Argument::Reg(2205)), lineage::root),
        (head("pg_blocking_pids", &[Int4], 1, Text), lookup::empty_array),
        (head("oidvectortypes", &[Text], 1, Text), lookup::vector_types),
        (head("mxid_age", &[Text], 1, Int4), lookup::multixact_age),
        (head("_pg_char_max_length", &[Int, Int4], 2, Int4), standard::character_length),
        (head("_pg_char_octet_length", &[Int, Int4], 2, Int4), standard::octet_length),
        (head("_pg_numeric_precision", &[Int, Int4], 2, Int4), standard::precision),
        (head("_pg_numeric_precision_radix", &[Int, Int4], 2, Int4), standard::radix),
        (head("_pg_numeric_scale", &[Int, Int4], 2, Int4), standard::scale),
        (head("_pg_datetime_precision", &[Int, Int4], 2, Int4), standard::time_precision),
        (head("_pg_index_position", &[Int, Int], 2, Int4), standard::index_position),
        (head("_pg_interval_type", &[Int, Int4], 2, Text), standard::interval_type),
        (head("pg_relation_is_updatable", &[Argument::Any, Bool], 2, Int4), privileges::updatable),
        (head("pg_column_is_updatable", &[Argument::Any, Int, Bool], 3, Bool), privileges::column_updatable),
        (head("acldefault", &[Text, Int], 2, Text), privileges::default_acl),
    ]
};

/// Whether bare names find objects, and what may be done with them.
const RIGHTS: &[(Head, Body)] = {
    use Argument::{Any, Bool, Int, Text};
    &[
        (head("pg_table_is_visible", &[Int], 1, Bool), visible::table),
        (head("pg_type_is_visible", &[Int], 1, Bool), visible::data_type),
        (head("pg_function_is_visible", &[Int], 1, Bool), visible::procedure),
        (head("pg_operator_is_visible", &[Int], 1, Bool), visible::in_catalog),
        (head("pg_opclass_is_visible", &[Int], 1, Bool), visible::in_catalog),
        (head("pg_opfamily_is_visible", &[Int], 1, Bool), visible::in_catalog),
        (head("pg_collation_is_visible", &[Int], 1, Bool), visible::in_catalog),
        (head("pg_conversion_is_visible", &[Int], 1, Bool), visible::none),
        (head("pg_statistics_obj_is_visible", &[Int], 1, Bool), visible::none),
        (head("pg_ts_config_is_visible", &[Int], 1, Bool), visible::none),
        (head("pg_ts_dict_is_visible", &[Int], 1, Bool), visible::none),
        (head("pg_ts_parser_is_visible", &[Int], 1, Bool), visible::none),
        (head("pg_ts_template_is_visible", &[Int], 1, Bool), visible::none),
        (head("has_table_privilege", &[Any, Any, Text], 2, Bool), privileges::on_table),
        (head("has_any_column_privilege", &[Any, Any, Text], 2, Bool), privileges::on_any_column),
        (head("has_column_privilege", &[Any, Any, Any, Text], 3, Bool), privileges::on_column),
        (head("has_sequence_privilege", &[Any, Any, Text], 2, Bool), privileges::on_sequence),
        (head("has_schema_privilege", &[Any, Any, Text], 2, Bool), privileges::on_schema),
        (head("has_database_privilege", &[Any, Any, Text], 2, Bool), privileges::on_database),
        (head("has_function_privilege", &[Any, Any, Text], 2, Bool), privileges::on_function),
        (head("has_language_privilege", &[Any, Any, Text], 2, Bool), privileges::on_usage),
        (head("has_type_privilege", &[Any, Any, Text], 2, Bool), privileges::on_usage),
        (head("has_server_privilege", &[Any, Any, Text], 2, Bool), privileges::on_usage),
        (head("has_foreign_data_wrapper_privilege", &[Any, Any, Text], 2, Bool), privileges::on_usage),
        (head("has_tablespace_privilege", &[Any, Any, Text], 2, Bool), privileges::on_tablespace),
        (head("pg_has_role", &[Any, Any, Text], 2, Bool), privileges::has_role),
    ]
};

/// Names to oids and back.
const REGISTERED: &[(Head, Body)] = {
    use Argument::{Int, Reg, Text};
    &[
        (head("pg_regproc_in", &[Text], 1, Reg(24)), registered::regproc_in),
        (head("pg_regproc_out", &[Int], 1, Text), registered::regproc_out),
        (head("pg_regprocedure_in", &[Text], 1, Reg(2202)), registered::regprocedure_in),
        (head("pg_regprocedure_out", &[Int], 1, Text), registered::regprocedure_out),
        (head("pg_regoper_in", &[Text], 1, Reg(2203)), registered::regoper_in),
        (head("pg_regoper_out", &[Int], 1, Text), registered::regoper_out),
        (head("pg_regoperator_in", &[Text], 1, Reg(2204)), registered::regoperator_in),
        (head("pg_regoperator_out", &[Int], 1, Text), registered::regoperator_out),
        (head("pg_regclass_in", &[Text], 1, Reg(2205)), registered::regclass_in),
        (head("pg_regclass_out", &[Int], 1, Text), registered::regclass_out),
        (head("pg_regtype_in", &[Text], 1, Reg(2206)), registered::regtype_in),
        (head("pg_regtype_out", &[Int], 1, Text), registered::regtype_out),
        (head("pg_regconfig_in", &[Text], 1, Reg(3734)), registered::regconfig_in),
        (head("pg_regconfig_out", &[Int], 1, Text), registered::regconfig_out),
        (head("pg_regdictionary_in", &[Text], 1, Reg(3769)), registered::regdictionary_in),
        (head("pg_regdictionary_out", &[Int], 1, Text), registered::regdictionary_out),
        (head("pg_regnamespace_in", &[Text], 1, Reg(4089)), registered::regnamespace_in),
        (head("pg_regnamespace_out", &[Int], 1, Text), registered::regnamespace_out),
        (head("pg_regrole_in", &[Text], 1, Reg(4096)), registered::regrole_in),
        (head("pg_regrole_out", &[Int], 1, Text), registered::regrole_out),
        (head("pg_regcollation_in", &[Text], 1, Reg(4191)), registered::regcollation_in),
        (head("pg_regcollation_out", &[Int], 1, Text), registered::regcollation_out),
        (head("to_regclass", &[Text], 1, Reg(2205)), registered::to_regclass),
        (head("to_regtype", &[Text], 1, Reg(2206)), registered::to_regtype),
        (head("to_regproc", &[Text], 1, Reg(24)), registered::to_regproc),
        (head("to_regprocedure", &[Text], 1, Reg(2202)), registered::to_regprocedure),
        (head("to_regoper", &[Text], 1, Reg(2203)), registered::to_regoper),
        (head("to_regoperator", &[Text], 1, Reg(2204)), registered::to_regoperator),
        (head("to_regcollation", &[Text], 1, Reg(4191)), registered::to_regcollation),
        (head("to_regnamespace", &[Text], 1, Reg(4089)), registered::to_regnamespace),
        (head("to_regrole", &[Text], 1, Reg(4096)), registered::to_regrole),
    ]
};

/// All of them, for this viewer.
#[must_use]
pub fn all(viewer: &Arc<Viewer>) -> Vec<Arc<ScalarUDF>> {
    let plain = [OBJECTS, RIGHTS, REGISTERED].into_iter().flatten();
    plain.map(|(head, body)| RowFunction::make(head, *body, viewer)).chain(sets::all(viewer)).collect()
}

/// The names of all of them.
#[must_use]
pub fn names() -> Vec<&'static str> {
    let plain = [OBJECTS, RIGHTS, REGISTERED].into_iter().flatten();
    plain.map(|(head, _)| head.name).chain(sets::names()).collect()
}
