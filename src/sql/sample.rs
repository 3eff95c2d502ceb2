//! TABLESAMPLE, as PostgreSQL has it: sqlparser reads that of others too.
//! Must not know: what is sampled.

use super::ast::{
    Expr, TableSample, TableSampleKind, TableSampleMethod, TableSampleModifier, TableSampleSeed,
    TableSampleSeedModifier, ValueWithSpan,
};

/// How much of a table, and which.
pub(super) struct Sample<'a> {
    /// The word for the method.
    pub(super) method: &'static str,
    /// Percent.
    pub(super) share: &'a Expr,
    /// REPEATABLE.
    pub(super) seed: Option<&'a ValueWithSpan>,
}

/// The sample that is meant; `None`: PostgreSQL does not have this form.
pub(super) fn sampled(kind: &TableSampleKind) -> Option<Sample<'_>> {
    let (TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) = kind;
    let TableSample { modifier: TableSampleModifier::TableSample, name, quantity, seed, bucket: None, offset: None } =
        &**sample
    else {
        return None;
    };
    let method = match name {
        Some(TableSampleMethod::Bernoulli) => "BERNOULLI",
        Some(TableSampleMethod::System) => "SYSTEM",
        _ => return None,
    };
    let quantity = quantity.as_ref().filter(|quantity| quantity.parenthesized && quantity.unit.is_none())?;
    let seed = match seed {
        Some(TableSampleSeed { modifier: TableSampleSeedModifier::Repeatable, value }) => Some(value),
        None => None,
        Some(_) => return None,
    };
    Some(Sample { method, share: &quantity.value, seed })
}
