//! Opening a SQLite file so that nothing can be written, attached, loaded or left behind; and what its errors mean.
//! Must not know: types, batches.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::{Error, Result, SqlState};

/// How long a statement waits for a writer's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Instructions of SQLite's machine between two looks at the stop flag: well under a millisecond.
const PROGRESS_STEPS: i32 = 2000;
/// The largest value that is read, in bytes.
const MAX_VALUE_BYTES: i32 = 256 * 1024 * 1024;
/// The longest statement, in bytes.
const MAX_SQL_BYTES: i32 = 16 * 1024 * 1024;

/// A SQLite file that is named but not open.
#[derive(Debug, Clone)]
pub(super) struct Database {
    source: Arc<str>,
    path: PathBuf,
}

/// An open connection, and what the file was when it was opened.
pub(super) struct Opened {
    pub(super) connection: Connection,
    /// Tables that the statements prepared so far read, in order of first mention.
    pub(super) tables: Arc<Mutex<Vec<String>>>,
    path: PathBuf,
    identity: Identity,
    /// No writer was at work, so the file was opened without locks: it must still be the same at the end.
    immutable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    size: u64,
    modified: Option<SystemTime>,
    inode: (u64, u64),
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Identity { size: metadata.len(), modified: metadata.modified().ok(), inode: (metadata.dev(), metadata.ino()) }
    }
}

/// The journal that the file's header names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Journal {
    Rollback,
    WriteAhead,
}

impl Database {
    pub(super) fn new(source: Arc<str>, path: PathBuf) -> Self {
        Database { source, path }
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// The file's name without its folder: what messages may say.
    pub(super) fn file_name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Looks whether the file is there and is a SQLite database, without opening it as one.
    pub(super) fn probe(&self) -> Result<()> {
        let (path, _) = self.locate()?;
        self.journal(&path).map(|_| ())
    }

    /// Opens it for reading and locks the connection down. When `stop` is set, running statements end with an interrupt.
    pub(super) fn open(&self, stop: Arc<AtomicBool>) -> Result<Opened> {
        let (path, identity) = self.locate()?;
        let immutable = match self.journal(&path)? {
            Journal::Rollback => false,
            // Reading a write-ahead log needs files beside the database. Where the log is empty, all of it is in the database.
            Journal::WriteAhead => std::fs::metadata(beside(&path, "-wal")).map_or(true, |wal| wal.len() == 0),
        };
        let uri = file_uri(&path, immutable);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let connection = Connection::open_with_flags(uri, flags).map_err(|e| self.error(e))?;
        let tables = Arc::new(Mutex::new(Vec::new()));
        let mut opened = Opened { connection, tables, path, identity, immutable };
        lock_down(&mut opened, stop).map_err(|e| self.error(e))?;
        Ok(opened)
    }

    /// The file behind links, which must be a regular file.
    fn locate(&self) -> Result<(PathBuf, Identity)> {
        let path = std::fs::canonicalize(&self.path).map_err(|e| self.io_error(e))?;
        let metadata = std::fs::symlink_metadata(&path).map_err(|e| self.io_error(e))?;
        if !metadata.is_file() {
            return Err(Error::source_fault(
                SqlState::IO_ERROR,
                format!("\"{}\" of source \"{}\" is not a regular file", self.file_name(), self.source),
            ));
        }
        Ok((path, Identity::of(&metadata)))
    }

    fn journal(&self, path: &Path) -> Result<Journal> {
        let mut header = [0_u8; 20];
        let mut file = File::open(path).map_err(|e| self.io_error(e))?;
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Err(self.changed());
        }
        if file.read_exact(&mut header).is_err() || !header.starts_with(b"SQLite format 3\0") {
            return Err(self.corrupt("it has no SQLite header"));
        }
        Ok(if header[18] == 2 || header[19] == 2 { Journal::WriteAhead } else { Journal::Rollback })
    }

