//! A client that speaks the protocol by hand, over a bare socket: to Tusk, and to a real PostgreSQL for comparison.
//! Must not know: what is tested.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long a server may be silent before a test fails.
const SILENCE: Duration = Duration::from_secs(60);

/// One message of the server.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Its type.
    pub(crate) tag: u8,
    /// What follows the length.
    pub(crate) body: Vec<u8>,
}

/// A column of a RowDescription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) table: u32,
    pub(crate) number: i16,
    pub(crate) oid: u32,
    pub(crate) length: i16,
    pub(crate) typmod: i32,
    pub(crate) format: i16,
}

/// A connection.
pub(crate) struct Raw {
    stream: TcpStream,
    buffer: Vec<u8>,
    at: usize,
    /// Process id and key for a cancel request.
    pub(crate) key: Option<(i32, Vec<u8>)>,
    /// Parameters that the server reported.
    pub(crate) parameters: BTreeMap<String, String>,
}

impl Raw {
    /// A connection on which nothing was said yet.
    pub(crate) fn open(port: u16) -> Raw {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(SILENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Raw { stream, buffer: Vec::new(), at: 0, key: None, parameters: BTreeMap::new() }
    }

    /// A session of a trusted user.
    pub(crate) fn login(port: u16, user: &str, database: &str) -> Raw {
        let mut raw = Raw::open(port);
        raw.start(&[("user", user), ("database", database)]);
        let first = raw.until(b'Z');
        assert!(first.iter().all(|message| message.tag != b'E'), "{}", transcript(&first));
        for message in &first {
            match message.tag {
                b'K' => {
                    raw.key =
                        Some((i32::from_be_bytes(message.body[..4].try_into().unwrap()), message.body[4..].to_vec()))
                }
                b'S' => {
                    let mut texts =
                        message.body.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
                    raw.parameters.insert(texts.next().unwrap(), texts.next().unwrap());
                }
                _ => {}
            }
        }
        raw
    }

    /// Sends a StartupMessage.
    pub(crate) fn start(&mut self, parameters: &[(&str, &str)]) {
        let mut body = 196_608_i32.to_be_bytes().to_vec();
        for (name, value) in parameters {
            body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
        }
        body.push(0);
        self.bytes(&[&((body.len() + 4) as i32).to_be_bytes()[..], &body].concat());
    }

    /// The socket.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, tag: u8, body: &[u8]) {
        self.bytes(&frame(tag, body));
    }

    /// Sends a Query.
    pub(crate) fn query(&mut self, sql: &str) {
        self.send(b'Q', format!("{sql}\0").as_bytes());
    }

    /// Sends a Query and takes everything up to ReadyForQuery.
    pub(crate) fn ask(&mut self, sql: &str) -> Vec<Message> {
        self.query(sql);
        self.until(b'Z')
    }

    /// Sends messages, a Sync behind them, and takes everything up to ReadyForQuery.
    pub(crate) fn batch(&mut self, messages: &[Vec<u8>]) -> Vec<Message> {
        self.bytes(&messages.concat());
        self.send(b'S', b"");
        self.until(b'Z')
    }

    /// The next message.
    pub(crate) fn read(&mut self) -> Message {
        self.try_read().expect("the server closed the connection")
    }

    /// The next message; `None`: the server closed the connection.
    pub(crate) fn try_read(&mut self) -> Option<Message> {
        loop {
            let rest = &self.buffer[self.at..];
            if rest.len() >= 5 {
                let length = u32::from_be_bytes(rest[1..5].try_into().unwrap()) as usize;
                if rest.len() > length {
                    let message = Message { tag: rest[0], body: rest[5..=length].to_vec() };
                    self.at += length + 1;
                    return Some(message);
                }
            }
            self.buffer.drain(..self.at);
            self.at = 0;
            let mut chunk = [0; 65_536];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(read) => self.buffer.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("the server is silent: {error}"),
            }
        }
    }

    /// Messages up to one of this type, with it.
    pub(crate) fn until(&mut self, tag: u8) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            let Some(message) = self.try_read() else {
                panic!("the server closed the connection after:\n{}", transcript(&messages));
            };
            let last = message.tag == tag;
            messages.push(message);
            if last {
                return messages;
            }
        }
    }

    /// Messages up to the end of the connection.
    pub(crate) fn until_closed(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.try_read()).collect()
    }

    /// Raw bytes up to the end of the connection, or as many as come within the limit of time.
    pub(crate) fn everything(&mut self, limit: Duration) -> Vec<u8> {
        self.stream.set_read_timeout(Some(limit)).unwrap();
        let mut bytes = std::mem::take(&mut self.buffer);
        let _ = self.stream.read_to_end(&mut bytes);
        bytes
    }

    /// Asks for this session's statement to be cancelled, on another connection.
    pub(crate) fn cancel(&self) {
        let port = self.stream.peer_addr().unwrap().port();
        let (pid, key) = self.key.clone().unwrap();
        let mut other = Raw::open(port);
        let length = (12 + key.len()) as i32;
        other.bytes(&[&length.to_be_bytes()[..], &80_877_102_i32.to_be_bytes(), &pid.to_be_bytes(), &key].concat());
    }

    /// Goes away with a reset (what a crashed machine or a killed process behind NAT looks like).
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// A message as bytes.
pub(crate) fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag][..], &((body.len() + 4) as u32).to_be_bytes(), body].concat()
}

