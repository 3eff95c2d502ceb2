//! Cursors over large results: flat memory, time that is counted per FETCH, cancel, limits, files of held rows.
//! Must not know: how a cursor moves (`wire/cursors` compares that with PostgreSQL).

use std::fs;
use std::time::{Duration, Instant};

use crate::harness::daemon::{Daemon, Setup};
use crate::harness::federation::over;
use crate::harness::postgres::{TestPostgres, eventually};
use crate::harness::raw::{Raw, bind, error, execute, parse, rows};
use crate::harness::routes::{goes, routed};

const ROWS: u64 = 5_000_000;

/// How much the daemon may grow by.
const GROWTH: u64 = 100 << 20;

async fn big(rows: u64) -> TestPostgres {
    let postgres = TestPostgres::start();
    postgres
        .exec(&format!(
            "create unlogged table big as select g::bigint as id, md5(g::text) as hash, g * 1.5 as amount \
             from generate_series(1, {rows}) g; analyze big; create view silent as select 1 as a from pg_sleep(120)"
        ))
        .await;
    postgres
}

fn first(raw: &mut Raw, sql: &str) -> Option<String> {
    rows(&raw.ask(sql)).first().and_then(|row| row[0].clone())
}

fn code(raw: &mut Raw, sql: &str) -> String {
    error(&raw.ask(sql))[&'C'].clone()
}

