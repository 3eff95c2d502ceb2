//! Regular expressions with PostgreSQL's meaning (its "advanced" form): the longest match of the leftmost, not the first that is found.
//! Must not know: SQL, arrays.
//!
//! Linear in the text for whether and where it matches; subexpressions are found by cutting the match along the expression, as
//! PostgreSQL does. Back references and lookbehind are refused, as nothing linear finds them. A statement that is stopped stops here
//! too: whatever is looked for can fail for that reason.

mod cut;
mod matcher;
mod parse;
mod program;
mod quick;
mod set;
mod shape;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use self::matcher::{Matcher, Scratch};
use self::parse::{Flags, Node, parse};
use self::program::Program;
use self::quick::Quick;
use super::ctype::Ctype;
use crate::error::{Error, Result, SqlState};

/// A compiled regular expression.
#[derive(Debug)]
pub(super) struct Regex {
    node: Node,
    program: Program,
    /// Parentheses that capture.
    groups: usize,
    scratch: Mutex<Scratch>,
    /// How often it was asked whether a text matches, and what answers that faster if it is asked often.
    asked: AtomicU32,
    quick: OnceLock<Option<regex::Regex>>,
    /// The same for texts of ASCII alone, as most are: classes are small there.
    quick_ascii: OnceLock<Option<regex::Regex>>,
    ctype: Ctype,
}

/// How often an expression is asked before it is worth to be compiled for that alone.
const OFTEN: u32 = 16;

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
    pub(super) fn new(pattern: &str, flags: &str, ctype: Ctype) -> Result<(Regex, Asked)> {
        let (mut ways, mut asked) = (Flags::new(ctype), Asked::default());
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
        let program = Program::compile(&parsed.node, parsed.flags.lines, parsed.flags.ctype())?;
        let regex = Regex {
            node: parsed.node,
            program,
            groups: parsed.groups,
            scratch: Mutex::default(),
            asked: AtomicU32::new(0),
            quick: OnceLock::new(),
            quick_ascii: OnceLock::new(),
            ctype,
        };
        Ok((regex, asked))
    }

    /// How many parentheses capture.
    pub(super) fn groups(&self) -> usize {
        self.groups
    }

    /// Whether a text matches anywhere. What it prefers does not matter here.
    pub(super) fn matches(&self, text: &str) -> Result<bool> {
        if self.asked.load(Ordering::Relaxed) < OFTEN {
            self.asked.fetch_add(1, Ordering::Relaxed);
        } else if let Some(quick) = self.quick(text.is_ascii()) {
            return Ok(quick.is_match(text));
        }
        let text: Vec<char> = text.chars().collect();
        self.over(&text, |matcher| matcher.start_of_match(0)).map(|start| start.is_some())
    }

    fn quick(&self, ascii: bool) -> Option<&regex::Regex> {
        let made = if ascii { &self.quick_ascii } else { &self.quick };
        let quick = Quick { lines: self.program.lines, ascii, ctype: self.ctype };
        made.get_or_init(|| quick.compiled(&self.node)).as_ref()
    }

    /// The first match at or after a place.
    pub(super) fn find(&self, text: &[char], from: usize) -> Result<Option<Match>> {
        self.over(text, |matcher| self.next(matcher, from))
    }

    /// Tells of the matches from a place on, until it is told enough. None begins where the one before ended without a character.
    pub(super) fn each(
        &self,
        text: &[char],
        from: usize,
        mut enough: impl FnMut((usize, usize), &Match) -> Result<bool>,
    ) -> Result<()> {
        self.over(text, |matcher| {
            let mut from = from;
            while from <= text.len() {
                let Some(next) = self.next(matcher, from)? else { break };
                let (start, end) = next.first().copied().flatten().unwrap_or((from, from));
                from = if end > start { end } else { end + 1 };
                if enough((start, end), &next)? {
                    break;
                }
            }
            Ok(())
        })
    }

    fn next(&self, matcher: &mut Matcher<'_>, from: usize) -> Result<Option<Match>> {
        let Some(start) = matcher.start_of_match(from)? else { return Ok(None) };
        let (whole, last) = (&self.program.whole, matcher.text.len());
        let end = if whole.short {
            matcher.shortest(whole, start, start, last)?
        } else {
            matcher.longest(whole, start, last)?
        };
        let mut found: Match = vec![None; self.groups + 1];
        let cut = match end {
            Some(end) => {
                found[0] = Some((start, end));
                self.groups == 0 || matcher.cut(whole, (start, end), &mut found)?
            }
            None => false,
        };
        if cut { Ok(Some(found)) } else { Err(Error::internal("a match of a regular expression could not be cut")) }
    }

    /// Follows it over a text, with the memory of the call before if no other has it.
    fn over<T>(&self, text: &[char], find: impl FnOnce(&mut Matcher<'_>) -> Result<T>) -> Result<T> {
        match self.scratch.try_lock() {
            Some(mut scratch) => find(&mut Matcher { program: &self.program, text, scratch: &mut scratch }),
            None => find(&mut Matcher { program: &self.program, text, scratch: &mut Scratch::default() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, flags: &str, text: &str) -> String {
        let regex = match Regex::new(pattern, flags, Ctype::Unicode) {
            Ok((regex, _)) => regex,
            Err(error) => return error.message().to_owned(),
        };
        let chars: Vec<char> = text.chars().collect();
        let piece = |range: Option<(usize, usize)>| match range {
            Some((start, end)) => chars[start..end].iter().collect(),
            None => "-".to_owned(),
        };
        match regex.find(&chars, 0).unwrap() {
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
            // What prefers what, and which iteration's groups are kept.
            ("(?:(.*?)(\\d+)(.*)){1,1}", "abc01234xyz", "abc01234xyz|abc|01234|xyz"),
            ("(?:(.*?)(\\d+)(.*)){1}", "abc01234xyz", "abc0|abc|0|"),
            ("(a(b)?)+", "aba", "aba|a|-"),
            ("(?:(a)|(b))+", "abab", "abab|-|b"),
            ("(a*)+", "aaa", "aaa|"),
            ("(a*)*", "b", "|"),
            ("(a*?)*?", "b", "|-"),
            ("(a|ab)(?=b)", "aab", "a|a"),
            ("(?=(b))b(a)", "foobar", "ba|a"),
            ("a+?b*", "aabbb", "a"),
            ("(?:x|y)*?(y)", "xxy", "xxy|y"),
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
        assert!(Regex::new("(a)\\1", "", Ctype::Unicode).is_err());
        assert!(Regex::new("a", "y", Ctype::Unicode).is_err());
    }

    #[test]
    fn what_is_stopped_ends() {
        let text = vec!['x'; 100_000];
        let (regex, _) = Regex::new("x|.*y", "g", Ctype::Unicode).unwrap();
        let stop = crate::engine::datafusion::Stop::default();
        stop.now();
        let error = stop.during(|| regex.each(&text, 0, |_, _| Ok(false))).unwrap_err();
        assert_eq!(error.state(), SqlState::QUERY_CANCELED);
    }

    #[test]
    fn time_is_linear() {
        let text = "a".repeat(20_000);
        let (regex, _) = Regex::new("(a*)*b", "", Ctype::Unicode).unwrap();
        assert!(!regex.matches(&text).unwrap());
    }
}
