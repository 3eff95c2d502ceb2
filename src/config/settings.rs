//! The configuration, resolved: every value typed, every path absolute, every reference checked.
//! Must not know: TOML, files, lines.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{Patterns, Secret};

/// Everything that the file says, with defaults filled in. Durations of zero mean "none" where the key says so.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where clients connect, and how long they may take.
    pub server: ServerSettings,
    /// Metrics and health.
    pub http: HttpSettings,
    /// Memory, spill, threads.
    pub engine: EngineSettings,
    /// Schema and plan caches.
    pub cache: CacheSettings,
    /// What is remembered of statements.
    pub history: HistorySettings,
    /// The log.
    pub log: LogSettings,
    /// `otlp`: the endpoint of traces, or empty.
    pub otlp: String,
    /// Sources in config order.
    pub sources: Vec<SourceSettings>,
    /// Roles in config order.
    pub roles: Vec<RoleSettings>,
    /// Users in config order.
    pub users: Vec<UserSettings>,
    /// Policy tests.
    pub expects: Vec<ExpectSettings>,
}

/// `[server]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerSettings {
    /// Addresses to listen on.
    pub listen: Vec<Listen>,
    /// The one database that clients connect to.
    pub database: String,
    /// How clients prove who they are.
    pub auth: AuthMethod,
    /// Connections at once.
    pub max_connections: usize,
    /// From accept to the end of the login.
    pub startup_timeout: Duration,
    /// An idle session ends after this; zero: never.
    pub idle_timeout: Duration,
    /// A session idle in a transaction ends after this; zero: never.
    pub idle_in_transaction_timeout: Duration,
    /// How long running statements may finish when the daemon stops.
    pub drain_timeout: Duration,
    /// The largest message in bytes after the login.
    pub max_message_size: usize,
    /// Schemas searched for unqualified names; empty: all mounted schemas in config order.
    pub search_path: Vec<String>,
    /// The default TimeZone.
    pub timezone: String,
    /// A second instance may bind the same port.
    pub reuse_port: bool,
    /// TLS, where it is configured.
    pub tls: Option<TlsSettings>,
}

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// host:port, resolved at bind time.
    Tcp(String),
    /// A directory; the socket in it is `.s.PGSQL.<port>` with the port of the first TCP address (5432 if none).
    Unix(PathBuf),
}

/// How clients prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// SCRAM-SHA-256 and, over TLS, SCRAM-SHA-256-PLUS.
    ScramSha256,
    /// A client certificate; its common name is the user.
    Cert,
    /// No proof; refused off loopback.
    Trust,
}

/// `[server.tls]`; paths are absolute.
#[derive(Debug, Clone, PartialEq)]
pub struct TlsSettings {
    /// PEM chain.
    pub certificate: PathBuf,
    /// PEM key.
    pub private_key: PathBuf,
    /// PEM CA of client certificates.
    pub client_ca: Option<PathBuf>,
    /// Plain connections are refused.
    pub required: bool,
}

/// `[http]`.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpSettings {
    /// host:port; `None`: off.
    pub listen: Option<String>,
    /// Which sources must be up for `/readyz`.
    pub ready: Ready,
}

/// Which sources must be up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// All of them.
    All,
    /// At least one.
    Any,
    /// None.
    None,
}

/// A size: bytes, or per cent of the machine's (or cgroup's) memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Bytes.
    Bytes(u64),
    /// Per cent, 1 to 100.
    Percent(u8),
}

/// `[engine]`.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineSettings {
    /// All running statements together.
    pub memory_limit: Size,
    /// Where sorts and joins spill; `None`: under the system's temporary directory.
    pub spill_directory: Option<PathBuf>,
    /// Bytes of spill at once.
    pub spill_limit: u64,
    /// Execution threads; zero: one per core.
    pub threads: usize,
    /// Islands over local files run in DuckDB (takes effect with its own issue).
    pub duckdb: bool,
    /// Join keys sent to a remote source at most.
    pub dynamic_filter_keys: usize,
    /// Parallel reads of one PostgreSQL table; zero: decided by size and cores.
    pub scan_partitions: usize,
}

