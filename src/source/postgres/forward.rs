//! Rows of a statement as they arrive, handed on as they are; and the connection that they come on.
//! Must not know: which statement it is, whose connection it is, what is in a row.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;

use super::lease::Lease;
use super::line::{Heard, Taken};
use super::pool::Pool;
use super::relay::{self, Ask};
use super::rows::{On, Running};
use super::talk::{self, Before};
use super::trouble::Trouble;
use super::whole::changed;
use super::{errors, words};
use crate::error::{Error, Result};
use crate::source::{Argument, BatchStream, Described, RowStream, WholeStatement, Words};

/// A statement whose rows are handed on.
pub(super) struct Forwarding {
    /// The socket, and the connection that it belongs to; `None`: the statement has ended, well or not.
    open: Option<(Taken, On)>,
    /// It has ended, and its end was told.
    over: bool,
    /// Columns of a row.
    width: u16,
    /// What came with the last rows and is not their end, or has been heard and not yet told.
    next: Option<Heard>,
    source: String,
    whole: WholeStatement,
    shift: u32,
    affected: u64,
}

impl Forwarding {
    /// What runs.
    pub(super) fn new(open: (Taken, On), source: &str, whole: WholeStatement, described: &Described) -> Self {
        let width = u16::try_from(described.columns.len()).unwrap_or(u16::MAX);
        let source = source.to_owned();
        Forwarding {
            open: Some(open),
            over: false,
            width,
            next: None,
            source,
            whole,
            shift: described.shift,
            affected: 0,
        }
    }

    /// Rows that it wrote, once it has ended.
    pub(super) fn affected(&self) -> u64 {
        self.affected
    }

    /// The next rows; `None` after the last. The connection is back in the pool as soon as the source has sent everything.
    pub(super) async fn next(&mut self) -> Result<Option<(Bytes, u64)>> {
        loop {
            let Some((taken, _)) = &mut self.open else {
                // Nothing but its end is an end.
                return if self.over { Ok(None) } else { Err(errors::lost(&self.source, None)) };
            };
            let heard = match self.next.take() {
                Some(heard) => Ok(heard),
                None => taken.next(Some(self.width)).await,
            };
            words::hear(taken, &self.whole.words, &self.whole.notices);
            match heard {
                Ok(Heard::Rows(bytes, rows)) => {
                    self.whole.meter.add(rows, bytes.len() as u64)?;
                    self.look_ahead()?;
                    return Ok(Some((bytes, rows)));
                }
                Ok(Heard::Message(b'E', body)) => {
                    // Who gives up this wait finds the error again.
                    self.next = Some(Heard::Message(b'E', body.clone()));
                    return Err(self.refused(&body).await);
                }
                Ok(Heard::Message(kind, body)) => self.message(kind, &body)?,
                Err(error) => return Err(self.lost(&error)),
            }
        }
    }

    /// The end often comes with the last rows: who reads them may then use the connection again.
    fn look_ahead(&mut self) -> Result<()> {
        while let Some((taken, _)) = &mut self.open {
            match taken.at_once(Some(self.width)) {
                Ok(Some(Heard::Message(kind, body))) if kind != b'E' => self.message(kind, &body)?,
                // There are more rows where something else was said between them.
                Ok(Some(heard)) => {
                    self.next = Some(heard);
                    return Ok(());
                }
                Ok(None) => return Ok(()),
                Err(error) => return Err(self.lost(&error)),
            }
        }
        Ok(())
    }

    fn message(&mut self, kind: u8, body: &[u8]) -> Result<()> {
        if let Some((taken, _)) = &mut self.open {
            words::hear(taken, &self.whole.words, &self.whole.notices);
        }
        match kind {
            b'C' => self.affected = affected(body),
            b'Z' => {
                if let Some((taken, on)) = self.open.take() {
                    settle(taken, on, true);
                }
                self.over = true;
            }
            b'I' => {}
            _ => return Err(self.lost(&talk::unexpected())),
        }
        Ok(())
    }

    async fn refused(&mut self, body: &Bytes) -> Error {
        let Some((taken, _)) = &mut self.open else { return self.lost(&talk::unexpected()) };
        let trouble = match talk::rest(taken, body).await {
            Ok(complaint) => Trouble::Refused(complaint),
            Err(error) => Trouble::Lost(error),
        };
        self.next = None;
        let (error, healthy) = told(&self.source, trouble, (&self.whole.words, self.shift));
        if let Some((taken, mut on)) = self.open.take() {
            on.unnamed();
            settle(taken, on, healthy);
        }
        error
    }

    fn lost(&mut self, error: &io::Error) -> Error {
        self.open = None;
        errors::lost_by(&self.source, Some(error))
    }

    /// Its rows. Dropping them before their end cancels the statement at the source.
    pub(super) fn into_stream(self) -> RowStream {
        Box::pin(stream::try_unfold(self, |mut forwarding| async move {
            let rows = forwarding.next().await?;
            Ok(rows.map(|rows| (rows, forwarding)))
        }))
    }
}

/// A statement has ended: its connection may serve again, if nothing is left on it.
pub(super) fn settle(mut taken: Taken, on: On, healthy: bool) {
    let over = taken.is_over();
    drop(taken);
    if over && healthy {
        on.finish();
    }
}

