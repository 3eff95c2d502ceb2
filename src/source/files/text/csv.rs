//! CSV as RFC 4180 has it, strictly: what is wrong is an error with its line, as in PostgreSQL's COPY.
//! Must not know: types, files.

use std::borrow::Cow;

use super::{BadRecord, Block};
use crate::config::{CsvSettings, FileFormat};
use crate::error::SqlState;

/// How a CSV file is written.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) delimiter: u8,
    pub(crate) header: bool,
    /// Text that means NULL where it is not quoted; the empty field if none is set.
    pub(crate) null: Option<String>,
    pub(crate) skip_bad: bool,
}

impl Layout {
    /// The layout that settings say for a format.
    pub(crate) fn new(settings: &CsvSettings, format: FileFormat) -> Self {
        let usual = if format == FileFormat::Tsv { b'\t' } else { b',' };
        Layout {
            delimiter: settings.delimiter.unwrap_or(usual),
            header: settings.header,
            null: settings.null.clone(),
            skip_bad: settings.skip_bad_rows,
        }
    }

    /// The field's value; `None` for NULL. A quoted field is never NULL.
    pub(crate) fn value<'f>(&self, field: &'f Field<'_>) -> Option<&'f str> {
        let null = self.null.as_deref().unwrap_or("");
        (field.quoted || field.text != null).then_some(&*field.text)
    }
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) quoted: bool,
}

/// The records of a block, one after the other.
#[derive(Debug)]
pub(crate) struct Records<'a> {
    text: &'a str,
    at: usize,
    line: u64,
    delimiter: u8,
}

impl<'a> Records<'a> {
    pub(crate) fn new(block: &'a Block, layout: &Layout) -> Self {
        Records { text: &block.text, at: 0, line: block.line, delimiter: layout.delimiter }
    }

    /// Reads the next record into `fields` and returns its line; `None` at the end of the block. Lines without anything are
    /// passed over. After an error the next call goes on behind the bad record.
    pub(crate) fn next_record(&mut self, fields: &mut Vec<Field<'a>>) -> Option<Result<u64, BadRecord>> {
        loop {
            if self.at >= self.text.len() {
                return None;
            }
            fields.clear();
            let line = self.line;
            if let Err(bad) = self.record(fields) {
                self.skip_line();
                return Some(Err(bad));
            }
            let blank = matches!(fields.as_slice(), [only] if !only.quoted && only.text.is_empty());
            if !blank {
                return Some(Ok(line));
            }
        }
    }

    fn record(&mut self, fields: &mut Vec<Field<'a>>) -> Result<(), BadRecord> {
        let bytes = self.text.as_bytes();
        loop {
            let field = if bytes.get(self.at) == Some(&b'"') { self.quoted()? } else { self.plain()? };
            fields.push(field);
            match bytes.get(self.at) {
                None => return Ok(()),
                Some(b'\n') => {
                    self.at += 1;
                    self.line += 1;
                    return Ok(());
                }
                Some(b'\r') if matches!(bytes.get(self.at + 1), Some(b'\n') | None) => {
                    self.at = (self.at + 2).min(bytes.len());
                    self.line += 1;
                    return Ok(());
                }
                Some(b'\r') => {
                    return Err(self.bad("unquoted carriage return found in data"));
                }
                // The delimiter.
                Some(_) => self.at += 1,
            }
        }
    }

