//! The functions over the catalogs, bound to who asks: what a viewer may not name, they do not know.
//! Must not know: statements.

mod lookup;
mod registered;
mod row_function;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

use crate::catalog::Viewer;
use row_function::{Argument, Body, Head, RowFunction};

const FUNCTIONS: &[(Head, Body)] = {
    use Argument::{Bool, Int, Reg, Text};
    const fn head(name: &'static str, arguments: &'static [Argument], least: usize, returns: Argument) -> Head {
        Head { name, arguments, least, returns }
    }
    &[
        (head("pg_table_is_visible", &[Int], 1, Bool), lookup::table_is_visible),
        (head("pg_get_userbyid", &[Int], 1, Text), lookup::user_by_id),
        (head("format_type", &[Int, Int], 2, Text), lookup::format_type),
        (head("pg_get_expr", &[Text, Int, Bool], 2, Text), lookup::expression),
        (head("pg_encoding_to_char", &[Int], 1, Text), lookup::encoding_to_char),
        (head("obj_description", &[Int, Text], 2, Text), lookup::object_description),
        (head("col_description", &[Int, Int], 2, Text), lookup::column_description),
        (head("shobj_description", &[Int, Text], 2, Text), lookup::nothing),
        (head("pg_get_indexdef", &[Int, Int, Bool], 1, Text), lookup::nothing),
        (head("pg_get_constraintdef", &[Int, Bool], 1, Text), lookup::nothing),
        (head("pg_get_viewdef", &[Int, Bool], 1, Text), lookup::nothing),
        (head("pg_get_statisticsobjdef_columns", &[Int], 1, Text), lookup::nothing),
        (head("pg_relation_is_publishable", &[Int], 1, Bool), lookup::no),
        (head("pg_is_other_temp_schema", &[Int], 1, Bool), lookup::no),
        (head("pg_my_temp_schema", &[], 0, Int), lookup::zero),
        (head("pg_is_in_recovery", &[], 0, Bool), lookup::no),
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
        (head("to_regnamespace", &[Text], 1, Reg(4089)), registered::to_regnamespace),
        (head("to_regrole", &[Text], 1, Reg(4096)), registered::to_regrole),
    ]
};

/// All of them, for this viewer.
#[must_use]
pub fn all(viewer: &Arc<Viewer>) -> Vec<Arc<ScalarUDF>> {
    FUNCTIONS.iter().map(|(head, body)| RowFunction::make(head, *body, viewer)).collect()
}
