//! Reads a text file in blocks of whole records: decompressed, without BOM, checked to be UTF-8, lines counted.
//! Must not know: what a record holds.

use std::io::Read;

use super::{BadRecord, MAX_RECORD_BYTES, Splitter};
use crate::error::{Error, Result, SqlState};
use crate::source::files::format::Compression;
use crate::source::files::open::SameFile;

/// Bytes of a block: large enough for the work on it to outweigh the hand-over, small enough for many to be in memory.
const BLOCK_BYTES: usize = 1024 * 1024;
/// Bytes of the first block of a file, so that the first rows come soon.
const FIRST_BLOCK_BYTES: usize = 128 * 1024;
/// Bytes asked for at once.
const READ_BYTES: usize = 256 * 1024;

/// Whole records.
#[derive(Debug)]
pub(crate) struct Block {
    /// The records with their line breaks.
    pub(crate) text: String,
    /// The line of the first one, from 1.
    pub(crate) line: u64,
    /// It begins the file: a header is in it.
    pub(crate) first: bool,
    /// It ends the file: its last record may lack its end.
    pub(crate) last: bool,
    /// Its records are elements of one JSON array.
    pub(crate) in_array: bool,
    /// Each record has a line of its own.
    pub(crate) by_line: bool,
}

/// Cuts a file into blocks.
pub(crate) struct BlockReader {
    file: SameFile,
    input: Box<dyn Read + Send>,
    splitter: Splitter,
    buffer: Vec<u8>,
    /// Bytes of the buffer that the splitter has seen.
    scanned: usize,
    line: u64,
    started: bool,
    at_end: bool,
    /// The last block was handed out.
    ended: bool,
    compressed: bool,
}

impl BlockReader {
    /// Begins to read a file.
    ///
    /// # Errors
    /// Where the decompressor cannot be set up.
    pub(crate) fn new(file: SameFile, compression: Compression, splitter: Splitter) -> Result<Self> {
        let input = compression
            .codec()
            .convert_read(file.reader())
            .map_err(|e| Error::internal("a decompressor could not be made").with_cause(e))?;
        Ok(BlockReader {
            file,
            input,
            splitter,
            buffer: Vec::new(),
            scanned: 0,
            line: 1,
            started: false,
            at_end: false,
            ended: false,
            compressed: compression != Compression::None,
        })
    }

    /// The next records; `None` at the end of the file, which is then known to be the file that was opened.
    ///
    /// # Errors
    /// `22021` bytes that are no text, `54000` a record that is too long, `XX001` a broken compressed stream, `40001` a file
    /// that changed.
    pub(crate) fn next_block(&mut self) -> Result<Option<Block>> {
        let target = if self.started { BLOCK_BYTES } else { FIRST_BLOCK_BYTES };
        let mut end = 0;
        while !self.at_end {
            if self.buffer.len() >= target && end > 0 {
                break;
            }
            if self.buffer.len() - end > MAX_RECORD_BYTES {
                return Err(self.too_long(end));
            }
            self.fill()?;
            if !self.started {
                self.strip_bom()?;
            }
            if let Some(found) = self.splitter.scan(&self.buffer[self.scanned..]) {
                end = self.scanned + found;
            }
            self.scanned = self.buffer.len();
        }
        if self.at_end {
            if self.buffer.len() - end > MAX_RECORD_BYTES {
                return Err(self.too_long(end));
            }
            end = self.buffer.len();
        }
        // An array that lacks its end must be noticed even where no byte is left.
        if end == 0 && (self.ended || !self.splitter.in_array()) {
            return Ok(None);
        }
        self.cut(end).map(Some)
    }

    fn cut(&mut self, end: usize) -> Result<Block> {
        let rest = self.buffer.split_off(end);
        let bytes = std::mem::replace(&mut self.buffer, rest);
        self.scanned = self.buffer.len();
        let lines = count_lines(&bytes);
        let text = String::from_utf8(bytes).map_err(|e| {
            let at = e.utf8_error().valid_up_to();
            self.bad_bytes(e.as_bytes(), at)
        })?;
        if let Some(at) = text.bytes().position(|b| b == 0) {
            return Err(self.bad_bytes(text.as_bytes(), at));
        }
        let block = Block {
            text,
            line: self.line,
            first: !self.started,
            last: self.at_end,
            in_array: self.splitter.in_array(),
            by_line: matches!(self.splitter, Splitter::Lines),
        };
        self.line += lines;
        self.started = true;
        self.ended = self.at_end;
        Ok(block)
    }

    /// Reads more; at the end makes sure that it was one version of the file all along.
    fn fill(&mut self) -> Result<()> {
        let start = self.buffer.len();
        self.buffer.resize(start + READ_BYTES, 0);
        let mut filled = start;
        while filled < self.buffer.len() {
            match self.input.read(&mut self.buffer[filled..]) {
                Ok(0) => {
                    self.at_end = true;
                    break;
                }
                Ok(read) => filled += read,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.buffer.truncate(filled);
                    self.file.check()?;
                    let located = self.file.located();
                    let broken = self.compressed && e.raw_os_error().is_none();
                    return Err(if broken { located.corrupt(&e).with_cause(e) } else { located.io_error(e) });
                }
            }
        }
        self.buffer.truncate(filled);
        self.file.check()
    }

    fn strip_bom(&mut self) -> Result<()> {
        if self.buffer.starts_with(b"\xEF\xBB\xBF") {
            self.buffer.drain(..3);
        } else if self.buffer.starts_with(b"\xFF\xFE") || self.buffer.starts_with(b"\xFE\xFF") {
            let bad =
                BadRecord::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, 1, "the file is encoded in UTF-16, not in UTF-8");
            return Err(self.error(bad));
        }
        Ok(())
    }

    fn too_long(&self, end: usize) -> Error {
        let line = self.line + count_lines(&self.buffer[..end]);
        let message = format!("record is longer than {} MiB", MAX_RECORD_BYTES / 1024 / 1024);
        self.error(BadRecord::new(SqlState::PROGRAM_LIMIT_EXCEEDED, line, message))
    }

    fn bad_bytes(&self, bytes: &[u8], at: usize) -> Error {
        let line = self.line + count_lines(&bytes[..at]);
        let byte = bytes.get(at).copied().unwrap_or(0);
        let message = format!("invalid byte sequence for encoding \"UTF8\": 0x{byte:02x}");
        self.error(BadRecord::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, line, message))
    }

    /// A bad record as the error a client reads.
    pub(crate) fn error(&self, bad: BadRecord) -> Error {
        let located = self.file.located();
        bad.into_error(&located.source, &located.shown)
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|b| **b == b'\n').count() as u64
}
