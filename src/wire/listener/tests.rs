//! Whole connections over loopback: refusals, limits, TLS, drain.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{CertificateParams, DistinguishedName, DnType, Issuer, KeyPair};
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::*;
use crate::config::{AuthMethod, Listen, TlsSettings};
use crate::wire::framing::Allowed;

struct Fake {
    cancels: AtomicUsize,
}

#[async_trait]
impl Serve for Fake {
    async fn serve(&self, mut login: Login) {
        if login.user == "panic" {
            panic!("as asked");
        }
        login.writer.parameter_status("server_version", "15.8");
        login.writer.ready_for_query(b'I');
        while login.writer.flush(&mut login.stream).await.is_ok() {
            match login.reader.next(Allowed::Session, 1 << 20).await {
                Ok(Some(frame)) if frame.kind == b'Q' => {
                    login.writer.command_complete(&format!("TLS {} CN {:?}", login.tls, login.client_cn));
                    login.writer.ready_for_query(b'I');
                }
                _ => return,
            }
        }
    }

    fn cancel(&self, pid: i32, key: &[u8]) -> bool {
        self.cancels.fetch_add(1, Ordering::SeqCst);
        pid == 7 && key == [1, 2, 3, 4]
    }
}

struct Everybody;

impl Accounts for Everybody {
    fn verifier(&self, user: &str) -> Option<String> {
        // Of the password "pencil".
        (user == "ana").then(crate::wire::auth::tests::pencil)
    }

    fn has_roles(&self, _: &str) -> bool {
        true
    }

    fn is_admin(&self, user: &str) -> bool {
        user == "root"
    }
}

fn settings() -> ServerSettings {
    ServerSettings {
        listen: vec![Listen::Tcp("127.0.0.1:0".into())],
        database: "tusk".into(),
        auth: AuthMethod::Trust,
        max_connections: 100,
        startup_timeout: Duration::from_secs(2),
        idle_timeout: Duration::ZERO,
        idle_in_transaction_timeout: Duration::ZERO,
        drain_timeout: Duration::from_secs(1),
        max_message_size: 1 << 20,
        search_path: Vec::new(),
        timezone: "UTC".into(),
        reuse_port: false,
        tls: None,
    }
}

struct Running {
    address: SocketAddr,
    wire: Arc<Wire>,
    serve: Arc<Fake>,
    shutdown: Shutdown,
}

fn run(settings: &ServerSettings) -> Running {
    let shutdown = Shutdown::new();
    let serve = Arc::new(Fake { cancels: AtomicUsize::new(0) });
    let terms = Terms::load(settings).unwrap();
    let wire = Wire::new(terms, Arc::new(Everybody), Arc::clone(&serve) as Arc<dyn Serve>, shutdown.clone());
    let mut address = None;
    for listener in Listener::bind(settings).unwrap() {
        address = address.or(listener.local_addr());
        shutdown.tasks().spawn(listener.run(Arc::clone(&wire)));
    }
    Running { address: address.unwrap(), wire, serve, shutdown }
}

fn startup(user: &str) -> Vec<u8> {
    let body = format!("user\0{user}\0database\0tusk\0\0");
    let mut packet = (body.len() as u32 + 8).to_be_bytes().to_vec();
    packet.extend_from_slice(&[0, 3, 0, 0]);
    packet.extend_from_slice(body.as_bytes());
    packet
}

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Messages up to ReadyForQuery, an ErrorResponse or the end: their types, and the fields of the error.
async fn answers(stream: &mut (impl AsyncRead + Unpin)) -> (String, String) {
    let (mut kinds, mut text) = (String::new(), String::new());
    while let Ok(kind) = stream.read_u8().await {
        kinds.push(char::from(kind));
        let length = stream.read_u32().await.unwrap() as usize;
        let mut body = vec![0; length - 4];
        stream.read_exact(&mut body).await.unwrap();
        text = String::from_utf8_lossy(&body).replace('\0', "|");
        if matches!(kind, b'Z' | b'E') {
            break;
        }
    }
    (kinds, text)
}

async fn connect(running: &Running, bytes: &[u8]) -> (TcpStream, String, String) {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let (kinds, text) = answers(&mut stream).await;
    (stream, kinds, text)
}

async fn closed(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await.is_ok()
}

