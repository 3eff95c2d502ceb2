//! GROUP BY and the step from rows to groups.
//! Must not know: how a single aggregate is computed.

use crate::sql::ast::{Expr as Ast, GroupByExpr, GroupByWithModifier};
use datafusion::common::Column;
use datafusion::functions_aggregate::grouping::grouping_udaf;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr, GroupingSet, LogicalPlanBuilder, lit};

use super::super::coerce::AtPosition;
use super::super::errors::from_datafusion;
use super::super::held::constants_held;
use super::super::keys::group_key;
use super::super::value::Bound;
use super::from::ident;
use super::rebase::{Replacement, find_aggregates, rebase};
use super::select::Selecting;
use super::targets::Target;
use super::ungrouped::Ungrouped;
use super::{Binder, refuse};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

/// A bound GROUP BY.
#[derive(Debug, Clone, Default)]
pub(super) struct Groups {
    /// Whether there is a GROUP BY at all.
    pub(super) present: bool,
    /// The distinct grouping expressions.
    pub(super) keys: Vec<Bound>,
    /// The grouping sets over `keys`, by number; none for a plain GROUP BY.
    pub(super) sets: Option<Vec<Vec<usize>>>,
}

impl Groups {
    fn add(&mut self, key: Bound) -> usize {
        if let Some(known) = self.keys.iter().position(|known| known.expr == key.expr) {
            return known;
        }
        self.keys.push(key);
        self.keys.len() - 1
    }
}

impl Binder<'_> {
    /// Binds GROUP BY.
    pub(super) fn group_clause(&mut self, clause: &GroupByExpr, targets: &[Target]) -> Result<Groups> {
        let GroupByExpr::Expressions(exprs, modifiers) = clause else { return refuse("GROUP BY ALL") };
        if let Some(GroupByWithModifier::Rollup | GroupByWithModifier::Cube | GroupByWithModifier::Totals) =
            modifiers.first()
        {
            return refuse("GROUP BY ... WITH");
        }
        let mut groups = Groups { present: !exprs.is_empty(), ..Groups::default() };
        // The sets of each item; a plain expression is one set of one.
        let mut items: Vec<Vec<Vec<usize>>> = Vec::new();
        let mut plain = true;
        for ast in exprs {
            match ast {
                Ast::Rollup(levels) => {
                    plain = false;
                    let levels = self.key_lists(levels, targets, &mut groups)?;
                    let prefix = |n: usize| levels.iter().take(n).flatten().copied().collect::<Vec<_>>();
                    items.push((0..=levels.len()).rev().map(prefix).collect());
                }
                Ast::Cube(dimensions) => {
                    plain = false;
                    let dimensions = self.key_lists(dimensions, targets, &mut groups)?;
                    items.push(cube(&dimensions)?);
                }
                Ast::GroupingSets(sets) => {
                    plain = false;
                    items.push(self.key_lists(sets, targets, &mut groups)?);
                }
                Ast::Tuple(parts) => {
                    let keys = parts.iter().map(|part| self.key(part, targets)).collect::<Result<Vec<_>>>()?;
                    items.push(vec![keys.into_iter().map(|key| groups.add(key)).collect()]);
                }
                ast => {
                    let key = self.key(ast, targets)?;
                    items.push(vec![vec![groups.add(key)]]);
                }
            }
        }
        if !plain {
            groups.sets = Some(product(&items)?);
        }
        Ok(groups)
    }

    fn key_lists(&mut self, lists: &[Vec<Ast>], targets: &[Target], groups: &mut Groups) -> Result<Vec<Vec<usize>>> {
        lists
            .iter()
            .map(|list| {
                let keys = list.iter().map(|ast| self.key(ast, targets)).collect::<Result<Vec<_>>>()?;
                Ok(keys.into_iter().map(|key| groups.add(key)).collect())
            })
            .collect()
    }

    /// One grouping expression: a column of FROM first, then an output column's name or position, then an expression.
    fn key(&mut self, ast: &Ast, targets: &[Target]) -> Result<Bound> {
        if let Ast::Identifier(name) = ast
            && let Some(column) = self.scope()?.column(&ident(name))?
        {
            return Ok(column);
        }
        let listed = self.listed(ast, targets, targets.len(), "GROUP BY")?;
        let value = match listed.and_then(|at| targets.get(at)) {
            Some(target) => target.value.clone(),
            None => self.expr(ast)?,
        };
        if !find_aggregates(std::iter::once(&value.expr)).is_empty() {
            return Err(Error::client(SqlState::GROUPING_ERROR, "aggregate functions are not allowed in GROUP BY")
                .with_position_if(value.position));
        }
        self.typing.settle(value)
    }

    /// `GROUPING(...)`: which of its arguments the row's grouping set leaves out.
    pub(super) fn grouping(&mut self, args: Vec<Bound>, position: Option<u32>) -> Result<Bound> {
        if let Some(message) = super::aggregate::refused_in(self.clause) {
            let message = message.replace("aggregate functions", "grouping operations");
            return Err(Error::client(SqlState::GROUPING_ERROR, message).with_position_if(position));
        }
        self.grouping_places.extend(args.iter().filter_map(|arg| Some((arg.expr.clone(), arg.position?))));
        let args = args.into_iter().map(|arg| arg.expr).collect();
        let call = AggregateFunction::new_udf(grouping_udaf(), args, false, None, Vec::new(), None);
        Ok(Bound::new(Expr::AggregateFunction(call), PgType::INT4).at(position))
    }

    /// Groups the rows if there is anything to group for, and lets the targets read the groups.
    pub(super) fn aggregate_step(&mut self, selecting: &mut Selecting, groups: &Groups) -> Result<()> {
        let read = selecting.targets.iter().map(|target| &target.value.expr).chain(&selecting.having);
        let aggregates = find_aggregates(read);
        if aggregates.is_empty() && !groups.present && selecting.having.is_none() {
            return Ok(());
        }
        let mut keys: Vec<Expr> = Vec::new();
        let mut carried: Vec<(Expr, Expr)> = Vec::new();
        for key in &groups.keys {
            match group_key(key)? {
                None => keys.push(key.expr.clone()),
                Some(by) => {
                    carried.push((key.expr.clone(), super::super::aggregates::any_value(key.expr.clone())));
                    keys.push(by);
                }
            }
        }
        if !carried.is_empty() && groups.sets.is_some() {
            return refuse("GROUPING SETS over a type without a plain key");
        }
        let group_exprs = match &groups.sets {
            None => keys.clone(),
            Some(sets) => vec![Expr::GroupingSet(GroupingSet::GroupingSets(
                sets.iter().map(|set| set.iter().filter_map(|at| keys.get(*at).cloned()).collect()).collect(),
            ))],
        };
        for aggregate in &aggregates {
            self.check_grouping(aggregate, &keys)?;
        }
        let mut computed = aggregates.clone();
        if computed.is_empty() && keys.is_empty() {
            // HAVING alone makes one group of all rows.
            computed.push(super::super::aggregates::any_value(lit(true)));
        }
        computed.extend(carried.iter().map(|(_, first)| first.clone()));
        let named: Vec<Expr> =
            computed.iter().enumerate().map(|(at, expr)| expr.clone().alias(format!("?agg{at}?"))).collect();
        let rows = match &groups.sets {
            // A key that is a constant is NULL in the sets without it.
            Some(_) => constants_held(selecting.plan.clone()).map_err(from_datafusion)?,
            None => selecting.plan.clone(),
        };
        let plan = LogicalPlanBuilder::from(rows)
            .aggregate(group_exprs, named)
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?;
        let columns = plan.schema().columns();
        let mut replacements: Vec<Replacement> = Vec::new();
        for (key, column) in keys.iter().zip(&columns) {
            replacements.push(Replacement { from: key.clone(), to: Expr::Column(column.clone()) });
        }
        let first = columns.len() - computed.len();
        let values = aggregates.iter().chain(carried.iter().map(|(value, _)| value));
        for (value, column) in values.zip(columns.iter().skip(first)) {
            replacements.push(Replacement { from: value.clone(), to: Expr::Column(column.clone()) });
        }
        selecting.plan = plan;
        let scope = self.scope()?.clone();
        let schema = selecting.plan.schema().clone();
        for target in &mut selecting.targets {
            let made = rebase(target.value.expr.clone(), &replacements, &schema, &scope);
            target.value.expr = made.map_err(|wrong| self.not_grouped(wrong, groups))?;
        }
        if let Some(having) = selecting.having.take() {
            let condition = rebase(having, &replacements, &schema, &scope);
            let condition = condition.map_err(|wrong| self.not_grouped(wrong, groups))?;
            selecting.plan = LogicalPlanBuilder::from(selecting.plan.clone())
                .having(condition)
                .and_then(LogicalPlanBuilder::build)
                .map_err(from_datafusion)?;
        }
        Ok(())
    }
}

