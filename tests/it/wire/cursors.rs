//! Cursors of SQL, in both protocols: DECLARE, FETCH, MOVE, CLOSE, beside portals of the same names.
//! Must not know: how rows are kept.

use super::{Pair, Script, none};
use crate::harness::raw::{Message, Raw, bind, close, describe, execute, parse};

/// Messages in one session each, `|` between them.
const SESSIONS: &[&str] = &[
    // Outside a block, twice, nowhere.
    "declare c cursor for select 1 | select 2",
    "declare c cursor for select * from shop.nothing",
    "declare c cursor for select 1; fetch 1 from c; fetch 1 from c",
    "declare c scroll no scroll cursor for select 1",
    "declare c insensitive asensitive cursor for select 1",
    "begin | declare c insensitive cursor without hold for select 1 | declare c cursor for select 2 | rollback",
    "close nothing | fetch nothing | move nothing | close all",
    "begin | fetch 1 from nothing | select 1 | rollback",
    "select 5; fetch 1 from nothing; select 6",
    "fetch 3000000000 from c",
    "fetch absolute -9999999999 c",
    "fetch foo bar c",
    // Every direction.
    "begin | declare c cursor for select o_orderkey from shop.orders order by 1 limit 5 | fetch all c | fetch backward 2 c | fetch 0 c \
     | move 0 c | move backward all c | fetch c | fetch absolute 3 c | fetch relative -1 c | fetch last c | fetch first c | move last c \
     | fetch c | fetch 0 c | move 0 c | fetch prior c | fetch next from c | fetch next in c | fetch forward c | fetch backward all c \
     | fetch forward -2 c | fetch backward -3 c | fetch -1 c | fetch +2 c | fetch absolute 0 c | fetch relative 0 c | fetch relative 2 c \
     | move forward 2 c | move all c | move c | move prior c | move absolute -2 c | fetch 1 c | close c | fetch c | rollback",
    "begin | declare c no scroll cursor for select o_orderkey from shop.orders order by 1 | fetch 3 c | fetch absolute 5 c | move 10 c \
     | fetch c | move absolute 20 c | move absolute 20 c | rollback",
    "begin | declare c no scroll cursor for select o_orderkey from shop.orders order by 1 | fetch backward all c | rollback",
    "begin | declare c no scroll cursor for select o_orderkey from shop.orders order by 1 | move backward all c | fetch 1 c \
     | move backward all c | rollback",
    "begin | declare c no scroll cursor for select o_orderkey from shop.orders order by 1 | fetch 2 c | fetch 0 c | rollback",
    "begin | declare c cursor for select count(*) from shop.orders | fetch c | fetch prior c | rollback",
    "begin | declare c scroll cursor for select count(*) from shop.orders | fetch c | fetch prior c | fetch c | fetch c | rollback",
    "begin | declare c cursor for select n_name from crm.nation order by n_nationkey | fetch 2 c | fetch prior c | fetch last c | rollback",
    "begin | declare c cursor for select o_orderkey from shop.orders where false | fetch c | fetch prior c | fetch c | move all c | rollback",
    "begin | declare \"A B\" cursor for values (1, 'x'), (2, null) | fetch 5 from \"A B\" | close \"A B\" | commit",
    // Lives.
    "begin | declare c cursor for select 1 | commit | fetch c",
    "begin | declare c cursor for select 1 | rollback | fetch c",
    "begin | declare c cursor for select 1 | savepoint s | declare d cursor for select 2 | declare c cursor for select 3 | rollback to s \
     | fetch d | rollback to s | fetch c | release s | rollback",
    "begin | savepoint s | declare c cursor for select 1 | release s | fetch c | savepoint t | rollback to t | fetch prior c | rollback",
    "begin | declare c cursor for select o_orderkey from shop.orders order by 1 | fetch c | savepoint s | fetch 2 c | rollback to s \
     | fetch c | close c | commit",
    "begin | declare c no scroll cursor for select o_orderkey from shop.orders order by 1 | savepoint s | fetch 2 c | fetch prior c \
     | rollback to s | fetch c | rollback to s | close c | commit",
    "begin; declare c cursor for select 1; close c; fetch 1 from c | rollback",
    "begin | declare c cursor for select 1 | discard all | rollback",
    "begin | declare c cursor for select o_orderkey from shop.orders order by 1 limit 3 | close all | fetch c | rollback",
    // WITH HOLD.
    "declare h cursor with hold for select o_orderkey from shop.orders order by 1 limit 4 | fetch 2 h | begin | fetch h | rollback | fetch 2 h \
     | fetch prior h | close h | fetch h",
    "begin | declare h cursor with hold for select o_orderkey from shop.orders order by 1 limit 4 | fetch 2 h | rollback | fetch h",
    "begin | declare h scroll cursor with hold for select o_orderkey from shop.orders order by 1 limit 4 | fetch 2 h | commit | fetch h \
     | fetch absolute 1 h | fetch last h | savepoint x | close h",
    "begin | declare h no scroll cursor with hold for select o_orderkey from shop.orders order by 1 limit 4 | fetch 2 h | commit \
     | fetch absolute 3 h | fetch 0 h | fetch h | close h | close h",
    "begin | declare h cursor with hold for select 1 | savepoint s | select 1 / (o_orderkey - 1) from shop.orders where o_orderkey = 1 | rollback to s \
     | commit | fetch h | discard all | fetch h",
    "BEGIN;declare \"SQL_CUR0x1\" cursor with hold for select o_orderkey from shop.orders order by 1;fetch 3 in \"SQL_CUR0x1\" \
     | fetch 2 in \"SQL_CUR0x1\" | COMMIT | fetch 2 in \"SQL_CUR0x1\" | close \"SQL_CUR0x1\"",
    "declare h cursor with hold for select o_orderkey from shop.orders order by 1 limit 2; commit | fetch all h",
    "declare h cursor with hold for select 1 / (o_orderkey - 3) from shop.orders order by o_orderkey | fetch h",
    "begin | declare h cursor with hold for select 1 / (o_orderkey - 3) from shop.orders where o_orderkey = 3 | commit | fetch h",
    "declare h cursor with hold for select 1 / (o_orderkey - 3) from shop.orders where o_orderkey = 3; select 7 | select 8",
    "START TRANSACTION ISOLATION LEVEL REPEATABLE READ | DECLARE c1 CURSOR FOR SELECT o_orderkey FROM shop.orders ORDER BY 1 LIMIT 7 \
     | FETCH 4 FROM c1 | FETCH 4 FROM c1 | MOVE BACKWARD ALL IN c1 | FETCH 4 FROM c1 | CLOSE c1 | COMMIT TRANSACTION",
    // BINARY, and errors without a description.
    "begin; declare c binary cursor for select 1::int4, 2::int8, 1.5::numeric, 'x'::text; fetch 1 from c | move 1 c | fetch prior c | rollback",
    "begin; declare c cursor for select 1 / (o_orderkey - 1) from shop.orders where o_orderkey = 1; fetch all from c | rollback",
    "begin; declare c cursor for select 1/0",
    "begin | declare c cursor for select 1 | select count(*) from pg_cursors where name = 'c' and not is_holdable and not is_binary and not is_scrollable | rollback",
    "begin | declare c binary scroll cursor with hold for select 1 | commit | select count(*) from pg_cursors where name = 'c' and is_holdable and is_binary and is_scrollable \
     | close all | select count(*) from pg_cursors",
    "begin | declare c cursor for select * from shop.nothing | rollback",
    "explain (costs off) declare c cursor for select * from shop.nothing",
];

