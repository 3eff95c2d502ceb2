//! Who gets in, and how: SCRAM with and without channel binding, client certificates, TLS that is TLS or an error.
//! Must not know: what a session may read.

use std::process::Command;
use std::time::Duration;

use tokio_postgres::config::{ChannelBinding, SslMode, SslNegotiation};
use tokio_postgres::error::DbError;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::harness::daemon::{Daemon, Setup, verifier};
use crate::harness::raw::{Message, Raw, error, printable};
use crate::harness::tls::{Authority, Pair};

/// `ana` with a password, `ben` whose password has characters that SASLprep changes, `eve` without a role.
fn users() -> String {
    format!(
        "[[role]]\nname = \"reader\"\n[[user]]\nname = \"ana\"\nroles = [\"reader\"]\npassword = \"{}\"\n\
         [[user]]\nname = \"ben\"\nroles = [\"reader\"]\npassword = \"{}\"\n\
         [[user]]\nname = \"eve\"\nroles = []\npassword = \"{}\"\n",
        verifier("right"),
        verifier("pä\u{a0}ss\u{2168}"),
        verifier("right")
    )
}

fn plain() -> Daemon {
    Daemon::start(&Setup { config: users(), ..Setup::default() })
}

fn with_tls(pair: &Pair, server: &str, config: &str, ca: &str) -> Setup {
    let client_ca = if ca.is_empty() { "" } else { "client_ca = \"ca.crt\"\n" };
    Setup {
        config: format!(
            "[server.tls]\ncertificate = \"server.crt\"\nprivate_key = \"server.key\"\n{client_ca}\n{config}"
        ),
        server: server.into(),
        files: vec![
            ("server.crt".into(), pair.certificate.clone()),
            ("server.key".into(), pair.key.clone()),
            ("ca.crt".into(), ca.to_owned()),
        ],
        ..Setup::default()
    }
}

async fn refusal(tusk: &Daemon, parameters: &str) -> DbError {
    let error = tusk.try_connect(parameters).await.expect_err("the login was to be refused");
    error.as_db_error().unwrap_or_else(|| panic!("{error:?}")).clone()
}

#[tokio::test]
async fn scram_lets_in_who_knows_the_password() {
    let tusk = plain();
    for (user, password) in [("ana", "right"), ("ben", "pä ssIX"), ("ben", "pä\u{a0}ss\u{2168}")] {
        let client = tusk.try_connect(&format!("user={user} password='{password}' dbname=tusk")).await.unwrap();
        let row = client.query_one("select current_user::text", &[]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), user);
    }
    for (parameters, code) in [
        ("user=ana password=wrong dbname=tusk", "28P01"),
        ("user=nobody password=right dbname=tusk", "28P01"),
        ("user=ana password=wrong dbname=nothing", "28P01"),
        ("user=ana password=right dbname=nothing", "3D000"),
        ("user=eve password=right dbname=tusk", "28000"),
    ] {
        let error = refusal(&tusk, parameters).await;
        assert_eq!((error.code().code(), error.severity()), (code, "FATAL"), "{parameters}: {error:?}");
    }
    let error = refusal(&tusk, "user=ana password=right dbname=nothing").await;
    assert_eq!(error.message(), "database \"nothing\" does not exist");
    let (_, failures) = tusk.page("/metrics");
    assert!(
        failures.lines().any(|line| line.starts_with("tusk_auth_failures_total{") && !line.ends_with(" 0")),
        "{failures}"
    );
    assert!(!tusk.log().contains("right"), "a password is in the log");
}

/// The whole exchange of a login with a proof that cannot be right, in bytes.
fn exchange(tusk: &Daemon, user: &str) -> Vec<Message> {
    let mut raw = Raw::open(tusk.port());
    raw.start(&[("user", user), ("database", "tusk")]);
    let mut all = vec![raw.read()];
    let first = b"n,,n=,r=abcdefghijklmnopqrstuvwx";
    raw.send(b'p', &[&b"SCRAM-SHA-256\0"[..], &(first.len() as i32).to_be_bytes(), first].concat());
    let challenge = raw.read();
    let text = String::from_utf8(challenge.body[4..].to_vec()).unwrap();
    let nonce = text.split(',').next().unwrap().strip_prefix("r=").unwrap().to_owned();
    assert!(nonce.starts_with("abcdefghijklmnopqrstuvwx") && nonce.len() > 40, "{text}");
    // What differs between any two logins, and the salt, which is each user's own.
    let shape = text
        .replace(&nonce, "NONCE")
        .split(',')
        .map(|part| part[..2].to_owned() + &part.len().to_string())
        .collect::<Vec<_>>();
    all.push(Message { tag: challenge.tag, body: shape.join(",").into_bytes() });
    raw.send(b'p', format!("c=biws,r={nonce},p={}=", "A".repeat(43)).as_bytes());
    all.extend(raw.until_closed());
    all
}

