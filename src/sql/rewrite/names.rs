//! The name that PostgreSQL gives a select item without an alias.
//! Must not know: the binder.

use datafusion::sql::sqlparser::ast::{AccessExpr, DataType, Expr, Query, SelectItem, SetExpr, TrimWhereField};

use super::super::scope::{folded, parts};
use super::super::type_name::type_name;

/// PostgreSQL's name for an expression: `?column?` if nothing in it suggests one.
pub(super) fn of(expr: &Expr) -> String {
    suggestion(expr).map_or_else(|| "?column?".to_owned(), |suggestion| suggestion.name)
}

/// A name, and whether it is strong: a cast or CASE around a weak one gives its own.
struct Suggestion {
    name: String,
    strong: bool,
}

fn strong(name: impl Into<String>) -> Option<Suggestion> {
    Some(Suggestion { name: name.into(), strong: true })
}

fn weak(name: impl Into<String>) -> Option<Suggestion> {
    Some(Suggestion { name: name.into(), strong: false })
}

/// PostgreSQL's FigureColname.
fn suggestion(expr: &Expr) -> Option<Suggestion> {
    match expr {
        Expr::Identifier(ident) => strong(folded(ident)),
        Expr::CompoundIdentifier(idents) => idents.last().and_then(|ident| strong(folded(ident))),
        Expr::CompoundFieldAccess { root, access_chain } => access(root, access_chain),
        Expr::Nested(inner) => suggestion(inner),
        Expr::Collate { expr, .. } => suggestion(expr),
        Expr::Cast { expr, data_type, .. } => cast(suggestion(expr), data_type),
        Expr::TypedString(typed) => cast(None, &typed.data_type),
        Expr::Interval(_) => weak("interval"),
        Expr::Case { else_result, .. } => match else_result.as_deref().and_then(suggestion) {
            Some(found) if found.strong => Some(found),
            _ => weak("case"),
        },
        Expr::Function(function) => strong(parts(&function.name).pop()?),
        Expr::Extract { .. } => strong("extract"),
        Expr::Position { .. } => strong("position"),
        Expr::Substring { shorthand, .. } => strong(if *shorthand { "substr" } else { "substring" }),
        Expr::Overlay { .. } => strong("overlay"),
        Expr::Ceil { .. } => strong("ceil"),
        Expr::Floor { .. } => strong("floor"),
        Expr::AtTimeZone { .. } => strong("timezone"),
        Expr::IsNormalized { negated: false, .. } => strong("is_normalized"),
        Expr::Trim { trim_where, .. } => strong(match trim_where {
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
            _ => "btrim",
        }),
        Expr::BinaryOp { op: datafusion::sql::sqlparser::ast::BinaryOperator::Overlaps, .. } => strong("overlaps"),
        Expr::Exists { negated: false, .. } => strong("exists"),
        Expr::Array(_) => strong("array"),
        Expr::Tuple(_) => strong("row"),
        Expr::Subquery(query) => strong(of_query(query)),
        _ => None,
    }
}

fn access(root: &Expr, chain: &[AccessExpr]) -> Option<Suggestion> {
    let field = chain.iter().rev().find_map(|access| match access {
        AccessExpr::Dot(Expr::Identifier(ident)) => Some(folded(ident)),
        _ => None,
    });
    match field {
        Some(field) => strong(field),
        None => suggestion(root),
    }
}

fn cast(inner: Option<Suggestion>, data_type: &DataType) -> Option<Suggestion> {
    match inner {
        Some(found) if found.strong => Some(found),
        other => type_name(data_type).map(|name| Suggestion { name: name.name, strong: false }).or(other),
    }
}

/// The name of a scalar sub-query's column.
fn of_query(query: &Query) -> String {
    let mut body = &query.body;
    loop {
        body = match body.as_ref() {
            SetExpr::SetOperation { left, .. } => left,
            SetExpr::Query(query) => &query.body,
            SetExpr::Select(select) => {
                return match select.projection.first() {
                    Some(SelectItem::UnnamedExpr(expr)) => of(expr),
                    Some(SelectItem::ExprWithAlias { alias, .. }) => folded(alias),
                    _ => "?column?".to_owned(),
                };
            }
            SetExpr::Values(_) => return "column1".to_owned(),
            _ => return "?column?".to_owned(),
        }
    }
}
