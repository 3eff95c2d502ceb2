//! Rows become DataRow messages: one encoder for each column, chosen once per result.
//! Must not know: when rows are sent, portals, sessions.

use std::ops::Range;

use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;
use bytes::{Bytes, BytesMut};

use super::messages::{BackendWriter, ColumnDescription};
use crate::error::{Error, Result, SqlState};
use crate::rows::RowShape;
use crate::types::{self, ColumnEncoder, FormatOptions};

/// The formats of a result's columns, as Bind asks for them: none, one for all, or one for each.
#[derive(Debug, Clone, Default)]
pub(super) struct Formats(Vec<i16>);

impl Formats {
    /// Takes them over; they must fit once the columns are known: [`Formats::check`].
    pub(super) fn new(codes: Vec<i16>) -> Self {
        Formats(codes)
    }

    /// Binary for every column, or text.
    pub(super) fn all(binary: bool) -> Self {
        Formats(vec![i16::from(binary)])
    }

    /// What was asked for of a column: 0 is text, 1 is binary.
    fn code(&self, column: usize) -> i16 {
        match self.0.as_slice() {
            [] => 0,
            [all] => *all,
            each => each.get(column).copied().unwrap_or(0),
        }
    }

    /// Which are binary, where all of them are formats.
    pub(super) fn known(&self) -> Option<Vec<bool>> {
        self.0.iter().map(|code| matches!(code, 0 | 1).then_some(*code == 1)).collect()
    }

    /// Whether they fit a result.
    ///
    /// # Errors
    /// `08P01`.
    pub(super) fn check(&self, columns: usize) -> Result<()> {
        if self.0.len() > 1 && self.0.len() != columns {
            return Err(Error::client(
                SqlState::PROTOCOL_VIOLATION,
                format!("bind message has {} result formats but query has {columns} columns", self.0.len()),
            ));
        }
        Ok(())
    }
}

/// Writes RowDescription.
pub(super) fn describe(out: &mut BackendWriter, shape: &RowShape, formats: &Formats) -> Result<()> {
    out.row_description(shape.columns.iter().enumerate().map(|(index, column)| ColumnDescription {
        name: &column.name,
        table_oid: column.table_oid,
        attribute: column.attnum,
        type_oid: column.ty.oid,
        type_length: column.ty.typlen(),
        typmod: column.ty.typmod,
        format: formats.code(index),
    }))
}

/// Writes rows, whatever message each becomes.
pub(super) trait EncodeRows {
    /// Takes the next batch.
    ///
    /// # Errors
    /// `XX000` for a batch that is not of the result's shape; a value's own error.
    fn bind(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Writes rows of the batch until `full` bytes wait in `out`; the first row not written is returned. At least one is.
    ///
    /// # Errors
    /// A value's own error; `54000` for a row beyond 1 GiB. Nothing of that row is left in `out`.
    fn rows(&mut self, out: &mut BackendWriter, rows: Range<usize>, full: usize) -> Result<usize>;
}

/// Writes messages that are a client's already.
///
/// # Errors
/// None.
pub(super) fn as_they_are(messages: Bytes, out: &mut BackendWriter) -> Result<()> {
    out.relay(messages);
    Ok(())
}

/// An encoder for each column of a result, and their number.
///
/// # Errors
/// A type that has no binary form where one is asked for (`0A000` or `42883`, as the types say).
pub(super) fn column_encoders(
    shape: &RowShape,
    formats: &Formats,
    options: &FormatOptions,
) -> Result<(Vec<Box<dyn ColumnEncoder>>, i16)> {
    let encoder = |(index, column): (usize, &crate::rows::ColumnShape)| match formats.code(index) {
        0 => types::text_encoder(&column.field, options),
        1 => types::binary_encoder(&column.field),
        other => Ok(Box::new(NoFormat(other)) as Box<dyn ColumnEncoder>),
    };
    let columns = shape.columns.iter().enumerate().map(encoder).collect::<Result<Vec<_>>>()?;
    let count = i16::try_from(columns.len())
        .map_err(|_| Error::resource(SqlState::TOO_MANY_COLUMNS, "target lists can have at most 1664 entries"))?;
    Ok((columns, count))
}

/// A format that there is not: PostgreSQL says so with the first row.
struct NoFormat(i16);

impl ColumnEncoder for NoFormat {
    fn bind(&mut self, _: &ArrayRef) -> Result<()> {
        Ok(())
    }

    fn is_null(&self, _: usize) -> bool {
        false
    }

    fn write(&mut self, _: usize, _: &mut BytesMut) -> Result<()> {
        Err(Error::client(SqlState::INVALID_PARAMETER_VALUE, format!("unsupported format code: {}", self.0)))
    }
}

/// Hands each encoder its column of a batch.
///
/// # Errors
/// `XX000` for a batch that is not of the result's shape; a value's own error.
pub(super) fn bind_columns(columns: &mut [Box<dyn ColumnEncoder>], batch: &RecordBatch) -> Result<()> {
    if batch.num_columns() != columns.len() {
        return Err(Error::internal(format!(
            "a batch of {} columns in a result of {}",
            batch.num_columns(),
            columns.len()
        )));
    }
    for (encoder, array) in columns.iter_mut().zip(batch.columns()) {
        encoder.bind(array)?;
    }
    Ok(())
}

/// Writes the rows of one result.
pub(super) struct RowEncoder {
    columns: Vec<Box<dyn ColumnEncoder>>,
    count: i16,
}

impl RowEncoder {
    /// Chooses an encoder for each column.
    ///
    /// # Errors
    /// Those of [`column_encoders`].
    pub(super) fn new(shape: &RowShape, formats: &Formats, options: &FormatOptions) -> Result<Self> {
        let (columns, count) = column_encoders(shape, formats, options)?;
        Ok(RowEncoder { columns, count })
    }

    #[inline]
    fn fields(&mut self, row: usize, out: &mut BytesMut) -> Result<()> {
        for column in &mut self.columns {
            column.encode(row, out)?;
        }
        Ok(())
    }
}

impl EncodeRows for RowEncoder {
    fn bind(&mut self, batch: &RecordBatch) -> Result<()> {
        bind_columns(&mut self.columns, batch)
    }

    fn rows(&mut self, out: &mut BackendWriter, rows: Range<usize>, full: usize) -> Result<usize> {
        let end = rows.end;
        for row in rows {
            let mark = out.begin_row(self.count);
            if let Err(error) = self.fields(row, out.buffer()) {
                out.abort_row(mark);
                return Err(error);
            }
            out.finish_row(mark)?;
            if out.len() >= full {
                return Ok(row + 1);
            }
        }
        Ok(end)
    }
}
