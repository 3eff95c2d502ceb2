//! Functions in FROM that return "record": their columns are those that are written behind them.
//! Must not know: how rows are made.

use crate::sql::ast::{TableAlias, TableAliasColumnDef};
use arrow::datatypes::DataType;

use super::super::cast::json;
use super::super::coerce::AtPosition;
use super::super::json_rows::rows_of_json;
use super::super::resolve::{Resolved, function};
use super::super::value::Bound;
use super::Binder;
use super::from::ident;
use super::set_function::{SetCall, Written};
use super::type_name::pg_type;
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

/// The columns that are defined behind a function; none where they have no types. The grammar lets no types stand behind some of them.
pub(super) fn definitions(alias: Option<&TableAlias>) -> Option<&[TableAliasColumnDef]> {
    let columns = alias?.columns.as_slice();
    columns.iter().any(|column| column.data_type.is_some()).then_some(columns)
}

impl Binder<'_> {
    /// The rows of a function that returns "record"; none for any other function.
    ///
    /// # Errors
    /// `42601` for such a function without column definitions, and for any other with them.
    pub(super) fn record_call(&mut self, written: &Written<'_>, args: &[Bound]) -> Result<Option<SetCall>> {
        let types: Vec<u32> = args.iter().map(|arg| arg.pg.oid).collect();
        let Resolved::One((declared, found)) = function(&written.name, &types) else { return Ok(None) };
        let defined = definitions(written.alias);
        let first = defined.and_then(<[TableAliasColumnDef]>::first);
        let place = first.and_then(|column| crate::sql::position(column.name.span));
        let wrong = |message: &str, place: Option<u32>| {
            Err(Error::client(SqlState::SYNTAX_ERROR, message).with_position_if(place))
        };
        if !matches!(found.source, "json_to_record" | "json_to_recordset" | "jsonb_to_record" | "jsonb_to_recordset") {
            return match first {
                None => Ok(None),
                Some(_) if found.returns == PgType::RECORD.oid => {
                    wrong("a column definition list is redundant for a function with OUT parameters", place)
                }
                Some(_) => wrong("a column definition list is only allowed for functions returning \"record\"", place),
            };
        }
        let Some(defined) = defined else {
            let message = "a column definition list is required for functions returning \"record\"";
            return wrong(message, written.position);
        };
        if written.ordinality {
            let error =
                Error::client(SqlState::SYNTAX_ERROR, "WITH ORDINALITY cannot be used with a column definition list");
            return Err(error.with_hint("Put the column definition list inside ROWS FROM().").with_position_if(place));
        }
        let columns = self.defined_columns(defined)?;
        let ([arg], [to]) = (args, declared.as_slice()) else { return Ok(None) };
        let value = self.argument(arg.clone(), *to)?;
        let format = &self.typing.facts.format;
        // JSON that a source has as a structure of its own.
        let text = if value.arrow == DataType::Utf8View { value.expr } else { json(&value, format)? };
        let (list, form) = rows_of_json(found.source, text, columns, format);
        Ok(Some(SetCall::of(list, form, PgType::RECORD)))
    }

    /// Names and types, each name once.
    fn defined_columns(&self, defined: &[TableAliasColumnDef]) -> Result<Vec<(String, PgType)>> {
        let mut columns: Vec<(String, PgType)> = Vec::with_capacity(defined.len());
        for column in defined {
            let name = ident(&column.name);
            let pg = match &column.data_type {
                Some(written) => pg_type(written).map_err(|error| {
                    let name = crate::sql::position(column.name.span);
                    error.with_position_if(name.and_then(|name| self.places.next(name)))
                })?,
                None => PgType::TEXT,
            };
            check_type(&name, pg)?;
            if columns.iter().any(|(known, _)| *known == name) {
                let message = format!("column name \"{name}\" specified more than once");
                return Err(Error::client(SqlState::DUPLICATE_COLUMN, message));
            }
            columns.push((name, pg));
        }
        Ok(columns)
    }
}

/// Types that a column may have, and that values can be read into.
fn check_type(name: &str, pg: PgType) -> Result<()> {
    if pg.row().is_none_or(|row| row.typtype == b'p') {
        let message = format!("column \"{name}\" has pseudo-type {}", pg.display_name());
        return Err(Error::client(SqlState::INVALID_TABLE_DEFINITION, message));
    }
    let element = pg.element();
    // The names of oids are made sense of by functions of the session; a vector and an array of boxes are written otherwise than arrays.
    let named = pg.is_registered() || element.is_some_and(PgType::is_registered);
    let written_otherwise = matches!(pg.oid, 22 | 30)
        || element.is_some_and(|element| element.oid == PgType::BOX.oid || element.is_array());
    if named || written_otherwise {
        let message = format!("a column of type {} out of JSON is not supported", pg.display_name());
        return Err(Error::unsupported(message));
    }
    Ok(())
}
