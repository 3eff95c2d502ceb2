//! The defaults: what holds where the file says nothing. `config/tusk.toml` carries the same, tested.
//! Must not know: TOML, lines.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{
    AuthMethod, CacheSettings, EngineSettings, HistorySettings, HttpSettings, Listen, LogSettings, Ready,
    ServerSettings, Settings, Size,
};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Settings {
    /// The defaults of a file that lies in `base`: relative paths of values are relative to it.
    #[must_use]
    pub fn defaults(base: &Path) -> Self {
        Settings {
            server: ServerSettings::default(),
            http: HttpSettings::default(),
            engine: EngineSettings::default(),
            cache: CacheSettings::default(),
            history: HistorySettings { path: base.join("data/history"), ..HistorySettings::default() },
            log: LogSettings::default(),
            otlp: String::new(),
            sources: Vec::new(),
            roles: Vec::new(),
            users: Vec::new(),
            expects: Vec::new(),
        }
    }
}

impl Default for Settings {
    /// The defaults of a file in the working directory.
    fn default() -> Self {
        Settings::defaults(Path::new(""))
    }
}

impl Default for ServerSettings {
    fn default() -> Self {
        ServerSettings {
            listen: vec![Listen::Tcp("127.0.0.1:5433".to_owned())],
            database: "tusk".to_owned(),
            auth: AuthMethod::ScramSha256,
            max_connections: 1000,
            startup_timeout: seconds(10),
            idle_timeout: Duration::ZERO,
            idle_in_transaction_timeout: seconds(300),
            drain_timeout: seconds(30),
            max_message_size: 64 << 20,
            search_path: Vec::new(),
            timezone: "UTC".to_owned(),
            reuse_port: false,
            tls: None,
        }
    }
}

impl Default for HttpSettings {
    fn default() -> Self {
        HttpSettings { listen: Some("127.0.0.1:9187".to_owned()), ready: Ready::All }
    }
}

impl Default for EngineSettings {
    fn default() -> Self {
        EngineSettings {
            memory_limit: Size::Percent(60),
            spill_directory: None,
            spill_limit: 20 << 30,
            threads: 0,
            duckdb: true,
            dynamic_filter_keys: 10_000,
            scan_partitions: 0,
        }
    }
}

impl Default for CacheSettings {
    fn default() -> Self {
        CacheSettings {
            schema_ttl: seconds(60),
            schema_negative_ttl: seconds(5),
            schema_stale_while_down: seconds(24 * 3600),
            plans: 1000,
        }
    }
}

impl Default for HistorySettings {
    fn default() -> Self {
        HistorySettings {
            path: PathBuf::from("data/history"),
            retention: seconds(30 * 86_400),
            max_size: 1 << 30,
            slow_query: seconds(1),
        }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        LogSettings { json: false, level: "info".to_owned(), literals: false }
    }
}
