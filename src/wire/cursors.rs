//! Portals whose rows are taken part by part, and cursors that outlive their transaction.
//! Must not know: where rows come from, which statement asked for them.

use std::sync::Arc;

use arrow::array::ArrayRef;

use super::connection::Connection;
use super::encode::Formats;
use super::extended::{Run, plain};
use super::io::Stop;
use super::respond;
use crate::error::{Notices, Result};
use crate::query::{Opened, RunningStatement, next_part, statement_of};
use crate::rows::{Bounds, CommandTag, deadline_after};
use crate::session::{Open, Portal, PortalState, Prepared, PreparedStatement, RowCursor};

impl Connection {
    /// Begins a portal whose rows are taken part by part.
    pub(super) async fn open(
        &mut self,
        running: &RunningStatement,
        prepared: &Arc<PreparedStatement>,
        parameters: Vec<ArrayRef>,
    ) -> Result<Opened, Stop> {
        if prepared.is_planned() {
            self.session.transaction.note_query();
        }
        let service = Arc::clone(&self.shared.service);
        let work = service.open(&mut self.session, &self.identity, running, prepared, parameters);
        let opened = self.io.watch(running.bounds(), work).await?;
        self.tell(running.bounds());
        Ok(opened)
    }

    /// Goes on with an open portal. Each part has its own time.
    pub(super) async fn go_on(&mut self, name: &str, portal: &mut Portal, open: Open, limit: Option<u64>) -> Run<()> {
        self.refresh_identity().map_err(plain)?;
        self.shared.service.check_open(&self.identity, &open).map_err(plain)?;
        let text = match &portal.prepared {
            Prepared::Statement(prepared) => prepared.statement.text.as_str(),
            Prepared::Empty(_) => "",
        };
        let (running, bounds) = match statement_of(&open) {
            Some(running) => {
                self.io.entry.active(text);
                self.io.entry.resume_statement(&running.bounds().cancel);
                let timeout = self.session.statement_timeout(self.identity.limits().statement_timeout);
                let bounds = running.bounds().until(deadline_after(timeout));
                (running, bounds)
            }
            None => {
                let running = self.shared.service.begin(&self.session, &self.identity, text);
                let bounds = running.bounds().clone();
                (running, bounds)
            }
        };
        self.part((name, portal), &open, limit, (&running, &bounds)).await
    }

    /// Sends the next part of a portal.
    pub(super) async fn part(
        &mut self,
        (name, portal): (&str, &mut Portal),
        open: &Open,
        limit: Option<u64>,
        (running, bounds): (&RunningStatement, &Bounds),
    ) -> Run<()> {
        let about = |stop: Stop| (stop, Some(running.clone()));
        let formats = Formats::new(portal.result_formats.clone());
        let rows = next_part(open, name, limit, bounds.clone()).map_err(|error| about(error.into()))?;
        let mut cursor = RowCursor::new(rows);
        let delivered = self.deliver(&mut cursor, &formats, bounds, limit).await.map_err(about)?;
        if delivered.suspended {
            self.io.out.portal_suspended();
            return Ok(());
        }
        self.io.out.command_complete(&open.tag.text(delivered.rows));
        // A cursor may go back; what Bind made is done.
        if portal.declared.is_none() {
            portal.state = PortalState::Done(open.tag.clone(), open.cursor.passed());
        }
        Ok(())
    }

    /// Before a block commits: its cursors WITH HOLD are read to their end, and the source commits what was done there. The last is not
    /// given up for a cancel or a timeout, as PostgreSQL's COMMIT is not.
    pub(super) async fn before_commit(&mut self, running: &RunningStatement) -> Result<(), Stop> {
        let service = Arc::clone(&self.shared.service);
        let holding = service.hold(&mut self.session, &self.identity, running);
        self.io.watch(running.bounds(), holding).await?;
        self.session.assure_commit()?;
        Ok(service.commit(&self.session, &running.bounds().notices).await?)
    }

    /// Holds the cursors WITH HOLD of an implicit transaction that is about to commit.
    pub(super) async fn hold_cursors(&mut self, running: &RunningStatement) -> Result<(), Stop> {
        if !self.session.must_hold() {
            return Ok(());
        }
        let service = Arc::clone(&self.shared.service);
        let work = service.hold(&mut self.session, &self.identity, running);
        self.io.watch(running.bounds(), work).await
    }

    /// Sync: the implicit transaction commits.
    pub(super) async fn sync(&mut self) -> Run<()> {
        if self.session.must_hold() {
            let running = self.shared.service.begin(&self.session, &self.identity, "COMMIT");
            self.hold_cursors(&running).await.map_err(|stop| (stop, Some(running.clone())))?;
            self.io.entry.end_statement();
        }
        self.finish_message().await.map_err(|error| (error.into(), None))
    }

    /// A message, or everything up to a Sync, has ended well: its implicit transaction commits.
    pub(super) async fn finish_message(&mut self) -> Result<()> {
        if !self.session.transaction.goes_on() {
            self.session.assure_commit()?;
            let notices = Notices::default();
            let committed = self.shared.service.commit(&self.session, &notices).await;
            respond::notices(&mut self.io.out, &notices, &self.session.vars);
            committed?;
        }
        self.session.finish_message()
    }

    /// The tag of a portal that has run to its end and is run again: it gives no more rows.
    pub(super) fn nothing_more(&mut self, tag: &CommandTag) {
        self.io.out.command_complete(&tag.text(0));
    }
}
