//! BEGIN, COMMIT, ROLLBACK, SAVEPOINT and their kin.
//! Must not know: the state of a transaction.

use crate::error::Result;

use super::super::cursor::Cursor;
use super::super::statement::{StatementKind, TransactionModes};

pub(super) fn statement(word: &str, cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    match word {
        "begin" => {
            noise(cursor);
            Ok(StatementKind::Begin { start: false, modes: modes(cursor)? })
        }
        "start" => {
            cursor.expect("transaction")?;
            Ok(StatementKind::Begin { start: true, modes: modes(cursor)? })
        }
        "commit" | "end" => {
            if word == "commit" && cursor.eat("prepared") {
                return finish_prepared(true, cursor);
            }
            noise(cursor);
            Ok(StatementKind::Commit { chain: chain(cursor)? })
        }
        "rollback" | "abort" => rollback(word, cursor),
        "savepoint" => cursor.name().map(StatementKind::Savepoint),
        _ => {
            cursor.eat("savepoint");
            cursor.name().map(StatementKind::ReleaseSavepoint)
        }
    }
}

fn finish_prepared(commit: bool, cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    match cursor.text() {
        Some(identifier) => Ok(StatementKind::FinishPrepared { commit, identifier }),
        None => Err(cursor.error()),
    }
}

/// PREPARE TRANSACTION, its two words read already.
pub(super) fn prepare(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    match cursor.text() {
        Some(_) => Ok(StatementKind::PrepareTransaction),
        None => Err(cursor.error()),
    }
}

fn noise(cursor: &mut Cursor<'_>) {
    let _ = cursor.eat("work") || cursor.eat("transaction");
}

fn rollback(word: &str, cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    if word == "rollback" && cursor.eat("prepared") {
        return finish_prepared(false, cursor);
    }
    noise(cursor);
    if word == "rollback" && cursor.eat("to") {
        cursor.eat("savepoint");
        return cursor.name().map(StatementKind::RollbackToSavepoint);
    }
    Ok(StatementKind::Rollback { chain: chain(cursor)? })
}

fn chain(cursor: &mut Cursor<'_>) -> Result<bool> {
    if !cursor.eat("and") {
        return Ok(false);
    }
    let chain = !cursor.eat("no");
    cursor.expect("chain")?;
    Ok(chain)
}

/// `ISOLATION LEVEL ...`, `READ ONLY`, ... with or without commas between; maybe none.
pub(super) fn modes(cursor: &mut Cursor<'_>) -> Result<TransactionModes> {
    let mut modes = TransactionModes::default();
    let mut comma = false;
    loop {
        if cursor.eat("isolation level") {
            modes.isolation = Some(isolation(cursor)?);
        } else if cursor.eat("read only") {
            modes.read_only = Some(true);
        } else if cursor.eat("read write") {
            modes.read_only = Some(false);
        } else if cursor.eat("not deferrable") {
            modes.deferrable = Some(false);
        } else if cursor.eat("deferrable") {
            modes.deferrable = Some(true);
        } else if comma || !cursor.is_done() {
            return Err(cursor.error());
        } else {
            return Ok(modes);
        }
        comma = cursor.eat_symbol(",");
    }
}

fn isolation(cursor: &mut Cursor<'_>) -> Result<&'static str> {
    for level in ["read uncommitted", "read committed", "repeatable read", "serializable"] {
        if cursor.eat(level) {
            return Ok(level);
        }
    }
    Err(cursor.error())
}
