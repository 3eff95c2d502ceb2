//! Arguments of polymorphic types (`anyarray`, `anyelement` and their kin): what has no type takes it from its neighbours.
//! Must not know: which function or operator is called.

use super::super::pg::CastContext;
use super::super::value::Bound;
use super::Binder;
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

/// The type that the typed arguments settle on: the array's, and its elements'.
#[derive(Clone, Copy)]
struct Actual {
    array: Option<PgType>,
    element: PgType,
}

/// Whether a declared type stands for any array.
fn is_any_array(declared: u32) -> bool {
    matches!(declared, 2277 | 5078)
}

/// Whether a declared type stands for any element.
fn is_any_element(declared: u32) -> bool {
    matches!(declared, 2283 | 2776 | 3500 | 5077 | 5079)
}

fn actual(args: &[Bound], declared: &[u32]) -> Option<Actual> {
    let known = || args.iter().zip(declared).filter(|(arg, _)| arg.unknown.is_none() && arg.pg.oid != 705);
    let of_array = known().find(|(_, to)| is_any_array(**to)).and_then(|(arg, _)| {
        let array = arg.pg.bare();
        Some(Actual { array: Some(array), element: array.element()? })
    });
    let of_element = || {
        let (arg, _) = known().find(|(_, to)| is_any_element(**to))?;
        let element = arg.pg.bare();
        Some(Actual { array: element.array_of(), element })
    };
    of_array.or_else(of_element)
}

impl Binder<'_> {
    /// The arguments of a call in the types that its function or operator declares.
    pub(super) fn arguments(&mut self, args: Vec<Bound>, declared: &[u32]) -> Result<Vec<Bound>> {
        let args: Vec<Bound> = args.into_iter().map(|arg| self.typing.refresh(arg)).collect();
        let actual = actual(&args, declared);
        let mut coerced = Vec::with_capacity(args.len());
        for (arg, to) in args.into_iter().zip(declared) {
            let wanted = match actual {
                Some(actual) if is_any_array(*to) => actual.array,
                Some(actual) if is_any_element(*to) => Some(actual.element),
                _ => None,
            };
            if actual.is_none() && arg.unknown.is_some() && matches!(to, 2277 | 2283 | 2776 | 3500) {
                let message = "could not determine polymorphic type because input has type unknown";
                return Err(Error::client(SqlState::DATATYPE_MISMATCH, message));
            }
            coerced.push(match wanted.filter(|_| arg.unknown.is_some()) {
                Some(wanted) => self.typing.coerce(arg, wanted, CastContext::Implicit)?,
                None => self.argument(arg, *to)?,
            });
        }
        Ok(coerced)
    }
}
