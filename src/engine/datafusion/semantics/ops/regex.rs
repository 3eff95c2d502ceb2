//! Regular expressions: only patterns that mean the same to PostgreSQL and to the engine used here.
//! Must not know: SQL.

use datafusion::functions::regex::regexp_like;
use datafusion::logical_expr::lit;
use datafusion::scalar::ScalarValue;

use super::super::value::Bound;
use crate::error::{Error, Result};
use crate::types::PgType;

/// `~`, `~*`, `!~` and `!~*` by the name of their implementation.
pub(super) fn implement(source: &str, args: &[Bound]) -> Result<Option<Bound>> {
    let (negated, fold) = match source {
        "textregexeq" | "nameregexeq" => (false, false),
        "textregexne" | "nameregexne" => (true, false),
        "texticregexeq" | "nameicregexeq" => (false, true),
        "texticregexne" | "nameicregexne" => (true, true),
        _ => return Ok(None),
    };
    let [text, pattern] = args else { return Ok(None) };
    let folded = super::super::fold::fold(pattern.clone());
    let Some(ScalarValue::Utf8View(Some(constant))) = folded.constant() else {
        return Err(Error::unsupported("a regular expression that is not a constant is not supported"));
    };
    if !certified(constant) || (fold && !constant.is_ascii()) {
        return Err(Error::unsupported("this regular expression is not supported").with_hint(
            "Supported are literals, ., *, +, ?, alternation, groups, anchors and simple bracket expressions.",
        ));
    }
    // `s`: the dot matches a newline in PostgreSQL.
    let flags = if fold { "si" } else { "s" };
    if fold && !constant.is_ascii() {
        return Err(Error::unsupported("this regular expression is not supported"));
    }
    let args = vec![
        text.expr.clone(),
        lit(ScalarValue::Utf8View(Some(constant.clone()))),
        lit(ScalarValue::Utf8View(Some(flags.to_owned()))),
    ];
    let expr = regexp_like().call(args);
    Ok(Some(Bound::new(if negated { !expr } else { expr }, PgType::BOOL)))
}

/// Whether a pattern uses only what both engines read alike: no backslash, no braces, no classes, no lookaround.
fn certified(pattern: &str) -> bool {
    let chars: Vec<char> = pattern.chars().collect();
    let mut at = 0;
    let mut quantifiable = false;
    // `***` and embedded options at the start have a meaning of their own.
    while let Some(c) = chars.get(at) {
        match c {
            '\\' | '{' | '}' => return false,
            '(' if chars.get(at + 1) == Some(&'?') => return false,
            '*' | '+' | '?' => {
                if !quantifiable {
                    return false;
                }
                quantifiable = false;
            }
            '[' => match bracket(&chars, at) {
                Some(end) => {
                    at = end;
                    quantifiable = true;
                }
                None => return false,
            },
            ']' => return false,
            '(' | '|' | '^' | '$' => quantifiable = false,
            ')' => quantifiable = true,
            _ => quantifiable = true,
        }
        at += 1;
    }
    true
}

/// The end of a simple bracket expression: letters, digits, blanks and ranges of them.
fn bracket(chars: &[char], start: usize) -> Option<usize> {
    let mut at = start + 1;
    if chars.get(at) == Some(&'^') {
        at += 1;
    }
    let first = at;
    while let Some(c) = chars.get(at) {
        match c {
            ']' if at > first => return Some(at),
            '-' if at > first && chars.get(at + 1).is_some_and(char::is_ascii_alphanumeric) => {}
            c if c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '.' | ',' | '@' | '/' | ':') => {}
            _ => return None,
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::certified;

    #[test]
    fn only_what_both_engines_read_alike() {
        for pattern in ["abc", "^a.*b$", "(foo|bar)+", "[a-z0-9]+@[a-z.]+", "a?b*"] {
            assert!(certified(pattern), "{pattern}");
        }
        for pattern in ["\\d", "a{2}", "(?i)a", "[[:alpha:]]", "***:a", "a*?", "a**", "[a&&b]", "[]a]"] {
            assert!(!certified(pattern), "{pattern}");
        }
    }
}
