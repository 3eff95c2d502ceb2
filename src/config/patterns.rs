//! Patterns of names, as the file has them.
//! Must not know: what the names name.

/// Patterns such as `["*", "!audit_*"]`: `*` and `?` wildcards, `!` excludes; the last that matches decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patterns(Vec<(bool, String)>);

impl Patterns {
    /// Takes patterns as the file has them.
    #[must_use]
    pub fn new(patterns: &[String]) -> Self {
        Patterns(
            patterns
                .iter()
                .map(|pattern| match pattern.strip_prefix('!') {
                    Some(rest) => (false, rest.to_owned()),
                    None => (true, pattern.clone()),
                })
                .collect(),
        )
    }

    /// Whether a table is meant, by patterns of the form `schema.table`.
    ///
    /// Schema and table are matched apart: a dot in a name never lets a pattern reach into another schema.
    #[must_use]
    pub fn matches_table(&self, schema: &str, table: &str) -> bool {
        let matches = |pattern: &str| {
            pattern.split_once('.').is_some_and(|(schemas, tables)| {
                wildcard(schemas.as_bytes(), schema.as_bytes()) && wildcard(tables.as_bytes(), table.as_bytes())
            })
        };
        self.0.iter().rev().find(|(_, pattern)| matches(pattern)).is_some_and(|(keep, _)| *keep)
    }

    /// Whether every name is meant.
    #[must_use]
    pub fn is_all(&self) -> bool {
        matches!(self.0.as_slice(), [(true, all)] if all == "*")
    }

    /// The patterns as the file has them.
    pub fn texts(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().map(|(keep, pattern)| if *keep { pattern.clone() } else { format!("!{pattern}") })
    }

    /// Whether a name is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.0
            .iter()
            .rev()
            .find(|(_, pattern)| wildcard(pattern.as_bytes(), name.as_bytes()))
            .is_some_and(|(keep, _)| *keep)
    }
}

/// Matches `*` (any run) and `?` (one byte) in linear space and at most quadratic time.
#[must_use]
pub fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(b'?') => {
                p += 1;
                t += 1;
            }
            Some(byte) if *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((sp, st)) => {
                    p = sp + 1;
                    t = st + 1;
                    star = Some((sp, st + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_take_the_last_match() {
        let patterns = Patterns::new(&["*".into(), "!audit_*".into(), "audit_public".into()]);
        assert!(patterns.matches("orders"));
        assert!(!patterns.matches("audit_log"));
        assert!(patterns.matches("audit_public"));
        assert!(!Patterns::default().matches("orders"));
        let grants = Patterns::new(&["shop.*".into(), "!shop.secret*".into(), "*.rates".into()]);
        assert!(grants.matches_table("shop", "orders") && grants.matches_table("lake", "rates"));
        assert!(!grants.matches_table("shop", "secrets") && !grants.matches_table("shop.x", "orders"));
        assert!(grants.matches_table("shop", "a.b") && !Patterns::new(&["a*".into()]).matches_table("a", "b"));
        assert!(wildcard(b"*.*", b"a.b") && !wildcard(b"a?c", b"ac"));
    }
}
