//! Reads the lexemes of one statement from left to right.
//! Must not know: statements.

use crate::error::{Error, Result};

use super::keywords::is_reserved;
use super::lexer::{Kind, Lexed, Lexeme};

/// A place in a statement.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'l> {
    pub(super) lexed: &'l Lexed<'l>,
    lexemes: &'l [Lexeme],
    at: usize,
    /// The semicolon that ends the statement, if one does.
    end: Option<&'l Lexeme>,
}

impl<'l> Cursor<'l> {
    /// At the start of a statement's lexemes.
    pub(super) fn new(lexed: &'l Lexed<'l>, lexemes: &'l [Lexeme], end: Option<&'l Lexeme>) -> Self {
        Cursor { lexed, lexemes, at: 0, end }
    }

    /// What is not yet read.
    pub(super) fn rest(&self) -> &'l [Lexeme] {
        self.lexemes.get(self.at..).unwrap_or(&[])
    }

    /// The semicolon after the statement.
    pub(super) fn end(&self) -> Option<&'l Lexeme> {
        self.end
    }

    /// The next lexeme.
    pub(super) fn peek(&self) -> Option<&'l Lexeme> {
        self.lexemes.get(self.at)
    }

    /// Takes the next lexeme.
    pub(super) fn next(&mut self) -> Option<&'l Lexeme> {
        let lexeme = self.lexemes.get(self.at)?;
        self.at += 1;
        Some(lexeme)
    }

    /// Is the n-th lexeme from here (0 is the next) this keyword?
    pub(super) fn sees(&self, n: usize, word: &str) -> bool {
        self.lexemes.get(self.at + n).is_some_and(|lexeme| self.lexed.is_word(lexeme, word))
    }

    /// Is the next lexeme this symbol?
    pub(super) fn sees_symbol(&self, symbol: &str) -> bool {
        self.peek().is_some_and(|lexeme| self.lexed.is_symbol(lexeme, symbol))
    }

    /// Takes these keywords if all of them come next.
    pub(super) fn eat(&mut self, words: &str) -> bool {
        let count = words.split(' ').count();
        let all = words.split(' ').enumerate().all(|(n, word)| self.sees(n, word));
        if all {
            self.at += count;
        }
        all
    }

    /// Takes the symbol if it comes next.
    pub(super) fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = self.sees_symbol(symbol);
        self.at += usize::from(found);
        found
    }

    /// Takes these keywords.
    pub(super) fn expect(&mut self, words: &str) -> Result<()> {
        for word in words.split(' ') {
            if !self.eat(word) {
                return Err(self.error());
            }
        }
        Ok(())
    }

    /// Takes the symbol.
    pub(super) fn expect_symbol(&mut self, symbol: &str) -> Result<()> {
        if self.eat_symbol(symbol) { Ok(()) } else { Err(self.error()) }
    }

    /// Nothing may follow.
    pub(super) fn finish(&self) -> Result<()> {
        if self.peek().is_none() { Ok(()) } else { Err(self.error()) }
    }

    /// Is everything read?
    pub(super) fn is_done(&self) -> bool {
        self.peek().is_none()
    }

    /// PostgreSQL's syntax error at the next lexeme.
    pub(super) fn error(&self) -> Error {
        match self.peek().or(self.end) {
            Some(lexeme) => self.lexed.error_at(lexeme),
            None => self.lexed.error_at_end(),
        }
    }

    /// A name that is no reserved word, folded.
    pub(super) fn name(&mut self) -> Result<String> {
        match self.peek() {
            Some(lexeme) if lexeme.kind == Kind::Quoted => {}
            Some(lexeme) if lexeme.kind == Kind::Word && !is_reserved(self.lexed.value(lexeme)) => {}
            _ => return Err(self.error()),
        }
        self.label()
    }

    /// A name or any keyword.
    pub(super) fn label(&mut self) -> Result<String> {
        match self.peek() {
            Some(lexeme) if matches!(lexeme.kind, Kind::Word | Kind::Quoted) => {
                self.at += 1;
                Ok(self.lexed.value(lexeme).to_owned())
            }
            _ => Err(self.error()),
        }
    }

    /// The next lexeme's keyword, folded.
    pub(super) fn word(&self) -> Option<&'l str> {
        self.peek().filter(|lexeme| lexeme.kind == Kind::Word).map(|lexeme| self.lexed.value(lexeme))
    }

    /// A string, if one comes next.
    pub(super) fn text(&mut self) -> Option<String> {
        let lexeme = self.peek().filter(|lexeme| lexeme.kind == Kind::Text)?;
        self.at += 1;
        Some(self.lexed.value(lexeme).to_owned())
    }

    /// A number with its sign, as written, if one comes next.
    pub(super) fn number(&mut self) -> Option<String> {
        let signed = self.sees_symbol("-") || self.sees_symbol("+");
        let lexeme = self.lexemes.get(self.at + usize::from(signed)).filter(|lexeme| lexeme.kind == Kind::Number)?;
        let sign = if self.sees_symbol("-") { "-" } else { "" };
        self.at += 1 + usize::from(signed);
        Some(format!("{sign}{}", self.lexed.raw(lexeme)))
    }
}
