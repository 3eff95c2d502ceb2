//! Blocks at one source: isolation, savepoints, cursors, COPY, and every way that they can end.
//! Must not know: what single statements do.

use std::time::Duration;

use super::same::{oracle, seen};
use super::writable;
use crate::harness::postgres::{TestPostgres, eventually};
use crate::harness::raw::{Message, Raw, bind, error, execute, frame, parse, rows, transcript};

/// Transactions of Tusk that the source has open.
async fn open(postgres: &TestPostgres) -> i64 {
    let sql = "select count(*) from pg_stat_activity where application_name like 'tusk:%' and xact_start is not null";
    postgres.connect().await.query_one(sql, &[]).await.unwrap().get(0)
}

pub(super) async fn none_open(postgres: &TestPostgres) {
    eventually("the source has no open transaction", Duration::from_secs(5), async || open(postgres).await == 0).await;
}

/// Scripts: one message after the other, each compared.
const SCRIPTS: &[&[&str]] = &[
    &[
        "begin",
        "update shop.stock set amount = 99 where id = 1",
        "select amount from shop.stock where id = 1",
        "commit",
    ],
    &[
        "begin",
        "delete from shop.stock where id = 2",
        "select count(*) from shop.stock",
        "rollback",
        "select count(*) from shop.stock",
    ],
    &[
        "begin",
        "insert into shop.log (note) values ('a')",
        "select 1 / (n - n) from shop.log",
        "select 1",
        "commit",
        "select count(*) from shop.log",
    ],
    &[
        "begin",
        "insert into shop.log (note) values ('b')",
        "savepoint s",
        "insert into shop.log (note) values ('c')",
        "savepoint s",
        "insert into shop.stock (id) values (1)",
        "select 1",
        "rollback to s",
        "insert into shop.log (note) values ('d')",
        "release s",
        "rollback to s",
        "select note from shop.log order by note",
        "release s",
        "rollback to s",
        "rollback to savepoint t",
        "commit",
        "select note from shop.log order by note",
    ],
    // Savepoints that stood before the first statement of the source.
    &[
        "begin",
        "savepoint a",
        "savepoint b",
        "update shop.stock set amount = 1",
        "rollback to a",
        "select sum(amount) from shop.stock",
        "commit",
    ],
    &[
        "insert into shop.log (note) values ('m1'); insert into shop.log (note) values ('m2')",
        "select count(*) from shop.log",
    ],
    &[
        "insert into shop.log (note) values ('n1'); insert into shop.log (note) values (1 / 0)",
        "select count(*) from shop.log",
    ],
    &[
        "insert into shop.log (note) values ('o1'); begin; insert into shop.log (note) values ('o2')",
        "rollback",
        "select count(*) from shop.log",
    ],
    &[
        "begin; insert into shop.log (note) values ('p1'); commit; insert into shop.log (note) values (1 / 0)",
        "select count(*) from shop.log",
    ],
    &[
        "begin",
        "insert into shop.log (note) values ('q')",
        "commit and chain",
        "insert into shop.log (note) values ('r')",
        "rollback and chain",
        "rollback",
        "select count(*) from shop.log",
    ],
    // Checked at the end.
    &[
        "begin",
        "insert into shop.stock (id, late) values (70, 1), (71, 1)",
        "select count(*) from shop.stock",
        "commit",
        "select count(*) from shop.stock",
    ],
    &[
        "begin",
        "set constraints all immediate",
        "insert into shop.stock (id, late) values (72, 1), (73, 1)",
        "rollback",
    ],
    &[
        "begin",
        "insert into shop.stock (id, late) values (72, 1), (73, 1)",
        "set constraints all immediate",
        "rollback",
        "begin",
        "insert into shop.stock (id, late) values (72, 1), (73, 1)",
        "set constraints all deferred",
        "update shop.stock set late = 2 where id = 72",
        "set constraints all immediate",
        "rollback",
    ],
    &[
        "insert into shop.log (note) values ('chain'); commit and chain",
        "select count(*) from shop.log where note = 'chain'",
    ],
    &[
        "insert into shop.log (note) values ('plain'); commit; select 1",
        "select count(*) from shop.log where note = 'plain'",
    ],
    &["begin read only", "update shop.stock set amount = 1", "rollback"],
    &[
        "begin read only",
        "with x as (insert into shop.log (note) values ('ro') returning n) select n from x",
        "rollback",
        "begin",
        "set transaction read only",
        "with x as (delete from shop.log returning note) insert into shop.log (note) select note from x",
        "rollback",
        "begin read only",
        "copy (with x as (delete from shop.log returning note) select note from x) to stdout",
        "rollback",
    ],
    &[
        "begin",
        "with x as (insert into shop.log (note) values ('w1'), ('w2') returning note) select note from x order by 1",
        "savepoint s",
        "with x as (delete from shop.log where note = 'w1' returning note) select count(*) from x",
        "select count(*) from shop.log where note like 'w_'",
        "with x as (insert into shop.stock (id) values (1)) select 1",
        "select 1",
        "rollback to s",
        "select count(*) from shop.log where note like 'w_'",
        "declare c cursor for with x as (delete from shop.log returning note) select note from x",
        "rollback",
        "select count(*) from shop.log where note like 'w_'",
        "with x as (insert into shop.log (note) values ('w3') returning note) select note from x; select 1 / 0",
        "select count(*) from shop.log where note like 'w_'",
        "with x as (insert into shop.log (note) values ('w4') returning note) select note from x; select 1",
        "select count(*) from shop.log where note like 'w_'",
    ],
    &["begin", "set transaction read only", "delete from shop.stock", "commit"],
    &[
        "begin isolation level serializable",
        "select count(*) from shop.stock",
        "update shop.stock set amount = 7 where id = 7",
        "commit",
    ],
    // A cursor shows what there was when it was declared.
    &[
        "begin",
        "declare c cursor for select id, amount from shop.stock order by id",
        "fetch 2 from c",
        "update shop.stock set amount = amount + 1000",
        "fetch 3 from c",
        "select min(amount) from shop.stock",
        "fetch all from c",
        "fetch 1 from c",
        "close c",
        "rollback",
    ],
    &[
        "begin",
        "insert into shop.log (note) values ('held')",
        "declare h cursor with hold for select note from shop.log order by n",
        "fetch 1 from h",
        "commit",
        "fetch all from h",
        "close h",
    ],
    &[
        "begin",
        "set local timezone = 'Asia/Tokyo'",
        "select made::text from shop.items where id = 1",
        "rollback",
        "select made::text from shop.items where id = 1",
    ],
    &[
        "begin",
        "select made::text from shop.items where id = 1",
        "savepoint s",
        "set timezone = 'Asia/Tokyo'",
        "select made::text from shop.items where id = 1",
        "rollback to s",
        "select made::text from shop.items where id = 1",
        "commit",
        "select made::text from shop.items where id = 1",
    ],
    &[
        "begin",
        "select id from shop.stock where id in (1, 2) order by id for update",
        "select s.id from shop.stock s join shop.places p on p.id = s.place where s.id = 3 for share of s nowait",
        "select id from shop.stock where id = 4 for update skip locked",
        "update shop.stock set amount = 1 where id = 1",
        "rollback",
        "select id from (select id from shop.stock where id = 1 for update) x",
        "select id from shop.stock where id = 1 for update of nothing",
        "select count(*) from shop.stock for update",
        "begin",
        "select id from shop.stock where id = 5 for no key update",
        "select s.id from shop.stock s join shop.places p on p.id = s.place where s.id = 6 for no key update of s nowait for key share of p skip locked",
        "select s.id from shop.stock s join shop.places p on p.id = s.place where s.id = 7 for key share of s, p",
        "select id from shop.stock where id = 8 for key share of stock skip locked",
        "commit",
        "select count(*) from shop.stock for no key update",
        "select id from shop.stock where id = 1 for key share of nothing",
        "select id from shop.stock where id = 1 for key share of shop.stock",
        "with w as (select id from shop.stock) select id from w for no key update of w",
        "begin read only",
        "select id from shop.stock for update",
        "rollback",
        "begin read only",
        "select id from shop.stock for no key update",
        "rollback",
        "begin read only",
        "select id from shop.stock where id = 1 for key share of stock nowait",
        "rollback",
        "begin",
        "declare l cursor for select id from shop.stock order by id for update",
        "fetch 2 from l",
        "rollback",
        "begin",
        "declare l scroll cursor for select id from shop.stock for update",
        "rollback",
        "begin",
        "declare l insensitive cursor for select id from shop.stock for share",
        "rollback",
        "declare l scroll cursor with hold for select id from shop.stock for key share",
        "select id from shop.stock where id > 2 order by id for update skip locked limit 2",
        "select id from shop.stock order by id for share of stock offset 1 limit 2",
    ],
    &[
        "begin",
        "prepare p as select count(*) from shop.log",
        "insert into shop.log (note) values ('s')",
        "execute p",
        "rollback",
        "execute p",
        "deallocate p",
    ],
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_go_as_at_the_source() {
    let (postgres, daemon) = writable("").await;
    let (mut ours, mut theirs) = (Raw::login(daemon.port(), "wes", "tusk"), oracle(postgres.port()));
    ours.ask("set timezone = 'UTC'");
    theirs.ask("set timezone = 'UTC'");
    let status = |messages: &[Message]| messages.last().map(|message| message.body.clone());
    for script in SCRIPTS {
        for sql in *script {
            let (a, b) = (ours.ask(sql), theirs.ask(sql));
            // The source's place of an error is not known in each case; the words are.
            assert_eq!(seen(&a), seen(&b), "{sql} of {script:?}");
            assert_eq!(status(&a), status(&b), "{sql} of {script:?}");
        }
        let all = "select * from shop.stock order by id";
        assert_eq!(rows(&ours.ask(all)), rows(&theirs.ask(all)), "{script:?}");
    }
    none_open(&postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_see_it_when_it_is_committed_and_snapshots_stay() {
    let (postgres, daemon) = writable("").await;
    let port = daemon.port();
    let (mut a, mut b) = (Raw::login(port, "wes", "tusk"), Raw::login(port, "wes", "tusk"));
    let sum = |raw: &mut Raw| rows(&raw.ask("select sum(amount) from shop.stock"))[0][0].clone().unwrap();
    assert_eq!(sum(&mut b), "550");
    // A block holds nothing at the source before its first statement there.
    a.ask("begin");
    a.ask("select 1");
    assert_eq!(open(&postgres).await, 0);
    a.ask("update shop.stock set amount = amount + 1");
    assert_eq!(open(&postgres).await, 1);
    assert_eq!((sum(&mut a), sum(&mut b)), ("560".to_owned(), "550".to_owned()));
    b.ask("begin isolation level repeatable read");
    assert_eq!(sum(&mut b), "550");
    a.ask("commit");
    assert_eq!((sum(&mut a), sum(&mut b)), ("560".to_owned(), "550".to_owned()));
    let conflict = error(&b.ask("update shop.stock set amount = 0 where id = 1"));
    assert_eq!(
        (conflict[&'C'].as_str(), conflict[&'M'].as_str()),
        ("40001", "could not serialize access due to concurrent update")
    );
    b.ask("rollback");
    assert_eq!(sum(&mut b), "560");
    // Without a block a statement that waits for a lock times out, and nothing of it stays.
    a.ask("begin");
    a.ask("update shop.stock set amount = 0 where id = 1");
    b.ask("set statement_timeout = '300ms'");
    assert_eq!(error(&b.ask("update shop.stock set amount = 5 where id = 1"))[&'C'], "57014");
    let locked = error(&b.ask("select id from shop.stock where id = 1 for update nowait"));
    assert_eq!(
        (locked[&'C'].as_str(), locked[&'M'].as_str()),
        ("55P03", "could not obtain lock on row in relation \"stock\"")
    );
    assert!(rows(&b.ask("select id from shop.stock where id = 1 for update skip locked")).is_empty());
    // A change of no key lets the weakest lock pass, and no other.
    assert_eq!(rows(&b.ask("select id from shop.stock where id = 1 for key share nowait")).len(), 1);
    assert!(rows(&b.ask("select id from shop.stock where id = 1 for no key update skip locked")).is_empty());
    // What waits in line takes the next that nobody has.
    let next = "with q as (select id from shop.stock order by id limit 1 for update skip locked) update shop.stock s set amount = amount from q where q.id = s.id returning s.id";
    assert_eq!(rows(&b.ask(next)), [[Some("2".to_owned())]]);
    b.ask("begin");
    b.ask("savepoint s");
    assert_eq!(error(&b.ask("update shop.stock set amount = 5 where id = 1"))[&'C'], "57014");
    // The block goes on behind the savepoint, on the same connection.
    b.ask("rollback to s");
    assert_eq!(transcript(&b.ask("update shop.stock set amount = 5 where id = 2")), "C UPDATE 1\\x00\nZ T\n");
    b.ask("commit");
    a.ask("rollback");
    assert_eq!(
        rows(&a.ask("select amount from shop.stock where id in (1, 2) order by id")).concat(),
        [Some("11".to_owned()), Some("5".to_owned())]
    );
    none_open(&postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_and_portals_belong_to_the_block() {
    let (postgres, daemon) = writable("").await;
    let (mut ours, mut theirs) = (Raw::login(daemon.port(), "wes", "tusk"), oracle(postgres.port()));
    let copy = |raw: &mut Raw, data: &[u8]| {
        raw.query("copy shop.log (note) from stdin");
        assert_eq!(raw.read().tag, b'G');
        raw.bytes(&[frame(b'd', data), frame(b'c', b"")].concat());
        transcript(&raw.until(b'Z'))
    };
    for raw in [&mut ours, &mut theirs] {
        raw.ask("begin");
        assert_eq!(copy(raw, b"x\ny\n"), "C COPY 2\\x00\nZ T\n");
        assert_eq!(rows(&raw.ask("select count(*) from shop.log")), [[Some("2".to_owned())]]);
        raw.ask("savepoint s");
        assert!(copy(raw, b"x\ty\n").contains("22P04"));
        raw.ask("rollback to s");
        assert_eq!(copy(raw, b"z\n"), "C COPY 1\\x00\nZ T\n");
        raw.ask("commit");
        assert_eq!(rows(&raw.ask("select count(*) from shop.log")), [[Some("3".to_owned())]]);
        // In one batch with others, up to Sync.
        let sync = frame(b'S', b"");
        let batch = [
            parse("", "insert into shop.log (note) values ('before')", &[]),
            bind("", "", 0, &[], &[]),
            execute("", 0),
            parse("", "copy shop.log (note) from stdin", &[]),
            bind("", "", 0, &[], &[]),
            execute("", 0),
            frame(b'd', b"copied\n"),
            frame(b'c', b""),
            parse("", "select count(*) from shop.log", &[]),
            bind("", "", 0, &[], &[]),
            execute("", 0),
            sync,
        ];
        raw.bytes(&batch.concat());
        assert_eq!(rows(&raw.until(b'Z')), [[Some("5".to_owned())]]);
        // Portals in parts, with statements between them.
        raw.ask("begin");
        let mut first = raw.batch(&[
            parse("s", "select id from shop.stock order by id", &[]),
            bind("p", "s", 0, &[], &[0]),
            execute("p", 3),
        ]);
        raw.ask("delete from shop.stock where id = 5");
        first.extend(raw.batch(&[bind("q", "s", 0, &[], &[0]), execute("q", 5), execute("p", 3), execute("q", 9)]));
        let got: Vec<String> = rows(&first).into_iter().map(|row| row[0].clone().unwrap()).collect();
        assert_eq!(got.join(" "), "1 2 3 1 2 3 4 6 4 5 6 7 8 9 10");
        raw.ask("rollback");
    }
    none_open(&postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_is_lost_says_so_and_is_undone() {
    let (mut postgres, daemon) = writable("").await;
    let mut wes = Raw::login(daemon.port(), "wes", "tusk");
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'tusk:%' and xact_start is not null";
    wes.ask("begin");
    wes.ask("update shop.stock set amount = 0");
    postgres.exec(kill).await;
    let lost = error(&wes.ask("select count(*) from shop.stock"));
    assert_eq!(lost[&'C'], "08006", "{lost:?}");
    assert_eq!(transcript(&wes.ask("commit")), "C ROLLBACK\\x00\nZ I\n");
    assert_eq!(rows(&wes.ask("select min(amount) from shop.stock")), [[Some("10".to_owned())]]);
    // Lost at its COMMIT: nothing is said to be done that is not.
    wes.ask("begin");
    wes.ask("update shop.stock set amount = 0");
    postgres.exec(kill).await;
    let lost = error(&wes.ask("commit"));
    assert!(matches!(lost[&'C'].as_str(), "08006" | "08007"), "{lost:?}");
    assert_eq!(rows(&wes.ask("select min(amount) from shop.stock")), [[Some("10".to_owned())]]);
    // A client that leaves takes its transaction with it.
    wes.ask("begin");
    wes.ask("update shop.stock set amount = 0");
    assert_eq!(open(&postgres).await, 1);
    wes.reset();
    none_open(&postgres).await;
    // A source that goes, and comes back.
    let mut wes = Raw::login(daemon.port(), "wes", "tusk");
    wes.ask("begin");
    wes.ask("update shop.stock set amount = 0");
    postgres.stop();
    let gone = error(&wes.ask("update shop.stock set amount = 1"));
    assert!(matches!(gone[&'C'].as_str(), "08006" | "08001"), "{gone:?}");
    wes.ask("rollback");
    postgres.start_again();
    eventually("it answers again", Duration::from_secs(10), async || {
        wes.ask("update shop.stock set amount = amount").iter().any(|message| message.tag == b'C')
    })
    .await;
    assert_eq!(rows(&wes.ask("select min(amount) from shop.stock")), [[Some("10".to_owned())]]);
}

/// Sends a signal to the source's server and to all that runs in it for Tusk.
async fn signal(postgres: &TestPostgres, name: &str, pids: &[i32]) {
    postgres.signal(name);
    for pid in pids {
        std::process::Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_hangs_ends_a_block_in_time() {
    let (postgres, daemon) = writable("").await;
    let mut wes = Raw::login(daemon.port(), "wes", "tusk");
    wes.ask("set statement_timeout = '500ms'");
    wes.ask("begin");
    wes.ask("update shop.stock set amount = 0");
    let sql = "select pid from pg_stat_activity where application_name like 'tusk:%'";
    let pids: Vec<i32> = postgres.connect().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    signal(&postgres, "STOP", &pids).await;
    let begun = std::time::Instant::now();
    assert_eq!(error(&wes.ask("update shop.stock set amount = 1"))[&'C'], "57014");
    assert_eq!(transcript(&wes.ask("rollback")), "C ROLLBACK\\x00\nZ I\n");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    signal(&postgres, "CONT", &pids).await;
    eventually("it answers again", Duration::from_secs(10), async || {
        wes.ask("update shop.stock set amount = amount").iter().any(|message| message.tag == b'C')
    })
    .await;
    assert_eq!(rows(&wes.ask("select min(amount) from shop.stock")), [[Some("10".to_owned())]]);
    none_open(&postgres).await;
}
