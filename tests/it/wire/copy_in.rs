//! COPY FROM STDIN into a writable source, against a real PostgreSQL: who may, what is written, every way that it can end.
//! Must not know: how the data travel inside.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::SinkExt;

use super::none;
use crate::harness::daemon::Daemon;
use crate::harness::federation::over;
use crate::harness::postgres::{TestPostgres, eventually};
use crate::harness::raw::{Message, Raw, bind, error, execute, frame, parse, rows, transcript};

/// A server with the same tables in two schemas: `public` is Tusk's `shop`, `direct` is copied into by the server's own clients.
struct Writable {
    postgres: TestPostgres,
    tusk: Daemon,
}

const TABLES: &str = "\
    create table t (a int, b text, c numeric default 7); \
    create table k (id int primary key, v text not null, check (id < 1000)); \
    create table stamped (at timestamptz, d date, i interval); \
    create table made (a int, b int generated always as (a * 2) stored, c text); \
    create table late (id int unique deferrable initially deferred); \
    create table hidden (a int, secret text default 'classified', check (a > 0)); \
    create view v as select * from t; ";

impl Writable {
    async fn start() -> Self {
        let postgres = TestPostgres::start();
        postgres.exec(&format!("{TABLES} create schema direct; set search_path = direct; {TABLES}")).await;
        let tusk = over(
            &postgres,
            "writable = true",
            r#"
[[role]]
name = "writer"
[[role.grant]]
tables = ["shop.*", "shop_direct.t"]
privileges = ["select", "insert"]
[[role]]
name = "narrow"
[[role.grant]]
tables = ["shop.t", "shop.k"]
privileges = ["select"]
[[role.grant]]
tables = ["shop.t"]
privileges = ["insert"]
columns = ["a", "b"]
[[role.grant]]
tables = ["shop.hidden"]
privileges = ["select", "insert"]
columns = ["a"]
[[role.grant]]
tables = ["shop.late"]
privileges = ["insert"]
[[user]]
name = "wes"
roles = ["writer"]
[[user]]
name = "nan"
roles = ["narrow"]
"#,
        );
        Writable { postgres, tusk }
    }

    fn tusk(&self, user: &str) -> Raw {
        Raw::login(self.tusk.port(), user, "tusk")
    }

    fn direct(&self) -> Raw {
        Raw::login(self.postgres.port(), "postgres", "postgres")
    }

    /// What a table of Tusk's holds, as the server itself says.
    async fn count(&self, table: &str) -> i64 {
        let sql = format!("select count(*) from public.{table}");
        self.postgres.connect().await.query_one(&sql, &[]).await.unwrap().get(0)
    }

    /// Waits until the server has no transaction of Tusk's any more.
    async fn idle(&self) {
        let watch = self.postgres.connect().await;
        let sql =
            "select count(*) from pg_stat_activity where xact_start is not null and application_name like 'tusk:%'";
        eventually("the source has no open transaction", Duration::from_secs(5), async || {
            watch.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 0
        })
        .await;
    }
}

fn data(bytes: &[u8]) -> Vec<u8> {
    frame(b'd', bytes)
}

fn done() -> Vec<u8> {
    frame(b'c', b"")
}

/// The first message behind a COPY: it takes data, or refuses.
fn begin(raw: &mut Raw, sql: &str) -> Vec<Message> {
    raw.query(sql);
    let first = raw.read();
    if first.tag == b'G' { vec![first] } else { std::iter::once(first).chain(raw.until(b'Z')).collect() }
}

/// A COPY by the simple protocol, to its end.
fn load(raw: &mut Raw, sql: &str, parts: &[&[u8]]) -> Vec<Message> {
    let mut answer = begin(raw, sql);
    if answer[0].tag == b'G' {
        raw.bytes(&parts.iter().flat_map(|part| data(part)).chain(done()).collect::<Vec<_>>());
        answer.extend(raw.until(b'Z'));
    }
    answer
}

