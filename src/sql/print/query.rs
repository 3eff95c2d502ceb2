//! A client's query as one PostgreSQL source reads it: printed node by node from an allow-list, every name resolved, every literal ours.
//! Must not know: catalogs, roles, how the query is run.
//!
//! Nothing is printed by the tree's own `to_string`, and no text of the client's gets out but as a literal or a quoted name. What is not
//! on a list is refused, so that the statement takes another route. The source's session has an empty search path, so an operator, and
//! a function behind a dot, can only be one of `pg_catalog`; functions are named with their schema, and only those on the list.
//!
//! * A relation is `"schema"."table" AS "name"`. Where not all of its columns may be seen, it is a sub-query of those that may, so that
//!   a hidden column, a whole row, a system column and `NATURAL JOIN` are what they would be on a table without it.
//! * A common table expression gets a name of ours: whatever PostgreSQL thought of its scope, it could not mean a relation of
//!   `pg_catalog` by it. Its references keep the client's name as their alias.
//! * What writes (`modify`) has its target as a relation, never as a sub-query; where not all of its columns may be seen, `target` looks
//!   at each name that could mean one of them. In WITH it returns what it may see, and the rest of the statement sees only that.
//! * Operands are in parentheses, operators between spaces: no two characters of different tokens can join.

mod call;
mod expression;
mod from;
mod functions;
mod modify;
mod operator;
mod select;
mod survey;
mod target;
mod type_name;
mod value;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::literal::{quote_identifier, quote_literal};
use super::{Dialect, refuse};
use crate::error::Result;
use crate::names::{self, MAX_IDENTIFIER_BYTES};

use datafusion::sql::sqlparser::tokenizer::Span;

use super::super::ast::{Ident, Query};
use super::super::modify::Writing;
use super::super::places::Places;
use super::super::position;
use super::super::scope::{TableRef, folded};
use super::super::statement::Statement;
use survey::Survey;
use target::Narrowed;

/// What stands for a relation at the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteTable {
    /// Its schema there.
    pub schema: String,
    /// Its name there.
    pub name: String,
    /// The columns that may be seen, in order; `None`: all that there are.
    pub columns: Option<Vec<String>>,
    /// Schema and name as the client may write them.
    pub seen: (String, String),
}

/// What functions without a source of their own say: Tusk's answers, not the source's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnValues {
    /// `current_user` and its kin.
    pub user: String,
    /// `current_database()`.
    pub database: String,
    /// `current_schema`.
    pub schema: Option<String>,
    /// `pg_backend_pid()`.
    pub pid: i32,
    /// `version()`.
    pub version: String,
    /// `now()` as a timestamp with its zone, where the source's own clock must not tell: in a transaction that began before.
    pub now: Option<String>,
    /// Functions of the source that may be called beside PostgreSQL's own.
    pub functions: Vec<SourceFunction>,
}

/// A function that the configuration of a source allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFunction {
    /// Its schema at the source.
    pub schema: String,
    /// What clients call that schema, if they see it.
    pub seen: Option<String>,
    /// Its name.
    pub name: String,
}

/// What is to be printed.
pub struct PrintRequest<'a> {
    /// The statement, for the places of its tokens.
    pub statement: &'a Statement,
    /// Its query.
    pub query: &'a Query,
    /// Its relations, in the order of its scope.
    pub relations: &'a [(TableRef, RemoteTable)],
    /// Tusk's own answers.
    pub own: &'a OwnValues,
}

/// What is to be printed, of a statement that writes.
pub struct ModifyRequest<'a> {
    /// The statement, for the places of its tokens.
    pub statement: &'a Statement,
    /// What it does.
    pub writing: &'a Writing,
    /// Its relations, in the order of its scope: the targets first. Where not all columns of a target may be seen, the others are
    /// missing to what writes it; each further relation is as in a query, a target too where it is read a second time.
    pub relations: &'a [(TableRef, RemoteTable)],
    /// All columns that each target has at the source; read where not all may be seen.
    pub all: &'a [Vec<String>],
    /// Tusk's own answers.
    pub own: &'a OwnValues,
}

