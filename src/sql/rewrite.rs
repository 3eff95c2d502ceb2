//! PostgreSQL's forms become forms that DataFusion's binder takes, with the same meaning.
//! Must not know: what exists, how it runs.
//!
//! What becomes what:
//! * `OPERATOR(pg_catalog.x)` -> `x`; `~~`, `!~~`, `~~*`, `!~~*` -> LIKE and ILIKE; `LIKE ANY (array)` -> `~~ ANY (array)`.
//! * `pg_catalog.f(x)` -> `f(x)`; `pg_catalog.t` as a type -> `t`, built in where it is.
//! * `x::regclass` and its kin -> `pg_regclass_in(x)`; a cast of that to text -> `pg_regclass_out(pg_regclass_in(x))`.
//! * `type 'text'` -> a cast of the string. Bit strings are `0A000`.
//! * Every select item (also of sub-queries) that is no plain column gets PostgreSQL's name as its alias; a name that is
//!   there already gets [`DUPLICATE`] and a number behind it, as the binder refuses equal names. [`output_name`] takes
//!   that off again.
//! * A function in FROM gets PostgreSQL's column name.
//! * `ONLY t` is `0A000`: only a source knows the children of its tables.

mod expressions;
mod names;

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, LimitClause, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr, Statement as Tree,
    TableAlias, TableAliasColumnDef, TableFactor, Value, VisitMut, VisitorMut, WildcardAdditionalOptions,
};

use crate::error::{Error, Result};

use super::marks;
use super::position;
use super::scope::{folded, parts};

/// Parts a name from the number that makes it unique. No keyboard types it, and no source's column has it in practice;
/// a column that has it is shown cut there.
pub const DUPLICATE: char = '\u{241f}';

/// The types whose casts become calls: for `x` in here, `pg_x_in(text or oid)` gives the oid and `pg_x_out(oid)` its text.
pub const REG_TYPES: &[&str] = expressions::REG_TYPES;

pub(in crate::sql) use expressions::named_operator;

/// The name that PostgreSQL gives a select item without an alias.
pub(in crate::sql) fn item_name_of(expr: &Expr) -> String {
    names::of(expr)
}

/// A query as the binder takes it.
#[derive(Debug, Clone)]
pub struct Rewritten {
    /// The query.
    pub query: Box<Query>,
    /// The names of the output columns as clients see them. An entry `None` is a `*` that stands for any number of
    /// columns, whose names are those of the plan's schema (see [`output_name`]).
    pub output_names: Vec<Option<String>>,
}

impl Rewritten {
    /// The query as the statement that DataFusion's planner takes.
    #[must_use]
    pub fn into_tree(self) -> Tree {
        Tree::Query(self.query)
    }

    /// The names of all output columns, given those of the plan's schema. `None` if their numbers do not fit.
    #[must_use]
    pub fn names<'a>(&'a self, plan: &'a [String]) -> Vec<&'a str> {
        if self.output_names.len() == plan.len() && self.output_names.iter().all(Option::is_some) {
            return self.output_names.iter().flatten().map(String::as_str).collect();
        }
        plan.iter().map(|name| output_name(name)).collect()
    }
}

/// A column's name as clients see it: without what makes it unique.
#[must_use]
pub fn output_name(name: &str) -> &str {
    name.split(DUPLICATE).next().unwrap_or(name)
}

/// Rewrites a query for the binder.
///
/// # Errors
/// `0A000` for what has no equal there.
pub fn rewrite(mut query: Box<Query>) -> Result<Rewritten> {
    let output_names = output_names(&query.body);
    match query.visit(&mut Rewriter) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(Rewritten { query, output_names }),
    }
}

/// Rewrites a lone expression.
///
/// # Errors
/// As [`rewrite`].
pub fn rewrite_expression(mut expression: Expr) -> Result<Expr> {
    match expression.visit(&mut Rewriter) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(expression),
    }
}

/// The names that a query's columns have: those of its first SELECT.
fn output_names(body: &SetExpr) -> Vec<Option<String>> {
    let mut body = body;
    loop {
        body = match body {
            SetExpr::SetOperation { left, .. } => left,
            SetExpr::Query(query) => &query.body,
            SetExpr::Select(select) => return select.projection.iter().map(item_name).collect(),
            SetExpr::Values(values) => {
                let columns = values.rows.first().map_or(0, |row| row.content.len());
                return (1..=columns).map(|n| Some(format!("column{n}"))).collect();
            }
            _ => return Vec::new(),
        }
    }
}

