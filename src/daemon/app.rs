//! The running app: connectors, catalog, policy, engine, sockets, HTTP, health.
//! Must not know: signals, the command line.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::net::TcpListener;

use super::memory;
use crate::catalog::{Mounted, Needed, SchemaCache, VirtualTable, Virtuals};
use crate::config::{Settings, SourceSettings, SourceSpec};
use crate::engine::datafusion::{Administration, Federated, semantics};
use crate::engine::passthrough::Passthrough;
use crate::error::{Error, Fault, Result, SqlState};
use crate::history::{Events, Running};
use crate::http::{self, HttpState, SourceHealth};
use crate::metrics::Metrics;
use crate::policy::{Admission, Policy};
use crate::query::{Parts, Query, Service, Threads};
use crate::session::{LAST_ID, SessionRegistry};
use crate::shutdown::Shutdown;
use crate::source::Connector;
use crate::source::files::FilesConnector;
use crate::source::postgres::PostgresConnector;
use crate::source::sqlite::SqliteConnector;
use crate::{pg_catalog, views, wire};

/// How often a source is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(5);

/// The running app.
pub(super) struct App {
    addresses: Vec<String>,
    http: Option<String>,
}

impl App {
    /// Puts everything together and begins to accept. `threads` are those of statements.
    pub(super) async fn start(settings: Settings, threads: Threads, shutdown: Shutdown) -> Result<App> {
        // What can fail comes first: nobody is served before the rest stands, and who fails holds no port.
        let metrics = Metrics::new().map_err(|error| Error::internal("metrics").with_cause(error))?;
        let connectors = settings
            .sources
            .iter()
            .map(|source| Ok((source.clone(), connector(source)?)))
            .collect::<Result<Vec<_>>>()?;
        let reading = (&LAST_ID, threads.queries.clone());
        let catalog = Arc::new(SchemaCache::new(&settings.cache, connectors, metrics.clone(), reading));
        let policy = Arc::new(Policy::new(&settings));
        let registry = Arc::new(SessionRegistry::keeping(settings.cache.plans));
        let (running, events) = (Running::default(), Events::default());
        let engine = Arc::new(Federated::new(
            &settings.engine,
            memory::available(),
            (Arc::clone(&catalog), metrics.clone()),
            administration(&catalog, &registry),
            Arc::new(pg_catalog::functions),
        )?);
        let virtuals = Arc::new(Virtuals::new(virtual_tables(&catalog, &registry, (&running, &events))));
        let service: Arc<dyn Service> = Arc::new(Query::new(Parts {
            catalog: Arc::clone(&catalog),
            virtuals,
            engine,
            passthrough: Arc::new(Passthrough::new(Arc::clone(&catalog), metrics.clone())),
            admission: Arc::new(Admission::new(metrics.clone())),
            running,
            events,
            metrics: metrics.clone(),
            threads: threads.clone(),
            database: settings.server.database.clone(),
        }));
        let http = bind_http(&settings).await?;
        let server = wire::Server::start(&settings, service, policy, registry, metrics.clone(), shutdown.clone())?;
        let addresses = server.addresses().to_vec();
        let http = http.map(|(listener, address)| {
            serve_http(listener, &settings, (&catalog, &metrics), &shutdown);
            address
        });
        shutdown.tasks().spawn_on(watch(Arc::clone(&catalog), shutdown.clone()), &threads.queries);
        Ok(App { addresses, http })
    }

    /// Where clients connect.
    pub(super) fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Where metrics and health are.
    pub(super) fn http_address(&self) -> Option<&str> {
        self.http.as_deref()
    }
}

fn connector(source: &SourceSettings) -> Result<Arc<dyn Connector>> {
    Ok(match &source.spec {
        SourceSpec::Postgres(settings) => Arc::new(PostgresConnector::new(&source.name, settings, &source.tables)?),
        SourceSpec::Files(settings) => Arc::new(FilesConnector::new(&source.name, settings, &source.tables)),
        SourceSpec::Sqlite(settings) => Arc::new(SqliteConnector::new(&source.name, settings, &source.tables)),
    })
}

