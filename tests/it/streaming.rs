//! Large results and results that are given up: flat memory, the first row at once, cancel, vanished clients, timeouts.
//! Must not know: how rows travel inside.

use std::time::{Duration, Instant};

use tokio_postgres::Client;

use crate::harness::daemon::Daemon;
use crate::harness::federation::over;
use crate::harness::postgres::{TestPostgres, eventually};
use crate::harness::raw::{Raw, bind, error, execute, frame, parse, rows, transcript};
use crate::harness::routes::{ROUTES, goes, routed};

const ROWS: u64 = 5_000_000;

/// How much the daemon may grow by while it passes rows on.
const GROWTH: u64 = 100 << 20;

/// From a cancel request to `57014`.
const CANCELLED: Duration = Duration::from_millis(250);

/// From there until the source runs nothing of it any more.
const GONE: Duration = Duration::from_secs(1);

const BIG: &str = "select * from shop.big";

/// A source with a large table, and a view that keeps silent.
struct Big {
    postgres: TestPostgres,
    tusk: Daemon,
    watch: Client,
}

impl Big {
    async fn start(rows: u64) -> Self {
        let postgres = TestPostgres::start();
        postgres
            .exec(&format!(
                "create unlogged table big as select g::bigint as id, md5(g::text) as hash, g * 1.5 as amount \
                 from generate_series(1, {rows}) g; analyze big; create view silent as select 1 as a from pg_sleep(120)"
            ))
            .await;
        let tusk = over(&postgres, "", "");
        let watch = postgres.connect().await;
        // The schema is read before anything is measured.
        let mut raw = Raw::login(tusk.port(), "ana", "tusk");
        assert_eq!(rows_of(&mut raw, "select id from shop.big where id = 7"), [[Some("7".to_owned())]]);
        Big { postgres, tusk, watch }
    }

    fn login(&self) -> Raw {
        Raw::login(self.tusk.port(), "ana", "tusk")
    }

    /// A session whose statements take this route.
    fn via(&self, route: &str) -> Raw {
        let mut raw = routed(&self.tusk, "ana", route);
        goes(&mut raw, route, BIG);
        raw
    }

