//! What the binder is given. Names are what PostgreSQL 15 answers.

use super::*;
use crate::sql::{StatementKind, parse, parse_expression};

fn rewritten(sql: &str) -> Result<Rewritten> {
    match parse(sql).unwrap_or_else(|e| panic!("{sql}: {e}")).remove(0).kind {
        StatementKind::Query(query) => rewrite(query),
        other => panic!("{other:?}"),
    }
}

fn text(sql: &str) -> String {
    rewritten(sql).unwrap_or_else(|e| panic!("{sql}: {e}")).query.to_string()
}

fn expression(sql: &str) -> String {
    rewrite_expression(parse_expression(sql).unwrap()).unwrap().to_string()
}

fn names(sql: &str) -> String {
    let names = rewritten(sql).unwrap().output_names;
    names.into_iter().map(|name| name.unwrap_or_else(|| "*".to_owned())).collect::<Vec<_>>().join(" ")
}

#[test]
fn columns_have_postgresqls_names() {
    for (items, expected) in [
        (
            "1, 'a', null, true, -1, 1 + 1, $1, a = b, not a, a is null",
            "?column? ?column? ?column? ?column? ?column? ?column? ?column? ?column? ?column? ?column?",
        ),
        (
            "1::int, '1'::bigint, 'x'::varchar(3), '1'::\"char\", 'a'::char(2), '{1}'::int[]",
            "int4 int8 varchar char bpchar int4",
        ),
        ("a::int, t.a::text, \"A\", f(a)::int, t.b", "a a A f b"),
        (
            "date '2020-01-01', interval '1 day', cast(1 as numeric(3,1)), 'pg_class'::regclass",
            "date interval numeric regclass",
        ),
        ("case when a then 1 end, case when a then 1 else b end, case when a then 1 else 2 end::int", "case b int4"),
        (
            "coalesce(a, b), nullif(a, b), greatest(a, b), count(*), pg_catalog.version()",
            "coalesce nullif greatest count version",
        ),
        (
            "array[1], array(select 1), exists (select 1), not exists (select 1), (1, 2)",
            "array array exists ?column? row",
        ),
        ("(select 1), (select 1 as q), (select max(a) from t), (values (1))", "?column? q max column1"),
        (
            "extract(year from a), position(a in b), substring(a from 1), substr(a, 1), trim(a), trim(leading from a)",
            "extract position substring substr btrim ltrim",
        ),
        (
            "ceil(a), ceiling(a), floor(a), a at time zone 'utc', overlay(a placing b from 1)",
            "ceil ceiling floor timezone overlay",
        ),
        (
            "current_date, current_timestamp, current_user, user, current_role, current_schema",
            "current_date current_timestamp current_user user current_role current_schema",
        ),
        ("a[1], (f(a)).n, a collate \"C\", x as y, *", "a n a y *"),
    ] {
        assert_eq!(names(&format!("select {items} from t")), expected, "{items}");
    }
    assert_eq!(names("select a as x from t union select b as y from u"), "x");
    assert_eq!(names("values (1, 2)"), "column1 column2");
    assert_eq!(names("select"), "");
}

#[test]
fn equal_names_are_made_unique_and_back() {
    let found = rewritten("select 1, 2, a.id, b.id, id from a, b").unwrap();
    let sql = found.query.to_string();
    assert!(sql.contains("1 AS \"?column?\", 2 AS \"?column?\u{241f}2\", \"a\".\"id\", \"b\".\"id\""), "{sql}");
    assert_eq!(output_name("?column?\u{241f}2"), "?column?");
    let plan: Vec<String> = ["x", "y", "z", "u", "v"].map(str::to_owned).to_vec();
    assert_eq!(found.names(&plan), ["?column?", "?column?", "id", "id", "id"]);
    let star = rewritten("select *, 1 from a").unwrap();
    let plan: Vec<String> = ["a", "b", "?column?\u{241f}2"].map(str::to_owned).to_vec();
    assert_eq!(star.names(&plan), ["a", "b", "?column?"]);
    assert!(text("select a.id, a.id from a").contains("\"a\".\"id\" AS \"id\u{241f}2\""));
    assert!(text("select a.id, id, x as id from a").contains("\"id\" AS \"id\u{241f}2\", \"x\" AS \"id\u{241f}3\""));
    assert!(text("select *, id from a").contains("\"id\" AS \"id\u{241f}2\""));
    assert!(text("select * from (select 1, 1) x").contains("\"?column?\u{241f}2\""));
}

