//! What each sslmode takes and refuses, with certificates made here.
//! Must not know: what is read over the connection.

use std::path::PathBuf;

use futures::StreamExt;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tusk::error::{Notices, SqlState};
use tusk::source::{Connector, SESSION_SETTINGS, WholeStatement};

use super::*;
use crate::harness::postgres::Options;

const BOOL: u32 = 16;
const INT4: u32 = 23;

struct Certificates {
    directory: TempDir,
}

impl Certificates {
    fn new() -> Self {
        Certificates { directory: TempDir::new().unwrap() }
    }

    fn file(&self, name: &str, pem: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

async fn server(chain: String, key: &KeyPair) -> TestPostgres {
    let postgres = TestPostgres::start_with(&Options { tls: Some((chain, key.serialize_pem())), ..Options::default() });
    postgres.exec(ACCOUNT).await;
    postgres
}

/// Whether the connection is encrypted; an error where there is none.
async fn encrypted(settings: &PostgresSettings) -> Result<bool> {
    let sql = "select ssl from pg_catalog.pg_stat_ssl where pid = pg_catalog.pg_backend_pid()";
    let batches = rows(&connector(settings), sql, &[("ssl", BOOL)]).await?;
    let encrypted = arrow::array::AsArray::as_boolean(batches[0].column(0)).value(0);
    assert_eq!(relayed(settings, sql).await, if encrypted { "t" } else { "f" });
    Ok(encrypted)
}

/// The one value of a statement whose row is handed on as it comes, in text.
async fn relayed(settings: &PostgresSettings, sql: &str) -> String {
    let shop = connector(settings);
    let runner = shop.runner().unwrap();
    let sets = SESSION_SETTINGS.map(|(name, value)| format!("SET {name} = E'{value}'"));
    let statement = WholeStatement {
        sql: sql.into(),
        body: None,
        parameters: Vec::new(),
        skeleton: None,
        session: sets.join("; ").into(),
        query_id: "q2".into(),
        words: Arc::default(),
        meter: Arc::default(),
        notices: Notices::default(),
    };
    let described = Arc::new(runner.describe(&statement).await.unwrap());
    let messages: Vec<_> =
        runner.relay(statement, described, (Vec::new(), Vec::new())).await.unwrap().try_collect().await.unwrap();
    let [(message, 1)] = messages.as_slice() else { panic!("{messages:?}") };
    // Type, length, one column, its length.
    String::from_utf8(message[11..].to_vec()).unwrap()
}

async fn refused(settings: &PostgresSettings) {
    let error = encrypted(settings).await.unwrap_err();
    assert_eq!((error.state(), error.detail()), (SqlState::CONNECT_FAILED, Some("The TLS handshake failed.")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mode_verifies_what_postgresql_says_it_does() {
    let certificates = Certificates::new();
    let (ours, other) = (authority(), authority());
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["db.example".to_owned()]).unwrap().signed_by(&key, &ours).unwrap();
    let postgres = server(leaf.pem(), &key).await;
    let ours = Some(certificates.file("ours.pem", &ours.pem()));
    let other = Some(certificates.file("other.pem", &other.pem()));
    let with = |sslmode: SslMode, tls_ca: &Option<PathBuf>| PostgresSettings {
        sslmode,
        tls_ca: tls_ca.clone(),
        ..settings(&postgres)
    };
    assert!(!encrypted(&with(SslMode::Disable, &None)).await.unwrap());
    assert!(encrypted(&with(SslMode::Prefer, &None)).await.unwrap());
    assert!(encrypted(&with(SslMode::Require, &None)).await.unwrap());
    assert!(encrypted(&with(SslMode::Require, &ours)).await.unwrap());
    refused(&with(SslMode::Require, &other)).await;
    assert!(encrypted(&with(SslMode::VerifyCa, &ours)).await.unwrap());
    refused(&with(SslMode::VerifyCa, &other)).await;
    refused(&with(SslMode::VerifyCa, &None)).await;
    refused(&with(SslMode::VerifyFull, &ours)).await;
    // The request to cancel goes over TLS as well.
    let shop = connector(&with(SslMode::VerifyCa, &ours));
    let watcher = postgres.connect().await;
    let mut stream =
        shop.read(query("select i from (select generate_series(1, 2000000000) i) s", &schema(&[("i", INT4)])));
    stream.next().await.unwrap().unwrap();
    assert_eq!(active(&watcher).await, 1);
    drop(stream);
    eventually("the statement is gone", Duration::from_secs(1), async || active(&watcher).await == 0).await;
}

#[tokio::test]
async fn names_are_verified_in_full_mode() {
    let certificates = Certificates::new();
    let ours = authority();
    let key = KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &ours).unwrap();
    let postgres = server(leaf.pem(), &key).await;
    let tls_ca = Some(certificates.file("ours.pem", &ours.pem()));
    let mut settings = PostgresSettings { sslmode: SslMode::VerifyFull, tls_ca, ..settings(&postgres) };
    assert!(encrypted(&settings).await.unwrap());
    settings.hosts = vec![("localhost".into(), postgres.port())];
    assert!(encrypted(&settings).await.unwrap());
}

#[tokio::test]
async fn a_self_signed_certificate_may_be_its_own_authority() {
    let certificates = Certificates::new();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let own = params.self_signed(&key).unwrap();
    let postgres = server(own.pem(), &key).await;
    let tls_ca = Some(certificates.file("own.pem", &own.pem()));
    let mut settings = PostgresSettings { sslmode: SslMode::VerifyFull, tls_ca, ..settings(&postgres) };
    settings.hosts = vec![("localhost".into(), postgres.port())];
    assert!(encrypted(&settings).await.unwrap());
    // The right certificate, but the host is called otherwise.
    settings.hosts = vec![("127.0.0.1".into(), postgres.port())];
    refused(&settings).await;
    settings.sslmode = SslMode::VerifyCa;
    assert!(encrypted(&settings).await.unwrap());
}

#[tokio::test]
async fn a_ca_file_that_cannot_be_read_is_found_at_once() {
    let certificates = Certificates::new();
    let postgres_settings = |path: PathBuf| PostgresSettings {
        hosts: vec![("127.0.0.1".into(), 1)],
        sslmode: SslMode::VerifyFull,
        tls_ca: Some(path),
        user: "tusk".into(),
        database: "postgres".into(),
        password: None,
        schemas: None,
        pool_size: 1,
        connect_timeout: Duration::from_secs(1),
        statement_timeout: Duration::ZERO,
        writable: false,
        allow_functions: Vec::new(),
    };
    for path in [certificates.directory.path().join("missing"), certificates.file("empty.pem", "nothing\n")] {
        let settings = postgres_settings(path);
        let error = PostgresConnector::new("shop", &settings, &Patterns::new(&["*".into()])).unwrap_err();
        assert_eq!(error.state(), SqlState::CONFIG_FILE_ERROR);
        assert_eq!(error.message(), "could not read the CA file of source \"shop\"");
    }
}