    fn io_error(&self, cause: std::io::Error) -> Error {
        let name = self.file_name();
        let (state, what) = match cause.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                (SqlState::UNDEFINED_FILE, "does not exist")
            }
            _ => (SqlState::IO_ERROR, "cannot be read"),
        };
        Error::source_fault(state, format!("file \"{name}\" of source \"{}\" {what}", self.source)).with_cause(cause)
    }

    /// The file is not what it was when the statement began.
    pub(super) fn changed(&self) -> Error {
        Error::source_fault(
            SqlState::SERIALIZATION_FAILURE,
            format!("file \"{}\" of source \"{}\" changed during scan", self.file_name(), self.source),
        )
        .with_hint("Run the statement again.")
    }

    fn corrupt(&self, why: &str) -> Error {
        Error::source_fault(
            SqlState::DATA_CORRUPTED,
            format!("file \"{}\" of source \"{}\" is not a sound SQLite database", self.file_name(), self.source),
        )
        .with_detail(format!("SQLite says: {why}."))
    }

    /// What an error of SQLite means to a client. Every code is named: none falls through to a wrong class.
    pub(super) fn error(&self, cause: rusqlite::Error) -> Error {
        let code = match &cause {
            rusqlite::Error::SqliteFailure(error, _) | rusqlite::Error::SqlInputError { error, .. } => *error,
            rusqlite::Error::Utf8Error(..) => {
                return Error::source_fault(
                    SqlState::CHARACTER_NOT_IN_REPERTOIRE,
                    format!("source \"{}\" holds text that is not UTF-8", self.source),
                )
                .with_cause(cause);
            }
            _ => {
                return Error::internal(format!("unexpected answer of SQLite source \"{}\"", self.source))
                    .with_cause(cause);
            }
        };
        let said = cause.to_string();
        let error = match code.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Error::source_fault(
                SqlState::LOCK_NOT_AVAILABLE,
                format!("source \"{}\" is locked by a writer", self.source),
            )
            .with_detail(format!("The lock was not given up within {} seconds.", BUSY_TIMEOUT.as_secs())),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => self.corrupt(&said),
            ErrorCode::OperationInterrupted | ErrorCode::OperationAborted => Error::canceled(),
            ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
                self.with_hint(Error::source_fault(
                    SqlState::IO_ERROR,
                    format!("file \"{}\" of source \"{}\" cannot be opened", self.file_name(), self.source),
                ))
            }
            ErrorCode::SystemIoFailure | ErrorCode::FileLockingProtocolFailed | ErrorCode::NoLargeFileSupport => self
                .with_hint(Error::source_fault(
                    SqlState::IO_ERROR,
                    format!("file \"{}\" of source \"{}\" cannot be read", self.file_name(), self.source),
                )),
            ErrorCode::DiskFull => {
                Error::resource(SqlState::DISK_FULL, "no space left for the temporary files of SQLite")
            }
            ErrorCode::OutOfMemory => Error::resource(SqlState::OUT_OF_MEMORY, "out of memory in SQLite"),
            ErrorCode::TooBig => Error::resource(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!("a value or statement is too large for source \"{}\"", self.source),
            ),
            ErrorCode::SchemaChanged | ErrorCode::Unknown => self.statement_failed(&said),
            ErrorCode::AuthorizationForStatementDenied
            | ErrorCode::InternalMalfunction
            | ErrorCode::NotFound
            | ErrorCode::ConstraintViolation
            | ErrorCode::TypeMismatch
            | ErrorCode::ApiMisuse
            | ErrorCode::ParameterOutOfRange => {
                Error::internal(format!("source \"{}\" refused a statement: {said}", self.source))
            }
            // The enum is open; a code that this version does not know is a failure of the source.
            _ => self.statement_failed(&said),
        };
        error.with_cause(cause)
    }

    /// What a reader that may not write can do about it: the files beside the database tell.
    fn with_hint(&self, error: Error) -> Error {
        let Ok(path) = std::fs::canonicalize(&self.path) else { return error };
        if beside(&path, "-wal").exists() {
            return error.with_hint(
                "It has a write-ahead log, which cannot be read without its \"-shm\" file: let the folder be writable for Tusk, \
                 or empty the log with \"PRAGMA wal_checkpoint(TRUNCATE)\".",
            );
        }
        if beside(&path, "-journal").exists() {
            return error.with_hint(
                "A writer was interrupted and left a journal, which Tusk does not roll back: open the database once with a tool \
                 that may write.",
            );
        }
        error
    }

    /// SQLITE_ERROR: a table or column that is gone, or a function that failed while it ran.
    fn statement_failed(&self, said: &str) -> Error {
        let state = if said.contains("no such table") {
            SqlState::UNDEFINED_TABLE
        } else if said.contains("no such column") {
            SqlState::UNDEFINED_COLUMN
        } else if said.contains("integer overflow") {
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE
        } else {
            SqlState::SYSTEM_ERROR
        };
        Error::source_fault(state, format!("source \"{}\" could not run a statement", self.source))
            .with_detail(format!("SQLite says: {said}."))
    }
}

