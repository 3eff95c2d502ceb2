//! Calls of the catalogs' functions and of functions in FROM, right and wrong: the answers and the errors of a PostgreSQL, with their places.
//! Must not know: how a function is found.

use super::Both;

/// Calls that PostgreSQL has no function for, or no type.
const WRONG: &[&str] = &[
    "select pg_table_size()",
    "select pg_table_size('orders', 'main')",
    "select pg_catalog.pg_table_size('orders', 'main')",
    "select pg_table_size(row(1, 2))",
    "select pg_table_size(1.5)",
    "select pg_table_size(true)",
    "select pg_relation_size('pg_class', 5)",
    "select format_type(1)",
    "select format_type('int4', 1, 1)",
    "select has_table_privilege('x')",
    "select has_table_privilege(1.5, 'select')",
    "select has_column_privilege('orders', 'select')",
    "select to_regclass()",
    "select to_regclass(1)",
    "select obj_description(1, 2, 3)",
    "select col_description('orders'::regclass)",
    "select pg_get_userbyid('x', 1)",
    "select pg_get_viewdef(true)",
    "select pg_get_keywords(1)",
    "select pg_cancel_backend()",
    "select pg_cancel_backend(true)",
    "select pg_table_is_visible(1.5)",
    "select * from pg_get_keywords(1)",
    "select * from pg_partition_tree()",
    "select * from pg_partition_tree(true)",
    "select * from pg_options_to_table(1)",
    "select * from aclexplode(1)",
    "select 1.5::regclass",
    "select true::regtype",
    "select unnest(array[1], array[2])",
    "select * from unnest(array[1, 2], 5)",
    "select * from unnest(array[1, 2], null)",
    "select * from unnest(array[1], array[3]) as u(a, b, c)",
    "select * from unnest(array[1], array[3]) as u(a int)",
    "select * from unnest(array[1], array[3]) as (a int)",
    "select unnest from unnest(array[1], array[3])",
    "select * from json_to_record('{}') as (a nosuch)",
    "select * from json_to_record('{}')",
    "select * from lower('A') as (a text)",
    "select pg_size_bytes('1 xB')",
    "select pg_size_bytes('abc')",
    "select pg_size_bytes('9999999 PB')",
    "select pg_tablespace_size('nosuch')",
    "select information_schema._pg_char_max_length(1)",
];

