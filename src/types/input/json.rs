//! Checks JSON, and brings jsonb to the text PostgreSQL stores: keys in its order, one blank, numbers as numeric.
//! Must not know: Arrow.

mod find;
mod parts;
mod tree;

use std::borrow::Cow;

pub(crate) use self::find::{JsonStep, json_at, json_kind, json_length};
pub(crate) use self::parts::{JsonPart, json_elements, json_part, json_scalar, json_string};
pub(crate) use self::tree::JsonTree;
use crate::error::{Error, Result, SqlState};
use crate::types::numeric::text_of_number;

/// Deeper nesting is refused: it would be followed on the stack.
const MAX_DEPTH: usize = 1000;

/// Bytes that the numbers of one jsonb may have: a few letters stand for a number of a hundred thousand digits.
const MAX_NUMBERS: usize = 64 * 1024 * 1024;

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// The number of the line, and where it begins.
    line: (usize, usize),
    /// Whether values are kept (jsonb) or only checked (json).
    keep: bool,
    /// Whether escapes are made sense of: some that json may hold stand for no text.
    escapes: bool,
    /// Whether numbers are brought to numeric's text; else they are only checked.
    numbers: bool,
    /// Bytes of the numbers so far.
    digits: usize,
}

/// Checks that a text is JSON.
///
/// # Errors
/// `22P02` in PostgreSQL's words.
pub(crate) fn check_json(text: &str) -> Result<()> {
    let mut reader = Reader::new(text, false);
    reader.whole().map(|_| ())
}

