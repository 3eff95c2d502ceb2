//! Records among the columns of a statement: which of them are rows of its tables, and which may be sent as the source has them.
//! Must not know: statements, how they run.

use std::sync::Arc;

use crate::catalog::TableSchema;
use crate::source::DescribedColumn;
use crate::types::PgType;

/// Whether values of a type are records, or arrays of them.
pub(super) fn is_record(ty: PgType) -> bool {
    ty.is_record() || ty.element().is_some_and(PgType::is_record)
}

/// Whether values of a type are arrays of rows of a table.
pub(super) fn is_array_of_rows(ty: PgType) -> bool {
    ty.element().is_some_and(PgType::is_row)
}

/// Tells a column that is a row of one of these tables, or an array of them, for one, under the number that clients know. The binary form of
/// a row tells the types of its fields: a client may be sent the source's where none of them can be one of the source's own.
pub(super) fn settle(column: &mut DescribedColumn, tables: &[Arc<TableSchema>]) {
    // Nothing of a system relation's, and no number that is none.
    for table in tables.iter().filter(|table| table.remote.row_types.0 != 0) {
        let row = table.row_type();
        let (one, array) = table.remote.row_types;
        column.ty = match column.oid {
            oid if oid == one => row,
            oid if oid == array && array != 0 => row.array_of().unwrap_or(column.ty),
            _ => continue,
        };
    }
    if column.ty.is_row() {
        column.sent_as_is = tables.iter().all(|table| has_no_own_types(table));
    }
}

fn has_no_own_types(table: &TableSchema) -> bool {
    let plain =
        |at: &usize| table.remote.columns.get(*at).is_some_and(|column| column.declared.is_none() && column.plain);
    table.columns.iter().all(plain)
}
