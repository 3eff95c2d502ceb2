//! The extended protocol: parameters, formats, descriptions, errors and the skip to Sync.
//! Must not know: portals with row limits.

use super::{Pair, Script, none};
use crate::harness::raw::{bind, close, describe, error, execute, frame, parse};

/// Statements with parameters whose types are found out.
const INFERRED: &[&str] = &[
    "select * from shop.orders where o_orderkey >= $1 and o_orderdate > $2 and o_orderstatus = any($3) limit $4 offset $5",
    "select $1",
    "select $1::int4, $2::text, $3::date",
    "select c_custkey from shop.customer where c_name like $1 and c_acctbal between $2 and $3",
    "select $1 + 1, $2 || 'x'",
    "select * from shop.customer where c_custkey in ($1, $2)",
    "select o_orderkey from shop.orders where ($1::int is null or o_custkey = $1)",
    "select case when o_totalprice > $1 then $2 else 'small' end from shop.orders",
    "select coalesce($1, o_shippriority) from shop.orders",
    "select $2::int",
    "select o_orderkey = $1, $1 from shop.orders",
    "select 1 limit $1",
];

/// Fails when it runs, not when it is planned.
const FAILS: &str = "select 1 / (o_orderkey - 1) from shop.orders where o_orderkey = 1";

