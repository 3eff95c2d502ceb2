//! ORDER BY and DISTINCT ON: names, positions, expressions, and the keys that sort as PostgreSQL does.
//! Must not know: how keys are computed.

use crate::sql::ast::{Distinct, Expr as Ast, OrderByExpr, Select, UnaryOperator, Value};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SortExpr};

use super::super::aggregates::first_value;
use super::super::coerce::AtPosition;
use super::super::errors::from_datafusion;
use super::super::keys::group_key;
use super::super::value::Bound;
use super::from::ident;
use super::ordered::OrderKey;
use super::targets::Target;
use super::{Binder, Output, Relation};
use crate::error::{Error, Result, SqlState};

/// One item of ORDER BY: which target, which way.
#[derive(Debug, Clone, Copy)]
pub(super) struct SortItem {
    pub(super) target: usize,
    pub(super) ascending: bool,
    pub(super) nulls_first: bool,
}

impl Binder<'_> {
    /// Binds ORDER BY; what is not in the select list is added to the targets.
    pub(super) fn sort_items(
        &mut self,
        order: &[OrderByExpr],
        targets: &mut Vec<Target>,
        distinct: bool,
    ) -> Result<Vec<SortItem>> {
        let visible = targets.len();
        let mut items: Vec<SortItem> = Vec::new();
        for item in order {
            let target = self.sort_target(&item.expr, targets, visible)?;
            if distinct && target >= visible {
                return Err(Error::client(
                    SqlState::INVALID_COLUMN_REFERENCE,
                    "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
                )
                .with_position_if(self.position(&item.expr)));
            }
            let ascending = item.options.asc.unwrap_or(true);
            let nulls_first = item.options.nulls_first.unwrap_or(!ascending);
            if !items.iter().any(|known| known.target == target) {
                items.push(SortItem { target, ascending, nulls_first });
            }
        }
        Ok(items)
    }

    fn sort_target(&mut self, ast: &Ast, targets: &mut Vec<Target>, visible: usize) -> Result<usize> {
        if let Some(at) = self.listed(ast, targets, visible, "ORDER BY")? {
            return Ok(at);
        }
        let value = self.expr(ast)?;
        let value = self.typing.settle(value)?;
        // What is held alike need not be of one type: a json and its text.
        let is = |target: &Target| {
            let same = target.value.expr == value.expr && target.value.pg.oid == value.pg.oid;
            same && target.value.unknown.is_none()
        };
        let known = targets.iter().position(is);
        Ok(known.unwrap_or_else(|| {
            targets.push(Target { name: "?sort?".to_owned(), value });
            targets.len() - 1
        }))
    }

    /// A bare name that an output column has, or a position: the column's number.
    pub(super) fn listed(
        &mut self,
        ast: &Ast,
        targets: &[Target],
        visible: usize,
        clause: &str,
    ) -> Result<Option<usize>> {
        let shown = targets.get(..visible).unwrap_or(targets);
        match ast {
            Ast::Identifier(name) => {
                let name = ident(name);
                let mut found = shown.iter().enumerate().filter(|(_, target)| target.name == name);
                let Some((first, target)) = found.next() else { return Ok(None) };
                if found.any(|(_, other)| other.value.expr != target.value.expr) {
                    return Err(Error::client(SqlState::AMBIGUOUS_COLUMN, format!("{clause} \"{name}\" is ambiguous"))
                        .with_position_if(self.position(ast)));
                }
                Ok(Some(first))
            }
            Ast::Nested(inner) if constant(inner).is_some() => self.listed(inner, targets, visible, clause),
            other => match constant(other) {
                None => Ok(None),
                Some(Value::Number(digits, _)) => {
                    let position = digits.parse::<usize>().map_err(|_| self.not_an_integer(ast, clause))?;
                    if position == 0 || position > visible {
                        return Err(Error::client(
                            SqlState::INVALID_COLUMN_REFERENCE,
                            format!("{clause} position {position} is not in select list"),
                        )
                        .with_position_if(self.position(ast)));
                    }
                    Ok(Some(position - 1))
                }
                Some(Value::Placeholder(_)) => Ok(None),
                Some(_) => Err(self.not_an_integer(ast, clause)),
            },
        }
    }

    fn not_an_integer(&self, ast: &Ast, clause: &str) -> Error {
        Error::client(SqlState::SYNTAX_ERROR, format!("non-integer constant in {clause}"))
            .with_position_if(self.position(ast))
    }

    /// DISTINCT ON: the targets it names.
    pub(super) fn distinct_on(
        &mut self,
        select: &Select,
        targets: &mut Vec<Target>,
        sorts: &[SortItem],
    ) -> Result<Vec<usize>> {
        let Some(Distinct::On(exprs)) = &select.distinct else { return Ok(Vec::new()) };
        let visible = targets.len();
        let mut on = Vec::new();
        for ast in exprs {
            let at = self.sort_target(ast, targets, visible)?;
            if !on.contains(&at) {
                on.push(at);
            }
        }
        // The sort must begin with the expressions of ON, in any order.
        let leading = sorts.iter().take(on.len());
        if !leading.clone().all(|item| on.contains(&item.target)) {
            let matched = |at: &usize| sorts.iter().take(on.len()).any(|item| item.target == *at);
            let unmatched = on.iter().zip(exprs).find(|(at, _)| !matched(at)).map(|(_, ast)| ast);
            return Err(Error::client(
                SqlState::INVALID_COLUMN_REFERENCE,
                "SELECT DISTINCT ON expressions must match initial ORDER BY expressions",
            )
            .with_position_if(unmatched.and_then(|ast| self.position(ast))));
        }
        Ok(on)
    }

    /// ORDER BY over a set operation: output columns only.
    pub(super) fn order_output(&mut self, relation: Relation, order: &[OrderByExpr]) -> Result<Relation> {
        if order.is_empty() {
            return Ok(relation);
        }
        let relation = self.settle(relation)?;
        let targets: Vec<Target> = relation
            .columns
            .iter()
            .map(|output| Target { name: output.name.clone(), value: output.value.clone() })
            .collect();
        let mut sorts = Vec::new();
        for item in order {
            let Some(target) = self.listed(&item.expr, &targets, targets.len(), "ORDER BY")? else {
                return Err(match &item.expr {
                    Ast::Identifier(name) => self.missing_column(&ident(name)),
                    _ => Error::unsupported("invalid UNION/INTERSECT/EXCEPT ORDER BY clause")
                        .with_detail("Only result column names can be used, not expressions or functions.")
                        .with_hint(
                            "Add the expression/function to every SELECT, or move the UNION into a FROM clause.",
                        ),
                }
                .with_position_if(self.position(&item.expr)));
            };
            let ascending = item.options.asc.unwrap_or(true);
            sorts.push(SortItem { target, ascending, nulls_first: item.options.nulls_first.unwrap_or(!ascending) });
        }
        let order = keys(&sorts, &relation.columns);
        super::ordered::sorts(&order)?;
        Ok(Relation { order, sorted: false, ..relation.plain()? })
    }

    /// DISTINCT over output columns.
    pub(super) fn distinct(&mut self, plan: LogicalPlan, columns: &[Output]) -> Result<LogicalPlan> {
        let values: Vec<Bound> = columns.iter().map(|output| output.value.clone()).collect();
        let keys = values.iter().map(group_key).collect::<Result<Vec<_>>>()?;
        if keys.iter().all(Option::is_none) {
            return LogicalPlanBuilder::from(plan)
                .distinct()
                .and_then(LogicalPlanBuilder::build)
                .map_err(from_datafusion);
        }
        let on = keys.into_iter().zip(&values).map(|(key, value)| key.unwrap_or_else(|| value.expr.clone())).collect();
        first_of_each(plan, on, columns, &[])
    }
}

