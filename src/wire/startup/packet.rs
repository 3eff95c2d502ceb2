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
    /// The minor version of protocol 3 that will be spoken: 0 to 2.
    pub minor: u16,
    /// What the client must be told of before anything else, where it asked for more than there is.
    pub negotiate: Option<Negotiate>,
}

/// The content of NegotiateProtocolVersion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiate {
    /// The version that will be spoken, major and minor.
    pub version: i32,
    /// `_pq_.` options that are unknown.
    pub unknown: Vec<String>,
}

/// A packet before the session.
#[derive(Debug)]
pub(super) enum Packet {
    Ssl,
    Gss,
    Cancel { pid: i32, key: Bytes },
    BadCancel,
    Startup(Startup),
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
    startup(&body, minor).map(Packet::Startup)
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
fn pairs(body: &[u8]) -> Result<Vec<(String, String)>> {
    let layout = || violation("invalid startup packet layout: expected terminator as last byte");
    let mut pairs = Vec::new();
    let mut rest = body;
    loop {
        let (name, behind) = string(rest).ok_or_else(layout)?;
        if name.is_empty() {
            return if behind.is_empty() { Ok(pairs) } else { Err(layout()) };
        }
        let (value, behind) = string(behind).ok_or_else(layout)?;
        // The last byte of the packet ends the list: a value may not use it up.
        if behind.is_empty() {
            return Err(layout());
        }
        pairs.push((utf8(name)?.to_owned(), utf8(value)?.to_owned()));
        rest = behind;
    }
}

fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

fn startup(body: &[u8], requested: u16) -> Result<Startup> {
    let (mut user, mut database) = (String::new(), String::new());
    let (mut switches, mut params, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for (name, value) in pairs(body)? {
        match name.as_str() {
            "user" => user = value,
            "database" => database = value,
            "options" => switches = options::parse(&value)?,
            "replication" => refuse_replication(&value)?,
            _ if name.starts_with("_pq_.") => unknown.push(name),
            _ => params.push((name, value)),
        }
    }
    if user.is_empty() {
        return Err(Error::client(
            SqlState::INVALID_AUTHORIZATION,
            "no PostgreSQL user name specified in startup packet",
        ));
    }
    if database.is_empty() {
        database.clone_from(&user);
    }
    // As PostgreSQL: first the switches, then the settings.
    switches.append(&mut params);
    let minor = requested.min(NEWEST_MINOR);
    let negotiate = (requested > NEWEST_MINOR || !unknown.is_empty())
        .then(|| Negotiate { version: (3 << 16) | i32::from(minor), unknown });
    Ok(Startup { user: truncate(user), database: truncate(database), params: switches, minor, negotiate })
}

/// Cuts a name as PostgreSQL does, between characters.
fn truncate(mut name: String) -> String {
    let mut end = MAX_IDENTIFIER_BYTES.min(name.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
    name
}

fn refuse_replication(value: &str) -> Result<()> {
    match value.to_ascii_lowercase().as_str() {
        "0" | "false" | "fals" | "fal" | "fa" | "f" | "no" | "n" | "off" | "of" => Ok(()),
        "1" | "true" | "tru" | "tr" | "t" | "yes" | "ye" | "y" | "on" | "database" => {
            Err(Error::unsupported("replication connections are not supported"))
        }
        _ => Err(Error::client(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid value for parameter \"replication\": \"{value}\""),
        )
        .with_hint("Valid values are: \"false\", 0, \"true\", 1, \"database\".")),
    }
}
