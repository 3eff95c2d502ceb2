//! The simple protocol: statements, tags, errors, settings, transactions.
//! Must not know: the extended protocol.

use super::{Pair, Script, none};
use crate::harness::raw::{error, rows};

/// Query messages whose answers are compared byte for byte.
const QUERIES: &[&str] = &[
    "",
    ";",
    " ; ; ",
    "-- ping",
    "/* nothing /* nested */ */",
    "select",
    "select 1",
    "select 1; select 2 as two; select 3 where false",
    "select 'a' as a, null as n, 1.50 as d, true as t, date '2024-02-29' as day, -7::bigint, 1::int2, 2.5::float8, 'x'::varchar(5)",
    "select 1; select 1 / (o_orderkey - 1) from shop.orders where o_orderkey = 1; select 2",
    "select 1; selec 2",
    "select * from shop.orders where o_orderkey < 4 order by o_orderkey",
    "select * from shop.customer where c_custkey in (3, 5) order by c_custkey",
    "select c_name, c_acctbal, c_mktsegment, o_orderdate from shop.customer join shop.orders on o_custkey = c_custkey \
     where o_orderkey = 11",
    "select count(*), sum(o_totalprice), sum(o_shippriority), avg(o_shippriority), min(o_orderdate) from shop.orders",
    "select o_orderkey from shop.orders where false",
    "table shop.orders limit 0",
    "values (1, 'one'), (2, null)",
    "select nothing from shop.orders",
    "select * from shop.nothing",
    "select nofunction(1)",
    "begin; select 1; commit",
    "begin; select 1 / (o_orderkey - 1) from shop.orders where o_orderkey = 1; commit",
    "commit",
    "rollback",
    "begin; begin; rollback",
    "start transaction isolation level repeatable read read only; show transaction_isolation; end",
    "begin; savepoint a; select 1 / (o_orderkey - 1) from shop.orders where o_orderkey = 1; rollback to a; select 5; release a; commit",
    "show standard_conforming_strings; show client_encoding; show datestyle",
    "show transaction_isolation",
    "show nothing.at_all",
    "show nothing_at_all",
    "set nothing_at_all = 1",
    "set statement_timeout = '2s'; show statement_timeout; reset statement_timeout; show statement_timeout",
    "set statement_timeout = 'soon'",
    "set timezone to 'Europe/Berlin'; show timezone; set time zone default",
    "set timezone to 'Nowhere/Land'",
    "set application_name = 'probe'; show application_name",
    "set session characteristics as transaction isolation level repeatable read; show default_transaction_isolation",
    "set extra_float_digits = 2; show extra_float_digits; reset all; show extra_float_digits",
    "begin; set local statement_timeout = 77; show statement_timeout; commit; show statement_timeout",
    "begin; set statement_timeout = 77; rollback; show statement_timeout",
    "discard all",
    "deallocate all",
    "close all",
    "unlisten *",
    "select current_user = session_user, current_database() is not null, version() like 'PostgreSQL 15.%'",
    "select 1 as \"Mixed Case\", 2 as \"with \"\"quotes\"\"\"",
    "select 'it''s', E'tab\\there', U&'\\00e4', $$dollar$$, $tag$a $$ b$tag$",
    "select 'unterminated",
    "select \"unterminated",
    "select 1 +",
    "select (1",
    "select 1)",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simple_queries_answer_as_postgresql() {
    let pair = Pair::start().await;
    let mut findings = Vec::new();
    for query in QUERIES {
        pair.compare(query, |raw| raw.ask(query), &mut findings);
    }
    none(&findings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_transaction_answers_as_postgresql() {
    let pair = Pair::start().await;
    let failed: Script = |raw| {
        let steps = [
            "begin",
            "select 1 / (o_orderkey - 1) from shop.orders where o_orderkey = 1",
            "select 1",
            "show timezone",
            "set timezone = 'UTC'",
            "savepoint a",
            "commit",
            "select 2",
        ];
        steps.iter().flat_map(|sql| raw.ask(sql)).collect()
    };
    let savepoints: Script = |raw| {
        let steps = [
            "begin",
            "savepoint a",
            "select x",
            "select 1",
            "rollback to a",
            "select 2",
            "rollback to nothing",
            "rollback",
            "rollback",
        ];
        steps.iter().flat_map(|sql| raw.ask(sql)).collect()
    };
    let one_message: Script = |raw| {
        let mut answers = raw.ask("begin; select 1 / (o_orderkey - 1) from shop.orders where o_orderkey = 1; rollback");
        answers.extend(raw.ask("select 1"));
        answers.extend(raw.ask("rollback"));
        answers
    };
    let read_only: Script = |raw| {
        let steps = [
            "begin read only",
            "show transaction_read_only",
            "commit and chain",
            "show transaction_read_only",
            "rollback",
        ];
        steps.iter().flat_map(|sql| raw.ask(sql)).collect()
    };
    pair.same(&[
        ("failed", failed),
        ("savepoints", savepoints),
        ("one message", one_message),
        ("read only", read_only),
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn start_up_reports_what_drivers_read() {
    let pair = Pair::start().await;
    let (ours, theirs) = (pair.tusk(), pair.postgres());
    // Of these the values are their own.
    let own = ["server_version", "session_authorization", "is_superuser", "TimeZone", "in_hot_standby"];
    for (name, value) in &theirs.parameters {
        let found = ours.parameters.get(name);
        assert!(found.is_some(), "{name} is not reported");
        if !own.contains(&name.as_str()) {
            assert_eq!(found, Some(value), "{name}");
        }
    }
    assert!(ours.parameters["server_version"].starts_with("15."), "{:?}", ours.parameters);
    assert_eq!(ours.parameters["is_superuser"], "off");
    assert_eq!(ours.parameters["session_authorization"], "ana");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_but_reading_is_done() {
    let pair = Pair::start().await;
    let mut tusk = pair.tusk();
    for write in [
        "insert into shop.orders (o_orderkey) values (1)",
        "delete from shop.orders",
        "update shop.orders set o_custkey = 1",
    ] {
        let fields = error(&tusk.ask(write));
        assert!(["0A000", "25006", "42501"].contains(&fields[&'C'].as_str()), "{write}: {fields:?}");
    }
    let mut postgres = pair.postgres();
    assert_eq!(rows(&postgres.ask("select count(*) from shop.orders")), [[Some("1500".to_owned())]]);
}
