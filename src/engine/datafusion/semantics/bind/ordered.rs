//! The order that a query's rows come in: PostgreSQL hands them on as they come, so what reads a sorted query sees its order.
//! Must not know: how keys are computed.

use std::ops::ControlFlow;

use arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SortExpr, WindowFrame, WindowFrameUnits};

use super::super::errors::from_datafusion;
use super::super::keys::sort_key;
use super::super::pg;
use super::super::value::Bound;
use super::super::windows::{Window, numbered};
use super::from::ident;
use super::order::SortItem;
use super::rebase::{find_aggregates, find_windows};
use super::scope::column_expr;
use super::targets::Target;
use super::{Binder, Relation};
use crate::error::Result;
use crate::sql::ast::{Expr as Ast, GroupByExpr, OrderByExpr, Query, Select, visit_expressions};
use crate::types::PgType;

/// A value that rows are sorted by.
#[derive(Debug, Clone)]
pub(in super::super) struct OrderKey {
    pub(super) value: Bound,
    pub(super) ascending: bool,
    pub(super) nulls_first: bool,
}

impl OrderKey {
    /// The smallest first.
    pub(super) fn ascending(value: Bound) -> OrderKey {
        OrderKey { value, ascending: true, nulls_first: false }
    }

    /// The same of a relation under a name.
    pub(super) fn aliased(&self, name: &str) -> OrderKey {
        let expr = match &self.value.expr {
            Expr::Column(column) => column_expr(Some(name), &column.name),
            other => other.clone(),
        };
        let value = Bound { expr, unknown: None, position: None, scaled: None, ..self.value.clone() };
        OrderKey { value, ..self.clone() }
    }
}

/// The keys of a sort; what is the same on every row is none.
pub(super) fn sorts(order: &[OrderKey]) -> Result<Vec<SortExpr>> {
    let mut exprs = Vec::new();
    for OrderKey { value, ascending, nulls_first } in order {
        let key = sort_key(value)?;
        if !matches!(key, Expr::Literal(..)) {
            exprs.push(key.sort(*ascending, *nulls_first));
        }
    }
    Ok(exprs)
}

impl Relation {
    /// Of columns in no order.
    pub(super) fn of(plan: LogicalPlan, columns: Vec<super::Output>) -> Relation {
        Relation { plan, columns, order: Vec::new(), sorted: true }
    }

    /// With its rows sorted.
    pub(super) fn in_order(mut self) -> Result<Relation> {
        if std::mem::replace(&mut self.sorted, true) {
            return Ok(self);
        }
        let keys = sorts(&self.order)?;
        if !keys.is_empty() {
            let plan = LogicalPlanBuilder::from(self.plan).sort(keys).and_then(LogicalPlanBuilder::build);
            self.plan = plan.map_err(from_datafusion)?;
        }
        Ok(self)
    }

    /// Without what only its order needs.
    pub(super) fn plain(self) -> Result<Relation> {
        let Relation { plan, columns, .. } = self;
        if plan.schema().fields().len() == columns.len() {
            return Ok(Relation::of(plan, columns));
        }
        let kept: Vec<Expr> = plan.schema().columns().into_iter().take(columns.len()).map(Expr::Column).collect();
        let plan = LogicalPlanBuilder::from(plan).project(kept).and_then(LogicalPlanBuilder::build);
        Ok(Relation::of(plan.map_err(from_datafusion)?, columns))
    }
}

