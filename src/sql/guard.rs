//! The guard before any parser: a message too long, too deep or too wide is refused while it is being cut into lexemes.
//! Must not know: grammar beyond which words open, join and close; sqlparser; engines.
//!
//! A parser, a planner and the destructor of a tree recurse, and an overflowing stack takes the whole daemon down. So
//! what they are given is bounded here, by counting: no recursion, and it stops at the first lexeme that is too much.

use crate::error::{Error, Result, SqlState};

use super::lexer::{Kind, Lexeme};

/// The longest message in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;
/// The deepest nesting of parentheses, brackets, CASE and sub-selects.
pub const MAX_NESTING: usize = 128;
/// The most operators, casts, signs, NOTs and set operations in one expression or query.
pub const MAX_CHAIN: u32 = 500;
/// The deepest tree: chains and nesting together.
const MAX_DEPTH: u32 = 700;
/// The most joins in one FROM; and, eight times that, in one statement.
pub const MAX_JOINS: u32 = 64;
/// The most entries in one select list, as in PostgreSQL.
pub const MAX_SELECT_ITEMS: u32 = 1664;
/// Planning a chain costs the square of its length: the most of that in one statement.
const MAX_WORK: u64 = 2_000_000;
/// A parenthesis in FROM may open a join or a sub-select, which a parser finds out by trying both.
const MAX_GUESSES: u64 = 4096;

/// What part of a query a level is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clause {
    Other,
    SelectList,
    From,
}

/// What opened a level.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opener {
    Statement,
    Parenthesis,
    Bracket,
    Case,
}

struct Level {
    opener: Opener,
    clause: Clause,
    /// Operators since the last comma, clause, AND or OR.
    chain: u32,
    /// The deepest closed level since then.
    child: u32,
    /// ANDs and ORs since the last comma or clause.
    logic: u32,
    /// The deepest operand of those.
    term: u32,
    /// The deepest stretch between commas and clauses.
    depth: u32,
    set_operations: u32,
    joins: u32,
    items: u32,
    /// Parentheses in FROM that follow each other directly, this one counted; 0 elsewhere.
    run: u64,
    /// How often a parser may come by here.
    guesses: u64,
    /// Nothing stands in it yet.
    empty: bool,
}

impl Level {
    fn new(opener: Opener, run: u64, guesses: u64) -> Self {
        Level {
            opener,
            clause: Clause::Other,
            chain: 0,
            child: 0,
            logic: 0,
            term: 0,
            depth: 0,
            set_operations: 0,
            joins: 0,
            items: 0,
            run,
            guesses,
            empty: true,
        }
    }
}

/// What the lexeme before was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// The start, an operator, `(`, `,` or a keyword that an operand follows.
    Open,
    /// FROM, JOIN, LATERAL, or a comma in FROM: a table follows.
    Table,
    /// `IS` or `NOT`, behind which DISTINCT belongs to an operator.
    Is,
    /// `IS [NOT] DISTINCT`, behind which FROM belongs to an operator.
    IsDistinct,
    /// `UNION`, `EXCEPT` or `INTERSECT`, maybe with ALL or DISTINCT.
    SetOperation,
    /// A name; what follows in parentheses are its arguments.
    Name,
    /// An operand: a value, `)`, `]` or END.
    Operand,
}

/// Counts what a parser would have to hold on its stack. Feed it each lexeme in order.
pub(crate) struct Guard {
    levels: Vec<Level>,
    before: Before,
    work: u64,
    joins: u32,
}

impl Guard {
    /// A guard for a message.
    ///
    /// # Errors
    /// `54001` if the message is longer than [`MAX_BYTES`].
    pub(crate) fn new(message: &str) -> Result<Self> {
        if message.len() > MAX_BYTES {
            return Err(Error::client(SqlState::STATEMENT_TOO_COMPLEX, "statement is too long")
                .with_detail(format!("A message may have {MAX_BYTES} bytes; this one has {}.", message.len())));
        }
        Ok(Guard { levels: vec![Level::new(Opener::Statement, 0, 1)], before: Before::Open, work: 0, joins: 0 })
    }

