//! COPY on the wire: CopyOutResponse, a CopyData message for each row, CopyDone; in text, CSV or binary.
//! Must not know: where the rows come from, which protocol asked for them.

use std::ops::Range;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use bytes::BufMut;

use super::connection::Connection;
use super::encode::{EncodeRows, Formats, bind_columns, column_encoders};
use super::io::Stop;
use super::messages::{BackendWriter, CopyFormat as WireFormat};
use crate::error::{Error, Result};
use crate::query::{CopyFormat, CopyOut, Copying, RunningStatement};
use crate::rows::{Answer, RowShape};
use crate::session::{PreparedStatement, RowCursor};
use crate::types::{ColumnEncoder, CopyForm, CopyText, FieldStyle, FormatOptions};

/// The binary format's signature, no flags, no extension.
const BINARY_HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

impl Connection {
    /// Runs a COPY, from its response to its data's end: how many rows there were.
    pub(super) async fn copy(&mut self, running: &RunningStatement, prepared: &PreparedStatement) -> Result<u64, Stop> {
        self.session.transaction.note_query();
        let service = Arc::clone(&self.shared.service);
        let work = service.copy(&mut self.session, &self.identity, running, prepared);
        match self.io.watch(running.bounds(), work).await? {
            Copying::Out(out) => self.copy_out(running, *out).await,
            Copying::In(copy) => {
                let copied = self.copy_in(running, *copy).await?;
                self.tell(running.bounds());
                Ok(copied)
            }
        }
    }

    async fn copy_out(&mut self, running: &RunningStatement, out: CopyOut) -> Result<u64, Stop> {
        self.tell(running.bounds());
        let mut encoder = CopyEncoder::new(&out, self.session.vars.format())?;
        let format = if out.options.format == CopyFormat::Binary { WireFormat::Binary } else { WireFormat::Text };
        let shape = Arc::clone(out.rows.shape());
        self.io.out.copy_out_response(format, shape.columns.len())?;
        if out.has_header() {
            encoder.names(&shape, &mut self.io.out)?;
        }
        let bounds = running.bounds();
        let sent = match out.rows {
            Answer::Batches(rows) => self.pour(&mut RowCursor::new(rows), &mut encoder, bounds, None).await?.rows,
            Answer::Wire(rows) => self.forward(rows, bounds, |messages, out| encoder.messages(&messages, out)).await?,
        };
        encoder.end(&mut self.io.out)?;
        self.io.out.copy_done();
        Ok(sent)
    }
}

/// Takes the body of the next DataRow off messages.
fn next_row<'a>(messages: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (&[_, a, b, c, d], rest) = messages.split_first_chunk::<5>()?;
    let length = (u32::from_be_bytes([a, b, c, d]) as usize).checked_sub(4)?;
    let (row, rest) = rest.split_at_checked(length)?;
    *messages = rest;
    Some(row)
}

/// Takes the next value off a row; the inner `None` is NULL.
fn next_value<'a>(row: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let (length, rest) = row.split_first_chunk::<4>()?;
    let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
        *row = rest;
        return Some(None);
    };
    let (value, rest) = rest.split_at_checked(length)?;
    *row = rest;
    Some(Some(value))
}

/// How rows are laid out.
enum Layout {
    Binary {
        columns: i16,
        /// The header stands before the first row, in its message.
        begun: bool,
    },
    Text {
        text: CopyText,
        styles: Vec<FieldStyle>,
    },
}

/// Writes rows as COPY has them.
struct CopyEncoder {
    columns: Vec<Box<dyn ColumnEncoder>>,
    layout: Layout,
}

impl CopyEncoder {
    /// Chooses an encoder for each column.
    ///
    /// # Errors
    /// A type that has no binary form where one is asked for.
    fn new(copy: &CopyOut, options: &FormatOptions) -> Result<Self> {
        let shape = copy.rows.shape();
        let binary = copy.options.format == CopyFormat::Binary;
        let (columns, count) = match &copy.rows {
            Answer::Batches(_) => column_encoders(shape, &Formats::all(binary), options)?,
            Answer::Wire(_) => (Vec::new(), 0),
        };
        if binary {
            return Ok(CopyEncoder { columns, layout: Layout::Binary { columns: count, begun: false } });
        }
        let form = match copy.options.format {
            CopyFormat::Csv => CopyForm::Csv { quote: copy.options.quote, escape: copy.options.escape },
            CopyFormat::Text | CopyFormat::Binary => CopyForm::Text,
        };
        let text = CopyText {
            form,
            delimiter: copy.options.delimiter,
            null: copy.options.null.clone().into_bytes(),
            encoding: copy.encoding,
        };
        let single = shape.columns.len() == 1;
        let style = |(column, quoted): (&crate::rows::ColumnShape, &bool)| FieldStyle {
            quoted: *quoted,
            single,
            bare: !quoted && text.is_bare(column.ty, options),
        };
        let styles = shape.columns.iter().zip(&copy.quoted).map(style).collect();
        Ok(CopyEncoder { columns, layout: Layout::Text { text, styles } })
    }

