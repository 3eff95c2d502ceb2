//! Rows of a cursor at a source: handed on as they come, or held within the statement's memory.
//! Must not know: what is in them.

use crate::harness::daemon::Daemon;
use crate::harness::federation::over;
use crate::harness::postgres::TestPostgres;
use crate::harness::raw::{Raw, bind, error, execute, parse, rows};

/// What all statements may take together.
const MEMORY: &str = "[engine]\nmemory_limit = \"48MiB\"\n";

/// How much the daemon may grow by. One FETCH of rows that were thought to be small has 160 MiB.
const GROWTH: u64 = 80 << 20;

/// Tables: rows that turn out to be large when many have been small, and rows that are large from the first.
const TABLES: &str = "
    create table public.late as select i as id, repeat('x', case when i <= 1000 then 10 else 40000 end) as pad from generate_series(1, 5000) i;
    create table public.large as select i as id, repeat('x', 400000) as pad from generate_series(1, 300) i;
    analyze";

fn wes(daemon: &Daemon) -> Raw {
    Raw::login(daemon.port(), "wes", "tusk")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_cursors_take_no_more_than_there_is_for_them() {
    let postgres = TestPostgres::start();
    postgres.exec(TABLES).await;
    let writer = "[[role]]\nname = \"w\"\n[[role.grant]]\ntables = [\"*.*\"]\nprivileges = [\"select\", \"update\"]\n\
                  [[user]]\nname = \"wes\"\nroles = [\"w\"]\n";
    let daemon = over(&postgres, "writable = true", &format!("{MEMORY}{writer}"));
    let mut raw = wes(&daemon);
    // What is the source's own is handed on, in a cursor and in a portal.
    raw.ask("begin");
    raw.ask("update shop.late set id = id where id = 1");
    rows(&raw.ask("select count(*) from shop.late"));
    let before = daemon.resident();
    raw.ask("declare c no scroll cursor for select id, pad from shop.late");
    for (fetch, expected) in [("fetch 900 from c", 900), ("fetch absolute 950 from c", 1), ("fetch all from c", 4050)] {
        assert_eq!(taken(&mut raw, fetch, &daemon, before), expected, "{fetch}");
    }
    raw.bytes(
        &[parse("", "select id, pad from shop.late", &[]), bind("p", "", 0, &[], &[0]), execute("p", 1500)].concat(),
    );
    raw.bytes(&[execute("p", 0), crate::harness::raw::frame(b'S', b"")].concat());
    assert_eq!(counted(&mut raw, &daemon, before), 5000);
    raw.ask("rollback");
    // What Tusk reads of it for its own engine is held until it is taken: small parts of what is large, and no more than there is.
    raw.ask("set tusk.route = federated");
    raw.ask("begin isolation level repeatable read");
    raw.ask("update shop.late set id = id where id = 1");
    let all = rows(&raw.ask("select count(*), sum(length(pad)) from shop.large"));
    assert_eq!(all, [[Some("300".to_owned()), Some("120000000".to_owned())]]);
    let refused = error(&raw.ask("select count(*), sum(length(pad)) from shop.late"));
    let words = "out of memory: the statement needs more than its limit allows";
    assert_eq!((refused[&'C'].as_str(), refused[&'M'].as_str()), ("53200", words), "{refused:?}");
    raw.ask("rollback");
    let all = rows(&raw.ask("select count(*), sum(length(pad)) from shop.late"));
    assert_eq!(all, [[Some("5000".to_owned()), Some("160010000".to_owned())]]);
}

/// Asks, and counts the rows.
fn taken(raw: &mut Raw, sql: &str, daemon: &Daemon, before: u64) -> usize {
    raw.query(sql);
    counted(raw, daemon, before)
}

/// Rows that come, while memory is looked at.
fn counted(raw: &mut Raw, daemon: &Daemon, before: u64) -> usize {
    let mut count = 0;
    loop {
        let message = raw.read();
        match message.tag {
            b'D' => {
                count += 1;
                if count % 200 == 0 {
                    let now = daemon.resident();
                    assert!(now < before + GROWTH, "{now} after {before}, at row {count}");
                }
            }
            b'E' => panic!("{:?}", message.fields()),
            b'Z' => return count,
            _ => {}
        }
    }
}
