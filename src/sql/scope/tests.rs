//! What a query names, and where.

use super::*;
use crate::sql::parse;

fn scope(sql: &str) -> Scope {
    Scope::of_statement(&parse(sql).unwrap_or_else(|e| panic!("{sql}: {e}"))[0])
}

fn tables(sql: &str) -> String {
    let name = |t: &TableRef| match &t.schema {
        Some(schema) => format!("{schema}.{}", t.table),
        None => t.table.clone(),
    };
    scope(sql).relations.iter().map(name).collect::<Vec<_>>().join(" ")
}

fn functions(sql: &str) -> String {
    scope(sql).functions.iter().map(|f| f.name.clone()).collect::<Vec<_>>().join(" ")
}

#[test]
fn relations_are_found_everywhere() {
    assert_eq!(tables("select 1"), "");
    assert_eq!(tables("select * from A, s.\"B\", tusk.s.c"), "a s.B s.c");
    assert_eq!(scope("select * from tusk.s.c").relations[0].catalog.as_deref(), Some("tusk"));
    assert_eq!(
        tables("select (select x from a) from b where exists (select from c) order by (select y from d)"),
        "a b c d"
    );
    assert_eq!(tables("select * from a join lateral (select * from b) x on a.i in (select i from c)"), "a b c");
    assert_eq!(tables("select * from a union (select * from b except table c)"), "a b c");
    assert_eq!(tables("select case when 1 = any(select i from a) then array(select i from b) end"), "a b");
    assert_eq!(
        tables("select sum(x) filter (where x in (select i from a)) over (order by (select 1 from b)) from c"),
        "a b c"
    );
    assert_eq!(tables("select * from ((a join b on true) join c on true)"), "a b c");
    assert_eq!(tables("values ((select 1 from a))"), "a");
    assert_eq!(tables("select 1 limit (select 1 from a) offset (select 1 from b)"), "a b");
    assert_eq!(tables("explain analyze select * from a"), "a");
    assert_eq!(tables("copy s.t to stdout"), "s.t");
    assert_eq!(tables("declare c cursor for select * from a"), "a");
    assert_eq!(tables("select * from generate_series(1, (select 1 from a))"), "a");
}

#[test]
fn common_table_expressions_hide_relations_where_they_are_visible() {
    assert_eq!(tables("with a as (select 1) select * from a"), "");
    assert_eq!(tables("with a as (select * from a) select * from a"), "a");
    assert_eq!(tables("with recursive a as (select 1 union select * from a) select * from a"), "");
    assert_eq!(tables("with a as (select * from b), b as (select * from a) select * from a, b"), "b");
    assert_eq!(tables("with recursive a as (select * from b), b as (select 1) select * from a, b"), "");
    assert_eq!(tables("select * from (with a as (select 1) select * from a) x, a"), "a");
    assert_eq!(tables("with a as (select 1) select * from s.a"), "s.a");
    assert_eq!(tables("with a as (select 1) select (select 1 from a where exists (select from a))"), "");
    assert_eq!(tables("with a as (with b as (select * from c) select * from b) select * from a, b"), "c b");
    assert_eq!(tables("with \"A\" as (select 1) select * from a, \"A\""), "a");
    assert_eq!(tables("with x as (select 1) (with y as (select * from x) select * from x, y) order by 1"), "");
}

#[test]
fn functions_have_postgresqls_names() {
    assert_eq!(functions("select lower(a), pg_catalog.Version(), count(*) from t"), "lower version count");
    assert_eq!(
        functions("select extract(year from a), trim(leading 'x' from b), a at time zone 'utc'"),
        "extract ltrim timezone"
    );
    assert_eq!(
        functions("select substring(a from 1), position('a' in b), overlay(a placing b from 1)"),
        "substring position overlay"
    );
    assert_eq!(
        functions("select current_user, current_schema, current_timestamp"),
        "current_user current_schema current_timestamp"
    );
    assert_eq!(
        functions("select * from generate_series(1, 2), unnest(array[1]), lateral f(x)"),
        "generate_series unnest f"
    );
    assert_eq!(functions("select a from t order by random()"), "random");
    let found = scope("select s.f(1)").functions;
    assert_eq!((found[0].schema.as_deref(), found[0].position), (Some("s"), 8));
}

#[test]
fn parameters_are_counted() {
    assert_eq!(scope("select $2 from t where a = $7 limit $3").parameters, 7);
    assert_eq!(scope("select 1").parameters, 0);
}

#[test]
fn places_are_characters_of_the_message() {
    let second = parse("select 'ü'; select 2 ~ 3 from nope").unwrap().remove(1);
    assert_eq!(Scope::of_statement(&second).relations[0].position, 31);
}
