//! Faults that were found and mended: each statement once gave another answer than PostgreSQL.
//! Must not know: what was wrong inside.

use crate::harness::daemon::{Daemon, Setup};
use crate::harness::federation::{Federation, READER};
use crate::harness::raw::{Raw, rows, transcript};

/// `x IN (SELECT ...)` has three truth values; `o_shippriority` has NULLs.
const MEMBERSHIPS: &[&str] = &[
    "select count(*) from crm.nation where n_regionkey not in (select o_shippriority from shop.orders where o_custkey = n_nationkey)",
    "select count(*) from crm.nation where n_regionkey not in (select o_shippriority from shop.orders where o_custkey > 290 and n_nationkey < 3)",
    "select count(*) from crm.nation where n_regionkey not in (select o_shippriority from shop.orders where o_custkey < n_nationkey)",
    "select count(*) from crm.nation where not (n_regionkey in (select o_shippriority from shop.orders where o_custkey = n_nationkey))",
    "select count(*) from crm.nation where n_regionkey <> all (select o_shippriority from shop.orders where o_custkey = n_nationkey)",
    "select count(*) from crm.nation where (n_regionkey in (select o_shippriority from shop.orders where o_custkey = n_nationkey)) is null",
    "select count(*) from crm.nation where (n_regionkey in (select o_shippriority from shop.orders where o_custkey < 20)) is not true",
    "select count(*) from crm.nation where n_regionkey not in (select o_shippriority from shop.orders) or n_regionkey = 1",
    "select count(*) from crm.nation where n_regionkey not in (select o_shippriority from shop.orders where o_custkey = 3) or n_name < 'C'",
    "select count(*) from crm.nation where case when n_regionkey in (select o_shippriority from shop.orders where o_custkey = n_nationkey) then false else true end",
    "select count(*) from shop.orders where 3 not in (select -o_shippriority from shop.orders)",
    "select count(*) from shop.orders where 3 not in (select -o_shippriority from shop.orders where o_shippriority is not null)",
    "select count(*) from shop.orders where o_shippriority not in (select n_regionkey from crm.nation where n_nationkey > 20)",
    "select count(*) from shop.orders where o_shippriority not in (select n_regionkey from crm.nation where n_nationkey > 200)",
    "select count(*) from (select 3 as k from shop.orders) o where k not in (select -o_shippriority from shop.orders)",
    "select count(*) from shop.orders where case when false then o_shippriority else 3 end not in (select -o_shippriority from shop.orders)",
    "select count(*) from shop.orders where o_shippriority = 3 and o_shippriority not in (select -o_shippriority from shop.orders)",
    "select count(*) from crm.nation where n_nationkey not in (select c_nationkey from shop.customer where c_custkey < 40)",
    "select count(*) from shop.orders where null not in (select n_regionkey from crm.nation where n_nationkey > 200)",
];

/// Both sides of a join have columns of one name, and so have unions in another order.
const NAMES: &[&str] = &[
    "select count(*) from shop.orders a right join shop.orders b on a.o_orderkey = b.o_custkey \
     where substring(b.o_orderstatus from 1) <> replace('B', a.o_orderstatus, a.o_orderstatus) and substring(b.o_orderstatus from 1) <> b.o_clerk",
    "select count(*) from shop.orders a left join shop.orders b on b.o_orderkey = a.o_custkey \
     where substring(a.o_orderstatus from 1) <> replace('B', b.o_orderstatus, b.o_orderstatus) and substring(a.o_orderstatus from 1) <> a.o_clerk",
    "select a.o_orderkey, b.o_orderkey from shop.orders a join lake.lineitem l on l.l_orderkey = a.o_orderkey \
     join shop.orders b on b.o_custkey = l.l_linenumber order by b.o_orderkey, a.o_orderkey, l.l_linenumber limit 5",
    "select a, b from (select n_nationkey as a, n_regionkey as b from crm.nation union all select n_regionkey as b, n_nationkey as a from crm.nation) u \
     order by a desc, b limit 4",
    "select l1.l_orderkey, l2.l_orderkey from lake.lineitem l1 join lake.lineitem l2 on l1.l_orderkey = l2.l_linenumber \
     order by l2.l_orderkey desc, l1.l_orderkey, l1.l_linenumber, l2.l_linenumber limit 3",
];

/// Types and forms.
const OTHERS: &[&str] = &[
    "select nullif(1, 2.5), nullif('a', 'b'::varchar), nullif(1::int2, 2::bigint), nullif(o_shippriority, 1.5) from shop.orders order by o_orderkey limit 4",
    "select distinct o_shippriority is true from (select o_shippriority > 1 as o_shippriority from shop.orders) o order by 1",
    "select distinct (o_shippriority > 1) is not true from shop.orders order by 1",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mended_statements_stay_mended() {
    let federation = Federation::start().await;
    let mut tusk = Raw::login(federation.tusk.port(), "ana", "tusk");
    let mut postgres = Raw::login(federation.postgres.port(), "postgres", "oracle");
    let mut findings = Vec::new();
    for sql in MEMBERSHIPS.iter().chain(NAMES).chain(OTHERS) {
        let (ours, theirs) = (transcript(&tusk.ask(sql)), transcript(&postgres.ask(sql)));
        if ours != theirs {
            findings.push(format!("--- {sql}\nTusk:       {ours}\nPostgreSQL: {theirs}"));
        }
    }
    assert!(findings.is_empty(), "{} differ:\n{}", findings.len(), findings.join("\n"));
}

/// Names in a statement are cut to 63 bytes; what a file holds may have longer ones.
#[test]
fn long_names_of_files_are_found() {
    let files = tempfile::tempdir().unwrap();
    let (table, column) = ("t".repeat(70), "c".repeat(70));
    std::fs::write(files.path().join(format!("{table}.csv")), format!("{column},b\n1,2\n")).unwrap();
    let path = files.path().display();
    let config = format!("{READER}\n[[source]]\nname = \"lake\"\ntype = \"files\"\npath = \"{path}\"\n");
    let tusk = Daemon::start(&Setup::trusting(config));
    let mut raw = Raw::login(tusk.port(), "ana", "tusk");
    for (table, column) in [(&*table, &*column), (&table[..63], &column[..63])] {
        for sql in [
            format!("select {column}, b from lake.{table}"),
            format!("select {table}.{column}, b from {table}"),
            format!("select l.{column}, b from lake.{table} l where l.{column} = 1"),
        ] {
            let answer = raw.ask(&sql);
            assert_eq!(rows(&answer), [[Some("1".to_owned()), Some("2".to_owned())]], "{sql}: {}", transcript(&answer));
        }
    }
    let answer = raw.ask(&format!("copy lake.{table} ({column}) to stdout"));
    assert!(answer.iter().any(|message| message.tag == b'd' && message.body == b"1\n"), "{}", transcript(&answer));
}
