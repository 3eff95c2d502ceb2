//! Statements in our own hand on a connection's socket: described, or run with their rows as they come, in the formats that are asked for.
//! Everything of a statement is sent at once, and costs one round trip. Must not know: how a statement was printed, who reads the rows.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fallible_iterator::FallibleIterator;
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::{self, Message};
use postgres_protocol::message::frontend;
use tokio::time::timeout;

use super::complaint::Complaint;
use super::kept::{Kept, Key};
use super::line::{Heard, Taken};
use super::pool::Lease;
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

/// Messages that are sent together.
#[derive(Default)]
struct Batch {
    bytes: BytesMut,
    /// Those that are answered with ReadyForQuery, and one that is to come, where it does not end with it.
    asked: u64,
    /// Nothing ends it: Sync is to be sent.
    open: bool,
}

impl Batch {
    /// What is said before a statement; empty: nothing.
    fn before(&mut self, first: &str, gone: &[Arc<str>]) -> io::Result<()> {
        if !first.is_empty() {
            frontend::query(first, &mut self.bytes)?;
            self.asked += 1;
        }
        gone.iter().try_for_each(|name| frontend::close(b'S', name, &mut self.bytes))
    }

    fn bind(&mut self, name: &str, arguments: &[Argument], formats: &[bool]) -> io::Result<()> {
        let bound = frontend::bind(
            "",
            name,
            arguments.iter().map(|argument| i16::from(argument.binary)),
            arguments,
            |argument, out| match &argument.value {
                None => Ok(IsNull::Yes),
                Some(bytes) => {
                    out.extend_from_slice(bytes);
                    Ok(IsNull::No)
                }
            },
            formats.iter().map(|binary| i16::from(*binary)),
            &mut self.bytes,
        );
        bound.map_err(|error| match error {
            frontend::BindError::Serialization(error) => error,
            frontend::BindError::Conversion(error) => io::Error::other(error),
        })
    }

    /// Binds a statement and runs it.
    fn execute(&mut self, name: &str, ask: Ask<'_>) -> io::Result<()> {
        self.bind(name, ask.arguments, ask.formats)?;
        frontend::execute("", 0, &mut self.bytes)
    }

    fn sync(&mut self) {
        frontend::sync(&mut self.bytes);
        self.asked += 1;
    }

    /// Has what was sent answered before it is known how it ends.
    fn flush(&mut self) {
        self.bytes.extend_from_slice(FLUSH);
        self.asked += 1;
        self.open = true;
    }
}

/// A Flush message, and a Sync.
const FLUSH: &[u8] = b"H\0\0\0\x04";
const SYNC: &[u8] = b"S\0\0\0\x04";

/// What could not be written as a message.
fn unsayable(error: io::Error) -> Error {
    Error::internal("a statement that is no message").with_cause(error)
}

