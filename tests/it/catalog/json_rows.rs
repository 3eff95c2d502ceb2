//! JSON as rows of columns that the statement defines: the same rows and the same errors as in PostgreSQL.
//! Must not know: which engine makes them.

use super::Both;

/// What both must answer the same.
const QUERIES: &[&str] = &[
    "select * from jsonb_to_recordset('[{\"a\":1,\"b\":\"x\",\"c\":{\"k\":[1, 2]},\"d\":[1,2]},{\"a\":null,\"b\":true,\"c\":null}, \
     {\"b\":1.50,\"c\":\"s\"},{\"d\":\"{3,4}\",\"b\":{\"z\":1}}]') as t(a int, b text, c jsonb, d int[])",
    "select * from json_to_recordset('[{\"a\":1,\"b\":\"x\",\"c\":{\"k\":[1, 2]},\"d\":[1,2]},{\"a\":null,\"b\":true,\"c\":null}, \
     {\"b\":1.50,\"c\":\"s\"},{\"d\":\"{3,4}\",\"b\":{\"z\":1}}]') as t(a int, b text, c json, d int[])",
    "select * from jsonb_to_recordset('[]') as t(a int)",
    "select * from jsonb_to_recordset(null) as t(a int)",
    "select count(*) from json_to_recordset(null) as t(a int)",
    "select count(*), count(a) from jsonb_to_record(null) as t(a int)",
    "select count(*), count(a) from json_to_record(null::json) as t(a int)",
    "select * from jsonb_to_record('{\"a\":1,\"b\":[1,\"2\",null]}') as t(a int, b text[], c int)",
    "select * from json_to_record('{\"a\":1, \"a\":2}') as t(a int)",
    "select * from json_to_record('{\"a\":\"q\\u0041\"}') as t(a text)",
    "select * from json_to_record('{\"a\":  {\"x\" :1}, \"b\": \"str\", \"c\": 1.0, \"d\": null}') as t(a json, b json, c jsonb, d json)",
    "select * from json_to_record('{\"a\":  {\"x\" :1}, \"b\": \"str\", \"c\": 1.0, \"d\": null}') as t(a text, b text, c text, d text)",
    "select * from jsonb_to_record('{\"a\":  {\"x\" :1}, \"b\": \"str\", \"c\": 1.0, \"d\": null}') as t(a json, b json, c jsonb, d json)",
    "select * from jsonb_to_record('{\"a\":\"q\",\"b\":\"\\u00e9\\n\"}') as t(a json, b json)",
    "select * from json_to_record('{\"a\": \"[1, 2]\", \"b\": [1, [2]]}') as t(a jsonb, b text)",
    "select * from jsonb_to_record('{\"a\": 1, \"A\": 2}') as t(\"A\" int, \"A b\" int)",
    "select * from jsonb_to_record('{\"a\":true,\"b\":false,\"c\":\"t\"}') as t(a bool, b text, c bool)",
    // modifiers
    "select '<' || a || '>', b, c from json_to_record('{\"a\":\"ab\",\"b\":1.234,\"c\":\"2020-01-01 10:00:00.123456\"}') \
     as t(a char(3), b numeric(5,2), c timestamp(1))",
    "select a, pg_typeof(a) from json_to_record('{\"a\":\"abc\"}') as t(a varchar(3))",
    "select * from jsonb_to_recordset('[{\"a\":\"1 day 2 hours\"}]') as t(a interval day)",
    // arrays
    "select * from jsonb_to_record('{\"a\":[[1,2],[3,4]],\"b\":[[],[]],\"c\":[]}') as t(a int[], b int[], c text[])",
    "select * from jsonb_to_record('{\"a\":[{\"b\": 1}, null, \"s\", [1]]}') as t(a jsonb[])",
    "select * from json_to_record('{\"a\":[{\"b\" : 1}, null, \"s\", 2, true]}') as t(a text[])",
    "select * from json_to_record('{\"a\":[\"x\\\"y\", \"a,b\", \"\", \"null\", null], \"b\":[true, 1.50, \"2020-01-01\"]}') as t(a text[], b varchar[])",
    "select * from json_to_record('{\"a\":[[[[[[1]]]]]]}') as t(a int[])",
    // records and their columns
    "select t, (t).b from jsonb_to_recordset('[{\"a\":1,\"b\":\"x\"}]') as t(a int, b text)",
    "select v.*, t.a + 1 from (values (1), (2)) v(a) join jsonb_to_recordset('[{\"a\":2}]') as t(a int) using (a)",
    "select a + 1, count(*) from jsonb_to_recordset($$[{\"a\":1},{\"a\":1},{}]$$) as t(a int) group by a order by 1",
    // over what stands before
    "select x.i, t.* from (values (1, '[{\"a\":1},{\"a\":2}]'::jsonb), (2, '[]'), (3, null)) x(i, j), jsonb_to_recordset(x.j) as t(a int) order by 1, 2",
    "select x.i, t.* from (values (1, '[{\"a\":1},{\"a\":2}]'::jsonb), (2, '[]'), (3, null)) x(i, j) \
     left join lateral jsonb_to_recordset(x.j) as t(a int) on true order by 1, 2",
    "select x.i, t.* from (values (1, '{\"a\":1}'::json), (2, '{}'), (3, null)) x(i, j) cross join json_to_record(x.j) as t(a int) order by 1",
    "select x.i, (select sum(a) from jsonb_to_recordset(x.j) as t(a int)) from (values (1, '[{\"a\":1},{\"a\":2}]'::jsonb), (2, '[]')) x(i, j) order by 1",
    "select c.relname, t.kind from pg_class c, jsonb_to_recordset(jsonb_build_array(jsonb_build_object('kind', c.relkind))) as t(kind text) \
     where c.relname in ('orders', 'orders_v') order by 1",
    // A tool that looks up the tables it knows of.
    "select k.schema_name, k.table_name, jsonb_build_object('columns', coalesce(cols.info, '[]'), 'key', key.info, 'foreign', coalesce(fk.info, '[]'))::json \
     from (select tracked.name as table_name, tracked.schema as schema_name from jsonb_to_recordset( \
     '[{\"schema\":\"public\",\"name\":\"orders\"},{\"schema\":\"public\",\"name\":\"nothing\"}]'::jsonb) as tracked(schema text, name text)) k \
     left join (select c.oid, c.relname, n.nspname, c.relkind from pg_class c join pg_namespace n on n.oid = c.relnamespace) c \
     on c.relname = k.table_name and c.nspname = k.schema_name \
     left join lateral (select jsonb_agg(a.attname order by a.attnum) as info from pg_attribute a where a.attrelid = c.oid and a.attnum > 0) cols on true \
     left join lateral (select jsonb_build_object('name', i.relname, 'columns', coalesce(of_key.info, '[]')) as info from pg_index idx \
     join pg_class i on i.oid = idx.indexrelid left join lateral (select jsonb_agg(a.attname) as info from pg_attribute a \
     where a.attrelid = c.oid and a.attnum = any (idx.indkey)) of_key on true where idx.indrelid = c.oid and idx.indisprimary) key on true \
     left join (select json_agg(f.name order by f.name) as info, f.of_table from (select min(q.conname)::text as name, q.relname::text as of_table \
     from (select r.conname, ct.relname, r.oid, unnest(r.conkey) as number from pg_constraint r join pg_class ct on ct.oid = r.conrelid where r.contype = 'f') q \
     group by q.relname, q.oid) f group by f.of_table) fk on fk.of_table = c.relname \
     where c.relkind in ('r', 'v') and c.nspname not like 'pg_%'",
];

