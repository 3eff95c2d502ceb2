//! What writes is printed as it was meant, and a hidden column of the target is missing from it.

use super::super::*;
use crate::sql::{Scope, StatementKind, parse};

fn own() -> OwnValues {
    OwnValues {
        user: "a'na".into(),
        database: "tusk".into(),
        schema: Some("shop".into()),
        pid: 7,
        version: "PostgreSQL 15".into(),
        now: None,
    }
}

/// Prints a statement; tables are of the schema `s"x` there, `shop` here. `narrow` has the columns `a`, `secret`, `b"` and `c`, and
/// `secret` is hidden.
fn printed(sql: &str) -> Result<PrintedQuery> {
    let statement = parse(sql)?.remove(0);
    let StatementKind::Modify(modify) = &statement.kind else { panic!("{sql}: {:?}", statement.kind) };
    let remote = |table: &TableRef| RemoteTable {
        schema: "s\"x".into(),
        name: table.table.clone(),
        columns: (table.table == "narrow").then(|| ["a", "b\"", "c"].map(str::to_owned).to_vec()),
        seen: (table.schema.clone().unwrap_or_else(|| "shop".into()), table.table.clone()),
    };
    let relations: Vec<_> =
        Scope::of_statement(&statement).relations.into_iter().map(|table| (table.clone(), remote(&table))).collect();
    let all = ["a", "secret", "b\"", "c"].map(str::to_owned);
    print_modify(&ModifyRequest { statement: &statement, modify, relations: &relations, all: &all, own: &own() })
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