/// Has a statement described. `first`: what is to be said before it. It stays prepared.
pub(super) async fn describe(
    lease: &mut Lease,
    whole: &WholeStatement,
    (first, patience): (&str, Duration),
) -> Result<std::result::Result<Said, Trouble>> {
    let key = Key { session: &whole.session, sql: &whole.sql, parameters: &whole.parameters };
    // What the connection has under a name may be of tables that are others by now.
    let name = lease.new_name(&key);
    let mut batch = Batch::default();
    let gone = lease.gone();
    let written = batch.before(first, &gone).and_then(|()| {
        frontend::parse(&name, &whole.sql, whole.parameters.iter().copied(), &mut batch.bytes)?;
        frontend::describe(b'S', &name, &mut batch.bytes)
    });
    written.map_err(unsayable)?;
    batch.sync();
    let mut talk = match Talk::begin(lease, &batch, (first, patience)).await {
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

/// Starts a statement: its rows are what comes next. `first`: what is to be said before it.
pub(super) async fn start(
    lease: &mut Lease,
    ask: Ask<'_>,
    (first, patience): (&str, Duration),
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
    let gone = lease.gone();
    let written = batch.before(first, &gone).and_then(|()| {
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
    let mut talk = match Talk::begin(lease, &batch, (first, patience)).await {
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

/// Runs a statement of ours that returns no rows. What the server says beside its answer is heard.
pub(super) async fn say(
    lease: &mut Lease,
    sql: &str,
    (words, notices): (&Words, &Notices),
) -> std::result::Result<(), Trouble> {
    let mut batch = Batch::default();
    frontend::query(sql, &mut batch.bytes)?;
    batch.asked += 1;
    let mut talk = Talk::begin(lease, &batch, ("", Duration::ZERO)).await?;
    let said = loop {
        match talk.next().await? {
            (b'C', _) => {}
            (b'Z', _) => break Ok(()),
            (b'E', body) => break Err(talk.refused(&body).await),
            _ => return Err(unexpected().into()),
        }
    };
    super::words::hear(&mut talk.taken, words, notices);
    said
}

/// Whether columns are those that were described.
fn same(columns: &[Column], described: &Described) -> bool {
    columns.len() == described.columns.len()
        && columns.iter().zip(&described.columns).all(|(now, then)| {
            // The modifier of a type of the source's own is not told.
            let typmod = then.oid >= super::whole::FIRST_USER_OID || now.typmod == then.ty.typmod;
            then.as_text || (now.oid == then.oid && typmod)
        })
}

/// The answers to a batch.
struct Talk {
    taken: Taken,
    /// The server has said something.
    heard: bool,
    /// The statement is prepared.
    parsed: bool,
}

impl Talk {
    /// Sends a batch, and waits for the answer to what is said first: a connection that does not give it in time is given up.
    async fn begin(
        lease: &mut Lease,
        batch: &Batch,
        (first, patience): (&str, Duration),
    ) -> std::result::Result<Talk, Trouble> {
        let Ok(taken) = lease.take().await else { return Err(Trouble::Silent) };
        let mut talk = Talk { taken, heard: false, parsed: false };
        talk.taken.ends_with(batch.open.then(|| Bytes::from_static(SYNC)));
        // How long that takes is a matter of how much it is.
        if talk.taken.send(&batch.bytes, batch.asked).await.is_err() {
            return Err(Trouble::Silent);
        }
        if !first.is_empty() {
            timeout(patience, talk.settings()).await.unwrap_or(Err(Trouble::Silent))?;
        }
        Ok(talk)
    }

    /// The next message. An end before the first is silence.
    async fn next(&mut self) -> std::result::Result<(u8, Bytes), Trouble> {
        match self.taken.next(None).await {
            Ok(Heard::Message(kind, body)) => {
                // A server that ends says so to whoever asks next.
                if kind == b'E' && !self.heard && complaint(&body)?.code.starts_with("57P") {
                    return Err(Trouble::Silent);
                }
                self.heard = true;
                Ok((kind, body))
            }
            Ok(Heard::Rows(..)) => Err(unexpected().into()),
            Err(_) if !self.heard => Err(Trouble::Silent),
            Err(error) => Err(error.into()),
        }
    }

    async fn settings(&mut self) -> std::result::Result<(), Trouble> {
        loop {
            match self.next().await? {
                (b'C', _) => {}
                (b'Z', _) => return Ok(()),
                (b'E', body) => return Err(Trouble::Setting(complaint(&body)?)),
                _ => return Err(unexpected().into()),
            }
        }
    }

    /// An error, and everything up to the end of what was asked.
    async fn refused(&mut self, body: &Bytes) -> Trouble {
        match rest(&mut self.taken, body).await {
            Ok(complaint) => Trouble::Refused(complaint),
            Err(error) => Trouble::Lost(error),
        }
    }

    /// What the server says that a statement is, and nothing after it.
    async fn description(&mut self) -> std::result::Result<Said, Trouble> {
        let mut said = Said { parameters: Arc::default(), columns: Arc::default() };
        loop {
            match self.next().await? {
                (b'1' | b'3' | b'n', _) => {}
                (b't', body) => said.parameters = parameters(&body)?,
                (b'T', body) => said.columns = columns(&body)?,
                (b'Z', _) if self.taken.is_over() => return Ok(said),
                (b'E', body) => return Err(self.refused(&body).await),
                _ => return Err(unexpected().into()),
            }
        }
    }

    /// The same as [`Talk::started`] of a statement that is fresh, whose columns are looked at before it runs.
    async fn started_carefully(
        &mut self,
        (name, ask): (&str, Ask<'_>),
    ) -> Result<std::result::Result<Option<Said>, Trouble>> {
        let said = match self.columns_first().await {
            Ok(said) => said,
            Err(trouble) => return Ok(Err(trouble)),
        };
        if !same(&said.columns, ask.described) {
            return Ok(self.end().await.map(|()| Some(said)).map_err(Trouble::Lost));
        }
        let mut batch = Batch::default();
        batch.execute(name, ask).map_err(unsayable)?;
        batch.sync();
        self.taken.ends_with(None);
        // The answer to its end is waited for already.
        if let Err(error) = self.taken.send(&batch.bytes, 0).await {
            return Ok(Err(Trouble::Lost(error)));
        }
        Ok(self.started(false).await.map(|_| Some(said)))
    }

    /// What the server says that a statement is, before it is told whether to run it.
    async fn columns_first(&mut self) -> std::result::Result<Said, Trouble> {
        let mut said = Said { parameters: Arc::default(), columns: Arc::default() };
        loop {
            match self.next().await? {
                (b'1', _) => self.parsed = true,
                (b'3' | b't', _) => {}
                (b'n', _) => return Ok(said),
                (b'T', body) => {
                    said.columns = columns(&body)?;
                    return Ok(said);
                }
                (b'E', body) => {
                    let complaint = complaint(&body)?;
                    self.end().await?;
                    return Err(Trouble::Refused(complaint));
                }
                _ => return Err(unexpected().into()),
            }
        }
    }

    /// Ends what was begun, and nothing runs.
    async fn end(&mut self) -> io::Result<()> {
        self.taken.ends_with(None);
        self.taken.send(SYNC, 0).await?;
        while !self.taken.is_over() {
            self.taken.next(None).await?;
        }
        Ok(())
    }

    /// Up to the first row; what the server says that the statement is, if it is `fresh`.
    async fn started(&mut self, fresh: bool) -> std::result::Result<Option<Said>, Trouble> {
        let mut said = Said { parameters: Arc::default(), columns: Arc::default() };
        loop {
            match self.next().await? {
                (b'1', _) => self.parsed = true,
                (b'3' | b't' | b'n', _) => {}
                (b'T', body) => said.columns = columns(&body)?,
                (b'2', _) => return Ok(fresh.then_some(said)),
                (b'E', body) => return Err(self.refused(&body).await),
                _ => return Err(unexpected().into()),
            }
        }
    }
}

/// The error of a statement, once everything that was asked is answered.
pub(super) async fn rest(taken: &mut Taken, body: &Bytes) -> io::Result<Complaint> {
    let complaint = complaint(body)?;
    while !taken.is_over() {
        taken.next(None).await?;
    }
    Ok(complaint)
}

fn complaint(body: &[u8]) -> io::Result<Complaint> {
    Complaint::parse(body).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a malformed error"))
}

/// A message that may not come now.
pub(super) fn unexpected() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "an unexpected message")
}

/// A message again as the protocol library takes it apart.
fn message(kind: u8, body: &[u8]) -> io::Result<Message> {
    let mut bytes = BytesMut::with_capacity(body.len() + 5);
    bytes.extend_from_slice(&[kind]);
    bytes.extend_from_slice(&u32::try_from(body.len() + 4).map_err(io::Error::other)?.to_be_bytes());
    bytes.extend_from_slice(body);
    backend::Message::parse(&mut bytes)?.ok_or_else(unexpected)
}

fn parameters(body: &[u8]) -> io::Result<Arc<[u32]>> {
    match message(b't', body)? {
        Message::ParameterDescription(body) => Ok(body.parameters().collect::<Vec<_>>()?.into()),
        _ => Err(unexpected()),
    }
}

fn columns(body: &[u8]) -> io::Result<Arc<[Column]>> {
    let Message::RowDescription(body) = message(b'T', body)? else { return Err(unexpected()) };
    let columns = body.fields().map(|field| {
        let origin = Some((field.table_oid(), field.column_id())).filter(|(table, column)| *table != 0 && *column != 0);
        Ok(Column {
            name: field.name().to_owned(),
            oid: field.type_oid(),
            typmod: field.type_modifier(),
            origin,
            own: None,
        })
    });
    Ok(columns.collect::<Vec<_>>()?.into())
}
