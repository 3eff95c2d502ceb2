//! Portals: bound statements, cursors, and rows that wait for the client to ask for more. Both protocols and SQL share their names.
//! Must not know: engines. A portal keeps its stream, never its rows, unless they are kept to be read again.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;
use futures::StreamExt;
use parking_lot::Mutex;

use super::scroll::Cursor;
use super::{Objects, Prepared};
use crate::error::{Error, Result, SqlState};
use crate::names::cut;
use crate::rows::{BatchStream, CommandTag, RowShape, Rows};

/// Portals that one session may have open at once.
const MAX_PORTALS: usize = 10_000;

/// Bytes that the parameters of a session's portals may take together.
const MAX_PARAMETER_BYTES: usize = 64 << 20;

/// Rows, read to a certain row of a certain batch.
pub struct RowCursor {
    shape: Arc<RowShape>,
    /// Behind a lock that is never taken, only seen through: a session is shared across threads, a stream is not.
    batches: Mutex<BatchStream>,
    batch: Option<RecordBatch>,
    offset: usize,
    ended: bool,
}

impl fmt::Debug for RowCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowCursor").field("shape", &self.shape).field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl RowCursor {
    /// Before the first row.
    #[must_use]
    pub fn new(rows: Rows) -> Self {
        RowCursor { shape: rows.shape, batches: Mutex::new(rows.batches), batch: None, offset: 0, ended: false }
    }

    /// The columns.
    #[must_use]
    pub fn shape(&self) -> &Arc<RowShape> {
        &self.shape
    }

    /// The batch that is read now and the first of its rows not read yet; `None`: the end. Waits for the next batch if need be.
    /// Dropping the wait loses nothing.
    ///
    /// # Errors
    /// What the stream says; it has ended then.
    pub async fn batch(&mut self) -> Result<Option<(RecordBatch, usize)>> {
        while !self.ended && self.batch.as_ref().is_none_or(|batch| self.offset >= batch.num_rows()) {
            match self.batches.get_mut().next().await.transpose() {
                Ok(Some(batch)) => {
                    self.batch = Some(batch);
                    self.offset = 0;
                }
                Ok(None) => self.end(),
                Err(error) => {
                    self.end();
                    return Err(error);
                }
            }
        }
        Ok(self.batch.clone().map(|batch| (batch, self.offset)))
    }

    fn end(&mut self) {
        self.ended = true;
        self.batch = None;
        *self.batches.get_mut() = Box::pin(futures::stream::empty());
    }

    /// So many rows of the batch have been read.
    pub fn advance(&mut self, rows: usize) {
        self.offset += rows;
    }
}

/// A portal that has begun and has not run to its end.
#[derive(Debug, Clone)]
pub struct Open {
    /// Its rows.
    pub cursor: Cursor,
    /// What the tag of an Execute message says.
    pub tag: CommandTag,
    /// Whatever the query path wants to find again; kept as long as the portal is open.
    pub keeper: Arc<dyn Any + Send + Sync>,
}

/// How far a portal has come.
#[derive(Debug)]
pub enum PortalState {
    /// Nothing has run.
    Bound,
    /// It is being run; it stands for itself until it is put back.
    Active,
    /// Rows can be taken.
    Open(Open),
    /// It has run to its end: its tag, and how many rows it gave.
    Done(CommandTag, u64),
    /// It failed in a savepoint that was made after it, and cannot be run.
    Failed,
}

/// What DECLARE said of a cursor.
#[derive(Debug, Clone)]
pub struct Declared {
    /// The text of DECLARE.
    pub text: String,
    /// WITH HOLD.
    pub hold: bool,
    /// BINARY.
    pub binary: bool,
    /// SCROLL, said or decided.
    pub scrollable: bool,
}

/// A statement with its parameters.
#[derive(Debug)]
pub struct Portal {
    /// The statement; of a cursor, its query.
    pub prepared: Prepared,
    /// One array of one row for each parameter.
    pub parameters: Vec<ArrayRef>,
    /// The formats asked for: none, one for all columns, or one for each. 0 is text, 1 is binary; others are refused with the first row.
    pub result_formats: Vec<i16>,
    /// How far it has come.
    pub state: PortalState,
    /// Savepoints that stood when it was made.
    pub depth: usize,
    /// By DECLARE.
    pub declared: Option<Declared>,
    /// It has outlived its transaction: nothing but its rows is left of the statement.
    pub held: bool,
}

