//! Window functions: OVER, frames, and the step that computes them.
//! Must not know: how a window function is computed.

use crate::sql::ast::{
    Expr as Ast, Spanned, Value, WindowFrame as FrameAst, WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
};
use datafusion::common::Column;
use datafusion::logical_expr::{
    Expr, LogicalPlanBuilder, WindowFrame, WindowFrameBound as DfBound, WindowFrameUnits as DfUnits,
};
use datafusion::scalar::ScalarValue;

use super::super::coerce::AtPosition;
use super::super::errors::from_datafusion;
use super::super::keys::{group_key, has_no_order};
use super::super::resolve::{Resolved, function};
use super::super::value::Bound;
use super::super::windows::{Window, build};
use super::call::{Call, no_function, returned, shown_only, signature};
use super::from::ident;
use super::rebase::{Replacement, find_windows, replace};
use super::select::Selecting;
use super::{Binder, Clause, refuse};
use crate::error::{Error, Result, SqlState};

impl Binder<'_> {
    /// A call with OVER.
    pub(super) fn window_call(&mut self, call: Call<'_>, over: &WindowType, position: Option<u32>) -> Result<Bound> {
        if let Some(message) = refused_in(self.clause) {
            let grouping = self.clause == Clause::Aggregate;
            let state = if grouping { SqlState::GROUPING_ERROR } else { SqlState::WINDOWING_ERROR };
            return Err(Error::client(state, message).with_position_if(position));
        }
        let outer = std::mem::replace(&mut self.clause, Clause::Window);
        let result = self.window(&call, over, position);
        self.clause = outer;
        Ok(result?.at(position))
    }

    fn window(&mut self, call: &Call<'_>, over: &WindowType, position: Option<u32>) -> Result<Bound> {
        if call.distinct {
            return Err(
                Error::unsupported("DISTINCT is not implemented for window functions").with_position_if(position)
            );
        }
        if !call.order.is_empty() {
            return Err(Error::unsupported("aggregate ORDER BY is not implemented for window functions")
                .with_position_if(position));
        }
        let args = call.args.iter().map(|ast| self.expr(ast)).collect::<Result<Vec<_>>>()?;
        let filter = match call.filter {
            None => None,
            Some(ast) => Some(Box::new(self.condition(ast, "FILTER")?)),
        };
        let spec = match over {
            WindowType::WindowSpec(spec) => spec.clone(),
            WindowType::NamedWindow(name) => {
                self.named_window(&ident(name)).map_err(|e| e.with_position_if(crate::sql::position(name.span)))?
            }
        };
        let mut window = self.window_spec(&spec)?;
        window.filter = filter;
        shown_only(&call.name, &args).map_err(|error| error.with_position_if(position))?;
        let types: Vec<u32> = args.iter().map(|arg| arg.pg.oid).collect();
        match function(&call.name, &types) {
            Resolved::One((_, found)) if found.kind == b'a' => {
                let (args, (source, returns)) = self.aggregate_function(call, args, position)?;
                window.args = args;
                self.as_they_come(&mut window, source)?;
                self.built(call, source, window, returns, position)
            }
            Resolved::One((declared, found)) if found.kind == b'w' => {
                window.args = self.arguments(args, &declared)?;
                self.as_they_come(&mut window, found.source)?;
                let returns = returned(found, &window.args);
                self.built(call, found.source, window, returns, position)
            }
            Resolved::One(_) => Err(Error::client(
                SqlState::WRONG_OBJECT_TYPE,
                format!("OVER specified, but {} is not a window function nor an aggregate function", call.name),
            )
            .with_position_if(position)),
            missing => {
                Err(no_function(&call.name, &types, matches!(missing, Resolved::Ambiguous)).with_position_if(position))
            }
        }
    }

    fn built(
        &mut self,
        call: &Call<'_>,
        source: &'static str,
        window: Window,
        returns: crate::types::PgType,
        position: Option<u32>,
    ) -> Result<Bound> {
        let types: Vec<u32> = window.args.iter().map(|arg| arg.pg.oid).collect();
        match build(source, window, returns)? {
            Some(bound) => Ok(bound),
            None => Err(Error::unsupported(format!(
                "window function {} is not supported with this frame or these types",
                signature(&call.name, &types)
            ))
            .with_position_if(position)),
        }
    }

    fn named_window(&mut self, name: &str) -> Result<WindowSpec> {
        match self.windows.iter().find(|(known, _)| known == name) {
            Some((_, spec)) => Ok(spec.clone()),
            None => Err(Error::client(SqlState::UNDEFINED_OBJECT, format!("window \"{name}\" does not exist"))),
        }
    }

    fn window_spec(&mut self, spec: &WindowSpec) -> Result<Window> {
        let mut spec = spec.clone();
        if let Some(base) = &spec.window_name {
            let base = self.named_window(&ident(base))?;
            if base.window_frame.is_some() || !spec.partition_by.is_empty() {
                return refuse("this use of a named window");
            }
            spec.partition_by = base.partition_by;
            if spec.order_by.is_empty() {
                spec.order_by = base.order_by;
            }
        }
        let mut partition = Vec::new();
        for ast in &spec.partition_by {
            let value = self.expr(ast)?;
            let value = self.typing.settle(value)?;
            if has_no_order(value.pg.oid) && group_key(&value).is_ok() {
                return Err(Error::unsupported("could not implement window PARTITION BY")
                    .with_detail("Window partitioning columns must be of sortable datatypes."));
            }
            partition.push(group_key(&value)?.unwrap_or(value.expr));
        }
        let order = self.inner_order(&spec.order_by)?;
        let frame = match &spec.window_frame {
            None => WindowFrame::new((!order.is_empty()).then_some(false)),
            Some(frame) => frame_of(frame, order.len())?,
        };
        Ok(Window { args: Vec::new(), partition, order, frame, filter: None })
    }

    /// Computes the window functions that the targets use.
    pub(super) fn window_step(&mut self, selecting: &mut Selecting) -> Result<()> {
        let windows = find_windows(selecting.targets.iter().map(|target| &target.value.expr));
        if windows.is_empty() {
            return Ok(());
        }
        let plan = LogicalPlanBuilder::window_plan(selecting.plan.clone(), windows.clone()).map_err(from_datafusion)?;
        let replacements: Vec<Replacement> = windows
            .into_iter()
            .map(|window| {
                let name = window.schema_name().to_string();
                Replacement { from: window, to: Expr::Column(Column::new_unqualified(name)) }
            })
            .collect();
        selecting.plan = plan;
        for target in &mut selecting.targets {
            target.value.expr = replace(target.value.expr.clone(), &replacements)?;
        }
        Ok(())
    }
}