/// Fetches what is left of the cursor `c`; how many rows, and the most memory seen.
fn fetch_all(raw: &mut Raw, tusk: &Daemon) -> (u64, u64) {
    let (mut count, mut most) = (0, 0);
    loop {
        let fetched = rows(&raw.ask("fetch 1000 from c")).len() as u64;
        count += fetched;
        if count % 500_000 == 0 {
            most = most.max(tusk.resident());
        }
        if fetched < 1000 {
            return (count, most);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_million_rows_are_fetched_in_flat_memory() {
    let postgres = big(ROWS).await;
    let tusk = over(&postgres, "", "");
    let plain = "declare c cursor for select * from shop.big";
    let forward = "declare c no scroll cursor for select * from shop.big";
    // What a cursor keeps is the same wherever its rows come from: of the engine's, one is read to its end.
    for (route, declares) in [("auto", vec![plain, forward]), ("federated", vec![plain])] {
        let mut raw = routed(&tusk, "ana", route);
        goes(&mut raw, route, "select * from shop.big");
        assert_eq!(first(&mut raw, "select id from shop.big where id = 7").as_deref(), Some("7"), "{route}");
        let before = tusk.resident();
        for declare in declares {
            raw.ask(&format!("begin; {declare}"));
            let (count, most) = fetch_all(&mut raw, &tusk);
            let growth = most.saturating_sub(before);
            eprintln!("{route}: {declare}: grew by {} MiB", growth >> 20);
            assert_eq!(count, ROWS, "{route}: {declare}");
            assert!(growth < GROWTH, "{route}: {declare}: grew by {} MiB", growth >> 20);
            // So many rows behind are not kept for a cursor that did not ask for it.
            assert_eq!(code(&mut raw, "fetch prior from c"), "55000", "{route}: {declare}");
            raw.ask("rollback");
        }
        // One that did keeps them in a file, and finds them again.
        raw.ask("begin; declare c scroll cursor for select * from shop.big");
        let found = first(&mut raw, "fetch absolute 2000000 from c");
        assert_eq!(found.as_deref().map(str::len), Some(7), "{route}");
        let there = first(&mut raw, "fetch relative 0 from c");
        raw.ask("fetch absolute 1 from c");
        assert_eq!(first(&mut raw, "fetch absolute 2000000 from c"), there, "{route}");
        let growth = tusk.resident().saturating_sub(before);
        eprintln!("{route}: scroll: grew by {} MiB", growth >> 20);
        assert!(growth < GROWTH, "{route}: scroll: grew by {} MiB", growth >> 20);
        raw.ask("rollback");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_is_counted_for_each_fetch() {
    let postgres = big(100_000).await;
    let tusk = over(&postgres, "", "");
    let mut raw = Raw::login(tusk.port(), "ana", "tusk");
    raw.ask("set statement_timeout = '2s'");
    raw.ask("begin; declare c no scroll cursor for select * from shop.big");
    raw.batch(&[parse("", "select id from shop.big", &[]), bind("p", "", 0, &[], &[]), execute("p", 1)]);
    let begun = Instant::now();
    // Longer than a statement may take; each FETCH is short.
    while begun.elapsed() < Duration::from_millis(4500) {
        assert!(first(&mut raw, "fetch 1 from c").is_some());
        assert_eq!(rows(&raw.batch(&[execute("p", 1)])).len(), 1);
        raw.ask("select pg_sleep(0.3)");
    }
    raw.ask("rollback");
    // A FETCH that waits is ended in its time, and the source is told.
    let watch = postgres.connect().await;
    let running = async || {
        let sql = "select 1 from pg_stat_activity where state = 'active' and wait_event = 'PgSleep' and application_name <> 'harness'";
        watch.query(sql, &[]).await.unwrap().len()
    };
    raw.ask("begin; declare c cursor for select * from shop.silent");
    let asked = Instant::now();
    assert_eq!(error(&raw.ask("fetch 1 from c"))[&'M'], "canceling statement due to statement timeout");
    assert!((Duration::from_millis(1900)..Duration::from_secs(10)).contains(&asked.elapsed()), "{:?}", asked.elapsed());
    eventually("the source is rid of it", Duration::from_secs(5), async || running().await == 0).await;
    // Likewise one that is cancelled.
    raw.ask("rollback; set statement_timeout = 0");
    raw.ask("begin; declare c cursor for select * from shop.silent; declare d cursor for select id from shop.big where id = 5");
    assert_eq!(first(&mut raw, "fetch 1 from d").as_deref(), Some("5"));
    raw.query("fetch 1 from c");
    eventually("the source runs it", Duration::from_secs(20), async || running().await > 0).await;
    raw.cancel();
    assert_eq!(error(&raw.until(b'Z'))[&'M'], "canceling statement due to user request");
    eventually("the source is rid of it", Duration::from_secs(5), async || running().await == 0).await;
    assert_eq!(rows(&raw.ask("rollback; select 1")).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_rows_go_to_a_file_within_bounds() {
    let postgres = big(400_000).await;
    let directory = tempfile::tempdir().unwrap();
    let spill = directory.path().join("spill");
    let engine =
        |limit: &str| format!("[engine]\nspill_directory = \"{}\"\nspill_limit = \"{limit}\"\n", spill.display());
    let bytes = || -> u64 {
        let inside = |path: &std::path::Path| fs::read_dir(path).into_iter().flatten().flatten().collect::<Vec<_>>();
        let files = inside(&spill).into_iter().flat_map(|folder| inside(&folder.path()));
        files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
    };
    {
        let tusk = over(&postgres, "", &engine("1GiB"));
        let mut raw = Raw::login(tusk.port(), "ana", "tusk");
        raw.ask("declare h scroll cursor with hold for select id, hash from shop.big order by id");
        assert!(bytes() > 4 << 20, "{} bytes are in files", bytes());
        assert_eq!(first(&mut raw, "fetch last from h").as_deref(), Some("400000"));
        assert_eq!(first(&mut raw, "fetch absolute 123456 from h").as_deref(), Some("123456"));
        assert_eq!(rows(&raw.ask("fetch all from h")).len(), 276_544);
        raw.ask("close h");
        assert_eq!(bytes(), 0);
        raw.ask("declare h cursor with hold for select id, hash from shop.big");
        assert!(bytes() > 0);
        drop(raw);
        eventually("the session's end removes the file", Duration::from_secs(10), async || bytes() == 0).await;
    }
    let tusk = over(&postgres, "", &engine("3MiB"));
    let mut raw = Raw::login(tusk.port(), "ana", "tusk");
    assert_eq!(code(&mut raw, "declare h cursor with hold for select id, hash from shop.big"), "53100");
    assert_eq!(code(&mut raw, "fetch 1 from h"), "34000");
    raw.ask("begin; declare h cursor with hold for select id, hash from shop.big");
    assert_eq!(first(&mut raw, "fetch 1 from h").map(|id| id.is_empty()), Some(false));
    assert_eq!(code(&mut raw, "commit"), "53100");
    // A cursor that may scroll goes on forward where it cannot keep more.
    raw.ask("rollback; begin; declare s scroll cursor for select id, hash from shop.big");
    assert_eq!(rows(&raw.ask("fetch all from s")).len(), 400_000);
    assert_eq!(code(&mut raw, "fetch prior from s"), "55000");
    raw.ask("rollback");
    assert_eq!(bytes(), 0);
}

fn limited(postgres: &TestPostgres, role: &str) -> String {
    format!(
        r#"
[[source]]
name = "shop"
type = "postgres"
url = "postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable"

[[role]]
name = "limited"
{role}

[[user]]
name = "ana"
roles = ["limited"]
"#,
        postgres.port()
    )
}

const ALL: &str = "[[role.grant]]\ntables = [\"*.*\"]\nprivileges = [\"select\"]\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold_over_a_cursor() {
    let postgres = big(100_000).await;
    let role = format!("{ALL}[role.limits]\nmax_rows = 250\n");
    let tusk = Daemon::start(&Setup::trusting(limited(&postgres, &role)));
    let mut raw = Raw::login(tusk.port(), "ana", "tusk");
    raw.ask("begin; declare c cursor for select id from shop.big");
    assert_eq!(rows(&raw.ask("fetch 200 from c")).len(), 200);
    assert_eq!(rows(&raw.ask("fetch 50 from c")).len(), 50);
    assert_eq!(code(&mut raw, "fetch 1 from c"), "54000");
    raw.ask("rollback; begin");
    let first = raw.batch(&[parse("", "select id from shop.big", &[]), bind("p", "", 0, &[], &[]), execute("p", 250)]);
    assert_eq!(rows(&first).len(), 250);
    assert_eq!(error(&raw.batch(&[execute("p", 1)]))[&'C'], "54000");
    raw.ask("rollback");
}
