//! Constraints and indexes of a source's tables, as its introspection found them.
//! Must not know: who may see them, how they are named on our side.

use super::Written;
use crate::types::PgType;

/// What a constraint demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConstraintKind {
    /// Values that name a row.
    Primary,
    /// Values that no two rows share.
    Unique,
    /// Values that a row of another table has.
    Foreign,
    /// An expression that is not false.
    Check,
    /// Values that no two rows have in some relation to each other.
    Exclusion,
}

/// A constraint of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteConstraint {
    /// Its name.
    pub name: String,
    /// What it demands.
    pub kind: ConstraintKind,
    /// Positions (in `RemoteTable::columns`) of its columns, in its own order.
    pub columns: Vec<usize>,
    /// The name of the index beneath it; for a foreign key, of the other table's index.
    pub index: Option<String>,
    /// Where a foreign key leads.
    pub references: Option<References>,
    /// Check and exclusion: the constraint as the source writes it.
    pub definition: Option<Written>,
    /// DEFERRABLE.
    pub deferrable: bool,
    /// INITIALLY DEFERRED.
    pub deferred: bool,
    /// Whether rows that were there before were checked.
    pub validated: bool,
    /// Where it comes from.
    pub origin: Origin,
    /// It holds for the table alone, not for those that inherit from it.
    pub no_inherit: bool,
}

/// Where an index or a constraint comes from: each has a number at a source that numbers them, and may be a part of one of a partitioned table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its own number; 0 where there is none.
    pub oid: u32,
    /// That of the one it is a part of; 0 where it is of no other.
    pub parent: u32,
    /// `coninhcount`: how many of the tables that its table inherits from have it.
    pub inherited: i16,
    /// Its table was made with it.
    pub local: bool,
}

impl Origin {
    /// Of a source that numbers nothing and inherits nothing.
    #[must_use]
    pub fn own() -> Self {
        Origin { oid: 0, parent: 0, inherited: 0, local: true }
    }
}

/// Where a foreign key leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct References {
    /// The schema at the source.
    pub schema: String,
    /// The table there.
    pub table: String,
    /// Its columns by name, in the order of the key.
    pub columns: Vec<String>,
    /// `confupdtype`: a no action, r restrict, c cascade, n set null, d set default.
    pub on_update: char,
    /// `confdeltype`, the same letters.
    pub on_delete: char,
    /// `confmatchtype`: s simple, f full, p partial.
    pub matching: char,
}

/// An index of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteIndex {
    /// Its name.
    pub name: String,
    /// The access method, by PostgreSQL's names: `btree`.
    pub method: String,
    /// Whether no two rows share a key.
    pub unique: bool,
    /// Whether it is the primary key's.
    pub primary: bool,
    /// Whether queries may use it.
    pub valid: bool,
    /// Whether NULL counts as a value in a unique index.
    pub nulls_not_distinct: bool,
    /// What it is made of: its key, then what it only stores.
    pub parts: Vec<IndexPart>,
    /// How many of the parts are its key.
    pub keys: usize,
    /// The rows that it is limited to: a condition as the source writes it.
    pub predicate: Option<Written>,
    /// Its expressions in order, if it has any, as one list.
    pub expressions: Option<Written>,
    /// Its storage parameters: `name=value`.
    pub options: Vec<String>,
    /// Where it comes from.
    pub origin: Origin,
    /// Rows, as the source estimates them.
    pub estimated_rows: Option<u64>,
}

/// One column of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexPart {
    /// The position of the table's column; `None` for an expression.
    pub column: Option<usize>,
    /// The expression as the source writes it.
    pub expression: Option<Written>,
    /// The name and the type that an expression's values have in the index.
    pub computed: Option<(String, PgType)>,
    /// The collation by name, quoted where it must be; empty where it is the column's.
    pub collation: String,
    /// The collation by the number that it has at the source; none where nothing is known of it.
    pub collation_oid: Option<u32>,
    /// The operator class by name, whether it is the default or not; empty where it is not known.
    pub class: String,
    /// The operator class by name; empty where it is the default of the column's type.
    pub operator_class: String,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

impl IndexPart {
    /// A column in ascending order under the default operator class.
    #[must_use]
    pub fn column(position: usize) -> Self {
        IndexPart {
            column: Some(position),
            expression: None,
            computed: None,
            collation: String::new(),
            collation_oid: None,
            class: String::new(),
            operator_class: String::new(),
            descending: false,
            nulls_first: false,
        }
    }
}
