//! Functions of a source that its configuration allows, beside PostgreSQL's own, and what functions and triggers say beside their answers.
//! Must not know: how calls are printed.

use super::same::{extended, seen};
use super::{passing, start, writable};
use crate::harness::raw::{Message, Raw, error, rows};

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
