//! A real PostgreSQL of the test's own: a fresh cluster in a temporary directory on a free port.
//! Must not know: Tusk.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// How long a server may take to start or to stop.
const DEADLINE: Duration = Duration::from_secs(60);

/// What a cluster is made with.
#[derive(Clone)]
pub(crate) struct Options {
    /// Lines for `postgresql.conf`, after the harness's own.
    pub(crate) conf: Vec<String>,
    /// Arguments of `initdb` beside the directory and the user.
    pub(crate) initdb: Vec<String>,
    /// Certificate chain and key in PEM: the server offers TLS.
    pub(crate) tls: Option<(String, String)>,
    /// The whole `pg_hba.conf`. Default: the superuser and `ana` without a password, everybody else with SCRAM.
    pub(crate) hba: String,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            conf: Vec::new(),
            // Ordered by bytes, as Tusk does and says; the letters are Unicode's, as with nearly every server.
            initdb: ["--no-locale", "--lc-ctype=C.UTF-8", "--encoding=UTF8"].map(String::from).to_vec(),
            tls: None,
            hba:
                "local all postgres trust\nlocal all all scram-sha-256\nhost all,replication postgres,ana all trust\nhost all all all \
                  scram-sha-256\n"
                    .into(),
        }
    }
}

/// A running PostgreSQL; stopped and removed when dropped. Superuser `postgres`, database `postgres`, no password.
pub(crate) struct TestPostgres {
    server: Option<Child>,
    directory: TempDir,
    port: u16,
}

impl TestPostgres {
    /// A cluster with collation C, ctype C.UTF-8, encoding UTF8.
    pub(crate) fn start() -> Self {
        Self::start_with(&Options::default())
    }

    /// A cluster made to measure.
    pub(crate) fn start_with(options: &Options) -> Self {
        let directory = tempfile::Builder::new().prefix("tusk-pg-").tempdir().expect("temporary directory");
        let mut postgres = TestPostgres { server: None, directory, port: 0 };
        if let Some((uid, gid)) = service_user() {
            chown(postgres.directory.path(), Some(uid), Some(gid)).expect("chown");
        }
        let data = postgres.data();
        let made = as_service_user("initdb")
            .args(["--no-sync", "--auth=trust", "--username=postgres", "-D"])
            .arg(&data)
            .args(&options.initdb)
            .stdout(Stdio::null())
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        postgres.configure(options);
        // The port is free when it is asked for; somebody may take it before PostgreSQL does.
        for attempt in 0.. {
            postgres.port = free_port();
            match postgres.launch() {
                Ok(()) => break,
                Err(log) => assert!(attempt < 5, "PostgreSQL does not start: {log}"),
            }
        }
        postgres
    }

    /// The port on 127.0.0.1 (and of the socket in [`TestPostgres::socket_directory`]).
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where its Unix socket is.
    pub(crate) fn socket_directory(&self) -> &Path {
        self.directory.path()
    }

