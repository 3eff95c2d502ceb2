//! PostgreSQL's lexical rules: text becomes lexemes, each with its place in the message.
//! Must not know: grammar, sqlparser.
//!
//! One lexer serves the guard, the parser and the utility statements, so that no two of them can read one text in two
//! ways. It never recurses: nested comments are counted.

mod strings;

use std::ops::Range;

use crate::error::{Error, Result, SqlState};
use crate::names;

/// What a lexeme is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier or keyword without quotes. The payload is its folded text.
    Word,
    /// An identifier in double quotes. The payload is its text.
    Quoted,
    /// A string of any form, escapes resolved. The payload is its value.
    Text,
    /// `B'01'`. The payload is what stands between the quotes.
    Bits,
    /// `X'1F'`. The payload is what stands between the quotes.
    Hex,
    /// An unsigned number.
    Number,
    /// `$1`.
    Parameter,
    /// An operator, or one of `( ) [ ] , ; . : :: :=`.
    Symbol,
}

/// A token and where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lexeme {
    /// What it is.
    pub(crate) kind: Kind,
    /// First byte in the message.
    pub(crate) start: u32,
    /// First byte after it.
    pub(crate) end: u32,
    /// Its first character in the message, counted from 1.
    pub(crate) position: u32,
    /// Index of its payload in [`Lexed::payloads`], for the kinds that have one.
    payload: u32,
}

/// A message cut into lexemes.
#[derive(Debug)]
pub(crate) struct Lexed<'a> {
    /// The message.
    pub(crate) source: &'a str,
    /// Its tokens, comments and space left out.
    pub(crate) lexemes: Vec<Lexeme>,
    /// Values of strings and identifiers.
    payloads: Vec<String>,
    /// Identifiers that were longer than names are, as they were written, with their first bytes in the message.
    cut: Vec<(u32, String)>,
    /// The position after the last character.
    pub(crate) end_position: u32,
}

impl Lexed<'_> {
    /// The text of a lexeme as it stands in the message.
    pub(crate) fn raw(&self, lexeme: &Lexeme) -> &str {
        self.source.get(lexeme.start as usize..lexeme.end as usize).unwrap_or("")
    }

    /// The value of a word, quoted identifier or string; the raw text of anything else.
    pub(crate) fn value(&self, lexeme: &Lexeme) -> &str {
        match lexeme.kind {
            Kind::Word | Kind::Quoted | Kind::Text | Kind::Bits | Kind::Hex => {
                self.payloads.get(lexeme.payload as usize).map_or("", String::as_str)
            }
            _ => self.raw(lexeme),
        }
    }

    /// Is this the keyword (lower case)?
    pub(crate) fn is_word(&self, lexeme: &Lexeme, keyword: &str) -> bool {
        lexeme.kind == Kind::Word && self.raw(lexeme).eq_ignore_ascii_case(keyword)
    }

    /// Is this the symbol or operator?
    pub(crate) fn is_symbol(&self, lexeme: &Lexeme, symbol: &str) -> bool {
        lexeme.kind == Kind::Symbol && self.raw(lexeme) == symbol
    }

    /// The identifiers in this part of the message (in bytes) that had to be cut, as they were written.
    pub(crate) fn shortened(&self, part: Range<u32>) -> Vec<String> {
        self.cut.iter().filter(|(start, _)| part.contains(start)).map(|(_, name)| name.clone()).collect()
    }

    /// PostgreSQL's syntax error at a lexeme.
    pub(crate) fn error_at(&self, lexeme: &Lexeme) -> Error {
        error_near(self.raw(lexeme), lexeme.position)
    }

    /// PostgreSQL's syntax error at the end of the message.
    pub(crate) fn error_at_end(&self) -> Error {
        Error::client(SqlState::SYNTAX_ERROR, "syntax error at end of input").with_position(self.end_position)
    }
}

/// `syntax error at or near "near"`.
pub(crate) fn error_near(near: &str, position: u32) -> Error {
    lexical_error("syntax error", near, position)
}

fn lexical_error(what: &str, near: &str, position: u32) -> Error {
    Error::client(SqlState::SYNTAX_ERROR, format!("{what} at or near \"{near}\"")).with_position(position)
}

