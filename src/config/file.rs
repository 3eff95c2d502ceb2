//! The file as it is written: plain serde, unknown keys refused, nothing resolved.
//! Must not know: defaults, references between parts, the environment. `resolve` turns it into settings.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Spanned, Value};

use super::units::{RawBytes, RawDuration, RawSize};
use super::{AuthMethod, FileFormat, Privilege, Ready, SourceKind};

/// A value with its place in the file.
pub(super) type At<T> = Spanned<T>;

/// The whole file. Every key is optional here, so that a missing one is reported beside the other mistakes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) server: RawServer,
    pub(super) http: RawHttp,
    pub(super) engine: RawEngine,
    pub(super) cache: RawCache,
    pub(super) history: RawHistory,
    pub(super) log: RawLog,
    pub(super) telemetry: RawTelemetry,
    pub(super) source: Vec<At<RawSource>>,
    pub(super) role: Vec<At<RawRole>>,
    pub(super) user: Vec<At<RawUser>>,
    pub(super) expect: Vec<At<RawExpect>>,
}

/// `[server]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawServer {
    pub(super) listen: Option<At<Vec<At<String>>>>,
    pub(super) database: Option<At<String>>,
    #[serde(deserialize_with = "choice")]
    pub(super) auth: Option<At<AuthMethod>>,
    pub(super) max_connections: Option<At<usize>>,
    pub(super) startup_timeout: Option<At<RawDuration>>,
    pub(super) idle_timeout: Option<RawDuration>,
    pub(super) idle_in_transaction_timeout: Option<RawDuration>,
    pub(super) drain_timeout: Option<RawDuration>,
    pub(super) max_message_size: Option<At<RawBytes>>,
    pub(super) search_path: Option<Vec<At<String>>>,
    pub(super) timezone: Option<At<String>>,
    pub(super) reuse_port: Option<bool>,
    pub(super) tls: Option<At<RawTls>>,
}

/// `[server.tls]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTls {
    pub(super) certificate: Option<At<String>>,
    pub(super) private_key: Option<At<String>>,
    pub(super) client_ca: Option<At<String>>,
    pub(super) required: Option<At<bool>>,
}

/// `[http]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawHttp {
    pub(super) listen: Option<At<String>>,
    #[serde(deserialize_with = "choice")]
    pub(super) ready: Option<At<Ready>>,
}

/// `[engine]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawEngine {
    pub(super) memory_limit: Option<At<RawSize>>,
    pub(super) spill_directory: Option<String>,
    pub(super) spill_limit: Option<RawBytes>,
    pub(super) threads: Option<At<usize>>,
    pub(super) duckdb: Option<bool>,
    pub(super) dynamic_filter_keys: Option<usize>,
    pub(super) scan_partitions: Option<At<usize>>,
}

/// `[cache]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawCache {
    pub(super) schema_ttl: Option<RawDuration>,
    pub(super) schema_negative_ttl: Option<RawDuration>,
    pub(super) schema_stale_while_down: Option<RawDuration>,
    pub(super) plans: Option<usize>,
}

/// `[history]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawHistory {
    pub(super) path: Option<At<String>>,
    pub(super) retention: Option<RawDuration>,
    pub(super) max_size: Option<RawBytes>,
    pub(super) slow_query: Option<RawDuration>,
}

/// `[log]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLog {
    #[serde(deserialize_with = "choice")]
    pub(super) format: Option<At<LogFormat>>,
    pub(super) level: Option<At<String>>,
    pub(super) literals: Option<bool>,
}

/// `log.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogFormat {
    Text,
    Json,
}

/// `[telemetry]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTelemetry {
    pub(super) otlp: Option<At<String>>,
}

/// One `[[source]]`, of any type: which keys go with which type is checked by `resolve`, with better words.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSource {
    pub(super) name: Option<At<String>>,
    #[serde(rename = "type", deserialize_with = "choice")]
    pub(super) kind: Option<At<SourceKind>>,
    pub(super) tables: Option<Vec<At<String>>>,
    pub(super) url: Option<At<String>>,
    pub(super) password: Option<At<Value>>,
    pub(super) schemas: Option<At<BTreeMap<String, At<String>>>>,
    pub(super) pool_size: Option<At<usize>>,
    pub(super) connect_timeout: Option<At<RawDuration>>,
    pub(super) statement_timeout: Option<At<RawDuration>>,
    pub(super) writable: Option<At<bool>>,
    pub(super) tls_ca: Option<At<String>>,
    pub(super) allow_functions: Option<At<Vec<At<String>>>>,
    pub(super) path: Option<At<String>>,
    pub(super) table: Option<At<Vec<At<RawTable>>>>,
}

/// One `[[source.table]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTable {
    pub(super) name: Option<At<String>>,
    pub(super) path: Option<At<String>>,
    #[serde(deserialize_with = "choice")]
    pub(super) format: Option<At<FileFormat>>,
    pub(super) csv: Option<At<RawCsv>>,
    pub(super) schema: Option<At<String>>,
}

