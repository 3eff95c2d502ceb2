//! Functions that give rows: in FROM, also over the columns of what stands before them, and in the select list.
//! Must not know: how rows are made.

use std::sync::Arc;

use crate::sql::StatementKind;
use crate::sql::ast::{Expr as Ast, FunctionArg, FunctionArgExpr, Ident, Query, SetExpr, TableAlias, TableFactor};
use arrow::datatypes::{DataType, Fields};
use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use super::super::super::apply::in_memory;
use super::super::arrays::{elements_list, series};
use super::super::cast::{json_held, native};
use super::super::coerce::AtPosition;
use super::super::errors::from_datafusion;
use super::super::json_sets::{column_of_set, set_of_json};
use super::super::ops::implement;
use super::super::own;
use super::super::pg;
use super::super::resolve::{Resolved, function};
use super::super::rows;
use super::super::sets::{expanded, field_at, only_element, record, subscripts};
use super::super::spread::{Spreading, spread};
use super::super::value::Bound;
use super::array::gathered_rows;
use super::call::shown_only;
use super::from::{Source, ident, parts, rename};
use super::ordered::OrderKey;
use super::scope::{Col, Scope, Table, column_expr};
use super::subquery::subquery;
use super::targets::Target;
use super::unnest::made_as_array;
use super::{Binder, Clause, Output, refuse};
use crate::error::{Error, Fault, Result, SqlState};
use crate::types::PgType;

/// A call that gives rows: for each row before it a list of them.
#[derive(Debug, Clone)]
pub(super) struct SetCall {
    list: Expr,
    /// The Arrow type of the list, as if it was held.
    form: DataType,
    /// What it is a list of.
    element: PgType,
}

impl SetCall {
    /// Of a list in an Arrow form, and what it is a list of.
    pub(super) fn of(list: Expr, form: DataType, element: PgType) -> SetCall {
        SetCall { list, form, element }
    }

    fn form_of_row(&self) -> DataType {
        match &self.form {
            DataType::List(item) => item.data_type().clone(),
            other => other.clone(),
        }
    }

    fn spreading(self, name: String) -> Spreading {
        Spreading { name, element: self.form_of_row(), list: self.list }
    }
}

/// A call in the select list, as a column of the plan.
pub(super) struct SetColumn {
    pub(super) spreading: Spreading,
    /// How many such calls are in its arguments, one in the other.
    level: usize,
    position: Option<u32>,
}

impl SetColumn {
    /// The same, of another list.
    pub(super) fn over(self, list: Expr) -> SetColumn {
        SetColumn { spreading: Spreading { list, ..self.spreading }, ..self }
    }
}

/// Such a call in FROM, or several side by side.
pub(super) struct CallItem {
    calls: Vec<SetCall>,
    name: String,
    alias: Option<TableAlias>,
    ordinality: bool,
}

/// An item of FROM.
pub(super) enum Factor {
    /// It stands on its own.
    Source(Source),
    /// It reads the columns of what stands before it.
    Call(CallItem),
}

/// A function in FROM as it is written.
pub(super) struct Written<'e> {
    pub(super) schema: Option<String>,
    pub(super) name: String,
    pub(super) args: Vec<&'e Ast>,
    pub(super) alias: Option<&'e TableAlias>,
    pub(super) ordinality: bool,
    pub(super) position: Option<u32>,
}

/// The arguments of a function in FROM.
pub(super) fn plain_arguments(args: &[FunctionArg]) -> Result<Vec<&Ast>> {
    args.iter()
        .map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(ast)) => Ok(ast),
            _ => refuse("this form of argument of a function in FROM"),
        })
        .collect()
}

