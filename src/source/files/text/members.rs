//! JSON text, strictly as RFC 8259 has it: the members of an object, with nested values as the text they have in the file.
//! Must not know: types, files.

use std::borrow::Cow;

use super::BadRecord;
use crate::error::SqlState;

/// Nesting beyond this is refused.
const MAX_DEPTH: usize = 1000;
/// Members of an object that is a record, at most: PostgreSQL's limit of columns.
const MAX_MEMBERS: usize = 1600;

/// A value of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(&'a str),
    /// As it is written.
    Number(&'a str),
    /// With its escapes resolved.
    String(Cow<'a, str>),
    /// An object or array, as it is written.
    Nested(&'a str),
}

/// A member of an object: its name, its value, and the value as it is written.
#[derive(Debug, Clone)]
pub(crate) struct Member<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) value: Value<'a>,
    pub(crate) raw: &'a str,
}

/// Reads JSON text from front to back and counts lines.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    pub(crate) line: u64,
}

type Scan<T> = Result<T, BadRecord>;

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str, line: u64) -> Self {
        Scanner { text, at: 0, line }
    }

    /// The next byte that is no white space.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' => {}
                other => return Some(*other),
            }
            self.at += 1;
        }
        None
    }

    /// Takes this byte, if it is next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    /// Reads an object into `members`. Of members with one name the last counts.
    pub(crate) fn object(&mut self, members: &mut Vec<Member<'a>>) -> Scan<()> {
        members.clear();
        if !self.take(b'{') {
            return Err(self.bad("expected a JSON object"));
        }
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.bad("expected string or \"}\" in JSON object"));
            }
            let name = self.string()?;
            if !self.take(b':') {
                return Err(self.bad("expected \":\" in JSON object"));
            }
            self.peek();
            let start = self.at;
            let value = self.value()?;
            let raw = &self.text[start..self.at];
            let full = members.len() >= MAX_MEMBERS;
            match members.iter_mut().find(|member| member.name == name) {
                Some(member) => (member.value, member.raw) = (value, raw),
                None if full => {
                    return Err(BadRecord::new(
                        SqlState::TOO_MANY_COLUMNS,
                        self.line,
                        "a JSON object has too many members",
                    ));
                }
                None => members.push(Member { name, value, raw }),
            }
            if self.take(b'}') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(self.bad("expected \",\" or \"}\" in JSON object"));
            }
        }
    }

    fn value(&mut self) -> Scan<Value<'a>> {
        Ok(match self.peek() {
            None => return Err(self.bad("the JSON text ended unexpectedly")),
            Some(b'"') => Value::String(self.string()?),
            Some(b'{' | b'[') => {
                let start = self.at;
                self.nested()?;
                Value::Nested(&self.text[start..self.at])
            }
            Some(b'-' | b'0'..=b'9') => Value::Number(self.number()?),
            Some(_) => match self.word()? {
                "null" => Value::Null,
                word => Value::Bool(word),
            },
        })
    }

    /// Passes over an object or array, checking all of it, without recursion.
    fn nested(&mut self) -> Scan<()> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            // Here a value is due.
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    if open.len() >= MAX_DEPTH {
                        return Err(self.bad(&format!("JSON is nested deeper than {MAX_DEPTH} levels")));
                    }
                    self.at += 1;
                    open.push(bracket);
                    let close = if bracket == b'{' { b'}' } else { b']' };
                    if !self.take(close) {
                        if bracket == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                    open.pop();
                }
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'-' | b'0'..=b'9') => {
                    self.number()?;
                }
                Some(_) => {
                    self.word()?;
                }
                None => return Err(self.bad("the JSON text ended unexpectedly")),
            }
            // Here a value has ended.
            loop {
                match open.last() {
                    None => return Ok(()),
                    Some(b'{') if self.take(b'}') => drop(open.pop()),
                    Some(b'[') if self.take(b']') => drop(open.pop()),
                    Some(bracket) => {
                        let in_object = *bracket == b'{';
                        if !self.take(b',') {
                            return Err(self.bad("expected \",\" or a closing bracket in JSON"));
                        }
                        if in_object {
                            self.key()?;
                        }
                        break;
                    }
                }
            }
        }
    }

    fn key(&mut self) -> Scan<()> {
        if self.peek() != Some(b'"') {
            return Err(self.bad("expected string or \"}\" in JSON object"));
        }
        self.string()?;
        if self.take(b':') { Ok(()) } else { Err(self.bad("expected \":\" in JSON object")) }
    }

    fn word(&mut self) -> Scan<&'a str> {
        let rest = &self.text[self.at..];
        for word in ["null", "true", "false"] {
            if let Some(after) = rest.strip_prefix(word)
                && !after.starts_with(|c: char| c.is_alphanumeric())
            {
                self.at += word.len();
                return Ok(&rest[..word.len()]);
            }
        }
        let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len()).max(1);
        let token: String = rest.chars().take(end.min(40)).collect();
        Err(self.bad(&format!("token \"{token}\" is not valid JSON")))
    }

    fn number(&mut self) -> Scan<&'a str> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let digits = |at: usize| bytes[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        let mut at = start + usize::from(bytes[start] == b'-');
        let whole = digits(at);
        let mut sound = whole > 0 && !(whole > 1 && bytes[at] == b'0');
        at += whole;
        if bytes.get(at) == Some(&b'.') {
            let fraction = digits(at + 1);
            sound &= fraction > 0;
            at += 1 + fraction;
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            at += 1;
            at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
            let exponent = digits(at.min(bytes.len()));
            sound &= exponent > 0;
            at += exponent;
        }
        sound &= !bytes.get(at).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'.');
        if !sound {
            let token: String =
                self.text[start..].chars().take(40).take_while(|c| !",}] \t\r\n".contains(*c)).collect();
            return Err(self.bad(&format!("token \"{token}\" is not valid JSON")));
        }
        self.at = at;
        Ok(&self.text[start..at])
    }

    fn string(&mut self) -> Scan<Cow<'a, str>> {
        let bytes = self.text.as_bytes();
        self.at += 1;
        let mut text = Cow::Borrowed("");
        let mut start = self.at;
        loop {
            let stop = |b: &u8| *b == b'"' || *b == b'\\' || *b < 0x20;
            let Some(length) = bytes[start..].iter().position(stop) else {
                self.at = bytes.len();
                return Err(self.bad("a string of the JSON text is not closed"));
            };
            let end = start + length;
            if text.is_empty() {
                text = Cow::Borrowed(&self.text[start..end]);
            } else {
                text.to_mut().push_str(&self.text[start..end]);
            }
            self.at = end + 1;
            match bytes[end] {
                b'"' => return Ok(text),
                b'\\' => {
                    let c = self.escape()?;
                    text.to_mut().push(c);
                    start = self.at;
                }
                control => {
                    self.at = end;
                    return Err(self.bad(&format!("character with value 0x{control:02x} must be escaped")));
                }
            }
        }
    }

    /// The character of an escape; the backslash is taken already.
    fn escape(&mut self) -> Scan<char> {
        let byte = self.text.as_bytes().get(self.at).copied();
        self.at += 1;
        Ok(match byte {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.bad("invalid escape sequence in a JSON string")),
        })
    }

    fn unicode(&mut self) -> Scan<char> {
        let first = self.four_hex()?;
        let code = match first {
            0xD800..=0xDBFF => {
                if !self.text[self.at..].starts_with("\\u") {
                    return Err(self.bad("Unicode high surrogate must be followed by a low surrogate"));
                }
                self.at += 2;
                let second = self.four_hex()?;
                if !(0xDC00..=0xDFFF).contains(&second) {
                    return Err(self.bad("Unicode high surrogate must be followed by a low surrogate"));
                }
                0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
            }
            code => code,
        };
        match char::from_u32(code) {
            Some('\0') => Err(BadRecord::new(
                SqlState::CHARACTER_NOT_IN_REPERTOIRE,
                self.line,
                "\\u0000 cannot be converted to text",
            )),
            Some(c) => Ok(c),
            None => Err(self.bad("Unicode low surrogate must follow a high surrogate")),
        }
    }

    fn four_hex(&mut self) -> Scan<u32> {
        let digits = self.text.get(self.at..self.at + 4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(code) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
            return Err(self.bad("\"\\u\" must be followed by four hexadecimal digits"));
        };
        self.at += 4;
        Ok(code)
    }

    pub(crate) fn bad(&self, message: &str) -> BadRecord {
        BadRecord::new(SqlState::INVALID_TEXT_REPRESENTATION, self.line, format!("invalid JSON: {message}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, Value<'_>)>, String> {
        let mut scanner = Scanner::new(text, 1);
        let mut members = Vec::new();
        scanner.object(&mut members).map_err(|bad| bad.message)?;
        Ok(members.into_iter().map(|m| (m.name.into_owned(), m.value)).collect())
    }

    #[test]
    fn members() {
        let read = read(r#" {"a": 1.50, "b" :"x\u00e9\ud83d\ude00\n","c":{"d":[1,{},[]]},"e":null,"f":true,"a":-2e3}"#)
            .unwrap();
        assert_eq!(
            read,
            vec![
                ("a".into(), Value::Number("-2e3")),
                ("b".into(), Value::String("xé😀\n".into())),
                ("c".into(), Value::Nested(r#"{"d":[1,{},[]]}"#)),
                ("e".into(), Value::Null),
                ("f".into(), Value::Bool("true")),
            ]
        );
    }

    #[test]
    fn what_is_no_json() {
        for bad in [
            "{",
            "{\"a\"",
            "{\"a\":}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":NaN}",
            "{\"a\":1,}",
            "{a:1}",
            "[1]",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\\udc00\"}",
            "{\"a\":\"\t\"}",
            "{\"a\":[1,]}",
            "{\"a\":{\"b\":1]}",
            "{\"a\":\"x}",
            "{\"a\":tru}",
            "{\"a\":\"\\x\"}",
            "{\"a\":-}",
            "{\"a\":1e}",
            "{\"a\":\"\\u0000\"}",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(read(&deep).unwrap_err().contains("deeper"));
    }
}
