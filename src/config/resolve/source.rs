//! `[[source]]`: the keys of each type, and no others.
//! Must not know: how a source is read.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::errors::Span;
use super::super::file::{At, RawSource};
use super::super::{FilesSettings, PostgresSettings, SourceKind, SourceSettings, SourceSpec, SqliteSettings, SslMode};
use super::checks::{distinct, patterns, readable, schema_name};
use super::secrets::source_password;
use super::table::file_table;
use super::{Context, Mounts, url};

/// Connections to a source at most, as PostgreSQL's own bound on `max_connections` is far above what is wise.
const MAX_POOL: usize = 10_000;

pub(super) fn source(
    mut raw: RawSource,
    at: &Span,
    mounts: &mut Mounts,
    cx: &mut Context<'_, '_>,
) -> Option<SourceSettings> {
    let what = raw.name.as_ref().map_or("[[source]]".to_owned(), |name| format!("source \"{}\"", name.get_ref()));
    match &raw.name {
        Some(name) => {
            schema_name(name.get_ref(), "source", &name.span(), cx);
            mounts.source(name, cx);
        }
        None => cx.mistakes.missing(at, "name", "[[source]]"),
    }
    let tables = patterns(&raw.tables.take().unwrap_or_else(|| vec![At::new(0..0, "*".to_owned())]), false, cx);
    let Some(kind) = raw.kind.take() else {
        cx.mistakes.missing(at, "type", &what);
        return None;
    };
    let kind = kind.into_inner();
    foreign_keys(&raw, kind, &what, cx);
    let name = raw.name.clone();
    if let Some(name) = name.as_ref().filter(|_| raw.schemas.is_none() || kind != SourceKind::Postgres) {
        mounts.schema(name.get_ref(), name.get_ref(), &name.span(), cx);
    }
    let spec = match kind {
        SourceKind::Postgres => postgres(raw, at, &what, mounts, cx).map(SourceSpec::Postgres),
        SourceKind::Files => Some(SourceSpec::Files(files(raw, at, &what, cx))),
        SourceKind::Sqlite => sqlite(raw, at, &what, cx).map(SourceSpec::Sqlite),
    };
    Some(SourceSettings { name: name?.into_inner(), tables, spec: spec? })
}

/// Keys that go with another type of source are mistakes, not ignored.
fn foreign_keys(raw: &RawSource, kind: SourceKind, what: &str, cx: &mut Context<'_, '_>) {
    use SourceKind::{Files, Postgres, Sqlite};
    fn span<T>(value: &Option<At<T>>) -> Option<Span> {
        value.as_ref().map(toml::Spanned::span)
    }
    let keys: [(&str, Option<Span>, &[SourceKind]); 11] = [
        ("url", span(&raw.url), &[Postgres]),
        ("password", span(&raw.password), &[Postgres]),
        ("schemas", span(&raw.schemas), &[Postgres]),
        ("pool_size", span(&raw.pool_size), &[Postgres]),
        ("connect_timeout", span(&raw.connect_timeout), &[Postgres]),
        ("statement_timeout", span(&raw.statement_timeout), &[Postgres]),
        ("writable", span(&raw.writable), &[Postgres]),
        ("tls_ca", span(&raw.tls_ca), &[Postgres]),
        ("allow_functions", span(&raw.allow_functions), &[Postgres]),
        ("path", span(&raw.path), &[Files, Sqlite]),
        ("table", span(&raw.table), &[Files]),
    ];
    for (key, at, kinds) in keys {
        if let Some(at) = at.filter(|_| !kinds.contains(&kind)) {
            cx.mistake(&at, format!("{what}: key \"{key}\" does not go with type = \"{}\"", kind.name()));
        }
    }
}

