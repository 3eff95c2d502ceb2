//! A value in JSON by its path, found while the text is read once; nothing of it is kept.
//! Must not know: Arrow, what a path is written as.

use super::{MAX_DEPTH, Reader};
use crate::error::{Error, Result, SqlState};

/// A step of a path: the key that it is in an object, and the place that it is in an array. A text may be both.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JsonStep<'p> {
    /// The key, if it can be one.
    pub(crate) key: Option<&'p str>,
    /// The place from 0, or from -1 for the last.
    pub(crate) index: Option<i32>,
}

/// The value at the end of a path, as it is written.
///
/// Of json (`binary` false) the whole text is read, as PostgreSQL does: it may be wrong behind what is looked for, and of equal keys the last
/// counts. A text of jsonb is known to be right and to have each key once, and is left when the value is found.
///
/// # Errors
/// `22P02` for what is no JSON, `22P05` for `\u0000`.
pub(crate) fn json_at<'t>(text: &'t str, path: &mut [JsonStep<'_>], binary: bool) -> Result<Option<&'t str>> {
    let mut reader = Reader { escapes: true, ..Reader::new(text, false) };
    let mut search = Search { found: None, first: binary };
    if search.value(&mut reader, path, 0)? {
        reader.end()?;
    }
    Ok(search.found)
}

struct Search<'t> {
    found: Option<&'t str>,
    /// Whether the first value that is found is the one.
    first: bool,
}

impl<'t> Search<'t> {
    /// Reads the next value, in which the path goes on. Whether there is more to read.
    fn value(&mut self, reader: &mut Reader<'t>, path: &mut [JsonStep<'_>], depth: usize) -> Result<bool> {
        if depth > MAX_DEPTH {
            return Err(Error::client(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        let Some((step, rest)) = path.split_first_mut() else {
            reader.blanks();
            let start = reader.at;
            reader.value(depth)?;
            self.found = reader.text.get(start..reader.at);
            return Ok(!self.first);
        };
        reader.blanks();
        match (reader.peek(), step.key, step.index) {
            (Some(b'{'), Some(wanted), _) => reader.each_member(|reader, key| {
                if key == wanted { self.value(reader, rest, depth + 1) } else { reader.value(depth + 1).map(|_| true) }
            }),
            (Some(b'['), _, Some(index)) => {
                let index = match usize::try_from(index) {
                    Ok(index) => Some(index),
                    Err(_) => {
                        let count = reader.count(depth)?;
                        let place = count.checked_sub(index.unsigned_abs() as usize);
                        // PostgreSQL keeps the place for further arrays that the path leads to, by a key that stands twice.
                        step.index = place.map_or(Some(index), |place| i32::try_from(place).ok());
                        place
                    }
                };
                let mut at = 0;
                reader.each_element(|reader| {
                    at += 1;
                    if Some(at - 1) == index {
                        self.value(reader, rest, depth + 1)
                    } else {
                        reader.value(depth + 1).map(|_| true)
                    }
                })
            }
            _ => reader.value(depth).map(|_| true),
        }
    }
}

impl Reader<'_> {
    /// How many elements the array that begins here has; the reader stays where it is.
    fn count(&mut self, depth: usize) -> Result<usize> {
        let (at, line) = (self.at, self.line);
        let mut count = 0;
        self.each_element(|reader| {
            count += 1;
            reader.value(depth + 1).map(|_| true)
        })?;
        (self.at, self.line) = (at, line);
        Ok(count)
    }
}

/// How many elements an array has; none for what is no array. Escapes are not looked at.
///
/// # Errors
/// `22P02` for what is no JSON.
pub(crate) fn json_length(text: &str) -> Result<Option<usize>> {
    let mut reader = Reader::new(text, false);
    reader.blanks();
    if reader.peek() != Some(b'[') {
        return Ok(None);
    }
    reader.count(0).map(Some)
}

/// What a JSON value is, as `json_typeof` says it.
pub(crate) fn json_kind(text: &str) -> &'static str {
    match text.trim_start().as_bytes().first() {
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'"') => "string",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        _ => "number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<'t>(text: &'t str, path: &[&str]) -> Option<&'t str> {
        let mut steps: Vec<JsonStep<'_>> =
            path.iter().map(|step| JsonStep { key: Some(step), index: step.parse().ok() }).collect();
        json_at(text, &mut steps, false).unwrap()
    }

    #[test]
    fn values_are_found_as_they_are_written() {
        assert_eq!(at("{\"a\" : [1, {\"b\\u0063\": 2.50 }] }", &["a", "1", "bc"]), Some("2.50"));
        assert_eq!(at("[1, [2 ,3] ]", &["-1"]), Some("[2 ,3]"));
        assert_eq!(at("[1]", &["-2"]), None);
        assert_eq!(at("[1]", &["a"]), None);
        assert_eq!(at("{\"1\":2}", &["1"]), Some("2"));
        assert_eq!(at("5", &["a"]), None);
        assert_eq!(at(" {} ", &[]), Some("{}"));
    }

    #[test]
    fn of_equal_keys_the_last_counts_as_in_postgresql() {
        assert_eq!(at("{\"a\":1,\"a\":null}", &["a"]), Some("null"));
        assert_eq!(at("{\"a\":{\"b\":1},\"a\":{\"c\":2}}", &["a", "b"]), Some("1"));
        assert_eq!(at("{\"a\":[1,2,3],\"a\":[4,5]}", &["a", "-1"]), Some("3"));
    }

    #[test]
    fn json_is_read_to_its_end_and_no_deeper_than_it_may_be() {
        let path = &mut [JsonStep { key: Some("a"), index: None }];
        let error = json_at("{\"a\":1,\"b\":\"\\u0000\"}", path, false).unwrap_err();
        assert_eq!(error.state(), SqlState::UNTRANSLATABLE_CHARACTER);
        assert!(json_at("{\"a\":1", path, false).is_err());
        let deep = "[".repeat(100_000);
        let mut path = vec![JsonStep { key: None, index: Some(0) }; 100_000];
        assert_eq!(json_at(&deep, &mut path, false).unwrap_err().state(), SqlState::STATEMENT_TOO_COMPLEX);
        assert_eq!(json_at(&deep, &mut path[..1], true).unwrap_err().state(), SqlState::STATEMENT_TOO_COMPLEX);
    }

    #[test]
    fn lengths_and_kinds() {
        assert_eq!(json_length(" [1, \"\\u0000\", []]").unwrap(), Some(3));
        assert_eq!(json_length("{}").unwrap(), None);
        let kinds = [" {", "[", "\"", "true", "null", "-1"].map(json_kind);
        assert_eq!(kinds, ["object", "array", "string", "boolean", "null", "number"]);
    }
}
