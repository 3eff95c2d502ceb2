//! Rows that are handed on as they come, and other work, in turns on one connection of the source.
//! Must not know: how they share it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{passing, start, writable};
use crate::harness::postgres::{TestPostgres, eventually};
use crate::harness::raw::{Message, Raw, bind, describe, error, execute, parse, rows};

/// The server processes that serve Tusk now.
async fn serving(postgres: &TestPostgres) -> BTreeSet<i32> {
    let sql = "select pid from pg_stat_activity where application_name like 'tusk:%'";
    postgres.connect().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

fn tag(messages: &[Message]) -> String {
    let complete = messages.iter().find(|message| message.tag == b'C').expect("CommandComplete");
    String::from_utf8_lossy(complete.body.strip_suffix(&[0]).unwrap()).into_owned()
}

fn count(raw: &mut Raw, sql: &str) -> String {
    rows(&raw.ask(sql))[0][0].clone().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_serves_every_kind_of_work() {
    let (postgres, daemon) = start("pool_size = 1", "").await;
    let mut raw = passing(&daemon, "ana");
    assert_eq!(count(&mut raw, "select count(*) from shop.items"), "51");
    // The one that read the schema goes when it has.
    eventually("one connection serves", Duration::from_secs(20), async || serving(&postgres).await.len() == 1).await;
    let before = serving(&postgres).await;
    for round in 0..3 {
        // Rows in text, in binary, in both; many of them; none.
        assert_eq!(raw.ask("select * from shop.items order by id").iter().filter(|m| m.tag == b'D').count(), 51);
        let sql = "select id, name, price from shop.items where id > $1 order by id";
        let name = format!("s{round}");
        raw.batch(&[parse(&name, sql, &[23])]);
        for formats in [&[0][..], &[1], &[1, 0, 1]] {
            let some = raw.batch(&[bind("", &name, 0, &[Some(b"48")], formats), describe(b'P', ""), execute("", 0)]);
            assert_eq!(tag(&some), "SELECT 3");
            let id = &some.iter().find(|m| m.tag == b'D').unwrap().values()[0];
            let expected: &[u8] = if formats[0] == 1 { &[0, 0, 0, 49] } else { b"49" };
            assert_eq!(id.as_deref(), Some(expected));
        }
        let many = "select a.id, b.name from shop.items a, shop.items b, shop.parts p";
        assert_eq!(tag(&raw.ask(many)), format!("SELECT {}", 51 * 51 * 150));
        assert_eq!(tag(&raw.ask("select * from shop.items where id < 0")), "SELECT 0");
        // Rows in parts, and the same source read by another engine.
        let some = raw.batch(&[bind("", &name, 0, &[Some(b"0")], &[0]), execute("", 2), execute("", 2)]);
        assert_eq!(some.iter().filter(|m| m.tag == b'D').count(), 4);
        raw.ask("set tusk.route = federated");
        assert_eq!(count(&mut raw, "select count(*) from shop.parts"), "150");
        raw.ask("set tusk.route = passthrough");
        // What fails before, at and after its first row.
        assert_eq!(error(&raw.ask("select nope from shop.items"))[&'C'], "42703");
        assert_eq!(error(&raw.ask("select 1 / (id - 1) from shop.items"))[&'C'], "22012");
        assert_eq!(error(&raw.ask("select 1 / (id - 40) from shop.items order by id"))[&'C'], "22012");
        // The same where rows are not handed on as they come: nothing that fails looks like an end.
        for failing in ["1 / (id - 1)", "1 / (id - 40)"] {
            let sql = format!("select {failing} from shop.items where id < 45 order by id");
            assert_eq!(error(&raw.ask(&format!("copy ({sql}) to stdout")))[&'C'], "22012", "{failing}");
            assert_eq!(error(&raw.ask(&format!("explain analyze {sql}")))[&'C'], "22012", "{failing}");
            assert_eq!(error(&raw.ask(&format!("begin; declare c cursor for {sql}; fetch all from c")))[&'C'], "22012");
            raw.ask("rollback");
            let parts = raw.batch(&[parse("", &sql, &[]), bind("", "", 0, &[], &[0]), execute("", 1000)]);
            assert_eq!(error(&parts)[&'C'], "22012", "{failing}");
        }
        assert_eq!(count(&mut raw, "select count(*) from shop.items"), "51");
        raw.ask("begin; set local datestyle = german");
        assert_eq!(count(&mut raw, "select day from shop.items where id = 1"), "02.01.2020");
        raw.ask("commit");
        assert_eq!(count(&mut raw, "select day from shop.items where id = 1"), "2020-01-02");
    }
    assert_eq!(serving(&postgres).await, before, "a connection was given up");
    // More statements than a connection keeps.
    for number in 0..150 {
        assert_eq!(
            count(&mut raw, &format!("select {number} + id from shop.items where id = 1")),
            (number + 1).to_string()
        );
    }
    assert_eq!(serving(&postgres).await, before, "a connection was given up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn types_that_clients_declare_hold_beside_types_of_the_source() {
    let (_postgres, daemon) = start("", "").await;
    let mut raw = passing(&daemon, "ana");
    for _ in 0..2 {
        // An int8 in binary, compared with a float8; the type of `feeling` is the source's own.
        let sql = "select id, feeling from shop.items where ratio = $1";
        let seven = 7_i64.to_be_bytes();
        let found = raw.batch(&[parse("", sql, &[20]), bind("", "", 1, &[Some(&seven)], &[0]), execute("", 0)]);
        assert_eq!(rows(&found), [[Some("49".to_owned()), Some("ok".to_owned())]]);
        let sql = "select feeling from shop.items where $1 is null and id = 3";
        let found = raw.batch(&[parse("", sql, &[23]), bind("", "", 0, &[None], &[1]), execute("", 0)]);
        assert_eq!(rows(&found), [[Some("sad".to_owned())]]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_is_refused_says_why_however_it_comes() {
    let (_postgres, daemon) = writable("").await;
    let mut raw = Raw::login(daemon.port(), "wes", "tusk");
    for _ in 0..20 {
        raw.query("copy shop.stock (id, name) from stdin");
        raw.until(b'G');
        for _ in 0..30 {
            raw.send(b'd', b"x\tno number\n");
        }
        raw.send(b'c', b"");
        let refused = error(&raw.until(b'Z'));
        assert_eq!((refused[&'C'].as_str(), refused[&'W'].contains("line 1")), ("22P02", true), "{refused:?}");
    }
    raw.ask("begin");
    raw.query("copy shop.stock (id, name) from stdin");
    raw.until(b'G');
    raw.send(b'd', b"x\tno number\n");
    raw.send(b'c', b"");
    raw.until(b'Z');
    assert_eq!(error(&raw.ask("select 1"))[&'C'], "25P02");
    raw.ask("rollback");
    assert_eq!(count(&mut raw, "select count(*) from shop.stock"), "10");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_is_given_up_ends_with_its_statement() {
    let (postgres, daemon) = writable("").await;
    let mut raw = Raw::login(daemon.port(), "wes", "tusk");
    raw.query("copy shop.stock (id, name) from stdin");
    raw.until(b'G');
    raw.send(b'd', b"100\thundred\n");
    raw.cancel();
    raw.send(b'd', b"101\thundred one\n");
    raw.send(b'c', b"");
    assert_eq!(error(&raw.until(b'Z'))[&'C'], "57014");
    let idle = "select count(*) from pg_stat_activity where application_name like 'tusk:%' and state <> 'idle'";
    let client = postgres.connect().await;
    eventually("the load has ended", Duration::from_secs(2), async || {
        client.query_one(idle, &[]).await.unwrap().get::<_, i64>(0) == 0
    })
    .await;
    assert_eq!(count(&mut raw, "select count(*) from shop.stock"), "10");
    raw.query("copy shop.stock (id, name) from stdin");
    raw.until(b'G');
    raw.send(b'd', b"100\thundred\n");
    raw.send(b'c', b"");
    assert_eq!(tag(&raw.until(b'Z')), "COPY 1");
    assert_eq!(count(&mut raw, "select count(*) from shop.stock"), "11");
}
