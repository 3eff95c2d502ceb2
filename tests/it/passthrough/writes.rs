//! INSERT, UPDATE, DELETE and MERGE: what they do is what PostgreSQL does, and no more than a role may.
//! Must not know: transactions of several statements.

use super::same::{extended, oracle, seen};
use super::writable;
use crate::harness::raw::{Raw, bind, describe, error, execute, parse, rows, transcript};

const STATEMENTS: &[&str] = &[
    "insert into shop.stock (id, name, amount) values (11, 'new', 5), (12, default, null)",
    "insert into shop.stock values (13, 'it''s \\', 1)",
    "insert into shop.stock (id) values (14) returning *",
    "insert into shop.stock as s (id, amount) values (15, 3) returning s.id, amount * 2 as twice, s.made, current_date > '2020-01-01' as later",
    "insert into shop.log (note) select name from shop.stock where id < 3 order by id returning n, note, at",
    "insert into shop.log default values returning n, note",
    "insert into shop.log (n, note) overriding system value values (100, 'given')",
    "insert into shop.log (n, note) values (101, 'refused')",
    "insert into shop.stock (id, name) values (1, 'again')",
    "insert into shop.stock (id, name) values (1, 'again') on conflict do nothing",
    "insert into shop.stock (id, name) values (1, 'again') on conflict (id) do update set name = excluded.name || '!', amount = stock.amount + 1 \
     where stock.amount > 0 returning id, name, amount",
    "insert into shop.stock (id, name) values (1, 'x') on conflict on constraint stock_pkey do update set name = 'constraint'",
    "insert into shop.stock (id, name, amount) values (16, 'x', -1)",
    "insert into shop.stock (id, name) values (17, null)",
    "insert into shop.stock (id, place) values (18, 99)",
    "insert into shop.stock (id, made) values (18, 1)",
    "insert into shop.stock (id, nothing) values (18, 1)",
    "insert into shop.stock (id, name) values (18)",
    "insert into shop.stock (id) values ('x')",
    "insert into shop.stock (id) values (1 / 0)",
    "with w as (select id + 20 as id, name from shop.stock where id <= 2) insert into shop.stock (id, name) select * from w returning id, name",
    "update shop.stock set amount = amount + 1 where id = 2",
    "update shop.stock s set (name, amount) = ('two', 22) where s.id = 2 returning *",
    "update shop.stock set (name, amount) = (select 'from ' || p.name, p.id from shop.places p where p.id = stock.place) where id = 3 returning name, amount",
    "update shop.stock set name = p.name from shop.places p where p.id = stock.place and stock.id in (4, 5) returning stock.id, p.*",
    "update shop.stock set name = default, amount = null where id = 6 returning id, name, amount",
    "update shop.stock set amount = -5 where id = 7",
    "update shop.stock set made = 3",
    "update shop.stock set nothing = 3",
    "update shop.stock set name = 'x' where nothing = 3",
    "update shop.stock set id = 1 where id = 2",
    "update shop.stock set amount = amount where false",
    "with w as (select 8 as id) update shop.stock set amount = 88 from w where w.id = stock.id",
    "delete from shop.places where id = 1",
    "delete from shop.stock where id = 9 returning id, name",
    "delete from shop.stock s using shop.places p where p.id = s.place and p.name = 'cellar' and s.id > 6 returning s.id, p.name",
    "delete from shop.stock where id > (select max(id) from shop.stock)",
    "delete from only shop.log where n = 100",
    "merge into shop.stock s using (values (1, 'merged'), (50, 'inserted')) v (id, name) on s.id = v.id \
     when matched and s.amount > 1000 then delete when matched then update set name = v.name \
     when not matched then insert (id, name) values (v.id, v.name)",
    "insert into shop.nothing values (1)",
    "insert into shop.cheap values (1)",
    // In WITH.
    "with x as (insert into shop.log (note) values ('with 1'), ('with 2') returning n, note) select note, count(*) over () from x order by note",
    "with x as (update shop.stock set amount = amount + 1 where id <= 2 returning id, amount) select id, amount as more from x order by id",
    "with x as (delete from shop.stock where id = 16 returning *) insert into shop.log (note) select 'gone ' || name from x returning note",
    "with x as (delete from shop.stock where id = 14 returning *) insert into shop.log (note) select 'gone ' || name from x returning note",
    "with x as (delete from shop.log where note like 'with%' returning note), y as (insert into shop.log (note) select note || '!' from x returning note) \
     select x.note, y.note from x join y on y.note = x.note || '!' order by 1",
    "with stock as (select 1 as id) insert into shop.stock (id, name) select id + 200, 'shadow' from stock returning id, name",
    "with stock as (delete from shop.stock where id = 201 returning id, name) select stock.id, name from stock",
    "with moved (i, n) as materialized (update shop.stock set place = 1 where id = 3 returning id, name) update shop.stock s set amount = 33 from moved \
     where s.id = moved.i + 1 returning moved.*, s.amount",
    "with x as (insert into shop.log (note) values ('unread')) select count(*) from shop.places",
    "with x as (insert into shop.log (note) values ('unread')), y as (delete from shop.log where note = 'unread') values (1), (2)",
    "with x as (delete from shop.log where note = 'unread') select from shop.places",
    "with x as (delete from shop.log where note = 'unread' returning n) select from x",
    "with x as (insert into shop.log (note) values ('no rows')) select * from x",
    "with x as (insert into shop.log (note) values ('no rows')), y as (select * from x) select 1",
    "with recursive x as (insert into shop.log (note) select note from x returning note) select * from x",
    "with recursive x as (insert into shop.log (note) values ('recursive') returning note), y (i) as (select 1 union all select i + 1 from y where i < 3) \
     select i, note from x, y order by i",
    "with x (a, b, c) as (delete from shop.log where note = 'recursive' returning n, note) select * from x",
    "with x as (delete from shop.log where false returning n), x as (select 1) select 1",
    "with x as (update shop.stock set amount = -1 where id = 1 returning id) select id from x",
    "with x as (insert into shop.stock (id) values (1) returning id) select 1",
    "with x as (insert into shop.stock (id) values (1) on conflict (id) do nothing returning id), y as (insert into shop.places values (1, 'x') \
     on conflict (id) do nothing) select count(*) from x",
    "with x as (insert into shop.stock (id, name) values (1, 'x') on conflict (id) do update set name = excluded.name || ' again' returning name) table x",
    "with x as (update shop.stock set nothing = 1 returning id) select 1 from x",
    "with x as (update shop.stock set amount = 1 where false returning id) select nothing from x",
    "with x as (update shop.stock set amount = 1 where false returning id as \"It\") select \"It\" from x",
    "with x as (with y as (select 300 as id) insert into shop.stock (id) select id from y returning id) select * from x",
    "with x as (delete from shop.stock where id = 300 returning id, made) merge into shop.log using x on note = 'merged' when not matched then insert (note) values ('merged')",
    "with x as (merge into shop.stock using shop.places p on false when matched then delete) select 1",
    "with x as (select * from (with y as (delete from shop.stock returning *) select * from y) z) select 1",
    "insert into shop.log (note) with y as (delete from shop.stock returning name) select name from y",
    "with q as (select id from shop.stock where amount is not null order by id limit 1 for update skip locked) update shop.stock s set amount = 77 from q \
     where q.id = s.id returning s.id, s.amount",
    "delete from shop.log where n in (select n from shop.log order by n limit 1 for no key update) returning note",
    "insert into shop.log (note) select p.name from shop.places p order by 1 for key share of p nowait",
    "with x as (insert into shop.log (note) values ('locked') returning note) select x.note, s.id from x, shop.stock s where s.id = 2 for share of s",
    "with x as (delete from shop.log where note = 'locked' returning note) select note from x for update",
    "with x as (delete from shop.log returning note) select note from x for update of x",
    "with x as (insert into shop.nothing values (1)) select 1",
    "with x as (delete from shop.stock where false returning id) select * from y",
    "copy (with x as (update shop.stock set amount = amount where id < 4 returning id, name) select id from x order by 1) to stdout",
    "copy (with x as (update shop.stock set amount = amount where id < 4 returning id, name) select id from x order by 1) to stdout (format csv, header)",
    "copy (insert into shop.log (note) values ('copied') returning note) to stdout",
    "copy (delete from shop.log where note = 'copied' returning note) to stdout",
    "copy (with x as (delete from shop.log where note = 'merged') insert into shop.log (note) values ('copied')) to stdout",
    // Columns that Tusk reads as text.
    "with w as (insert into shop.log (note) values ('row') returning n, note) select w from w",
    "with w as (insert into shop.log (note) values ('row') returning n, note) select w from w",
    "insert into shop.log (note) values ('row') returning log::text, n",
    "insert into shop.log (note) values ('row') returning log::text, n",
    "with w as (select 'row' as note) update shop.log set note = w.note || '!' from w where log.note = w.note returning w, log.note",
    "with a as (delete from shop.log where note like 'row%' returning note), b as (select a from a) select b.a, (select count(*) from b) from b order by 1",
    "insert into shop.log (note) values ('1 / 0') returning log, 1 / (n - n)",
    // ONLY.
    "merge into only shop.stock s using (values (2)) v (id) on s.id = v.id when matched then update set amount = 5",
    "merge into only (shop.stock) using (values (2)) v (id) on stock.id = v.id when matched then do nothing",
    "update only shop.stock set amount = 6 where id = 2 returning id, amount",
    "update only (shop.stock) as s set amount = 7 where s.id = 2 returning s.id, amount",
    "update only set set a = 1",
    "update only set a = 1",
    "update only set as set set a = 1",
    "update set set set = 1",
    "update only shop.stock * set amount = 1",
    "insert into only shop.stock values (1)",
    "update shop.stock only set amount = 1",
    "delete from only (shop.log) as l where false returning l.n",
    // What a type's name stands before.
    "select int 99",
    "select date 5",
    "select interval 5",
    "select numeric(3,1) 5",
    "select double precision 5",
    "select id from shop.places where name = text 5",
    "select int '99' as n, interval '5' day as d, date $$2020-01-01$$ as e",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_does_what_it_does_at_the_source() {
    let (postgres, daemon) = writable("").await;
    let (mut ours, mut theirs) = (Raw::login(daemon.port(), "wes", "tusk"), oracle(postgres.port()));
    let mut wrong = Vec::new();
    for (number, sql) in STATEMENTS.iter().enumerate() {
        let (a, b) = if number % 2 == 0 {
            (ours.ask(sql), theirs.ask(sql))
        } else {
            (extended(&mut ours, sql, 0), extended(&mut theirs, sql, 0))
        };
        if seen(&a) != seen(&b) {
            wrong.push(format!("{sql}\n  {:?}\n  {:?}", seen(&a), seen(&b)));
        }
        for table in ["stock", "log", "places"] {
            let all = format!("select * from shop.{table} order by 1");
            assert_eq!(rows(&ours.ask(&all)), rows(&theirs.ask(&all)), "after {sql}");
        }
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_prepared_statements_and_parts() {
    let (postgres, daemon) = writable("").await;
    let (mut ours, mut theirs) = (Raw::login(daemon.port(), "wes", "tusk"), oracle(postgres.port()));
    let mut both = |messages: &[Vec<u8>]| {
        let (a, b) = (ours.batch(messages), theirs.batch(messages));
        assert_eq!(transcript(&a), transcript(&b));
    };
    both(&[parse("i", "insert into shop.stock (id, name, amount) values ($1, $2, $3)", &[]), describe(b'S', "i")]);
    for (id, name) in [("21", Some("a")), ("22", Some("it's \\")), ("22", Some("again")), ("23", None), ("x", None)] {
        let values = [Some(id.as_bytes()), name.map(str::as_bytes), None];
        both(&[bind("", "i", 0, &values, &[0]), describe(b'P', ""), execute("", 0)]);
    }
    // A batch up to Sync is one transaction: what fails undoes what was before it.
    both(&[
        bind("", "i", 0, &[Some(b"31"), Some(b"x"), None], &[]),
        execute("", 0),
        bind("", "i", 0, &[Some(b"31"), Some(b"y"), None], &[]),
        execute("", 0),
    ]);
    both(&[
        bind("", "i", 0, &[Some(b"32"), Some(b"x"), None], &[]),
        execute("", 0),
        parse("", "select count(*) from shop.stock where id > 30", &[]),
        bind("", "", 0, &[], &[0]),
        execute("", 0),
        bind("", "i", 0, &[Some(b"33"), Some(b"y"), None], &[]),
        execute("", 0),
    ]);
    // Rows of RETURNING in parts: everything is written before the first.
    let update = "update shop.stock set amount = 1 where id <= 4 returning id, amount";
    both(&[
        parse("", update, &[]),
        bind("", "", 0, &[], &[0]),
        execute("", 2),
        execute("", 1),
        execute("", 9),
        execute("", 1),
    ]);
    let with = "with x as (update shop.stock set amount = 2 where id <= $1 returning id, amount) select id, amount from x order by id";
    both(&[
        parse("w", with, &[]),
        describe(b'S', "w"),
        bind("", "w", 0, &[Some(b"4")], &[0]),
        describe(b'P', ""),
        execute("", 3),
        execute("", 9),
        execute("", 1),
    ]);
    // The rows that nobody takes are written all the same.
    both(&[bind("", "w", 0, &[Some(b"2")], &[0]), execute("", 1)]);
    both(&[bind("", "w", 0, &[Some(b"x")], &[0]), execute("", 1)]);
    let delete = "delete from shop.stock where id = 32";
    both(&[parse("", delete, &[]), bind("", "", 0, &[], &[]), execute("", 1)]);
    both(&[parse("", delete, &[]), bind("", "", 0, &[], &[]), execute("", 0), execute("", 0)]);
    let sql = "prepare w2 (int) as with x as (delete from shop.log where n = $1 returning n) select count(*) from x; execute w2 (1); execute w2 (1)";
    assert_eq!(seen(&ours.ask(sql)), seen(&theirs.ask(sql)));
    let sql = "prepare u (int) as update shop.stock set amount = $1 where id = 1; execute u (7); execute u (-7)";
    assert_eq!(seen(&ours.ask(sql)), seen(&theirs.ask(sql)));
    let all = "select id, name, amount from shop.stock order by 1";
    assert_eq!(rows(&ours.ask(all)), rows(&theirs.ask(all)));
}

/// What a role is told of a statement: its error, or the whole answer.
fn told(raw: &mut Raw, sql: &str) -> String {
    match raw.ask(sql) {
        answer if answer.iter().any(|message| message.tag == b'E') => {
            let fields = error(&answer);
            format!("{} {}", fields[&'C'], fields[&'M'])
        }
        answer => transcript(&answer),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_write_what_they_may() {
    let (postgres, daemon) = writable("").await;
    let mut nan = Raw::login(daemon.port(), "nan", "tusk");
    let mut ask = |sql: &str| told(&mut nan, sql);
    let missing = "42703 column \"secret\" does not exist";
    for sql in [
        "update shop.stock set name = secret where id = 1",
        "update shop.stock set name = 'x' where secret = 'classified'",
        "update shop.stock set name = 'x' where id = 1 returning secret",
        "insert into shop.stock (id, name) values (60, 'x') returning secret",
        "insert into shop.stock (id, name) values (1, 'x') on conflict (id) do update set name = secret",
    ] {
        assert_eq!(ask(sql), missing, "{sql}");
    }
    assert_eq!(
        ask("update shop.stock set secret = 'x'"),
        "42703 column \"secret\" of relation \"stock\" does not exist"
    );
    assert_eq!(
        ask("insert into shop.stock (id, secret) values (60, 'x')"),
        "42703 column \"secret\" of relation \"stock\" does not exist"
    );
    let denied = "42501 permission denied for table stock";
    for sql in [
        "update shop.stock set amount = 3",
        "insert into shop.stock (id, amount) values (60, 3)",
        "insert into shop.stock values (60, 'x', 3)",
        "delete from shop.stock",
    ] {
        assert_eq!(ask(sql), denied, "{sql}");
    }
    for sql in ["delete from shop.emps", "insert into shop.places values (9, 'x')", "delete from shop.nothing"] {
        assert!(ask(sql).starts_with("42P01 relation \"shop."), "{sql}");
    }
    // What a rule of the table says of a row that is not seen whole is not told.
    for (sql, told) in [
        ("insert into shop.stock (id, name) values (1, 'x')", "23505 duplicate key value violates a unique constraint"),
        ("update shop.stock set name = null where id = 1", "23502 null value violates a not-null constraint"),
    ] {
        let answer = ask(sql);
        assert_eq!(answer, told);
    }
    // Nor what a rule of a table says that is not seen at all.
    let mut pia = Raw::login(daemon.port(), "pia", "tusk");
    let told = error(&pia.ask("delete from shop.parents where k = 1"));
    assert_eq!(
        (told[&'C'].as_str(), told[&'M'].as_str(), told.contains_key(&'D')),
        ("23502", "null value violates a not-null constraint", false)
    );
    let told = error(&pia.ask("update shop.parents set k = 500 where k = 2"));
    assert_eq!((told[&'C'].as_str(), told.contains_key(&'D')), ("23514", false), "{told:?}");
    let told = error(&pia.ask("insert into shop.parents values (2)"));
    assert_eq!(told[&'M'], "duplicate key value violates unique constraint \"parents_pkey\"");
    let returned = ask("insert into shop.stock values (61, 'mine') returning *");
    assert!(
        returned.contains("INSERT 0 1") && returned.contains("61") && !returned.contains("classified"),
        "{returned}"
    );
    let returned = ask("update shop.stock set name = 'theirs' where id = 61 returning *");
    assert!(returned.contains("UPDATE 1") && !returned.contains("classified"), "{returned}");
    // A reader writes nothing, and neither does anybody where the source is not to be written to.
    let mut ana = Raw::login(daemon.port(), "ana", "tusk");
    assert_eq!(error(&ana.ask("delete from shop.stock"))[&'C'], "42501");
    for lock in ["for update", "for no key update", "for share", "for key share of stock"] {
        assert_eq!(error(&ana.ask(&format!("select id from shop.stock {lock}")))[&'C'], "42501", "{lock}");
    }
    let watch = postgres.connect().await;
    let count: i64 = watch.query_one("select count(*) from public.stock", &[]).await.unwrap().get(0);
    assert_eq!(count, 11);
    let mut wes = Raw::login(daemon.port(), "wes", "tusk");
    wes.ask("set default_transaction_read_only = on");
    let refused = error(&wes.ask("delete from shop.stock"));
    assert_eq!(
        (refused[&'C'].as_str(), refused[&'M'].as_str()),
        ("25006", "cannot execute DELETE in a read-only transaction")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_write_in_with_what_they_may() {
    let (postgres, daemon) = writable("").await;
    let mut nan = Raw::login(daemon.port(), "nan", "tusk");
    let mut ask = |sql: &str| told(&mut nan, sql);
    let (missing, denied) = ("42703 column \"secret\" does not exist", "42501 permission denied for table stock");
    for (sql, told) in [
        ("with x as (update shop.stock set name = secret where id = 1 returning id) select id from x", missing),
        ("with x as (update shop.stock set name = 'x' where id = 1 returning secret) select * from x", missing),
        (
            "with secret as (select 1 as secret), stock as (update shop.stock set name = 'x' where id = 1 returning secret) select * from stock",
            missing,
        ),
        ("with x as (update shop.stock set name = 'x' where id = 1 returning *) select secret from x", missing),
        (
            "with x as (update shop.stock set name = 'x' where id = 1 returning *) select x.ctid from x",
            "42703 column x.ctid does not exist",
        ),
        (
            "with x as (update shop.stock s set name = 'x' where id = 1 returning s) select * from x",
            "0A000 the statement cannot be passed through",
        ),
        ("with x as (update shop.stock set amount = 3 where id = 1 returning id) select id from x", denied),
        ("with x as (insert into shop.stock (id, amount) values (60, 3)) select 1", denied),
        ("with x as (insert into shop.stock values (60, 'x', 3)) select 1", denied),
        ("with x as (delete from shop.stock) select 1", denied),
        ("with x as (update shop.stock set name = 'x' where id = 1), y as (delete from shop.stock) select 1", denied),
        (
            "with x as (delete from shop.stock returning id) update shop.stock s set name = 'x' from x where s.id = x.id",
            denied,
        ),
        ("copy (with x as (delete from shop.stock returning *) select * from x) to stdout", denied),
        ("explain with x as (delete from shop.stock returning *) select * from x", denied),
        ("explain analyze with x as (delete from shop.stock returning *) select * from x", denied),
        ("prepare x as with x as (delete from shop.stock returning *) select * from x", "C PREPARE\\x00\nZ I\n"),
        ("execute x", denied),
        (
            "with x as (insert into shop.stock (id, name) values (1, 'x') returning id) select * from x",
            "23505 duplicate key value violates a unique constraint",
        ),
    ] {
        assert_eq!(ask(sql), told, "{sql}");
    }
    for sql in [
        "with x as (delete from shop.emps) select 1",
        "with emps as (select 1 as k) insert into shop.places select k, 'x' from emps",
    ] {
        assert!(ask(sql).starts_with("42P01 relation \"shop."), "{sql}");
    }
    let returned = ask("with x as (update shop.stock set name = 'thing 1' where id = 1 returning *) select x.* from x");
    assert!(returned.contains("SELECT 1") && !returned.contains("classified"), "{returned}");
    let mut wes = Raw::login(daemon.port(), "wes", "tusk");
    wes.ask("set default_transaction_read_only = on");
    for (sql, tag) in [
        ("with x as (delete from shop.stock returning id) select id from x", "SELECT"),
        (
            "with x as (delete from shop.stock returning id) insert into shop.log (note) select id::text from x",
            "INSERT",
        ),
        ("copy (with x as (delete from shop.stock returning id) select id from x) to stdout", "SELECT"),
        ("explain analyze with x as (delete from shop.stock returning id) select id from x", "SELECT"),
        ("with x as (delete from shop.log) select id from shop.stock for share", "SELECT FOR SHARE"),
        ("insert into shop.log (note) select name from shop.stock for update", "INSERT"),
    ] {
        let refused = error(&wes.ask(sql));
        assert_eq!(refused[&'M'], format!("cannot execute {tag} in a read-only transaction"), "{sql}");
    }
    let watch = postgres.connect().await;
    let left = "select count(*), count(*) filter (where name like 'thing %'), sum(amount) from public.stock";
    let left = watch.query_one(left, &[]).await.unwrap();
    assert_eq!((left.get::<_, i64>(0), left.get::<_, i64>(1), left.get::<_, i64>(2)), (10, 10, 550));
}

/// A rule makes several statements of one: each has its plan, in every form.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_of_a_statement_that_a_rule_rewrites_are_all_told() {
    let admin = "[[user]]\nname = \"adm\"\nroles = [\"writer\", \"administrator\"]\n";
    let (postgres, daemon) = writable(admin).await;
    postgres
        .exec("create rule also as on update to public.places do also insert into public.log (note) values (new.name)")
        .await;
    let mut adm = Raw::login(daemon.port(), "adm", "tusk");
    let update = "update shop.places set name = 'ruled' where id = 1";
    let mut explained = |options: &str| {
        let told = rows(&adm.ask(&format!("explain ({options}) {update}")));
        told.into_iter().flatten().flatten().collect::<Vec<_>>().join("\n")
    };
    for (options, plan) in [
        ("costs off", "Seq Scan on places"),
        ("costs off, format json", "\"Plan\": {"),
        ("costs off, format xml", "<Query>"),
        ("costs off, format yaml", "- Plan: "),
        ("analyze, timing off, format json", "\"Plan\": {"),
    ] {
        let told = explained(options);
        let found = told.matches(plan).count();
        assert!(found == 2 || (options == "costs off" && told.matches("places").count() >= 2), "{options}: {told}");
        assert!(told.contains("log"), "{told}");
    }
    assert_eq!(rows(&adm.ask("select count(*) from shop.log where note = 'ruled'")), [[Some("1".to_owned())]]);
}
