//! `ROW(...)`: rows as values.
//! Must not know: how records are written.

use std::sync::Arc;

use arrow::array::{ArrayRef, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::error::DataFusionError;
use datafusion::scalar::ScalarValue;

use super::super::kernel::call;
use super::super::value::{Bound, Unknown};
use super::{Binder, refuse};
use crate::error::{Error, Result, SqlState};
use crate::sql::ast::Expr as Ast;
use crate::types::{META_OID, META_TYPMOD, PgType};

impl Binder<'_> {
    /// A record of these expressions.
    pub(super) fn row<'e>(&mut self, fields: impl Iterator<Item = &'e Ast>) -> Result<Bound> {
        let values = fields
            .map(|ast| {
                let value = self.expr(ast)?;
                in_row(self.typing.refresh(value))
            })
            .collect::<Result<Vec<_>>>()?;
        if values.is_empty() {
            return refuse("a row without fields");
        }
        let fields: Fields = values.iter().enumerate().map(|(at, value)| named(at, value)).collect();
        let types: Vec<String> = values.iter().map(|value| format!("{}:{}", value.pg.oid, value.pg.typmod)).collect();
        let arrow = DataType::Struct(fields.clone());
        let args = values.into_iter().map(|value| value.expr).collect();
        let made = call(format!("row({})", types.join(",")), args, arrow.clone(), move |arrays| {
            let record = StructArray::try_new(fields.clone(), arrays.to_vec(), None);
            let record = record.map_err(|error| DataFusionError::ArrowError(Box::new(error), None))?;
            Ok(Arc::new(record) as ArrayRef)
        });
        Ok(Bound::with_arrow(made, PgType::RECORD, arrow))
    }
}

/// A literal in a row stays of unknown type, held as its text.
fn in_row(value: Bound) -> Result<Bound> {
    let text = |text: Option<String>| Bound::literal(ScalarValue::Utf8View(text), PgType::UNKNOWN);
    match value.unknown {
        None => Ok(value),
        Some(Unknown::Null) => Ok(text(None)),
        Some(Unknown::Text(known)) => Ok(text(Some(known))),
        Some(Unknown::Param(number)) => Err(Error::client(
            SqlState::INDETERMINATE_DATATYPE,
            format!("could not determine data type of parameter ${number}"),
        )),
    }
}

/// The field of a value, under the name that PostgreSQL gives it.
fn named(at: usize, value: &Bound) -> Field {
    let metadata =
        [(META_OID.to_owned(), value.pg.oid.to_string()), (META_TYPMOD.to_owned(), value.pg.typmod.to_string())];
    Field::new(format!("f{}", at + 1), value.arrow.clone(), true).with_metadata(metadata.into())
}
