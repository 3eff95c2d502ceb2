//! Everything that goes wrong at a source: what clients read, how soon, and that the next statement works.
//! Must not know: values, catalogs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use arrow::array::AsArray;
use arrow::datatypes::Int32Type;
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tusk::error::{Error, SqlState};
use tusk::source::Connector;

use super::*;

const INT4: u32 = 23;
const TEXT: u32 = 25;

async fn server() -> TestPostgres {
    let postgres = TestPostgres::start();
    postgres.exec(ACCOUNT).await;
    postgres
}

/// What every failure to connect says, and what it never says.
fn check_connect_error(error: &Error, detail: &str) {
    assert_eq!(error.state(), SqlState::CONNECT_FAILED);
    assert_eq!(error.message(), "could not connect to source \"shop\"");
    assert_eq!(error.detail(), Some(detail), "{}", error.chain());
    let everything = format!("{error:?} {} {:?}", error.chain(), error.hint());
    for secret in ["right", "wrong", "postgres://"] {
        assert!(!everything.contains(secret), "{everything}");
    }
}

#[tokio::test]
async fn connections_that_cannot_be_had_say_why_by_class_only() {
    let postgres = server().await;
    let good = settings(&postgres);
    let ping = async |change: &dyn Fn(&mut PostgresSettings)| {
        let mut settings = good.clone();
        change(&mut settings);
        let shop = connector(&settings);
        let error = shop.ping().await.expect_err("no connection");
        let start = Instant::now();
        // A breaker answers those who come right after with the same words.
        assert_eq!(shop.ping().await.expect_err("no connection").detail(), error.detail());
        assert!(start.elapsed() < Duration::from_secs(1));
        error
    };
    let wrong = |settings: &mut PostgresSettings| settings.password = Some(Secret::new("wrong".into()));
    check_connect_error(&ping(&wrong).await, "Authentication failed.");
    let none = |settings: &mut PostgresSettings| settings.password = None;
    check_connect_error(&ping(&none).await, "The server asks for a password, but none is configured.");
    let nobody = |settings: &mut PostgresSettings| settings.user = "nobody".into();
    check_connect_error(&ping(&nobody).await, "Authentication failed.");
    let nowhere = |settings: &mut PostgresSettings| settings.database = "nowhere".into();
    check_connect_error(&ping(&nowhere).await, "The database does not exist.");
    let closed = |settings: &mut PostgresSettings| settings.hosts = vec![("127.0.0.1".into(), 1)];
    check_connect_error(&ping(&closed).await, "Connection refused.");
    let unknown = |settings: &mut PostgresSettings| settings.hosts = vec![("no.such.host.invalid".into(), 5432)];
    check_connect_error(&ping(&unknown).await, "The host name is unknown.");
    let tls = |settings: &mut PostgresSettings| settings.sslmode = SslMode::Require;
    check_connect_error(&ping(&tls).await, "The server does not support TLS, but the configuration requires it.");
    connector(&good).ping().await.unwrap();
}

#[tokio::test]
async fn hosts_are_tried_in_order_and_sockets_work() {
    let postgres = server().await;
    let mut settings = settings(&postgres);
    settings.hosts.insert(0, ("127.0.0.1".into(), 1));
    connector(&settings).ping().await.unwrap();
    settings.hosts = vec![(postgres.socket_directory().to_str().unwrap().into(), postgres.port())];
    settings.sslmode = SslMode::VerifyFull;
    connector(&settings).ping().await.unwrap();
}

#[tokio::test]
async fn a_server_that_never_answers_costs_the_connect_timeout() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let postgres = server().await;
    let mut settings = settings(&postgres);
    settings.connect_timeout = Duration::from_millis(400);
    let port = silent.local_addr().unwrap().port();
    settings.hosts = vec![("127.0.0.1".into(), port)];
    let start = Instant::now();
    check_connect_error(&connector(&settings).ping().await.unwrap_err(), "Connection timed out.");
    assert!(start.elapsed() < Duration::from_secs(2));
    // The next host gets its share of the time.
    settings.connect_timeout = Duration::from_secs(4);
    settings.hosts.push(("127.0.0.1".into(), postgres.port()));
    connector(&settings).ping().await.unwrap();
}

