//! Sets of characters: what one character of a text may be.
//! Must not know: the rest of a regular expression.

/// A set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Set {
    ranges: Vec<(char, char)>,
    negated: bool,
    /// Whether a negated set leaves out the newline too.
    not_newline: bool,
}

impl Set {
    /// Of one character.
    pub(super) fn of(c: char) -> Set {
        Set { ranges: vec![(c, c)], ..Set::default() }
    }

    /// Of every character; not of newline if it is special.
    pub(super) fn any(newline_is_special: bool) -> Set {
        Set { negated: true, not_newline: newline_is_special, ..Set::default() }
    }

    pub(super) fn add(&mut self, from: char, to: char) {
        self.ranges.push((from, to));
    }

    /// Everything else; not newline if it is special.
    pub(super) fn negate(mut self, newline_is_special: bool) -> Set {
        self.negated = !self.negated;
        self.not_newline = newline_is_special;
        self
    }

    /// With the ASCII letters of the other case.
    pub(super) fn fold(mut self) -> Set {
        let mut more = Vec::new();
        for (from, to) in &self.ranges {
            for c in 'a'..='z' {
                let upper = c.to_ascii_uppercase();
                if (*from..=*to).contains(&c) {
                    more.push((upper, upper));
                }
                if (*from..=*to).contains(&upper) {
                    more.push((c, c));
                }
            }
        }
        self.ranges.extend(more);
        self
    }

    pub(super) fn has(&self, c: char) -> bool {
        if self.not_newline && c == '\n' {
            return false;
        }
        self.ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != self.negated
    }

    /// Its ranges, and whether it is all but them.
    pub(super) fn ranges(&self) -> (Vec<(char, char)>, bool) {
        let mut ranges = self.ranges.clone();
        if self.not_newline && self.negated {
            ranges.push(('\n', '\n'));
        }
        (ranges, self.negated)
    }

    /// Adds a class by its name; none if there is no such class.
    pub(super) fn add_class(&mut self, name: &str) -> Option<()> {
        let ranges: &[(char, char)] = match name {
            "alpha" => &[('a', 'z'), ('A', 'Z')],
            "digit" => &[('0', '9')],
            "alnum" => &[('a', 'z'), ('A', 'Z'), ('0', '9')],
            "word" => &[('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')],
            "upper" => &[('A', 'Z')],
            "lower" => &[('a', 'z')],
            "space" => &[('\t', '\r'), (' ', ' ')],
            "blank" => &[(' ', ' '), ('\t', '\t')],
            "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
            "graph" => &[('!', '~')],
            "print" => &[(' ', '~')],
            "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
            "xdigit" => &[('0', '9'), ('a', 'f'), ('A', 'F')],
            "ascii" => &[('\0', '\x7f')],
            _ => return None,
        };
        self.ranges.extend_from_slice(ranges);
        Some(())
    }

    /// Adds everything that is not in another set.
    pub(super) fn add_complement(&mut self, other: &Set) {
        let mut ranges = other.ranges.clone();
        ranges.sort_unstable();
        let mut next = '\0';
        let mut open = true;
        for (from, to) in ranges {
            if from > next
                && let Some(before) = char::from_u32(from as u32 - 1)
            {
                self.ranges.push((next, before));
            }
            match char::from_u32(to as u32 + 1) {
                Some(after) if after > next => next = after,
                Some(_) => {}
                None => open = false,
            }
        }
        if open {
            self.ranges.push((next, char::MAX));
        }
    }
}

/// A letter, digit or underscore.
pub(super) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
