//! A cursor among its rows: forward and backward, absolute and relative, counted as PostgreSQL counts.
//! Must not know: names of cursors, transactions, engines.
//!
//! The position is 0 before the first row, n on row n, and one more than there are rows after the last. What was read stays readable as
//! long as the history keeps it; without one the cursor goes forward only.

use std::fmt;
use std::sync::Arc;

use arrow::array::UInt64Array;
use arrow::compute::take_record_batch;
use arrow::record_batch::RecordBatch;
use futures::StreamExt;
use parking_lot::Mutex;

use crate::error::{Error, Result, SqlState};
use crate::rows::{BatchStream, Bounds, RowShape, RowStore, Rows};
use crate::sql::Direction;

/// As many rows as there are.
const ALL: u64 = i64::MAX as u64;

/// Rows that were read and are kept, from the row of this number (from 0) on.
struct History {
    store: Box<dyn RowStore>,
    from: u64,
}

/// Rows, and a place among them.
pub struct Scroll {
    shape: Arc<RowShape>,
    /// Behind a lock that is never taken, only seen through: a session is shared across threads, a stream is not.
    stream: Mutex<BatchStream>,
    /// The batch that was read last, and the number of its first row.
    last: Option<(RecordBatch, u64)>,
    /// Rows that came from the stream so far.
    read: u64,
    ended: bool,
    position: u64,
    scrollable: bool,
    history: Option<History>,
    /// The limits of the statement: they hold over all that is fetched.
    bounds: Bounds,
}

/// The last move of a fetch: its rows are what is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Leg {
    forward: bool,
    count: u64,
}

impl fmt::Debug for Scroll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scroll").field("position", &self.position).field("read", &self.read).finish_non_exhaustive()
    }
}

fn forward_only() -> Error {
    Error::client(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "cursor can only scan forward")
        .with_hint("Declare it with SCROLL option to enable backward scan.")
}

impl Scroll {
    /// Before the first row. With a store it can scroll, for as long as the store takes what is read.
    #[must_use]
    pub fn new(rows: Rows, bounds: Bounds, store: Option<Box<dyn RowStore>>) -> Self {
        Scroll {
            shape: rows.shape,
            stream: Mutex::new(rows.batches),
            last: None,
            read: 0,
            ended: false,
            position: 0,
            scrollable: store.is_some(),
            history: store.map(|store| History { store, from: 0 }),
            bounds,
        }
    }

    /// After the last of so many rows, none of which is kept.
    #[must_use]
    pub fn ended(shape: Arc<RowShape>, rows: u64, bounds: Bounds) -> Self {
        let none = Rows { shape, batches: Box::pin(futures::stream::empty()) };
        Scroll { read: rows, ended: true, position: rows + 1, ..Scroll::new(none, bounds, None) }
    }

    /// The columns.
    #[must_use]
    pub fn shape(&self) -> &Arc<RowShape> {
        &self.shape
    }

