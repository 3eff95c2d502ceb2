//! What a server says that it will not do: its ErrorResponse, from whichever hand it came.
//! Must not know: statements, what clients may read of it.

use std::fmt;

use tokio_postgres::error::{DbError, ErrorPosition, Severity};

/// An ErrorResponse.
#[derive(Debug, Clone, Default)]
pub(super) struct Complaint {
    /// Only the statement failed: its severity is ERROR.
    pub(super) is_error: bool,
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
            is_error: matches!(error.parsed_severity(), Some(Severity::Error)),
            code: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: owned(error.detail()),
            hint: owned(error.hint()),
            position,
            context: owned(error.where_()),
            schema: owned(error.schema()),
            table: owned(error.table()),
        }
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
                b'V' => complaint.is_error = text == "ERROR",
                b'C' => complaint.code = text,
                b'M' => complaint.message = text,
                b'D' => complaint.detail = Some(text),
                b'H' => complaint.hint = Some(text),
                b'P' => complaint.position = text.parse().ok(),
                b'W' => complaint.context = Some(text),
                b's' => complaint.schema = Some(text),
                b't' => complaint.table = Some(text),
                _ => {}
            }
        }
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
        assert!(complaint.is_error);
        assert_eq!((complaint.code.as_str(), complaint.position), ("22012", Some(8)));
        assert_eq!(complaint.to_string(), "22012: division by zero");
        for bad in [&b""[..], b"C22012\0", b"C22012", b"\0", b"C\xff\0\0"] {
            assert!(Complaint::parse(bad).is_none());
        }
    }
}
