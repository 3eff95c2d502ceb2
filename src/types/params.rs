//! Parameters of a statement as arrays of one row.
//! Must not know: the messages of the protocol.

use arrow::array::ArrayRef;

use super::format::FormatOptions;
use super::forms::utf8;
use super::pg_type::PgType;
use super::read::ColumnBuilder;
use crate::error::{Error, Result, SqlState};

/// The format codes of the protocol.
const TEXT: i16 = 0;
const BINARY: i16 = 1;

/// A parameter as it came with Bind: an array of one row in the storage of its type.
///
/// # Errors
/// Those of [`ColumnBuilder`]; `22023` for a format code that does not exist.
pub fn decode_param(pg: PgType, format: i16, value: Option<&[u8]>, options: &FormatOptions) -> Result<ArrayRef> {
    let mut builder = ColumnBuilder::new(pg, 1);
    match (format, value) {
        (TEXT | BINARY, None) => builder.append_null(),
        (TEXT, Some(bytes)) => builder.append_text(Some(utf8(bytes)?), options)?,
        (BINARY, Some(bytes)) => builder.append_binary(Some(bytes))?,
        _ => {
            let message = format!("unsupported format code: {format}");
            return Err(Error::client(SqlState::INVALID_PARAMETER_VALUE, message));
        }
    }
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
    use arrow::array::AsArray;
    use arrow::datatypes::Int32Type;

    #[test]
    fn both_formats() {
        let options = FormatOptions::default();
        let value = |format, bytes| decode_param(PgType::INT4, format, bytes, &options);
        assert_eq!(value(0, Some(&b"7"[..])).unwrap().as_primitive::<Int32Type>().value(0), 7);
        assert_eq!(value(1, Some(&[0, 0, 0, 7][..])).unwrap().as_primitive::<Int32Type>().value(0), 7);
        assert_eq!(value(1, None).unwrap().null_count(), 1);
        assert_eq!(value(2, None).unwrap_err().message(), "unsupported format code: 2");
        assert!(value(0, Some(&b"\xff"[..])).is_err() && value(1, Some(&[1][..])).is_err());
        assert_eq!(text_to_array(PgType::UUID, "x").unwrap_err().state(), SqlState::INVALID_TEXT_REPRESENTATION);
    }
}
