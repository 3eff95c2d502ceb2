//! Whether a CREATE statement of SQLite names a collation other than BINARY.
//! Must not know: connections. Errs on the side of "yes": a "yes" costs speed, a wrong "no" would cost rows.

/// Whether `COLLATE x` with an x other than BINARY stands anywhere in the text, comments and strings included.
pub(super) fn names_collation(sql: &str) -> bool {
    let upper = sql.to_ascii_uppercase();
    let mut rest = upper.as_str();
    while let Some(at) = rest.find("COLLATE") {
        rest = &rest[at + "COLLATE".len()..];
        let name = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || "\"'`[(".contains(c));
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
        if &name[..end] != "BINARY" {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::names_collation;

    #[test]
    fn finds_collations() {
        assert!(!names_collation("create table t (a text)"));
        assert!(!names_collation("create table t (a text collate binary, b text COLLATE \"BINARY\")"));
        assert!(names_collation("create table t (a text collate nocase)"));
        assert!(names_collation("create table t (a text Collate\n rtrim, b collate binary)"));
        assert!(names_collation("create table t (a text collate/**/nocase)"));
    }
}
