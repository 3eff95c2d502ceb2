//! A subquery for many sets of outer values at once: the sets become a relation that the subquery's plan is joined with, so that it
//! runs once and tells of each row which set it is for.
//! Must not know: what is done with the rows.
//!
//! What cannot be lifted so (a window, a FULL JOIN, an anti join that minds NULLs) runs set by set.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, Result, ScalarValue};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::functions_window::row_number::row_number_udwf;
use datafusion::logical_expr::expr::{WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::{Aggregate, FetchType, Filter, Limit, Projection, SkipType, Sort, Unnest};
use datafusion::logical_expr::{
    Distinct, Expr, Join, LogicalPlan, LogicalPlanBuilder, SortExpr, TableSource, Union, Values, WindowFrame,
    WindowFunctionDefinition, lit, when,
};

/// The column that numbers the sets.
const SET: &str = "?set";

/// A plan over many sets: its own columns, and those of the sets.
struct Lifted {
    plan: LogicalPlan,
    /// Which set a row is for.
    set: Column,
    /// The outer values of that set.
    values: Vec<Column>,
}

/// What lifts plans over these sets.
struct Lifter<'a> {
    names: &'a [String],
    sets: Arc<dyn TableSource>,
    taken: usize,
}

/// The plan for all sets: a column that numbers them from 0, and the first column of the plan, if it has any. None where it cannot be lifted.
pub(super) fn lifted(
    plan: &LogicalPlan,
    names: &[String],
    columns: &[DataType],
    sets: &[Vec<ScalarValue>],
) -> Result<Option<LogicalPlan>> {
    let value = plan.schema().columns().into_iter().next();
    let mut lifter = Lifter { names, sets: relation(names, columns, sets)?, taken: 0 };
    let Some(lifted) = lifter.lift(plan)? else { return Ok(None) };
    let mut exprs = vec![Expr::Column(lifted.set).alias(SET)];
    exprs.extend(value.map(|value| Expr::Column(value).alias("?value")));
    LogicalPlanBuilder::from(lifted.plan).project(exprs)?.build().map(Some)
}

/// The sets as a relation: their numbers, then their values under the placeholders' names.
fn relation(names: &[String], columns: &[DataType], sets: &[Vec<ScalarValue>]) -> Result<Arc<dyn TableSource>> {
    let mut fields = vec![Field::new(SET, DataType::UInt32, false)];
    let mut arrays: Vec<ArrayRef> = vec![Arc::new((0..sets.len() as u32).collect::<UInt32Array>())];
    for (at, (name, form)) in names.iter().zip(columns).enumerate() {
        let of_set = |set: &Vec<ScalarValue>| set.get(at).cloned().map_or_else(|| ScalarValue::try_from(form), Ok);
        let values = sets.iter().map(of_set).collect::<Result<Vec<_>>>()?;
        fields.push(Field::new(name, form.clone(), true));
        arrays.push(ScalarValue::iter_to_array(values)?);
    }
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)?;
    Ok(provider_as_source(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?)))
}

