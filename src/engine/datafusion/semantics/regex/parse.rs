//! From the text of a regular expression to its tree.
//! Must not know: how it is matched.

use super::super::ctype::Ctype;
use super::invalid;
use super::set::{Members, Reading, Set};
use crate::error::{Error, Result};

/// A regular expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Empty,
    Set(Set),
    Edge(Edge),
    Look { node: Box<Node>, negated: bool },
    Concat(Vec<Node>),
    Alternatives(Vec<Node>),
    Repeat { node: Box<Node>, min: u32, max: Option<u32>, wants: Wants },
    Group(Box<Node>, Option<usize>),
}

/// What a repetition asks for, besides its counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    Most,
    Least,
    /// `{m}`: what the repeated part wants.
    Same,
}

/// A place that a text is matched at, without a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    LineStart,
    LineEnd,
    TextStart,
    TextEnd,
    WordStart,
    WordEnd,
    Word,
    NotWord,
}

/// The ways of matching.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags {
    reading: Reading,
    /// `.` and negated brackets do not match a newline.
    line_sets: bool,
    /// `^` and `$` match at lines.
    pub(super) lines: bool,
    expanded: bool,
    literal: bool,
}

impl Flags {
    /// None is set.
    pub(super) fn new(ctype: Ctype) -> Flags {
        Flags { reading: Reading { ctype, fold: false }, ..Flags::default() }
    }

    /// Who says what its characters are.
    pub(super) fn ctype(self) -> Ctype {
        self.reading.ctype
    }

    /// Sets a flag by its letter; false if there is none.
    pub(super) fn set(&mut self, letter: char) -> bool {
        match letter {
            'i' => self.reading.fold = true,
            'c' => self.reading.fold = false,
            'n' | 'm' => (self.line_sets, self.lines) = (true, true),
            's' => (self.line_sets, self.lines) = (false, false),
            'p' => (self.line_sets, self.lines) = (true, false),
            'w' => (self.line_sets, self.lines) = (false, true),
            'x' => self.expanded = true,
            't' => self.expanded = false,
            'q' => self.literal = true,
            _ => return false,
        }
        true
    }
}

/// A parsed expression.
pub(super) struct Parsed {
    pub(super) node: Node,
    pub(super) groups: usize,
    pub(super) flags: Flags,
}

/// The highest repetition count.
const MOST: u32 = 255;

/// The most ranges in all sets of an expression: a class may have hundreds.
const LISTED: usize = 500_000;

/// The deepest nesting.
const DEPTH: usize = 100;

/// Parses an expression.
pub(super) fn parse(pattern: &str, flags: Flags) -> Result<Parsed> {
    let mut parser =
        Parser { text: pattern.chars().collect(), at: 0, groups: 0, flags, depth: 0, looking: 0, listed: 0 };
    parser.prefix()?;
    let node = if parser.flags.literal {
        let rest = parser.text.get(parser.at..).unwrap_or_default();
        Node::Concat(rest.iter().map(|c| Node::Set(parser.one(*c))).collect())
    } else {
        let node = parser.alternatives()?;
        if parser.at < parser.text.len() {
            return Err(invalid("parentheses () not balanced"));
        }
        node
    };
    Ok(Parsed { node, groups: parser.groups, flags: parser.flags })
}

