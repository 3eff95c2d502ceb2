//! One connection to a source: host after host, name, socket, TLS, login, session settings; all within one time.
//! Must not know: pools, statements.

use std::io;
use std::path::Path;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::config::{ChannelBinding, SslMode as WireSslMode};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{CancelToken, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::task::AbortOnDropHandle;

use super::errors::{Failure, Reason};
use super::frames::{Frames, Seen};
use super::line::{LibraryEnd, Line};
use super::relay::Names;
use super::socket::{Address, Socket};
use super::tls::{self, Watched};
use crate::config::{PostgresSettings, SslMode};
use crate::error::Result;
use crate::source::SESSION_SETTINGS;

/// How long a request to cancel may take.
const CANCEL_TIME: Duration = Duration::from_secs(2);
type Tls = Watched<<MakeRustlsConnect as MakeTlsConnect<LibraryEnd>>::TlsConnect>;

/// Knows how to reach one source.
pub(super) struct Dialer {
    config: Config,
    hosts: Vec<(String, u16)>,
    tls: MakeRustlsConnect,
    sslmode: SslMode,
    timeout: Duration,
    setup: String,
    /// Watches the sockets, whichever statement opens them: that of clients' sockets, so that what is relayed from one to the other wakes one
    /// thread and not two.
    sockets: Handle,
}

/// Where a connection leads: a request to cancel must go to the same server.
#[derive(Clone)]
struct Endpoint {
    host: String,
    address: Address,
}

/// A connection that is logged in and set up. Dropping it says goodbye once nothing runs on it; [`Connection::kill`] cuts it.
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) born: Instant,
    /// When it last came to rest.
    pub(super) used: Instant,
    /// Its prepared statements.
    pub(super) named: Names,
    /// Its socket.
    pub(super) line: Line,
    /// What the server calls what runs on it.
    pub(super) name: String,
    /// The session settings that it has; `None`: nobody knows.
    pub(super) session: Option<Arc<str>>,
    endpoint: Endpoint,
    driver: AbortHandle,
    end: Arc<OnceLock<tokio_postgres::Error>>,
}

/// Cancels what runs on a connection, from outside it.
pub(super) struct Canceler {
    token: CancelToken,
    endpoint: Endpoint,
}

impl Dialer {
    /// Reads the CA file if there is one; connects to nothing. Its sockets will be watched by the runtime that this runs in.
    ///
    /// # Errors
    /// `F0000` where the CA file cannot be read.
    pub(super) fn new(source: &str, settings: &PostgresSettings) -> Result<Self> {
        let mut config = Config::new();
        config.user(&settings.user).dbname(&settings.database).channel_binding(ChannelBinding::Prefer);
        if let Some(password) = &settings.password {
            config.password(password.expose());
        }
        Ok(Dialer {
            config,
            hosts: settings.hosts.clone(),
            tls: tls::connector(source, settings)?,
            sslmode: settings.sslmode,
            timeout: settings.connect_timeout,
            setup: session_setup(settings),
            sockets: Handle::current(),
        })
    }

