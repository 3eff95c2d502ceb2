//! Cursors: DECLARE, FETCH, MOVE, and portals whose rows are taken part by part.
//! Must not know: messages, how rows are encoded, where kept rows lie.

use std::sync::Arc;

use arrow::array::ArrayRef;
use futures::{StreamExt, stream};

use super::execute::{Execution, Pace, Produced, calls, execute, read};
use super::plan::Planned as Plan;
use super::prepare::Prepared as Planned;
use super::{Outcome, Query, RunningStatement};
use crate::engine::passthrough::{Stand, Upstream};
use crate::error::{Error, Notices, Result, SqlState};
use crate::names::TableName;
use crate::policy::{self, Authorized, Identity, Permit, Privilege};
use crate::rows::{Answer, Bounds, CommandTag, Rows};
use crate::session::{Cursor, Declared, Open, Portal, PortalState, Prepared, PreparedStatement, Scroll, Session};
use crate::sql::{self, Declare, Direction, Fetch, StatementKind};

/// What an open portal keeps beside its rows.
struct Keeper {
    /// The statement, as long as it runs.
    running: Option<RunningStatement>,
    grounds: Option<Arc<Grounds>>,
    /// Where it stands at its source, if it is a cursor there.
    stand: Option<Arc<Stand>>,
}

/// Who was authorised to read what, and by which grants.
pub(super) struct Grounds {
    identity: Arc<Identity>,
    read: Vec<(TableName, Vec<String>)>,
    permit: Permit,
}

/// What opening a portal gave.
#[derive(Debug)]
pub struct Opened {
    /// Its rows; `None`: it has none, and has run.
    pub open: Option<Open>,
    /// What CommandComplete says.
    pub tag: CommandTag,
}

/// The statement behind an open portal; `None`: it has ended, and its rows are kept.
#[must_use]
pub fn statement_of(open: &Open) -> Option<RunningStatement> {
    open.keeper.downcast_ref::<Keeper>().and_then(|keeper| keeper.running.clone())
}

fn grounds(run: &Execution<'_>, plan: Option<Authorized<Plan>>) -> Option<Arc<Grounds>> {
    let (plan, permit) = plan?.into_parts();
    let read = plan.tables().iter().map(|table| {
        let columns = table.arrow.fields().iter().map(|field| field.name().clone());
        (table.name.clone(), columns.collect())
    });
    Some(Arc::new(Grounds { identity: Arc::clone(run.identity), read: read.collect(), permit }))
}

/// Whether who asks is still granted what an open portal reads, in the same rows and with the same masks.
pub(super) fn check(identity: &Arc<Identity>, open: &Open) -> Result<()> {
    grounds_of(open).map_or(Ok(()), |grounds| grounds.check(identity))
}

fn grounds_of(open: &Open) -> Option<&Arc<Grounds>> {
    open.keeper.downcast_ref::<Keeper>().and_then(|keeper| keeper.grounds.as_ref())
}

impl Grounds {
    fn check(&self, identity: &Arc<Identity>) -> Result<()> {
        if Arc::ptr_eq(&self.identity, identity) {
            return Ok(());
        }
        let wanted = self.read.iter().map(|(table, columns)| (table.clone(), columns, Privilege::Select));
        let now = policy::authorize(identity, wanted, ())?;
        if same(&self.permit, now.permit()) {
            return Ok(());
        }
        let message = "the grants that the cursor was opened with have changed";
        Err(Error::policy(SqlState::INSUFFICIENT_PRIVILEGE, message))
    }
}

fn same(then: &Permit, now: &Permit) -> bool {
    let mut pairs = then.tables().iter().zip(now.tables());
    then.tables().len() == now.tables().len()
        && pairs.all(|((a, _, before), (b, _, after))| {
            let rows = before.row_filter == after.row_filter;
            a == b && rows && before.columns == after.columns && before.masks == after.masks
        })
}

impl Pace {
    /// Part by part, by a portal, which goes forward only.
    pub(super) fn parts() -> Self {
        Pace::Parts(Arc::new(Stand::new(Some(false))))
    }
}

/// Where an open portal stands at its source, if it is a cursor there.
pub(super) fn stand_of(open: &Open) -> Option<&Arc<Stand>> {
    open.keeper.downcast_ref::<Keeper>().and_then(|keeper| keeper.stand.as_ref())
}