impl Lifter<'_> {
    /// The place of a placeholder among the outer values.
    fn place(&self, expr: &Expr) -> Option<usize> {
        let Expr::Placeholder(found) = expr else { return None };
        self.names.iter().position(|name| *name == found.id)
    }

    fn in_expr(&self, expr: &Expr) -> bool {
        expr.exists(|expr| Ok(self.place(expr).is_some())).unwrap_or(true)
    }

    /// Whether a plan reads an outer value anywhere.
    fn reads(&self, plan: &LogicalPlan) -> Result<bool> {
        let mut found = false;
        plan.apply_with_subqueries(|node| {
            node.apply_expressions(|expr| {
                found |= self.in_expr(expr);
                Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })?;
        Ok(found)
    }

    /// The sets, under names of their own.
    fn fresh(&mut self) -> Result<Lifted> {
        self.taken += 1;
        let named = |name: &str| format!("{name}?{}", self.taken);
        let of = format!("?sets{}", self.taken);
        let columns: Vec<&str> = std::iter::once(SET).chain(self.names.iter().map(String::as_str)).collect();
        let exprs = columns.iter().map(|name| Expr::Column(Column::new(Some(of.clone()), *name)).alias(named(name)));
        let exprs: Vec<Expr> = exprs.collect();
        let plan = LogicalPlanBuilder::scan(of.clone(), Arc::clone(&self.sets), None)?.project(exprs)?.build()?;
        let set = Column::new_unqualified(named(SET));
        let values = self.names.iter().map(|name| Column::new_unqualified(named(name))).collect();
        Ok(Lifted { plan, set, values })
    }

    /// Every set beside every row of a plan that reads no outer value.
    fn beside(&mut self, plan: &LogicalPlan) -> Result<Lifted> {
        let Lifted { plan: sets, set, values } = self.fresh()?;
        let plan = LogicalPlanBuilder::from(sets).cross_join(plan.clone())?.build()?;
        Ok(Lifted { plan, set, values })
    }

    fn lift(&mut self, plan: &LogicalPlan) -> Result<Option<Lifted>> {
        if !self.reads(plan)? {
            return self.beside(plan).map(Some);
        }
        let lifted = match plan {
            LogicalPlan::Projection(node) => self.projection(node)?,
            LogicalPlan::Filter(node) => self.filter(node)?,
            LogicalPlan::SubqueryAlias(node) => {
                let Some(input) = self.lift(&node.input)? else { return Ok(None) };
                let plan = LogicalPlanBuilder::from(input.plan).alias(node.alias.clone())?.build()?;
                let under = |column: Column| Column::new(Some(node.alias.clone()), column.name);
                let values = input.values.into_iter().map(under).collect();
                Some(Lifted { plan, set: Column::new(Some(node.alias.clone()), input.set.name), values })
            }
            LogicalPlan::Join(node) => self.join(node)?,
            LogicalPlan::Aggregate(node) => self.aggregate(node)?,
            LogicalPlan::Sort(node) => {
                let lifted = self.lift(&node.input)?;
                self.sorted(lifted, &node.expr, (0, node.fetch))?
            }
            LogicalPlan::Limit(node) => self.limit(node)?,
            LogicalPlan::Distinct(Distinct::All(input)) => self
                .lift(input)?
                .map(|input| Lifted { plan: LogicalPlan::Distinct(Distinct::All(Arc::new(input.plan))), ..input }),
            LogicalPlan::Union(node) => self.union(node)?,
            LogicalPlan::Unnest(node) => self.unnest(node)?,
            LogicalPlan::Values(node) => self.values(node)?,
            _ => None,
        };
        // A node that names its columns otherwise than it did is none that those above it know.
        let keeps = |lifted: &Lifted| plan.schema().columns().iter().all(|c| lifted.plan.schema().has_column(c));
        Ok(lifted.filter(keeps))
    }

    /// An expression over the sets' values; none where a subquery inside of it reads them.
    fn over(&self, expr: &Expr, values: &[Column]) -> Result<Option<Expr>> {
        let inside = |expr: &Expr| match expr {
            Expr::ScalarSubquery(query) => self.reads(&query.subquery),
            Expr::Exists(exists) => self.reads(&exists.subquery.subquery),
            Expr::InSubquery(query) => self.reads(&query.subquery.subquery),
            Expr::SetComparison(query) => self.reads(&query.subquery.subquery),
            _ => Ok(false),
        };
        if expr.exists(inside)? {
            return Ok(None);
        }
        let replaced = expr.clone().transform(|expr| {
            let column = self.place(&expr).and_then(|at| values.get(at));
            Ok(match column {
                Some(column) => Transformed::yes(Expr::Column(column.clone())),
                None => Transformed::no(expr),
            })
        })?;
        Ok(Some(replaced.data))
    }

    /// Expressions over the sets' values under the names that they had.
    fn named(&self, exprs: &[Expr], values: &[Column]) -> Result<Option<Vec<Expr>>> {
        let names = NamePreserver::new_for_projection();
        let over = |expr: &Expr| {
            let name = names.save(expr);
            Ok(self.over(expr, values)?.map(|made| if made == *expr { made } else { name.restore(made) }))
        };
        exprs.iter().map(over).collect()
    }

    fn projection(&mut self, node: &Projection) -> Result<Option<Lifted>> {
        let Some(input) = self.lift(&node.input)? else { return Ok(None) };
        let Some(mut exprs) = self.named(&node.expr, &input.values)? else { return Ok(None) };
        exprs.extend(std::iter::once(&input.set).chain(&input.values).cloned().map(Expr::Column));
        let plan = LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(input.plan))?);
        Ok(Some(Lifted { plan, ..input }))
    }

    fn filter(&mut self, node: &Filter) -> Result<Option<Lifted>> {
        let Some(input) = self.lift(&node.input)? else { return Ok(None) };
        let Some(predicate) = self.over(&node.predicate, &input.values)? else { return Ok(None) };
        let plan = LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(input.plan))?);
        Ok(Some(Lifted { plan, ..input }))
    }

    fn limit(&mut self, node: &Limit) -> Result<Option<Lifted>> {
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) = (node.get_skip_type()?, node.get_fetch_type()?)
        else {
            return Ok(None);
        };
        match &*node.input {
            LogicalPlan::Sort(sort) => {
                let of_sort = sort.fetch.map(|first| first.saturating_sub(skip));
                let fetch = fetch.into_iter().chain(of_sort).min();
                let input = self.lift(&sort.input)?;
                self.sorted(input, &sort.expr, (skip, fetch))
            }
            input => {
                let input = self.lift(input)?;
                self.sorted(input, &[], (skip, fetch))
            }
        }
    }

    /// Rows in an order, of each set only those after the first so many, and no more than so many.
    fn sorted(
        &mut self,
        input: Option<Lifted>,
        order: &[SortExpr],
        (skip, fetch): (usize, Option<usize>),
    ) -> Result<Option<Lifted>> {
        let Some(Lifted { mut plan, set, values }) = input else { return Ok(None) };
        let mut expr = Vec::new();
        for item in order {
            let Some(over) = self.over(&item.expr, &values)? else { return Ok(None) };
            expr.push(over.sort(item.asc, item.nulls_first));
        }
        if skip > 0 || fetch.is_some() {
            let number = numbered(&set, expr.clone());
            let name = Column::new_unqualified(number.schema_name().to_string());
            let above = |count: usize| lit(u64::try_from(count).unwrap_or(u64::MAX));
            let mut wanted = Expr::Column(name.clone()).gt(above(skip));
            if let Some(fetch) = fetch {
                wanted = wanted.and(Expr::Column(name).lt_eq(above(skip.saturating_add(fetch))));
            }
            plan = LogicalPlanBuilder::from(plan).window(vec![number])?.filter(wanted)?.build()?;
        }
        if !expr.is_empty() {
            plan = LogicalPlan::Sort(Sort { expr, input: Arc::new(plan), fetch: None });
        }
        Ok(Some(Lifted { plan, set, values }))
    }

    fn join(&mut self, node: &Join) -> Result<Option<Lifted>> {
        use JoinType::{Inner, Left, LeftAnti, LeftMark, LeftSemi};
        if node.null_aware || !matches!(node.join_type, Inner | Left | LeftSemi | LeftAnti | LeftMark) {
            return Ok(None);
        }
        let Some(left) = self.lift(&node.left)? else { return Ok(None) };
        let mut on = Vec::new();
        for (l, r) in &node.on {
            if self.in_expr(r) {
                return Ok(None);
            }
            let Some(l) = self.over(l, &left.values)? else { return Ok(None) };
            on.push((l, r.clone()));
        }
        let filter = match &node.filter {
            None => None,
            Some(filter) => match self.over(filter, &left.values)? {
                None => return Ok(None),
                some => some,
            },
        };
        let right = if self.reads(&node.right)? {
            let Some(right) = self.lift(&node.right)? else { return Ok(None) };
            on.push((Expr::Column(left.set.clone()), Expr::Column(right.set)));
            Arc::new(right.plan)
        } else {
            Arc::clone(&node.right)
        };
        let (kind, constraint, nulls) = (node.join_type, node.join_constraint, node.null_equality);
        let join = Join::try_new(Arc::new(left.plan), right, on, filter, kind, constraint, nulls, false)?;
        Ok(Some(Lifted { plan: LogicalPlan::Join(join), set: left.set, values: left.values }))
    }

    fn aggregate(&mut self, node: &Aggregate) -> Result<Option<Lifted>> {
        let sets = node.group_expr.iter().any(|expr| matches!(expr, Expr::GroupingSet(_)) || self.in_expr(expr));
        if sets {
            return Ok(None);
        }
        let Some(input) = self.lift(&node.input)? else { return Ok(None) };
        let Some(computed) = self.named(&node.aggr_expr, &input.values)? else { return Ok(None) };
        let mut groups = node.group_expr.clone();
        groups.extend(std::iter::once(&input.set).chain(&input.values).cloned().map(Expr::Column));
        let plan = LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(input.plan), groups, computed)?);
        let lifted = Lifted { plan, set: input.set, values: input.values };
        if node.group_expr.is_empty() { self.with_empty(node, lifted) } else { Ok(Some(lifted)) }
    }

    /// An aggregate without groups gives a row for every set, also where there was nothing to aggregate.
    fn with_empty(&mut self, node: &Aggregate, lifted: Lifted) -> Result<Option<Lifted>> {
        let all = self.fresh()?;
        let on = Expr::Column(all.set.clone()).eq(Expr::Column(lifted.set.clone()));
        let plan = LogicalPlanBuilder::from(all.plan).join_on(lifted.plan, JoinType::Left, [on])?.build()?;
        let mut exprs = Vec::new();
        for (expr, (qualifier, field)) in node.aggr_expr.iter().zip(node.schema.iter()) {
            let Expr::AggregateFunction(function) = unaliased(expr) else { return Ok(None) };
            let empty = function.func.default_value(field.data_type())?;
            let there = Expr::Column(lifted.set.clone()).is_not_null();
            let value = Expr::Column(Column::new(qualifier.cloned(), field.name()));
            let value = if empty.is_null() { value } else { when(there, value).otherwise(lit(empty))? };
            exprs.push(value.alias_qualified(qualifier.cloned(), field.name()));
        }
        exprs.extend(std::iter::once(&all.set).chain(&all.values).cloned().map(Expr::Column));
        let plan = LogicalPlanBuilder::from(plan).project(exprs)?.build()?;
        Ok(Some(Lifted { plan, set: all.set, values: all.values }))
    }

    /// Arms over the sets, with the same columns in the same order.
    fn union(&mut self, node: &Union) -> Result<Option<Lifted>> {
        let mut arms = Vec::new();
        for input in &node.inputs {
            let Some(lifted) = self.lift(input)? else { return Ok(None) };
            arms.push((input.schema().columns(), lifted));
        }
        self.united(arms, &node.schema.columns())
    }

    /// The rows of VALUES, each an arm.
    fn values(&mut self, node: &Values) -> Result<Option<Lifted>> {
        let names = node.schema.columns();
        let mut arms = Vec::new();
        for row in &node.values {
            let Lifted { plan, set, values } = self.fresh()?;
            let mut exprs = Vec::new();
            for (cell, column) in row.iter().zip(&names) {
                let Some(over) = self.over(cell, &values)? else { return Ok(None) };
                exprs.push(over.alias_qualified(column.relation.clone(), &column.name));
            }
            exprs.extend(std::iter::once(&set).chain(&values).cloned().map(Expr::Column));
            let plan = LogicalPlanBuilder::from(plan).project(exprs)?.build()?;
            arms.push((names.clone(), Lifted { plan, set, values }));
        }
        self.united(arms, &names)
    }

    fn united(&mut self, arms: Vec<(Vec<Column>, Lifted)>, names: &[Column]) -> Result<Option<Lifted>> {
        self.taken += 1;
        let named = |name: &str| format!("{name}?{}", self.taken);
        let mut inputs = Vec::new();
        for (columns, arm) in arms {
            let own = columns.into_iter().zip(names);
            let mut exprs: Vec<Expr> = own
                .map(|(column, name)| Expr::Column(column).alias_qualified(name.relation.clone(), &name.name))
                .collect();
            exprs.push(Expr::Column(arm.set).alias(named(SET)));
            exprs.extend(
                arm.values.into_iter().zip(self.names).map(|(column, name)| Expr::Column(column).alias(named(name))),
            );
            inputs.push(Arc::new(LogicalPlanBuilder::from(arm.plan).project(exprs)?.build()?));
        }
        let plan = match inputs.as_slice() {
            [] => return Ok(None),
            [only] => only.as_ref().clone(),
            _ => LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?),
        };
        let set = Column::new_unqualified(named(SET));
        let values = self.names.iter().map(|name| Column::new_unqualified(named(name))).collect();
        Ok(Some(Lifted { plan, set, values }))
    }

    fn unnest(&mut self, node: &Unnest) -> Result<Option<Lifted>> {
        let Some(input) = self.lift(&node.input)? else { return Ok(None) };
        let plan = LogicalPlanBuilder::from(input.plan)
            .unnest_columns_with_options(node.exec_columns.clone(), node.options.clone())?
            .build()?;
        Ok(Some(Lifted { plan, ..input }))
    }
}

/// Numbers the rows of each set in an order.
fn numbered(set: &Column, order: Vec<SortExpr>) -> Expr {
    let params = WindowFunctionParams {
        args: Vec::new(),
        partition_by: vec![Expr::Column(set.clone())],
        window_frame: WindowFrame::new((!order.is_empty()).then_some(false)),
        order_by: order,
        filter: None,
        null_treatment: None,
        distinct: false,
    };
    let fun = WindowFunctionDefinition::WindowUDF(row_number_udwf());
    Expr::WindowFunction(Box::new(WindowFunction { fun, params }))
}

fn unaliased(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => unaliased(&alias.expr),
        other => other,
    }
}
