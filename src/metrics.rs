//! Every metric of Tusk, with a typed way to reach it, and their text for Prometheus.
//! Must not know: what it counts. Labels are bounded: routes, states and sources of the config, never users or SQL.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::core::Collector;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

use crate::names::TUSK_VERSION;

/// A number that only grows.
pub type Counter = prometheus::IntCounter;

/// A number that goes up and down.
pub type Gauge = prometheus::IntGauge;

/// A distribution, in seconds.
pub type Histogram = prometheus::Histogram;

/// A metric that could not be set up: its name or labels are malformed or taken. A bug.
#[derive(Debug)]
pub struct MetricsError(String);

impl fmt::Display for MetricsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metrics cannot be set up: {}", self.0)
    }
}

impl std::error::Error for MetricsError {}

impl From<prometheus::Error> for MetricsError {
    fn from(error: prometheus::Error) -> Self {
        MetricsError(error.to_string())
    }
}

/// From a fast catalog look-up to a report that runs for ten minutes.
const QUERY_SECONDS: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0, 600.0];

/// All metrics; cloning shares them.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    queries_total: IntCounterVec,
    query_seconds: HistogramVec,
    queries_running: Gauge,
    queries_queued: Gauge,
    connections: Gauge,
    rows_returned: Counter,
    bytes_returned: Counter,
    source_up: IntGaugeVec,
    source_seconds: HistogramVec,
    source_rows: IntCounterVec,
    pool_connections: IntGaugeVec,
    cache_requests: IntCounterVec,
    cache_age: IntGaugeVec,
    policy_denials: IntCounterVec,
    limit_hits: IntCounterVec,
    auth_failures: IntCounterVec,
    memory: IntGaugeVec,
    config_reloads: IntCounterVec,
    catalog_errors: Counter,
    panics: Counter,
    process: Process,
}

/// What the kernel knows of this process, read when the metrics are.
struct Process {
    resident: Gauge,
    virtual_memory: Gauge,
    threads: Gauge,
    open_files: Gauge,
}

/// Registers what it makes.
struct Maker(Registry);

