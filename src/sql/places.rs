//! Where the tokens of a statement stand: for errors about what has no span in its tree, as operators and keywords.
//! Must not know: what the tokens mean.

use std::sync::OnceLock;

use super::cycle::{self, Clauses};
use super::lexer::{Kind, lex};
use super::statement::Statement;
use crate::error::{Error, SqlState};

/// The tokens of a statement, cut when they are first asked for.
#[derive(Debug)]
pub struct Places {
    text: String,
    offset: u32,
    tokens: OnceLock<Vec<(u32, String)>>,
}

impl Places {
    /// Of a statement's text.
    #[must_use]
    pub fn of(statement: &Statement) -> Places {
        Places { text: statement.text.clone(), offset: statement.offset, tokens: OnceLock::new() }
    }

    fn tokens(&self) -> &[(u32, String)] {
        self.tokens.get_or_init(|| {
            let Ok(lexed) = lex(&self.text, &mut |_, _| Ok(())) else { return Vec::new() };
            let token = |lexeme: &super::lexer::Lexeme| {
                let text = match lexeme.kind {
                    Kind::Word => lexed.raw(lexeme).to_ascii_lowercase(),
                    Kind::Symbol | Kind::Parameter => lexed.raw(lexeme).to_owned(),
                    // What is quoted is no keyword and no operator.
                    _ => String::new(),
                };
                (lexeme.position + self.offset, text)
            };
            lexed.lexemes.iter().map(token).collect()
        })
    }

    /// The nearest of these tokens before a position, `skip` of them passed over. Words in lower case.
    #[must_use]
    pub fn last_before(&self, position: u32, wanted: &[&str], skip: usize) -> Option<u32> {
        let tokens = self.tokens();
        let end = tokens.partition_point(|(at, _)| *at < position);
        let mut found = tokens.get(..end)?.iter().rev().filter(|(_, text)| wanted.contains(&text.as_str()));
        found.nth(skip).map(|(at, _)| *at)
    }

    /// The nearest of these tokens at or after a position, `skip` of them passed over.
    #[must_use]
    pub fn first_from(&self, position: u32, wanted: &[&str], skip: usize) -> Option<u32> {
        let tokens = self.tokens();
        let start = tokens.partition_point(|(at, _)| *at < position);
        let mut found = tokens.get(start..)?.iter().filter(|(_, text)| wanted.contains(&text.as_str()));
        found.nth(skip).map(|(at, _)| *at)
    }

    /// The token right behind the one at a position.
    #[must_use]
    pub fn next(&self, position: u32) -> Option<u32> {
        let tokens = self.tokens();
        let at = tokens.partition_point(|(at, _)| *at <= position);
        tokens.get(at).map(|(at, _)| *at)
    }

    /// The token right before the one at a position, if it is this one.
    #[must_use]
    pub fn before_is(&self, position: u32, wanted: &str) -> Option<u32> {
        let tokens = self.tokens();
        let at = tokens.partition_point(|(at, _)| *at < position);
        let (before, text) = tokens.get(at.checked_sub(1)?)?;
        (text == wanted).then_some(*before)
    }

    /// The first place at or after a position where these tokens follow each other.
    #[must_use]
    pub fn sequence(&self, position: u32, wanted: &[&str]) -> Option<u32> {
        let tokens = self.tokens();
        let start = tokens.partition_point(|(at, _)| *at < position);
        let fits = |window: &&[(u32, String)]| window.iter().zip(wanted).all(|((_, text), wanted)| text == wanted);
        tokens.get(start..)?.windows(wanted.len().max(1)).find(fits)?.first().map(|(at, _)| *at)
    }

    /// SEARCH and CYCLE, which begin at this position.
    pub(super) fn clauses(&self, position: u32) -> Option<Clauses> {
        let lexed = lex(&self.text, &mut |_, _| Ok(())).ok()?;
        let at = lexed.lexemes.iter().position(|lexeme| lexeme.position + self.offset == position)?;
        cycle::clauses(&lexed, &lexed.lexemes, at)
    }

    /// The first parameter, as it is written, and where.
    #[must_use]
    pub fn first_parameter(&self) -> Option<(&str, u32)> {
        let found = self.tokens().iter().find(|(_, text)| {
            text.strip_prefix('$')
                .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
        });
        found.map(|(at, text)| (text.as_str(), *at))
    }
}

impl Statement {
    /// PostgreSQL's error for the first parameter of a statement that is given none.
    #[must_use]
    pub fn unbound_parameter(&self) -> Error {
        let places = Places::of(self);
        let (name, position) = places.first_parameter().unwrap_or(("$1", 1));
        Error::client(SqlState::UNDEFINED_PARAMETER, format!("there is no parameter {name}")).with_position(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_in_characters_of_the_message() {
        let statement = crate::sql::parse("select 1; select 'ä' + -b - (- $2)").unwrap().remove(1);
        let places = Places::of(&statement);
        assert_eq!(places.last_before(25, &["+"], 0), Some(22));
        assert_eq!(places.last_before(31, &["-"], 1), Some(27));
        assert_eq!(places.first_from(11, &["select"], 0), Some(11));
        assert_eq!(places.next(22), Some(24));
        assert_eq!(places.before_is(29, "-"), Some(27));
        assert_eq!(places.before_is(29, "+"), None);
        assert_eq!(places.first_parameter(), Some(("$2", 32)));
    }
}
