//! `[server]` and the small sections.
//! Must not know: sources, roles, users.

use super::super::errors::Span;
use super::super::file::{
    LogFormat, RawCache, RawEngine, RawHistory, RawHttp, RawLog, RawServer, RawTelemetry, RawTls,
};
use super::super::{
    AuthMethod, CacheSettings, EngineSettings, HistorySettings, HttpSettings, Listen, LogSettings, ServerSettings,
    TlsSettings,
};
use super::Context;
use super::checks::{any_name, distinct, host_port, is_loopback, readable};

/// The largest message that PostgreSQL's length field of a value allows for.
const MAX_MESSAGE: u64 = 1 << 30;

/// The most threads or partitions that make sense on any machine.
const MAX_THREADS: usize = 1024;

/// Takes a value over if the file has it.
fn set<T>(target: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *target = value;
    }
}

pub(super) fn server(raw: RawServer, settings: &mut ServerSettings, cx: &mut Context<'_, '_>) {
    let auth_at = raw.auth.as_ref().map(toml::Spanned::span);
    set(&mut settings.auth, raw.auth.map(toml::Spanned::into_inner));
    let tls_at = raw.tls.as_ref().map(toml::Spanned::span);
    let tls_named = raw.tls.is_some();
    settings.tls = raw.tls.and_then(|raw| {
        let at = raw.span();
        tls(raw.into_inner(), &at, cx)
    });
    let mut exposed: Vec<(String, Span)> = Vec::new();
    if let Some(listen) = raw.listen {
        settings.listen = Vec::with_capacity(listen.get_ref().len());
        if listen.get_ref().is_empty() {
            cx.mistake(&listen.span(), "listen needs at least one address");
        }
        for address in listen.into_inner() {
            let at = address.span();
            let parsed = one_listen(address.get_ref(), &at, &mut exposed, cx);
            if parsed.as_ref().is_some_and(|parsed| settings.listen.contains(parsed)) {
                cx.mistake(&at, format!("address \"{}\" is listed twice", address.get_ref()));
            }
            settings.listen.extend(parsed);
        }
    }
    for (address, at) in &exposed {
        off_loopback(address, at, tls_named, settings, cx);
    }
    let client_ca = settings.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    // A [server.tls] that could not be resolved has its own message already.
    if settings.auth == AuthMethod::Cert && !client_ca && (settings.tls.is_some() || !tls_named) {
        let at = auth_at.or(tls_at).unwrap_or(0..0);
        cx.mistake(&at, "auth = \"cert\" needs [server.tls] with client_ca");
    }
    if let Some(database) = raw.database {
        any_name(database.get_ref(), "database", &database.span(), cx);
        settings.database = database.into_inner();
    }
    if let Some(limit) = raw.max_connections {
        if *limit.get_ref() == 0 {
            cx.mistake(&limit.span(), "max_connections must be at least 1");
        }
        settings.max_connections = limit.into_inner();
    }
    if let Some(timeout) = raw.startup_timeout {
        if timeout.get_ref().0.is_zero() {
            cx.mistake(&timeout.span(), "startup_timeout must be longer than 0s: every login has a deadline");
        }
        settings.startup_timeout = timeout.into_inner().0;
    }
    set(&mut settings.idle_timeout, raw.idle_timeout.map(|d| d.0));
    set(&mut settings.idle_in_transaction_timeout, raw.idle_in_transaction_timeout.map(|d| d.0));
    set(&mut settings.drain_timeout, raw.drain_timeout.map(|d| d.0));
    if let Some(size) = raw.max_message_size {
        if !(1024..=MAX_MESSAGE).contains(&size.get_ref().0) {
            cx.mistake(&size.span(), "max_message_size must be from 1KiB to 1GiB");
        }
        settings.max_message_size = usize::try_from(size.get_ref().0).unwrap_or(usize::MAX);
    }
    if let Some(path) = raw.search_path {
        settings.search_path = distinct(&path, "schema", cx);
    }
    if let Some(zone) = raw.timezone {
        if zone.get_ref().parse::<chrono_tz::Tz>().is_err() {
            cx.mistake(&zone.span(), format!("time zone \"{}\" is unknown", zone.get_ref().escape_debug()));
        }
        settings.timezone = zone.into_inner();
    }
    set(&mut settings.reuse_port, raw.reuse_port);
}

/// Parses an address; one that other machines can reach is also put in `exposed`.
fn one_listen(text: &str, at: &Span, exposed: &mut Vec<(String, Span)>, cx: &mut Context<'_, '_>) -> Option<Listen> {
    if let Some(directory) = text.strip_prefix("unix:") {
        if directory.is_empty() {
            cx.mistake(at, "\"unix:\" needs the directory of the socket, as in \"unix:/run/tusk\"");
            return None;
        }
        return Some(Listen::Unix(cx.absolute(directory)));
    }
    let Some((host, _)) = host_port(text) else {
        cx.mistake(
            at,
            format!("address \"{}\" must have the form \"host:port\" or \"unix:/directory\"", text.escape_debug()),
        );
        return None;
    };
    if !is_loopback(host) {
        exposed.push((text.to_owned(), at.clone()));
    }
    Some(Listen::Tcp(text.to_owned()))
}

/// Nothing that others can reach is served in the clear, or to anybody.
fn off_loopback(address: &str, at: &Span, tls_named: bool, settings: &ServerSettings, cx: &mut Context<'_, '_>) {
    if !tls_named {
        cx.mistake(at, format!("address \"{address}\" is off loopback, which needs [server.tls]"));
    } else if settings.tls.as_ref().is_some_and(|tls| !tls.required) {
        cx.mistake(at, format!("address \"{address}\" is off loopback, which needs required = true in [server.tls]"));
    }
    if settings.auth == AuthMethod::Trust {
        cx.mistake(at, format!("address \"{address}\" is off loopback, which auth = \"trust\" is refused for"));
    }
}