/// Everything that is said, the context of errors with it.
fn told(answer: &[Message]) -> String {
    let context =
        answer.iter().filter(|message| message.tag == b'E').filter_map(|message| message.fields().remove(&'W'));
    transcript(answer) + &context.collect::<Vec<_>>().join("\n")
}

/// Statement (`@` is the schema), data.
const LOADS: &[(&str, &[&str])] = &[
    ("copy @.t from stdin", &["1\tx\t1.5\n2\t\\N\t\\N\n", "3\ta\\tb\\\\\t-1\n"]),
    ("copy @.t from stdin", &[]),
    ("copy @.t from stdin", &["4\tx\t1\n\\.\n"]),
    ("copy @.t (b, a) from stdin", &["one\t1\n", "two", "\t2\n"]),
    ("copy @.t from stdin with csv header", &["a,b,c\n1,\"x,\"\"y\"\n"]),
    ("copy @.t from stdin with csv header", &["a,b,c\n1,\"x,\"\"y\",3\n,,\n"]),
    ("copy @.t from stdin (format csv, header match)", &["a,b,c\n1,x,2\n"]),
    ("copy @.t from stdin (format csv, header match)", &["a,x,c\n1,x,2\n"]),
    ("copy @.t from stdin (format csv, delimiter ';', quote '''', escape '\\', null 'nil')", &["1;'it\\'s';nil\n"]),
    ("copy @.t (a, b) from stdin (format csv, force_not_null (b), force_null (a))", &["1,\n\"\",x\n"]),
    ("copy @.t from stdin (format csv, force_not_null (nope))", &[]),
    ("copy @.t (a) from stdin (format csv, force_null (b))", &[]),
    ("copy @.t from stdin (force_null (b))", &[]),
    ("copy @.t from stdin (format csv, force_quote (b))", &[]),
    ("copy @.t from stdin (format csv, header 2)", &[]),
    ("copy @.t from stdin (delimiter 'ab')", &[]),
    ("copy @.t from stdin (format xml)", &[]),
    ("copy @.t from stdin using delimiters '|' with null as ''", &["1|x|\n"]),
    ("copy binary @.t from stdin", &["garbage"]),
    ("copy @.t (b) from stdin (encoding 'latin1')", &["x\n"]),
    ("copy @.t from stdin (freeze)", &["1\tx\t1\n"]),
    ("copy @.t from stdin", &["x\ty\tz\n"]),
    ("copy @.t from stdin", &["1\tx\t1\n2\ty\tz\n"]),
    ("copy @.t from stdin", &["1\tx\n"]),
    ("copy @.t from stdin", &["1\tx\t1\textra\n"]),
    ("copy @.t from stdin", &["99999999999\tx\t1\n"]),
    ("copy @.t (b) from stdin csv", &["\"unterminated\n"]),
    ("copy @.k from stdin", &["1\tone\n2\ttwo\n"]),
    ("copy @.k from stdin", &["3\tthree\n1\tagain\n"]),
    ("copy @.k from stdin", &["4\t\\N\n"]),
    ("copy @.k (id) from stdin", &["4\n"]),
    ("copy @.k from stdin", &["5\tfive\n5000\tmuch\n"]),
    ("copy @.made from stdin", &["1\tx\n"]),
    ("copy @.made (b) from stdin", &[]),
    ("copy @.late from stdin", &["1\n2\n"]),
    ("copy @.late from stdin", &["3\n3\n"]),
    ("copy @.v from stdin", &["1\tx\t1\n"]),
    ("copy @.t (nope) from stdin", &[]),
    ("copy @.t (a, a) from stdin", &[]),
    ("copy @.nosuch from stdin", &[]),
    ("copy @.t from stdin where", &[]),
    ("copy (select 1) from stdin", &[]),
    ("copy @.t to stdout csv", &[]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loads_answer_and_write_as_postgresql() {
    let writable = Writable::start().await;
    let (mut tusk, mut direct) = (writable.tusk("wes"), writable.direct());
    let mut findings = Vec::new();
    for (sql, parts) in LOADS {
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        let ours = told(&load(&mut tusk, &sql.replace('@', "shop"), &parts)).replace("shop.", "@.");
        let theirs = told(&load(&mut direct, &sql.replace('@', "direct"), &parts)).replace("direct.", "@.");
        // Positions in the text move with the length of the schema's name.
        let clean =
            |text: &str| text.split_whitespace().filter(|word| !word.starts_with("P=")).collect::<Vec<_>>().join(" ");
        if clean(&ours) != clean(&theirs) {
            findings.push(format!("--- {sql} {parts:?}\nTusk:\n{ours}\nPostgreSQL:\n{theirs}"));
        }
    }
    // Text is read as the session's settings say, whatever the source's connection is set to.
    for raw in [&mut tusk, &mut direct] {
        raw.ask("set timezone = 'America/New_York'; set datestyle = 'SQL, DMY'; set intervalstyle = 'iso_8601'");
    }
    let stamps: &[&[u8]] = &[b"05/06/2024 12:00:00\t05/06/2024\tP1Y2M\n"];
    for (raw, schema) in [(&mut tusk, "shop"), (&mut direct, "direct")] {
        let answer = load(raw, &format!("copy {schema}.stamped from stdin"), stamps);
        assert_eq!(answer.iter().map(|m| m.tag as char).collect::<String>(), "GCZ", "{}", transcript(&answer));
    }
    none(&findings);
    let mut server = writable.direct();
    for table in ["t", "k", "made", "late", "stamped"] {
        let read = |schema: &str| format!("select to_jsonb(x)::text from {schema}.{table} x order by 1");
        assert_eq!(rows(&server.ask(&read("public"))), rows(&server.ask(&read("direct"))), "{table}");
    }
    writable.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_extended_protocol_loads_as_postgresql() {
    let writable = Writable::start().await;
    let script = |raw: &mut Raw, schema: &str| {
        let mut answer = Vec::new();
        let copy = |sql: &str| [parse("", sql, &[]), bind("", "", 0, &[], &[]), execute("", 0)].concat();
        let sync = frame(b'S', b"");
        let good = format!("copy {schema}.t (a) from stdin");
        // Sync and Flush in the midst mean nothing.
        raw.bytes(
            &[copy(&good), data(b"1\n"), frame(b'H', b""), sync.clone(), data(b"2\n"), done(), sync.clone()].concat(),
        );
        answer.extend(raw.until(b'Z'));
        // An error: everything up to the Sync is skipped.
        raw.bytes(&[copy(&good), data(b"x\n"), data(b"3\n"), done(), execute("", 0), sync.clone()].concat());
        answer.extend(raw.until(b'Z'));
        // The client gives up.
        raw.bytes(&[copy(&good), data(b"3\n"), frame(b'f', b"changed my mind\0"), sync.clone()].concat());
        answer.extend(raw.until(b'Z'));
        // Refused before it takes data; what was sent behind it is skipped.
        raw.bytes(&[copy(&format!("copy {schema}.t (nope) from stdin")), data(b"1\n"), done(), sync.clone()].concat());
        answer.extend(raw.until(b'Z'));
        // A failure at the end of the transaction, told at Sync.
        raw.bytes(&[copy(&format!("copy {schema}.late from stdin")), data(b"7\n7\n"), done(), sync.clone()].concat());
        answer.extend(raw.until(b'Z'));
        // An error behind it in the same batch undoes it.
        raw.bytes(&[copy(&good), data(b"4\n"), done(), parse("", "select nope", &[]), sync].concat());
        answer.extend(raw.until(b'Z'));
        answer.extend(raw.ask("select 1"));
        transcript(&answer)
    };
    let ours = script(&mut writable.tusk("wes"), "shop");
    let theirs = script(&mut writable.direct(), "direct");
    let (ours, theirs) = (ours.replace("shop.", "@."), theirs.replace("direct.", "@."));
    // The position of "nope" and the like is the same: these names stand before nothing that differs.
    assert_eq!(ours, theirs);
    let mut server = writable.direct();
    for table in ["t", "late"] {
        let read = |schema: &str| format!("select to_jsonb(x)::text from {schema}.{table} x order by 1");
        assert_eq!(rows(&server.ask(&read("public"))), rows(&server.ask(&read("direct"))), "{table}");
    }
    // What comes behind it sees the rows.
    let mut tusk = writable.tusk("wes");
    let copy = [parse("", "copy shop.k from stdin", &[]), bind("", "", 0, &[], &[]), execute("", 0)].concat();
    let read = [parse("", "select count(*) from shop.k", &[]), bind("", "", 0, &[], &[]), execute("", 0)].concat();
    tusk.bytes(&[copy, data(b"1\tx\n"), done(), read, frame(b'S', b"")].concat());
    assert_eq!(rows(&tusk.until(b'Z')), [[Some("1".to_owned())]]);
    assert_eq!(writable.count("k").await, 1);
    writable.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_out_of_step_and_failures_write_nothing() {
    let writable = Writable::start().await;
    let scripts: &[(&str, &[&[u8]])] = &[
        ("gives up", &[b"f\0\0\0\x0cchanged\0"]),
        ("query in the midst", &[b"d\0\0\0\x061\n", b"Q\0\0\0\x0dselect 1\0"]),
        ("terminate in the midst", &[b"d\0\0\0\x061\n", b"X\0\0\0\x04"]),
        ("parse in the midst", &[b"P\0\0\0\x08\0\0\0\0"]),
        ("a body too long", &[b"c\0\0\0\x05x"]),
    ];
    for (what, messages) in scripts {
        let play = |raw: &mut Raw, schema: &str| {
            let mut answer = begin(raw, &format!("copy {schema}.t (a) from stdin"));
            raw.bytes(&messages.concat());
            if *what == "gives up" || *what == "a body too long" {
                answer.extend(raw.until(b'Z'));
                answer.extend(raw.ask("select 1"));
            } else {
                answer.extend(raw.until_closed());
            }
            transcript(&answer)
        };
        let (ours, theirs) = (play(&mut writable.tusk("wes"), "shop"), play(&mut writable.direct(), "direct"));
        assert_eq!(ours, theirs, "{what}");
        writable.idle().await;
    }
    // Lost, cancelled, late, ended by an administrator: always all or nothing.
    let rows: Vec<u8> = (0..20_000).flat_map(|n| format!("{n}\n").into_bytes()).collect();
    let open = || {
        let mut raw = writable.tusk("wes");
        assert_eq!(begin(&mut raw, "copy shop.t (a) from stdin")[0].tag, b'G');
        raw.bytes(&data(&rows));
        raw
    };
    open().reset();
    writable.idle().await;
    drop(open());
    writable.idle().await;
    let mut raw = open();
    raw.cancel();
    let fields = error(&raw.until(b'Z'));
    assert_eq!((fields[&'C'].as_str(), fields[&'M'].as_str()), ("57014", "canceling statement due to user request"));
    raw.bytes(&[data(b"1\n"), done()].concat());
    assert_eq!(rows_of(&mut raw, "select 1"), 1);
    writable.idle().await;
    let mut raw = writable.tusk("wes");
    raw.ask("set statement_timeout = '300ms'");
    assert_eq!(begin(&mut raw, "copy shop.t (a) from stdin")[0].tag, b'G');
    raw.bytes(&data(&rows));
    assert_eq!(error(&raw.until(b'Z'))[&'M'], "canceling statement due to statement timeout");
    writable.idle().await;
    let mut raw = writable.tusk("wes");
    raw.ask("set idle_in_transaction_session_timeout = '300ms'");
    assert_eq!(begin(&mut raw, "copy shop.t (a) from stdin")[0].tag, b'G');
    assert_eq!(error(&raw.until_closed())[&'C'], "25P03");
    let raw = open();
    let pid = raw.key.clone().unwrap().0;
    let mut root = writable.tusk("root");
    root.ask(&format!("select pg_terminate_backend({pid})"));
    writable.idle().await;
    // The source goes away.
    let mut raw = open();
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'tusk:%' and xact_start is not null";
    assert_eq!(writable.postgres.connect().await.query(kill, &[]).await.unwrap().len(), 1);
    raw.bytes(&[data(&rows), done()].concat());
    assert_eq!(error(&raw.until(b'Z'))[&'C'], "08006");
    assert_eq!(writable.count("t").await, 0);
}

/// What the source refuses is told while the client still sends, not when it has sent everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_data_are_refused_before_they_end() {
    let writable = Writable::start().await;
    let mut raw = writable.tusk("wes");
    assert_eq!(begin(&mut raw, "copy shop.t (a) from stdin")[0].tag, b'G');
    raw.bytes(&data(b"1\nnonsense\n"));
    let mut sender = raw.stream().try_clone().unwrap();
    let stop = AtomicBool::new(false);
    let more = data("2\n".repeat(4000).as_bytes());
    let answer = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                sender.write_all(&more).unwrap();
            }
        });
        let answer = raw.until(b'Z');
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap();
        answer
    });
    let fields = error(&answer);
    assert_eq!((fields[&'C'].as_str(), fields[&'W'].as_str()), ("22P02", "COPY t, line 2, column a: \"nonsense\""));
    assert_eq!((rows_of(&mut raw, "select 1"), writable.count("t").await), (1, 0));
}