/// One row of each group of equal keys: the first in an order, if one is given.
fn first_of_each(plan: LogicalPlan, keys: Vec<Expr>, columns: &[Output], order: &[SortExpr]) -> Result<LogicalPlan> {
    let names: Vec<String> = plan.schema().fields().iter().map(|field| field.name().clone()).collect();
    let firsts: Vec<Expr> = plan
        .schema()
        .columns()
        .into_iter()
        .enumerate()
        .map(|(at, column)| first_value(Expr::Column(column), order.to_vec()).alias(format!("?first{at}?")))
        .collect();
    let kept = firsts.len();
    let plan = LogicalPlanBuilder::from(plan)
        .aggregate(keys, firsts)
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)?;
    let all = plan.schema().columns();
    let values: Vec<Bound> = all
        .iter()
        .skip(all.len() - kept)
        .zip(columns)
        .map(|(column, output)| Bound {
            expr: Expr::Column(column.clone()),
            unknown: None,
            scaled: None,
            ..output.value.clone()
        })
        .collect();
    super::setop::project(plan, values.iter(), &names)
}

fn constant(ast: &Ast) -> Option<Value> {
    match ast {
        Ast::Value(value) => Some(value.value.clone()),
        Ast::UnaryOp { op: UnaryOperator::Minus, expr } => match constant(expr)? {
            Value::Number(digits, long) => Some(Value::Number(format!("-{digits}"), long)),
            other => Some(other),
        },
        _ => None,
    }
}

/// What a plan with these output columns is sorted by.
pub(super) fn keys(items: &[SortItem], columns: &[Output]) -> Vec<OrderKey> {
    let key = |item: &SortItem| {
        let value = columns.get(item.target)?.value.clone();
        Some(OrderKey { value, ascending: item.ascending, nulls_first: item.nulls_first })
    };
    items.iter().filter_map(key).collect()
}

/// DISTINCT ON over output columns: the first row of each group in the order of the sort.
pub(super) fn distinct_on(
    plan: LogicalPlan,
    on: &[usize],
    columns: &[Output],
    order: &[SortExpr],
) -> Result<LogicalPlan> {
    let mut keys = Vec::new();
    if order.is_empty() {
        for output in on.iter().filter_map(|at| columns.get(*at)) {
            keys.push(group_key(&output.value)?.unwrap_or_else(|| output.value.expr.clone()));
        }
    } else if order.len() < on.len() {
        return super::refuse("DISTINCT ON with a shorter ORDER BY");
    } else {
        // The sort begins with the expressions of ON, and its keys are equal where the values are.
        keys.extend(order.iter().take(on.len()).map(|item| item.expr.clone()));
    }
    first_of_each(plan, keys, columns, order)
}
