//! `tusk demo`: the daemon on the data in `config/demo`, and one federated query through its own port as proof.
//! Must not know: how the query is answered.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::app::App;
use super::{Runtimes, drain, signals};
use crate::config::{self, Listen, Settings};
use crate::error::{Error, Fault, Result, SqlState};
use crate::query::Threads;
use crate::shutdown::Shutdown;
use crate::source::postgres::{Answer, ask};

/// The user of the demo.
const USER: &str = "demo";

/// The proof: Parquet, CSV, ndjson and SQLite in one statement.
const PROOF: &str = include_str!("demo.sql");

/// Runs the demo; with `once`, ends after the proof.
///
/// # Errors
/// What keeps the daemon from starting, or the proof from being given.
pub fn demo(once: bool) -> Result<()> {
    let mut settings = settings()?;
    if once {
        settings.server.listen = vec![Listen::Tcp("127.0.0.1:0".into())];
        settings.http.listen = None;
    }
    let runtimes = Runtimes::new(settings.engine.threads)?;
    let threads = runtimes.threads();
    let done = runtimes.sockets.block_on(async move {
        let shutdown = Shutdown::new();
        let drain_timeout = settings.server.drain_timeout;
        let database = settings.server.database.clone();
        let app = start(settings, threads, &shutdown).await?;
        let address = app.addresses().first().cloned().unwrap_or_default();
        let (host, port) = address.rsplit_once(':').unwrap_or(("127.0.0.1", "5432"));
        let port: u16 = port.parse().unwrap_or(5432);
        print(&format!("Tusk serves the demo data on {address}. Connect with:\n\n    psql -h {host} -p {port} -U {USER} {database}\n"))?;
        let answer = ask(host, port, USER, &database, PROOF).await?;
        print(&format!("One query over Parquet, CSV, ndjson and SQLite, through that port:\n\n{}\n", indent(PROOF)))?;
        print(&table(&answer))?;
        if !once {
            print("\nServing until Ctrl-C.")?;
            signals::wait_for_stop().await?;
        }
        drain(&shutdown, drain_timeout).await;
        Ok(())
    });
    runtimes.end();
    done
}

/// Starts on the configured port; if that is taken, on any free one.
async fn start(settings: Settings, threads: Threads, shutdown: &Shutdown) -> Result<App> {
    let free = Settings {
        server: config::ServerSettings { listen: vec![Listen::Tcp("127.0.0.1:0".into())], ..settings.server.clone() },
        http: config::HttpSettings { listen: None, ..settings.http.clone() },
        ..settings.clone()
    };
    match App::start(settings, threads.clone(), shutdown.clone()).await {
        Ok(app) => Ok(app),
        Err(_) => App::start(free, threads, shutdown.clone()).await,
    }
}

/// The demo's config: in the working directory, or where the source was when this was built.
fn settings() -> Result<Settings> {
    let places = [PathBuf::from("config/demo.toml"), Path::new(env!("CARGO_MANIFEST_DIR")).join("config/demo.toml")];
    let Some(path) = places.iter().find(|path| path.is_file()) else {
        return Err(Error::new(SqlState::UNDEFINED_FILE, Fault::Client, "config/demo.toml is missing")
            .with_hint("Run the demo in the project's folder."));
    };
    config::load(path).map_err(|errors| Error::new(SqlState::CONFIG_FILE_ERROR, Fault::Client, errors.to_string()))
}

fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| {
        Error::new(SqlState::IO_ERROR, Fault::Resource, "could not write to standard output").with_cause(error)
    })
}

fn indent(text: &str) -> String {
    text.trim_end().lines().map(|line| format!("    {line}\n")).collect()
}

/// The answer as psql prints one.
fn table((names, rows): &Answer) -> String {
    let texts: Vec<Vec<&str>> =
        rows.iter().map(|row| row.iter().map(|field| field.as_deref().unwrap_or("")).collect()).collect();
    let widths: Vec<usize> = (0..names.len())
        .map(|at| texts.iter().map(|row| row[at].chars().count()).chain([names[at].chars().count()]).max().unwrap_or(0))
        .collect();
    let numeric: Vec<bool> = (0..names.len())
        .map(|at| texts.iter().all(|row| row[at].is_empty() || row[at].parse::<f64>().is_ok()))
        .collect();
    let line = |row: &[&str], head: bool| {
        let fields: Vec<String> = row
            .iter()
            .zip(widths.iter().zip(&numeric))
            .map(|(text, (width, numeric))| match (head, numeric) {
                (true, _) => format!(" {text:^width$} "),
                (false, true) => format!(" {text:>width$} "),
                (false, false) => format!(" {text:<width$} "),
            })
            .collect();
        fields.join("|").trim_end().to_owned()
    };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut lines = vec![line(&names, true)];
    lines.push(widths.iter().map(|width| "-".repeat(width + 2)).collect::<Vec<_>>().join("+"));
    lines.extend(texts.iter().map(|row| line(row, false)));
    lines.push(format!("({} row{})", rows.len(), if rows.len() == 1 { "" } else { "s" }));
    lines.iter().map(|line| format!("    {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_like_psql() {
        let answer = (vec!["name".to_owned(), "n".to_owned()], vec![vec![Some("a".to_owned()), Some("10".to_owned())]]);
        assert_eq!(table(&answer), "     name | n\n    ------+----\n     a    | 10\n    (1 row)\n");
    }
}