#[tokio::test]
async fn an_unknown_user_is_a_wrong_password_to_the_byte() {
    let tusk = plain();
    let known = exchange(&tusk, "ana");
    let unknown = exchange(&tusk, "abe");
    assert_eq!(error(&known)[&'C'], "28P01");
    assert_eq!(error(&known)[&'M'], "password authentication failed for user \"ana\"");
    assert_eq!(known.len(), unknown.len());
    for (ours, theirs) in known.iter().zip(&unknown) {
        let theirs = printable(&theirs.body).replace("abe", "ana");
        assert_eq!((ours.tag, printable(&ours.body)), (ours.tag, theirs));
    }
    // The made-up salt is the same each time, as a real one is.
    let salt = |user: &str| {
        let mut raw = Raw::open(tusk.port());
        raw.start(&[("user", user), ("database", "tusk")]);
        raw.read();
        raw.send(b'p', b"SCRAM-SHA-256\0\0\0\0\x0dn,,n=,r=abcde");
        let text = String::from_utf8(raw.read().body[4..].to_vec()).unwrap();
        text.split(',').nth(1).unwrap().to_owned()
    };
    assert_eq!(salt("abe"), salt("abe"));
    assert_ne!(salt("abe"), salt("abf"));
}

#[tokio::test]
async fn channel_binding_over_tls() {
    let authority = Authority::new();
    let tusk = Daemon::start(&with_tls(&authority.server(), "", &users(), ""));
    let mut config = tokio_postgres::Config::new();
    config.host("localhost").port(tusk.port()).user("ana").password("right").dbname("tusk");
    config.ssl_mode(SslMode::Require).channel_binding(ChannelBinding::Require);
    let (client, connection) = config.connect(authority.connector()).await.unwrap();
    tokio::spawn(connection);
    assert_eq!(client.query_one("select 1", &[]).await.unwrap().get::<_, i32>(0), 1);

    let root = tusk.directory().join("root.crt");
    std::fs::write(&root, authority.pem()).unwrap();
    let psql = |parameters: &str, password: &str| {
        let conninfo = format!("host=localhost port={} dbname=tusk user=ana {parameters}", tusk.port());
        let output = Command::new("psql")
            .args(["-X", "-At", "-c", "select 'in'", &conninfo])
            .env("PGPASSWORD", password)
            .env("PGSSLROOTCERT", &root)
            .output()
            .unwrap();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    for parameters in
        ["sslmode=verify-full channel_binding=require", "sslmode=require channel_binding=disable", "sslmode=prefer"]
    {
        assert_eq!(psql(parameters, "right"), ("in\n".to_owned(), String::new()), "{parameters}");
    }
    let (out, said) = psql("sslmode=verify-full channel_binding=require", "wrong");
    assert!(out.is_empty() && said.contains("password authentication failed for user \"ana\""), "{said}");
    // TLS was configured and is required unless the config says otherwise.
    let (out, said) = psql("sslmode=disable", "right");
    assert!(out.is_empty() && said.contains("TLS"), "{said}");
    let other = Authority::new();
    assert!(config.connect(other.connector()).await.is_err());
}

/// TLS from the first byte, as clients of PostgreSQL 17 ask for it: only for who says by ALPN that this is what it wants.
#[tokio::test]
async fn tls_may_come_first() {
    let authority = Authority::new();
    let tusk = Daemon::start(&with_tls(&authority.server(), "", &users(), ""));
    let mut config = tokio_postgres::Config::new();
    config.host("localhost").port(tusk.port()).user("ana").password("right").dbname("tusk");
    config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct).channel_binding(ChannelBinding::Require);
    let speaking = |protocols: &[&str]| {
        let mut config = authority.client_config();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    };
    let connector = || MakeRustlsConnect::new(speaking(&["postgresql"]));
    let (client, connection) = config.connect(connector()).await.unwrap();
    tokio::spawn(connection);
    assert_eq!(client.query_one("select 1", &[]).await.unwrap().get::<_, i32>(0), 1);
    let hello = |protocols: &[&str]| {
        let config = std::sync::Arc::new(speaking(protocols));
        let mut client = rustls::ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
        let raw = Raw::open(tusk.port());
        let mut stream = raw.stream();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut tls = rustls::Stream::new(&mut client, &mut stream);
        let mut said = Vec::new();
        let asked = std::io::Write::write_all(&mut tls, b"\0\0\0\x08\x04\xd2\x16\x2f");
        let _ = asked.and_then(|()| std::io::Read::read_to_end(&mut tls, &mut said));
        printable(&said)
    };
    let refused = "received direct SSL connection request without ALPN protocol negotiation extension";
    assert!(hello(&[]).contains(refused));
    // Another protocol is no PostgreSQL: the handshake ends.
    assert_eq!(hello(&["http/1.1"]), "");
    // Encryption within encryption is nothing to be negotiated.
    let twice = hello(&["postgresql"]);
    assert!(!twice.starts_with('S') && !twice.starts_with('N'), "{twice}");
    // Nobody offers it who has no certificate.
    let plain = plain();
    config.port(plain.port());
    assert!(config.connect(connector()).await.is_err());
}

