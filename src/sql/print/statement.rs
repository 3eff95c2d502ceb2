//! The statements that are sent: one SELECT over one table, plain or in COPY.
//! Must not know: what the columns mean.

use std::fmt::Write;

use crate::error::Result;

use super::expression::Expr;
use super::literal::quote_identifier;
use super::{Dialect, Print, refuse};

/// A table of the source, by its exact names there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Table {
    /// Its schema (SQLite: the attached database); without one the source's default.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
}

/// A column of the result. It is called `c0`, `c1`, ... by its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// What it holds.
    pub expr: Expr,
}

/// One key of ORDER BY.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// By what.
    pub expr: Expr,
    /// Largest first.
    pub descending: bool,
    /// NULLs first.
    pub nulls_first: bool,
}

/// `SELECT ... FROM one table WHERE ... ORDER BY ... LIMIT ...`.
#[derive(Debug, Clone, PartialEq)]
pub struct Select {
    /// The result's columns. None at all is fine: the rows are counted, and each holds one NULL called `c0`.
    pub columns: Vec<Output>,
    /// The table.
    pub from: Table,
    /// Which rows.
    pub predicate: Option<Expr>,
    /// In which order.
    pub order: Vec<Order>,
    /// The most rows.
    pub limit: Option<u64>,
}

impl Select {
    /// The SQL text, one statement without a semicolon.
    ///
    /// # Errors
    /// `0A000` for what the dialect has no safe form for.
    pub fn to_sql(&self, dialect: Dialect) -> Result<String> {
        let mut out = String::with_capacity(128);
        self.print(dialect, &mut out)?;
        Ok(out)
    }
}

impl Print for Table {
    fn print(&self, _: Dialect, out: &mut String) -> Result<()> {
        if let Some(schema) = &self.schema {
            out.push_str(&quote_identifier(schema)?);
            out.push('.');
        }
        out.push_str(&quote_identifier(&self.name)?);
        Ok(())
    }
}

impl Print for Select {
    fn print(&self, dialect: Dialect, out: &mut String) -> Result<()> {
        out.push_str("SELECT ");
        if self.columns.is_empty() {
            // PostgreSQL allows no columns at all, but then COPY BINARY and other sources differ.
            out.push_str("NULL AS c0");
        }
        for (i, column) in self.columns.iter().enumerate() {
            out.push_str(if i > 0 { ", " } else { "" });
            column.expr.print(dialect, out)?;
            let _ = write!(out, " AS c{i}");
        }
        out.push_str(" FROM ");
        self.from.print(dialect, out)?;
        // The alias keeps an unqualified column from being anything but the table's.
        out.push_str(" AS t");
        if let Some(predicate) = &self.predicate {
            out.push_str(" WHERE ");
            predicate.print(dialect, out)?;
        }
        for (i, order) in self.order.iter().enumerate() {
            out.push_str(if i > 0 { ", " } else { " ORDER BY " });
            if matches!(order.expr, Expr::Literal(_)) {
                // A number there is a position.
                return Err(refuse("a constant in ORDER BY"));
            }
            order.expr.print(dialect, out)?;
            out.push_str(if order.descending { " DESC" } else { " ASC" });
            out.push_str(if order.nulls_first { " NULLS FIRST" } else { " NULLS LAST" });
        }
        if let Some(limit) = self.limit {
            // Above that SQLite and PostgreSQL overflow; no table has so many rows.
            let _ = write!(out, " LIMIT {}", limit.min(i64::MAX as u64));
        }
        Ok(())
    }
}

/// `COPY (SELECT ...) TO STDOUT (FORMAT binary)`, for PostgreSQL.
///
/// # Errors
/// As [`Select::to_sql`].
pub fn copy_binary(select: &Select) -> Result<String> {
    Ok(format!("COPY ({}) TO STDOUT (FORMAT binary)", select.to_sql(Dialect::Postgres)?))
}