#[tokio::test]
async fn no_storm_of_logins_after_a_refusal() {
    let postgres = server().await;
    let mut settings = settings(&postgres);
    settings.password = Some(Secret::new("wrong".into()));
    settings.pool_size = 1;
    let shop = connector(&settings);
    let start = Instant::now();
    let mut asked = 0;
    while start.elapsed() < Duration::from_millis(1500) {
        check_connect_error(&shop.ping().await.unwrap_err(), "Authentication failed.");
        asked += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let log = std::fs::read_to_string(postgres.socket_directory().join("log")).unwrap();
    let attempts = log.matches("password authentication failed").count();
    assert!(asked > 20 && attempts <= 2, "{asked} asked, {attempts} attempts");
    // A password that is put right at the source works within a second.
    postgres.exec("alter role tusk password 'wrong'").await;
    eventually("login", Duration::from_secs(3), async || shop.ping().await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_for_a_connection_is_bounded() {
    let postgres = server().await;
    let mut settings = settings(&postgres);
    settings.pool_size = 2;
    settings.connect_timeout = Duration::from_millis(500);
    let shop = connector(&settings);
    let endless = "select i from (select generate_series(1, 2000000000) i) s";
    let mut streams: Vec<_> = (0..2).map(|_| shop.read(query(endless, &schema(&[("i", INT4)])))).collect();
    for stream in &mut streams {
        stream.next().await.unwrap().unwrap();
    }
    let start = Instant::now();
    let error = rows(&shop, "select 1", &[("i", INT4)]).await.unwrap_err();
    assert_eq!((error.state(), error.message()), (SqlState::TOO_MANY_CONNECTIONS, "source \"shop\" is busy"));
    assert_eq!(error.detail(), Some("All 2 connections of its pool were in use for 0.5 seconds."));
    assert_eq!(shop.pool().map(|pool| (pool.in_use, pool.waiting, pool.opened)), Some((2, 0, 2)));
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(connected(&postgres.connect().await).await, 2, "never more than the pool's size");
    // One that ends makes place for one that waits.
    drop(streams.pop());
    assert_eq!(rows(&shop, "select 1", &[("i", INT4)]).await.unwrap()[0].num_rows(), 1);
}

#[tokio::test]
async fn a_backend_that_is_killed_is_a_lost_connection() {
    let postgres = server().await;
    let shop = connector(&settings(&postgres));
    let watcher = postgres.connect().await;
    let endless = "select i from (select generate_series(1, 2000000000) i) s";
    let mut stream = shop.read(query(endless, &schema(&[("i", INT4)])));
    stream.next().await.unwrap().unwrap();
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'tusk'";
    watcher.batch_execute(kill).await.unwrap();
    let error = loop {
        match stream.next().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error,
            None => panic!("ended as if it were complete"),
        }
    };
    assert_eq!(
        (error.state(), error.message()),
        (SqlState::CONNECTION_FAILURE, "connection to source \"shop\" was lost")
    );
    assert!(stream.next().await.is_none());
    // Idle connections that were killed are not noticed by anyone.
    shop.ping().await.unwrap();
    watcher.batch_execute(kill).await.unwrap();
    shop.ping().await.unwrap();
    assert_eq!(rows(&shop, "select 1", &[("i", INT4)]).await.unwrap()[0].num_rows(), 1);
}

#[tokio::test]
async fn a_server_that_restarts_is_found_again() {
    let mut postgres = server().await;
    let shop = connector(&settings(&postgres));
    shop.ping().await.unwrap();
    postgres.stop();
    check_connect_error(&shop.ping().await.unwrap_err(), "Connection refused.");
    postgres.start_again();
    eventually("it is back", Duration::from_secs(5), async || shop.ping().await.is_ok()).await;
}

#[tokio::test]
async fn a_server_that_hangs_gives_its_place_back() {
    let postgres = server().await;
    let mut settings = settings(&postgres);
    settings.pool_size = 1;
    settings.connect_timeout = Duration::from_secs(1);
    let shop = connector(&settings);
    shop.ping().await.unwrap();
    let watcher = postgres.connect().await;
    let pid: i32 =
        watcher.query_one("select pid from pg_stat_activity where usename = 'tusk'", &[]).await.unwrap().get(0);
    let signal = |name: &str, pid: String| {
        assert!(std::process::Command::new("kill").args([format!("-{name}"), pid]).status().unwrap().success());
    };
    signal("STOP", pid.to_string());
    postgres.signal("STOP");
    let start = Instant::now();
    assert!(shop.ping().await.is_err());
    assert!(start.elapsed() < Duration::from_secs(4));
    signal("CONT", pid.to_string());
    postgres.signal("CONT");
    eventually("it is back", Duration::from_secs(5), async || shop.ping().await.is_ok()).await;
}

#[tokio::test]
async fn errors_of_statements_keep_their_meaning_and_the_connection() {
    let postgres = server().await;
    postgres.exec("create table secrets (a int); create role poor login password 'right'").await;
    let shop = connector(&settings(&postgres));
    let cases = [
        (
            "select 1 / (i - 3000) from generate_series(1, 4000) i",
            SqlState::DIVISION_BY_ZERO,
            "source \"shop\": division by zero",
        ),
        ("select a from public.gone", SqlState::UNDEFINED_TABLE, "source \"shop\" does not have this table any more"),
        (
            "select b from public.secrets",
            SqlState::UNDEFINED_COLUMN,
            "source \"shop\" does not have this column any more",
        ),
        ("select nonsense(1)", SqlState::SYSTEM_ERROR, "source \"shop\" could not run its part of the statement"),
        ("select 1, 2", SqlState::FEATURE_NOT_SUPPORTED, "cached plan must not change result type"),
        ("select 1::int8", SqlState::FEATURE_NOT_SUPPORTED, "cached plan must not change result type"),
    ];
    for (select, state, message) in cases {
        let error = rows(&shop, select, &[("i", INT4)]).await.unwrap_err();
        assert_eq!((error.state(), error.message()), (state, message), "{select}");
    }
    let mut poor = settings(&postgres);
    poor.user = "poor".into();
    let error = rows(&connector(&poor), "select a from public.secrets", &[("i", INT4)]).await.unwrap_err();
    assert_eq!(error.state(), SqlState::INSUFFICIENT_PRIVILEGE);
    let write = RemoteQuery {
        sql: "COPY (with w as (insert into public.secrets values (1) returning a) select a from w) TO STDOUT \
                                    (FORMAT binary)"
            .into(),
        ..query("select 1", &schema(&[("i", INT4)]))
    };
    let error = shop.read(write).try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.state(), SqlState::READ_ONLY_SQL_TRANSACTION);
}

/// A server of our own that answers the start-up packet with these bytes.
async fn hostile(answer: Vec<u8>) -> (u16, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut bytes = vec![0; 4096];
                let _ = socket.read(&mut bytes).await;
                let _ = socket.write_all(&answer).await;
                let _ = socket.read(&mut bytes).await;
            });
        }
    });
    (port, serving)
}