impl Binder<'_> {
    /// A function in FROM, behind what has these names.
    pub(super) fn function_factor(&mut self, written: Written<'_>, left: Option<&Scope>) -> Result<Factor> {
        self.scopes.push(left.cloned().unwrap_or_default());
        let bound = self
            .within(Clause::From, |binder| written.args.iter().map(|ast| binder.expr(ast)).collect::<Result<Vec<_>>>());
        self.scopes.pop();
        let bound = bound?;
        let lateral = bound.iter().any(|arg| reads_columns(&arg.expr));
        let foreign = written.schema.as_deref().is_some_and(|schema| schema != "pg_catalog");
        let of_record = if foreign { None } else { self.record_call(&written, &bound)? };
        let on_its_own = matches!(written.name.as_str(), "generate_series" | "pg_listening_channels");
        if !lateral && !written.ordinality && !foreign && on_its_own {
            return self.table_call(&written.name, bound, written.alias, written.position).map(Factor::Source);
        }
        let full = match written.schema.as_deref() {
            Some(schema) if foreign => format!("{schema}.{}", written.name),
            _ => written.name.clone(),
        };
        let calls = match self.unnest_of_several(&written, &bound)? {
            Some(calls) => calls,
            None => vec![match of_record.map_or_else(|| self.set_call(&full, &bound), |call| Ok(Some(call)))? {
                Some(call) => call,
                None => self.one_row(&full, bound, written.position)?,
            }],
        };
        let (name, alias, ordinality) = (written.name, written.alias.cloned(), written.ordinality);
        let item = CallItem { calls, name, alias, ordinality };
        if lateral {
            return Ok(Factor::Call(item));
        }
        let plan = LogicalPlanBuilder::empty(true).build().map_err(from_datafusion)?;
        let nothing = Source { plan, scope: Scope::default() };
        self.beside(nothing, item, false).map(Factor::Source)
    }

    /// A function that gives a value, in FROM: one row of it.
    fn one_row(&mut self, name: &str, args: Vec<Bound>, position: Option<u32>) -> Result<SetCall> {
        let value = self.call(name, args, position)?;
        let value = self.typing.settle(value)?;
        let (list, form) = only_element(value.expr, &value.arrow);
        Ok(SetCall { list, form, element: value.pg })
    }

    /// `LATERAL (SELECT ...)`: its rows for each row of what stands before it.
    pub(super) fn lateral(&mut self, query: &Query, alias: &TableAlias, left: &Scope) -> Result<Factor> {
        self.scopes.push(left.clone());
        let relation = self.inner(query, |binder| binder.ordered_query(query, true));
        self.scopes.pop();
        let relation = relation?;
        if relation.plan.all_out_ref_exprs().is_empty() {
            return self.aliased(relation, &ident(&alias.name), Some(alias)).map(Factor::Source);
        }
        let relation = relation.in_order()?;
        if !in_memory(&relation.plan).map_err(from_datafusion)? {
            return refuse("LATERAL over tables of sources");
        }
        let named = |output: &Output| {
            let value = &output.value;
            Arc::new(own::field(&output.name, value.pg, value.arrow.clone()))
        };
        let fields: Fields = relation.columns.iter().map(named).collect();
        let values = relation.columns.iter().map(|output| output.value.expr.clone()).collect();
        let (row, form) = record(values, fields, false);
        let plan = gathered_rows(relation.plan, row)?;
        let list = Expr::ScalarSubquery(subquery(plan));
        let call = SetCall { list, form: DataType::new_list(form, true), element: PgType::RECORD };
        let item =
            CallItem { calls: vec![call], name: ident(&alias.name), alias: Some(alias.clone()), ordinality: false };
        Ok(Factor::Call(item))
    }

    /// An item of FROM that reads what stands before it, with only those of its rows that a condition is true of.
    pub(super) fn filtered(&mut self, item: &TableFactor, condition: &Ast, left: &Scope) -> Result<Factor> {
        let name = match item {
            TableFactor::Table { alias: Some(alias), .. }
            | TableFactor::Function { alias: Some(alias), .. }
            | TableFactor::UNNEST { alias: Some(alias), .. }
            | TableFactor::Derived { alias: Some(alias), .. } => alias.name.clone(),
            TableFactor::Table { name, .. } | TableFactor::Function { name, .. } => {
                Ident::with_quote('"', parts(name)?.pop().unwrap_or_default())
            }
            TableFactor::UNNEST { .. } => Ident::new("unnest"),
            _ => return refuse("LEFT JOIN with this item of FROM and a condition"),
        };
        let Some(query) = selected(item.clone(), condition.clone())? else {
            return refuse("LEFT JOIN with this item of FROM and a condition");
        };
        let alias = TableAlias { name, columns: Vec::new(), explicit: true, at: None };
        self.lateral(&query, &alias, left)
    }

    /// Each row of a source beside the rows that a function gives for it. `outer`: a row without any stays, beside NULLs.
    pub(super) fn beside(&mut self, left: Source, item: CallItem, outer: bool) -> Result<Source> {
        let CallItem { calls, name, alias, ordinality } = item;
        let ordered = !left.scope.order.is_empty();
        let place = (ordinality || ordered).then(|| self.unique("?place"));
        let visible = alias.as_ref().map_or_else(|| name.clone(), |alias| ident(&alias.name));
        let scalar =
            matches!(calls.as_slice(), [call] if !matches!(call.form_of_row(), DataType::Struct(_))) && !ordinality;
        // The value of one call is named as the table is, where its function does not say; those of several by their function.
        let of_value = if calls.len() == 1 { column_of_set(&name).unwrap_or(&visible) } else { &name };
        let (mut columns, mut lists) = (Vec::new(), Vec::with_capacity(calls.len()));
        for call in calls {
            let row = self.unique("?rows");
            if let DataType::List(_) = &call.form {
                self.forms.insert(Column::from_name(&row), (call.element, call.form_of_row()));
            }
            columns.extend(row_columns(&call, column_expr(None, &row), of_value));
            lists.push(call.spreading(row));
        }
        let at = place.as_deref().map(|place| Bound::new(column_expr(None, place), PgType::INT8));
        if let Some(value) = at.clone().filter(|_| ordinality) {
            columns.push(Col { name: "ordinality".to_owned(), value });
        }
        let (mut behind, mut before) = (Vec::new(), left.plan);
        if ordered {
            let (plan, row) = self.told_apart(before)?;
            before = plan;
            behind.extend([row].into_iter().chain(at).map(OrderKey::ascending));
        }
        let plan = spread(before, lists, place, outer).map_err(from_datafusion)?;
        let columns = rename(columns, alias.as_ref())?;
        // The name of a function of scalars is its value, however its column is named.
        let own = columns.first().filter(|col| scalar && col.name != visible);
        let own = own.map(|col| Col { name: visible.clone(), value: col.value.clone() });
        let system = own.into_iter().collect();
        let row = PgType::RECORD;
        let table =
            Table { schema: None, name: visible, hidden: None, columns, system, absent: outer, row, present: None };
        let own = Scope::of(table);
        // What stands on its own is counted with all others that do.
        if !left.scope.tables.is_empty() {
            self.ranges.add(&own);
        }
        let mut scope = left.scope.join(own)?;
        scope.order.extend(behind);
        Ok(Source { plan, scope })
    }

    /// The rows that a function gives; none if it gives a value.
    pub(super) fn set_call(&mut self, name: &str, args: &[Bound]) -> Result<Option<SetCall>> {
        let bare = name.strip_prefix("information_schema.");
        if pg::functions(name).iter().any(|function| function.set) {
            shown_only(name, args)?;
        }
        if bare == Some("_pg_expandarray")
            && let [array] = args
        {
            let array = self.argument(array.clone(), 2277)?;
            let array = self.array_as_text(array)?;
            let made = expanded(array.pg.bare(), array.expr, &self.typing.facts.format);
            let Some((list, form)) = made else { return refuse("_pg_expandarray over this type") };
            return Ok(Some(SetCall { list, form, element: PgType::RECORD }));
        }
        let types: Vec<u32> = args.iter().map(|arg| arg.pg.oid).collect();
        let Resolved::One((declared, found)) = function(name, &types) else { return Ok(None) };
        if !found.set {
            return Ok(None);
        }
        let mut coerced = Vec::new();
        for (arg, to) in args.iter().zip(&declared) {
            let arg = self.argument(arg.clone(), *to)?;
            coerced.push(match *to {
                2277 => self.array_as_text(arg)?,
                114 | 3802 => Bound::new(json_held(&arg, &self.typing.facts.format)?, arg.pg),
                to if PgType::new(to).is_array() => self.array_as_text(arg)?,
                _ => arg,
            });
        }
        if let Some(call) = self.registered_set(name, &coerced) {
            return Ok(Some(call));
        }
        if let Some(array) = made_as_array(found.source) {
            let made = implement(array, coerced, PgType::TEXT_ARRAY, &mut self.typing)?;
            let Some(made) = made else { return Ok(None) };
            let list = elements_list(PgType::TEXT_ARRAY, made.expr, &self.typing.facts.format);
            let form = DataType::new_list(crate::types::storage(PgType::TEXT), true);
            return Ok(list.map(|(list, element)| SetCall { list, form, element }));
        }
        let Some(first) = coerced.first().map(|arg| arg.pg.bare()) else { return Ok(None) };
        let exprs: Vec<Expr> = coerced.into_iter().map(|arg| arg.expr).collect();
        let made = |(list, form): (Expr, DataType), element: PgType| Ok(Some(SetCall { list, form, element }));
        if let Some((list, form, element)) = exprs.first().and_then(|json| set_of_json(found.source, json.clone())) {
            return made((list, form), element);
        }
        match found.source {
            "array_unnest" => {
                let [array] = exprs.as_slice() else { return Ok(None) };
                match elements_list(first, array.clone(), &self.typing.facts.format) {
                    Some((_, element)) if element.is_row() || element.is_record() => refuse("unnest over rows"),
                    Some((list, element)) => {
                        let form = DataType::new_list(crate::types::storage(element), true);
                        made((list, form), element)
                    }
                    None => refuse("unnest over this type"),
                }
            }
            "generate_subscripts" | "generate_subscripts_nodir" => made(subscripts(first, exprs), PgType::INT4),
            "generate_series_int4"
            | "generate_series_step_int4"
            | "generate_series_int8"
            | "generate_series_step_int8" => {
                let narrow = first == PgType::INT4;
                let wide = exprs.into_iter().map(|expr| native(expr, DataType::Int64)).collect();
                let form = DataType::new_list(if narrow { DataType::Int32 } else { DataType::Int64 }, true);
                made((series(wide), form), first)
            }
            _ => Ok(None),
        }
    }

    /// A function that a session has registered, if it gives rows.
    fn registered_set(&self, name: &str, args: &[Bound]) -> Option<SetCall> {
        let value = self.registered_rows(name, args)?;
        let DataType::List(item) = &value.arrow else { return None };
        let element = match item.data_type() {
            DataType::Struct(_) => PgType::RECORD,
            _ => own::type_of(item),
        };
        Some(SetCall { list: value.expr, form: value.arrow, element })
    }

    /// A call that gives rows in the select list: the value of each of them.
    pub(super) fn set_value(&mut self, call: SetCall, position: Option<u32>) -> Result<Bound> {
        if let Some(message) = refused_in(self.clause) {
            let error = misplaced(message, position);
            return Err(if self.clause == Clause::Aggregate { error.with_hint(TO_FROM) } else { error });
        }
        let name = self.unique("?set");
        let value = Bound::with_arrow(column_expr(None, &name), call.element, call.form_of_row());
        let reads = call.list.column_refs();
        let inner = self.sets.iter().filter(|set| reads.iter().any(|column| column.name == set.spreading.name));
        let level = inner.map(|set| set.level + 1).max().unwrap_or(0);
        self.sets.push(SetColumn { spreading: call.spreading(name), level, position });
        Ok(value)
    }

    /// A plan with the rows of these calls, those of calls side by side as many as of the longest. `placed`: with the place of each.
    pub(super) fn spread_levels(
        &mut self,
        mut plan: LogicalPlan,
        mut sets: Vec<SetColumn>,
        placed: bool,
    ) -> Result<(LogicalPlan, Vec<Bound>)> {
        let (mut level, mut places) = (0, Vec::new());
        while !sets.is_empty() {
            let (now, later): (Vec<_>, Vec<_>) = sets.into_iter().partition(|set| set.level <= level);
            let place = placed.then(|| self.unique("?place"));
            places.extend(place.as_deref().map(|place| Bound::new(column_expr(None, place), PgType::INT8)));
            let lists = now.into_iter().map(|set| set.spreading);
            plan = spread(plan, lists.collect(), place, false).map_err(from_datafusion)?;
            (sets, level) = (later, level + 1);
        }
        Ok((plan, places))
    }

    /// Binds parts of a form that may not have a function in it that gives rows.
    pub(super) fn without_sets<T>(&mut self, form: &str, bind: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = self.sets.len();
        let bound = bind(self)?;
        match self.sets.get(before..).and_then(<[SetColumn]>::last) {
            None => Ok(bound),
            Some(set) => Err(misplaced(&format!("set-returning functions are not allowed in {form}"), set.position)
                .with_hint(TO_FROM)),
        }
    }

    /// `(record).field`.
    pub(super) fn record_field(&self, record: &Bound, name: &str, position: Option<u32>) -> Result<Bound> {
        if own::is_composite(record.pg) {
            // The name of a type may be that of a table that is not to be seen.
            return Err(own::refused("a field of this type").with_position_if(position));
        }
        let DataType::Struct(fields) = &record.arrow else {
            if record.pg.is_record() {
                // Held as its text: an element of an array.
                let what = format!("a field of this value of type {}", record.type_name());
                return Err(Error::unsupported(format!("{what} is not supported")).with_position_if(position));
            }
            let message = format!(
                "column notation .{name} applied to type {}, which is not a composite type",
                record.type_name()
            );
            let state = SqlState::from_code("42809").unwrap_or(SqlState::DATATYPE_MISMATCH);
            return Err(Error::client(state, message).with_position_if(position));
        };
        let at = fields.iter().position(|field| field.name() == name);
        match at.and_then(|at| Some((fields.get(at)?, field_at(record.expr.clone(), fields, at)?))) {
            Some((field, (expr, form))) => Ok(Bound::with_arrow(expr, own::type_of(field), form)),
            None => {
                let message = match rows::name_of(record.pg) {
                    Some(row) => format!("column \"{name}\" not found in data type {row}"),
                    None => format!("could not identify column \"{name}\" in record data type"),
                };
                Err(Error::client(SqlState::UNDEFINED_COLUMN, message).with_position_if(position))
            }
        }
    }
}

