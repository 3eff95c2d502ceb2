//! What runs beside a transaction that a source holds.
//! Must not know: what single statements do.

use super::transactions::none_open;
use super::writable;
use crate::harness::raw::{Raw, error, rows};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_beside_a_transaction_and_what_does_not() {
    let (postgres, daemon) = writable("").await;
    let mut wes = Raw::login(daemon.port(), "wes", "tusk");
    let federated = "select count(*) from shop.emps, tusk.sources";
    wes.ask("begin");
    wes.ask("select count(*) from shop.stock");
    // Nothing is written, and every statement sees what is committed: another engine may read.
    assert_eq!(rows(&wes.ask(federated)).len(), 1);
    wes.ask("update shop.stock set amount = 0");
    assert_eq!(rows(&wes.ask("select count(*) from pg_class where relname = 'stock'")), [[Some("1".to_owned())]]);
    let seen = format!("{:?}", rows(&wes.ask("explain analyze select id from shop.stock where amount = 0")));
    assert!(seen.contains("Rows: 10"), "{seen}");
    let refused = error(&wes.ask(federated));
    assert_eq!((refused[&'C'].as_str(), refused.contains_key(&'H')), ("0A000", true), "{refused:?}");
    wes.ask("rollback");
    // So does a query that has written in its WITH.
    wes.ask("begin");
    assert_eq!(
        rows(&wes.ask("with x as (update shop.stock set amount = 0 where id = 1 returning id) select id from x")).len(),
        1
    );
    assert_eq!(error(&wes.ask(federated))[&'C'], "0A000");
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
    wes.ask("begin isolation level repeatable read");
    wes.ask("select count(*) from shop.stock");
    assert_eq!(error(&wes.ask(federated))[&'C'], "0A000");
    wes.ask("rollback");
    assert_eq!(rows(&wes.ask(federated)).len(), 1);
    none_open(&postgres).await;
}
