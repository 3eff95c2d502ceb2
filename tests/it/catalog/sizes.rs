//! Sizes on disk and estimates of rows: what the source says of them, to those who see the whole of a table.
//! Must not know: how a source is asked.

use std::time::{Duration, Instant};

use super::Both;
use crate::harness::federation::{Federation, over};
use crate::harness::postgres::TestPostgres;

/// What both must answer the same, of relations that were counted.
const QUERIES: &[&str] = &[
    "select relname, pg_relation_size(oid), pg_relation_size(oid, 'main'), pg_relation_size(oid, 'fsm'), pg_relation_size(oid, 'vm'), \
     pg_relation_size(oid, 'init'), pg_table_size(oid), pg_indexes_size(oid), pg_total_relation_size(oid) from pg_class \
     where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'i') order by 1",
    "select relname, reltuples from pg_class where relnamespace = 'public'::regnamespace \
     and relname in ('customer', 'customer_pkey', 'orders', 'orders_pk', 'orders_lower', 'orders_v') order by 1",
    "select pg_relation_size('orders'), pg_table_size('public.orders'), pg_size_pretty(pg_total_relation_size('orders'::regclass))",
    "select pg_relation_size(null), pg_relation_size('orders', null), pg_relation_size(1::oid), pg_table_size(1::oid), pg_relation_size(1::oid, 'bad')",
];

#[tokio::test(flavor = "multi_thread")]
async fn sizes_are_those_of_the_source() {
    let both = Both::start().await;
    both.say_the_same(QUERIES);
    for sql in [
        "select pg_relation_size('orders', 'bad')",
        "select pg_relation_size('nothing', 'bad')",
        "select pg_total_relation_size('nothing')",
        "select pg_database_size('nothing')",
    ] {
        let (theirs, ours) = (both.oracle(sql), both.tusk("ana", sql));
        assert!(theirs.contains("ERROR"), "{sql}: {theirs}");
        // Without the place, which PostgreSQL has for names that it reads while it plans.
        let said = |text: &str| {
            text.lines()
                .filter(|line| !line.starts_with("LINE") && !line.trim().is_empty() && line.trim() != "^")
                .count()
        };
        assert_eq!(ours.lines().next(), theirs.lines().next(), "{sql}");
        assert_eq!(said(&ours), said(&theirs), "{sql}: {ours}{theirs}");
    }
}