/// The text of a jsonb value.
///
/// # Errors
/// `22P02`, and `22P05` for `\u0000`.
pub(crate) fn jsonb_text(text: &str) -> Result<String> {
    JsonTree::read(text)?.text()
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::client(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json").with_detail(detail)
}

/// Bytes of the line that an error shows before its end.
const SHOWN: usize = 50;

impl<'a> Reader<'a> {
    fn new(text: &'a str, keep: bool) -> Reader<'a> {
        Reader { text, at: 0, line: (1, 0), keep, escapes: keep, numbers: keep, digits: 0 }
    }

    /// The error of a token that ends at `end`, with what PostgreSQL shows of the line before it.
    fn wrong(&self, end: usize, detail: impl Into<String>) -> Error {
        let (line, begin) = self.line;
        let end = end.min(self.text.len());
        let mut start = begin.min(end);
        while end - start >= SHOWN {
            start += self.text.get(start..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        }
        if start - begin.min(start) <= 3 {
            start = begin.min(end);
        }
        let before = if start > begin { "..." } else { "" };
        let goes_on = self.text.as_bytes().get(end).is_some_and(|byte| !matches!(byte, b'\n' | b'\r'));
        let after = if goes_on { "..." } else { "" };
        let shown = self.text.get(start..end).unwrap_or_default();
        invalid(detail).with_context(format!("JSON data, line {line}: {before}{shown}{after}"))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) = self.peek() {
            self.at += 1;
            if byte == b'\n' {
                self.line = (self.line.0 + 1, self.at);
            }
        }
    }

    fn whole(&mut self) -> Result<JsonTree> {
        let node = self.value(0)?;
        self.blanks();
        if self.at < self.text.len() {
            return Err(self.expected("end of input")?);
        }
        Ok(node)
    }

    /// The error for a token that should have been something else (or its own error, if it is no token).
    fn expected(&mut self, wanted: &str) -> Result<Error> {
        self.blanks();
        let start = self.at;
        match self.peek() {
            None => return Ok(self.wrong(start, "The input string ended unexpectedly.")),
            Some(b'{' | b'}' | b'[' | b']' | b',' | b':') => self.at += 1,
            Some(b'"') => drop(self.string()?),
            Some(_) => drop(self.plain()?),
        }
        let found = self.text.get(start..self.at).unwrap_or_default();
        Ok(self.wrong(self.at, format!("Expected {wanted}, but found \"{found}\".")))
    }

    fn value(&mut self, depth: usize) -> Result<JsonTree> {
        if depth > MAX_DEPTH {
            return Err(Error::client(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        self.blanks();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => {
                let text = self.string()?;
                Ok(JsonTree::Text(if self.keep { text.into_owned() } else { String::new() }))
            }
            None | Some(b'}' | b']' | b',' | b':') => Err(self.expected("JSON value")?),
            Some(_) => self.plain(),
        }
    }

    fn array(&mut self, depth: usize) -> Result<JsonTree> {
        let mut items = Vec::new();
        self.each_element(|reader| {
            let item = reader.value(depth + 1)?;
            reader.bounded("array")?;
            if reader.keep {
                items.push(item);
            }
            Ok(true)
        })?;
        Ok(JsonTree::Array(items))
    }

    fn object(&mut self, depth: usize) -> Result<JsonTree> {
        let mut entries = Vec::new();
        self.each_member(|reader, key| {
            let value = reader.value(depth + 1)?;
            reader.bounded("object")?;
            if reader.keep {
                entries.push((key.into_owned(), value));
            }
            Ok(true)
        })?;
        Ok(JsonTree::object(entries))
    }

    /// The elements of the array that begins here, each read by `read`; it ends where that says so. Whether the array was read to its end.
    fn each_element(&mut self, mut read: impl FnMut(&mut Self) -> Result<bool>) -> Result<bool> {
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(true);
        }
        loop {
            if !read(self)? {
                return Ok(false);
            }
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.expected("\",\" or \"]\"")?),
            }
        }
        self.at += 1;
        Ok(true)
    }

    /// The same of an object: its keys, and `read` for the value behind each.
    fn each_member(&mut self, mut read: impl FnMut(&mut Self, Cow<'a, str>) -> Result<bool>) -> Result<bool> {
        self.at += 1;
        self.blanks();
        let mut wanted = "string or \"}\"";
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(true);
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(self.expected(wanted)?);
            }
            let key = self.string()?;
            self.blanks();
            if self.peek() != Some(b':') {
                return Err(self.expected("\":\"")?);
            }
            self.at += 1;
            if !read(self, key)? {
                return Ok(false);
            }
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.expected("\",\" or \"}\"")?),
            }
            wanted = "string";
        }
        self.at += 1;
        Ok(true)
    }

    /// A number or a word: letters, digits and whatever belongs to a number, as PostgreSQL cuts tokens.
    fn plain(&mut self) -> Result<JsonTree> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let letters = |from: usize| {
            let tail = rest.get(from..).unwrap_or_default();
            tail.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii())).unwrap_or(tail.len())
        };
        let number = number_length(rest.as_bytes());
        let end = match number {
            Some(length) => length + letters(length),
            None => letters(0),
        };
        // A sign that belongs to no token is one.
        let end = if end == 0 { rest.chars().next().map_or(0, char::len_utf8) } else { end };
        let token = rest.get(..end).unwrap_or_default();
        self.at += end;
        if matches!(token, "null" | "true" | "false") {
            return Ok(JsonTree::Plain(if self.keep { token.to_owned() } else { String::new() }));
        }
        if number != Some(end) || !is_number(token.as_bytes()) {
            return Err(self.wrong(self.at, format!("Token \"{token}\" is invalid.")));
        }
        let shown = if self.numbers { text_of_number(token)? } else { String::new() };
        self.digits += shown.len();
        Ok(JsonTree::Plain(shown))
    }

    /// PostgreSQL has numbers in few bytes and says this of what is still too long then; here it is their text that counts.
    fn bounded(&self, what: &str) -> Result<()> {
        if self.digits <= MAX_NUMBERS {
            return Ok(());
        }
        let message = format!("total size of jsonb {what} elements exceeds the maximum of {MAX_NUMBERS} bytes");
        Err(Error::client(SqlState::PROGRAM_LIMIT_EXCEEDED, message))
    }

    /// The error of a string that has no end.
    fn unterminated(&self, start: usize) -> Error {
        let token = self.text.get(start..).unwrap_or_default();
        self.wrong(self.text.len(), format!("Token \"{token}\" is invalid."))
    }

    /// A string; the reader stands at its quote. Where escapes are not made sense of, they stay as they are written.
    fn string(&mut self) -> Result<Cow<'a, str>> {
        let start = self.at;
        self.at += 1;
        let mut text: Option<String> = None;
        let mut run = self.at;
        loop {
            let Some(byte) = self.peek() else { return Err(self.unterminated(start)) };
            match byte {
                b'"' => {
                    let rest = self.text.get(run..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(match text {
                        Some(text) => Cow::Owned(text + rest),
                        None => Cow::Borrowed(rest),
                    });
                }
                b'\\' => {
                    let before = self.text.get(run..self.at).unwrap_or_default();
                    self.at += 1;
                    let c = self.escape(start)?;
                    if self.escapes {
                        let text = text.get_or_insert_default();
                        text.push_str(before);
                        text.extend(c);
                        run = self.at;
                    }
                }
                0..=0x1f => {
                    return Err(self.wrong(self.at, format!("Character with value 0x{byte:02x} must be escaped.")));
                }
                _ => self.at += 1,
            }
        }
    }

    /// What stands behind a backslash. NUL is a character of json, but not of jsonb.
    fn escape(&mut self, start: usize) -> Result<Option<char>> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some(kind) = rest.chars().next() else { return Err(self.unterminated(start)) };
        self.at += kind.len_utf8();
        Ok(Some(match kind {
            '"' | '\\' | '/' => kind,
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode(start),
            _ => return Err(self.wrong(self.at, format!("Escape sequence \"\\{kind}\" is invalid."))),
        }))
    }

    fn four_digits(&mut self, start: usize) -> Result<u32> {
        let mut value = 0;
        for _ in 0..4 {
            let next = self.text.get(self.at..).and_then(|rest| rest.chars().next());
            let Some(next) = next else { return Err(self.unterminated(start)) };
            self.at += next.len_utf8();
            let Some(digit) = next.to_digit(16) else {
                return Err(self.wrong(self.at, "\"\\u\" must be followed by four hexadecimal digits."));
            };
            value = value * 16 + digit;
        }
        Ok(value)
    }

    fn unicode(&mut self, start: usize) -> Result<Option<char>> {
        const LOW: &str = "Unicode low surrogate must follow a high surrogate.";
        let first = self.four_digits(start)?;
        if !self.escapes {
            return Ok(None);
        }
        let code = match first {
            0 => {
                let message = "unsupported Unicode escape sequence";
                let shown = self.wrong(self.at, "");
                return Err(Error::client(SqlState::UNTRANSLATABLE_CHARACTER, message)
                    .with_detail("\\u0000 cannot be converted to text.")
                    .with_context(shown.context().unwrap_or_default()));
            }
            0xd800..=0xdbff => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                if !rest.starts_with("\\u") {
                    // PostgreSQL has read on to the quote that ends the string, or the letter behind a backslash.
                    let read = if rest.starts_with('"') {
                        1
                    } else if rest.starts_with('\\') {
                        2
                    } else {
                        0
                    };
                    return Err(self.wrong(self.at + read, LOW));
                }
                self.at += 2;
                match self.four_digits(start)? {
                    second @ 0xdc00..=0xdfff => 0x1_0000 + ((first & 0x3ff) << 10 | (second & 0x3ff)),
                    0xd800..=0xdbff => {
                        let detail = "Unicode high surrogate must not follow a high surrogate.";
                        return Err(self.wrong(self.at, detail));
                    }
                    _ => return Err(self.wrong(self.at, LOW)),
                }
            }
            0xdc00..=0xdfff => return Err(self.wrong(self.at, LOW)),
            code => code,
        };
        Ok(char::from_u32(code))
    }
}

