//! Opening files: regular files only, the same file from the first byte to the last. No memory maps.
//! Must not know: formats.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::{Error, Result, SqlState};

/// Opening a FIFO without this waits for a writer. The value is Linux's on every architecture that Rust's tier 1 has.
const O_NONBLOCK: i32 = 0o4000;

/// What tells one version of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) size: u64,
    modified: Option<SystemTime>,
    inode: (u64, u64),
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Identity { size: metadata.len(), modified: metadata.modified().ok(), inode: (metadata.dev(), metadata.ino()) }
    }
}

/// A file of a source: where it is, and what messages may call it (its path below the source's root).
#[derive(Debug, Clone)]
pub(super) struct Located {
    pub(super) source: Arc<str>,
    pub(super) path: PathBuf,
    pub(super) shown: String,
}

impl Located {
    /// The version that is there now.
    pub(super) fn identity(&self) -> Result<Identity> {
        let metadata = std::fs::symlink_metadata(&self.path).map_err(|e| self.io_error(e))?;
        if metadata.is_file() { Ok(Identity::of(&metadata)) } else { Err(self.not_regular()) }
    }

    /// Opens the version that was seen before: another one is an error (40001), not another answer.
    pub(super) fn open(&self, expected: Identity) -> Result<SameFile> {
        use std::os::unix::fs::OpenOptionsExt;
        if self.identity()? != expected {
            return Err(self.changed());
        }
        let file = std::fs::OpenOptions::new()
            .read(true)
            .custom_flags(O_NONBLOCK)
            .open(&self.path)
            .map_err(|e| self.io_error(e))?;
        let same = SameFile { file: Arc::new(file), identity: expected, located: self.clone() };
        same.check()?;
        Ok(same)
    }

    /// What an I/O error means. Only the name below the root is told.
    pub(super) fn io_error(&self, cause: io::Error) -> Error {
        let (state, what) = match cause.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => (SqlState::UNDEFINED_FILE, "does not exist any more"),
            _ => (SqlState::IO_ERROR, "cannot be read"),
        };
        Error::source_fault(state, format!("file \"{}\" of source \"{}\" {what}", self.shown, self.source))
            .with_cause(cause)
    }

    /// The file's contents cannot be right.
    pub(super) fn corrupt(&self, why: impl std::fmt::Display) -> Error {
        Error::source_fault(
            SqlState::DATA_CORRUPTED,
            format!("file \"{}\" of source \"{}\" is corrupt", self.shown, self.source),
        )
        .with_detail(sentence(&why.to_string()))
    }

    pub(super) fn changed(&self) -> Error {
        Error::source_fault(
            SqlState::SERIALIZATION_FAILURE,
            format!("file \"{}\" of source \"{}\" changed during scan", self.shown, self.source),
        )
        .with_hint("Run the statement again.")
    }

    fn not_regular(&self) -> Error {
        Error::source_fault(
            SqlState::IO_ERROR,
            format!("\"{}\" of source \"{}\" is not a regular file", self.shown, self.source),
        )
    }
}

/// Makes a sentence of a library's message: one line, a capital, a full stop.
fn sentence(message: &str) -> String {
    let mut line: String = message.lines().next().unwrap_or_default().chars().take(300).collect();
    if let Some(first) = line.chars().next() {
        line.replace_range(..first.len_utf8(), &first.to_uppercase().to_string());
    }
    if !line.ends_with('.') {
        line.push('.');
    }
    line
}

/// An open file that must stay what it was.
#[derive(Debug, Clone)]
pub(super) struct SameFile {
    file: Arc<File>,
    identity: Identity,
    located: Located,
}

impl SameFile {
    /// An error if the open file is not (any more) the version that was expected. Called after the bytes were read that count.
    pub(super) fn check(&self) -> Result<()> {
        let metadata = self.file.metadata().map_err(|e| self.located.io_error(e))?;
        if !metadata.is_file() {
            return Err(self.located.not_regular());
        }
        if Identity::of(&metadata) == self.identity { Ok(()) } else { Err(self.located.changed()) }
    }

    /// Its size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.identity.size
    }

    /// Who it is.
    pub(super) fn located(&self) -> &Located {
        &self.located
    }

    /// Reads exactly these bytes, then looks whether the file is still the same.
    pub(super) fn read_range(&self, start: u64, length: usize) -> Result<Vec<u8>> {
        use std::os::unix::fs::FileExt;
        if start.checked_add(length as u64).is_none_or(|end| end > self.size()) {
            return Err(self.located.corrupt("it points behind its own end"));
        }
        let mut bytes = vec![0; length];
        let read = self.file.read_exact_at(&mut bytes, start);
        self.check()?;
        read.map_err(|e| self.located.io_error(e))?;
        Ok(bytes)
    }

    /// A reader of its own position.
    pub(super) fn reader(&self) -> Cursor {
        Cursor { file: self.clone(), position: 0 }
    }
}

/// Reads a [`SameFile`] from the start.
#[derive(Debug)]
pub(super) struct Cursor {
    file: SameFile,
    position: u64,
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use std::os::unix::fs::FileExt;
        let read = self.file.file.read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl io::Seek for Cursor {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let position = match to {
            io::SeekFrom::Start(at) => i128::from(at),
            io::SeekFrom::End(by) => i128::from(self.file.size()) + i128::from(by),
            io::SeekFrom::Current(by) => i128::from(self.position) + i128::from(by),
        };
        self.position = u64::try_from(position).map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

/// A path as a message may show it: below the root, `/` between its parts.
pub(super) fn shown(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).ok().filter(|below| !below.as_os_str().is_empty());
    below.map_or_else(
        || path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        |below| below.to_string_lossy().into_owned(),
    )
}