/// Who sees a partitioned table and none of its partitions.
const PETE: &str = "[[role]]\nname = \"parts\"\n[[role.grant]]\ntables = [\"public.parts\"]\nprivileges = [\"select\"]\n\
                    [[user]]\nname = \"pete\"\nroles = [\"parts\"]\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_partitioned_table_takes_what_its_partitions_take() {
    let postgres = TestPostgres::start();
    postgres
        .exec(
            "create table parts(a int primary key, t text) partition by range (a); \
             create table parts_1 partition of parts for values from (0) to (1000); \
             create table parts_2 partition of parts for values from (1000) to (100000); \
             insert into parts select i, repeat('x', 300) from generate_series(1, 3000) i; analyze parts",
        )
        .await;
    let tusk = over(&postgres, "schemas = { public = \"public\" }", PETE);
    let both = Both { postgres, tusk };
    // Where they are seen, it is theirs, as in PostgreSQL.
    both.say_the_same(&[
        "select relname, pg_relation_size(oid), pg_total_relation_size(oid), pg_indexes_size(oid) from pg_class where relname ~ '^parts' order by 1",
    ]);
    // Where they are not, nothing of it is lost.
    let theirs = both.oracle(
        "select sum(pg_relation_size(oid)), sum(pg_total_relation_size(oid)), sum(reltuples) from pg_class where relname in ('parts_1', 'parts_2')",
    );
    let ours = both.tusk(
        "pete",
        "select pg_relation_size(oid), pg_total_relation_size(oid), reltuples from pg_class where relname = 'parts'",
    );
    assert_eq!(ours, theirs);
    let theirs = both.oracle("select pg_relation_size('parts_1_pkey') + pg_relation_size('parts_2_pkey')");
    assert_eq!(both.tusk("pete", "select pg_relation_size('parts_pkey')"), theirs);
    // Each is counted once.
    let sizes = ["ana", "pete"].map(|user| both.tusk(user, "select pg_database_size(current_database())"));
    assert_eq!(sizes[0], sizes[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_follow_the_schema_and_nobody_waits_for_them() {
    let both = Both::start().await;
    let size = "select pg_relation_size('customer')";
    let before = both.tusk("ana", size);
    assert_eq!(before, both.oracle(size));
    both.postgres
        .exec("insert into customer(c_custkey, c_name) select i, repeat('n', 40) from generate_series(1000, 3000) i")
        .await;
    // Until the schema is read again, nobody is asked.
    assert_eq!(both.tusk("ana", size), before);
    both.tusk("root", "select tusk.refresh('shop')");
    assert_ne!(both.tusk("ana", size), before);
    assert_eq!(both.tusk("ana", size), both.oracle(size));
    // A table that somebody has locked keeps the size that it had, and the others are measured. (One with a default would be waited for, by
    // what reads that.)
    let locked = "select pg_total_relation_size('\"Odd Names\"')";
    let known = both.tusk("ana", locked);
    let mut locking = both.postgres.connect().await;
    let transaction = locking.transaction().await.unwrap();
    transaction.batch_execute("lock table \"Odd Names\" in access exclusive mode").await.unwrap();
    both.postgres.exec("insert into line(l_line) select null from generate_series(1, 5000)").await;
    let began = Instant::now();
    assert_eq!(both.tusk("root", "select tusk.refresh('shop')"), "t\n");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!((both.tusk("ana", locked), known.as_str()), (known.clone(), "16384\n"));
    assert_eq!(both.tusk("ana", "select pg_total_relation_size('line') > 100000"), "t\n");
    transaction.rollback().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_are_told_of_what_is_seen_whole() {
    let filtered = r#"
[[role]]
name = "filtered"
[[role.grant]]
tables = ["shop.orders"]
privileges = ["select"]
row_filter = "o_orderkey < 10"
[[role.grant]]
tables = ["shop.customer"]
privileges = ["select"]
mask = { c_name = "'x'" }
[[user]]
name = "carl"
roles = ["filtered"]
"#;
    let all = Federation::start_with("", filtered).await;
    all.postgres.exec("analyze").await;
    let asked = |user: &str, sql: &str| {
        let (out, said) = all.tusk.psql(user, &["-X", "-At", "-c", sql]);
        format!("{out}{said}")
    };
    asked("root", "select tusk.refresh('shop')");
    let number = |user: &str, sql: &str| {
        asked(user, sql).trim().parse::<i64>().unwrap_or_else(|_| panic!("{sql}: {}", asked(user, sql)))
    };
    // A file's size is its own.
    let rates = std::fs::metadata(all.files.path().join("lake/rates.csv")).unwrap().len();
    for user in ["ana", "bob"] {
        for function in ["pg_relation_size", "pg_table_size", "pg_total_relation_size"] {
            assert_eq!(number(user, &format!("select {function}('lake.rates')")), rates as i64, "{user}");
        }
        assert_eq!(number(user, "select pg_indexes_size('lake.rates')"), 0);
    }
    let parts: u64 = std::fs::read_dir(all.files.path().join("lake/lineitem"))
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    assert_eq!(number("ana", "select pg_relation_size('lake.lineitem')"), parts as i64);
    // What is seen in part has no size and no rows.
    let told = "select pg_relation_size(oid), pg_total_relation_size(oid), reltuples from pg_class where relname = 'orders' and relkind = 'r'";
    assert_eq!(asked("bob", told), "0|0|-1\n");
    // A table with a filter or a mask is not granted at all as long as these are not enforced; it is told no more once it is.
    for sql in [told.to_owned(), told.replace("'orders'", "'customer'")] {
        assert!(["", "0|0|-1\n"].contains(&asked("carl", &sql).as_str()), "{}", asked("carl", &sql));
    }
    assert_eq!(asked("bob", "select n_live_tup from pg_stat_user_tables where relname = 'orders'"), "0\n");
    let seen = asked("ana", told);
    assert!(seen.ends_with("|1500\n") && !seen.starts_with("0|"), "{seen}");
    // What is not seen at all has none that could be asked for.
    let customer = asked("ana", "select 'shop.customer'::regclass::oid");
    assert_eq!(asked("bob", &format!("select pg_total_relation_size({}::oid) is null", customer.trim())), "t\n");
    // SQLite does not say.
    assert_eq!(
        asked("ana", "select distinct pg_relation_size(oid) from pg_class where relnamespace = 'crm'::regnamespace"),
        "0\n"
    );
    // A database is as large as what is seen of it.
    let database = "select pg_database_size(current_database())";
    assert_eq!(number("bob", database), rates as i64);
    assert_eq!(number("carl", database), 0);
    assert!(number("ana", database) > rates as i64 + parts as i64);
    assert_eq!(number("ana", "select pg_database_size(oid) from pg_database"), number("ana", database));
    assert_eq!(asked("ana", "select pg_database_size(1::oid) is null"), "t\n");
}
