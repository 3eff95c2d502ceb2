//! COPY TO STDOUT as it streams: what a role may copy, limits, clients that leave, real clients.
//! Must not know: how rows are encoded inside.

use std::time::Duration;

use futures::TryStreamExt;

use super::Pair;
use super::kinds;
use crate::harness::federation::over;
use crate::harness::postgres::{TestPostgres, eventually};
use crate::harness::raw::{Raw, error, transcript};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_copies_what_it_may_read_and_no_more() {
    let pair = Pair::start().await;
    let mut bob = Raw::login(pair.federation.tusk.port(), "bob", "tusk");
    let mut copied = |sql: &str| {
        let answer = bob.ask(sql);
        match answer.iter().find(|message| message.tag == b'E') {
            Some(message) => format!("{} {}", message.fields()[&'C'], message.fields()[&'M']),
            None => String::from_utf8(answer.iter().find(|m| m.tag == b'd').unwrap().body.clone()).unwrap(),
        }
    };
    assert_eq!(copied("copy shop.orders to stdout csv header"), "o_orderkey,o_custkey,o_orderdate\n");
    assert_eq!(copied("copy (select * from shop.orders) to stdout csv header"), "o_orderkey,o_custkey,o_orderdate\n");
    let missing = "42703 column \"o_totalprice\" of relation \"orders\" does not exist";
    assert_eq!(copied("copy shop.orders (o_totalprice) to stdout"), missing);
    assert_eq!(copied("copy shop.orders to stdout csv force quote o_totalprice"), missing);
    assert_eq!(copied("copy shop.customer to stdout"), "42P01 relation \"shop.customer\" does not exist");
    assert_eq!(copied("copy crm.nation to stdout"), "3F000 schema \"crm\" does not exist");
    assert_eq!(copied("copy nosuch.nation to stdout"), "3F000 schema \"nosuch\" does not exist");
    assert_eq!(copied("copy tusk.sessions to stdout"), "42809 cannot copy from view \"sessions\"");
    for (sql, code) in [
        ("copy shop.orders to '/tmp/tusk.txt'", "42501"),
        ("copy shop.orders from '/etc/passwd'", "42501"),
        ("copy (select 1) to program 'id'", "42501"),
        ("copy shop.orders from program 'id'", "42501"),
        ("copy shop.orders from stdin", "25006"),
        ("copy lake.rates from stdin", "25006"),
        ("copy pg_class from stdin", "25006"),
        ("copy shop.customer from stdin", "42P01"),
    ] {
        assert_eq!(copied(sql).split(' ').next(), Some(code), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_stream_and_end_with_their_client() {
    let postgres = TestPostgres::start();
    postgres
        .exec(
            "create unlogged table big as select g::bigint as id, md5(g::text) as hash, g * 1.5 as amount \
             from generate_series(1, 2000000) g; analyze big",
        )
        .await;
    let tusk = over(&postgres, "", "");
    let watch = postgres.connect().await;
    let running = async || {
        let sql = "select count(*) from pg_stat_activity where state = 'active' and application_name <> 'harness' \
                   and backend_type = 'client backend'";
        watch.query_one(sql, &[]).await.unwrap().get::<_, i64>(0)
    };
    let gone = async |what: &str| {
        eventually(what, Duration::from_secs(5), async || running().await == 0).await;
    };
    Raw::login(tusk.port(), "ana", "tusk").ask("copy (select 1 from shop.big limit 1) to stdout");
    for format in ["binary", "csv", ""] {
        let mut raw = Raw::login(tusk.port(), "ana", "tusk");
        let before = tusk.resident();
        raw.query(&format!("copy shop.big to stdout {format}"));
        while raw.read().tag != b'd' {}
        assert_eq!(running().await, 1, "{format}: the source had finished before the first row came");
        let (mut count, mut most) = (1, 0);
        let tag = loop {
            let message = raw.read();
            match message.tag {
                b'd' => count += 1,
                b'C' => break String::from_utf8(message.body).unwrap(),
                b'c' => {}
                _ => panic!("{}", transcript(&[message])),
            }
            if count % 50_000 == 0 {
                most = most.max(tusk.resident());
            }
        };
        assert_eq!((count, tag.as_str()), (2_000_000 + i32::from(format == "binary"), "COPY 2000000\0"), "{format}");
        let growth = most.saturating_sub(before) >> 20;
        eprintln!("copy {format}: grew by {growth} MiB");
        assert!(growth < 100, "{format}: grew by {growth} MiB");
    }
    // A client that does not read holds the source back, and a cancel reaches it.
    let mut raw = Raw::login(tusk.port(), "ana", "tusk");
    raw.query("copy shop.big to stdout");
    let waits = "select count(*) from pg_stat_activity where wait_event = 'ClientWrite'";
    eventually("the source waits for a client that does not read", Duration::from_secs(30), async || {
        watch.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;
    raw.cancel();
    gone("a cancelled COPY").await;
    let answer = raw.until(b'Z');
    assert_eq!((error(&answer)[&'C'].as_str(), kinds(&answer).as_str()), ("57014", "HdEZ"));
    // A timeout, and a client that goes away.
    raw.ask("set statement_timeout = '300ms'");
    raw.query("copy shop.big to stdout (format binary)");
    gone("a COPY that took too long").await;
    assert_eq!(error(&raw.until(b'Z'))[&'C'], "57014");
    raw.ask("set statement_timeout = 0");
    raw.query("copy shop.big to stdout");
    while raw.read().tag != b'd' {}
    raw.reset();
    gone("a COPY without its client").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold_for_copies() {
    let pair = Pair {
        federation: crate::harness::federation::Federation::start_with(
            "",
            "[[role]]\nname = \"few\"\nmember_of = [\"reader\"]\n[role.limits]\nmax_rows = 10\n[[user]]\nname = \"fay\"\nroles = [\"few\"]\n",
        )
        .await,
    };
    let mut fay = Raw::login(pair.federation.tusk.port(), "fay", "tusk");
    assert_eq!(kinds(&fay.ask("copy (select * from shop.orders limit 10) to stdout")), "HdcCZ");
    let answer = fay.ask("copy shop.orders to stdout");
    assert_eq!((error(&answer)[&'C'].as_str(), kinds(&answer).ends_with("EZ")), ("54000", true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_copy_out() {
    let pair = Pair::start().await;
    let client = pair.federation.tusk.connect("ana").await;
    let oracle = pair.federation.oracle().await;
    for sql in [
        "copy shop.customer to stdout (format binary)",
        "copy (select * from shop.orders order by o_orderkey) to stdout with csv header",
        "copy shop.orders to stdout",
    ] {
        let mut all = Vec::new();
        for client in [&client, &oracle] {
            let stream = client.copy_out(sql).await.unwrap();
            let parts: Vec<bytes::Bytes> = stream.try_collect().await.unwrap();
            all.push(parts.concat());
        }
        assert!(all[0] == all[1], "{sql}");
    }
    let Ok(python) = std::env::var("TUSK_TEST_PYTHON") else {
        return eprintln!("psycopg: skipped, TUSK_TEST_PYTHON is not set (tests/run.sh sets it)");
    };
    let script = r#"
import sys, psycopg
from decimal import Decimal
out = []
for port, user, db in ((sys.argv[1], "ana", "tusk"), (sys.argv[2], "postgres", "oracle")):
    with psycopg.connect(host="127.0.0.1", port=port, user=user, dbname=db, autocommit=True) as c:
        got = []
        with c.cursor() as cur:
            with cur.copy("copy (select o_orderkey, o_totalprice, o_orderdate from shop.orders order by 1) to stdout (format binary)") as copy:
                copy.set_types(["int8", "numeric", "date"])
                got.append(list(copy.rows()))
            with cur.copy("copy (select c_custkey, c_name from shop.customer order by 1) to stdout") as copy:
                got.append(list(copy.rows()))
            with cur.copy("copy shop.orders to stdout with csv header") as copy:
                got.append(b"".join(bytes(b) for b in copy))
            try:
                with cur.copy("copy (select 1 / (o_orderkey - 1400) from shop.orders order by o_orderkey) to stdout") as copy:
                    for row in copy.rows(): pass
                got.append("no error")
            except psycopg.errors.DivisionByZero as e:
                got.append(e.sqlstate)
        out.append(got)
assert len(out[0][0]) == 1500, len(out[0][0])
assert out[0] == out[1], "differ"
"#;
    let (tusk, postgres) = (pair.federation.tusk.port().to_string(), pair.federation.postgres.port().to_string());
    let ran = std::process::Command::new(python).args(["-c", script, &tusk, &postgres]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
