//! How long statements, transactions and sessions may take, and what ends them.
//! Must not know: how time is kept.

use std::time::{Duration, Instant};

use crate::harness::daemon::{Daemon, Setup};
use crate::harness::raw::{Raw, bind, error, execute, parse, rows, transcript};

const CONFIG: &str = r#"
[[role]]
name = "reader"

[[user]]
name = "ana"
roles = ["reader"]
"#;

/// What none of these waits may come near.
const LONG: Duration = Duration::from_secs(30);

fn daemon() -> Daemon {
    Daemon::start(&Setup::trusting(CONFIG))
}

fn login(daemon: &Daemon) -> Raw {
    Raw::login(daemon.port(), "ana", "tusk")
}

/// The FATAL error that ends a session, whatever comes before it.
fn farewell(raw: &mut Raw) -> (String, String, String) {
    let last = raw.until_closed();
    let fields = error(&last);
    (fields[&'S'].clone(), fields[&'C'].clone(), fields[&'M'].clone())
}

fn fatal(code: &str, message: &str) -> (String, String, String) {
    ("FATAL".to_owned(), code.to_owned(), message.to_owned())
}

#[test]
fn a_sleeping_statement_times_out_and_is_cancelled() {
    let daemon = daemon();
    let mut raw = login(&daemon);
    let begun = Instant::now();
    raw.ask("set statement_timeout = 50");
    let timed_out = error(&raw.ask("select pg_sleep(3600)"));
    assert_eq!(timed_out[&'M'], "canceling statement due to statement timeout");
    raw.ask("set statement_timeout = 0");
    raw.query("select pg_sleep(3600), pg_sleep(3600)");
    // The statement may not have begun when the request comes; then it finds nothing, as in PostgreSQL.
    let mut other = login(&daemon);
    let running = crate::harness::daemon::wait_for(LONG, || {
        let seen = rows(&other.ask(
            "select count(*) from tusk.sessions where state = 'active' and query like 'select pg_sleep(3600), %'",
        ));
        (seen == [[Some("1".to_owned())]]).then_some(())
    });
    assert!(running.is_some());
    raw.cancel();
    let cancelled = error(&raw.until(b'Z'));
    assert_eq!(
        (cancelled[&'C'].as_str(), cancelled[&'M'].as_str()),
        ("57014", "canceling statement due to user request")
    );
    assert_eq!(rows(&raw.ask("select pg_sleep(0.001), 1 where pg_sleep(-1) is not null"))[0][1].as_deref(), Some("1"));
    assert!(begun.elapsed() < LONG);
}

/// Many sleepers hold no thread: others are answered meanwhile.
#[test]
fn sleepers_keep_nobody_out() {
    let daemon = daemon();
    let mut sleepers: Vec<Raw> = (0..200).map(|_| login(&daemon)).collect();
    sleepers.iter_mut().for_each(|raw| raw.query("select pg_sleep(3600)"));
    let begun = Instant::now();
    let mut raw = login(&daemon);
    for _ in 0..20 {
        assert_eq!(rows(&raw.ask("select 1")).len(), 1);
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn an_idle_session_ends() {
    let daemon = daemon();
    let mut raw = login(&daemon);
    raw.ask("set idle_session_timeout = 50");
    assert_eq!(farewell(&mut raw), fatal("57P05", "terminating connection due to idle-session timeout"));

    let mut raw = login(&daemon);
    raw.ask("set idle_in_transaction_session_timeout = 50");
    raw.ask("begin");
    assert_eq!(farewell(&mut raw), fatal("25P03", "terminating connection due to idle-in-transaction timeout"));

    // A failed block is one too, and so is a batch without its Sync.
    let mut raw = login(&daemon);
    raw.ask("set idle_in_transaction_session_timeout = 50");
    raw.ask("begin; select 1 / 0");
    assert_eq!(farewell(&mut raw).1, "25P03");
    let mut raw = login(&daemon);
    raw.ask("set idle_in_transaction_session_timeout = 50");
    raw.bytes(&[parse("", "select 1", &[]), bind("", "", 0, &[], &[]), execute("", 0)].concat());
    raw.send(b'H', b"");
    assert_eq!(farewell(&mut raw).1, "25P03");
}

/// PostgreSQL 17's transaction_timeout: it ends idle sessions and running statements, and counts from the transaction's begin.
#[test]
fn a_transaction_that_takes_too_long_ends_its_session() {
    let daemon = daemon();
    let message = "terminating connection due to transaction timeout";
    let mut raw = login(&daemon);
    raw.ask("set transaction_timeout = '100ms'");
    raw.ask("begin");
    assert_eq!(farewell(&mut raw), fatal("25P04", message));

    let mut raw = login(&daemon);
    raw.ask("set transaction_timeout = '100ms'");
    raw.query("select pg_sleep(3600)");
    assert_eq!(farewell(&mut raw), fatal("25P04", message));

    let mut raw = login(&daemon);
    raw.ask("set transaction_timeout = '2s'");
    raw.ask("begin");
    raw.query("select pg_sleep(0.01)");
    raw.until(b'Z');
    raw.query("select pg_sleep(3600)");
    assert_eq!(farewell(&mut raw), fatal("25P04", message));

    // Between transactions no clock runs, and each begins a new one.
    let mut raw = login(&daemon);
    raw.ask("set transaction_timeout = '1s'");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1500) {
        let answer = raw.ask("select pg_sleep(0.1)");
        assert!(answer.iter().all(|message| message.tag != b'E'), "{}", transcript(&answer));
    }
}

/// The time of a statement counts while the client does not read, and its rows do not pile up.
#[test]
fn a_client_that_does_not_read_is_bounded() {
    let daemon = daemon();
    let mut raw = login(&daemon);
    raw.ask("set statement_timeout = '300ms'");
    let before = daemon.resident();
    raw.query("select repeat('x', 1000), i from generate_series(1, 2000000000) as t(i)");
    let mut watch = login(&daemon);
    let ended = crate::harness::daemon::wait_for(LONG, || {
        let seen =
            rows(&watch.ask(
                "select count(*) from tusk.queries where query like '%repeat%' and query not like '%tusk.queries%'",
            ));
        (seen == [[Some("0".to_owned())]]).then_some(())
    });
    assert!(ended.is_some(), "the statement still runs");
    assert!(daemon.resident() < before + (64 << 20));
    let last = raw.until(b'Z');
    assert_eq!(error(&last)[&'C'], "57014");
}

/// What a session says of its socket is the socket's.
#[test]
fn sockets_are_watched_as_the_session_says() {
    let daemon = daemon();
    let mut raw = login(&daemon);
    let shown = rows(&raw.ask("select current_setting('tcp_keepalives_idle')"));
    assert_eq!(shown, [[Some("60".to_owned())]]);
    let local = raw.stream().local_addr().unwrap().port();
    let timer = || {
        let output = std::process::Command::new("ss").args(["-tnoH", "state", "established"]).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let ours = format!("127.0.0.1:{local}");
        text.lines().find(|line| line.split_whitespace().nth(3) == Some(ours.as_str())).map(str::to_owned)
    };
    if timer().is_none() {
        eprintln!("skipped: ss is not installed");
        return;
    }
    raw.ask("set tcp_keepalives_idle = 7200");
    let set = crate::harness::daemon::wait_for(LONG, || {
        timer().filter(|line| line.contains("keepalive,1") || line.contains("119min"))
    });
    assert!(set.is_some(), "{:?}", timer());
}
