//! JSON taken apart by one level: what a value is, and the texts of the values in it.
//! Must not know: what the parts are for.

use bytes::BytesMut;

use super::Reader;
use crate::error::{Error, Result};
use crate::types::text::json::write_string;

/// A JSON value; what is in it stays as it is written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum JsonPart<'t> {
    /// null.
    Null,
    /// A number or a truth value.
    Plain,
    /// A string, without its quotes and escapes.
    Text(String),
    /// The elements of an array.
    Array(Vec<&'t str>),
    /// The keys and values of an object in the order of the text, also of keys that stand there twice.
    Object(Vec<(String, &'t str)>),
}

/// Takes a JSON value apart. All strings in it are read, however deep they stand, as PostgreSQL does where it takes values out of JSON.
///
/// # Errors
/// `22P02` for what is no JSON, `22P05` for `\u0000`, which json may hold and text may not.
pub(crate) fn json_part(text: &str) -> Result<JsonPart<'_>> {
    let mut reader = Reader { numbers: false, ..Reader::new(text, true) };
    reader.blanks();
    let part = match reader.peek() {
        Some(b'[') => JsonPart::Array(reader.elements()?),
        Some(b'{') => JsonPart::Object(reader.members()?),
        Some(b'"') => JsonPart::Text(reader.string()?),
        _ => match reader.slice()? {
            "null" => JsonPart::Null,
            _ => JsonPart::Plain,
        },
    };
    reader.blanks();
    if reader.at < text.len() {
        return Err(reader.expected("end of input")?);
    }
    Ok(part)
}

/// A string as JSON writes it.
///
/// # Errors
/// None that text can raise.
pub(crate) fn json_string(text: &str) -> Result<String> {
    let mut out = BytesMut::with_capacity(text.len() + 2);
    write_string(text.as_bytes(), &mut out);
    String::from_utf8(out.to_vec()).map_err(|_| Error::internal("JSON text is not UTF-8"))
}

impl<'a> Reader<'a> {
    /// The next value as it is written.
    fn slice(&mut self) -> Result<&'a str> {
        self.blanks();
        let start = self.at;
        self.value(0)?;
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    /// The elements of the array that begins here.
    fn elements(&mut self) -> Result<Vec<&'a str>> {
        self.at += 1;
        let mut found = Vec::new();
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(found);
        }
        loop {
            found.push(self.slice()?);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.expected("\",\" or \"]\"")?),
            }
        }
        self.at += 1;
        Ok(found)
    }

    /// The keys and values of the object that begins here.
    fn members(&mut self) -> Result<Vec<(String, &'a str)>> {
        self.at += 1;
        let mut found = Vec::new();
        self.blanks();
        let mut wanted = "string or \"}\"";
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(found);
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
            found.push((key, self.slice()?));
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.expected("\",\" or \"}\"")?),
            }
            wanted = "string";
        }
        self.at += 1;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::SqlState;

    #[test]
    fn parts_stay_as_they_are_written() {
        assert_eq!(
            json_part(" {\"a\\u0041\" : {\"x\" :1},\"b\":1.0, \"b\": null } ").unwrap(),
            JsonPart::Object(vec![("aA".to_owned(), "{\"x\" :1}"), ("b".to_owned(), "1.0"), ("b".to_owned(), "null")])
        );
        assert_eq!(json_part("[1, [2,3] ,\"x\"]").unwrap(), JsonPart::Array(vec!["1", "[2,3]", "\"x\""]));
        assert_eq!(json_part("\"q\\u0041\"").unwrap(), JsonPart::Text("qA".to_owned()));
        assert_eq!(json_part(" null").unwrap(), JsonPart::Null);
        // More digits than numeric has.
        assert_eq!(json_part("1e999999").unwrap(), JsonPart::Plain);
        assert_eq!(json_part("[]").unwrap(), JsonPart::Array(Vec::new()));
        assert_eq!(json_part("{}").unwrap(), JsonPart::Object(Vec::new()));
        assert_eq!(json_string("a\"\n").unwrap(), "\"a\\\"\\n\"");
    }

    #[test]
    fn what_text_cannot_hold_is_refused_wherever_it_stands() {
        let error = json_part("{\"a\": 1, \"b\": [{\"c\": \"\\u0000\"}]}").unwrap_err();
        assert_eq!(error.state(), SqlState::UNTRANSLATABLE_CHARACTER);
        assert!(json_part("[1").is_err() && json_part("1 2").is_err() && json_part("").is_err());
    }
}
