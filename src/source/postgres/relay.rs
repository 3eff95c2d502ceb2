//! Statements in our own hand on a connection's socket: described, or run with their rows as they come, in the formats that are asked for.
//! Everything of a statement is sent at once, and costs one round trip. Must not know: how a statement was printed, who reads the rows.

use std::io;
use std::sync::Arc;

use postgres_protocol::message::frontend;

use super::kept::{Kept, Key};
use super::lease::Lease;
use super::line::Taken;
use super::talk::{self, Batch, Before, Talk};
use super::trouble::Trouble;
use crate::error::{Error, Notices, Result};
use crate::source::{Argument, Described, WholeStatement, Words};

/// A statement that a connection has under a name of ours.
#[derive(Debug, Clone)]
pub(super) struct Named {
    name: Arc<str>,
    columns: Arc<[Column]>,
}

/// The statements that a connection has under names of ours.
#[derive(Default)]
pub(super) struct Names {
    /// Those that may be used again.
    pub(super) kept: Kept,
    /// Those that are to be closed.
    pub(super) gone: Vec<Arc<str>>,
    /// Whether the statement that names what runs is among them.
    pub(super) namer: bool,
    last: u64,
}

impl Names {
    /// A name that no statement has had.
    pub(super) fn next(&mut self) -> Arc<str> {
        self.last += 1;
        format!("tusk{}", self.last).into()
    }
}

/// A column, as the server describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) oid: u32,
    pub(super) typmod: i32,
    /// The table and the number of the column there that it is, unchanged.
    pub(super) origin: Option<(u32, i16)>,
    /// What its type is, where it is the source's own and was looked up.
    pub(super) own: Option<Own>,
}

/// What a type of a source's own is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    Enum,
    Array,
    Composite,
    Other,
}

/// What a server says that a statement is.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) parameters: Arc<[u32]>,
    pub(super) columns: Arc<[Column]>,
}

impl Named {
    /// The same statement, with what is known of its columns.
    pub(super) fn with_columns(&self, columns: Arc<[Column]>) -> Named {
        Named { columns, ..self.clone() }
    }

    /// What the server knows it by.
    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }
}

/// A statement to be run.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) whole: &'a WholeStatement,
    pub(super) described: &'a Described,
    pub(super) arguments: &'a [Argument],
    /// Whether columns are to come in binary: none, one for all, or one for each.
    pub(super) formats: &'a [bool],
    /// It may come again.
    pub(super) keep: bool,
}

/// A COPY that is to be read.
#[derive(Clone, Copy)]
pub(super) struct Scan<'a> {
    /// The statement.
    pub(super) copy: &'a str,
    /// The SELECT in it: a COPY tells nothing of its columns.
    pub(super) select: &'a str,
}

/// What could not be written as a message.
pub(super) fn unsayable(error: io::Error) -> Error {
    Error::internal("a statement that is no message").with_cause(error)
}

/// Has a statement described. It stays prepared.
pub(super) async fn describe(
    lease: &mut Lease,
    whole: &WholeStatement,
    before: &Before,
) -> Result<std::result::Result<Said, Trouble>> {
    let key = Key { session: &whole.session, sql: &whole.sql, parameters: &whole.parameters };
    // What the connection has under a name may be of tables that are others by now.
    let name = lease.new_name(&key);
    let mut batch = Batch::default();
    let written = batch.before(before, lease).and_then(|()| {
        frontend::parse(&name, &whole.sql, whole.parameters.iter().copied(), &mut batch.bytes)?;
        frontend::describe(b'S', &name, &mut batch.bytes)
    });
    written.map_err(unsayable)?;
    batch.sync();
    let mut talk = match Talk::begin(lease, &batch, before).await {
        Ok(talk) => talk,
        Err(trouble) => return Ok(Err(trouble)),
    };
    let said = match talk.description().await {
        Ok(said) => said,
        Err(trouble) => return Ok(Err(trouble)),
    };
    drop(talk);
    // It will be run with the types that were found out.
    let key = Key { parameters: &said.parameters, ..key };
    lease.name(&key, Named { name, columns: Arc::clone(&said.columns) });
    Ok(Ok(said))
}

