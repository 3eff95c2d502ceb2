//! One statement from its begin to its last row: its bounds, its entry in the history.
//! Must not know: what it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::datafusion::{ScanMeter, StatementContext, Stop};
use crate::error::Error;
use crate::history::{Entry, Running};
use crate::rows::Bounds;

/// A statement that has begun. When the last clone is dropped, it has ended, whatever the reason.
#[derive(Clone)]
pub struct RunningStatement(Arc<Inner>);

type OnEnd = dyn Fn(&Entry, &Bounds) + Send + Sync;

struct Inner {
    bounds: Bounds,
    entry: Arc<Entry>,
    stop: Stop,
    meter: Arc<ScanMeter>,
    running: Running,
    /// It runs as soon as it is planned.
    at_once: AtomicBool,
    on_end: Box<OnEnd>,
}

impl RunningStatement {
    /// Begins it; `on_end` is called once, when it has ended.
    #[must_use]
    pub fn new(
        (bounds, meter): (Bounds, ScanMeter),
        entry: Arc<Entry>,
        running: Running,
        on_end: impl Fn(&Entry, &Bounds) + Send + Sync + 'static,
    ) -> Self {
        let at_once = AtomicBool::new(false);
        let (on_end, meter) = (Box::new(on_end), Arc::new(meter));
        RunningStatement(Arc::new(Inner { bounds, entry, stop: Stop::default(), meter, running, at_once, on_end }))
    }

    /// Its cancel token, deadline and limits.
    #[must_use]
    pub fn bounds(&self) -> &Bounds {
        &self.0.bounds
    }

    /// Its entry in the history.
    #[must_use]
    pub fn entry(&self) -> &Arc<Entry> {
        &self.0.entry
    }

    /// What tells its work that it has ended.
    #[must_use]
    pub fn stop(&self) -> &Stop {
        &self.0.stop
    }

    /// Counts what it reads from its sources.
    #[must_use]
    pub fn meter(&self) -> &Arc<ScanMeter> {
        &self.0.meter
    }

    /// It runs as soon as it is planned: nobody waits for what is wrong with it in between.
    pub fn runs_at_once(&self) {
        self.0.at_once.store(true, Ordering::Relaxed);
    }

    /// Whether it does.
    pub(super) fn is_at_once(&self) -> bool {
        self.0.at_once.load(Ordering::Relaxed)
    }

    /// What those who do its work need to know of it.
    #[must_use]
    pub fn context(&self) -> StatementContext {
        let (meter, stop) = (Arc::clone(&self.0.meter), self.0.stop.clone());
        StatementContext::new(self.remote_name(), meter, stop, self.0.bounds.notices.clone())
    }

    /// Its id.
    #[must_use]
    pub fn query_id(&self) -> &str {
        &self.0.entry.begun.query_id
    }

    /// What it is called at its sources: the user and its id.
    #[must_use]
    pub fn remote_name(&self) -> String {
        let begun = &self.0.entry.begun;
        // A long name must not cut the id.
        let user: String = begun.user_name.chars().take(20).collect();
        format!("{user}:{}", begun.query_id)
    }

    /// Says that it failed; the first word counts.
    pub fn failed(&self, error: &Error) {
        self.0.entry.ended(Err(error.clone()));
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.now();
        self.running.end(&self.entry.begun.query_id);
        (self.on_end)(&self.entry, &self.bounds);
    }
}
