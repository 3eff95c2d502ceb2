//! Subqueries over catalogs for many different outer values: they run once for all of them, and say of each what they would say alone.
//! Must not know: how they run.

use super::Both;

/// What both must answer the same; `g` has more values than are worth a run of their own.
const QUERIES: &[&str] = &[
    "select g, (select relname from pg_class where relname = 'orders' and relkind = 'r' and g > 3 and relnatts = 5) from generate_series(1, 12) g order by g",
    "select g, (select attname from pg_attribute where attrelid = 'orders'::regclass and attnum = g) from generate_series(1, 12) g order by g",
    "select g, (select count(*) from pg_attribute where attrelid = 'orders'::regclass and attnum > 0 and attnum < g) from generate_series(-3, 9) g order by g",
    "select g, (select max(attname::text) || g from pg_attribute where attrelid = 'orders'::regclass and attnum > g), \
     (select coalesce(sum(attnum), -1) from pg_attribute where attrelid = 'orders'::regclass and attnum > g) from generate_series(1, 12) g order by g",
    "select g, array(select attname from pg_attribute where attrelid = 'orders'::regclass and attnum between 1 and g order by attnum desc) \
     from generate_series(0, 9) g order by g",
    "select g from generate_series(1, 12) g where exists (select 1 from pg_attribute where attrelid = 'orders'::regclass and attnum + 0 = g) order by g",
    "select g, exists (select from pg_attribute where attrelid = 'orders'::regclass and attnum > g) from generate_series(1, 12) g order by g",
    "select g, g in (select attnum + g - g from pg_attribute where attrelid = 'orders'::regclass), \
     g <> all (select nullif(attnum, g - g + 2) from pg_attribute where attrelid = 'orders'::regclass and attnum > 0), \
     g < any (select attnum from pg_attribute where attrelid = 'orders'::regclass and attnum <> g) from generate_series(1, 12) g order by g",
    "select g, (select string_agg(x, ',' order by x) from (select attname::text from pg_attribute where attrelid = 'orders'::regclass and attnum = g \
     union select relname::text from pg_class where relname = 'line' and relkind = 'r' and g < 4 union all values ('v' || g)) u(x)) \
     from generate_series(1, 12) g order by g",
    "select g, (select count(distinct conname) from pg_class c left join pg_constraint k on k.conrelid = c.oid and cardinality(conkey) = g \
     where relname in ('orders', 'customer', 'line') and relkind = 'r') from generate_series(1, 12) g order by g",
    "select g, (select string_agg(n::text, ',' order by n) from (select distinct length(attname) % g as n from pg_attribute \
     where attrelid = 'orders'::regclass and attnum > 0) d) from generate_series(1, 12) g order by g",
    "select g, (select (select relname from pg_class where oid = a.attrelid and relnatts > g - 8) from pg_attribute a where attrelid = 'orders'::regclass \
     and attnum = g) from generate_series(1, 12) g order by g",
    "select g, x, y from generate_series(1, 9) g, lateral (values (g, 'a'), (g * 10, 'b')) v(x, y) order by 1, 2",
    "select g, x.n, x.relname from generate_series(1, 9) g left join lateral (select relname, count(*) as n from pg_class c join pg_attribute a \
     on a.attrelid = c.oid where relname in ('orders', 'customer') and attnum > g group by relname) x on true order by 1, 3",
    "select g, (select sum(u) from pg_index i, unnest(i.indkey) u where i.indexrelid = 'orders_pk'::regclass and u < g) from generate_series(1, 9) g order by g",
    "select g, (select relname from pg_class where relname like 'ord%' and g > 5 order by relname limit 1) from generate_series(1, 9) g order by g",
    "select g, (select count(*) from pg_class c where relname = 'orders' and not exists (select from pg_attribute a where a.attrelid = c.oid and attnum = g)) \
     from generate_series(1, 9) g order by g",
    "select count(*), count(t), count(d) from (select a.attname, (select t.typname from pg_type t where t.oid = a.atttypid) as t, \
     (select pg_get_expr(adbin, adrelid) from pg_attrdef d where d.adrelid = a.attrelid and d.adnum = a.attnum) as d from pg_attribute a \
     join pg_class c on c.oid = a.attrelid where relnamespace = 'public'::regnamespace and relkind = 'r' and attnum > 0) x",
];

#[tokio::test(flavor = "multi_thread")]
async fn subqueries_of_many_values_say_of_each_what_they_would_alone() {
    let both = Both::start().await;
    both.say_the_same(QUERIES);
    let several = "select (select relname from pg_class where relname in ('orders', 'customer') and g > 3) from generate_series(1, 12) g";
    assert!(both.tusk("ana", several).contains("more than one row returned by a subquery used as an expression"));
    let divides = "select (select 1 / (g - 9) from pg_class where relname = 'orders' and relkind = 'r') from generate_series(1, 12) g";
    assert!(both.tusk("ana", divides).contains("division by zero"));
}