struct Parser {
    text: Vec<char>,
    at: usize,
    groups: usize,
    flags: Flags,
    depth: usize,
    /// How deep in lookaheads it is.
    looking: usize,
    /// The ranges of its brackets and classes.
    listed: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek();
        self.at += 1;
        c
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = word.chars().enumerate().all(|(n, c)| self.text.get(self.at + n) == Some(&c));
        if found {
            self.at += word.chars().count();
        }
        found
    }

    fn one(&self, c: char) -> Set {
        Set::of(c, self.flags.reading)
    }

    /// Keeps count of what the sets of an expression take.
    fn list(&mut self, ranges: usize) -> Result<()> {
        self.listed += ranges;
        if self.listed > LISTED { Err(invalid("regular expression is too complex")) } else { Ok(()) }
    }

    /// `***:`, `***=` and options at the start.
    fn prefix(&mut self) -> Result<()> {
        if self.flags.literal {
            return Ok(());
        }
        if self.eat("***=") {
            self.flags.literal = true;
            return Ok(());
        }
        if !self.eat("***:") && self.text.starts_with(&['*', '*', '*']) {
            return Err(invalid("quantifier operand invalid"));
        }
        let options = self.text.get(self.at..).unwrap_or_default();
        if let ['(', '?', letter, ..] = options
            && letter.is_ascii_alphabetic()
        {
            self.at += 2;
            loop {
                match self.next() {
                    Some(')') => break,
                    Some(letter) if letter != 'b' && letter != 'e' && self.flags.set(letter) => {}
                    _ => return Err(invalid("invalid embedded option")),
                }
            }
        }
        Ok(())
    }

    fn alternatives(&mut self) -> Result<Node> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(invalid("regular expression is too complex"));
        }
        let mut found = vec![self.branch()?];
        while self.eat("|") {
            found.push(self.branch()?);
        }
        self.depth -= 1;
        Ok(match found.len() {
            1 => found.pop().unwrap_or(Node::Empty),
            _ => Node::Alternatives(found),
        })
    }

    fn branch(&mut self) -> Result<Node> {
        let mut parts = Vec::new();
        loop {
            self.skip_blanks();
            match self.peek() {
                None | Some('|') => break,
                Some(')') if self.depth > 1 => break,
                Some(')') => return Err(invalid("parentheses () not balanced")),
                Some(_) => {
                    let atom = self.atom()?;
                    parts.push(self.quantified(atom)?);
                }
            }
        }
        Ok(match parts.len() {
            0 => Node::Empty,
            1 => parts.pop().unwrap_or(Node::Empty),
            _ => Node::Concat(parts),
        })
    }

    fn skip_blanks(&mut self) {
        while self.flags.expanded {
            match self.peek() {
                Some(c) if c.is_ascii_whitespace() => self.at += 1,
                Some('#') => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                _ => break,
            }
        }
    }

    fn quantified(&mut self, atom: Node) -> Result<Node> {
        self.skip_blanks();
        let mut counted = false;
        let (min, max) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') if self.text.get(self.at + 1).is_some_and(char::is_ascii_digit) => {
                self.at += 1;
                let (min, max, several) = self.bounds()?;
                self.at -= 1;
                counted = !several;
                (min, max)
            }
            _ => return Ok(atom),
        };
        self.at += 1;
        if matches!(atom, Node::Edge(_) | Node::Look { .. }) {
            return Err(invalid("quantifier operand invalid"));
        }
        let least = self.eat("?");
        let wants = match (counted, least) {
            (true, _) => Wants::Same,
            (_, false) => Wants::Most,
            (_, true) => Wants::Least,
        };
        self.skip_blanks();
        let again = match self.peek() {
            Some('*' | '+' | '?') => true,
            Some('{') => self.text.get(self.at + 1).is_some_and(char::is_ascii_digit),
            _ => false,
        };
        if again {
            return Err(invalid("quantifier operand invalid"));
        }
        Ok(Node::Repeat { node: Box::new(atom), min, max, wants })
    }

    /// What follows `{`, with the `}`: the counts, and whether both are written.
    fn bounds(&mut self) -> Result<(u32, Option<u32>, bool)> {
        let wrong = || invalid("invalid repetition count(s)");
        let min = self.number().ok_or_else(wrong)?;
        let several = self.eat(",");
        let max = if several {
            if self.peek().is_some_and(|c| c.is_ascii_digit()) { Some(self.number().ok_or_else(wrong)?) } else { None }
        } else {
            Some(min)
        };
        if !self.eat("}") {
            return Err(if self.peek().is_none() { invalid("braces {} not balanced") } else { wrong() });
        }
        if min > MOST || max.is_some_and(|max| max > MOST || max < min) {
            return Err(wrong());
        }
        Ok((min, max, several))
    }

    fn number(&mut self) -> Option<u32> {
        let mut digits = String::new();
        while let Some(c) = self.peek().filter(char::is_ascii_digit) {
            digits.push(c);
            self.at += 1;
        }
        digits.parse().ok()
    }

    fn atom(&mut self) -> Result<Node> {
        match self.next() {
            Some('(') => self.parenthesis(),
            Some('[') => Ok(Node::Set(self.bracket()?)),
            Some('.') => Ok(Node::Set(Set::any(self.flags.line_sets))),
            Some('^') => Ok(Node::Edge(Edge::LineStart)),
            Some('$') => Ok(Node::Edge(Edge::LineEnd)),
            Some('\\') => self.escape(),
            Some('*' | '+' | '?') => Err(invalid("quantifier operand invalid")),
            Some('{') if self.peek().is_some_and(|c| c.is_ascii_digit()) => Err(invalid("quantifier operand invalid")),
            Some(c) => Ok(Node::Set(self.one(c))),
            None => Ok(Node::Empty),
        }
    }

    fn parenthesis(&mut self) -> Result<Node> {
        let number = if self.peek() == Some('?') {
            if self.eat("?:") {
                None
            } else if self.eat("?=") || self.eat("?!") {
                let negated = self.text.get(self.at - 1) == Some(&'!');
                // Nothing in it captures.
                self.looking += 1;
                let node = Box::new(self.alternatives()?);
                self.looking -= 1;
                if !self.eat(")") {
                    return Err(invalid("parentheses () not balanced"));
                }
                return Ok(Node::Look { node, negated });
            } else if self.eat("?<=") || self.eat("?<!") {
                return Err(Error::unsupported("lookbehind in a regular expression is not supported"));
            } else if self.eat("?#") {
                while self.peek().is_some_and(|c| c != ')') {
                    self.at += 1;
                }
                self.at += 1;
                return Ok(Node::Empty);
            } else {
                return Err(invalid("quantifier operand invalid"));
            }
        } else if self.looking > 0 {
            None
        } else {
            self.groups += 1;
            Some(self.groups)
        };
        let inner = self.alternatives()?;
        if !self.eat(")") {
            return Err(invalid("parentheses () not balanced"));
        }
        Ok(Node::Group(Box::new(inner), number))
    }

    fn class(&mut self, name: &str, negated: bool) -> Result<Node> {
        let reading = self.flags.reading;
        self.list(reading.ctype.class(name).map_or(0, <[_]>::len))?;
        Ok(Node::Set(Set::class(name, negated, reading)))
    }

    fn escape(&mut self) -> Result<Node> {
        let Some(c) = self.next() else { return Err(invalid("invalid escape \\ sequence")) };
        Ok(match c {
            'd' | 'D' => self.class("digit", c == 'D')?,
            's' | 'S' => self.class("space", c == 'S')?,
            'w' | 'W' => self.class("word", c == 'W')?,
            'A' => Node::Edge(Edge::TextStart),
            'Z' => Node::Edge(Edge::TextEnd),
            'm' => Node::Edge(Edge::WordStart),
            'M' => Node::Edge(Edge::WordEnd),
            'y' => Node::Edge(Edge::Word),
            'Y' => Node::Edge(Edge::NotWord),
            '1'..='9' => return Err(Error::unsupported("a back reference in a regular expression is not supported")),
            _ => {
                let c = self.character(c)?;
                Node::Set(self.one(c))
            }
        })
    }

    /// The character that an escape stands for.
    fn character(&mut self, c: char) -> Result<char> {
        let wrong = || invalid("invalid escape \\ sequence");
        Ok(match c {
            'a' => '\x07',
            'b' => '\x08',
            'B' => '\\',
            'e' => '\x1b',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            '0' => '\0',
            'u' => self.hexadecimal(4).ok_or_else(wrong)?,
            'U' => self.hexadecimal(8).ok_or_else(wrong)?,
            'x' | 'c' => return Err(Error::unsupported("this escape in a regular expression is not supported")),
            c if c.is_ascii_alphanumeric() => return Err(wrong()),
            c => c,
        })
    }

    fn hexadecimal(&mut self, digits: usize) -> Option<char> {
        let text: String = self.text.get(self.at..self.at + digits)?.iter().collect();
        self.at += digits;
        if !text.chars().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        char::from_u32(u32::from_str_radix(&text, 16).ok()?)
    }

    fn bracket(&mut self) -> Result<Set> {
        let negated = self.eat("^");
        let mut set = Members::new(self.flags.reading);
        let mut first = true;
        loop {
            let c = self.next().ok_or_else(|| invalid("brackets [] not balanced"))?;
            if c == ']' && !first {
                break;
            }
            first = false;
            let Some(from) = self.element(c, &mut set)? else { continue };
            let ranged = self.peek() == Some('-') && self.text.get(self.at + 1).is_some_and(|c| *c != ']');
            if !ranged {
                set.add(from);
                continue;
            }
            self.at += 1;
            let c = self.next().ok_or_else(|| invalid("brackets [] not balanced"))?;
            let to = self.element(c, &mut set)?.ok_or_else(|| invalid("invalid character range"))?;
            if from > to {
                return Err(invalid("invalid character range"));
            }
            set.add_range(from, to);
        }
        self.list(set.len())?;
        Ok(if negated { set.complement(self.flags.line_sets) } else { set.set() })
    }

    /// A character of a bracket; none for a class, which is added.
    fn element(&mut self, c: char, set: &mut Members) -> Result<Option<char>> {
        match (c, self.peek()) {
            ('[', Some(':')) => {
                self.at += 1;
                let mut name = String::new();
                while let Some(c) = self.peek().filter(|c| *c != ':' && *c != ']') {
                    name.push(c);
                    self.at += 1;
                }
                if !self.eat(":]") {
                    return Err(invalid("brackets [] not balanced"));
                }
                set.add_class(&name).ok_or_else(|| invalid("invalid character class"))?;
                Ok(None)
            }
            ('[', Some('.' | '=')) => {
                Err(Error::unsupported("a collating element in a regular expression is not supported"))
            }
            ('\\', Some(class @ ('d' | 's' | 'w' | 'D' | 'S' | 'W'))) => {
                self.at += 1;
                let name = match class.to_ascii_lowercase() {
                    'd' => "digit",
                    's' => "space",
                    _ => "word",
                };
                if class.is_ascii_uppercase() {
                    set.add_complement(name);
                } else {
                    let _ = set.add_class(name);
                }
                Ok(None)
            }
            ('\\', _) => {
                let c = self.next().ok_or_else(|| invalid("invalid escape \\ sequence"))?;
                self.character(c).map(Some)
            }
            (c, _) => Ok(Some(c)),
        }
    }
}
