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
use crate::error::Result;
use crate::query::{CopyFormat, CopyOut, Copying, RunningStatement};
use crate::rows::RowShape;
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
            Copying::In(copy) => self.copy_in(running, *copy).await,
        }
    }

    async fn copy_out(&mut self, running: &RunningStatement, out: CopyOut) -> Result<u64, Stop> {
        self.tell(running.bounds());
        let mut encoder = CopyEncoder::new(&out, self.session.vars.format())?;
        let format = if out.options.format == CopyFormat::Binary { WireFormat::Binary } else { WireFormat::Text };
        self.io.out.copy_out_response(format, out.rows.shape.columns.len())?;
        if out.has_header() {
            encoder.names(&out.rows.shape, &mut self.io.out)?;
        }
        let bounds = running.bounds();
        let mut cursor = RowCursor::new(out.rows);
        let sent = self.pour(&mut cursor, &mut encoder, bounds, None).await?.rows;
        encoder.end(&mut self.io.out)?;
        self.io.out.copy_done();
        Ok(sent)
    }
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
        let shape = &copy.rows.shape;
        let binary = copy.options.format == CopyFormat::Binary;
        let (columns, count) = column_encoders(shape, &Formats::new(vec![binary]), options)?;
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
        let single = columns.len() == 1;
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
            if let Err(error) = text.name(&column.name, FieldStyle { quoted: false, ..*style }, out.buffer()) {
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