    /// Rows that it has passed, which is where it stands.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.position.min(self.read)
    }

    fn on_row(&self) -> bool {
        (1..=self.read).contains(&self.position)
    }

    /// The number of the row that it stands on, from 1.
    fn stands_on(&self) -> Option<u64> {
        self.on_row().then_some(self.position)
    }

    fn may_go_back(&self) -> Result<()> {
        let kept = self.history.as_ref().is_some_and(|history| history.from == 0);
        if self.scrollable && kept { Ok(()) } else { Err(forward_only()) }
    }

    /// Reads the next batch of the stream. What has no room in the history ends the history: from then on the cursor goes forward only.
    async fn pull(&mut self) -> Result<()> {
        match self.pull_strictly().await {
            Err(Pull::NoRoom(_)) => {
                self.history = None;
                Ok(())
            }
            Err(Pull::Failed(error)) => Err(error),
            Ok(()) => Ok(()),
        }
    }

    /// Reads the next batch of the stream; it must have room in the history, if there is one.
    async fn pull_strictly(&mut self) -> std::result::Result<(), Pull> {
        let Some(batch) = self.stream.get_mut().next().await.transpose().map_err(Pull::Failed)? else {
            self.ended = true;
            *self.stream.get_mut() = Box::pin(futures::stream::empty());
            return Ok(());
        };
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.last = Some((batch.clone(), self.read));
        self.read += batch.num_rows() as u64;
        match &mut self.history {
            Some(history) => history.store.push(&batch).await.map_err(Pull::NoRoom),
            None => Ok(()),
        }
    }

    /// The batch that holds the row of this number, from 0; `None`: there is no such row.
    async fn batch_of(&mut self, row: u64) -> Result<Option<(RecordBatch, u64)>> {
        loop {
            if let Some((batch, first)) = &self.last
                && (*first..self.read).contains(&row)
            {
                return Ok(Some((batch.clone(), *first)));
            }
            if row < self.read {
                let history = self.history.as_mut().ok_or_else(forward_only)?;
                let index = row.checked_sub(history.from).ok_or_else(forward_only)?;
                let (batch, first) = history.store.at(index).await?;
                return Ok(Some((batch, first + history.from)));
            }
            if self.ended {
                return Ok(None);
            }
            self.pull().await?;
        }
    }

    /// Moves without taking rows; how many were passed.
    async fn skip(&mut self, leg: Leg) -> Result<u64> {
        if !leg.forward {
            self.may_go_back()?;
            let behind = self.position.saturating_sub(1);
            let passed = leg.count.min(behind);
            self.position = if passed < leg.count { 0 } else { self.position - passed };
            return Ok(passed);
        }
        let mut left = leg.count;
        loop {
            let step = left.min(self.read.saturating_sub(self.position));
            self.position += step;
            left -= step;
            if left == 0 {
                break;
            }
            if self.ended {
                self.position = self.read + 1;
                break;
            }
            self.pull().await?;
        }
        Ok(leg.count - left)
    }

    fn rewind(&mut self) -> Result<()> {
        if self.position > 0 {
            self.may_go_back()?;
            self.position = 0;
        }
        Ok(())
    }

    /// Goes to where the rows of a fetch begin; the last leg is left.
    async fn approach(&mut self, direction: Direction) -> Result<Leg> {
        let one = |forward| Leg { forward, count: 1 };
        match direction {
            Direction::Forward(0) | Direction::Backward(0) | Direction::Relative(0) => {
                let forward = !matches!(direction, Direction::Backward(_));
                if !self.on_row() {
                    if !forward {
                        self.may_go_back()?;
                    }
                    return Ok(Leg { forward, count: 0 });
                }
                // The row it stands on, again.
                self.skip(one(false)).await?;
                Ok(one(true))
            }
            Direction::Forward(count) => Ok(Leg { forward: count > 0, count: count.unsigned_abs() }),
            Direction::Backward(count) => Ok(Leg { forward: count < 0, count: count.unsigned_abs() }),
            Direction::Relative(count) => {
                let forward = count > 0;
                self.skip_if(Leg { forward, count: count.unsigned_abs() - 1 }).await?;
                Ok(one(forward))
            }
            Direction::Absolute(0) => {
                self.rewind()?;
                Ok(Leg { forward: true, count: 0 })
            }
            Direction::Absolute(count) if count < 0 => {
                self.skip(Leg { forward: true, count: ALL }).await?;
                self.skip_if(Leg { forward: false, count: count.unsigned_abs() - 1 }).await?;
                Ok(one(false))
            }
            Direction::Absolute(count) => {
                let before = count.unsigned_abs() - 1;
                if before < self.position {
                    self.rewind()?;
                }
                self.skip_if(Leg { forward: true, count: before - self.position.min(before) }).await?;
                Ok(one(true))
            }
        }
    }

    async fn skip_if(&mut self, leg: Leg) -> Result<()> {
        if leg.count > 0 {
            self.skip(leg).await?;
        }
        Ok(())
    }

    /// MOVE: how many rows FETCH would have given.
    ///
    /// # Errors
    /// `55000` where it cannot go back; what the stream says.
    pub async fn advance(&mut self, direction: Direction) -> Result<u64> {
        if matches!(direction, Direction::Forward(0) | Direction::Backward(0) | Direction::Relative(0)) {
            return Ok(u64::from(self.on_row()));
        }
        let leg = self.approach(direction).await?;
        if !leg.forward && leg.count == ALL {
            let passed = self.position.saturating_sub(1);
            self.rewind()?;
            return Ok(passed);
        }
        self.skip(leg).await
    }

    /// The next rows of the last leg, at most so many; `None`: there are none.
    async fn step(&mut self, leg: Leg) -> Result<Option<RecordBatch>> {
        let rows = if leg.forward { self.step_forward(leg.count).await? } else { self.step_back(leg.count).await? };
        let Some((batch, rows)) = rows else { return Ok(None) };
        let share = batch.get_array_memory_size() as u64 * rows.num_rows() as u64 / (batch.num_rows() as u64).max(1);
        self.bounds.take(rows.num_rows() as u64, share)?;
        Ok(Some(rows))
    }

    async fn step_forward(&mut self, count: u64) -> Result<Option<(RecordBatch, RecordBatch)>> {
        let Some((batch, first)) = self.batch_of(self.position).await? else {
            self.position = self.read + 1;
            return Ok(None);
        };
        let offset = usize::try_from(self.position - first).unwrap_or(usize::MAX);
        let length = usize::try_from(count).unwrap_or(usize::MAX).min(batch.num_rows().saturating_sub(offset));
        self.position += length as u64;
        let rows = batch.slice(offset, length);
        Ok(Some((batch, rows)))
    }

    async fn step_back(&mut self, count: u64) -> Result<Option<(RecordBatch, RecordBatch)>> {
        self.may_go_back()?;
        let Some(row) = self.position.checked_sub(2) else {
            self.position = 0;
            return Ok(None);
        };
        let Some((batch, first)) = self.batch_of(row).await? else {
            return Err(Error::internal("a cursor has lost rows"));
        };
        let length = count.min(row - first + 1);
        let reversed = UInt64Array::from_iter_values((0..length).map(|i| row - first - i));
        let rows = take_record_batch(&batch, &reversed)
            .map_err(|error| Error::internal("rows could not be reversed").with_cause(error))?;
        self.position -= length;
        Ok(Some((batch, rows)))
    }

    /// Reads everything that is left and keeps it, so that nothing of the statement is needed any more. A cursor that cannot scroll
    /// keeps what is before it.
    ///
    /// # Errors
    /// What the stream says; `53100` and `53200` where there is no room.
    pub async fn hold(&mut self, spare: Box<dyn RowStore>) -> Result<()> {
        match &mut self.history {
            Some(history) => history.store.allow_file(),
            None => {
                self.scrollable = false;
                let mut store = spare;
                store.allow_file();
                let from = match &self.last {
                    Some((batch, first)) => {
                        store.push(batch).await?;
                        *first
                    }
                    None => self.read,
                };
                self.history = Some(History { store, from });
            }
        }
        while !self.ended {
            self.pull_strictly().await.map_err(|error| match error {
                Pull::NoRoom(error) | Pull::Failed(error) => error,
            })?;
        }
        self.last = None;
        Ok(())
    }
}

