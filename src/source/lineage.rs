//! What a source's table descends from, what it is divided by, and the sequences beside the tables.
//! Must not know: who may see them.

use super::Written;
use crate::types::PgType;

/// Where a table stands among others: `pg_inherits`, and of partitions and partitioned tables what PostgreSQL keeps of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lineage {
    /// The tables that it inherits from, by the numbers that they have at the source, in order.
    pub parents: Vec<u32>,
    /// Of a partition: `FOR VALUES ...`.
    pub bound: Option<String>,
    /// Of a partition: the condition that its rows meet, where there is one.
    pub condition: Option<String>,
    /// What it is divided by.
    pub partitioning: Option<Partitioning>,
}

/// What a table is divided by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partitioning {
    /// `partstrat`: h hash, l list, r range.
    pub strategy: char,
    /// Positions (in `RemoteTable::columns`) of the key's columns; `None` for an expression.
    pub columns: Vec<Option<usize>>,
    /// The operator classes by name.
    pub classes: Vec<String>,
    /// The collations by the numbers that they have at the source; 0 where there is none.
    pub collations: Vec<u32>,
    /// The key, as it stands in CREATE TABLE.
    pub key: String,
    /// The key's expressions, where it has any.
    pub expressions: Option<Written>,
    /// The partition that takes all other rows, by its number at the source; 0 where there is none.
    pub default: u32,
}

/// A sequence of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteSequence {
    /// The schema at the source.
    pub schema: String,
    /// Its exact name there.
    pub name: String,
    /// The type of its values.
    pub ty: PgType,
    /// The first of them.
    pub start: i64,
    /// What lies between two of them.
    pub increment: i64,
    /// The least.
    pub least: i64,
    /// The greatest.
    pub greatest: i64,
    /// How many a session takes at once.
    pub cache: i64,
    /// Whether it begins again at its end.
    pub cycle: bool,
    /// The comment on it.
    pub comment: Option<String>,
    /// The column that it is gone with.
    pub owner: Option<SequenceOwner>,
}

/// The column that a sequence belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceOwner {
    /// The schema of its table, at the source.
    pub schema: String,
    /// Its table there.
    pub table: String,
    /// Its name.
    pub column: String,
    /// It is the column's identity; otherwise the column's default may take from it.
    pub identity: bool,
}
