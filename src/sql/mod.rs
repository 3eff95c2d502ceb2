//! Statements: guarded, parsed, looked at; and the one place that writes SQL for a source.
//! Must not know: rooms on higher floors.
//!
//! The way of a text: [`lexer`](self) and [`guard`] in one pass, [`parse`] into [`Statement`]s, [`scope`] to see what it
//! names, [`rewrite`] into what DataFusion's binder takes. [`print`] is the other direction, from a tree of our own.
//!
//! Positions are characters of the whole message, counted from 1. Every span in a tree has line 1 and the position as
//! its column: [`position`] reads it.

mod allow;
mod arguments;
mod copy_options;
mod cursor;
mod cycle;
mod dialect;
mod forms;
mod functions;
pub mod guard;
mod keywords;
mod lexer;
mod locks;
mod marks;
mod modify;
pub mod parse;
mod places;
pub mod print;
pub mod rewrite;
mod sample;
pub mod scope;
mod scrollable;
mod statement;
mod tokens;
mod type_name;
mod utility;
mod view_functions;

pub use arguments::{Argument, Literal, arguments, row_of};
pub use copy_options::{CopyFormat, CopyOption, CopyOptions, ForceColumns, Header, OptionValue};
pub use datafusion::sql::sqlparser::ast;
pub use keywords::quote_ident;
pub use modify::{Modify, ModifyVerb, WriteAction, Writing, Written};
pub use parse::{parse, parse_expression};
pub use places::Places;
pub use rewrite::{Rewritten, rewrite, rewrite_expression};
pub use scope::{FunctionRef, Scope, TableRef};
pub use scrollable::scrolls;
pub use statement::{
    Assignment, Copy, CopyWhat, Declare, Direction, Discard, ExplainOption, Fetch, Maintenance, MaintenanceTarget,
    MaintenanceVerb, Refusal, SetArgument, SetScope, SetValue, Statement, StatementKind, TransactionModes,
};
pub use tokens::position;
pub use type_name::{TypeName, type_name};
pub use view_functions::stands_for_function;