/// Why a batch could not be read.
enum Pull {
    /// The history has no room for it.
    NoRoom(Error),
    /// The stream failed.
    Failed(Error),
}

/// A cursor's scroll, shared by its portal and by the fetch that runs. While one runs, or after one has failed, it is away.
#[derive(Debug, Clone)]
pub struct Cursor {
    shape: Arc<RowShape>,
    place: Arc<Mutex<Option<Box<Scroll>>>>,
}

/// One fetch under way.
struct Fetching {
    cursor: Cursor,
    scroll: Option<Box<Scroll>>,
    bounds: Bounds,
    /// Where the rows are, until it is there; then what is left.
    way: Way,
}

enum Way {
    To(Direction),
    On(Leg),
}

impl Fetching {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Some(scroll) = &mut self.scroll else { return Ok(None) };
        let way = &mut self.way;
        let step = self.bounds.guard(async {
            let mut leg = match *way {
                Way::To(direction) => scroll.approach(direction).await?,
                Way::On(leg) => leg,
            };
            let rows = if leg.count > 0 { scroll.step(leg).await? } else { None };
            // Backward is an error where it cannot be, whether there is a row or not.
            if let Some(rows) = &rows {
                leg.count -= if leg.count == ALL { 0 } else { rows.num_rows() as u64 };
            }
            *way = Way::On(leg);
            Ok((rows, leg.count == 0))
        });
        match step.await {
            Ok((rows, done)) => {
                if done || rows.is_none() {
                    self.cursor.put(self.scroll.take());
                }
                Ok(rows)
            }
            Err(error) => {
                self.scroll = None;
                Err(error)
            }
        }
    }
}

