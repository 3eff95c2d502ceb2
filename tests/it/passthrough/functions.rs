//! Functions of a source that its configuration allows, beside PostgreSQL's own.
//! Must not know: how calls are printed.

use super::{passing, start};
use crate::harness::raw::{Raw, error, rows};

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