#[tokio::test]
async fn a_client_certificate_is_a_login() {
    let authority = Authority::new();
    let users = "[[role]]\nname = \"reader\"\n[[user]]\nname = \"ana\"\nroles = [\"reader\"]\n";
    let tusk = Daemon::start(&with_tls(&authority.server(), "auth = \"cert\"", users, &authority.pem()));
    let psql = |pair: Option<&Pair>, user: &str| {
        let mut conninfo = format!("host=localhost port={} dbname=tusk user={user} sslmode=require", tusk.port());
        if let Some(pair) = pair {
            let (certificate, key) = (tusk.directory().join("c.crt"), tusk.directory().join("c.key"));
            std::fs::write(&certificate, &pair.certificate).unwrap();
            std::fs::write(&key, &pair.key).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&key, mode).unwrap();
            conninfo += &format!(" sslcert={} sslkey={}", certificate.display(), key.display());
        } else {
            conninfo += " sslcert=/nothing sslkey=/nothing";
        }
        let output = Command::new("psql").args(["-X", "-At", "-c", "select current_user", &conninfo]).output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let ana = authority.client("ana");
    assert_eq!(psql(Some(&ana), "ana"), ("ana\n".to_owned(), String::new()));
    let (out, said) = psql(Some(&authority.client("bob")), "ana");
    assert!(out.is_empty() && said.contains("certificate authentication failed for user \"ana\""), "{said}");
    let (out, said) = psql(None, "ana");
    assert!(out.is_empty() && said.contains("connection requires a valid client certificate"), "{said}");
    let (out, said) = psql(Some(&authority.client("unknown")), "unknown");
    assert!(out.is_empty() && said.contains("FATAL"), "{said}");
    let (out, said) = psql(Some(&Authority::new().client("ana")), "ana");
    assert!(out.is_empty() && !said.is_empty(), "a certificate of another authority got in: {out}");
}

#[test]
fn nothing_is_served_in_the_clear_or_to_anybody_off_loopback() {
    let listen = "\"0.0.0.0:0\"".to_owned();
    let (code, said) = Daemon::refused(&Setup { config: users(), listen: listen.clone(), ..Setup::default() });
    assert_eq!(code, Some(78));
    assert!(said.contains("tusk.toml:2: address \"0.0.0.0:0\" is off loopback, which needs [server.tls]"), "{said}");

    let trusting = with_tls(&Authority::new().server(), "auth = \"trust\"", &users(), "");
    let (code, said) = Daemon::refused(&Setup { listen: listen.clone(), ..trusting });
    assert_eq!(code, Some(78));
    assert!(said.contains("tusk.toml:2: ") && said.contains("trust"), "{said}");

    let mut optional = with_tls(&Authority::new().server(), "", &users(), "");
    optional.config = optional.config.replace("[server.tls]\n", "[server.tls]\nrequired = false\n");
    let (code, said) = Daemon::refused(&Setup { listen: listen.clone(), ..optional });
    assert_eq!(code, Some(78), "{said}");

    let safe = Daemon::start(&Setup { listen, ..with_tls(&Authority::new().server(), "", &users(), "") });
    assert!(safe.address.starts_with("0.0.0.0:"));
}

