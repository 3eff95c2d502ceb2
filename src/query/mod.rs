//! The path of a query, from its text to its rows.
//! Must not know: sockets, messages, wire formats.

mod running;

use std::sync::Arc;

use arrow::array::ArrayRef;
use async_trait::async_trait;

pub use running::RunningStatement;

use crate::error::{Result, SqlState};
use crate::policy::Identity;
use crate::rows::{CommandTag, Rows};
use crate::session::{PreparedStatement, Session};
use crate::sql::Statement;

/// A notice for the client (WARNING, NOTICE).
#[derive(Debug, Clone)]
pub struct Notice {
    /// `WARNING`, `NOTICE`, `INFO`.
    pub severity: &'static str,
    /// Its SQLSTATE.
    pub state: SqlState,
    /// Its text.
    pub message: String,
}

/// What an execution gives.
#[derive(Debug)]
pub struct Outcome {
    /// Rows, where the statement returns any; bounded and accounted already.
    pub rows: Option<Rows>,
    /// What CommandComplete says after them.
    pub tag: CommandTag,
    /// Sent before the rows.
    pub notices: Vec<Notice>,
}

/// What the wire asks of the rest of the house. One implementation serves; tests put failing ones in its place.
#[async_trait]
pub trait Service: Send + Sync {
    /// Begins a statement: it is seen in `tusk.queries`, can be cancelled and times out from now on.
    fn begin(&self, session: &Session, identity: &Arc<Identity>, text: &str) -> RunningStatement;

    /// Resolves, authorises, routes and plans a statement, for these parameter types (0: find out).
    ///
    /// # Errors
    /// Everything that PostgreSQL says of a statement before it runs, with positions.
    async fn prepare(
        &self,
        session: &Session,
        identity: &Arc<Identity>,
        running: &RunningStatement,
        statement: Statement,
        parameter_types: &[u32],
    ) -> Result<PreparedStatement>;

    /// Runs a prepared statement. `parameters` has one array of one row for each of its parameters, of their types' storage.
    ///
    /// # Errors
    /// Whatever is known before the first row; later errors come with the rows.
    async fn execute(
        &self,
        session: &mut Session,
        identity: &Arc<Identity>,
        running: &RunningStatement,
        prepared: &Arc<PreparedStatement>,
        parameters: Vec<ArrayRef>,
    ) -> Result<Outcome>;
}
