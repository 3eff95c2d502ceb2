//! DataFusion: binds, plans and runs statements over relations that were resolved and narrowed for one role.
//! Must not know: sessions, routes, how statements are authorised (it runs only what is).

mod administration;
mod apply;
mod in_memory;
mod kept;
mod metered;
mod named_pushdown;
mod plan;
mod pushdown;
mod remote;
mod run;
mod scan;
mod secured;
pub mod semantics;
mod sequence;
mod session_calls;
mod shape;
mod stop;
mod store;
mod tables;
mod virtual_scan;
mod yielding;

use std::sync::Arc;

use datafusion::execution::SessionState;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionConfig;

pub use administration::{Administration, OnSession, Refresh};
pub use plan::{Plan, PlanRequest};
pub use run::{Explained, RemoteRead};
pub use semantics::{SessionActs, SessionFacts};
pub use stop::Stop;

use crate::catalog::{SchemaCache, Viewer};
use crate::config::{EngineSettings, Size};
use crate::error::{Error, Fault, Notices, Result, SqlState};
use crate::metrics::Metrics;
pub use crate::source::ScanMeter;
use crate::source::{Failed, RemoteTransaction};
use scan::Scanner;

/// A transaction at a source that a statement runs in: what it reads there it reads inside.
#[derive(Clone)]
pub struct Inside {
    /// The transaction.
    pub remote: Arc<dyn RemoteTransaction>,
    /// Whether the statement has failed.
    pub failed: Failed,
}

impl std::fmt::Debug for Inside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Inside").field(&self.remote).finish()
    }
}

/// What a running statement's leaves need to know of it.
#[derive(Debug)]
pub struct StatementContext {
    /// Names the statement at its sources.
    pub query_id: String,
    /// Counts what is read.
    pub meter: Arc<ScanMeter>,
    /// Tells its functions to stop.
    pub stop: Stop,
    /// Takes what its sources say beside their answers.
    pub notices: Notices,
    /// The transaction that it runs in.
    pub inside: Option<Inside>,
}

impl StatementContext {
    /// Of a statement with this id.
    #[must_use]
    pub fn new(query_id: String, meter: Arc<ScanMeter>, stop: Stop, notices: Notices) -> Self {
        StatementContext { query_id, meter, stop, notices, inside: None }
    }

    /// The same, in this transaction.
    #[must_use]
    pub fn within(self, inside: Option<Inside>) -> Self {
        StatementContext { inside, ..self }
    }
}

/// The federated engine. One for the daemon.
pub struct Federated {
    template: SessionState,
    /// For what reads virtual tables alone.
    memory: SessionState,
    scanner: Arc<Scanner>,
    administration: Administration,
    functions: Functions,
}

/// Functions that depend on who asks: a room above the engine hands them in.
pub type Functions = Arc<dyn Fn(&Arc<Viewer>) -> Vec<Arc<ScalarUDF>> + Send + Sync>;

/// Operators that are named when memory runs out.
const CONSUMERS_NAMED: std::num::NonZeroUsize = std::num::NonZeroUsize::MIN;

impl Federated {
    /// The engine over these sources, with its own memory and spill limits.
    ///
    /// # Errors
    /// `58030` where the spill directory cannot be made.
    pub fn new(
        settings: &EngineSettings,
        machine_memory: u64,
        (sources, metrics): (Arc<SchemaCache>, Metrics),
        administration: Administration,
        functions: Functions,
    ) -> Result<Self> {
        let memory = match settings.memory_limit {
            Size::Bytes(bytes) => bytes,
            Size::Percent(percent) => machine_memory / 100 * u64::from(percent),
        };
        let pool = FairSpillPool::new(usize::try_from(memory).unwrap_or(usize::MAX));
        let disk = match &settings.spill_directory {
            Some(directory) => {
                std::fs::create_dir_all(directory).map_err(|error| spill_error(&error))?;
                DiskManagerBuilder::default().with_mode(DiskManagerMode::Directories(vec![directory.clone()]))
            }
            None => DiskManagerBuilder::default(),
        };
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(TrackConsumersPool::new(pool, CONSUMERS_NAMED)))
            .with_disk_manager_builder(disk.with_max_temp_directory_size(settings.spill_limit))
            .build_arc()
            .map_err(semantics::from_datafusion)?;
        stop::follow_tasks();
        let threads = match settings.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
            threads => threads,
        };
        let config = SessionConfig::new().with_target_partitions(threads).with_information_schema(false);
        let state = |config: SessionConfig| {
            SessionStateBuilder::new().with_config(config).with_runtime_env(Arc::clone(&runtime))
        };
        let template = semantics::install(state(config.clone()).with_physical_optimizer_rules(yielding::rules()));
        let memory = state(in_memory::settings(config)).with_physical_optimizer_rules(in_memory::physical_rules());
        let memory = semantics::install(memory).with_optimizer_rules(in_memory::rules());
        let scanner = Arc::new(Scanner::new(sources, metrics));
        Ok(Federated { template: template.build(), memory: memory.build(), scanner, administration, functions })
    }
}

fn spill_error(error: &std::io::Error) -> Error {
    Error::new(SqlState::IO_ERROR, Fault::Resource, format!("could not create the spill directory: {}", error.kind()))
}
