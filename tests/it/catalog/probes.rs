//! A catalog query that fails is counted, and listed for whom it failed and for administrators.
//! Must not know: what the catalogs hold.

use super::Both;

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_query_that_fails_is_seen() {
    let both = Both::start().await;
    let failed = |page: &str| {
        let line = page.lines().find(|line| line.starts_with("tusk_catalog_errors_total")).unwrap();
        line.rsplit(' ').next().unwrap().parse::<u32>().unwrap()
    };
    assert_eq!(failed(&both.tusk.page("/metrics").1), 0);
    // What is no catalog's, what is answered, and what was cancelled is none.
    for sql in ["select * from nothing", "select 1 / 0", "select 1 from pg_class limit 1", "select from where"] {
        both.tusk("bob", sql);
    }
    both.tusk("bob", "set statement_timeout = 50; select pg_sleep(5) from pg_class");
    assert_eq!(failed(&both.tusk.page("/metrics").1), 0);
    let probes = [
        ("select * from pg_catalog.pg_nothing", "42P01"),
        ("select nope from pg_class", "42703"),
        ("select 1 / (oid::int - oid::int) from information_schema.tables, pg_class", "22012"),
        ("select pg_get_nothing(1)", "42883"),
        ("select oid frm pg_catalog.pg_class x y", "42601"),
    ];
    for (sql, _) in probes {
        assert!(both.tusk("bob", sql).contains("ERROR"), "{sql}");
    }
    assert_eq!(failed(&both.tusk.page("/metrics").1), probes.len() as u32);
    let wanted: String = probes.iter().map(|(sql, state)| format!("catalog_error|bob|{state}|{sql}\n")).collect();
    let asked = "select kind, user_name, sqlstate, query from tusk.events where happened_at <= now() and message <> '' order by happened_at";
    assert_eq!(both.tusk("bob", asked), wanted);
    assert_eq!(both.tusk("root", asked), wanted);
    assert_eq!(both.tusk("ana", asked), "");
}
