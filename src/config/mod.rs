//! The configuration: a file (`file`), then settings that every part can trust (`settings`).
//! Must not know: what the settings are used for. The one place beside `cli` that reads the environment.

mod defaults;
mod errors;
mod file;
mod patterns;
mod read;
mod reload;
mod resolve;
mod secret;
mod settings;
mod units;
mod verifier;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use errors::{ConfigError, ConfigErrors};
pub use patterns::{Patterns, wildcard};
pub use reload::changes;
pub use secret::Secret;
pub use settings::*;
pub use verifier::{SCRAM_ITERATIONS, ScramVerifier};

use errors::Mistakes;
use resolve::{Context, Environment};

/// A larger file is no configuration.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Reads and resolves a file. Passwords are fetched from the environment and from files on the way.
///
/// # Errors
/// Every mistake of the file, each with its line.
pub fn load(path: &Path) -> Result<Settings, ConfigErrors> {
    let text = read_text(path).map_err(|problem| ConfigErrors::whole_file(path, problem))?;
    parse(path, &text, &|name| std::env::var(name).ok())
}

fn read_text(path: &Path) -> Result<String, String> {
    let metadata = std::fs::metadata(path).map_err(|error| format!("cannot read the configuration: {error}"))?;
    if !metadata.is_file() {
        return Err("cannot read the configuration: it is not a regular file".to_owned());
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(format!("cannot read the configuration: it is larger than {}", units::show_bytes(MAX_FILE_BYTES)));
    }
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read the configuration: {error}"))?;
    String::from_utf8(bytes).map_err(|_| "cannot read the configuration: it is not UTF-8 text".to_owned())
}

/// Resolves a file's text as if it lay at `path`.
fn parse(path: &Path, text: &str, environment: Environment<'_>) -> Result<Settings, ConfigErrors> {
    let absolute = std::path::absolute(path).map_err(|error| {
        ConfigErrors::whole_file(path, format!("the path of the configuration is unusable: {error}"))
    })?;
    let base = absolute.parent().unwrap_or(Path::new("/"));
    let mut mistakes = Mistakes::new(path, text);
    let settings = read::read(text, &mut mistakes)
        .map(|file| resolve::resolve(file, &mut Context { base, environment, mistakes: &mut mistakes }));
    match settings {
        Some(settings) if mistakes.is_empty() => Ok(settings),
        _ => Err(mistakes.into_errors()),
    }
}

/// Checks a log level or filter, such as `TUSK_LOG` holds.
///
/// # Errors
/// A message for whoever set it.
pub fn check_log_level(text: &str) -> Result<(), String> {
    resolve::log_level(text)
}

/// A duration as the file writes it: `30s`, `250ms`, `5m`.
#[must_use]
pub fn show_duration(duration: std::time::Duration) -> String {
    units::show_duration(duration)
}

/// A size as the file writes it: `64MiB`.
#[must_use]
pub fn show_bytes(bytes: u64) -> String {
    units::show_bytes(bytes)
}

/// The schemas that a source certainly mounts (a PostgreSQL source without `schemas` may mount more).
#[must_use]
pub fn certain_schemas(source: &SourceSettings) -> Vec<&str> {
    resolve::certain_schemas(source)
}