/// A statement for the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrintedQuery {
    /// Its text.
    pub sql: String,
    /// Positions of the text (characters, from 1) and of the client's message, ascending.
    pub places: Vec<(u32, u32)>,
    /// Our names in it, and the client's.
    pub renamed: Vec<(String, String)>,
    /// Cursors whose rows it means: where a name stands for each (in bytes), which is none's ([`names::cursor`] of 0), and the client's name.
    pub cursors: Vec<(usize, String)>,
    /// Where what stands behind the WITH of a statement that writes begins (in bytes).
    pub body: usize,
    /// It calls functions of the source that its configuration allows: they may read and say anything.
    pub calls: bool,
    /// It takes a whole row of a relation of which not all columns may be seen.
    pub rows: bool,
    /// Where the client's constants stand in it (bytes), ascending, and what a source takes each for.
    constants: Vec<(Range<usize>, Constant)>,
}

/// What a constant is taken for before anybody looks at its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Constant {
    Text,
    Int4,
    Int8,
    Numeric,
}

impl PrintedQuery {
    /// The statement without the values of its constants: what a source says of it holds for every statement of the same skeleton, as far as
    /// it does not look at the values already.
    #[must_use]
    pub fn skeleton(&self) -> String {
        let mut skeleton = String::with_capacity(self.sql.len());
        let mut at = 0;
        for (range, constant) in &self.constants {
            skeleton.push_str(self.sql.get(at..range.start).unwrap_or_default());
            // No statement has a NUL.
            skeleton.push_str(match constant {
                Constant::Text => "\0t",
                Constant::Int4 => "\0i",
                Constant::Int8 => "\0l",
                Constant::Numeric => "\0n",
            });
            at = range.end;
        }
        skeleton.push_str(self.sql.get(at..).unwrap_or_default());
        skeleton
    }
}

/// Prints a query for PostgreSQL.
///
/// # Errors
/// `0A000` for what is not on the list, in words that say what.
pub fn print_query(request: &PrintRequest<'_>) -> Result<PrintedQuery> {
    let survey = Survey::of(request.query, request.relations)?;
    let mut printer = Printer::new(request.statement, request.relations, request.own, survey);
    printer.query(request.query)?;
    Ok(printer.printed())
}

/// Prints a statement that writes for PostgreSQL.
///
/// # Errors
/// `0A000` for what is not on the list, in words that say what; `42703` for a column that may not be seen, and `42601` for more values
/// than columns that may, in PostgreSQL's words and with the position.
pub fn print_modify(request: &ModifyRequest<'_>) -> Result<PrintedQuery> {
    let writing = request.writing;
    let Some((targets, others)) = request.relations.split_at_checked(writing.writers().count()) else {
        return Err(refuse("this table"));
    };
    let survey = Survey::of_writing(writing, request.relations)?;
    let mut printer = Printer::new(request.statement, others, request.own, survey);
    printer.narrow = targets.iter().any(|(_, target)| target.columns.is_some());
    let known = targets.iter().zip(request.all).map(|(target, all)| (target.0.position, (target, all.as_slice())));
    printer.targets = known.collect();
    printer.writing(writing)?;
    Ok(printer.printed())
}

/// Our name of a common table expression.
fn cte_name(number: usize) -> String {
    format!("tusk_with_{number}")
}

struct Printer<'a> {
    out: String,
    /// The position of the next character.
    at: u32,
    marks: Vec<(u32, u32)>,
    places: Places,
    /// By their position in the client's message.
    relations: HashMap<u32, &'a (TableRef, RemoteTable)>,
    /// The numbers of the names of common table expressions.
    ctes: BTreeMap<String, usize>,
    own: &'a OwnValues,
    /// Own values printed so far: an item that has one needs its name written out.
    own_used: usize,
    survey: Survey,
    /// What is written, by its position in the client's message, with all of its columns at the source.
    targets: HashMap<u32, (&'a (TableRef, RemoteTable), &'a [String])>,
    /// Not all columns of each of them may be seen.
    narrow: bool,
    /// The target of what is printed, if that writes and not all of the target's columns may be seen.
    narrowed: Option<Narrowed>,
    cursors: Vec<(usize, String)>,
    body: usize,
    calls: bool,
    rows: bool,
    constants: Vec<(Range<usize>, Constant)>,
}

