//! The same statement through Tusk and directly: the same columns, rows and errors, in both protocols and both forms.
//! Must not know: who may see what.

use super::{passing, start};
use crate::harness::raw::{Message, Raw, bind, close, describe, error, execute, parse, rows};

const STATEMENTS: &[&str] = &[
    "select * from shop.items order by id",
    "select i.*, p.part from shop.items i join shop.parts p on p.item = i.id where i.id < 4 order by i.id, p.part",
    "select id, name, price from shop.items where id = 7",
    "select shop.items.id, items.name from shop.items where shop.items.id in (1, 2) order by 1",
    "select count(*), count(distinct flag), sum(price), avg(ratio), min(made), max(day), string_agg(name, ', ' order by id desc) from shop.items where id < 9",
    "select feeling, count(*) filter (where flag) as n, array_agg(id order by id) from shop.items group by feeling order by feeling",
    "select flag, code, count(*) from shop.items where id < 7 group by grouping sets ((flag), (code), ()) order by 1, 2, 3",
    "select flag, feeling, count(*), grouping(flag, feeling) from shop.items group by rollup (flag, feeling) order by 1, 2, 3",
    "select id, row_number() over w, sum(price) over (partition by flag order by id rows between 1 preceding and current row) \
     from shop.items window w as (order by id desc) order by id limit 5",
    "with recursive t (id, path) as (select id, name from shop.emps where boss is null union all \
     select e.id, t.path || '/' || e.name from shop.emps e join t on e.boss = t.id) select * from t order by path",
    "with a as materialized (select id from shop.items where id < 5), b as (select id from a where id > 2) select * from b union select 9 order by 1",
    "select distinct on (boss) boss, name from shop.emps order by boss, name",
    "select name from shop.emps where salary = any (select max(salary) from shop.emps) or salary > all (array[8, 9])",
    "select e.name, (select b.name from shop.emps b where b.id = e.boss) as boss from shop.emps e order by 1",
    "select e.name, l.n from shop.emps e, lateral (select count(*) as n from shop.emps b where b.boss = e.id) l order by 1",
    "select e.name, g from shop.emps e cross join generate_series(1, 2) g where e.id < 3 order by 1, 2",
    "select * from shop.emps a full join shop.emps b on a.id = b.boss order by a.id, b.id",
    "select id from shop.emps a natural join shop.emps b order by 1",
    "select id, count(*) from shop.items i join shop.parts p using (id) group by id",
    "select * from shop.items join shop.parts using (nothing)",
    "select id, tags[1], tags[1:1], cardinality(tags), 'a' = any (tags), tags || array['z'] from shop.items where id < 4 order by 1",
    "select doc -> 'n', doc ->> 'n', doc #> '{list,0}', doc #>> '{list,1}', doc @> '{\"n\": 3}', doc ? 'n', jsonb_typeof(doc) from shop.items where id = 3",
    "select k, v from shop.items i, jsonb_each(i.doc) as e (k, v) where i.id = 2 order by 1",
    "select * from json_to_recordset('[{\"a\": 1, \"b\": \"x\"}]') as r (a int, b text), shop.emps where id = 1",
    "select u.n, u.t from shop.items i, unnest(i.tags) with ordinality as u (t, n) where i.id = 5 order by 1",
    "select * from unnest(array[1, 2], array['a', 'b', 'c']) as x (a, b), shop.emps where id = 1 order by 1",
    "select extract(year from made), date_trunc('month', made), made at time zone 'Asia/Tokyo', made + interval '1 month', age(made, made - interval '3 days') \
     from shop.items where id = 4",
    "select substring(name from 2 for 3), substring(name from 'i(.)e'), position('t' in name), overlay(name placing 'xx' from 2 for 1), \
     trim(both 'i' from name), upper(name), name like 'item%', name ilike 'ITEM_5', name similar to '%(1|2)', name ~ '^i', name !~* 'X' \
     from shop.items where id = 5",
    "select name collate \"C\" < 'b', name || null, coalesce(name, '-'), nullif(name, 'item 1'), greatest(id, 3), least(price, 2), \
     case when id > 3 then 'big' when id = 2 then 'two' end, case id when 1 then 'one' else 'more' end from shop.items where id < 5 order by id",
    "select id from shop.items where (id, flag) = (2, true) or (id, flag) in ((1, false), (3, true)) order by 1",
    "select id from shop.items where price between 3 and 6 and id not between 3 and 3 order by 1",
    "select id from shop.items where name is distinct from 'item 3' and id is not null and flag is not true and not (id = 7) order by 1 limit 4 offset 1",
    "select id from shop.items where feeling > 'sad' order by feeling desc, id limit 3",
    "select id from shop.items order by price desc nulls last, id fetch first 2 rows only",
    "select feeling from shop.items where id < 3 order by id",
    "select row(id, name) from shop.emps order by id",
    "select (select e from (select 1 as a, 'x' as b) e)",
    "select to_jsonb(e), row_to_json(e), e::text from shop.emps e order by id",
    "select count(e), count(e.*) from shop.emps e",
    "select array_agg(e.name order by e.id), json_agg(e order by id) from shop.emps e",
    "select array(select id from shop.emps order by 1), exists (select 1 from shop.emps where id = 9), (values (1))",
    "select percentile_cont(0.5) within group (order by price), mode() within group (order by flag) from shop.items",
    "values (1, 'a'), (2, null)",
    "select * from (values (1, 'a'), (2, 'b')) v (n, t) join shop.emps e on e.id = v.n order by 1",
    "table shop.emps order by 1",
    "select 1 from shop.emps where false",
    "select from shop.emps",
    "select * from shop.cheap order by id",
    "select i.id, i.name from shop.items i group by i.id order by 1 limit 2",
    "select '2020-01-01'::date + 1, 'x'::char(3), '\\x01'::bytea, 1.50::numeric(5,1), '{1,2}'::int[], b'101' & b'100', x'1F', 5 % 3, 2 ^ 3, -id, @ -id, ~ id, 7 # 2 from shop.emps where id = 2",
    "select ip, ip << inet '10.0.0.0/8', bits, data, u, period, period @> '2020-01-01 12:00+00'::timestamptz, span, span * 2 from shop.items where id = 9",
    "select id from shop.items where made > '2020-01-10' and day < '2020-01-15' order by 1",
    "select name from shop.emps where name = 'O''Neil \\'",
    "select 'a' 'b' from shop.emps",
    "select E'it''s\\n', U&'\\0441', $$x'y$$ from shop.emps where id = 1",
    "select a.id as \"A\"\"b\", 'x' as \"--\", 1 as \"select\" from shop.emps a where a.id = 1",
    "select to_tsvector('english', 'the fat cats') @@ to_tsquery('english', 'cat') from shop.emps where id = 1",
    "select sum(salary) from shop.emps having count(*) > 2",
    "select generate_series(1, 3), id from shop.emps where id = 1",
    "select id::text || '!' as t, cast(id as varchar(2)) from shop.emps order by t desc",
    "select make_interval(days => 3), format('%s-%I', id, name), md5(name), to_char(made, 'YYYY-MM-DD HH24:MI:SS'), to_char(price, '999.99') from shop.items where id = 3",
    "select t.a from (select id as a from shop.emps union all select item from shop.parts where part = 9) t order by a",
    "(select id from shop.emps order by id limit 2) union all (select id from shop.emps order by id desc limit 1)",
    "select id from shop.emps intersect select item from shop.parts except select 3 order by 1",
    "select current_date = now()::date, localtimestamp is not null from shop.emps where id = 1",
    "select a from (select id from shop.emps) x (a) where a in (select item from shop.parts) order by a",
    "select regexp_match(name, '(\\w+) (\\d+)'), regexp_replace(name, 't', 'T', 'g'), split_part(name, ' ', 2) from shop.items where id = 4",
    "select pg_typeof(price)::text, pg_typeof(tags)::text from shop.items where id = 1",
    // Errors: the SQLSTATE, the words and the place.
    "select nope from shop.emps",
    "select e.nope from shop.emps e",
    "select x.id from shop.emps e",
    "select id + 'x' from shop.emps",
    "select name + 1 from shop.emps",
    "select lower(id) from shop.emps",
    "select id, count(*) from shop.emps",
    "select 1 / (id - 1) from shop.emps where id = 1",
    "select name::int from shop.emps where id = 1",
    "select (select id from shop.emps)",
    "select 'x'::int from shop.emps",
    "select id from shop.emps union select name from shop.emps",
    "select sum(sum(id)) from shop.emps",
    "select id from shop.emps where count(*) > 1",
    "select id from shop.emps e, shop.items i",
    "select * from shop.emps e join shop.emps e on true",
    "select id from shop.emps order by 3",
    "select id from shop.emps limit -1",
    "select round(id, 'x'), substring(name from 1 for -1) from shop.emps",
    "select ß from shop.emps -- ä",
    "select coalesce(id, 'x') from shop.emps",
    "select case when id then 1 end from shop.emps",
    "select rank() from shop.emps",
    "select lead(id) over nothing from shop.emps",
    "with x as (select 1), x as (select 2) select * from x, shop.emps",
    "with recursive x as (select 1 union all select count(*) from x) select * from x, shop.emps",
    "select * from shop.items where doc -> 'n' = 3",
    "select '{1'::int[] from shop.emps",
    "select 2147483647 + id from shop.emps",
];

