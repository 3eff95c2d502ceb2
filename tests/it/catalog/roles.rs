//! What a role may not see is in no relation, name, comment, constraint, index or estimate.
//! Must not know: which relations are filled how.

use super::Both;

/// Words that tell of what `bob` may not see: tables, their columns, comments, indexes, keys.
const HIDDEN: &[&str] = &[
    "customer",
    "c_custkey",
    "who buys",
    "first and last",
    "orders_v",
    "Odd Names",
    "l_orderkey",
    "line_pkey",
    "m_secret",
    "mood",
    "feels",
    "so, so",
    "posint",
    "p_short",
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_hidden_is_in_any_relation() {
    let both = Both::start().await;
    let relations = both.tusk(
        "bob",
        "select quote_ident(table_schema) || '.' || quote_ident(table_name) from information_schema.tables \
         where table_schema in ('pg_catalog', 'information_schema') order by 1",
    );
    assert!(relations.lines().count() > 150, "{relations}");
    let mut told = Vec::new();
    for relation in relations.lines() {
        let whole = both.tusk("bob", &format!("select * from {relation}"));
        assert!(!whole.contains("ERROR"), "{relation}: {whole}");
        told.extend(
            HIDDEN.iter().filter(|word| whole.contains(**word)).map(|word| format!("{relation} tells of {word}")),
        );
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
    let all = both.tusk("ana", "select string_agg(relname, ' ') from pg_class");
    let defaults = "select column_name, column_default, generation_expression from information_schema.columns \
                    where table_name = 'made' order by 1";
    assert_eq!(both.tusk("bob", defaults), "m_default|7|\nm_open||\nm_twice||\n");
    assert!(both.tusk("ana", defaults).contains("m_secret * 2"));
    assert!(all.contains("customer"), "the test would not see anything: {all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leads_out_of_sight_is_not_there() {
    let both = Both::start().await;
    let bob = |sql: &str| both.tusk("bob", sql);
    // The foreign key leads to a table that bob may not see.
    assert_eq!(bob("select conname from pg_constraint where conrelid = 'orders'::regclass order by 1"), "orders_pk\n");
    assert_eq!(bob("select count(*) from information_schema.referential_constraints"), "0\n");
    assert_eq!(
        bob("select indexrelid::regclass from pg_index order by indexrelid::regclass::text"),
        "orders_date_idx\norders_lower\norders_pk\norders_some\n"
    );
    for (sql, said) in [
        ("select 'customer'::regclass", "ERROR:  relation \"customer\" does not exist"),
        ("select has_table_privilege('customer', 'select')", "ERROR:  relation \"customer\" does not exist"),
        ("select pg_relation_size('customer')", "ERROR:  relation \"customer\" does not exist"),
        ("select to_regclass('customer') is null", "t"),
    ] {
        assert!(bob(sql).starts_with(said), "{sql}: {}", bob(sql));
    }
    // The oids are the same for both, and tell bob nothing.
    let oid = both.tusk("ana", "select 'customer'::regclass::oid").trim().to_owned();
    assert_eq!(both.tusk("ana", "select 'orders'::regclass::oid"), bob("select 'orders'::regclass::oid"));
    for function in [
        "obj_description({}, 'pg_class')",
        "pg_get_indexdef({})",
        "has_table_privilege({}, 'select')",
        "pg_relation_size({})",
    ] {
        assert_eq!(bob(&format!("select {} is null", function.replace("{}", &oid))), "t\n", "{function}");
    }
    assert_eq!(bob(&format!("select {oid}::regclass::text")).trim(), oid);
}
