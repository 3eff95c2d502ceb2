//! Regular expressions with PostgreSQL's meaning (its "advanced" form): the longest match of the leftmost, not the first that is found.
//! Must not know: SQL, arrays.
//!
//! Linear in the text for whether and where it matches; subexpressions are found by cutting the match along the expression, as
//! PostgreSQL does. Back references and lookbehind are refused, as nothing linear finds them.

mod parse;
mod program;
mod set;

use self::parse::{Flags, Node, parse};
use self::program::Program;
use crate::error::{Error, Result, SqlState};

/// A compiled regular expression.
#[derive(Debug, Clone)]
pub(super) struct Regex {
    program: Program,
    /// Parentheses that capture.
    groups: usize,
    /// Whether the whole expression wants its longest match.
    greedy: bool,
}

/// Where a match and its subexpressions are, in characters: the whole first.
pub(super) type Match = Vec<Option<(usize, usize)>>;

/// What the letters of a flags argument ask for, besides the ways of matching.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Asked {
    /// `g`.
    pub(super) global: bool,
}

/// `2201B`.
fn invalid(what: &str) -> Error {
    Error::client(SqlState::INVALID_REGULAR_EXPRESSION, format!("invalid regular expression: {what}"))
}

impl Regex {
    /// Compiles a pattern; `flags` are the letters of the functions' last argument.
    ///
    /// # Errors
    /// `2201B` for a malformed pattern, `22023` for a letter that is no flag, `0A000` for what is not supported.
    pub(super) fn new(pattern: &str, flags: &str) -> Result<(Regex, Asked)> {
        let (mut ways, mut asked) = (Flags::default(), Asked::default());
        for flag in flags.chars() {
            if flag == 'g' {
                asked.global = true;
            } else if !ways.set(flag) {
                return Err(Error::client(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!("invalid regular expression option: \"{flag}\""),
                ));
            }
        }
        let parsed = parse(pattern, ways)?;
        let greedy = prefers_longer(&parsed.node).unwrap_or(true);
        let program = Program::compile(&parsed.node, parsed.flags)?;
        Ok((Regex { program, groups: parsed.groups, greedy }, asked))
    }

    /// How many parentheses capture.
    pub(super) fn groups(&self) -> usize {
        self.groups
    }

    /// Whether a text matches anywhere.
    pub(super) fn matches(&self, text: &[char]) -> bool {
        self.program.start_of_match(text, 0).is_some()
    }

    /// The first match at or after a place.
    pub(super) fn find(&self, text: &[char], from: usize) -> Option<Match> {
        let start = self.program.start_of_match(text, from)?;
        let ends = self.program.ends(self.program.whole(), text, start, text.len());
        let end = if self.greedy { ends.last() } else { ends.first() }.copied()?;
        let mut found: Match = vec![None; self.groups + 1];
        found[0] = Some((start, end));
        self.program.cut(self.program.whole(), text, (start, end), &mut found);
        Some(found)
    }

    /// All matches, or the first only. None begins where the one before ended without a character.
    pub(super) fn find_all(&self, text: &[char], all: bool) -> Vec<Match> {
        let mut found = Vec::new();
        let mut from = 0;
        while from <= text.len() {
            let Some(next) = self.find(text, from) else { break };
            let (start, end) = next[0].unwrap_or((from, from));
            from = if end > start { end } else { end + 1 };
            found.push(next);
            if !all {
                break;
            }
        }
        found
    }
}

/// What an expression prefers: the first quantified part of a branch decides; alternatives want the longest.
fn prefers_longer(node: &Node) -> Option<bool> {
    match node {
        Node::Concat(parts) => parts.iter().find_map(prefers_longer),
        Node::Alternatives(_) => Some(true),
        Node::Group(inner, _) => prefers_longer(inner),
        Node::Repeat { node, min, max, greedy } => {
            if Some(*min) == *max {
                prefers_longer(node)
            } else {
                Some(*greedy)
            }
        }
        Node::Empty | Node::Set(_) | Node::Edge(_) | Node::Look { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, flags: &str, text: &str) -> String {
        let regex = match Regex::new(pattern, flags) {
            Ok((regex, _)) => regex,
            Err(error) => return error.message().to_owned(),
        };
        let chars: Vec<char> = text.chars().collect();
        let piece = |range: Option<(usize, usize)>| match range {
            Some((start, end)) => chars[start..end].iter().collect(),
            None => "-".to_owned(),
        };
        match regex.find(&chars, 0) {
            Some(found) => found.into_iter().map(piece).collect::<Vec<_>>().join("|"),
            None => "none".to_owned(),
        }
    }

    /// Each answer is PostgreSQL 15's (`regexp_match` over the pattern in parentheses).
    #[test]
    fn matches_are_postgresqls() {
        for (pattern, text, expected) in [
            ("a|ab", "abc", "ab"),
            ("(a|ab)(c|bcd)(d*)", "abcd", "abcd|ab|c|d"),
            ("(a?)(ab)?", "ab", "ab||ab"),
            ("x*", "aaa", ""),
            ("\\d+", "foo123bar", "123"),
            ("(\\w+)\\s+(\\w+)", "hello  world x", "hello  world|hello|world"),
            ("a{2,3}", "aaaa", "aaa"),
            ("a{2,3}?", "aaaa", "aa"),
            ("(a+?)(a*)", "aaa", "a|a|"),
            ("^b", "ab", "none"),
            ("b$", "ab", "b"),
            ("[[:alpha:]]+", "12ab3", "ab"),
            ("[^a-c]+", "abcdef", "def"),
            ("(foo|bar)+", "xfoobarfoo", "foobarfoo|foo"),
            ("\\yfoo\\y", "a foo b", "foo"),
            ("fo(?=ob)", "foob", "fo"),
            ("fo(?!ob)", "foob fox", "fo"),
            ("a.c", "a\nc", "a\nc"),
            ("(?i)ABC", "xabc", "abc"),
            ("***=a.c", "abc a.c", "a.c"),
            ("a\\.b", "a.b", "a.b"),
            ("[\\d.]+", "v1.25", "1.25"),
            ("{", "a{", "{"),
            ("(b(..))", "foobarbaz", "bar|bar|ar"),
        ] {
            assert_eq!(found(pattern, "", text), expected, "{pattern} over {text}");
        }
        assert_eq!(found("a", "i", "xAy"), "A");
        assert_eq!(found("^b", "n", "a\nb"), "b");
    }

    #[test]
    fn what_is_malformed_is_told_in_postgresqls_words() {
        for (pattern, what) in [
            ("(", "parentheses () not balanced"),
            ("a)", "parentheses () not balanced"),
            ("[a", "brackets [] not balanced"),
            ("[z-a]", "invalid character range"),
            ("*a", "quantifier operand invalid"),
            ("a**", "quantifier operand invalid"),
            ("a{2,1}", "invalid repetition count(s)"),
            ("a{300}", "invalid repetition count(s)"),
            ("[[:foo:]]", "invalid character class"),
            ("a\\", "invalid escape \\ sequence"),
        ] {
            assert_eq!(found(pattern, "", "x"), format!("invalid regular expression: {what}"), "{pattern}");
        }
        assert!(Regex::new("(a)\\1", "").is_err());
        assert!(Regex::new("a", "y").is_err());
    }

    #[test]
    fn time_is_linear() {
        let text: Vec<char> = "a".repeat(20_000).chars().collect();
        let (regex, _) = Regex::new("(a*)*b", "").unwrap();
        assert!(!regex.matches(&text));
    }
}