pub(super) fn oracle(port: u16) -> Raw {
    let mut raw = Raw::login(port, "postgres", "oracle");
    for set in ["set timezone = 'UTC'", "set datestyle = 'ISO, MDY'"] {
        raw.ask(set);
    }
    raw
}

/// What a client sees of an answer: columns (names, types, sizes, modifiers, forms), rows, notices, and errors with their place and with what
/// they are about.
pub(super) fn seen(messages: &[Message]) -> Vec<String> {
    messages
        .iter()
        .filter_map(|message| match message.tag {
            b'T' => {
                let columns = message.columns();
                Some(format!(
                    "{:?}",
                    columns.iter().map(|c| (&c.name, c.oid, c.length, c.typmod, c.format)).collect::<Vec<_>>()
                ))
            }
            b'D' => Some(format!("{:?}", message.values())),
            b'C' => Some(format!("{:?}", message.body)),
            b'E' => {
                let fields = message.fields();
                let field = |name| fields.get(&name).cloned().unwrap_or_default();
                let about = "stcdn".chars().map(field).collect::<Vec<_>>();
                Some(format!("{} {} at {} of {about:?}", field('C'), field('M'), field('P')))
            }
            b'N' => {
                let fields = message.fields();
                Some("VCMDH".chars().filter_map(|name| fields.get(&name).cloned()).collect::<Vec<_>>().join(" "))
            }
            _ => None,
        })
        .collect()
}

