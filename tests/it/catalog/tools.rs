//! Queries of the kinds that tools send, which were answered otherwise or not at all: as a PostgreSQL answers them.
//! Must not know: how the catalogs are filled.

use super::lineage::both;

const QUERIES: &[&str] = &[
    "select constraint_name, check_clause from information_schema.check_constraints where constraint_name ~ '^base' order by 1",
    "select conname, contype, conkey, conindid::regclass from pg_constraint where conrelid = 'pretty_of'::regclass order by 1",
    "select relid from pg_partition_ancestors('measured_mid_a') order by relid::text",
    "select conname from pg_constraint, pg_partition_ancestors('measured_mid') where conrelid = relid and contype = 'p' order by 1",
    "SELECT information_schema._pg_index_position('orders_pk'::regclass, 3::int2), \
     information_schema._pg_index_position('orders_pk'::regclass, 2::int2), information_schema._pg_interval_type(1186, 2147418112 | \
     3), information_schema._pg_interval_type(1186, -1), information_schema._pg_interval_type(1186, 470351871)",
    "select inet_server_addr() is not null, inet_client_addr() is not null, inet_server_port() > 0, inet_client_port() > 0, \
     pg_typeof(inet_client_addr())",
    "select pg_column_size(1), pg_column_size(1::int8), pg_column_size(1::int2), pg_column_size(true), pg_column_size('abc'), \
     pg_column_size(now()), pg_column_size('x'::name), pg_column_size(null::int4), pg_column_size('1 day'::interval), \
     pg_column_size('é')",
    "select json_object_agg(k, v) from (values (1, array[1,2]), (2, null)) x(k, v)",
    "select json_object_agg('a', 1) where false",
    "select table_name, string_agg(column_name || ' ' || data_type, ', ' order by ordinal_position) from information_schema.columns \
     where table_schema = 'public' and table_name ~ '^(base|derived|refers)$' group by table_name order by 1",
    "select coalesce(array_to_json(array_agg(relname order by relname)), '[]') from pg_class where relkind = 'S'",
    "select schemaname, relname, indexrelname from pg_stat_user_indexes where schemaname = 'public' order by 2, 3",
    "SELECT jsonb_object_agg(attname, attnum) from pg_attribute where attrelid = 'orders'::regclass and attnum > 0",
    "SELECT a.attname, information_schema._pg_truetypid(a.*, t.*)::regtype, information_schema._pg_truetypmod(a.*, t.*), \
     information_schema._pg_char_max_length(information_schema._pg_truetypid(a.*, t.*), information_schema._pg_truetypmod(a.*, \
     t.*)), information_schema._pg_numeric_precision(information_schema._pg_truetypid(a, t), information_schema._pg_truetypmod(a, \
     t)) FROM pg_attribute a JOIN pg_type t on t.oid = a.atttypid where a.attrelid in ('person'::regclass, 'customer'::regclass) \
     and attnum > 0 order by a.attrelid::regclass::text, a.attnum",
    "select pg_relation_size('pg_class') > 0, pg_total_relation_size('pg_class') > 0, pg_table_size('pg_class') > 0, \
     pg_relation_size('pg_views')",
    "select string_agg(relname, ',' order by relname desc), array_agg(relname order by relname), json_agg(relname order by \
     relname), jsonb_agg(relname order by relname), string_agg(distinct relkind::text, '|' order by relkind::text) from pg_class \
     where relnamespace = 'public'::regnamespace and relkind in ('S')",
    "select json_object_agg(k, v) filter (where k is not null) from (values ('a', 1), (null, 2)) x(k, v)",
    "select schemaname, relname from pg_statio_all_sequences order by 2",
    "show search_path",
    "select relname, json_agg(attname), array_agg(attnum) from (select c.relname, a.attname, a.attnum from pg_class c join pg_attribute a \
     on attrelid = c.oid where relnamespace = 'public'::regnamespace and relkind = 'r' and attnum > 0 order by relname, attname desc) t \
     group by relname order by relname",
    "select row_number() over (), * from (select relname from pg_class where relnamespace = 'public'::regnamespace order by relname desc) t",
    "select relname from pg_class where relname = 'pg_class' union all select attname from (select attname from pg_attribute \
     where attrelid = 'orders'::regclass and attnum > 0 order by attname desc) t union all select 'x'",
    "select enumlabel from pg_enum where enumtypid = 'mood'::regtype order by oid",
    "select typname, pg_get_expr(typdefaultbin, 0), typdefault from pg_type where typname = 'posint'",
    "select attname, collname from pg_attribute a left join pg_collation c on c.oid = attcollation \
     where attrelid = 'orders_some'::regclass and attnum > 0 order by attnum",
    "select relname, relhasrules from pg_class where relname in ('orders_v', 'orders') order by 1",
    "select pg_index_column_has_property('orders_date_idx'::regclass, 1, 'desc'), \
     pg_index_column_has_property('orders_date_idx'::regclass, 2, 'asc'), pg_index_has_property('orders_date_idx'::regclass, \
     'clusterable'), pg_indexam_has_property(403, 'can_order')",
    "select object_schema, object_name, object_type, collection_type_identifier, data_type, udt_schema, udt_name, dtd_identifier \
     from information_schema.element_types where object_schema='public' order by 2, 4",
    "select c.table_name, c.column_name, c.data_type, e.data_type as element from information_schema.columns c left join \
     information_schema.element_types e on ((c.table_catalog, c.table_schema, c.table_name, 'TABLE', c.dtd_identifier) = \
     (e.object_catalog, e.object_schema, e.object_name, e.object_type, e.collection_type_identifier)) where c.table_schema = \
     'public' and c.table_name in ('line', 'person') order by 1, c.ordinal_position",
    "select column_name, collation_schema, collation_name from information_schema.columns where table_name in ('pretty_of', \
     'orders') order by table_name, ordinal_position",
];

/// What both refuse in the same words.
const REFUSED: &[&str] = &[
    "select * from pg_catalog.unnest(array[1, 2], array[3])",
    "select count(distinct xmin) from pg_class",
    "select array_agg(distinct relacl[1]) from pg_class",
    "select oid from pg_class order by xmin",
    "select count(*) over (partition by xmin) from pg_class",
    "select distinct null::box",
    "select json_object_agg(null, 1)",
    "select jsonb_object_agg(null, 1)",
    "select json_object_agg(array[1], 1)",
];

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_answered_as_by_postgresql() {
    let both = both().await;
    both.say_the_same(QUERIES);
    for sql in REFUSED {
        let (theirs, ours) = (both.oracle(sql), both.tusk("ana", sql));
        assert!(theirs.starts_with("ERROR"), "{sql}: {theirs}");
        assert_eq!(ours.lines().next(), theirs.lines().next(), "{sql}");
    }
}
