//! Function calls: which function is meant, its arguments, what may stand where.
//! Must not know: how a function is computed.

use crate::sql::ast::{
    DuplicateTreatment, Expr as Ast, Function as FunctionAst, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, OrderByExpr,
};

use super::super::coerce::{AtPosition, can_coerce};
use super::super::ops::implement;
use super::super::own;
use super::super::pg::{self, CastContext, Function};
use super::super::resolve::{Resolved, function};
use super::super::session_functions;
use super::super::value::{Bound, Unknown, type_name};
use super::from::parts;
use super::{Binder, refuse};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

/// What is written between the parentheses of a call, and after them.
#[derive(Debug, Default)]
pub(super) struct Call<'e> {
    pub(super) name: String,
    pub(super) args: Vec<&'e Ast>,
    pub(super) star: bool,
    pub(super) distinct: bool,
    pub(super) order: &'e [OrderByExpr],
    pub(super) filter: Option<&'e Ast>,
}

impl Binder<'_> {
    /// A function call as it is written.
    pub(super) fn function(&mut self, ast: &FunctionAst) -> Result<Bound> {
        let position = self.position(&ast.name);
        let mut names = parts(&ast.name)?;
        let name = names.pop().unwrap_or_default();
        match names.pop().filter(|schema| schema != "pg_catalog") {
            Some(schema) => self.foreign_function(&schema, &name, ast, position),
            None => {
                // The rewriting of forms takes the catalog's name away; an error has it again.
                let result = self.named_function(name.clone(), ast, position);
                result.map_err(|error| match self.catalog_before(&error, position) {
                    Some(schema) => in_catalog(error, &name, Some(schema)),
                    None => error,
                })
            }
        }
    }

    /// Where a function's name is written behind the catalog's, if that is what an error is about.
    fn catalog_before(&self, error: &Error, position: Option<u32>) -> Option<u32> {
        let position = position.filter(|at| error.position() == Some(*at))?;
        // The grammar's own TRIM is read as a call already.
        if self.places.first_from(position, &["trim"], 0) == Some(position) {
            return Some(position);
        }
        let dot = self.places.before_is(position, ".")?;
        self.places.before_is(dot, "pg_catalog")
    }

    fn named_function(&mut self, name: String, ast: &FunctionAst, position: Option<u32>) -> Result<Bound> {
        if let ("array", FunctionArguments::Subquery(query)) = (name.as_str(), &ast.args) {
            return Ok(self.array_subquery(query)?.at(position));
        }
        let call = written_call(name, ast)?;
        if call.distinct && call.star {
            let star = self.places.first_from(position.unwrap_or(0), &["*"], 0);
            let error = Error::client(SqlState::SYNTAX_ERROR, "syntax error at or near \"*\"");
            return Err(error.with_position_if(star));
        }
        if ast.null_treatment.is_some() {
            return refuse("IGNORE NULLS and RESPECT NULLS");
        }
        if let Some(over) = &ast.over {
            return self.window_call(call, over, position);
        }
        if matches!(ast.args, FunctionArguments::None)
            && let Some(found) = self.keyword_function(&call.name)?
        {
            return Ok(found.at(position));
        }
        let is_aggregate = pg::functions(&call.name).iter().any(|function| function.kind == b'a');
        if is_aggregate {
            if !ast.within_group.is_empty() {
                return self.ordered_set_call(&call, &ast.within_group, position);
            }
            return self.aggregate_call(call, position);
        }
        if call.filter.is_some() || call.distinct || call.star || !call.order.is_empty() {
            return Err(self.not_an_aggregate(&call).with_position_if(position));
        }
        // `row` is a word of the grammar; a function of this name would stand in quotes.
        if call.name == "row" && ast.name.0.iter().all(|part| part.as_ident().is_some_and(|i| i.quote_style.is_none()))
        {
            return Ok(self.row(call.args.into_iter())?.at(position));
        }
        if let (Some(form), Some(text)) = (super::special::normal_form(&call.name, &call.args), call.args.first()) {
            let args = vec![self.expr(text)?, Self::unknown_text(form)];
            return self.call(&call.name, args, position);
        }
        let bind = |binder: &mut Self| call.args.iter().map(|ast| binder.expr(ast)).collect::<Result<Vec<_>>>();
        let args = if call.name == "coalesce" { self.without_sets("COALESCE", bind)? } else { bind(self)? };
        if let Some(set) = self.set_call(&call.name, &args)? {
            return self.set_value(set, position);
        }
        match call.name.as_str() {
            "grouping" => self.grouping(args, position),
            "coalesce" | "nullif" | "greatest" | "least" => {
                Ok(self.conditional(&call.name, args, position)?.at(position))
            }
            _ => self.call(&call.name, args, position),
        }
    }

    fn not_an_aggregate(&self, call: &Call<'_>) -> Error {
        let name = &call.name;
        let exists = !pg::functions(name).is_empty();
        let what = if call.star {
            return Error::client(SqlState::UNDEFINED_FUNCTION, format!("function {name}() does not exist"))
                .with_hint(NO_FUNCTION);
        } else if call.filter.is_some() {
            "FILTER"
        } else if call.distinct {
            "DISTINCT"
        } else {
            "ORDER BY"
        };
        if exists {
            let text = format!("{what} specified, but {name} is not an aggregate function");
            return Error::client(SqlState::WRONG_OBJECT_TYPE, text);
        }
        Error::client(SqlState::UNDEFINED_FUNCTION, format!("function {name} does not exist")).with_hint(NO_FUNCTION)
    }

    /// `current_date` and its kin: functions without parentheses.
    fn keyword_function(&mut self, name: &str) -> Result<Option<Bound>> {
        session_functions::keyword(name, None, &self.typing.facts)
    }

    /// A call of a function by name over bound arguments.
    pub(super) fn call(&mut self, name: &str, args: Vec<Bound>, position: Option<u32>) -> Result<Bound> {
        let args: Vec<Bound> = args.into_iter().map(|arg| self.typing.refresh(arg)).collect();
        shown_only(name, &args).map_err(|error| error.with_position_if(position))?;
        if let Some(found) = session_functions::call(name, &args, &self.typing.facts)? {
            return Ok(found.at(position));
        }
        let types: Vec<u32> = args.iter().map(|arg| arg.pg.oid).collect();
        if let Some(cast) = self.type_as_function(name, &args, &types)? {
            return Ok(cast.at(position));
        }
        match function(name, &types) {
            Resolved::One((declared, found)) => self.resolved(found, &declared, args, position),
            missing => {
                if let Some(own) = self.registered(name, &args)? {
                    return Ok(own.at(position));
                }
                Err(no_function(name, &types, matches!(missing, Resolved::Ambiguous)).with_position_if(position))
            }
        }
    }

    fn resolved(
        &mut self,
        found: &'static Function,
        declared: &[u32],
        args: Vec<Bound>,
        position: Option<u32>,
    ) -> Result<Bound> {
        let name = found.name;
        let types: Vec<u32> = args.iter().map(|arg| arg.pg.oid).collect();
        match found.kind {
            b'a' => return Err(Error::internal(format!("aggregate {name} was bound as a plain function"))),
            b'w' => {
                return Err(Error::client(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("window function {name} requires an OVER clause"),
                )
                .with_position_if(position));
            }
            b'p' => {
                return Err(Error::client(SqlState::UNDEFINED_FUNCTION, format!("{name} is a procedure"))
                    .with_hint("To call a procedure, use CALL."));
            }
            _ => {}
        }
        if found.set {
            return refuse(&format!("set-returning function {name} outside of FROM"));
        }
        let cast = found.args.len() == 1 && PgType::new(found.returns).name() == name;
        let coerced = self.arguments(args, declared)?;
        if cast && let [only] = coerced.as_slice() {
            let made = self.typing.coerce(only.clone(), PgType::new(found.returns), CastContext::Explicit)?;
            return Ok(made.at(position));
        }
        let returns = returned(found, &coerced);
        if let Some(own) = self.registered_resolved(name, &coerced, returns) {
            return Ok(own.at(position));
        }
        match implement(found.source, coerced, returns, &mut self.typing)? {
            Some(bound) => Ok(bound.at(position)),
            None => Err(Error::unsupported(format!("function {} is not supported", signature(name, &types)))
                .with_position_if(position)),
        }
    }

    /// An argument in the type a function declares; `any` and its kin take it as it is.
    pub(super) fn argument(&mut self, arg: Bound, declared: u32) -> Result<Bound> {
        match declared {
            2276 => self.typing.untyped(arg),
            2277 | 2283 | 2776 | 3500 | 5077 | 5078 | 5079 => self.typing.settle(arg),
            _ => self.typing.coerce(arg, PgType::new(declared), CastContext::Implicit),
        }
    }

    /// `int4('1')`: a type's name as a function is a cast, where the cast needs no function of its own.
    fn type_as_function(&mut self, name: &str, args: &[Bound], types: &[u32]) -> Result<Option<Bound>> {
        let ([arg], [from]) = (args, types) else { return Ok(None) };
        let Some(to) = PgType::from_name(&format!("\"{name}\"")) else { return Ok(None) };
        if pg::functions(name).iter().any(|function| function.args == types) {
            return Ok(None);
        }
        let literal = matches!(arg.unknown, Some(Unknown::Text(_) | Unknown::Null | Unknown::Param(_)));
        // Relabelled, or by the output and input functions; what has a cast function of its own is found by name.
        let unwritten = match pg::cast(*from, to.oid) {
            Some(cast) => cast.method != b'f',
            None => can_coerce(*from, to.oid, CastContext::Explicit),
        };
        if literal || unwritten {
            return self.typing.coerce(arg.clone(), to, CastContext::Explicit).map(Some);
        }
        Ok(None)
    }

    /// A function of a schema other than `pg_catalog`: only those that are registered for the session.
    fn foreign_function(
        &mut self,
        schema: &str,
        name: &str,
        ast: &FunctionAst,
        position: Option<u32>,
    ) -> Result<Bound> {
        let full = format!("{schema}.{name}");
        let call = written_call(full.clone(), ast)?;
        let args = call.args.iter().map(|ast| self.expr(ast)).collect::<Result<Vec<_>>>()?;
        if schema == "information_schema"
            && let Some(found) = self.true_type(name, &args)
        {
            return Ok(found.at(position));
        }
        if let Some(set) = self.set_call(&full, &args)? {
            return self.set_value(set, position);
        }
        if let Some(own) = self.registered(&full, &args)? {
            return Ok(own.at(position));
        }
        let types: Vec<u32> = args.iter().map(|arg| arg.pg.oid).collect();
        // Those of the standard's schema have names that no other function has.
        if schema == "information_schema"
            && name.starts_with("_pg_")
            && let Resolved::One((declared, found)) = function(name, &types)
        {
            return self.resolved(found, &declared, args, position);
        }
        Err(no_function(&full, &types, false).with_position_if(position))
    }
}

