//! Types that a source has made for itself: enums and domains, as its columns are declared.
//! Must not know: how a source is asked, what clients are sent for a value.

use std::sync::Arc;

use super::Written;
use crate::types::PgType;

/// A type of a source's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredType {
    /// The schema at the source.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: DeclaredKind,
    /// The comment on it.
    pub comment: Option<String>,
}

/// What a type of a source's own is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeclaredKind {
    /// One of these words, in their order.
    Enum(Vec<String>),
    /// Another type with conditions.
    Domain(Domain),
}

/// A domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// What it stands on, as clients are sent it.
    pub base: PgType,
    /// NULL is impossible.
    pub not_null: bool,
    /// Its default, as the source prints it.
    pub default: Option<String>,
    /// Its checks: name and definition, by name.
    pub checks: Vec<(String, Written)>,
}

/// How a column is declared where that is with a type of the source's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The type.
    pub of: Arc<DeclaredType>,
    /// The column is an array of it.
    pub array: bool,
}