impl Portal {
    /// Whether nothing can be read from it any more.
    #[must_use]
    fn is_lost(&self) -> bool {
        match &self.state {
            PortalState::Open(open) => open.cursor.is_away(),
            PortalState::Failed | PortalState::Active => true,
            PortalState::Bound | PortalState::Done(..) => false,
        }
    }

    /// Bytes of its parameters.
    fn bytes(&self) -> usize {
        self.parameters.iter().map(|array| array.get_array_memory_size()).sum()
    }

    fn row(&self) -> CursorRow {
        CursorRow { prepared: self.prepared.clone(), declared: self.declared.clone(), created_at: SystemTime::now() }
    }
}

/// A portal as `pg_cursors` shows it.
#[derive(Debug, Clone)]
pub struct CursorRow {
    prepared: Prepared,
    declared: Option<Declared>,
    /// When it was made.
    pub created_at: SystemTime,
}

impl CursorRow {
    /// Its text: that of DECLARE, or of what was bound.
    #[must_use]
    pub fn statement(&self) -> &str {
        match (&self.declared, &self.prepared) {
            (Some(declared), _) => &declared.text,
            (None, Prepared::Statement(prepared)) => &prepared.statement.text,
            (None, Prepared::Empty(_)) => "",
        }
    }

    /// Whether it is WITH HOLD, BINARY, SCROLL.
    #[must_use]
    pub fn options(&self) -> (bool, bool, bool) {
        let declared = self.declared.as_ref();
        declared.map_or((false, false, false), |declared| (declared.hold, declared.binary, declared.scrollable))
    }
}

/// The portals of one session.
#[derive(Debug, Default)]
pub struct Portals {
    by_name: BTreeMap<String, Portal>,
    shown: Arc<Objects>,
    /// At least what their parameters take, in bytes; counted anew when that seems too much.
    bytes: usize,
}

impl Portals {
    /// No portals; what others may see of them goes to `shown`.
    pub(super) fn new(shown: Arc<Objects>) -> Self {
        Portals { by_name: BTreeMap::new(), shown, bytes: 0 }
    }

    /// Whether a new portal may have this name. The unnamed one is always replaced.
    ///
    /// # Errors
    /// `42P03`.
    pub fn check_new(&self, name: &str) -> Result<()> {
        if !name.is_empty() && self.by_name.contains_key(cut(name)) {
            return Err(Error::client(SqlState::DUPLICATE_CURSOR, format!("cursor \"{name}\" already exists")));
        }
        Ok(())
    }

    /// Keeps a portal; the unnamed one is replaced.
    ///
    /// # Errors
    /// `42P03` for a name that is taken, `53400` beyond 10,000 portals or 64 MiB of parameters.
    pub fn insert(&mut self, name: &str, portal: Portal) -> Result<()> {
        self.check_new(name)?;
        let name = cut(name);
        if self.by_name.len() >= MAX_PORTALS {
            return Err(Error::resource(
                SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                format!("too many portals: a session may have {MAX_PORTALS}"),
            ));
        }
        self.bytes += portal.bytes();
        if self.bytes > MAX_PARAMETER_BYTES {
            let others = self.by_name.iter().filter(|(other, _)| *other != name);
            self.bytes = others.map(|(_, portal)| portal.bytes()).sum::<usize>() + portal.bytes();
            // One alone is as large as its message may be.
            if self.bytes > MAX_PARAMETER_BYTES && self.bytes > portal.bytes() {
                return Err(Error::resource(
                    SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                    format!("parameters of a session's portals may take {} MiB", MAX_PARAMETER_BYTES >> 20),
                ));
            }
        }
        self.shown.cursors.lock().insert(name.to_owned(), portal.row());
        self.by_name.insert(name.to_owned(), portal);
        Ok(())
    }

    /// The portal of this name.
    ///
    /// # Errors
    /// `34000`.
    pub fn get(&self, name: &str) -> Result<&Portal> {
        self.by_name.get(cut(name)).ok_or_else(|| missing("portal", name))
    }

    /// The cursor of this name: any portal.
    ///
    /// # Errors
    /// `34000`, in the words for cursors.
    pub fn cursor(&self, name: &str) -> Result<&Portal> {
        self.by_name.get(cut(name)).ok_or_else(|| missing("cursor", name))
    }

