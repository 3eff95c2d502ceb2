//! Tests of admission.
//! Must not know: anything outside `policy`, but the config that roles are written in.

use super::*;
use crate::policy::role::tests::identity;

fn who(limits: &str) -> Identity {
    identity(&format!(
        "[[user]]\nname = \"u\"\nroles = [\"a\", \"b\"]\n[[role]]\nname = \"a\"\n[role.limits]\n{limits}\n\
         [[role]]\nname = \"b\"\n"
    ))
}

fn admission() -> (Admission, Metrics) {
    let metrics = Metrics::new().unwrap();
    (Admission::new(metrics.clone()), metrics)
}

/// Waits until this many statements are queued.
async fn queued(metrics: &Metrics, count: i64) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while metrics.queries_queued().get() != count {
        assert!(Instant::now() < deadline, "{count} queued");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn statements_wait_their_turn() {
    let (admission, metrics) = admission();
    let who = who("max_concurrent = 1\nmax_queued = 1\nqueue_timeout = \"10s\"");
    let never = CancellationToken::new();
    let first = admission.admit(&who, &never).await.unwrap();
    let second = tokio::spawn({
        let (admission, who, never) = (admission.clone(), who.clone(), never.clone());
        async move { admission.admit(&who, &never).await }
    });
    queued(&metrics, 1).await;
    let third = admission.admit(&who, &never).await.unwrap_err();
    assert_eq!(third.state(), SqlState::CONFIGURATION_LIMIT_EXCEEDED);
    assert!(third.detail().unwrap().contains("max_queued"));
    drop(first);
    let second = second.await.unwrap().unwrap();
    assert_eq!(metrics.queries_queued().get(), 0);
    drop(second);
    drop(admission.admit(&who, &never).await.unwrap());
}

#[tokio::test]
async fn waiting_ends_at_the_timeout_and_on_cancel() {
    let (admission, metrics) = admission();
    let who = who("max_concurrent = 1\nqueue_timeout = \"50ms\"");
    let never = CancellationToken::new();
    let first = admission.admit(&who, &never).await.unwrap();
    let error = admission.admit(&who, &never).await.unwrap_err();
    assert_eq!(error.state(), SqlState::CONFIGURATION_LIMIT_EXCEEDED);
    assert!(error.detail().unwrap().contains("max_concurrent"), "{error:?}");
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    assert_eq!(admission.admit(&who, &cancelled).await.unwrap_err().state(), SqlState::QUERY_CANCELED);
    assert_eq!(metrics.queries_queued().get(), 0);
    drop(first);
    drop(admission.admit(&who, &never).await.unwrap());
}

#[tokio::test]
async fn a_waiter_that_goes_away_leaves_no_trace() {
    let (admission, metrics) = admission();
    let who = who("max_concurrent = 1\nmax_queued = 5");
    let never = CancellationToken::new();
    let first = admission.admit(&who, &never).await.unwrap();
    for _ in 0..20 {
        let mut waiting = Box::pin(admission.admit(&who, &never));
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(waiting);
    }
    assert_eq!(metrics.queries_queued().get(), 0);
    // One that is granted and dropped before it looks gives its ticket back.
    let mut waiting = Box::pin(admission.admit(&who, &never));
    assert!(futures::poll!(&mut waiting).is_pending());
    drop(first);
    drop(waiting);
    drop(admission.admit(&who, &never).await.unwrap());
}

#[tokio::test]
async fn the_rate_is_limited() {
    let (admission, _) = admission();
    let who = who("statements_per_minute = 3\nqueue_timeout = \"20ms\"");
    let never = CancellationToken::new();
    for _ in 0..3 {
        drop(admission.admit(&who, &never).await.unwrap());
    }
    let error = admission.admit(&who, &never).await.unwrap_err();
    assert!(error.detail().unwrap().contains("statements_per_minute"), "{error:?}");
}

#[tokio::test]
async fn two_users_share_a_role() {
    let (admission, _) = admission();
    let settings = crate::policy::role::tests::settings(
        "[[user]]\nname = \"x\"\nroles = [\"a\"]\n[[user]]\nname = \"y\"\nroles = [\"a\"]\n\
         [[user]]\nname = \"z\"\n[[role]]\nname = \"a\"\n[role.limits]\nmax_connections = 1\n",
    );
    let policy = crate::policy::Policy::new(&settings);
    let [x, y, z] = ["x", "y", "z"].map(|name| policy.identity(name).unwrap());
    let open = admission.connect(&x).unwrap();
    let error = admission.connect(&y).unwrap_err();
    assert_eq!(error.state(), SqlState::TOO_MANY_CONNECTIONS);
    assert_eq!(error.message(), "too many connections for role \"a\"");
    drop(admission.connect(&z).unwrap());
    drop(open);
    drop(admission.connect(&y).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_more_than_the_limit_under_load() {
    let (admission, metrics) = admission();
    let who = who("max_concurrent = 3");
    let running = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let (admission, who, running) = (admission.clone(), who.clone(), Arc::clone(&running));
            tokio::spawn(async move {
                let ticket = admission.admit(&who, &CancellationToken::new()).await.unwrap();
                let now = running.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                tokio::task::yield_now().await;
                running.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                drop(ticket);
                now
            })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap() <= 3);
    }
    assert_eq!(metrics.queries_queued().get(), 0);
}
#[tokio::test]
async fn one_held_by_the_rate_starts_when_there_is_room() {
    let metrics = Metrics::new().unwrap();
    let admission = Admission::with_minute(metrics.clone(), Duration::from_millis(300));
    let who = who("max_concurrent = 1\nstatements_per_minute = 1\nqueue_timeout = \"60s\"");
    let never = CancellationToken::new();
    let first = admission.admit(&who, &never).await.unwrap();
    let began = Instant::now();
    let second = tokio::spawn({
        let (admission, who, never) = (admission.clone(), who.clone(), never.clone());
        async move { admission.admit(&who, &never).await }
    });
    queued(&metrics, 1).await;
    // The obstacle turns from concurrency to rate while the second waits.
    drop(first);
    drop(second.await.unwrap().unwrap());
    assert!(began.elapsed() < Duration::from_secs(30));
}