    /// Statements of Tusk that the source runs now.
    async fn running(&self) -> Vec<String> {
        let sql = "select query || ' / ' || coalesce(wait_event, '') from pg_stat_activity \
                   where state = 'active' and application_name <> 'harness' and backend_type = 'client backend'";
        self.watch.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    async fn begun(&self) {
        eventually("the source runs the statement", Duration::from_secs(20), async || !self.running().await.is_empty())
            .await;
    }

    async fn gone(&self, what: &str) {
        let took =
            eventually(&format!("the source is rid of it: {what}"), GONE, async || self.running().await.is_empty())
                .await;
        eprintln!("{what}: gone at the source after {took:?}");
    }
}

fn rows_of(raw: &mut Raw, sql: &str) -> Vec<Vec<Option<String>>> {
    rows(&raw.ask(sql))
}

/// Reads a result to its end; how many rows, their bytes' sum of the first column, and the most memory seen.
fn drain(raw: &mut Raw, tusk: &Daemon) -> (u64, u64, String) {
    let (mut count, mut most) = (0, 0);
    loop {
        let message = raw.read();
        match message.tag {
            b'D' => {
                count += 1;
                if count % 50_000 == 0 {
                    most = most.max(tusk.resident());
                }
            }
            b'C' => {
                raw.until(b'Z');
                return (count, most, String::from_utf8(message.body).unwrap());
            }
            b'E' => panic!("{}", transcript(&[message])),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_million_rows_pass_through_flat_memory() {
    let big = Big::start(ROWS).await;
    let simple = frame(b'Q', format!("{BIG}\0").as_bytes());
    let extended =
        |format: i16| [parse("", BIG, &[]), bind("", "", 0, &[], &[format]), execute("", 0), frame(b'S', b"")].concat();
    // The engine writes the texts of both protocols with the same encoders: once is enough of it.
    let ways = [
        ("auto, simple", "auto", simple.clone()),
        ("auto, extended, text", "auto", extended(0)),
        ("auto, extended, binary", "auto", extended(1)),
        ("federated, simple", "federated", simple),
        ("federated, extended, binary", "federated", extended(1)),
    ];
    for (what, route, messages) in ways {
        let mut raw = big.via(route);
        let before = big.tusk.resident();
        raw.bytes(&messages);
        // The first row is here while the source still has nearly all of them to read.
        while raw.read().tag != b'D' {}
        let running = big.running().await;
        assert!(!running.is_empty(), "{what}: the source had finished before the first row came");
        let (count, most, tag) = drain(&mut raw, &big.tusk);
        assert_eq!((count + 1, tag.as_str()), (ROWS, "SELECT 5000000\0"), "{what}");
        let growth = most.saturating_sub(before);
        eprintln!("{what}: {} MiB before, grew by {} MiB", before >> 20, growth >> 20);
        assert!(growth < GROWTH, "{what}: grew by {} MiB", growth >> 20);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_costs_no_memory() {
    let big = Big::start(1_500_000).await;
    for route in ROUTES {
        let before = big.tusk.resident();
        let mut stuck: Vec<Raw> = (0..4).map(|_| big.via(route)).collect();
        for (number, raw) in stuck.iter_mut().enumerate() {
            if number % 2 == 0 {
                raw.query(BIG);
            } else {
                raw.bytes(
                    &[parse("", BIG, &[]), bind("", "", 0, &[], &[1]), execute("", 0), frame(b'S', b"")].concat(),
                );
            }
        }
        // Back-pressure has reached the source when it waits for Tusk to read on.
        let reached = async || big.running().await.iter().filter(|query| query.ends_with("/ ClientWrite")).count() == 4;
        let what = format!("{route}: the source waits for four clients that do not read");
        eventually(&what, Duration::from_secs(30), reached).await;
        let growth = big.tusk.resident().saturating_sub(before);
        assert!(growth < GROWTH, "{route}: grew by {} MiB", growth >> 20);
        // Meanwhile others are served, and who begins to read gets everything.
        assert_eq!(rows_of(&mut big.login(), "select 1").len(), 1, "{route}");
        let (count, _, _) = drain(&mut stuck[1], &big.tusk);
        assert_eq!(count, 1_500_000, "{route}");
        drop(stuck);
        big.gone(&format!("{route}: clients that closed without reading")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_while_rows_stream() {
    let big = Big::start(ROWS).await;
    let protocols = [("simple", false), ("extended", true), ("simple again", false)];
    for (route, (protocol, extended)) in
        ROUTES.into_iter().flat_map(|route| protocols.map(|protocol| (route, protocol)))
    {
        let what = format!("{route}, {protocol}");
        let mut raw = big.via(route);
        if extended {
            raw.bytes(&[parse("", BIG, &[]), bind("", "", 0, &[], &[1]), execute("", 0), frame(b'S', b"")].concat());
        } else {
            raw.query(BIG);
        }
        while raw.read().tag != b'D' {}
        let asked = Instant::now();
        raw.cancel();
        let messages = raw.until(b'E');
        let took = asked.elapsed();
        let fields = error(&messages);
        assert_eq!(
            (fields[&'C'].as_str(), fields[&'M'].as_str()),
            ("57014", "canceling statement due to user request"),
            "{what}"
        );
        big.gone(&format!("cancel, {what}")).await;
        eprintln!("{what}: 57014 after {took:?}, behind {} messages", messages.len());
        assert!(took < CANCELLED, "{what}: 57014 came after {took:?}");
        raw.until(b'Z');
        assert_eq!(rows_of(&mut raw, "select 1").len(), 1, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_before_the_first_row() {
    let big = Big::start(10).await;
    for route in ROUTES {
        let mut raw = big.via(route);
        raw.query("select * from shop.silent");
        big.begun().await;
        let asked = Instant::now();
        raw.cancel();
        assert_eq!(error(&raw.until(b'Z'))[&'C'], "57014", "{route}");
        let took = asked.elapsed();
        assert!(took < CANCELLED, "{route}: 57014 came after {took:?}");
        big.gone(&format!("{route}: cancel before the first row")).await;
        // A wrong key cancels nothing and is not answered.
        raw.query("select * from shop.silent");
        big.begun().await;
        let right = raw.key.clone().unwrap();
        raw.key = Some((right.0, right.1.iter().map(|byte| byte ^ 1).collect()));
        raw.cancel();
        assert_eq!(rows_of(&mut big.login(), "select 1").len(), 1, "{route}");
        assert_eq!(big.running().await.len(), 1, "{route}");
        raw.key = Some(right);
        raw.cancel();
        assert_eq!(error(&raw.until(b'Z'))[&'C'], "57014", "{route}");
        big.gone(&format!("{route}: cancel with the right key")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_vanishes_ends_its_statement() {
    let big = Big::start(ROWS).await;
    // A hash join here; at the source it would take its time to remove its files.
    let join = "select count(*) from shop.big a join shop.big b on a.hash = b.hash";
    // Nothing that several processes of the source would share: they take their time to end.
    let busy = "with recursive r (n) as (select id from shop.big where id = 1 union all select n + 1 from r) select count(*) from r";
    for (sql, route) in
        [(BIG, "auto"), (BIG, "federated"), ("select * from shop.silent", "auto"), (join, "federated"), (busy, "auto")]
    {
        for reset in [true, false] {
            let mut raw = big.login();
            raw.ask(&format!("set tusk.route = {route}"));
            raw.query(sql);
            big.begun().await;
            if sql == BIG {
                while raw.read().tag != b'D' {}
            }
            if reset {
                raw.reset();
            } else {
                drop(raw);
            }
            big.gone(&format!("{} ({})", sql, if reset { "reset" } else { "closed" })).await;
        }
    }
    let mut raw = big.login();
    let running = rows_of(&mut raw, "select query from tusk.queries");
    assert_eq!(running.len(), 1, "{running:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statement_timeout_ends_the_statement_at_the_source() {
    let big = Big::start(ROWS).await;
    for route in ROUTES {
        for sql in ["select * from shop.silent", BIG] {
            let mut raw = big.via(route);
            raw.ask("set statement_timeout = '400ms'");
            let begun = Instant::now();
            raw.query(sql);
            let fields = error(&raw.until(b'E'));
            let took = begun.elapsed();
            assert_eq!(
                (fields[&'C'].as_str(), fields[&'M'].as_str()),
                ("57014", "canceling statement due to statement timeout"),
                "{route}: {sql}"
            );
            big.gone(&format!("{route}: timeout of {sql}")).await;
            assert!(
                (Duration::from_millis(390)..Duration::from_millis(1400)).contains(&took),
                "{route}: {sql}: {took:?}"
            );
            raw.until(b'Z');
            raw.ask("set statement_timeout = 0");
            assert_eq!(rows_of(&mut raw, "select 1").len(), 1, "{route}: {sql}");
        }
        // Time that the client takes to read counts as well.
        let mut raw = big.via(route);
        raw.ask("set statement_timeout = '600ms'");
        raw.query(BIG);
        big.begun().await;
        let what = format!("{route}: a statement that is not read is ended");
        eventually(&what, Duration::from_secs(4), async || big.running().await.is_empty()).await;
        assert_eq!(error(&raw.until(b'Z'))[&'C'], "57014", "{route}");
    }
}

/// A source that dies in the midst of a result: an error, never a result that looks complete.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_lost_while_rows_stream_is_an_error() {
    let big = Big::start(ROWS).await;
    for route in ROUTES {
        let mut raw = big.via(route);
        raw.query(BIG);
        while raw.read().tag != b'D' {}
        let kill = "select pg_terminate_backend(pid) from pg_stat_activity where state = 'active' and application_name <> 'harness' \
                    and backend_type = 'client backend'";
        assert_eq!(big.watch.query(kill, &[]).await.unwrap().len(), 1, "{route}");
        let messages = raw.until(b'Z');
        assert_eq!(error(&messages)[&'C'], "08006", "{route}: {:?}", error(&messages));
        assert!(messages.iter().all(|message| message.tag != b'C'), "{route}");
        let few = "select count(*) from shop.big where id < 10";
        assert_eq!(rows_of(&mut raw, few), [[Some("9".to_owned())]], "{route}");
    }
    assert!(big.postgres.port() > 0);
}
