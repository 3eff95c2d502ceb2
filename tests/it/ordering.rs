//! Rows come as PostgreSQL's plans bring them, also where the order is that of a query inside: what gathers, numbers or cuts them sees it.
//! Must not know: how an order is kept.

use crate::harness::federation::Federation;
use crate::harness::raw::{Raw, rows, transcript};

/// Each says what PostgreSQL says, row by row.
const ALIKE: &[&str] = &[
    // Aggregates over a sorted subquery.
    "select json_agg(k) from (select o_orderkey as k from shop.orders where o_orderkey < 40 order by o_totalprice desc, o_orderkey) t",
    "select string_agg(k::text, ',') from (select o_orderkey as k from shop.orders where o_orderkey < 40 order by o_totalprice, o_orderkey) t",
    "select array_agg(k), jsonb_agg(k), json_object_agg(k, p), count(*), sum(p) from (select o_orderkey as k, o_totalprice as p from shop.orders \
     where o_orderkey < 30 order by o_totalprice desc, o_orderkey) t",
    "select md5(string_agg(l_orderkey || '-' || l_linenumber, ',')) from (select * from lake.lineitem order by l_extendedprice, l_orderkey, l_linenumber) t",
    "select array(select o_orderkey from (select * from shop.orders where o_orderkey < 40 order by o_totalprice, o_orderkey) t where o_orderkey % 2 = 0)",
    "select json_agg(t) from (select c_custkey, c_name from shop.customer order by c_acctbal desc, c_custkey limit 5) t",
    "select json_agg(t) from (select c_custkey, c_name from shop.customer order by c_acctbal desc, c_custkey limit 5 offset 3) t where c_custkey > 10",
    "select row_to_json(x), (select json_agg(s.n) from (select n.n_name as n from crm.nation n where n.n_regionkey = x.r_regionkey order by n.n_name desc) s) \
     from crm.region x order by x.r_regionkey",
    // Behind filters, projections, other names, WITH.
    "select array_agg(b order by b desc), array_agg(b), string_agg(b::text, '|' order by a), string_agg(b::text, '|') from (select a, b * 2 as b from \
     (select o_orderkey as a, o_custkey as b from shop.orders where o_orderkey < 60 order by o_totalprice, o_orderkey) s where a > 3) t",
    "with o as (select o_orderkey as k from shop.orders where o_orderkey < 30 order by o_totalprice desc, o_orderkey) select array_agg(k), array_agg(k::text) from o",
    "with o as (select o_orderkey as k from shop.orders where o_orderkey < 30 order by o_totalprice desc, o_orderkey) select (select array_agg(k) from o), (select json_agg(k) from o where k > 9)",
    "with o as materialized (select o_orderkey as k from shop.orders where o_orderkey < 30 order by o_totalprice desc, o_orderkey), p as (select k + 1 as k from o) select json_agg(k) from p",
    "select array_agg(k) filter (where k > 9), array_agg(distinct k % 5) from (select o_orderkey as k from shop.orders where o_orderkey < 30 order by o_totalprice, o_orderkey) t",
    // With groups.
    "select s, array_agg(k), string_agg(k::text, '') from (select o_orderstatus as s, o_orderkey as k from shop.orders where o_orderkey < 99 order by o_totalprice, o_orderkey) t group by s order by s",
    "select s, json_agg(k), (array_agg(k))[1] from (select l_returnflag as s, l_orderkey as k from lake.lineitem order by l_extendedprice desc, l_orderkey, l_linenumber limit 300) t group by s order by 1",
    // Windows over all rows.
    "select row_number() over (), k from (select o_orderkey as k from shop.orders where o_orderkey < 40 order by o_totalprice, o_orderkey) t",
    "select k, row_number() over (), lag(k) over (), lead(k, 2) over (), first_value(k) over (), last_value(k) over (), nth_value(k, 3) over (), ntile(4) over (), \
     rank() over (), count(*) over (), sum(k) over (rows 2 preceding) from (select o_orderkey as k from shop.orders where o_orderkey < 40 order by o_totalprice desc, o_orderkey) t",
    // The rows themselves.
    "select * from (select o_orderkey, o_custkey from shop.orders where o_orderkey < 60 order by o_totalprice, o_orderkey) t",
    "select k + 1 from (select o_orderkey as k from shop.orders order by o_totalprice desc, o_orderkey) t where k % 3 = 0 limit 10",
    "select * from (select * from (select o_orderkey as k from shop.orders order by o_totalprice desc, o_orderkey limit 20) a where k > 5) b offset 3",
    "select * from (values (1, 'b'), (2, 'a'), (3, 'c')) v (a, b) limit 2",
    "with t as (select l_orderkey, l_linenumber from lake.lineitem order by l_extendedprice desc, l_orderkey, l_linenumber) select * from t limit 7",
    "select count(*), row_number() over () from (select o_orderkey as k from shop.orders order by o_totalprice) t",
    "select t.k, r.r_name from (select o_orderkey as k, o_orderkey % 7 as r from shop.orders where o_orderkey < 40 order by o_totalprice, o_orderkey) t left join crm.region r on r.r_regionkey = t.r limit 12",
    "select distinct on (s) s, k from (select o_orderstatus as s, o_orderkey as k from shop.orders where o_orderkey < 99 order by s, o_totalprice, o_orderkey) t",
    "select x from (select o_orderkey as x from shop.orders where o_orderkey < 50 order by o_totalprice nulls first, o_orderkey desc) t fetch first 3 rows only",
    // Functions that give rows.
    "select k, unnest(array[3, 1, 2]) from (select o_orderkey as k from shop.orders where o_orderkey < 40 order by o_totalprice, o_orderkey) t",
    "select e from (select o_orderkey as k from shop.orders where o_orderkey < 40 order by o_totalprice, o_orderkey) t, unnest(array[k, 0, -k]) e",
    "select array_agg(e) from (select o_orderkey as k from shop.orders where o_orderkey < 40 order by o_orderstatus, o_orderkey) t cross join lateral generate_series(k, k + 3) e",
    "select o_orderstatus, unnest(array[o_orderkey, -o_orderkey]) from shop.orders where o_orderkey < 100 order by o_orderkey",
    "select o_orderkey / 4, generate_series(1, 3), unnest(array['x', 'y', 'z']) from shop.orders where o_orderkey in (4, 8, 12, 16) order by o_orderkey limit 8",
    "select md5(array_agg(g)::text) from generate_series(1, 50000) g",
    "select md5(string_agg(g::text, ',')) from (select g * 3 as g from generate_series(1, 50000) g where g % 7 <> 0) t",
    "select md5(array_agg(x)::text), count(*) from unnest(array(select generate_series(40000, 1, -1))) x where x % 3 > 0",
    "select g + 1 from generate_series(1, 30000) g where g % 997 = 0",
    "select g % 3, md5(array_agg(g)::text) from generate_series(1, 30000) g group by 1 order by 1",
    "select row_number() over (), x from unnest(array['c', 'a', 'b']) x",
    // Arm by arm.
    "select 1 as a union all select 2 union all select 3",
    "select o_orderkey as k from shop.orders where o_orderkey = 7 union all select r_regionkey from crm.region where r_regionkey = 3 union all select g from generate_series(5, 9) g",
    "(select r_name from crm.region order by r_name desc) union all (select o_orderstatus from shop.orders where o_orderkey < 9 order by o_orderkey) union all select 'z'",
    "select 'orders', count(*) from shop.orders union all select 'lines', count(*) from lake.lineitem union all select 'regions', count(*) from crm.region",
    "select array_agg(k) from (select 3 as k union all (select g from generate_series(20, 10, -1) g) union all select 1) t",
    "select k from (select 3 as k union all select 2 union all select 1) t where k > 1 limit 2",
    "select md5(string_agg(k::text, ' ')) from (select g as k from generate_series(1, 20000) g union all select -g from generate_series(1, 20000) g) t",
    "(select 2 as x union all select 1) order by x",
    // Groups inside a function that gives rows.
    "select generate_series(1, count(*)) from (select * from shop.orders order by o_orderkey limit 4) x",
    "select unnest(array[max(o_orderkey), min(o_orderkey)]) from (select * from shop.orders order by o_orderkey limit 4) x",
    "select (row(count(*), 1)).f2, pg_typeof(count(*)) from crm.region",
    // What fails does.
    "select count(*) from (select o_orderkey from shop.orders order by null::json) t",
    "select string_agg(k::text, case when k = 3 then null when k > 5 then '; ' else ', ' end) from (select g as k from generate_series(1, 8) g order by -g) t",
    "select string_agg(x, ',') from (values ('b'), (null), ('a')) v (x)",
];

