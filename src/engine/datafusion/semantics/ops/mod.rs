//! PostgreSQL's functions by the name of their implementation (`pg_proc.prosrc`): what is here is offered, nothing else.
//! Must not know: how a call was resolved.

mod array_calls;
mod arrays;
mod calendar;
mod catalog;
mod compare;
mod encodings;
mod floats;
mod ints;
pub(super) mod json;
mod json_read;
mod math;
mod misc;
mod numerics;
mod patterns;
mod regex_calls;
mod regex_match;
mod strings;
mod times;
mod to_char;

use super::cast::Typing;
use super::ctype::Ctype;
use super::value::{Bound, collation_in, collation_of};
use crate::error::Result;
use crate::types::PgType;

/// A call of the function with this implementation over arguments in its declared types; none if it is not offered.
///
/// # Errors
/// What PostgreSQL finds wrong with constant arguments.
pub(super) fn implement(source: &str, args: Vec<Bound>, returns: PgType, typing: &mut Typing) -> Result<Option<Bound>> {
    let collation = collation_of(&args);
    let made = implemented(source, args, returns, typing)?;
    Ok(made.map(|made| Bound { collation: collation_in(made.pg, collation), ..made }))
}

fn implemented(source: &str, args: Vec<Bound>, returns: PgType, typing: &mut Typing) -> Result<Option<Bound>> {
    if let Some(found) = compare::implement(source, &args, &typing.facts.format.time_zone)? {
        return Ok(Some(found));
    }
    if let Some(found) = ints::implement(source, &args, returns) {
        return Ok(Some(found));
    }
    if let Some(found) = floats::implement(source, &args, returns) {
        return Ok(Some(found));
    }
    if let Some(found) = numerics::implement(source, &args, returns)? {
        return Ok(Some(found));
    }
    if let Some(found) = math::implement(source, &args, returns) {
        return Ok(Some(found));
    }
    if let Some(found) = strings::implement(source, &args, returns, typing)? {
        return Ok(Some(found));
    }
    if let Some(found) = encodings::implement(source, &args, returns, typing)? {
        return Ok(Some(found));
    }
    if let Some(found) = patterns::implement(source, &args)? {
        return Ok(Some(found));
    }
    if let Some(found) = regex_match::implement(source, &args)? {
        return Ok(Some(found));
    }
    if let Some(found) = regex_calls::implement(source, &args, returns) {
        return Ok(Some(found));
    }
    if let Some(found) = times::implement(source, &args, returns, typing)? {
        return Ok(Some(found));
    }
    if let Some(found) = arrays::implement(source, &args, returns, typing)? {
        return Ok(Some(found));
    }
    if let Some(found) = array_calls::implement(source, &args, typing)? {
        return Ok(Some(found));
    }
    if let Some(found) = to_char::implement(source, &args) {
        return Ok(Some(found));
    }
    if let Some(found) = calendar::implement(source, &args, returns, typing)? {
        return Ok(Some(found));
    }
    if let Some(found) = json::implement(source, &args, returns, typing)? {
        return Ok(Some(found));
    }
    if let Some(found) = json_read::implement(source, &args, returns, typing)? {
        return Ok(Some(found));
    }
    if let Some(found) = catalog::implement(source, &args, returns, typing)? {
        return Ok(Some(found));
    }
    misc::implement(source, &args, returns, typing)
}

/// The name of a function under a ctype: under another it is another function.
fn under(ctype: Ctype, name: &str) -> String {
    match ctype {
        Ctype::Unicode => name.to_owned(),
        Ctype::Ascii => format!("{name} of C"),
    }
}

/// The expressions of arguments.
fn exprs(args: &[Bound]) -> Vec<datafusion::logical_expr::Expr> {
    args.iter().map(|arg| arg.expr.clone()).collect()
}
