//! `max_rows_read` of a role: how many rows a statement reads from its sources, whichever way it reads them.
//! Must not know: how rows are counted.

use crate::harness::federation::Federation;
use crate::harness::raw::{Raw, bind, error, execute, parse, rows};
use crate::harness::routes::{ROUTES, routed};

/// `few` may read a hundred rows in a statement.
const FEW: &str = r#"
[[role]]
name = "few"
member_of = ["reader"]
[role.limits]
max_rows_read = 100

[[user]]
name = "few"
roles = ["few"]
"#;

/// Statements that read more, wherever their rows come from.
const MORE: &[&str] = &[
    "select o_orderkey from shop.orders",
    "select * from lake.lineitem",
    "select a.rate from lake.rates a union all select b.rate from lake.rates b union all select c.rate from lake.rates c \
     union all select d.rate from lake.rates d union all select e.rate from lake.rates e",
    "select * from lake.events",
    "select count(*) from lake.lineitem where l_orderkey > 0",
    "select count(*) from crm.nation a, crm.nation b, shop.customer c where a.n_nationkey = c.c_nationkey",
    "select count(*) from shop.customer c join crm.nation n on n.n_nationkey = c.c_nationkey",
    "select (select count(*) from shop.customer c where c.c_nationkey = n.n_nationkey) from crm.nation n",
    "copy (select * from lake.lineitem) to stdout",
    "explain analyze select * from lake.lineitem",
];

/// Statements that read no more.
const NO_MORE: &[&str] = &[
    "select * from crm.nation",
    "select * from shop.orders where o_orderkey <= 100",
    "select count(*) from crm.nation a, crm.nation b, crm.nation c",
    "select relname from pg_class",
    "select * from generate_series(1, 1000)",
    "select n_name, count(*) from crm.nation join shop.customer on c_nationkey = n_nationkey where c_custkey < 50 group by 1",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_reads_no_more_rows_than_its_role_may() {
    let federation = Federation::start_with("", FEW).await;
    let tusk = &federation.tusk;
    let too_many = |failed: &std::collections::BTreeMap<char, String>| {
        let message = "statement reads more than max_rows_read of 100";
        failed[&'C'] == "54000"
            && failed[&'M'] == message
            && failed[&'D'] == "The limit belongs to a role of this user."
    };
    for route in ROUTES {
        let mut few = routed(tusk, "few", route);
        for sql in MORE {
            let answer = few.ask(sql);
            let failed = error(&answer);
            assert!(too_many(&failed), "{sql} by {route}: {failed:?}");
            assert!(answer.iter().all(|message| message.tag != b'C'), "{sql}");
        }
        for sql in NO_MORE {
            rows(&few.ask(sql));
        }
        // A cursor's limit holds over all of its rows, a block's statements have each their own.
        few.ask("begin");
        few.ask("declare c cursor for select o_orderkey from shop.orders");
        for _ in 0..2 {
            assert_eq!(rows(&few.ask("select * from crm.nation")).len(), 25);
        }
        let fetched = (0..200).map(|_| few.ask("fetch 10 from c")).find(|answer| answer.iter().any(|m| m.tag == b'E'));
        assert!(too_many(&error(&fetched.expect("an end"))), "{route}");
        few.ask("rollback");
        // In a transaction of the source.
        few.ask("begin isolation level repeatable read");
        assert_eq!(rows(&few.ask("select * from shop.orders where o_orderkey <= 4")).len(), 4);
        assert!(too_many(&error(&few.ask("select * from shop.orders"))), "{route}");
        few.ask("rollback");
        let answer = few.batch(&[
            parse("", "select o_orderkey from shop.orders where o_orderkey > $1::int", &[]),
            bind("", "", 0, &[Some(b"0")], &[1]),
            execute("", 0),
        ]);
        assert!(too_many(&error(&answer)), "{route}");
    }
    // Others read what they like, and what it was is told.
    let mut ana = Raw::login(tusk.port(), "ana", "tusk");
    assert_eq!(rows(&ana.ask("select count(*) from lake.lineitem where l_orderkey > 0")), [[Some("6000".to_owned())]]);
    let plan = rows(&ana.ask("explain analyze select * from lake.lineitem"));
    let read = plan.iter().flatten().flatten().find(|line| line.contains("Read from sources: "));
    assert!(read.is_some_and(|line| line.contains("Read from sources: 6000 rows")), "{plan:?}");
    let mut root = Raw::login(tusk.port(), "root", "tusk");
    assert_eq!(rows(&root.ask("select sum(0)")).len(), 1);
}
