//! UNION, INTERSECT, EXCEPT and VALUES: columns get one type, arms get it too.
//! Must not know: what stands in an arm.

use crate::sql::ast::{Expr as Ast, SetExpr, SetOperator, SetQuantifier, Values};
use datafusion::common::Column;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use super::super::coerce::{AtPosition, common_type};
use super::super::errors::from_datafusion;
use super::super::keys::group_key;
use super::super::pg::CastContext;
use super::super::value::Bound;
use super::query::Limits;
use super::scope::column_expr;
use super::select::named;
use super::targets::{Target, outputs, unique_names};
use super::{Binder, Clause, Output, Relation, Scope, refuse};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

impl Binder<'_> {
    /// Binds a body that is not a plain SELECT with its own ORDER BY.
    pub(super) fn set_expr(&mut self, body: &SetExpr, settle: bool) -> Result<Relation> {
        match body {
            SetExpr::Select(select) => self.select(select, &[], &Limits::default(), settle),
            SetExpr::Query(query) => self.ordered_query(query, settle),
            SetExpr::Values(values) => self.values(values),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let all = match set_quantifier {
                    SetQuantifier::All => true,
                    SetQuantifier::Distinct | SetQuantifier::None => false,
                    _ => return refuse("UNION BY NAME"),
                };
                let left = self.arm(left)?;
                let right = self.arm(right)?;
                self.combine(left, right, *op, all)
            }
            SetExpr::Table(_) => refuse("TABLE"),
            _ => refuse("a data-modifying statement in a query"),
        }
    }

    fn arm(&mut self, body: &SetExpr) -> Result<Relation> {
        let relation = self.set_expr(body, false)?;
        if !matches!(body, SetExpr::SetOperation { .. }) {
            self.ranges.add_arm(relation.columns.iter().map(|output| output.name.clone()).collect());
        }
        Ok(relation)
    }

    /// Both arms with one type for each column, combined.
    pub(super) fn combine(&mut self, left: Relation, right: Relation, op: SetOperator, all: bool) -> Result<Relation> {
        let what = match op {
            SetOperator::Union => "UNION",
            SetOperator::Intersect => "INTERSECT",
            SetOperator::Except | SetOperator::Minus => "EXCEPT",
        };
        if left.columns.len() != right.columns.len() {
            return Err(Error::client(
                SqlState::SYNTAX_ERROR,
                format!("each {what} query must have the same number of columns"),
            )
            .with_position_if(right.columns.iter().find_map(|output| output.value.position)));
        }
        let mut targets = Vec::new();
        let mut types = Vec::new();
        for (l, r) in left.columns.iter().zip(&right.columns) {
            let common = common_type([&l.value, &r.value], what)?;
            let a = self.typing.coerce(l.value.clone(), common, CastContext::Implicit)?;
            let b = self.typing.coerce(r.value.clone(), common, CastContext::Implicit)?;
            let (a, b) = self.typing.same_arrow(a, b)?;
            targets.push(Target { name: l.name.clone(), value: Bound { pg: common, ..a } });
            types.push(Bound { pg: common, ..b });
        }
        let names = unique_names(&targets);
        // The rows of UNION ALL come arm by arm, those of each in their order.
        let (left, right) =
            if all && op == SetOperator::Union { (left.in_order()?, right.in_order()?) } else { (left, right) };
        let l = project(left.plan, targets.iter().map(|target| &target.value), &names)?;
        let r = project(right.plan, types.iter(), &names)?;
        let columns = outputs(targets, &names);
        let plan = match (op, all) {
            (SetOperator::Union, _) => LogicalPlanBuilder::from(l).union(r).and_then(LogicalPlanBuilder::build),
            (_, true) => {
                plain_keys(&columns, what)?;
                counted(l, r, op == SetOperator::Intersect)
            }
            (SetOperator::Intersect, false) => {
                plain_keys(&columns, what)?;
                LogicalPlanBuilder::intersect(l, r, false)
            }
            (_, false) => {
                plain_keys(&columns, what)?;
                LogicalPlanBuilder::except(l, r, false)
            }
        }
        .map_err(from_datafusion)?;
        let plan = if op == SetOperator::Union && !all { self.distinct(plan, &columns)? } else { plan };
        // What an operation gives is named without the table it came from.
        Ok(Relation::of(plan, columns))
    }

    /// Gives literals of unknown type the type text.
    pub(super) fn settle(&mut self, relation: Relation) -> Result<Relation> {
        if relation.columns.iter().all(|output| output.value.unknown.is_none()) {
            return Ok(relation);
        }
        let mut targets = Vec::new();
        for output in relation.columns {
            targets.push(Target { name: output.name, value: self.typing.settle(output.value)? });
        }
        let names = unique_names(&targets);
        let plan = project(relation.plan, targets.iter().map(|target| &target.value), &names)?;
        Ok(Relation::of(plan, outputs(targets, &names)))
    }

    /// VALUES: each column has the common type of its values.
    fn values(&mut self, values: &Values) -> Result<Relation> {
        self.scopes.push(Scope::default());
        let rows = self.within(Clause::Values, |binder| {
            values.rows.iter().map(|row| binder.value_row(&row.content)).collect::<Result<Vec<_>>>()
        });
        self.scopes.pop();
        let mut rows = rows?;
        let width = rows.first().map_or(0, Vec::len);
        if rows.iter().any(|row| row.len() != width) {
            let odd = rows.iter().find(|row| row.len() != width);
            let place = odd.and_then(|row| row.iter().find_map(|cell| cell.position));
            return Err(Error::client(SqlState::SYNTAX_ERROR, "VALUES lists must all be the same length")
                .with_position_if(place));
        }
        let mut shape: Vec<Bound> = Vec::new();
        for column in 0..width {
            let cells: Vec<&Bound> = rows.iter().filter_map(|row| row.get(column)).collect();
            let common = common_type(cells, "VALUES")?;
            shape.push(self.value_column(&mut rows, column, common)?);
        }
        // Columns of a query around and parameters tell their types, literals do not: all must tell the same.
        let outer = |cell: &Bound| matches!(cell.expr, Expr::OuterReferenceColumn(..) | Expr::Placeholder(_));
        let told = rows.iter().flatten().any(outer);
        let expr = |cell: Bound| if told { named(&cell, "value") } else { cell.expr };
        let exprs: Vec<Vec<Expr>> = rows.into_iter().map(|row| row.into_iter().map(expr).collect()).collect();
        let plan = LogicalPlanBuilder::values(exprs).and_then(LogicalPlanBuilder::build).map_err(from_datafusion)?;
        let source: Vec<String> = plan.schema().fields().iter().map(|field| field.name().clone()).collect();
        let targets: Vec<Target> = shape
            .into_iter()
            .zip(source)
            .enumerate()
            .map(|(at, (cell, column))| {
                let value = Bound { expr: column_expr(None, &column), unknown: None, scaled: None, ..cell };
                Target { name: format!("column{}", at + 1), value }
            })
            .collect();
        let names = unique_names(&targets);
        let plan = project(plan, targets.iter().map(|target| &target.value), &names)?;
        Ok(Relation::of(plan, outputs(targets, &names)))
    }

    fn value_row(&mut self, row: &[Ast]) -> Result<Vec<Bound>> {
        row.iter().map(|ast| self.expr(ast)).collect()
    }

    fn value_column(&mut self, rows: &mut [Vec<Bound>], column: usize, common: PgType) -> Result<Bound> {
        let mut shape: Option<Bound> = None;
        for row in rows.iter_mut() {
            let Some(cell) = row.get_mut(column) else { continue };
            *cell = self.typing.coerce(cell.clone(), common, CastContext::Implicit)?;
            shape = Some(match shape {
                None => cell.clone(),
                Some(known) => self.typing.same_arrow(known, cell.clone())?.0,
            });
        }
        let Some(shape) = shape else { return Err(Error::client(SqlState::SYNTAX_ERROR, "VALUES without values")) };
        for row in rows.iter_mut() {
            let Some(cell) = row.get_mut(column) else { continue };
            *cell = self.typing.same_arrow(cell.clone(), shape.clone())?.0;
        }
        Ok(Bound { pg: common, ..shape })
    }
}

