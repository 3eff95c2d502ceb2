//! Tusk seen from outside: its views, its pages over HTTP, its log, and the commands of psql.
//! Must not know: how any of it is kept.

use std::time::Duration;

use crate::harness::daemon::{Daemon, Setup};
use crate::harness::federation::{Federation, READER};
use crate::harness::postgres::{TestPostgres, eventually};
use crate::harness::raw::{Raw, bind, error, execute, parse, rows};

fn one(raw: &mut Raw, sql: &str) -> Vec<Option<String>> {
    rows(&raw.ask(sql)).into_iter().next().unwrap_or_default()
}

fn texts(row: &[Option<String>]) -> Vec<&str> {
    row.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_show_sources_sessions_and_queries() {
    let federation = Federation::start().await;
    federation.postgres.exec("create view silent as select 1 as a from pg_sleep(60)").await;
    let mut root = Raw::login(federation.tusk.port(), "root", "tusk");
    let mut ana = Raw::login(federation.tusk.port(), "ana", "tusk");
    root.ask("select tusk.refresh('shop')");
    ana.ask("set application_name = 'report'");

    let sources = rows(&root.ask("select source_name, type, up, tables > 0, error from tusk.sources order by 1"));
    let wanted = [["crm", "sqlite"], ["lake", "files"], ["shop", "postgres"]];
    for (row, [name, kind]) in sources.iter().zip(wanted) {
        assert_eq!(texts(row), [name, kind, "t", "t", "NULL"]);
    }
    assert_eq!(sources.len(), 3);

    let slow = "select a, 'marked' from shop.silent";
    ana.query(slow);
    let running =
        async || rows(&root.ask("select 1 from tusk.queries where user_name = 'ana' and remote_sql <> ''")).len() == 1;
    eventually("the statement is in tusk.queries", Duration::from_secs(60), running).await;
    let row = one(
        &mut root,
        "select user_name, role_names, application_name, route, sources, tables, query, query_id <> '', started_at <= now(), \
         duration_ms > 0, session_id, state <> '' from tusk.queries where user_name = 'ana'",
    );
    let row = texts(&row);
    assert_eq!(row[..6], ["ana", "reader", "report", "passthrough", "shop", "shop.silent"]);
    assert!(row[6].contains("from shop.silent"), "{row:?}");
    assert_eq!((row[7], row[8], row[9], row[11]), ("t", "t", "t", "t"));

    let session = one(
        &mut root,
        "select session_id, user_name, state, query, client_address from tusk.sessions where user_name = 'ana'",
    );
    let session = texts(&session);
    assert_eq!(session[0], row[10]);
    assert_eq!((session[1], session[2], session[4]), ("ana", "active", "127.0.0.1"));
    assert!(session[3].contains("from shop.silent"), "{session:?}");
    // Cancelled from the view.
    assert_eq!(texts(&one(&mut root, &format!("select pg_cancel_backend({})", row[10]))), ["t"]);
    assert_eq!(error(&ana.until(b'Z'))[&'C'], "57014");
    let idle = one(&mut root, "select state from tusk.sessions where user_name = 'ana'");
    assert_eq!(texts(&idle), ["idle"]);
    assert!(rows(&root.ask("select 1 from tusk.queries where user_name = 'ana'")).is_empty());
    // Ended from the view.
    assert_eq!(texts(&one(&mut root, &format!("select pg_terminate_backend({})", row[10]))), ["t"]);
    assert_eq!(error(&ana.until_closed())[&'C'], "57P01");
    let left = async || rows(&root.ask("select 1 from tusk.sessions where user_name = 'ana'")).is_empty();
    eventually("the session is gone", Duration::from_secs(5), left).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_and_health_over_http() {
    let mut federation = Federation::start().await;
    let mut ana = Raw::login(federation.tusk.port(), "ana", "tusk");
    assert_eq!(rows(&ana.ask("select * from shop.orders")).len(), 1500);
    ana.ask("set tusk.route = federated");
    assert_eq!(rows(&ana.ask("select * from shop.orders limit 1")).len(), 1);
    error(&ana.ask("select * from shop.nothing"));
    error(&ana.ask("selec"));
    let (status, page) = federation.tusk.page("/metrics");
    assert_eq!(status, 200);
    let value = |name: &str| {
        let line =
            page.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} is missing in\n{page}"));
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    for route in ["passthrough", "federated"] {
        assert_eq!(value(&format!("tusk_queries_total{{route=\"{route}\",status=\"ok\"}}")), 1.0);
    }
    assert!(value("tusk_pool_connections{source=\"shop\",state=\"idle\"}") >= 1.0);
    assert!(value("tusk_schema_cache_age_seconds{source=\"shop\"}") >= 0.0);
    assert_eq!(value("tusk_connections"), 1.0);
    assert_eq!(value("tusk_queries_running"), 0.0);
    assert_eq!(value("tusk_rows_returned_total"), 1501.0);
    assert!(value("tusk_bytes_returned_total") > 10_000.0);
    assert!(value("tusk_source_rows_read_total{source=\"shop\"}") >= 1500.0);
    assert!(value("tusk_query_duration_seconds_count{route=\"federated\"}") >= 1.0);
    assert_eq!(value("tusk_source_up{source=\"shop\"}"), 1.0);
    assert!(value("tusk_build_info{version=") == 1.0);
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.starts_with("tusk_") || line.starts_with("process_"), "{line}");
        assert!(!line.contains("ana") && !line.contains("select"), "{line}");
    }
    assert_eq!(federation.tusk.page("/livez").0, 200);
    let (status, ready) = federation.tusk.page("/readyz");
    assert_eq!(status, 200, "{ready}");
    assert!(ready.contains("\"shop\"") && ready.contains("\"lake\"") && ready.contains("\"crm\""), "{ready}");
    assert_eq!(federation.tusk.page("/nothing").0, 404);
    federation.postgres.stop();
    eventually("readyz tells that a source is down", Duration::from_secs(20), async || {
        federation.tusk.page("/readyz").0 == 503
    })
    .await;
    assert_eq!(federation.tusk.page("/livez").0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_psql_work() {
    let federation = Federation::start().await;
    for (command, shown) in [
        (r"\d", "customer"),
        (r"\dt", "customer"),
        (r"\dt lake.*", "lineitem"),
        (r"\d shop.orders", "o_orderdate"),
        (r"\d lake.lineitem", "numeric(15,2)"),
        (r"\d crm.nation", "n_regionkey"),
        (r"\d shop.customer", "character varying(25)"),
        (r"\dn", "shop"),
        (r"\l", "tusk"),
        (r"\conninfo", "tusk"),
        (r"\echo :SERVER_VERSION_NUM", "15"),
    ] {
        let (out, err) = federation.tusk.psql("ana", &["-c", command]);
        assert!(!err.contains("ERROR") && !err.contains("WARNING"), "{command}: {err}");
        assert!(out.contains(shown), "{command}:\n{out}{err}");
    }
    let (out, err) = federation.tusk.psql("ana", &["-At", "-c", "select version()", "-c", "show server_version"]);
    assert_eq!(err, "");
    let mut lines = out.lines();
    assert!(lines.next().unwrap().starts_with("PostgreSQL 15."), "{out}");
    assert!(lines.next().unwrap().starts_with("15."), "{out}");
}

/// SIGTERM: running statements end, idle clients are told, the exit code is 0.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_is_graceful() {
    let mut federation = Federation::start().await;
    let mut idle = Raw::login(federation.tusk.port(), "ana", "tusk");
    federation.tusk.signal("TERM");
    let messages = idle.until_closed();
    let fields = error(&messages);
    assert_eq!((fields[&'S'].as_str(), fields[&'C'].as_str()), ("FATAL", "57P01"));
    assert_eq!(federation.tusk.wait(Duration::from_secs(10)), Some(0));
    for line in federation.tusk.log().lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "a line of the log is no JSON: {line}");
    }
}