    /// A field without quotes, up to the delimiter or the end of the line.
    fn plain(&mut self) -> Result<Field<'a>, BadRecord> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let delimiter = self.delimiter;
        let special = |b: &u8| *b == delimiter || *b == b'\n' || *b == b'\r' || *b == b'"';
        let length = bytes[start..].iter().position(special).unwrap_or(bytes.len() - start);
        self.at = start + length;
        if bytes.get(self.at) == Some(&b'"') {
            return Err(self.bad("unexpected quote in a field that does not begin with one"));
        }
        Ok(Field { text: Cow::Borrowed(&self.text[start..self.at]), quoted: false })
    }

    /// A field in quotes, a quote in it doubled.
    fn quoted(&mut self) -> Result<Field<'a>, BadRecord> {
        let bytes = self.text.as_bytes();
        let opened = self.line;
        self.at += 1;
        let mut text = Cow::Borrowed("");
        let mut start = self.at;
        loop {
            let Some(length) = bytes[start..].iter().position(|b| *b == b'"') else {
                self.at = bytes.len();
                return Err(BadRecord::new(SqlState::BAD_COPY_FILE_FORMAT, opened, "unterminated CSV quoted field"));
            };
            let end = start + length;
            let part = &self.text[start..end];
            self.line += part.bytes().filter(|b| *b == b'\n').count() as u64;
            let doubled = bytes.get(end + 1) == Some(&b'"');
            let piece = if doubled { &self.text[start..=end] } else { part };
            if text.is_empty() {
                text = Cow::Borrowed(piece);
            } else {
                text.to_mut().push_str(piece);
            }
            self.at = end + 1;
            if !doubled {
                break;
            }
            start = end + 2;
        }
        match bytes.get(self.at) {
            None | Some(b'\n' | b'\r') => {}
            Some(byte) if *byte == self.delimiter => {}
            Some(_) => return Err(self.bad("unexpected character behind the closing quote of a field")),
        }
        Ok(Field { text, quoted: true })
    }

    fn bad(&self, message: &str) -> BadRecord {
        BadRecord::new(SqlState::BAD_COPY_FILE_FORMAT, self.line, message)
    }

    /// Goes on behind the end of the line where a record turned out to be bad.
    fn skip_line(&mut self) {
        match self.text.as_bytes()[self.at..].iter().position(|b| *b == b'\n') {
            Some(length) => {
                self.at += length + 1;
                self.line += 1;
            }
            None => self.at = self.text.len(),
        }
    }
}

/// An error if a record has another number of fields than the table has columns.
pub(crate) fn check_width(fields: &[Field<'_>], names: &[String], line: u64) -> Result<(), BadRecord> {
    if fields.len() > names.len() {
        return Err(BadRecord::new(SqlState::BAD_COPY_FILE_FORMAT, line, "extra data after last expected column"));
    }
    match names.get(fields.len()) {
        None => Ok(()),
        Some(missing) => {
            Err(BadRecord::new(SqlState::BAD_COPY_FILE_FORMAT, line, format!("missing data for column \"{missing}\"")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Result<(u64, Vec<String>), String>> {
        let block = Block { text: text.to_owned(), line: 1, first: true, last: true, in_array: false, by_line: false };
        let layout = Layout::new(&CsvSettings::default(), FileFormat::Csv);
        let mut records = Records::new(&block, &layout);
        let mut fields = Vec::new();
        let mut all = Vec::new();
        while let Some(record) = records.next_record(&mut fields) {
            all.push(match record {
                Ok(line) => Ok((line, fields.iter().map(|f| f.text.to_string()).collect())),
                Err(bad) => Err(format!("{}: {}", bad.line, bad.message)),
            });
        }
        all
    }

    fn ok(line: u64, fields: &[&str]) -> Result<(u64, Vec<String>), String> {
        Ok((line, fields.iter().map(|f| (*f).to_owned()).collect()))
    }

    #[test]
    fn records() {
        assert_eq!(read("a,b\r\n1,\n"), vec![ok(1, &["a", "b"]), ok(2, &["1", ""])]);
        assert_eq!(read("\"a\nb\",\"c\"\"d\",\"\"\"\"\n\n,x"), vec![ok(1, &["a\nb", "c\"d", "\""]), ok(4, &["", "x"])]);
        assert_eq!(read("\"\"\"a\",\"\"\n"), vec![ok(1, &["\"a", ""])]);
    }

    #[test]
    fn bad_records() {
        assert_eq!(
            read("a\"b,c\nd,e\n"),
            vec![Err("1: unexpected quote in a field that does not begin with one".into()), ok(2, &["d", "e"])]
        );
        assert_eq!(read("a\n\"b\nc"), vec![ok(1, &["a"]), Err("2: unterminated CSV quoted field".into())]);
        assert_eq!(read("a\rb\n"), vec![Err("1: unquoted carriage return found in data".into())]);
        assert_eq!(
            read("\"a\"b\nc\n"),
            vec![Err("1: unexpected character behind the closing quote of a field".into()), ok(2, &["c"])]
        );
    }
}
