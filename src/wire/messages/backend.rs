//! The buffer of what a client is told: one method per message, rows written in place.
//! Must not know: which message is due when.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use pgwire::messages::Message;
use pgwire::messages::copy::{CopyInResponse, CopyOutResponse};
use pgwire::messages::startup::{Authentication, NegotiateProtocolVersion};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::fields::{Severity, put_fields, put_text};
use crate::error::{Error, Result, SqlState};

/// A buffer larger than this is given back once it is empty, in bytes.
const KEPT_BYTES: usize = 256 * 1024;

/// So many bytes are cheaper to send on their own than to copy behind others.
const UNCOPIED: usize = 16 * 1024;

/// One column of a RowDescription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnDescription<'a> {
    /// Its name.
    pub name: &'a str,
    /// The OID of the table it comes from; 0: none.
    pub table_oid: u32,
    /// Its number in that table, from 1; 0: none.
    pub attribute: i16,
    /// The OID of its type.
    pub type_oid: u32,
    /// The size of its type in bytes; -1: varies.
    pub type_length: i16,
    /// Its type modifier; -1: none.
    pub typmod: i32,
    /// 0 text, 1 binary.
    pub format: i16,
}

/// The format of COPY data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyFormat {
    /// Text or CSV.
    Text,
    /// Binary.
    Binary,
}

impl CopyFormat {
    fn code(self) -> i8 {
        match self {
            CopyFormat::Text => 0,
            CopyFormat::Binary => 1,
        }
    }
}

/// Where a message began that is still being written.
#[derive(Debug)]
#[must_use = "finish_row or abort_row"]
pub struct RowMark(usize);

/// What a client is told, until it is flushed.
#[derive(Debug, Default)]
pub struct BackendWriter {
    /// Messages that leave as they came, before `out`.
    relayed: Bytes,
    out: BytesMut,
    /// A message could not be encoded: the connection must not go on.
    broken: Option<&'static str>,
}

