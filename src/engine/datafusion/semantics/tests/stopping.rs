//! Tests of statements that work without ever waiting: while planning and over rows.
//! Must not know: the server.

use std::time::{Duration, Instant};

use super::state;
use crate::engine::datafusion::Stop;
use crate::engine::datafusion::apply::physical;
use crate::engine::datafusion::semantics::{from_datafusion, plan};
use crate::error::SqlState;
use crate::sql;

/// More than this is hours, however slow the build.
const LONG: Duration = Duration::from_secs(30);

/// A constant that takes hours, or makes much of little, is no part of the plan; the execution ends when it is told to.
#[tokio::test(flavor = "multi_thread")]
async fn constants_that_take_long_are_left_to_the_execution() {
    let state = state();
    for query in [
        "select regexp_replace(repeat('x',1000000),'x|.*y','','g')",
        "select 1 where regexp_count(repeat('x',1000000), 'x|.*y') = 0",
        "select count(*) from generate_series(1,8192) g, generate_series(1, g+9990000)",
        "select count(*) from (select generate_series(1,1000000) from generate_series(1,8192)) s",
    ] {
        let begun = Instant::now();
        let statement = sql::parse(query).unwrap().remove(0);
        let bound = plan(&statement, &state, &[]).await.unwrap();
        let planned = physical(&bound.logical, &state).await.unwrap();
        assert!(begun.elapsed() < LONG, "{query}: planned in {:?}", begun.elapsed());
        let stop = Stop::default();
        let (context, stopped) = (state.task_ctx(), stop.clone());
        let task = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            stopped.during(|| {
                runtime.block_on(async {
                    let all = datafusion::physical_plan::collect(planned, context);
                    tokio::time::timeout(LONG, all).await
                })
            })
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!task.is_finished(), "{query} has ended");
        stop.now();
        let told = Instant::now();
        let error = from_datafusion(task.join().unwrap().unwrap().unwrap_err());
        assert_eq!(error.state(), SqlState::QUERY_CANCELED, "{query}");
        assert!(told.elapsed() < LONG, "{query}: ended after {:?}", told.elapsed());
    }
}

/// What a plan shows of a constant is not much larger than what was written.
#[tokio::test]
async fn small_texts_do_not_become_large_constants() {
    let state = state();
    for query in [
        "select repeat('ab', 1000000)",
        "select rpad('x', 1000000, 'y')",
        "select a from t where b = repeat('z', 900000)",
    ] {
        let statement = sql::parse(query).unwrap().remove(0);
        let bound = plan(&statement, &state, &[]).await.unwrap();
        assert!(bound.logical.display_indent().to_string().len() < 10_000, "{query}");
    }
}