/// How many bytes PostgreSQL's lexer takes for a number, well-formed or not; None where none begins.
fn number_length(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| text.get(from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count();
    let signed = usize::from(text.first() == Some(&b'-'));
    if signed == 0 && digits(0) == 0 {
        return None;
    }
    let mut at = signed;
    // Behind a leading zero there are no more digits.
    at += if text.get(at) == Some(&b'0') { 1 } else { digits(at) };
    if at > signed && text.get(at) == Some(&b'.') {
        at += 1 + digits(at + 1);
    }
    if at > signed && matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        at += usize::from(matches!(text.get(at), Some(b'+' | b'-')));
        at += digits(at);
    }
    Some(at)
}

/// JSON's own grammar of numbers: no leading zeros, digits on both sides of the point.
fn is_number(token: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|b| b.is_ascii_digit()).count();
    let mut rest = token.strip_prefix(b"-").unwrap_or(token);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest.starts_with(b"0")) {
        return false;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-")).unwrap_or(exponent);
        let count = digits(exponent);
        return count > 0 && count == exponent.len();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_numbers_do_not_grow_without_bounds() {
        let many = |count: usize| format!("{{\"a\": [{}1]}}", "1e99999, ".repeat(count));
        assert_eq!(jsonb_text(&many(2)).map(|text| text.len()).ok(), Some(200_000 + 14));
        let error = jsonb_text(&many(700)).unwrap_err();
        assert_eq!(error.state(), SqlState::PROGRAM_LIMIT_EXCEEDED);
        assert!(error.message().contains("jsonb array elements"), "{error}");
        assert!(check_json(&many(700)).is_ok());
    }

    #[test]
    fn jsonb_is_brought_to_order() {
        for (text, expected) in [
            (
                r#"{"a":1,"a":2, "bb":1.50, "c":"\u00e9\n", "b":[1, 2 ,{}]}"#,
                "{\"a\": 2, \"b\": [1, 2, {}], \"c\": \"é\\n\", \"bb\": 1.50}",
            ),
            (r#"{"a":1e5,"b":1E-3,"c":-0,"d":1.0}"#, r#"{"a": 100000, "b": 0.001, "c": 0, "d": 1.0}"#),
            ("  null ", "null"),
            (r#""\ud83d\ude00""#, "\"😀\""),
            ("[]", "[]"),
        ] {
            assert_eq!(jsonb_text(text).unwrap(), expected);
        }
    }

    #[test]
    fn errors_as_postgresql_words_them() {
        for (text, detail) in [
            ("{", "The input string ended unexpectedly."),
            ("{a", "Token \"a\" is invalid."),
            ("[1:", "Expected \",\" or \"]\", but found \":\"."),
            ("{\"a\" 1}", "Expected \":\", but found \"1\"."),
            ("[1,]", "Expected JSON value, but found \"]\"."),
            ("nul", "Token \"nul\" is invalid."),
            ("01", "Token \"01\" is invalid."),
            ("\"a", "Token \"\"a\" is invalid."),
            ("\"\\x\"", "Escape sequence \"\\x\" is invalid."),
            ("", "The input string ended unexpectedly."),
            ("1 2", "Expected end of input, but found \"2\"."),
            ("{\"a\":1,}", "Expected string, but found \"}\"."),
            ("{1:1}", "Expected string or \"}\", but found \"1\"."),
            ("\"\t\"", "Character with value 0x09 must be escaped."),
            ("-", "Token \"-\" is invalid."),
            ("1.", "Token \"1.\" is invalid."),
        ] {
            assert_eq!(check_json(text).unwrap_err().detail(), Some(detail), "{text}");
        }
        assert!(check_json("\"\\u0000\"").is_ok());
        assert_eq!(jsonb_text("\"\\u0000\"").unwrap_err().state(), SqlState::UNTRANSLATABLE_CHARACTER);
        assert!(jsonb_text("\"\\ud800\"").is_err());
        assert_eq!(check_json(&"[".repeat(100_000)).unwrap_err().state(), SqlState::STATEMENT_TOO_COMPLEX);
    }
}