/// `[cache]`.
#[derive(Debug, Clone, PartialEq)]
pub struct CacheSettings {
    /// How long a source's schema is taken as fresh.
    pub schema_ttl: Duration,
    /// How long a failed introspection is remembered.
    pub schema_negative_ttl: Duration,
    /// How long the last good schema serves while the source is down.
    pub schema_stale_while_down: Duration,
    /// Plans kept.
    pub plans: usize,
}

/// `[history]`.
#[derive(Debug, Clone, PartialEq)]
pub struct HistorySettings {
    /// Directory of the history.
    pub path: PathBuf,
    /// How long entries are kept.
    pub retention: Duration,
    /// Bytes at most.
    pub max_size: u64,
    /// Statements slower than this are logged at warn; zero: never.
    pub slow_query: Duration,
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq)]
pub struct LogSettings {
    /// JSON lines instead of text.
    pub json: bool,
    /// A level, or a filter such as `info,tusk::wire=debug`. `TUSK_LOG` overrides.
    pub level: String,
    /// Statements are logged with their literals.
    pub literals: bool,
}

/// One `[[source]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceSettings {
    /// Its name; the schema it mounts, unless `schemas` says otherwise.
    pub name: String,
    /// Which of its tables are mounted.
    pub tables: Patterns,
    /// What it is.
    pub spec: SourceSpec,
}

/// The kinds of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// A live PostgreSQL database.
    Postgres,
    /// Parquet, CSV, TSV, JSON, ndjson, Arrow files.
    Files,
    /// A SQLite database file.
    Sqlite,
}

impl SourceKind {
    /// As the config names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SourceKind::Postgres => "postgres",
            SourceKind::Files => "files",
            SourceKind::Sqlite => "sqlite",
        }
    }
}

/// What a source is, with the keys of its kind.
#[derive(Debug, Clone, PartialEq)]
pub enum SourceSpec {
    /// `type = "postgres"`.
    Postgres(PostgresSettings),
    /// `type = "files"`.
    Files(FilesSettings),
    /// `type = "sqlite"`.
    Sqlite(SqliteSettings),
}

impl SourceSettings {
    /// The kind of this source.
    #[must_use]
    pub fn kind(&self) -> SourceKind {
        match self.spec {
            SourceSpec::Postgres(_) => SourceKind::Postgres,
            SourceSpec::Files(_) => SourceKind::Files,
            SourceSpec::Sqlite(_) => SourceKind::Sqlite,
        }
    }
}

/// The TLS of a connection to a PostgreSQL source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Plain.
    Disable,
    /// TLS where the server offers it, unverified.
    Prefer,
    /// TLS, unverified.
    Require,
    /// TLS, certificate verified.
    VerifyCa,
    /// TLS, certificate and name verified.
    VerifyFull,
}

/// Keys of a PostgreSQL source.
#[derive(Debug, Clone, PartialEq)]
pub struct PostgresSettings {
    /// Host names or addresses (or socket directories), with ports, tried in order.
    pub hosts: Vec<(String, u16)>,
    /// User at the source.
    pub user: String,
    /// Database at the source.
    pub database: String,
    /// TLS.
    pub sslmode: SslMode,
    /// The password, from the environment or a file.
    pub password: Option<Secret>,
    /// Remote schema to schema seen; `None`: all, by the rule of the design (section 2).
    pub schemas: Option<BTreeMap<String, String>>,
    /// Connections at most.
    pub pool_size: usize,
    /// Time to connect, including the wait for TLS and login.
    pub connect_timeout: Duration,
    /// Sent to the source; zero: none.
    pub statement_timeout: Duration,
    /// Granted roles may write.
    pub writable: bool,
    /// PEM CA for verify-ca and verify-full; `None`: the well-known roots.
    pub tls_ca: Option<PathBuf>,
    /// Functions of this source that pass-through may use beside the built-in allow-list.
    pub allow_functions: Vec<String>,
}

