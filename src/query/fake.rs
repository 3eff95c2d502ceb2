//! A service for tests of the wire: parses for real, answers by what the text says, and can fail in every way.
//! Must not know: engines, catalogs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use futures::{StreamExt, stream};
use tokio::sync::Notify;

use super::{CopyOut, Copying, Opened, Outcome, RunningStatement, Service, cursors, utility};
use crate::engine::datafusion::ScanMeter;
use crate::error::{Error, Notices, Result, SqlState};
use crate::history::{Begun, Running};
use crate::policy::Identity;
use crate::rows::{Answer, BatchStream, Bounds, CommandTag, RowShape, Rows, deadline_after, pump};
use crate::session::{Open, PreparedStatement, Scroll, Session};
use crate::sql::{CopyOptions, Statement, StatementKind};
use crate::types::{self, Encoding, PgType};

/// Rows of one batch.
pub(crate) const BATCH: i64 = 1_000;

/// What the tests look at.
#[derive(Default)]
pub(crate) struct Fake {
    /// Batches that were pulled.
    pub(crate) pulled: Arc<AtomicUsize>,
    /// Streams that live.
    pub(crate) live: Arc<AtomicUsize>,
    /// Given when an execution that never ends has begun.
    pub(crate) hung: Arc<Notify>,
    /// The running statements.
    pub(crate) running: Running,
}

/// Counts a stream as long as it lives.
struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The number in the parentheses behind a word of the text.
fn number(text: &str, word: &str) -> Option<i64> {
    text.split_once(&format!("{word}("))?.1.split(')').next()?.parse().ok()
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![types::field("?column?", PgType { oid: 20, typmod: -1 }, true)]))
}

fn batch(from: i64, to: i64) -> Result<RecordBatch> {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(from..to));
    RecordBatch::try_new(schema(), vec![column]).map_err(|error| Error::internal("batch").with_cause(error))
}

impl Fake {
    /// `rows(n)`: so many rows. `then_fail()`: an error behind them. `then_hang()`: nothing behind them, for ever.
    fn rows(&self, text: &str, count: i64) -> BatchStream {
        self.live.fetch_add(1, Ordering::SeqCst);
        let alive = Alive(Arc::clone(&self.live));
        let pulled = Arc::clone(&self.pulled);
        let batches = stream::iter((0..count).step_by(BATCH as usize)).map(move |from| {
            let _ = &alive;
            pulled.fetch_add(1, Ordering::SeqCst);
            batch(from, count.min(from + BATCH))
        });
        if text.contains("then_fail()") {
            let error = Error::source_fault(SqlState::CONNECTION_FAILURE, "source \"shop\" was lost");
            Box::pin(batches.chain(stream::once(async { Err(error) })))
        } else if text.contains("then_hang()") {
            Box::pin(batches.chain(stream::pending()))
        } else {
            Box::pin(batches)
        }
    }
}

#[async_trait]
impl Service for Fake {
    fn begin(&self, session: &Session, identity: &Arc<Identity>, text: &str) -> RunningStatement {
        let bounds = Bounds {
            deadline: deadline_after(session.statement_timeout(None)),
            ..Bounds::cancelled_by(session.begin_statement(text))
        };
        let entry = self.running.begin(Begun {
            query_id: uuid::Uuid::now_v7().simple().to_string(),
            session_id: session.pid(),
            user_name: identity.user().to_owned(),
            role_names: Vec::new(),
            application_name: session.application_name(),
            client_address: session.client_address(),
            query: text.to_owned(),
        });
        RunningStatement::new((bounds, ScanMeter::default()), entry, self.running.clone(), |_, _| {})
    }

    async fn parse(&self, _running: &RunningStatement, text: &str) -> Result<Vec<Statement>> {
        crate::sql::parse(text)
    }