/// Parse.
pub(crate) fn parse(name: &str, sql: &str, types: &[u32]) -> Vec<u8> {
    let mut body = format!("{name}\0{sql}\0").into_bytes();
    body.extend_from_slice(&(types.len() as i16).to_be_bytes());
    types.iter().for_each(|oid| body.extend_from_slice(&oid.to_be_bytes()));
    frame(b'P', &body)
}

/// Bind: parameters with one format for all, results with these formats.
pub(crate) fn bind(portal: &str, statement: &str, format: i16, values: &[Option<&[u8]>], results: &[i16]) -> Vec<u8> {
    let mut body = format!("{portal}\0{statement}\0").into_bytes();
    body.extend_from_slice(&1_i16.to_be_bytes());
    body.extend_from_slice(&format.to_be_bytes());
    body.extend_from_slice(&(values.len() as i16).to_be_bytes());
    for value in values {
        match value {
            None => body.extend_from_slice(&(-1_i32).to_be_bytes()),
            Some(bytes) => {
                body.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
                body.extend_from_slice(bytes);
            }
        }
    }
    body.extend_from_slice(&(results.len() as i16).to_be_bytes());
    results.iter().for_each(|format| body.extend_from_slice(&format.to_be_bytes()));
    frame(b'B', &body)
}

/// Describe of a statement (`S`) or a portal (`P`).
pub(crate) fn describe(kind: u8, name: &str) -> Vec<u8> {
    frame(b'D', &[&[kind][..], name.as_bytes(), b"\0"].concat())
}

/// Close of a statement (`S`) or a portal (`P`).
pub(crate) fn close(kind: u8, name: &str) -> Vec<u8> {
    frame(b'C', &[&[kind][..], name.as_bytes(), b"\0"].concat())
}

/// Execute.
pub(crate) fn execute(portal: &str, rows: i32) -> Vec<u8> {
    frame(b'E', &[portal.as_bytes(), b"\0", &rows.to_be_bytes()].concat())
}

impl Message {
    /// The fields of an ErrorResponse or NoticeResponse.
    pub(crate) fn fields(&self) -> BTreeMap<char, String> {
        self.body
            .split(|byte| *byte == 0)
            .filter(|field| !field.is_empty())
            .map(|field| (field[0] as char, String::from_utf8_lossy(&field[1..]).into_owned()))
            .collect()
    }

    /// The values of a DataRow.
    pub(crate) fn values(&self) -> Vec<Option<Vec<u8>>> {
        let mut rest = &self.body[2..];
        let mut values = Vec::new();
        while !rest.is_empty() {
            let length = i32::from_be_bytes(rest[..4].try_into().unwrap());
            rest = &rest[4..];
            values.push(usize::try_from(length).ok().map(|length| {
                let (value, after) = rest.split_at(length);
                rest = after;
                value.to_vec()
            }));
        }
        values
    }

    /// The columns of a RowDescription.
    pub(crate) fn columns(&self) -> Vec<Column> {
        let mut rest = &self.body[2..];
        let mut columns = Vec::new();
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| *byte == 0).unwrap();
            let name = String::from_utf8(rest[..end].to_vec()).unwrap();
            let (head, after) = rest[end + 1..].split_at(18);
            let short = |at: usize| i16::from_be_bytes(head[at..at + 2].try_into().unwrap());
            let long = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().unwrap());
            let (table, number, oid) = (long(0), short(4), long(6));
            columns.push(Column {
                name,
                table,
                number,
                oid,
                length: short(10),
                typmod: long(12) as i32,
                format: short(16),
            });
            rest = after;
        }
        columns
    }
}

/// The first error among messages, by its fields.
pub(crate) fn error(messages: &[Message]) -> BTreeMap<char, String> {
    let Some(message) = messages.iter().find(|message| message.tag == b'E') else {
        panic!("no error in:\n{}", transcript(messages));
    };
    message.fields()
}

/// The rows among messages, as text.
pub(crate) fn rows(messages: &[Message]) -> Vec<Vec<Option<String>>> {
    assert!(messages.iter().all(|message| message.tag != b'E'), "{}", transcript(messages));
    let rows = messages.iter().filter(|message| message.tag == b'D').map(Message::values);
    let text = |value: Option<Vec<u8>>| value.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    rows.map(|row| row.into_iter().map(text).collect()).collect()
}

/// Messages as text in which two servers that behave alike do not differ: without table oids, source lines and keys.
pub(crate) fn transcript(messages: &[Message]) -> String {
    let mut text = String::new();
    for message in messages {
        let rest = match message.tag {
            b'T' => columns_as_text(message),
            b'D' => message
                .values()
                .iter()
                .map(|value| value.as_deref().map_or("NULL".into(), printable))
                .collect::<Vec<_>>()
                .join(" | "),
            b'E' | b'N' => {
                let fields = message.fields();
                let kept = fields.iter().filter(|(kind, _)| "SVCMDHP".contains(**kind));
                kept.map(|(kind, value)| format!("{kind}={value}")).collect::<Vec<_>>().join(" ")
            }
            b'K' => String::new(),
            b'A' => printable(&message.body[4..]),
            _ => printable(&message.body),
        };
        writeln!(text, "{} {rest}", message.tag as char).unwrap();
    }
    text
}

fn columns_as_text(message: &Message) -> String {
    let columns = message.columns().into_iter().map(|column| {
        let Column { name, table, number, oid, length, typmod, format } = column;
        let of_table = if table == 0 { "-" } else { "table" };
        format!("{name}({of_table} {number} {oid} {length} {typmod} {format})")
    });
    columns.collect::<Vec<_>>().join(" ")
}

/// Bytes as text, all but printable ASCII escaped.
pub(crate) fn printable(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