    /// Takes the next lexeme.
    ///
    /// # Errors
    /// `54001` where a parser would go too deep, `54011` where a select list is too wide.
    pub(crate) fn take(&mut self, message: &str, lexeme: &Lexeme) -> Result<()> {
        let raw = message.get(lexeme.start as usize..lexeme.end as usize).unwrap_or("");
        match lexeme.kind {
            Kind::Word => self.word(raw),
            Kind::Symbol => self.symbol(raw),
            Kind::Text if self.after_operand() => self.operator(Before::Operand),
            Kind::Quoted => {
                self.name();
                Ok(())
            }
            _ => {
                self.operand();
                Ok(())
            }
        }
    }

    fn after_operand(&self) -> bool {
        matches!(self.before, Before::Operand | Before::Name)
    }

    fn level(&mut self) -> &mut Level {
        if self.levels.is_empty() {
            self.levels.push(Level::new(Opener::Statement, 0, 1));
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    fn operand(&mut self) {
        self.level().empty = false;
        self.before = Before::Operand;
    }

    fn name(&mut self) {
        self.level().empty = false;
        self.before = Before::Name;
    }

    fn symbol(&mut self, raw: &str) -> Result<()> {
        match raw {
            "(" => self.open(Opener::Parenthesis),
            "[" => self.open(Opener::Bracket),
            ")" => self.close(Opener::Parenthesis),
            "]" => self.close(Opener::Bracket),
            "," => self.comma(),
            ";" => {
                while self.levels.len() > 1 {
                    self.fold()?;
                }
                self.end_stretch()?;
                self.levels.clear();
                (self.before, self.work, self.joins) = (Before::Open, 0, 0);
                Ok(())
            }
            _ => self.operator(Before::Open),
        }
    }

    fn operator(&mut self, before: Before) -> Result<()> {
        self.before = before;
        let level = self.level();
        level.empty = false;
        level.chain += 1;
        let depth = level.child + level.chain + level.logic;
        if level.chain > MAX_CHAIN || depth > MAX_DEPTH { Err(too_deep()) } else { Ok(()) }
    }

    /// AND and OR bind weakest: the chains between them are no deeper for them.
    fn logic(&mut self) -> Result<()> {
        let work = u64::from(self.level().chain).pow(2);
        self.add_work(work)?;
        self.before = Before::Open;
        let level = self.level();
        level.term = level.term.max(level.child + level.chain);
        (level.chain, level.child) = (0, 0);
        level.logic += 1;
        if level.logic > MAX_CHAIN || level.term + level.logic > MAX_DEPTH { Err(too_deep()) } else { Ok(()) }
    }

    /// Short chains cost nothing worth counting.
    fn add_work(&mut self, work: u64) -> Result<()> {
        if work > 1024 {
            self.work += work;
        }
        if self.work > MAX_WORK { Err(too_deep()) } else { Ok(()) }
    }

    fn open(&mut self, opener: Opener) -> Result<()> {
        // A subscript or a second pair of brackets nests to the left like an operator.
        if self.before == Before::Operand || (opener == Opener::Bracket && self.before == Before::Name) {
            self.operator(Before::Open)?;
        }
        let table = self.before == Before::Table;
        let parent = self.level();
        let run = match (opener, table, parent.run > 0 && parent.empty) {
            (Opener::Parenthesis, _, true) => parent.run + 1,
            (Opener::Parenthesis, true, false) => 1,
            _ => 0,
        };
        let guesses = parent.guesses;
        parent.empty = false;
        if self.levels.len() > MAX_NESTING {
            return Err(too_deep());
        }
        self.levels.push(Level::new(opener, run, guesses));
        self.before = Before::Open;
        Ok(())
    }

    fn close(&mut self, opener: Opener) -> Result<()> {
        // An unfinished CASE inside is a syntax error that the parser reports.
        while self.levels.len() > 1 && self.level().opener == Opener::Case && opener != Opener::Case {
            self.fold()?;
        }
        if self.levels.len() > 1 && self.level().opener == opener {
            self.fold()?;
        }
        self.operand();
        Ok(())
    }

    /// Ends the innermost level and counts it as one operand of the one around it.
    fn fold(&mut self) -> Result<()> {
        self.end_stretch()?;
        let depth = self.levels.pop().map_or(0, |level| level.depth + level.set_operations + 1);
        let level = self.level();
        level.child = level.child.max(depth);
        if level.child + level.chain + level.logic > MAX_DEPTH { Err(too_deep()) } else { Ok(()) }
    }

    fn end_stretch(&mut self) -> Result<()> {
        let level = self.level();
        let work = u64::from(level.chain).pow(2) + u64::from(level.logic).pow(2);
        level.depth = level.depth.max(level.term.max(level.child + level.chain) + level.logic);
        (level.chain, level.child, level.logic, level.term) = (0, 0, 0, 0);
        self.add_work(work)
    }

    fn comma(&mut self) -> Result<()> {
        self.end_stretch()?;
        self.before = Before::Open;
        let level = self.level();
        match level.clause {
            Clause::SelectList => {
                level.items += 1;
                if level.items > MAX_SELECT_ITEMS {
                    return Err(Error::client(
                        SqlState::TOO_MANY_COLUMNS,
                        format!("target lists can have at most {MAX_SELECT_ITEMS} entries"),
                    ));
                }
                Ok(())
            }
            Clause::From => {
                self.before = Before::Table;
                self.join()
            }
            Clause::Other => Ok(()),
        }
    }

    fn join(&mut self) -> Result<()> {
        self.joins += 1;
        let level = self.level();
        level.joins += 1;
        if level.joins > MAX_JOINS || self.joins > MAX_JOINS * 8 { Err(too_deep()) } else { Ok(()) }
    }

    /// A keyword that starts a clause. Behind an operator it is a name, and resets nothing.
    fn clause(&mut self, clause: Clause, before: Before) -> Result<()> {
        self.end_stretch()?;
        self.level().clause = clause;
        self.level().empty = false;
        self.before = before;
        Ok(())
    }

    fn select(&mut self) -> Result<()> {
        self.clause(Clause::SelectList, Before::Open)?;
        let level = self.level();
        (level.items, level.joins) = (1, 0);
        self.guess()
    }

    /// A sub-select begins: every parenthesis before it doubles the ways to read it.
    fn guess(&mut self) -> Result<()> {
        let level = self.level();
        level.guesses = level.guesses.saturating_mul(level.run.max(1));
        level.run = 0;
        if level.guesses > MAX_GUESSES { Err(too_deep()) } else { Ok(()) }
    }

    fn word(&mut self, raw: &str) -> Result<()> {
        let before = self.before;
        let starts_clause = !matches!(before, Before::Open) || self.level().empty;
        match Keyword::of(raw) {
            Keyword::Select if starts_clause => self.select(),
            Keyword::From if before == Before::IsDistinct => self.operator(Before::Open),
            Keyword::From if starts_clause || self.level().clause == Clause::SelectList => {
                // Outside parentheses it is always the word before tables, in UPDATE and DELETE too.
                let tables = self.level().clause == Clause::SelectList || self.level().opener == Opener::Statement;
                let clause = if tables { Clause::From } else { Clause::Other };
                self.clause(clause, if clause == Clause::From { Before::Table } else { Before::Open })
            }
            Keyword::Values if starts_clause => {
                self.clause(Clause::Other, Before::Open)?;
                self.guess()
            }
            Keyword::With if self.level().empty => {
                self.name();
                self.guess()
            }
            Keyword::Clause if self.after_operand() => self.clause(Clause::Other, Before::Open),
            Keyword::Using if self.after_operand() => self.clause(Clause::From, Before::Table),
            Keyword::On if self.after_operand() => {
                let clause = self.level().clause;
                self.clause(clause, Before::Open)
            }
            Keyword::Logic if self.after_operand() => self.logic(),
            Keyword::SetOperation if self.after_operand() => {
                self.clause(Clause::Other, Before::SetOperation)?;
                let level = self.level();
                level.set_operations += 1;
                if level.set_operations >= MAX_CHAIN { Err(too_deep()) } else { Ok(()) }
            }
            Keyword::Quantifier if before == Before::SetOperation => Ok(()),
            Keyword::Quantifier if before == Before::Is => {
                self.before = Before::IsDistinct;
                Ok(())
            }
            Keyword::Join => {
                self.clause(Clause::From, Before::Table)?;
                self.join()
            }
            Keyword::Lateral if before == Before::Table => Ok(()),
            Keyword::Is => self.operator(Before::Is),
            Keyword::Operator | Keyword::Logic => {
                self.operator(if before == Before::Is { Before::Is } else { Before::Open })
            }
            Keyword::Case => self.open(Opener::Case),
            Keyword::End => self.close(Opener::Case),
            Keyword::Part
                if self.after_operand() && matches!(self.level().opener, Opener::Case | Opener::Statement) =>
            {
                self.clause(Clause::Other, Before::Open)
            }
            Keyword::Part => {
                self.before = Before::Open;
                Ok(())
            }
            Keyword::Explain => self.operator(Before::Operand),
            _ => {
                self.name();
                Ok(())
            }
        }
    }
}

/// The words that matter here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keyword {
    Select,
    Values,
    With,
    From,
    /// Starts another clause.
    Clause,
    On,
    /// Stands before tables in DELETE and MERGE, before columns in a join.
    Using,
    SetOperation,
    /// ALL, DISTINCT.
    Quantifier,
    Join,
    Lateral,
    /// IS.
    Is,
    /// AND, OR.
    Logic,
    /// Joins or precedes operands.
    Operator,
    /// May stand before itself.
    Explain,
    Case,
    End,
    /// WHEN, THEN, ELSE and others that an operand follows, but that are no operators.
    Part,
    Other,
}

impl Keyword {
    fn of(raw: &str) -> Keyword {
        const WORDS: &[(&str, Keyword)] = &[
            ("select", Keyword::Select),
            ("values", Keyword::Values),
            ("with", Keyword::With),
            ("from", Keyword::From),
            ("where", Keyword::Clause),
            ("group", Keyword::Clause),
            ("having", Keyword::Clause),
            ("order", Keyword::Clause),
            ("limit", Keyword::Clause),
            ("offset", Keyword::Clause),
            ("window", Keyword::Clause),
            ("fetch", Keyword::Clause),
            ("returning", Keyword::Clause),
            ("do", Keyword::Clause),
            ("on", Keyword::On),
            ("using", Keyword::Using),
            ("union", Keyword::SetOperation),
            ("except", Keyword::SetOperation),
            ("intersect", Keyword::SetOperation),
            ("all", Keyword::Quantifier),
            ("distinct", Keyword::Quantifier),
            ("join", Keyword::Join),
            ("lateral", Keyword::Lateral),
            ("is", Keyword::Is),
            ("not", Keyword::Operator),
            ("and", Keyword::Logic),
            ("or", Keyword::Logic),
            ("in", Keyword::Operator),
            ("like", Keyword::Operator),
            ("ilike", Keyword::Operator),
            ("similar", Keyword::Operator),
            ("between", Keyword::Operator),
            ("collate", Keyword::Operator),
            ("at", Keyword::Operator),
            ("overlaps", Keyword::Operator),
            ("isnull", Keyword::Operator),
            ("notnull", Keyword::Operator),
            ("escape", Keyword::Operator),
            ("interval", Keyword::Operator),
            ("prior", Keyword::Operator),
            ("explain", Keyword::Explain),
            ("prepare", Keyword::Explain),
            ("case", Keyword::Case),
            ("end", Keyword::End),
            ("when", Keyword::Part),
            ("then", Keyword::Part),
            ("else", Keyword::Part),
            ("by", Keyword::Part),
        ];
        if raw.len() > 9 {
            return Keyword::Other;
        }
        WORDS.iter().find(|(word, _)| raw.eq_ignore_ascii_case(word)).map_or(Keyword::Other, |(_, keyword)| *keyword)
    }
}

/// PostgreSQL's refusal of what is too deep.
pub(crate) fn too_deep() -> Error {
    Error::client(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
        .with_hint("Simplify the statement: it nests or chains too many expressions, set operations or joins.")
}

#[cfg(test)]
mod tests;