fn frame_of(frame: &FrameAst, keys: usize) -> Result<WindowFrame> {
    let units = match frame.units {
        WindowFrameUnits::Rows => DfUnits::Rows,
        WindowFrameUnits::Range => DfUnits::Range,
        WindowFrameUnits::Groups => DfUnits::Groups,
    };
    if units == DfUnits::Groups && keys == 0 {
        return Err(Error::client(SqlState::WINDOWING_ERROR, "GROUPS mode requires an ORDER BY clause"));
    }
    let start = bound_of(&frame.start_bound, units)?;
    let end = match &frame.end_bound {
        Some(end) => bound_of(end, units)?,
        None => DfBound::CurrentRow,
    };
    let wrong = |text: &str| Err(Error::client(SqlState::WINDOWING_ERROR, text));
    match (&frame.start_bound, &frame.end_bound) {
        (WindowFrameBound::Following(None), _) => return wrong("frame start cannot be UNBOUNDED FOLLOWING"),
        (_, Some(WindowFrameBound::Preceding(None))) => return wrong("frame end cannot be UNBOUNDED PRECEDING"),
        (WindowFrameBound::CurrentRow, Some(WindowFrameBound::Preceding(_))) => {
            return wrong("frame starting from current row cannot have preceding rows");
        }
        (WindowFrameBound::Following(_), None | Some(WindowFrameBound::CurrentRow)) => {
            return wrong("frame starting from following row cannot end with current row");
        }
        (WindowFrameBound::Following(_), Some(WindowFrameBound::Preceding(Some(rows)))) => {
            return wrong("frame starting from following row cannot have preceding rows")
                .map_err(|error| error.with_position_if(crate::sql::position(rows.span())));
        }
        _ => {}
    }
    let empty = match (&start, &end) {
        (DfBound::Following(from), DfBound::Following(to)) => from > to,
        (DfBound::Preceding(from), DfBound::Preceding(to)) => !from.is_null() && from < to,
        _ => false,
    };
    if empty {
        return refuse("a frame that ends before it starts");
    }
    Ok(WindowFrame::new_bounds(units, start, end))
}

fn bound_of(bound: &WindowFrameBound, units: DfUnits) -> Result<DfBound> {
    let offset = |ast: &Option<Box<Ast>>| -> Result<ScalarValue> {
        let Some(ast) = ast else { return Ok(ScalarValue::UInt64(None)) };
        if units == DfUnits::Range {
            return refuse("RANGE with an offset");
        }
        match &**ast {
            Ast::Value(value) => match &value.value {
                Value::Number(digits, _) => digits
                    .parse::<u64>()
                    .map(|rows| ScalarValue::UInt64(Some(rows)))
                    .map_err(|_| Error::client(SqlState::INVALID_PARAMETER_VALUE, "frame offset must be an integer")),
                _ => refuse("a frame offset that is not a number"),
            },
            Ast::UnaryOp { .. } => Err(Error::client(
                SqlState::INVALID_PRECEDING_OR_FOLLOWING_SIZE,
                "frame starting offset must not be negative",
            )),
            _ => refuse("a frame offset that is not a constant"),
        }
    };
    Ok(match bound {
        WindowFrameBound::CurrentRow => DfBound::CurrentRow,
        WindowFrameBound::Preceding(rows) => DfBound::Preceding(offset(rows)?),
        WindowFrameBound::Following(rows) => DfBound::Following(offset(rows)?),
    })
}

/// PostgreSQL's words for a window function where none may be.
fn refused_in(clause: Clause) -> Option<&'static str> {
    match clause {
        Clause::Select | Clause::OrderBy => None,
        Clause::Where => Some("window functions are not allowed in WHERE"),
        Clause::Join => Some("window functions are not allowed in JOIN conditions"),
        Clause::GroupBy => Some("window functions are not allowed in GROUP BY"),
        Clause::Having => Some("window functions are not allowed in HAVING"),
        Clause::Aggregate => Some("aggregate function calls cannot contain window function calls"),
        Clause::Filter => Some("window functions are not allowed in FILTER"),
        Clause::Window => Some("window function calls cannot be nested"),
        Clause::Limit => Some("window functions are not allowed in LIMIT"),
        Clause::Offset => Some("window functions are not allowed in OFFSET"),
        Clause::Values => Some("window functions are not allowed in VALUES"),
        Clause::From => Some("window functions are not allowed in functions in FROM"),
    }
}
