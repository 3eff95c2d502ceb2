//! Functions of a source that its configuration allows, beside PostgreSQL's own, and what functions and triggers say beside their answers.
//! Must not know: how calls are printed.

use super::same::{extended, oracle, seen};
use super::{STOCK, TABLES, WRITERS, passing, start, writable};
use crate::harness::federation::over;
use crate::harness::postgres::TestPostgres;
use crate::harness::raw::{Message, Raw, bind, error, execute, parse, rows, transcript};

const FUNCTIONS: &str = "
    create function public.tax(numeric) returns numeric language sql immutable as 'select $1 * 0.19';
    create table public.secrets as select 'hush'::text as secret;
    create function public.told() returns text language sql as 'select secret from public.secrets';
    create function public.lower(text) returns text language sql as $$select 'theirs'$$;
    create function public.numbers(int) returns setof int language sql as 'select generate_series(1, $1)';
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_that_are_allowed_and_no_others() {
    let allowed = r#"allow_functions = ["public.tax", "public.numbers", "pg_column_size"]"#;
    let (postgres, daemon) = start(allowed, "").await;
    postgres.exec(FUNCTIONS).await;
    let mut auto = Raw::login(daemon.port(), "ana", "tusk");
    let mut passing = passing(&daemon, "ana");
    for raw in [&mut auto, &mut passing] {
        for (sql, expected) in [
            ("select tax(price) from shop.items where id = 2", "0.5700"),
            ("select shop.tax(100) + id from shop.items where id = 1", "20.00"),
            ("select public.tax(price)::text from shop.items where id = 2", "0.5700"),
            ("select pg_column_size(id) from shop.items where id = 1", "4"),
            ("select sum(n) from shop.items, numbers(id) as n where id = 4", "10"),
            ("select lower('ABC') from shop.items where id = 1", "abc"),
        ] {
            assert_eq!(rows(&raw.ask(sql)), [[Some(expected.to_owned())]], "{sql}");
        }
        for sql in [
            "select told() from shop.items",
            "select shop.told() from shop.items",
            "select public.lower('A') from shop.items",
        ] {
            let code = error(&raw.ask(sql))[&'C'].clone();
            assert!(["0A000", "42883"].contains(&code.as_str()), "{sql}: {code}");
        }
    }
}

const TALKING: &str = "
    create function public.talks(i int) returns int language plpgsql as $$ begin
        raise notice 'saw %', i using detail = 'Of shop.items.', hint = 'None.';
        raise warning 'and %', i using errcode = '01007';
        raise debug 'not this';
        if i = 2 then raise exception 'enough' using errcode = 'MYERR', detail = 'Two.'; end if;
        return i; end $$;
    create function public.tells() returns trigger language plpgsql as $$ begin
        raise notice 'row %', new;
        return new; end $$;
    create trigger told after insert on public.stock for each row execute function public.tells();
";

