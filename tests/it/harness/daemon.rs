//! A Tusk of a test's own: its config in a directory of its own, its ports given by the kernel, its process ended with the test.
//! Must not know: what is asked of it.

use std::io::{BufRead, BufReader, Read, Write};
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
    /// Files beside the config: name and content.
    pub(crate) files: Vec<(String, String)>,
}

impl Setup {
    /// With this rest of the config, trusting the users in it.
    pub(crate) fn trusting(config: impl Into<String>) -> Self {
        Setup { config: config.into(), server: "auth = \"trust\"".into(), ..Setup::default() }
    }
}

/// How long a daemon may take to be ready, or to refuse.
const START: Duration = Duration::from_secs(30);

/// The path of the binary under test.
pub(crate) fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_tusk")
}

/// What `tusk hash-password` makes of a password.
pub(crate) fn verifier(password: &str) -> String {
    let mut child =
        Command::new(binary()).arg("hash-password").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.strip_suffix('\n').unwrap();
    assert!(line.starts_with("SCRAM-SHA-256$4096:") && !line.contains('\n'), "{text}");
    line.to_owned()
}

impl Daemon {
    /// Starts one and waits until it says that it is ready.
    pub(crate) fn start(setup: &Setup) -> Self {
        match Self::launch(setup) {
            Ok(daemon) => daemon,
            Err((code, log)) => panic!("the daemon did not start (exit code {code:?}):\n{log}"),
        }
    }

    /// Starts one that is to refuse its config; its exit code and what it said on standard error.
    pub(crate) fn refused(setup: &Setup) -> (Option<i32>, String) {
        match Self::launch(setup) {
            Ok(daemon) => panic!("the daemon started at {}", daemon.address),
            Err(refusal) => refusal,
        }
    }

    fn launch(setup: &Setup) -> Result<Self, (Option<i32>, String)> {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in &setup.files {
            std::fs::write(directory.path().join(name), content).unwrap();
        }
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
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        let ready = wait_for(START, || {
            let found = log.lock().unwrap().iter().find(|line| line.contains("\"ready\"")).cloned();
            found.map(Ok).or_else(|| child.try_wait().unwrap().map(Err))
        });
        let Some(Ok(line)) = ready else {
            let _ = child.kill();
            let _ = child.wait();
            reader.join().unwrap();
            let said = log.lock().unwrap().join("\n");
            return Err((ready.and_then(Result::err).and_then(|status| status.code()), said));
        };
        let fields: serde_json::Value = serde_json::from_str(&line).unwrap();
        let fields = fields.get("fields").unwrap_or(&fields);
        let field = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
        let address = field("listen").split(", ").next().unwrap().to_owned();
        let http = field("http");
        Ok(Daemon { child, log, address, http, directory })
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

    /// A page of its HTTP port: status and body.
    pub(crate) fn page(&self, path: &str) -> (u16, String) {
        let mut stream = std::net::TcpStream::connect(&self.http).unwrap();
        stream.set_read_timeout(Some(START)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: tusk\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
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
