//! The allow-list on the parsed tree: what is PostgreSQL's and only reads passes, anything else is refused.
//! Must not know: what exists, who asks.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, CastKind, CeilFloorKind, Distinct, Expr, Function, FunctionArg, FunctionArgumentClause, FunctionArguments,
    GroupByExpr, Ident, JoinConstraint, JoinOperator, LimitClause, LockClause, ObjectNamePart, Query, Select,
    SelectFlavor, SelectItem, SetExpr, SetOperator, SetQuantifier, Spanned, TableAlias, TableFactor, TableWithJoins,
    Value, ValueWithSpan, Visit, Visitor, With,
};

use crate::error::{Error, SqlState};

use super::keywords::is_reserved;
use super::locks::Lock;
use super::marks;
use super::position;
use super::sample::sampled;

mod modify;

pub(super) use modify::{plain_values, row, writing};

/// Why a tree is refused.
pub(super) enum Stop {
    /// With this error.
    Error(Error),
    /// With this error, about the query in parentheses that begins before this position.
    NoAlias(Error, u32),
    /// As a syntax error at the lexeme at this position.
    SyntaxAt(u32),
    /// As a syntax error at the first lexeme from this position on.
    SyntaxAfter(u32),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Error(error)
    }
}

/// Checks a query. The command of what in it locks rows or makes a table, if something does.
///
/// # Errors
/// `42601` or `0A000` for a form that PostgreSQL does not have, or that Tusk does not know.
pub(super) fn query(query: &Query) -> Result<Option<&'static str>, Stop> {
    let mut check = Check { found: None };
    match query.visit(&mut check) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(check.found),
    }
}

/// PostgreSQL's error for what writes in the WITH of anything but a whole statement.
pub(super) fn writes_below() -> Error {
    Error::unsupported("WITH clause containing a data-modifying statement must be at the top level")
}

/// The queries of a WITH that is not a whole statement's.
fn reads_only(with: &With) -> ControlFlow<Stop> {
    let writer = with.cte_tables.iter().find(|cte| writes(&cte.query.body));
    match writer {
        Some(cte) => ControlFlow::Break(Stop::Error(at(writes_below(), &cte.alias.name))),
        None => ControlFlow::Continue(()),
    }
}

fn writes(body: &SetExpr) -> bool {
    matches!(body, SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_))
}

/// An error about a name.
fn at(error: Error, ident: &Ident) -> Error {
    match position(ident.span) {
        Some(position) => error.with_position(position),
        None => error,
    }
}

