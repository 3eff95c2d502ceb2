//! What is evaluated for which rows: a statement that PostgreSQL answers is answered, though a part of it fails for some rows; one
//! that fails there fails here.
//! Must not know: how parts are kept from rows.

use crate::harness::federation::Federation;
use crate::harness::raw::{Message, Raw, error, rows};

/// PostgreSQL answers each of these: what decides stands before what fails, or is cheaper. Over PostgreSQL, SQLite and Parquet.
const ANSWERED: &[&str] = &[
    // WHERE, in either order, with AND and OR.
    "select o_orderkey from shop.orders where o_shippriority <> 0 and 12 / o_shippriority > 3",
    "select o_orderkey from shop.orders where 12 / o_shippriority > 3 and o_shippriority <> 0",
    "select o_orderkey from shop.orders where o_shippriority <> 0 and 12 / o_shippriority > 3 and o_custkey / o_shippriority < 40 and o_orderkey > 9",
    "select o_orderkey from shop.orders where o_shippriority = 0 or 12 / o_shippriority > 3",
    "select o_orderkey from shop.orders where o_shippriority is null or o_shippriority = 0 or 12 % o_shippriority = 0",
    "select o_orderkey from shop.orders where not (o_shippriority = 0 or 12 / o_shippriority > 3)",
    "select n_name from crm.nation where n_regionkey <> 0 and 10 / n_regionkey > 3",
    "select n_name from crm.nation where n_regionkey = 0 or n_nationkey / n_regionkey = 4",
    "select count(*) from lake.lineitem where l_discount <> 0 and l_extendedprice / l_discount > 1000000",
    "select count(*) from lake.lineitem where l_discount = 0 or l_extendedprice / l_discount > 1000000",
    "select count(*) from lake.lineitem where l_discount > 0 and l_quantity / l_discount > 100 and l_returnflag = 'R' and l_extendedprice % l_discount = 0",
    "select count(*) from lake.lineitem where (l_discount <> 0 and l_quantity / l_discount > 500) or (l_discount = 0 and l_returnflag = 'A')",
    "select currency, year from lake.rates where rate >= 1 and 1 / rate < 0.7",
    "select event_id from lake.events where duration > 0 and 1000 / duration = 3",
    // Casts, and functions that refuse what they are given.
    "select c_custkey from shop.customer where c_mktsegment = 'BUILDING' and substring(c_name from 10)::int < 50",
    "select c_custkey from shop.customer where c_custkey < 300 and c_custkey::int2 > 290",
    "select o_orderkey from shop.orders where o_shippriority > 0 and ln(o_shippriority::float8) > 1",
    "select o_orderkey from shop.orders where o_shippriority > 0 and sqrt((o_shippriority - 1)::float8) > 1",
    "select c_custkey from shop.customer where c_comment like 'it%' and split_part(c_comment, ' ', c_nationkey + 1) = '\\'",
    // The select list: AND, OR and CASE are evaluated from left to right.
    "select o_orderkey, o_shippriority <> 0 and 12 / o_shippriority > 3 from shop.orders",
    "select o_orderkey, o_shippriority = 0 or 12 / o_shippriority > 3 from shop.orders",
    "select o_orderkey, case when o_shippriority = 0 then 0 else o_custkey / o_shippriority end from shop.orders",
    "select o_orderkey, case o_shippriority when 0 then -1 when 1 then 1 / o_shippriority else 100 / (o_shippriority - 1) end from shop.orders",
    "select o_orderkey, case when o_shippriority = 0 then null when 10 / o_shippriority > 4 then 'a' when 10 % o_shippriority = 0 then 'b' end from shop.orders",
    "select n_nationkey, case when n_regionkey <> 0 then n_nationkey / n_regionkey end from crm.nation",
    "select n_nationkey, case when n_regionkey = 0 then false else n_nationkey / n_regionkey > 3 end from crm.nation",
    "select n_nationkey, case when n_regionkey = 0 then n_nationkey else n_nationkey / n_regionkey end + n_nationkey % (n_regionkey + 1) from crm.nation",
    "select o_orderkey, coalesce(nullif(o_shippriority, 0), o_custkey / (o_shippriority + 1)) from shop.orders",
    "select n_nationkey, coalesce(n_regionkey, 1 / (n_regionkey - n_regionkey)) from crm.nation",
    "select o_orderkey, o_custkey / nullif(o_shippriority, 0) from shop.orders",
    "select l_orderkey, l_linenumber, case when l_discount = 0 then 0 else round(l_quantity / l_discount, 2) end as q from lake.lineitem where l_orderkey < 40",
    "select l_orderkey, sum(case when l_discount > 0 then l_quantity / l_discount else 1 end) from lake.lineitem where l_orderkey < 90 group by l_orderkey",
    "select case when o_shippriority = 0 then 'none' else (24 / o_shippriority)::text end as k, count(*) from shop.orders group by 1",
    "select case when o_shippriority = 0 then 'none' else (24 / o_shippriority)::text end as k, count(*) from shop.orders \
     group by case when o_shippriority = 0 then 'none' else (24 / o_shippriority)::text end order by 2, 1",
    "select o_orderkey from shop.orders order by case when o_shippriority = 0 then 0 else 100 / o_shippriority end, o_orderkey",
    "select o_custkey, sum(o_totalprice / o_shippriority) filter (where o_shippriority <> 0) from shop.orders group by o_custkey",
    "select n_regionkey, count(*) filter (where n_regionkey <> 0 and n_nationkey / n_regionkey > 2) from crm.nation group by n_regionkey",
    "select n_nationkey, sum(n_nationkey / n_regionkey) filter (where n_regionkey <> 0) over (order by n_nationkey) from crm.nation",
    // HAVING.
    "select o_custkey from shop.orders group by o_custkey having sum(o_shippriority) <> 0 and sum(o_custkey) / sum(o_shippriority) > 50",
    "select o_shippriority, count(*) from shop.orders group by o_shippriority having o_shippriority <> 0 and 100 / o_shippriority > 20",
    "select o_shippriority, count(*) from shop.orders group by o_shippriority having o_shippriority = 0 or count(*) / o_shippriority > 100",
    // Derived tables and views of the same: conditions meet where DataFusion pushes them to.
    "select o_orderkey from (select * from shop.orders where o_shippriority <> 0) o where 12 / o_shippriority > 3",
    "select o_orderkey from (select o_orderkey, o_shippriority, 12 / o_shippriority as q from shop.orders) o where o_shippriority <> 0 and q > 3",
    "select q, count(*) from (select 12 / o_shippriority as q from shop.orders where o_shippriority <> 0) o where q > 3 group by q",
    "with o as (select * from shop.orders where o_shippriority > 0) select count(*) from o where o_custkey / o_shippriority > 10",
    "select n from (select n_regionkey as r, n_nationkey as n from crm.nation where n_regionkey <> 0 union all \
     select 5, r_regionkey from crm.region) t where n / r > 1",
    "select k, c from (select 12 / o_shippriority as k, count(*) as c from shop.orders where o_shippriority <> 0 group by 1) t where k > 3 and c > 1",
    // Joins: WHERE and ON, one side and both, inner and outer.
    "select n_name from crm.nation join crm.region on n_regionkey = r_regionkey where r_regionkey <> 0 and n_nationkey / r_regionkey > 3",
    "select n_name, r_name from crm.nation join crm.region on n_regionkey <> 0 and r_regionkey = n_nationkey / n_regionkey",
    "select n_name, r_name from crm.nation left join crm.region on r_regionkey <> 0 and n_nationkey / r_regionkey > 20",
    "select n_name, r_name from crm.nation full join crm.region on n_regionkey = r_regionkey and r_regionkey <> 0 and n_nationkey / r_regionkey > 3",
    "select c_custkey, n_name from shop.customer join crm.nation on c_nationkey = n_nationkey where n_regionkey <> 0 and c_custkey / n_regionkey > 290",
    "select a.n_name from crm.nation a, crm.nation b where a.n_regionkey = b.n_nationkey and b.n_nationkey <> 0 and 10 / b.n_nationkey > 4",
    "select o_orderkey, l_linenumber from shop.orders join lake.lineitem on l_orderkey = o_orderkey \
     where l_discount <> 0 and o_shippriority <> 0 and o_totalprice / l_discount / o_shippriority > 1000000",
    // What a join condition says of one side is not asked of the other: no region 0 meets a nation.
    "select r_name from crm.region join (select * from crm.nation where n_regionkey > 0) n on n.n_regionkey = r_regionkey where 10 / n.n_regionkey > 4",
    "select r_name from crm.region right join (select * from crm.nation where n_regionkey > 0) n on n.n_regionkey = r_regionkey where 10 / n.n_regionkey > 4",
    // Subqueries.
    "select n_name from crm.nation where n_regionkey <> 0 and n_nationkey / n_regionkey in (select r_regionkey from crm.region)",
    "select n_name from crm.nation where n_regionkey <> 0 and n_nationkey / n_regionkey not in (select r_regionkey from crm.region where r_regionkey > 2)",
    "select n_name from crm.nation where n_regionkey = 0 or n_nationkey / n_regionkey in (select r_regionkey from crm.region)",
    "select n_name from crm.nation where n_regionkey <> 0 and n_nationkey / n_regionkey > (select max(r_regionkey) from crm.region)",
    "select n_name from crm.nation where n_regionkey <> 0 and exists (select 1 from crm.region where r_regionkey = n_nationkey / n_regionkey)",
    "select n_name from crm.nation where exists (select 1 from crm.region where n_regionkey <> 0 and r_regionkey = n_nationkey / n_regionkey)",
    "select c_custkey from shop.customer where exists (select 1 from shop.orders where o_custkey = c_custkey and o_shippriority <> 0 and 12 / o_shippriority > 11)",
    // Constants that nothing reaches.
    "select case when true then 1 else 1 / 0 end",
    "select false and 1 / 0 = 1, true or 1 / 0 = 1",
    "select coalesce(1, 1 / 0)",
    "select exists (select 1 / 0 from crm.region)",
    "select a from (select n_nationkey as a, 1 / 0 as b from crm.nation) t",
    "select count(*) from (select 1 / 0 from crm.nation) t",
    "select n_nationkey from crm.nation where false and 1 / 0 = 1",
    "select n_nationkey from crm.nation where n_nationkey is null and 1 / n_nationkey > 0",
];