impl BackendWriter {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes that wait to be flushed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.relayed.len() + self.out.len()
    }

    /// Whether nothing waits to be flushed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.relayed.is_empty() && self.out.is_empty()
    }

    /// Whole messages relayed from a source, behind all others. Many at once are not copied.
    pub fn relay(&mut self, messages: Bytes) {
        if self.is_empty() && messages.len() >= UNCOPIED {
            self.relayed = messages;
        } else {
            self.out.extend_from_slice(&messages);
        }
    }

    /// The buffer itself: for the columns of a row that has begun.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.out
    }

    /// Sends everything. May be dropped while it waits: what was not sent stays.
    ///
    /// # Errors
    /// The peer is gone.
    pub async fn flush<W: AsyncWrite + Unpin>(&mut self, stream: &mut W) -> io::Result<()> {
        if let Some(what) = self.broken {
            return Err(io::Error::other(format!("{what} could not be encoded")));
        }
        while !self.is_empty() {
            if stream.write_buf(&mut (&mut self.relayed).chain(&mut self.out)).await? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        // An empty part of what was read would hold all of it.
        self.relayed = Bytes::new();
        if self.out.capacity() > KEPT_BYTES {
            self.out = BytesMut::new();
        }
        stream.flush().await
    }

    /// Writes a message: type, length, and the body that `body` appends.
    fn message(&mut self, kind: u8, body: impl FnOnce(&mut BytesMut)) {
        let start = self.begin(kind);
        body(&mut self.out);
        if !self.finish(start) {
            self.broken = Some("a message of more than 1 GiB");
        }
    }

    fn begin(&mut self, kind: u8) -> usize {
        let start = self.out.len();
        self.out.put_u8(kind);
        self.out.put_u32(0);
        start
    }

    /// Fills in the length of the message that began at `start`. False: it is too long, and taken back.
    fn finish(&mut self, start: usize) -> bool {
        let length = self.out.len().saturating_sub(start + 1);
        // PostgreSQL and libpq hold no message beyond 1 GiB.
        match (self.out.get_mut(start + 1..start + 5), u32::try_from(length)) {
            (Some(place), Ok(declared)) if declared < 0x4000_0000 => {
                place.copy_from_slice(&declared.to_be_bytes());
                true
            }
            _ => {
                self.out.truncate(start);
                false
            }
        }
    }

    /// Writes a message of pgwire's, whole or not at all.
    fn put(&mut self, what: &'static str, message: &impl Message) {
        let start = self.out.len();
        if message.encode(&mut self.out).is_err() {
            self.out.truncate(start);
            self.broken = Some(what);
        }
    }

    /// AuthenticationOk.
    pub fn authentication_ok(&mut self) {
        self.put("AuthenticationOk", &Authentication::Ok);
    }

    /// AuthenticationSASL: the mechanisms offered, the preferred one first.
    pub fn authentication_sasl(&mut self, mechanisms: &[&str]) {
        let names = mechanisms.iter().map(|name| (*name).to_owned()).collect();
        self.put("AuthenticationSASL", &Authentication::SASL(names));
    }

    /// AuthenticationSASLContinue.
    pub fn authentication_sasl_continue(&mut self, data: &[u8]) {
        self.put("AuthenticationSASLContinue", &Authentication::SASLContinue(data.to_vec().into()));
    }

    /// AuthenticationSASLFinal.
    pub fn authentication_sasl_final(&mut self, data: &[u8]) {
        self.put("AuthenticationSASLFinal", &Authentication::SASLFinal(data.to_vec().into()));
    }

    /// NegotiateProtocolVersion: the version that will be spoken (all 32 bits) and the options that are unknown.
    pub fn negotiate_protocol_version(&mut self, version: i32, unknown: &[String]) {
        self.put("NegotiateProtocolVersion", &NegotiateProtocolVersion::new(version, unknown.to_vec()));
    }

    /// BackendKeyData. Keys have 4 bytes in protocol 3.0, up to 256 from 3.2 on.
    pub fn backend_key_data(&mut self, pid: i32, key: &[u8]) {
        self.message(b'K', |out| {
            out.put_i32(pid);
            out.put_slice(key);
        });
    }

    /// ParameterStatus.
    pub fn parameter_status(&mut self, name: &str, value: &str) {
        self.message(b'S', |out| {
            put_text(out, name);
            put_text(out, value);
        });
    }

    /// NotificationResponse: what a session said on a channel.
    pub fn notification_response(&mut self, pid: i32, channel: &str, payload: &str) {
        self.message(b'A', |out| {
            out.put_i32(pid);
            put_text(out, channel);
            put_text(out, payload);
        });
    }

    /// ReadyForQuery: `I` idle, `T` in a transaction block, `E` in a failed one.
    pub fn ready_for_query(&mut self, status: u8) {
        self.message(b'Z', |out| out.put_u8(status));
    }

    /// ErrorResponse. `severity` is [`Severity::Error`] or [`Severity::Fatal`]; the query id is shown for bugs of ours.
    pub fn error_response(&mut self, error: &Error, severity: Severity, query_id: Option<&str>) {
        self.message(b'E', |out| put_fields(out, error, severity, query_id));
    }

    /// NoticeResponse.
    pub fn notice_response(&mut self, notice: &Error, severity: Severity) {
        self.message(b'N', |out| put_fields(out, notice, severity, None));
    }

    /// RowDescription.
    ///
    /// # Errors
    /// `54011`: more columns than the protocol can count.
    pub fn row_description<'a>(&mut self, columns: impl ExactSizeIterator<Item = ColumnDescription<'a>>) -> Result<()> {
        let count = columns_count(columns.len())?;
        self.message(b'T', |out| {
            out.put_i16(count);
            for column in columns {
                put_text(out, column.name);
                out.put_u32(column.table_oid);
                out.put_i16(column.attribute);
                out.put_u32(column.type_oid);
                out.put_i16(column.type_length);
                out.put_i32(column.typmod);
                out.put_i16(column.format);
            }
        });
        Ok(())
    }

    /// Begins a DataRow of this many columns. Each column then appends to [`BackendWriter::buffer`] its length as an
    /// `i32` (-1: NULL) and its bytes; [`BackendWriter::finish_row`] ends it.
    pub fn begin_row(&mut self, columns: i16) -> RowMark {
        let start = self.begin(b'D');
        self.out.put_i16(columns);
        RowMark(start)
    }

    /// Begins a CopyData message; its bytes are appended to [`BackendWriter::buffer`], [`BackendWriter::finish_row`]
    /// ends it.
    pub fn begin_copy_data(&mut self) -> RowMark {
        RowMark(self.begin(b'd'))
    }

    /// Ends a message that has begun.
    ///
    /// # Errors
    /// `54000`: it has more than 1 GiB; it is taken back.
    pub fn finish_row(&mut self, mark: RowMark) -> Result<()> {
        if self.finish(mark.0) {
            return Ok(());
        }
        Err(Error::resource(SqlState::PROGRAM_LIMIT_EXCEEDED, "row is too large for a message of the protocol")
            .with_detail("A row may have 1 GiB."))
    }

    /// Takes back a message that has begun (a column of it failed).
    pub fn abort_row(&mut self, mark: RowMark) {
        self.out.truncate(mark.0);
    }

    /// CommandComplete with its tag.
    pub fn command_complete(&mut self, tag: &str) {
        self.message(b'C', |out| put_text(out, tag));
    }

    /// ParseComplete.
    pub fn parse_complete(&mut self) {
        self.message(b'1', |_| {});
    }

    /// BindComplete.
    pub fn bind_complete(&mut self) {
        self.message(b'2', |_| {});
    }

    /// CloseComplete.
    pub fn close_complete(&mut self) {
        self.message(b'3', |_| {});
    }

    /// NoData.
    pub fn no_data(&mut self) {
        self.message(b'n', |_| {});
    }

    /// ParameterDescription: the type OID of each parameter.
    ///
    /// # Errors
    /// `54000`: more parameters than the protocol can count.
    pub fn parameter_description(&mut self, types: &[u32]) -> Result<()> {
        let count = u16::try_from(types.len())
            .map_err(|_| Error::client(SqlState::PROGRAM_LIMIT_EXCEEDED, "statement has more than 65535 parameters"))?;
        self.message(b't', |out| {
            out.put_u16(count);
            for oid in types {
                out.put_u32(*oid);
            }
        });
        Ok(())
    }

    /// PortalSuspended.
    pub fn portal_suspended(&mut self) {
        self.message(b's', |_| {});
    }

    /// EmptyQueryResponse.
    pub fn empty_query_response(&mut self) {
        self.message(b'I', |_| {});
    }

    /// CopyOutResponse: every column in the same format.
    ///
    /// # Errors
    /// `54011`: more columns than the protocol can count.
    pub fn copy_out_response(&mut self, format: CopyFormat, columns: usize) -> Result<()> {
        let count = columns_count(columns)?;
        let formats = vec![i16::from(format.code()); columns];
        self.put("CopyOutResponse", &CopyOutResponse::new(format.code(), count, formats));
        Ok(())
    }

    /// CopyInResponse: every column in the same format.
    ///
    /// # Errors
    /// `54011`: more columns than the protocol can count.
    pub fn copy_in_response(&mut self, format: CopyFormat, columns: usize) -> Result<()> {
        let count = columns_count(columns)?;
        let formats = vec![i16::from(format.code()); columns];
        self.put("CopyInResponse", &CopyInResponse::new(format.code(), count, formats));
        Ok(())
    }

    /// CopyData with these bytes.
    pub fn copy_data(&mut self, data: &[u8]) {
        self.message(b'd', |out| out.put_slice(data));
    }

    /// CopyDone.
    pub fn copy_done(&mut self) {
        self.message(b'c', |_| {});
    }
}

