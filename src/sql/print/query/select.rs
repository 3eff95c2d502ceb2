//! Queries: WITH, SELECT, VALUES, set operations, ORDER BY, LIMIT.
//! Must not know: expressions, relations.

use super::super::super::ast::{
    Cte, CteAsMaterialized, Distinct, Expr, GroupByExpr, LimitClause, LockClause, NamedWindowExpr, NonBlock, OrderBy,
    OrderByExpr, OrderByKind, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetOperator,
    SetQuantifier, TableAlias, Value, With,
};
use super::super::super::cycle::{Clauses, Constant, Cycle, Search};
use super::super::super::locks::Lock;
use super::super::super::marks;
use super::super::super::position;
use super::super::super::rewrite::item_name_of;
use super::{Printer, refuse};
use crate::error::Result;

impl Printer<'_> {
    /// A query without parentheses around it.
    pub(super) fn query(&mut self, query: &Query) -> Result<()> {
        self.within_query(|printer| printer.whole_query(query))
    }

    fn whole_query(&mut self, query: &Query) -> Result<()> {
        if query.for_clause.is_some() || !query.pipe_operators.is_empty() {
            return Err(refuse("this clause"));
        }
        if let Some(with) = &query.with {
            self.with(with)?;
        }
        self.set_expression(&query.body)?;
        if let Some(order) = &query.order_by {
            self.order_by(order)?;
        }
        self.limit(query)?;
        query.locks.iter().try_for_each(|lock| self.lock(lock))
    }

    fn lock(&mut self, clause: &LockClause) -> Result<()> {
        let Lock { strength, tables, qualified } = Lock::of(clause);
        if qualified.is_some() {
            return Err(refuse("this form of lock"));
        }
        self.put(" ");
        self.put(strength.words());
        if !tables.is_empty() {
            self.put(" OF ");
            self.separated(&tables, ", ", |printer, table| printer.ident(table))?;
        }
        self.put(match clause.nonblock {
            None => "",
            Some(NonBlock::Nowait) => " NOWAIT",
            Some(NonBlock::SkipLocked) => " SKIP LOCKED",
        });
        Ok(())
    }

    /// A query in parentheses.
    pub(super) fn sub_query(&mut self, query: &Query) -> Result<()> {
        self.put("(");
        self.query(query)?;
        self.put(")");
        Ok(())
    }

    pub(super) fn with(&mut self, with: &With) -> Result<()> {
        self.with_of(with.recursive, &with.cte_tables, Self::cte_definition)
    }

    /// WITH of such queries, and the space behind it.
    pub(super) fn with_of<T>(
        &mut self,
        recursive: bool,
        queries: &[T],
        each: impl FnMut(&mut Self, &T) -> Result<()>,
    ) -> Result<()> {
        self.put(if recursive { "WITH RECURSIVE " } else { "WITH " });
        self.separated(queries, ", ", each)?;
        self.put(" ");
        Ok(())
    }

    pub(super) fn cte_definition(&mut self, cte: &Cte) -> Result<()> {
        self.cte_head(&cte.alias, cte.materialized)?;
        self.sub_query(&cte.query)?;
        let Some(clauses) = &cte.from else { return Ok(()) };
        let place = position(clauses.span).filter(|_| marks::are_clauses(clauses.span));
        let found = place.and_then(|place| self.places.clauses(place));
        self.mark(place);
        self.clauses(&found.ok_or_else(|| refuse("this form of WITH"))?)
    }

    /// SEARCH and CYCLE.
    fn clauses(&mut self, clauses: &Clauses) -> Result<()> {
        let name = |printer: &mut Self, name: &String| printer.name(name);
        if let Some(Search { depth, by, set }) = &clauses.search {
            self.put(if *depth { " SEARCH DEPTH FIRST BY " } else { " SEARCH BREADTH FIRST BY " });
            self.separated(by, ", ", name)?;
            self.put(" SET ");
            self.name(set)?;
        }
        if let Some(Cycle { columns, set, values, using }) = &clauses.cycle {
            self.put(" CYCLE ");
            self.separated(columns, ", ", name)?;
            self.put(" SET ");
            self.name(set)?;
            if let Some((cyclic, other)) = values {
                self.put(" TO ");
                self.mark_of_cycle(cyclic)?;
                self.put(" DEFAULT ");
                self.mark_of_cycle(other)?;
            }
            self.put(" USING ");
            self.name(using)?;
        }
        Ok(())
    }

    fn mark_of_cycle(&mut self, constant: &Constant) -> Result<()> {
        match constant {
            Constant::Text(text) => self.text(text)?,
            Constant::Number(digits) => self.value(&Value::Number(digits.clone(), false).into())?,
            Constant::Boolean(is) => self.put(if *is { "true" } else { "false" }),
        }
        Ok(())
    }

    /// What stands before the parenthesis of a common table expression.
    pub(super) fn cte_head(&mut self, alias: &TableAlias, materialized: Option<CteAsMaterialized>) -> Result<()> {
        if alias.at.is_some() {
            return Err(refuse("this form of WITH"));
        }
        self.mark_span(alias.name.span);
        let name = self.cte(&super::folded(&alias.name));
        self.name(&name)?;
        if !alias.columns.is_empty() {
            self.put(" (");
            self.separated(&alias.columns, ", ", |printer, column| match &column.data_type {
                None => printer.ident(&column.name),
                Some(_) => Err(refuse("a type in the columns of a WITH query")),
            })?;
            self.put(")");
        }
        self.put(match materialized {
            None => " AS ",
            Some(CteAsMaterialized::Materialized) => " AS MATERIALIZED ",
            Some(CteAsMaterialized::NotMaterialized) => " AS NOT MATERIALIZED ",
        });
        Ok(())
    }

    fn set_expression(&mut self, body: &SetExpr) -> Result<()> {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.sub_query(query),
            SetExpr::Values(values) if !values.explicit_row && !values.value_keyword => {
                self.put("VALUES ");
                self.separated(&values.rows, ", ", |printer, row| {
                    printer.put("(");
                    printer.expressions(&row.content)?;
                    printer.put(")");
                    Ok(())
                })
            }
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                self.branch(left)?;
                self.put(match op {
                    SetOperator::Union => " UNION",
                    SetOperator::Except => " EXCEPT",
                    SetOperator::Intersect => " INTERSECT",
                    _ => return Err(refuse("this set operation")),
                });
                self.put(match set_quantifier {
                    SetQuantifier::All => " ALL ",
                    SetQuantifier::Distinct | SetQuantifier::None => " ",
                    _ => return Err(refuse("this set operation")),
                });
                self.branch(right)
            }
            _ => Err(refuse("this form of query")),
        }
    }

    /// A branch of a set operation, in parentheses.
    fn branch(&mut self, body: &SetExpr) -> Result<()> {
        if let SetExpr::Query(query) = body {
            return self.sub_query(query);
        }
        self.put("(");
        self.set_expression(body)?;
        self.put(")");
        Ok(())
    }

    fn select(&mut self, select: &Select) -> Result<()> {
        if select.into.is_some() || select.top.is_some() || select.qualify.is_some() || !select.connect_by.is_empty() {
            return Err(refuse("this clause"));
        }
        self.put("SELECT");
        match &select.distinct {
            None | Some(Distinct::All) => {}
            Some(Distinct::Distinct) => self.put(" DISTINCT"),
            Some(Distinct::On(keys)) => {
                self.put(" DISTINCT ON (");
                self.expressions(keys)?;
                self.put(")");
            }
        }
        if !select.projection.is_empty() {
            self.put(" ");
        }
        self.separated(&select.projection, ", ", Self::item)?;
        if !select.from.is_empty() {
            self.put(" FROM ");
            self.separated(&select.from, ", ", Self::table_with_joins)?;
        }
        self.clause(" WHERE ", select.selection.as_ref())?;
        self.group_by(&select.group_by)?;
        self.clause(" HAVING ", select.having.as_ref())?;
        if !select.named_window.is_empty() {
            self.put(" WINDOW ");
            self.separated(&select.named_window, ", ", |printer, window| {
                printer.ident(&window.0)?;
                printer.put(" AS ");
                match &window.1 {
                    NamedWindowExpr::WindowSpec(spec) => printer.window(spec),
                    NamedWindowExpr::NamedWindow(_) => Err(refuse("a window that is another")),
                }
            })?;
        }
        Ok(())
    }

    pub(super) fn clause(&mut self, word: &str, expr: Option<&Expr>) -> Result<()> {
        let Some(expr) = expr else { return Ok(()) };
        self.put(word);
        self.expr(expr)
    }

    pub(super) fn item(&mut self, item: &SelectItem) -> Result<()> {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let before = self.own_used;
                self.expr(expr)?;
                if self.own_used > before {
                    // A value of ours has not the name that the call of a function gives.
                    self.put(" AS ");
                    self.name(&item_name_of(expr))?;
                }
                Ok(())
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                self.expr(expr)?;
                self.put(" AS ");
                self.ident(alias)
            }
            SelectItem::Wildcard(options) => {
                self.mark_span(options.wildcard_token.0.span);
                self.put("*");
                Ok(())
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => self.all_of(name),
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(expr), _) => {
                self.put("(");
                self.expr(expr)?;
                self.put(").*");
                Ok(())
            }
            SelectItem::ExprWithAliases { .. } => Err(refuse("this form of alias")),
        }
    }

    fn group_by(&mut self, group_by: &GroupByExpr) -> Result<()> {
        let GroupByExpr::Expressions(keys, modifiers) = group_by else { return Err(refuse("GROUP BY ALL")) };
        if !modifiers.is_empty() {
            return Err(refuse("this form of GROUP BY"));
        }
        if keys.is_empty() {
            return Ok(());
        }
        self.put(" GROUP BY ");
        self.separated(keys, ", ", Self::group_key)
    }

    fn group_key(&mut self, key: &Expr) -> Result<()> {
        match key {
            Expr::GroupingSets(sets) => self.sets("GROUPING SETS (", sets),
            Expr::Cube(sets) => self.sets("CUBE (", sets),
            Expr::Rollup(sets) => self.sets("ROLLUP (", sets),
            // Here a list in parentheses is a set of keys, not a row.
            Expr::Tuple(keys) => {
                self.put("(");
                self.expressions(keys)?;
                self.put(")");
                Ok(())
            }
            key => self.expr(key),
        }
    }

    fn sets(&mut self, word: &str, sets: &[Vec<Expr>]) -> Result<()> {
        self.put(word);
        self.separated(sets, ", ", |printer, set| match set.as_slice() {
            [nested @ (Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_))] => printer.group_key(nested),
            set => {
                printer.put("(");
                printer.expressions(set)?;
                printer.put(")");
                Ok(())
            }
        })?;
        self.put(")");
        Ok(())
    }

    fn order_by(&mut self, order: &OrderBy) -> Result<()> {
        let OrderByKind::Expressions(keys) = &order.kind else { return Err(refuse("ORDER BY ALL")) };
        if order.interpolate.is_some() {
            return Err(refuse("this form of ORDER BY"));
        }
        self.put(" ORDER BY ");
        self.order_keys(keys)
    }

    pub(super) fn order_keys(&mut self, keys: &[OrderByExpr]) -> Result<()> {
        self.separated(keys, ", ", |printer, key| {
            if key.with_fill.is_some() {
                return Err(refuse("this form of ORDER BY"));
            }
            printer.expr(&key.expr)?;
            printer.put(match key.options.asc {
                Some(true) => " ASC",
                Some(false) => " DESC",
                None => "",
            });
            printer.put(match key.options.nulls_first {
                Some(true) => " NULLS FIRST",
                Some(false) => " NULLS LAST",
                None => "",
            });
            Ok(())
        })
    }

    fn limit(&mut self, query: &Query) -> Result<()> {
        let (mut limit, mut offset) = (None, None);
        match &query.limit_clause {
            None => {}
            Some(LimitClause::LimitOffset { limit: rows, offset: skipped, limit_by }) if limit_by.is_empty() => {
                (limit, offset) = (rows.as_ref(), skipped.as_ref().map(|offset| &offset.value));
            }
            Some(_) => return Err(refuse("this form of LIMIT")),
        }
        if let Some(fetch) = &query.fetch {
            if fetch.percent || limit.is_some() {
                return Err(refuse("this form of FETCH"));
            }
            match &fetch.quantity {
                rows if fetch.with_ties => {
                    self.put(" FETCH FIRST ");
                    match rows {
                        Some(rows) => self.operand(rows)?,
                        None => self.put("1"),
                    }
                    self.put(" ROWS WITH TIES");
                }
                Some(rows) => limit = Some(rows),
                None => self.put(" LIMIT 1"),
            }
        }
        for (word, expr) in [(" LIMIT ", limit), (" OFFSET ", offset)] {
            if let Some(expr) = expr {
                self.put(word);
                self.operand(expr)?;
            }
        }
        Ok(())
    }
}
