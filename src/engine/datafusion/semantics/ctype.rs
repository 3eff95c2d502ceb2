//! What a character is, and what it is in the other case: by PostgreSQL's ctype "C.UTF-8", or "C" where a statement asks for that.
//! Must not know: arrays, SQL, regular expressions.
//!
//! One character becomes one: glibc's `towupper` and `towlower` know Unicode's simple mappings alone, so ß stays ß. What is a letter, a
//! blank, a mark is glibc's reading of Unicode's properties (its `gen_unicode_ctype.py`); Unicode's version is that of the libraries.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

/// Who says what a character is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Ctype {
    /// `C.UTF-8`, the database's own: all of Unicode.
    #[default]
    Unicode,
    /// `C`: no more than ASCII.
    Ascii,
}

/// Characters from the first up to the second, in order.
pub(super) type Ranges = [(char, char)];

/// A character that has another case: itself, its lower and its upper case.
pub(super) type Cased = (char, char, char);

/// The last character that has another case lies below.
const CASED_BELOW: char = '\u{20000}';

impl Ctype {
    pub(super) fn upper(self, c: char) -> char {
        if c.is_ascii() || self == Ctype::Ascii {
            return c.to_ascii_uppercase();
        }
        let mut all = c.to_uppercase();
        match (all.next(), all.next()) {
            (Some(upper), None) => upper,
            // Unicode's full mapping has several characters here, its simple one this: letters with an iota below.
            _ => match c {
                '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => beyond(c, 8),
                '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => beyond(c, 9),
                _ => c,
            },
        }
    }

    pub(super) fn lower(self, c: char) -> char {
        if c.is_ascii() || self == Ctype::Ascii {
            return c.to_ascii_lowercase();
        }
        // İ alone becomes several: an i and the dot, of which the i is the simple one.
        c.to_lowercase().next().unwrap_or(c)
    }

    /// `upper`.
    pub(super) fn uppercase(self, text: &str) -> String {
        if self == Ctype::Ascii || text.is_ascii() {
            return text.to_ascii_uppercase();
        }
        mapped(text, |c| self.upper(c))
    }

    /// `lower`.
    pub(super) fn lowercase(self, text: &str) -> String {
        if self == Ctype::Ascii || text.is_ascii() {
            return text.to_ascii_lowercase();
        }
        mapped(text, |c| self.lower(c))
    }

    /// `initcap`: words (runs of letters and digits) with a capital first.
    pub(super) fn initcap(self, text: &str) -> String {
        let mut inside = false;
        mapped(text, |c| {
            let made = if inside { self.lower(c) } else { self.upper(c) };
            inside = self.is_alphanumeric(made);
            made
        })
    }

    /// A letter or a digit. Digits of other scripts are letters to glibc.
    pub(super) fn is_alphanumeric(self, c: char) -> bool {
        if c.is_ascii() || self == Ctype::Ascii {
            return c.is_ascii_alphanumeric();
        }
        has(&CLASSES.alnum, c)
    }

    /// The characters of a class of regular expressions (`alpha`, `word`) in order; none if there is no such class.
    pub(super) fn class(self, name: &str) -> Option<&'static Ranges> {
        // By no ctype are these more.
        let fixed: &'static Ranges = match name {
            "digit" => &[('0', '9')],
            "blank" => &[('\t', '\t'), (' ', ' ')],
            "cntrl" => &[('\0', '\x1f'), ('\x7f', '\u{9f}')],
            "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
            "ascii" => &[('\0', '\x7f')],
            _ => match self {
                Ctype::Unicode => return CLASSES.named(name),
                Ctype::Ascii => return ascii(name),
            },
        };
        Some(fixed)
    }

    /// The characters between two that have another case.
    pub(super) fn cased(self, from: char, to: char) -> &'static [Cased] {
        let all = match self {
            Ctype::Unicode => CASED.as_slice(),
            Ctype::Ascii => CASED.get(..CASED.partition_point(|(c, ..)| c.is_ascii())).unwrap_or_default(),
        };
        let start = all.partition_point(|(c, ..)| *c < from);
        let end = all.partition_point(|(c, ..)| *c <= to);
        all.get(start..end).unwrap_or_default()
    }
}

