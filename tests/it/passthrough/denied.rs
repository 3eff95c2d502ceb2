//! A role that may not see all of a table finds no way around that: names, whole rows, system columns, joins, errors, functions.
//! Must not know: how a table is narrowed.

use super::{passing, start};
use crate::harness::raw::{Message, Raw, error, rows};

/// `eve` may read some columns of one table.
const EVE: &str = r#"
[[role]]
name = "narrow"
[[role.grant]]
tables = ["shop.emps"]
columns = ["id", "name"]
privileges = ["select"]
[[role.grant]]
tables = ["shop.parts"]
privileges = ["select"]
[[user]]
name = "eve"
roles = ["narrow"]
"#;

/// Whatever the source has of the hidden columns, in some form: a salary, or the number of a boss in a place where it can be told.
const SECRET: &str = "1234567";

fn everything(messages: &[Message]) -> String {
    messages.iter().map(|message| String::from_utf8_lossy(&message.body).into_owned()).collect::<Vec<_>>().join("\n")
}

/// Ways to a denied column. None may show it, or say that it is there.
const ATTEMPTS: &[&str] = &[
    "select salary from shop.emps",
    "select e.salary from shop.emps e",
    "select shop.emps.salary from shop.emps",
    "select id from shop.emps where salary > 0",
    "select id from shop.emps order by salary",
    "select id from shop.emps group by id, salary",
    "select count(salary) from shop.emps",
    "select sum(id) over (order by salary) from shop.emps",
    "select a.id from shop.emps a join shop.emps b using (salary)",
    "select a.id from shop.emps a join shop.emps b on a.salary = b.salary",
    "select (e).salary from shop.emps e",
    "select (e.*).salary from shop.emps e",
    "select (select salary) from shop.emps",
    "select x.salary from shop.emps e, lateral (select e.*) x",
    "select salary from (select * from shop.emps) s",
    "with w as (select * from shop.emps) select salary from w",
    "select ctid from shop.emps",
    "select xmin, tableoid from shop.emps",
    "select e.xmax from shop.emps e",
    "select salary from (table shop.emps) t",
    "select * from shop.emps e (a, b, c)",
    "select e.pg_typeof from shop.emps e",
    "select \"salary\" from shop.emps",
    "select emps.salary from shop.emps as emps",
    "select jsonb_populate_record(e, '{}') -> 'salary' from shop.emps e",
];

/// Statements that return whole rows: they are of the table's type, and at the source they are rows of a query.
const WHOLE: &[&str] = &["select e from shop.emps e", "select array_agg(e) from shop.emps e"];

/// Statements that are right and tell of what may be seen only.
const HARMLESS: &[&str] = &[
    "select * from shop.emps",
    "select e.* from shop.emps e",
    "select e::text from shop.emps e",
    "select row_to_json(e), to_jsonb(e.*), json_agg(e) over () from shop.emps e",
    "select jsonb_object_keys(to_jsonb(e)) from shop.emps e",
    "select * from shop.emps a natural join shop.emps b",
    "select count(e), max(e::text) from shop.emps e",
    "select * from shop.emps order by 1, 2",
    "select e is null, e = e, e in (select f from shop.emps f) from shop.emps e",
    "select * from (select distinct on (id) * from shop.emps) x",
    "select md5(e::text), length(e::text) from shop.emps e",
    "select * from shop.emps union all select 1, 'x'",
    "table shop.emps",
];

