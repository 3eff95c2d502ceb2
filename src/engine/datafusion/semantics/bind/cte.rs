//! WITH: common table expressions, recursive ones included.
//! Must not know: what their queries contain.

use std::sync::Arc;

use crate::sql::ast::{Cte as CteAst, CteAsMaterialized, Query, SetExpr, SetOperator, SetQuantifier, With};
use arrow::datatypes::Schema;
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{LogicalPlanBuilder, TableSource};

use super::super::super::apply::{held_once, is_volatile};
use super::super::coerce::AtPosition;
use super::super::errors::from_datafusion;
use super::super::pg::CastContext;
use super::super::value::{Bound, type_name};
use super::from::ident;
use super::setop::project;
use super::targets::{Target, outputs, unique_names};
use super::{Binder, Relation, refuse};
use crate::error::{Error, Result, SqlState};

/// A name that WITH has given to a query.
pub(super) struct Cte {
    name: String,
    relation: Relation,
    /// The work table while the recursive term is bound.
    work: Option<Arc<dyn TableSource>>,
}

impl Binder<'_> {
    /// Binds WITH; its names are visible until they are truncated away.
    pub(super) fn with_clause(&mut self, with: &With, query: &Query) -> Result<()> {
        let first = self.ctes.len();
        for cte in &with.cte_tables {
            let name = ident(&cte.alias.name);
            if self.ctes.iter().skip(first).any(|known| known.name == name) {
                return Err(Error::client(
                    SqlState::DUPLICATE_ALIAS,
                    format!("WITH query name \"{name}\" specified more than once"),
                )
                .with_position_if(crate::sql::position(cte.alias.name.span)));
            }
            let recursive = with.recursive && mentions(&cte.query, &name);
            self.ranges.enter();
            let relation = if recursive { self.recursive(cte, &name) } else { self.ordered_query(&cte.query, true) };
            self.ranges.leave();
            let relation = evaluated_once(renamed(relation?, cte)?, cte, mentions_of(query, &name))?;
            self.ctes.push(Cte { name, relation, work: None });
        }
        Ok(())
    }

    /// Whether WITH has given this name to a query.
    pub(super) fn names_cte(&self, name: &str) -> bool {
        self.ctes.iter().any(|cte| cte.name == name)
    }

    /// The query that a name of WITH stands for.
    pub(super) fn cte(&mut self, name: &str) -> Result<Option<Relation>> {
        let Some(cte) = self.ctes.iter().rev().find(|cte| cte.name == name) else { return Ok(None) };
        let mut relation = cte.relation.clone();
        if let Some(work) = &cte.work {
            relation.plan = LogicalPlanBuilder::scan(name.to_owned(), work.clone(), None)
                .and_then(LogicalPlanBuilder::build)
                .map_err(from_datafusion)?;
        }
        Ok(Some(relation))
    }

    fn recursive(&mut self, cte: &CteAst, name: &str) -> Result<Relation> {
        let SetExpr::SetOperation { left, op: SetOperator::Union, set_quantifier, right } = &*cte.query.body else {
            return Err(Error::client(
                SqlState::INVALID_COLUMN_REFERENCE,
                format!(
                    "recursive query \"{name}\" does not have the form non-recursive-term UNION [ALL] recursive-term"
                ),
            ));
        };
        if cte.query.order_by.is_some() || cte.query.limit_clause.is_some() || cte.query.with.is_some() {
            return refuse("ORDER BY, LIMIT or WITH in a recursive query");
        }
        let start = renamed(self.set_expr(left, true)?, cte)?;
        let start = self.plainly_named(start)?;
        let fields: Vec<_> =
            start.plan.schema().fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
        let table = CteWorkTable::new(name, Arc::new(Schema::new(fields)));
        let work = Some(provider_as_source(Arc::new(table)));
        self.ctes.push(Cte { name: name.to_owned(), relation: start.clone(), work });
        let step = self.set_expr(right, true);
        self.ctes.pop();
        let step = self.matching(step?, &start, name)?;
        let distinct = !matches!(set_quantifier, SetQuantifier::All);
        let plan = LogicalPlanBuilder::from(start.plan)
            .to_recursive_query(name.to_owned(), step.plan, distinct)
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?;
        Ok(Relation::of(plan, start.columns))
    }

    /// The same columns under unqualified names.
    fn plainly_named(&mut self, relation: Relation) -> Result<Relation> {
        let targets: Vec<Target> =
            relation.columns.into_iter().map(|output| Target { name: output.name, value: output.value }).collect();
        let names = unique_names(&targets);
        let plan = project(relation.plan, targets.iter().map(|target| &target.value), &names)?;
        Ok(Relation::of(plan, outputs(targets, &names)))
    }

    /// The recursive term in the types of the first one.
    fn matching(&mut self, step: Relation, start: &Relation, name: &str) -> Result<Relation> {
        if step.columns.len() != start.columns.len() {
            return Err(Error::client(SqlState::SYNTAX_ERROR, "each UNION query must have the same number of columns"));
        }
        let mut values: Vec<Bound> = Vec::new();
        for (at, (new, old)) in step.columns.iter().zip(&start.columns).enumerate() {
            let common = super::super::coerce::common_type([&old.value, &new.value], "UNION")?;
            if common.oid != old.value.pg.oid {
                return Err(Error::client(
                    SqlState::DATATYPE_MISMATCH,
                    format!(
                        "recursive query \"{name}\" column {} has type {} in non-recursive term but type {} overall",
                        at + 1,
                        type_name(old.value.pg.oid),
                        type_name(common.oid)
                    ),
                )
                .with_hint("Cast the output of the non-recursive term to the correct type."));
            }
            let new = self.typing.coerce(new.value.clone(), common, CastContext::Implicit)?;
            if new.arrow != old.value.arrow {
                return refuse("a recursive query whose terms differ in the scale of a numeric column");
            }
            values.push(new);
        }
        let names: Vec<String> = start.plan.schema().fields().iter().map(|field| field.name().clone()).collect();
        let plan = project(step.plan, values.iter(), &names)?;
        Ok(Relation::of(plan, start.columns.clone()))
    }
}

