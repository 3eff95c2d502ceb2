//! The programs, what each of them needs on this machine, and what they print.
//! Must not know: what is right.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::servers::Target;
use crate::harness::daemon::{repository, wait_for};

/// How long a program may run: longer than all its steps should take, as each has a deadline of its own.
const DEADLINE: Duration = Duration::from_secs(240);
/// Seconds that a step may take.
const STEP: &str = "45";

/// A client, and the file that drives it.
pub(super) struct Program {
    /// Its name, as the program prints it.
    pub(super) client: &'static str,
    file: &'static str,
    needs: Needs,
}

/// What must be there for a program to run.
enum Needs {
    /// A module of Python in the environment that `tests/run.sh` makes.
    Python(&'static str),
    /// The same, and a driver that unixODBC knows.
    Odbc(&'static str),
    /// A jar of Debian's.
    Java,
    /// Packages of npm.
    Node,
}

/// Every client.
pub(super) const PROGRAMS: &[Program] = &[
    Program { client: "psql", file: "client_psql.py", needs: Needs::Python("json") },
    Program { client: "psycopg3", file: "client_psycopg3.py", needs: Needs::Python("psycopg") },
    Program { client: "psycopg2", file: "client_psycopg2.py", needs: Needs::Python("psycopg2") },
    Program { client: "asyncpg", file: "client_asyncpg.py", needs: Needs::Python("asyncpg") },
    Program { client: "sqlalchemy", file: "client_sqlalchemy.py", needs: Needs::Python("sqlalchemy") },
    Program { client: "adbc", file: "client_adbc.py", needs: Needs::Python("adbc_driver_postgresql, pyarrow") },
    Program { client: "pgjdbc", file: "ClientJdbc.java", needs: Needs::Java },
    Program { client: "node-postgres", file: "client_node.js", needs: Needs::Node },
    Program { client: "psqlodbc", file: "client_pyodbc.py", needs: Needs::Odbc("pyodbc") },
    Program { client: "postgres_fdw", file: "client_fdw.py", needs: Needs::Python("psycopg") },
    Program {
        client: "duckdb",
        file: "client_duckdb.py",
        needs: Needs::Python("duckdb, duckdb_extension_postgres_scanner"),
    },
];

/// Where the things are that `tests/run.sh` installs.
pub(super) struct Tools {
    python: PathBuf,
    node_modules: PathBuf,
    jar: PathBuf,
}

impl Tools {
    /// Looks at the environment, then at the places that `tests/run.sh` uses.
    pub(super) fn find() -> Self {
        let cache = PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
        let given = |name: &str, default: PathBuf| std::env::var_os(name).map_or(default, PathBuf::from);
        Tools {
            python: given("TUSK_TEST_PYTHON", cache.join("tusk-venv/bin/python")),
            node_modules: given("TUSK_TEST_NODE", cache.join("tusk-node")).join("node_modules"),
            jar: given("TUSK_TEST_JDBC", PathBuf::from("/usr/share/java/postgresql.jar")),
        }
    }
}

/// A command line and the variables that it wants beside the target's.
pub(super) struct Line {
    words: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
}

impl Program {
    /// How it is started, or what is missing.
    pub(super) fn command(&self, tools: &Tools) -> Result<Line, String> {
        let file = repository("tests/clients").join(self.file);
        let line = |words: &[&Path], environment| Line {
            words: words
                .iter()
                .map(|word| word.as_os_str().to_owned())
                .chain([file.clone().into_os_string()])
                .collect(),
            environment,
        };
        match &self.needs {
            Needs::Python(modules) | Needs::Odbc(modules) => {
                runs(
                    Command::new(&tools.python).args(["-c", &format!("import {modules}")]),
                    "tests/run.sh installs it",
                )?;
                let drivers = std::fs::read_to_string("/etc/odbcinst.ini").unwrap_or_default();
                if matches!(self.needs, Needs::Odbc(_)) && !drivers.contains("[PostgreSQL Unicode]") {
                    return Err("no driver in /etc/odbcinst.ini (tests/run.sh installs odbc-postgresql)".into());
                }
                Ok(line(&[&tools.python], vec![("PYTHONDONTWRITEBYTECODE", "1".into())]))
            }
            Needs::Java => {
                runs(Command::new("java").arg("-version"), "tests/run.sh installs it")?;
                if !tools.jar.exists() {
                    return Err(format!(
                        "{} is missing (tests/run.sh installs libpostgresql-jdbc-java)",
                        tools.jar.display()
                    ));
                }
                let flags = ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"].map(Path::new);
                Ok(line(&[&flags[..], &[tools.jar.as_path()]].concat(), Vec::new()))
            }
            Needs::Node => {
                runs(Command::new("node").arg("--version"), "tests/run.sh installs it")?;
                for package in ["pg", "pg-cursor", "pg-copy-streams"] {
                    if !tools.node_modules.join(package).exists() {
                        return Err(format!(
                            "no {package} in {} (tests/run.sh installs it)",
                            tools.node_modules.display()
                        ));
                    }
                }
                let modules = tools.node_modules.clone().into_os_string();
                Ok(line(&[Path::new("node"), Path::new("--no-deprecation")], vec![("NODE_PATH", modules)]))
            }
        }
    }
}

/// Whether a command runs, else what it said.
fn runs(command: &mut Command, remedy: &str) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().lines().last().unwrap_or_default().to_owned();
            Err(format!("{name}: {said} ({remedy})"))
        }
        Err(error) => Err(format!("{name}: {error} ({remedy})")),
    }
}

/// A line that a program printed.
pub(super) struct Said {
    /// The client's name.
    pub(super) client: String,
    /// Its version.
    pub(super) version: String,
    /// What it did.
    pub(super) step: String,
    /// Whether it could.
    pub(super) ok: bool,
    /// What came back, or why not.
    pub(super) text: String,
}

/// Runs a program against a server; the lines that it printed until it ended or its time was up.
pub(super) fn run(line: &Line, target: &Target) -> Vec<Said> {
    let mut child = Command::new(&line.words[0])
        .args(&line.words[1..])
        .envs(line.environment.iter().map(|(name, value)| (name, value)))
        .envs(target.environment())
        .env("STEP_TIMEOUT", STEP)
        .env_remove("STEP_FROM")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let printed = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        out.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let complained = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        err.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    if wait_for(DEADLINE, || child.try_wait().unwrap()).is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let text = printed.join().unwrap();
    let complaint = complained.join().unwrap();
    if !complaint.is_empty() {
        eprintln!("{}: {complaint}", line.words.last().unwrap().display());
    }
    text.lines().filter_map(parse).collect()
}

fn parse(line: &str) -> Option<Said> {
    let mut parts = line.splitn(5, '\t').map(str::to_owned);
    let mut next = || parts.next();
    Some(Said { client: next()?, version: next()?, step: next()?, ok: next()? == "ok", text: next()? })
}
