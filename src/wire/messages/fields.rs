//! Errors and notices as bytes: the one place that decides what of an [`Error`] a client may read.
//! Must not know: sockets, sessions.

use bytes::{BufMut, BytesMut};

use crate::error::{About, Error, Fault};

/// How grave it is, in PostgreSQL's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The statement failed.
    Error,
    /// The session ends.
    Fatal,
    /// A notice: something is probably not as meant.
    Warning,
    /// A notice.
    Notice,
    /// A notice that is sent whatever `client_min_messages` says.
    Info,
    /// A notice that PostgreSQL would log.
    Log,
    /// A notice for people who look for a fault.
    Debug,
}

impl Severity {
    /// As the protocol writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "ERROR",
            Severity::Fatal => "FATAL",
            Severity::Warning => "WARNING",
            Severity::Notice => "NOTICE",
            Severity::Info => "INFO",
            Severity::Log => "LOG",
            Severity::Debug => "DEBUG",
        }
    }
}

/// Appends the fields of an ErrorResponse or NoticeResponse.
///
/// A bug of ours shows its query id and nothing else: what went wrong inside is for the log.
pub(super) fn put_fields(out: &mut BytesMut, error: &Error, severity: Severity, query_id: Option<&str>) {
    put_field(out, b'S', severity.name());
    put_field(out, b'V', severity.name());
    put_field(out, b'C', error.state().code());
    if error.fault() == Fault::Internal {
        put_field(out, b'M', "internal error");
        if let Some(query_id) = query_id {
            put_field(out, b'D', &format!("Query id: {query_id}"));
        }
    } else {
        put_field(out, b'M', error.message());
        for (code, text) in [(b'D', error.detail()), (b'H', error.hint())] {
            if let Some(text) = text {
                put_field(out, code, text);
            }
        }
        if let Some(position) = error.position() {
            put_field(out, b'P', &position.to_string());
        }
        if let Some(context) = error.context() {
            put_field(out, b'W', context);
        }
        if let Some(About { schema, table, column, datatype, constraint }) = error.about() {
            let named = [(b's', schema), (b't', table), (b'c', column), (b'd', datatype), (b'n', constraint)];
            for (code, name) in named {
                if let Some(name) = name {
                    put_field(out, code, name);
                }
            }
        }
    }
    out.put_u8(0);
}

fn put_field(out: &mut BytesMut, code: u8, text: &str) {
    out.put_u8(code);
    put_text(out, text);
}

/// Appends a string and its terminator. A NUL inside would end it early and shift what follows: it is left out.
pub(super) fn put_text(out: &mut BytesMut, text: &str) {
    for part in text.as_bytes().split(|byte| *byte == 0) {
        out.put_slice(part);
    }
    out.put_u8(0);
}
