//! What goes wrong at the source while it runs a statement: cancels, timeouts, changes of tables, lost connections.
//! Must not know: what statements say.

use std::time::{Duration, Instant};

use super::same::oracle;
use super::{passing, start, writable};
use crate::harness::postgres::{TestPostgres, eventually};
use crate::harness::raw::{Message, Raw, bind, describe, error, execute, parse, rows};

/// Statements of Tusk that sleep at the source now.
async fn running(postgres: &TestPostgres) -> i64 {
    let sql = "select count(*) from pg_stat_activity where application_name like 'tusk:%' and wait_event = 'PgSleep'";
    postgres.connect().await.query_one(sql, &[]).await.unwrap().get(0)
}

const ENDLESS: &str = "select pg_sleep(30), id from shop.emps";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_reaches_the_source_within_a_second() {
    let (postgres, daemon) = start("", "").await;
    let mut raw = passing(&daemon, "ana");
    raw.query(ENDLESS);
    eventually("it runs", Duration::from_secs(5), async || running(&postgres).await == 1).await;
    let begun = Instant::now();
    raw.cancel();
    assert_eq!(error(&raw.until(b'Z'))[&'C'], "57014");
    eventually("it has ended", Duration::from_secs(1), async || running(&postgres).await == 0).await;
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert_eq!(rows(&raw.ask("select count(*) from shop.emps")), [[Some("5".to_owned())]]);
    // A client that leaves.
    raw.query(ENDLESS);
    eventually("it runs", Duration::from_secs(5), async || running(&postgres).await == 1).await;
    raw.reset();
    eventually("it has ended", Duration::from_secs(3), async || running(&postgres).await == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timeout_ends_it_here_and_there() {
    let (postgres, daemon) = start("", "").await;
    let mut raw = passing(&daemon, "ana");
    raw.ask("set statement_timeout = '300ms'");
    let begun = Instant::now();
    assert_eq!(error(&raw.ask(ENDLESS))[&'C'], "57014");
    assert!(begun.elapsed() < Duration::from_secs(2));
    eventually("it has ended", Duration::from_secs(2), async || running(&postgres).await == 0).await;
    assert_eq!(rows(&raw.ask("select count(*) from shop.emps")), [[Some("5".to_owned())]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_changes_is_read_again_or_says_so() {
    let (postgres, daemon) = start("", "").await;
    let mut raw = passing(&daemon, "ana");
    let prepared = |name: &str| [parse(name, "select * from shop.emps where id = 1", &[])];
    let run = || [bind("", "p", 0, &[], &[0]), describe(b'P', ""), execute("", 0)];
    raw.batch(&prepared("p"));
    assert_eq!(rows(&raw.batch(&run())).len(), 1);
    postgres.exec("alter table public.emps add column more int").await;
    assert_eq!(error(&raw.batch(&run()))[&'C'], "0A000");
    // The catalog is asked again: a new statement sees the column, the old one says that it does not fit any more.
    eventually("the new column", Duration::from_secs(5), async || {
        raw.ask("select * from shop.emps where id = 1").iter().any(|m| m.tag == b'D' && m.values().len() == 5)
    })
    .await;
    assert_eq!(error(&raw.batch(&run()))[&'M'], "cached plan must not change result type");
    // A column that goes, of a table that is narrowed by name for nobody: the source's word is ours.
    postgres.exec("alter table public.emps drop column more").await;
    postgres.exec("drop table public.parts").await;
    let gone = error(&raw.ask("select * from shop.parts"));
    assert_eq!((gone[&'C'].as_str(), gone[&'M'].contains("public")), ("42P01", false), "{gone:?}");
}

/// What changes at the source, and statements that came before and come again: as a server says that planned them just now.
const CHANGES: &[(&str, &[&str])] = &[
    ("alter table @.stock add column more int default 7", &["select * from shop.stock where id = 1"]),
    (
        "alter table @.stock add column most int default 8",
        &["update shop.stock set name = name where id = 1 returning *"],
    ),
    (
        "alter table @.log add column more text default 'm'",
        &["insert into shop.log (note) values ('once') returning *"],
    ),
    ("alter table @.log add column most text default 'n'", &["insert into shop.log (note) values ('again')"]),
    ("alter table @.stock alter column late type bigint", &["select id, late from shop.stock where id = 2"]),
    (
        "alter table @.places alter column name type varchar(30)",
        &["update shop.places set name = name where id = 1 returning name, id", "delete from shop.places where id = 9"],
    ),
    (
        "alter table @.stock drop column more",
        &["select * from shop.stock where id = 3", "update shop.stock set name = 'x' where id = 3 returning *"],
    ),
    (
        "alter table @.log alter column note type char(8)",
        &["with w as (insert into shop.log (note) values ('w') returning *) select * from w"],
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_is_planned_anew_once_when_its_source_has_changed() {
    let (postgres, daemon) = writable("").await;
    let there = postgres.connect_to("oracle").await;
    let (mut ours, mut theirs) = (Raw::login(daemon.port(), "wes", "tusk"), oracle(postgres.port()));
    let shown = |messages: &[Message]| -> Vec<(u8, Vec<u8>)> {
        let columns = |message: &Message| {
            let each = message.columns();
            each.iter().map(|column| format!("{} {} {}", column.name, column.oid, column.typmod)).collect::<Vec<_>>()
        };
        let one = |message: &Message| match message.tag {
            b'T' => (b'T', columns(message).join(", ").into_bytes()),
            tag => (tag, message.body.clone()),
        };
        messages.iter().map(one).collect()
    };
    for (change, statements) in CHANGES {
        for sql in *statements {
            for _ in 0..3 {
                assert_eq!(shown(&ours.ask(sql)), shown(&theirs.ask(sql)), "{sql}");
            }
        }
        postgres.exec(&change.replace('@', "public")).await;
        there.batch_execute(&change.replace('@', "shop")).await.unwrap();
        for sql in *statements {
            for _ in 0..2 {
                assert_eq!(shown(&ours.ask(sql)), shown(&theirs.ask(sql)), "{sql} after {change}");
            }
        }
    }
    // What Tusk's own engine reads.
    ours.ask("set tusk.route = federated");
    let read = "select * from shop.places order by id";
    for change in [
        "alter table @.places add column more int default 5",
        "alter table @.places alter column more type bigint",
        "alter table @.places drop column more",
    ] {
        for _ in 0..3 {
            assert_eq!(shown(&ours.ask(read)), shown(&theirs.ask(read)));
        }
        postgres.exec(&change.replace('@', "public")).await;
        there.batch_execute(&change.replace('@', "shop")).await.unwrap();
        if change.contains("add") {
            // A column that is only added is seen when the schema is read again.
            ours.ask("select tusk.refresh('shop')");
        }
        assert_eq!(shown(&ours.ask(read)), shown(&theirs.ask(read)), "{change}");
    }
    ours.ask("reset tusk.route");
    let all = "select note, count(*) from shop.log group by 1 order by 1";
    assert_eq!(rows(&ours.ask(all)), rows(&theirs.ask(all)));
    // A client that was told of other columns is told that they are no longer those; one that was told of none is not.
    let run = |name: &str| [bind("", name, 0, &[], &[0]), execute("", 0)];
    ours.batch(&[parse("r", "update shop.stock set name = name where id = 4 returning *", &[])]);
    ours.batch(&[parse("s", "insert into shop.log (note) values ('silent')", &[])]);
    assert_eq!(rows(&ours.batch(&run("r"))).len(), 1);
    rows(&ours.batch(&run("s")));
    postgres.exec("alter table public.stock add column last int; alter table public.log add column last int").await;
    let refused = error(&ours.batch(&run("r")));
    assert_eq!((refused[&'C'].as_str(), refused[&'M'].as_str()), ("0A000", "cached plan must not change result type"));
    rows(&ours.batch(&run("s")));
    assert_eq!(rows(&ours.ask("select count(*) from shop.log where note = 'silent'")), [[Some("2".to_owned())]]);
    // What is gone is gone, and a block that its source has refused something goes back as a whole.
    ours.ask("select * from shop.childs");
    postgres.exec("drop table public.childs").await;
    assert_eq!(error(&ours.ask("select * from shop.childs"))[&'C'], "42P01");
    let insert = "insert into shop.log (note) values ('block') returning *";
    rows(&ours.ask(insert));
    rows(&ours.ask(insert));
    postgres.exec("alter table public.log drop column last").await;
    ours.ask("begin");
    ours.ask("insert into shop.log (note) values ('before')");
    ours.ask(insert);
    ours.ask("rollback");
    assert_eq!(rows(&ours.ask(insert)).len(), 1);
    let count = "select note, count(*) from shop.log where note in ('block', 'before') group by 1";
    assert_eq!(rows(&ours.ask(count)), [[Some("block   ".to_owned()), Some("3".to_owned())]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_goes_and_comes_back() {
    let (mut postgres, daemon) = start("connect_timeout = \"2s\"", "").await;
    let mut raw = passing(&daemon, "ana");
    raw.query(ENDLESS);
    eventually("it runs", Duration::from_secs(5), async || running(&postgres).await == 1).await;
    postgres.exec("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'tusk:%' and wait_event = 'PgSleep'").await;
    let lost = error(&raw.until(b'Z'));
    assert_eq!((lost[&'C'].as_str(), lost[&'M'].as_str()), ("08006", "connection to source \"shop\" was lost"));
    eventually("it answers again", Duration::from_secs(10), async || {
        raw.ask("select count(*) from shop.emps").iter().any(|message| message.tag == b'D')
    })
    .await;
    postgres.stop();
    let down = error(&raw.ask("select count(*) from shop.emps"));
    assert!(matches!(down[&'C'].as_str(), "08001" | "08006"), "{down:?}");
    postgres.start_again();
    eventually("it answers again", Duration::from_secs(10), async || {
        raw.ask("select count(*) from shop.emps").iter().any(|message| message.tag == b'D')
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_stream_and_limits_hold() {
    let limited = "[[role]]\nname = \"limited\"\n[role.limits]\nmax_rows = 100\n[[role.grant]]\ntables = [\"*.*\"]\nprivileges = [\"select\"]\n\
                   [[user]]\nname = \"lim\"\nroles = [\"limited\"]\n";
    let (postgres, daemon) = start("", limited).await;
    let mut raw = passing(&daemon, "lim");
    let messages = raw.ask("select i, repeat('x', 1000) from generate_series(1, 100000) i, shop.emps where id = 1");
    assert_eq!(error(&messages)[&'C'], "54000");
    let mut raw = passing(&daemon, "ana");
    let before = daemon.resident();
    raw.query("select i, repeat('x', 1000) from generate_series(1, 300000) i, shop.emps where id = 1");
    // Nobody reads: nothing piles up here, the source waits.
    let watch = postgres.connect().await;
    let waits =
        "select count(*) from pg_stat_activity where application_name like 'tusk:%' and wait_event = 'ClientWrite'";
    eventually("the source waits", Duration::from_secs(20), async || {
        watch.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;
    let grown = daemon.resident().saturating_sub(before);
    assert!(grown < 150 << 20, "{grown} bytes more");
    let count = raw.until(b'Z').iter().filter(|message| message.tag == b'D').count();
    assert_eq!(count, 300_000);
}

/// Sessions side by side, each with settings of its own, on few connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_share_connections_and_nothing_else() {
    let (_postgres, daemon) = start("pool_size = 2", "").await;
    let port = daemon.port();
    let zones = ["UTC", "Asia/Tokyo", "America/New_York", "Europe/Berlin"];
    let workers: Vec<_> = zones
        .into_iter()
        .map(|zone| {
            std::thread::spawn(move || {
                let mut raw = Raw::login(port, "ana", "tusk");
                raw.ask("set tusk.route = passthrough");
                raw.ask(&format!("set timezone = '{zone}'"));
                let mut seen = std::collections::BTreeSet::new();
                for _ in 0..50 {
                    seen.insert(format!("{:?}", rows(&raw.ask("select made::text from shop.items where id = 1"))));
                }
                assert_eq!(seen.len(), 1, "{zone}: {seen:?}");
                seen.into_iter().next().unwrap()
            })
        })
        .collect();
    let answers: std::collections::BTreeSet<String> =
        workers.into_iter().map(|worker| worker.join().unwrap()).collect();
    assert_eq!(answers.len(), zones.len(), "{answers:?}");
}

/// A statement that is described again for another user leaves no settings behind that nobody knows of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn descriptions_leave_settings_known() {
    let (_postgres, daemon) = start("pool_size = 1", "").await;
    let login = |user: &str, zone: &str| {
        let mut raw = Raw::login(daemon.port(), user, "tusk");
        raw.ask(&format!("set timezone = '{zone}'"));
        raw
    };
    let text = "select made::text from shop.items where id = 1";
    let (mut here, mut there) = (login("ana", "UTC"), login("ana", "Asia/Tokyo"));
    let (first, other) = (rows(&here.ask(text)), rows(&there.ask(text)));
    assert_ne!(first, other);
    for _ in 0..3 {
        assert_eq!(rows(&here.ask(text)), first);
        assert_eq!(rows(&login("root", "Asia/Tokyo").ask(text)), other);
        assert_eq!(rows(&here.ask(text)), first);
    }
}
