//! The binary COPY format, decoded as it arrives, straight into Arrow columns.
//! Must not know: where the bytes come from.

use std::mem;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use bytes::Bytes;

use super::errors;
use super::frames::ROW_BYTES;
use crate::error::{Error, Result, SqlState};
use crate::types::{ColumnBuilder, pg_type_of};

/// Rows of the first batch: few, so that the first row leaves early.
const FIRST_ROWS: usize = 512;
/// Rows of every other batch.
const BATCH_ROWS: usize = 8192;
/// A batch ends after so many bytes: wide rows must not pile up.
const BATCH_BYTES: usize = 4 << 20;

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// Signature, flags, length of the extension.
const HEADER: usize = SIGNATURE.len() + 8;
/// Bytes of a header's extension (PostgreSQL sends none).
const EXTENSION: usize = 64 << 10;

/// Where the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Header,
    Tuple,
    End,
}

/// One column on its way.
pub(super) struct Column {
    pub(super) name: String,
    /// It comes in its text form.
    pub(super) text: bool,
    pub(super) builder: ColumnBuilder,
}

/// Decodes one COPY. Feed it with [`Decoder::push`], then call [`Decoder::decode`] until it asks for more.
pub(super) struct Decoder {
    source: String,
    schema: SchemaRef,
    columns: Vec<Column>,
    at: At,
    /// What arrived and is not decoded: the tail of earlier chunks with the chunk behind it, or the last chunk alone.
    input: Bytes,
    /// Where in `input` the next tuple begins.
    position: usize,
    /// Start and end of each field of the tuple at hand; an end before its start is NULL.
    fields: Vec<(usize, usize)>,
    rows: usize,
    bytes: usize,
    first: bool,
}

/// What [`Decoder::decode`] wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// More bytes.
    Bytes,
    /// The batch is full: take it.
    Taking,
}

impl Decoder {
    /// For rows of this schema. `as_text`: the columns that come in their text form.
    pub(super) fn new(source: &str, schema: &SchemaRef, as_text: &[bool]) -> Self {
        let columns = schema
            .fields()
            .iter()
            .enumerate()
            .map(|(index, field)| {
                let text = as_text.get(index).copied().unwrap_or(false);
                Column { name: field.name().clone(), text, builder: ColumnBuilder::new(pg_type_of(field), FIRST_ROWS) }
            })
            .collect();
        Decoder {
            source: source.to_owned(),
            schema: Arc::clone(schema),
            columns,
            at: At::Header,
            input: Bytes::new(),
            position: 0,
            fields: Vec::new(),
            rows: 0,
            bytes: 0,
            first: true,
        }
    }

    /// Rows that wait to be taken.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// `54000` where a row is larger than we hold.
    pub(super) fn push(&mut self, chunk: Bytes) -> Result<()> {
        self.bytes += chunk.len();
        let rest = self.input.len() - self.position;
        if rest == 0 {
            self.input = chunk;
        } else {
            if rest + chunk.len() > ROW_BYTES {
                return Err(errors::too_large(&self.source));
            }
            // Rows are split over chunks rarely: PostgreSQL sends one row a chunk.
            let mut joined = Vec::with_capacity((rest + chunk.len()).next_power_of_two());
            joined.extend_from_slice(&self.input[self.position..]);
            joined.extend_from_slice(&chunk);
            self.input = Bytes::from(joined);
        }
        self.position = 0;
        Ok(())
    }

    /// Decodes what there is, up to a full batch.
    ///
    /// # Errors
    /// `08P01` where the bytes are no COPY, `0A000` where the number of columns is another, and what a value is wrong with.
    pub(super) fn decode(&mut self) -> Result<Want> {
        loop {
            if self.rows >= if self.first { FIRST_ROWS } else { BATCH_ROWS }
                || (self.rows > 0 && self.bytes >= BATCH_BYTES)
            {
                return Ok(Want::Taking);
            }
            let progress = match self.at {
                At::Header => self.header()?,
                At::Tuple => self.tuple()?,
                At::End if self.position < self.input.len() => return Err(self.broken("bytes behind the end")),
                At::End => false,
            };
            if !progress {
                return Ok(Want::Bytes);
            }
        }
    }

