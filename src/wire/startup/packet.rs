//! Parses one start-up packet: bytes become a [`Startup`] or a request.
//! Must not know: sockets.

use bytes::Bytes;

use super::options;
use crate::error::{Error, Result, SqlState};
use crate::names::MAX_IDENTIFIER_BYTES;
use crate::wire::framing::violation;
use crate::wire::messages::utf8;

const CANCEL_CODE: u32 = (1234 << 16) | 5678;
const SSL_CODE: u32 = (1234 << 16) | 5679;
const GSS_CODE: u32 = (1234 << 16) | 5680;

/// The newest minor version of protocol 3 that is spoken.
const NEWEST_MINOR: u16 = 2;

/// Who wants a session, and how it shall begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Startup {
    /// The user, cut to 63 bytes.
    pub user: String,
    /// The database, cut to 63 bytes; the user's name where none was given.
    pub database: String,
    /// Session variables in the order in which they are to be set: those of `options` first.
    pub params: Vec<(String, String)>,
    /// The minor version of protocol 3 that is spoken: 0 to 2. From 2 on a cancel key may have more than 4 bytes.
    pub minor: u16,
}

/// A start-up packet, checked but not taken apart: thousands of tiny parameters would cost a peer without a login ten
/// times the memory of their bytes.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// The user, cut to 63 bytes.
    pub user: String,
    /// The database, cut to 63 bytes; the user's name where none was given.
    pub database: String,
    /// A stream of changes is wanted, not a session.
    pub replication: bool,
    minor: u16,
    negotiate: bool,
    pairs: Bytes,
}

/// A packet before the session.
#[derive(Debug)]
pub(super) enum Packet {
    Ssl,
    Gss,
    Cancel { pid: i32, key: Bytes },
    BadCancel,
    Session(Greeting),
}

/// Parses a packet without its length. A request that is not open any more is taken for a protocol version.
pub(super) fn parse(packet: &Bytes, ssl_open: bool, gss_open: bool) -> Result<Packet> {
    let Some(code) = int32(packet) else {
        return Err(violation("invalid length of startup packet"));
    };
    let body = packet.slice(4..);
    match code {
        CANCEL_CODE => return Ok(cancel(&body)),
        SSL_CODE if ssl_open => return request(&body, Packet::Ssl),
        GSS_CODE if gss_open => return request(&body, Packet::Gss),
        _ => {}
    }
    let (major, minor) = ((code >> 16) as u16, (code & 0xffff) as u16);
    if major != 3 {
        return Err(Error::unsupported(format!(
            "unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.{NEWEST_MINOR}"
        )));
    }
    Greeting::parse(body, minor).map(Packet::Session)
}

fn int32(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?))
}

fn request(body: &[u8], packet: Packet) -> Result<Packet> {
    if body.is_empty() { Ok(packet) } else { Err(violation("invalid length of startup packet")) }
}

fn cancel(body: &Bytes) -> Packet {
    match int32(body) {
        Some(pid) if (8..=260).contains(&body.len()) => {
            Packet::Cancel { pid: i32::from_be_bytes(pid.to_be_bytes()), key: body.slice(4..) }
        }
        _ => Packet::BadCancel,
    }
}

/// Names and values, each ended by a zero, and a zero at the end of the packet.
struct Pairs<'a>(&'a [u8]);

impl<'a> Pairs<'a> {
    fn next(&mut self) -> Result<Option<(&'a str, &'a str)>> {
        let layout = || violation("invalid startup packet layout: expected terminator as last byte");
        let (name, behind) = string(self.0).ok_or_else(layout)?;
        if name.is_empty() {
            return if behind.is_empty() { Ok(None) } else { Err(layout()) };
        }
        let (value, behind) = string(behind).ok_or_else(layout)?;
        self.0 = behind;
        Ok(Some((utf8(name)?, utf8(value)?)))
    }
}

fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// Options of the protocol itself; none is known.
fn is_protocol_option(name: &str) -> bool {
    name.starts_with("_pq_.")
}

impl Greeting {
    /// Checks the whole packet.
    fn parse(body: Bytes, requested: u16) -> Result<Greeting> {
        let (mut user, mut database, mut replication) = ("", "", false);
        // Nobody ever spoke 3.1: who asks for it is told of 3.0, as by every PostgreSQL before 3.2 was there.
        let minor = if requested == 1 { 0 } else { requested.min(NEWEST_MINOR) };
        let mut negotiate = requested != minor;
        let mut pairs = Pairs(&body);
        while let Some((name, value)) = pairs.next()? {
            match name {
                "user" => user = value,
                "database" => database = value,
                "replication" => replication = wants_replication(value)?,
                _ => negotiate |= is_protocol_option(name),
            }
        }
        if user.is_empty() {
            return Err(Error::client(
                SqlState::INVALID_AUTHORIZATION,
                "no PostgreSQL user name specified in startup packet",
            ));
        }
        let database = if database.is_empty() { user } else { database };
        let (user, database) = (truncate(user), truncate(database));
        Ok(Greeting { user, database, replication, minor, negotiate, pairs: body })
    }

    /// What the client must be told first where it asked for more than there is: the version that will be spoken (major
    /// and minor), and the options of the protocol that are unknown.
    #[must_use]
    pub fn negotiate(&self) -> Option<(i32, Vec<String>)> {
        if !self.negotiate {
            return None;
        }
        let (mut unknown, mut pairs) = (Vec::new(), Pairs(&self.pairs));
        while let Ok(Some((name, _))) = pairs.next() {
            if is_protocol_option(name) {
                unknown.push(name.to_owned());
            }
        }
        Some(((3 << 16) | i32::from(self.minor), unknown))
    }

    /// Takes the packet apart, once the client has proven who it is.
    ///
    /// # Errors
    /// `42601`: `options` with a switch that is none.
    pub fn into_startup(self) -> Result<Startup> {
        let (mut switches, mut params) = (Vec::new(), Vec::new());
        let mut pairs = Pairs(&self.pairs);
        while let Some((name, value)) = pairs.next()? {
            match name {
                "user" | "database" | "replication" => {}
                "options" => switches = options::parse(value)?,
                _ if is_protocol_option(name) => {}
                _ => params.push((name.to_owned(), value.to_owned())),
            }
        }
        // As PostgreSQL: first the switches, then the settings.
        switches.append(&mut params);
        Ok(Startup { user: self.user, database: self.database, params: switches, minor: self.minor })
    }
}

/// Cuts a name as PostgreSQL does, between characters.
fn truncate(name: &str) -> String {
    let mut end = MAX_IDENTIFIER_BYTES.min(name.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].to_owned()
}

fn wants_replication(value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "0" | "false" | "fals" | "fal" | "fa" | "f" | "no" | "n" | "off" | "of" => Ok(false),
        "1" | "true" | "tru" | "tr" | "t" | "yes" | "ye" | "y" | "on" | "database" => Ok(true),
        _ => Err(Error::client(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid value for parameter \"replication\": \"{value}\""),
        )
        .with_hint("Valid values are: \"false\", 0, \"true\", 1, \"database\".")),
    }
}
