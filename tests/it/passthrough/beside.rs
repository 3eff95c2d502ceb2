//! What runs beside a transaction that a source holds.
//! Must not know: what single statements do.

use std::time::Duration;

use super::same::oracle;
use super::transactions::none_open;
use super::writable;
use crate::harness::federation::over;
use crate::harness::postgres::{TestPostgres, eventually};
use crate::harness::raw::{Message, Raw, bind, error, execute, parse, rows};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_beside_a_transaction_and_what_does_not() {
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("facts.csv"), "n,word\n1,one\n2,two\n").unwrap();
    let lake = format!(
        "[[source]]\nname = \"lake\"\ntype = \"files\"\npath = \"{}\"\n[[role]]\nname = \"lake\"\n[[role.grant]]\ntables = [\"lake.*\"]\n\
         privileges = [\"select\"]\n[[user]]\nname = \"lee\"\nroles = [\"writer\", \"lake\"]\n",
        files.path().display()
    );
    let (postgres, daemon) = writable(&lake).await;
    let mut wes = Raw::login(daemon.port(), "lee", "tusk");
    let federated = "select count(*) from shop.emps, tusk.sources";
    wes.ask("begin");
    wes.ask("select count(*) from shop.stock");
    assert_eq!(rows(&wes.ask(federated)).len(), 1);
    wes.ask("update shop.stock set amount = 0");
    assert_eq!(rows(&wes.ask("select count(*) from pg_class where relname = 'stock'")), [[Some("1".to_owned())]]);
    let seen = format!("{:?}", rows(&wes.ask("explain analyze select id from shop.stock where amount = 0")));
    assert!(seen.contains("Rows: 10"), "{seen}");
    // What the block has written is seen by whatever reads that source; others might show it too, and would not.
    let written = "select count(*) from shop.stock, tusk.sources where amount = 0 and type = 'postgres'";
    assert_eq!(rows(&wes.ask(written)), [[Some("10".to_owned())]]);
    let seen = format!("{:?}", rows(&wes.ask(&format!("explain analyze {written}"))));
    assert!(seen.contains("10 rows"), "{seen}");
    for sql in ["select * from lake.facts", "select f.n from lake.facts f join shop.stock s on s.id = f.n"] {
        let refused = error(&wes.ask(sql));
        assert_eq!((refused[&'C'].as_str(), refused.contains_key(&'H')), ("0A000", true), "{sql}: {refused:?}");
        wes.ask("rollback");
        wes.ask("begin");
        wes.ask("update shop.stock set amount = 0");
    }
    wes.ask("rollback");
    // A query that writes in its WITH writes, too.
    wes.ask("begin");
    assert_eq!(
        rows(&wes.ask("with x as (update shop.stock set amount = 0 where id = 1 returning id) select id from x")).len(),
        1
    );
    assert_eq!(error(&wes.ask("select * from lake.facts"))[&'C'], "0A000");
    wes.ask("rollback");
    wes.ask("set tusk.route = federated");
    assert_eq!(
        rows(&wes.ask("with x as (update shop.stock set amount = amount where id = 1 returning id) select id from x"))
            .len(),
        1
    );
    let outside = error(&wes.ask("with x as (delete from shop.stock returning id) select x.id from x, tusk.sources"));
    assert_eq!(outside[&'C'], "0A000", "{outside:?}");
    wes.ask("reset tusk.route");
    assert_eq!(rows(&wes.ask("select count(*) from shop.stock")), [[Some("10".to_owned())]]);
    let plain =
        format!("{:?}", rows(&wes.ask("explain with x as (delete from shop.stock returning id) select id from x")));
    assert!(plain.contains("passthrough"), "{plain}");
    assert_eq!(rows(&wes.ask("select count(*) from shop.stock")), [[Some("10".to_owned())]]);
    let run = format!(
        "{:?}",
        rows(&wes.ask("explain analyze with x as (delete from shop.stock where id > 8 returning id) select id from x"))
    );
    assert!(run.contains("Rows: 2"), "{run}");
    assert_eq!(rows(&wes.ask("select count(*) from shop.stock")), [[Some("8".to_owned())]]);
    for level in ["repeatable read", "serializable, read only"] {
        for first in ["select count(*) from shop.stock", "select count(*) from lake.facts", federated] {
            wes.ask(&format!("begin isolation level {level}"));
            wes.ask(first);
            for sql in [federated, "select n from lake.facts", "select count(*) from shop.stock", "select 1"] {
                assert!(!rows(&wes.ask(sql)).is_empty(), "{sql}");
            }
            wes.ask("commit");
        }
    }
    assert_eq!(rows(&wes.ask(federated)).len(), 1);
    none_open(&postgres).await;
}