async fn until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !condition() {
        assert!(Instant::now() < deadline, "in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn opens_sessions_and_counts_them() {
    let running = run(&settings());
    let (stream, kinds, _) = connect(&running, &startup("ana")).await;
    assert_eq!(kinds, "RSZ");
    assert_eq!((running.wire.sessions(), running.wire.waiting()), (1, 0));
    drop(stream);
    until(|| running.wire.sessions() == 0).await;
    let mut other = startup("ana");
    let at = other.windows(4).position(|bytes| bytes == b"tusk").unwrap();
    other[at] = b'x';
    let (mut stream, _, text) = connect(&running, &other).await;
    assert!(text.starts_with("SFATAL|VFATAL|C3D000|Mdatabase \"xusk\" does not exist|"), "{text}");
    assert!(closed(&mut stream).await);
}

#[tokio::test]
async fn refuses_in_words_and_closes() {
    let running = run(&settings());
    for (bytes, said) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "C08P01|Minvalid length of startup packet|"),
        (&[0, 0, 0, 8, 0, 4, 0, 0], "C0A000|Munsupported frontend protocol 4.0: server supports 3.0 to 3.2|"),
        (&[0, 0, 0, 9, 0, 3, 0, 0, 0], "C28000|Mno PostgreSQL user name specified in startup packet|"),
    ] {
        let (mut stream, kinds, text) = connect(&running, bytes).await;
        assert_eq!(kinds, "E");
        assert!(text.contains(said), "{text}");
        assert!(closed(&mut stream).await);
    }
    until(|| running.wire.waiting() == 0).await;
}

#[tokio::test]
async fn a_panic_ends_one_connection() {
    let running = run(&settings());
    let (_, kinds, _) = connect(&running, &startup("panic")).await;
    assert_eq!(kinds, "");
    until(|| running.wire.sessions() == 0).await;
    assert_eq!(connect(&running, &startup("ana")).await.1, "RSZ");
}

#[tokio::test]
async fn limits_connections_and_keeps_some_for_administrators() {
    let running = run(&ServerSettings { max_connections: 5, ..settings() });
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(connect(&running, &startup("ana")).await);
    }
    let (.., text) = connect(&running, &startup("ana")).await;
    assert!(text.contains("C53300|Mremaining connection slots are reserved for administrators|"), "{text}");
    for _ in 0..3 {
        held.push(connect(&running, &startup("root")).await);
    }
    assert!(held.iter().all(|(_, kinds, _)| kinds == "RSZ"));
    let (.., text) = connect(&running, &startup("root")).await;
    assert!(text.contains("C53300|Msorry, too many clients already|"), "{text}");
    // A cancel request comes through all the same.
    let cancel = [0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e, 0, 0, 0, 7, 1, 2, 3, 4];
    assert_eq!(connect(&running, &cancel).await.1, "");
    assert_eq!(running.serve.cancels.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn wrong_cancel_keys_are_not_tried_for_ever() {
    let running = run(&settings());
    let cancel = [0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e, 0, 0, 0, 7, 9, 9, 9, 9];
    for _ in 0..50 {
        assert_eq!(connect(&running, &cancel).await.1, "");
    }
    // Two windows at most.
    assert!(running.serve.cancels.load(Ordering::SeqCst) <= 20);
}

#[tokio::test]
async fn a_login_has_an_end() {
    let quick = ServerSettings { startup_timeout: Duration::from_millis(200), ..settings() };
    let running = run(&ServerSettings { auth: AuthMethod::ScramSha256, ..quick });
    let (_, kinds, _) = connect(&running, &startup("ana")[..10]).await;
    assert_eq!(kinds, "");
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(&startup("ana")).await.unwrap();
    let (kinds, text) = answers(&mut stream).await;
    assert_eq!(kinds, "RE");
    assert!(text.contains("C57014|Mcanceling authentication due to timeout|"), "{text}");
    until(|| running.wire.waiting() == 0).await;
}

#[tokio::test]
async fn only_password_messages_before_the_login() {
    let running = run(&ServerSettings { auth: AuthMethod::ScramSha256, ..settings() });
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(&startup("ana")).await.unwrap();
    stream.write_all(b"Q\0\0\0\x0dselect 1\0").await.unwrap();
    let (kinds, text) = answers(&mut stream).await;
    assert_eq!(kinds, "RE");
    assert!(text.contains("C08P01|Mexpected SASL response, got message type 81|"), "{text}");
    assert!(closed(&mut stream).await);
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(&startup("ana")).await.unwrap();
    stream.write_all(&[b'p', 0x04, 0, 0, 0]).await.unwrap();
    assert!(answers(&mut stream).await.1.contains("Minvalid message length|"));
}

#[tokio::test]
async fn the_drain_frees_the_address_and_refuses_logins() {
    let running = run(&ServerSettings { auth: AuthMethod::ScramSha256, ..settings() });
    let mut waiting = TcpStream::connect(running.address).await.unwrap();
    waiting.write_all(&startup("ana")).await.unwrap();
    let mut kind = [0];
    waiting.peek(&mut kind).await.unwrap();
    running.shutdown.begin_drain();
    let (kinds, text) = answers(&mut waiting).await;
    assert_eq!(kinds, "RE");
    assert!(text.contains("C57P03|Mthe database system is shutting down|"), "{text}");
    drop(waiting);
    tokio::time::timeout(Duration::from_secs(5), running.shutdown.tasks().wait()).await.unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}

struct Certificates {
    directory: TempDir,
    settings: TlsSettings,
    roots: rustls::RootCertStore,
    client: (rustls::pki_types::CertificateDer<'static>, rustls::pki_types::PrivateKeyDer<'static>),
}

fn certificates() -> Certificates {
    let directory = tempfile::tempdir().unwrap();
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::<String>::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let signed = |name: &str, hosts: Vec<String>| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.signed_by(&key, &issuer).unwrap(), key)
    };
    let (server, server_key) = signed("localhost", vec!["localhost".into()]);
    let (client, client_key) = signed("ana", Vec::new());
    let file = |name: &str, text: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let settings = TlsSettings {
        certificate: file("server.crt", server.pem()),
        private_key: file("server.key", server_key.serialize_pem()),
        client_ca: Some(file("ca.crt", ca_certificate.pem())),
        required: true,
    };
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca_certificate.der().clone()).unwrap();
    file("client.crt", client.pem());
    let key = file("client.key", client_key.serialize_pem());
    std::fs::set_permissions(key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let client = (client.der().clone(), rustls::pki_types::PrivatePkcs8KeyDer::from(client_key.serialize_der()).into());
    Certificates { directory, settings, roots, client }
}