/// What is fetched next is what a cursor's source is asked for, and nothing more: it stands there where it stands here, and has locked no
/// other rows.
fn want(open: &Open, direction: Direction) {
    let Some(stand) = stand_of(open) else { return };
    let passed = open.cursor.passed();
    // The last row that it comes to, counted from the first.
    let last = match direction {
        Direction::Forward(i64::MAX) => None,
        Direction::Forward(rows) | Direction::Relative(rows) => Some(passed.saturating_add_signed(rows.max(0))),
        Direction::Backward(rows) => Some(passed.saturating_add_signed(rows.min(0).saturating_neg())),
        Direction::Absolute(row) => u64::try_from(row).ok(),
    };
    stand.want(last.map(|last| last.saturating_sub(stand.came())));
}

/// Opens a portal of the extended protocol: it goes forward only.
pub(super) async fn open(
    run: &mut Execution<'_>,
    prepared: &Arc<PreparedStatement>,
    parameters: Vec<ArrayRef>,
) -> Result<Opened> {
    let Produced { outcome, plan, grounds: read } = execute(run, prepared, parameters).await?;
    let Outcome { rows, tag } = outcome;
    let Some(rows) = rows.map(Answer::into_rows).transpose()? else { return Ok(Opened { open: None, tag }) };
    let bounds = run.running.bounds();
    let mut scroll = Scroll::new(rows, bounds.clone(), None);
    // The cursor has moved, or the rows are written, however many of them this portal gives at once.
    let done = matches!(prepared.statement.kind, StatementKind::Fetch(_)) || matches!(tag, CommandTag::Modified(..));
    if done || reads_inside(run, plan.as_ref()) {
        bounds.guard(scroll.hold(run.query.parts.engine.row_store(true))).await?;
    }

    let grounds = read.or_else(|| grounds(run, plan));
    let stand = if let Pace::Parts(stand) = &run.pace { Some(Arc::clone(stand)) } else { None };
    let open = opened(scroll, &tag, run.running, (grounds, stand));
    Ok(Opened { open: Some(open), tag })
}

/// Whether rows are those of another engine that reads within what the transaction holds at a source. It reads when it needs what it reads,
/// and a cursor tells nothing of what was written since it was opened: all of its rows are read at once and kept.
fn reads_inside(run: &Execution<'_>, plan: Option<&Authorized<Plan>>) -> bool {
    let (Some(upstream), Some(plan)) = (run.session.transaction.remote::<Upstream>(), plan) else { return false };
    let federated = matches!(plan.value(), Plan::Federated(_));
    federated && plan.value().tables().iter().any(|table| *table.source == *upstream.source())
}

/// An open portal of these rows.
pub(super) fn opened(
    scroll: Scroll,
    tag: &CommandTag,
    running: &RunningStatement,
    (grounds, stand): (Option<Arc<Grounds>>, Option<Arc<Stand>>),
) -> Open {
    let keeper = Keeper { running: Some(running.clone()), grounds, stand };
    Open { cursor: Cursor::new(scroll), tag: tag.clone(), keeper: Arc::new(keeper) }
}

/// DECLARE. The statement starts, and reads on as it is fetched.
pub(super) async fn declare(
    run: &mut Execution<'_>,
    declare: &Declare,
    prepared: &Arc<PreparedStatement>,
    planned: &Planned,
    parameters: Vec<ArrayRef>,
) -> Result<Produced> {
    if !declare.hold && !run.session.transaction.is_block() {
        let message = "DECLARE CURSOR can only be used in transaction blocks";
        return Err(Error::client(SqlState::NO_ACTIVE_SQL_TRANSACTION, message));
    }
    run.session.portals.check_new(&declare.name)?;
    if calls(&planned.scope, &["set_config", "pg_notify"]) {
        // The rows are made ahead of the FETCHes, and what these functions do would be seen before it is time.
        return Err(Error::unsupported("a cursor over a function that changes the session is not supported"));
    }
    let stand = Arc::new(Stand::new(declare.scroll));
    let pace = std::mem::replace(&mut run.pace, Pace::Parts(Arc::clone(&stand)));
    let produced = read(run, prepared, planned, parameters).await;
    run.pace = pace;
    let Produced { outcome, plan, .. } = produced?;
    let Some(rows) = outcome.rows else { return Err(Error::internal("a cursor's query has no rows")) };
    let rows = rows.into_rows()?;
    let implied = || matches!(&declare.statement.kind, StatementKind::Query(query) if sql::scrolls(query));
    // A cursor that nobody asked to scroll keeps what memory is meant for, and no file.
    let store = match declare.scroll {
        Some(true) => Some(run.query.parts.engine.row_store(true)),
        Some(false) => None,
        None => implied().then(|| run.query.parts.engine.row_store(false)),
    };
    let declared = Declared {
        text: prepared.statement.text.clone(),
        hold: declare.hold,
        binary: declare.binary,
        scrollable: store.is_some(),
    };
    let shape = Arc::clone(&rows.shape);
    let mut scroll = Scroll::new(rows, run.running.bounds().clone(), store);
    if reads_inside(run, plan.as_ref()) {
        run.running.bounds().guard(scroll.hold(run.query.parts.engine.row_store(true))).await?;
    }
    let open = opened(scroll, &CommandTag::Select, run.running, (grounds(run, plan), Some(stand)));
    let statement = PreparedStatement::utility(declare.statement.clone(), Some(shape));
    let portal = Portal {
        prepared: Prepared::Statement(Arc::new(statement)),
        parameters: Vec::new(),
        result_formats: Vec::new(),
        state: PortalState::Open(open),
        depth: run.session.transaction.depth(),
        declared: Some(declared),
        held: false,
    };
    run.session.portals.insert(&declare.name, portal)?;
    let tag = CommandTag::Plain("DECLARE CURSOR");
    Ok(Outcome { rows: None, tag }.into())
}

