//! The names that an expression can use: tables of FROM, their columns, and what surrounds a subquery.
//! Must not know: expressions other than columns.

use std::collections::HashMap;

use arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::Expr;

use super::super::errors::from_datafusion;
use super::super::value::Bound;
use super::ordered::OrderKey;
use crate::error::{Error, Result, SqlState};
use crate::names::{means, quote_if_needed};
use crate::types::{PgType, field};

/// A column as a statement names it.
#[derive(Debug, Clone)]
pub(super) struct Col {
    /// The visible name.
    pub(super) name: String,
    /// What it stands for.
    pub(super) value: Bound,
}

/// A table of FROM.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// The schema, where it can be named by it (a table without alias).
    pub(super) schema: Option<String>,
    /// The alias, or the table's own name.
    pub(super) name: String,
    /// Its schema and own name where an alias hides them; a WITH query has no schema.
    pub(super) hidden: Option<(Option<String>, String)>,
    /// Its columns in order.
    pub(super) columns: Vec<Col>,
    /// Columns that only their names reach: `xmin`, `ctid`, `tableoid`; the value of a function of scalars by the function's name.
    pub(super) system: Vec<Col>,
    /// Whether an outer join may put NULLs in place of its rows.
    pub(super) absent: bool,
    /// The type of its rows: a relation has one of its own.
    pub(super) row: PgType,
    /// The place of a column that is never NULL in a row that is there.
    pub(super) present: Option<usize>,
}

/// What a FROM clause makes visible.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// The tables that qualified names reach.
    pub(super) tables: Vec<Table>,
    /// The columns that unqualified names and `*` reach: USING has merged its own.
    pub(super) columns: Vec<Col>,
    /// What its rows are in the order of.
    pub(super) order: Vec<OrderKey>,
    /// Whether they are gathered before windows see them.
    pub(super) grouped: bool,
}

impl Scope {
    /// A scope of one table.
    pub(super) fn of(table: Table) -> Scope {
        Scope { columns: table.columns.clone(), tables: vec![table], order: Vec::new(), grouped: false }
    }

    /// Both sides of a join, nothing merged; the rows of the left one in their order, with theirs of the right one in its.
    pub(super) fn join(mut self, other: Scope) -> Result<Scope> {
        for table in &other.tables {
            let twice = |known: &&Table| known.name == table.name && known.schema == table.schema;
            if self.tables.iter().any(|known| twice(&known)) {
                return Err(Error::client(
                    SqlState::DUPLICATE_ALIAS,
                    format!("table name \"{}\" specified more than once", table.name),
                ));
            }
        }
        self.tables.extend(other.tables);
        self.columns.extend(other.columns);
        if !self.order.is_empty() {
            self.order.extend(other.order);
        }
        Ok(self)
    }

    /// The same, its rows where they are missing NULL.
    pub(super) fn maybe_absent(mut self, absent: bool) -> Scope {
        self.tables.iter_mut().for_each(|table| table.absent |= absent);
        self
    }

    /// The column with an unqualified name; none if there is none here.
    pub(super) fn column(&self, name: &str) -> Result<Option<Bound>> {
        let mut found = self.columns.iter().filter(|col| means(name, &col.name));
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => {
                Err(Error::client(SqlState::AMBIGUOUS_COLUMN, format!("column reference \"{name}\" is ambiguous")))
            }
            (Some(col), None) => Ok(Some(col.value.clone())),
            (None, _) => self.system_column(name),
        }
    }

    fn system_column(&self, name: &str) -> Result<Option<Bound>> {
        let mut found = self.tables.iter().flat_map(|table| &table.system).filter(|col| col.name == name);
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => {
                Err(Error::client(SqlState::AMBIGUOUS_COLUMN, format!("column reference \"{name}\" is ambiguous")))
            }
            (first, _) => Ok(first.map(|col| col.value.clone())),
        }
    }

    /// The tables with a name, in a schema if one is named.
    pub(super) fn table(&self, schema: Option<&str>, name: &str) -> Result<Option<&Table>> {
        let fits = |table: &&Table| table.name == name && (schema.is_none() || table.schema.as_deref() == schema);
        let mut found = self.tables.iter().filter(fits);
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => {
                Err(Error::client(SqlState::AMBIGUOUS_COLUMN, format!("table reference \"{name}\" is ambiguous")))
            }
            (first, _) => Ok(first),
        }
    }
}

impl Scope {
    /// The types of a column of a plan beneath, if a name here reaches it.
    pub(super) fn form(&self, column: &Column) -> Option<(PgType, DataType)> {
        let mut all = self.tables.iter().flat_map(|table| table.columns.iter().chain(&table.system));
        let found = all.find(|col| matches!(&col.value.expr, Expr::Column(known) if known == column))?;
        Some((found.value.pg, found.value.arrow.clone()))
    }
}

impl Table {
    /// The column with a name.
    pub(super) fn column(&self, name: &str) -> Result<Bound> {
        let mut found = self.columns.iter().filter(|col| means(name, &col.name));
        let mut found = found.next().map(|first| (first, found.next()));
        if found.is_none() {
            // What the table's own name stands for is no column of it.
            let named = |col: &&Col| col.name == name && name != self.name;
            found = self.system.iter().find(named).map(|col| (col, None));
        }
        match found {
            Some((_, Some(_))) => {
                Err(Error::client(SqlState::AMBIGUOUS_COLUMN, format!("column reference \"{name}\" is ambiguous")))
            }
            Some((col, None)) => Ok(col.value.clone()),
            None => Err(Error::client(
                SqlState::UNDEFINED_COLUMN,
                format!("column {}.{} does not exist", quote_plain(&self.name), quote_plain(name)),
            )),
        }
    }
}

/// A name as PostgreSQL prints it in `column t.x does not exist`: as it is.
fn quote_plain(name: &str) -> String {
    if name.contains('"') { quote_if_needed(name) } else { name.to_owned() }
}

/// The types of columns that are read as parts of values only: the records of functions in FROM.
pub(super) type Forms = HashMap<Column, (PgType, DataType)>;

/// A value of a surrounding query as a subquery sees it. `forms`: the types of the columns that it is made of.
pub(super) fn as_outer(value: Bound, forms: impl Fn(&Column) -> Option<(PgType, DataType)>) -> Result<Bound> {
    let whole = matches!(value.expr, Expr::Column(_));
    let Bound { expr, pg, arrow, unknown, position, scaled: _, collation } = value;
    let expr = expr
        .transform(|e| {
            Ok(match e {
                Expr::Column(column) => {
                    let part = if whole { None } else { forms(&column) };
                    let (pg, arrow) = part.unwrap_or_else(|| (pg, arrow.clone()));
                    let known = field(&column.name, pg, true).with_data_type(arrow);
                    Transformed::yes(Expr::OuterReferenceColumn(known.into(), column))
                }
                other => Transformed::no(other),
            })
        })
        .map_err(from_datafusion)?
        .data;
    Ok(Bound { expr, pg, arrow, unknown, position, scaled: None, collation })
}

/// The expression that reads a column of a plan.
pub(super) fn column_expr(relation: Option<&str>, name: &str) -> Expr {
    // Not `from_qualified_name`: names keep their exact form.
    Expr::Column(Column::new(relation, name))
}