/// What neither answers, in the same words and at the same place.
const ERRORS: &[&str] = &[
    "select * from jsonb_to_recordset('{\"a\":1}') as t(a int)",
    "select * from json_to_recordset('{\"a\":1}') as t(a int)",
    "select * from jsonb_to_recordset('5') as t(a int)",
    "select * from json_to_recordset('\"x\"') as t(a int)",
    "select * from json_to_recordset('null') as t(a int)",
    "select * from jsonb_to_recordset('[1]') as t(a int)",
    "select * from json_to_recordset('[null]') as t(a int)",
    "select * from json_to_recordset('[[1]]') as t(a int)",
    "select * from jsonb_to_record('[1]') as t(a int)",
    "select * from json_to_record('null') as t(a int)",
    "select * from jsonb_to_record('{\"a\":\"x\"}') as t(a int)",
    "select * from jsonb_to_record('{\"a\":[1,2]}') as t(a int)",
    "select * from json_to_record('{\"a\":\"abcdef\"}') as t(a varchar(3))",
    "select * from json_to_record('{\"a\":[\"abcdef\"]}') as t(a varchar(3)[])",
    "select count(*) from jsonb_to_recordset('[{\"a\":\"x\"}]') as t(a int)",
    "select b from jsonb_to_recordset('[{\"a\":\"x\",\"b\":1}]') as t(a int, b int)",
    "select * from jsonb_to_record('{\"a\":[1,[2]]}') as t(a int[])",
    "select * from jsonb_to_record('{\"a\":[[1,2],[3]]}') as t(a int[])",
    "select * from jsonb_to_record('{\"a\":[[],[1]]}') as t(a int[])",
    "select * from jsonb_to_record('{\"a\":[[1],2]}') as t(a int[])",
    "select * from jsonb_to_record('{\"a\":5}') as t(a int[])",
    "select * from jsonb_to_record('{\"a\":\"5\"}') as t(a int[])",
    "select * from jsonb_to_record('{\"a\":{\"b\":1}}') as t(a int[])",
    "select * from jsonb_to_record('{\"a\":[[[[[[[1]]]]]]]}') as t(a int[])",
    "select * from json_to_record('{\"a\":\"q\", \"b\": \"x\\u0000\"}') as t(a text)",
    // the definition list
    "select * from jsonb_to_recordset('[]')",
    "select * from jsonb_to_recordset('[]') t",
    "select * from jsonb_to_recordset('[]') as t(a, b)",
    "select * from jsonb_to_recordset('[]') with ordinality as t(a int)",
    "select * from jsonb_to_recordset('[]') as t(a int, a text)",
    "select * from jsonb_to_recordset('[]') as t(a nonesuch)",
    "select * from jsonb_to_recordset('[]') as t(a numeric(2000))",
    "select * from jsonb_to_recordset('[]') as t(a cstring)",
    "select * from jsonb_to_recordset('[]') as t(a, b int)",
    "select * from jsonb_to_recordset('[]') as t(a int, b)",
    "select * from generate_series(1, 2) as t(a int)",
    "select * from unnest(array[1]) as t(a int)",
    "select * from upper('a') as t(a text)",
    "select * from pg_class as t(a int)",
    "select * from (select 1) as t(a int)",
    "select * from jsonb_to_recordset('[]'::json) as t(a int)",
    "select * from jsonb_to_recordset('[]', 2) as t(a int)",
];

#[tokio::test(flavor = "multi_thread")]
async fn json_becomes_the_rows_it_becomes_in_postgresql() {
    Both::start().await.say_the_same(QUERIES);
}

#[tokio::test(flavor = "multi_thread")]
async fn json_that_becomes_no_rows_is_refused_in_postgresqls_words() {
    let both = Both::start().await;
    let mut wrong = Vec::new();
    for sql in ERRORS {
        let (theirs, ours) = (both.oracle(sql), both.tusk("ana", sql));
        assert!(theirs.contains("ERROR"), "{sql}\n{theirs}");
        if theirs != ours {
            wrong.push(format!("{sql}\n--- PostgreSQL\n{theirs}--- Tusk\n{ours}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), ERRORS.len(), wrong.join("\n"));
    // Names of objects are not read out of JSON, here or at a source.
    for ty in ["regclass", "regtype[]"] {
        let said = both.tusk("ana", &format!("select * from json_to_record('{{\"a\": \"1\"}}') as t(a {ty})"));
        assert!(said.contains("out of JSON is not supported"), "{said}");
    }
}
