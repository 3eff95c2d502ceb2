//! From `File` to `Settings`: defaults filled in, references checked, secrets fetched. Mistakes are collected.
//! Must not know: how the settings are used.

mod checks;
mod policy;
mod secrets;
mod server;
mod source;
mod table;
mod url;

use std::path::Path;

use super::errors::{Mistakes, Span};
use super::file::{At, File};
use super::{Settings, SourceSettings, SourceSpec};

pub(super) use secrets::Environment;
pub(super) use server::log_level;

/// What resolving needs beside the file.
pub(super) struct Context<'a, 't> {
    /// The folder of the file, absolute.
    pub(super) base: &'a Path,
    /// The environment, for passwords.
    pub(super) environment: Environment<'a>,
    /// What was found wrong.
    pub(super) mistakes: &'a mut Mistakes<'t>,
}

impl Context<'_, '_> {
    fn mistake(&mut self, at: &Span, message: impl Into<String>) {
        self.mistakes.add(at, message);
    }

    /// An absolute path from one that is relative to the file.
    fn absolute(&self, path: &str) -> std::path::PathBuf {
        self.base.join(path)
    }
}

/// Resolves the whole file. The result is good only if no mistake was added.
pub(super) fn resolve(file: File, cx: &mut Context<'_, '_>) -> Settings {
    let mut settings = Settings::defaults(cx.base);
    server::server(file.server, &mut settings.server, cx);
    server::http(file.http, &mut settings.http, cx);
    server::engine(file.engine, &mut settings.engine, cx);
    server::cache(&file.cache, &mut settings.cache);
    server::history(file.history, &mut settings.history, cx);
    server::log(file.log, &mut settings.log, cx);
    settings.otlp = server::otlp(file.telemetry, cx);
    let mut mounts = Mounts::default();
    for raw in file.source {
        let at = raw.span();
        if let Some(source) = source::source(raw.into_inner(), &at, &mut mounts, cx) {
            settings.sources.push(source);
        }
    }
    settings.roles = policy::roles(file.role, cx);
    settings.users = policy::users(file.user, &settings, cx);
    settings.expects = policy::expects(file.expect, &settings.roles, cx);
    settings
}

/// The sources and schemas named so far.
#[derive(Default)]
struct Mounts {
    sources: Vec<String>,
    schemas: Vec<(String, String)>,
}

impl Mounts {
    fn source(&mut self, name: &At<String>, cx: &mut Context<'_, '_>) {
        let text = name.get_ref();
        if self.sources.contains(text) {
            cx.mistake(&name.span(), format!("source \"{text}\" is defined twice"));
        }
        self.sources.push(text.clone());
    }

    fn schema(&mut self, source: &str, schema: &str, at: &Span, cx: &mut Context<'_, '_>) {
        // Two sources of one name are a mistake already; their schemas need no second message.
        if let Some((other, _)) = self.schemas.iter().find(|(other, seen)| seen == schema && other != source) {
            cx.mistake(
                at,
                format!("schema \"{schema}\" is mounted twice: by source \"{other}\" and by source \"{source}\""),
            );
        } else if self.schemas.iter().any(|(other, seen)| seen == schema && other == source)
            && self.sources.iter().filter(|name| *name == source).count() == 1
        {
            cx.mistake(at, format!("schema \"{schema}\" is mounted twice by source \"{source}\""));
        }
        self.schemas.push((source.to_owned(), schema.to_owned()));
    }
}

/// The schemas that a source certainly mounts (a PostgreSQL source without `schemas` may mount more).
#[must_use]
pub(super) fn certain_schemas(source: &SourceSettings) -> Vec<&str> {
    match &source.spec {
        SourceSpec::Postgres(postgres) => match &postgres.schemas {
            Some(schemas) => schemas.values().map(String::as_str).collect(),
            None => vec![&source.name],
        },
        SourceSpec::Files(_) | SourceSpec::Sqlite(_) => vec![&source.name],
    }
}
