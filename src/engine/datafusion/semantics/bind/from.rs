//! FROM: tables, subqueries and table functions become relations in a scope.
//! Must not know: joins (`join`), expressions.

use crate::sql::ast::{FunctionArg, ObjectName, Query, TableAlias, TableFactor, TableWithJoins};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::TableReference;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use super::super::coerce::AtPosition;
use super::super::errors::from_datafusion;
use super::super::own;
use super::super::rows;
use super::super::value::Bound;
use super::scope::{Col, Scope, Table, column_expr};
use super::set_function::{Factor, Written, plain_arguments};
use super::{Binder, FoundTable, Relation, refuse};
use crate::error::{Error, Result, SqlState};
use crate::names::fold;
use crate::types::{PgType, is_system_column, pg_type_of, storage};

/// A plan and the names it makes visible.
pub(super) struct Source {
    pub(super) plan: LogicalPlan,
    pub(super) scope: Scope,
}

/// An identifier as it is looked up.
pub(super) fn ident(ident: &crate::sql::ast::Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { fold(&ident.value) }
}

/// The parts of a dotted name.
pub(super) fn parts(name: &ObjectName) -> Result<Vec<String>> {
    name.0
        .iter()
        .map(|part| match part.as_ident() {
            Some(found) => Ok(ident(found)),
            None => Err(Error::client(SqlState::SYNTAX_ERROR, "a function is not a name")),
        })
        .collect()
}

/// Schema (if named) and table of a dotted name; a database in front must be the current one.
pub(crate) fn schema_and_table(name: &ObjectName, database: &str) -> Result<(Option<String>, String)> {
    let mut names = parts(name)?;
    let table = names.pop().unwrap_or_default();
    let schema = names.pop();
    match names.pop() {
        Some(named) if named != database => Err(Error::unsupported(format!(
            "cross-database references are not implemented: \"{}.{}.{table}\"",
            named,
            schema.as_deref().unwrap_or_default()
        ))),
        _ => Ok((schema, table)),
    }
}