/// PostgreSQL fails each of these, with this code.
const FAILED: &[(&str, &str)] = &[
    ("22012", "select o_orderkey from shop.orders where 12 / o_shippriority > 3"),
    ("22012", "select o_orderkey, 12 / o_shippriority > 3 and o_shippriority <> 0 from shop.orders"),
    ("22012", "select o_orderkey, o_shippriority > 0 or 12 / o_shippriority > 3 from shop.orders"),
    (
        "22012",
        "select n_nationkey, case when n_regionkey > 0 then 1 else n_nationkey / n_regionkey end from crm.nation",
    ),
    (
        "22012",
        "select n_nationkey, n_nationkey / n_regionkey, case when n_regionkey <> 0 then n_nationkey / n_regionkey end from crm.nation",
    ),
    (
        "22012",
        "select n_regionkey, sum(n_nationkey / n_regionkey) from crm.nation group by n_regionkey having n_regionkey <> 0 or true",
    ),
    ("22012", "select n_name from crm.nation where n_nationkey > 3 and n_nationkey / n_regionkey > 3"),
    ("22012", "select case when n_regionkey = 7 then 1 / 0 else 1 end from crm.nation"),
    ("22012", "select 1 from (select 0 as z) t where 1 / z > 0"),
    ("22P02", "select c_custkey from shop.customer where c_custkey > 3 and c_name::int > 3"),
    ("22012", "select coalesce(nullif(n_regionkey, 0), 1 / n_regionkey) from crm.nation"),
];

