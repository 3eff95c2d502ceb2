//! What views are made of: told to administrators, as the source writes it, and to nobody else.
//! Must not know: how a source is asked.

use super::Both;

/// Every way to ask, for a view of this schema.
const WAYS: &[&str] = &[
    "select pg_get_viewdef('public.orders_v'::regclass)",
    "select pg_get_viewdef('public.orders_v'::regclass::oid, false)",
    "select pg_get_viewdef('public.orders_v'::regclass, true)",
    "select pg_get_viewdef('public.orders_v', true)",
    "select pg_get_viewdef('public.summed'::regclass, true)",
    "select definition from pg_views where schemaname = 'public' and viewname = 'orders_v'",
    "select definition from pg_matviews where schemaname = 'public' and matviewname = 'summed'",
    "select view_definition from information_schema.views where table_schema = 'public' and table_name = 'orders_v'",
];

/// What they read.
const READ: &[&str] = &[
    "select v.relname, r.rulename, r.ev_type, r.ev_enabled, r.is_instead, t.relname, a.attname, d.deptype from pg_rewrite r \
     join pg_class v on v.oid = r.ev_class join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid \
     join pg_class t on d.refclassid = 'pg_class'::regclass and t.oid = d.refobjid \
     left join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid and a.attnum > 0 \
     where v.relnamespace = 'public'::regnamespace order by 1, 6, 7, 8",
    "select view_name, table_schema, table_name from information_schema.view_table_usage where view_schema = 'public' order by 1, 3",
    "select view_name, table_name, column_name from information_schema.view_column_usage where view_schema = 'public' order by 1, 2, 3",
];

#[tokio::test(flavor = "multi_thread")]
async fn administrators_are_told_what_views_are_made_of() {
    let both = Both::start().await;
    both.postgres
        .exec("create materialized view summed as select o_custkey, count(*) as orders, sum(o_line + 1) * 2 as lines from orders group by 1")
        .await;
    both.tusk("root", "select tusk.refresh('shop')");
    for sql in WAYS {
        // The source writes the names of all schemas out for Tusk.
        let theirs = both.oracle(&format!("set search_path = ''; {sql}"));
        let theirs = theirs.strip_prefix("SET\n").unwrap_or(&theirs);
        assert!(theirs.contains("public.orders"), "{sql}: {theirs}");
        assert_eq!(both.tusk("root", sql), theirs, "{sql}");
        // Somebody who may read all of it is no administrator.
        assert_eq!(both.tusk("ana", sql), "\n", "{sql}");
    }
    // What views read, by the rules that make them.
    for sql in READ {
        let theirs = both.oracle(sql);
        assert!(theirs.contains("orders"), "{sql}: {theirs}");
        assert_eq!(both.tusk("root", sql), theirs, "{sql}");
        assert_eq!(both.tusk("ana", sql), "", "{sql}");
    }
    // What bob does not see has no name for him; what has no definition has none for anybody.
    assert!(both.tusk("bob", "select pg_get_viewdef('orders_v')").contains("relation \"orders_v\" does not exist"));
    for sql in [
        "select pg_get_viewdef('orders'::regclass) is null",
        "select pg_get_viewdef(1::oid) is null",
        "select pg_get_viewdef('pg_tables'::regclass) is null",
        "select pg_get_viewdef('orders_v'::regclass, null::bool) is null",
    ] {
        assert_eq!(both.tusk("root", sql), "t\n", "{sql}");
    }
    // A definition that has changed is another at the next look.
    both.postgres
        .exec("create or replace view orders_v as select o_orderkey, o_orderdate from orders where o_custkey > 4")
        .await;
    both.tusk("root", "select tusk.refresh('shop')");
    assert!(both.tusk("root", WAYS[0]).contains("o_custkey > 4"));
}
