//! The locks that a query lays on its rows: of PostgreSQL's four sqlparser knows two, and one table behind OF.
//! Must not know: what exists, how a query is printed.
//!
//! `FOR NO KEY UPDATE OF a, b` reaches sqlparser as `FOR UPDATE OF "FOR NO KEY UPDATE".a.b`: the name behind OF carries the strength and the
//! list. What it means is marked in the spans of its parts, so that no name of a client's can be taken for it.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::ast::{Ident, LockClause, LockType, ObjectNamePart};
use datafusion::sql::sqlparser::tokenizer::{Span, Token, TokenWithSpan};

use super::lexer::{Kind, Lexed, Lexeme};
use super::marks;

/// How strongly rows are locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strength {
    Update,
    NoKeyUpdate,
    Share,
    KeyShare,
}

/// In the order in which they are looked for: no one's words begin with those of another.
const STRENGTHS: [Strength; 4] = [Strength::Update, Strength::NoKeyUpdate, Strength::Share, Strength::KeyShare];

impl Strength {
    /// As PostgreSQL calls it.
    pub(super) fn words(self) -> &'static str {
        match self {
            Strength::Update => "FOR UPDATE",
            Strength::NoKeyUpdate => "FOR NO KEY UPDATE",
            Strength::Share => "FOR SHARE",
            Strength::KeyShare => "FOR KEY SHARE",
        }
    }

    /// PostgreSQL's command tag of a query that does it, where it is refused.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Strength::Update => "SELECT FOR UPDATE",
            Strength::NoKeyUpdate => "SELECT FOR NO KEY UPDATE",
            Strength::Share => "SELECT FOR SHARE",
            Strength::KeyShare => "SELECT FOR KEY SHARE",
        }
    }

    fn lexemes(self) -> &'static [&'static str] {
        match self {
            Strength::Update => &["for", "update"],
            Strength::NoKeyUpdate => &["for", "no", "key", "update"],
            Strength::Share => &["for", "share"],
            Strength::KeyShare => &["for", "key", "share"],
        }
    }

    /// Whether sqlparser has words for it.
    fn is_known(self) -> bool {
        matches!(self, Strength::Update | Strength::Share)
    }
}

/// One clause, as it was written.
pub(super) struct Lock<'a> {
    pub(super) strength: Strength,
    /// The tables behind OF; none: all.
    pub(super) tables: Vec<&'a Ident>,
    /// A name behind OF that is not that of a table alone.
    pub(super) qualified: Option<&'a Ident>,
}

impl<'a> Lock<'a> {
    /// What a clause of sqlparser's means.
    pub(super) fn of(clause: &'a LockClause) -> Lock<'a> {
        let mut strength = match clause.lock_type {
            LockType::Update => Strength::Update,
            LockType::Share => Strength::Share,
        };
        let mut idents = clause.of.iter().flat_map(|name| &name.0).filter_map(ObjectNamePart::as_ident).peekable();
        if let Some(mark) = idents.next_if(|ident| marks::is_strength(ident)) {
            strength = STRENGTHS.into_iter().find(|known| known.words() == mark.value).unwrap_or(strength);
        }
        let (mut tables, mut qualified) = (Vec::new(), None);
        for ident in idents {
            if tables.is_empty() || marks::is_another(ident) {
                tables.push(ident);
            } else {
                qualified = qualified.or_else(|| tables.last().copied());
            }
        }
        Lock { strength, tables, qualified }
    }
}

/// What a lexeme of a clause is to sqlparser, where it is not what it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Nothing.
    Left,
    /// Itself, and the strength behind OF.
    Carrier(Strength),
    /// A point.
    Point,
    /// A further name of the list.
    Another,
}

impl Part {
    /// Puts its tokens in the place of the lexeme's own. `false`: the lexeme's own is right, at a span that is marked.
    pub(super) fn put(self, out: &mut Vec<TokenWithSpan>, own: impl FnOnce() -> Token, span: &mut Span) -> bool {
        match self {
            Part::Left => {}
            Part::Carrier(strength) => {
                out.push(TokenWithSpan::new(own(), *span));
                out.push(TokenWithSpan::new(Token::make_word("of", None), *span));
                marks::set_strength(span);
                out.push(TokenWithSpan::new(Token::make_word(strength.words(), Some('"')), *span));
            }
            Part::Point => out.push(TokenWithSpan::new(Token::Period, *span)),
            Part::Another => {
                marks::set_another(span);
                return false;
            }
        }
        true
    }
}