/// Keys of a files source.
#[derive(Debug, Clone, PartialEq)]
pub struct FilesSettings {
    /// A folder or a glob, absolute; `None` where only `tables` name files.
    pub path: Option<String>,
    /// Tables with a name and options of their own.
    pub tables: Vec<FileTableSettings>,
}

/// One `[[source.table]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct FileTableSettings {
    /// The table's name.
    pub name: String,
    /// A file, folder or glob, absolute.
    pub path: String,
    /// `None`: by the file's ending.
    pub format: Option<FileFormat>,
    /// CSV options.
    pub csv: CsvSettings,
    /// Columns and SQL types in order, as written (`day date, rate numeric(18,6)`); `None`: inferred.
    pub schema: Option<Vec<(String, String)>>,
}

/// Formats of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileFormat {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated.
    Csv,
    /// Tab-separated.
    Tsv,
    /// A JSON array of objects.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// Arrow IPC file or stream.
    Arrow,
}

/// CSV options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvSettings {
    /// One byte; `None`: by the format.
    pub delimiter: Option<u8>,
    /// The first line has the names.
    pub header: bool,
    /// Text that means NULL; `None`: the empty field.
    pub null: Option<String>,
    /// Malformed rows are skipped, counted and warned of instead of being an error.
    pub skip_bad_rows: bool,
}

impl Default for CsvSettings {
    fn default() -> Self {
        CsvSettings { delimiter: None, header: true, null: None, skip_bad_rows: false }
    }
}

/// Keys of a SQLite source.
#[derive(Debug, Clone, PartialEq)]
pub struct SqliteSettings {
    /// The file, absolute.
    pub path: PathBuf,
}

/// One `[[role]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct RoleSettings {
    /// Its name.
    pub name: String,
    /// Opens the views of all sessions and the administrative functions.
    pub admin: bool,
    /// Roles whose grants it has too.
    pub member_of: Vec<String>,
    /// What it may do.
    pub grants: Vec<GrantSettings>,
    /// How much it may take.
    pub limits: LimitSettings,
}

/// What a grant allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Privilege {
    /// Reading.
    Select,
    /// Adding rows.
    Insert,
    /// Changing rows.
    Update,
    /// Removing rows.
    Delete,
}

/// One `[[role.grant]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct GrantSettings {
    /// `schema.table` patterns as clients see them; `!` excludes.
    pub tables: Patterns,
    /// What is allowed.
    pub privileges: Vec<Privilege>,
    /// Columns; `None`: all.
    pub columns: Option<Vec<String>>,
    /// A boolean SQL expression over the table's columns.
    pub row_filter: Option<String>,
    /// Column to SQL expression.
    pub mask: BTreeMap<String, String>,
}

/// `[role.limits]`; `None` or zero: no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitSettings {
    /// Ceiling of `statement_timeout`.
    pub statement_timeout: Option<Duration>,
    /// Rows returned by one statement.
    pub max_rows: Option<u64>,
    /// Bytes returned by one statement.
    pub max_bytes: Option<u64>,
    /// Memory of one statement.
    pub max_memory: Option<u64>,
    /// Statements at once.
    pub max_concurrent: Option<usize>,
    /// Statements waiting.
    pub max_queued: Option<usize>,
    /// How long one may wait.
    pub queue_timeout: Option<Duration>,
    /// Statements started a minute.
    pub statements_per_minute: Option<u32>,
    /// Connections at once.
    pub max_connections: Option<usize>,
    /// Rows read from sources by one statement.
    pub max_rows_read: Option<u64>,
}

/// One `[[user]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct UserSettings {
    /// The login name.
    pub name: String,
    /// Its roles.
    pub roles: Vec<String>,
    /// SCRAM verifier.
    pub password: Option<Secret>,
    /// Session defaults: variable to value.
    pub set: BTreeMap<String, String>,
    /// For row filters.
    pub attributes: BTreeMap<String, String>,
}

/// One `[[expect]]`: a policy test.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectSettings {
    /// The role that asks.
    pub role: String,
    /// What it asks.
    pub query: String,
    /// Whether it must be denied.
    pub deny: bool,
}
