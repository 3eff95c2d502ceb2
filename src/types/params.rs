//! Parameters of a statement as arrays of one row.
//! Must not know: the messages of the protocol.

use arrow::array::{ArrayRef, AsArray};

use super::binary::input::LEFT_OVER;
use super::format::FormatOptions;
use super::pg_type::PgType;
use super::read::ColumnBuilder;
use super::receive::utf8;
use crate::error::{Error, Result, SqlState};

/// The format codes of the protocol.
const TEXT: i16 = 0;
const BINARY: i16 = 1;

/// A parameter as it came with Bind.
#[derive(Debug, Clone, Copy)]
pub struct Param<'a> {
    /// Its number, counted from 1.
    pub number: usize,
    /// The format code of the protocol.
    pub format: i16,
    /// Its bytes; none for NULL.
    pub value: Option<&'a [u8]>,
}

/// A parameter as an array of one row in the storage of its type.
///
/// # Errors
/// Those of [`ColumnBuilder`]; `22023` for a format code that does not exist.
pub fn decode_param(pg: PgType, param: Param<'_>, options: &FormatOptions) -> Result<ArrayRef> {
    let mut builder = ColumnBuilder::new(pg, 1);
    match (param.format, param.value) {
        (TEXT | BINARY, None) => builder.append_null(),
        (TEXT, Some(bytes)) => builder.append_text(Some(utf8(bytes)?), options)?,
        (BINARY, Some(bytes)) => {
            builder.append_binary(Some(bytes)).map_err(|error| placed(error, param.number))?;
            if is_document(pg) {
                return checked(pg, &builder.finish());
            }
        }
        (format, _) => {
            let message = format!("unsupported format code: {format}");
            return Err(Error::client(SqlState::INVALID_PARAMETER_VALUE, message));
        }
    }
    Ok(builder.finish())
}

/// PostgreSQL says in which parameter there were bytes behind the value.
fn placed(error: Error, number: usize) -> Error {
    if error.message() != LEFT_OVER {
        return error;
    }
    Error::client(error.state(), format!("{LEFT_OVER} in bind parameter {number}"))
}

/// Whether the binary form is text that must be read to be checked: json, jsonb, xml, and arrays of them.
fn is_document(pg: PgType) -> bool {
    matches!(pg.oid, 114 | 142 | 143 | 199 | 3802 | 3807)
}

/// Documents that were taken as they came, read as their input function does.
fn checked(pg: PgType, taken: &ArrayRef) -> Result<ArrayRef> {
    let texts = taken.as_string_view_opt().ok_or_else(|| Error::internal("a document that is not held as text"))?;
    let mut builder = ColumnBuilder::new(pg, 1);
    texts.iter().try_for_each(|text| builder.append_text(text, &FormatOptions::default()))?;
    Ok(builder.finish())
}

/// The value that a literal's text stands for: an array of one row, read with PostgreSQL's default options.
///
/// # Errors
/// Those of [`ColumnBuilder::append_text`].
pub fn text_to_array(pg: PgType, text: &str) -> Result<ArrayRef> {
    let mut builder = ColumnBuilder::new(pg, 1);
    builder.append_text(Some(text), &FormatOptions::default())?;
    Ok(builder.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Int32Type;

    #[test]
    fn both_formats() {
        let options = FormatOptions::default();
        let value = |format, value| decode_param(PgType::INT4, Param { number: 3, format, value }, &options);
        assert_eq!(value(0, Some(&b"7"[..])).unwrap().as_primitive::<Int32Type>().value(0), 7);
        assert_eq!(value(1, Some(&[0, 0, 0, 7][..])).unwrap().as_primitive::<Int32Type>().value(0), 7);
        assert_eq!(value(1, None).unwrap().null_count(), 1);
        assert_eq!(value(2, None).unwrap_err().message(), "unsupported format code: 2");
        assert!(value(0, Some(&b"\xff"[..])).is_err());
        assert_eq!(value(1, Some(&[1][..])).unwrap_err().message(), "insufficient data left in message");
        let long = value(1, Some(&[0; 5][..])).unwrap_err();
        assert_eq!(long.message(), "incorrect binary data format in bind parameter 3");
        let document = Param { number: 1, format: 1, value: Some(b"\x01{\"b\":1, \"a\":2}") };
        let document = decode_param(PgType::JSONB, document, &options).unwrap();
        assert_eq!(document.as_string_view().value(0), "{\"a\": 2, \"b\": 1}");
        assert_eq!(text_to_array(PgType::UUID, "x").unwrap_err().state(), SqlState::INVALID_TEXT_REPRESENTATION);
    }
}
