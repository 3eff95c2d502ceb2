//! A conversation about one statement: what is sent together, and the answers up to its first row.
//! Must not know: which statement it is, who reads the rows.

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
use super::lease::Lease;
use super::line::{Heard, Taken};
use super::relay::{Ask, Column, Said, same, unsayable};
use super::trouble::Trouble;
use crate::error::Result;
use crate::source::Argument;

/// What is said to a connection before a statement.
pub(super) enum Before {
    /// Nothing.
    Nothing,
    /// The name of what runs on it, in the statement's own transaction: an error takes it back.
    Name(String),
    /// Statements that set what it is to be, for an answer within this time: who knows whether it still lives.
    Settings(String, Duration),
}

/// A statement of ours that every connection may have: it names what runs.
const NAMER: &str = "tusk";
const NAMER_SQL: &str = "SELECT pg_catalog.set_config('application_name', $1, false)";
const TEXT: u32 = 25;

/// Messages that are sent together.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) bytes: BytesMut,
    /// Those that are answered with ReadyForQuery, and one that is to come, where it does not end with it.
    pub(super) asked: u64,
    /// Nothing ends it: Sync is to be sent.
    open: bool,
}

/// A Flush message, and a Sync.
const FLUSH: &[u8] = b"H\0\0\0\x04";
const SYNC: &[u8] = b"S\0\0\0\x04";

impl Batch {
    /// What is said before a statement.
    pub(super) fn before(&mut self, before: &Before, lease: &mut Lease) -> io::Result<()> {
        match before {
            Before::Nothing => {}
            Before::Name(name) => {
                if lease.names().is_some_and(|names| !names.namer) {
                    // It may be there: whoever asked for it did not hear.
                    frontend::close(b'S', NAMER, &mut self.bytes)?;
                    frontend::parse(NAMER, NAMER_SQL, [TEXT], &mut self.bytes)?;
                }
                let name = Argument { value: Some(Bytes::copy_from_slice(name.as_bytes())), binary: false };
                self.bind(NAMER, &[name], &[])?;
                frontend::execute("", 0, &mut self.bytes)?;
            }
            Before::Settings(settings, _) => {
                frontend::query(settings, &mut self.bytes)?;
                self.asked += 1;
            }
        }
        lease.gone().iter().try_for_each(|name| frontend::close(b'S', name, &mut self.bytes))
    }

    pub(super) fn bind(&mut self, name: &str, arguments: &[Argument], formats: &[bool]) -> io::Result<()> {
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
    pub(super) fn execute(&mut self, name: &str, ask: Ask<'_>) -> io::Result<()> {
        self.bind(name, ask.arguments, ask.formats)?;
        frontend::execute("", 0, &mut self.bytes)
    }

    pub(super) fn sync(&mut self) {
        frontend::sync(&mut self.bytes);
        self.asked += 1;
    }

    /// Has what was sent answered before it is known how it ends.
    pub(super) fn flush(&mut self) {
        self.bytes.extend_from_slice(FLUSH);
        self.asked += 1;
        self.open = true;
    }
}

/// The answers to a batch.
pub(super) struct Talk {
    pub(super) taken: Taken,
    /// The server has said something.
    heard: bool,
    /// The statement is prepared.
    pub(super) parsed: bool,
}

impl Talk {
    /// Sends a batch, and waits for the answer to what is said first: a connection that does not give it in time is given up.
    pub(super) async fn begin(lease: &mut Lease, batch: &Batch, before: &Before) -> std::result::Result<Talk, Trouble> {
        let Ok(taken) = lease.take().await else { return Err(Trouble::Silent) };
        let mut talk = Talk { taken, heard: false, parsed: false };
        talk.taken.ends_with(batch.open.then(|| Bytes::from_static(SYNC)));
        // How long that takes is a matter of how much it is.
        if talk.taken.send(&batch.bytes, batch.asked).await.is_err() {
            return Err(Trouble::Silent);
        }
        match before {
            Before::Nothing => {}
            Before::Name(_) => {
                talk.named().await?;
                if let Some(names) = lease.names() {
                    names.namer = true;
                }
            }
            Before::Settings(_, patience) => {
                timeout(*patience, talk.settings()).await.unwrap_or(Err(Trouble::Silent))?;
            }
        }
        Ok(talk)
    }

    /// The next message. An end before the first is silence.
    pub(super) async fn next(&mut self) -> std::result::Result<(u8, Bytes), Trouble> {
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

    /// What runs has its name.
    async fn named(&mut self) -> std::result::Result<(), Trouble> {
        loop {
            match self.taken.next(None).await {
                Ok(Heard::Rows(_, 1) | Heard::Message(b'1' | b'2' | b'3', _)) => self.heard = true,
                Ok(Heard::Message(b'C', _)) => return Ok(()),
                Ok(Heard::Message(b'E', body)) => {
                    return Err(match (self.heard, complaint(&body)?) {
                        // A server that ends says so to whoever asks next.
                        (false, said) if said.code.starts_with("57P") => Trouble::Silent,
                        (_, said) => Trouble::Setting(said),
                    });
                }
                Ok(_) => return Err(unexpected().into()),
                Err(_) if !self.heard => return Err(Trouble::Silent),
                Err(error) => return Err(error.into()),
            }
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
    pub(super) async fn refused(&mut self, body: &Bytes) -> Trouble {
        match rest(&mut self.taken, body).await {
            Ok(complaint) => Trouble::Refused(complaint),
            Err(error) => Trouble::Lost(error),
        }
    }

    /// What the server says that a statement is, and nothing after it.
    pub(super) async fn description(&mut self) -> std::result::Result<Said, Trouble> {
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
    pub(super) async fn started_carefully(
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
    pub(super) async fn started(&mut self, fresh: bool) -> std::result::Result<Option<Said>, Trouble> {
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

    /// Up to the first row of a COPY.
    pub(super) async fn copying(&mut self, fits: impl Fn(&[Column]) -> bool) -> std::result::Result<(), Trouble> {
        let mut fit = false;
        loop {
            match self.next().await? {
                (b'1' | b'2' | b'3' | b't', _) => {}
                (b'T', body) if fits(&columns(&body)?) => fit = true,
                (b'T', _) => return Err(Trouble::Changed),
                (b'H', _) if fit => return Ok(()),
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
        let origin = Some((field.table_oid(), field.column_id())).filter(|(table, _)| *table != 0);
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