/// Reads of Tusk's own engine in a block, beside the block's own statements, as one server answers all of them.
const SCRIPT: &[&str] = &[
    "select count(*), sum(amount) from shop.stock",
    "!update @.stock set amount = amount + 5 where id = 10",
    "select sum(amount) from shop.stock",
    "update shop.stock set amount = amount + 1 where id < 4",
    "select id, name, amount, made from shop.stock order by id",
    "select s.id, p.name, t.amount from shop.stock s join shop.places p on p.id = s.place left join shop.stock t on t.id = s.id + 1 order by 1",
    "select count(*) from shop.stock union all select count(*) from shop.places union all select count(*) from shop.stock where amount > 20 order by 1",
    "declare c cursor for select id, amount from shop.stock order by id",
    "fetch 2 from c",
    "declare b scroll cursor for select id, amount from shop.stock order by id desc",
    "update shop.stock set amount = 0 where id <> 10",
    "fetch all from c",
    "fetch last from b",
    "fetch prior from b",
    "close b",
    "select sum(amount) from shop.stock",
    "savepoint s",
    "delete from shop.stock where id > 5 and id <> 10",
    "select count(*) from shop.stock",
    "declare d cursor for select id from shop.stock order by id",
    "fetch 1 from d",
    "rollback to s",
    "select count(*) from shop.stock",
    "select 1 / (id - id) from shop.stock",
    "select 1",
    "rollback to s",
    "select made::text, feeling, tags, doc -> 'n' from shop.items where id < 4 order by id",
    "set timezone = 'Asia/Tokyo'",
    "select made::text, feeling, tags, doc -> 'n' from shop.items where id < 4 order by id",
    "select count(*) from shop.items a, shop.items b, shop.emps",
    "release s",
    "fetch 1 from c",
    "commit",
    "set timezone = 'UTC'",
    "select sum(amount) from shop.stock",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_engine_sees_what_the_block_sees() {
    let (postgres, daemon) = writable("").await;
    let oracle_tables = postgres.connect_to("oracle").await;
    for level in ["read committed", "repeatable read", "serializable"] {
        let (mut ours, mut theirs) = (Raw::login(daemon.port(), "wes", "tusk"), oracle(postgres.port()));
        for raw in [&mut ours, &mut theirs] {
            raw.ask("set timezone = 'UTC'");
            raw.ask("update shop.stock set amount = id * 10");
        }
        ours.ask("set tusk.route = federated");
        let begin = format!("begin isolation level {level}");
        for sql in [begin.as_str()].iter().chain(SCRIPT) {
            if let Some(sql) = sql.strip_prefix('!') {
                // Somebody else.
                postgres.exec(&sql.replace('@', "public")).await;
                oracle_tables.batch_execute(&sql.replace('@', "shop")).await.unwrap();
                continue;
            }
            let (a, b) = (ours.ask(sql), theirs.ask(sql));
            let state = |messages: &[Message]| {
                let failed = messages.iter().find(|message| message.tag == b'E');
                (failed.map(|failed| failed.fields()[&'C'].clone()), messages.last().map(|last| last.body.clone()))
            };
            assert_eq!(state(&a), state(&b), "{sql} in {level}");
            if state(&a).0.is_none() {
                assert_eq!(rows(&a), rows(&b), "{sql} in {level}");
            }
        }
    }
    none_open(&postgres).await;
}

/// Portals that are taken in parts, with what changes in between; a pool of one connection, which the block has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_reads_of_a_block_share_its_connection() {
    let postgres = TestPostgres::start();
    let setup = "create table public.big as select i as id, i % 7 as seven, repeat('x', 200) as pad from generate_series(1, 60000) i";
    postgres.exec(setup).await;
    let writer = "[[role]]\nname = \"w\"\n[[role.grant]]\ntables = [\"*.*\"]\nprivileges = [\"select\", \"update\"]\n\
                  [[user]]\nname = \"wes\"\nroles = [\"w\"]\n";
    let daemon = over(&postgres, "writable = true\npool_size = 1", writer);
    let mut wes = Raw::login(daemon.port(), "wes", "tusk");
    wes.ask("set tusk.route = federated");
    for begin in ["begin", "begin isolation level repeatable read"] {
        wes.ask(begin);
        wes.ask("update shop.big set seven = seven where id = 1");
        let joined = "select count(*), sum(a.id) from shop.big a join shop.big b on a.id = b.id + 1 join shop.big c on c.id = a.id";
        assert_eq!(rows(&wes.ask(joined)), [[Some("59999".to_owned()), Some("1800029999".to_owned())]]);
        // What is not needed any more is not read on, and the block goes on.
        for _ in 0..5 {
            assert_eq!(rows(&wes.ask("select a.pad from shop.big a, shop.big b where a.id <> b.id limit 3")).len(), 3);
        }
        let messages = wes.batch(&[
            parse("", "select id, seven from shop.big where id <= 5000 order by id", &[]),
            bind("p", "", 0, &[], &[0]),
            execute("p", 2),
        ]);
        assert_eq!(rows(&messages).len(), 2);
        wes.ask("update shop.big set seven = 99 where id <= 5000");
        let rest = rows(&wes.batch(&[execute("p", 0)]));
        assert_eq!(rest.len(), 4998);
        assert!(rest.iter().all(|row| row[1].as_deref() != Some("99")));
        assert_eq!(rows(&wes.ask("select count(*) from shop.big where seven = 99")), [[Some("5000".to_owned())]]);
        wes.ask("rollback");
    }
    none_open(&postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_in_a_block_can_be_cancelled() {
    let (postgres, daemon) = writable("").await;
    let setup = "create function public.naps(i int) returns int language plpgsql as $$ begin perform pg_sleep(30); return i; end $$;
        create view public.slow as select public.naps(id) as id from public.emps";
    postgres.exec(setup).await;
    rows(&Raw::login(daemon.port(), "root", "tusk").ask("select tusk.refresh('shop')"));
    let slow = "select count(*), max(id) from shop.slow, tusk.sources";
    let mut wes = Raw::login(daemon.port(), "wes", "tusk");
    for begin in ["begin", "begin isolation level repeatable read"] {
        wes.ask(begin);
        wes.ask("update shop.stock set amount = 0");
        wes.query(slow);
        eventually("it runs", Duration::from_secs(5), async || asleep(&postgres).await == 1).await;
        wes.cancel();
        assert_eq!(error(&wes.until(b'Z'))[&'C'], "57014");
        eventually("it has ended", Duration::from_secs(3), async || asleep(&postgres).await == 0).await;
        wes.ask("rollback");
        assert_eq!(rows(&wes.ask("select min(amount) from shop.stock")), [[Some("10".to_owned())]]);
    }
    wes.ask("begin");
    wes.ask("update shop.stock set amount = 0");
    wes.ask("savepoint s");
    wes.ask("set statement_timeout = '300ms'");
    assert_eq!(error(&wes.ask(slow))[&'C'], "57014");
    wes.ask("rollback to s");
    assert_eq!(rows(&wes.ask("select max(amount) from shop.stock, tusk.sources")), [[Some("0".to_owned())]]);
    wes.ask("rollback");
    // A client that leaves.
    wes.ask("begin");
    wes.ask("update shop.stock set amount = 0");
    wes.query(slow);
    eventually("it runs", Duration::from_secs(5), async || asleep(&postgres).await == 1).await;
    wes.reset();
    eventually("it has ended", Duration::from_secs(5), async || asleep(&postgres).await == 0).await;
    none_open(&postgres).await;
}

/// Statements of Tusk that sleep at the source now.
async fn asleep(postgres: &TestPostgres) -> i64 {
    let sql = "select count(*) from pg_stat_activity where application_name like 'tusk:%' and wait_event = 'PgSleep'";
    postgres.connect().await.query_one(sql, &[]).await.unwrap().get(0)
}