/// Functions that take any value as it is.
const SHOW_ANY: &[&str] = &[
    "concat",
    "concat_ws",
    "count",
    "first_value",
    "format",
    "lag",
    "last_value",
    "lead",
    "nth_value",
    "num_nonnulls",
    "num_nulls",
    "pg_typeof",
];

/// Of a type of a source's own of which only the text is known, no function may make anything else: which one is meant, and what it
/// would say, only the source knows.
///
/// # Errors
/// `0A000`.
pub(super) fn shown_only(name: &str, args: &[Bound]) -> Result<()> {
    match args.iter().any(|arg| own::is_opaque(arg.pg)) && !SHOW_ANY.contains(&name) {
        true => {
            let types: Vec<u32> = args.iter().map(|arg| arg.pg.oid).collect();
            Err(own::refused(&format!("function {}", signature(name, &types))))
        }
        false => Ok(()),
    }
}

/// The hint PostgreSQL gives with a function that does not exist.
const NO_FUNCTION: &str =
    "No function matches the given name and argument types. You might need to add explicit type casts.";

/// `round(numeric, integer)`.
pub(super) fn signature(name: &str, types: &[u32]) -> String {
    let types: Vec<String> = types.iter().map(|oid| type_name(*oid)).collect();
    format!("{name}({})", types.join(", "))
}

