//! Calls of aggregate functions, with DISTINCT, ORDER BY and FILTER.
//! Must not know: how an aggregate is computed.

use crate::sql::ast::OrderByExpr;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, SortExpr};

use super::super::aggregates::{Aggregate, build, over_sorted};
use super::super::coerce::AtPosition;
use super::super::keys::{group_key, has_no_order, sort_key};
use super::super::ops::json::{gathered_array, gathered_object, gathered_pair, gathered_value};
use super::super::resolve::{Resolved, function};
use super::super::value::Bound;
use super::call::{Call, no_function, returned, shown_only, signature};
use super::{Binder, Clause, refuse};
use crate::error::{Error, Result, SqlState};

impl Binder<'_> {
    /// A call of an aggregate function without OVER.
    pub(super) fn aggregate_call(&mut self, call: Call<'_>, position: Option<u32>) -> Result<Bound> {
        if let Some(message) = refused_in(self.clause) {
            return Err(Error::client(SqlState::GROUPING_ERROR, message).with_position_if(position));
        }
        let outer = self.clause;
        self.clause = Clause::Aggregate;
        let result = self.aggregate(&call, position);
        self.clause = outer;
        Ok(result?.at(position))
    }

    fn aggregate(&mut self, call: &Call<'_>, position: Option<u32>) -> Result<Bound> {
        let args = call.args.iter().map(|ast| self.expr(ast)).collect::<Result<Vec<_>>>()?;
        let order = self.inner_order(call.order)?;
        let filter = match call.filter {
            None => None,
            Some(ast) => Some(Box::new(self.within(Clause::Filter, |binder| binder.condition(ast, "FILTER"))?)),
        };
        let (mut args, build_as) = self.aggregate_function(call, args, position)?;
        // Gathered as an array is, of texts.
        let json = matches!(build_as.0, "json_agg" | "jsonb_agg");
        let parted = args.first().is_some_and(|arg| arg.pg.is_array() || arg.pg.is_record());
        if json {
            args = args.into_iter().map(|arg| gathered_value(arg, &mut self.typing)).collect::<Result<Vec<_>>>()?;
        }
        let object = matches!(build_as.0, "json_object_agg" | "jsonb_object_agg") && !call.distinct;
        if object && let [key, value] = args.as_slice() {
            args = vec![gathered_pair(key.clone(), value.clone(), &mut self.typing)?];
        }
        if args.iter().any(|arg| reads_only_outer(&arg.expr)) {
            return refuse("an aggregate over columns of an outer query");
        }
        if call.distinct {
            aggregate_sorts(&args)?;
        }
        let gathers = json || object || matches!(build_as.0, "array_agg" | "string_agg");
        let order = if order.is_empty() && gathers && !call.distinct { self.inherited()? } else { order };
        let aggregate = Aggregate { args, distinct: call.distinct, order, filter };
        let types: Vec<u32> = aggregate.args.iter().map(|arg| arg.pg.oid).collect();
        let name = if json || object { "array_agg" } else { build_as.0 };
        match build(name, aggregate, build_as.1)? {
            Some(list) if object => gathered_object(list.expr, build_as.1, &mut self.typing),
            Some(list) if json => gathered_array(list.expr, build_as.1, parted, &mut self.typing),
            Some(bound) => Ok(bound),
            None => Err(Error::unsupported(format!("function {} is not supported", signature(&call.name, &types)))
                .with_position_if(position)),
        }
    }

    /// A call with WITHIN GROUP: its direct arguments, then what is sorted.
    pub(super) fn ordered_set_call(
        &mut self,
        call: &Call<'_>,
        order: &[OrderByExpr],
        position: Option<u32>,
    ) -> Result<Bound> {
        if let Some(message) = refused_in(self.clause) {
            return Err(Error::client(SqlState::GROUPING_ERROR, message).with_position_if(position));
        }
        let outer = std::mem::replace(&mut self.clause, Clause::Aggregate);
        let result = self.ordered_set(call, order, position);
        self.clause = outer;
        Ok(result?.at(position))
    }

    fn ordered_set(&mut self, call: &Call<'_>, order: &[OrderByExpr], position: Option<u32>) -> Result<Bound> {
        let [sorted] = order else { return refuse("WITHIN GROUP over several expressions") };
        let mut args = call.args.iter().map(|ast| self.expr(ast)).collect::<Result<Vec<_>>>()?;
        args.push(self.expr(&sorted.expr)?);
        shown_only(&call.name, &args).map_err(|error| error.with_position_if(position))?;
        let types: Vec<u32> = args.iter().map(|arg| arg.pg.oid).collect();
        let Resolved::One((declared, found)) = function(&call.name, &types) else {
            return Err(no_function(&call.name, &types, false).with_position_if(position));
        };
        let mut coerced = Vec::new();
        for (arg, to) in args.into_iter().zip(&declared) {
            coerced.push(self.argument(arg, *to)?);
        }
        let filter = match call.filter {
            None => None,
            Some(ast) => Some(Box::new(self.within(Clause::Filter, |binder| binder.condition(ast, "FILTER"))?)),
        };
        let ascending = sorted.options.asc.unwrap_or(true);
        let key = coerced.last().map(sort_key).transpose()?;
        let order = key.map(|key| key.sort(ascending, !ascending)).into_iter().collect();
        let returns = returned(found, &coerced);
        let aggregate = Aggregate { args: coerced, distinct: false, order, filter };
        match over_sorted(found.source, &aggregate, returns)? {
            Some(bound) => Ok(bound),
            None => Err(Error::unsupported(format!("function {} is not supported", signature(&call.name, &types)))
                .with_position_if(position)),
        }
    }

    /// The aggregate that a call means, and its arguments in the types it declares.
    pub(super) fn aggregate_function(
        &mut self,
        call: &Call<'_>,
        args: Vec<Bound>,
        position: Option<u32>,
    ) -> Result<(Vec<Bound>, (&'static str, crate::types::PgType))> {
        if call.star != args.is_empty() || (call.star && call.name != "count") {
            let text = if call.name == "count" && !call.star {
                "count(*) must be used to call a parameterless aggregate function".to_owned()
            } else {
                format!("function {}() does not exist", call.name)
            };
            let state = if call.name == "count" { SqlState::WRONG_OBJECT_TYPE } else { SqlState::UNDEFINED_FUNCTION };
            return Err(Error::client(state, text).with_position_if(position));
        }
        let args: Vec<Bound> = args.into_iter().map(|arg| self.typing.refresh(arg)).collect();
        shown_only(&call.name, &args).map_err(|error| error.with_position_if(position))?;
        let types: Vec<u32> = args.iter().map(|arg| arg.pg.oid).collect();
        match function(&call.name, &types) {
            Resolved::One((declared, found)) if found.kind == b'a' => {
                let mut coerced = Vec::new();
                for (arg, to) in args.into_iter().zip(&declared) {
                    coerced.push(self.argument(arg, *to)?);
                }
                let returns = returned(found, &coerced);
                Ok((coerced, (found.source, returns)))
            }
            Resolved::Ambiguous => Err(no_function(&call.name, &types, true).with_position_if(position)),
            _ => Err(no_function(&call.name, &types, false).with_position_if(position)),
        }
    }

    /// ORDER BY inside of an aggregate or a window: keys over input columns.
    pub(super) fn inner_order(&mut self, order: &[OrderByExpr]) -> Result<Vec<SortExpr>> {
        let mut sorts = Vec::new();
        for item in order {
            let value = self.expr(&item.expr)?;
            let value = self.typing.settle(value)?;
            let key = sort_key(&value)?;
            let ascending = item.options.asc.unwrap_or(true);
            sorts.push(key.sort(ascending, item.options.nulls_first.unwrap_or(!ascending)));
        }
        Ok(sorts)
    }
}

