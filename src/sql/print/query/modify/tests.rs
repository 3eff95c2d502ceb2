//! What writes is printed as it was meant, and a hidden column of the target is missing from it.

mod hostile;

use super::super::tests::own;
use super::super::*;
use crate::sql::{Scope, StatementKind, parse};

/// Prints a statement; tables are of the schema `s"x` there, `shop` here. `narrow` has the columns `a`, `secret`, `b"` and `c`, and
/// `secret` is hidden.
fn printed(sql: &str) -> Result<PrintedQuery> {
    let statement = parse(sql)?.remove(0);
    let StatementKind::Modify(writing) = &statement.kind else { panic!("{sql}: {:?}", statement.kind) };
    let remote = |table: &TableRef| RemoteTable {
        schema: "s\"x".into(),
        name: table.table.clone(),
        columns: (table.table == "narrow").then(|| ["a", "b\"", "c"].map(str::to_owned).to_vec()),
        seen: (table.schema.clone().unwrap_or_else(|| "shop".into()), table.table.clone()),
    };
    let relations: Vec<_> =
        Scope::of_statement(&statement).relations.into_iter().map(|table| (table.clone(), remote(&table))).collect();
    let all = vec![["a", "secret", "b\"", "c"].map(str::to_owned).to_vec(); writing.writers().count()];
    print_modify(&ModifyRequest { statement: &statement, writing, relations: &relations, all: &all, own: &own() })
}

fn sql(sql: &str) -> String {
    printed(sql).map(|printed| printed.sql).unwrap_or_else(|error| panic!("{sql}: {error} {error:?}"))
}

#[test]
fn names_and_literals_are_ours() {
    for (written, expected) in [
        ("insert into t values (1, default)", "INSERT INTO \"s\"\"x\".\"t\" AS \"t\" VALUES (1, DEFAULT)"),
        (
            "insert into t as X (A, b.c, d[1]) overriding system value select 1, '\\''''', $1 from u returning x.*, lower(a), current_user",
            "INSERT INTO \"s\"\"x\".\"t\" AS \"x\" (\"a\", \"b\".\"c\", \"d\"[1]) OVERRIDING SYSTEM VALUE SELECT 1, E'\\\\''''', $1 \
             FROM \"s\"\"x\".\"u\" AS \"u\" RETURNING \"x\".*, pg_catalog.\"lower\"(\"a\"), (E'a''na'::pg_catalog.\"name\") AS \"current_user\"",
        ),
        (
            "insert into t default values returning *",
            "INSERT INTO \"s\"\"x\".\"t\" AS \"t\" DEFAULT VALUES RETURNING *",
        ),
        (
            "insert into t values (1) on conflict (a, lower(b), c collate \"C\") where d do update set a = excluded.a, (b, c) = (1, default) where t.a = 1",
            "INSERT INTO \"s\"\"x\".\"t\" AS \"t\" VALUES (1) ON CONFLICT (\"a\", (pg_catalog.\"lower\"(\"b\")), \"c\" COLLATE pg_catalog.\"C\") WHERE \"d\" \
             DO UPDATE SET \"a\" = \"excluded\".\"a\", (\"b\", \"c\") = ROW(1, DEFAULT) WHERE \"t\".\"a\" = 1",
        ),
        (
            "with q as (select 1 as one) update shop.t set a[1:2] = shop.t.b, (b) = (select one from q) from q as r, u join v using (a) where a = 1 returning *",
            "WITH \"tusk_with_1\" AS (SELECT 1 AS \"one\") UPDATE \"s\"\"x\".\"t\" AS \"t\" SET \"a\"[1 : 2] = \"t\".\"b\", (\"b\") = (SELECT \"one\" \
             FROM \"tusk_with_1\" AS \"q\") FROM \"tusk_with_1\" AS \"r\", (\"s\"\"x\".\"u\" AS \"u\" JOIN \"s\"\"x\".\"v\" AS \"v\" USING (\"a\")) \
             WHERE \"a\" = 1 RETURNING *",
        ),
        (
            "delete from t d using u where d.a = u.a and d.x is null returning d.a as b",
            "DELETE FROM \"s\"\"x\".\"t\" AS \"d\" USING \"s\"\"x\".\"u\" AS \"u\" WHERE (\"d\".\"a\" = \"u\".\"a\") AND (\"d\".\"x\" IS NULL) \
             RETURNING \"d\".\"a\" AS \"b\"",
        ),
        (
            "merge into t using (values (1, 2)) v (a, b) on t.a = v.a when matched and v.b = 1 then update set b = v.b when matched then delete \
             when not matched and true then insert (a) overriding user value values (default) when not matched then do nothing",
            "MERGE INTO \"s\"\"x\".\"t\" AS \"t\" USING (VALUES (1, 2)) AS \"v\" (\"a\", \"b\") ON (\"t\".\"a\" = \"v\".\"a\") \
             WHEN MATCHED AND (\"v\".\"b\" = 1) THEN UPDATE SET \"b\" = \"v\".\"b\" WHEN MATCHED THEN DELETE WHEN NOT MATCHED AND TRUE THEN \
             INSERT (\"a\") OVERRIDING USER VALUE VALUES (DEFAULT) WHEN NOT MATCHED THEN DO NOTHING",
        ),
    ] {
        assert_eq!(sql(written), expected, "{written}");
    }
}

