//! SELECT: the order in which its clauses become a plan.
//! Must not know: how each clause is bound.

use crate::sql::ast::{Distinct, NamedWindowExpr, OrderByExpr, Select};
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use super::super::errors::from_datafusion;
use super::super::value::Bound;
use super::from::{Source, ident};
use super::order::SortItem;
use super::query::Limits;
use super::set_function::SetColumn;
use super::targets::{Target, outputs, unique_names};
use super::{Binder, Clause, Relation, refuse};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

/// A select in the making.
pub(super) struct Selecting {
    pub(super) plan: LogicalPlan,
    /// The select list, then what ORDER BY needs besides.
    pub(super) targets: Vec<Target>,
    pub(super) having: Option<Expr>,
}

/// What is done with the rows of a select list.
struct Shape<'s> {
    /// How many of the targets are shown.
    visible: usize,
    sorts: &'s [SortItem],
    /// The targets of DISTINCT ON.
    on: Vec<usize>,
    distinct: bool,
    limits: &'s Limits,
}

impl Binder<'_> {
    /// Binds a SELECT with the ORDER BY and the LIMIT that belong to it.
    pub(super) fn select(
        &mut self,
        select: &Select,
        order: &[OrderByExpr],
        limits: &Limits,
        settle: bool,
    ) -> Result<Relation> {
        refuse_odd_clauses(select)?;
        let outer_windows = std::mem::take(&mut self.windows);
        let outer_sets = std::mem::take(&mut self.sets);
        let outer_clause = std::mem::replace(&mut self.clause, Clause::Select);
        self.ranges.enter();
        let result = self.sources(&select.from).and_then(|Source { plan, mut scope }| {
            scope.grouped = super::ordered::gathers(select, order);
            self.scopes.push(scope);
            let result = self.select_in_scope(plan, select, order, limits, settle);
            self.scopes.pop();
            result
        });
        self.ranges.leave();
        self.windows = outer_windows;
        self.sets = outer_sets;
        self.clause = outer_clause;
        result
    }

    fn select_in_scope(
        &mut self,
        plan: LogicalPlan,
        select: &Select,
        order: &[OrderByExpr],
        limits: &Limits,
        settle: bool,
    ) -> Result<Relation> {
        self.name_windows(select)?;
        let mut plan = plan;
        if let Some(condition) = &select.selection {
            let condition = self.within(Clause::Where, |binder| binder.where_condition(condition, "WHERE"))?;
            plan = LogicalPlanBuilder::from(plan)
                .filter(condition)
                .and_then(LogicalPlanBuilder::build)
                .map_err(from_datafusion)?;
        }
        let mut targets = self.targets(&select.projection)?;
        let having = match &select.having {
            None => None,
            Some(having) => Some(self.within(Clause::Having, |binder| binder.condition(having, "HAVING"))?),
        };
        let distinct = !matches!(select.distinct, None | Some(Distinct::All));
        let visible = targets.len();
        let listed = matches!(select.distinct, Some(Distinct::Distinct));
        let sorts = self.within(Clause::OrderBy, |binder| binder.sort_items(order, &mut targets, listed))?;
        let groups = self.within(Clause::GroupBy, |binder| binder.group_clause(&select.group_by, &targets))?;
        let on = self.distinct_on(select, &mut targets, &sorts)?;
        let gathers = groups.present || having.is_some() || (distinct && on.is_empty());
        let comes_as_is = sorts.is_empty() && !gathers && !limits.ties;
        let mut sorts = if comes_as_is { self.inherited_items(&mut targets, &on)? } else { sorts };
        self.check_naming(limits, None)?;
        if settle || distinct {
            for target in &mut targets {
                target.value = self.typing.settle(target.value.clone())?;
            }
        }
        let sets = std::mem::take(&mut self.sets);
        let names: Vec<String> = sets.iter().map(|set| set.spreading.name.clone()).collect();
        let of_set = |name: &String| names.contains(name);
        let grouped = |key: &Bound| {
            key.expr.exists(|expr| Ok(matches!(expr, Expr::Column(column) if of_set(&column.name)))).unwrap_or(true)
        };
        if groups.keys.iter().any(grouped) {
            return refuse("GROUP BY over a function that gives rows");
        }
        // Windows see the rows from before: the lists go with the targets until then.
        let bound = targets.len();
        targets.extend(sets.iter().map(|set| Target {
            name: set.spreading.name.clone(),
            value: Bound::new(set.spreading.list.clone(), PgType::RECORD),
        }));
        let mut selecting = Selecting { plan, targets, having };
        // Groups are made before rows are: the lists are computed of groups, and spread behind them.
        super::set_function::set_aside(&mut selecting.targets, &sets, true)?;
        self.aggregate_step(&mut selecting, &groups).map_err(|error| self.at_ungrouped(error, select, order))?;
        super::set_function::set_aside(&mut selecting.targets, &sets, false)?;
        self.window_step(&mut selecting)?;
        let lists = selecting.targets.split_off(bound).into_iter();
        let sets: Vec<SetColumn> = sets.into_iter().zip(lists).map(|(set, list)| set.over(list.value.expr)).collect();
        // The rows that one row becomes stay together, in their order.
        let of_rows =
            |item: &SortItem| selecting.targets.get(item.target).is_some_and(|target| !grouped(&target.value));
        let kept = !sets.is_empty() && !distinct && !sorts.is_empty() && sorts.iter().all(of_rows);
        let mut beside = Vec::new();
        if kept && !super::ordered::is_one_row(&selecting.plan) {
            let (plan, row) = self.told_apart(selecting.plan)?;
            selecting.plan = plan;
            beside.push(row);
        }
        let (plan, places) = self.spread_levels(selecting.plan, sets, kept)?;
        selecting.plan = plan;
        for value in beside.into_iter().chain(places) {
            sorts.push(SortItem { target: selecting.targets.len(), ascending: true, nulls_first: false });
            selecting.targets.push(Target { name: "?order?".to_owned(), value });
        }
        self.finish(selecting, Shape { visible, sorts: &sorts, on, distinct, limits })
    }

    fn name_windows(&mut self, select: &Select) -> Result<()> {
        for definition in &select.named_window {
            let name = ident(&definition.0);
            let NamedWindowExpr::WindowSpec(spec) = &definition.1 else {
                return refuse("a window that names a window");
            };
            if self.windows.iter().any(|(known, _)| *known == name) {
                return Err(Error::client(SqlState::WINDOWING_ERROR, format!("window \"{name}\" is already defined")));
            }
            self.windows.push((name, spec.clone()));
        }
        Ok(())
    }

    /// Projection, DISTINCT, ORDER BY, LIMIT, and the projection that drops what only ORDER BY needed.
    fn finish(&mut self, selecting: Selecting, shape: Shape<'_>) -> Result<Relation> {
        let Shape { visible, sorts, on, distinct, limits } = shape;
        let Selecting { plan, targets, .. } = selecting;
        let mut names = unique_names(&targets);
        if self.subqueries > 0 {
            names.iter_mut().for_each(|name| name.push('?'));
        }
        let exprs = targets.iter().zip(&names).map(|(target, name)| named(&target.value, name)).collect::<Vec<_>>();
        let mut plan = LogicalPlanBuilder::from(plan)
            .project(exprs)
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?;
        let mut columns = outputs(targets, &names);
        if distinct && on.is_empty() {
            plan = self.distinct(plan, &columns)?;
        }
        let keys = super::order::keys(sorts, &columns);
        let order = super::ordered::sorts(&keys)?;
        if !on.is_empty() {
            plan = super::order::distinct_on(plan, &on, &columns, &order)?;
        }
        columns.truncate(visible);
        let mut relation = Relation { plan, columns, sorted: order.is_empty(), order: keys };
        let mut limits = limits.clone();
        if limits.ties {
            relation = relation.in_order()?;
            relation.plan = super::query::with_ties(relation.plan, &order, &mut limits)?;
        }
        super::query::apply_limits(relation, &limits)
    }
}

/// A value as an output column of a plan, with its PostgreSQL type in the field's metadata.
pub(super) fn named(value: &Bound, name: &str) -> Expr {
    super::super::cast::tagged(value.expr.clone(), value.pg, name)
}

fn refuse_odd_clauses(select: &Select) -> Result<()> {
    if select.into.is_some() {
        return refuse("SELECT INTO");
    }
    let odd = select.top.is_some()
        || !select.lateral_views.is_empty()
        || select.prewhere.is_some()
        || !select.connect_by.is_empty()
        || !select.cluster_by.is_empty()
        || !select.distribute_by.is_empty()
        || !select.sort_by.is_empty()
        || select.qualify.is_some()
        || select.value_table_mode.is_some()
        || select.exclude.is_some()
        || select.select_modifiers.is_some();
    if odd {
        return Err(Error::client(SqlState::SYNTAX_ERROR, "syntax error in a clause that PostgreSQL does not have"));
    }
    Ok(())
}