#[test]
fn tls_that_cannot_be_set_up_is_an_error() {
    let (one, other) = (Authority::new().server(), Authority::new().server());
    let mixed = Pair { certificate: one.certificate.clone(), key: other.key };
    let broken = Pair {
        certificate: one.certificate.clone(),
        key: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".into(),
    };
    let empty = Pair { certificate: String::new(), key: one.key };
    for pair in [mixed, broken, empty] {
        let (code, said) = Daemon::refused(&with_tls(&pair, "", &users(), ""));
        assert!(code.is_some_and(|code| code != 0), "{code:?}");
        assert!(said.contains("server.crt") || said.contains("server.key"), "{said}");
        assert!(!said.contains("BEGIN") && !said.contains("panicked"), "{said}");
    }
}

/// Bytes in the clear behind an SSLRequest are a man in the middle's: they are never acted upon (CVE-2021-23214).
#[test]
fn bytes_behind_an_ssl_request_are_refused() {
    let tls = Daemon::start(&with_tls(&Authority::new().server(), "auth = \"trust\"", &users(), ""));
    let plain = Daemon::start(&Setup::trusting(users()));
    let request = [&8_i32.to_be_bytes()[..], &80_877_103_i32.to_be_bytes()].concat();
    let start = b"\0\0\0\x20\0\x03\0\0user\0ana\0database\0tusk\0\0";
    for (tusk, answer) in [(&tls, b'S'), (&plain, b'N')] {
        let mut raw = Raw::open(tusk.port());
        raw.bytes(&[&request[..], start].concat());
        let bytes = raw.everything(Duration::from_secs(12));
        assert_eq!(bytes.first(), Some(&answer));
        assert!(
            !bytes.windows(9).any(|window| window == b"R\0\0\0\x08\0\0\0\0"),
            "the login went through: {}",
            printable(&bytes)
        );
        if answer == b'N' {
            let text = printable(&bytes);
            assert!(text.contains("C08P01") && text.contains("received unencrypted data after SSL request"), "{text}");
        }
    }
    // Without such bytes the same clients get in.
    let mut raw = Raw::open(plain.port());
    raw.bytes(&request);
    let mut answer = [0];
    std::io::Read::read_exact(&mut raw.stream(), &mut answer).unwrap();
    assert_eq!(&answer, b"N");
    raw.start(&[("user", "ana"), ("database", "tusk")]);
    assert!(raw.until(b'Z').iter().any(|message| message.tag == b'R'));
}

/// Before a login nothing is held of a peer but a start-up packet and a password message of their sizes.
#[test]
fn before_the_login_little_is_listened_to() {
    let tusk = plain();
    let before = tusk.resident();
    for bytes in [
        // A start-up packet that is too long, one of negative length, and one of half a gigabyte.
        [&20_000_i32.to_be_bytes()[..], &[0; 64]].concat(),
        [&(-5_i32).to_be_bytes()[..], &[0; 64]].concat(),
        [&0x2000_0000_i32.to_be_bytes()[..], &[0; 64]].concat(),
    ] {
        let mut raw = Raw::open(tusk.port());
        raw.bytes(&bytes);
        assert_eq!(error(&raw.until_closed())[&'C'], "08P01");
    }
    for (tag, length) in [(b'Q', 0x1000_0000_u32), (b'p', 0x1000_0000), (b'P', 30)] {
        let mut raw = Raw::open(tusk.port());
        raw.start(&[("user", "ana"), ("database", "tusk")]);
        assert_eq!(raw.read().tag, b'R');
        raw.bytes(&[&[tag][..], &length.to_be_bytes(), &[b'x'; 4096]].concat());
        assert_eq!(error(&raw.until_closed())[&'C'], "08P01", "{}", tag as char);
    }
    assert!(tusk.resident() < before + (16 << 20));
}
