//! Sessions in crowds: what an idle one costs, and what is left of many that vanish in the midst of a result (promises P18, P23).
//! Must not know: how rows travel.

use std::time::{Duration, Instant};

use super::{AT_ONCE, bare, lives, unharmed};
use crate::harness::daemon::wait_for;
use crate::harness::peer::Peer;
use crate::harness::raw::{Raw, bind, execute, frame, parse, rows};
use crate::transcripts::tables;

/// What an idle session may cost, in bytes.
const IDLE: u64 = 64 * 1024;

#[test]
fn a_thousand_idle_sessions_cost_little() {
    let tusk = bare("max_connections = 1100");
    let pid = tusk.pid();
    let login = || {
        let mut raw = Raw::login(tusk.port(), "ana", "tusk");
        assert_eq!(rows(&raw.ask("select 1")).len(), 1);
        raw
    };
    drop((0..50).map(|_| login()).collect::<Vec<_>>());
    let before = tusk.resident();
    let sessions: Vec<Raw> = (0..1_000).map(|_| login()).collect();
    let each = tusk.resident().saturating_sub(before) / sessions.len() as u64;
    eprintln!("an idle session that has asked once costs {} KiB", each / 1024);
    assert!(each <= IDLE, "{each} bytes for each");
    let mut times: Vec<Duration> = (0..100)
        .map(|_| {
            let begun = Instant::now();
            lives(&tusk);
            begun.elapsed()
        })
        .collect();
    times.sort();
    eprintln!("login and select 1 beside them: p50 {:?}, p99 {:?}", times[50], times[98]);
    let connections = || {
        let (_, page) = tusk.page("/metrics");
        page.lines()
            .find_map(|line| line.strip_prefix("tusk_connections "))
            .map(|number| number.parse::<f64>().unwrap())
    };
    assert!(connections().unwrap() >= 1_000.0);
    drop(sessions);
    wait_for(AT_ONCE, || (connections() == Some(0.0)).then_some(())).expect("no connection is counted any more");
    unharmed(&tusk, pid);
}

/// Clients that are reset while rows come, before the first row, with a portal suspended: no statement of theirs runs on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_clients_that_are_reset_nothing_runs_on() {
    let (postgres, tusk) = tables::start().await;
    let pid = tusk.pid();
    lives(&tusk);
    let large = "select a.n, b.n, a.filling, b.filling from numbers a, numbers b";
    let sleeping = "select * from slow";
    let running = || {
        let (_, page) = tusk.page("/metrics");
        let line = page.lines().find(|line| line.starts_with("tusk_queries_running ")).unwrap().to_owned();
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    for round in 0..10 {
        let peers: Vec<Peer> = (0..10)
            .map(|number| {
                let mut peer = Peer::open(tusk.port(), AT_ONCE);
                assert!(!peer.login(&[]).is_empty());
                let bytes = match number % 4 {
                    0 => frame(b'Q', format!("{large}\0").as_bytes()),
                    1 => frame(b'Q', format!("{sleeping}\0").as_bytes()),
                    2 => [
                        frame(b'Q', b"begin\0"),
                        parse("", large, &[]),
                        bind("", "", 0, &[], &[]),
                        execute("", 10),
                        frame(b'H', b""),
                    ]
                    .concat(),
                    _ => [parse("", large, &[]), bind("", "", 0, &[], &[]), execute("", 0), frame(b'S', b"")].concat(),
                };
                assert!(peer.send(&bytes));
                peer
            })
            .collect();
        // Some leave while nothing has come yet, some in the midst of it.
        for (number, mut peer) in peers.into_iter().enumerate() {
            if (number + round) % 3 == 0 && number % 4 != 1 {
                let _ = peer.next();
            }
            peer.reset();
        }
    }
    let begun = Instant::now();
    wait_for(AT_ONCE, || (running() == 0.0).then_some(())).expect("no statement is counted as running");
    eprintln!("after 100 resets the gauge was 0 within {:?}", begun.elapsed());
    let mut raw = Raw::login(tusk.port(), "ana", "tusk");
    let own = rows(&raw.ask("select query from tusk.queries"));
    assert_eq!(own.len(), 1, "{own:?}");
    let mut watch = Raw::login(postgres.port(), "postgres", "postgres");
    let at_source = "select query from pg_stat_activity where datname = 'postgres' and state <> 'idle' and pid <> pg_backend_pid() \
                     and backend_type = 'client backend'";
    wait_for(AT_ONCE, || rows(&watch.ask(at_source)).is_empty().then_some(())).expect("the source runs nothing of it");
    lives(&tusk);
    unharmed(&tusk, pid);
}
