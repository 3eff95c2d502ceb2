//! The SQL that tools write over catalogs: functions that give rows, records, system columns, LATERAL, over relations in memory.
//! Must not know: which tool writes what.

use super::Both;

/// What both must answer the same.
const QUERIES: &[&str] = &[
    "select c.relname, u.x, u.n from pg_class c cross join unnest('{b,a}'::text[]) with ordinality as u(x, n) where c.relname = 'orders' order by n",
    "select indexrelid::regclass, k, place from pg_index i, unnest(i.indkey) with ordinality u(k, place) \
     where indrelid = 'orders'::regclass order by indexrelid::regclass::text, 3",
    "select indexrelid::regclass, g from pg_index i, generate_subscripts(i.indkey, 1) g where indrelid = 'orders'::regclass order by indexrelid::regclass::text, 2",
    "select indexrelid::regclass, generate_subscripts(indkey, 1), unnest(indkey) from pg_index where indrelid = 'orders'::regclass order by indexrelid::regclass::text, 2",
    "select (information_schema._pg_expandarray(indkey)).n, (information_schema._pg_expandarray(indkey)).x from pg_index \
     where indexrelid = 'orders_pk'::regclass",
    "select (k).x, (k).n, k from (select information_schema._pg_expandarray(indkey) as k from pg_index where indexrelid = 'orders_pk'::regclass) t \
     order by 2",
    "select x, n from pg_index, information_schema._pg_expandarray(indkey) where indexrelid = 'orders_pk'::regclass order by n",
    "select indkey[0], indkey[1], indkey[2] from pg_index where indexrelid = 'orders_pk'::regclass",
    "select relname, u from pg_class left join unnest(case when relname = 'orders' then '{1,2}'::int[] end) u on true \
     where relname in ('orders', 'customer') order by 1, 2",
    "select n.nspname, t.relname from pg_namespace n, lateral (select relname from pg_class c where c.relnamespace = n.oid \
     and c.relname like 'o%' and relkind = 'r' order by 1 limit 1) t where n.nspname = 'public'",
    "select n.nspname, t.relname from pg_namespace n left join lateral (select relname from pg_class c where c.relnamespace = n.oid \
     and c.relname = 'nothing') t on true where n.nspname = 'public'",
    "select tableoid::regclass, count(*), bool_and(age(xmin) >= 0), count(ctid) > 0 from pg_namespace where nspname = 'public' group by tableoid",
    "select c.oid = x.oid, c.relname from pg_class c join (select oid, * from pg_class) x(o2) on x.o2 = c.oid where c.relname = 'orders'",
    "select x.oid = 0, x.relname from (select c.oid, c.relname from pg_class c) x where (x.relname, x.oid) = ('orders', 'orders'::regclass)",
    "with recursive t(n, v) as (select 1, (with recursive u(i) as (select 1 union all select i + 1 from u where i < 3) select max(i) from u) \
     union all select n + 1, v from t where n < 2) select * from t order by 1",
    "select distinct on (conrelid) conrelid::regclass, conname from pg_constraint where connamespace = 'public'::regnamespace and contype <> 'c' \
     order by conrelid, conname limit 0",
    "select relname from pg_class where relname operator(pg_catalog.~) '^(orders)$' collate pg_catalog.default",
    "select relname, (select count(*) from pg_attribute a where a.attrelid = c.oid and attnum > 0) from pg_class c \
     where relname in ('orders', 'customer') order by 1",
    "select array(select attname from pg_attribute where attrelid = 'orders'::regclass and attnum = any (i.indkey) order by attnum) from pg_index i \
     where indexrelid = 'orders_pk'::regclass",
    "select array_agg(attname order by attnum desc) from pg_attribute where attrelid = 'customer'::regclass and attnum between 1 and 2",
    "select json_build_object('a', relname, 'b', relnatts, 'c', null, 'd', relhasindex) from pg_class where relname = 'customer'",
    "select jsonb_agg(jsonb_build_object('n', attname, 'p', attnum) order by attnum) from pg_attribute where attrelid = 'orders_v'::regclass \
     and attnum > 0",
    "select typname from pg_type where typinput = 'array_in'::regproc and typname in ('_int4', 'int4')",
    "select relname from pg_class where oid = 'customer'::regclass and relname = any (array['customer', 'x'])",
    "select string_to_array('a,b,,c', ','), array_position('{a,b}'::text[], 'b'), array_remove('{1,2,1}'::int[], 1)",
    "select t.typname::text || ':' || t.oid::regtype::text from pg_type t where oid = 23",
    "select amcanorder from pg_am a cross join pg_indexam_has_property(a.oid, 'can_order') amcanorder where amname = 'btree'",
    "select generate_series(1, 3), 'x'",
    // rows in subqueries
    "select relname from pg_class where (relname, relnamespace) in (select 'orders', oid from pg_namespace) and relkind = 'r' order by 1",
    "select relname from pg_class where relkind = 'r' and ((relname, relkind::text) in (select conrelid::regclass::text, 'r' from pg_constraint)) \
     and relnamespace = 'public'::regnamespace order by 1",
    "select relname, (relname, 1) in (select 'orders', x from (values (1), (null)) v(x)), (relname, 2) in (select 'orders', x from (values (1), (null)) v(x)), \
     (relname, 1) not in (select 'orders', 1) from pg_class where relname in ('orders', 'customer') order by 1",
    "select count(*) from pg_attribute a where (a.attrelid, a.attnum) in (select i.indrelid, unnest(i.indkey) from pg_index i \
     where i.indrelid = 'orders'::regclass)",
    "select relname from pg_class c where (c.oid, 1) = any (select conrelid, 1 from pg_constraint where contype = 'p') and relname = 'orders'",
    "select (1, 2) in (select 1, null::int), (1, 2) in (select 2, null::int), (1, null) in (select 2, 3), (1, 2) in (select 1, 2 where false)",
    // slices and several subscripts
    "select indkey[0:0], indkey[1:], indkey[:0] from pg_index where indexrelid = 'orders_pk'::regclass",
    "select conkey[1:1], conkey[2:], conkey[5:6], conkey[:] from pg_constraint where conname = 'orders_pk'",
    "select ('{{1,2},{3,4}}'::int[])[1][2], ('{{1,2},{3,4}}'::int[])[1], ('{{1,2},{3,4}}'::int[])[2:2], ('{{1,2},{3,4}}'::int[])[1:2][2], \
     ('[0:2]={1,2,3}'::int[])[1:], ('{a,\"b c\",NULL}'::text[])[2:3], ('{1,2}'::int[])[null:2]",
    "select (string_to_array('a.b.c', '.'))[1:2], (string_to_array('a.b.c', '.'))[array_upper(string_to_array('a.b.c', '.'), 1)]",
    "select (array_agg(attname order by attnum))[1:2] from pg_attribute where attrelid = 'orders'::regclass and attnum > 0",
    // whole rows
    "select row_to_json(t), to_json(t), t, t is null, t is not null from (select 1 as a, null::text as b, '{1,2}'::int[] as c) t",
    "select count(n), count(c) from pg_namespace n left join pg_class c on c.relnamespace = n.oid and c.relname = 'orders' \
     where n.nspname in ('public', 'information_schema')",
    "select json_agg(t order by t.relname) from (select relname, relkind from pg_class where relname in ('orders', 'customer')) t",
    "select (select json_agg(row_to_json(x)) from (select a.attname, a.attnum from pg_attribute a where a.attrelid = c.oid and a.attnum between 1 and 2 \
     order by a.attnum) x) from pg_class c where c.relname in ('orders', 'customer') order by c.relname",
    "select (t).a, (t).b from (select 1 as a, 2 as b) t",
    "select row(1, null) is null, row(1, null) is not null, row(null, null) is null, (null, null) is not null",
    // LATERAL
    "select n.nspname, x.relname from pg_namespace n left join lateral (select relname from pg_class c where c.relnamespace = n.oid and relkind = 'r') x \
     on x.relname like 'o%' where nspname in ('public', 'information_schema') order by 1, 2",
    "select c.relname, k from pg_class c left join pg_index i on i.indrelid = c.oid and i.indisprimary left join lateral unnest(i.indkey) k on k > 1 \
     where c.relname in ('orders', 'customer') order by 1, 2",
    "select c.relname, x.n from pg_class c, lateral (select count(*) as n from pg_attribute a where a.attrelid = c.oid and a.attnum > 0) x \
     where c.relname in ('orders', 'customer') order by 1",
    "select c.relname, x.attname from pg_class c cross join lateral (select attname from pg_attribute a where a.attrelid = c.oid and attnum > 0 \
     order by attnum desc limit 2) x where c.relname in ('orders', 'customer') order by 1, 2",
    "select x.a, y.b from (values (1), (2)) x(a), lateral (values (x.a * 10), (x.a * 100)) y(b) order by 1, 2",
    "select x.a, y from (values (1), (3)) x(a), generate_series(1, x.a) y order by 1, 2",
    // UNION in an order
    "select relname, 1 as n from pg_class where relname = 'orders' union all select relname, 2 from pg_class where relname = 'customer' order by relname",
    "select relname as x from pg_class where relname = 'orders' union all values ('zzz') order by 1",
    "select x from (select relname::text as x from pg_class where relname like 'ord%' union all select conname from pg_constraint where conname like 'ord%' \
     union select 'b') u order by x limit 5",
    "select * from (select relname, relkind from pg_class where relname = 'orders' order by 1) a union all (select relname, relkind from pg_class \
     where relname = 'customer' order by 1 limit 1) order by 2, 1",
    // functions that give rows, of groups
    "select unnest(array_agg(attname order by attnum)) from pg_attribute where attrelid = 'orders'::regclass and attnum > 0",
    "select relname, unnest(array_agg(attnum order by attnum)), count(*) from pg_class c join pg_attribute a on attrelid = c.oid \
     where relname in ('orders', 'customer') and attnum between 1 and 2 group by relname order by 1, 2",
    "select conname, unnest(conkey) from pg_constraint where conrelid = 'orders'::regclass and contype = 'p' group by conname, conkey order by 2",
    "select count(*), generate_series(1, 2) from pg_class where relname = 'orders' having count(*) > 0",
    // correlated by more than a column
    "select relname, (select count(*) from pg_attribute a where a.attrelid = c.oid and a.attnum <= c.relnatts - 1 and a.attnum > 0) from pg_class c \
     where relname in ('orders', 'customer') order by 1",
    "select relname, (select max(attname::text) from pg_attribute a where a.attrelid::int8 + 0 = c.oid::int8 + 0 and attnum > 0) from pg_class c \
     where relname in ('orders', 'customer') order by 1",
    "select relname, exists (select 1 from pg_attribute a where a.attrelid = c.oid and lower(a.attname) = lower(c.relname) || '_nope') from pg_class c \
     where relname in ('orders', 'customer') order by 1",
    "select relname from pg_class c where relnatts = (select max(a.attnum) from pg_attribute a where a.attrelid = c.oid) and relname in ('orders', 'customer') \
     order by 1",
    "select relname from pg_class c where relkind = 'r' and relname in ('orders', 'customer') and not exists (select 1 from pg_constraint k \
     where k.conrelid = c.oid and k.contype = 'f') order by 1",
    "select relname, case when relkind = 'r' then (select string_agg(attname, ',' order by attnum) from pg_attribute where attrelid = c.oid and attnum > 0) end \
     from pg_class c where relname in ('orders', 'orders_v') order by 1",
    // an unknown literal beside an array
    "select conname from pg_constraint where conkey = '{1}' and conrelid = 'customer'::regclass and contype = 'p'",
    "select array_position('{1,2,3}'::int[], '2'), array_append('{1}'::int[], '2'), array_cat('{1}'::int[], '{2}'), '{1,2}'::int[] @> '{1}'",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_tools_write_over_catalogs_means_what_it_means_in_postgresql() {
    Both::start().await.say_the_same(QUERIES);
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_that_give_rows_stand_only_where_they_may() {
    let both = Both::start().await;
    for sql in [
        "select 1 from pg_class where unnest('{1}'::int[]) = 1",
        "select (oid).x from pg_class",
        "select (information_schema._pg_expandarray(indkey)).nope from pg_index",
        "select nope from pg_index, information_schema._pg_expandarray(indkey)",
        "select * from unnest(c.relname) u, pg_class c",
    ] {
        let state = |said: &str| said.split("ERROR:").nth(1).map(|rest| rest.trim().to_owned());
        let (out, said) = both.tusk.psql("ana", &["-X", "-At", "-v", "VERBOSITY=sqlstate", "-c", sql]);
        let theirs = std::process::Command::new("psql")
            .args(["-X", "-h", "127.0.0.1", "-p", &both.postgres.port().to_string(), "-U", "postgres"])
            .args(["-v", "VERBOSITY=sqlstate", "-At", "-c", sql])
            .output()
            .unwrap();
        let theirs = String::from_utf8_lossy(&theirs.stderr).into_owned();
        assert!(theirs.contains("ERROR"), "{sql}: {theirs}");
        assert_eq!(state(&said), state(&theirs), "{sql}: {out}");
    }
}