fn columns_count(columns: usize) -> Result<i16> {
    i16::try_from(columns)
        .map_err(|_| Error::client(SqlState::TOO_MANY_COLUMNS, "target lists can have at most 1664 entries"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_back_patched() {
        let mut writer = BackendWriter::new();
        let mark = writer.begin_row(2);
        writer.buffer().put_i32(-1);
        writer.buffer().put_i32(1);
        writer.buffer().put_u8(b'x');
        writer.finish_row(mark).unwrap();
        let mark = writer.begin_row(1);
        writer.buffer().put_i32(99);
        writer.abort_row(mark);
        assert_eq!(&writer.buffer()[..], b"D\0\0\0\x0f\0\x02\xff\xff\xff\xff\0\0\0\x01x");
    }

    #[tokio::test]
    async fn what_is_relayed_keeps_its_place() {
        let mut writer = BackendWriter::new();
        let many = Bytes::from(vec![b'm'; UNCOPIED]);
        writer.relay(many.clone());
        writer.ready_for_query(b'I');
        writer.relay(many.clone());
        assert_eq!(writer.len(), 2 * UNCOPIED + 6);
        let mut sent = Vec::new();
        writer.flush(&mut sent).await.unwrap();
        assert!(writer.is_empty());
        assert_eq!(sent, [&many[..], b"Z\0\0\0\x05I", &many[..]].concat());
    }

    #[test]
    fn a_nul_cannot_shift_fields() {
        let mut writer = BackendWriter::new();
        let error = Error::client(SqlState::SYNTAX_ERROR, "a\0b").with_position(7);
        writer.error_response(&error, Severity::Error, None);
        assert_eq!(&writer.buffer()[5..], b"SERROR\0VERROR\0C42601\0Mab\0P7\0\0");
    }

    #[test]
    fn a_bug_shows_its_query_id_only() {
        let mut writer = BackendWriter::new();
        let error = Error::internal("secret path").with_detail("secret").with_hint("secret").with_context("secret");
        writer.error_response(&error, Severity::Fatal, Some("q-1"));
        assert_eq!(&writer.buffer()[5..], b"SFATAL\0VFATAL\0CXX000\0Minternal error\0DQuery id: q-1\0\0");
    }

    #[test]
    fn cold_messages_have_the_protocols_form() {
        let mut writer = BackendWriter::new();
        writer.authentication_ok();
        writer.backend_key_data(7, &[1, 2, 3, 4]);
        writer.negotiate_protocol_version(196_610, &["_pq_.x".into()]);
        writer.copy_out_response(CopyFormat::Binary, 1).unwrap();
        writer.ready_for_query(b'I');
        let expected: &[u8] = b"R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\x07\x01\x02\x03\x04\
            v\0\0\0\x13\0\x03\0\x02\0\0\0\x01_pq_.x\0H\0\0\0\x09\x01\0\x01\0\x01Z\0\0\0\x05I";
        assert_eq!(&writer.buffer()[..], expected);
    }
}