/// The name of a select item; none for a `*`.
fn item_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(expr) => Some(names::of(expr)),
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        _ => None,
    }
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let clauses = query.with.iter().flat_map(|with| &with.cte_tables).find_map(|cte| cte.from.clone());
        if let Some(clauses) = clauses {
            return ControlFlow::Break(unsupported("SEARCH or CYCLE", &ObjectName::from(vec![clauses])));
        }
        if query.fetch.as_ref().is_some_and(|fetch| fetch.with_ties) {
            return ControlFlow::Break(Error::unsupported("FETCH ... WITH TIES is not supported"));
        }
        limit(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        name_items(&mut select.projection);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        if let Some(left_out) = marks::exclusion(expr) {
            return ControlFlow::Break(unsupported("EXCLUDE", &ObjectName::from(vec![left_out.clone()])));
        }
        match expressions::rewrite(expr) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        match factor {
            // Whether a table has children is a matter of its source.
            TableFactor::Table { name, .. } if marks::only(name) => {
                return ControlFlow::Break(unsupported("ONLY", name));
            }
            TableFactor::Table { name, .. } | TableFactor::Function { name, .. } if marks::rows_from(name) => {
                return ControlFlow::Break(unsupported("ROWS FROM", name));
            }
            TableFactor::Table { name, args: Some(_), alias, with_ordinality, .. }
            | TableFactor::Function { name, alias, with_ordinality, .. } => {
                expressions::strip_catalog(name);
                for column in alias.iter_mut().flat_map(|alias| &mut alias.columns) {
                    column.data_type = column.data_type.as_ref().map(expressions::plain_type);
                }
                name_function(name, alias, *with_ordinality);
            }
            TableFactor::UNNEST { alias, with_ordinality, array_exprs, .. } if array_exprs.len() == 1 => {
                name_function(&ObjectName::from(vec![Ident::new("unnest")]), alias, *with_ordinality);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// What stands before, or for, a name.
fn unsupported(what: &str, name: &ObjectName) -> Error {
    let place = name.0.first().and_then(ObjectNamePart::as_ident).and_then(|ident| position(ident.span));
    let error = Error::unsupported(format!("{what} is not supported"));
    match place {
        Some(place) => error.with_position(place),
        None => error,
    }
}

/// `FETCH FIRST n ROWS ONLY` is `LIMIT n`; `LIMIT NULL` is none.
fn limit(query: &mut Query) {
    if let Some(fetch) = query.fetch.take() {
        let one = || Expr::Value(Value::Number("1".to_owned(), false).into());
        let rows = Some(fetch.quantity.unwrap_or_else(one));
        match &mut query.limit_clause {
            Some(LimitClause::LimitOffset { limit, .. }) => *limit = rows,
            clause => *clause = Some(LimitClause::LimitOffset { limit: rows, offset: None, limit_by: Vec::new() }),
        }
    }
    if let Some(LimitClause::LimitOffset { limit, .. }) = &mut query.limit_clause
        && matches!(limit, Some(Expr::Value(value)) if value.value == Value::Null)
    {
        *limit = None;
    }
}

/// An identifier in double quotes.
fn quoted(name: &str, like: Option<&Ident>) -> Ident {
    let mut ident = Ident::with_quote('"', name);
    if let Some(like) = like {
        ident.span = like.span;
    }
    ident
}

/// The names that the items of one select list have got.
#[derive(Default)]
struct Taken {
    /// As aliases and plain columns.
    plain: HashSet<String>,
    /// By columns with their table, which keep it in the plan: `a.id` and `b.id` are not equal there, but `id` is to both.
    qualified: HashSet<String>,
    /// Those columns in full.
    columns: HashSet<Vec<String>>,
}

impl Taken {
    fn has(&self, name: &str) -> bool {
        self.plain.contains(name) || self.qualified.contains(name)
    }

    /// A name that is free, from `start` (1: as it is) on, and from now on taken.
    fn unique(&mut self, name: &str, start: u32) -> String {
        let numbered = |number: u32| if number < 2 { name.to_owned() } else { format!("{name}{DUPLICATE}{number}") };
        let mut number = start;
        while self.has(&numbered(number)) {
            number += 1;
        }
        self.plain.insert(numbered(number));
        numbered(number)
    }
}

/// Gives items PostgreSQL's names, each name once.
fn name_items(items: &mut [SelectItem]) {
    let mut taken = Taken::default();
    let star = items.iter().any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
    for item in items.iter_mut() {
        let Some(name) = item_name(item) else { continue };
        let mut start = 1;
        match item {
            // A column beside a `*` is there twice.
            SelectItem::UnnamedExpr(Expr::Identifier(_) | Expr::CompoundIdentifier(_)) if star => start = 2,
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(idents)) => {
                let column: Vec<String> = idents.iter().map(folded).collect();
                if !taken.plain.contains(&name) && taken.columns.insert(column) {
                    taken.qualified.insert(name);
                    continue;
                }
            }
            SelectItem::UnnamedExpr(Expr::Identifier(_)) if !taken.has(&name) => {
                taken.plain.insert(name);
                continue;
            }
            _ => {}
        }
        alias_item(item, &taken.unique(&name, start));
    }
}

fn alias_item(item: &mut SelectItem, name: &str) {
    let old = std::mem::replace(item, SelectItem::Wildcard(WildcardAdditionalOptions::default()));
    *item = match old {
        SelectItem::UnnamedExpr(expr) => SelectItem::ExprWithAlias { expr, alias: quoted(name, None) },
        SelectItem::ExprWithAlias { expr, alias } => {
            SelectItem::ExprWithAlias { expr, alias: quoted(name, Some(&alias)) }
        }
        other => other,
    };
}

/// Functions in FROM whose row has columns of its own; the others have one, named after the alias or the function.
const COMPOSITE: &[&str] = &[
    "_pg_expandarray",
    "aclexplode",
    "json_array_elements",
    "json_array_elements_text",
    "json_each",
    "json_each_text",
    "json_populate_record",
    "json_populate_recordset",
    "json_to_record",
    "json_to_recordset",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
    "jsonb_each",
    "jsonb_each_text",
    "jsonb_populate_record",
    "jsonb_populate_recordset",
    "jsonb_to_record",
    "jsonb_to_recordset",
    "parse_ident",
    "pg_available_extension_versions",
    "pg_available_extensions",
    "pg_control_system",
    "pg_cursor",
    "pg_get_catalog_foreign_keys",
    "pg_get_keywords",
    "pg_get_object_address",
    "pg_hba_file_rules",
    "pg_identify_object",
    "pg_identify_object_as_address",
    "pg_lock_status",
    "pg_ls_dir",
    "pg_options_to_table",
    "pg_partition_ancestors",
    "pg_partition_tree",
    "pg_prepared_statement",
    "pg_prepared_xact",
    "pg_sequence_parameters",
    "pg_show_all_file_settings",
    "pg_show_all_settings",
    "pg_stat_file",
    "pg_stat_get_activity",
    "pg_timezone_abbrevs",
    "pg_timezone_names",
    "ts_debug",
    "ts_parse",
    "ts_stat",
    "ts_token_type",
];

/// A function in FROM: `f(x)` is `f(x) AS f(f)`, `f(x) g` is `f(x) AS g(g)`.
fn name_function(function: &ObjectName, alias: &mut Option<TableAlias>, ordinality: bool) {
    let Some(name) = parts(function).pop() else { return };
    if COMPOSITE.contains(&name.as_str()) {
        return;
    }
    let table =
        alias.as_ref().map_or_else(|| quoted(&name, None), |alias| quoted(&folded(&alias.name), Some(&alias.name)));
    let given = alias.take().map(|alias| alias.columns).unwrap_or_default();
    let mut columns = given;
    let column = |ident: Ident| TableAliasColumnDef { name: ident, data_type: None };
    if columns.is_empty() {
        columns.push(column(quoted(&table.value, None)));
    }
    if ordinality && columns.len() == 1 {
        columns.push(column(quoted("ordinality", None)));
    }
    *alias = Some(TableAlias { explicit: true, name: table, columns, at: None });
}

#[cfg(test)]
mod tests;