fn rows_of(raw: &mut Raw, sql: &str) -> usize {
    rows(&raw.ask(sql)).len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_insert_writes_nothing() {
    let writable = Writable::start().await;
    let refused = |user: &str, sql: &str| {
        let fields = error(&begin(&mut writable.tusk(user), sql));
        format!("{} {}", fields[&'C'], fields[&'M'])
    };
    // May read, may not add.
    assert_eq!(refused("ana", "copy shop.t from stdin"), "42501 permission denied for table t");
    assert_eq!(refused("nan", "copy shop.k from stdin"), "42501 permission denied for table k");
    // May add to some columns.
    assert_eq!(refused("nan", "copy shop.t from stdin"), "42501 permission denied for table t");
    assert_eq!(refused("nan", "copy shop.t (a, c) from stdin"), "42501 permission denied for table t");
    let mut nan = writable.tusk("nan");
    let answer = load(&mut nan, "copy shop.t (b, a) from stdin csv", &[b"x,1\n"]);
    assert_eq!(answer[1].body, b"COPY 1\0", "{}", transcript(&answer));
    // May not read: it is not there, whatever may be added.
    assert_eq!(refused("nan", "copy shop.late from stdin"), "42P01 relation \"shop.late\" does not exist");
    assert_eq!(refused("nan", "copy shop.nosuch from stdin"), "42P01 relation \"shop.nosuch\" does not exist");
    // A column that may not be read does not exist, nor is it seen in what the source says of a row.
    let missing = "42703 column \"secret\" of relation \"hidden\" does not exist";
    assert_eq!(refused("nan", "copy shop.hidden (a, secret) from stdin"), missing);
    assert_eq!(refused("nan", "copy shop.hidden from stdin (format csv, force_null (secret))"), missing);
    let answer = load(&mut nan, "copy shop.hidden from stdin", &[b"-1\n"]);
    assert_eq!(error(&answer)[&'C'], "23514");
    assert!(!format!("{:?}", error(&answer)).contains("classified"));
    let answer = load(&mut nan, "copy shop.hidden from stdin", &[b"1\n"]);
    assert_eq!(answer[1].body, b"COPY 1\0", "{}", transcript(&answer));
    // Read-only transactions, blocks, messages of several statements.
    let mut wes = writable.tusk("wes");
    let read_only = "cannot execute COPY FROM in a read-only transaction";
    wes.ask("set default_transaction_read_only = on");
    assert_eq!(error(&begin(&mut wes, "copy shop.k from stdin"))[&'M'], read_only);
    wes.ask("set default_transaction_read_only = off");
    wes.ask("begin");
    wes.ask("set transaction read only");
    assert_eq!(error(&begin(&mut wes, "copy shop.k from stdin"))[&'M'], read_only);
    wes.ask("rollback");
    assert_eq!(error(&begin(&mut wes, "copy shop.k from stdin where id > 1"))[&'C'], "0A000");
    // Nothing else is granted.
    for (sql, code) in
        [("delete from shop.t", "42501"), ("update shop.t set a = 1", "42501"), ("truncate shop.t", "25006")]
    {
        assert_eq!(error(&wes.ask(sql))[&'C'], code, "{sql}");
    }
    assert_eq!((writable.count("t").await, writable.count("k").await, writable.count("late").await), (1, 0, 0));
    writable.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_copy_in_a_lot_in_little_memory() {
    let writable = Writable::start().await;
    let client = writable.tusk.connect("wes").await;
    let sink = client.copy_in("copy shop.t (a, b) from stdin").await.unwrap();
    futures::pin_mut!(sink);
    let part: Vec<u8> = (0..1000).flat_map(|n| format!("{n}\t{}\n", "x".repeat(90)).into_bytes()).collect();
    let part = bytes::Bytes::from(part);
    let before = writable.tusk.resident();
    let mut most = before;
    for _ in 0..2000 {
        sink.send(part.clone()).await.unwrap();
        most = most.max(writable.tusk.resident());
    }
    assert_eq!(sink.finish().await.unwrap(), 2_000_000);
    assert_eq!(writable.count("t").await, 2_000_000);
    let growth = (most - before) >> 20;
    eprintln!("copy in: grew by {growth} MiB");
    assert!(growth < 64, "grew by {growth} MiB");
    // One piece as large as a message may be.
    let mut raw = writable.tusk("wes");
    let rows: Vec<u8> = (0..400_000).flat_map(|n| format!("{n}\t{}\n", "y".repeat(90)).into_bytes()).collect();
    let answer = load(&mut raw, "copy shop.t (a, b) from stdin", &[&rows]);
    assert_eq!(answer[1].body, b"COPY 400000\0", "{}", transcript(&answer));
    let Ok(python) = std::env::var("TUSK_TEST_PYTHON") else {
        return eprintln!("psycopg: skipped, TUSK_TEST_PYTHON is not set (tests/run.sh sets it)");
    };
    let script = r#"
import sys, psycopg
with psycopg.connect(host="127.0.0.1", port=sys.argv[1], user="wes", dbname="tusk", autocommit=True) as c:
    cur = c.cursor()
    with cur.copy("copy shop.k (id, v) from stdin (format binary)") as copy:
        copy.set_types(["int4", "text"])
        for n in range(500): copy.write_row((n, f"v{n}"))
    assert cur.rowcount == 500, cur.rowcount
    try:
        with cur.copy("copy shop.k from stdin") as copy:
            copy.write_row((600, "x")); copy.write_row((1, "again"))
        raise SystemExit("no error")
    except psycopg.errors.UniqueViolation as e:
        assert e.diag.context == "COPY k, line 2", e.diag.context
    try:
        with cur.copy("copy shop.k from stdin") as copy:
            copy.write_row((601, "x")); raise KeyError("mine")
    except KeyError: pass
    assert cur.execute("select count(*) from shop.k").fetchone() == (500,)
"#;
    let ran =
        std::process::Command::new(python).args(["-c", script, &writable.tusk.port().to_string()]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    writable.idle().await;
}