impl Binder<'_> {
    /// Binds a query whose rows are wanted in no order.
    pub(super) fn query(&mut self, query: &Query, settle: bool) -> Result<Relation> {
        self.ordered_query(query, settle)?.plain()
    }

    /// Binds a query whose rows are wanted in its order.
    pub(super) fn sorted_query(&mut self, query: &Query) -> Result<Relation> {
        self.ordered_query(query, true)?.in_order()?.plain()
    }

    /// What the rows of FROM are sorted by.
    pub(super) fn inherited(&self) -> Result<Vec<SortExpr>> {
        sorts(&self.scope()?.order)
    }

    /// A SELECT that neither sorts nor gathers rows gives them as they come: the sort of FROM, as targets of its own. `on`: the targets of
    /// DISTINCT ON, which has the first row of each group then.
    pub(super) fn inherited_items(&mut self, targets: &mut Vec<Target>, on: &[usize]) -> Result<Vec<SortItem>> {
        let order = self.scope()?.order.clone();
        let constant =
            |at: &usize| targets.get(*at).is_none_or(|target| matches!(target.value.expr, Expr::Literal(..)));
        // Groups and windows stand in the lists of functions that give rows, too.
        let lists = || self.sets.iter().map(|set| &set.spreading.list);
        let spread = !find_aggregates(lists()).is_empty() || !find_windows(lists()).is_empty();
        if order.is_empty() || spread || on.iter().any(constant) || !find_aggregates(exprs_of(targets)).is_empty() {
            return Ok(Vec::new());
        }
        let keys = sorts(&order)?;
        let elsewhere = |window: &Expr| match window {
            Expr::WindowFunction(call) => {
                !call.params.partition_by.is_empty()
                    || !(call.params.order_by.is_empty() || call.params.order_by == keys)
            }
            _ => true,
        };
        if find_windows(exprs_of(targets)).iter().any(elsewhere) {
            return Ok(Vec::new());
        }
        let first = on.iter().map(|at| SortItem { target: *at, ascending: true, nulls_first: false });
        let mut items: Vec<SortItem> = first.collect();
        for OrderKey { value, ascending, nulls_first } in order {
            let known = targets.iter().position(|target| {
                target.value.expr == value.expr && target.value.pg.oid == value.pg.oid && target.value.unknown.is_none()
            });
            let target = known.unwrap_or_else(|| {
                targets.push(Target { name: "?order?".to_owned(), value });
                targets.len() - 1
            });
            if !items.iter().any(|item| item.target == target) {
                items.push(SortItem { target, ascending, nulls_first });
            }
        }
        Ok(items)
    }

    /// A window without ORDER BY goes over the rows as they come, where its function sees their order.
    pub(super) fn as_they_come(&self, window: &mut Window, source: &str) -> Result<()> {
        if !window.order.is_empty() || self.scope()?.grouped {
            return Ok(());
        }
        let order = self.inherited()?;
        if order.is_empty() {
            return Ok(());
        }
        let by_rows = window.frame.units == WindowFrameUnits::Rows;
        let moves = by_rows && !(window.frame.start_bound.is_unbounded() && window.frame.end_bound.is_unbounded());
        match source {
            "window_row_number" | "window_ntile" => window.frame = WindowFrame::new(Some(false)),
            _ if source.starts_with("window_lag") || source.starts_with("window_lead") => {
                window.frame = WindowFrame::new(Some(false));
            }
            // Without an order all rows are peers.
            "window_first_value" | "window_last_value" | "window_nth_value" if !by_rows => {
                window.frame = WindowFrame::new(None);
            }
            "window_first_value" | "window_last_value" | "window_nth_value" => {}
            _ if moves && !source.starts_with("window_") => {}
            _ => return Ok(()),
        }
        window.order = order;
        Ok(())
    }

    /// A plan with a column that tells its rows apart, as a key behind those that they are sorted by: what is made of one row stays together.
    pub(super) fn told_apart(&mut self, plan: LogicalPlan) -> Result<(LogicalPlan, Bound)> {
        let name = self.unique("?row");
        let number = numbered(Vec::new());
        let made = Column::new_unqualified(number.schema_name().to_string());
        let columns: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
        let exprs = columns.into_iter().chain([Expr::Column(made).alias(&name)]);
        let plan = LogicalPlanBuilder::window_plan(plan, vec![number])
            .and_then(|plan| LogicalPlanBuilder::from(plan).project(exprs).and_then(LogicalPlanBuilder::build))
            .map_err(from_datafusion)?;
        Ok((plan, Bound::with_arrow(column_expr(None, &name), PgType::INT8, DataType::UInt64)))
    }
}

/// Whether a SELECT may gather its rows: it has groups, or an aggregate stands in it or in a query within it.
pub(super) fn gathers(select: &Select, order: &[OrderByExpr]) -> bool {
    let listed =
        !matches!(&select.group_by, GroupByExpr::Expressions(exprs, more) if exprs.is_empty() && more.is_empty());
    let aggregate = |expr: &Ast| match expr {
        Ast::Function(call) if call.over.is_none() => {
            let name = call.name.0.last().and_then(|part| part.as_ident()).map(ident).unwrap_or_default();
            pg::functions(&name).iter().any(|function| function.kind == b'a')
        }
        _ => false,
    };
    let found = |expr: &Ast| if aggregate(expr) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    listed
        || select.having.is_some()
        || visit_expressions(&select.projection, found).is_break()
        || order.iter().any(|item| visit_expressions(&item.expr, found).is_break())
}

fn exprs_of(targets: &[Target]) -> impl Iterator<Item = &Expr> {
    targets.iter().map(|target| &target.value.expr)
}

/// Whether a plan is one row of nothing.
pub(super) fn is_one_row(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::EmptyRelation(empty) if empty.produce_one_row && *empty.schema.as_ref() == DFSchema::empty())
}