fn postgres(
    raw: RawSource,
    at: &Span,
    what: &str,
    mounts: &mut Mounts,
    cx: &mut Context<'_, '_>,
) -> Option<PostgresSettings> {
    let schemas = raw.schemas.map(|schemas| mount_list(&schemas, raw.name.as_ref(), mounts, cx));
    let password = raw.password.as_ref().and_then(|password| source_password(password, cx));
    let pool_size = raw.pool_size.map_or(16, |size| {
        if !(1..=MAX_POOL).contains(size.get_ref()) {
            cx.mistake(&size.span(), format!("pool_size must be from 1 to {MAX_POOL}"));
        }
        size.into_inner()
    });
    let connect_timeout = raw.connect_timeout.map_or(Duration::from_secs(5), |timeout| {
        if timeout.get_ref().0.is_zero() {
            cx.mistake(
                &timeout.span(),
                "connect_timeout must be longer than 0s: every wait on a source has a deadline",
            );
        }
        timeout.into_inner().0
    });
    let Some(text) = raw.url else {
        cx.mistakes.missing(at, "url", what);
        return None;
    };
    let target = match url::parse(text.get_ref()) {
        Ok(target) => Some(target),
        Err(problems) => {
            for problem in problems {
                cx.mistake(&text.span(), format!("{what}: {problem}"));
            }
            None
        }
    };
    let verified = target.as_ref().is_none_or(|t| matches!(t.sslmode, SslMode::VerifyCa | SslMode::VerifyFull));
    let tls_ca = raw.tls_ca.filter(|path| !path.get_ref().is_empty()).map(|path| {
        // Without verification the file would be read and mean nothing.
        if !verified {
            cx.mistake(&path.span(), "tls_ca needs sslmode=verify-ca or sslmode=verify-full in the url");
        }
        readable(&path, "tls_ca", cx)
    });
    let functions = raw.allow_functions.map_or_else(Vec::new, |names| distinct(names.get_ref(), "function", cx));
    let target = target?;
    Some(PostgresSettings {
        hosts: target.hosts,
        user: target.user,
        database: target.database,
        sslmode: target.sslmode,
        password,
        schemas,
        pool_size,
        connect_timeout,
        statement_timeout: raw.statement_timeout.map_or(Duration::ZERO, |timeout| timeout.into_inner().0),
        writable: raw.writable.is_some_and(toml::Spanned::into_inner),
        tls_ca,
        allow_functions: functions,
    })
}

/// `schemas = { remote = "seen" }`.
fn mount_list(
    raw: &At<BTreeMap<String, At<String>>>,
    source: Option<&At<String>>,
    mounts: &mut Mounts,
    cx: &mut Context<'_, '_>,
) -> BTreeMap<String, String> {
    if raw.get_ref().is_empty() {
        cx.mistake(&raw.span(), "schemas mounts nothing: leave the key out to mount all");
    }
    // In the order of the file, so that the second of two equal names is the one complained of.
    let mut entries: Vec<(&String, &At<String>)> = raw.get_ref().iter().collect();
    entries.sort_by_key(|(_, seen)| seen.span().start);
    for (remote, seen) in entries {
        schema_name(seen.get_ref(), "schema", &seen.span(), cx);
        if remote.is_empty() || remote.chars().any(char::is_control) {
            cx.mistake(&seen.span(), format!("remote schema \"{}\" is no schema's name", remote.escape_debug()));
        }
        mounts.schema(source.map_or("", |name| name.get_ref()), seen.get_ref(), &seen.span(), cx);
    }
    raw.get_ref().iter().map(|(remote, seen)| (remote.clone(), seen.get_ref().clone())).collect()
}

fn files(raw: RawSource, at: &Span, what: &str, cx: &mut Context<'_, '_>) -> FilesSettings {
    let path = raw.path.as_ref().map(|path| glob_path(path, cx));
    let mut tables = Vec::new();
    let mut names: Vec<String> = Vec::new();
    let named = raw.table.map_or_else(Vec::new, toml::Spanned::into_inner);
    if path.is_none() && named.is_empty() {
        cx.mistakes.missing(at, "path", what);
    }
    for table in named {
        let at = table.span();
        let table = table.into_inner();
        if let Some(name) = &table.name {
            if names.contains(name.get_ref()) {
                cx.mistake(&name.span(), format!("table \"{}\" of {what} is defined twice", name.get_ref()));
            }
            names.push(name.get_ref().clone());
        }
        tables.extend(file_table(table, &at, cx));
    }
    FilesSettings { path, tables }
}

fn sqlite(raw: RawSource, at: &Span, what: &str, cx: &mut Context<'_, '_>) -> Option<SqliteSettings> {
    let Some(path) = raw.path else {
        cx.mistakes.missing(at, "path", what);
        return None;
    };
    if path.get_ref().is_empty() {
        cx.mistake(&path.span(), "the path is empty");
    }
    Some(SqliteSettings { path: cx.absolute(path.get_ref()) })
}

/// A file, folder or glob, absolute. Whether it is there is found out when the source is read: sources may be down.
pub(super) fn glob_path(raw: &At<String>, cx: &mut Context<'_, '_>) -> String {
    let text = raw.get_ref();
    if text.is_empty() || text.contains('\0') {
        cx.mistake(&raw.span(), "the path is empty or has a NUL character");
    } else if let Err(error) = globset::GlobBuilder::new(text).literal_separator(true).build() {
        cx.mistake(&raw.span(), format!("path \"{}\" is a bad pattern: {}", text.escape_debug(), error.kind()));
    }
    cx.absolute(text).to_string_lossy().into_owned()
}
