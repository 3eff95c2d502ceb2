//! The fields of COPY's text and CSV forms: a value's text is written where it belongs and changed there only if it must be.
//! Must not know: which columns there are, statements, the wire.

use bytes::{BufMut, BytesMut};

use super::encoder::ColumnEncoder;
use super::encoding::Encoding;
use super::format::{DateFormat, FormatOptions};
use super::pg_type::PgType;
use crate::error::Result;

/// Which of the two forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyForm {
    /// Backslash escapes.
    Text,
    /// Quotes.
    Csv {
        /// Around a field that needs it.
        quote: u8,
        /// Before a quote or an escape inside.
        escape: u8,
    },
}

/// How fields are written.
#[derive(Debug, Clone)]
pub struct CopyText {
    /// Which form.
    pub form: CopyForm,
    /// Between fields.
    pub delimiter: u8,
    /// What stands for NULL, in UTF-8.
    pub null: Vec<u8>,
    /// What text is converted to.
    pub encoding: Encoding,
}

/// What is known of a column before its first value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FieldStyle {
    /// CSV: always in quotes, unless it is NULL.
    pub quoted: bool,
    /// It is the only column.
    pub single: bool,
    /// Its text never has anything in it that would have to be escaped or quoted.
    pub bare: bool,
}

impl CopyText {
    /// Whether values of a type never need escapes or quotes: numbers, and dates and times in ISO style.
    #[must_use]
    pub fn is_bare(&self, ty: PgType, options: &FormatOptions) -> bool {
        let iso = options.date_style.format == DateFormat::Iso;
        let plain = match ty.oid {
            16 | 20 | 21 | 23 | 26 | 700 | 701 | 1700 | 1083 | 2950 => true,
            1082 | 1114 | 1184 => iso,
            _ => false,
        };
        let in_text = |byte: u8| byte.is_ascii_alphanumeric() || b" .:+-".contains(&byte);
        plain
            && !in_text(self.delimiter)
            && match self.form {
                CopyForm::Text => true,
                CopyForm::Csv { quote, .. } => !in_text(quote) && self.null.is_empty(),
            }
    }

    /// Appends the value of a row.
    ///
    /// # Errors
    /// Those of the encoder and of the conversion; what is in `out` then is for the caller to take back.
    #[inline]
    pub fn field(
        &self,
        encoder: &mut dyn ColumnEncoder,
        row: usize,
        style: FieldStyle,
        out: &mut BytesMut,
    ) -> Result<()> {
        let start = out.len();
        if encoder.is_null(row) {
            out.extend_from_slice(&self.null);
            return self.encoding.convert(out, start);
        }
        encoder.write(row, out)?;
        if style.bare { Ok(()) } else { self.settle(start, style, out) }
    }

    /// Appends a value whose text is known, in UTF-8; `None`: NULL.
    ///
    /// # Errors
    /// Those of the conversion.
    #[inline]
    pub fn text(&self, text: Option<&[u8]>, style: FieldStyle, out: &mut BytesMut) -> Result<()> {
        let start = out.len();
        out.extend_from_slice(text.unwrap_or(&self.null));
        match text {
            None => self.encoding.convert(out, start),
            Some(_) if style.bare => Ok(()),
            Some(_) => self.settle(start, style, out),
        }
    }

    /// Brings the text from `start` on into the form of a field.
    fn settle(&self, start: usize, style: FieldStyle, out: &mut BytesMut) -> Result<()> {
        // Before the conversion, as in PostgreSQL.
        let like_null = out.get(start..).is_some_and(|text| text == self.null);
        self.encoding.convert(out, start)?;
        match self.form {
            CopyForm::Text => escape(start, self.delimiter, out),
            CopyForm::Csv { quote, escape } => {
                let text = out.get(start..).unwrap_or_default();
                let special = |byte: u8| (byte == self.delimiter) | (byte == quote) | (byte == b'\n') | (byte == b'\r');
                // `\.` alone on its line would end the data.
                let needs = style.quoted
                    || like_null
                    || (style.single && text == b"\\.")
                    || text.iter().filter(|byte| special(**byte)).count() > 0;
                if needs {
                    enclose(start, quote, escape, out);
                }
            }
        }
        Ok(())
    }
}

/// The letter that stands for a control character behind a backslash.
fn letter(byte: u8) -> u8 {
    match byte {
        8 => b'b',
        9 => b't',
        10 => b'n',
        11 => b'v',
        12 => b'f',
        13 => b'r',
        other => other,
    }
}

