//! Arrays in statements: `ARRAY(SELECT ...)`, subscripts, computed series.
//! Must not know: how arrays are held.

use crate::sql::ast::{AccessExpr, Expr as Ast, Query, Subscript, TableAlias};
use arrow::datatypes::DataType;
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{AggregateUDF, Expr, LogicalPlan, LogicalPlanBuilder};

use super::super::arrays::{element_at, series, stacked};
use super::super::cast::{array_text, native};
use super::super::coerce::AtPosition;
use super::super::errors::from_datafusion;
use super::super::gather::Gather;
use super::super::own;
use super::super::pg::CastContext;
use super::super::spread::{Spreading, spread};
use super::super::subscripts::{Part, slice};
use super::super::value::Bound;
use super::from::ident;
use super::setop::project;
use super::subquery::subquery;
use super::targets::{Target, outputs};
use super::{Binder, Relation, refuse};
use crate::error::{Error, Result, SqlState};
use crate::types::{PgType, storage};

impl Binder<'_> {
    /// `ARRAY(SELECT ...)`: the rows of a subquery as an array, `{}` where there are none.
    pub(super) fn array_subquery(&mut self, query: &Query) -> Result<Bound> {
        let relation = self.sorted_query(query)?;
        let value = self.only_column(&relation, self.parenthesis(query), "subquery must return only one column")?;
        let Some(array) = value.pg.bare().array_of() else {
            return Err(Error::client(
                SqlState::UNDEFINED_OBJECT,
                format!("could not find array type for data type {}", value.type_name()),
            )
            .with_position_if(self.position(query)));
        };
        if own::is_opaque(value.pg) {
            return Err(own::refused(&format!("an array of type {}", value.type_name())));
        }
        let plan = gathered_rows(relation.plan, value.expr)?;
        let list = arrow::datatypes::DataType::new_list(value.arrow, true);
        Ok(Bound::with_arrow(Expr::ScalarSubquery(subquery(plan)), array, list))
    }

    /// `a[i]` and `(a).i`.
    pub(super) fn subscript(&mut self, root: &Ast, chain: &[AccessExpr]) -> Result<Bound> {
        // `t.a[i]` comes as t, then .a, then [i].
        let dotted = |access: &&AccessExpr| matches!(access, AccessExpr::Dot(Ast::Identifier(_)));
        let dots = chain.iter().take_while(dotted).count();
        let mut names = match root {
            Ast::Identifier(name) if dots > 0 => vec![name.clone()],
            Ast::CompoundIdentifier(names) if dots > 0 => names.clone(),
            _ => Vec::new(),
        };
        if !names.is_empty() {
            let (dots, rest) = chain.split_at(dots);
            names.extend(dots.iter().filter_map(|access| match access {
                AccessExpr::Dot(Ast::Identifier(name)) => Some(name.clone()),
                _ => None,
            }));
            let column = Ast::CompoundIdentifier(names);
            return if rest.is_empty() { self.expr(&column) } else { self.subscript(&column, rest) };
        }
        if let [AccessExpr::Dot(Ast::Identifier(name))] = chain {
            if let Some(column) = self.column_of_row(root, name)? {
                return Ok(column);
            }
            let record = self.expr(root)?;
            return self.record_field(&record, &ident(name), self.position(bare(root)));
        }
        if let [rest @ .., AccessExpr::Dot(Ast::Identifier(name))] = chain {
            let record = self.subscript(root, rest)?;
            return self.record_field(&record, &ident(name), self.position(bare(root)));
        }
        let value = self.expr(root)?;
        if !value.pg.is_array() {
            return Err(Error::client(
                SqlState::DATATYPE_MISMATCH,
                format!("cannot subscript type {} because it does not support subscripting", value.type_name()),
            )
            .with_position_if(self.position(root)));
        }
        if own::is_opaque(value.pg) {
            let of = format!("a subscript of type {}", value.type_name());
            return Err(own::refused(&of).with_position_if(self.position(root)));
        }
        let value = self.array_as_text(value)?;
        let parts = chain.iter().map(|access| self.subscript_part(access)).collect::<Result<Vec<_>>>()?;
        let array = value.pg.bare();
        let indexes: Option<Vec<_>> = parts
            .iter()
            .map(|part| match part {
                Part::Index(index) => Some(index.clone()),
                Part::Slice(..) => None,
            })
            .collect();
        let found = match indexes.as_deref() {
            None => {
                // Of a vector a plain array.
                let plain = array.element().and_then(|element| element.bare().array_of()).unwrap_or(array);
                return Ok(Bound::new(slice(array, value.expr, parts), plain));
            }
            Some(indexes) => element_at(array, value.expr, indexes.to_vec(), &self.typing.facts.format),
        };
        match found {
            Some((expr, element)) => Ok(Bound::new(expr, element)),
            None => refuse("a subscript of this type"),
        }
    }

    /// `ARRAY[...]` of arrays of this type.
    pub(super) fn stacked(&mut self, values: Vec<Bound>, array: PgType) -> Result<Bound> {
        let mut texts = Vec::new();
        for value in values {
            let value = self.typing.coerce(value, array, CastContext::Implicit)?;
            texts.push(self.array_as_text(value)?.expr);
        }
        Ok(Bound::new(stacked(array.bare(), texts), array))
    }

    fn subscript_part(&mut self, access: &AccessExpr) -> Result<Part> {
        let mut number = |ast: &Ast| {
            let bound = self.expr(ast)?;
            self.typing.coerce(bound, PgType::INT4, CastContext::Assignment).map(|bound| bound.expr)
        };
        match access {
            AccessExpr::Subscript(Subscript::Index { index }) => Ok(Part::Index(number(index)?)),
            AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride: None }) => Ok(Part::Slice(
                lower_bound.as_ref().map(&mut number).transpose()?,
                upper_bound.as_ref().map(&mut number).transpose()?,
            )),
            _ => refuse("this form of subscript"),
        }
    }

    /// An array in its text form.
    pub(super) fn array_as_text(&mut self, value: Bound) -> Result<Bound> {
        if matches!(value.arrow, arrow::datatypes::DataType::List(_)) {
            return array_text(value, &self.typing.facts.format);
        }
        Ok(value)
    }

    /// `pg_listening_channels()` in FROM.
    pub(super) fn listening_channels(&mut self, alias: Option<&TableAlias>) -> Result<Relation> {
        let text = |channel| ScalarValue::Utf8View(Some(channel));
        let names: Vec<ScalarValue> = self.typing.facts.acts.listening().into_iter().map(text).collect();
        let list = ScalarValue::List(ScalarValue::new_list(&names, &DataType::Utf8View, true));
        rows_of(Expr::Literal(list, None), PgType::TEXT, "pg_listening_channels", alias)
    }

    /// `generate_series` in FROM whose bounds are only known when it runs.
    pub(super) fn computed_series(
        &mut self,
        args: &[Bound],
        pg: PgType,
        alias: Option<&TableAlias>,
    ) -> Result<Relation> {
        let wide = args.iter().map(|arg| native(arg.expr.clone(), DataType::Int64)).collect();
        rows_of(series(wide), pg, "generate_series", alias)
    }
}

