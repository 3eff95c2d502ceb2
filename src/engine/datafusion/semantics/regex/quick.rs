//! The same expression for the `regex` crate, where it is only asked whether a text matches: that depends on no preference, and no
//! group is asked for.
//! Must not know: how a match is found.

use std::fmt::Write;

use super::parse::{Edge, Node};

/// The expression, if the crate has a form for all of it and it does not grow too large there.
pub(super) fn compiled(node: &Node, lines: bool) -> Option<regex::Regex> {
    let mut text = String::new();
    write(node, lines, &mut text)?;
    regex::Regex::new(&text).ok()
}

fn write(node: &Node, lines: bool, into: &mut String) -> Option<()> {
    match node {
        Node::Empty => {}
        Node::Set(set) => {
            let (ranges, negated) = set.ranges();
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
        }
        Node::Edge(edge) => into.push_str(match edge {
            Edge::LineStart if lines => "(?m:^)",
            Edge::LineEnd if lines => "(?m:$)",
            Edge::LineStart | Edge::TextStart => "\\A",
            Edge::LineEnd | Edge::TextEnd => "\\z",
            Edge::WordStart => "(?-u:\\b{start})",
            Edge::WordEnd => "(?-u:\\b{end})",
            Edge::Word => "(?-u:\\b)",
            // The crate's would also match inside of a character.
            Edge::NotWord => return None,
        }),
        Node::Look { .. } => return None,
        Node::Concat(nodes) => nodes.iter().try_for_each(|node| write(node, lines, into))?,
        Node::Alternatives(nodes) => {
            into.push_str("(?:");
            for (at, node) in nodes.iter().enumerate() {
                if at > 0 {
                    into.push('|');
                }
                write(node, lines, into)?;
            }
            into.push(')');
        }
        Node::Repeat { node, min, max, .. } => {
            into.push_str("(?:");
            write(node, lines, into)?;
            into.push(')');
            match max {
                Some(max) => write!(into, "{{{min},{max}}}").ok()?,
                None => write!(into, "{{{min},}}").ok()?,
            }
        }
        Node::Group(inner, _) => {
            into.push_str("(?:");
            write(inner, lines, into)?;
            into.push(')');
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::Regex;

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
        ];
        for pattern in patterns {
            let (regex, _) = Regex::new(pattern, "").unwrap();
            for text in ["", "a", "b", "ab", "xaab", "a\nb", "aabc", "é", "éa", "aé", "12", ".", " "] {
                regex.asked.store(0, std::sync::atomic::Ordering::Relaxed);
                let slow = regex.matches(text).unwrap();
                regex.asked.store(super::super::OFTEN, std::sync::atomic::Ordering::Relaxed);
                assert_eq!(regex.matches(text).unwrap(), slow, "{pattern} over {text:?}");
            }
        }
    }
}
