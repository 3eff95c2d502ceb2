//! A plan of either engine.
//! Must not know: how one comes about, how it runs.

use std::sync::Arc;

use crate::catalog::TableSchema;
use crate::engine::datafusion::Plan;
use crate::engine::passthrough::PassPlan;
use crate::rows::{CommandTag, RowShape};
use crate::types::PgType;

/// What was planned for a statement that reads.
#[derive(Clone)]
pub(super) enum Planned {
    /// DataFusion runs it.
    Federated(Arc<Plan>),
    /// Its source runs it.
    Passthrough(Arc<PassPlan>),
}

impl Planned {
    /// What its rows look like.
    pub(super) fn shape(&self) -> &Arc<RowShape> {
        match self {
            Planned::Federated(plan) => &plan.shape,
            Planned::Passthrough(plan) => &plan.shape,
        }
    }

    /// The types of its parameters.
    pub(super) fn parameters(&self) -> &[PgType] {
        match self {
            Planned::Federated(plan) => &plan.parameters,
            Planned::Passthrough(plan) => &plan.parameters,
        }
    }

    /// The tables of sources that it reads.
    pub(super) fn tables(&self) -> &[Arc<TableSchema>] {
        match self {
            Planned::Federated(plan) => &plan.tables,
            Planned::Passthrough(plan) => &plan.tables,
        }
    }

    /// What CommandComplete says; `written`: rows that it has written, where that is known.
    pub(super) fn tag(&self, written: Option<u64>) -> CommandTag {
        match self.writes() {
            Some(verb) => CommandTag::Modified(verb, written),
            None => CommandTag::Select,
        }
    }

    /// It writes: the word of its tag.
    pub(super) fn writes(&self) -> Option<&'static str> {
        match self {
            Planned::Federated(_) => None,
            Planned::Passthrough(plan) => plan.writes,
        }
    }

    /// It writes, and returns no rows.
    pub(super) fn is_silent(&self) -> bool {
        match self {
            Planned::Federated(_) => false,
            Planned::Passthrough(plan) => plan.silent,
        }
    }

    /// Whether it reads virtual tables.
    pub(super) fn reads_virtual(&self) -> bool {
        match self {
            Planned::Federated(plan) => plan.reads_virtual,
            Planned::Passthrough(_) => false,
        }
    }
}
