//! COPY FROM STDIN on the wire: what the client sends goes to the source in bounded pieces, until it says that it is done or gives up.
//! Must not know: what the data mean, how a source takes them.

use std::time::Duration;

use super::connection::Connection;
use super::framing::{Allowed, Frame, violation};
use super::io::{Ended, Io, Stop, administrator};
use super::messages::{CopyFormat as WireFormat, Severity, utf8};
use super::respond;
use crate::error::{Error, Result, SqlState};
use crate::query::{CopyIn, RunningStatement};
use crate::rows::Bounds;

impl Connection {
    /// Takes the data: how many rows they were.
    pub(super) async fn copy_in(&mut self, running: &RunningStatement, mut copy: CopyIn) -> Result<u64, Stop> {
        let format = if copy.binary { WireFormat::Binary } else { WireFormat::Text };
        self.io.out.copy_in_response(format, copy.columns)?;
        let bounds = running.bounds();
        self.io.push(bounds).await?;
        loop {
            let frame = self.copy_frame(bounds).await?;
            match frame.kind {
                b'd' => self.io.watch(bounds, copy.write(frame.body.freeze())).await?,
                b'c' => break,
                b'f' => match given_up(frame) {
                    Ok(why) => match self.io.watch(bounds, copy.give_up(&why)).await? {},
                    Err(error) => return Err(self.break_off(&mut copy, bounds, error).await?.into()),
                },
                // Flush and Sync mean nothing here, as in PostgreSQL.
                b'H' | b'S' => {}
                _ => return Err(self.out_of_step(&mut copy, running, frame).await),
            }
        }
        self.io.watch(bounds, copy.finish()).await
    }

    /// The next message of the client, within the statement's bounds; silence has an end, too.
    async fn copy_frame(&mut self, bounds: &Bounds) -> Result<Frame, Stop> {
        let limit = self.shared.settings.max_message_size;
        let silence = self.longest_silence();
        let Io { reader, entry, shutdown, .. } = &mut self.io;
        let ended = tokio::select! {
            biased;
            read = bounds.guard(async { Ok(reader.next(Allowed::Session, limit).await) }) => match read? {
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => Ended::Gone,
                Err(error) => Ended::Fatal(error),
            },
            () = entry.terminated() => Ended::Fatal(administrator()),
            () = shutdown.stopped() => Ended::Fatal(administrator()),
            () = tokio::time::sleep(silence) => Ended::Fatal(Error::resource(
                SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
                "terminating connection due to idle-in-transaction timeout",
            )),
        };
        bounds.cancel.cancel();
        Err(Stop::Ended(ended))
    }

    /// How long a client may send nothing while a source holds a transaction for it.
    fn longest_silence(&self) -> Duration {
        const FOREVER: Duration = Duration::from_secs(86_400 * 365);
        let limits =
            [self.session.vars.idle_in_transaction_timeout(), Some(self.shared.settings.idle_in_transaction_timeout)];
        limits.into_iter().flatten().filter(|limit| !limit.is_zero()).min().unwrap_or(FOREVER).min(FOREVER)
    }

    /// A message that cannot be one of COPY data: PostgreSQL has not read it whole then, and ends the session. If it has refused the data
    /// before, it is a message like any other.
    async fn out_of_step(&mut self, copy: &mut CopyIn, running: &RunningStatement, frame: Frame) -> Stop {
        let error = violation(format!("unexpected message type 0x{:02X} during COPY from stdin", frame.kind));
        match self.break_off(copy, running.bounds(), error).await {
            Ok(error) => respond::error(&mut self.io.out, &error, Severity::Error, Some(running)),
            Err(stop) => {
                self.io.reader.put_back(frame);
                return stop;
            }
        }
        running.bounds().cancel.cancel();
        Stop::Ended(Ended::Fatal(violation("terminating connection because protocol synchronization was lost")))
    }

    /// Ends the data because of an error of ours, which gets the place in them that the source had come to.
    ///
    /// # Errors
    /// What the source has found wrong with them before.
    async fn break_off(&mut self, copy: &mut CopyIn, bounds: &Bounds, error: Error) -> Result<Error, Stop> {
        let why = error.message().to_owned();
        match self.io.watch(bounds, copy.give_up(&why)).await {
            Ok(never) => match never {},
            Err(Stop::Failed(said))
                if said.message().strip_prefix("COPY from stdin failed: ") == Some(why.as_str()) =>
            {
                Ok(said.context().map(str::to_owned).into_iter().fold(error, Error::with_context))
            }
            Err(stop) => Err(stop),
        }
    }
}

/// Why the client has given up.
fn given_up(frame: Frame) -> Result<String> {
    let text = frame.body[..].split(|byte| *byte == 0).next().unwrap_or_default();
    utf8(text).map(str::to_owned)
}
