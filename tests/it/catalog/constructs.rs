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
