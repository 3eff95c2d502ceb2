//! `~` and its kin: patterns that mean the same to DataFusion's engine are left to it, all others to ours (`regex`).
//! Must not know: SQL.

use datafusion::functions::regex::regexp_like;
use datafusion::logical_expr::lit;
use datafusion::scalar::ScalarValue;

use super::super::value::{Bound, ctype_of};
use crate::error::{Error, Result, SqlState};
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
    let own = || {
        let expr = super::regex_calls::matches_rows(fold, ctype_of(args), text.expr.clone(), folded.expr.clone());
        Ok(Some(Bound::new(if negated { !expr } else { expr }, PgType::BOOL)))
    };
    let Some(ScalarValue::Utf8View(Some(constant))) = folded.constant() else { return own() };
    if !certified(constant) || malformed(constant).is_err() || (fold && !folds_alike(constant)) {
        return own();
    }
    // `s`: the dot matches a newline in PostgreSQL.
    let flags = if fold { "si" } else { "s" };
    let args = vec![
        text.expr.clone(),
        lit(ScalarValue::Utf8View(Some(constant.clone()))),
        lit(ScalarValue::Utf8View(Some(flags.to_owned()))),
    ];
    let expr = regexp_like().call(args);
    Ok(Some(Bound::new(if negated { !expr } else { expr }, PgType::BOOL)))
}

/// Whether both engines mean the same by either case of its characters: Unicode's folding adds the Kelvin sign to k and ſ to s, PostgreSQL
/// has the two cases of a character alone.
fn folds_alike(pattern: &str) -> bool {
    pattern.is_ascii() && !pattern.contains(['k', 'K', 's', 'S', '['])
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

/// What PostgreSQL refuses in a certified pattern: groups that do not close, ranges that run backwards.
fn malformed(pattern: &str) -> Result<()> {
    let chars: Vec<char> = pattern.chars().collect();
    let wrong = |what: &str| {
        Err(Error::client(SqlState::INVALID_REGULAR_EXPRESSION, format!("invalid regular expression: {what}")))
    };
    let (mut at, mut open) = (0, 0_usize);
    while let Some(c) = chars.get(at) {
        match c {
            '(' => open += 1,
            ')' if open == 0 => return wrong("parentheses () not balanced"),
            ')' => open -= 1,
            '[' => {
                let end = bracket(&chars, at).unwrap_or(at);
                let mut inside = chars.get(at + 1..end).unwrap_or_default();
                while let [from, rest @ ..] = inside {
                    match rest {
                        ['-', to, ..] if from > to => return wrong("invalid character range"),
                        ['-', _, after @ ..] => inside = after,
                        _ => inside = rest,
                    }
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    if open > 0 { wrong("parentheses () not balanced") } else { Ok(()) }
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
    use super::{certified, malformed};
    use crate::error::SqlState;

    #[test]
    fn malformed_patterns_are_told_apart() {
        for pattern in ["abc", "(a|(b))c", "[a-z0-9]+", "[^a-z]", "[-a]"] {
            assert!(malformed(pattern).is_ok(), "{pattern}");
        }
        for (pattern, what) in [
            ("(", "parentheses () not balanced"),
            ("a)", "parentheses () not balanced"),
            ("[z-a]", "invalid character range"),
        ] {
            let error = malformed(pattern).unwrap_err();
            assert_eq!(error.state(), SqlState::INVALID_REGULAR_EXPRESSION);
            assert_eq!(error.message(), format!("invalid regular expression: {what}"));
        }
    }

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
