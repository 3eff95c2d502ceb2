//! Portals with row limits: suspended, resumed, ended; and row counts that no client should send.
//! Must not know: cursors of SQL.

use super::{Pair, Script};
use crate::harness::raw::{Raw, bind, close, describe, execute, frame, parse, rows};

const ORDERS: &str = "select o_orderkey from shop.orders order by o_orderkey";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn portals_suspend_and_resume_as_postgresql() {
    let pair = Pair::start().await;
    let within_one_sync: Script = |raw| {
        raw.batch(&[
            parse("", ORDERS, &[]),
            bind("p", "", 0, &[], &[]),
            execute("p", 2),
            execute("p", 3),
            describe(b'P', "p"),
            execute("p", 1),
        ])
    };
    let across_syncs: Script = |raw| {
        let mut all = raw.ask("begin");
        all.extend(raw.batch(&[
            parse("", &format!("{ORDERS} limit 5"), &[]),
            bind("p", "", 0, &[], &[1]),
            execute("p", 2),
        ]));
        all.extend(raw.batch(&[execute("p", 2)]));
        all.extend(raw.batch(&[execute("p", 2)]));
        all.extend(raw.batch(&[execute("p", 2)]));
        all.extend(raw.ask("commit"));
        all.extend(raw.batch(&[execute("p", 2)]));
        all
    };
    let gone_outside_a_block: Script = |raw| {
        let mut all = raw.batch(&[parse("", ORDERS, &[]), bind("p", "", 0, &[], &[]), execute("p", 2)]);
        all.extend(raw.batch(&[execute("p", 2)]));
        all
    };
    let exactly_all: Script = |raw| {
        let sql = "select n_nationkey from crm.nation order by 1";
        let mut all = raw.ask("begin");
        all.extend(raw.batch(&[
            parse("", sql, &[]),
            bind("p", "", 0, &[], &[]),
            execute("p", 25),
            execute("p", 25),
            execute("p", 0),
        ]));
        all.extend(raw.ask("rollback"));
        all
    };
    let two_at_once: Script = |raw| {
        let mut all = raw.ask("begin");
        all.extend(raw.batch(&[
            parse("s", ORDERS, &[]),
            bind("a", "s", 0, &[], &[]),
            bind("b", "s", 0, &[], &[]),
            execute("a", 2),
            execute("b", 3),
            execute("a", 2),
            close(b'P', "a"),
            execute("a", 1),
        ]));
        all.extend(raw.ask("rollback"));
        all
    };
    let named_twice: Script =
        |raw| raw.batch(&[parse("s", "select 1", &[]), bind("p", "s", 0, &[], &[]), bind("p", "s", 0, &[], &[])]);
    let utility: Script = |raw| {
        let mut all =
            raw.batch(&[parse("", "show datestyle", &[]), bind("", "", 0, &[], &[]), execute("", 1), execute("", 1)]);
        all.extend(raw.batch(&[
            parse("", "set timezone = 'UTC'", &[]),
            bind("", "", 0, &[], &[]),
            execute("", 1),
            execute("", 1),
        ]));
        all
    };
    pair.same(&[
        ("within one Sync", within_one_sync),
        ("across Syncs", across_syncs),
        ("outside a block", gone_outside_a_block),
        ("exactly all rows", exactly_all),
        ("two at once", two_at_once),
        ("named twice", named_twice),
        ("utility", utility),
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strange_row_counts_harm_nobody() {
    let pair = Pair::start().await;
    for limit in [i32::MAX, i32::MAX - 1, -1, i32::MIN, 0] {
        let mut tusk = pair.tusk();
        let answer = tusk.batch(&[parse("", ORDERS, &[]), bind("", "", 0, &[], &[]), execute("", limit)]);
        assert_eq!(rows(&answer).len(), 1500, "limit {limit}");
        assert_eq!(answer[answer.len() - 2].body, b"SELECT 1500\0", "limit {limit}");
    }
}

/// A portal that is suspended holds its place in the stream, not its rows; a new statement or the end of the block lets go of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_portal_reads_on_after_other_statements() {
    let pair = Pair::start().await;
    let mut tusk = pair.tusk();
    tusk.ask("begin");
    let first = tusk.batch(&[parse("s", ORDERS, &[]), bind("p", "s", 0, &[], &[]), execute("p", 700)]);
    assert_eq!(rows(&first).len(), 700);
    assert_eq!(rows(&tusk.ask("select count(*) from crm.nation")), [[Some("25".to_owned())]]);
    let rest = tusk.batch(&[execute("p", 0)]);
    let keys: Vec<i64> = rows(&rest).iter().map(|row| row[0].as_ref().unwrap().parse().unwrap()).collect();
    assert_eq!((keys.len(), keys[0], keys[799]), (800, 701, 1500));
    tusk.ask("commit");
    // A client that leaves in the midst of it is no trouble either.
    let mut leaving: Raw = pair.tusk();
    leaving.ask("begin");
    leaving.batch(&[parse("", ORDERS, &[]), bind("p", "", 0, &[], &[]), execute("p", 1)]);
    leaving.bytes(&frame(b'X', b""));
    assert!(leaving.try_read().is_none());
    assert_eq!(rows(&tusk.ask("select 1")).len(), 1);
}