/// The query as PostgreSQL evaluates it: once, if it is read more than once or may give something else each time.
fn evaluated_once(mut relation: Relation, cte: &CteAst, mentions: usize) -> Result<Relation> {
    let inside = mentions_of(&cte.query, &ident(&cte.alias.name));
    let again =
        mentions.saturating_sub(inside) > 1 && !matches!(cte.materialized, Some(CteAsMaterialized::NotMaterialized));
    if again || is_volatile(&relation.plan) {
        relation.plan = held_once(relation.plan).map_err(from_datafusion)?;
    }
    Ok(relation)
}

/// The column names that WITH gives: `WITH t(a, b) AS ...`.
fn renamed(mut relation: Relation, cte: &CteAst) -> Result<Relation> {
    let given = &cte.alias.columns;
    if given.len() > relation.columns.len() {
        return Err(Error::client(
            SqlState::INVALID_COLUMN_REFERENCE,
            format!(
                "WITH query \"{}\" has {} columns available but {} columns specified",
                ident(&cte.alias.name),
                relation.columns.len(),
                given.len()
            ),
        )
        .with_position_if(crate::sql::position(cte.alias.name.span)));
    }
    for (output, name) in relation.columns.iter_mut().zip(given) {
        output.name = ident(&name.name);
    }
    Ok(relation)
}

/// Whether a query names a table of this name anywhere.
fn mentions(query: &Query, name: &str) -> bool {
    mentions_of(query, name) > 0
}

/// How often it does.
fn mentions_of(query: &Query, name: &str) -> usize {
    use crate::sql::ast::visit_relations;
    use std::ops::ControlFlow;
    let mut found = 0;
    let _ = visit_relations(query, |relation| {
        let same = matches!(relation.0.as_slice(), [only] if only.as_ident().is_some_and(|only| ident(only) == name));
        found += usize::from(same);
        ControlFlow::<()>::Continue(())
    });
    found
}
