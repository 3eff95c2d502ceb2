//! Statements that another engine would answer otherwise: Tusk's own answers them as PostgreSQL does.
//! Must not know: how an answer is computed.

use crate::harness::federation::Federation;
use crate::harness::raw::{Message, Raw, transcript};

/// Each says what PostgreSQL says, row by row, in the session's zone.
const ALIKE: &[&str] = &[
    // Two lists of one value: NULL where the value is, not false.
    "select x, x in (1, 3) and x in (2, 4), x not in (1) or x not in (2), x in (1, 2) and x not in (1, 2, 3) from (values (1), (2), (null)) v (x) order by x",
    "select count(*) from (values (1), (2), (null)) v (x) where not (x in (1, 3) and x in (2, 4))",
    "select count(*) from (values ('a'), (null)) v (x) where (x in ('a', 'b') and x in ('c', 'd')) is not false",
    "select count(*) from (values (1), (2), (null)) v (x) where x in (1, 2) and x in (2, 4)",
    "select x from (values (1), (2), (3), (null)) v (x) where (x in (1, 2) or x in (3)) and not (x in (2) and x in (3)) order by x",
    "select sum(case when x in (1, 2) and x in (3, 4) then 1 when (x in (1, 2) and x in (3, 4)) is null then 10 else 100 end) from (values (1), (null)) v (x)",
    // A list is of one type.
    "select x in (0.1, 1.5), x = 0.1, x in (0.1), x not in (0.1, 7) from (values (0.1::real), (1.5::real)) v (x)",
    "select x from (values (1), (2), (3)) v (x) where x in (1, 2.0, 3.5) order by x",
    "select x from (values (date '2020-01-01'), ('2020-01-02')) v (x) where x in ('2020-01-01', timestamp '2020-01-02 00:00')",
    "select x in ('1', 2), x in ('1', '2') from (values (1), (3)) v (x) order by x",
    "select 1 in ('1', 'x')",
    "select x in ('a', 'b ') from (values ('a'::char(3)), ('b')) v (x)",
    // What may be another on every row is.
    "select count(distinct random()) = 3 from generate_series(1, 3)",
    "select count(distinct r) from (select random() as r from generate_series(1, 10)) q",
    "select count(distinct r) from (select gen_random_uuid() as r from generate_series(1, 10)) q",
    // A zone by a number is POSIX's, one by its abbreviation a fixed offset.
    "select timestamptz '2024-01-01 00:00+00' at time zone '+03', timestamptz '2024-01-01 00:00+00' at time zone '3'",
    "select timestamp '2024-01-01 00:00' at time zone '-05:30', timestamp '2024-07-01 00:00' at time zone 'UTC+3'",
    "select timestamptz '2024-07-01 00:00+00' at time zone 'PST', timestamptz '2024-07-01 00:00+00' at time zone 'cest'",
    "select timestamptz '2024-07-01 00:00+00' at time zone 'nowhere'",
    // Hours that come twice, and one that does not come.
    "select date_trunc('hour', t), date_trunc('minute', t), date_trunc('second', t), date_trunc('day', t) from (values \
     (timestamptz '2024-11-03 05:30:10.5+00'), ('2024-11-03 06:30:10.5+00'), ('2024-03-10 07:15+00')) v (t) order by t",
    "select count(*) from (select timestamptz '2024-11-03 03:00+00' + g * interval '10 minutes' as t from generate_series(0, 36) g) q group by date_trunc('hour', t) order by 1",
    "select timestamptz '2024-02-10 02:30' + interval '1 mon 1 day', timestamptz '2024-02-10 02:30' + interval '1 mon', timestamptz '2024-03-09 02:30' + interval '1 day'",
    "select timestamptz '2024-10-03 01:30' + interval '1 mon 1 day -24 hours', timestamptz '2024-12-31 02:30' - interval '10 mons 30 days'",
    // Formats of times.
    "select to_char(timestamp '2024-01-01 00:05:07', 'SSSS'), to_char(timestamp '2024-01-01 13:05:07', 'sssss SS'), to_char(timestamp '2024-01-01', '') is null",
    "select to_char(timestamp '2024-02-03 14:05:06.789', 'yyyy-mm-dd hh24:mi:ss.ms us q iyyy iw ww ddd hh12 hh yy')",
    // HAVING alone makes one group.
    "select 1 having false",
    "select 1 having true",
    "select 1 from generate_series(1, 5) having true",
    "select 'x' as a from generate_series(1, 5) having 1 > 2",
    // A constant of rows that may be missing is none for those who sort or part by it.
    "select y.id, x.k from (select 1 as id, 'b' as k union all select 2, 'b') x right join generate_series(1, 4) y (id) using (id) order by x.k desc, y.id limit 3",
    "select y.id, x.k from (select i as id, 'b' as k from generate_series(1, 2) i) x right join generate_series(1, 4) y (id) using (id) order by x.k desc, y.id limit 3",
    "select x.k, y.id from (select i as id, 5 as k from generate_series(1, 2) i) x full join generate_series(2, 5) y (id) using (id) order by x.k nulls first, y.id limit 3",
    "select count(*) over (partition by x.k), rank() over (order by x.k), x.k, y.id from (select i as id, 5 as k from generate_series(1, 2) i) x \
     full join generate_series(2, 5) y (id) using (id) order by y.id, x.k",
    "select g, rank() over (order by x.v nulls first), count(*) over (partition by x.v) from generate_series(1, 4) g left join (select 3 as n, 'three' as v) x on x.n = g order by g",
    "select g, x.v from generate_series(1, 4) g left join (values (3, 'three')) x (n, v) on x.n = g order by x.v, g",
    "with c as (select 1 as one, 'k' as k) select g, c.k, c.k is null, coalesce(c.k, '-') from generate_series(1, 3) g left join c on c.one = g order by 4, 1",
    "select coalesce(k, -1), count(*), k is null from (select 1 as k from generate_series(1, 3)) q group by rollup (k) order by 1",
    "select b.k, a.o_orderkey from shop.orders a left join (select c_custkey as id, 1 as k from shop.customer where c_custkey < 3) b on a.o_custkey = b.id order by b.k desc, 2 limit 3",
    "select x.c, y.g from (select g, 'c' as c from generate_series(1, 2) g where g = 2) x right join generate_series(1, 3) y (g) on x.g = y.g order by x.c, y.g",
    // Columns that are never NULL, where a join or a union makes them so.
    "select count(*) from shop.customer c left join shop.orders o on o.o_custkey = c.c_custkey where o.o_orderkey is not null",
    "select count(*) from shop.customer c left join shop.orders o on o.o_custkey = c.c_custkey where o.o_orderkey is null",
    "select count(*) from shop.customer c right join shop.orders o on o.o_custkey = c.c_custkey where c.c_custkey is not null",
    "select count(*) from shop.customer c full join shop.orders o on o.o_custkey = c.c_custkey where c.c_custkey is not null and not (o.o_orderkey is null)",
    "select count(*) from (select o_orderkey as k from shop.orders union all select c_nationkey from shop.customer) q where k is null",
    "select (select o_orderkey from shop.orders where o_orderkey < 0) is null, coalesce((select o_orderkey from shop.orders where o_orderkey < 0), 7)",
    "select count(*) from shop.customer where (select o_orderkey from shop.orders where o_orderkey < 0) is null",
    "select (select 'x' from shop.customer where c_custkey < 0) is null, (select count(*) from shop.customer group by c_custkey having count(*) > 10) is null",
    // The least and the greatest of what is no column, from files.
    "select max(l_shipdate), min(-l_orderkey), max(l_orderkey + 1), min(upper(l_returnflag)) from lake.lineitem",
    "select max(l_orderkey), min(l_orderkey::float8), min(l_shipdate::text) from lake.lineitem",
    // Numbers, and casts of arrays, of addresses, of what has a precision.
    "select div('Infinity'::numeric, 5), div('-Infinity'::numeric, 5), div(7.5, 'Infinity'::numeric), div('NaN'::numeric, 2)",
    "select ('12:34:56.789'::time)::time(2), ('1.5 days'::interval)::interval day, ('2 hours'::interval)::interval month, ('1.2345 s'::interval)::interval(2)",
    "select x::time(1), y::interval(0) from (values ('12:34:56.789'::time, '1.6 s'::interval)) v (x, y)",
    "select ('::1'::inet)::text, ('10.0.0.1'::inet)::varchar, ('10.0.0.0/8'::inet)::text, '10.0.0.1'::inet || 'x', concat('10.0.0.1'::inet)",
    // Times before the first.
    "select timestamp '0044-03-15 BC' - interval '10000 years'",
    "select timestamp '4714-11-24 BC' - interval '1 microsecond'",
    "select timestamp '4714-11-24 BC' + interval '1 microsecond'",
];

/// The messages, without the place of an error: it is compared elsewhere.
fn said(messages: &[Message]) -> String {
    transcript(messages).lines().map(|line| line.split(" P=").next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_postgresqls() {
    let federation = Federation::start().await;
    let mut tusk = Raw::login(federation.tusk.port(), "ana", "tusk");
    let mut postgres = Raw::login(federation.postgres.port(), "postgres", "oracle");
    let mut findings = Vec::new();
    for zone in ["America/New_York", "UTC"] {
        for session in [&mut tusk, &mut postgres] {
            session.ask(&format!("set timezone = '{zone}'"));
        }
        tusk.ask("set tusk.route = federated");
        for sql in ALIKE {
            let (ours, theirs) = (said(&tusk.ask(sql)), said(&postgres.ask(sql)));
            if ours != theirs {
                findings.push(format!("{zone}: {sql}\n  {ours}\n  {theirs}"));
            }
        }
    }
    assert!(findings.is_empty(), "{} differ:\n{}", findings.len(), findings.join("\n"));
}
