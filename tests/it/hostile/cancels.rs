//! Cancel requests at random moments and with wrong keys (promise P17).
//! Must not know: how a statement is stopped.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{AT_ONCE, unharmed};
use crate::harness::peer::{Came, Peer};
use crate::harness::raw::{Raw, error, rows};
use crate::transcripts::tables;

/// Asks for a cancel and waits until the daemon has taken the request: what is cancelled by it is so from then on.
fn cancel(port: u16, pid: i32, key: &[u8]) {
    let mut peer = Peer::open(port, AT_ONCE);
    let length = (12 + key.len()) as i32;
    peer.send(&[&length.to_be_bytes()[..], &80_877_102_i32.to_be_bytes(), &pid.to_be_bytes(), key].concat());
    assert!(matches!(peer.next(), Came::Closed), "a cancel request is never answered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_finds_its_statement_or_none() {
    let (_postgres, tusk) = tables::start().await;
    let process = tusk.pid();
    let mut raw = Raw::login(tusk.port(), "ana", "tusk");
    let (pid, key) = raw.key.clone().unwrap();
    let mut random = StdRng::seed_from_u64(17);
    let (mut cancelled, mut slowest) = (0, Duration::ZERO);
    for round in 0..100 {
        let sql = match round % 3 {
            0 => "select count(*), sum(length(filling)) from numbers",
            1 => "select a.n, b.filling from numbers a, numbers b where a.n < 200",
            _ => "select * from slow",
        };
        raw.query(sql);
        std::thread::park_timeout(Duration::from_micros(random.random_range(0..30_000)));
        let asked = Instant::now();
        cancel(tusk.port(), pid, &key);
        let answer = raw.until(b'Z');
        if answer.iter().any(|message| message.tag == b'E') {
            assert_eq!(error(&answer)[&'C'], "57014", "{:?}", error(&answer));
            cancelled += 1;
            slowest = slowest.max(asked.elapsed());
        }
        // The next statement is another one: a cancel that came before it does not reach it.
        assert_eq!(rows(&raw.ask("select 1")), [[Some("1".to_owned())]], "round {round}");
        assert_eq!(rows(&raw.ask("select count(*) from item")), [[Some("10".to_owned())]], "round {round}");
    }
    eprintln!("of 100 cancels {cancelled} met their statement, the slowest within {slowest:?}");
    assert!(cancelled >= 33, "only {cancelled}");
    assert!(slowest < AT_ONCE);
    unharmed(&tusk, process);
}

/// A key that is not the session's, or of another length, cancels nothing, however often it is tried.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_cancels_nothing() {
    let (postgres, tusk) = tables::start().await;
    let mut raw = Raw::login(tusk.port(), "ana", "tusk");
    let (pid, key) = raw.key.clone().unwrap();
    raw.query("select * from slow");
    let mut watch = Raw::login(postgres.port(), "postgres", "postgres");
    let asleep = "select 1 from pg_stat_activity where datname = 'postgres' and wait_event = 'PgSleep'";
    let sleeps = |watch: &mut Raw| !rows(&watch.ask(asleep)).is_empty();
    crate::harness::daemon::wait_for(AT_ONCE, || sleeps(&mut watch).then_some(())).expect("the statement sleeps");
    let mut wrong = key.clone();
    *wrong.last_mut().unwrap() ^= 1;
    for attempt in [&wrong[..], &key[..key.len() - 1], &[&key[..], b"x"].concat(), b"", &[0; 256]] {
        let mut peer = Peer::open(tusk.port(), AT_ONCE);
        let length = (12 + attempt.len()) as i32;
        peer.send(&[&length.to_be_bytes()[..], &80_877_102_i32.to_be_bytes(), &pid.to_be_bytes(), attempt].concat());
        peer.leave();
        assert!(matches!(peer.next(), Came::Closed));
    }
    for other in [pid.wrapping_add(1), -pid, 0] {
        cancel(tusk.port(), other, &key);
    }
    assert!(sleeps(&mut watch), "a wrong key cancelled");
    cancel(tusk.port(), pid, &key);
    assert_eq!(error(&raw.until(b'Z'))[&'C'], "57014");
}