/// Whatever is asked of the log: no statement and no value of one stands in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_tells_no_statements() {
    let postgres = TestPostgres::start();
    postgres.exec("create table items as select i as id, 'item ' || i as name from generate_series(1, 9) i").await;
    let config = format!(
        "{READER}\n[[source]]\nname = \"shop\"\ntype = \"postgres\"\nurl = \"postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable\"\n",
        postgres.port()
    );
    let environment = vec![("TUSK_LOG".to_owned(), "trace".to_owned())];
    let daemon = Daemon::start(&Setup { environment, ..Setup::trusting(config) });
    let mut raw = Raw::login(daemon.port(), "ana", "tusk");
    for route in ["auto", "federated"] {
        raw.ask(&format!("set tusk.route = {route}"));
        raw.ask("select name from shop.items where name <> 'hushhush'");
        let values: &[Option<&[u8]>] = &[Some(b"hushhush")];
        raw.batch(&[
            parse("", "select id from shop.items where name = $1", &[25]),
            bind("", "", 0, values, &[]),
            execute("", 0),
        ]);
        raw.ask("begin; select name from shop.items where name = 'hushhush'; commit");
    }
    let log = daemon.log();
    assert!(log.contains("\"TRACE\"") || log.contains("\"DEBUG\"") || log.contains("\"INFO\""), "{log}");
    let told: Vec<_> = log.lines().filter(|line| line.contains("hushhush")).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}