fn connector(certificates: &Certificates, with_client: bool, alpn: &[&[u8]]) -> TlsConnector {
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(certificates.roots.clone());
    let mut config = if with_client {
        builder.with_client_auth_cert(vec![certificates.client.0.clone()], certificates.client.1.clone_key()).unwrap()
    } else {
        builder.with_no_client_auth()
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

async fn encrypted(
    running: &Running,
    connector: &TlsConnector,
    before: &[u8],
) -> std::io::Result<impl AsyncRead + AsyncWrite + Unpin + use<>> {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    if !before.is_empty() {
        stream.write_all(before).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'S');
    }
    connector.connect(ServerName::try_from("localhost").unwrap(), stream).await
}

#[tokio::test]
async fn tls_carries_certificates_and_refuses_what_came_before_it() {
    let certificates = certificates();
    let tls = Some(certificates.settings.clone());
    let running = run(&ServerSettings { auth: AuthMethod::Cert, tls, ..settings() });
    let with_client = connector(&certificates, true, &[]);
    let mut stream = encrypted(&running, &with_client, &SSL_REQUEST).await.unwrap();
    stream.write_all(&startup("ana")).await.unwrap();
    assert_eq!(answers(&mut stream).await.0, "RSZ");
    stream.write_all(b"Q\0\0\0\x05\0").await.unwrap();
    let mut answer = [0; 40];
    let count = stream.read(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer[..count]).contains("TLS true CN Some(\"ana\")"));
    let mut stream = encrypted(&running, &with_client, &SSL_REQUEST).await.unwrap();
    stream.write_all(&startup("bob")).await.unwrap();
    let text = answers(&mut stream).await.1;
    assert!(text.contains("C28000|Mcertificate authentication failed for user \"bob\"|"), "{text}");
    let without = connector(&certificates, false, &[]);
    let mut stream = encrypted(&running, &without, &SSL_REQUEST).await.unwrap();
    stream.write_all(&startup("ana")).await.unwrap();
    let text = answers(&mut stream).await.1;
    assert!(text.contains("C28000|Mconnection requires a valid client certificate|"), "{text}");
    // Bytes sent in the clear behind the request are never served.
    let injected = [&SSL_REQUEST[..], &startup("mallory")].concat();
    let mut stream = encrypted(&running, &with_client, &injected).await.unwrap();
    let text = answers(&mut stream).await.1;
    assert!(text.contains("C08P01|Mreceived unencrypted data after SSL request|"), "{text}");
    assert!(closed(&mut stream).await);
    let (.., text) = connect(&running, &startup("ana")).await;
    assert!(text.contains("C28000|Mconnections without TLS are not accepted|"), "{text}");
}

