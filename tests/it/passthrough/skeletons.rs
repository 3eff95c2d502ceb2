//! Statements that differ in the values of their constants only: the source describes the first of them, and each says what it says.
//! Must not know: how that is kept.

use super::same::{oracle, seen};
use super::{passing, start};
use crate::harness::raw::rows;

/// Statements with a place for a constant, and constants for it.
const ALIKE: &[(&str, &[&str])] = &[
    ("select id, name, price from shop.items where id = ?", &["1", "2", "5000000000", "'3'", "'x'", "1.0", "-7", "99"]),
    ("select ?, ? + id from shop.emps where id < 3 order by 1, 2", &["1", "70000", "3000000000", "2.50", "'4'", "'z'"]),
    (
        "select id from shop.items where made > ? order by id limit 2",
        &["'2020-02-01'", "'2020-02-10 12:00+02'", "'never'", "5"],
    ),
    (
        "select ?::numeric(5, 2), ?::varchar(3), ?::date from shop.emps where id = 1",
        &["'2020-01-01'", "'7'", "'123456'"],
    ),
    ("select name, feeling from shop.items where feeling = ? order by id limit 1", &["'sad'", "'happy'", "'nonsense'"]),
    ("select 10 / ?, doc -> ? from shop.items where id < 3 order by id", &["2", "0", "5"]),
    ("select row(id, ?), tags || ?::text from shop.items where id = 4", &["'a'", "'b'"]),
    ("select name from shop.emps order by ? limit ?", &["1", "2"]),
    ("select distinct on (id) id, ? from shop.emps order by id", &["'a'", "1", "null"]),
    ("select * from shop.emps where name = ? or true order by ?", &["'O''Neil \\'", "1", "9"]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_says_what_the_source_says_of_it() {
    let (postgres, daemon) = start("", "").await;
    let (mut ours, mut theirs) = (passing(&daemon, "ana"), oracle(postgres.port()));
    for (sql, constants) in ALIKE {
        for constant in constants.iter().chain(*constants) {
            let sql = sql.replace('?', constant);
            let (a, b) = (seen(&ours.ask(&sql)), seen(&theirs.ask(&sql)));
            // The oid of an enum is its own in each database.
            let a_b_differ = if sql.contains("feeling") { a.len() != b.len() || a.last() != b.last() } else { a != b };
            assert!(!a_b_differ, "{sql}\n{a:?}\n{b:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_at_the_source_is_seen_by_the_next() {
    let (postgres, daemon) = start("", "[cache]\nschema_ttl = \"1h\"\n").await;
    let mut ana = passing(&daemon, "ana");
    let name = |id: u32| format!("select item, part from shop.parts where item = {id} order by part limit 1");
    assert_eq!(rows(&ana.ask(&name(1))), [[Some("1".to_owned()), Some("1".to_owned())]]);
    assert_eq!(rows(&ana.ask(&name(2)))[0][0].as_deref(), Some("2"));
    postgres.exec("alter table parts alter part type numeric(6, 2)").await;
    let answer = ana.ask(&name(3));
    assert_eq!(rows(&answer), [[Some("3".to_owned()), Some("1.00".to_owned())]], "{:?}", seen(&answer));
    let columns = answer.iter().find(|message| message.tag == b'T').unwrap().columns();
    assert_eq!(columns[1].oid, 1700);
    postgres.exec("alter table parts drop column part").await;
    let gone = ana.ask(&name(4));
    assert_eq!(crate::harness::raw::error(&gone)[&'C'], "42703", "{:?}", seen(&gone));
}
