//! A transaction at a PostgreSQL source: one connection, one statement after the other.
//! Must not know: whose transaction it is, how statements are printed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::execution::memory_pool::MemoryReservation;
use tokio::time::timeout;

use super::cursor::Cursor;
use super::lease::Lease;
use super::pool::Pool;
use super::talk::Before;
use super::trouble::Trouble;
use super::turn::{Shared, lost};
use super::whole::describe_on;
use super::{errors, forward, load, scan, words};
use crate::error::{Error, Notices, Result, SqlState};
use crate::source::{
    Argument, BatchStream, Described, Failed, Load, LoadQuery, Opening, RemoteQuery, RemoteTransaction, RowStream,
    Savepoint, Spot, Stand, WholeStatement, Words,
};

/// How long a COMMIT may take. It is not cancelled with its statement: nobody would know whether it had happened.
const COMMIT_TIME: Duration = Duration::from_secs(60);
/// How long a statement may go on after it was cancelled, or a ROLLBACK may take, before its connection is cut.
const ROLLBACK_TIME: Duration = Duration::from_secs(2);

/// A transaction. Dropped, it is rolled back.
struct Block(Arc<Shared>);

/// Begins a transaction on a connection of the pool.
pub(super) async fn begin(pool: &Arc<Pool>, opening: Opening) -> Result<Arc<dyn RemoteTransaction>> {
    let lease = match at_once(pool, &opening).await? {
        Some(lease) => lease,
        None => {
            let mut lease = pool.lease_in(&opening.query_id, &opening.session).await?;
            let begun = lease.client()?.batch_execute(&opening.begin).await;
            errors::checked(pool.source(), begun, lease.end())?;
            lease
        }
    };
    let block = Block(Arc::new(Shared::new(pool, lease, opening.session)));
    for number in 0..opening.savepoints {
        block.savepoint(Savepoint::Set(number)).await?;
    }
    Ok(Arc::new(block))
}

/// On an idle connection, in one round trip. `None`: there is none, or it turned out to be lost.
async fn at_once(pool: &Arc<Pool>, opening: &Opening) -> Result<Option<Lease>> {
    let Some(mut lease) = pool.lease_idle() else { return Ok(None) };
    let before = lease.settings(&opening.query_id, &opening.session);
    let Before::Settings(first, _) = &before else { return Ok(None) };
    let client = lease.client()?;
    let both = async { tokio::join!(client.batch_execute(first), client.batch_execute(&opening.begin)) };
    match timeout(pool.timeout() / 2, both).await {
        Ok((Ok(()), Ok(()))) => {
            lease.settled(&before, false, (&opening.query_id, &opening.session));
            Ok(Some(lease))
        }
        Ok((Err(error), _)) if error.as_db_error().is_some() => Err(errors::setting(pool.source(), error)),
        Ok((Ok(()), Err(error))) if error.as_db_error().is_some() => {
            Err(errors::statement(pool.source(), error, lease.end()).0)
        }
        Ok(_) | Err(_) => Ok(None),
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block").field("source", &self.0.pool.source()).finish_non_exhaustive()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.0.abandon(ROLLBACK_TIME);
    }
}

/// How errors of statements of ours are told.
fn our_words() -> Words {
    Words { ours: true, ..Words::default() }
}

#[async_trait]
impl RemoteTransaction for Block {
    fn source(&self) -> &str {
        self.0.pool.source()
    }

    async fn describe(&self, statement: &WholeStatement) -> Result<Described> {
        let mut turn = self.0.turn_for(statement).await?;
        turn.settled = false;
        let told = describe_on(&mut turn.held()?.lease, statement, &Before::Nothing).await?;
        let (described, healthy) = match told {
            Ok(described) => (described, true),
            Err(trouble) => {
                let (error, healthy) = forward::told(self.0.pool.source(), trouble, (&statement.words, 0));
                (Err(error), healthy)
            }
        };
        turn.settled = healthy;
        described
    }

    async fn run(
        &self,
        statement: WholeStatement,
        described: Arc<Described>,
        arguments: Vec<Argument>,
    ) -> Result<BatchStream> {
        Ok(self.0.batches(statement, &described, (&arguments, true)).await?.into_stream())
    }

    async fn relay(
        &self,
        statement: WholeStatement,
        described: Arc<Described>,
        (arguments, formats): (Vec<Argument>, Vec<bool>),
    ) -> Result<RowStream> {
        Ok(self.0.started(statement, &described, (&arguments, &formats, true)).await?.into_stream())
    }