    /// The COPY is over: it must have said so itself.
    ///
    /// # Errors
    /// `08P01` where it ended in the middle.
    pub(super) fn end(&self) -> Result<()> {
        match self.at {
            At::End => Ok(()),
            At::Header | At::Tuple => Err(self.broken("COPY ended without its trailer")),
        }
    }

    /// The rows decoded so far as a batch, with the bytes they took on the wire.
    ///
    /// # Errors
    /// `XX000` where the columns do not fit the schema.
    pub(super) fn take(&mut self) -> Result<(RecordBatch, usize)> {
        self.first = false;
        let rows = mem::take(&mut self.rows);
        let bytes = mem::take(&mut self.bytes);
        let arrays: Vec<ArrayRef> = self.columns.iter_mut().map(|column| column.builder.finish()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|error| Error::internal("columns of a source do not fit their schema").with_cause(error))?;
        Ok((batch, bytes))
    }

    fn header(&mut self) -> Result<bool> {
        let input = &self.input[self.position..];
        let Some(header) = input.get(..HEADER) else { return Ok(false) };
        let (signature, rest) = header.split_at(SIGNATURE.len());
        let (flags, extension) = rest.split_at(4);
        // Bits 16 to 31 are critical: who does not know them must give up (bit 16: rows with oids, before PostgreSQL 12).
        let critical = flags[0] != 0 || flags[1] != 0;
        let extension = extension.first_chunk().map_or(-1, |bytes| i32::from_be_bytes(*bytes));
        let extension = usize::try_from(extension).ok().filter(|length| *length <= EXTENSION);
        let (Some(extension), true, false) = (extension, signature == SIGNATURE, critical) else {
            return Err(self.broken("no binary COPY header"));
        };
        if input.len() < HEADER + extension {
            return Ok(false);
        }
        self.position += HEADER + extension;
        self.at = At::Tuple;
        Ok(true)
    }

    /// One tuple, if it is all there: first every length is checked, then every value is taken.
    fn tuple(&mut self) -> Result<bool> {
        let input = &self.input[..];
        let Some(count) = input.get(self.position..).and_then(<[u8]>::first_chunk) else { return Ok(false) };
        let mut at = self.position + 2;
        let count = match i16::from_be_bytes(*count) {
            -1 => {
                self.position = at;
                self.at = At::End;
                return Ok(true);
            }
            count => usize::try_from(count).map_err(|_| self.broken("negative number of fields"))?,
        };
        // Without columns the source was asked for one NULL a row.
        if count != self.columns.len() && !(self.columns.is_empty() && count == 1) {
            return Err(errors::changed(&self.source));
        }
        self.fields.clear();
        for _ in 0..count {
            let Some(length) = input.get(at..).and_then(<[u8]>::first_chunk) else { return Ok(false) };
            at += 4;
            match i32::from_be_bytes(*length) {
                -1 => self.fields.push((at, 0)),
                length => {
                    let length = usize::try_from(length).map_err(|_| self.broken("negative length"))?;
                    if length > ROW_BYTES {
                        return Err(errors::too_large(&self.source));
                    }
                    if input.len() - at < length {
                        return Ok(false);
                    }
                    self.fields.push((at, at + length));
                    at += length;
                }
            }
        }
        for (column, (start, end)) in self.columns.iter_mut().zip(&self.fields) {
            // `at` is never zero, so a NULL's end is before its start.
            let value = input.get(*start..*end);
            column.append(value).map_err(|error| errors::value(&self.source, &column.name, error))?;
        }
        self.position = at;
        self.rows += 1;
        Ok(true)
    }

    fn broken(&self, what: &str) -> Error {
        errors::protocol(&self.source, what)
    }
}