#[test]
fn operators_and_names_lose_their_schema() {
    assert_eq!(expression("a operator(pg_catalog.~) '^(x)$'"), "\"a\" ~ '^(x)$'");
    assert_eq!(expression("a operator(pg_catalog.=) b"), "\"a\" = \"b\"");
    assert_eq!(expression("a ~~ 'x' or a !~~ 'y'"), "\"a\" LIKE 'x' OR \"a\" NOT LIKE 'y'");
    assert_eq!(expression("a ~~* 'x' and a !~~* 'y'"), "\"a\" ILIKE 'x' AND \"a\" NOT ILIKE 'y'");
    assert_eq!(expression("pg_catalog.lower(a)"), "\"lower\"(\"a\")");
    assert_eq!(expression("a isnull or b notnull"), "\"a\" IS NULL OR \"b\" IS NOT NULL");
    assert_eq!(expression("a like any (b)"), "\"a\" ~~ ANY(\"b\")");
    let error = rewrite_expression(parse_expression("a operator(x.+) b").unwrap()).unwrap_err();
    assert_eq!(error.state().code(), "42883");
}

#[test]
fn casts() {
    assert_eq!(expression("1::pg_catalog.int4"), "1::INTEGER");
    assert_eq!(expression("a::pg_catalog.regclass"), "pg_regclass_in(\"a\")");
    assert_eq!(expression("a::regtype::text"), "pg_regtype_out(pg_regtype_in(\"a\"))");
    assert_eq!(expression("(a::regtype)::pg_catalog.text"), "pg_regtype_out((pg_regtype_in(\"a\")))");
    assert_eq!(expression("a::regclass::oid"), "pg_regclass_in(\"a\")::oid");
    assert_eq!(expression("regclass 'x'"), "pg_regclass_in('x')");
    assert_eq!(expression("date '2020-01-01'"), "'2020-01-01'::DATE");
    assert_eq!(expression("a::\"char\""), "\"a\"::\"char\"");
    let error = rewrite_expression(parse_expression("B'101'").unwrap()).unwrap_err();
    assert_eq!(error.state().code(), "0A000");
}

#[test]
fn functions_in_from_have_their_columns() {
    assert!(text("select * from generate_series(1, 2)").contains("AS \"generate_series\" (\"generate_series\")"));
    assert!(text("select * from generate_series(1, 2) g").contains("AS \"g\" (\"g\")"));
    assert!(text("select * from generate_series(1, 2) g(x)").contains("AS \"g\" (\"x\")"));
    assert!(text("select * from unnest(a) with ordinality u").contains("AS \"u\" (\"u\", \"ordinality\")"));
    assert!(!text("select * from pg_options_to_table(a) o").contains("(\"o\")"));
}

#[test]
fn limits() {
    assert!(text("select a from t fetch first 3 rows only").ends_with("LIMIT 3"));
    assert!(text("select a from t offset 1 fetch first row only").contains("LIMIT 1"));
    assert!(!text("select a from t limit null").contains("LIMIT"));
    assert!(text("table t").starts_with("SELECT * FROM \"t\""));
}

#[test]
fn only_is_refused_where_it_would_be_lost() {
    for (sql, place) in [
        ("select * from only t", 20),
        ("select * from only (t)", 21),
        ("select (select 1 from a join only s.t on true)", 35),
        ("with q as (select * from a, only t) select 1", 34),
    ] {
        let error = rewritten(sql).map(|_| ()).unwrap_err();
        let found = (error.state().code(), error.message(), error.position());
        assert_eq!(found, ("0A000", "ONLY is not supported", Some(place)), "{sql}");
    }
    assert!(rewritten("select a as only_a from t fetch first row only").is_ok());
}