/// Whether a character is in one of the ranges, which are in order.
pub(super) fn has(ranges: &Ranges, c: char) -> bool {
    let at = ranges.partition_point(|(_, to)| *to < c);
    ranges.get(at).is_some_and(|(from, _)| *from <= c)
}

fn beyond(c: char, by: u32) -> char {
    char::from_u32(u32::from(c) + by).unwrap_or(c)
}

fn mapped(text: &str, map: impl FnMut(char) -> char) -> String {
    let mut made = String::with_capacity(text.len());
    made.extend(text.chars().map(map));
    made
}

/// The classes of "C" that "C.UTF-8" has more in.
fn ascii(name: &str) -> Option<&'static Ranges> {
    Some(match name {
        "alpha" => &[('A', 'Z'), ('a', 'z')],
        "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
        "word" => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        "upper" => &[('A', 'Z')],
        "lower" => &[('a', 'z')],
        "space" => &[('\t', '\r'), (' ', ' ')],
        "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "graph" => &[('!', '~')],
        "print" => &[(' ', '~')],
        _ => return None,
    })
}

/// All characters that have another case, in order.
static CASED: LazyLock<Vec<Cased>> = LazyLock::new(|| {
    let of = |c| (c, Ctype::Unicode.lower(c), Ctype::Unicode.upper(c));
    ('\0'..CASED_BELOW).map(of).filter(|(c, lower, upper)| c != lower || c != upper).collect()
});

/// The classes of "C.UTF-8".
struct Classes {
    alpha: Vec<(char, char)>,
    alnum: Vec<(char, char)>,
    word: Vec<(char, char)>,
    upper: Vec<(char, char)>,
    lower: Vec<(char, char)>,
    space: Vec<(char, char)>,
    punct: Vec<(char, char)>,
    graph: Vec<(char, char)>,
    print: Vec<(char, char)>,
}

static CLASSES: LazyLock<Classes> = LazyLock::new(|| {
    let with = |mut a: ClassUnicode, b: &ClassUnicode| {
        a.union(b);
        a
    };
    let without = |mut a: ClassUnicode, b: &ClassUnicode| {
        a.difference(b);
        a
    };
    let shifted = |to: fn(&Cased) -> bool| {
        ClassUnicode::new(CASED.iter().filter(|cased| to(cased)).map(|(c, ..)| ClassUnicodeRange::new(*c, *c)))
    };
    let (raised, lowered) = (shifted(|(c, lower, _)| c != lower), shifted(|(c, _, upper)| c != upper));
    let cased = with(raised.clone(), &lowered);
    let alpha = with(properties(r"[[\p{Alphabetic}\p{Nd}]--[0-9]]"), &cased);
    let alnum = with(alpha.clone(), &properties("[0-9]"));
    // No blank that keeps a line together is one.
    let space = properties(r"[[\t-\r\p{Zs}\p{Zl}\p{Zp}]--[\u{a0}\u{2007}\u{202f}]]");
    let known = with(properties(r"[\P{Cn}--\p{Cc}]"), &alpha);
    let graph = without(known.clone(), &space);
    Classes {
        word: listed(&with(alnum.clone(), &properties("[_]"))),
        // Those without the other case in one character are still of theirs.
        upper: listed(&with(raised, &properties(r"[\p{Alphabetic}&&\p{Uppercase}]"))),
        lower: listed(&with(lowered, &properties(r"[ß[\p{Alphabetic}&&\p{Lowercase}]]"))),
        punct: listed(&without(graph.clone(), &alnum)),
        print: listed(&without(known, &properties(r"[\p{Zl}\p{Zp}]"))),
        graph: listed(&graph),
        space: listed(&space),
        alpha: listed(&alpha),
        alnum: listed(&alnum),
    }
});

