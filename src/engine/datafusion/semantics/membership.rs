//! `x IN (SELECT ...)` with SQL's three truth values: NULL where a match is neither there nor excluded.
//! Must not know: what is read, how joins run.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, DataFusionError, Result, ScalarValue, Spans};
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, Case, Exists, InSubquery};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, lit,
};
use datafusion::optimizer::AnalyzerRule;

/// Rewrites the memberships that DataFusion's joins would answer with two truth values.
///
/// Its semi join is right where only truth counts. Its null-aware anti join is not: for a correlated NOT IN it forgets that NULLs belong to
/// the rows of their own correlation, and where the value turns out to be a constant the join's condition becomes one of the subquery
/// alone, which drops its NULLs. A membership inside another expression becomes a mark, which is false where SQL says NULL. All of these
/// are asked as EXISTS here, which has no third value.
#[derive(Debug)]
pub(super) struct Membership;

/// Where an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A condition that must be true: what is NULL may as well be false.
    Condition,
    /// An operand of OR in such a condition.
    Alternative,
    /// Anywhere else: NULL is told from false.
    Value,
}

/// How a subquery can be asked whether it has rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// In a filter: EXISTS.
    Predicate,
    /// Elsewhere DataFusion knows no EXISTS: the number of rows.
    Count,
}

impl AnalyzerRule for Membership {
    fn name(&self) -> &'static str {
        "membership"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|node| {
            let inputs = node.inputs();
            if inputs.is_empty() {
                return Ok(Transformed::no(node));
            }
            let schema = merge_schema(&inputs);
            let (place, form) = match &node {
                LogicalPlan::Filter(_) => (Place::Condition, Form::Predicate),
                _ => (Place::Value, Form::Count),
            };
            let names = NamePreserver::new(&node);
            let changed = node.map_expressions(|expr| {
                let name = names.save(&expr);
                let changed = rewrite(expr, place, form, &schema)?;
                let restore = changed.transformed;
                Ok(changed.update_data(|expr| if restore { name.restore(expr) } else { expr }))
            })?;
            if changed.transformed { changed.map_data(LogicalPlan::recompute_schema) } else { Ok(changed) }
        })?;
        Ok(rewritten.data)
    }
}

fn rewrite(expr: Expr, place: Place, form: Form, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right })
            if place != Place::Value =>
        {
            let place = if op == Operator::Or { Place::Alternative } else { place };
            let left = rewrite(*left, place, form, schema)?;
            let right = rewrite(*right, place, form, schema)?;
            let changed = left.transformed || right.transformed;
            let both = BinaryExpr { left: Box::new(left.data), op, right: Box::new(right.data) };
            Ok(Transformed::new_transformed(Expr::BinaryExpr(both), changed))
        }
        Expr::Not(inner) if matches!(*inner, Expr::InSubquery(_)) => {
            let Expr::InSubquery(inside) = *inner else { return Ok(Transformed::no(Expr::Not(inner))) };
            let negated = !inside.negated;
            let settled = member(InSubquery { negated, ..inside }, place, form, schema)?;
            Ok(Transformed::yes(settled.data))
        }
        Expr::InSubquery(inside) => member(inside, place, form, schema),
        other => other.map_children(|child| rewrite(child, Place::Value, form, schema)),
    }
}

fn member(inside: InSubquery, place: Place, form: Form, schema: &DFSchema) -> Result<Transformed<Expr>> {
    // A semi join, and a mark join whose mark need not be NULL.
    if !inside.negated && place != Place::Value {
        return Ok(Transformed::no(Expr::InSubquery(inside)));
    }
    let InSubquery { expr, subquery, negated } = inside;
    let nullable = (expr.nullable(schema)?, subquery.subquery.schema().field(0).is_nullable());
    let equal = equality(*expr.clone(), &subquery.subquery, schema)?;
    let matches = |condition: Expr| rows_where(&subquery.subquery, condition, form);
    let answer = match (place, nullable) {
        (_, (false, false)) => {
            let found = matches(equal)?;
            if negated { not(found) } else { found }
        }
        (Place::Condition, _) if subquery.outer_ref_columns.is_empty() => {
            not(matches(equal)?).and(nothing_unknown(*expr, nullable, &subquery.subquery)?)
        }
        (Place::Condition | Place::Alternative, _) => not(matches(equal.is_not_false())?),
        (Place::Value, _) => {
            let null = Expr::Literal(ScalarValue::Boolean(None), None);
            let found = matches(equal.clone())?;
            let unknown = matches(equal.is_null())?;
            Expr::Case(Case {
                expr: None,
                when_then_expr: vec![(Box::new(found), Box::new(lit(!negated))), (Box::new(unknown), Box::new(null))],
                else_expr: Some(Box::new(lit(negated))),
            })
        }
    };
    Ok(Transformed::yes(answer))
}

/// No comparison with a row of the plan is NULL. Asked apart from the comparisons, so that those can be a hash join.
fn nothing_unknown(value: Expr, (value_nullable, member_nullable): (bool, bool), plan: &LogicalPlan) -> Result<Expr> {
    let (qualifier, field) = plan.schema().qualified_field(0);
    let member = Expr::Column(Column::new(qualifier.cloned(), field.name()));
    let mut known = lit(true);
    if member_nullable {
        known = known.and(not(rows_where(plan, member.is_null(), Form::Count)?));
    }
    if value_nullable {
        known = known.and(value.is_not_null().or(not(rows_where(plan, lit(true), Form::Count)?)));
    }
    Ok(known)
}

fn not(expr: Expr) -> Expr {
    match expr {
        Expr::Exists(exists) => Expr::Exists(Exists { negated: !exists.negated, ..exists }),
        other => Expr::Not(Box::new(other)),
    }
}

/// The comparison, as it stands inside the subquery.
fn equality(value: Expr, inside: &LogicalPlan, schema: &DFSchema) -> Result<Expr> {
    let outer = value.transform(|expr| match expr {
        Expr::Column(column) => {
            let (qualifier, field) = schema.qualified_field_from_column(&column)?;
            let outer = Expr::OuterReferenceColumn(Arc::clone(field), Column::new(qualifier.cloned(), field.name()));
            Ok(Transformed::yes(outer))
        }
        Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) => {
            Err(DataFusionError::NotImplemented("a subquery before IN (subquery)".into()))
        }
        other => Ok(Transformed::no(other)),
    })?;
    let (qualifier, field) = inside.schema().qualified_field(0);
    Ok(outer.data.eq(Expr::Column(Column::new(qualifier.cloned(), field.name()))))
}

/// Whether the plan has rows of which the condition is true.
fn rows_where(plan: &LogicalPlan, condition: Expr, form: Form) -> Result<Expr> {
    let filtered = LogicalPlanBuilder::from(plan.clone()).filter(condition)?;
    Ok(match form {
        Form::Predicate => Expr::Exists(Exists { subquery: subquery(filtered.build()?), negated: false }),
        Form::Count => {
            let rows = AggregateFunction::new_udf(count_udaf(), vec![lit(1_i64)], false, None, Vec::new(), None);
            let counted = filtered
                .aggregate(Vec::<Expr>::new(), vec![Expr::AggregateFunction(rows).alias("?members?")])?
                .build()?;
            Expr::ScalarSubquery(subquery(counted)).gt(lit(0_i64))
        }
    })
}

fn subquery(plan: LogicalPlan) -> Subquery {
    let outer_ref_columns = plan.all_out_ref_exprs();
    Subquery { subquery: Arc::new(plan), outer_ref_columns, spans: Spans::new() }
}