/// Statements whose rows are compared in both formats.
const READ: &[&str] = &[
    "select 1::int2, 2::int4, 3::int8, 1.5::float4, -0.1::float8, true, false, null::int4",
    "select 1.50::numeric, 0::numeric, -12345678901234567890.123456789::numeric, 'NaN'::numeric, 0.0001::numeric(10,4)",
    "select 'text', 'v'::varchar(5), 'c'::char(4), 'n'::name, ''",
    "select date '2024-02-29', date '0001-01-01', timestamp '1969-12-31 23:59:59.999999', timestamptz '2024-06-01 12:00:00+02'",
    "select interval '1 year 2 months 3 days 04:05:06.789', time '23:59:59.5', interval '-1 day'",
    "select '\\xdeadbeef'::bytea, ''::bytea",
    "select * from shop.orders where o_orderkey between 40 and 60 order by o_orderkey",
    "select * from shop.customer where c_custkey < 12 order by c_custkey",
    "select count(*), sum(c_acctbal), avg(c_acctbal), max(c_name) from shop.customer",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameter_types_are_inferred_as_postgresql_does() {
    let pair = Pair::start().await;
    let mut findings = Vec::new();
    for sql in INFERRED {
        pair.compare(sql, |raw| raw.batch(&[parse("", sql, &[]), describe(b'S', "")]), &mut findings);
    }
    none(&findings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_the_same_in_text_and_binary() {
    let pair = Pair::start().await;
    let mut findings = Vec::new();
    for sql in READ {
        for format in [0, 1] {
            let script = |raw: &mut crate::harness::raw::Raw| {
                raw.batch(&[parse("", sql, &[]), bind("", "", 0, &[], &[format]), describe(b'P', ""), execute("", 0)])
            };
            pair.compare(&format!("{sql} (format {format})"), script, &mut findings);
        }
    }
    none(&findings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_answer_as_postgresql() {
    let pair = Pair::start().await;
    const ORDERS: &str = "select o_orderkey, o_totalprice from shop.orders where o_orderkey = $1";
    let narrow: Script = |raw| {
        // int2, int4 and text given for a bigint column; then NULL.
        let mut all = raw.batch(&[
            parse("", ORDERS, &[21]),
            describe(b'S', ""),
            bind("", "", 1, &[Some(&7_i16.to_be_bytes())], &[]),
            execute("", 0),
        ]);
        all.extend(raw.batch(&[
            parse("", ORDERS, &[23]),
            bind("", "", 1, &[Some(&8_i32.to_be_bytes())], &[1]),
            execute("", 0),
        ]));
        all.extend(raw.batch(&[parse("", ORDERS, &[20]), bind("", "", 0, &[Some(b"9")], &[0, 1]), execute("", 0)]));
        all.extend(raw.batch(&[parse("", ORDERS, &[]), bind("", "", 0, &[None], &[]), execute("", 0)]));
        all
    };
    let wrong: Script = |raw| {
        let mut all = raw.batch(&[parse("", ORDERS, &[25]), bind("", "", 0, &[Some(b"9")], &[]), execute("", 0)]);
        all.extend(raw.batch(&[parse("", ORDERS, &[]), bind("", "", 0, &[Some(b"nine")], &[]), execute("", 0)]));
        all.extend(raw.batch(&[parse("", ORDERS, &[]), bind("", "", 1, &[Some(b"123")], &[]), execute("", 0)]));
        all.extend(raw.batch(&[parse("", ORDERS, &[]), bind("", "", 0, &[], &[]), execute("", 0)]));
        all.extend(raw.batch(&[parse("", "select 1", &[]), bind("", "", 0, &[], &[0, 1, 0]), execute("", 0)]));
        all.extend(raw.batch(&[
            parse("", "select $1::text", &[]),
            bind("", "", 0, &[Some(b"\xff")], &[]),
            execute("", 0),
        ]));
        all
    };
    let kinds: Script = |raw| {
        let sql = "select $1::numeric, $2::date, $3::bytea, $4::bool, $5::float8, $6::text, $7::timestamptz";
        let values: [Option<&[u8]>; 7] = [
            Some(b"-1.50"),
            Some(b"2024-02-29"),
            Some(b"\\x00ff"),
            Some(b"yes"),
            Some(b"NaN"),
            Some("ä'\\".as_bytes()),
            None,
        ];
        raw.batch(&[parse("", sql, &[]), bind("", "", 0, &values, &[1]), describe(b'P', ""), execute("", 0)])
    };
    let array: Script = |raw| {
        let sql = "select o_orderkey from shop.orders where o_orderkey = any($1) order by 1";
        raw.batch(&[
            parse("", sql, &[]),
            describe(b'S', ""),
            bind("", "", 0, &[Some(b"{5,3,NULL,99999999}")], &[]),
            execute("", 0),
        ])
    };
    pair.same(&[("narrow", narrow), ("wrong", wrong), ("kinds", kinds), ("array", array)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_and_errors_answer_as_postgresql() {
    let pair = Pair::start().await;
    let names: Script = |raw| {
        let mut all = raw.batch(&[parse("s", "select 1", &[]), parse("s", "select 2", &[])]);
        all.extend(raw.batch(&[bind("", "missing", 0, &[], &[]), execute("", 0)]));
        all.extend(raw.batch(&[describe(b'S', "missing")]));
        all.extend(raw.batch(&[describe(b'P', "missing")]));
        all.extend(raw.batch(&[execute("missing", 0)]));
        all.extend(raw.batch(&[
            close(b'S', "missing"),
            close(b'P', "missing"),
            close(b'S', "s"),
            bind("", "s", 0, &[], &[]),
        ]));
        all
    };
    let skipped: Script = |raw| {
        let mut all = raw.batch(&[
            parse("", FAILS, &[]),
            bind("", "", 0, &[], &[]),
            execute("", 0),
            parse("never", "select 1", &[]),
            execute("", 0),
            frame(b'H', b""),
        ]);
        all.extend(raw.batch(&[parse("", "selec 1", &[]), bind("", "", 0, &[], &[]), execute("", 0)]));
        all.extend(raw.batch(&[bind("", "never", 0, &[], &[])]));
        all.extend(raw.batch(&[parse("", "select 1; select 2", &[])]));
        all
    };
    let utility: Script = |raw| {
        let mut all = Vec::new();
        for sql in
            ["begin", "select 1", "set timezone = 'Europe/Berlin'", "show timezone", "commit", "", "-- ping", "select"]
        {
            all.extend(raw.batch(&[
                parse("", sql, &[]),
                describe(b'S', ""),
                bind("", "", 0, &[], &[]),
                describe(b'P', ""),
                execute("", 0),
            ]));
        }
        all
    };
    let failed: Script = |raw| {
        let mut all = raw.ask("begin");
        all.extend(raw.batch(&[parse("", FAILS, &[]), bind("", "", 0, &[], &[]), execute("", 0)]));
        all.extend(raw.batch(&[parse("", "select 1", &[])]));
        all.extend(raw.batch(&[parse("", "commit", &[]), bind("", "", 0, &[], &[]), execute("", 0)]));
        all
    };
    let pipelined: Script = |raw| {
        let one =
            |n: &str| [parse("", &format!("select {n}"), &[]), bind("", "", 0, &[], &[]), execute("", 0)].concat();
        let mut all = raw.batch(&[
            one("1"),
            one("2"),
            frame(b'S', b""),
            one("1 / (o_orderkey - 1) from shop.orders where o_orderkey = 1"),
            one("3"),
            frame(b'S', b""),
            one("4"),
        ]);
        (0..2).for_each(|_| all.extend(raw.until(b'Z')));
        all
    };
    pair.same(&[
        ("names", names),
        ("skipped", skipped),
        ("utility", utility),
        ("failed", failed),
        ("pipelined", pipelined),
    ]);
}

/// asyncpg, pg8000 and others wait for what a Flush brings, without a Sync.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flush_brings_what_is_due() {
    let pair = Pair::start().await;
    let mut tusk = pair.tusk();
    tusk.bytes(&[parse("f", "select $1::int", &[]), describe(b'S', "f"), frame(b'H', b"")].concat());
    let tags: Vec<u8> = tusk.until(b'T').iter().map(|message| message.tag).collect();
    assert_eq!(tags, b"1tT");
    tusk.bytes(&[bind("", "f", 0, &[Some(b"5")], &[]), execute("", 0), frame(b'H', b"")].concat());
    let tags: Vec<u8> = tusk.until(b'C').iter().map(|message| message.tag).collect();
    assert_eq!(tags, b"2DC");
    tusk.send(b'S', b"");
    tusk.until(b'Z');
}

/// The whole frame is one message: what hides behind a short body is refused, not run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_are_cut_to_their_length() {
    let pair = Pair::start().await;
    let hidden = frame(b'Q', b"select 'hidden'\0");
    for (tag, body) in [(b'S', &b""[..]), (b'H', b""), (b'Q', b"select 1\0"), (b'P', b"s\0select 1\0\0\0")] {
        let mut tusk = pair.tusk();
        // The Terminate behind it ends the connection if the error did not.
        tusk.bytes(&[frame(tag, &[body, &hidden].concat()), frame(b'X', b"")].concat());
        let messages = tusk.until_closed();
        assert_eq!(error(&messages)[&'C'], "08P01", "{}", tag as char);
        assert!(messages.iter().all(|message| message.tag != b'D'));
    }
    for (tag, body) in
        [(b'P', &b"s\0select 1\0\0\x05"[..]), (b'B', b"\0\0\x7f\xff"), (b'E', b"\0\0"), (b'D', b"S"), (b'?', b"")]
    {
        let mut tusk = pair.tusk();
        tusk.batch(&[parse("", "select 1", &[])]);
        tusk.send(tag, body);
        tusk.bytes(&frame(b'S', b""));
        let messages = tusk.until(b'E');
        assert_eq!(error(&messages)[&'C'], "08P01", "{}", tag as char);
    }
    assert!(!pair.federation.tusk.log().contains("panic"), "{}", pair.federation.tusk.log());
}
