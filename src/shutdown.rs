//! The drain: one signal that everything with a life of its own listens to, and a count of what still runs.
//! Must not know: what is being shut down.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Handed to everything that accepts or runs; cloned freely.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    drain: CancellationToken,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// A signal that nobody has given yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the drain: nothing new is accepted, idle sessions end, running statements finish.
    pub fn begin_drain(&self) {
        self.drain.cancel();
        self.tasks.close();
    }

    /// Ends the drain: what still runs is cancelled.
    pub fn stop_now(&self) {
        self.begin_drain();
        self.stop.cancel();
    }

    /// Whether the drain has begun.
    #[must_use]
    pub fn draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Resolves when the drain begins.
    pub async fn drain_begun(&self) {
        self.drain.cancelled().await;
    }

    /// Resolves when what still runs must end.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// A token that is cancelled when what still runs must end; children may be cancelled alone.
    #[must_use]
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.child_token()
    }

    /// The tasks that the drain waits for: every task is spawned through this.
    #[must_use]
    pub fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }
}
