//! Values of parameters as a source takes them: in binary, or as text where their type is the source's own.
//! Must not know: what they are compared with.

use arrow::array::ArrayRef;
use arrow::datatypes::Field;
use bytes::BytesMut;

use crate::error::{Error, Result};
use crate::source::Argument;
use crate::types::{ColumnEncoder, FormatOptions, binary_encoder, text_encoder};

/// The values, each with its field, and whether the source knows the parameter by the type that the field says.
pub(super) fn of(taken_as: &[(Field, bool)], values: &[ArrayRef]) -> Result<Vec<Argument>> {
    if taken_as.len() != values.len() {
        return Err(Error::internal("a statement has other parameters than values"));
    }
    taken_as.iter().zip(values).map(|((field, own), value)| argument(field, *own, value)).collect()
}

fn argument(field: &Field, own: bool, value: &ArrayRef) -> Result<Argument> {
    let binary = if own { binary_encoder(field).ok() } else { None };
    let (mut encoder, binary): (Box<dyn ColumnEncoder>, bool) = match binary {
        Some(encoder) => (encoder, true),
        None => (text_encoder(field, &FormatOptions::default())?, false),
    };
    encoder.bind(value)?;
    if encoder.is_null(0) {
        return Ok(Argument { value: None, binary });
    }
    let mut bytes = BytesMut::new();
    encoder.write(0, &mut bytes)?;
    Ok(Argument { value: Some(bytes.freeze()), binary })
}