/// Puts a backslash before what needs one, from the end on and in place; stops at the first that does.
fn escape(start: usize, delimiter: u8, out: &mut BytesMut) {
    let special = |byte: u8| (byte.wrapping_sub(8) < 6) | (byte == b'\\') | (byte == delimiter);
    let extra = out.get(start..).unwrap_or_default().iter().filter(|byte| special(**byte)).count();
    if extra == 0 {
        return;
    }
    let (mut from, mut to) = (out.len(), out.len() + extra);
    out.resize(to, 0);
    let bytes = &mut out[..];
    while from < to {
        from -= 1;
        to -= 1;
        let byte = bytes[from];
        bytes[to] = letter(byte);
        if special(byte) {
            to -= 1;
            bytes[to] = b'\\';
        } else {
            bytes[to] = byte;
        }
    }
}

/// Puts quotes around, and an escape before each quote and escape inside.
fn enclose(start: usize, quote: u8, escape: u8, out: &mut BytesMut) {
    let special = |byte: u8| (byte == quote) | (byte == escape);
    let extra = out.get(start..).unwrap_or_default().iter().filter(|byte| special(**byte)).count();
    let (mut from, mut to) = (out.len(), out.len() + extra + 1);
    out.resize(to, 0);
    let bytes = &mut out[..];
    while from > start {
        from -= 1;
        to -= 1;
        let byte = bytes[from];
        bytes[to] = byte;
        if special(byte) {
            to -= 1;
            bytes[to] = escape;
        }
    }
    bytes[start] = quote;
    out.put_u8(quote);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &CopyText, value: &str, style: FieldStyle) -> String {
        let mut out = BytesMut::from("<".as_bytes());
        text.text(Some(value.as_bytes()), style, &mut out).unwrap();
        String::from_utf8(out[1..].to_vec()).unwrap()
    }

    fn text(form: CopyForm, delimiter: u8, null: &str) -> CopyText {
        CopyText { form, delimiter, null: null.as_bytes().to_vec(), encoding: Encoding::Utf8 }
    }

    #[test]
    fn escapes() {
        let tab = text(CopyForm::Text, b'\t', "\\N");
        for (value, field) in [
            ("", ""),
            ("plain", "plain"),
            ("\\", "\\\\"),
            ("\\N", "\\\\N"),
            ("a\tb\nc", "a\\tb\\nc"),
            ("\u{8}\u{b}\u{c}\r\u{1}\u{7}\u{e}", "\\b\\v\\f\\r\u{1}\u{7}\u{e}"),
            ("ü\\", "ü\\\\"),
        ] {
            assert_eq!(written(&tab, value, FieldStyle::default()), field, "{value:?}");
        }
        assert_eq!(written(&text(CopyForm::Text, b'|', ""), "a|b\t", FieldStyle::default()), "a\\|b\\t");
        assert_eq!(written(&text(CopyForm::Text, 1, ""), "a\u{1}b", FieldStyle::default()), "a\\\u{1}b");
    }

    #[test]
    fn quotes() {
        let csv = text(CopyForm::Csv { quote: b'"', escape: b'"' }, b',', "");
        for (value, field) in [
            ("", "\"\""),
            ("plain", "plain"),
            (" ", " "),
            ("a,b", "\"a,b\""),
            ("\"", "\"\"\"\""),
            ("a\nb", "\"a\nb\""),
            ("\r", "\"\r\""),
            ("\\.", "\\."),
            ("\t", "\t"),
        ] {
            assert_eq!(written(&csv, value, FieldStyle::default()), field, "{value:?}");
        }
        let single = FieldStyle { single: true, ..FieldStyle::default() };
        assert_eq!(written(&csv, "\\.", single), "\"\\.\"");
        assert_eq!(written(&csv, "x", FieldStyle { quoted: true, ..FieldStyle::default() }), "\"x\"");
        let odd = text(CopyForm::Csv { quote: b'\'', escape: b'\\' }, b';', "NULL");
        for (value, field) in [("", ""), ("NULL", "'NULL'"), ("it's", "'it\\'s'"), ("a\\b", "a\\b"), (";\\", "';\\\\'")]
        {
            assert_eq!(written(&odd, value, FieldStyle::default()), field, "{value:?}");
        }
    }
}
