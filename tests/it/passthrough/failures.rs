//! What goes wrong at the source while it runs a statement: cancels, timeouts, changes of tables, lost connections.
//! Must not know: what statements say.

use std::time::{Duration, Instant};

use super::{passing, start};
use crate::harness::postgres::{TestPostgres, eventually};
use crate::harness::raw::{Raw, bind, describe, error, execute, parse, rows};

/// Statements of Tusk that sleep at the source now.
async fn running(postgres: &TestPostgres) -> i64 {
    let sql = "select count(*) from pg_stat_activity where application_name like 'tusk:%' and wait_event = 'PgSleep'";
    postgres.connect().await.query_one(sql, &[]).await.unwrap().get(0)
}

const ENDLESS: &str = "select pg_sleep(30), id from shop.emps";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_reaches_the_source_within_a_second() {
    let (postgres, daemon) = start("", "").await;
    let mut raw = passing(&daemon, "ana");
    raw.query(ENDLESS);
    eventually("it runs", Duration::from_secs(5), async || running(&postgres).await == 1).await;
    let begun = Instant::now();
    raw.cancel();
    assert_eq!(error(&raw.until(b'Z'))[&'C'], "57014");
    eventually("it has ended", Duration::from_secs(1), async || running(&postgres).await == 0).await;
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert_eq!(rows(&raw.ask("select count(*) from shop.emps")), [[Some("5".to_owned())]]);
    // A client that leaves.
    raw.query(ENDLESS);
    eventually("it runs", Duration::from_secs(5), async || running(&postgres).await == 1).await;
    raw.reset();
    eventually("it has ended", Duration::from_secs(3), async || running(&postgres).await == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timeout_ends_it_here_and_there() {
    let (postgres, daemon) = start("", "").await;
    let mut raw = passing(&daemon, "ana");
    raw.ask("set statement_timeout = '300ms'");
    let begun = Instant::now();
    assert_eq!(error(&raw.ask(ENDLESS))[&'C'], "57014");
    assert!(begun.elapsed() < Duration::from_secs(2));
    eventually("it has ended", Duration::from_secs(2), async || running(&postgres).await == 0).await;
    assert_eq!(rows(&raw.ask("select count(*) from shop.emps")), [[Some("5".to_owned())]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_changes_is_read_again_or_says_so() {
    let (postgres, daemon) = start("", "").await;
    let mut raw = passing(&daemon, "ana");
    let prepared = |name: &str| [parse(name, "select * from shop.emps where id = 1", &[])];
    let run = || [bind("", "p", 0, &[], &[0]), describe(b'P', ""), execute("", 0)];
    raw.batch(&prepared("p"));
    assert_eq!(rows(&raw.batch(&run())).len(), 1);
    postgres.exec("alter table public.emps add column more int").await;
    assert_eq!(error(&raw.batch(&run()))[&'C'], "0A000");
    // The catalog is asked again: a new statement sees the column, the old one says that it does not fit any more.
    eventually("the new column", Duration::from_secs(5), async || {
        raw.ask("select * from shop.emps where id = 1").iter().any(|m| m.tag == b'D' && m.values().len() == 5)
    })
    .await;
    assert_eq!(error(&raw.batch(&run()))[&'M'], "cached plan must not change result type");
    // A column that goes, of a table that is narrowed by name for nobody: the source's word is ours.
    postgres.exec("alter table public.emps drop column more").await;
    postgres.exec("drop table public.parts").await;
    let gone = error(&raw.ask("select * from shop.parts"));
    assert_eq!((gone[&'C'].as_str(), gone[&'M'].contains("public")), ("42P01", false), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_goes_and_comes_back() {
    let (mut postgres, daemon) = start("connect_timeout = \"2s\"", "").await;
    let mut raw = passing(&daemon, "ana");
    raw.query(ENDLESS);
    eventually("it runs", Duration::from_secs(5), async || running(&postgres).await == 1).await;
    postgres.exec("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'tusk:%' and wait_event = 'PgSleep'").await;
    let lost = error(&raw.until(b'Z'));
    assert_eq!((lost[&'C'].as_str(), lost[&'M'].as_str()), ("08006", "connection to source \"shop\" was lost"));
    eventually("it answers again", Duration::from_secs(10), async || {
        raw.ask("select count(*) from shop.emps").iter().any(|message| message.tag == b'D')
    })
    .await;
    postgres.stop();
    let down = error(&raw.ask("select count(*) from shop.emps"));
    assert!(matches!(down[&'C'].as_str(), "08001" | "08006"), "{down:?}");
    postgres.start_again();
    eventually("it answers again", Duration::from_secs(10), async || {
        raw.ask("select count(*) from shop.emps").iter().any(|message| message.tag == b'D')
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_stream_and_limits_hold() {
    let limited = "[[role]]\nname = \"limited\"\n[role.limits]\nmax_rows = 100\n[[role.grant]]\ntables = [\"*.*\"]\nprivileges = [\"select\"]\n\
                   [[user]]\nname = \"lim\"\nroles = [\"limited\"]\n";
    let (postgres, daemon) = start("", limited).await;
    let mut raw = passing(&daemon, "lim");
    let messages = raw.ask("select i, repeat('x', 1000) from generate_series(1, 100000) i, shop.emps where id = 1");
    assert_eq!(error(&messages)[&'C'], "54000");
    let mut raw = passing(&daemon, "ana");
    let before = daemon.resident();
    raw.query("select i, repeat('x', 1000) from generate_series(1, 300000) i, shop.emps where id = 1");
    // Nobody reads: nothing piles up here, the source waits.
    let watch = postgres.connect().await;
    let waits =
        "select count(*) from pg_stat_activity where application_name like 'tusk:%' and wait_event = 'ClientWrite'";
    eventually("the source waits", Duration::from_secs(20), async || {
        watch.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;
    let grown = daemon.resident().saturating_sub(before);
    assert!(grown < 150 << 20, "{grown} bytes more");
    let count = raw.until(b'Z').iter().filter(|message| message.tag == b'D').count();
    assert_eq!(count, 300_000);
}

/// Sessions side by side, each with settings of its own, on few connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_share_connections_and_nothing_else() {
    let (_postgres, daemon) = start("pool_size = 2", "").await;
    let port = daemon.port();
    let zones = ["UTC", "Asia/Tokyo", "America/New_York", "Europe/Berlin"];
    let workers: Vec<_> = zones
        .into_iter()
        .map(|zone| {
            std::thread::spawn(move || {
                let mut raw = Raw::login(port, "ana", "tusk");
                raw.ask("set tusk.route = passthrough");
                raw.ask(&format!("set timezone = '{zone}'"));
                let mut seen = std::collections::BTreeSet::new();
                for _ in 0..50 {
                    seen.insert(format!("{:?}", rows(&raw.ask("select made::text from shop.items where id = 1"))));
                }
                assert_eq!(seen.len(), 1, "{zone}: {seen:?}");
                seen.into_iter().next().unwrap()
            })
        })
        .collect();
    let answers: std::collections::BTreeSet<String> =
        workers.into_iter().map(|worker| worker.join().unwrap()).collect();
    assert_eq!(answers.len(), zones.len(), "{answers:?}");
}

/// A statement that is described again for another user leaves no settings behind that nobody knows of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn descriptions_leave_settings_known() {
    let (_postgres, daemon) = start("pool_size = 1", "").await;
    let login = |user: &str, zone: &str| {
        let mut raw = Raw::login(daemon.port(), user, "tusk");
        raw.ask(&format!("set timezone = '{zone}'"));
        raw
    };
    let text = "select made::text from shop.items where id = 1";
    let (mut here, mut there) = (login("ana", "UTC"), login("ana", "Asia/Tokyo"));
    let (first, other) = (rows(&here.ask(text)), rows(&there.ask(text)));
    assert_ne!(first, other);
    for _ in 0..3 {
        assert_eq!(rows(&here.ask(text)), first);
        assert_eq!(rows(&login("root", "Asia/Tokyo").ask(text)), other);
        assert_eq!(rows(&here.ask(text)), first);
    }
}