    /// The columns of the portal of this name, if there is one and it has any.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<Arc<RowShape>> {
        self.by_name.get(cut(name)).and_then(|portal| portal.prepared.shape().cloned())
    }

    /// Whether this is a BINARY cursor.
    #[must_use]
    pub fn is_binary(&self, name: &str) -> bool {
        let declared = self.by_name.get(cut(name)).and_then(|portal| portal.declared.as_ref());
        declared.is_some_and(|declared| declared.binary)
    }

    /// Takes a portal out, to run it. Its name stays taken.
    ///
    /// # Errors
    /// `34000`.
    pub fn take(&mut self, name: &str) -> Result<Portal> {
        let portal = self.by_name.get_mut(cut(name)).ok_or_else(|| missing("portal", name))?;
        let active = Portal {
            prepared: portal.prepared.clone(),
            parameters: Vec::new(),
            result_formats: Vec::new(),
            state: PortalState::Active,
            depth: portal.depth,
            declared: portal.declared.clone(),
            held: portal.held,
        };
        Ok(std::mem::replace(portal, active))
    }

    /// Puts back what [`Portals::take`] gave.
    pub fn put_back(&mut self, name: &str, portal: Portal) {
        self.by_name.insert(cut(name).to_owned(), portal);
    }

    /// Closes a portal; false: there was none.
    pub fn close(&mut self, name: &str) -> bool {
        let name = cut(name);
        self.shown.cursors.lock().remove(name);
        self.by_name.remove(name).is_some()
    }

    /// CLOSE.
    ///
    /// # Errors
    /// `34000`.
    pub fn close_cursor(&mut self, name: &str) -> Result<()> {
        if self.close(name) { Ok(()) } else { Err(missing("cursor", name)) }
    }

    /// Closes all: rows that wait are dropped, and with them the work behind them.
    pub fn clear(&mut self) {
        self.keep(|_| false);
    }

    fn keep(&mut self, wanted: impl Fn(&Portal) -> bool) {
        let before = self.by_name.len();
        self.by_name.retain(|_, portal| wanted(portal));
        let mut shown = self.shown.cursors.lock();
        if self.by_name.len() != before || shown.len() != before {
            shown.retain(|name, _| self.by_name.contains_key(name));
        }
    }

    /// Their transaction ends: those that were held before stay.
    pub(super) fn end_transaction(&mut self) {
        self.keep(|portal| portal.held);
    }

    /// A statement failed above so many savepoints: those made there keep their names until what failed is rolled back, and nothing else.
    pub(super) fn fail(&mut self, depth: usize) {
        for portal in self.by_name.values_mut().filter(|portal| !portal.held && portal.depth >= depth) {
            portal.state = PortalState::Failed;
            portal.parameters = Vec::new();
        }
    }

    /// Closes those made above so many savepoints.
    pub(super) fn drop_above(&mut self, depth: usize) {
        self.keep(|portal| portal.held || portal.depth <= depth);
    }

    /// Those made above so many savepoints now belong to that level.
    pub(super) fn lift(&mut self, depth: usize) {
        for portal in self.by_name.values_mut() {
            portal.depth = portal.depth.min(depth);
        }
    }

    /// The cursors WITH HOLD that their transaction's end must keep.
    #[must_use]
    pub fn to_hold(&self) -> Vec<String> {
        let holds = |portal: &Portal| {
            !portal.held && portal.declared.as_ref().is_some_and(|declared| declared.hold) && !portal.is_lost()
        };
        self.by_name.iter().filter(|(_, portal)| holds(portal)).map(|(name, _)| name.clone()).collect()
    }

    /// A cursor is held: from now on it lives until it is closed. `keeper` replaces what it kept.
    pub fn hold(&mut self, name: &str, keeper: Arc<dyn Any + Send + Sync>) {
        let Some(portal) = self.by_name.get_mut(cut(name)) else { return };
        portal.held = true;
        portal.depth = 0;
        if let PortalState::Open(open) = &mut portal.state {
            open.keeper = keeper;
        }
    }
}

fn missing(what: &str, name: &str) -> Error {
    Error::client(SqlState::INVALID_CURSOR_NAME, format!("{what} \"{name}\" does not exist"))
}
