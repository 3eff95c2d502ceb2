//! Whether a query's rows can be read backward without being asked for it: PostgreSQL's rule for a cursor that says neither SCROLL nor
//! NO SCROLL, as far as a query tells how PostgreSQL would run it.
//! Must not know: what exists; how anything runs here.
//!
//! PostgreSQL asks the plan: scans, sorts, limits and what merely passes rows on can go backward; joins, aggregates, window functions,
//! set-returning target lists and plans that read nothing cannot. A sort at the top hides what is below it.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CteAsMaterialized, Distinct, Expr, Function, GroupByExpr, OrderByKind, Query, Select, SetExpr, SetOperator,
    SetQuantifier, TableFactor, TableWithJoins, Value, Visit, Visitor,
};

use super::functions::{Class, class_of};
use super::scope::{folded, parts};

/// Whether PostgreSQL would let a cursor over this query scroll.
#[must_use]
pub fn scrolls(query: &Query) -> bool {
    query.locks.is_empty() && goes_back(query, &[])
}

fn goes_back(query: &Query, around: &[&Query]) -> bool {
    let mut scope = around.to_vec();
    scope.push(query);
    let sorted = query.order_by.as_ref().is_some_and(|order| match &order.kind {
        OrderByKind::Expressions(list) => !list.is_empty(),
        OrderByKind::All(_) => true,
    });
    match query.body.as_ref() {
        SetExpr::Select(select) if sorted => !select.from.is_empty() && !is_one_group(select),
        SetExpr::Query(inner) if sorted => !matches!(inner.body.as_ref(), SetExpr::SetOperation { .. }),
        SetExpr::SetOperation { .. } if sorted => false,
        body => body_goes_back(body, &scope),
    }
}

fn body_goes_back(body: &SetExpr, scope: &[&Query]) -> bool {
    match body {
        SetExpr::Select(select) => select_goes_back(select, scope),
        SetExpr::Query(query) => goes_back(query, scope),
        SetExpr::SetOperation { op: SetOperator::Union, set_quantifier: SetQuantifier::All, left, right } => {
            body_goes_back(left, scope) && body_goes_back(right, scope)
        }
        SetExpr::Values(_) | SetExpr::Table(_) => true,
        _ => false,
    }
}

fn select_goes_back(select: &Select, scope: &[&Query]) -> bool {
    let [from] = select.from.as_slice() else { return false };
    let distinct = matches!(select.distinct, Some(Distinct::Distinct | Distinct::On(_)));
    if distinct || is_grouped(select) || select.having.is_some() || reads_nothing(select) {
        return false;
    }
    !calls(&select.projection, |_| true) && !joins(select) && from_goes_back(from, scope)
}

fn is_grouped(select: &Select) -> bool {
    !matches!(&select.group_by, GroupByExpr::Expressions(list, _) if list.is_empty())
}

/// One group without GROUP BY: one row, which PostgreSQL does not sort.
fn is_one_group(select: &Select) -> bool {
    !is_grouped(select) && calls(&select.projection, |class| class == Class::Aggregate)
}

fn from_goes_back(from: &TableWithJoins, scope: &[&Query]) -> bool {
    if !from.joins.is_empty() {
        return false;
    }
    match &from.relation {
        TableFactor::Table { name, args: None, .. } => {
            let parts = parts(name);
            let [table] = parts.as_slice() else { return true };
            for query in scope.iter().rev() {
                let Some(with) = &query.with else { continue };
                let Some(cte) = with.cte_tables.iter().find(|cte| folded(&cte.alias.name) == *table) else { continue };
                let kept = with.recursive || matches!(cte.materialized, Some(CteAsMaterialized::Materialized));
                return kept || goes_back(&cte.query, &[]);
            }
            true
        }
        TableFactor::Derived { subquery, .. } => goes_back(subquery, scope),
        TableFactor::Table { .. }
        | TableFactor::Function { .. }
        | TableFactor::TableFunction { .. }
        | TableFactor::UNNEST { .. } => true,
        _ => false,
    }
}