/// The parts of all clauses of a statement, by the places of their lexemes.
pub(super) fn parts(lexed: &Lexed<'_>, lexemes: &[Lexeme]) -> BTreeMap<usize, Part> {
    let mut parts = BTreeMap::new();
    for start in 0..lexemes.len() {
        let word = |at: usize, word: &str| lexemes.get(at).is_some_and(|lexeme| lexed.is_word(lexeme, word));
        let says =
            |strength: &Strength| strength.lexemes().iter().enumerate().all(|(n, wanted)| word(start + n, wanted));
        let Some(strength) = STRENGTHS.into_iter().find(says) else { continue };
        let last = start + strength.lexemes().len() - 1;
        if !strength.is_known() {
            parts.extend((start + 1..last).map(|at| (at, Part::Left)));
            parts.insert(last, Part::Carrier(strength));
        }
        if word(last + 1, "of") {
            if !strength.is_known() {
                parts.insert(last + 1, Part::Point);
            }
            list(lexed, lexemes, last + 2, &mut parts);
        }
    }
    parts
}

/// The list of names that begins here.
fn list(lexed: &Lexed<'_>, lexemes: &[Lexeme], start: usize, parts: &mut BTreeMap<usize, Part>) {
    let mut at = start;
    while lexemes.get(at).is_some_and(|lexeme| matches!(lexeme.kind, Kind::Word | Kind::Quoted)) {
        let Some(next) = lexemes.get(at + 1) else { return };
        if lexed.is_symbol(next, ",") {
            parts.insert(at + 1, Part::Point);
            parts.insert(at + 2, Part::Another);
        } else if !lexed.is_symbol(next, ".") {
            return;
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{StatementKind, parse};

    #[test]
    fn every_clause_is_read_as_it_was_written() {
        for (clause, wanted) in [
            ("for update", "FOR UPDATE []"),
            ("for no key update", "FOR NO KEY UPDATE []"),
            ("FOR Share", "FOR SHARE []"),
            ("for key share nowait", "FOR KEY SHARE []"),
            ("for update of t", "FOR UPDATE [t]"),
            ("for update of t, \"U\", no skip locked", "FOR UPDATE [t, U, no]"),
            ("for no key update of t", "FOR NO KEY UPDATE [t]"),
            ("for no key update of key, of, \"FOR KEY SHARE\" nowait", "FOR NO KEY UPDATE [key, of, FOR KEY SHARE]"),
            ("for key share of \"FOR UPDATE\"", "FOR KEY SHARE [FOR UPDATE]"),
            ("for share of \"FOR KEY SHARE\", t", "FOR SHARE [FOR KEY SHARE, t]"),
        ] {
            let sql = format!("select a from t {clause}");
            let statement = parse(&sql).unwrap_or_else(|error| panic!("{sql}: {error}")).remove(0);
            let StatementKind::Query(query) = &statement.kind else { panic!("{sql}") };
            let lock = Lock::of(&query.locks[0]);
            let tables: Vec<&str> = lock.tables.iter().map(|ident| ident.value.as_str()).collect();
            assert_eq!(format!("{} [{}]", lock.strength.words(), tables.join(", ")), wanted, "{sql}");
            assert!(lock.qualified.is_none(), "{sql}");
            assert_eq!(statement.locks(), Some(lock.strength.tag()), "{sql}");
        }
    }

    #[test]
    fn what_is_no_clause_is_none() {
        for (sql, position) in [
            ("select a from t for key share of", 33),
            ("select a from t for update of t,", 33),
            ("select a from t for update of t u", 33),
            ("select a from t for no key update t", 35),
        ] {
            let error = parse(sql).map(|_| ()).unwrap_err();
            assert_eq!((error.state().code(), error.position()), ("42601", Some(position)), "{sql}");
        }
        for sql in ["select a from t for update of s.t", "select a from t for no key update of u, s.t"] {
            let error = parse(sql).map(|_| ()).unwrap_err();
            let words = if sql.contains("no key") { "FOR NO KEY UPDATE" } else { "FOR UPDATE" };
            let at = u32::try_from(sql.find("s.t").unwrap() + 1).unwrap();
            assert_eq!(error.message(), format!("{words} must specify unqualified relation names"), "{sql}");
            assert_eq!((error.state().code(), error.position()), ("42601", Some(at)), "{sql}");
        }
    }
}