/// With DISTINCT an aggregate sorts its arguments, even where a hash would tell them apart.
fn aggregate_sorts(args: &[Bound]) -> Result<()> {
    for arg in args {
        let place = |error: Error| error.with_position_if(arg.position);
        group_key(arg).map_err(place)?;
        if has_no_order(arg.pg.oid) {
            let message = format!("could not identify an ordering operator for type {}", arg.type_name());
            return Err(place(
                Error::client(SqlState::UNDEFINED_FUNCTION, message)
                    .with_detail("Aggregates with DISTINCT must be able to sort their inputs."),
            ));
        }
    }
    Ok(())
}

fn reads_only_outer(expr: &Expr) -> bool {
    let (mut outer, mut inner) = (false, false);
    let _ = expr.apply(|node| {
        outer |= matches!(node, Expr::OuterReferenceColumn(..));
        inner |= matches!(node, Expr::Column(_));
        Ok(TreeNodeRecursion::Continue)
    });
    outer && !inner
}

/// PostgreSQL's words for an aggregate where none may be.
pub(super) fn refused_in(clause: Clause) -> Option<&'static str> {
    match clause {
        Clause::Select | Clause::Having | Clause::OrderBy | Clause::Window => None,
        Clause::Where => Some("aggregate functions are not allowed in WHERE"),
        Clause::Join => Some("aggregate functions are not allowed in JOIN conditions"),
        Clause::GroupBy => Some("aggregate functions are not allowed in GROUP BY"),
        Clause::Aggregate => Some("aggregate function calls cannot be nested"),
        Clause::Filter => Some("aggregate functions are not allowed in FILTER"),
        Clause::Limit => Some("aggregate functions are not allowed in LIMIT"),
        Clause::Offset => Some("aggregate functions are not allowed in OFFSET"),
        Clause::Values => Some("aggregate functions are not allowed in VALUES"),
        Clause::From => Some("aggregate functions are not allowed in functions in FROM"),
    }
}
