//! What a server says that it will not do, or that should be known: its ErrorResponse or NoticeResponse, from whichever hand it came.
//! Must not know: statements, what clients may read of it.

use std::fmt;

use tokio_postgres::error::{DbError, ErrorPosition, Severity};

/// An ErrorResponse, or a NoticeResponse.
#[derive(Debug, Clone, Default)]
pub(super) struct Complaint {
    /// How grave it is, in PostgreSQL's English word.
    pub(super) severity: &'static str,
    /// Its SQLSTATE.
    pub(super) code: String,
    /// Its primary message.
    pub(super) message: String,
    /// Its detail.
    pub(super) detail: Option<String>,
    /// Its hint.
    pub(super) hint: Option<String>,
    /// The character of the statement that it is about, from 1.
    pub(super) position: Option<u32>,
    /// Where the server was.
    pub(super) context: Option<String>,
    /// The schema and the table that it is about.
    pub(super) schema: Option<String>,
    pub(super) table: Option<String>,
    /// The column, the type and the rule of the table that it is about.
    pub(super) column: Option<String>,
    pub(super) datatype: Option<String>,
    pub(super) constraint: Option<String>,
}

impl Complaint {
    /// As the protocol library has it.
    pub(super) fn of(error: &DbError) -> Self {
        let position = match error.position() {
            Some(ErrorPosition::Original(position)) => Some(*position),
            _ => None,
        };
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Complaint {
            severity: error.parsed_severity().map_or("", name),
            code: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: owned(error.detail()),
            hint: owned(error.hint()),
            position,
            context: owned(error.where_()),
            schema: owned(error.schema()),
            table: owned(error.table()),
            column: owned(error.column()),
            datatype: owned(error.datatype()),
            constraint: owned(error.constraint()),
        }
    }

    /// Only the statement failed.
    pub(super) fn is_error(&self) -> bool {
        self.severity == "ERROR"
    }

    /// From the body of the message. `None`: it is malformed.
    pub(super) fn parse(mut body: &[u8]) -> Option<Self> {
        let mut complaint = Complaint::default();
        loop {
            let (kind, rest) = body.split_first()?;
            if *kind == 0 {
                return (!complaint.code.is_empty()).then_some(complaint);
            }
            let end = rest.iter().position(|byte| *byte == 0)?;
            let text = std::str::from_utf8(&rest[..end]).ok()?.to_owned();
            body = &rest[end + 1..];
            match kind {
                b'V' => {
                    complaint.severity = SEVERITIES.into_iter().map(name).find(|name| *name == text).unwrap_or_default()
                }
                b'C' => complaint.code = text,
                b'M' => complaint.message = text,
                b'D' => complaint.detail = Some(text),
                b'H' => complaint.hint = Some(text),
                b'P' => complaint.position = text.parse().ok(),
                b'W' => complaint.context = Some(text),
                b's' => complaint.schema = Some(text),
                b't' => complaint.table = Some(text),
                b'c' => complaint.column = Some(text),
                b'd' => complaint.datatype = Some(text),
                b'n' => complaint.constraint = Some(text),
                _ => {}
            }
        }
    }
}

/// Every severity there is.
const SEVERITIES: [Severity; 8] = [
    Severity::Panic,
    Severity::Fatal,
    Severity::Error,
    Severity::Warning,
    Severity::Notice,
    Severity::Debug,
    Severity::Info,
    Severity::Log,
];

fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::Panic => "PANIC",
        Severity::Fatal => "FATAL",
        Severity::Error => "ERROR",
        Severity::Warning => "WARNING",
        Severity::Notice => "NOTICE",
        Severity::Debug => "DEBUG",
        Severity::Info => "INFO",
        Severity::Log => "LOG",
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Complaint {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_message() {
        let body = b"SFEHLER\0VERROR\0C22012\0Mdivision by zero\0P8\0stx\0\0";
        let complaint = Complaint::parse(body).unwrap();
        assert!(complaint.is_error());
        assert_eq!((complaint.code.as_str(), complaint.position), ("22012", Some(8)));
        assert_eq!(complaint.to_string(), "22012: division by zero");
        for bad in [&b""[..], b"C22012\0", b"C22012", b"\0", b"C\xff\0\0"] {
            assert!(Complaint::parse(bad).is_none());
        }
    }
}
