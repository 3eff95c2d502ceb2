//! Prepared statements of SQL, which share their names with those of Parse.
//! Must not know: cursors.

use super::{Pair, Script, none};
use crate::harness::raw::{Message, Raw, bind, describe, execute, parse};

/// Messages in one session each, `|` between them.
const SESSIONS: &[&str] = &[
    "prepare a as select 1 | execute a | execute a(1, 2) | deallocate a | execute a | deallocate a | deallocate prepare all",
    "prepare a as select 1 | prepare a as select 2 | prepare a as select * from shop.nothing | execute a | deallocate prepare a | prepare a as select 2 \
     | execute a",
    "prepare b(int, foo) as select 1",
    "prepare b(int) as select $1 + 1, $2 | execute b(1) | execute b('x', 'y') | execute b(1.5, 'y') | execute b(true, 'y') \
     | execute b(12345678901, 'y') | execute b('1'::text, 'y') | execute b(null, null) | execute b(2 + 3, upper('y')) | execute b(-7, 5)",
    "prepare b(int) as select $1 | execute b((select 1)) | execute b(sum(1)) | execute b(row_number() over ()) | execute b(generate_series(1, 3)) \
     | execute b(x) | execute b($1) | execute b(1,2,3) | execute b",
    "prepare k(bigint, text, date, numeric, bool, timestamptz, float8) as select $1, $2, $3, $4, $5, $6, $7 \
     | execute k(5, 'five', '2024-02-29', 1.50, true, '2024-01-01 00:00:00+00', 2.5) | execute k(5, 5, null, 5, 'f', null, 5) \
     | execute k(5, 5, '2024-02-30', 5, 'f', null, 5) | execute k('5', date '2024-01-01', current_date - current_date + date '2024-01-01', -0.10, 1=2, null, 1/4.0) \
     | execute k(5, 5, 20240101, 5, 'f', null, 5)",
    "prepare o(bigint) as select o_orderkey, o_totalprice from shop.orders where o_orderkey = $1 | execute o(5) | execute o('7') | execute o(-1) \
     | execute o(99999999999999999999)",
    "prepare n as select n_name from crm.nation where n_nationkey < $1 order by n_nationkey | execute n(3) | begin | execute n(2) | commit",
    "prepare f as select 1 / (o_orderkey - $1) from shop.orders where o_orderkey = 1 | execute f(2) | execute f(1) | begin | execute f(1) | execute f(2) | rollback",
    "execute nothing | execute nothing(1) | begin | execute nothing | rollback",
    "prepare z as select 1; execute z; execute z; deallocate z; select 2",
    "prepare z as set datestyle = 'ISO'",
    "prepare z as prepare y as select 1",
    "prepare as select 1",
    "prepare z as",
    "execute z(1",
    "prepare p(int) as select $1 as a | select count(*) from pg_prepared_statements where name = 'p' and from_sql | deallocate all \
     | select count(*) from pg_prepared_statements",
    "begin | prepare p as select 1 | rollback | execute p",
    "begin | execute nothing | prepare q as select 1 | rollback | execute q",
    "discard all | prepare p as select 1 | discard all | execute p | prepare p as select 3 | discard plans | execute p",
    "prepare e(int) as select $1 | explain execute e | explain execute e('x') | explain execute nothing",
];

fn play(raw: &mut Raw, session: &str) -> Vec<Message> {
    session.split(" | ").flat_map(|message| raw.ask(message.trim())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prepared_statements_answer_as_postgresql() {
    let pair = Pair::start().await;
    let mut findings = Vec::new();
    for session in SESSIONS {
        pair.compare(session, |raw| play(raw, session), &mut findings);
    }
    none(&findings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parse_and_prepare_share_their_names() {
    let pair = Pair::start().await;
    let executed: Script = |raw| {
        let mut all =
            raw.batch(&[parse("s", "select o_orderkey from shop.orders where o_orderkey < $1 order by 1", &[])]);
        all.extend(raw.ask("execute s(4)"));
        all.extend(raw.ask("prepare s as select 1"));
        all.extend(raw.ask("deallocate s"));
        all.extend(raw.batch(&[bind("", "s", 0, &[Some(b"3")], &[])]));
        all.extend(raw.batch(&[parse("t", "show datestyle", &[])]));
        all.extend(raw.ask("execute t"));
        all.extend(raw.batch(&[parse("c", "commit", &[])]));
        all.extend(raw.ask("begin"));
        all.extend(raw.ask("execute c"));
        all
    };
    let bound: Script = |raw| {
        let mut all = raw.batch(&[
            parse("z", "prepare pp(int) as select $1 + 1 as r", &[]),
            describe(b'S', "z"),
            bind("", "z", 0, &[], &[]),
            describe(b'P', ""),
            execute("", 0),
        ]);
        all.extend(raw.batch(&[
            parse("w", "execute pp(3)", &[]),
            describe(b'S', "w"),
            bind("", "w", 0, &[], &[1]),
            describe(b'P', ""),
            execute("", 1),
            execute("", 1),
        ]));
        all.extend(raw.batch(&[
            describe(b'S', "pp"),
            bind("", "pp", 0, &[Some(b"8")], &[]),
            describe(b'P', ""),
            execute("", 0),
        ]));
        all.extend(raw.ask("execute z"));
        all.extend(raw.ask("deallocate all; execute z"));
        all
    };
    let missing: Script = |raw| {
        raw.batch(&[
            parse("y", "execute nothing", &[]),
            describe(b'S', "y"),
            bind("", "y", 0, &[], &[]),
            describe(b'P', ""),
            execute("", 0),
        ])
    };
    let in_parts: Script = |raw| {
        let mut all = raw.ask("prepare n as select n_nationkey from crm.nation order by 1 limit 6");
        all.extend(raw.ask("begin"));
        all.extend(raw.batch(&[parse("", "execute n", &[]), bind("p", "", 0, &[], &[]), execute("p", 4)]));
        all.extend(raw.batch(&[execute("p", 4), execute("p", 4)]));
        all.extend(raw.ask("commit"));
        all
    };
    pair.same(&[("executed", executed), ("bound", bound), ("missing", missing), ("in parts", in_parts)]);
}

/// A statement that executes itself ends in an error, not in a full stack.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn execute_of_itself_ends() {
    let pair = Pair::start().await;
    let mut tusk = pair.tusk();
    let answer = tusk.batch(&[parse("r", "execute r", &[]), bind("", "r", 0, &[], &[]), execute("", 0)]);
    assert_eq!(crate::harness::raw::error(&answer)[&'C'], "54001");
    // Nor does a chain of portals that fetch from each other.
    let mut chain = vec![parse("last", "select 1", &[]), bind("p0", "last", 0, &[], &[])];
    for portal in 1..200 {
        chain.push(parse("", &format!("fetch 1 from p{}", portal - 1), &[]));
        chain.push(bind(&format!("p{portal}"), "", 0, &[], &[]));
    }
    chain.push(execute("p199", 0));
    assert_eq!(crate::harness::raw::error(&tusk.batch(&chain))[&'C'], "54001");
    assert_eq!(crate::harness::raw::rows(&tusk.ask("select 1")).len(), 1);
}