impl Column {
    pub(super) fn append(&mut self, value: Option<&[u8]>) -> Result<()> {
        if !self.text {
            return self.builder.append_binary(value);
        }
        let text = value.map(std::str::from_utf8).transpose().map_err(|_| {
            Error::source_fault(SqlState::CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\"")
        })?;
        self.builder.append_held(text)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::{Int32Type, Schema};

    use super::*;
    use crate::types::{PgType, field};

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            field("id", PgType { oid: 23, typmod: -1 }, true),
            field("name", PgType { oid: 25, typmod: -1 }, true),
        ]))
    }

    fn header() -> Vec<u8> {
        [&SIGNATURE[..], &[0; 8]].concat()
    }

    fn tuple(fields: &[Option<&[u8]>]) -> Vec<u8> {
        let mut bytes = i16::try_from(fields.len()).unwrap().to_be_bytes().to_vec();
        for field in fields {
            match field {
                None => bytes.extend((-1_i32).to_be_bytes()),
                Some(field) => {
                    bytes.extend(i32::try_from(field.len()).unwrap().to_be_bytes());
                    bytes.extend_from_slice(field);
                }
            }
        }
        bytes
    }

    fn run(schema: &SchemaRef, bytes: &[u8], step: usize) -> Result<Vec<RecordBatch>> {
        let mut decoder = Decoder::new("shop", schema, &vec![false; schema.fields().len()]);
        let mut batches = Vec::new();
        for chunk in bytes.chunks(step) {
            decoder.push(Bytes::copy_from_slice(chunk))?;
            while decoder.decode()? == Want::Taking {
                batches.push(decoder.take()?.0);
            }
        }
        decoder.end()?;
        if decoder.rows() > 0 {
            batches.push(decoder.take()?.0);
        }
        Ok(batches)
    }

    #[test]
    fn rows_in_pieces_of_any_size() {
        let mut bytes = header();
        bytes.extend(tuple(&[Some(&7_i32.to_be_bytes()), Some(b"")]));
        bytes.extend(tuple(&[None, Some("é".as_bytes())]));
        bytes.extend(tuple(&[Some(&i32::MIN.to_be_bytes()), None]));
        bytes.extend([0xff, 0xff]);
        for step in 1..=bytes.len() {
            let batches = run(&schema(), &bytes, step).unwrap();
            assert_eq!(batches.len(), 1);
            let ids = batches[0].column(0).as_primitive::<Int32Type>();
            assert_eq!(ids.iter().collect::<Vec<_>>(), [Some(7), None, Some(i32::MIN)]);
            let names = batches[0].column(1).as_string_view();
            assert_eq!(names.iter().collect::<Vec<_>>(), [Some(""), Some("é"), None]);
        }
    }

    #[test]
    fn first_batch_small_and_no_columns_still_count() {
        let mut bytes = header();
        bytes.extend(tuple(&[None]).repeat(10_000));
        bytes.extend([0xff, 0xff]);
        let batches = run(&Arc::new(Schema::empty()), &bytes, 1 << 20).unwrap();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [512, 8192, 1296]);
    }

    #[test]
    fn hostile_bytes_are_errors_that_name_the_source() {
        let with = |tail: &[u8]| [&header()[..], tail].concat();
        let mut oids = header();
        oids[12] = 1;
        let cases: [(Vec<u8>, SqlState); 9] = [
            (b"PGCOPY\n\xff\r\n\x01\0\0\0\0\0\0\0\0".to_vec(), SqlState::PROTOCOL_VIOLATION),
            (oids, SqlState::PROTOCOL_VIOLATION),
            (with(b""), SqlState::PROTOCOL_VIOLATION),
            (with(&[0xff, 0xff, 0]), SqlState::PROTOCOL_VIOLATION),
            (with(&[0xff, 0xfe]), SqlState::PROTOCOL_VIOLATION),
            (with(&[0, 2, 0xff, 0xff, 0xff, 0xfe]), SqlState::PROTOCOL_VIOLATION),
            (with(&[0, 2, 0, 0, 0, 4, 1]), SqlState::PROTOCOL_VIOLATION),
            (with(&[0, 2, 0x7f, 0xff, 0xff, 0xff]), SqlState::PROGRAM_LIMIT_EXCEEDED),
            (with(&tuple(&[None])), SqlState::FEATURE_NOT_SUPPORTED),
        ];
        for (bytes, state) in cases {
            let error = run(&schema(), &bytes, 5).unwrap_err();
            assert_eq!(error.state(), state, "{bytes:?}");
            assert!(error.message().contains("\"shop\""));
        }
    }
}
