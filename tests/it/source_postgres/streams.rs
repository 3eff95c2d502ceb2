//! Rows that stream, and what becomes of the statement and the connection when they stop.
//! Must not know: values of unusual types.

use std::time::Instant;

use arrow::array::AsArray;
use arrow::datatypes::Int32Type;
use futures::StreamExt;
use tusk::error::SqlState;
use tusk::source::Connector;

use super::*;

const INT4: u32 = 23;
const TEXT: u32 = 25;
/// How soon a statement must be gone from its source.
const GONE: Duration = Duration::from_secs(1);

async fn server() -> TestPostgres {
    let postgres = TestPostgres::start();
    postgres.exec(ACCOUNT).await;
    postgres
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_rows_come_complete_and_give_the_connection_back() {
    let postgres = server().await;
    let shop = connector(&settings(&postgres));
    let wanted =
        query("select i, 'row ' || i from generate_series(1, 1000000) i", &schema(&[("i", INT4), ("t", TEXT)]));
    let meter = Arc::clone(&wanted.meter);
    let mut stream = shop.read(wanted);
    let (mut total, mut sum, mut batches) = (0, 0_i64, 0);
    while let Some(batch) = stream.next().await {
        let batch = batch.unwrap();
        if batches == 0 {
            assert_eq!(batch.num_rows(), 512, "the first batch is small");
        }
        assert!(batch.num_rows() <= 8192);
        total += batch.num_rows();
        sum += batch.column(0).as_primitive::<Int32Type>().values().iter().map(|i| i64::from(*i)).sum::<i64>();
        batches += 1;
    }
    assert_eq!((total, sum), (1_000_000, 500_000_500_000));
    assert_eq!(meter.rows(), 1_000_000);
    assert!(meter.bytes() > 20_000_000);
    drop(stream);
    let status = shop.pool().unwrap();
    assert_eq!((status.in_use, status.idle, status.maximum), (0, 1, 4));
    // The same connection serves again.
    assert_eq!(rows(&shop, "select 1, 'x'", &[("i", INT4), ("t", TEXT)]).await.unwrap()[0].num_rows(), 1);
    assert_eq!(connected(&postgres.connect().await).await, 1);
}

#[tokio::test]
async fn slow_and_wide_rows_leave_early() {
    let postgres = server().await;
    let shop = connector(&settings(&postgres));
    // The server sends a row when its buffer is full or the statement waits for us; a wide row fills it.
    let wide = "select i, repeat('x', 20000) || coalesce(pg_sleep(case when i < 5 then 0 else 30 end)::text, '') from \
                generate_series(1, 5) i";
    let mut wide = shop.read(query(wide, &schema(&[("i", INT4), ("t", TEXT)])));
    let start = Instant::now();
    let batch = wide.next().await.unwrap().unwrap();
    assert!(batch.num_rows() < 5 && start.elapsed() < Duration::from_secs(10));
    // Wide rows do not pile up: 4 MiB a batch, whatever the number of rows.
    let wide = "select i, repeat('x', 1000000) from generate_series(1, 100) i";
    let batches = rows(&shop, wide, &[("i", INT4), ("t", TEXT)]).await.unwrap();
    assert!(batches.iter().all(|batch| batch.num_rows() <= 5), "{}", batches[0].num_rows());
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 100);
}