pub(super) fn extended(raw: &mut Raw, sql: &str, format: i16) -> Vec<Message> {
    raw.batch(&[
        parse("", sql, &[]),
        describe(b'S', ""),
        bind("", "", 0, &[], &[format]),
        describe(b'P', ""),
        execute("", 0),
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_gives_what_the_source_gives() {
    let (postgres, daemon) = start("", "").await;
    let (mut ours, mut theirs) = (passing(&daemon, "ana"), oracle(postgres.port()));
    let mut wrong = Vec::new();
    let mut compare = |how: &str, sql: &str, a: Vec<Message>, b: Vec<Message>| {
        let (a, b) = (seen(&a), seen(&b));
        // The oid of an enum is its own in each database.
        if a != b && !(sql.contains("feeling") || sql.contains("* from shop.items") || sql.contains("i.*"))
            || a.len() != b.len()
        {
            let first = a.iter().zip(&b).find(|(a, b)| a != b);
            wrong.push(format!(
                "{how}: {sql}\n  {:?}\n  {:?}",
                first.map(|f| f.0).or(a.last()),
                first.map(|f| f.1).or(b.last())
            ));
        }
    };
    for sql in STATEMENTS {
        let (a, b) = (ours.ask(sql), theirs.ask(sql));
        compare("simple", sql, a, b);
        for format in [0, 1] {
            let (a, b) = (extended(&mut ours, sql, format), extended(&mut theirs, sql, format));
            let no_binary_form = |messages: &[Message]| {
                messages.iter().any(|m| m.tag == b'E' && m.fields().get(&'C').is_some_and(|code| code == "0A000"))
            };
            if format == 1 && no_binary_form(&a) {
                assert!(sql.contains("row(") || sql.contains("select e from"), "{sql}: {:?}", seen(&a));
                continue;
            }
            compare(if format == 0 { "extended" } else { "binary" }, sql, a, b);
        }
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_have_the_types_that_the_source_gives_them() {
    let (postgres, daemon) = start("", "").await;
    let (mut ours, mut theirs) = (passing(&daemon, "ana"), oracle(postgres.port()));
    let statements: &[(&str, &[Option<&[u8]>])] = &[
        ("select id, name from shop.items where id = $1 or name = $2 order by 1", &[Some(b"3"), Some(b"item 4")]),
        ("select $1::int + id, $2 || name from shop.emps order by 1", &[Some(b"3"), Some(b"it's \\")]),
        (
            "select id from shop.items where made < $1 and price > $2 and flag = $3 order by 1",
            &[Some(b"2020-02-01"), Some(b"5.5"), Some(b"t")],
        ),
        ("select id from shop.items where id = any ($1) order by 1", &[Some(b"{1,2,99}")]),
        (
            "select id from shop.items where tags @> $1 and doc @> $2 and u = $3",
            &[Some(b"{b3}"), Some(b"{\"n\": 3}"), Some(b"00000000-0000-0000-0000-000000000003")],
        ),
        ("select id from shop.items where feeling = $1 and id < 9 order by 1", &[Some(b"happy")]),
        ("select id from shop.items where name is null or $1::text is null order by 1", &[None]),
        ("select id from shop.emps order by id limit $1 offset $2", &[Some(b"2"), Some(b"1")]),
        ("select $1 from shop.emps where id = 1", &[Some(b"x")]),
        ("select id from shop.items where feeling = $1", &[Some(b"nonsense")]),
    ];
    for (sql, values) in statements {
        let ask = |raw: &mut Raw| {
            raw.batch(&[close(b'S', "s")]);
            raw.batch(&[parse("s", sql, &[]), describe(b'S', "s"), bind("", "s", 0, values, &[0]), execute("", 0)])
        };
        let (a, b) = (ask(&mut ours), ask(&mut theirs));
        let types = |messages: &[Message]| messages.iter().find(|m| m.tag == b't').map(|m| m.body.clone());
        if !sql.contains("feeling") {
            assert_eq!(types(&a), types(&b), "{sql}");
        }
        assert_eq!(seen(&a), seen(&b), "{sql}");
    }
    // The types that the client gives.
    let typed = |raw: &mut Raw| {
        let messages = [
            parse("", "select $1 + id, $2 from shop.emps where id = 1", &[20, 1082]),
            describe(b'S', ""),
            bind("", "", 0, &[Some(b"5"), Some(b"2020-02-03")], &[1]),
            execute("", 0),
        ];
        seen(&raw.batch(&messages))
    };
    assert_eq!(typed(&mut ours), typed(&mut theirs));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_the_session_hold_at_the_source() {
    let (postgres, daemon) = start("", "").await;
    let (mut ours, mut theirs) = (passing(&daemon, "ana"), oracle(postgres.port()));
    for set in [
        "set timezone = 'America/New_York'",
        "set datestyle = 'SQL, DMY'",
        "set intervalstyle = 'iso_8601'",
        "set bytea_output = 'escape'",
        "set extra_float_digits = 0",
    ] {
        ours.ask(set);
        theirs.ask(set);
        for sql in [
            "select made, made::text, day, day::text, span, span::text, data, data::text, ratio, ratio::text from shop.items where id = 3",
            "select id from shop.items where made > '04/02/2020 00:00' order by 1",
            "select extract(hour from made), made::date, date_trunc('day', made) from shop.items where id = 4",
        ] {
            assert_eq!(seen(&ours.ask(sql)), seen(&theirs.ask(sql)), "{set}: {sql}");
        }
        // A scan on the same connections is not touched by it.
        ours.ask("set tusk.route = federated");
        let sql = "select id from shop.items where made > timestamptz '2020-02-04 00:00:00+00' order by 1 limit 1";
        assert_eq!(rows(&ours.ask(sql)), rows(&theirs.ask(sql)), "{set}");
        ours.ask("set tusk.route = passthrough");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tusk_answers_for_itself() {
    let (_postgres, daemon) = start("", "").await;
    let mut ours = passing(&daemon, "ana");
    let answer = rows(&ours.ask("select current_user, session_user, current_database(), version() like '%Tusk%', current_schema from shop.emps where id = 1"));
    let texts: Vec<&str> = answer[0].iter().map(|value| value.as_deref().unwrap()).collect();
    assert_eq!(texts, ["ana", "ana", "tusk", "t", "shop"]);
    let columns = ours.ask("select current_user, user::text, pg_backend_pid() from shop.emps where id = 1");
    let names: Vec<String> =
        columns.iter().find(|m| m.tag == b'T').unwrap().columns().into_iter().map(|c| c.name).collect();
    assert_eq!(names, ["current_user", "user", "pg_backend_pid"]);
    // A literal that means the moment means each time another.
    let moment = "select 'now'::timestamptz::text, E'\\156ow'::timestamptz::text from shop.emps where id = 1";
    assert_ne!(rows(&ours.ask(moment)), rows(&ours.ask(moment)));
    // now() stands still in a block.
    ours.ask("begin");
    let first = rows(
        &ours.ask("select now(), current_timestamp = now(), current_date = now()::date from shop.emps where id = 1"),
    );
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert_eq!(rows(&ours.ask("select now(), true, true from shop.emps where id = 1")), first);
    ours.ask("commit");
    assert_ne!(rows(&ours.ask("select now(), true, true from shop.emps where id = 1")), first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cursors_copies_and_explain_go_the_same_way() {
    let (_postgres, daemon) = start("", "").await;
    let mut ours = passing(&daemon, "ana");
    ours.ask("begin");
    ours.ask("declare c scroll cursor for select id from shop.items where id <= 5 order by id");
    assert_eq!(rows(&ours.ask("fetch 2 from c")).len(), 2);
    assert_eq!(rows(&ours.ask("fetch backward 1 from c")), [[Some("1".to_owned())]]);
    assert_eq!(rows(&ours.ask("fetch last from c")), [[Some("5".to_owned())]]);
    ours.ask("commit");
    let copied = ours.ask("copy (select id, name from shop.emps order by id) to stdout");
    let data: Vec<u8> = copied.iter().filter(|m| m.tag == b'd').flat_map(|m| m.body.clone()).collect();
    assert!(String::from_utf8(data).unwrap().starts_with("1\tAnn\n2\tBob\n"));
    let text: Vec<String> = rows(&ours.ask("explain select id from shop.emps where id = 2"))
        .into_iter()
        .map(|row| row[0].clone().unwrap())
        .collect();
    assert!(text[0].starts_with("Route: passthrough (every relation is in shop)"), "{text:?}");
    assert!(
        text.iter()
            .any(|line| line == "Sent to shop: SELECT \"id\" FROM \"public\".\"emps\" AS \"emps\" WHERE \"id\" = 2"),
        "{text:?}"
    );
    let text = format!("{:?}", rows(&ours.ask("explain (analyze) select id from shop.emps")));
    assert!(text.contains("Rows: 5") && text.contains("Read from sources: 5 rows"), "{text}");
    // An administrator who may see all of the source reads its plan.
    let mut root = passing(&daemon, "root");
    let text: Vec<String> = rows(&root.ask("explain select id from shop.emps where id = 2"))
        .into_iter()
        .map(|row| row[0].clone().unwrap())
        .collect();
    assert!(text[0].contains("(cost=") && text[1].starts_with("  Seq Scan on emps  (cost="), "{text:?}");
    let text = format!("{:?}", rows(&root.ask("explain (analyze) select id from shop.emps")));
    assert!(text.contains("Seq Scan on emps") && text.contains("rows=5 loops=1"), "{text}");
    assert!(text.contains("Planning Time: ") && text.contains("Execution Time: "), "{text}");
    for (options, part) in [
        ("format json, verbose", "\"Node Type\": \"Seq Scan\""),
        ("format yaml", "Node Type: \"Seq Scan\""),
        ("format xml", "<Node-Type>Seq Scan</Node-Type>"),
        ("analyze, buffers, timing off, format json", "\"Actual Rows\": 1"),
        ("costs off", "  Seq Scan on items\n"),
    ] {
        let all = rows(&root.ask(&format!("explain ({options}) select id, name from shop.items where id = 7")));
        let text: String = all.into_iter().map(|row| row[0].clone().unwrap() + "\n").collect();
        assert!(text.contains(part) && text.contains("passthrough"), "{options}: {text}");
    }
    let text = format!(
        "{:?}",
        rows(&root.ask("prepare p (int) as select id from shop.items where id = $1; explain execute p (3)"))
    );
    assert!(text.contains("Seq Scan on items"), "{text}");
    // What cannot be passed says why.
    let refused = error(&ours.ask("select * from tusk.sources, shop.emps"));
    assert_eq!((refused[&'C'].as_str(), refused[&'M'].as_str()), ("0A000", "the statement cannot be passed through"));
    ours.ask("set tusk.route = federated");
    let text = format!("{:?}", rows(&ours.ask("explain select id from shop.emps")));
    assert!(text.contains("Route: federated"), "{text}");
}