fn sorted(messages: &[Message]) -> Vec<Vec<Option<String>>> {
    let mut found = rows(messages);
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_reached_does_not_fail() {
    let federation = Federation::start().await;
    let mut tusk = Raw::login(federation.tusk.port(), "ana", "tusk");
    let mut postgres = Raw::login(federation.postgres.port(), "postgres", "oracle");
    let mut findings = Vec::new();
    for sql in ANSWERED {
        let (ours, theirs) = (tusk.ask(sql), postgres.ask(sql));
        assert!(theirs.iter().all(|message| message.tag != b'E'), "PostgreSQL fails {sql}: {:?}", error(&theirs));
        match ours.iter().find(|message| message.tag == b'E') {
            Some(failed) => findings.push(format!("{sql}\n  {:?}", failed.fields())),
            None if sorted(&ours) != sorted(&theirs) => {
                findings.push(format!("{sql}\n  {:?}\n  {:?}", sorted(&ours), sorted(&theirs)));
            }
            None => {}
        }
    }
    for (code, sql) in FAILED {
        let theirs = error(&postgres.ask(sql));
        assert_eq!(theirs[&'C'], *code, "{sql}");
        let ours = tusk.ask(sql);
        match ours.iter().find(|message| message.tag == b'E') {
            Some(failed) if failed.fields()[&'M'] == theirs[&'M'] => {}
            other => findings.push(format!("{sql}\n  {:?}", other.map(Message::fields))),
        }
    }
    assert!(findings.is_empty(), "{} differ:\n{}", findings.len(), findings.join("\n"));
}

/// Parameters are constants to the plan of one execution, and columns are not.
#[tokio::test(flavor = "multi_thread")]
async fn parameters_decide_as_constants_do() {
    let federation = Federation::start().await;
    let (tusk, oracle) = (federation.tusk.connect("ana").await, federation.oracle().await);
    let sql = "select n_nationkey from crm.nation where ($1::bigint = 0 or n_nationkey / $1 = 3) and n_regionkey >= $2 order by 1";
    for (divisor, least) in [(0_i64, 0_i64), (2, 0), (5, 2), (0, 3)] {
        let read = |rows: Vec<tokio_postgres::Row>| rows.iter().map(|row| row.get::<_, i64>(0)).collect::<Vec<_>>();
        let ours = read(tusk.query(sql, &[&divisor, &least]).await.unwrap());
        assert_eq!(ours, read(oracle.query(sql, &[&divisor, &least]).await.unwrap()), "{divisor} {least}");
        assert!(!ours.is_empty());
    }
    let failed = tusk.query("select n_nationkey / $1 from crm.nation", &[&0_i64]).await.unwrap_err();
    assert_eq!(failed.code().map(|code| code.code()), Some("22012"));
}

/// What cannot fail keeps its ways: to the source, to the file's statistics.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_that_cannot_fail_still_reach_the_source() {
    let federation = Federation::start().await;
    let mut tusk = Raw::login(federation.tusk.port(), "ana", "tusk");
    let mut plan = |sql: &str| -> String {
        let lines = rows(&tusk.ask(&format!("explain {sql}")));
        lines.into_iter().flatten().flatten().collect::<Vec<_>>().join("\n")
    };
    let told = plan(
        "select o_orderkey from shop.orders where o_shippriority <> 0 and 12 / o_shippriority > 3 and o_orderkey = 7",
    );
    assert!(told.contains("\"o_orderkey\" = 7") && told.contains("\"o_shippriority\" <> 0"), "{told}");
    let told = plan(
        "select count(*) from lake.lineitem where l_orderkey = 7 and l_discount <> 0 and l_quantity / l_discount > 3",
    );
    assert!(told.contains("pruning_predicate") && told.contains("l_orderkey"), "{told}");
    let told = plan(
        "select count(*) from lake.lineitem where l_orderkey = 7 and l_quantity * l_discount > 3 and l_shipdate is not null",
    );
    assert!(!told.contains("lazily"), "{told}");
    let told = plan(
        "select r_name from crm.region join crm.nation on r_regionkey = n_nationkey / n_regionkey where n_regionkey <> 0",
    );
    assert!(told.contains("HashJoinExec"), "{told}");
}
