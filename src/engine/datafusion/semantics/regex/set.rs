//! Sets of characters: what one character of a text may be.
//! Must not know: the rest of a regular expression.

use std::sync::Arc;

use super::super::ctype::{Ctype, has};

/// How the characters of an expression are read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reading {
    pub(super) ctype: Ctype,
    /// Whether both cases of a letter are meant.
    pub(super) fold: bool,
}

/// A set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set {
    /// In order, no two of them touch. Shared, as an expression is copied on its way and a class has hundreds.
    ranges: Arc<[(char, char)]>,
    /// Which ASCII characters it has, a bit each: most texts are of those.
    ascii: u128,
    negated: bool,
    /// Whether a negated set leaves out the newline too.
    not_newline: bool,
}

impl Set {
    /// Of one character. Where the case is folded, PostgreSQL means its two cases, and not itself if it is neither (ǅ).
    pub(super) fn of(c: char, reading: Reading) -> Set {
        let mut members = Members::new(reading);
        members.add(c);
        members.set()
    }

    /// Of every character; not of newline if it is special.
    pub(super) fn any(newline_is_special: bool) -> Set {
        Set::new(Vec::new(), Some(newline_is_special))
    }

    /// Of a class by its name, of which there is one, or of all that is not in it.
    pub(super) fn class(name: &str, negated: bool, reading: Reading) -> Set {
        let mut members = Members::new(reading);
        let _ = members.add_class(name);
        // `\D` and `\W` have the newline in every way of matching.
        if negated { members.complement(false) } else { members.set() }
    }

    /// The set of these, or of all but these: without newline if that is special.
    fn new(mut given: Vec<(char, char)>, all_but: Option<bool>) -> Set {
        given.sort_unstable();
        let mut ranges: Vec<(char, char)> = Vec::with_capacity(given.len());
        for (from, to) in given {
            match ranges.last_mut() {
                Some((_, end)) if from <= *end || after(*end) == Some(from) => *end = to.max(*end),
                _ => ranges.push((from, to)),
            }
        }
        let mut set =
            Set { ranges: ranges.into(), ascii: 0, negated: all_but.is_some(), not_newline: all_but == Some(true) };
        set.ascii = ('\0'..='\x7f').filter(|c| set.searched(*c)).fold(0, |bits, c| bits | 1 << u32::from(c));
        set
    }

    pub(super) fn has(&self, c: char) -> bool {
        if c.is_ascii() {
            return self.ascii >> u32::from(c) & 1 == 1;
        }
        self.searched(c)
    }

    fn searched(&self, c: char) -> bool {
        !(self.not_newline && c == '\n') && has(&self.ranges, c) != self.negated
    }

    /// Its ranges, and whether it is all but them.
    pub(super) fn ranges(&self) -> (Vec<(char, char)>, bool) {
        let mut ranges = self.ranges.to_vec();
        if self.not_newline && self.negated {
            ranges.push(('\n', '\n'));
        }
        (ranges, self.negated)
    }

    /// What it has of ASCII.
    pub(super) fn ascii(&self) -> Vec<(char, char)> {
        ('\0'..='\x7f').filter(|c| self.has(*c)).map(|c| (c, c)).collect()
    }
}

/// What is put together to be a set.
#[derive(Debug)]
pub(super) struct Members {
    ranges: Vec<(char, char)>,
    reading: Reading,
}

impl Members {
    pub(super) fn new(reading: Reading) -> Members {
        Members { ranges: Vec::new(), reading }
    }

    /// Adds a character.
    pub(super) fn add(&mut self, c: char) {
        let Reading { ctype, fold } = self.reading;
        if fold {
            self.ranges.extend([ctype.lower(c), ctype.upper(c)].map(|c| (c, c)));
        } else {
            self.ranges.push((c, c));
        }
    }

    /// Adds a range.
    pub(super) fn add_range(&mut self, from: char, to: char) {
        self.ranges.push((from, to));
        if self.reading.fold {
            for (_, lower, upper) in self.reading.ctype.cased(from, to) {
                self.ranges.extend([(*lower, *lower), (*upper, *upper)]);
            }
        }
    }

    /// Adds a class by its name; none if there is no such class.
    pub(super) fn add_class(&mut self, name: &str) -> Option<()> {
        // A letter of one case is meant as one of either, whether it has the other or not.
        let name = if self.reading.fold && matches!(name, "upper" | "lower") { "alpha" } else { name };
        self.ranges.extend_from_slice(self.reading.ctype.class(name)?);
        Some(())
    }

    /// Adds everything that is not in a class.
    pub(super) fn add_complement(&mut self, name: &str) {
        let mut next = Some('\0');
        for (from, to) in self.reading.ctype.class(name).unwrap_or_default() {
            if let (Some(first), Some(last)) = (next, before(*from))
                && first <= last
            {
                self.ranges.push((first, last));
            }
            next = after(*to);
        }
        self.ranges.extend(next.map(|first| (first, char::MAX)));
    }

    /// How much it is.
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    pub(super) fn set(self) -> Set {
        Set::new(self.ranges, None)
    }

    /// Everything else; not newline if it is special.
    pub(super) fn complement(self, newline_is_special: bool) -> Set {
        Set::new(self.ranges, Some(newline_is_special))
    }
}

/// The next character: between the two here there is none.
fn after(c: char) -> Option<char> {
    if c == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(c) + 1) }
}

fn before(c: char) -> Option<char> {
    if c == '\u{e000}' { Some('\u{d7ff}') } else { char::from_u32(u32::from(c).checked_sub(1)?) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_there() {
        let mut members = Members::new(Reading::default());
        members.add_range('d', 'f');
        members.add('é');
        members.add_range('a', 'c');
        let set = members.set();
        assert_eq!(set.ranges(), (vec![('a', 'f'), ('é', 'é')], false));
        assert!(set.has('b') && set.has('é') && !set.has('g') && !set.has('è'));
        let mut members = Members::new(Reading::default());
        members.add('a');
        members.add_complement("word");
        let set = members.set();
        assert!(set.has('a') && set.has('\0') && set.has('-') && set.has(char::MAX) && !set.has('b') && !set.has('é'));
        let all = Set::any(true);
        assert!(all.has('a') && all.has('é') && !all.has('\n') && Set::any(false).has('\n'));
    }

    #[test]
    fn both_cases_are_meant_as_postgresql_means_them() {
        let reading = Reading { fold: true, ..Reading::default() };
        let of = |c| Set::of(c, reading);
        assert!(of('é').has('É') && of('k').has('K') && !of('k').has('\u{212a}') && of('\u{212a}').has('k'));
        assert!(!of('ǅ').has('ǅ') && of('ǅ').has('ǆ') && of('ǅ').has('Ǆ'));
        let mut members = Members::new(reading);
        members.add_range('à', 'ÿ');
        assert!(members.set().has('Ÿ'));
        assert!(Set::class("upper", false, reading).has('ß') && !Set::class("upper", false, reading).has('1'));
        let plain = Reading { ctype: Ctype::Ascii, fold: true };
        assert!(!Set::of('é', plain).has('É') && Set::of('e', plain).has('E'));
    }
}
