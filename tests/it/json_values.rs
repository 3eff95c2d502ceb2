//! JSON opened where sources are joined: the same values, rows and errors as in PostgreSQL, over a file's objects, SQLite's and
//! PostgreSQL's columns.
//! Must not know: how JSON is read.

use std::process::Command;

use crate::harness::federation::Federation;

/// What the file holds; the same texts are in the oracle.
const DOCS: &[(i64, Option<&str>, Option<&str>)] = &[
    (1, Some(r#"{"k":"v","n":1.50,"a":[1,2,{"x":"y"}],"z":null}"#), Some("[1, 2 ,3]")),
    (2, Some(r#"{ "k" : "w\u0041\n" , "dup":1,"dup":2,"a":[ ],"deep":{"e":{"f":[10,20,30]}}}"#), Some("[]")),
    (3, None, Some(r#"[1,"two",null,[3],{"four":4},true,-0.0]"#)),
    (4, Some(r#"{"k":null,"b":true,"n":-12e2,"":5,"1":"one"}"#), None),
    (5, Some(r#"{"a":{"b":1},"a":{"c":2},"bb":"","n":9007199254740993}"#), Some(r#"[{"k":"v"},{"k":2},{}]"#)),
];

/// Tables of PostgreSQL and of SQLite. `notes.body` is jsonb, `tags.tags` json.
const NOTES: &str = "create table notes (id bigint, body jsonb, path text[]);
insert into notes values (1, '{\"b\":1,\"a\":[1,{\"x\":\"y\"}],\"t\":true,\"s\":\"12\",\"n\":2.5}', '{a,1,x}'),
(2, '[1,2.0,\"a\",null,{\"k\":1}]', '{-1,k}'), (3, '\"a\"', '{}'), (4, null, '{a}'), (5, '12.5', '{0}'), (6, 'null', '{NULL}'), (7, '{}', '{\" 1\"}'),
(8, '{\"a\":{\"b\":[1,2,3]}}', null)";
const TAGS: &str = "create table tags (id bigint, tags json);
insert into tags values (1, '[\"a\", \"b\"]'), (2, '{\"a\" : \"b\"}'), (3, null), (4, '  [ 5]'), (5, '[\"s\"]')";

/// What both must answer the same.
const QUERIES: &[&str] = &[
    // Operators over json.
    "select id, obj->'k', obj->>'k', obj->'a', obj->>'a', obj->'nope', obj->>'z', obj->'z' from lake.docs order by id",
    "select id, arr->0, arr->>1, arr->>2, arr->2, arr->-1, arr->>-7, arr->99, arr->-8, arr->3->0, arr->4->>'four' from lake.docs order by id",
    "select id, obj->0, arr->'k', obj->>'', obj->'1', obj->>'dup' from lake.docs order by id",
    "select id, obj#>'{a,2,x}', obj#>>'{a,2,x}', obj#>'{deep,e,f,-1}', obj#>>'{deep,e}', obj#>'{a,b}', obj#>'{}', obj#>>'{a, 1}' from lake.docs order by id",
    "select id, arr#>'{0}', arr#>>'{1}', arr#>>'{2}', arr#>array['-1'], arr#>array[null], arr#>null, arr#>'{+1}', arr#>'{\"1 \"}' from lake.docs order by id",
    "select id, obj->>null::text, arr->>null::int, pg_typeof(obj->'k'), pg_typeof(obj->>'k'), pg_typeof(obj::jsonb->'k') from lake.docs order by id",
    "select id from lake.docs where obj->>'k' = 'v'",
    "select id from lake.docs where (obj->>'n')::numeric > 1 order by id",
    "select obj->>'k' as k, count(*) from lake.docs group by 1 order by 1 nulls first",
    // What binds closer.
    "select id, arr->0+1, arr->>2-1, obj->'k' is null, obj->>'k' in ('v', 'w'), obj->>'k' like 'v%', not obj->>'k' = 'v', obj->>'k' || 'x' from lake.docs order by id",
    "select id, obj->'a'->2->>'x' = 'y', obj->>'k' between 'a' and 'z', (obj->>'n')::float8 * 2 > 1, obj->>'k' is not distinct from 'v', case obj->>'k' when 'v' then 1 end from lake.docs order by id",
    // jsonb of another source, joined.
    "select n.id, n.body->'a', n.body->>'s', n.body->0, n.body->>-1, n.body->'a'->1->>'x', d.obj->>'k' from shop.notes n left join lake.docs d using (id) order by 1",
    "select n.id, n.body#>n.path, n.body#>>n.path, n.body#>'{a,b,-1}' from shop.notes n left join lake.docs d using (id) order by 1",
    "select n.id, n.body ? 'a', n.body ?| array['x','k','a'], n.body ?& array['a','b'], n.body ?& '{}', n.body ?| '{null}' from shop.notes n left join lake.docs d using (id) order by 1",
    "select n.id, n.body @> '[1]', n.body @> '1', n.body @> '{\"a\":[{\"x\":\"y\"}]}', n.body <@ '{\"a\":{\"b\":[1,2,3,4]}}', n.body @> n.body from shop.notes n left join lake.docs d using (id) order by 1",
    "select n.id, n.body || '{\"z\":1}', '[0]' || n.body, n.body || n.body from shop.notes n left join lake.docs d using (id) order by 1",
    "select n.id, n.body - 'a', n.body - array['a','b'] from shop.notes n left join lake.docs d using (id) where n.id in (1,2,4,7) order by 1",
    "select n.id, n.body - 0, n.body - -1, n.body - 9, n.body - -9 from shop.notes n left join lake.docs d using (id) where n.id in (2,4) order by 1",
    "select t.id, t.tags->0, t.tags->>'a', t.tags#>'{}', t.tags#>>'{}', json_typeof(t.tags), d.id from crm.tags t left join lake.docs d using (id) order by 1",
    // Casts.
    "select id, obj::jsonb, arr::jsonb, obj::text, obj::jsonb::text, obj::jsonb::json, obj::text::jsonb, obj::varchar(5) from lake.docs order by id",
    "select id, (obj::jsonb->'n')::numeric, (obj::jsonb->'n')::float8, (obj::jsonb->'n')::numeric(20,1), (obj::jsonb->'n')::int8, (obj::jsonb->'b')::bool from lake.docs order by id",
    "select id, (arr::jsonb->0)::int, (arr::jsonb->0)::smallint, (arr::jsonb->0)::real from lake.docs where id in (1, 3) order by id",
    "select '2.5'::jsonb::int, '-2.5'::jsonb::int8, '1e3'::jsonb::int2, '0.1'::jsonb::float4, int4('7'::jsonb), 'true'::jsonb::bool::text, count(*) from lake.docs",
    // Functions.
    "select id, json_array_length(arr), jsonb_array_length(arr::jsonb), json_typeof(obj), json_typeof(obj->'k'), jsonb_typeof(arr::jsonb->5), json_typeof(arr->0) from lake.docs order by id",
    "select id, json_extract_path(obj, 'a', '2', 'x'), json_extract_path_text(obj, 'a', '2', 'x'), jsonb_extract_path(obj::jsonb, 'deep', 'e'), jsonb_extract_path_text(obj::jsonb, 'k'), json_extract_path(obj, null) from lake.docs order by id",
    "select id, json_build_object('k', obj->'k', 'a', obj->>'a'), to_jsonb(obj->'a'), json_build_array(arr->0) from lake.docs order by id",
    // Rows in FROM.
    "select d.id, e.key, e.value from lake.docs d, json_each(d.obj) e order by d.id, e.key, e.value::text || ''",
    "select d.id, e.* from lake.docs d, lateral json_each_text(d.obj) as e(k, v) order by 1, 2, 3",
    "select d.id, e.key, e.value, pg_typeof(e.value) from lake.docs d cross join lateral jsonb_each(d.obj::jsonb) e order by 1, 2",
    "select d.id, e.key, e.value from lake.docs d left join jsonb_each_text(d.obj::jsonb) e on true order by 1, 2",
    "select d.id, k from lake.docs d, json_object_keys(d.obj) k order by 1, 2",
    "select d.id, k.* from lake.docs d, jsonb_object_keys(d.obj::jsonb) as k(name) order by 1, 2",
    "select d.id, value from lake.docs d, json_array_elements(d.arr) order by 1, value::text || ''",
    "select d.id, e.value, e from lake.docs d, json_array_elements(d.arr) e order by 1, e.value::text || ''",
    "select d.id, e->>'k' from lake.docs d, jsonb_array_elements(d.arr::jsonb) e where jsonb_typeof(e) = 'object' order by 1, 2",
    "select d.id, e.n, e.v from lake.docs d, json_array_elements_text(d.arr) with ordinality as e(v, n) order by 1, 2",
    "select d.id, x.value, y.key from lake.docs d, json_array_elements(d.arr) x, json_each(x.value) y where json_typeof(x.value) = 'object' order by 1, 3",
    "select n.id, e from shop.notes n left join lake.docs d using (id), jsonb_array_elements_text(n.body) e where n.id = 2 order by 2",
    "select d.id, r.* from lake.docs d, json_to_record(d.obj) as r(k text, n numeric, a json) order by 1",
    "select d.id, r.* from lake.docs d, jsonb_to_record(d.obj::jsonb) as r(k text, n numeric, b bool) order by 1",
    "select * from json_each('{\"a\":1,\"b\":[1, 2]}'), lake.docs where id = 1 order by 1",
    "select id, (select string_agg(v, '|') from json_array_elements_text(d.arr) as t(v)) from lake.docs d order by 1",
    "select id from lake.docs d where exists (select 1 from json_object_keys(d.obj) k where k = 'dup')",
    // Rows in the select list.
    "select id, json_array_elements_text(arr) from lake.docs order by 1, 2",
    "select id, json_object_keys(obj) as k from lake.docs order by 1, 2",
    "select id, json_each_text(obj) from lake.docs where id = 1",
    "select id, (json_each(obj)).key, json_typeof((json_each(obj)).value) from lake.docs order by 1, 2",
    // A reference to the whole of a function of scalars.
    "select n from generate_series(1, 2) n, lake.docs where id = 1 order by 1",
    "select u, u + 1 from unnest(array[1, 2]) as u(x), lake.docs where id = 1 order by 1",
];

/// What neither answers, in the same words and at the same place.
const ERRORS: &[&str] = &[
    "select obj->'k'->1.5 from lake.docs",
    "select obj @> '{}' from lake.docs",
    "select obj ? 'k' from lake.docs",
    "select obj::int from lake.docs",
    "select obj || obj from lake.docs",
    "select obj->obj from lake.docs",
    "select 'a' || obj->>'k' from lake.docs",
    "select 1 + arr->0 from lake.docs",
    "select json_array_length(obj) from lake.docs where id = 1",
    "select json_array_length(obj->'k') from lake.docs where id = 1",
    "select jsonb_array_length(obj::jsonb) from lake.docs where id = 1",
    "select jsonb_array_length('5'), id from lake.docs",
    "select json_extract_path(obj) from lake.docs",
    "select (obj::jsonb->'k')::int from lake.docs where id = 1",
    "select (obj::jsonb->'k')::numeric from lake.docs where id = 4",
    "select (obj::jsonb->'a')::bool from lake.docs where id = 1",
    "select (obj::jsonb->'n')::bool from lake.docs where id = 1",
    "select obj::jsonb::float8 from lake.docs where id = 1",
    "select (obj::jsonb->'n')::int from lake.docs where id = 5",
    "select (obj->>'k')::int from lake.docs where id = 1",
    "select e from lake.docs, json_each(arr) e",
    "select e from lake.docs, json_each(obj->'k') e where id = 1",
    "select e from lake.docs, jsonb_each(arr::jsonb) e",
    "select e from lake.docs, json_array_elements(obj) e",
    "select e from lake.docs, json_array_elements_text(obj->'k') e where id = 1",
    "select e from lake.docs, jsonb_array_elements(obj::jsonb) e",
    "select e from lake.docs, jsonb_array_elements('1') e",
    "select e from lake.docs, json_object_keys(arr) e",
    "select e from lake.docs, jsonb_object_keys('1') e",
    "select id from lake.docs where json_object_keys(obj) = 'a'",
    "select '1'::jsonb - 'a', id from lake.docs",
    "select '{}'::jsonb - 1, id from lake.docs",
    "select e.nope from lake.docs, json_each(obj) e",
    "select '{\"a\":\"\\u0000\"}'::json->'b', id from lake.docs",
    "select '{\"a\":\"\\u0000\"}'::json::jsonb, id from lake.docs",
    "select '{\"a\":\"\\ud800\"}'::json->'b', id from lake.docs",
    "select '{\"a\":1e400}'::jsonb->'a', ('{\"a\":1e400}'::jsonb->'a')::float8, id from lake.docs",
];

/// What stays refused, without an answer that is nearly right.
const REFUSED: &[&str] = &[
    "select jsonb_set(obj::jsonb, '{k}', '1') from lake.docs",
    "select obj::jsonb #- '{k}' from lake.docs",
    "select obj::jsonb @? '$.k' from lake.docs",
    "select jsonb_pretty(obj::jsonb) from lake.docs",
];

async fn federation() -> Federation {
    let federation = Federation::start().await;
    let lines: String = DOCS
        .iter()
        .map(|(id, obj, arr)| {
            let member =
                |name: &str, text: &Option<&str>| text.map_or(String::new(), |text| format!(",\"{name}\":{text}"));
            format!("{{\"id\":{id}{}{}}}\n", member("obj", obj), member("arr", arr))
        })
        .collect();
    std::fs::write(federation.files.path().join("lake/docs.ndjson"), lines).unwrap();
    federation.postgres.exec(NOTES).await;
    rusqlite::Connection::open(federation.files.path().join("crm.db")).unwrap().execute_batch(TAGS).unwrap();
    let oracle = federation.oracle().await;
    oracle.batch_execute(&format!("set search_path = shop; {NOTES}; set search_path = crm; {TAGS}")).await.unwrap();
    oracle.batch_execute("create table lake.docs (id bigint, obj json, arr json)").await.unwrap();
    for (id, obj, arr) in DOCS {
        let sql = "insert into lake.docs values ($1, $2::text::json, $3::text::json)";
        oracle.execute(sql, &[id, obj, arr]).await.unwrap();
    }
    for source in ["lake", "shop", "crm"] {
        federation.tusk.psql("root", &["-X", "-c", &format!("select tusk.refresh('{source}')")]);
    }
    federation
}

fn ours(federation: &Federation, sql: &str) -> String {
    let (out, said) = federation.tusk.psql("ana", &["-X", "-q", "-At", "-c", "set tusk.route = federated", "-c", sql]);
    format!("{out}{said}")
}

fn theirs(federation: &Federation, sql: &str) -> String {
    let port = federation.postgres.port().to_string();
    let args = ["-X", "-q", "-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-d", "oracle", "-At", "-c", sql];
    let output = Command::new("psql").args(args).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_opened_as_in_postgresql() {
    let federation = federation().await;
    let mut wrong = Vec::new();
    for (sql, fails) in QUERIES.iter().map(|sql| (sql, false)).chain(ERRORS.iter().map(|sql| (sql, true))) {
        let (theirs, ours) = (theirs(&federation, sql), ours(&federation, sql));
        assert_eq!(theirs.contains("ERROR"), fails, "{sql}\n{theirs}");
        if theirs != ours {
            wrong.push(format!("{sql}\n--- PostgreSQL\n{theirs}--- Tusk\n{ours}"));
        }
    }
    for sql in REFUSED {
        let ours = ours(&federation, sql);
        if !ours.contains("is not supported") {
            wrong.push(format!("{sql}\n--- Tusk\n{ours}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), QUERIES.len() + ERRORS.len(), wrong.join("\n"));
}