impl Cursor {
    /// A cursor of this scroll.
    #[must_use]
    pub fn new(scroll: Scroll) -> Self {
        Cursor { shape: Arc::clone(scroll.shape()), place: Arc::new(Mutex::new(Some(Box::new(scroll)))) }
    }

    /// The columns.
    #[must_use]
    pub fn shape(&self) -> &Arc<RowShape> {
        &self.shape
    }

    /// Whether a fetch failed, or has not ended.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.place.lock().is_none()
    }

    /// Rows that it has passed.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.place.lock().as_ref().map_or(0, |scroll| scroll.passed())
    }

    /// The number of the row that it stands on, from 1; `None`: it stands on none.
    #[must_use]
    pub fn stands_on(&self) -> Option<u64> {
        self.place.lock().as_ref().and_then(|scroll| scroll.stands_on())
    }

    /// Whether it stands before the first row.
    #[must_use]
    pub fn is_at_start(&self) -> bool {
        self.place.lock().as_ref().is_some_and(|scroll| scroll.position == 0)
    }

    fn take(&self, name: &str) -> Result<Box<Scroll>> {
        self.place.lock().take().ok_or_else(|| {
            let message = format!("portal \"{name}\" cannot be run");
            Error::client(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
        })
    }

    fn put(&self, scroll: Option<Box<Scroll>>) {
        *self.place.lock() = scroll;
    }

    /// FETCH: rows, within these bounds. The cursor is away until the last of them is taken; if they are not taken to the end, for good.
    ///
    /// # Errors
    /// `55000` if it is away.
    pub fn fetch(&self, name: &str, direction: Direction, bounds: Bounds) -> Result<Rows> {
        let scroll = Some(self.take(name)?);
        let fetching = Fetching { cursor: self.clone(), scroll, bounds, way: Way::To(direction) };
        let batches = futures::stream::unfold(fetching, |mut fetching| async move {
            fetching.next().await.transpose().map(|rows| (rows, fetching))
        });
        // Asked again after its end, it is at its end.
        Ok(Rows { shape: Arc::clone(&self.shape), batches: Box::pin(batches.fuse()) })
    }

    /// MOVE: how many rows FETCH would give.
    ///
    /// # Errors
    /// `55000` if it is away or cannot go back; what the stream says. It is away then, and also if this is not waited for.
    pub async fn advance(&self, name: &str, direction: Direction) -> Result<u64> {
        let mut scroll = self.take(name)?;
        let passed = scroll.advance(direction).await?;
        self.put(Some(scroll));
        Ok(passed)
    }

    /// Keeps everything that is left: see [`Scroll::hold`].
    ///
    /// # Errors
    /// As [`Scroll::hold`]; it is away then.
    pub async fn hold(&self, name: &str, spare: Box<dyn RowStore>) -> Result<()> {
        let mut scroll = self.take(name)?;
        scroll.hold(spare).await?;
        self.put(Some(scroll));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