/// Starts a statement: its rows are what comes next.
pub(super) async fn start(
    lease: &mut Lease,
    ask: Ask<'_>,
    before: &Before,
) -> Result<std::result::Result<Taken, Trouble>> {
    let types: Arc<[u32]> = ask.described.parameters.iter().map(|(_, oid)| *oid).collect();
    let key = Key { session: &ask.whole.session, sql: &ask.described.sql, parameters: &types };
    // What was prepared when its columns were others is prepared anew.
    let named = if ask.keep { lease.named(&key) } else { None }.filter(|named| same(&named.columns, ask.described));
    let fresh = named.is_none();
    // What writes must not run before it is known that its columns are those that the client was told of.
    let careful = fresh && ask.whole.words.target.is_some() && !ask.described.columns.is_empty();
    let name = match named {
        Some(named) => named.name,
        None if ask.keep => lease.new_name(&key),
        None => Arc::default(),
    };
    let mut batch = Batch::default();
    let written = batch.before(before, lease).and_then(|()| {
        if fresh {
            frontend::parse(&name, key.sql, types.iter().copied(), &mut batch.bytes)?;
            frontend::describe(b'S', &name, &mut batch.bytes)?;
        }
        if careful { Ok(()) } else { batch.execute(&name, ask) }
    });
    written.map_err(unsayable)?;
    if careful {
        batch.flush();
    } else {
        batch.sync();
    }
    let mut talk = match Talk::begin(lease, &batch, before).await {
        Ok(talk) => talk,
        Err(trouble) => return Ok(Err(trouble)),
    };
    let started = match careful {
        true => talk.started_carefully((&*name, ask)).await?,
        false => talk.started(fresh).await,
    };
    let Talk { taken, parsed, .. } = talk;
    match started {
        Ok(None) => Ok(Ok(taken)),
        Ok(Some(said)) => {
            let fits = same(&said.columns, ask.described);
            lease.name(&key, Named { name, columns: said.columns });
            Ok(if fits { Ok(taken) } else { Err(Trouble::Changed) })
        }
        Err(Trouble::Refused(said)) if !fresh && matches!(said.code.as_str(), "26000" | "0A000") => {
            Ok(Err(Trouble::Stale(said)))
        }
        Err(trouble) => {
            if parsed {
                lease.forget(name);
            }
            Ok(Err(trouble))
        }
    }
}

/// Starts a COPY: what comes next is its rows. `fits`: whether its columns are those that it is read as. The SELECT is described in the same
/// transaction, so that its tables stay as they are until the last row.
pub(super) async fn copy(
    lease: &mut Lease,
    scan: Scan<'_>,
    fits: impl Fn(&[Column]) -> bool,
    before: &Before,
) -> Result<std::result::Result<Taken, Trouble>> {
    let mut batch = Batch::default();
    let written = batch.before(before, lease).and_then(|()| {
        frontend::parse("", scan.select, [], &mut batch.bytes)?;
        frontend::describe(b'S', "", &mut batch.bytes)?;
        frontend::parse("", scan.copy, [], &mut batch.bytes)?;
        batch.bind("", &[], &[])?;
        frontend::execute("", 0, &mut batch.bytes)
    });
    written.map_err(unsayable)?;
    batch.sync();
    let mut talk = match Talk::begin(lease, &batch, before).await {
        Ok(talk) => talk,
        Err(trouble) => return Ok(Err(trouble)),
    };
    Ok(talk.copying(fits).await.map(|()| talk.taken))
}

/// Runs a statement of ours that returns no rows. What the server says beside its answer is heard.
pub(super) async fn say(
    lease: &mut Lease,
    sql: &str,
    (words, notices): (&Words, &Notices),
) -> std::result::Result<(), Trouble> {
    let mut batch = Batch::default();
    frontend::query(sql, &mut batch.bytes)?;
    batch.asked += 1;
    let mut talk = Talk::begin(lease, &batch, &Before::Nothing).await?;
    let said = loop {
        match talk.next().await? {
            (b'C', _) => {}
            (b'Z', _) => break Ok(()),
            (b'E', body) => break Err(talk.refused(&body).await),
            _ => return Err(talk::unexpected().into()),
        }
    };
    super::words::hear(&mut talk.taken, words, notices);
    said
}

/// Whether columns are those that were described.
pub(super) fn same(columns: &[Column], described: &Described) -> bool {
    columns.len() == described.columns.len()
        && columns.iter().zip(&described.columns).all(|(now, then)| {
            // The modifier of a type of the source's own is not told.
            let typmod = then.oid >= super::whole::FIRST_USER_OID || now.typmod == then.ty.typmod;
            then.as_text || (now.oid == then.oid && typmod)
        })
}
