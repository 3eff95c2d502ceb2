//! SEARCH and CYCLE behind a query of WITH RECURSIVE: sqlparser has no place for them, so that one marked name stands for both of them in the
//! tree, and they are read again where they are printed.
//! Must not know: the query, whether its columns exist.

use super::lexer::{Kind, Lexed, Lexeme};

/// What stands behind a query, and how many lexemes it takes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Clauses {
    pub(super) search: Option<Search>,
    pub(super) cycle: Option<Cycle>,
    pub(super) lexemes: usize,
}

/// `SEARCH DEPTH FIRST BY a, b SET c`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Search {
    pub(super) depth: bool,
    pub(super) by: Vec<String>,
    pub(super) set: String,
}

/// `CYCLE a, b SET c TO true DEFAULT false USING d`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cycle {
    pub(super) columns: Vec<String>,
    pub(super) set: String,
    pub(super) values: Option<(Constant, Constant)>,
    pub(super) using: String,
}

/// What marks a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Constant {
    Text(String),
    Number(String),
    Boolean(bool),
}

/// The clauses that begin with this lexeme, behind a parenthesis; `None`: none do.
pub(super) fn clauses(lexed: &Lexed<'_>, lexemes: &[Lexeme], at: usize) -> Option<Clauses> {
    let before = lexemes.get(at.checked_sub(1)?)?;
    if !lexed.is_symbol(before, ")") {
        return None;
    }
    let mut reader = Reader { lexed, lexemes, at };
    let search = if reader.eat("search") { Some(reader.search()?) } else { None };
    let cycle = if reader.eat("cycle") { Some(reader.cycle()?) } else { None };
    let found = search.is_some() || cycle.is_some();
    found.then(|| Clauses { search, cycle, lexemes: reader.at - at })
}

struct Reader<'a> {
    lexed: &'a Lexed<'a>,
    lexemes: &'a [Lexeme],
    at: usize,
}

impl Reader<'_> {
    fn eat(&mut self, word: &str) -> bool {
        let is = self.lexemes.get(self.at).is_some_and(|lexeme| self.lexed.is_word(lexeme, word));
        self.at += usize::from(is);
        is
    }

    fn words(&mut self, words: &[&str]) -> Option<()> {
        words.iter().all(|word| self.eat(word)).then_some(())
    }

    fn name(&mut self) -> Option<String> {
        let lexeme = self.lexemes.get(self.at)?;
        self.at += 1;
        matches!(lexeme.kind, Kind::Word | Kind::Quoted).then(|| self.lexed.value(lexeme).to_owned())
    }

    fn names(&mut self) -> Option<Vec<String>> {
        let mut names = vec![self.name()?];
        while self.lexemes.get(self.at).is_some_and(|lexeme| self.lexed.is_symbol(lexeme, ",")) {
            self.at += 1;
            names.push(self.name()?);
        }
        Some(names)
    }

    fn search(&mut self) -> Option<Search> {
        let depth = self.eat("depth");
        if !depth {
            self.words(&["breadth"])?;
        }
        self.words(&["first", "by"])?;
        let by = self.names()?;
        self.words(&["set"])?;
        Some(Search { depth, by, set: self.name()? })
    }

    fn cycle(&mut self) -> Option<Cycle> {
        let columns = self.names()?;
        self.words(&["set"])?;
        let set = self.name()?;
        let values = match self.eat("to") {
            true => {
                let cyclic = self.constant()?;
                self.words(&["default"])?;
                Some((cyclic, self.constant()?))
            }
            false => None,
        };
        self.words(&["using"])?;
        Some(Cycle { columns, set, values, using: self.name()? })
    }

    fn constant(&mut self) -> Option<Constant> {
        let lexeme = self.lexemes.get(self.at)?;
        self.at += 1;
        let value = self.lexed.value(lexeme);
        match lexeme.kind {
            Kind::Text => Some(Constant::Text(value.to_owned())),
            Kind::Number => Some(Constant::Number(value.to_owned())),
            Kind::Word if matches!(value, "true" | "false") => Some(Constant::Boolean(value == "true")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lexer::lex;

    fn read(text: &str) -> Option<Clauses> {
        let lexed = lex(text, &mut |_, _| Ok(())).unwrap();
        clauses(&lexed, &lexed.lexemes, 1)
    }

    #[test]
    fn they_stand_behind_a_parenthesis() {
        let found =
            read(") SEARCH breadth FIRST by A, \"B c\" set d cycle a set x to 'y' default -- no\n 'n' using P select")
                .unwrap();
        let search = Search { depth: false, by: vec!["a".into(), "B c".into()], set: "d".into() };
        let values = Some((Constant::Text("y".into()), Constant::Text("n".into())));
        let cycle = Cycle { columns: vec!["a".into()], set: "x".into(), values, using: "p".into() };
        assert_eq!(found, Clauses { search: Some(search), cycle: Some(cycle), lexemes: 19 });
        assert_eq!(read(") cycle a set b using c").unwrap().lexemes, 6);
        for none in [
            "( cycle a set b using c",
            ") cycle",
            ") search depth first by a",
            ") cycle a set b to null default 1 using c",
            ") x",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