/// Rows that a CommandComplete speaks of.
pub(super) fn affected(body: &[u8]) -> u64 {
    let text = body.strip_suffix(&[0]).unwrap_or(body);
    let number = text.rsplit(|byte| *byte == b' ').next();
    number.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).unwrap_or(0)
}

/// Why a statement did not start, or ended, as clients read it; and whether the connection is still good.
pub(super) fn told(source: &str, trouble: Trouble, (words, shift): (&Words, u32)) -> (Error, bool) {
    match trouble {
        Trouble::Refused(complaint) | Trouble::Stale(complaint) => words::complained(source, complaint, (words, shift)),
        Trouble::Setting(complaint) => (errors::refused_setting(source, complaint), false),
        Trouble::Changed => (changed(source), false),
        Trouble::Silent => (errors::lost(source, None), false),
        Trouble::Lost(error) => (errors::lost_by(source, Some(&error)), false),
    }
}

/// Starts a statement: its rows. Dropping the stream before its end cancels the statement at the source.
///
/// # Errors
/// What the source says before it runs; of what has changed since it was described, nothing has run.
pub(super) async fn run(
    pool: &Arc<Pool>,
    whole: WholeStatement,
    described: &Described,
    (arguments, formats): (&[Argument], &[bool]),
) -> Result<RowStream> {
    Ok(start(pool, whole, described, (arguments, formats)).await?.into_stream())
}

/// The same, with the rows made into batches.
pub(super) async fn run_batches(
    pool: &Arc<Pool>,
    whole: WholeStatement,
    described: &Described,
    arguments: &[Argument],
) -> Result<BatchStream> {
    let rows = start(pool, whole, described, (arguments, &[true])).await?;
    Ok(Running::new(rows, pool.source(), described).into_stream())
}

/// Starts a statement on a connection of its own: on an idle one, if it answers, in one round trip.
async fn start(
    pool: &Arc<Pool>,
    whole: WholeStatement,
    described: &Described,
    (arguments, formats): (&[Argument], &[bool]),
) -> Result<Forwarding> {
    let ask = Ask { whole: &whole, described, arguments, formats, keep: true };
    if let Some(mut lease) = pool.lease_idle() {
        let before = lease.before(&whole.query_id, &whole.session);
        let now = (&*whole.query_id, &whole.session);
        match relay::start(&mut lease, ask, &before).await? {
            Ok(taken) => {
                lease.settled(&before, false, now);
                let open = (taken, On::Lease(Box::new(lease)));
                return Ok(Forwarding::new(open, pool.source(), whole, described));
            }
            // Another connection may do.
            Err(Trouble::Silent) => {}
            Err(trouble) => {
                // What was refused came behind the settings; of anything else nobody knows whether they were said.
                if matches!(trouble, Trouble::Refused(_) | Trouble::Stale(_)) {
                    lease.settled(&before, true, now);
                }
                if !trouble.is_stale() {
                    return Err(given_up(pool, &mut lease, trouble, (&whole, described.shift)));
                }
                pool.forget_prepared();
                lease.finish();
            }
        }
    }
    in_steps(pool, whole, described, (arguments, formats)).await
}

/// On a connection that was just seen alive.
async fn in_steps(
    pool: &Arc<Pool>,
    whole: WholeStatement,
    described: &Described,
    (arguments, formats): (&[Argument], &[bool]),
) -> Result<Forwarding> {
    let ask = Ask { whole: &whole, described, arguments, formats, keep: true };
    let mut lease = pool.lease_in(&whole.query_id, &whole.session).await?;
    let mut again = true;
    loop {
        match relay::start(&mut lease, ask, &Before::Nothing).await? {
            Ok(taken) => {
                let open = (taken, On::Lease(Box::new(lease)));
                return Ok(Forwarding::new(open, pool.source(), whole, described));
            }
            Err(trouble) if trouble.is_stale() && std::mem::take(&mut again) => pool.forget_prepared(),
            Err(trouble) => return Err(given_up(pool, &mut lease, trouble, (&whole, described.shift))),
        }
    }
}

/// Why a statement did not start. Its connection may serve again, if only the statement is at fault.
fn given_up(pool: &Pool, lease: &mut Lease, trouble: Trouble, (whole, shift): (&WholeStatement, u32)) -> Error {
    let (error, healthy) = refused(pool, trouble, (whole, shift));
    if healthy {
        lease.finish();
    }
    error
}

/// Why a statement did not start, as clients read it; and whether the connection is still good.
pub(super) fn refused(pool: &Pool, trouble: Trouble, (whole, shift): (&WholeStatement, u32)) -> (Error, bool) {
    if matches!(trouble, Trouble::Changed) || trouble.is_stale() {
        pool.forget_prepared();
    }
    let outdated = trouble.is_outdated();
    let (error, healthy) = told(pool.source(), trouble, (&whole.words, shift));
    (if outdated { error.unrun() } else { error }, healthy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_tag() {
        let tags: [&[u8]; 4] = [b"SELECT 12\0", b"INSERT 0 3\0", b"BEGIN\0", b"UPDATE 18446744073709551615\0"];
        assert_eq!(tags.map(affected), [12, 3, 0, u64::MAX]);
    }
}