/// Checks an expression that stands alone.
pub(super) fn expression(expression: &Expr) -> Result<(), Stop> {
    let mut check = Check { found: None };
    match expression.visit(&mut check) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Check {
    /// The command of the first that locks rows or makes a table.
    found: Option<&'static str>,
}

fn refuse<T: Spanned>(what: &str, node: &T) -> ControlFlow<Stop> {
    let error = Error::client(SqlState::FEATURE_NOT_SUPPORTED, format!("{what} is not supported"));
    ControlFlow::Break(Stop::Error(match position(node.span()) {
        Some(position) => error.with_position(position),
        None => error,
    }))
}

/// A word that PostgreSQL reserves, or a string, where a name must stand.
fn name(ident: &Ident) -> ControlFlow<Stop> {
    let wrong = match ident.quote_style {
        _ if marks::are_clauses(ident.span) => true,
        None => is_reserved(&ident.value),
        Some('"') => false,
        Some(_) => true,
    };
    match position(ident.span) {
        _ if !wrong => ControlFlow::Continue(()),
        Some(position) => ControlFlow::Break(Stop::SyntaxAt(position)),
        None => ControlFlow::Break(Stop::Error(Error::client(
            SqlState::SYNTAX_ERROR,
            format!("syntax error at or near \"'{}'\"", ident.value),
        ))),
    }
}

/// A name that is no table's.
fn column(ident: &Ident) -> ControlFlow<Stop> {
    match position(ident.span) {
        Some(position) if marks::is_only(ident) => ControlFlow::Break(Stop::SyntaxAt(position)),
        _ => name(ident),
    }
}

/// Behind AS any word may stand, but no string.
fn label(ident: &Ident) -> ControlFlow<Stop> {
    if ident.quote_style.is_none() { ControlFlow::Continue(()) } else { name(ident) }
}

fn alias(alias: Option<&TableAlias>) -> ControlFlow<Stop> {
    let Some(alias) = alias else { return ControlFlow::Continue(()) };
    name(&alias.name)?;
    alias.columns.iter().try_for_each(|column| name(&column.name))
}

/// Types stand behind all columns of a function or behind none, and behind the columns of nothing else.
fn column_types(alias: Option<&TableAlias>, function: bool) -> ControlFlow<Stop> {
    let Some(alias) = alias else { return ControlFlow::Continue(()) };
    let typed = function && alias.columns.first().is_some_and(|column| column.data_type.is_some());
    match alias.columns.iter().find(|column| column.data_type.is_some() != typed) {
        None => ControlFlow::Continue(()),
        Some(column) => {
            let end = u32::try_from(column.name.span.end.column).unwrap_or(1);
            ControlFlow::Break(Stop::SyntaxAfter(end))
        }
    }
}

impl Check {
    /// The first tag stays.
    fn locks(&mut self, tag: &'static str) {
        self.found = self.found.or(Some(tag));
    }

    fn lock(&mut self, clause: &LockClause) -> ControlFlow<Stop> {
        let lock = Lock::of(clause);
        if let Some(name) = lock.qualified {
            let message = format!("{} must specify unqualified relation names", lock.strength.words());
            return ControlFlow::Break(Stop::Error(at(Error::client(SqlState::SYNTAX_ERROR, message), name)));
        }
        self.locks(lock.strength.tag());
        ControlFlow::Continue(())
    }

    fn set_expression(&mut self, body: &SetExpr) -> ControlFlow<Stop> {
        match body {
            SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Table(_) => {}
            SetExpr::Values(values) => {
                if values.value_keyword || values.rows.is_empty() {
                    return refuse("this form of VALUES", body);
                }
            }
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let known = matches!(op, SetOperator::Union | SetOperator::Except | SetOperator::Intersect)
                    && matches!(set_quantifier, SetQuantifier::All | SetQuantifier::Distinct | SetQuantifier::None);
                if !known {
                    return refuse("this set operation", body);
                }
                self.set_expression(left)?;
                self.set_expression(right)?;
            }
            // Where a query must stand, PostgreSQL takes the verb for a name.
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                return match position(body.span()) {
                    Some(verb) => ControlFlow::Break(Stop::SyntaxAfter(verb + 1)),
                    None => refuse("a data-modifying statement in a query", body),
                };
            }
        }
        ControlFlow::Continue(())
    }

    fn function(&mut self, function: &Function, expr: &Expr) -> ControlFlow<Stop> {
        if function.uses_odbc_syntax
            || function.null_treatment.is_some()
            || !matches!(function.parameters, FunctionArguments::None)
        {
            return refuse("this form of function call", expr);
        }
        let FunctionArguments::List(list) = &function.args else { return ControlFlow::Continue(()) };
        if list.clauses.iter().any(|clause| !matches!(clause, FunctionArgumentClause::OrderBy(_))) {
            return refuse("this form of function call", expr);
        }
        if list.args.iter().any(|arg| matches!(arg, FunctionArg::ExprNamed { .. })) {
            return refuse("this form of argument", expr);
        }
        ControlFlow::Continue(())
    }
}

impl Visitor for Check {
    type Break = Stop;

