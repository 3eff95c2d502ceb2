//! A bound expression: what DataFusion computes, and what PostgreSQL says its type is.
//! Must not know: SQL text, how names are resolved.

use arrow::datatypes::DataType;
use datafusion::logical_expr::Expr;
use datafusion::scalar::ScalarValue;

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
        Bound { expr, pg, arrow: storage(pg), unknown: None, position: None, scaled: None }
    }

    /// An expression whose Arrow type is not the one of its PostgreSQL type (numeric, arrays).
    pub(super) fn with_arrow(expr: Expr, pg: PgType, arrow: DataType) -> Bound {
        Bound { expr, pg, arrow, unknown: None, position: None, scaled: None }
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
        }
    }

    /// A literal of a settled type.
    pub(super) fn literal(value: ScalarValue, pg: PgType) -> Bound {
        let arrow = value.data_type();
        Bound { expr: Expr::Literal(value, None), pg, arrow, unknown: None, position: None, scaled: None }
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
    match oid {
        1042 => "character".to_owned(),
        1560 => "bit".to_owned(),
        1014 => "character[]".to_owned(),
        1561 => "bit[]".to_owned(),
        705 => "unknown".to_owned(),
        _ => PgType::new(oid).display_name(),
    }
}
