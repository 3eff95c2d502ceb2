//! From a parsed query to a logical plan whose every expression has PostgreSQL's type.
//! Must not know: sessions, policy; it is given the tables and the facts.

mod aggregate;
mod array;
mod call;
mod conditional;
mod cte;
mod expr;
mod from;
mod group;
mod join;
mod literal;
mod order;
mod ordered;
mod place;
mod polymorphic;
mod predicate;
mod quantified;
mod query;
mod range;
mod rebase;
mod record_function;
mod registered;
mod row;
mod row_in;
mod scope;
mod select;
mod set_function;
mod setop;
mod special;
mod subquery;
mod table_function;
mod targets;
mod type_name;
mod ungrouped;
mod unnest;
mod window;

use std::collections::HashMap;
use std::sync::Arc;

use crate::sql::Places;
use crate::sql::ast::{Query, Spanned, WindowSpec};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, TableSource};

use self::cte::Cte;
pub(crate) use self::from::schema_and_table;
use self::ordered::OrderKey;
use self::range::Ranges;
pub(crate) use self::registered::NAMED_OID;
use self::registered::Registered;
use self::scope::{Forms, Scope};
use self::set_function::SetColumn;
use self::ungrouped::Ungrouped;
use super::cast::Typing;
use super::facts::SessionFacts;
use super::value::Bound;
use crate::error::{Error, Result, SqlState};
use crate::names::TableName;
use crate::types::PgType;

/// A table of the catalog as a statement found it.
#[derive(Clone)]
pub(super) struct FoundTable {
    /// The schema it was found in.
    pub(super) schema: String,
    /// Its name.
    pub(super) name: String,
    /// Where its rows come from.
    pub(super) source: Arc<dyn TableSource>,
    /// The relation that it is, whose rows are of a type of their own.
    pub(super) relation: Option<TableName>,
}

/// The tables a statement names, by the names it uses (schema if given, table).
pub(super) type FoundTables = HashMap<(Option<String>, String), FoundTable>;

/// A column that a query gives.
#[derive(Debug, Clone)]
pub(super) struct Output {
    /// The name that clients see.
    pub(super) name: String,
    /// How a plan above reads it; a literal whose type is not settled stays itself.
    pub(super) value: Bound,
}

/// A bound query: its plan and the columns it gives. Behind them the plan may have columns that its rows' order is told by.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    /// The plan.
    pub(super) plan: LogicalPlan,
    /// Its columns in order; internal names are unique, visible names need not be.
    pub(super) columns: Vec<Output>,
    /// What its rows are in the order of. The plan need not sort them: who shows them, or lets their order be seen, does.
    pub(super) order: Vec<OrderKey>,
    /// Whether the plan gives them so.
    pub(super) sorted: bool,
}

/// Which clause an expression stands in; it decides what may stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clause {
    /// The select list.
    Select,
    /// WHERE.
    Where,
    /// JOIN ... ON.
    Join,
    /// GROUP BY.
    GroupBy,
    /// HAVING.
    Having,
    /// ORDER BY.
    OrderBy,
    /// The argument of an aggregate.
    Aggregate,
    /// FILTER.
    Filter,
    /// The inside of a window definition or the argument of a window function.
    Window,
    /// LIMIT.
    Limit,
    /// OFFSET.
    Offset,
    /// VALUES.
    Values,
    /// The arguments of a function in FROM.
    From,
}

/// What a statement is bound against.
pub(super) struct Surroundings<'a> {
    /// The tables it names.
    pub(super) tables: &'a FoundTables,
    /// Functions of the session besides PostgreSQL's.
    pub(super) registered: Arc<Registered>,
    /// The session's state, for functions in FROM.
    pub(super) state: &'a SessionState,
    /// Where its tokens stand.
    pub(super) places: Places,
}

/// Binds one statement.
pub(super) struct Binder<'a> {
    /// The facts of the session and the types of the parameters.
    pub(super) typing: Typing,
    tables: &'a FoundTables,
    registered: Arc<Registered>,
    state: &'a SessionState,
    places: Places,
    /// The scopes of the queries around, the innermost last.
    scopes: Vec<Scope>,
    /// What their FROM holds so far.
    ranges: Ranges,
    ctes: Vec<Cte>,
    /// How often a relation's name has been given, to keep names in the plan unique.
    taken: HashMap<String, usize>,
    clause: Clause,
    /// The types of columns that values are made of, where they are not the values' own.
    forms: Forms,
    /// How deep in subqueries of expressions it is.
    subqueries: usize,
    /// The column that an error about grouping is about.
    ungrouped: Option<Ungrouped>,
    /// Where the arguments of GROUPING stand.
    grouping_places: Vec<(Expr, u32)>,
    /// The windows that the current select names.
    windows: Vec<(String, WindowSpec)>,
    /// The calls in the current select list that give rows.
    sets: Vec<SetColumn>,
}

impl<'a> Binder<'a> {
    /// A binder for a statement, with the types of its parameters as far as they were given.
    pub(super) fn new(facts: Arc<SessionFacts>, around: Surroundings<'a>, given: &[Option<PgType>]) -> Binder<'a> {
        Binder {
            typing: Typing::new(facts, given).with_functions(Arc::clone(&around.registered)),
            tables: around.tables,
            registered: around.registered,
            state: around.state,
            places: around.places,
            scopes: Vec::new(),
            ranges: Ranges::default(),
            ctes: Vec::new(),
            taken: HashMap::new(),
            clause: Clause::Select,
            forms: Forms::new(),
            subqueries: 0,
            ungrouped: None,
            grouping_places: Vec::new(),
            windows: Vec::new(),
            sets: Vec::new(),
        }
    }

    /// Binds the statement's query; literals that are still unknown become text.
    ///
    /// # Errors
    /// What PostgreSQL's analysis finds wrong, and `0A000` for what is not supported.
    pub(super) fn statement(&mut self, query: &Query) -> Result<Relation> {
        let relation = self.sorted_query(query)?;
        self.names_of_oids(relation)
    }

    /// A name for a relation in the plan that no other has.
    fn unique(&mut self, name: &str) -> String {
        let count = self.taken.entry(name.to_owned()).or_insert(0);
        *count += 1;
        if *count == 1 {
            return name.to_owned();
        }
        let candidate = format!("{name}_{}", *count);
        self.unique(&candidate)
    }

    /// Binds with another clause in force, and puts the old one back.
    fn within<T>(&mut self, clause: Clause, bind: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = std::mem::replace(&mut self.clause, clause);
        let result = bind(self);
        self.clause = before;
        result
    }

    /// The place of a syntax node in the message: characters from 1.
    #[allow(clippy::unused_self)]
    fn position(&self, node: &impl Spanned) -> Option<u32> {
        crate::sql::position(node.span())
    }

    /// The innermost scope.
    fn scope(&self) -> Result<&Scope> {
        self.scopes.last().ok_or_else(|| Error::internal("an expression was bound outside of any query"))
    }
}

/// A syntax that is known and not supported.
fn refuse<T>(what: &str) -> Result<T> {
    Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, crate::error::Fault::Client, format!("{what} is not supported")))
}