/// Cuts a message into lexemes and hands each to `watch` as it is found, so that a guard can stop early.
///
/// # Errors
/// `42601` in PostgreSQL's words for what never ends or is malformed, `22021` for a NUL, `22025` for a bad escape; and
/// whatever `watch` returns.
pub(crate) fn lex<'a>(source: &'a str, watch: &mut dyn FnMut(&str, &Lexeme) -> Result<()>) -> Result<Lexed<'a>> {
    let mut lexer = Lexer { source, at: 0, position: 1, payloads: Vec::new(), cut: Vec::new() };
    let mut lexemes: Vec<Lexeme> = Vec::new();
    while let Some(lexeme) = lexer.next_lexeme()? {
        watch(source, &lexeme)?;
        lexemes.push(lexeme);
    }
    Ok(Lexed { source, lexemes, payloads: lexer.payloads, cut: lexer.cut, end_position: lexer.position })
}

struct Lexer<'a> {
    source: &'a str,
    /// Next byte.
    at: usize,
    /// Next character, from 1.
    position: u32,
    payloads: Vec<String>,
    cut: Vec<(u32, String)>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or("")
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.source.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Goes on by `bytes`, which end at a character.
    fn advance(&mut self, bytes: usize) {
        let passed = self.rest().get(..bytes).unwrap_or("");
        self.position += u32::try_from(passed.chars().count()).unwrap_or(u32::MAX);
        self.at += bytes;
    }

    /// Bytes (from here) for which `accept` holds.
    fn run(&self, from: usize, accept: impl Fn(u8) -> bool) -> usize {
        self.source.as_bytes().iter().skip(self.at + from).take_while(|b| accept(**b)).count()
    }

    fn next_lexeme(&mut self) -> Result<Option<Lexeme>> {
        self.skip_space()?;
        let (start, position) = (self.at, self.position);
        let first = self.byte(0);
        if start >= self.source.len() {
            return Ok(None);
        }
        let (kind, payload) = match first {
            b'\'' => self.text(0, strings::Form::Plain)?,
            b'"' => self.quoted(0, false)?,
            b'$' => self.dollar()?,
            b'0'..=b'9' => self.number()?,
            b'.' if self.byte(1).is_ascii_digit() => self.number()?,
            b'e' | b'E' if self.byte(1) == b'\'' => self.text(1, strings::Form::Escape)?,
            b'n' | b'N' if self.byte(1) == b'\'' => self.text(1, strings::Form::Plain)?,
            b'b' | b'B' if self.byte(1) == b'\'' => self.bits(Kind::Bits)?,
            b'x' | b'X' if self.byte(1) == b'\'' => self.bits(Kind::Hex)?,
            b'u' | b'U' if self.byte(1) == b'&' && self.byte(2) == b'\'' => self.text(2, strings::Form::Unicode)?,
            b'u' | b'U' if self.byte(1) == b'&' && self.byte(2) == b'"' => self.quoted(2, true)?,
            _ if starts_word(first) => self.word(),
            _ => self.symbol()?,
        };
        let offset = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let payload = match payload {
            Some(mut value) => {
                if matches!(kind, Kind::Word | Kind::Quoted) && value.len() > names::MAX_IDENTIFIER_BYTES {
                    let short = names::cut(&value).to_owned();
                    self.cut.push((offset(start), std::mem::replace(&mut value, short)));
                }
                self.payloads.push(value);
                self.payloads.len() - 1
            }
            None => 0,
        };
        Ok(Some(Lexeme { kind, start: offset(start), end: offset(self.at), position, payload: offset(payload) }))
    }

    fn skip_space(&mut self) -> Result<()> {
        loop {
            match (self.byte(0), self.byte(1)) {
                (b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c, _) => {
                    let spaces = self.run(0, is_space);
                    self.advance(spaces);
                }
                (b'-', b'-') => {
                    let comment = self.run(0, |b| b != b'\n' && b != b'\r');
                    self.advance(comment);
                }
                (b'/', b'*') => self.skip_comment()?,
                (0, _) if self.at < self.source.len() => return Err(nul()),
                _ => return Ok(()),
            }
        }
    }

    /// A comment; comments nest.
    fn skip_comment(&mut self) -> Result<()> {
        let bytes = self.source.as_bytes();
        let (mut depth, mut ahead) = (1u32, self.at + 2);
        while depth > 0 {
            match (bytes.get(ahead), bytes.get(ahead + 1)) {
                (Some(b'/'), Some(b'*')) => {
                    depth += 1;
                    ahead += 2;
                }
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    ahead += 2;
                }
                (Some(_), _) => ahead += 1,
                (None, _) => return Err(lexical_error("unterminated /* comment", self.rest(), self.position)),
            }
        }
        self.advance(ahead - self.at);
        Ok(())
    }

    fn word(&mut self) -> (Kind, Option<String>) {
        let length = self.run(0, |b| starts_word(b) || b.is_ascii_digit() || b == b'$');
        let folded = self.rest().get(..length).unwrap_or("").to_ascii_lowercase();
        self.advance(length);
        (Kind::Word, Some(folded))
    }

    fn number(&mut self) -> Result<(Kind, Option<String>)> {
        let mut length = self.run(0, |b| b.is_ascii_digit());
        // "1..2" is a number, then two points.
        if self.byte(length) == b'.' && self.byte(length + 1) != b'.' {
            length += 1;
            length += self.run(length, |b| b.is_ascii_digit());
        }
        if matches!(self.byte(length), b'e' | b'E') {
            let sign = usize::from(matches!(self.byte(length + 1), b'+' | b'-'));
            let digits = self.run(length + 1 + sign, |b| b.is_ascii_digit());
            if digits > 0 {
                length += 1 + sign + digits;
            }
        }
        self.no_junk("trailing junk after numeric literal", length)?;
        self.advance(length);
        Ok((Kind::Number, None))
    }

    /// PostgreSQL 15 refuses a word that sticks to a number or parameter.
    fn no_junk(&self, what: &str, length: usize) -> Result<()> {
        if !starts_word(self.byte(length)) {
            return Ok(());
        }
        let junk = self.run(length, |b| starts_word(b) || b.is_ascii_digit() || b == b'$');
        Err(lexical_error(what, self.rest().get(..length + junk).unwrap_or(""), self.position))
    }

    fn dollar(&mut self) -> Result<(Kind, Option<String>)> {
        if self.byte(1).is_ascii_digit() {
            let length = 1 + self.run(1, |b| b.is_ascii_digit());
            self.no_junk("trailing junk after parameter", length)?;
            self.advance(length);
            return Ok((Kind::Parameter, None));
        }
        let tag = self.run(1, |b| starts_word(b) || b.is_ascii_digit());
        if self.byte(1 + tag) != b'$' {
            return Err(error_near("$", self.position));
        }
        let rest = self.rest();
        let (fence, body) = rest.split_at(tag + 2);
        let Some(length) = body.find(fence) else {
            return Err(lexical_error("unterminated dollar-quoted string", rest, self.position));
        };
        let value = body.get(..length).unwrap_or("").to_owned();
        no_nul(&value)?;
        self.advance(fence.len() * 2 + length);
        Ok((Kind::Text, Some(value)))
    }

    fn symbol(&mut self) -> Result<(Kind, Option<String>)> {
        let length = match (self.byte(0), self.byte(1)) {
            (b':', b':' | b'=') => 2,
            (b'(' | b')' | b'[' | b']' | b',' | b';' | b'.' | b':', _) => 1,
            (first, _) if is_operator(first) => self.operator(),
            _ => {
                let near = self.rest().chars().next().map(String::from).unwrap_or_default();
                return Err(error_near(&near, self.position));
            }
        };
        self.advance(length);
        Ok((Kind::Symbol, None))
    }

    /// The length of the operator here, by PostgreSQL's rules: a comment ends it, and one of several characters may
    /// end in `+` or `-` only if it also has a character that no SQL operator has.
    fn operator(&self) -> usize {
        let run = self.run(0, is_operator);
        let text = self.rest().get(..run).unwrap_or("");
        let mut length = [text.find("--"), text.find("/*")].into_iter().flatten().min().unwrap_or(run);
        let chosen = |length: usize| text.as_bytes().get(..length).unwrap_or(&[]);
        while length > 1
            && matches!(chosen(length).last(), Some(b'+' | b'-'))
            && !chosen(length - 1).iter().any(|b| b"~!@#^&|`?%".contains(b))
        {
            length -= 1;
        }
        length.max(1)
    }
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn starts_word(b: u8) -> bool {
    b.is_ascii_alphabetic() || b == b'_' || b >= 0x80
}

fn is_operator(b: u8) -> bool {
    b"~!@#^&|`?+-*/%<>=".contains(&b)
}

fn nul() -> Error {
    Error::client(SqlState::CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\": 0x00")
}

fn no_nul(value: &str) -> Result<()> {
    if value.contains('\0') { Err(nul()) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
