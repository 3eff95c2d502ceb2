//! EXPLAIN: where a statement runs, why, and what each source is sent.
//! Must not know: how plans are made.

use std::time::Duration;

use crate::harness::federation::{Federation, over};
use crate::harness::postgres::{TestPostgres, eventually};
use crate::harness::raw::{Raw, error, rows};
use crate::harness::routes::{goes, routed};

fn plan(raw: &mut Raw, sql: &str) -> String {
    rows(&raw.ask(sql)).into_iter().map(|row| row[0].clone().unwrap()).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn route_reason_and_remote_sql() {
    let federation = Federation::start().await;
    let mut tusk = Raw::login(federation.tusk.port(), "ana", "tusk");

    let text = plan(&mut tusk, "explain select 1");
    assert!(text.contains("Route: catalog (reads no table)"), "{text}");
    let text = plan(&mut tusk, "explain select * from tusk.sources");
    assert!(text.contains("Route: catalog"), "{text}");

    let one =
        "explain select o_orderkey from shop.orders where o_custkey = 7 and o_orderdate >= date '1995-01-01' limit 3";
    let text = plan(&mut tusk, one);
    assert!(text.contains("Route: passthrough (every relation is in shop)"), "{text}");
    let sent = text.lines().find(|line| line.starts_with("Sent to shop: ")).unwrap_or_else(|| panic!("{text}"));
    assert!(sent.contains("FROM \"public\".\"orders\"") && sent.contains("LIMIT 3"), "{sent}");
    tusk.ask("set tusk.route = federated");
    let text = plan(&mut tusk, one);
    tusk.ask("reset tusk.route");
    assert!(text.contains("Route: federated (reads one source: shop)"), "{text}");
    let sent = text.lines().find(|line| line.starts_with("Sent to shop: ")).unwrap_or_else(|| panic!("{text}"));
    // Projection, filters and limit go to the source; columns that nobody asked for do not come.
    for wanted in ["o_orderkey", "o_custkey", "orders", "7", "1995-01-01", "LIMIT 3"] {
        assert!(sent.contains(wanted), "{wanted} is missing in: {sent}");
    }
    assert!(!sent.contains("o_totalprice") && !sent.contains("o_shippriority"), "{sent}");

    let join = "select n.n_name, count(*) from shop.customer c join crm.nation n on n.n_nationkey = c.c_nationkey \
                join lake.rates r on r.year = 1995 where n.n_name = 'NATION 03' group by 1";
    let text = plan(&mut tusk, &format!("explain {join}"));
    assert!(text.contains("Route: federated (reads 3 sources: crm, lake, shop)"), "{text}");
    assert!(text.contains("Sent to shop: ") && text.contains("Sent to crm: "), "{text}");
    let sent = text.lines().find(|line| line.starts_with("Sent to crm: ")).unwrap();
    assert!(sent.contains("NATION 03"), "the filter stays with Tusk: {sent}");

    let text = plan(&mut tusk, &format!("explain analyze {join}"));
    assert!(text.contains("Rows: 1") && text.contains("Execution Time: "), "{text}");
    assert!(text.contains("Read from sources: "), "{text}");
    assert_eq!(error(&tusk.ask("explain select * from shop.nothing"))[&'C'], "42P01");
    assert_eq!(error(&tusk.ask("explain analyze insert into shop.orders values (1)"))[&'S'], "ERROR");
}

/// What the source runs is what EXPLAIN says, to the letter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_source_runs_what_explain_says() {
    let postgres = TestPostgres::start();
    postgres.exec("create view silent as select 1 as a, random()::text as b from pg_sleep(60)").await;
    let daemon = over(&postgres, "", "");
    let mut tusk = Raw::login(daemon.port(), "ana", "tusk");
    let sql = r"select a from shop.silent where b = 'it''s \ '";
    let text = plan(&mut tusk, &format!("explain {sql}"));
    let sent = text
        .lines()
        .find_map(|line| line.strip_prefix("Sent to shop: "))
        .unwrap_or_else(|| panic!("{text}"))
        .to_owned();
    tusk.query(sql);
    let watch = postgres.connect().await;
    let running = "select count(*) from pg_stat_activity where state = 'active' and position($1 in query) > 0 and pid <> pg_backend_pid()";
    eventually(&format!("the source runs {sent}"), Duration::from_secs(20), async || {
        watch.query_one(running, &[&sent]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;
    tusk.cancel();
    assert_eq!(error(&tusk.until(b'Z'))[&'C'], "57014");
}

/// Texts that have broken out of literals elsewhere.
const NASTY: &[&str] = &[
    r"\') UNION ALL SELECT secret FROM salaries --",
    r"\",
    r"'",
    r"''",
    r"\'",
    r"\\'",
    r"--",
    "line\nbreak",
    "E'x'",
    r#"\") OR 1=1 --"#,
    "$$ $1 ?",
    "ä€😀",
    "",
    " WHERE 1=0 LIMIT 1 ",
];

/// A literal means at the source what the user wrote: it finds its own row and no other, in every kind of source, whichever way it is sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn literals_and_names_reach_sources_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = TestPostgres::start();
    let connection = postgres.connect().await;
    let sqlite = rusqlite::Connection::open(folder.path().join("crm.db")).unwrap();
    let table = r#"create table "Odd ""name""\" (id integer, "co""l\'" text)"#;
    connection
        .batch_execute(&format!("{table}; create table salaries (secret text); insert into salaries values ('secret')"))
        .await
        .unwrap();
    sqlite
        .execute_batch(&format!("{table}; create table salaries (secret text); insert into salaries values ('secret')"))
        .unwrap();
    for (id, text) in NASTY.iter().enumerate() {
        let id = id as i32;
        connection.execute(r#"insert into "Odd ""name""\" values ($1, $2)"#, &[&id, text]).await.unwrap();
        sqlite.execute(r#"insert into "Odd ""name""\" values (?, ?)"#, (id, *text)).unwrap();
    }
    let source = format!(
        "[[source]]\nname = \"crm\"\ntype = \"sqlite\"\npath = \"{}\"\n",
        folder.path().join("crm.db").display()
    );
    let daemon = over(&postgres, "", &source);
    // SQL for PostgreSQL is printed from the statement as a whole, or from a filter that goes to the source.
    for (schema, route) in [("shop", "auto"), ("shop", "federated"), ("crm", "auto")] {
        let mut tusk = routed(&daemon, "ana", route);
        if schema == "shop" {
            goes(&mut tusk, route, r#"select id from shop."Odd ""name""\""#);
        }
        for (id, text) in NASTY.iter().enumerate() {
            let sql = format!(
                r#"select id, "co""l\'" as "x\"" FROM salaries --" from {schema}."Odd ""name""\" where "co""l\'" = '{}'"#,
                text.replace('\'', "''")
            );
            let found = rows(&tusk.ask(&sql));
            assert_eq!(found, [[Some(id.to_string()), Some((*text).to_owned())]], "{route}: {sql}");
            let prefix: String = text.chars().take(3).collect::<String>().replace('\'', "''");
            let like = format!(
                r#"select count(*) from {schema}."Odd ""name""\" where left("co""l\'", 3) = '{prefix}' and "co""l\'" >= '{prefix}'"#
            );
            assert_ne!(rows(&tusk.ask(&like))[0][0].as_deref(), Some("0"), "{route}: {like}");
        }
    }
}
