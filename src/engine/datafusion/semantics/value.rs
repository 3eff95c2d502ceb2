//! A bound expression: what DataFusion computes, and what PostgreSQL says its type is.
//! Must not know: SQL text, how names are resolved.

use arrow::datatypes::DataType;
use datafusion::logical_expr::Expr;
use datafusion::scalar::ScalarValue;

use super::ctype::Ctype;
use crate::types::{PgType, storage};

/// A value whose type its surroundings still have to settle.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Unknown {
    /// A quoted literal.
    Text(String),
    /// NULL.
    Null,
    /// A parameter, counted from 1.
    Param(usize),
}

/// An expression with both of its types.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    /// What is computed; for an unknown value a NULL that is never used.
    pub(super) expr: Expr,
    /// PostgreSQL's type; `unknown` where it is not settled.
    pub(super) pg: PgType,
    /// The Arrow type of what is computed.
    pub(super) arrow: DataType,
    /// The literal, while its type is not settled.
    pub(super) unknown: Option<Unknown>,
    /// Where it stands in the statement: characters from 1.
    pub(super) position: Option<u32>,
    /// For numeric in text form: the same values as decimals of one scale, if they fit any.
    pub(super) scaled: Option<Box<Scaled>>,
    /// For text: the collation that PostgreSQL derives.
    pub(super) collation: Collation,
}

/// The collation of a text, as far as it changes an answer: all that there are here order by bytes, but not all know more letters than
/// ASCII's. The later of two is that of what is made of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Collation {
    /// The database's.
    #[default]
    Default,
    /// "C", as a value of type name has it, and a column of such.
    PlainC,
    /// `COLLATE "default"`.
    AskedDefault,
    /// `COLLATE "C"`.
    AskedC,
}

impl Collation {
    /// Of a column of values of this one: what was asked for in a subquery is not asked for outside of it.
    pub(super) fn of_a_column(self) -> Collation {
        match self {
            Collation::Default | Collation::AskedDefault => Collation::Default,
            Collation::PlainC | Collation::AskedC => Collation::PlainC,
        }
    }
}

/// The collation of what is made of these.
pub(super) fn collation_of(values: &[Bound]) -> Collation {
    let of = |value: &Bound| {
        if value.pg.oid == PgType::NAME.oid { value.collation.max(Collation::PlainC) } else { value.collation }
    };
    values.iter().map(of).max().unwrap_or_default()
}

/// The collation of a value of this type that is made of such: none but text has one.
pub(super) fn collation_in(ty: PgType, made_of: Collation) -> Collation {
    match ty.oid {
        19 | 25 | 1002 | 1003 | 1009 | 1014 | 1015 | 1042 | 1043 => made_of,
        _ => Collation::Default,
    }
}

/// Who says which characters of these are letters.
pub(super) fn ctype_of(values: &[Bound]) -> Ctype {
    match collation_of(values) {
        Collation::Default | Collation::AskedDefault => Ctype::Unicode,
        Collation::PlainC | Collation::AskedC => Ctype::Ascii,
    }
}

/// Numeric values of different scales as decimals of the largest, and the scale that each one shows.
#[derive(Debug, Clone)]
pub(super) struct Scaled {
    /// The decimals.
    pub(super) value: Expr,
    /// Their form.
    pub(super) form: DataType,
    /// The digits that each shows behind the point (an int4).
    pub(super) scale: Expr,
}

impl Bound {
    /// An expression of a settled type in that type's own storage.
    pub(super) fn new(expr: Expr, pg: PgType) -> Bound {
        Bound {
            expr,
            pg,
            arrow: storage(pg),
            unknown: None,
            position: None,
            scaled: None,
            collation: Collation::Default,
        }
    }

    /// An expression whose Arrow type is not the one of its PostgreSQL type (numeric, arrays).
    pub(super) fn with_arrow(expr: Expr, pg: PgType, arrow: DataType) -> Bound {
        Bound { expr, pg, arrow, unknown: None, position: None, scaled: None, collation: Collation::Default }
    }

    /// A value whose type is not settled.
    pub(super) fn unknown(value: Unknown) -> Bound {
        Bound {
            expr: Expr::Literal(ScalarValue::Null, None),
            pg: PgType::UNKNOWN,
            arrow: DataType::Null,
            unknown: Some(value),
            position: None,
            scaled: None,
            collation: Collation::Default,
        }
    }

    /// A literal of a settled type.
    pub(super) fn literal(value: ScalarValue, pg: PgType) -> Bound {
        let arrow = value.data_type();
        Bound {
            expr: Expr::Literal(value, None),
            pg,
            arrow,
            unknown: None,
            position: None,
            scaled: None,
            collation: Collation::Default,
        }
    }

    /// The same at a place in the statement.
    pub(super) fn at(mut self, position: Option<u32>) -> Bound {
        self.position = self.position.or(position);
        self
    }

    /// The literal's value, if it is a literal of a settled type.
    pub(super) fn constant(&self) -> Option<&ScalarValue> {
        match (&self.expr, &self.unknown) {
            (Expr::Literal(value, _), None) => Some(value),
            _ => None,
        }
    }

    /// The type's name in messages: `integer`, `unknown`.
    pub(super) fn type_name(&self) -> String {
        type_name(self.pg.oid)
    }
}

/// A type's name in messages, without modifier.
#[must_use]
pub fn name_of(ty: PgType) -> String {
    type_name(ty.oid)
}

/// A type's name in messages, without modifier: `character`, `character varying`, `integer[]`.
pub(super) fn type_name(oid: u32) -> String {
    let known = super::own::name_of(PgType::new(oid)).or_else(|| super::rows::name_of(PgType::new(oid)));
    if let Some(name) = known {
        return name;
    }
    match oid {
        1042 => "character".to_owned(),
        1560 => "bit".to_owned(),
        1014 => "character[]".to_owned(),
        1561 => "bit[]".to_owned(),
        705 => "unknown".to_owned(),
        _ => PgType::new(oid).display_name(),
    }
}