    /// The postmaster's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.server.as_ref().expect("running").id()
    }

    /// Connects as the superuser. The connection ends with the client.
    pub(crate) async fn connect(&self) -> Client {
        self.connect_to("postgres").await
    }

    /// Connects to a database as the superuser.
    pub(crate) async fn connect_to(&self, database: &str) -> Client {
        let (client, connection) = tokio_postgres::Config::new()
            .host("127.0.0.1")
            .port(self.port)
            .user("postgres")
            .dbname(database)
            .application_name("harness")
            .connect(NoTls)
            .await
            .expect("connect");
        tokio::spawn(connection);
        client
    }

    /// Runs statements as the superuser.
    pub(crate) async fn exec(&self, sql: &str) {
        if let Err(error) = self.connect().await.batch_execute(sql).await {
            panic!("{error:?}\n{sql}");
        }
    }

    /// Sends a signal to the postmaster (`INT`: fast stop, `QUIT`: immediate, `STOP`, `CONT`, `HUP`).
    pub(crate) fn signal(&self, name: &str) {
        signal(name, self.pid());
    }

    /// Stops the server (fast) and waits until it is gone. The data stay.
    pub(crate) fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        signal("CONT", server.id());
        signal("INT", server.id());
        let end = Instant::now() + DEADLINE;
        while server.try_wait().expect("wait").is_none() {
            if Instant::now() > end {
                server.kill().expect("kill");
                server.wait().expect("wait");
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts a stopped server on its old port.
    pub(crate) fn start_again(&mut self) {
        if let Err(log) = self.launch() {
            panic!("PostgreSQL does not start: {log}");
        }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn configure(&self, options: &Options) {
        let data = self.data();
        let mut conf = fs::read_to_string(data.join("postgresql.conf")).expect("postgresql.conf");
        conf.push_str(&format!(
            "\nlisten_addresses='127.0.0.1'\nunix_socket_directories='{}'\nfsync=off\nsynchronous_commit=off\n\
             full_page_writes=off\nshared_buffers='32MB'\nmax_connections=50\n",
            self.directory.path().display()
        ));
        if let Some((certificate, key)) = &options.tls {
            self.write("server.crt", certificate);
            self.write("server.key", key);
            conf.push_str("ssl=on\n");
        }
        for line in &options.conf {
            conf.push_str(line);
            conf.push('\n');
        }
        self.write("postgresql.conf", &conf);
        self.write("pg_hba.conf", &options.hba);
    }

    /// Writes a file of the data directory, owned by whom the server runs as.
    fn write(&self, name: &str, text: &str) {
        let path = self.data().join(name);
        fs::write(&path, text).expect("write");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        if let Some((uid, gid)) = service_user() {
            chown(&path, Some(uid), Some(gid)).expect("chown");
        }
    }

    fn launch(&mut self) -> Result<(), String> {
        let log = self.directory.path().join("log");
        let file = fs::File::create(&log).expect("log");
        let mut server = as_service_user("postgres")
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string()])
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("log"))
            .stderr(file)
            .spawn()
            .expect("postgres runs");
        let end = Instant::now() + DEADLINE;
        loop {
            let ended = server.try_wait().expect("wait").is_some();
            if ended || Instant::now() > end {
                let _ = server.kill();
                let _ = server.wait();
                return Err(fs::read_to_string(&log).unwrap_or_default());
            }
            // The postmaster writes "ready" into its pid file once it takes connections.
            let state = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
            if state.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                self.server = Some(server);
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for TestPostgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Waits until a condition holds, asking again and again; fails the test at the deadline and says how long it took.
pub(crate) async fn eventually(what: &str, deadline: Duration, mut holds: impl AsyncFnMut() -> bool) -> Duration {
    let start = Instant::now();
    loop {
        if holds().await {
            return start.elapsed();
        }
        assert!(start.elapsed() < deadline, "not within {deadline:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A port that nobody listens on: of those that the kernel gives to nobody, so that a server that was stopped finds its own again.
fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(97);
    (0..COUNT)
        .map(|_| FIRST + start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT)
        .map(|port| u16::try_from(port).expect("a port"))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("free port")
}

fn signal(name: &str, pid: u32) {
    let _ = Command::new("kill").args([format!("-{name}"), pid.to_string()]).stderr(Stdio::null()).status();
}

/// A server binary: on the PATH, or where Debian and others put it; the newest version wins.
fn binary(name: &str) -> PathBuf {
    let on_path =
        std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let mut versions: Vec<PathBuf> = ["/usr/lib/postgresql", "/usr/local", "/opt/homebrew/opt"]
        .into_iter()
        .filter_map(|root| fs::read_dir(root).ok())
        .flat_map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path().join("bin")))
        .collect();
    versions.sort();
    on_path
        .chain(versions.into_iter().rev())
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{name} of PostgreSQL is not installed (tests/run.sh installs it)"))
}

/// PostgreSQL refuses to run as root: then it runs as `postgres`.
fn as_service_user(name: &str) -> Command {
    let binary = binary(name);
    let mut command = match service_user() {
        Some((uid, gid)) => {
            let mut command = Command::new("setpriv");
            command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".into()]).arg(binary);
            command
        }
        None => Command::new(binary),
    };
    command.current_dir("/").env("LC_ALL", "C").env_remove("PGDATA");
    command
}

/// User and group of `postgres`, if this process is root.
fn service_user() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").expect("proc").uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("passwd");
    let line = users.lines().find(|line| line.starts_with("postgres:")).expect("a user named postgres");
    let mut fields = line.split(':').skip(2);
    let mut number = || fields.next().and_then(|field| field.parse().ok()).expect("passwd");
    Some((number(), number()))
}
