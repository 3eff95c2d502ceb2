//! The one place that writes SQL for a source: a small tree of our own, printed in the source's dialect.
//! Must not know: catalogs, how a source runs it; but for `query`, what a user typed and sqlparser's tree.
//!
//! No text of a user or a source gets into a statement but as a literal or an identifier, and these are written by
//! `print/literal.rs` alone, in a form that the dialect's lexer reads back as the same value:
//!
//! | | PostgreSQL | SQLite | DuckDB |
//! |---|---|---|---|
//! | text | `E'...'`, `\` and `'` escaped | `'...'`, `'` doubled | `'...'`, `'` doubled |
//! | bytes | `'\x..'::bytea`, in `E` form | `X'..'` | `'\xAA\xBB'::BLOB` |
//! | name | `"..."`, `"` doubled | the same | the same |
//!
//! NUL is refused everywhere, NaN and infinity too: a source may not have them, and a filter can be applied here.
//! Outputs are called `c0`, `c1`, ... and the table `t`: never by a user's name. A whole query of a client's, with its names, is printed by `query`.

mod copy;
mod expression;
mod literal;
mod query;
mod statement;

pub use copy::{begin_transaction, copy_from, set_session};
pub use expression::{CastType, CompareOp, Expr};
pub use literal::{Literal, quote_identifier, quote_literal};
pub use query::{
    ModifyRequest, OwnValues, PrintRequest, PrintedQuery, RemoteTable, SourceFunction, print_modify, print_query,
};
pub use statement::{Order, Output, Select, Table, copy_binary};

use crate::error::{Error, Result};

/// Whose SQL is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// PostgreSQL, with any setting of `standard_conforming_strings`.
    Postgres,
    /// SQLite.
    Sqlite,
    /// DuckDB.
    DuckDb,
}

/// The deepest nesting that is printed.
const MAX_DEPTH: usize = 128;

/// The longest chain of ANDs or ORs that is printed: SQLite refuses trees deeper than 1000.
const MAX_CHAIN: usize = 500;

fn refuse(what: &str) -> Error {
    Error::unsupported(format!("{what} cannot be sent to a source"))
}

/// Something that has a form in each dialect.
trait Print {
    /// Appends it.
    ///
    /// # Errors
    /// `0A000` for what the dialect has no safe form for: the caller leaves it out and applies it itself.
    fn print(&self, dialect: Dialect, out: &mut String) -> Result<()>;
}

#[cfg(test)]
mod tests;
