//! The allow-list on statements that write.
//! Must not know: what exists, who asks.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, ObjectNamePart, Query, SetExpr,
    Spanned, Visit, Visitor,
};

use super::super::modify::is_default;
use super::super::modify::tree::{
    Action, Arbiter, Assignment, Body, Conflict, Filter, Modify, Place, Step, Then, WithItem, Writer, Writing,
};
use super::super::position;
use super::super::scope::parts;
use super::{Check, Stop, alias, at, joins, name, reads_only, refuse, select_item};
use crate::error::{Error, SqlState};

/// Checks a statement that writes. The command of what in it locks rows or makes a table, if something does.
///
/// # Errors
/// `42601` or `0A000` for a form that PostgreSQL does not have, or that Tusk does not know.
pub(in crate::sql) fn writing(writing: &Writing) -> Result<Option<&'static str>, Stop> {
    let mut check = Check { found: None };
    match whole(writing, &mut check) {
        ControlFlow::Break(stop) => Err(stop),
        ControlFlow::Continue(()) => Ok(check.found),
    }
}

fn whole(writing: &Writing, check: &mut Check) -> ControlFlow<Stop> {
    for item in writing.queries() {
        match item {
            WithItem::Query(cte) => reading(cte, check)?,
            WithItem::Modify(writer) => self::writer(writer, check)?,
        }
    }
    match &writing.body {
        Body::Query(query) => reading(query, check),
        Body::Modify(modify) => self::modify(modify, check),
    }
}

fn reading<T: Visit>(tree: &T, check: &mut Check) -> ControlFlow<Stop> {
    tree.visit(check)?;
    tree.visit(&mut Defaults { allowed: HashSet::new() })
}

fn writer(writer: &Writer, check: &mut Check) -> ControlFlow<Stop> {
    let named = &writer.alias.name;
    alias(Some(&writer.alias))?;
    if matches!(writer.modify.action, Action::Merge(_)) {
        // PostgreSQL 15; later versions allow it.
        return ControlFlow::Break(Stop::Error(at(Error::unsupported("MERGE not supported in WITH query"), named)));
    }
    modify(&writer.modify, check)
}

fn modify(modify: &Modify, check: &mut Check) -> ControlFlow<Stop> {
    frame(modify)?;
    modify.visit(check)?;
    modify.visit(&mut Defaults { allowed: allowed_defaults(modify) })
}

/// The statement itself.
fn frame(modify: &Modify) -> ControlFlow<Stop> {
    modify.with.iter().try_for_each(reads_only)?;
    let first = modify.name.0.first().and_then(ObjectNamePart::as_ident);
    first.into_iter().try_for_each(name)?;
    let written = parts(&modify.name);
    if let Some(first) = first.filter(|_| written.len() > 3) {
        let message = format!("improper qualified name (too many dotted names): {}", written.join("."));
        return ControlFlow::Break(Stop::Error(at(Error::client(SqlState::SYNTAX_ERROR, message), first)));
    }
    modify.alias.iter().try_for_each(name)?;
    modify.places().into_iter().try_for_each(place)?;
    modify.sources().iter().try_for_each(joins)?;
    modify.returning.iter().try_for_each(|item| select_item(item, item))?;
    match &modify.action {
        Action::Insert(insert) => insert.conflict.iter().try_for_each(conflict),
        Action::Update(update) => filter(update.filter.as_ref()),
        Action::Delete(delete) => filter(delete.filter.as_ref()),
        Action::Merge(merge) => {
            if let Some(by) = merge.whens.iter().find_map(|when| when.by.as_ref()) {
                return refused("MERGE ... WHEN NOT MATCHED BY", by);
            }
            match modify.returning.first() {
                Some(item) => refuse("RETURNING of MERGE", item),
                None => ControlFlow::Continue(()),
            }
        }
    }
}

fn refused(what: &str, ident: &Ident) -> ControlFlow<Stop> {
    ControlFlow::Break(Stop::Error(at(Error::unsupported(format!("{what} is not supported")), ident)))
}