    /// Time for a connection, from the first look-up to the last session setting.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Connects to the first host that takes us, under this application name. Each host gets its share of the time that is left.
    pub(super) async fn connect(&self, name: &str, deadline: Instant) -> std::result::Result<Connection, Failure> {
        let mut config = self.config.clone();
        config.application_name(name);
        let mut failure = Failure::from(Reason::UnknownHost);
        for (tried, (host, port)) in self.hosts.iter().enumerate() {
            let share = share(deadline, self.hosts.len() - tried);
            match timeout_at(share, self.connect_host(&config, (host, *port), share)).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => failure = error,
                Err(_) => failure = Reason::TimedOut.into(),
            }
            if failure.reason.is_final() {
                break;
            }
        }
        Err(failure)
    }

    async fn connect_host(
        &self,
        config: &Config,
        (host, port): (&str, u16),
        deadline: Instant,
    ) -> std::result::Result<Connection, Failure> {
        let addresses = addresses(host, port).await?;
        let mut failure = Failure::from(Reason::UnknownHost);
        for (tried, address) in addresses.iter().enumerate() {
            match timeout_at(share(deadline, addresses.len() - tried), self.open(address)).await {
                Ok(Ok(wire)) => {
                    let endpoint = Endpoint { host: host.to_owned(), address: address.clone() };
                    return self.login(config, wire, endpoint).await;
                }
                Ok(Err(error)) => failure = Failure::socket(error),
                Err(_) => failure = Reason::TimedOut.into(),
            }
        }
        Err(failure)
    }

    async fn open(&self, address: &Address) -> io::Result<Socket> {
        let address = address.clone();
        let opening = self.sockets.spawn(async move { address.open().await });
        AbortOnDropHandle::new(opening).await.map_err(io::Error::other)?
    }

    async fn login(
        &self,
        config: &Config,
        wire: Socket,
        endpoint: Endpoint,
    ) -> std::result::Result<Connection, Failure> {
        let mut config = config.clone();
        let mode = self.mode(&endpoint.address);
        config.ssl_mode(mode);
        let name = config.get_application_name().unwrap_or_default().to_owned();
        let (plain, socket) = watched(wire, mode);
        let encrypted = Arc::default();
        let connected = config.connect_raw(socket, self.tls_to(&endpoint.host, &encrypted)).await;
        let (client, connection) = connected.map_err(|error| Failure::login(error, None))?;
        let line = encrypted.get().cloned().unwrap_or(plain);
        let end = Arc::new(OnceLock::new());
        let driver = self
            .sockets
            .spawn({
                let end = Arc::clone(&end);
                async move {
                    let mut connection = connection;
                    // Set while the connection still stands: whoever sees its channels close can read why.
                    if let Err(error) = (&mut connection).await {
                        let _ = end.set(error);
                    }
                }
            })
            .abort_handle();
        let mut cut = Cut { driver: driver.clone(), armed: true };
        client.batch_execute(&self.setup).await.map_err(|error| Failure::login(error, end.get()))?;
        // Since PostgreSQL 14, and not on every system: the server notices within two seconds that we are gone.
        let _ = client.batch_execute("SET client_connection_check_interval = '2s'").await;
        cut.armed = false;
        let session = Some(Arc::clone(&DEFAULT_SESSION));
        let named = Names::default();
        let born = Instant::now();
        Ok(Connection { client, born, used: born, named, line, name, session, endpoint, driver, end })
    }

    /// TLS to a host. A name that cannot be one is found out in the handshake.
    fn tls_to(&self, host: &str, encrypted: &Arc<OnceLock<Line>>) -> Tls {
        match MakeTlsConnect::<LibraryEnd>::make_tls_connect(&mut self.tls.clone(), host) {
            Ok(connect) => Watched(connect, Arc::clone(encrypted)),
            Err(never) => match never {},
        }
    }

    /// Over a Unix socket there is no TLS, whatever the mode says: as in libpq.
    fn mode(&self, address: &Address) -> WireSslMode {
        match (address, self.sslmode) {
            (Address::Unix(_), _) | (_, SslMode::Disable) => WireSslMode::Disable,
            (_, SslMode::Prefer) => WireSslMode::Prefer,
            (_, SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull) => WireSslMode::Require,
        }
    }

    /// Sends a request to cancel, over TLS where the connection has it; within two seconds or not at all.
    pub(super) async fn cancel(&self, canceler: Canceler) {
        let Canceler { token, endpoint } = canceler;
        let request = async {
            let wire = endpoint.address.open().await.map_err(|error| error.to_string())?;
            let (_, socket) = watched(wire, self.mode(&endpoint.address));
            let sent = token.cancel_query_raw(socket, self.tls_to(&endpoint.host, &Arc::default())).await;
            sent.map_err(|error| error.to_string())
        };
        match timeout(CANCEL_TIME, request).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(error, "a request to cancel failed"),
            Err(_) => tracing::debug!("a request to cancel took too long"),
        }
    }
}