impl Classes {
    fn named(&'static self, name: &str) -> Option<&'static Ranges> {
        Some(match name {
            "alpha" => &self.alpha,
            "alnum" => &self.alnum,
            "word" => &self.word,
            "upper" => &self.upper,
            "lower" => &self.lower,
            "space" => &self.space,
            "punct" => &self.punct,
            "graph" => &self.graph,
            "print" => &self.print,
            _ => return None,
        })
    }
}

/// The characters with these of Unicode's properties. A test holds that each set named here is one.
fn properties(named: &str) -> ClassUnicode {
    match regex_syntax::parse(named).map(regex_syntax::hir::Hir::into_kind) {
        Ok(HirKind::Class(Class::Unicode(class))) => class,
        Ok(HirKind::Literal(literal)) => one(&literal.0),
        _ => ClassUnicode::empty(),
    }
}

/// A set of one character is read as that character.
fn one(literal: &[u8]) -> ClassUnicode {
    let first = std::str::from_utf8(literal).ok().and_then(|text| text.chars().next());
    ClassUnicode::new(first.map(|c| ClassUnicodeRange::new(c, c)))
}

fn listed(class: &ClassUnicode) -> Vec<(char, char)> {
    class.iter().map(|range| (range.start(), range.end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_character_becomes_one() {
        let ours = Ctype::Unicode;
        assert_eq!(ours.uppercase("straße élan ǆ ŉ ᾳ ᾀ"), "STRAßE ÉLAN Ǆ ŉ ᾼ ᾈ");
        assert_eq!(ours.lowercase("ÉLAN İ ẞ ΑΣ Ǆ ǅ \u{212a}"), "élan i ß ασ ǆ ǆ k");
        assert_eq!(ours.initcap("éTÉ d'ÉTÉ ǆa ßa 1AB ٣AB a_b"), "Été D'Été Ǆa ßa 1ab ٣ab A_B");
        assert_eq!(Ctype::Ascii.uppercase("éa"), "éA");
        assert_eq!(Ctype::Ascii.lowercase("ÉA"), "Éa");
        assert_eq!(Ctype::Ascii.initcap("éTE tE"), "éTe Te");
    }

    #[test]
    fn classes_are_ordered_and_what_they_say() {
        let names = ["alpha", "alnum", "word", "upper", "lower", "space", "punct", "graph", "print"];
        let fixed = ["digit", "blank", "cntrl", "xdigit", "ascii"];
        for ctype in [Ctype::Unicode, Ctype::Ascii] {
            for name in names.into_iter().chain(fixed) {
                let ranges = ctype.class(name).unwrap();
                assert!(ranges.iter().all(|(from, to)| from <= to), "{name}");
                assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0), "{name}");
            }
            assert!(ctype.class("foo").is_none());
        }
        // What "C" has, "C.UTF-8" has of ASCII too.
        for name in names {
            let (ours, plain) = (Ctype::Unicode.class(name).unwrap(), Ctype::Ascii.class(name).unwrap());
            for c in '\0'..='\x7f' {
                assert_eq!(has(ours, c), has(plain, c), "{name} {c:?}");
            }
        }
        let is = |name: &str, c: char| has(Ctype::Unicode.class(name).unwrap(), c);
        assert!(is("alpha", 'é') && is("upper", 'É') && is("lower", 'ß') && is("alnum", '٣') && is("alpha", '٣'));
        assert!(is("space", '\u{2003}') && !is("space", '\u{a0}') && is("punct", '\u{a0}') && is("punct", '€'));
        assert!(is("upper", 'ǅ') && is("lower", 'ǅ') && is("lower", 'ª') && !is("graph", '\u{378}'));
        assert!(!is("print", '\u{2028}') && is("print", ' ') && is("word", '_') && !is("alnum", '_'));
    }

    #[test]
    fn only_so_many_have_another_case() {
        assert!(CASED.len() > 2700 && CASED.iter().all(|(c, ..)| *c < '\u{1f000}'));
        assert!((CASED_BELOW..=char::MAX).all(|c| Ctype::Unicode.lower(c) == c && Ctype::Unicode.upper(c) == c));
        assert_eq!(Ctype::Ascii.cased('Y', 'é').len(), 28);
        assert_eq!(Ctype::Unicode.cased('é', 'é'), [('é', 'é', 'É')]);
    }
}
