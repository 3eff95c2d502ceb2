//! The server: binds the addresses, and turns logins into sessions.
//! Must not know: messages after the login.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::RwLock;

use super::auth::Accounts;
use super::connection::Connection;
use super::io::Io;
use super::listener::{Listener, Login, Serve, Terms, Wire};
use super::stream::Liveness;
use crate::config::{Secret, ServerSettings, Settings, SourceSettings, SourceSpec};
use crate::error::{Error, Notices, Result, SqlState};
use crate::metrics::Metrics;
use crate::names::cut;
use crate::policy::{Identity, Policy};
use crate::query::Service;
use crate::session::{NewSession, Session, SessionRegistry, SessionVars, Source, is_cut, join_identifiers};
use crate::shutdown::Shutdown;

/// Bytes of a cancel key before protocol 3.2, and from then on.
const SHORT_KEY: usize = 4;
const LONG_KEY: usize = 32;

/// What all sessions share.
pub(super) struct Shared {
    pub(super) service: Arc<dyn Service>,
    pub(super) settings: ServerSettings,
    registry: Arc<SessionRegistry>,
    metrics: Metrics,
    shutdown: Shutdown,
    users: RwLock<Users>,
    /// Session variables before users and clients had their say.
    vars: SessionVars,
    /// The schemas that are searched at first, before those are taken out of which a user may name nothing.
    path: Vec<String>,
}

/// Who may come in; replaced as a whole.
struct Users {
    policy: Arc<Policy>,
    verifiers: HashMap<String, Option<Secret>>,
    /// Identities handed out: one for all sessions of a user.
    known: HashMap<String, Arc<Identity>>,
}

impl Users {
    fn new(settings: &Settings, policy: Arc<Policy>) -> Self {
        let verifiers = settings.users.iter().map(|user| (user.name.clone(), user.password.clone())).collect();
        let known = settings
            .users
            .iter()
            .filter_map(|user| Some((user.name.clone(), Arc::new(policy.identity(&user.name)?))))
            .collect();
        Users { policy, verifiers, known }
    }
}

impl Accounts for Shared {
    fn verifier(&self, user: &str) -> Option<String> {
        self.users.read().verifiers.get(user)?.as_ref().map(|secret| secret.expose().to_owned())
    }

    fn has_roles(&self, user: &str) -> bool {
        self.identity(user).is_some_and(|identity| !identity.roles().is_empty())
    }

    fn is_admin(&self, user: &str) -> bool {
        self.identity(user).is_some_and(|identity| identity.admin())
    }
}

impl Shared {
    pub(super) fn new(
        settings: &Settings,
        service: Arc<dyn Service>,
        policy: Arc<Policy>,
        registry: Arc<SessionRegistry>,
        metrics: Metrics,
        shutdown: Shutdown,
    ) -> Result<Shared> {
        Ok(Shared {
            service,
            settings: settings.server.clone(),
            registry,
            metrics,
            shutdown,
            users: RwLock::new(Users::new(settings, policy)),
            vars: initial_vars(settings)?,
            path: initial_path(settings),
        })
    }

    /// Who a user is at this moment; `None`: nobody any more.
    pub(super) fn identity(&self, user: &str) -> Option<Arc<Identity>> {
        self.users.read().known.get(user).cloned()
    }

    /// The variables that a session begins with.
    fn vars(&self, identity: &Identity, login: &Login) -> Result<SessionVars> {
        let mut vars = self.vars.clone();
        // A schema of which nothing may be named must not be told of.
        let told =
            |schema: &&String| *schema == OWN_SCHEMA || identity.may_name_source(schema, |named| named == *schema);
        let path = self.path.iter().filter(told);
        vars.set_default("search_path", &join_identifiers(path.map(String::as_str)), Source::ConfigurationFile)?;
        vars.set_default("session_authorization", identity.user(), Source::ConfigurationFile)?;
        if login.peer.is_some() {
            let Liveness { idle, interval, retries, unacknowledged } = Liveness::DEFAULT;
            for (name, value) in [
                ("tcp_keepalives_idle", idle.as_secs().to_string()),
                ("tcp_keepalives_interval", interval.as_secs().to_string()),
                ("tcp_keepalives_count", retries.to_string()),
                ("tcp_user_timeout", unacknowledged.as_millis().to_string()),
            ] {
                vars.set_default(name, &value, Source::ConfigurationFile)?;
            }
        }
        for (name, value) in identity.set() {
            // As PostgreSQL does with ALTER ROLE SET: a bad one is told and left out.
            if let Err(error) = vars.set_default(name, value, Source::User) {
                tracing::warn!(user = identity.user(), "session default ignored: {}", error.message());
            }
        }
        for (name, value) in &login.startup.params {
            vars.set_default(name, value, Source::Client)?;
        }
        Ok(vars)
    }

    /// Makes a session of a login.
    fn session(&self, login: &Login) -> Result<(Session, Arc<Identity>)> {
        let identity = self.identity(&login.user).ok_or_else(|| {
            let message = format!("role \"{}\" does not exist", login.user);
            Error::client(SqlState::INVALID_AUTHORIZATION, message)
        })?;
        let vars = self.vars(&identity, login)?;
        let entry = self.registry.register(NewSession {
            user: login.user.clone(),
            database: self.settings.database.clone(),
            client: login.peer.map(|peer| (peer.ip().to_canonical(), peer.port())),
            server: login.stream.local_addr().map(|own| (own.ip().to_canonical(), own.port())),
            key_bytes: if login.startup.minor >= 2 { LONG_KEY } else { SHORT_KEY },
        })?;
        // Counted with itself in place, so that two at once cannot both be the last.
        if identity.limits().max_connections.is_some_and(|most| self.registry.count_of(&login.user) > most) {
            self.metrics.limit_hits("max_connections").inc();
            return Err(Error::resource(
                SqlState::TOO_MANY_CONNECTIONS,
                format!("too many connections for role \"{}\"", login.user),
            ));
        }
        Ok((Session::new(entry, vars), identity))
    }
}

