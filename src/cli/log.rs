//! The log: lines of text or JSON on standard error.
//! Must not know: who logs.

use std::io::{IsTerminal, stderr};

use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogSettings, check_log_level};
use crate::error::{Error, Result, SqlState};

/// The variable that overrides `log.level`.
const VARIABLE: &str = "TUSK_LOG";

/// Starts the log of this process. A second call changes nothing.
///
/// # Errors
/// `F0000` where `TUSK_LOG` (or the level, which the config has checked) is no level or filter.
pub fn init_log(settings: &LogSettings) -> Result<()> {
    let filter = match std::env::var(VARIABLE) {
        Ok(text) if !text.is_empty() => filter(&text).map_err(|problem| wrong(&format!("{VARIABLE}: {problem}")))?,
        _ => filter(&settings.level).map_err(|problem| wrong(&problem))?,
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    // Libraries tell statements and values when they are asked to tell much; only Tusk's own words are without.
    let told = filter_fn(|event| *event.level() <= Level::INFO || event.target().starts_with("tusk"));
    // An error here says that a log is running already, as in tests.
    let _running = if settings.json {
        log.json().flatten_event(true).finish().with(told).try_init()
    } else {
        log.with_ansi(stderr().is_terminal()).finish().with(told).try_init()
    };
    Ok(())
}

fn filter(text: &str) -> Result<EnvFilter, String> {
    check_log_level(text)?;
    EnvFilter::try_new(text).map_err(|error| error.to_string())
}

fn wrong(message: &str) -> Error {
    Error::client(SqlState::CONFIG_FILE_ERROR, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_checked() {
        assert!(filter("info").is_ok() && filter("warn,tusk::wire=debug").is_ok());
        assert!(filter("inof").unwrap_err().contains("did you mean \"info\""));
        assert!(filter("tusk=loud").is_err());
    }
}