#[test]
fn what_writes_in_with_is_printed_where_it_stands() {
    for (written, expected) in [
        (
            "with x as (insert into t values (1, default) returning a as b, *) select b from x",
            "WITH \"tusk_with_1\" AS (INSERT INTO \"s\"\"x\".\"t\" AS \"t\" VALUES (1, DEFAULT) RETURNING \"a\" AS \"b\", *) \
             SELECT \"b\" FROM \"tusk_with_1\" AS \"x\"",
        ),
        (
            "with recursive x (p) as materialized (delete from only t y using u where y.a = u.a returning y.a), \
             z as not materialized (update v set a = 1 from x where p = v.a) table x",
            "WITH RECURSIVE \"tusk_with_1\" (\"p\") AS MATERIALIZED (DELETE FROM ONLY \"s\"\"x\".\"t\" AS \"y\" USING \"s\"\"x\".\"u\" AS \"u\" \
             WHERE \"y\".\"a\" = \"u\".\"a\" RETURNING \"y\".\"a\"), \
             \"tusk_with_2\" AS NOT MATERIALIZED (UPDATE \"s\"\"x\".\"v\" AS \"v\" SET \"a\" = 1 FROM \"tusk_with_1\" AS \"x\" WHERE \"p\" = \"v\".\"a\") \
             SELECT * FROM \"tusk_with_1\" AS \"x\"",
        ),
        // A target is a table, whatever a query of WITH is called.
        (
            "with t as (delete from t returning *), u as (select * from t) insert into u select * from u on conflict do nothing returning u.a",
            "WITH \"tusk_with_1\" AS (DELETE FROM \"s\"\"x\".\"t\" AS \"t\" RETURNING *), \
             \"tusk_with_2\" AS (SELECT * FROM \"tusk_with_1\" AS \"t\") INSERT INTO \"s\"\"x\".\"u\" AS \"u\" \
             SELECT * FROM \"tusk_with_2\" AS \"u\" ON CONFLICT DO NOTHING RETURNING \"u\".\"a\"",
        ),
        (
            "with x as (with y as (select 1 as a) insert into t select a from y returning a) delete from narrow using x where narrow.a = x.a",
            "WITH \"tusk_with_1\" AS (WITH \"tusk_with_2\" AS (SELECT 1 AS \"a\") INSERT INTO \"s\"\"x\".\"t\" AS \"t\" \
             SELECT \"a\" FROM \"tusk_with_2\" AS \"y\" RETURNING \"a\") DELETE FROM \"s\"\"x\".\"narrow\" AS \"narrow\" \
             USING \"tusk_with_1\" AS \"x\" WHERE \"narrow\".\"a\" = \"x\".\"a\"",
        ),
        // What a part may not see is missing to it alone.
        (
            "with x as (update narrow set a = 1 returning *, narrow.*), y as (delete from t where secret = 1 returning secret) \
             select x.*, secret from x, y, narrow",
            "WITH \"tusk_with_1\" AS (UPDATE \"s\"\"x\".\"narrow\" AS \"narrow\" SET \"a\" = 1 RETURNING \"narrow\".\"a\", \"narrow\".\"b\"\"\", \
             \"narrow\".\"c\", \"narrow\".\"a\", \"narrow\".\"b\"\"\", \"narrow\".\"c\"), \
             \"tusk_with_2\" AS (DELETE FROM \"s\"\"x\".\"t\" AS \"t\" WHERE \"secret\" = 1 RETURNING \"secret\") \
             SELECT \"x\".*, \"secret\" FROM \"tusk_with_1\" AS \"x\", \"tusk_with_2\" AS \"y\", \
             (SELECT \"a\", \"b\"\"\", \"c\" FROM \"s\"\"x\".\"narrow\") AS \"narrow\"",
        ),
        (
            "with x as (insert into narrow values (1, 2) returning a) update t set a = x.a from x where t.secret is null",
            "WITH \"tusk_with_1\" AS (INSERT INTO \"s\"\"x\".\"narrow\" AS \"narrow\" (\"a\", \"b\"\"\") VALUES (1, 2) RETURNING \"a\") \
             UPDATE \"s\"\"x\".\"t\" AS \"t\" SET \"a\" = \"x\".\"a\" FROM \"tusk_with_1\" AS \"x\" WHERE \"t\".\"secret\" IS NULL",
        ),
        (
            "with q as (select a from narrow order by a limit 1 for update of narrow skip locked) update narrow set c = 1 from q where q.a = narrow.a",
            "WITH \"tusk_with_1\" AS (SELECT \"a\" FROM (SELECT \"a\", \"b\"\"\", \"c\" FROM \"s\"\"x\".\"narrow\") AS \"narrow\" ORDER BY \"a\" LIMIT 1 \
             FOR UPDATE OF \"narrow\" SKIP LOCKED) UPDATE \"s\"\"x\".\"narrow\" AS \"narrow\" SET \"c\" = 1 FROM \"tusk_with_1\" AS \"q\" \
             WHERE \"q\".\"a\" = \"narrow\".\"a\"",
        ),
    ] {
        assert_eq!(sql(written), expected, "{written}");
    }
    for refused in [
        "with x as (delete from shop.t) delete from other.t",
        "with x as (delete from shop.t) select * from other.t",
        "with x as (delete from t) select other.x.a from x",
    ] {
        assert_eq!(printed(refused).map(|printed| printed.sql).unwrap_err().state().code(), "0A000", "{refused}");
    }
}