fn place(place: &Place) -> ControlFlow<Stop> {
    name(&place.column)?;
    place.path.iter().try_for_each(|step| match step {
        Step::Field(field) => super::label(field),
        Step::Index(_) | Step::Slice(..) => ControlFlow::Continue(()),
    })
}

fn conflict(conflict: &Conflict) -> ControlFlow<Stop> {
    match &conflict.arbiter {
        Some(Arbiter::Index { keys, .. }) => match keys.iter().find_map(|key| key.class.as_ref()) {
            Some(class) => refused("an operator class in ON CONFLICT", class),
            None => ControlFlow::Continue(()),
        },
        Some(Arbiter::Constraint(constraint)) => name(constraint),
        None => ControlFlow::Continue(()),
    }
}

fn filter(filter: Option<&Filter>) -> ControlFlow<Stop> {
    match filter {
        Some(Filter::CurrentOf(cursor)) => name(cursor),
        Some(Filter::Where(_)) | None => ControlFlow::Continue(()),
    }
}

/// Finds a DEFAULT where there is none.
struct Defaults {
    allowed: HashSet<*const Expr>,
}

impl Visitor for Defaults {
    type Break = Stop;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Stop> {
        match expr {
            Expr::Identifier(ident) if is_default(ident) && !self.allowed.contains(&std::ptr::from_ref(expr)) => {
                let error = Error::client(SqlState::SYNTAX_ERROR, "DEFAULT is not allowed in this context");
                ControlFlow::Break(Stop::Error(error.with_position(position(expr.span()).unwrap_or(1))))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// The expressions that may be DEFAULT.
fn allowed_defaults(modify: &Modify) -> HashSet<*const Expr> {
    fn set(assignments: &[Assignment]) -> Vec<&Expr> {
        assignments
            .iter()
            .flat_map(|assignment| match row(assignment) {
                Some(fields) => fields,
                None if assignment.many => Vec::new(),
                None => vec![&assignment.value],
            })
            .collect()
    }
    let found: Vec<&Expr> = match &modify.action {
        Action::Insert(insert) => {
            let change = insert.conflict.as_ref().and_then(|conflict| conflict.update.as_ref());
            let rows = insert.source.iter().filter_map(|query| plain_values(query)).flatten().flatten();
            rows.chain(change.iter().flat_map(|change| set(&change.assignments))).collect()
        }
        Action::Update(update) => set(&update.assignments),
        Action::Delete(_) => Vec::new(),
        Action::Merge(merge) => merge
            .whens
            .iter()
            .flat_map(|when| match &when.then {
                Then::Update(assignments) => set(assignments),
                Then::Insert { values: Some(row), .. } => row.iter().collect(),
                _ => Vec::new(),
            })
            .collect(),
    };
    found.into_iter().map(|expr| std::ptr::from_ref(bare(expr))).collect()
}

fn bare(mut expr: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}

/// The rows of VALUES that is nothing but that.
pub(in crate::sql) fn plain_values(query: &Query) -> Option<Vec<&[Expr]>> {
    let alone = query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && query.locks.is_empty();
    match query.body.as_ref() {
        SetExpr::Values(values) if alone && !values.explicit_row && !values.value_keyword => {
            Some(values.rows.iter().map(|row| row.content.as_slice()).collect())
        }
        _ => None,
    }
}

/// The fields of the row that several columns are set to, if it is written out.
pub(in crate::sql) fn row(assignment: &Assignment) -> Option<Vec<&Expr>> {
    if !assignment.many {
        return None;
    }
    match bare(&assignment.value) {
        Expr::Tuple(fields) => Some(fields.iter().collect()),
        Expr::Function(Function { name, args: FunctionArguments::List(list), over: None, filter: None, .. })
            if is_row(name) && list.duplicate_treatment.is_none() && list.clauses.is_empty() =>
        {
            let field = |arg| match arg {
                &FunctionArg::Unnamed(FunctionArgExpr::Expr(ref expr)) => Some(expr),
                _ => None,
            };
            list.args.iter().map(field).collect()
        }
        _ => None,
    }
}

fn is_row(name: &ObjectName) -> bool {
    matches!(name.0.as_slice(), [ObjectNamePart::Identifier(ident)] if ident.quote_style.is_none() && ident.value == "row")
}
