//! `unnest` of several arrays in FROM: their elements side by side.
//! Must not know: how rows are made.

use super::super::coerce::AtPosition;
use super::super::resolve::{Resolved, function};
use super::super::value::Bound;
use super::Binder;
use super::call::{in_catalog, no_function};
use super::record_function::definitions;
use super::set_function::{SetCall, Written};
use crate::error::{Error, Result, SqlState};

impl Binder<'_> {
    /// The calls that an `unnest` of several arguments stands for, one for each of them; none where this is none. PostgreSQL takes only the
    /// bare name so.
    ///
    /// # Errors
    /// `42601` for one with column definitions, `42883` and `42725` for what is no array.
    pub(super) fn unnest_of_several(&mut self, written: &Written<'_>, args: &[Bound]) -> Result<Option<Vec<SetCall>>> {
        if written.schema.is_some() || written.name != "unnest" || args.len() < 2 {
            return Ok(None);
        }
        if let Some(first) = definitions(written.alias).and_then(<[_]>::first) {
            let message = "UNNEST() with multiple arguments cannot have a column definition list";
            let hint =
                "Use separate UNNEST() calls inside ROWS FROM(), and attach a column definition list to each one.";
            let place = crate::sql::position(first.name.span);
            return Err(Error::client(SqlState::SYNTAX_ERROR, message).with_hint(hint).with_position_if(place));
        }
        let first = written.args.first().and_then(|ast| self.position(*ast));
        let place = first.and_then(|at| self.places.last_before(at, &["unnest"], 0)).or(written.position);
        // The rewriting of forms has taken the catalog's name away.
        if let Some(dot) = place.and_then(|at| self.places.before_is(at, ".")) {
            let types: Vec<u32> = args.iter().map(|arg| arg.pg.oid).collect();
            let error = no_function("unnest", &types, false);
            return Err(in_catalog(error, "unnest", self.places.before_is(dot, "pg_catalog")));
        }
        let mut calls = Vec::with_capacity(args.len());
        for arg in args {
            match self.set_call("unnest", std::slice::from_ref(arg))? {
                Some(call) => calls.push(call),
                None => {
                    let types = [arg.pg.oid];
                    let ambiguous = matches!(function("unnest", &types), Resolved::Ambiguous);
                    let error = no_function("unnest", &types, ambiguous).with_position_if(place);
                    return Err(in_catalog(error, "unnest", None));
                }
            }
        }
        Ok(Some(calls))
    }
}

/// The function that makes an array of the texts that another makes rows of.
pub(super) fn made_as_array(source: &str) -> Option<&'static str> {
    Some(match source {
        "regexp_split_to_table" => "regexp_split_to_rows",
        "regexp_split_to_table_no_flags" => "regexp_split_to_rows_no_flags",
        "text_to_table" => "text_to_array",
        "text_to_table_null" => "text_to_array_null",
        _ => return None,
    })
}
