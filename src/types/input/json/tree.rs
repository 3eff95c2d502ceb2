//! jsonb as a tree: its text, what contains what, and what is put together or taken away.
//! Must not know: Arrow, SQL.

use std::cmp::Ordering;

use bytes::{BufMut, BytesMut};

use super::Reader;
use crate::error::{Error, Result, SqlState};
use crate::types::numeric::Numeric;
use crate::types::text::json::write_string;

/// A value of jsonb.
#[derive(Debug, Clone)]
pub(crate) enum JsonTree {
    /// null, true, false, numbers: their text.
    Plain(String),
    /// A string, without quotes and escapes.
    Text(String),
    /// An array.
    Array(Vec<JsonTree>),
    /// Each key once, in jsonb's order.
    Object(Vec<(String, JsonTree)>),
}

fn wrong(message: &str) -> Error {
    Error::client(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// jsonb's order of keys: length, then bytes.
fn order(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

impl JsonTree {
    /// The value of a text.
    ///
    /// # Errors
    /// `22P02`, and `22P05` for `\u0000`.
    pub(crate) fn read(text: &str) -> Result<JsonTree> {
        Reader::new(text, true).whole()
    }

    /// An object of these entries; of equal keys the last stays.
    pub(super) fn object(mut entries: Vec<(String, JsonTree)>) -> JsonTree {
        entries.reverse();
        entries.sort_by(|(a, _), (b, _)| order(a, b));
        entries.dedup_by(|later, kept| later.0 == kept.0);
        JsonTree::Object(entries)
    }

    /// Its text as jsonb prints it.
    ///
    /// # Errors
    /// None that text can raise.
    pub(crate) fn text(&self) -> Result<String> {
        let mut out = BytesMut::new();
        self.write(&mut out);
        String::from_utf8(out.into()).map_err(|_| Error::internal("jsonb text is not UTF-8"))
    }

    fn write(&self, out: &mut BytesMut) {
        match self {
            JsonTree::Plain(text) => out.extend_from_slice(text.as_bytes()),
            JsonTree::Text(text) => write_string(text.as_bytes(), out),
            JsonTree::Array(items) => {
                out.put_u8(b'[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.extend_from_slice(b", ");
                    }
                    item.write(out);
                }
                out.put_u8(b']');
            }
            JsonTree::Object(entries) => {
                out.put_u8(b'{');
                for (at, (key, value)) in entries.iter().enumerate() {
                    if at > 0 {
                        out.extend_from_slice(b", ");
                    }
                    write_string(key.as_bytes(), out);
                    out.extend_from_slice(b": ");
                    value.write(out);
                }
                out.put_u8(b'}');
            }
        }
    }

    fn scalar(&self) -> bool {
        matches!(self, JsonTree::Plain(_) | JsonTree::Text(_))
    }

    /// Whether two scalars are one; numbers by their value.
    fn same(&self, other: &JsonTree) -> bool {
        match (self, other) {
            (JsonTree::Text(a), JsonTree::Text(b)) => a == b,
            (JsonTree::Plain(a), JsonTree::Plain(b)) if a == b => true,
            (JsonTree::Plain(a), JsonTree::Plain(b)) => match (Numeric::parse(a), Numeric::parse(b)) {
                (Ok(a), Ok(b)) => a.cmp(&b) == Ordering::Equal,
                _ => false,
            },
            _ => false,
        }
    }

    /// `@>`: an array contains a scalar that is an element of it, but only at the top, and a scalar is an array of itself there.
    pub(crate) fn contains(&self, part: &JsonTree) -> bool {
        match (self, part) {
            (JsonTree::Array(items), part) if part.scalar() => items.iter().any(|item| item.same(part)),
            _ => self.holds(part),
        }
    }

    fn holds(&self, part: &JsonTree) -> bool {
        match (self, part) {
            (JsonTree::Object(entries), JsonTree::Object(parts)) => parts.iter().all(|(key, part)| {
                let at = entries.binary_search_by(|(known, _)| order(known, key)).ok();
                at.and_then(|at| entries.get(at)).is_some_and(|(_, value)| value.holds(part))
            }),
            (JsonTree::Array(items), JsonTree::Array(parts)) => {
                parts.iter().all(|part| items.iter().any(|item| item.holds(part)))
            }
            _ => self.same(part),
        }
    }

    /// `?`: a key of an object, a string of an array, or the string itself.
    pub(crate) fn exists(&self, key: &str) -> bool {
        match self {
            JsonTree::Object(entries) => entries.binary_search_by(|(known, _)| order(known, key)).is_ok(),
            JsonTree::Array(items) => items.iter().any(|item| matches!(item, JsonTree::Text(text) if text == key)),
            JsonTree::Text(text) => text == key,
            JsonTree::Plain(_) => false,
        }
    }

    /// `||`.
    pub(crate) fn concat(self, other: JsonTree) -> JsonTree {
        match (self, other) {
            (JsonTree::Object(mut entries), JsonTree::Object(more)) => {
                entries.extend(more);
                JsonTree::object(entries)
            }
            (one, other) => {
                let items = |tree: JsonTree| match tree {
                    JsonTree::Array(items) => items,
                    other => vec![other],
                };
                let mut all = items(one);
                all.extend(items(other));
                JsonTree::Array(all)
            }
        }
    }

    /// `- key`: without these keys, or strings of an array.
    ///
    /// # Errors
    /// `22023` for a scalar.
    pub(crate) fn without_keys(self, keys: &[&str]) -> Result<JsonTree> {
        Ok(match self {
            JsonTree::Object(mut entries) => {
                entries.retain(|(key, _)| !keys.contains(&key.as_str()));
                JsonTree::Object(entries)
            }
            JsonTree::Array(mut items) => {
                items.retain(|item| !matches!(item, JsonTree::Text(text) if keys.contains(&text.as_str())));
                JsonTree::Array(items)
            }
            _ => return Err(wrong("cannot delete from scalar")),
        })
    }

    /// `- index`: without an element, counted from 0, or from -1 for the last.
    ///
    /// # Errors
    /// `22023` for what is no array.
    pub(crate) fn without_element(self, index: i32) -> Result<JsonTree> {
        match self {
            JsonTree::Array(mut items) => {
                let from_end = || items.len().checked_sub(index.unsigned_abs() as usize);
                let at = usize::try_from(index).ok().or_else(from_end);
                if let Some(at) = at.filter(|at| *at < items.len()) {
                    items.remove(at);
                }
                Ok(JsonTree::Array(items))
            }
            JsonTree::Object(_) => Err(wrong("cannot delete from object using integer index")),
            _ => Err(wrong("cannot delete from scalar")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> JsonTree {
        JsonTree::read(text).unwrap()
    }

    #[test]
    fn containment_as_postgresql_has_it() {
        for (whole, part, expected) in [
            ("{\"a\":1,\"b\":[1,2]}", "{\"b\":[2.0]}", true),
            ("[1,2]", "1", true),
            ("[[1]]", "1", false),
            ("{\"a\":[1]}", "{\"a\":1}", false),
            ("1", "[1]", false),
            ("[1,2]", "[2,2,1]", true),
            ("[{\"a\":1,\"b\":2}]", "[{\"a\":1}]", true),
            ("\"1\"", "1", false),
        ] {
            assert_eq!(tree(whole).contains(&tree(part)), expected, "{whole} {part}");
        }
        assert!(tree("\"a\"").exists("a") && tree("{\"a\":1}").exists("a") && !tree("[[\"a\"]]").exists("a"));
    }

    #[test]
    fn put_together_and_taken_away() {
        let joined = |a: &str, b: &str| tree(a).concat(tree(b)).text().unwrap();
        assert_eq!(joined("{\"a\":1}", "{\"b\":2,\"a\":3}"), "{\"a\": 3, \"b\": 2}");
        assert_eq!(joined("{\"a\":1}", "5"), "[{\"a\": 1}, 5]");
        assert_eq!(tree("[1,2,3]").without_element(-1).unwrap().text().unwrap(), "[1, 2]");
        assert_eq!(tree("[1]").without_element(-2).unwrap().text().unwrap(), "[1]");
        assert_eq!(tree("[\"a\",1]").without_keys(&["a"]).unwrap().text().unwrap(), "[1]");
        assert!(tree("1").without_keys(&["a"]).is_err() && tree("{}").without_element(0).is_err());
    }
}