#[async_trait]
impl Serve for Served {
    async fn serve(&self, login: Login) {
        let shared = Arc::clone(&self.0);
        let made = shared.session(&login);
        let Login { reader, mut writer, mut stream, startup, .. } = login;
        match made {
            Ok((session, identity)) => {
                let _counted = Counted::new(&shared.metrics);
                let told = Notices::default();
                let cuts = startup.params.iter().filter(|(name, text)| is_cut(name, text));
                cuts.for_each(|(_, text)| told.cut(text, cut(text)));
                super::respond::notices(&mut writer, &told, &session.vars);
                let entry = session.entry.shared();
                let io = Io { reader, out: writer, stream, entry, shutdown: shared.shutdown.clone() };
                Connection::new(io, session, Arc::clone(&shared), identity).run().await;
            }
            Err(error) => {
                let (mut reader, mut out) = (reader, writer);
                super::io::refuse(&mut reader, &mut out, &mut stream, &error).await;
            }
        }
    }

    fn cancel(&self, pid: i32, key: &[u8]) -> bool {
        self.0.registry.cancel(pid, key)
    }

    fn refused(&self, _user: Option<&str>, _peer: Option<std::net::SocketAddr>, error: &Error) {
        let reason = match error.state() {
            SqlState::INVALID_PASSWORD => "password",
            SqlState::INVALID_AUTHORIZATION => "role",
            SqlState::TOO_MANY_CONNECTIONS => "connections",
            SqlState::PROTOCOL_VIOLATION => "protocol",
            SqlState::INVALID_CATALOG_NAME => "database",
            _ => "other",
        };
        self.0.metrics.auth_failures(reason).inc();
    }
}

/// The implementation of the listener's trait.
pub(super) struct Served(pub(super) Arc<Shared>);

/// Counts a session as long as it lives.
struct Counted<'a>(&'a Metrics);

impl<'a> Counted<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.connections().inc();
        Counted(metrics)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.connections().dec();
    }
}

/// The listening server. Sessions and listeners are tasks of the shutdown signal.
pub struct Server {
    addresses: Vec<String>,
    shared: Arc<Shared>,
    wire: Arc<Wire>,
}

impl Server {
    /// Binds the addresses and begins to accept.
    ///
    /// # Errors
    /// `58000` for an address that cannot be had, `F0000` for TLS that cannot be set up or a setting that a session cannot have.
    pub fn start(
        settings: &Settings,
        service: Arc<dyn Service>,
        policy: Arc<Policy>,
        registry: Arc<SessionRegistry>,
        metrics: Metrics,
        shutdown: Shutdown,
    ) -> Result<Server> {
        let terms = Terms::load(&settings.server)?;
        let shared = Arc::new(Shared::new(settings, service, policy, registry, metrics, shutdown.clone())?);
        let accounts: Arc<dyn Accounts> = Arc::clone(&shared) as Arc<dyn Accounts>;
        let serve = Arc::new(Served(Arc::clone(&shared)));
        let wire = Wire::new(terms, accounts, serve, shutdown.clone());
        let listeners = Listener::bind(&settings.server)?;
        let addresses = listeners.iter().map(ToString::to_string).collect();
        for listener in listeners {
            shutdown.tasks().spawn(listener.run(Arc::clone(&wire)));
        }
        Ok(Server { addresses, shared, wire })
    }

    /// Where it listens, with real ports; Unix sockets as `unix:` and their path.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.addresses.clone()
    }

    /// From now on these users and roles hold; statements that run go on, the next one of a session is judged anew.
    ///
    /// # Errors
    /// `F0000`: TLS cannot be set up. Nothing has changed then.
    pub fn adopt(&self, settings: &Settings, policy: Arc<Policy>) -> Result<()> {
        let terms = Terms::load(&settings.server)?;
        *self.shared.users.write() = Users::new(settings, policy);
        self.wire.adopt(terms);
        Ok(())
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.shared.users.read().policy)
    }
}

/// Stands in a search path for the schema of the user's own name.
const OWN_SCHEMA: &str = "$user";

/// What every session begins with: the configuration's search path and time zone.
fn initial_vars(settings: &Settings) -> Result<SessionVars> {
    let server = &settings.server;
    let mut vars = SessionVars::new();
    let mut set = |name: &str, value: &str| vars.set_default(name, value, Source::ConfigurationFile);
    set("TimeZone", &server.timezone)?;
    set("max_connections", &server.max_connections.min(262_143).to_string())?;
    Ok(vars)
}

/// The schemas that are searched at first: those configured, or all that are mounted in config order.
fn initial_path(settings: &Settings) -> Vec<String> {
    if settings.server.search_path.is_empty() {
        // As in PostgreSQL, the schema of the user's own name comes first, where there is one.
        std::iter::once(OWN_SCHEMA.to_owned()).chain(settings.sources.iter().flat_map(mounted)).collect()
    } else {
        settings.server.search_path.clone()
    }
}

/// The schemas that a source is known to mount before it was asked.
fn mounted(source: &SourceSettings) -> Vec<String> {
    match &source.spec {
        SourceSpec::Postgres(postgres) => match &postgres.schemas {
            Some(schemas) => schemas.values().cloned().collect(),
            None => vec![source.name.clone()],
        },
        SourceSpec::Files(_) | SourceSpec::Sqlite(_) => vec![source.name.clone()],
    }
}