fn tls(raw: RawTls, at: &Span, cx: &mut Context<'_, '_>) -> Option<TlsSettings> {
    for (key, value) in [("certificate", &raw.certificate), ("private_key", &raw.private_key)] {
        if value.is_none() {
            cx.mistakes.missing(at, key, "[server.tls]");
        }
    }
    let certificate = raw.certificate.map(|path| readable(&path, "certificate", cx));
    let private_key = raw.private_key.map(|path| readable(&path, "private_key", cx));
    let client_ca = raw.client_ca.map(|path| readable(&path, "client_ca", cx));
    let required = raw.required.is_none_or(toml::Spanned::into_inner);
    Some(TlsSettings { certificate: certificate?, private_key: private_key?, client_ca, required })
}

pub(super) fn http(raw: RawHttp, settings: &mut HttpSettings, cx: &mut Context<'_, '_>) {
    if let Some(listen) = raw.listen {
        if !listen.get_ref().is_empty() && host_port(listen.get_ref()).is_none() {
            let text = listen.get_ref().escape_debug();
            cx.mistake(
                &listen.span(),
                format!("address \"{text}\" must have the form \"host:port\", or be \"\" for off"),
            );
        }
        settings.listen = Some(listen.into_inner()).filter(|text| !text.is_empty());
    }
    set(&mut settings.ready, raw.ready.map(toml::Spanned::into_inner));
}

pub(super) fn engine(raw: RawEngine, settings: &mut EngineSettings, cx: &mut Context<'_, '_>) {
    if let Some(limit) = raw.memory_limit {
        // Below this not even one statement's buffers fit.
        if matches!(limit.get_ref().0, super::super::Size::Bytes(bytes) if bytes < 16 << 20) {
            cx.mistake(&limit.span(), "memory_limit must be at least 16MiB");
        }
        settings.memory_limit = limit.into_inner().0;
    }
    settings.spill_directory = raw.spill_directory.filter(|path| !path.is_empty()).map(|path| cx.absolute(&path));
    set(&mut settings.spill_limit, raw.spill_limit.map(|size| size.0));
    for (key, value) in [("threads", &raw.threads), ("scan_partitions", &raw.scan_partitions)] {
        if let Some(value) = value.as_ref().filter(|value| *value.get_ref() > MAX_THREADS) {
            cx.mistake(&value.span(), format!("{key} must be at most {MAX_THREADS}"));
        }
    }
    set(&mut settings.threads, raw.threads.map(toml::Spanned::into_inner));
    set(&mut settings.duckdb, raw.duckdb);
    set(&mut settings.dynamic_filter_keys, raw.dynamic_filter_keys);
    set(&mut settings.scan_partitions, raw.scan_partitions.map(toml::Spanned::into_inner));
}

pub(super) fn cache(raw: &RawCache, settings: &mut CacheSettings) {
    set(&mut settings.schema_ttl, raw.schema_ttl.map(|d| d.0));
    set(&mut settings.schema_negative_ttl, raw.schema_negative_ttl.map(|d| d.0));
    set(&mut settings.schema_stale_while_down, raw.schema_stale_while_down.map(|d| d.0));
    set(&mut settings.plans, raw.plans);
}

pub(super) fn history(raw: RawHistory, settings: &mut HistorySettings, cx: &mut Context<'_, '_>) {
    if let Some(path) = raw.path {
        if path.get_ref().is_empty() {
            cx.mistake(&path.span(), "history.path must name a directory");
        }
        settings.path = cx.absolute(path.get_ref());
    }
    set(&mut settings.retention, raw.retention.map(|d| d.0));
    set(&mut settings.max_size, raw.max_size.map(|size| size.0));
    set(&mut settings.slow_query, raw.slow_query.map(|d| d.0));
}

pub(super) fn log(raw: RawLog, settings: &mut LogSettings, cx: &mut Context<'_, '_>) {
    settings.json = raw.format.is_some_and(|format| *format.get_ref() == LogFormat::Json);
    set(&mut settings.literals, raw.literals);
    if let Some(level) = raw.level {
        if let Err(problem) = log_level(level.get_ref()) {
            cx.mistake(&level.span(), problem);
        }
        settings.level = level.into_inner();
    }
}

/// Checks a level or filter.
///
/// # Errors
/// A message for the config's author.
pub(in super::super) fn log_level(text: &str) -> Result<(), String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    // The filter takes any lone word for the name of a module: a mistyped level would log everything of nothing.
    let word = !text.contains(['=', ',', ':', '[']);
    if word && !LEVELS.contains(&text.to_ascii_lowercase().as_str()) {
        let guess = super::super::errors::did_you_mean(text, LEVELS);
        return Err(format!("log level \"{}\" is unknown{guess}: expected {}", text.escape_debug(), LEVELS.join(", ")));
    }
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("log level \"{}\" is malformed: {error}", text.escape_debug())),
    }
}

pub(super) fn otlp(raw: RawTelemetry, cx: &mut Context<'_, '_>) -> String {
    let Some(endpoint) = raw.otlp else { return String::new() };
    let text = endpoint.get_ref();
    let valid = ::url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !text.is_empty() && !valid {
        cx.mistake(&endpoint.span(), format!("otlp endpoint \"{}\" is no http or https URL", text.escape_debug()));
    }
    endpoint.into_inner()
}
