//! Bind: what is wrong is told in the order in which PostgreSQL comes upon it.
//! Must not know: how statements are planned, how values are read.

use arrow::array::ArrayRef;

use super::connection::Connection;
use super::encode::Formats;
use super::framing::violation;
use super::io::Stop;
use super::messages::BindBody;
use crate::error::{Error, Result, SqlState};
use crate::session::{Portal, PortalState, Prepared};
use crate::types;

/// Says of which parameter an error speaks, as PostgreSQL does where `log_parameter_max_length_on_error` is 0: that there was a
/// text, not what it was.
fn in_parameter(error: Error, portal: &str, param: &types::Param<'_>) -> Error {
    let place = if portal.is_empty() { "unnamed portal".to_owned() } else { format!("portal \"{portal}\"") };
    // What is no text at all has failed before.
    let text = if error.state() == SqlState::CHARACTER_NOT_IN_REPERTOIRE { None } else { param.value };
    let shown = match (param.format, text) {
        (0, Some([])) => " = ''",
        (0, Some(_)) => " = '...'",
        _ => "",
    };
    let number = param.number;
    let inner = error.context().map(|context| format!("{context}\n")).unwrap_or_default();
    error.with_context(format!("{inner}{place} parameter ${number}{shown}"))
}

impl Connection {
    /// Bind.
    pub(super) fn bind(&mut self, portal: &str, statement: &str, mut body: BindBody) -> Result<(), Stop> {
        self.session.start_statement(false)?;
        let prepared = self.session.refreshed(self.session.prepared.get(statement)?);
        let (formats, count) = body.counts()?;
        let wanted = prepared.parameters().len();
        if count != wanted {
            let message = format!(
                "bind message supplies {count} parameters, but prepared statement \"{statement}\" requires {wanted}"
            );
            return Err(violation(message).into());
        }
        match &prepared {
            // Values would have to be read, and that may look into catalogs.
            Prepared::Statement(prepared) if count == 0 => self.session.check_may_run(&prepared.statement)?,
            Prepared::Statement(_) | Prepared::Empty(_) => self.session.transaction.admit(false)?,
        }
        self.session.portals.check_new(portal)?;
        if portal.is_empty() {
            self.session.portals.close("");
        }
        let parameters = self.parameters(portal, &prepared, &formats, &mut body)?;
        let result_formats = body.result_formats()?;
        if let Prepared::Statement(prepared) = &prepared {
            self.shared.service.check_bound(&self.session, prepared)?;
        }
        if let Some(shape) = prepared.shape() {
            Formats::new(result_formats.clone()).check(shape.columns.len())?;
        }
        let depth = self.session.transaction.depth();
        let state = PortalState::Bound;
        let bound = Portal { prepared, parameters, result_formats, state, depth, declared: None, held: false };
        self.session.portals.insert(portal, bound)?;
        self.io.out.bind_complete();
        Ok(())
    }

    fn parameters(
        &self,
        portal: &str,
        prepared: &Prepared,
        formats: &[i16],
        body: &mut BindBody,
    ) -> Result<Vec<ArrayRef>> {
        let options = self.session.vars.format();
        let one = |(index, ty): (usize, &types::PgType)| {
            let format = match formats {
                [] => 0,
                [all] => *all,
                each => each.get(index).copied().unwrap_or(0),
            };
            let param = types::Param { number: index + 1, format, value: None };
            let value = body.value().map_err(|error| in_parameter(error, portal, &param))?;
            let param = types::Param { value: value.as_deref(), ..param };
            let read = match ty.row() {
                Some(_) => types::decode_param(*ty, param, options),
                None => Err(no_type(*ty)),
            };
            read.map_err(|error| in_parameter(error, portal, &param))
        };
        prepared.parameters().iter().enumerate().map(one).collect()
    }
}

/// Nobody asked whether there is such a type: the statement is empty.
fn no_type(ty: types::PgType) -> Error {
    Error::client(SqlState::UNDEFINED_OBJECT, format!("type with OID {} does not exist", ty.oid))
}
