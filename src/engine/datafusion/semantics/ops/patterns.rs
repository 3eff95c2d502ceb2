//! LIKE and ILIKE. A pattern's escape character is the backslash.
//! Must not know: SQL.

use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::Like;
use datafusion::scalar::ScalarValue;

use super::super::lift::{text_rows, truth_rows};
use super::super::value::{Bound, ctype_of};
use super::{exprs, under};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

/// A pattern match by the name of its implementation.
pub(super) fn implement(source: &str, args: &[Bound]) -> Result<Option<Bound>> {
    let (negated, fold) = match source {
        "textlike" | "bpcharlike" | "namelike" => (false, false),
        "textnlike" | "bpcharnlike" | "namenlike" => (true, false),
        "texticlike" | "bpchariclike" | "nameiclike" => (false, true),
        "texticnlike" | "bpcharicnlike" | "nameicnlike" => (true, true),
        "like_escape" => {
            let expr = text_rows("like_escape", exprs(args), |row| escaped(row.text(0)?, row.text(1)?).map(Some));
            return Ok(Some(Bound::new(expr, PgType::TEXT)));
        }
        _ => return Ok(None),
    };
    let [text, pattern] = args else { return Ok(None) };
    let folded = super::super::fold::fold(pattern.clone());
    // A plain pattern is left to DataFusion, which prunes and searches by it; ILIKE there folds otherwise.
    if let Some(ScalarValue::Utf8View(Some(constant))) = folded.constant()
        && !fold
        && !constant.contains('\\')
    {
        let like = Like::new(negated, Box::new(text.expr.clone()), Box::new(folded.expr.clone()), None, false);
        return Ok(Some(Bound::new(Expr::Like(like), PgType::BOOL)));
    }
    let ctype = ctype_of(args);
    let name = if fold { under(ctype, "ilike") } else { "like".to_owned() };
    let expr = truth_rows(&name, vec![text.expr.clone(), folded.expr], move |row| {
        let (text, pattern) = (row.text(0)?, row.text(1)?);
        if fold {
            // As PostgreSQL: both in lower case, so what has no lower case of its own matches itself alone.
            matches(&ctype.lowercase(text), &ctype.lowercase(pattern))
        } else {
            matches(text, pattern)
        }
    });
    Ok(Some(Bound::new(if negated { !expr } else { expr }, PgType::BOOL)))
}

/// Whether a text matches a LIKE pattern.
fn matches(text: &str, pattern: &str) -> Result<bool> {
    let pattern = parse(pattern);
    let text: Vec<char> = text.chars().collect();
    // Greedy with one place to come back to: the last `%`.
    let (mut t, mut p) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match pattern.get(p) {
            Some(Piece::Any) => {
                retry = Some((t, p));
                p += 1;
                continue;
            }
            Some(Piece::One) if t < text.len() => {
                t += 1;
                p += 1;
                continue;
            }
            // PostgreSQL finds this when it gets there.
            Some(Piece::Dangling) if t < text.len() => {
                let message = "LIKE pattern must not end with escape character";
                return Err(Error::client(SqlState::INVALID_ESCAPE_SEQUENCE, message));
            }
            Some(Piece::Char(c)) if text.get(t) == Some(c) => {
                t += 1;
                p += 1;
                continue;
            }
            None if t == text.len() => return Ok(true),
            _ => {}
        }
        match retry {
            Some((from, at)) if from < text.len() => {
                retry = Some((from + 1, at));
                t = from + 1;
                p = at + 1;
            }
            _ => return Ok(false),
        }
    }
}

enum Piece {
    Any,
    One,
    Char(char),
    /// An escape with nothing behind it.
    Dangling,
}

fn parse(pattern: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        pieces.push(match c {
            '%' => Piece::Any,
            '_' => Piece::One,
            '\\' => chars.next().map_or(Piece::Dangling, Piece::Char),
            c => Piece::Char(c),
        });
    }
    pieces
}

/// A pattern with another escape character, with the backslash in its place.
fn escaped(pattern: &str, escape: &str) -> Result<String> {
    let mut characters = escape.chars();
    let escape = match (characters.next(), characters.next()) {
        (None, _) => return Ok(pattern.replace('\\', "\\\\")),
        (Some(escape), None) => escape,
        _ => {
            return Err(Error::client(SqlState::INVALID_ESCAPE_SEQUENCE, "invalid escape string")
                .with_hint("Escape string must be empty or one character."));
        }
    };
    if escape == '\\' {
        return Ok(pattern.to_owned());
    }
    let mut made = String::with_capacity(pattern.len());
    let mut after = false;
    for c in pattern.chars() {
        if c == escape && !after {
            made.push('\\');
            after = true;
        } else if c == '\\' {
            made.push('\\');
            if !after {
                made.push('\\');
            }
            after = false;
        } else {
            made.push(c);
            after = false;
        }
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (text, pattern, expected) in [
            ("abc", "abc", true),
            ("abc", "a%", true),
            ("abc", "%c", true),
            ("abc", "a_c", true),
            ("abc", "_", false),
            ("a%c", "a\\%c", true),
            ("abc", "a\\%c", false),
            ("", "%", true),
            ("aXbXc", "%X%c", true),
            ("ä", "_", true),
        ] {
            assert_eq!(matches(text, pattern).unwrap(), expected, "{text} {pattern}");
        }
        assert!(matches("ab", "a\\").is_err());
        assert!(!matches("a", "a\\").unwrap());
        assert_eq!(escaped("a#%b", "#").unwrap(), "a\\%b");
    }
}