#[tokio::test]
async fn new_terms_hold_for_new_handshakes() {
    let (old, new) = (certificates(), certificates());
    let terms = |certificates: &Certificates| ServerSettings {
        tls: Some(TlsSettings { client_ca: None, ..certificates.settings.clone() }),
        ..settings()
    };
    let running = run(&terms(&old));
    let (trusts_old, trusts_new) = (connector(&old, false, &[]), connector(&new, false, &[]));
    let mut held = encrypted(&running, &trusts_old, &SSL_REQUEST).await.unwrap();
    assert!(encrypted(&running, &trusts_new, &SSL_REQUEST).await.is_err());
    running.wire.adopt(Terms::load(&terms(&new)).unwrap());
    assert!(encrypted(&running, &trusts_old, &SSL_REQUEST).await.is_err());
    assert!(encrypted(&running, &trusts_new, &SSL_REQUEST).await.is_ok());
    held.write_all(&startup("ana")).await.unwrap();
    assert_eq!(answers(&mut held).await.0, "RSZ");
}

#[tokio::test]
async fn idle_sockets_keep_nobody_out() {
    let running = run(&ServerSettings { max_connections: 4, startup_timeout: Duration::from_secs(30), ..settings() });
    let mut idle = Vec::new();
    for _ in 0..400 {
        idle.push(TcpStream::connect(running.address).await.unwrap());
        assert!(running.wire.waiting() <= 260);
    }
    let (_held, kinds, _) = connect(&running, &startup("root")).await;
    assert_eq!(kinds, "RSZ");
    // The first have been sent away to make room.
    assert!(closed(&mut idle[0]).await);
}

#[tokio::test]
async fn direct_tls_wants_alpn() {
    let certificates = certificates();
    let tls = Some(TlsSettings { client_ca: None, ..certificates.settings.clone() });
    let running = run(&ServerSettings { tls, ..settings() });
    let mut stream = encrypted(&running, &connector(&certificates, false, &[b"postgresql"]), b"").await.unwrap();
    stream.write_all(&startup("ana")).await.unwrap();
    assert_eq!(answers(&mut stream).await.0, "RSZ");
    let mut stream = encrypted(&running, &connector(&certificates, false, &[]), b"").await.unwrap();
    let text = answers(&mut stream).await.1;
    assert!(text.contains("C08P01|Mreceived direct SSL connection request without ALPN"), "{text}");
    assert!(encrypted(&running, &connector(&certificates, false, &[b"h2"]), b"").await.is_err());
}

#[tokio::test]
async fn tls_that_cannot_be_loaded_is_an_error() {
    let (ours, others) = (certificates(), certificates());
    let load =
        |tls: TlsSettings| Terms::load(&ServerSettings { tls: Some(tls), ..settings() }).map(|_| ()).unwrap_err();
    let mismatch = TlsSettings { private_key: others.settings.private_key.clone(), ..ours.settings.clone() };
    let missing = TlsSettings { certificate: "/nonexistent".into(), ..ours.settings.clone() };
    let empty = ours.directory.path().join("empty");
    std::fs::write(&empty, "no certificate here").unwrap();
    let no_ca = TlsSettings { client_ca: Some(empty.clone()), ..ours.settings.clone() };
    let no_key = TlsSettings { private_key: empty, ..ours.settings.clone() };
    for tls in [mismatch, missing, no_ca, no_key] {
        assert_eq!(load(tls).state(), crate::error::SqlState::CONFIG_FILE_ERROR);
    }
}

/// libpq itself: SCRAM with channel binding over TLS, where psql is installed.
#[tokio::test(flavor = "multi_thread")]
async fn psql_logs_in_with_channel_binding() {
    let psql = "/usr/lib/postgresql/15/bin/psql";
    if !std::path::Path::new(psql).exists() {
        return;
    }
    let certificates = certificates();
    let tls = Some(TlsSettings { client_ca: None, ..certificates.settings.clone() });
    let running = run(&ServerSettings { auth: AuthMethod::ScramSha256, tls, ..settings() });
    let run = |password: &'static str, options: &'static str| {
        let port = running.address.port();
        let line = format!("host=127.0.0.1 port={port} user=ana dbname=tusk {options}");
        tokio::task::spawn_blocking(move || {
            let output = std::process::Command::new(psql)
                .args(["-X", "-c", "x", &line])
                .env("PGPASSWORD", password)
                .output()
                .unwrap();
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
        })
    };
    assert_eq!(run("pencil", "sslmode=require channel_binding=require").await.unwrap(), "TLS true CN None\n");
    let text = run("wrong", "sslmode=require").await.unwrap();
    assert!(text.contains("FATAL:  password authentication failed for user \"ana\""), "{text}");
    let text = run("pencil", "sslmode=disable").await.unwrap();
    assert!(text.contains("FATAL:  connections without TLS are not accepted"), "{text}");
}