fn virtual_tables(
    catalog: &Arc<SchemaCache>,
    registry: &Arc<SessionRegistry>,
    kept: (&Running, &Events),
) -> Vec<Arc<dyn VirtualTable>> {
    let mut all = views::all(catalog, registry, kept);
    all.extend(pg_catalog::all(semantics::offered(), registry));
    all
}

fn administration(catalog: &Arc<SchemaCache>, registry: &Arc<SessionRegistry>) -> Administration {
    let (sources, sessions, others) = (Arc::clone(catalog), Arc::clone(registry), Arc::clone(registry));
    Administration {
        refresh: Arc::new(move |source| sources.refresh(source)),
        cancel: Arc::new(move |pid, user| sessions.cancel_pid(pid, user)),
        terminate: Arc::new(move |pid, user| others.terminate(pid, user)),
    }
}

/// The listener of metrics and health, and its address with a real port.
async fn bind_http(settings: &Settings) -> Result<Option<(TcpListener, String)>> {
    let Some(address) = &settings.http.listen else { return Ok(None) };
    let failed = |error: std::io::Error| {
        Error::new(
            SqlState::CONFIG_FILE_ERROR,
            Fault::Resource,
            format!("could not listen on {address} for HTTP: {error}"),
        )
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?.to_string();
    Ok(Some((listener, bound)))
}

fn serve_http(
    listener: TcpListener,
    settings: &Settings,
    (catalog, metrics): (&Arc<SchemaCache>, &Metrics),
    shutdown: &Shutdown,
) {
    let sources = Arc::clone(catalog);
    let (measured, meters) = (Arc::clone(catalog), metrics.clone());
    let state = HttpState {
        metrics: metrics.clone(),
        ready: settings.http.ready,
        measure: Arc::new(move || measure(&measured, &meters)),
        sources: Arc::new(move || sources.sources().iter().map(health).collect()),
    };
    // Not one of the tasks that the drain waits for: it says that the daemon drains.
    let stopped = shutdown.clone();
    tokio::spawn(async move {
        if let Err(error) = http::serve(listener, state, stopped).await {
            tracing::error!(error = %error.chain(), "HTTP ended");
        }
    });
}

/// The gauges that nobody counts as they change.
fn measure(catalog: &SchemaCache, metrics: &Metrics) {
    for source in catalog.sources() {
        if let Some(pool) = source.connector.pool() {
            for (state, count) in [("used", pool.in_use), ("idle", pool.idle), ("waiting", pool.waiting)] {
                metrics.pool_connections(&source.name, state).set(i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
        let read = source.status().schema_read_at.and_then(|at| at.elapsed().ok());
        if let Some(age) = read {
            metrics.cache_age(&source.name).set(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
        }
    }
}

fn health(source: &Mounted) -> SourceHealth {
    let status = source.status();
    SourceHealth {
        name: source.name.to_string(),
        kind: source.connector.kind(),
        up: status.up == Some(true),
        since: status.since.unwrap_or(SystemTime::UNIX_EPOCH),
        error_class: status.error.map(|error| error.state().code().to_owned()),
    }
}

/// Reads every schema once, then keeps asking the sources whether they are there, and what they hold before that is too old.
async fn watch(catalog: Arc<SchemaCache>, shutdown: Shutdown) {
    tokio::select! {
        () = shutdown.drain_begun() => return,
        _ = catalog.snapshot(&Needed::All) => {}
    }
    let mut every = tokio::time::interval(PING_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.drain_begun() => return,
            _ = every.tick() => {}
        }
        let pings = catalog.sources().iter().enumerate().map(|(index, source)| {
            let catalog = &catalog;
            async move { catalog.note(index, source.connector.ping().await) }
        });
        tokio::select! {
            () = shutdown.drain_begun() => return,
            _ = futures::future::join_all(pings) => {}
        }
        tokio::select! {
            () = shutdown.drain_begun() => return,
            () = catalog.renew(2 * PING_EVERY) => {}
        }
    }
}
