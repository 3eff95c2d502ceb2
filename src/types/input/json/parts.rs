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
/// `22P02` for what is no JSON, `22P05` for `\\u0000`, which json may hold and text may not.
pub(crate) fn json_part(text: &str) -> Result<JsonPart<'_>> {
    part(Reader { escapes: true, ..Reader::new(text, false) })
}

/// The same, but what escapes stand for is not looked at; they stay in strings.
///
/// # Errors
/// `22P02` for what is no JSON.
pub(crate) fn json_elements(text: &str) -> Result<JsonPart<'_>> {
    part(Reader::new(text, false))
}

fn part(mut reader: Reader<'_>) -> Result<JsonPart<'_>> {
    reader.blanks();
    let part = match reader.peek() {
        Some(b'[') => JsonPart::Array(reader.elements()?),
        Some(b'{') => JsonPart::Object(reader.members()?),
        Some(b'"') => JsonPart::Text(reader.string()?.into_owned()),
        _ => match reader.slice()? {
            "null" => JsonPart::Null,
            _ => JsonPart::Plain,
        },
    };
    reader.end()?;
    Ok(part)
}

/// What a JSON value is as text: a string without its quotes and escapes, null nothing, anything else as it is written.
///
/// # Errors
/// As [`json_part`], for a string.
pub(crate) fn json_scalar(value: &str) -> Result<Option<String>> {
    let mut reader = Reader { escapes: true, ..Reader::new(value, false) };
    reader.blanks();
    match reader.peek() {
        Some(b'"') => Ok(Some(reader.string()?.into_owned())),
        Some(b'n') => Ok(None),
        _ => Ok(Some(value.to_owned())),
    }
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
    pub(super) fn slice(&mut self) -> Result<&'a str> {
        self.blanks();
        let start = self.at;
        self.value(0)?;
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    /// Nothing but blanks is left.
    pub(super) fn end(&mut self) -> Result<()> {
        self.blanks();
        if self.at < self.text.len() { Err(self.expected("end of input")?) } else { Ok(()) }
    }

    /// The elements of the array that begins here.
    fn elements(&mut self) -> Result<Vec<&'a str>> {
        let mut found = Vec::new();
        self.each_element(|reader| {
            found.push(reader.slice()?);
            Ok(true)
        })?;
        Ok(found)
    }

    /// The keys and values of the object that begins here.
    fn members(&mut self) -> Result<Vec<(String, &'a str)>> {
        let mut found = Vec::new();
        self.each_member(|reader, key| {
            found.push((key.into_owned(), reader.slice()?));
            Ok(true)
        })?;
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
        assert_eq!(json_elements("[\"\\u0000\"]").unwrap(), JsonPart::Array(vec!["\"\\u0000\""]));
    }

    #[test]
    fn values_as_text() {
        assert_eq!(json_scalar("\"a\\tb\"").unwrap().as_deref(), Some("a\tb"));
        assert_eq!(json_scalar("null").unwrap(), None);
        assert_eq!(json_scalar("[1 ,2]").unwrap().as_deref(), Some("[1 ,2]"));
    }
}