/// What reaches beside the tables of a role, by functions, casts and names.
const BEYOND: &[&str] = &[
    "select pg_read_file('postgresql.conf') from shop.emps",
    "select pg_ls_dir('.') from shop.emps",
    "select query_to_xml('select * from public.emps', true, true, '') from shop.emps",
    "select table_to_xml('public.emps', true, true, '') from shop.emps",
    "select database_to_xml(true, true, '') from shop.emps",
    "select * from shop.emps, ts_stat('select ''a b''::tsvector')",
    "select ts_rewrite('a'::tsquery, 'select ''a''::tsquery, ''b''::tsquery') from shop.emps",
    "select set_config('role', 'postgres', false), id from shop.emps",
    "select current_setting('data_directory') from shop.emps",
    "select 'public.emps'::regclass, id from shop.emps",
    "select id from shop.emps where 'public.items'::regclass::oid > 0",
    "select case when true then 'public.nothing' else pg_typeof(1) end from shop.emps",
    "select coalesce(pg_typeof(id), 'public.items') from shop.emps",
    "select ('postgresql.conf'::text).pg_read_file from shop.emps",
    "select x.pg_read_file from (select 'postgresql.conf'::text as pg_read_file) y, (select (y.pg_read_file).pg_read_file) x, shop.emps",
    "select lo_import('/etc/passwd') from shop.emps",
    "select has_table_privilege('public.items', 'select') from shop.emps",
    "select inet_server_addr() from shop.emps",
    "select pg_terminate_backend(1) from shop.emps",
    "select secret() from shop.emps",
    "select public.secret() from shop.emps",
    "select * from shop.emps, public.secret()",
    "select e.secret from shop.emps e",
    "select 1 operator(public.===) 1 from shop.emps",
    "select * from public.emps",
    "with pg_authid as (select 1) select rolname from pg_authid, shop.emps",
    "select (select rolname from (with pg_authid as (select 1 as one) select one from pg_authid) x limit 1) from shop.emps, pg_authid",
    "select '\\'') union all select name || salary from public.emps --' from shop.emps where false",
    "select id as \"x\\\" from public.emps union select salary --\" from shop.emps where false",
    "select nextval('public.numbers') from shop.emps",
    "select id into stolen from shop.emps",
    "with x as (delete from shop.emps returning *) select * from x",
    "with x as (update shop.emps set name = 'x' returning *) select * from x",
    "with emps as (insert into shop.emps (id) values (1) returning salary) select salary from emps",
    "with x as (delete from shop.emps returning salary) insert into shop.parts select * from x",
    "with x as (delete from shop.parts), y as (select * from shop.emps for update) select salary from y",
    "copy (with x as (delete from shop.emps returning *) select * from x) to stdout",
    "explain analyze with x as (delete from shop.emps returning *) select * from x",
    "select id from shop.emps for update",
    "select id from shop.emps for no key update of emps",
    "select id from shop.emps for key share",
];

fn check(raw: &mut Raw, sql: &str, fails: bool) {
    let messages = raw.ask(sql);
    let text = everything(&messages);
    assert!(!text.contains(SECRET), "{sql}\n{text}");
    let wrong = messages.iter().any(|message| message.tag == b'E');
    if fails {
        assert!(wrong || !messages.iter().any(|message| message.tag == b'D'), "{sql}: {text}");
    } else {
        assert!(!wrong, "{sql}: {text}");
    }
    for hidden in ["boss", "salary", "public"] {
        // What the statement itself says may come back in an error.
        assert!(sql.contains(hidden) || !text.contains(hidden), "{sql}\n{text}");
    }
}

