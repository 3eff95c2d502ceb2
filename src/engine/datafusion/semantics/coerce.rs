//! What PostgreSQL lets become what: the rules of implicit, assignment and explicit casts, and of common types.
//! Must not know: how a cast is computed.

use super::own;
use super::pg::{self, CastContext};
use super::value::{Bound, type_name};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

/// `typcategory` of a type.
pub(super) fn category(oid: u32) -> char {
    match oid {
        705 => 'X',
        _ => PgType::new(oid).category(),
    }
}

/// `typispreferred` of a type.
pub(super) fn is_preferred(oid: u32) -> bool {
    PgType::new(oid).row().is_some_and(|row| row.preferred)
}

/// Whether a value of one type can become one of another in this context.
pub(super) fn can_coerce(from: u32, to: u32, context: CastContext) -> bool {
    if from == to {
        return true;
    }
    match to {
        2276 => return true,
        2283 | 5077 => return true,
        2776 | 5079 => return from == 705 || !PgType::new(from).is_array(),
        2277 | 5078 => return from == 705 || PgType::new(from).is_array(),
        3500 => return from == 705 || (own::is_enum(PgType::new(from)) && own::base_of(PgType::new(from)).is_none()),
        2278 | 3831 | 4537 | 4538 | 5080 => return false,
        _ => {}
    }
    if from == 705 {
        return PgType::new(to).own_kind().is_some() || PgType::new(to).row().is_some_and(|row| row.typtype != b'p');
    }
    if own::base_of(PgType::new(from)).is_some_and(|base| base.oid == to) {
        return true;
    }
    // A row of a table is a record, and a record may be one of its rows: whether it is, its fields say.
    let (one, other) = (PgType::new(from), PgType::new(to));
    if one.is_record() && other.is_record() && !(one.is_row() && other.is_row()) {
        return true;
    }
    if let Some(row) = pg::cast(from, to) {
        return row.context <= context;
    }
    // The vectors are arrays that nothing is cast to.
    if !matches!(to, 22 | 30)
        && let (Some(a), Some(b)) = (PgType::new(from).element(), PgType::new(to).element())
    {
        return can_coerce(a.oid, b.oid, context);
    }
    by_text(from, to, context)
}

/// Whether a value of one type may be assigned to one of another without being asked to: a column's, a parameter's of EXECUTE.
#[must_use]
pub fn can_assign(from: PgType, to: PgType) -> bool {
    can_coerce(from.oid, to.oid, CastContext::Assignment)
}

/// Anything becomes text by its output function (in assignments), text becomes anything by input functions (explicitly).
fn by_text(from: u32, to: u32, context: CastContext) -> bool {
    let real = |oid: u32| {
        let ty = PgType::new(oid);
        ty.own_kind().is_some() || ty.row().is_some_and(|row| row.typtype != b'p')
    };
    (context >= CastContext::Assignment && category(to) == 'S' && (real(from) || PgType::new(from).is_record()))
        || (context == CastContext::Explicit && category(from) == 'S' && real(to))
}

/// The type that several expressions can share, or the error that PostgreSQL gives in `what` (`CASE`, `UNION`, ...).
pub(super) fn common_type<'a>(values: impl IntoIterator<Item = &'a Bound>, what: &str) -> Result<PgType> {
    let mut common: Option<PgType> = None;
    let mut same_typmod = true;
    let mut any = false;
    for value in values {
        any = true;
        let Some(known) = common.filter(|known| known.oid != 705) else {
            same_typmod &= common.is_none();
            common = Some(value.pg);
            continue;
        };
        if value.pg.oid == 705 || value.pg.oid == known.oid {
            same_typmod &= value.pg == known;
            continue;
        }
        same_typmod = false;
        if own::is_opaque(value.pg) || own::is_opaque(known) {
            let (known, other) = (type_name(known.oid), type_name(value.pg.oid));
            return Err(
                own::refused(&format!("{what} over types {known} and {other}")).with_position_if(value.position)
            );
        }
        if category(value.pg.oid) != category(known.oid) {
            return Err(Error::client(
                SqlState::DATATYPE_MISMATCH,
                format!("{what} types {} and {} cannot be matched", type_name(known.oid), type_name(value.pg.oid)),
            )
            .with_position_if(value.position));
        }
        if !is_preferred(known.oid)
            && can_coerce(known.oid, value.pg.oid, CastContext::Implicit)
            && !can_coerce(value.pg.oid, known.oid, CastContext::Implicit)
        {
            common = Some(value.pg);
        }
    }
    let common = common.filter(|known| any && known.oid != 705).unwrap_or(PgType::TEXT);
    Ok(if same_typmod { common } else { common.bare() })
}

/// Adds a position where there is one.
pub(super) trait AtPosition {
    /// The same error, at the position if there is one and it has none yet.
    fn with_position_if(self, position: Option<u32>) -> Self;
}

impl AtPosition for Error {
    fn with_position_if(self, position: Option<u32>) -> Self {
        match position {
            Some(at) if self.position().is_none() => self.with_position(at),
            _ => self,
        }
    }
}
