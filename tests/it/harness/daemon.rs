//! A Tusk of a test's own: its config in a directory of its own, its ports given by the kernel, its process ended with the test.
//! Must not know: what is asked of it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// A running daemon.
pub(crate) struct Daemon {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// Where clients connect.
    pub(crate) address: String,
    /// Where metrics are.
    pub(crate) http: String,
    directory: TempDir,
}

/// What a daemon is started with: everything of the file but `[server]`, `[http]`, `[log]` and `[history]`.
#[derive(Default)]
pub(crate) struct Setup {
    /// Sources, roles, users and what else is wanted.
    pub(crate) config: String,
    /// Lines of `[server]` beside `listen`.
    pub(crate) server: String,
    /// Variables of the environment.
    pub(crate) environment: Vec<(String, String)>,
    /// `listen` addresses; empty: a loopback port of the kernel's choice.
    pub(crate) listen: String,
}

impl Setup {
    /// With this rest of the config, trusting the users in it.
    pub(crate) fn trusting(config: impl Into<String>) -> Self {
        Setup { config: config.into(), server: "auth = \"trust\"".into(), ..Setup::default() }
    }
}

/// The path of the binary under test.
pub(crate) fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_tusk")
}

impl Daemon {
    /// Starts one and waits until it says that it is ready.
    pub(crate) fn start(setup: &Setup) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tusk.toml");
        std::fs::write(&path, text(setup)).unwrap();
        let mut child = Command::new(binary())
            .args(["serve", "-c"])
            .arg(&path)
            .env_remove("TUSK_LOG")
            .envs(setup.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        let ready = wait_for(Duration::from_secs(30), || {
            let found = log.lock().unwrap().iter().find(|line| line.contains("\"ready\"")).cloned();
            found.or_else(|| child.try_wait().unwrap().map(|status| format!("ended: {status}")))
        });
        let Some(line) = ready.filter(|line| !line.starts_with("ended")) else {
            panic!("the daemon did not start:\n{}", log.lock().unwrap().join("\n"));
        };
        let fields: serde_json::Value = serde_json::from_str(&line).unwrap();
        let field = |name: &str| fields["fields"][name].as_str().unwrap_or_default().to_owned();
        let address = field("listen").split(", ").next().unwrap().to_owned();
        let http = field("http");
        Daemon { child, log, address, http, directory }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The port that clients connect to.
    pub(crate) fn port(&self) -> u16 {
        self.address.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Its directory: the config, and room for a test's files.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Its log so far, a JSON object a line.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// A connection of this user.
    pub(crate) async fn connect(&self, user: &str) -> Client {
        self.try_connect(&format!("user={user} dbname=tusk")).await.unwrap()
    }

    /// A connection with these parameters beside host and port.
    pub(crate) async fn try_connect(&self, parameters: &str) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) =
            tokio_postgres::connect(&format!("host=127.0.0.1 port={} {parameters}", self.port()), NoTls).await?;
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(client)
    }

    /// Resident memory in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", self.pid())).unwrap();
        text.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the process to end; its exit code.
    pub(crate) fn wait(&mut self, deadline: Duration) -> Option<i32> {
        wait_for(deadline, || self.child.try_wait().unwrap()).and_then(|status| status.code())
    }

    /// Runs psql against it; what it printed on both streams.
    pub(crate) fn psql(&self, user: &str, arguments: &[&str]) -> (String, String) {
        let output = Command::new("psql")
            .args(["-X", "-h", "127.0.0.1", "-p", &self.port().to_string(), "-U", user, "-d", "tusk"])
            .args(arguments)
            .env("PGCONNECT_TIMEOUT", "10")
            .output()
            .unwrap();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the daemon ---\n{}", self.log());
        }
    }
}

fn text(setup: &Setup) -> String {
    let listen = if setup.listen.is_empty() { "\"127.0.0.1:0\"" } else { &setup.listen };
    format!(
        "[server]\nlisten = [{listen}]\n{}\n\n[http]\nlisten = \"127.0.0.1:0\"\n\n[log]\nformat = \"json\"\n\n[history]\npath = \"history\"\n\n{}",
        setup.server, setup.config
    )
}

/// Asks again and again until there is an answer or the deadline has passed.
pub(crate) fn wait_for<T>(deadline: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if begun.elapsed() > deadline {
            return None;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
