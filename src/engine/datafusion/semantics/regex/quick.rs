//! The same expression for the `regex` crate, where it is only asked whether a text matches: that depends on no preference, and no
//! group is asked for.
//! Must not know: how a match is found.

use std::fmt::Write;

use super::super::ctype::Ctype;
use super::parse::{Edge, Node};
use super::set::Set;

/// The longest form that is compiled: it takes a multiple of that.
const LONGEST: usize = 256 * 1024;

/// What the form is for.
pub(super) struct Quick {
    /// Whether `^` and `$` match at lines.
    pub(super) lines: bool,
    /// For texts of ASCII alone.
    pub(super) ascii: bool,
    pub(super) ctype: Ctype,
}

impl Quick {
    /// The expression, if the crate has a form for all of it and it does not grow too large there.
    pub(super) fn compiled(&self, node: &Node) -> Option<regex::Regex> {
        let mut text = String::new();
        self.write(node, &mut text)?;
        regex::Regex::new(&text).ok()
    }

    fn set(&self, set: &Set, into: &mut String) -> Option<()> {
        let (ranges, negated) = if self.ascii { (set.ascii(), false) } else { set.ranges() };
        if ranges.is_empty() {
            // The crate has no empty brackets.
            into.push_str(if negated { "[\\s\\S]" } else { "[^\\s\\S]" });
            return Some(());
        }
        into.push_str(if negated { "[^" } else { "[" });
        for (from, to) in ranges {
            write!(into, "\\x{{{:x}}}-\\x{{{:x}}}", u32::from(from), u32::from(to)).ok()?;
        }
        into.push(']');
        (into.len() <= LONGEST).then_some(())
    }

    fn write(&self, node: &Node, into: &mut String) -> Option<()> {
        let lines = self.lines;
        match node {
            Node::Empty => {}
            Node::Set(set) => self.set(set, into)?,
            Node::Edge(edge) => into.push_str(match edge {
                Edge::LineStart if lines => "(?m:^)",
                Edge::LineEnd if lines => "(?m:$)",
                Edge::LineStart | Edge::TextStart => "\\A",
                Edge::LineEnd | Edge::TextEnd => "\\z",
                // The crate's words of more than ASCII are others.
                Edge::WordStart | Edge::WordEnd | Edge::Word if !self.ascii && self.ctype != Ctype::Ascii => {
                    return None;
                }
                Edge::WordStart => "(?-u:\\b{start})",
                Edge::WordEnd => "(?-u:\\b{end})",
                Edge::Word => "(?-u:\\b)",
                // The crate's would also match inside of a character.
                Edge::NotWord => return None,
            }),
            Node::Look { .. } => return None,
            Node::Concat(nodes) => nodes.iter().try_for_each(|node| self.write(node, into))?,
            Node::Alternatives(nodes) => {
                into.push_str("(?:");
                for (at, node) in nodes.iter().enumerate() {
                    if at > 0 {
                        into.push('|');
                    }
                    self.write(node, into)?;
                }
                into.push(')');
            }
            Node::Repeat { node, min, max, .. } => {
                into.push_str("(?:");
                self.write(node, into)?;
                into.push(')');
                match max {
                    Some(max) => write!(into, "{{{min},{max}}}").ok()?,
                    None => write!(into, "{{{min},}}").ok()?,
                }
            }
            Node::Group(inner, _) => {
                into.push_str("(?:");
                self.write(inner, into)?;
                into.push(')');
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Regex;
    use super::Ctype;

    /// Both ways give one answer.
    #[test]
    fn often_asked_is_answered_alike() {
        let patterns = [
            "a+b",
            "^a|b$",
            "(a|b){2,3}c",
            "[^a]",
            "\\D",
            "\\ya\\y",
            "\\ma",
            "b\\M",
            "(?n)^b$",
            "(?n).b",
            "(?i)AB",
            "a{0}",
            "[[:punct:]]",
            "(?=a)b",
            "\\Ya",
            "()",
            "[^[:ascii:]]",
            "\\s",
            "\\S",
            "[\\W]",
            "\\w+",
            "^\\w{1,20}$",
            "[[:alpha:]]a",
            "[[:upper:]]",
            "(?i)É",
            "(?i)[à-ÿ]",
            "\\yé",
            "[^\\W]\\W",
            "[[:space:]]",
        ];
        for pattern in patterns {
            let (regex, _) = Regex::new(pattern, "", Ctype::Unicode).unwrap();
            for text in [
                "", "a", "b", "ab", "xaab", "a\nb", "aabc", "é", "éa", "aé", "12", ".", " ", "É", "a É", "Ÿ", "€",
                "\u{2003}", "a€", "ßa",
            ] {
                regex.asked.store(0, std::sync::atomic::Ordering::Relaxed);
                let slow = regex.matches(text).unwrap();
                regex.asked.store(super::super::OFTEN, std::sync::atomic::Ordering::Relaxed);
                assert_eq!(regex.matches(text).unwrap(), slow, "{pattern} over {text:?}");
            }
        }
    }
}