/// `WHERE false`.
fn reads_nothing(select: &Select) -> bool {
    matches!(&select.selection, Some(Expr::Value(value)) if value.value == Value::Boolean(false))
}

/// A subquery of WHERE that PostgreSQL makes a join of.
fn joins(select: &Select) -> bool {
    fn any(expr: &Expr) -> bool {
        use datafusion::sql::sqlparser::ast::BinaryOperator::And;
        match expr {
            Expr::InSubquery { negated: false, .. } | Expr::Exists { .. } => true,
            Expr::Nested(inner) => any(inner),
            Expr::BinaryOp { left, op: And, right } => any(left) || any(right),
            _ => false,
        }
    }
    select.selection.as_ref().is_some_and(any)
}

/// Whether something calls a function of such a class, sub-queries left out.
fn calls<T: Visit>(tree: &T, wanted: impl Fn(Class) -> bool) -> bool {
    struct Finder<F> {
        wanted: F,
        depth: usize,
    }
    impl<F: Fn(Class) -> bool> Visitor for Finder<F> {
        type Break = ();
        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            self.depth += 1;
            ControlFlow::Continue(())
        }
        fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            self.depth -= 1;
            ControlFlow::Continue(())
        }
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            let class = |function: &Function| class_of(function);
            match expr {
                Expr::Function(function) if self.depth == 0 && class(function).is_some_and(|c| (self.wanted)(c)) => {
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    tree.visit(&mut Finder { wanted, depth: 0 }).is_break()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{StatementKind, parse};

    /// As PostgreSQL 15 answers in `pg_cursors.is_scrollable`.
    #[test]
    fn the_rule_is_postgresqls() {
        for (scrollable, sql) in [
            (false, "select 1"),
            (true, "values (1),(2)"),
            (true, "select * from orders"),
            (true, "select * from orders order by o_orderkey"),
            (false, "select * from orders a join orders b using (o_orderkey)"),
            (true, "select * from orders a join orders b using (o_orderkey) order by a.o_totalprice"),
            (false, "select count(*) from orders"),
            (false, "select o_custkey, count(*) from orders group by 1"),
            (true, "select o_custkey, count(*) from orders group by 1 order by 2"),
            (false, "select distinct o_custkey from orders"),
            (true, "select distinct o_custkey from orders order by 1"),
            (true, "select * from orders limit 5"),
            (false, "select * from orders where o_orderkey in (select o_custkey from orders)"),
            (true, "select *, (select count(*) from orders) from orders"),
            (false, "select 1 union all select 2"),
            (false, "select 1 union select 2"),
            (true, "select * from (select * from orders offset 0) x"),
            (true, "with c as (select * from orders) select * from c"),
            (true, "with c as materialized (select count(*) from orders) select * from c"),
            (false, "with c as (select count(*) from orders) select * from c"),
            (false, "select generate_series(1,3)"),
            (false, "select row_number() over () from orders"),
            (true, "select row_number() over (order by o_custkey), o_orderkey from orders order by o_orderkey"),
            (true, "select * from generate_series(1,3) g"),
            (false, "select * from generate_series(1,3) g where false"),
            (false, "select * from orders union all select * from orders order by 1"),
            (false, "select * from generate_series(1,3) a, generate_series(1,3) b"),
            (false, "select 1 order by 1"),
            (false, "select count(*) from orders limit 1"),
            (true, "select * from (values (1),(2)) v(x)"),
            (false, "select * from (select count(*) from orders) x"),
            (false, "select * from orders o where exists (select 1 from orders b where b.o_orderkey = o.o_custkey)"),
        ] {
            let StatementKind::Query(query) = parse(sql).unwrap().remove(0).kind else { panic!("{sql}") };
            assert_eq!(scrolls(&query), scrollable, "{sql}");
        }
    }
}