impl Opened {
    /// Whether what was read without locks is still what the file says.
    pub(super) fn check_unchanged(&self, database: &Database) -> Result<()> {
        if !self.immutable {
            return Ok(());
        }
        match std::fs::symlink_metadata(&self.path) {
            Ok(now) if Identity::of(&now) == self.identity => Ok(()),
            _ => Err(database.changed()),
        }
    }
}

fn lock_down(opened: &mut Opened, stop: Arc<AtomicBool>) -> rusqlite::Result<()> {
    let connection = &mut opened.connection;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false)?;
    // Double-quoted strings: a misspelt column must be an error, not a string.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // Cells that lie outside their page are found while reading, not only by an integrity check.
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)?;
    connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, MAX_SQL_BYTES)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.set_limit(Limit::SQLITE_LIMIT_WORKER_THREADS, 0)?;
    connection.set_limit(Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1)?;
    connection.progress_handler(PROGRESS_STEPS, Some(move || stop.load(Ordering::Relaxed)))?;
    let tables = Arc::clone(&opened.tables);
    connection.authorizer(Some(move |context: AuthContext<'_>| authorize(&context, &tables)))
}

/// Reading is all that is allowed; the pragmas are those that introspection reads.
fn authorize(context: &AuthContext<'_>, tables: &Mutex<Vec<String>>) -> Authorization {
    match context.action {
        AuthAction::Select | AuthAction::Recursive => Authorization::Allow,
        AuthAction::Read { table_name, .. } => {
            let mut tables = tables.lock();
            if !tables.iter().any(|known| known == table_name) {
                tables.push(table_name.to_owned());
            }
            Authorization::Allow
        }
        AuthAction::Function { function_name } => match function_name.to_ascii_lowercase().as_str() {
            "load_extension" | "fts3_tokenizer" | "writefile" | "readfile" | "edit" | "sqlite_compileoption_get" => {
                Authorization::Deny
            }
            _ => Authorization::Allow,
        },
        AuthAction::Pragma { pragma_name, pragma_value } => match pragma_name.to_ascii_lowercase().as_str() {
            "table_xinfo" | "table_list" | "index_list" | "index_xinfo" | "foreign_key_list" => Authorization::Allow,
            "encoding" if pragma_value.is_none() => Authorization::Allow,
            _ => Authorization::Deny,
        },
        // BEGIN and its end: several reads of one snapshot.
        AuthAction::Transaction { .. } => Authorization::Allow,
        _ => Authorization::Deny,
    }
}

/// The path of a companion file of the database.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The path as a URI: every byte that could end the path or begin a parameter is escaped.
fn file_uri(path: &Path, immutable: bool) -> String {
    use std::fmt::Write;
    use std::os::unix::ffi::OsStrExt;
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => uri.push(char::from(*byte)),
            other => {
                let _ = write!(uri, "%{other:02X}");
            }
        }
    }
    uri.push_str("?mode=ro");
    if immutable {
        uri.push_str("&immutable=1");
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_escape_what_would_end_the_path() {
        assert_eq!(file_uri(Path::new("/a b/c?mode=rw#x.db"), false), "file:/a%20b/c%3Fmode%3Drw%23x.db?mode=ro");
        assert!(file_uri(Path::new("/x.db"), true).ends_with("?mode=ro&immutable=1"));
    }
}
