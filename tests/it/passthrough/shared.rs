//! What is decided for a statement serves all sessions of a user, and nobody and nothing else.
//! Must not know: where it is kept.

use super::writable;
use crate::harness::federation::over;
use crate::harness::postgres::TestPostgres;
use crate::harness::raw::{Raw, bind, describe, error, execute, parse, rows, transcript};

fn one(raw: &mut Raw, sql: &str, extended: bool) -> String {
    let answer = if extended {
        raw.batch(&[parse("", sql, &[]), bind("", "", 0, &[], &[]), describe(b'P', ""), execute("", 0)])
    } else {
        raw.ask(sql)
    };
    transcript(&answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_a_user_get_their_own_answers() {
    let (postgres, daemon) = writable("").await;
    postgres.exec("create schema side; create table side.places as select 1 as id, 'beside'::text as name").await;
    let mut root = Raw::login(daemon.port(), "root", "tusk");
    rows(&root.ask("select tusk.refresh('shop')"));
    let login = |user: &str| Raw::login(daemon.port(), user, "tusk");
    for extended in [false, true] {
        let sql = format!("select name, {extended} as extended from places where id = 1");
        // The same text, often enough to be kept, on sessions of one user.
        for _ in 0..4 {
            let mut ana = login("ana");
            assert!(one(&mut ana, &sql, extended).contains("D attic | "));
            // Another path means another table, others settings other text.
            ana.ask("set search_path = shop_side");
            assert!(one(&mut ana, &sql, extended).contains("D beside | "));
            ana.ask("set search_path = tusk");
            assert!(one(&mut ana, &sql, extended).contains("42P01"));
        }
        // Another user sees what it may see.
        assert!(one(&mut login("nan"), &sql, extended).contains("42P01"));
        let stock = format!("select *, {extended} as extended from shop.stock where id = 1");
        for _ in 0..3 {
            assert!(one(&mut login("ana"), &stock, extended).contains("classified"));
            let narrow = one(&mut login("nan"), &stock, extended);
            assert!(
                narrow.contains("thing 1") && !narrow.contains("classified") && !narrow.contains("secret"),
                "{narrow}"
            );
        }
        let pid = format!("select pg_backend_pid(), {extended} as extended from shop.places where id = 1");
        for _ in 0..3 {
            let mut ana = login("ana");
            let own = ana.key.as_ref().unwrap().0;
            assert!(one(&mut ana, &pid, extended).contains(&format!("D {own} | ")));
        }
        let time = format!("select made, {extended} as extended from shop.items where id = 1");
        for zone in ["UTC", "Asia/Tokyo", "UTC", "Asia/Tokyo"] {
            let mut ana = login("ana");
            ana.ask(&format!("set timezone = '{zone}'"));
            let wanted = if zone == "UTC" { "2020-01-02 13:00:00+00" } else { "2020-01-02 22:00:00+09" };
            assert!(one(&mut ana, &time, extended).contains(wanted));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_changed_is_decided_anew() {
    let (postgres, daemon) = writable("").await;
    let login = |user: &str| Raw::login(daemon.port(), user, "tusk");
    let sql = "select * from shop.places where id = 1";
    let insert = "insert into shop.places (id, name) values (7, 'shed') on conflict (id) do update set name = places.name || '!' returning name";
    for number in 0..4 {
        assert!(one(&mut login("wes"), sql, true).contains("D 1 | attic\n"));
        let marks = "!".repeat(number);
        assert!(one(&mut login("wes"), insert, true).contains(&format!("D shed{marks}\n")));
        let mut reading = login("wes");
        reading.ask("set default_transaction_read_only = on");
        assert_eq!(error(&reading.ask(insert))[&'C'], "25006");
        assert_eq!(error(&login("nan").ask(insert))[&'C'], "42P01");
    }
    postgres.exec("alter table places add column size int default 5").await;
    rows(&login("root").ask("select tusk.refresh('shop')"));
    for _ in 0..3 {
        assert!(one(&mut login("wes"), sql, true).contains("D 1 | attic | 5\n"));
    }
    postgres.exec("drop table places cascade").await;
    rows(&login("root").ask("select tusk.refresh('shop')"));
    assert_eq!(error(&login("wes").ask(sql))[&'C'], "42P01");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn catalogs_tell_each_user_its_own() {
    let (postgres, daemon) = writable("").await;
    let login = |user: &str| Raw::login(daemon.port(), user, "tusk");
    let sql = "select c.relname, pg_table_is_visible(c.oid), current_user, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid \
               where c.relname in ('stock', 'places') and a.attnum = 1 order by 1";
    let known = "select count(*) from pg_attribute a join pg_class c on c.oid = a.attrelid where c.relname = 'stock' and a.attnum > 0";
    for _ in 0..3 {
        for extended in [false, true] {
            let mut wes = login("wes");
            let seen = one(&mut wes, sql, extended);
            assert!(seen.contains("D places | t | wes | id\nD stock | t | wes | id\n"), "{seen}");
            assert!(one(&mut wes, known, extended).contains("D 7\n"));
            wes.ask("set search_path = tusk");
            assert!(one(&mut wes, sql, extended).contains("D places | f | wes | id\nD stock | f | wes | id\n"));
            let mut nan = login("nan");
            let seen = one(&mut nan, sql, extended);
            assert!(seen.contains("D stock | t | nan | id\n") && !seen.contains("places"), "{seen}");
            assert!(one(&mut nan, known, extended).contains("D 3\n"));
        }
    }
    postgres.exec("alter table stock add column more int").await;
    rows(&login("root").ask("select tusk.refresh('shop')"));
    for extended in [false, true] {
        assert!(one(&mut login("wes"), known, extended).contains("D 8\n"));
    }
}

/// Portals of one statement run one plan, which keeps nothing of any of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn portals_of_one_plan_do_not_meet() {
    let (_postgres, daemon) = writable("").await;
    for sql in [
        "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'shop' and c.relkind = 'r' order by 1",
        "select name from shop.places order by 1",
        "select relkind::text, count(*) over (order by relname) from pg_class where relname in ('stock', 'places', 'log') order by 2",
    ] {
        for _ in 0..3 {
            let mut wes = Raw::login(daemon.port(), "wes", "tusk");
            let all: Vec<_> = rows(&wes.ask(sql));
            assert!(all.len() > 1, "{sql}");
            for _ in 0..3 {
                let answer = wes.batch(&[
                    parse("", sql, &[]),
                    bind("a", "", 0, &[], &[]),
                    execute("a", 1),
                    bind("b", "", 0, &[], &[]),
                    execute("b", 0),
                    execute("a", 0),
                ]);
                let expected: Vec<_> = all[..1].iter().chain(&all).chain(&all[1..]).cloned().collect();
                assert_eq!(rows(&answer), expected, "{sql}");
            }
        }
    }
}

/// A plan with parameters is none for a message that cannot have any.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_are_not_forgotten() {
    let (_postgres, daemon) = writable("").await;
    for sql in [
        "select $1::int + id from shop.places where id = 1",
        "select $1::text, relname from pg_class where relname = 'stock'",
    ] {
        for _ in 0..3 {
            let mut wes = Raw::login(daemon.port(), "wes", "tusk");
            let values: &[Option<&[u8]>] = &[Some(b"1")];
            assert_eq!(rows(&wes.batch(&[parse("", sql, &[]), bind("", "", 0, values, &[]), execute("", 0)])).len(), 1);
        }
        let refused = error(&Raw::login(daemon.port(), "wes", "tusk").ask(sql));
        assert_eq!((refused[&'C'].as_str(), refused[&'M'].as_str()), ("42P02", "there is no parameter $1"), "{sql}");
    }
}

/// What a role may be told of a statement follows what there is now, not what there was when it was decided.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_be_told_is_decided_anew() {
    let postgres = TestPostgres::start();
    let setup = "create table p (id int primary key, v text); insert into p values (1, 'a');
        create function loud() returns trigger language plpgsql as $$ begin raise notice 'something'; return new; end $$;
        create trigger loud before update on p for each row execute function loud()";
    postgres.exec(setup).await;
    let one = "[[role]]\nname = \"one\"\n[[role.grant]]\ntables = [\"shop.p\"]\nprivileges = [\"select\", \"update\"]\n\
               [[user]]\nname = \"tin\"\nroles = [\"one\"]\n";
    let daemon = over(&postgres, "writable = true", one);
    let notices = || {
        let answer = Raw::login(daemon.port(), "tin", "tusk").ask("update shop.p set v = v where id = 1");
        assert!(answer.iter().all(|message| message.tag != b'E'), "{}", transcript(&answer));
        answer.iter().filter(|message| message.tag == b'N').count()
    };
    for _ in 0..3 {
        assert_eq!(notices(), 1, "it sees all that there is");
    }
    postgres.exec("create table hidden (secret text)").await;
    rows(&Raw::login(daemon.port(), "root", "tusk").ask("select tusk.refresh('shop')"));
    for _ in 0..3 {
        assert_eq!(notices(), 0, "there is more");
    }
}
