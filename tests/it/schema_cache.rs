//! What Tusk knows of its sources' tables: fresh within the TTL, one question at a time, stale but told so while a source is down.
//! Must not know: how it is kept.

use std::time::Duration;

use crate::harness::daemon::Daemon;
use crate::harness::federation::over;
use crate::harness::postgres::{Options, TestPostgres, eventually};
use crate::harness::raw::{Raw, bind, describe, error, execute, parse, rows, transcript};
use crate::harness::routes::{ROUTES, goes, routed};

fn one(raw: &mut Raw, sql: &str) -> Option<String> {
    rows(&raw.ask(sql)).first().and_then(|row| row[0].clone())
}

fn state(raw: &mut Raw, sql: &str) -> String {
    let answer = raw.ask(sql);
    answer.iter().find(|message| message.tag == b'E').map_or("ok".into(), |message| message.fields()[&'C'].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_table_appears_after_refresh() {
    let postgres = TestPostgres::start();
    postgres.exec("create table old (a int)").await;
    let tusk = over(&postgres, "", "[cache]\nschema_ttl = \"1h\"\n");
    let mut ana = Raw::login(tusk.port(), "ana", "tusk");
    assert_eq!(state(&mut ana, "select * from shop.old"), "ok");
    postgres.exec("create table new (a int); insert into new values (5); drop table old").await;
    assert_eq!(state(&mut ana, "select * from shop.new"), "42P01");
    assert_eq!(one(&mut ana, "select tusk.refresh('shop')").as_deref(), Some("t"));
    assert_eq!(one(&mut ana, "select a from shop.new").as_deref(), Some("5"));
    let missing = error(&ana.ask("select * from shop.old"));
    assert_eq!((missing[&'C'].as_str(), missing[&'M'].as_str()), ("42P01", "relation \"shop.old\" does not exist"));
    assert_eq!(error(&ana.ask("select tusk.refresh('nothing')"))[&'M'], "source \"nothing\" does not exist");
    assert_eq!(
        one(&mut ana, "select count(*) from information_schema.tables where table_schema = 'shop'").as_deref(),
        Some("1")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_table_appears_after_the_ttl() {
    let postgres = TestPostgres::start();
    postgres.exec("create table old (a int)").await;
    let tusk = over(&postgres, "", "[cache]\nschema_ttl = \"500ms\"\nschema_negative_ttl = \"200ms\"\n");
    let mut ana = Raw::login(tusk.port(), "ana", "tusk");
    assert_eq!(state(&mut ana, "select * from shop.new"), "42P01");
    postgres.exec("create table new (a int)").await;
    let seen = async || state(&mut ana, "select * from shop.new") == "ok";
    eventually("the new table is seen", Duration::from_secs(5), seen).await;
}

/// Thirty sessions that ask at once make one look at the source.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sessions_ask_a_source_once() {
    let conf = vec!["shared_preload_libraries = 'pg_stat_statements'".to_owned()];
    let postgres = TestPostgres::start_with(&Options { conf, ..Options::default() });
    postgres.exec("create table t (a int)").await;
    let tusk = over(&postgres, "", "[cache]\nschema_ttl = \"1h\"\n");
    let mut admin = Raw::login(tusk.port(), "root", "tusk");
    assert_eq!(state(&mut admin, "select * from shop.t"), "ok");
    // What Tusk asks the catalogs of the source, as the source counts it.
    postgres.exec("create extension pg_stat_statements; select pg_stat_statements_reset()").await;
    let asked = async || {
        let sql = "select coalesce(max(calls), 0) from pg_stat_statements where query like '%pg_attribute%'";
        postgres.connect().await.query_one(sql, &[]).await.unwrap().get::<_, i64>(0)
    };
    assert_eq!(asked().await, 0);
    assert_eq!(one(&mut admin, "select tusk.refresh('shop')").as_deref(), Some("t"));
    let sessions: Vec<_> = (0..30)
        .map(|_| {
            let port = tusk.port();
            std::thread::spawn(move || state(&mut Raw::login(port, "ana", "tusk"), "select count(*) from shop.t"))
        })
        .collect();
    for session in sessions {
        assert_eq!(session.join().unwrap(), "ok");
    }
    assert_eq!(asked().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_down_is_served_stale_with_a_warning() {
    let mut postgres = TestPostgres::start();
    postgres.exec("create table t (a int, b text)").await;
    let cache = "[cache]\nschema_ttl = \"200ms\"\nschema_negative_ttl = \"100ms\"\n";
    let tusk = over(&postgres, "connect_timeout = \"1s\"", cache);
    let mut ana = Raw::login(tusk.port(), "ana", "tusk");
    assert_eq!(state(&mut ana, "select * from shop.t"), "ok");
    postgres.stop();
    let columns =
        "select column_name from information_schema.columns where table_schema = 'shop' order by ordinal_position";
    let warned = async || {
        let answer = ana.ask(columns);
        assert_eq!(rows(&answer), [[Some("a".to_owned())], [Some("b".to_owned())]], "{}", transcript(&answer));
        let notices: Vec<_> =
            answer.iter().filter(|message| message.tag == b'N').map(|message| message.fields()).collect();
        assert!(
            notices.iter().all(|notice| notice[&'S'] == "WARNING" && notice[&'M'].contains("\"shop\"")),
            "{notices:?}"
        );
        !notices.is_empty()
    };
    eventually("the schema is stale, and the client is told", Duration::from_secs(5), warned).await;
    let fields = error(&ana.ask("select * from shop.t"));
    assert_eq!(fields[&'C'], "08001", "{fields:?}");
    assert!(fields[&'M'].contains("shop"), "{fields:?}");
    // Up again: no restart of Tusk is needed, and the warning goes.
    postgres.start_again();
    let well = async || {
        state(&mut ana, "select * from shop.t") == "ok" && ana.ask(columns).iter().all(|message| message.tag != b'N')
    };
    eventually("the source is back", Duration::from_secs(10), well).await;
}

/// While a source is down it is not asked for every statement: the failure itself is remembered for a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_remembered() {
    let mut postgres = TestPostgres::start();
    postgres.exec("create table t (a int)").await;
    postgres.stop();
    let tusk = over(&postgres, "connect_timeout = \"1s\"", "[cache]\nschema_negative_ttl = \"1h\"\n");
    let mut ana = Raw::login(tusk.port(), "ana", "tusk");
    for _ in 0..20 {
        assert_eq!(state(&mut ana, "select * from shop.t"), "08001");
    }
    let (_, page) = tusk.page("/metrics");
    let count = |result: &str| {
        let line = page.lines().find(|line| line.contains(&format!("requests_total{{result=\"{result}\"}}")));
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
    };
    assert!(count("negative") >= 15 && count("error") <= 3, "negative {}, error {}", count("negative"), count("error"));
    postgres.start_again();
    // A refresh asks anew, however long failures are remembered (a pool may keep away from the source for a second).
    let refreshed = async || {
        one(&mut ana, "select tusk.refresh('shop')").as_deref() == Some("t")
            && state(&mut ana, "select * from shop.t") == "ok"
    };
    eventually("a refresh asks the source anew", Duration::from_secs(5), refreshed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_table_under_a_prepared_statement() {
    let postgres = TestPostgres::start();
    // A table for each route: what was changed for one is not seen again.
    for route in ROUTES {
        postgres
            .exec(&format!("create table t_{route} (a int, b text); insert into t_{route} values (1, 'one')"))
            .await;
    }
    let tusk = over(&postgres, "", "[cache]\nschema_ttl = \"1h\"\n");
    for route in ROUTES {
        changed_under_a_statement(&postgres, &tusk, route).await;
    }
}

/// Changes the table of a route while a session on that route has prepared statements.
async fn changed_under_a_statement(postgres: &TestPostgres, tusk: &Daemon, route: &str) {
    let mut ana = routed(tusk, "ana", route);
    let mut other = routed(tusk, "ana", route);
    let all = format!("select * from shop.t_{route}");
    goes(&mut ana, route, &all);
    ana.batch(&[parse("s", &all, &[]), describe(b'S', "s")]);
    let run = |raw: &mut Raw| raw.batch(&[bind("", "s", 0, &[], &[]), execute("", 0)]);
    assert_eq!(rows(&run(&mut ana)).len(), 1, "{route}");

    // Another shape: the client was told of columns that are no more. Never others in their place.
    postgres.exec(&format!("alter table t_{route} drop column a; alter table t_{route} add column a text")).await;
    // Tusk does not know yet: a refusal, never a text read as a number (four letters are an integer's four bytes).
    for content in ["now text", "four"] {
        postgres.exec(&format!("update t_{route} set a = '{content}'")).await;
        let unaware = run(&mut ana);
        let text = transcript(&unaware);
        assert!(unaware.iter().all(|message| message.tag != b'D'), "{route}: read as another type:\n{text}");
        assert!(!error(&unaware)[&'C'].starts_with("XX"), "{route}: {text}");
    }
    assert_eq!(one(&mut other, "select tusk.refresh('shop')").as_deref(), Some("t"), "{route}");
    let fields = error(&run(&mut ana));
    assert_eq!(
        (fields[&'C'].as_str(), fields[&'M'].as_str()),
        ("0A000", "cached plan must not change result type"),
        "{route}"
    );
    // Prepared anew it is right, and the old name can be used again after Close.
    let answer = ana.batch(&[parse("n", &all, &[]), bind("", "n", 0, &[], &[]), execute("", 0)]);
    assert_eq!(rows(&answer), [[Some("one".to_owned()), Some("four".to_owned())]], "{route}");

    // A change that leaves the result as it was goes unnoticed.
    ana.batch(&[parse("b", &format!("select b from shop.t_{route}"), &[]), describe(b'S', "b")]);
    postgres.exec(&format!("alter table t_{route} add column c int")).await;
    assert_eq!(one(&mut other, "select tusk.refresh('shop')").as_deref(), Some("t"), "{route}");
    let answer = ana.batch(&[bind("", "b", 0, &[], &[]), execute("", 0)]);
    assert_eq!(rows(&answer), [[Some("one".to_owned())]], "{route}");
}