#[tokio::test]
async fn hostile_servers_are_refused() {
    let postgres = server().await;
    let mut settings = settings(&postgres);
    settings.sslmode = SslMode::Disable;
    settings.connect_timeout = Duration::from_secs(1);
    for answer in [
        b"R\0\0\0\x08\0\0\0\x03".to_vec(),
        b"R\x40\0\0\0\0\0\0\0".to_vec(),
        b"E\0\0\0\x05\0".to_vec(),
        b"D\0\0\0\x05\0".to_vec(),
        [b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0".to_vec(), b"R\0\0\0\x1f\0\0\0\x0br=x,s=eA==,i=2147483647".to_vec()]
            .concat(),
        b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I\x00\0\0\0\0".to_vec(),
    ] {
        let (port, serving) = hostile(answer.clone()).await;
        settings.hosts = vec![("127.0.0.1".into(), port)];
        let error = connector(&settings).ping().await.unwrap_err();
        check_connect_error(&error, "The server broke the protocol.");
        serving.abort();
    }
    let (port, serving) = hostile(b"S plain text behind the answer".to_vec()).await;
    settings.hosts = vec![("127.0.0.1".into(), port)];
    settings.sslmode = SslMode::Prefer;
    check_connect_error(&connector(&settings).ping().await.unwrap_err(), "The TLS handshake failed.");
    serving.abort();
    assert_eq!(
        rows(&connector(&settings), "select 1", &[("t", TEXT)]).await.unwrap_err().state(),
        SqlState::CONNECT_FAILED
    );
}

/// An integer and a float are as long as each other: read as the other, a value would be another without anybody noticing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_that_changes_is_never_read_as_what_it_was() {
    let postgres = server().await;
    postgres.exec("create table t as select 7::int4 as v from generate_series(1, 10)").await;
    let shop = Arc::new(connector(&settings(&postgres)));
    let over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (shop, over) = (Arc::clone(&shop), Arc::clone(&over));
            tokio::spawn(async move {
                let (mut read, mut refused) = (0, 0);
                while !over.load(Ordering::Relaxed) || read == 0 || refused == 0 {
                    match rows(&shop, "select t.v as c0 from public.t as t", &[("v", INT4)]).await {
                        Ok(batches) => {
                            let values =
                                batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int32Type>().values());
                            assert_eq!(values.copied().collect::<Vec<_>>(), [7; 10]);
                            read += 1;
                        }
                        Err(error) => {
                            assert_eq!(error.message(), "cached plan must not change result type");
                            refused += 1;
                        }
                    }
                }
            })
        })
        .collect();
    for _ in 0..100 {
        postgres.exec("alter table t alter v type float4 using v::float4").await;
        postgres.exec("alter table t alter v type int4 using v::int4").await;
    }
    over.store(true, Ordering::Relaxed);
    // Whoever has not met both meets them now.
    let meets = tokio::spawn(async move {
        for reader in readers {
            reader.await.unwrap();
        }
    });
    while !meets.is_finished() {
        postgres.exec("alter table t alter v type float4 using v::float4").await;
        postgres.exec("alter table t alter v type int4 using v::int4").await;
    }
    meets.await.unwrap();
    assert_eq!(shop.pool().unwrap().in_use, 0);
}
