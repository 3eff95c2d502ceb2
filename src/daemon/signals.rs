//! SIGTERM, SIGINT and SIGHUP.
//! Must not know: what stopping means.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{Error, Result};

fn listen(kind: SignalKind) -> Result<Signal> {
    signal(kind).map_err(|error| Error::internal("could not listen for signals").with_cause(error))
}

/// Resolves at the first SIGTERM or SIGINT. A SIGHUP asks for a reload, which is not there yet: it is told, and changes nothing.
pub(super) async fn wait_for_stop() -> Result<()> {
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut hang_up = listen(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hang_up.recv() => tracing::warn!("SIGHUP: the configuration stays as it is; restart to change it"),
        }
    }
}

/// Resolves at the next SIGTERM or SIGINT: whoever asks twice wants it now.
pub(super) async fn second_stop() {
    if wait_for_stop().await.is_err() {
        std::future::pending::<()>().await;
    }
}
