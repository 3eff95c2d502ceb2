//! What goes wrong at a PostgreSQL source, as clients of Tusk read it: our words, the source's name, its own words as the cause only.
//! Must not know: passwords, addresses, SQL.

use std::fmt;
use std::io;
use std::time::Duration;

use super::complaint::Complaint;
use super::frames::{Breach, ROW_BYTES};
use crate::error::{Error, Result, SqlState};

/// Why a connection could not be had: as much as a client may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    UnknownHost,
    Refused,
    Unreachable,
    TimedOut,
    Tls,
    NoTls,
    Authentication,
    NoPassword,
    NoDatabase,
    TooManyConnections,
    StartingUp,
    LoginRefused,
    Protocol,
    Lost,
}

impl Reason {
    fn detail(self) -> &'static str {
        match self {
            Reason::UnknownHost => "The host name is unknown.",
            Reason::Refused => "Connection refused.",
            Reason::Unreachable => "The host cannot be reached.",
            Reason::TimedOut => "Connection timed out.",
            Reason::Tls => "The TLS handshake failed.",
            Reason::NoTls => "The server does not support TLS, but the configuration requires it.",
            Reason::Authentication => "Authentication failed.",
            Reason::NoPassword => "The server asks for a password, but none is configured.",
            Reason::NoDatabase => "The database does not exist.",
            Reason::TooManyConnections => "The server has too many connections.",
            Reason::StartingUp => "The server is not accepting connections now.",
            Reason::LoginRefused => "The server refused the login.",
            Reason::Protocol => "The server broke the protocol.",
            Reason::Lost => "The server closed the connection.",
        }
    }

    /// The next host of the list would not do better: the server is there and says no.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Reason::Authentication | Reason::NoPassword | Reason::NoDatabase)
    }
}

/// A connection that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) reason: Reason,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.detail())
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Failure { reason, cause: None }
    }
}

impl Failure {
    /// The name could not be resolved.
    pub(super) fn name(error: io::Error) -> Self {
        Failure { reason: Reason::UnknownHost, cause: Some(Box::new(error)) }
    }

    /// The socket could not be connected.
    pub(super) fn socket(error: io::Error) -> Self {
        let reason = match error.kind() {
            // A Unix socket that is not there is a server that does not listen.
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Reason::Refused,
            io::ErrorKind::TimedOut => Reason::TimedOut,
            _ => Reason::Unreachable,
        };
        Failure { reason, cause: Some(Box::new(error)) }
    }

    /// TLS, the login or the session's set-up failed. `why`: what the connection's driver ended with, if it did.
    pub(super) fn login(error: tokio_postgres::Error, why: Option<&tokio_postgres::Error>) -> Self {
        Failure { reason: login_reason(why.unwrap_or(&error)), cause: Some(Box::new(error)) }
    }

    /// As clients read it.
    pub(super) fn into_error(self, source: &str) -> Error {
        unreachable_source(source).with_detail(self.reason.detail()).with_cause(self)
    }
}

fn login_reason(error: &tokio_postgres::Error) -> Reason {
    if let Some(db) = error.as_db_error() {
        return match db.code().code() {
            "28P01" | "28000" => Reason::Authentication,
            "3D000" => Reason::NoDatabase,
            "53300" => Reason::TooManyConnections,
            "57P01" | "57P02" | "57P03" => Reason::StartingUp,
            _ => Reason::LoginRefused,
        };
    }
    if Breach::find(error).is_some() {
        return Reason::Protocol;
    }
    // The library tells its kinds of error apart by their text only: the kind, then what it is made of.
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let text = format!("{error}: {cause}");
    if text.contains("server does not support TLS") {
        Reason::NoTls
    } else if text.starts_with("error performing TLS handshake") {
        Reason::Tls
    } else if text.contains("password missing") {
        Reason::NoPassword
    } else if text.starts_with("authentication error") {
        Reason::Authentication
    } else if error.is_closed() || text.starts_with("error communicating with the server") {
        Reason::Lost
    } else {
        Reason::Protocol
    }
}

fn unreachable_source(source: &str) -> Error {
    Error::source_fault(SqlState::CONNECT_FAILED, format!("could not connect to source \"{source}\""))
}

/// Every connection of the pool was in use for as long as one may wait.
pub(super) fn busy(source: &str, maximum: usize, waited: Duration) -> Error {
    let seconds = waited.as_secs_f64();
    Error::source_fault(SqlState::TOO_MANY_CONNECTIONS, format!("source \"{source}\" is busy"))
        .with_detail(format!("All {maximum} connections of its pool were in use for {seconds} seconds."))
}

/// The source did not answer in time.
pub(super) fn silent(source: &str, waited: Duration) -> Error {
    Error::source_fault(SqlState::CONNECTION_FAILURE, format!("source \"{source}\" did not answer in time"))
        .with_detail(format!("It was given {} seconds.", waited.as_secs_f64()))
}

/// A connection broke while it was used. `why`: what its driver ended with.
pub(super) fn lost(source: &str, why: Option<&tokio_postgres::Error>) -> Error {
    lost_by(source, why.map(|why| why as _))
}