/// Queries whose order decides which rows a limit takes.
const SORTED: &[&str] = &[
    "select o_orderkey as id, o_custkey as k from shop.orders where o_orderkey < 300 order by o_totalprice, o_orderkey",
    "select l_orderkey as id, l_linenumber as k from lake.lineitem order by l_extendedprice desc, l_orderkey, l_linenumber",
    "select l_orderkey as id, l_linenumber as k from lake.lineitem order by l_orderkey, l_linenumber",
    "select distinct l_orderkey as id, 1 as k from lake.lineitem order by id",
    "select n_nationkey as id, n_regionkey as k from crm.nation order by n_name",
    "select o_custkey as id, count(*) as k from shop.orders group by o_custkey order by count(*) desc, o_custkey",
    "select id, k from (select o_orderkey as id, o_custkey as k from shop.orders order by o_totalprice, o_orderkey limit 40) a union all select r_regionkey, 0 from crm.region",
];

const LIMITS: &[&str] = &["limit 5 offset 12", "limit 15 offset 3", "offset 10", "limit 4", "limit all offset 17"];

/// What stands around them. It may sort by the same, by its beginning, by something else, or not at all.
const AROUND: &[&str] = &[
    "select id, k from (?) x order by id, k",
    "select k, id from (?) x order by k, id limit 3",
    "select sum(id), count(*), min(k) from (?) x",
    "select count(*), string_agg(k::text, ',' order by id, k) from (?) x",
    "select id, row_number() over (order by id, k) from (?) x order by 1, 2",
    "with c as (?) select * from c order by id desc, k",
    "select id from (?) x union all select -1 order by 1",
    "select count(*), exists (select from (?) y where id = 7) from (?) x where id > 20",
    "select k, count(*) from (?) x group by k order by k",
    "select max(id) from (select id from (?) x union all select 1 limit 3) y",
    "select x.id, r_name from (?) x left join crm.region on r_regionkey = x.k order by 1, 2",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_take_the_first_rows_whatever_stands_around() {
    let federation = Federation::start().await;
    let mut tusk = Raw::login(federation.tusk.port(), "ana", "tusk");
    let mut postgres = Raw::login(federation.postgres.port(), "postgres", "oracle");
    tusk.ask("set tusk.route = federated");
    let mut findings = Vec::new();
    for sorted in SORTED {
        for limits in LIMITS {
            for around in AROUND {
                let sql = around.replace('?', &format!("{sorted} {limits}"));
                let (ours, theirs) = (rows(&tusk.ask(&sql)), rows(&postgres.ask(&sql)));
                if ours != theirs {
                    findings.push(format!("{sql}\n  {} rows, not {}", ours.len(), theirs.len()));
                }
            }
        }
    }
    assert!(findings.is_empty(), "{} statements differ:\n{}", findings.len(), findings.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_come_as_postgresql_brings_them() {
    let federation = Federation::start().await;
    let mut tusk = Raw::login(federation.tusk.port(), "ana", "tusk");
    let mut postgres = Raw::login(federation.postgres.port(), "postgres", "oracle");
    tusk.ask("set tusk.route = federated");
    // One process reads a table: another beside it would deal its rows out.
    postgres.ask("set max_parallel_workers_per_gather = 0");
    // It groups by a hash, which keeps the order within a group; a sort does not.
    postgres.ask("set enable_sort = off");
    // It joins row by row.
    postgres.ask("set enable_hashjoin = off; set enable_mergejoin = off");
    let mut findings = Vec::new();
    for sql in ALIKE {
        let said = |raw: &mut Raw| {
            let text = transcript(&raw.ask(sql));
            let told = text.lines().filter(|line| line.starts_with("D ") || line.starts_with("E "));
            told.map(|line| line.split(" H=").next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
        };
        let (ours, theirs) = (said(&mut tusk), said(&mut postgres));
        if ours != theirs {
            findings.push(format!("{sql}\n  {ours}\n  {theirs}"));
        }
    }
    assert!(findings.is_empty(), "{} differ:\n{}", findings.len(), findings.join("\n"));
}