    fn pre_visit_statement(&mut self, _: &ast::Statement) -> ControlFlow<Stop> {
        // A statement within a query can only be a write: the query around it tells.
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Stop> {
        if query.for_clause.is_some()
            || query.settings.is_some()
            || query.format_clause.is_some()
            || !query.pipe_operators.is_empty()
        {
            return refuse("this clause", query);
        }
        match &query.limit_clause {
            Some(LimitClause::LimitOffset { limit_by, .. }) if !limit_by.is_empty() => {
                return refuse("LIMIT BY", query);
            }
            Some(LimitClause::OffsetCommaLimit { .. }) => return refuse("LIMIT #,#", query),
            _ => {}
        }
        if query.fetch.as_ref().is_some_and(|fetch| fetch.percent) {
            return refuse("FETCH ... PERCENT", query);
        }
        query.with.iter().try_for_each(reads_only)?;
        query.locks.iter().try_for_each(|lock| self.lock(lock))?;
        self.set_expression(&query.body)
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Stop> {
        let group_modifiers = match &select.group_by {
            GroupByExpr::All(_) => true,
            GroupByExpr::Expressions(_, modifiers) => !modifiers.is_empty(),
        };
        if select.top.is_some()
            || select.select_modifiers.is_some()
            || select.exclude.is_some()
            || !select.lateral_views.is_empty()
            || select.prewhere.is_some()
            || !select.connect_by.is_empty()
            || !select.cluster_by.is_empty()
            || !select.distribute_by.is_empty()
            || !select.sort_by.is_empty()
            || select.qualify.is_some()
            || select.value_table_mode.is_some()
            || select.flavor != SelectFlavor::Standard
            || matches!(select.distinct, Some(Distinct::All) if select.projection.is_empty())
            || group_modifiers
        {
            return refuse("this clause", select);
        }
        select.projection.iter().try_for_each(|item| select_item(item, select))?;
        if select.into.is_some() {
            self.locks("SELECT INTO");
        }
        select.from.iter().try_for_each(joins)
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Stop> {
        match factor {
            TableFactor::Table { name: table, alias: given, args, .. } => {
                table.0.iter().take(1).filter_map(ObjectNamePart::as_ident).try_for_each(name)?;
                alias(given.as_ref())?;
                column_types(given.as_ref(), args.is_some())?;
            }
            TableFactor::Derived { alias: given, .. } => {
                alias(given.as_ref())?;
                column_types(given.as_ref(), false)?;
            }
            TableFactor::Function { alias: given, .. } | TableFactor::UNNEST { alias: given, .. } => {
                alias(given.as_ref())?;
                column_types(given.as_ref(), true)?;
            }
            _ => {}
        }
        match factor {
            TableFactor::Table { name, args: Some(_), .. } if marks::only(name) => refuse("ONLY before this", factor),
            TableFactor::Table { with_hints, version, partitions, json_path, sample, index_hints, .. } => {
                if !with_hints.is_empty()
                    || version.is_some()
                    || !partitions.is_empty()
                    || json_path.is_some()
                    || !index_hints.is_empty()
                {
                    return refuse("this form of table", factor);
                }
                let known = sample.as_ref().is_none_or(|kind| sampled(kind).is_some());
                if known { ControlFlow::Continue(()) } else { refuse("this form of TABLESAMPLE", factor) }
            }
            TableFactor::Derived { subquery, alias, sample, .. } => {
                if sample.is_some() {
                    return refuse("TABLESAMPLE", factor);
                }
                if alias.is_none() {
                    // PostgreSQL 15; later versions allow it.
                    let what = if matches!(*subquery.body, SetExpr::Values(_)) { "VALUES" } else { "subquery" };
                    let error = Error::client(SqlState::SYNTAX_ERROR, format!("{what} in FROM must have an alias"))
                        .with_hint(if what == "VALUES" {
                            "For example, FROM (VALUES ...) [AS] foo."
                        } else {
                            "For example, FROM (SELECT ...) [AS] foo."
                        });
                    let inside = position(subquery.body.span()).map_or(1, |position| position + 1);
                    return ControlFlow::Break(Stop::NoAlias(error, inside));
                }
                ControlFlow::Continue(())
            }
            TableFactor::Function { .. } => ControlFlow::Continue(()),
            TableFactor::NestedJoin { table_with_joins, alias: factor_alias } => {
                alias(factor_alias.as_ref())?;
                joins(table_with_joins)
            }
            TableFactor::UNNEST { with_offset: false, .. } => ControlFlow::Continue(()),
            _ => refuse("this form of table", factor),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Stop> {
        match expr {
            Expr::Identifier(ident) if !is_value_word(ident) => column(ident),
            Expr::CompoundIdentifier(idents) => idents.iter().take(1).try_for_each(column),
            Expr::Function(function) if marks::only(&function.name) => refuse("ONLY before this", expr),
            Expr::Function(function) => self.function(function, expr),
            Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, array: false, format: None, .. } => {
                ControlFlow::Continue(())
            }
            Expr::Ceil { field, .. } | Expr::Floor { field, .. } => match field {
                CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime) => ControlFlow::Continue(()),
                _ => refuse("this form of function call", expr),
            },
            // The name of a type stands before a string, and nothing else.
            Expr::TypedString(typed) => text(&typed.value),
            Expr::Interval(interval) => match &*interval.value {
                Expr::Value(value) => text(value),
                other => not_here(other),
            },
            expr if is_postgres(expr) => ControlFlow::Continue(()),
            _ => refuse("this form of expression", expr),
        }
    }
}

/// An item of SELECT or RETURNING.
fn select_item<T: Spanned>(item: &SelectItem, around: &T) -> ControlFlow<Stop> {
    let options = match item {
        SelectItem::UnnamedExpr(_) => return ControlFlow::Continue(()),
        SelectItem::ExprWithAlias { alias, .. } => return label(alias),
        SelectItem::ExprWithAliases { .. } => return refuse("this form of alias", around),
        SelectItem::QualifiedWildcard(_, options) | SelectItem::Wildcard(options) => options,
    };
    if options.opt_ilike.is_some()
        || options.opt_exclude.is_some()
        || options.opt_except.is_some()
        || options.opt_replace.is_some()
        || options.opt_rename.is_some()
        || options.opt_alias.is_some()
    {
        return refuse("this form of *", around);
    }
    ControlFlow::Continue(())
}

/// A string, where nothing else may stand.
fn text(value: &ValueWithSpan) -> ControlFlow<Stop> {
    if matches!(value.value, Value::SingleQuotedString(_)) { ControlFlow::Continue(()) } else { not_here(value) }
}

/// What may not stand where it does.
fn not_here<T: Spanned>(node: &T) -> ControlFlow<Stop> {
    match position(node.span()) {
        Some(position) => ControlFlow::Break(Stop::SyntaxAt(position)),
        None => refuse("this form of expression", node),
    }
}

/// Words that are calls without parentheses, which sqlparser takes for names.
fn is_value_word(ident: &Ident) -> bool {
    ident.quote_style.is_none() && matches!(ident.value.as_str(), "current_role" | "default")
}

/// Expressions that PostgreSQL has in every form that sqlparser gives them.
fn is_postgres(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Identifier(_)
            | Expr::CompoundFieldAccess { .. }
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotUnknown(_)
            | Expr::IsDistinctFrom(..)
            | Expr::IsNotDistinctFrom(..)
            | Expr::IsNormalized { .. }
            | Expr::InList { .. }
            | Expr::InSubquery { .. }
            | Expr::Between { .. }
            | Expr::BinaryOp { .. }
            | Expr::Like { .. }
            | Expr::ILike { .. }
            | Expr::SimilarTo { .. }
            | Expr::AnyOp { .. }
            | Expr::AllOp { .. }
            | Expr::UnaryOp { .. }
            | Expr::AtTimeZone { .. }
            | Expr::Extract { .. }
            | Expr::Position { .. }
            | Expr::Substring { .. }
            | Expr::Overlay { .. }
            | Expr::Collate { .. }
            | Expr::Nested(_)
            | Expr::Value(_)
            | Expr::Case { .. }
            | Expr::Exists { .. }
            | Expr::Subquery(_)
            | Expr::GroupingSets(_)
            | Expr::Cube(_)
            | Expr::Rollup(_)
            | Expr::Tuple(_)
            | Expr::Array(_)
            | Expr::Wildcard(_)
            | Expr::QualifiedWildcard(..)
    )
}

/// PostgreSQL wants a condition for every join but CROSS and NATURAL ones.
fn joins(table: &TableWithJoins) -> ControlFlow<Stop> {
    use JoinOperator as Join;
    for join in &table.joins {
        let constraint = match &join.join_operator {
            Join::Join(c)
            | Join::Inner(c)
            | Join::Left(c)
            | Join::LeftOuter(c)
            | Join::Right(c)
            | Join::RightOuter(c)
            | Join::FullOuter(c) => c,
            Join::CrossJoin(JoinConstraint::None) => continue,
            _ => return refuse("this form of join", &join.relation),
        };
        if matches!(constraint, JoinConstraint::None) {
            // The condition is missed where the joined table ends.
            let end = u32::try_from(join.relation.span().end.column).unwrap_or(1);
            return ControlFlow::Break(Stop::SyntaxAfter(end));
        }
    }
    ControlFlow::Continue(())
}