impl Binder<'_> {
    fn not_grouped(&mut self, (column, error): (Option<Column>, Error), groups: &Groups) -> Error {
        let keys = groups.keys.iter().map(|key| key.expr.clone()).collect();
        self.ungrouped = column.map(|column| Ungrouped { column, keys });
        error
    }
}

impl Binder<'_> {
    /// The arguments of GROUPING must be grouping expressions.
    fn check_grouping(&self, aggregate: &Expr, keys: &[Expr]) -> Result<()> {
        let Expr::AggregateFunction(call) = aggregate else { return Ok(()) };
        let wrong = call.params.args.iter().find(|arg| !keys.contains(arg)).filter(|_| call.func.name() == "grouping");
        let Some(wrong) = wrong else { return Ok(()) };
        let place = self.grouping_places.iter().find(|(arg, _)| arg == wrong).map(|(_, place)| *place);
        Err(Error::client(
            SqlState::GROUPING_ERROR,
            "arguments to GROUPING must be grouping expressions of the associated query level",
        )
        .with_position_if(place))
    }
}

fn cube(dimensions: &[Vec<usize>]) -> Result<Vec<Vec<usize>>> {
    if dimensions.len() > 12 {
        return Err(Error::client(SqlState::TOO_MANY_COLUMNS, "CUBE is limited to 12 elements"));
    }
    let count = 1_usize << dimensions.len();
    let set = |mask: usize| {
        let bit = |at: usize| mask & (1 << (dimensions.len() - 1 - at)) != 0;
        dimensions.iter().enumerate().filter(|(at, _)| bit(*at)).flat_map(|(_, keys)| keys.clone()).collect()
    };
    Ok((0..count).rev().map(set).collect())
}

/// The sets of several items: every combination.
fn product(items: &[Vec<Vec<usize>>]) -> Result<Vec<Vec<usize>>> {
    let mut sets: Vec<Vec<usize>> = vec![Vec::new()];
    for item in items {
        let mut next = Vec::new();
        for set in &sets {
            for more in item {
                let mut joined = set.clone();
                joined.extend(more.iter().filter(|key| !set.contains(key)));
                next.push(joined);
            }
        }
        if next.len() > 4096 {
            return Err(Error::client(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                "too many grouping sets present (maximum 4096)",
            ));
        }
        sets = next;
    }
    Ok(sets)
}