/// INTERSECT ALL and EXCEPT ALL: equal rows are numbered on both sides, so that each meets one of the other side.
fn counted(left: LogicalPlan, right: LogicalPlan, intersect: bool) -> datafusion::error::Result<LogicalPlan> {
    let numbered = |plan: LogicalPlan| {
        let columns: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
        let number = super::super::windows::numbered(columns.clone());
        let name = number.schema_name().to_string();
        let exprs = columns.into_iter().chain([Expr::Column(Column::new_unqualified(name)).alias("?number?")]);
        LogicalPlanBuilder::window_plan(plan, vec![number])
            .and_then(|plan| LogicalPlanBuilder::from(plan).project(exprs).and_then(LogicalPlanBuilder::build))
    };
    let columns: Vec<Expr> = left.schema().columns().into_iter().map(Expr::Column).collect();
    let (left, right) = (numbered(left)?, numbered(right)?);
    let plan = if intersect {
        LogicalPlanBuilder::intersect(left, right, false)?
    } else {
        LogicalPlanBuilder::except(left, right, false)?
    };
    LogicalPlanBuilder::from(plan).project(columns).and_then(LogicalPlanBuilder::build)
}

/// A projection to these values under these names.
pub(super) fn project<'b>(
    plan: LogicalPlan,
    values: impl Iterator<Item = &'b Bound>,
    names: &[String],
) -> Result<LogicalPlan> {
    let exprs: Vec<Expr> = values.zip(names).map(|(value, name)| named(value, name)).collect();
    LogicalPlanBuilder::from(plan).project(exprs).and_then(LogicalPlanBuilder::build).map_err(from_datafusion)
}

fn plain_keys(columns: &[Output], what: &str) -> Result<()> {
    for output in columns {
        if group_key(&output.value)?.is_some() {
            return refuse(&format!("{what} over type {}", output.value.type_name()));
        }
    }
    Ok(())
}