/// `42P01` for a name that no table of this role's world has.
pub(crate) fn undefined_table(schema: Option<&str>, table: &str) -> Error {
    let name = schema.map_or_else(|| table.to_owned(), |schema| format!("{schema}.{table}"));
    Error::client(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
}

impl Binder<'_> {
    /// Binds FROM; without one there is a single row without columns.
    pub(super) fn sources(&mut self, from: &[TableWithJoins]) -> Result<Source> {
        let mut result: Option<Source> = None;
        for item in from {
            let first = self.table_factor(&item.relation, result.as_ref().map(|left| &left.scope))?;
            result = Some(match (first, result) {
                (Factor::Source(first), left) => {
                    let next = self.joined(first, &item.joins)?;
                    match left {
                        None => next,
                        Some(left) => super::join::cross(left, next)?,
                    }
                }
                // Joins to its right keep every row to its left: they may as well come after.
                (Factor::Call(call), Some(left)) if super::join::keep_left(&item.joins) => {
                    let beside = self.beside(left, call, false)?;
                    self.joined(beside, &item.joins)?
                }
                (Factor::Call(_), _) => return refuse("a function over other items of FROM in this kind of join"),
            });
        }
        match result {
            Some(source) => Ok(source),
            None => {
                let plan = LogicalPlanBuilder::empty(true).build().map_err(from_datafusion)?;
                Ok(Source { plan, scope: Scope::default() })
            }
        }
    }

    /// Binds one item of FROM. `left`: what stands before it, whose columns a function may use.
    pub(super) fn table_factor(&mut self, factor: &TableFactor, left: Option<&Scope>) -> Result<Factor> {
        let bound = self.factor(factor, left)?;
        // The tables of a join in parentheses have been counted one by one.
        if let (Factor::Source(source), false) = (&bound, matches!(factor, TableFactor::NestedJoin { .. })) {
            self.ranges.add(&source.scope);
        }
        Ok(bound)
    }

    fn factor(&mut self, factor: &TableFactor, left: Option<&Scope>) -> Result<Factor> {
        match factor {
            TableFactor::Table { name, alias, args: None, sample: None, with_ordinality: false, .. } => {
                self.named_table(name, alias.as_ref()).map(Factor::Source)
            }
            TableFactor::Table { name, alias, args: Some(args), with_ordinality, .. } => {
                let written = self.written_function(name, &args.args, alias.as_ref(), *with_ordinality)?;
                self.function_factor(written, left)
            }
            TableFactor::Function { name, args, with_ordinality, alias, .. } => {
                let written = self.written_function(name, args, alias.as_ref(), *with_ordinality)?;
                self.function_factor(written, left)
            }
            TableFactor::Derived { lateral, subquery, alias, sample: None } => {
                if let (true, Some(left), Some(alias)) = (*lateral, left, alias) {
                    return self.lateral(subquery, alias, left);
                }
                self.derived(subquery, alias.as_ref()).map(Factor::Source)
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let source = self.table_with_joins(table_with_joins, left)?;
                match alias {
                    None => Ok(Factor::Source(source)),
                    Some(_) => refuse("an alias for a join"),
                }
            }
            TableFactor::UNNEST { alias, array_exprs, with_offset: false, with_ordinality, .. } => {
                let written = Written {
                    schema: None,
                    name: "unnest".to_owned(),
                    args: array_exprs.iter().collect(),
                    alias: alias.as_ref(),
                    ordinality: *with_ordinality,
                    position: self.position(factor),
                };
                self.function_factor(written, left)
            }
            TableFactor::UNNEST { .. } => refuse("unnest WITH OFFSET"),
            TableFactor::Table { .. } => refuse("TABLESAMPLE or WITH ORDINALITY"),
            _ => refuse("this form of FROM item"),
        }
    }

    fn written_function<'e>(
        &self,
        name: &ObjectName,
        args: &'e [FunctionArg],
        alias: Option<&'e TableAlias>,
        ordinality: bool,
    ) -> Result<Written<'e>> {
        let position = self.position(name);
        let mut names = parts(name)?;
        let name = names.pop().unwrap_or_default();
        Ok(Written { schema: names.pop(), name, args: plain_arguments(args)?, alias, ordinality, position })
    }

    fn named_table(&mut self, name: &ObjectName, alias: Option<&TableAlias>) -> Result<Source> {
        let (schema, table) = schema_and_table(name, &self.typing.facts.database)?;
        if schema.is_none()
            && let Some(relation) = self.cte(&table)?
        {
            let mut source = self.aliased(relation, &table, alias)?;
            if let Some(only) = source.scope.tables.last_mut().filter(|only| only.name != table) {
                only.hidden = Some((None, table));
            }
            return Ok(source);
        }
        let Some(found) = self.tables.get(&(schema.clone(), table.clone())).cloned() else {
            return Err(undefined_table(schema.as_deref(), &table).with_position_if(self.position(name)));
        };
        self.scan(&found, alias)
    }

    fn scan(&mut self, found: &FoundTable, alias: Option<&TableAlias>) -> Result<Source> {
        let visible = alias.map_or_else(|| found.name.clone(), |alias| ident(&alias.name));
        let internal = self.unique(&visible);
        let reference = TableReference::partial(found.schema.clone(), found.name.clone());
        let schema = found.source.schema();
        let builder = LogicalPlanBuilder::scan(reference, found.source.clone(), None);
        let builder = canonical(builder, schema.fields()).and_then(|builder| builder.alias(internal.clone()));
        let plan = builder.and_then(LogicalPlanBuilder::build).map_err(from_datafusion)?;
        let col = |field: &FieldRef| {
            let expr = column_expr(Some(&internal), field.name());
            let value = Bound::with_arrow(expr, own::meet(field, &found.schema), canonical_type(field));
            Col { name: field.name().clone(), value }
        };
        let (system, plain): (Vec<_>, Vec<_>) = schema.fields().iter().partition(|field| is_system_column(field));
        let present = plain.iter().position(|field| !field.is_nullable());
        let columns: Vec<Col> = plain.into_iter().map(col).collect();
        let system = system.into_iter().map(col).collect();
        let schema = alias.is_none().then(|| found.schema.clone()).filter(|schema| !schema.starts_with('\0'));
        let hidden = alias.filter(|_| found.name != visible).map(|_| (Some(found.schema.clone()), found.name.clone()));
        let field = |col: &Col| own::field(&col.name, col.value.pg, col.value.arrow.clone());
        let fields = || columns.iter().map(field).collect();
        let row = found.relation.as_ref().map_or(PgType::RECORD, |relation| rows::meet(relation, fields));
        let columns = rename(columns, alias)?;
        let table = Table { schema, name: visible, hidden, columns, system, absent: false, row, present };
        Ok(Source { plan, scope: Scope::of(table) })
    }

    fn derived(&mut self, subquery: &Query, alias: Option<&TableAlias>) -> Result<Source> {
        let Some(alias) = alias else {
            return Err(Error::client(SqlState::SYNTAX_ERROR, "subquery in FROM must have an alias")
                .with_hint("For example, FROM (SELECT ...) [AS] foo.")
                .with_position_if(self.position(subquery)));
        };
        let relation = self.ordered_query(subquery, true)?;
        self.aliased(relation, &ident(&alias.name), Some(alias))
    }

    /// A relation under a name of its own.
    pub(super) fn aliased(&mut self, relation: Relation, name: &str, alias: Option<&TableAlias>) -> Result<Source> {
        let visible = alias.map_or_else(|| name.to_owned(), |alias| ident(&alias.name));
        let internal = self.unique(&visible);
        let Relation { plan, columns, order, .. } = relation;
        let order = order.iter().map(|key| key.aliased(&internal)).collect();
        let fields: Vec<String> = plan.schema().fields().iter().map(|field| field.name().clone()).collect();
        let plan = LogicalPlanBuilder::from(plan)
            .alias(internal.clone())
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?;
        let columns = columns
            .into_iter()
            .zip(fields)
            .map(|(output, field)| {
                let expr = column_expr(Some(&internal), &field);
                Col {
                    name: output.name,
                    value: Bound { expr, unknown: None, position: None, scaled: None, ..output.value },
                }
            })
            .collect();
        let columns = rename(columns, alias)?;
        let (system, row) = (Vec::new(), PgType::RECORD);
        let table =
            Table { schema: None, name: visible, hidden: None, columns, system, absent: false, row, present: None };
        Ok(Source { plan, scope: Scope { order, ..Scope::of(table) } })
    }
}