impl<'a> Printer<'a> {
    fn new(
        statement: &Statement,
        relations: &'a [(TableRef, RemoteTable)],
        own: &'a OwnValues,
        survey: Survey,
    ) -> Printer<'a> {
        Printer {
            out: String::with_capacity(statement.text.len() * 2),
            at: 1,
            marks: Vec::new(),
            places: Places::of(statement),
            relations: relations.iter().map(|pair| (pair.0.position, pair)).collect(),
            ctes: BTreeMap::new(),
            own,
            own_used: 0,
            survey,
            targets: HashMap::new(),
            narrow: false,
            narrowed: None,
            cursors: Vec::new(),
            body: 0,
            calls: false,
            rows: false,
            constants: Vec::new(),
        }
    }

    fn printed(self) -> PrintedQuery {
        let ctes = self.ctes.into_iter().map(|(name, number)| (cte_name(number), name));
        let cursors = self.cursors.first().map(|(_, name)| (names::cursor(0), name.clone()));
        PrintedQuery {
            sql: self.out,
            places: self.marks,
            renamed: ctes.chain(cursors).collect(),
            cursors: self.cursors,
            body: self.body,
            calls: self.calls,
            rows: self.rows,
            constants: self.constants,
        }
    }
}

impl Printer<'_> {
    /// Appends a text of ours.
    fn put(&mut self, text: &str) {
        self.at = self.at.saturating_add(u32::try_from(text.chars().count()).unwrap_or(u32::MAX));
        self.out.push_str(text);
    }

    /// What follows stands at this position of the client's message.
    fn mark(&mut self, position: Option<u32>) {
        if let Some(position) = position {
            self.marks.push((self.at, position));
        }
    }

    fn mark_span(&mut self, span: Span) {
        self.mark(position(span));
    }

    /// A name in quotes, as it is.
    fn name(&mut self, name: &str) -> Result<()> {
        // The source would cut it, and could then mean a name that was looked for in vain.
        if self.narrow && name.len() > MAX_IDENTIFIER_BYTES {
            return Err(refuse("a name of more than 63 bytes"));
        }
        let quoted = quote_identifier(name)?;
        self.put(&quoted);
        Ok(())
    }

    /// An identifier of the client's, folded and in quotes.
    fn ident(&mut self, ident: &Ident) -> Result<()> {
        self.mark_span(ident.span);
        let name = folded(ident);
        // The source's number of a table is not ours, and of a partitioned table it would tell the partitions.
        if name == "tableoid" {
            return Err(refuse("the column tableoid"));
        }
        self.name(&name)
    }

    fn idents(&mut self, idents: &[Ident]) -> Result<()> {
        self.separated(idents, ".", |printer, ident| printer.ident(ident))
    }

    /// What was printed from here on is a constant.
    fn constant(&mut self, start: usize, constant: Constant) {
        self.constants.push((start..self.out.len(), constant));
    }

    /// A string literal.
    fn text(&mut self, text: &str) -> Result<()> {
        let literal = quote_literal(Dialect::Postgres, text)?;
        self.put(&literal);
        Ok(())
    }

    /// Items with something between them.
    fn separated<T>(
        &mut self,
        items: &[T],
        between: &str,
        mut each: impl FnMut(&mut Self, &T) -> Result<()>,
    ) -> Result<()> {
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.put(between);
            }
            each(self, item)?;
        }
        Ok(())
    }

    /// The name of a common table expression.
    fn cte(&mut self, name: &str) -> String {
        let next = self.ctes.len() + 1;
        cte_name(*self.ctes.entry(name.to_owned()).or_insert(next))
    }
}

#[cfg(test)]
mod tests;