/// What stands in parentheses.
fn bare(mut ast: &Ast) -> &Ast {
    while let Ast::Nested(inner) = ast {
        ast = inner;
    }
    ast
}

/// A plan's rows as one list of these values.
pub(super) fn gathered_rows(plan: LogicalPlan, value: Expr) -> Result<LogicalPlan> {
    let gathered = AggregateUDF::new_from_impl(Gather::new()).call(vec![value]).alias("array");
    LogicalPlanBuilder::from(plan)
        .aggregate(Vec::<Expr>::new(), vec![gathered])
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)
}

/// A row for each element of a list that is the same for every row of FROM.
fn rows_of(list: Expr, element: PgType, function: &str, alias: Option<&TableAlias>) -> Result<Relation> {
    let column = Spreading { name: function.to_owned(), list, element: storage(element) };
    let plan = LogicalPlanBuilder::empty(true)
        .build()
        .and_then(|plan| spread(plan, vec![column], None, false))
        .map_err(from_datafusion)?;
    let name = alias.map_or_else(|| function.to_owned(), |alias| ident(&alias.name));
    let value = Bound::new(Expr::Column(Column::from_name(function)), element);
    let targets = vec![Target { name: name.clone(), value }];
    let names = vec![name];
    let plan = project(plan, targets.iter().map(|target| &target.value), &names)?;
    Ok(Relation::of(plan, outputs(targets, &names)))
}
