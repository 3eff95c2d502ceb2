//! LISTEN and NOTIFY between sessions of one daemon: at once, in order, at commit, within bounds.
//! Must not know: how notifications are kept.

use std::time::Duration;

use crate::harness::daemon::{Daemon, Setup};
use crate::harness::raw::{Raw, error, execute, parse, rows, transcript};

const CONFIG: &str = r#"
[[role]]
name = "reader"
[[role]]
name = "other"

[[user]]
name = "ana"
roles = ["reader"]
[[user]]
name = "bob"
roles = ["other"]
"#;

fn daemon() -> Daemon {
    Daemon::start(&Setup::trusting(CONFIG))
}

fn login(daemon: &Daemon, user: &str) -> Raw {
    Raw::login(daemon.port(), user, "tusk")
}

/// The next notification, which must be the next message: who said it, where, what.
fn heard(raw: &mut Raw) -> (i32, String, String) {
    let message = raw.read();
    assert_eq!(message.tag, b'A', "{}", transcript(std::slice::from_ref(&message)));
    let pid = i32::from_be_bytes(message.body[..4].try_into().unwrap());
    let mut texts = message.body[4..].split(|byte| *byte == 0).map(|text| String::from_utf8(text.to_vec()).unwrap());
    (pid, texts.next().unwrap(), texts.next().unwrap())
}

fn pid(raw: &Raw) -> i32 {
    raw.key.as_ref().unwrap().0
}

/// What is said comes to an idle session without its asking, whoever it belongs to.
#[test]
fn an_idle_session_hears_at_once() {
    let daemon = daemon();
    let (mut ana, mut bob) = (login(&daemon, "ana"), login(&daemon, "bob"));
    ana.ask("listen news; listen \"Other News\"");
    bob.ask("notify news, 'one'; notify news; notify \"Other News\", 'ü'; notify elsewhere, 'lost'");
    assert_eq!(heard(&mut ana), (pid(&bob), "news".into(), "one".into()));
    assert_eq!(heard(&mut ana), (pid(&bob), "news".into(), String::new()));
    assert_eq!(heard(&mut ana), (pid(&bob), "Other News".into(), "ü".into()));
    bob.ask("select pg_notify('news', 'two') from generate_series(1, 3)");
    assert_eq!(heard(&mut ana), (pid(&bob), "news".into(), "two".into()));
    // The same through the extended protocol, at Sync.
    bob.batch(&[
        parse("", "notify news, 'three'", &[]),
        crate::harness::raw::bind("", "", 0, &[], &[]),
        execute("", 0),
    ]);
    assert_eq!(heard(&mut ana).2, "three");
    ana.ask("unlisten *");
    bob.ask("notify news, 'four'");
    let answer = ana.ask("select count(*) from pg_listening_channels()");
    assert_eq!(rows(&answer), [[Some("0".to_owned())]], "{}", transcript(&answer));
}

/// A session in a transaction hears when that has ended, before it is told that it may go on.
#[test]
fn a_transaction_hears_at_its_end() {
    let daemon = daemon();
    let (mut ana, mut bob) = (login(&daemon, "ana"), login(&daemon, "bob"));
    ana.ask("listen news");
    ana.ask("begin");
    bob.ask("notify news, 'one'");
    let during = ana.ask("select 1");
    assert!(during.iter().all(|message| message.tag != b'A'), "{}", transcript(&during));
    let end = transcript(&ana.ask("commit"));
    assert_eq!(end, "C COMMIT\\x00\nA news\\x00one\\x00\nZ I\n");
    bob.ask("begin");
    bob.ask("notify news, 'two'");
    bob.ask("rollback");
    bob.ask(
        "begin; savepoint a; notify news, 'three'; rollback to a; notify news, 'four'; notify news, 'four'; commit",
    );
    bob.ask("notify news, 'five'; select 1 / 0");
    bob.ask("notify news, 'six'");
    assert_eq!(heard(&mut ana).2, "four");
    assert_eq!(heard(&mut ana).2, "six");
}

#[test]
fn what_ends_listening() {
    let daemon = daemon();
    let (mut ana, mut bob) = (login(&daemon, "ana"), login(&daemon, "bob"));
    for end in ["discard all", "unlisten news", "unlisten *"] {
        ana.ask("listen news");
        assert_eq!(rows(&ana.ask("select * from pg_listening_channels()")), [[Some("news".to_owned())]]);
        ana.ask(end);
        bob.ask("notify news, 'lost'");
        assert!(rows(&ana.ask("select * from pg_listening_channels()")).is_empty(), "{end}");
    }
    ana.ask("begin; listen news; rollback");
    bob.ask("notify news, 'lost'");
    assert_eq!(transcript(&ana.ask("begin; commit")), "C BEGIN\\x00\nC COMMIT\\x00\nZ I\n");
}

/// A listener that never comes to hear fills its queue; then who speaks is refused, and the daemon stays small.
#[test]
fn the_queue_is_bounded() {
    let daemon = daemon();
    let (mut ana, mut bob) = (login(&daemon, "ana"), login(&daemon, "bob"));
    ana.ask("listen news; listen other");
    ana.ask("begin");
    let before = daemon.resident();
    let refused = (0..10_000).find_map(|number| {
        let answer = bob.ask(&format!("notify news, '{}'", format!("{number:05}").repeat(1500)));
        answer.iter().any(|message| message.tag == b'E').then(|| error(&answer))
    });
    let refused = refused.expect("the queue has no end");
    assert_eq!(
        (refused[&'C'].as_str(), refused[&'M'].as_str()),
        ("54000", "too many notifications in the NOTIFY queue")
    );
    assert!(daemon.resident() < before + (64 << 20), "{} bytes more", daemon.resident() - before);
    // Nobody else is the worse for it, and the queue empties when the listener hears.
    bob.ask("listen mine");
    assert!(transcript(&bob.ask("notify mine, 'x'")).contains("A mine"));
    let end = ana.ask("commit");
    assert!(end.iter().filter(|message| message.tag == b'A').count() > 500);
    assert!(!transcript(&bob.ask("notify news, 'again'")).contains("E "));
    assert_eq!(heard(&mut ana).2, "again");
    // A session that leaves takes its queue with it.
    drop(ana);
    let ok = crate::harness::daemon::wait_for(Duration::from_secs(10), || {
        let usage = rows(&bob.ask("select pg_notification_queue_usage() = 0"));
        (usage == [[Some("t".to_owned())]]).then_some(())
    });
    assert!(ok.is_some());
}

/// Limits of names and payloads, in PostgreSQL's words.
#[test]
fn limits_of_what_is_said() {
    let daemon = daemon();
    let mut ana = login(&daemon, "ana");
    for (sql, message) in [
        ("select pg_notify('', 'x')", "channel name cannot be empty"),
        ("select pg_notify(null, 'x')", "channel name cannot be empty"),
        ("select pg_notify(repeat('a', 64), 'x')", "channel name too long"),
        ("select pg_notify('a', repeat('x', 8000))", "payload string too long"),
    ] {
        let error = error(&ana.ask(sql));
        assert_eq!((error[&'C'].as_str(), error[&'M'].as_str()), ("22023", message), "{sql}");
    }
    let long = format!("notify a, '{}'", "x".repeat(8000));
    assert_eq!(error(&ana.ask(&long))[&'M'], "payload string too long");
    ana.ask("listen a");
    assert_eq!(ana.ask("select pg_notify('a', repeat('x', 7999))").iter().filter(|m| m.tag == b'A').count(), 1);
}