    /// Writes the names of the columns as a row.
    fn names(&self, shape: &RowShape, out: &mut BackendWriter) -> Result<()> {
        let Layout::Text { text, styles } = &self.layout else { return Ok(()) };
        let mark = out.begin_copy_data();
        for (at, (column, style)) in shape.columns.iter().zip(styles).enumerate() {
            if at > 0 {
                out.buffer().put_u8(text.delimiter);
            }
            let style = FieldStyle { quoted: false, bare: false, ..*style };
            if let Err(error) = text.text(Some(column.name.as_bytes()), style, out.buffer()) {
                out.abort_row(mark);
                return Err(error);
            }
        }
        out.buffer().put_u8(b'\n');
        out.finish_row(mark)
    }

    /// Writes what stands behind the last row.
    fn end(&mut self, out: &mut BackendWriter) -> Result<()> {
        let Layout::Binary { begun, .. } = &mut self.layout else { return Ok(()) };
        let mark = out.begin_copy_data();
        if !std::mem::replace(begun, true) {
            out.buffer().put_slice(BINARY_HEADER);
        }
        out.buffer().put_i16(-1);
        out.finish_row(mark)
    }

    /// Writes rows that are encoded already: DataRow messages, in text or in binary as the copy is.
    fn messages(&mut self, mut messages: &[u8], out: &mut BackendWriter) -> Result<()> {
        while !messages.is_empty() {
            let row = next_row(&mut messages).ok_or_else(|| Error::internal("a row that ends early"))?;
            let mark = out.begin_copy_data();
            if let Err(error) = self.encoded(row, out) {
                out.abort_row(mark);
                return Err(error);
            }
            out.finish_row(mark)?;
        }
        Ok(())
    }

    /// The body of a DataRow is what COPY's binary form has for a row.
    fn encoded(&mut self, mut row: &[u8], out: &mut BackendWriter) -> Result<()> {
        let buffer = out.buffer();
        match &mut self.layout {
            Layout::Binary { begun, .. } => {
                if !std::mem::replace(begun, true) {
                    buffer.put_slice(BINARY_HEADER);
                }
                buffer.put_slice(row);
            }
            Layout::Text { text, styles } => {
                row = row.get(2..).unwrap_or_default();
                for (at, style) in styles.iter().enumerate() {
                    if at > 0 {
                        buffer.put_u8(text.delimiter);
                    }
                    let value = next_value(&mut row).ok_or_else(|| Error::internal("a row that ends early"))?;
                    text.text(value, *style, buffer)?;
                }
                buffer.put_u8(b'\n');
            }
        }
        Ok(())
    }

    #[inline]
    fn row(&mut self, row: usize, out: &mut BackendWriter) -> Result<()> {
        let buffer = out.buffer();
        match &mut self.layout {
            Layout::Binary { columns, begun } => {
                if !std::mem::replace(begun, true) {
                    buffer.put_slice(BINARY_HEADER);
                }
                buffer.put_i16(*columns);
                for column in &mut self.columns {
                    column.encode(row, buffer)?;
                }
            }
            Layout::Text { text, styles } => {
                for (at, (column, style)) in self.columns.iter_mut().zip(styles).enumerate() {
                    if at > 0 {
                        buffer.put_u8(text.delimiter);
                    }
                    text.field(column.as_mut(), row, *style, buffer)?;
                }
                buffer.put_u8(b'\n');
            }
        }
        Ok(())
    }
}

impl EncodeRows for CopyEncoder {
    fn bind(&mut self, batch: &RecordBatch) -> Result<()> {
        bind_columns(&mut self.columns, batch)
    }

    fn rows(&mut self, out: &mut BackendWriter, rows: Range<usize>, full: usize) -> Result<usize> {
        let end = rows.end;
        for row in rows {
            let mark = out.begin_copy_data();
            if let Err(error) = self.row(row, out) {
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
