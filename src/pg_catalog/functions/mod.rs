//! The functions over the catalogs, bound to who asks: what a viewer may not name, they do not know.
//! Must not know: statements.

mod lookup;
mod row_function;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

use crate::catalog::Viewer;
use row_function::{Argument, Body, Head, RowFunction};

const FUNCTIONS: &[(Head, Body)] = {
    use Argument::{Bool, Int, Text};
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
    ]
};

/// All of them, for this viewer.
#[must_use]
pub fn all(viewer: &Arc<Viewer>) -> Vec<Arc<ScalarUDF>> {
    FUNCTIONS.iter().map(|(head, body)| RowFunction::make(head, *body, viewer)).collect()
}
