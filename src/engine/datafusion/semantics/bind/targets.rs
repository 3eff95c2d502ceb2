//! The select list: stars, names of output columns.
//! Must not know: what expressions mean.

use crate::sql::ast::{
    AccessExpr, Expr as Ast, Function, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, Subscript,
    WildcardAdditionalOptions,
};

use super::super::coerce::AtPosition;
use super::super::value::Bound;
use super::from::{ident, parts};
use super::scope::{Col, column_expr};
use super::{Binder, Clause, Output, refuse};
use crate::error::{Error, Result, SqlState};
use crate::sql::rewrite::DUPLICATE;

/// A column of the select list, or one that only ORDER BY needs.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// The visible name.
    pub(super) name: String,
    /// Its value.
    pub(super) value: Bound,
}

/// The name PostgreSQL gives to a column that has none.
const NO_NAME: &str = "?column?";

impl Binder<'_> {
    /// Binds a select list.
    pub(super) fn targets(&mut self, items: &[SelectItem]) -> Result<Vec<Target>> {
        let mut targets = Vec::new();
        for item in items {
            match item {
                SelectItem::UnnamedExpr(ast) => {
                    let value = self.within(Clause::Select, |binder| binder.expr(ast))?;
                    targets.push(Target { name: column_name(ast).0, value });
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    let value = self.within(Clause::Select, |binder| binder.expr(expr))?;
                    let mut name = ident(alias);
                    // The rewriting of forms numbers names that stand twice; here they may.
                    if let Some(end) = name.find(DUPLICATE) {
                        name.truncate(end);
                    }
                    targets.push(Target { name, value });
                }
                SelectItem::Wildcard(options) => {
                    refuse_options(options)?;
                    let scope = self.scope()?;
                    if scope.tables.is_empty() {
                        return Err(Error::client(
                            SqlState::SYNTAX_ERROR,
                            "SELECT * with no tables specified is not valid",
                        )
                        .with_position_if(self.position(item)));
                    }
                    targets.extend(scope.columns.iter().map(star));
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                    refuse_options(options)?;
                    let mut names = parts(name)?;
                    let table = names.pop().unwrap_or_default();
                    let schema = names.pop();
                    let Some(found) = self.scope()?.table(schema.as_deref(), &table)? else {
                        let missing = self.missing_table(schema.as_deref(), &table);
                        return Err(missing.with_position_if(self.position(name)));
                    };
                    targets.extend(found.columns.iter().map(star));
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(ast), options) => {
                    refuse_options(options)?;
                    let record = self.within(Clause::Select, |binder| binder.expr(ast))?;
                    let fields = self.record_fields(&record, self.position(ast))?;
                    targets.extend(fields.into_iter().map(|(name, value)| Target { name, value }));
                }
                _ => return refuse("this form of select list"),
            }
        }
        Ok(targets)
    }
}

fn star(col: &Col) -> Target {
    Target { name: col.name.clone(), value: col.value.clone() }
}

fn refuse_options(options: &WildcardAdditionalOptions) -> Result<()> {
    let odd = options.opt_ilike.is_some()
        || options.opt_exclude.is_some()
        || options.opt_except.is_some()
        || options.opt_replace.is_some()
        || options.opt_rename.is_some()
        || options.opt_alias.is_some();
    if odd {
        return Err(Error::client(SqlState::SYNTAX_ERROR, "syntax error after \"*\""));
    }
    Ok(())
}

/// Internal names for a select list: the visible ones, made unique.
pub(super) fn unique_names(targets: &[Target]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(targets.len());
    let mut taken: std::collections::HashSet<String> = std::collections::HashSet::new();
    for target in targets {
        let mut name = target.name.clone();
        let mut count = 1;
        while !taken.insert(name.clone()) || (count > 1 && targets.iter().any(|other| other.name == name)) {
            count += 1;
            name = format!("{}_{count}", target.name);
        }
        names.push(name);
    }
    names
}

/// The columns that a projection of these targets gives. A literal of unknown type stays a literal.
pub(super) fn outputs(targets: Vec<Target>, names: &[String]) -> Vec<Output> {
    targets
        .into_iter()
        .zip(names)
        .map(|(target, name)| {
            let expr = if target.value.unknown.is_some() { target.value.expr.clone() } else { column_expr(None, name) };
            let collation = target.value.collation.of_a_column();
            Output { name: target.name, value: Bound { expr, scaled: None, collation, ..target.value } }
        })
        .collect()
}

/// The name PostgreSQL gives to an expression without alias, and how sure it is of it (0 none, 1 a type's name, 2 a good one).
fn column_name(ast: &Ast) -> (String, u8) {
    let good = |name: &str| (name.to_owned(), 2);
    match ast {
        Ast::Identifier(name) => (ident(name), 2),
        Ast::CompoundIdentifier(names) => names.last().map_or((NO_NAME.to_owned(), 0), |name| (ident(name), 2)),
        Ast::CompoundFieldAccess { root, access_chain } => match access_chain.last() {
            Some(AccessExpr::Subscript(Subscript::Index { .. } | Subscript::Slice { .. })) | None => column_name(root),
            Some(AccessExpr::Dot(field)) => column_name(field),
        },
        Ast::Nested(inner) | Ast::Collate { expr: inner, .. } => column_name(inner),
        Ast::Function(function) => (function_name(function), 2),
        Ast::Cast { expr, data_type, .. } => match column_name(expr) {
            (name, 2) => (name, 2),
            _ => (super::type_name::catalog_name(data_type), 1),
        },
        Ast::TypedString(typed) => (super::type_name::catalog_name(&typed.data_type), 1),
        Ast::Interval(_) => ("interval".to_owned(), 1),
        Ast::Case { else_result, .. } => match else_result.as_deref().map(column_name) {
            Some((name, 2)) => (name, 2),
            _ => ("case".to_owned(), 1),
        },
        Ast::Exists { negated: false, .. } => good("exists"),
        Ast::Subquery(query) => subquery_name(&query.body),
        Ast::Extract { .. } => good("extract"),
        Ast::Ceil { .. } => good("ceil"),
        Ast::Floor { .. } => good("floor"),
        Ast::Position { .. } => good("position"),
        Ast::Substring { .. } => good("substring"),
        Ast::Overlay { .. } => good("overlay"),
        Ast::Trim { trim_where, .. } => good(match trim_where {
            Some(crate::sql::ast::TrimWhereField::Leading) => "ltrim",
            Some(crate::sql::ast::TrimWhereField::Trailing) => "rtrim",
            _ => "btrim",
        }),
        Ast::AtTimeZone { .. } => good("timezone"),
        Ast::IsNormalized { negated: false, .. } => good("is_normalized"),
        Ast::Array(_) => good("array"),
        Ast::Tuple(_) => good("row"),
        _ => (NO_NAME.to_owned(), 0),
    }
}

fn function_name(function: &Function) -> String {
    parts(&function.name).ok().and_then(|mut names| names.pop()).unwrap_or_else(|| NO_NAME.to_owned())
}

fn subquery_name(body: &SetExpr) -> (String, u8) {
    match body {
        SetExpr::Select(select) => match select.projection.first() {
            Some(SelectItem::UnnamedExpr(ast)) => column_name(ast),
            Some(SelectItem::ExprWithAlias { alias, .. }) => (ident(alias), 2),
            _ => (NO_NAME.to_owned(), 0),
        },
        SetExpr::Query(query) => subquery_name(&query.body),
        SetExpr::Values(_) => ("column1".to_owned(), 2),
        SetExpr::SetOperation { left, .. } => subquery_name(left),
        _ => (NO_NAME.to_owned(), 0),
    }
}