/// What a function or a trigger of the source says beside its answer is the client's to read, if it may see all that it can be about.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notices_of_a_source_are_told() {
    let (postgres, daemon) = start(r#"allow_functions = ["public.talks"]"#, "").await;
    postgres.exec(TALKING.split("create function public.tells").next().unwrap()).await;
    let mut theirs = Raw::login(postgres.port(), "postgres", "postgres");
    let mut ours = passing(&daemon, "ana");
    for (here, there) in [
        (
            "select talks(id) from shop.items where id in (1, 3) order by id",
            "select talks(id) from items where id in (1, 3) order by id",
        ),
        (
            "select talks(id) from shop.items where id <= 3 order by id",
            "select talks(id) from items where id <= 3 order by id",
        ),
        ("begin; select talks(5) from shop.emps; commit", "begin; select talks(5) from emps; commit"),
    ] {
        for format in [None, Some(0), Some(1)] {
            if format.is_some() && here.contains(';') {
                continue;
            }
            let ask = |raw: &mut Raw, sql: &str| match format {
                None => raw.ask(sql),
                Some(format) => extended(raw, sql, format),
            };
            let (a, b) = (ask(&mut ours, here), ask(&mut theirs, there));
            let told = |messages: &[Message]| {
                seen(messages)
                    .into_iter()
                    .filter(|one| ["NOTICE", "WARNING", "MYERR"].iter().any(|start| one.starts_with(start)))
                    .collect::<Vec<_>>()
            };
            assert_eq!(told(&a), told(&b), "{here}");
            assert!(told(&a).len() >= 4, "{here}");
        }
    }
    // A session that does not want to hear them does not.
    ours.ask("set client_min_messages = warning");
    let answer = seen(&ours.ask("select talks(id) from shop.items where id = 1"));
    assert!(answer.iter().any(|one| one.starts_with("WARNING")) && !answer.iter().any(|one| one.starts_with("NOTICE")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notices_of_triggers_are_for_those_who_see_everything() {
    let (postgres, daemon) = writable("").await;
    postgres
        .exec(
            TALKING
                .split_once("create function public.tells")
                .map(|(_, rest)| format!("create function public.tells{rest}"))
                .as_deref()
                .unwrap(),
        )
        .await;
    let notices =
        |messages: &[Message]| seen(messages).into_iter().filter(|one| one.starts_with("NOTICE")).collect::<Vec<_>>();
    let mut wes = Raw::login(daemon.port(), "wes", "tusk");
    let insert = "insert into shop.stock (id, name, amount) values (71, 'a', 1), (72, 'b', 2)";
    assert_eq!(notices(&wes.ask(insert)).len(), 2);
    assert_eq!(notices(&wes.ask("insert into shop.stock (id, name) values (73, 'c') returning id")).len(), 1);
    let mut nan = Raw::login(daemon.port(), "nan", "tusk");
    assert_eq!(notices(&nan.ask("insert into shop.stock (id, name) values (74, 'd')")).len(), 0);
    wes.query("copy shop.stock (id, name) from stdin");
    wes.until(b'G');
    wes.send(b'd', b"75\te\n76\tf\n");
    wes.send(b'c', b"");
    assert_eq!(notices(&wes.until(b'Z')).len(), 2);
}

/// What is said between rows takes none of them away, however the rows are taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_between_notices_all_come() {
    let (postgres, daemon) = start("", "").await;
    let setup = "create function public.spam(i int) returns int language plpgsql as $$ begin raise notice 'n%', i; return i; end $$;
        create view public.spamming as select public.spam(i) as i from generate_series(1, 300) i";
    postgres.exec(setup).await;
    let mut ours = Raw::login(daemon.port(), "ana", "tusk");
    rows(&Raw::login(daemon.port(), "root", "tusk").ask("select tusk.refresh('shop')"));
    let expected: Vec<_> = (1..=300).map(|i: i32| vec![Some(i.to_string())]).collect();
    let sql = "select i from shop.spamming";
    for min in ["notice", "error"] {
        ours.ask(&format!("set client_min_messages = {min}"));
        let told = if min == "notice" { 300 } else { 0 };
        for answer in [
            ours.ask(sql),
            extended(&mut ours, sql, 0),
            ours.ask(&format!("prepare p as {sql}; execute p; deallocate p")),
        ] {
            assert_eq!(rows(&answer), expected);
            assert_eq!(answer.iter().filter(|message| message.tag == b'N').count(), told);
        }
        let copied = ours.ask(&format!("copy ({sql}) to stdout"));
        assert_eq!(copied.iter().filter(|message| message.tag == b'd').count(), 300);
        let parts = ours.batch(&[parse("", sql, &[]), bind("", "", 0, &[], &[]), execute("", 7), execute("", 0)]);
        assert_eq!(rows(&parts), expected);
        let cursor = ours
            .ask(&format!("begin; declare c cursor for {sql}; fetch 5 from c; move 5 in c; fetch all from c; commit"));
        assert_eq!(rows(&cursor), [&expected[..5], &expected[10..]].concat());
        assert_eq!(cursor.iter().filter(|message| message.tag == b'N').count(), told);
    }
}

/// A source's words about what the client does not see are not told, whatever SQLSTATE they come with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_of_what_is_hidden_say_nothing() {
    let (postgres, daemon) = writable("").await;
    let setup = "
        create function public.tattles() returns trigger language plpgsql as $$ begin
            if new.name like 'raise %' then
                raise exception 'row %', new using errcode = substr(new.name, 7), detail = 'of ' || new.secret, hint = new.secret;
            end if;
            return new; end $$;
        create trigger tattles before insert or update on public.stock for each row execute function public.tattles();
        alter table public.stock add check (name <> 'boom' or secret::int > 0)";
    postgres.exec(setup).await;
    let mut nan = Raw::login(daemon.port(), "nan", "tusk");
    let mut wes = Raw::login(daemon.port(), "wes", "tusk");
    for code in [
        "22023", "21000", "42000", "42P01", "0A000", "40001", "54000", "55006", "P0001", "23000", "MYERR", "XX000",
        "25006",
    ] {
        for sql in [
            format!("update shop.stock set name = 'raise {code}' where id = 1"),
            format!("insert into shop.stock (id, name) values (90, 'raise {code}')"),
        ] {
            let answer = nan.ask(&sql);
            assert!(answer.iter().any(|message| message.tag == b'E'), "{sql}");
            let told = format!("{:?}", error(&answer));
            assert!(!told.contains("classified") && !told.contains("row ("), "{sql}: {told}");
        }
        nan.query("copy shop.stock (id, name) from stdin");
        nan.until(b'G');
        nan.send(b'd', format!("91\traise {code}\n").as_bytes());
        nan.send(b'c', b"");
        let told = format!("{:?}", error(&nan.until(b'Z')));
        assert!(!told.contains("classified") && !told.contains("(91"), "COPY {code}: {told}");
    }
    for sql in
        ["update shop.stock set name = 'boom' where id = 1", "insert into shop.stock (id, name) values (92, 'boom')"]
    {
        let told = format!("{:?}", error(&nan.ask(sql)));
        assert!(told.contains("22P02") && !told.contains("classified"), "{sql}: {told}");
    }
    // What is about the client's own text is told, and who sees everything reads all of it.
    assert_eq!(
        error(&nan.ask("update shop.stock set amount = 'x'"))[&'M'],
        "invalid input syntax for type integer: \"x\""
    );
    assert_eq!(error(&nan.ask("update shop.stock set name = (1 / (id - id))::text"))[&'M'], "division by zero");
    let told = error(&wes.ask("update shop.stock set name = 'raise 22023' where id = 1"));
    assert_eq!((told[&'C'].as_str(), told[&'D'].as_str()), ("22023", "of classified"));
}

const LATE: &str = "
    create function @.late() returns trigger language plpgsql as $$ begin
        raise notice 'late %', new.id using detail = 'It was deferred.';
        raise warning 'very late';
        if new.id = 89 then raise exception 'too late' using errcode = 'MYERR'; end if;
        return null; end $$;
    create constraint trigger late after insert on @.stock deferrable initially deferred for each row execute function @.late();
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notices_of_commit_and_of_set_constraints_are_told() {
    let (postgres, daemon) = writable("").await;
    postgres.exec(&LATE.replace('@', "public")).await;
    postgres.connect_to("oracle").await.batch_execute(&LATE.replace('@', "shop")).await.unwrap();
    let (mut ours, mut theirs) = (Raw::login(daemon.port(), "wes", "tusk"), oracle(postgres.port()));
    for sql in [
        "insert into shop.stock (id) values (80)",
        "begin",
        "insert into shop.stock (id) values (81), (82)",
        "commit",
        "begin; insert into shop.stock (id) values (83); set constraints all immediate; select 1; commit",
        "begin",
        "insert into shop.stock (id) values (84)",
        "set constraints all immediate",
        "insert into shop.stock (id) values (85)",
        "rollback",
        "insert into shop.stock (id) values (89)",
        "begin",
        "insert into shop.stock (id) values (86), (89)",
        "commit",
        "begin",
        "insert into shop.stock (id) values (89)",
        "savepoint s",
        "set constraints all immediate",
        "rollback to s",
        "commit",
        "insert into shop.stock (id) values (87); insert into shop.log (note) values ('after')",
        "set client_min_messages = warning",
        "insert into shop.stock (id) values (88)",
        "reset client_min_messages",
    ] {
        let (a, b) = (ours.ask(sql), theirs.ask(sql));
        assert_eq!(seen(&a), seen(&b), "{sql}");
    }
    let insert = "insert into shop.stock (id, amount) values (90, 1) returning id";
    assert_eq!(seen(&extended(&mut ours, insert, 0)), seen(&extended(&mut theirs, insert, 0)));
    ours.query("copy shop.stock (id, name) from stdin");
    ours.until(b'G');
    ours.send(b'd', b"91\te\n");
    ours.send(b'c', b"");
    assert_eq!(ours.until(b'Z').iter().filter(|message| message.tag == b'N').count(), 2);
    let mut nan = Raw::login(daemon.port(), "nan", "tusk");
    let quiet = nan.ask("insert into shop.stock (id, name) values (92, 'n')");
    assert!(quiet.iter().all(|message| message.tag != b'N' && message.tag != b'E'));
    let refused = error(&nan.ask("insert into shop.stock (id, name) values (89, 'n')"));
    assert!(!refused[&'M'].contains("late"), "{refused:?}");
}

const WRITING: &str = "
    create function public.bump() returns int language sql as $$ insert into public.log (note) values ('bumped'); select 1 $$;
    create function public.twice(int) returns int language sql immutable as 'select $1 * 2';
    create function public.twice(text) returns text language sql immutable as $$select $1 || $1$$;
    create function public.whisper(i int) returns int language plpgsql as $$ begin
        raise notice 'it is %', (select min(secret) from public.stock);
        if i > 1 then raise exception 'it is %', (select min(secret) from public.stock); end if;
        return i / (select 0); end $$;
";

/// Functions that write, that are overloaded, and that tell what is not theirs to tell.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_that_are_allowed_do_no_more_than_their_caller_may() {
    let postgres = TestPostgres::start();
    postgres.exec(&format!("{TABLES}{STOCK}{WRITING}").replace('@', "public")).await;
    let source = "writable = true\nallow_functions = [\"public.bump\", \"public.twice\", \"public.whisper\"]";
    let daemon = over(&postgres, source, WRITERS);
    let bumped = "select count(*) from shop.log where note = 'bumped'";
    let mut ana = Raw::login(daemon.port(), "ana", "tusk");
    let mut wes = Raw::login(daemon.port(), "wes", "tusk");
    let mut nan = Raw::login(daemon.port(), "nan", "tusk");
    // What reads runs read-only; in a block that may write it is who asks that decides.
    for raw in [&mut ana, &mut wes] {
        assert_eq!(error(&raw.ask("select bump() from shop.places where id = 1"))[&'C'], "25006");
    }
    ana.ask("begin");
    assert_eq!(error(&ana.ask("select bump() from shop.places where id = 1"))[&'C'], "25006");
    ana.ask("rollback");
    ana.ask("begin isolation level serializable, read write");
    assert_eq!(error(&ana.ask("select shop.bump() from shop.places where id = 1"))[&'C'], "25006");
    ana.ask("rollback");
    wes.ask("begin");
    assert_eq!(rows(&wes.ask("select bump() from shop.places where id = 1")).len(), 1);
    wes.ask("rollback");
    assert_eq!(rows(&wes.ask(bumped)), [[Some("0".to_owned())]]);
    for raw in [&mut ana, &mut wes, &mut nan] {
        let sql = "select twice(id), twice('ab'), shop.twice('x' || id), public.twice(2) from shop.stock where id = 3";
        let row = ["6", "abab", "x3x3", "4"].map(|value| Some(value.to_owned()));
        assert_eq!(rows(&raw.ask(sql)), [row]);
        assert_eq!(error(&raw.ask("select twice(true) from shop.stock"))[&'C'], "42883");
        assert_eq!(error(&raw.ask("select pg_catalog.twice(1) from shop.stock"))[&'C'], "42883");
    }
    // It is told to who sees everything, and to nobody else.
    for (id, code) in [(1, "22012"), (2, "P0001")] {
        let sql = format!("select whisper(id) from shop.stock where id = {id}");
        let told =
            |messages: &[Message]| messages.iter().any(|m| String::from_utf8_lossy(&m.body).contains("classified"));
        let (all, some) = (wes.ask(&sql), nan.ask(&sql));
        assert_eq!(error(&all)[&'C'], code);
        assert!(told(&all) && !told(&some), "{}", transcript(&some));
    }
}