/// `42883`, or `42725` where several functions fit.
pub(super) fn no_function(name: &str, types: &[u32], ambiguous: bool) -> Error {
    let signature = signature(name, types);
    if ambiguous {
        return Error::client(SqlState::AMBIGUOUS_FUNCTION, format!("function {signature} is not unique"))
            .with_hint("Could not choose a best candidate function. You might need to add explicit type casts.");
    }
    Error::client(SqlState::UNDEFINED_FUNCTION, format!("function {signature} does not exist")).with_hint(NO_FUNCTION)
}

/// The error as PostgreSQL words it for a function that is named with its schema.
pub(super) fn in_catalog(error: Error, name: &str, place: Option<u32>) -> Error {
    let plain = format!("function {name}(");
    match (error.state(), error.message().strip_prefix(&plain)) {
        (SqlState::UNDEFINED_FUNCTION | SqlState::AMBIGUOUS_FUNCTION, Some(rest)) => {
            let worded = Error::client(error.state(), format!("function pg_catalog.{name}({rest}"));
            let worded = worded.with_position_if(place.or(error.position()));
            error.hint().map(str::to_owned).into_iter().fold(worded, Error::with_hint)
        }
        _ => error,
    }
}

/// A function's result type, polymorphic ones resolved.
pub(super) fn returned(found: &Function, args: &[Bound]) -> PgType {
    match found.returns {
        2283 | 2776 | 3500 | 5077 | 5079 => args.first().map_or(PgType::TEXT, |arg| {
            let array = matches!(found.args.first(), Some(2277 | 5078));
            if array { arg.pg.element().unwrap_or(PgType::TEXT) } else { arg.pg.bare() }
        }),
        2277 | 5078 => args.first().map_or(PgType::TEXT_ARRAY, |arg| {
            let array = matches!(found.args.first(), Some(2277 | 5078));
            if array { arg.pg.bare() } else { arg.pg.bare().array_of().unwrap_or(PgType::TEXT_ARRAY) }
        }),
        oid => PgType::new(oid),
    }
}