/// FETCH.
pub(super) async fn fetch(run: &mut Execution<'_>, fetch: &Fetch) -> Result<Produced> {
    let Found { cursor, grounds, notices } = cursor(run, fetch).await?;
    let rows = cursor.fetch(&fetch.cursor, fetch.direction, part(run))?;
    let rows = telling(rows, run.running, notices);
    let outcome = Outcome { rows: Some(Answer::Batches(rows)), tag: CommandTag::Fetch };
    Ok(Produced { grounds, ..outcome.into() })
}

/// MOVE.
pub(super) async fn advance(run: &mut Execution<'_>, fetch: &Fetch) -> Result<Produced> {
    let Found { cursor, notices, .. } = cursor(run, fetch).await?;
    let passed = part(run).guard(cursor.advance(&fetch.cursor, fetch.direction)).await;
    run.running.bounds().notices.take_over(&notices);
    let passed = passed?;
    Ok(Outcome { rows: None, tag: CommandTag::Move(passed) }.into())
}

/// The bounds of one FETCH: its own deadline and cancel token. The limits are those of the cursor.
fn part(run: &Execution<'_>) -> Bounds {
    let bounds = run.running.bounds();
    Bounds { deadline: bounds.deadline, ..bounds.of_parts() }
}

/// A cursor, what it was authorised for, and where what its source says beside its rows is put.
struct Found {
    cursor: Cursor,
    grounds: Option<Arc<Grounds>>,
    notices: Notices,
}

impl Found {
    fn of(open: &Open) -> Self {
        let notices = statement_of(open).map(|running| running.bounds().notices.clone()).unwrap_or_default();
        Found { cursor: open.cursor.clone(), grounds: grounds_of(open).cloned(), notices }
    }
}

/// Rows of a cursor, with what its source says beside them told to the statement that takes them.
fn telling(rows: Rows, running: &RunningStatement, theirs: Notices) -> Rows {
    let (Rows { shape, mut batches }, ours) = (rows, running.bounds().notices.clone());
    let batches = Box::pin(stream::poll_fn(move |context| {
        let next = batches.poll_next_unpin(context);
        ours.take_over(&theirs);
        next
    }));
    Rows { shape, batches }
}