/// How a source runs a statement tells of more than its tables: who does not see everything does not read it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_of_the_source_are_for_those_who_see_all_of_it() {
    let (_postgres, daemon) = start("", EVE).await;
    let mut eve = passing(&daemon, "eve");
    for sql in [
        "explain select id from shop.emps where id = 1",
        "explain select * from shop.parts where item = 1",
        "explain (analyze, format json) select * from shop.parts where item = 1 and part = 1",
    ] {
        let text = everything(&eve.ask(sql));
        assert!(
            text.contains("passthrough") && !text.contains("Scan") && !text.contains("parts_pkey"),
            "{sql}: {text}"
        );
    }
    // Who is no administrator does not either: there may be more at the source than is known here.
    let sql = "explain select id from shop.emps";
    let text = everything(&passing(&daemon, "ana").ask(sql));
    assert!(text.contains("passthrough") && !text.contains("Scan"), "{text}");
    assert!(everything(&passing(&daemon, "root").ask(sql)).contains("Scan"));
    // Nor does anybody where the configuration leaves tables out.
    let (_postgres, daemon) = start(r#"tables = ["*", "!log"]"#, "").await;
    let text = everything(&passing(&daemon, "root").ask(sql));
    assert!(text.contains("passthrough") && !text.contains("Scan"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn denied_columns_are_as_absent_as_ever() {
    let (postgres, daemon) = start("", EVE).await;
    postgres
        .exec(&format!(
            "update public.emps set salary = {SECRET}, boss = {SECRET}; create sequence public.numbers; \
             create function public.secret() returns text language sql as 'select ''{SECRET}''::text'; \
             create function public.secret(public.emps) returns text language sql as 'select ''{SECRET}''::text'; \
             create function public.yes(int, int) returns bool language sql as 'select true'; \
             create operator public.=== (function = public.yes, leftarg = int, rightarg = int)"
        ))
        .await;
    for route in ["passthrough", "auto"] {
        let mut raw = passing(&daemon, "eve");
        raw.ask(&format!("set tusk.route = {route}"));
        for sql in ATTEMPTS {
            check(&mut raw, sql, true);
        }
        for sql in HARMLESS {
            if route == "passthrough" {
                check(&mut raw, sql, false);
            }
        }
        for sql in WHOLE {
            check(&mut raw, sql, route == "passthrough");
        }
        for sql in BEYOND {
            match route {
                "passthrough" => check(&mut raw, sql, true),
                // Some of these are functions of Tusk's own there.
                _ => assert!(!everything(&raw.ask(sql)).contains(SECRET), "{sql}"),
            }
        }
    }
    // Who may see all of it does.
    let mut raw = passing(&daemon, "ana");
    assert!(everything(&raw.ask("select * from shop.emps")).contains(SECRET));
}

/// `uma` may read every column that there is now, each by its name.
const UMA: &str = r#"
[[role]]
name = "named"
[[role.grant]]
tables = ["shop.parts"]
columns = ["item", "part", "label"]
privileges = ["select", "insert", "update", "delete"]
[[user]]
name = "uma"
roles = ["named"]
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_that_comes_later_is_in_no_whole_row() {
    let (postgres, daemon) = start("writable = true", UMA).await;
    let mut uma = Raw::login(daemon.port(), "uma", "tusk");
    let before = uma.ask("select p, p::text, row_to_json(p) from shop.parts p order by item, part");
    assert!(before.iter().any(|message| message.tag == b'D'));
    postgres.exec(&format!("alter table public.parts add column secret text default '{SECRET}'")).await;
    for sql in [
        "select p from shop.parts p",
        "select p::text from shop.parts p",
        "select row_to_json(p) from shop.parts p",
        "select j ->> 'secret' from (select row_to_json(p) as j from shop.parts p) q",
        "select (x.p).secret from (select p from shop.parts p) x",
        "begin; update shop.parts p set part = part where item = 1 returning p",
        "rollback",
        "insert into shop.parts (item, part) values (null, null)",
        "insert into shop.parts (item, part) values (1, 1)",
        "select * from shop.parts",
    ] {
        let text = everything(&uma.ask(sql));
        assert!(!text.contains(SECRET), "{sql}\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn denied_and_missing_are_the_same_to_the_byte() {
    let (_postgres, daemon) = start("", EVE).await;
    let mut raw = passing(&daemon, "eve");
    for sql in [
        "select @ from shop.emps",
        "select e.@ from shop.emps e",
        "select id from shop.emps where @ = 1",
        "select a.id from shop.emps a join shop.emps b using (@)",
        "select (e).@ from shop.emps e",
        "select id from shop.emps order by @",
        "select id from shop.emps group by @",
        "with w as (select * from shop.emps) select w.@ from w",
    ] {
        let mut ask = |name: &str| {
            let fields = error(&raw.ask(&sql.replace('@', name)));
            fields.into_iter().map(|(field, text)| (field, text.replace(name, "@"))).collect::<Vec<_>>()
        };
        assert_eq!(ask("salary"), ask("salarz"), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_and_nothing_is_left_behind() {
    let (postgres, daemon) = start("", EVE).await;
    let mut raw = passing(&daemon, "ana");
    for sql in [
        "select 1 from shop.emps; drop table shop.emps",
        "select 'a'; delete from shop.emps",
        "update shop.emps set id = 1",
        "with x as (delete from shop.emps returning id) select id from x",
        "with x as (select 1) select 1; with x as (delete from shop.emps) select 1",
        "copy (with x as (delete from shop.emps returning id) select id from x) to stdout",
        "explain analyze with x as (delete from shop.emps) select 1",
    ] {
        let messages = raw.ask(sql);
        assert!(messages.iter().any(|message| message.tag == b'E'), "{sql}");
    }
    let left = postgres.connect().await.query_one("select count(*) from public.emps", &[]).await.unwrap();
    assert_eq!(left.get::<_, i64>(0), 5);
    // The settings of one session are not those of the next.
    raw.ask("set timezone = 'Asia/Tokyo'");
    assert!(format!("{:?}", rows(&raw.ask("select made::text from shop.items where id = 1"))).contains("+09"));
    let mut other = passing(&daemon, "eve");
    other.ask("set timezone = 'UTC'");
    assert!(
        format!("{:?}", rows(&other.ask("select timestamptz '2020-01-01 00:00+00'::text from shop.emps limit 1")))
            .contains("+00")
    );
}