#[tokio::test]
async fn a_schema_without_columns_counts_rows() {
    let postgres = server().await;
    let shop = connector(&settings(&postgres));
    let batches = rows(&shop, "select null from generate_series(1, 1000)", &[]).await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 1000);
    assert!(rows(&shop, "select 1 where false", &[("i", INT4)]).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_a_stream_ends_the_statement_at_the_source() {
    let postgres = server().await;
    let shop = connector(&settings(&postgres));
    let watcher = postgres.connect().await;
    let endless = "select i, repeat('x', 100) from (select generate_series(1, 2000000000) i) s";
    let sleeping = "select 1, coalesce(pg_sleep(600)::text, '')";
    for (select, reads) in [(endless, true), (sleeping, false)] {
        let mut stream = shop.read(query(select, &schema(&[("i", INT4), ("t", TEXT)])));
        if reads {
            assert_eq!(stream.next().await.unwrap().unwrap().num_rows(), 512);
        } else {
            // Begun, but nothing comes.
            assert!(tokio::time::timeout(Duration::from_millis(300), stream.next()).await.is_err());
        }
        assert_eq!(active(&watcher).await, 1);
        drop(stream);
        let took = eventually("the statement is gone", GONE, async || active(&watcher).await == 0).await;
        eprintln!("gone after {took:?}");
        eventually("the connection is closed", GONE, async || connected(&watcher).await == 0).await;
        eventually("its place is free", GONE, async || shop.pool().unwrap().in_use == 0).await;
        assert_eq!(shop.pool().unwrap().idle, 0, "it must not come back to the pool");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aborting_the_task_that_reads_ends_the_statement_too() {
    let postgres = server().await;
    let shop = Arc::new(connector(&settings(&postgres)));
    let watcher = postgres.connect().await;
    let reader = Arc::clone(&shop);
    let task = tokio::spawn(async move { rows(&reader, "select pg_sleep(600)::text", &[("t", TEXT)]).await });
    eventually("it runs", Duration::from_secs(5), async || active(&watcher).await == 1).await;
    let name = "select application_name from pg_stat_activity where usename = 'tusk'";
    assert_eq!(watcher.query_one(name, &[]).await.unwrap().get::<_, String>(0), "tusk:q1");
    task.abort();
    eventually("the statement is gone", GONE, async || active(&watcher).await == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_end_at_once() {
    let postgres = server().await;
    let shop = connector(&settings(&postgres));
    let watcher = postgres.connect().await;
    let endless = "select i from (select generate_series(1, 2000000000) i) s";
    let mut streams: Vec<_> = (0..4).map(|_| shop.read(query(endless, &schema(&[("i", INT4)])))).collect();
    for stream in &mut streams {
        stream.next().await.unwrap().unwrap();
    }
    assert_eq!(active(&watcher).await, 4);
    drop(streams);
    eventually("all are gone", GONE, async || active(&watcher).await == 0).await;
    // Their places are free again: as many can run anew.
    let again = futures::future::join_all((0..4).map(|_| rows(&shop, "select 1", &[("i", INT4)]))).await;
    assert!(again.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_session_is_set_up_the_same_way_everywhere() {
    let postgres = server().await;
    postgres.exec("alter role tusk set timezone = 'Asia/Tokyo'; alter role tusk set search_path = 'pg_catalog'").await;
    let mut slow = settings(&postgres);
    slow.statement_timeout = Duration::from_millis(300);
    let shop = connector(&slow);
    let show = |name: &str| format!("select current_setting('{name}')");
    for (name, value) in [
        ("TimeZone", "UTC"),
        ("default_transaction_read_only", "on"),
        ("search_path", "\"\""),
        ("client_min_messages", "notice"),
        ("extra_float_digits", "1"),
        ("DateStyle", "ISO, MDY"),
        ("IntervalStyle", "postgres"),
        ("bytea_output", "hex"),
        ("standard_conforming_strings", "on"),
        ("statement_timeout", "300ms"),
        ("client_connection_check_interval", "2s"),
        ("application_name", "tusk:q1"),
    ] {
        let batches = rows(&shop, &show(name), &[("t", TEXT)]).await.unwrap();
        assert_eq!(batches[0].column(0).as_string_view().value(0), value, "{name}");
    }
    // The source's own limit is a timeout for the client too, and the connection stays good.
    let error = rows(&shop, "select pg_sleep(60)::text", &[("t", TEXT)]).await.unwrap_err();
    assert_eq!(error.state(), SqlState::QUERY_CANCELED);
    assert_eq!(shop.pool().unwrap().idle, 1);
    // Of a writable source everything but COPY FROM reads.
    let mut writable = settings(&postgres);
    writable.writable = true;
    let batches = rows(&connector(&writable), &show("default_transaction_read_only"), &[("t", TEXT)]).await.unwrap();
    assert_eq!(batches[0].column(0).as_string_view().value(0), "on");
}
