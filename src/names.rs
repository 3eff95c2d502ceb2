//! Names: how identifiers are quoted and what the product calls itself.
//! Must not know: anything that has a name.

use std::fmt;

/// The PostgreSQL version that clients are told (`server_version`): newer clients know older servers.
pub const SERVER_VERSION: &str = "15.8";

/// The same as a number (`server_version_num`).
pub const SERVER_VERSION_NUM: &str = "150008";

/// Tusk's own version.
pub const TUSK_VERSION: &str = env!("CARGO_PKG_VERSION");

/// What `version()` answers: PostgreSQL's form first, the product after it, as drivers parse it.
#[must_use]
pub fn version() -> String {
    format!("PostgreSQL {SERVER_VERSION} (Tusk {TUSK_VERSION}, DataFusion)")
}

/// The longest identifier in bytes (`max_identifier_length`).
pub const MAX_IDENTIFIER_BYTES: usize = 63;

/// A name as long as names may be: what is beyond that is cut off between characters.
#[must_use]
pub fn cut(name: &str) -> &str {
    let mut end = MAX_IDENTIFIER_BYTES.min(name.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or(name)
}

/// Whether a name in a statement, where none is longer than names are, means what is called so: what files hold may have longer names.
#[must_use]
pub fn means(name: &str, called: &str) -> bool {
    name == called || (called.len() > MAX_IDENTIFIER_BYTES && name == cut(called))
}

/// A table as clients name it: the schema that a source mounts, and the table in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    /// The schema as clients see it, in its exact case.
    pub schema: String,
    /// The table, in its exact case.
    pub table: String,
}

impl TableName {
    /// A table of a schema.
    pub fn new(schema: impl Into<String>, table: impl Into<String>) -> Self {
        TableName { schema: schema.into(), table: table.into() }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", quote_if_needed(&self.schema), quote_if_needed(&self.table))
    }
}

/// An identifier in double quotes, each double quote in it doubled.
#[must_use]
pub fn quote(identifier: &str) -> String {
    let mut quoted = String::with_capacity(identifier.len() + 2);
    quoted.push('"');
    for c in identifier.chars() {
        if c == '"' {
            quoted.push('"');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// An identifier as people write it: quoted only where folding would change it. For messages, never for SQL that is sent.
#[must_use]
pub fn quote_if_needed(identifier: &str) -> String {
    let plain = identifier
        .bytes()
        .enumerate()
        .all(|(i, b)| b.is_ascii_lowercase() || b == b'_' || (i > 0 && (b.is_ascii_digit() || b == b'$')));
    if plain && !identifier.is_empty() { identifier.to_owned() } else { quote(identifier) }
}

/// An unquoted identifier as PostgreSQL folds it: ASCII letters to lower case, nothing else.
#[must_use]
pub fn fold(identifier: &str) -> String {
    identifier.to_ascii_lowercase()
}

/// What a source knows a cursor of ours by. All are of one length, so that each can stand in a text for another; number 0 is none's.
#[must_use]
pub fn cursor(number: u64) -> String {
    format!("tusk_{number:010}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"n".repeat(70)).len(), 63);
        assert_eq!(cut(&"ä".repeat(40)), "ä".repeat(31));
        assert!(means("a", "a") && means(&"n".repeat(63), &"n".repeat(70)));
        assert!(!means("a", "ab") && !means(&"n".repeat(62), &"n".repeat(63)));
    }

    #[test]
    fn quotes_double_quotes() {
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
        assert_eq!(quote_if_needed("orders"), "orders");
        assert_eq!(quote_if_needed("Mixed Case"), "\"Mixed Case\"");
        assert_eq!(quote_if_needed("1a"), "\"1a\"");
    }
}