/// `csv = { ... }`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawCsv {
    pub(super) delimiter: Option<At<String>>,
    pub(super) header: Option<bool>,
    pub(super) null: Option<String>,
    #[serde(deserialize_with = "choice")]
    pub(super) bad_rows: Option<At<BadRows>>,
}

/// `csv.bad_rows`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadRows {
    Error,
    Skip,
}

/// One `[[role]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRole {
    pub(super) name: Option<At<String>>,
    pub(super) admin: Option<bool>,
    pub(super) member_of: Option<At<Vec<At<String>>>>,
    pub(super) grant: Vec<At<RawGrant>>,
    pub(super) limits: RawLimits,
}

/// One `[[role.grant]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawGrant {
    pub(super) tables: Option<At<Vec<At<String>>>>,
    pub(super) privileges: Option<At<Vec<RawPrivilege>>>,
    pub(super) columns: Option<At<Vec<At<String>>>>,
    pub(super) row_filter: Option<At<String>>,
    pub(super) mask: BTreeMap<String, At<String>>,
}

/// One of `privileges`.
#[derive(Debug, Deserialize)]
pub(super) struct RawPrivilege(#[serde(deserialize_with = "one")] pub(super) Privilege);

/// `[role.limits]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLimits {
    pub(super) statement_timeout: Option<RawDuration>,
    pub(super) max_rows: Option<u64>,
    pub(super) max_bytes: Option<RawBytes>,
    pub(super) max_memory: Option<RawBytes>,
    pub(super) max_concurrent: Option<usize>,
    pub(super) max_queued: Option<usize>,
    pub(super) queue_timeout: Option<RawDuration>,
    pub(super) statements_per_minute: Option<u32>,
    pub(super) max_connections: Option<usize>,
    pub(super) max_rows_read: Option<u64>,
}

/// One `[[user]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawUser {
    pub(super) name: Option<At<String>>,
    pub(super) roles: Option<At<Vec<At<String>>>>,
    /// Any value, so that no message of serde's repeats what may be somebody's password.
    pub(super) password: Option<At<Value>>,
    pub(super) set: BTreeMap<String, At<Value>>,
    pub(super) attributes: BTreeMap<String, At<Value>>,
}

/// One `[[expect]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawExpect {
    pub(super) role: Option<At<String>>,
    pub(super) query: Option<At<String>>,
    pub(super) deny: Option<bool>,
}

/// A value that is one of a few words.
pub(super) trait Choice: Sized + Copy + 'static {
    /// The words and what they mean.
    const WORDS: &'static [(&'static str, Self)];
}

macro_rules! choices {
    ($($type:ty: $($word:literal => $value:expr),+;)+) => {
        $(impl Choice for $type {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, $value)),+];
        })+
    };
}

choices! {
    AuthMethod: "scram-sha-256" => AuthMethod::ScramSha256, "cert" => AuthMethod::Cert, "trust" => AuthMethod::Trust;
    Ready: "all" => Ready::All, "any" => Ready::Any, "none" => Ready::None;
    LogFormat: "text" => LogFormat::Text, "json" => LogFormat::Json;
    SourceKind: "postgres" => SourceKind::Postgres, "files" => SourceKind::Files, "sqlite" => SourceKind::Sqlite;
    FileFormat: "parquet" => FileFormat::Parquet, "csv" => FileFormat::Csv, "tsv" => FileFormat::Tsv,
        "json" => FileFormat::Json, "ndjson" => FileFormat::Ndjson, "arrow" => FileFormat::Arrow;
    BadRows: "error" => BadRows::Error, "skip" => BadRows::Skip;
    Privilege: "select" => Privilege::Select, "insert" => Privilege::Insert, "update" => Privilege::Update,
        "delete" => Privilege::Delete;
}

/// Reads one word.
fn one<'de, D: serde::Deserializer<'de>, T: Choice>(deserializer: D) -> Result<T, D::Error> {
    let word = String::deserialize(deserializer)?;
    T::WORDS.iter().find(|(known, _)| *known == word).map(|(_, value)| *value).ok_or_else(|| {
        let known = T::WORDS.iter().map(|(known, _)| *known);
        let list: Vec<String> = known.clone().map(|word| format!("\"{word}\"")).collect();
        let guess = super::errors::did_you_mean(&word, known);
        serde::de::Error::custom(format!("invalid value \"{word}\": expected {}{guess}", list.join(" or ")))
    })
}

/// Reads one word with its place.
fn choice<'de, D: serde::Deserializer<'de>, T: Choice>(deserializer: D) -> Result<Option<At<T>>, D::Error> {
    struct Word<T>(T);
    impl<'de, T: Choice> Deserialize<'de> for Word<T> {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            one(deserializer).map(Word)
        }
    }
    let word = Spanned::<Word<T>>::deserialize(deserializer)?;
    Ok(Some(Spanned::new(word.span(), word.into_inner().0)))
}
