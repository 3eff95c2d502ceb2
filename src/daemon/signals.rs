//! SIGTERM and SIGINT.
//! Must not know: what stopping means.

use tokio::signal::unix::{SignalKind, signal};

use crate::error::{Error, Result};

/// Resolves at the first SIGTERM or SIGINT.
pub(super) async fn wait_for_stop() -> Result<()> {
    let listen = |kind| signal(kind).map_err(|error| Error::internal("could not listen for signals").with_cause(error));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Resolves at the next SIGTERM or SIGINT: whoever asks twice wants it now.
pub(super) async fn second_stop() {
    if wait_for_stop().await.is_err() {
        std::future::pending::<()>().await;
    }
}