/// What both must answer the same.
const RIGHT: &[&str] = &[
    "select pg_table_size(null), format_type(23::int2, null), pg_get_userbyid(null), to_regclass('orders'::varchar)",
    "select has_table_privilege(current_user, 'orders', 'select'), has_table_privilege('orders'::text, 'select'), pg_table_is_visible(1)",
    "select 'orders'::varchar::regclass, 'orders'::text::regclass::text, 23::regtype, 23::int8::regtype::text",
    "select count(*) > 400 from pg_get_keywords()",
    "select * from pg_options_to_table('{a=b,c}')",
    "select * from pg_options_to_table(array['a=b', 'c'])",
    "select * from pg_options_to_table(null)",
    "select count(*) from aclexplode(null)",
    "select * from unnest(array[1, 2], array['a', 'b', 'c'])",
    "select * from unnest(array[1, 2], array['a', 'b', 'c'], array[]::int[]) with ordinality",
    "select * from unnest(array[[1, 2], [3, 4]], array[5]) as u(a, b)",
    "select u.a, u.b, u.n from unnest(array[1, null], array[5, 6, 7]) with ordinality as u(a, b, n) where b > 5 order by n desc",
    "select i, u.* from generate_series(1, 3) i, unnest(array[i, i + 1], array['x']) u",
    "select i, u.* from generate_series(1, 3) i cross join lateral unnest(array[i, i + 1], array['x']) with ordinality u(a, b, n)",
    "select i, u.* from generate_series(0, 2) i left join lateral unnest(array_remove(array[i], 0), array_remove(array[i], 0)) u(a, b) on true",
    "select * from unnest('1 2 3'::int2vector, '4 5'::oidvector)",
    "select * from unnest(null::int[], array[1])",
    "select * from unnest(null::int[], null::text[])",
    "select relname, koi.* from pg_index i join pg_class c on c.oid = i.indexrelid, unnest(i.indkey, i.indoption) with ordinality koi(key, option, arridx) \
     where relnamespace = 'public'::regnamespace order by relname, arridx",
    // As Django asks of every table.
    "select indexname, array_agg(attname order by arridx), indisunique, indisprimary, array_agg(ordering order by arridx), amname, exprdef, \
     s2.attoptions from (select c2.relname as indexname, idx.*, attr.attname, am.amname, case when idx.indexprs is not null then \
     pg_get_indexdef(idx.indexrelid) end as exprdef, case am.amname when 'btree' then case (option & 1) when 1 then 'DESC' else 'ASC' end end \
     as ordering, c2.reloptions as attoptions from (select * from pg_index i, unnest(i.indkey, i.indoption) with ordinality \
     koi(key, option, arridx)) idx left join pg_class c on idx.indrelid = c.oid left join pg_class c2 on idx.indexrelid = c2.oid \
     left join pg_am am on c2.relam = am.oid left join pg_attribute attr on attr.attrelid = c.oid and attr.attnum = idx.key \
     where c.relname = 'customer' and pg_catalog.pg_table_is_visible(c.oid)) s2 \
     group by indexname, indisunique, indisprimary, amname, exprdef, attoptions order by 1",
    "select x.a from json_to_record('{\"a\":1}') x(a pg_catalog.int4)",
    "select * from json_to_record('{\"a\":[1],\"b\":\"abc\"}') as x(a pg_catalog.int4[], b pg_catalog.varchar(3), c \"pg_catalog\".\"char\")",
    "select a, json_to_record.b from json_to_record('{\"a\":1,\"b\":\"x\"}') as (a int, b text)",
    "select * from jsonb_to_recordset('[{\"a\":1},{\"a\":2}]') as (a int, b pg_catalog.text) where a > 1",
    "select pg_size_pretty(100.5), pg_size_pretty(10239.9), pg_size_pretty(10240.7), pg_size_pretty(-12345678.5), pg_size_pretty(1e20), \
     pg_size_pretty('NaN'::numeric), pg_size_pretty(sum(oid::int8)) from pg_class where false",
    "select pg_size_bytes('1.5 kb'), pg_size_bytes(' -1e3MB '), pg_size_bytes('10'), pg_size_bytes('.5 kB'), pg_size_bytes('2.5'), \
     pg_size_bytes('-0.5'), pg_size_bytes(null)",
    "select mxid_age('0'), mxid_age('1'), pg_partition_root('orders'), pg_blocking_pids(pg_backend_pid()), oidvectortypes('23 25'), \
     oidvectortypes(''), pg_typeof(pg_current_xact_id()), pg_stat_get_live_tuples(1), pg_stat_get_dead_tuples(1), pg_tablespace_size(1::oid)",
    "select acldefault('c', 12345), acldefault('f', 12345), acldefault('d', 12345), acldefault('s', 12345), acldefault('r', null)",
    "select t, m, information_schema._pg_char_max_length(t, m), information_schema._pg_char_octet_length(t, m), \
     information_schema._pg_numeric_precision(t, m), information_schema._pg_numeric_precision_radix(t, m), \
     information_schema._pg_numeric_scale(t, m), information_schema._pg_datetime_precision(t, m) \
     from unnest(array[20, 21, 23, 25, 700, 701, 1042, 1043, 1082, 1083, 1114, 1184, 1186, 1266, 1560, 1562, 1700]) t, \
     unnest(array[-1, 3, 14, 655366]) m order by 1, 2",
];

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_understood_as_postgresql_declares_them() {
    let both = Both::start().await;
    both.say_the_same(RIGHT);
    let mut wrong = Vec::new();
    for sql in WRONG {
        let (theirs, ours) = (both.oracle(sql), both.tusk("ana", sql));
        assert!(theirs.contains("ERROR"), "{sql}\n{theirs}");
        if theirs != ours {
            wrong.push(format!("{sql}\n--- PostgreSQL\n{theirs}--- Tusk\n{ours}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), WRONG.len(), wrong.join("\n"));
    assert!(both.tusk("root", "select tusk.refresh(1)").contains("function tusk.refresh(integer) does not exist"));
    assert!(both.tusk("root", "select tusk.refresh()").contains("function tusk.refresh() does not exist"));
    assert_eq!(both.tusk("root", "select tusk.refresh('shop'::varchar)"), "t\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_of_a_function_is_an_internal_error() {
    let both = Both::start().await;
    let names = both.oracle("select distinct proname from pg_proc where proname ~ '^(pg_|has_|to_reg|obj_|col_|shobj_|format_type|acl)' and prokind = 'f' \
                             and proname !~ 'sleep|advisory|terminate|cancel|promote|reload|rotate|replication|logical|wal|lo_|import' order by 1");
    let mut calls = String::new();
    for name in names.lines() {
        for arguments in ["", "1", "'x'", "true, true, true, true, true", "row(1, 2)", "null"] {
            calls.push_str(&format!("select {name}({arguments});\n"));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.sql");
    std::fs::write(&file, calls).unwrap();
    let (out, said) = both.tusk.psql("ana", &["-X", "-At", "-v", "VERBOSITY=verbose", "-f", file.to_str().unwrap()]);
    let internal: Vec<&str> =
        said.lines().filter(|line| line.contains("XX000") || line.contains("server closed")).collect();
    assert!(internal.is_empty(), "{}\n{out}", internal.join("\n"));
    assert!(said.matches("42883").count() > 300, "{said}");
}
