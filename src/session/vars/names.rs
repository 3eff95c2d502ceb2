//! Lists of identifiers in one text, as `search_path` holds them.
//! Must not know: schemas.

use crate::names::{fold, quote_if_needed};

/// The identifiers of a list: unquoted ones folded, quoted ones as they are. `None`: malformed.
#[must_use]
pub fn split_identifiers(text: &str) -> Option<Vec<String>> {
    let mut rest = text.trim();
    let mut list = Vec::new();
    if rest.is_empty() {
        return Some(list);
    }
    loop {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_name(quoted)?,
            None => {
                let end = rest.find(|c: char| c == ',' || c.is_ascii_whitespace()).unwrap_or(rest.len());
                let (name, after) = rest.split_at(end);
                if name.is_empty() {
                    return None;
                }
                (fold(name), after)
            }
        };
        list.push(name);
        rest = after.trim_start();
        if rest.is_empty() {
            return Some(list);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

/// A name up to its closing quote, and what follows it; `None`: nothing closes it.
#[must_use]
pub fn quoted_name(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, after)),
        }
    }
}

/// The text of a list, each name quoted where it needs to be.
#[must_use]
pub fn join_identifiers<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quote_if_needed).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_postgresql_does() {
        let split = |text| split_identifiers(text).map(|list| list.join("|"));
        assert_eq!(split("a, \"B c\" ,D").as_deref(), Some("a|B c|d"));
        assert_eq!(split("\"$user\", public").as_deref(), Some("$user|public"));
        assert_eq!(split("\"a\"\"b\"").as_deref(), Some("a\"b"));
        assert_eq!(split("").as_deref(), Some(""));
        assert_eq!(split("\"\"").map(|text| text.len()), Some(0));
        for bad in ["a,,b", "a,", ",a", "\"a", "a b", "\"a\"b"] {
            assert_eq!(split(bad), None, "{bad}");
        }
        assert_eq!(join_identifiers(["a", "B c"]), "a, \"B c\"");
    }
}