impl Maker {
    fn add<C: Collector + Clone + 'static>(&self, collector: C) -> Result<C, MetricsError> {
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    fn counter(&self, name: &str, help: &str) -> Result<Counter, MetricsError> {
        self.add(Counter::new(name, help)?)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<Gauge, MetricsError> {
        self.add(Gauge::new(name, help)?)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, MetricsError> {
        self.add(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, MetricsError> {
        self.add(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn seconds(&self, name: &str, help: &str, label: &str) -> Result<HistogramVec, MetricsError> {
        let options = HistogramOpts::new(name, help).buckets(QUERY_SECONDS.to_vec());
        self.add(HistogramVec::new(options, &[label])?)
    }
}

impl Metrics {
    /// Fresh metrics, all at zero.
    ///
    /// # Errors
    /// A malformed or doubled name, which is a bug.
    pub fn new() -> Result<Self, MetricsError> {
        let make = Maker(Registry::new());
        make.gauges("tusk_build_info", "The running version; always 1.", &["version"])?
            .with_label_values(&[TUSK_VERSION])
            .set(1);
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        make.gauge("process_start_time_seconds", "When the process started, since the epoch.")?.set(clamp(started));
        Ok(Metrics(Arc::new(Inner {
            queries_total: make.counters("tusk_queries_total", "Statements finished.", &["route", "status"])?,
            query_seconds: make.seconds(
                "tusk_query_duration_seconds",
                "From the statement's arrival to its last row.",
                "route",
            )?,
            queries_running: make.gauge("tusk_queries_running", "Statements that run now.")?,
            queries_queued: make.gauge("tusk_queries_queued", "Statements that wait to be admitted.")?,
            connections: make.gauge("tusk_connections", "Client connections open now.")?,
            rows_returned: make.counter("tusk_rows_returned_total", "Rows sent to clients.")?,
            bytes_returned: make.counter("tusk_bytes_returned_total", "Bytes of rows sent to clients.")?,
            source_up: make.gauges("tusk_source_up", "1 if the source answered last, else 0.", &["source"])?,
            source_seconds: make.seconds(
                "tusk_source_request_duration_seconds",
                "From a request to a source to its last row.",
                "source",
            )?,
            source_rows: make.counters("tusk_source_rows_read_total", "Rows read from sources.", &["source"])?,
            pool_connections: make.gauges("tusk_pool_connections", "Connections to sources.", &["source", "state"])?,
            cache_requests: make.counters(
                "tusk_schema_cache_requests_total",
                "Look-ups in the schema cache.",
                &["result"],
            )?,
            cache_age: make.gauges("tusk_schema_cache_age_seconds", "Age of a source's cached schema.", &["source"])?,
            policy_denials: make.counters("tusk_policy_denials_total", "Requests that a rule denied.", &["reason"])?,
            limit_hits: make.counters(
                "tusk_limit_hits_total",
                "Statements and logins that met a limit.",
                &["limit"],
            )?,
            auth_failures: make.counters("tusk_auth_failures_total", "Logins refused.", &["reason"])?,
            memory: make.gauges("tusk_memory_bytes", "Memory reserved by running statements.", &["pool"])?,
            config_reloads: make.counters("tusk_config_reloads_total", "Reloads of the configuration.", &["result"])?,
            catalog_errors: make.counter("tusk_catalog_errors_total", "Statements that asked catalogs and failed.")?,
            panics: make.counter("tusk_panics_total", "Panics that ended a connection or a statement.")?,
            process: Process {
                resident: make.gauge("process_resident_memory_bytes", "Resident memory of the process.")?,
                virtual_memory: make.gauge("process_virtual_memory_bytes", "Virtual memory of the process.")?,
                threads: make.gauge("process_threads", "Threads of the process.")?,
                open_files: make.gauge("process_open_fds", "Open file descriptors of the process.")?,
            },
            registry: make.0,
        })))
    }

    /// The text that Prometheus reads, version 0.0.4 of its form.
    ///
    /// # Errors
    /// A metric that cannot be written, which is a bug.
    pub fn render(&self) -> Result<String, MetricsError> {
        self.0.process.refresh();
        Ok(TextEncoder::new().encode_to_string(&self.0.registry.gather())?)
    }

    /// `tusk_queries_total`: statements finished, by route (`passthrough`, `federated`, `catalog`, `utility`) and
    /// status (`ok`, `error`, `cancelled`, `timeout`).
    #[must_use]
    pub fn queries(&self, route: &'static str, status: &'static str) -> Counter {
        self.0.queries_total.with_label_values(&[route, status])
    }

    /// `tusk_query_duration_seconds`.
    #[must_use]
    pub fn query_seconds(&self, route: &'static str) -> Histogram {
        self.0.query_seconds.with_label_values(&[route])
    }

    /// `tusk_queries_running`.
    #[must_use]
    pub fn queries_running(&self) -> &Gauge {
        &self.0.queries_running
    }

    /// `tusk_queries_queued`.
    #[must_use]
    pub fn queries_queued(&self) -> &Gauge {
        &self.0.queries_queued
    }

    /// `tusk_connections`.
    #[must_use]
    pub fn connections(&self) -> &Gauge {
        &self.0.connections
    }

    /// `tusk_rows_returned_total`.
    #[must_use]
    pub fn rows_returned(&self) -> &Counter {
        &self.0.rows_returned
    }

    /// `tusk_bytes_returned_total`.
    #[must_use]
    pub fn bytes_returned(&self) -> &Counter {
        &self.0.bytes_returned
    }

    /// `tusk_source_up`: 1 or 0. The source is one of the config's, as everywhere below.
    #[must_use]
    pub fn source_up(&self, source: &str) -> Gauge {
        self.0.source_up.with_label_values(&[source])
    }

    /// `tusk_source_request_duration_seconds`.
    #[must_use]
    pub fn source_seconds(&self, source: &str) -> Histogram {
        self.0.source_seconds.with_label_values(&[source])
    }

    /// `tusk_source_rows_read_total`.
    #[must_use]
    pub fn source_rows(&self, source: &str) -> Counter {
        self.0.source_rows.with_label_values(&[source])
    }

    /// `tusk_pool_connections`, by state (`idle`, `used`, `waiting`).
    #[must_use]
    pub fn pool_connections(&self, source: &str, state: &'static str) -> Gauge {
        self.0.pool_connections.with_label_values(&[source, state])
    }

    /// `tusk_schema_cache_requests_total`, by result (`hit`, `miss`, `negative`, `stale`).
    #[must_use]
    pub fn cache_requests(&self, result: &'static str) -> Counter {
        self.0.cache_requests.with_label_values(&[result])
    }

    /// `tusk_schema_cache_age_seconds`.
    #[must_use]
    pub fn cache_age(&self, source: &str) -> Gauge {
        self.0.cache_age.with_label_values(&[source])
    }

    /// `tusk_policy_denials_total`, by reason (`table`, `column`, `privilege`, `function`, `statement`).
    #[must_use]
    pub fn policy_denials(&self, reason: &'static str) -> Counter {
        self.0.policy_denials.with_label_values(&[reason])
    }

    /// `tusk_limit_hits_total`, by the limit's key (`max_concurrent`, `statement_timeout`, `max_rows`, ...).
    #[must_use]
    pub fn limit_hits(&self, limit: &'static str) -> Counter {
        self.0.limit_hits.with_label_values(&[limit])
    }

    /// `tusk_auth_failures_total`, by reason (`password`, `certificate`, `protocol`, `timeout`).
    #[must_use]
    pub fn auth_failures(&self, reason: &'static str) -> Counter {
        self.0.auth_failures.with_label_values(&[reason])
    }

    /// `tusk_memory_bytes`, by pool (`engine`, `spill`).
    #[must_use]
    pub fn memory(&self, pool: &'static str) -> Gauge {
        self.0.memory.with_label_values(&[pool])
    }

    /// `tusk_config_reloads_total`, by result (`ok`, `error`).
    #[must_use]
    pub fn config_reloads(&self, result: &'static str) -> Counter {
        self.0.config_reloads.with_label_values(&[result])
    }

    /// `tusk_panics_total`.
    #[must_use]
    pub fn panics(&self) -> &Counter {
        &self.0.panics
    }

    /// `tusk_catalog_errors_total`: statements that asked PostgreSQL's catalogs and failed.
    #[must_use]
    pub fn catalog_errors(&self) -> &Counter {
        &self.0.catalog_errors
    }

    /// Forgets a source that the config no longer has.
    pub fn forget_source(&self, source: &str, pool_states: &[&'static str]) {
        // A label that was never used is nothing to remove.
        let _ = self.0.source_up.remove_label_values(&[source]);
        let _ = self.0.source_seconds.remove_label_values(&[source]);
        let _ = self.0.source_rows.remove_label_values(&[source]);
        let _ = self.0.cache_age.remove_label_values(&[source]);
        for state in pool_states {
            let _ = self.0.pool_connections.remove_label_values(&[source, state]);
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Process {
    /// Reads `/proc/self`; where it cannot be read the last values stay.
    fn refresh(&self) {
        if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
            let number = |key: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(key))?;
                line.split_whitespace().next()?.parse::<i64>().ok()
            };
            for (key, gauge, factor) in [
                ("VmRSS:", &self.resident, 1024),
                ("VmSize:", &self.virtual_memory, 1024),
                ("Threads:", &self.threads, 1),
            ] {
                if let Some(value) = number(key) {
                    gauge.set(value * factor);
                }
            }
        }
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            // The listing itself holds one open.
            self.open_files.set(clamp(files.count().saturating_sub(1) as u64));
        }
    }
}

fn clamp(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_design_is_rendered() {
        let metrics = Metrics::new().unwrap();
        metrics.queries("federated", "ok").inc();
        metrics.query_seconds("federated").observe(0.2);
        metrics.source_up("shop").set(1);
        metrics.source_seconds("shop").observe(0.1);
        metrics.source_rows("shop").inc_by(5);
        metrics.pool_connections("shop", "idle").set(2);
        metrics.cache_requests("hit").inc();
        metrics.cache_age("shop").set(3);
        metrics.policy_denials("table").inc();
        metrics.limit_hits("max_rows").inc();
        metrics.auth_failures("password").inc();
        metrics.memory("engine").set(1);
        metrics.config_reloads("ok").inc();
        let text = metrics.clone().render().unwrap();
        for name in [
            "tusk_queries_total{route=\"federated\",status=\"ok\"} 1",
            "tusk_query_duration_seconds_count{route=\"federated\"} 1",
            "tusk_queries_running 0",
            "tusk_queries_queued 0",
            "tusk_connections 0",
            "tusk_rows_returned_total 0",
            "tusk_bytes_returned_total 0",
            "tusk_source_up{source=\"shop\"} 1",
            "tusk_source_request_duration_seconds_bucket{source=\"shop\"",
            "tusk_source_rows_read_total{source=\"shop\"} 5",
            "tusk_pool_connections{source=\"shop\",state=\"idle\"} 2",
            "tusk_schema_cache_requests_total{result=\"hit\"} 1",
            "tusk_schema_cache_age_seconds{source=\"shop\"} 3",
            "tusk_policy_denials_total{reason=\"table\"} 1",
            "tusk_limit_hits_total{limit=\"max_rows\"} 1",
            "tusk_auth_failures_total{reason=\"password\"} 1",
            "tusk_memory_bytes{pool=\"engine\"} 1",
            "tusk_config_reloads_total{result=\"ok\"} 1",
            "tusk_catalog_errors_total 0",
            "tusk_build_info{version=",
            "process_resident_memory_bytes ",
        ] {
            assert!(text.contains(name), "{name} is missing in\n{text}");
        }
        metrics.forget_source("shop", &["idle"]);
        assert!(!metrics.render().unwrap().contains("shop"));
    }
}
