//! What was decided for statements that a source runs whole, or that catalogs answer, shared by all sessions of a user: whoever says the same
//! next need not have it parsed, resolved, authorised, and printed or planned again.
//! Must not know: how a decision is made, how it runs.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::future::Cache;

use super::plan::Planned;
use super::prepare::Prepared;
use super::{Query, RunningStatement, Target, fresh};
use crate::error::Result;
use crate::policy::Identity;
use crate::session::{Planning, PreparedStatement, Session, StatementKind};

/// Bytes that all decisions together take at most, by a generous estimate.
const MOST_BYTES: u64 = 32 << 20;
/// What a decision takes beside its text, in bytes: its tree and its plan grow with the text.
const FIXED_BYTES: usize = 4 << 10;
/// The same, where it is a plan of ours: that has all functions by name.
const PLAN_BYTES: usize = 64 << 10;
const BYTES_PER_TEXT_BYTE: usize = 16;
/// A longer text is not kept: it would hardly come again.
const LONGEST: usize = 16 << 10;
/// A decision that nobody asks for goes.
const IDLE: Duration = Duration::from_secs(600);
/// Texts of which it is known that they came once.
const SEEN: usize = 4096;

/// A statement, and what it was decided from beside the catalog.
struct Decision {
    text: String,
    types: Vec<u32>,
    identity: Arc<Identity>,
    planning: Planning,
    planned_here: bool,
    prepared: PreparedStatement,
}

/// Decisions, by a hash of text, parameter types and who asks. Kept when a text comes the second time; at once, where it was much work.
pub(super) struct Decisions {
    kept: Cache<u64, Arc<Decision>>,
    /// Hashes of texts that came once, each in the place that it points to.
    seen: Box<[AtomicU64]>,
    hasher: RandomState,
    /// The catalog that all of them were made from: an older one would be held by them for nothing.
    generation: AtomicU64,
}

impl Decisions {
    pub(super) fn new() -> Self {
        let weight = |_: &u64, decision: &Arc<Decision>| {
            let fixed = if decision.planned_here { PLAN_BYTES } else { FIXED_BYTES };
            u32::try_from(fixed + BYTES_PER_TEXT_BYTE * decision.text.len()).unwrap_or(u32::MAX)
        };
        Decisions {
            kept: Cache::builder().weigher(weight).max_capacity(MOST_BYTES).time_to_idle(IDLE).build(),
            seen: (0..SEEN).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            generation: AtomicU64::new(0),
        }
    }

    fn key(&self, identity: &Arc<Identity>, text: &str, types: &[u32]) -> u64 {
        self.hasher.hash_one((identity.user(), text, types))
    }

    /// The statement of this text, if what was decided for it still holds for this session.
    ///
    /// # Errors
    /// `57014`: cancelled while it waited for what there is now.
    pub(super) async fn find(
        &self,
        query: &Query,
        session: &Session,
        (identity, running): (&Arc<Identity>, &RunningStatement),
        (text, types): (&str, &[u32]),
    ) -> Result<Option<PreparedStatement>> {
        if text.len() > LONGEST {
            return Ok(None);
        }
        let Some(decision) = self.kept.get(&self.key(identity, text, types)).await else { return Ok(None) };
        let same = decision.text == text && decision.types == types && Arc::ptr_eq(&decision.identity, identity);
        if !same || !session.vars.plans_like(&decision.planning) {
            return Ok(None);
        }
        let prepared = decision.prepared.for_session(session);
        let holds = fresh::reusable(query, session, identity, running, &prepared).await?;
        Ok(holds.then_some(prepared))
    }

    /// Keeps what was decided for a statement, for other sessions of the same user.
    pub(super) async fn keep(
        &self,
        session: &Session,
        identity: &Arc<Identity>,
        (text, types): (&str, &[u32]),
        prepared: &PreparedStatement,
    ) {
        let Some(planned) = prepared.plan::<Prepared>() else { return };
        if text.len() > LONGEST || !is_for_all(prepared, &planned) {
            return;
        }
        let planned_here = planned.route.target == Target::Catalog;
        if !planned_here && self.is_new(identity, text, types) {
            return;
        }
        let generation = planned.world.transaction();
        if self.generation.fetch_max(generation, Ordering::Relaxed) < generation {
            self.kept.invalidate_all();
        }
        let decision = Decision {
            text: text.to_owned(),
            types: types.to_vec(),
            identity: Arc::clone(identity),
            planning: session.vars.planning(),
            planned_here,
            prepared: prepared.for_session(session),
        };
        self.kept.insert(self.key(identity, text, types), Arc::new(decision)).await;
    }

    /// Whether a text did not come before; from now on it did.
    fn is_new(&self, identity: &Arc<Identity>, text: &str, types: &[u32]) -> bool {
        let key = self.key(identity, text, types);
        let place = usize::try_from(key % SEEN as u64).ok().and_then(|at| self.seen.get(at));
        place.is_none_or(|place| place.swap(key, Ordering::Relaxed) != key)
    }
}

/// Whether what was decided does not depend on the session, but for its variables.
fn is_for_all(prepared: &PreparedStatement, planned: &Prepared) -> bool {
    let itself = matches!(prepared.statement.kind, StatementKind::Query(_) | StatementKind::Modify(_));
    let own = planned.scope.functions.iter().any(|function| function.name == "pg_backend_pid");
    let steady = match planned.plan.value() {
        Planned::Passthrough(_) => true,
        Planned::Federated(plan) => planned.route.target == Target::Catalog && plan.steady,
    };
    // What was cut of its names is told each time it is read.
    let silent = prepared.statement.shortened.is_empty();
    itself && !own && steady && silent && fresh::is_lasting(planned, &prepared.statement.text)
}