/// Column names of an alias: `AS t(a, b)`.
pub(super) fn rename(mut columns: Vec<Col>, alias: Option<&TableAlias>) -> Result<Vec<Col>> {
    let Some(alias) = alias else { return Ok(columns) };
    if alias.columns.len() > columns.len() {
        return Err(Error::client(
            SqlState::INVALID_COLUMN_REFERENCE,
            format!(
                "table \"{}\" has {} columns available but {} columns specified",
                ident(&alias.name),
                columns.len(),
                alias.columns.len()
            ),
        ));
    }
    for (col, given) in columns.iter_mut().zip(&alias.columns) {
        col.name = ident(&given.name);
    }
    Ok(columns)
}

/// The Arrow type that a column of a source has inside of plans.
fn canonical_type(field: &Field) -> DataType {
    let wanted = storage(pg_type_of(field));
    match field.data_type() {
        // A decimal keeps its precision and scale, whatever the declared type says.
        found @ (DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale)) if *scale >= 0 => found.clone(),
        // Arrays in Arrow's own form stay as they are.
        found @ (DataType::List(_) | DataType::LargeList(_) | DataType::Struct(_) | DataType::Map(..)) => found.clone(),
        // The oids of what has a name, as catalogs hold them.
        DataType::UInt32 if pg_type_of(field).is_registered() => DataType::UInt32,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Decimal32(p, s) | DataType::Decimal64(p, s) => DataType::Decimal128(*p, *s),
        _ => wanted,
    }
}

/// Columns that a source holds in another Arrow type than plans do (dictionaries, nanoseconds) are cast once, at the scan.
fn canonical(
    builder: datafusion::error::Result<LogicalPlanBuilder>,
    fields: &arrow::datatypes::Fields,
) -> datafusion::error::Result<LogicalPlanBuilder> {
    let builder = builder?;
    if fields.iter().all(|field| *field.data_type() == canonical_type(field)) {
        return Ok(builder);
    }
    let columns = builder.schema().columns();
    let exprs: Vec<Expr> = columns
        .into_iter()
        .zip(fields)
        .map(|(column, field)| {
            let wanted = canonical_type(field);
            let name = column.name.clone();
            if *field.data_type() == wanted {
                Expr::Column(column)
            } else {
                super::super::cast::native(Expr::Column(column), wanted).alias(name)
            }
        })
        .collect();
    builder.project(exprs)
}
