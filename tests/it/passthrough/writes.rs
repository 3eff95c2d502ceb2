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
    let delete = "delete from shop.stock where id = 32";
    both(&[parse("", delete, &[]), bind("", "", 0, &[], &[]), execute("", 1)]);
    both(&[parse("", delete, &[]), bind("", "", 0, &[], &[]), execute("", 0), execute("", 0)]);
    let sql = "prepare u (int) as update shop.stock set amount = $1 where id = 1; execute u (7); execute u (-7)";
    assert_eq!(seen(&ours.ask(sql)), seen(&theirs.ask(sql)));
    let all = "select id, name, amount from shop.stock order by 1";
    assert_eq!(rows(&ours.ask(all)), rows(&theirs.ask(all)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_write_what_they_may() {
    let (postgres, daemon) = writable("").await;
    let mut nan = Raw::login(daemon.port(), "nan", "tusk");
    let mut ask = |sql: &str| match nan.ask(sql) {
        answer if answer.iter().any(|message| message.tag == b'E') => {
            let fields = error(&answer);
            format!("{} {}", fields[&'C'], fields[&'M'])
        }
        answer => transcript(&answer),
    };
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
