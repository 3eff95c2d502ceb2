//! The word that a statement is to stop, for what works without ever waiting: functions over rows, and constants while planning.
//! Must not know: why a statement stops, what it does.

use std::any::Any;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::common::runtime::{JoinSetTracer, set_join_set_tracer};
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::error::{Error, Result, SqlState};

/// Told once that nobody waits for a statement any more. Clones tell the same.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

tokio::task_local! {
    static CURRENT: Stop;
}

thread_local! {
    /// What planning may still do on this thread; none where nothing is planned.
    static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Steps of functions that one planning may take; what makes values counts them by their size.
const PLANNING: u64 = 4_000_000;

impl Stop {
    /// Tells it.
    pub fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Does work of the statement on this thread; what runs in it can [`check`].
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self.clone(), work)
    }
}

/// The statement that this thread works for.
pub(super) fn current() -> Option<Stop> {
    CURRENT.try_with(Clone::clone).ok()
}

/// To be asked now and then by whatever takes long, with the steps it has taken since.
///
/// # Errors
/// `57014` where the statement is to stop, `54000` where planning takes too long.
pub(super) fn check(steps: u64) -> Result<()> {
    if CURRENT.try_with(|stop| stop.0.load(Ordering::Relaxed)).unwrap_or(false) {
        return Err(Error::canceled());
    }
    let Some(left) = LEFT.get() else { return Ok(()) };
    LEFT.set(Some(left.saturating_sub(steps)));
    if steps > left { Err(too_much()) } else { Ok(()) }
}

/// The end of a constant that takes too much to be computed while planning: it is left to the execution.
pub(super) fn too_much() -> Error {
    Error::resource(SqlState::PROGRAM_LIMIT_EXCEEDED, "a constant expression takes too long while planning")
}

/// Whether this thread is planning.
pub(super) fn is_planning() -> bool {
    LEFT.get().is_some()
}

/// Plans on this thread: what is computed in it is bounded.
pub(super) fn planning<T>(plan: impl FnOnce() -> T) -> T {
    struct Restored(Option<u64>);
    impl Drop for Restored {
        fn drop(&mut self) {
            LEFT.set(self.0);
        }
    }
    let _restored = Restored(LEFT.get());
    LEFT.set(Some(LEFT.get().unwrap_or(PLANNING)));
    plan()
}

/// Lets the tasks that DataFusion starts for a statement know it. Once for the process.
pub(super) fn follow_tasks() {
    /// Hands the statement of a task on to those that it starts.
    struct Followed;
    type Made = Box<dyn Any + Send>;
    impl JoinSetTracer for Followed {
        fn trace_future(&self, task: BoxFuture<'static, Made>) -> BoxFuture<'static, Made> {
            match current() {
                Some(stop) => CURRENT.scope(stop, task).boxed(),
                None => task,
            }
        }

        fn trace_block(&self, block: Box<dyn FnOnce() -> Made + Send>) -> Box<dyn FnOnce() -> Made + Send> {
            match current() {
                Some(stop) => Box::new(move || stop.during(block)),
                None => block,
            }
        }
    }
    // A second engine of one process finds it set already.
    let _ = set_join_set_tracer(&Followed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stopped_ends_at_its_next_look() {
        let stop = Stop::default();
        assert!(stop.during(|| check(1)).is_ok());
        stop.clone().now();
        assert_eq!(stop.during(|| check(1)).unwrap_err().state(), SqlState::QUERY_CANCELED);
        assert!(check(1).is_ok());
    }

    #[test]
    fn planning_is_bounded_and_nothing_else() {
        assert!(check(2 * PLANNING).is_ok());
        planning(|| {
            assert!(check(PLANNING - 1).is_ok());
            assert!(planning(|| check(2)).is_err());
        });
        assert!(!is_planning());
    }

    #[tokio::test]
    async fn tasks_know_the_statement_they_work_for() {
        follow_tasks();
        let stop = Stop::default();
        stop.now();
        let task = stop.during(|| datafusion::common::runtime::SpawnedTask::spawn(async { check(1) }));
        assert!(task.join().await.unwrap().is_err());
    }
}