    async fn open(
        &self,
        statement: WholeStatement,
        described: Arc<Described>,
        (arguments, stand): (Vec<Argument>, Arc<Stand>),
    ) -> Result<BatchStream> {
        let cursor = Cursor::declare(Arc::clone(&self.0), (statement, described), &arguments, stand).await?;
        Ok(cursor.into_stream())
    }

    async fn place(&self, stand: &Stand, spot: Spot) -> Result<()> {
        self.0.place(stand, spot).await
    }

    fn read(&self, query: RemoteQuery, held: MemoryReservation, failed: Failed) -> BatchStream {
        scan::read(Arc::clone(&self.0), query, held, failed)
    }

    async fn writes(&self, words: &Arc<Words>) -> Result<()> {
        self.0.turn().await?.held()?.writes(words);
        Ok(())
    }

    async fn modify(
        &self,
        statement: WholeStatement,
        described: Arc<Described>,
        arguments: Vec<Argument>,
    ) -> Result<u64> {
        let mut rows = self.0.started(statement, &described, (&arguments, &[], true)).await?;
        while rows.next().await?.is_some() {}
        Ok(rows.affected())
    }

    async fn load(&self, query: LoadQuery) -> Result<Box<dyn Load>> {
        let turn = self.0.turn().await?;
        let mut turn = self.0.turn_in(&query.session, turn).await?;
        turn.settled = false;
        turn.held()?.writes(&query.words);
        load::load(turn, self.0.pool.source(), query).await
    }

    async fn savepoint(&self, savepoint: Savepoint) -> Result<()> {
        let sql = match savepoint {
            Savepoint::Set(number) => format!("SAVEPOINT tusk_{number}"),
            Savepoint::Release(number) => format!("RELEASE SAVEPOINT tusk_{number}"),
            Savepoint::RollBackTo(number) => format!("ROLLBACK TO SAVEPOINT tusk_{number}"),
        };
        let (words, notices) = (our_words(), Notices::default());
        if let Err(error) = self.0.say(&sql, (&words, &notices)).await {
            // A request to cancel the statement before may have come late.
            if error.state() != SqlState::QUERY_CANCELED {
                return Err(error);
            }
            self.0.say(&sql, (&words, &notices)).await?;
        }
        if matches!(savepoint, Savepoint::RollBackTo(_)) {
            // Those that were made behind the mark are gone; the others end with the transaction.
            self.0.closing().lock().forget();
            let mut turn = self.0.turn().await?;
            let held = turn.held()?;
            held.errors = held.lease.errors();
            // It may have taken settings back.
            held.session = held.session.take().filter(|_| !held.changed);
        }
        Ok(())
    }

    async fn set_constraints(&self, deferred: bool, notices: &Notices) -> Result<()> {
        let sql = if deferred { "SET CONSTRAINTS ALL DEFERRED" } else { "SET CONSTRAINTS ALL IMMEDIATE" };
        let words = self.0.turn().await?.held()?.words.clone();
        self.0.say(sql, (&words.unwrap_or_else(|| Arc::new(our_words())), notices)).await
    }

    async fn commit(&self, notices: &Notices) -> Result<()> {
        let source = self.0.pool.source().to_owned();
        let mut turn = self.0.turn().await?;
        let held = turn.held()?;
        if held.lease.errors() != held.errors {
            // It was ended there, or has failed, and would answer with ROLLBACK as if that were a success.
            self.0.end(turn, ("ROLLBACK", ROLLBACK_TIME), (&our_words(), notices)).await;
            return Err(lost(&source));
        }
        let words = held.words.take().unwrap_or_default();
        match self.0.end(turn, ("COMMIT", COMMIT_TIME), (&words, notices)).await {
            Some(Ok(())) => Ok(()),
            // An end of the server or of the connection is no answer.
            Some(Err(Trouble::Refused(complaint))) if !complaint.code.starts_with("57") => {
                Err(words::complained(&source, complaint, (&words, 0)).0)
            }
            _ => Err(Error::source_fault(
                SqlState::TRANSACTION_RESOLUTION_UNKNOWN,
                format!("source \"{source}\" did not say whether it committed"),
            )),
        }
    }

    async fn roll_back(&self) {
        self.0.give_up();
        if let Ok(turn) = self.0.turn().await {
            self.0.end(turn, ("ROLLBACK", ROLLBACK_TIME), (&our_words(), &Notices::default())).await;
        }
    }
}