/// `SELECT * FROM item WHERE condition`.
fn selected(item: TableFactor, condition: Ast) -> Result<Option<Box<Query>>> {
    let Some(statement) = crate::sql::parse("select * from t where true")?.pop() else { return Ok(None) };
    let StatementKind::Query(mut query) = statement.kind else { return Ok(None) };
    let SetExpr::Select(select) = &mut *query.body else { return Ok(None) };
    let Some(from) = select.from.first_mut() else { return Ok(None) };
    from.relation = item;
    select.selection = Some(condition);
    Ok(Some(query))
}

/// The columns of a row: those of the record, or the one value under the function's name.
fn row_columns(call: &SetCall, row: Expr, name: &str) -> Vec<Col> {
    let DataType::List(item) = &call.form else { return Vec::new() };
    match item.data_type() {
        DataType::Struct(fields) => {
            let col = |(at, field): (usize, &arrow::datatypes::FieldRef)| {
                let (expr, form) = field_at(row.clone(), fields, at)?;
                Some(Col { name: field.name().clone(), value: Bound::with_arrow(expr, own::type_of(field), form) })
            };
            fields.iter().enumerate().filter_map(col).collect()
        }
        form => vec![Col { name: name.to_owned(), value: Bound::with_arrow(row, call.element, form.clone()) }],
    }
}