impl Connection {
    /// What cancels its statement.
    pub(super) fn canceler(&self) -> Canceler {
        Canceler { token: self.client.cancel_token(), endpoint: self.endpoint.clone() }
    }

    /// Errors that the server has sent since the login.
    pub(super) fn errors(&self) -> u64 {
        self.line.seen().errors()
    }

    /// Why it ended, if it ended with an error.
    pub(super) fn end(&self) -> Option<&tokio_postgres::Error> {
        self.end.get()
    }

    /// Cuts it, whatever runs on it.
    pub(super) fn kill(self) {
        self.driver.abort();
    }
}

/// A socket that is watched, and the library's hand on it.
fn watched(wire: Socket, mode: WireSslMode) -> (Line, LibraryEnd) {
    let seen = Arc::<Seen>::default();
    Line::over(Box::new(Frames::plain(wire, mode != WireSslMode::Disable, Arc::clone(&seen))), seen)
}

/// Cuts a connection whose set-up is given up.
struct Cut {
    driver: AbortHandle,
    armed: bool,
}

impl Drop for Cut {
    fn drop(&mut self) {
        if self.armed {
            self.driver.abort();
        }
    }
}

/// Looked up anew for every connection: names move.
async fn addresses(host: &str, port: u16) -> std::result::Result<Vec<Address>, Failure> {
    if host.starts_with('/') {
        return Ok(vec![Address::Unix(Path::new(host).join(format!(".s.PGSQL.{port}")))]);
    }
    let found = lookup_host((host, port)).await.map_err(Failure::name)?;
    Ok(found.map(Address::Tcp).collect())
}

/// The end of the first of `parts` equal shares of the time that is left.
fn share(deadline: Instant, parts: usize) -> Instant {
    let now = Instant::now();
    let parts = u32::try_from(parts.max(1)).unwrap_or(u32::MAX);
    now + deadline.saturating_duration_since(now) / parts
}

/// `tusk:<user>:<id of the statement>`. Only plain characters: it goes into SQL.
pub(super) fn application_name(query_id: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_-.: ".contains(c) { c } else { '_' };
    let text = format!("tusk:{query_id}");
    text.chars().map(plain).take(crate::names::MAX_IDENTIFIER_BYTES).collect()
}

/// What sets the session settings of scans.
pub(super) static DEFAULT_SESSION: LazyLock<Arc<str>> = LazyLock::new(|| {
    let each = SESSION_SETTINGS.iter().map(|(name, value)| format!("SET {name} = E'{value}'"));
    Arc::from(each.collect::<Vec<_>>().join("; "))
});

fn session_setup(settings: &PostgresSettings) -> String {
    // Of a writable source too: what writes opens its transaction READ WRITE by name. Portals that are taken in parts are cursors there,
    // and are to be planned as what they are.
    let mut setup = format!(
        "SET standard_conforming_strings = on; SET search_path = ''; {}; \
         SET client_min_messages = notice; SET default_transaction_read_only = on; SET cursor_tuple_fraction = 1",
        *DEFAULT_SESSION
    );
    if !settings.statement_timeout.is_zero() {
        // PostgreSQL takes up to i32::MAX milliseconds; less than one would mean none.
        let milliseconds = settings.statement_timeout.as_millis().clamp(1, 2_147_483_647);
        setup.push_str(&format!("; SET statement_timeout = {milliseconds}"));
    }
    setup
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn application_names_are_plain_and_short() {
        assert_eq!(application_name("ana:01-ab"), "tusk:ana:01-ab");
        assert_eq!(application_name("a'; drop:é\\"), "tusk:a__ drop:__");
        assert!(application_name(&"x".repeat(100)).len() <= 63);
    }
}
