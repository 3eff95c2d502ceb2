//! Checks JSON, and brings jsonb to the text PostgreSQL stores: keys in its order, one blank, numbers as numeric.
//! Must not know: Arrow.

use bytes::{BufMut, BytesMut};

use crate::error::{Error, Result, SqlState};
use crate::types::numeric::Numeric;
use crate::types::text::json::write_string;

/// Deeper nesting is refused: it would be followed on the stack.
const MAX_DEPTH: usize = 1000;

/// A JSON value, as far as jsonb needs it.
enum Node {
    /// null, true, false, numbers: their text.
    Plain(String),
    Text(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Whether values are kept (jsonb) or only checked (json).
    keep: bool,
}

/// Checks that a text is JSON.
///
/// # Errors
/// `22P02` in PostgreSQL's words.
pub(crate) fn check_json(text: &str) -> Result<()> {
    let mut reader = Reader { text, at: 0, keep: false };
    reader.whole().map(|_| ())
}

/// The text of a jsonb value.
///
/// # Errors
/// `22P02`, and `22P05` for `\u0000`.
pub(crate) fn jsonb_text(text: &str) -> Result<String> {
    let mut reader = Reader { text, at: 0, keep: true };
    let node = reader.whole()?;
    let mut out = BytesMut::with_capacity(text.len());
    write(&node, &mut out);
    String::from_utf8(out.to_vec()).map_err(|_| Error::internal("jsonb text is not UTF-8"))
}

fn write(node: &Node, out: &mut BytesMut) {
    match node {
        Node::Plain(text) => out.extend_from_slice(text.as_bytes()),
        Node::Text(text) => write_string(text.as_bytes(), out),
        Node::Array(items) => {
            out.put_u8(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.extend_from_slice(b", ");
                }
                write(item, out);
            }
            out.put_u8(b']');
        }
        Node::Object(entries) => {
            out.put_u8(b'{');
            for (at, (key, value)) in entries.iter().enumerate() {
                if at > 0 {
                    out.extend_from_slice(b", ");
                }
                write_string(key.as_bytes(), out);
                out.extend_from_slice(b": ");
                write(value, out);
            }
            out.put_u8(b'}');
        }
    }
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::client(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json").with_detail(detail)
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn whole(&mut self) -> Result<Node> {
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
            None => return Ok(invalid("The input string ended unexpectedly.")),
            Some(b'{' | b'}' | b'[' | b']' | b',' | b':') => self.at += 1,
            Some(b'"') => drop(self.string()?),
            Some(_) => drop(self.plain()?),
        }
        let found = self.text.get(start..self.at).unwrap_or_default();
        Ok(invalid(format!("Expected {wanted}, but found \"{found}\".")))
    }

    fn value(&mut self, depth: usize) -> Result<Node> {
        if depth > MAX_DEPTH {
            return Err(Error::client(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        self.blanks();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Node::Text(self.string()?)),
            None | Some(b'}' | b']' | b',' | b':') => Err(self.expected("JSON value")?),
            Some(_) => self.plain(),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Node> {
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Node::Array(items));
        }
        loop {
            let item = self.value(depth + 1)?;
            if self.keep {
                items.push(item);
            }
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.expected("\",\" or \"]\"")?),
            }
        }
        self.at += 1;
        Ok(Node::Array(items))
    }

    fn object(&mut self, depth: usize) -> Result<Node> {
        self.at += 1;
        let mut entries = Vec::new();
        self.blanks();
        let mut wanted = "string or \"}\"";
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Node::Object(entries));
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
            let value = self.value(depth + 1)?;
            if self.keep {
                entries.push((key, value));
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
        Ok(Node::Object(unique(entries)))
    }

    /// A number or a word: everything up to the next sign of JSON.
    fn plain(&mut self) -> Result<Node> {
        let start = self.at;
        let rest = self.text.get(start..).unwrap_or_default();
        let is_end = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '{' | '}' | '[' | ']' | ',' | ':' | '"');
        let end = rest.find(is_end).unwrap_or(rest.len());
        let token = rest.get(..end).unwrap_or_default();
        self.at += end.max(1);
        if matches!(token, "null" | "true" | "false") {
            return Ok(Node::Plain(token.to_owned()));
        }
        if !is_number(token.as_bytes()) {
            return Err(invalid(format!("Token \"{token}\" is invalid.")));
        }
        Ok(Node::Plain(if self.keep { Numeric::parse(token)?.to_string() } else { String::new() }))
    }

    /// A string; the reader stands at its quote. Its text is made only where values are kept.
    fn string(&mut self) -> Result<String> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        let mut run = self.at;
        loop {
            let Some(byte) = self.peek() else {
                let token = self.text.get(start..).unwrap_or_default();
                return Err(invalid(format!("Token \"{token}\" is invalid.")));
            };
            match byte {
                b'"' | b'\\' => {
                    if self.keep {
                        text.push_str(self.text.get(run..self.at).unwrap_or_default());
                    }
                    self.at += 1;
                    if byte == b'"' {
                        return Ok(text);
                    }
                    let c = self.escape(start)?;
                    if self.keep {
                        text.extend(c);
                    }
                    run = self.at;
                }
                0..=0x1f => return Err(invalid(format!("Character with value 0x{byte:02x} must be escaped."))),
                _ => self.at += 1,
            }
        }
    }

    /// What stands behind a backslash. NUL is a character of json, but not of jsonb.
    fn escape(&mut self, start: usize) -> Result<Option<char>> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some(kind) = rest.chars().next() else {
            let token = self.text.get(start..).unwrap_or_default();
            return Err(invalid(format!("Token \"{token}\" is invalid.")));
        };
        self.at += kind.len_utf8();
        Ok(Some(match kind {
            '"' | '\\' | '/' => kind,
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode(),
            _ => return Err(invalid(format!("Escape sequence \"\\{kind}\" is invalid."))),
        }))
    }

    fn four_digits(&mut self) -> Result<u32> {
        let digits = self.text.get(self.at..self.at + 4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let value = digits.and_then(|d| u32::from_str_radix(d, 16).ok());
        self.at += 4;
        value.ok_or_else(|| invalid("\"\\u\" must be followed by four hexadecimal digits."))
    }

    fn unicode(&mut self) -> Result<Option<char>> {
        let first = self.four_digits()?;
        if !self.keep {
            return Ok(None);
        }
        let code = match first {
            0 => {
                let message = "unsupported Unicode escape sequence";
                return Err(Error::client(SqlState::UNTRANSLATABLE_CHARACTER, message)
                    .with_detail("\\u0000 cannot be converted to text."));
            }
            0xd800..=0xdbff => {
                if !self.text.get(self.at..).unwrap_or_default().starts_with("\\u") {
                    return Err(invalid("Unicode low surrogate must follow a high surrogate."));
                }
                self.at += 2;
                let second = self.four_digits()?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(invalid("Unicode low surrogate must follow a high surrogate."));
                }
                0x1_0000 + ((first & 0x3ff) << 10 | (second & 0x3ff))
            }
            0xdc00..=0xdfff => return Err(invalid("Unicode low surrogate must follow a high surrogate.")),
            code => code,
        };
        Ok(char::from_u32(code))
    }
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

/// The entries in jsonb's order (length of the key, then its bytes); of equal keys the last stays.
fn unique(mut entries: Vec<(String, Node)>) -> Vec<(String, Node)> {
    entries.reverse();
    entries.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    entries.dedup_by(|later, kept| later.0 == kept.0);
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

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