fn play(raw: &mut Raw, session: &str) -> Vec<Message> {
    session.split(" | ").flat_map(|message| raw.ask(message.trim())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cursors_answer_as_postgresql() {
    let pair = Pair::start().await;
    let mut findings = Vec::new();
    for session in SESSIONS {
        pair.compare(session, |raw| play(raw, session), &mut findings);
    }
    none(&findings);
}

/// A small generator of numbers, the same in every run.
fn random(seed: &mut u64, below: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % below
}

fn direction(seed: &mut u64) -> String {
    let small = random(seed, 13) as i64 - 6;
    let large = random(seed, 3200) as i64 - 1600;
    match random(seed, 14) {
        0 => "next".into(),
        1 => "prior".into(),
        2 => "first".into(),
        3 => "last".into(),
        4 => format!("absolute {small}"),
        5 => format!("absolute {large}"),
        6 => format!("relative {small}"),
        7 => format!("relative {large}"),
        8 => format!("{small}"),
        9 => format!("forward {large}"),
        10 => format!("backward {small}"),
        11 => "backward all".into(),
        12 => "forward all".into(),
        _ => format!("{large}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_way_among_the_rows_is_postgresqls() {
    let pair = Pair::start().await;
    let mut findings = Vec::new();
    for round in 0..12u64 {
        let walk = |raw: &mut Raw| {
            let mut seed = round + 1;
            let (scroll, hold) = [("scroll", ""), ("", ""), ("scroll", "with hold")][round as usize % 3];
            let limit = [0, 1, 3, 1500, 40][random(&mut seed, 5) as usize];
            let mut all = raw.ask("begin");
            all.extend(raw.ask(&format!(
                "declare c {scroll} cursor {hold} for select o_orderkey, o_custkey from shop.orders order by o_orderkey limit {limit}"
            )));
            for step in 0..40 {
                if step == 20 && !hold.is_empty() {
                    all.extend(raw.ask("commit"));
                }
                let verb = if random(&mut seed, 3) == 0 { "move" } else { "fetch" };
                all.extend(raw.ask(&format!("{verb} {} from c", direction(&mut seed))));
            }
            all
        };
        pair.compare(&format!("round {round}"), walk, &mut findings);
    }
    findings.truncate(1);
    none(&findings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_extended_protocol_shares_cursors() {
    let pair = Pair::start().await;
    let declared: Script = |raw| {
        let sql = "declare c scroll cursor for select o_orderkey, o_shippriority from shop.orders where o_orderkey > $1 and o_orderkey < 9 order by 1";
        let mut all = raw.ask("begin");
        all.extend(raw.batch(&[
            parse("", sql, &[]),
            describe(b'S', ""),
            bind("", "", 0, &[Some(b"2")], &[]),
            describe(b'P', ""),
            execute("", 0),
        ]));
        all.extend(raw.batch(&[describe(b'P', "c"), execute("c", 2)]));
        all.extend(raw.batch(&[
            execute("c", 1),
            parse("f", "fetch 5 from c", &[]),
            describe(b'S', "f"),
            bind("", "f", 0, &[], &[1]),
            describe(b'P', ""),
            execute("", 1),
        ]));
        all.extend(raw.batch(&[execute("", 5), execute("", 5)]));
        all.extend(raw.ask("fetch 1 from c"));
        all.extend(raw.ask("fetch prior from c"));
        all.extend(raw.batch(&[execute("c", 0)]));
        all.extend(raw.batch(&[execute("c", 0), close(b'P', "c"), execute("c", 0)]));
        all.extend(raw.ask("rollback"));
        all
    };
    let bound: Script = |raw| {
        let sql = "select o_orderkey from shop.orders where o_orderkey < 7 order by 1";
        let mut all = raw.ask("begin");
        all.extend(raw.batch(&[parse("s", sql, &[]), bind("p", "s", 0, &[], &[]), execute("p", 2)]));
        all.extend(raw.ask("fetch 1 from p"));
        all.extend(raw.ask("move 1 from p"));
        all.extend(raw.batch(&[execute("p", 0)]));
        all.extend(raw.ask("fetch absolute 9 p"));
        all.extend(raw.ask("fetch absolute 3 p"));
        all.extend(raw.ask("rollback"));
        all.extend(raw.ask("begin"));
        all.extend(raw.batch(&[bind("p", "s", 0, &[], &[])]));
        all.extend(raw.ask("fetch 2 from p"));
        all.extend(raw.ask("close p"));
        all.extend(raw.ask("rollback"));
        all
    };
    let utility: Script = |raw| {
        let mut all = raw.ask("begin");
        all.extend(raw.batch(&[parse("t", "show datestyle", &[]), bind("p", "t", 0, &[], &[]), execute("p", 1)]));
        all.extend(raw.ask("fetch 1 from p"));
        all.extend(raw.ask("rollback"));
        all
    };
    let missing: Script = |raw| {
        raw.batch(&[
            parse("x", "fetch 1 from nothing", &[]),
            describe(b'S', "x"),
            bind("", "x", 0, &[], &[]),
            describe(b'P', ""),
            execute("", 0),
        ])
    };
    pair.same(&[("declared", declared), ("bound", bound), ("utility", utility), ("missing", missing)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn portals_and_cursors_share_their_names() {
    let pair = Pair::start().await;
    let binary: Script = |raw| {
        let mut all = raw.ask("begin; declare c binary cursor for select 1::int4, 2::int8");
        all.extend(raw.batch(&[describe(b'P', "c"), execute("c", 0)]));
        all.extend(raw.ask("fetch prior c"));
        all.extend(raw.batch(&[parse("", "fetch prior c", &[]), bind("", "", 0, &[], &[0, 1]), execute("", 0)]));
        all.extend(raw.ask("rollback"));
        all
    };
    let names: Script = |raw| {
        let mut all = raw.ask("begin");
        all.extend(raw.ask("declare c cursor for select 1"));
        all.extend(raw.batch(&[parse("", "select 1", &[]), bind("c", "", 0, &[], &[])]));
        all.extend(raw.ask("rollback"));
        all.extend(raw.ask("begin"));
        all.extend(raw.batch(&[parse("", "select 1", &[]), bind("c", "", 0, &[], &[])]));
        all.extend(raw.ask("declare c cursor for select 1"));
        all.extend(raw.ask("rollback"));
        all
    };
    let held: Script = |raw| {
        let mut all = raw.batch(&[
            parse("", "declare h cursor with hold for select o_orderkey from shop.orders order by 1 limit 4", &[]),
            bind("", "", 0, &[], &[]),
            execute("", 0),
        ]);
        all.extend(raw.batch(&[execute("h", 1)]));
        all.extend(raw.batch(&[execute("h", 2), describe(b'P', "h")]));
        all.extend(raw.batch(&[execute("h", 2), execute("h", 2)]));
        all.extend(raw.batch(&[
            parse(
                "",
                "declare h2 cursor with hold for select 1 / (o_orderkey - 3) from shop.orders where o_orderkey = 3",
                &[],
            ),
            bind("", "", 0, &[], &[]),
            execute("", 0),
        ]));
        all.extend(raw.batch(&[execute("h2", 1)]));
        all
    };
    let interleaved: Script = |raw| {
        let sql = "select o_orderkey from shop.orders where o_orderkey < $1 order by 1";
        let mut all = raw.ask("begin");
        all.extend(raw.batch(&[
            parse("s", sql, &[]),
            bind("a", "s", 0, &[Some(b"8")], &[1]),
            bind("b", "s", 0, &[Some(b"5")], &[]),
            execute("a", 2),
            execute("b", 1),
            execute("a", -1),
            execute("b", i32::MAX),
            execute("b", 1),
            execute("a", 0),
        ]));
        all.extend(raw.ask("fetch backward 1 from a"));
        all.extend(raw.batch(&[execute("b", 0)]));
        all.extend(raw.ask("rollback"));
        all
    };
    pair.same(&[("binary", binary), ("names", names), ("held", held), ("interleaved", interleaved)]);
}