fn written_call<'e>(name: String, ast: &'e FunctionAst) -> Result<Call<'e>> {
    let mut call = Call { name, filter: ast.filter.as_deref(), ..Call::default() };
    if !matches!(ast.parameters, FunctionArguments::None) {
        return Err(Error::client(SqlState::SYNTAX_ERROR, "syntax error: a function has one list of arguments"));
    }
    let list = match &ast.args {
        FunctionArguments::None => return Ok(call),
        FunctionArguments::Subquery(_) if call.name == "array" => return refuse("ARRAY over a subquery"),
        FunctionArguments::Subquery(_) => {
            return Err(Error::client(SqlState::SYNTAX_ERROR, "syntax error: a subquery needs parentheses of its own"));
        }
        FunctionArguments::List(list) => list,
    };
    call.distinct = matches!(list.duplicate_treatment, Some(DuplicateTreatment::Distinct));
    for clause in &list.clauses {
        match clause {
            FunctionArgumentClause::OrderBy(order) => call.order = order,
            _ => return refuse("this clause in the arguments of a function"),
        }
    }
    for arg in &list.args {
        match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(ast)) => call.args.push(ast),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => call.star = true,
            FunctionArg::Unnamed(_) => return refuse("a qualified star as an argument"),
            FunctionArg::Named { .. } | FunctionArg::ExprNamed { .. } => return refuse("named arguments"),
        }
    }
    Ok(call)
}