/// The cursor of this name, which may be a portal of the extended protocol; one that has not run yet is begun.
async fn cursor(run: &mut Execution<'_>, fetch: &Fetch) -> Result<Found> {
    let name = fetch.cursor.as_str();
    match &run.session.portals.cursor(name)?.state {
        PortalState::Open(open) => {
            check(run.identity, open)?;
            want(open, fetch.direction);
            return Ok(Found::of(open));
        }
        PortalState::Failed | PortalState::Active => {
            let message = format!("portal \"{name}\" cannot be run");
            return Err(Error::client(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
        }
        PortalState::Bound | PortalState::Done(..) => {}
    }
    let mut portal = run.session.portals.take(name)?;
    let open = match &portal.state {
        PortalState::Done(tag, rows) => ended(&portal, tag.clone(), *rows, run.running.bounds()),
        _ => begun(run, &mut portal).await,
    };
    match open {
        Ok(open) => {
            want(&open, fetch.direction);
            let found = Found::of(&open);
            portal.state = PortalState::Open(open);
            run.session.portals.put_back(name, portal);
            Ok(found)
        }
        Err(error) => {
            portal.state = PortalState::Failed;
            run.session.portals.put_back(name, portal);
            Err(error)
        }
    }
}

async fn begun(run: &mut Execution<'_>, portal: &mut Portal) -> Result<Open> {
    let Prepared::Statement(prepared) = portal.prepared.clone() else { return Err(no_rows()) };
    if prepared.shape.is_none() {
        return Err(no_rows());
    }
    run.session.transaction.note_query();
    run.deeper()?;
    let parameters = std::mem::take(&mut portal.parameters);
    let pace = std::mem::replace(&mut run.pace, Pace::parts());
    let opened = Box::pin(open(run, &prepared, parameters)).await;
    run.pace = pace;
    run.depth -= 1;
    opened?.open.ok_or_else(no_rows)
}

fn ended(portal: &Portal, tag: CommandTag, rows: u64, bounds: &Bounds) -> Result<Open> {
    let shape = portal.prepared.shape().cloned().ok_or_else(no_rows)?;
    let cursor = Cursor::new(Scroll::ended(shape, rows, bounds.clone()));
    Ok(Open { cursor, tag, keeper: Arc::new(Keeper { running: None, grounds: None, stand: None }) })
}

fn no_rows() -> Error {
    Error::unsupported("FETCH from a portal whose statement returns no rows is not supported")
}

/// Holds the cursors WITH HOLD of the transaction: reads them to their end.
pub(super) async fn hold(
    query: &Query,
    session: &mut Session,
    identity: &Arc<Identity>,
    running: &RunningStatement,
) -> Result<()> {
    for name in session.portals.to_hold() {
        let PortalState::Open(open) = &session.portals.cursor(&name)?.state else { continue };
        check(identity, open)?;
        want(open, Direction::Forward(i64::MAX));
        let Found { cursor, grounds, notices } = Found::of(open);
        let held = running.bounds().guard(cursor.hold(&name, query.parts.engine.row_store(true))).await;
        running.bounds().notices.take_over(&notices);
        held?;
        // The statement has ended; what it was authorised for is held against the policy as long as its rows are.
        session.portals.hold(&name, Arc::new(Keeper { running: None, grounds, stand: None }));
    }
    Ok(())
}

/// The rows of an open portal's next part, at most so many.
///
/// # Errors
/// `55000` where it cannot be run.
pub fn next_part(open: &Open, name: &str, rows: Option<u64>, bounds: Bounds) -> Result<Rows> {
    let count = rows.and_then(|rows| i64::try_from(rows).ok()).unwrap_or(i64::MAX);
    want(open, Direction::Forward(count));
    open.cursor.fetch(name, Direction::Forward(count), bounds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::identity_for_tests as identity;

    #[test]
    fn a_portal_goes_on_only_while_its_grants_stand() {
        let who = |grant: &str| {
            Arc::new(identity(&format!(
                "[[user]]\nname = \"u\"\nroles = [\"a\"]\n[[role]]\nname = \"a\"\n[[role.grant]]\n{grant}\n"
            )))
        };
        let then = who("tables = [\"s.t\"]\ncolumns = [\"x\", \"y\"]");
        let read = vec![(TableName::new("s", "t"), vec!["x".to_owned()])];
        let wanted = read.iter().map(|(table, columns)| (table.clone(), columns, Privilege::Select));
        let permit = policy::authorize(&then, wanted, ()).unwrap().permit().clone();
        let grounds = Grounds { identity: Arc::clone(&then), read, permit };
        let code = |identity| grounds.check(&identity).map_err(|error| error.state().code());
        assert_eq!(code(then), Ok(()));
        assert_eq!(code(who("tables = [\"s.t\"]\ncolumns = [\"y\", \"x\"]")), Ok(()));
        assert_eq!(code(who("tables = [\"s.other\"]")), Err("42P01"));
        assert_eq!(code(who("tables = [\"s.t\"]\ncolumns = [\"y\"]")), Err("42703"));
        let filtered = "tables = [\"s.t\"]\ncolumns = [\"x\", \"y\"]\nrow_filter = \"x = 1\"";
        // A rule that is not kept yet hides the table.
        assert_eq!(code(who(filtered)), Err("42P01"));
    }
}