#[test]
fn places_of_every_part_lead_back_to_the_client() {
    let text = "with x as (insert into t values (1) on conflict (a) do nothing), y as (insert into u values (2) on conflict (b) do nothing) select 3";
    let found = printed(text).unwrap();
    let starts = |text: &str, what: &str| {
        text.match_indices(what).map(|(at, _)| u32::try_from(at + 1).unwrap()).collect::<Vec<_>>()
    };
    let (here, there) = (starts(&found.sql, "ON CONFLICT"), starts(text, "on conflict"));
    assert_eq!((here.len(), there.len()), (2, 2));
    for pair in here.into_iter().zip(there) {
        assert!(found.places.contains(&pair), "{pair:?} of {:?}", found.places);
    }
}

#[test]
fn only_is_kept() {
    for (written, expected) in [
        ("update only t set a = 1", "UPDATE ONLY \"s\"\"x\".\"t\" AS \"t\" SET \"a\" = 1"),
        ("delete from only (shop.t) x", "DELETE FROM ONLY \"s\"\"x\".\"t\" AS \"x\""),
        (
            "delete from t using only narrow n, only u where exists (select from only (v) join only w on true)",
            "DELETE FROM \"s\"\"x\".\"t\" AS \"t\" USING (SELECT \"a\", \"b\"\"\", \"c\" FROM ONLY \"s\"\"x\".\"narrow\") AS \"n\", \
             ONLY \"s\"\"x\".\"u\" AS \"u\" WHERE EXISTS (SELECT FROM (ONLY \"s\"\"x\".\"v\" AS \"v\" JOIN ONLY \"s\"\"x\".\"w\" AS \"w\" ON TRUE))",
        ),
        (
            "merge into only t using only u on true when matched then delete",
            "MERGE INTO ONLY \"s\"\"x\".\"t\" AS \"t\" USING ONLY \"s\"\"x\".\"u\" AS \"u\" ON TRUE WHEN MATCHED THEN DELETE",
        ),
    ] {
        assert_eq!(sql(written), expected, "{written}");
    }
    for wrong in
        ["insert into only t values (1)", "select count(only x)", "select a, only b from t", "select 1, only f(x)"]
    {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_narrowed_target_has_its_visible_columns_only() {
    for (written, expected) in [
        ("insert into narrow values (1)", "INSERT INTO \"s\"\"x\".\"narrow\" AS \"narrow\" (\"a\") VALUES (1)"),
        (
            "insert into narrow values (1, default), (2, 3) returning *, narrow.*, 1",
            "INSERT INTO \"s\"\"x\".\"narrow\" AS \"narrow\" (\"a\", \"b\"\"\") VALUES (1, DEFAULT), (2, 3) RETURNING \"narrow\".\"a\", \
             \"narrow\".\"b\"\"\", \"narrow\".\"c\", \"narrow\".\"a\", \"narrow\".\"b\"\"\", \"narrow\".\"c\", 1",
        ),
        (
            "insert into narrow select 1, secret from u",
            "INSERT INTO \"s\"\"x\".\"narrow\" AS \"narrow\" (\"a\", \"b\"\"\") SELECT 1, \"secret\" FROM \"s\"\"x\".\"u\" AS \"u\"",
        ),
        ("insert into narrow default values", "INSERT INTO \"s\"\"x\".\"narrow\" AS \"narrow\" DEFAULT VALUES"),
        (
            "insert into narrow (a) select a from narrow on conflict (a) do update set a = excluded.a where narrow.c = 1",
            "INSERT INTO \"s\"\"x\".\"narrow\" AS \"narrow\" (\"a\") SELECT \"a\" FROM (SELECT \"a\", \"b\"\"\", \"c\" FROM \"s\"\"x\".\"narrow\") AS \"narrow\" \
             ON CONFLICT (\"a\") DO UPDATE SET \"a\" = \"excluded\".\"a\" WHERE \"narrow\".\"c\" = 1",
        ),
        (
            "update narrow n set a = u.secret from u, v x where n.a = x.secret returning *",
            "UPDATE \"s\"\"x\".\"narrow\" AS \"n\" SET \"a\" = \"u\".\"secret\" FROM \"s\"\"x\".\"u\" AS \"u\", \"s\"\"x\".\"v\" AS \"x\" \
             WHERE \"n\".\"a\" = \"x\".\"secret\" RETURNING \"n\".\"a\", \"n\".\"b\"\"\", \"n\".\"c\", \"u\".*, \"x\".*",
        ),
        (
            "update narrow set a = new.secret from v new returning new.x, new.*",
            "UPDATE \"s\"\"x\".\"narrow\" AS \"narrow\" SET \"a\" = \"new\".\"secret\" FROM \"s\"\"x\".\"v\" AS \"new\" RETURNING \"new\".\"x\", \"new\".*",
        ),
        (
            "delete from narrow where a in (select narrow.a from narrow where c = 1)",
            "DELETE FROM \"s\"\"x\".\"narrow\" AS \"narrow\" WHERE \"a\" IN (SELECT \"narrow\".\"a\" FROM (SELECT \"a\", \"b\"\"\", \"c\" FROM \"s\"\"x\".\"narrow\") \
             AS \"narrow\" WHERE \"c\" = 1)",
        ),
        (
            "merge into narrow using u on true when not matched then insert values (u.secret)",
            "MERGE INTO \"s\"\"x\".\"narrow\" AS \"narrow\" USING \"s\"\"x\".\"u\" AS \"u\" ON TRUE WHEN NOT MATCHED THEN INSERT (\"a\") VALUES (\"u\".\"secret\")",
        ),
    ] {
        assert_eq!(sql(written), expected, "{written}");
    }
}

const COLUMN: &str = "column \"secret\" does not exist";
const RELATION: &str = "column \"secret\" of relation \"narrow\" does not exist";

/// Each is a way to a column that may not be seen, the place of the error marked. What it answers is what a table without the column
/// would.
const WAYS: &[(&str, &str)] = &[
    ("update narrow set a = 1 where @secret = 1", COLUMN),
    ("update narrow set a = @secret", COLUMN),
    ("update narrow set a = 1 + (2 * -@secret)", COLUMN),
    ("update narrow set a = 1 where @SECRET is null", COLUMN),
    ("update narrow set a = @\"secret\"::text", COLUMN),
    ("update narrow set a = 1 where @narrow.secret = 1", "column narrow.secret does not exist"),
    ("update narrow set a = 1 where shop.@narrow.secret = 1", "column narrow.secret does not exist"),
    ("update narrow n set a = 1 where @n.secret = 1", "column n.secret does not exist"),
    ("update narrow n set a = 1 where @n.ctid = '(0,1)'", "column n.ctid does not exist"),
    ("update narrow set a = 1 where @ctid = '(0,1)'", "column \"ctid\" does not exist"),
    ("delete from narrow where @xmin = '1'", "column \"xmin\" does not exist"),
    ("delete from narrow returning @tableoid", "column \"tableoid\" does not exist"),
    ("update narrow set @secret = 1", RELATION),
    ("update narrow n set @secret = default", RELATION),
    ("update narrow set (a, @secret) = (1, 2)", RELATION),
    ("update narrow set (a, c) = (select @secret, 1)", COLUMN),
    ("update narrow set (a, c) = row(1, @secret)", COLUMN),
    ("update narrow set a[@secret] = 1", COLUMN),
    ("update narrow set @narrow.a = 1", "column \"narrow\" of relation \"narrow\" does not exist"),
    ("update narrow set @ctid = '(0,1)'", "column \"ctid\" of relation \"narrow\" does not exist"),
    ("update narrow set @nothing = 1", "column \"nothing\" of relation \"narrow\" does not exist"),
    ("update narrow set a = 1 returning @secret", COLUMN),
    ("update narrow set a = 1 returning a, lower(@secret) as x", COLUMN),
    ("update narrow set a = 1 returning (@narrow.secret)", "column narrow.secret does not exist"),
    ("update narrow set a = 1 returning (select @secret)", COLUMN),
    ("update narrow set a = 1 returning (select max(@narrow.secret) from u)", "column narrow.secret does not exist"),
    ("update narrow set a = 1 returning case when @secret = 1 then 2 end", COLUMN),
    ("update narrow set a = 1 returning @secret[1], 2", COLUMN),
    ("update narrow set a = 1 returning array[@secret]", COLUMN),
    ("update narrow set a = 1 where exists (select 1 from u where u.a = @secret)", COLUMN),
    ("update narrow set a = 1 where a in (select a from u order by @secret)", COLUMN),
    (
        "update narrow set a = 1 where a in (select a from u group by @narrow.secret)",
        "column narrow.secret does not exist",
    ),
    ("update narrow set a = 1 where a in (select 1 from u join v on @secret = 1)", COLUMN),
    ("update narrow set a = 1 where a = any (select @secret from u)", COLUMN),
    ("update narrow set a = 1 where (select sum(a) over (order by @secret) from u) = 1", COLUMN),
    ("update narrow set a = 1 from u where u.a = @secret", COLUMN),
    ("update narrow set a = 1 from u where u.a = @narrow.secret", "column narrow.secret does not exist"),
    ("update narrow set a = 1 returning @narrow.row_to_json", "column narrow.row_to_json does not exist"),
    ("update narrow set a = 1 returning @narrow.text", "column narrow.text does not exist"),
    ("update narrow set a = 1 where (@narrow.to_json)::text = ''", "column narrow.to_json does not exist"),
    // PostgreSQL 18 knows these.
    ("update narrow set a = 1 returning @old.secret", "column old.secret does not exist"),
    ("delete from narrow returning lower(@old.secret)", "column old.secret does not exist"),
    ("insert into narrow (a) values (1) returning (select @new.secret)", "column new.secret does not exist"),
    ("update narrow set a = 1 from u returning @new.to_json", "column new.to_json does not exist"),
    ("update narrow set a = (select 1 from u old) returning @old.secret", "column old.secret does not exist"),
    ("delete from narrow where @secret = 1", COLUMN),
    ("delete from narrow using u where u.a = @secret", COLUMN),
    ("delete from narrow using u where @narrow.secret = u.a", "column narrow.secret does not exist"),
    ("delete from narrow returning @secret", COLUMN),
    ("delete from narrow returning @nothing", "column \"nothing\" does not exist"),
    ("insert into narrow (a, @secret) values (1, 2)", RELATION),
    ("insert into narrow (@secret) select 1", RELATION),
    ("insert into narrow values (1, 2, 3, @4)", "INSERT has more expressions than target columns"),
    ("insert into narrow (a) values (1) returning @secret", COLUMN),
    ("insert into narrow (a) values (1) on conflict (@secret) do nothing", COLUMN),
    ("insert into narrow (a) values (1) on conflict ((@secret + 1)) do nothing", COLUMN),
    ("insert into narrow (a) values (1) on conflict (a) where @secret = 1 do nothing", COLUMN),
    ("insert into narrow (a) values (1) on conflict (a) do update set @secret = 1", RELATION),
    ("insert into narrow (a) values (1) on conflict (a) do update set a = @secret", COLUMN),
    (
        "insert into narrow (a) values (1) on conflict (a) do update set a = @excluded.secret",
        "column excluded.secret does not exist",
    ),
    (
        "insert into narrow (a) values (1) on conflict (a) do update set a = @excluded.ctid",
        "column excluded.ctid does not exist",
    ),
    (
        "insert into narrow (a) values (1) on conflict (a) do update set a = @excluded.row_to_json",
        "column excluded.row_to_json does not exist",
    ),
    (
        "insert into narrow (a) values (1) on conflict (a) do update set a = 1 where @narrow.secret = 1",
        "column narrow.secret does not exist",
    ),
    (
        "insert into narrow (a) values (1) on conflict (a) do update set a = (select @excluded.secret)",
        "column excluded.secret does not exist",
    ),
    (
        "insert into narrow as n (a) values (1) on conflict (a) do update set a = @n.secret",
        "column n.secret does not exist",
    ),
    (
        "merge into narrow using u on @narrow.secret = u.a when matched then delete",
        "column narrow.secret does not exist",
    ),
    ("merge into narrow using u on @secret = u.a when matched then delete", COLUMN),
    ("merge into narrow using u on true when matched and @secret = 1 then delete", COLUMN),
    ("merge into narrow using u on true when matched then update set @secret = 1", RELATION),
    ("merge into narrow using u on true when matched then update set a = @secret", COLUMN),
    (
        "merge into narrow using u on true when matched then update set a = @narrow.secret",
        "column narrow.secret does not exist",
    ),
    ("merge into narrow using u on true when not matched then insert (@secret) values (1)", RELATION),
    ("merge into narrow using u on true when not matched then insert (a) values (@secret)", COLUMN),
    (
        "merge into narrow using u on true when not matched then insert values (1, 2, 3, @4)",
        "INSERT has more expressions than target columns",
    ),
];

#[test]
fn a_hidden_column_is_missing() {
    for (marked, message) in WAYS {
        let written = marked.replacen('@', "", 1);
        let place = marked.find('@').and_then(|at| u32::try_from(at + 1).ok());
        let error = printed(&written).map(|printed| printed.sql).expect_err(&written);
        let code = if message.starts_with("INSERT") { "42601" } else { "42703" };
        assert_eq!((error.state().code(), error.message()), (code, *message), "{written}");
        assert_eq!(error.position(), place, "{written}");
        // The same in WITH, before others and behind them, and under their names.
        if message.starts_with("INSERT") || written.starts_with("merge") {
            continue;
        }
        for (before, after) in [
            ("with x as (", ") select 1"),
            ("with narrow as (", ") select secret from t, narrow"),
            (
                "with secret as (select 1 as secret), x as (",
                "), y as (delete from t returning secret) select secret from y",
            ),
            (
                "with t as (delete from t returning secret), narrow as (",
                ") insert into t select secret from t returning secret",
            ),
        ] {
            if before.contains("narrow") && written.contains("shop.") {
                // Its schema does not tell it from the query of that name any more.
                continue;
            }
            let within = format!("{before}{written}{after}");
            let error = printed(&within).map(|printed| printed.sql).expect_err(&within);
            assert_eq!((error.state().code(), error.message()), (code, *message), "{within}");
            let moved = place.and_then(|place| Some(place + u32::try_from(before.len()).ok()?));
            assert_eq!(error.position(), moved, "{within}");
        }
    }
}

#[test]
fn a_whole_row_of_a_narrowed_target_is_refused() {
    for written in [
        "update narrow set a = 1 returning narrow",
        "update narrow n set a = 1 returning n",
        "update narrow n set a = 1 returning (n)",
        "update narrow n set a = 1 returning n::text",
        "update narrow n set a = 1 returning n is null",
        "update narrow n set a = 1 returning row_to_json(n)",
        "update narrow n set a = 1 returning to_jsonb(n) - 'a'",
        "update narrow n set a = 1 returning count(n.*)",
        "update narrow n set a = 1 returning row(n.*)",
        "update narrow n set a = 1 returning (n).secret",
        "update narrow n set a = 1 returning (n).a",
        "update narrow n set a = 1 returning (select n)",
        "update narrow n set a = 1 returning (select row_to_json(x) from (select n.*) x)",
        "update narrow n set a = 1 returning (select x from (select n.* from u) x)",
        "update narrow n set a = 1 returning array[n]",
        "update narrow n set a = 1 returning secret(n)",
        "update narrow n set a = 1 returning public.secret(n)",
        "update narrow n set a = 1 returning (n, 1)",
        "update narrow n set a = 1 where n = n",
        "update narrow n set a = n",
        "update narrow n set a = 1 where (select n) is not null",
        "update narrow n set a = 1 returning new",
        "update narrow n set a = 1 returning old::text",
        "update narrow n set a = 1 returning new.*",
        "update narrow n set a = 1 returning count(old.*)",
        "update narrow n set a = 1 returning (select x from (select old.*) x)",
        "delete from narrow where narrow::text like '%x%'",
        "delete from narrow where narrow.* = row(1)",
        "delete from narrow using u natural join v returning *",
        "delete from narrow using u join v using (a) returning *",
        "insert into narrow (a) values (1) returning narrow",
        "insert into narrow (a) values (1) on conflict (a) do update set a = excluded",
        "insert into narrow (a) values (1) on conflict (a) do update set a = row_to_json(excluded)",
        "insert into narrow (a) values (1) on conflict (a) do update set a = (select x from (select excluded.*) x)",
        "insert into narrow (a) values (1) on conflict on constraint k do nothing",
        "insert into narrow select * from u",
        "insert into narrow table u",
        "merge into narrow using u on narrow is null when matched then delete",
        "merge into narrow using u on true when matched and narrow::text = 'x' then delete",
        "merge into narrow using u on true when matched then update set a = to_json(narrow)",
        "update t set a = (select current_setting('x'))",
        "update t set a = nextval('s')",
        "update t set a = x::regclass",
    ] {
        for written in [written.to_owned(), format!("with x as ({written}), y as (delete from t) select 1 from y")] {
            match printed(&written) {
                Err(error) => assert_eq!(error.state().code(), "0A000", "{written}: {error}"),
                Ok(printed) => panic!("{written}\n{}", printed.sql),
            }
        }
    }
}

/// The source cuts names at 63 bytes: two that differ behind that are one to it.
#[test]
fn a_long_name_is_no_other_name_for_a_hidden_column() {
    let long = "n".repeat(63);
    let outcome = |text: &str| printed(text).map(|printed| printed.sql).map_err(|error| error.message().to_owned());
    for written in [
        format!("update narrow {long}1 set a = 1 returning {long}2.secret"),
        format!("update narrow {long} set a = 1 returning {long}2.secret"),
        format!("update narrow {long}1 set a = 1 returning {long}2.*"),
        format!("update narrow {long}1 set a = 1 returning (select {long}2)"),
        format!("update narrow {long} set a = 1 returning (select row_to_json({long}2))"),
        format!("update narrow {long} set a = (select {long}1) from u"),
        format!("delete from narrow using u {long}1"),
        format!("with x as (delete from narrow using u {long}1) select 1"),
        format!("with x as (delete from narrow) select 1 as {long}1"),
    ] {
        // It is what is left of it, as the source reads it.
        let cut = written.replace("n1", "n").replace("n2", "n");
        assert_eq!(outcome(&written), outcome(&cut), "{written}");
        assert!(!written.contains("secret") || outcome(&written).is_err(), "{written}");
        assert!(!outcome(&written).is_ok_and(|sql| sql.contains("secret")), "{written}");
    }
    assert!(printed(&format!("update narrow {long} set a = {long}.c returning {long}.a as {long}")).is_ok());
}