    async fn prepare(
        &self,
        session: &Session,
        _identity: &Arc<Identity>,
        _running: &RunningStatement,
        statement: Statement,
        _parameter_types: &[u32],
    ) -> Result<PreparedStatement> {
        session.check_may_run(&statement)?;
        if !matches!(statement.kind, StatementKind::Query(_)) {
            let shape = utility::shape(session, &statement)?;
            return Ok(PreparedStatement::utility(statement, shape));
        }
        if statement.text.contains("no_such_table") {
            let error = Error::client(SqlState::UNDEFINED_TABLE, "relation \"no_such_table\" does not exist");
            return Err(error.with_position(15));
        }
        if statement.text.contains("hang_in_planning()") {
            self.hung.notify_one();
            return std::future::pending().await;
        }
        let parameters = vec![PgType { oid: 20, typmod: -1 }; usize::from(statement.parameter_count())];
        let shape = Arc::new(RowShape::of_schema(&schema()));
        Ok(PreparedStatement::planned(statement, parameters, shape, Arc::new(())))
    }

    async fn execute(
        &self,
        session: &mut Session,
        _identity: &Arc<Identity>,
        running: &RunningStatement,
        prepared: &Arc<PreparedStatement>,
        (parameters, _): (Vec<ArrayRef>, Option<Vec<bool>>),
    ) -> Result<Outcome> {
        if !prepared.is_planned() {
            return utility::run(session, running, &prepared.statement);
        }
        let text = &prepared.statement.text;
        if text.contains("1/0") {
            return Err(Error::client(SqlState::DIVISION_BY_ZERO, "division by zero"));
        }
        if text.contains("bug()") {
            return Err(Error::internal("the secret of the house"));
        }
        if text.contains("hang()") && !text.contains("then_hang()") {
            self.hung.notify_one();
            return std::future::pending().await;
        }
        let stream: BatchStream = match parameters.into_iter().next() {
            Some(parameter) => {
                let batch = RecordBatch::try_new(schema(), vec![parameter])
                    .map_err(|error| Error::internal("parameter").with_cause(error));
                Box::pin(stream::once(async { batch }))
            }
            None => self.rows(text, number(text, "rows").unwrap_or(1)),
        };
        let rows =
            Rows { shape: Arc::new(RowShape::of_schema(&schema())), batches: pump(stream, running.bounds().clone()) };
        Ok(Outcome { rows: Some(Answer::Batches(rows)), tag: CommandTag::Select })
    }

    async fn copy(
        &self,
        _session: &mut Session,
        _identity: &Arc<Identity>,
        running: &RunningStatement,
        prepared: &PreparedStatement,
    ) -> Result<Copying> {
        let StatementKind::Copy(copy) = &prepared.statement.kind else { return Err(Error::internal("no COPY")) };
        let text = &prepared.statement.text;
        let stream = self.rows(text, number(text, "rows").unwrap_or(1));
        let rows =
            Rows { shape: Arc::new(RowShape::of_schema(&schema())), batches: pump(stream, running.bounds().clone()) };
        let options = CopyOptions::of(&copy.options, copy.from, &|_| true)?;
        let quoted = vec![false];
        let rows = Answer::Batches(rows);
        Ok(Copying::Out(Box::new(CopyOut { rows, options, encoding: Encoding::Utf8, quoted })))
    }

    async fn open(
        &self,
        session: &mut Session,
        identity: &Arc<Identity>,
        running: &RunningStatement,
        prepared: &Arc<PreparedStatement>,
        parameters: Vec<ArrayRef>,
    ) -> Result<Opened> {
        let Outcome { rows, tag } = self.execute(session, identity, running, prepared, (parameters, None)).await?;
        let rows = rows.map(Answer::into_rows).transpose()?;
        let scroll = rows.map(|rows| Scroll::new(rows, running.bounds().clone(), None));
        let open = scroll.map(|scroll| cursors::opened(scroll, &tag, running, (None, None)));
        Ok(Opened { open, tag })
    }

    fn check_open(&self, identity: &Arc<Identity>, open: &Open) -> Result<()> {
        cursors::check(identity, open)
    }

    async fn hold(&self, _: &mut Session, _: &Arc<Identity>, _: &RunningStatement) -> Result<()> {
        Ok(())
    }

    async fn commit(&self, _: &Session, _: &Notices) -> Result<()> {
        Ok(())
    }

    async fn reuse(&self, _: &Session, _: &Arc<Identity>, _: &RunningStatement, _: &PreparedStatement) -> Result<bool> {
        Ok(false)
    }

    fn is_lasting(&self, _: &PreparedStatement) -> bool {
        false
    }
}
