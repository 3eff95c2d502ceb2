//! The one place where the app is put together: settings in, a running daemon out.
//! Must not know: how any part does its work.

mod app;
mod demo;
mod memory;
mod signals;

use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

pub use demo::demo;

use crate::config::Settings;
use crate::error::{Error, Fault, Result, SqlState};
use crate::query::Threads;
use crate::shutdown::Shutdown;
use app::App;

/// Stacks of the threads that parse, plan and execute: what the guards of `sql` let through fits.
const DEEP_STACK: usize = 32 << 20;
/// The stack of a socket's thread, in bytes: short statements are parsed and printed there.
const SOCKET_STACK: usize = 8 << 20;

/// Threads that answer from memory.
const MEMORY_WORKERS: usize = 2;

/// Threads that carry sockets, at most; fewer than cores. What they do is short, and the more of them there are, the more of their time goes
/// into waking each other, which clients and servers on the same machine lack.
const SOCKETS: usize = 8;

/// Threads that may plan at once.
const PLANNERS: usize = 64;

/// Threads that may read files and SQLite databases at once. A scan keeps its thread while its client does not read.
const SCANS: usize = 512;

/// Threads beside the workers: a statement that does not give way for long costs its share of a core, not everybody's turn. The
/// kernel divides what a scheduler without preemption cannot.
const SPARE: usize = 14;

/// The runtimes: sockets, login, cancel and HTTP on one, so that no statement can keep a login or a cancel waiting; parsing and planning on
/// another, whose threads no scan can hold; execution on a third; and a fourth for what is answered from memory, so that no statement that
/// reads keeps `select 1` waiting.
struct Runtimes {
    sockets: Runtime,
    planners: Runtime,
    queries: Runtime,
    memory: Runtime,
}

impl Runtimes {
    fn new(threads: usize) -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let build = |builder: &mut Builder| {
            builder.enable_all().build().map_err(|error| {
                Error::new(SqlState::INSUFFICIENT_RESOURCES, Fault::Resource, "could not start threads")
                    .with_cause(error)
            })
        };
        let sockets = build(
            Builder::new_multi_thread()
                .worker_threads(cores.div_ceil(2).clamp(1, SOCKETS))
                .thread_stack_size(SOCKET_STACK)
                .thread_name("sockets"),
        )?;
        let planners = build(
            Builder::new_multi_thread()
                .worker_threads(1)
                .max_blocking_threads(PLANNERS)
                .thread_stack_size(DEEP_STACK)
                .thread_name("planners"),
        )?;
        let workers = if threads == 0 { cores } else { threads };
        let queries = build(
            Builder::new_multi_thread()
                .worker_threads(workers.max(2) + SPARE)
                .max_blocking_threads(SCANS)
                .thread_stack_size(DEEP_STACK)
                .thread_name("queries"),
        )?;
        let memory = build(
            Builder::new_multi_thread()
                .worker_threads(MEMORY_WORKERS)
                .thread_stack_size(DEEP_STACK)
                .thread_name("memory"),
        )?;
        Ok(Runtimes { sockets, planners, queries, memory })
    }

    /// The runtimes of statements.
    fn threads(&self) -> Threads {
        Threads {
            planners: self.planners.handle().clone(),
            queries: self.queries.handle().clone(),
            memory: self.memory.handle().clone(),
        }
    }

    /// Ends all without waiting for work that does not yield.
    fn end(self) {
        self.sockets.shutdown_timeout(Duration::from_millis(200));
        self.planners.shutdown_timeout(Duration::from_millis(200));
        self.queries.shutdown_timeout(Duration::from_millis(200));
        self.memory.shutdown_timeout(Duration::from_millis(200));
    }
}

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// What keeps it from starting: an address that is taken, TLS that cannot be set up, a source's files that cannot be read.
pub fn serve(settings: Settings, config_path: PathBuf) -> Result<()> {
    let runtimes = Runtimes::new(settings.engine.threads)?;
    let threads = runtimes.threads();
    let done = runtimes.sockets.block_on(async move {
        let shutdown = Shutdown::new();
        let drain_timeout = settings.server.drain_timeout;
        let app = App::start(settings, threads, shutdown.clone()).await?;
        tracing::info!(
            config = %config_path.display(),
            listen = %app.addresses().join(", "),
            http = app.http_address().unwrap_or("off"),
            version = crate::names::TUSK_VERSION,
            "ready"
        );
        signals::wait_for_stop().await?;
        drain(&shutdown, drain_timeout).await;
        Ok(())
    });
    runtimes.end();
    done
}

/// What the settings let every user do, as `tusk check` prints it.
#[must_use]
pub fn permissions(settings: &Settings) -> String {
    crate::policy::report(settings)
}

/// Stops accepting, lets running statements finish within the timeout, cancels what is left.
async fn drain(shutdown: &Shutdown, timeout: Duration) {
    tracing::info!(timeout_s = timeout.as_secs(), "draining");
    shutdown.begin_drain();
    let again = signals::second_stop();
    tokio::select! {
        () = shutdown.tasks().wait() => {}
        () = tokio::time::sleep(timeout) => {}
        () = again => {}
    }
    shutdown.stop_now();
    // What was cancelled gets a moment to tell its client and its sources.
    let _ = tokio::time::timeout(Duration::from_secs(2), shutdown.tasks().wait()).await;
    tracing::info!("stopped");
}
