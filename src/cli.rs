//! The command line: `serve`, `demo`, `check`, `hash-password`, `version`.
//! Must not know: what the daemon is made of.
//!
//! Exit codes: 0, 1 for an error while running, 2 for a wrong command line, 78 (`EX_CONFIG`) for a wrong config.

mod check;
mod log;
mod password;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, LogSettings, Settings};
use crate::daemon;
use crate::error::{Error, SqlState};

pub use log::init_log;

/// One PostgreSQL port over live PostgreSQL, Parquet, CSV, JSON and SQLite.
#[derive(Debug, Parser)]
#[command(name = "tusk", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon
    Serve(ConfigFile),
    /// Run on the data in config/demo: print the psql line, answer one federated query as proof, keep serving
    Demo {
        /// Exit after the proof
        #[arg(long)]
        once: bool,
    },
    /// Validate the configuration and print the effective permissions
    Check {
        #[command(flatten)]
        file: ConfigFile,
        /// Print what a reload from this file would change
        #[arg(long, value_name = "OLD")]
        against: Option<PathBuf>,
    },
    /// Read a password, print its SCRAM-SHA-256 verifier
    HashPassword,
    /// Print the version
    Version,
}

#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration
    #[arg(short = 'c', long, value_name = "FILE", env = "TUSK_CONFIG", default_value = "config/tusk.toml")]
    config: PathBuf,
}

const OK: u8 = 0;
const FAILED: u8 = 1;
const USAGE: u8 = 2;
/// `EX_CONFIG` of sysexits.h.
const CONFIG: u8 = 78;

/// Where a command writes.
struct Streams<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    // Not locked: the daemon logs to standard error while `serve` holds these.
    let streams = Streams { out: &mut io::stdout(), err: &mut io::stderr() };
    // Standard output may be gone (`| head`): there is nobody left to tell.
    run(std::env::args_os(), streams).map_or(ExitCode::from(FAILED), ExitCode::from)
}

fn run(arguments: impl IntoIterator<Item = OsString>, mut io: Streams<'_>) -> io::Result<u8> {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            write!(io.err, "{error}")?;
            return Ok(USAGE);
        }
        Err(help) => {
            write!(io.out, "{help}")?;
            return Ok(OK);
        }
    };
    match cli.command {
        Command::Serve(file) => serve(file.config, &mut io),
        Command::Demo { once } => demo(once, &mut io),
        Command::Check { file, against } => check::check(&file.config, against.as_deref(), &mut io),
        Command::HashPassword => password::hash_password(&mut io),
        Command::Version => writeln!(io.out, "tusk {}", env!("CARGO_PKG_VERSION")).map(|()| OK),
    }
}

fn serve(path: PathBuf, io: &mut Streams<'_>) -> io::Result<u8> {
    let Some(settings) = load(&path, io)? else { return Ok(CONFIG) };
    if let Err(error) = init_log(&settings.log) {
        return failure(&error, io);
    }
    ended(daemon::serve(settings, path), io)
}

fn demo(once: bool, io: &mut Streams<'_>) -> io::Result<u8> {
    // What the demo prints is to be read; the log speaks only when something is wrong.
    let quiet = LogSettings { level: "warn".to_owned(), ..LogSettings::default() };
    if let Err(error) = init_log(&quiet) {
        return failure(&error, io);
    }
    ended(daemon::demo(once), io)
}

fn ended(result: Result<(), Error>, io: &mut Streams<'_>) -> io::Result<u8> {
    match result {
        Ok(()) => Ok(OK),
        Err(error) => failure(&error, io),
    }
}

/// Loads the configuration, or prints all its mistakes.
fn load(path: &Path, io: &mut Streams<'_>) -> io::Result<Option<Settings>> {
    match config::load(path) {
        Ok(settings) => Ok(Some(settings)),
        Err(errors) => {
            writeln!(io.err, "{errors}")?;
            Ok(None)
        }
    }
}

/// Prints an error with its causes; the operator may read everything.
fn failure(error: &Error, io: &mut Streams<'_>) -> io::Result<u8> {
    write!(io.err, "tusk: {error}")?;
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        write!(io.err, ": {cause}")?;
        next = cause.source();
    }
    writeln!(io.err)?;
    for (what, text) in [("DETAIL", error.detail()), ("HINT", error.hint())] {
        if let Some(text) = text {
            writeln!(io.err, "{what}:  {text}")?;
        }
    }
    Ok(if error.state() == SqlState::CONFIG_FILE_ERROR { CONFIG } else { FAILED })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exit code, standard output, standard error.
    pub(super) fn tusk(arguments: &[&str]) -> (u8, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let arguments = std::iter::once("tusk").chain(arguments.iter().copied()).map(OsString::from);
        let code = run(arguments, Streams { out: &mut out, err: &mut err }).unwrap();
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn help_version_and_usage() {
        assert_eq!(tusk(&["version"]), (OK, format!("tusk {}\n", env!("CARGO_PKG_VERSION")), String::new()));
        let (code, help, _) = tusk(&["--help"]);
        assert_eq!(code, OK);
        for command in ["serve", "demo", "check", "hash-password", "version"] {
            assert!(help.contains(command), "{help}");
        }
        let (code, out, err) = tusk(&["sevre"]);
        assert_eq!((code, out.as_str()), (USAGE, ""));
        assert!(err.contains("serve"), "{err}");
    }

    #[test]
    fn mistakes_end_with_78() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.toml");
        std::fs::write(&path, "[server]\nauht = 1\nlisten = [\"0.0.0.0:1\"]\n[log]\nlevel = 3\n").unwrap();
        let path = path.to_str().unwrap();
        for command in ["serve", "check"] {
            let (code, out, err) = tusk(&[command, "-c", path]);
            assert_eq!((code, out.as_str()), (CONFIG, ""));
            let lines: Vec<&str> = err.lines().collect();
            assert_eq!(lines.len(), 3, "{err}");
            assert!(lines[0].starts_with(&format!("{path}:2: unknown key \"auht\" (did you mean \"auth\"?)")), "{err}");
            assert!(
                lines[1].starts_with(&format!("{path}:3: ")) && lines[2].starts_with(&format!("{path}:5: ")),
                "{err}"
            );
        }
        assert_eq!(tusk(&["check", "-c", "/no/such.toml"]).0, CONFIG);
    }

    #[test]
    fn errors_are_printed_with_their_causes() {
        let mut err = Vec::new();
        let error = Error::resource(SqlState::IO_ERROR, "cannot listen")
            .with_cause(io::Error::other("port taken"))
            .with_hint("Choose another.");
        let code = failure(&error, &mut Streams { out: &mut Vec::new(), err: &mut err }).unwrap();
        assert_eq!(code, FAILED);
        assert_eq!(String::from_utf8(err).unwrap(), "tusk: cannot listen: port taken\nHINT:  Choose another.\n");
    }
}