const TO_FROM: &str = "You might be able to move the set-returning function into a LATERAL FROM item.";

fn misplaced(message: &str, position: Option<u32>) -> Error {
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, Fault::Client, message).with_position_if(position)
}

/// The columns that stand for the rows of calls in a select list are none before the rows are made: until then placeholders do.
pub(super) fn set_aside(targets: &mut [Target], sets: &[SetColumn], away: bool) -> Result<()> {
    let one_of = |name: &str| sets.iter().any(|set| set.spreading.name == name);
    for target in targets.iter_mut().filter(|_| !sets.is_empty()) {
        let expr = target.value.expr.clone().transform(|expr| {
            Ok(match expr {
                Expr::Column(column) if away && column.relation.is_none() && one_of(&column.name) => {
                    Transformed::yes(Expr::Placeholder(Placeholder::new_with_field(column.name, None)))
                }
                Expr::Placeholder(found) if !away && one_of(&found.id) => {
                    Transformed::yes(column_expr(None, &found.id))
                }
                other => Transformed::no(other),
            })
        });
        target.value.expr = expr.map_err(from_datafusion)?.data;
    }
    Ok(())
}

fn reads_columns(expr: &Expr) -> bool {
    expr.exists(|expr| Ok(matches!(expr, Expr::Column(_)))).unwrap_or(true)
}

/// PostgreSQL's words for a function that gives rows where none may be.
fn refused_in(clause: Clause) -> Option<&'static str> {
    match clause {
        Clause::Select | Clause::OrderBy => None,
        Clause::Where => Some("set-returning functions are not allowed in WHERE"),
        Clause::Join => Some("set-returning functions are not allowed in JOIN conditions"),
        Clause::GroupBy => Some("set-returning functions are not allowed in GROUP BY"),
        Clause::Having => Some("set-returning functions are not allowed in HAVING"),
        Clause::Aggregate => Some("aggregate function calls cannot contain set-returning function calls"),
        Clause::Filter => Some("set-returning functions are not allowed in FILTER"),
        Clause::Window => Some("set-returning functions are not allowed in window definitions"),
        Clause::Limit => Some("set-returning functions are not allowed in LIMIT"),
        Clause::Offset => Some("set-returning functions are not allowed in OFFSET"),
        Clause::Values => Some("set-returning functions are not allowed in VALUES"),
        Clause::From => Some("set-returning functions must appear at top level of FROM"),
    }
}