/// The same, whatever it ended with.
pub(super) fn lost_by(source: &str, why: Option<&(dyn std::error::Error + 'static)>) -> Error {
    match why.and_then(Breach::find) {
        Some(Breach::RowTooLarge) => too_large(source),
        Some(breach) => protocol(source, breach.to_string()),
        None => {
            let error = Error::source_fault(
                SqlState::CONNECTION_FAILURE,
                format!("connection to source \"{source}\" was lost"),
            );
            match why {
                Some(why) => error.with_cause(io::Error::other(why.to_string())),
                None => error,
            }
        }
    }
}

/// The session settings of a client could not be set.
pub(super) fn setting(source: &str, error: tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(db) => refused_setting(source, Complaint::of(db)),
        None => statement(source, error, None).0,
    }
}

/// The same of what the server says.
pub(super) fn refused_setting(source: &str, complaint: Complaint) -> Error {
    let message = format!("source \"{source}\" does not take a setting of this session");
    Error::source_fault(SqlState::INVALID_PARAMETER_VALUE, message).with_cause(complaint)
}

/// What the source sent cannot be.
pub(super) fn protocol(source: &str, what: impl Into<String>) -> Error {
    Error::source_fault(SqlState::PROTOCOL_VIOLATION, format!("source \"{source}\" broke the protocol"))
        .with_cause(io::Error::new(io::ErrorKind::InvalidData, what.into()))
}

/// A row is larger than we hold.
pub(super) fn too_large(source: &str) -> Error {
    Error::source_fault(SqlState::PROGRAM_LIMIT_EXCEEDED, format!("a row of source \"{source}\" is too large"))
        .with_detail(format!("Rows of more than {} bytes are not read.", ROW_BYTES))
}

/// Rows came that are not what the statement was written for.
pub(super) fn changed(source: &str) -> Error {
    Error::source_fault(SqlState::FEATURE_NOT_SUPPORTED, format!("the schema of source \"{source}\" has changed"))
        .with_hint("Run the statement again, or refresh the source first.")
}

/// A value could not be read.
pub(super) fn value(source: &str, column: &str, error: Error) -> Error {
    Error::source_fault(error.state(), format!("source \"{source}\": {}", error.message()))
        .with_context(format!("column \"{column}\""))
        .with_cause(error)
}

/// A statement failed at the source. The second part: whether the connection is still good.
pub(super) fn statement(
    source: &str,
    error: tokio_postgres::Error,
    why: Option<&tokio_postgres::Error>,
) -> (Error, bool) {
    if let Some(db) = error.as_db_error() {
        return complaint(source, Complaint::of(db));
    }
    let error = if error.is_closed() || Breach::find(&error).is_some() {
        lost(source, why.or(Some(&error)))
    } else {
        protocol(source, error.to_string())
    };
    (error, false)
}

/// The same of what the server says.
pub(super) fn complaint(source: &str, complaint: Complaint) -> (Error, bool) {
    let code = complaint.code.as_str();
    let healthy = complaint.is_error() && !code.starts_with("57P") && !code.starts_with("08");
    let mapped = match refusal(source, code) {
        Some(mapped) => mapped,
        // Errors of the data: what a local evaluation would say too, so its words are the client's.
        None if code.starts_with("22") => Error::source_fault(
            SqlState::from_code(code).unwrap_or(SqlState::SYSTEM_ERROR),
            format!("source \"{source}\": {}", complaint.message),
        ),
        None => Error::source_fault(
            SqlState::SYSTEM_ERROR,
            format!("source \"{source}\" could not run its part of the statement"),
        )
        .with_detail(format!("It answered with SQLSTATE {code}.")),
    };
    (mapped.with_cause(complaint), healthy)
}

/// The SQLSTATEs of a source that mean something to a client of Tusk.
fn refusal(source: &str, code: &str) -> Option<Error> {
    let say = |state, text: &str| Some(Error::source_fault(state, format!("source \"{source}\" {text}")));
    match code {
        "57014" => say(SqlState::QUERY_CANCELED, "canceled its part of the statement"),
        "25006" => say(SqlState::READ_ONLY_SQL_TRANSACTION, "is read-only"),
        "42501" => say(SqlState::INSUFFICIENT_PRIVILEGE, "denied permission to the account that Tusk uses"),
        "42P01" => say(SqlState::UNDEFINED_TABLE, "does not have this table any more"),
        "42703" => say(SqlState::UNDEFINED_COLUMN, "does not have this column any more"),
        "40001" | "40P01" => say(SqlState::SERIALIZATION_FAILURE, "ended its part of the statement: run it again"),
        "55000" => say(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "is not in a state for its part of the statement"),
        "55P03" => say(SqlState::LOCK_NOT_AVAILABLE, "could not lock a table in time"),
        "53100" => say(SqlState::DISK_FULL, "has no space left"),
        "53200" => say(SqlState::OUT_OF_MEMORY, "is out of memory"),
        "53300" => say(SqlState::TOO_MANY_CONNECTIONS, "has too many connections"),
        "0A000" => say(SqlState::FEATURE_NOT_SUPPORTED, "does not support its part of the statement"),
        "XX001" | "XX002" => say(SqlState::DATA_CORRUPTED, "holds corrupt data"),
        _ if code.starts_with("08") || code.starts_with("57P") => Some(lost(source, None)),
        _ if code.starts_with("54") => say(SqlState::PROGRAM_LIMIT_EXCEEDED, "reached a limit"),
        _ => None,
    }
}

/// `result`, or the error as clients read it.
pub(super) fn checked<T>(
    source: &str,
    result: std::result::Result<T, tokio_postgres::Error>,
    why: Option<&tokio_postgres::Error>,
) -> Result<T> {
    result.map_err(|error| statement(source, error, why).0)
}
